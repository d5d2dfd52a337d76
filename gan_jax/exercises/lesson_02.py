"""The exercises and the quiz of lesson 02, the minimax game."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from .. import theory
from .exercise import Exercise, Tempting
from .progress import Source
from .question import Choice, Question
from .verdict import AVERAGE, Wrong, expect, to_array

GIVEN = """
import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import sigmoid, softplus

from gan_jax import data, theory


def log_normal(x, mean=0.0, width=1.0):
    return -0.5 * ((x - mean) / width) ** 2 - np.log(width * np.sqrt(2 * np.pi))
"""

LOG2, LOG4 = float(np.log(2)), float(np.log(4))


def _softplus(x):
    return np.logaddexp(0.0, np.asarray(x, np.float64))  # an oracle that shares no code with JAX's


def _sigmoid(x):
    return np.exp(-_softplus(-np.asarray(x, np.float64)))


def _of_two(value, what):
    """A pair of numbers, or `Wrong` with what to do about a pair of arrays."""
    if isinstance(value, (tuple, list)) and len(value) == 2 and max(map(np.size, value)) > 1:
        raise Wrong(f"{what} should be two numbers; yours has arrays in it. Make one number of each.")
    return to_array(value, what, (2,))


# ---- V from logits ----

REAL = jnp.array([2.0, -0.5, 1.0, 0.25])
FAKE = jnp.array([-1.0, 0.75, -2.0, 0.5])


def check_game_value(game_value):
    real, fake = np.asarray(REAL, np.float64), np.asarray(FAKE, np.float64)
    right = -_softplus(-real).mean() - _softplus(fake).mean()
    mistakes = [
        (-right, "The sign is turned: this is D's loss. V is what D wins, a mean of logarithms of probabilities."),
        (right / 2, "You halved it: V adds the two means, so that an undecided D has -log 4."),
        (
            -_softplus(real).mean() - _softplus(-fake).mean(),
            "The other way round: D is paid log D on real samples and log(1 - D) on fakes. Which logit has a minus?",
        ),
        (
            -_softplus(-real).mean() - _softplus(-fake).mean(),
            "The second mean is of log D on fakes; D is paid for calling fakes fake, log(1 - D).",
        ),
        (right * len(real), "You summed over the samples; V has expectations in it, so take means."),
        (_sigmoid(real).mean() + 1 - _sigmoid(fake).mean(), "These are probabilities; V takes their logarithms."),
        (-_softplus(-real).mean(), "The fake samples' half is missing."),
        (-_softplus(fake).mean(), "The real samples' half is missing."),
        (-_softplus(-real).mean() + _softplus(fake).mean(), "The fakes' half has the wrong sign: V adds both."),
        (_softplus(-real).mean() - _softplus(fake).mean(), "The real samples' half has the wrong sign: log D <= 0."),
        (
            np.log(_sigmoid(real).mean()) + np.log(1 - _sigmoid(fake).mean()),
            "This is the logarithm of a mean; V is a mean of logarithms.",
        ),
        (right / LOG2, "This is in bits, with log to the base 2; ours is the natural logarithm, and the unit the nat."),
        (right / np.log(10), "This is with log to the base 10; ours is the natural logarithm."),
    ]
    expect(
        game_value(REAL, FAKE),
        right,
        "V",
        mistakes,
        otherwise="Compare each half with the formula of hint 2.",
        several=AVERAGE,
    )
    expect(game_value(REAL, FAKE[:2]), -_softplus(-real).mean() - _softplus(fake[:2]).mean(), "V of 4 real and 2 fakes",
           otherwise="Real samples and fakes have a mean each, however many there are of either.")  # fmt: skip
    for size in (200.0, -200.0):
        sure = np.asarray(game_value(jnp.full(3, size), jnp.full(3, size)))
        if not np.isfinite(sure).all():
            raise Wrong(f"At logits of {size:g} V is not finite: write log D(x) with `softplus`, not with `log`.")
        otherwise = (
            "D is sure and half the time wrong. A clip, or a small number inside `log`, hides it; softplus doesn't."
        )
        expect(sure, -200.0, f"V where all logits are {size:g}", otherwise=otherwise)
    return "An undecided D, logits 0, wins -log 4 = -1.386. The most that any D could win is 0, being sure and right."


game_value = Exercise(
    name="game_value",
    goal="Write V from logits: the mean of log D(x) over real samples plus the mean of log(1 - D(x)) over fakes.",
    stub='''
def game_value(real_logits, fake_logits):
    """Logits of shape (n,) and (m,) come in; V, one number, goes out. Logits of 0 give -1.386."""
    return ...
''',
    hints=(
        "log D(x), with D the sigmoid of the logit, is minus a softplus. Which sign has the logit in it?",
        "log sigmoid(a) = -softplus(-a), and log(1 - sigmoid(a)) = -softplus(a).",
        "    on_real = mean of -softplus(-real_logits)\n"
        "    on_fake = mean of -softplus(fake_logits)\n"
        "    return their sum",
    ),
    solution="""
def game_value(real_logits, fake_logits):
    return -jnp.mean(softplus(-real_logits)) - jnp.mean(softplus(fake_logits))
""",
    check=check_game_value,
    also_right=(
        """
@jax.jit
def game_value(real_logits, fake_logits):
    return jax.nn.log_sigmoid(real_logits).mean() + jax.nn.log_sigmoid(-fake_logits).mean()
""",
        """
def game_value(real_logits, fake_logits):
    real, fake = np.asarray(real_logits), np.asarray(fake_logits)
    return float(-np.logaddexp(0, -real).mean() - np.logaddexp(0, fake).mean())
