"""Recorded runs: training is the same with and without, frames stay within the memory, files come back as they were."""

import json
import re
from dataclasses import replace

import jax
import numpy as np
import pytest

from gan_jax import checkpoints, data, recordings, train
from gan_jax.errors import Diverged, UnknownName
from gan_jax.recordings import Recorder, Recording
from gan_jax.train import History, Hyperparams

RING = data.ring(8)
HYPER = Hyperparams(lr_g=1e-3, lr_d=2e-3)
EXPLOSIVE = Hyperparams(lr_g=1e-3, lr_d=1e18)


@pytest.fixture
def start(small_gan):
    return train.init(small_gan, HYPER, jax.random.key(3))


def leaves(state):
    return [np.asarray(jax.random.key_data(x) if x is state.key else x) for x in jax.tree.leaves(state)]


def same(one, other):
    return all(map(np.array_equal, leaves(one), leaves(other)))


def made(steps, n=5, seed=0, **rest):
    """A recording of random numbers."""
    rng, steps = np.random.default_rng(seed), np.asarray(steps)
    history = History(*(rng.normal(size=int(steps[-1] - steps[0])).astype(np.float32) for _ in History._fields))
    samples = rng.normal(size=(len(steps), n, 2)).astype(np.float32)
    return Recording(steps, {"samples": samples}, history, **{"every": 10, **rest})


# ---- recording a run ----


@pytest.mark.parametrize("keep", recordings.KEEP)
@pytest.mark.parametrize(("every", "memory"), [(7, 50e6), (1, 5e4)])  # plain; and thinned on the way
def test_training_with_a_recording_is_training_without_bit_for_bit(small_gan, start, keep, every, memory):
    alone, history = train.steps(small_gan, HYPER, RING, start, 60)
    state, recording = recordings.record(
        small_gan, HYPER, RING, start, 60, every=every, keep=keep, memory=memory, progress=False
    )
    assert same(state, alone)
    for row, expected in zip(recording.history, history, strict=True):
        np.testing.assert_array_equal(row, expected)
    assert (recording.thinned > 0) == (memory < 1e6)


def test_frames_are_what_the_generator_makes_of_the_same_latents(small_gan, start):
    state, recording = recordings.record(small_gan, HYPER, RING, start, 25, every=10, samples=64, progress=False)
    assert recording.steps.tolist() == [0, 10, 20, 25]
    assert recording.samples.shape == (4, 64, 2)
    latents = recordings._latents(small_gan, start.key, 64)
    for frame in recording:
        then = train.steps(small_gan, HYPER, RING, start, frame.step)[0] if frame.step else start
        np.testing.assert_allclose(frame.samples, then.generator(latents), rtol=1e-5, atol=1e-6)
    assert not np.array_equal(recording.samples[0], recording.samples[-1])
    np.testing.assert_array_equal(recording.samples[-1], recordings._generated(state.generator, latents))


def test_a_state_comes_back_from_its_frame_and_goes_on_as_it_did(small_gan, start):
    end, recording = recordings.record(small_gan, HYPER, RING, start, 40, every=20, keep="states", progress=False)
    other = train.init(small_gan, HYPER, jax.random.key(9))
    branch = recording.at(20).state(other)
    assert int(branch.step) == 20
    assert same(train.steps(small_gan, HYPER, RING, branch, 20)[0], end)
    with pytest.raises(ValueError, match="these frames are training states: take"):
        _ = recording.samples
    bigger = train.init(replace(small_gan, latent_dim=2, optimizer="sgd"), HYPER, jax.random.key(0))
    with pytest.raises(ValueError, match="the frame of step 20 is of another GAN"):
        recording.at(20).state(bigger)


