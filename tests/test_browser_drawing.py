"""A target drawn in a real browser, by mouse, finger, pen and keyboard, and trained on by the real Python."""

import base64

import browsing
import numpy as np
import pytest

from gan_jax import data, lab, nets
from gan_jax.train import Gan, Hyperparams

browser, pages = browsing.browser, browsing.pages

CENTRE, RADIUS = np.array([0.7, 0.7]), 0.25
"""The circle that is drawn, in the plane; the lab opens on the ring of radius 1."""


class Hand(browsing.Bare):
    """The lab in a bare page, and a hand that draws in it; places are given in the plane."""

    state = ("setup", "scene")

    def show(self):
        """Let a kernel that is silent from then on send one frame."""
        frames = []
        self.widget.send = lambda content, buffers=None: frames.append((content, buffers))
        self.widget.show()
        content, (block,) = frames[0]
        self.page.evaluate("([m, b]) => receive(m, b)", [content, base64.b64encode(block).decode()])
        self.wait("document.querySelector('.gan-lab').dataset.step === '0'")
        return self

    def open(self):
        self.page.get_by_role("button", name="Draw a target").click()
        return self

    @property
    def stage(self):
        return self.page.locator(".gan-lab-stage-box > .gan-lab-stage")

    @property
    def pad(self):
        return self.page.locator(".gan-lab-drawing-canvas")

    @property
    def strokes(self):
        return int(self.page.locator(".gan-lab-drawing").get_attribute("data-strokes"))

    def place(self, point):
        """Where a place of the plane is on the page, in pixels; the whole stage is the window."""
        box = self.stage.bounding_box()
        left, right, bottom, top = self.widget.session.window
        x, y = (point[0] - left) / (right - left), (top - point[1]) / (top - bottom)
        return float(box["x"] + x * box["width"]), float(box["y"] + y * box["height"])

    def draw(self, points, kind="mouse"):
        """Draw a stroke through these places, with "mouse", "touch" or "pen"."""
        first, *rest = [self.place(point) for point in points]
        if kind == "mouse":
            self.page.mouse.move(*first)
            self.page.mouse.down()
            for each in rest:
                self.page.mouse.move(*each)
            return self.page.mouse.up()
        send = self.page.context.new_cdp_session(self.page).send
        if kind == "touch":
            touch = lambda how, *at: send(  # noqa: E731
                "Input.dispatchTouchEvent", {"type": how, "touchPoints": [{"x": x, "y": y} for x, y in at]}
            )
            touch("touchStart", first)
            for each in rest:
                touch("touchMove", each)
            return touch("touchEnd")
        pen = lambda how, at: send(  # noqa: E731
            "Input.dispatchMouseEvent",
            {
                "type": how,
                "x": at[0],
                "y": at[1],
                "button": "left",
                "buttons": 1,
                "clickCount": 1,
                "pointerType": "pen",
            },
        )
        pen("mousePressed", first)
        for each in rest:
            pen("mouseMoved", each)
        return pen("mouseReleased", rest[-1])

    def drawn(self):
        """The points of the drawing that was sent last."""
        (message,) = [each for each in self.sent if each["type"] == "draw"][-1:]
        return np.frombuffer(base64.b64decode(message["points"]), "<f4").reshape(-1, 2)

    def picture(self):
        return self.stage.evaluate("node => node.toDataURL()")

    def ink(self):
        """How many pixels of the pad are painted."""
        return self.pad.evaluate(
            """async (node) => {
              await new Promise(requestAnimationFrame);
              await new Promise(requestAnimationFrame);
              const { data } = node.getContext("2d").getImageData(0, 0, node.width, node.height);
              let painted = 0;
              for (let i = 3; i < data.length; i += 4) painted += data[i] > 0;
              return painted;
            }"""
        )


def circle(n=60):
    angle = np.linspace(0, 2 * np.pi, n)
    return CENTRE + RADIUS * np.stack([np.cos(angle), np.sin(angle)], axis=1)


@pytest.fixture
def hand(pages):
    def make(wired=False, **context):
        gan = Gan(nets.mlp(2, 16, 2), nets.mlp(2, 16, 1), batch_size=64)
        widget = lab.open(gan, hyper=Hyperparams(lr_g=2e-3, lr_d=4e-3), controls=["draw", "target"])
        page = pages(Hand, widget, **{"viewport": {"width": 1000, "height": 900}, **context})
        return page.wire().start() if wired else page.start().show()

    return make


@pytest.mark.browser
@pytest.mark.parametrize("kind", ["mouse", "touch", "pen"])
def test_what_is_drawn_is_learnt(hand, kind):
    page = hand(wired=True, has_touch=True)
    page.wait("document.querySelector('.gan-lab').dataset.step === '0'")
    away = lambda: np.linalg.norm(page.widget.session.frame().arrays["fake"] - CENTRE, axis=1).mean()  # noqa: E731
    before, picture = away(), page.picture()
    page.open().draw(circle(), kind)
    assert page.strokes == 1
    page.press("Train on it")
    page.wait("Number(document.querySelector('.gan-lab').dataset.step) > 300")
    page.press("Pause")
    session = page.widget.session
    assert isinstance(session.target, data.Drawn)
    near = np.linalg.norm(np.asarray(session.real) - CENTRE, axis=1)
    assert abs(near.mean() - RADIUS) < 0.05  # the real samples lie on the circle
    assert before > 0.8
    assert away() < 0.5  # and the fake ones have come to it
    assert page.picture() != picture
    assert page.page.evaluate("scrollY") == 0