""",
    ),
    tempting=(
        Tempting(
            """
def game_value(real_logits, fake_logits):
    return jnp.mean(softplus(-real_logits)) + jnp.mean(softplus(fake_logits))
""",
            "The sign is turned",
        ),
        Tempting(
            """
def game_value(real_logits, fake_logits):
    return -jnp.mean(softplus(-real_logits)) - jnp.mean(softplus(-fake_logits))
""",
            "calling fakes fake",
        ),
        Tempting(
            """
def game_value(real_logits, fake_logits):
    return jnp.mean(jnp.log(sigmoid(real_logits))) + jnp.mean(jnp.log(1 - sigmoid(fake_logits)))
""",
            "not finite",
        ),
        Tempting(
            """
def game_value(real_logits, fake_logits):
    return -0.5 * (jnp.mean(softplus(-real_logits)) + jnp.mean(softplus(fake_logits)))
""",
            "halved",
        ),
        Tempting(
            """
def game_value(real_logits, fake_logits):
    return -jnp.sum(softplus(-real_logits)) - jnp.sum(softplus(fake_logits))
""",
            "take means",
        ),
    ),
)


# ---- who moves first ----

PAYOFF = np.array([[3.0, -1.0, 2.0], [0.5, 1.5, -2.0]])


def _orders(payoff):
    return payoff.min(axis=0).max(), payoff.max(axis=1).min()


def check_order_of_play(order_of_play):
    d_first, g_first = _orders(PAYOFF)
    mistakes = [
        ((g_first, d_first), "They are the wrong way round: first the value when D moves first, then when G does."),
        (_orders(PAYOFF.T), "The axes are swapped: a row is a move of G, a column one of D."),
        (
            _orders(PAYOFF.T)[::-1],
            "The roles are swapped: the payoff is what D wins, so D maximises it and G minimises it.",
        ),
        ((PAYOFF.max(), PAYOFF.min()), "Nobody replies here: whoever moves second answers the move it sees."),
        ((PAYOFF.min(), PAYOFF.max()), "Both minimise here, or both maximise: D wants the payoff large, G small."),
        ((0, 1), "These are positions, of argmax and argmin; give the payoffs there."),
        ([theory.saddle(PAYOFF).value] * 2, "This is the value with mixing; here each player picks one move."),
        ((PAYOFF.mean(), PAYOFF.mean()), "This is what two players get who choose blindly."),
        ((d_first, d_first), "The order matters here: with D first it is 0.5; with G first it is larger."),
        ((g_first, g_first), "The order matters here: with G first it is 1.5; with D first it is smaller."),
    ]
    found = _of_two(order_of_play(PAYOFF), "the pair (D first, G first)")
    otherwise = "The one who moves second sees the first move. Whoever moves first reckons with the best reply."
    expect(found, (d_first, g_first), "the pair (D first, G first)", mistakes, otherwise=otherwise)
    rng = np.random.default_rng(0)
    for shape in ((4, 3), (2, 5), (3, 3)):
        payoff = rng.normal(size=shape)
        expect(order_of_play(payoff), _orders(payoff), f"the pair for a matrix of shape {shape}", otherwise=otherwise)
    return "D first is never above G first: whoever moves second knows more. Where the two are equal, it is a saddle."


order_of_play = Exercise(
    name="order_of_play",
    goal="Find what D wins when D must move first, and when G must. Each plays as well as it can.",
    stub='''
def order_of_play(payoff):
    """payoff[i, j] is what D wins with its move j against G's move i; shape (moves of G, moves of D).

    Return (value when D moves first, value when G moves first).
    np.array([[1.0, -1.0], [-1.0, 1.0]]) gives (-1, 1).
    """
    return ...
''',
    hints=(
        "If D moves first, G sees D's column and picks the entry that is worst for D. Which column is safest?",
        "D first: max over j of min over i of payoff[i, j]. G first: min over i of max over j.",
        "    worst_of_column = smallest entry of each column\n"
        "    d_first = largest of worst_of_column\n"
        "    best_of_row = largest entry of each row\n"
        "    g_first = smallest of best_of_row\n"
        "    return d_first, g_first",
    ),
    solution="""
def order_of_play(payoff):
    d_first = payoff.min(axis=0).max()
    g_first = payoff.max(axis=1).min()
    return d_first, g_first
""",
    check=check_order_of_play,
    also_right=(
        """
def order_of_play(payoff):
    d_first = max(min(column) for column in payoff.T.tolist())
    g_first = min(max(row) for row in payoff.tolist())
    return [d_first, g_first]
""",
        """
@jax.jit
def order_of_play(payoff):
    return jnp.stack([jnp.max(jnp.min(payoff, 0)), jnp.min(jnp.max(payoff, 1))])
""",
        """
def order_of_play(payoff):
    found = theory.saddle(payoff)
    return found.max_min, found.min_max
