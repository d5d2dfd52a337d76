"""The wall of seeds without a browser: its runs against the core's, its counts against other ways to count."""

import base64
import json
import math
import time
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from gan_jax import data, lab, losses, train
from gan_jax.errors import Diverged, UnknownName
from gan_jax.lab.seeds import Rows, Runs, measures_of, quartiles, share
from gan_jax.lab.wall import BUDGET, WallSession
from gan_jax.train import Hyperparams

pytestmark = pytest.mark.once


@pytest.fixture
def wall(small_gan):
    return WallSession(small_gan, seeds=4)


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


def weights(states):
    return jax.tree.leaves((states.generator, states.discriminator, states.ema, states.opt_g, states.opt_d))


def one_of(states, i):
    return jax.tree.map(lambda leaf: leaf[i], states)


def keys(seeds, first=0):
    return jax.vmap(jax.random.key)(jnp.arange(first, first + seeds))


def finite(tree):
    return all(np.isfinite(np.asarray(leaf, np.float64)).all() for leaf in jax.tree.leaves(tree))


# ---- the runs ----


def test_each_run_is_that_of_its_seed_alone_up_to_rounding(wall, small_gan, ring):
    """20 steps: the rounding of float32, which the game has carried on a little."""
    wall.advance(20)
    for i, seed in enumerate(wall.seeds):
        alone = train.init(small_gan, Hyperparams(), jax.random.key(seed))
        alone, _ = train.steps(small_gan, Hyperparams(), ring, alone, 20)
        for ours, theirs in zip(weights(one_of(wall.states, i)), weights(alone), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_runs_are_the_sweep_s_bit_for_bit_whatever_the_chunks(wall, small_gan, ring):
    for n in (1, 7, 12):
        wall.advance(n)
    expected = train.sweep(small_gan, Hyperparams(), ring, keys(4), 20, progress=False).states
    assert same(weights(wall.states), weights(expected))
    assert wall.states.step.tolist() == [20] * 4


def test_seeds_follow_the_first_and_are_the_lab_s(small_gan):
    wall = WallSession(small_gan, seeds=4, seed=5)
    assert wall.seeds == [5, 6, 7, 8]
    for i, seed in enumerate(wall.seeds):
        alone = lab.Session(small_gan, seed=seed).game
        for ours, theirs in zip(weights(one_of(wall.states, i)), weights(alone), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-6)
    wall.advance(3)
    wall.reset(50)
    assert (wall.seeds[0], wall.step) == (50, 0)


def test_moving_dials_never_compiles(wall):
    wall.advance(2)
    before = train.blocks._walk._cache_size()
    for name, dial in lab.DIALS.items():
        for value in (dial.high, dial.low):
            wall.set(name, value)
            wall.advance(2)
    assert train.blocks._walk._cache_size() == before


def test_state_brings_all_runs_back_bit_for_bit(small_gan):
    wall = WallSession(small_gan, data.ring(8, scale=0.1), seeds=4, seed=2)
    wall.advance(4)
    for name, value in [("lr_g", 0.004), ("loss", "hinge"), ("target", "ring")]:
        wall.set(name, value)
        wall.advance(3)
    wall.set("lr_d", 0.01)  # no step was taken by it yet
    names = {"your_target": data.ring(8, scale=0.1)}
    exec(str(wall.state), names)
    assert same(weights(names["states"]), weights(wall.states))
    assert names["runs"].steps == wall.step == 13
    assert names["hyper"].lr_d == 0.01
    wall.reset()
    names = {"your_target": data.ring(8, scale=0.1)}
    exec(str(wall.state), names)
    for ours, theirs in zip(weights(names["states"]), weights(wall.states), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_one_run_goes_on_alone_from_the_same_state(wall):
    wall.advance(15)
    session = wall.pick(2)
    assert same(weights(session.game), weights(one_of(wall.states, 2)))
    assert (session.game.step, session.seed) == (15, 2)
    session.advance(5)
    assert session.game.step == 20
    assert wall.step == 15
    with pytest.raises(ValueError, match="this wall has seeds 0 to 3, got 4"):
        wall.pick(4)


def test_another_optimizer_begins_again_and_another_target_begins_new_tracks(wall):
    wall.advance(5)
    wall.score()
    wall.set("target", "spiral")
    assert wall.step == 5
    assert list(wall.tracks) == ["distance"]
    wall.set("optimizer", "sgd")
    assert wall.step == 0


@pytest.mark.parametrize(
    ("seeds", "message"),
    [(3, "at least 4, got 3"), (65, "a wall shows 4 to 64 seeds, got 65"), (4.0, "got 4.0"), (True, "got True")],
)
def test_a_bad_number_of_seeds_is_refused(small_gan, seeds, message, as_users_see_it):
    with pytest.raises(ValueError, match=message):
        WallSession(small_gan, seeds=seeds)


def test_left_to_itself_a_chunk_takes_about_its_budget(wall):
    wall.advance()
    taken = []
    for pace in (1e-9, BUDGET / 20.5, 10.0):
        wall._pace[wall._program] = pace
        taken.append(wall.advance())
    assert taken == [1024, 20, 1]


def test_scores_come_again_soon_however_long_the_first_was_compiled(wall, monkeypatch):
    scores = wall._runs.scores
    monkeypatch.setattr(wall._runs, "scores", lambda *a: time.sleep(0.3) or scores(*a))
    wall.score()
    monkeypatch.setattr(wall._runs, "scores", scores)
    wall._trained = 0.6
    wall.advance(1)
    assert wall.tracks["modes"].steps == [0, 1]
    wall.advance(1)
    assert wall.tracks["modes"].steps == [0, 1]
    wall._scoring, wall._trained = 0.3, 0.6  # slow in itself: then more seldom
    wall.advance(1)
    assert wall.tracks["modes"].steps == [0, 1]


# ---- runs that diverge ----


def fierce(small_gan, rate=0.5):
    """A linear critic without bounds, which some seeds survive for longer than others."""
    gan = replace(small_gan, optimizer="sgd", loss=losses.wasserstein)
    return gan, Hyperparams(lr_g=rate, lr_d=rate)


def test_a_run_that_diverges_stays_at_its_last_good_state_and_the_others_go_on(small_gan, ring):
    gan, hyper = fierce(small_gan)
    sweep = train.sweep(gan, hyper, ring, keys(8), 200, progress=False)
    at = sweep.history.diverged_at.values
    last = int(np.sort(at[at >= 0])[3]) + 1  # some have, some have not
    for chunks in ([last], [7] * (last // 7) + [last % 7] * (last % 7 > 0)):
        runs = Runs(gan, hyper, ring, keys(8))
        for n in chunks:
            runs.advance(gan, hyper, ring, n)
        lost = (at >= 0) & (at < last)
        assert 0 < lost.sum() < 8
        np.testing.assert_array_equal(runs.diverged, np.where(lost, at, -1))
        assert finite((runs.states.generator, runs.states.discriminator))
        whole = train.sweep(gan, hyper, ring, keys(8), last, progress=False).states
        for i in range(8):
            step = int(runs.states.step[i])
            if lost[i]:
                assert step in (at[i], at[i] - 1)  # one less where the last update lost the weights
                expected = train.sweep(gan, hyper, ring, keys(8), step, progress=False).pick(seed=i)
            else:
                assert step == last
                expected = one_of(whole, i)
            assert same(weights(one_of(runs.states, i)), weights(expected))
        states = runs.states
        runs.advance(gan, hyper, ring, 1)
        for i in np.nonzero(lost)[0]:
            assert same(weights(one_of(runs.states, i)), weights(one_of(states, i)))


def test_no_run_left_is_an_end_that_says_so(small_gan):
    gan, hyper = fierce(small_gan, 50.0)
    wall = WallSession(gan, hyper=hyper, seeds=4)
    wall.advance(200)
    assert None not in wall.diverged
    pictures = wall.pictures()
    assert finite((pictures.fake, pictures.ends))
    assert finite(wall.score())
    assert wall.reached.hits == 0
    assert np.isfinite(wall.spread("modes")).all()
    assert wall.summary().endswith("4 diverged.")
    with pytest.raises(Diverged, match="all 4 runs have diverged"):
        wall.advance(1)
    wall.set("lr_d", 1e-4)
    wall.set("lr_g", 1e-4)
    wall.reset()
    assert wall.advance(1) == 1


# ---- what they show ----


def test_pictures_show_each_d_and_each_g(wall):
    wall.advance(5)
    pictures = wall.pictures()
    left, right, bottom, top = data.bounds(wall.desk.target)
    side = pictures.surface.shape[1]
    for i in range(4):
        game = one_of(wall.states, i)
        np.testing.assert_allclose(pictures.fake[i], game.generator(wall._noise[:128]), rtol=1e-5, atol=1e-6)
        for row, column in [(0, 0), (0, side - 1), (20, 9)]:
            x = left + (column + 0.5) / side * (right - left)
            y = top - (row + 0.5) / side * (top - bottom)
            logit = float(game.discriminator(jnp.array([[x, y]]))[0, 0])
            assert pictures.surface[i, row, column] == pytest.approx(255 / (1 + math.exp(-logit)), abs=0.51)
    assert wall.close_up() is None
    wall.closer = 2
    large = wall.close_up()
    assert (large.surface.shape, large.fake.shape) == ((1, 64, 64), (1, 512, 2))
    np.testing.assert_allclose(large.fake[0, :128], pictures.fake[2], rtol=1e-5, atol=1e-6)
    wall.set("samples", "average")
    expected = one_of(wall.states, 1).averaged_generator(wall._noise[:128])
    np.testing.assert_allclose(wall.pictures().fake[1], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("target", [data.ring(8), data.spiral()])
def test_scores_are_the_metrics_of_each_run(small_gan, target):
    wall = WallSession(small_gan, target, seeds=4)
    wall.advance(5)
    scores = wall.score()
    for name, measure in measures_of(target).items():
        for i in (0, 3):
            samples = one_of(wall.states, i).generator(wall._noise[: measure.n])
            assert scores[name][i] == pytest.approx(float(measure.metric(samples, target)), rel=1e-3, abs=1e-3)


def perfect_wall(small_gan, hits):
    """A wall of 8 whose first `hits` runs reach all modes, as if they had been scored so."""
    wall = WallSession(small_gan, seeds=8)
    wall._runs.scores = lambda *_: {"modes": np.where(np.arange(8) < hits, 8.0, 5.0), "quality": np.full(8, 0.5)}
    wall.score()
    return wall


@pytest.mark.parametrize("hits", [0, 3, 8])
def test_the_share_of_seeds_that_reach_all_modes(small_gan, hits):
    wall = perfect_wall(small_gan, hits)
    assert (wall.reached.hits, wall.reached.trials) == (hits, 8)
    assert wall.summary().startswith(f"{hits} of 8 seeds reach all 8 modes at step 0 (95 % interval ")


@pytest.mark.parametrize("trials", [4, 16, 64])
def test_the_interval_is_clopper_s_and_pearson_s(trials):
    for hits in range(trials + 1):
        expected = scipy.stats.binomtest(hits, trials).proportion_ci(0.95, method="exact")
        found = share(hits, trials)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_quartiles_over_the_seeds_count_a_diverged_run_as_the_worst():
    values, none, two = np.arange(8.0), np.zeros(8, bool), np.arange(8) >= 6
    at = [0.25, 0.5, 0.75]
    np.testing.assert_allclose(quartiles(values, none, True), np.quantile(values, at))
    np.testing.assert_allclose(quartiles(values, two, True), np.quantile([0, 1, 2, 3, 4, 5, 0, 0], at))
    low, middle, high = quartiles(values, two, False)
    assert (low, middle) == (1.75, 3.5)
    assert high == math.inf or high >= 5
    both = quartiles(np.stack([values, 2 * values]), np.stack([none, ~none]), False)
    np.testing.assert_allclose(both, [np.quantile(values, at), [math.inf] * 3])


@pytest.mark.parametrize("count", [3, 16, 17, 500])
def test_rows_stay_few_and_even_and_end_with_the_newest(count):
    rows = Rows(runs=2, size=16)
    for step in range(count):
        rows.add(3 * step, [step, -step])
    assert len(rows.steps) <= 17
    assert rows.steps[-1] == 3 * (count - 1)
    assert len(set(np.diff(rows.steps[:-1]))) <= 1
    np.testing.assert_array_equal(rows.values, [[step / 3, -step / 3] for step in rows.steps])
    rows.add(3 * (count - 1), [7.0, 7.0])
    assert rows.steps.count(3 * (count - 1)) == 1
    assert rows.values[-1].tolist() == [7.0, 7.0]


def test_the_perfect_generator_s_values(wall):
    floors = wall.floors
    assert floors["modes"] == 8
    assert floors["quality"] == pytest.approx(1 - math.exp(-4.5), abs=0.005)


# ---- the widget, through its messages ----


class Page:
    """A page that a wall talks to: keeps what is sent, and reads frames as the JavaScript does."""

    def __init__(self, widget):
        self.widget, self.sent = widget, []
        widget.send = lambda content, buffers=None: self.sent.append((content, buffers))

    def tell(self, message):
        before = len(self.sent)
        self.widget._handle_custom_msg(message, [])
        return [content for content, _ in self.sent[before:]]

    @property
    def frame(self):
        content, (block,) = next(sent for sent in reversed(self.sent) if sent[0]["type"] == "frame")
        json.dumps(content, allow_nan=False)
        (run,) = lab.unpack(content["runs"], block)
        return run.header | content, run.arrays


@pytest.fixture
def page(small_gan):
    return Page(lab.wall(small_gan, seeds=4))


def kinds(messages):
    return [message["type"] for message in messages]


def test_the_page_asks_and_is_answered_with_one_frame_of_all_runs(page):
    assert kinds(page.tell({"type": "hello", "request": 1})) == ["frame"]
    assert page.frame[0]["wall"]["measured"] is False
    assert kinds(page.tell({"type": "warm", "request": 2})) == ["compiling", "frame"]
    assert kinds(page.tell({"type": "play", "driver": "a"})) == ["driver"]
    (answer,) = page.tell({"type": "step", "driver": "a", "steps": 12, "request": 3})
    assert (answer["request"], page.frame[0]["step"]) == (3, 12)
    header, arrays = page.frame
    expected = page.widget.session.pictures()
    assert same((arrays["surface"], arrays["fake"]), (expected.surface, expected.fake))
    assert arrays["values_modes"].shape == (len(arrays["steps_modes"]), 4)
    assert arrays["ended_modes"].tolist() == [len(arrays["steps_modes"])] * 4
    assert header["wall"]["share"]["trials"] == 4
    page.tell({"type": "rest", "request": 4})
    assert page.frame[1]["steps_modes"][-1] == 12
    page.tell({"type": "look", "seed": 3, "request": 5})
    assert page.frame[0]["wall"]["closer"] == 3
    assert page.frame[1]["closer_surface"].shape == (64, 64)
    page.tell({"type": "look", "seed": None, "request": 6})
    assert "closer_fake" not in page.frame[1]


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        {"type": ["step"]},
        {"type": "eval", "code": "1/0"},
        {"type": "once", "steps": 0},
        {"type": "once", "steps": True},
        {"type": "set", "name": "seed", "value": 3},
        {"type": "set", "name": ["lr_g"], "value": 1},
        {"type": "set", "name": "lr_g", "value": None},
        {"type": "set", "name": "lr_g", "value": "1"},
        {"type": "set", "name": "target", "value": "moon"},
        {"type": "reset", "seed": -1},
        {"type": "reset", "seed": 2**32 - 3},
        {"type": "look", "seed": 4},
        {"type": "look", "seed": 1.0},
        {"type": "look", "seed": "1"},
        {"type": "look", "seed": True},
    ],
)
def test_a_message_that_makes_no_sense_is_answered_and_changes_nothing(page, message):
    session = page.widget.session
    before = session.desk.hyper, session.desk.gan, session.seeds, weights(session.states)
    answer = page.tell(message)
    assert kinds(answer) == ["error", "frame"]
    assert len(answer[0]["text"]) > 10
    assert before[:3] == (session.desk.hyper, session.desk.gan, session.seeds)
    assert same(before[3], weights(session.states))


def test_one_view_drives_at_a_time_and_an_interrupt_pauses(page):
    page.tell({"type": "play", "driver": "a"})
    page.tell({"type": "play", "driver": "b"})
    (answer,) = page.tell({"type": "step", "driver": "a", "request": 1})
    assert (answer["type"], answer["driver"]) == ("stopped", "b")
    page.widget.interrupt()
    (answer,) = page.tell({"type": "step", "driver": "b", "request": 2})
    assert "Interrupted" in answer["text"]
    assert page.widget.session.step == 0


def test_a_new_target_reaches_the_page_and_no_clip_travels_as_null(page):
    before = page.widget.scene["runs"][0]
    page.tell({"type": "set", "name": "target", "value": "two moons"})
    assert page.widget.scene["runs"][0]["window"] != before["window"]
    assert page.frame[0]["wall"]["of"] is None
    page.tell({"type": "set", "name": "weight_clip", "value": 0.1})
    assert page.frame[0]["dials"]["weight_clip"] == 0.1
    page.tell({"type": "set", "name": "weight_clip", "value": None})
    assert page.frame[0]["dials"]["weight_clip"] is None
    assert page.widget.session.desk.hyper.weight_clip == math.inf


def test_a_loss_that_raises_is_told_not_lost(page, monkeypatch):
    def broken(*_):
        raise RuntimeError("out of cheese")

    monkeypatch.setattr(page.widget.session, "advance", broken)
    page.tell({"type": "warm", "request": 8})
    answer = page.tell({"type": "once", "steps": 1, "request": 9})
    assert ("out of cheese" in answer[0]["text"], answer[0]["request"]) == (True, 9)


def test_opening_refuses_what_makes_no_sense(small_gan, as_users_see_it):
    with pytest.raises(UnknownName, match="no control is named 'lrg'"):
        lab.wall(small_gan, seeds=4, controls=["lrg"])
    with pytest.raises(TypeError, match=r"write \['loss'\]"):
        lab.wall(small_gan, seeds=4, controls="loss")
    with pytest.raises(ValueError, match="language must be one of en, zh"):
        lab.wall(small_gan, seeds=4, language="de")


def test_a_still_picture_stands_in_where_there_is_no_front_end(small_gan):
    widget = lab.wall(small_gan, seeds=5)
    bundle = widget._repr_mimebundle_()
    contents, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
    assert base64.b64decode(contents["image/png"]).startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"].startswith("Wall of 5 seeds, target ring. 0 of 5 seeds reach all 8 modes")


def test_one_run_opens_alone_in_the_lab(page):
    page.widget.advance(7)
    alone = page.widget.pick(1)
    assert alone.names == ["seed 1"]
    assert same(weights(alone.session.game), weights(one_of(page.widget.states, 1)))
    assert alone.session.frame().header["step"] == 7
    alone.advance(2)
    assert "your_state" in alone.state
