"""A lesson's name comes in; its exercises go out: `check`, `hint`, `solution`, a quiz, and what is done so far.

lesson = exercises.lesson("04_the_training_step")
lesson.discriminator_loss.check(discriminator_loss)    # not attempted, wrong with the reason, or right
lesson.discriminator_loss.hint(1)                      # 1 points, 2 is a formula, 3 pseudo-code
lesson.quiz.balance                                    # radio buttons; or .answer("b")
lesson.progress().save("progress.json")
"""

import functools
import importlib

from ..errors import UnknownName, suggestion
from .exercise import Exercise, Posed, Tempting
from .notation import SYMBOLS, Notation, Symbol, notation
from .progress import Lesson, Progress, Source
from .question import Choice, Question
from .verdict import Result, Wrong, expect, to_array

__all__ = [
    "LESSONS",
    "SYMBOLS",
    "Choice",
    "Exercise",
    "Lesson",
    "Notation",
    "Posed",
    "Progress",
    "Question",
    "Result",
    "Source",
    "Symbol",
    "Tempting",
    "Wrong",
    "expect",
    "lesson",
    "notation",
    "source",
    "to_array",
]

LESSONS = (
    "00_start_here",
    "01_jax_for_gans",
    "02_the_minimax_game",
    "03_loss_derivations",
    "04_the_training_step",
    "05_training_dynamics",
    "06_mode_collapse",
    "07_dcgan",
    "08_wasserstein_and_lipschitz",
    "09_evaluating_gans",
    "10_conditional_and_latent",
    "13_scaling_up",
    "15_open_lab",
)
"""The lessons that have exercises; those of "04_..." are declared in `lesson_04.py`."""


def source(name: str) -> Source:
    """Find what a lesson declares: its exercises with their solutions, for tests and for the curious.

    Args:
        name: of a notebook, in `LESSONS`.

    Raises:
        UnknownName: there is no such lesson.
    """
    if name not in LESSONS:
        raise UnknownName(f"no lesson is named {name!r}; {suggestion(name, LESSONS)}")
    return importlib.import_module(f".lesson_{name[:2]}", __package__).LESSON


@functools.cache
def lesson(name: str) -> Lesson:
    """Open a lesson's exercises.

    The same name gives the same `Lesson` again, so running the set-up cell twice loses no progress.

    Args:
        name: of a notebook, in `LESSONS`.

    Returns:
        A `Lesson`: its exercises are attributes.

    Raises:
        UnknownName: there is no such lesson.

    >>> lesson("04")
    Traceback (most recent call last):
    ...
    gan_jax.errors.UnknownName: no lesson is named '04'; ...Known: 00_start_here, ...
    """
    return Lesson(source(name))
