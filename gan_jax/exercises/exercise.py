"""The one source of an exercise comes in: stub, hints, solution, check, tempting wrong answers; its parts go out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from .show import Card, Code
from .verdict import Result, judge

HINTS = ("pointer", "formula", "pseudo-code")


class Tempting(NamedTuple):
    """A wrong answer that people give.

    Attributes:
        source: code in place of the stub.
        says: what the check's reason must contain.
    """

    source: str
    says: str


@dataclass(frozen=True)
class Exercise:
    """One exercise. Its answer is a function or a value that bears the exercise's own name.

    Args:
        name: a Python name.
        goal: what to do, in a line or two.
        stub: source of the cell as the learner finds it, without its last line, `lesson.NAME.check(NAME)`.
        hints: three: a pointer, a formula, pseudo-code.
        solution: source in place of the stub.
        check: takes the answer; raises `Wrong` with a reason, or returns a line to say when it is right.
        also_right: other sources that are right, which the check must accept.
        tempting: wrong ones, which it must reject by name.
        stretch: beyond the lesson's objectives.
    """

    name: str
    goal: str
    stub: str
    hints: tuple[str, str, str]
    solution: str
    check: Callable[[Any], str | None]
    also_right: tuple[str, ...]
    tempting: tuple[Tempting, ...]
    stretch: bool = False

    @property
    def is_function(self) -> bool:
        """Whether the answer is a function, as the stub shows it."""
        return f"def {self.name}(" in self.stub

    def cell(self, source: str) -> str:
        """The notebook's cell: a source, and the call of the check."""
        gap = "\n\n\n" if self.is_function else "\n\n"  # as ruff formats it
        return f"{source.strip()}{gap}lesson.{self.name}.check({self.name})"

    def judge(self, answer: Any) -> Result:
        """Check an answer, and record nothing."""
        return judge(self.check, answer, self.name, is_function=self.is_function)


class Posed:
    """An exercise as a learner meets it: `check`, `hint`, `solution`. Each check is recorded for `progress`."""

    def __init__(self, exercise: Exercise, record: Callable[[str, Result], None]):
        self._exercise, self._record = exercise, record

    def check(self, answer: Any) -> Result:
        """Say whether an answer is right, and if not, why.

        Args:
            answer: your function, or your value.

        Returns:
            A `Result`: shown by the notebook, true when right.
        """
        verdict = self._exercise.judge(answer)
        self._record(self._exercise.name, verdict)
        return verdict

    def hint(self, number: int = 1) -> Card:
        """Show a hint: 1 points, 2 gives the formula, 3 the pseudo-code."""
        if number not in (1, 2, 3) or isinstance(number, bool):
            raise ValueError(f"hints are 1 (pointer), 2 (formula) and 3 (pseudo-code); there is no hint {number!r}")
        return Card("note", f"Hint {number} of 3: {HINTS[number - 1]}", self._exercise.hints[number - 1])

    def solution(self) -> Card:
        """Show one solution's source."""
        return Code("note", "One solution", self._exercise.solution.strip())

    def __repr__(self) -> str:
        return repr(self._card())

    def _repr_html_(self) -> str:
        return self._card()._repr_html_()

    def _card(self) -> Card:
        name = self._exercise.name
        text = f"{self._exercise.goal}\n\nThen `.check({name})`; `.hint(1)` to `.hint(3)`; `.solution()`."
        return Card("note", f"Exercise {name}", text)
