"""A `Gan`, its dials, a target and a state come in; one step of the game goes out laid open, update by update."""

import functools
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Key

from ..data import Target
from .game import _Drawn, _Match, _Player, _seat, _settle
from .hyperparams import Hyperparams, dials
from .rules import Gan
from .states import History, State


@functools.partial(jax.tree_util.register_dataclass)
@dataclass(frozen=True)
class Update:
    """One update of one player: what it saw, what that was worth, how it moved.

    Attributes:
        player: who moves, "discriminator" or "generator" (static).
        ahead: whether this is extragradient's look ahead, after which the player goes back (static).
        generator: G that made the fake samples.
        discriminator: D that gave the logits; where G's update is unrolled, D after its further updates.
        latents: shape (n, latent_dim).
        real: real samples as D sees them, under instance noise where it is on, shape (n, *target.shape).
        fake: `generator(latents)` as D sees it, likewise.
        real_logits, fake_logits: D's answers, shape (n / packing,).
        loss: the mover's loss, without penalty or label smoothing.
        penalty: the penalty in D's update, not yet weighted; 0 without one and in G's update.
        gradient_norm: Euclidean length of the gradient of all that the mover minimises by its parameters.
        sample_gradient: gradient of G's loss by each fake sample, shape (n, *target.shape): the sample would like to
            go the other way. The loss is a mean, so each is an n-th of what a sample by itself would have. None in D's
            update.
        after: the mover's module after the update.
    """

    player: str = field(metadata={"static": True})
    ahead: bool = field(metadata={"static": True})
    generator: nnx.Module
    discriminator: nnx.Module
    latents: Array
    real: Array
    fake: Array
    real_logits: Array
    fake_logits: Array
    loss: Array
    penalty: Array
    gradient_norm: Array
    sample_gradient: Any
    after: nnx.Module


class Stages(NamedTuple):
    """One step of the game, laid open.

    Attributes:
        updates: every `Update`, in the order in which they are made.
        state: the `State` after the last.
        history: the step's `History`, scalar fields.
    """

    updates: tuple[Update, ...]
    state: State
    history: History


def stages(gan: Gan, hyper: Hyperparams, target: Target, state: State) -> Stages:
    """Take one step of the game as `step` does, and keep all that it makes on the way.

    Compiled once for each `Gan`; moving a dial does not compile again. It draws by the same keys and moves by the same
    code as `step`. The two are different programs, so that their states agree to rounding, not to the last bit: within
    1e-5 of the size of each weight, or 1e-6. Adam's first steps may show more where a gradient is itself rounding.

    Args:
        gan: the rules (static).
        hyper: the dials, scalars.
        target: the distribution that real samples come from.
        state: where the game stands; it is left as it is.

    Returns:
        The `Stages`.

    Raises:
        TypeError, ValueError: the four do not belong together, as `step` says.

    >>> from gan_jax import data, nets
    >>> from gan_jax.train import init
    >>> gan = Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16, d_steps=2)
    >>> opened = stages(gan, Hyperparams(), data.ring(8), init(gan, Hyperparams(), jax.random.key(0)))
    >>> [update.player for update in opened.updates]
    ['discriminator', 'discriminator', 'generator']
    >>> opened.updates[-1].sample_gradient.shape, int(opened.state.step)
    ((16, 2), 1)
    """
    return _stages_compiled(gan, dials(gan, hyper), target, replace(state, gan=gan))


@dataclass(frozen=True)
class _Nudged(_Match):
    """The same match, with each of G's samples moved a little: a gradient by the nudge is one by the samples."""

    nudge: Any = 0.0

    def generate(self, params, rest, drawn):
        fake, rest = super().generate(params, rest, drawn)
        return fake + self.nudge, rest


