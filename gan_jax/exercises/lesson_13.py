"""The exercises and the quiz of lesson 13, scaling up."""

import math

import numpy as np

from .exercise import Exercise, Tempting
from .progress import Source
from .question import Choice, Question
from .verdict import Wrong, expect, to_array

GIVEN = """
import jax
import jax.numpy as jnp
import numpy as np
"""


# ---- statistics of a batch that lies on several devices ----

_MEANS = np.array([[0.0, 3.0], [2.0, -1.0], [4.0, 1.0], [6.0, 5.0]])
_VARIANCES = np.array([[1.0, 0.5], [2.0, 0.5], [0.5, 4.0], [0.5, 1.0]])


def check_global_moments(moments):
    right_mean, right = _MEANS.mean(axis=0), _VARIANCES.mean(axis=0) + _MEANS.var(axis=0)
    pair = moments(_MEANS, _VARIANCES)
    if not (isinstance(pair, tuple | list) or np.ndim(pair) == 2) or len(pair) != 2:
        raise Wrong("Return two things, the mean and the variance of the whole batch: `return mean, variance`.")
    summed = [
        (_MEANS.sum(axis=0), "That is a sum of the means; each device has as many rows, so average them."),
        (right, "That is the variance; the mean comes first: `return mean, variance`."),
    ]
    mean = expect_array(pair[0], right_mean, "the mean", summed)
    mistakes = [
        (
            _VARIANCES.mean(axis=0),
            "This is the mean of the local variances: it does not see that the devices' means differ.",
        ),
        (
            _MEANS.var(axis=0),
            "This is only the variance of the means; what varies within each device's rows is missing.",
        ),
        (
            _VARIANCES.mean(axis=0) + _MEANS.var(axis=0, ddof=1),
            "You divide by one device less than there are (ddof=1); batch norm divides by n.",
        ),
        (
            _VARIANCES.mean(axis=0) + (_MEANS**2).mean(axis=0),
            "The mean of the squared means is there; subtract the square of the mean of all.",
        ),
        (_VARIANCES.sum(axis=0) + _MEANS.var(axis=0), "The local variances are averaged, not summed."),
        (np.sqrt(right), "That is the standard deviation; batch norm's statistics are mean and variance."),
        (
            _VARIANCES.mean(axis=0) / len(_MEANS) + _MEANS.var(axis=0),
            "The local variances are averaged once; you divide them by the devices twice.",
        ),
    ]
    expect_array(pair[1], right, "the variance", mistakes)
    rows = np.random.default_rng(0).normal(size=(8, 5, 3)) + np.arange(8)[:, None, None]
    mean, variance = moments(rows.mean(axis=1), rows.var(axis=1))
    expect_array(mean, rows.reshape(40, 3).mean(axis=0), "the mean of 8 devices' rows")
    expect_array(variance, rows.reshape(40, 3).var(axis=0), "the variance of 8 devices' rows")
    return "Two numbers a feature are enough: each device sends those, never its rows."


def expect_array(value, right, what, mistakes=()):
    """Raise unless an array is the right one; name the mistake where it is a known one."""
    found = to_array(value, what, np.shape(right))
    close = lambda other: np.allclose(found, other, rtol=1e-3, atol=1e-4)  # noqa: E731
    if close(right):
        return found
    for wrong, reason in mistakes:
        if close(wrong):
            raise Wrong(reason)
    raise Wrong(f"{what} should be {np.round(right, 3).tolist()}; yours is {np.round(found, 3).tolist()}.")


