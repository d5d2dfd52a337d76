"""A GAN's sizes come in, a function that takes n eager PyTorch steps goes out: what gan_jax is measured against."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import nn


def mlp(*widths: int, activation: Callable[[], nn.Module], output: type[nn.Module] = nn.Identity) -> nn.Sequential:
    layers = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1], output())


def player(
    generator: nn.Module,
    discriminator: nn.Module,
    real_batch: Callable[[], torch.Tensor],
    *,
    batch: int,
    latent: int,
    lr: float,
    device: str,
    fused: bool,
) -> Callable[[int], None]:
    """Return `play(n)`: n steps of the non-saturating game as a careful PyTorch user writes it."""
    generator, discriminator = generator.to(device), discriminator.to(device)
    opt_g = torch.optim.Adam(generator.parameters(), lr=lr, betas=(0.5, 0.999), fused=fused)
    opt_d = torch.optim.Adam(discriminator.parameters(), lr=lr, betas=(0.5, 0.999), fused=fused)
    loss = nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(batch, 1, device=device), torch.zeros(batch, 1, device=device)

    def play(n: int) -> None:
        for _ in range(n):
            real = real_batch()
            with torch.no_grad():
                fake = generator(torch.randn(batch, latent, device=device))
            opt_d.zero_grad()
            (loss(discriminator(real), ones) + loss(discriminator(fake), zeros)).backward()
            opt_d.step()

            discriminator.requires_grad_(False)  # saves the gradient of D's weights, which G's turn does not need
            opt_g.zero_grad()
            loss(discriminator(generator(torch.randn(batch, latent, device=device))), ones).backward()
            opt_g.step()
            discriminator.requires_grad_(True)
        if device == "cuda":
            torch.cuda.synchronize()

    return play


def ring(device: str, *, fused: bool) -> Callable[[int], None]:
    """The ring of 8 Gaussians: 64-64 MLPs, batch 256."""
    angle = 2 * np.pi * np.arange(8) / 8
    means = torch.tensor(np.stack([np.cos(angle), np.sin(angle)], axis=1), dtype=torch.float32, device=device)

    def real_batch() -> torch.Tensor:
        return means[torch.randint(8, (256,), device=device)] + 0.02 * torch.randn(256, 2, device=device)

    generator = mlp(2, 64, 64, 2, activation=nn.ReLU)
    discriminator = mlp(2, 64, 64, 1, activation=nn.ReLU)
    return player(generator, discriminator, real_batch, batch=256, latent=2, lr=1e-3, device=device, fused=fused)


def digits(pixels: np.ndarray, device: str, *, fused: bool) -> Callable[[int], None]:
    """The MLP GAN of the usual MNIST tutorials on bytes of shape (size, 784): batch 64."""
    images = torch.tensor(pixels, device=device)

    def real_batch() -> torch.Tensor:
        return images[torch.randint(len(images), (64,), device=device)].float().mul_(2 / 255).sub_(1)

    leaky = lambda: nn.LeakyReLU(0.2)  # noqa: E731
    generator = mlp(100, 256, 784, activation=leaky, output=nn.Tanh)
    discriminator = mlp(784, 512, 256, 1, activation=leaky)
    return player(generator, discriminator, real_batch, batch=64, latent=100, lr=2e-4, device=device, fused=fused)


class TutorialGenerator(nn.Sequential):
    """The generator of TensorFlow's DCGAN tutorial, as a PyTorch user writes it."""

    def __init__(self):
        leaky = lambda: nn.LeakyReLU(0.3)  # noqa: E731
        norm = {"momentum": 0.01, "eps": 1e-3}
        up = {"kernel_size": 5, "padding": 2, "bias": False}
        super().__init__(
            nn.Linear(100, 7 * 7 * 256, bias=False), nn.BatchNorm1d(7 * 7 * 256, **norm), leaky(),
            nn.Unflatten(1, (256, 7, 7)),
            nn.ConvTranspose2d(256, 128, **up), nn.BatchNorm2d(128, **norm), leaky(),
            nn.ConvTranspose2d(128, 64, stride=2, output_padding=1, **up), nn.BatchNorm2d(64, **norm), leaky(),
            nn.ConvTranspose2d(64, 1, stride=2, output_padding=1, **up), nn.Tanh(),
        )  # fmt: skip


class TutorialDiscriminator(nn.Sequential):
    """The discriminator of TensorFlow's DCGAN tutorial."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 64, 5, stride=2, padding=2), nn.LeakyReLU(0.3), nn.Dropout(0.3),
            nn.Conv2d(64, 128, 5, stride=2, padding=2), nn.LeakyReLU(0.3), nn.Dropout(0.3),
            nn.Flatten(), nn.Linear(7 * 7 * 128, 1),
        )  # fmt: skip


def dcgan(pixels: np.ndarray, device: str, *, fused: bool) -> Callable[[int], None]:
    """The DCGAN of TensorFlow's tutorial on bytes of shape (size, 28, 28): batch 64."""
    images = torch.tensor(pixels, device=device)[:, None]

    def real_batch() -> torch.Tensor:
        return images[torch.randint(len(images), (64,), device=device)].float().mul_(2 / 255).sub_(1)

    generator, discriminator = TutorialGenerator(), TutorialDiscriminator()
    return player(generator, discriminator, real_batch, batch=64, latent=100, lr=1e-4, device=device, fused=fused)
