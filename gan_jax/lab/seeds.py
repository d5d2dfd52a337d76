"""One game and many seeds come in; their runs go on side by side, are pictured and scored, and what they show goes out.

The runs are those of `train.sweep`, by its own compiled blocks: a core takes a block, and a chunk may be as short as a
step. A run that leaves the finite numbers stays at its last good state, and the others go on.
"""

import functools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Float, Int, Key, UInt8

from .. import data, metrics, train
from ..explorer.ground import ground
from ..train import Gan, Hyperparams, State
from ..train.blocks import CAPACITY, Block, Game, _walk, begin, loose, mesh_of, plan, rows, together

SIDE, SHOWN = 32, 128
"""Pixels a side of a small picture's heat map, and the fake samples on it."""

CLOSER_SIDE, CLOSER_SHOWN = 64, 512
"""The same of the one that is looked at closely."""

SCORED = 2500
"""Samples of each run that are scored: the number by which modes are counted in the field."""

KEPT = 128
"""Rows of a score over time at most."""

BEYOND = 1e30
"""Stands for infinity where numbers are subtracted, and on the page."""

CONFIDENCE = 0.95
"""Of the interval about the share of seeds."""


class Measure(NamedTuple):
    """What the runs are compared by.

    Attributes:
        metric: a function `(samples, target) -> number`, such as those of `metrics`.
        n: samples of each run.
        more: whether more is better.
    """

    metric: Any
    n: int
    more: bool


def measures_of(target: Any) -> dict[str, Measure]:
    """What runs on this target are compared by, the first one first: its modes, where it has several.

    >>> list(measures_of(data.ring(8))), list(measures_of(data.spiral()))
    (['modes', 'quality'], ['distance'])
    """
    if isinstance(target, data.Mixture) and len(target.means) > 1:
        return {
            "modes": Measure(metrics.modes_covered, SCORED, True),
            "quality": Measure(metrics.high_quality_share, SCORED, True),
        }
    return {"distance": Measure(_distance, 1000, False)}


def _distance(samples, target):
    return metrics.sliced_wasserstein2(samples, target, directions=32)


def floor(measure: Measure, target: Any) -> float:
    """What a perfect generator scores on average, at the same number of samples."""
    return metrics.perfect(measure.metric, target, measure.n, seeds=8).mean


class Pictures(NamedTuple):
    """All runs as small pictures, host copies; every array's first axis is a run long, and every number is finite.

    Attributes:
        surface: D's answer over the window, shape (runs, side, side), top row first: 0 fake, 255 real.
        fake: samples of G, of the same latents in every run, shape (runs, SHOWN, 2).
        ends: what 0 and 255 stand for, shape (runs, 2): 0 and 1 where D's answer is a probability, logits elsewhere.
    """

    surface: UInt8[np.ndarray, "runs side side"]
    fake: Float[np.ndarray, "runs shown 2"]
    ends: Float[np.ndarray, "runs 2"]


