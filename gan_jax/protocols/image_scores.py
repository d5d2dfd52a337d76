"""Trains small GANs on a third of the digits over seeds, and scores them by everything that lesson 09 builds.

    python -m gan_jax.protocols.image_scores --seeds 5 --out results/image_scores.json     # a few minutes on two cores
    python -m gan_jax.protocols.image_scores --show                                # what is stored, and nothing else

The 1,797 digits of 8x8 are divided in three parts of 599 (`metrics.divide`): one to train on, one to compare with, and
one that stands for a perfect generator. Each score is of 599 samples.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import jax
import numpy as np

from .. import data, losses, metrics, nets, train
from ..data import Dataset
from ..train import Gan, Hyperparams

STORED = Path(__file__).with_name("studies") / "image_scores.json"
"""What the command made, with its date."""

STEPS = 4000
EARLY = 400
WEIGHT = 0.5
"""Of R1."""
SHRINK = 0.5
"""By how much latents are shrunk in the truncated row."""

Scores = dict[str, float]


@dataclass(frozen=True)
class ImageScores:
    """Scores of generators by name, one a seed, and what fresh real images score.

    Attributes:
        rows: name of a generator to its scores, each by the metric's name, one number a seed.
        real: the same of real images in the generator's place, one number a division of the digits.
        made: command, date, versions, device.
    """

    rows: dict[str, dict[str, list[float]]]
    real: dict[str, list[float]]
    made: dict[str, str]

    def table(self) -> list[tuple[str, ...]]:
        """Rows of mean ± standard deviation, the names of the metrics first."""
        told = lambda values: f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}"  # noqa: E731
        named = {**self.rows, "fresh real images": self.real}
        return [
            ("generator", *self.real),
            *((name, *(told(row[metric]) for metric in self.real)) for name, row in named.items()),
        ]

    def __repr__(self) -> str:
        rows = self.table()
        width = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(cell.ljust(wide) for cell, wide in zip(row, width, strict=True)) for row in rows)

    def _repr_html_(self) -> str:
        row = lambda cells, tag: "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"  # noqa: E731
        head, *body = self.table()
        rows = "".join(row(cells, "td") for cells in body)
        return f"<table><thead>{row(head, 'th')}</thead><tbody>{rows}</tbody></table><p>{self.made['command']}</p>"


def gans() -> dict[str, Gan]:
    """The GANs that are trained: without and with R1, on flat digits of 8x8."""
    generator = nets.mlp(32, 128, 128, 64, output="tanh")
    plain = Gan(generator, nets.mlp(64, 128, 128, 1, activation="leaky_relu"), batch_size=64)
    return {"plain": plain, "R1": Gan(generator, plain.discriminator, batch_size=64, penalty=losses.r1)}


def scored(samples: Any, training: Dataset, reference: Dataset) -> Scores:
    """All scores of some images, among them how often the nearest real image is a training image."""
    embed = metrics.features(reference)
    x, y = embed(samples), embed(metrics.real_pictures(reference))
    return {
        **metrics.scores_of(x, y),
        "inception score": metrics.inception_score(samples, reference).mean,
        "nearest is a training image": metrics.memorisation(samples, training, reference).share,
    }


def generators(training: Dataset, seeds: int, steps: int, early: int) -> dict[str, np.ndarray]:
    """Train, and draw as many samples as there are training images from each; shape (seeds, n, pixels)."""
    keys = jax.random.split(jax.random.key(0), seeds)
    z = jax.random.normal(jax.random.key(1), (len(training), 32))
    draw = jax.jit(jax.vmap(lambda generator, z: generator(z), in_axes=(0, None)))
    found = {}
    for name, gan in gans().items():
        weights = {"penalty_weight": [WEIGHT if gan.penalty else 0.0]}
        done, dials = None, Hyperparams(lr_g=5e-4, lr_d=5e-4, beta1=0.5)
        for stop in (early, steps):
            more = stop if done is None else stop - early
            done = train.sweep(gan, weights, training, keys, more, hyper=dials, every=100, start=done, progress=False)
            states = jax.tree.map(lambda leaf: leaf[0], done.states)
            found[f"{name}, {stop:,} steps"] = np.asarray(draw(states.generator, z))
    found[f"{name}, latents x {SHRINK}"] = np.asarray(draw(states.generator, SHRINK * z))
    return found


def run(seeds: int = 5, steps: int = STEPS, early: int = EARLY, command: str = "") -> ImageScores:
    """Train, score, and put beside it what copies of the training images and fresh real images score."""
    training, _, reference = metrics.divide(data.digits(), 3)
    rows: dict[str, dict[str, list[float]]] = {}
    for name, samples in generators(training, seeds, steps, early).items():
        each = [scored(one, training, reference) for one in samples]
        rows[name] = {metric: [scores[metric] for scores in each] for metric in each[0]}
    divided = [metrics.divide(data.digits(), 3, seed=seed) for seed in range(seeds)]
    both = {"copies of training images": 0, "fresh real images": 1}
    for name, which in both.items():
        each = [scored(metrics.real_pictures(parts[which]), parts[0], parts[2]) for parts in divided]
        rows[name] = {metric: [scores[metric] for scores in each] for metric in each[0]}
    real = rows.pop("fresh real images")
    made = {
        "command": command,
        "date": date.today().isoformat(),
        "jax": jax.__version__,
        "device": str(jax.devices()[0]),
    }
    return ImageScores(rows, real, made)


def stored() -> ImageScores:
    """The scores that come with the package.

    >>> len(stored().real["precision"])
    5
    """
    return ImageScores(**json.loads(STORED.read_text(encoding="utf-8")))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gan_jax.protocols.image_scores", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--early", type=int, default=EARLY, help="steps of the first look")
    parser.add_argument("--out", type=Path, help="where to write the scores (.json); nowhere when left out")
    parser.add_argument("--show", action="store_true", help="print the stored scores, and train nothing")
    chosen = parser.parse_args(arguments)
    if chosen.show:
        print(stored())
        return
    settings = f"--seeds {chosen.seeds} --steps {chosen.steps} --early {chosen.early}"
    found = run(chosen.seeds, chosen.steps, chosen.early, f"python -m gan_jax.protocols.image_scores {settings}")
    print(found)
    if chosen.out:
        chosen.out.write_text(json.dumps(asdict(found), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
