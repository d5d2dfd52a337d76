"""A `Gan`, its dials, a target and a state come in; the state one step of the game later goes out."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Key, PyTree

from ..data import Labelled, Target
from ..errors import check_key
from ..losses import Loss
from ..nets import pack
from .hyperparams import Hyperparams, dials
from .rules import OPTIMIZERS, PRECISIONS, Gan
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


def _apply(
    gan: Gan, definition: Any, params: PyTree, rest: PyTree, x: Float[Array, "n ..."], labels: Any
) -> tuple[Any, PyTree]:
    """Call a module as it is while it trains; what it changes in itself comes back instead of staying in it.

    Parameters and samples go in with the precision of the game; what comes out is as precise as it was before.
    """
    exact, rounded = x.dtype, PRECISIONS[gan.precision] or x.dtype
    if rounded != exact:
        params, x = jax.tree.map(lambda leaf: leaf.astype(rounded), (params, x))
    # a copy belongs to the trace it is made in, so that the module may write into it
    module = nnx.merge(definition, params, jax.tree.map(lambda leaf: leaf, rest))
    module.train()
    output = module(x) if labels is None else module(x, labels)
    after = nnx.state(module, nnx.Not(nnx.Param))
    return (
        output if rounded == exact else jax.tree.map(lambda leaf: leaf.astype(exact), output),
        # a module may hold random keys, which have no other precision
        jax.tree.map(lambda new, old: new if new.dtype == old.dtype else new.astype(old.dtype), after, rest),
    )


class _Player(NamedTuple):
    """What a player is at one moment: parameters, what else its module holds, its optimiser's memory."""

    params: PyTree
    rest: PyTree
    memory: PyTree


class _Drawn(NamedTuple):
    """The chance in one update: real samples as D sees them, latents, the labels of both (or None), keys for more."""

    real: Array
    z: Array
    labels: Any
    shape: tuple[int, ...]
    noise_key: Array
    penalty_key: Array


class _Judged(NamedTuple):
    """What D says of a batch: a logit a sample or pack, its heads (or None); and its module's state after it."""

    logits: Array
    heads: Any
    rest: PyTree


class _Seen(NamedTuple):
    """What one of D's updates measured."""

    loss: Array
    penalty: Array
    real_logit: Array
    fake_logit: Array


