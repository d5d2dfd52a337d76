"""The walk through the latents: what it shows is what the generator draws there, with the norms of its path."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gan_jax import classifiers, data, latents, nets
from gan_jax.explorer import still
from gan_jax.explorer.latent_space import latent_space
from gan_jax.explorer.scene import Bars, Curve, Surface

pytestmark = pytest.mark.once


def marks(scene, kind):
    return [mark for panel in scene.panels for mark in panel.marks if isinstance(mark, kind)]


def shown_image(scene, side):
    """The image at t, back from colours to ink."""
    values = marks(scene, Surface)[0].values[::-1]
    scale = 32 // side
    return (1 - 2 * values)[scale // 2 :: scale, scale // 2 :: scale][1:-1, 1:-1]


def coordinates(z):
    return jnp.tanh(z)


def test_the_image_shown_is_the_one_drawn_at_that_latent():
    live = latent_space(coordinates, 64)
    live.set("t", 0.0)
    start = np.arctanh(np.clip(2 * shown_image(live.scene, 8) - 1, -1 + 1e-7, 1 - 1e-7))
    assert live.scene.number("norm of z") == pytest.approx(np.linalg.norm(start), rel=1e-3)
    for kind in latents.PATHS:
        live._move({"kind": kind, "t": 0.5})
        curve = next(mark for mark in marks(live.scene, Curve) if mark.name == kind)
        assert live.scene.number("norm of z") == pytest.approx(curve.y[40], rel=1e-5)


def test_the_spherical_path_is_longer_at_its_middle():
    live = latent_space(coordinates, 64)
    live._move({"t": 0.5, "kind": "straight"})
    straight = live.scene.number("norm of z")
    live.set("kind", "spherical")
    assert live.scene.number("norm of z") > 1.2 * straight


def test_truncation_shortens_the_latents_smoothly():
    live = latent_space(coordinates, 64)
    live.set("t", 0.0)
    norms = []
    for threshold in (4.0, 2.0, 1.0, 0.1):
        live.set("threshold", threshold)
        norms.append(live.scene.number("norm of z"))
    assert norms == sorted(norms, reverse=True)
    assert norms[-1] <= 0.8  # 64 numbers of at most 0.1


def test_a_direction_moves_both_ends_by_the_amount():
    along = np.zeros(64)
    along[5] = 1.0
    live = latent_space(coordinates, 64, directions={"one pixel": along})
    assert "amount" in live.scene.hidden
    before = shown_image(live.scene, 8)
    live._move({"direction": "one pixel", "amount": 6.0})
    assert "amount" not in live.scene.hidden
    after = shown_image(live.scene, 8)
    changed = np.abs(after - before).ravel() > 1e-6
    assert changed[5]
    assert changed.sum() == 1


def test_a_label_reaches_the_generator():
    def of_the_label(z, labels):
        return jnp.tanh(jax.nn.one_hot(labels, 64) * 9 - 3 + 0 * z[:, :1])

    live = latent_space(of_the_label, 3, classes=10)
    live.set("label", "7")
    assert shown_image(live.scene, 8).argmax() == 7


def test_the_classifier_reads_the_image_that_is_shown():
    digits = data.digits()
    picture = 2 * digits.images[0, ..., 0].astype(jnp.float32) / digits.peak - 1
    live = latent_space(lambda z: jnp.broadcast_to(picture, (len(z), 8, 8)), 2, read=classifiers.digits())
    share = np.exp(classifiers.digits()(picture[None]))[0]
    assert np.allclose(marks(live.scene, Bars)[0].values, share, atol=6e-4)  # shown to a thousandth
    assert live.scene.number("confidence") == pytest.approx(share.max(), abs=1e-4)
    assert f"a classifier reads a {share.argmax()}" in live.scene.words


@pytest.mark.parametrize("shape", [(64,), (28, 28, 1), (32, 32, 3)])
def test_every_picture_can_be_drawn_without_a_page(shape):
    module = nets.mlp(4, int(np.prod(shape)), output="tanh")(nnx.Rngs(0))
    live = latent_space(module, 4, image_shape=shape)
    assert "path at t = 0.50" in still(live.scene, [], {}).alt


def test_what_does_not_fit_is_named(as_users_see_it):
    with pytest.raises(ValueError, match=r"give image_shape=\(height, width, channels\)"):
        latent_space(lambda z: jnp.zeros((len(z), 63)), 2)
    with pytest.raises(ValueError, match=r"'up' must have shape \(2,\)"):
        latent_space(lambda z: jnp.zeros((len(z), 64)), 2, directions={"up": np.ones(3)})
    with pytest.raises(ValueError, match="latent_dim must be a whole number"):
        latent_space(coordinates, 0)
