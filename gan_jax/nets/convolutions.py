"""Images and a kernel come in; their convolution, or its transpose, goes out: the formulation is chosen by backend.

On a CPU, XLA's own gradients of convolutions are slow, and in a compiled loop 6 to 11 times slower still (JAX issue
12868), so there a convolution is written as matrix products of the kernel with slices of the images. Only slices, sums
and products are in it: it can be differentiated as often as one likes, in both modes, mapped and looped over, and its
gradients are such products again. `benchmarks/run.py --only dcgan` measures what that brings.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Images = Float[Array, "n h w inputs"]
Kernel = Float[Array, "kh kw inputs outputs"]
Others = Float[Array, "n h2 w2 outputs"]

PATCH = 100
"""Numbers in a patch up to which patches are written out whole; larger ones are written out along rows only."""

WIDE = 512
"""Numbers in a patch from which on what feeds a convolution is computed once. Else XLA computes it anew for each slice,
and its gradient likewise: an activation, its dropout, its batch norm a dozen times. Where it is narrow, that costs less
than to write it down and read it again."""

LAYOUT = ("NHWC", "HWIO", "NHWC")


def by_products() -> bool:
    """Whether convolutions are written as matrix products here. The one place where that is chosen."""
    return jax.default_backend() == "cpu"


def conv(x: Images, kernel: Kernel, *, stride: int = 1) -> Others:
    """Convolve images: `y[i, j] = sum_ab x[s i + a - low, s j + b - low] kernel[a, b]`, as neural networks mean it.

    Args:
        x: images, shape (n, h, w, inputs); outside them are zeros.
        kernel: shape (kh, kw, inputs, outputs).
        stride: s, pixels from one patch to the next.

    Returns:
        Shape (n, ceil(h / s), ceil(w / s), outputs), in the images' type. Sums are in float32 at least. `low` is half
        of the zeros that this size takes, rounded down ("SAME"): (k - s) // 2 for a side that s divides.

    >>> conv(jnp.ones((1, 4, 4, 1)), jnp.ones((3, 3, 1, 1)))[0, :, :, 0].tolist()
    [[4.0, 6.0, 6.0, 4.0], [6.0, 9.0, 9.0, 6.0], [6.0, 9.0, 9.0, 6.0], [4.0, 6.0, 6.0, 4.0]]
    """
    return (_conv_products if by_products() else _conv_plain)(x, kernel, stride)


def conv_transposed(x: Images, kernel: Kernel, *, stride: int) -> Others:
    """Stamp each pixel's multiple of the kernel onto an image s times as large: the transpose of `conv`.

    `y[s i + a - low, s j + b - low] += x[i, j] kernel[a, b]`: with inputs and outputs of the kernel exchanged, the
    gradient of `conv` by its images. The orientation is PyTorch's and Keras's; `jax.lax.conv_transpose` has its kernel
    upside down.

    Args:
        x: images, shape (n, h, w, inputs).
        kernel: shape (kh, kw, inputs, outputs).
        stride: s.

    Returns:
        Shape (n, s h, s w, outputs), in the images' type; what is stamped outside of it is lost.

    >>> conv_transposed(jnp.ones((1, 1, 2, 1)), jnp.ones((3, 3, 1, 1)), stride=2)[0, :, :, 0].tolist()
    [[1.0, 1.0, 2.0, 1.0], [1.0, 1.0, 2.0, 1.0]]
    """
    return (_transposed_products if by_products() else _transposed_plain)(x, kernel, stride)


# ---- what every other backend does well ----


def _conv_plain(x: Images, kernel: Kernel, stride: int) -> Others:
    return jax.lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", dimension_numbers=LAYOUT)


def _transposed_plain(x: Images, kernel: Kernel, stride: int) -> Others:
    upright = kernel[::-1, ::-1]
    return jax.lax.conv_transpose(x, upright, (stride, stride), "SAME", dimension_numbers=LAYOUT)


# ---- as matrix products ----


def _conv_products(x: Images, kernel: Kernel, stride: int) -> Others:
    wide = jnp.promote_types(x.dtype, jnp.float32)
    patch = kernel.shape[0] * kernel.shape[1] * kernel.shape[2]
    convolve = _by_patches if patch <= PATCH else _by_rows
    return convolve(x.astype(wide), kernel.astype(wide), stride).astype(x.dtype)


def _transposed_products(x: Images, kernel: Kernel, stride: int) -> Others:
    wide = jnp.promote_types(x.dtype, jnp.float32)
    n, h, w, _ = x.shape
    exchanged = kernel.astype(wide).transpose(0, 1, 3, 2)
    convolve = functools.partial(_conv_products, kernel=exchanged, stride=stride)
    larger = jax.ShapeDtypeStruct((n, h * stride, w * stride, kernel.shape[3]), wide)
    return jax.linear_transpose(convolve, larger)(x.astype(wide))[0].astype(x.dtype)


def _low(size: int, out: int, kernel: int, stride: int) -> int:
    return max((out - 1) * stride + kernel - size, 0) // 2


def _by_patches(x: Images, kernel: Kernel, stride: int) -> Others:
    """One product: every patch of the images, written out as a row, with the kernel as a matrix."""
    (n, h, w, _), (kh, kw, _, outputs) = x.shape, kernel.shape
    out_h, out_w = -(-h // stride), -(-w // stride)
    reach_h, reach_w = (out_h - 1) * stride + kh, (out_w - 1) * stride + kw
    low_h, low_w = _low(h, out_h, kh, stride), _low(w, out_w, kw, stride)
    padding = (0, 0), (low_h, max(reach_h - low_h - h, 0)), (low_w, max(reach_w - low_w - w, 0)), (0, 0)
    padded = jnp.pad(x, padding)
    patches = [
        padded[:, a : a + reach_h - kh + 1 : stride, b : b + reach_w - kw + 1 : stride]
        for a in range(kh)
        for b in range(kw)
    ]
    rows = jnp.concatenate(patches, axis=-1).reshape(n * out_h * out_w, -1)
    return (rows @ kernel.reshape(-1, outputs)).reshape(n, out_h, out_w, outputs)


def _by_rows(x: Images, kernel: Kernel, stride: int) -> Others:
    """Patches are written out along rows alone, and one product takes them to all of the kernel's rows at once, side by
    side; what each of these makes is moved to the row that it belongs to, and summed.

    That takes a k-th of the memory of whole patches. Columns are taken together when the same taps lie inside of the
    images, so that no zeros left and right of them are multiplied.
    """
    (n, h, w, inputs), (kh, kw, _, outputs) = x.shape, kernel.shape
    out_h, out_w = -(-h // stride), -(-w // stride)
    low_h, low_w = _low(h, out_h, kh, stride), _low(w, out_w, kw, stride)
    once = jax.lax.optimization_barrier if kh * kw * inputs > WIDE else lambda array: array
    # pixel (s i + p, s j + q) stands at [i, p, j, q]: so that all slices are of neighbours
    x = jnp.pad(x.transpose(1, 2, 0, 3), ((0, out_h * stride - h), (0, out_w * stride - w), (0, 0), (0, 0)))
    x = once(x.reshape(out_h, stride, out_w, stride, n, inputs))

    parts = []
    for (first, last), (left, right) in _columns(out_w, kw, stride, low_w).items():
        total = jnp.zeros((out_h, right - left, n, outputs), x.dtype)
        for p in range(stride):
            taps = [
                tap for tap in range(kh) if (tap - low_h) % stride == p and -out_h < (tap - low_h) // stride < out_h
            ]
            if not taps:
                continue
            places = [divmod(tap - low_w, stride) for tap in range(first, last)]
            pieces = [x[:, p, left + away : right + away, q] for away, q in places]
            patches = jnp.concatenate(pieces, axis=-1).reshape(-1, len(places) * inputs)
            rows = kernel[taps[0] : taps[-1] + 1 : stride, first:last].transpose(1, 2, 0, 3)
            made = patches @ rows.reshape(len(places) * inputs, -1)
            made = made.reshape(out_h, right - left, n, len(taps), outputs)
            for i, tap in enumerate(taps):
                total += _moved(made[:, :, :, i], (tap - low_h) // stride)
        parts.append(total)
    return once(jnp.concatenate(parts, axis=1)).transpose(2, 0, 1, 3)


def _columns(out: int, kernel: int, stride: int, low: int) -> dict[tuple[int, int], tuple[int, int]]:
    """Ranges of output columns, each with the range of the kernel's taps that lie inside of the images there.

    >>> _columns(7, 5, 1, 2)
    {(2, 5): (0, 1), (1, 5): (1, 2), (0, 5): (2, 5), (0, 4): (5, 6), (0, 3): (6, 7)}
    """
    found: dict[tuple[int, int], tuple[int, int]] = {}
    for j in range(out):
        taps = max(0, low - stride * j), min(kernel, low + stride * (out - j))
        found[taps] = found.get(taps, (j,))[0], j + 1
    return found


def _moved(rows: Float[Array, "h w n outputs"], away: int) -> Float[Array, "h w n outputs"]:
    """Row i + away comes to i; zeros come in."""
    first, last = max(0, away), len(rows) + min(0, away)
    return jnp.pad(rows[first:last], ((first - away, len(rows) - last + away), (0, 0), (0, 0), (0, 0)))
