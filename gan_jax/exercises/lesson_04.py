"""The exercises and the quiz of lesson 04, the training step."""

import jax
import jax.numpy as jnp
import numpy as np

from .exercise import Exercise, Tempting
from .progress import Source
from .question import Choice, Question
from .verdict import Wrong, expect, to_array

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
    expect(loss(REAL, FAKE), right, "D's loss", mistakes, otherwise="Compare each half with the formula of hint 2.")
    expect(loss(REAL, FAKE[:2]), _softplus(-REAL).mean() + _softplus(FAKE[:2]).mean(), "D's loss of 4 real and 2 fakes")
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


def check_equilibrium_losses(answer):
    pair = to_array(answer, "the pair", None)
    mistakes = [
        ([np.log(2), np.log(2)], "0.693 is one term; D's loss sums two of them."),
        ([-2 * np.log(2), np.log(2)], "-log 4 is the value V of the game; D's loss is -V."),
        ([0.0, 0.0], "A loss of 0 would mean that D is sure of everything; here it is sure of nothing, D(x) = 1/2."),
        ([1.0, 0.5], "These are probabilities; a loss takes -log of them."),
        ([np.log(2), 2 * np.log(2)], "The two are the wrong way round: D's loss comes first."),
    ]
    expect(pair, [2 * np.log(2), np.log(2)], "the pair (D's loss, G's loss)", mistakes, tolerance=1e-2)
    return "2 log 2 = 1.386 and log 2 = 0.693: the two numbers to draw into every plot of GAN losses."


equilibrium_losses = Exercise(
    name="equilibrium_losses",
    goal="At balance D answers 1/2 everywhere. What are D's loss (both terms) and G's non-saturating loss then?",
    stub="""
equilibrium_losses = ...  # (D's loss, G's loss), two numbers
""",
    hints=(
        "What is the logit of D = 1/2? Put it into the two losses that you wrote.",
        "D's loss: -log(1/2) - log(1 - 1/2). G's loss: -log(1/2).",
        "    logits = zeros\n    the pair of discriminator_loss(logits, logits) and generator_loss(logits)",
    ),
    solution="""
equilibrium_losses = (2 * np.log(2), np.log(2))
""",
    check=check_equilibrium_losses,
    also_right=("equilibrium_losses = [1.386, 0.693]", "equilibrium_losses = jnp.log(jnp.array([4.0, 2.0]))"),
    tempting=(
        Tempting("equilibrium_losses = (0.69, 0.69)", "D's loss sums two"),
        Tempting("equilibrium_losses = (-np.log(4), np.log(2))", "value V of the game"),
        Tempting("equilibrium_losses = (0, 0)", "sure of nothing"),
        Tempting("equilibrium_losses = 1.386", "shape"),
    ),
)


balance = Question(
    "balance",
    "After 4,000 steps D's loss has stayed at 1.38 for a long time. What does that tell you?",
    (
        Choice(
            "The samples are now perfect.", "a D that is too weak or too slow sits at 1.386, too, whatever G makes."
        ),
        Choice(
            "D cannot tell the two apart at the moment: G may be good, or D may be weak.",
            "2 log 2 is what any D scores that answers 1/2. Look at samples and at a score before you call it good.",
            right=True,
        ),
        Choice(
            "Training has failed: a loss should go to 0.", "D's loss near 0 means that D wins everything; G starves."
        ),
    ),
)

LESSON = Source(
    name="04_the_training_step",
    given=GIVEN,
    exercises=(discriminator_loss, equilibrium_losses),
    quiz=(balance,),
)
