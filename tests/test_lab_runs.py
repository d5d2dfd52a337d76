"""Several runs in one lab: in lock step, each with its own dials, beside each other on the wire."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from test_lab import Page, kinds, same, weights

from gan_jax import data, lab, losses, train
from gan_jax.train import Hyperparams


@pytest.fixture
def pair(small_gan):
    return Page(lab.compare({"slow": (small_gan, Hyperparams(lr_d=1e-4)), "fast": (small_gan, Hyperparams(lr_d=1e-2))}))


def test_runs_begin_from_the_same_weights_and_go_in_lock_step(pair, small_gan, ring):
    slow, fast = pair.widget.sessions
    assert same(weights(slow.game), weights(fast.game))
    pair.tell({"type": "play", "driver": "a"})
    pair.tell({"type": "step", "driver": "a", "steps": 7, "request": 1})
    pair.tell({"type": "step", "driver": "a", "request": 2})
    assert int(slow.game.step) == int(fast.game.step) > 7
    alone = train.init(small_gan, Hyperparams(lr_d=1e-2), jax.random.key(0))
    alone, _ = train.steps(small_gan, Hyperparams(lr_d=1e-2), data.ring(8), alone, int(fast.game.step))
    assert same(weights(fast.game), weights(alone))


def test_one_message_carries_all_runs(pair):
    pair.tell({"type": "once", "steps": 3, "request": 1})
    content, (payload,) = next(sent for sent in reversed(pair.sent) if sent[0]["type"] == "frame")
    assert [run["name"] for run in content["runs"]] == ["slow", "fast"]
    for frame, session in zip(lab.unpack(content["runs"], payload), pair.widget.sessions, strict=True):
        expected = session.frame()
        assert frame.header["dials"]["lr_d"] == session.hyper.lr_d
        assert same([frame.arrays[name] for name in ("surface", "fake", "curve")],
                    [expected.arrays[name] for name in ("surface", "fake", "curve")])  # fmt: skip


def test_a_dial_moves_the_active_run_or_all(pair):
    slow, fast = pair.widget.sessions
    pair.tell({"type": "activate", "run": 1, "request": 1})
    pair.tell({"type": "set", "name": "lr_g", "value": 0.5})
    assert (slow.hyper.lr_g, fast.hyper.lr_g) == (1e-3, 0.5)
    pair.tell({"type": "set", "name": "lr_g", "value": 0.25, "everywhere": True})
    assert (slow.hyper.lr_g, fast.hyper.lr_g) == (0.25, 0.25)
    pair.tell({"type": "set", "name": "target", "value": "two moons", "everywhere": True})
    assert [run["modes"] for run in pair.widget.scene["runs"]] == [0, 0]


def test_a_value_that_one_run_refuses_is_told(pair):
    slow, fast = pair.widget.sessions
    fast.set("loss", "hinge")
    answer = pair.tell({"type": "set", "name": "label_smoothing", "value": 0.1, "everywhere": True})
    assert kinds(answer) == ["error", "frame"]
    assert "no labels" in answer[0]["text"]
    assert fast.hyper.label_smoothing == 0
    assert slow.hyper.label_smoothing == 0  # all or none


def test_a_run_that_diverged_waits_and_the_other_goes_on(small_gan):
    wild = replace(small_gan, loss=losses.wasserstein, optimizer="sgd")
    page = Page(lab.compare({"wild": (wild, Hyperparams(lr_d=80.0)), "tame": small_gan}))
    first, second = page.widget.sessions
    page.tell({"type": "play", "driver": "a"})
    for request in range(40):
        answer = page.tell({"type": "step", "driver": "a", "steps": 50, "request": request})
        assert "diverged" not in kinds(answer)
        if first.fault:
            break
    stopped = int(first.game.step)
    page.tell({"type": "step", "driver": "a", "steps": 50, "request": 99})
    assert int(first.game.step) == stopped
    assert int(second.game.step) > stopped
    assert "diverged" in page.sent[-1][0]["runs"][0]["fault"]
    page.tell({"type": "reset"})
    assert not first.fault


def test_runs_can_be_added_and_closed_and_the_last_one_stays(pair, small_gan):
    for i in range(2):
        pair.widget.add("more", lab.Session(small_gan, seed=i))
    assert pair.widget.names == ["slow", "fast", "more", "more′"]
    with pytest.raises(ValueError, match="up to 4"):
        pair.widget.add("fifth", lab.Session(small_gan))
    for _ in range(3):
        pair.tell({"type": "close", "run": 0, "request": 1})
    assert pair.widget.names == ["more′"]
    assert kinds(pair.tell({"type": "close", "run": 0, "request": 1})) == ["error", "frame"]


@pytest.mark.parametrize(
    "message",
    [
        {"type": "activate", "run": 2},
        {"type": "activate", "run": True},
        {"type": "activate", "run": -1},
        {"type": "close", "run": "0"},
        {"type": "look", "layers": "heat", "charts": []},
        {"type": "look", "layers": ["heat"], "charts": ["all"]},
        {"type": "look", "layers": ["heet"], "charts": []},
        {"type": "look", "layers": ["heat"] * 30, "charts": []},
        {"type": "preset", "name": "best"},
        {"type": "preset", "name": ["ring"]},
    ],
)
def test_a_message_that_makes_no_sense_is_told_and_changes_nothing(pair, message):
    before = pair.widget.active, pair.widget.layers, pair.widget.charts, list(pair.widget.names)
    assert kinds(pair.tell({**message, "request": 5})) == ["error", "frame"]
    assert before == (pair.widget.active, pair.widget.layers, pair.widget.charts, list(pair.widget.names))


def test_the_page_chooses_what_it_is_sent(pair):
    pair.tell({"type": "look", "layers": ["heat", "manifold", "gradients"], "charts": ["divergences"], "request": 1})
    names = {name for name, *_ in pair.sent[-1][0]["runs"][0]["arrays"]}
    assert {"surface", "manifold", "push", "track_kl", "fake"} <= names
    pair.tell({"type": "look", "layers": ["heat"], "charts": ["losses"], "request": 2})
    names = {name for name, *_ in pair.sent[-1][0]["runs"][0]["arrays"]}
    assert not names & {"manifold", "push", "track_kl"}


def test_a_preset_begins_anew_and_undo_brings_the_run_back(pair):
    pair.tell({"type": "once", "steps": 5, "request": 1})
    session = pair.widget.session
    before = session.gan, session.hyper, session.target_name, weights(session.game)
    pair.tell({"type": "preset", "name": "thread", "request": 2})
    assert (session.game.step, session.gan.latent_dim) == (0, 1)
    session.timeline.undo(session)
    assert before[:3] == (session.gan, session.hyper, session.target_name)
    assert same(before[3], weights(session.game))


@pytest.mark.parametrize(
    ("runs", "message"), [({}, "1 to 4"), ({str(i): None for i in range(5)}, "1 to 4"), ([1], "1 to 4")]
)
def test_compare_refuses_what_it_cannot_show(runs, message, as_users_see_it):
    with pytest.raises(ValueError, match=message):
        lab.compare(runs)


def test_a_frame_cut_short_is_not_read_as_a_frame():
    runs, block = lab.pack([lab.Frame({}, {"fake": np.ones((4, 2))})])
    with pytest.raises(ValueError, match="buffer"):
        lab.unpack(runs, block[:-4])


def test_a_lab_can_be_opened_on_a_preset(small_gan):
    widget = lab.open(preset="thread")
    assert widget.session.gan == lab.PRESETS["thread"].gan
    assert widget.layers == lab.PRESETS["thread"].layers
    with pytest.raises(ValueError, match="one or the other"):
        lab.open(small_gan, preset="thread")
    with pytest.raises(KeyError, match="no preset is named 'threed'; did you mean 'thread'"):
        lab.open(preset="threed")
