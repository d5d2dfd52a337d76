"""Any moment of a run, exactly as it was; other ways on from there; undo and redo; memory that stays within bounds."""

import json
import math
from dataclasses import replace

import jax
import numpy as np
import pytest

from gan_jax import data, lab, losses, nets, train
from gan_jax.errors import Diverged
from gan_jax.lab import Session
from gan_jax.lab.timeline import ACTIONS, KEPT, KEYS_TOLD, MARKS_TOLD, Line, Timeline
from gan_jax.train import Gan, Hyperparams

pytestmark = pytest.mark.once


def same(one, other):
    """Whether two states are equal to the last bit, and made by the same rules."""
    plain = lambda leaf: jax.random.key_data(leaf) if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf  # noqa: E731
    leaves = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return one.gan == other.gan and all(np.array_equal(plain(a), plain(b)) for a, b in leaves)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def session(small_gan):
    session = Session(small_gan)
    session.timeline._clock = Clock()
    return session


def act(session, name, value):
    """Move a dial as an action of its own: some seconds after the last."""
    session.timeline._clock.now += 10
    session.set(name, value)


MOVES = [
    ("lr_g", 0.004),
    ("loss", "hinge"),
    ("target", "two moons"),
    ("players", "generator"),
    ("lr_d", 0.03),
    ("weight_clip", 0.5),
]


def walk(session, chunks=(1, 9, 23, 2, 31), moves=MOVES):
    """Train with a move after every few chunks; every state on the way, by step."""
    seen = {0: session.game}
    for name, value in [*moves, (None, None)]:
        for n in chunks:
            session.advance(n)
            seen[int(session.game.step)] = session.game
        if name:
            act(session, name, value)
    return seen


# ---- any moment ----


def test_any_step_comes_back_bit_for_bit_whatever_was_changed_on_the_way(session):
    seen = walk(session)
    assert len(session.timeline.line.keys) > 5
    for step, state in seen.items():
        assert same(session.timeline.at_step(step), state), step
    # and without any key state but the first
    session.timeline.line.keys = {}
    for step in list(seen)[::6]:
        assert same(session.timeline.at_step(step), seen[step]), step


def test_another_batch_size_and_more_steps_of_a_player_are_part_of_the_way(session):
    seen = walk(session, chunks=(3, 30), moves=[])
    for changed in ({"batch_size": 16, "g_steps": 2}, {"batch_size": 32, "g_steps": 1}):
        session.gan = replace(session.gan, **changed)
        session.advance(11)
        seen[int(session.game.step)] = session.game
    session.timeline.line.keys = {}
    for step, state in seen.items():
        assert same(session.timeline.at_step(step), state), step


def test_travel_puts_state_dials_menus_and_target_back_as_they_were(session):
    seen = walk(session)
    choices, hyper, end = session.choices, session.hyper, session.game
    assert session.travel(0) == 0
    assert session.hyper == Hyperparams()
    assert session.choices["loss"] == "nonsaturating"
    assert session.target_name == "ring"
    assert same(session.game, seen[0])
    assert session.frame().header["step"] == 0
    session.travel(67)
    assert session.hyper.lr_g == 0.004
    assert same(session.game, session.timeline.at_step(67))
    session.travel(int(end.step))
    assert same(session.game, end)
    assert (session.choices, session.hyper) == (choices, hyper)


def test_a_dial_that_was_moved_after_the_last_step_is_still_moved_on_return(session):
    session.advance(30)
    act(session, "lr_d", 0.02)
    session.travel(10)
    assert session.hyper.lr_d == 1e-3
    session.travel(30)
    assert session.hyper.lr_d == 0.02


def test_charts_come_back_with_the_steps_that_they_show(session):
    session.advance(30)
    first = session.frame().arrays["curve"]
    act(session, "loss", "hinge")  # a chart of its own begins
    session.advance(20)
    second = session.frame().arrays["curve"]
    for step, shown, begins in [(10, first, 0), (40, second, 30), (29, first, 0), (50, second, 30)]:
        session.travel(step)
        frame = session.frame()
        assert np.array_equal(frame.arrays["curve"], shown)
        assert frame.header["first"] == begins
    session.travel(10)
    session.advance(3)
    assert len(session.frame().arrays["curve"]) == 13
    session.undo()
    assert np.array_equal(session.frame().arrays["curve"], second)


