"""The lab's view of images without a browser: what is drawn against the state, neighbours against other searches."""

import base64
import json
from dataclasses import replace
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageSequence
from sklearn.neighbors import NearestNeighbors

from gan_jax import data, lab, losses, nets, train
from gan_jax.errors import UnknownName
from gan_jax.lab import image_neighbours
from gan_jax.lab.image_neighbours import Neighbours
from gan_jax.lab.image_session import REACH, STOPS, ImageSession, as_bytes
from gan_jax.lab.images import IMAGE_CONTROLS, Images
from gan_jax.lab.replay import past
from gan_jax.train import Gan, Hyperparams

pytestmark = pytest.mark.once

SMALL = Gan(nets.mlp(4, 16, 64, output="tanh"), nets.mlp(64, 16, 1), batch_size=16)


@pytest.fixture(scope="module")
def trained():
    session = ImageSession(SMALL)
    session.advance(20)
    return session


@pytest.fixture(scope="module")
def told():
    """Convolutions, colour and classes: all that differs from flat grey images, in one program."""
    pixels = np.random.default_rng(0).integers(0, 256, (48, 8, 8, 3), np.uint8)
    target = data.dataset(pixels, np.arange(48) % 3, name="noise", flat=False)
    recipes = [make((8, 8, 3), 4, classes=3) for make in (generator, nets.dcgan_discriminator)]
    return ImageSession(Gan(*recipes, batch_size=8), target)


def generator(shape, width, **settings):
    return nets.dcgan_generator(6, shape, width, **settings)


# ---- what is drawn ----


def test_the_images_are_the_state_s_own_of_the_same_latents(trained):
    frame = trained.frame()
    drawn = np.asarray(trained.game.generator(trained.latents)).reshape(64, 8, 8, 1)
    np.testing.assert_allclose(trained.images(), drawn, atol=1e-5)
    assert frame.arrays["images"].shape == (64, 8, 8, 1)
    assert np.abs(frame.arrays["images"] / 127.5 - 1 - drawn).max() < 0.006  # half a byte
    assert frame.header["step"] == 20
    assert len(frame.arrays["curve"]) == 20


def test_the_average_of_the_weights_can_be_shown(trained):
    raw = trained.images()
    trained.set("samples", "average")
    averaged = np.asarray(trained.game.averaged_generator(trained.latents)).reshape(raw.shape)
    np.testing.assert_allclose(trained.images(), averaged, atol=1e-5)
    assert np.abs(averaged - raw).max() > 0.01
    trained.set("samples", "generator")


