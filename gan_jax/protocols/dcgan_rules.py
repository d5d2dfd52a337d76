"""DCGAN's rules come in, each switched off in turn; what a small DCGAN then scores over seeds goes out.

    python -m gan_jax.protocols.dcgan_rules --seeds 5 --out results/dcgan_rules.json

trains on 1,297 of the embedded digits, 8x8 pixels, and scores against the 500 others. It tells what is left; stopped
with Ctrl-C, the same command goes on with the next run. `stored()` loads what the package carries.
"""

import argparse
import functools
import json
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Key
from tqdm.auto import tqdm

from .. import data, metrics, nets, train
from ..errors import Diverged, Menu, check_count
from ..train import Gan, Hyperparams
from .runs import LIBRARIES, device, today
from .tables import Table, with_spread

SIDE, WIDTH, LATENT = (8, 8, 1), 8, 32
STEPS, SAMPLES, HELD_OUT, SEEDS = 600, 1000, 500, 5
DISTANCE = "Fréchet distance (digits features)"


# ---- what is switched off ----


class Pooled(nnx.Module):
    """A discriminator that halves the side by the mean of 2 x 2 pixels, where DCGAN takes strided convolutions."""

    def __init__(self, width: int, rngs: nnx.Rngs):
        normal = nets.INITIALISERS["normal_0.02"]
        self.first = nnx.Param(normal(rngs.params(), (5, 5, 1, width)))
        self.second = nnx.Param(normal(rngs.params(), (5, 5, width, 2 * width)))
        self.norm = nnx.BatchNorm(2 * width, momentum=0.9, rngs=rngs)
        self.last = nnx.Linear(8 * width, 1, kernel_init=normal, rngs=rngs)

    def __call__(self, x: Float[Array, "n h w c"]) -> Float[Array, "n 1"]:
        leaky = nets.ACTIVATIONS["leaky_relu"]
        x = _mean_pool(leaky(nets.conv(x, self.first[...])))
        x = _mean_pool(leaky(self.norm(nets.conv(x, self.second[...]))))
        return self.last(x.reshape(len(x), -1))


def _mean_pool(x: Float[Array, "n h w c"]) -> Float[Array, "n hh hw c"]:
    return nnx.avg_pool(x, (2, 2), (2, 2))


@dataclass(frozen=True)
class PooledRecipe:
    """What builds a `Pooled`: hashable, as a `Gan` needs it."""

    width: int

    def __call__(self, rngs: nnx.Rngs) -> Pooled:
        return Pooled(self.width, rngs)


@functools.partial(jax.tree_util.register_dataclass)
@dataclass(frozen=True)
class HalfRange:
    """A target whose pixels run from 0 to 1, where G's tanh runs from -1 to 1."""

    images: data.Dataset

    @property
    def shape(self) -> tuple[int, ...]:
        return self.images.shape

    def sample(self, key: Key[Array, ""], n: int) -> Float[Array, "n ..."]:
        return self.images.sample(key, n) / 2 + 0.5


class Variant(NamedTuple):
    """One way to leave the recipe.

    Attributes:
        gan, hyper: what is trained.
        about: what differs, in words.
        half_range: whether the data run from 0 to 1.
    """

    gan: Gan
    hyper: Hyperparams
    about: str
    half_range: bool = False


def _variants() -> dict[str, Variant]:
    generator = functools.partial(nets.dcgan_generator, LATENT, SIDE, WIDTH)
    discriminator = functools.partial(nets.dcgan_discriminator, SIDE, WIDTH)
    usual = Gan(generator(), discriminator(normalisation="batch"), batch_size=64)
    hyper = Hyperparams(lr_g=1e-3, lr_d=1e-3, beta1=0.5)
    plain_d = discriminator(normalisation="none")
    dense_g = nets.mlp(LATENT, 64, 128, 64, output="tanh", normalisation="batch", initialiser="normal_0.02")
    dense_d = nets.mlp(64, 128, 64, 1, activation="leaky_relu", normalisation="batch", initialiser="normal_0.02")

    def other(about: str, *, dials: Hyperparams = hyper, half_range: bool = False, **fields) -> Variant:
        return Variant(replace(usual, **fields), dials, about, half_range)

    return {
        "all rules": other("strides, batch norm, ReLU in G, leaky ReLU in D, weights N(0, 0.02), momentum 0.5"),
        "pooling in D": other("means of 2 x 2 pixels, not strides", discriminator=PooledRecipe(WIDTH)),
        "no batch norm in G": other("no normalisation in G", generator=generator(normalisation="none")),
        "no batch norm in D": other("no normalisation in D", discriminator=plain_d),
        "no D norm, He weights": other(
            "as above, and D's first weights scaled to the layer's inputs",
            discriminator=replace(plain_d, initialiser="he"),
        ),
        "tanh inside G": other("tanh in place of ReLU in G", generator=generator(activation="tanh")),
        "ReLU in D": other(
            "ReLU in place of leaky ReLU in D", discriminator=discriminator(normalisation="batch", activation="relu")
        ),
        "momentum 0.9": other("Adam's beta1 0.9 in place of 0.5", dials=replace(hyper, beta1=0.9)),
        "data in [0, 1]": other("real pixels from 0 to 1 against tanh", half_range=True),
        "dense layers": other("32-64-128-64 and 64-128-64-1", generator=dense_g, discriminator=dense_d),
        "kernel 4": other("kernels of 4 x 4 in G: the stride divides them", generator=generator(kernel=4)),
        "resize": other("G repeats pixels, then convolves", generator=generator(upsampling="resize")),
    }  # fmt: skip


