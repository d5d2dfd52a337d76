"""Samples and a target with modes come in; which modes they hold, how well, and a verdict in words, go out.

What counts as evidence is what a perfect generator of as many samples shows less than once in a thousand times: a
mode that 20 samples miss may have been missed by chance, one that 2,500 samples miss has not.
"""

import html
import math
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..classifiers import Classifier
from ..data import Mixture, Stacked
from .classes import classifier_of, read_confidently
from .samples import check, check_stacked
from .shares import assign, count_modes

CHANCE = 0.001
"""How seldom a perfect generator shows what counts as evidence against a generator."""

LOW_QUALITY = 0.1
"""Share of high-quality samples below which no mode counts as learnt."""

ONE_MODE = 0.95
"""Share of the samples that one mode must hold for a collapse to be called total."""

VERDICTS = ("everything of low quality", "total collapse", "partial collapse", "uneven", "balanced")
"""What a `ModeReport` may say; the first that applies, in this order."""


@dataclass(frozen=True, eq=False, repr=False)
class ModeReport:
    """Which modes the samples hold; shows itself as a small table.

    Attributes:
        verdict: one of `VERDICTS`.
        why: what decided it, in one sentence with its numbers.
        n: samples.
        counts: samples in each mode, those of low quality too, shape (K,).
        high_quality: those of high quality among them, shape (K,).
        expected: shares of a perfect generator, shape (K,).
        missing: modes that no sample reaches: for a mixture no high-quality one, as `modes_covered` counts, for
            stacked digits none at all, as `classes_reached` counts.
        may_miss: how many modes a perfect generator of n samples may miss: more happen less than once in 1,000 times.
        too_few: modes with fewer samples than a perfect generator's spread allows, those with none included.
        too_many: modes with more.
        perfect_quality: share of high-quality samples of a perfect generator.
        names: of the modes.
        places: their centres, shape (K, d); None for stacked digits.
        digits: samples that show each digit in each channel, shape (3, 10); None for a mixture.
    """

    verdict: str
    why: str
    n: int
    counts: Int[np.ndarray, " k"]
    high_quality: Int[np.ndarray, " k"]
    expected: Float[np.ndarray, " k"]
    missing: tuple[int, ...]
    may_miss: int
    too_few: tuple[int, ...]
    too_many: tuple[int, ...]
    perfect_quality: float
    names: tuple[str, ...] = field(default=())
    places: Float[np.ndarray, "k d"] | None = None
    digits: Int[np.ndarray, "3 10"] | None = None

    @property
    def shares(self) -> Float[np.ndarray, " k"]:
        """Share of the samples in each mode."""
        return self.counts / self.n

    @property
    def quality(self) -> float:
        """Share of all samples that are of high quality."""
        return float(self.high_quality.sum() / self.n)

    @property
    def quality_by_mode(self) -> Float[np.ndarray, " k"]:
        """Share of each mode's samples that are of high quality; NaN where it has none."""
        return np.where(self.counts > 0, self.high_quality / np.maximum(self.counts, 1), np.nan)

    def _remark(self, mode: int) -> str:
        if mode in self.missing:
            return "missing" if self.counts[mode] == 0 else "missing: none of high quality"
        return "too few" if mode in self.too_few else "too many" if mode in self.too_many else ""

    def _head(self) -> list[str]:
        k = int(np.sum(self.expected > 0))
        allowed = f"at least {k - self.may_miss}" if self.may_miss else "all"
        return [
            f"{self.verdict}: {self.why}",
            f"{self.n} samples, {k - len(self.missing)} of {k} modes (a perfect generator: {allowed}), "
            f"{self.quality:.1%} of high quality (a perfect generator: {self.perfect_quality:.1%})",
        ]

    def _table(self) -> list[tuple[str, ...]]:
        if self.digits is not None:
            share = [[f"{count / self.n:.1%}" for count in row] for row in self.digits]
            return [
                ("digit", *map(str, range(10))),
                *((f"channel {i}", *row) for i, row in enumerate(share)),
            ]
        head = ("mode", "place", "samples", "share", "expected", "high quality", "remark")
        rows = [
            (
                self.names[k],
                "" if self.places is None else _place(self.places[k]),
                str(self.counts[k]),
                f"{self.shares[k]:.1%}",
                f"{self.expected[k]:.1%}",
                "-" if self.counts[k] == 0 else f"{self.quality_by_mode[k]:.1%}",
                self._remark(k),
            )
            for k in self._shown()
        ]
        left_out = len(self.counts) - len(rows)
        return [head, *rows, *([("...", "", "", "", "", "", f"{left_out} more modes")] if left_out else [])]

    def _shown(self) -> list[int]:
        """All modes, or of many the 25 that differ most from what is expected."""
        surprise = np.abs(self.shares - self.expected) / np.sqrt(np.maximum(self.expected, 1e-12))
        return sorted(np.argsort(-surprise, kind="stable")[:25].tolist())

    def __repr__(self) -> str:
        table = self._table()
        width = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(cell.rjust(w) for cell, w in zip(row, width, strict=True)).rstrip() for row in table]
        return "\n".join([*self._head(), *lines])

    def _repr_html_(self) -> str:
        def row(cells, tag):
            return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        verdict, summary = (html.escape(line) for line in self._head())
        verdict = f"<b>{html.escape(self.verdict)}</b>{verdict[len(html.escape(self.verdict)) :]}"
        head, *body = self._table()
        rows = "".join(row(cells, "td") for cells in body)
        return f"<p>{verdict}<br>{summary}</p><table><thead>{row(head, 'th')}</thead><tbody>{rows}</tbody></table>"


