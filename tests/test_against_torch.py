"""The game written a second time, in plain PyTorch: from the same weights and the same batches, the same 50 steps.

Nothing of the core but its random keys is used here: networks, losses, penalties, optimisers, gradients, the order of
the two players and the running average are PyTorch's, or written out by hand.
"""

import functools
import os
from dataclasses import dataclass, field, replace

import jax
import numpy as np
import pytest

from gan_jax import data, losses, nets, train
from gan_jax.train import Gan, Hyperparams

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    if os.environ.get("CI") == "true":
        raise  # a check that is left out without a word is no check
    pytest.skip("PyTorch is not installed: pip install -e '.[bench]'", allow_module_level=True)

pytestmark = pytest.mark.usefixtures("optimised")

STEPS = 50
TOLERANCE = 1e-4  # of a parameter, absolute below 1 and relative above
TARGET = data.ring(8, scale=0.1)


@dataclass(frozen=True)
class Rules:
    """One game, in words that both implementations translate for themselves."""

    loss: str = "nonsaturating"
    penalty: str = "none"
    optimizer: str = "adam"
    update: str = "alternating"
    d_steps: int = 1
    normalisation: str = "none"
    activation: str = "leaky_relu"
    dials: dict = field(default_factory=dict)


GENTLE = {"lr_g": 0.01, "lr_d": 0.02, "beta1": 0.9}

# Rounding must stay rounding for 50 steps. The gradient penalty of a piecewise linear critic jumps when a sample
# crosses a kink: there, tanh.
GAMES = {
    "non-saturating": Rules(),
    "simultaneous": Rules(update="simultaneous", d_steps=2),
    "sgd with momentum": Rules(optimizer="sgd", dials=GENTLE),
    "d_steps=2, noisy samples": Rules(
        d_steps=2, activation="tanh", dials={"lr_d": 3e-4, "instance_noise": 0.2, "ema_decay": 0.9}
    ),
    "minimax, smooth labels": Rules(loss="minimax", dials={"label_smoothing": 0.1}),
    "WGAN-GP": Rules(loss="wasserstein", penalty="wgan_gp", activation="tanh", dials={"penalty_weight": 10.0}),
    "WGAN, rmsprop, clipped": Rules(loss="wasserstein", optimizer="rmsprop", dials={"weight_clip": 0.1, "beta2": 0.99}),
    "least squares": Rules(loss="least_squares", dials={"beta1": 0.9, "beta2": 0.99}),
    "hinge with R1": Rules(loss="hinge", penalty="r1", dials={"penalty_weight": 0.5}),
    "relativistic with R1 and R2": Rules(loss="relativistic", penalty="r1_and_r2", dials={"penalty_weight": 0.3}),
    "batch normalisation in G": Rules(normalisation="batch", activation="tanh"),
}


def ours(rules: Rules) -> Gan:
    return Gan(
        nets.mlp(2, 32, 32, 2, activation=rules.activation, normalisation=rules.normalisation),
        nets.mlp(2, 32, 32, 1, activation=rules.activation),
        loss=losses.LOSSES[rules.loss],
        penalty=losses.PENALTIES[rules.penalty],
        optimizer=rules.optimizer,
        update=rules.update,
        d_steps=rules.d_steps,
        batch_size=64,
    )


@functools.partial(jax.jit, static_argnums=(0, 1))
def draw(batch_size, rounds, instance_noise, key):
    """One program for all games with as many rounds: an array of each kind, (step, round, sample, ...)."""

    def one(key):
        real_key, latent_key, real_noise_key, fake_noise_key, penalty_key = jax.random.split(key, 5)
        normal = lambda key: instance_noise * jax.random.normal(key, (batch_size, 2))  # noqa: E731
        real = TARGET.sample(real_key, batch_size) + normal(real_noise_key)
        weight = jax.random.uniform(penalty_key, (batch_size, 1))
        return real, jax.random.normal(latent_key, (batch_size, 2)), normal(fake_noise_key), weight

    return jax.vmap(lambda step: jax.vmap(one)(jax.random.split(jax.random.fold_in(key, step), rounds)))(
        np.arange(STEPS)
    )