@dataclass(frozen=True)
class _Walk:
    """What makes the updates of one step, by the match's own code, and lays each of them open."""

    match: _Match

    def generator(self, g: _Player) -> nnx.Module:
        return nnx.merge(self.match.g_def, g.params, g.rest)

    def discriminator(self, d: _Player) -> nnx.Module:
        return nnx.merge(self.match.d_def, d.params, d.rest)

    def apart(self, packs: Array) -> Array:
        """Samples one by one out of their packs: the way back from `nets.pack`."""
        packing = self.match.gan.packing
        each = packs.reshape(*packs.shape[:-1], packing, packs.shape[-1] // packing)
        return jnp.moveaxis(each, -2, 1).reshape(-1, *packs.shape[1:-1], each.shape[-1])

    def draw(self, g: _Player, key: Key[Array, ""]) -> tuple[_Drawn, Array]:
        """What both players see in the update of this key; the compiler makes it once, with the update's own."""
        drawn = self.match.draw(key)
        return drawn, self.match.fake(g.params, g.rest, drawn)[0]

    def of_d(
        self, g: _Player, d: _Player, origin: _Player, key: Key[Array, ""], ahead: bool = False
    ) -> tuple[_Player, Update]:
        """D's update by the gradient where the players stand, from where D's own way began."""
        match, (drawn, fake) = self.match, self.draw(g, key)
        gradient, rest, seen = match.gradient_d(g, d, key)
        after = match.moved_d(origin, gradient, rest)
        of_real = match.judge(d.params, d.rest, drawn.real, drawn.labels)
        of_fake = match.judge(d.params, of_real.rest, fake, drawn.labels)
        return after, Update(
            "discriminator", ahead, self.generator(g), self.discriminator(d), drawn.z, self.apart(drawn.real),
            self.apart(fake), of_real.logits, of_fake.logits, seen.loss, seen.penalty, optax.global_norm(gradient),
            None, self.discriminator(after),
        )  # fmt: skip

    def of_g(
        self, g: _Player, d: _Player, origin: _Player, key: Key[Array, ""], ahead: bool = False
    ) -> tuple[_Player, Update]:
        """G's update, likewise."""
        match, (drawn, fake) = self.match, self.draw(g, key)
        gradient, rest, loss = match.gradient_g(g, d, key)
        after = match.moved_g(origin, gradient, rest)
        answering = match.unrolled(d, drawn, fake)
        real_logits, fake_logits = (
            match.judge(answering.params, answering.rest, x, drawn.labels).logits for x in (drawn.real, fake)
        )
        apart = self.apart(fake)
        loss_of = lambda nudge: _Nudged(**vars(match), nudge=nudge).gradient_g(g, d, key)[2]  # noqa: E731
        return after, Update(
            "generator", ahead, self.generator(g), self.discriminator(answering), drawn.z, self.apart(drawn.real),
            apart, real_logits, fake_logits, loss, jnp.zeros(()), optax.global_norm(gradient),
            jax.grad(loss_of)(jnp.zeros_like(apart)), self.generator(after),
        )  # fmt: skip

    def in_turn(self, g: _Player, d: _Player, key: Key[Array, ""]) -> tuple[_Player, _Player, tuple[Update, ...]]:
        gan, opponent, updates = self.match.gan, d, []
        g_key, *d_keys = jax.random.split(key, 1 + gan.d_steps)
        for d_key in d_keys:
            d, update = self.of_d(g, d, d, d_key)
            updates.append(update)
        opponent = opponent if gan.update == "simultaneous" else d
        for each in (g_key, *(jax.random.fold_in(g_key, i) for i in range(1, gan.g_steps))):
            g, update = self.of_g(g, opponent, g, each)
            updates.append(update)
        return g, d, tuple(updates)

    def looking_ahead(self, g: _Player, d: _Player, key: Key[Array, ""]) -> tuple[_Player, _Player, tuple[Update, ...]]:
        ahead_d_key, ahead_g_key, d_key, g_key = jax.random.split(key, 4)
        ahead_d, look_d = self.of_d(g, d, d, ahead_d_key, ahead=True)
        ahead_g, look_g = self.of_g(g, d, g, ahead_g_key, ahead=True)
        from_g, from_d = g._replace(memory=ahead_g.memory), d._replace(memory=ahead_d.memory)
        new_d, move_d = self.of_d(ahead_g, ahead_d, from_d, d_key)
        new_g, move_g = self.of_g(ahead_g, ahead_d, from_g, g_key)
        return new_g, new_d, (look_d, look_g, move_d, move_g)


def _stages(gan: Gan, hyper: Hyperparams, target: Target, state: State) -> Stages:
    match, g, d, key = _seat(gan, hyper, target, state)
    walk = _Walk(match)
    turn = walk.looking_ahead if gan.update == "extragradient" else walk.in_turn
    g, d, updates = turn(g, d, key)
    last = {update.player: update for update in updates}
    seen = last["discriminator"]
    means = jnp.mean(seen.real_logits), jnp.mean(seen.fake_logits)
    return Stages(
        updates, _settle(match, g, d, state), History(seen.loss, last["generator"].loss, *means, seen.penalty)
    )


_stages_compiled = jax.jit(_stages, static_argnums=0)