VARIANTS: Menu[Variant] = Menu("variant", _variants())
"""The rules together, each switched off, and two other ways to enlarge."""


# ---- how it is scored ----


def split() -> tuple[data.Dataset, data.Dataset]:
    """Divide the digits: 1,297 to train on, 500 to score against."""
    every = data.digits(flat=False)
    order = np.random.default_rng(0).permutation(len(every))
    return every.part(order[HELD_OUT:]), every.part(order[:HELD_OUT], "held-out digits")


def phases(images: Float[Array | np.ndarray, "n h w c"]) -> Float[np.ndarray, "two two"]:
    """The mean of the four kinds of pixels, by even or odd row and column, less the mean of all.

    >>> phases(np.tile(np.array([[1.0, 0.0], [0.0, 1.0]]), (1, 4, 4))[..., None]).tolist()
    [[0.5, -0.5], [-0.5, 0.5]]
    """
    images = np.asarray(images, np.float64)
    kinds = np.array([[images[:, row::2, column::2].mean() for column in (0, 1)] for row in (0, 1)])
    return kinds - kinds.mean()


def chequered(samples: Float[Array | np.ndarray, "n h w c"], real: Float[Array | np.ndarray, "m h w c"]) -> float:
    """How chequered samples are beside real images: root of the mean square of the difference of their `phases`.

    >>> grey = np.zeros((1, 4, 4, 1))
    >>> chequered(grey + np.array([1.0, 0.0, 1.0, 0.0])[:, None], grey)
    0.5
    """
    return float(np.sqrt(np.mean((phases(samples) - phases(real)) ** 2)))


def scores(samples: Array, held_out: data.Dataset) -> dict[str, float]:
    """Score samples in [-1, 1] against held-out digits, by the features of the classifier that is shipped for them."""
    precision, recall = metrics.precision_recall(samples, held_out)
    return {
        DISTANCE: float(metrics.frechet_distance(samples, held_out)),
        "precision": float(precision),
        "recall": float(recall),
        "chequered": chequered(samples, metrics.real_pictures(held_out)),
    }


def perfect(times: int = 5) -> dict[str, list[float]]:
    """What real images score that G was trained on: as many as there are samples, drawn `times` times."""
    training, held_out = split()
    rows = [scores(training.sample(jax.random.key(i), SAMPLES), held_out) for i in range(times)]
    return {name: [row[name] for row in rows] for name in rows[0]}


def trained(name: str, seed: int, steps: int = STEPS) -> train.State:
    """Train one variant from one seed.

    Raises:
        UnknownName: no such variant.
        Diverged: the run left the finite numbers.
    """
    variant, training = VARIANTS[name], split()[0]
    target = HalfRange(training) if variant.half_range else training
    gan = variant.gan
    if name == "dense layers":
        target = replace(training, flat=True)
    state = train.init(gan, variant.hyper, jax.random.key(seed))
    return train.advance(gan, variant.hyper, target, state, steps)[0]


def drawn(name: str, state: train.State, key: Key[Array, ""], n: int) -> Float[Array, "n h w c"]:
    """Draw samples of a variant as images in [-1, 1], whatever range its data had."""
    samples = state.sample(key, n).reshape(n, *SIDE)
    return jnp.clip(2 * samples - 1, -1, 1) if VARIANTS[name].half_range else samples


# ---- what is stored ----


