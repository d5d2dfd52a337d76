"""The lab without a browser: the session against the core that it drives, and the widget through its messages."""

import base64
import math
import threading
from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gan_jax import data, lab, losses, nets, train
from gan_jax.errors import Diverged, UnknownName
from gan_jax.lab import Session
from gan_jax.losses import Loss, Penalty
from gan_jax.train import Gan, Hyperparams


@pytest.fixture
def session(small_gan):
    return Session(small_gan)


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


def weights(game):
    return jax.tree.leaves((game.generator, game.discriminator, game.ema, game.opt_g, game.opt_d))


# ---- the session ----


def test_advance_takes_the_core_s_own_steps(session, small_gan, ring):
    expected = train.init(small_gan, Hyperparams(), jax.random.key(0))
    expected, _ = train.steps(small_gan, Hyperparams(), ring, expected, 30)
    assert [session.advance(n) for n in (1, 9, 20)] == [1, 9, 20]
    assert session.game.step == 30
    assert same(weights(session.game), weights(expected))


def test_left_to_itself_a_chunk_takes_about_its_budget(session):
    session.advance()
    paces = [1e-9, lab.BUDGET / 20.5, 10.0]
    taken = []
    for pace in paces:
        session._pace[session._program] = pace
        taken.append(session.advance())
    assert taken == [1024, 20, 1]


def test_frame_shows_d_on_the_window_and_g_on_its_latents(session):
    session.advance(5)
    frame = session.frame()
    left, right, bottom, top = data.bounds(session.target)
    assert frame.arrays["surface"].shape == (lab.SIDE, lab.SIDE)
    for row, column in [(0, 0), (0, 63), (63, 0), (20, 41)]:
        x = left + (column + 0.5) / lab.SIDE * (right - left)
        y = top - (row + 0.5) / lab.SIDE * (top - bottom)
        logit = float(session.game.discriminator(jnp.array([[x, y]]))[0, 0])
        assert frame.arrays["surface"][row, column] == pytest.approx(255 / (1 + math.exp(-logit)), abs=0.51)
    np.testing.assert_allclose(frame.arrays["fake"], session.game.generator(session.latents), rtol=1e-5, atol=1e-6)
    assert frame.header["ends"] == [0.0, 1.0]


def test_a_critic_without_a_zero_is_shown_about_the_middle_of_its_answers(small_gan):
    session = Session(replace(small_gan, loss=losses.wasserstein))
    frame = session.frame()
    d = session.game.discriminator
    middle = sum(float(d(jnp.asarray(points)).mean()) for points in (session.real, frame.arrays["fake"])) / 2
    assert sum(frame.header["ends"]) / 2 == pytest.approx(middle, abs=1e-5)
    assert {int(frame.arrays["surface"].min()), int(frame.arrays["surface"].max())} & {0, 255}


def test_frames_are_host_copies(session):
    frame = session.frame()
    before = frame.arrays["fake"].copy(), frame.arrays["surface"].copy()
    session.advance(20)
    assert same(before, (frame.arrays["fake"], frame.arrays["surface"]))
    assert not isinstance(frame.arrays["fake"], jax.Array)


def test_samples_may_be_those_of_the_averaged_generator(session):
    session.advance(50)
    session.set("samples", "average")
    expected = session.game.averaged_generator(session.latents)
    np.testing.assert_allclose(session.frame().arrays["fake"], expected, rtol=1e-5, atol=1e-6)


def test_every_dial_has_a_slider_and_every_value_on_it_is_allowed():
    assert set(lab.DIALS) == {f.name for f in fields(Hyperparams)}
    for name, dial in lab.DIALS.items():
        for value in (dial.low, dial.high):
            Hyperparams(**{name: value})
        if dial.scale == "log or 0":
            Hyperparams(**{name: 0.0})
        if dial.scale == "log or none":
            Hyperparams(**{name: math.inf})


def test_moving_dials_never_compiles(session):
    session.advance(3)
    session.frame()
    programs = train.loops._loop_compiled._cache_size(), lab.layers._heat._cache_size()
    for name, dial in lab.DIALS.items():
        for value in (dial.high, 1 if dial.high >= 1 else 0.25, np.float64(dial.low) or 0):
            session.set(name, value)
            session.advance(2)
            session.frame()
    assert (train.loops._loop_compiled._cache_size(), lab.layers._heat._cache_size()) == programs


