"""metrics of images against reference formulas on the same features, closed forms, and what real images score."""

import functools
import math
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import sqrtm
from sklearn.metrics import pairwise_distances
from sklearn.metrics.pairwise import polynomial_kernel

from gan_jax import classifiers, data, metrics
from gan_jax.metrics import embeddings
from gan_jax.metrics import images as cards

pytestmark = pytest.mark.once

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def digits():
    return data.digits()


@pytest.fixture(scope="module")
def real(digits):
    return metrics.real_pictures(digits)


@pytest.fixture(scope="module")
def held(digits):
    """Training images and held-out images."""
    return classifiers.split(digits)


def cases():
    """Pairs of feature sets: of real digits, of a generator that is off, correlated and of nearly singular spread."""
    one = classifiers.digits()
    read = lambda pictures: np.asarray(one.features(pictures), np.float64)  # noqa: E731
    pictures = metrics.real_pictures(data.digits())[..., 0]
    noisy = pictures[:400] + 0.4 * RNG.normal(size=(400, 8, 8)).astype(np.float32)
    mixing = RNG.normal(size=(12, 12))
    yield "digits", read(pictures[::4]), read(pictures[1::3])
    yield "noisy digits", read(noisy), read(pictures[400:900])
    yield "Gaussians", RNG.normal(size=(300, 12)) @ mixing, RNG.normal(size=(450, 12)) + 0.3
    yield "far from the origin", RNG.normal(size=(200, 3)) + 1e3, RNG.normal(size=(220, 3)) + 1e3


CASES = list(cases())
each_case = pytest.mark.parametrize(("x", "y"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])


# ---- Fréchet distance ----


def reference_frechet(x, y):
    """pytorch-fid's formula, with a complex square root of the product of the covariances."""
    s, t = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    # a row of zeros (a dead unit) makes the product singular, for which that root is inexact; it adds 0 to its trace
    alive = np.ix_(*2 * [np.flatnonzero((np.diag(s) > 0) & (np.diag(t) > 0))])
    root = np.real(sqrtm(s[alive] @ t[alive]))
    return np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(s) + np.trace(t) - 2 * np.trace(root)


@each_case
def test_frechet_distance_is_the_reference_formula(x, y):
    assert metrics.frechet_distance(x, y) == pytest.approx(reference_frechet(x, y), rel=1e-6, abs=1e-6)
    assert metrics.frechet_distance(x, y) == pytest.approx(metrics.frechet_distance(y, x), rel=1e-9)
    assert metrics.frechet_distance(x, x) == pytest.approx(0, abs=1e-7)


def test_frechet_distance_of_known_gaussians():
    n = 5
    exact = lambda mean, spread: metrics.Moments(n, np.asarray(mean, float), (n - 1) * np.asarray(spread))  # noqa: E731
    assert metrics.frechet_between(exact([0.0], [[1.0]]), exact([1.0], [[4.0]])) == pytest.approx(2)
    # commuting covariances: a sum over the directions of (m - n)^2 + (s - t)^2
    found = metrics.frechet_between(exact([0, 3], np.diag([1.0, 9.0])), exact([0, 0], np.diag([4.0, 0.0])))
    assert found == pytest.approx(9 + 1 + 9)


def test_the_bias_of_the_frechet_distance_is_the_closed_form():
    d, n, m = 8, 400, 600
    found = [metrics.frechet_distance(RNG.normal(size=(n, d)), RNG.normal(size=(m, d))) for _ in range(60)]
    exact = (1 / n + 1 / m) * (d + d * (d + 1) / 4)
    assert np.mean(found) == pytest.approx(exact, abs=4 * np.std(found) / math.sqrt(60))
    assert 4 * np.std(found) / math.sqrt(60) < exact / 5


def test_moments_do_not_depend_on_the_batches():
    x = RNG.normal(size=(1000, 6)) @ RNG.normal(size=(6, 6)) + 100
    whole = metrics.moments(x)
    np.testing.assert_allclose(whole.covariance, np.cov(x, rowvar=False), rtol=1e-10)
    for cuts in ([1, 500], [10, 20, 30], range(100, 1000, 100)):
        parts = metrics.streamed(np.split(x, cuts), lambda batch: batch)
        assert parts.n == 1000
        np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-12)
        np.testing.assert_allclose(parts.covariance, whole.covariance, rtol=1e-9)


