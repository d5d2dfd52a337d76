"""The exercises and the quiz of lesson 08, Wasserstein distance and Lipschitz critics."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

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

# ---- the distance on a line ----


def check_transport_line(transport_line):
    draw = np.random.default_rng(8)
    cases = [
        (np.array([3.0, 0.0]), np.array([1.0, 5.5])),
        (draw.normal(size=40), 2 + 0.5 * draw.normal(size=40)),
        (draw.normal(size=41), 0.1 + 2 * draw.normal(size=41)),
    ]
    for x, y in cases:
        a, b = np.sort(x), np.sort(y)
        mistakes = [
            (abs(x - y).mean(), "You pair the numbers as they happen to stand. The cheapest plan pairs the smallest "
             "with the smallest, and so on: sort both."),
            (abs(x.mean() - y.mean()), "This is the distance of the two means. Heaps with one mean may differ."),
            (np.sqrt(((a - b) ** 2).mean()), "This is W2: it squares each way. W1 takes mass times distance."),
            (((a - b) ** 2).mean(), "This squares each way. W1 takes mass times distance."),
            (abs(a - b).sum(), "Each of the n points has mass 1/n: take the mean, not the sum."),
            (abs(x[:, None] - y).mean(), "This is the mean over all pairs: each point is carried everywhere."),
            (abs(x[:, None] - y).min(axis=1).mean(), "Here each point goes to the nearest; two may take one partner."),
            (abs(a - b[::-1]).mean(), "Smallest with largest: that is the dearest plan."),
            ((a - b).mean(), "Ways to the left and ways to the right cancel here: take absolute values."),
            (abs(np.argsort(x) - np.argsort(y)).mean(), "These are places in a list: `argsort` says where the numbers "
             "stand, `sort` gives the numbers."),
            (abs(a - y).mean(), "Only x is sorted here: sort both."),
            (abs(x - b).mean(), "Only y is sorted here: sort both."),
        ]  # fmt: skip
        found = transport_line(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32))
        expect(found, abs(a - b).mean(), f"W1 of {len(x)} numbers", mistakes, tolerance=1e-3, several=AVERAGE,
               otherwise="Sort both; then the mean of |difference|.")  # fmt: skip
    return (
        "On a line, sorting is the whole of optimal transport. In the plane there is no order, and it takes a search."
    )


transport_line = Exercise(
    name="transport_line",
    goal="Compute W1 of two samples on the line, with as many points each.",
    stub='''
def transport_line(x, y):
    """Two samples on the line, shape (n,) each, come in; W1, a number, goes out."""
    return ...
''',
    hints=(
        "Two ways that cross can be uncrossed without costing more. What plan has no crossings?",
        "W1 = mean of |x_(i) - y_(i)|, where (i) counts from the smallest.",
        "    sort x, sort y\n    return the mean of the absolute differences",
    ),
    solution="""
def transport_line(x, y):
    return jnp.mean(jnp.abs(jnp.sort(x) - jnp.sort(y)))
""",
    check=check_transport_line,
    also_right=(
        "def transport_line(x, y):\n"
        "    return float(np.abs(np.sort(np.asarray(x)) - np.sort(np.asarray(y))).sum() / len(x))",
        """
def transport_line(x, y):
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    both = np.sort(np.concatenate([x, y]))  # the area between the two distribution functions
    f, g = ((both[:-1, None] >= points).mean(axis=1) for points in (x, y))
    return np.sum(np.abs(f - g) * np.diff(both))
""",
        """
@jax.jit
def transport_line(x, y):
    return jnp.abs(x[jnp.argsort(x)] - y[jnp.argsort(y)]).mean()
