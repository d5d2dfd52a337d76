"""The time bar in a real browser, with the lab's own Python behind it: scrub, branch, undo, share and restore."""

import browsing
import jax
import numpy as np
import pytest

from gan_jax import lab, nets
from gan_jax.train import Gan

browser, pages = browsing.browser, browsing.pages
pytestmark = pytest.mark.browser


class Bare(browsing.Bare):
    state = ("setup", "scene")

    @property
    def slider(self):
        return self.page.get_by_label("Step of the run")

    def drag(self, *steps):
        """Move the bar's thumb over some steps and let go at the last."""
        self.slider.evaluate(
            """(node, steps) => {
              for (const step of steps) {
                node.value = step;
                node.dispatchEvent(new Event("input", { bubbles: true }));
              }
              node.dispatchEvent(new Event("change", { bubbles: true }));
            }""",
            list(steps),
        )

    def wait_at(self, step):
        self.wait(f"document.querySelector('.gan-lab').dataset.step === '{step}'")
        self.wait(f"document.querySelector('.gan-lab-timebar').dataset.at === '{step}'")

    def picture(self):
        return self.page.locator("canvas.gan-lab-stage").last.evaluate("node => node.toDataURL()")

    @property
    def said(self):
        return self.page.locator(".gan-lab-timebar-said").inner_text()


@pytest.fixture
def widget():
    widget = lab.open(Gan(nets.mlp(2, 16, 2), nets.mlp(2, 16, 1), batch_size=32), language="en")
    widget.advance(200)
    widget.set("lr_g", 0.02)
    widget.advance(300)
    return widget


@pytest.fixture
def bare(pages, widget):
    page = pages(Bare, widget).wire().start(width=900)
    page.wait_at(500)
    page.rests()
    return page


def weights(widget):
    return [np.asarray(leaf) for leaf in jax.tree.leaves((widget.session.game.generator, widget.session.game.opt_d))]


def same(one, other):
    return all(map(np.array_equal, one, other))


def test_scrubbing_shows_the_past_and_comes_back_to_the_last_bit(bare, widget):
    end, picture = weights(widget), bare.picture()
    bare.drag(480, 300, 131)
    bare.wait_at(131)
    assert bare.picture() != picture
    assert widget.session.hyper.lr_g == 1e-3
    assert bare.page.get_by_label("Learning rate of G", exact=True).get_attribute("aria-valuetext") == "0.001"
    assert bare.said == "step 131 of 500"
    assert bare.slider.get_attribute("aria-valuetext") == bare.said
    # while the hand moved, only states at hand were shown; the exact step was asked for once
    asked = [(message["step"], message["exact"]) for message in bare.sent if message["type"] == "travel"]
    assert asked[-1] == (131, True)
    assert all(step in widget.session.timeline.describe()["keys"] for step, exact in asked[:-1] if not exact)
    bare.press("To the end")
    bare.wait_at(500)
    assert same(weights(widget), end)
    assert bare.picture() == picture
    assert bare.said.startswith("step 500 of 500 · changed last: lr_g 0.02")
    assert not bare.page.get_by_role("button", name="To the end").is_visible()


def test_the_bar_goes_by_keyboard(bare):
    bare.slider.focus()
    for key in ("Home", "ArrowRight", "ArrowRight"):
        bare.page.keyboard.press(key)
    bare.wait_at(2)
    bare.page.keyboard.press("End")
    bare.wait_at(500)


def test_a_mark_stands_where_a_dial_was_moved(bare):
    mark = bare.page.locator(".gan-lab-timebar-mark")
    assert mark.count() == 1
    assert mark.get_attribute("title") == "200: lr_g 0.02"
    box, track = mark.bounding_box(), bare.slider.bounding_box()
    assert box["x"] + box["width"] / 2 == pytest.approx(track["x"] + 8 + 0.4 * (track["width"] - 16), abs=2)


def test_another_dial_in_the_past_keeps_the_way_that_was_left(bare, widget):
    end = weights(widget)
    bare.drag(250)
    bare.wait_at(250)
    widget.set("lr_d", 0.05)
    bare.press("Step")
    bare.page.get_by_role("button", name="run 1, to step 500").click()
    bare.wait_at(500)
    assert same(weights(widget), end)
    assert bare.page.get_by_role("button", name="run 2, to step 251").is_visible()


