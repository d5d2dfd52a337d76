"""Recipes, an objective and counts come in; a `Gan` goes out: what the program is made of, frozen and hashable."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int32, Key

from ..errors import Menu, check_count, named_keywords
from ..losses import Auxiliary, Loss, Penalty, auxiliary_classifier, nonsaturating
from ..nets import Recipe, check_pair


def _adam(hyper: Any) -> optax.GradientTransformation:
    # eps_root is far below any square that counts, and lets Adam's step be differentiated where a gradient is 0
    return optax.scale_by_adam(b1=hyper.beta1, b2=hyper.beta2, eps_root=1e-30)


OPTIMIZERS: Menu[Callable] = Menu(
    "optimizer",
    {
        "adam": lambda lr, hyper: optax.chain(_adam(hyper), optax.scale_by_learning_rate(lr)),
        "optimistic_adam": lambda lr, hyper: optax.chain(
            _adam(hyper), optax.scale_by_optimistic_gradient(), optax.scale_by_learning_rate(lr)
        ),
        "rmsprop": lambda lr, hyper: optax.rmsprop(lr, decay=hyper.beta2),
        "sgd": lambda lr, hyper: optax.sgd(lr, momentum=hyper.beta1),
    },
)
"""How a gradient becomes a step; each maps (learning rate, dials) to an Optax transformation. Optimistic Adam takes
twice Adam's step less the one before (Daskalakis et al. 2018, algorithm 1)."""

LATENTS: Menu[Callable] = Menu(
    "latent",
    {"normal": jax.random.normal, "uniform": functools.partial(jax.random.uniform, minval=-1.0, maxval=1.0)},
)
"""Where z is drawn from: N(0, I), or uniform on [-1, 1]^d."""

UPDATES = Menu("update", {name: name for name in ("alternating", "simultaneous", "extragradient")})
"""Alternating: G answers the new D. Simultaneous: both players move at once from where they stood. Extragradient: both
look one step ahead, then move from where they stood by the gradients found there, each time with their optimiser, whose
memory takes in both gradients (Gidel et al. 2019, "A Variational Inequality Perspective on GANs", algorithm 4)."""

PRECISIONS = Menu("precision", {"float32": None, "bfloat16": jnp.bfloat16})
"""What the networks compute in; None is what the parameters are. Parameters, optimisers' memories, batch statistics and
losses stay in float32."""


