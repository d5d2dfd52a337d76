"""Stacked digits against the data set that they are made of, and their scores against exact formulas."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from gan_jax import classifiers, data, metrics
from gan_jax.metrics import classes

pytestmark = pytest.mark.once

KEY = jax.random.key(0)
DIGITS = data.stacked_digits()


# ---- the target ----


@pytest.mark.parametrize("flat", [True, False])
def test_each_channel_is_a_real_digit_of_the_class_that_is_told(flat):
    target = data.stacked_digits(flat=flat)
    samples, true = target.sample_with_classes(KEY, 40)
    assert samples.shape == (40, *target.shape)
    assert samples.dtype == jnp.float32
    np.testing.assert_array_equal(samples, target.sample(KEY, 40))
    every = data.digits()
    pixels = np.asarray(every.images)[..., 0]
    for image, number in zip(np.asarray(samples).reshape(40, 8, 8, 3), np.asarray(true), strict=True):
        labels = []
        for channel in range(3):
            (same,) = np.flatnonzero((pixels == np.round((image[..., channel] + 1) * 8)).all(axis=(1, 2)))[:1]
            labels.append(int(every.labels[same]))
        assert number == 100 * labels[0] + 10 * labels[1] + labels[2]


def test_channels_are_independent_and_uniform_over_the_images():
    source = data.dataset(np.arange(10, dtype=np.uint8).reshape(10, 1, 1), np.arange(10), peak=9)
    _, true = data.stacked(source).sample_with_classes(KEY, 100_000)
    counts = np.bincount(np.asarray(true), minlength=1000)
    assert scipy.stats.chisquare(counts).pvalue > 0.001  # all 1,000 triples equally often: both at once


def test_a_stack_is_a_target_as_others_are(as_users_see_it):
    assert isinstance(DIGITS, data.Target)
    assert (DIGITS.shape, DIGITS.image_shape, DIGITS.name) == ((192,), (8, 8, 3), "stacked digits")
    draw = jax.jit(lambda target, key: target.sample(key, 5))
    np.testing.assert_allclose(draw(DIGITS, KEY), DIGITS.sample(KEY, 5), atol=1e-6)
    assert len(draw.lower(DIGITS, KEY).as_text()) < 30_000  # the 1,797 images are no constants of the program
    assert data.to_images(DIGITS.sample(KEY, 3), DIGITS).shape == (3, 8, 8, 3)
    assert float(jnp.abs(DIGITS.sample(KEY, 3000)).max()) == 1.0  # more than there are images, unlike a `Dataset`


def test_what_cannot_be_stacked_is_named_with_the_remedy(as_users_see_it):
    with pytest.raises(TypeError, match=r"such as data.digits\(\)"):
        data.stacked("digits")
    with pytest.raises(ValueError, match="those of images have 3; take grey images"):
        data.stacked(data.dataset(np.zeros((4, 2, 2, 3), np.uint8)))
    with pytest.raises(ValueError, match="the labels go from 0 to 11"):
        data.stacked(data.dataset(np.zeros((12, 2, 2), np.uint8), np.arange(12)))


# ---- its scores ----


def one_of_each_digit():
    """For each digit a real image that the classifier reads rightly and with confidence, shape (10, 8, 8)."""
    every = data.digits()
    images = 2 * np.asarray(every.images)[..., 0].astype(np.float32) / 16 - 1
    sure = np.asarray(classifiers.digits()(images))[np.arange(len(images)), np.asarray(every.labels)] > math.log(0.99)
    return np.stack([images[sure & (np.asarray(every.labels) == digit)][0] for digit in range(10)])


def samples_of(numbers):
    """Samples of the given classes, shape (n, 192)."""
    numbers = np.asarray(numbers)
    triples = np.stack([numbers // 100, numbers // 10 % 10, numbers % 10], axis=1)
    return np.moveaxis(one_of_each_digit()[triples], 1, -1).reshape(len(numbers), -1)


def test_scores_of_hand_made_triples():
    numbers = [0, 7, 7, 70, 700, 999, 123, 123]
    samples = samples_of(numbers)
    np.testing.assert_array_equal(metrics.classes_of(samples, DIGITS), numbers)
    assert int(metrics.classes_reached(samples, DIGITS)) == 6
    share = np.bincount(numbers)[[0, 7, 70, 700, 999, 123]] / 8
    exact = np.sum(share * np.log(1000 * share))
    assert float(metrics.class_kl(samples, DIGITS)) == pytest.approx(exact, rel=1e-5)
    assert float(metrics.confident_share(samples, DIGITS)) == 1.0
    samples = samples.reshape(8, 8, 8, 3).copy()
    samples[:2, :, :, 1] = np.random.default_rng(0).normal(size=(2, 8, 8))  # one channel of noise spoils a sample
    assert float(metrics.confident_share(samples, DIGITS)) == 0.75


def test_all_thousand_classes_once():
    samples = samples_of(np.arange(1000))
    assert int(metrics.classes_reached(samples, DIGITS)) == 1000
    assert float(metrics.class_kl(samples, DIGITS)) == pytest.approx(0, abs=1e-5)


def expected(shares_of_a_digit, n):
    """Exact mean number of classes and mean divergence from equal shares of n perfect triples, in float64.

    Each class holds Binomial(n, p) samples, so E sum_k q_k log(1000 q_k) = log 1000 + sum_k E (X/n) log (X/n).
    """
    p = np.einsum("i,j,k->ijk", *[np.asarray(shares_of_a_digit, np.float64)] * 3).ravel()
    counts = np.arange(1, int(n * p.max() + 20 * math.sqrt(n * p.max())) + 20)[:, None]
    terms = scipy.stats.binom.pmf(counts, n, p[None]) * (counts / n) * np.log(counts / n)
    return np.sum(1 - (1 - p) ** n), math.log(1000) + terms.sum()


MNIST = np.array([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]) / 60_000


def test_the_published_floors_are_those_of_mnists_own_unequal_shares():
    # a perfect generator of Stacked MNIST: 916 modes at n = 2,500, a divergence of 0.0237 at n = 26,000
    assert round(expected(MNIST, 2500)[0]) == 916
    assert expected(MNIST, 26_000)[1] == pytest.approx(0.0237, abs=2e-4)
    # equal shares have other floors: the difference is three times the divergence of the digits' shares
    assert round(expected(np.full(10, 0.1), 2500)[0]) == 918
    unequal = 3 * np.sum(MNIST * np.log(10 * MNIST))
    assert expected(MNIST, 26_000)[1] - expected(np.full(10, 0.1), 26_000)[1] == pytest.approx(unequal, abs=1e-4)


def shares_as_read():
    """Shares of the ten digits among the real images, as the classifier reads them."""
    images = 2 * np.asarray(DIGITS.source.images)[..., 0].astype(np.float32) / 16 - 1
    answers = np.argmax(np.asarray(classifiers.digits()(images)), axis=1)
    return np.bincount(answers, minlength=10) / len(answers)


@pytest.mark.parametrize(("n", "seeds"), [(2500, 20), (26_000, 3)])
def test_a_perfect_generator_scores_as_the_exact_formulas_say(n, seeds):
    reached, divergence = expected(shares_as_read(), n)
    found = metrics.perfect(metrics.classes_reached, DIGITS, n, seeds=seeds)
    assert found.mean == pytest.approx(reached, abs=4 * 8.0 / math.sqrt(seeds) if n == 2500 else 0.01)
    balance = metrics.perfect(metrics.class_kl, DIGITS, n, seeds=seeds)
    spread = math.sqrt(2 * 999) / (2 * n)  # 2 n KL is nearly chi2 with 999 degrees of freedom
    assert balance.mean == pytest.approx(divergence, abs=4 * spread / math.sqrt(seeds))
    assert divergence == pytest.approx(999 / (2 * n), rel=0.12)  # what the docstring says, roughly


def test_the_perfect_confident_share_is_that_of_three_real_digits():
    images = 2 * np.asarray(DIGITS.source.images)[..., 0].astype(np.float32) / 16 - 1
    sure = np.mean(np.max(np.asarray(classifiers.digits()(images)), axis=1) > math.log(0.5))
    found = metrics.perfect(metrics.confident_share, DIGITS, 2500, seeds=10)
    assert found.mean == pytest.approx(sure**3, abs=4 * math.sqrt(0.01 / 25_000))
    assert found.mean == pytest.approx(0.99, abs=0.005)  # what the docstring says


def test_scores_of_shapes_and_seeds_together():
    flat = DIGITS.sample(KEY, 60)
    for name in metrics.NEED_CLASSES:
        metric = metrics.METRICS[name]
        assert float(metric(flat.reshape(60, 8, 8, 3), DIGITS)) == float(metric(flat, DIGITS))
        np.testing.assert_allclose(
            jax.vmap(lambda samples, metric=metric: metric(samples, DIGITS))(flat.reshape(3, 20, 192)),
            [metric(part, DIGITS) for part in flat.reshape(3, 20, 192)],
            rtol=1e-5,
        )
    diverged = jnp.stack([flat, jnp.full((60, 192), jnp.nan)])
    score = lambda metric: jax.vmap(lambda samples: metric(samples, DIGITS))(diverged)[1]  # noqa: E731
    assert int(score(metrics.classes_reached)) == 0
    assert math.isnan(score(metrics.class_kl))
    assert float(score(metrics.confident_share)) == 0


def test_the_scorecard_of_stacked_digits_shows_classes_and_that_of_a_ring_modes(ring):
    card = metrics.scorecard(DIGITS.sample(KEY, 50), DIGITS, seeds=2)
    assert [row.metric for row in card] == ["classes reached", "class KL", "confident share", "sliced W2"]
    assert [row.metric for row in card] == metrics.suitable(DIGITS)
    assert metrics.suitable(data.stacked_digits(flat=False)) == ["classes reached", "class KL", "confident share"]
    assert metrics.suitable(ring) == ["modes covered", "high-quality share", "reverse KL", "sliced W2", "MMD"]
    assert metrics.suitable(data.digits()) == metrics.suitable(data.spiral()) == ["sliced W2", "MMD"]
    assert metrics.suitable(data.digits(flat=False)) == []


def test_bad_arguments_of_class_scores_name_the_remedy(ring, as_users_see_it):
    for name in metrics.NEED_CLASSES:
        with pytest.raises(TypeError, match=r"Mixture has no classes of triples; take data.stacked_digits\(\)"):
            metrics.METRICS[name](np.zeros((4, 2), np.float32), ring)
        with pytest.raises(ValueError, match=r"of shape \(n, 192\) or \(n, 8, 8, 3\), got \(4, 64\)"):
            metrics.METRICS[name](np.zeros((4, 64), np.float32), DIGITS)
        with pytest.raises(ValueError, match=r"1 of 4 samples are NaN"):
            metrics.METRICS[name](np.where(np.arange(4)[:, None] == 2, np.nan, np.zeros((4, 192))), DIGITS)
    with pytest.raises(TypeError, match="Stacked has no modes"):
        metrics.modes_covered(np.zeros((4, 192), np.float32), DIGITS)


def test_other_images_need_a_classifier_of_their_own():
    small = data.dataset(
        np.tile(np.arange(10, dtype=np.uint8)[:, None, None] * 28, (5, 4, 4)), np.tile(np.arange(10), 5)
    )
    target = data.stacked(small)
    with pytest.raises(ValueError, match=r"no classifier is shipped for images named 'images'.*classifiers.fit"):
        metrics.classes_reached(target.sample(KEY, 10), target)
    with pytest.raises(ValueError, match="'digits' reads images of 8 x 8 pixels, and those of the target have 4 x 4"):
        metrics.classes_reached(target.sample(KEY, 10), target, classifier=classifiers.digits())


def test_stacked_mnist_is_scored_by_the_classifier_of_mnist():
    target = data.stacked(data.mnist_5000(), flat=False)
    assert target.shape == (28, 28, 3)
    samples, true = target.sample_with_classes(KEY, 500)
    assert np.mean(np.asarray(metrics.classes_of(samples, target)) == np.asarray(true)) > 0.95
    assert classes.classifier_of(target) is classifiers.mnist()
