"""Packing, unrolling, minibatch deviations, spectral norm, extragradient, optimism, noise that fades: on real GANs."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gan_jax import checkpoints, data, losses, nets, train
from gan_jax.train import Gan, Hyperparams

pytestmark = pytest.mark.once

KEY = jax.random.key(0)
G, D = nets.mlp(2, 8, 2, activation="tanh"), nets.mlp(2, 8, 1, activation="tanh")
PLAIN = Gan(G, D, batch_size=16)
STABILISERS = {
    "none": PLAIN,
    "packing": replace(PLAIN, discriminator=nets.mlp(6, 8, 1), packing=3, batch_size=12),
    "minibatch stddev": replace(PLAIN, discriminator=nets.mlp(2, 8, 8, 1, minibatch_stddev=4)),
    "packing and stddev": replace(PLAIN, discriminator=nets.mlp(4, 8, 1, minibatch_stddev=4), packing=2),
    "spectral norm": replace(PLAIN, discriminator=nets.mlp(2, 8, 1, normalisation="spectral")),
    "maxout": replace(PLAIN, discriminator=nets.mlp(2, 8, 1, activation="maxout")),
    "unrolling": replace(PLAIN, unrolled_steps=3),
    "unrolling, SGD": replace(PLAIN, unrolled_steps=3, optimizer="sgd"),
    "unrolling, RMSProp, dead units": replace(
        PLAIN, unrolled_steps=2, optimizer="rmsprop", discriminator=nets.mlp(2, 8, 1, activation="relu")
    ),
    "extragradient": replace(PLAIN, update="extragradient"),
    "extragradient, unrolling": replace(PLAIN, update="extragradient", unrolled_steps=2),
    "optimistic Adam": replace(PLAIN, optimizer="optimistic_adam"),
    "simultaneous": replace(PLAIN, update="simultaneous", d_steps=2),
}


def leaves(tree):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def d_gradient(state, real, fake, loss=losses.nonsaturating):
    """D's gradient by hand, for a D that judges samples one by one."""
    definition, weights = nnx.split(state.discriminator, nnx.Param)

    def objective(weights):
        d = nnx.merge(definition, weights)
        return loss.discriminator(d(real)[:, 0], d(fake)[:, 0])

    return weights, jax.grad(objective)(weights)


def batch(gan, state, key, target):
    """The real samples and latents that a step draws from a key."""
    real_key, latent_key, *_ = jax.random.split(key, 5)
    return target.sample(real_key, gan.batch_size), gan.noise(latent_key, gan.batch_size)


def close(one, other, **tolerance):
    for x, y in zip(leaves(one), leaves(other), strict=True):
        np.testing.assert_allclose(x, y, **tolerance)


# ---- every stabiliser with every loss and penalty ----


ALL_LOSSES = losses.Loss(
    lambda real, fake: sum(loss.discriminator(real, fake) for loss in losses.LOSSES.values()),
    lambda real, fake: sum(loss.generator(real, fake) for loss in losses.LOSSES.values()),
    has_labels=True,
)
ALL_PENALTIES = losses.Penalty(
    lambda *arguments: sum(penalty.function(*arguments) for penalty in losses.PENALTIES.values() if penalty)
)


@pytest.mark.parametrize("stabiliser", STABILISERS)
def test_every_stabiliser_goes_with_every_loss_and_penalty(ring, stabiliser):
    """Traced with the sum of all of them, which takes one trace."""
    gan = replace(STABILISERS[stabiliser], loss=ALL_LOSSES, penalty=ALL_PENALTIES)
    hyper = train.dials(gan, Hyperparams(instance_noise=0.1, noise_steps=50))
    shapes = lambda state: [(x.shape, x.dtype) for x in jax.tree.leaves(state)]  # noqa: E731
    start = jax.eval_shape(lambda key: train.game._init(gan, hyper, key), KEY)
    after, _ = jax.eval_shape(lambda state: train.game._step(gan, hyper, ring, state), start)
    assert shapes(after) == shapes(start)


MOVED = ("packing and stddev", "spectral norm", "maxout", "unrolling, RMSProp, dead units", "extragradient, unrolling",
         "optimistic Adam")  # fmt: skip
