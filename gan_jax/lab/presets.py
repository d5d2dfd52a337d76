"""A name comes in; a beginning for the lab goes out: rules, dials, target, what to show, and a measured claim about it.

Some presets work and some fail on purpose. What the page says of each (`words/presets.json`) was measured over 24 seeds
and stands here as its `claims`: ranges, and the share of seeds that kept to them at least. Print the table, with what
each seed scored, by

    python benchmarks/presets.py     # give names for some of them, --seeds 8 for fewer seeds
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import data, losses, metrics, nets, train
from ..errors import Menu, check_count
from ..train import Gan, Hyperparams

SEEDS = 24
"""Seeds over which the claims were measured."""

Samples = Float[Array | np.ndarray, "n 2"]

SCORED = 2500
"""Samples of each run that are scored."""


class Claim(NamedTuple):
    """A range that one measure keeps to over seeds.

    Attributes:
        measure: name in `MEASURES`.
        steps: when it is taken.
        low, high: the ends of the range, both belonging to it.
        since: for "moved": the step from which the way is counted.
        share: of the seeds, at least, that lie in the range.
    """

    measure: str
    steps: int
    low: float = -math.inf
    high: float = math.inf
    since: int = 0
    share: float = 1.0

    def holds(self, values: Float[np.ndarray, " seeds"]) -> bool:
        """Whether enough of the values lie in the range; NaN lies in none.

        >>> Claim("modes", 1000, 8, 8, share=0.5).holds(np.array([8.0, 3.0]))
        True
        """
        return bool(np.mean((self.low <= values) & (values <= self.high)) >= self.share)


@dataclass(frozen=True, eq=False)
class Preset:
    """A beginning for the lab.

    Attributes:
        name: its name in `PRESETS`.
        works: whether the game ends well, or fails on purpose.
        gan: the rules.
        target_name: its name in `data.TARGETS`, or "drawn".
        make_target: makes the target; targets hold arrays, and an import should make none.
        hyper: the dials.
        layers: names of the picture's layers to switch on.
        chart: name of the chart to show.
        claims: what was measured of it.
    """

    name: str
    works: bool
    gan: Gan
    target_name: str
    make_target: Callable[[], data.Target]
    hyper: Hyperparams
    layers: tuple[str, ...]
    chart: str
    claims: tuple[Claim, ...]

    @property
    def target(self) -> data.Target:
        """The target, made anew."""
        return self.make_target()

    @property
    def title_key(self) -> str:
        """Key of its title in the words."""
        return f"presets.{self.name}.title"

    @property
    def watch_key(self) -> str:
        """Key of the sentence on what to watch."""
        return f"presets.{self.name}.watch"


def _on(target: str) -> dict[str, Any]:
    return {"target_name": target, "make_target": data.TARGETS[target]}


def _far_heaps() -> data.Target:
    return data.drawn([(-3.0, 0.0), (3.0, 0.0)], scale=0.3)


_WIDE = nets.mlp(2, 64, 64, 2), nets.mlp(2, 64, 64, 1)
_NARROW = nets.mlp(2, 32, 32, 2), nets.mlp(2, 32, 32, 1)
_LINEAR: dict[str, Any] = {"loss": losses.wasserstein, "optimizer": "sgd", "update": "simultaneous", "batch_size": 128}
_LINEAR_DIALS = {"lr_g": 0.003, "lr_d": 0.003, "beta1": 0.0}
_CRITIC: dict[str, Any] = {"loss": losses.wasserstein, "batch_size": 128}

_ALL = (
    Preset(
        name="ring",
        works=True,
        gan=Gan(*_WIDE),
        **_on("ring"),
        hyper=Hyperparams(lr_g=1e-3, lr_d=2e-3),
        layers=("heat", "fake"),
        chart="losses",
        claims=(Claim("modes", 500, 8, 8, share=0.8), Claim("modes", 1000, 8, 8), Claim("quality", 2000, 0.5, 0.99)),
    ),
    Preset(
        name="thread",
        works=True,
        gan=Gan(nets.mlp(1, 32, 32, 2), nets.mlp(2, 32, 32, 1), batch_size=128),
        **_on("circle"),
        hyper=Hyperparams(lr_g=1e-3, lr_d=2e-3),
        layers=("heat", "manifold", "fake"),
        chart="divergences",
        claims=(Claim("sectors", 2000, 24, 24, share=0.9), Claim("on the circle", 2000, 0.7, 1.0)),
    ),
    Preset(
        name="moons",
        works=True,
        gan=Gan(*_NARROW, penalty=losses.wgan_gp, **_CRITIC),
        **_on("two moons"),
        hyper=Hyperparams(lr_g=1e-3, lr_d=2e-3, beta1=0.0, beta2=0.9, penalty_weight=1.0),
        layers=("heat", "fake"),
        chart="losses",
        claims=(Claim("distance", 2000, 0.0, 0.12),),
    ),
    Preset(
        name="grid",
        works=True,
        gan=Gan(nets.mlp(2, 64, 64, 2), nets.mlp(4, 64, 64, 1), packing=2),
        **_on("grid"),
        hyper=Hyperparams(lr_g=1e-3, lr_d=4e-3),
        layers=("heat", "fake"),
        chart="modes",
        claims=(Claim("modes", 1500, 24, 25, share=0.9), Claim("quality", 3000, 0.25, 0.7)),
    ),
    Preset(
        name="circling",
        works=False,
        gan=Gan(nets.mlp(2, 2), nets.mlp(2, 1), **_LINEAR),
        **_on("gaussian"),
        hyper=Hyperparams(**_LINEAR_DIALS),
        layers=("heat", "fake", "gradients"),
        chart="losses",
        claims=(Claim("offset", 20_000, 0.2, 4.0, share=0.8),),
    ),
    Preset(
        name="calmed",
        works=True,
        gan=Gan(nets.mlp(2, 2), nets.mlp(2, 1), penalty=losses.r1, **_LINEAR),
        **_on("gaussian"),
        hyper=Hyperparams(**_LINEAR_DIALS, penalty_weight=1.0),
        layers=("heat", "fake", "gradients"),
        chart="losses",
        claims=(Claim("offset", 5000, 0.0, 0.1), Claim("offset", 20_000, 0.0, 0.1)),
    ),
    Preset(
        name="collapse",
        works=False,
        gan=Gan(nets.mlp(2, 16, 16, 2), nets.mlp(2, 16, 16, 1), batch_size=64),
        **_on("ring"),
        hyper=Hyperparams(lr_g=5e-3, lr_d=5e-4),
        layers=("heat", "manifold", "fake"),
        chart="modes",
        claims=(Claim("heaps", 1000, 1, 4, share=0.9), Claim("modes", 1000, 0, 4)),
    ),
    Preset(
        name="held",
        works=False,
        gan=Gan(*_NARROW, batch_size=128),
        **_on("ring"),
        hyper=Hyperparams(lr_g=1e-3, lr_d=0.0),
        layers=("heat", "fake", "gradients"),
        chart="losses",
        claims=(Claim("modes", 500, 0, 0), Claim("distance", 500, 0.5)),
    ),
    Preset(
        name="vanishing",
        works=False,
        gan=Gan(*_NARROW, loss=losses.minimax, optimizer="sgd", d_steps=2, batch_size=128),
        target_name="drawn",
        make_target=_far_heaps,
        hyper=Hyperparams(lr_g=1e-3, lr_d=0.1),
        layers=("heat", "fake", "gradients"),
        chart="gradients",
        claims=(Claim("moved", 2000, 0.0, 0.3, since=200, share=0.9),),
    ),
    Preset(
        name="clipping",
        works=False,
        gan=Gan(*_NARROW, optimizer="rmsprop", **_CRITIC),
        **_on("two moons"),
        hyper=Hyperparams(lr_g=1e-3, lr_d=1e-3, beta1=0.0, beta2=0.9, weight_clip=0.01),
        layers=("heat", "fake"),
        chart="losses",
        claims=(Claim("at the limit", 2000, 0.4, 1.0), Claim("distance", 2000, 0.12)),
    ),
    Preset(
        name="too_fast",
        works=False,
        gan=Gan(*_NARROW, optimizer="sgd", **_CRITIC),
        **_on("ring"),
        hyper=Hyperparams(lr_g=0.1, lr_d=0.1, beta1=0.9),
        layers=("heat", "fake"),
        chart="losses",
        claims=(Claim("diverged at", 100, 0, 50),),
    ),
)

PRESETS: Menu[Preset] = Menu("preset", {preset.name: preset for preset in _ALL})
"""Every preset by name, each failing one beside what cures it."""


# ---- what they are measured by ----


class Moment(NamedTuple):
    """Where the runs of a preset stand: what a measure sees.

    Attributes:
        preset: what was run.
        sweep: the `train.Sweep`, by seed.
        samples: of each run, from the same latents, shape (seeds, SCORED, 2).
        before: likewise, at the step a claim counts from.
    """

    preset: Preset
    sweep: train.Sweep
    samples: Float[np.ndarray, "seeds n 2"]
    before: Float[np.ndarray, "seeds n 2"] | None


def _each(score: Callable) -> Callable[[Moment], np.ndarray]:
    """Score each run's samples; a run that has left the finite numbers gets NaN."""

    def scored(moment: Moment) -> np.ndarray:
        target = moment.preset.target
        return np.array([float(score(x, target)) if np.isfinite(x).all() else np.nan for x in moment.samples])

    return scored


