"""Weights come in; weights divided by their largest singular value go out: spectral normalisation."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from .convolutions import conv
from .menus import INITIALISERS, biased


def unit(x: Float[Array, " n"]) -> Float[Array, " n"]:
    """Scale a vector to length 1."""
    return x / jnp.maximum(jnp.linalg.norm(x), 1e-12)


class Spectral(nnx.Module):
    """The weights of a layer, shape (..., outputs), divided by the largest singular value of `W`: them as a matrix of
    shape (the product of the other sides, outputs).

    Each call while it trains takes one step of power iteration, `u <- W' W u / |W' W u|`, from where the last one
    ended, and `s(W) = |W u|`. u is carried in `State`; the gradient takes it as a constant.

    For a dense layer s(W) is its Lipschitz constant. For a convolution it is not: the weights meet each pixel several
    times. With a k x k kernel at stride s a pixel stands in at most `ceil(k / s)^2` patches, and each patch gives
    one product with W, so the layer stretches no difference by more than `ceil(k / s) s(W)`.

    Source: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks", algorithm 1; the bound of
    a convolution: Tsuzuku et al. 2018, "Lipschitz-Margin Training", section 4.
    """

    def __init__(self, shape: tuple[int, ...], kernel_init: Callable, rngs: nnx.Rngs):
        self.kernel = nnx.Param(kernel_init(rngs.params(), shape))
        self.direction = nnx.BatchStat(unit(jax.random.normal(rngs.params(), (shape[-1],))))
        self.deterministic = False  # what `train` and `eval` of a module switch

    def weights(self) -> Float[Array, "..."]:
        """The divided weights, after a step of power iteration where it trains."""
        kernel = self.kernel[...]
        matrix = kernel.reshape(-1, kernel.shape[-1])
        fixed = jax.lax.stop_gradient(matrix)
        if not self.deterministic:
            self.direction[...] = unit(fixed.T @ unit(fixed @ self.direction[...]))
        u = jax.lax.stop_gradient(self.direction[...])
        largest = unit(fixed @ u) @ matrix @ u
        return kernel / jnp.maximum(largest, 1e-12)


class SpectralLinear(Spectral):
    """A dense layer with its weights divided by their largest singular value: `x W / s(W) + b`, 1-Lipschitz for b = 0.

    Source: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks", algorithm 1.
    """

    def __init__(self, inputs: int, outputs: int, kernel_init: Callable, rngs: nnx.Rngs):
        super().__init__((inputs, outputs), kernel_init, rngs)
        self.bias = nnx.Param(jnp.zeros(outputs))

    def __call__(self, x: Float[Array, "n inputs"]) -> Float[Array, "n outputs"]:
        return x @ self.weights() + self.bias[...][None, :]


def dense(inputs: int, outputs: int, initialiser: str, rngs: nnx.Rngs, normalisation: str = "none") -> nnx.Module:
    """Make a dense layer as this normalisation wants it: "spectral" divides its weights, "batch" leaves no bias."""
    if normalisation == "spectral":
        return SpectralLinear(inputs, outputs, INITIALISERS[initialiser], rngs)
    return nnx.Linear(inputs, outputs, kernel_init=INITIALISERS[initialiser], use_bias=biased(normalisation), rngs=rngs)


class SpectralConv(Spectral):
    """A convolution with its weights divided by the largest singular value of the kernel as a matrix; see `Spectral`
    for what that does and does not bound."""

    def __init__(self, shape: tuple[int, int, int, int], stride: int, kernel_init: Callable, rngs: nnx.Rngs):
        super().__init__(shape, kernel_init, rngs)
        self.bias = nnx.Param(jnp.zeros(shape[-1]))
        self.stride = stride

    def __call__(self, x: Float[Array, "n h w inputs"]) -> Float[Array, "n h2 w2 outputs"]:
        return conv(x, self.weights(), stride=self.stride) + self.bias[...][None, None, None, :]
