"""The exercises and the quiz of lesson 09, evaluating GANs."""

import math

import jax.numpy as jnp
import numpy as np

from .. import metrics
from .exercise import Exercise, Tempting
from .progress import Source
from .question import Choice, Question
from .verdict import Wrong, expect

GIVEN = """
import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from gan_jax import data, metrics
"""


# ---- the inception score ----


def _score(p, log=np.log):
    mean = p.mean(axis=0, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p > 0, p * (log(p) - log(mean)), 0.0).sum(axis=1).mean()


def _entropy(p):
    return -np.sum(np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0), axis=-1)


def check_inception_score(score):
    rng = np.random.default_rng(9)
    cases = [
        ("sure and balanced, 10 classes", np.eye(10)[np.arange(200) % 10]),
        ("unsure of everything, 10 classes", np.full((50, 10), 0.1)),
        ("sure, and always of the same class", np.eye(10)[np.zeros(50, int)]),
        ("in between, 10 classes", rng.dirichlet(0.3 * np.ones(10), size=120)),
        ("in between, 4 classes", rng.dirichlet([2.0, 1.0, 0.5, 0.2], size=80)),
    ]
    for name, p in cases:
        kl = _score(p)
        mean = p.mean(axis=0)
        smooth = np.where(p > 0, p, 1e-300)
        with np.errstate(over="ignore"):
            turned = float(np.exp(np.mean(np.sum(mean * (np.log(mean + 1e-300) - np.log(smooth)), axis=1))))
        answer = score(jnp.asarray(p, jnp.float32))
        expect(
            answer.mean if isinstance(answer, metrics.Estimate) else answer,
            math.exp(kl),
            f"the score of {name}",
            [
                (kl, "That is the mean divergence; the score is e to that power."),
                (_score(p, np.log2), "That is the mean divergence in bits; take natural logarithms, then exp."),
                (math.exp(_score(p, np.log2)), "You mix logarithms to base 2 with exp; use one base."),
                (2**kl, "You mix natural logarithms with a power of 2; use exp."),
                (math.exp(kl / p.shape[1]), "You took a mean over the classes; sum over classes, mean over samples."),
                (
                    math.exp(min(len(p) * kl, 700.0)),
                    "You summed over the samples; sum over classes, mean over samples.",
                ),
                (float(np.exp(_kl_rows(p)).mean()), "You took exp before the mean; the mean over samples comes first."),
                (math.exp(_entropy(mean)), "That looks at p(y) alone: also subtract each sample's own entropy."),
                (math.exp(np.mean(_entropy(p))), "That is e to the mean entropy: large when the classifier is unsure."),
                (math.exp(-kl), "A sign is turned: p log(p / mean) is summed, which is never negative."),
                (turned, "The divergence is the other way round: from each p(y|x) to the mean p(y)."),
            ],
            otherwise="KL of each row from the mean row: sum p log(p / mean) over classes; mean over samples; exp.",
            tolerance=2e-3,
        )
    return "From 1 to K. Note what is nowhere in it: a real image."


def _kl_rows(p):
    mean = p.mean(axis=0, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p > 0, p * np.log(p / mean), 0.0).sum(axis=1)


inception_score = Exercise(
    name="inception_score",
    goal="Write the inception score of a classifier's probabilities, in one split.",
    stub='''
def inception_score(p):
    """Probabilities of K classes for n samples come in, shape (n, K); the score, a number from 1 to K, goes out."""
    return ...
''',
    hints=(
        "How far is each row from the mean row? A divergence measures that; and 0 log 0 has to be 0, not NaN.",
        "exp( mean_i sum_k p_ik log(p_ik / m_k) ), with m_k = mean_i p_ik.",
        "    m = mean of p over the samples\n"
        "    terms = p * log(p / m), and 0 where p is 0\n"
        "    return exp of the mean over samples of the sum over classes of terms",
    ),
    solution="""
def inception_score(p):
    mean = p.mean(axis=0)
    ratio = jnp.where(p > 0, p / mean, 1.0)
    return jnp.exp(jnp.mean(jnp.sum(p * jnp.log(ratio), axis=1)))
""",
    check=check_inception_score,
    also_right=(
        """
def inception_score(p):
    p = np.asarray(p, np.float64)
    entropy = lambda q: -np.sum(q * np.log(q, where=q > 0, out=np.zeros_like(q)), axis=-1)
    return float(np.exp(entropy(p.mean(0)) - entropy(p).mean()))
""",
        """
@jax.jit
def inception_score(p):
    xlogy = jax.scipy.special.xlogy
    m = jnp.mean(p, axis=0, keepdims=True)
    return jnp.exp((xlogy(p, p) - xlogy(p, m)).sum(1).mean())
""",
        """
def inception_score(p):
    return metrics.inception_score(np.asarray(p), classifier=lambda q: np.log(q + 1e-30))
""",
    ),
    tempting=(
        Tempting(
            """
def inception_score(p):
    ratio = jnp.where(p > 0, p / p.mean(axis=0), 1.0)
    return jnp.mean(jnp.sum(p * jnp.log(ratio), axis=1))
""",
            "e to that power",
        ),
        Tempting(
            """
def inception_score(p):
    return jnp.exp(jnp.mean(jnp.sum(p * jnp.log(p / p.mean(axis=0)), axis=1)))
""",
            "NaN",
        ),
        Tempting(
            """
def inception_score(p):
    ratio = jnp.where(p > 0, p / p.mean(axis=0), 1.0)
    return jnp.exp(jnp.mean(p * jnp.log(ratio)))
""",
            "mean over the classes",
        ),
        Tempting(
            """
def inception_score(p):
    ratio = jnp.where(p > 0, p / p.mean(axis=0), 1.0)
    return jnp.mean(jnp.exp(jnp.sum(p * jnp.log(ratio), axis=1)))
""",
            "before the mean",
        ),
        Tempting(
            """
def inception_score(p):
    mean = p.mean(axis=0)
    return jnp.exp(-jnp.sum(jnp.where(mean > 0, mean * jnp.log(jnp.where(mean > 0, mean, 1.0)), 0.0)))
""",
            "p(y) alone",
        ),
    ),
)


