"""Features come in; features with some set to 0 go out, by a random key that the module carries as explicit state."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

LEVELS = 1 << 16
"""A coin is one of this many numbers: half a random word, so a rate is a multiple of 1 / 65,536."""


class Dropout(nnx.Module):
    """Set each number to 0 with probability `rate` while training, and divide the others by `1 - rate`.

    The coins of the i-th call follow from the key of the module's birth and from i, both of which a `State` carries:
    so a run that goes on from a checkpoint throws the coins that it would have thrown.

    Source: Srivastava et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from Overfitting".
    """

    def __init__(self, rate: float, rngs: nnx.Rngs):
        self.dropped = round(rate * LEVELS)
        self.key = nnx.BatchStat(jax.random.key_data(rngs.params()))
        self.calls = nnx.BatchStat(jnp.zeros((), jnp.uint32))
        self.deterministic = False  # what `train` and `eval` of a module switch

    def __call__(self, x: Float[Array, "n ..."]) -> Float[Array, "n ..."]:
        if self.deterministic or not self.dropped:
            return x
        key = jax.random.fold_in(jax.random.wrap_key_data(self.key[...]), self.calls[...])
        self.calls[...] = self.calls[...] + 1
        words = jax.random.bits(key, ((x.size + 1) // 2,))  # two coins a word: drawing them is what this layer costs
        coins = jax.lax.bitcast_convert_type(words, jnp.uint16).reshape(-1)[: x.size].reshape(x.shape)
        return jnp.where(coins >= self.dropped, x / (1 - self.dropped / LEVELS), 0)


def check_rate(rate: float | int) -> None:
    """Raise unless `rate` is a share of the features that can be left out.

    >>> check_rate(1.5)
    Traceback (most recent call last):
    ...
    ValueError: dropout must be the share of features set to 0, from 0 to less than 1, got 1.5
    """
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate < 1:
        raise ValueError(f"dropout must be the share of features set to 0, from 0 to less than 1, got {rate!r}")