"""All stabilisers are among these, and each program takes seconds to compile."""


@pytest.mark.parametrize("stabiliser", MOVED)
def test_steps_under_a_penalty_and_fading_noise_move_both_players_and_stay_finite(ring, stabiliser):
    hyper, gan = Hyperparams(instance_noise=0.1, noise_steps=50), replace(STABILISERS[stabiliser], penalty=losses.r1)
    start = train.init(gan, hyper, KEY)
    after, history = train.steps(gan, hyper, ring, start, 6)
    assert not history.bad.any()
    for player in ("generator", "discriminator"):
        old, new = (leaves(nnx.state(getattr(state, player), nnx.Param)) for state in (start, after))
        assert all(np.isfinite(x).all() for x in new)
        assert any((x != y).any() for x, y in zip(old, new, strict=True))


@pytest.mark.parametrize("stabiliser", ["spectral norm", "extragradient, unrolling", "optimistic Adam"])
def test_resuming_is_exact_and_saved_whole(ring, stabiliser, tmp_path):
    gan = STABILISERS[stabiliser]
    start = train.init(gan, Hyperparams(), KEY)
    whole, _ = train.steps(gan, Hyperparams(), ring, start, 12)
    half, _ = train.steps(gan, Hyperparams(), ring, start, 5)
    checkpoints.save(tmp_path / "run", half)
    again, _ = train.steps(gan, Hyperparams(), ring, checkpoints.load(tmp_path / "run", start), 7)
    for x, y in zip(leaves((whole.generator, whole.discriminator, whole.opt_d)),
                    leaves((again.generator, again.discriminator, again.opt_d)), strict=True):  # fmt: skip
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("stabiliser", ["packing and stddev", "extragradient, unrolling"])
def test_no_key_is_used_twice(ring, stabiliser):
    gan = replace(STABILISERS[stabiliser], penalty=losses.dragan)
    with jax.debug_key_reuse(True):
        train.step(gan, Hyperparams(instance_noise=0.1), ring, train.init(gan, Hyperparams(), jax.random.key(0)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"packing": 3}, "multiple of that, got 16"),
        ({"packing": 0}, "packing must be a whole number of at least 1"),
        ({"unrolled_steps": -1}, "unrolled_steps must be a whole number of at least 0"),
        ({"update": "extragradient", "d_steps": 2}, "set both to 1"),
        ({"update": "extragradient", "g_steps": 2}, "set both to 1"),
        ({"update": "extragradiant"}, "did you mean 'extragradient'"),
        ({"optimizer": "optimistic"}, "did you mean 'optimistic_adam'"),
        ({"discriminator": nets.mlp(2, 8, 1, minibatch_stddev=5)}, "judges 5 samples together"),
        ({"generator": nets.mlp(2, 8, 2, minibatch_stddev=4)}, "compares 4 samples of a batch.* for discriminators"),
    ],
)
def test_rules_that_do_not_fit_say_why(change, message, as_users_see_it):
    with pytest.raises((ValueError, KeyError), match=message):
        replace(PLAIN, **change)


def test_counts_may_be_arrays_and_become_whole_numbers():
    gan = replace(PLAIN, packing=np.int64(2), unrolled_steps=jnp.int32(3), discriminator=nets.mlp(4, 8, 1))
    assert hash(gan) == hash(replace(gan, packing=2, unrolled_steps=3))


def test_a_group_or_a_pack_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="a group of at least 2 samples to compare, got 1"):
        nets.mlp(2, 8, 1, minibatch_stddev=1)
    with pytest.raises(ValueError, match="packs of 2 need a multiple of 2 samples, got 3"):
        nets.pack(jnp.zeros((3, 2)), 2)
    for function in (nets.pack, nets.minibatch_stddev):
        with pytest.raises(ValueError, match="must be a whole number of at least 1, got 0"):
            function(jnp.zeros((4, 2)), 0)


def test_a_discriminator_too_narrow_for_its_packs_is_named_when_the_game_begins(ring):
    gan = replace(PLAIN, packing=2)
    with pytest.raises(ValueError, match=r"takes 2 numbers a sample.* has 2, and it judges 2 side by side.* width 4"):
        train.step(gan, Hyperparams(), ring, train.init(gan, Hyperparams(), KEY))