# ---- the Fréchet distance ----


def _pairs():
    """Hidden cases: name, features of samples, of real images."""
    rng = np.random.default_rng(19)
    mixing = rng.normal(size=(5, 5))
    return [
        ("correlated features", rng.normal(size=(300, 5)) @ mixing, rng.normal(size=(200, 5)) + 0.5),
        ("a feature that never changes", rng.normal(size=(80, 3)) * [1, 1, 0], rng.normal(size=(90, 3)) * [2, 1, 0]),
        ("one feature", rng.normal(size=(40, 1)), 1 + 2 * rng.normal(size=(60, 1))),
    ]


def _of_one_feature(distance, x, y):
    """What the learner's function says where `np.cov` gives no matrix."""
    try:
        return distance(x, y)
    except (ValueError, IndexError, np.linalg.LinAlgError) as error:
        raise Wrong(f"With one feature it raises {type(error).__name__}: `np.cov` gives a bare number there, and no "
                    "matrix. `np.atleast_2d` makes it one.") from error  # fmt: skip


def _frechet(x, y, *, ddof=1, root="both", square=True, times=2.0, mean=True):
    s, t = (np.atleast_2d(np.cov(z, rowvar=False, ddof=ddof)) for z in (x, y))
    eigenvalues = np.linalg.eigvals(s @ t)
    shared = {
        "both": np.sqrt(np.maximum(eigenvalues.real, 0)).sum(),
        "none": np.trace(s @ t),
        "entries": np.sqrt(np.maximum(np.diag(s) * np.diag(t), 0)).sum(),
        "element": np.sqrt(np.maximum(np.diag(s @ t), 0)).sum(),
    }[root]
    step = np.sum((x.mean(0) - y.mean(0)) ** 2)
    return (step if square else math.sqrt(step)) * mean + np.trace(s) + np.trace(t) - times * shared


def check_frechet_distance(distance):
    for name, x, y in _pairs():
        exact, step = _frechet(x, y), np.sum((x.mean(axis=0) - y.mean(axis=0)) ** 2)
        answer = (_of_one_feature if x.shape[1] == 1 else lambda f, *both: f(*both))(
            distance, x.astype(np.float32), y.astype(np.float32)
        )
        expect(
            answer,
            exact,
            f"the distance with {name}",
            [
                (_frechet(x, y, root="none"), "The square root is missing: Tr (S T)^(1/2), not Tr S T."),
                (_frechet(x, y, root="element"), "That is the root of each number. (S T)^(1/2) is a matrix's root."),
                (_frechet(x, y, root="entries"), "You used the variances alone; features are correlated."),
                (_frechet(x, y, square=False), "The first term is the squared distance of the means."),
                (_frechet(x, y, mean=False), "The means are missing: |m - n|^2 comes on top."),
                (_frechet(x, y, times=1.0), "The shared term counts twice: - 2 Tr (S T)^(1/2)."),
                (_frechet(x, y, times=-2.0), "A sign is turned: - 2 Tr (S T)^(1/2)."),
                (math.sqrt(max(exact, 0)), "That is its square root; the score is the squared distance."),
                (_frechet(x, y, ddof=0), "You divide by n; a covariance of samples divides by n - 1, as np.cov does."),
                (exact - step + step / x.shape[1], "You averaged over the features; |m - n|^2 is a sum over them."),
                (exact - step + (x.mean() - y.mean()) ** 2, "One mean for all features: take x.mean(axis=0)."),
            ],
            otherwise="|m - n|^2 + Tr S + Tr T - 2 Tr (S T)^(1/2); means and covariances over the samples (axis 0).",
            tolerance=2e-3 if len(x) < 100 else 1e-3,
        )
    return "Gaussians are all that it sees: two sets with equal means and covariances score 0."