@pytest.mark.parametrize("step", [-1, 31, 1.5, "3", None, True])
def test_a_step_that_the_run_does_not_have_is_refused(session, step, as_users_see_it):
    session.advance(30)
    with pytest.raises(ValueError, match=r"step must be a whole number|there is no step 31"):
        session.travel(step)
    assert session.game.step == 30
    assert session.timeline.describe()["undo"] is None


def test_a_long_way_goes_in_pieces_of_some_time(session):
    session.timeline.line.keys = {}
    for _ in range(3):
        session.advance(1000)
    end = session.game
    session.timeline.line.keys = {}
    session.travel(0)
    session.timeline.line.keys = {}
    stops = [session.travel(3000, seconds=0.0)]
    assert stops == [0]
    assert session.timeline.goal == 3000
    while session.timeline.goal is not None:
        stops.append(session.travel(3000, seconds=0.02))
    assert stops == sorted(stops)
    assert same(session.game, end)


def test_a_drag_shows_states_at_hand_and_lets_nothing_be_trained(session, monkeypatch):
    walk(session)
    keys = {0, *session.timeline.line.keys}
    monkeypatch.setattr(session.timeline, "_play", None)
    for step in (0, 5, 77, 201, 300):
        stood = session.travel(step, exact=False)
        assert abs(stood - step) == min(abs(key - step) for key in keys)


# ---- futures ----


def test_who_walks_the_same_way_again_stays_on_the_run(session):
    seen = walk(session)
    end = max(seen)
    session.travel(100)
    session.advance(20)
    assert (session.timeline.at, session.timeline.line.end) == (120, end)
    assert not session.timeline.kept
    session.travel(end)
    session.advance(5)
    assert session.timeline.line.end == end + 5


def test_another_dial_in_the_past_begins_another_way_and_the_old_one_is_kept(session):
    session.advance(60)
    old = session.game
    session.travel(40)
    act(session, "lr_g", 0.05)
    assert session.timeline.line.end == 60  # nothing is decided before a step is taken
    session.advance(5)
    assert (session.timeline.line.end, list(session.timeline.kept)) == (45, ["run 1"])
    new = session.game
    assert not same(session.timeline.at_step(45), session.timeline.kept["run 1"].origin)
    session.take_way("run 1")
    assert same(session.game, old)
    assert session.hyper.lr_g == 1e-3
    assert session.timeline.line.end == 60
    (back,) = session.timeline.kept
    session.take_way(back)
    assert same(session.game, new)


def test_only_some_other_ways_are_kept(session):
    session.advance(40)
    for i in range(KEPT + 3):
        session.travel(10)
        act(session, "lr_g", 0.001 * (i + 2))
        session.advance(3)
    assert list(session.timeline.kept) == [f"run {i}" for i in range(4, KEPT + 4)]
    with pytest.raises(ValueError, match="no run is kept under the name 'run 1'; there are: run 4"):
        session.take_way("run 1")


def test_a_branch_shares_the_past_and_nothing_else(session):
    seen = walk(session)
    other = session.branch(110)
    assert same(other.game, session.timeline.at_step(110))
    assert (other.hyper, other.gan, other.target_name, other.seed) == (
        session.timeline.line.rules_at(110).hyper, session.timeline.line.rules_at(110).gan,
        session.timeline.line.rules_at(110).target_name, session.seed,
    )  # fmt: skip
    other.set("lr_g", 0.0)
    other.advance(40)
    assert (other.timeline.line.end, session.timeline.line.end) == (150, max(seen))
    assert same(session.game, seen[max(seen)])
    for step in (0, 33, 99, 110):
        assert same(other.timeline.at_step(step), session.timeline.at_step(step))
    shared = {id(key) for key in other.timeline.line.keys.values()} & {
        id(k) for k in session.timeline.line.keys.values()
    }
    assert len(shared) > 2  # not copied


# ---- undo and redo ----


