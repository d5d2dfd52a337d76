"""Protocols against the numbers of the papers; the command from end to end, stopped, resumed and refused."""

import dataclasses
import json
import re
import tomllib

import jax
import numpy as np
import pytest
from address import ROOT

from gan_jax import checkpoints, data, nets, protocols, train
from gan_jax.errors import Diverged, UnknownName
from gan_jax.protocols import __main__ as command
from gan_jax.protocols import records, runs
from gan_jax.protocols.protocol import FORMS, Protocol, duration

pytestmark = pytest.mark.once

PACGAN = ["pacgan_ring", "pacgan_grid"]

TINY = protocols.Settings(
    data.ring, "8 Gaussians on a ring", nets.mlp(2, 8, 2, normalisation="batch"),
    nets.mlp(2, 8, 1, activation="maxout"), packs=8, steps=30, seeds=2, samples=200,
)  # fmt: skip


@pytest.fixture
def tiny(monkeypatch):
    """A protocol on the menu that takes seconds, and chunks so small that it can be stopped between them."""
    entry = Protocol("tiny", "Nobody", TINY, published=(protocols.Published("GAN", "A paper", {}, 1),))
    monkeypatch.setitem(protocols.PROTOCOLS._entries, "tiny", entry)
    monkeypatch.setattr(runs, "CHUNK", 10)
    return entry


# What the papers say (VEEGAN; PacGAN, section 4.1 and its code)


@pytest.mark.parametrize("name", PACGAN)
@pytest.mark.parametrize("packing", [1, 2, 4])
def test_the_full_settings_are_those_of_the_paper(name, packing):
    full = protocols.PROTOCOLS[name].full
    gan = full.gan(packing)
    assert gan.generator.widths == (2, 400, 400, 400, 400, 2)
    assert (gan.generator.activation, gan.generator.normalisation) == ("relu", "batch")
    assert gan.discriminator.widths == (2 * packing, 200, 200, 200, 1)
    assert (gan.discriminator.activation, gan.discriminator.normalisation) == ("maxout", "none")
    assert nets.PIECES == 5
    assert (gan.loss.name, gan.penalty, gan.latent, gan.latent_dim) == ("non-saturating", None, "normal", 2)
    assert (gan.batch_size, gan.packing, gan.d_steps, gan.optimizer) == (100 * packing, packing, 1, "adam")
    assert (full.hyper.lr_g, full.hyper.lr_d, full.hyper.beta1) == (1e-4, 1e-4, 0.8)
    assert (full.steps, full.samples, full.seeds) == (400_000, 2500, 10)


@pytest.mark.parametrize("form", FORMS)
def test_the_targets_are_those_of_the_paper(form):
    ring, grid = (protocols.PROTOCOLS[name].settings(form).target() for name in PACGAN)
    angles = np.arange(8) * np.pi / 4
    np.testing.assert_allclose(ring.means, np.stack([np.cos(angles), np.sin(angles)], axis=1), atol=1e-6)
    np.testing.assert_allclose(ring.scales, 0.01)
    assert {tuple(mean) for mean in np.asarray(grid.means).tolist()} == {
        (x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)
    }
    np.testing.assert_allclose(grid.scales, 0.05)


PUBLISHED = {  # modes and high-quality share in per cent, of the ring and of the grid
    ("VEEGAN paper", "GAN"): (1, 99.3, 3.3, 0.5),
    ("VEEGAN paper", "Unrolled GAN"): (7.6, 35.6, 23.6, 16),
    ("VEEGAN paper", "VEEGAN"): (8, 52.9, 24.6, 40),
    ("PacGAN paper", "GAN"): (6.3, 98.2, 17.3, 94.8),
    ("PacGAN paper", "PacGAN2"): (7.9, 95.6, 23.8, 91.3),
    ("PacGAN paper", "PacGAN4"): (7.8, 95.9, 24.8, 93.6),
}


@pytest.mark.parametrize("which", [0, 1])
def test_the_published_rows(which):
    rows = protocols.PROTOCOLS[PACGAN[which]].published
    found = {
        (row.source, row.method): (row.scores["modes covered"][0], 100 * row.scores["high-quality share"][0])
        for row in rows
    }
    assert found == {key: pytest.approx(row[2 * which : 2 * which + 2]) for key, row in PUBLISHED.items()}
    assert {row.packing: row.method for row in rows if row.packing} == {1: "GAN", 2: "PacGAN2", 4: "PacGAN4"}