frechet_distance = Exercise(
    name="frechet_distance",
    goal="Write the Fréchet distance of two sets of features.",
    stub='''
def frechet_distance(x, y):
    """Features of samples (n, d) and of real images (m, d) come in; the squared distance, a number, goes out."""
    return ...
''',
    hints=(
        "Two means, two covariance matrices (`np.cov` with rowvar=False). The trace of a matrix's root "
        "is the hard part: steps 2 and 3 above.",
        "|m - n|^2 + Tr S + Tr T - 2 sum of the singular values of S^(1/2) T^(1/2), where "
        "S^(1/2) = U diag(sqrt(w)) U^T for S = U diag(w) U^T.",
        "    root(S): w, U = eigh(S); negative w become 0; return (U * sqrt(w)) @ U.T\n"
        "    S, T = covariances, as matrices even for d = 1 (np.atleast_2d)\n"
        "    shared = sum of the singular values of root(S) @ root(T)\n"
        "    return squared distance of the means + trace(S) + trace(T) - 2 * shared",
    ),
    solution="""
def frechet_distance(x, y):
    def root(s):
        w, u = np.linalg.eigh(s)
        return (u * np.sqrt(np.maximum(w, 0))) @ u.T

    s, t = (np.atleast_2d(np.cov(np.asarray(z, np.float64), rowvar=False)) for z in (x, y))
    shared = np.linalg.svd(root(s) @ root(t), compute_uv=False).sum()
    return np.sum((x.mean(axis=0) - y.mean(axis=0)) ** 2) + np.trace(s) + np.trace(t) - 2 * shared
""",
    check=check_frechet_distance,
    also_right=(
        """
def frechet_distance(x, y):
    s, t = (np.atleast_2d(np.cov(z, rowvar=False)) for z in (x, y))
    w = np.linalg.eigvals(s @ t).real
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s + t) - 2 * np.sqrt(np.clip(w, 0, None)).sum())
""",
        """
def frechet_distance(x, y):
    x, y = jnp.asarray(x), jnp.asarray(y)
    m, n = x.mean(0), y.mean(0)
    s, t = (x - m).T @ (x - m) / (len(x) - 1), (y - n).T @ (y - n) / (len(y) - 1)
    w, u = jnp.linalg.eigh(s)
    r = (u * jnp.sqrt(jnp.maximum(w, 0))) @ u.T
    inner = jnp.linalg.eigvalsh(r @ t @ r)
    return jnp.sum((m - n) ** 2) + jnp.trace(s) + jnp.trace(t) - 2 * jnp.sum(jnp.sqrt(jnp.maximum(inner, 0)))
""",
        """
def frechet_distance(x, y):
    return metrics.frechet_distance(x, y)
""",
    ),
    tempting=(
        Tempting(
            """
def frechet_distance(x, y):
    s, t = (np.atleast_2d(np.cov(z, rowvar=False)) for z in (x, y))
    return np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(s + t) - 2 * np.trace(np.sqrt(np.maximum(s @ t, 0)))
""",
            "root of each number",
        ),
        Tempting(
            """
def frechet_distance(x, y):
    s, t = (np.atleast_2d(np.cov(z, rowvar=False)) for z in (x, y))
    return np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(s + t - 2 * s @ t)
""",
            "square root is missing",
        ),
        Tempting(
            """
def frechet_distance(x, y):
    return np.sum((x.mean(0) - y.mean(0)) ** 2) + np.sum((x.std(0, ddof=1) - y.std(0, ddof=1)) ** 2)
""",
            "features are correlated",
        ),
        Tempting(
            """
def frechet_distance(x, y):
    s, t = (np.atleast_2d(np.cov(z, rowvar=False)) for z in (x, y))
    w = np.linalg.eigvals(s @ t).real
    return np.linalg.norm(x.mean(0) - y.mean(0)) + np.trace(s + t) - 2 * np.sqrt(np.clip(w, 0, None)).sum()
""",
            "squared distance of the means",
        ),
        Tempting(
            """
def frechet_distance(x, y):
    s, t = (np.atleast_2d(np.cov(z, rowvar=False)) for z in (x, y))
    w = np.linalg.eigvals(s @ t).real
    total = np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(s + t) - 2 * np.sqrt(np.clip(w, 0, None)).sum()
    return np.sqrt(max(total, 0))
""",
            "its square root",
        ),
    ),
)


# ---- what is left at infinity ----


