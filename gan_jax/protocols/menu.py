"""The published protocols of mode collapse, with their reduced forms and what papers report of them."""

import functools

from .. import data, nets
from ..errors import Menu
from ..train import Hyperparams
from .protocol import Protocol
from .records import Published
from .settings import Settings

_CODE = "the authors' code, github.com/fjxmlzn/PacGAN"
_PACGAN = f"Lin et al. 2018 (PacGAN), section 4.1, and {_CODE}"

_NOTES = (
    "The original draws 100,000 packs once and passes over them 400 times; here every batch is drawn anew.",
    "The original's running averages of batch norm keep 0.95 a step, here 0.99; samples are scored with them.",
)


def _rows(*scores: tuple) -> tuple[Published, ...]:
    """Rows of (method, source, packing, modes, their spread, high-quality share, its spread)."""
    return tuple(
        Published(method, source, {"modes covered": (modes, d_modes), "high-quality share": (share, d_share)}, packing)
        for method, source, packing, modes, d_modes, share, d_share in scores
    )


def _pacgan(name: str, target, about: str, published: tuple[Published, ...], *, reduced_lr: float) -> Protocol:
    generator = functools.partial(nets.mlp, normalisation="batch", initialiser="normal_0.02")
    discriminator = functools.partial(nets.mlp, activation="maxout", initialiser="normal_0.02")
    full = Settings(
        target,
        about,
        generator(2, 400, 400, 400, 400, 2),
        discriminator(2, 200, 200, 200, 1),
        Hyperparams(lr_g=1e-4, lr_d=1e-4, beta1=0.8),
        packs=100,
        update="simultaneous",
        steps=400_000,
        seeds=10,
        samples=2500,
    )
    reduced = Settings(
        target,
        about,
        generator(2, 64, 64, 64, 64, 2),
        discriminator(2, 32, 32, 32, 1),
        Hyperparams(lr_g=reduced_lr, lr_d=reduced_lr, beta1=0.8),
        packs=100,
        update="simultaneous",
        steps=30_000,
        seeds=10,
        samples=2500,
    )
    return Protocol(name, _PACGAN, reduced, full, published=published, packings=(1, 2, 4), notes=_NOTES)


def _stacked_digits() -> Protocol:
    original = {
        "target": "digits of MNIST, three of 28x28 as channels: 1,000 classes",
        "latent z": "100 numbers, uniform",
        "generator": "DCGAN: 4 transposed convolutions, relu, batch norm, tanh at the end",
        "discriminator": "DCGAN: 4 convolutions, leaky_relu, batch norm",
        "first weights": "normal_0.02",
        "loss": "non-saturating",
        "penalty": "none",
        "update": "one of D, then two of G, adam",
        "lr_g": "0.0002",
        "lr_d": "0.0002",
        "beta1": "0.5",
        "beta2": "0.999",
        "packs a batch": "64",
        "steps": "100,000",
        "samples a score": "26,000",
        "seeds": "10",
    }
    reduced = Settings(
        data.stacked_digits,
        "the embedded digits, three of 8x8 as channels: 1,000 classes",
        nets.mlp(64, 128, 128, 192, output="tanh", normalisation="batch"),
        nets.mlp(192, 128, 128, 1, activation="leaky_relu"),
        Hyperparams(lr_g=1e-3, lr_d=1e-3, beta1=0.5),
        packs=64,
        update="alternating",
        steps=10_000,
        seeds=5,
        samples=26_000,
    )
    published = (
        Published("DCGAN", "VEEGAN paper", {"classes reached": (99, None), "class KL": (3.4, None)}, 1),
        Published("PacDCGAN2", "PacGAN paper", {"classes reached": (1000, None), "class KL": (0.06, None)}, 2),
        Published("R3GAN", "R3GAN paper", {"classes reached": (1000, None), "class KL": (0.078, None)}),
    )
    notes = (
        "The original needs convolutional networks, which this package does not have yet.",
        "Another network on other images: only the order of the rows can be compared, not their numbers.",
        "Of the triples of MNIST a perfect generator has a class KL of 0.0236 at 26,000 samples.",
    )
    source = f"Lin et al. 2018 (PacGAN), section 4.2, and {_CODE}: the experiment as in VEEGAN"
    return Protocol("stacked_digits", source, reduced, None, original, published, (1, 2), notes)


PROTOCOLS: Menu[Protocol] = Menu(
    "protocol",
    {
        "pacgan_ring": _pacgan(
            "pacgan_ring",
            functools.partial(data.ring, 8, radius=1, scale=0.01),
            "8 Gaussians on a ring of radius 1, standard deviation 0.01",
            _rows(
                ("GAN", "VEEGAN paper", None, 1, None, 0.993, None),
                ("Unrolled GAN", "VEEGAN paper", None, 7.6, None, 0.356, None),
                ("VEEGAN", "VEEGAN paper", None, 8, None, 0.529, None),
                ("GAN", "PacGAN paper", 1, 6.3, 0.5, 0.982, None),
                ("PacGAN2", "PacGAN paper", 2, 7.9, None, 0.956, None),
                ("PacGAN4", "PacGAN paper", 4, 7.8, None, 0.959, None),
            ),
            reduced_lr=3e-4,
        ),
        "pacgan_grid": _pacgan(
            "pacgan_grid",
            functools.partial(data.grid, 5, spacing=2, scale=0.05),
            "25 Gaussians on the grid {-4, -2, 0, 2, 4}^2, standard deviation 0.05",
            _rows(
                ("GAN", "VEEGAN paper", None, 3.3, None, 0.005, None),
                ("Unrolled GAN", "VEEGAN paper", None, 23.6, None, 0.16, None),
                ("VEEGAN", "VEEGAN paper", None, 24.6, None, 0.40, None),
                ("GAN", "PacGAN paper", 1, 17.3, 0.8, 0.948, None),
                ("PacGAN2", "PacGAN paper", 2, 23.8, None, 0.913, None),
                ("PacGAN4", "PacGAN paper", 4, 24.8, None, 0.936, None),
            ),
            reduced_lr=1e-3,
        ),
        "stacked_digits": _stacked_digits(),
    },
)
