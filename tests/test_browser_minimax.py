"""The views of the minimax game in a real browser: slider, menu and grip change numbers and picture as theory says."""

import math

import browsing
import pytest

from gan_jax import explorer, theory
from gan_jax.explorer.minimax import REAL, Heaps, _trained

browser, pages, show = browsing.browser, browsing.pages, browsing.show
GREEN = [0x00, 0x79, 0x5A]


def numbers(mean, width):
    """The five numbers for p = N(0, 1) against N(mean, width^2), by theory on a grid of its own."""
    grid = theory.quadrature((-32.0, 32.0), 6000)
    x = grid.points[:, 0]
    log_p = -(x**2) / 2 - 0.5 * math.log(2 * math.pi)
    log_q = -(((x - mean) / width) ** 2) / 2 - math.log(width) - 0.5 * math.log(2 * math.pi)
    return {
        "V(D*)": theory.value(theory.optimal_logit(log_p, log_q), log_p, log_q, grid.weights),
        "JSD": theory.divergence("jensen_shannon", log_p, log_q, grid.weights),
        "KL(p || p_g)": theory.gaussian_kl(0.0, 1.0, mean, width**2),
        "KL(p_g || p)": theory.gaussian_kl(mean, width**2, 0.0, 1.0),
    }


def half_way(page):
    """Where on the page D* is 1/2 for two bell curves of width 1: half way between them, and half way up its axis.

    The grips are the ruler: the mean's is at the summit, the width's one unit to the right, and lower.
    """
    (x, top), (flank, side) = page.grip("mean_1"), page.grip("width_1")
    summit = 1 / math.sqrt(2 * math.pi)
    a_unit_up = (side - top) / (summit * (1 - math.exp(-0.5)))  # pixels a unit of density
    bottom = top + summit * a_unit_up
    return x - page.value("mean_1") / 2 * (flank - x), bottom - 0.5 / 1.05 * 0.5 * a_unit_up


@pytest.mark.browser
def test_slider_and_grips_change_numbers_and_picture_to_what_theory_gives(show):
    page = show(explorer.minimax())
    for name, value in numbers(1.0, 1.0).items():
        page.expect(name, value)
    before, place = page.pictures(), half_way(page)
    assert page.is_drawn(GREEN, place)

    page.press_at("mean_1", *["ArrowRight"] * 30)
    for name, value in numbers(2.5, 1.0).items():
        page.expect(name, value)
    page.expect("W1", 2.5)
    moved = page.pictures()
    assert moved != before
    assert page.is_drawn(GREEN, half_way(page))
    assert not page.is_drawn(GREEN, place)  # D* has gone on with p_g

    unit = page.grip("width_1")[0] - page.grip("mean_1")[0]
    page.drag("mean_1", -5 * unit)
    page.wait("document.querySelector(\"[data-name='mean_1']\").dataset.value < 0")
    mean = page.value("mean_1")
    assert mean == pytest.approx(-2.5, abs=0.06)
    page.drag("width_1", 0.8 * unit)
    page.wait("document.querySelector(\"[data-name='width_1']\").dataset.value > 1.5")
    width = page.value("width_1")
    assert width == pytest.approx(1.8, abs=0.06)
    for name, value in numbers(mean, width).items():
        page.expect(name, value)
    assert page.pictures() != moved


@pytest.mark.browser
def test_the_menu_brings_as_many_grips_and_sliders_as_modes(show):
    page = show(explorer.minimax())
    sliders = page.page.locator(".gan-explorer-slider:visible")
    assert (sliders.count(), page.page.locator(".gan-explorer-grip:visible").count()) == (2, 2)
    page.page.get_by_label("modes of p", exact=False).select_option("2")
    page.page.get_by_label("the real samples", exact=False).select_option("two")
    page.wait("document.querySelectorAll('.gan-explorer-grip').length === 4")
    assert sliders.count() == 4
    page.press_at("mean_1", *["ArrowRight"] * 20)  # 2.0
    page.press_at("mean_2", *["ArrowRight"] * 20)  # -2.0
    page.press_at("width_1", *["ArrowLeft"] * 8)  # 0.6
    page.press_at("width_2", *["ArrowLeft"] * 2)  # 0.6: p itself
    page.expect("JSD", 0.0)
    page.expect("V(D*)", -math.log(4))
    assert "It is not 0" in page.page.locator(".gan-explorer-remark").inner_text()


@pytest.mark.browser
def test_k_shows_the_d_that_has_trained_for_k_steps(show):
    page = show(explorer.best_response())
    pair, trained = _trained(REAL["one"][1], Heaps((1.0,), (1.0,), (1.0,)), 7.0, 0)

    def value(k):
        return theory.value(trained.logits[k], pair.log_p, pair.log_q, pair.grid.weights)

    page.expect("V(D)", value(10))
    before = page.pictures()
    page.press_at("k", *["ArrowRight"] * 5)
    page.expect("V(D)", value(15))
    page.expect("gap", numbers(1.0, 1.0)["V(D*)"] - value(15))
    middle = page.pictures()
    assert all(a != b for a, b in zip(before, middle, strict=True))
    page.press_at("k", "End")
    page.expect("V(D)", value(400))
    page.expect("logit error", trained.errors[400])
    assert all(a != b for a, b in zip(middle, page.pictures(), strict=True))
