"""GANs that are told labels, and that guess them or a code; and precision: each against a computation by hand."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax import data, losses, nets, train
from gan_jax.train import Gan, Hyperparams

KEY = jax.random.key(0)
DIALS = Hyperparams(lr_g=3e-3, lr_d=3e-3)


@pytest.fixture(scope="module")
def ring():
    return data.ring(4)


@pytest.fixture(scope="module")
def told():
    """A GAN whose players are told which of four modes is meant."""
    return Gan(nets.mlp(2, 16, 2, classes=4), nets.mlp(2, 16, 1, classes=4), batch_size=64)


def share_in_their_mode(samples, labels, ring):
    nearest = jnp.argmin(jnp.sum((samples[:, None] - ring.means[None]) ** 2, axis=-1), axis=1)
    return float(jnp.mean(nearest == labels))


def test_labels_are_those_of_the_samples(ring):
    samples, labels = ring.sample_labelled(KEY, 200)
    np.testing.assert_array_equal(samples, ring.sample(KEY, 200))
    assert share_in_their_mode(samples, labels, ring) == 1
    digits = data.digits()
    images, labels = digits.sample_labelled(KEY, 50)
    for image, label in zip(np.asarray(images), np.asarray(labels), strict=True):
        same = np.all(np.asarray(2 * digits.images.reshape(1797, -1).astype(jnp.float32) / 16 - 1) == image, axis=1)
        assert label in np.asarray(digits.labels)[same]
    assert isinstance(ring, data.Labelled)
    assert digits.classes == 10
    assert not isinstance(data.spiral(), data.Labelled)


def test_a_generator_that_is_told_a_mode_learns_to_draw_it(ring, told):
    state, _ = train.steps(told, DIALS, ring, train.init(told, DIALS, KEY), 1000)
    labels = np.repeat(np.arange(4), 100)
    samples = state.sample(KEY, 400, labels=labels)
    assert share_in_their_mode(samples, labels, ring) > 0.85  # by chance 0.25
    # drawn without labels, every mode has its turn; and D says more for the right label than for the next
    assert np.ptp(np.asarray(state.sample(KEY, 400)), axis=0).min() > 1
    real, right = ring.sample_labelled(KEY, 400)
    right = np.asarray(right)
    assert np.mean(state.logits(real, labels=right) > state.logits(real, labels=(right + 1) % 4)) > 0.85


def test_the_penalty_judges_each_sample_under_its_own_label(ring):
    """R1 by hand: the gradient of D at each real sample, told that sample's label."""
    seen = []
    spy = losses.Penalty(lambda critic, real, fake, key: seen.append((critic, real)) or losses.r1.function(
        critic, real, fake, key), "spy")  # fmt: skip
    gan = Gan(nets.mlp(2, 8, 2, classes=4), nets.mlp(2, 8, 1, classes=4), batch_size=16, penalty=spy)
    state = train.init(gan, DIALS, KEY)
    _, history = train.step(gan, DIALS, ring, state)
    assert len(seen) == 1
    d_key = jax.random.split(jax.random.fold_in(state.key, 0), 2)[1]
    real, labels = ring.sample_labelled(jax.random.split(d_key, 5)[0], 16)
    by_hand = [
        jnp.sum(jax.grad(lambda x, y=y: state.discriminator(x[None], y[None])[0, 0])(x) ** 2)
        for x, y in zip(real, labels, strict=True)
    ]
    np.testing.assert_allclose(history.penalty, 0.5 * np.mean(by_hand), rtol=1e-5)


def test_auxiliary_losses_are_cross_entropies():
    heads = jax.random.normal(KEY, (2, 6, 3))
    labels = jnp.array([0, 1, 2, 2, 1, 0])
    of = optax.softmax_cross_entropy_with_integer_labels
    by_hand = of(heads[0], labels).mean() + of(heads[1], labels).mean()
    np.testing.assert_allclose(losses.auxiliary_classifier.discriminator(*heads, labels, None), by_hand, rtol=1e-6)
    np.testing.assert_allclose(
        losses.auxiliary_classifier.generator(heads[1], labels, None), of(heads[1], labels).mean(), rtol=1e-6
    )
    code = jnp.concatenate([jax.nn.one_hot(labels % 2, 2), jnp.linspace(-1, 1, 6)[:, None]], axis=1)
    by_hand = of(heads[1][:, :2], labels % 2) + (heads[1][:, 2] - code[:, 2]) ** 2 / 2
    information = losses.information(2, 1)
    np.testing.assert_allclose(information.generator(heads[1], None, code), by_hand.mean(), rtol=1e-6)
    np.testing.assert_allclose(information.discriminator(*heads, None, code), by_hand.mean(), rtol=1e-6)
    assert losses.information(2, 1) is information  # so that equal games are equal


