"""The explorer in a real browser: in a bare page whose kernel the test plays, and with its own Python behind it."""

import itertools
import math
import re

import browsing
import numpy as np
import pytest
from browsing import ExplorerPage
from test_explorer import INDICES

from gan_jax import explorer
from gan_jax.explorer import (
    Arrows,
    Bars,
    Choice,
    Curve,
    Dots,
    Handle,
    Level,
    Motion,
    Number,
    Panel,
    Scene,
    Slider,
)

browser, pages = browsing.browser, browsing.pages

X = np.linspace(-4.0, 4.0, 161)
TURN = np.linspace(0.0, 6.0, 31)
EVIL = "<img src=x onerror=document.title='broken'>"


def answer(values):
    mean, width = values["mean"], values["width"]
    if values["seed"] == 7:
        raise ZeroDivisionError(f"seed 7 {EVIL}")
    p, q = np.exp(-(X**2) / 2), np.exp(-(((X - mean) / width) ** 2) / 2)
    densities = Panel(
        [Curve(X, p, "p", "real", fill=True), Curve(X, q, "p_g", "fake", fill=True), Level(0.5, "half", right=True),
         Curve(X, p / (p + q), "D", "discriminator", right=True), Handle(mean, 1.0, "mean"),
         Handle(mean + width, 0.6, "width", offset=mean, colour="accent")],
        (-4, 4), (0, 1.2), "Densities", "x", "density", (0, 1), "D(x)",
    )  # fmt: skip
    paths = np.stack([np.cos(TURN), mean * np.sin(TURN)], axis=1), np.stack([np.sin(TURN), np.cos(TURN)], axis=1)
    few, none = X[::40], 0 * X[::40]
    arrows = Arrows(few, none, none + 0.3, none + 0.2, "push")
    game = Panel([Motion(*paths, ["a", "b"]), arrows, Dots(few, few / 4, "rest")], (-4, 4), (-1.5, 1.5))
    bars = Panel([Bars(["JSD", "KL"], np.array([0.1 * width, math.inf]), chosen=0)], (0, 1))
    panels = [densities, game, bars] if values["view"] == "all" else [densities]
    return Scene(
        panels,
        [
            Number("mean of p_g", mean, "as the slider says", "fake"),
            Number("KL", math.inf),
            Number("seed", values["seed"]),
        ],
        f"p_g lies at {mean:.2f}.",
        f"The width is {width:.2f} {EVIL}.",
        hidden=[] if values["view"] == "all" else ["seed"],
    )


CONTROLS = [
    Choice("view", "view", {"all": "all of it", "one": "densities"}),
    Slider("mean", "mean of p_g", -3, 3, 1.0, notches=121),
    Slider("width", "width of p_g", 0.1, 10, 1.0, log=True),
    Slider("seed", "seed", 0, 9, 0, whole=True),
]


@pytest.fixture
def bare(pages):
    return lambda widget=None, **context: pages(
        ExplorerPage, widget or explorer.open(answer, CONTROLS, title="A pair"), **context
    )


# ---- with its own Python behind it ----