global_moments = Exercise(
    name="global_moments",
    goal="From the mean and the variance of each device's rows, all equally many, make those of the whole batch.",
    stub='''
def global_moments(means, variances):
    """Shape (devices, features) each; return (mean, variance), each of shape (features,)."""
    return ...
''',
    hints=(
        "A variance is the mean of the squares less the square of the mean. Which of these can be averaged?",
        "mean = avg(m_i); variance = avg(v_i + m_i^2) - mean^2 = avg(v_i) + variance of the m_i.",
        "    mean = average of means over the devices\n"
        "    squares = average of (variances + means ** 2)\n"
        "    return mean, squares - mean ** 2",
    ),
    solution="""
def global_moments(means, variances):
    mean = means.mean(axis=0)
    return mean, (variances + means**2).mean(axis=0) - mean**2
""",
    check=check_global_moments,
    also_right=(
        """
def global_moments(means, variances):
    return np.mean(means, axis=0), np.mean(variances, axis=0) + np.var(means, axis=0)
""",
        """
@jax.jit
def global_moments(means, variances):
    mean = jnp.mean(means, axis=0)
    return mean, jnp.mean(variances + (means - mean[None]) ** 2, axis=0)
""",
    ),
    tempting=(
        Tempting(
            """
def global_moments(means, variances):
    return means.mean(axis=0), variances.mean(axis=0)
""",
            "mean of the local variances",
        ),
        Tempting(
            """
def global_moments(means, variances):
    return means.mean(axis=0), means.var(axis=0)
""",
            "only the variance of the means",
        ),
        Tempting(
            """
def global_moments(means, variances):
    return means.mean(axis=0), (variances + means**2).mean(axis=0)
""",
            "subtract the square",
        ),
        Tempting(
            """
def global_moments(means, variances):
    return means.sum(axis=0), variances.mean(axis=0) + means.var(axis=0)
""",
            "sum of the means",
        ),
        Tempting(
            """
def global_moments(means, variances):
    return means.mean(axis=0)
""",
            "Return two things",
        ),
    ),
)


# ---- how long a step takes ----


def _seconds(devices, computing, numbers, bandwidth):
    return computing / devices + 2 * (devices - 1) / devices * 4 * numbers / bandwidth


def check_step_seconds(seconds):
    case = 16, 0.080, 10_000_000, 1e9
    n, computing, numbers, bandwidth = case
    sent = 4 * numbers / bandwidth
    right = _seconds(*case)
    mistakes = [
        (computing + 2 * (n - 1) / n * sent, "The batch is shared: each device computes an n-th of it."),
        (
            computing / n + (n - 1) / n * sent,
            "A ring all-reduce goes round twice, once to add up and once to hand out: the factor 2 is missing.",
        ),
        (
            computing / n + 2 * (n - 1) * sent,
            "Each message carries one n-th of the gradient, not all of it: divide by n.",
        ),
        (computing / n + 2 * sent, "There are n - 1 messages each time round, not n: the factor is 2 (n - 1) / n."),
        (
            computing / n + 2 * (n - 1) / n * numbers / bandwidth,
            "The bandwidth is in bytes, and a float32 number has 4 of them.",
        ),
        (
            computing / n + 2 * (n - 1) / n * 8 * sent,
            "This counts bits; the bandwidth is in bytes a second.",
        ),
        (computing / n, "The all-reduce is missing: before the update, the devices add up their gradients."),
        (max(computing / n, 2 * (n - 1) / n * sent), "Here nothing overlaps: add the two times."),
        (computing / n + sent, "Each device sends 2 (n - 1) / n of the gradient, nearly twice, not once."),
        (computing / n + n * sent, "That is one server to which all n send; in a ring each sends 2 (n - 1) n-ths."),
        (
            computing / n + 2 * math.log2(n) * sent,
            "That is a tree, which sends all of it each time; here it is a ring.",
        ),
        (1e3 * right, "Seconds are wanted, not milliseconds."),
        (computing * n + 2 * (n - 1) / n * sent, "The computing is divided among n devices, not multiplied."),
    ]
    expect(seconds(*case), right, "the step", mistakes,
           otherwise="computing / n, and 2 (n - 1) messages of 4 P / n bytes over the bandwidth.")  # fmt: skip
    one = 1, 0.080, 10_000_000, 1e9
    expect(seconds(*one), 0.080, "the step on one device", [(0.16, "One device has nobody to send to.")])
    expect(seconds(64, 0.5, 1_000_000, 5e10), _seconds(64, 0.5, 1_000_000, 5e10), "a step on 64 devices")
    return "The first term shrinks with every device; the second tends to 8 bytes a parameter over the bandwidth."


