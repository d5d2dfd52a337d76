"""Slow motion without a browser: the walk through a step against the step itself, its words, and what it leaves."""

import json
import re
from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from address import ROOT

from gan_jax import data, lab, losses, nets, train
from gan_jax.errors import Diverged
from gan_jax.lab import Session, stages
from gan_jax.lab.words import words
from gan_jax.losses import Loss, Penalty
from gan_jax.train import Gan, Hyperparams

pytestmark = pytest.mark.once

WORDS = json.loads((ROOT / "gan_jax/lab/words/stages.json").read_text(encoding="utf-8"))
SMALL = Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=8)


@pytest.fixture
def session():
    made = Session(SMALL)
    made.advance(3)
    return made


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


def weights(game):
    return jax.tree.leaves((game.generator, game.discriminator, game.ema, game.opt_g, game.opt_d, game.step))


class Stand:
    """What a walk asks of a session."""

    target, window = data.ring(8), np.array([-2.0, 2.0, -2.0, 2.0], np.float32)

    def __init__(self, hyper, rules):
        self.gan, self.in_force = replace(SMALL, **rules), hyper
        self.game = train.init(self.gan, hyper, jax.random.key(0))


@cache
def opened(hyper=Hyperparams(), **rules):  # noqa: B008
    """A walk without compiling it: `train.stages` operation by operation."""
    with jax.disable_jit():
        return stages.begin(Stand(hyper, rules))


def slow_of(session):
    return stages.picture(session, ("heat", "fake"), ("losses",)).header["slow"]


def text(phrase, language):
    values = {name: value["text"] if isinstance(value, dict) else value for name, value in phrase["values"].items()}
    return WORDS[phrase["key"]][language].format(**values)


# ---- the walk ----


def test_six_stages_for_each_update_in_the_order_of_the_game():
    d = ["d_latent", "d_fake", "d_real", "d_judge", "d_loss", "d_update"]
    g = ["g_latent", "g_fake", "g_judge", "g_loss", "g_gradient", "g_update"]
    assert [stage.name for stage in opened()] == d + g
    assert [stage.name for stage in opened(d_steps=2, g_steps=2)] == d + d + g + g
    assert [stage.name for stage in opened(update="extragradient")] == d + g + d + g
    assert {part for stage in opened() for part in stage.lit} == set(stages.COMPONENTS)


def test_walking_changes_nothing_and_the_end_is_the_plain_step(session):
    other = Session(SMALL)
    other.advance(3)
    before = session.game
    for stage in range(12):
        stages.go(session, stage)
        assert session.game is before
    stages.go(session, None)
    assert session.game is before
    assert slow_of(session) is None
    stages.go(session, 0)
    stages.go(session, 12)
    other.advance(1)
    assert same(weights(session.game), weights(other.game))
    slow = slow_of(session)
    assert (slow["stage"], slow["step"]) == (0, 4)
    assert slow["phrases"][0] == {"key": "slow.taken", "values": {"step": "4"}}
    other.advance(5)  # and both go on alike
    session.advance(5)
    assert same(weights(session.game), weights(other.game))
    assert stages.walk_of(session) is None