@pytest.mark.browser
def test_a_slider_moves_numbers_and_picture(bare):
    page = bare().wire().start()
    before = [page.picture(i) for i in range(3)]
    assert page.number("mean of p_g") == 1.0
    page.move("mean", 20)
    page.wait_number("mean of p_g", -2.0)
    assert page.widget.values["mean"] == -2.0
    after = [page.picture(i) for i in range(3)]
    assert after[0] != before[0]
    assert after[2] == before[2]  # the bars know no mean
    assert page.page.locator(".gan-explorer-number[data-name='KL']").inner_text().split() == ["KL", "∞"]
    assert page.page.locator(".gan-explorer-number sub").first.inner_text() == "g"
    # what it says to who can't see it follows, once the hand rests
    words = page.page.locator(".gan-explorer-words")
    assert words.get_attribute("aria-live") == "polite"
    page.wait("document.querySelector('.gan-explorer-words').textContent === 'p_g lies at -2.00.'")

    # a grip does what its slider does, with the mouse held down
    grip = page.page.locator(".gan-explorer-grip[data-control='mean']")
    box, stage = grip.bounding_box(), page.page.locator(".gan-explorer-stage").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    picture = page.picture()
    page.page.mouse.move(x, y)
    page.page.mouse.down()
    page.page.mouse.move(x + 30, y, steps=6)
    page.page.mouse.move(x + 60, y + 200, steps=6)  # off the grip's height: the hand still holds it
    page.page.mouse.up()
    page.wait("document.querySelector('.gan-explorer').dataset.waiting === 'false'")
    moved = page.widget.values["mean"]
    assert moved == pytest.approx(-2.0 + 60 * 8 / stage["width"], abs=0.4)
    page.wait_number("mean of p_g", moved)
    assert page.value("mean") == moved
    assert page.picture() != picture
    page.page.mouse.move(x, y)  # nothing is held any more
    page.rests()
    assert page.widget.values["mean"] == moved

    # offset: the grip of the width stands at mean + width
    page.page.locator(".gan-explorer-button", has_text="Reset").click()
    page.wait_number("mean of p_g", 1.0)
    box = page.page.locator(".gan-explorer-grip[data-control='width']").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.page.mouse.move(x, y)
    page.page.mouse.down()
    page.page.mouse.move(x - 20, y, steps=4)
    page.page.mouse.up()
    page.wait("document.querySelector('.gan-explorer').dataset.waiting === 'false'")
    assert 0.1 < page.widget.values["width"] < 0.9
    assert page.widget.values["mean"] == 1.0


@pytest.mark.browser
def test_an_error_is_plain_text_and_the_next_move_works(bare):
    page = bare().wire().start()
    before = page.picture()
    page.move("seed", 7)
    page.wait("document.querySelector('.gan-explorer-status').innerText.includes('ZeroDivisionError')")
    assert EVIL in page.status
    assert page.status.endswith("The picture stays as it was.")
    assert page.page.locator(".gan-explorer-status").get_attribute("role") == "alert"
    assert page.picture() == before
    assert (page.value("seed"), page.slider("seed").input_value()) == (0.0, "0")  # a refused value does not stay
    page.move("seed", 8)
    page.wait_number("seed", 8)
    assert page.status == ""
    assert EVIL in page.page.locator(".gan-explorer-remark").inner_text()
    assert page.page.locator("img").count() == 0
    assert page.page.title() != "broken"


@pytest.mark.browser
def test_it_can_be_driven_from_the_keyboard(bare):
    page = bare().wire().start()
    slider = page.page.get_by_label("width of p_g", exact=True)
    slider.focus()
    assert slider.evaluate("node => getComputedStyle(node).outlineStyle") == "solid"
    for key, value in [("ArrowRight", 10 ** (1 / 100)), ("Home", 0.1), ("End", 10.0)]:
        page.page.keyboard.press(key)
        page.wait(f"Math.abs(document.querySelector(\"[data-name='width']\").dataset.value - {value}) < 1e-3")
        page.wait("document.querySelector('.gan-explorer').dataset.waiting === 'false'")
        assert page.widget.values["width"] == pytest.approx(value, abs=1e-3)
    assert slider.get_attribute("aria-valuetext") == "10.0"
    # a menu hides what has no effect
    page.page.get_by_label("view", exact=True).select_option("one")
    page.wait("document.querySelectorAll('canvas').length === 1")
    assert not page.page.get_by_label("seed", exact=True).is_visible()
    page.page.get_by_label("view", exact=True).select_option("all")
    page.wait("document.querySelectorAll('canvas').length === 3")
    assert page.page.get_by_label("seed", exact=True).is_visible()
    nameless = page.page.evaluate(
        "[...document.querySelectorAll('.gan-explorer :is(button, select, input, canvas)')]"
        ".filter((n) => !(n.textContent.trim() && n.tagName === 'BUTTON') && !n.labels?.length && !n.ariaLabel).length"
    )
    assert nameless == 0
    assert page.page.evaluate("[...document.querySelectorAll('[id]')].every((n) => /-[a-z0-9]{6,}-/.test(n.id))")