@pytest.mark.parametrize("kind", [kind for kind, choice in lab.CHOICES.items() if choice.section == "game"])
def test_every_entry_of_every_menu_can_be_chosen(session, kind):
    for name, _ in session.menus[kind]:
        session.set(kind, name)
        assert session.choices[kind] == name
        # traced, not compiled: that each of them trains is tested with the core
        jax.eval_shape(lambda *a: train.step(session.gan, *a), session.hyper, session.target, session.game)
        assert np.isfinite(session.frame().arrays["fake"]).all()


@pytest.mark.parametrize("kind", [kind for kind, choice in lab.CHOICES.items() if choice.section != "game"])
def test_every_network_and_count_on_a_menu_can_be_chosen(session, kind):
    """`set` itself traces a whole step of the new game; two entries a menu, to be quick."""
    was = weights(session.game)
    for name, _ in [session.menus[kind][0], session.menus[kind][-1]]:
        session.set(kind, name)
        assert session.choices[kind] == name
    assert same(was, weights(session.game)) is not lab.CHOICES[kind].afresh


def test_a_menu_keeps_the_weights_and_another_optimizer_begins_again(session):
    session.advance(10)
    for kind, name in [("loss", "hinge"), ("penalty", "r1"), ("update", "simultaneous"), ("target", "spiral")]:
        before = weights(session.game)
        session.set(kind, name)
        assert same(before, weights(session.game))
        session.advance(5)
    assert session.game.step == 30
    session.set("optimizer", "sgd")
    assert session.game.step == 0


def test_a_held_player_stays_where_it_was_and_the_other_learns(session):
    for who, held in [("discriminator", "generator"), ("generator", "discriminator")]:
        session.set("players", who)
        before = session.game
        session.advance(3)
        moved = {
            player: not same(*(jax.tree.leaves(nnx.state(getattr(game, player))) for game in (before, session.game)))
            for player in (who, held)
        }
        assert moved == {who: True, held: False}
    assert session.idle["lr_d"] == "idle_held"
    assert session.hyper.lr_d > 0


def test_rules_that_do_not_go_together_are_refused_and_nothing_changes(session):
    session.set("batch_size", 16)
    session.set("packing", 4)
    before = session.gan
    with pytest.raises(ValueError, match="multiple"):
        session.set("d_minibatch_stddev", 8)
    assert session.gan == before
    wrapped = lambda rngs: nets.mlp(2, 8, 1)(rngs)  # noqa: E731
    own = Session(replace(session.gan, packing=1, discriminator=wrapped))
    assert own.idle["d_layers"] == "idle_your_network"
    with pytest.raises(ValueError, match="is your own"):
        own.set("d_layers", 3)


def test_a_loss_without_labels_takes_the_smoothing_off(session):
    session.set("label_smoothing", 0.1)
    session.set("loss", "hinge")
    assert session.hyper.label_smoothing == 0
    with pytest.raises(ValueError, match="no labels to smooth"):
        session.set("label_smoothing", 0.1)


def test_reset_repeats_the_run_and_another_seed_does_not(session):
    session.advance(10)
    first = weights(session.game)
    session.reset()
    assert session.game.step == 0
    assert not len(session.frame().arrays["curve"])
    session.advance(10)
    assert same(first, weights(session.game))
    session.reset(7)
    session.advance(10)
    assert session.seed == 7
    assert not same(first, weights(session.game))


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("lr_g", -0.1, ValueError, r"lr_g must be in \[0, inf\), got -0.1"),
        ("lr_g", math.nan, ValueError, "lr_g must be in"),
        ("beta1", 1.0, ValueError, r"beta1 must be in \[0, 1\)"),
        ("weight_clip", 0, ValueError, "weight_clip must be in"),
        ("lr_d", "fast", TypeError, "lr_d must be a number, got 'fast'"),
        ("lr_d", True, TypeError, "lr_d must be a number, got True"),
        ("lr_d", None, TypeError, "lr_d must be a number, got None"),
        ("loss", "hindge", UnknownName, "no loss is named 'hindge'; did you mean 'hinge'"),
        ("lrg", 1.0, ValueError, "no control is named 'lrg'; did you mean 'lr_g'"),
    ],
)
def test_a_bad_value_is_refused_and_nothing_changes(session, name, value, error, message):
    before = session.hyper, session.gan, session.target
    with pytest.raises(error, match=message):
        session.set(name, value)
    assert (session.hyper, session.gan, session.target) == before
    assert session.advance(1) == 1


