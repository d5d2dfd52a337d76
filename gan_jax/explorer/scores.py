"""A generator with known faults comes in, by sliders; all its scores go out at once, beside those of real images.

The generator is made of real images that the reference does not hold: noise and blur spoil their quality, classes that
it never draws spoil their variety, and it may repeat a few images, or those it was trained on.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from .. import data, metrics
from ..data import Dataset
from ..metrics import Perfect
from .scene import Bars, Choice, Colour, Dots, Level, Number, Panel, Scene, Slider, Surface
from .widget import Explorer
from .widget import open as open_explorer

SOURCES = {
    "fresh": "fresh real images",
    "copies": "copies of its training images",
    "few": "20 images, over and over",
}
CONTROLS = (
    Choice("source", "drawn from", SOURCES, "fresh"),
    Slider("noise", "noise, standard deviation", 0.0, 1.0, 0.25, notches=21),
    Slider("blur", "blur, share of neighbours", 0.0, 1.0, 0.0, notches=21),
    Slider("classes", "digits that it draws", 1, 10, 10, whole=True),
    Slider("n", "samples that are scored", 100, 500, 500, notches=9, whole=True),
)

SHARES = ("precision", "recall", "density", "coverage")
ROWS, COLUMNS = 4, 10
"""Of the sheet of samples."""


class World(NamedTuple):
    """The three parts of the digits, pictures in [-1, 1] with their labels, and features of the reference."""

    training: Float[np.ndarray, "n 8 8"]
    fresh: Float[np.ndarray, "n 8 8"]
    labels: dict[str, np.ndarray]
    parts: tuple[Dataset, ...]
    reference: Float[np.ndarray, "n d"]


@functools.cache
def world() -> World:
    """Divide the digits, and score fresh real images for comparison; once."""
    parts = metrics.divide(data.digits(), 3)
    training, fresh, _ = (metrics.real_pictures(part)[..., 0] for part in parts)
    labels = {"copies": np.asarray(parts[0].labels), "fresh": np.asarray(parts[1].labels)}
    labels["few"] = labels["fresh"]
    reference = metrics.features(parts[2])(metrics.real_pictures(parts[2]))
    return World(training, fresh, labels, parts, reference)


def spoil(images: Float[np.ndarray, "n h w"], noise: float, blur: float, seed: int = 0) -> Float[np.ndarray, "n h w"]:
    """Blend each pixel with the mean of its eight neighbours, then add noise; clipped to [-1, 1].

    >>> flat = np.full((1, 3, 3), -1.0)
    >>> flat[0, 1, 1] = 1.0
    >>> spoil(flat, 0.0, 1.0)[0, 1, 1].item()
    -1.0
    """
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1)], mode="edge")
    _, height, width = images.shape
    around = sum(padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)) - images
    blended = (1 - blur) * images + blur * around / 8
    added = noise * np.random.default_rng(seed).normal(size=images.shape)
    return np.clip(blended + added, -1.0, 1.0).astype(np.float32)


def generate(source: str, noise: float, blur: float, classes: int, n: int) -> Float[np.ndarray, "n 8 8"]:
    """Draw n samples of the generator with these faults; the same ones for the same settings."""
    here = world()
    images, labels = (here.training if source == "copies" else here.fresh), here.labels[source]
    kept = np.flatnonzero(labels < classes)
    order = np.random.default_rng(1).permutation(kept)
    if source == "few":
        order = np.concatenate([np.flatnonzero(labels == k)[: max(20 // classes, 1)] for k in range(classes)])[:20]
    return spoil(images[np.resize(order, n)], noise, blur)


def score(samples: Float[np.ndarray, "n 8 8"]) -> dict[str, float]:
    """All scores of these samples."""
    here = world()
    x = metrics.features(here.parts[2])(samples)
    return {
        **metrics.scores_of(x, here.reference),
        "inception score": metrics.inception_score(samples, here.parts[2]).mean,
        "nearest is a training image": metrics.memorisation(samples, here.parts[0], here.parts[2]).share,
    }


@functools.cache
def real_scores(n: int, repeats: int = 4) -> dict[str, Perfect]:
    """What n fresh real images score: mean and standard deviation over draws of them."""
    here = world()
    draws = [score(here.fresh[np.random.default_rng(seed).permutation(len(here.fresh))[:n]]) for seed in range(repeats)]
    table = {name: np.array([draw[name] for draw in draws]) for name in draws[0]}
    return {name: Perfect(float(row.mean()), float(row.std(ddof=1))) for name, row in table.items()}


@functools.lru_cache(maxsize=512)
def _scored(source: str, noise: float, blur: float, classes: int, n: int) -> tuple[np.ndarray, dict[str, float]]:
    samples = generate(source, noise, blur, classes, n)
    return samples, score(samples)


def _sheet(samples: Float[np.ndarray, "n h w"]) -> Float[np.ndarray, "rows columns"]:
    """The first samples as one picture with the first row at the bottom: paper undecided, ink in the real colour."""
    shown = np.random.default_rng(2).permutation(samples)[: ROWS * COLUMNS].reshape(ROWS, COLUMNS, 8, 8)
    framed = np.pad(shown, [(0, 0), (0, 0), (1, 1), (1, 1)], constant_values=-1.0)
    sheet = framed.transpose(0, 2, 1, 3).reshape(10 * ROWS, 10 * COLUMNS)[::-1]
    return 0.75 + 0.25 * np.kron(sheet, np.ones((3, 3)))  # finer cells, since the page smooths between cells


def _kept(found: dict[str, float], real: dict[str, Perfect]) -> dict[str, float]:
    """Each score as a part of real images' score, so that 1 is as good as real and 0 is worst."""
    parts = {"Fréchet (real / this)": real["Fréchet distance"].mean / max(found["Fréchet distance"], 1e-9)}
    parts["inception score"] = found["inception score"] / real["inception score"].mean
    return parts | {name: found[name] / real[name].mean for name in SHARES}


