"""Networks of images: shapes, published sizes, labels, what a sample depends on, and what a run is a function of."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gan_jax import data, losses, nets, train
from gan_jax.errors import UnknownName
from gan_jax.train import Gan, Hyperparams

SMALL = (8, 8, 1)
KEY = jax.random.key(0)
GENERATORS = {
    "published": nets.dcgan_generator(3, SMALL, 4),
    "sub-pixel": nets.dcgan_generator(3, SMALL, 4, upsampling="subpixel", kernel=4, activation="gelu"),
    "resize": nets.dcgan_generator(3, SMALL, 4, upsampling="resize", kernel=3, normalisation="none"),
    "layer norm": nets.dcgan_generator(3, (8, 4, 3), 4, normalisation="layer"),
    "label beside z": nets.dcgan_generator(3, SMALL, 4, classes=3),
    "label in the norm": nets.dcgan_generator(3, SMALL, 4, classes=3, conditioning="batch_norm"),
    "tutorial": dataclasses.replace(nets.tutorial_generator(), latent_dim=3, image_shape=SMALL, width=2),
    "residual": nets.resnet_generator(3, SMALL, 4),
    "residual, label in the norm": nets.resnet_generator(3, SMALL, 4, classes=3, conditioning="batch_norm"),
    "mlp": nets.mlp(3, 8, 64, normalisation="batch", output="tanh"),
    "mlp with a label": nets.mlp(3, 8, 64, normalisation="batch", classes=3),
}
DISCRIMINATORS = {
    "published": nets.dcgan_discriminator(SMALL, 4, normalisation="batch"),
    "tutorial": dataclasses.replace(nets.tutorial_discriminator(), image_shape=SMALL, width=2),
    "label in planes": nets.dcgan_discriminator(SMALL, 4, classes=3, normalisation="layer"),
    "projection": nets.dcgan_discriminator(SMALL, 4, classes=3, conditioning="projection", normalisation="spectral"),
    "heads": nets.dcgan_discriminator(SMALL, 4, heads=5),
    "compares": nets.dcgan_discriminator(SMALL, 4, minibatch_stddev=2),
    "residual": nets.resnet_discriminator(SMALL, 4, normalisation="spectral", heads=2),
    "residual, projection": nets.resnet_discriminator(
        SMALL, 4, classes=3, conditioning="projection", normalisation="batch"
    ),
    "mlp with a label and heads": nets.mlp(64, 8, 8, 1, classes=3, heads=5, minibatch_stddev=2),
}
EVERY = {**{f"G {name}": r for name, r in GENERATORS.items()}, **{f"D {name}": r for name, r in DISCRIMINATORS.items()}}


def _numbers(recipe):
    module = jax.eval_shape(lambda: recipe(nnx.Rngs(0)))
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(module, nnx.Param)))


def _statistics(recipe):
    state = jax.eval_shape(lambda: nnx.state(recipe(nnx.Rngs(0)), nnx.BatchStat))
    return sum(leaf.size for leaf in jax.tree.leaves(state))


def _quickly_compiled(function):
    """What these tests compare does not depend on how hard the compiler tries, and compiling is what they cost."""
    return jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})


def _answers(recipe, *batches):
    """What a module says to each batch and its labels, after one call of training that moves its statistics."""

    @_quickly_compiled
    def built_and_asked(batches):
        module = recipe(nnx.Rngs(0))
        module.train()
        call = lambda x, labels: module(x, labels) if recipe.classes else module(x)  # noqa: E731
        call(*batches[0])
        module.eval()
        return [call(*batch) for batch in batches]

    return built_and_asked(batches)


def test_the_tutorials_networks_have_the_published_sizes():
    """Keras counts batch norm's running means and variances as (untrained) parameters."""
    generator, discriminator = nets.tutorial_generator(), nets.tutorial_discriminator()
    assert _numbers(generator) + _statistics(generator) == 2_330_944
    assert _statistics(generator) == 2 * (7 * 7 * 256 + 128 + 64)
    assert _numbers(discriminator) == 212_865
    assert repr((generator, discriminator)) == "(nets.tutorial_generator(), nets.tutorial_discriminator())"


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (8, 8, 3)])
@pytest.mark.parametrize("family", ["dcgan", "resnet"])
def test_every_size_of_image_goes_out_as_it_goes_in(family, shape):
    generator = getattr(nets, f"{family}_generator")(16, shape, 4)
    discriminator = getattr(nets, f"{family}_discriminator")(shape, 4)

    def game():
        images = generator(nnx.Rngs(0))(jnp.zeros((2, 16)))
        return images, discriminator(nnx.Rngs(0))(images), discriminator(nnx.Rngs(0))(images.reshape(2, -1))

    images, logits, of_flat = jax.eval_shape(game)
    assert (images.shape, logits.shape, of_flat.shape) == ((2, *shape), (2, 1), (2, 1))
    assert (generator.inputs, discriminator.inputs) == (16, np.prod(shape))
    nets.check_pair(generator, discriminator)


