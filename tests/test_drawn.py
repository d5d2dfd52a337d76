"""A drawing on its way from the page to the session: what is taken, what is refused, and the Python that repeats it."""

import base64

import jax
import numpy as np
import pytest

from gan_jax import data, lab, nets
from gan_jax.lab.code import target_code
from gan_jax.lab.drawn import target_of
from gan_jax.train import Gan, Hyperparams

WINDOW = np.array([-1.5, 1.5, -1.5, 1.5], np.float32)
CIRCLE = np.stack([np.cos(np.arange(256) / 40), np.sin(np.arange(256) / 40)], axis=1)


def packed(points):
    return base64.b64encode(np.asarray(points, "<f4").tobytes()).decode()


def message(points=CIRCLE, **changes):
    return {"type": "draw", "points": packed(points), "scale": 0.06} | changes


def test_what_the_page_sends_is_the_target_to_a_twentieth_of_its_noise():
    target = target_of(message(), WINDOW)
    assert isinstance(target, data.Drawn)
    assert int(target.count) == 256
    assert float(target.scale) == pytest.approx(0.06)
    assert np.abs(np.asarray(target.points) - CIRCLE).max() <= 0.06 / 20
    few = target_of(message(CIRCLE[:4]), WINDOW)
    assert int(few.count) == 4
    assert int(target_of(message(np.repeat(CIRCLE, 19, axis=0)), WINDOW).count) == 256


@pytest.mark.parametrize(("width", "scale"), [(3.0, 0.06), (300.0, 6.0), (0.003, 6e-5), (1e6, 2e4), (3.0, 0.1 / 3)])
def test_its_python_gives_the_same_target_bit_for_bit_in_any_window(width, scale):
    window = width * np.array([-0.5, 0.5, -0.5, 0.5], np.float32)
    target = target_of(message(CIRCLE * width / 3, scale=scale), window)
    text = target_code("drawn", target)
    again = eval(text, {"data": data})
    assert jax.tree.structure(again) == jax.tree.structure(target)
    for one, other in zip(jax.tree.leaves(again), jax.tree.leaves(target), strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(text) < 256 * 25


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"points": None}, "points must be float32 numbers in base64, got 'None'"),
        ({"points": CIRCLE.tolist()}, "points must be float32 numbers in base64"),
        ({"points": "no base64!"}, "points must be base64, got 'no base64!'"),
        ({"points": "Ünïcode="}, "points must be base64, got 'Ünïcode='"),
        ({"points": ""}, "4 to 5,000 points of 8 bytes each, got 0 bytes; draw a stroke"),
        ({"points": packed(CIRCLE[:3])}, "got 24 bytes"),
        ({"points": packed(np.zeros(9))}, "got 36 bytes"),
        ({"points": packed(np.zeros((5001, 2)))}, "at most 5,000 points"),
        ({"points": "A" * 10**8}, "at most 5,000 points; this one is 100,000,000 characters"),
        ({"points": packed(np.where(CIRCLE > 0.9, np.nan, CIRCLE))}, "finite numbers, got NaN or infinity"),
        ({"points": packed(np.where(CIRCLE > 0.9, np.inf, CIRCLE))}, "finite numbers, got NaN or infinity"),
        ({"points": packed(20 * CIRCLE)}, "within 15 either side of the middle of what is shown.* lies 20 away"),
        ({"scale": None}, "scale must be a number from 0.006 to 0.6, got 'None'"),
        ({"scale": True}, "scale must be a number"),
        ({"scale": "0.06"}, "scale must be a number"),
        ({"scale": float("nan")}, "scale must be a number from 0.006 to 0.6, got 'nan'"),
        ({"scale": 0.0}, "got '0.0'"),
        ({"scale": 7}, "got '7'"),
        ({"scale": 10**400}, "scale must be a number"),
    ],
)
def test_what_is_no_drawing_is_refused_by_name(changes, text):
    with pytest.raises(ValueError, match=text):
        target_of(message() | changes, WINDOW)


# ---- in the lab ----


@pytest.fixture
def widget():
    gan = Gan(nets.mlp(2, 16, 2), nets.mlp(2, 16, 1), batch_size=32)
    made = lab.compare({"A": gan, "B": (gan, Hyperparams(lr_d=1e-4))}, seed=1)
    made.told = []
    made.send = lambda content, buffers=None: made.told.append(content)
    return made


def send(widget, *arguments, **changes):
    """Let the page send a drawing; what is told it comes back."""
    widget.told.clear()
    widget._handle_custom_msg(message(*arguments, **changes), [])
    return widget.told


def test_a_drawing_becomes_the_target_and_the_networks_go_on_from_their_weights(widget):
    session = widget.session
    session.advance(20)
    before = [np.asarray(leaf) for leaf in jax.tree.leaves(session.game.generator)]
    (frame,) = send(widget, 0.5 + 0.3 * CIRCLE)
    assert frame["type"] == "frame"
    assert [run["choices"]["target"] for run in frame["runs"]] == ["drawn", "ring"]
    for old, new in zip(before, jax.tree.leaves(session.game.generator), strict=True):
        np.testing.assert_array_equal(new, old)
    real = np.frombuffer(widget.scene["runs"][0]["real"], "<f4").reshape(-1, 2)
    assert np.linalg.norm(real - 0.5, axis=1).mean() == pytest.approx(0.3, abs=0.05)
    assert ("drawn", "drawn") in widget.scene["runs"][0]["menus"]["target"]
    assert session.advance(5) == 5


def test_every_run_takes_it_where_the_page_says_so_and_a_second_one_compiles_nothing(widget):
    send(widget, everywhere=True)
    one, two = widget.sessions
    assert one.target is two.target
    assert one.cold
    assert two.cold
    one.advance(2)
    send(widget, 0.8 * CIRCLE[:100], scale=0.05)
    assert one.target is not two.target
    assert not one.cold


def test_the_window_stays_where_the_hand_drew_and_follows_what_lies_outside(widget):
    before = list(widget.session.window)
    send(widget, 0.5 + 0.1 * CIRCLE)
    assert list(widget.session.window) == widget.scene["runs"][0]["window"] == before
    send(widget, 3 * CIRCLE)
    left, right, bottom, top = widget.session.window
    assert left < bottom + 0.1 < -3
    assert right > top - 0.1 > 3


def test_a_refused_drawing_is_told_and_changes_nothing(widget):
    target, name = widget.session.target, widget.session.target_name
    error, _ = send(widget, np.full((5, 2), np.nan))
    assert error["type"] == "error"
    assert "finite" in error["text"]
    assert (widget.session.target, widget.session.target_name) == (target, name)


def test_the_python_of_a_run_on_a_drawing_brings_its_weights_back(widget):
    session = widget.session
    session.advance(7)
    send(widget)
    session.advance(9)
    names = {}
    exec(str(session.state), names)
    again = jax.tree.leaves(names["state"].generator)
    for ours, theirs in zip(again, jax.tree.leaves(session.game.generator), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_drawing_is_undone_and_done_again(widget):
    session = widget.session
    send(widget)
    drawing = session.target
    session.timeline.undo(session)
    assert session.target_name == "ring"
    session.timeline.redo(session)
    assert session.target_name == "drawn"
    np.testing.assert_array_equal(session.target.points, drawing.points)
