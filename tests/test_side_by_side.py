"""GANs side by side without a browser: lock step, scrubbing back, answers in parts, divergence, interruption."""

import itertools
import math
import re
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import data, explorer, losses, metrics, nets, train
from gan_jax.errors import UnknownName
from gan_jax.explorer import Number, Panel, Scene, Slider, Surface, side_by_side
from gan_jax.explorer.scene import check_scene
from gan_jax.explorer.side_by_side import SCORED, SHOWN, SIDE, Contest, View
from gan_jax.train import Gan, Hyperparams

pytestmark = pytest.mark.once

RING, KEY = data.ring(8), jax.random.key(0)
GAN = Gan(nets.mlp(2, 16, 2), nets.mlp(2, 16, 1), batch_size=32)
HYPER, SLOW, EXPLOSIVE = Hyperparams(), Hyperparams(lr_g=1e-5), Hyperparams(lr_d=1e18)
PAIR = {"as it is": (GAN, HYPER), "slow G": (GAN, SLOW)}


def opened(gans=PAIR, target=RING, **rest):
    return side_by_side(gans, target, **{"key": KEY, "steps": 100, "every": 10, "progress": False, **rest})


def arrays(scene):
    return [np.asarray(values) for panel in scene.panels for mark in panel.marks for values in mark
            if isinstance(values, np.ndarray)]  # fmt: skip


def same(one, other):
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def leaves(state):
    return [np.asarray(jax.random.key_data(leaf) if leaf is state.key else leaf) for leaf in jax.tree.leaves(state)]


def told(live):
    """What the page is told, message by message."""
    messages = []
    live.send = lambda content, buffers=None: messages.append(content)
    return messages


def ask(live, **values):
    """Ask as the page does: one answer, which may be a part."""
    live._handle_custom_msg({"type": "set", "values": values, "request": "page-1"}, [])
    return live.scene


# ---- training, and what is shown of it ----


def test_both_train_in_lock_step_exactly_as_alone():
    live = opened()
    live.set("step", 40)
    for name, (gan, hyper) in PAIR.items():
        alone = train.steps(gan, hyper, RING, train.init(gan, hyper, KEY), 40)[0]
        assert same(leaves(live.contest.recorders[name].state), leaves(alone))
        recording = live.recordings[name]
        assert recording.steps.tolist() == [0, 10, 20, 30, 40]
        assert same(leaves(recording.at(40).state(alone)), leaves(alone))
    start = [live.recordings[name].at(0).arrays for name in PAIR]
    assert same([start[0][name] for name in start[0]], [start[1][name] for name in start[0]])  # one seed


def test_the_picture_shows_samples_and_d_of_the_trained_state():
    live = opened()
    live.set("step", 40)
    left, right, bottom, top = data.bounds(RING)
    for i, name in enumerate(PAIR):
        state = live.contest.recorders[name].state
        surface, real, fake = live.scene.panels[i].marks
        for row, column in [(0, 0), (5, 40), (SIDE - 1, 3)]:
            x = left + (column + 0.5) / SIDE * (right - left), bottom + (row + 0.5) / SIDE * (top - bottom)
            expected = 1 / (1 + math.exp(-float(state.discriminator(jnp.array([x]))[0, 0])))
            assert surface.values[row, column] == pytest.approx(expected, abs=1e-5)
        samples = state.sample(live._respond.latent_key, SCORED)
        np.testing.assert_allclose(np.stack([fake.x, fake.y], 1), samples[:SHOWN], atol=1e-5)
        assert live.scene.number("modes", i) == metrics.modes_covered(samples, RING)
        assert live.scene.number("high quality", i) == pytest.approx(metrics.high_quality_share(samples, RING))
        assert metrics.high_quality_share(np.stack([real.x, real.y], 1), RING) > 0.9
        assert (live.scene.panels[i].title, live.scene.panels[i].x_label) == (name, "step 40")
    assert {number.note for number in live.scene.numbers} == {"a perfect generator: 8", "a perfect generator: 0.99"}
    assert live.scene.words.startswith("Step 40, from the same seed. as it is: modes ")