step_seconds = Exercise(
    name="step_seconds",
    goal="Predict a step's time on n devices: one n-th of the computing, then a ring all-reduce of the gradient.",
    stub='''
def step_seconds(devices, computing, parameters, bandwidth):
    """computing: seconds of the whole batch on one device; bandwidth: bytes a second from device to device."""
    return ...
''',
    hints=(
        "Two terms. How much of the batch has each device? How many messages does each send, and how large are they?",
        "computing / n + 2 (n - 1) messages of 4 P / n bytes, over the bandwidth.",
        "    share = computing / devices\n"
        "    message = 4 * parameters / devices\n"
        "    return share + 2 * (devices - 1) * message / bandwidth",
    ),
    solution="""
def step_seconds(devices, computing, parameters, bandwidth):
    message = 4 * parameters / devices
    return computing / devices + 2 * (devices - 1) * message / bandwidth
""",
    check=check_step_seconds,
    also_right=(
        """
def step_seconds(devices, computing, parameters, bandwidth):
    return (computing + 8 * (devices - 1) * parameters / bandwidth) / devices
""",
        """
def step_seconds(devices, computing, parameters, bandwidth):
    total = computing / devices
    for _ in range(2 * (devices - 1)):
        total += np.float64(4 * parameters / devices / bandwidth)
    return total
""",
    ),
    tempting=(
        Tempting(
            """
def step_seconds(devices, computing, parameters, bandwidth):
    return computing + 2 * (devices - 1) * 4 * parameters / devices / bandwidth
""",
            "batch is shared",
        ),
        Tempting(
            """
def step_seconds(devices, computing, parameters, bandwidth):
    return computing / devices + (devices - 1) * 4 * parameters / devices / bandwidth
""",
            "round twice",
        ),
        Tempting(
            """
def step_seconds(devices, computing, parameters, bandwidth):
    return computing / devices + 2 * (devices - 1) * 4 * parameters / bandwidth
""",
            "one n-th of the gradient",
        ),
        Tempting(
            """
def step_seconds(devices, computing, parameters, bandwidth):
    return computing / devices + 2 * (devices - 1) * parameters / devices / bandwidth
""",
            "4 of them",
        ),
        Tempting(
            """
def step_seconds(devices, computing, parameters, bandwidth):
    return computing / devices
""",
            "all-reduce is missing",
        ),
    ),
)


# ---- what bfloat16 can tell apart ----


def _gap(x: float) -> float:
    return 2.0 ** (math.floor(math.log2(abs(x))) - 7)


def check_bfloat16_gap(gap):
    x = 100.0
    right = _gap(x)
    mistakes = [
        (2.0**-7, "This is the gap just above 1. From 64 to 128 it is 64 times as wide: it goes with the size of x."),
        (x * 2.0**-7, "x / 128 is about right, but the gap is the same for all x from 64 to 128: a power of two."),
        (x + right, "That is the next number itself; the distance to it is wanted."),
        (2.0 ** (math.floor(math.log(x)) - 7), "Numbers are kept in base 2: take log2, not the natural logarithm."),
        (2.0 ** (6 - 8), "bfloat16 keeps 7 bits after the leading one: the gap is 2^(e - 7), not 2^(e - 8). Half of it "
                         "is what rounding can lose."),
        (2.0 ** (6 - 10), "That is float16, with 10 bits after the leading one; bfloat16 has 7."),
        (2.0 ** (6 - 23), "That is float32's gap: 23 bits after the leading one."),
        (2.0 ** (7 - 7), "The exponent e is that of the largest power of two that is not above x: round down."),
    ]  # fmt: skip
    rule = "It is 2^(e - 7), with e the largest whole number such that 2^e is not above x."
    expect(gap(x), right, "the gap above 100", mistakes, otherwise=rule, tolerance=1e-6)
    small = [(2 * _gap(0.02), "`int` cuts towards 0, and log2 is negative below 1: round down with floor.")]
    for other in (1.0, 0.02, 5.0, 0.5, 1.75):
        expect(gap(other), _gap(other), f"the gap above {other:g}", small * (other == 0.02), otherwise=rule,
               tolerance=1e-6)  # fmt: skip
    return "At a weight of 1 the gap is 0.0078: an update of less than half of that, 0.0039, leaves it where it is."


