"""The live convolution counts as JAX's layers do, its picture describes itself, and the study of the rules adds up."""

import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gan_jax import checkpoints, data, explorer, metrics, plots
from gan_jax.errors import UnknownName
from gan_jax.explorer.convolutions import WAYS, Taps
from gan_jax.protocols import dcgan_rules
from gan_jax.protocols.dcgan_rules import DISTANCE, VARIANTS, Study, chequered, phases

pytestmark = pytest.mark.once

CASES = list(itertools.product((2, 5, 9), (1, 3, 4, 5), (1, 2, 3), (0, 1, 2)))


def shapes_and_counts(way, n, kernel, stride, padding):
    """By a matrix of the kernel's taps, made of JAX's convolution of the unit vectors: column j reads cell j."""
    fine = n if way == "convolution" else (n - 1) * stride + kernel - 2 * padding
    if fine < 1 or fine + 2 * padding < kernel:
        return 0, fine, np.zeros(max(fine, 0))
    rows = jax.lax.conv_general_dilated(
        jnp.eye(fine)[:, :, None], jnp.ones((kernel, 1, 1)), (stride,), [(padding, padding)],
        dimension_numbers=("NHC", "HIO", "NHC"),
    )[:, :, 0]  # fmt: skip
    return rows.shape[1], fine, np.asarray(rows).sum(axis=1)


@pytest.mark.once
@pytest.mark.parametrize("way", WAYS)
def test_sizes_and_counts_are_those_of_jax(way):
    for case in CASES:
        taps = Taps.of(way, *case)
        coarse, fine, counts = shapes_and_counts(way, *case)
        if way == "convolution" or fine > 0:
            assert (taps.fine, taps.counts.tolist()) == (fine, counts.tolist()), case
        if way == "convolution":
            assert taps.coarse == coarse, case
        elif fine < 1:
            assert taps.fine == 0, case


def test_the_live_convolution_answers_every_place_of_its_controls():
    live = explorer.convolutions()
    for way, kernel, stride, padding in itertools.product(WAYS, (1, 5, 7), (1, 3, 4), (0, 3)):
        for name, value in {"way": way, "n": 2, "kernel": kernel, "stride": stride, "padding": padding}.items():
            live.set(name, value)
        assert live.scene.words
        assert live.scene.number("size") >= 0
    live.reset()
    assert (live.scene.number("least"), live.scene.number("most")) == (2, 3)
    assert "checkerboard" in live.scene.remark
    live.set("kernel", 4)
    assert live.scene.number("least") == live.scene.number("most") == 2
    with pytest.raises(UnknownName, match="transposed"):
        explorer.convolutions("transpose")


def test_the_picture_of_a_convolution_describes_itself():
    png, words = explorer.convolutions("convolution", n=13, padding=2)._still()
    assert png.startswith(b"\x89PNG")
    assert "13 numbers, kernel 5, stride 2, padding 2: 7 go out" in words


def test_overlaps_say_what_is_even():
    picture = plots.overlaps({"5 / 2": np.array([[4, 6], [6, 9]]), "noise": np.arange(400.0).reshape(20, 20)})
    assert plots.alt(picture) == "Kernels a pixel. 5 / 2: 4 to 9 in 3 levels. noise: 0 to 399."
    for wrong in ({}, {"a": np.ones(3)}):
        with pytest.raises(ValueError, match="rows, columns"):
            plots.overlaps(wrong)


# ---- the study of the rules ----


def test_a_part_of_the_digits_is_read_as_digits_and_is_not_the_whole():
    whole, (training, held_out) = data.digits(flat=False), dcgan_rules.split()
    assert [len(training), len(held_out)] == [1297, 500]
    both = np.concatenate([training.images, held_out.images]).reshape(1797, 64)
    assert np.array_equal(np.unique(both, axis=0), np.unique(np.asarray(whole.images).reshape(1797, 64), axis=0))
    for part in (training, held_out):
        assert metrics.features(part).name == "digits features"
        assert part.classes == 10
    assert (
        metrics.features(data.dataset(np.asarray(whole.images), name="held-out digits", peak=16)).name[:6] == "random"
    )
    texts = {
        checkpoints.configuration(VARIANTS["all rules"].gan, target=one).target for one in (whole, training, held_out)
    }
    assert len(texts) == 3  # a save of one is refused for another


def test_phases_are_the_means_of_the_four_kinds_of_pixels():
    images = np.random.default_rng(0).normal(size=(7, 6, 8, 1))
    found = phases(images)
    for row, column in itertools.product((0, 1), (0, 1)):
        kind = [images[i, r, c, 0] for i in range(7) for r in range(row, 6, 2) for c in range(column, 8, 2)]
        assert found[row, column] == pytest.approx(np.mean(kind) - images.mean())
    assert chequered(images + 3, images) == pytest.approx(0)  # brighter is not chequered


def test_the_stored_study_is_whole():
    study = dcgan_rules.stored()
    assert list(study.runs) == list(VARIANTS)
    assert all(sorted(seeds) == list(range(dcgan_rules.SEEDS)) for seeds in study.runs.values())
    assert DISTANCE in repr(study)
    assert len(study.table().rows) == len(VARIANTS) + 1
    with pytest.raises(UnknownName, match="Fréchet"):
        study.scores("Frechet")
    with pytest.raises(UnknownName, match="all rules"):
        study.scores("recall", ["all rule"])


def test_the_command_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(dcgan_rules, "trained", lambda name, seed, steps: asked.append((name, seed)) or seed)
    monkeypatch.setattr(dcgan_rules, "drawn", lambda name, state, key, n: state)
    monkeypatch.setattr(dcgan_rules, "scores", lambda samples, held_out: {DISTANCE: float(samples)})
    monkeypatch.setattr(dcgan_rules, "perfect", lambda: {DISTANCE: [0.1, 0.2]})
    out, said = tmp_path / "study.json", []
    command = ["--variants", "resize", "all rules", "--out", str(out), "--seeds"]
    assert dcgan_rules.main([*command, "2"], said.append) == 0
    assert dcgan_rules.main([*command, "3"], said.append) == 0
    assert asked == [("resize", 0), ("resize", 1), ("all rules", 0), ("all rules", 1), ("resize", 2), ("all rules", 2)]
    study = dcgan_rules.stored(out)
    assert isinstance(study, Study)
    assert list(study.runs) == ["all rules", "resize"]
    assert study.scores(DISTANCE)["resize"].tolist() == [0, 1, 2]
    assert "1 ± 1" in said[-1]
    assert dcgan_rules.main([*command, "3", "--steps", "7"], said.append) == 2
    assert "other settings" in said[-1]
    assert json.loads(out.read_text())["made"]["command"].startswith("python -m gan_jax.protocols.dcgan_rules --var")


def test_every_variant_is_of_one_shape():
    for name, variant in VARIANTS.items():
        generator, discriminator = (
            jax.eval_shape(lambda z, recipe=recipe: recipe(nnx.Rngs(0))(z), jax.ShapeDtypeStruct(shape, "float32"))
            for recipe, shape in ((variant.gan.generator, (2, 32)), (variant.gan.discriminator, (2, 8, 8, 1)))
        )
        assert int(np.prod(generator.shape)) == 128, name
        assert discriminator.shape == (2, 1), name
        assert variant.about
