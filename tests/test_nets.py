"""Recipes: shapes, menus, what is a parameter and what is not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gan_jax import data, losses, nets, train
from gan_jax.errors import UnknownName
from gan_jax.train import Gan, Hyperparams


@pytest.mark.parametrize("activation", nets.ACTIVATIONS)
@pytest.mark.parametrize("normalisation", nets.NORMALISATIONS)
def test_every_recipe_maps_a_batch_to_a_batch(activation, normalisation):
    recipe = nets.mlp(3, 8, 8, 2, activation=activation, normalisation=normalisation, output="tanh")
    module = recipe(nnx.Rngs(0))
    module.eval()
    y = module(jax.random.normal(jax.random.key(0), (5, 3)))
    assert y.shape == (5, 2)
    assert np.isfinite(y).all()
    assert np.abs(y).max() <= 1


@pytest.mark.parametrize("initialiser", nets.INITIALISERS)
def test_every_initialiser_gives_other_weights_for_another_key_and_the_same_for_the_same(initialiser):
    build = lambda seed: nets.mlp(3, 8, 2, initialiser=initialiser)(nnx.Rngs(seed)).layer_0.linear.kernel[...]  # noqa: E731
    np.testing.assert_array_equal(build(0), build(0))
    assert not np.array_equal(build(0), build(1))


def test_an_mlp_is_the_product_of_its_matrices():
    module = nets.mlp(2, 3, 1)(nnx.Rngs(0))
    x = jnp.array([[1.0, -2.0], [0.5, 3.0]])
    w0, w1 = (layer.linear.kernel[...] for layer in (module.layer_0, module.layer_1))
    np.testing.assert_allclose(module(x), np.maximum(x @ w0, 0) @ w1, rtol=1e-5)


@pytest.mark.parametrize("heads", [0, 2])
def test_an_mlps_projection_is_the_last_hidden_layers_product_with_the_labels_vector(heads):
    module = nets.mlp(2, 3, 4, 1, classes=5, heads=heads, conditioning="projection")(nnx.Rngs(0))
    x, labels = np.array([[1.0, -2.0], [0.5, 3.0], [2.0, 0.1]], np.float32), np.array([4, 0, 4])
    w0, w1, w2 = (np.asarray(getattr(module, f"layer_{i}").linear.kernel[...]) for i in range(3))
    vectors = np.asarray(module.by_label.kernel[...])
    assert (w0.shape, vectors.shape) == ((2, 3), (5, 4))  # the label does not join the input
    hidden = np.maximum(np.maximum(x @ w0, 0) @ w1, 0)
    expected = hidden @ w2 + np.sum(hidden * vectors[labels], axis=1)[:, None]
    answer = module(jnp.asarray(x), labels)
    np.testing.assert_allclose(answer[0] if heads else answer, expected, rtol=1e-5, atol=1e-6)
    if heads:
        np.testing.assert_allclose(
            answer[1], hidden @ np.asarray(module.heads.linear.kernel[...]), rtol=1e-5, atol=1e-6
        )


def test_recipes_are_equal_and_hashable_so_that_a_gan_built_twice_compiles_once():
    assert nets.mlp(2, 8, 1) == nets.mlp(2, 8, 1)
    assert hash(nets.mlp(2, 8, 1)) == hash(nets.mlp(2, 8, 1))
    structures = [jax.tree.structure(nets.mlp(2, 8, 1)(nnx.Rngs(seed))) for seed in (0, 1)]
    assert structures[0] == structures[1]


def test_flat_images_and_image_shapes_go_in_alike():
    module = nets.mlp(16, 8, 1)(nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(0), (3, 4, 4))
    np.testing.assert_array_equal(module(x), module(x.reshape(3, 16)))


def _batch_norm_gan(**keywords):
    generator = nets.mlp(2, 16, 2, normalisation="batch")
    return Gan(generator, nets.mlp(2, 16, 1), batch_size=32, **keywords)


def test_batch_statistics_are_learnt_and_a_drawn_sample_does_not_depend_on_its_batch_mates(ring):
    gan = _batch_norm_gan()
    state = train.init(gan, Hyperparams(), jax.random.key(0))
    mean = lambda state: np.asarray(state.generator.layer_0.norm.mean[...])  # noqa: E731
    after, _ = train.steps(gan, Hyperparams(), ring, state, 20)
    assert not np.array_equal(mean(state), mean(after))
    z = jax.random.normal(jax.random.key(1), (6, 2))
    np.testing.assert_allclose(after.generator(z)[:1], after.generator(z[:1]), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(mean(after), mean(after))


def test_drawing_samples_leaves_batch_statistics_as_they_are(ring):
    gan = _batch_norm_gan()
    state, _ = train.steps(gan, Hyperparams(), ring, train.init(gan, Hyperparams(), jax.random.key(0)), 3)
    before = [np.asarray(leaf) for leaf in jax.tree.leaves(state.generator)]
    state.generator(jnp.ones((4, 2)))
    state.sample(jax.random.key(0), 4)
    for old, new in zip(before, jax.tree.leaves(state.generator), strict=True):
        np.testing.assert_array_equal(old, new)


def test_batch_norm_in_the_discriminator_never_mixes_real_and_fake(ring):
    """Its running mean follows the fake batch, seen last, and the real one, seen first: two calls, not one of both."""
    gan = Gan(nets.mlp(2, 2), nets.mlp(2, 4, 1, normalisation="batch"), batch_size=64, loss=losses.hinge)
    state = train.init(gan, Hyperparams(lr_g=0.0, lr_d=0.0), jax.random.key(0))
    after, _ = train.step(gan, Hyperparams(lr_g=0.0, lr_d=0.0), ring, state)
    key = jax.random.split(jax.random.fold_in(state.key, 0), 2)[1]
    real_key, latent_key, *_ = jax.random.split(key, 5)
    expected = np.zeros(4)
    hidden = state.discriminator.layer_0.linear
    for batch in (ring.sample(real_key, 64), state.generator(gan.noise(latent_key, 64))):
        expected = 0.99 * expected + 0.01 * np.mean(hidden(batch), axis=0)
    np.testing.assert_allclose(after.discriminator.layer_0.norm.mean[...], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("widths", "keywords", "message"),
    [
        ((2,), {}, "at least an input and an output width"),
        ((2, 0, 1), {}, "at least 1, got 0"),
        ((2, 1.5, 1), {}, "whole number"),
        ((2, 1), {"activation": "rellu"}, "did you mean 'relu'"),
        ((2, 1), {"normalisation": "batchnorm"}, "did you mean 'batch'"),
        ((2, 1), {"initialiser": "xavier"}, "glorot"),
        ((2, 1), {"conditioning": "batch_norm", "classes": 2}, "conditioning of a discriminator.*projection"),
        ((2, 1), {"conditioning": "projection"}, "needs classes of at least 1 and one output, got classes=0 and 1"),
        ((2, 2), {"conditioning": "projection", "classes": 3}, "one output, got classes=3 and 2 outputs"),
    ],
)
def test_a_recipe_that_cannot_be_built_says_why(widths, keywords, message, as_users_see_it):
    with pytest.raises((ValueError, UnknownName), match=message):
        nets.mlp(*widths, **keywords)


def test_a_learners_own_module_is_a_player(ring):
    class Shift(nnx.Module):
        def __init__(self, rngs):
            self.by = nnx.Param(jnp.zeros(2))

        def __call__(self, z):
            return z + self.by[None, :]

    gan = Gan(Shift, nets.mlp(2, 16, 1), latent_dim=2, batch_size=32)
    target = data.gaussian((1.0, -1.0), 1.0)
    hyper = Hyperparams(lr_g=1e-2, lr_d=1e-2)
    state, _ = train.steps(gan, hyper, target, train.init(gan, hyper, jax.random.key(0)), 1000)
    np.testing.assert_allclose(state.generator.by[...], [1.0, -1.0], atol=0.3)