@named_keywords
@dataclass(frozen=True)
class Gan:
    """What the program is made of: frozen and hashable, static under `jit`. A change here compiles anew.

    Args:
        generator: recipe of the module that maps z, shape (n, latent_dim), to samples (n, *target.shape).
        discriminator: recipe of the module that maps samples to logits, shape (n, 1) or (n,).
        loss: the objective.
        penalty: added to D's loss, times `Hyperparams.penalty_weight`.
        latent_dim: numbers in z; taken from the generator's recipe when left out.
        latent: name in `LATENTS`.
        batch_size: samples of each kind that a player sees in an update.
        d_steps: updates of D in a step.
        g_steps: updates of G in a step, after D's, each on a batch of its own.
        optimizer: name in `OPTIMIZERS`, for both players.
        update: name in `UPDATES`; extragradient moves both players together, so it takes 1 update of each.
        packing: samples that D judges together, as one input `packing` times as wide, with one logit (PacGAN, Lin et
            al. 2018); `batch_size` is a multiple of it.
        unrolled_steps: further updates of D, on G's own batch and by D's optimiser, after which G's loss is taken;
            G's gradient goes through them (Metz et al. 2017). 0 for none.
        auxiliary: what D's heads are to guess: `losses.auxiliary_classifier`, `losses.information(...)`.
        precision: name in `PRECISIONS`.

    Where the recipes have `classes`, both players are told labels: the real samples' own, and the fake samples of an
    update carry the same ones, so that a point between a real and a fake sample has a label too.

    Raises:
        TypeError: an unknown name of a field, or a value of another kind.
        ValueError: numbers that do not fit each other; the message says which.
        UnknownName: a name that is on no menu.

    >>> from gan_jax import nets
    >>> Gan(nets.mlp(2, 64, 2), nets.mlp(2, 64, 1)).latent_dim
    2
    """

    generator: Recipe
    discriminator: Recipe
    loss: Loss = nonsaturating
    penalty: Penalty | None = None
    latent_dim: int | None = None
    latent: str = "normal"
    batch_size: int = 256
    d_steps: int = 1
    g_steps: int = 1
    optimizer: str = "adam"
    update: str = "alternating"
    packing: int = 1
    unrolled_steps: int = 0
    auxiliary: Auxiliary | None = None
    precision: str = "float32"

    def __post_init__(self):
        for name in ("generator", "discriminator"):
            if not callable(getattr(self, name)):
                raise TypeError(f"{name} must be a recipe such as nets.mlp(2, 64, 64, 2), got {getattr(self, name)!r}")
        if not isinstance(self.loss, Loss):
            raise TypeError(f"loss must be a losses.Loss, such as losses.LOSSES['hinge'], got {self.loss!r}")
        if self.penalty is not None and not isinstance(self.penalty, Penalty):
            raise TypeError(f"penalty must be a losses.Penalty, such as losses.r1, or None, got {self.penalty!r}")
        inputs = getattr(self.generator, "inputs", self.latent_dim)
        if self.latent_dim not in (None, inputs):
            raise ValueError(f"the generator takes {inputs} numbers a sample, but the latent has {self.latent_dim}")
        if self.latent_dim is None:
            if inputs is None:
                raise ValueError("this generator's recipe does not say how long its latent is; give latent_dim=...")
            object.__setattr__(self, "latent_dim", inputs)
        for name in ("latent_dim", "batch_size", "d_steps", "g_steps", "packing", "unrolled_steps"):
            check_count(getattr(self, name), name, least=int(name != "unrolled_steps"))
            object.__setattr__(self, name, int(getattr(self, name)))  # an array of JAX has no hash
        if getattr(self.generator, "group", 1) > 1:
            raise ValueError(
                f"the generator compares {self.generator.group} samples of a batch, so it could draw none by itself; "  # type: ignore[attr-defined]
                "leave minibatch_stddev out of its recipe, it is for discriminators"
            )
        check_pair(self.generator, self.discriminator, self.packing)
        self._check_labels()
        LATENTS[self.latent], PRECISIONS[self.precision], OPTIMIZERS[self.optimizer], UPDATES[self.update]
        if self.batch_size % self.judged_together:
            raise ValueError(
                f"D judges {self.judged_together} samples together, so batch_size must be a multiple of that, "
                f"got {self.batch_size}"
            )
        if self.update == "extragradient" and (self.d_steps, self.g_steps) != (1, 1):
            raise ValueError(
                "extragradient moves both players together, got "
                f"d_steps={self.d_steps} and g_steps={self.g_steps}; "
                "set both to 1, and give one player a larger learning rate instead"
            )

    def _check_labels(self) -> None:
        """Raise unless what the players are told, and what D's heads guess, fit each other."""
        if self.auxiliary is not None and not isinstance(self.auxiliary, Auxiliary):
            raise TypeError(f"auxiliary must be a losses.Auxiliary or None, got {self.auxiliary!r}")
        told_g, told_d = (getattr(recipe, "classes", 0) for recipe in (self.generator, self.discriminator))
        if told_g and told_d and told_g != told_d:
            raise ValueError(f"the generator is told {told_g} classes, the discriminator {told_d}; make them equal")
        if told_d and not told_g:
            raise ValueError(
                f"the discriminator is told {told_d} classes and the generator none, so it could not follow; "
                f"give its recipe classes={told_d} too"
            )
        if told_g and not told_d and self.auxiliary is None:
            raise ValueError(
                f"the generator is told {told_g} classes, and nobody looks whether it follows; give the "
                f"discriminator classes={told_g}, or heads={told_g} and auxiliary=losses.auxiliary_classifier"
            )
        if self.auxiliary is auxiliary_classifier and not told_g:
            raise ValueError("an auxiliary classifier needs labels to guess; give the generator's recipe classes=...")
        if self.auxiliary is None:
            needed: int | None = 0
        else:  # one of the user's own may guess anything
            needed = told_g if self.auxiliary is auxiliary_classifier else self.code or None
        heads = getattr(self.discriminator, "heads", None)
        if None not in (heads, needed) and heads != needed:
            guess = self.auxiliary.name if self.auxiliary else "a game without auxiliary="
            raise ValueError(f"{guess} needs {needed} heads of D, and D has {heads}; give its recipe heads={needed}")
        if self.code and self.latent_dim is not None and self.code >= self.latent_dim:
            raise ValueError(
                f"the code takes {self.code} numbers of each latent, which has {self.latent_dim}; "
                f"make latent_dim larger than {self.code}"
            )
        if self.packing > 1 and (told_g or self.auxiliary):
            raise ValueError("packing and labels do not go together: a pack would have many; set packing=1")

    @property
    def classes(self) -> int:
        """Classes that the generator is told; 0 for none."""
        return getattr(self.generator, "classes", 0)

    @property
    def code(self) -> int:
        """Numbers at the end of each latent that D's heads are to guess."""
        return self.auxiliary.categories + self.auxiliary.continuous if self.auxiliary else 0

    @property
    def judged_together(self) -> int:
        """Samples on which one of D's logits depends: packing, times the group of a minibatch standard deviation."""
        return self.packing * getattr(self.discriminator, "group", 1)

    def noise(self, key: Key[Array, ""], n: int) -> Float[Array, "n latent_dim"]:
        """Draw n latents; the last `code` numbers of each are its code."""
        if not (self.auxiliary and self.code):
            return LATENTS[self.latent](key, (n, self.latent_dim))
        free_key, category_key, number_key = jax.random.split(key, 3)
        categories, continuous = self.auxiliary.categories, self.auxiliary.continuous
        parts = [LATENTS[self.latent](free_key, (n, int(self.latent_dim or 0) - self.code))]
        if categories:
            parts.append(jax.nn.one_hot(jax.random.randint(category_key, (n,), 0, categories), categories))
        parts.append(jax.random.uniform(number_key, (n, continuous), minval=-1.0, maxval=1.0))
        return jnp.concatenate(parts, axis=1)

    def labels(self, key: Key[Array, ""], n: int) -> Int32[Array, " n"] | None:
        """Draw n labels uniformly; None where the players are told none."""
        return jax.random.randint(key, (n,), 0, self.classes) if self.classes else None