""",
    ),
    tempting=(
        Tempting("def transport_line(x, y):\n    return jnp.mean(jnp.abs(x - y))", "as they happen to stand"),
        Tempting("def transport_line(x, y):\n    return abs(jnp.mean(x) - jnp.mean(y))", "distance of the two means"),
        Tempting(
            "def transport_line(x, y):\n    return jnp.sqrt(jnp.mean((jnp.sort(x) - jnp.sort(y)) ** 2))",
            "This is W2",
        ),
        Tempting("def transport_line(x, y):\n    return jnp.sum(jnp.abs(jnp.sort(x) - jnp.sort(y)))", "take the mean"),
        Tempting(
            "def transport_line(x, y):\n    return jnp.mean(jnp.abs(x[:, None] - y[None]).min(axis=1))",
            "two may take one partner",
        ),
        Tempting("def transport_line(x, y):\n    return 3.0", "Sort both"),
    ),
)


# ---- what any critic guarantees ----


def check_guaranteed(guaranteed):
    draw = np.random.default_rng(80)
    for n, m in ((6, 6), (9, 5)):
        real, fake = draw.normal(size=(n, 2)), 1.5 + draw.normal(size=(m, 2))
        f_real, f_fake = 3 - 2 * real[:, 0] + 0.8 * draw.normal(size=n), 3 - 2 * fake[:, 0] + 0.3 * draw.normal(size=m)
        away = np.linalg.norm(real[:, None] - fake, axis=2)
        slope = (f_real[:, None] - f_fake) / away
        told = f_real.mean() - f_fake.mean()
        points, f = np.concatenate([real, fake]), np.concatenate([f_real, f_fake])
        own = np.linalg.norm(points[:, None] - points, axis=2) + np.eye(n + m)
        mistakes = [
            (told, "This is the bare estimate. A critic of slope 5 tells five times too much: divide by its slope."),
            (told / slope.mean(), "This divides by the mean slope. The rule is about every pair, so the largest "
             "counts."),
            (told * slope.max(), "Divide by the slope; you multiply."),
            (-told / slope.max(), "The sign is turned: real minus fake."),
            (told / np.abs(slope).max(), "This takes the slope from real down to fake, too. A plan only asks that "
             "φ(x) - φ(y) be at most |x - y|: without the absolute value."),
            (told / (abs(f[:, None] - f) / own).max(), "This looks at pairs within one cloud, too. It is a bound, "
             "but a looser one: a plan joins real to fake only."),
            (told / (f_real[:, None] - f_fake).max(), "Divide the differences by the distances first."),
            (told / away.max(), "This is a distance, not a slope: (φ(x) - φ(y)) / |x - y|."),
            (1 / slope.max(), "The estimate itself is missing."),
            (told / slope.min(), "The least slope keeps no rule: divide by the largest."),
            (told / (slope / away).max(), "|x - y| is the root of the sum of squares; the root is missing."),
            (told / ((f_real[:, None] - f_fake) / np.abs(real[:, None] - fake).sum(axis=2)).max(), "This adds up "
             "coordinates; |x - y| is the root of the sum of their squares."),
            *([(told / np.diag(slope).max(), "This looks at pairs i, i only. Every real point with every fake one.")]
              if n == m else []),
        ]  # fmt: skip
        arrays = (jnp.asarray(each, jnp.float32) for each in (f_real, f_fake, real, fake))
        found = guaranteed(*arrays)
        if np.ndim(found):
            raise Wrong("One bound is wanted, one number. Pair every real point with every fake one (f_real[:, None] - "
                        "f_fake has shape (n, m)), take the largest slope of all, and divide the difference of the two "
                        "means by it.")  # fmt: skip
        expect(found, told / slope.max(), f"the bound for {n} real and {m} fake points", mistakes,
               tolerance=2e-3, otherwise="(mean f_real - mean f_fake) / max over all pairs of "
               "(φ(x) - φ(y)) / |x - y|.")  # fmt: skip
    return "Whatever holds a critic, and however badly it is trained: this number is never more than W1."


guaranteed = Exercise(
    name="guaranteed",
    goal="From what any critic says of real and fake points, compute a number that is certainly no more than W1.",
    stub='''
def guaranteed(f_real, f_fake, real, fake):
    """Values (n,) and (m,) at points (n, d) and (m, d) come in; a lower bound on W1, a number, goes out."""
    return ...
''',
    hints=(
        "How steep is this critic, at the worst pair of one real and one fake point? Divided by that, it keeps the "
        "rule.",
        "K = max over pairs of (φ(x_i) - φ(y_j)) / |x_i - y_j|; the bound is (mean φ(x) - mean φ(y)) / K.",
        "    away = norm of real[:, None] - fake[None], over the last axis\n"
        "    slope = (f_real[:, None] - f_fake[None]) / away\n    return (mean - mean) / slope.max()",
    ),
    solution="""
def guaranteed(f_real, f_fake, real, fake):
    away = jnp.linalg.norm(real[:, None] - fake[None], axis=-1)
    steepness = jnp.max((f_real[:, None] - f_fake[None]) / away)
    return (jnp.mean(f_real) - jnp.mean(f_fake)) / steepness
""",
    check=check_guaranteed,
    also_right=(
        """
def guaranteed(f_real, f_fake, real, fake):
    steep = max(float(a - b) / float(np.linalg.norm(np.asarray(x) - np.asarray(y)))
                for a, x in zip(f_real, real) for b, y in zip(f_fake, fake))
    return float(f_real.mean() - f_fake.mean()) / steep
""",
        """
def guaranteed(f_real, f_fake, real, fake):
    pair = lambda a, x: jax.vmap(lambda b, y: (a - b) / jnp.sqrt(jnp.sum((x - y) ** 2)))(f_fake, fake)
    scaled = 1 / jax.vmap(pair)(f_real, real).max()
    return jnp.mean(f_real * scaled) - jnp.mean(f_fake * scaled)
""",
    ),
    tempting=(
        Tempting(
            "def guaranteed(f_real, f_fake, real, fake):\n    return f_real.mean() - f_fake.mean()", "bare estimate"
        ),
        Tempting(
            """
def guaranteed(f_real, f_fake, real, fake):
    slope = (f_real[:, None] - f_fake) / jnp.linalg.norm(real[:, None] - fake, axis=2)
    return (f_real.mean() - f_fake.mean()) / slope.mean()
""",
            "the largest counts",
        ),
        Tempting(
            """
def guaranteed(f_real, f_fake, real, fake):
    slope = abs(f_real[:, None] - f_fake) / jnp.linalg.norm(real[:, None] - fake, axis=2)
    return (f_fake.mean() - f_real.mean()) / slope.max()
""",
            "the bound for 6",
        ),
        Tempting(
            """
def guaranteed(f_real, f_fake, real, fake):
    n = min(len(real), len(fake))
    slope = (f_real[:n] - f_fake[:n]) / jnp.linalg.norm(real[:n] - fake[:n], axis=1)
    return (f_real.mean() - f_fake.mean()) / slope.max()
""",
            "pairs i, i only",
        ),
        Tempting(
            """
def guaranteed(f_real, f_fake, real, fake):
    x, f = jnp.concatenate([real, fake]), jnp.concatenate([f_real, f_fake])
    slope = abs(f[:, None] - f) / (jnp.linalg.norm(x[:, None] - x, axis=2) + jnp.eye(len(x)))
    return (f_real.mean() - f_fake.mean()) / slope.max()
