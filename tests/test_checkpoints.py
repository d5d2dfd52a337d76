"""Saves: whole or not there, refused where they belong to another game, and the difference named."""

import errno
import re
import shutil
from dataclasses import replace

import jax
import numpy as np
import pytest
from flax import nnx

from gan_jax import checkpoints, data, losses, nets, train
from gan_jax.checkpoints import configuration, saved_configuration, saved_steps
from gan_jax.train import Gan, Hyperparams

KEY = jax.random.key(0)
DIALS = Hyperparams()


@pytest.fixture(scope="module")
def gan():
    return Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16)


@pytest.fixture(scope="module")
def at(gan):
    """The state at a step: a start whose counter is moved is as good as a trained one, to a save."""
    start = train.init(gan, DIALS, KEY)
    return lambda step: replace(start, step=start.step + step)


def held(state):
    return checkpoints.named_arrays(state)


def same(one, two):
    return all(np.array_equal(held(one)[name], array) for name, array in held(two).items())


class Noisy(nnx.Module):
    """All kinds of state that a module may have: weights, batch statistics, a vector of power iteration, a key."""

    def __init__(self, rngs):
        self.spectral = nets.SpectralLinear(2, 4, nets.INITIALISERS["glorot"], rngs)
        self.norm, self.dropout = nnx.BatchNorm(4, rngs=rngs), nets.Dropout(0.5, rngs)
        self.last = nnx.Linear(4, 1, rngs=rngs)

    def __call__(self, x):
        return self.last(self.dropout(self.norm(self.spectral(x))))


def test_what_modules_hold_besides_weights_goes_on_bit_for_bit(gan, tmp_path):
    noisy, target = replace(gan, discriminator=Noisy), data.ring(8)
    start = train.init(noisy, DIALS, KEY)
    whole, _ = train.steps(noisy, DIALS, target, start, 6)
    half, _ = train.steps(noisy, DIALS, target, start, 3)
    moved = {name for name, array in held(half).items() if not np.array_equal(array, held(start)[name])}
    assert {"direction", "mean", "calls"} <= {part for name in moved for part in re.findall(r"\w+", name)}
    checkpoints.save(tmp_path, half)
    loaded = checkpoints.load(tmp_path, train.init(noisy, DIALS, jax.random.key(8)))
    assert same(loaded, half)
    assert same(train.steps(noisy, DIALS, target, loaded, 3)[0], whole)


# ---- what a save belongs to ----

