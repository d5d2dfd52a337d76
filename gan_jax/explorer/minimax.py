"""Where the heaps of p_g lie comes in; two live pictures of the game go out: D at its best, and D after k steps.

Every number is integrated in float64 by `theory`, so that the picture and the oracle agree.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.nn import softplus
from jaxtyping import Array, Float, Key

from .. import nets, theory
from ..data import Mixture
from ..errors import check_count
from .scene import Choice, Control, Curve, Dots, Handle, Level, Mark, Number, Panel, Real, Scene, Slider
from .widget import Explorer
from .widget import open as open_explorer

Line = Float[np.ndarray, " n"]


# ---- the pair: real samples from p, fake ones from p_g, both mixtures of Gaussians on the line ----


class Heaps(NamedTuple):
    """A mixture of Gaussians on the line, hashable and in float64: each a tuple with one number a heap."""

    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]

    @classmethod
    def of(cls, target: Mixture) -> "Heaps":
        """Read a target's numbers.

        Raises:
            ValueError: it is not of the line, or has a heap too narrow for the grid.
        """
        if not isinstance(target, Mixture) or target.shape != (1,):
            raise ValueError(
                f"the picture needs a mixture of Gaussians on the line, got {getattr(target, 'shape', target)!r}; "
                "make one with data.gaussian(0.0, 1.0) or data.mixture([-2.0, 2.0], 0.5)"
            )
        means, scales, weights = (np.asarray(leaf, np.float64).ravel().tolist() for leaf in jax.tree.leaves(target))
        if min(scales) < 0.05:
            raise ValueError(f"the narrowest heap has standard deviation {min(scales):g}; the grid needs at least 0.05")
        return cls(tuple(means), tuple(scales), tuple(weights))

    def same_as(self, other: "Heaps") -> bool:
        """Whether both have the same numbers, up to the rounding of float32."""
        return len(self.means) == len(other.means) and np.allclose(np.array(self), np.array(other), atol=1e-6)

    def log_density(self, x: Line) -> Line:
        """Logarithm of the density at x, in nats."""
        weights, scales = np.asarray(self.weights), np.asarray(self.scales)
        with np.errstate(divide="ignore"):  # a heap of weight 0 has log weight -inf, and adds nothing
            heights = np.log(weights / weights.sum()) - np.log(scales) - 0.5 * math.log(2 * math.pi)
        z = (x[:, None] - np.asarray(self.means)) / scales
        return np.logaddexp.reduce(heights - 0.5 * z**2, axis=1)

    def padded(self, count: int) -> Mixture:
        """The same as a target of `count` heaps, the last of weight 0: of one shape, so that training compiles once."""
        lack = count - len(self.means)
        means, scales, weights = (
            jnp.asarray([*row, *[fill] * lack], jnp.float32) for row, fill in zip(self, (0.0, 1.0, 0.0), strict=True)
        )
        return Mixture(means[:, None], scales, weights)


REAL = {
    "one": ("one Gaussian", Heaps((0.0,), (1.0,), (1.0,))),
    "two": ("two modes", Heaps((-2.0, 2.0), (0.6, 0.6), (0.5, 0.5))),
    "three": ("three modes", Heaps((-4.0, 0.0, 4.0), (0.6, 0.6, 0.6), (1 / 3, 1 / 3, 1 / 3))),
}
"""The real distributions to choose from: name to words and heaps."""

MODES = {"1": "one", "2": "two", "3": "three"}
STARTS = ((1.0, 1.0), (-3.0, 0.7), (4.0, 0.7))
"""Mean and width of each heap of p_g at first; the first is the pair N(0, 1), N(1, 1)."""

REACH, WIDEST = 7.0, 3.0
"""Half the picture's width, and the largest standard deviation of a heap of p_g."""


FINE, COARSE = 64, 20
"""Cells a unit of x: for the numbers, and where D is asked after each step. A heap of width 0.05 still has one cell."""


