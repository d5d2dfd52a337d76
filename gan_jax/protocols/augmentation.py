"""A number of labelled digits comes in; what GAN samples add to a classifier's accuracy goes out, over seeds.

    python -m gan_jax.protocols.augmentation --labelled 50 100 --seeds 10 --out augmentation.json

Each seed divides the embedded 1,797 digits of 8x8 pixels into a few labelled ones, 800 to test on, and a rest that
only the last row of the table may see. All rows train the same classifier for the same number of steps on batches of
the same size; they differ in what half of each batch is made of, and in what is done to the real images:

    nothing          the labelled images as they are
    noise            Gaussian noise on each pixel, drawn anew for each batch
    shift            each image moved by half a pixel or none, up or down and left or right, drawn anew for each batch
    GAN              half of the batch drawn by a GAN told the label, trained on the labelled images alone
    shift + GAN      both: the GAN, too, learns from shifted images
    more real ones   half of the batch real images of the rest, with their labels: what a perfect generator would give
"""

import argparse
import datetime
import functools
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key
from tqdm.auto import tqdm

from .. import data, losses, nets, train
from ..errors import check_count
from ..train import Gan, Hyperparams
from .tables import Table

STORED = Path(__file__).with_name("studies") / "augmentation.json"
TEST = 800
CLASSES = 10


class Row(NamedTuple):
    """What a row of the table does.

    Attributes:
        noise: standard deviation of the noise on real images, which lie in [-1, 1].
        shift: how far real images are moved, in pixels; 0 for none. (A whole pixel costs accuracy at this size.)
        extra: where half of each batch comes from: "" for the labelled images, else "gan" or "real".
    """

    noise: float = 0.0
    shift: float = 0.0
    extra: str = ""


ROWS = {
    "nothing": Row(),
    "noise": Row(noise=0.5),
    "shift": Row(shift=0.5),
    "GAN": Row(extra="gan"),
    "shift + GAN": Row(shift=0.5, extra="gan"),
    "more real ones": Row(extra="real"),
}
"""Every row of the table."""