def test_moving_back_shows_what_was_and_trains_nothing():
    live, seen = opened(), {}
    for step in (0, 20, 50, 100):
        live.set("step", step)
        seen[step] = live.scene
    before = [recorder.state for recorder in live.contest.recorders.values()]
    assert not same(arrays(seen[0]), arrays(seen[20]))
    for step in (50, 0, 20, 100):
        live.set("step", step)
        assert same(arrays(live.scene), arrays(seen[step]))
        assert (live.scene.numbers, live.scene.words) == (seen[step].numbers, seen[step].words)
    assert [recorder.state for recorder in live.contest.recorders.values()] == before


def test_an_answer_takes_its_time_and_no_more(monkeypatch):
    monkeypatch.setattr(sys.modules[Contest.__module__], "BUDGET", 1e-9)
    live = opened()
    messages, reached = told(live), [0]
    ask(live, step=100)
    for _ in range(20):
        assert live.picture["again"] is live.scene.again is True
        assert live.picture["values"]["step"] == 100
        reached.append(live.contest.step)
        assert live.scene.remark == f"Training: step {reached[-1]:,} on the way to 100. Any move takes over."
        assert live.scene.panels[0].x_label == live.scene.panels[1].x_label == f"step {reached[-1]}"
        ask(live)
    assert all(later > earlier for earlier, later in itertools.pairwise(reached))
    # a hand takes over: what is there already is shown at once
    assert ask(live, step=10).again is False
    assert (live.scene.panels[0].x_label, live.contest.step) == ("step 10", reached[-1] + 1)
    # from Python the whole way is taken in one move
    live.set("step", 100)
    assert (live.scene.again, live.contest.step) == (False, 100)
    assert messages == []


def test_a_gan_that_diverges_shows_its_last_good_state_and_the_other_goes_on():
    live = opened({"as it is": (GAN, HYPER), "D explodes": (GAN, EXPLOSIVE)})
    live.set("step", 60)
    good, bad = live.contest.recorders.values()
    assert (int(good.state.step), good.stopped) == (60, "")
    said = bad.stopped
    assert re.fullmatch(r"diverged at step \d+", said)
    last = int(bad.state.step)
    assert [panel.x_label for panel in live.scene.panels] == ["step 60", said]
    assert live.scene.remark == f"“D explodes” {said}: shown is the last good state before that."
    assert f"D explodes ({said}): modes" in live.scene.words
    assert all(np.isfinite(values).all() for values in arrays(live.scene))
    assert live.recordings["D explodes"].steps[-1] == last
    live.set("step", 100)
    assert int(good.state.step) == 100
    live.set("step", 0)
    assert live.scene.panels[0].x_label == "step 0"


def test_where_all_diverge_the_last_good_states_are_shown():
    live = opened({"one": (GAN, EXPLOSIVE), "two": (GAN, replace(EXPLOSIVE, lr_g=1e-2))}, opening=100)
    assert live.contest.step == math.inf
    assert live.scene.again is False
    assert all("diverged" in panel.x_label for panel in live.scene.panels)
    live.set("step", 50)


def test_an_interruption_is_made_up_for(monkeypatch):
    live = opened()
    messages, own, calls = told(live), train.advance, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 2:  # one has moved, and the other not
            raise KeyboardInterrupt
        return own(*arguments)

    monkeypatch.setattr(train, "advance", interrupted)
    ask(live, step=20)
    assert messages[-1]["text"].startswith("Interrupted.")
    assert live.values["step"] == 0
    steps = [int(recorder.state.step) for recorder in live.contest.recorders.values()]
    assert steps[0] > steps[1] == 0
    monkeypatch.setattr(train, "advance", own)
    live.set("step", 20)
    for name, (gan, hyper) in PAIR.items():
        alone = train.steps(gan, hyper, RING, train.init(gan, hyper, KEY), 20)[0]
        assert same(leaves(live.contest.recorders[name].state), leaves(alone))


