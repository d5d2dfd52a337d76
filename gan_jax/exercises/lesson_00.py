"""The exercises and the quiz of lesson 00, start here."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from .. import data, metrics, nets, train
from .exercise import Exercise, Tempting
from .progress import Source
from .question import Choice, Question
from .verdict import Wrong, expect, to_array

GIVEN = """
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import data, lab, metrics, nets, plots, train
from gan_jax.train import Gan, Hyperparams
"""


# ---- from a logit to a probability ----


def check_probability(probability):
    logits = np.array([-200.0, -3.0, -0.5, 0.0, 2.0, 200.0])
    one_by_one = np.array([to_array(probability(jnp.float32(a)), "the probability") for a in logits])
    right = 0.5 * (1 + np.tanh(logits / 2))
    with np.errstate(over="ignore"):
        mistakes = [
            (1 - right, "The sign is turned: a large positive logit must mean real, D(x) near 1."),
            (np.tanh(logits), "`tanh` runs from -1 to 1; a probability runs from 0 to 1."),
            (
                np.clip(logits, 0, 1),
                "Clipping is flat outside [0, 1], a step from 0 to 1 everywhere: no gradient would get through. It "
                "must be a curve.",
            ),
            (0.5 + 0.5 * logits / (1 + np.abs(logits)), "It has the right shape, but its odds are not e^logit."),
            (np.logaddexp(0, logits), "This is `softplus`, a loss; the probability is its slope, the sigmoid."),
        ]
    otherwise = "The odds of real to fake must be e^logit: D / (1 - D) = e^a. See hint 2."
    if one_by_one.min() < 0 or one_by_one.max() > 1:
        otherwise = "A probability lies between 0 and 1."
    expect(one_by_one, right, "D at logits -200, -3, -0.5, 0, 2, 200", mistakes, otherwise=otherwise)
    expect(probability(jnp.asarray(logits)), right, "D at an array of logits")
    return "Logit 0 is D undecided, 1/2. Each step of 1 multiplies the odds by e = 2.718."


probability = Exercise(
    name="probability",
    goal="Turn the discriminator's logit into its probability that the sample is real.",
    stub='''
def probability(logit):
    """A logit, or an array of them, comes in; D(x), between 0 and 1, goes out. probability(2.0) is 0.881."""
    return ...
''',
    hints=(
        "You need an S-shaped curve from 0 to 1 that is 1/2 at logit 0. Its name is in the text above.",
        "sigmoid(a) = 1 / (1 + e^-a).",
        "    return 1 divided by (1 plus jnp.exp of minus the logit)\n    or look for it in jax.nn",
    ),
    solution="""
def probability(logit):
    return jax.nn.sigmoid(logit)
""",
    check=check_probability,
    also_right=(
        """
def probability(logit):
    return 1 / (1 + jnp.exp(-logit))
""",
        """
def probability(logit):
    return 0.5 * (1 + jnp.tanh(logit / 2))
