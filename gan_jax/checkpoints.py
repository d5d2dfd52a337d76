"""A training state, or a sweep of them, and a folder come in; files that a later run goes on from, bit for bit, go out.

Orbax writes them: arrays and names only, no pickle, each save whole or not there at all. Beside the arrays, in the file
`_CHECKPOINT_METADATA` of a save, stands in words what they belong to: the `Configuration`.
"""

import functools
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np

from .data import Target
from .errors import suggestion
from .train import Gan, Hyperparams, State, Sweep

Saved = TypeVar("Saved", State, Sweep)

_ARRAYS = "default"  # Orbax's own name for what a save holds


@dataclass(frozen=True)
class Configuration:
    """What a save belongs to, in words: two saves of equal arrays may still be of different games.

    Attributes:
        gan: each field of the `Gan`, as text.
        dials: each of the `Hyperparams`, as text; empty where they were not given.
        target: the data, as text; "" where it was not given.
        versions: of the packages that wrote it.

    >>> from gan_jax import nets
    >>> one, two = (Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=n) for n in (16, 32))
    >>> configuration(one).differences(configuration(two))
    {'batch_size': ('16', '32')}
    """

    gan: Mapping[str, str]
    dials: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    def lines(self) -> dict[str, str]:
        """The same as one line each: "gan", "dials" and "target"."""
        joined = lambda told: ", ".join(f"{name}={text}" for name, text in told.items())  # noqa: E731
        return {"gan": joined(self.gan), "dials": joined(self.dials), "target": self.target}

    def differences(self, other: "Configuration") -> dict[str, tuple[str, str]]:
        """What makes the other one another game: name to (here, there). Dials may change while a game goes on."""
        usual = {f.name: _text(f.default) for f in fields(Gan)}  # what a save from before this field existed means
        pairs = {
            name: (self.gan.get(name, usual.get(name, "unknown")), other.gan.get(name, usual.get(name, "unknown")))
            for name in {**self.gan, **other.gan}
        }
        if self.target and other.target:
            pairs["target"] = (self.target, other.target)
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    def moved_dials(self, other: "Configuration") -> dict[str, tuple[str, str]]:
        """The dials that the other one holds elsewhere: name to (here, there)."""
        both = self.dials.keys() & other.dials.keys()
        return {n: (self.dials[n], other.dials[n]) for n in self.dials if n in both and self.dials[n] != other.dials[n]}


def configuration(gan: Gan, hyper: Hyperparams | None = None, target: Target | str | None = None) -> Configuration:
    """Put into words what a state belongs to.

    Args:
        gan: the rules.
        hyper: the dials, one number each.
        target: the data: a target, or a name for it.
    """
    dials = {} if hyper is None else {f.name: _text(getattr(hyper, f.name)) for f in fields(hyper)}
    rules = {f.name: _text(getattr(gan, f.name)) for f in fields(gan)}
    versions = {name: version(name) for name in ("gan_jax", "jax", "flax")}
    return Configuration(rules, dials, "" if target is None else _target_text(target), versions)


def save(
    folder: str | Path,
    state: State | Sweep,
    *,
    keep: int = 2,
    hyper: Hyperparams | None = None,
    target: Target | str | None = None,
) -> Path:
    """Write the state as it stands into `folder`, under the number of its step.

    Args:
        folder: where to; made when it is not there.
        state: what `train` returned; of a `Sweep`, all of its states and its history.
        keep: how many of the last saves stay; an interrupted save leaves them as they are.
        hyper: the dials, to be noted down beside the arrays.
        target: the data, to be noted down, and compared by `load`.

    Returns:
        The folder of this save.

    Raises:
        ValueError: the folder already holds a save of this step.
        OSError: it cannot be written: no right to, no space left. The saves that are there stay as they are.
    """
    path = Path(folder).absolute()
    if isinstance(state, Sweep):
        step, arrays, gan = state.steps, _sweep_arrays(state), state.states.gan
    else:
        step, arrays, gan = int(state.step), named_arrays(state), state.gan
    noted = asdict(configuration(gan, hyper, target))
    if step in saved_steps(path):
        raise ValueError(f"{path} already holds step {step}; train on, or choose another folder")
    try:
        with _manager(path, keep) as manager:
            manager.save(step, args=_orbax().args.StandardSave(arrays), custom_metadata=noted)
    except OSError as error:
        raise OSError(error.errno, f"step {step} could not be saved ({error.strerror or error})", str(path)) from error
    except Exception as error:  # what writes the arrays has errors of its own for a full disk
        raise OSError(f"step {step} could not be saved in {path}: {str(error).splitlines()[0][:300]}") from error
    return path / str(step)


