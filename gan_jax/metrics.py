"""Samples of a generator and the target come in; scores go out, each beside the score of a perfect generator.

A metric is a function `metric(samples, target) -> scalar`, with samples of shape (n, d). A perfect generator, which
draws from the target itself, does not score 0 or 1 on a finite sample: `perfect` says what it scores at the same n.
All but `wasserstein2` are compiled, and go under `vmap` for a sweep of seeds.
"""

import functools
import html
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from . import theory
from .data import Mixture, Target
from .errors import Menu, check_count, check_key

Samples = Float[Array | np.ndarray, "n d"]
Scalar = Float[Array, ""]
Metric = Callable[..., Any]


def _check(samples: Any, target: Any, *, modes: bool = False) -> Array:
    """Raise unless these samples can be scored against this target."""
    if not isinstance(target, Target):
        raise TypeError(f"expected a target such as data.ring(8), got {target!r}")
    if modes and not isinstance(target, Mixture):
        raise TypeError(
            f"{type(target).__name__} has no modes to count; take a mixture (data.ring, data.grid, data.mixture), "
            "or a metric that needs none: metrics.sliced_wasserstein2, metrics.wasserstein2, metrics.mmd"
        )
    if np.ndim(samples) != 2 or np.shape(samples)[1:] != target.shape or not np.shape(samples)[0]:
        raise ValueError(
            f"samples must be of shape (n, {', '.join(map(str, target.shape))}), as the target's are, "
            f"got {np.shape(samples)}"
        )
    samples = jnp.asarray(samples)
    if not isinstance(samples, jax.core.Tracer) and not bool(jnp.isfinite(samples).all()):
        bad = int(jnp.sum(~jnp.isfinite(samples).all(axis=1)))
        raise ValueError(
            f"{bad} of {len(samples)} samples are NaN or infinite: the run that made them has diverged; "
            "score a state from before that (train.run keeps the last good one)"
        )
    return samples


def _nearest(samples: Samples, target: Mixture) -> tuple[Int[Array, " n"], Array]:
    """Index of each sample's nearest mode, and whether it lies within 3 of the mode's standard deviations."""
    # |x - m|^2 mode by mode: the expanded form x.x - 2 x.m + m.m loses the digits that small scales need
    squared = sum((samples[:, i, None] - target.means[None, :, i]) ** 2 for i in range(target.means.shape[1]))
    nearest = jnp.argmin(squared, axis=1)
    return nearest, jnp.min(squared, axis=1) <= (3 * target.scales[nearest]) ** 2


def _counts(nearest: Int[Array, " n"], counted: Array, k: int) -> Int[Array, " k"]:
    return jnp.sum((nearest[:, None] == jnp.arange(k)[None]) & counted[:, None], axis=0)


@jax.jit
def _modes_covered(samples, target):
    nearest, high = _nearest(samples, target)
    return jnp.sum(_counts(nearest, high, len(target.scales)) > 0)


@jax.jit
def _high_quality_share(samples, target):
    return jnp.mean(_nearest(samples, target)[1])


@jax.jit
def _reverse_kl(samples, target):
    nearest, _ = _nearest(samples, target)
    share = _counts(nearest, jnp.ones_like(nearest, bool), len(target.scales)) / len(samples)
    total = jnp.sum(jnp.where(share > 0, share * (jnp.log(share) - jnp.log(target.weights)), 0.0))
    return jnp.where(jnp.isfinite(samples).all(), total, jnp.nan)


def modes_covered(samples: Samples, target: Mixture) -> Int[Array, ""]:
    """Count the modes that the samples reach: those nearest to at least one high-quality sample.

    A sample is of high quality when it lies within 3 standard deviations of its nearest mode.

    Args:
        samples: shape (n, d).
        target: a mixture; its means are the modes.

    Returns:
        A whole number, 0 to the number of modes.

    Raises:
        TypeError: the target has no modes.
        ValueError: samples of another shape, or NaN.

    Source: Srivastava et al. 2017 (VEEGAN), section 4.1, with 2,500 samples.

    >>> from gan_jax import data
    >>> int(modes_covered(np.array([[1.0, 0.0], [1.01, 0.0], [0.0, 0.5]]), data.ring(8)))
    1
    """
    return _modes_covered(_check(samples, target, modes=True), target)


def high_quality_share(samples: Samples, target: Mixture) -> Scalar:
    """Share of the samples that lie within 3 standard deviations of their nearest mode; arguments as `modes_covered`.

    Returns:
        A number in [0, 1]. A perfect generator scores 1 - e^-4.5 = 0.98889 in the plane, not 1.

    Source: Srivastava et al. 2017 (VEEGAN), section 4.1.

    >>> from gan_jax import data
    >>> float(high_quality_share(np.array([[1.0, 0.0], [0.0, 0.5]]), data.ring(8)))
    0.5
    """
    return _high_quality_share(_check(samples, target, modes=True), target)