def test_colour_and_classes_each_row_a_class_each_column_a_latent(told):
    assert (told.rows, told.columns, told.classes) == (3, 8, 3)
    z = np.asarray(told.latents).reshape(3, 8, -1)
    assert np.array_equal(z[1:], z[:2])
    assert len(np.unique(z[0], axis=0)) == 8
    drawn = jax.jit(lambda g, z, labels: g(z, labels))(told.game.generator, z.reshape(24, -1), jnp.arange(24) // 8)
    np.testing.assert_allclose(told.images(), np.clip(drawn, -1, 1), atol=1e-5)
    assert np.asarray(told.target.labels)[told.shown].tolist() == np.repeat(range(3), 8).tolist()
    assert told.scene()["classes"] == [0, 1, 2]
    own = told.walk(9, 20)  # class 1 all the way, though it ends at class 2's latent
    np.testing.assert_allclose(own[:, 0], told.images()[[9, 9]], atol=1e-5)
    np.testing.assert_allclose(own[:, -1], told.images()[[12, 12]], atol=1e-5)


def test_a_category_of_the_code_is_a_row():
    recipes = nets.mlp(7, 16, 64), nets.mlp(64, 16, 1, heads=5)
    session = ImageSession(Gan(*recipes, auxiliary=losses.information(categories=3, continuous=2), batch_size=16))
    z = np.asarray(session.latents).reshape(3, 8, 7)
    assert z[:, :, 2:5].tolist() == np.broadcast_to(np.eye(3)[:, None], (3, 8, 3)).tolist()
    assert np.array_equal(z[1:][..., [0, 1, 5, 6]], z[:2][..., [0, 1, 5, 6]])
    assert session.labels is None
    assert session.images().shape == (24, 8, 8, 1)
    assert (session.scene()["classes"], session.scene()["coded"]) == ([0, 1, 2], True)
    assert "auxiliary=losses.information(categories=3, continuous=2)" in session.state
    assert Images(session).setup["controls"] == list(IMAGE_CONTROLS)  # D has heads: their weight is a dial


def test_a_walk_begins_and_ends_at_its_samples_straight_and_on_the_sphere(trained):
    a, b = np.asarray(trained.latents)[[3, 40]]
    walked = trained.walk(3, 40)
    assert walked.shape == (2, STOPS, 8, 8, 1)
    for way in walked:
        np.testing.assert_allclose(way[[0, -1]], trained.images()[[3, 40]], atol=1e-5)
    middle = STOPS // 2
    angle = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    on_sphere = (a + b) * np.sin(angle / 2) / np.sin(angle)
    np.testing.assert_allclose(walked[:, middle], trained.draw(np.stack([(a + b) / 2, on_sphere])), atol=1e-4)


@pytest.mark.parametrize("pair", [0, 1, None])
def test_the_explorer_goes_along_two_directions_at_right_angles(trained, pair):
    directions = trained.directions(pair)
    np.testing.assert_allclose(directions @ directions.T, np.eye(2), atol=1e-6)
    if pair is None:
        assert directions[:, -2:].tolist() == np.eye(2).tolist()
    drawn, z = trained.explore(7, 0.5, -2.0, pair), np.asarray(trained.latents)[7]
    steps = np.linspace(-REACH, REACH, STOPS, dtype=np.float32)
    along = [z + steps[20] * directions[0] - 2 * directions[1], z + 0.5 * directions[0] + steps[3] * directions[1]]
    np.testing.assert_allclose(drawn[[0, 1], [20, 3]], trained.draw(np.stack(along)), atol=1e-4)


def test_a_uniform_latent_is_explored_inside_its_box():
    session = ImageSession(replace(SMALL, latent="uniform"))
    seen = []
    session.draw = lambda z, labels=None: seen.append(z) or np.zeros((len(z), 8, 8, 1))
    session.explore(0, REACH, -REACH)
    assert np.abs(seen[0]).max() <= 1
    assert len(ImageSession(replace(SMALL, generator=nets.mlp(1, 16, 64), latent_dim=None)).directions(2)) == 2


@pytest.mark.parametrize("call", [("walk", 0, 64), ("walk", -1, 0), ("nearest", True), ("nearest", "3"),
                                  ("explore", 1.5), ("explore", 0, 9.0), ("explore", 0, 0.0, "far")])  # fmt: skip
def test_what_is_no_sample_and_too_far_is_refused_by_name(trained, call, as_users_see_it):
    with pytest.raises(ValueError, match=r"^(sample|start|end|s|t) must be a "):
        getattr(trained, call[0])(*call[1:])


# ---- neighbours ----


@pytest.fixture(scope="module")
def digits():
    return Neighbours(data.digits(), lambda x: np.tanh(x.reshape(len(x), -1)[:, ::3]), "every third pixel")


def vectors(neighbours, space, x):
    flat = x.reshape(len(x), -1).astype(np.float64)
    return flat if space == "pixels" else np.tanh(flat[:, ::3])


@pytest.mark.parametrize("space", ["pixels", "every third pixel"])
def test_the_nearest_images_are_those_of_another_search(digits, space, monkeypatch):
    monkeypatch.setattr(image_neighbours, "CHUNK", 500)
    every = vectors(digits, space, digits.images(slice(None)))
    other = NearestNeighbors().fit(every)
    for image in np.random.default_rng(1).uniform(-1, 1, (3, 8, 8, 1)).astype(np.float32):
        found = next(near for near in digits.nearest(image, 7) if near.space == space)
        distance, places = other.kneighbors(vectors(digits, space, image[None]), 7)
        np.testing.assert_allclose(found.distance, distance[0], rtol=1e-5)
        assert found.places.tolist() == places[0].tolist()
    held = np.sort(other.kneighbors(every, 2)[0][:, 1])  # the nearest but itself, of all of them
    assert digits.held(space)[0] >= held[0] - 1e-5
    assert np.median(digits.held(space)) == pytest.approx(np.median(held), rel=0.15)  # of 128
    chosen = np.random.default_rng(0).permutation(1797)[:128]
    exact = np.sort(other.kneighbors(every[chosen], 2)[0][:, 1])
    np.testing.assert_allclose(Neighbours(data.digits()).held("pixels") if space == "pixels" else digits.held(space),
                               exact, rtol=1e-4)  # fmt: skip


def test_a_copy_shows_and_a_real_image_left_out_does_not():
    images = np.asarray(data.digits().images)
    known, unknown = images[300:], images[:300]
    search = Neighbours(data.dataset(known, peak=16))
    copied = search.images(np.arange(40)) + np.float32(0.01)
    assert max(search.nearest(image)[0].share for image in copied) == 0
    shares = [search.nearest((2 * image.astype(np.float32) - 16) / 16)[0].share for image in unknown]
    assert 0.3 < np.mean(shares) < 0.75  # as for any real image, about a half
    assert np.mean(np.array(shares) <= 0.02) < 0.1


def test_one_image_has_no_other_to_compare_with():
    near = Neighbours(data.dataset(np.zeros((1, 8, 8), np.uint8))).nearest(np.zeros((8, 8, 1), np.float32))[0]
    assert (near.places.tolist(), near.distance.tolist(), len(near.held)) == ([0], [8.0], 0)


def test_digits_are_compared_in_the_shipped_classifier_s_features_others_in_pixels(trained, told):
    assert trained.neighbours.spaces == ["pixels", "digits features"]
    assert told.neighbours.spaces == ["pixels"]


# ---- training ----


def test_the_code_brings_the_run_back_bit_for_bit(told):
    session = ImageSession(SMALL, seed=3)
    session.advance(4)
    session.set("lr_g", 0.002)
    session.advance(3)
    made = {}
    exec(str(session.state), made)
    assert all(map(np.array_equal, jax.tree.leaves(made["state"].generator), jax.tree.leaves(session.game.generator)))
    assert "target = data.digits()" in session.state
    assert "nets.dcgan_generator(6, (8, 8, 3), 4, classes=3)" in told.state
    assert "your_target" in told.state


def test_a_dial_compiles_nothing_anew(trained):
    before = train.loops._loop_compiled._cache_size()
    for value in (1e-3, 3e-4):
        trained.set("lr_d", value)
        trained.advance(1)
    assert train.loops._loop_compiled._cache_size() == before


def test_a_slow_step_is_one_a_request_and_quick_ones_fill_the_time(trained):
    game, pace = trained.game, trained._pace[trained._program]
    trained._pace[trained._program] = 0.5
    assert trained.advance() == 1
    trained._pace[trained._program] = ImageSession.budget / 6.5
    assert trained.advance() == 6
    trained._pace[trained._program], trained.game = pace, game


def test_what_is_no_image_is_refused(as_users_see_it):
    with pytest.raises(TypeError, match=r"data set of images such as data.digits\(\)"):
        lab.images(SMALL, data.ring(8))
    with pytest.raises(ValueError, match=r"lab.images\(gan, target\)"):
        lab.open(SMALL, data.digits())
    with pytest.raises(ValueError, match="64"):
        lab.images(Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1)), data.digits())
    with pytest.raises(UnknownName, match="control"):
        lab.images(SMALL, controls=["heat"])
    with pytest.raises(TypeError, match="list of names"):
        lab.images(SMALL, controls="lr_g")


