"""What decides a run's numbers comes in; the `Gan` of each packing goes out, and the settings line by line as text."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace

import numpy as np

from ..data import Target
from ..errors import check_count, named_keywords
from ..losses import Loss, Penalty, nonsaturating
from ..metrics import NEED_CLASSES, NEED_MODES
from ..nets import PIECES, MlpRecipe
from ..train import Gan, Hyperparams

ALWAYS_TOLD = ("lr_g", "lr_d", "beta1", "beta2")


@named_keywords
@dataclass(frozen=True)
class Settings:
    """All that decides a run's numbers, but its seed and its packing.

    Args:
        target: makes the target; takes no arguments.
        about: the target in words.
        generator: recipe, made by `nets.mlp`.
        discriminator: recipe for single samples; its first width is multiplied by the packing.
        hyper: the dials.
        packs: D's inputs of each kind in a batch; a batch holds packing x packs samples.
        loss, penalty, latent, update: as in `Gan`.
        steps: updates of each player.
        seeds: runs that are averaged.
        samples: on which a run is scored.

    >>> from gan_jax import data, nets
    >>> small = Settings(data.ring, "8 Gaussians", nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), packs=10, steps=100)
    >>> small.gan(packing=2).discriminator.widths, small.gan(packing=2).batch_size
    ((4, 8, 1), 20)
    """

    target: Callable[[], Target]
    about: str
    generator: MlpRecipe
    discriminator: MlpRecipe
    hyper: Hyperparams = field(default_factory=Hyperparams)
    packs: int = 100
    loss: Loss = nonsaturating
    penalty: Penalty | None = None
    latent: str = "normal"
    update: str = "simultaneous"
    steps: int = 10_000
    seeds: int = 5
    samples: int = 2500

    def __post_init__(self):
        for name in ("packs", "steps", "seeds", "samples"):
            check_count(getattr(self, name), name)

    def gan(self, packing: int = 1) -> Gan:
        """The rules for one packing."""
        check_count(packing, "packing")
        first, *others = self.discriminator.widths
        return Gan(
            self.generator,
            replace(self.discriminator, widths=(packing * first, *others)),
            loss=self.loss,
            penalty=self.penalty,
            latent=self.latent,
            batch_size=packing * self.packs,
            update=self.update,
            packing=packing,
        )

    def lines(self) -> dict[str, str]:
        """The settings by their name, as text: what is printed, stored with results, and compared before they mix."""
        gan = self.gan()
        dials = {f.name: float(np.asarray(getattr(self.hyper, f.name))) for f in fields(Hyperparams)}
        usual = {f.name: float(np.asarray(f.default)) for f in fields(Hyperparams)}
        told = {name: f"{v:g}" for name, v in dials.items() if name in ALWAYS_TOLD or v != usual[name]}
        return {
            "target": self.about,
            "latent z": f"{gan.latent_dim} numbers, {self.latent}",
            "generator": _described(self.generator),
            "discriminator": _described(self.discriminator),
            "first weights": _initialisers(self.generator, self.discriminator),
            "loss": self.loss.name,
            "penalty": self.penalty.name if self.penalty else "none",
            "update": f"{self.update}, {gan.optimizer}",
            **told,
            "packs a batch": f"{self.packs}",
            "steps": f"{self.steps:,}",
            "samples a score": f"{self.samples:,}",
        }

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names in `metrics.METRICS` of what a run is scored by."""
        return NEED_MODES if hasattr(self.target(), "means") else NEED_CLASSES


def _described(recipe: MlpRecipe) -> str:
    parts = ["-".join(map(str, recipe.widths)), recipe.activation]
    parts[1] += f" of {PIECES}" if recipe.activation == "maxout" else ""
    parts += [] if recipe.normalisation == "none" else [f"{recipe.normalisation} norm"]
    parts += [] if recipe.output == "identity" else [f"{recipe.output} at the end"]
    parts += [f"deviation of {recipe.minibatch_stddev}"] if recipe.minibatch_stddev else []
    return ", ".join(parts)


def _initialisers(*recipes: MlpRecipe) -> str:
    return ", ".join(dict.fromkeys(recipe.initialiser for recipe in recipes))
