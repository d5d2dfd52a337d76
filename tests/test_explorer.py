"""The explorer without a browser: what a scene becomes on its way to the page, and how the widget answers it."""

import base64
import io
import json
import math
import re

import matplotlib.image
import numpy as np
import pytest

from gan_jax import explorer, plots
from gan_jax.errors import UnknownName
from gan_jax.explorer import (
    Arrows,
    Bars,
    Choice,
    Curve,
    Dots,
    Handle,
    Level,
    Motion,
    Number,
    Panel,
    Scene,
    Slider,
    still,
)
from gan_jax.explorer.labels import LINE, Box, Label, place
from gan_jax.explorer.scene import Surface, arrays, check_scene, shown
from gan_jax.explorer.still import _typeset
from gan_jax.explorer.widget import encode

X = np.linspace(-1.0, 1.0, 21)
CONTROLS = [Slider("mean", "mean of p_g", -1, 1, 0.5), Choice("kind", "kind", {"a": "first", "b": "second"})]

MARKS = {
    "curve": Curve(X, X**2, "p"),
    "filled": Curve(X, X**2, "p", "real", fill=True),
    "dashed": Curve(X, X**2, "", dashed=True),
    "at the right": Curve(X, 10 * X**2, "D", "discriminator", right=True),
    "dots": Dots(X[::5], X[::5] ** 2, "p_g", "fake", 5, labels=list("abcde")),
    "dots at the right": Dots(X[::5], 9 * X[::5] ** 2, right=True),
    "arrows": Arrows(X[::5], X[::5] ** 2, np.full(5, 0.1), np.full(5, 0.2), "push", "fake"),
    "level": Level(0.5, "log 2"),
    "upright": Level(0.5, "x", upright=True),
    "level at the right": Level(5, "half", "ink", right=True),
    "bars": Bars(["JSD", "KL"], np.array([0.5, 0.9]), "quiet", 1),
    "handle": Handle(0.5, 0.5, "mean"),
    "surface": Surface(np.linspace(0, 1, 12).reshape(3, 4), "what D says"),
    "motion": Motion(np.stack([X, -X], 1), np.stack([X**2, X**4], 1), ["a", "b"], chosen=1),
}
PANEL = Panel([], (-1, 1), (0, 1), "panel", "x", "density", (0, 10), "D(x)")
BAD = [math.nan, math.inf, -math.inf, 1e300]


def panel(*marks):
    return Panel(list(marks), **{name: getattr(PANEL, name) for name in PANEL.__dataclass_fields__ if name != "marks"})


def spoilt(mark):
    """The same mark with what is not a number in every array and in every number that may be any."""
    changes = {}
    for name, values in arrays(mark).items():
        changes[name] = values.copy()
        changes[name].flat[: len(BAD)] = BAD[: values.size]
    if isinstance(mark, Level):
        changes["at"] = math.nan
    if isinstance(mark, Handle):
        changes["x"] = math.inf
    return mark._replace(**changes)


def read(picture, name, mark):
    """An array of a mark, as the page reads it."""
    start, *shape = mark[name]
    return np.frombuffer(picture["data"], "<f4", math.prod(shape), 4 * start).reshape(shape)


def pixels(figure):
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=50)
    return matplotlib.image.imread(io.BytesIO(png.getvalue()))


def answer(values):
    y = np.exp(-((X - values["mean"]) ** 2))
    return Scene(
        [Panel([Curve(X, y, "p_g", "fake"), Handle(values["mean"], 1.0, "mean")], (-1, 1), (0, 1.2))],
        [Number("mean", values["mean"], "where p_g lies", "fake")],
        f"p_g lies at {values['mean']:.2f}.",
        hidden=["kind"] if values["mean"] > 0.9 else [],
    )


class Page:
    """A page that a widget talks to: keeps what is told, and reads the picture as the JavaScript does."""

    def __init__(self, widget):
        self.widget, self.told = widget, []
        widget.send = lambda content, buffers=None: self.told.append(content)

    def ask(self, **message):
        self.widget._handle_custom_msg(message, [])
        return self.widget.picture

    def move(self, request="page-1", **values):
        return self.ask(type="set", values=values, request=request)


@pytest.fixture
def page():
    return Page(explorer.open(answer, CONTROLS, title="A heap"))


# ---- what a scene becomes ----