""",
    ),
    tempting=(
        Tempting("def probability(logit):\n    return 1 / (1 + jnp.exp(logit))", "sign is turned"),
        Tempting("def probability(logit):\n    return jnp.tanh(logit)", "runs from -1 to 1"),
        Tempting("def probability(logit):\n    return jnp.clip(logit, 0, 1)", "Clipping is flat"),
        Tempting("def probability(logit):\n    return jax.nn.softplus(logit)", "softplus"),
        Tempting("def probability(logit):\n    return jnp.exp(logit) / (1 + jnp.exp(logit))", "NaN"),
    ),
)


# ---- a generator's samples ----


def check_forge(forge):
    shift = lambda z: 3.0 * z + 1.0  # noqa: E731
    key, n = jax.random.key(4), 4000
    drawn = to_array(forge(shift, key, n), "the batch of forgeries", None)
    if drawn.shape != (n, 2):
        turned = " You have it on its side: the samples are the rows." if drawn.shape == (2, n) else ""
        raise Wrong(f"The batch should have shape (n, 2) = {(n, 2)}; yours has {drawn.shape}.{turned}")
    z = (drawn - 1.0) / 3.0
    if np.allclose(drawn.mean(), 0, atol=0.1) and np.allclose(drawn.std(), 1, atol=0.1):
        raise Wrong("These are the latents z themselves; the generator has not been called on them.")
    if np.ptp(z[:, 0]) == 0:
        raise Wrong("All forgeries are the same: each needs a z of its own. Draw z with shape (n, 2).")
    if np.allclose(z[:, 0], z[:, 1]):
        raise Wrong("Both coordinates of z are the same number: draw z with shape (n, 2), not (n, 1).")
    if np.abs(z).max() <= 1.01:
        raise Wrong("z is uniform; this generator expects N(0, 1): use `jax.random.normal`.")
    if abs(z.mean()) > 0.1 or abs(z.std() - 1) > 0.1:
        raise Wrong(f"z should have mean 0 and deviation 1; yours has {z.mean():.2f} and {z.std():.2f}.")
    if np.array_equal(drawn, np.asarray(forge(shift, jax.random.key(5), n))):
        raise Wrong("Another key gives the same forgeries: use the `key` that is handed in, not one of your own.")
    if not np.array_equal(drawn, np.asarray(forge(shift, key, n))):
        raise Wrong("The same key gives other forgeries the second time: draw from `key`, not from NumPy's generator.")
    if not np.allclose(np.asarray(forge(lambda z: -2.0 * z, key, n)), -2.0 * z, atol=1e-4):
        raise Wrong("Another generator gives the same kind of forgeries: call the `generator` that is handed in.")
    return "Same key, same forgeries; new key, new ones. All the chance is in z: G itself is an ordinary function."


forge = Exercise(
    name="forge",
    goal="Draw n samples from a generator: draw latents z from N(0, 1), two numbers a sample, and call G on them.",
    stub='''
def forge(generator, key, n):
    """A generator, a random key and a count come in; n samples, shape (n, 2), go out."""
    return ...
''',
    hints=(
        "JAX draws standard normal numbers with a function in `jax.random`; it wants a key and a shape.",
        "z ~ N(0, I), shape (n, 2); the samples are G(z).",
        "    z = normal numbers from key, of shape (n, 2)\n    return the generator called on z",
    ),
    solution="""
def forge(generator, key, n):
    z = jax.random.normal(key, (n, 2))
    return generator(z)
""",
    check=check_forge,
    also_right=(
        """
def forge(generator, key, n):
    keys = jax.random.split(key, n)
    return generator(jax.vmap(lambda k: jax.random.normal(k, (2,)))(keys))
""",
    ),
    tempting=(
        Tempting("def forge(generator, key, n):\n    return jax.random.normal(key, (n, 2))", "has not been called"),
        Tempting("def forge(generator, key, n):\n    return generator(jax.random.uniform(key, (n, 2)))", "uniform"),
        Tempting(
            "def forge(generator, key, n):\n    return generator(jnp.zeros((n, 2)))", "All forgeries are the same"
        ),
        Tempting("def forge(generator, key, n):\n    return generator(jax.random.normal(key, (2, n)))", "on its side"),
        Tempting(
            "def forge(generator, key, n):\n    return generator(jax.random.normal(jax.random.key(0), (n, 2)))",
            "Another key gives the same",
        ),
        Tempting(
            "def forge(generator, key, n):\n    return generator(np.random.normal(size=(n, 2)))",
            "the second time",
        ),
        Tempting(
            "def forge(generator, key, n):\n    return 3 * jax.random.normal(key, (n, 2)) + 1", "that is handed in"
        ),
    ),
)


# ---- which player is ahead ----

REAL = jnp.array([2.0, 0.2, 1.5, -0.7, 0.1])
FAKE = jnp.array([-2.0, -0.2, 0.3, -1.0, -0.4])


def check_share_right(share_right):
    real, fake = np.asarray(REAL), np.asarray(FAKE)
    probability = lambda a: 1 / (1 + np.exp(-a))  # noqa: E731
    right = ((real > 0).mean() + (fake < 0).mean()) / 2
    mistakes = [
        (1 - right, "This is how often D is wrong."),
        (((real > 0).mean() + (fake > 0).mean()) / 2, "This is how often D says real; of a fake it should say fake."),
        ((real > 0).mean() + (fake < 0).mean(), "The two shares are added; halve them, so that always right is 1."),
        (
            ((real > 0.5).mean() + (fake < 0.5).mean()) / 2,
            "The dividing line of the probability is 0.5; that of the logit is 0.",
        ),
        (
            (probability(real).mean() + (1 - probability(fake)).mean()) / 2,
            "This is D's mean confidence; count its verdicts.",
        ),
        ((real > 0).mean(), "The fakes are missing: D must call them fake."),
        ((fake < 0).mean(), "The real samples are missing: D must call them real."),
        ((real > 0).sum() + (fake < 0).sum(), "This is a number of samples; take the share, from 0 to 1."),
    ]
    answer = share_right(REAL, FAKE)
    if np.shape(answer) == (2,):
        raise Wrong("These are two shares, one of the real samples and one of the fakes; return their mean.")
    expect(answer, right, "the share", mistakes, otherwise="Count real logits above 0 and fake logits below 0.")
    expect(share_right(REAL, REAL), 0.5, "the share where real and fake logits are the same")
    return "1 means that D sees through everything, 1/2 that it could toss a coin: then G is level."


share_right = Exercise(
    name="share_right",
    goal="How often is D right? It calls a sample real when its probability is above 1/2. Average its share of right "
    "verdicts on real samples and on fakes.",
    stub='''
def share_right(real_logits, fake_logits):
    """Logits of n real and n fake samples, shape (n,) each, come in; a share from 0 to 1 goes out.

    share_right(jnp.array([3.0, -1.0]), jnp.array([-2.0, -4.0])) is 0.75: one real sample is missed.
    """
    return ...
''',
    hints=(
        "Which logit stands for a probability of 1/2? The mean of an array of True and False is the share of True.",
        "(share of real logits above 0 + share of fake logits below 0) / 2.",
        "    on_real = mean of (real_logits > 0)\n    on_fake = mean of (fake_logits < 0)\n    return their mean",
    ),
    solution="""
