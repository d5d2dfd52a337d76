"""A trained game goes in or comes out: its `State`, all that a run needs to go on, and its `History`."""

import functools
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int, Key, PyTree

from ..errors import check_count, check_key
from ..nets import pack
from .rules import Gan

Labels = Int[Array | np.ndarray, " n"]

RISING = 1e6
"""A loss or mean logit of this size is on its way out of the finite numbers: `run` calls it a divergence."""


@functools.partial(jax.tree_util.register_dataclass)
@dataclass(frozen=True)
class State:
    """Everything a run needs to go on, as one pytree.

    Attributes:
        generator: the module, in evaluation mode: `state.generator(z)` is what G has learnt.
        discriminator: the module: `state.discriminator(x)` are logits; where it judges several samples together or
            has heads, take `state.logits(x, companions)`. Players that are told labels take them second.
        ema: running average of G's parameters.
        opt_g, opt_d: the optimisers' memories.
        key: random key of the whole run; never used up, only folded with the step.
        step: steps taken.
        gan: the rules it was made by (static).
    """

    generator: nnx.Module
    discriminator: nnx.Module
    ema: PyTree
    opt_g: PyTree
    opt_d: PyTree
    key: Any
    step: Any
    gan: Gan = field(metadata={"static": True})

    @property
    def averaged_generator(self) -> nnx.Module:
        """The generator with the running average of its weights in place of the last ones."""
        definition, _, rest = nnx.split(self.generator, nnx.Param, ...)
        return nnx.merge(definition, self.ema, rest)

    def sample(
        self, key: Key[Array, ""], n: int, *, averaged: bool = False, labels: Labels | None = None
    ) -> Float[Array, "n ..."]:
        """Draw n samples from the generator, or from the one with averaged weights.

        Args:
            key: random key.
            n: how many.
            averaged: use the running average of the weights.
            labels: the class of each, shape (n,), where the generator is told one; drawn uniformly when left out.

        Returns:
            Samples, shape (n, *target.shape).

        Raises:
            ValueError: labels for a generator that is told none, not as many as samples, or classes there are not.
        """
        check_key(key)
        check_count(n, "n")
        if labels is not None:
            labels = self._checked(labels, n)
        return _sample(self.gan, self.averaged_generator if averaged else self.generator, key, n, labels)

    def _checked(self, labels: Any, n: int) -> Array:
        """Labels as the networks take them, or an error that says what is wrong with them."""
        labels, classes = jnp.asarray(labels), self.gan.classes
        if not classes:
            raise ValueError("this GAN is told no labels; leave them out, or give its recipes classes=...")
        if labels.shape != (n,) or not jnp.issubdtype(labels.dtype, jnp.integer):
            raise ValueError(f"labels must be {n} whole numbers, one a sample, got {labels.dtype} of {labels.shape}")
        known = isinstance(labels, jax.core.Tracer) or bool(((labels >= 0) & (labels < classes)).all())
        if not known:
            raise ValueError(f"labels must be from 0 to {classes - 1}, got {labels.min()} to {labels.max()}")
        return labels.astype(jnp.int32)

    def logits(
        self,
        x: Float[Array | np.ndarray, "n ..."],
        companions: Float[Array | np.ndarray, "m ..."] | None = None,
        *,
        labels: Labels | None = None,
    ) -> Float[Array, " n"]:
        """D's logit of each sample by itself, also where D judges several together.

        A D with packing or a minibatch standard deviation sees each x among the same companions: with real ones, the
        logit says whether x would pass as one more of them.

        Args:
            x: samples, shape (n, *target.shape).
            companions: real samples, at least `gan.judged_together - 1`; the first ones are taken.
            labels: the class of each, shape (n,), where D is told it.

        Returns:
            Logits, shape (n,).

        Raises:
            ValueError: too few companions, samples of another shape than D takes, or labels missing or not fitting.
        """
        x, others = jnp.asarray(x), self.gan.judged_together - 1
        beside = jnp.zeros((0, *x.shape[1:])) if companions is None else jnp.asarray(companions)[:others]
        inputs = getattr(self.gan.discriminator, "inputs", None)
        own, given = inputs and inputs // self.gan.packing, int(np.prod(x.shape[1:]))
        if x.ndim < 2 or not len(x) or own not in (None, given):
            numbers = "" if own is None else f" of {own} numbers each"
            raise ValueError(f"x must hold samples{numbers}, shape (n, *target.shape), got shape {x.shape}")
        if beside.shape[1:] != x.shape[1:]:
            raise ValueError(f"companions must be samples as those in x, {x.shape[1:]}; theirs is {beside.shape[1:]}")
        if len(beside) < others:
            raise ValueError(
                f"this D judges {others + 1} samples together: give at least {others} companions, such as "
                f"target.sample(key, {others}), got {len(beside)}"
            )
        if getattr(self.gan.discriminator, "classes", 0):
            if labels is None:
                raise ValueError(f"this D is told one of {self.gan.classes} classes a sample; give labels=, shape (n,)")
            labels = self._checked(labels, len(x))
        return judge(self.discriminator, x, beside, labels, packing=self.gan.packing)