class Runs:
    """One game from many keys, side by side.

    Args:
        gan: the rules.
        hyper: the dials, one number each, the same for all.
        target: the distribution that real samples come from.
        keys: random keys, one a run.

    Attributes:
        done: steps taken by every run that has not diverged.
        diverged: the step at which each run left the finite numbers, -1 if it has not, shape (runs,).
        plan: how the core cuts the runs into blocks.

    >>> from gan_jax import nets
    >>> gan = Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16)
    >>> keys = jax.random.split(jax.random.key(0), 4)
    >>> runs = Runs(gan, Hyperparams(), data.ring(8), keys)
    >>> runs.advance(gan, Hyperparams(), data.ring(8), 10)
    >>> runs.done, runs.states.step.tolist()
    (10, [10, 10, 10, 10])
    """

    def __init__(self, gan: Gan, hyper: Hyperparams, target: Any, keys: Key[Array, " runs"]):
        game = Game(gan, train.dials(gan, hyper), target)
        self.plan = plan(game, len(keys), CAPACITY, 0, None)
        self._mesh = mesh_of(self.plan)
        self._blocks = begin(game, self.plan, {}, keys)
        if self._mesh:
            there = NamedSharding(self._mesh, PartitionSpec("runs"))
            self._blocks = [jax.device_put(block, there) for block in self._blocks]
        self.done = 0

    def advance(self, gan: Gan, hyper: Hyperparams, target: Any, n: int) -> None:
        """Take n steps of every run, by rules and dials that may be others than before; no compiling for new dials."""
        game = Game(gan, train.dials(gan, hyper), target)
        blocks = [block._replace(states=replace(block.states, gan=gan)) for block in self._blocks]
        while n > 0:
            piece = min(n, CAPACITY)
            blocks = self._each(lambda block: self._go_on(game, block, piece), blocks)  # noqa: B023
            self._blocks, self.done, n = blocks, self.done + piece, n - piece

    def compile(self, gan: Gan, hyper: Hyperparams, target: Any) -> None:
        """Compile the step for these rules, without taking one."""
        block = self._blocks[0]
        states = replace(block.states, gan=gan)
        self._walk(Game(gan, train.dials(gan, hyper), target), block._replace(states=states), 0)

    def _each(self, function, *items) -> list:
        """Call a function for every block, as many at once as there are cores for."""
        return list(_pool(self.plan.at_once).map(function, *items))

    def _walk(self, game: Game, block: Block, n: int) -> Block:
        counts = map(np.int32, (self.done, 1, n))
        return _walk(game.gan, self._mesh, game.shared, game.target, *counts, block)[0]

    def _go_on(self, game: Game, block: Block, n: int) -> Block:
        """n steps of a block; who diverges in them, or has before, stands at its last good state after them."""
        after, before = self._walk(game, block, n), np.asarray(block.diverged_at)
        at = np.asarray(after.diverged_at)  # waits until the steps are done
        # weights that are lost already are found out by the next step only
        at = np.where((at < 0) & ~np.asarray(_finite(after.states)), self.done + n, at)
        states = _keep(before >= 0, block.states, after.states) if (before >= 0).any() else after.states
        for step in np.unique(at[(at >= 0) & (before < 0)]):
            good, missing = self._to(game, block, int(step)), (at == step) & (before < 0)
            # its last update may have been the one that lost the weights
            worse = missing & ~np.asarray(_finite(good.states))
            states = _keep(missing & ~worse, good.states, states)
            if worse.any():
                states = _keep(worse, self._to(game, block, int(step) - 1).states, states)
        return Block(block.own, states, jnp.asarray(at, jnp.int32))

    def _to(self, game: Game, block: Block, step: int) -> Block:
        n = max(step - self.done, 0)
        return self._walk(game, block, n) if n else block

    @property
    def diverged(self) -> Int[np.ndarray, " runs"]:
        """The step at which each run left the finite numbers, -1 if it has not."""
        return np.concatenate([np.asarray(block.diverged_at) for block in self._blocks])[: self.plan.runs]

    @property
    def states(self) -> State:
        """All runs as one `State`, whose leaves have a run's number for first axis."""
        return together(self._blocks, self.plan).states

    def pick(self, i: int) -> State:
        """One run's state."""
        return jax.tree.map(loose, rows(self.states, i))

    def pictures(self, latents: Any, real: Any, window: Any, probability: bool, averaged: bool) -> Pictures:
        """Picture every run.

        Args:
            latents: shape (shown, d), the same for all.
            real: samples of the target, by which an unbounded critic's middle is found.
            window: left, right, bottom, top.
            probability: whether D's answer is a probability.
            averaged: show G with the running average of its weights.
        """
        gan = self._blocks[0].states.gan
        settings = {"averaged": averaged, "together": gan.judged_together, "packing": gan.packing}

        def picture(block):
            return [np.asarray(x) for x in _pictures(block.states, latents, real, window, probability, **settings)]

        parts = zip(*self._each(picture, self._blocks), strict=True)
        return Pictures(*(np.concatenate(part)[: self.plan.runs] for part in parts))

    def close_up(self, i: int, latents: Any, real: Any, window: Any, probability: bool, averaged: bool) -> Pictures:
        """Picture one run alone, with more pixels; arguments as `pictures`, arrays with one run."""
        width = self.plan.width * self.plan.devices
        block, lane = self._blocks[i // width], np.int32(i % width)
        gan = block.states.gan
        settings = {"averaged": averaged, "together": gan.judged_together, "packing": gan.packing}
        parts = _close_up(block.states, lane, latents, real, window, probability, **settings)
        return Pictures(*(np.asarray(part) for part in parts))

    def scores(self, measures: dict[str, Measure], noise: Any, target: Any, averaged: bool) -> dict[str, np.ndarray]:
        """Score every run, as (runs,) arrays by the measures' names; `noise` are the latents, shape (n, d)."""
        functions = tuple((name, measure.metric, measure.n) for name, measure in measures.items())

        def score(block):
            return {
                name: np.asarray(x) for name, x in _scores(block.states, noise, target, functions, averaged).items()
            }

        parts = self._each(score, self._blocks)
        return {name: np.concatenate([part[name] for part in parts])[: self.plan.runs] for name in measures}


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """As many threads as blocks are at work at once; all walls share them, so that none leaves any behind."""
    return ThreadPoolExecutor(threads, thread_name_prefix="gan_jax wall")


@jax.jit
def _finite(states: State) -> Bool[Array, " width"]:
    """Whether both players' weights are finite, run by run."""
    leaves = jax.tree.leaves((states.generator, states.discriminator, states.ema))
    leaves = [leaf for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return jnp.stack([jnp.isfinite(leaf).reshape(len(leaf), -1).all(axis=1) for leaf in leaves]).all(axis=0)


@jax.jit
def _keep(which: Bool[Array, " width"], these: State, others: State) -> State:
    """The runs that `which` marks from one block of states, the rest from another."""

    def chosen(one, other):
        return jnp.where(jnp.reshape(which, (-1, *[1] * (one.ndim - 1))), one, other)

    return replace(jax.tree.map(chosen, replace(these, key=None), replace(others, key=None)), key=others.key)


def _picture(states, latents, real, window, probability, side, averaged, together, packing):
    def one(state):
        generator = state.averaged_generator if averaged else state.generator
        # a D that judges several samples together sees each point among real ones
        logits = lambda x: train.judge(state.discriminator, x, real[: together - 1], packing=packing)  # noqa: E731
        fake = generator(latents)
        level, ends = ground(logits, window[jnp.array([0, 1, 3, 2])], side, real, fake, probability)
        level = jnp.nan_to_num(level, nan=0.5)
        return jnp.round(255 * jnp.clip(level, 0, 1)).astype(jnp.uint8), _shown(fake), _shown(ends)

    return jax.vmap(one)(states)


_pictures = jax.jit(functools.partial(_picture, side=SIDE), static_argnames=("averaged", "together", "packing"))


@functools.partial(jax.jit, static_argnames=("averaged", "together", "packing"))
def _close_up(states, lane, *seen, **settings):
    one = jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, lane), replace(states, key=None))
    return _picture(one, *seen, side=CLOSER_SIDE, **settings)


