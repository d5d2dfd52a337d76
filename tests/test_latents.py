"""Paths keep their laws, truncated latents theirs, and a direction is the score's mean gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.linalg import expm

from gan_jax import latents
from gan_jax.errors import UnknownName

TIMES = np.linspace(0, 1, 7)


def pair(dim=6, norms=(1.0, 1.0), seed=0):
    ends = np.random.default_rng(seed).normal(size=(2, dim))
    return (ends / np.linalg.norm(ends, axis=1, keepdims=True) * np.array(norms)[:, None]).astype(np.float32)


@pytest.mark.parametrize("kind", latents.PATHS)
@pytest.mark.parametrize("norms", [(1.0, 1.0), (2.0, 5.0)])
def test_a_path_begins_and_ends_where_it_is_told(kind, norms):
    start, end = pair(norms=norms)
    path = latents.interpolate(start, end, TIMES, kind=kind)
    assert path.shape == (7, 6)
    assert np.allclose(path[0], start, atol=1e-5)
    assert np.allclose(path[-1], end, atol=1e-5)
    back = latents.interpolate(end, start, 1 - TIMES, kind=kind)
    assert np.allclose(back, path, atol=1e-5)


@pytest.mark.parametrize("kind", latents.PATHS)
def test_many_pairs_at_once_are_each_pair_by_itself(kind):
    start, end = np.random.default_rng(1).normal(size=(2, 4, 3, 5)).astype(np.float32)
    together = latents.interpolate(start, end, TIMES, kind=kind)
    assert together.shape == (7, 4, 3, 5)
    alone = latents.interpolate(start[2, 1], end[2, 1], TIMES, kind=kind)
    assert np.allclose(together[:, 2, 1], alone, atol=1e-6)
    assert np.allclose(latents.interpolate(start, end, 0.25, kind=kind).shape, (4, 3, 5))


def test_the_spherical_path_is_a_rotation():
    start, end = pair(norms=(3.0, 3.0))
    unit = start / 3
    across = end / 3 - (end / 3 @ unit) * unit
    across /= np.linalg.norm(across)
    plane = np.outer(across, unit) - np.outer(unit, across)
    angle = np.arccos(unit @ end / 3)
    turned = np.stack([expm(t * angle * plane) @ start for t in TIMES])
    assert np.allclose(latents.interpolate(start, end, TIMES), turned, atol=1e-5)


def test_ends_without_an_arc_between_them_are_joined_by_the_straight_path():
    start, _ = pair()
    for end in (2 * start, -start, start):
        found = latents.interpolate(start, end, TIMES)
        assert np.allclose(found, latents.interpolate(start, end, TIMES, kind="straight"), atol=1e-5)
    gradient = jax.grad(lambda z: jnp.sum(latents.interpolate(z, 2 * z, 0.3)))(jnp.asarray(start))
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("dim", [1, 2, 30, 500])
def test_norms_follow_the_chi_law(dim):
    assert latents.expected_norm(dim) == pytest.approx(stats.chi(dim).mean(), rel=1e-9)
    assert np.allclose(latents.straight_norm(dim, TIMES), [stats.chi(dim, scale=np.hypot(1 - t, t)).mean()
                                                         for t in TIMES])  # fmt: skip


def test_the_straight_midpoint_leaves_the_shell_and_the_spherical_one_stays():
    start, end = jax.random.normal(jax.random.key(0), (2, 4000, 100))
    norm = {kind: float(jnp.mean(jnp.linalg.norm(latents.interpolate(start, end, 0.5, kind=kind), axis=1)))
            for kind in latents.PATHS}  # fmt: skip
    assert norm["straight"] == pytest.approx(float(latents.straight_norm(100, 0.5)), rel=2e-3)
    assert norm["straight"] == pytest.approx(np.sqrt(50), rel=5e-3)
    assert norm["spherical"] == pytest.approx(latents.expected_norm(100), rel=1e-2)


@pytest.mark.parametrize("threshold", [1e-3, 0.02, 0.5, 1.0, 2.0, 6.0])
def test_a_truncated_latent_follows_scipys_law(threshold):
    law = stats.truncnorm(-threshold, threshold)
    assert latents.truncated_variance(threshold) == pytest.approx(law.var(), rel=1e-3)
    drawn = np.asarray(latents.truncated(jax.random.key(1), 500, 40, threshold)).ravel()
    assert abs(drawn).max() <= np.float32(threshold)
    assert stats.kstest(drawn, law.cdf).pvalue > 1e-3


def test_no_truncation_is_the_normal_distribution():
    drawn = latents.truncated(jax.random.key(2), 3, 4, np.inf)
    assert np.array_equal(drawn, jax.random.normal(jax.random.key(2), (3, 4)))
    assert latents.truncated_variance(np.inf) == 1
    assert latents.truncated_variance(12) == pytest.approx(1)


def test_a_direction_is_the_scores_mean_gradient():
    score = lambda z: jnp.tanh(z @ jnp.arange(1.0, 5.0) / 4) + 0.3 * z[0] ** 2  # noqa: E731
    z = jax.random.normal(jax.random.key(3), (40_000, 4))
    gradient = jnp.mean(jax.vmap(jax.grad(score))(z), axis=0)
    found = latents.direction(z, jax.vmap(score)(z))
    assert float(jnp.linalg.norm(found)) == pytest.approx(1, abs=1e-5)
    assert float(found @ gradient / jnp.linalg.norm(gradient)) > 0.998


def test_a_direction_of_yes_and_no_is_the_difference_of_means():
    z = np.random.default_rng(4).normal(size=(300, 5))
    has = z[:, 1] + z[:, 2] > 1
    means = z[has].mean(axis=0) - z[~has].mean(axis=0)
    assert np.allclose(latents.direction(z, has), means / np.linalg.norm(means), atol=1e-5)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: latents.interpolate(np.zeros(3), np.zeros(4), 0.5), r"\(3,\), \(4,\)"),
        (lambda: latents.interpolate(np.zeros(3), np.zeros(3), np.zeros((2, 2))), r"t of shape \(2, 2\)"),
        (lambda: latents.truncated(jax.random.key(0), 2, 2, 0.0), "threshold must be a positive number"),
        (lambda: latents.truncated_variance(np.nan), "threshold must be a positive number"),
        (lambda: latents.truncated(jax.random.key(0), 0, 2, 1.0), "n must be a whole number"),
        (lambda: latents.expected_norm(0), "dim must be a whole number"),
        (lambda: latents.direction(np.zeros((3, 2)), np.zeros(4)), r"\(3, 2\) and \(4,\)"),
        (lambda: latents.direction(np.ones((3, 2)), np.ones(3)), "the same for all samples"),
    ],
)
def test_what_does_not_fit_is_named(call, says, as_users_see_it):
    with pytest.raises(ValueError, match=says):
        call()


def test_an_unknown_path_is_answered_with_the_known_ones():
    with pytest.raises(UnknownName, match="did you mean 'spherical'"):
        latents.interpolate(np.zeros(2), np.ones(2), 0.5, kind="sperical")