def test_a_width_is_that_of_the_layer_nearest_to_the_image_and_doubles_with_each_halving():
    generator = jax.eval_shape(lambda: nets.dcgan_generator(16, (32, 32, 3), 8)(nnx.Rngs(0)))
    shapes = [getattr(generator, f"layer_{i}").kernel.shape for i in range(3)]
    assert shapes == [(5, 5, 32, 16), (5, 5, 16, 8), (5, 5, 8, 3)]
    assert generator.small == (4, 4, 32)


@pytest.mark.once
@pytest.mark.parametrize("name", GENERATORS)
def test_a_drawn_sample_does_not_depend_on_its_batch_mates(name):
    recipe = GENERATORS[name]
    z = 2 * jax.random.normal(KEY, (6, 3))
    labels = jnp.arange(6) % 3 if recipe.classes else None
    together, alone = _answers(recipe, (z, labels), (z[:1], None if labels is None else labels[:1]))
    assert np.ptp(together) > 0
    np.testing.assert_allclose(together[:1], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.once
@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_every_discriminator_gives_a_logit_and_its_heads_for_images_and_for_flat_ones(name):
    recipe = DISCRIMINATORS[name]
    x = jax.random.normal(KEY, (4, *SMALL))
    labels = jnp.array([0, 1, 2, 0]) if recipe.classes else None
    others = (labels + 1) % 3 if recipe.classes else None
    answer, of_flat, of_others = _answers(recipe, (x, labels), (x.reshape(4, -1), labels), (x, others))
    logits, heads = answer if recipe.heads else (answer, jnp.zeros((4, 0)))
    assert (logits.shape, heads.shape) == ((4, 1), (4, recipe.heads))
    for one, flat in zip(jax.tree.leaves(answer), jax.tree.leaves(of_flat), strict=True):
        np.testing.assert_allclose(one, flat, rtol=1e-5, atol=1e-6)
    if recipe.classes:  # the label counts
        assert not np.allclose(logits, jax.tree.leaves(of_others)[0], atol=1e-7)
    if recipe.heads:  # and the heads are no copies of the logit
        assert not np.allclose(heads[:, :1], logits)


@pytest.mark.once
@pytest.mark.parametrize("name", [name for name, recipe in EVERY.items() if recipe.normalisation in ("batch", "layer")])
def test_every_parameter_changes_what_is_said_while_it_trains(name):
    """A bias that batch norm takes away would have a gradient of rounding noise, of which Adam makes whole steps."""
    recipe, rng = EVERY[name], np.random.default_rng(0)
    labels = jnp.arange(9) % 3 if recipe.classes else None
    normal = lambda shape: jnp.asarray(rng.normal(size=shape), jnp.float32)  # noqa: E731
    tree = jax.eval_shape(lambda: nnx.state(recipe(nnx.Rngs(0)), nnx.Param))
    paths, shapes = zip(*jax.tree_util.tree_leaves_with_path(tree), strict=True)
    leaves, x = [normal(leaf.shape) for leaf in shapes], normal((9, recipe.inputs))

    @_quickly_compiled
    def said(leaves):
        module = recipe(nnx.Rngs(0))
        nnx.update(module, jax.tree.unflatten(jax.tree.structure(tree), leaves))
        return module(x, labels) if recipe.classes else module(x)

    before = np.asarray(said(leaves))
    for i, path in enumerate(paths):
        moved = [leaf + normal(leaf.shape) * (i == j) for j, leaf in enumerate(leaves)]
        change = np.abs(np.asarray(said(moved)) - before).max()
        assert change > 1e-3 * np.abs(before).max(), jax.tree_util.keystr(path)


def test_the_labels_rows_of_a_conditional_norm_and_a_projection_are_their_own():
    norm = nets.ConditionalBatchNorm(2, 3, 0.9, 1e-5, nnx.Rngs(0))
    norm.scale[...] = jnp.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    norm.shift[...] = jnp.array([[0.0, 0.0], [10.0, 0.0], [0.0, 0.0]])
    norm.eval()
    x = jnp.ones((2, 4, 4, 2))
    y = norm(x, nets.one_hot(jnp.array([1, 2]), 3, 2))
    np.testing.assert_allclose(y[0, 0, 0], [12.0, 2.0], rtol=1e-4)  # running mean 0 and variance 1
    np.testing.assert_allclose(y[1, 3, 3], [3.0, 3.0], rtol=1e-4)


def test_spectral_norm_of_a_convolution_is_the_largest_singular_value_of_its_kernel_as_a_matrix():
    layer = nets.SpectralConv((3, 3, 4, 5), 1, nnx.initializers.normal(1.0), nnx.Rngs(0))

    @_quickly_compiled
    def sharpened(layer):
        for _ in range(20):
            weights = layer.weights()
        return weights

    weights = sharpened(layer)
    kernel = np.asarray(layer.kernel[...])
    largest = np.linalg.svd(kernel.reshape(-1, 5), compute_uv=False)[0]
    np.testing.assert_allclose(weights, kernel / largest, rtol=1e-3, atol=1e-6)

    # the layer itself may stretch a difference by more, and by no more than ceil(k / stride) times as much
    @_quickly_compiled
    def stretch(x):
        linear = lambda x: nets.conv(x, weights)  # noqa: E731
        again = lambda _, x: (y := jax.linear_transpose(linear, x)(linear(x))[0]) / jnp.linalg.norm(y)  # noqa: E731
        return jnp.linalg.norm(linear(jax.lax.fori_loop(0, 60, again, x)))

    assert 1.2 < float(stretch(jax.random.normal(KEY, (1, 6, 6, 4)))) <= 3


def test_dropout_leaves_out_the_share_and_keeps_the_mean():
    layer = nets.Dropout(0.3, nnx.Rngs(0))
    x = jnp.ones((100, 999))  # an odd number of coins
    once, again = layer(x), layer(x)
    assert float(jnp.mean(once == 0)) == pytest.approx(0.3, abs=0.01)
    assert float(jnp.mean(once)) == pytest.approx(1.0, abs=0.01)
    assert not np.array_equal(once, again)
    assert float(jnp.mean((once == 0) & (again == 0))) == pytest.approx(0.09, abs=0.01)
    layer.eval()
    np.testing.assert_array_equal(layer(x), x)


@pytest.fixture(scope="module")
def digits():
    return data.digits(flat=False)


@pytest.mark.once
def test_a_run_with_dropout_is_a_pure_function_of_its_key_and_step(digits):
    """60 steps are 20 + 40 to the last bit, coins and statistics too; and the batch norm's means have moved."""
    gan = Gan(nets.dcgan_generator(4, SMALL, 2, kernel=4), nets.dcgan_discriminator(SMALL, 2, kernel=4, dropout=0.3),
              batch_size=8)  # fmt: skip
    hyper = Hyperparams()
    start = train.init(gan, hyper, KEY)
    whole, _ = train.steps(gan, hyper, digits, start, 60)
    parts, _ = train.steps(gan, hyper, digits, train.steps(gan, hyper, digits, start, 20)[0], 40)
    for one, other in zip(jax.tree.leaves(nnx.state(whole.discriminator)),
                          jax.tree.leaves(nnx.state(parts.discriminator)), strict=True):  # fmt: skip
        np.testing.assert_array_equal(one, other)
    assert int(whole.discriminator.finish_0.dropout.calls[...]) == 2 * 60  # the real batch and the fake one
    assert not np.allclose(whole.generator.finish_0.norm.mean[...], 0)
    np.testing.assert_array_equal(whole.sample(KEY, 2), parts.sample(KEY, 2))


@pytest.mark.once
def test_gradient_penalties_and_sweeps_go_through_the_image_networks(digits):
    gan = Gan(nets.dcgan_generator(4, SMALL, 2), nets.dcgan_discriminator(SMALL, 2, normalisation="spectral"),
              losses.wasserstein, losses.wgan_gp, batch_size=4)  # fmt: skip
    swept = train.sweep(gan, {"penalty_weight": [1.0, 10.0]}, digits, jax.random.split(KEY, 1), 2, progress=False)
    assert not bool(swept.diverged.any())
    penalties = swept.history["penalty"].values.reshape(2, 2)
    assert np.isfinite(penalties).all()
    assert penalties[0, 0] == penalties[1, 0] > 0  # the first step's is measured before any weight has moved


@pytest.mark.parametrize("name", EVERY)
def test_a_recipe_is_hashable_and_its_repr_makes_it_again(name):
    recipe = EVERY[name]
    assert hash(recipe) == hash(dataclasses.replace(recipe))
    if isinstance(recipe, nets.ImageRecipe):
        assert eval(repr(recipe), {"nets": nets, "dataclasses": dataclasses}) == recipe


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nets.dcgan_generator(3, (27, 27, 1)), r"27 x 27 cannot be halved.*28 x 28.*\(28, 28, 1\)"),
        (lambda: nets.dcgan_generator(3, (28, 28)), r"must be \(height, width, channels\).*got \(28, 28\)"),
        (lambda: nets.dcgan_generator(3, SMALL, 0), "width must be a whole number"),
        (lambda: nets.dcgan_generator(3, SMALL, upsampling="nearest"), "upsampling.*Known: transposed, subpixel"),
        (lambda: nets.dcgan_generator(3, SMALL, conditioning="batch_norm"), "classes of at least 1.*classes=0"),
        (lambda: nets.dcgan_generator(3, SMALL, conditioning="projection"), "conditioning of a generator"),
        (lambda: nets.dcgan_discriminator(SMALL, normalisation="spectrall"), "did you mean 'spectral'"),
        (lambda: nets.dcgan_discriminator(SMALL, dropout=1.0), "from 0 to less than 1, got 1.0"),
        (lambda: nets.dcgan_discriminator(SMALL, minibatch_stddev=1), "at least 2 samples to compare"),
        (lambda: nets.dcgan_discriminator(SMALL)(nnx.Rngs(0))(jnp.zeros((2, 28, 28, 1))),
         r"images of shape \(8, 8, 1\).*64 numbers.*shape \(28, 28, 1\)"),
        (lambda: nets.mlp(2, 1, classes=2)(nnx.Rngs(0))(jnp.zeros((5, 2))), r"one of 2 labels.*shape \(5,\)"),
        (lambda: nets.mlp(2, 1)(nnx.Rngs(0))(jnp.zeros((5, 2)), jnp.zeros(5, int)), "is not told labels"),
        (lambda: nets.check_pair(nets.dcgan_generator(), nets.dcgan_discriminator((32, 32, 1))),
         r"makes images of shape \(28, 28, 1\), but the discriminator takes \(32, 32, 1\)"),
        (lambda: nets.check_pair(nets.dcgan_generator(), nets.dcgan_discriminator(), 2), r"\(28, 28, 2\)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_both_sides(make, message, as_users_see_it):
    with pytest.raises((ValueError, UnknownName), match=message):
        make()