def test_too_few_samples_for_a_covariance_are_refused_with_the_remedy(digits):
    with pytest.raises(ValueError, match=r"64 vectors cannot have a covariance in 64 dimensions.*at least 65 samples"):
        metrics.frechet_distance(np.zeros((64, 64), np.float32), digits)


# ---- kernel distance ----


def reference_kid(x, y):
    n, m = len(x), len(y)
    kernel = functools.partial(polynomial_kernel, degree=3, gamma=None, coef0=1)  # gamma None: 1 / d
    xx, yy = kernel(x, x), kernel(y, y)
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return within - 2 * kernel(x, y).mean()


@each_case
def test_kernel_distance_is_the_reference_formula(x, y, monkeypatch):
    monkeypatch.setattr(embeddings, "ENTRIES", 100 * len(y))  # more blocks than one
    scale = polynomial_kernel(y, y, degree=3, coef0=1).mean()
    assert metrics.kernel_distance(x, y).mean == pytest.approx(reference_kid(x, y), rel=1e-6, abs=1e-9 * scale)


def test_kernel_distance_is_unbiased_and_its_error_is_that_of_draws():
    draws = [metrics.kernel_distance(RNG.normal(size=(80, 4)), RNG.normal(size=(60, 4))) for _ in range(100)]
    means = np.array([draw.mean for draw in draws])
    assert abs(means.mean()) < 4 * means.std() / 10
    assert 0.3 < (means < 0).mean() < 0.7
    # at equality the jackknife is too wide, by a factor of about the square root of 2
    assert 1 < np.mean([draw.std for draw in draws]) / means.std() < 2
    apart = [metrics.kernel_distance(RNG.normal(size=(80, 4)), RNG.normal(size=(60, 4)) + 0.7) for _ in range(100)]
    errors = np.array([draw.std for draw in apart])
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(np.std([draw.mean for draw in apart]), rel=0.3)


def test_kernel_distance_over_subsets():
    x, y = CASES[1][1:]
    whole, parts = metrics.kernel_distance(x, y), metrics.kernel_distance(x, y, subsets=10, subset_size=200)
    assert parts.mean == pytest.approx(whole.mean, abs=4 * parts.std / math.sqrt(10))
    assert parts == metrics.kernel_distance(x, y, subsets=10, subset_size=200)
    assert metrics.kernel_distance(x, y, subsets=1, subset_size=400).std == 0
    with pytest.raises(ValueError, match=r"subsets of 1000 cannot be drawn from 400 samples.*set subset_size lower"):
        metrics.kernel_distance(x, y, subsets=5)
    with pytest.raises(ValueError, match="2 images of each kind"):
        metrics.kernel_distance(x[:1], y)


# ---- neighbours ----


def reference_neighbours(x, y, k):
    """The definitions of precision, recall, density and coverage, on whole tables of distances."""
    radius = lambda z: np.sort(pairwise_distances(z), axis=1)[:, k]  # noqa: E731 (column 0 is the vector itself)
    near_real, near_fake = radius(y), radius(x)
    table = pairwise_distances(y, x)
    precision = np.mean([any(table[:, j] < near_real) for j in range(len(x))])
    recall = np.mean([any(table[i] < near_fake) for i in range(len(y))])
    density = np.sum(table < near_real[:, None]) / (k * len(x))
    coverage = np.mean(table.min(axis=1) < near_real)
    return precision, recall, density, coverage


@each_case
@pytest.mark.parametrize("k", [1, 4])
def test_neighbours_are_the_reference_definitions(x, y, k, monkeypatch):
    monkeypatch.setattr(embeddings, "ENTRIES", 128 * len(y))  # more blocks than one
    found = (*metrics.precision_recall(x, y, k=k), *metrics.density_coverage(x, y, k=k))
    np.testing.assert_allclose(found, reference_neighbours(x, y, k), atol=1e-6)