def reverse_kl(samples: Samples, target: Mixture) -> Scalar:
    """How unevenly the samples share out among the modes: `sum_k q_k log(q_k / weights_k)`, in nats.

    q_k is the share of samples whose nearest mode is k, of high quality or not. Arguments as `modes_covered`.

    Returns:
        0 for exact shares, log K for one mode of K. A perfect generator scores about (K - 1) / 2n.

    Source: Lin et al. 2018 (PacGAN), section 4.1.

    >>> from gan_jax import data
    >>> round(float(reverse_kl(np.array([[1.0, 0.0]]), data.ring(8))), 4)  # log 8
    2.0794
    """
    return _reverse_kl(_check(samples, target, modes=True), target)


def _reference(target: Target, n: int, key: Key[Array, ""] | None) -> tuple[Array, Key[Array, ""]]:
    """The real samples to compare with, and a key for the rest."""
    # no user's own key leads here, so samples drawn with key(0) from the target are not compared with themselves
    key = jax.random.fold_in(jax.random.key(0), 0x5C02E) if key is None else key
    check_key(key)
    reference_key, rest = jax.random.split(key)
    return target.sample(reference_key, n), rest


@functools.partial(jax.jit, static_argnames="directions")
def _sliced(samples, target, key, directions):
    real, key = _reference(target, len(samples), key)
    normal = jax.random.normal(key, (samples.shape[1], directions))
    lines = normal / jnp.linalg.norm(normal, axis=0, keepdims=True)
    project = lambda x: jnp.sort(jnp.matmul(x, lines, precision="highest").T, axis=1)  # noqa: E731
    return jnp.sqrt(jnp.mean((project(samples) - project(real)) ** 2))


def sliced_wasserstein2(
    samples: Samples, target: Target, *, directions: int = 64, key: Key[Array, ""] | None = None
) -> Scalar:
    """Wasserstein-2 distance of the projections on random lines: `sqrt(E_u W2(u.x, u.y)^2)`, u uniform on the sphere.

    Args:
        samples: shape (n, d).
        target: n real samples are drawn from it.
        directions: how many lines.
        key: for the real samples and the lines; one fixed key when left out, so that scores can be compared.

    Returns:
        A distance in the units of x, at most `wasserstein2` with the same key.

    Source: Bonneel et al. 2015, "Sliced and Radon Wasserstein Barycenters of Measures".

    >>> from gan_jax import data
    >>> target = data.ring(8)
    >>> bool(sliced_wasserstein2(target.sample(jax.random.key(0), 500), target) < 0.2)
    True
    """
    check_count(directions, "directions")
    return _sliced(_check(samples, target), target, key, directions)


def wasserstein2(samples: Samples, target: Target, *, key: Key[Array, ""] | None = None) -> float:
    """Exact Wasserstein-2 distance to as many real samples: the cheapest pairing, by `theory.wasserstein`.

    Exact for the two samples; the distance of the distributions is smaller, see `perfect`. Its time grows like n^3,
    on one CPU core, and it cannot be compiled.

    Args:
        samples: shape (n, d).
        target: n real samples are drawn from it.
        key: for the real samples; one fixed key when left out.

    Returns:
        A distance in the units of x.
    """
    samples = _check(samples, target)
    return theory.wasserstein(np.asarray(samples), np.asarray(_reference(target, len(samples), key)[0]))


def _squared_distances(x: Samples, y: Samples) -> Array:
    return sum((x[:, i, None] - y[None, :, i]) ** 2 for i in range(x.shape[1]))  # type: ignore[return-value]


# each sum is compiled by itself: XLA fuses three into one loop that runs several times slower on a CPU
@jax.jit
def _similarity(x, y, bandwidth):
    return jnp.sum(jnp.exp(-0.5 * _squared_distances(x / bandwidth, y / bandwidth)))


@jax.jit
def _median_distance(x):
    return jnp.sqrt(jnp.median(_squared_distances(x, x)[jnp.triu_indices(len(x), 1)]))


_real = jax.jit(lambda target, n, key: _reference(target, n, key)[0], static_argnums=1)


def mmd(samples: Samples, target: Target, *, bandwidth: Any = None, key: Key[Array, ""] | None = None) -> Scalar:
    """Squared maximum mean discrepancy, unbiased, with the kernel `k(x, y) = exp(-|x - y|^2 / (2 b^2))`.

    `mean_{i != j} k(x_i, x_j) - 2 mean_{i, j} k(x_i, y_j) + mean_{i != j} k(y_i, y_j)`, x the samples, y real ones.

    Args:
        samples: shape (n, d), n at least 2.
        target: n real samples are drawn from it.
        bandwidth: b, in the units of x; the median distance of the first 200 real samples when left out, which
            does not depend on the generator.
        key: for the real samples; one fixed key when left out.

    Returns:
        An estimate whose mean is 0 for a perfect generator, so that it is negative about half the time.

    Source: Gretton et al. 2012, equation 3.
    """
    samples = _check(samples, target)
    n = len(samples)
    if n < 2:
        raise ValueError("an unbiased MMD compares pairs of samples: it needs at least 2 samples, got 1")
    if bandwidth is not None and not isinstance(bandwidth, jax.core.Tracer) and not bandwidth > 0:
        raise ValueError(f"bandwidth must be positive, got {bandwidth!r}; leave it out for the median distance")
    real = _real(target, n, key)
    b = _median_distance(real[:200]) if bandwidth is None else bandwidth
    # a sample with itself (similarity 1, n times) is left out: that is what makes the estimate unbiased
    within = (_similarity(samples, samples, b) - n + _similarity(real, real, b) - n) / (n * (n - 1))
    return within - 2 * _similarity(samples, real, b) / n**2