""",
            "a looser one",
        ),
    ),
)


# ---- how steep a clipped network can be ----


def _clipped(widths: tuple[int, ...], c: float) -> float:
    return float(np.prod([c * np.sqrt(a * b) for a, b in itertools.pairwise(widths)]))


def check_clipped_slope(clipped_slope):
    for widths, c in (((2, 64, 64, 1), 0.1), ((3, 5, 1), 0.5), ((784, 512, 256, 1), 0.01)):
        layers = list(itertools.pairwise(widths))
        product = lambda each, c=c, layers=layers: float(np.prod([c * each(a, b) for a, b in layers]))  # noqa: E731
        mistakes = [
            (c ** len(layers), "The sizes of the layers are missing: a row of many small weights is no small thing."),
            (product(lambda a, b: a * b), "The norm of a matrix of equal entries c is c sqrt(rows columns): the "
             "root is missing."),
            (product(lambda a, b: a), "Count outputs, too: c sqrt(inputs outputs) for each layer."),
            (product(lambda a, b: b), "Count inputs, too: c sqrt(inputs outputs) for each layer."),
            (product(lambda a, b: np.sqrt(a)), "Count outputs, too: c sqrt(inputs outputs) for each layer."),
            (product(lambda a, b: np.sqrt(b)), "Count inputs, too: c sqrt(inputs outputs) for each layer."),
            (product(lambda a, b: np.sqrt(a + b)), "A matrix has inputs times outputs entries, not their sum."),
            (product(lambda a, b: np.sqrt(a * b + b)), "Biases shift a layer's output; they don't make it "
             "steeper."),
            (sum(c * np.sqrt(a * b) for a, b in layers), "Layers stand one after the other: their slopes multiply."),
            (max(c * np.sqrt(a * b) for a, b in layers), "Layers stand one after the other: their slopes multiply."),
            (_clipped(widths, c) / c ** (len(layers) - 1), "c stands in every layer: it multiplies each time."),
            (c, "c bounds a single weight, not the slope of the network."),
            (c * sum(a * b for a, b in layers), "Counting weights is no slope: a layer has c sqrt(inputs outputs)."),
            (c ** len(widths) * np.prod(widths), "Go over the layers, not over the widths: there is one layer fewer."),
            (c * np.sqrt(np.prod(widths)), "c stands in every layer, and every width between counts in two layers."),
        ]  # fmt: skip
        expect(clipped_slope(widths, c), _clipped(widths, c), f"the largest slope for widths {widths}, c = {c}",
               mistakes, tolerance=1e-3, otherwise="Multiply c sqrt(inputs outputs) over the layers.")  # fmt: skip
    return "With all weights at +c it is reached: for 2-64-64-1 that is 0.0058 at c = 0.01, and 5.8 at c = 0.1."


clipped_slope = Exercise(
    name="clipped_slope",
    goal="Find the largest slope that a ReLU network can have when all its weights lie in [-c, c].",
    stub='''
def clipped_slope(widths, c):
    """Widths such as (2, 64, 64, 1) and the clip c come in; the largest possible slope, a number, goes out."""
    return ...
''',
    hints=(
        "A layer stretches a vector by at most the norm of its matrix, and ReLU by at most 1. Which matrix with "
        "entries in [-c, c] stretches most?",
        "All entries c: its norm is c sqrt(rows columns). Slopes of layers in a row multiply.",
        "    slope = 1\n    for each pair of neighbouring widths a, b:\n        slope = slope * c * sqrt(a * b)",
    ),
    solution="""
def clipped_slope(widths, c):
    slope = 1.0
    for inputs, outputs in zip(widths[:-1], widths[1:]):
        slope = slope * c * np.sqrt(inputs * outputs)
    return slope
""",
    check=check_clipped_slope,
    also_right=(
        """
def clipped_slope(widths, c):
    matrices = [np.full((a, b), c) for a, b in zip(widths, widths[1:])]
    return np.linalg.norm(np.linalg.multi_dot(matrices) if len(matrices) > 1 else matrices[0])
""",
        """
def clipped_slope(widths, c):
    inner = jnp.prod(jnp.array(widths[1:-1], float))
    return c ** (len(widths) - 1) * inner * jnp.sqrt(widths[0] * widths[-1])