def test_the_table_of_all_pairs_is_never_in_memory(monkeypatch):
    monkeypatch.setattr(embeddings, "ENTRIES", 2**15)
    x, y = RNG.normal(size=(2, 2000, 3))  # a table of 32 MB
    tracemalloc.start()
    metrics.scores_of(x, y)
    metrics.nearest(x, y)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4e6


def test_copies_of_the_reference_score_as_the_definitions_say():
    y = RNG.normal(size=(300, 5))
    # each image lies in the balls of those that have it among their k - 1 nearest others, and in its own: k on average
    assert metrics.density_coverage(y, y, k=5) == (1.0, 1.0)
    assert metrics.precision_recall(y, y) == (1.0, 1.0)
    assert metrics.precision_recall(y + 100, y) == (0.0, 0.0)
    assert metrics.density_coverage(y + 100, y) == (0.0, 0.0)


def test_coverage_of_real_by_real_is_the_closed_form():
    n, k = 100, 5
    found = [metrics.density_coverage(RNG.normal(size=(n, 3)), RNG.normal(size=(n, 3)), k=k) for _ in range(60)]
    exact = 1 - math.prod((n - i) / (2 * n - i) for i in range(1, k + 1))
    coverage, density = (np.array([getattr(each, name) for each in found]) for name in ("coverage", "density"))
    assert coverage.mean() == pytest.approx(exact, abs=4 * coverage.std() / math.sqrt(60))
    assert density.mean() == pytest.approx(1, abs=4 * density.std() / math.sqrt(60))


def test_one_outlier_moves_precision_and_not_density():
    y = RNG.normal(size=(500, 4))
    x = np.full((500, 4), 20.0) + RNG.normal(size=(500, 4))
    outlier = np.concatenate([y, np.full((1, 4), 21.0)])
    assert metrics.precision_recall(x, y).precision == 0
    assert metrics.precision_recall(x, outlier).precision == 1
    assert metrics.density_coverage(x, outlier).density < 0.3


def test_nearest_against_a_table_of_distances(monkeypatch):
    monkeypatch.setattr(embeddings, "ENTRIES", 64 * 200)
    x, y = RNG.normal(size=(150, 4)), RNG.normal(size=(200, 4))
    table = pairwise_distances(x, y)
    found = metrics.nearest(x, y, k=3)
    np.testing.assert_array_equal(found.indices, np.argsort(table, axis=1)[:, :3])
    np.testing.assert_allclose(found.distances, np.sort(table, axis=1)[:, :3], rtol=1e-6)
    assert metrics.nearest(x, x).distances.max() == 0
    with pytest.raises(ValueError, match="201 neighbours were asked for"):
        metrics.nearest(x, y, k=201)


def test_memorisation_of_copies_of_fresh_images_and_of_bad_ones(held):
    training, held_out = held
    seen, unseen = (metrics.real_pictures(each) for each in held)
    copies = metrics.memorisation(seen[:300], training, held_out)
    assert copies.share == 1
    assert copies.perfect == pytest.approx(1442 / 1797)
    assert copies.z > 3
    assert metrics.memorisation(unseen, training, held_out).share == 0  # it has seen the held-out images
    fresh, rest = unseen[::2], unseen[1::2]
    assert abs(metrics.memorisation(fresh, seen, rest, metrics.features(training)).z) < 4
    # the quality plays no part: noise is as near to one kind of real images as to the other
    noise = RNG.normal(size=(300, 8, 8)).astype(np.float32)
    assert abs(metrics.memorisation(noise, training, held_out).z) < 4


def test_the_spread_of_memorisation_is_that_of_permutations():
    x, real = RNG.normal(size=(60, 2)), RNG.normal(size=(90, 2))
    shares = []
    for _ in range(100):
        order = RNG.permutation(90)
        found = metrics.memorisation(x, real[order[:50]], real[order[50:]])
        shares.append(found.share)
    assert found.perfect == pytest.approx(50 / 90)
    assert np.mean(shares) == pytest.approx(50 / 90, abs=4 * found.std / 10)
    assert np.std(shares) == pytest.approx(found.std, rel=0.25)