def test_bad_beginnings_are_refused(small_gan, ring, as_users_see_it):
    with pytest.raises(ValueError, match=r"targets in the plane, of shape \(2,\); this one's is \(1,\)"):
        Session(small_gan, data.gaussian())
    with pytest.raises(TypeError, match=r"expected a target such as data.ring\(8\), got 'ring'"):
        Session(small_gan, "ring")
    with pytest.raises(TypeError, match=r"expected Hyperparams\(...\)"):
        Session(small_gan, ring, {"lr_g": 1})
    with pytest.raises(ValueError, match=r"lr_g must be one number, its shape is \(2,\)"):
        Session(small_gan, ring, Hyperparams(lr_g=np.ones(2)))
    with pytest.raises(ValueError, match="seed must be a whole number"):
        Session(small_gan, seed=-1)
    with pytest.raises(ValueError, match="samples shaped like the target's"):
        Session(Gan(nets.mlp(2, 8, 3), nets.mlp(2, 8, 1)))
    with pytest.raises(UnknownName, match="no control is named 'lrg'"):
        lab.open(small_gan, controls=["lrg"])
    with pytest.raises(TypeError, match=r"write \['loss'\]"):
        lab.open(small_gan, controls="loss")


def diverge(session):
    """Walk a linear critic without bounds out of the finite numbers."""
    for _ in range(100):
        session.advance(20)


def test_divergence_keeps_the_last_good_state_and_goes_on(small_gan):
    session = Session(replace(small_gan, optimizer="sgd", loss=losses.wasserstein))
    session.set("lr_d", 0.0)
    session.advance(210)
    session.set("lr_d", 50.0)
    with pytest.raises(Diverged) as fault:
        diverge(session)
    assert session.game.step == fault.value.step > 210
    frame = session.frame()
    assert frame.header["step"] == fault.value.step
    assert np.isfinite(frame.arrays["fake"]).all()
    assert np.isfinite(frame.arrays["curve"]).all()
    # the run up to there comes back from its code, too
    assert same(weights(run(session.state)), weights(session.game))
    session.set("lr_d", 0.0)
    with pytest.raises(Diverged, match=r"No step from there succeeded: the lab went back to step 210\."):
        session.advance(1)
    session.advance(1)
    assert session.game.step == 211
    assert same(weights(run(session.state)), weights(session.game))
    assert session.frame().arrays["curve"].shape == (211, 2)


def run(code):
    names = {}
    exec(str(code), names)
    return names["state"]


def test_state_brings_the_run_back_bit_for_bit(small_gan):
    session = Session(replace(small_gan, d_steps=2), data.two_moons(), Hyperparams(lr_g=2e-3), seed=5)
    session.advance(7)
    for name, value in [
        ("lr_g", 0.004),
        ("beta1", 0.25),
        ("loss", "hinge"),
        ("penalty", "r1"),
        ("penalty_weight", 0.5),
        ("target", "grid"),
        ("update", "simultaneous"),
        ("weight_clip", 0.5),
    ]:
        session.set(name, value)
        session.advance(3)
    session.set("lr_d", 0.1)
    session.set("lr_d", 0.002)  # a dial that only passed through leaves no trace
    session.advance(4)
    session.set("weight_clip", math.inf)
    session.advance(1)
    assert "0.1" not in session.state
    again = run(session.state)
    assert again.step == session.game.step == 7 + 8 * 3 + 5
    assert same(weights(again), weights(session.game))
    session.set("optimizer", "rmsprop")
    session.reset(3)
    session.advance(2)
    assert same(weights(run(session.state)), weights(session.game))


def test_state_says_what_only_the_user_has(small_gan):
    own = Gan(
        small_gan.generator, small_gan.discriminator, Loss(losses.hinge.discriminator, losses.hinge.generator, "mine")
    )
    session = Session(own, data.ring(5))
    assert session.menus["loss"][0] == ("mine", "mine")
    assert session.choices["loss"] == "mine"
    assert session.choices["target"] == "yours"
    assert "loss=your_loss" in session.state
    assert "your_target" in session.state
    session.set("loss", "hinge")
    session.set("target", "ring")
    session.set("loss", "mine")
    session.set("target", "yours")
    assert len(session.target.means) == 5
    assert repr(session.state) == str(session.state)


