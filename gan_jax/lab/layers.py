"""A session comes in; the layers of its picture go out as arrays, and what is the case at one point of the plane.

Everything is compiled once for the networks' structure, and a push once a loss; dials and states are arguments, so that
moving a dial never compiles. What a layer cannot show under the present rules it says in words, by the key of a text in
`words/layers.json` and the values that stand in it.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float

from .. import data, losses, train
from ..data.distributions import _draw
from ..errors import Menu
from ..explorer.ground import ground
from .densities import SIDE, _log_prob, blurred, generate, latents, moment, noise_now

PUSHES = 128
"""Fake samples whose push is shown."""

TURNS = 4
"""Real companions that each fake sample meets, one after the other, where a loss compares the two."""

LATTICE = 25
"""Nodes a side of the warped lattice of a latent of two numbers."""

NODES = 257
"""Nodes of the curve of a latent of one number."""

REACH = 0.005
"""Length of an arrow, as a share of the window's width, for a push that would change G's loss by 1 nat over that width.

One constant for all losses and states: what is drawn is the push at its true length, and saturation is seen."""

PROBE_SAMPLES = 65_536
"""Samples by which a probe estimates p_g, with a kernel half a cell wide."""

Arrays = dict[str, np.ndarray]
Reason = dict[str, Any]
"""`{"key": of a text, "values": what stands in it}`."""


class Layer(NamedTuple):
    """A part of the picture that can be switched on.

    Attributes:
        compute: from a session to its arrays by name, ready for the wire (float32, uint8).
        reason: from a session to why it cannot be shown under the present rules; None where it can.
    """

    compute: Callable[[Any], Arrays]
    reason: Callable[[Any], Reason | None] = lambda session: None


# ---- D on the picture's cells ----


def _judged(discriminator, real, together, packing):
    """D's logit of points, each among the same real samples where it judges several together."""
    return lambda points: train.judge(discriminator, points, real[: together - 1], packing=packing)


def _rules(session: Any) -> dict[str, int]:
    """The numbers that are part of the networks' structure."""
    return {"together": session.gan.judged_together, "packing": session.gan.packing}


_structure = functools.partial(jax.jit, static_argnames=("together", "packing"))


@_structure
def _heat(generator, discriminator, z, real, window, probability, *, together, packing):
    logits, from_the_top = _judged(discriminator, real, together, packing), window[jnp.array([0, 1, 3, 2])]
    level, ends = ground(logits, from_the_top, SIDE, real, generator(z), probability)
    return jnp.round(255 * jnp.clip(level, 0, 1)).astype(jnp.uint8), ends


def _compute_heat(session: Any) -> Arrays:
    game, probability = session.game, session.shows_probability
    surface, ends = _heat(
        game.generator, game.discriminator, session.latents, session.real, session.window, probability,
        **_rules(session),
    )  # fmt: skip
    return {"surface": np.asarray(surface), "surface_ends": np.asarray(ends, np.float32)}


@_structure
def _cell_logits(discriminator, real, window, *, together, packing):
    left, right, bottom, top = window
    middle = (jnp.arange(SIDE) + 0.5) / SIDE
    x, y = jnp.meshgrid(left + middle * (right - left), top + middle * (bottom - top))
    return _judged(discriminator, real, together, packing)(jnp.stack([x.ravel(), y.ravel()], axis=1))


@_structure
def _sample_logits(discriminator, real, samples, *, together, packing):
    logits = _judged(discriminator, real, together, packing)
    return logits(real), logits(samples)


# ---- D's answer as a probability, and D* ----


def _ratio_answer(log_ratio):
    return np.exp(-np.logaddexp(0.0, -log_ratio))


def _one_of_ratio(ratio):
    return ratio / (1 + ratio)