# ---- the widget, through its messages ----


class Page:
    """A page that the view talks to: keeps what is sent, and reads arrays as the JavaScript does."""

    def __init__(self, widget):
        self.widget, self.sent = widget, []
        widget.send = lambda content, buffers=None: self.sent.append((content, buffers))

    def tell(self, **message):
        before = len(self.sent)
        self.widget._handle_custom_msg(message, [])
        return [content for content, _ in self.sent[before:]]

    @property
    def last(self):
        """Header and arrays of the last message with bytes."""
        content, (block,) = next(sent for sent in reversed(self.sent) if sent[1])
        json.dumps(content, allow_nan=False)
        (run,) = lab.unpack(content.get("runs") or [content], block)
        return {**content, **run.header}, run.arrays


@pytest.fixture
def page():
    return Page(Images(ImageSession(SMALL)))


def kinds(messages):
    return [message["type"] for message in messages]


def test_the_page_asks_and_is_answered(page):
    session = page.widget.session
    assert kinds(page.tell(type="hello", request=1)) == ["compiling", "frame"]
    assert kinds(page.tell(type="warm", request=2)) == ["compiling", "frame"]
    assert kinds(page.tell(type="play", driver="a")) == ["driver"]
    (answer,) = page.tell(type="step", driver="a", steps=3, request=3)
    header, arrays = page.last
    assert (answer["request"], header["step"]) == (3, 3)
    assert np.array_equal(arrays["images"], as_bytes(session.images()))
    page.tell(type="nearest", sample=5, view="v", asked=8)
    header, arrays = page.last
    assert (header["type"], header["view"], header["asked"], header["step"]) == ("nearest", "v", 8, 3)
    assert arrays["images"].shape == (2, 5, 8, 8, 1)
    for told, near in zip(header["spaces"], session.nearest(5), strict=True):
        assert (told["space"], told["index"], told["share"]) == (near.space, near.places.tolist(), near.share)
        assert told["held"]["low"] < told["held"]["middle"] < told["held"]["high"]
    first = np.array(header["spaces"][0]["index"][:1])
    assert np.array_equal(arrays["images"][0, :1], as_bytes(session.neighbours.images(first)))
    page.tell(type="walk", start=1, end=2, view="v", asked=9)
    assert np.array_equal(page.last[1]["images"], as_bytes(session.walk(1, 2)))
    page.tell(type="explore", sample=1, s=1, t=-0.25, pair=None, view="v", asked=10)
    assert np.array_equal(page.last[1]["images"], as_bytes(session.explore(1, 1, -0.25, None)))
    page.tell(type="set", name="samples", value="average")
    assert page.last[0]["choices"]["samples"] == "average"
    page.tell(type="reset", seed=4)
    assert (page.last[0]["step"], page.last[0]["seed"]) == (0, 4)


