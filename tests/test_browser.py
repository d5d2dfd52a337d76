"""The lab in a real browser: alone in a bare page with a model that is played, and in JupyterLab with a real kernel."""

import base64
import itertools
import math

import browsing
import nbformat
import pytest
from browsing import ARTEFACTS, ROOT

from gan_jax import lab, nets
from gan_jax.train import Gan, Hyperparams

browser, pages, jupyter, notebook = browsing.browser, browsing.pages, browsing.jupyter, browsing.notebook


# ---- the JavaScript alone, in a bare page ----


@pytest.fixture(scope="module")
def widget():
    return lab.open(Gan(nets.mlp(2, 16, 2), nets.mlp(2, 16, 1), batch_size=32))


class Bare(browsing.Bare):
    state = ("setup", "scene")

    def answer(self, request=None, **changes):
        """Send a frame, as the kernel would, with some of its header changed."""
        frames = []
        self.widget.send = lambda content, buffers=None: frames.append((content, buffers))
        self.widget.show(request)
        content, (payload,) = frames[0]
        run = content["runs"][content["active"]]
        run.update({name: value for name, value in changes.items() if name in run})
        content |= {name: value for name, value in changes.items() if name not in run}
        self.page.evaluate("([m, b]) => receive(m, b)", [content, base64.b64encode(payload).decode()])

    def asked(self):
        return [message["request"] for message in self.sent if message["type"] == "step"]

    @property
    def root(self):
        return self.page.locator(".gan-lab")

    @property
    def status(self):
        return self.page.locator(".gan-lab-status").inner_text()


@pytest.fixture
def bare(pages, widget):
    return lambda **context: pages(Bare, widget, **context)


@pytest.mark.browser
def test_three_requests_are_in_flight_and_an_answer_brings_the_next(bare):
    page = bare().start()
    assert [m["type"] for m in page.sent] == ["hello", "warm"]
    page.answer(request=1)
    page.answer(request=2)
    page.press("Play")
    assert page.asked() == [3, 4, 5]
    page.settles()
    assert page.asked() == [3, 4, 5]
    page.answer(request=3)
    page.wait("sent.at(-1).request === 6")
    page.press("Pause")
    page.answer(request=4)
    page.answer(request=5)
    page.answer(request=6)
    page.settles()
    assert page.asked() == [3, 4, 5, 6]


@pytest.mark.browser
def test_closing_the_view_stops_everything(bare):
    page = bare().start()
    page.answer(request=1)
    page.answer(request=2)
    page.press("Play")
    page.page.evaluate("close_view()")
    before = len(page.sent)
    page.answer(request=3)
    page.answer(request=4)
    page.settles()
    assert len(page.sent) == before
    assert page.root.count() == 0
    page.page.evaluate("unplug()")
    assert page.page.evaluate("model.listeners.size") == 0


@pytest.mark.browser
def test_several_views_of_one_model_ask_as_one_and_paint_the_same(bare):
    page = bare().start()
    page.answer(request=1)
    page.answer(request=2)
    page.page.evaluate("(async () => { window.close_second = await show(); })()")
    page.page.get_by_role("button", name="Play").nth(1).click()
    page.settles()
    assert len(page.asked()) == 3
    page.answer(request=3, step=77)
    page.wait("[...document.querySelectorAll('.gan-lab')].every((root) => root.dataset.step === '77')")
    page.page.evaluate("close_view()")  # the other view goes on
    for request in (4, 5, 6):  # all that are in flight: where answers have been slow, the last one brings the next
        page.answer(request=request)
    page.wait("sent.at(-1).request > 6")


@pytest.mark.browser
def test_an_older_frame_never_replaces_a_newer_one(bare):
    page = bare().start()
    page.answer(serial=1000, step=500)
    page.wait("document.querySelector('.gan-lab').dataset.step === '500'")
    page.answer(serial=999, step=499)
    page.settles()
    assert page.root.get_attribute("data-step") == "500"
    page.answer(serial=1001, step=0)  # a reset
    page.wait("document.querySelector('.gan-lab').dataset.step === '0'")


@pytest.mark.browser
def test_an_error_is_shown_as_plain_text_and_pauses_only_what_failed(bare):
    page = bare().start()
    page.answer(request=1)
    page.answer(request=2)
    page.press("Play")
    text = "lr_g must be in [0, inf) <img src=x onerror=document.title='broken'>"
    page.receive(type="error", text=text, request=None)
    assert page.status == text
    assert page.root.get_attribute("data-playing") == "true"
    page.receive(type="diverged", text="training diverged at step 12", request=3)
    assert "step 12" in page.status
    assert page.page.locator(".gan-lab-status").get_attribute("role") == "alert"
    assert page.root.get_attribute("data-playing") == "false"
    assert page.page.title() != "broken"
    assert page.page.locator("img").count() == 0
    page.press("Play")
    assert "Training" in page.status