@pytest.fixture
def untrained(monkeypatch):
    """Nothing is compiled: for tests of what is seen before the first step."""
    monkeypatch.setattr(train, "steps", lambda *_: None)


def test_a_critic_without_a_zero_of_its_own_is_shown_about_its_middle(untrained):
    gan = replace(GAN, loss=losses.wasserstein)
    contest = Contest({"critic": (gan, HYPER), "D": (GAN, HYPER)}, RING, KEY, every=10)
    view = View(contest, 100)
    look, recorder = view.look(contest.recorders["critic"], 0), contest.recorders["critic"]
    critic = lambda x: np.asarray(recorder.state.discriminator(jnp.float32(x))).ravel()  # noqa: E731
    centre = (critic(view.real).mean() + critic(look.fake[:SHOWN]).mean()) / 2
    left, right, bottom, top = view.window
    x, y = (low + (np.arange(SIDE) + 0.5) / SIDE * (high - low) for low, high in ((left, right), (bottom, top)))
    values = critic(np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)).reshape(SIDE, SIDE) - centre
    np.testing.assert_allclose(look.surface, 0.5 + 0.5 * values / np.abs(values).max(), atol=1e-4)


def test_a_full_memory_keeps_the_nearest_frame_and_says_which():
    size = sum(values.nbytes for values in opened().recordings["as it is"].arrays.values())
    live = opened(memory=2 * 5 * size)
    live.set("step", 100)
    every = live.recordings["as it is"].every
    assert every > 10
    live.set("step", 10)
    kept = [0, every]
    assert live.scene.panels[0].x_label == f"step {min(kept, key=lambda step: abs(step - 10))}"
    assert all(recording.nbytes <= 5 * size for recording in live.recordings.values())


def test_a_d_that_judges_several_together_sees_each_place_among_real_samples(untrained):
    packed = replace(GAN, discriminator=nets.mlp(4, 16, 1), packing=2)
    contest = Contest({"packed": (packed, HYPER), "as it is": (GAN, HYPER)}, RING, KEY, every=10)
    view, recorder = View(contest, 100), contest.recorders["packed"]
    left, right, bottom, top = view.window
    row, column = 7, 30
    x = left + (column + 0.5) / SIDE * (right - left), bottom + (row + 0.5) / SIDE * (top - bottom)
    logit = float(recorder.state.discriminator(jnp.array([[*x, *view.real[0].tolist()]]))[0, 0])
    assert view.look(recorder, 0).surface[row, column] == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-5)


def test_a_target_without_modes_is_scored_by_its_distance(untrained):
    target = data.spiral()
    live = opened(target=target)
    assert [number.name for number in live.scene.numbers] == ["sliced W_2"] * 2
    samples = live.contest.recorders["slow G"].state.sample(live._respond.latent_key, SCORED)
    assert live.scene.number("sliced W_2", 1) == pytest.approx(float(metrics.sliced_wasserstein2(samples, target)))