def _dot(x: float, y: float, name: str, colour: Colour, size: int) -> Dots:
    return Dots(np.array([x]), np.array([y]), name, colour, size)


def scene(values: dict[str, Any]) -> Scene:
    """Show samples, all scores as parts of real images' scores, and quality against variety.

    Args:
        values: of the controls, by name.
    """
    settings = (values["source"], round(values["noise"], 3), round(values["blur"], 3))
    samples, found = _scored(*settings, int(values["classes"]), int(values["n"]))
    real = real_scores(int(values["n"]))
    parts = _kept(found, real)
    plane = [
        Dots(
            np.array([real["recall"].mean, real["coverage"].mean]),
            np.array([real["precision"].mean, real["density"].mean]),
            "real images",
            "quiet",
            5,
        ),
        _dot(found["recall"], found["precision"], "precision, recall", "fake", 7),
        _dot(found["coverage"], found["density"], "density, coverage", "accent", 5),
    ]
    panels = [
        Panel([Surface(_sheet(samples), "samples of the generator")], (0, 10 * COLUMNS), (0, 10 * ROWS), "Samples",
              bare=True),
        Panel([Bars(tuple(parts), np.array([*parts.values()]), "fake"), Level(1.0, upright=True)],
              (0, 1.4), title="Scores as parts of real images' scores", x_label="1: as real images"),
        Panel(plane, (-0.05, 1.1), (-0.05, 1.3), "Quality against variety", "variety", "quality"),
    ]  # fmt: skip
    numbers = [
        Number(name, found[name], f"real: {real[name].mean:.2f} ± {real[name].std:.2f}", "ink")
        for name in ("Fréchet distance", "kernel distance", "inception score", "nearest is a training image")
    ]
    words = ", ".join(f"{name} {part:.2f}" for name, part in parts.items())
    return Scene(panels, numbers, f"As parts of real images' scores: {words}.", _remark(values, found, parts))


def _remark(values: dict[str, Any], found: dict[str, float], parts: dict[str, float]) -> str:
    """What to notice here."""
    if values["source"] == "copies" and not values["noise"] and not values["blur"] and values["classes"] == 10:
        return "Every score calls it perfect but one: the nearest real image is always a training image."
    untouched = not values["noise"] and not values["blur"]
    if values["source"] == "few" and untouched and values["classes"] == 10:
        return "Twenty images: precision and inception score hardly notice. Recall and coverage do."
    if values["classes"] < 10 and parts["precision"] > 0.9:
        return "What it draws is as good as real: precision can't see what is missing. Recall and coverage can."
    if values["noise"] or values["blur"]:
        lost = min(SHARES, key=lambda name: parts[name])
        return f"Quality falls, and {lost} falls most. Which score notices first? Which one last?"
    return "Fresh real images: what a perfect generator scores at this n. Move a slider."


def scores() -> Explorer:
    """Open a generator of digits whose faults are on sliders, with all its scores.

    Returns:
        The widget; each move takes about a tenth of a second.

    >>> live = scores()
    >>> live.set("noise", 0.0)
    >>> live.set("classes", 5)
    >>> live.scene.remark.startswith("What it draws is as good as real")
    True
    """
    return open_explorer(scene, CONTROLS, title="Quality, variety, and what each score sees of them")
