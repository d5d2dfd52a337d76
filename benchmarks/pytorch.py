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