""",
    ),
    tempting=(
        Tempting(
            "def order_of_play(payoff):\n    return payoff.max(axis=1).min(), payoff.min(axis=0).max()",
            "wrong way round",
        ),
        Tempting("def order_of_play(payoff):\n    return payoff.min(axis=1).max(), payoff.max(axis=0).min()", "axes"),
        Tempting(
            "def order_of_play(payoff):\n    return payoff.max(axis=0).min(), payoff.min(axis=1).max()",
            "roles are swapped",
        ),
        Tempting("def order_of_play(payoff):\n    return payoff.max(), payoff.min()", "Nobody replies"),
        Tempting("def order_of_play(payoff):\n    return payoff.mean(), payoff.mean()", "choose blindly"),
    ),
)


# ---- D's best response ----


def check_best_discriminator(best_discriminator):
    x = np.array([-3.0, -1.0, 0.5, 2.0, 4.0])
    log_p, log_q = -0.5 * x**2 - 0.9189385, -0.5 * ((x - 1) / 0.5) ** 2 - 0.2257914
    right, p, q = _sigmoid(log_p - log_q), np.exp(log_p), np.exp(log_q)
    mistakes = [
        (1 - right, "This is p_g / (p + p_g), the probability of a fake; D says how likely x is real."),
        (p / q, "This is the ratio of the densities, which exceeds 1; D is a probability."),
        (log_p - log_q, "This is D's logit, the log density ratio; a sigmoid is missing."),
        ((log_p > log_q).astype(float), "This is a verdict, 0 or 1. V rewards the honest probability."),
        (p, "This is p; how likely x is real depends on p_g at the same place, too."),
        (p / (1 + p), "1 stands where p_g should: the other share of the mass at x is p_g."),
        (log_p / (log_p + log_q), "The shares are those of the densities, not of their logarithms."),
        (2 * p / (p + q), "A factor 2 too many: this is p over the half-way mixture."),
        (q / p, "This is a ratio of densities, upside down; D is a probability."),
        (np.log(right), "This is log D*; D* itself is asked for."),
        (_sigmoid(p / q), "The sigmoid wants the logarithm of the ratio, log p - log p_g, not the ratio."),
        (_sigmoid(p - q), "The sigmoid wants the difference of the logarithms, not of the densities."),
        (_sigmoid(log_p / log_q), "The logarithm of p / p_g is log p minus log p_g, not log p over log p_g."),
    ]
    otherwise = "At x there are p real samples for p_g fakes. What share of them is real?"
    found = to_array(best_discriminator(log_p, log_q), "D*", None)
    expect(found, right, "D* at five places", mistakes, otherwise=otherwise)
    far = np.asarray(best_discriminator(np.array([-2000.0, -2100.0]), np.array([-2100.0, -2000.0])), np.float64)
    if not np.isfinite(far).all():
        raise Wrong(
            "Far away from both, where e^-2000 is 0 to the computer, your D* is 0 / 0. Divide p / (p + p_g) by p "
            "on paper, and only log p - log p_g is left: the sigmoid of it never breaks."
        )
    expect(
        far,
        [1.0, 0.0],
        "D* far away from both",
        otherwise="There e^-2000 is 0 to the computer, and what you add or put in its place decides. The sigmoid of "
        "log p - log p_g needs neither density.",
    )
    return "Only the ratio of the two densities counts: where both are tiny, D can still be sure."


best_discriminator = Exercise(
    name="best_discriminator",
    goal="Write D*, the best answer of D at each place, from the two log densities there.",
    stub='''
def best_discriminator(log_p, log_q):
    """Log densities of real and fake samples at n places, shape (n,), come in; D* there, shape (n,), goes out.

    log_p = -1 and log_q = -1.5 give 0.622.
    """
    return ...
''',
    hints=(
        "Step 2 of the derivation. How can you write it so that only log_p - log_q occurs?",
        "D* = p / (p + p_g) = 1 / (1 + e^(log p_g - log p)) = sigmoid(log p - log p_g).",
        "    return sigmoid of (log_p minus log_q)",
    ),
    solution="""
def best_discriminator(log_p, log_q):
    return sigmoid(log_p - log_q)
""",
    check=check_best_discriminator,
    also_right=(
        """
def best_discriminator(log_p, log_q):
    return np.exp(log_p - np.logaddexp(log_p, log_q))
""",
        """
def best_discriminator(log_p, log_q):
    return theory.optimal_discriminator(log_p, log_q)
""",
        """
def best_discriminator(log_p, log_q):
    largest = np.maximum(log_p, log_q)
    p, q = np.exp(log_p - largest), np.exp(log_q - largest)
    return p / (p + q)
""",
    ),
    tempting=(
        Tempting("def best_discriminator(log_p, log_q):\n    return sigmoid(log_q - log_p)", "probability of a fake"),
        Tempting("def best_discriminator(log_p, log_q):\n    return log_p - log_q", "a sigmoid is missing"),
        Tempting("def best_discriminator(log_p, log_q):\n    return np.exp(log_p - log_q)", "ratio of the densities"),
        Tempting("def best_discriminator(log_p, log_q):\n    return np.where(log_p > log_q, 1.0, 0.0)", "a verdict"),
        Tempting(
            """
def best_discriminator(log_p, log_q):
    with np.errstate(all="ignore"):
        return np.exp(log_p) / (np.exp(log_p) + np.exp(log_q))
