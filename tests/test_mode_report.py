"""The mode report on clouds whose fault is known, and its thresholds against exact and simulated probabilities."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from gan_jax import data, metrics
from gan_jax.metrics import report

pytestmark = pytest.mark.once

KEY = jax.random.key(3)
RING, DIGITS = data.ring(8), data.stacked_digits()


def of_modes(target, shares, n=2500, key=KEY):
    """n samples of a mixture with other weights; None for its own."""
    weights = target.weights if shares is None else np.asarray(shares)
    return _draw(data.mixture(np.asarray(target.means), np.asarray(target.scales), weights), key, n)


_draw = jax.jit(lambda target, key, n: target.sample(key, n), static_argnums=2)


CASES = {  # samples of the ring of 8, the verdict, the modes that are missing
    "perfect": (lambda: of_modes(RING, None), "balanced", ()),
    "two lost": (lambda: of_modes(RING, [1, 1, 0, 1, 1, 1, 0, 1]), "partial collapse", (2, 6)),
    "two left": (lambda: of_modes(RING, [0, 0, 1, 0, 0, 0, 1, 0]), "partial collapse", (0, 1, 3, 4, 5, 7)),
    "one left": (lambda: of_modes(RING, np.eye(8)[5]), "total collapse", (0, 1, 2, 3, 4, 6, 7)),
    "and a stray": (
        lambda: of_modes(RING, np.eye(8)[5]).at[0].set(RING.means[0]), "total collapse", (1, 2, 3, 4, 6, 7)
    ),
    "uneven": (lambda: of_modes(RING, [3, 1, 1, 1, 1, 1, 1, 1]), "uneven", ()),
    "noise": (lambda: jax.random.normal(KEY, (2500, 2)), "everything of low quality", ()),
    "the centre": (lambda: jnp.full((2500, 2), 0.001), "everything of low quality", tuple(range(8))),
    "too few to tell": (lambda: of_modes(RING, None, n=30)[:10], "balanced", None),
    "half noise": (
        lambda: of_modes(RING, None).at[:1250].set(3 * jax.random.normal(KEY, (1250, 2))), "balanced", ()
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_verdict_on_clouds_whose_fault_is_known(name):
    make, verdict, missing = CASES[name]
    samples = make()
    found = metrics.mode_report(samples, RING)
    assert found.verdict == verdict
    assert missing is None or found.missing == missing
    # the counts of the report are those of the scores
    assert 8 - len(found.missing) == int(metrics.modes_covered(samples, RING))
    assert found.quality == pytest.approx(float(metrics.high_quality_share(samples, RING)))
    assert found.counts.sum() == found.n == len(samples)
    np.testing.assert_allclose(found.shares, metrics.mode_shares(samples, RING), atol=1e-6)


def test_the_cases_show_every_verdict():
    assert {verdict for _, verdict, _ in CASES.values()} == set(metrics.VERDICTS)


@pytest.mark.parametrize(
    "target",
    [RING, data.gaussian((0.0, 0.0)), data.mixture([0.0, 9.0], weights=[0.99, 0.01])],
    ids=["ring", "one", "two"],
)
def test_a_perfect_generator_is_called_balanced_whatever_the_number_of_samples(target):
    samples = jax.jit(lambda target, key: target.sample(key, 30_000))(target, KEY)
    for n, draw in itertools.product((1, 30, 2500), range(8)):
        assert metrics.mode_report(samples[draw * n : (draw + 1) * n], target).verdict == "balanced", (n, draw)


def test_a_few_samples_in_one_mode_are_no_collapse_until_chance_puts_them_there_once_in_1000_times():
    for n in range(1, 7):
        by_chance = 8 * (0.98889 / 8) ** n  # whichever of the eight modes it is
        found = metrics.mode_report(np.repeat(np.asarray(RING.means)[:1], n, axis=0), RING)
        assert (found.verdict == "total collapse") == (by_chance < 0.001), n
    stacked = data.stacked_digits()
    for key in jax.random.split(KEY, 4):  # a single triple is all of its class, whatever the generator
        assert metrics.mode_report(stacked.sample(key, 1), stacked).verdict == "balanced"


def test_one_bad_sample_is_no_evidence_and_a_few_are():
    bad = np.full((4, 2), 0.3, np.float32)  # a perfect sample is of low quality once in 90 times
    assert metrics.mode_report(bad[:1], RING).verdict == "balanced"
    assert metrics.mode_report(bad[:2], RING).verdict == "everything of low quality"


def test_counts_and_quality_of_each_mode_by_hand():
    target = data.mixture([(0.0, 0.0), (10.0, 0.0), (0.0, 10.0)], [0.1, 1.0, 1.0], weights=[0.2, 0.3, 0.5])
    samples = np.array([[0.0, 0.2], [0.0, 0.4], [10.0, 2.9], [10.0, 3.1], [10.0, 0.0], [9.0, 0.0]], np.float32)
    found = metrics.mode_report(samples, target)
    assert found.counts.tolist() == [2, 4, 0]
    assert found.high_quality.tolist() == [1, 3, 0]
    np.testing.assert_array_equal(found.quality_by_mode, [0.5, 0.75, np.nan])
    np.testing.assert_allclose(found.expected, [0.2, 0.3, 0.5], rtol=1e-6)
    assert found.perfect_quality == pytest.approx(1 - math.exp(-4.5))
    assert found.places.tolist() == target.means.tolist()
    assert found.missing == (2,)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_perfect_quality_is_the_probability_of_three_sigma_in_d_dimensions(d):
    found = metrics.mode_report(np.zeros((3, d), np.float32), data.gaussian(np.zeros(d)))
    assert found.perfect_quality == pytest.approx(scipy.stats.chi2.cdf(9, d))


@pytest.mark.parametrize(("k", "n"), [(8, 20), (8, 40), (25, 100), (25, 60)])
def test_how_many_modes_a_perfect_generator_may_miss_against_simulation(k, n):
    hit = np.full(k, 0.98889 / k)
    counts = np.random.default_rng(0).multinomial(n, [*hit, 1 - hit.sum()], size=200_000)[:, :k]
    missed = (counts == 0).sum(axis=1)
    allowed = report._most_missing(hit, n)
    assert np.mean(missed > allowed) < report.CHANCE  # rarer than it says, never more often
    assert np.mean(missed > allowed - 3) > report.CHANCE  # and not much laxer than it need be


def test_how_many_may_be_missed_by_the_exact_sum_of_unequal_chances():
    hit, n = np.array([0.5, 0.3, 0.01, 0.004]), 200
    chance = (1 - hit) ** n
    exactly = np.zeros(5)
    for missed in itertools.product([0, 1], repeat=4):
        exactly[sum(missed)] += np.prod(np.where(missed, chance, 1 - chance))
    more = [exactly[m + 1 :].sum() for m in range(5)]
    assert report._most_missing(hit, n) == next(m for m in range(5) if more[m] < 0.001) == 2


def test_a_rare_mode_may_be_missed_and_a_common_one_not():
    target = data.mixture([0.0, 9.0], 0.1, weights=[0.999, 0.001])
    assert metrics.mode_report(np.zeros((100, 1), np.float32), target).verdict == "balanced"
    found = metrics.mode_report(np.full((100, 1), 9.0, np.float32), target)
    assert found.may_miss == 1  # but not this one
    assert found.verdict == "total collapse"
    three = data.mixture([0.0, 9.0, 18.0], 0.1, weights=[0.5, 0.499, 0.001])
    half = np.repeat(np.float32([[9.0], [18.0]]), 50, axis=0)
    assert metrics.mode_report(half, three).verdict == "partial collapse"


def test_too_few_and_too_many_are_the_tails_of_the_binomial_distribution():
    n, limits = 2500, scipy.stats.binom(2500, 1 / 8)
    low, high = (int(limits.ppf(tail)) for tail in (0.001 / 16, 1 - 0.001 / 16))
    assert limits.cdf(low - 1) < 0.001 / 16 <= limits.cdf(low)
    for first, few, many in [(low - 1, (0,), ()), (low, (), ()), (high, (), ()), (high + 1, (), (0,))]:
        rest, extra = divmod(n - first, 7)
        counts = [first, *(rest + (i < extra) for i in range(7))]
        found = metrics.mode_report(np.repeat(np.asarray(RING.means), counts, axis=0), RING)
        assert (found.too_few, found.too_many) == (few, many)
        assert found.verdict == ("uneven" if few or many else "balanced")


# ---- stacked digits ----


def test_the_report_on_stacked_digits():
    samples = DIGITS.sample(KEY, 2500)
    found = metrics.mode_report(samples, DIGITS)
    assert found.verdict == "balanced"
    assert 1000 - len(found.missing) == int(metrics.classes_reached(samples, DIGITS))
    assert found.quality == pytest.approx(float(metrics.confident_share(samples, DIGITS)))
    assert found.perfect_quality == pytest.approx(found.quality, abs=4 * math.sqrt(0.01 / 2500))
    assert found.expected.sum() == pytest.approx(1)
    np.testing.assert_array_equal(found.counts, np.bincount(metrics.classes_of(samples, DIGITS), minlength=1000))
    classes = np.asarray(metrics.classes_of(samples, DIGITS))
    by_hand = [np.bincount(classes // place % 10, minlength=10) for place in (100, 10, 1)]
    np.testing.assert_array_equal(found.digits, by_hand)
    assert found.names[7] == "007"
    # 250 different samples ten times over: any perfect generator reaches far more classes
    assert metrics.mode_report(jnp.tile(samples[:250], (10, 1)), DIGITS).verdict == "partial collapse"
    sure = samples[np.asarray(found.counts)[classes] == found.counts.max()]
    assert metrics.mode_report(jnp.tile(sure[:1], (500, 1)), DIGITS).verdict in metrics.VERDICTS[:2]
    noise = jax.random.normal(KEY, (500, 8, 8, 3))
    assert metrics.mode_report(noise, DIGITS).verdict == "everything of low quality"


# ---- shares over time ----


def test_shares_over_time_show_which_mode_holds_the_samples():
    held = [3, 3, 0, 7]
    frames = jnp.stack([of_modes(RING, np.eye(8)[mode], n=100) for mode in held])
    shares = metrics.mode_shares(frames, RING)
    assert shares.shape == (4, 8)
    np.testing.assert_array_equal(np.argmax(shares, axis=1), held)
    np.testing.assert_allclose(shares, np.eye(8)[held], atol=1e-6)
    together = jax.vmap(lambda samples: metrics.mode_shares(samples, RING))(frames)
    np.testing.assert_allclose(together, shares, atol=1e-6)
    deeper = metrics.mode_shares(frames.reshape(2, 2, 100, 2), RING)
    np.testing.assert_allclose(deeper.reshape(4, 8), shares, atol=1e-6)


def test_shares_of_high_quality_samples_sum_to_their_share():
    samples = jnp.stack([of_modes(RING, None, n=500), 0.5 * jax.random.normal(KEY, (500, 2))])
    shares = metrics.mode_shares(samples, RING, high_quality=True)
    quality = [metrics.high_quality_share(frame, RING) for frame in samples]
    np.testing.assert_allclose(shares.sum(axis=1), quality, atol=1e-6)
    np.testing.assert_allclose(metrics.mode_shares(samples, RING).sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("shape", [(192,), (8, 8, 3)])
def test_shares_of_stacked_digits(shape):
    samples = DIGITS.sample(KEY, 60).reshape(3, 20, *shape)
    shares = metrics.mode_shares(samples, DIGITS)
    assert shares.shape == (3, 1000)
    for row, frame in zip(shares, samples, strict=True):
        np.testing.assert_allclose(20 * row, np.bincount(metrics.classes_of(frame, DIGITS), minlength=1000), atol=1e-5)


def test_a_frame_that_has_diverged_is_told_apart_from_its_neighbours():
    frames = jnp.stack([of_modes(RING, None, n=50), jnp.full((50, 2), jnp.nan)])
    shares = metrics.mode_shares(frames, RING)
    assert np.isfinite(shares[0]).all()
    assert np.isnan(shares[1]).all()


# ---- what one sees, and errors ----


def test_the_report_shows_itself_as_a_table():
    found = metrics.mode_report(CASES["two lost"][0](), RING)
    lines = repr(found).splitlines()
    assert lines[0].startswith("partial collapse: 2 of 8 modes missing (2, 6)")
    assert "2500 samples, 6 of 8 modes (a perfect generator: all)" in lines[1]
    assert len(lines) == 2 + 1 + 8
    assert lines[2 + 1 + 2].split() == ["2", "(0,", "1)", "0", "0.0%", "12.5%", "-", "missing"]
    assert max(map(len, lines)) <= 120
    page = found._repr_html_()
    assert page.count("<tr>") == 1 + 8
    assert "<b>partial collapse</b>: 2 of 8" in page
    many = data.grid(9)
    lines = repr(metrics.mode_report(_draw(many, KEY, 5000), many)).splitlines()
    assert lines[-1].split("  ")[-1].strip() == "56 more modes"
    assert len(lines) == 2 + 1 + 25 + 1
    assert len(repr(metrics.mode_report(DIGITS.sample(KEY, 2500), DIGITS)).splitlines()) == 2 + 1 + 3


def test_bad_arguments_name_the_remedy(as_users_see_it):
    good = np.zeros((4, 2), np.float32)
    for ask in (metrics.mode_report, metrics.mode_shares):
        with pytest.raises(TypeError, match=r"Curve has no modes to report on; take a mixture"):
            ask(good, data.spiral())
        with pytest.raises(TypeError, match="str has no modes"):
            ask(good, "ring")
    with pytest.raises(ValueError, match=r"samples must be of shape \(n, 2\)"):
        metrics.mode_report(good[:, :1], RING)
    with pytest.raises(ValueError, match="4 of 4 samples are NaN"):
        metrics.mode_report(good * np.nan, RING)
    for wrong in (good[0], good[:, :1], np.zeros((0, 2), np.float32)):
        with pytest.raises(ValueError, match=r"samples must be of shape \(..., n, 2\)"):
            metrics.mode_shares(wrong, RING)