def check_at_infinity(extrapolate):
    rng = np.random.default_rng(25)
    for name, end, slope, n in (
        ("a perfect generator", 0.0, 900.0, np.array([100.0, 200, 400, 800])),
        ("a poor generator", 12.5, 1500.0, np.array([150.0, 300, 600, 5000, 700])),
        ("a fair one, with noise", 3.0, 400.0, np.array([100.0, 130, 190, 300, 500, 900, 1500])),
    ):
        scores = end + slope / n + (0.1 * rng.normal(size=len(n)) if "noise" in name else 0.0)
        design = np.stack([np.ones_like(n), 1 / n], axis=1)
        exact = np.linalg.lstsq(design, scores, rcond=None)[0].round(9) + 0.0  # no -0
        line = np.polyfit(n, scores, 1)
        root = np.linalg.lstsq(np.stack([np.ones_like(n), n**-0.5], 1), scores, rcond=None)[0]
        log = np.polyfit(np.log(n), scores, 1)
        found = extrapolate(n.astype(int), scores)
        if np.shape(found) == (2,):
            raise Wrong("These are slope and intercept, both; return the one that is left where 1/n is 0.")
        first, last = np.argmin(n), np.argmax(n)
        expect(
            found,
            exact[0],
            f"the score at infinity of {name}",
            [
                (exact[1], "That is the slope; the score at infinity is where the line meets 1/n = 0."),
                (scores[np.argmax(n)], "That is the score at the largest n, whose bias is still there."),
                (scores[-1], "That is the last score; its bias is still there, and n need not be sorted."),
                (scores.min(), "That is the smallest score; its bias is still there."),
                (scores.mean(), "That is the mean of the scores; each of them is too large."),
                (line[1], "You fitted a line in n, at n = 0; the bias is a line in 1/n."),
                (root[0], "You fitted a line in 1 / sqrt(n); a spread falls like that, this bias like 1/n."),
                (log[1], "You fitted a line in log n; the bias is a line in 1/n."),
                (np.polyfit(scores, 1 / n, 1)[1], "The axes are exchanged: the score is the line, 1/n goes along."),
                (np.polyfit(1 / n, scores, 2)[2], "You fitted a parabola, which follows the noise; fit a line."),
                ((n[last] * scores[last] - n[first] * scores[first]) / (n[last] - n[first]),
                 "You drew the line through two of the points; let all of them count."),
            ],
            otherwise="Fit score = a + b / n by least squares; a is what is left at infinity.",
            tolerance=2e-3,
        )  # fmt: skip
    return "For a perfect generator 0 is left, at any n. Papers call it FID with infinity as an index."


at_infinity = Exercise(
    name="at_infinity",
    goal="Estimate the Fréchet distance that infinitely many samples would have, from distances at several n.",
    stub='''
def at_infinity(n, scores):
    """Numbers of samples (k,) and the distances at each (k,) come in; the distance at n = infinity goes out."""
    return ...
''',
    hints=(
        "The bias falls like 1/n. In which variable is the score then a straight line, and where on it is infinity?",
        "score = a + b (1/n); fit a and b by least squares; the answer is a.",
        "    slope, intercept = np.polyfit(1 / n, scores, 1)\n    return the one of the two at 1/n = 0",
    ),
    solution="""
def at_infinity(n, scores):
    slope, intercept = np.polyfit(1 / n, scores, 1)
    return intercept
""",
    check=check_at_infinity,
    also_right=(
        """
def at_infinity(n, scores):
    design = jnp.stack([jnp.ones(len(n)), 1.0 / jnp.asarray(n)], axis=1)
    return jnp.linalg.lstsq(design, jnp.asarray(scores))[0][0]
""",
        """
def at_infinity(n, scores):
    u = 1 / np.asarray(n, float)
    slope = np.cov(u, scores)[0, 1] / np.var(u, ddof=1)
    return float(np.mean(scores) - slope * u.mean())
""",
    ),
    tempting=(
        Tempting(
            """
def at_infinity(n, scores):
    return np.polyfit(1 / n, scores, 1)[0]
""",
            "That is the slope",
        ),
        Tempting(
            """
def at_infinity(n, scores):
    return np.polyfit(n, scores, 1)[1]
""",
            "a line in n",
        ),
        Tempting(
            """
def at_infinity(n, scores):
    return scores[np.argmax(n)]
""",
            "largest n",
        ),
        Tempting(
            """
def at_infinity(n, scores):
    return np.polyfit(1 / np.sqrt(n), scores, 1)[1]
""",
            "1 / sqrt(n)",
        ),
    ),
)


# ---- the kernel distance ----


def _kid(x, y, *, diagonal=False, degree=3, per=True, one=1.0, cross=2.0, n_all=False):
    per = {True: lambda a: a.shape[1], False: lambda a: 1, "samples": len}[per]
    kernel = lambda a, b: (a @ b.T / per(a) + one) ** degree  # noqa: E731
    n, m = len(x), len(y)

    def within(z, count):
        table = kernel(z, z)
        if diagonal:
            return table.mean()
        return (table.sum() - np.trace(table)) / (count**2 if n_all else count * (count - 1))

    return within(x, n) + within(y, m) - cross * kernel(x, y).mean()


def check_kernel_distance(distance):
    rng = np.random.default_rng(39)
    cases = [
        ("two sets of one kind", rng.normal(size=(30, 4)), rng.normal(size=(40, 4))),
        ("sets that differ", rng.normal(size=(25, 3)) + 0.8, 1.5 * rng.normal(size=(35, 3))),
        ("few samples", rng.normal(size=(3, 6)), rng.normal(size=(5, 6)) - 0.5),
    ]
    for name, x, y in cases:
        exact = _kid(x, y)
        expect(
            distance(x.astype(np.float32), y.astype(np.float32)),
            exact,
            f"the distance of {name}",
            [
                (_kid(x, y, diagonal=True), "Samples are compared with themselves: leave i = j out, or it is biased."),
                (_kid(x, y, n_all=True), "Without i = j there are n (n - 1) pairs, not n^2."),
                (_kid(x, y, cross=1.0), "The mean over pairs (sample, real) counts twice."),
                (_kid(x, y, cross=-2.0), "A sign is turned: the pairs (sample, real) are subtracted."),
                (_kid(x, y, per=False), "The dot product is divided by d, the number of features."),
                (
                    _kid(x, y, per="samples"),
                    "You divide the dot product by the number of samples; divide by d, of features.",
                ),
                (_kid(x, y, degree=2), "The third power, not the second."),
                (_kid(x, y, one=0.0), "The + 1 in the kernel is missing."),
                (math.sqrt(abs(exact)), "That is a square root; the unbiased estimate may be negative, and has none."),
                (
                    max(exact, 0.0),
                    "You cut it off at 0. An unbiased estimate is negative half the time where both sides are alike.",
                ),
                (abs(exact), "You took its size. An unbiased estimate may be negative: leave it."),
            ],
            otherwise="mean over i != j of k(x_i, x_j), the same for y, minus twice the mean of k(x_i, y_j).",
            tolerance=2e-3,
        )
    return "No bias at any n, and no covariance: it works with fewer samples than features."


