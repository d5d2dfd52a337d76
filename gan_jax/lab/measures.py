"""A session comes in; numbers over time go out, each with what a perfect generator gets from the same estimator.

- kl, kl_reverse, js: `KL(p || p_g)`, `KL(p_g || p)` and their Jensen-Shannon divergence over the cells of the picture,
  in nats: both densities through a kernel one cell wide, p exact, p_g from 4,096 samples.
- modes, quality, mode_kl: `modes_covered`, `high_quality_share` and `reverse_kl` of `metrics`, of those 4,096 samples.
- w2: `metrics.wasserstein2`, exact, of 512 of them and 512 real ones.
- calibration: mean distance of D's answer from D* over as many real as fake samples, `E |D - D*|`.
- gradient_g, gradient_d: length of each player's gradient on a fixed batch of 128.
- rightmost: largest real part of the eigenvalues of the game's field on that batch; computed when it is asked for.

The perfect generator's value is the mean over 8 draws (W2: 4) from the target itself, with the same estimator and as
many samples; for the calibration that of a D which says 1/2. Gradients have none; for `rightmost` it is 0, the border.

Between Gaussians the divergences are within 5 % and three floors of the closed forms as long as p_g's tails are as wide
as p's. Where p reaches beyond them, few of the 4,096 samples do, and KL(p || p_g) comes out too large: 0.80 instead of
0.69 for N(0, I) against N(0, 0.36 I) in the plane.

What the divergences are not: the kernel blurs what is finer than a cell, so they are those of blurred densities, and
never larger than the sharp ones (blurring loses information). N samples cannot show that a cell has less than about
1 / N of the mass, so both sides hold one more sample, spread evenly over all cells and the outside: that keeps a KL
finite, at most about log N plus the log of what a cell holds. Both sides sum to 1, so that none is ever negative.
"""

import math
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from .. import data, metrics, theory
from ..data.distributions import _draw
from ..errors import Menu
from .densities import SAMPLES, Masses, fake_masses, moment, noise_now, real_masses, round_off
from .layers import Reason, answers, best_answer, read_cells, reads_ratio
from .stability import gradient_norms, spectrum

DRAWS = 8
"""Draws from the target by which a perfect generator is scored."""

PAIRS = 512
"""Samples a side that the exact W2 pairs."""

SHARE = 0.05
"""Share of the time that one measure may take: a slow one is taken more seldom."""

BINS = 10
"""Bins of the reliability diagram."""


# ---- a series that does not grow ----


class Track:
    """A measure's series of (step, value), thinned: when it is full, every second point is dropped.

    >>> track = Track(size=4)
    >>> for step in range(6):
    ...     track.add(step, 10.0 * step)
    >>> track.points.tolist()  # every second one, and the newest
    [[0.0, 0.0], [2.0, 20.0], [4.0, 40.0], [5.0, 50.0]]
    """

    def __init__(self, size: int = 512):
        self.size, self.stride, self._count = size, 1, 0
        self._kept: list[tuple[int, float]] = []
        self.last: tuple[int, float] | None = None

    def add(self, step: int, value: float) -> None:
        """Append a point; one that is not finite is left out."""
        if not math.isfinite(value):
            return
        self.last = int(step), float(value)
        if self._count % self.stride == 0:
            self._kept.append(self.last)
        self._count += 1
        if len(self._kept) >= self.size:  # one less than full, so that the newest has its place
            self._kept = self._kept[::2]
            self.stride *= 2

    def cut(self, step: int) -> None:
        """Forget what comes after this step, where a run goes back and takes another way."""
        if self.last is None or self.last[0] <= step:
            return
        self._kept = [point for point in self._kept if point[0] <= step]
        self.last, self._count = (self._kept[-1] if self._kept else None), len(self._kept) * self.stride

    @property
    def points(self) -> Float[np.ndarray, "n 2"]:
        """The series, at most `size` points, the newest last."""
        newest = [self.last] if self.last and self.last != self._kept[-1] else []
        return np.array([*self._kept, *newest], np.float64).reshape(-1, 2)


# ---- the measures ----


