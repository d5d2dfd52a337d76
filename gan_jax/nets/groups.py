"""Samples come in; what lets a discriminator judge several together goes out: a feature of their spread, or packs."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..errors import check_count


def minibatch_stddev(x: Float[Array, "n features"], group: int) -> Float[Array, "n features_and_1"]:
    """Append one feature that says how much the samples of a group differ: the mean of their standard deviations.

    Args:
        x: features, shape (n, f); groups are `group` rows after each other.
        group: samples a group.

    Returns:
        Shape (n, f + 1); the new feature is one number for all of a group, `mean_j sqrt(var_i(x_ij) + 1e-8)`.

    Raises:
        ValueError: n is no multiple of `group`, or `group` is no count.

    Source: Karras et al. 2018, "Progressive Growing of GANs", section 3.

    >>> minibatch_stddev(jnp.array([[0.0], [2.0], [5.0], [5.0]]), 2)[:, 1].round(2).tolist()
    [1.0, 1.0, 0.0, 0.0]
    """
    check_count(group, "group")
    if len(x) % group:
        raise ValueError(
            f"a minibatch standard deviation over groups of {group} needs a multiple of {group} samples, got {len(x)}; "
            "change the batch size, or ask a trained state for its logits with state.logits(x, companions)"
        )
    groups = x.reshape(-1, group, x.shape[1])
    spread = jnp.mean(jnp.sqrt(jnp.var(groups, axis=1) + 1e-8), axis=1)  # the gradient of a root at 0 is infinite
    return jnp.concatenate([x, jnp.repeat(spread, group)[:, None]], axis=1)


def pack(x: Float[Array, "n ..."], packing: int) -> Float[Array, "packs ..."]:
    """Lay `packing` samples after each other side by side, in their last axis, for a D that judges them together.

    Args:
        x: samples, shape (n, ..., c).
        packing: samples a pack; n is a multiple of it.

    Returns:
        Shape (n / packing, ..., packing * c).

    Raises:
        ValueError: n is no multiple of `packing`, or `packing` is no count.

    Source: Lin et al. 2018, "PacGAN", section 2.

    >>> pack(jnp.arange(8.0).reshape(4, 2), 2).tolist()
    [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]
    """
    check_count(packing, "packing")
    if packing == 1:
        return x
    if len(x) % packing:
        raise ValueError(f"packs of {packing} need a multiple of {packing} samples, got {len(x)}")
    shape = x.shape[1:]
    packs = jnp.moveaxis(x.reshape(-1, packing, *shape), 1, -2)
    return packs.reshape(-1, *shape[:-1], packing * shape[-1])
