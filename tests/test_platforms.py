"""The default lab in each front end that runs here: JupyterLab, Notebook 7 and Voilà, in chromium."""

import re
import time

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
        page.set_default_timeout(2000 * browsing.PATIENCE)  # Voilà answers when the cells have run
        made.append((name, page, None))
        address = server("lab.ipynb", FRONT_ENDS[name])
        if name == "Voilà":  # runs the cells itself
            page.goto(address)
        else:
            made[-1] = (name, page, Notebook(page, address))
            made[-1][2].run_all()
        page.locator(".gan-lab[data-step]").first.wait_for()
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
    live.root.locator(f".gan-lab-dial[data-name={name}] [aria-valuetext='0']").wait_for()


@pytest.mark.browser
@pytest.mark.parametrize("name", FRONT_ENDS)
def test_the_lab_opens_trains_and_a_slider_acts(open_lab, name):
    live = open_lab(name)
    assert live.step == 0
    before = live.picture()
    live.press("Play")
    live.advances()
    live.advances()
    assert live.picture() != before
    # with both learning rates at 0 steps go on and nothing learns: that the picture rests shows that the sliders acted
    hold(live, "lr_g")
    hold(live, "lr_d")
    until, resting = time.monotonic() + browsing.PATIENCE, []
    while len(resting) < 5:  # pictures one after the other, all the same
        assert time.monotonic() < until, "it goes on learning"
        live.advances()
        picture = live.picture()
        resting = [*resting, picture] if picture in resting else [picture]
    live.press("Pause")
    live.rests()
    assert live.picture() == resting[0]


def test_the_page_on_platforms_names_the_versions_that_are_tested():
    page = (ROOT / "docs/platforms.md").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^(\w+)==(\S+)", (ROOT / "requirements.txt").read_text(), flags=re.MULTILINE))
    for name, package in (("JupyterLab", "jupyterlab"), ("Notebook", "notebook"), ("Voilà", "voila")):
        assert f"{name} {pins[package]}" in page