# ---- packing ----


def test_packing_lays_samples_side_by_side_in_their_last_axis():
    x = jnp.arange(24.0).reshape(4, 2, 1, 3)  # four images of 2 x 1 pixels in 3 colours
    packs = nets.pack(x, 2)
    assert packs.shape == (2, 2, 1, 6)
    np.testing.assert_array_equal(packs[1, 0, 0], [12, 13, 14, 18, 19, 20])
    np.testing.assert_array_equal(nets.pack(x, 1), x)


def test_a_packed_step_is_the_gradient_of_the_loss_on_packs_by_hand(ring):
    gan = Gan(G, nets.mlp(4, 8, 1, activation="tanh"), batch_size=16, packing=2, optimizer="sgd")
    hyper = Hyperparams(lr_g=0.0, lr_d=0.1, beta1=0.0)
    start = train.init(gan, hyper, KEY)
    after, history = train.step(gan, hyper, ring, start)
    real, z = batch(gan, start, jax.random.split(jax.random.fold_in(start.key, 0), 2)[1], ring)
    fake = start.generator(z)
    beside = lambda x: jnp.stack([jnp.concatenate([x[2 * i], x[2 * i + 1]]) for i in range(8)])  # noqa: E731
    weights, gradient = d_gradient(start, beside(real), beside(fake))
    close(nnx.state(after.discriminator), jax.tree.map(lambda w, g: w - 0.1 * g, weights, gradient), atol=1e-6)
    np.testing.assert_allclose(history.real_logit, start.discriminator(beside(real)).mean(), rtol=1e-5)


# ---- minibatch standard deviation ----


def test_the_minibatch_deviation_by_hand():
    x = jnp.array([[0.0, 1.0], [2.0, 1.0], [1.0, 5.0], [1.0, 5.0], [3.0, 0.0], [7.0, 4.0]])
    feature = nets.minibatch_stddev(x, 2)[:, 2]
    np.testing.assert_allclose(feature, [0.5, 0.5, 1e-4, 1e-4, 2.0, 2.0], rtol=2e-4)  # means of (1, 0), (0, 0), (2, 2)
    np.testing.assert_allclose(nets.minibatch_stddev(x, 6)[:, 2], np.std(x, axis=0).mean(), rtol=1e-4)
    assert np.isfinite(jax.grad(lambda x: nets.minibatch_stddev(x, 2).sum())(jnp.ones((2, 3)))).all()
    with pytest.raises(ValueError, match=r"multiple of 4 samples, got 6.*state.logits"):
        nets.minibatch_stddev(x, 4)


def test_a_discriminator_with_it_tells_a_collapsed_batch_from_a_varied_one_without_looking_at_places():
    module = nets.mlp(1, 1, 1, activation="identity", minibatch_stddev=4)(nnx.Rngs(0))
    module.layer_0.linear.kernel[...] = jnp.array([[0.0], [1.0]])  # sees the new feature alone
    module.layer_1.linear.kernel[...] = jnp.ones((1, 1))
    varied, collapsed = jnp.array([[-1.0], [1.0], [-1.0], [1.0]]), jnp.ones((4, 1))
    np.testing.assert_allclose(module(varied)[:, 0], 1.0, rtol=1e-5)
    np.testing.assert_allclose(module(collapsed)[:, 0], 0.0, atol=2e-4)


@pytest.mark.parametrize("stabiliser", ["none", "packing", "minibatch stddev", "packing and stddev"])
def test_logits_of_single_samples_are_those_among_companions(ring, stabiliser):
    gan = STABILISERS[stabiliser]
    state = train.init(gan, Hyperparams(), KEY)
    x, real = ring.sample(KEY, 5), ring.sample(jax.random.key(1), 20)
    others = gan.judged_together - 1
    logits = state.logits(x, real)
    for i in range(5):
        together = jnp.concatenate([x[i : i + 1], real[:others]])
        expected = state.discriminator(nets.pack(together, gan.packing))[0, 0]
        np.testing.assert_allclose(logits[i], expected, rtol=1e-5)
    if others:
        with pytest.raises(ValueError, match=f"give at least {others} companions.* got 0"):
            state.logits(x)
    else:
        np.testing.assert_array_equal(state.logits(np.asarray(x)), logits)
    for wrong in (x[0], x[:0], jnp.zeros((5, 3))):
        with pytest.raises(ValueError, match=r"x must hold samples of 2 numbers each, shape \(n, \*target.shape\)"):
            state.logits(wrong, real)
    if others:
        with pytest.raises(ValueError, match=r"companions must be samples as those in x, \(2,\); theirs is \(3,\)"):
            state.logits(x, jnp.zeros((20, 3)))


