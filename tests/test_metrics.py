"""metrics against hand-made clouds, closed forms, and what a perfect sampler must score."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import data, metrics, theory
from gan_jax.metrics import distances

KEYS = jax.random.split(jax.random.key(7), 20)
OF_POINTS = [name for name in metrics.METRICS if name not in metrics.NEED_CLASSES]
FAST = [name for name in OF_POINTS if name != "W2"]


# ---- modes ----


def cloud(target, counts, offset=0.0):
    """counts[k] copies of mode k's mean, moved by `offset` of its standard deviations."""
    points = np.repeat(np.asarray(target.means), counts, axis=0)
    return points + np.float32(offset) * np.repeat(np.asarray(target.scales), counts)[:, None] * np.float32([1, 0])


@pytest.mark.parametrize(
    ("counts", "offset", "modes", "share"),
    [
        ([1, 1, 1, 1, 1, 1, 1, 1], 0.0, 8, 1.0),
        ([5, 0, 0, 0, 0, 0, 0, 0], 0.0, 1, 1.0),
        ([3, 0, 2, 0, 0, 0, 0, 1], 2.9, 3, 1.0),
        ([3, 0, 2, 0, 0, 0, 0, 1], 3.1, 0, 0.0),  # nearest to three modes, and beyond 3 sigma of each
    ],
)
def test_modes_and_quality_of_hand_made_clouds(ring, counts, offset, modes, share):
    samples = cloud(ring, counts, offset)
    assert int(metrics.modes_covered(samples, ring)) == modes
    assert float(metrics.high_quality_share(samples, ring)) == share


def test_each_mode_has_its_own_sigma():
    target = data.mixture([(0.0, 0.0), (10.0, 0.0)], scales=[0.1, 1.0])
    samples = np.array([[0.0, 2.0], [10.0, 2.0]])  # 20 sigma from the first, 2 sigma from the second
    assert int(metrics.modes_covered(samples, target)) == 1
    assert float(metrics.high_quality_share(samples, target)) == 0.5


def test_quality_keeps_its_digits_far_from_the_origin():
    # 1,000 units out, 3 sigma = 0.3: x.x - 2 x.m + m.m in float32 would be off by 0.06 and more
    target = data.mixture([(1000.0, 1000.0), (-1000.0, 0.0)], scales=0.1)
    samples = cloud(target, [2, 2], 2.9)
    assert float(metrics.high_quality_share(samples, target)) == 1.0
    assert float(metrics.high_quality_share(cloud(target, [2, 2], 3.2), target)) == 0.0


def test_reverse_kl_of_hand_made_counts(ring):
    counts = [4, 3, 0, 0, 1, 0, 0, 0]
    share = np.array([4, 3, 1]) / 8
    exact = np.sum(share * np.log(share * 8))
    assert float(metrics.reverse_kl(cloud(ring, counts), ring)) == pytest.approx(exact, rel=1e-5)
    # bad samples count for the mode that they are nearest to
    assert float(metrics.reverse_kl(cloud(ring, counts, 4.0), ring)) == pytest.approx(exact, rel=1e-5)


def test_reverse_kl_is_against_the_mixtures_own_weights():
    target = data.mixture([(0.0, 0.0), (5.0, 0.0)], 0.1, weights=[0.75, 0.25])
    assert float(metrics.reverse_kl(cloud(target, [3, 1]), target)) == pytest.approx(0, abs=1e-6)
    assert float(metrics.reverse_kl(cloud(target, [1, 1]), target)) == pytest.approx(0.5 * math.log(4 / 3), rel=1e-5)
    impossible = data.mixture([(0.0, 0.0), (5.0, 0.0)], 0.1, weights=[1.0, 0.0])
    assert float(metrics.reverse_kl(cloud(impossible, [1, 1]), impossible)) == math.inf


@pytest.mark.parametrize("target", [data.ring(8), data.grid()], ids=["ring", "grid"])
def test_a_perfect_sampler_scores_as_theory_says(target):
    n, seeds, k = 2500, 40, len(target.scales)
    quality = metrics.perfect(metrics.high_quality_share, target, n, seeds=seeds)
    share = 1 - math.exp(-4.5)
    spread = math.sqrt(share * (1 - share) / n)
    assert quality.mean == pytest.approx(0.98889, abs=4 * spread / math.sqrt(seeds))
    assert 0.6 * spread < quality.std < 1.5 * spread
    balance = metrics.perfect(metrics.reverse_kl, target, n, seeds=seeds)
    spread = math.sqrt(2 * (k - 1)) / (2 * n)  # 2 n KL is nearly chi2 with k - 1 degrees of freedom
    assert balance.mean == pytest.approx((k - 1) / (2 * n), abs=4 * spread / math.sqrt(seeds))
    assert metrics.perfect(metrics.modes_covered, target, n, seeds=3) == (k, 0)


# ---- distances ----


