"""Losses and constraints come in; GANs trained on the digits with equal budget go out, scored over seeds.

All methods have the same networks, the same batch and the same number of updates, those of D and of G counted
together. Optimiser, updates of D a step, weight of the penalty and c are those of the method's paper. The learning
rate, one for both players, is chosen for each among the same three, on seeds that are not scored.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from ... import data, losses, metrics, nets, train
from ...errors import Menu, check_count
from ...train import Gan, Hyperparams
from ...train.critics import slopes
from .comparison import Comparison

UPDATES, SEEDS = 6000, 5
RATES = (3e-4, 1e-3, 3e-3)
TRIED = 2
"""Seeds on which each learning rate is tried."""

_GENERATOR = nets.mlp(64, 256, 256, 64, output="tanh")
_DISCRIMINATOR = nets.mlp(64, 256, 128, 1, activation="leaky_relu")
_PLAIN = Gan(_GENERATOR, _DISCRIMINATOR, batch_size=64)


@dataclass(frozen=True)
class Method:
    """A loss, and what holds D's slope.

    Attributes:
        words: its name in tables.
        gan: the rules.
        hyper: the dials, but for the learning rates.
        source: where its settings come from.
    """

    words: str
    gan: Gan
    hyper: Hyperparams
    source: str

    def steps(self, updates: int = UPDATES) -> int:
        """How many steps so many updates of a network are."""
        return updates // (self.gan.d_steps + self.gan.g_steps)


def _wasserstein(**changes: Any) -> Gan:
    return replace(_PLAIN, loss=losses.wasserstein, d_steps=5, **changes)


METHODS: Menu[Method] = Menu(
    "method",
    {
        "nonsaturating": Method(
            "non-saturating, nothing held", _PLAIN, Hyperparams(beta1=0.5), "Goodfellow et al. 2014; Adam of DCGAN"
        ),
        "least_squares": Method(
            "LSGAN, nothing held",
            replace(_PLAIN, loss=losses.least_squares),
            Hyperparams(beta1=0.5),
            "Mao et al. 2017, section 4",
        ),
        "hinge": Method(
            "hinge, nothing held", replace(_PLAIN, loss=losses.hinge), Hyperparams(beta1=0.5), "Lim and Ye 2017"
        ),
        "clipping": Method(
            "WGAN, clipped weights",
            _wasserstein(optimizer="rmsprop"),
            Hyperparams(beta2=0.99, weight_clip=0.01),
            "Arjovsky et al. 2017, algorithm 1",
        ),
        "wgan_gp": Method(
            "WGAN-GP",
            _wasserstein(penalty=losses.wgan_gp),
            Hyperparams(beta1=0.0, beta2=0.9, penalty_weight=10.0),
            "Gulrajani et al. 2017, algorithm 1",
        ),
        "spectral": Method(
            "hinge, spectral norm",
            replace(_PLAIN, loss=losses.hinge, discriminator=replace(_DISCRIMINATOR, normalisation="spectral")),
            Hyperparams(beta1=0.0, beta2=0.9),
            "Miyato et al. 2018, section 4",
        ),
        "r1": Method(
            "non-saturating, R1",
            replace(_PLAIN, penalty=losses.r1),
            Hyperparams(beta1=0.0, beta2=0.99, penalty_weight=10.0),
            "Mescheder et al. 2018, section 4.1 and appendix",
        ),
    },
)
"""What is compared."""

FRECHET = "Fréchet distance"


def score(samples: Any, target: data.Dataset) -> dict[str, float]:
    """Fréchet distance, precision and recall of one generator's samples, in the features of the package's reader."""
    both = metrics.precision_recall(samples, target)
    distance = float(metrics.frechet_distance(samples, target))
    return {FRECHET: distance, "precision": float(both.precision), "recall": float(both.recall)}


def train_all(
    method: Method, rates: Sequence[float], keys: Any, *, updates: int = UPDATES, target: data.Dataset | None = None
) -> train.Sweep:
    """Train a method at each learning rate from each key."""
    values = np.asarray(rates, np.float32)
    hyper = replace(method.hyper, lr_g=values, lr_d=values)
    target = data.digits() if target is None else target
    return train.sweep(method.gan, hyper, target, keys, method.steps(updates), every=100, progress=False)


def _scored(done: train.Sweep, target: data.Dataset) -> list[dict[str, float]]:
    """Scores of all runs, one after the other; NaN where a run diverged."""
    samples = done.sample(jax.random.key(7), len(target))
    rows = samples.reshape(-1, *samples.shape[-2:])
    fails = dict.fromkeys((FRECHET, "precision", "recall"), float("nan"))
    return [score(row, target) if np.isfinite(row).all() else fails for row in rows]


def chosen_rate(method: Method, *, updates: int = UPDATES) -> float:
    """The learning rate with the least mean Fréchet distance on the seeds for trying."""
    target, keys = data.digits(), jax.random.split(jax.random.key(1000), TRIED)
    found = _scored(train_all(method, RATES, keys, updates=updates), target)
    means = np.reshape([row[FRECHET] for row in found], (len(RATES), TRIED)).mean(axis=1)
    return RATES[int(np.argmin(np.where(np.isfinite(means), means, np.inf)))]


def run(method: Method, seeds: int, *, updates: int = UPDATES) -> dict[str, list[float]]:
    """Choose the rate, train from every seed, and score."""
    check_count(seeds, "seeds")
    target, rate = data.digits(), chosen_rate(method, updates=updates)
    keys = jax.vmap(jax.random.key)(np.arange(seeds))
    began = time.process_time()
    done = train_all(method, [rate], keys, updates=updates)
    jax.block_until_ready(done.states.step)
    seconds = (time.process_time() - began) / seeds
    found = _scored(done, target)
    real = target.sample(jax.random.key(8), 500)
    slope = [float(slopes(_critic(done, i), real).mean()) for i in range(seeds)]
    columns = {name: [row[name] for row in found] for name in found[0]}
    return {**columns, "slope of D": slope, "rate": [rate] * seeds, "CPU seconds": [seconds] * seeds}


def _critic(done: train.Sweep, seed: int) -> Any:
    module = done.pick(0, seed).discriminator
    return lambda x: module(x).reshape(len(x))


def compare(seeds: int, made: Mapping[str, str], *, updates: int = UPDATES, names: Sequence[str] | None = None,
            tell: Any = lambda text: None) -> Comparison:  # fmt: skip
    """Run every method, or those that are named."""
    rows = {}
    for name in names or METHODS:
        rows[METHODS[name].words] = run(METHODS[name], seeds, updates=updates)
        tell(f"{METHODS[name].words}: {FRECHET} {np.round(rows[METHODS[name].words][FRECHET], 2)}")
    target = data.digits()
    real = [score(target.sample(jax.random.key(100 + i), len(target)), target) for i in range(seeds)]
    columns = {name: np.array([row[name] for row in real]) for name in real[0]}
    perfect = {name: (float(values.mean()), float(values.std(ddof=1))) for name, values in columns.items()}
    settings = {
        "target": "the 1,797 embedded digits of 8x8; as many samples are scored",
        "generator": "64-256-256-64, relu, tanh at the end",
        "discriminator": "64-256-128-1, leaky relu",
        "budget": f"{updates:,} updates of a network on 64 samples, D's and G's counted together",
        "rate": f"the best of {', '.join(f'{rate:g}' for rate in RATES)} on {TRIED} other seeds",
        "seeds": f"{seeds}",
    }
    return Comparison("digits", settings, perfect, rows, dict(made))