def share_right(real_logits, fake_logits):
    on_real = jnp.mean(real_logits > 0)
    on_fake = jnp.mean(fake_logits < 0)
    return (on_real + on_fake) / 2
""",
    check=check_share_right,
    also_right=(
        """
def share_right(real_logits, fake_logits):
    verdicts = jnp.concatenate([jax.nn.sigmoid(real_logits) > 0.5, jax.nn.sigmoid(fake_logits) <= 0.5])
    return verdicts.mean()
""",
    ),
    tempting=(
        Tempting(
            "def share_right(real_logits, fake_logits):\n"
            "    return (jnp.mean(real_logits > 0) + jnp.mean(fake_logits > 0)) / 2",
            "how often D says real",
        ),
        Tempting(
            "def share_right(real_logits, fake_logits):\n"
            "    return (jnp.mean(real_logits > 0.5) + jnp.mean(fake_logits < 0.5)) / 2",
            "that of the logit is 0",
        ),
        Tempting(
            "def share_right(real_logits, fake_logits):\n"
            "    return jnp.mean(real_logits > 0) + jnp.mean(fake_logits < 0)",
            "halve them",
        ),
        Tempting(
            "def share_right(real_logits, fake_logits):\n"
            "    return (jnp.mean(jax.nn.sigmoid(real_logits)) + jnp.mean(1 - jax.nn.sigmoid(fake_logits))) / 2",
            "mean confidence",
        ),
        Tempting(
            "def share_right(real_logits, fake_logits):\n"
            "    return jnp.mean(real_logits > 0), jnp.mean(fake_logits < 0)",
            "return their mean",
        ),
    ),
)


# ---- counting modes ----

CENTRES = jnp.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 4.0]])
# near (0, 0) four samples, near (4, 0) one, near (0, 4) one at 0.7, nearest to (4, 4) one that is far away: right, the
# squared distance, the nearest mode and the wrong axis give 2, 3, 4 and 5
POINTS = jnp.array([[0.1, 0.1], [0.0, -0.2], [0.3, 0.0], [-0.1, 0.2], [4.0, 0.6], [0.7, 4.0], [3.9, 2.1]])


def check_modes_reached(modes_reached):
    distance = np.linalg.norm(np.asarray(POINTS)[:, None] - np.asarray(CENTRES)[None], axis=-1)
    right = (distance < 0.65).any(axis=0).sum()
    mistakes = [
        (
            (distance < 0.65).any(axis=1).sum(),
            "You counted samples near a mode, not modes near a sample: the other axis.",
        ),
        (
            len(set(distance.argmin(axis=1))),
            "Each sample is nearest to some mode, however far; it counts only within `radius`.",
        ),
        (
            (distance**2 < 0.65).any(axis=0).sum(),
            "The squared distance is compared with the radius: take its square root.",
        ),
        ((distance < 0.65).all(axis=0).sum(), "One sample near a mode is enough: `any`, not `all`. And a distance "
         "belongs to one sample and one centre: a norm over the last axis alone."),
        ((distance < 0.65).any(axis=0).mean(), "This is the share of the modes; return how many."),
    ]  # fmt: skip
    answer = modes_reached(POINTS, CENTRES, 0.65)
    if np.shape(answer) == (4,):
        raise Wrong("This is an answer for each of the 4 modes; return how many of them are reached.")
    expect(answer, right, "the number of modes", mistakes, otherwise="Compare each centre with every sample: (n, k).")
    corner = CENTRES + 0.6  # inside the square of half side 0.65 around each centre, outside the circle
    expect(modes_reached(corner, CENTRES, 0.65), 0, "the number of modes reached from 0.6 right and 0.6 above each",
           [(4, "0.6 right and 0.6 up is 0.85 away: the distance is the root of the sum of squares.")])  # fmt: skip
    near = CENTRES + 0.4  # inside that circle, outside the square that stands on its corner
    expect(modes_reached(near, CENTRES, 0.65), 4, "the number of modes reached from 0.4 right and 0.4 above each",
           [(0, "0.4 right and 0.4 up is 0.57 away: the distance is the root of the sum of squares.")])  # fmt: skip
    return "One sample is enough for a mode to count, so the number says nothing of how good the rest are."


modes_reached = Exercise(
    name="modes_reached",
    goal="Count the modes that the samples reach: those with at least one sample closer than `radius` to their centre.",
    stub='''
def modes_reached(samples, centres, radius):
    """Samples (n, 2) and centres (k, 2) come in; a whole number from 0 to k goes out.

    Samples (0, 0.1) and (0.1, 0), centres (0, 0) and (5, 5), radius 0.5: one mode.
    """
    return ...
''',
    hints=(
        "First every sample against every centre: `samples[:, None, :] - centres[None, :, :]` has shape (n, k, 2). "
        "From it a table of distances, (n, k). Then ask of each column: is anything in it small enough?",
        "|x - c| = sqrt((x1 - c1)^2 + (x2 - c2)^2); mode k counts when min over samples of |x - c_k| < radius.",
        "    distances = norm of the differences, last axis           shape (n, k)\n"
        "    reached = any of (distances < radius) over the samples    shape (k,)\n"
        "    return the sum of reached",
    ),
    solution="""
