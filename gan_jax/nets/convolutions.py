"""Images and a kernel come in; their convolution, or its transpose, goes out: the formulation is chosen by backend."""

import jax
from jaxtyping import Array, Float

_LAYOUT = ("NHWC", "HWIO", "NHWC")


def conv(x: Float[Array, "n h w inputs"], kernel: Float[Array, "kh kw inputs outputs"], *, stride: int = 1):
    return jax.lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", dimension_numbers=_LAYOUT)


def conv_transposed(x: Float[Array, "n h w inputs"], kernel: Float[Array, "kh kw inputs outputs"], *, stride: int):
    return jax.lax.conv_transpose(x, kernel[::-1, ::-1], (stride, stride), "SAME", dimension_numbers=_LAYOUT)
