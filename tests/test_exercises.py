"""Every exercise accepts what is right in any form, and rejects what is tempting by name."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure

from gan_jax import exercises
from gan_jax.errors import UnknownName
from gan_jax.exercises import Choice, Question, Wrong, expect, to_array
from gan_jax.exercises.progress import Lesson
from gan_jax.exercises.verdict import explain, judge

SOURCES = [exercises.source(name) for name in exercises.LESSONS]
TRAINED = {"00-slowest_detective", "06-tuned"}  # their checks train each answer anew


def parameters(source, exercise):
    name = f"{source.name[:2]}-{exercise.name}"
    return pytest.param(source, exercise, id=name, marks=[pytest.mark.once] if name in TRAINED else [])


EXERCISES = [parameters(source, exercise) for source in SOURCES for exercise in source.exercises]
QUESTIONS = [pytest.param(q, id=f"{s.name[:2]}-{q.name}") for s in SOURCES for q in s.quiz]


@pytest.fixture(autouse=True)
def as_in_a_notebook():
    """Learners run JAX as it comes: without the tests' strictness about ranks."""
    with jax.numpy_rank_promotion("allow"):
        yield


def answer(source, exercise, code):
    """What the code leaves under the exercise's name."""
    namespace = {}
    exec(source.given, namespace)
    exec(code, namespace)
    return namespace[exercise.name]


@pytest.mark.parametrize(("source", "exercise"), EXERCISES)
def test_an_untouched_stub_is_not_attempted(source, exercise):
    assert exercise.judge(answer(source, exercise, exercise.stub)).outcome == "not attempted"


@pytest.mark.parametrize(("source", "exercise"), EXERCISES)
def test_every_right_answer_passes(source, exercise):
    assert exercise.also_right, "one more right answer, written another way"
    for code in (exercise.solution, *exercise.also_right):
        verdict = exercise.judge(answer(source, exercise, code))
        assert verdict, f"{code}\n{verdict}"


@pytest.mark.once  # older versions are asked for the right answers; the wrong ones take as long again, many times
@pytest.mark.parametrize(("source", "exercise"), EXERCISES)
def test_every_tempting_wrong_answer_is_rejected_by_name(source, exercise):
    assert len(exercise.tempting) >= 3
    for code, says in exercise.tempting:
        verdict = exercise.judge(answer(source, exercise, code))
        assert verdict.outcome == "wrong", f"{code}\n{verdict}"
        assert says in verdict.text, f"{code}\n{verdict}"


@pytest.mark.parametrize(("source", "exercise"), EXERCISES)
def test_every_exercise_is_complete(source, exercise):
    assert exercise.name.isidentifier()
    assert not hasattr(Lesson, exercise.name), "the name would hide one of Lesson's own"
    assert exercise.goal
    assert all(exercise.hints)
    assert len(set(exercise.hints)) == 3
    assert "..." in exercise.stub


@pytest.mark.once
@pytest.mark.parametrize(("source", "exercise"), EXERCISES)
@pytest.mark.parametrize("junk", ["text", 3, np.nan, [], {}, lambda *a, **k: "text", lambda *a, **k: np.nan, print])
def test_no_check_raises_on_junk(source, exercise, junk):
    assert exercise.judge(junk).outcome in ("wrong", "not attempted")


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_wrong_choice_names_its_misconception(question):
    for letter, choice in zip(question.letters, question.choices, strict=True):
        verdict = question.judge(letter)
        assert bool(verdict) is choice.right
        assert len(choice.why) > 20
        assert choice.why in verdict.text


def test_names_are_unique_in_a_lesson():
    for source in SOURCES:
        names = [e.name for e in source.exercises], [q.name for q in source.quiz]
        assert all(len(set(group)) == len(group) for group in names)


# ------------------------------------------------------------------------------------------------ the framework


@pytest.fixture
def lesson():
    return Lesson(exercises.source("04_the_training_step"))  # its own record, not the kernel's


