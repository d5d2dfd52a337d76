"""The exercises and the quiz of lesson 06, mode collapse."""

import functools
import math
import time
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np

from .. import data, metrics, train
from ..train import Gan, Hyperparams
from .exercise import Exercise, Tempting
from .progress import Source
from .question import Choice, Question
from .verdict import Wrong, expect, to_array

GIVEN = """
import jax
import jax.numpy as jnp
import numpy as np
from gan_jax import data, losses, metrics, nets, train
from gan_jax.train import Gan, Hyperparams
"""


def _several(answer, n):
    """Whether an answer is n things beside each other: a tuple, a list, or an array's n entries."""
    return isinstance(answer, (tuple, list, np.ndarray, jax.Array)) and np.ndim(answer) == 1 and len(answer) == n


# ---- the mode report ----


def _report(samples, means, scale, *, reach=3.0, box=False, any_sample=False, high_only=False):
    """Modes reached, high-quality share, shares of the modes: in float64, by the definition or with one mistake."""
    apart = samples[:, None] - means[None]
    distance = np.abs(apart).max(axis=2) if box else np.sqrt((apart**2).sum(axis=2))
    nearest, high = distance.argmin(axis=1), distance.min(axis=1) <= reach * scale
    counted = np.ones_like(high) if any_sample else high
    share = np.bincount(nearest[high] if high_only else nearest, minlength=len(means)) / max(
        high.sum() if high_only else len(samples), 1
    )
    return len(np.unique(nearest[counted])), high.mean(), share


def _kl(share, base=math.e):
    filled = share[share > 0]
    return float(np.sum(filled * np.log(filled * len(share))) / math.log(base))


def _synthetic():
    """Hidden cases: name, samples, means, scale; in each, one more thing is wrong with the generator."""
    rng = np.random.default_rng(6)
    angle = 2 * np.pi * np.arange(8) / 8
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    grid = np.stack(np.meshgrid(np.arange(5.0), np.arange(5.0)), axis=-1).reshape(-1, 2)

    def draw(means, scale, shares, n=800, blur=1.0):
        which = rng.choice(len(means), n, p=np.asarray(shares) / np.sum(shares))
        return means[which] + blur * scale * rng.normal(size=(n, 2))

    # all of one size: another shape is compiled anew, operation by operation
    stray = np.concatenate([draw(ring, 0.05, np.eye(8)[2], n=798), ring[5:6] + 0.3, ring[6:7] + 0.01])
    return [
        ("every mode blurred threefold", draw(ring, 0.05, np.ones(8), blur=3.0), ring, 0.05),
        ("uneven shares", draw(ring, 0.1, np.arange(1, 9)), ring, 0.1),
        ("a generator that is perfect", draw(grid, 0.1, np.ones(25)), grid, 0.1),
        ("one mode, and two stray samples", stray, ring, 0.05),
        ("a cloud between the modes", 0.02 * rng.normal(size=(800, 2)), ring, 0.05),
    ]


def check_mode_report(report):
    for name, samples, means, scale in _synthetic():
        answer = report(jnp.asarray(samples, jnp.float32), jnp.asarray(means, jnp.float32), scale)
        if not _several(answer, 3):
            raise Wrong(f"Return three things: modes, high-quality share, reverse KL; yours is {answer!r:.80}.")
        modes, high, share = _report(samples, means, scale)
        kl = to_array(answer[2], f"the reverse KL of {name}")
        every = _report(samples, means, scale, any_sample=True)[0]
        one, two = (_report(samples, means, scale, reach=reach) for reach in (1.0, 2.0))
        box = _report(samples, means, scale, box=True)
        squared = _report(samples, means, scale, reach=math.sqrt(3 / scale))  # |x - m|^2 <= 3 scale
        wide = _report(samples, means, scale, reach=3 / scale)  # the distance is compared with 3
        of_high = _report(samples, means, scale, high_only=True)[2]
        expect(
            answer[1],
            high,
            f"the high-quality share of {name}",
            [
                (one[1], "That is the share within one standard deviation; high quality means within three."),
                (two[1], "That is the share within two standard deviations; high quality means within three."),
                (box[1], "You compare each coordinate by itself: that is a square. Take the distance, a circle."),
                (squared[1], "You compare a squared distance with 3 sigma; square both sides or neither."),
                (wide[1], "You compare the distance with 3; it is 3 standard deviations, 3 times `scale`."),
                (high * len(samples), "That is a count; divide by the number of samples."),
                (100 * high, "That is a percentage; return a share, between 0 and 1."),
                (1 - high, "Those are the samples that are not of high quality; take the others."),
                (_report(samples, means, scale, reach=3 * scale)[1], "You compare with 3 scale^2: a variance."),
                (modes, "That is the number of modes; the order is modes, high-quality share, reverse KL."),
                (modes / len(means), "That is the share of modes reached; it should be the share of samples."),
            ],
            otherwise="Distance to the nearest mean, at most 3 * scale; then the mean over samples.",
            tolerance=1e-3,
        )
        expect(
            answer[0],
            modes,
            f"the number of modes of {name}",
            [
                (every, "You count a mode for any sample nearest to it. It counts only with a high-quality one."),
                (one[0], "You count samples within one standard deviation; high quality means three."),
                (box[0], "You compare each coordinate by itself: that is a square. Take the distance, a circle."),
                (len(means) - modes, "Those are the modes that are missing; count the ones reached."),
                (modes / len(means), "That is a share; return the number of modes reached."),
                (len(means) * math.exp(-_kl(share)), "Those are the effective modes, by their shares; count modes."),
                (np.sum(share > 0.5 / len(means)), "A mode counts from one high-quality sample on, however few."),
                (
                    len(samples[_report_high(samples, means, scale)]),
                    "You counted samples; count the different modes that they are nearest to.",
                ),
            ],
            otherwise="Which modes are nearest to at least one high-quality sample?",
        )
        expect(
            kl,
            _kl(share),
            f"the reverse KL of {name}",
            [
                (_kl(of_high), "Your shares are of the high-quality samples only; all samples count here."),
                (_kl(of_high * high), "Low-quality samples are missing from your shares; all samples count here."),
                (_kl(share, 2), "That is in bits; take natural logarithms, so that it is in nats."),
                (_kl(share, 10), "That is a logarithm to base 10; take natural logarithms."),
                (_kl(share) - math.log(len(means)), "The K is missing: q log q, where q log(K q) is summed."),
                (_kl(share) + math.log(8 / len(means)), "You took 8 modes as given; K is the length of `means`."),
                (len(means) * math.exp(-_kl(share)), "Those are the effective modes, K e^-KL; return the KL itself."),
                (_kl(len(samples) * share), "Those are counts; divide them by the number of samples: shares."),
                (-_kl(share), "A sign is turned: q log(q / w) is summed, and the sum is never negative."),
                (math.log(len(means)) - _kl(share), "That is the entropy of the shares; subtract it from log K."),
                (_kl(share) / len(means), "You took the mean over modes; the terms q log(K q) are summed."),
                (_forward(share), "You weight by the target: sum w log(w / q) is KL the other way round."),
            ],
            otherwise="q_k is the share of samples nearest to mode k; sum q_k log(K q_k) over the modes with q_k > 0.",
            tolerance=1e-3,
        )
    return "Five cases, three numbers each: collapse, blur and unevenness tell themselves apart."


def _report_high(samples, means, scale):
    return np.sqrt(((samples[:, None] - means[None]) ** 2).sum(axis=2)).min(axis=1) <= 3 * scale


def _forward(share):
    with np.errstate(divide="ignore"):
        return -float(np.mean(np.log(share * len(share))))