def test_the_last_picture_of_the_walk_is_the_state_that_follows(session):
    stages.go(session, 0)
    stages.go(session, 11)
    shown = stages.seen(session)
    assert shown is not session
    stages.go(session, 12)
    for walked, taken in (
        (shown.game.generator, session.game.generator),
        (shown.game.discriminator, session.game.discriminator),
    ):
        for a, b in zip(jax.tree.leaves(walked), jax.tree.leaves(taken), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_only_the_player_whose_update_it_is_moves():
    walk = {stage.name: stage for stage in opened()}
    start, after_d, after_g = (walk[name].game for name in ("d_loss", "d_update", "g_update"))
    assert same(start.generator, after_d.generator)
    assert not same(start.discriminator, after_d.discriminator)
    assert same(walk["g_latent"].game.discriminator, after_d.discriminator)
    assert same(after_d.discriminator, after_g.discriminator)
    assert not same(after_d.generator, after_g.generator)


def test_a_picture_shows_what_has_been_drawn_by_then_and_nothing_more():
    shown = [set(stage.arrays) for stage in opened()]
    latent, fake, real = {"slow_latent"}, {"slow_fake"}, {"slow_real"}
    judged = {"slow_real_answer", "slow_fake_answer"}
    of_d = [latent, latent | fake, latent | fake | real] + 3 * [latent | fake | real | judged]
    answered = latent | fake | {"slow_fake_answer"}
    of_g = [latent, latent | fake, answered, answered, answered | {"slow_push", "slow_push_scale"}]
    assert shown == [*of_d, *of_g, latent | fake | {"slow_before"}]
    paired = {stage.name: stage.arrays for stage in opened(loss=losses.relativistic)}
    assert real | {"slow_real_answer"} <= set(paired["g_judge"])


def test_arrays_are_those_of_the_step():
    walk = {stage.name: stage for stage in opened()}
    judged, game = walk["d_judge"].arrays, walk["d_judge"].game
    probability = 1 / (1 + np.exp(-np.asarray(game.discriminator(jnp.asarray(judged["slow_real"])))[:, 0]))
    np.testing.assert_allclose(judged["slow_real_answer"], 255 * probability, atol=0.51)
    moved = walk["g_update"]
    np.testing.assert_allclose(
        moved.arrays["slow_fake"], moved.game.generator(jnp.asarray(moved.arrays["slow_latent"])), rtol=1e-5
    )
    np.testing.assert_array_equal(moved.arrays["slow_before"], walk["g_loss"].arrays["slow_fake"])
    push, d = jnp.asarray(walk["g_gradient"].arrays["slow_push"]), walk["g_gradient"].game.discriminator
    slope = jax.vmap(jax.grad(lambda x: d(x[None])[0, 0]))(push[:, :2])
    weight = 1 - jax.nn.sigmoid(d(push[:, :2]))  # non-saturating: (1 - D(x)) grad a(x)
    np.testing.assert_allclose(push[:, 2:], weight * slope, rtol=1e-4, atol=1e-7)
    assert {array.dtype.str for stage in walk.values() for array in stage.arrays.values()} == {"<f4", "|u1"}


def test_arrows_too_short_to_be_seen_are_magnified_and_that_is_said():
    for rules in ({}, {"loss": losses.minimax}, {"loss": losses.wasserstein}):
        stage = opened(**rules)[10]
        push, scale = stage.arrays["slow_push"], float(stage.arrays["slow_push_scale"][0])
        true = stages.REACH * 4.0**2  # as the layer of pushes draws them; the window is 4 wide
        said = [phrase["values"]["times"] for phrase in stage.phrases if phrase["key"] == "slow.magnified"]
        assert scale == pytest.approx(true * int((said or ["1"])[0]))
        lengths = np.linalg.norm(push[:, 2:], axis=1) * scale / 4.0
        assert np.quantile(lengths, 0.9) < stages.SEEN or not said


def test_numbers_are_those_of_the_step_and_appear_when_they_are_known():
    gan, hyper = SMALL, Hyperparams()
    _, history = train.step(gan, hyper, data.ring(8), train.init(gan, hyper, jax.random.key(0)))
    walk = opened()
    assert [sorted(stage.numbers) for stage in walk] == [
        [], [], [], ["fake", "real"], ["fake", "loss_d", "real"], ["fake", "loss_d", "norm_d", "real"],
        [], [], ["fake"], ["fake", "loss_g"], ["fake", "loss_g", "norm_g"], ["fake", "loss_g", "norm_g"],
    ]  # fmt: skip
    assert walk[5].numbers["loss_d"] == pytest.approx(float(history.loss_d), rel=1e-5)
    assert walk[-1].numbers["loss_g"] == pytest.approx(float(history.loss_g), rel=1e-5)


# ---- the words ----

MINE = {
    "loss": Loss(lambda r, f: (f - r).mean(), lambda r, f: -f.mean(), "mine"),
    "penalty": Penalty(lambda critic, real, fake, key: 0.0 * critic(real).mean(), "none of yours"),
}
SPECIAL = [
    {"packing": 2, "discriminator": nets.mlp(4, 8, 1), "penalty": losses.r1},
    {"unrolled_steps": 1, "d_steps": 2, "g_steps": 2},
    {"update": "simultaneous", "latent": "uniform"},
    {"update": "extragradient", "optimizer": "sgd"},
    {"discriminator": nets.mlp(2, 8, 1, normalisation="spectral")},
]
HELD = Hyperparams(lr_d=0, lr_g=0, instance_noise=0.1, weight_clip=0.01, label_smoothing=0.1)


@pytest.fixture(scope="module")
def walks():
    """Walks in which every text is said. One step serves all losses: what is said depends on its numbers little."""
    found = [opened(**rules) for rules in SPECIAL]
    with jax.disable_jit():
        stand = Stand(Hyperparams(), {})
        step = train.stages(stand.gan, stand.in_force, stand.target, stand.game)
        for rules in [MINE, *({"loss": loss} for loss in losses.LOSSES.values())]:
            found.append(stages.tell(Stand(Hyperparams(), rules), step))
        found.append(stages.tell(Stand(HELD, {}), step))
    return found


def test_every_stage_has_its_words_in_both_languages_and_every_word_is_used(walks):
    used = set()
    named = words()["zh"]
    for walk in walks:
        for stage in walk:
            for phrase in (stage.turn, *stage.phrases):
                used.add(phrase["key"])
                entries = [value for value in phrase["values"].values() if isinstance(value, dict)]
                assert all(value["key"] in named or value["text"] in ("mine", "none of yours") for value in entries)
                for language in ("en", "zh"):
                    said = text(phrase, language)
                    assert said, phrase
                    assert not re.search(r"[{}]|nan|None", said), said
    page = (ROOT / "gan_jax/lab/page/graph.js").read_text(encoding="utf-8")
    elsewhere = {key for key in WORDS if key not in used}
    for key in elsewhere - {"slow.taken"}:
        last = key.removeprefix("slow.")
        parts = [f'"{last}"', f'"{last.split(".")[0]}"', f'"{key}"', "node.", f'"{last.removesuffix(".title")}"']
        assert any(part in page for part in parts), f"nobody says {key}"


def test_both_languages_say_the_same_numbers():
    for key, each in WORDS.items():
        english, chinese = (sorted(re.findall(r"{(\w+)}", each[language])) for language in ("en", "zh"))
        assert english == chinese, key
        assert re.search(r"[\u4e00-\u9fff]", each["zh"]) or each["zh"] == each["en"], key


REAL, FAKE = np.array([0.3, -1.2, 2.0]), np.array([-0.7, 0.4, 1.1])


def worth(formula):
    """A formula of the page, computed."""
    code = formula.replace("−", "-").replace("½ ", "0.5*").replace("²", "**2").replace("2 log 2", "2*log(2)")
    code = code.replace("a(G(z))", "f").replace("D(G(z))", "S(f)").replace("a(x)", "r").replace("D(x)", "S(r)")
    code = code.replace("e^(", "exp(").replace("log S(r)", "log(S(r))").replace("log S(f)", "log(S(f))")
    code = re.sub(r"E\[", "mean(", code).replace("]", ")").replace("log 2", "log(2)").replace("max(", "maximum(")
    names = {"r": REAL, "f": FAKE, "S": lambda a: 1 / (1 + np.exp(-a)), "mean": np.mean, "exp": np.exp, "log": np.log,
             "maximum": np.maximum, "softplus": lambda a: np.log1p(np.exp(a))}  # fmt: skip
    return eval(code, {"__builtins__": {}}, names)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_each_loss_is_written_as_it_is_computed(name):
    loss, written = losses.LOSSES[name], stages.FORMULAS[name]
    assert worth(written.discriminator) == pytest.approx(float(loss.discriminator(REAL, FAKE)), rel=1e-5)
    assert worth(written.generator) == pytest.approx(float(loss.generator(REAL, FAKE)), rel=1e-5)
    before, after = written.push.replace("σ(a(real) − a(x))", "(S(a(real) − a(x)))").split("∇a(x)")
    assert after == ""
    pushed = (
        re.sub(r"^$", "1", before.strip()).replace("a(real)", "R").replace("a(x)", "a(G(z))").replace("D(x)", "D(G(z))")
    )
    pulled = -len(FAKE) * jax.grad(lambda fake: loss.generator(REAL, fake))(FAKE)
    np.testing.assert_allclose(worth(pushed.replace("R", "a(x)")) * np.ones(3), pulled, rtol=1e-4)


def test_english_says_what_happens():
    said = [" ".join(text(phrase, "en") for phrase in stage.phrases) for stage in opened(Hyperparams(lr_g=0))]
    assert "8 latents z are drawn, 2 random numbers each, z ~ N(0, I)" in said[0]
    assert "−E[log D(x)] − E[log(1 − D(G(z)))] = " in said[4]
    assert "(non-saturating)" in said[4]
    assert "adam at learning rate 0.001" in said[5]
    assert "it would now say" in said[5]
    assert "(1 − D(x)) ∇a(x)" in said[10]
    assert "G is held" in said[11]


# ---- what the page may ask ----


@pytest.mark.parametrize("stage", [-1, 13, 1.5, "two", True, [0]])
def test_a_stage_that_is_none_is_refused(session, stage):
    stages.go(session, 0)
    with pytest.raises(ValueError, match="stage must be"):
        stages.go(session, stage)
    assert slow_of(session)["stage"] == 0


def test_a_walk_begins_at_its_beginning(session):
    stages.go(session, 7)
    assert slow_of(session)["stage"] == 0


def test_a_dial_is_heard_at_the_same_stage_and_a_step_or_a_menu_ends_the_walk(session):
    stages.go(session, 0)
    stages.go(session, 5)
    session.set("lr_d", 0.0)
    slow = slow_of(session)
    assert slow["stage"] == 5
    assert slow["phrases"][0]["key"] == "slow.d_held"
    for leave in (lambda: session.set("loss", "hinge"), lambda: session.advance(1), session.reset):
        stages.go(session, 0)
        leave()
        assert slow_of(session) is None
        assert stages.seen(session) is session


def test_a_header_is_plain_json(session):
    for stage in range(12):
        stages.go(session, stage)
        told = json.loads(json.dumps(slow_of(session), allow_nan=False))
        assert (told["stage"], told["of"], told["latent"]) == (stage, 12, 2)


def test_a_loss_that_is_not_finite_is_told_and_a_step_of_it_is_refused():
    broken = Loss(lambda r, f: jnp.sqrt(-jnp.abs(r - f).mean()), lambda r, f: -f.mean(), "broken")
    session = Session(replace(SMALL, loss=broken))
    stages.go(session, 0)
    for stage in range(12):
        stages.go(session, stage)
        json.dumps(slow_of(session), allow_nan=False)
    before = session.game
    with pytest.raises(Diverged):
        stages.go(session, 12)
    assert same(weights(session.game), weights(before))


def test_in_the_widget_a_bad_stage_is_told_and_runs_side_by_side_keep_step():
    opened = lab.compare({"slow D": (SMALL, Hyperparams(lr_d=1e-4)), "fast D": SMALL})
    told = []
    opened.send = lambda content, buffers=None: told.append(content)
    ask = lambda stage: opened._handle_custom_msg({"type": "slow", "stage": stage, "request": 7}, [])  # noqa: E731
    ask(0)
    assert [run["slow"] and run["slow"]["name"] for run in told[-1]["runs"]] == ["d_latent", None]
    ask(99)
    (error,) = [message for message in told if message["type"] == "error"]
    assert (error["text"], error["request"]) == ("stage must be at most 12, the stages of this step, got 99", 7)
    ask(12)
    assert [int(session.game.step) for session in opened.sessions] == [1, 1]
    assert told[-1]["runs"][0]["slow"]["phrases"][0]["key"] == "slow.taken"
    ask(None)
    assert [run["slow"] for run in told[-1]["runs"]] == [None, None]
