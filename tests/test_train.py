"""The game itself: who moves, with which randomness, what is compiled, what happens when it goes wrong."""

import itertools
from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gan_jax import checkpoints, data, losses, nets, train
from gan_jax.errors import Diverged, UnknownName
from gan_jax.train import Gan, Hyperparams

KEY = jax.random.key(0)


def leaves(tree):
    return [np.asarray(jax.random.key_data(x) if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) else x)
            for x in jax.tree.leaves(tree)]  # fmt: skip


def equal(a, b):
    return all(np.array_equal(x, y) for x, y in zip(leaves(a), leaves(b), strict=True))


def close(a, b, **tolerance):
    for x, y in zip(leaves(a), leaves(b), strict=True):
        np.testing.assert_allclose(x, y, **tolerance)


@pytest.fixture
def start(small_gan):
    return train.init(small_gan, Hyperparams(), KEY)


@pytest.mark.parametrize("update", train.UPDATES)
@pytest.mark.parametrize("optimizer", train.OPTIMIZERS)
def test_a_step_moves_only_the_player_whose_learning_rate_is_not_0(small_gan, ring, update, optimizer):
    gan = replace(small_gan, update=update, optimizer=optimizer)
    start = train.init(gan, Hyperparams(), KEY)
    only_d, _ = train.step(gan, Hyperparams(lr_g=0.0), ring, start)
    assert equal(only_d.generator, start.generator)
    assert not equal(only_d.discriminator, start.discriminator)
    only_g, _ = train.step(gan, Hyperparams(lr_d=0.0), ring, start)
    assert equal(only_g.discriminator, start.discriminator)
    assert not equal(only_g.generator, start.generator)