def saved_steps(folder: str | Path) -> list[int]:
    """List the steps of which a folder holds a save, in ascending order; what an interrupted save left is none.

    >>> saved_steps("nowhere")
    []
    """
    path = Path(folder)
    # a save gets its number as its name when all of it is written, and not before
    named = [each for each in path.iterdir() if each.name.isdigit()] if path.is_dir() else []
    return sorted(int(each.name) for each in named if (each / _ARRAYS).is_dir())


def load(
    folder: str | Path,
    like: Saved,
    *,
    step: int | None = None,
    target: Target | str | None = None,
    changed: Collection[str] = (),
) -> Saved:
    """Read a state back, to go on from or to sample.

    Args:
        folder: what `save` was given.
        like: a state of the same GAN, such as `train.init` returns; it gives the structure, its numbers do not matter.
            For a sweep, the same sweep over one step.
        step: which save; the last one when left out.
        target: the data, to be compared with what `save` was told.
        changed: fields of `Gan`, or "target", that differ on purpose from here on, such as ("loss",).

    Returns:
        The `State` or `Sweep` that was saved; training it further equals never having stopped.

    Raises:
        FileNotFoundError: there is no such save.
        ValueError: the save is of another GAN, or of a sweep over other dials or keys; the message names what differs.
            Or its files are damaged.

    >>> import tempfile
    >>> from gan_jax import data, nets, train
    >>> gan = train.Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16)
    >>> state = train.init(gan, train.Hyperparams(), jax.random.key(0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = save(folder, state)
    ...     bool(load(folder, state).step == state.step)
    True
    """
    path, step = _found(folder, step)
    origin = f"the save in {path}"
    try:
        with _manager(path, keep=None) as manager:
            saved = manager.restore(step, args=_orbax().args.StandardRestore())
    except Exception as error:  # Orbax and TensorStore have a dozen kinds for a file that is cut off
        others = [number for number in saved_steps(path) if number != step]
        remedy = f"read another one, with step={others[-1]}" if others else "there is no other one"
        why = str(error).splitlines()[0][:200]
        raise ValueError(f"{origin} of step {step} is damaged; {remedy} ({why})") from error
    if isinstance(like, Sweep):
        return _restore_sweep(saved, like, origin)
    here = configuration(like.gan, None, target)
    return _checked(saved, like, origin, saved_configuration(folder, step), here, changed)


def saved_configuration(folder: str | Path, step: int | None = None) -> Configuration:
    """Read what a save belongs to.

    Args:
        folder: what `save` was given.
        step: which save; the last one when left out.

    Returns:
        Its `Configuration`; of a save from before they were noted down, an empty one.

    Raises:
        FileNotFoundError: there is no such save.
    """
    path, step = _found(folder, step)
    with _manager(path, keep=None) as manager:
        noted = manager.metadata(step).custom_metadata or {}
    return Configuration(**({"gan": {}} | {f.name: noted[f.name] for f in fields(Configuration) if f.name in noted}))