mode_report = Exercise(
    name="mode_report",
    goal="Score samples against modes: how many modes are reached, the share of high-quality samples, the reverse KL.",
    stub='''
def mode_report(samples, means, scale):
    """Samples (n, 2), means (K, 2), one standard deviation come in; (modes, high-quality share, reverse KL) go out."""
    return ...
''',
    hints=(
        "First find each sample's nearest mean and how far away it is. All three numbers come from these two arrays.",
        "distance_ik = |x_i - m_k|; high_i = (min_k distance_ik <= 3 scale); q_k = share of i with argmin k; "
        "KL = sum over q_k > 0 of q_k log(K q_k).",
        "    distance = norm of samples[:, None] - means[None], over the last axis\n"
        "    nearest, high = argmin over modes, min over modes <= 3 * scale\n"
        "    hit = for each k: is any sample both high and nearest to k?\n"
        "    q = for each k: mean of (nearest == k)\n"
        "    return number of hits, mean of high, sum of q log(K q) where q > 0",
    ),
    solution="""
def mode_report(samples, means, scale):
    distance = jnp.linalg.norm(samples[:, None] - means[None], axis=2)
    nearest, high = distance.argmin(axis=1), distance.min(axis=1) <= 3 * scale
    belongs = nearest[:, None] == jnp.arange(len(means))[None]
    q = belongs.mean(axis=0)
    kl = jnp.sum(jnp.where(q > 0, q * jnp.log(jnp.where(q > 0, len(means) * q, 1.0)), 0.0))
    return (belongs & high[:, None]).any(axis=0).sum(), high.mean(), kl
""",
    check=check_mode_report,
    also_right=(
        """
def mode_report(samples, means, scale):
    samples, means = np.asarray(samples, np.float64), np.asarray(means, np.float64)
    distance = np.sqrt(((samples[:, None] - means[None]) ** 2).sum(-1))
    nearest = distance.argmin(1)
    high = distance[np.arange(len(samples)), nearest] <= 3 * scale
    q = np.bincount(nearest, minlength=len(means)) / len(samples)
    q = q[q > 0]
    return len(set(nearest[high].tolist())), float(high.mean()), float((q * np.log(q)).sum() + np.log(len(means)))
""",
        """
def mode_report(samples, means, scale):
    target = data.mixture(means, scale)
    return (
        metrics.modes_covered(samples, target),
        metrics.high_quality_share(samples, target),
        metrics.reverse_kl(samples, target),
    )
""",
        """
@jax.jit
def mode_report(samples, means, scale):
    squared = jnp.sum((samples[:, None] - means) ** 2, axis=-1)
    hot = jax.nn.one_hot(jnp.argmin(squared, axis=1), len(means))
    high = jnp.min(squared, axis=1) <= 9 * scale**2
    q = hot.mean(0)
    return jnp.count_nonzero(high @ hot), jnp.mean(high), jnp.log(len(means)) + jax.scipy.special.xlogy(q, q).sum()
""",
    ),
    tempting=(
        Tempting(
            """
def mode_report(samples, means, scale):
    distance = jnp.linalg.norm(samples[:, None] - means[None], axis=2)
    nearest, high = distance.argmin(axis=1), distance.min(axis=1) <= 3 * scale
    q = (nearest[:, None] == jnp.arange(len(means))[None]).mean(axis=0)
    return (q > 0).sum(), high.mean(), jnp.sum(jnp.where(q > 0, q * jnp.log(len(means) * q + 1e-30), 0.0))
""",
            "counts only with a high-quality one",
        ),
        Tempting(
            """
def mode_report(samples, means, scale):
    distance = jnp.linalg.norm(samples[:, None] - means[None], axis=2)
    nearest, high = distance.argmin(axis=1), distance.min(axis=1) <= 3 * scale
    belongs = nearest[:, None] == jnp.arange(len(means))[None]
    q = belongs.mean(axis=0)
    return (belongs & high[:, None]).any(axis=0).sum(), high.mean(), jnp.sum(q * jnp.log(len(means) * q))
""",
            "is NaN",
        ),
        Tempting(
            """
def mode_report(samples, means, scale):
    distance = jnp.linalg.norm(samples[:, None] - means[None], axis=2)
    nearest, high = distance.argmin(axis=1), distance.min(axis=1) <= 3 * scale
    belongs = nearest[:, None] == jnp.arange(len(means))[None]
    q = belongs.mean(axis=0)
    kl = -jnp.mean(jnp.log(len(means) * q + 1e-12))
    return (belongs & high[:, None]).any(axis=0).sum(), high.mean(), kl
""",
            "the other way round",
        ),
        Tempting(
            """
def mode_report(samples, means, scale):
    near = jnp.abs(samples[:, None] - means[None]) <= 3 * scale
    belongs = near.all(axis=2)
    q = belongs.mean(axis=0)
    kl = jnp.sum(jnp.where(q > 0, q * jnp.log(len(means) * q + 1e-30), 0.0))
    return belongs.any(axis=0).sum(), belongs.any(axis=1).mean(), kl
""",
            "that is a square",
        ),
        Tempting(
            """
def mode_report(samples, means, scale):
    squared = jnp.sum((samples[:, None] - means[None]) ** 2, axis=2)
    nearest, high = squared.argmin(axis=1), squared.min(axis=1) <= 3 * scale
    belongs = nearest[:, None] == jnp.arange(len(means))[None]
    q = belongs.mean(axis=0)
    kl = jnp.sum(jnp.where(q > 0, q * jnp.log(len(means) * q + 1e-30), 0.0))
    return (belongs & high[:, None]).any(axis=0).sum(), high.mean(), kl
""",
            "square both sides",
        ),
        Tempting(
            """
def mode_report(samples, means, scale):
    distance = jnp.linalg.norm(samples[:, None] - means[None], axis=2)
    high = distance.min(axis=1) <= 3 * scale
    belongs = (distance.argmin(axis=1)[:, None] == jnp.arange(len(means))[None]) & high[:, None]
    q = belongs.sum(axis=0) / jnp.maximum(high.sum(), 1)
    kl = jnp.sum(jnp.where(q > 0, q * jnp.log(len(means) * q + 1e-30), 0.0))
    return belongs.any(axis=0).sum(), high.mean(), kl
""",
            "all samples count here",
        ),
        Tempting(
            """
def mode_report(samples, means, scale):
    distance = jnp.linalg.norm(samples[:, None] - means[None], axis=2)
    nearest, high = distance.argmin(axis=1), distance.min(axis=1) <= 3 * scale
    belongs = nearest[:, None] == jnp.arange(len(means))[None]
    q = belongs.mean(axis=0)
    kl = jnp.sum(jnp.where(q > 0, q * jnp.log2(len(means) * q + 1e-30), 0.0))
    return (belongs & high[:, None]).any(axis=0).sum(), high.mean(), kl
""",
            "in bits",
        ),
    ),
)


# ---- what a perfect generator scores ----


def check_perfect_scores(scores):
    for k, n in ((8, 2500), (25, 2500), (1000, 26000), (1000, 2500)):
        answer = scores(k, n)
        if not _several(answer, 2):
            raise Wrong(f"Return two numbers: expected modes, expected reverse KL; yours is {answer!r:.80}.")
        reached, kl = k * (1 - (1 - 1 / k) ** n), (k - 1) / (2 * n)
        what = f"the number of modes of {k} that {n:,} perfect samples reach"
        expect(
            answer[0],
            reached,
            what,
            [
                (kl, "That is the reverse KL; the number of modes comes first."),
                (k, "Not all: a mode is missed by every sample with probability (1 - 1/K)^n."),
                (min(k, n), "Not all: a mode is missed by every sample with probability (1 - 1/K)^n."),
                (k * (1 - 1 / k) ** n, "Those are the modes that are missed; the others are reached."),
                (n / k, "That is how many samples a mode gets on average; count the modes that get at least one."),
                (1 - (1 - 1 / k) ** n, "That is one mode's probability to be reached; there are K of them."),
            ],
            otherwise="By linearity of the expectation it is K times the probability that one mode is reached.",
            tolerance=0.005,
        )
        if n >= 10 * k:  # with fewer, the formula is only the first term of a series
            expect(
                2 * n * to_array(answer[1], "the reverse KL"),
                2 * n * kl,
                f"2 n times the reverse KL of {n:,} perfect samples on {k} modes",
                [
                    (0.0, "0 would need exactly equal counts; n random samples fall unevenly."),
                    (k, "Almost: the shares sum to 1, so that K - 1 of them are free."),
                    (2 * (k - 1), "Twice too large: 2 n KL has mean K - 1."),
                    (4 * (k - 1), "It is 2 n KL that has mean K - 1, so divide by 2 n."),
                    (2 * n * math.log(k), "That is the worst case, all samples at one mode."),
                    (2 * n * (k - 1), "That is the mean of 2 n KL; divide by 2 n."),
                    (n**2 * (k - 1), "(K - 1) / 2 * n multiplies by n; write (K - 1) / (2 * n)."),
                    (1.0, "One free share gives 1 / 2n; here K - 1 are free."),
                ],
                otherwise="2 n KL is about chi-squared with K - 1 degrees of freedom, whose mean is K - 1.",
                tolerance=0.02,
            )
    return "With 2,500 samples nobody reaches 1,000 modes: 918. Say n beside a score."