@functools.partial(jax.jit, static_argnames="packing")
def judge(
    discriminator: nnx.Module,
    x: Float[Array, "n ..."],
    companions: Float[Array, "m ..."],
    labels: Labels | None = None,
    *,
    packing: int = 1,
) -> Float[Array, " n"]:
    """D's logit of each sample among the same companions: `State.logits` inside `jit`, without a `State`.

    Args:
        discriminator: the module.
        x: samples, shape (n, *target.shape).
        companions: exactly `gan.judged_together - 1` samples; for a D that judges one by one, none: shape (0, ...).
        labels: the class of each of x, shape (n,), where D is told it; companions have the same.
        packing: `gan.packing`.

    Returns:
        Logits, shape (n,).
    """
    beside = jnp.broadcast_to(companions, (len(x), *companions.shape))
    together = jnp.concatenate([x[:, None], beside], axis=1).reshape(-1, *x.shape[1:])
    packs = pack(together, packing)
    output = discriminator(packs) if labels is None else discriminator(packs, jnp.repeat(labels, len(packs) // len(x)))
    return (output[0] if isinstance(output, tuple) else output).reshape(len(x), -1)[:, 0]


@functools.partial(jax.jit, static_argnums=(0, 3))
def _sample(
    gan: Gan, generator: nnx.Module, key: Key[Array, ""], n: int, labels: Labels | None
) -> Float[Array, "n ..."]:
    z = gan.noise(key, n)
    if not gan.classes:
        return generator(z)
    return generator(z, gan.labels(jax.random.fold_in(key, 1), n) if labels is None else labels)


class History(NamedTuple):
    """What is measured at each step, by the last of D's updates and by G's; every field of shape (..., n).

    Attributes:
        loss_d: D's loss, penalty not included.
        loss_g: G's loss.
        real_logit: mean logit of the real samples.
        fake_logit: mean logit of the fake samples, as D sees them.
        penalty: the penalty, not yet weighted; 0 without one.
    """

    loss_d: Array | np.ndarray
    loss_g: Array | np.ndarray
    real_logit: Array | np.ndarray
    fake_logit: Array | np.ndarray
    penalty: Array | np.ndarray

    @property
    def bad(self) -> np.ndarray:
        """Whether each step's numbers are not finite or beyond `RISING`, shape (..., n)."""
        return np.any([~(np.abs(np.asarray(values)) < RISING) for values in self], axis=0)


def join(histories: list[History]) -> History:
    """Put the histories that `run` has yielded one after the other."""
    return History(*(np.concatenate(values, axis=-1) for values in zip(*histories, strict=True)))