_READINGS: dict[str, Callable] = {
    **dict.fromkeys(("minimax", "nonsaturating", "f_jensen_shannon", "f_reverse_kl"), _ratio_answer),
    "relativistic": _ratio_answer,  # of the logit less a constant that the loss leaves open
    "least_squares": lambda output: np.clip(output, 0.0, 1.0),
    "f_kl": lambda output: _ratio_answer(output - 1),
    "f_pearson": lambda output: _one_of_ratio(np.maximum(1 + output / 2, 0.0)),
}
"""From D's output to its estimate of `p / (p + p_g)`: the inverse of `theory.optimal_output`, then the sigmoid.

Hinge and Wasserstein are not in it: the first tells only which density is larger, the second is no function of the
ratio at all."""


def loss_name(loss: losses.Loss) -> str | None:
    """The name in `losses.LOSSES` of a loss with these two terms."""
    return next((name for name, known in losses.LOSSES.items() if known[:2] == loss[:2]), None)


def reads_ratio(session: Any) -> Reason | None:
    """Why D under the present loss is no estimate of `p / (p + p_g)`; None where it is one."""
    name = loss_name(session.gan.loss)
    if name in _READINGS:
        return None
    known = name if name in ("hinge", "wasserstein") else "custom"
    return {"key": f"layers.ratio.{known}", "values": {"loss": session.gan.loss.name}}


def best_answer(session: Any, share: Any) -> Any:
    """What D answers at best where p is this share of p + p_g: label smoothing s draws it to (1 - s) of that."""
    return (1 - session.hyper.label_smoothing) * share


def answers(session: Any, logits: Any, real_logits: Any, fake_logits: Any) -> np.ndarray:
    """D's logits as estimates of `p / (p + p_g)`, for a loss that `reads_ratio` lets pass.

    A relativistic D says only how points compare. Its free constant is taken so that D's mean over as many real as fake
    samples is 1/2, as that of D* is.

    Args:
        session: whose loss it is.
        logits: to read, any shape.
        real_logits, fake_logits: D's logits of samples, shapes (n,) and (m,).
    """
    logits, real, fake = (np.asarray(values, np.float64) for values in (logits, real_logits, fake_logits))
    name = loss_name(session.gan.loss)
    if name == "relativistic":
        logits = logits - _constant(real, fake)
    return np.asarray(_READINGS[name](logits))  # type: ignore[index]


def _constant(real: np.ndarray, fake: np.ndarray) -> float:
    """The c at which `sigmoid(logit - c)` has mean 1/2 over both samples: by halving, for the mean falls in c."""
    low, high = min(real.min(), fake.min()), max(real.max(), fake.max())
    for _ in range(40):
        c = (low + high) / 2
        above = _ratio_answer(real - c).mean() + _ratio_answer(fake - c).mean() > 1
        low, high = (c, high) if above else (low, c)
    return (low + high) / 2


def read_cells(session: Any) -> np.ndarray:
    """D's estimate of `p / (p + p_g)` in each cell, shape (SIDE * SIDE,)."""
    now = moment(session)
    d, rules = session.game.discriminator, _rules(session)
    cells = _cell_logits(d, session.real, session.window, **rules)
    real, fake = _sample_logits(d, session.real, now.fake[: len(session.real)], **rules)
    return answers(session, cells, real, fake)


def _as_bytes(values: Any) -> np.ndarray:
    return np.round(255 * np.clip(values, 0, 1)).astype(np.uint8).reshape(SIDE, SIDE)


def _compute_optimal(session: Any) -> Arrays:
    masses = moment(session).masses(noise_now(session))
    return {"optimal": _as_bytes(best_answer(session, masses.best)), "known": _as_bytes(masses.known)}


def _compute_difference(session: Any) -> Arrays:
    masses = moment(session).masses(noise_now(session))
    gap = read_cells(session) - best_answer(session, masses.best)  # from -1 to 1; 0 is at byte 128
    return {"difference": _as_bytes((128 + 127 * gap) / 255), "known": _as_bytes(masses.known)}