def test_each_players_own_gradient_moves_it(ring):
    """One SGD step against gradients written out here: D first, then G against the new D, on their own noise."""
    gan = Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16, optimizer="sgd")
    hyper = Hyperparams(lr_g=0.1, lr_d=0.2, beta1=0.0)
    start = train.init(gan, hyper, KEY)
    after, history = train.step(gan, hyper, ring, start)

    g_key, d_key = jax.random.split(jax.random.fold_in(start.key, 0), 2)
    real_key, latent_key, *_ = jax.random.split(d_key, 5)
    real, fake = ring.sample(real_key, 16), start.generator(gan.noise(latent_key, 16))
    definition, weights = nnx.split(start.discriminator)

    def loss_d(weights):
        d = nnx.merge(definition, weights)
        return -jnp.mean(jnp.log(jax.nn.sigmoid(d(real)))) - jnp.mean(jnp.log(1 - jax.nn.sigmoid(d(fake))))

    value, gradient = jax.value_and_grad(loss_d)(weights)
    weights = jax.tree.map(lambda w, g: w - 0.2 * g, weights, gradient)
    close(nnx.state(after.discriminator), weights, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(history.loss_d, value, rtol=1e-5)

    z = gan.noise(jax.random.split(g_key, 5)[1], 16)
    g_definition, g_weights = nnx.split(start.generator)
    loss_g = lambda w: -jnp.mean(jnp.log(jax.nn.sigmoid(after.discriminator(nnx.merge(g_definition, w)(z)))))  # noqa: E731
    gradient = jax.grad(loss_g)(g_weights)
    close(
        nnx.state(after.generator),
        jax.tree.map(lambda w, g: w - 0.1 * g, g_weights, gradient),
        rtol=1e-4,
        atol=1e-6,
    )


def test_simultaneous_players_answer_the_opponent_as_it_stood(small_gan, ring, start):
    """With D's learning rate changed, a simultaneous G moves the same; an alternating one does not."""
    for update, same in (("simultaneous", True), ("alternating", False)):
        gan = replace(small_gan, update=update)
        slow, fast = (train.step(gan, Hyperparams(lr_d=rate), ring, start)[0].generator for rate in (1e-4, 1e-1))
        assert equal(slow, fast) is same


def test_d_steps_give_the_discriminator_that_many_updates_on_fresh_batches(small_gan, ring):
    gan = replace(small_gan, d_steps=3, optimizer="sgd")
    hyper = Hyperparams(lr_g=0.0, lr_d=0.1)
    start = train.init(gan, hyper, KEY)
    after, _ = train.step(gan, hyper, ring, start)
    keys = jax.random.split(jax.random.fold_in(start.key, 0), 4)[1:]
    assert len({tuple(jax.random.key_data(key).tolist()) for key in keys}) == 3
    once, _ = train.step(replace(gan, d_steps=1), hyper, ring, start)
    moved = lambda state: sum(  # noqa: E731
        np.abs(a - b).sum() for a, b in zip(leaves(state.discriminator), leaves(start.discriminator), strict=True)
    )
    assert moved(after) > 1.5 * moved(once)


def test_g_steps_give_the_generator_that_many_updates_on_fresh_batches(small_gan, ring):
    """With D held and plain SGD, three updates of G are written out with the loss's own gradient."""
    gan = replace(small_gan, g_steps=3, optimizer="sgd", update="simultaneous")
    hyper = Hyperparams(lr_g=0.1, lr_d=0.0, beta1=0.0)
    start = train.init(gan, hyper, KEY)
    after, history = train.step(gan, hyper, ring, start)
    first = jax.random.split(jax.random.fold_in(start.key, 0), 1 + gan.d_steps)[0]
    g_def, g = nnx.split(start.generator)
    for key in [first, jax.random.fold_in(first, 1), jax.random.fold_in(first, 2)]:
        real_key, latent_key = jax.random.split(key, 5)[:2]
        z, real = gan.noise(latent_key, gan.batch_size), ring.sample(real_key, gan.batch_size)

        def objective(g, z=z, real=real):
            judged = (start.discriminator(x).reshape(-1) for x in (real, nnx.merge(g_def, g)(z)))
            return gan.loss.generator(*judged)

        loss, gradient = jax.value_and_grad(objective)(g)
        g = jax.tree.map(lambda p, d: p - 0.1 * d, g, gradient)
    for ours, theirs in zip(leaves(after.generator), jax.tree.leaves(g), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    np.testing.assert_allclose(history.loss_g, loss, rtol=1e-5)
    once, _ = train.step(replace(gan, g_steps=1), hyper, ring, start)
    assert not equal(once.generator, after.generator)


class Recorder(nnx.Module):
    """A generator that keeps the latents it was given, to see which noise a step uses."""

    def __init__(self, rngs):
        self.weight = nnx.Param(jnp.eye(2))
        self.seen = nnx.BatchStat(jnp.zeros((8, 2)))

    def __call__(self, z):
        self.seen[...] = z
        return z @ self.weight


def test_two_steps_never_see_the_same_noise_and_a_step_sees_it_again_when_repeated(ring):
    gan = Gan(Recorder, nets.mlp(2, 8, 1), latent_dim=2, batch_size=8)
    state = train.init(gan, Hyperparams(), KEY)
    repeated = train.step(gan, Hyperparams(), ring, state)[0].generator.seen[...]
    seen = []
    for _ in range(20):
        state, _ = train.step(gan, Hyperparams(), ring, state)
        seen.append(np.asarray(state.generator.seen[...]))
    np.testing.assert_array_equal(seen[0], repeated)
    assert len(np.unique(np.concatenate(seen), axis=0)) == 20 * 8
    z, _ = jax.random.split(jax.random.fold_in(train.init(gan, Hyperparams(), KEY).key, 0), 2)
    assert not np.array_equal(seen[0], gan.noise(z, 8))


@pytest.mark.parametrize("target", data.TARGETS)
def test_no_random_key_is_used_twice(target):
    gan = Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), penalty=losses.wgan_gp, batch_size=8, d_steps=2)
    with jax.debug_key_reuse(True):
        state = train.init(gan, Hyperparams(), jax.random.key(0))
        for _ in range(2):
            state, _ = train.step(gan, Hyperparams(), data.TARGETS[target](), state)