class Setting(NamedTuple):
    """What does not move: the real distributions there are, by name, and half the picture's width."""

    real: dict[str, tuple[str, Heaps]]
    reach: float

    @classmethod
    def of(cls, target: Mixture | None) -> "Setting":
        if target is None:
            return cls(REAL, REACH)
        heaps = Heaps.of(target)
        edges = [abs(mean) + 4 * scale for mean, scale in zip(heaps.means, heaps.scales, strict=True)]
        others = {name: (words, real) for name, (words, real) in REAL.items() if not heaps.same_as(real)}
        return cls({"yours": ("your target", heaps), **others}, max(REACH, *edges))

    def grid(self, cells: int) -> theory.Quadrature:
        """A rule of `cells` a unit of x, wide enough for eight standard deviations of the widest heap at the edge."""
        bound = self.reach + 8 * WIDEST
        return theory.quadrature((-bound, bound), math.ceil(2 * bound * cells))


def _controls(setting: Setting, modes: int) -> list[Control]:
    check_count(modes, "modes")
    if modes > len(STARTS):
        raise ValueError(f"p_g has at most {len(STARTS)} modes here, got {modes}")
    edge = setting.reach - 1
    controls: list[Control] = [
        Choice("p", "p, the real samples", {name: words for name, (words, _) in setting.real.items()}),
        Choice("modes", "modes of p_g", MODES, str(modes)),
    ]
    for i, (mean, scale) in enumerate(STARTS, 1):
        of = "p_g" if i == 1 else f"p_g's mode {i}"
        controls += [
            Slider(f"mean_{i}", f"mean of {of}", -edge, edge, mean, notches=round(40 * edge) + 1),
            Slider(f"width_{i}", f"width of {of}", 0.25, WIDEST, scale, notches=56),
        ]
    return controls


def _fake(values: dict[str, Any]) -> Heaps:
    """The heaps of p_g, all of one weight, from the controls' values."""
    numbers = range(1, int(values["modes"]) + 1)
    means, scales = (tuple(float(values[f"{name}_{i}"]) for i in numbers) for name in ("mean", "width"))
    return Heaps(means, scales, (1 / len(means),) * len(means))


def _absent(values: dict[str, Any]) -> list[str]:
    return [f"{name}_{i}" for i in range(int(values["modes"]) + 1, len(STARTS) + 1) for name in ("mean", "width")]