@pytest.mark.parametrize("mark", MARKS.values(), ids=MARKS)
def test_every_mark_reaches_the_page_whole(mark):
    picture = encode(Scene([panel(mark)]), {}, 1)
    json.dumps({name: value for name, value in picture.items() if name != "data"}, allow_nan=False)
    (sent,) = picture["panels"][0]["marks"]
    assert sent["kind"] == type(mark).__name__
    for name, values in arrays(mark).items():
        np.testing.assert_array_equal(read(picture, name, sent), values.astype(np.float32))
    for name in set(mark._fields) - set(arrays(mark)):
        expected = getattr(mark, name)
        assert sent[name] == (list(expected) if isinstance(expected, list | tuple) else expected)


@pytest.mark.parametrize("mark", MARKS.values(), ids=MARKS)
def test_every_mark_is_seen_in_the_still_picture(mark):
    empty, drawn = (pixels(still(Scene([panel(*marks)]), CONTROLS)) for marks in ([], [mark]))
    if isinstance(mark, Bars):  # names need room, and so the panel is another
        return
    assert (empty != drawn).any(axis=-1).sum() > 30


def test_bars_end_where_their_values_are():
    picture = still(Scene([Panel([MARKS["bars"]], (0, 1))]))
    widths = [patch.get_width() for patch in picture.axes[0].patches]
    assert widths == [0.5, 0.9]
    assert [text.get_text() for text in picture.axes[0].get_yticklabels()] == ["JSD", "KL"]
    assert {"0.5000", "0.9000"} <= {text.get_text() for text in picture.axes[0].texts}


@pytest.mark.parametrize("mark", MARKS.values(), ids=MARKS)
def test_what_is_not_a_number_breaks_nothing(mark):
    scene = Scene([panel(spoilt(mark))], [Number(str(bad), bad) for bad in BAD])
    picture = encode(scene, {}, 1)
    json.dumps({name: value for name, value in picture.items() if name != "data"}, allow_nan=False)
    (sent,) = picture["panels"][0]["marks"]
    for name in arrays(mark):
        values = read(picture, name, sent).ravel()[: len(BAD)]
        np.testing.assert_array_equal(values, np.array([np.nan, np.inf, -np.inf, np.inf], np.float32)[: len(values)])
    assert [number["value"] for number in picture["numbers"]] == [None, None, None, 1e300]
    assert [number["text"] for number in picture["numbers"]] == ["not a number", "∞", "−∞", "1e+300"]
    pixels(still(scene, CONTROLS))


@pytest.mark.parametrize("kind", [Curve, Dots])
def test_nothing_at_all_is_drawn_too(kind):
    scene = Scene([panel(kind(np.zeros(0), np.zeros(0), "none"), Motion(np.zeros((0, 0)), np.zeros((0, 0))))])
    assert encode(scene, {}, 1)["data"] == b""
    pixels(still(scene))
    pixels(still(Scene([])))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.000"), (1.0, "1.000"), (-2.5, "−2.500"), (3, "3"), (1.5e-7, "1.5e−7"),
     (12345.6, "12,346"), (1234.5, "1,234"), (999.94, "999.9"),
     (-1200, "−1,200"), (np.float32(0.5), "0.5000"), (np.int64(7), "7"), (1e5, "1e+5")],
)  # fmt: skip
def test_numbers_are_written_with_four_figures(value, text):
    assert shown(value) == text


@pytest.mark.parametrize(
    ("scene", "error", "message"),
    [
        ([panel(Curve(X, X[1:], "p"))], ValueError, r"Curve 'p': x and y must have one shape \(n,\)"),
        ([panel(Motion(X, X))], ValueError, r"Motion: x and y must have one shape \(frames, n\), got x \(21,\)"),
        ([panel(Dots(X, X, labels=["a"]))], ValueError, "Dots: needs 21 names, one each, got 1"),
        ([panel(Bars(["a"], X[:2]))], ValueError, "Bars: needs 2 names, one each, got 1"),
        ([panel(Handle(0, 0, "maen"))], UnknownName, "no slider is named 'maen'; did you mean 'mean'"),
        ([panel(Handle(0, 0, "kind"))], UnknownName, "no slider is named 'kind'"),
        ([panel(Handle(0, 0, "mean", vertical="maen"))], UnknownName, "no slider is named 'maen'"),
        ([Panel([], (0, 1), right=(0, 1), title="t", square=True)], ValueError, "square panel has no right axis"),
        ([panel(Level(0, colour="blue"))], UnknownName, "no colour is named 'blue'"),
        ([Panel([Level(0, right=True)], (0, 1), title="t")], ValueError, "right axis, and panel 't' has none"),
        ([Panel([], (1, 1), title="t")], ValueError, "panel 't': x must run from a number to a larger one"),
        ([Panel([], (0, 1), (0, math.nan))], ValueError, "y must run from a number to a larger one"),
    ],
)
def test_a_scene_that_cannot_be_drawn_is_refused(scene, error, message):
    with pytest.raises(error, match=message):
        check_scene(Scene(scene), CONTROLS)