def _found(folder: str | Path, step: int | None) -> tuple[Path, int]:
    """Where the save of this step lies, or of the last one."""
    path = Path(folder).absolute()
    if not path.is_dir():
        raise FileNotFoundError(f"there is no folder {path}; save into it first")
    held = saved_steps(path)
    wanted = (held[-1] if held else None) if step is None else step
    if wanted not in held:
        raise FileNotFoundError(f"{path} holds no save of step {wanted}; it holds {held or 'none'}")
    return path, wanted


def _checked(
    saved: Mapping[str, Any],
    like: State,
    origin: str,
    noted: Configuration,
    here: Configuration,
    changed: Collection[str],
) -> State:
    """`restore`, once the configurations have been compared."""
    known = [*here.gan, "target"]
    for name in changed:
        if name not in known:
            raise ValueError(f"changed must name fields of a Gan, got {name!r}; {suggestion(name, known)}")
    pairs = noted.differences(here) if noted.gan else {}
    other = [f"{n}: saved {there}, here {this}" for n, (there, this) in pairs.items() if n not in changed]
    if other:
        shapes = _other_shapes(saved, named_arrays(like))[:1]
        raise ValueError(
            f"{origin} is of another GAN ({'; '.join(other + shapes)}); build `like` with the same, or choose another "
            f"folder; to change it from here on, where the networks allow it, say changed={tuple(pairs)!r}"
        )
    return restore(saved, like, origin)


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
    if differing := _other_shapes(saved, expected):
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


def _other_shapes(saved: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}: saved {getattr(saved.get(name), 'shape', 'nothing')}, "
        f"here {getattr(expected.get(name), 'shape', 'nothing')}"
        for name in sorted(saved.keys() | expected.keys())
        if name not in saved or name not in expected or saved[name].shape != expected[name].shape
    ]


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


def _text(value: Any) -> str:
    """A value as a line of text that is the same in every process; of a dataclass, what differs from its defaults."""
    if value is None:
        return "none"
    if np.ndim(value) == 0 and not isinstance(value, str) and hasattr(value, "__float__"):
        return f"{float(value):.9g}"
    if isinstance(value, (tuple, list)) and not hasattr(value, "_fields"):
        return f"({', '.join(map(_text, value))})"
    if isinstance(getattr(value, "name", None), str):  # losses and penalties
        return value.name
    # a dataclass that says for itself how it is shown does so below
    if is_dataclass(value) and not isinstance(value, type) and value.__dataclass_params__.repr:  # type: ignore[attr-defined]
        told = {f.name: getattr(value, f.name) for f in fields(value) if f.repr}
        usual = {f.name: f.default for f in fields(value)}
        parts = [f"{n}={_text(v)}" for n, v in told.items() if _text(v) != _text(usual[n])]
        return f"{type(value).__name__}({', '.join(parts)})"
    if isinstance(value, functools.partial):
        parts = [*map(_text, value.args), *(f"{n}={_text(v)}" for n, v in value.keywords.items())]
        return f"{_text(value.func)}({', '.join(parts)})"
    named = value if isinstance(value, str) else getattr(value, "__qualname__", None) or repr(value)
    return re.sub(r" at 0x[0-9a-f]+", "", named)


def _target_text(target: Target | str) -> str:
    if isinstance(target, str):
        return target
    shapes = [
        f"{jax.tree_util.keystr(path).lstrip('.')} {np.shape(leaf)}"
        for path, leaf in jax.tree_util.tree_leaves_with_path(target)
    ]
    name = getattr(target, "name", "")
    return f"{type(target).__name__}({', '.join([name] * bool(name) + shapes)})"


def _is_key(leaf: Any) -> bool:
    return jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _orbax() -> Any:
    import orbax.checkpoint  # a heavy import, and needed only here

    return orbax.checkpoint


def _manager(path: Path, keep: int | None) -> Any:
    ocp = _orbax()
    return ocp.CheckpointManager(
        path,
        item_handlers=ocp.StandardCheckpointHandler(),
        options=ocp.CheckpointManagerOptions(
            max_to_keep=keep, enable_async_checkpointing=False, cleanup_tmp_directories=keep is not None
        ),
    )
