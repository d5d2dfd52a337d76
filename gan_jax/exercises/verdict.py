"""What a learner's code returns or raises comes in; a verdict goes out: not attempted, wrong with the reason, right."""

import functools
import linecache
import sysconfig
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from .show import Card

NOT_ATTEMPTED, WRONG, RIGHT = "not attempted", "wrong", "right"
HEADINGS = {NOT_ATTEMPTED: "Not attempted yet", WRONG: "Not right yet", RIGHT: "Right"}


class Result(Card):
    """A verdict: `outcome` is one of three words, `text` the reason; true when right."""

    @property
    def outcome(self) -> str:
        return self.kind

    def __bool__(self) -> bool:
        return self.kind == RIGHT


def result(outcome: str, text: str) -> Result:
    """Make a `Result` under its usual heading."""
    return Result(outcome, HEADINGS[outcome], text)


class Wrong(Exception):
    """Raised by a check: the answer is wrong, and the message says why."""


class NotAttempted(Exception):
    """Raised when what the learner's code returns is still the stub's `...`."""


def untouched(value: Any) -> bool:
    """Whether a value is what a stub leaves: `...`, None, or a container with a `...` in it.

    >>> untouched(...), untouched((1.0, ...)), untouched({"loss": 0.0})
    (True, True, False)
    """
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return any(item is ... or untouched(item) for item in value if isinstance(item, (tuple, list, dict, type(...))))
    return value is None or value is ...


def guarded(function: Callable, name: str) -> Callable:
    """Wrap a learner's function so that a returned `...` or None says "not attempted"."""

    @functools.wraps(function)
    def call(*args, **keywords):
        value = function(*args, **keywords)
        if untouched(value):
            shown = "None; is a `return` missing?" if value is None else "`...`; put your code in its place."
            raise NotAttempted(f"`{name}` returns {shown}")
        return value

    return call


ADVICE: Sequence[tuple[type[BaseException] | tuple[type[BaseException], ...], str, str]] = (
    (
        jax.errors.TracerBoolConversionError,
        "",
        "A Python `if`, `and` or `while` asks about a value that JAX is still tracing. Use `jnp.where` or "
        "`jax.lax.cond`.",
    ),
    (
        (jax.errors.TracerArrayConversionError, jax.errors.TracerIntegerConversionError),
        "",
        "NumPy, or an index, is given a value that JAX is still tracing. Use `jnp` where you used `np`.",
    ),
    (
        jax.errors.ConcretizationTypeError,
        "",
        "`float(...)`, `int(...)` or a shape asks for the number behind a value that JAX is still tracing. "
        "Keep it an array.",
    ),
    (
        jax.errors.UnexpectedTracerError,
        "",
        "A value made inside a traced function has been kept outside it (in a global, a list, an attribute). "
        "Return it instead.",
    ),
    (NameError, "", "This name is not known here. Has the cell that defines it been run? Is it spelt as there?"),
    (AttributeError, "", "Look at the name after the dot, and at what stands before it: `type(...)` tells."),
    (
        TypeError,
        "scalar-output",
        "`jax.grad` wants a function that returns one number: take the mean over the samples, or use `jax.vmap`.",
    ),
    (
        TypeError,
        "argument",
        "The call and the function's parameters do not fit. Compare its first line with the stub's.",
    ),
    (
        (TypeError, ValueError),
        "shape",
        "Two shapes do not fit. Print `.shape` of what goes into this line; (n,) and (n, 1) are not the same.",
    ),
    (
        (TypeError, ValueError),
        "broadcast",
        "Two shapes do not fit. Print `.shape` of what goes into this line; (n,) and (n, 1) are not the same.",
    ),
    (
        (TypeError, ValueError),
        "dimension",
        "Two shapes do not fit. Print `.shape` of what goes into this line; (n,) and (n, 1) are not the same.",
    ),
    ((KeyError, IndexError), "", "Look at the index: print the keys or the length of what it goes into."),
    (TypeError, "", "Look at the types of what goes into this line: an array, a function, a number?"),
)
"""What to look at: the first entry whose type fits and whose word is in the message."""

_LIBRARIES = tuple(
    str(folder.resolve())
    for folder in (
        *(Path(sysconfig.get_paths()[name]) for name in ("stdlib", "purelib", "platlib")),
        Path(jax.__file__).parents[1],
        Path(__file__).parents[1],
    )
)