""",
            "0 / 0",
        ),
    ),
)


# ---- what the logit gives on samples alone ----


def check_kl_from_logits(kl_from_logits):
    rng = np.random.default_rng(1)
    real, fake = rng.normal(1.0, 1.5, size=7), rng.normal(-0.6, 1.2, size=5)
    right = np.array([real.mean(), -fake.mean()])
    log_d = -_softplus(-real).mean(), -_softplus(fake).mean()
    mistakes = [
        (right * [1, -1], "The second sign: u is log p - log p_g, so log p_g - log p at a fake is minus the logit."),
        (right * [-1, 1], "The signs are turned: the logit is log p - log p_g already."),
        (-right, "Both signs are turned: the logit is log p - log p_g, and KL(p || p_g) its mean over real samples."),
        (right[::-1], "They are the wrong way round: first KL(p || p_g), a mean over real samples."),
        (
            [-fake.mean(), real.mean()],
            "They are the wrong way round: first KL(p || p_g), a mean over real samples.",
        ),
        (log_d, "These are the two halves of V, means of log D; KL needs the logit itself."),
        ([-log_d[0], -log_d[1]], "These are the two halves of D's loss; KL needs the logit itself."),
        (
            [_sigmoid(real).mean(), 1 - _sigmoid(fake).mean()],
            "These are means of probabilities; the log density ratio is the logit, before the sigmoid.",
        ),
        ([np.exp(real).mean(), np.exp(-fake).mean()], "This is a mean of the ratio; KL is a mean of its logarithm."),
        ([right.mean()] * 2, "This is the mean of the two; give both."),
        ([real.sum(), -fake.sum()], "You summed; an expectation is a mean."),
        ([log_d[0], -_softplus(-fake).mean()], "These are means of log D; KL needs the logit itself."),
        ([-log_d[0], _softplus(-fake).mean()], "These are means of -log D; KL needs the logit itself."),
        (
            [LOG2 + log_d[0], LOG2 + log_d[1]],
            "These are the KL of p and p_g from their half-way mixture, whose mean is JSD; KL needs the logit itself.",
        ),
        (
            [(np.exp(real) * real).mean(), -(np.exp(-fake) * fake).mean()],
            "The samples come from p and p_g already, each as often as it should; no weight is needed.",
        ),
        (
            [(np.exp(real) * real).mean(), -(np.exp(fake) * fake).mean()],
            "The samples come from p and p_g already, each as often as it should; no weight is needed.",
        ),
        ([abs(real).mean(), abs(fake).mean()], "Single logits may have either sign; average them as they are."),
    ]
    found = _of_two(kl_from_logits(jnp.asarray(real), jnp.asarray(fake)), "the pair of KL")
    expect(found, right, "the pair of KL", mistakes, otherwise="A mean of u over real samples, one of -u over fakes.")
    expect(kl_from_logits(jnp.array([2.0]), jnp.array([-3.0])), (2.0, 3.0), "the pair for one sample of each")
    return "Two divergences without any density: all that they need is samples and a good D."


kl_from_logits = Exercise(
    name="kl_from_logits",
    goal="Estimate KL(p || p_g) and KL(p_g || p) from D's logits on real and on fake samples, for a D at its best.",
    stub='''
def kl_from_logits(real_logits, fake_logits):
    """Logits of D* on n real and m fake samples come in; estimates of (KL(p || p_g), KL(p_g || p)) go out.

    Real logits [1, 0] and fake logits [-2, 0] give (0.5, 1.0).
    """
    return ...
''',
    hints=(
        "KL(p || p_g) is the mean of log p - log p_g over samples from p. Which number says log p - log p_g at x?",
        "KL(p || p_g) = E_p u(x) and KL(p_g || p) = -E_pg u(x), where u is the logit of D*.",
        "    forward = mean of real_logits\n    backward = minus the mean of fake_logits\n    return forward, backward",
    ),
    solution="""
def kl_from_logits(real_logits, fake_logits):
    return jnp.mean(real_logits), -jnp.mean(fake_logits)
""",
    check=check_kl_from_logits,
    also_right=(
        """
def kl_from_logits(real_logits, fake_logits):
    return np.array([np.mean(real_logits), np.mean(-np.asarray(fake_logits))])
""",
        """
def kl_from_logits(real_logits, fake_logits):
    real, fake = sigmoid(real_logits), sigmoid(fake_logits)
    forward = jnp.mean(jnp.log(real) - jnp.log1p(-real))
    return forward, jnp.mean(jnp.log1p(-fake) - jnp.log(fake))
""",
    ),
    tempting=(
        Tempting(
            "def kl_from_logits(real_logits, fake_logits):\n    return real_logits.mean(), fake_logits.mean()",
            "The second sign",
        ),
        Tempting(
            "def kl_from_logits(real_logits, fake_logits):\n    return -fake_logits.mean(), real_logits.mean()",
            "wrong way round",
        ),
        Tempting(
            """
def kl_from_logits(real_logits, fake_logits):
    return -jnp.mean(softplus(-real_logits)), -jnp.mean(softplus(fake_logits))
""",
            "halves of V",
        ),
        Tempting(
            """
def kl_from_logits(real_logits, fake_logits):
    return jnp.mean(sigmoid(real_logits)), jnp.mean(1 - sigmoid(fake_logits))