kernel_distance = Exercise(
    name="kernel_distance",
    goal="Write the kernel distance (KID) of two sets of features, unbiased.",
    stub='''
def kernel_distance(x, y):
    """Features of samples (n, d) and of real images (m, d) come in; the unbiased estimate, a number, goes out."""
    return ...
''',
    hints=(
        "Three tables of similarities: within the samples, within the real images, and across. Which entries of the "
        "first two compare a thing with itself?",
        "k(x, y) = (x.y / d + 1)^3; sum_{i != j} k(x_i, x_j) / (n (n - 1)) + the same for y - 2 mean k(x_i, y_j).",
        "    table(a, b) = (a @ b.T / d + 1) ** 3\n"
        "    within(z) = (sum of table(z, z) - its trace) / (len(z) * (len(z) - 1))\n"
        "    return within(x) + within(y) - 2 * mean of table(x, y)",
    ),
    solution="""
def kernel_distance(x, y):
    def table(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    def within(z):
        return (table(z, z).sum() - table(z, z).trace()) / (len(z) * (len(z) - 1))

    return within(x) + within(y) - 2 * table(x, y).mean()
""",
    check=check_kernel_distance,
    also_right=(
        """
@jax.jit
def kernel_distance(x, y):
    k = lambda a, b: (jnp.dot(a, b) / len(a) + 1) ** 3
    table = jax.vmap(jax.vmap(k, (None, 0)), (0, None))
    off = lambda z: jnp.sum(jnp.where(jnp.eye(len(z), dtype=bool), 0.0, table(z, z))) / (len(z) * (len(z) - 1))
    return off(x) + off(y) - 2 * jnp.mean(table(x, y))
""",
        """
def kernel_distance(x, y):
    k = lambda a, b: (float(np.dot(a, b)) / len(a) + 1) ** 3
    xx = [k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j]
    yy = [k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j]
    xy = [k(a, b) for a in x for b in y]
    return np.mean(xx) + np.mean(yy) - 2 * np.mean(xy)
""",
        """
def kernel_distance(x, y):
    return metrics.kernel_distance(x, y).mean
""",
    ),
    tempting=(
        Tempting(
            """
def kernel_distance(x, y):
    table = lambda a, b: (a @ b.T / a.shape[1] + 1) ** 3
    return table(x, x).mean() + table(y, y).mean() - 2 * table(x, y).mean()
""",
            "compared with themselves",
        ),
        Tempting(
            """
def kernel_distance(x, y):
    table = lambda a, b: (a @ b.T / a.shape[1] + 1) ** 3
    within = lambda z: (table(z, z).sum() - table(z, z).trace()) / len(z) ** 2
    return within(x) + within(y) - 2 * table(x, y).mean()
""",
            "n (n - 1) pairs",
        ),
        Tempting(
            """
def kernel_distance(x, y):
    table = lambda a, b: (a @ b.T + 1) ** 3
    within = lambda z: (table(z, z).sum() - table(z, z).trace()) / (len(z) * (len(z) - 1))
    return within(x) + within(y) - 2 * table(x, y).mean()
""",
            "divided by d",
        ),
        Tempting(
            """
def kernel_distance(x, y):
    table = lambda a, b: (a @ b.T / a.shape[1] + 1) ** 3
    within = lambda z: (table(z, z).sum() - table(z, z).trace()) / (len(z) * (len(z) - 1))
    return max(within(x) + within(y) - 2 * table(x, y).mean(), 0.0)
""",
            "cut it off at 0",
        ),
    ),
)


# ---- precision and recall ----


def _table(x, y):
    return np.sqrt(np.maximum(((x[:, None] - y[None]) ** 2).sum(axis=2), 0))


def _radius(z, k):
    return np.sort(_table(z, z), axis=1)[:, k]


def _inside(x, y, radius):
    return float(np.mean((_table(x, y) < radius[None]).any(axis=1)))


def _nearest_only(x, y, k):
    table = _table(x, y)
    return float(np.mean(table.min(axis=1) < _radius(y, k)[table.argmin(axis=1)]))


def _precision_recall(x, y, k):
    return _inside(x, y, _radius(y, k)), _inside(y, x, _radius(x, k))