def test_stacked_mnist_as_published():
    protocol = protocols.PROTOCOLS["stacked_digits"]
    rows = {row.method: (row.scores["classes reached"][0], row.scores["class KL"][0]) for row in protocol.published}
    assert rows == {"DCGAN": (99, 3.4), "PacDCGAN2": (1000, 0.06), "R3GAN": (1000, 0.078)}
    assert protocol.original["samples a score"] == "26,000"
    assert protocol.reduced.samples == 26_000
    assert protocol.original.keys() == protocol.reduced.lines().keys() | {"seeds"}
    gan = protocol.reduced.gan(4)
    assert (gan.discriminator.widths[0], gan.batch_size) == (4 * 192, 4 * 64)
    with pytest.raises(ValueError, match=r"cannot be run yet.*convolutional"):
        command.main(["stacked_digits", "--full"])


# Side by side


@pytest.mark.parametrize("name", protocols.PROTOCOLS)
def test_every_line_that_the_reduced_form_changes_is_shown_and_no_other(name):
    protocol = protocols.PROTOCOLS[name]
    reduced, shown = protocol.reduced.lines(), {row[0]: row[1:] for row in protocol.comparison().rows}
    original = (protocol.full.lines() if protocol.full else {}) | dict(protocol.original)
    assert reduced.keys() <= shown.keys()
    for line, value in reduced.items():
        assert shown[line] == (original.get(line, ""), "the same" if original.get(line) == value else value)
    assert {"steps", "generator", "discriminator"} <= {line for line in reduced if shown[line][1] != "the same"}
    for packing in protocol.packings:
        assert f"gives, packing {packing}" in shown
        assert f"a seed takes, packing {packing}" in shown


def test_each_setting_that_decides_a_number_is_a_line():
    changed = {
        "target": {"about": "9 Gaussians"},
        "generator": {"generator": nets.mlp(2, 9, 2)},
        "discriminator": {"discriminator": nets.mlp(2, 8, 1, minibatch_stddev=4)},
        "first weights": {"generator": nets.mlp(2, 8, 2, normalisation="batch", initialiser="he")},
        "loss": {"loss": TINY.loss._replace(name="another")},
        "latent z": {"latent": "uniform"},
        "update": {"update": "alternating"},
        "lr_d": {"hyper": train.Hyperparams(lr_d=0.5)},
        "instance_noise": {"hyper": train.Hyperparams(instance_noise=0.5)},
        "packs a batch": {"packs": 16},
        "steps": {"steps": 31},
        "samples a score": {"samples": 201},
    }
    for line, change in changed.items():
        other = dataclasses.replace(TINY, **change).lines()
        assert [name for name in other if other[name] != TINY.lines().get(name)] == [line]


@pytest.mark.parametrize(("seconds", "text"), [(59, "59 s"), (95, "1.6 min"), (7200, "2 h"), (47 * 3600, "47 h")])
def test_times_in_the_unit_that_a_reader_expects(seconds, text):
    assert duration(seconds) == text


def test_a_table_shows_itself_as_html_with_its_signs_escaped():
    table = protocols.Table(("a", "b"), (("x < y", "1"),), ("under it",))
    assert re.search("<td[^>]*>x &lt; y</td>", table._repr_html_())
    assert table._repr_html_().endswith("<p>under it</p>")


# The command


def test_the_command_trains_scores_and_writes(tiny, tmp_path, capsys):
    path = tmp_path / "out.json"
    assert command.main(["tiny", "--packing", "1", "2", "--out", str(path)]) == 0
    held = json.loads(path.read_text())
    assert [(run["packing"], run["seed"]) for run in held["runs"]] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert held["settings"] == TINY.lines()
    assert held["perfect"]["high-quality share"][0] == pytest.approx(0.98889, abs=0.01)
    run = held["runs"][3]
    assert run["command"] == f"python -m gan_jax.protocols tiny --packing 1 2 --out {path}"
    assert run["versions"]["jax"] == jax.__version__
    assert run["steps_a_second"] > 0
    assert list(tmp_path.iterdir()) == [path], "saves and parts of files are removed"
    # the same numbers by hand, with the game's own loop
    gan, seed = TINY.gan(2), 1
    state = train.init(gan, TINY.hyper, jax.random.key(seed))
    state, _ = train.steps(gan, TINY.hyper, data.ring(), state, 30)
    assert runs.score(TINY, state, seed) == run["scores"]
    # shown beside the paper's row
    found = protocols.read(path)
    rows = {row[0]: row[1] for row in found.table().rows}
    assert rows["PacGAN2"] == "this package, reduced, 2 seeds"
    np.testing.assert_array_equal(found.scores(2)["reverse KL"][1], run["scores"]["reverse KL"])
    assert "±" in capsys.readouterr().out