@dataclass(frozen=True)
class Setup:
    """What all rows share.

    Attributes:
        gan_steps, gan_batch, gan_width, gan_rate, penalty_weight: of the GAN that is told the label.
        drawn: samples of it that are kept, as many of each class.
        steps, batch, width, rate, decay: of the classifier, trained by AdamW.
    """

    gan_steps: int = 3000
    gan_batch: int = 50
    gan_width: int = 256
    gan_rate: float = 5e-4
    penalty_weight: float = 0.05
    drawn: int = 2000
    steps: int = 1500
    batch: int = 64
    width: int = 128
    rate: float = 1e-3
    decay: float = 1e-3

    def gan(self) -> Gan:
        wide = self.gan_width
        return Gan(
            nets.mlp(32, wide, 64, activation="leaky_relu", output="tanh", classes=CLASSES),
            nets.mlp(64, wide, wide // 2, 1, activation="leaky_relu", classes=CLASSES),
            penalty=losses.r1,
            batch_size=self.gan_batch,
        )

    def dials(self) -> Hyperparams:
        return Hyperparams(lr_g=self.gan_rate, lr_d=self.gan_rate, penalty_weight=self.penalty_weight)


class Split(NamedTuple):
    """One seed's division of the digits: bytes from 0 to 16, shape (n, 8, 8), with their labels."""

    few: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    rest: tuple[np.ndarray, np.ndarray]


def split(labelled: int, seed: int) -> Split:
    """Divide the digits: as many labelled ones of each class, 800 to test on, the rest.

    Args:
        labelled: a multiple of 10.
        seed: of the order.

    >>> parts = split(50, 0)
    >>> [len(labels) for _, labels in parts], np.bincount(parts.few[1]).tolist()
    ([50, 800, 947], [5, 5, 5, 5, 5, 5, 5, 5, 5, 5])
    """
    check_count(labelled, "labelled")
    if labelled % CLASSES:
        raise ValueError(f"as many labelled digits of each class are wanted, so a multiple of 10; got {labelled}")
    source = data.digits()
    images, labels = np.asarray(source.images)[..., 0], np.asarray(source.labels)
    order = np.random.default_rng([seed, labelled]).permutation(len(labels))
    rank = np.zeros(len(order), int)
    for digit in range(CLASSES):
        of_it = labels[order] == digit
        rank[of_it] = np.arange(of_it.sum())
    first = rank < labelled // CLASSES
    few, others = order[first], order[~first]
    part = lambda chosen: (images[chosen], labels[chosen])  # noqa: E731
    return Split(part(few), part(others[:TEST]), part(others[TEST:]))


def scaled(images: np.ndarray) -> Float[np.ndarray, "n 64"]:
    """Grey levels from 0 to 16 as numbers from -1 to 1, as a data set samples them."""
    return (images.reshape(len(images), -1).astype(np.float32) - 8) / 8


def shifted(images: np.ndarray, by: float | int) -> Float[np.ndarray, "moves n height width"]:
    """Nine copies of some images: moved by `by` pixels back, not at all and forth, along both axes.

    Parts of a pixel are taken by linear interpolation; what comes in from outside is paper. One copy for no move.

    >>> shifted(np.eye(2, dtype=np.float32)[None], 0.5)[0, 0].tolist()  # up and to the left
    [[0.5, 0.25], [0.25, 0.25]]
    """
    images = images.astype(np.float32)
    if not by:
        return images[None]
    matrix = lambda side, d: (1 - abs(d)) * np.eye(side) + abs(d) * np.eye(side, k=int(np.sign(d)))  # noqa: E731
    height, width = images.shape[1:]
    moves = [matrix(height, d) @ images @ matrix(width, e).T for d in (by, 0.0, -by) for e in (by, 0.0, -by)]
    return np.stack(moves).astype(np.float32)


def samples(setup: Setup, few: tuple[np.ndarray, np.ndarray], shift: float | int, key: Key[Array, ""]) -> tuple:
    """Train a GAN that is told the label on a few images, and draw from it, as many of each class.

    Args:
        setup: its sizes and dials.
        few: the labelled images and their labels.
        shift: how far its real images are moved, in pixels; 0 for none.
        key: random key.

    Returns:
        Samples (n, 64) in [-1, 1], and the labels that were asked for (n,).
    """
    moves = shifted(few[0], shift)
    grey = np.round(moves.reshape(-1, *few[0].shape[1:]) * 15).astype(np.uint8)  # quarters of a grey level are kept
    target = data.dataset(grey, np.tile(few[1], len(moves)), name="few", peak=240)
    gan, hyper = setup.gan(), setup.dials()
    train_key, draw_key = jax.random.split(key)
    state = train.init(gan, hyper, train_key)
    state, _ = train.steps(gan, hyper, target, state, setup.gan_steps)
    asked = jnp.arange(setup.drawn) % CLASSES
    return np.asarray(state.sample(draw_key, setup.drawn, labels=asked)), np.asarray(asked)


@functools.partial(jax.jit, static_argnames=("setup", "own"))
def _fit(
    setup: Setup,
    key: Key[Array, ""],
    images: Float[Array | np.ndarray, "moves n 64"],
    labels: Int[Array | np.ndarray, " n"],
    extra: Float[Array | np.ndarray, "m 64"],
    extra_labels: Int[Array | np.ndarray, " m"],
    test: Float[Array | np.ndarray, "tests 64"],
    noise: Float[Array, ""],
    own: int,
) -> Int[Array, " tests"]:
    """Train the classifier on batches of `own` labelled images and otherwise of `extra`, and read the test images."""
    first_key, second_key, run_key = jax.random.split(key, 3)
    weights = {
        "hidden": jnp.sqrt(2 / 64) * jax.random.normal(first_key, (64, setup.width)),
        "hidden bias": jnp.zeros((1, setup.width)),
        "last": jnp.sqrt(1 / setup.width) * jax.random.normal(second_key, (setup.width, CLASSES)),
        "last bias": jnp.zeros((1, CLASSES)),
    }
    rule = optax.adamw(setup.rate, weight_decay=setup.decay)

    def read(w, x):
        return jax.nn.relu(x @ w["hidden"] + w["hidden bias"]) @ w["last"] + w["last bias"]

    def loss(w, x, y):
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(read(w, x), y))

    def step(carry, i):
        w, memory = carry
        own_key, extra_key, move_key, noise_key = jax.random.split(jax.random.fold_in(run_key, i), 4)
        at = jax.random.randint(own_key, (own,), 0, len(labels))
        move = jax.random.randint(move_key, (own,), 0, len(images))
        there = jax.random.randint(extra_key, (setup.batch - own,), 0, len(extra_labels))
        real = images[move, at] + noise * jax.random.normal(noise_key, (own, 64))
        x, y = jnp.concatenate([real, extra[there]]), jnp.concatenate([labels[at], extra_labels[there]])
        change, memory = rule.update(jax.grad(loss)(w, x, y), memory, w)
        return (optax.apply_updates(w, change), memory), None

    (weights, _), _ = jax.lax.scan(step, (weights, rule.init(weights)), jnp.arange(setup.steps))
    return jnp.argmax(read(weights, test), axis=1)


