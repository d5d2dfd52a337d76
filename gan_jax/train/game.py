"""A `Gan`, its dials, a target and a state come in; the state one step of the game later goes out."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float, Key, PyTree

from ..data import Target
from ..errors import check_key
from ..losses import Loss
from ..nets import Recipe
from .hyperparams import Hyperparams, dials
from .rules import OPTIMIZERS, UPDATES, Gan
from .states import History, State


def init(gan: Gan, hyper: Hyperparams, key: Key[Array, ""]) -> State:
    """Make both players' first weights and the optimisers' empty memories.

    Args:
        gan: the rules.
        hyper: the dials.
        key: random key, from which both the weights and all of the run's randomness follow.

    Returns:
        The `State` at step 0.

    Raises:
        TypeError: `key` is no random key.
        ValueError: a dial has no meaning for this loss, or a network's output is of the wrong shape.
    """
    check_key(key)
    return _init_compiled(gan, dials(gan, hyper), key)


def _init(gan: Gan, hyper: Hyperparams, key: Key[Array, ""]) -> State:
    g_key, d_key, run_key = jax.random.split(key, 3)
    generator = gan.generator(nnx.Rngs(g_key))
    discriminator = gan.discriminator(nnx.Rngs(d_key))
    generator.eval()
    discriminator.eval()
    g, d = nnx.state(generator, nnx.Param), nnx.state(discriminator, nnx.Param)
    optimizer = OPTIMIZERS[gan.optimizer]
    return State(
        generator=generator,
        discriminator=discriminator,
        ema=g,
        opt_g=optimizer(hyper.lr_g, hyper).init(g),
        opt_d=optimizer(hyper.lr_d, hyper).init(d),
        key=run_key,
        step=jnp.zeros((), jnp.int32),
        gan=gan,
    )


_init_compiled = jax.jit(_init, static_argnums=0)


def _apply(definition: Any, params: PyTree, rest: PyTree, x: Float[Array, "n ..."]) -> tuple[Array, PyTree]:
    """Call a module as it is while it trains; what it changes in itself comes back instead of staying in it."""
    # a copy belongs to the trace it is made in, so that the module may write into it
    module = nnx.merge(definition, params, jax.tree.map(lambda leaf: leaf, rest))
    module.train()
    output = module(x)
    return output, nnx.state(module, nnx.Not(nnx.Param))


def _step(gan: Gan, hyper: Hyperparams, target: Target, state: State) -> tuple[State, History]:
    """One turn of the game: `gan.d_steps` updates of D, then one of G. The only place where the game is written."""
    n, optimizer = gan.batch_size, OPTIMIZERS[gan.optimizer]
    g_def, g, g_rest = nnx.split(state.generator, nnx.Param, ...)
    d_def, d, d_rest = nnx.split(state.discriminator, nnx.Param, ...)
    key = jax.random.fold_in(state.key, state.step)

    def logits(d, d_rest, x):
        _check_inputs(gan.discriminator, x)
        output, d_rest = _apply(d_def, d, d_rest, x)
        _check_shape(output, n, "the discriminator must return one logit a sample, shape", (n, 1))
        return output.reshape(n), d_rest

    def blur(key, x):  # the noise costs its random numbers only when it is switched on
        noisy = lambda: x + hyper.instance_noise * jax.random.normal(key, x.shape)  # noqa: E731
        return jax.lax.cond(hyper.instance_noise > 0, noisy, lambda: x)

    def draw(key):
        real_key, latent_key, real_noise_key, fake_noise_key, penalty_key = jax.random.split(key, 5)
        real = blur(real_noise_key, target.sample(real_key, n))
        return real, gan.noise(latent_key, n), fake_noise_key, penalty_key

    def update_discriminator(carry, key):
        d, d_rest, opt_d = carry
        real, z, fake_noise_key, penalty_key = draw(key)
        fake = generate(g, g_rest, z, real.shape)[0]
        fake = blur(fake_noise_key, fake)

        def objective(d):
            real_logits, rest = logits(d, d_rest, real)
            fake_logits, rest = logits(d, rest, fake)
            loss = _scalar(gan.loss.discriminator(real_logits, fake_logits), gan.loss, "discriminator")
            critic = lambda x: logits(d, d_rest, x)[0]  # noqa: E731
            penalty = gan.penalty.function(critic, real, fake, penalty_key) if gan.penalty else jnp.zeros(())
            # moving the real label from 1 to 1 - s adds s times the real logit, for cross-entropy and, up to a
            # constant, for least squares: so the smoothing is a dial, not another loss
            total = loss + hyper.penalty_weight * penalty + hyper.label_smoothing * jnp.mean(real_logits)
            return total, (rest, loss, penalty, jnp.mean(real_logits), jnp.mean(fake_logits))

        gradient, (d_rest, *seen) = jax.grad(objective, has_aux=True)(d)
        change, opt_d = optimizer(hyper.lr_d, hyper).update(gradient, opt_d, d)
        d = jax.tree.map(lambda p: jnp.clip(p, -hyper.weight_clip, hyper.weight_clip), optax.apply_updates(d, change))
        return (d, d_rest, opt_d), seen

    def generate(g, g_rest, z, shape):
        fake, g_rest = _apply(g_def, g, g_rest, z)
        _check_shape(fake, n, "the generator must return samples shaped like the target's,", shape)
        return fake, g_rest

    def generator_objective(g, d, d_rest, key):
        real, z, fake_noise_key, _ = draw(key)
        fake, rest = generate(g, g_rest, z, real.shape)
        real_logits = logits(d, d_rest, real)[0]
        fake_logits = logits(d, d_rest, blur(fake_noise_key, fake))[0]
        return _scalar(gan.loss.generator(real_logits, fake_logits), gan.loss, "generator"), rest

    before = d, d_rest
    keys = jax.random.split(key, 1 + gan.d_steps)
    g_key, d_keys = keys[0], keys[1:]
    (d, d_rest, opt_d), seen = jax.lax.scan(update_discriminator, (d, d_rest, state.opt_d), d_keys)
    loss_d, penalty, real_logit, fake_logit = (values[-1] for values in seen)

    seen_by_g = before if UPDATES[gan.update] else (d, d_rest)
    (loss_g, g_rest), gradient = jax.value_and_grad(generator_objective, has_aux=True)(g, *seen_by_g, g_key)
    change, opt_g = optimizer(hyper.lr_g, hyper).update(gradient, state.opt_g, g)
    g = optax.apply_updates(g, change)
    ema = jax.tree.map(lambda old, new: new + hyper.ema_decay * (old - new), state.ema, g)
    state = replace(
        state,
        generator=nnx.merge(g_def, g, g_rest),
        discriminator=nnx.merge(d_def, d, d_rest),
        ema=ema,
        opt_g=opt_g,
        opt_d=opt_d,
        step=state.step + 1,
    )
    return state, History(loss_d, loss_g, real_logit, fake_logit, penalty)


def _check_shape(array: Array, n: int, what: str, expected: tuple[int, ...]) -> None:
    if array.shape not in (expected, (n,) if expected == (n, 1) else expected):
        raise ValueError(f"{what} {expected}; it returned {array.shape}. Change its last width to fit.")


def _check_inputs(discriminator: Recipe, x: Array) -> None:
    inputs, given = getattr(discriminator, "inputs", None), int(np.prod(x.shape[1:]))
    if inputs not in (None, given):
        raise ValueError(
            f"the discriminator takes {inputs} numbers a sample, but a sample of the target has {given}; "
            f"make its first width {given}"
        )


def _scalar(value: Array, loss: Loss, player: str) -> Array:
    if jnp.shape(value) != ():
        raise ValueError(
            f"the {player}'s loss of '{loss.name}' must be a scalar, it has shape {jnp.shape(value)}; "
            "take the mean over the samples"
        )
    return value


_step_compiled = jax.jit(_step, static_argnums=0)


def step(gan: Gan, hyper: Hyperparams, target: Target, state: State) -> tuple[State, History]:
    """Take one step of the game, compiled on its own; it can be used inside `jit`, `vmap` and `scan`.

    Args:
        gan: the rules (static).
        hyper: the dials.
        target: the distribution that real samples come from.
        state: where the game stands.

    Returns:
        The next `State`, and the step's `History` with scalar fields.
    """
    return _step_compiled(gan, dials(gan, hyper), target, replace(state, gan=gan))