def test_60_steps_are_20_and_40_bit_for_bit_across_save_and_load(small_gan, ring, start, tmp_path):
    whole, history = train.steps(small_gan, Hyperparams(), ring, start, 60)
    first, history_1 = train.steps(small_gan, Hyperparams(), ring, start, 20)
    second, history_2 = train.steps(small_gan, Hyperparams(), ring, first, 40)
    assert equal(whole, second)
    np.testing.assert_array_equal(history.loss_g, train.join([history_1, history_2]).loss_g)

    checkpoints.save(tmp_path / "run", first)
    loaded = checkpoints.load(tmp_path / "run", train.init(small_gan, Hyperparams(), jax.random.key(7)))
    assert equal(loaded, first)
    assert equal(train.steps(small_gan, Hyperparams(), ring, loaded, 40)[0], whole)


def test_a_loop_in_python_walks_the_same_path_as_the_compiled_one(small_gan, ring, start):
    compiled, history = train.steps(small_gan, Hyperparams(), ring, start, 20)
    state, losses_g = start, []
    for _ in range(20):
        state, measured = train.step(small_gan, Hyperparams(), ring, state)
        losses_g.append(measured.loss_g)
    close(compiled, state, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(history.loss_g, losses_g, rtol=1e-4)


def test_steps_leaves_the_state_it_was_given_as_it_was(small_gan, ring, start):
    before = leaves(start)
    train.steps(small_gan, Hyperparams(), ring, start, 5)
    for old, new in zip(before, leaves(start), strict=True):
        np.testing.assert_array_equal(old, new)


def test_moving_a_dial_the_target_or_the_number_of_steps_compiles_nothing(small_gan, ring, start):
    train.steps(small_gan, Hyperparams(), ring, start, 3)
    compiled = train.loops._loop_compiled._cache_size()
    for f, value in itertools.product(fields(Hyperparams), (0.25, np.float64(0.5), np.float32(0.125))):
        train.steps(small_gan, replace(Hyperparams(), **{f.name: value}), ring, start, 7)
    train.steps(small_gan, Hyperparams(lr_g=0, weight_clip=1), data.ring(8, radius=2.0), start, 1000)
    assert train.loops._loop_compiled._cache_size() == compiled
    train.steps(replace(small_gan, batch_size=16), Hyperparams(), ring, start, 3)
    assert train.loops._loop_compiled._cache_size() == compiled + 1  # so the count does count


@pytest.mark.parametrize("dial", [f.name for f in fields(Hyperparams)])
def test_every_dial_does_something(ring, dial):
    d = nets.mlp(2, 16, 1, heads=1)
    gan = Gan(nets.mlp(2, 16, 2), d, batch_size=32, penalty=losses.r1, auxiliary=losses.information(0, 1))
    values = {"weight_clip": 0.01, "instance_noise": 0.5, "ema_decay": 0.5, "penalty_weight": 5.0}
    start, hyper = train.init(gan, Hyperparams(), KEY), Hyperparams(instance_noise=0.1)
    usual, _ = train.steps(gan, hyper, ring, start, 5)
    turned, _ = train.steps(gan, replace(hyper, **{dial: values.get(dial, 0.2)}), ring, start, 5)
    assert not equal(usual, turned)


def test_label_smoothing_is_cross_entropy_with_the_real_label_moved():
    real, fake = jax.random.normal(KEY, (2, 64))
    s = 0.1
    smoothed = losses.minimax.discriminator(real, fake) + s * jnp.mean(real)
    d = jax.nn.sigmoid(real)
    written_out = -jnp.mean((1 - s) * jnp.log(d) + s * jnp.log(1 - d)) - jnp.mean(jnp.log(1 - jax.nn.sigmoid(fake)))
    np.testing.assert_allclose(smoothed, written_out, rtol=1e-5)
    gradient = jax.grad(lambda r: losses.least_squares.discriminator(r, fake) + s * jnp.mean(r))(real)
    np.testing.assert_allclose(gradient, jax.grad(lambda r: 0.5 * jnp.mean((r - (1 - s)) ** 2))(real), atol=1e-6)


def test_clipping_keeps_every_weight_of_the_critic_in_its_box(small_gan, ring):
    gan = replace(small_gan, loss=losses.wasserstein, optimizer="rmsprop")
    hyper = Hyperparams(weight_clip=0.05)
    state, _ = train.steps(gan, hyper, ring, train.init(gan, hyper, KEY), 20)
    largest = max(np.abs(leaf).max() for leaf in leaves(nnx.state(state.discriminator, nnx.Param)))
    assert largest == np.float32(0.05)


def test_the_running_average_is_the_one_written_out(small_gan, ring, start):
    hyper = Hyperparams(ema_decay=0.9)
    state, average = start, leaves(start.ema)
    for _ in range(5):
        state, _ = train.step(small_gan, hyper, ring, state)
        now = leaves(nnx.state(state.generator, nnx.Param))
        average = [0.9 * old + 0.1 * new for old, new in zip(average, now, strict=True)]
    for ours, expected in zip(leaves(state.ema), average, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)
    z = jax.random.normal(KEY, (4, 2))
    np.testing.assert_array_equal(state.averaged_generator(z).shape, (4, 2))
    assert not np.array_equal(state.sample(KEY, 4), state.sample(KEY, 4, averaged=True))


def tiny(loss, penalty):
    return Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), losses.LOSSES[loss], losses.PENALTIES[penalty], batch_size=16)


