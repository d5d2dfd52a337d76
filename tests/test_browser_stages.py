"""Slow motion in a real browser, with real Python behind it: through a whole step, and what is seen on the way."""

from itertools import pairwise

import browsing
import jax
import numpy as np
import pytest

from gan_jax import lab, nets
from gan_jax.lab import Session
from gan_jax.train import Gan

browser, pages = browsing.browser, browsing.pages
GAN = Gan(nets.mlp(2, 16, 2), nets.mlp(2, 16, 1), batch_size=32)


class Bare(browsing.Bare):
    state = ("setup", "scene")

    @property
    def graph(self):
        return self.page.locator(".gan-lab-graph")

    @property
    def lit(self):
        return set((self.graph.locator("svg").get_attribute("data-lit") or "").split())

    @property
    def words(self):
        return self.graph.locator(".gan-lab-graph-words").inner_text()

    def picture(self):
        return self.page.locator(".gan-lab-stage-box canvas").first.evaluate("node => node.toDataURL()")

    def at(self, name):
        """Wait until slow motion stands at a stage; "" for outside it."""
        self.wait("name => (document.querySelector('.gan-lab-graph').dataset.stage ?? '') === name", name)

    def box(self, name):
        return self.graph.locator(f".gan-lab-graph-{name} .gan-lab-graph-number").text_content()


@pytest.fixture
def shown(pages):
    def make(width=700, held=False, **context):
        widget = lab.open(GAN, controls=["overview", "lr_d"], language="en")
        widget.advance(20)
        page = pages(Bare, widget, viewport={"width": max(width, 400), "height": 1200}, **context)
        (page.hold() if held else page).wire().start(width=width).rests()
        return page

    return make


def weights(game):
    return jax.tree.leaves((game.generator, game.discriminator, game.ema, game.opt_g, game.opt_d, game.step))


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


STAGES = {name: set(lit) for name, lit in lab.stages.LIT.items()}


@pytest.mark.browser
def test_through_a_whole_step(shown):
    page = shown()
    plain = Session(GAN)
    plain.advance(20)
    before, seen = page.widget.session.game, {}
    page.press("Slow motion")
    for name, lit in STAGES.items():
        page.at(name)
        assert page.lit == lit
        assert page.widget.session.game is before
        seen[name] = page.picture()
        if name == "d_judge":
            assert "D says 0." in page.box("real")
            assert "D says 0." in page.box("fake")
        if name == "d_loss":
            assert float(page.box("loss_d")) == pytest.approx(1.4, abs=0.5)
            assert "−E[log D(x)]" in page.words
        page.press("Take the step" if name == "g_update" else "Next")
    page.at("d_latent")
    assert "Step 21 is taken" in page.words
    page.press("Leave")
    page.at("")
    plain.advance(1)
    assert same(page.widget.session.game, plain.game)
    assert page.page.locator(".gan-lab").get_attribute("data-step") == "21"
    # the picture changes where something is drawn, judged, moved; and nowhere else
    names = list(STAGES)
    changed = {b for a, b in pairwise(names) if seen[a] != seen[b]}
    assert changed == {
        "d_fake",
        "d_real",
        "d_judge",
        "d_update",
        "g_latent",
        "g_fake",
        "g_judge",
        "g_gradient",
        "g_update",
    }


@pytest.mark.browser
def test_leaving_in_the_middle_and_the_ways_about(shown):
    page = shown()
    before, resting = page.widget.session.game, page.picture()
    page.press("Slow motion")
    page.at("d_latent")
    page.press("Next")
    page.at("d_fake")
    page.press("Back")
    page.at("d_latent")
    page.press("Leave")
    page.at("")
    assert page.widget.session.game is before
    page.wait("!document.querySelector('.gan-lab-graph-words').textContent")
    assert page.picture() == resting
    assert page.lit == set()
    page.press("Slow motion")
    page.at("d_latent")
    page.press("Whole step")
    page.wait("document.querySelector('.gan-lab').dataset.step === '21'")
    page.press("Play")
    page.at("")  # who plays on has left slow motion
    page.press("Pause")