def modes_reached(samples, centres, radius):
    offsets = samples[:, None, :] - centres[None, :, :]
    distances = jnp.linalg.norm(offsets, axis=-1)
    return jnp.sum(jnp.any(distances < radius, axis=0))
""",
    check=check_modes_reached,
    also_right=(
        """
def modes_reached(samples, centres, radius):
    return sum(bool((jnp.hypot(*(samples - centre).T) < radius).any()) for centre in centres)
""",
    ),
    tempting=(
        Tempting(
            """
def modes_reached(samples, centres, radius):
    offsets = samples[:, None, :] - centres[None, :, :]
    return jnp.sum(jnp.any(jnp.linalg.norm(offsets, axis=-1) < radius, axis=1))
""",
            "the other axis",
        ),
        Tempting(
            """
def modes_reached(samples, centres, radius):
    offsets = samples[:, None, :] - centres[None, :, :]
    return len(jnp.unique(jnp.argmin(jnp.linalg.norm(offsets, axis=-1), axis=1)))
""",
            "only within `radius`",
        ),
        Tempting(
            """
def modes_reached(samples, centres, radius):
    offsets = samples[:, None, :] - centres[None, :, :]
    return jnp.sum(jnp.any(jnp.sum(offsets**2, axis=-1) < radius, axis=0))
""",
            "square root",
        ),
        Tempting(
            """
def modes_reached(samples, centres, radius):
    offsets = samples[:, None, :] - centres[None, :, :]
    return jnp.sum(jnp.any(jnp.all(jnp.abs(offsets) < radius, axis=-1), axis=0))
""",
            "root of the sum of squares",
        ),
        Tempting(
            """
def modes_reached(samples, centres, radius):
    offsets = samples[:, None, :] - centres[None, :, :]
    return jnp.sum(jnp.any(jnp.sum(jnp.abs(offsets), axis=-1) < radius, axis=0))
""",
            "0.57 away",
        ),
        Tempting(
            """