def batches(gan: Gan, hyper: Hyperparams, key):
    """Draw again what each step draws: per step and update, G's first, (real, z, noise on fakes, mixing weight)."""
    drawn = draw(gan.batch_size, 1 + gan.d_steps, hyper.instance_noise, key)
    return [torch.tensor(np.array(values)) for values in drawn]


def copied(module, activation: str) -> torch.nn.Sequential:
    """Build the same network in PyTorch, with the weights that ours has now."""
    layers = []
    for i in range(module.depth):
        layer = getattr(module, f"layer_{i}")
        inputs, outputs = layer.linear.kernel.shape
        linear = torch.nn.Linear(inputs, outputs, bias=layer.linear.bias is not None)
        tensors, values = [linear.weight], [layer.linear.kernel[...].T]
        if layer.linear.bias is not None:
            tensors, values = [*tensors, linear.bias], [*values, layer.linear.bias[...]]
        layers.append(linear)
        if layer.norm is not None:
            layers.append(torch.nn.BatchNorm1d(outputs))
            tensors += [layers[-1].weight, layers[-1].bias]
            values += [layer.norm.scale[...], layer.norm.bias[...]]
        if i < module.depth - 1:
            layers.append(torch.nn.Tanh() if activation == "tanh" else torch.nn.LeakyReLU(0.2))
        with torch.no_grad():
            for tensor, value in zip(tensors, values, strict=True):
                tensor.copy_(torch.tensor(np.array(value)))
    return torch.nn.Sequential(*layers)