@pytest.mark.browser
def test_by_keyboard_and_told_to_a_screen_reader(shown):
    page = shown()
    page.graph.get_by_role("button", name="Slow motion").focus()
    page.page.keyboard.press("Enter")
    page.at("d_latent")
    focused = "document.activeElement.textContent"
    assert page.page.evaluate(focused) == "Next"  # the button that was pressed has gone
    for name in ("d_fake", "d_real"):
        page.page.keyboard.press("Space")
        page.at(name)
        assert page.page.evaluate(focused) == "Next"
    live = page.graph.locator(".gan-lab-graph-words")
    assert live.get_attribute("aria-live") == "polite"
    assert "32 real samples" in live.inner_text()
    assert "judges" in page.graph.locator("svg").get_attribute("aria-label")
    page.page.keyboard.press("Tab")
    page.page.keyboard.press("Tab")
    assert page.page.evaluate(focused) == "Leave"
    page.page.keyboard.press("Enter")
    page.at("")
    assert page.page.evaluate(focused) == "Slow motion"


@pytest.mark.browser
def test_a_dial_is_heard_in_slow_motion(shown):
    page = shown()
    page.press("Slow motion")
    page.at("d_latent")
    for name in list(STAGES)[1:6]:
        page.press("Next")
        page.at(name)
    assert name == "d_update"
    moved = page.picture()
    page.widget.set("lr_d", 0.0)  # silently: the page asks again below
    page.press("Back")
    page.at("d_loss")
    page.press("Next")
    page.at("d_update")
    assert "D is held" in page.words
    assert page.picture() != moved


WATCH = """
window.changes = [];
new MutationObserver((all) => changes.push([...new Set(all.map((one) => one.attributeName))]))
  .observe(document.querySelector(".gan-lab-graph-drawing"), { attributes: true, subtree: true });
"""


def seen(page):
    """Which attributes of the overview change together in two seconds of the page's clock."""
    page.page.evaluate("window.changes = []")
    for _ in range(20):  # the kernel answers in between
        page.passes(100)
    return page.page.evaluate("changes")


@pytest.mark.browser
def test_in_play_it_pulses_calmly_and_never_without_leave(shown):
    page = shown(held=True)
    page.page.evaluate(WATCH)
    page.press("Play")
    changes = seen(page)
    assert 1 <= sum("data-lit" in names for names in changes) <= 5
    assert 1 <= sum("stroke-dashoffset" in names for names in changes) <= 20
    assert len(changes) <= 20  # ten repaints a second at most
    page.press("Pause")
    page.rests()
    assert seen(page) == []
    calm = shown(held=True, reduced_motion="reduce")
    calm.press("Play")
    calm.wait("document.querySelector('.gan-lab-graph-drawing').dataset.lit")
    calm.page.evaluate(WATCH)
    assert seen(calm) == []
    assert {"loss_d", "loss_g"} <= calm.lit


@pytest.mark.browser
@pytest.mark.parametrize("width", [340, 1000])
def test_it_fits(shown, width):
    page = shown(width)
    page.press("Slow motion")
    page.at("d_latent")
    for name in list(STAGES)[1:6]:
        page.press("Next")
        page.at(name)
    assert page.page.evaluate(
        "document.querySelector('.gan-lab').scrollWidth <= document.querySelector('.gan-lab').clientWidth"
    )
    spills = """() => [...document.querySelectorAll('.gan-lab-graph-node')].filter((group) => {
      const [box, ...texts] = group.querySelectorAll('rect, text');
      const sides = (node) => [node.getBoundingClientRect().left, node.getBoundingClientRect().right];
      const [left, right] = sides(box);
      return texts.some((text) => text.textContent && (sides(text)[0] < left || sides(text)[1] > right));
    }).length"""
    assert page.page.evaluate(spills) == 0
