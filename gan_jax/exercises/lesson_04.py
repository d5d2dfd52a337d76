"""The exercises and the quiz of lesson 04, the training step."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from ..nets import mlp
from .exercise import Exercise, Tempting
from .progress import Source
from .question import Choice, Question
from .verdict import AVERAGE, Wrong, expect, to_array

GIVEN = """
import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import sigmoid, softplus
"""

REAL = jnp.array([2.0, -0.5, 1.0, 0.25])
FAKE = jnp.array([-1.0, 0.75, -2.0, 0.5])


def _softplus(x):
    return np.logaddexp(0.0, np.asarray(x, np.float64))  # an oracle that shares no code with JAX's


def _check_stable(loss, *shapes: int, what: str) -> None:
    """Raise unless a loss and its gradient stay finite at logits of +-200, where log(sigmoid(a)) does not."""
    for value in (200.0, -200.0):
        logits = tuple(jnp.full(n, value) for n in shapes)
        remedy = f"At logits of {value:g} it breaks: write it with `softplus`, not with a logarithm of a sigmoid."
        for part, found in (("", loss(*logits)), ("the gradient of ", jax.grad(loss)(*logits))):
            if not np.isfinite(np.asarray(found)).all():
                raise Wrong(f"{part}{what} is not finite. {remedy}")


def check_discriminator_loss(loss):
    right = _softplus(-REAL).mean() + _softplus(FAKE).mean()
    p, q = 1 / (1 + np.exp(-REAL)), 1 / (1 + np.exp(-FAKE))
    mistakes = [
        (right / 2, "You halved it: the two means are added, so that D's loss at balance is 2 log 2 = 1.386."),
        (
            _softplus(REAL).mean() + _softplus(-FAKE).mean(),
            "The labels are swapped: this D calls real samples fake and fakes real.",
        ),
        (-right, "This is V(D, G), which D maximises; an optimiser minimises, so D's loss is -V."),
        (q.mean() - p.mean(), "These are means of probabilities; cross-entropy takes the logarithm of each."),
        (right * len(REAL), "You summed over the samples; take the mean, or the step size grows with the batch."),
        (
            _softplus(-p).mean() + _softplus(q).mean(),
            "A sigmoid is applied twice: `softplus` wants logits, not probabilities.",
        ),
        (_softplus(-REAL).mean(), "The fake samples' half is missing: D must also call fakes fake."),
        (_softplus(FAKE).mean(), "The real samples' half is missing: D must also call real samples real."),
    ]
    expect(
        loss(REAL, FAKE),
        right,
        "D's loss",
        mistakes,
        otherwise="Compare each half with the formula of hint 2.",
        several=AVERAGE,
    )
    expect(loss(REAL, FAKE[:2]), _softplus(-REAL).mean() + _softplus(FAKE[:2]).mean(), "D's loss of 4 real and 2 fakes",
           otherwise="Real samples and fakes have a mean each, however many there are of either.")  # fmt: skip
    _check_stable(loss, 4, 4, what="D's loss")
    return "It is finite at logits of +-200, too. At logits of 0 it is 2 log 2 = 1.386."


discriminator_loss = Exercise(
    name="discriminator_loss",
    goal="Write D's loss from logits: the mean of -log D(x) over real samples plus the mean of -log(1 - D(G(z))) over "
    "fakes, where D = sigmoid(logit).",
    stub='''
def discriminator_loss(real_logits, fake_logits):
    """Logits of shape (n,) and (m,) come in, one number goes out."""
    return ...
''',
    hints=(
        "-log sigmoid(a) has a name of its own, and `jax.nn` has it. It stays finite where the logarithm does not.",
        "-log sigmoid(a) = softplus(-a) and -log(1 - sigmoid(a)) = softplus(a).",
        "    real_part = mean of softplus(-real_logits)\n"
        "    fake_part = mean of softplus(fake_logits)\n"
        "    return their sum",
    ),
    solution="""
def discriminator_loss(real_logits, fake_logits):
    return jnp.mean(softplus(-real_logits)) + jnp.mean(softplus(fake_logits))
""",
    check=check_discriminator_loss,
    also_right=(
        """
def discriminator_loss(real_logits, fake_logits):
    return -jnp.mean(jax.nn.log_sigmoid(real_logits)) - jnp.mean(jax.nn.log_sigmoid(-fake_logits))
""",
        """
import optax
def discriminator_loss(real_logits, fake_logits):
    real = optax.sigmoid_binary_cross_entropy(real_logits, jnp.ones_like(real_logits))
    fake = optax.sigmoid_binary_cross_entropy(fake_logits, jnp.zeros_like(fake_logits))
    return real.mean() + fake.mean()