""",
    ),
    tempting=(
        Tempting("def clipped_slope(widths, c):\n    return c ** (len(widths) - 1)", "sizes of the layers are missing"),
        Tempting("def clipped_slope(widths, c):\n    return c", "a single weight"),
        Tempting(
            "def clipped_slope(widths, c):\n    return np.prod([c * a * b for a, b in zip(widths, widths[1:])])",
            "the root is missing",
        ),
        Tempting(
            "def clipped_slope(widths, c):\n    return sum(c * np.sqrt(a * b) for a, b in zip(widths, widths[1:]))",
            "slopes multiply",
        ),
        Tempting(
            "def clipped_slope(widths, c):\n"
            "    return np.prod([c * np.sqrt(a * b + b) for a, b in zip(widths, widths[1:])])",
            "Biases shift",
        ),
    ),
)


# ---- the gradient penalty ----

FAR, MANY = 3.5, 1024
"""Distance of all fakes from all real points in the test of where the penalty is taken, and samples in every test."""


def _bowl(x):
    return 0.5 * jnp.sum(x**2, axis=-1)  # its gradient at x is x itself


def _cone(x):
    return jnp.sqrt(jnp.sum(x**2, axis=-1) + 1e-12)  # slope 1 everywhere, away from its tip


def _places(kind: str, n: int = 20_000) -> float:
    """The mean of `(norm - 1)^2` of `_bowl` for points at 0 and at FAR on the diagonal, mixed in a known way."""
    draw = np.random.default_rng(0)
    fake = np.full((n, 2), FAR / np.sqrt(2))
    weights: dict[str, Any] = {
        "segment": lambda: draw.uniform(size=(n, 1)),
        "coordinate": lambda: draw.uniform(size=(n, 2)),
        "normal": lambda: draw.normal(size=(n, 1)),
        "real": lambda: 1.0,
        "fake": lambda: 0.0,
        "middle": lambda: 0.5,
        "symmetric": lambda: draw.uniform(-1, 1, size=(n, 1)),
    }
    norm = np.linalg.norm((1 - weights[kind]()) * fake, axis=1)
    return float(((norm - 1) ** 2).mean())


PLACES: dict[str, str] = {
    "coordinate": "Each coordinate has a weight of its own: the place leaves the segment, and fills a box. One weight "
    "a sample, shape (n, 1).",
    "normal": "The mixing weight is drawn from a normal: places lie outside the segment. Draw it from uniform(0, 1).",
    "real": "The slope is taken at the real points only. Take it between: at u x + (1 - u) y.",
    "fake": "The slope is taken at the fakes only. Take it between: at u x + (1 - u) y.",
    "middle": "The slope is taken in the middle of every pair. Draw u anew for each sample.",
    "symmetric": "The weight is drawn from -1 to 1: places lie outside the segment. Draw it from uniform(0, 1).",
}


def _slope_mistakes(g: np.ndarray, n: int) -> list[tuple[float, str]]:
    norm = float(np.linalg.norm(g))
    return [
        ((norm**2 - 1) ** 2, "This is the square of the norm, less 1: the root is missing."),
        (float(((abs(g) - 1) ** 2).mean()), "Each coordinate is asked for slope 1 by itself (a penalty per pixel). The "
         "norm is over all coordinates of a sample."),
        (float(((abs(g) - 1) ** 2).sum()), "Each coordinate is asked for slope 1 by itself (a penalty per pixel). The "
         "norm is over all coordinates of a sample."),
        (n * (norm - 1) ** 2, "Take the mean over the samples, not the sum."),
        (10 * (norm - 1) ** 2, "The weight 10 comes later: return the penalty alone."),
        (norm**2, "This asks for slope 0, as R1 does: subtract 1 from the norm before squaring."),
        (norm**2 / 2, "This is R1: it asks for slope 0. Subtract 1 from the norm before squaring."),
        (norm - 1, "Square the difference: too flat counts as much as too steep."),
        (abs(norm - 1), "Square the difference."),
        (max(norm - 1, 0.0) ** 2, "This is the one-sided penalty; the two-sided one is asked for: a slope below 1 "
         "counts, too."),
        ((norm * np.sqrt(n) - 1) ** 2, "This is the norm over the whole batch: one number. Each sample has its own."),
        ((norm / n - 1) ** 2, "This is the slope of the batch's mean: n times too small. Differentiate the sum."),
    ]  # fmt: skip


def check_gradient_penalty(gradient_penalty):
    key, draw = jax.random.key(8), np.random.default_rng(88)
    real, fake = (jnp.asarray(draw.normal(size=(MANY, 2)), jnp.float32) for _ in range(2))
    for slope in ((3.0, 4.0), (0.3, 0.4)):
        found = gradient_penalty(lambda x, slope=slope: x @ jnp.array(slope), real, fake, key)
        wanted = (np.hypot(*slope) - 1) ** 2
        expect(found, wanted, f"the penalty of D(x) = {slope[0]:g} x1 + {slope[1]:g} x2",
               _slope_mistakes(np.array(slope), MANY), tolerance=2e-3, several=AVERAGE,
               otherwise="The norm of the gradient in x is the same everywhere here: take 1 from it, and "
               "square.")  # fmt: skip
    angle = jnp.arange(MANY) * 2 * jnp.pi / MANY
    ring = jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)  # each gradient of the cone has norm 1, their mean is 0
    mistakes = [
        (1.0, "This is the norm of the batch's mean gradient: slopes of 1 in all directions cancel to 0. Each "
         "sample has its own norm; the mean comes last."),
        ((MANY**0.5 - 1) ** 2, "This is the norm over the whole batch. Each sample has its own; the mean comes last."),
    ]  # fmt: skip
    expect(
        gradient_penalty(_cone, ring, ring, key),
        0.0,
        "the penalty of a cone, of slope 1 in every direction",
        mistakes,
        tolerance=2e-3,
        otherwise="Each sample has its own norm, 1 here; the mean comes last.",
    )
    _check_places(gradient_penalty)
    slope = jax.grad(lambda w: jnp.sum(gradient_penalty(lambda x: x @ (w * jnp.ones(2)), real, fake, key)))(0.0)
    if not np.isfinite(np.asarray(slope)):
        raise Wrong("For a critic that is flat the gradient of your penalty is NaN: the root has an infinite slope at "
                    "0. Use `safe_sqrt`, or add 1e-12 under the root.")  # fmt: skip
    return "Per example, on segments, two-sided, and safe where the critic is flat: it can go straight into training."


def _check_places(gradient_penalty: Any) -> None:
    real, fake = jnp.zeros((MANY, 2)), jnp.full((MANY, 2), FAR / np.sqrt(2))
    found = np.array([to_array(gradient_penalty(_bowl, real, fake, jax.random.key(i)), "the penalty")
                      for i in range(8)])  # fmt: skip
    near = lambda value: abs(found.mean() - value) < 0.1 + 0.05 * value  # noqa: E731
    wanted = _places("segment")
    if np.ptp(found) > 1 + 0.2 * found.mean():
        raise Wrong("One mixing weight for the whole batch: the penalty jumps from key to key. Draw one a sample, "
                    "shape (n, 1).")  # fmt: skip
    if near(wanted):
        return
    reasons = [says for kind, says in PLACES.items() if near(_places(kind))]
    raise Wrong(f"For a bowl of slope |x|, with real points at 0 and fakes {FAR} away, the penalty is {found[0]:.3f}; "
                f"it should be near {wanted:.3f}. {(reasons or ['Look at where you take the slope.'])[0]}")  # fmt: skip


gradient_penalty = Exercise(
    name="gradient_penalty",
    goal="Write the two-sided gradient penalty, without its weight, so that it can go into training.",
    stub='''
def gradient_penalty(critic, real, fake, key):
    """critic: (n, d) to (n,); points (n, d) each, and a key, come in; mean of (|gradient| - 1)^2 goes out."""
    return ...
''',
    hints=(
        "One uniform number a sample mixes real and fake. The gradient of the *sum* of the critic's values is each "
        "sample's own gradient.",
        "x = u x_r + (1 - u) x_f, u of shape (n, 1);  mean_i (|grad φ(x_i)| - 1)^2, the norm over the coordinates, "
        "with a root that is safe at 0.",
        "    u = uniform(key, (n, 1))\n    x = u * real + (1 - u) * fake\n"
        "    g = grad(lambda x: sum of critic(x))(x)\n    norm = sqrt(sum of g^2 over axis 1, plus 1e-12)\n"
        "    return mean of (norm - 1)^2",
    ),
    solution="""