@pytest.mark.browser
def test_a_silent_kernel_is_named_and_training_goes_on_when_it_answers(bare):
    page = bare().hold().start()
    page.answer(request=1)
    page.answer(request=2)
    page.press("Play")
    page.passes(5000)
    assert "not answered" not in page.status
    page.passes(2000)
    assert "has not answered" in page.status
    assert "run this cell again" in page.status
    page.press("Try again")
    hello = [message for message in page.sent if message["type"] == "hello"]
    assert len(hello) == 2
    page.answer(request=hello[1]["request"], step=9)
    page.passes(100)
    assert "Training" in page.status
    assert page.sent[-1]["type"] == "step"
    # a compiling kernel is not a silent one
    page.receive(type="compiling", text="Compiling the training step")
    page.passes(30_000)
    assert "Compiling" in page.status


@pytest.mark.browser
def test_another_view_that_takes_over_is_named(bare):
    page = bare().start()
    page.answer(request=1)
    page.answer(request=2)
    page.press("Play")
    page.receive(type="driver", driver="another", text="", request=None)
    assert page.root.get_attribute("data-playing") == "false"


@pytest.mark.browser
def test_it_can_be_driven_from_the_keyboard(bare):
    page = bare().start()
    page.answer(request=1)
    page.answer(request=2)
    play = page.page.get_by_role("button", name="Play")
    play.focus()
    page.page.keyboard.press("Space")
    assert page.root.get_attribute("data-playing") == "true"
    page.page.keyboard.press("Space")
    assert page.root.get_attribute("data-playing") == "false"
    slider = page.page.get_by_label("Learning rate of G", exact=True)
    slider.focus()
    before = float(slider.get_attribute("aria-valuetext"))
    page.page.keyboard.press("ArrowRight")
    message = page.sent[-1]
    assert (message["type"], message["name"]) == ("set", "lr_g")
    assert before < message["value"] < 1.1 * before
    assert float(slider.get_attribute("aria-valuetext")) == message["value"]
    assert slider.evaluate("node => getComputedStyle(node).outlineStyle") == "solid"
    # everything that can be pressed has a name
    nameless = page.page.evaluate(
        "[...document.querySelectorAll('.gan-lab :is(button, select, input)')]"
        ".filter((n) => !(n.textContent.trim() && n.tagName === 'BUTTON') && !n.labels?.length && !n.ariaLabel).length"
    )
    assert nameless == 0


@pytest.mark.browser
def test_every_notch_of_every_slider_is_a_value_that_the_core_takes(bare, widget):
    page = bare().start(setup={**widget.setup, "controls": list(lab.DIALS)})
    page.answer(request=1)
    page.wait("document.querySelector('.gan-lab').dataset.step")
    for name in lab.DIALS:
        values = page.page.evaluate(
            """name => {
              const slider = document.querySelector(`.gan-lab-dial[data-name=${name}] input[type=range]`);
              sent.length = 0;
              for (let i = 0; i <= Number(slider.max); i++) {
                slider.value = i;
                slider.dispatchEvent(new Event("input", { bubbles: true }));
              }
              return sent.map((message) => message.value);
            }""",
            name,
        )
        values = [math.inf if value is None else value for value in values]
        assert len(values) == 241
        assert all(a <= b for a, b in itertools.pairwise(values)), name
        for value in values:
            Hyperparams(**{name: value})
        dial = lab.DIALS[name]
        low, high = (
            0.0 if dial.scale == "log or 0" else dial.low,
            math.inf if dial.scale == "log or none" else dial.high,
        )
        assert (values[0], values[-1]) == pytest.approx((low, high))


@pytest.mark.browser
def test_a_value_that_comes_back_puts_the_slider_where_it_was(bare):
    page = bare().hold().start()
    for at in (0, 0.31, 0.5, 0.77, 1.0):
        moved = page.page.evaluate(
            """at => [...document.querySelectorAll(".gan-lab-dial")].map((node) => {
              const slider = node.querySelector("input[type=range]");
              slider.value = Math.round(at * slider.max);
              slider.dispatchEvent(new Event("input", { bubbles: true }));
              return [node.dataset.name, sent.at(-1).value, Number(slider.value)];
            })""",
            at,
        )
        page.page.evaluate("document.querySelectorAll('input[type=range]').forEach((n) => (n.value = 120))")
        page.passes(450)  # the hand is off
        page.answer(serial=int(1e6 + 1000 * at), dials={name: 0.123 for name, _, _ in moved})
        # of two frames that come together only the newest is painted
        page.wait("[...document.querySelectorAll('.gan-lab-value')].every((n) => n.value === '0.123')")
        page.answer(serial=int(1e6 + 1000 * at) + 1, dials={name: value for name, value, _ in moved})
        for name, _, place in moved:
            slider = f"document.querySelector('.gan-lab-dial[data-name={name}] input[type=range]')"
            page.wait(f"Math.abs({slider}.value - {place}) <= 1")