""",
    ),
    tempting=(
        Tempting(
            """
def discriminator_loss(real_logits, fake_logits):
    return 0.5 * (jnp.mean(softplus(-real_logits)) + jnp.mean(softplus(fake_logits)))
""",
            "halved",
        ),
        Tempting(
            """
def discriminator_loss(real_logits, fake_logits):
    return jnp.mean(softplus(real_logits)) + jnp.mean(softplus(-fake_logits))
""",
            "labels are swapped",
        ),
        Tempting(
            """
def discriminator_loss(real_logits, fake_logits):
    return -jnp.mean(softplus(-real_logits)) - jnp.mean(softplus(fake_logits))
""",
            "which D maximises",
        ),
        Tempting(
            """
def discriminator_loss(real_logits, fake_logits):
    return jnp.mean(sigmoid(fake_logits)) - jnp.mean(sigmoid(real_logits))
""",
            "means of probabilities",
        ),
        Tempting(
            """
def discriminator_loss(real_logits, fake_logits):
    return -jnp.mean(jnp.log(sigmoid(real_logits))) - jnp.mean(jnp.log(1 - sigmoid(fake_logits)))
""",
            "not finite",
        ),
        Tempting(
            """
def discriminator_loss(real_logits, fake_logits):
    return softplus(-real_logits) + softplus(fake_logits)
""",
            "Take the mean",
        ),
        Tempting(
            """
def discriminator_loss(real_logits, fake_logits):
    return jnp.mean(softplus(-sigmoid(real_logits))) + jnp.mean(softplus(sigmoid(fake_logits)))
""",
            "applied twice",
        ),
    ),
)


def check_generator_loss(loss):
    right = _softplus(-FAKE).mean()
    q = 1 / (1 + np.exp(-FAKE))
    mistakes = [
        (-right, "A sign is missing: G maximises log D(G(z)), so its loss is the mean of -log D(G(z))."),
        (
            -_softplus(FAKE).mean(),
            "This is the minimax loss: it saturates, its gradient at a fake logit of -10 is 4.5e-5 in size, not 1.",
        ),
        (_softplus(FAKE).mean(), "This is D's half: G would learn to be called fake."),
        (-q.mean(), "This is a mean of probabilities, without the logarithm: it saturates as well."),
        (right * len(FAKE), "You summed over the samples; take the mean, or the step size grows with the batch."),
        (_softplus(-q).mean(), "A sigmoid is applied twice: `softplus` wants logits, not probabilities."),
    ]
    expect(loss(FAKE), right, "G's loss", mistakes, otherwise="Compare it with the formula of hint 2.", several=AVERAGE)
    expect(loss(-3 * FAKE[:2]), _softplus(3 * FAKE[:2]).mean(), "G's loss of two other fakes")
    _check_stable(loss, 4, what="G's loss")
    return "Its gradient at fake logit a is -(1 - sigmoid(a)): largest where D is sure, just when G needs it."


generator_loss = Exercise(
    name="generator_loss",
    goal="Write G's non-saturating loss from logits: the mean of -log D(G(z)).",
    stub='''
def generator_loss(fake_logits):
    """Logits of shape (n,) come in, one number goes out."""
    return ...
''',
    hints=(
        "G wants its samples called real. Which half of D's loss says `called real`, and for which logits?",
        "-log sigmoid(a) = softplus(-a), at the fake logits.",
        "    return mean of softplus(-fake_logits)",
    ),
    solution="""
def generator_loss(fake_logits):
    return jnp.mean(softplus(-fake_logits))
""",
    check=check_generator_loss,
    also_right=(
        """
def generator_loss(fake_logits):
    return -jax.nn.log_sigmoid(fake_logits).mean()
""",
        """
def generator_loss(fake_logits):
    return jnp.logaddexp(0.0, -fake_logits).sum() / len(fake_logits)
""",
    ),
    tempting=(
        Tempting(
            """
def generator_loss(fake_logits):
    return -jnp.mean(softplus(fake_logits))
""",
            "minimax",
        ),
        Tempting(
            """
def generator_loss(fake_logits):
    return jnp.mean(jax.nn.log_sigmoid(fake_logits))
""",
            "sign is missing",
        ),
        Tempting(
            """
def generator_loss(fake_logits):
    return jnp.mean(softplus(fake_logits))
""",
            "D's half",
        ),
        Tempting(
            """
def generator_loss(fake_logits):
    return -jnp.mean(sigmoid(fake_logits))
""",
            "without the logarithm",
        ),
        Tempting(
            """
