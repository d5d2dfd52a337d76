"""One step laid open: the same game as `train.step`, and each thing that it shows is what it says."""

from dataclasses import replace
from functools import cache
from importlib import import_module
from itertools import cycle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from test_train import close, equal, leaves

from gan_jax import data, losses, nets, train
from gan_jax.train import Gan, Hyperparams

pytestmark = pytest.mark.once

KEY, RING = jax.random.key(0), data.ring(8)
SMALL = Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=8)
NOISY = Hyperparams(lr_g=1e-2, lr_d=2e-2, instance_noise=0.2, noise_steps=100, ema_decay=0.5, weight_clip=0.4)

# every loss, penalty, update and optimiser at least once, and all that makes a step special, in few games
SPECIAL = [
    {"d_steps": 3, "g_steps": 2},
    {"packing": 2, "discriminator": nets.mlp(4, 8, 1), "d_steps": 3, "g_steps": 2},
    {},
    {"unrolled_steps": 2},
    {"discriminator": nets.mlp(2, 8, 1, normalisation="spectral"), "d_steps": 2},
    {"generator": nets.mlp(2, 8, 2, normalisation="batch")},
    {"discriminator": nets.mlp(2, 8, 8, 1, minibatch_stddev=4)},
    {"unrolled_steps": 1},
    {},
]
GAMES = {
    f"{loss} {penalty} {update} {optimizer} {' '.join(special)}": {
        "loss": losses.LOSSES[loss], "penalty": losses.PENALTIES[penalty], "update": update, "optimizer": optimizer,
        **special,
    }
    for loss, penalty, update, optimizer, special in zip(
        losses.LOSSES, cycle(losses.PENALTIES), cycle(train.UPDATES), cycle(train.OPTIMIZERS), cycle(SPECIAL)
    )
}  # fmt: skip


@cache
def opened(hyper=NOISY, **rules):
    gan = replace(SMALL, **rules)
    with jax.disable_jit():  # in a tenth of the time that a compiler takes
        return train.stages(gan, hyper, RING, train.init(gan, hyper, KEY))


@pytest.mark.parametrize("name", GAMES)
def test_the_last_state_is_that_of_a_plain_step(name):
    """Operation by operation, with no compiler to round in its own way: bit for bit."""
    gan = replace(SMALL, **GAMES[name])
    smoothed = replace(NOISY, label_smoothing=0.1 * gan.loss.has_labels)
    start = train.init(gan, smoothed, KEY)
    start = replace(start, step=start.step + 7)
    with jax.disable_jit():
        state, history = train.step(gan, smoothed, RING, start)
        walked = train.stages(gan, smoothed, RING, start)
    assert equal(walked.state, state)
    close(walked.history, history, rtol=1e-6, atol=1e-7)
    assert not equal(state.generator, start.generator)


def test_compiled_it_agrees_to_rounding_and_a_dial_never_compiles_again():
    gan = replace(SMALL, d_steps=2)
    compiled = import_module("gan_jax.train.stages")._stages_compiled  # the function has taken the module's name
    before = compiled._cache_size()
    for hyper in (Hyperparams(), NOISY, Hyperparams(lr_g=0, beta1=0.9, penalty_weight=3)):
        state = other = train.init(gan, hyper, KEY)
        for _ in range(3):
            state, other = train.step(gan, hyper, RING, state)[0], train.stages(gan, hyper, RING, other).state
        close(other, state, rtol=1e-5, atol=1e-6)
    assert compiled._cache_size() == before + 1


def order(gan):
    return [(update.player[0], update.ahead) for update in opened(**gan).updates]


def test_the_updates_stand_in_the_order_in_which_they_are_made():
    assert order({}) == [("d", False), ("g", False)]
    assert order({"d_steps": 3, "g_steps": 2}) == [("d", False)] * 3 + [("g", False)] * 2
    assert order({"update": "extragradient"}) == [("d", True), ("g", True), ("d", False), ("g", False)]


def test_each_update_begins_where_the_one_before_it_ended():
    walked = opened(d_steps=3, g_steps=2)
    start = train.init(replace(SMALL, d_steps=3, g_steps=2), NOISY, KEY)
    d, g = start.discriminator, start.generator
    for update in walked.updates:
        assert equal(update.discriminator, d)
        assert equal(update.generator, g)
        if update.player == "discriminator":
            d = update.after
        else:
            g = update.after
    assert equal((d, g), (walked.state.discriminator, walked.state.generator))
    assert len(np.unique(np.concatenate([update.latents for update in walked.updates]), axis=0)) == 5 * 8