# ---- spectral norm ----


def test_spectral_norm_follows_the_largest_singular_value_while_it_trains(ring):
    gan = replace(STABILISERS["spectral norm"], loss=losses.hinge)
    start = train.init(gan, Hyperparams(), KEY)
    state, _ = train.steps(gan, Hyperparams(lr_d=1e-3), ring, start, 200)
    for layer in (state.discriminator.layer_0.linear, state.discriminator.layer_1.linear):
        weights, u = np.asarray(layer.kernel[...]), np.asarray(layer.direction[...])
        largest = np.linalg.svd(weights, compute_uv=False)[0]
        assert largest > 1.001 or largest < 0.999, "a weight that already has norm 1 would test nothing"
        np.testing.assert_allclose(np.linalg.norm(weights @ u), largest, rtol=1e-3)
        x = jax.random.normal(KEY, (3, len(weights)))
        np.testing.assert_allclose(layer(x) - layer.bias[...][None], x @ weights / largest, rtol=2e-3, atol=1e-5)
    real, other = ring.sample(KEY, 400), ring.sample(jax.random.key(1), 400)
    slopes = jnp.abs(state.logits(real) - state.logits(other)) / jnp.linalg.norm(real - other, axis=1)
    assert slopes.max() <= 1.001  # tanh, too, is 1-Lipschitz


def test_a_trained_spectral_layer_stands_still(ring):
    gan = STABILISERS["spectral norm"]
    state, _ = train.steps(gan, Hyperparams(), ring, train.init(gan, Hyperparams(), KEY), 3)
    before = leaves(state.discriminator)
    first = state.discriminator(ring.sample(KEY, 4))
    np.testing.assert_array_equal(first, state.discriminator(ring.sample(KEY, 4)))
    for x, y in zip(before, leaves(state.discriminator), strict=True):
        np.testing.assert_array_equal(x, y)


def test_the_gradient_of_a_spectral_layer_is_that_of_the_quotient(float64):
    """d(W / s)/dW with u and v held: compared with differences, which move the true singular value to first order."""
    layer = nets.SpectralLinear(3, 4, nnx.initializers.normal(1.0), nnx.Rngs(0))
    layer.eval()
    definition, params, rest = nnx.split(layer, nnx.Param, ...)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3)))
    kernel = jnp.asarray(np.random.default_rng(1).normal(size=(3, 4)))
    u = np.linalg.svd(kernel)[2][0]

    layer.direction[...] = jnp.asarray(u)
    rest = nnx.state(layer, nnx.BatchStat)

    def output(kernel):
        weights = jax.tree.map(lambda w: kernel if w.shape == kernel.shape else w, params)
        return jnp.sum(jnp.tanh(nnx.merge(definition, weights, rest)(x)))

    exact = lambda kernel: np.sum(np.tanh(np.asarray(x @ kernel) / np.linalg.svd(kernel, compute_uv=False)[0]))  # noqa: E731
    gradient, h = jax.grad(output)(kernel), 1e-5
    for place in np.ndindex(3, 4):
        step = np.zeros((3, 4))
        step[place] = h
        difference = (exact(np.asarray(kernel) + step) - exact(np.asarray(kernel) - step)) / (2 * h)
        np.testing.assert_allclose(gradient[place], difference, atol=1e-6)


def test_maxout_is_the_largest_of_five_linear_pieces():
    module = nets.mlp(2, 3, activation="maxout", output="maxout")(nnx.Rngs(0))
    x = jax.random.normal(KEY, (4, 2))
    pieces = np.asarray(x @ module.layer_0.linear.kernel[...]).reshape(4, 5, 3)
    np.testing.assert_allclose(module(x), pieces.max(axis=1), rtol=1e-5)