def check_precision_recall(measure):
    rng = np.random.default_rng(49)
    outlier = np.concatenate([rng.normal(size=(60, 2)), [[9.0, 9.0]]])
    cases = [
        ("samples of half of the variety", np.abs(rng.normal(size=(70, 2))), rng.normal(size=(90, 2)), 3),
        ("blurred samples", 2 * rng.normal(size=(80, 4)), rng.normal(size=(60, 4)), 2),
        ("real images with an outlier", rng.normal(size=(50, 2)) + 6, outlier, 1),
    ]
    for name, x, y, k in cases:
        answer = measure(x.astype(np.float32), y.astype(np.float32), k)
        if not isinstance(answer, (tuple, list, np.ndarray)) and not hasattr(answer, "shape"):
            raise Wrong(f"Return two numbers, precision and recall; yours is {answer!r:.80}.")
        if len(answer) != 2:
            raise Wrong(f"Return two numbers, precision and recall; yours are {len(answer)}.")
        precision, recall = _precision_recall(x, y, k)
        one_less = _precision_recall(x, y, k - 1)
        one_more = _precision_recall(x, y, min(k + 1, len(x) - 1))
        ball = [_radius(y, k), _radius(x, k)]
        squared = [
            np.mean((_table(*pair) ** 2 < r).any(axis=1)) for pair, r in zip(((x, y), (y, x)), ball, strict=True)
        ]
        widest = _inside(x, y, ball[0].max() + 0 * ball[0]), _inside(y, x, ball[1].max() + 0 * ball[1])
        own = _inside(x, y, np.full(len(y), _radius(y, k).mean())), _inside(y, x, np.full(len(x), _radius(x, k).mean()))
        swapped = (_table(x, y) < _radius(x, k)[:, None]).any(axis=1).mean(), np.nan
        for i, (what, value) in enumerate((("precision", precision), ("recall", recall))):
            expect(
                answer[i],
                value,
                f"the {what} of {name}",
                [
                    (
                        (recall, precision)[i],
                        (
                            "The two are swapped: precision, the share of samples, comes first.",
                            "Both numbers are the precision. For recall exchange the roles: real images in samples' "
                            "balls.",
                        )[i],
                    ),
                    (one_less[i], "Each vector counts as its own nearest neighbour: skip it, then take the k-th."),
                    (
                        _precision_recall(x, y, 3)[i] if k == 2 else np.nan,
                        "That is right for k = 3, and k is 2 here: use the argument.",
                    ),
                    (
                        (_nearest_only(x, y, k), _nearest_only(y, x, k))[i],
                        "You look at the nearest member's ball alone; a ball farther off may be larger, and hold it.",
                    ),
                    (squared[i], "You compare squared distances with a radius that is none."),
                    (widest[i], "Every member has a ball of its own size; you gave all the largest."),
                    (one_more[i], "That is one neighbour too far: the k-th nearest other one."),
                    (
                        (np.nan, (_table(x, y) < ball[0]).any(axis=0).mean())[i],
                        "Recall asks the other way round: real images in balls around the samples.",
                    ),
                    (own[i], "Every member has a ball of its own size; you used one radius for all."),
                    (swapped[i], "Samples must lie in balls around real images; you made balls around the samples."),
                    (1 - value, "That is the share outside; count those inside."),
                ],
                otherwise="Radius: distance to the k-th nearest other. Inside: nearer to any member than its radius.",
            )
    return "Two numbers where one could not do: quality, and variety."