def accuracy(setup: Setup, parts: Split, row: Row, extra: tuple[np.ndarray, np.ndarray] | None, seed: int) -> float:
    """Train one row's classifier on one seed, and count the test images that it reads rightly.

    Args:
        setup: what all rows share.
        parts: the seed's division.
        row: what is done to the labelled images.
        extra: what half of each batch is drawn from, (m, 64) in [-1, 1] and its labels; None for labelled ones alone.
        seed: of the first weights and the batches.

    Returns:
        The share of the test images that is right.
    """
    few, labels = parts.few
    moves = np.stack([scaled(images) for images in shifted(few, row.shift)])
    own = setup.batch if extra is None else setup.batch // 2
    extra = (moves[0], labels) if extra is None else extra
    read = _fit(setup, jax.random.key(seed), moves, labels, *extra, scaled(parts.test[0]),
                jnp.float32(row.noise), own)  # fmt: skip
    return float(np.mean(np.asarray(read) == parts.test[1]))


def one(
    setup: Setup, labelled: int, seed: int, rows: Sequence[str] = tuple(ROWS), progress: Any = None
) -> dict[str, float]:
    """Score every row on one seed.

    Args:
        setup: what all rows share.
        labelled: how many digits have a label.
        seed: of the division and of all training.
        rows: names in `ROWS`.
        progress: called after each row, without an argument.

    Returns:
        Name of the row to the share of the test images that is right.
    """
    parts, found = split(labelled, seed), {}
    for name in rows:
        row, extra = ROWS[name], None
        if row.extra == "gan":
            extra = samples(setup, parts.few, row.shift, jax.random.fold_in(jax.random.key(seed), int(row.shift > 0)))
        elif row.extra == "real":
            extra = scaled(parts.rest[0]), parts.rest[1]
        found[name] = accuracy(setup, parts, row, extra, seed)
        if progress is not None:
            progress()
    return found