@pytest.mark.parametrize("frames", [3, 4, 7, 20])
def test_a_recording_stays_within_its_memory_and_spans_the_run(small_gan, start, frames):
    size = 16 * 2 * 4  # 16 samples in the plane, float32
    memory = frames * size + size // 2
    for n in (1, 10, 63, 64, 65):
        _, recording = recordings.record(
            small_gan, HYPER, RING, start, n, every=1, samples=16, memory=memory, progress=False
        )
        assert recording.nbytes <= memory
        assert (recording.steps[0], recording.steps[-1]) == (0, n)
        assert len(recording) > min(n, frames) / 2  # no more is dropped than need be
        assert recording.every == 2**recording.thinned
        assert recording.steps[:-1].tolist() == list(range(0, n, recording.every))
    assert re.search(rf"asked: 1; every second one was dropped (once|{recording.thinned} times)", repr(recording))


def test_a_memory_without_room_is_refused_with_the_room_it_takes(small_gan, start):
    with pytest.raises(ValueError, match=r"three frames of 4,096 bytes, got 5,000; give memory=12288 or more"):
        recordings.record(small_gan, HYPER, RING, start, 10, memory=5000)
    recordings.record(small_gan, HYPER, RING, start, 2, memory=12288, progress=False)


def test_a_recording_goes_on_as_if_it_had_never_stopped(small_gan, start):
    for keep in recordings.KEEP:
        options = {"every": 10, "keep": keep, "samples": 32, "progress": False}
        end, whole = recordings.record(small_gan, HYPER, RING, start, 65, **options)
        state, first = recordings.record(small_gan, HYPER, RING, start, 25, **options)
        state, longer = recordings.extend(first, small_gan, HYPER, RING, state, 40, progress=False)
        assert same(state, end)
        assert longer.steps.tolist() == whole.steps.tolist() == [*range(0, 61, 10), 65]
        for name in whole.arrays:
            np.testing.assert_array_equal(longer.arrays[name], whole.arrays[name])
        for row, expected in zip(longer.history, whole.history, strict=True):
            np.testing.assert_array_equal(row, expected)
        assert dict(longer.words) == dict(whole.words)
        assert first.steps.tolist() == [0, 10, 20, 25]  # as it was


def test_what_changes_on_the_way_is_in_the_words(small_gan, start):
    state, first = recordings.record(small_gan, HYPER, RING, start, 10, progress=False)
    slow = Hyperparams(lr_g=1e-4, lr_d=2e-3)
    _, longer = recordings.extend(first, small_gan, slow, RING, state, 10, progress=False)
    assert "lr_g=0.001, lr_d=0.002" in first.words["dials"]
    before, after = longer.words["dials"].split("; from step 10: ")
    assert before == first.words["dials"]
    assert after.startswith("lr_g=0.0001, lr_d=0.002")
    assert longer.words["gan"] == first.words["gan"]
    assert "widths=(2, 16, 2)" in first.words["gan"]
    assert "loss=non-saturating" in first.words["gan"]
    assert first.words["target"] == "Mixture(means (8, 2), scales (8,), weights (8,))"
    assert dict(first.words) == checkpoints.configuration(small_gan, HYPER, RING).lines()  # as a save tells of it
    # a file may tell of the game in other words, as of another version
    _, longer = recordings.extend(replace(first, words={"gan": "a GAN"}), small_gan, HYPER, RING, state, 1,
                                  progress=False)  # fmt: skip
    assert longer.words["gan"] == f"a GAN; from step 10: {first.words['gan']}"


def test_a_recording_goes_on_only_where_it_ended(small_gan, start):
    state, first = recordings.record(small_gan, HYPER, RING, start, 10, progress=False, samples=16)
    with pytest.raises(ValueError, match="the recording ends at step 10 and the state stands at 0"):
        recordings.extend(first, small_gan, HYPER, RING, start, 5)
    with pytest.raises(ValueError, match="the recording is of another GAN"):
        Recorder(small_gan, HYPER, RING, state, every=5, samples=8).follow(first)