class Measure(NamedTuple):
    """A number that can be followed over time.

    Attributes:
        label: short, in English; the page has it under `measures.<name>`.
        chart: name in `CHARTS` of the picture it belongs to.
        compute: from a session to its value now.
        floor: from a session to what a perfect generator, or the equilibrium, gets from the same estimator; None where
            there is no such value.
        reason: why it does not apply under the present rules; None where it does.
        every: seconds between two values at least; infinity for one that is computed when it is asked for.
    """

    label: str
    chart: str
    compute: Callable[[Any], float]
    floor: Callable[[Any], float | None]
    reason: Callable[[Any], Reason | None] = lambda session: None
    every: float = 0.2


def _divergence(kind: str, masses: Masses, *, turned: bool = False) -> float:
    real, fake = map(np.log, masses.supported)
    one, other = (fake, real) if turned else (real, fake)
    # by Gibbs' inequality none is below 0; the sum's last digits may be
    return max(float(theory.divergence(kind, one, other, np.ones(len(one)))), 0.0)


def kl(masses: Masses) -> float:
    """`KL(p || p_g)` over the cells, in nats: large where real samples lie that G does not make."""
    return _divergence("kl", masses)


def kl_reverse(masses: Masses) -> float:
    """`KL(p_g || p)` over the cells, in nats: large where G makes samples that are not real."""
    return _divergence("kl", masses, turned=True)


def js(masses: Masses) -> float:
    """Jensen-Shannon divergence over the cells, in nats, at most log 2."""
    return min(_divergence("jensen_shannon", masses), math.log(2))


def unsure(masses: Masses) -> float:
    """`E |1/2 - D*|`: how far D = 1/2 is from the estimate of D*."""
    return float(masses.weight @ abs(masses.best - 0.5) / masses.weight.sum())


def _of_masses(function: Callable[[Masses], float]) -> Callable[[Any], float]:
    return lambda session: function(moment(session).masses())


def _of_samples(metric: Callable, n: int = SAMPLES) -> Callable[[Any], float]:
    return lambda session: float(metric(moment(session).fake[:n], session.target))


def calibration(session: Any) -> float:
    """`E |D - D*|` over as many real as fake samples, by the cells of the picture; at most 1."""
    masses = moment(session).masses(noise_now(session))
    gap = abs(read_cells(session) - best_answer(session, masses.best))
    return float(masses.weight @ gap / masses.weight.sum())


# ---- what a perfect generator gets ----

_PERFECT: dict[Any, metrics.Perfect] = {}
_AT_HAND: weakref.WeakKeyDictionary[Any, dict] = weakref.WeakKeyDictionary()


def perfect(session: Any, name: str) -> metrics.Perfect | None:
    """Mean and standard deviation of a measure for a generator that draws from the target itself; kept by target.

    Args:
        session: whose target it is.
        name: name in `MEASURES`.

    Returns:
        None for a measure without such a value.
    """
    if name in _OF_MASSES:
        width = round_off(moment(session).cell if name != "calibration" else _seen_width(session))
        score: Callable = lambda: _perfect_masses(session, _OF_MASSES[name], width)  # noqa: E731
    elif name in _OF_SAMPLES:
        metric, n, draws = _OF_SAMPLES[name]
        width, score = 0.0, lambda: metrics.perfect(metric, session.target, n, seeds=draws)
    else:
        return None
    leaves, structure = jax.tree.flatten(session.target)
    known = (
        name,
        width,
        tuple(map(float, session.window)),
        structure,
        *(np.asarray(leaf).tobytes() for leaf in leaves),
    )
    if known not in _PERFECT:
        if len(_PERFECT) >= 256:
            _PERFECT.pop(next(iter(_PERFECT)))
        _PERFECT[known] = score()
    return _PERFECT[known]


def _seen_width(session: Any) -> float:
    return math.hypot(moment(session).cell, noise_now(session))


def _perfect_masses(session: Any, function: Callable[[Masses], float], width: float) -> metrics.Perfect:
    real = real_masses(session.target, session.window, width)
    scores = []
    for key in jax.random.split(jax.random.key(0x9E4F), DRAWS):
        samples = _draw(session.target, key, SAMPLES)
        scores.append(function(Masses(real, fake_masses(samples, session.window, width), width, SAMPLES)))
    return metrics.Perfect(float(np.mean(scores)), float(np.std(scores, ddof=1)))