def test_seeds_that_are_there_are_not_run_again(tiny, tmp_path, monkeypatch):
    path = tmp_path / "out.json"
    assert command.main(["tiny", "--packing", "1", "--seeds", "1", "--out", str(path)]) == 0
    ran = []
    one = runs.one
    monkeypatch.setattr(runs, "one", lambda *a, **k: ran.append(a[1:3]) or one(*a, **k))
    assert command.main(["tiny", "--packing", "1", "--seeds", "2", "--out", str(path)]) == 0
    assert ran == [(1, 1)]
    assert len(protocols.read(path).runs) == 2


def test_an_interrupted_command_goes_on_bit_for_bit(tiny, tmp_path, monkeypatch, capsys):
    arguments = ["tiny", "--packing", "2", "--seeds", "1", "--out"]
    assert command.main([*arguments, str(tmp_path / "whole.json")]) == 0
    advance, calls = train.advance, []

    def interrupted(gan, hyper, target, state, n):
        calls.append(int(state.step))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return advance(gan, hyper, target, state, n)

    monkeypatch.setattr(train, "advance", interrupted)
    path = tmp_path / "parts.json"
    assert command.main([*arguments, str(path)]) == 130
    assert "the same command goes on" in capsys.readouterr().out
    assert protocols.read(path).runs == ()
    with pytest.raises(ValueError, match="steps: '30' there, '40' here"):
        command.main([*arguments, str(path), "--steps", "40"])
    assert command.main([*arguments, str(path)]) == 0
    assert calls == [0, 10, 20, 20], "it goes on from step 20"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["parts.json", "whole.json"], "no save is left"
    parts, whole = (json.loads((tmp_path / name).read_text())["runs"] for name in ("parts.json", "whole.json"))
    assert parts[0]["scores"] == whole[0]["scores"]


@pytest.mark.parametrize(("name", "more"), [("perfect", []), ("cost", ["--cost"])])
def test_an_interruption_beside_the_training_ends_the_command_in_the_same_way(
    name, more, tiny, tmp_path, monkeypatch, capsys
):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, name, interrupted)
    assert command.main(["tiny", "--seeds", "1", "--out", str(tmp_path / "out.json"), *more]) == 130
    assert "stopped and saved; the same command goes on" in capsys.readouterr().out


