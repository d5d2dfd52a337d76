"""The shipped classifiers against their held-out images, their checksums, and an independent forward pass."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import classifiers, data
from gan_jax.classifiers import __main__ as command
from gan_jax.classifiers import classifier as files

pytestmark = pytest.mark.once

SOURCES = {"digits": data.digits, "mnist": data.mnist_5000}


def images_of(source):
    """Pictures in [-1, 1], shape (size, height, width), in NumPy."""
    return 2 * np.asarray(source.images)[..., 0].astype(np.float32) / source.peak - 1


@pytest.mark.parametrize("name", classifiers.CLASSIFIERS)
def test_the_shipped_weights_are_as_accurate_as_the_docstring_says(name):
    (share, held_out_size) = re.search(rf"\| {name} \|.*\| ([\d.]+) % of ([\d,]+) \|", classifiers.__doc__).groups()
    training, held_out = classifiers.split(SOURCES[name]())
    assert len(held_out) == int(held_out_size.replace(",", ""))
    assert f"| {len(training):,} of " in classifiers.__doc__
    # one image may fall on the other side where a sum is rounded in another order
    found = classifiers.accuracy(classifiers.CLASSIFIERS[name](), held_out)
    assert found == pytest.approx(float(share) / 100, abs=1.01 / len(held_out))


def test_the_held_out_images_are_each_fifth_of_their_class_and_no_training_images():
    every = data.digits()
    training, held_out = classifiers.split(every)
    assert len(training) + len(held_out) == len(every)
    of_threes = np.asarray(every.images)[np.asarray(every.labels) == 3]
    np.testing.assert_array_equal(np.asarray(held_out.images)[np.asarray(held_out.labels) == 3], of_threes[4::5])
    known = {image.tobytes() for image in np.asarray(training.images)}
    assert not any(image.tobytes() in known for image in np.asarray(held_out.images))
    assert (training.name, training.peak) == ("digits", 16)


@pytest.mark.parametrize("name", classifiers.CLASSIFIERS)
def test_log_probabilities_against_a_loop_in_numpy(name):
    classifier, images = classifiers.CLASSIFIERS[name](), images_of(SOURCES[name]())[:50]
    pool, x = classifier.pool, images.astype(np.float64)
    x = sum(x[:, i::pool, j::pool] for i in range(pool) for j in range(pool)).reshape(len(x), -1) / pool**2
    for i, (weight, bias) in enumerate(zip(classifier.weights, classifier.biases, strict=True)):
        x = (np.maximum(x, 0) if i else x) @ np.asarray(weight, np.float64) + np.asarray(bias, np.float64)
    exact = x - np.log(np.sum(np.exp(x), axis=1, keepdims=True))
    found = jax.jit(lambda classifier, images: classifier(images))(classifier, images)
    np.testing.assert_allclose(found, exact, atol=1e-4)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, rtol=1e-5)
    together = jax.vmap(classifier)(images.reshape(5, 10, *classifier.image_shape))
    np.testing.assert_allclose(together.reshape(50, 10), found, atol=1e-4)


@pytest.mark.parametrize("name", classifiers.CLASSIFIERS)
def test_classes_survive_values_between_the_grey_levels(name):
    classifier = classifiers.CLASSIFIERS[name]()
    _, held_out = classifiers.split(SOURCES[name]())
    images, labels = images_of(held_out), np.asarray(held_out.labels)
    noisy = images + 0.1 * np.random.default_rng(0).normal(size=images.shape).astype(np.float32)
    right = lambda images: np.mean(np.argmax(classifier(images), axis=1) == labels)  # noqa: E731
    assert right(noisy) > right(images) - 0.02
    np.testing.assert_array_equal(classifier(np.float32(3) * images), classifier(np.clip(3 * images, -1, 1)))


@pytest.mark.parametrize("name", classifiers.CLASSIFIERS)
def test_it_is_sure_of_real_digits_and_of_nothing_else(name):
    classifier = classifiers.CLASSIFIERS[name]()
    _, held_out = classifiers.split(SOURCES[name]())
    images, rng = images_of(held_out), np.random.default_rng(0)
    sure = lambda images: float(np.mean(np.max(np.asarray(classifier(images)), axis=1) > np.log(0.9)))  # noqa: E731
    assert sure(images) > 0.85
    shuffled = rng.permuted(images.reshape(len(images), -1), axis=1).reshape(images.shape)
    for nothing in (shuffled, rng.normal(size=images.shape).astype(np.float32), rng.uniform(-1, 1, images.shape)):
        assert sure(np.float32(nothing)) < 0.02
    other = np.roll(images, 1, axis=0)[np.asarray(held_out.labels) != np.roll(held_out.labels, 1)]
    here = images[np.asarray(held_out.labels) != np.roll(held_out.labels, 1)]
    assert sure((here + other) / 2) < 0.5  # half one digit and half another


@pytest.mark.once
def test_a_short_training_reads_digits_and_repeats():
    training, held_out = classifiers.split(data.digits())
    fitted = classifiers.fit(training, steps=300)
    assert classifiers.accuracy(fitted, held_out) > 0.9
    again = classifiers.fit(training, steps=300)
    for one, other in zip(jax.tree.leaves(fitted), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(one, other)
    different = classifiers.fit(training, steps=300, seed=1)
    assert np.any(np.asarray(different.weights[0]) != np.asarray(fitted.weights[0]))


def test_the_command_prints_the_accuracy_and_writes_what_load_reads(tmp_path, capsys):
    path = tmp_path / "weights.npz"
    command.main(["digits", "--steps", "300", "--save", str(path)])
    out = capsys.readouterr().out
    (sha256,) = re.findall(r"SHA-256 ([0-9a-f]{64})", out)
    (right,) = re.findall(r"(\d+) of 355 held-out images right", out)
    classifier = classifiers.load(path, sha256=sha256)
    assert classifiers.accuracy(classifier, classifiers.split(data.digits())[1]) == int(right) / 355


def test_the_shipped_files_are_small_and_hold_what_was_saved(tmp_path):
    folder = command.Path(files.__file__).parent
    assert {path.name for path in folder.glob("*.npz")} == {shipped.file for shipped in classifiers.SHIPPED.values()}
    assert sum(path.stat().st_size for path in folder.glob("*.npz")) < 100_000
    for name in classifiers.SHIPPED:
        shipped, path = classifiers.CLASSIFIERS[name](), tmp_path / f"{name}.npz"
        again = classifiers.load(path, sha256=files.save(shipped, path), name=name)
        for one, other in zip(jax.tree.leaves(shipped), jax.tree.leaves(again), strict=True):
            np.testing.assert_array_equal(one, other)
        assert jax.tree.structure(shipped) == jax.tree.structure(again)


def test_a_file_of_weights_that_is_not_the_published_one_is_refused(tmp_path):
    path = tmp_path / "digits.npz"
    content = (command.Path(files.__file__).parent / "digits.npz").read_bytes()
    sha256 = classifiers.SHIPPED["digits"].sha256
    path.write_bytes(content[:-1] + b"x")
    with pytest.raises(ValueError, match=rf"digits.npz is not the file.*{sha256} was expected; install gan_jax anew"):
        classifiers.load(path, sha256=sha256)
    path.write_bytes(b"spoilt")
    with pytest.raises(ValueError, match="holds no classifier"):
        classifiers.load(path)
    np.savez(path, something=np.zeros(3))
    with pytest.raises(ValueError, match="holds no classifier"):
        classifiers.load(path)
    middle = len(content) // 2
    damaged = {
        "flipped": content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :],
        "cut off": content[:middle],
        "begun": content[:3],
    }
    for spoilt in damaged.values():
        path.write_bytes(spoilt)
        with pytest.raises(ValueError, match=r"digits.npz holds no classifier \(.*write one"):
            classifiers.load(path)
    layers = {"weight_0": np.zeros((64, 10)), "bias_0": np.zeros(10), "image_shape_and_pool": np.array([8, 8, 1])}
    np.savez(path, **layers)
    assert classifiers.load(path).image_shape == (8, 8)
    for change in ({"weight_0": np.zeros((65, 10))}, {"bias_0": np.zeros(9)}, {"image_shape_and_pool": [8, 8, 2]}):
        np.savez(path, **layers | change)
        with pytest.raises(ValueError, match=r"holds no classifier .*weights of shapes"):
            classifiers.load(path)
    with pytest.raises(FileNotFoundError, match="install gan_jax anew"):
        classifiers.load(tmp_path / "nowhere.npz")


def test_images_of_another_shape_are_refused_with_the_remedy(as_users_see_it):
    for wrong in (np.zeros((3, 64)), np.zeros((3, 8, 8, 3)), np.zeros((8, 8))):
        with pytest.raises(ValueError, match=r"reads images of shape \(n, 8, 8\).*reshape flat samples"):
            classifiers.digits()(wrong)
    with pytest.raises(ValueError, match="sides are multiples of pool = 3"):
        classifiers.fit(data.digits(), pool=3)
    with pytest.raises(ValueError, match="pool must be a whole number"):
        classifiers.fit(data.digits(), pool=0)
    with pytest.raises(TypeError, match=r"expected a data set such as data.digits"):
        classifiers.fit(data.ring(8))
    few = data.dataset(np.zeros((5, 8, 8), np.uint8), np.arange(5) + 6)
    with pytest.raises(ValueError, match="the labels go from 6 to 10"):
        classifiers.fit(few)
    with pytest.raises(ValueError, match="no class of images has 5 images"):
        classifiers.split(few)
    with pytest.raises(KeyError, match="did you mean 'digits'"):
        classifiers.CLASSIFIERS["digit"]


def test_the_first_use_inside_a_compiled_function_leaves_no_tracer_behind():
    files._shipped.cache_clear()
    jax.jit(lambda images: classifiers.digits()(images))(jnp.zeros((2, 8, 8)))
    assert classifiers.digits()(jnp.zeros((2, 8, 8))).shape == (2, 10)
    assert dataclasses.is_dataclass(classifiers.digits())