@pytest.mark.parametrize("message", [
    {"type": "eval"},
    {"type": "once", "steps": 0},
    {"type": "set", "name": "target", "value": "ring"},
    {"type": "set", "name": "g_width", "value": 8},
    {"type": "set", "name": "lr_g", "value": "high"},
    {"type": "nearest", "sample": 64},
    {"type": "walk", "start": 0},
    {"type": "explore", "sample": 0, "pair": -2},
    {"type": "explore", "sample": 0, "s": "0"},
    {"type": "reset", "seed": -1},
    {"type": "travel", "step": 9},
    {"type": "undo"},
    {"type": "way", "name": "run 7"},
    {"type": "branch", "step": 0},
], ids=str)  # fmt: skip
def test_what_cannot_be_served_is_told_and_changes_nothing(page, message, as_users_see_it):
    before = page.widget.session.hyper
    answers = page.tell(**message, request=1)
    assert kinds(answers)[0] == "error"
    assert len(answers[0]["text"]) > 15
    assert page.widget.session.hyper == before
    assert int(page.widget.game.step) == 0


def test_a_divergence_a_raising_loss_and_an_interrupt_are_told_and_training_can_go_on(monkeypatch):
    session = ImageSession(replace(SMALL, loss=losses.wasserstein, optimizer="sgd"))
    page = Page(Images(session))
    page.tell(type="play", driver="a")
    page.tell(type="step", driver="a", steps=2, request=1)
    session.set("lr_d", 1e30)
    answers = page.tell(type="step", driver="a", steps=5, request=2)
    assert "diverged" in kinds(answers)
    assert answers[-1]["runs"][0]["fault"]
    session.set("lr_d", 1e-4)
    (stopped,) = page.tell(type="step", driver="a", steps=1, request=3)
    assert stopped["type"] == "stopped"  # whoever wants to go on presses play
    page.tell(type="play", driver="a")
    assert kinds(page.tell(type="step", driver="a", steps=1, request=4)) == ["frame"]

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(session, "advance", interrupted)
        (told,) = page.tell(type="step", driver="a", request=5)
    assert (told["type"], told["driver"]) == ("stopped", "")
    page.tell(type="play", driver="b")
    assert kinds(page.tell(type="step", driver="b", steps=1, request=6)) == ["frame"]

    breaks = []

    def broken(real, fake):
        if breaks:
            raise RuntimeError("my own loss breaks")
        return jnp.mean(fake)

    session._menus["loss"]["mine"] = losses.Loss(broken, broken, "mine")
    session.set("loss", "mine")
    breaks.append(True)
    assert "my own loss breaks" in page.tell(type="step", driver="b", steps=1, request=7)[-2]["text"]


