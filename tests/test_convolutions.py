"""Convolutions as matrix products against XLA's own: values, gradients, gradients of gradients, maps and loops."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import nets
from gan_jax.nets import convolutions

pytestmark = pytest.mark.once

QUICKLY = {"xla_backend_optimization_level": 0}
"""What these tests compare does not depend on how hard the compiler tries, and compiling is what they cost."""

SIZES = [
    # images (n, h, w, inputs), kernel, outputs, stride: patches written out whole, then those written out along rows,
    # the first and the last of them wide
    ((2, 4, 4, 1), (5, 5), 4, 2),
    ((2, 5, 4, 3), (4, 4), 2, 1),
    ((2, 4, 4, 24), (5, 5), 3, 2),
    ((1, 3, 3, 8), (5, 5), 3, 1),
    ((1, 6, 7, 8), (5, 4), 3, 1),
    ((2, 4, 2, 8), (4, 4), 2, 2),
    ((1, 5, 4, 20), (2, 3), 2, 3),
    ((2, 1, 2, 600), (1, 1), 2, 2),
]
DIFFERENTIATED = [(*SIZES[0], True), (*SIZES[2], True), (*SIZES[2], False), (*SIZES[3], False)]


def _arrays(shape, kernel, outputs):
    keys = jax.random.split(jax.random.key(0), 3)
    weights = jax.random.normal(keys[1], (*kernel, shape[-1], outputs)) / np.sqrt(np.prod(kernel) * shape[-1])
    return jax.random.normal(keys[0], shape), weights, keys[2]


def _plain(x, kernel, stride, transposed):
    return (convolutions._transposed_plain if transposed else convolutions._conv_plain)(x, kernel, stride)


def _products(x, kernel, stride, transposed):
    return (convolutions._transposed_products if transposed else convolutions._conv_products)(x, kernel, stride)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("shape", "kernel", "outputs", "stride"), SIZES)
def test_products_equal_the_plain_convolution(shape, kernel, outputs, stride, transposed):
    x, weights, _ = _arrays(shape, kernel, outputs)
    both = lambda x, weights: [f(x, weights, stride, transposed) for f in (_products, _plain)]  # noqa: E731
    found, expected = jax.jit(both, compiler_options=QUICKLY)(x, weights)
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)


@pytest.mark.once
@pytest.mark.parametrize(("shape", "kernel", "outputs", "stride", "transposed"), DIFFERENTIATED)
def test_products_equal_the_plain_convolution_in_gradients_and_second_derivatives(
    shape, kernel, outputs, stride, transposed
):
    x, weights, key = _arrays(shape, kernel, outputs)

    def everything(x, weights, convolve):
        y, pull = jax.vjp(lambda x, weights: convolve(x, weights, stride, transposed), x, weights)
        direction = jax.random.normal(key, y.shape)

        def slope(x, weights):  # a gradient penalty's: the gradient by the images, squared
            by_images = jax.grad(lambda x: jnp.sum(jnp.sin(convolve(x, weights, stride, transposed)) * direction))
            return jnp.sum(by_images(x) ** 2)

        return pull(direction), jax.grad(slope, (0, 1))(x, weights)

    both = jax.jit(
        lambda x, weights: [jax.tree.leaves(everything(x, weights, f)) for f in (_products, _plain)],
        compiler_options=QUICKLY,
    )
    for one, other in zip(*both(x, weights), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5 * float(np.abs(other).max()), rtol=0)


@pytest.mark.parametrize("transposed", [False, True])
def test_products_can_be_mapped_looped_over_and_differentiated_forwards(transposed):
    x, weights, _ = _arrays((2, 4, 4, 24), (5, 5), 3)
    linear = lambda x, weights=weights: _products(x, weights, 2, transposed)  # noqa: E731

    def everything(x):
        mapped = jax.vmap(lambda weights: linear(x, weights))(jnp.stack([weights, 2 * weights]))
        value, slope = jax.jvp(linear, (x,), (x,))  # linear in the images: the slope along x is the value
        return mapped, value, slope, jax.lax.fori_loop(0, 3, lambda i, y: y + linear(x), jnp.zeros_like(value))

    mapped, value, slope, looped = jax.jit(everything, compiler_options=QUICKLY)(x)
    for found, expected in ((mapped[0], value), (mapped[1], 2 * value), (slope, value), (looped, 3 * value)):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_the_transposed_convolution_is_the_transpose():
    """`<conv(y), x> = <y, conv_transposed(x)>` with inputs and outputs of the kernel exchanged."""
    x, weights, key = _arrays((2, 4, 4, 3), (5, 5), 2)
    y = jax.random.normal(key, (2, 8, 8, 2))

    def products(x, y):
        forth = jnp.vdot(nets.conv(y, weights.transpose(0, 1, 3, 2), stride=2), x)
        return forth, jnp.vdot(y, nets.conv_transposed(x, weights, stride=2))

    one, other = jax.jit(products, compiler_options=QUICKLY)(x, y)
    np.testing.assert_allclose(one, other, rtol=1e-4)


def test_a_convolution_is_the_double_sum_that_it_stands_for():
    x, weights, _ = _arrays((2, 5, 6, 3), (3, 3), 2)
    around = np.pad(np.asarray(x), ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = np.zeros((2, 5, 6, 2))
    for i, j, a, b in itertools.product(range(5), range(6), range(3), range(3)):
        expected[:, i, j] += around[:, i + a, j + b] @ np.asarray(weights[a, b])
    np.testing.assert_allclose(nets.conv(x, weights), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("transposed", [False, True])
def test_bfloat16_goes_in_and_out_and_float32_sums_it_up(transposed):
    x, weights = (a.astype(jnp.bfloat16) for a in _arrays((2, 4, 4, 40), (5, 5), 3)[:2])

    def everything(x, weights):
        exact = _plain(x.astype(jnp.float32), weights.astype(jnp.float32), 2, transposed)
        by_kernel = jax.grad(lambda weights: jnp.sum(_products(x, weights, 2, transposed).astype(jnp.float32)))(weights)
        return _products(x, weights, 2, transposed), exact, by_kernel

    y, exact, by_kernel = jax.jit(everything, compiler_options=QUICKLY)(x, weights)
    assert y.dtype == by_kernel.dtype == jnp.bfloat16
    # one rounding at the end, 2^-9 of the value, however many products were summed
    np.testing.assert_allclose(y.astype(jnp.float32), exact, rtol=2**-8, atol=1e-5)


def test_double_precision_stays_double(float64):
    x, weights, _ = _arrays((2, 4, 4, 24), (5, 5), 3)
    y = nets.conv(x.astype(jnp.float64), weights.astype(jnp.float64), stride=2)
    assert y.dtype == jnp.float64
    np.testing.assert_allclose(
        y, convolutions._conv_plain(*(a.astype(jnp.float64) for a in (x, weights)), 2), rtol=1e-9
    )


def test_the_formulation_is_chosen_by_backend(monkeypatch):
    x, weights, _ = _arrays((1, 4, 4, 2), (3, 3), 2)
    text = lambda: str(jax.make_jaxpr(lambda x: nets.conv(x, weights, stride=2))(x))  # noqa: E731
    assert "conv_general_dilated" not in text()
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert "conv_general_dilated" in text()


def test_a_subpixel_convolution_holds_the_transposed_one_as_a_case():
    """5 x 5 at stride 2 is 3 x 3 to four times the channels: each phase of the output has its own quarter."""
    x, weights, _ = _arrays((2, 4, 4, 3), (5, 5), 2)
    quarters = np.zeros((3, 3, 3, 2, 2, 2), np.float32)
    for a, b in itertools.product(range(5), range(5)):
        # tap a of the stamp lands on row 2 i + a - 1: the pixel at distance -(a - 1) // 2 of the phase (a - 1) % 2
        (down, phase_h), (right, phase_w) = divmod(a - 1, 2), divmod(b - 1, 2)
        quarters[1 - down, 1 - right, :, phase_h, phase_w] = weights[a, b]
    small = nets.conv(x, jnp.asarray(quarters.reshape(3, 3, 3, 8)))
    expected = nets.conv_transposed(x, weights, stride=2)
    np.testing.assert_allclose(nets.shuffled(small, 2), expected, rtol=1e-4, atol=1e-4)