class Pair(NamedTuple):
    """Both densities on a grid, with which of its points are drawn."""

    grid: theory.Quadrature
    log_p: Line
    log_q: Line
    shown: slice

    @classmethod
    def of(cls, p: Heaps, q: Heaps, grid: theory.Quadrature, reach: float) -> "Pair":
        x = grid.points[:, 0]
        inside = np.flatnonzero(np.abs(x) <= reach)
        shown = slice(inside[0], inside[-1] + 1, max(1, len(inside) // 300))
        return cls(grid, p.log_density(x), q.log_density(x), shown)

    @property
    def x(self) -> Line:
        return self.grid.points[self.shown, 0]

    @property
    def u(self) -> Line:
        """The log density ratio on the whole grid: the best D's logit."""
        return np.asarray(theory.optimal_logit(self.log_p, self.log_q))

    def value(self, logit: Line) -> float:
        """V of a D with these logits on the grid."""
        return float(theory.value(logit, self.log_p, self.log_q, self.grid.weights))

    def divergence(self, kind: str) -> float:
        return float(theory.divergence(kind, self.log_p, self.log_q, self.grid.weights))


LADDER = (0.5, 0.75, 1.0, 1.75)
"""Upper ends of the density's axis: few, so that the picture does not breathe while a width is dragged."""


def _drawn(pair: Pair, q: Heaps, further: list[Mark], reach: float, title: str) -> Panel:
    """Both densities, the best D over them, and the grips of p_g."""
    p_line, q_line = (np.exp(log_density[pair.shown]) for log_density in (pair.log_p, pair.log_q))
    best = np.asarray(theory.optimal_discriminator(pair.log_p, pair.log_q))[pair.shown]
    highest = 1.12 * max(p_line.max(), q_line.max())
    top = next((top for top in LADDER if top >= highest), highest)
    marks: list[Mark] = [
        Curve(pair.x, p_line, "p", "real", fill=True),
        Curve(pair.x, q_line, "p_g", "fake", fill=True),
        Level(0.5, "1/2", right=True),
        Curve(pair.x, best, "D*", "discriminator", right=True),
        *further,
    ]
    for i, (mean, scale) in enumerate(zip(q.means, q.scales, strict=True), 1):
        tip, flank = np.exp(q.log_density(np.array([mean, mean + scale])))
        marks.append(Handle(mean, float(tip), f"mean_{i}"))
        marks.append(Handle(mean + scale, float(flank), f"width_{i}", offset=mean))
    return Panel(marks, (-reach, reach), (0.0, top), title, "x", "density", (0.0, 1.05), "D(x)")


def _in_words(name: str, heaps: Heaps) -> str:
    each = [f"{mean:.3g} with width {scale:.3g}" for mean, scale in zip(heaps.means, heaps.scales, strict=True)]
    return f"{name} has {'its heap' if len(each) == 1 else 'heaps'} at {', '.join(each)}"


# ---- D at its best ----


def minimax_scene(setting: Setting, values: dict[str, Any]) -> Scene:
    """Show one pair of densities, the best D against it, and how far apart the two are by five measures.

    Args:
        setting: the real distributions there are.
        values: of the controls, by name: "p", "modes", "mean_1", "width_1", ...

    Returns:
        A `Scene` with the numbers "V(D*)", "JSD", "KL(p || p_g)", "KL(p_g || p)", all in nats, and "W1".
    """
    p, q = setting.real[values["p"]][1], _fake(values)
    pair = Pair.of(p, q, setting.grid(FINE), setting.reach)
    jsd, forward, backward = (pair.divergence(kind) for kind in ("jensen_shannon", "kl", "reverse_kl"))
    distance = float(theory.wasserstein1_density(pair.log_p, pair.log_q, pair.grid))
    numbers = [
        Number("V(D*)", pair.value(pair.u), "-log 4 + 2 JSD; at least -log 4 = -1.3863", "discriminator"),
        Number("JSD", jsd, f"at most log 2 = {math.log(2):.4f}"),
        Number("KL(p || p_g)", forward, "large where p_g misses a part of p"),
        Number("KL(p_g || p)", backward, "large where p_g strays from p"),
        Number("W1", distance, "mean way, in units of x"),
    ]
    words = f"{_in_words('p', p)}; {_in_words('p_g', q)}. D* runs over them between 0 and 1; " + ", ".join(
        f"{number.name} is {number.value:.4g}" for number in numbers
    )
    remark = _what_to_notice(jsd, forward, backward)
    return Scene([_drawn(pair, q, [], setting.reach, "")], numbers, f"{words}.", remark, _absent(values))


def _what_to_notice(jsd: float, forward: float, backward: float) -> str:
    if jsd < 1e-3:
        return (
            "p_g is p, or nearly: D* is 1/2 wherever there are samples, and V is -log 4, its least value. It is not 0."
        )
    if jsd > 0.97 * math.log(2):
        return "The heaps hardly meet: JSD is within 3 % of log 2 and stays there however far p_g goes. W1 still grows."
    if forward > 3 * backward:
        return "KL(p || p_g) is the larger one: p_g misses a part of p, and D* is near 1 there."
    if backward > 3 * forward:
        return "KL(p_g || p) is the larger one: p_g puts samples where p has hardly any, and D* is near 0 there."
    return "Where the curves of p and p_g cross, D* is 1/2. V is twice JSD above -log 4."


def minimax(target: Mixture | None = None, modes: int = 1) -> Explorer:
    """Open the game's value, live: drag p_g over p, and D*, V, JSD, both KL and W1 answer.

    Args:
        target: p, a `data.mixture` of one dimension, first on the menu; N(0, 1) when left out.
        modes: heaps of p_g at first, from 1 to 3.

    Returns:
        An explorer; end a cell with it.

    Raises:
        ValueError: a target that is not a mixture of Gaussians on the line, or more than 3 modes.

    >>> live = minimax()
    >>> live.set("mean_1", 0.0)  # p_g on p: the least value, -log 4
    >>> round(live.scene.number("V(D*)"), 6)
    -1.386294
    """
    return _opened(minimax_scene, target, modes)


# ---- D after k steps ----

STEPS, BATCH, RATE = 400, 256, 2e-3
"""How long D trains, on how many fresh samples of each kind a step, and Adam's learning rate."""

DISCRIMINATOR = nets.mlp(1, 32, 32, 1, activation="silu")
HEAPS = 3
"""Of a padded mixture, so that the pairs of the menu share one program."""


@functools.partial(jax.jit, static_argnames=("steps", "batch"))
def _train(
    p: Mixture, q: Mixture, x: Float[Array, "n 1"], rate: Real | Array, key: Key[Array, ""], steps: int, batch: int
) -> Float[Array, "k n"]:
    def loss(d, real, fake):  # -V: the minus sign turns D's gain into a loss
        return jnp.mean(softplus(-d(real))) + jnp.mean(softplus(d(fake)))

    def step(players, k):
        d, memory = players
        real_key, fake_key = jax.random.split(jax.random.fold_in(sample_key, k))
        gradient = jax.grad(loss)(d, p.sample(real_key, batch), q.sample(fake_key, batch))
        change, memory = adam.update(gradient, memory)
        return (optax.apply_updates(d, change), memory), d(x)[:, 0]

    first_key, sample_key = jax.random.split(key)
    adam = optax.adam(rate)
    d = DISCRIMINATOR(nnx.Rngs(first_key))
    return jax.lax.scan(step, (d, adam.init(d)), jnp.arange(steps + 1))[1]


def train_discriminator(
    p: Mixture,
    q: Mixture,
    x: Line,
    key: Key[Array, ""],
    *,
    steps: int = STEPS,
    rate: Real = RATE,
    batch: int = BATCH,
) -> Float[np.ndarray, "k n"]:
    """Train a small D on fresh samples of a fixed pair, and keep what it answers after each step.

    Args:
        p, q: real and fake samples come from these, both of the line.
        x: where to ask D, shape (n,).
        key: for D's first weights and all samples.
        steps: updates by Adam.
        rate: Adam's learning rate.
        batch: samples of each kind a step.

    Returns:
        Logits after 0, 1, ..., `steps` updates, shape (steps + 1, n).

    >>> from gan_jax import data
    >>> logits = train_discriminator(data.gaussian(-2.0), data.gaussian(2.0), np.array([-2.0, 2.0]), jax.random.key(0))
    >>> logits.shape, bool(logits[-1, 0] > 2 > -2 > logits[-1, 1])
    ((401, 2), True)
    """
    points = jnp.asarray(x, jnp.float32)[:, None]
    return np.asarray(_train(p, q, points, rate, key, steps, batch), np.float64)


class Trained(NamedTuple):
    """D's training against a fixed pair, step by step: V, the logit's error, and the logits on the grid."""

    values: Line
    errors: Line
    logits: Float[np.ndarray, "k n"]


@functools.lru_cache(maxsize=8)
def _trained(p: Heaps, q: Heaps, reach: float, seed: int) -> tuple[Pair, Trained]:
    """All of D's training: k then only picks a row, so that moving it costs nothing."""
    pair = Pair.of(p, q, Setting({}, reach).grid(COARSE), reach)
    count = max(HEAPS, len(p.means))
    logits = train_discriminator(p.padded(count), q.padded(HEAPS), pair.grid.points[:, 0], jax.random.key(seed))
    values = np.array([pair.value(row) for row in logits])
    mixed = pair.grid.weights * (np.exp(pair.log_p) + np.exp(pair.log_q)) / 2
    return pair, Trained(values, np.sqrt(((logits - pair.u) ** 2) @ mixed), logits)


def best_response_scene(setting: Setting, values: dict[str, Any]) -> Scene:
    """Show D after k steps against the best D there is.

    Args:
        setting: the real distributions there are.
        values: of the controls, by name: those of `minimax_scene`, "k" and "seed".

    Returns:
        A `Scene` with the numbers "V(D*)", "V(D)", "gap" and "logit error": the root of the mean of
        `(a(x) - u(x))^2` over the half-way mixture `(p + p_g) / 2`.
    """
    p, q, k = setting.real[values["p"]][1], _fake(values), int(values["k"])
    pair, trained = _trained(p, q, setting.reach, int(values["seed"]))
    best, now = pair.value(pair.u), float(trained.values[k])
    answer = np.exp(-np.logaddexp(0.0, -trained.logits[k]))
    after = Curve(pair.x, answer[pair.shown], f"D after {k}", "ink", dashed=True, right=True)
    numbers = [
        Number("V(D*)", best, "the most that any D can win", "discriminator"),
        Number("V(D)", now, f"after {k} steps"),
        Number("gap", best - now, "never negative"),
        Number("logit error", float(trained.errors[k]), "root of the mean square over (p + p_g) / 2"),
    ]
    words = (
        f"{_in_words('p', p)}; {_in_words('p_g', q)}. After {k} steps of training D wins {now:.4g}; the best D wins "
        f"{best:.4g}. The logit's error is {trained.errors[k]:.3g}."
    )
    panels = [_drawn(pair, q, [after], setting.reach, ""), _over_k(trained, best, k)]
    return Scene(panels, numbers, words, _how_near(best - now, float(trained.errors[k]), k), _absent(values))


def _over_k(trained: Trained, best: float, k: int) -> Panel:
    steps = np.arange(len(trained.values), dtype=float)
    bottom = math.floor(10 * min(best - 0.15, trained.values.min())) / 10
    top = best + 0.12 * (best - bottom)
    widest = max(1.0, math.ceil(1.05 * trained.errors.max()))
    marks: list[Mark] = [
        Level(best, "V(D*)", "discriminator"),
        Curve(steps, trained.errors, "logit error", "quiet", dashed=True, right=True),
        Curve(steps, trained.values, "V(D)", "ink"),
        Dots(np.array([float(k)]), trained.values[k : k + 1], "", "ink", 5.0),
    ]
    ends = (0.0, float(len(steps) - 1))
    return Panel(marks, ends, (bottom, top), "", "steps that D has trained", "V", (0.0, widest), "error of the logit")


def _how_near(gap: float, error: float, k: int) -> str:
    if k == 0:
        return "D has not learnt anything yet: its answer depends on its first weights. Move k."
    if gap > 0.02:
        return "D is not at its best: what it passes on to G is not the gradient of JSD."
    if error > 0.3:
        return (
            f"V(D) is close to its best value, but the logit is off by {error:.2g}: where D is sure already, V hardly "
            "pays for being as sure as it should. KL read off this logit would be wrong."
        )
    return "V(D) is close to its best value. The logit is right where there are samples; elsewhere it is a guess."


def best_response(target: Mixture | None = None, modes: int = 1) -> Explorer:
    """Open D's training, live: the same pair as in `minimax`, and a D that has trained for only k steps.

    Args:
        target: p, a `data.mixture` of one dimension, first on the menu; N(0, 1) when left out.
        modes: heaps of p_g at first, from 1 to 3.

    Returns:
        An explorer; end a cell with it.

    Raises:
        ValueError: as for `minimax`.
    """
    further = [
        Slider("k", "k, steps that D has trained", 0, STEPS, 10, notches=STEPS + 1, whole=True),
        Slider("seed", "seed of D", 0, 9, 0, notches=10, whole=True),
    ]
    return _opened(best_response_scene, target, modes, further)


def _opened(
    scene: Callable[..., Scene], target: Mixture | None, modes: int, further: Sequence[Control] = ()
) -> Explorer:
    setting = Setting.of(target)
    return open_explorer(functools.partial(scene, setting), [*_controls(setting, modes), *further])