@pytest.mark.browser
def test_every_notch_is_a_value_that_python_takes_and_comes_back_to(bare):
    page = bare().start()
    for control in CONTROLS[1:]:
        values = page.slider(control.name).evaluate(
            """node => [...Array(Number(node.max) + 1).keys()].map((place) => {
              node.value = place;
              node.dispatchEvent(new Event("input", { bubbles: true }));
              return Number(node.parentElement.dataset.value);
            })"""
        )
        assert (values[0], values[-1]) == (control.low, control.high)
        assert all(a < b for a, b in itertools.pairwise(values))
        assert [control.place(value) for value in values] == values
        assert len(values) == (10 if control.whole else control.notches)
        if control.name == "mean":
            assert values == [round(-3 + 0.05 * i, 6) for i in range(121)]


# ---- with a kernel that the test plays ----


@pytest.mark.browser
def test_one_request_is_in_flight_and_the_newest_value_follows(bare):
    page = bare().start()
    assert [message["type"] for message in page.sent] == ["hello"]
    for place in range(60, 100):
        page.move("mean", place)
    page.move("seed", 3)
    (first,) = page.asked()
    assert first["values"] == {"mean": 0.0}
    page.answer(request=first["request"], mean=0.0)
    page.wait("sent.length === 3")
    second = page.asked()[1]
    assert second["values"] == {"mean": 1.95, "seed": 3}
    # the slider in hand is not put back by an answer that is older than it
    assert (page.value("mean"), page.value("seed")) == (1.95, 3)
    page.answer(request=second["request"], mean=1.95, seed=3)
    page.wait_number("mean of p_g", 1.95)
    assert len(page.asked()) == 2
    assert page.root.get_attribute("data-waiting") == "false"


@pytest.mark.browser
def test_an_older_scene_never_replaces_a_newer_one(bare):
    page = bare().start()
    page.answer(mean=-1.0)
    older = page.widget.picture
    page.answer(mean=2.0)
    page.wait_number("mean of p_g", 2.0)
    picture = page.picture()
    page.sync(picture=older)
    page.settles()
    assert page.number("mean of p_g") == page.value("mean") == 2.0
    assert page.picture() == picture


@pytest.mark.browser
def test_several_views_of_one_model_show_the_same(bare):
    page = bare().start()
    page.page.evaluate("(async () => { window.close_second = await show(); })()")
    page.wait("document.querySelectorAll('canvas').length === 6")
    page.page.locator("[data-name='mean'] input").nth(1).fill("0")
    (asked,) = page.asked()
    page.answer(request=asked["request"], mean=-3.0)
    page.wait("[...document.querySelectorAll(\"[data-name='mean of p_g']\")].every((n) => n.dataset.value === '-3')")
    assert page.picture(0) == page.picture(3)
    page.page.evaluate("close_view()")  # the other view goes on
    page.answer(mean=0.5)
    page.wait_number("mean of p_g", 0.5)


@pytest.mark.browser
def test_closing_leaves_nothing_behind(bare):
    page = bare()
    page.page.evaluate(
        """() => {
          window.open_things = 0;
          const count = (name, by) => {
            const own = window[name].bind(window);
            window[name] = (...rest) => { window.open_things += by; return own(...rest); };
          };
          count("setInterval", 1);
          count("clearInterval", -1);
          window.watched = new Set();
          for (const kind of ["ResizeObserver", "MutationObserver"]) {
            const Own = window[kind];
            window[kind] = class extends Own {
              observe(...rest) { window.watched.add(this); super.observe(...rest); }
              disconnect() { window.watched.delete(this); super.disconnect(); }
            };
          }
          window.global = new Set();
          const add = EventTarget.prototype.addEventListener;
          EventTarget.prototype.addEventListener = function (event, handler, options) {
            if (this === window || this === document || this instanceof MediaQueryList) {
              window.global.add(handler);
              options?.signal?.addEventListener?.("abort", () => window.global.delete(handler));
            }
            return add.call(this, event, handler, options);
          };
        }"""
    )
    page.start()
    page.press("Play")
    page.settles()
    assert page.page.evaluate("[open_things, watched.size > 0, global.size > 0]") == [1, True, True]
    page.page.evaluate("close_view()")
    assert page.page.evaluate("[open_things, watched.size, global.size]") == [0, 0, 0]
    assert page.root.count() == 0
    before = len(page.sent)
    page.answer(mean=-1.0)
    page.passes(200)  # it would look at the kernel every 150 ms
    assert len(page.sent) == before
    page.page.evaluate("unplug()")
    assert page.page.evaluate("model.listeners.size") == 0