@pytest.mark.parametrize("kind", ["classes", "code"])
def test_heads_learn_what_the_samples_were_made_from(ring, kind):
    classes = kind == "classes"
    auxiliary = losses.auxiliary_classifier if classes else losses.information(4, 0)
    gan = Gan(
        nets.mlp(2 if classes else 6, 16, 2, classes=4 if classes else 0), nets.mlp(2, 16, 1, heads=4), batch_size=64,
        auxiliary=auxiliary,
    )  # fmt: skip
    state, _ = train.steps(gan, DIALS, ring, train.init(gan, DIALS, KEY), 1000)
    z, labels = gan.noise(KEY, 400), gan.labels(KEY, 400)
    made_from = labels if classes else jnp.argmax(z[:, -4:], axis=1)
    samples = state.generator(z, labels) if classes else state.generator(z)
    logits, heads = state.discriminator(samples)
    assert logits.shape == (400, 1)
    assert np.mean(jnp.argmax(heads, axis=1) == made_from) > 0.85
    np.testing.assert_allclose(state.logits(samples), logits[:, 0], atol=1e-5)


def test_latents_end_with_their_code():
    gan = Gan(nets.mlp(9, 8, 2), nets.mlp(2, 8, 1, heads=5), auxiliary=losses.information(3, 2), latent="uniform")
    z = np.asarray(gan.noise(KEY, 3000))
    assert gan.code == 5
    assert z.shape == (3000, 9)
    np.testing.assert_array_equal(np.sort(z[:, 4:7], axis=1), [[0, 0, 1]] * 3000)
    np.testing.assert_allclose(z[:, 4:7].mean(axis=0), 1 / 3, atol=0.04)
    assert np.abs(z[:, 7:]).max() <= 1
    assert np.std(z[:, 7:]) == pytest.approx(1 / np.sqrt(3), abs=0.03)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"discriminator": nets.mlp(2, 8, 1, classes=5)}, "told 4 classes, the discriminator 5"),
        ({"generator": nets.mlp(2, 8, 2)}, "the generator none"),
        ({"discriminator": nets.mlp(2, 8, 1)}, "nobody looks"),
        ({"discriminator": nets.mlp(2, 8, 1, classes=4, heads=4)}, "needs 0 heads of D, and D has 4"),
        ({"auxiliary": losses.auxiliary_classifier}, "auxiliary classifier needs 4 heads of D, and D has 0"),
        ({"auxiliary": losses.information(2, 0), "discriminator": nets.mlp(2, 8, 1, classes=4, heads=2)}, "than 2"),
        ({"packing": 2, "discriminator": nets.mlp(4, 8, 1, classes=4)}, "packing"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(told, change, message):
    with pytest.raises(ValueError, match=message):
        replace(told, **change)


def test_a_target_or_labels_that_do_not_fit_are_named(told, as_users_see_it):
    state = train.init(told, DIALS, KEY)
    with pytest.raises(TypeError, match="Curve has no labels"):
        train.step(told, DIALS, data.spiral(), state)
    with pytest.raises(ValueError, match="told 4 classes and the target has 8"):
        train.step(told, DIALS, data.ring(8), state)
    for labels, message in [([0, 4], "from 0 to 3, got 0 to 4"), ([0], "2 whole numbers"), ([0.0, 1.0], "whole")]:
        with pytest.raises(ValueError, match=message):
            state.sample(KEY, 2, labels=np.array(labels, np.float32 if labels == [0.0, 1.0] else np.int32))
    with pytest.raises(ValueError, match="give labels="):
        state.logits(jnp.zeros((3, 2)))


def test_bfloat16_computes_in_it_and_keeps_parameters_in_float32(ring):
    seen = []

    def loss(real, fake):
        seen.append((real.dtype, fake.dtype))
        return losses.nonsaturating.discriminator(real, fake)

    own = losses.nonsaturating._replace(discriminator=loss)
    gan = Gan(nets.mlp(2, 32, 2, normalisation="batch"), nets.mlp(2, 32, 1), loss=own, batch_size=64)
    states = {
        precision: train.steps(
            replace(gan, precision=precision),
            DIALS,
            ring,
            train.init(replace(gan, precision=precision), DIALS, KEY),
            20,
        )
        for precision in train.PRECISIONS
    }
    (exact, exact_history), (rounded, history) = states["float32"], states["bfloat16"]
    assert {str(dtype) for pair in seen for dtype in pair} == {"float32"}  # losses are taken in float32
    for a, b in zip(jax.tree.leaves(exact.discriminator), jax.tree.leaves(rounded.discriminator), strict=True):
        assert a.dtype == b.dtype
        assert not np.array_equal(a, b)
    # bfloat16 keeps 8 bits: the losses agree to about a hundredth, and not to a millionth
    np.testing.assert_allclose(history.loss_d, exact_history.loss_d, atol=0.05)
    assert np.abs(history.loss_d - exact_history.loss_d).max() > 1e-5