def test_exact_w2_of_the_reference_itself_and_of_its_shift(ring):
    key = jax.random.key(3)
    real = distances._reference(ring, 300, key)[0]
    assert metrics.wasserstein2(real[::-1], ring, key=key) == pytest.approx(0, abs=1e-6)
    assert metrics.wasserstein2(real + jnp.array([[0.3, 0.4]]), ring, key=key) == pytest.approx(0.5, rel=1e-5)


def test_sliced_w2_of_a_shift(ring):
    key, shift = jax.random.key(3), 0.5
    moved = distances._reference(ring, 500, key)[0] + jnp.array([[shift, 0.0]])
    # E (u.s)^2 = |s|^2 / d over directions u; 2,048 of them leave an error of about 1 %
    found = float(metrics.sliced_wasserstein2(moved, ring, key=key, directions=2048))
    assert found == pytest.approx(shift / math.sqrt(2), rel=0.05)


def test_sliced_w2_in_one_dimension_is_w2():
    target, key = data.mixture([-1.0, 1.0], 0.3), jax.random.key(1)
    samples = np.random.default_rng(0).normal(size=(200, 1)).astype(np.float32)
    exact = metrics.wasserstein2(samples, target, key=key)
    assert float(metrics.sliced_wasserstein2(samples, target, key=key, directions=3)) == pytest.approx(exact, rel=1e-4)


@pytest.mark.parametrize("name", ["ring", "two moons", "checkerboard"])
def test_sliced_is_at_most_exact(name):
    target, key = data.TARGETS[name](), jax.random.key(5)
    for samples in (target.sample(jax.random.key(6), 150), 0.3 * jax.random.normal(jax.random.key(7), (150, 2))):
        sliced = float(metrics.sliced_wasserstein2(samples, target, key=key))
        assert 0 < sliced <= metrics.wasserstein2(samples, target, key=key)


def test_the_fixed_reference_is_nobodys_sample(ring):
    for samples in (ring.sample(jax.random.key(0), 200), ring.sample(KEYS[0], 200)):
        assert metrics.wasserstein2(samples, ring) > 0.01


# ---- MMD ----


def test_mmd_against_its_definition():
    target, key, b = data.two_moons(), jax.random.key(2), 0.7
    x = np.asarray(0.5 * jax.random.normal(jax.random.key(1), (40, 2)), np.float64)
    y = np.asarray(distances._reference(target, 40, key)[0], np.float64)

    def mean(a, c, itself):
        terms = [
            math.exp(-np.sum((a[i] - c[j]) ** 2) / (2 * b**2)) for i in range(40) for j in range(40) if itself or i != j
        ]
        return sum(terms) / len(terms)

    exact = mean(x, x, False) - 2 * mean(x, y, True) + mean(y, y, False)
    assert float(metrics.mmd(np.float32(x), target, bandwidth=b, key=key)) == pytest.approx(exact, abs=1e-5)


def test_mmd_is_unbiased_when_nothing_differs(ring):
    draws = np.array([float(metrics.mmd(ring.sample(k, 200), ring, key=jax.random.fold_in(k, 1))) for k in KEYS])
    assert abs(draws.mean()) < 4 * draws.std() / math.sqrt(len(draws))
    assert (draws < 0).any()  # a biased estimate is never negative
    # leaving the diagonal in would add about 2 (1 - E k) / n; the draws tell that apart
    assert 4 * draws.std() / math.sqrt(len(draws)) < 2 * 0.3 / 200


def test_mmd_of_two_gaussians_is_the_closed_form():
    target = data.gaussian((0.0, 0.0), 1.0)
    exact = theory.gaussian_mmd(np.zeros(2), 1.0, np.array([1.0, 0.0]), 0.5, 0.8)
    draws = []
    for k in KEYS:
        samples = jnp.array([[1.0, 0.0]]) + 0.5 * jax.random.normal(k, (500, 2))
        draws.append(float(metrics.mmd(samples, target, bandwidth=0.8, key=jax.random.fold_in(k, 1))))
    assert abs(np.mean(draws) - exact) < 4 * np.std(draws) / math.sqrt(len(draws))
    assert 4 * np.std(draws) / math.sqrt(len(draws)) < 0.2 * exact  # so that the test can fail


def test_mmd_bandwidth_is_the_median_distance_of_real_samples(ring):
    key, samples = jax.random.key(9), 0.1 * jax.random.normal(jax.random.key(1), (300, 2))
    real = np.asarray(distances._reference(ring, 300, key)[0])
    i, j = np.triu_indices(200, 1)  # of the first 200
    median = float(np.median(np.linalg.norm(real[i] - real[j], axis=1)))
    found = float(metrics.mmd(samples, ring, key=key))
    assert found == pytest.approx(float(metrics.mmd(samples, ring, bandwidth=median, key=key)), rel=1e-4)
    assert found != pytest.approx(float(metrics.mmd(samples, ring, bandwidth=2 * median, key=key)), rel=1e-2)


# ---- every metric ----


@pytest.mark.parametrize("name", OF_POINTS)
def test_every_metric_prefers_the_target_to_a_collapsed_generator(name, ring):
    metric = metrics.METRICS[name]
    collapsed = ring.means[:1] + 0.08 * jax.random.normal(jax.random.key(0), (300, 2))
    score, best = float(metric(collapsed, ring)), metrics.perfect(metric, ring, 300, seeds=5)
    sign = 1 if name in ("modes covered", "high-quality share") else -1  # larger or smaller is better
    assert sign * (best.mean - score) > 5 * best.std