def generator_loss(fake_logits):
    return -jnp.mean(jnp.log(sigmoid(fake_logits)))
""",
            "not finite",
        ),
    ),
)


def check_fresh_noise(noise):
    key, other = jax.random.key(3), jax.random.key(4)
    first = to_array(noise(key, 5, 8), "the noise", (8, 100))
    if not np.array_equal(first, to_array(noise(key, 5, 8), "the noise", (8, 100))):
        raise Wrong(
            "Asked twice for the same key and step, it differs: such a run can't be repeated. Use `jax.random`."
        )
    if np.array_equal(first, to_array(noise(key, 6, 8), "the noise", (8, 100))):
        raise Wrong(
            "Steps 5 and 6 get the same noise: G would see one batch of z for ever. Fold the step into the key."
        )
    if np.array_equal(first, to_array(noise(other, 5, 8), "the noise", (8, 100))):
        raise Wrong("Another key gives the same noise: then all seeds are one run. Begin with the key that is given.")
    if np.ptp(first, axis=0).max() == 0:
        raise Wrong("All samples of the batch have the same z. Draw an array of shape (n, 100).")
    many = to_array(noise(key, 7, 2000), "the noise", (2000, 100))
    if abs(many.mean()) > 0.05 or abs(many.std() - 1) > 0.05:
        raise Wrong(
            f"z should be N(0, 1) in each place, mean 0 and deviation 1; yours has mean {many.mean():.2f} and "
            f"deviation {many.std():.2f}. `jax.random.normal` draws it."
        )
    compiled = to_array(jax.jit(noise, static_argnums=2)(key, 5, 8), "the noise", (8, 100))
    if not np.allclose(first, compiled, atol=1e-5):
        raise Wrong("Compiled, it gives other noise: something besides key and step goes into it.")
    return "The same key and step give the same z, compiled or not: a run can stop and go on as if it never had."


fresh_noise = Exercise(
    name="fresh_noise",
    goal="Draw the latents of a step: n of them, 100 numbers each from N(0, 1), the same for the same (key, step) and "
    "fresh for every other step.",
    stub='''
def fresh_noise(key, step, n):
    """A key, a step's number, a batch size come in; z of shape (n, 100) goes out."""
    return ...
''',
    hints=(
        "A JAX key doesn't change when it is used. Which function of `jax.random` makes a key from a key and a number?",
        "k = fold_in(key, step), z ~ N(0, I) with k.",
        "    step_key = fold_in(key, step)\n    return normal(step_key, shape (n, 100))",
    ),
    solution="""
def fresh_noise(key, step, n):
    return jax.random.normal(jax.random.fold_in(key, step), (n, 100))
""",
    check=check_fresh_noise,
    also_right=(
        """
def fresh_noise(key, step, n):
    latent_key, _ = jax.random.split(jax.random.fold_in(key, step))
    return jax.random.normal(latent_key, (n, 100))
""",
        """
def fresh_noise(key, step, n):
    keys = jax.random.split(jax.random.fold_in(key, step), n)
    return jax.vmap(lambda k: jax.random.normal(k, (100,)))(keys)
""",
    ),
    tempting=(
        Tempting(
            """
def fresh_noise(key, step, n):
    return jax.random.normal(key, (n, 100))
""",
            "same noise",
        ),
        Tempting(
            """
def fresh_noise(key, step, n):
    return jax.random.normal(jax.random.key(step), (n, 100))
""",
            "all seeds are one run",
        ),
        Tempting(
            """
def fresh_noise(key, step, n):
    return np.random.randn(n, 100)
""",
            "can't be repeated",
        ),
        Tempting(
            """
def fresh_noise(key, step, n):
    z = jax.random.normal(jax.random.fold_in(key, step), (100,))
    return jnp.broadcast_to(z, (n, 100))
""",
            "the same z",
        ),
        Tempting(
            """
def fresh_noise(key, step, n):
    return jax.random.uniform(jax.random.fold_in(key, step), (n, 100))
""",
            "deviation 0.29",
        ),
        Tempting(
            """
def fresh_noise(key, step, n):
    return jax.random.normal(jax.random.fold_in(key, int(step)), (n, 100))
""",
            "Keep it an array",
        ),
    ),
)


def check_alternating_step(step):
    # L_g = g d and L_d = -g d: each player's gradient is the other's number
    answer = step(1.0, 0.5, lambda g, d: d, lambda g, d: -g, 0.1)
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        raise Wrong(f"Return two things, `(g, d)`; yours is {answer!r}.")
    found = [to_array(value, name) for value, name in zip(answer, ("the new g", "the new d"), strict=True)]
    mistakes = [
        ([0.95, 0.6], "Both moved from where they stood: that is the simultaneous step. G should answer the new D."),
        ([0.95, 0.595], "G moved first. In Algorithm 1 D learns first, then G answers."),
        ([1.04, 0.4], "Both climb: a loss goes down, so each gradient is subtracted."),
        ([1.06, 0.6], "G climbs: its gradient, too, is subtracted."),
        ([0.6, 0.94], "The right numbers the wrong way round: return (g, d)."),
        ([1.1, 0.6], "G followed D's gradient. Each player follows the gradient of its own loss."),
        ([1.0, 0.6], "G has not moved: it has one update a step, too."),
        ([0.9, 0.6], "`gradient_g(d, g)`? Both gradients take g first, then d."),
        ([0.96, 0.4], "D climbs: its gradient, too, is subtracted."),
    ]
    expect(
        np.array(found),
        [0.94, 0.6],
        f"(g, d) = ({found[0]:.4g}, {found[1]:.4g})",
        mistakes,
        otherwise="First d - rate * gradient_d(g, d); then G's step, with this new d in its gradient.",
    )
    other = step(2.0, -1.0, lambda g, d: g * d, lambda g, d: g + d, 0.5)
    expect(
        np.array(other, float), [3.5, -1.5], "(g, d) of a second game", otherwise="Do you use both gradients as given?"
    )
    return "D moves first, and G answers the D that has moved."


alternating_step = Exercise(
    name="alternating_step",
    goal="Write one alternating step of gradient descent: D moves first, then G answers the D that has moved.",
    stub='''