def test_a_loss_of_one_s_own_may_be_called_like_one_on_the_menu(small_gan):
    mine = losses.hinge._replace(name="hinge", has_labels=True)
    session = Session(replace(small_gan, loss=mine))
    assert session.choices["loss"] == "your hinge"
    session.set("loss", "hinge")
    assert session.gan.loss == losses.hinge


def test_a_penalty_of_one_s_own_is_on_the_menu(small_gan):
    mine = Penalty(lambda critic, real, fake, key: jnp.mean(critic(real) ** 2), "drift")
    session = Session(replace(small_gan, penalty=mine))
    assert session.choices["penalty"] == "drift"
    session.set("penalty", "none")
    session.set("penalty", "drift")
    assert session.gan.penalty == mine


@pytest.mark.parametrize("chunks", [[1] * 100, [7, 1024, 3, 333], [5000]])
def test_a_curve_keeps_means_whatever_the_chunks(chunks):
    values = np.random.default_rng(0).normal(size=(sum(chunks), 2))
    curve = lab.Curve(size=16)
    start = 0
    for n in chunks:
        curve.add(values[start : start + n])
        start += n
    assert len(curve.points) <= 16
    whole = len(curve.points) * curve.span
    assert start - whole < curve.span
    np.testing.assert_allclose(curve.points, values[:whole].reshape(-1, curve.span, 2).mean(axis=1), atol=1e-12)


def test_idle_dials_are_those_that_change_nothing(small_gan):
    """Turning an idle dial leaves the next steps bit for bit as they were; the others change them."""
    for rules in [{}, {"optimizer": "sgd"}, {"optimizer": "rmsprop"}, {"loss": losses.hinge, "penalty": losses.r1}]:
        session = Session(replace(small_gan, **rules))
        session.advance(3)
        start, hyper = session.game, session.hyper
        session.advance(3)
        expected = weights(session.game)
        for name in lab.DIALS:
            if name == "label_smoothing" and name in session.idle:
                continue  # refused
            session.game, session.hyper = start, hyper
            session.set(name, 0.05 if name == "weight_clip" else 0.3)
            session.advance(3)
            changed = not same(expected, weights(session.game))
            if name == "ema_decay":  # changes the average alone, which is not shown
                players = jax.tree.leaves((session.game.generator, session.game.discriminator))
                assert same(players, expected[: len(players)])
            else:
                assert changed == (name not in session.idle), name


# ---- the widget ----


class Page:
    """A page that a lab talks to: keeps what is sent, and reads frames as the JavaScript does."""

    def __init__(self, widget):
        self.widget, self.sent = widget, []
        widget.send = lambda content, buffers=None: self.sent.append((content, buffers))

    def tell(self, message):
        before = len(self.sent)
        self.widget._handle_custom_msg(message, [])
        told = [content for content, _ in self.sent[before:]]
        return [content | (content["runs"][content["active"]] if "runs" in content else {}) for content in told]

    @property
    def frame(self):
        content, (payload,) = next(sent for sent in reversed(self.sent) if sent[0]["type"] == "frame")
        run = lab.unpack(content["runs"], payload)[content["active"]]
        return content | run.header, *(run.arrays[name] for name in ("surface", "fake", "curve"))


@pytest.fixture
def page(small_gan):
    return Page(lab.open(small_gan))


def kinds(messages):
    return [message["type"] for message in messages]


def test_a_step_may_overtake_the_press_of_play(page):
    # JupyterLab hands the first messages to the main thread, later ones to a subshell, which need not wait for a cell
    assert kinds(page.tell({"type": "step", "driver": "a", "steps": 3, "request": 1}))[-1] == "frame"
    page.tell({"type": "play", "driver": "a"})
    assert kinds(page.tell({"type": "step", "driver": "b", "steps": 3, "request": 2})) == ["stopped"]
    page.widget.interrupt()
    assert kinds(page.tell({"type": "step", "driver": "a", "steps": 3, "request": 3})) == ["stopped"]


def test_the_page_asks_and_is_answered_with_one_frame(page):
    assert kinds(page.tell({"type": "hello", "request": 1})) == ["frame"]
    assert kinds(page.tell({"type": "warm", "request": 2})) == ["compiling", "frame"]
    assert kinds(page.tell({"type": "play", "driver": "a"})) == ["driver"]
    (answer,) = page.tell({"type": "step", "driver": "a", "steps": 12, "request": 3})
    assert (answer["type"], answer["request"], answer["step"]) == ("frame", 3, 12)
    content, surface, fake, curve = page.frame
    expected = page.widget.session.frame()
    assert same((surface, fake, curve), [expected.arrays[name] for name in ("surface", "fake", "curve")])
    assert len(curve) == 12
    assert content["dials"]["weight_clip"] is None
    (answer,) = page.tell({"type": "step", "driver": "a", "steps": None, "request": 4})
    assert answer["step"] > 12