OTHERS = {
    "generator": {"generator": nets.mlp(2, 8, 2, activation="tanh")},
    "discriminator": {"discriminator": nets.mlp(2, 8, 1, normalisation="spectral")},
    "loss": {"loss": losses.hinge},
    "penalty": {"penalty": losses.r1},
    "batch_size": {"batch_size": 32},
    "optimizer": {"optimizer": "sgd"},
    "d_steps": {"d_steps": 2},
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_save_of_another_game_is_refused_and_the_difference_named(name, gan, at, tmp_path):
    checkpoints.save(tmp_path, at(0))
    other = replace(gan, **OTHERS[name])
    [(key, (saved, here))] = configuration(gan).differences(configuration(other)).items()
    assert (key, saved == here) == (name, False)
    with pytest.raises(ValueError, match="is of another GAN") as refused:
        checkpoints.load(tmp_path, replace(at(0), gan=other))
    assert f"({name}: saved {saved}, here {here}" in str(refused.value)


def test_what_changes_on_purpose_is_allowed_by_its_name(gan, at, tmp_path):
    checkpoints.save(tmp_path, at(3))
    other = replace(at(0), gan=replace(gan, loss=losses.hinge, batch_size=32))
    with pytest.raises(ValueError, match=r"batch_size: saved 16, here 32.*say changed=\('loss', 'batch_size'\)"):
        checkpoints.load(tmp_path, other, changed=["loss"])
    assert same(checkpoints.load(tmp_path, other, changed=["loss", "batch_size"]), at(3))
    with pytest.raises(ValueError, match=r"changed must name fields of a Gan, got 'los'; did you mean 'loss'"):
        checkpoints.load(tmp_path, other, changed=["los"])
    wider = train.init(replace(gan, generator=nets.mlp(2, 9, 2)), DIALS, KEY)
    with pytest.raises(ValueError, match=r"saved \(8,\), here \(9,\)"):
        checkpoints.load(tmp_path, wider, changed=["generator"])  # weights do not fit, whatever is allowed


def test_the_data_are_compared_and_the_dials_are_told(gan, at, tmp_path):
    checkpoints.save(tmp_path, at(0), hyper=Hyperparams(lr_g=0.25), target=data.ring(8))
    noted = saved_configuration(tmp_path)
    assert noted.moved_dials(configuration(gan, DIALS)) == {"lr_g": ("0.25", "0.001")}
    assert noted.dials["noise_steps"] == "inf"
    assert noted.versions["jax"] == jax.__version__
    assert same(checkpoints.load(tmp_path, at(0), target=data.ring(8)), at(0))
    with pytest.raises(ValueError, match=r"target: saved Mixture\(means \(8, 2\).*here Mixture\(means \(25, 2\)"):
        checkpoints.load(tmp_path, at(0), target=data.grid(5))
    assert "Dataset(digits, images (1797, 8, 8, 1)" in configuration(gan, target=data.digits()).target


def test_a_field_that_a_save_does_not_know_means_its_default(gan):
    noted = configuration(gan)
    before = replace(noted, gan={name: text for name, text in noted.gan.items() if name != "g_steps"})
    assert before.differences(noted) == {}
    assert before.differences(configuration(replace(gan, g_steps=2))) == {"g_steps": ("1", "2")}


def test_a_save_from_before_configurations_is_read(gan, at, tmp_path):
    path = checkpoints.save(tmp_path, at(7))
    (path / "_CHECKPOINT_METADATA").unlink()
    assert dict(saved_configuration(tmp_path).gan) == {}
    assert same(checkpoints.load(tmp_path, at(0)), at(7))


def test_recipes_that_do_one_thing_read_alike_in_every_process(gan):
    def mine(rngs):
        return nets.mlp(2, 8, 2)(rngs)

    text = configuration(replace(gan, generator=mine, latent_dim=2)).gan["generator"]
    assert text.endswith("mine")
    assert " at 0x" not in text


# ---- whole, or not there ----


def test_a_save_that_was_killed_half_way_is_none(at, tmp_path):
    checkpoints.save(tmp_path, at(20))
    half = tmp_path / "40.orbax-checkpoint-tmp-1"  # what a process that is killed while it writes leaves behind
    shutil.copytree(tmp_path / "20", half)
    next(file for file in half.rglob("*") if file.is_file()).unlink()
    (tmp_path / "10").mkdir()  # an old save that was being taken away
    assert saved_steps(tmp_path) == [20]
    assert same(checkpoints.load(tmp_path, at(0)), at(20))
    checkpoints.save(tmp_path, at(40))
    assert same(checkpoints.load(tmp_path, at(0)), at(40))
    assert not half.exists(), "what is left over is cleared away by the next save"


@pytest.mark.parametrize(
    "fault",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        ValueError("RESOURCE_EXHAUSTED: Error writing: No space left on device"),
        KeyboardInterrupt(),
    ],
    ids=["disk", "library", "ctrl-c"],
)
def test_a_save_that_fails_leaves_the_last_good_one(fault, at, tmp_path, monkeypatch):
    import orbax.checkpoint

    checkpoints.save(tmp_path, at(20))

    def broken(*_, **__):
        raise fault

    expected = KeyboardInterrupt if isinstance(fault, KeyboardInterrupt) else OSError
    with monkeypatch.context() as patch:
        patch.setattr(orbax.checkpoint.StandardCheckpointHandler, "finalize", broken)
        with pytest.raises(expected) as raised:
            checkpoints.save(tmp_path, at(40))
    if expected is OSError:
        assert "step 40 could not be saved" in str(raised.value)
        assert "No space left on device" in str(raised.value)
    assert saved_steps(tmp_path) == [20]
    assert same(checkpoints.load(tmp_path, at(0)), at(20))
    checkpoints.save(tmp_path, at(40))
    assert saved_steps(tmp_path) == [20, 40]


def test_a_damaged_save_names_the_one_before_it(at, tmp_path):
    for step in (20, 40):
        checkpoints.save(tmp_path, at(step))
    listed = tmp_path / "40" / "default" / "_METADATA"  # read first: nothing is under way when it fails
    listed.write_bytes(listed.read_bytes()[:10])
    with pytest.raises(ValueError, match=r"of step 40 is damaged; read another one, with step=20"):
        checkpoints.load(tmp_path, at(0))
    assert same(checkpoints.load(tmp_path, at(0), step=20), at(20))


def test_only_the_last_saves_are_kept(at, tmp_path):
    for step in (1, 2, 3):
        checkpoints.save(tmp_path, at(step))
    assert saved_steps(tmp_path) == [2, 3]


def test_a_folder_that_cannot_be_made(at, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="step 5 could not be saved"):
        checkpoints.save(tmp_path / "file" / "run", at(5))
