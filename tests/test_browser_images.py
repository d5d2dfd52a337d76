"""The view of images in a real browser, with its own Python behind it."""

from dataclasses import replace

import browsing
import numpy as np
import pytest

from gan_jax import data, lab, losses, nets
from gan_jax.lab.image_session import as_bytes
from gan_jax.train import Gan, Hyperparams

browser, pages = browsing.browser, browsing.pages
pytestmark = pytest.mark.browser

SMALL = Gan(nets.mlp(4, 32, 64, output="tanh"), nets.mlp(64, 32, 1), batch_size=16)


class ImagesPage(browsing.Bare):
    """A view of images in a bare page."""

    state = ("setup", "scene")

    @property
    def root(self):
        return self.page.locator(".gan-images")

    @property
    def samples(self):
        return self.page.locator(".gan-images-over button")

    @property
    def status(self):
        return self.page.locator(".gan-lab-status").inner_text()

    @property
    def step(self):
        return int(self.root.get_attribute("data-step"))

    def canvas(self, place):
        """What a canvas shows, as text that differs when the picture does."""
        return self.page.locator(place).evaluate("node => node.toDataURL()")

    def drawn(self):
        return self.canvas(".gan-images-stage canvas")

    def wait_step(self, step):
        self.wait(f"Number(document.querySelector('.gan-images').dataset.step) >= {step}")

    def asked(self, kind):
        return [message for message in self.sent if message["type"] == kind]

    def part(self, key):
        return self.page.locator("section", has=self.page.locator(f"[data-key='images.{key}']"))

    def wait_spaces(self, count):
        self.wait(f"document.querySelectorAll('.gan-images-row .gan-images-verdict:not(:empty)').length === {count}")


@pytest.fixture
def shown(pages):
    """Shows a view with its own Python behind it."""

    def make(widget, **context):
        page = pages(ImagesPage, widget, **context).wire().start()
        page.wait("document.querySelectorAll('.gan-images-over button').length > 0")
        return page

    return make


def test_the_images_change_while_it_trains_and_stand_still_when_it_pauses(shown):
    page = shown(lab.images(SMALL))
    page.wait("document.querySelector('.gan-lab-status').innerText.startsWith('Ready')")
    others = [".gan-images-pictures > div:nth-child(3) canvas", ".gan-lab-chart"]
    before, (real, chart) = page.drawn(), map(page.canvas, others)
    page.press("Play")
    page.wait_step(30)
    page.press("Pause")
    page.wait("document.querySelector('.gan-lab-status').innerText.startsWith('Paused')")
    page.rests()
    after = page.drawn()
    assert after != before
    assert page.canvas(others[1]) != chart
    assert page.canvas(others[0]) == real
    assert int(page.widget.game.step) == page.step
    page.settles()
    assert page.drawn() == after
    page.press("Step")
    page.wait_step(page.step + 1)
    page.press("Reset")
    page.wait("document.querySelector('.gan-images').dataset.step === '0'")
    page.rests()
    assert page.drawn() == before


def test_the_pixels_on_the_page_are_those_of_the_generator(shown):
    page = shown(lab.images(SMALL), viewport={"width": 1080, "height": 900})
    middles = page.page.evaluate(
        """() => {
          const canvas = document.querySelector(".gan-images-stage canvas"), context = canvas.getContext("2d");
          const at = (i, n, size) => Math.floor(((i + 0.5) / n) * ((size - 14) / 8));
          const tile = (k, size) => k * ((size - 14) / 8 + 2);
          return [0, 9, 63].map((i) => [...Array(64).keys()].map((p) => context.getImageData(
            tile(i % 8, canvas.width) + at(p % 8, 8, canvas.width),
            tile(i >> 3, canvas.height) + at(p >> 3, 8, canvas.height), 1, 1).data[0]));
        }"""
    )
    expected = as_bytes(page.widget.session.images())[[0, 9, 63]].reshape(3, 64)
    assert np.abs(np.array(middles) - expected).max() <= 1