# ---- samples ----


@jax.jit
def _averaged(generator, average, z):
    definition, _, rest = nnx.split(generator, nnx.Param, ...)
    return nnx.merge(definition, average, rest)(z)


def _compute_fake(session: Any) -> Arrays:
    return {"fake": np.asarray(generate(session.game.generator, session.latents))}


def _compute_average(session: Any) -> Arrays:
    return {"average": np.asarray(_averaged(session.game.generator, session.game.ema, session.latents))}


# ---- the manifold: where G puts the latent space ----


def levels(latent: str, n: int) -> Float[np.ndarray, " n"]:
    """n quantiles of one of the latent's numbers, with equally much probability between neighbours.

    A uniform latent's run from end to end. A normal one's ends are infinite, so half a share stays beyond them on
    either side.

    >>> levels("uniform", 3).tolist(), levels("normal", 3).round(3).tolist()
    ([-1.0, 0.0, 1.0], [-0.967, 0.0, 0.967])
    """
    from scipy.special import ndtri

    if latent == "uniform":
        return np.linspace(-1.0, 1.0, n)
    return ndtri((np.arange(n) + 0.5) / n)


@functools.lru_cache(maxsize=16)
def lattice(latent: str, d: int) -> tuple[Float[np.ndarray, "n d"], tuple[int, ...], float]:
    """The latents of the manifold's nodes, their shape as a lattice, and the mass between neighbouring nodes."""
    n = NODES if d == 1 else LATTICE
    line = levels(latent, n).astype(np.float32)
    nodes = np.stack(np.meshgrid(*[line] * d, indexing="ij"), axis=-1).reshape(-1, d)
    share = 1 / (n - 1) if latent == "uniform" else 1 / n
    return nodes, (n,) * d, share**d


def _compute_manifold(session: Any) -> Arrays:
    nodes, shape, mass = lattice(session.gan.latent, session.gan.latent_dim)
    places = np.asarray(generate(session.game.generator, nodes)).reshape(*shape, 2)
    return {"manifold": places, "manifold_mass": np.array([mass], np.float32)}


def _shows_manifold(session: Any) -> Reason | None:
    d = session.gan.latent_dim
    return None if d in (1, 2) else {"key": "layers.manifold.latent", "values": {"d": d}}


# ---- pushes: what G's loss asks of a sample ----


def _push_weights(loss, real_logits, fake_logits):
    """`-n dL_G / d logit` of each of n fake samples, shape (n,), over several choices of real companions."""
    n = len(fake_logits)
    # real companions differ from turn to turn; losses that do not look at them get the same answer each time
    turns = jnp.resize(real_logits, (TURNS, n))
    one = jax.grad(lambda fake, real: loss.generator(real, fake))
    return -n * jnp.mean(jax.vmap(one, (None, 0))(fake_logits, turns), axis=0)


@functools.partial(jax.jit, static_argnames=("loss", "together", "packing"))
def _pushes(generator, discriminator, z, real, *, loss, together, packing):
    samples, judged = generator(z[:PUSHES]), _judged(discriminator, real, together, packing)
    logits, back = jax.vjp(judged, samples)
    return samples, back(_push_weights(loss, judged(real), logits))[0]


def _compute_gradients(session: Any) -> Arrays:
    game, loss = session.game, session.gan.loss
    at, push = _pushes(game.generator, game.discriminator, session.latents, session.real, loss=loss, **_rules(session))
    width = float(session.window[1] - session.window[0])
    arrows = np.concatenate([np.asarray(at), np.asarray(push)], axis=1)
    return {"push": arrows, "push_scale": np.array([REACH * width**2], np.float32)}