""",
            "means of probabilities",
        ),
    ),
)


# ---- the distances at a shift ----


@functools.cache
def _jsd_of_shift(shift: float) -> float:
    grid = theory.quadrature((-10.0 - abs(shift), 10.0 + abs(shift)), 4000)
    x = grid.points[:, 0]
    log_p, log_q = (-0.5 * (x - mean) ** 2 - 0.5 * np.log(2 * np.pi) for mean in (0.0, shift))
    return float(theory.divergence("jensen_shannon", log_p, log_q, grid.weights))


def check_distances(distances):
    names = ("JSD", "KL", "W1")
    for shift in (1.0, 4.0, -2.0, 8.0):
        found = to_array(distances(shift), f"the triple (JSD, KL, W1) at shift {shift:g}", (3,))
        jsd, kl, w1 = _jsd_of_shift(shift), shift**2 / 2, abs(shift)
        overlap_lost = math.erf(abs(shift) / math.sqrt(8))
        mistakes = {
            "JSD": [
                (jsd / LOG2, "This is in bits; all of ours are in nats, with log 2 as the largest."),
                (-LOG4 + 2 * jsd, "This is C(G) = -log 4 + 2 JSD, the value of the game."),
                (kl, "This is the mean of the two KL of p and p_g from each other; JSD takes them from (p + p_g) / 2."),
                (kl / 4, "This is JSD's beginning at small shifts, shift^2 / 8; it goes on as if there were no log 2."),
                (2 * jsd, "This is 2 JSD: JSD is the mean of two KL, not their sum."),
                (np.sqrt(jsd), "This is the root of JSD, a metric of its own; JSD itself is asked for."),
                (jsd / 2, "This is half of JSD, which is the mean of two KL: half their sum."),
                (jsd - LOG2, "A log 2 is lost: the half-way mixture is half of p + p_g."),
                (kl / 2, "The half-way mixture is the mean of the densities, not of their logarithms."),
                (LOG2, "JSD comes near to log 2 for large shifts only."),
            ],
            "KL": [
                (shift**2, "A factor 1/2 is missing: log p - log p_g is half a difference of squares."),
                (abs(shift), "This is W1. KL grows with the square of the shift."),
                (abs(shift) / 2, "The shift enters squared: log p - log p_g is half a difference of squares."),
                (jsd, "This is JSD. KL is taken from p_g itself, not from the half-way mixture."),
            ],
            "W1": [
                (shift, "A distance is never negative: a shift to the left is as far as one to the right."),
                (shift**2, "This is the squared distance, as W2^2 has it; W1 is a mean way."),
                (0.5 * shift**2, "This is KL. Every sample must go the same way, the shift."),
                (overlap_lost, "This is the total variation: it says how much has to move, W1 also how far."),
                (2 * overlap_lost, "This adds up |p - p_g|: how much has to move (twice), not how far."),
            ],
        }
        for name, value, right in zip(names, found, (jsd, kl, w1), strict=True):
            expect(
                value,
                right,
                f"{name} at shift {shift:g}",
                mistakes[name],
                tolerance=2e-3,
                otherwise="See hint 2; on a grid, is it wide and fine enough, and does log p stay finite?",
            )
    return "At shift 8: JSD has 1e-4 left to grow to log 2, KL is 32, W1 is 8."


distances = Exercise(
    name="distances",
    goal="Say how far N(shift, 1) is from N(0, 1) by three measures: JSD and KL(p || p_g) in nats, and W1.",
    stub='''
def distances(shift):
    """A number comes in; (JSD, KL(p || p_g), W1) of p = N(0, 1) and p_g = N(shift, 1) go out.

    distances(1.0) is (0.111, 0.5, 1.0).
    """
    return ...
''',
    hints=(
        "JSD needs a grid: `theory.quadrature` and `theory.divergence` do it. KL and W1 can be had in your head.",
        "KL = E_p[log p - log p_g] = shift^2 / 2; W1 = |shift|. JSD: theory.divergence('jensen_shannon', log_p, log_q, "
        "grid.weights), with log densities at grid.points[:, 0].",
        "    grid = theory.quadrature((-20.0, 20.0))\n"
        "    x = grid.points[:, 0]\n"
        "    log_p, log_q = log_normal(x), log_normal(x, shift)\n"
        "    jsd = theory.divergence('jensen_shannon', log_p, log_q, grid.weights)\n"
        "    return jsd, half the squared shift, size of the shift",
    ),
    solution="""
def distances(shift):
    grid = theory.quadrature((-20.0, 20.0))
    x = grid.points[:, 0]
    log_p, log_q = log_normal(x), log_normal(x, shift)
    jsd = theory.divergence("jensen_shannon", log_p, log_q, grid.weights)
    return jsd, shift**2 / 2, abs(shift)
""",
    check=check_distances,
    also_right=(
        """
def distances(shift):
    x = np.linspace(-20, 20, 8001)
    dx = x[1] - x[0]
    p, q = np.exp(log_normal(x)), np.exp(log_normal(x, shift))
    m = (p + q) / 2
    log_m = np.logaddexp(log_normal(x), log_normal(x, shift)) - np.log(2)
    jsd = 0.5 * np.sum(p * (log_normal(x) - log_m) + q * (log_normal(x, shift) - log_m)) * dx
    kl = np.sum(p * (log_normal(x) - log_normal(x, shift))) * dx
    return np.array([jsd, kl, np.sum(np.abs(np.cumsum(p - q))) * dx**2])
""",
        """
def distances(shift):
    grid = theory.quadrature((-25.0, 25.0), 4000)
    log_p, log_q = (jnp.asarray(log_normal(grid.points[:, 0], mean)) for mean in (0.0, shift))
    jsd, kl = (theory.divergence(kind, log_p, log_q, grid.weights) for kind in ("jensen_shannon", "kl"))
    return jsd, kl, theory.wasserstein1_density(log_p, log_q, grid)
""",
    ),
    tempting=(
        Tempting("def distances(shift):\n    return shift**2 / 2, shift**2 / 2, abs(shift)", "from (p + p_g) / 2"),
        Tempting("def distances(shift):\n    return shift**2 / 8, shift**2 / 2, abs(shift)", "no log 2"),
        Tempting(
            """
def distances(shift):
    grid = theory.quadrature((-20.0, 20.0))
    x = grid.points[:, 0]
    jsd = theory.divergence("jensen_shannon", log_normal(x), log_normal(x, shift), grid.weights)
    return jsd / np.log(2), shift**2 / 2, abs(shift)
""",
            "in bits",
        ),
        Tempting(
            """
def distances(shift):
    grid = theory.quadrature((-20.0, 20.0))
    x = grid.points[:, 0]
    jsd = theory.divergence("jensen_shannon", log_normal(x), log_normal(x, shift), grid.weights)
    return jsd, shift**2 / 2, shift
""",
            "never negative",
        ),
        Tempting(
            """