_OF_MASSES: dict[str, Callable[[Masses], float]] = {
    "kl": kl, "kl_reverse": kl_reverse, "js": js, "calibration": unsure
}  # fmt: skip

_OF_SAMPLES: dict[str, tuple[Callable, int, int]] = {
    "modes": (metrics.modes_covered, SAMPLES, DRAWS),
    "quality": (metrics.high_quality_share, SAMPLES, DRAWS),
    "mode_kl": (metrics.reverse_kl, SAMPLES, DRAWS),
    "w2": (metrics.wasserstein2, PAIRS, 4),
}


def _floor(name: str) -> Callable[[Any], float | None]:
    def floor(session: Any) -> float | None:
        found = perfect(session, name)
        if found is None:
            return None
        return best_answer(session, found.mean) if name == "calibration" else found.mean

    return floor


def _no_modes(session: Any) -> Reason | None:
    if isinstance(session.target, data.Mixture):
        return None
    return {"key": "measures.no_modes", "values": {}}


def _no_floor(session: Any) -> None:
    return None


MEASURES: Menu[Measure] = Menu(
    "measure",
    {
        "kl": Measure("KL(p‖p_g)", "divergences", _of_masses(kl), _floor("kl")),
        "kl_reverse": Measure("KL(p_g‖p)", "divergences", _of_masses(kl_reverse), _floor("kl_reverse")),
        "js": Measure("JSD", "divergences", _of_masses(js), _floor("js")),
        "modes": Measure(
            "modes reached", "modes", _of_samples(metrics.modes_covered), _floor("modes"), _no_modes
        ),
        "quality": Measure(
            "high-quality share", "shares", _of_samples(metrics.high_quality_share), _floor("quality"), _no_modes
        ),
        "mode_kl": Measure(
            "reverse KL of modes", "divergences", _of_samples(metrics.reverse_kl), _floor("mode_kl"), _no_modes
        ),
        "w2": Measure("W₂", "distances", _of_samples(metrics.wasserstein2, PAIRS), _floor("w2"), every=3.0),
        "calibration": Measure("E|D − D*|", "shares", calibration, _floor("calibration"), reads_ratio),
        "gradient_g": Measure("|∇L_G|", "gradients", lambda session: gradient_norms(session).generator, _no_floor),
        "gradient_d": Measure("|∇L_D|", "gradients", lambda session: gradient_norms(session).discriminator, _no_floor),
        "rightmost": Measure(
            "largest Re λ", "spectrum", lambda session: spectrum(session)["rightmost"], lambda session: 0.0,
            every=math.inf,
        ),
    },
)  # fmt: skip
"""Every measure by name. What each costs: `benchmarks/layers.py`."""


class Chart(NamedTuple):
    """A picture of measures that share an axis.

    Attributes:
        measures: names in `MEASURES`; for "losses" those of `train.History`.
        log: whether the axis is logarithmic.
    """

    measures: tuple[str, ...]
    log: bool = False


CHARTS: Menu[Chart] = Menu(
    "chart",
    {
        "losses": Chart(("loss_d", "loss_g")),
        "divergences": Chart(("kl", "kl_reverse", "js", "mode_kl"), log=True),
        "modes": Chart(("modes",)),
        "shares": Chart(("quality", "calibration")),
        "distances": Chart(("w2",), log=True),
        "gradients": Chart(("gradient_g", "gradient_d"), log=True),
        "spectrum": Chart(("rightmost",)),
    },
)
"""Which measures stand in one picture; the page has the names under `charts.<name>`."""


# ---- following them ----