# ---- unrolling ----


def unrolled_loss(gan, hyper, state, target, weights_g):
    """G's loss after gan.unrolled_steps SGD steps of D on G's own batch, written out with a Python loop."""
    key = jax.random.split(jax.random.fold_in(state.key, 0), 1 + gan.d_steps)[0]
    real, z = batch(gan, state, key, target)
    g_definition = nnx.split(state.generator, nnx.Param)[0]
    fake = nnx.merge(g_definition, weights_g)(z)
    definition, weights = nnx.split(state.discriminator, nnx.Param)
    for _ in range(gan.unrolled_steps):
        d_loss = lambda w: gan.loss.discriminator(*(nnx.merge(definition, w)(x)[:, 0] for x in (real, fake)))  # noqa: E731
        weights = jax.tree.map(lambda w, g: w - hyper.lr_d * g, weights, jax.grad(d_loss)(weights))
    d = nnx.merge(definition, weights)
    return gan.loss.generator(d(real)[:, 0], d(fake)[:, 0])


def test_the_unrolled_gradient_against_finite_differences(ring, float64):
    gan = replace(PLAIN, unrolled_steps=4, optimizer="sgd", update="simultaneous")
    hyper = Hyperparams(lr_g=1.0, lr_d=0.5, beta1=0.0)
    start = jax.tree.map(lambda x: x.astype(jnp.float64) if x.dtype == jnp.float32 else x, train.init(gan, hyper, KEY))
    after, history = jax.jit(lambda s: train.game._step(gan, hyper, ring, s))(start)
    weights = nnx.state(start.generator, nnx.Param)
    moved = jax.tree.map(lambda new, old: old - new, nnx.state(after.generator, nnx.Param), weights)  # lr 1: gradient
    np.testing.assert_allclose(history.loss_g, unrolled_loss(gan, hyper, start, ring, weights), rtol=1e-6)
    flat, unravel = jax.flatten_util.ravel_pytree(weights)
    value = jax.jit(lambda flat: unrolled_loss(gan, hyper, start, ring, unravel(flat)))
    rng = np.random.default_rng(0)
    for _ in range(5):
        way = rng.normal(size=len(flat))
        difference = (value(flat + 1e-4 * way) - value(flat - 1e-4 * way)) / 2e-4
        np.testing.assert_allclose(jax.flatten_util.ravel_pytree(moved)[0] @ way, difference, rtol=1e-4, atol=1e-8)


def test_unrolling_changes_g_alone_and_none_is_the_plain_step(ring):
    start = train.init(PLAIN, Hyperparams(), KEY)
    plain, _ = train.step(PLAIN, Hyperparams(), ring, start)
    unrolled, _ = train.step(replace(PLAIN, unrolled_steps=3), Hyperparams(), ring, start)
    close(plain.discriminator, unrolled.discriminator, rtol=1e-5, atol=1e-7)
    assert any((x != y).any() for x, y in zip(leaves(plain.generator), leaves(unrolled.generator), strict=True))


# ---- extragradient, optimism, fading noise ----


def test_extragradient_moves_from_where_it_stood_by_the_gradients_one_step_ahead(ring):
    gan = replace(PLAIN, update="extragradient", optimizer="sgd")
    hyper = Hyperparams(lr_g=0.2, lr_d=0.3, beta1=0.0)
    start = train.init(gan, hyper, KEY)
    after, _ = train.step(gan, hyper, ring, start)
    keys = jax.random.split(jax.random.fold_in(start.key, 0), 4)  # ahead: D's, G's; then D's, G's

    def gradients(g, d, d_key, g_key):
        state = replace(start, generator=nnx.merge(nnx.graphdef(start.generator), g),
                        discriminator=nnx.merge(nnx.graphdef(start.discriminator), d))  # fmt: skip
        real, z = batch(gan, state, d_key, ring)
        of_d = d_gradient(state, real, state.generator(z))[1]
        _, z = batch(gan, state, g_key, ring)
        loss = lambda g: losses.nonsaturating.generator(  # noqa: E731
            jnp.zeros(16), state.discriminator(nnx.merge(nnx.graphdef(start.generator), g)(z))[:, 0]
        )
        return jax.grad(loss)(g), of_d

    down = lambda weights, rate, gradient: jax.tree.map(lambda w, g: w - rate * g, weights, gradient)  # noqa: E731
    g, d = nnx.state(start.generator), nnx.state(start.discriminator)
    of_g, of_d = gradients(g, d, keys[0], keys[1])
    of_g, of_d = gradients(down(g, 0.2, of_g), down(d, 0.3, of_d), keys[2], keys[3])
    close(nnx.state(after.generator), down(g, 0.2, of_g), rtol=1e-4, atol=1e-6)
    close(nnx.state(after.discriminator), down(d, 0.3, of_d), rtol=1e-4, atol=1e-6)