LAYERS: Menu[Layer] = Menu(
    "layer",
    {
        "heat": Layer(_compute_heat),
        "optimal": Layer(_compute_optimal),
        "difference": Layer(_compute_difference, reads_ratio),
        "manifold": Layer(_compute_manifold, _shows_manifold),
        "fake": Layer(_compute_fake),
        "average": Layer(_compute_average),
        "gradients": Layer(_compute_gradients),
    },
)
"""Every layer by name, from the bottom to the top.

| layer | arrays |
|---|---|
| heat | `surface` (64, 64) uint8, rows from the top: D from fake 0 to real 255; `surface_ends` (2,): what those are |
| optimal | `optimal` (64, 64) uint8: D* from 0 to 1; `known` (64, 64) uint8: how well each cell's D* is known |
| difference | `difference` (64, 64) uint8: D - D*, 0 at 128, 127 a unit; `known` |
| manifold | `manifold` (25, 25, 2) or (257, 2): G of an even lattice of latents; `manifold_mass` (1,): mass a cell |
| fake | `fake` (512, 2): samples of G, always of the same latents |
| average | `average` (512, 2): those of the generator with averaged weights, of the same latents |
| gradients | `push` (128, 4): x, y of the first fake samples, `-n dL_G / dx`; `push_scale` (1,): drawn length a unit |

D* is `p / (p + p_g)` with both densities through a Gaussian kernel one cell wide (and under the instance noise that D
sees), p exact and p_g from 4,096 samples: see `densities`. A push is that of G's loss with D as it stands, without
instance noise and without unrolling.
"""


def describe(session: Any) -> dict[str, Any]:
    """Say which layers cannot be shown, and why: for a frame's header."""
    reasons = {name: layer.reason(session) for name, layer in LAYERS.items()}
    return {"off": {name: reason for name, reason in reasons.items() if reason}}


# ---- the probe: one point of the plane ----


@_structure
def _at_point(discriminator, point, real, *, together, packing):
    judged = _judged(discriminator, real, together, packing)
    logit, slope = jax.value_and_grad(lambda x: judged(x[None])[0])(point)
    return logit, slope, judged(real)


@functools.partial(jax.jit, static_argnums=0)
def _all_weights(objectives, real_logits, logit):
    """`-dL_G / d logit` of one fake sample under each loss: met with every real sample where a loss compares them."""
    fake = lambda logit: jnp.full_like(real_logits, logit)  # noqa: E731
    return jnp.stack([-jax.grad(lambda a: loss.generator(real_logits, fake(a)))(logit) for loss in objectives])  # noqa: B023


@jax.jit
def _kernel_density(samples, point, width):
    """Density at a point by a round Gaussian kernel, and its standard error."""
    heights = jnp.exp(-0.5 * jnp.sum(((samples - point[None]) / width) ** 2, axis=1)) / (2 * math.pi * width**2)
    return jnp.mean(heights), jnp.std(heights) / math.sqrt(len(samples))


def _exact_density(target: Any, point: np.ndarray) -> float | None:
    """p at a point; None where the target has no density."""
    thin = isinstance(target, data.Curve) and float(target.noise) == 0  # all of it lies on a line
    return float(np.exp(_log_prob(target, point))) if hasattr(target, "log_prob") and not thin else None


def _seen_density(target: Any, point: np.ndarray, width: float) -> float:
    """p at a point through a Gaussian kernel: exact, or by the midpoint rule, or from samples."""
    exact = blurred(target, width)
    if exact is not None:
        return float(np.exp(_log_prob(exact, point)))
    if hasattr(target, "log_prob"):
        step = np.linspace(-4, 4, 65, dtype=np.float32)
        offsets = np.stack(np.meshgrid(step, step), axis=-1).reshape(-1, 2)
        bell = np.exp(-0.5 * np.sum(offsets.astype(np.float64) ** 2, axis=1))
        return float(
            bell @ np.exp(np.asarray(_log_prob(target, point + np.float32(width) * offsets), np.float64)) / bell.sum()
        )
    samples = _draw(target, jax.random.key(0x5EA1), PROBE_SAMPLES)
    return float(_kernel_density(samples, point, width)[0])