def test_undo_goes_back_through_every_kind_of_action_and_redo_forth(session):
    session.advance(10)
    stations = []

    def station():
        return session.game, session.hyper, session.choices, session.seed, session.timeline.at

    for action in (
        lambda: act(session, "lr_g", 0.01),
        lambda: act(session, "loss", "hinge"),
        lambda: act(session, "target", "two moons"),
        lambda: act(session, "samples", "average"),
        lambda: session.travel(7),
        lambda: act(session, "optimizer", "sgd"),
        lambda: session.reset(9),
    ):
        stations.append(station())
        action()
        session.advance(4)
    final = station()
    names = []
    for expected in reversed(stations):
        names.append(session.undo())
        found = station()
        assert same(found[0], expected[0])
        assert found[1:] == expected[1:]
    assert names == ["reset", "optimizer", "travel", "samples", "target", "loss", "lr_g"]
    with pytest.raises(ValueError, match="nothing to undo"):
        session.undo()
    assert [session.redo() for _ in names] == names[::-1]
    found = station()
    assert same(found[0], final[0])
    assert found[1:] == final[1:]
    with pytest.raises(ValueError, match="nothing to redo"):
        session.redo()


def test_a_run_goes_on_from_where_undo_put_it(session):
    session.advance(10)
    act(session, "lr_g", 0.05)
    session.advance(10)
    session.undo()
    session.advance(10)
    expected = train.init(session.gan, Hyperparams(), jax.random.key(0))
    expected, _ = train.steps(session.gan, Hyperparams(), data.ring(8), expected, 20)
    assert same(session.game, expected)
    assert [line.end for line in session.timeline.kept.values()] == [20]  # what was undone is not lost


def test_a_drag_is_one_action(session):
    session.advance(5)
    clock = session.timeline._clock
    for i in range(30):
        clock.now += 0.1
        session.set("lr_g", 0.001 * (i + 2))
        session.advance(2)
    clock.now += 0.1
    session.set("lr_d", 0.5)
    assert session.undo() == "lr_d"
    assert session.hyper.lr_g == pytest.approx(0.031)
    assert session.undo() == "lr_g"
    assert (session.hyper.lr_g, session.timeline.at) == (1e-3, 5)
    with pytest.raises(ValueError, match="nothing to undo"):
        session.undo()


def test_two_moves_of_a_dial_with_a_rest_between_are_two_actions(session):
    act(session, "lr_g", 0.01)
    act(session, "lr_g", 0.02)
    session.undo()
    assert session.hyper.lr_g == 0.01


def test_what_is_refused_or_changes_nothing_is_no_action(session):
    with pytest.raises(ValueError, match="lr_g must be in"):
        session.set("lr_g", -1.0)
    session.set("lr_g", session.hyper.lr_g)
    session.reset()
    assert session.timeline.describe()["undo"] is None


def test_a_new_action_ends_what_could_be_redone(session):
    act(session, "lr_g", 0.01)
    session.undo()
    act(session, "lr_d", 0.01)
    with pytest.raises(ValueError, match="nothing to redo"):
        session.redo()


# ---- divergence ----


def test_the_past_of_a_divergence_comes_back_too(small_gan):
    session = Session(replace(small_gan, optimizer="sgd", loss=losses.wasserstein), hyper=Hyperparams(lr_d=0.0))
    session.advance(210)
    session.set("lr_d", 50.0)
    with pytest.raises(Diverged):
        session.advance(1000)
    good = session.game
    assert session.timeline.line.end == session.timeline.at == int(good.step) > 210
    session.set("lr_d", 0.0)
    with pytest.raises(Diverged, match=r"went back to step 210\."):
        session.advance(1)
    assert (session.timeline.at, session.timeline.line.end) == (210, 210)
    session.advance(7)
    for step in (0, 100, 210, 217):
        assert int(session.timeline.at_step(step).step) == step
    assert same(session.timeline.at_step(217), session.game)


# ---- memory ----


def test_memory_is_flat_over_fifty_thousand_steps(small_gan):
    tiny = Gan(nets.mlp(1, 2, 2), nets.mlp(2, 2, 1), batch_size=2)
    session = Session(tiny)
    size = session.timeline.line.size
    session.timeline.memory = 100.0 * size
    high = []
    for i in range(100):
        session.advance(500)
        if i % 20 == 0:
            session.set("lr_g", 1e-3 / (i + 2))
        high.append(session.timeline.nbytes)
    assert session.timeline.line.end == 50_000
    assert max(high) <= session.timeline.memory
    assert high[-1] > session.timeline.memory / 4  # and is made use of
    gaps = np.diff([0, *sorted(session.timeline.line.keys), 50_000])
    assert gaps.max() <= 4 * gaps.mean()
    end = session.game
    session.travel(31_234)
    session.travel(50_000)
    assert same(session.game, end)