@pytest.mark.parametrize(
    ("loss", "penalty"),
    [(loss, "r1") for loss in losses.LOSSES] + [("nonsaturating", penalty) for penalty in losses.PENALTIES],
)
def test_every_loss_and_every_penalty_trains(loss, penalty, ring):
    gan = tiny(loss, penalty)
    after, history = train.step(gan, Hyperparams(), ring, train.init(gan, Hyperparams(), KEY))
    assert all(np.isfinite(leaf).all() for leaf in leaves(after))
    assert (history.penalty > 0) == (penalty != "none")


def test_every_loss_combines_with_every_penalty(ring):
    for loss, penalty in itertools.product(losses.LOSSES, losses.PENALTIES):
        gan = tiny(loss, penalty)
        start = train.init(tiny("minimax", "none"), Hyperparams(), KEY)
        jax.eval_shape(lambda start, gan=gan: train.step(gan, Hyperparams(), ring, start), start)


@pytest.mark.parametrize("latent", train.LATENTS)
def test_latents_have_the_variance_they_say(latent):
    z = Gan(nets.mlp(2, 2), nets.mlp(2, 1), latent=latent).noise(KEY, 20000)
    np.testing.assert_allclose(np.mean(z, axis=0), 0.0, atol=0.03)
    np.testing.assert_allclose(np.var(z, axis=0), 1.0 if latent == "normal" else 1 / 3, rtol=0.05)


def diverging(small_gan):
    return replace(small_gan, loss=losses.wasserstein, optimizer="sgd"), Hyperparams(lr_d=3.0, lr_g=3.0)


def test_a_divergence_stops_the_run_names_its_step_and_keeps_the_last_good_state(small_gan, ring):
    gan, hyper = diverging(small_gan)
    start = train.init(gan, hyper, KEY)
    _, everything = train.steps(gan, hyper, ring, start, 200)
    first = int(np.argmax(everything.bad))
    assert everything.bad.any()
    with pytest.raises(Diverged, match=f"at step {first} ") as caught:
        list(train.run(gan, hyper, ring, start, 200, chunk=50, progress=False))
    assert caught.value.step == first
    assert int(caught.value.state.step) == first
    assert all(np.isfinite(leaf).all() for leaf in leaves(caught.value.state))
    still = Hyperparams(lr_d=0.0, lr_g=0.0)  # the state measures as finite numbers, so a learner can look at it
    calmer, history = train.steps(gan, still, ring, caught.value.state, 1)
    assert np.isfinite(history.loss_d).all()
    earlier = train.steps(gan, hyper, ring, start, first)[0]
    assert equal(caught.value.state, earlier)
    assert int(calmer.step) == first + 1


def test_a_nan_in_the_first_step_keeps_the_state_it_began_with(small_gan, start):
    nan = data.Mixture(jnp.full((1, 2), jnp.nan), jnp.ones(1), jnp.ones(1))
    with pytest.raises(Diverged, match="at step 0 ") as caught:
        next(train.run(small_gan, Hyperparams(), nan, start, 10))
    assert equal(caught.value.state, start)