def test_an_unknown_name_says_which_there_are(lesson):
    with pytest.raises(UnknownName, match="did you mean '04_the_training_step'"):
        exercises.lesson("04_training_step")
    with pytest.raises(AttributeError, match="did you mean 'discriminator_loss'"):
        lesson.discriminator_los  # noqa: B018
    with pytest.raises(AttributeError, match="no question is named 'nothing'"):
        lesson.quiz.nothing  # noqa: B018
    with pytest.raises(ValueError, match="there is no hint 4"):
        lesson.discriminator_loss.hint(4)
    with pytest.raises(ValueError, match="answer with one of a, b"):
        lesson.quiz.balance.answer("z")


def test_opening_a_lesson_again_keeps_its_record():
    assert exercises.lesson("04_the_training_step") is exercises.lesson("04_the_training_step")


def test_hints_and_solution_can_be_read(lesson):
    texts = [lesson.discriminator_loss.hint(n).text for n in (1, 2, 3)]
    assert len(set(texts)) == 3
    shown = lesson.discriminator_loss.solution()
    assert "def discriminator_loss" in repr(shown)
    assert "<pre" in shown._repr_html_()


def test_progress_counts_tries_and_keeps_what_was_right(lesson, tmp_path):
    right = lambda fake: jnp.mean(jax.nn.softplus(-fake))  # noqa: E731
    for answer in (..., lambda fake: -right(fake), right, lambda fake: 0.0):
        lesson.generator_loss.check(answer)
    lesson.quiz.balance.answer("a")
    path = lesson.progress().save(tmp_path / "progress.json")
    saved = json.loads(path.read_text())
    assert saved["lesson"] == "04_the_training_step"
    assert saved["exercises"]["generator_loss"] == {"outcome": "right", "tries": 3}
    assert saved["exercises"]["discriminator_loss"] == {"outcome": "not attempted", "tries": 0}
    assert saved["quiz"]["balance"] == {"outcome": "wrong", "tries": 1}
    assert "✓ generator_loss" in repr(lesson.progress())
    assert "✓ right" in lesson.progress()._repr_html_()


def test_cards_escape_html_and_use_the_pages_colours(lesson):
    html = Question("q", "Is `a < b`?", (Choice("<b>", "x" * 30), Choice("y", "z" * 30, True))).judge("a")._repr_html_()
    assert "color:inherit" in html
    assert "background:transparent" in html
    verdict = judge(lambda a: expect(a, 1.0, "<script>"), 2.0, "x", is_function=False)
    assert "<script>" not in verdict._repr_html_()


def test_the_radio_buttons_mark_at_once(lesson):
    _text, buttons, verdict = lesson.quiz.balance.widget().children
    assert buttons.value is None
    assert verdict.value == ""
    buttons.value = "a"
    assert "✗ Not right yet" in verdict.value
    buttons.value = "b"
    assert "✓ Right" in verdict.value
    assert vars(lesson.progress().quiz["balance"]) == {"outcome": "right", "tries": 2}
    bundle = lesson.quiz.balance._repr_mimebundle_()
    assert {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"} == set(bundle)


def raised(function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        return explain(error)


def if_on_a_tracer(x):
    if x > 0:
        return x


LEAKS = []


def leak(x):
    jax.jit(lambda y: LEAKS.append(y) or y)(x)
    return LEAKS[-1] + 1


@pytest.mark.parametrize(
    ("function", "line", "advice"),
    [
        (lambda: jax.jit(if_on_a_tracer)(1.0), "if x > 0:", "jnp.where"),
        (lambda: jax.jit(lambda x: np.sin(x))(1.0), "np.sin(x)", "Use `jnp` where you used `np`"),
        (lambda: jax.jit(lambda x: float(x))(1.0), "float(x)", "Keep it an array"),
        (lambda: leak(1.0), "return LEAKS[-1] + 1", "Return it instead"),
        (lambda: jax.grad(lambda x: x)(jnp.ones(3)), "jax.grad(lambda", "take the mean"),
        (lambda: jnp.ones((3, 2)) @ jnp.ones((3, 2)), "@ jnp.ones", "`.shape`"),
        (lambda: jnp.ones(3) + jnp.ones(4), "jnp.ones(4)", "`.shape`"),
        (lambda: unknown_name, "unknown_name", "Is it spelt"),
        (lambda: jnp.nothing, "jnp.nothing", "after the dot"),
        (lambda: if_on_a_tracer(), "if_on_a_tracer()", "first line"),
        (lambda: [][1], "[][1]", "length"),
    ],
)
def test_an_exception_is_explained_with_the_learners_line(function, line, advice):
    text = raised(function)
    assert line in text
    assert advice in text
    assert len(text.splitlines()) == 3
    assert "Traceback" not in text


def test_a_learners_exception_is_a_verdict_not_a_traceback(lesson):
    verdict = lesson.discriminator_loss.check(lambda real, fake: 1 / 0)
    assert verdict.outcome == "wrong"
    assert "ZeroDivisionError" in verdict.text
    assert "1 / 0" in verdict.text
    assert "missing 1 required" in lesson.discriminator_loss.check(lambda a, b, c: a).text
    assert "the function itself" in lesson.discriminator_loss.check(0.7).text


@pytest.mark.parametrize("returned", [..., None, (1.0, ...), {"a": ...}])
def test_a_returned_gap_is_not_attempted(lesson, returned):
    assert lesson.discriminator_loss.check(lambda real, fake: returned).outcome == "not attempted"


def test_a_gap_inside_an_expression_is_not_attempted(lesson):
    assert lesson.discriminator_loss.check(lambda real, fake: jnp.mean(real) + ...).outcome == "not attempted"
    assert lesson.discriminator_loss.check(lambda real, fake: jnp.mean(...)).outcome == "not attempted"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("text", "'text' (str)"),
        (print, "print (builtin_function_or_method)"),
        (jnp.ones(3), "shape (3,). Is a mean, a sum or an index missing?"),
        (jnp.ones(1), "Take it out of its array"),
        (np.nan, "is NaN"),
        (np.inf, "is infinite"),
        (True, "True (bool)"),
        ([[1], [2, 3]], "should be a number"),
    ],
)
def test_what_is_no_number_is_named(value, reason):
    with pytest.raises(Wrong) as wrong:
        to_array(value, "it")
    assert reason in str(wrong.value)


