"""The phase portrait in a real browser: a slider and a dragged start change numbers and picture as theory says."""

import math

import browsing
import numpy as np
import pytest

from gan_jax import explorer, theory

browser, pages, show = browsing.browser, browsing.pages, browsing.show
ORANGE = [0xD5, 0x5E, 0x00]


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
    start, before = np.array([1.0, 0.0]), page.grip("theta")
    page.press_at("theta", *["ArrowLeft"] * 20)
    start[0] = page.value("theta")
    unit = (page.grip("theta") - before)[0] / (start[0] - 1.0)
    origin = before - unit * np.array([1.0, 0.0])

    def on_page(place):
        return origin + unit * np.array([place[0], -place[1]])

    assert start[0] == 0.0
    page.press_at("theta", *["ArrowRight"] * 30)
    start[0] = page.value("theta")

    def drawn(h, start):
        """On how many of twenty places where the path must be it is: names and the grip may cover a few."""
        return sum(page.is_drawn(ORANGE, on_page(on_the_path(h, start, steps))) for steps in range(5, 25))

    assert drawn(0.1, start) >= 16

    page.press_at("rate", *["ArrowRight"] * 12)
    h = page.value("rate")
    assert h > 0.15
    for name, value in numbers(h, start).items():
        page.expect(name, value)
    assert drawn(h, start) >= 16
    assert drawn(h, 1.25 * start) <= 4  # between its turns there is nothing
    assert "It leaves the picture after" in page.page.locator(".gan-explorer-remark").inner_text()

    page.drag("theta", -1.2 * unit, -0.8 * unit)
    moved = np.array([page.value("theta"), page.value("psi")])
    np.testing.assert_allclose(moved, start + np.array([-1.2, 0.8]), atol=0.06)
    np.testing.assert_allclose(page.grip("theta"), on_page(moved), atol=2)
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
    button = ".gan-explorer-control[data-name='steps'] button"
    page.page.locator(button).click()
    page.press_when("document.querySelector(\"[data-name='steps']\").dataset.value > 65", button)
    page.wait_answered()
    steps = page.value("steps")
    page.expect("distance", math.sqrt(2) * 1.01 ** (steps / 2))
