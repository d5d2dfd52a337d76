"""Recordings of the lab: against the session's own frames; and the files that they are written to."""

import base64
import hashlib
import html.parser
import io
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from gan_jax import lab, losses, nets
from gan_jax.errors import UnknownName
from gan_jax.lab import Replay, Session, export, record, replay
from gan_jax.lab.film import Film
from gan_jax.losses import Loss
from gan_jax.train import Gan, Hyperparams

pytestmark = pytest.mark.once

HOSTILE = "</script><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"


@pytest.fixture(scope="module")
def gan():
    """Small, and its loss has a hostile name."""
    loss = Loss(losses.nonsaturating.discriminator, losses.nonsaturating.generator, HOSTILE)
    return Gan(nets.mlp(2, 16, 2), nets.mlp(2, 16, 1), batch_size=32, loss=loss)


@pytest.fixture(scope="module")
def run(gan):
    """A short run, and its recording."""
    session = Session(gan)
    return session, record(session, 60, frames=12)


# ---- what is recorded ----


def test_a_recording_is_the_frames_that_the_session_gives(gan):
    recording, session = record(Session(gan), 40, frames=4), Session(gan)
    assert recording.steps == [0, 10, 20, 30, 40]
    assert recording.ended == ""
    for index in range(5):
        if index:
            session.advance(10)
        (recorded,), now = recording.frames(index), session.frame()
        assert recorded.header["step"] == now.header["step"]
        for name in ("surface", "fake", "curve"):
            np.testing.assert_array_equal(recorded.arrays[name], now.arrays[name])
    ground = recording.ground(0, 0)
    np.testing.assert_array_equal(ground.real, session.real)
    assert (ground.window, ground.modes) == (tuple(session.window.tolist()), 8)


def test_steps_that_the_pictures_do_not_divide_are_all_taken(gan):
    session = Session(gan)
    assert record(session, 10, frames=3).steps == [0, 3, 7, 10]
    assert record(session, 2, frames=9).steps == [10, 11, 12]
    assert int(session.game.step) == 12


def test_layers_and_charts_can_be_chosen(gan):
    recording = record(Session(gan), 4, frames=2, layers=["heat", "fake", "manifold"], charts=["modes"])
    assert "manifold" in recording.frames(1)[0].arrays
    assert recording.setup["layers"] == ["heat", "fake", "manifold"]
    assert recording.setup["charts"] == ["modes"]
    with pytest.raises(UnknownName, match="manifold"):
        record(Session(gan), 4, layers=["manifoldd"])


def test_runs_side_by_side_are_recorded_together(gan):
    shown = lab.compare({"slow": (gan, Hyperparams(lr_d=1e-5)), "fast": (gan, Hyperparams(lr_d=1e-2))})
    recording = shown.record(6, frames=2)
    slow, fast = recording.frames(2)
    assert [run["name"] for run in recording.shots[0].header["runs"]] == ["slow", "fast"]
    assert not np.array_equal(slow.arrays["surface"], fast.arrays["surface"])
    assert Film(recording).pixels(2).shape[2] == 3


def test_packing_loses_nothing_and_keeps_what_repeats_once(run):
    _, recording = run
    packed = recording.pack()
    back = Replay.unpack(packed)
    assert back.shots == recording.shots
    assert back.pack() == packed
    assert (back.code, back.ended, back.steps) == (recording.code, recording.ended, recording.steps)
    twice = replace(recording, shots=[*recording.shots, *recording.shots])
    assert len(twice.pack()) < 1.15 * len(packed)


@pytest.mark.parametrize("spoil", [lambda packed: b"", lambda packed: packed[:-9], lambda packed: b"PK" + packed,
                                   lambda packed: __import__("zlib").compress(b"\3\0\0\0{}")])  # fmt: skip
def test_bytes_that_are_no_recording_are_named(run, spoil):
    with pytest.raises(ValueError, match="no recording of the lab"):
        Replay.unpack(spoil(run[1].pack()))


def test_a_full_run_takes_at_most_two_megabytes():
    """Noise compresses worse than any picture of a game: 300 frames of as many numbers, all of them new."""
    rng = np.random.default_rng(0)
    smooth = np.cumsum(rng.normal(size=(300, 64, 64)), axis=2)
    arrays = [["surface", "u1", [64, 64]], ["fake", "f4", [512, 2]]]
    shots = [replay.Shot({"active": 0, "runs": [{"step": i, "arrays": arrays}]},
                         picture.astype(np.uint8).tobytes() + rng.normal(size=(512, 2)).astype("<f4").tobytes())
             for i, picture in enumerate(smooth)]  # fmt: skip
    assert len(Replay({}, [{"runs": []}], shots).pack()) < 2.2e6


def test_ctrl_c_ends_a_recording_with_what_there_is(gan, monkeypatch):
    session, calls = Session(gan), []
    advance = session.advance

    def interrupted(k):
        calls.append(k)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return advance(k)

    monkeypatch.setattr(session, "advance", interrupted)
    recording = record(session, 100, frames=10)
    assert recording.steps == [0, 10, 20]
    assert recording.ended == "Interrupted after 20 of 100 steps."
    assert "Interrupted" in repr(recording)