def gradient_penalty(critic, real, fake, key):
    u = jax.random.uniform(key, (len(real), 1))
    between = u * real + (1 - u) * fake
    gradient = jax.grad(lambda x: jnp.sum(critic(x)))(between)
    norm = jnp.sqrt(jnp.sum(gradient**2, axis=1) + 1e-12)
    return jnp.mean((norm - 1) ** 2)
""",
    check=check_gradient_penalty,
    also_right=(
        """
from gan_jax import losses
def gradient_penalty(critic, real, fake, key):
    return losses.wgan_gp.function(critic, real, fake, key)
""",
        """
def gradient_penalty(critic, real, fake, key):
    weight_key, order_key = jax.random.split(key)
    u = jax.random.uniform(weight_key, real.shape[:1])[:, None]
    x = fake + u * (jax.random.permutation(order_key, real) - fake)
    slope = jax.vmap(jax.grad(lambda one: critic(one[None])[0]))(x)
    square = jnp.sum(slope**2, axis=-1)
    norm = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0)
    return jnp.square(norm - 1).mean()
""",
    ),
    tempting=(
        Tempting(
            """
def gradient_penalty(critic, real, fake, key):
    u = jax.random.uniform(key, (len(real), 1))
    g = jax.grad(lambda x: jnp.sum(critic(x)))(u * real + (1 - u) * fake)
    return (jnp.sqrt(jnp.sum(g.mean(axis=0) ** 2) + 1e-12) - 1) ** 2
""",
            "mean gradient",
        ),
        Tempting(
            """
def gradient_penalty(critic, real, fake, key):
    u = jax.random.uniform(key, (len(real), 1))
    g = jax.grad(lambda x: jnp.sum(critic(x)))(u * real + (1 - u) * fake)
    return jnp.mean((jnp.abs(g) - 1) ** 2)
""",
            "per pixel",
        ),
        Tempting(
            """
def gradient_penalty(critic, real, fake, key):
    u = jax.random.normal(key, (len(real), 1))
    g = jax.grad(lambda x: jnp.sum(critic(x)))(u * real + (1 - u) * fake)
    return jnp.mean((jnp.sqrt(jnp.sum(g**2, axis=1) + 1e-12) - 1) ** 2)
""",
            "drawn from a normal",
        ),
        Tempting(
            """
def gradient_penalty(critic, real, fake, key):
    u = jax.random.uniform(key, (len(real), 1))
    g = jax.grad(lambda x: jnp.sum(critic(x)))(u * real + (1 - u) * fake)
    return jnp.mean((jnp.linalg.norm(g, axis=1) - 1) ** 2)
""",
            "is NaN",
        ),
        Tempting(
            """
def gradient_penalty(critic, real, fake, key):
    u = jax.random.uniform(key)
    g = jax.grad(lambda x: jnp.sum(critic(x)))(u * real + (1 - u) * fake)
    return jnp.mean((jnp.sqrt(jnp.sum(g**2, axis=1) + 1e-12) - 1) ** 2)
""",
            "One mixing weight for the whole batch",
        ),
        Tempting(
            """
def gradient_penalty(critic, real, fake, key):
    u = jax.random.uniform(key, real.shape)
    g = jax.grad(lambda x: jnp.sum(critic(x)))(u * real + (1 - u) * fake)
    return jnp.mean((jnp.sqrt(jnp.sum(g**2, axis=1) + 1e-12) - 1) ** 2)
""",
            "Each coordinate has a weight of its own",
        ),
        Tempting(
            """
def gradient_penalty(critic, real, fake, key):
    g = jax.grad(lambda x: jnp.sum(critic(x)))(real)
    return 0.5 * jnp.mean(jnp.sum(g**2, axis=1))
""",
            "This is R1",
        ),
        Tempting(
            """
def gradient_penalty(critic, real, fake, key):
    u = jax.random.uniform(key, (len(real), 1))
    g = jax.grad(lambda x: jnp.mean(critic(x)))(u * real + (1 - u) * fake)
    return jnp.mean((jnp.sqrt(jnp.sum(g**2, axis=1) + 1e-12) - 1) ** 2)
