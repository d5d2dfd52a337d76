"""The phase portrait in a real browser: a slider and a dragged start change numbers and picture as theory says."""

import math

import browsing
import numpy as np
import pytest
from browsing import browser  # noqa: F401  (a fixture)

from gan_jax import explorer, theory

ORANGE = [0xD5, 0x5E, 0x00]


class Bare(browsing.Bare):
    state = ("setup", "picture")

    def expect(self, name, value):
        """Wait until a number on the page is this one."""
        self.page.wait_for_function(
            "([name, value]) => Math.abs(document.querySelector(`.gan-explorer-number[data-name='${name}']`)"
            ".dataset.value - value) <= 1e-6 * (1 + Math.abs(value))",
            arg=[name, value],
            timeout=20_000,
        )

    def control(self, name):
        """Value of a control, as the page shows it."""
        return float(self.page.locator(f".gan-explorer-control[data-name='{name}']").get_attribute("data-value"))

    def press_at(self, name, *keys):
        """Press keys on a slider."""
        self.page.locator(f".gan-explorer-control[data-name='{name}'] input").focus()
        for key in keys:
            self.page.keyboard.press(key)
        self.wait("document.querySelector('.gan-explorer').dataset.waiting === 'false'")

    def grip(self):
        """Middle of the start's grip, in pixels of the page."""
        box = self.page.locator(".gan-explorer-grip[data-control='theta']").bounding_box()
        return np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])

    def drag(self, right, down):
        x, y = self.grip()
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + right, y + down, steps=6)
        self.page.mouse.up()
        self.wait("document.querySelector('.gan-explorer').dataset.waiting === 'false'")

    def is_orange(self, place):
        """Whether the path passes within 3 pixels of a place on the page."""
        return self.page.evaluate(
            """([x, y, colour]) => {
              const canvas = document.querySelector(".gan-explorer canvas");
              const box = canvas.getBoundingClientRect(), k = canvas.width / box.width;
              const [left, top] = [Math.round((x - box.left - 3) * k), Math.round((y - box.top - 3) * k)];
              const { data } = canvas.getContext("2d").getImageData(left, top, 7 * k, 7 * k);
              const hit = (i) => colour.every((c, j) => Math.abs(data[i + j] - c) < 24);
              for (let i = 0; i < data.length; i += 4) if (hit(i)) return true;
              return false;
            }""",
            [*map(float, place), ORANGE],
        )


@pytest.fixture
def show(browser):  # noqa: F811
    shown = []

    def start(view):
        page = browser.new_context(viewport={"width": 1100, "height": 900}, color_scheme="light").new_page()
        shown.append(Bare(page, view).wire().start())
        return shown[-1]

    yield start
    for bare in shown:
        assert bare.errors == []
        bare.page.context.close()


def numbers(h, start, steps=200):
    """For f = xy by simultaneous steps: each step of `1 +- ih` turns the plane and stretches it."""
    factor = math.sqrt(1 + h**2)
    return {"spectral radius": factor, "measured": factor, "flow": 0.0, "distance": math.hypot(*start) * factor**steps}


def on_the_path(h, start, steps):
    """(theta, psi) after so many steps, by complex numbers."""
    z = complex(*start) * (1 + 1j * h) ** steps
    return np.array([z.real, z.imag])


@pytest.mark.browser
def test_a_slider_and_the_dragged_start_change_numbers_and_picture_to_what_theory_gives(show):
    page = show(explorer.portrait(start=(1.0, 0.0), rate=0.1, controls=["update", "rate", "theta", "psi", "steps"]))
    for name, value in numbers(0.1, (1.0, 0.0)).items():
        page.expect(name, value)
    assert page.page.locator(".gan-explorer-control:visible").count() == 5

    # the grip is the ruler: three units to the left, three up
    start, before = np.array([1.0, 0.0]), page.grip()
    page.press_at("theta", *["ArrowLeft"] * 20)
    start[0] = page.control("theta")
    unit = (page.grip() - before)[0] / (start[0] - 1.0)
    origin = before - unit * np.array([1.0, 0.0])

    def on_page(place):
        return origin + unit * np.array([place[0], -place[1]])

    assert start[0] == 0.0
    page.press_at("theta", *["ArrowRight"] * 30)
    start[0] = page.control("theta")

    def drawn(h, start):
        """On how many of twenty places where the path must be it is: names and the grip may cover a few."""
        return sum(page.is_orange(on_page(on_the_path(h, start, steps))) for steps in range(5, 25))

    assert drawn(0.1, start) >= 16

    page.press_at("rate", *["ArrowRight"] * 12)
    h = page.control("rate")
    assert h > 0.15
    for name, value in numbers(h, start).items():
        page.expect(name, value)
    assert drawn(h, start) >= 16
    assert drawn(h, 1.25 * start) <= 4  # between its turns there is nothing
    assert "It leaves the picture after" in page.page.locator(".gan-explorer-remark").inner_text()

    page.drag(-1.2 * unit, -0.8 * unit)
    moved = np.array([page.control("theta"), page.control("psi")])
    np.testing.assert_allclose(moved, start + np.array([-1.2, 0.8]), atol=0.06)
    np.testing.assert_allclose(page.grip(), on_page(moved), atol=2)
    for name, value in numbers(h, moved).items():
        page.expect(name, value)
    assert drawn(h, moved) >= 16


@pytest.mark.browser
def test_a_method_brings_its_dials_and_its_rate(show):
    page = show(explorer.portrait("dirac", games=["dirac"], updates=["simultaneous", "consensus"], rate=0.1))
    page.expect("spectral radius", math.sqrt(1 + 0.05**2))
    weight = page.page.locator(".gan-explorer-control[data-name='weight']")
    assert not weight.is_visible()
    page.page.get_by_label("method").select_option("consensus")
    game = theory.dirac_gan()
    page.expect("spectral radius", theory.spectral_radius(game, np.zeros(2), 0.1, update="consensus"))
    assert weight.is_visible()
    page.press_at("weight", "Home")
    negative = theory.spectral_radius(game, np.zeros(2), 0.1, update="consensus", dials={"weight": -2.0})
    page.expect("spectral radius", negative)
    assert negative > 1
    page.page.get_by_label("penalty on D", exact=True).select_option("wgan_gp")
    page.wait("document.querySelector('.gan-explorer-remark').innerText.includes('not smooth')")
    names = page.page.locator(".gan-explorer-number")
    assert "flow" not in [names.nth(i).get_attribute("data-name") for i in range(names.count())]


@pytest.mark.browser
def test_the_button_plays_the_steps(show):
    page = show(explorer.portrait(rate=0.1, steps=60, controls=["steps"]))
    page.expect("distance", math.sqrt(2) * 1.01**30)
    page.page.locator(".gan-explorer-control[data-name='steps'] button").click()
    page.wait("document.querySelector(\"[data-name='steps']\").dataset.value > 65")
    page.page.locator(".gan-explorer-control[data-name='steps'] button").click()
    page.wait("document.querySelector('.gan-explorer').dataset.waiting === 'false'")
    steps = page.control("steps")
    page.expect("distance", math.sqrt(2) * 1.01 ** (steps / 2))