precision_recall = Exercise(
    name="precision_recall",
    goal="Write precision and recall by nearest neighbours.",
    stub='''
def precision_recall(x, y, k):
    """Features of samples (n, d), of real images (m, d), and k come in; (precision, recall) go out."""
    return ...
''',
    hints=(
        "Both are one function with its arguments exchanged: the share of a set that lies in balls around another set.",
        "r_j = distance from y_j to its k-th nearest other member of y; share of x_i with |x_i - y_j| < r_j for any j.",
        "    apart(a, b) = table of all distances\n"
        "    radius(z) = column k of apart(z, z), each row sorted (column 0 is the member itself)\n"
        "    inside(a, b) = mean over a of: any apart(a, b) < radius(b)\n"
        "    return inside(x, y), inside(y, x)",
    ),
    solution="""
def precision_recall(x, y, k):
    def apart(a, b):
        return np.linalg.norm(a[:, None] - b[None], axis=2)

    def inside(a, b):
        radius = np.sort(apart(b, b), axis=1)[:, k]
        return np.mean((apart(a, b) < radius).any(axis=1))

    return inside(x, y), inside(y, x)
""",
    check=check_precision_recall,
    also_right=(
        """
def precision_recall(x, y, k):
    return metrics.precision_recall(x, y, k=k)
""",
        """
def precision_recall(x, y, k):
    def inside(a, b):
        own = jnp.linalg.norm(b[:, None] - b[None], axis=2) + jnp.where(jnp.eye(len(b), dtype=bool), jnp.inf, 0.0)
        radius = -jax.lax.top_k(-own, k)[0][:, -1]
        return jnp.any(jnp.linalg.norm(a[:, None] - b[None], axis=2) <= radius, axis=1).mean()

    return jnp.array([inside(x, y), inside(y, x)])
""",
        """
def precision_recall(x, y, k):
    def inside(a, b):
        count = 0
        radius = [sorted(float(np.linalg.norm(p - q)) for q in b)[k] for p in b]
        for p in a:
            count += any(np.linalg.norm(p - q) < r for q, r in zip(b, radius))
        return count / len(a)

    return [inside(x, y), inside(y, x)]
""",
    ),
    tempting=(
        Tempting(
            """
def precision_recall(x, y, k):
    apart = lambda a, b: np.linalg.norm(a[:, None] - b[None], axis=2)
    inside = lambda a, b: np.mean((apart(a, b) < np.sort(apart(b, b), axis=1)[:, k - 1]).any(axis=1))
    return inside(x, y), inside(y, x)
""",
            "its own nearest neighbour",
        ),
        Tempting(
            """
def precision_recall(x, y, k):
    apart = lambda a, b: np.linalg.norm(a[:, None] - b[None], axis=2)
    inside = lambda a, b: np.mean((apart(a, b) < np.sort(apart(b, b), axis=1)[:, k]).any(axis=1))
    return inside(y, x), inside(x, y)
""",
            "swapped",
        ),
        Tempting(
            """
def precision_recall(x, y, k):
    apart = lambda a, b: np.linalg.norm(a[:, None] - b[None], axis=2)
    inside = lambda a, b: np.mean((apart(a, b) < np.sort(apart(b, b), axis=1)[:, k].mean()).any(axis=1))
    return inside(x, y), inside(y, x)
""",
            "one radius for all",
        ),
        Tempting(
            """
def precision_recall(x, y, k):
    apart = lambda a, b: np.linalg.norm(a[:, None] - b[None], axis=2)
    inside = lambda a, b: np.mean((apart(a, b) < np.sort(apart(a, a), axis=1)[:, k][:, None]).any(axis=1))
    return inside(x, y), inside(y, x)
""",
            "balls around the samples",
        ),
    ),
)


# ---- copying (stretch) ----


def check_copy_test(test):
    rng = np.random.default_rng(59)
    training, held_out = rng.normal(size=(60, 3)), rng.normal(size=(20, 3))
    cases = [
        ("copies of training images", training[:25] + 0.001 * rng.normal(size=(25, 3))),
        ("fresh samples", rng.normal(size=(40, 3))),
        ("fresh samples of low quality", 3 * rng.normal(size=(40, 3))),
    ]
    for name, x in cases:
        answer = test(x.astype(np.float32), training.astype(np.float32), held_out.astype(np.float32))
        if np.ndim(answer) != 1 or len(answer) != 2:
            raise Wrong(f"Return two numbers: the share, and a perfect generator's; yours is {answer!r:.80}.")
        found = metrics.memorisation(x, training, held_out)
        far, near = _table(x, held_out).min(axis=1), _table(x, training).min(axis=1)
        expect(
            answer[0],
            found.share,
            f"the share of {name}",
            [
                (1 - found.share, "That is the share nearer to held-out images; count the others."),
                (float(np.mean(near)), "That is a mean distance; count samples that are nearer to training."),
                (float(np.mean(near / far)), "That is a mean ratio of distances; count where it is below 1."),
                (found.perfect, "That is what a perfect generator scores; it comes second."),
                (float(np.mean(_table(x, training).mean(1) < _table(x, held_out).mean(1))),
                 "You compare mean distances; a copy shows in the nearest image only."),
            ],
            otherwise="For each sample: is its nearest training image nearer than its nearest held-out image?",
        )  # fmt: skip
        expect(
            answer[1],
            found.perfect,
            "a perfect generator's share",
            [
                (0.5, "1/2 only when both groups are of one size: here there are three times as many training images."),
                (0.0, "Not 0: a training image is the nearest one often by chance, the more often the more there are."),
                (1 - found.perfect, "That is the part of the held-out images."),
                (len(training) / len(held_out), "That is a ratio; take the part of all real images."),
            ],
            otherwise="Fresh samples know no difference between both groups: each real image is as likely the nearest.",
        )
    return "It compares like with like, so quality plays no part; only a look at the training set does."


