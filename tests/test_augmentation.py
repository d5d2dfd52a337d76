"""What GAN samples add to a classifier: the division, the moves, the training, the table, and the command."""

import json
from dataclasses import replace

import jax
import numpy as np
import pytest
from scipy import ndimage

from gan_jax import data, plots
from gan_jax.protocols import augmentation
from gan_jax.protocols.augmentation import ROWS, Augmentation, Row, Setup, accuracy, shifted, split

pytestmark = pytest.mark.once

QUICK = Setup(gan_steps=2, gan_batch=10, gan_width=8, drawn=20, steps=60, width=32)


def test_a_division_is_balanced_and_has_no_image_twice():
    parts = split(50, 3)
    assert np.bincount(parts.few[1]).tolist() == [5] * 10
    assert len(parts.test[1]) == 800
    assert sum(len(labels) for _, labels in parts) == len(data.digits())
    everything = np.concatenate([images for images, _ in parts]).reshape(-1, 64)
    own = np.asarray(data.digits().images).reshape(-1, 64)
    order = lambda rows: rows[np.lexsort(rows.T)]  # noqa: E731
    assert np.array_equal(order(everything), order(own))
    assert not np.array_equal(parts.few[0], split(50, 4).few[0])
    assert np.array_equal(parts.few[0], split(50, 3).few[0])


@pytest.mark.parametrize("by", [0.5, 1.0, 0.25])
def test_moves_are_scipys_shifts(by):
    images = np.random.default_rng(0).uniform(0, 16, (3, 8, 8)).astype(np.float32)
    moved = shifted(images, by)
    assert moved.shape == (9, 3, 8, 8)
    places = [(-d, -e) for d in (by, 0.0, -by) for e in (by, 0.0, -by)]
    for found, (down, right) in zip(moved, places, strict=True):
        expected = ndimage.shift(images, (0, down, right), order=1, mode="grid-constant")
        assert np.allclose(found, expected, atol=1e-4)
    assert np.array_equal(shifted(images, 0.0), images[None])


@pytest.mark.once
def test_more_real_images_help_and_wrong_ones_hurt():
    parts = split(50, 1)
    real = augmentation.scaled(parts.rest[0]), parts.rest[1]
    wrong = real[0], (real[1] + 1) % 10
    nothing, more, lies = (accuracy(QUICK, parts, Row(), extra, 1) for extra in (None, real, wrong))
    assert lies < nothing - 0.1
    assert more > nothing
    assert accuracy(QUICK, parts, Row(), None, 1) == nothing


@pytest.mark.once
def test_the_gan_draws_as_many_of_each_class():
    images, labels = augmentation.samples(QUICK, split(10, 0).few, 0.5, jax.random.key(0))
    assert images.shape == (20, 64)
    assert np.abs(images).max() <= 1
    assert np.bincount(labels).tolist() == [2] * 10


def test_a_row_gets_what_its_name_says(monkeypatch):
    seen = {}
    monkeypatch.setattr(augmentation, "samples", lambda setup, few, shift, key: ("drawn", shift))
    monkeypatch.setattr(
        augmentation,
        "accuracy",
        lambda setup, parts, row, extra, seed: seen.setdefault(len(seen), (row, extra)) and 0.5,
    )
    assert augmentation.one(QUICK, 50, 1) == dict.fromkeys(ROWS, 0.5)
    extras = dict(zip(ROWS, (extra for _, extra in seen.values()), strict=True))
    assert [name for name, extra in extras.items() if extra is None] == ["nothing", "noise", "shift"]
    assert (extras["GAN"], extras["shift + GAN"]) == (("drawn", 0.0), ("drawn", 0.5))
    assert np.array_equal(extras["more real ones"][1], split(50, 1).rest[1])


def test_the_stored_results_are_of_the_settings_that_the_command_has():
    stored = augmentation.stored()
    assert stored.setup == augmentation.asdict(Setup())
    assert {len(row) for rows in stored.scores.values() for row in rows.values()} == {10}
    assert list(stored.scores) == ["50", "100"]
    gain = 100 * stored.gain(50, "GAN")
    assert f"{gain.mean():+.1f} ± {gain.std(ddof=1):.1f}" in repr(stored)
    assert "<table" in stored._repr_html_()


def test_the_command_writes_each_seed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(augmentation, "one", lambda setup, n, seed, progress: dict.fromkeys(ROWS, 0.5 + seed / 100))
    path = tmp_path / "new" / "out.json"
    augmentation.main(["--labelled", "50", "--seeds", "2", "--first-seed", "3", "--out", str(path)])
    assert "52.5" not in capsys.readouterr().err
    found = augmentation.stored(path)
    assert found.shares(50)["GAN"].tolist() == [0.53, 0.54]
    assert str(tmp_path) not in path.read_text()
    assert found.command.endswith("--labelled 50 --seeds 2 --first-seed 3")
    path.write_text(json.dumps({"setup": {}}))
    with pytest.raises(ValueError, match="holds no results of an augmentation"):
        augmentation.stored(path)


def test_one_seed_has_no_spread():
    one = Augmentation({}, {"50": {"nothing": [0.8], "GAN": [0.7]}}, "command", "today", "cpu", {"jax": "0"})
    assert "80.0\n" in repr(one)
    assert "-10.0" in repr(one)
    assert replace(one, command="other").command in repr(replace(one, command="other"))


def test_what_does_not_fit_is_named(as_users_see_it):
    with pytest.raises(ValueError, match="a multiple of 10; got 55"):
        split(55, 0)
    with pytest.raises(ValueError, match="a label from 0 to 9 for each"):
        plots.labelled({"G": (np.zeros((3, 2)), np.array([0, 1, 11]))})