def modes_reached(samples, centres, radius):
    offsets = samples[:, None, :] - centres[None, :, :]
    return jnp.any(jnp.linalg.norm(offsets, axis=-1) < radius, axis=0)
""",
            "how many of them",
        ),
    ),
)


# ---- the planted fault ----


def check_ring_angles(ring_angles):
    for modes in (8, 5):
        angles = to_array(ring_angles(modes), f"ring_angles({modes})", None)
        if angles.shape != (modes,):
            raise Wrong(f"ring_angles({modes}) should have shape ({modes},); yours has {angles.shape}.")
        places = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        apart = np.linalg.norm(places[:, None] - places[None], axis=-1) + 10 * np.eye(modes)
        if np.abs(angles).max() > 50:
            raise Wrong(
                f"An angle of {np.abs(angles).max():g}: are these degrees? `np.cos` wants radians, 2 pi a turn."
            )
        if apart.min() < 1e-3:
            i, j = np.unravel_index(apart.argmin(), apart.shape)
            raise Wrong(
                f"ring_angles({modes}) still has two modes in one place: numbers {min(i, j)} and {max(i, j)}, at "
                f"{angles[min(i, j)]:.2f} and {angles[max(i, j)]:.2f}, a whole turn apart."
            )
        gaps = np.diff(np.sort(np.mod(angles, 2 * np.pi)))
        if not np.allclose(gaps, 2 * np.pi / modes, atol=1e-3):
            raise Wrong(
                f"The {modes} modes are not evenly spaced: gaps from {gaps.min():.2f} to {gaps.max():.2f}; each "
                f"should be 2 pi / {modes} = {2 * np.pi / modes:.2f}."
            )
    return "All modes are apart now. When a score surprises you, check the target and the score before the GAN."


ring_angles = Exercise(
    name="ring_angles",
    goal="Repair the ring: return the angles, in radians, of `modes` evenly spaced places, no two of them the same.",
    stub='''
def ring_angles(modes):
    """A count comes in; as many angles, shape (modes,), go out. For 4: 0, 1.571, 3.142, 4.712."""
    return ...
''',
    hints=(
        "Print the faulty angles. Where is the first one on the circle, and where is the last?",
        "Angle k is 2 pi k / modes, for k = 0 … modes - 1; 2 pi itself is angle 0 again.",
        "    k = 0, 1, …, modes - 1\n    return 2 pi k / modes\n    or look for a keyword of np.linspace about its end",
    ),
    solution="""
def ring_angles(modes):
    return 2 * np.pi * np.arange(modes) / modes
""",
    check=check_ring_angles,
    also_right=(
        "def ring_angles(modes):\n    return np.linspace(0, 2 * np.pi, modes, endpoint=False)",
        "def ring_angles(modes):\n    return jnp.linspace(0, 2 * jnp.pi, modes + 1)[:-1] + 0.3",
    ),
    tempting=(
        Tempting("def ring_angles(modes):\n    return np.linspace(0, 2 * np.pi, modes)", "two modes in one place"),
        Tempting("def ring_angles(modes):\n    return np.linspace(0, 2 * np.pi, modes + 1)", "shape (8,)"),
        Tempting("def ring_angles(modes):\n    return np.linspace(0, 6, modes)", "not evenly spaced"),
        Tempting("def ring_angles(modes):\n    return np.arange(modes) * 360 / modes", "degrees"),
    ),
)


# ---- stretch: the slowest detective that still teaches ----

LIMIT = 1e-3


def check_slowest_detective(answer):
    rate = float(to_array(answer, "the learning rate"))
    if rate < 0:
        raise Wrong(f"A learning rate is not negative; yours is {rate:g}.")
    if rate == 0:
        raise Wrong("At 0 the detective never learns: G only learns to please one that knows nothing.")
    if rate > LIMIT * (1 + 1e-6):  # a float32 is not exactly what was typed
        raise Wrong(f"{rate:g} is faster than asked: the target is a learning rate of {LIMIT:g} or less.")
    modes = _modes_of_five(rate)
    reached = f"at lr_d = {rate:g} the five seeds reach {', '.join(map(str, modes))} modes of 8."
    if sorted(modes)[1] < 8:  # one may fail: training is chaotic, and another machine rounds otherwise
        raise Wrong(f"D is too slow: {reached}")
    return f"Yes: {reached}"


@functools.cache
def _modes_of_five(rate: float) -> list[int]:
    """Modes reached by the lesson's GAN from five seeds; the same call as the notebook's, so compiled once."""
    target = data.ring(8)
    gan = train.Gan(nets.mlp(2, 32, 32, 2), nets.mlp(2, 32, 32, 1), batch_size=128)
    hyper = train.Hyperparams(lr_g=1e-3, lr_d=rate)
    five = train.sweep(gan, hyper, target, jax.random.split(jax.random.key(0), 5), 2000, progress=False)
    return five.score(metrics.modes_covered, target, key=jax.random.key(9)).fillna(0).astype(int).values.tolist()


slowest_detective = Exercise(
    name="slowest_detective",
    goal=f"Find a learning rate of D of at most {LIMIT:g} at which four of five seeds still reach all 8 modes in "
    "2,000 steps. The check trains them: a few seconds.",
    stub="""