def test_a_divergence_leaves_the_recording_in_the_error(small_gan, start):
    state, first = recordings.record(small_gan, HYPER, RING, start, 20, every=4, progress=False)
    with pytest.raises(Diverged) as caught:
        recordings.extend(first, small_gan, EXPLOSIVE, RING, state, 50, progress=False)
    fault = caught.value
    recording = fault.recording
    assert recording.steps[-1] == fault.step == int(fault.state.step)
    assert 20 <= fault.step < 70
    assert recording.stopped == f"diverged at step {fault.step}"
    assert repr(recording).endswith(recording.stopped)
    assert np.isfinite(recording.samples).all()
    assert len(recording.history.loss_d) == fault.step
    latents = recordings._latents(small_gan, start.key, 512)
    np.testing.assert_array_equal(recording.samples[-1], recordings._generated(fault.state.generator, latents))
    # and without a recording there is none
    with pytest.raises(Diverged) as caught:
        train.advance(small_gan, EXPLOSIVE, RING, state, 50)
    assert caught.value.recording is None


def test_an_interruption_ends_the_recording_and_not_the_session(small_gan, start, monkeypatch, capsys):
    own, calls = train.advance, []

    def interrupted(*arguments):
        calls.append(arguments[-1])
        if len(calls) == 4:
            raise KeyboardInterrupt
        return own(*arguments)

    monkeypatch.setattr(train, "advance", interrupted)
    state, recording = recordings.record(small_gan, HYPER, RING, start, 100, every=10, progress=False)
    assert int(state.step) == recording.steps[-1] == 30
    assert recording.stopped == "interrupted at step 30"
    assert "interrupted at step 30" in capsys.readouterr().out
    monkeypatch.setattr(train, "advance", own)
    state, longer = recordings.extend(recording, small_gan, HYPER, RING, state, 70, progress=False)
    assert same(state, train.steps(small_gan, HYPER, RING, start, 100)[0])
    assert longer.stopped == ""


def test_a_recorder_takes_pieces_of_any_size(small_gan, start):
    recorder = Recorder(small_gan, HYPER, RING, start, every=10, samples=16)
    for n in (3, 4, 1, 12, 15, 1):
        recorder.advance(n)
        assert recorder.recording.steps[-1] == int(recorder.state.step)
    whole = recordings.record(small_gan, HYPER, RING, start, 36, every=10, samples=16, progress=False)[1]
    assert recorder.recording.steps.tolist() == whole.steps.tolist() == [0, 10, 20, 30, 36]
    np.testing.assert_array_equal(recorder.recording.samples, whole.samples)
    for step in (-5, 0, 4, 5, 6, 33, 34, 36, 99):
        assert recorder.at(step).step == whole.at(step).step
        np.testing.assert_array_equal(recorder.at(step).samples, whole.at(step).samples)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"keep": "sample"}, UnknownName, "no kind of frame is named 'sample'; did you mean 'samples'"),
        ({"every": 0}, ValueError, "every must be a whole number of at least 1, got 0"),
        ({"samples": 0}, ValueError, "samples must be a whole number of at least 1, got 0"),
        ({"n": 0}, ValueError, "n must be a whole number of at least 1, got 0"),
        ({"memory": np.nan}, ValueError, "memory must be a positive number of bytes, such as 1e9, got nan"),
        ({"memory": "50 MB"}, ValueError, "memory must be a positive number of bytes, such as 1e9, got '50 MB'"),
        ({"gan": "small"}, TypeError, r"expected a Gan\(...\), got 'small'"),
        ({"hyper": {"lr_g": 1e-3}}, TypeError, r"expected Hyperparams\(...\), got"),
        ({"hyper": Hyperparams(lr_g=np.ones(3))}, ValueError, r"lr_g is of shape \(3,\); train.sweep tries"),
        ({"target": None}, TypeError, r"expected a target such as data.ring\(8\), got None"),
        ({"state": None}, TypeError, "expected a State from train.init, got NoneType"),
    ],
)
def test_settings_that_make_no_sense_are_refused(small_gan, start, change, error, message, as_users_see_it):
    settings = {"gan": small_gan, "hyper": HYPER, "target": RING, "state": start, "n": 10, **change}
    with pytest.raises(error, match=message):
        recordings.record(**settings)