def test_results_are_written_whole_or_not_at_all(tiny, tmp_path, monkeypatch):
    path = tmp_path / "out.json"
    records.write(path, tiny.header("reduced"))
    before, parts = path.read_text(), []

    def full(part, _):
        parts.append(part.name)
        raise OSError("no space left")

    monkeypatch.setattr(records.os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        records.write(path, dataclasses.replace(tiny.header("reduced"), perfect={"modes covered": (8.0, 0.0)}))
    assert (path.read_text(), [file.name for file in tmp_path.iterdir()]) == (before, ["out.json"])
    assert str(records.os.getpid()) in parts[0], "another command's part is not in the way"


def test_a_long_run_saves_as_it_goes(tmp_path):
    held = []
    progress = lambda n: held.append(sorted(int(p.name) for p in tmp_path.iterdir() if p.name.isdigit()))  # noqa: E731
    state, _ = runs.reach(dataclasses.replace(TINY, steps=300), 1, 0, folder=tmp_path, save_every=0, progress=progress)
    assert held == [[], [], [100], [100, 200]]
    assert int(state.step) == int(checkpoints.load(tmp_path, state).step) == 300


def test_results_of_other_settings_do_not_mix(tiny, tmp_path, monkeypatch):
    path = tmp_path / "out.json"
    records.write(path, tiny.header("reduced"))
    with pytest.raises(ValueError, match=r"steps: '30' there, '20' here.*--out"):
        command.main(["tiny", "--steps", "20", "--out", str(path)])
    other = dataclasses.replace(tiny, reduced=dataclasses.replace(TINY, hyper=train.Hyperparams(lr_g=0.25)))
    monkeypatch.setitem(protocols.PROTOCOLS._entries, "tiny", other)
    with pytest.raises(ValueError, match=r"\(lr_g: '0.001' there, '0.25' here\)"):
        command.main(["tiny", "--out", str(path)])
    assert protocols.read(path).settings == TINY.lines(), "the file is left as it was"


def test_a_file_of_something_else_is_refused(tiny, tmp_path):
    for text in ("{}", "[", '{"runs": [], "costs": [], "colour": 1}'):
        (tmp_path / "out.json").write_text(text)
        with pytest.raises(ValueError, match="does not hold results of a protocol"):
            command.main(["tiny", "--out", str(tmp_path / "out.json")])


def test_a_run_that_diverges_is_noted_and_the_next_one_begins(tiny, tmp_path, monkeypatch):
    advance = train.advance

    def diverging(gan, hyper, target, state, n):
        if int(state.step) == 10 and gan.packing == 1:
            raise Diverged("it did", step=14, state=state, history=None)
        return advance(gan, hyper, target, state, n)

    monkeypatch.setattr(train, "advance", diverging)
    path = tmp_path / "out.json"
    assert command.main(["tiny", "--seeds", "1", "--out", str(path)]) == 0
    found = protocols.read(path)
    assert [(run.packing, run.diverged_at) for run in found.runs] == [(1, 14), (2, None)]
    assert (found.diverged(1), found.scores(1)) == (1, {})
    assert "1 more diverged" in repr(found)


def test_the_cost_is_measured_without_training(tiny, tmp_path, monkeypatch, capsys):
    cost = runs.cost
    monkeypatch.setattr(runs, "cost", lambda *arguments: cost(*arguments, seconds=0))
    path = tmp_path / "out.json"
    assert command.main(["tiny", "--cost", "--packing", "2", "--out", str(path)]) == 0
    found = protocols.read(path)
    assert found.runs == ()
    assert [(cost.packing, cost.steps_a_second > 0) for cost in found.costs] == [(2, True)]
    assert "a seed" in capsys.readouterr().out


def test_show_prints_settings_and_results_and_does_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command.main(["pacgan_ring", "--show"]) == 0
    printed = capsys.readouterr().out
    assert "2-400-400-400-400-2" in printed
    assert "PacGAN paper" in printed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["--seeds", "0"], ["--packing", "0"], ["--steps", "0"]])
def test_counts_that_make_no_sense_are_named(tiny, arguments):
    with pytest.raises(ValueError, match=f"{arguments[0][2:]} must be a whole number of at least 1, got 0"):
        command.main(["tiny", *arguments])


def test_unknown_names_are_answered_with_those_there_are():
    with pytest.raises(UnknownName, match="did you mean 'pacgan_ring'"):
        protocols.results("pacgan_rin")
    with pytest.raises(UnknownName, match="no form is named 'fulll'"):
        protocols.results("pacgan_ring", "fulll")


def test_a_protocol_that_cannot_be_run_in_full_says_so(tiny):
    with pytest.raises(ValueError, match="cannot be run yet"):
        dataclasses.replace(tiny, notes=("It needs a larger house.",)).settings("full")


# What is shipped


@pytest.mark.parametrize("path", sorted(records.SHIPPED.glob("*.json")), ids=lambda path: path.stem)
def test_stored_results_are_of_the_settings_on_the_menu(path):
    found = records.read(path)
    protocol = protocols.PROTOCOLS[found.protocol]
    assert path.name == f"{found.protocol}_{found.form}.json"
    assert found.settings == protocol.settings(found.form).lines(), "run its command again"
    for run in found.runs:
        assert run.command.startswith(f"python -m gan_jax.protocols {found.protocol} ")
        assert bool(run.scores) == (run.diverged_at is None)
    assert path.stat().st_size < 50_000


def test_results_travel_with_the_package():
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["*"]
    assert "*.json" in patterns
