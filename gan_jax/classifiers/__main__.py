"""Trains a shipped classifier anew, prints its accuracy on held-out images, and writes its weights where it is told.

    python -m gan_jax.classifiers digits                     # about ten seconds on two cores
    python -m gan_jax.classifiers mnist --save mnist.npz
    python -m gan_jax.classifiers fashion --save fashion.npz # downloads Fashion-MNIST; no weights of it are shipped

The training images are every image but each fifth of its class. The printed SHA-256 is what `SHIPPED` holds.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import data
from . import accuracy, fit, load, split
from .classifier import save

SETTINGS: dict[str, tuple[Callable[[], data.Dataset], dict[str, Any]]] = {
    "digits": (data.digits, {}),
    "mnist": (data.mnist_5000, {"pool": 2, "steps": 8000}),
    "fashion": (data.fashion_mnist, {"hidden": (256, 64), "steps": 20000}),
}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m gan_jax.classifiers", description=__doc__.partition("\n")[0])
    parser.add_argument("name", choices=SETTINGS)
    parser.add_argument("--save", type=Path, help="where to write the weights (.npz); nowhere when left out")
    parser.add_argument("--steps", type=int, help="train shorter or longer than the shipped weights were")
    chosen = parser.parse_args(arguments)
    load_images, settings = SETTINGS[chosen.name]
    training, held_out = split(load_images())
    fitted = fit(training, **(settings if chosen.steps is None else settings | {"steps": chosen.steps}))
    with tempfile.TemporaryDirectory() as folder:
        path = chosen.save or Path(folder) / "weights.npz"
        sha256 = save(fitted, path)
        stored = load(path, name=chosen.name)  # half precision: what is shipped is what is judged
        for what, images in (("training", training), ("held-out", held_out)):
            right = round(accuracy(stored, images) * len(images))
            print(f"{chosen.name}: {right} of {len(images)} {what} images right ({right / len(images):.2%})")
        print(f"{path.stat().st_size} bytes, SHA-256 {sha256}" + (f", written to {path}" if chosen.save else ""))


if __name__ == "__main__":
    main()