@dataclass(frozen=True)
class Augmentation:
    """What the rows scored; shows itself as a table.

    Attributes:
        setup: what all rows shared.
        scores: number of labelled digits, as text, to the name of a row to one share of right answers a seed.
        command, date, device, versions: how, when, on what and with what it was made.
    """

    setup: dict[str, Any]
    scores: dict[str, dict[str, list[float]]]
    command: str
    date: str
    device: str
    versions: dict[str, str]

    def shares(self, labelled: int) -> dict[str, np.ndarray]:
        """Every row's shares of right answers, one a seed."""
        return {name: np.array(row) for name, row in self.scores[str(labelled)].items()}

    def gain(self, labelled: int, row: str, against: str = "nothing") -> np.ndarray:
        """What a row gains over another on the same seed: one difference a seed."""
        shares = self.shares(labelled)
        return shares[row] - shares[against]

    def table(self) -> Table:
        """Mean and standard deviation over seeds, and the gain on the same seeds, in per cent."""
        head, rows = ["row"], {name: [name] for name in next(iter(self.scores.values()))}
        for labelled in self.scores:
            head += [f"{labelled} labelled: right", "gain", "seeds with a gain"]
            for name, share in self.shares(int(labelled)).items():
                gain = self.gain(int(labelled), name)
                spread = "" if name == "nothing" else _percent(gain, "+.1f")
                seeds = "" if name == "nothing" else f"{int(np.sum(gain > 0))} of {len(gain)}"
                rows[name] += [_percent(share, ".1f"), spread, seeds]
        caption = (
            "Per cent; ± is the standard deviation over seeds. Gain: over 'nothing' on the same seed.",
            f"{self.command}  ({self.date}, {self.device}, jax {self.versions['jax']})",
        )
        return Table(tuple(head), tuple(map(tuple, rows.values())), caption)

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def _percent(shares: np.ndarray, form: str) -> str:
    spread = f" ± {100 * shares.std(ddof=1):.1f}" if len(shares) > 1 else ""
    return f"{100 * shares.mean():{form}}{spread}"


def stored(path: str | Path = STORED) -> Augmentation:
    """Read what the command has written; what is shipped with the package when no path is given.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something else.
    """
    try:
        return Augmentation(**json.loads(Path(path).read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no results of an augmentation ({error}); choose another file") from None


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m gan_jax.protocols.augmentation",
        description=(__doc__ or "").strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--labelled", type=int, nargs="+", default=[50, 100], help="labelled digits, multiples of 10")
    parser.add_argument("--seeds", type=int, default=10, help="how many seeds")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of them")
    parser.add_argument("--gan-steps", type=int, default=Setup.gan_steps, help="the GAN's steps")
    parser.add_argument("--out", type=Path, help="the file to write; none when left out")
    parser.add_argument("--show", action="store_true", help="print the stored results, and train nothing")
    chosen = parser.parse_args(arguments)
    if chosen.show:
        print(stored())
        return
    check_count(chosen.seeds, "seeds")
    setup = Setup(gan_steps=chosen.gan_steps)
    labelled = " ".join(map(str, chosen.labelled))
    command = f"python -m gan_jax.protocols.augmentation --labelled {labelled} --seeds {chosen.seeds}"
    command += f" --first-seed {chosen.first_seed}" if chosen.first_seed else ""
    command += f" --gan-steps {chosen.gan_steps}" if chosen.gan_steps != Setup.gan_steps else ""
    found = Augmentation(asdict(setup), {str(n): {name: [] for name in ROWS} for n in chosen.labelled}, command,
                         datetime.date.today().isoformat(), f"{jax.default_backend()}, {platform.machine()}",
                         {name: version(name) for name in ("jax", "flax", "optax", "numpy")})  # fmt: skip
    with tqdm(total=len(chosen.labelled) * chosen.seeds * len(ROWS), unit="row", smoothing=0) as bar:
        for seed in range(chosen.first_seed, chosen.first_seed + chosen.seeds):
            for n in chosen.labelled:
                for name, share in one(setup, n, seed, progress=bar.update).items():
                    found.scores[str(n)][name].append(round(share, 5))
            if chosen.out is not None:  # after each seed, so that an interruption loses one at most
                _write(chosen.out, found)
    print(found)


def _write(path: Path, found: Augmentation) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(found), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