def test_names_in_a_scene_are_checked():
    with pytest.raises(ValueError, match="numbers need names that differ, got a, a"):
        check_scene(Scene([], [Number("a", 1), Number("a", 2)]), CONTROLS)
    with pytest.raises(UnknownName, match="no control to hide is named 'maen'; did you mean 'mean'"):
        check_scene(Scene([], hidden=["maen"]), CONTROLS)
    with pytest.raises(TypeError, match="answer must return a Scene, got dict"):
        explorer.open(lambda values: {}, CONTROLS)
    with pytest.raises(UnknownName, match="no number is named 'JDS'; did you mean 'JSD'"):
        Scene([], [Number("JSD", 1.0)]).number("JDS")


def test_controls_that_make_no_sense_are_refused(as_users_see_it):
    with pytest.raises(ValueError, match="mean must run from low to a larger high; got 1 to 1"):
        Slider("mean", "", 1, 1, 1)
    with pytest.raises(ValueError, match="above 0; got 0 to 1"):
        Slider("rate", "", 0, 1, 1, log=True)
    with pytest.raises(ValueError, match="mean must be from 0 to 1, got 2"):
        Slider("mean", "", 0, 1, 2)
    with pytest.raises(ValueError, match="kind needs at least one option"):
        Choice("kind", "", {})
    with pytest.raises(UnknownName, match=r"no kind is named \['a'\]"):
        CONTROLS[1].place(["a"])
    with pytest.raises(ValueError, match="controls need names that differ, got mean, mean"):
        explorer.open(answer, [CONTROLS[0], CONTROLS[0]])
    with pytest.raises(TypeError, match="controls must be Sliders and Choices, got 'mean'"):
        explorer.open(answer, ["mean"])


INDICES = {
    "p_g": "p[g]",
    "KL(p‖p_g), p_g's": "KL(p‖p[g]), p[g]'s",
    "dL_G/da": "dL[G]/da",
    "W_1 and f_12": "W[1] and f[12]",
    "D_{JS}": "D[JS]",
    "lr_g, mean_1, x_y_z, p_gen": "lr_g, mean_1, x_y_z, p_gen",
    "costs $5": "costs $5",
}
"""Words with indices, and which part is set low: the page and Matplotlib agree."""


@pytest.mark.parametrize(("text", "expected"), INDICES.items())
def test_indices_are_set_low(text, expected):
    low = re.sub(r"\$_\{\\mathrm\{(\w+)\}\}\$", r"[\1]", _typeset(text))
    assert low.replace("\\$", "$") == expected


# ---- labels ----


@pytest.mark.parametrize("seed", range(3))
def test_labels_stay_inside_and_off_each_other(seed):
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 300, 76)
    box, dots = Box(0, 300, 0, 200), np.concatenate([rng.uniform(0, 200, (4, 2)), np.full((4, 1), 4.0)], axis=1)
    curves = [100 + 80 * np.sin(x / rng.uniform(30, 90) + rng.uniform(0, 6)) for _ in range(3)]
    labels = [
        Label(40.0, np.stack([x, y], axis=1), kind) for y, kind in zip(curves, ("line", "heap", "line"), strict=True)
    ]
    labels += [Label(30.0, dot[None, :2], "dots", 4.0) for dot in dots]
    labels += [Label(50.0, np.stack([x, np.full(76, 120.0)], axis=1), "level")]
    placed = place(labels, dots, box)
    for i, (left, low) in enumerate(placed):
        assert 0 <= left <= 300 - labels[i].width
        assert 0 <= low <= 200 - LINE
        for j, (other, under) in enumerate(placed[:i]):
            apart = left >= other + labels[j].width or other >= left + labels[i].width or abs(low - under) >= LINE
            assert apart, (i, j)
        # and near what it names
        gap = np.abs(labels[i].own - np.clip(labels[i].own, [left, low], [left + labels[i].width, low + LINE]))
        assert np.hypot(*gap.T).min() < 12


def test_a_heap_is_named_at_its_summit_and_a_line_at_its_end():
    x = np.linspace(0, 300, 301)
    heap = Label(10.0, np.stack([x, 100 * np.exp(-(((x - 90) / 30) ** 2))], axis=1), "heap")
    line = Label(10.0, np.stack([x, 150 + x / 10], axis=1), "line")
    (left, low), (end, _) = place([heap, line], np.zeros((0, 3)), Box(0, 300, 0, 200))
    assert left + 5 == pytest.approx(90, abs=8)
    assert 100 < low < 106
    assert end == pytest.approx(288)