def test_simultaneous_players_and_both_looks_stand_where_they_should():
    start = train.init(SMALL, NOISY, KEY)
    *_, last = opened(update="simultaneous").updates
    assert equal(last.discriminator, start.discriminator)
    look_d, look_g, move_d, move_g = opened(update="extragradient").updates
    for look in (look_d, look_g):
        assert equal((look.generator, look.discriminator), (start.generator, start.discriminator))
    for move in (move_d, move_g):
        assert equal((move.generator, move.discriminator), (look_g.after, look_d.after))


@pytest.mark.parametrize("rules", [{}, {"packing": 2, "discriminator": nets.mlp(4, 8, 1)}, {"unrolled_steps": 1}])
def test_samples_and_answers_are_those_of_the_networks_shown(rules):
    """Without noise: G on the latents gives the fakes, D on the samples the logits, the loss follows from them."""
    gan = replace(SMALL, **rules)
    for update in opened(Hyperparams(), **rules).updates:
        close(update.generator(update.latents), update.fake, rtol=1e-5, atol=1e-6)
        for samples, logits in ((update.real, update.real_logits), (update.fake, update.fake_logits)):
            packed = nets.pack(samples, gan.packing)
            close(update.discriminator(packed)[:, 0], logits, rtol=1e-5, atol=1e-6)
        loss = getattr(gan.loss, update.player)(update.real_logits, update.fake_logits)
        close(update.loss, loss, rtol=1e-6)


def test_the_samples_gradient_is_the_loss_s_own_and_gives_the_weights_theirs():
    """Non-saturating: -(1 - D(x)) grad a(x) / n at each fake sample; the chain rule takes it to G's weights."""
    update = opened(Hyperparams()).updates[-1]
    slope = jax.vmap(jax.grad(lambda x: update.discriminator(x[None])[0, 0]))(update.fake)
    weight = -(1 - jax.nn.sigmoid(update.fake_logits)) / len(slope)
    close(update.sample_gradient, weight[:, None] * slope, rtol=1e-4, atol=1e-7)
    definition, weights = nnx.split(update.generator)
    _, pull_back = jax.vjp(lambda weights: nnx.merge(definition, weights)(update.latents), weights)
    pulled = np.sqrt(sum(np.sum(leaf**2) for leaf in leaves(pull_back(update.sample_gradient))))
    np.testing.assert_allclose(update.gradient_norm, pulled, rtol=1e-5)


def test_the_samples_gradient_goes_through_the_answers_of_an_unrolled_d():
    """Finite differences of the loss of the whole unrolled answer, one sample moved."""
    hyper = Hyperparams(lr_d=0.5, beta1=0.0)
    rules = {"unrolled_steps": 2, "optimizer": "sgd"}
    update = opened(hyper, **rules).updates[-1]
    d = opened(hyper, optimizer="sgd").updates[-1].discriminator

    def loss(fake):
        definition, weights = nnx.split(d)
        of_d = lambda w: losses.nonsaturating.discriminator(  # noqa: E731
            nnx.merge(definition, w)(update.real)[:, 0], nnx.merge(definition, w)(fake)[:, 0]
        )
        for _ in range(2):
            weights = jax.tree.map(lambda w, g: w - 0.5 * g, weights, jax.grad(of_d)(weights))
        return losses.nonsaturating.generator(jnp.zeros(8), nnx.merge(definition, weights)(fake)[:, 0])

    close(loss(update.fake), update.loss, rtol=1e-5)
    close(jax.grad(loss)(update.fake), update.sample_gradient, rtol=1e-3, atol=1e-7)


def test_the_gradient_norm_is_of_all_that_d_minimises():
    """Plain SGD moves by the learning rate times the gradient: the weights' way tells its length."""
    hyper = Hyperparams(lr_d=0.1, beta1=0.0, penalty_weight=3.0, label_smoothing=0.1)
    update = opened(hyper, optimizer="sgd", penalty=losses.r1).updates[0]
    moved = zip(leaves(update.after), leaves(update.discriminator), strict=True)
    way = np.sqrt(sum(np.sum((new - old) ** 2) for new, old in moved))
    np.testing.assert_allclose(update.gradient_norm, way / 0.1, rtol=1e-4)
    assert update.penalty > 0


def test_under_noise_the_samples_are_those_that_d_sees():
    hyper = Hyperparams(instance_noise=0.3)
    update = opened(hyper).updates[0]
    noise = np.asarray(update.fake - update.generator(update.latents))
    assert 0.1 < noise.std() < 0.6
    close(update.discriminator(update.fake)[:, 0], update.fake_logits, rtol=1e-5, atol=1e-6)