def test_frames_are_counted_up(page):
    for _ in range(3):
        page.tell({"type": "once", "steps": 1, "request": 1})
    serials = [content["serial"] for content, _ in page.sent if content["type"] == "frame"]
    assert serials == sorted(set(serials))


def test_frames_are_plain_json_and_small(page):
    import json

    page.tell({"type": "once", "steps": 1024, "request": 1})
    content, buffers = page.sent[-1]
    json.dumps(content, allow_nan=False)
    assert len(json.dumps(content)) + sum(map(len, buffers)) < 16_000


@pytest.mark.parametrize(
    "message",
    [
        None,
        17,
        "step",
        [],
        {},
        {"type": None},
        {"type": "eval", "code": "1/0"},
        {"type": ["step"]},
        {"type": "once", "steps": 0},
        {"type": "once", "steps": 1025},
        {"type": "once", "steps": 2.5},
        {"type": "once", "steps": True},
        {"type": "once", "steps": "9"},
        {"type": "set"},
        {"type": "set", "name": "gan", "value": 1},
        {"type": "set", "name": ["lr_g"], "value": 1},
        {"type": "set", "name": "lr_g"},
        {"type": "set", "name": "lr_g", "value": "__import__('os')"},
        {"type": "set", "name": "lr_g", "value": {}},
        {"type": "set", "name": "lr_g", "value": -1},
        {"type": "set", "name": "lr_g", "value": None},
        {"type": "set", "name": "target", "value": "moon"},
        {"type": "set", "name": "target", "value": {}},
        {"type": "set", "name": "seed", "value": 3},
        {"type": "reset", "seed": -1},
        {"type": "reset", "seed": 1.5},
        {"type": "reset", "seed": "1"},
        {"type": "reset", "seed": 2**40},
    ],
)
def test_a_message_that_makes_no_sense_is_answered_and_changes_nothing(page, message):
    page.tell({"type": "once", "steps": 2, "request": 1})
    session = page.widget.session
    before = session.hyper, session.gan, session.seed, weights(session.game)
    answer = page.tell(message)
    assert kinds(answer) == ["error", "frame"]
    assert len(answer[0]["text"]) > 10
    assert before[:3] == (session.hyper, session.gan, session.seed)
    assert same(before[3], weights(session.game))


def test_one_view_drives_at_a_time(page):
    page.tell({"type": "play", "driver": "a"})
    page.tell({"type": "play", "driver": "b"})
    (answer,) = page.tell({"type": "step", "driver": "a", "request": 1})
    assert (answer["type"], answer["driver"]) == ("stopped", "b")
    assert page.widget.session.game.step == 0
    assert kinds(page.tell({"type": "step", "driver": "b", "steps": 3, "request": 2}))[-1] == "frame"


def test_a_divergence_is_told_with_its_step_and_the_dials_stay_usable(page):
    for name, value in [("optimizer", "sgd"), ("loss", "wasserstein"), ("lr_d", 80.0)]:
        page.tell({"type": "set", "name": name, "value": value})
    page.tell({"type": "play", "driver": "a"})
    for request in range(100):
        answer = [m for m in page.tell({"type": "step", "driver": "a", "steps": 50, "request": request})
                  if m["type"] != "compiling"]  # fmt: skip
        if answer[0]["type"] == "diverged":
            break
    assert kinds(answer) == ["diverged", "frame"]
    assert f"diverged at step {answer[1]['step']} " in answer[0]["text"]
    assert "learning rates" in answer[0]["text"]
    # a request that was already under way does not walk into it again
    assert kinds(page.tell({"type": "step", "driver": "a", "steps": 50, "request": -1})) == ["stopped"]
    page.tell({"type": "set", "name": "lr_d", "value": 0.0})
    for _ in range(2):  # the first may have to go back further
        page.tell({"type": "play", "driver": "a"})
        answer = page.tell({"type": "step", "driver": "a", "steps": 1, "request": -2})
    assert kinds(answer) == ["frame"]