# ---- the widget ----


def test_a_move_is_answered_with_the_scene_of_the_new_values(page):
    first = page.widget.picture
    assert (first["serial"], first["values"]) == (1, {"mean": 0.5, "kind": "a"})
    picture = page.move(mean=-0.25)
    assert (picture["serial"], picture["request"]) == (2, "page-1")
    assert page.widget.values == picture["values"] == {"mean": -0.25, "kind": "a"}
    assert page.widget.scene.number("mean") == picture["numbers"][0]["value"] == -0.25
    curve = picture["panels"][0]["marks"][0]
    np.testing.assert_allclose(read(picture, "y", curve), np.exp(-((X + 0.25) ** 2)), rtol=1e-6)
    assert page.told == []


def test_several_values_move_at_once_or_not_at_all(page):
    assert page.move(mean=0.25, kind="b")["values"] == {"mean": 0.25, "kind": "b"}
    assert page.move(mean=0.75, kind="c")["values"] == {"mean": 0.25, "kind": "b"}
    assert "no kind is named 'c'" in page.told[0]["text"]


def test_python_moves_the_same_controls(page):
    page.widget.set("mean", 0.125)
    page.widget.set("kind", "b")
    assert page.widget.picture["values"] == {"mean": 0.125, "kind": "b"}
    page.widget.values["mean"] = 9.0  # a copy
    assert page.widget.values["mean"] == 0.125
    page.widget.reset()
    assert page.widget.values == {"mean": 0.5, "kind": "a"}
    with pytest.raises(ValueError, match="mean must be from -1 to 1, got 2"):
        page.widget.set("mean", 2)
    with pytest.raises(UnknownName, match="no control is named 'maen'; did you mean 'mean'"):
        page.widget.set("maen", 0.0)
    assert page.widget.picture["serial"] == 4


def test_reset_of_the_page(page):
    page.move(mean=0.0, kind="b")
    assert page.ask(type="reset", request="page-2")["values"] == {"mean": 0.5, "kind": "a"}
    assert page.widget.picture["request"] == "page-2"


def test_a_hello_is_answered(page):
    page.ask(type="hello", request="page-0")
    assert page.told == [{"type": "here", "request": "page-0"}]
    assert page.widget.picture["serial"] == 1


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({"type": "set", "values": {"mean": 1.5}}, "mean must be from -1 to 1, got 1.5."),
        ({"type": "set", "values": {"mean": "0.1"}}, "mean must be a number, got '0.1'."),
        ({"type": "set", "values": {"mean": None}}, "mean must be a number, got None."),
        ({"type": "set", "values": {"mean": True}}, "mean must be a number, got True."),
        ({"type": "set", "values": {"mean": math.nan}}, "mean must be from -1 to 1, got nan."),
        ({"type": "set", "values": {"maen": 0.5}}, "no control is named 'maen'; did you mean 'mean'?"),
        ({"type": "set", "values": {"kind": ["a"]}}, "no kind is named ['a']"),
        ({"type": "set", "values": [1]}, "the page sent a message of an unknown kind"),
        ({"type": "dance"}, "the page sent a message of an unknown kind: {'type': 'dance'"),
        ({}, "the page sent a message of an unknown kind"),
        ("dance", "the page sent a message of an unknown kind: {'type': 'dance'"),
        (None, "the page sent a message of an unknown kind"),
    ],
)  # fmt: skip
def test_a_message_that_does_not_fit_is_told_and_nothing_changes(page, message, told):
    before = page.widget.picture
    page.widget._handle_custom_msg(message, [])
    (answer,) = page.told
    assert answer["type"] == "error"
    assert answer["text"].startswith(told)
    assert answer["text"].endswith("The picture stays as it was.")
    assert page.widget.picture is before
    assert page.move(mean=0.0)["values"]["mean"] == 0.0