def alternating_step(g, d, gradient_g, gradient_d, rate):
    """gradient_g(g, d) is that of G's loss with respect to g; gradient_d(g, d) that of D's loss to d.
    Return the new (g, d)."""
    return ...
''',
    hints=(
        "Two lines and a return. Which d does the second line use?",
        "d' = d - rate * gradient_d(g, d), then g' = g - rate * gradient_g(g, d').",
        "    d = d minus rate times gradient_d at (g, d)\n"
        "    g = g minus rate times gradient_g at (g, d), which is the new d now\n"
        "    return g, d",
    ),
    solution="""
def alternating_step(g, d, gradient_g, gradient_d, rate):
    d = d - rate * gradient_d(g, d)
    g = g - rate * gradient_g(g, d)
    return g, d
""",
    check=check_alternating_step,
    also_right=(
        """
def alternating_step(g, d, gradient_g, gradient_d, rate):
    new_d = d - gradient_d(g, d) * rate
    return g - gradient_g(g, new_d) * rate, new_d
""",
        """
import optax
def alternating_step(g, d, gradient_g, gradient_d, rate):
    descent = optax.sgd(rate)
    change, _ = descent.update(gradient_d(g, d), descent.init(d))
    d = optax.apply_updates(jnp.asarray(d), change)
    change, _ = descent.update(gradient_g(g, d), descent.init(g))
    return [optax.apply_updates(jnp.asarray(g), change), d]
""",
    ),
    tempting=(
        Tempting(
            """
def alternating_step(g, d, gradient_g, gradient_d, rate):
    return g - rate * gradient_g(g, d), d - rate * gradient_d(g, d)
""",
            "simultaneous",
        ),
        Tempting(
            """
def alternating_step(g, d, gradient_g, gradient_d, rate):
    g = g - rate * gradient_g(g, d)
    d = d - rate * gradient_d(g, d)
    return g, d
""",
            "G moved first",
        ),
        Tempting(
            """
def alternating_step(g, d, gradient_g, gradient_d, rate):
    d = d + rate * gradient_d(g, d)
    g = g + rate * gradient_g(g, d)
    return g, d
""",
            "Both climb",
        ),
        Tempting(
            """
def alternating_step(g, d, gradient_g, gradient_d, rate):
    d = d - rate * gradient_d(g, d)
    g = g - rate * gradient_g(g, d)
    return d, g
""",
            "wrong way round",
        ),
        Tempting(
            """
def alternating_step(g, d, gradient_g, gradient_d, rate):
    change = gradient_d(g, d)
    return g - rate * change, d - rate * change
""",
            "D's gradient",
        ),
    ),
)


def check_passes_over_data(passes):
    steps, d_steps, batch, images = 1000, 5, 64, 1500
    right = steps * d_steps * batch / images
    mistakes = [
        (steps * batch / images, "The d_steps are missing: each of D's updates draws a batch of its own."),
        (steps * (d_steps + 1) * batch / images, "G's update is counted, too; it looks at fake samples only."),
        (2 * right, "The fakes are counted, too; they are made, not taken from the data."),
        (steps * d_steps / images, "The batch size is missing: an update shows D that many images."),
        (right // 1, "Whole passes only? `//` cuts; use `/`."),
        (1 / right, "Upside down: images seen, divided by images there are."),
        (steps * d_steps * batch, "These are images seen; divide by how many there are."),
    ]
    expect(passes(steps, d_steps, batch, images), right, "the number of passes", mistakes, otherwise="See hint 2.")
    expect(passes(10, 1, 8, 160), 0.5, "the number of passes of 10 steps at batch 8 over 160 images")
    return "GAN papers count in steps or in images, tutorials in passes (epochs): now you can compare them."


passes_over_data = Exercise(
    name="passes_over_data",
    goal="How many times has D seen the data after so many steps?",
    stub='''