bfloat16_gap = Exercise(
    name="bfloat16_gap",
    goal="How far is it from a positive x to the next number that bfloat16 knows? (7 bits after the leading one.)",
    stub='''
def bfloat16_gap(x):
    """x > 0, itself of bfloat16; return the distance to the next larger one."""
    return ...
''',
    hints=(
        "Write x as 1.something times 2^e. What does the last of seven binary places add?",
        "e = floor(log2 x); the gap is 2^(e - 7).",
        "    e = largest whole number with 2 ** e <= x\n    return 2.0 ** (e - 7)",
    ),
    solution="""
def bfloat16_gap(x):
    return 2.0 ** (np.floor(np.log2(x)) - 7)
""",
    check=check_bfloat16_gap,
    also_right=(
        """
def bfloat16_gap(x):
    exponent = 0
    while 2.0 ** (exponent + 1) <= x:
        exponent += 1
    while 2.0**exponent > x:
        exponent -= 1
    return 2.0**exponent / 128
""",
        """
import math
def bfloat16_gap(x):
    mantissa, exponent = math.frexp(x)  # x = mantissa 2^exponent, with a mantissa from 1/2 to 1
    return jnp.asarray(math.ldexp(1.0, exponent - 8))
""",
    ),
    tempting=(
        Tempting(
            """
def bfloat16_gap(x):
    return 2.0**-7
""",
            "just above 1",
        ),
        Tempting(
            """
def bfloat16_gap(x):
    return x / 128
""",
            "a power of two",
        ),
        Tempting(
            """
def bfloat16_gap(x):
    return 2.0 ** (np.floor(np.log2(x)) - 10)
""",
            "That is float16",
        ),
        Tempting(
            """
def bfloat16_gap(x):
    return 2.0 ** (np.floor(np.log2(x)) - 8)
""",
            "Half of it",
        ),
        Tempting(
            """
def bfloat16_gap(x):
    return 2.0 ** (np.ceil(np.log2(x)) - 7)
""",
            "round down",
        ),
    ),
)


# ---- memory ----


def check_state_bytes(count):
    g, d = 3_000_000, 5_000_000
    right = 12 * (g + d) + 4 * g
    mistakes = [
        (4 * (g + d), "These are the weights alone; Adam keeps two numbers more for each of them."),
        (8 * (g + d) + 4 * g, "Adam keeps two averages, of the gradient and of its square: 12 bytes a weight in all."),
        (12 * (g + d), "The running average of G's weights (EMA) is missing: 4 more bytes for each of G's."),
        (16 * (g + d), "Only G's weights are averaged, not D's: D is not what you sample from."),
        (12 * (g + d) + 4 * d, "It is G's weights that are averaged, not D's."),
        (3 * (g + d) + g, "You counted numbers; a float32 has 4 bytes."),
        (6 * (g + d) + 2 * g, "Weights, averages and Adam's memory stay float32, 4 bytes, where only computing is in "
                              "bfloat16."),
        (16 * (g + d) + 4 * g, "Gradients pass through and are no part of the state that stays."),
        (16 * g + 4 * d, "D is trained by Adam, too: it has two averages a weight."),
        (8 * g + 4 * d, "Adam's memory is missing: two averages for each weight of both players."),
        (8 * right, "These are bits; bytes are wanted."),
        (right / 1e6, "Bytes are wanted, not megabytes."),
    ]  # fmt: skip
    expect(count(g, d), right, "the state", mistakes,
           otherwise="4 bytes each for the weights, Adam's two averages of each, G's running average.")  # fmt: skip
    expect(count(10, 0), 160, "the state with 10 weights in G")
    expect(count(0, 10), 120, "the state with 10 weights in D")
    return "Three numbers a weight, and G's average: 12 bytes each, 16 for G's. Every device holds all of it."