@pytest.mark.parametrize("name", FAST)
def test_every_compiled_metric_goes_under_vmap(name, ring):
    metric = metrics.METRICS[name]
    stack = jax.vmap(lambda key: ring.sample(key, 100))(KEYS[:3])
    together = jax.vmap(lambda samples: metric(samples, ring))(stack)
    assert together.shape == (3,)
    np.testing.assert_allclose(together, [metric(samples, ring) for samples in stack], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", OF_POINTS)
def test_every_metric_refuses_broken_samples(name, ring, as_users_see_it):
    metric, good = metrics.METRICS[name], np.zeros((4, 2), np.float32)
    broken = good.copy()
    broken[1, 0] = np.nan
    with pytest.raises(ValueError, match=r"1 of 4 samples are NaN or infinite.*diverged"):
        metric(broken, ring)
    for wrong in (good[0], good[:, :1], good[:0], np.zeros((4, 2, 1), np.float32)):
        with pytest.raises(ValueError, match=r"samples must be of shape \(n, 2\)"):
            metric(wrong, ring)
    with pytest.raises(TypeError, match=r"such as data.ring\(8\), got 'ring'"):
        metric(good, "ring")


@pytest.mark.parametrize("name", metrics.NEED_MODES)
def test_a_target_without_modes_is_refused_with_a_remedy(name, as_users_see_it):
    with pytest.raises(TypeError, match=r"Curve has no modes to count; take a mixture.*sliced_wasserstein2"):
        metrics.METRICS[name](np.zeros((4, 2), np.float32), data.spiral())


def test_other_bad_arguments(ring, as_users_see_it):
    samples = np.zeros((4, 2), np.float32)
    with pytest.raises(TypeError, match=r"jax.random.key\(0\)"):
        metrics.mmd(samples, ring, key=0)
    with pytest.raises(ValueError, match="at least 2 samples"):
        metrics.mmd(samples[:1], ring)
    with pytest.raises(ValueError, match="bandwidth must be positive, got -1"):
        metrics.mmd(samples, ring, bandwidth=-1.0)
    with pytest.raises(ValueError, match="directions must be a whole number"):
        metrics.sliced_wasserstein2(samples, ring, directions=0)
    with pytest.raises(ValueError, match="seeds"):
        metrics.perfect(metrics.mmd, ring, 10, seeds=0)
    with pytest.raises(KeyError, match="did you mean 'MMD'"):
        metrics.scorecard(samples, ring, metrics=["MMDD"])
    with pytest.raises(TypeError, match=r"write \['MMD'\]"):
        metrics.scorecard(samples, ring, metrics="MMD")


def test_a_diverged_run_in_a_sweep_scores_nan_or_nothing(ring):
    stack = jnp.stack([ring.sample(KEYS[0], 50), jnp.full((50, 2), jnp.nan)])
    score = lambda name: jax.vmap(lambda samples: metrics.METRICS[name](samples, ring))(stack)  # noqa: E731
    assert int(score("modes covered")[1]) == 0
    assert float(score("high-quality share")[1]) == 0
    for name in ("reverse KL", "sliced W2", "MMD"):
        assert np.isfinite(score(name)[0])
        assert np.isnan(score(name)[1])


# ---- scorecard ----


def test_scorecard_holds_each_score_beside_the_perfect_one(ring):
    samples = ring.sample(jax.random.key(1), 200)
    card = metrics.scorecard(samples, ring, seeds=2)
    assert [row.metric for row in card] == FAST
    for row in card:
        assert row.score == float(metrics.METRICS[row.metric](samples, ring))
        assert row.perfect == metrics.perfect(metrics.METRICS[row.metric], ring, 200, seeds=2)
    lines = repr(card).splitlines()
    assert len(lines) == 1 + len(FAST)
    assert "200 samples" in lines[0]
    assert "perfect generator" in lines[0]
    assert "±" in lines[1]
    page = card._repr_html_()
    assert page.count("<tr>") == 1 + len(FAST)
    assert all(row.metric in page for row in card)


def test_scorecard_of_a_target_without_modes_leaves_the_mode_metrics_out():
    target = data.two_moons()
    card = metrics.scorecard(target.sample(jax.random.key(1), 50), target, seeds=2)
    assert [row.metric for row in card] == ["sliced W2", "MMD"]


def test_a_perfect_score_repeats_and_its_key_changes_it(ring):
    first = metrics.perfect(metrics.sliced_wasserstein2, ring, 50, seeds=2)
    assert first == metrics.perfect(metrics.sliced_wasserstein2, ring, 50, seeds=2)
    assert first != metrics.perfect(metrics.sliced_wasserstein2, ring, 50, seeds=2, key=jax.random.key(5))
    assert metrics.perfect(metrics.sliced_wasserstein2, ring, 50, seeds=1).std == 0
