"""Dials, seeds and a number of steps come in; every run of them goes out, trained side by side and labelled."""

import functools
import operator
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key
from tqdm.auto import tqdm

from ..data import Target
from ..errors import Interrupted, check_count, check_key, check_memory, suggestion
from .blocks import MEMORY, Block, Game, Plan, Walked, begin, cut, in_bytes, loose, plan, rounds, rows, shaped, together
from .hyperparams import Hyperparams, dials
from .loops import _check_game
from .rules import Gan
from .states import History, State, _sample

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True)
class Sweep:
    """What a sweep has made. Its dimensions are the dials', in their order, or `setting`; and then `seed`.

    Attributes:
        states: one `State`, whose leaves have the dimensions for leading axes.
        history: an `xarray.Dataset` of the fields of `History`, each with a last dimension `step` (steps taken
            before it: the first is 0), and of `diverged_at`, the step at which a run left the finite numbers,
            -1 if it never did. The dials' values and the seeds' numbers are its coordinates.
        keys: the random keys, one a seed.
        every: the history holds the steps that this number divides.
        seconds: how long it took, with compilation.
        plan: how it was cut up, and the memory that it took.
    """

    states: State
    history: "xarray.Dataset"
    keys: Key[Array, " seeds"]
    every: int
    seconds: float
    plan: Plan

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {size}" for name, size in zip(self.dims, self.shape, strict=True))
        lost = int(self.diverged.sum())
        return (
            f"Sweep of {self.plan.runs:,} runs ({sizes}) x {self.steps:,} steps: {self.seconds:.1f} s, "
            f"{in_bytes(self.plan.results)}, {lost or 'none'} diverged"
        )

    def __iter__(self) -> Iterator[Any]:
        """Unpack into states and history: `states, history = sweep(...)`."""
        return iter((self.states, self.history))

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the dimensions, such as `("lr_g", "seed")`."""
        return tuple(map(str, self.history["diverged_at"].dims))

    @property
    def shape(self) -> tuple[int, ...]:
        """Their sizes."""
        return self.history["diverged_at"].shape

    @property
    def steps(self) -> int:
        """Steps that each run has taken."""
        return int(np.max(self.states.step))

    @property
    def diverged(self) -> "xarray.DataArray":
        """Whether each run has left the finite numbers, or is about to (`RISING`)."""
        return (self.history["diverged_at"] >= 0).rename("diverged")

    @property
    def runs(self) -> State:
        """The states one after the other: the dimensions flattened into one leading axis."""
        return shaped(self.states, len(self.shape), (-1,))

    def place(self, *index: int, **labels: Any) -> tuple[int, ...]:
        """Find one run.

        Args:
            index: its place along each dimension; or
            labels: values of its coordinates, `lr_g=1e-3, seed=2`; as many as single it out.

        Returns:
            Its place along each dimension.

        Raises:
            KeyError: a label that is no coordinate.
            IndexError: a place that is none.
            TypeError: a label's value that is no number.
            ValueError: no run or several fit.
        """
        if index:
            if labels or len(index) != len(self.shape):
                raise ValueError(f"give one place for each of {', '.join(self.dims)}, or labels; got {index}")
            for i, name, size in zip(index, self.dims, self.shape, strict=True):
                if not -size <= operator.index(i) < size:
                    raise IndexError(f"{name} has places 0 to {size - 1}, got {i}")
            return tuple(range(size)[i] for i, size in zip(index, self.shape, strict=True))
        fits = np.ones(self.shape, bool)
        for name, value in labels.items():
            fits &= self._near(name, value)
        if fits.sum() != 1:
            raise ValueError(f"{fits.sum()} runs fit {labels or 'no label'}; give {', '.join(self.dims)}")
        return tuple(int(i[0]) for i in np.nonzero(fits))

    def _near(self, name: str, value: Any) -> np.ndarray:
        known = [str(label) for label in self.history.coords if label != "step"]
        if name not in known:
            raise KeyError(f"no dimension is named {name!r}; {suggestion(name, known)}")
        coordinate = self.history[name]
        if np.ndim(value) or not hasattr(value, "__float__"):
            raise TypeError(f"{name} must be one number, got {value!r}; several: history.sel, an array of xarray")
        near = np.isclose(coordinate.values, value, rtol=1e-5, atol=0)
        if not near.any():
            raise ValueError(f"no run has {name} {value!r}; there are {', '.join(map(str, coordinate.values))}")
        return near.reshape([-1 if dim in coordinate.dims else 1 for dim in self.dims])

    def pick(self, *index: int, **labels: Any) -> State:
        """Take one run out, by place or by label: `pick(0, 2)`, `pick(lr_g=1e-3, seed=2)`; see `place`."""
        at = self.place(*index, **labels)
        return jax.tree.map(loose, rows(self.states, at))

    def curves(self, *index: int, **labels: Any) -> History:
        """Take one run's history out, by place or by label, for `plots.losses` and its like."""
        at = self.place(*index, **labels)
        return History(*(self.history[name].values[at] for name in History._fields))

    def sample(self, key: Key[Array, ""], n: int, *, averaged: bool = False) -> np.ndarray:
        """Draw n samples from each run's generator, all from the same latents.

        Args:
            key: random key.
            n: how many from each.
            averaged: use the running average of the weights.

        Returns:
            Samples, shape (*shape, n, *target.shape); those of a diverged run may be NaN.
        """
        check_key(key)
        check_count(n, "n")
        blocks = cut(jax.tree.map(loose, self.runs), self.plan)
        drawn = [np.asarray(_sample_block(states, key, n, averaged)) for states in blocks]
        samples = np.concatenate(drawn)[: self.plan.runs]
        return samples.reshape(*self.shape, *samples.shape[1:])

    def score(
        self,
        metric: Callable | Mapping[str, Callable],
        target: Target,
        *,
        n: int = 2500,
        key: Key[Array, ""] | None = None,
        averaged: bool = False,
    ) -> Any:
        """Score each run's generator; a diverged run scores NaN.

        Args:
            metric: function `metric(samples, target)` that returns a number; or several, by name.
            target: what the samples are compared with.
            n: samples of each run.
            key: random key of the latents; `jax.random.key(0)` when left out.
            averaged: use the running average of the weights.

        Returns:
            An `xarray.DataArray` over `dims`; or a `Dataset` of them, by name.

        Raises:
            TypeError: a metric that is no function.
        """
        import xarray

        several = metric if isinstance(metric, Mapping) else {"metric": metric}
        for name, function in several.items():
            if not callable(function):
                raise TypeError(f"{name} must be a function such as metrics.modes_covered, got {function!r}")
        samples = self.sample(jax.random.key(0) if key is None else key, n, averaged=averaged)
        flat = samples.reshape(-1, *samples.shape[len(self.shape) :])
        whole = np.isfinite(flat).all(axis=tuple(range(1, flat.ndim))) & ~self.diverged.values.ravel()

        def scored(name: str, function: Callable) -> "xarray.DataArray":
            values = [float(function(x, target)) if ok else np.nan for x, ok in zip(flat, whole, strict=True)]
            return self.diverged.copy(data=np.reshape(values, self.shape)).rename(name)

        if callable(metric):
            return scored(getattr(metric, "__name__", "score"), metric)
        return xarray.Dataset({name: scored(name, function) for name, function in metric.items()})