""",
            "Differentiate the sum",
        ),
    ),
)


# ---- power iteration ----


def _rounds(weights: np.ndarray, u: np.ndarray, steps: int) -> tuple[float, np.ndarray]:
    v = np.zeros(weights.shape[1])
    for _ in range(steps):
        v = weights.T @ u
        v = v / np.linalg.norm(v)
        u = weights @ v
        u = u / np.linalg.norm(u)
    return float(u @ weights @ v), u


def check_spectral_norm(spectral_norm):
    draw = np.random.default_rng(18)
    for rows, columns, steps in ((5, 8, 1), (7, 4, 2), (5, 8, 300), (6, 6, 300)):
        weights, u = draw.normal(size=(rows, columns)), draw.normal(size=rows)
        u = u / np.linalg.norm(u)
        right, last = _rounds(weights, u, steps)
        half_on = float(np.linalg.norm(weights.T @ last))  # as good: half a round further
        found = spectral_norm(jnp.asarray(weights, jnp.float32), jnp.asarray(u, jnp.float32), steps)
        what = f"the norm of a {rows} x {columns} matrix after {steps} round{'s' * (steps > 1)}"
        if np.shape(found) in ((rows,), (columns,)):
            raise Wrong("That is a direction, u or v. How much W stretches it is wanted, one number: the length of "
                        "W v.")  # fmt: skip
        if to_array(found, what).shape == () and np.isclose(float(found), half_on, rtol=1e-3):
            continue
        raw = u
        for _ in range(min(steps, 2)):
            raw = weights @ (weights.T @ raw)
        mistakes = [
            (np.linalg.norm(weights), "This is the root of the sum of all squares (the Frobenius norm). It is never "
             "smaller, and for wide layers much larger."),
            (right**2, "This is its square: |W' W v| belongs to W' W."),
            (half_on**2, "This is its square: an eigenvalue of W W'."),
            (np.abs(weights).max(), "This is the largest entry."),
            (np.linalg.norm(weights, np.inf), "This is the largest row sum, another norm."),
            (np.linalg.norm(weights, 1), "This is the largest column sum, another norm."),
            (np.linalg.norm(weights, "nuc"), "This is the sum of all singular values: the largest one is wanted."),
            (np.linalg.norm(weights.T @ u), "No round has changed u: feed the new u into the next round."),
            (np.linalg.norm(raw), "u has not been brought to length 1."),
            (_rounds(weights, u, 1)[0], "One round only: repeat it `steps` times, with the new u."),
            (np.linalg.norm(weights, 2), "This is the exact value. The estimate after so few rounds is wanted, as "
             "spectral norm uses it."),
            (1.0, "A direction of length 1 has length 1. The norm is |W v|."),
        ]  # fmt: skip
        expect(found, right, what, mistakes, tolerance=2e-3,
               otherwise="v = W' u / |W' u|, then u = W v / |W v|, so many times; then |W v|.")  # fmt: skip
    return "A training step needs only one round: the weights move little, so last step's u is nearly right already."


spectral_norm = Exercise(
    name="spectral_norm",
    goal="Estimate the largest singular value of a matrix by rounds of power iteration.",
    stub='''
def spectral_norm(W, u, steps):
    """A matrix (rows, columns), a direction u (rows,) of length 1 and a count come in; the norm of W goes out."""
    return ...
''',
    hints=(
        "A vector that goes through W' and back through W turns towards the direction that W stretches most.",
        "Each round: v = W' u / |W' u|, u = W v / |W v|. In the end the norm is |W v| = u' W v.",
        "    repeat steps times:\n        v = W.T @ u, divided by its length\n        u = W @ v\n"
        "        norm = length of u\n        u = u / norm\n    return norm",
    ),
    solution="""
def spectral_norm(W, u, steps):
    for _ in range(steps):
        v = W.T @ u
        v = v / jnp.linalg.norm(v)
        u = W @ v
        norm = jnp.linalg.norm(u)
        u = u / norm
    return norm
""",
    check=check_spectral_norm,
    also_right=(
        """
def spectral_norm(W, u, steps):
    unit = lambda x: x / jnp.sqrt(jnp.sum(x**2))
    u = jax.lax.fori_loop(0, steps, lambda i, u: unit(W @ unit(W.T @ u)), u)
    return jnp.linalg.norm(W.T @ u)
""",
        """
def spectral_norm(W, u, steps):
    W, u = np.asarray(W, np.float64), np.asarray(u, np.float64)
    for _ in range(steps):
        v = W.T @ u / np.linalg.norm(W.T @ u)
        u = W @ v / np.linalg.norm(W @ v)
    return float(u @ W @ v)
""",
    ),
    tempting=(
        Tempting("def spectral_norm(W, u, steps):\n    return jnp.linalg.norm(W)", "Frobenius"),
        Tempting("def spectral_norm(W, u, steps):\n    return jnp.linalg.norm(W, 2)", "This is the exact value"),
        Tempting("def spectral_norm(W, u, steps):\n    return jnp.abs(W).max()", "largest entry"),
        Tempting(
            """
def spectral_norm(W, u, steps):
    for _ in range(steps):
        v = W.T @ u
        v = v / jnp.linalg.norm(v)
    return jnp.linalg.norm(W @ v)
""",
            "One round only",
        ),
        Tempting(
            """
def spectral_norm(W, u, steps):
    for _ in range(steps):
        u = W @ (W.T @ u)
        norm = jnp.linalg.norm(u)
        u = u / norm
    return jnp.sqrt(norm) ** 2
""",
            "after 1 round",
        ),
        Tempting(
            """
def spectral_norm(W, u, steps):
    for _ in range(steps):
        u = W @ (W.T @ u) / 1e3
    return jnp.linalg.norm(u)