def learners_line(error: BaseException) -> str:
    """Find the last line of the learner's own code in an error's traceback, or "" when none of it is there."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        of_a_library = str(Path(frame.filename).resolve()).startswith(_LIBRARIES) or frame.filename.startswith(
            "<frozen"
        )
        if not of_a_library:
            line = (frame.line or linecache.getline(frame.filename, frame.lineno or 0)).strip()
            return f"line {frame.lineno} of your cell: `{line}`" if line else f"line {frame.lineno} of your cell"
    return ""


def explain(error: Exception) -> str:
    """Say in three lines what an exception in a learner's code was, where, and what to look at.

    >>> try:
    ...     undefined_name
    ... except NameError as error:
    ...     print(explain(error).splitlines()[0])
    Your code raised `NameError: name 'undefined_name' is not defined`
    """
    message = next((line for line in str(error).splitlines() if line.strip()), "")
    lines = [
        f"Your code raised `{type(error).__name__}: {message}`" if message else f"It raised {type(error).__name__}"
    ]
    if where := learners_line(error):
        lines.append(f"at {where}")
    advice = [advice for kind, word, advice in ADVICE if isinstance(error, kind) and word.lower() in str(error).lower()]
    return "\n".join([*lines, *advice[:1]])


def judge(check: Callable[[Any], str | None], answer: Any, name: str, *, is_function: bool) -> Result:
    """Run a check on an answer, and turn everything that can happen into one of three results.

    Args:
        check: raises `Wrong` with the reason, or returns a line to say when the answer is right.
        answer: a learner's function or value.
        name: of the exercise.
        is_function: whether the answer should be a function.

    >>> judge(lambda answer: None, ..., "loss", is_function=True)
    ○ Not attempted yet
    Put your code in place of the `...`, and run the cell again.
    """
    if untouched(answer):
        return result(NOT_ATTEMPTED, "Put your code in place of the `...`, and run the cell again.")
    if is_function and not callable(answer):
        return result(
            WRONG, f"`check` wants the function itself, `check({name})`; it got {_shown(answer)}, perhaps its result."
        )
    if not is_function and callable(answer) and not isinstance(answer, (jax.Array, np.ndarray)):
        return result(WRONG, f"`check` wants a value here; it got the function `{_shown(answer)}`.")
    try:
        praise = check(guarded(answer, name) if is_function else answer)
    except Wrong as reason:
        return result(WRONG, str(reason))
    except NotAttempted as reason:
        return result(NOT_ATTEMPTED, str(reason))
    except Exception as error:
        if "ellipsis" in str(error).lower():
            return result(NOT_ATTEMPTED, f"A part of `{name}` is still `...`; put your code in its place.")
        return result(WRONG, explain(error))
    return result(RIGHT, praise or "")


def _shown(value: Any) -> str:
    text = repr(value)
    return getattr(value, "__name__", text if len(text) < 40 else text[:37] + "...") + f" ({type(value).__name__})"


SEVERAL = "Is a mean, a sum or an index missing?"
"""What to look at where several numbers come in place of one, unless an exercise knows better."""

AVERAGE = "Take the mean over the samples."
"""The same for a loss, or whatever else is a mean."""


def to_array(value: Any, what: str, shape: tuple[int, ...] | None = (), *, several: str = SEVERAL) -> np.ndarray:
    """Turn what a learner returned into a NumPy array of finite numbers, or raise `Wrong` with what it is instead.

    Args:
        value: anything.
        what: its name in a message, "the loss".
        shape: the shape it should have; None for any.
        several: what to look at where one number should be and several are, such as `AVERAGE`.

    >>> to_array("0.5", "the loss")
    Traceback (most recent call last):
    ...
    gan_jax.exercises.verdict.Wrong: the loss should be a number; yours is '0.5' (str).
    """
    wanted = "a number" if shape == () else "an array of numbers"
    if isinstance(value, jax.core.Tracer):
        raise Wrong(f"{what} is a value from inside a traced function (a tracer) that was kept outside it. Return it.")
    if (
        value is None
        or isinstance(value, (str, bytes, bool, dict, set))
        or (callable(value) and not hasattr(value, "shape"))
    ):
        raise Wrong(f"{what} should be {wanted}; yours is {_shown(value)}.")
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise Wrong(f"{what} should be {wanted}; yours is {_shown(value)}.") from None
    if shape is not None and array.shape != shape:
        remedy = f" {several}" if shape == () and array.size > 1 else ""
        remedy = " Take it out of its array: `x[0]`, or `x.squeeze()`." if shape == () and array.size == 1 else remedy
        wanted = "one number, shape ()" if shape == () else f"of shape {shape}"
        raise Wrong(f"{what} should be {wanted}; yours has shape {array.shape}.{remedy}")
    if np.isnan(array).any():
        raise Wrong(f"{what} is NaN: somewhere 0/0, inf - inf or the logarithm of a negative number is taken.")
    if np.isinf(array).any():
        raise Wrong(f"{what} is infinite: somewhere a logarithm of 0 or an overflowing exponential is taken.")
    return array


def expect(
    value: Any,
    expected: Any,
    what: str,
    mistakes: Sequence[tuple[Any, str]] = (),
    *,
    otherwise: str = "",
    several: str = SEVERAL,
    tolerance: float = 1e-4,
) -> None:
    """Raise `Wrong` unless a value is the expected one; say which known mistake gives what it is instead.

    Args:
        value: what the learner's code returned.
        expected: a number or array; its shape is expected too.
        what: the value's name in a message, "the loss".
        mistakes: pairs (value that a known mistake gives, reason).
        otherwise: what to look at when no known mistake fits.
        several: what to look at where one number should be and several are.
        tolerance: relative, and absolute near 0.

    >>> import math
    >>> expect(math.log(2), 2 * math.log(2), "D's loss", [(math.log(2), "You halved it: D's loss sums two means.")])
    Traceback (most recent call last):
    ...
    gan_jax.exercises.verdict.Wrong: D's loss is 0.6931; it should be 1.386. You halved it: D's loss sums two means.
    """
    wanted = np.asarray(expected, dtype=np.float64)
    array = to_array(value, what, wanted.shape, several=several)
    same = lambda other: np.allclose(array, other, rtol=tolerance, atol=tolerance)  # noqa: E731
    if same(wanted):
        return
    reasons = [reason for mistaken, reason in mistakes if same(np.asarray(mistaken, dtype=np.float64))]
    numbers = (
        f"{what} is {array:.4g}; it should be {wanted:.4g}." if not wanted.shape else f"{what} is not as expected."
    )
    raise Wrong(" ".join(filter(None, [numbers, reasons[0] if reasons else otherwise])))