class RmsPropInsideRoot(torch.optim.Optimizer):
    """`p -= lr g / sqrt(v + eps)`: torch.optim.RMSprop adds its eps outside the root, as Optax and Keras do not."""

    def __init__(self, parameters, lr: float, decay: float):
        super().__init__(parameters, {"lr": lr, "decay": decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                v = self.state[p].setdefault("v", torch.zeros_like(p))
                v.mul_(group["decay"]).add_((1 - group["decay"]) * p.grad**2)
                p.sub_(group["lr"] * p.grad / torch.sqrt(v + 1e-8))


def optimizer(name: str, parameters, lr: float, hyper: Hyperparams) -> torch.optim.Optimizer:
    if name == "adam":
        return torch.optim.Adam(parameters, lr=lr, betas=(hyper.beta1, hyper.beta2))
    if name == "rmsprop":
        return RmsPropInsideRoot(parameters, lr, hyper.beta2)
    return torch.optim.SGD(parameters, lr=lr, momentum=hyper.beta1)


def cross_entropy(logits, label: float):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def loss_of_d(name: str, real, fake, smoothing: float):
    return {
        "nonsaturating": lambda: cross_entropy(real, 1.0 - smoothing) + cross_entropy(fake, 0.0),
        "minimax": lambda: cross_entropy(real, 1.0 - smoothing) + cross_entropy(fake, 0.0),
        "least_squares": lambda: 0.5 * F.mse_loss(real, torch.ones_like(real)) + 0.5 * (fake**2).mean(),
        "wasserstein": lambda: fake.mean() - real.mean(),
        "hinge": lambda: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
        "relativistic": lambda: cross_entropy(real - fake, 1.0),
    }[name]()


def loss_of_g(name: str, real, fake):
    return {
        "nonsaturating": lambda: cross_entropy(fake, 1.0),
        "minimax": lambda: -cross_entropy(fake, 0.0),
        "least_squares": lambda: 0.5 * F.mse_loss(fake, torch.ones_like(fake)),
        "wasserstein": lambda: -fake.mean(),
        "hinge": lambda: -fake.mean(),
        "relativistic": lambda: cross_entropy(fake - real, 1.0),
    }[name]()


def gradient_norm(d, x):
    x = x.detach().requires_grad_()
    return torch.autograd.grad(d(x).sum(), x, create_graph=True)[0].norm(dim=1)


def penalty_of(name: str, d, real, fake, weight):
    return {
        "none": lambda: torch.zeros(()),
        "wgan_gp": lambda: ((gradient_norm(d, weight * real + (1 - weight) * fake) - 1) ** 2).mean(),
        "r1": lambda: 0.5 * (gradient_norm(d, real) ** 2).mean(),
        "r1_and_r2": lambda: 0.5 * (gradient_norm(d, real) ** 2 + gradient_norm(d, fake) ** 2).mean(),
    }[name]()


def theirs(rules: Rules, hyper: Hyperparams, g, d, drawn):
    """Play `STEPS` steps in PyTorch, in place; return G's running average and both losses at each step."""
    average = [p.detach().clone() for p in g.parameters()]
    opt_g = optimizer(rules.optimizer, g.parameters(), hyper.lr_g, hyper)
    opt_d = optimizer(rules.optimizer, d.parameters(), hyper.lr_d, hyper)
    history = []

    def gradient_of_g(real, z, noise):
        fake = g(z) + noise
        loss = loss_of_g(rules.loss, d(real)[:, 0], d(fake)[:, 0])
        for p, gradient in zip(g.parameters(), torch.autograd.grad(loss, tuple(g.parameters())), strict=True):
            p.grad = gradient
        return loss

    for step in range(STEPS):
        of_g, *of_d = zip(*(values[step] for values in drawn), strict=True)
        if rules.update == "simultaneous":  # G answers the D that stood before this step
            loss_g = gradient_of_g(*of_g[:3])
        for real, z, noise, weight in of_d:
            with torch.no_grad():
                fake = g(z) + noise
            loss_d = loss_of_d(rules.loss, d(real)[:, 0], d(fake)[:, 0], 0.0)
            smooth = loss_of_d(rules.loss, d(real)[:, 0], d(fake)[:, 0], hyper.label_smoothing)
            penalty = penalty_of(rules.penalty, d, real, fake, weight)
            opt_d.zero_grad()
            (smooth + hyper.penalty_weight * penalty).backward()
            opt_d.step()
            with torch.no_grad():
                for p in d.parameters():
                    p.clamp_(-hyper.weight_clip, hyper.weight_clip)
        if rules.update == "alternating":
            loss_g = gradient_of_g(*of_g[:3])
        opt_g.step()
        for mean, p in zip(average, g.parameters(), strict=True):
            mean.mul_(hyper.ema_decay).add_((1 - hyper.ema_decay) * p.detach())
        history.append((loss_d.item(), loss_g.item()))
    return average, np.array(history).T


@pytest.fixture(autouse=True)
def one_thread():
    """Tensors this small are slower on several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def play(rules: Rules, theirs_by: Rules | None = None):
    """Play the game on both sides: ((G, D, G's average, history) of ours, the same of PyTorch), as flat vectors."""
    gan, hyper = ours(rules), Hyperparams(**rules.dials)
    # the start does not depend on the loss and the penalty: games with the same networks share its program
    plain = replace(gan, loss=losses.nonsaturating, penalty=None, update="alternating", d_steps=1)
    start = train.init(plain, hyper, jax.random.key(7))
    copy = lambda module: copied(module, rules.activation)  # noqa: E731
    g, d = copy(start.generator), copy(start.discriminator)
    average, history = theirs(theirs_by or rules, hyper, g, d, batches(gan, hyper, start.key))
    flat = lambda tensors: np.concatenate([t.detach().numpy().ravel() for t in tensors])  # noqa: E731
    end, measured = train.steps(gan, hyper, TARGET, start, STEPS)
    final = [flat(copy(module).parameters()) for module in (end.generator, end.discriminator, end.averaged_generator)]
    mine = *final, np.stack([measured.loss_d, measured.loss_g])
    return mine, (flat(g.parameters()), flat(d.parameters()), flat(average), history)


@pytest.mark.parametrize("rules", GAMES.values(), ids=GAMES.keys())
def test_fifty_steps_agree(rules):
    mine, torchs = play(rules)
    for name, one, other in zip(("generator", "discriminator", "average", "losses"), mine, torchs, strict=True):
        np.testing.assert_allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE, err_msg=name)


def test_the_comparison_tells_the_order_of_the_players():
    mine, torchs = play(Rules(), theirs_by=Rules(update="simultaneous"))
    assert np.abs(mine[0] - torchs[0]).max() > 10 * TOLERANCE