def test_a_still_picture_and_its_numbers_stand_in(trained):
    live = Images(trained)
    contents, metadata = live._repr_mimebundle_()
    assert base64.b64decode(contents["image/png"]).startswith(b"\x89PNG")
    words = metadata["image/png"]["alt"]
    assert words.startswith(f"64 images drawn by the generator at step {int(trained.game.step)}")
    assert "digits, 1,797 images" in words
    assert "Last losses: D " in words
    assert contents["text/plain"].startswith(words)


def test_the_dials_shown_are_those_that_something_on_the_page_can_wake():
    """Of rules under which some are idle, the menus and dials that wake them are moved; what sleeps on is left out."""
    session = ImageSession(replace(SMALL, loss=losses.wasserstein))
    shown = Images(session).setup["controls"]
    asleep = set(session.idle)
    assert {"penalty_weight", "noise_steps", "label_smoothing"} <= asleep
    for name, value in [("loss", "nonsaturating"), ("penalty", "r1"), ("instance_noise", 0.1)]:
        session.set(name, value)
        asleep &= set(session.idle)
    assert asleep == {"auxiliary_weight"}
    assert shown == [name for name in IMAGE_CONTROLS if name not in asleep]
    assert Images(session, ["auxiliary_weight"]).setup["controls"] == ["auxiliary_weight"]  # asked for by name


# ---- the way back, and the way out ----


def same(one, other):
    return all(map(np.array_equal, jax.tree.leaves(one.generator), jax.tree.leaves(other.generator)))


def test_the_page_goes_back_in_time_on_from_there_and_undoes_it(page):
    session = page.widget.session
    page.widget.advance(30)
    at_30 = session.game
    session.set("lr_g", 0.01)
    page.widget.advance(30)
    end = session.game
    told = page.last[0]["timeline"]
    assert (told["at"], told["last"], [mark["step"] for mark in told["marks"]]) == (60, 60, [30])
    assert told["pace"] > 0
    page.tell(type="travel", step=30, exact=True, request=1)
    header, arrays = page.last
    assert (header["step"], header["timeline"]["at"], header["timeline"]["last"]) == (30, 30, 60)
    assert same(session.game, at_30)
    assert np.array_equal(arrays["images"], as_bytes(session.images()))
    assert session.hyper.lr_g == 0.01  # the dial as the run went on from there
    page.tell(type="undo", request=2)
    assert same(session.game, end)
    page.tell(type="redo", request=3)
    session.set("lr_g", 1e-4)
    page.widget.advance(1)  # another way; the one before is kept
    assert [way["name"] for way in page.last[0]["timeline"]["kept"]] == ["run 1"]
    page.tell(type="way", name="run 1", request=4)
    assert same(session.game, end)