@pytest.mark.browser
def test_points_are_even_along_the_stroke_and_where_the_hand_was(hand):
    page = hand().open()
    uneven = np.concatenate([np.linspace(-0.8, -0.7, 30), np.linspace(-0.6, 0.8, 5)])
    page.draw(np.stack([uneven, 0.5 * uneven], axis=1))
    page.press("Train on it")
    x, y = page.drawn().T
    np.testing.assert_allclose(y, 0.5 * x, atol=0.01)
    np.testing.assert_allclose(x, -0.8 + 1.6 * (np.arange(256) + 0.5) / 256, atol=0.02)
    assert page.pad.is_hidden()


@pytest.mark.browser
def test_strokes_are_undone_cleared_and_cancelled(hand):
    page = hand().open()
    assert page.ink() == 0
    page.draw(circle())
    one = page.ink()
    page.draw([(-0.8, -0.8), (-0.2, -0.8)])
    two = page.ink()
    assert 0 < one < two
    page.press("Undo stroke")
    assert (page.strokes, page.ink()) == (1, one)
    page.press("Cancel")
    assert page.pad.is_hidden()
    page.open()
    assert page.strokes == 0  # as it was when the pad was opened
    page.draw(circle())
    page.press("Clear")
    assert (page.strokes, page.ink()) == (0, 0)
    train = page.page.get_by_role("button", name="Train on it")
    assert train.get_attribute("aria-disabled") == "true"
    train.dispatch_event("click")
    assert "draw" not in [each["type"] for each in page.sent]  # there is nothing to train on
    page.draw([(0.3, 0.3), (0.3, 0.3)])
    page.press("Train on it")
    np.testing.assert_allclose(page.drawn().mean(axis=0), 0.3, atol=0.02)  # a tap is a blob
    page.open()
    assert page.strokes == 1  # and can be drawn on


@pytest.mark.browser
def test_the_keyboard_draws_and_nothing_of_it_reaches_the_notebook(hand):
    page = hand()
    page.page.evaluate(
        "window.leaked = []; document.addEventListener('keydown', (e) => e.key === 'Shift' || leaked.push(e.key))"
    )
    page.page.get_by_role("button", name="Draw a target").focus()
    press = lambda *keys: [page.page.keyboard.press(key) for key in keys]  # noqa: E731
    press("Enter")
    assert page.pad.evaluate("node => node === document.activeElement")
    assert page.ink() > 0  # the cursor
    press("ArrowRight", "ArrowRight", "ArrowUp", " ")
    page.wait("document.querySelector('.gan-lab-drawing [role=status]').innerText === 'Strokes: 1.'")
    press("ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowDown")
    page.wait("/^−?[0-9.]+, −?[0-9.]+$/.test(document.querySelector('.gan-lab-drawing [role=status]').innerText)")
    assert page.strokes == 2
    press("Backspace")
    assert page.strokes == 1
    press("Enter")
    left, right, bottom, top = page.widget.session.window
    step = 0.04 * (right - left)
    place = np.array([(left + right) / 2 + 2 * step, (bottom + top) / 2 + step])
    np.testing.assert_allclose(page.drawn().mean(axis=0), place, atol=0.02)
    assert page.page.evaluate("document.activeElement.innerText").endswith("Draw a target")
    assert page.page.evaluate("leaked") == ["Enter"]  # the one that opened the pad
    press("Enter", " ", "Escape")
    assert page.pad.is_hidden()
    assert page.page.evaluate("document.activeElement.innerText").endswith("Draw a target")
    assert len([each for each in page.sent if each["type"] == "draw"]) == 1


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 1000])
def test_the_pad_lies_on_the_stage_at_any_width(hand, width):
    page = hand(viewport={"width": 1000, "height": 900}).open()
    page.page.set_viewport_size({"width": width, "height": 900})
    page.wait(f"innerWidth === {width}")
    page.settles()
    assert page.pad.bounding_box() == pytest.approx(page.stage.bounding_box(), abs=1)
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_a_finger_scrolls_the_page_unless_it_draws(hand):
    page = hand(has_touch=True)
    assert page.stage.evaluate("node => getComputedStyle(node).touchAction") == "auto"
    page.open()
    assert page.pad.evaluate("node => getComputedStyle(node).touchAction") == "none"


@pytest.mark.browser
def test_a_refused_drawing_is_told_and_can_be_mended(hand):
    page = hand(wired=True)
    page.wait("document.querySelector('.gan-lab').dataset.step === '0'")
    broken = "m.type === 'draw' ? { ...m, scale: 9 } : m"
    page.page.evaluate(f"() => {{ const send = model.send; model.send = (m) => send({broken}); }}")
    page.open().draw(circle())
    page.press("Train on it")
    page.wait("document.querySelector('.gan-lab-status').innerText.includes('scale must be a number')")
    page.open()
    assert page.strokes == 1
    assert page.widget.session.target_name == "ring"