""",
            "after 1 round",
        ),
    ),
)


# ---- break it: a loss that can't tell far from farther ----


def check_critic_loss(critic_loss):
    draw = np.random.default_rng(28)
    for n, shift in ((8, 2.0), (5, -40.0)):
        real, fake = draw.normal(size=n) + shift, 2 * draw.normal(size=n) - 1
        squash = lambda a: 1 / (1 + np.exp(-a))  # noqa: E731
        right = fake.mean() - real.mean()
        mistakes = [
            (squash(real).mean() - squash(fake).mean(), "The sigmoid is still there, and so is the wrong sign."),
            (squash(fake).mean() - squash(real).mean(), "The sigmoid is still there: the gap can never be more than 1, "
             "however far apart the clouds are."),
            (-abs(right), "With an absolute value the critic may put real below fake, and G then runs away from it."),
            (-right, "The sign: a loss is minimised, and the critic wants real high and fake low."),
            (np.logaddexp(0, -real).mean() + np.logaddexp(0, fake).mean(), "This is the cross-entropy of lesson 02: "
             "its optimum is a log ratio, not a distance."),
            (abs(right), "With an absolute value the critic may put real below fake, and G then runs away from it."),
            (np.maximum(1 - real, 0).mean() + np.maximum(1 + fake, 0).mean(), "This is the hinge loss: it stops "
             "at 1."),
            (fake.sum() - real.sum(), "Take means, not sums: the batch size must not count."),
            (fake.mean(), "The real samples are missing."),
            (-real.mean(), "The fakes are missing."),
            (-fake.mean(), "This is G's loss."),
            (right**2, "Not squared: the estimate itself, with its sign turned."),
            ]  # fmt: skip
        found = critic_loss(jnp.asarray(real, jnp.float32), jnp.asarray(fake, jnp.float32))
        expect(found, right, "the critic's loss", mistakes, tolerance=1e-3, several=AVERAGE,
               otherwise="mean over fakes minus mean over real samples, of the bare outputs.")  # fmt: skip
    return "Repaired. Minus this loss is the critic's estimate of K times W1, for a critic of slope at most K."


critic_loss = Exercise(
    name="critic_loss",
    goal="Repair the critic's loss of a Wasserstein GAN; it is minimised.",
    stub='''
def critic_loss(real_logits, fake_logits):
    """The critic's outputs on n real and n fake samples, shape (n,) each, come in; its loss, a number, goes out."""
    return ...
''',
    hints=(
        "What is the largest gap that two means of sigmoids can have? And which sign lets the gap grow under descent?",
        "L = mean φ(y) - mean φ(x), with y fake, x real, and φ without any sigmoid.",
        "    return mean of fake_logits - mean of real_logits",
    ),
    solution="""
def critic_loss(real_logits, fake_logits):
    return jnp.mean(fake_logits) - jnp.mean(real_logits)
""",
    check=check_critic_loss,
    also_right=(
        """
from gan_jax import losses
def critic_loss(real_logits, fake_logits):
    return losses.wasserstein.discriminator(real_logits, fake_logits)
""",
        "def critic_loss(real_logits, fake_logits):\n"
        "    return -float(np.mean(np.asarray(real_logits) - np.asarray(fake_logits)))",
    ),
    tempting=(
        Tempting(
            "def critic_loss(real_logits, fake_logits):\n"
            "    return jnp.mean(sigmoid(fake_logits)) - jnp.mean(sigmoid(real_logits))",
            "never be more than 1",
        ),
        Tempting(
            "def critic_loss(real_logits, fake_logits):\n    return jnp.mean(real_logits) - jnp.mean(fake_logits)",
            "The sign",
        ),
        Tempting(
            "def critic_loss(real_logits, fake_logits):\n"
            "    return jnp.mean(softplus(-real_logits)) + jnp.mean(softplus(fake_logits))",
            "cross-entropy",
        ),
        Tempting(
            "def critic_loss(real_logits, fake_logits):\n"
            "    return -jnp.abs(jnp.mean(real_logits) - jnp.mean(fake_logits))",
            "With an absolute value",
        ),
        Tempting("def critic_loss(real_logits, fake_logits):\n    return -jnp.mean(fake_logits)", "G's loss"),
    ),
)


# ---- stretch: by how much a penalty lets the critic overshoot ----


def check_overshoot(overshoot):
    for distance, weight in ((2.0, 10.0), (2.0, 1.0), (5.0, 10.0), (0.5, 100.0)):
        right = 1 + distance / (2 * weight)
        mistakes = [
            (1.0, "The penalty is soft: at slope 1 a little more costs nothing yet, and earns at once."),
            (1 + distance / weight, "The derivative of (s - 1)^2 is 2 (s - 1): a factor of 2 is missing."),
            (1 + 1 / (2 * weight), "The farther apart, the more a steep critic earns: the distance is missing."),
            (1 - distance / (2 * weight), "The sign: the critic gains by being too steep, not too flat."),
            (1 + 2 * weight / distance, "Turned round: a heavy penalty lets it overshoot less."),
            (distance / (2 * weight), "This is the excess over 1; the slope itself is wanted."),
            (distance * right, "This is the estimate, distance times slope; the slope itself is wanted."),
            (1 + distance / (4 * weight), "Set the derivative to 0: distance = 2 weight (s - 1)."),
            (1 + distance**2 / (2 * weight), "The critic earns s times the distance: its derivative in s is the "
             "distance, not its square."),
            (1 + distance**2 / (4 * weight), "That is what the critic has left after paying, or nearly; the slope "
             "itself is wanted: distance = 2 weight (s - 1)."),
            (1 + 2 * distance / weight, "The 2 stands below: (s - 1) = distance / (2 weight)."),
        ]  # fmt: skip
        found = overshoot(distance, weight)
        expect(found, right, f"the slope at distance {distance:g} and weight {weight:g}", mistakes, tolerance=1e-3,
               otherwise="Maximise s d - weight (s - 1)^2 over s.")  # fmt: skip
    return "At the usual weight of 10 clouds 2 apart are told to be 2.2 apart: the estimate is W1 (1 + W1 / (2 λ))."


overshoot = Exercise(
    name="overshoot",
    goal="One real point, one fake, a distance apart; a critic under a gradient penalty. Find its slope at the "
    "optimum.",
    stub='''