state_bytes = Exercise(
    name="state_bytes",
    goal="Count the bytes that stay from step to step: float32 weights of G and D, Adam's memory of both, G's average.",
    stub='''
def state_bytes(parameters_g, parameters_d):
    """Numbers of weights come in; bytes go out."""
    return ...
''',
    hints=(
        "For each of D's weights: the weight, and what Adam remembers. For G's there is one number more.",
        "4 (w + m + v) = 12 bytes a weight, and 4 more for each of G's.",
        "    each = 4 * (1 + 2)\n    return each * (parameters_g + parameters_d) + 4 * parameters_g",
    ),
    solution="""
def state_bytes(parameters_g, parameters_d):
    return 12 * (parameters_g + parameters_d) + 4 * parameters_g
""",
    check=check_state_bytes,
    also_right=(
        """
def state_bytes(parameters_g, parameters_d):
    return 4 * (4 * parameters_g + 3 * parameters_d)
""",
        """
def state_bytes(parameters_g, parameters_d):
    number = np.dtype(np.float32).itemsize
    weights = np.array([parameters_g, parameters_d], np.int64)
    return number * (weights.sum() + 2 * weights.sum() + weights[0])
""",
    ),
    tempting=(
        Tempting(
            """
def state_bytes(parameters_g, parameters_d):
    return 4 * (parameters_g + parameters_d)
""",
            "the weights alone",
        ),
        Tempting(
            """
def state_bytes(parameters_g, parameters_d):
    return 12 * (parameters_g + parameters_d)
""",
            "running average",
        ),
        Tempting(
            """
def state_bytes(parameters_g, parameters_d):
    return 8 * (parameters_g + parameters_d) + 4 * parameters_g
""",
            "two averages",
        ),
        Tempting(
            """
def state_bytes(parameters_g, parameters_d):
    return 16 * (parameters_g + parameters_d)
""",
            "not D's",
        ),
        Tempting(
            """
def state_bytes(parameters_g, parameters_d):
    return 6 * (parameters_g + parameters_d) + 2 * parameters_g
""",
            "stay float32",
        ),
    ),
)


# ---- which images a step sees ----


def check_rows_of_step(rows):
    seed, size, batch = 3, 12, 4

    def taken(step, seed=seed):
        found = to_array(rows(seed, step, batch, size), "the rows", None)
        if found.shape != (batch,):
            raise Wrong(f"Step {step} takes {batch} rows, shape ({batch},); yours has shape {found.shape}. A pass has "
                        f"size // batch = {size // batch} steps; the step after it begins at the front of a new "
                        "order.")  # fmt: skip
        if not np.array_equal(found, np.round(found)) or found.min() < 0 or found.max() >= size:
            raise Wrong(f"The rows are indices from 0 to {size - 1}; yours are {found.tolist()}.")
        return found.astype(int)

    asked = [taken(step) for step in (7, 2, 0, 1)]
    if not np.array_equal(asked[0], taken(7)):
        raise Wrong("Asked twice for step 7, it gives other rows. Something outlives the call (a generator, a "
                    "counter), or is drawn anew: after a restart it is lost, and the images are others.")  # fmt: skip
    passes = [np.concatenate([taken(3 * i + j) for j in range(3)]) for i in range(3)]
    for number, once in enumerate(passes):
        if len(set(once.tolist())) < size:
            raise Wrong(f"Pass {number} (steps {3 * number} to {3 * number + 2}) shows some images twice, "
                        "others never. Shuffle once a pass, and take the step's piece of it.")  # fmt: skip
    if np.array_equal(passes[0], np.arange(size)):
        raise Wrong("The images come in the order of the file. Shuffle them, by seed and pass.")
    if np.array_equal(passes[0], passes[1]) and np.array_equal(passes[1], passes[2]):
        raise Wrong("Each pass has the same order. Let the number of the pass, step // (size // batch), go into it.")
    if all(np.array_equal(taken(step), taken(step, seed + 1)) for step in range(9)):
        raise Wrong("Another seed gives the same rows: begin with the seed that is given.")
    return "Step 7 knows its images without steps 0 to 6: a run can begin anywhere, in any process."