def test_a_divergence_ends_a_recording_and_says_so(gan):
    session = Session(gan, hyper=Hyperparams(lr_g=1e30, lr_d=1e30))
    recording = record(session, 400, frames=4)
    assert "diverged" in recording.ended
    assert len(recording) >= 1
    assert np.isfinite(recording.frames(-1)[0].arrays["fake"]).all()


# ---- what was trained already ----


def test_the_past_is_what_a_recording_made_on_the_way_would_have_shown(gan):
    shown, along = lab.open(gan), Session(gan)
    frames = {0: along.frame()}
    for _ in range(8):
        along.advance(5)
        frames[int(along.game.step)] = along.frame()
    shown.advance(40)
    past = replay.past(shown, frames=8)
    assert past.steps[0] == 0
    assert past.steps[-1] == 40
    assert len(past) >= 6
    for index, step in enumerate(past.steps):
        if step in frames:
            for name in ("surface", "fake"):
                np.testing.assert_array_equal(past.frames(index)[0].arrays[name], frames[step].arrays[name])
            np.testing.assert_allclose(past.frames(index)[0].arrays["curve"], frames[step].arrays["curve"], rtol=1e-6)
    assert int(shown.session.game.step) == 40
    assert shown.session.timeline.describe()["last"] == 40


def test_the_past_knows_which_target_and_dials_there_were(gan):
    shown = lab.open(gan)
    shown.advance(20)
    shown.set("target", "spiral")
    shown.set("lr_g", 0.01)
    shown.advance(20)
    past = replay.past(shown, frames=10)
    spiral = [past.scenes[shot.scene]["runs"][0]["modes"] == 0 for shot in past.shots]
    rates = [shot.header["runs"][0]["dials"]["lr_g"] for shot in past.shots]
    for step, is_spiral, rate in zip(past.steps, spiral, rates, strict=True):
        assert is_spiral == (step >= 20)
        assert rate == (0.01 if step >= 20 else Hyperparams().lr_g)
    assert shown.session.target_name == "spiral"


def test_a_lab_that_has_trained_nothing_says_what_to_do(gan, tmp_path):
    with pytest.raises(ValueError, match=r"press Play first.*lab.record"):
        lab.open(gan).export(tmp_path / "run.gif")


# ---- a lab that begins with a recording ----


def test_a_lab_may_begin_with_a_recording_of_itself(gan, monkeypatch):
    monkeypatch.setattr(replay, "FIRST_STEPS", 20)
    shown = lab.open(gan, replay=True)
    assert shown.replay.steps[-1] == 20
    assert int(shown.session.game.step) == 0
    assert shown.setup["begins"] == "replay"
    assert Replay.unpack(shown.recorded).steps == shown.replay.steps
    np.testing.assert_array_equal(shown.replay.frames(0)[0].arrays["fake"], shown.session.frame().arrays["fake"])


def test_on_colab_it_does_so_unasked_and_elsewhere_not(gan, monkeypatch):
    monkeypatch.setattr(replay, "FIRST_STEPS", 5)
    assert lab.open(gan).recorded == b""
    monkeypatch.setitem(sys.modules, "google.colab", object())
    assert lab.open(gan).replay.steps[-1] == 5
    assert lab.open(gan, replay=False).recorded == b""


def test_a_replay_of_another_kind_is_refused(gan, as_users_see_it):
    with pytest.raises(TypeError, match="must be a recording from"):
        lab.open(gan, replay="run.html")


# ---- files ----


def test_the_suffix_says_what_is_written(run, tmp_path):
    _, recording = run
    for suffix in (".png", ".GIF", ".html"):
        path = recording.export(tmp_path / f"a folder/run{suffix}")
        assert path.stat().st_size > 5000
    assert sorted(path.name for path in (tmp_path / "a folder").iterdir()) == ["run.GIF", "run.html", "run.png"]
    with pytest.raises(ValueError, match=r"'run.jpg'.*\.html, \.png, \.gif, \.mp4"):
        recording.export(tmp_path / "run.jpg")


def test_a_file_that_fails_leaves_the_old_one_and_nothing_else(run, tmp_path, monkeypatch):
    path = tmp_path / "run.gif"
    path.write_bytes(b"before")
    monkeypatch.setattr(Image.Image, "save", lambda *a, **k: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        run[1].export(path)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_png_shows_the_lab_as_it_stands(gan, tmp_path):
    shown = lab.open(gan)
    shown.advance(30)
    with Image.open(shown.export(tmp_path / "now.png", title="Ring")) as picture:
        assert picture.size[0] == 1440
        assert "Step 30" in picture.info["Description"]
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}
    assert (0xD5, 0x5E, 0x00) in colours  # a fake sample
    assert int(shown.session.game.step) == 30


