"""Scores of small GANs over seeds, and the explorer of scores: the stored table, the command, and known faults."""

import json

import numpy as np
import pytest

from gan_jax import checkpoints, data, explorer, metrics, nets, train
from gan_jax.protocols import image_scores

pytestmark = pytest.mark.once


def test_the_stored_scores_are_of_every_generator_and_seed():
    stored = image_scores.stored()
    assert len(stored.rows) == 2 * len(image_scores.gans()) + 2
    for row in (*stored.rows.values(), stored.real):
        assert list(row) == list(stored.real)
        assert all(len(values) == 5 and np.isfinite(values).all() for values in row.values())
    assert f"--steps {image_scores.STEPS} --early {image_scores.EARLY}" in stored.made["command"]
    assert repr(stored).count("\n") == len(stored.rows) + 1
    assert stored._repr_html_().count("<tr>") == len(stored.rows) + 2


def test_the_stored_row_of_real_images_can_be_had_again():
    stored = image_scores.stored()
    training, fresh, reference = metrics.divide(data.digits(), 3, seed=1)
    found = image_scores.scored(metrics.real_pictures(fresh), training, reference)
    for name, value in found.items():
        assert value == pytest.approx(stored.real[name][1], abs=0.01), name


def test_parts_share_no_image_and_keep_their_labels():
    every = data.digits()
    parts = metrics.divide(every, 3, seed=4)
    images = np.concatenate([np.asarray(part.images) for part in parts])
    labels = np.concatenate([np.asarray(part.labels) for part in parts])
    told = lambda images, labels: sorted((image.tobytes(), label) for image, label in zip(images, labels, strict=True))  # noqa: E731
    assert told(images, labels) == told(np.asarray(every.images), np.asarray(every.labels))
    assert (parts[0].kind, parts[0].peak, len(parts)) == ("digits", 16, 3)
    assert [len(part) for part in metrics.divide(every, 4)] == [449] * 4
    with pytest.raises(ValueError, match="1797 images cannot be divided in 2000 parts; take fewer parts"):
        metrics.divide(every, 2000)


def test_a_save_tells_the_parts_and_divisions_apart():
    parts = [part for seed in (0, 1) for part in metrics.divide(data.digits(), seed=seed)]
    assert len({part.name for part in (data.digits(), *parts, *metrics.divide(parts[0]))}) == 7
    assert {metrics.features(part).name for part in parts} == {"digits features"}
    gan = train.Gan(nets.mlp(2, 64), nets.mlp(64, 1))
    saved, *others = (checkpoints.configuration(gan, target=part) for part in parts)
    again = metrics.divide(data.digits())[0]
    assert saved.differences(checkpoints.configuration(gan, target=again)) == {}
    assert all(set(saved.differences(other)) == {"target"} for other in others)
    assert "Dataset(digits (part 1 of 2, seed 0), images (898, 8, 8, 1)" in saved.target


def test_the_command_scores_and_writes(tmp_path, capsys, monkeypatch):
    # lesson 09 trains what is left out here
    noise = np.random.default_rng(0).normal(size=(2, 599, 64)).astype(np.float32)
    monkeypatch.setattr(image_scores, "generators", lambda training, seeds, steps, early: {"noise": noise})
    path = tmp_path / "scores.json"
    image_scores.main(["--seeds", "2", "--steps", "20", "--early", "10", "--out", str(path)])
    found = image_scores.ImageScores(**json.loads(path.read_text(encoding="utf-8")))
    assert list(found.rows) == ["noise", "copies of training images"]
    assert found.rows["copies of training images"]["nearest is a training image"] == [1.0, 1.0]
    assert np.mean(found.rows["noise"]["Fréchet distance"]) > 5 * np.mean(found.real["Fréchet distance"])
    assert "--seeds 2 --steps 20 --early 10" in found.made["command"]
    assert "copies of training images" in capsys.readouterr().out
    image_scores.main(["--show"])
    assert repr(image_scores.stored()) in capsys.readouterr().out


def test_the_explorer_tells_each_fault_by_the_scores_that_see_it():
    live = explorer.scores()
    live.set("noise", 0.0)
    parts = lambda: dict(zip(live.scene.panels[1].marks[0].names, live.scene.panels[1].marks[0].values, strict=True))  # noqa: E731
    assert all(abs(part - 1) < 0.25 for part in parts().values())
    live.set("source", "copies")
    assert live.scene.number("nearest is a training image") == 1
    assert all(abs(part - 1) < 0.25 for part in parts().values())
    live.set("source", "few")
    assert parts()["precision"] > 1
    assert parts()["recall"] < 0.05
    live.set("source", "fresh")
    live.set("noise", 0.4)
    assert parts()["precision"] < 0.8 < parts()["recall"]
    live.set("noise", 0.0)
    live.set("classes", 3)
    assert parts()["recall"] < 0.5 < 0.9 < parts()["precision"]
    assert "precision can't see what is missing" in live.scene.remark
    live.set("n", 100)
    assert "100" not in live.scene.words
    assert live.scene.number("Fréchet distance") > 0
    assert explorer.still(live.scene).alt.startswith("As parts of real images' scores")
