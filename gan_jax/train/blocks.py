"""Many runs of one game come in; they go on side by side, in blocks: cut up, planned, walked, and put together again.

A block is one compiled `vmap` of fixed width. On a CPU it is narrow, so that it stays in the cache and the cores take
one each; on several devices each takes its share of every block; what the memory cannot hold at once goes by turns.
"""

import functools
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int, Key, PyTree
from tqdm.auto import tqdm

from ..data import Target
from .game import _init, _init_compiled, _step
from .hyperparams import Hyperparams
from .rules import Gan
from .states import RISING, History, State

WIDTH = 16
"""Runs in a block on a CPU at most: wider ones leave the cache, and are slower by the run."""

CAPACITY = 1024
"""Steps in one compiled call at most, and rows of history that it can keep."""

ROUND = 0.5
"""Seconds that a round over all blocks should take; after each the bar moves, and an interrupt is heard."""

MEMORY = 1e9
"""Bytes at work at once on a device that does not say how many it has."""


class Game(NamedTuple):
    """What all runs share; `shared` holds the dials that none of them has for itself."""

    gan: Gan
    shared: Hyperparams
    target: Target


class Block(NamedTuple):
    """Runs that go on together; every leaf's first axis is `width` runs long.

    Attributes:
        own: values of the dials that each run has for itself, by name.
        states: where the runs stand.
        diverged_at: the step at which each left the finite numbers, -1 as long as it has not.
    """

    own: dict[str, Array]
    states: State
    diverged_at: Int[Array, " width"]


@dataclass(frozen=True)
class Plan:
    """How a sweep is cut up, and the memory that it takes.

    Attributes:
        runs: settings times seeds.
        steps: of each run.
        width: runs in a block, on each device.
        blocks: how many blocks; the last is filled up with copies of a run.
        devices: that share each block.
        at_once: blocks at work at the same time.
        working: bytes at work at the same time on each device, estimated from one step's intermediate results.
        results: bytes of what is returned, states and history.
    """

    runs: int
    steps: int
    width: int
    blocks: int
    devices: int
    at_once: int
    working: int
    results: int

    def __repr__(self) -> str:
        spread = f" on each of {self.devices} devices" if self.devices > 1 else ""
        return (
            f"{self.runs:,} runs x {self.steps:,} steps: {self.blocks:,} blocks of {self.width}{spread}, {self.at_once}"
            f" at once; about {in_bytes(self.working)} at work, {in_bytes(self.results)} of results"
        )


def in_bytes(number: float | int) -> str:
    """Write a number of bytes.

    >>> in_bytes(3_210_000)
    '3.21 MB'
    """
    for unit in ("bytes", "kB", "MB"):
        if number < 999.5:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} GB"


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_step_traced = jax.jit(_step, static_argnums=0)  # never compiled; `jit` keeps what it has traced, by rules and shapes