METRICS: Menu[Metric] = Menu(
    "metric",
    {
        "modes covered": modes_covered,
        "high-quality share": high_quality_share,
        "reverse KL": reverse_kl,
        "sliced W2": sliced_wasserstein2,
        "W2": wasserstein2,
        "MMD": mmd,
    },
)
"""Every metric, by the name that a scorecard shows."""

NEED_MODES = ("modes covered", "high-quality share", "reverse KL")
"""Names of the metrics whose target must be a `data.Mixture`."""


class Perfect(NamedTuple):
    """What a perfect generator scores: mean and standard deviation over seeds."""

    mean: float
    std: float

    def __repr__(self) -> str:
        return f"{self.mean:.4g} ± {self.std:.2g}"


def perfect(metric: Metric, target: Target, n: int, *, seeds: int = 20, key: Key[Array, ""] | None = None) -> Perfect:
    """Score a generator that draws from the target itself, n samples at a time.

    Args:
        metric: a function `(samples, target) -> scalar`, such as those of this room.
        target: the target.
        n: samples a score.
        seeds: how many scores.
        key: random key of the samples; a fixed one when left out.

    Returns:
        Their mean and standard deviation.

    >>> from gan_jax import data
    >>> perfect(modes_covered, data.ring(8), 2500, seeds=3)
    8 ± 0
    """
    check_count(n, "n")
    check_count(seeds, "seeds")
    if key is not None:
        check_key(key)
    keys = jax.random.split(jax.random.fold_in(jax.random.key(0), 0x9E4F) if key is None else key, seeds)
    draw = _draw(n)
    scores = np.array([float(metric(draw(target, key), target)) for key in keys])
    return Perfect(float(scores.mean()), float(scores.std(ddof=1)) if seeds > 1 else 0.0)


@functools.lru_cache(maxsize=32)
def _draw(n: int) -> Callable:
    return jax.jit(lambda target, key: target.sample(key, n))


class Score(NamedTuple):
    """One line of a scorecard.

    Attributes:
        metric: its name.
        score: of the samples.
        perfect: of a perfect generator at the same n.
    """

    metric: str
    score: float
    perfect: Perfect


class Scorecard(list[Score]):
    """A list of `Score`s that shows itself as a table."""

    def __init__(self, scores: Sequence[Score], n: int):
        super().__init__(scores)
        self.n = n

    def _cells(self) -> list[tuple[str, str, str]]:
        head = (f"{self.n} samples", "score", "perfect generator")
        return [head, *((row.metric, f"{row.score:.4g}", repr(row.perfect)) for row in self)]

    def __repr__(self) -> str:
        width = [max(map(len, column)) for column in zip(*self._cells(), strict=True)]
        return "\n".join(
            f"{name:<{width[0]}}  {score:>{width[1]}}  {best:>{width[2]}}" for name, score, best in self._cells()
        )

    def _repr_html_(self) -> str:
        def row(cells, tag):
            return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        head, *body = self._cells()
        return f"<table><thead>{row(head, 'th')}</thead><tbody>{''.join(row(r, 'td') for r in body)}</tbody></table>"


def scorecard(samples: Samples, target: Target, *, metrics: Sequence[str] | None = None, seeds: int = 20) -> Scorecard:
    """Score samples by several metrics, each beside a perfect generator's mean ± standard deviation.

    Args:
        samples: shape (n, d).
        target: the target.
        metrics: names in `METRICS`; when left out all that suit the target, but "W2", which is slow.
        seeds: of the perfect generator.

    Returns:
        A `Scorecard`, a list of `Score`.

    >>> from gan_jax import data
    >>> target = data.ring(8)
    >>> scorecard(target.means, target, metrics=["modes covered", "high-quality share"], seeds=2)[0].score
    8.0
    """
    modes = isinstance(target, Mixture)
    if metrics is None:
        metrics = [name for name in METRICS if name != "W2" and (modes or name not in NEED_MODES)]
    if isinstance(metrics, str):
        raise TypeError(f"metrics must be a list of names, got {metrics!r}; write [{metrics!r}]")
    chosen = {name: METRICS[name] for name in metrics}
    n = len(_check(samples, target, modes=any(name in NEED_MODES for name in chosen)))
    return Scorecard(
        [
            Score(name, float(metric(samples, target)), perfect(metric, target, n, seeds=seeds))
            for name, metric in chosen.items()
        ],
        n,
    )
