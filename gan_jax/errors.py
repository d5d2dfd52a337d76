"""A name or value that does not fit comes in; an exception that says what was expected, and the remedy, goes out."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, Generic, TypeVar

import jax

T = TypeVar("T")


class UnknownName(KeyError):
    """A name that is not on a menu. A `KeyError` whose message is printed as it is written."""

    __str__ = Exception.__str__


class Diverged(RuntimeError):
    """Training has left the finite numbers, or is about to.

    Attributes:
        step: the step at which it began.
        state: the last good `State`, from just before that step.
        history: the `History` of the steps before it.
        recording: what was recorded until then, where the run was recorded.
    """

    recording: Any = None

    def __init__(self, message: str, *, step: int, state: Any, history: Any):
        super().__init__(message)
        self.step, self.state, self.history = step, state, history


class Interrupted(KeyboardInterrupt):
    """A sweep was interrupted; what its runs had done by then is kept.

    Attributes:
        sweep: the `Sweep` as it stood, to go on from.
    """

    def __init__(self, message: str, *, sweep: Any):
        super().__init__(message)
        self.sweep = sweep


def suggestion(name: object, known: Iterable[str]) -> str:
    """Say which of the known names was probably meant.

    >>> suggestion("hindge", ["hinge", "wasserstein"])
    "did you mean 'hinge'? Known: hinge, wasserstein"
    """
    known = list(known)
    close = difflib.get_close_matches(str(name), known, n=2, cutoff=0.5)
    meant = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{meant}Known: {', '.join(known)}"


class Menu(Mapping[str, T], Generic[T]):
    """A read-only mapping of names whose failed look-up names what there is.

    Args:
        kind: what the entries are, in the singular, for the message.
        entries: name to entry, in the order in which they are shown.

    >>> Menu("loss", {"hinge": 1})["hindge"]
    Traceback (most recent call last):
    ...
    gan_jax.errors.UnknownName: no loss is named 'hindge'; did you mean 'hinge'? Known: hinge
    """

    def __init__(self, kind: str, entries: Mapping[str, T]):
        self.kind, self._entries = kind, dict(entries)

    def __getitem__(self, name: str) -> T:
        try:
            return self._entries[name]
        except (KeyError, TypeError):
            raise UnknownName(f"no {self.kind} is named {name!r}; {suggestion(name, self)}") from None

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._entries  # without a search for what else may have been meant

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"menu ({self.kind}): {', '.join(self)}"


def named_keywords(cls: type[T]) -> type[T]:
    """Give a dataclass an `__init__` whose unknown keyword is answered with the names there are.

    >>> from dataclasses import dataclass
    >>> @named_keywords
    ... @dataclass
    ... class Point:
    ...     left: float = 0.0
    >>> Point(lefft=1.0)
    Traceback (most recent call last):
    ...
    TypeError: Point has no field 'lefft'; did you mean 'left'? Known: left
    """
    original = cls.__init__
    known = [f.name for f in fields(cls)]  # type: ignore[arg-type]

    def __init__(self, *args, **keywords):
        for name in keywords:
            if name not in known:
                raise TypeError(f"{cls.__name__} has no field {name!r}; {suggestion(name, known)}")
        original(self, *args, **keywords)

    __init__.__doc__ = original.__doc__
    __init__.__wrapped__ = original  # type: ignore[attr-defined]
    cls.__init__ = __init__  # type: ignore[method-assign]
    return cls


def check_key(key: object) -> None:
    """Raise unless `key` is one of JAX's typed random keys, or an array of them.

    >>> check_key(0)
    Traceback (most recent call last):
    ...
    TypeError: expected a random key, got 0 (int); make one with jax.random.key(0)
    """
    if not (isinstance(key, jax.Array) and jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key)):
        shown = repr(key) if isinstance(key, (int, float, str, type(None))) else "a value"
        raise TypeError(f"expected a random key, got {shown} ({type(key).__name__}); make one with jax.random.key(0)")


def check_memory(value: object) -> None:
    """Raise unless `value` is a positive number of bytes; infinity is no limit.

    >>> check_memory("1 GB")
    Traceback (most recent call last):
    ...
    ValueError: memory must be a positive number of bytes, such as 1e9, got '1 GB'
    """
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__") or not float(value) > 0:  # NaN neither
        raise ValueError(f"memory must be a positive number of bytes, such as 1e9, got {value!r}")


def check_count(value: object, name: str, *, least: int = 1) -> None:
    """Raise unless `value` is a whole number of at least `least`.

    >>> check_count(0, "batch_size")
    Traceback (most recent call last):
    ...
    ValueError: batch_size must be a whole number of at least 1, got 0
    """
    whole = isinstance(value, int) or (hasattr(value, "dtype") and getattr(value, "shape", None) == ()
                                       and jax.numpy.issubdtype(value.dtype, jax.numpy.integer))  # fmt: skip
    if isinstance(value, bool) or not whole or int(value) < least:  # type: ignore[call-overload]
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