def _heaps(samples: Samples, target: Any) -> Any:
    return jnp.sum(metrics.mode_shares(samples, target) > 0.05)


def _sectors(samples: Samples, target: data.Target) -> int:
    angle = np.arctan2(samples[:, 1], samples[:, 0])
    return int(np.sum(np.histogram(angle, 24, (-np.pi, np.pi))[0] > 0.001 * len(samples)))


def _offset(samples: Samples, target: data.Target) -> float:
    return float(np.linalg.norm(np.mean(samples, axis=0) - np.mean(target.sample(jax.random.key(1), 100_000), axis=0)))


def _moved(moment: Moment) -> np.ndarray:
    return np.linalg.norm(moment.samples - moment.before, axis=2).mean(axis=1)


def _at_the_limit(moment: Moment) -> np.ndarray:
    weights = [np.asarray(leaf).reshape(len(moment.samples), -1) for leaf in _weights(moment.sweep)]
    return np.mean(np.abs(np.concatenate(weights, axis=1)) > 0.99 * moment.preset.hyper.weight_clip, axis=1)


def _weights(sweep: train.Sweep) -> list[Array]:
    return jax.tree.leaves(sweep.states.discriminator)


def _diverged_at(moment: Moment) -> np.ndarray:
    at = moment.sweep.history["diverged_at"].values.astype(float)
    return np.where(at < 0, np.nan, at)