def test_an_error_in_answer_is_told_with_its_line_and_the_next_move_works():
    faults = [ZeroDivisionError("division by zero"), FloatingPointError("overflow"), ValueError("log of 0")]

    def answer(values):
        if values["which"] > 0:
            raise faults[int(values["which"]) - 1]
        return Scene([], [Number("which", values["which"])])

    page = Page(explorer.open(answer, [Slider("which", "which", 0, 4, 0, whole=True)]))
    line = answer.__code__.co_firstlineno + 2
    for i, fault in enumerate(faults, 1):
        picture = page.move(request=f"page-{i}", which=i)
        said = f"{type(fault).__name__}: {fault} (line {line}, in answer). The picture stays as it was."
        assert page.told[-1] == {"type": "error", "text": said, "request": f"page-{i}"}
        assert page.widget.values == picture["values"] == {"which": 0.0}
        assert page.widget.scene.number("which") == 0
    with pytest.raises(ZeroDivisionError):  # from Python, the error itself
        page.widget.set("which", 1)
    faults.append(KeyboardInterrupt())
    page.move(which=4)
    assert page.told[-1]["text"].startswith("Interrupted.")
    assert page.move(which=0)["values"] == {"which": 0.0}
    assert len(page.told) == 4


def test_a_scene_that_cannot_be_drawn_is_told_and_the_last_one_stays():
    page = Page(explorer.open(lambda values: Scene([Panel([], (0, values["end"]))]), [Slider("end", "end", -1, 1, 1)]))
    page.move(end=-0.5)
    assert "x must run from a number to a larger one, got (0, -0.5)" in page.told[0]["text"]
    assert page.move(end=0.5)["panels"][0]["x"] == [0.0, 0.5]


def test_controls_without_effect_are_named(page):
    assert page.widget.picture["hidden"] == []
    assert page.move(mean=0.95)["hidden"] == ["kind"]


def test_what_answer_does_to_its_dict_changes_no_value():
    def answer(values):
        mean = values.pop("mean")
        return Scene([], [Number("mean", mean)])

    live = explorer.open(answer, CONTROLS)
    live.set("mean", 0.25)
    assert live.values == {"mean": 0.25, "kind": "a"}


def test_a_cell_that_runs_again_gives_a_fresh_widget():
    one, two = (explorer.open(answer, CONTROLS) for _ in range(2))
    one.set("mean", 0.0)
    assert two.values == {"mean": 0.5, "kind": "a"}
    assert one.model_id != two.model_id


def test_all_that_the_page_needs_is_in_the_model_s_state(page):
    """So that a page that opens a saved notebook draws the last scene without a kernel."""
    page.move(mean=-0.5)
    state = page.widget.get_state(["setup", "picture"])
    assert state["setup"]["title"] == "A heap"
    assert [control["kind"] for control in state["setup"]["controls"]] == ["slider", "choice"]
    assert state["setup"]["controls"][1]["options"] == [["a", "first"], ["b", "second"]]
    assert state["picture"]["words"] == "p_g lies at -0.50."
    size = len(json.dumps({**state["picture"], "data": ""})) + len(state["picture"]["data"])
    assert size < 2000


def test_without_a_front_end_there_is_a_picture_with_words(page):
    page.move(mean=-0.5)
    contents, metadata = page.widget._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in contents
    png = base64.b64decode(contents["image/png"])
    assert matplotlib.image.imread(io.BytesIO(png)).shape[1] > 400
    assert contents["text/plain"].startswith("A heap: p_g lies at -0.50.")
    assert metadata["image/png"]["alt"] == "A heap: p_g lies at -0.50."


def test_a_still_picture_that_fails_leaves_the_widget(page, monkeypatch):
    monkeypatch.setattr("gan_jax.explorer.widget.still", lambda *_: 1 / 0)
    contents, _ = page.widget._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in contents
    assert "image/png" not in contents


def test_a_still_picture_says_where_the_controls_stand():
    live = explorer.open(answer, CONTROLS)
    live.set("mean", 0.25)
    picture = still(live.scene, CONTROLS, live.values)
    written = " ".join(text.get_text() for text in picture.texts)
    assert "mean of p$_{\\mathrm{g}}$: 0.25" in written
    assert "kind: first" in written
    assert "0.2500" in written
    assert plots.alt(picture) == "p_g lies at 0.25."
    assert plots.alt(still(Scene([], [Number("JSD", 0.5)]))) == "JSD 0.5000"
    live.set("mean", 0.95)
    assert "kind" not in " ".join(text.get_text() for text in still(live.scene, CONTROLS, live.values).texts)


def test_a_unit_of_a_square_panel_is_equally_long_both_ways():
    drawn = still(Scene([Panel([], (-2, 4), (-1, 1), square=True), Panel([], (-2, 4), (-1, 1))]))
    square, other = (axes.get_window_extent() for axes in drawn.axes)
    assert square.width / square.height == pytest.approx(3, rel=1e-3)
    assert other.width / other.height < 2
    assert encode(Scene([Panel([], (0, 1), square=True)]), {}, 1)["panels"][0]["square"] is True