perfect_scores = Exercise(
    name="perfect_scores",
    goal="Say what n samples of a perfect generator score on K equal modes: the mean number of modes reached by at "
    "least one sample, and the mean reverse KL of the counts.",
    stub='''
def perfect_scores(modes, n):
    """The number of modes K and the number of samples n come in; (mean modes reached, mean reverse KL) go out."""
    return ...
''',
    hints=(
        "Each sample picks its mode at random. What is the probability that n samples all miss mode 1? And step 2 "
        "above has the reverse KL.",
        "K (1 - (1 - 1/K)^n), and (K - 1) / (2 n).",
        "    missed = (1 - 1 / modes) to the power n\n"
        "    return modes times (1 - missed), (modes - 1) divided by (2 n)",
    ),
    solution="""
def perfect_scores(modes, n):
    return modes * (1 - (1 - 1 / modes) ** n), (modes - 1) / (2 * n)
""",
    check=check_perfect_scores,
    also_right=(
        """
def perfect_scores(modes, n):
    return modes * -np.expm1(-n / modes), (modes - 1) / 2 / n
""",
        """
from scipy.stats import binom
def perfect_scores(modes, n):
    count = np.arange(n + 1)
    chance = binom.pmf(count, n, 1 / modes)
    share = count / n
    term = share * np.log(np.where(count > 0, modes * share, 1.0))
    return modes * (1 - chance[0]), modes * float(chance @ term)
""",
        """
def perfect_scores(modes, n):
    missed = jnp.exp(n * jnp.log1p(-1 / modes))
    return jnp.array(modes * (1 - missed)), jnp.array((modes - 1) / (2 * n))
""",
    ),
    tempting=(
        Tempting(
            """
def perfect_scores(modes, n):
    return modes, (modes - 1) / (2 * n)
""",
            "missed by every sample",
        ),
        Tempting(
            """
def perfect_scores(modes, n):
    return modes * (1 - (1 - 1 / modes) ** n), 0.0
""",
            "exactly equal counts",
        ),
        Tempting(
            """
def perfect_scores(modes, n):
    return modes * (1 - (1 - 1 / modes) ** n), modes / (2 * n)
""",
            "K - 1 of them are free",
        ),
        Tempting(
            """
def perfect_scores(modes, n):
    return modes * (1 - (1 - 1 / modes) ** n), (modes - 1) / n
""",
            "Twice too large",
        ),
        Tempting(
            """
def perfect_scores(modes, n):
    return 1 - (1 - 1 / modes) ** n, (modes - 1) / (2 * n)
""",
            "there are K of them",
        ),
    ),
)


# ---- packing ----