# ---- inception score ----


def sure(samples):
    return np.log(np.asarray(samples, np.float64) + 1e-300)


def test_inception_score_of_hand_made_probabilities():
    balanced = np.eye(10)[np.arange(200) % 10]
    score = functools.partial(metrics.inception_score, classifier=sure)
    assert score(balanced).mean == pytest.approx(10)
    assert score(balanced, splits=10).mean == pytest.approx(10)
    assert score(balanced[np.argsort(np.arange(200) % 10)], splits=10).mean == pytest.approx(1)  # sorted by class
    assert score(np.full((50, 10), 0.1)).mean == pytest.approx(1)
    p = RNG.dirichlet(np.ones(10), size=90)
    exact = [np.exp(np.mean(np.sum(q * np.log(q / q.mean(0)), axis=1))) for q in np.split(p, 3)]
    found = score(p, splits=3)
    assert (found.mean, found.std) == pytest.approx((np.mean(exact), np.std(exact, ddof=1)))
    assert float(found) == found.mean
    assert 1 <= score(p).mean <= 10
    with np.errstate(divide="ignore"):
        assert metrics.inception_score(balanced, classifier=np.log).mean == pytest.approx(10)  # 0 log 0 is 0


def test_inception_score_does_not_look_at_the_real_images(digits, real):
    ten = real[np.asarray(classifiers.digits()(real[..., 0])).argmax(axis=0)]  # that of each digit it is surest of
    repeated = metrics.inception_score(np.repeat(ten, 50, axis=0), digits).mean
    assert repeated > metrics.inception_score(real, digits).mean  # ten images, over and over
    with pytest.raises(ValueError, match="3 samples cannot be cut into 4 splits"):
        metrics.inception_score(ten[:3], digits, splits=4)
    with pytest.raises(ValueError, match="no classifier is shipped for 'clothes': pass classifier="):
        metrics.inception_score(ten, data.dataset(np.zeros((9, 8, 8), np.uint8), name="clothes"))


# ---- features ----


def test_features_of_the_shipped_classifiers_are_their_last_hidden_layer(digits, real):
    found = metrics.features(digits)
    assert found.name == "digits features"
    x = found(real[:700])
    assert x.dtype == np.float64
    classifier = classifiers.digits()
    last = x.astype(np.float32) @ np.asarray(classifier.weights[-1]) + np.asarray(classifier.biases[-1])
    np.testing.assert_allclose(jax.nn.log_softmax(last), classifier(real[:700, ..., 0]), atol=1e-4)
    for shaped in (real[:700].reshape(700, 64), real[:700, ..., 0], jnp.asarray(real[:700])):
        np.testing.assert_array_equal(found(shaped), x)
    np.testing.assert_allclose(metrics.Features("", found.embed, (8, 8, 1), block=100)(real[:700]), x, rtol=1e-5)
    assert metrics.features(data.mnist_5000()).name == "mnist features"
    np.testing.assert_array_equal(metrics.features(classifier)(real[:9]), found(real[:9]))


def test_other_images_get_random_features_that_say_so():
    colour = data.dataset(RNG.integers(0, 256, (90, 12, 12, 3)).astype(np.uint8), name="photographs")
    found = metrics.features(colour)
    assert found.name == "random features, seed 0"
    x = found(metrics.real_pictures(colour))
    assert x.shape == (90, 64)
    np.testing.assert_array_equal(x, metrics.random_features((12, 12, 3))(metrics.real_pictures(colour)))
    assert np.abs(x - metrics.random_features((12, 12, 3), seed=1)(metrics.real_pictures(colour))).max() > 0.01
    with pytest.raises(ValueError, match="at least 8 x 8 pixels"):
        metrics.random_features((4, 4, 1))