class Tracks:
    """The series of the measures that somebody looks at.

    Args:
        names: names in `MEASURES`.
    """

    def __init__(self, names: Sequence[str] = ()):
        self.tracks: dict[str, Track] = {}
        self._due: dict[str, float] = {}
        self.follow(names)

    def follow(self, names: Sequence[str]) -> None:
        """Follow these from now on; a series that is there already goes on."""
        for name in names:
            MEASURES[name]
        self.tracks = {name: self.tracks.get(name, Track()) for name in names}

    def clear(self) -> None:
        """Begin every series anew."""
        self.tracks, self._due = {name: Track() for name in self.tracks}, {}

    def cut(self, step: int) -> None:
        """Forget what comes after this step."""
        for track in self.tracks.values():
            track.cut(step)

    def update(self, session: Any, *, now: float | None = None) -> None:
        """Measure what is due; what is slow comes up more seldom, so that it takes `SHARE` of the time at most."""
        step = int(session.game.step)
        for name, track in self.tracks.items():
            began = time.perf_counter() if now is None else now
            measure = MEASURES[name]
            stands = track.last is not None and track.last[0] >= step  # or a hand looks at the run's past
            if math.isinf(measure.every) or stands or began < self._due.get(name, -math.inf) or measure.reason(session):
                continue
            started, first = time.perf_counter(), track.last is None
            track.add(step, measure.compute(session))
            spent = 0.0 if first else time.perf_counter() - started  # the first may have had to compile
            self._due[name] = began + max(measure.every, spent / SHARE)

    def arrays(self) -> dict[str, np.ndarray]:
        """Each series as `track_<name>`, shape (n, 2) in float32: step and value."""
        return {f"track_{name}": track.points.astype(np.float32) for name, track in self.tracks.items()}

    def describe(self, session: Any) -> dict[str, Any]:
        """For a frame's header: each measure's value, floor and why it does not apply."""
        return {
            name: {
                "value": None if track.last is None else track.last[1],
                "floor": None if MEASURES[name].reason(session) else MEASURES[name].floor(session),
                "reason": MEASURES[name].reason(session),
            }
            for name, track in self.tracks.items()
        }


# ---- reliability: of the samples that D calls real with probability 0.7, how many are? ----


def reliability(session: Any) -> dict[str, Any]:
    """Sort real and fake samples into bins by D's answer, and count the real ones in each.

    As many real as fake samples are asked, so that the answer of a well calibrated D is the share of real ones in its
    bin.

    Args:
        session: the game.

    Returns:
        Plain numbers: `reason` why D's answers are no probabilities, or None, and then `answer`, D's mean answer in
        each bin that holds samples, `share` of real samples there, `count`; `error`, the mean distance of the two over
        the samples; `floor`, what a calibrated D of as many samples gets on average.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3 (the expected calibration error).
    """
    reason = reads_ratio(session)
    if reason:
        return {"reason": reason, "step": int(session.game.step)}
    real, fake = _answers_to_samples(session)
    both, is_real = np.concatenate([real, fake]), np.arange(len(real) + len(fake)) < len(real)
    which = np.minimum((both * BINS).astype(int), BINS - 1)
    count = np.bincount(which, minlength=BINS)
    held = count > 0
    answer, share = (
        np.bincount(which, weights=values, minlength=BINS)[held] / count[held] for values in (both, is_real)
    )
    weight = count[held] / len(both)
    chance = np.sqrt(2 / math.pi * answer * (1 - answer) / count[held])  # mean distance of a binomial share
    return {
        "reason": None,
        "answer": answer.tolist(),
        "share": share.tolist(),
        "count": count[held].tolist(),
        "error": float(weight @ abs(answer - share)),
        "floor": float(weight @ chance),
        "step": int(session.game.step),
    }


def _answers_to_samples(session: Any) -> tuple[np.ndarray, np.ndarray]:
    from .layers import _rules, _sample_logits

    now, noise = moment(session), noise_now(session)
    real = _draw(session.target, jax.random.key(0xCA1), SAMPLES)
    keys = jax.random.split(jax.random.key(0xB1), 2)
    seen = [
        samples + noise * jax.random.normal(key, samples.shape)
        for key, samples in zip(keys, (real, now.fake), strict=True)
    ]
    d, rules = session.game.discriminator, _rules(session)
    logits = [np.asarray(_sample_logits(d, session.real, samples, **rules)[1]) for samples in seen]
    scaled = 1 - session.hyper.label_smoothing  # smoothing draws D's answers to this share of the probability
    return tuple(np.clip(answers(session, each, *logits) / scaled, 0, 1) for each in logits)


def _spectrum_message(lab: Any, message: dict) -> None:
    lab.tell("spectrum", spectrum(lab.session), message.get("request"))


def _reliability_message(lab: Any, message: dict) -> None:
    lab.tell("reliability", reliability(lab.session), message.get("request"))


ANSWERS = {"spectrum": _spectrum_message, "reliability": _reliability_message}