def check_pack(pack):
    rng = np.random.default_rng(7)
    for n, d, m in ((12, 2, 2), (12, 3, 4), (6, 2, 1), (6, 2, 6)):
        samples = rng.normal(size=(n, d)).astype(np.float32)
        found = to_array(pack(jnp.asarray(samples), m), f"{n} samples packed by {m}", None)
        if found.shape == (n, m * d) and m > 1:
            raise Wrong(f"{n} samples packed by {m} are {n // m} rows; yours has {n}: each sample is used {m} times.")
        if found.shape == (n // m, d) and m > 1:
            raise Wrong("Each row has the width of one sample: were they averaged, or the others left out?")
        if found.shape == (n // m, m, d) and d > 1:
            raise Wrong(f"Yours has shape {found.shape}: the samples are grouped; now flatten each group, (n/m, m d).")
        if found.shape == (m, n // m * d) and n // m != m:
            raise Wrong(f"Yours has {m} rows: m is how many samples stand in one row; there are n / m = {n // m} rows.")
        if found.shape != (n // m, m * d):
            raise Wrong(
                f"{n} samples of {d} numbers packed by {m} should have shape {(n // m, m * d)}, not {found.shape}."
            )
        parts = found.reshape(-1, d)  # every row's m parts
        same = np.isclose(parts[:, None], samples[None], atol=1e-6).all(axis=2)
        if not same.any(axis=1).all():
            raise Wrong(
                "A row holds pieces of samples: coordinates of different samples are interleaved. Each row should be "
                "m whole samples one after the other. Print a small one: `pack(np.arange(8).reshape(4, 2), 2)`."
            )
        used = same.sum(axis=0)
        if (same.any(axis=1).reshape(-1, m).all() and m > 1) and (
            np.ptp(parts.reshape(-1, m, d), axis=1).max() == 0 or (used > 1).any()
        ):
            raise Wrong("The same sample stands beside itself: such a D never sees whether two samples differ.")
        if not (used == 1).all():
            raise Wrong("Each sample should be used once; some are left out.")
    return "D now sees m samples at once: m equal fakes give G away, however good each of them is."


pack = Exercise(
    name="pack",
    goal="Write PacGAN's packing: n samples go in, n/m rows of m whole samples each come out, for a D that judges "
    "them together.",
    stub='''
def pack(samples, m):
    """Samples (n, d) come in, m divides n; an array (n / m, m * d) goes out, m whole samples a row."""
    return ...
''',
    hints=(
        "Samples lie row by row in memory. What does a `reshape` do with that order?",
        "Row i holds samples m i to m i + m - 1, one after the other: shape (n/m, m d).",
        "    return samples reshaped to (n // m, m * d)",
    ),
    solution="""
def pack(samples, m):
    return samples.reshape(len(samples) // m, -1)
""",
    check=check_pack,
    also_right=(
        """
def pack(samples, m):
    return jnp.concatenate(jnp.split(samples, m), axis=1)
""",
        """
def pack(samples, m):
    return np.concatenate([np.asarray(samples)[i::m] for i in range(m)], axis=1)
""",
        """
def pack(samples, m):
    return jnp.stack([jnp.concatenate(list(samples[i : i + m])) for i in range(0, len(samples), m)])
""",
    ),
    tempting=(
        Tempting(
            """
def pack(samples, m):
    return jnp.tile(samples[: len(samples) // m], (1, m))
""",
            "beside itself",
        ),
        Tempting(
            """
def pack(samples, m):
    return jnp.tile(samples, (1, m))
""",
            "used 2 times",
        ),
        Tempting(
            """
def pack(samples, m):
    return samples.T.reshape(len(samples) // m, -1)
""",
            "interleaved",
        ),
        Tempting(
            """
def pack(samples, m):
    return samples.reshape(-1, m, samples.shape[1]).mean(axis=1)
""",
            "averaged",
        ),
        Tempting(
            """
def pack(samples, m):
    return samples.reshape(-1, m, samples.shape[1])
""",
            "now flatten each group",
        ),
        Tempting(
            """
def pack(samples, m):
    return samples.reshape(-1, m, samples.shape[1]).swapaxes(1, 2).reshape(len(samples) // m, -1)
""",
            "interleaved",
        ),
    ),
)


# ---- minibatch standard deviation ----


def _check_new_feature(stddev, h, group):
    count = 6 // group
    groups = h.astype(np.float64).reshape(count, group, 4)
    found = to_array(stddev(jnp.asarray(h), group), "the result", None)
    if found.shape in ((6,), (6, 1), (count,), (count, 1)):
        raise Wrong("The features themselves are missing: append the new one to them, so that h becomes (n, f + 1).")
    if found.shape == (6, 8):
        raise Wrong("One new feature a sample, not one a feature: take the mean over the features.")
    if found.shape == (count, 5):
        raise Wrong("Every sample stays, with its own features; each member of a group gets the group's number.")
    if found.shape != (6, 5):
        raise Wrong(f"6 samples of 4 features should become shape (6, 5); yours is {found.shape}.")
    if np.allclose(found[:, 1:], h, atol=1e-5):
        raise Wrong("The new feature stands first; append it as the last column.")
    if not np.allclose(found[:, :4], h, atol=1e-5):
        raise Wrong("The first f columns should be the features as they came in.")
    new = lambda row: np.repeat(row, group)  # noqa: E731
    deviation = groups.std(axis=1)
    strided = h.astype(np.float64).reshape(group, count, 4).std(axis=0).mean(axis=1)
    as_count = h.astype(np.float64).reshape(group, count, 4).std(axis=1).mean(axis=1)
    expect(
        found[:, 4],
        new(deviation.mean(axis=1)),
        f"the new feature, in groups of {group},",
        [
            (new(groups.var(axis=1).mean(axis=1)), "That is a variance; take its square root."),
            (
                new(groups.std(axis=1, ddof=1).mean(axis=1)),
                "You divide by group - 1; here the group is all there is: divide by group.",
            ),
            (np.full(6, h.std(axis=0).mean()), "You took the whole batch as one group; there are n / group of them."),
            (np.full(6, h.std()), "That is one deviation of all numbers of the batch; go group by group, by features."),
            (h.std(axis=1), "You went along the features: that compares a sample with itself, not with its group."),
            (new(groups.std(axis=2).mean(axis=1)), "You went along the features, not along the samples of a group."),
            (new(groups.std(axis=(1, 2))), "That is one deviation of all numbers of a group; go feature by feature."),
            (
                new(np.sqrt(groups.var(axis=1).mean(axis=1))),
                "You took the mean of the variances and then its root; take the root of each, then the mean.",
            ),
            (np.tile(strided, group), "Your groups are strided; here a group is `group` consecutive samples."),
            (
                np.tile(deviation.mean(axis=1), group),
                "The right numbers at the wrong samples: members of a group are consecutive: `jnp.repeat`, not tile.",
            ),
            (np.repeat(as_count, count), "You made `group` groups; it is the size of a group, not their number."),
            (
                new(np.abs(groups - groups.mean(axis=1, keepdims=True)).mean(axis=(1, 2))),
                "That is the mean absolute deviation; square the differences, take their mean, then its root.",
            ),
            (new(np.ptp(groups, axis=1).mean(axis=1) / 2), "That is half of the range, not the standard deviation."),
            (
                new(np.sqrt((groups**2).mean(axis=1)).mean(axis=1)),
                "Subtract the group's mean first: that is the root mean square.",
            ),
            (new(groups.mean(axis=(1, 2))), "That is the group's mean; take its deviation."),
            (new(deviation.max(axis=1)), "You took the largest over the features; take the mean."),
            (new(deviation.sum(axis=1)), "You summed over the features; take the mean."),
        ],
        otherwise="In each group: standard deviation over its samples, feature by feature, then the mean of these "
        "(what you add below the root should be tiny, 1e-8).",
        tolerance=1e-3,
    )


def check_batch_stddev(stddev):
    rng = np.random.default_rng(8)
    h = rng.normal(size=(6, 4)).astype(np.float32) * np.arange(1, 7)[:, None]
    for group in (2, 3):  # in twos the deviation is also half of the range, and the mean of absolute deviations
        _check_new_feature(stddev, h, group)
    slope = jax.grad(lambda h: jnp.sum(stddev(h, 2)[:, -1]))
    if not np.isfinite(np.asarray(slope(jnp.ones((6, 4))))).all():
        raise Wrong(
            "Its gradient is NaN when a group's samples are all equal, and a total collapse is just that. The slope of "
            "a square root at 0 is infinite: add 1e-8 to the variance first."
        )
    apart = np.asarray(slope(jnp.asarray(h)))
    if not np.abs(apart).max() > 0:
        raise Wrong(
            "No gradient gets through the new feature (was it made by NumPy, or cut off?), so G learns nothing."
        )
    return "Its gradient pushes the members of a group apart: what no judge of single samples can do."


batch_stddev = Exercise(
    name="batch_stddev",
    goal="Write minibatch standard deviation: in each group of `group` consecutive samples, the standard deviation of "
    "each feature over the group, averaged over the features, appended to each member as one more feature.",
    stub='''
def batch_stddev(h, group):
    """Features (n, f) of n samples come in, group divides n; (n, f + 1) goes out. Use jnp: G learns through it."""
    return ...
''',
    hints=(
        "Reshape to (n / group, group, f) first; which axis are the samples of a group? And what is the slope of a "
        "square root at 0?",
        "s_j = mean over f of sqrt(var over group j + 1e-8); sample i gets s_j of its group.",
        "    groups = h reshaped to (n / group, group, f)\n"
        "    s = mean over features of sqrt(variance over the samples of the group + 1e-8)\n"
        "    return h with each group's s, repeated group times, as one more column",
    ),
    solution="""
def batch_stddev(h, group):
    groups = h.reshape(-1, group, h.shape[1])
    s = jnp.sqrt(groups.var(axis=1) + 1e-8).mean(axis=1)
    return jnp.concatenate([h, jnp.repeat(s, group)[:, None]], axis=1)
""",
    check=check_batch_stddev,
    also_right=(
        """
@jax.jit
def deviation(members):
    centred = members - members.mean(axis=0)
    return jnp.mean(jnp.sqrt(jnp.mean(centred**2, axis=0) + 1e-10))
def batch_stddev(h, group):
    s = jax.vmap(deviation)(h.reshape(len(h) // group, group, -1))
    return jnp.column_stack([h, s.repeat(group)])
""",
        """
def batch_stddev(h, group):
    columns = []
    for i in range(0, len(h), group):
        variance = jnp.var(h[i : i + group], axis=0)
        root = jnp.where(variance > 0, jnp.sqrt(jnp.where(variance > 0, variance, 1.0)), 0.0)
        columns += [jnp.mean(root)] * group
    return jnp.hstack([h, jnp.stack(columns)[:, None]])
""",
    ),
    tempting=(
        Tempting(
            """
def batch_stddev(h, group):
    s = h.reshape(-1, group, h.shape[1]).std(axis=1).mean(axis=1)
    return jnp.concatenate([h, jnp.repeat(s, group)[:, None]], axis=1)
""",
            "add 1e-8 to the variance",
        ),
        Tempting(
            """
def batch_stddev(h, group):
    s = h.reshape(-1, group, h.shape[1]).var(axis=1).mean(axis=1)
    return jnp.concatenate([h, jnp.repeat(s, group)[:, None]], axis=1)
""",
            "square root",
        ),
        Tempting(
            """
def batch_stddev(h, group):
    s = jnp.sqrt(h.var(axis=0) + 1e-8).mean()
    return jnp.concatenate([h, jnp.full((len(h), 1), s)], axis=1)
""",
            "whole batch",
        ),
        Tempting(
            """
def batch_stddev(h, group):
    groups = h.reshape(-1, group, h.shape[1])
    s = jnp.abs(groups - groups.mean(axis=1, keepdims=True)).mean(axis=(1, 2))
    return jnp.concatenate([h, jnp.repeat(s, group)[:, None]], axis=1)
""",
            "mean absolute deviation",
        ),
        Tempting(
            """
def batch_stddev(h, group):
    s = jnp.sqrt(h.var(axis=1) + 1e-8)
    return jnp.concatenate([h, s[:, None]], axis=1)
""",
            "with itself",
        ),
        Tempting(
            """
def batch_stddev(h, group):
    s = jnp.sqrt(h.reshape(-1, group, h.shape[1]).var(axis=1) + 1e-8).mean(axis=1)
    return jnp.repeat(s, group)[:, None]
""",
            "features themselves are missing",
        ),
        Tempting(
            """
def batch_stddev(h, group):
    s = jnp.sqrt(h.reshape(-1, group, h.shape[1]).var(axis=1, ddof=1) + 1e-8).mean(axis=1)
    return jnp.concatenate([h, jnp.repeat(s, group)[:, None]], axis=1)
""",
            "group - 1",
        ),
        Tempting(
            """
def batch_stddev(h, group):
    s = jnp.sqrt(h.reshape(group, -1, h.shape[1]).var(axis=0) + 1e-8).mean(axis=1)
    return jnp.concatenate([h, jnp.tile(s, group)[:, None]], axis=1)
""",
            "consecutive",
        ),
    ),
)


# ---- the unrolled gradient ----


def check_unrolled_gradient(gradient):
    def loss_g(g, d):  # with its own dependence on g, so that neither part can be left out
        return jnp.sin(g) * d + 0.3 * g**2

    def loss_d(g, d):
        return 0.5 * d**2 - g * d + 0.1 * d * g**2

    def own(g, x):  # by hand: the derivative of D's loss with respect to d
        return x - g + 0.1 * g**2

    def of_loss_g(g, x):
        return math.sin(g)

    def to_g(g, x):
        return -x + 0.2 * x * g

    def played(g, d, rate, k, push=own):
        for _ in range(k):
            d = d - rate * push(g, d)
        return d

    def total(g, d, rate, k, push=own):
        return math.sin(g) * played(g, d, rate, k, push) + 0.3 * g**2

    def slope(g, d, rate, k, push=own):
        step = 1e-6
        return (total(g + step, d, rate, k, push) - total(g - step, d, rate, k, push)) / (2 * step)

    for g, d, rate, k in ((0.7, -0.4, 0.2, 3), (-1.1, 0.5, 0.3, 1), (0.5, 0.25, 0.1, 0), (0.4, 1.0, 0.15, 6)):
        right = slope(g, d, rate, k)
        direct = lambda d: math.cos(g) * d + 0.6 * g  # noqa: E731,B023
        last = played(g, d, rate, k)
        mistakes = [
            (direct(d), "That is G's gradient against the d it was given: no step of D was unrolled."),
            (
                direct(last),
                "You let D move, and then held it constant: how d_k depends on g is missing. Differentiate through "
                "D's steps too.",
            ),
            (right - direct(last), "Only the way through D is there; g's direct part is missing."),
            (slope(g, d, -rate, k), "D climbs its own loss: subtract rate times its gradient."),
            (slope(g, d, rate, k, of_loss_g), "D steps on its own loss: `loss_d`, not `loss_g`."),
            (slope(g, d, -rate, k, of_loss_g), "D steps on its own loss, `loss_d`; it does not climb `loss_g`."),
            (slope(g, d, rate, k, to_g), "D's steps take the derivative to d: the second argument, `argnums=1`."),
            (slope(g, d, 1.0, k), "The rate is missing: D takes whole gradients as steps."),
            (slope(g, d, k * rate, 1), "Each of your steps starts from d, or uses the gradient there: go on from d_j."),
            (slope(g, d, rate, 1), "Each of your steps starts from d again: go on from d_j."),
            (-right, "A sign is turned: return the derivative itself; whoever uses it takes the step down."),
            (g - rate * right, "You moved g; return the derivative alone."),
            (slope(g, d, rate, k + 1), f"D has made {k + 1} steps, one too many."),
            (slope(g, d, rate, max(k - 1, 0)), f"D has made {k - 1} steps, one too few."),
            (math.sin(g), "That is the derivative with respect to d; G moves g."),
            (total(g, d, rate, k), "That is the value of G's loss; return its derivative with respect to g."),
        ]
        expect(
            gradient(loss_g, loss_d, g, d, rate, k),
            right,
            f"the gradient with {k} steps unrolled",
            mistakes,
            otherwise="Write a function of g alone that plays D's k steps and returns G's loss; then `jax.grad`.",
            tolerance=2e-3,
        )
    return "G now feels how D will answer: the term that a frozen D hides."


unrolled_gradient = Exercise(
    name="unrolled_gradient",
    goal="Let D take k steps of gradient descent on its loss, and return the derivative of G's loss at that d_k with "
    "respect to g, through the steps.",
    stub='''
def unrolled_gradient(loss_g, loss_d, g, d, rate, k):
    """loss_g(g, d) and loss_d(g, d) are numbers; D steps d <- d - rate * (derivative of loss_d to d), k times.
    Return the derivative of loss_g(g, d_k) with respect to g, where d_k depends on g as well."""
    return ...
''',
    hints=(
        "`jax.grad` differentiates whatever a function of g does, loops of gradient steps included.",
        "d_0 = d, d_(j+1) = d_j - rate dL_D/dd (g, d_j); return d/dg L_G(g, d_k(g)).",
        "    def after(g):\n"
        "        x = d\n"
        "        k times: x = x - rate * (gradient of loss_d with respect to its second argument, at (g, x))\n"
        "        return loss_g(g, x)\n"
        "    return gradient of after, at g",
    ),
    solution="""
def unrolled_gradient(loss_g, loss_d, g, d, rate, k):
    def after(g):
        moved = d
        for _ in range(k):
            moved = moved - rate * jax.grad(loss_d, argnums=1)(g, moved)
        return loss_g(g, moved)

    return jax.grad(after)(g)
""",
    check=check_unrolled_gradient,
    also_right=(
        """
def unrolled_gradient(loss_g, loss_d, g, d, rate, k):
    def after(g):
        step = lambda d, _: (d - rate * jax.grad(lambda d: loss_d(g, d))(d), None)
        return loss_g(g, jax.lax.scan(step, jnp.asarray(d, float), None, length=k)[0])
    return jax.jacfwd(after)(jnp.asarray(g, float))
""",
        """
def unrolled_gradient(loss_g, loss_d, g, d, rate, k):
    x, slope = d, 0.0  # by hand: the chain rule, one step after the other
    d_grad = jax.grad(loss_d, 1)
    for _ in range(k):
        slope = slope - rate * (jax.grad(d_grad, 0)(g, x) + jax.grad(d_grad, 1)(g, x) * slope)
        x = x - rate * d_grad(g, x)
    return float(jax.grad(loss_g, 0)(g, x) + jax.grad(loss_g, 1)(g, x) * slope)
""",
    ),
    tempting=(
        Tempting(
            """
def unrolled_gradient(loss_g, loss_d, g, d, rate, k):
    for _ in range(k):
        d = d - rate * jax.grad(loss_d, argnums=1)(g, d)
    return jax.grad(loss_g)(g, d)
""",
            "held it constant",
        ),
        Tempting(
            """
def unrolled_gradient(loss_g, loss_d, g, d, rate, k):
    return jax.grad(loss_g)(g, d)
""",
            "no step of D was unrolled",
        ),
        Tempting(
            """
def unrolled_gradient(loss_g, loss_d, g, d, rate, k):
    def after(g):
        moved = d
        for _ in range(k):
            moved = moved + rate * jax.grad(loss_d, argnums=1)(g, moved)
        return loss_g(g, moved)
    return jax.grad(after)(g)
""",
            "climbs",
        ),
        Tempting(
            """
def unrolled_gradient(loss_g, loss_d, g, d, rate, k):
    def after(g):
        moved = d
        for _ in range(k + 1):
            moved = moved - rate * jax.grad(loss_d, argnums=1)(g, moved)
        return loss_g(g, moved)
    return jax.grad(after)(g)
""",
            "one too many",
        ),
        Tempting(
            """
def unrolled_gradient(loss_g, loss_d, g, d, rate, k):
    def after(g):
        moved = d
        for _ in range(k):
            moved = moved - rate * jax.grad(loss_d, argnums=1)(g, moved)
        return loss_g(g, moved)
    return after(g)
""",
            "value of G's loss",
        ),
        Tempting(
            """
def unrolled_gradient(loss_g, loss_d, g, d, rate, k):
    def after(h):
        moved = d
        for _ in range(k):
            moved = moved - rate * jax.grad(loss_d, argnums=1)(h, moved)
        return loss_g(g, moved)
    return jax.grad(after)(g)
""",
            "direct part is missing",
        ),
    ),
)


# ---- seven modes ----


def check_ring_means(ring_means):
    for modes, radius in ((8, 1.0), (5, 2.0), (1, 1.0)):
        found = to_array(ring_means(modes, radius), f"the ring of {modes}", None)
        if found.shape == (2, modes) and modes != 2:
            raise Wrong(f"Yours has shape {found.shape}: one mode a row, please, shape ({modes}, 2).")
        if found.shape == (modes + 1, 2):
            raise Wrong(f"{modes + 1} points: the first and the last are one place, drawn twice as often. Drop one.")
        if found.shape == (modes - 1, 2):
            raise Wrong(f"{modes - 1} points: dropping the double one leaves one too few. Space them anew.")
        if found.shape != (modes, 2):
            raise Wrong(f"{modes} modes should have shape ({modes}, 2); yours is {found.shape}.")
        lengths = np.linalg.norm(found, axis=1)
        if not np.allclose(lengths, radius, rtol=1e-3):
            raise Wrong(
                f"The means should lie {radius:g} from the origin; yours: {lengths.min():.3g} to {lengths.max():.3g}."
            )
        apart = np.linalg.norm(found[:, None] - found[None], axis=2) + 10 * np.eye(modes)
        if apart.min() < 1e-3:
            if np.sum(apart.min(axis=1) < 1e-3) > 2:
                raise Wrong("Several modes share a place: your angles go round the circle more than once.")
            raise Wrong(
                f"Only {modes - 1} different places: the angles 0 and 2 pi "
                "are one direction, and `linspace` includes both ends."
            )
        angles = np.sort(np.arctan2(found[:, 1], found[:, 0]))
        gaps = np.array([b - a for a, b in pairwise([*angles, angles[0] + 2 * np.pi])])
        if not np.allclose(gaps, 2 * np.pi / modes, atol=1e-3):
            raise Wrong(
                f"The places differ, but the gaps between them go from {np.degrees(gaps.min()):.0f} to "
                f"{np.degrees(gaps.max()):.0f} degrees; all should be {360 / modes:.0f}. Angles are in radians, from 0 "
                "up to, and without, 2 pi."
            )
    return "K gaps of 2 pi / K: the end of the circle is its beginning."


ring_means = Exercise(
    name="ring_means",
    goal="Repair the ring: the means of `modes` equally spaced modes on a circle.",
    stub='''
def ring_means(modes, radius):
    """How many modes and the circle's radius come in; their means, shape (modes, 2), go out."""
    return ...
''',
    hints=(
        "Print the angles of the faulty ring. How far apart are the first and the last on the circle?",
        "Angle k is 2 pi k / modes, for k = 0 to modes - 1.",
        "    angle = 2 pi times (0, 1, ..., modes - 1) / modes\n"
        "    return radius times (cos angle, sin angle), a row a mode",
    ),
    solution="""
def ring_means(modes, radius):
    angle = 2 * jnp.pi * jnp.arange(modes) / modes
    return radius * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
""",
    check=check_ring_means,
    also_right=(
        """
def ring_means(modes, radius):
    angle = np.linspace(0, 2 * np.pi, modes, endpoint=False)
    return radius * np.column_stack([np.cos(angle), np.sin(angle)])
""",
        """
def ring_means(modes, radius):
    angle = np.linspace(0, 2 * np.pi, modes + 1)[1:]
    return [[radius * float(np.sin(a)), radius * float(np.cos(a))] for a in angle]
""",
        """
def ring_means(modes, radius):
    root = radius * jnp.exp(2j * jnp.pi * jnp.arange(modes) / modes)
    return jnp.stack([root.real, root.imag], axis=-1)
""",
    ),
    tempting=(
        Tempting(
            """
def ring_means(modes, radius):
    angle = jnp.linspace(0, 2 * jnp.pi, modes)
    return radius * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
""",
            "Only 7 different places",
        ),
        Tempting(
            """
def ring_means(modes, radius):
    angle = jnp.linspace(0, 2 * jnp.pi, modes + 1)
    return radius * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
""",
            "twice as often",
        ),
        Tempting(
            """
def ring_means(modes, radius):
    angle = jnp.linspace(0, 2 * jnp.pi, modes)[:-1]
    return radius * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
""",
            "one too few",
        ),
        Tempting(
            """
def ring_means(modes, radius):
    angle = jnp.arange(modes) * 360 / modes
    return radius * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
""",
            "in radians",
        ),
        Tempting(
            """
def ring_means(modes, radius):
    angle = jnp.linspace(0, 2 * jnp.pi * 0.99, modes)
    return radius * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
""",
            "the gaps between them",
        ),
        Tempting(
            """
def ring_means(modes, radius):
    angle = 2 * jnp.pi * jnp.arange(modes) / modes
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
""",
            "should lie 2",
        ),
    ),
)


# ---- tune it ----

RING = data.ring(8, scale=0.1)
STEPS, SECONDS, QUALITY = 5000, 40, 0.7
LARGEST, SEEN = 200_000, 20_000
"""Weights that the checker is willing to train, of both players together, and samples that D may see in one step."""


@functools.partial(jax.jit, static_argnums=0)
def _begin(gan, dials, keys):
    return jax.vmap(lambda key: train.init(gan, dials, key))(keys)


@functools.partial(jax.jit, static_argnums=0)
def _go_on(gan, dials, states, n):
    play = lambda state: jax.lax.fori_loop(0, n, lambda i, s: train.step(gan, dials, RING, s)[0], state)  # noqa: E731
    return jax.vmap(play)(states)


def _retrain(gan, dials, steps):
    """Train three seeds of the checker's own, within the time there is; the samples, shape (3, 2500, 2)."""
    keys = jax.random.split(jax.random.key(606), 3)
    dials = train.dials(gan, dials)
    seen = gan.batch_size * (gan.d_steps + gan.unrolled_steps)
    if seen > SEEN:
        raise Wrong(f"D sees {seen:,} samples in one of your steps; for a ring a few hundred do. At most {SEEN:,}.")
    shapes = jax.eval_shape(lambda keys: _begin(gan, dials, keys), keys)
    weights = sum(leaf.size for leaf in jax.tree.leaves((shapes.generator, shapes.discriminator))) // 3
    if weights > LARGEST:
        raise Wrong(f"These networks have {weights:,} weights; for a ring a few hundred do. At most {LARGEST:,}.")
    states = jax.block_until_ready(_go_on(gan, dials, _begin(gan, dials, keys), 1))  # compiles
    done, part, began = 1, 5, time.perf_counter()
    while done < steps:
        before, part = time.perf_counter(), min(part, steps - done)
        states = jax.block_until_ready(_go_on(gan, dials, states, part))
        done, now = done + part, time.perf_counter()
        if now - began > SECONDS and done < steps:
            raise Wrong(
                f"After {SECONDS} s only {done:,} of your {steps:,} steps were done. Smaller networks, a smaller "
                "batch or fewer updates of D make a step cheaper."
            )
        part = int(np.clip(2 * part / (now - before), 1, 500))  # about two seconds: the clock is read often
    draw = jax.jit(jax.vmap(lambda state, key: state.generator(state.gan.noise(key, 2500))))
    samples = np.asarray(draw(states, keys))
    train.let_go(programs=False)
    return samples


def check_tuned(answer):
    if isinstance(answer, Hyperparams):
        raise Wrong("These are the dials alone; give three things: `(gan, dials, steps)`.")
    if not isinstance(answer, (tuple, list)) or len(answer) != 3:
        raise Wrong(f"Give three things, `(gan, dials, steps)`; yours is {answer!r:.80}.")
    gan, dials, steps = answer
    if not isinstance(gan, Gan) or not isinstance(dials, Hyperparams):
        raise Wrong("The first should be a `Gan`, the second `Hyperparams`, the third the number of steps.")
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 1:
        raise Wrong(f"The third should be a whole number of steps, at least 1; yours is {steps!r}.")
    if steps > STEPS:
        raise Wrong(f"{steps:,} steps: at most {STEPS:,}. Patience is not the cure here.")
    if any(np.ndim(leaf) for leaf in jax.tree.leaves(dials)):
        raise Wrong("Each dial should be one number: this is one setting, not a sweep. The seeds are the checker's.")
    samples = _retrain(gan, dials, int(steps))
    if not np.isfinite(samples).all():
        raise Wrong("A run ended in NaN or infinity: the rates are too high for this loss.")
    modes = [int(metrics.modes_covered(x, RING)) for x in samples]
    high = [float(metrics.high_quality_share(x, RING)) for x in samples]
    found = f"Three seeds: modes {modes}, high quality {[round(share, 2) for share in high]}."
    if min(modes) == 8 and min(high) >= QUALITY:
        return f"{found} A perfect generator: 8 modes, 0.99."
    if float(dials.lr_g) == 0:
        raise Wrong(f"{found} With `lr_g=0` G never moves.")
    if min(modes) < 8 and max(modes) == 8:
        raise Wrong(f"{found} One seed is luck: all three should reach 8. Go further in the same direction.")
    if min(modes) < 8 and float(dials.lr_d) * gan.d_steps < float(dials.lr_g):
        raise Wrong(f"{found} Collapsed, and D is slower than G: see the phase diagram.")
    if min(modes) < 8:
        raise Wrong(f"{found} Modes are missing. Where in the phase diagram do all seeds have 8?")
    raise Wrong(
        f"{found} The modes are all there, the quality is not: more steps, smaller rates near the end of what "
        "still covers, or a lighter penalty."
    )


tuned = Exercise(
    name="tuned",
    goal=f"Tune the collapsed GAN: 8 modes and a high-quality share of at least {QUALITY} on each of three seeds that "
    f"you don't know, within {STEPS:,} steps. The check trains it anew, for at most {SECONDS} s.",
    stub="""
tuned = ...  # (gan, dials, steps), such as (small_gan, Hyperparams(lr_g=5e-3, lr_d=1e-3), 1000)
""",
    hints=(
        "Look at the phase diagram: which side of it has 8 modes in every seed? Then think of quality: a large last "
        "step blurs.",
        "lr_d at least lr_g, both around 2e-3 to 5e-3; R1 at a weight of 0.1 or less, or none; a few thousand steps.",
        "    gan = nets of width 16 or 32, batch 64 or 128\n"
        "    dials = lr_g a few thousandths, lr_d as large or twice as large\n"
        "    tuned = (gan, dials, 4000)",
    ),
    solution="""
my_gan = Gan(nets.mlp(2, 16, 16, 2), nets.mlp(2, 16, 16, 1), batch_size=64, penalty=losses.r1)
tuned = (my_gan, Hyperparams(lr_g=2e-3, lr_d=5e-3, penalty_weight=0.1), 4500)
""",
    check=check_tuned,
    also_right=(
        """
gan = Gan(nets.mlp(2, 32, 32, 2), nets.mlp(2, 32, 32, 1), batch_size=64)
tuned = [gan, Hyperparams(lr_g=2e-3, lr_d=4e-3), 4000]
""",
        """
my_gan = Gan(nets.mlp(2, 16, 16, 2), nets.mlp(2, 16, 16, 1), batch_size=64, penalty=losses.r1)
tuned = my_gan, Hyperparams(lr_g=np.float32(5e-3), lr_d=jnp.asarray(5e-3), penalty_weight=0.1), np.int64(4500)
""",
    ),
    tempting=(
        Tempting(
            """
my_gan = Gan(nets.mlp(2, 16, 16, 2), nets.mlp(2, 16, 16, 1), batch_size=64, penalty=losses.r1)
tuned = my_gan, Hyperparams(lr_g=5e-3, lr_d=5e-4, penalty_weight=0.0), 1000
""",
            "D is slower than G",
        ),
        Tempting(
            """
my_gan = Gan(nets.mlp(2, 16, 16, 2), nets.mlp(2, 16, 16, 1), batch_size=64, penalty=losses.r1)
tuned = my_gan, Hyperparams(lr_g=5e-3, lr_d=5e-4, penalty_weight=0.0), 50000
""",
            "at most 5,000",
        ),
        Tempting(
            """
my_gan = Gan(nets.mlp(2, 16, 16, 2), nets.mlp(2, 16, 16, 1), batch_size=64, penalty=losses.r1)
tuned = my_gan, Hyperparams(lr_g=5e-3, lr_d=5e-3, penalty_weight=10.0), 500
""",
            "the quality is not",
        ),
        Tempting(
            """
tuned = Hyperparams(lr_g=2e-3, lr_d=5e-3)
""",
            "dials alone",
        ),
        Tempting(
            """
my_gan = Gan(nets.mlp(2, 16, 16, 2), nets.mlp(2, 16, 16, 1), batch_size=64, penalty=losses.r1)
tuned = my_gan, Hyperparams(lr_g=np.array([1e-3, 2e-3]), lr_d=5e-3), 3000
""",
            "not a sweep",
        ),
    ),
)


# ---- how sure is a rate ----


def _wilson(k, n, z=1.96):
    centre, spread = (k + z**2 / 2) / (n + z**2), z / (n + z**2) * math.sqrt(k * (n - k) / n + z**2 / 4)
    return centre - spread, centre + spread


def _agresti(k, n, z=1.96):
    centre = (k + z**2 / 2) / (n + z**2)
    half = z * math.sqrt(centre * (1 - centre) / (n + z**2))
    return centre - half, centre + half


def _exact(k, n):
    from scipy.stats import beta

    return (beta.ppf(0.025, k, n - k + 1) if k else 0.0), (beta.ppf(0.975, k + 1, n - k) if k < n else 1.0)


def check_rate_interval(interval):
    for k, n in ((13, 16), (0, 16), (16, 16), (1, 5)):
        answer = interval(k, n)
        if not _several(answer, 2):
            raise Wrong(f"Return two numbers, `(low, high)`; yours is {answer!r:.80}.")
        share, z = k / n, 1.96
        wald = z * math.sqrt(share * (1 - share) / n)
        centre, (low, high) = (k + z**2 / 2) / (n + z**2), _wilson(k, n)
        mistakes = [
            (
                [share - wald, share + wald],
                "That is the usual formula, p +- 1.96 sqrt(p (1 - p) / n): at 0 or n of n it has no width at all, as "
                "if 16 runs could make you certain.",
            ),
            (
                [max(share - wald, 0), min(share + wald, 1)],
                "Cut to [0, 1], the usual formula still has no width at 0 or n of n.",
            ),
            ([high, low], "The right numbers the wrong way round: (low, high)."),
            ([n * low, n * high], "Those are counts; divide by n."),
            (
                [centre - wald, centre + wald],
                "The centre is Wilson's; the width is still the usual formula's.",
            ),
            ([100 * low, 100 * high], "Those are percentages; return shares, between 0 and 1."),
            ([centre, high - centre], "That is centre and half-width; return the two ends."),
            ([share - (high - low) / 2, share + (high - low) / 2], "The width is Wilson's; its centre is not k / n."),
            (
                _agresti(k, n),
                "That is the interval of Agresti and Coull: Wilson's centre, with a simpler and wider half-width.",
            ),
            (
                _exact(k, n),
                "That is the exact interval of Clopper and Pearson: a good one, and wider. Wilson's is asked for.",
            ),
            ([share - wald / 1.96, share + wald / 1.96], "That is one standard error of the usual formula."),
            (
                [
                    centre - z / (n + z**2) * math.sqrt(k * (n - k) / n),
                    centre + z / (n + z**2) * math.sqrt(k * (n - k) / n),
                ],
                "The z^2 / 4 under the root is missing.",
            ),
            (_wilson(k, n, 1.645), "1.645 is for 90 %; 95 % take 1.96."),
            (_wilson(k, n, 2.576), "2.576 is for 99 %; 95 % take 1.96."),
            (_wilson(k, n, 2.0), "2 is rounded; take 1.96."),
            (_wilson(k, n, 1.0), "That is one standard deviation to each side; 95 % take 1.96."),
        ]
        expect(
            np.array([to_array(value, "an end of the interval") for value in answer]),
            [low, high],
            f"the interval for {k} of {n}",
            mistakes,
            otherwise="Compare centre and half-width with hint 2.",
            tolerance=2e-3,
        )
    return "0 of 16 still allows a rate of 0.19, and 13 of 16 anything from 0.57 to 0.93."


rate_interval = Exercise(
    name="rate_interval",
    goal="Write Wilson's 95 % interval for a rate: k of n runs have collapsed; which rates are compatible with that?",
    stub='''
def rate_interval(k, n):
    """k of n runs collapsed; (low, high), the ends of Wilson's 95 % interval, go out."""
    return ...
''',
    hints=(
        "The usual p +- 1.96 sqrt(p (1 - p) / n) says `certain` for 0 of 16. Wilson asks which rates p would give "
        "k of n within 1.96 of THEIR standard deviations.",
        "With z = 1.96: centre (k + z^2/2) / (n + z^2), half-width z / (n + z^2) sqrt(k (n - k) / n + z^2 / 4).",
        "    z = 1.96\n"
        "    centre = (k + z squared / 2) / (n + z squared)\n"
        "    half = z / (n + z squared) times sqrt(k (n - k) / n + z squared / 4)\n"
        "    return centre - half, centre + half",
    ),
    solution="""
def rate_interval(k, n):
    z = 1.96
    centre = (k + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(k * (n - k) / n + z**2 / 4)
    return centre - half, centre + half
""",
    check=check_rate_interval,
    also_right=(
        """
def rate_interval(k, n):
    # the two rates p with (k / n - p)^2 = z^2 p (1 - p) / n
    z2 = 1.96**2 / n
    roots = np.roots([1 + z2, -(2 * k / n + z2), (k / n) ** 2])
    return tuple(np.sort(roots.real))
""",
        """
from scipy.stats import binomtest
def rate_interval(k, n):
    found = binomtest(k, n).proportion_ci(confidence_level=0.95, method="wilson")
    return jnp.array([found.low, found.high])
""",
    ),
    tempting=(
        Tempting(
            """
def rate_interval(k, n):
    p = k / n
    half = 1.96 * np.sqrt(p * (1 - p) / n)
    return p - half, p + half
""",
            "no width at all",
        ),
        Tempting(
            """
def rate_interval(k, n):
    z = 1.0
    centre = (k + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(k * (n - k) / n + z**2 / 4)
    return centre - half, centre + half
""",
            "one standard deviation",
        ),
        Tempting(
            """
def rate_interval(k, n):
    z = 1.96
    centre = (k + z**2 / 2) / (n + z**2)
    half = z * np.sqrt(k / n * (1 - k / n) / n)
    return centre - half, centre + half
""",
            "still the usual",
        ),
    ),
    stretch=True,
)


# ---- a memory of old fakes ----


def _rows_in(rows, table):
    """Whether each row is one of the table's."""
    return (np.abs(rows[:, None] - table[None]).max(axis=2) < 1e-6).any(axis=1)


def check_replay(replay):
    m, n, half = 8, 4, 2
    rng = np.random.default_rng(9)
    memory, fakes = (rng.normal(size=(rows, 2)).astype(np.float32) for rows in (m, n))
    drawn = []
    for i in range(40):
        answer = replay(jnp.asarray(memory), jnp.asarray(fakes), jax.random.key(i))
        if not isinstance(answer, (tuple, list)) or len(answer) != 2:
            raise Wrong(f"Return two things, `(batch, memory)`; yours is {answer!r:.80}.")
        batch, after = to_array(answer[0], "the batch", None), to_array(answer[1], "the memory", None)
        if batch.shape == (m, 2) and after.shape == (n, 2):
            raise Wrong("The right two things the wrong way round: (batch, memory).")
        if after.shape == (m + n, 2):
            raise Wrong("The memory grows with every step: as many as come in must go out, the oldest ones.")
        if batch.shape != (n, 2) or after.shape != (m, 2):
            raise Wrong(
                f"From a memory of shape {(m, 2)} and {n} fakes the batch should have shape {(n, 2)} and the memory "
                f"{(m, 2)}; yours have {batch.shape} and {after.shape}."
            )
        if (after == memory).all():
            raise Wrong("The memory is what it was: the new fakes go in at its end, and the n oldest go out.")
        if (after == np.concatenate([fakes, memory[:-n]])).all():
            raise Wrong("The new fakes stand where the oldest should, and the newest old ones went out. Oldest first.")
        if not np.allclose(after, np.concatenate([memory[n:], fakes]), atol=1e-6):
            raise Wrong("The new memory should be the old one without its first n rows, then all n new fakes.")
        new, old = _rows_in(batch, fakes).sum(), _rows_in(batch, memory).sum()
        if old == n:
            raise Wrong("All of the batch is old: D would never see where G is now. Half of it is of the new fakes.")
        if old == 0:
            raise Wrong(
                "None of the batch was in the memory that came in. Draw from it before the new fakes go in, or D sees "
                "only new ones, and forgets."
            )
        if new != half:
            raise Wrong(f"Of {n} fakes {half} should be new and {half} old; yours are {new} new ones and {old} old.")
        picked = np.flatnonzero(_rows_in(memory, batch))
        if len(picked) < half:
            raise Wrong("One old fake is in the batch twice: draw without replacement.")
        drawn.append(frozenset(picked.tolist()))
    if len(set(drawn)) == 1:
        raise Wrong("With 40 keys the same old fakes came 40 times: draw them at random, with the key.")
    if len(frozenset().union(*drawn)) < m:
        raise Wrong("Some of the memory never comes up: draw from all of its rows.")
    again = to_array(replay(jnp.asarray(memory), jnp.asarray(fakes), jax.random.key(0))[0], "the batch", (n, 2))
    if frozenset(np.flatnonzero(_rows_in(memory, again)).tolist()) != drawn[0]:
        raise Wrong("The same key gave other old fakes: all chance should come from the key.")
    return "D sees where G is and where G has been. Now train with it, over 16 seeds, beside the patient."


replay = Exercise(
    name="replay",
    goal="Write a memory of old fakes: a batch for D, half new and half drawn from the memory; and the next memory.",
    stub='''
def replay(memory, fakes, key):
    """memory (m, d): the last m fakes, the oldest first; fakes (n, d): new ones, n even, n <= m.
    (batch for D, shape (n, d); the memory for the next step, shape (m, d)) goes out."""
    return ...
''',
    hints=(
        "Two questions, each a line: which n rows does D see, and which m rows are kept?",
        "batch = n/2 of the new fakes and n/2 rows of the old memory, drawn without replacement; memory = its rows "
        "from n on, then the fakes.",
        "    old = jax.random.choice(key, memory, (half of n,), replace=False), which draws rows\n"
        "    batch = the first half of fakes, and old, concatenated\n"
        "    next memory = memory from row n on, and fakes, concatenated",
    ),
    solution="""
def replay(memory, fakes, key):
    half = len(fakes) // 2
    old = jax.random.choice(key, memory, (half,), replace=False)
    return jnp.concatenate([fakes[:half], old]), jnp.concatenate([memory[len(fakes):], fakes])
""",
    check=check_replay,
    also_right=(
        """
def replay(memory, fakes, key):
    n = len(fakes)
    rows = np.asarray(jax.random.permutation(key, len(memory)))[: n // 2]
    memory, fakes = np.asarray(memory), np.asarray(fakes)
    return [np.vstack([memory[rows], fakes[n // 2 :]]), np.vstack([memory, fakes])[n:]]
""",
        """
@jax.jit
def replay(memory, fakes, key):
    n = fakes.shape[0]
    _, rows = jax.lax.top_k(jax.random.uniform(key, memory.shape[:1]), n // 2)
    batch = fakes.at[1::2].set(memory[rows])
    return batch, jnp.roll(memory, -n, axis=0).at[-n:].set(fakes)
""",
    ),
    tempting=(
        Tempting(
            """
def replay(memory, fakes, key):
    old = jax.random.choice(key, memory, (len(fakes),), replace=False)
    return old, jnp.concatenate([memory[len(fakes):], fakes])
""",
            "All of the batch is old",
        ),
        Tempting(
            """
def replay(memory, fakes, key):
    half = len(fakes) // 2
    return jnp.concatenate([fakes[:half], memory[:half]]), jnp.concatenate([memory[len(fakes):], fakes])
""",
            "the same old fakes",
        ),
        Tempting(
            """
def replay(memory, fakes, key):
    half = len(fakes) // 2
    old = jax.random.choice(key, memory, (half,), replace=False)
    return jnp.concatenate([fakes[:half], old]), jnp.concatenate([memory, fakes])
""",
            "grows with every step",
        ),
        Tempting(
            """
def replay(memory, fakes, key):
    half = len(fakes) // 2
    old = jax.random.choice(key, memory, (half,), replace=False)
    return jnp.concatenate([fakes[:half], old]), jnp.concatenate([fakes, memory])[: len(memory)]
""",
            "Oldest first",
        ),
        Tempting(
            """
def replay(memory, fakes, key):
    half = len(fakes) // 2
    old = jax.random.choice(jax.random.key(0), memory, (half,), replace=False)
    return jnp.concatenate([fakes[:half], old]), jnp.concatenate([memory[len(fakes):], fakes])
""",
            "with the key",
        ),
    ),
    stretch=True,
)


QUIZ = (
    Question(
        "what_is_collapse",
        "All 8 modes are reached, in equal shares, but only 40 % of the samples are of high quality. Has it collapsed?",
        (
            Choice("Yes: the score is bad.", "the score is bad, for another reason: blur. No mode is missing."),
            Choice(
                "No: nothing is missing; the samples are blurred.",
                "collapse is a loss of variety. Reverse KL is near 0 here, the high-quality share tells of the blur.",
                right=True,
            ),
            Choice(
                "Only if the loss says so.", "a loss is D's opinion at the moment; it can sit at balance in both cases."
            ),
        ),
    ),
    Question(
        "floor",
        "On the ring with 2,500 samples your GAN has a high-quality share of 0.986 and reverse KL of 0.002. And now?",
        (
            Choice("Go on to 1.000 and 0.", "a perfect generator scores 0.989 and about 0.0014 on 2,500 samples."),
            Choice(
                "It is as good as these two scores can tell; more samples, or another metric, tell more.",
                "both lie within the spread of a perfect generator's scores at this n.",
                right=True,
            ),
            Choice("It has overfitted: D is too strong.", "a score near a perfect generator's is no sign of that."),
        ),
    ),
    Question(
        "frozen_judge",
        "You stop D's learning, and G goes on. Why does G lose its modes, even if D was good?",
        (
            Choice("G forgets them, as a network without data does.", "G is pulled away from them, by its gradient."),
            Choice(
                "Against a D that stands still the best G is wherever D's answer is largest: a spike.",
                "V is linear in p_g: nothing holds several modes but D's reply.",
                right=True,
            ),
            Choice(
                "D's gradient vanishes.", "then G would stand still and keep its modes; it moves, and it loses them."
            ),
        ),
    ),
    Question(
        "why_packing",
        "What can a D that judges 4 samples at a time see that a D of single samples can't?",
        (
            Choice("Finer detail of each sample.", "each sample has the same numbers as before."),
            Choice("4 times as many samples.", "the batch is the same; only the number of verdicts falls."),
            Choice(
                "That the samples of a group resemble each other more than real ones do.",
                "variety is a property of several samples; a judge of one can't be asked about it.",
                right=True,
            ),
        ),
    ),
    Question(
        "two_papers",
        "One paper reports 1 mode of 8 for the plain GAN, another 6.3. Which is wrong?",
        (
            Choice(
                "The first: a plain GAN can't be that bad.", "with other rates, networks and steps it can; see ours."
            ),
            Choice(
                "Neither has to be: rates, networks, steps and sigma differ, and decide.",
                "ours goes from 1 to 8 modes by D's learning rate alone. A baseline is a protocol, not a name.",
                right=True,
            ),
            Choice("The second: it chose its best seed.", "it gives a spread over seeds, +-0.5."),
        ),
    ),
)

LESSON = Source(
    name="06_mode_collapse",
    given=GIVEN,
    exercises=(
        mode_report,
        perfect_scores,
        unrolled_gradient,
        pack,
        batch_stddev,
        tuned,
        ring_means,
        rate_interval,
        replay,
    ),
    quiz=QUIZ,
)