def test_states_kept_stay_within_their_bytes_and_every_step_comes_back(as_users_see_it):
    session = ImageSession(SMALL)
    size = session.timeline.line.size
    session = ImageSession(SMALL, memory=6.5 * size)
    states = {}
    for i in range(24):
        session.advance(10)
        if i % 5 == 4:
            session.set("lr_d", 1e-3 + 1e-4 * i)
        states[int(session.game.step)] = session.game
        assert session.timeline.nbytes <= session.memory
    assert len(session.timeline.line.keys) >= 2
    for step in (200, 240):
        session.travel(step)
        assert same(session.game, states[step])
    assert session.timeline.nbytes <= session.memory
    small = ImageSession(SMALL, memory=2 * size)  # no room for a key state: the way back is trained again
    small.advance(30)
    assert not small.timeline.line.keys
    assert small.travel(10) == 10
    assert same(small.game, states[10])
    assert lab.images(SMALL, memory=1e9).session.timeline.memory == 1e9
    with pytest.raises(ValueError, match="memory must be a positive number of bytes"):
        lab.images(SMALL, memory=-1)


def test_a_long_way_of_slow_steps_is_gone_in_short_pieces(monkeypatch):
    session, pieces, clock = ImageSession(SMALL), [], iter(np.arange(0, 100, 0.03))

    def play(rules, state, n):
        pieces.append(n)
        return replace(state, step=state.step + n)

    timeline = session.timeline
    timeline.line.extend(session.rules, 60)
    timeline._play, timeline._keep = play, lambda *_: None
    monkeypatch.setattr("gan_jax.lab.timeline.time.perf_counter", lambda: next(clock))
    assert int(timeline.towards(60, 0.3).step) == sum(pieces) < 60
    assert pieces == [1, 2, 4, 8, 16]  # 0.03 s each, by this clock, and as long between them
    pieces.clear()
    timeline.towards(60, 0.1)
    assert pieces == [1, 1]  # as slow as that: one step at a time, and the page hears of it


def test_a_recording_holds_what_was_drawn_and_is_written_to_every_kind_of_file(tmp_path):
    live, session = lab.images(SMALL), ImageSession(SMALL)
    film = live.record(6, frames=2)
    assert film.steps == [0, 3, 6]
    for index in range(3):
        assert np.array_equal(film.frames(index)[0].arrays["images"], as_bytes(session.images()))
        session.advance(3)
    alt = "64 images drawn by the generator at step 6, beside as many real ones (digits, 1,797 images). Last losses"
    with Image.open(film.export(tmp_path / "run.png", title="Digits")) as png:
        assert (png.width, png.height) >= (1440, 900)
        assert png.text["Description"].startswith(alt)
    with Image.open(film.export(tmp_path / "run.gif")) as gif:
        assert gif.n_frames == 3
        pictures = [np.asarray(frame.convert("L")) for frame in ImageSequence.Iterator(gif)]
    assert all((one != other).mean() > 0.05 for one, other in pairwise(pictures))
    mp4 = film.export(tmp_path / "run.mp4", pace=1).read_bytes()
    assert mp4[4:8] == b"ftyp"
    page = film.export(tmp_path / "run.html").read_text()
    assert alt in page
    assert "createImagesView" in page
    again = lab.Replay.unpack(film.pack())
    assert np.array_equal(again.frames(2)[0].arrays["images"], film.frames(2)[0].arrays["images"])


def test_a_film_of_a_run_is_trained_again_where_that_is_quick_and_shows_what_is_at_hand_where_not():
    live = lab.images(SMALL)
    live.advance(60)
    live.session.set("lr_g", 0.01)
    live.advance(2)
    end = live.game
    assert past(live).steps == list(range(63))
    live.session._pace[live.session._program] = 5.0
    keys = sorted(live.session.timeline.line.keys)
    film = past(live)
    assert film.steps == [0, *keys, 62]
    assert np.array_equal(film.frames(len(film) - 1)[0].arrays["images"], as_bytes(live.session.images()))
    assert same(live.game, end)


def test_python_has_the_same_hands(page):
    page.widget.advance(3)
    page.widget.set("lr_d", 0.01)
    assert (int(page.widget.game.step), page.last[0]["dials"]["lr_d"]) == (3, 0.01)
    page.widget.reset(9)
    assert "jax.random.key(9)" in page.widget.state
    assert page.tell(type="code", request=2)[0]["text"] == str(page.widget.state)
    assert lab.images(SMALL, hyper=Hyperparams(lr_g=0.5)).session.hyper.lr_g == 0.5