def passes_over_data(steps, d_steps, batch_size, images):
    """In a step D has d_steps updates, each on a batch of real images; then G has one."""
    return ...
''',
    hints=(
        "Who looks at real images, and how often in a step?",
        "images seen / images there are, where images seen = updates of D times batch size.",
        "    updates of D = steps times d_steps\n    return updates of D times batch_size, divided by images",
    ),
    solution="""
def passes_over_data(steps, d_steps, batch_size, images):
    return steps * d_steps * batch_size / images
""",
    check=check_passes_over_data,
    also_right=(
        """
def passes_over_data(steps, d_steps, batch_size, images):
    seen = sum(batch_size for _ in range(steps) for _ in range(d_steps))
    return jnp.float32(seen) / images
""",
    ),
    tempting=(
        Tempting(
            """
def passes_over_data(steps, d_steps, batch_size, images):
    return steps * batch_size / images
""",
            "d_steps are missing",
        ),
        Tempting(
            """
def passes_over_data(steps, d_steps, batch_size, images):
    return steps * (d_steps + 1) * batch_size / images
""",
            "G's update is counted",
        ),
        Tempting(
            """
def passes_over_data(steps, d_steps, batch_size, images):
    return steps * d_steps * batch_size // images
""",
            "`//` cuts",
        ),
        Tempting(
            """
def passes_over_data(steps, d_steps, batch_size, images):
    return steps * d_steps / images
""",
            "batch size is missing",
        ),
    ),
)


def _small_game():
    """Two small networks of the plane, and latents: a game whose gradients take no time."""
    g, d = mlp(3, 4, 2, activation="tanh")(nnx.Rngs(0)), mlp(2, 5, 1, activation="tanh")(nnx.Rngs(1))
    return g, d, jax.random.normal(jax.random.key(2), (6, 3))


def _flat(tree) -> np.ndarray:
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def check_generator_gradient(gradient):
    g, d, z = _small_game()
    answer = gradient(g, d, z)
    of_g = lambda loss: _flat(jax.grad(lambda g: loss(d(g(z))))(g))  # noqa: E731
    right = of_g(lambda a: jnp.mean(jax.nn.softplus(-a)))
    if isinstance(answer, (tuple, list)) and len(answer) == 2:
        raise Wrong("Two things come back; `jax.value_and_grad` returns (value, gradient). Return the gradient alone.")
    if jax.tree_util.all_leaves([answer]) or not jax.tree.leaves(answer):
        raise Wrong("A single value comes back. The gradient has the form of g: one array for each of its weights.")
    shapes = lambda tree: [np.shape(leaf) for leaf in jax.tree.leaves(tree)]  # noqa: E731
    if shapes(answer) == shapes(d):
        raise Wrong("This is a gradient with respect to D's weights. `jax.grad` differentiates its function's first "
                    "argument (argnums=0): put g there.")  # fmt: skip
    if shapes(answer) != shapes(g):
        raise Wrong(f"The gradient should have the shapes of g's weights, {shapes(g)}; yours has {shapes(answer)}.")
    flat = _flat(answer)
    if not flat.any():
        raise Wrong("The gradient is 0 in every weight: the fake samples are made outside the differentiated function "
                    "(or behind a stop_gradient), so that nothing in it depends on g.")  # fmt: skip
    mistakes = [
        (-right, "The sign is turned: descending along it makes G worse."),
        (of_g(lambda a: -jnp.mean(jax.nn.softplus(a))), "This is the gradient of the minimax loss, which saturates."),
        (of_g(lambda a: jnp.mean(jax.nn.softplus(a))), "This is the gradient of D's loss: G would make worse fakes."),
        (right * len(z), "It is that of a sum over the batch; take the mean."),
    ]
    expect(flat, right, "the gradient", mistakes, otherwise="Compare with hint 3, line by line.", tolerance=1e-3)
    return "z goes through g inside the differentiated function: only so does the loss depend on g's weights."


generator_gradient = Exercise(
    name="generator_gradient",
    goal="Repair it: return the gradient of G's loss with respect to the weights of g.",
    stub='''