@pytest.mark.browser
def test_a_lesson_shows_only_the_controls_it_asks_for(bare, widget):
    page = bare().start(setup={**widget.setup, "controls": ["lr_d", "loss"]})
    page.answer()
    page.wait("document.querySelector('.gan-lab').dataset.step")
    assert page.page.locator("input[type=range]").count() == 1
    assert page.page.locator("select").count() == 1


@pytest.mark.browser
@pytest.mark.parametrize("width", [300, 480, 1000])
def test_nothing_runs_out_of_a_narrow_page(bare, width):
    page = bare(viewport={"width": width, "height": 900}, device_scale_factor=2).start()
    page.answer()
    page.wait("document.querySelector('.gan-lab').dataset.step")
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = "document.querySelector('.gan-lab-stage-box canvas')"
    assert page.page.evaluate(f"{sizes}.width") == pytest.approx(2 * page.page.evaluate(f"{sizes}.clientWidth"), abs=1)


@pytest.mark.browser
def test_it_is_dark_where_the_page_is(bare):
    page = bare().start()
    assert page.root.get_attribute("data-theme") == "light"
    page.page.evaluate("document.body.style.background = '#111'")
    page.wait("document.querySelector('.gan-lab').dataset.theme === 'dark'")


@pytest.mark.browser
def test_who_asks_for_less_motion_gets_fewer_pictures_and_as_many_steps(bare):
    page = bare(reduced_motion="reduce").hold().start()
    page.answer(request=1)
    page.answer(request=2)
    page.settles()
    page.page.evaluate(
        "window.pictures = 0; document.addEventListener('gan-lab-painted', () => (window.pictures += 1))"
    )
    page.press("Play")
    for i in range(3, 43):
        page.answer(request=i, serial=10_000 + i)
        page.passes(50)
    assert page.asked() == list(range(3, 46))  # each answer has brought the next request
    assert 7 <= page.page.evaluate("pictures") <= 9  # in two seconds


@pytest.mark.browser
def test_page_and_python_play_together(bare, widget):
    page = bare().wire().start()
    page.press("Play")
    page.wait("Number(document.querySelector('.gan-lab').dataset.step) > 200")
    page.page.get_by_label("Loss", exact=True).select_option(
        "hinge"
    )  # compiles anew, and goes on from the same weights
    step = page.root.get_attribute("data-step")
    page.wait(f"Number(document.querySelector('.gan-lab').dataset.step) > {step} + 100")
    assert widget.session.gan.loss.name == "hinge"
    assert int(page.root.get_attribute("data-step")) > 200
    page.press("Pause")
    typed = page.page.get_by_label("Learning rate of G, typed")
    typed.fill("-3")
    typed.press("Enter")
    page.wait("document.querySelector('.gan-lab-status').innerText.includes('must be in')")
    assert page.status == "lr_g must be in [0, inf), got -3.0"
    page.wait("document.querySelector('.gan-lab-dial[data-name=lr_g] .gan-lab-value').value === '0.001'")
    typed.fill("0.02")
    typed.press("Enter")
    page.wait("!document.querySelector('.gan-lab-status').innerText.includes('must be in')")
    page.wait("document.querySelector('.gan-lab-dial[data-name=lr_g] .gan-lab-value').value === '0.02'")
    assert widget.session.hyper.lr_g == 0.02
    page.page.get_by_label("Weight clip, typed").fill("none")
    page.page.get_by_label("Target").select_option("spiral")
    page.rests()
    assert page.page.locator(".gan-lab-score").inner_text() == ""
    assert widget.session.target_name == "spiral"
    step = int(page.root.get_attribute("data-step"))
    page.press("Step")
    page.wait(f"document.querySelector('.gan-lab').dataset.step === '{step + 1}'")
    page.page.get_by_label("Seed").fill("5")
    page.press("Reset")
    page.wait("document.querySelector('.gan-lab').dataset.step === '0'")
    assert widget.session.seed == 5


