"""A training state, or a sweep of them, and a folder come in; files that a later run goes on from, bit for bit, go out.

Orbax writes them: arrays and names only, no pickle, each save whole or not there at all.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np

from .train import State, Sweep

Saved = TypeVar("Saved", State, Sweep)


def save(folder: str | Path, state: State | Sweep, *, keep: int = 2) -> Path:
    """Write the state as it stands into `folder`, under the number of its step.

    Args:
        folder: where to; made when it is not there.
        state: what `train` returned; of a `Sweep`, all of its states and its history.
        keep: how many of the last saves stay; an interrupted save leaves them as they are.

    Returns:
        The folder of this save.

    Raises:
        ValueError: the folder already holds a save of this step.
    """
    path = Path(folder).absolute()
    if isinstance(state, Sweep):
        step, arrays = state.steps, _sweep_arrays(state)
    else:
        step, arrays = int(state.step), named_arrays(state)
    with _manager(path, keep) as manager:
        if step in manager.all_steps():
            raise ValueError(f"{path} already holds step {step}; train on, or choose another folder")
        manager.save(step, args=_orbax().args.StandardSave(arrays))
    return path / str(step)


def load(folder: str | Path, like: Saved, *, step: int | None = None) -> Saved:
    """Read a state back, to go on from or to sample.

    Args:
        folder: what `save` was given.
        like: a state of the same GAN, such as `train.init` returns; it gives the structure, its numbers do not matter.
            For a sweep, the same sweep over one step.
        step: which save; the last one when left out.

    Returns:
        The `State` or `Sweep` that was saved; training it further equals never having stopped.

    Raises:
        FileNotFoundError: there is no such save.
        ValueError: the save is of another GAN, or of a sweep over other dials or keys; the message names the first
            arrays that differ.

    >>> import tempfile
    >>> from gan_jax import data, nets, train
    >>> gan = train.Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16)
    >>> state = train.init(gan, train.Hyperparams(), jax.random.key(0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = save(folder, state)
    ...     bool(load(folder, state).step == state.step)
    True
    """
    path = Path(folder).absolute()
    if not path.is_dir():
        raise FileNotFoundError(f"there is no folder {path}; save into it first")
    with _manager(path, keep=None) as manager:
        held = sorted(manager.all_steps())
        wanted = (held[-1] if held else None) if step is None else step
        if wanted not in held:
            raise FileNotFoundError(f"{path} holds no save of step {wanted}; it holds {held or 'none'}")
        saved = manager.restore(wanted, args=_orbax().args.StandardRestore())
    origin = f"the save in {path}"
    return _restore_sweep(saved, like, origin) if isinstance(like, Sweep) else restore(saved, like, origin)


def named_arrays(state: State) -> dict[str, np.ndarray]:
    """Read all arrays of a state by their path, random keys as the numbers they are made of."""
    return {
        jax.tree_util.keystr(path): np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
    }


def restore(saved: Mapping[str, Any], like: State, origin: str = "this save") -> State:
    """Make a state of what `named_arrays` has read.

    Args:
        saved: arrays by their path.
        like: a state of the same GAN; it gives the structure, its numbers do not matter.
        origin: what to call `saved` when it does not fit.

    Raises:
        ValueError: the arrays are of another GAN; the message names the first that differ.
    """
    expected = named_arrays(like)
    differing = [
        f"{name}: saved {getattr(saved.get(name), 'shape', 'nothing')}, "
        f"here {getattr(expected.get(name), 'shape', 'nothing')}"
        for name in sorted(saved.keys() | expected.keys())
        if name not in saved or name not in expected or saved[name].shape != expected[name].shape
    ]
    if differing:
        raise ValueError(
            f"{origin} is of another GAN ({'; '.join(differing[:3])}); "
            "build `like` with the networks and the optimizer that it was made with"
        )
    leaves, structure = jax.tree.flatten(like)
    arrays = [
        jax.random.wrap_key_data(jax.numpy.asarray(saved[name]), impl=jax.random.key_impl(leaf))
        if _is_key(leaf)
        else jax.numpy.asarray(saved[name])
        for name, leaf in zip(expected, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, arrays)


def _sweep_arrays(sweep: Sweep) -> dict[str, np.ndarray]:
    labels = {name: coordinate.values for name, coordinate in sweep.history.coords.items()}
    labels |= {"keys": np.asarray(jax.random.key_data(sweep.keys)), "every": np.asarray(sweep.every)}
    curves = {f"curve.{name}": variable.values for name, variable in sweep.history.data_vars.items()}
    return named_arrays(sweep.states) | {f"label.{name}": values for name, values in labels.items()} | curves


def _restore_sweep(saved: Mapping[str, Any], like: Sweep, origin: str) -> Sweep:
    import xarray

    expected = _sweep_arrays(like)
    for name in sorted(name for name in saved.keys() | expected.keys() if name.startswith("label.")):
        if name != "label.step" and not np.array_equal(saved.get(name, ()), expected.get(name, ())):
            raise ValueError(
                f"{origin} is of another sweep: its {name.removeprefix('label.')} differ; "
                "build `like` with the dials, keys and every= that it was made with"
            )
    curves = {name: (curve.dims, saved[f"curve.{name}"]) for name, curve in like.history.data_vars.items()}
    labels = dict(like.history.drop_vars("step").coords) | {"step": saved["label.step"]}
    states = {name: array for name, array in saved.items() if not name.startswith(("label.", "curve."))}
    return replace(like, states=restore(states, like.states, origin), history=xarray.Dataset(curves, labels))


def _is_key(leaf: Any) -> bool:
    return jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _orbax() -> Any:
    import orbax.checkpoint  # a heavy import, and needed only here

    return orbax.checkpoint


def _manager(path: Path, keep: int | None) -> Any:
    ocp = _orbax()
    return ocp.CheckpointManager(
        path, options=ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=False)
    )