def test_any_function_is_features(digits, real):
    means = lambda pictures: pictures.mean(axis=(1, 3))  # noqa: E731
    x, y = real[:300].mean(axis=(1, 3)), real.mean(axis=(1, 3))
    assert metrics.frechet_distance(real[:300], digits, means) == pytest.approx(metrics.frechet_distance(x, y))
    assert metrics.frechet_distance(real[:300], real, means) == pytest.approx(metrics.frechet_distance(x, y))
    named = metrics.Features("means", means, (8, 8, 1))
    assert metrics.precision_recall(real[:300], digits, named) == metrics.precision_recall(x, y)


def test_images_and_features_that_do_not_fit_are_refused_with_the_remedy(as_users_see_it, digits, real):
    with pytest.raises(ValueError, match=r"shape \(n, 8, 8, 1\) or \(n, 64\) or \(n, 8, 8\), got \(5, 28, 28\)"):
        metrics.frechet_distance(np.zeros((5, 28, 28)), digits)
    with pytest.raises(ValueError, match=r"1 of 5 samples are NaN"):
        metrics.precision_recall(np.float32([[np.nan] * 64] + [[0.0] * 64] * 4), digits)
    with pytest.raises(ValueError, match=r"must be features, shape \(n, d\), got \(1797, 8, 8, 1\); pass features="):
        metrics.kernel_distance(real, real)
    with pytest.raises(ValueError, match="finite vectors"):
        metrics.frechet_distance(real, digits, lambda pictures: pictures)
    with pytest.raises(ValueError, match="3-th nearest of others needs more than 3 samples, got 3"):
        metrics.precision_recall(real[:3], digits)
    with pytest.raises(TypeError, match=r"expected a data set such as data.digits\(\), or a classifier, got Mixture"):
        metrics.features(data.ring(8))
    with pytest.raises(TypeError, match="expected a data set of images"):
        metrics.image_scorecard(real, data.ring(8))


# ---- the scorecard ----


def test_the_scorecard_of_real_images_is_its_last_column(digits, real, held):
    training, held_out = held
    card = metrics.image_scorecard(metrics.real_pictures(held_out), training, n=300, seeds=3)
    shown = [row.metric for row in card]
    assert [name.removesuffix(" (digits features)") for name in shown] == list(metrics.IMAGE_METRICS)[:-1]
    for row in card:  # fresh images of the same kind; the spread over divisions leaves out that of the images
        assert row.score == pytest.approx(row.perfect.mean, abs=8 * row.perfect.std + 0.03), row.metric
    assert "real against real" in repr(card)
    assert "real against real" in card._repr_html_()
    assert "300 samples" in repr(card)


def test_each_score_is_worse_for_a_worse_generator(digits, real):
    few = real[np.asarray(digits.labels) < 5][:360]
    noisy = real[:360] + 0.6 * RNG.normal(size=(360, 8, 8, 1)).astype(np.float32)

    def card(samples):
        rows = metrics.image_scorecard(samples, digits, n=300, seeds=2)
        return {row.metric.split(" (")[0]: row for row in rows}

    dropped, spoilt = card(few), card(noisy)
    for worse, names in ((dropped, ["recall", "coverage", "inception score"]), (spoilt, ["precision", "density"])):
        for name in names:
            assert worse[name].score < worse[name].perfect.mean - 0.05, name
    for worse in (dropped, spoilt):
        for name in ("Fréchet distance", "kernel distance"):
            assert worse[name].score > worse[name].perfect.mean + 3 * worse[name].perfect.std, name
    assert dropped["precision"].score > dropped["precision"].perfect.mean - 0.1  # what is left is real


def test_the_row_of_memorisation_and_the_sizes(held, real):
    training, held_out = held
    copies = metrics.image_scorecard(metrics.real_pictures(training), held_out, training=training, seeds=2)
    assert copies[-1].metric == "nearest is a training image (digits features)"
    assert copies[-1].score == 1
    assert copies[-1].perfect.mean == pytest.approx(1442 / 1797)
    assert copies.n == len(held_out) // 2
    with pytest.raises(ValueError, match="n = 900, and there are 1797 samples and 177 real images in a half"):
        metrics.image_scorecard(real, held_out, n=900)
    assert set(cards.IMAGE_METRICS) & set(metrics.METRICS) == set()
    assert not set(metrics.suitable(held_out)) & set(cards.IMAGE_METRICS)
