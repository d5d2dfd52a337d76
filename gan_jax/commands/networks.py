"""The shape of a sample, its classes and options come in; the recipes of both players go out, by the family's name."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import nets
from ..errors import Menu
from ..nets import Recipe

Widths = tuple[int, ...]


class Subject(NamedTuple):
    """What the networks are for.

    Attributes:
        shape: of a sample: (2,) in the plane, else (height, width, channels).
        classes: of the data; 0 where they have no labels.
        packing: samples that D judges together.
        heads: further outputs of D.
    """

    shape: tuple[int, ...]
    classes: int = 0
    packing: int = 1
    heads: int = 0


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
    numbers = int(np.prod(subject.shape))
    output = "identity" if len(subject.shape) == 1 else "tanh"
    told: dict[str, Any] = {"classes": _told(subject, labels)} if labels != "none" else {}
    heads: dict[str, Any] = {"heads": subject.heads} if subject.heads else {}
    return (
        nets.mlp(latent_dim, *hidden, numbers, activation=activation, normalisation=normalisation, output=output,
                 **told),
        nets.mlp(numbers * subject.packing, *(hidden_d or hidden), 1, activation=activation,
                 normalisation=normalisation_d, minibatch_stddev=minibatch_stddev, **told, **heads),
    )  # fmt: skip


LABELS: Menu[dict[str, str]] = Menu(
    "way to tell labels",
    {
        "none": {},
        "concatenate": {"g": "concatenate", "d": "concatenate"},
        "projection": {"g": "batch_norm", "d": "projection"},
    },
)
"""How both players are told labels: joined to their inputs, or by conditional batch norm in G and a projection in D."""


def _told(subject: Subject, labels: str) -> int:
    """Classes that the networks are told."""
    if LABELS[labels] and not subject.classes:
        raise ValueError(f"labels={labels} needs data with labels; take --data digits, or set labels=none")
    return subject.classes if LABELS[labels] else 0


def _dcgan(
    subject: Subject,
    *,
    latent_dim: int = 64,
    width: int = 16,
    upsampling: str = "transposed",
    normalisation: str = "batch",
    normalisation_d: str = "none",
    dropout: float = 0.0,
    labels: str = "none",
) -> tuple[Recipe, Recipe]:
    height, across, colours = subject.shape
    classes, ways = _told(subject, labels), LABELS[labels]
    told_g: dict[str, Any] = {"classes": classes, "conditioning": ways["g"]} if classes else {}
    told_d: dict[str, Any] = {"classes": classes, "conditioning": ways["d"]} if classes else {}
    return (
        nets.dcgan_generator(latent_dim, (height, across, colours), width, upsampling=upsampling,
                             normalisation=normalisation, **told_g),
        nets.dcgan_discriminator((height, across, colours * subject.packing), width, normalisation=normalisation_d,
                                 dropout=dropout, heads=subject.heads, **told_d),
    )  # fmt: skip


def _tutorial(subject: Subject) -> tuple[Recipe, Recipe]:
    if subject.shape != (28, 28, 1) or subject.packing != 1:
        raise ValueError(
            f"the tutorial's networks are for grey images of 28x28, got {subject.shape}; take dcgan-mnist-5000, whose "
            "networks fit any image"
        )
    return nets.tutorial_generator(), nets.tutorial_discriminator()


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
    {"mlp": Family(_mlp, flat=True, plane=True), "dcgan": Family(_dcgan), "tutorial": Family(_tutorial)},
)
"""Families of networks, by name."""