MEASURES: Menu[Callable[[Moment], np.ndarray]] = Menu(
    "measure of a preset",
    {
        "modes": _each(metrics.modes_covered),
        "quality": _each(metrics.high_quality_share),
        "heaps": _each(_heaps),
        "distance": _each(metrics.sliced_wasserstein2),
        "sectors": _each(_sectors),
        "on the circle": _each(lambda x, target: np.mean(np.abs(np.linalg.norm(x, axis=1) - 1) < 0.15)),
        "offset": _each(_offset),
        "moved": _moved,
        "at the limit": _at_the_limit,
        "diverged at": _diverged_at,
    },
)
"""Modes reached, of high quality; heaps with more than 5 % of the samples; sliced W2; sectors of 24 about the origin
with 0.1 % of the samples; share within 0.15 of the unit circle; distance of the mean from the target's; mean way of a
fake of the same latent; share of D's weights at the clip; the step at which a run left the finite numbers."""


def measure(
    preset: Preset, seeds: int = SEEDS, claims: Sequence[Claim] | None = None
) -> dict[Claim, Float[np.ndarray, " seeds"]]:
    """Run a preset from several seeds, and take what it claims to the test.

    Args:
        preset: one of `PRESETS`.
        seeds: how many.
        claims: which of them; all when left out.

    Returns:
        For each claim the measure in each seed; `claim.holds(values)` judges them.
    """
    check_count(seeds, "seeds")
    claims = preset.claims if claims is None else claims
    target, keys = preset.target, jax.random.split(jax.random.key(0), seeds)
    times = sorted({claim.steps for claim in claims} | {claim.since for claim in claims} - {0})
    sweep: train.Sweep | None = None
    seen: dict[int, np.ndarray] = {}
    found: dict[Claim, np.ndarray] = {}
    for steps in times:
        n = steps - (sweep.steps if sweep else 0)
        sweep = train.sweep(preset.gan, preset.hyper, target, keys, n, start=sweep, progress=False)
        seen[steps] = sweep.sample(jax.random.key(9), SCORED)
        for claim in claims:
            if claim.steps == steps:
                moment = Moment(preset, sweep, seen[steps], seen.get(claim.since))
                found[claim] = np.asarray(MEASURES[claim.measure](moment))
    return {claim: found[claim] for claim in claims}


def table(presets: Sequence[Preset], seeds: int = SEEDS) -> str:
    """Measure presets, and lay out what was claimed beside what each seed scored."""
    lines = []
    for preset in presets:
        for claim, values in measure(preset, seeds).items():
            verdict = "holds" if claim.holds(values) else "FAILS"
            scores = " ".join(f"{value:.3g}" for value in values)
            since = f" since {claim.since:,}" if claim.since else ""
            lines += [f"{preset.name:10} step {claim.steps:5,} {claim.measure + since:15} "
                      f"{claim.low:5g} to {claim.high:<5g} {verdict}: {scores}"]  # fmt: skip
    return "\n".join(lines)