@dataclass(frozen=True)
class Study:
    """All runs; shows itself as a table of means with standard deviations over seeds.

    Attributes:
        runs: name of the variant to seed to scores; none where the run diverged.
        perfect: name of the score to what real images score.
        made: command, date, device and versions.
    """

    runs: Mapping[str, Mapping[int, Mapping[str, float]]]
    perfect: Mapping[str, Sequence[float]]
    made: Mapping[str, str] = field(default_factory=dict)

    def scores(self, metric: str, variants: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """One score of each variant over its seeds, shape (seeds,); NaN where a run diverged.

        Raises:
            UnknownName: no such score or variant.
        """
        Menu("score", self.perfect)[metric]
        known = Menu("variant", self.runs)
        names = list(self.runs) if variants is None else variants
        return {name: np.array([run.get(metric, np.nan) for _, run in sorted(known[name].items())]) for name in names}

    def table(self) -> Table:
        """A row a variant; real images first."""
        rows = [("real images", *(_told(np.asarray(values)) for values in self.perfect.values()))]
        rows += [(name, *(_told(self.scores(m, [name])[name]) for m in self.perfect)) for name in self.runs]
        return Table(("8x8 digits", *self.perfect), tuple(rows), tuple(self.made.values()))

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def _told(values: np.ndarray) -> str:
    known = values[np.isfinite(values)]
    lost = f", {len(values) - len(known)} diverged" if len(known) < len(values) else ""
    return (with_spread(known.mean(), known.std(ddof=1) if len(known) > 1 else None) if len(known) else "none") + lost


SHIPPED = Path(__file__).with_name("studies") / "dcgan_rules.json"


def stored(path: str | Path = SHIPPED) -> Study:
    """Load a study: the one that the package carries, or one of your own.

    >>> sorted(stored().perfect)
    ['Fréchet distance (digits features)', 'chequered', 'precision', 'recall']
    """
    found = json.loads(Path(path).read_text(encoding="utf-8"))
    runs = {name: {int(seed): scores for seed, scores in seeds.items()} for name, seeds in found["runs"].items()}
    return Study(runs, found["perfect"], found["made"])


def _write(path: Path, study: Study) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    order = {name: study.runs[name] for name in VARIANTS if name in study.runs}
    text = json.dumps({"made": study.made, "perfect": study.perfect, "runs": order}, indent=1, ensure_ascii=False)
    part = path.with_suffix(".part")
    part.write_text(text + "\n", encoding="utf-8")
    os.replace(part, path)  # an interruption leaves the whole file of before


def _made(command: str, steps: int) -> dict[str, str]:
    settings = (
        f"{steps:,} steps, batch 64, width {WIDTH}, Adam at 1e-3; {SAMPLES:,} samples against {HELD_OUT} held out"
    )
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return {"command": command, "settings": settings, "where": f"{today()}, {device()}; {versions}"}


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """Do what the command line says; 0, or 130 after Ctrl-C."""
    about = (__doc__ or "").strip()
    parser = argparse.ArgumentParser(
        prog="python -m gan_jax.protocols.dcgan_rules",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="seeds 0, 1, ... so many")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, default=Path("results") / "dcgan_rules.json")
    chosen = parser.parse_args(arguments)
    for name in ("seeds", "steps"):
        check_count(getattr(chosen, name), name)
    command = f"{parser.prog} {shlex.join(sys.argv[1:] if arguments is None else arguments)}".strip()
    made = _made(command, chosen.steps)
    study = stored(chosen.out) if chosen.out.exists() else Study({}, perfect(), made)
    if study.made["settings"] != made["settings"]:
        say(f"{chosen.out} holds runs of other settings ({study.made['settings']}); choose another file with --out")
        return 2
    runs = {name: dict(seeds) for name, seeds in study.runs.items()}
    wanted = [
        (name, seed) for name in chosen.variants for seed in range(chosen.seeds) if seed not in runs.get(name, {})
    ]
    held_out = split()[1]
    try:
        for name, seed in tqdm(wanted, unit="run"):
            try:
                samples = drawn(name, trained(name, seed, chosen.steps), jax.random.key(1000 + seed), SAMPLES)
                found = scores(samples, held_out)
            except Diverged:
                found = {}
            runs.setdefault(name, {})[seed] = found
            if (name, seed) == [pair for pair in wanted if pair[0] == name][-1]:
                jax.clear_caches()  # the next variant is another program
            _write(chosen.out, Study(runs, study.perfect, made))
    except KeyboardInterrupt:
        say(f"\nstopped; the same command goes on from there: {command}")
        return 130
    say(f"{stored(chosen.out)}\nwritten to {chosen.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