# ---- in JupyterLab ----

LESSON = ROOT / "notebooks" / "00_start_here.ipynb"

TWO_LABS = [
    "from gan_jax import lab, nets\nfrom gan_jax.train import Gan\n"
    "gan = Gan(nets.mlp(2, 16, 2), nets.mlp(2, 16, 1), batch_size=32)\nlabs = []",
    "labs.append(lab.open(gan, controls=['lr_g']))\nlabs[-1]",
    "labs.append(lab.open(gan, controls=['lr_g']))\nlabs[-1]",
    "print('steps', *[int(each.session.game.step) for each in labs])",
]


def without_long_runs(lesson, path):
    """The lesson up to its runs of several seeds, and its quizzes; tests/test_notebooks.py makes the runs."""
    book = nbformat.read(lesson, 4)
    code = [cell.source for cell in book.cells if cell.cell_type == "code"]
    short = code[: next(i for i, source in enumerate(code) if "def five_seeds" in source)]
    stays = lambda source: source in short or source.startswith(("lesson.quiz", "lesson.progress"))  # noqa: E731
    book.cells = [cell for cell in book.cells if cell.cell_type != "code" or stays(cell.source)]
    nbformat.write(book, path)
    return path


@pytest.mark.browser
def test_the_first_lesson_trains_live(notebook, tmp_path):
    book = notebook(without_long_runs(LESSON, tmp_path / "lesson.ipynb"))
    book.run_all()
    assert book.failures() == []
    book.page.locator(".gan-lab").first.scroll_into_view_if_needed()
    book.page.locator(".gan-lab[data-step]").first.wait_for()
    live = book.lab()
    before = live.picture()
    live.press("Play")
    live.advances()
    assert live.picture() != before

    # a drag across the slider, step by step, while it trains
    slider = live.root.locator("input[type=range]").first
    box = slider.bounding_box()
    book.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    book.page.mouse.down()
    for i in range(20):
        book.page.mouse.move(box["x"] + box["width"] * (0.5 + 0.01 * i), box["y"] + box["height"] / 2)
        if i % 5 == 4:
            live.advances()  # while the hand holds it
    book.page.mouse.up()
    live.advances()

    book.page.screenshot(path=ARTEFACTS / "training.png")
    live.press("Pause")
    live.rests()
    assert book.errors == []


@pytest.mark.browser
def test_running_a_cell_again_stops_the_old_lab_and_two_labs_do_not_meet(notebook):
    book = notebook(TWO_LABS)
    book.run_all()
    book.page.locator(".gan-lab[data-step]").nth(1).wait_for()
    steps = lambda: [int(n) for n in book.run(3)[0].split()[1:]]  # noqa: E731
    one, two = book.lab(0), book.lab(1)
    one.press("Play")
    one.advances()
    assert two.step == 0
    two.press("Play")
    two.advances()
    one.advances()
    assert one.root.get_attribute("data-playing") == two.root.get_attribute("data-playing") == "true"
    two.press("Pause")

    # JupyterLab's own keys, which move between cells and delete them, stay out of the lab
    slider = two.root.locator("input[type=range]").first
    before = float(slider.input_value())
    slider.focus()
    for key in ("ArrowUp", "ArrowRight", "d", "d"):
        book.page.keyboard.press(key)
    book.until(lambda: float(slider.input_value()) == before + 2, "the slider is elsewhere")
    assert book.page.locator(".jp-CodeCell").count() == 4

    book.run(1)  # a third session takes the first one's place
    book.page.locator(".gan-lab[data-step='0']").first.wait_for()
    book.until(lambda: book.page.locator(".gan-lab").count() == 2, "the old lab is still there")
    assert len(steps()) == 3

    def rest():
        before = steps()
        book.page.wait_for_timeout(500)
        return steps() == before

    book.until(rest, "the first one goes on")  # what was under way when its cell ran again may have to end
    assert steps()[2] == 0
    assert book.errors == []


@pytest.mark.browser
def test_a_restarted_kernel_leaves_a_page_that_says_what_to_do(notebook):
    book = notebook(TWO_LABS)
    book.run_all()
    book.page.locator(".gan-lab[data-step]").nth(1).wait_for()
    live = book.lab(0)
    live.press("Play")
    live.advances()
    book.command("Kernel", "kernelmenu:restart")
    book.page.locator(".jp-Dialog .jp-mod-accept").click()
    live.root.get_by_text("run this cell again", exact=False).wait_for()
    book.run_all()
    book.page.locator(".gan-lab[data-step]").nth(1).wait_for()
    live = book.lab(0)
    live.press("Play")
    live.advances()