copy_test = Exercise(
    name="copy_test",
    goal="Test for copying: the share of samples whose nearest real image is a training image, and what that share is "
    "for a perfect generator.",
    stub='''
def copy_test(x, training, held_out):
    """Features of samples (n, d), training (m, d) and held-out images (h, d) come in; (share, perfect) go out."""
    return ...
''',
    hints=(
        "Two distances a sample: to its nearest training image, and to its nearest held-out image. Then: how would a "
        "fresh sample choose among m + h images that are all alike?",
        "share = mean of [min_j |x - t_j| < min_j |x - h_j|]; perfect = m / (m + h).",
        "    near = smallest distance from each x to training; far = the same to held_out\n"
        "    return mean of (near < far), len(training) / (len(training) + len(held_out))",
    ),
    solution="""
def copy_test(x, training, held_out):
    def nearest(real):
        return np.linalg.norm(x[:, None] - real[None], axis=2).min(axis=1)

    return np.mean(nearest(training) < nearest(held_out)), len(training) / (len(training) + len(held_out))
""",
    check=check_copy_test,
    also_right=(
        """
def copy_test(x, training, held_out):
    found = metrics.memorisation(x, training, held_out)
    return [found.share, found.perfect]
""",
        """
def copy_test(x, training, held_out):
    real = jnp.concatenate([training, held_out])
    chosen = jnp.argmin(jnp.sum((x[:, None] - real[None]) ** 2, axis=2), axis=1)
    return jnp.mean(chosen < len(training)), jnp.array(len(training) / len(real))
""",
    ),
    tempting=(
        Tempting(
            """
def copy_test(x, training, held_out):
    nearest = lambda real: np.linalg.norm(x[:, None] - real[None], axis=2).min(axis=1)
    return np.mean(nearest(training) < nearest(held_out)), 0.5
""",
            "1/2 only when both groups are of one size",
        ),
        Tempting(
            """
def copy_test(x, training, held_out):
    nearest = lambda real: np.linalg.norm(x[:, None] - real[None], axis=2).min(axis=1)
    return np.mean(nearest(training) > nearest(held_out)), len(training) / (len(training) + len(held_out))
""",
            "nearer to held-out",
        ),
        Tempting(
            """
def copy_test(x, training, held_out):
    nearest = lambda real: np.linalg.norm(x[:, None] - real[None], axis=2).mean(axis=1)
    return np.mean(nearest(training) < nearest(held_out)), len(training) / (len(training) + len(held_out))
""",
            "mean distances",
        ),
        Tempting(
            """
def copy_test(x, training, held_out):
    nearest = lambda real: np.linalg.norm(x[:, None] - real[None], axis=2).min(axis=1)
    return np.mean(nearest(training) < nearest(held_out)), 0.0
""",
            "Not 0",
        ),
    ),
    stretch=True,
)


# ---- the quiz ----


QUIZ = (
    Question(
        "sorted_samples",
        "A colleague scores 10,000 samples, 1,000 of each digit, sharp and various. With `splits=10` the inception "
        "score is 1.0 ± 0.0. What has happened?",
        (
            Choice(
                "the generator has collapsed",
                "A collapse would show with one split too; these samples are various.",
            ),
            Choice(
                "the samples were sorted by digit before they were cut into splits",
                "Each split then holds one digit: p(y|x) equals p(y), the divergence is 0, and e^0 = 1. Shuffle first.",
                True,
            ),
            Choice(
                "the classifier is unsure of every sample",
                "Then one split would score 1 too; sharp digits are read surely.",
            ),
            Choice(
                "10,000 samples are too few", "Too few samples move the score a little, not from near 10 to exactly 1."
            ),
        ),
    ),
    Question(
        "small_n",
        "Paper A reports a Fréchet distance of 7.1 at n = 50,000, paper B 6.9 at n = 5,000, with the same features. "
        "Which generator is nearer to the real images?",
        (
            Choice(
                "A's, because more samples are more exact",
                "More exact, yes, but exactness is no distance; think of the bias.",
            ),
            Choice(
                "B's: 6.9 is less than 7.1",
                "The distances were taken at different n, and the bias at small n makes B's too large.",
            ),
            Choice(
                "probably B's: fewer samples only make the distance larger, and it is still less",
                "The bias is positive and falls like 1/n: at 50,000 B's would be less still. Redo both at one n.",
                True,
            ),
            Choice(
                "nobody can say: scores at different n tell nothing",
                "Here they do, because the bias is known to be positive; the other way round nothing could be said.",
            ),
        ),
    ),
    Question(
        "better_than_real",
        "Your GAN's precision is 0.97, and real against real scores 0.91. What is the likely reason?",
        (
            Choice("it is better than the data", "It can't be more real than real. It can avoid what is rare, though."),
            Choice(
                "it draws typical images and avoids rare ones; look at recall and at copies",
                "Rare real images fall outside the others' balls; who leaves them out, or copies, gains precision.",
                True,
            ),
            Choice(
                "a fault in the metric: precision may not exceed real against real",
                "It may: 1 is the limit, and only the typical reach it.",
            ),
            Choice("k is too small", "A larger k raises both numbers; it does not turn their order."),
        ),
    ),
    Question(
        "memoriser",
        "A generator plays back its 60,000 training images. Which score finds it out?",
        (
            Choice(
                "the Fréchet distance to held-out images",
                "Training images are real: their mean and covariance are right. It scores like real images.",
            ),
            Choice(
                "precision and recall against held-out images",
                "Its samples are real and various: both are as high as real images'.",
            ),
            Choice("the inception score", "It looks at no real image at all, so it can't see a copy."),
            Choice(
                "whether the nearest real image of a sample is a training image more often than chance",
                "Copies lie nearer to training images than fresh ones do. Only a test that knows both groups sees it.",
                True,
            ),
        ),
    ),
)

LESSON = Source(
    name="09_evaluating_gans",
    given=GIVEN,
    exercises=(
        inception_score,
        frechet_distance,
        at_infinity,
        kernel_distance,
        precision_recall,
        copy_test,
    ),
    quiz=QUIZ,
)