def generator_gradient(g, d, z):
    """Modules g and d and latents z come in; a pytree shaped like g goes out."""
    return ...
''',
    hints=(
        "`jax.grad(f)(g)` asks how f(g) changes with g. In the broken version, where does f use its argument?",
        "The loss as a function of g is mean softplus(-d(g(z))).",
        "    def loss(g):\n        fake = g(z)\n        return mean of softplus(-d(fake))\n    return gradient at g",
    ),
    solution="""
def generator_gradient(g, d, z):
    return jax.grad(lambda g: jnp.mean(softplus(-d(g(z)))))(g)
""",
    check=check_generator_gradient,
    also_right=(
        """
def generator_gradient(g, d, z):
    def loss(g, d):
        return -jnp.mean(jax.nn.log_sigmoid(d(g(z)).reshape(-1)))
    return jax.grad(loss)(g, d)
""",
        """
def generator_gradient(g, d, z):
    def loss(d, g):
        return jnp.mean(softplus(-d(g(z))))
    _, gradient = jax.value_and_grad(loss, argnums=1)(d, g)
    return gradient
""",
    ),
    tempting=(
        Tempting(
            """
def generator_gradient(g, d, z):
    fake = g(z)
    return jax.grad(lambda g: jnp.mean(softplus(-d(fake))))(g)
""",
            "0 in every weight",
        ),
        Tempting(
            """
def generator_gradient(g, d, z):
    return jax.grad(lambda g: jnp.mean(softplus(-d(jax.lax.stop_gradient(g(z))))))(g)
""",
            "0 in every weight",
        ),
        Tempting(
            """
def generator_gradient(g, d, z):
    return jax.grad(lambda d: jnp.mean(softplus(-d(g(z)))))(d)
""",
            "D's weights",
        ),
        Tempting(
            """
def generator_gradient(g, d, z):
    return jax.grad(lambda g: jnp.mean(softplus(d(g(z)))))(g)
""",
            "D's loss",
        ),
        Tempting(
            """
def generator_gradient(g, d, z):
    return jax.grad(lambda g: softplus(-d(g(z))))(g)
""",
            "take the mean",
        ),
        Tempting(
            """
def generator_gradient(g, d, z):
    return jax.value_and_grad(lambda g: jnp.mean(softplus(-d(g(z)))))(g)
""",
            "(value, gradient)",
        ),
    ),
)


def check_smoothed_loss(loss):
    right = lambda s: (1 - s) * _softplus(-REAL).mean() + s * _softplus(REAL).mean() + _softplus(FAKE).mean()  # noqa: E731
    plain, s = right(0.0), 0.2
    two_sided = right(s) - _softplus(FAKE).mean() + (1 - s) * _softplus(FAKE).mean() + s * _softplus(-FAKE).mean()
    mistakes = [
        (
            two_sided,
            "You smooth both sides. Fakes keep their label 0: else D's best answer holds wrong samples in place.",
        ),
        (plain, "Nothing is smoothed: the real label is 1 - s, not 1."),
        (right(-s), "The label is 1 + s: above 1 a cross-entropy has no lowest value."),
        (right(1 - s), "The label is s: it should be 1 - s."),
        (
            (1 - s) * _softplus(-REAL).mean() + _softplus(FAKE).mean(),
            "A part is missing: a label of 1 - s also takes s times -log(1 - D(x)).",
        ),
    ]
    expect(
        loss(REAL, FAKE, s), right(s), "the smoothed loss", mistakes, otherwise="Compare with hint 2.", several=AVERAGE
    )
    expect(loss(REAL, FAKE, 0.0), plain, "the loss at s = 0")
    _check_stable(lambda real, fake: loss(real, fake, 0.1), 4, 4, what="the smoothed loss")
    return "The real label is 1 - s, so D's best answer is (1 - s) p / (p + q): it never claims to be sure."


smoothed_loss = Exercise(
    name="smoothed_loss",
    goal="One-sided label smoothing: D's loss when the label of real samples is 1 - s and that of fakes stays 0.",
    stub='''
def smoothed_loss(real_logits, fake_logits, s):
    """D's loss with the real label 1 - s."""
    return ...
