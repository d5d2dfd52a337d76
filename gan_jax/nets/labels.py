"""Labels come in; what a network makes of them goes out: numbers beside its input, or a batch norm for each class."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

Labels = Int[Array | np.ndarray, " n"]


def one_hot(labels: Labels | None, classes: int, n: int) -> Float[Array, "n classes"]:
    """Write labels as rows that are 1 at the label and 0 elsewhere.

    Args:
        labels: numbers from 0 to classes - 1, shape (n,); None where there are no classes.
        classes: how many; 0 for a network that is not told labels.
        n: samples beside them.

    Returns:
        Shape (n, classes).

    Raises:
        ValueError: labels for a network that takes none, none for one that does, or another number of them.

    >>> one_hot(jnp.array([2, 0]), 3, 2).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    if classes == 0:
        if labels is not None:
            raise ValueError("this network is not told labels; make its recipe with classes=..., or leave them out")
        return jnp.zeros((n, 0))
    if labels is None:
        raise ValueError(f"this network is told one of {classes} labels: give them, whole numbers of shape ({n},)")
    if jnp.shape(labels) != (n,):
        raise ValueError(f"one label a sample is needed, shape ({n},), got shape {jnp.shape(labels)}")
    return jax.nn.one_hot(jnp.asarray(labels), classes)


def with_planes(x: Float[Array, "n h w c"], told: Float[Array, "n classes"]) -> Float[Array, "n h w c_and_classes"]:
    """Add a plane a class to images, 1 everywhere for the label's and 0 for the others.

    Source: Mirza and Osindero 2014, "Conditional Generative Adversarial Nets", carried over to images.
    """
    planes = jnp.broadcast_to(told[:, None, None, :], (*x.shape[:3], told.shape[1]))
    return jnp.concatenate([x, planes], axis=-1)


class ConditionalBatchNorm(nnx.Module):
    """Batch norm whose scale and shift are the label's own: `norm(x) * scale[label] + shift[label]`.

    Source: Dumoulin et al. 2017, "A Learned Representation For Artistic Style", section 2.2; for GANs Miyato and
    Koyama 2018, "cGANs with Projection Discriminator", section 4.
    """

    def __init__(self, features: int, classes: int, momentum: float, epsilon: float, rngs: nnx.Rngs):
        self.norm = nnx.BatchNorm(
            features, momentum=momentum, epsilon=epsilon, use_scale=False, use_bias=False, rngs=rngs
        )
        self.scale = nnx.Param(jnp.ones((classes, features)))
        self.shift = nnx.Param(jnp.zeros((classes, features)))

    def __call__(self, x: Float[Array, "n ... features"], labels: Float[Array, "n classes"]) -> Float[Array, "n ..."]:
        of_label = (len(x), *(1,) * (x.ndim - 2), x.shape[-1])
        scale, shift = ((labels.astype(x.dtype) @ table[...]).reshape(of_label) for table in (self.scale, self.shift))
        return self.norm(x) * scale + shift