def test_memory_stays_within_its_bound_whatever_the_hand_does(small_gan):
    session = Session(small_gan)
    session.timeline._clock = clock = Clock()
    session.timeline.memory = 60.0 * session.timeline.line.size
    random = np.random.default_rng(0)
    for i in range(150):
        clock.now += 10
        kind = random.choice(["dial", "reset", "travel", "undo", "train"], p=[0.2, 0.1, 0.25, 0.1, 0.35])
        if kind == "dial":
            session.set("lr_g", float(random.uniform(0, 1e-3)))
        elif kind == "reset":
            session.reset(int(i))
        elif kind == "travel":
            session.travel(int(random.integers(0, session.timeline.line.end + 1)))
        elif kind == "undo" and session.timeline.describe()["undo"]:
            session.undo()
        session.advance(int(random.integers(1, 60)))
        assert session.timeline.nbytes <= session.timeline.memory
        assert len(session.timeline._done) <= ACTIONS
        assert session.timeline.at == session.game.step
    for step in random.integers(0, session.timeline.line.end, 5):
        assert int(session.timeline.at_step(int(step)).step) == step


@pytest.mark.parametrize("memory", [0, -1, math.nan, "1 GB", True])
def test_memory_is_a_number_of_bytes(memory, as_users_see_it):
    with pytest.raises(ValueError, match="memory must be a positive number of bytes"):
        Timeline(memory)


def test_a_state_that_somebody_put_there_begins_a_run_of_its_own(session):
    session.advance(20)
    session.game, _ = train.steps(session.gan, Hyperparams(lr_g=0.1), session.target, session.game, 5)
    session.advance(3)
    assert session.timeline.line.first == 28
    session.advance(4)
    assert same(session.timeline.at_step(32), session.game)
    assert "your_state" in session.state


# ---- what the page is told ----


def test_the_page_is_told_where_the_run_stands_in_a_few_plain_numbers(session):
    for i in range(70):
        session.advance(30)
        act(session, "lr_g", 0.001 + i / 1e5)
    session.travel(333)
    told = session.timeline.describe()
    assert len(json.dumps(told, allow_nan=False)) < 3000
    assert (told["first"], told["last"], told["at"], told["goal"]) == (0, 2100, 333, None)
    assert told["keys"] == sorted(told["keys"])
    assert 10 < len(told["keys"]) <= KEYS_TOLD
    assert (told["keys"][0], told["keys"][-1]) == (0, 2100)
    assert 10 < len(told["marks"]) <= MARKS_TOLD
    assert told["marks"][0] == {"step": 30, "text": "lr_g 0.001"} or told["marks"][0]["step"] == 60
    assert (told["undo"], told["redo"]) == ("travel", None)


def test_marks_name_what_changed_and_to_what(session):
    walk(session, chunks=(4,))
    assert [(mark["step"], mark["text"]) for mark in session.timeline.line.marks] == [
        (4, "lr_g 0.004"), (8, "loss hinge"), (12, "target two moons"), (16, "players generator"), (20, "lr_d 0.03"),
        (24, "weight_clip 0.5"),
    ]  # fmt: skip


def test_a_line_never_changes_what_it_has_told(session):
    walk(session)
    line = session.timeline.line
    way = line.way
    session.travel(50)
    act(session, "lr_g", 0.07)
    session.advance(30)
    assert line.way == way
    assert isinstance(line.until(50), Line)
    assert line.until(50).way[-1][1] == 50


# ---- what the page may ask ----


@pytest.fixture
def page(small_gan):
    """A lab of one run at step 60, and a function that sends it a message and returns the answers."""
    widget = lab.open(small_gan)
    widget.session.timeline._clock = Clock()
    widget.advance(60)
    sent = []
    widget.send = lambda content, buffers=None: sent.append(content)

    def tell(message):
        sent.clear()
        widget._handle_custom_msg(message, [])
        return list(sent)

    tell.widget = widget
    return tell


