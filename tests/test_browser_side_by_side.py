"""A slider that plays, scenes that come in parts, and GANs side by side, in a real browser."""

from dataclasses import replace

import browsing
import jax
import numpy as np
import pytest
from browsing import ExplorerPage
from test_browser_explorer import colours

from gan_jax import data, explorer, nets
from gan_jax.explorer import Curve, Number, Panel, Scene, Slider, Surface, side_by_side
from gan_jax.train import Gan, Hyperparams

browser, pages = browsing.browser, browsing.pages
pytestmark = pytest.mark.browser
X = np.linspace(0.0, 1.0, 50)
LAST = 12


class Film:
    """An answer that a test can make fail, or give in parts."""

    def __init__(self):
        self.asked, self.fails_at, self.parts = [], None, {}

    def __call__(self, values):
        step = int(values["step"])
        self.asked.append(step)
        if step == self.fails_at:
            raise ZeroDivisionError("no such step")
        self.parts[step] = max(self.parts.get(step, 0) - 1, 0)
        marks = [Surface(np.linspace(0, 1, 16).reshape(4, 4)), Curve(X, X ** (1 + step), "p_g", "fake")]
        numbers = [Number("step", step, panel=0), Number("missing", self.parts[step])]
        return Scene([Panel(marks, (0, 1))], numbers, again=self.parts[step] > 0)


CONTROLS = [Slider("step", "training step", 0, LAST, 0, whole=True, play=True), Slider("lr", "learning rate", 0, 1, 0)]
LONG = 1000
"""Steps of a film that is not over before a hand can stop it."""
PAUSES = "[aria-label='Pause: training step']"


def long_film():
    return explorer.open(Film(), [replace(CONTROLS[0], high=LONG, notches=LONG + 1), CONTROLS[1]])