def _place(point: np.ndarray) -> str:
    return f"({', '.join(f'{round(float(v), 2) + 0.0:.3g}' for v in point)})"


def _most_missing(hit: np.ndarray, n: int) -> int:
    """The smallest number m such that n perfect samples miss more than m modes with a probability below `CHANCE`.

    Whether a mode is missed is taken as independent of the others, mode k missed with probability (1 - hit_k)^n. In
    truth a missed mode makes it less likely that another is missed, so the bound errs towards letting more pass.
    """
    exactly = np.ones(1)  # probabilities of 0, 1, 2, ... missed modes
    for missed in np.exp(n * np.log1p(-np.minimum(hit, 1 - 1e-15))):
        exactly = np.convolve(exactly, [1 - missed, missed])
    more_than = np.append(np.cumsum(exactly[::-1])[::-1][1:], 0.0)  # summed from the small end, to keep the digits
    return int(np.argmax(more_than < CHANCE))


def _expected(target: Any, classifier: Classifier | None) -> tuple[np.ndarray, np.ndarray]:
    """A perfect generator's share of samples in each mode, and the part of it that is of high quality."""
    if isinstance(target, Mixture):
        from scipy.special import gammainc

        weights = np.asarray(target.weights, np.float64)
        # P(|x - m| <= 3 sigma) in d dimensions: 0.98889 in the plane
        return weights / weights.sum(), weights / weights.sum() * gammainc(target.shape[0] / 2, 4.5)
    source = target.source
    counted, confident = np.zeros(10), np.zeros(10)
    for start in range(0, len(source), 5000):
        images = (2.0 * np.asarray(source.images[start : start + 5000, ..., 0]) - source.peak) / source.peak
        digits, sure = (np.asarray(a) for a in _read_grey(images.astype(np.float32), classifier))
        counted += np.bincount(digits, minlength=10)
        confident += np.bincount(digits[sure], minlength=10)
    triples = lambda share: np.einsum("i,j,k->ijk", share, share, share).ravel()  # noqa: E731
    return triples(counted / len(source)), triples(confident / len(source))


@jax.jit
def _read_grey(images, classifier):
    log_probabilities = classifier(images)
    return jnp.argmax(log_probabilities, axis=1), read_confidently(log_probabilities[:, None])


def _verdict(found: dict[str, Any], n: int, reaching: np.ndarray, hit: np.ndarray, perfect: float) -> tuple[str, str]:
    """The first of `VERDICTS` that applies, and why; `hit` is the chance that a perfect sample reaches each mode."""
    from scipy.special import bdtr, bdtrc

    k, name, missing, may_miss = len(hit), found["names"], found["missing"], found["may_miss"]
    good = int(found["high_quality"].sum())
    if good < LOW_QUALITY * n and bdtr(good, n, perfect) < CHANCE:
        nearest = int(np.argmax(found["counts"]))
        of_one = k > 1 and found["counts"][nearest] >= ONE_MODE * n
        why = f"{good / n:.1%} of the samples are of high quality, and below {LOW_QUALITY:.0%} no mode counts as learnt"
        return "everything of low quality", why + (
            f"; nearly all are nearest to mode {name[nearest]}" if of_one else ""
        )
    fullest = int(np.argmax(reaching))
    lighter = hit[fullest] < ONE_MODE * hit.sum()  # a mode that is nearly all of the target may hold nearly all
    by_chance = bdtrc(int(reaching[fullest]) - 1, n, hit[fullest])
    if lighter and reaching[fullest] >= ONE_MODE * reaching.sum() and by_chance < CHANCE / k:  # it could be any of k
        share = reaching[fullest] / reaching.sum()
        return "total collapse", f"of the samples that reach a mode, mode {name[fullest]} holds {share:.1%}"
    surely = [mode for mode in missing if n * math.log1p(-min(hit[mode], 1 - 1e-15)) < math.log(CHANCE / k)]
    if len(missing) > may_miss or surely:
        named = f" ({', '.join(name[mode] for mode in missing)})" if len(missing) <= 12 else ""
        all_hit = bool(surely) or not may_miss
        floor = "hits them all" if all_hit else f"misses more than {may_miss} less than once in 1,000 times"
        why = f"{len(missing)} of {k} modes missing{named}; a perfect generator of {n} samples {floor}"
        return "partial collapse", why
    few, many = len(found["too_few"]), len(found["too_many"])
    if few or many:
        return "uneven", f"no collapse, but {few} of {k} modes hold too few samples and {many} too many for chance"
    by_luck = f", as {n} samples may by chance" if missing else ""
    return (
        "balanced",
        f"{len(missing) or 'none'} of {k} modes missing{by_luck}, and no share is off by more than chance",
    )