def test_the_page_travels_undoes_branches_and_closes(page):
    widget = page.widget
    (frame,) = page({"type": "travel", "step": 20, "exact": True, "request": 7})
    assert (frame["type"], frame["request"]) == ("frame", 7)
    assert frame["runs"][0]["timeline"]["at"] == frame["runs"][0]["step"] == 20
    (frame,) = page({"type": "undo", "request": 8})
    assert frame["runs"][0]["timeline"]["at"] == 60
    (frame,) = page({"type": "redo", "request": 9})
    assert frame["runs"][0]["timeline"]["at"] == 20
    *_, frame = page({"type": "branch", "step": 10, "request": 10})
    assert (frame["request"], frame["active"]) == (10, 1)
    assert [(run["name"], run["step"]) for run in frame["runs"]] == [("A", 20), ("B", 10)]
    page({"type": "branch", "step": 5, "name": "calm"})
    assert widget.names == ["A", "B", "calm"]
    page({"type": "branch", "step": 5})
    refusal, frame = page({"type": "branch", "step": 5})
    assert "up to 4 runs side by side; close one first" in refusal["text"]
    page({"type": "activate", "run": 0})
    page({"type": "close", "run": 1})
    assert (widget.names, widget.active) == (["A", "calm", "C"], 0)


def test_with_several_runs_a_hand_may_move_all_through_time(page):
    widget = page.widget
    page({"type": "branch", "step": 40})
    widget.advance(10)
    page({"type": "set", "name": "lr_g", "value": 0.02, "everywhere": True})
    page({"type": "undo", "everywhere": True})
    assert [session.hyper.lr_g for session in widget.sessions] == [1e-3, 1e-3]
    page({"type": "travel", "step": 55, "everywhere": True})  # the second has no such step
    page({"type": "activate", "run": 0})
    page({"type": "travel", "step": 30, "everywhere": True})
    assert [int(session.game.step) for session in widget.sessions] == [30, 30]


def test_a_way_that_was_left_is_taken_up_by_name(page):
    page({"type": "travel", "step": 20})
    page({"type": "set", "name": "lr_g", "value": 0.05})
    page({"type": "once", "steps": 5})
    (frame,) = page({"type": "way", "name": "run 1", "request": 1})
    assert frame["runs"][0]["step"] == 60
    assert frame["runs"][0]["timeline"]["kept"] == [{"name": "run 2", "last": 25}]


def test_code_and_string_are_told_and_a_string_is_taken_up(page):
    widget, end = page.widget, page.widget.session.game
    (code,) = page({"type": "code", "request": 1})
    assert (code["type"], code["request"], code["text"]) == ("code", 1, str(widget.state))
    (string,) = page({"type": "string", "request": 2})
    page({"type": "reset", "seed": 5})
    (frame,) = page({"type": "restore", "text": string["text"], "request": 3})
    told = frame["runs"][0]["timeline"]
    assert (told["at"], told["last"], told["goal"], told["undo"]) == (0, 60, 60, "restore")
    while (goal := told["goal"]) is not None:
        *_, frame = page({"type": "travel", "step": goal})
        told = frame["runs"][0]["timeline"]
    assert same(widget.session.game, end)
    page({"type": "undo"})
    assert (widget.session.seed, widget.session.timeline.at) == (5, 0)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "travel"},
        {"type": "travel", "step": -1},
        {"type": "travel", "step": 61},
        {"type": "travel", "step": 1.5},
        {"type": "travel", "step": "20"},
        {"type": "travel", "step": True},
        {"type": "travel", "step": None, "everywhere": True},
        {"type": "undo", "what": "__class__"},
        {"type": "redo"},
        {"type": "branch"},
        {"type": "branch", "step": 61},
        {"type": "branch", "step": 3, "name": ""},
        {"type": "branch", "step": 3, "name": "x" * 41},
        {"type": "branch", "step": 3, "name": ["x"]},
        {"type": "way"},
        {"type": "way", "name": "run 1"},
        {"type": "way", "name": {}},
        {"type": "restore"},
        {"type": "restore", "text": 3},
        {"type": "restore", "text": "gan1.AAAA"},
        {"type": "close", "run": 0},
    ],
)
def test_a_message_that_makes_no_sense_is_answered_and_changes_nothing(page, message):
    session = page.widget.session
    before = session.game, session.rules, session.timeline.describe(), list(page.widget.sessions)
    answer = page(message)
    assert [each["type"] for each in answer] == ["error", "frame"]
    assert len(answer[0]["text"]) > 10
    assert before == (session.game, session.rules, session.timeline.describe(), page.widget.sessions)
