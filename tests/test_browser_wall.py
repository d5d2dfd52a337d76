"""The wall of seeds in a real browser, with its own Python behind it."""

import base64
from dataclasses import replace

import browsing
import pytest

from gan_jax import lab, losses, nets
from gan_jax.train import Gan, Hyperparams

browser, pages = browsing.browser, browsing.pages

SMALL = Gan(nets.mlp(2, 16, 2), nets.mlp(2, 16, 1), batch_size=32)


class Wall(browsing.Bare):
    """A wall in a bare page."""

    state = ("setup", "scene")

    @property
    def root(self):
        return self.page.locator(".gan-wall")

    @property
    def status(self):
        return self.page.locator(".gan-lab-status").inner_text()

    @property
    def runs(self):
        return self.page.locator(".gan-wall-run")

    @property
    def step(self):
        return int(self.root.get_attribute("data-step"))

    def pictures(self):
        """What each picture shows, as text that differs when the picture does."""
        return self.page.evaluate("[...document.querySelectorAll('.gan-wall-run canvas')].map((c) => c.toDataURL())")

    def chart(self):
        return self.page.locator(".gan-wall-chart").evaluate("node => node.toDataURL()")

    def wait_step(self, step):
        self.wait(f"Number(document.querySelector('.gan-wall')?.dataset.step) >= {step}")


@pytest.fixture
def shown(pages):
    """Shows a wall with its own Python behind it."""

    def make(widget, **context):
        page = pages(Wall, widget, **context).wire().start()
        page.wait("document.querySelectorAll('.gan-wall-run').length > 0")
        page.rests()
        return page

    return make


@pytest.mark.browser
def test_all_pictures_change_while_it_trains_and_stand_still_when_it_pauses(shown):
    page = shown(lab.wall(SMALL, seeds=9))
    before, chart = page.pictures(), page.chart()
    assert len(set(before)) == 9
    page.press("Play")
    page.wait_step(60)
    page.press("Pause")
    page.wait("document.querySelector('.gan-lab-status').innerText.startsWith('Paused at step')")
    page.rests()
    after = page.pictures()
    assert all(one != other for one, other in zip(before, after, strict=True))
    assert page.chart() != chart
    assert page.widget.session.step == page.step  # what is seen is where the kernel stands
    assert "of 9 seeds reach all 8 modes" in page.page.locator(".gan-wall-sentence").inner_text()
    assert "95 % interval" in page.page.locator(".gan-wall-remark").inner_text()
    serial = page.root.get_attribute("data-serial")
    page.passes(200)
    assert page.root.get_attribute("data-serial") == serial
    page.press("Reset")
    page.rests()
    assert page.step == 0
    assert not page.status.startswith("Paused")
    assert page.pictures() == before


@pytest.mark.browser
def test_one_run_is_enlarged_by_mouse_and_by_keys(shown):
    widget = lab.wall(SMALL, seeds=9)
    page = shown(widget)
    closer = page.page.locator(".gan-wall-closer")
    assert not closer.is_visible()
    page.runs.nth(4).click()
    page.rests()
    assert page.page.locator(".gan-wall-closer strong").inner_text().startswith("Seed 4")
    assert widget.session.closer == 4
    assert page.page.locator(".gan-wall-closer canvas").evaluate("node => node.width") > 200
    assert page.runs.nth(4).get_attribute("aria-pressed") == "true"
    assert "wall.pick(4)" in closer.inner_text()
    keys = page.page.keyboard
    keys.press("Escape")
    assert not closer.is_visible()
    assert page.page.evaluate("document.activeElement.dataset.place") == "4"
    for key, place in [("ArrowRight", 5), ("ArrowUp", 2), ("ArrowDown", 5), ("Home", 0), ("End", 8)]:
        keys.press(key)
        assert page.page.evaluate("document.activeElement.dataset.place") == str(place)
    keys.press("Enter")
    page.wait("document.querySelector('.gan-wall-closer strong').innerText.startsWith('Seed 8')")
    assert page.page.evaluate("document.querySelectorAll('.gan-wall-run[tabindex=\"0\"]').length") == 1
    page.press("Close")
    assert not closer.is_visible()
    assert page.page.evaluate("document.activeElement.dataset.place") == "8"
    page.rests()
    assert widget.session.closer is None