def test_an_interrupted_loop_keeps_its_state_and_goes_on_bit_for_bit(small_gan, ring, start):
    state = start
    try:
        for state, _ in train.run(small_gan, Hyperparams(), ring, start, 60, chunk=20, progress=False):
            if int(state.step) == 40:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert int(state.step) == 40
    *_, (state, _) = train.run(small_gan, Hyperparams(), ring, state, 20, chunk=7, progress=False)
    assert equal(state, train.steps(small_gan, Hyperparams(), ring, start, 60)[0])


def test_run_yields_every_step_once_whatever_the_chunk(small_gan, ring, start):
    pieces = list(train.run(small_gan, Hyperparams(), ring, start, 50, chunk=15, progress=False))
    assert [len(history.loss_d) for _, history in pieces] == [15, 15, 15, 5]
    joined = train.join([history for _, history in pieces])
    np.testing.assert_array_equal(joined.loss_d, train.steps(small_gan, Hyperparams(), ring, start, 50)[1].loss_d)


def test_a_state_goes_on_under_another_loss_and_keeps_saying_whose_it_is(small_gan, ring, start):
    gan = replace(small_gan, loss=losses.hinge, d_steps=2)
    after, _ = train.steps(gan, Hyperparams(), ring, start, 2)
    assert after.gan == gan


def test_the_ring_is_learnt(ring):
    """The default GAN on the default ring: most modes within 3,000 steps, from each of three keys."""
    gan = Gan(nets.mlp(2, 64, 64, 2), nets.mlp(2, 64, 64, 1))
    for seed in range(3):
        state, _ = train.steps(gan, Hyperparams(), ring, train.init(gan, Hyperparams(), jax.random.key(seed)), 3000)
        x = state.sample(jax.random.key(1), 2500)
        distance = np.linalg.norm(x[:, None] - ring.means[None], axis=-1)
        high_quality = distance.min(axis=1) < 3 * 0.02
        assert len(set(distance.argmin(axis=1)[high_quality].tolist())) >= 6