def test_a_branch_stands_beside_its_run_and_closes_again(bare, widget):
    bare.drag(150)
    bare.wait_at(150)
    bare.press("Branch here")
    bare.wait("document.querySelectorAll('.gan-lab-timebar-tab').length === 2")
    one, two = widget.sessions
    assert widget.active == 1
    assert (one.game.step, two.game.step) == (150, 150)
    assert one.timeline.line.end == 500
    assert bare.page.locator(".gan-lab-timebar-tab[data-chosen=true]").inner_text().strip().startswith("2")
    bare.page.locator(".gan-lab-timebar-pick").first.click()
    bare.wait("document.querySelector('.gan-lab-timebar-tab').dataset.chosen === 'true'")
    bare.page.get_by_role("button", name="Close B").click()
    bare.wait("document.querySelectorAll('.gan-lab-timebar-tab').length === 0")
    assert widget.sessions == [one]


def test_undo_and_redo_by_button_and_by_key(bare, widget):
    slider = bare.page.get_by_label("Learning rate of D", exact=True)
    slider.evaluate("(node) => { for (const place of [60, 61, 62, 63]) {"
                    " node.value = place; node.dispatchEvent(new Event('input', { bubbles: true })); } }")  # fmt: skip
    bare.rests()
    moved = widget.session.hyper.lr_d
    assert moved == bare.sent[-1]["value"] != 1e-3
    undo = bare.page.get_by_role("button", name="Undo")
    bare.wait("document.querySelector('.gan-lab-timebar-undo').title === 'Undo: Learning rate of D (Ctrl+Z)'")
    undo.click()  # the drag as a whole
    bare.wait("document.querySelector('.gan-lab-timebar-redo').title.startsWith('Redo: Learning rate of D')")
    assert widget.session.hyper.lr_d == 1e-3
    bare.slider.focus()
    bare.page.keyboard.press("Control+Shift+Z")
    bare.wait("document.querySelector('.gan-lab-timebar-redo').getAttribute('aria-disabled') === 'true'")
    assert widget.session.hyper.lr_d == moved
    bare.press("Reset")
    bare.wait_at(0)
    bare.page.keyboard.press("Control+z")
    bare.wait_at(500)
    # where one types, the key belongs to the text
    bare.page.get_by_text("Share or restore this run").click()
    bare.page.get_by_label("String:").focus()
    before = len(bare.sent)
    bare.page.keyboard.press("Control+z")
    bare.settles()
    assert len(bare.sent) == before


def test_a_run_is_shared_and_restored_from_its_string(bare, widget):
    end = weights(widget)
    bare.page.get_by_text("Share or restore this run").click()
    bare.press("Copy code")
    text = bare.page.locator(".gan-lab-timebar-text")
    bare.wait("document.querySelector('.gan-lab-timebar-text').value.includes('train.init')")
    assert text.input_value() == str(widget.state)
    bare.press("Copy string")
    bare.wait("document.querySelector('.gan-lab-timebar-text').value.startsWith('gan1.')")
    string = text.input_value()
    assert len(string) < 300
    bare.press("Reset")
    bare.wait_at(0)
    bare.page.get_by_label("String:").fill(f" {string}\n")
    bare.press("Restore")
    bare.wait_at(500)
    assert same(weights(widget), end)
    assert widget.session.hyper.lr_g == 0.02
    bare.page.get_by_label("String:").fill(string[:-7])
    bare.page.keyboard.press("Enter")
    bare.wait("document.querySelector('.gan-lab-status').textContent.includes('cut off or mistyped')")
    assert bare.page.locator(".gan-lab").get_attribute("data-step") == "500"


def test_a_lesson_may_leave_the_bar_out(pages):
    gan = Gan(nets.mlp(2, 16, 2), nets.mlp(2, 16, 1), batch_size=32)
    page = pages(Bare, lab.open(gan, controls=["lr_g"])).start()
    assert page.page.locator(".gan-lab-timebar").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_small_screen(pages, widget, theme):
    widget.session.travel(100)
    widget.set("lr_d", 0.01)
    widget.advance(10)
    widget.branch(50)
    page = pages(Bare, widget, color_scheme=theme, viewport={"width": 360, "height": 800}).wire().start()
    page.wait("document.querySelectorAll('.gan-lab-timebar-tab').length === 2")
    page.page.get_by_text("Share or restore this run").click()
    inside = "[...document.querySelectorAll('.gan-lab-timebar *')].every((node) =>"
    assert page.page.evaluate(f"{inside} node.getBoundingClientRect().right <= innerWidth)")
