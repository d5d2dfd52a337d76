"""A lesson's exercises and quiz come in; they go out by name, and with them a record of what is done."""

import html
import json
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..errors import suggestion
from .exercise import Exercise, Posed
from .question import Asked, Question
from .show import MARKS, frame_html
from .verdict import NOT_ATTEMPTED, RIGHT, Result

T = TypeVar("T")


class Named(Generic[T]):
    """Things by name, as attributes; an unknown name says which there are."""

    def __init__(self, kind: str, things: dict[str, T]):
        self._kind, self._things = kind, things

    def __getattr__(self, name: str) -> T:
        if name.startswith("_"):  # what Python and IPython ask of every object
            raise AttributeError(name)
        try:
            return self._things[name]
        except KeyError:
            raise AttributeError(f"no {self._kind} is named {name!r}; {suggestion(name, self._things)}") from None

    def __dir__(self):
        return [*super().__dir__(), *self._things]

    def __iter__(self):
        return iter(self._things)

    def __repr__(self) -> str:
        return f"{self._kind}s: {', '.join(self._things)}"


@dataclass
class Tries:
    """How an exercise or a question stands: the best outcome so far, and how many times it was tried."""

    outcome: str = NOT_ATTEMPTED
    tries: int = 0

    def add(self, verdict: Result) -> None:
        if verdict.outcome == NOT_ATTEMPTED:
            return
        self.tries += 1
        if self.outcome != RIGHT:  # right once is right: trying out a wrong answer afterwards takes nothing away
            self.outcome = verdict.outcome


@dataclass(frozen=True)
class Progress:
    """What is done of a lesson: a table, and `save` to export it.

    Attributes:
        lesson: the lesson's name.
        exercises, quiz: name to `Tries`.
    """

    lesson: str
    exercises: dict[str, Tries]
    quiz: dict[str, Tries]

    def as_dict(self) -> dict[str, Any]:
        """The table as what JSON can hold."""
        try:
            release = version("gan_jax")
        except PackageNotFoundError:  # run from a folder, not installed
            release = "unknown"
        table = lambda rows: {name: vars(tries) for name, tries in rows.items()}  # noqa: E731
        return {
            "lesson": self.lesson,
            "gan_jax": release,
            "exercises": table(self.exercises),
            "quiz": table(self.quiz),
        }

    def save(self, path: str | Path = "progress.json") -> Path:
        """Write the table as JSON, and return where."""
        path = Path(path)
        path.write_text(json.dumps(self.as_dict(), indent=2) + "\n", encoding="utf-8")
        return path.resolve()

    def _rows(self) -> list[tuple[str, Tries]]:
        return [*self.exercises.items(), *((f"quiz.{name}", tries) for name, tries in self.quiz.items())]

    def _heading(self) -> str:
        done = sum(tries.outcome == RIGHT for _, tries in self._rows())
        return f"{self.lesson}: {done} of {len(self._rows())} done"

    def __repr__(self) -> str:
        width = max(len(name) for name, _ in self._rows())
        rows = [
            f"{MARKS[tries.outcome]} {name:<{width}}  {tries.outcome}, tries: {tries.tries}"
            for name, tries in self._rows()
        ]
        return "\n".join([self._heading(), *rows])

    def _repr_html_(self) -> str:
        cells = "".join(
            f'<tr><td style="text-align:left">{html.escape(name)}</td>'
            f'<td style="text-align:left">{MARKS[tries.outcome]} {tries.outcome}</td><td>{tries.tries}</td></tr>'
            for name, tries in self._rows()
        )
        head = '<tr><th style="text-align:left">task</th><th style="text-align:left">result</th><th>tries</th></tr>'
        kind = RIGHT if all(tries.outcome == RIGHT for _, tries in self._rows()) else "note"
        return frame_html(kind, self._heading(), f"<table>{head}{cells}</table>")


@dataclass(frozen=True)
class Source:
    """What a lesson's module declares.

    Args:
        name: of the notebook, "04_the_training_step".
        given: code that the notebook has run before its first exercise: the imports.
        exercises: in the order of the notebook.
        quiz: likewise.
    """

    name: str
    given: str
    exercises: tuple[Exercise, ...]
    quiz: tuple[Question, ...] = field(default=())


class Lesson(Named[Posed]):
    """A lesson's exercises, as attributes; `quiz` holds its questions, `progress()` what is done."""

    def __init__(self, source: Source):
        self._progress = Progress(
            source.name,
            {exercise.name: Tries() for exercise in source.exercises},
            {question.name: Tries() for question in source.quiz},
        )
        exercises, quiz = self._progress.exercises, self._progress.quiz
        super().__init__(
            "exercise", {e.name: Posed(e, lambda name, verdict: exercises[name].add(verdict)) for e in source.exercises}
        )
        self.name = source.name
        self.quiz: Named[Asked] = Named(
            "question", {q.name: Asked(q, lambda name, verdict: quiz[name].add(verdict)) for q in source.quiz}
        )

    def progress(self) -> Progress:
        """Show what is done; `.save("progress.json")` exports it."""
        return self._progress