def distances(shift):
    grid = theory.quadrature((-20.0, 20.0))
    x = grid.points[:, 0]
    value = theory.divergence("gan", log_normal(x), log_normal(x, shift), grid.weights)
    return value, shift**2 / 2, abs(shift)
""",
            "the value of the game",
        ),
    ),
)


# ---- what reaches G ----


def _logit(x):
    return 0.5 - 0.8 * x + 0.1 * x**2


def _slope(x):
    return -0.8 + 0.2 * x


def check_generator_pull(generator_pull):
    z = np.asarray(jax.random.normal(jax.random.key(2), (64,)), np.float64)
    for mean in (1.0, -0.5):
        x = mean + z
        a, slope = _logit(x), _slope(x)
        right = -np.mean(_sigmoid(a) * slope)
        at_z = -np.mean(_sigmoid(_logit(z)) * _slope(z))
        mistakes = [
            (-right, "The sign is turned: V falls where D's answer on the fakes rises."),
            (
                -np.mean((1 - _sigmoid(a)) * slope),
                "This is the gradient of the non-saturating loss, -log D; here V itself is asked for.",
            ),
            (
                np.mean((1 - _sigmoid(a)) * slope),
                "This is the gradient of log D on the fakes; in V they stand in log(1 - D).",
            ),
            (-np.mean(_sigmoid(a)), "A factor is missing: by the chain rule the slope of the logit in x."),
            (-np.mean(slope), "This is minus the slope of the logit: log(1 - D), not the logit, stands in V."),
            (at_z, "D must look at the fakes, mean + z, not at the latents z."),
            (right * len(z), "You summed over the fakes; take the mean."),
            (
                -np.mean(_sigmoid(a) * (1 - _sigmoid(a)) * slope),
                "This is the gradient of 1 - D; V takes its logarithm.",
            ),
            (-np.mean(_softplus(a)), "This is V's half itself; take its derivative in the mean."),
            (
                0.0,
                "Nothing hangs on the mean here: make the fakes, mean + z, inside the function that is differentiated.",
            ),
            (right / len(z), "Too small by n: each fake moves with the mean, so add their slopes, with weight 1/n."),
            (np.mean(slope), "This is the slope of the logit; log(1 - D), not the logit, stands in V."),
            (np.mean(_sigmoid(a) * (1 - _sigmoid(a)) * slope), "This is the gradient of D; V has log(1 - D) in it."),
            (
                np.mean((1 - 2 * _sigmoid(a)) * slope),
                "The real samples' half doesn't move with G; only log(1 - D) is asked at the fakes.",
            ),
            (-_sigmoid(_logit(mean)) * _slope(mean), "This is at the mean alone; average over the fakes, mean + z."),
            (-np.mean(_sigmoid(_logit(mean * z)) * _slope(mean * z) * z), "The fakes are mean + z, not mean times z."),
        ]
        expect(
            generator_pull(lambda x: _logit(x), jnp.float32(mean), jnp.asarray(z, jnp.float32)),
            right,
            f"the derivative at mean {mean:g}",
            mistakes,
            otherwise="See hint 2: the derivative of the mean of -softplus(a(mean + z)) in the mean.",
            tolerance=2e-3,
        )
    flat = generator_pull(lambda x: 0.0 * x, jnp.float32(1.0), jnp.asarray(z, jnp.float32))
    expect(flat, 0.0, "the derivative under a D that says 1/2 everywhere", otherwise="A flat D gives G nothing.")
    return "Where D's logit is flat, or D is sure of a fake, nothing reaches G. G meets D's slope, never p."


generator_pull = Exercise(
    name="generator_pull",
    goal="G(z) = mean + z. Find the derivative of V in the mean while D, given by its logit, is held still.",
    stub='''
def generator_pull(logit, mean, z):
    """D's logit as a function of x, shape (n,) to (n,); G's mean, a number; latents z, shape (n,).

    Return dV / d mean, a number. For the logit 0.5 - x and all z = 0 it is 0.378 at mean 1: downhill is to the left.
    """
    return ...
''',
    hints=(
        "Real samples don't move with G. Which half of V is left? Write it as a function of the mean alone.",
        "V's half is -mean of softplus(a(mean + z)), and its derivative -mean of sigmoid(a(x)) a'(x).",
        "    def half(mean):\n        x = mean + z\n        return minus the mean of softplus(logit(x))\n"
        "    return jax.grad(half)(mean)",
    ),
    solution="""
def generator_pull(logit, mean, z):
    def half(mean):
        return -jnp.mean(softplus(logit(mean + z)))

    return jax.grad(half)(mean)
""",
    check=check_generator_pull,
    also_right=(
        """
def generator_pull(logit, mean, z):
    x = mean + z
    slope = jax.grad(lambda x: jnp.sum(logit(x)))(x)
    return -jnp.mean(sigmoid(logit(x)) * slope)
""",
        """
def generator_pull(logit, mean, z):
    x = mean + z
    value, change = jax.jvp(lambda x: jnp.mean(jax.nn.log_sigmoid(-logit(x))), (x,), (jnp.ones_like(x),))
    return float(change)
""",
    ),
    tempting=(
        Tempting(
            """
def generator_pull(logit, mean, z):
    return jax.grad(lambda mean: jnp.mean(softplus(-logit(mean + z))))(mean)
""",
            "non-saturating",
        ),
        Tempting(
            """
def generator_pull(logit, mean, z):
    return jax.grad(lambda mean: jnp.mean(softplus(logit(mean + z))))(mean)
""",
            "sign is turned",
        ),
        Tempting(
            """