slowest_detective = ...  # one number
""",
    hints=(
        "Halve the way between a rate that works and one that fails, and try there.",
        "On a logarithmic scale, half way between a and b is sqrt(a b).",
        "    for each rate you want to try:\n"
        "        clouds, _, _ = five_seeds(Hyperparams(lr_g=1e-3, lr_d=rate))\n"
        "        print rate and score(metrics.modes_covered, clouds)",
    ),
    solution="""
slowest_detective = 9e-4
""",
    check=check_slowest_detective,
    also_right=("slowest_detective = jnp.float32(1e-3)",),
    tempting=(
        Tempting("slowest_detective = 2e-3", "faster than asked"),
        Tempting("slowest_detective = 1e-4", "too slow"),
        Tempting("slowest_detective = 0", "never learns"),
    ),
    stretch=True,
)


# ---- the quiz ----

who_sees_what = Question(
    "who_sees_what",
    "From what does the generator learn?",
    (
        Choice(
            "It looks at real samples and copies them.",
            "G never meets a real sample: real samples go into D only. Look at `loss_g` in the smallest game.",
        ),
        Choice(
            "From the way D's answer changes when a fake changes a little.",
            "that is the gradient of D's answer with respect to the fake, passed on to G's weights.",
            right=True,
        ),
        Choice(
            "Only from D's verdict, real or fake.",
            "A bare verdict has no direction. G gets the slope of D's answer, and that needs D to be differentiable.",
        ),
    ),
)

undecided = Question(
    "undecided",
    "Real and fake are exactly the same distribution, and D is as good as it can be. What does D answer?",
    (
        Choice("1 everywhere: the fakes are perfect, so all looks real.",
               "D would then be wrong on every fake. Nothing tells the two apart, so it can't favour one answer."),
        Choice("0 on fakes and 1 on real samples.",
               "For that it would have to tell them apart, and there is no difference left to see."),
        Choice("1/2 everywhere.", "each sample is as likely to be the one as the other; D's loss is then 2 log 2.",
               right=True),
    ),
)  # fmt: skip

calm_losses = Question(
    "calm_losses",
    "D's loss rests at 2 log 2 and G's at log 2, their values at equilibrium. What have you learned about the fakes?",
    (
        Choice("They are as good as real samples.",
               "The slow detective's losses looked just like that, and its forger's samples were worthless."),
        Choice("Nothing yet: D is undecided, and a D that knows nothing is undecided, too.",
               "look at samples and at a score, next to what a perfect generator scores.", right=True),
        Choice("They are bad: a loss should have gone to 0.",
               "D's loss near 0 would mean that D sees through every fake: then G has lost."),
    ),
)  # fmt: skip

one_run = Question(
    "one_run",
    "You change one dial, train once more, and the run reaches 8 modes where it reached 6 before. Does the dial help?",
    (
        Choice("Yes: 8 is more than 6.",
               "Two runs with the same dials and different seeds can differ by as much; one run each can't tell."),
        Choice("No: a dial can't change the number of modes.",
               "You have seen one that does. The trouble here is the evidence, not the dial."),
        Choice("Not known yet: compare several seeds of each, with their spread.",
               "five of each is the least; if their ranges overlap much, take more.", right=True),
    ),
)  # fmt: skip

LESSON = Source(
    name="00_start_here",
    given=GIVEN,
    exercises=(probability, forge, share_right, modes_reached, ring_angles, slowest_detective),
    quiz=(who_sees_what, undecided, calm_losses, one_run),
)