def test_it_opens_where_it_is_asked_to_and_can_be_shown_without_a_page(capsys):
    live = side_by_side(PAIR, RING, key=KEY, steps=100, every=10, opening=30, title="One difference")
    assert "compiling “slow G”" in capsys.readouterr().err
    assert (live.values["step"], live.contest.step) == (30, 30)
    (control,) = live.setup["controls"]
    assert (control["play"], control["whole"], control["notches"]) == (True, True, 11)
    _, metadata = live._repr_mimebundle_()
    assert metadata["image/png"]["alt"].startswith("One difference: Step 30, from the same seed.")
    picture = explorer.still(live.scene, list(live._controls.values()), live.values)
    written = [text.get_text() for text in picture.texts]
    assert {"as it is: modes", "slow G: modes", "step: 30"} <= set(written)
    assert [axes.get_aspect() for axes in picture.axes] == [1.0, 1.0]
    live.set("step", 60)
    live.reset()
    assert live.values["step"] == 30


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"gans": {"one": (GAN, HYPER)}}, ValueError, "two to four GANs fit side by side, got 1"),
        ({"gans": dict.fromkeys("abcde", (GAN, HYPER))}, ValueError, "two to four GANs fit side by side, got 5"),
        ({"gans": [(GAN, HYPER)] * 2}, TypeError, r'gans must be a dict of names: \{"as it is"'),
        ({"gans": {"one": GAN, "two": GAN}}, TypeError, r"'one' must be a pair \(Gan, Hyperparams\), got Gan\("),
        ({"gans": {"one": (GAN, HYPER), "two": (HYPER, GAN)}}, TypeError, "'two' must be a pair"),
        (
            {"gans": {"one": (GAN, HYPER), "two": (GAN, Hyperparams(lr_g=np.array([1e-3, 1e-2])))}},
            ValueError,
            r"'two' trains one GAN: lr_g must be one number, its shape is \(2,\)",
        ),
        ({"target": data.gaussian(0.0, 1.0)}, ValueError, r"targets in the plane, of shape \(2,\); this one's is \(1,"),
        ({"target": "ring"}, TypeError, "expected a target such as"),
        ({"key": 0}, TypeError, "expected a random key, got 0"),
        ({"every": 30}, ValueError, "every must divide steps, got every=30 and steps=100; take 25"),
        ({"every": 100}, ValueError, "every must divide steps, got every=100 and steps=100; take 50"),
        ({"steps": 0}, ValueError, "steps must be a whole number of at least 2"),
        ({"opening": 101}, ValueError, "opening must be from 0 to 100, got 101"),
        ({"memory": 1000}, ValueError, "memory must hold at least three frames"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_side_by_side_is_refused(change, error, message, as_users_see_it):
    settings = {"gans": PAIR, "target": RING, "key": KEY, "steps": 100, "every": 10, "progress": False, **change}
    with pytest.raises(error, match=message):
        side_by_side(settings.pop("gans"), settings.pop("target"), **settings)


# ---- scenes that come in parts, and numbers under panels ----


def test_a_page_gets_parts_and_python_the_whole():
    calls = []

    def answer(values):
        calls.append(values["step"])
        return Scene([], [Number("calls", len(calls))], again=len(calls) % 3 != 0)

    live = explorer.open(answer, [Slider("step", "step", 0, 9, 0, whole=True, play=True)])
    assert len(calls) == 3
    live.set("step", 4)
    assert (len(calls), live.scene.again) == (6, False)
    messages = told(live)
    for more in ({"step": 5}, {}, {}):
        live._handle_custom_msg({"type": "set", "values": more, "request": "page-1"}, [])
    assert calls[6:] == [5, 5, 5]
    assert live.picture["again"] is False
    live._handle_custom_msg({"type": "reset", "request": "page-1"}, [])
    assert (live.picture["again"], live.values["step"], messages) == (True, 0, [])


def test_numbers_under_panels_have_names_of_their_own():
    panels = [Panel([Surface(np.zeros((2, 3)))], (0, 1))] * 2
    scene = Scene(panels, [Number("modes", 8, panel=0), Number("modes", 7, panel=1), Number("modes", 15)])
    check_scene(scene, [])
    assert [scene.number("modes", panel) for panel in (0, 1, -1)] == [8, 7, 15]
    with pytest.raises(UnknownName, match="no number is named 'mods'; did you mean 'modes'"):
        scene.number("mods", 1)
    with pytest.raises(ValueError, match="there is no panel 2, only 2 of them"):
        check_scene(Scene(panels, [Number("modes", 8, panel=2)]), [])
    with pytest.raises(ValueError, match="numbers need names that differ, got modes, modes"):
        check_scene(Scene(panels, [Number("modes", 8, panel=1)] * 2), [])
    with pytest.raises(ValueError, match=r"Surface: values must have one shape \(rows, columns\)"):
        check_scene(Scene([Panel([Surface(np.zeros(3))], (0, 1))]), [])
