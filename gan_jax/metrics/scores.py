"""A metric comes in, and what a perfect generator scores goes out; samples come in, and a scorecard goes out."""

import functools
import html
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Key

from ..data import Mixture, Stacked, Target
from ..errors import Menu, check_count, check_key
from .classes import class_kl, classes_reached, confident_share
from .distances import mmd, sliced_wasserstein2, wasserstein2
from .modes import high_quality_share, modes_covered, reverse_kl

Metric = Callable[..., Any]

METRICS: Menu[Metric] = Menu(
    "metric",
    {
        "modes covered": modes_covered,
        "high-quality share": high_quality_share,
        "reverse KL": reverse_kl,
        "classes reached": classes_reached,
        "class KL": class_kl,
        "confident share": confident_share,
        "sliced W2": sliced_wasserstein2,
        "W2": wasserstein2,
        "MMD": mmd,
    },
)
"""Every metric, by the name that a scorecard shows."""

NEED_MODES = ("modes covered", "high-quality share", "reverse KL")
"""Names of the metrics whose target must be a `data.Mixture`."""

NEED_CLASSES = ("classes reached", "class KL", "confident share")
"""Names of the metrics whose target must be a `data.Stacked`."""


def suitable(target: Target) -> list[str]:
    """Name the metrics that a scorecard of this target shows: those that have a meaning for it and are quick.

    >>> from gan_jax import data
    >>> suitable(data.spiral()), suitable(data.stacked_digits())[:2]
    (['sliced W2', 'MMD'], ['classes reached', 'class KL'])
    """
    slow = {"W2", "MMD"} if isinstance(target, Stacked) else {"W2"}  # MMD goes through the 192 numbers one by one
    without = slow | ({"sliced W2", "MMD"} if len(target.shape) > 1 else set())  # distances are of vectors
    without |= set() if isinstance(target, Mixture) else set(NEED_MODES)
    without |= set() if isinstance(target, Stacked) else set(NEED_CLASSES)
    return [name for name in METRICS if name not in without]


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
    """A list of `Score`s that shows itself as a table.

    Args:
        scores: its rows.
        n: samples that were scored.
        beside: what the last column shows.
    """

    def __init__(self, scores: Sequence[Score], n: int, *, beside: str = "perfect generator"):
        super().__init__(scores)
        self.n, self.beside = n, beside

    def _cells(self) -> list[tuple[str, str, str]]:
        head = (f"{self.n} samples", "score", self.beside)
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


def scorecard(
    samples: Float[Array | np.ndarray, "n ..."],
    target: Target,
    *,
    metrics: Sequence[str] | None = None,
    seeds: int = 20,
) -> Scorecard:
    """Score samples by several metrics, each beside a perfect generator's mean ± standard deviation.

    Args:
        samples: shape (n, *target.shape).
        target: the target.
        metrics: names in `METRICS`; when left out those that are `suitable`.
        seeds: of the perfect generator.

    Returns:
        A `Scorecard`, a list of `Score`.

    >>> from gan_jax import data
    >>> target = data.ring(8)
    >>> scorecard(target.means, target, metrics=["modes covered", "high-quality share"], seeds=2)[0].score
    8.0
    """
    if not isinstance(target, Target):
        raise TypeError(f"expected a target such as data.ring(8), got {target!r}")
    metrics = suitable(target) if metrics is None else metrics
    if isinstance(metrics, str):
        raise TypeError(f"metrics must be a list of names, got {metrics!r}; write [{metrics!r}]")
    chosen = {name: METRICS[name] for name in metrics}
    scores = {name: float(metric(samples, target)) for name, metric in chosen.items()}  # first: they check the samples
    n = len(samples)
    return Scorecard(
        [Score(name, scores[name], perfect(metric, target, n, seeds=seeds)) for name, metric in chosen.items()], n
    )
