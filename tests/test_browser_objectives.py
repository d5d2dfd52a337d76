"""The loss explorer in a real browser: a menu, a slider and Play change numbers and picture to what theory gives."""

import browsing
import jax
import jax.numpy as jnp
import pytest
import scipy.integrate
from scipy.special import expit

from gan_jax import explorer, losses
from gan_jax.explorer.objectives import TIME
from gan_jax.explorer.scene import shown

browser, pages = browsing.browser, browsing.pages


class Objectives(browsing.ExplorerPage):
    def number(self, name):
        return self.page.locator(f".gan-explorer-number[data-name='{name}'] .gan-explorer-figure").inner_text()

    def expect(self, name, value):
        """Wait until a number on the page is this one."""
        self.wait(
            "([name, text]) => document.querySelector(`.gan-explorer-number[data-name='${name}'] .gan-explorer-figure`)"
            ".innerText === text",
            [name, shown(value)],
        )

    def dot(self):
        """How far from the left, in pixels, the disc in the accent colour is in the last panel."""
        return self.page.evaluate("""() => {
          const canvas = [...document.querySelectorAll(".gan-explorer canvas")].at(-1);
          const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const hit = (x, y) => [0xaa, 0x33, 0x77].every((c, i) => Math.abs(data[4 * (y * width + x) + i] - c) < 8);
          // no letter is so broad and so high
          const full = (x, y) => [0, 3, 7].every((i) => [0, 3, 7].every((j) => hit(x + i, y + j)));
          const places = [];
          for (let x = 0; x < width - 7; x++) for (let y = 0; y < height - 7; y++) if (full(x, y)) places.push(x);
          return places.reduce((sum, x) => sum + x, 0) / places.length / devicePixelRatio;
        }""")


@pytest.fixture
def page(pages):
    context = {"viewport": {"width": 1100, "height": 700}, "device_scale_factor": 2}
    return pages(Objectives, explorer.objectives("minimax", output=-9.9), **context).wire().start()


def gradient(name, output):
    """By autodiff of the loss, for a logit loss whose answer to the real sample mirrors that to the fake."""
    real, fake = jnp.array([-output]), jnp.array([output])
    return float(jax.grad(lambda fake: losses.LOSSES[name].generator(real, fake))(fake)[0])


@pytest.mark.browser
def test_menu_and_slider_change_numbers_and_picture(page):
    slider = page.page.get_by_label("D's output", exact=False).first
    slider.focus()
    before = page.pictures()
    page.page.keyboard.press("ArrowLeft")
    page.expect("gradient", -expit(-10.0))
    page.expect("speed", 4 * expit(-8.0))
    moved = page.pictures()
    assert [a != b for a, b in zip(before, moved, strict=True)] == [True, True, False]
    assert slider.get_attribute("aria-valuetext") == "−10.0"

    page.page.get_by_label("loss", exact=True).select_option("nonsaturating")
    page.expect("gradient", gradient("nonsaturating", -10.0))
    page.expect("L_G", float(jnp.logaddexp(0.0, 10.0)))
    page.expect("speed", 4 * expit(8.0))
    assert "0.999955" in page.page.locator(".gan-explorer-number[data-name=gradient]").inner_text()
    assert all(a != b for a, b in zip(moved, page.pictures(), strict=True))
    said = page.page.locator(".gan-explorer-remark").inner_text()
    slider.focus()
    page.page.keyboard.press("End")
    page.expect("gradient", gradient("nonsaturating", 10.0))
    assert page.page.locator(".gan-explorer-remark").inner_text() != said


@pytest.mark.browser
def test_play_moves_the_sample_as_far_as_theory_says(page):
    solve = lambda speed: scipy.integrate.solve_ivp(  # noqa: E731
        lambda _, x: [-speed(x[0])], (0, TIME), [4.0], rtol=1e-8, atol=1e-10
    ).y[0, -1]
    start, ends = page.dot(), {}
    for name, speed in {
        "nonsaturating": lambda x: x * expit(x**2 / 2),
        "minimax": lambda x: x * expit(-(x**2) / 2),
        "f_reverse_kl": lambda x: x,
    }.items():
        page.page.get_by_label("loss", exact=True).select_option(name)
        page.expect("left to go", solve(speed))
        page.page.get_by_label("moment of the motion").focus()
        page.page.keyboard.press("End")
        page.wait("document.querySelector('.gan-explorer-player').dataset.frame === '72'")
        ends[name] = page.dot()
    unit = (start - ends["f_reverse_kl"]) / (4 - solve(lambda x: x))  # pixels a standard deviation
    assert unit > 15
    assert start - ends["minimax"] < 1
    assert start - ends["nonsaturating"] == pytest.approx(unit * (4 - 0.0377), abs=1.5)

    page.press("Again")
    page.press_when("document.querySelector('.gan-explorer-player').dataset.frame > 2", ".gan-explorer-play")
    frame = int(page.page.locator(".gan-explorer-player").get_attribute("data-frame"))
    assert 2 < frame < 72
    now = 4 * jnp.exp(-TIME * frame / 72)
    assert start - page.dot() == pytest.approx(unit * float(4 - now), abs=1.5)