# ---- reading one ----


def test_the_nearest_frame_is_found():
    recording = made([0, 10, 20, 27])
    for step in np.linspace(-3, 33, 73):
        expected = min(recording.steps.tolist(), key=lambda kept: (abs(kept - step), kept))
        assert recording.at(float(step)).step == expected
    assert [frame.step for frame in recording] == [0, 10, 20, 27]
    assert len(recording) == 4
    np.testing.assert_array_equal(recording[-1].samples, recording.samples[3])
    with pytest.raises(IndexError):
        recording[4]


def test_several_recordings_are_aligned_at_the_steps_they_share():
    found = {"fast": made([0, 10, 20, 30, 40, 50], seed=1), "thin": made([0, 20, 40, 60], seed=2, every=20)}
    aligned = recordings.align(found)
    for name, recording in aligned.items():
        assert recording.steps.tolist() == [0, 20, 40]
        for frame in recording:
            np.testing.assert_array_equal(frame.samples, found[name].at(frame.step).samples)
        np.testing.assert_array_equal(recording.history.loss_g, found[name].history.loss_g[:40])
        assert recording.every == 20
    late = {"late": made([20, 30, 40], seed=3), **found}
    assert recordings.align(late)["fast"].history.loss_d.tolist() == found["fast"].history.loss_d[20:40].tolist()
    with pytest.raises(ValueError, match=r"no step has a frame in every recording .*by 10.*; record them with one"):
        recordings.align({"one": made([0, 10]), "two": made([5, 15])})
    with pytest.raises(ValueError, match="there is no frame at step 5"):
        made([0, 10]).only([0, 5])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": np.array([0, 20, 10])}, "steps must be rising whole numbers"),
        ({"steps": np.array([0.0, 10.0, 20.0])}, "steps must be rising whole numbers"),
        (
            {"arrays": {"samples": np.zeros((2, 5, 2))}},
            r"samples must hold numbers for 3 frames, got float64 \(2, 5, 2",
        ),
        ({"arrays": {"samples": np.array(["a", "b", "c"])}}, "samples must hold numbers"),
        ({"arrays": {}}, "needs the arrays of its frames"),
        ({"history": History(*(np.zeros(19) for _ in History._fields))}, r"history.loss_d must be of shape \(20,\)"),
        ({"every": 0}, "every must be a whole number"),
    ],
)
def test_a_recording_that_does_not_fit_itself_cannot_be_made(change, message):
    with pytest.raises(ValueError, match=message):
        replace(made([0, 10, 20]), **change)


# ---- on disk ----


def test_a_file_comes_back_as_it_was(small_gan, start, tmp_path):
    state, _ = train.steps(small_gan, HYPER, RING, start, 7)
    for keep in recordings.KEEP:
        end, recording = recordings.record(
            small_gan, HYPER, RING, state, 33, every=1, keep=keep, memory=4e5, progress=False
        )
        path = recordings.save(tmp_path / "new" / f"run.{keep}", recording)
        assert path.name == f"run.{keep}.npz"
        loaded = recordings.load(tmp_path / "new" / f"run.{keep}")
        for name in ("every", "thinned", "stopped", "words"):
            assert getattr(loaded, name) == getattr(recording, name)
        for one, other in zip(
            jax.tree.leaves((loaded.steps, dict(loaded.arrays), loaded.history)),
            jax.tree.leaves((recording.steps, dict(recording.arrays), recording.history)),
            strict=True,
        ):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
        assert repr(loaded) == repr(recording)
        _, longer = recordings.extend(loaded, small_gan, HYPER, RING, end, 5, progress=False)
        assert longer.steps[-1] == 45
        assert [file.name for file in path.parent.iterdir() if "part" in file.name] == []