rows_of_step = Exercise(
    name="rows_of_step",
    goal="Say which images step s sees: shuffled passes over the data, each image once a pass, as a function of "
    "(seed, step) alone. size is a multiple of batch.",
    stub='''
def rows_of_step(seed, step, batch, size):
    """Return the indices of the step's images, shape (batch,)."""
    return ...
''',
    hints=(
        "Don't carry a generator from step to step. Which pass is the step in, and which place has it there?",
        "pass = s // (size // batch); order = a shuffle made from (seed, pass) alone.",
        "    a_pass, place = divmod(step, size // batch)\n"
        "    order = permutation of range(size), by a generator of [seed, a_pass]\n"
        "    return order[place * batch : (place + 1) * batch]",
    ),
    solution="""
def rows_of_step(seed, step, batch, size):
    a_pass, place = divmod(step, size // batch)
    order = np.random.default_rng([seed, a_pass]).permutation(size)
    return order[place * batch : (place + 1) * batch]
""",
    check=check_rows_of_step,
    also_right=(
        """
def rows_of_step(seed, step, batch, size):
    steps = size // batch
    key = jax.random.fold_in(jax.random.key(seed), step // steps)
    return jax.random.permutation(key, size).reshape(steps, batch)[step % steps]
""",
        """
import random
def rows_of_step(seed, step, batch, size):
    order = list(range(size))
    random.Random(1000 * seed + step * batch // size).shuffle(order)
    start = step * batch % size
    return order[start : start + batch]
""",
    ),
    tempting=(
        Tempting(
            """
generator = np.random.default_rng(0)
def rows_of_step(seed, step, batch, size):
    return generator.permutation(size)[:batch]
""",
            "outlives the call",
        ),
        Tempting(
            """
def rows_of_step(seed, step, batch, size):
    return np.random.default_rng([seed, step]).integers(0, size, batch)
""",
            "images twice",
        ),
        Tempting(
            """
def rows_of_step(seed, step, batch, size):
    place = step % (size // batch)
    return np.random.default_rng(seed).permutation(size)[place * batch : (place + 1) * batch]
""",
            "same order",
        ),
        Tempting(
            """
def rows_of_step(seed, step, batch, size):
    place = step % (size // batch)
    return np.arange(size)[place * batch : (place + 1) * batch]
""",
            "order of the file",
        ),
        Tempting(
            """
def rows_of_step(seed, step, batch, size):
    a_pass, place = divmod(step, size // batch)
    return np.random.default_rng(a_pass).permutation(size)[place * batch : (place + 1) * batch]
""",
            "Another seed",
        ),
    ),
)


# ---- stretch: the ring itself ----