''',
    hints=(
        "Cross-entropy with label y is -y log D(x) - (1 - y) log(1 - D(x)). For real samples y = 1 - s.",
        "mean[(1 - s) softplus(-real) + s softplus(real)] + mean softplus(fake).",
        "    real_part = mean of (1 - s) times softplus(-real) plus s times softplus(real)\n"
        "    return real_part plus mean of softplus(fake)",
    ),
    solution="""
def smoothed_loss(real_logits, fake_logits, s):
    real_part = jnp.mean((1 - s) * softplus(-real_logits) + s * softplus(real_logits))
    return real_part + jnp.mean(softplus(fake_logits))
""",
    check=check_smoothed_loss,
    also_right=(
        """
def smoothed_loss(real_logits, fake_logits, s):  # softplus(a) - softplus(-a) = a
    return jnp.mean(softplus(-real_logits)) + s * jnp.mean(real_logits) + jnp.mean(softplus(fake_logits))
""",
        """
import optax
def smoothed_loss(real_logits, fake_logits, s):
    real = optax.sigmoid_binary_cross_entropy(real_logits, jnp.full_like(real_logits, 1 - s))
    return real.mean() + softplus(fake_logits).mean()
""",
    ),
    tempting=(
        Tempting(
            """
import optax
def smoothed_loss(real_logits, fake_logits, s):
    real = optax.sigmoid_binary_cross_entropy(real_logits, jnp.full_like(real_logits, 1 - s))
    fake = optax.sigmoid_binary_cross_entropy(fake_logits, jnp.full_like(fake_logits, s))
    return real.mean() + fake.mean()
""",
            "both sides",
        ),
        Tempting(
            """
def smoothed_loss(real_logits, fake_logits, s):
    return (1 - s) * jnp.mean(softplus(-real_logits)) + jnp.mean(softplus(fake_logits))
""",
            "A part is missing",
        ),
        Tempting(
            """
import optax
def smoothed_loss(real_logits, fake_logits, s):
    real = optax.sigmoid_binary_cross_entropy(real_logits, jnp.full_like(real_logits, 1 + s))
    return real.mean() + softplus(fake_logits).mean()
""",
            "above 1",
        ),
        Tempting(
            """
def smoothed_loss(real_logits, fake_logits, s):
    return jnp.mean(softplus(-real_logits)) + jnp.mean(softplus(fake_logits))
""",
            "Nothing is smoothed",
        ),
    ),
    stretch=True,
)


def check_discriminator_phase(phase):
    d_steps, key = 4, jax.random.key(11)
    start = {"updates": 0, "keys": np.zeros((d_steps + 1, 2), np.uint32)}

    def update(d, key):  # a player that learns nothing, and notes which keys it was given
        words = jnp.resize(jax.random.key_data(key), (2,))
        return {"updates": d["updates"] + 1, "keys": jnp.asarray(d["keys"]).at[d["updates"]].set(words)}

    def played(key):
        after = phase(update, start, key, d_steps)
        if not isinstance(after, dict):
            raise Wrong(f"Return the d that the last update returns; yours is {type(after).__name__}.")
        return SimpleNamespace(n=int(after["updates"]), keys=np.asarray(after["keys"])[:d_steps])

    first = played(key)
    if first.n != d_steps:
        once = " Each update starts from the d that came in; hand on the one before." if first.n == 1 else ""
        raise Wrong(f"d has had {first.n} updates in a row; it should have {d_steps}.{once}")
    if len(np.unique(first.keys, axis=0)) < d_steps:
        raise Wrong("Two updates have the same key: D sees the same batch twice. Split the key, one for each update.")
    if (first.keys == np.asarray(jnp.resize(jax.random.key_data(key), (2,)))).all(axis=1).any():
        raise Wrong("An update is given the key that you also split: a key is used once, and its children after that.")
    if (first.keys == played(jax.random.key(12)).keys).all():
        raise Wrong("Another key gives the same keys to the updates: begin with the key that is given.")
    return "d goes from update to update, and each has a key of its own."


discriminator_phase = Exercise(
    name="discriminator_phase",
    goal="D's phase with several updates: hand d on from update to update, and give each a key of its own.",
    stub='''
def discriminator_phase(update, d, key, d_steps):
    """update(d, key) draws a batch with the key and returns the next d."""
    return ...