def test_optimistic_adam_takes_twice_adams_step_less_the_one_before():
    hyper = Hyperparams(beta1=0.5, beta2=0.9)
    adam, optimistic = train.OPTIMIZERS["adam"](0.1, hyper), train.OPTIMIZERS["optimistic_adam"](0.1, hyper)
    weights = {"w": jnp.array([1.0, -2.0, 0.0])}
    plain_memory, memory, before = adam.init(weights), optimistic.init(weights), None
    for t in range(6):
        gradient = {"w": jnp.sin(jnp.arange(3.0) + t) * jnp.array([1.0, 3.0, 0.0])}
        step, plain_memory = adam.update(gradient, plain_memory)
        taken, memory = optimistic.update(gradient, memory)
        before = step if before is None else before
        close(taken, jax.tree.map(lambda now, last: 2 * now - last, step, before), rtol=1e-5, atol=1e-7)
        before = step


@pytest.mark.parametrize(("step", "left"), [(0, 1.0), (25, 0.75), (100, 0.0), (1000, 0.0)])
def test_noise_fades_in_a_straight_line(ring, step, left):
    """A step with fading noise equals one with the noise that is left, staying."""
    start = replace(train.init(PLAIN, Hyperparams(), KEY), step=jnp.asarray(step))
    fading, _ = train.step(PLAIN, Hyperparams(instance_noise=0.4, noise_steps=100), ring, start)
    staying, _ = train.step(PLAIN, Hyperparams(instance_noise=0.4 * left), ring, start)
    close(fading.discriminator, staying.discriminator, rtol=1e-6, atol=1e-7)
    if left < 1:
        full, _ = train.step(PLAIN, Hyperparams(instance_noise=0.4), ring, start)
        pairs = zip(leaves(full.discriminator), leaves(fading.discriminator), strict=True)
        assert any((x != y).any() for x, y in pairs)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_noise_that_never_was_is_refused(value):
    with pytest.raises(ValueError, match="noise_steps must be in"):
        Hyperparams(noise_steps=value)


def test_a_packed_run_sees_collapse_that_a_plain_one_cannot():
    """Fakes that are all one real point: D with packing tells them from real samples, D without cannot."""
    target = data.mixture([[-1.0, 0.0], [1.0, 0.0]], 1e-3)

    class Point(nnx.Module):
        def __init__(self, rngs):
            self.at = nnx.Param(jnp.zeros(2))

        def __call__(self, z):
            side = jnp.sign(z[:1, :1])  # one coin for the whole batch: always one mode, never the same for long
            return jnp.broadcast_to(side * jnp.array([[1.0, 0.0]]), z.shape) + self.at[None, :]

    reached = {}
    for packing in (1, 2):
        gan = Gan(Point, nets.mlp(2 * packing, 32, 1), latent_dim=2, batch_size=64, packing=packing)
        hyper = Hyperparams(lr_g=0.0, lr_d=1e-2)
        _, history = train.steps(gan, hyper, target, train.init(gan, hyper, KEY), 400)
        reached[packing] = history.loss_d[-100:].mean()
    assert reached[1] > 1.2  # near 2 log 2 = 1.386: nothing to tell apart
    assert reached[2] < 1.1  # a pack of one mode alone is fake in 2 of 3 cases: D's best is about 0.95