@dataclass(frozen=True)
class _Match:
    """All that stays as it is within one step: the rules, the dials, the modules' structure, the noise on D's view, and
    the devices that share each batch."""

    gan: Gan
    hyper: Hyperparams
    target: Target
    g_def: Any
    d_def: Any
    blur: Array
    mesh: Mesh | None = None

    def generate(self, params: PyTree, rest: PyTree, drawn: _Drawn) -> tuple[Array, PyTree]:
        fake, rest = _apply(self.gan, self.g_def, params, rest, drawn.z, drawn.labels)
        _check_shape(fake, "the generator must return samples shaped like the target's,", drawn.shape)
        return fake, rest

    def judge(self, params: PyTree, rest: PyTree, x: Array, labels: Any) -> _Judged:
        """D's answer to samples that stand side by side in their packs already."""
        _check_inputs(self.gan, x)
        told = labels if getattr(self.gan.discriminator, "classes", 0) else None
        output, rest = _apply(self.gan, self.d_def, params, rest, x, told)
        output, heads = output if isinstance(output, tuple) else (output, None)
        if (heads is None) != (self.gan.auxiliary is None):
            raise ValueError(
                f"D returned {'no heads' if heads is None else 'heads'} beside its logit, and the game's auxiliary is "
                f"{self.gan.auxiliary and self.gan.auxiliary.name!r}; give D's recipe heads=... and Gan auxiliary=..."
            )
        what = "the discriminator must return one logit a " + ("sample" if self.gan.packing == 1 else "pack")
        _check_shape(output, f"{what}, shape", (len(x), 1))
        return _Judged(output.reshape(len(x)), heads, rest)

    def shared(self, x: Array) -> Array:
        """A batch of which each device of the mesh has its part; what is computed from it then has parts too."""
        if self.mesh is None:
            return x
        return jax.lax.with_sharding_constraint(x, NamedSharding(self.mesh, PartitionSpec(*self.mesh.axis_names)))

    def view(self, key: Key[Array, ""], x: Array) -> Array:
        """Samples as D sees them: under noise, in packs."""
        noisy = lambda: x + self.blur * jax.random.normal(key, x.shape)  # noqa: E731
        # the noise costs its random numbers only when it is switched on
        return pack(jax.lax.cond(self.blur > 0, noisy, lambda: x), self.gan.packing)

    def draw(self, key: Key[Array, ""]) -> _Drawn:
        n = self.gan.batch_size
        real_key, latent_key, real_noise_key, fake_noise_key, penalty_key = jax.random.split(key, 5)
        if self.gan.classes:
            real, labels = _check_labels(self.gan, self.target).sample_labelled(real_key, n)
            labels = self.shared(labels)
        else:
            real, labels = self.target.sample(real_key, n), None
        real, z = self.shared(real), self.shared(self.gan.noise(latent_key, n))
        return _Drawn(self.view(real_noise_key, real), z, labels, real.shape, fake_noise_key, penalty_key)

    def fake(self, params: PyTree, rest: PyTree, drawn: _Drawn) -> tuple[Array, PyTree]:
        """Fake samples as D sees them, and G's batch statistics after them."""
        fake, rest = self.generate(params, rest, drawn)
        return self.view(drawn.noise_key, fake), rest

    def code(self, drawn: _Drawn) -> Array | None:
        """What D's heads are to guess of the latents."""
        return drawn.z[:, -self.gan.code :] if self.gan.code else None

    def objective_d(self, params, rest, drawn: _Drawn, fake):
        """What D minimises, on samples as it sees them; and its batch statistics after them, and what was measured."""
        gan, hyper, labels = self.gan, self.hyper, drawn.labels
        of_real = self.judge(params, rest, drawn.real, labels)
        of_fake = self.judge(params, of_real.rest, fake, labels)
        loss = _scalar(gan.loss.discriminator(of_real.logits, of_fake.logits), gan.loss, "discriminator")
        critic = lambda x: self.judge(params, rest, x, labels).logits  # noqa: E731
        penalty = gan.penalty.function(critic, drawn.real, fake, drawn.penalty_key) if gan.penalty else jnp.zeros(())
        # moving the real label from 1 to 1 - s adds s times the real logit, for cross-entropy and, up to a
        # constant, for least squares: so the smoothing is a dial, not another loss
        total = loss + hyper.penalty_weight * penalty + hyper.label_smoothing * jnp.mean(of_real.logits)
        if gan.auxiliary:
            guessed = gan.auxiliary.discriminator(of_real.heads, of_fake.heads, labels, self.code(drawn))
            total = total + hyper.auxiliary_weight * guessed
        return total, (of_fake.rest, _Seen(loss, penalty, jnp.mean(of_real.logits), jnp.mean(of_fake.logits)))

    def moved_d(self, d: _Player, gradient: PyTree, rest: PyTree) -> _Player:
        change, memory = OPTIMIZERS[self.gan.optimizer](self.hyper.lr_d, self.hyper).update(gradient, d.memory)
        clip = self.hyper.weight_clip
        params = jax.tree.map(lambda p: jnp.clip(p, -clip, clip), optax.apply_updates(d.params, change))
        return _Player(params, rest, memory)

    def moved_g(self, g: _Player, gradient: PyTree, rest: PyTree) -> _Player:
        change, memory = OPTIMIZERS[self.gan.optimizer](self.hyper.lr_g, self.hyper).update(gradient, g.memory)
        return _Player(optax.apply_updates(g.params, change), rest, memory)

    def gradient_d(self, g: _Player, d: _Player, key: Key[Array, ""]) -> tuple[PyTree, PyTree, _Seen]:
        drawn = self.draw(key)
        fake = self.fake(g.params, g.rest, drawn)[0]
        gradient, (rest, seen) = jax.grad(self.objective_d, has_aux=True)(d.params, d.rest, drawn, fake)
        return gradient, rest, seen

    def gradient_g(self, g: _Player, d: _Player, key: Key[Array, ""]) -> tuple[PyTree, PyTree, Array]:
        def objective(params):
            drawn = self.draw(key)
            fake, rest = self.fake(params, g.rest, drawn)
            ahead = self.unrolled(d, drawn, fake)
            of_real = self.judge(ahead.params, ahead.rest, drawn.real, drawn.labels)
            of_fake = self.judge(ahead.params, ahead.rest, fake, drawn.labels)
            loss = _scalar(self.gan.loss.generator(of_real.logits, of_fake.logits), self.gan.loss, "generator")
            if not self.gan.auxiliary:
                return loss, (rest, loss)
            guessed = self.gan.auxiliary.generator(of_fake.heads, drawn.labels, self.code(drawn))
            return loss + self.hyper.auxiliary_weight * guessed, (rest, loss)

        gradient, (rest, loss) = jax.grad(objective, has_aux=True)(g.params)
        return gradient, rest, loss

    def unrolled(self, d: _Player, drawn: _Drawn, fake: Array) -> _Player:
        """D after `unrolled_steps` more updates on this batch; a gradient goes through them."""
        if not self.gan.unrolled_steps:
            return d

        def answer(d, _):
            gradient, (rest, _) = jax.grad(self.objective_d, has_aux=True)(d.params, d.rest, drawn, fake)
            return self.moved_d(d, gradient, rest), None

        return jax.lax.scan(answer, d, None, length=self.gan.unrolled_steps)[0]


