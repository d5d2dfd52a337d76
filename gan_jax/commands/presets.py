"""A name comes in; a beginning for `python -m gan_jax train` goes out: data, networks, rules, dials, how many steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import Menu


@dataclass(frozen=True)
class Preset:
    """A beginning for a run.

    Attributes:
        name: its name in `PRESETS`.
        about: what it is, in one sentence.
        source: what it follows.
        data: its data, in `SOURCES`, where no other are asked for.
        networks: in `NETWORKS`.
        options: of the networks.
        rules: fields of `Gan`; loss and penalty by their names.
        dials: fields of `Hyperparams` that are not at their defaults.
        steps: of a whole run.
        full: whether it is of a published size, which takes hours on two cores.
    """

    name: str
    about: str
    source: str
    data: str
    networks: str
    options: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, Any] = field(default_factory=dict)
    dials: Mapping[str, float | int] = field(default_factory=dict)
    steps: int = 5000
    full: bool = False


_RADFORD = {"lr_g": 2e-4, "lr_d": 2e-4, "beta1": 0.5}
_QUICK = {"lr_g": 1e-3, "lr_d": 1e-3, "beta1": 0.5}
_LONG_CRITIC = {"lr_g": 1e-3, "lr_d": 1e-3, "beta1": 0.0, "beta2": 0.9}
# weights of deviation 0.02 are made for layers of hundreds of channels; narrow networks take Glorot's
_NARROW = {"latent_dim": 64, "width": 16, "initialiser": "glorot"}

_ALL = (
    Preset(
        "ring",
        "Two small networks on eight Gaussians in a ring.",
        "the README's ten lines",
        data="ring",
        networks="mlp",
        options={"latent_dim": 2, "hidden": (64, 64)},
        dials={"lr_g": 1e-3, "lr_d": 2e-3},
    ),
    Preset(
        "mlp-digits",
        "Dense networks on 8x8 digits, as in lesson 04.",
        "Goodfellow et al. 2014, with Adam and the non-saturating loss",
        data="digits",
        networks="mlp",
        options={"latent_dim": 100, "hidden": (256,), "hidden_d": (512, 256), "activation": "leaky_relu"},
        rules={"batch_size": 64},
        dials=_RADFORD,
        steps=3000,
    ),
    Preset(
        "dcgan-digits",
        "A narrow DCGAN on 8x8 digits.",
        "Radford et al. 2016",
        data="digits",
        networks="dcgan",
        options=_NARROW | {"normalisation_d": "batch"},
        rules={"batch_size": 64},
        dials=_QUICK,
        steps=2000,
    ),
    Preset(
        "conditional",
        "As dcgan-digits, both players told the labels: conditional batch norm in G, a projection in D.",
        "Miyato and Koyama 2018",
        data="digits",
        networks="dcgan",
        options=_NARROW | {"normalisation_d": "batch", "labels": "projection"},
        rules={"batch_size": 64},
        dials=_QUICK,
        steps=2000,
    ),
    Preset(
        "infogan",
        "As dcgan-digits, with a code that D's heads guess: a category of ten and two numbers; no labels are used.",
        "Chen et al. 2016",
        data="digits",
        networks="dcgan",
        options=_NARROW | {"latent_dim": 76, "normalisation_d": "batch", "labels": "discovered"},
        rules={"batch_size": 64},
        dials=_QUICK,
        steps=2000,
    ),
    Preset(
        "sn-hinge",
        "A spectrally normalised critic with the hinge loss, five of its updates to one of G, on 8x8 digits.",
        "Miyato et al. 2018, section 4",
        data="digits",
        networks="dcgan",
        options=_NARROW | {"normalisation_d": "spectral"},
        rules={"batch_size": 64, "loss": "hinge", "d_steps": 5},
        dials=_LONG_CRITIC,
        steps=1000,
    ),
    Preset(
        "wgan-gp",
        "A critic under a gradient penalty, five of its updates to one of G, on 8x8 digits.",
        "Gulrajani et al. 2017, section 4",
        data="digits",
        networks="dcgan",
        options=_NARROW | {"normalisation_d": "layer"},
        rules={"batch_size": 64, "loss": "wasserstein", "penalty": "wgan_gp", "d_steps": 5},
        dials=_LONG_CRITIC | {"penalty_weight": 10.0},
        steps=1000,
    ),
    Preset(
        "dcgan-mnist-5000",
        "A narrow DCGAN on 28x28 digits.",
        "Radford et al. 2016",
        data="mnist_5000",
        networks="dcgan",
        options=_NARROW | {"width": 8, "normalisation_d": "batch"},
        rules={"batch_size": 64},
        dials=_QUICK,
        steps=1000,
    ),
    Preset(
        "dcgan-mnist",
        "TensorFlow's DCGAN tutorial: its networks, its dials, 50 passes over MNIST at batch 256.",
        "tensorflow.org/tutorials/generative/dcgan",
        data="mnist",
        networks="tutorial",
        rules={"batch_size": 256, "update": "simultaneous"},
        dials={"lr_g": 1e-4, "lr_d": 1e-4, "beta1": 0.9},
        steps=11_750,
        full=True,
    ),
    Preset(
        "resnet-cifar10",
        "Residual networks, a spectrally normalised critic, the hinge loss, on colour photographs.",
        "Miyato et al. 2018, table 4, with learning rates that stay",
        data="cifar10",
        networks="resnet",
        options={"latent_dim": 128, "width": 256, "width_d": 128, "normalisation_d": "spectral"},
        rules={"batch_size": 64, "loss": "hinge", "d_steps": 5},
        dials={"lr_g": 2e-4, "lr_d": 2e-4, "beta1": 0.0, "beta2": 0.9},
        steps=50_000,
        full=True,
    ),
)

PRESETS: Menu[Preset] = Menu("preset", {preset.name: preset for preset in _ALL})
"""Every preset by name, the quick ones first."""