@functools.partial(jax.jit, static_argnums=(2, 3))
def _sample_block(states: State, key: Key[Array, ""], n: int, averaged: bool) -> Array:
    def one(state):
        return _sample(state.gan, state.averaged_generator if averaged else state.generator, key, n, None)

    return jax.vmap(one)(states)


def sweep(
    gan: Gan,
    hypers: Hyperparams | Mapping[str, Any],
    target: Target,
    keys: Key[Array, " seeds"],
    n: int,
    *,
    hyper: Hyperparams | None = None,
    every: int = 1,
    memory: float | int | None = None,
    start: Sweep | None = None,
    progress: bool = True,
) -> Sweep:
    """Train every setting of the dials from every seed, in one call.

    Each run takes the steps that `steps` takes with its dials and its key, up to rounding. A sweep that goes on, that
    was interrupted, or whose blocks take turns, equals bit for bit the one that did it all at once.

    Args:
        gan: the rules.
        hypers: values by dial, `{"lr_g": [1e-3, 1e-2], "penalty_weight": [0, 1, 10]}`: each combination is a
            setting. Or `Hyperparams`, whose leaves are numbers or of one common shape (settings,): each setting
            takes its own of each.
        target: the distribution that real samples come from.
        keys: random keys, shape (seeds,), from `jax.random.split`; every setting has the same.
        n: how many steps.
        hyper: the dials that are not among `hypers`, given by dial.
        every: the history holds the steps that this number divides; each takes 20 bytes a run.
        memory: bytes at work at once at most, on each device; 1 GB on a CPU, elsewhere half of what the device has.
            See `sweep_plan`.
        start: a sweep over the same dials and keys, to go on from by n steps; `checkpoints` saves and loads one.
        progress: show a bar when it takes longer than a second.

    Returns:
        A `Sweep`. A run that diverges keeps its NaN, and does not stop the others.

    Raises:
        Interrupted: in place of a KeyboardInterrupt; its `.sweep` holds what all runs have done, to `start` from.
        TypeError: an unknown dial, a value that is no number.
        ValueError: dials or keys of a wrong shape; less memory than a run needs, or no number of bytes; `start` of
            another sweep.

    >>> import jax
    >>> from gan_jax import data, nets, train
    >>> gan = Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16)
    >>> done = train.sweep(gan, {"lr_g": [1e-3, 1e-2]}, data.ring(8), jax.random.split(jax.random.key(0), 3), 10)
    >>> dict(done.history.loss_g.sizes)
    {'lr_g': 2, 'seed': 3, 'step': 10}
    >>> int(done.pick(lr_g=1e-2, seed=2).step)
    10
    """
    began = time.perf_counter()
    game, grid, cutting = _prepare(gan, hypers, target, keys, n, hyper, every, memory, start)
    if progress and cutting.results > MEMORY:
        tqdm.write(f"sweep of {cutting}")
    own = {name: jnp.repeat(values, len(keys)) for name, values in grid.own.items()}
    if start is None:
        blocks = begin(game, cutting, own, jnp.tile(keys, cutting.runs // len(keys)))
    else:
        diverged_at = jnp.asarray(start.history["diverged_at"].values.ravel(), jnp.int32)
        blocks = cut(Block(own, replace(start.runs, gan=gan), diverged_at), cutting)
    done = start.steps if start else 0
    walked = Walked(blocks, (), done)
    try:
        for walked in rounds(game, cutting, blocks, done, every, progress):  # noqa: B007
            pass
    except KeyboardInterrupt:
        if walked.done == done:
            raise
        part = _collect(walked, grid, cutting, keys, every, start, began)
        raise Interrupted(
            f"the sweep was interrupted after {walked.done - done:,} of {n:,} steps. This error's .sweep holds them "
            "(in a notebook: import sys; sys.last_value.sweep); go on from there with train.sweep(..., start=...)",
            sweep=part,
        ) from None
    return _collect(walked, grid, cutting, keys, every, start, began)


def sweep_plan(
    gan: Gan,
    hypers: Hyperparams | Mapping[str, Any],
    target: Target,
    keys: Key[Array, " seeds"],
    n: int,
    *,
    hyper: Hyperparams | None = None,
    every: int = 1,
    memory: float | int | None = None,
) -> Plan:
    """Say how `sweep` would cut this up and what memory it would take; nothing is compiled.

    Args:
        gan, hypers, target, keys, n, hyper, every, memory: as in `sweep`.

    Returns:
        A `Plan`, which prints itself in a line.

    >>> import jax
    >>> from gan_jax import data, nets, train
    >>> gan = Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16)
    >>> keys = jax.random.split(jax.random.key(0), 4)
    >>> train.sweep_plan(gan, {"lr_g": [1e-3, 1e-2]}, data.ring(8), keys, 10).runs
    8
    """
    return _prepare(gan, hypers, target, keys, n, hyper, every, memory, None)[2]


class _Grid(NamedTuple):
    """The settings: sizes of their dimensions, xarray's coordinates, and each swept dial's values, one a setting."""

    sizes: dict[str, int]
    coordinates: dict[str, Any]
    own: dict[str, Any]


def _prepare(gan, hypers, target, keys, n, hyper, every, memory, start) -> tuple[Game, _Grid, Plan]:
    """Raise where something does not fit, before anything is compiled."""
    check_count(n, "n")
    check_count(every, "every")
    check_key(keys)
    if memory is not None:
        check_memory(memory)
    if keys.ndim != 1 or not len(keys):
        raise ValueError(
            f"keys must be of shape (seeds,), got {keys.shape}; make them with jax.random.split(key, seeds)"
        )
    _check_game(gan, target, None)
    if isinstance(hypers, Mapping):
        base, grid = _combinations(hypers, hyper)
    elif hyper is not None:
        raise TypeError('hyper= completes values by dial, {"lr_g": [...]}; these Hyperparams are complete')
    else:
        dials(gan, hypers)
        base, grid = _side_by_side(hypers)
    swept = dials(gan, replace(base, **grid.own))
    grid = grid._replace(own={name: getattr(swept, name) for name in grid.own})
    shared = replace(swept, **dict.fromkeys(grid.own, jnp.float32(0.5)))  # a place-holder within every dial's range
    game = Game(gan, shared, target)
    if start is not None:
        _check_start(start, gan, target, grid, keys, every)
    kept = -(-((start.steps if start else 0) + n) // every)
    cutting = plan(game, int(np.prod([*grid.sizes.values(), len(keys)])), n, kept, memory)
    return game, grid, cutting


def _combinations(axes: Mapping[str, Any], hyper: Hyperparams | None) -> tuple[Hyperparams, _Grid]:
    base = Hyperparams() if hyper is None else hyper
    if not isinstance(base, Hyperparams):
        raise TypeError(f"hyper must be Hyperparams(...), got {base!r}")
    known = [f.name for f in fields(Hyperparams)]
    values = {}
    for name, column in axes.items():
        if name not in known:
            raise TypeError(f"Hyperparams has no field {name!r}; {suggestion(name, known)}")
        try:
            values[name] = np.asarray(column, float)
        except (TypeError, ValueError):
            raise TypeError(f"{name} must be a list of numbers, got {column!r}") from None
        if values[name].ndim != 1 or not values[name].size:
            raise ValueError(f"{name} must be a list of at least one number, got {column!r}")
    arrays = [f.name for f in fields(base) if np.ndim(getattr(base, f.name)) and f.name not in values]
    if arrays:
        raise ValueError(f"hyper must hold one number for {', '.join(arrays)}; values to try go beside the others")
    columns = np.meshgrid(*values.values(), indexing="ij")
    own = {name: column.ravel() for name, column in zip(values, columns, strict=True)}
    return base, _Grid({name: len(column) for name, column in values.items()}, dict(values), own)


def _side_by_side(hypers: Hyperparams) -> tuple[Hyperparams, _Grid]:
    swept = {f.name: np.asarray(value) for f in fields(hypers) if np.ndim(value := getattr(hypers, f.name))}
    shapes = {name: values.shape for name, values in swept.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        raise ValueError(f"each dial must be a scalar or of one common shape (settings,), got {shapes}")
    if not swept:
        return hypers, _Grid({}, {}, {})
    (settings,) = next(iter(shapes.values()))
    if not settings:
        raise ValueError(f"{', '.join(swept)} must hold at least one number")
    labels = {name: ("setting", values.astype(float)) for name, values in swept.items()}
    return hypers, _Grid({"setting": settings}, {"setting": np.arange(settings), **labels}, swept)


def _check_start(start: Sweep, gan: Gan, target: Target, grid: _Grid, keys: Array, every: int) -> None:
    if not isinstance(start, Sweep):
        raise TypeError(f"start must be a Sweep from train.sweep, got {type(start).__name__}")
    _check_game(gan, target, start.states)
    sizes = {**grid.sizes, "seed": len(keys)}
    if dict(zip(start.dims, start.shape, strict=True)) != sizes:
        raise ValueError(f"start is {start!r}, but this sweep is over {sizes}; give the same dials and seeds")
    for name, values in grid.coordinates.items():
        if not np.array_equal(start.history[name].values, values[1] if isinstance(values, tuple) else values):
            raise ValueError(f"start was made with other values of {name}: {start.history[name].values}")
    if not np.array_equal(jax.random.key_data(start.keys), jax.random.key_data(keys)):
        raise ValueError("start was made from other keys; give the same")
    if start.every != every:
        raise ValueError(f"start keeps each step that {start.every} divides; give every={start.every}")


def _collect(
    walked: Walked, grid: _Grid, cutting: Plan, keys: Array, every: int, start: Sweep | None, began: float
) -> Sweep:
    """Put blocks together and label them."""
    import xarray

    shape, dims = (*grid.sizes.values(), len(keys)), (*grid.sizes, "seed")
    block = together(walked.blocks, cutting)
    kept = np.moveaxis(np.concatenate(walked.pieces, axis=1), 1, -1)  # (fields, runs, kept)
    variables = {
        name: ((*dims, "step"), values.reshape(*shape, -1)) for name, values in zip(History._fields, kept, strict=True)
    }
    if start is not None:
        for name, (labels, values) in variables.items():
            variables[name] = (labels, np.concatenate([start.history[name].values, values], axis=-1))
    history = xarray.Dataset(
        {**variables, "diverged_at": (dims, np.asarray(block.diverged_at).reshape(shape))},
        {**grid.coordinates, "seed": np.arange(len(keys)), "step": np.arange(0, walked.done, every)},
    )
    seconds = time.perf_counter() - began + (start.seconds if start else 0.0)
    return Sweep(shaped(block.states, 1, shape), history, keys, every, seconds, cutting)