def _in_turn(match: _Match, g: _Player, d: _Player, key: Key[Array, ""]) -> tuple[_Player, _Player, _Seen, Array]:
    """`d_steps` updates of D, then `g_steps` of G, against the new D or against D as it stood."""
    keys = jax.random.split(key, 1 + match.gan.d_steps)

    def update_discriminator(d, key):
        gradient, rest, seen = match.gradient_d(g, d, key)
        return match.moved_d(d, gradient, rest), seen

    after, seen = jax.lax.scan(update_discriminator, d, keys[1:])
    opponent = d if match.gan.update == "simultaneous" else after

    def update_generator(g, key):
        gradient, rest, loss = match.gradient_g(g, opponent, key)
        return match.moved_g(g, gradient, rest), loss

    g, loss_g = update_generator(g, keys[0])
    if match.gan.g_steps > 1:  # keys of their own, so that a game of one update keeps its numbers
        further = jax.vmap(lambda i: jax.random.fold_in(keys[0], i))(jnp.arange(1, match.gan.g_steps))
        g, losses_g = jax.lax.scan(update_generator, g, further)
        loss_g = losses_g[-1]
    return g, after, jax.tree.map(lambda values: values[-1], seen), loss_g


def _looking_ahead(match: _Match, g: _Player, d: _Player, key: Key[Array, ""]) -> tuple[_Player, _Player, _Seen, Array]:
    """Extragradient: from where both stand, by the gradients found one step ahead."""
    ahead_d_key, ahead_g_key, d_key, g_key = jax.random.split(key, 4)
    gradient_d, rest_d, _ = match.gradient_d(g, d, ahead_d_key)
    gradient_g, rest_g, _ = match.gradient_g(g, d, ahead_g_key)
    ahead_g, ahead_d = match.moved_g(g, gradient_g, rest_g), match.moved_d(d, gradient_d, rest_d)

    gradient_d, rest_d, seen = match.gradient_d(ahead_g, ahead_d, d_key)
    gradient_g, rest_g, loss_g = match.gradient_g(ahead_g, ahead_d, g_key)
    from_g, from_d = g._replace(memory=ahead_g.memory), d._replace(memory=ahead_d.memory)
    return match.moved_g(from_g, gradient_g, rest_g), match.moved_d(from_d, gradient_d, rest_d), seen, loss_g


def _seat(
    gan: Gan, hyper: Hyperparams, target: Target, state: State, mesh: Mesh | None = None
) -> tuple[_Match, _Player, _Player, Key[Array, ""]]:
    """Open a state for one step: the match, both players, and the step's random key."""
    g_def, g, g_rest = nnx.split(state.generator, nnx.Param, ...)
    d_def, d, d_rest = nnx.split(state.discriminator, nnx.Param, ...)
    blur = hyper.instance_noise * jnp.maximum(1 - state.step / hyper.noise_steps, 0)
    match = _Match(gan, hyper, target, g_def, d_def, blur, mesh)
    key = jax.random.fold_in(state.key, state.step)
    return match, _Player(g, g_rest, state.opt_g), _Player(d, d_rest, state.opt_d), key


def _settle(match: _Match, g: _Player, d: _Player, state: State) -> State:
    """Close the step: both players as they stand now, and the running average of G's weights."""
    decay = match.hyper.ema_decay
    return replace(
        state,
        generator=nnx.merge(match.g_def, g.params, g.rest),
        discriminator=nnx.merge(match.d_def, d.params, d.rest),
        ema=jax.tree.map(lambda old, new: new + decay * (old - new), state.ema, g.params),
        opt_g=g.memory,
        opt_d=d.memory,
        step=state.step + 1,
    )


def _step(
    gan: Gan, hyper: Hyperparams, target: Target, state: State, mesh: Mesh | None = None
) -> tuple[State, History]:
    """One turn of the game. With what it calls, the only place where the game is written."""
    match, g, d, key = _seat(gan, hyper, target, state, mesh)
    turn = _looking_ahead if gan.update == "extragradient" else _in_turn
    g, d, seen, loss_g = turn(match, g, d, key)
    return _settle(match, g, d, state), History(seen.loss, loss_g, seen.real_logit, seen.fake_logit, seen.penalty)


def _check_shape(array: Array, what: str, expected: tuple[int, ...]) -> None:
    if array.shape not in (expected, expected[:1] if expected[1:] == (1,) else expected):
        raise ValueError(f"{what} {expected}; it returned {array.shape}. Change its last width to fit.")


def _check_labels(gan: Gan, target: Target) -> Labelled:
    if not isinstance(target, Labelled):
        raise TypeError(
            f"the networks are told {gan.classes} classes, and {type(target).__name__} has no labels; take a target "
            "that has (data.digits(), data.ring(8)), or recipes without classes"
        )
    if target.classes != gan.classes:
        raise ValueError(
            f"the networks are told {gan.classes} classes and the target has {target.classes}; "
            f"give both recipes classes={target.classes}"
        )
    return target


def _check_inputs(gan: Gan, packs: Array) -> None:
    inputs, given = getattr(gan.discriminator, "inputs", None), int(np.prod(packs.shape[1:]))
    if inputs not in (None, given):
        side_by_side = f", and it judges {gan.packing} side by side" if gan.packing > 1 else ""
        raise ValueError(
            f"the discriminator takes {inputs} numbers a sample, but a sample of the target has "
            f"{given // gan.packing}{side_by_side}; make its first width {given}"
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
