"""The shape of a sample, its classes and options come in; the recipes of both players go out, by the family's name."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import losses, nets
from ..errors import Menu
from ..losses import Auxiliary
from ..nets import Recipe

Widths = tuple[int, ...]

CATEGORIES, NUMBERS = 10, 2
"""The code of an InfoGAN here: a category of ten, and two numbers."""


class Subject(NamedTuple):
    """What the networks are for.

    Attributes:
        shape: of a sample: (2,) in the plane, else (height, width, channels).
        classes: of the data; below 2 where they have no labels.
        packing: samples that D judges together.
    """

    shape: tuple[int, ...]
    classes: int = 0
    packing: int = 1


class Way(NamedTuple):
    """How labels come into the game.

    Attributes:
        g: how G is told; "" for not at all.
        d: how D is told.
        auxiliary: what D's heads are to guess.
    """

    g: str = ""
    d: str = ""
    auxiliary: Auxiliary | None = None


LABELS: Menu[Way] = Menu(
    "way to bring labels in",
    {
        "none": Way(),
        "concatenate": Way("concatenate", "concatenate"),
        "projection": Way("batch_norm", "projection"),
        "classifier": Way("concatenate", "", losses.auxiliary_classifier),
        "discovered": Way(auxiliary=losses.information(CATEGORIES, NUMBERS)),
    },
)
"""Both players are told them, joined to their inputs, or by conditional batch norm in G (in a dense G still joined to
its input) and a projection in D; D guesses them (AC-GAN); or there are none, and D guesses a code that G was given
(InfoGAN)."""


class _Told(NamedTuple):
    """What labels mean for both recipes."""

    classes_g: int
    classes_d: int
    heads: int
    way: Way


def _told(subject: Subject, labels: str) -> _Told:
    way = LABELS[labels]
    if (way.g or way.d) and subject.classes < 2:
        raise ValueError(f"labels={labels} needs data with labels; take --data digits, or set labels=none")
    heads = 0 if way.auxiliary is None else way.auxiliary.categories + way.auxiliary.continuous or subject.classes
    return _Told(subject.classes if way.g else 0, subject.classes if way.d else 0, heads, way)


def _mlp(
    subject: Subject,
    *,
    latent_dim: int = 64,
    hidden: Widths = (128, 128),
    hidden_d: Widths = (),
    activation: str = "relu",
    normalisation: str = "none",
    normalisation_d: str = "none",
    minibatch_stddev: int = 0,
    labels: str = "none",
) -> tuple[Recipe, Recipe]:
    numbers, told = int(np.prod(subject.shape)), _told(subject, labels)
    return (
        nets.mlp(latent_dim, *hidden, numbers, activation=activation, normalisation=normalisation,
                 output="identity" if len(subject.shape) == 1 else "tanh", classes=told.classes_g),
        nets.mlp(numbers * subject.packing, *(hidden_d or hidden), 1, activation=activation,
                 normalisation=normalisation_d, minibatch_stddev=minibatch_stddev, classes=told.classes_d,
                 heads=told.heads, conditioning=told.way.d or "concatenate"),
    )  # fmt: skip


def _dcgan(
    subject: Subject,
    *,
    latent_dim: int = 64,
    width: int = 16,
    upsampling: str = "transposed",
    initialiser: str = "normal_0.02",
    normalisation: str = "batch",
    normalisation_d: str = "none",
    dropout: float = 0.0,
    labels: str = "none",
) -> tuple[Recipe, Recipe]:
    (height, across, colours), told = subject.shape, _told(subject, labels)
    return (
        nets.dcgan_generator(latent_dim, (height, across, colours), width, upsampling=upsampling,
                             initialiser=initialiser, normalisation=normalisation, classes=told.classes_g,
                             conditioning=told.way.g or "concatenate"),
        nets.dcgan_discriminator((height, across, colours * subject.packing), width, initialiser=initialiser,
                                 normalisation=normalisation_d, dropout=dropout, classes=told.classes_d,
                                 conditioning=told.way.d or "concatenate", heads=told.heads),
    )  # fmt: skip


def _tutorial(subject: Subject) -> tuple[Recipe, Recipe]:
    if subject.shape != (28, 28, 1) or subject.packing != 1:
        raise ValueError(
            f"the tutorial's networks are for grey images of 28x28, got {subject.shape}; take dcgan-mnist-5000, whose "
            "networks fit any image"
        )
    return nets.tutorial_generator(), nets.tutorial_discriminator()


def _resnet(
    subject: Subject,
    *,
    latent_dim: int = 128,
    width: int = 128,
    width_d: int = 128,
    normalisation: str = "batch",
    normalisation_d: str = "none",
    labels: str = "none",
) -> tuple[Recipe, Recipe]:
    (height, across, colours), told = subject.shape, _told(subject, labels)
    return (
        nets.resnet_generator(latent_dim, (height, across, colours), width, normalisation=normalisation,
                              classes=told.classes_g, conditioning=told.way.g or "concatenate"),
        nets.resnet_discriminator((height, across, colours * subject.packing), width_d, normalisation=normalisation_d,
                                  classes=told.classes_d, conditioning=told.way.d or "concatenate", heads=told.heads),
    )  # fmt: skip


class Family(NamedTuple):
    """Networks of one kind.

    Attributes:
        make: makes both recipes, given a `Subject` and options.
        flat: whether they take images as vectors.
        plane: whether they can also make points in the plane.
    """

    make: Callable[..., tuple[Recipe, Recipe]]
    flat: bool = False
    plane: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """What may be chosen, each with its default."""
        parameters = inspect.signature(self.make).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


NETWORKS: Menu[Family] = Menu(
    "family of networks",
    {
        "mlp": Family(_mlp, flat=True, plane=True),
        "dcgan": Family(_dcgan),
        "tutorial": Family(_tutorial),
        "resnet": Family(_resnet),
    },
)
"""Families of networks, by name."""