@pytest.mark.browser
def test_a_diverged_run_is_marked_and_the_end_of_all_is_told(shown):
    gan = replace(SMALL, optimizer="sgd", loss=losses.wasserstein)
    widget = lab.wall(gan, hyper=Hyperparams(lr_g=0.5, lr_d=0.5), seeds=9)
    while all(step is None for step in widget.session.diverged):
        widget.session.advance(1)
    lost = [i for i, step in enumerate(widget.session.diverged) if step is not None]
    assert len(lost) < 9
    page = shown(widget)
    place = lost[0]
    label = f"Seed {place}: diverged at step {widget.session.diverged[place]:,}, shown as it last was"
    assert page.runs.nth(place).get_attribute("aria-label") == label
    assert "✕ step" in page.runs.nth(place).inner_text()
    assert page.page.locator(".gan-wall-run[data-lost='true']").count() == len(lost)
    page.page.get_by_label("Order").select_option("score")
    order = page.page.evaluate("[...document.querySelectorAll('.gan-wall-run')].map((node) => +node.dataset.place)")
    assert sorted(order[-len(lost) :]) == lost
    page.press("Play")
    page.wait("document.querySelector('.gan-wall').dataset.playing === 'false'")
    page.rests()
    assert "all 9 runs have diverged" in page.status
    assert page.page.locator(".gan-lab-status").get_attribute("role") == "alert"
    assert "9 have diverged." in page.page.locator(".gan-wall-remark").inner_text()


@pytest.mark.browser
def test_a_dial_a_menu_and_the_language_reach_all_runs(shown):
    widget = lab.wall(SMALL, seeds=9)
    page = shown(widget)
    slider = page.page.get_by_label("Learning rate of G", exact=True)
    slider.focus()
    before = widget.session.desk.hyper.lr_g
    page.page.keyboard.press("ArrowRight")
    assert page.sent[-1]["type"] == "set"
    page.rests()
    assert widget.session.desk.hyper.lr_g > before
    page.page.locator("[data-name='target'] select").select_option("spiral")
    page.wait("document.querySelector('.gan-wall-sentence').innerText.startsWith('9 seeds')")
    page.press("Step")
    page.wait("document.querySelector('.gan-wall-sentence').innerText.startsWith('Median distance')")
    assert page.page.locator(".gan-wall-interval").is_hidden()
    page.page.get_by_label("Language").select_option("zh")
    assert page.page.locator(".gan-wall-sentence").inner_text().startswith("距离中位数")


@pytest.mark.browser
@pytest.mark.parametrize("seeds", [9, 64])
def test_it_fits_a_small_screen(shown, seeds):
    page = shown(lab.wall(SMALL, seeds=seeds), viewport={"width": 360, "height": 740})
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 360
    boxes = [page.runs.nth(i).bounding_box() for i in range(seeds)]
    assert len({box["y"] for box in boxes}) == seeds**0.5
    assert min(box["width"] for box in boxes) >= 32
    page.runs.nth(0).click()
    page.wait("document.querySelector('.gan-wall-closer strong')?.getBoundingClientRect().top < innerHeight")


@pytest.mark.browser
def test_a_message_cut_short_paints_nothing(shown):
    page = shown(lab.wall(SMALL, seeds=9))
    sent = []
    page.widget.send = lambda content, buffers=None: sent.append((content, buffers))
    page.widget.show()
    content, (block,) = sent[0]
    before = page.pictures()
    cut = base64.b64encode(block[:1000]).decode()
    page.page.evaluate("([m, b]) => receive(m, b)", [content | {"serial": 10**6}, cut])
    page.settles()
    assert page.pictures() == before