def plan(game: Game, runs: int, n: int, kept: int, memory: float | int | None) -> Plan:
    """Cut `runs` runs of `n` steps into blocks that fit.

    Args:
        game: what is played.
        runs: how many.
        n: steps of each.
        kept: how many of them the history keeps.
        memory: bytes at work at once at most, on each device; None for what the device offers.

    Raises:
        ValueError: one run takes more than that.
    """
    devices = min(len(jax.local_devices()), runs)
    cpu = jax.default_backend() == "cpu"
    lanes = cores() if cpu and devices == 1 else 1  # a program for the CPU keeps one core busy, and hardly a second
    state = _init_compiled.eval_shape(game.gan, game.shared, jax.random.key(0))
    step = _step_traced.trace(game.gan, game.shared, game.target, state).jaxpr
    one = int(1.5 * (_size(state) + _peak(step.jaxpr)))  # more, for a program keeps some results longer
    limit = _offered() if memory is None else memory
    if limit < one:
        raise ValueError(
            f"one run takes about {in_bytes(one)} at work, but memory is {in_bytes(limit)}; "
            "give more, or make the networks or the batch smaller"
        )
    fitting = int(min(limit / one, runs))  # infinity is no limit
    width = min(_width(runs, lanes * devices) if cpu else -(-runs // devices), fitting)
    blocks = -(-runs // (width * devices))
    at_once = max(1, min(lanes, blocks, fitting // width))
    results = runs * (_size(state) + kept * 4 * len(History._fields))
    return Plan(runs, n, width, blocks, devices, at_once, one * width * at_once, results)


def _width(runs: int, lanes: int) -> int:
    """Runs in a block on a CPU: narrow, and with work for every lane where there is enough of it."""
    blocks = max(-(-runs // WIDTH), min(lanes, runs // 4), 1)
    blocks = blocks if blocks == 1 else -(-blocks // lanes) * lanes
    return -(-runs // blocks)


def _offered() -> float:
    stats = jax.local_devices()[0].memory_stats() or {}
    return stats["bytes_limit"] / 2 if "bytes_limit" in stats else MEMORY


def _size(tree: PyTree) -> int:
    """Bytes of all leaves."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree) if hasattr(leaf, "dtype"))


def _peak(jaxpr: Any) -> int:
    """Bytes of the intermediate results that are alive at once, at most, where operations come one by one."""
    last = {v: i for i, eqn in enumerate(jaxpr.eqns) for v in eqn.invars if not isinstance(v, Literal)}
    last |= dict.fromkeys((v for v in jaxpr.outvars if not isinstance(v, Literal)), len(jaxpr.eqns))
    alive: dict[Any, int] = {}
    highest = 0
    for i, eqn in enumerate(jaxpr.eqns):
        alive |= {v: _size(v.aval) for v in eqn.outvars}
        highest = max(highest, sum(alive.values()) + max(map(_peak, _bodies(eqn)), default=0))
        alive = {v: size for v, size in alive.items() if last.get(v, -1) > i}
    return highest


def _bodies(eqn: Any) -> Iterator[Any]:
    """The programs inside an operation: the branches of a `cond`, the body of a loop or of a `jit`."""
    for value in eqn.params.values():
        for part in value if isinstance(value, tuple) else (value,):
            if hasattr(part, "jaxpr") or hasattr(part, "eqns"):
                yield getattr(part, "jaxpr", part)


def mesh_of(plan: Plan) -> Mesh | None:
    """The devices in a row, or None where there is one."""
    return Mesh(np.array(jax.local_devices()[: plan.devices]), ("runs",)) if plan.devices > 1 else None


def loose(leaf: Array) -> Array:
    """The array on JAX's first device, free to go to others."""
    if not leaf.committed:
        return leaf
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(loose(jax.random.key_data(leaf)), impl=jax.random.key_impl(leaf))
    return jnp.asarray(np.asarray(leaf))


class _Compiled:
    """A function compiled when it is first called, with less pains than usual on a CPU: compiling is most of its cost.

    Level 2 makes a loop that is as quick as XLA's usual one and equal to it bit for bit, in two thirds of the time;
    level 0 is for what runs once. Not for use inside another `jit`.
    """

    def __init__(self, function: Callable, static: tuple[int, ...], level: int):
        self.function, self._static, self._level = function, static, level

    @functools.cached_property
    def _program(self) -> Any:
        options = {"xla_backend_optimization_level": self._level} if jax.default_backend() == "cpu" else None
        return jax.jit(self.function, static_argnums=self._static, compiler_options=options)

    def __call__(self, *arguments: Any) -> Any:
        return self._program(*arguments)

    def _cache_size(self) -> int:
        return self._program._cache_size()


# each of these is one program for all leaves: one for each leaf's shape would take longer to compile


def _rows(runs: PyTree, at: Any) -> PyTree:
    return jax.tree.map(lambda leaf: leaf[at], runs)


def _joined(blocks: list[PyTree], runs: int) -> PyTree:
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves)[:runs], *blocks)


def _shaped(runs: PyTree, axes: int, shape: tuple[int, ...]) -> PyTree:
    return jax.tree.map(lambda leaf: leaf.reshape(*shape, *leaf.shape[axes:]), runs)


rows = _Compiled(_rows, (), 0)
"""`rows(runs, at)`: every leaf's element or elements at an index."""

shaped = _Compiled(_shaped, (1, 2), 0)
"""`shaped(runs, axes, shape)`: every leaf with another shape in place of its first axes."""

_join = _Compiled(_joined, (1,), 0)


def cut(runs: PyTree, plan: Plan) -> list[PyTree]:
    """Cut a pytree of arrays with one row a run into blocks; the last run fills up the last of them."""
    places = np.minimum(np.arange(plan.blocks * plan.width * plan.devices), plan.runs - 1).reshape(plan.blocks, -1)
    return [rows(runs, some) for some in places]


def together(blocks: list[PyTree], plan: Plan) -> PyTree:
    """Put blocks together again, and take the copies away."""
    return _join(blocks, plan.runs)


def _begin_block(gan: Gan, shared: Hyperparams, own: dict[str, Array], keys: Key[Array, " width"]) -> State:
    return jax.vmap(lambda own, key: _init(gan, replace(shared, **own), key))(own, keys)


_begin = _Compiled(_begin_block, (0,), 0)


def begin(game: Game, plan: Plan, own: dict[str, Array], keys: Key[Array, " runs"]) -> list[Block]:
    """Start every run from its key and its dials."""
    return [
        Block(mine, _begin(game.gan, game.shared, mine, some), jnp.full(len(some), -1, jnp.int32))
        for mine, some in cut((own, keys), plan)
    ]


def _walk_block(gan, mesh, shared, target, done, every, n, block):
    """n steps of a block; all counts are traced, so that one program serves every sweep of this width."""

    def walk(shared, target, done, every, n, block):
        def turn(i, carry):
            states, diverged_at, history = carry
            step = done + i

            def one(own, state):
                # a number that all runs share stays one number under vmap, so that a switch on it (instance noise)
                # stays a switch: so too the step, at which all of them stand
                return _step(gan, replace(shared, **own), target, replace(state, step=step))

            states, measured = jax.vmap(one)(block.own, states)
            bad = ~(jnp.abs(jnp.stack(measured)) < RISING).all(axis=0)
            diverged_at = jnp.where(bad & (diverged_at < 0), step, diverged_at)
            # what is not kept goes to a row past the last
            row = jnp.where(step % every == 0, step // every - (done + every - 1) // every, CAPACITY)
            keep = functools.partial(jax.lax.dynamic_update_index_in_dim, index=row, axis=0)
            return states, diverged_at, jax.tree.map(keep, history, measured)

        empty = History(*(jnp.zeros((CAPACITY + 1, len(block.diverged_at))) for _ in History._fields))
        states, diverged_at, history = jax.lax.fori_loop(0, n, turn, (block.states, block.diverged_at, empty))
        return Block(block.own, states, diverged_at), history

    if mesh is not None:
        each, all_ = PartitionSpec("runs"), PartitionSpec()
        walk = jax.shard_map(
            walk,
            mesh=mesh,
            in_specs=(all_,) * 5 + (each,),
            out_specs=(each, PartitionSpec(None, "runs")),
            check_vma=False,  # the devices say nothing to each other
        )
    return walk(shared, target, done, every, n, block)


_walk = _Compiled(_walk_block, (0, 1), 2)


class Walked(NamedTuple):
    """How far the runs are: their blocks, the pieces of history kept, each (fields, kept, runs), the steps done."""

    blocks: list[Block]
    pieces: tuple[np.ndarray, ...]
    done: int


def rounds(game: Game, plan: Plan, blocks: list[Block], done: int, every: int, progress: bool) -> Iterator[Walked]:
    """Let all runs go on, from step `done` by `plan.steps`; yield how far they are after each round."""
    mesh = mesh_of(plan)
    turns = plan.blocks > plan.at_once and jax.default_backend() != "cpu"
    host = jax.local_devices(backend="cpu")[0] if turns else None  # where the blocks wait that the device cannot hold
    there = NamedSharding(mesh, PartitionSpec("runs")) if mesh else jax.local_devices()[0]

    def walk(block: Block, done: int, n: int) -> tuple[Block, np.ndarray]:
        if mesh or host:
            block = jax.device_put(block, there)
        counts = map(np.int32, (done, every, n))
        block, history = _walk(game.gan, mesh, game.shared, game.target, *counts, block)
        kept = -(-(done + n) // every) - -(-done // every)
        rows = np.stack([np.asarray(rows)[:kept] for rows in history])  # waits until the steps are done
        return (jax.device_put(block, host) if host else block), rows

    walked, last, n = Walked(blocks, (), done), done + plan.steps, 1
    label = f"{plan.runs:,} runs, {in_bytes(plan.working + plan.results)}"
    with (
        ThreadPoolExecutor(plan.at_once) as pool,
        tqdm(total=plan.steps, unit="step", desc=label, delay=1.0, disable=not progress) as bar,
    ):
        walk(blocks[0], done, 0)  # compiles, before several threads ask for it at once
        while walked.done < last:
            began = time.perf_counter()
            n = min(n, last - walked.done)
            moved = list(pool.map(lambda block: walk(block, walked.done, n), walked.blocks))  # noqa: B023
            piece = np.concatenate([rows for _, rows in moved], axis=-1)[..., : plan.runs]
            walked = Walked([block for block, _ in moved], (*walked.pieces, piece), walked.done + n)
            bar.update(n)
            yield walked
            n = int(np.clip(n * ROUND / (time.perf_counter() - began), 1, min(8 * n, CAPACITY)))