def generator_pull(logit, mean, z):
    return -jnp.mean(sigmoid(logit(mean + z)))
""",
            "A factor is missing",
        ),
        Tempting(
            """
def generator_pull(logit, mean, z):
    return jax.grad(lambda z: -jnp.mean(softplus(logit(z))))(z).sum()
""",
            "not at the latents",
        ),
        Tempting(
            """
def generator_pull(logit, mean, z):
    return jax.grad(lambda mean: jnp.mean(1 - sigmoid(logit(mean + z))))(mean)
""",
            "gradient of 1 - D",
        ),
    ),
)


# ---- the printed derivation ----


def check_value_from_jsd(value_from_jsd):
    for jsd in (0.111421, 0.4, 0.0):
        mistakes = [
            (2 * jsd, "The log 4 is lost: this has its minimum at 0. What does D* = 1/2 win? Not 0."),
            (jsd - LOG4, "JSD is the mean of the two KL, so their sum is 2 JSD."),
            (2 * jsd - LOG2, "Each of the two terms leaves a log 2, so two of them: 0.69 is only one."),
            (jsd - LOG2, "This is C / 2; V adds its two terms, and doesn't average them."),
            (2 * jsd + LOG4, "The sign of log 4: V is a mean of logarithms of probabilities and never above 0."),
            (LOG4 - 2 * jsd, "This is D's loss, -C. V is asked for."),
            (jsd, "This is JSD itself; the value of the game is shifted and stretched."),
            (-LOG4 - 2 * jsd, "The sign of JSD: -log 4 is the least value, and JSD lifts it."),
            (-2 + 2 * jsd, "The logarithm is the natural one: log 4 = 1.386."),
            (-np.log10(4) + 2 * jsd, "The logarithm is the natural one: log 4 = 1.386."),
        ]
        expect(
            value_from_jsd(jsd),
            -LOG4 + 2 * jsd,
            f"C at JSD {jsd:g}",
            mistakes,
            otherwise="Redo lines 3 and 4.",
            tolerance=5e-4,  # 1.386, as the lesson prints it, will do
        )
    return "The least value is -log 4 = -1.386, at p_g = p. It is 0 only where the heaps do not meet at all."


value_from_jsd = Exercise(
    name="value_from_jsd",
    goal="One line of the printed derivation is wrong. Repair it: what is C(G), as a function of JSD?",
    stub='''
def value_from_jsd(jsd):
    """JSD(p, p_g) in nats comes in; C(G), the value of the game at D*, goes out."""
    return ...
''',
    hints=(
        "Put numbers in: at p_g = p both KL are 0, and D* is 1/2. What does the line say then, and what is V?",
        "p + p_g = 2 m, so log(p / (p + p_g)) = log(p / m) - log 2, in both terms.",
        "    return minus the logarithm of 4, plus twice jsd",
    ),
    solution="""
def value_from_jsd(jsd):
    return -np.log(4) + 2 * jsd
""",
    check=check_value_from_jsd,
    also_right=(
        "def value_from_jsd(jsd):\n    return 2.0 * (jnp.asarray(jsd) - jnp.log(2.0))",
        "def value_from_jsd(jsd):\n    return float(jsd + jsd - 2 * 0.6931471805599453)",
    ),
    tempting=(
        Tempting("def value_from_jsd(jsd):\n    return 2 * jsd", "log 4 is lost"),
        Tempting("def value_from_jsd(jsd):\n    return jsd - np.log(4)", "their sum is 2 JSD"),
        Tempting("def value_from_jsd(jsd):\n    return 2 * jsd - np.log(2)", "0.69 is only one"),
        Tempting("def value_from_jsd(jsd):\n    return np.log(4) - 2 * jsd", "D's loss"),
    ),
)


# ---- stretch: unequal numbers ----


def check_balanced_logit(balanced_logit):
    for logit, real, fake in ((0.7, 300, 100), (-1.2, 50, 400), (2.0, 64, 64)):
        prior = np.log(real / fake)
        mistakes = [
            (logit + prior, "The sign: with more real samples than fakes D leans to real, so take that off."),
            (logit, "This D counts on meeting more of one kind than of the other; that must come off."),
            (logit - real / fake, "The numbers enter odds as a factor, so the logit as a logarithm."),
            (logit * fake / real, "Odds are multiplied, so logits are added to; do not stretch the logit."),
            (logit - np.log(real / (real + fake)), "Take the odds of real to fake, not the share of real."),
            (logit + np.log(real / (real + fake)), "Take the odds of real to fake off, not a share."),
            (logit - np.log(fake / (real + fake)), "Take the odds of real to fake, not the share of fakes."),
            (logit * real / fake, "Odds are multiplied, so logits are added to; do not stretch the logit."),
            (logit - prior / LOG2, "The logarithm is the natural one, as in the logit."),
            (_sigmoid(logit - prior), "This is a probability; u is its logit."),
            (np.exp(logit - prior), "This is the ratio p / p_g; u is its logarithm."),
        ]
        expect(
            balanced_logit(logit, real, fake),
            logit - prior,
            f"u for logit {logit:g}, {real} real and {fake} fake samples",
            mistakes,
            otherwise="Write down D* for densities weighted by the numbers; see hint 2.",
        )
    places = jnp.array([0.0, 1.0])
    expect(balanced_logit(places, 20, 10), np.asarray(places) - LOG2, "u at two places at once")
    return "Our L_D takes a mean over each kind on its own, so the numbers drop out, and no correction is needed."


balanced_logit = Exercise(
    name="balanced_logit",
    goal="A classifier was trained by plain cross-entropy on one pile of n_real real and n_fake fake samples. Turn its "
    "logit into the log density ratio.",
    stub='''
def balanced_logit(logit, n_real, n_fake):
    """The classifier's logit, a number or an array, and the two counts come in; u = log p - log p_g goes out.

    A logit of 0 with 20 real and 10 fake samples gives -0.693.
    """
    return ...
''',
    hints=(
        "Where p = p_g, this classifier does not say 1/2: it says how large the share of real samples in the pile is.",
        "D = n_real p / (n_real p + n_fake p_g), so its odds are (n_real / n_fake) e^u.",
        "    return logit minus the logarithm of (n_real divided by n_fake)",
    ),
    solution="""