''',
    hints=(
        "A loop, or `jax.lax.scan`, whose carry is d. What does it run over?",
        "k_1 ... k_m = split(key, m), then d_i = update(d_(i-1), k_i).",
        "    for each key of split(key, d_steps):\n        d = update(d, that key)\n    return d",
    ),
    solution="""
def discriminator_phase(update, d, key, d_steps):
    for update_key in jax.random.split(key, d_steps):
        d = update(d, update_key)
    return d
""",
    check=check_discriminator_phase,
    also_right=(
        """
def discriminator_phase(update, d, key, d_steps):
    d, _ = jax.lax.scan(lambda d, key: (update(d, key), None), d, jax.random.split(key, d_steps))
    return d
""",
        """
def discriminator_phase(update, d, key, d_steps):
    return jax.lax.fori_loop(0, d_steps, lambda i, d: update(d, jax.random.fold_in(key, i)), d)
""",
    ),
    tempting=(
        Tempting(
            """
def discriminator_phase(update, d, key, d_steps):
    for _ in range(d_steps):
        d = update(d, key)
    return d
""",
            "the same batch",
        ),
        Tempting(
            """
def discriminator_phase(update, d, key, d_steps):
    for update_key in jax.random.split(key, d_steps):
        new_d = update(d, update_key)
    return new_d
""",
            "starts from the d that came in",
        ),
        Tempting(
            """
def discriminator_phase(update, d, key, d_steps):
    for _ in range(d_steps):
        d = update(d, key)
        key, _ = jax.random.split(key)
    return d
""",
            "the key that you also split",
        ),
        Tempting(
            """
def discriminator_phase(update, d, key, d_steps):
    for i in range(d_steps):
        d = update(d, jax.random.key(i))
    return d
""",
            "begin with the key that is given",
        ),
    ),
    stretch=True,
)


QUIZ = (
    Question(
        "resting",
        "D's loss is the sum of its two terms. Which value does it have when D answers 1/2 everywhere?",
        (
            Choice(
                "0.693, log 2", "that is one term. Texts that print 0.69 as the goal divide by two, or forget a half."
            ),
            Choice("1.386, 2 log 2", "each of the two terms is -log(1/2) = log 2, and they are added.", right=True),
            Choice("-1.386, -log 4", "that is V, which D maximises. The loss that is minimised is -V."),
            Choice("0: nobody loses", "a loss of 0 would mean that D is right, and sure of it, every time."),
        ),
    ),
    Question(
        "balance",
        "D's loss has stayed at 1.38 for a thousand steps. What does that tell you?",
        (
            Choice("The samples are perfect.", "D may be too weak, or too slow, to see what is wrong with them."),
            Choice(
                "D can't tell the two apart at the moment: G may be good, or D weak.",
                "any D that answers 1/2 scores 2 log 2. Look at samples and at a score before you call it good.",
                right=True,
            ),
            Choice("It has failed: a loss should go to 0.", "D's loss near 0 means that D wins everything; G starves."),
        ),
    ),
    Question(
        "rising",
        "G's loss rises from 1.0 to 1.3 while the digits become better. How can that be?",
        (
            Choice(
                "The learning rate is too high.",
                "that is how one reads a loss with a fixed yardstick; here the yardstick, D, moves.",
            ),
            Choice("It can't; there is a fault in the code.", "the loss is D's opinion, and D has learnt as well."),
            Choice(
                "D has become better, too: the same G is marked by a stricter judge.",
                "G's loss at two times is marked by two different Ds; the numbers can't be compared.",
                right=True,
            ),
        ),
    ),
    Question(
        "stopping",
        "When do you stop?",
        (
            Choice("When G's loss is lowest.", "it is lowest where D is weakest, near the beginning."),
            Choice(
                "When D's loss reaches 1.386.", "it passes there with noise for samples, too: D is unsure at the start."
            ),
            Choice("After as many steps as possible.", "here the score is best near step 1,000, then gets worse."),
            Choice(
                "When a score on held-out data, over several seeds, stops getting better.",
                "a score asks about the samples; keep the state where it was best.",
                right=True,
            ),
        ),
    ),
    Question(
        "averaging",
        "Averaging G's weights (decay 0.999) helped the digits at step 2,000 and ruined the ring. What is fair to say?",
        (
            Choice("Averaging always helps late in training.", "on the ring it did not, in any of the five seeds."),
            Choice(
                "There is a fault: an average can't be worse.", "an average of weights is not an average of samples."
            ),
            Choice(
                "It helps where G circles around a good place, not where it still travels: measure it.",
                "the average lags about 1,000 steps behind; between two good networks there can be a bad one.",
                right=True,
            ),
        ),
    ),
)

LESSON = Source(
    name="04_the_training_step",
    given=GIVEN,
    exercises=(
        discriminator_loss,
        generator_loss,
        fresh_noise,
        alternating_step,
        passes_over_data,
        generator_gradient,
        smoothed_loss,
        discriminator_phase,
    ),
    quiz=QUIZ,
)