def _shown(values: Array) -> Array:
    """Numbers that a page can take: whatever is beyond them is far out."""
    return jnp.nan_to_num(values, nan=1e9, posinf=1e9, neginf=-1e9)


@functools.partial(jax.jit, static_argnames=("functions", "averaged"))
def _scores(states, noise, target, functions, averaged):
    def one(state):
        generator = state.averaged_generator if averaged else state.generator
        fake = generator(noise)
        return {name: _shown(metric(fake[:n], target).astype(jnp.float32)) for name, metric, n in functions}

    return jax.vmap(one)(states)


class Share(NamedTuple):
    """A share of independent trials, with the interval of its probability.

    Attributes:
        hits, trials: counts.
        low, high: ends of the interval, from 0 to 1.
    """

    hits: int
    trials: int
    low: float
    high: float


def share(hits: int, trials: int, confidence: float = CONFIDENCE) -> Share:
    """The exact interval of a probability of which `trials` independent trials have shown `hits`.

    Its ends are the probabilities under which as many hits or more, and as many or fewer, have a chance of
    `(1 - confidence) / 2`: quantiles of a beta distribution.

    Args:
        hits: 0 to trials.
        trials: 1 or more.
        confidence: chance at least that such an interval holds the probability.

    Source: Clopper and Pearson 1934, "The use of confidence or fiducial limits illustrated in the case of the
    binomial".

    >>> found = share(11, 16)
    >>> round(found.low, 3), round(found.high, 3)
    (0.413, 0.89)
    """
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = float(betaincinv(hits, trials - hits + 1, tail)) if hits else 0.0
    high = float(betaincinv(hits + 1, trials - hits, 1 - tail)) if hits < trials else 1.0
    return Share(hits, trials, low, high)


