"""A game that stands still, with what layers and measures of the lab look at, and players whose answers are known."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from gan_jax import data, losses, nets, train
from gan_jax.data.distributions import _draw


class Standing:
    """As `lab.Session` looks to a layer or a measure; it never trains."""

    def __init__(self, gan, target=None, hyper=None, seed=0):
        self.gan, self.target = gan, data.ring(8) if target is None else target
        self.hyper = hyper or train.Hyperparams()
        self.window = np.asarray(data.bounds(self.target), np.float32)
        self.real = np.asarray(_draw(self.target, jax.random.key(1), 4096))[:512]
        self.latents = gan.noise(jax.random.key(seed + 1), 512)
        self.game = train.init(gan, self.hyper, jax.random.key(seed))

    @property
    def shows_probability(self):
        return self.gan.loss in losses.CROSS_ENTROPIES

    def place(self, **players):
        """Put other modules in the players' place."""
        self.game = replace(self.game, **players)
        return self


def linear(inputs, outputs, kernel, bias, output="identity"):
    """The module `output(x kernel + bias)`."""
    module = nets.mlp(inputs, outputs, output=output)(nnx.Rngs(0))
    module.layer_0.linear.kernel[...] = jnp.asarray(kernel, jnp.float32).reshape(inputs, outputs)
    module.layer_0.linear.bias[...] = jnp.asarray(bias, jnp.float32).reshape(outputs)
    module.eval()
    return module


def gaussians(shift=(1.0, 0.0), hyper=None, loss=losses.nonsaturating, spread=1.0):
    """p = N(0, I), and a G that turns N(0, I) into N(shift, spread^2 I) exactly; D is linear in x."""
    gan = train.Gan(nets.mlp(2, 2), nets.mlp(2, 1), loss=loss)
    standing = Standing(gan, data.gaussian((0.0, 0.0), 1.0), hyper)
    return standing.place(generator=linear(2, 2, spread * np.eye(2), shift))


def trained_like(loss=losses.nonsaturating, **rules):
    """Smooth networks with random weights on the ring, quick to compile."""
    gan = train.Gan(
        nets.mlp(2, 16, 2, activation="tanh"),
        nets.mlp(2 * rules.get("packing", 1), 16, 1, activation="tanh", minibatch_stddev=rules.pop("group", 0)),
        loss=loss, batch_size=32, **rules,
    )  # fmt: skip
    return Standing(gan)