def test_a_picked_sample_shows_its_nearest_real_images_and_a_copy_is_called_one(shown):
    widget = lab.images(SMALL)
    session = widget.session
    copies = session.neighbours.images(np.arange(100, 164)) * np.float32(0.98)
    session.draw = lambda z, labels=None: np.resize(copies, (len(z), 8, 8, 1))
    page = shown(widget)
    assert not page.page.locator(".gan-images-closer").is_visible()
    page.samples.nth(10).click()
    page.wait_spaces(2)
    (told, _) = session.nearest(10)
    assert page.part("nearest").get_attribute("data-behind") == "false"
    assert not page.page.locator(".gan-images-searching").is_visible()
    row = page.page.locator(".gan-images-row[data-space='pixels']")
    assert row.get_attribute("data-verdict") == "copied"
    assert "it may be a copy" in row.inner_text()
    assert told.places[0] == 110
    assert f"no. 110, class {session.target.labels[110]}, at " in row.locator("canvas").get_attribute("aria-label")
    left_out = row.locator(".gan-images-scale").get_attribute("aria-label")
    assert f"A real image that is left out is {np.median(told.held):.3g} from its nearest" in left_out
    assert page.samples.nth(10).get_attribute("aria-pressed") == "true"
    page.press("Close")
    assert not page.page.locator(".gan-images-closer").is_visible()
    assert page.page.evaluate("document.activeElement.dataset.sample") == "10"


def test_keys_pick_two_samples_and_the_walk_between_them_is_dragged_and_played(shown):
    page = shown(lab.images(SMALL))
    keys = page.page.keyboard
    page.samples.nth(0).focus()
    for key, place in [("ArrowRight", 1), ("ArrowDown", 9), ("End", 63), ("ArrowUp", 55), ("Home", 0)]:
        keys.press(key)
        assert page.page.evaluate("document.activeElement.dataset.sample") == str(place)
    keys.press("Enter")
    page.wait_spaces(2)
    walk = page.part("walk")
    assert "Pick a second sample" in walk.inner_text()
    assert not walk.locator(".gan-images-body").is_visible()
    keys.press("ArrowRight")
    keys.press("Space")
    page.wait("sent.filter(({ type }) => type === 'walk').length === 1")
    assert page.asked("walk")[0].items() >= {"start": 0, "end": 1}.items()
    page.wait("document.querySelector('.gan-images-body canvas').width > 0")
    page.rests()
    large = ".gan-images-body .gan-images-one >> nth=0"
    begins = page.canvas(large)
    slider = walk.get_by_role("slider")
    slider.focus()
    for _ in range(12):
        keys.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "0.50"
    halfway = page.canvas(large)
    assert halfway != begins
    page.press("Play the walk")
    page.wait("document.querySelector('.gan-images-body [role=slider], .gan-images-body input').value === '24'")
    page.press("Stop the walk")
    page.rests()
    assert page.canvas(large) not in (begins, halfway)
    assert len(page.asked("walk")) == 1  # all stops came with the first answer
    page.samples.nth(1).focus()
    keys.press("Escape")
    assert not page.page.locator(".gan-images-closer").is_visible()


def test_the_explorer_answers_and_all_parts_follow_the_training(shown):
    page = shown(lab.images(SMALL))
    page.samples.nth(5).click()
    explorer = page.part("explore")
    sliders = explorer.get_by_role("slider")
    page.wait("document.querySelectorAll('section:last-child .gan-images-one')[1].width > 0")
    page.wait_spaces(2)
    page.rests()
    second = page.canvas("section:last-child .gan-images-strip >> nth=1")
    sliders.nth(0).focus()
    page.page.keyboard.press("End")
    page.wait("sent.filter(({ type }) => type === 'explore').length === 2")
    assert page.asked("explore")[-1].items() >= {"sample": 5, "s": 3, "t": 0, "pair": 0}.items()
    page.rests()
    assert page.canvas("section:last-child .gan-images-strip >> nth=1") != second  # it goes through another place now
    page.press("Last two numbers of z")
    page.wait("sent.filter(({ type }) => type === 'explore').at(-1).pair === null")
    page.press("Back")
    page.wait("sent.filter(({ type }) => type === 'explore').at(-1).s === 0")
    asked = len(page.asked("nearest"))
    page.press("Step")
    page.wait(f"sent.filter(({{ type }}) => type === 'nearest').length > {asked}")  # they belong to another step now
    page.page.get_by_label("Samples of G").select_option("average")
    page.wait(f"sent.filter(({{ type }}) => type === 'nearest').length > {asked + 1}")


