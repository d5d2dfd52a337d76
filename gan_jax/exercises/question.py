"""A question and its choices come in; radio buttons that mark an answer at once go out, or the same in plain Python."""

import html
from collections.abc import Callable
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any, NamedTuple

from .show import MARKS, frame_html, to_html
from .verdict import RIGHT, WRONG, Result, result

_WRAPS = (
    "<style>.gan-jax-choices label { display: flex; flex-direction: row-reverse; justify-content: flex-end; "
    "height: auto !important; line-height: 1.4 !important; white-space: normal; padding-bottom: 0.3em } "
    ".gan-jax-choices input { flex: none; height: 1.4em !important; margin-top: 0 !important }</style>"
)
"""ipywidgets gives a choice one line: a longer one would run over the next. The button comes last in its label."""


class Choice(NamedTuple):
    """One answer to a question.

    Attributes:
        text: what stands beside the button.
        why: of a wrong one, the misconception behind it; of the right one, the reason.
        right: whether it is the right one.
    """

    text: str
    why: str
    right: bool = False


@dataclass(frozen=True)
class Question:
    """One question of a quiz, with exactly one right choice.

    Args:
        name: a Python name.
        text: the question.
        choices: two or more; the first is "a".

    Raises:
        ValueError: not exactly one choice is right.
    """

    name: str
    text: str
    choices: tuple[Choice, ...]

    def __post_init__(self):
        if sum(choice.right for choice in self.choices) != 1 or len(self.choices) < 2:
            raise ValueError(f"question {self.name!r} needs two choices or more, of which exactly one is right")

    @property
    def letters(self) -> str:
        return ascii_lowercase[: len(self.choices)]

    def judge(self, letter: str) -> Result:
        """Mark a letter, and record nothing."""
        if not isinstance(letter, str) or letter not in tuple(self.letters):
            raise ValueError(f"answer with one of {', '.join(self.letters)}; got {letter!r}")
        choice = self.choices[self.letters.index(letter)]
        return result(RIGHT if choice.right else WRONG, f"{letter}) {choice.why}")


class Asked:
    """A question as a learner meets it: in a notebook it shows radio buttons; `.answer("b")` works anywhere."""

    def __init__(self, question: Question, record: Callable[[str, Result], None]):
        self._question, self._record = question, record

    def answer(self, letter: str) -> Result:
        """Mark an answer.

        Args:
            letter: "a", "b", ...

        Returns:
            A `Result`: shown by the notebook, true when right.
        """
        verdict = self._question.judge(letter)
        self._record(self._question.name, verdict)
        return verdict

    def widget(self) -> Any:
        """Build the radio buttons (ipywidgets 7.7 or 8)."""
        import ipywidgets as widgets  # imported here: plain Python does not need it

        options = [(f"{letter})  {choice.text}", letter) for letter, choice in self._lettered()]
        text = widgets.HTML(_WRAPS + to_html(self._question.text))
        buttons = widgets.RadioButtons(options=options, index=None, layout=widgets.Layout(width="auto"))
        buttons.add_class("gan-jax-choices")
        verdict = widgets.HTML()

        def mark(change):
            if change["new"] is not None:
                verdict.value = self.answer(change["new"])._repr_html_()

        buttons.observe(mark, names="value")
        return widgets.VBox([text, buttons, verdict])

    def _lettered(self):
        return zip(self._question.letters, self._question.choices, strict=True)

    def __repr__(self) -> str:
        choices = "\n".join(f"  {letter})  {choice.text}" for letter, choice in self._lettered())
        return f'{MARKS["note"]} {self._question.text}\n{choices}\nAnswer with .answer("a")'

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, Any]:
        # a front end without widgets falls back to the HTML, one without HTML to the text
        listed = "".join(f"<li>{html.escape(choice.text)}</li>" for choice in self._question.choices)
        body = to_html(self._question.text) + f'<ol type="a">{listed}</ol>' + to_html('Answer with `.answer("a")`.')
        view = {"version_major": 2, "version_minor": 0, "model_id": self.widget().model_id}
        return {
            "text/plain": repr(self),
            "text/html": frame_html("note", "Question", body),
            "application/vnd.jupyter.widget-view+json": view,
        }
