"""The lab's layers, probe, eigenvalues and reliability in a real browser, answered by the real Python."""

import browsing
import numpy as np
import pytest
from standing import linear

from gan_jax import lab, losses, nets
from gan_jax.train import Gan

browser, pages = browsing.browser, browsing.pages
pytestmark = pytest.mark.browser
SMALL = {"controls": ["layers", "probe", "language", "loss"]}


class Eyes(browsing.Bare):
    """The lab in a bare page whose kernel answers in this process."""

    state = ("setup", "scene")

    def layer(self, words):
        return self.page.locator(".gan-lab-layers-over label", has_text=words).locator("input")

    @property
    def ground(self):
        return self.page.locator(".gan-lab-layers-ground select")

    @property
    def stage(self):
        return self.page.locator(".gan-lab-stage-box > .gan-lab-stage")

    def picture(self):
        return self.page.evaluate("document.querySelector('.gan-lab-stage-box > .gan-lab-stage').toDataURL()")

    def rows(self):
        """The probe's table: loss to weight, by the loss's name."""
        cells = self.page.locator(".gan-lab-layers-table tbody tr")
        return {row.get_attribute("data-loss"): row.locator("td").all_inner_texts() for row in cells.all()}

    def click_at(self, x, y):
        left, right, bottom, top = self.widget.session.window
        box = self.stage.bounding_box()
        place = (x - left) / (right - left) * box["width"], (top - y) / (top - bottom) * box["height"]
        self.page.mouse.click(float(box["x"] + place[0]), float(box["y"] + place[1]))

    @property
    def coordinates(self):
        return [float(field.input_value()) for field in self.page.locator(".gan-lab-layers-coordinate").all()]


@pytest.fixture
def eyes(pages):
    def make(loss=losses.nonsaturating, discriminator=None, width=None):
        gan = Gan(nets.mlp(2, 2), nets.mlp(2, 1), loss=loss, batch_size=32)
        widget = lab.open(gan, **SMALL)
        if discriminator is not None:
            session = widget.session
            session.game = session.game.__class__(**{**vars(session.game), "discriminator": discriminator})
        widget.session._pace[widget.session._program] = 0.01  # nothing trains here: no step is compiled
        page = pages(Eyes, widget, viewport={"width": width or 900, "height": 1200}).wire().start(width=width)
        page.rests()
        return page

    return make


def test_layers_are_switched_and_the_kernel_computes_what_is_shown(eyes):
    lab_page = eyes()
    seen = [lab_page.picture()]
    switches = [
        lambda: lab_page.ground.select_option("difference"),
        lambda: lab_page.layer("manifold").check(),
        lambda: lab_page.layer("averaged").check(),
        lambda: lab_page.layer("pushes").check(),
        lambda: lab_page.layer("samples of G").first.uncheck(),
        lambda: lab_page.ground.select_option("optimal"),
    ]
    for switch in switches:
        switch()
        lab_page.rests()
        seen.append(lab_page.picture())
    assert len(set(seen)) == len(seen)
    assert set(lab_page.widget.layers) == {"optimal", "manifold", "average", "gradients"}
    assert "both densities" in lab_page.page.locator(".gan-lab-layers-key").inner_text()


def test_what_a_loss_does_not_estimate_is_greyed_out_with_the_reason(eyes):
    lab_page = eyes(losses.wasserstein)
    lab_page.wait("document.querySelector('.gan-lab-layers-why').textContent.includes('optimal transport')")
    assert lab_page.ground.locator("option[value=difference]").is_disabled()


def test_a_click_probes_a_point_and_so_does_the_keyboard(eyes):
    lab_page = eyes()
    lab_page.page.locator(".gan-lab-layers-probe > summary").press("Enter")
    lab_page.wait("document.querySelectorAll('.gan-lab-layers-table tbody tr').length === 10")
    lab_page.click_at(0.5, -0.25)
    lab_page.rests()
    assert lab_page.coordinates == pytest.approx([0.5, -0.25], abs=0.01)
    found = lab.probe(lab_page.widget.session, *lab_page.coordinates)
    for push in found["pushes"]:
        weight, length = (float(text.replace("−", "-")) for text in lab_page.rows()[push["name"]])
        assert weight == pytest.approx(push["weight"], rel=0.02, abs=1e-3)
        assert length == pytest.approx(push["length"], rel=0.02, abs=1e-3)
    assert lab_page.page.locator("[data-mine=true]").get_attribute("data-loss") == "nonsaturating"

    before = lab_page.rows()["minimax"]
    field = lab_page.page.get_by_label("x of the probe")
    field.fill("-1.1")
    field.press("Enter")
    lab_page.rests()
    assert lab_page.rows()["minimax"] != before
    assert lab_page.coordinates[0] == -1.1
    lab_page.page.get_by_role("button", name="Clear").click()
    assert lab_page.page.locator(".gan-lab-layers-table").is_hidden()


def test_a_saturated_loss_is_said_to_have_nearly_no_gradient(eyes):
    sure = linear(2, 1, [0.5, 0.0], [-30.0])
    for loss, nothing in [(losses.minimax, True), (losses.nonsaturating, False)]:
        lab_page = eyes(loss, sure)
        before = lab_page.picture()
        lab_page.layer("pushes").check()
        lab_page.wait("document.querySelector('.gan-lab-layers-overlay')")
        lab_page.rests()
        faint = lab_page.page.locator(".gan-lab-layers-faint")
        assert faint.is_visible() == nothing
        if nothing:
            assert "Nearly no gradient" in faint.inner_text()
        else:
            assert lab_page.picture() != before


def test_eigenvalues_and_reliability_are_shown_when_they_are_asked_for(eyes):
    lab_page = eyes()
    lab_page.page.locator(".gan-lab-eigen summary").nth(0).press("Enter")
    lab_page.wait("document.querySelector('.gan-lab-eigen-plane').getAttribute('aria-label')?.includes('real part')")
    lab_page.rests()
    verdict = lab_page.page.locator(".gan-lab-eigen-text").first.inner_text()
    assert "largest real part" in verdict
    lab_page.page.locator(".gan-lab-eigen summary").nth(1).press("Enter")
    lab_page.wait("document.querySelector('.gan-lab-eigen-diagram').getAttribute('aria-label')?.includes('diagonal')")
    lab_page.rests()
    for name in ("plane", "diagram"):
        drawn = lab_page.page.evaluate(
            "name => { const c = document.querySelector('.gan-lab-eigen-' + name);"
            "return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data].filter(Boolean).length }", name
        )  # fmt: skip
        assert drawn > 1000


def test_the_parts_speak_chinese_and_fit_a_narrow_page(eyes):
    lab_page = eyes(width=360)
    lab_page.page.locator(".gan-lab select[aria-label*=Language]").select_option("zh")
    lab_page.page.locator(".gan-lab-layers-probe > summary").click()
    lab_page.wait("document.querySelectorAll('.gan-lab-layers-table tbody tr').length === 10")
    assert "背景" in lab_page.page.locator(".gan-lab-layers").inner_text()
    assert "密度" in lab_page.page.locator(".gan-lab-layers-facts").inner_text()
    assert lab_page.page.evaluate("document.documentElement.scrollWidth") <= 360 + 1
    assert np.isfinite(lab_page.coordinates).all()