def test_a_gif_holds_every_picture_and_the_right_time(run, tmp_path):
    _, recording = run
    with Image.open(recording.export(tmp_path / "run.gif", pace=10)) as film:
        assert film.n_frames == 13
        times, pictures = [], []
        for index in range(film.n_frames):
            film.seek(index)
            times.append(film.info["duration"])
            pictures.append(np.asarray(film.convert("RGB"), np.int16))
    assert times == [100] * 12 + [2000]
    assert np.abs(pictures[0] - pictures[-1]).max() > 100
    drawn = Film(recording, dpi=export.GIF_DPI).pixels(12).astype(np.int16)
    assert np.abs(pictures[-1] - drawn).mean() < 3  # 192 colours are enough


def test_an_mp4_holds_every_picture_and_the_right_time(run, tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    _, recording = run
    path = recording.export(tmp_path / "run.mp4", pace=10)
    done = subprocess.run(
        [ffmpeg, "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, timeout=60
    )
    about, (width, height) = done.stderr.decode(), Film(recording).size
    assert f"{width}x{height}" in about
    assert re.search(r"Video: h264 .* yuv420p", about)  # what browsers and slides can play
    assert "Duration: 00:00:03.30" in about
    pictures = np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3).astype(np.int16)
    assert len(pictures) == 13 + 20  # two seconds on the last
    for index in (0, 12):
        drawn = Film(recording).pixels(index).astype(np.int16)
        assert np.abs(pictures[index] - drawn).mean() < 6
    assert np.abs(pictures[0] - pictures[12]).max() > 100


def test_without_ffmpeg_the_remedy_is_named(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install imageio-ffmpeg.*\.gif"):
        run[1].export(tmp_path / "run.mp4")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "value"), [("pace", 0), ("pace", float("nan")), ("pace", True)])
def test_a_pace_that_is_none_is_refused(run, tmp_path, as_users_see_it, name, value):
    with pytest.raises(ValueError, match="from 1 to 50"):
        run[1].export(tmp_path / "run.gif", **{name: value})


# ---- the page ----


class Parts(html.parser.HTMLParser):
    """The tags of a page, and what stands in its scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.open = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open = (tag, dict(attrs))

    def handle_endtag(self, tag):
        self.open = None

    def handle_data(self, data):
        self.texts.append((self.open, data))


def text_of(page, tag, **wanted):
    found = [text for opened, text in page.texts if opened and opened[0] == tag and wanted.items() <= opened[1].items()]
    return "".join(found)


def test_the_page_is_one_file_that_may_connect_to_nothing(run, tmp_path):
    _, recording = run
    text = recording.export(tmp_path / "run.html", title=HOSTILE).read_text(encoding="utf-8")
    page = Parts(text)
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert "connect-src" not in rules
    assert "unsafe" not in policy
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        inside = text_of(page, tag, **({"type": "module"} if tag == "script" else {}))
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
        assert "eval(" not in inside
    # nothing on it asks for another file
    asked = [a[name] for _, a in page.tags for name in ("src", "href", "srcset", "data", "action") if name in a]
    assert all(address.startswith("data:") for address in asked)
    assert [a for tag, a in page.tags if tag in ("link", "iframe", "object", "base")] == []
    assert Replay.unpack(base64.b64decode(text_of(page, "script", id="recording"))).shots == recording.shots
    assert json.loads(text_of(page, "script", id="words"))["en"]["replay.play"] == "Play"


def test_hostile_names_stay_text(run, tmp_path):
    _, recording = run
    page = Parts(recording.export(tmp_path / "run.html", title=HOSTILE).read_text(encoding="utf-8"))
    assert sum(tag == "script" for tag, _ in page.tags) == 3
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 1  # the one for readers without scripts
    assert pictures[0]["src"].startswith("data:image/png")
    with Image.open(io.BytesIO(base64.b64decode(pictures[0]["src"].split(",")[1]))) as poster:
        assert poster.size[0] > 500


@pytest.mark.parametrize(
    ("settings", "said"), [({"language": "fr"}, "'en', 'zh'"), ({"theme": "pink"}, "'auto', 'light'")]
)
def test_an_unknown_language_or_theme_is_refused(run, tmp_path, settings, said):
    with pytest.raises(ValueError, match=said):
        run[1].export(tmp_path / "run.html", **settings)


def test_the_page_asks_and_the_kernel_answers_with_a_page(gan):
    shown, sent = lab.open(gan), []
    shown.advance(10)
    shown.send = lambda content, buffers=None: sent.append((content, buffers))
    shown._handle_custom_msg({"type": "export", "language": "zh", "theme": "dark"}, [])
    (content, (page,)) = next(pair for pair in sent if pair[0]["type"] == "exported")
    assert content["name"] == "gan-run-10.html"
    assert page.decode().startswith('<!doctype html>\n<html lang="zh" data-theme="dark">')
    sent.clear()
    shown._handle_custom_msg({"type": "export", "language": ["zh"], "theme": None}, [])
    assert sent[0][0]["type"] == "error"
    assert "language must be" in sent[0][0]["text"]