def check_ring_all_reduce(reduce):
    parts = np.random.default_rng(1).integers(-9, 10, (4, 4, 3)).astype(float)
    total = parts.sum(axis=0)

    class Line:
        """Carries one chunk from each device to its right neighbour, and counts."""

        def __init__(self, n):
            self.n, self.rounds = n, 0

        def __call__(self, chunks):
            if len(chunks) != self.n:
                raise Wrong(f"`send` takes one chunk from each of the {self.n} devices; it got {len(chunks)}.")
            for chunk in chunks:
                if np.shape(chunk) != (3,):
                    raise Wrong("A message is one chunk, shape (3,); sending more than an n-th at a time costs n times "
                                f"as much. Yours has shape {np.shape(chunk)}.")  # fmt: skip
            self.rounds += 1
            return [np.array(chunks[i - 1], float) for i in range(self.n)]

    line = Line(4)
    given = parts.copy()
    found = to_array(np.asarray(reduce(given, line)), "what the devices hold", (4, 4, 3))
    if line.rounds == 0:
        raise Wrong("Nothing was sent: a device can add only what has reached it by `send`.")
    if np.allclose(found, total[None] / 4):
        raise Wrong("That is the mean; here the devices want the sum.")
    if not np.allclose(found, np.broadcast_to(total, found.shape)):
        whole = [np.allclose(found[i, i], total[i]) or np.allclose(found[i, (i + 1) % 4], total[(i + 1) % 4])
                 for i in range(4)]  # fmt: skip
        if all(whole) and line.rounds == 3:
            raise Wrong("Each device has one chunk of the sum. Go round once more to hand those out.")
        raise Wrong("After it, every device must hold the sum over all devices in every chunk.")
    if line.rounds != 6:
        raise Wrong(f"{line.rounds} rounds; a ring of 4 needs 2 (4 - 1) = 6.")
    return "2 (n - 1) rounds of one n-th: each device sends less than twice the gradient, however many there are."


ring_all_reduce = Exercise(
    name="ring_all_reduce",
    goal="Add up arrays over a ring of n devices, each cut into n chunks, with 2 (n - 1) calls of `send`.",
    stub='''
def ring_all_reduce(parts, send):
    """parts[i][c] is chunk c on device i; send(list of one chunk each) returns what each gets from its left neighbour.
    Return the parts afterwards, shape (devices, chunks, numbers): the sum, everywhere."""
    return ...
''',
    hints=(
        "First round trip: at time t device i sends chunk i - t, and adds what comes. Where is which sum then?",
        "After n - 1 rounds device i holds the sum in chunk i + 1 (mod n). Send those on, and replace.",
        "    for t in range(n - 1):\n"
        "        came = send([parts[i][(i - t) % n] for i in range(n)])\n"
        "        add came[i] to parts[i][(i - 1 - t) % n]\n"
        "    for t in range(n - 1):\n"
        "        came = send([parts[i][(i + 1 - t) % n] for i in range(n)])\n"
        "        put came[i] into parts[i][(i - t) % n]",
    ),
    solution="""
def ring_all_reduce(parts, send):
    parts, n = np.array(parts), len(parts)
    for t in range(n - 1):
        came = send([parts[i][(i - t) % n] for i in range(n)])
        for i in range(n):
            parts[i][(i - 1 - t) % n] += came[i]
    for t in range(n - 1):
        came = send([parts[i][(i + 1 - t) % n] for i in range(n)])
        for i in range(n):
            parts[i][(i - t) % n] = came[i]
    return parts
""",
    check=check_ring_all_reduce,
    also_right=(
        """
def ring_all_reduce(parts, send):
    n = len(parts)
    parts = [[np.array(chunk) for chunk in own] for own in parts]
    for t in range(2 * (n - 1)):
        came = send([parts[i][(i - t) % n] for i in range(n)])
        for i in range(n):
            c = (i - 1 - t) % n
            parts[i][c] = parts[i][c] + came[i] if t < n - 1 else came[i]
    return parts
""",
        """
def ring_all_reduce(parts, send):
    parts, n = jnp.asarray(parts), len(parts)
    own = jnp.arange(n)
    for t in range(n - 1):
        came = jnp.stack([jnp.asarray(c) for c in send(list(parts[own, (own - t) % n]))])
        parts = parts.at[own, (own - 1 - t) % n].add(came)
    for t in range(n - 1):
        came = jnp.stack([jnp.asarray(c) for c in send(list(parts[own, (own + 1 - t) % n]))])
        parts = parts.at[own, (own - t) % n].set(came)
    return parts
""",
    ),
    tempting=(
        Tempting(
            """
def ring_all_reduce(parts, send):
    return np.broadcast_to(parts.sum(axis=0), parts.shape)
""",
            "Nothing was sent",
        ),
        Tempting(
            """
def ring_all_reduce(parts, send):
    total, passing = np.array(parts), list(parts)
    for t in range(len(parts) - 1):
        passing = send(passing)
        total = total + np.array(passing)
    return total
""",
            "A message is one chunk",
        ),
        Tempting(
            """
def ring_all_reduce(parts, send):
    parts, n = np.array(parts), len(parts)
    for t in range(n - 1):
        came = send([parts[i][(i - t) % n] for i in range(n)])
        for i in range(n):
            parts[i][(i - 1 - t) % n] += came[i]
    return parts
""",
            "Go round once more",
        ),
    ),
    stretch=True,
)