class Stage(ExplorerPage):
    @property
    def film(self):
        return self.widget._respond

    def click(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def wait_value(self, name, value):
        self.wait(
            f"Number(document.querySelector(\".gan-explorer-control[data-name='{name}']\").dataset.value) === {value}"
        )

    def wait_rest(self):
        self.wait(
            "document.querySelector('.gan-explorer').dataset.waiting === 'false' && "
            "![...document.querySelectorAll('.gan-explorer-plays')].some((node) => node.dataset.playing === 'true')"
        )

    def steps_asked(self):
        return [message["values"].get("step") for message in self.asked()]


@pytest.fixture
def bare(pages):
    def make(widget=None, **context):
        context = {"viewport": {"width": 900, "height": 700}, **context}
        return pages(Stage, widget or explorer.open(Film(), CONTROLS), **context)

    return make


# ---- the play button ----


def test_play_moves_notch_by_notch_to_the_end_and_stops(bare):
    page = bare().wire().start()
    first = page.picture()
    page.click("Play: training step")
    page.wait_value("step", LAST)
    page.wait_rest()
    assert page.steps_asked() == list(range(1, LAST + 1))  # each once, in order, none skipped
    assert page.widget.values["step"] == page.number("step") == LAST
    assert page.picture() != first
    # once more, from the start
    page.click("Play again: training step")
    page.press_when("sent.length > 14", PAUSES)
    page.wait_rest()
    asked = page.steps_asked()[LAST:]
    assert asked == list(range(len(asked)))
    assert len(asked) <= LAST
    page.passes(200)
    assert page.steps_asked()[LAST:] == asked


def test_play_waits_for_each_answer(bare):
    page = bare().hold().start()
    page.click("Play: training step")
    page.passes(1000)
    assert page.steps_asked() == [1]  # nothing is queued
    # a kernel that stays silent stops it
    page.passes(1000)
    assert page.page.locator(".gan-explorer-status").get_attribute("data-kind") == "stalled"
    assert page.page.locator(".gan-explorer-plays").get_attribute("data-playing") == "false"
    page.answer(request=page.asked()[-1]["request"], step=1)
    page.wait_value("step", 1)
    page.passes(500)
    assert page.steps_asked() == [1]


@pytest.mark.parametrize("how", ["the slider", "another slider", "reset", "python"])
def test_any_move_stops_the_play(bare, how):
    page = bare(long_film()).wire().hold().start()
    page.click("Play: training step")
    page.wait("sent.length > 3")
    page.wait_answered()  # else the step that is on its way would come after Python's
    if how == "the slider":
        page.move("step", 1)
    elif how == "another slider":
        page.move("lr", 100)
    elif how == "reset":
        page.press("Reset")
    else:
        page.widget.set("step", 1)
        page.sync(picture=page.widget.picture)
    page.wait_rest()
    stopped = len(page.sent)
    page.passes(200)
    assert len(page.sent) == stopped
    assert page.value("step") == page.widget.values["step"]
    assert page.value("step") < LONG
    assert page.page.get_by_role("button", name="Play: training step").is_visible()


def test_an_error_stops_the_play_and_it_can_go_on(bare):
    page = bare().wire().start()
    page.film.fails_at = 4
    page.click("Play: training step")
    page.wait("document.querySelector('.gan-explorer-status').dataset.kind === 'error'")
    page.wait_rest()
    assert "no such step" in page.status
    assert page.value("step") == page.number("step") == 3
    page.click("Play: training step")
    page.wait("sent.length === 6")
    page.wait_rest()
    assert page.steps_asked() == [1, 2, 3, 4, 4]
    page.film.fails_at = None
    page.click("Play: training step")
    page.wait_value("step", LAST)
    page.wait_rest()
    assert page.status == ""


def test_closing_the_page_stops_the_play(bare):
    page = bare().wire().hold().start()
    page.click("Play: training step")
    page.wait_value("step", 1)
    page.wait_answered()
    page.page.evaluate("close_view()")
    page.passes(1000)
    assert page.steps_asked() == [1]


def test_play_works_from_the_keyboard_and_says_what_it_does(bare):
    page = bare(long_film()).wire().start()
    button = page.page.locator(".gan-explorer-go")
    assert button.get_attribute("aria-label") == "Play: training step"
    page.page.get_by_label("training step", exact=True).focus()
    page.page.keyboard.press("Shift+Tab")
    assert button.evaluate("node => node === document.activeElement")
    assert button.evaluate("node => getComputedStyle(node).outlineStyle") == "solid"
    page.page.keyboard.press("Space")
    page.wait("sent.length > 3")
    assert button.get_attribute("aria-label") == "Pause: training step"
    page.page.keyboard.press("Enter")
    page.wait_rest()
    assert 0 < page.value("step") < LONG
    # a slider without play has no such button
    assert button.count() == 1


def test_who_asks_for_less_motion_gets_a_slower_play(bare):
    page = bare(reduced_motion="reduce").wire().hold().start()
    note = "(message) => (times.push(performance.now()), send(message))"
    page.page.evaluate(f"() => {{ window.times = []; const {{ send }} = model; model.send = {note}; }}")
    page.click("Play: training step")
    page.press_when("times.length > 3", PAUSES)
    assert min(np.diff(page.page.evaluate("times"))) >= 399  # milliseconds


# ---- scenes that come in parts ----


def test_a_scene_on_its_way_is_asked_for_again_until_it_is_there(bare):
    page = bare().wire().start()
    page.film.parts = {5: 4}
    page.move("step", 5)
    page.wait_rest()
    assert page.film.asked == [0, 5, 5, 5, 5]
    assert [message["values"] for message in page.asked()] == [{"step": 5}, {}, {}, {}]
    assert page.number("missing") == 0
    # a slider that plays waits for the whole
    page.film.parts, page.film.asked = {7: 3}, []
    page.click("Play: training step")
    page.wait_value("step", LAST)
    page.wait_rest()
    assert page.film.asked == [6, 7, 7, 7, 8, 9, 10, 11, 12]


def test_a_hand_takes_over_from_a_scene_on_its_way(bare):
    page = bare().start()
    page.film.parts = {5: 1000, 2: 0}
    page.move("step", 5)
    page.widget._move({"step": 5}, page.asked()[-1]["request"], whole=False)
    page.sync(picture=page.widget.picture)
    page.wait("sent.length === 3")
    assert page.asked()[-1]["values"] == {}
    page.move("step", 2)
    page.passes(100)
    assert len(page.asked()) == 2  # still one in flight
    page.widget._move({}, page.asked()[-1]["request"], whole=False)
    page.sync(picture=page.widget.picture)
    page.wait("sent.length === 4")
    assert page.asked()[-1]["values"] == {"step": 2}
    page.answer(request=page.asked()[-1]["request"], step=2)
    page.wait_rest()
    assert len(page.asked()) == 3
    # an error ends it too
    page.move("step", 5)
    page.widget._move({"step": 5}, page.asked()[-1]["request"], whole=False)
    page.sync(picture=page.widget.picture)
    page.wait("sent.length === 6")
    page.receive(type="error", text="Interrupted.", request=page.asked()[-1]["request"])
    page.passes(150)
    assert len(page.asked()) == 5
    assert page.root.get_attribute("data-waiting") == "false"


def test_a_page_that_comes_back_asks_for_the_rest(bare):
    page = bare()
    page.film.parts = {5: 3}
    page.widget._move({"step": 5}, whole=False)
    assert page.widget.picture["again"]
    page.wire().start()
    page.wait("document.querySelector(\"[data-name='missing']\").dataset.value === '0'")
    assert page.film.asked == [0, 5, 5, 5]
    # without a kernel nothing is asked for
    alone = bare()
    alone.film.parts = {5: 3}
    alone.widget._move({"step": 5}, whole=False)
    alone.start()
    alone.passes(150)
    assert alone.asked() == []


# ---- what is drawn ----


def test_a_surface_runs_from_fake_at_the_first_row_to_real_at_the_last(bare):
    page = bare(device_scale_factor=1).start()
    scene = Scene([Panel([Surface(np.array([[0.0, 0.0], [1.0, 1.0]]))], (0, 1), (0, 1))])
    page.sync(picture=explorer.widget.encode(scene, page.widget.values, 2))
    page.wait_serial(2)
    read = """node => {
      const { data } = node.getContext("2d").getImageData(Math.round(node.width / 2), 0, 1, node.height);
      const column = [];
      for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) column.push([...data.slice(i, i + 3)]);
      return column;
    }"""
    column = page.page.locator("canvas").evaluate(read)
    assert [0x6F, 0xB3, 0xDC] in column[:20]  # real at the top
    assert [0xF2, 0xA3, 0x6B] in column[-40:]  # fake at the bottom
    page.page.evaluate("document.body.style.background = '#111'")
    page.wait("document.querySelector('.gan-explorer').dataset.theme === 'dark'")
    page.settles()
    assert colours(page).get("23,90,135", 0) > 100
    nothing = Scene([Panel([Surface(np.full((3, 3), np.nan)), Surface(np.zeros((0, 0)))], (0, 1))])
    page.sync(picture=explorer.widget.encode(nothing, page.widget.values, 3))
    page.wait_serial(3)
    assert colours(page).get("23,90,135", 0) == 0


def test_numbers_stand_under_their_panels(bare):
    page = bare().start()
    panels = [Panel([Curve(X, X)], (0, 1), title=title) for title in "ab"]
    numbers = [Number("modes", 8, panel=0), Number("modes", 7, panel=1), Number("step", 100)]
    page.sync(picture=explorer.widget.encode(Scene(panels, numbers), page.widget.values, 2))
    page.wait_serial(2)
    for i, figure in enumerate(["8", "7"]):
        panel = page.page.locator(".gan-explorer-panel").nth(i)
        assert panel.locator(".gan-explorer-figure").inner_text() == figure
        canvas, number = panel.locator("canvas").bounding_box(), panel.locator(".gan-explorer-number").bounding_box()
        assert canvas["y"] + canvas["height"] <= number["y"]
        assert canvas["x"] - 5 <= number["x"] <= canvas["x"] + canvas["width"]
    assert page.page.locator(".gan-explorer-facts .gan-explorer-number").count() == 1
    page.sync(picture=explorer.widget.encode(Scene(panels, numbers[2:]), page.widget.values, 3))
    page.wait_serial(3)
    assert page.page.locator(".gan-explorer-number").count() == 1


# ---- GANs side by side ----


def test_gans_side_by_side_play_and_are_scrubbed_back(bare):
    gan = Gan(nets.mlp(2, 16, 2), nets.mlp(2, 16, 1), batch_size=32)
    pair = {"as it is": (gan, Hyperparams()), "D explodes": (gan, Hyperparams(lr_d=1e18))}
    live = side_by_side(pair, data.ring(8), key=jax.random.key(0), steps=100, every=10, progress=False)
    page = bare(live).wire().start()
    assert page.page.locator("canvas").count() == 2
    seen, explained = {0: page.picture()}, page.page.locator(".gan-explorer-remark")
    assert "Then press ▶" in explained.inner_text()
    page.move("step", 3)
    page.wait_rest()
    seen[30] = page.picture()
    assert seen[30] != seen[0]
    page.click("Play: step")
    page.wait_value("step", 100)
    page.wait_rest()
    assert page.picture() not in seen.values()
    assert live.contest.step == 100
    assert "“D explodes” diverged at step" in explained.inner_text()
    trained = live.contest.recorders["as it is"].state
    for step in (30, 100):
        page.move("step", step // 10)
        page.wait_rest()
        assert page.page.locator(".gan-explorer-figure").first.inner_text() == str(int(live.scene.number("modes", 0)))
        assert live.scene.panels[0].x_label == f"step {step}"
    assert live.contest.recorders["as it is"].state is trained


def test_an_earlier_picture_comes_back_as_it_was(bare):
    gan = Gan(nets.mlp(2, 16, 2), nets.mlp(2, 16, 1), batch_size=32)
    pair = {"as it is": (gan, Hyperparams()), "fast G": (gan, Hyperparams(lr_g=1e-2))}
    live = side_by_side(pair, data.ring(8), key=jax.random.key(0), steps=60, every=20, progress=False)
    page = bare(live).wire().start()
    page.settles()
    pictures = {}
    for place in (0, 1, 3, 2, 0, 3, 1):
        page.move("step", place)
        page.wait_rest()
        # the second: in the first a name may have kept its place
        assert pictures.setdefault(place, page.picture(1)) == page.picture(1)
    assert len(set(pictures.values())) == 4