def test_an_exception_inside_is_shown_not_lost(page, monkeypatch):
    def broken(*_):
        raise RuntimeError("out of cheese")

    monkeypatch.setattr(page.widget.session, "advance", broken)
    answer = page.tell({"type": "once", "steps": 1, "request": 9})
    error = next(message for message in answer if message["type"] == "error")
    assert "out of cheese" in error["text"]
    assert error["request"] == 9


def test_an_interrupt_pauses(page, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    page.tell({"type": "play", "driver": "a"})
    monkeypatch.setattr(page.widget.session, "advance", interrupted)
    assert kinds(page.tell({"type": "step", "driver": "a", "request": 9}))[-1] == "stopped"


def test_a_new_target_reaches_the_page(page):
    before = page.widget.scene["runs"][0]
    page.tell({"type": "set", "name": "target", "value": "two moons"})
    scene = page.widget.scene["runs"][0]
    assert scene["window"] != before["window"]
    assert scene["modes"] == 0
    assert len(scene["real"]) == 8 * lab.POINTS
    assert page.frame[0]["modes"] is None


def test_no_clip_travels_as_null(page):
    page.tell({"type": "set", "name": "weight_clip", "value": 0.1})
    assert page.frame[0]["dials"]["weight_clip"] == 0.1
    page.tell({"type": "set", "name": "weight_clip", "value": None})
    assert page.widget.session.hyper.weight_clip == math.inf


def test_two_labs_do_not_share_anything(small_gan):
    one, two = Page(lab.open(small_gan)), Page(lab.open(small_gan))
    before = weights(two.widget.session.game)
    one.tell({"type": "set", "name": "lr_g", "value": 0.05})
    one.tell({"type": "once", "steps": 5, "request": 1})
    assert same(before, weights(two.widget.session.game))
    assert two.widget.session.hyper == Hyperparams()
    assert not two.sent


def test_python_can_turn_the_dials_too(page):
    page.widget.set("lr_g", 0.03)
    page.widget.advance(1500)
    content = page.frame[0]
    assert (content["step"], content["dials"]["lr_g"]) == (1500, 0.03)
    page.widget.reset(4)
    assert (page.frame[0]["step"], page.frame[0]["seed"]) == (0, 4)
    assert "jax.random.key(4)" in page.widget.state


def test_messages_from_several_threads_keep_the_run_whole(page, small_gan, ring):
    """JupyterLab may answer messages on a thread of its own while a cell moves a dial."""
    page.tell({"type": "warm"})

    def ask():
        for i in range(10):
            page.tell({"type": "once", "steps": 3, "request": i})
            page.tell({"type": "set", "name": "ema_decay", "value": 0.9})

    threads = [threading.Thread(target=ask) for _ in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert "error" not in [content["type"] for content, _ in page.sent]
    state = train.init(small_gan, Hyperparams(), jax.random.key(0))
    state, _ = train.steps(small_gan, Hyperparams(), ring, state, 90)
    assert same(jax.tree.leaves(page.widget.session.game.generator), jax.tree.leaves(state.generator))


def test_without_a_front_end_there_is_a_picture_that_says_what_it_shows(page):
    page.widget.advance(3)
    contents, metadata = page.widget._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in contents
    png = base64.b64decode(contents["image/png"])
    assert png.startswith(b"\x89PNG")
    assert len(png) < 100_000
    assert contents["text/plain"].startswith(metadata["image/png"]["alt"] + " Run this cell")
    assert "step 3" in contents["text/plain"]
    assert "of 8 modes" in contents["text/plain"]


def test_display_goes_by_the_mimebundle_in_every_version_of_ipywidgets(page):
    from IPython.core.formatters import DisplayFormatter

    contents, _ = DisplayFormatter().format(page.widget)
    assert "image/png" in contents


def test_a_lesson_may_show_only_some_controls(small_gan):
    widget = lab.open(small_gan, controls=["lr_d", "loss"])
    assert widget.setup["controls"] == ["lr_d", "loss"]
    assert lab.open(small_gan, controls=[]).setup["controls"] == []
    assert lab.open(small_gan).setup["controls"] == [name for name in lab.CONTROLS if name != "auxiliary_weight"]


@pytest.mark.parametrize("target", [None, data.ring(8)])
def test_a_gan_that_is_told_labels_is_refused_before_anything_is_shown(target):
    told = Gan(nets.mlp(2, 8, 2, classes=8), nets.mlp(2, 8, 1, classes=8))
    with pytest.raises(ValueError, match="told 8 classes and has no heads"):
        lab.open(told, target)