class Rows:
    """A measure of every run over time, in at most `size` rows evenly spread, and the newest one.

    >>> rows = Rows(runs=2, size=4)
    >>> for step in range(6):
    ...     rows.add(step, [step, 0.0])
    >>> rows.steps, rows.values[-1].tolist()
    ([0, 2, 4, 5], [5.0, 0.0])
    """

    def __init__(self, runs: int, size: int = KEPT):
        self.runs, self.size = runs, size
        self._stride, self._count = 1, 0
        self._kept: list[tuple[int, np.ndarray]] = []
        self._last: tuple[int, np.ndarray] | None = None

    def add(self, step: int, values: Any) -> None:
        """Append one number a run; at the step that was the newest already, in its place."""
        if self._last and self._last[0] == step:
            self._count -= 1
            if self._kept[-1] is self._last:
                self._kept.pop()
        self._last = step, np.asarray(values, np.float32)
        if self._count % self._stride == 0:
            self._kept.append(self._last)
        self._count += 1
        if len(self._kept) >= self.size:
            self._kept = self._kept[::2]
            self._stride *= 2

    @property
    def _all(self) -> list[tuple[int, np.ndarray]]:
        return self._kept + ([self._last] if self._last and self._kept[-1] is not self._last else [])

    @property
    def steps(self) -> list[int]:
        """The step of each row."""
        return [step for step, _ in self._all]

    @property
    def values(self) -> Float[np.ndarray, "rows runs"]:
        """One row a step."""
        return np.array([row for _, row in self._all], np.float32).reshape(-1, self.runs)


def quartiles(
    values: Float[np.ndarray, "*rows runs"], lost: Bool[np.ndarray, "*rows runs"], more: bool
) -> Float[np.ndarray, "*rows 3"]:
    """Lower quartile, median and upper quartile over the runs; a diverged run counts as the worst of all.

    Args:
        values: shape (..., runs).
        lost: which runs have diverged, shape (..., runs).
        more: whether more is better; then the worst is 0, else there is no bound to it.

    Returns:
        Shape (..., 3); infinity where so many have diverged that there is no value.

    >>> quartiles(np.array([8.0, 8.0, 7.0, 3.0]), np.array([False, True, False, False]), True).tolist()
    [2.25, 5.0, 7.25]
    >>> quartiles(np.array([0.1, 0.1, 0.2, 0.3]), np.array([False, True, True, False]), False).tolist()
    [0.25, inf, inf]
    """
    counted = np.where(lost, 0.0 if more else BEYOND, values)
    found = np.moveaxis(np.quantile(counted, (0.25, 0.5, 0.75), axis=-1), 0, -1)
    return np.where(found > 1e20, np.inf, found)