@pytest.mark.browser
def test_a_page_without_a_kernel_shows_the_last_scene_and_says_so_when_moved(bare):
    page = bare().hold().start()
    assert page.number("mean of p_g") == 1.0
    blank = page.page.evaluate("(() => { const c = document.createElement('canvas'); return c.toDataURL(); })()")
    assert len(page.picture()) > 5 * len(blank)
    page.passes(20_000)
    assert page.status == ""  # nothing was asked for
    page.move("mean", 0)
    page.passes(2_000)
    assert "Nothing is connected" in page.status
    assert page.number("mean of p_g") == 1.0
    page.press("Try again")
    assert page.status == ""
    again = page.asked()[-1]
    assert again["values"] == {"mean": -3}
    page.answer(request=again["request"], mean=-3.0)
    page.passes(100)
    assert (page.status, page.number("mean of p_g")) == ("", -3.0)
    # a kernel that has answered is only busy
    page.move("mean", 60)
    page.passes(1_000)
    assert page.status == "Computing …"
    page.passes(5_000)
    assert "has not answered" in page.status
    page.receive(type="error", text="no such luck", request=page.asked()[-1]["request"])
    assert page.status == "no such luck"


@pytest.mark.browser
def test_a_page_that_cannot_send_says_so(bare):
    page = bare().start()
    page.page.evaluate("() => { model.send = () => { throw new Error('the comm is closed'); }; }")
    page.move("mean", 0)
    assert "could not reach the kernel (the comm is closed)" in page.status
    assert page.value("mean") == 1.0


@pytest.mark.browser
def test_a_motion_plays_pauses_and_is_scrubbed(bare):
    page = bare().hold().start()
    player = page.page.locator(".gan-explorer-player")
    page.passes(500)
    assert player.get_attribute("data-frame") == "0"  # never by itself
    still = page.picture(1)
    others = page.picture(0)
    page.press("Play")
    page.passes(500)  # of the two seconds that it takes
    assert 6 <= int(player.get_attribute("data-frame")) <= 8
    assert page.picture(1) != still
    page.press("Pause")
    held = player.get_attribute("data-frame")
    page.passes(500)
    assert player.get_attribute("data-frame") == held
    scrub = page.page.get_by_label("moment of the motion")
    scrub.focus()
    page.page.keyboard.press("End")
    assert (player.get_attribute("data-frame"), scrub.get_attribute("aria-valuetext")) == ("30", "31 of 31")
    end = page.picture(1)
    page.page.keyboard.press("Home")
    assert player.get_attribute("data-frame") == "0"
    assert page.picture(1) != end
    assert page.picture(0) == others
    # another scene keeps the moment
    page.page.keyboard.press("End")
    page.answer(mean=-1.0)
    page.wait_number("mean of p_g", -1.0)
    assert player.get_attribute("data-frame") == "30"
    assert page.picture(1) != end
    page.press("Again")
    page.wait("document.querySelector('.gan-explorer-player').dataset.frame < 20")
    page.answer(view="one")
    page.wait("document.querySelectorAll('canvas').length === 1")
    assert not player.is_visible()


@pytest.mark.browser
def test_who_asks_for_less_motion_gets_fewer_pictures(bare):
    page = bare(reduced_motion="reduce").hold().start()
    page.passes(100)
    assert page.page.locator(".gan-explorer-player").get_attribute("data-frame") == "0"
    page.page.evaluate(
        """() => {
          window.frames_seen = new Set();
          const player = document.querySelector(".gan-explorer-player");
          new MutationObserver(() => frames_seen.add(player.dataset.frame)).observe(player, { attributes: true });
        }"""
    )
    page.press("Play")
    page.passes(2500)
    assert page.page.locator(".gan-explorer-player").get_attribute("data-frame") == "30"
    assert 3 <= page.page.evaluate("frames_seen.size") <= 2 + 2.0 / 0.4


# ---- how it looks ----


def colours(page, index=0):
    """The colours of a canvas that are its own, by how many pixels have each; transparent ones left out."""
    return (
        page.page.locator("canvas")
        .nth(index)
        .evaluate(
            """node => {
          const { data } = node.getContext("2d").getImageData(0, 0, node.width, node.height);
          const found = new Map();
          for (let i = 0; i < data.length; i += 4) {
            if (data[i + 3] < 255) continue;
            const name = [data[i], data[i + 1], data[i + 2]].join();
            found.set(name, (found.get(name) ?? 0) + 1);
          }
          return Object.fromEntries(found);
        }"""
        )
    )