def probe(session: Any, x: float | int, y: float | int) -> dict[str, Any]:
    """Say what is the case at one point of the plane.

    Args:
        session: the game.
        x, y: the point, within three windows' width of the window.

    Returns:
        Plain numbers: `x`, `y`; `logit`, D's output there; `answer`, what it says of `p / (p + p_g)`, and `reason` why
        it says nothing where that is None; `optimal`, D* there; `p`, the target's density; `p_seen` and `p_g`, both
        densities through a Gaussian kernel of standard deviation `width`, the second from `PROBE_SAMPLES` samples with
        standard error `p_g_error`; `slope`, the logit's gradient; `pushes`, for each loss its `name`, `label`, `weight`
        (`-dL_G / d logit`), `push` (`-dL_G / dx`) and its `length`; `mine`, which of them is the session's.

    Raises:
        TypeError: x or y is no number.
        ValueError: the point is not finite, or far outside the window.
    """
    point = _point(session, x, y)
    logit, slope, real_logits = _at_point(session.game.discriminator, point, session.real, **_rules(session))
    objectives, mine = dict(losses.LOSSES), loss_name(session.gan.loss)
    if mine is None:
        mine, objectives = "yours", {**objectives, "yours": session.gan.loss}
    weights = np.asarray(_all_weights(tuple(objectives.values()), real_logits, logit), np.float64)
    slope = np.asarray(slope, np.float64)
    return {
        "x": float(x),
        "y": float(y),
        "logit": float(logit),
        **_answers_at(session, point, logit, real_logits),
        "slope": slope.tolist(),
        "pushes": [
            {"name": name, "label": loss.name, "weight": float(weight), "push": (weight * slope).tolist(),
             "length": float(abs(weight) * np.linalg.norm(slope))}
            for (name, loss), weight in zip(objectives.items(), weights, strict=True)
        ],
        "mine": mine,
        "scale": REACH * float(session.window[1] - session.window[0]) ** 2,
    }  # fmt: skip


def _point(session: Any, x: Any, y: Any) -> np.ndarray:
    for name, value in (("x", x), ("y", y)):
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            raise TypeError(f"{name} must be a number, got {value!r}")
    left, right, bottom, top = map(float, session.window)
    far = 3 * (right - left)
    if not (left - far <= x <= right + far and bottom - far <= y <= top + far):  # NaN is nowhere
        raise ValueError(f"a probe must be near the picture, from ({left:.3g}, {bottom:.3g}) to ({right:.3g}, "
                         f"{top:.3g}); got ({x}, {y})")  # fmt: skip
    return np.array([x, y], np.float32)


def _answers_at(session: Any, point: np.ndarray, logit: Any, real_logits: Any) -> dict[str, Any]:
    now, noise = moment(session), noise_now(session)
    width = math.hypot(now.cell / 2, noise)
    samples = generate(session.game.generator, latents(session.gan, PROBE_SAMPLES))
    p_g, error = map(float, _kernel_density(samples, point, np.float32(width)))
    p_seen, reason = _seen_density(session.target, point, width), reads_ratio(session)
    fake = _sample_logits(session.game.discriminator, session.real, samples[: len(session.real)], **_rules(session))[1]
    return {
        "answer": None if reason else float(answers(session, logit, real_logits, fake)),
        "reason": reason,
        "optimal": float(best_answer(session, p_seen / (p_seen + p_g))) if p_seen + p_g > 1e-12 else None,
        "p": _exact_density(session.target, point),
        "p_seen": p_seen,
        "p_g": p_g,
        "p_g_error": error,
        "width": width,
    }


def _probe_message(lab: Any, message: dict) -> None:
    found = probe(lab.session, message.get("x"), message.get("y"))  # type: ignore[arg-type]
    lab.tell("probe", found, message.get("request"))


ANSWERS = {"probe": _probe_message}