def test_saving_again_replaces_the_file_whole_or_not_at_all(tmp_path, monkeypatch):
    path = recordings.save(tmp_path / "run", made([0, 10], seed=1))
    recordings.save(tmp_path / "run", made([0, 10, 20], seed=2))
    assert len(recordings.load(path)) == 3
    monkeypatch.setattr(np, "savez_compressed", lambda file, **_: (file.write(b"half"), 1 / 0))
    with pytest.raises(ZeroDivisionError):
        recordings.save(path, made([0, 10], seed=3))
    assert len(recordings.load(path)) == 3
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_another_kind_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*run\.npz; recordings\.save writes one"):
        recordings.load(tmp_path / "run")
    (tmp_path / "text.npz").write_text("not a recording")
    with pytest.raises(ValueError, match=r"text\.npz is no recording, or was cut off"):
        recordings.load(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", weights=np.zeros(3))
    with pytest.raises(ValueError, match=r"other\.npz: this is no recording; its arrays are weights"):
        recordings.load(tmp_path / "other.npz")
    np.savez(tmp_path / "listed.npz", header=np.array(json.dumps(["gan_jax recording"])))
    with pytest.raises(ValueError, match=r"listed\.npz"):
        recordings.load(tmp_path / "listed.npz")


def test_a_file_cut_off_anywhere_is_refused(tmp_path):
    path = recordings.save(tmp_path / "run", made(range(0, 110, 10), 50))
    whole = path.read_bytes()
    for end in np.linspace(0, len(whole) - 1, 12).astype(int):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match=r"run\.npz is no recording, or was cut off"):
            recordings.load(path)
    middle = len(whole) // 2
    version = whole.index(b"PK\x01\x02") + 6  # a byte that says what is needed to unzip; zipfile answers in its own way
    for place in (slice(middle, middle + 64), slice(version, version + 1)):
        spoilt = bytearray(whole)
        spoilt[place] = b"\x99" * (place.stop - place.start)
        path.write_bytes(spoilt)
        with pytest.raises(ValueError, match=r"run\.npz is damaged"):
            recordings.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": np.array([0, 10])}, "samples must hold numbers for 2 frames"),
        ({"history_loss_d": np.zeros(3)}, r"history.loss_d must be of shape \(20,\)"),
        ({"array_0": None}, "array_0 is not a file in the archive"),
        ({"header": {"version": recordings.VERSION + 1}}, "a later gan_jax has written it, in version 2; this one"),
        ({"header": {"every": "ten"}}, "every must be a whole number"),
    ],
)
def test_a_file_whose_parts_do_not_fit_is_refused(tmp_path, change, message, as_users_see_it):
    path = recordings.save(tmp_path / "run", made([0, 10, 20]))
    with np.load(path, allow_pickle=False) as file:
        contents = {name: file[name] for name in file.files}
    if "header" in change:
        change = {"header": np.array(json.dumps(json.loads(str(contents["header"])) | change["header"]))}
    contents = {name: values for name, values in (contents | change).items() if values is not None}
    np.savez(path, **contents)
    with pytest.raises(ValueError, match=message):
        recordings.load(path)


class Trap:
    """What runs code when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("the file was unpickled",))


def test_a_file_is_never_unpickled(tmp_path):
    path = recordings.save(tmp_path / "run", made([0, 10]))
    with np.load(path, allow_pickle=False) as file:
        contents = {name: file[name] for name in file.files}
    trap = np.empty((2,), object)
    trap[:] = [Trap(), Trap()]
    np.savez(path, **contents | {"array_0": trap})
    with pytest.raises(ValueError, match="damaged: Object arrays cannot be loaded"):
        recordings.load(path)