def contrast(one, two):
    def luminance(colour):
        parts = [value / 255 for value in colour]
        linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)


ROLES = ("real", "fake", "discriminator", "ink", "quiet", "accent")


@pytest.mark.browser
def test_it_is_dark_where_the_page_is_and_every_colour_can_be_read(bare):
    page = bare().start()
    for theme in ("light", "dark"):
        page.wait(f"document.querySelector('.gan-explorer').dataset.theme === '{theme}'")
        page.settles()
        read = {}
        for name in ("surface", *ROLES, *(f"{role}-text" for role in ROLES)):
            shown = page.root.evaluate(
                """(node, name) => {
                  const probe = document.createElement("i");
                  probe.style.color = getComputedStyle(node).getPropertyValue("--" + name) || "rgba(0, 0, 0, 0)";
                  node.append(probe);
                  const found = getComputedStyle(probe).color;
                  probe.remove();
                  return found;
                }""",
                name,
            )
            parts = [float(part) for part in re.findall(r"[\d.]+", shown)]
            read[name] = parts[:3] if len(parts) == 3 else read[name.removesuffix("-text")]
        for role in ROLES:
            assert contrast(read[role], read["surface"]) >= 3, (theme, role)  # lines
            assert contrast(read[f"{role}-text"], read["surface"]) >= 4.5, (theme, role)
        seen = colours(page)
        for role in ("real", "fake", "discriminator"):
            assert seen[",".join(f"{part:.0f}" for part in read[role])] > 50, (theme, role)
        page.page.evaluate("document.body.style.background = '#111'")


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 700, 1100])
def test_nothing_runs_out_of_a_narrow_page(bare, width):
    page = bare(viewport={"width": width, "height": 900}, device_scale_factor=2, has_touch=True).wire().start()
    page.settles()
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width
    canvas = page.page.locator("canvas").first
    sizes = canvas.evaluate("node => [node.width, node.height, node.clientWidth, node.clientHeight]")
    assert sizes[0] == pytest.approx(2 * sizes[2], abs=1)
    assert sizes[1] == pytest.approx(2 * sizes[3], abs=1)
    assert sizes[2] > 220
    tops = [box["y"] for box in (page.page.locator("canvas").nth(i).bounding_box() for i in range(3))]
    assert (tops[0] < tops[1] < tops[2]) == (width == 360)
    assert (tops[0] == tops[1] == tops[2]) == (width == 1100)
    if width != 360:
        return
    # a finger: the grip takes the touch, the rest of the picture scrolls the page
    assert page.page.locator(".gan-explorer-grip").first.evaluate("n => getComputedStyle(n).touchAction") == "none"
    assert canvas.evaluate("n => getComputedStyle(n).touchAction") == "auto"
    box = page.page.locator(".gan-explorer-grip").first.bounding_box()
    assert min(box["width"], box["height"]) >= 40
    x, y = box["x"] + 20, box["y"] + 20
    touch = page.page.context.new_cdp_session(page.page)
    for kind, at in [("touchStart", x), ("touchMove", x - 20), ("touchMove", x - 45), ("touchEnd", None)]:
        points = [] if at is None else [{"x": at, "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.wait("document.querySelector('.gan-explorer').dataset.waiting === 'false'")
    page.wait("Number(document.querySelector(\"[data-name='mean of p_g']\").dataset.value) < 0.5")
    assert page.widget.values["mean"] == pytest.approx(1.0 - 45 * 8 / sizes[2], abs=0.4)


@pytest.mark.browser
def test_every_mark_leaves_its_colour_and_bad_numbers_break_nothing(bare):
    bad = np.array([math.nan, math.inf, -math.inf, 0.5, 0.2])
    five = np.linspace(0.1, 0.9, 5)
    marks = [
        [Curve(five, bad, "c", "accent")], [Curve(five, five, "c", "accent", dashed=True)],
        [Curve(five, bad, "c", "accent", fill=True)], [Curve(five, 9 + five, "far off", "accent")],
        [Dots(bad, five, "d", "accent")], [Dots(9 * five, five, "d", "accent", labels=list("abcde"))],
        [Arrows(five, five, 0.1 * five, bad, "push", "accent")], [Level(0.5, "l", "accent")],
        [Level(0.5, "l", "accent", upright=True)], [Bars(list("abcde"), bad, chosen=4)],
        [Motion(np.stack([bad, five, five], 1), np.stack([five, bad, five], 1), list("abc"), "accent")],
        [Level(math.nan, "none"), Handle(math.nan, 0.5, "mean"), Curve(five[:0], five[:0], "none", fill=True)],
    ]  # fmt: skip
    page = bare().start()
    scene = Scene([Panel(each, (0, 1)) for each in marks])
    page.sync(picture=explorer.widget.encode(scene, page.widget.values, 2))
    page.wait_serial(2)
    for i in range(len(marks) - 1):
        assert colours(page, i).get("170,51,119", 0) > 3, marks[i]
    assert colours(page, len(marks) - 1).get("170,51,119", 0) == 0
    assert page.page.locator(".gan-explorer-grip:visible").count() == 0


@pytest.mark.browser
def test_indices_are_set_low_as_in_the_still_picture(bare):
    page = bare().start()
    scene = Scene([], [Number(text, 1.0) for text in INDICES])
    page.sync(picture=explorer.widget.encode(scene, page.widget.values, 2))
    page.wait_serial(2)
    written = page.page.locator(".gan-explorer-name").evaluate_all("nodes => nodes.map((node) => node.innerHTML)")
    assert [text.replace("<sub>", "[").replace("</sub>", "]") for text in written] == list(INDICES.values())


@pytest.mark.browser
def test_a_move_is_answered_within_a_tenth_of_a_second(bare):
    page = bare().wire().start()
    waits, others = page.page.evaluate(
        """async () => {
          const slider = document.querySelector("[data-name='mean'] input");
          const waits = [], others = [];
          for (let place = 10; place < 25; place++) {
            const painted = new Promise((done) =>
              document.addEventListener("gan-explorer-painted", done, { once: true }));
            const start = performance.now();
            slider.value = place;
            slider.dispatchEvent(new Event("input", { bubbles: true }));
            await painted;
            const middle = performance.now();
            await kernel({ type: "hello", request: "none" });
            await new Promise(requestAnimationFrame);
            waits.push(middle - start);
            others.push(performance.now() - middle);
          }
          return [waits, others];
        }"""
    )
    # the quickest; on a machine so busy that nothing is quick, beside the way there and back and one picture
    assert min(waits) < max(100, 5 * min(others))


def plane(values):
    x, y = values["x"], values["y"]
    circle = Curve(np.cos(TURN), np.sin(TURN), "circle")
    panel = Panel([circle, Handle(x, y, "x", vertical="y")], (-4, 4), (-2, 2), "plane", "x", "y", square=True)
    return Scene([panel, Panel([circle], (-4, 4), (-2, 2))], [Number("x", x), Number("y", y)])


@pytest.mark.browser
def test_a_grip_is_dragged_in_the_plane_and_both_its_sliders_follow_in_one_message(bare):
    page = bare(explorer.open(plane, [Slider("x", "x", -4, 4, 1.0), Slider("y", "y", -2, 2, 1.0)])).wire().start()
    grip = page.page.locator(".gan-explorer-grip")
    assert grip.get_attribute("title") == "x, y"

    def middle():
        box = grip.bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drag(right, down):
        x, y = middle()
        page.page.mouse.move(x, y)
        page.page.mouse.down()
        page.page.mouse.move(x + right, y + down, steps=4)
        page.page.mouse.up()
        page.wait("document.querySelector('.gan-explorer').dataset.waiting === 'false'")

    before = middle()
    drag(-60, 45)
    unit = 60 / (1.0 - page.widget.values["x"])  # pixels, along both axes
    assert page.widget.values["y"] == pytest.approx(1.0 - 45 / unit, abs=0.03)
    assert set(page.asked()[0]["values"]) <= {"x", "y"}
    assert any(len(message["values"]) == 2 for message in page.asked())
    assert middle() == pytest.approx((before[0] - 60, before[1] + 45), abs=unit * 0.04)
    drag(2000, -2000)  # the hand leaves the picture, the grip does not
    assert (page.widget.values["x"], page.widget.values["y"]) == (4.0, 2.0)
