"""A recording in a real browser: as a page of its own, with no kernel and no network, and in a lab that carries one."""

import base64

import browsing
import pytest
from PIL import Image

from gan_jax import lab, losses, nets
from gan_jax.losses import Loss
from gan_jax.train import Gan

browser, pages = browsing.browser, browsing.pages
HOSTILE = "</script><img src=x onerror=\"document.title='broken'\">"


@pytest.fixture(scope="module")
def widget():
    """A lab whose loss has a hostile name, with a recording of its first steps."""
    loss = Loss(losses.nonsaturating.discriminator, losses.nonsaturating.generator, HOSTILE)
    shown = lab.open(Gan(nets.mlp(2, 16, 2), nets.mlp(2, 16, 1), batch_size=32, loss=loss))
    shown.carry(shown.record(90, frames=30))
    return shown


@pytest.fixture
def opened(browser, widget, tmp_path):
    """Opens the exported page from the disk, in a browser that is offline, and sees that nothing goes wrong."""
    made = []

    def make(settings=None, **context):
        path = widget.replay.export(tmp_path / "run.html", **{"title": HOSTILE, **(settings or {})})
        page = browser.new_context(offline=True, **context).new_page()
        page.set_default_timeout(1000 * browsing.PATIENCE)
        errors, asked = [], []
        page.on("console", lambda m: errors.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        page.locator(".gan-lab[data-step]").wait_for()
        page.evaluate(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )  # its sizes stand
        made.append((page, errors, asked, path))
        return page

    yield make
    for page, errors, asked, path in made:
        assert errors == []
        assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [path.as_uri()]
        page.context.close()


def step(page):
    return int(page.locator(".gan-lab").get_attribute("data-step"))


def picture(page, which=".gan-lab-stage-box canvas"):
    return page.locator(which).first.evaluate("node => node.toDataURL()")


def scrub(page, place):
    page.locator(".gan-lab-replay-place").fill(str(place))


@pytest.mark.browser
def test_the_exported_page_plays_without_python(opened):
    page = opened()
    assert step(page) == 0
    first = picture(page), picture(page, ".gan-lab-chart")
    page.get_by_role("button", name="Play", exact=False).click()
    page.locator(".gan-lab[data-step='90'][data-playing=false]").wait_for()
    assert picture(page) != first[0]
    assert picture(page, ".gan-lab-chart") != first[1]
    scrub(page, 0)
    assert step(page) == 0
    assert picture(page) == first[0]


@pytest.mark.browser
def test_it_can_be_scrubbed_and_stepped_by_keyboard(opened):
    page = opened()
    scrub(page, 10)
    assert step(page) == 30
    seen = {picture(page)}
    bar = page.get_by_role("slider", name="Place in the recording")
    bar.focus()
    page.keyboard.press("ArrowRight")
    assert step(page) == 33
    assert bar.get_attribute("aria-valuetext") == "step 33 of 90"
    seen.add(picture(page))
    page.get_by_role("button", name="One picture back").press("Enter")
    assert step(page) == 30
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # one picture on
    assert step(page) == 33
    bar.press("End")
    assert step(page) == 90
    assert page.get_by_role("button", name="One picture on").is_disabled()
    assert len(seen) == 2


@pytest.mark.browser
def test_its_dials_show_what_was_used_and_are_off_with_the_reason_said(opened):
    page = opened()
    assert page.locator(".gan-lab-dial input[type=range]").count() > 5
    for control in page.locator(".gan-lab-dial input, .gan-lab-menus select").all():
        assert control.is_disabled()
    assert "A recording: the dials show" in page.locator(".gan-lab-replay-why").inner_text()
    assert page.get_by_role("button", name="Reset").count() == 0
    assert page.get_by_role("button", name="Save recording").count() == 0


@pytest.mark.browser
def test_hostile_names_are_text_on_it(opened):
    page = opened()
    assert page.title() == HOSTILE
    assert page.locator("h1").inner_text() == HOSTILE
    assert page.locator("img").count() == 0
    assert HOSTILE in page.locator(".gan-lab-menus select").nth(1).inner_text()


@pytest.mark.browser
def test_it_may_connect_to_nothing_and_evaluates_nothing(browser, widget, tmp_path):
    path = widget.replay.export(tmp_path / "run.html")
    page = browser.new_context().new_page()
    page.goto(path.as_uri())
    page.locator(".gan-lab[data-step]").wait_for()
    refused = "() => fetch('http://127.0.0.1:9/').then(() => 'went', (error) => error.name)"
    assert page.evaluate(refused) == "TypeError"
    blocked = page.evaluate(
        """() => new Promise((done) => {
          document.addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective));
          const script = document.createElement("script");
          script.textContent = "document.title = 'broken'";
          document.body.append(script);
        })"""
    )
    assert blocked == "script-src-elem"
    assert page.title() != "broken"
    page.context.close()


@pytest.mark.browser
def test_it_changes_language_and_theme(opened):
    page = opened({"language": "zh", "theme": "dark"})
    assert page.locator(".gan-lab").get_attribute("data-theme") == "dark"
    assert "播放" in page.locator(".gan-lab-play").last.inner_text()
    page.get_by_role("combobox", name="Language").select_option("en")
    assert page.locator("#code").inner_text() == "The Python that brings this run back"
    page.locator("#theme").click()
    page.locator(".gan-lab[data-theme=light]").wait_for()
    page.locator("#code").click()
    assert "train.init" in page.locator("pre").inner_text()


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1000])
def test_nothing_runs_out_of_a_narrow_page(opened, width):
    page = opened({"title": "A ring of eight"}, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_an_old_browser_is_told_what_it_needs(browser, widget, tmp_path):
    page = browser.new_context().new_page()
    page.add_init_script("delete globalThis.DecompressionStream")
    page.goto(widget.replay.export(tmp_path / "run.html").as_uri())
    page.locator("#lab").get_by_text("Safari from 16.4").wait_for()
    page.context.close()


@pytest.mark.browser
def test_a_picture_can_be_saved(opened, tmp_path):
    page = opened()
    scrub(page, 20)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save picture").click()
    assert download.value.suggested_filename == "gan-step-60.png"
    download.value.save_as(tmp_path / "saved.png")
    with Image.open(tmp_path / "saved.png") as saved:
        assert saved.width > 1000
        assert len(saved.convert("RGB").getcolors(1 << 24)) > 500


# ---- in the widget ----


class Page(browsing.Bare):
    state = ("setup", "scene", "recorded")

    @property
    def status(self):
        return self.page.locator(".gan-lab-status").inner_text()


@pytest.fixture
def bare(pages, widget):
    return lambda **context: pages(Page, widget, **context)


@pytest.mark.browser
def test_a_lab_begins_with_its_recording_and_trains_live_at_a_press(bare, widget):
    page = bare().wire().start()
    page.wait("document.querySelector('.gan-lab')?.dataset.step === '0'")
    assert page.sent == []  # no kernel is asked for anything
    scrub(page.page, 30)
    page.press("Train it live")
    page.rests()
    assert page.page.locator(".gan-lab").get_attribute("data-replay") is None
    assert step(page.page) == int(widget.session.game.step)
    page.press("Play")
    page.wait(f"Number(document.querySelector('.gan-lab').dataset.step) > {int(widget.session.game.step) + 20}")
    page.press("Pause")
    page.press("Watch the recording")
    page.wait("document.querySelector('.gan-lab').dataset.step === '90'")
    assert page.page.locator(".gan-lab").count() == 1
    page.page.evaluate("close_view()")
    page.page.evaluate("unplug()")
    assert page.page.evaluate("model.listeners.size") == 0


@pytest.mark.browser
def test_where_no_kernel_answers_the_recording_comes_by_itself(bare, widget):
    page = bare().hold().start(setup={**widget.setup, "begins": "live"})
    assert [message["type"] for message in page.sent][:2] == ["hello", "warm"]
    page.passes(5000)
    assert page.page.locator(".gan-lab[data-replay=true]").count() == 0
    page.passes(2000)
    page.wait("document.querySelector('.gan-lab[data-replay=true]')?.dataset.step === '0'")


@pytest.mark.browser
def test_the_replay_of_a_live_run_is_saved_by_the_kernel(bare, widget, tmp_path):
    page = bare().wire().start(recorded=b"")
    page.rests()
    with page.page.expect_download() as download:
        page.press("Save recording")
    assert download.value.suggested_filename.startswith("gan-run-")
    download.value.save_as(tmp_path / "saved.html")
    text = (tmp_path / "saved.html").read_text(encoding="utf-8")
    packed = base64.b64decode(text.split('id="recording">')[1].split("</script>")[0])
    assert lab.Replay.unpack(packed).steps[-1] == int(widget.session.game.step)
    page.wait("document.querySelector('.gan-lab-status').innerText.includes('Saved as')")