def overshoot(distance, weight):
    """The distance of two points and the penalty's weight come in; the best critic's slope between them goes out."""
    return ...
''',
    hints=(
        "With slope s along the way the critic earns s times the distance, and pays weight times (s - 1)^2.",
        "Maximise s d - λ (s - 1)^2: its derivative in s is d - 2 λ (s - 1).",
        "    d = 2 weight (s - 1)   ->   s = ...",
    ),
    solution="""
def overshoot(distance, weight):
    return 1 + distance / (2 * weight)
""",
    check=check_overshoot,
    also_right=(
        """
def overshoot(distance, weight):
    s = np.linspace(0, 10, 1_000_001)
    return s[np.argmax(s * distance - weight * (s - 1) ** 2)]
""",
        """
def overshoot(distance, weight):
    gain = lambda s: s * distance - weight * (s - 1) ** 2
    start = 1.0
    return start - jax.grad(gain)(start) / jax.grad(jax.grad(gain))(start)
""",
    ),
    tempting=(
        Tempting("def overshoot(distance, weight):\n    return 1.0", "The penalty is soft"),
        Tempting("def overshoot(distance, weight):\n    return 1 + distance / weight", "factor of 2"),
        Tempting("def overshoot(distance, weight):\n    return 1 + 1 / (2 * weight)", "the distance is missing"),
        Tempting("def overshoot(distance, weight):\n    return distance + distance**2 / (2 * weight)", "the estimate"),
    ),
    stretch=True,
)


# ---- the quiz ----

QUIZ = (
    Question(
        "reading",
        "A WGAN with weights clipped to 0.01 reports a critic loss of -0.0004, another one, with other networks, "
        "-0.02. Which generator is nearer to the data?",
        (
            Choice("The first: its distance is 50 times smaller.", "the loss is -K W1 with a K that c and the "
                   "networks set, and that nobody knows. Two critics, two scales."),
            Choice("The second: a larger gap means a better critic.", "a larger gap may mean a steeper critic, or "
                   "worse samples."),
            Choice("The losses don't say.", "each is K W1 with its own unknown K. Within one run, with one critic, "
                   "they can be compared over time.", right=True),
        ),
    ),
    Question(
        "soft",
        "A critic under a gradient penalty of weight 1 estimates 3.9. The exact W1 is 2. What went wrong?",
        (
            Choice("Nothing: a soft penalty buys slope above 1.", "W1 (1 + W1 / (2 λ)) = 2 (1 + 1) = 4 at the optimum: "
                   "weight 10 gives 2.2.", right=True),
            Choice("The critic has not been trained to its optimum.", "an untrained critic reports too little, not too "
                   "much."),
            Choice("Exact transport is wrong: a dual can be no more than its primal.", "that holds for critics that "
                   "keep the rule. This one has a slope of about 2."),
        ),
    ),
    Question(
        "spectral_low",
        "A critic under spectral norm estimates 0.55 of W1 between a ring and a heap in its middle. Why so little?",
        (
            Choice("Its layers have norms above 1.", "then it would report too much."),
            Choice("Power iteration overestimates the norms.", "an estimate |W v| is never more than the norm. If "
                   "anything, it lets a layer be a little too steep."),
            Choice("Each layer stretches by 1 at most, in its best direction; ReLU and the next layer rarely keep it.",
                   "the bound is a product of worst cases, and the network as a whole stays below it. For clouds that "
                   "are shifted one way it reaches 1.", right=True),
        ),
    ),
    Question(
        "at_rest",
        "Real and fake samples now come from the same distribution. What slope does each penalty ask of D?",
        (
            Choice("Both ask for a flat D.", "WGAN-GP asks for slope 1 everywhere between samples, even if there is "
                   "nothing left to tell."),
            Choice("R1 asks for slope 0, WGAN-GP for slope 1.", "R1 lets D become flat, so G is left in peace. Under "
                   "the two-sided penalty a flat D pays the full weight.", right=True),
            Choice("R1 asks for slope 1, WGAN-GP for slope 0.", "the other way round: it is WGAN-GP that asks "
                   "for slope 1."),
        ),
    ),
    Question(
        "budget",
        "Method A has a Fréchet distance of 2.1 ± 0.3 over five seeds, method B of 2.4 ± 0.3. B was run with the "
        "learning rate of A's paper. You conclude:",
        (
            Choice("A is better.", "B was never given a rate of its own: the comparison is of tuning, not of methods."),
            Choice("They are equal.", "nor does this show that; nobody knows B at its best."),
            Choice("Nothing yet: give both the same search for a rate, then score on seeds that the search has not "
                   "seen.", "equal budget includes the budget for tuning. And a gap as large as the spread of five "
                   "seeds is weak evidence.", right=True),
        ),
    ),
)  # fmt: skip

LESSON = Source(
    name="08_wasserstein_and_lipschitz",
    given=GIVEN,
    exercises=(
        transport_line,
        guaranteed,
        clipped_slope,
        gradient_penalty,
        spectral_norm,
        critic_loss,
        overshoot,
    ),
    quiz=QUIZ,
)
