"""The default lab in each front end that runs here: JupyterLab, Notebook 7 and Voilà, in chromium."""

import re

import browsing
import pytest
from browsing import ARTEFACTS, ROOT, Notebook, OneLab, jupyter_lab, write_notebook

browser = browsing.browser

FRONT_ENDS = {"JupyterLab": "lab/tree", "Notebook": "notebooks", "Voilà": "voila/render"}
CELLS = ["from gan_jax import lab", "live = lab.open()\nlive"]


@pytest.fixture(scope="module")
def server(browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("platforms")
    write_notebook(folder / "lab.ipynb", *CELLS)
    with jupyter_lab(folder) as address:
        yield address


@pytest.fixture
def open_lab(browser, server):
    """Opens the notebook in a front end, with its cells run; closes it and ends its kernel."""
    made = []

    def make(name):
        page = browser.new_context(viewport={"width": 1280, "height": 1100}).new_page()
        made.append((name, page, None))
        address = server("lab.ipynb", FRONT_ENDS[name])
        if name == "Voilà":  # runs the cells itself
            page.goto(address)
        else:
            made[-1] = (name, page, Notebook(page, address))
            made[-1][2].run_all()
        page.locator(".gan-lab[data-step]").first.wait_for(timeout=120_000)
        return OneLab(page.locator(".gan-lab").first)

    yield make
    ARTEFACTS.mkdir(exist_ok=True)
    for name, page, book in made:
        page.screenshot(path=ARTEFACTS / f"platform_{name}.png")
        page.context.close()
        if book:
            book.shut_down()


def hold(live, name):
    """Put a dial's slider to its left end, as the Home key does."""
    slider = live.root.locator(f".gan-lab-dial[data-name={name}] input[type=range]")
    slider.focus()
    slider.press("Home")
    assert slider.get_attribute("aria-valuetext") == "0"


@pytest.mark.browser
@pytest.mark.parametrize("name", FRONT_ENDS)
def test_the_lab_opens_trains_and_a_slider_acts(open_lab, name):
    live = open_lab(name)
    assert live.step == 0
    before = live.picture()
    live.press("Play")
    live.advances(120)
    live.advances()
    assert live.picture() != before
    # with both learning rates at 0 steps go on and nothing learns: that the picture rests shows that the sliders acted
    hold(live, "lr_g")
    hold(live, "lr_d")
    page = live.root.page
    page.wait_for_timeout(1500)
    resting, start = live.picture(), live.step
    live.advances()
    page.wait_for_timeout(500)
    assert live.step > start
    assert live.picture() == resting
    live.press("Pause")
    page.wait_for_timeout(500)
    start = live.step
    page.wait_for_timeout(500)
    assert live.step == start


def test_the_page_on_platforms_names_the_versions_that_are_tested():
    page = (ROOT / "docs/platforms.md").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^(\w+)==(\S+)", (ROOT / "requirements.txt").read_text(), flags=re.MULTILINE))
    for name, package in (("JupyterLab", "jupyterlab"), ("Notebook", "notebook"), ("Voilà", "voila")):
        assert f"{name} {pins[package]}" in page