def balanced_logit(logit, n_real, n_fake):
    return logit - np.log(n_real / n_fake)
""",
    check=check_balanced_logit,
    also_right=(
        "def balanced_logit(logit, n_real, n_fake):\n    return logit + np.log(n_fake) - np.log(n_real)",
        """
def balanced_logit(logit, n_real, n_fake):
    odds = jnp.exp(logit) * n_fake / n_real
    return jnp.log(odds)
""",
    ),
    tempting=(
        Tempting("def balanced_logit(logit, n_real, n_fake):\n    return logit + np.log(n_real / n_fake)", "The sign"),
        Tempting("def balanced_logit(logit, n_real, n_fake):\n    return logit", "must come off"),
        Tempting("def balanced_logit(logit, n_real, n_fake):\n    return logit - n_real / n_fake", "as a logarithm"),
        Tempting("def balanced_logit(logit, n_real, n_fake):\n    return logit * n_fake / n_real", "do not stretch"),
    ),
    stretch=True,
)


# ---- the quiz ----

at_equilibrium = Question(
    "at_equilibrium",
    "G has become perfect, p_g = p, and D answers as well as anybody can. What is V?",
    (
        Choice(
            "0: the generator has reached the minimum.",
            "0 is V's largest value, for a D that is always sure and right. With p_g = p nobody can be.",
        ),
        Choice(
            "-log 4 = -1.386.",
            "D* is 1/2 everywhere, and V = log 1/2 + log 1/2. It is the least value that C(G) has.",
            True,
        ),
        Choice("1/2.", "1/2 is what D answers; V is a sum of logarithms of it."),
        Choice("-log 2 = -0.693.", "that is one of V's two terms; V adds both."),
    ),
)

moving_second = Question(
    "moving_second",
    "In any zero-sum game, how do max min (D moves first) and min max (G moves first) of D's gain compare?",
    (
        Choice(
            "They are equal; the order is a matter of notation.", "so it is at a saddle, which a game need not have."
        ),
        Choice(
            "max min is at most min max.",
            "who moves second sees the other's move, and D's gain is larger when D is the one who sees.",
            True,
        ),
        Choice("max min is at least min max.", "then D would gain by committing itself before G does."),
        Choice("It depends on the game, either can be larger.", "they can be equal or not, but never the other way."),
    ),
)

meaning_of_logit = Question(
    "meaning_of_logit",
    "At some x the best D has logit -2.3. What does that say about x?",
    (
        Choice("The probability that x is real is -2.3.", "a probability lies between 0 and 1; here it is 0.09."),
        Choice(
            "Fakes are ten times as dense there as real samples.",
            "the logit is log p - log p_g, and e^2.3 is 10.",
            True,
        ),
        Choice(
            "x is far away from all real samples.", "the ratio counts: where there are many of both, it may be -2.3."
        ),
        Choice("x is a fake.", "one in eleven samples found there is real."),
    ),
)

who_starves = Question(
    "who_starves",
    "Played with V itself: the fakes are far away, and D is sure and right. Who gets no gradient, and does it matter?",
    (
        Choice(
            "D: it is so good that it can't learn any more, and so training stalls.",
            "the story of the wrong player. D's gradient is small because D has nothing left to win: no harm.",
        ),
        Choice(
            "G: at its fakes, sigmoid(a) is nearly 0, and it is G that still has all the way to go.",
            "G's gradient is -sigmoid(a) times the logit's slope: next to nothing just when G is worst.",
            True,
        ),
        Choice(
            "Nobody: D is sure, so its gradient is large.",
            "as a function of the logit, log(1 - D) is flat there: its slope is -sigmoid(a), nearly 0.",
        ),
        Choice("Both, and so the game is at its equilibrium.", "at the equilibrium D says 1/2, and p_g = p."),
    ),
)

sixty_nine = Question(
    "sixty_nine",
    "D's loss, the sum of its two cross-entropies, stands at 0.69. What does that tell you?",
    (
        Choice(
            "D is at chance: -log 1/2 = 0.69.",
            "that is one term. For the sum chance is 2 log 2 = 1.386; 0.69 is far better than chance.",
        ),
        Choice(
            "D tells many fakes from real samples: JSD(p, p_g) is about 0.35 or more.",
            "V = -0.69 is at most -log 4 + 2 JSD, so JSD is at least (1.386 - 0.69) / 2 = 0.348.",
            True,
        ),
        Choice("G is perfect.", "then no D could get below 1.386 in the long run."),
        Choice("D maximises its loss, so it is losing.", "D maximises V and minimises its loss -V: lower is better."),
    ),
)

LESSON = Source(
    name="02_the_minimax_game",
    given=GIVEN,
    exercises=(
        game_value,
        order_of_play,
        best_discriminator,
        kl_from_logits,
        distances,
        generator_pull,
        value_from_jsd,
        balanced_logit,
    ),
    quiz=(at_equilibrium, moving_second, meaning_of_logit, who_starves, sixty_nine),
)