class TestBadInput:
    """Each is answered before anything is compiled, by a message that names the value and the remedy."""

    @pytest.mark.parametrize(
        ("keywords", "message"),
        [
            ({"lr_g": -0.1}, r"lr_g must be in \[0, inf\), got -0.1"),
            ({"lr_d": float("nan")}, "lr_d must be in .* got nan"),
            ({"beta1": 1.0}, r"beta1 must be in \[0, 1\), got 1.0"),
            ({"weight_clip": 0.0}, "weight_clip must be in"),
            ({"lr_d": np.array([1e-3, -1.0])}, "got -1.0"),
            ({"lr_d": jnp.array(-2.0)}, "got -2.0"),
            ({"lr": 0.1}, "no field 'lr'; did you mean 'lr_g' or 'lr_d'|did you mean 'lr_d' or 'lr_g'"),
            ({"lr_g": "fast"}, "lr_g must be a number or an array, got 'fast'"),
        ],
    )
    def test_dials(self, keywords, message, as_users_see_it):
        with pytest.raises((ValueError, TypeError), match=message):
            Hyperparams(**keywords)

    @pytest.mark.parametrize(
        ("keywords", "message"),
        [
            ({"loss": "hinge"}, r"losses.LOSSES\['hinge'\], got 'hinge'"),
            ({"penalty": 10.0}, "penalty must be a losses.Penalty"),
            ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
            ({"d_steps": 1.5}, "d_steps must be a whole number"),
            ({"g_steps": 0}, "g_steps must be a whole number of at least 1"),
            ({"optimizer": "adamw"}, "did you mean 'adam'"),
            ({"update": "alternate"}, "did you mean 'alternating'"),
            ({"latent": "gauss"}, "Known: normal, uniform"),
            ({"generator": 3}, "generator must be a recipe"),
            ({"batchsize": 3}, "did you mean 'batch_size'"),
        ],
    )
    def test_rules(self, keywords, message, as_users_see_it):
        usual = {"generator": nets.mlp(2, 8, 2), "discriminator": nets.mlp(2, 8, 1)}
        with pytest.raises((ValueError, TypeError, UnknownName), match=message):
            Gan(**(usual | keywords))

    def test_a_recipe_that_does_not_say_its_latent(self):
        with pytest.raises(ValueError, match="give latent_dim="):
            Gan(Recorder, nets.mlp(2, 8, 1))

    @pytest.mark.parametrize(
        ("generator", "discriminator", "message"),
        [
            (nets.mlp(2, 8, 3), nets.mlp(2, 8, 1), r"the target's, \(32, 2\); it returned \(32, 3\)"),
            (nets.mlp(2, 8, 2), nets.mlp(2, 8, 2), r"one logit a sample.* it returned \(32, 2\)"),
            (nets.mlp(2, 8, 2), nets.mlp(3, 8, 1), r"takes 3 numbers a sample.* has 2"),
        ],
    )
    def test_networks_that_do_not_fit_the_target(self, generator, discriminator, message, ring, as_users_see_it):
        gan = Gan(generator, discriminator, batch_size=32)
        state = train.init(gan, Hyperparams(), KEY)
        with pytest.raises(ValueError, match=message):
            train.steps(gan, Hyperparams(), ring, state, 1)

    def test_a_latent_that_does_not_fit_the_generator(self, ring, as_users_see_it):
        with pytest.raises(ValueError, match=r"takes 2 numbers a sample.* has 5"):
            Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), latent_dim=5)

    def test_a_loss_that_returns_no_scalar(self, small_gan, ring, as_users_see_it):
        gan = replace(small_gan, loss=losses.Loss(lambda r, f: f - r, lambda r, f: jnp.mean(f), "mine"))
        with pytest.raises(ValueError, match=r"discriminator's loss of 'mine' must be a scalar, it has shape \(32,\)"):
            train.steps(gan, Hyperparams(), ring, train.init(gan, Hyperparams(), KEY), 1)

    def test_a_key_that_is_no_key(self, small_gan, start, as_users_see_it):
        for wrong in (0, None, jnp.zeros(2, jnp.uint32)):
            with pytest.raises(TypeError, match=r"make one with jax.random.key\(0\)"):
                train.init(small_gan, Hyperparams(), wrong)
        with pytest.raises(TypeError, match="expected a random key, got 3"):
            start.sample(3, 10)

    def test_things_in_each_others_place(self, small_gan, ring, start, as_users_see_it):
        with pytest.raises(TypeError, match=r"expected a target such as data\.ring"):
            train.steps(small_gan, Hyperparams(), "ring", start, 1)
        with pytest.raises(TypeError, match="expected Hyperparams"):
            train.steps(small_gan, {"lr_g": 1.0}, ring, start, 1)
        with pytest.raises(TypeError, match="expected a State"):
            train.steps(small_gan, Hyperparams(), ring, small_gan, 1)
        with pytest.raises(ValueError, match="n must be a whole number of at least 1, got 0"):
            train.steps(small_gan, Hyperparams(), ring, start, 0)

    def test_a_state_of_another_gan(self, small_gan, ring, start):
        other = replace(small_gan, optimizer="sgd")
        with pytest.raises(ValueError, match=r"they differ in optimizer; make a new one with train\.init"):
            train.steps(other, Hyperparams(), ring, start, 1)

    def test_smoothing_without_labels(self, small_gan, as_users_see_it):
        gan = replace(small_gan, loss=losses.wasserstein)
        with pytest.raises(ValueError, match="'Wasserstein' has no labels to smooth"):
            train.init(gan, Hyperparams(label_smoothing=0.1), KEY)

    def test_a_checkpoint_of_another_gan_or_none(self, small_gan, start, tmp_path):
        checkpoints.save(tmp_path, start)
        bigger = Gan(nets.mlp(2, 32, 2), nets.mlp(2, 16, 1), batch_size=32)
        with pytest.raises(ValueError, match=r"of another GAN \(.*layer_0.*saved \(16,\), here \(32,\)"):
            checkpoints.load(tmp_path, train.init(bigger, Hyperparams(), KEY))
        with pytest.raises(FileNotFoundError, match=r"no save of step 5; it holds \[0\]"):
            checkpoints.load(tmp_path, start, step=5)
        with pytest.raises(FileNotFoundError, match="there is no folder"):
            checkpoints.load(tmp_path / "nowhere", start)
        with pytest.raises(ValueError, match="already holds step 0"):
            checkpoints.save(tmp_path, start)