QUIZ = (
    Question(
        "sharded",
        "A batch of 256 is shared by 8 devices, with batch norm in G. Which statement is right for `train.steps(..., "
        "mesh=train.mesh())`?",
        (
            Choice("Each device normalises by the statistics of its own 32 samples.", "that is what frameworks do "
                   "whose devices each run a program of their own (PyTorch without SyncBatchNorm). Here the program is "
                   "written for the whole batch, and XLA adds the sums."),
            Choice("The statistics are of all 256; what differs from one device is the order of sums.",
                   "means and squares are summed over the devices, so only rounding differs.", right=True),
            Choice("The learning rate must be multiplied by 8.", "the batch is as large as before; that rule is for a "
                   "batch that grows with the devices, and is no law."),
        ),
    ),
    Question(
        "scaling",
        "On 8 virtual devices of a laptop with two cores the step takes longer than on one. What does it show?",
        (
            Choice("Data parallelism does not pay for GANs.", "the 8 share two cores: there is no more computing power "
                   "than before, only more to organise."),
            Choice("That the program is right and what sharing costs; nothing about real devices.",
                   "correctness can be tested anywhere, speed only where the devices are.", right=True),
            Choice("The mesh was made wrongly.", "the losses agree with one device's: it is right, and slow."),
        ),
    ),
    Question(
        "masters",
        "Why are the weights kept in float32 when the products are in bfloat16?",
        (
            Choice("bfloat16 overflows above 65,504.", "that is float16. bfloat16 has float32's exponent, up to 3e38."),
            Choice("Products of float32 numbers are more exact.", "the weights are rounded for the products as well."),
            Choice("An update of 1e-4 on a weight of 1 is less than half a gap, and would be lost every time.",
                   "rounding back to 1 after each step, the weight never moves, however many steps agree.", right=True),
        ),
    ),
    Question(
        "resume",
        "A run of 60 steps is stopped at 20 and taken up again. Which of these breaks the equality, bit for bit?",
        (
            Choice("Saving the generator and the discriminator, and making new optimisers.", "Adam begins with empty "
                   "averages, and takes its first steps at full length: the run is another one.", right=True),
            Choice("Calling `steps` twice for 20 steps, instead of once for 40.", "the step's number is in the state, "
                   "and its randomness follows from (key, step)."),
            Choice("Saving after step 20 and loading in another process on the same machine.", "the numbers are "
                   "written exactly; the same program on the same hardware goes on the same."),
        ),
    ),
    Question(
        "donation",
        "What does `donate=True` change?",
        (
            Choice("The state is stored in half the precision.",
                   "no number changes, only where the result is written."),
            Choice("The old state's memory takes the new one; the old one can't be read any more.",
                   "so there is room for one state in place of two. Copy what you want to keep.", right=True),
            Choice("The state is moved to the host while the device computes.", "that is offloading; here nothing "
                   "leaves the device."),
        ),
    ),
)  # fmt: skip

LESSON = Source(
    name="13_scaling_up",
    given=GIVEN,
    exercises=(global_moments, step_seconds, bfloat16_gap, state_bytes, rows_of_step, ring_all_reduce),
    quiz=QUIZ,
)