def test_an_exercise_says_itself_how_several_numbers_become_one():
    for ask in (lambda **advice: to_array(jnp.ones(3), "it", **advice),
                lambda **advice: expect(jnp.ones(3), 1.0, "it", **advice)):  # fmt: skip
        with pytest.raises(Wrong, match=r"shape \(3,\)\. Count the modes\.$"):
            ask(several="Count the modes.")


def test_a_known_mistake_is_named_before_the_general_advice():
    with pytest.raises(Wrong, match=r"it is 2; it should be 1\. You doubled it\."):
        expect(2.0, 1.0, "it", [(2.0, "You doubled it.")], otherwise="Look again.")
    with pytest.raises(Wrong, match="Look again"):
        expect(3.0, 1.0, "it", [(2.0, "You doubled it.")], otherwise="Look again.")
    expect(1.0, 1.0, "it", [(1.0, "a mistake that gives the right value is none")])


def test_a_function_is_no_value():
    verdict = judge(lambda value: expect(value, 1.0, "it"), lambda: 0.7, "x", is_function=False)
    assert "wants a value" in verdict.text


def test_a_question_needs_one_right_choice():
    with pytest.raises(ValueError, match="exactly one is right"):
        Question("q", "?", (Choice("a", "why"), Choice("b", "why")))


# ---- the table of notation ----


def test_the_page_of_notation_is_the_table():
    page = (Path(__file__).parents[1] / "docs" / "notation.md").read_text(encoding="utf-8")
    assert page.endswith(exercises.notation().markdown() + "\n"), (
        "run `python -m gan_jax.exercises.notation > docs/notation.md`"
    )
    assert len(page.splitlines()) == len(exercises.SYMBOLS) + 6


def test_some_of_the_notation_is_shown_in_the_table_s_order():
    shown = exercises.notation("u", "p_g")
    assert repr(shown).splitlines()[0].startswith("p_g")
    assert shown.markdown().count("\n") == 3
    with pytest.raises(UnknownName, match="D\\*"):
        exercises.notation("Dstar")


@pytest.mark.parametrize("symbol", exercises.SYMBOLS.values(), ids=list(exercises.SYMBOLS))
def test_each_symbol_can_be_drawn(symbol):
    assert "|" not in "".join(symbol), "a bar ends a cell of the table"
    Figure().text(0, 0, f"${symbol.tex}$".replace("tfrac12", "frac{1}{2}")).get_window_extent()