_assign = jax.jit(assign)


def mode_report(
    samples: Float[Array | np.ndarray, "n ..."], target: Mixture | Stacked, *, classifier: Classifier | None = None
) -> ModeReport:
    """Say which modes the samples hold, how well and how evenly, and what to call it.

    The verdict is the first of these that applies:

    - *everything of low quality*: less than 10 % of the samples are of high quality, and chance does not explain it;
    - *total collapse*: one mode, of less weight, holds at least 95 % of the samples that reach a mode;
    - *partial collapse*: more modes are missing than a perfect generator misses in 999 of 1,000 cases, or one is that
      it would hit in all but 1 of 1,000 K;
    - *uneven*: the count of a mode lies outside a perfect generator's: its binomial tail is below 1 in 1,000 K;
    - *balanced*: none of these.

    A mixture's expected shares are its weights, which is exact when the modes lie well apart (by some 6 standard
    deviations). Those of stacked digits are the data's own as the classifier reads them, and high quality is all three
    digits read with confidence, as in `confident_share`.

    Args:
        samples: shape (n, *target.shape).
        target: a mixture, whose means are the modes, or stacked digits, whose 1,000 classes are.
        classifier: of stacked digits; the one that is shipped for them when left out.

    Returns:
        A `ModeReport`.

    Raises:
        TypeError: the target has no modes.
        ValueError: samples of another shape, or NaN.

    >>> from gan_jax import data
    >>> target = data.mixture([-1.0, 0.0, 1.0], 0.1)
    >>> mode_report(np.repeat(np.array([[-1.0], [1.0], [1.25]]), 40, axis=0), target)
    partial collapse: 1 of 3 modes missing (1); a perfect generator of 120 samples hits them all
    120 samples, 2 of 3 modes (a perfect generator: all), 100.0% of high quality (a perfect generator: 99.7%)
    mode  place  samples  share  expected  high quality   remark
       0   (-1)       40  33.3%     33.3%        100.0%
       1    (0)        0   0.0%     33.3%             -  missing
       2    (1)       80  66.7%     33.3%        100.0%  too many
    """
    from scipy.special import bdtr, bdtrc

    k = count_modes(target)
    if isinstance(target, Mixture):
        samples, places = check(samples, target, modes=True), np.asarray(target.means)
        names = tuple(map(str, range(k)))
    else:
        samples, places, classifier = check_stacked(samples, target), None, classifier_of(target, classifier)
        names = tuple(f"{mode:03d}" for mode in range(k))
    n = len(samples)
    modes, good = (np.asarray(a) for a in _assign(samples, target if places is not None else None, classifier))
    expected, expected_good = _expected(target, classifier)
    counts, high_quality = (np.bincount(chosen, minlength=k) for chosen in (modes, modes[good]))
    reaching, hit = (counts, expected) if places is None else (high_quality, expected_good)
    found: dict[str, Any] = {
        "counts": counts,
        "high_quality": high_quality,
        "names": names,
        "missing": tuple(np.flatnonzero((reaching == 0) & (expected > 0)).tolist()),
        "may_miss": _most_missing(hit[expected > 0], n),
        "too_few": tuple(np.flatnonzero(bdtr(counts, n, expected) < CHANCE / (2 * k)).tolist()),
        "too_many": tuple(
            np.flatnonzero((counts > 0) & (bdtrc(np.maximum(counts - 1, 0), n, expected) < CHANCE / (2 * k))).tolist()
        ),
    }
    verdict, why = _verdict(found, n, reaching, hit, float(expected_good.sum()))
    digits = None
    if places is None:
        cube = counts.reshape(10, 10, 10)
        digits = np.stack([cube.sum(axis=tuple(a for a in range(3) if a != channel)) for channel in range(3)])
    return ModeReport(
        verdict=verdict,
        why=why,
        n=n,
        expected=expected,
        perfect_quality=float(expected_good.sum()),
        places=places,
        digits=digits,
        **found,
    )