def test_the_bar_goes_back_in_time_play_goes_on_from_there_and_undo_comes_back(shown):
    widget = lab.images(SMALL)
    widget.advance(50)
    middle = as_bytes(widget.session.images())
    widget.advance(50)
    page = shown(widget)
    page.wait_step(100)
    page.rests()
    last = page.drawn()
    bar = page.page.get_by_label("Step of the run")
    bar.evaluate("node => { node.value = 50; node.dispatchEvent(new Event('change', { bubbles: true })); }")
    page.wait("document.querySelector('.gan-lab-timebar').dataset.at === '50'")
    page.rests()
    assert page.step == 50
    assert np.array_equal(as_bytes(widget.session.images()), middle)
    assert page.drawn() != last
    page.press("Undo")
    page.wait("document.querySelector('.gan-images').dataset.step === '100'")
    page.rests()
    assert page.drawn() == last
    bar.focus()
    page.page.keyboard.press("Home")
    page.wait("document.querySelector('.gan-images').dataset.step === '0'")
    widget.session.set("lr_g", 0.01)
    page.press("Step")
    page.wait("document.querySelector('.gan-images').dataset.step === '1'")
    page.page.get_by_role("button", name="run 1, to step 100").click()  # the way that was left
    page.wait("document.querySelector('.gan-images').dataset.step === '100'")
    page.rests()
    assert page.drawn() == last
    page.page.get_by_text("Share this run").click()
    page.press("Copy code")
    page.wait("document.querySelector('.gan-lab-timebar-text').value.includes('train.init')")
    assert page.page.locator(".gan-lab-timebar-text").input_value() == str(widget.state)
    assert page.page.get_by_role("button", name="Copy string").count() == 0  # the plane's alone


def test_a_recording_plays_in_a_page_of_its_own_without_python(browser, tmp_path):
    path = lab.images(SMALL).record(12, frames=4).export(tmp_path / "run.html")
    page, errors = browser.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path.as_uri())
    step = "document.querySelector('.gan-images')?.dataset.step"
    page.wait_for_function(f"{step} === '0'")
    drawn = "document.querySelector('.gan-images-stage canvas').toDataURL()"
    before = page.evaluate(drawn)
    page.get_by_role("slider", name="Place in the recording").press("End")
    page.wait_for_function(f"{step} === '12'")
    page.wait_for_function(f"({drawn}) !== {before!r}")
    assert page.locator(".gan-images-closer, .gan-lab-timebar").count() == 0  # what only a kernel could answer
    assert errors == []
    page.close()


def test_what_goes_wrong_is_told_and_a_hand_can_go_on(shown):
    gan = replace(SMALL, loss=losses.wasserstein, optimizer="sgd")
    page = shown(lab.images(gan, hyper=Hyperparams(lr_d=1e30)))
    page.samples.nth(0).click()
    page.page.locator(".gan-lab-play").click()
    page.wait("document.querySelector('.gan-lab-status').dataset.kind === 'error'")
    assert "diverged" in page.status
    assert page.root.get_attribute("data-playing") == "false"
    number = page.page.get_by_label("Learning rate of D, typed")
    number.fill("0.001")
    number.press("Enter")
    page.page.locator(".gan-lab-play").click()
    page.wait_step(3)
    page.widget.interrupt()
    page.wait("document.querySelector('.gan-images').dataset.playing === 'false'")
    assert "Interrupted" in page.status


def test_classes_are_rows_the_language_changes_and_it_fits_a_small_screen(shown):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), np.uint8)
    target = data.dataset(pixels, np.arange(30) % 3, name="noise")
    recipes = nets.mlp(4, 16, 192, classes=3), nets.mlp(192, 16, 1, classes=3)
    page = shown(lab.images(Gan(*recipes, batch_size=8), target), viewport={"width": 360, "height": 740})
    assert page.samples.count() == 24
    assert page.page.locator(".gan-images-classes").inner_text().split() == ["0", "1", "2"]
    assert page.samples.nth(9).get_attribute("aria-label") == "Sample 10, class 1"
    page.samples.nth(0).click()
    page.samples.nth(9).click()
    page.wait_spaces(1)
    assert "the first sample's class all the way" in page.part("walk").inner_text()
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert min(page.samples.nth(i).bounding_box()["width"] for i in range(24)) >= 32
    page.page.get_by_label("Language").select_option("zh")
    assert "最近的真实图像" in page.page.locator(".gan-images-closer").inner_text()
    assert page.samples.nth(9).get_attribute("aria-label") == "样本 10，类别 1"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_follows_the_theme_and_shows_only_what_a_lesson_asks_for(shown, theme):
    page = shown(lab.images(SMALL, controls=["lr_g", "walk"]), color_scheme=theme)
    if theme == "dark":
        page.page.evaluate("document.body.style.background = '#111'")
    page.wait(f"document.querySelector('.gan-images').dataset.theme === '{theme}'")
    assert page.page.get_by_role("slider").count() == 1
    page.samples.nth(3).click()
    assert page.part("walk").is_visible()
    assert page.part("nearest").count() == page.part("explore").count() == 0
    assert page.page.locator("select").count() == 0
