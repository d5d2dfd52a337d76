"""The exercises and the quiz of lesson 03, where the losses come from."""

import math

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

X = np.linspace(-9.0, 10.0, 1901)
WEIGHTS = np.full(X.size, X[1] - X[0])


def _softplus(a):
    return np.logaddexp(0.0, np.asarray(a, np.float64))  # an oracle that shares no code with JAX's


def _sigmoid(a):
    return 0.5 * (1 + np.tanh(np.asarray(a, np.float64) / 2))


def _normal(mean: float | int, scale: float | int) -> np.ndarray:
    return np.exp(-(((X - mean) / scale) ** 2) / 2) / (scale * math.sqrt(2 * math.pi))


def _several(answer, names: tuple[str, ...]) -> list:
    """The parts of an answer that should have as many as there are names."""
    wanted = f"Return {len(names)} things in this order: {', '.join(names)}"
    if isinstance(answer, (str, dict, set)) or not hasattr(answer, "__len__") or getattr(answer, "ndim", 1) == 0:
        raise Wrong(f"{wanted}; yours is {str(answer)[:40]!r}.")
    if len(answer) != len(names):
        raise Wrong(f"{wanted}; yours has {len(answer)}.")
    return list(answer)


# ---- both losses of G, from logits ----


def check_generator_losses(losses):
    logits = np.array([-1.0, 0.75, -2.0, 0.5])
    names = ("minimax", "non-saturating")
    minimax, nonsaturating = -_softplus(logits).mean(), _softplus(-logits).mean()
    right = np.array([minimax, nonsaturating])
    mistakes = [
        (right[::-1], "The order is turned: minimax first, then non-saturating."),
        ([-minimax, nonsaturating], "The first has D's sign: log(1 - D) is never positive, and G wants it low."),
        ([minimax, -nonsaturating], "The second has lost its sign: G minimises -log D(G(z)), which is never negative."),
        ([-minimax, -nonsaturating], "Both signs are turned: an optimiser would make the fakes worse."),
        (right * logits.size, "You summed over the samples; take the mean."),
        ([nonsaturating, nonsaturating], "Both are the non-saturating loss; minimax has log(1 - D), not -log D."),
        ([minimax, minimax], "Both are the minimax loss; the non-saturating one has -log D, not log(1 - D)."),
        ([minimax, -minimax], "The second is the first with its sign turned, -log(1 - D). Non-saturating is -log D."),
        ([-nonsaturating, nonsaturating], "The first is log D; minimax has log(1 - D)."),
        (right / 2, "Halved: each loss is one mean, without a factor of 1/2."),
        ([-_softplus(logits.mean()), _softplus(-logits.mean())], "Take the mean of the losses, not of the logits."),
        ([_sigmoid(logits).mean(), _sigmoid(-logits).mean()], "These are probabilities; their logarithms are wanted."),
    ]
    found = np.array([to_array(part, f"the {name} loss", several=AVERAGE) for part, name in
                      zip(_several(losses(jnp.asarray(logits)), names), names, strict=True)])  # fmt: skip
    expect(found, right, "the pair of losses", mistakes, otherwise="Compare each with the formula of hint 2.")
    exact = {"": [-_softplus(SURE), _softplus(-SURE)], "the gradient of ": [-_sigmoid(SURE) / 4, -_sigmoid(-SURE) / 4]}
    for i, name in enumerate(names):
        of_name = lambda a, i=i: jnp.asarray(losses(a)[i])  # noqa: E731
        for part, value in (("", of_name), ("the gradient of ", jax.grad(of_name))):
            try:
                found = np.array([value(jnp.full(4, logit)) for logit in SURE]).reshape(SURE.size, -1)[:, 0]
            except (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError):
                return "Both are right. (In training use `jnp`: JAX cannot differentiate through NumPy or `float`.)"
            for sure, here, wanted in zip(SURE, found, exact[part][i], strict=True):
                _survives(f"{part}the {name} loss", float(sure), float(here), float(wanted))
    return "Both, and their gradients, are right at logits of +-200. At logits of 0 they are -log 2 and log 2."


SURE = np.array([200.0, -200.0, 30.0, -30.0])
"""Fake logits at which D is so sure that a sigmoid in float32 is 0 or 1."""


def _survives(what: str, logit: float, found: float, wanted: float) -> None:
    if not np.isfinite(found):
        raise Wrong(f"{what} is not finite at logits of {logit:g}: write it with `softplus`.")
    if abs(found - wanted) > 1e-3 * max(1.0, abs(wanted)):
        raise Wrong(
            f"{what} is {found:.4g} at logits of {logit:g}; it should be {wanted:.4g}. A small number added inside the "
            "logarithm, or a clipped D, keeps it finite but wrong: write it with `softplus`."
        )


generator_losses = Exercise(
    name="generator_losses",
    goal="Write both losses of G from fake logits, finite at any logit: minimax, the mean of log(1 - D), and "
    "non-saturating, the mean of -log D.",
    stub='''
def generator_losses(fake_logits):
    """Fake logits, shape (n,), come in; (minimax, non-saturating), two numbers, go out."""
    return ...
''',
    hints=(
        "Write 1 - sigmoid(a) as a sigmoid of something. The logarithm of a sigmoid has a stable form.",
        "log(1 - sigmoid(a)) = -softplus(a), and -log sigmoid(a) = softplus(-a).",
        "    minimax = minus the mean of softplus(fake_logits)\n"
        "    non_saturating = the mean of softplus(-fake_logits)\n"
        "    return minimax, non_saturating",
    ),
    solution="""
def generator_losses(fake_logits):
    return -jnp.mean(softplus(fake_logits)), jnp.mean(softplus(-fake_logits))
""",
    check=check_generator_losses,
    also_right=(
        """
def generator_losses(fake_logits):
    return jnp.stack([jax.nn.log_sigmoid(-fake_logits).mean(), -jax.nn.log_sigmoid(fake_logits).mean()])
""",
        """
@jax.jit
def generator_losses(fake_logits):
    minimax = -jnp.logaddexp(0.0, fake_logits).mean()
    return [minimax, -minimax - fake_logits.mean()]
""",
        """
def generator_losses(fake_logits):
    a = np.asarray(fake_logits)
    return float(-np.logaddexp(0, a).mean()), float(np.logaddexp(0, -a).mean())
""",
    ),
    tempting=(
        Tempting(
            """
def generator_losses(fake_logits):
    return jnp.mean(softplus(-fake_logits)), -jnp.mean(softplus(fake_logits))
""",
            "order is turned",
        ),
        Tempting(
            """
def generator_losses(fake_logits):
    return -jnp.mean(softplus(fake_logits)), jnp.mean(jax.nn.log_sigmoid(fake_logits))
""",
            "lost its sign",
        ),
        Tempting(
            """
def generator_losses(fake_logits):
    return jnp.mean(softplus(fake_logits)), jnp.mean(softplus(-fake_logits))
""",
            "D's sign",
        ),
        Tempting(
            """
def generator_losses(fake_logits):
    d = sigmoid(fake_logits)
    return jnp.mean(jnp.log(1 - d)), -jnp.mean(jnp.log(d))
""",
            "not finite",
        ),
        Tempting(
            """
def generator_losses(fake_logits):
    return -softplus(fake_logits), softplus(-fake_logits)
""",
            "Take the mean",
        ),
        Tempting(
            """
def generator_losses(fake_logits):
    d = sigmoid(fake_logits)
    return jnp.mean(jnp.log(1 - d + 1e-8)), -jnp.mean(jnp.log(d + 1e-8))
""",
            "finite but wrong",
        ),
        Tempting(
            """
def generator_losses(fake_logits):
    d = jnp.clip(sigmoid(fake_logits), 1e-7, 1 - 1e-7)
    return jnp.mean(jnp.log(1 - d)), -jnp.mean(jnp.log(d))
""",
            "finite but wrong",
        ),
        Tempting(
            """
def generator_losses(fake_logits):
    return -softplus(jnp.mean(fake_logits)), softplus(-jnp.mean(fake_logits))
""",
            "not of the logits",
        ),
        Tempting(
            """
def generator_losses(fake_logits):
    return -jnp.mean(softplus(fake_logits))
""",
            "Return 2 things",
        ),
    ),
)


# ---- the gradient ratio ----


def check_gradient_ratio(ratio):
    logits = np.array([-10.0, -3.0, 0.0, 2.0, 5.0])
    right = np.exp(-logits)
    mistakes = [
        (1 / right, "Upside down: this is minimax over non-saturating. At a = -10 the non-saturating one is larger."),
        (-right, "Both gradients are negative, so their ratio is positive."),
        (-1 / right, "Upside down, and both gradients are negative, so their ratio is positive."),
        (_sigmoid(logits) * _sigmoid(-logits), "You multiplied the two gradients; by what factor is one the larger?"),
        (_sigmoid(-logits) - _sigmoid(logits), "You subtracted the two gradients; by what factor is one the larger?"),
        (-logits, "This is the logarithm of the ratio."),
        (
            1 - _sigmoid(logits),
            "This is the size of the non-saturating gradient alone; divide by the other's, sigmoid.",
        ),
        (_sigmoid(logits), "This is the size of the minimax gradient alone."),
        (np.exp(np.abs(logits)), "For a > 0 D believes the fake, and there the minimax gradient is the larger one."),
        (_softplus(-logits) / _softplus(logits), "You divided the losses; the question is about their gradients."),
    ]
    found = [to_array(ratio(jnp.float32(a)), "the ratio") for a in logits]
    expect(np.array(found), right, "the ratio at logits -10, -3, 0, 2, 5", mistakes,
           otherwise="Differentiate both losses with respect to the logit, then divide.", tolerance=2e-3)  # fmt: skip
    return "At a = -10 the non-saturating gradient is 22,026 times as large; at a = 0 they are equal."


gradient_ratio = Exercise(
    name="gradient_ratio",
    goal="At fake logit a: by what factor is the non-saturating loss's gradient larger than the minimax loss's?",
    stub='''
def gradient_ratio(a):
    """A fake logit comes in; the gradient of -log D over the gradient of log(1 - D), both in a, goes out."""
    return ...
''',
    hints=(
        "Both gradients are in the step above. Divide them, and simplify with sigmoid(a) = 1 / (1 + e^-a).",
        "(1 - sigmoid(a)) / sigmoid(a).",
        "    1 - sigmoid(a) = e^-a / (1 + e^-a), and sigmoid(a) = 1 / (1 + e^-a)\n    return their quotient",
    ),
    solution="""
def gradient_ratio(a):
    return jnp.exp(-a)
""",
    check=check_gradient_ratio,
    also_right=(
        """
def gradient_ratio(a):
    return jax.grad(lambda a: softplus(-a))(a) / jax.grad(lambda a: -softplus(a))(a)
""",
        """
def gradient_ratio(a):
    return float((1 - sigmoid(a)) / sigmoid(a))
""",
        """
def gradient_ratio(a):
    return np.exp(-np.asarray(a))
""",
    ),
    tempting=(
        Tempting("def gradient_ratio(a):\n    return jnp.exp(a)", "Upside down"),
        Tempting("def gradient_ratio(a):\n    return 1 - sigmoid(a)", "alone"),
        Tempting("def gradient_ratio(a):\n    return jnp.exp(jnp.abs(a))", "believes the fake"),
        Tempting("def gradient_ratio(a):\n    return softplus(-a) / softplus(a)", "divided the losses"),
        Tempting("def gradient_ratio(a):\n    return -a", "logarithm of the ratio"),
    ),
)


# ---- which player starves ----


def check_pull_while_losing(pull):
    names = ("D", "G with minimax", "G with the non-saturating loss")
    for margin in (3.0, 10.0, 0.5):
        yes, no = _sigmoid(margin), _sigmoid(-margin)
        right = np.array([yes, no, yes])
        mistakes = [
            (
                [no, no, yes],
                "D's gradient is taken at logit -m, where D is right about the fake and has nothing to learn. "
                "D loses where it believes a fake: at +m.",
            ),
            *(
                (right * signs, "The question is the size: take absolute values.")
                for signs in ([1, -1, -1], [1, -1, 1], [1, 1, -1], [-1, 1, 1], [-1, -1, -1])
            ),
            (
                [no, -yes, -no],
                "Each player is looked at where it wins. Turn the sign of the logit, then take the size.",
            ),
            ([yes, yes, yes], "With the minimax loss G's pull is sigmoid(a), at the logit -m where G loses."),
            (
                [no, no, no],
                "One of G's losses keeps its pull where G loses, and so does D: at which logit does D lose?",
            ),
            ([yes, yes, no], "At logit +m the fake passes for real, and G is winning. G loses at -m."),
            ([no, yes, no], "Each player is looked at where it wins. Turn the sign of the logit."),
            ([yes, yes, no][::-1], "D is looked at where it wins, and G's two losses have changed places."),
            (
                [_softplus(margin), -_softplus(-margin), _softplus(margin)],
                "These are the losses themselves; what moves a player is their gradient.",
            ),
        ]
        parts = _several(pull(margin), names)
        found = np.array([to_array(part, f"the pull on {name}") for part, name in zip(parts, names, strict=True)])
        expect(found, right, f"the pull at margin {margin:g}", mistakes,
               otherwise="Say first at which fake logit each player is losing.")  # fmt: skip
    return (
        "At margin 10: D 1, G with minimax 4.5e-5, G non-saturating 1. Only G starves, and only with the minimax loss: "
        "a D that is wrong always hears so."
    )


pull_while_losing = Exercise(
    name="pull_while_losing",
    goal="Prove by autodiff which player starves. Each player is losing on a fake by `margin` on the logit's scale; "
    "return the size of its loss's gradient with respect to that logit.",
    stub='''
def pull_while_losing(margin):
    """Returns three sizes: D's, G's with the minimax loss, G's with the non-saturating loss."""
    return ...
''',
    hints=(
        "D loses on a fake that it believes, G on a fake that D sees through. Which sign has the logit in each case?",
        "|grad softplus(a)| at a = +m for D; |grad -softplus(a)| and |grad softplus(-a)| at a = -m for G.",
        "    d = jax.grad(softplus) at +margin\n"
        "    minimax = jax.grad of -softplus(a) at -margin\n"
        "    non_saturating = jax.grad of softplus(-a) at -margin\n"
        "    return the absolute values",
    ),
    solution="""
def pull_while_losing(margin):
    d = jax.grad(softplus)(margin)
    minimax = jax.grad(lambda a: -softplus(a))(-margin)
    nonsaturating = jax.grad(lambda a: softplus(-a))(-margin)
    return abs(d), abs(minimax), abs(nonsaturating)
""",
    check=check_pull_while_losing,
    also_right=(
        """
def pull_while_losing(margin):
    return jnp.array([sigmoid(margin), sigmoid(-margin), sigmoid(margin)])
""",
        """
def pull_while_losing(margin):
    yes = 1 / (1 + np.exp(-margin))
    return [yes, 1 - yes, yes]
""",
    ),
    tempting=(
        Tempting(
            """
def pull_while_losing(margin):
    a = -margin
    losses = (softplus, lambda a: -softplus(a), lambda a: softplus(-a))
    return [abs(jax.grad(loss)(a)) for loss in losses]
""",
            "D is right about the fake",
        ),
        Tempting(
            """
def pull_while_losing(margin):
    losses = (softplus, lambda a: -softplus(a), lambda a: softplus(-a))
    return [abs(jax.grad(loss)(margin)) for loss in losses]
""",
            "G is winning",
        ),
        Tempting(
            """
def pull_while_losing(margin):
    return sigmoid(margin), -sigmoid(-margin), -sigmoid(margin)
""",
            "absolute values",
        ),
        Tempting(
            """
def pull_while_losing(margin):
    return softplus(margin), -softplus(-margin), softplus(margin)
""",
            "the losses themselves",
        ),
    ),
)


# ---- the missing row of the f-GAN table ----


def check_hellinger_row(row):
    ratios = np.array([0.04, 0.36, 1.0, 2.25, 4.0, 25.0])
    root = np.sqrt(ratios)
    output, conjugate = 1 - 1 / root, root - 1
    names = ("T", "f*(T)")
    parts = _several(row(jnp.asarray(ratios)), names)
    t = to_array(parts[0], "T", ratios.shape)
    expect(t, output, "T at six ratios", [
        (output / 2, "Halved: this row's f is (sqrt(r) - 1)^2, without a factor of 1/2."),
        ((root - 1) ** 2, "This is f(r); the best T is its slope, f'(r)."),
        (2 * (root - 1), "2 (sqrt(r) - 1) forgets the inner derivative: that of sqrt(r), 1/(2 sqrt(r))."),
        (conjugate, "This is f*(T), which comes second. T is f'(r): 2 (sqrt(r) - 1) times 1/(2 sqrt(r))."),
        (-output, "T has the wrong sign: it must be large where samples are real, at large r."),
        (1 - root, "T must rise with r: f'(r) = 2 (sqrt(r) - 1) times the inner derivative, 1/(2 sqrt(r))."),
        (1 - 1 / ratios, "The derivative of sqrt(r) is 1/(2 sqrt(r)), not 1/(2 r)."),
        (np.log(ratios), "This is u = log r; T is f'(r)."),
        (1 + np.log(ratios), "This is the row of KL(p || p_g): its f is r log r."),
    ], otherwise="Differentiate f(r) = r - 2 sqrt(r) + 1.")  # fmt: skip
    expect(to_array(parts[1], "f*(T)", ratios.shape), conjugate, "f*(T) at six ratios", [
        ((root - 1) ** 2, "This is f(r), the divergence's own function; f* is its conjugate, at T."),
        (-conjugate, "f*(T) has the wrong sign: sup over r of r T - f(r)."),
        (output / (1 + output), "f*(t) = t / (1 - t), with a minus: it must grow without bound as t nears 1."),
        (ratios * output, "This is r T; take f(r) away from it."),
        (ratios * output + (root - 1) ** 2, "r T - f(r), with a minus: you added f(r)."),
        (root, "This is 1 / (1 - T); f*(t) = t / (1 - t)."),
    ], otherwise="Put T into f*(t) = sup over r of r t - f(r): at this T the supremum is at r itself.")  # fmt: skip
    p, q = _normal(0, 1), _normal(1, 1)
    t, f_star = (to_array(part, "the row", X.shape) for part in row(jnp.asarray(p / q)))
    bound = np.sum(WEIGHTS * (p * t - q * f_star))
    return f"For N(0,1) and N(1,1): E T - E f*(T) = {bound:.4f}, and the integral of (sqrt p - sqrt p_g)^2 is 0.2350."


hellinger_row = Exercise(
    name="hellinger_row",
    goal="Fill the missing row, squared Hellinger with f(r) = (sqrt(r) - 1)^2: for ratios r = p / p_g return the best "
    "output T = f'(r), and f*(T), the conjugate of f at that T.",
    stub='''
def hellinger_row(r):
    """Ratios p / p_g, shape (n,), come in; T and f*(T), shape (n,) each, go out. At r = 4 they are 0.5 and 1."""
    return ...
''',
    hints=(
        "T is the slope of f at r. At its best T the conjugate needs no supremum: the tangent touches at r itself.",
        "f'(r) = 1 - 1 / sqrt(r), and f*(f'(r)) = r f'(r) - f(r); also f*(t) = t / (1 - t) for t < 1.",
        "    t = 1 minus 1 over sqrt(r)\n    conjugate = t over (1 - t)\n    return t, conjugate",
    ),
    solution="""
def hellinger_row(r):
    t = 1 - 1 / jnp.sqrt(r)
    return t, t / (1 - t)
""",
    check=check_hellinger_row,
    also_right=(
        """
def hellinger_row(r):
    f = lambda r: (jnp.sqrt(r) - 1) ** 2
    t = jax.vmap(jax.grad(f))(r)
    return t, r * t - f(r)
""",
        """
def hellinger_row(r):
    root = np.sqrt(np.asarray(r))
    return np.stack([1 - 1 / root, root - 1])
""",
    ),
    tempting=(
        Tempting("def hellinger_row(r):\n    t = 1 - 1 / jnp.sqrt(r)\n    return t, (jnp.sqrt(r) - 1) ** 2", "is f(r)"),
        Tempting("def hellinger_row(r):\n    t = 0.5 * (1 - 1 / jnp.sqrt(r))\n    return t, t / (1 - 2 * t)", "Halved"),
        Tempting("def hellinger_row(r):\n    t = 1 - 1 / jnp.sqrt(r)\n    return t, t / (1 + t)", "with a minus"),
        Tempting(
            "def hellinger_row(r):\n    t = 2 * (jnp.sqrt(r) - 1)\n    return t, jnp.sqrt(r) - 1", "inner derivative"
        ),
        Tempting("def hellinger_row(r):\n    t = 1 - 1 / jnp.sqrt(r)\n    return t, f'{t}'", "should be"),
        Tempting("def hellinger_row(r):\n    t = 1 - 1 / jnp.sqrt(r)\n    return t, r * t", "take f(r) away"),
        Tempting("def hellinger_row(r):\n    return jnp.sqrt(r) - 1, 1 - 1 / jnp.sqrt(r)", "comes second"),
    ),
)


# ---- least squares is a chi squared ----


def check_chi2_of_game(game):
    for name, p, q in (("N(0,1) and N(-2,1.5)", _normal(0, 1), _normal(-2, 1.5)),
                       ("N(0,1) and N(1,1)", _normal(0, 1), _normal(1, 1))):  # fmt: skip
        best, w = (p - q) / (p + q), WEIGHTS
        right = np.sum(w * (p + q) * best**2)
        mistakes = [
            (right / 2, "This is C, half of what is asked: return 2 C, without the factors 1/2."),
            (
                np.sum(w * p**2 / (p + q)),
                "Your D* is p / (p + q), the best answer for labels 0 and 1. For labels -1 and 1 it is "
                "(p - p_g) / (p + p_g).",
            ),
            (np.sum(w * q**2 / (p + q)), "These are the labels 0, 1 and c = 1: they give 1/2 + chi2/4, not chi2."),
            (np.sum(w * q * best**2), "Only the fake samples' half: the real ones pay (D* - c)^2, too."),
            (np.sum(w * p * best**2), "Only the real samples' half: the fakes pay (D* - c)^2, too."),
            (np.sum(w * (p - q) ** 2 / q), "This is chi2(p || p_g). The game compares p + p_g with 2 p_g."),
            (np.sum(w * (p - q) ** 2 / (2 * q)), "Divided by 2 p_g; the game's chi2 divides by p + p_g."),
            (np.sum(w * (p - q) ** 2 / p), "This is chi2(p_g || p). The game compares p + p_g with 2 p_g."),
            (
                np.sum(w * (p * (best - 1) ** 2 + q * (best + 1) ** 2)),
                "This is what D pays, with its labels 1 and -1. In 2 C both terms have G's label c = 0.",
            ),
            (2 * right, "Twice what is asked: the two terms have no factor."),
            (np.sum(w * best**2), "The densities are missing: each (D* - c)^2 is weighted with p or p_g."),
            (np.sum(w * (p - q) ** 2), "Divide by p + p_g: this is the plain squared difference of the densities."),
            (right / w[0], "The weights are missing: a sum over points is no integral."),
            (right / w[0] / p.size, "A mean over the grid's points is no integral: sum with the weights."),
            (np.sum(w * (p + q) * np.abs(best)), "This is the integral of |p - p_g|: square D*."),
        ]
        with np.errstate(all="ignore"):
            found = game(jnp.asarray(p), jnp.asarray(q), jnp.asarray(w))
        if np.shape(found) == p.shape:
            raise Wrong("Your answer has one number for each point of the grid: add them up, with the weights.")
        expect(found, right, f"2 C(G) for {name}", mistakes,
               otherwise="First D* = (b p + a p_g) / (p + p_g), with a = -1 and b = 1.", tolerance=1e-3)  # fmt: skip
    return "For N(0,1) and N(1,1) it is 0.408109, which is chi2 between p + p_g and 2 p_g."


chi2_of_game = Exercise(
    name="chi2_of_game",
    goal="Least squares with labels a = -1 for fakes, b = 1 for real samples and c = 0 for G. With D at its best, "
    "compute 2 C(G) = E_p (D* - c)^2 + E_{p_g} (D* - c)^2 on a grid.",
    stub='''
def chi2_of_game(p, q, weights):
    """Densities of real and fake samples at the points of a grid, and the weights of the integral, shape (n,) each,
    come in; one number goes out. Both densities are above 0 everywhere."""
    return ...
''',
    hints=(
        "Find D* first: at one x, which d makes p (d - 1)^2 + p_g (d + 1)^2 least?",
        "D* = (p - p_g) / (p + p_g); the sum of weights times (p + p_g) D*^2.",
        "    best = (p - q) / (p + q)\n    return the sum of weights * (p * best**2 + q * best**2)",
    ),
    solution="""
def chi2_of_game(p, q, weights):
    best = (p - q) / (p + q)
    return jnp.sum(weights * (p * best**2 + q * best**2))
""",
    check=check_chi2_of_game,
    also_right=(
        """
def chi2_of_game(p, q, weights):
    p, q, weights = map(np.asarray, (p, q, weights))
    return float(np.sum(weights * (p - q) ** 2 / (p + q)))
""",
        """
def chi2_of_game(p, q, weights):
    best = jnp.tanh((jnp.log(p) - jnp.log(q)) / 2)
    return jnp.dot(weights, p * best**2) + jnp.dot(weights, q * best**2)
""",
    ),
    tempting=(
        Tempting(
            """
def chi2_of_game(p, q, weights):
    best = p / (p + q)
    return jnp.sum(weights * (p * best**2 + q * best**2))
""",
            "best answer for labels 0 and 1",
        ),
        Tempting(
            "def chi2_of_game(p, q, weights):\n    return jnp.sum(weights * (p - q) ** 2 / q)",
            "compares p + p_g with 2 p_g",
        ),
        Tempting(
            "def chi2_of_game(p, q, weights):\n    return 0.5 * jnp.sum(weights * (p - q) ** 2 / (p + q))",
            "half of what is asked",
        ),
        Tempting(
            "def chi2_of_game(p, q, weights):\n    return jnp.sum(weights * q * ((p - q) / (p + q)) ** 2)",
            "Only the fake",
        ),
        Tempting(
            "def chi2_of_game(p, q, weights):\n    return jnp.sum((p - q) ** 2 / (p + q))",
            "weights are missing",
        ),
    ),
)


# ---- transport on ten bins ----


def check_transport_cost(cost):
    random = np.random.default_rng(3)
    heaps: list[tuple[np.ndarray, np.ndarray]] = [(np.eye(10)[2], np.eye(10)[7])]
    heaps += [(random.dirichlet(np.ones(10)), random.dirichlet(np.ones(10))) for _ in range(4)]
    heaps.append((np.eye(10)[[3, 5]].mean(0), np.eye(10)[[0, 8]].mean(0)))  # one mean, two spreads
    bins = np.arange(10)
    right, mistakes = [], []
    for a, b in heaps:
        gap = np.cumsum(a - b)
        right.append(np.abs(gap).sum())
        apart = a @ abs(bins[:, None] - bins) @ b
        levels = np.sort(np.concatenate([np.cumsum(a), np.cumsum(b)]))
        middle, width = (levels[1:] + levels[:-1]) / 2, np.diff(levels)
        places = [np.searchsorted(np.cumsum(heap), middle) for heap in (a, b)]
        squared = np.sum(width * (places[0] - places[1]) ** 2.0)
        moved, w1 = np.abs(a - b), right[-1]
        mistakes.append([moved.sum() / 2, moved.sum(), abs(bins @ (a - b)), squared, squared**0.5, np.abs(gap).max(),
                         gap.sum(), w1 / 10, w1 / 2, -w1, apart, np.sum(gap**2), np.cumsum(moved).sum(),
                         abs(a.argmax() - b.argmax()), np.abs(np.sort(a) - np.sort(b)).mean()])  # fmt: skip
    reasons = (
        "This is the total variation: it counts how much moves, but not how far.",
        "This is the sum of |a - b|: it counts what is in the wrong bin, but not how far it must go.",
        "This is the difference of the means, or the gaps summed before the absolute value is taken: moves to the left "
        "and to the right must not cancel.",
        "This is the cheapest cost for squared distances; W1 pays the distance itself.",
        "This is W2, which squares the distances; W1 pays the distance itself.",
        "This is the largest gap of the distribution functions; W1 sums all of them.",
        "Take the absolute value of each gap before you sum, or moves cancel.",
        "Bins lie 1 apart, so don't divide by their number.",
        "Halved. |a - b| counts each move twice, but the gaps of the distribution functions count it once.",
        "The sign is turned: `linprog` minimises, so the dual's `.fun` is minus the gap.",
        "This is the cost when every fake goes to any real place by chance; the cheapest plan costs less.",
        "You squared the gaps; take their absolute values.",
        "First the cumulative sum, then the absolute value: otherwise what leaves and what comes never cancel.",
        "This is the distance between the two highest bins. All the mass must move.",
        "You compared the heights as if they were places: SciPy wants the bins' places first, the heights as weights.",
    )
    answers = [cost(a, b) for a, b in heaps]
    if hasattr(answers[0], "fun"):
        raise Wrong("This is all that `linprog` found: the cost is its `.fun`.")
    if np.shape(answers[0]) in ((10,), (11,), (9,)):
        raise Wrong("One number is wanted: add up the absolute values of the gaps.")
    if np.shape(answers[0]) in ((100,), (10, 10)):
        raise Wrong("This is a plan. Its cost is the sum of mass times distance.")
    found = np.array([to_array(answer, "the cost") for answer in answers])
    columns = list(zip(np.array(mistakes).T, reasons, strict=True))
    expect(found, np.array(right), "the cost for six pairs of heaps", columns,
           otherwise="From bin 2 to bin 7 everything moves 5 far: the cost is 5. Half in bin 3 and half in bin 5, to "
           "halves in bins 0 and 8: the cost is 3.", tolerance=1e-3)  # fmt: skip
    return "All mass from bin 2 to bin 7 costs 5, however you solve it: linear programme, quantiles or sums of gaps."


transport_cost = Exercise(
    name="transport_cost",
    goal="Solve the transport problem of ten bins, 1 apart: the least total of mass times distance that turns heap a "
    "into heap b.",
    stub='''
def transport_cost(a, b):
    """Two histograms of 10 bins, each summing to 1, come in; W1, in bins, goes out."""
    return ...
''',
    hints=(
        "You have the linear programme above. On the line there is also a short way: what must cross each gap "
        "between two bins?",
        "W1 = sum over gaps of |F_a - F_b|, where F is the cumulative sum.",
        "    gap = cumulative sum of (a - b)\n    return the sum of its absolute values\n"
        "    or: linprog(c=|i - j|, A_eq = rows and columns sum to a and b).fun",
    ),
    solution="""
def transport_cost(a, b):
    return jnp.sum(jnp.abs(jnp.cumsum(a - b)))
""",
    check=check_transport_cost,
    also_right=(
        """
from scipy.optimize import linprog
def transport_cost(a, b):
    bins = np.arange(10)
    distance = np.abs(bins[:, None] - bins)
    rows, columns = np.kron(np.eye(10), np.ones(10)), np.kron(np.ones(10), np.eye(10))
    sums = np.concatenate([np.asarray(a), np.asarray(b)])
    return linprog(distance.ravel(), A_eq=np.vstack([rows, columns])[:-1], b_eq=sums[:-1]).fun
""",
        """
from gan_jax import theory
def transport_cost(a, b):
    bins = np.arange(10.0)
    return theory.kantorovich(abs(bins[:, None] - bins), a, b).value
""",
        """
from scipy.stats import wasserstein_distance
def transport_cost(a, b):
    return wasserstein_distance(np.arange(10), np.arange(10), np.asarray(a), np.asarray(b))
""",
    ),
    tempting=(
        Tempting("def transport_cost(a, b):\n    return 0.5 * jnp.sum(jnp.abs(a - b))", "total variation"),
        Tempting("def transport_cost(a, b):\n    return jnp.abs(jnp.arange(10) @ (a - b))", "difference of the means"),
        Tempting("def transport_cost(a, b):\n    return jnp.abs(jnp.sum(jnp.cumsum(a - b)))", "gaps summed"),
        Tempting("def transport_cost(a, b):\n    return jnp.max(jnp.abs(jnp.cumsum(a - b)))", "largest gap"),
        Tempting("def transport_cost(a, b):\n    return jnp.sum(jnp.abs(a - b))", "not how far"),
        Tempting("def transport_cost(a, b):\n    return jnp.abs(jnp.cumsum(a - b))", "One number is wanted"),
    ),
)


# ---- the error in a printed derivation ----


def check_spotted(found):
    if not isinstance(found, dict) or set(found) != {"line", "minimum"}:
        raise Wrong('Keep the form: {"line": a number from 1 to 5, "minimum": a number}.')
    if any(part is None or isinstance(part, (list, tuple)) for part in found.values()):
        raise Wrong("Each of the two is one number: the first line that does not follow, and the minimum of C(G).")
    line, minimum = (float(to_array(found[key], f'"{key}"')) for key in ("line", "minimum"))
    about: dict[float, str] = {
        1: "Line 1 holds: the derivative p/D - p_g/(1 - D) is 0 there, and nowhere else.",
        2: "Line 2 holds: it is V with D* put in.",
        3: "Line 3 holds, as a way of writing: int f log(f/g) may be called KL(f || g) for any g > 0. "
        "What follows from it is another matter.",
        5: "Line 5 is wrong, but it is not the first: compare line 4 with what line 2 gives at p_g = p.",
    }
    if line != 4:
        raise Wrong(about.get(line, "There are five lines: answer with 1, 2, 3, 4 or 5."))
    right = -2 * math.log(2)
    mistakes = [
        (0.0, "0 is what the text says. Compute C(G) at p_g = p from line 2."),
        (-right, "This is D's loss there, -V. The value is V itself."),
        (right / 2, "Each of the two terms is -log 2, and there are two."),
        (-right / 2, "Each of the two terms is the mean of log(1/2), which is negative; and there are two."),
        (-2.0, "You took logarithms to base 2; ours are natural."),
        (-2 * math.log10(2), "You took logarithms to base 10; ours are natural."),
    ]
    expect(minimum, right, "the minimum of C", mistakes, otherwise="Compute C(G) at p_g = p from line 2.",
           tolerance=2e-3)  # fmt: skip
    return (
        "p + p_g has mass 2, so KL's `never below 0` does not hold for it: against a mass of 2 it is never below "
        "-log 2. There are two such terms, so C is never below -log 4 = -1.386."
    )


spotted = Exercise(
    name="spotted",
    goal="Find the first line that does not follow, and the right minimum of C(G).",
    stub="""
spotted = {"line": ..., "minimum": ...}
""",
    hints=(
        "Check each line with numbers, at p_g = p: it is the easiest case, and the last line is about it.",
        "KL(f || g) >= 0 needs f and g to have the same mass. What is the mass of p + p_g?",
        "    at p_g = p, line 2 reads E log(1/2) + E log(1/2)\n    compare it with what lines 4 and 5 say",
    ),
    solution="""
spotted = {"line": 4, "minimum": -2 * np.log(2)}
""",
    check=check_spotted,
    also_right=(
        'spotted = {"line": 4, "minimum": -1.3863}',
        'spotted = {"line": 4, "minimum": -1.386}',
        'spotted = {"line": 4, "minimum": -1.39}',
        "spotted = dict(minimum=-jnp.log(4.0), line=4)",
    ),
    tempting=(
        Tempting('spotted = {"line": 3, "minimum": -1.3863}', "as a way of writing"),
        Tempting('spotted = {"line": 5, "minimum": -1.3863}', "not the first"),
        Tempting('spotted = {"line": 4, "minimum": 0.0}', "what the text says"),
        Tempting('spotted = {"line": 4, "minimum": 1.3863}', "D's loss"),
        Tempting('spotted = {"line": 4, "minimum": -0.6931}', "there are two"),
        Tempting('spotted = {"line": 4, "minimum": -2}', "base 2"),
        Tempting('spotted = {"line": [4, 5], "minimum": -1.386}', "is one number"),
    ),
)


# ---- stretch: what one fake pays ----


def check_pay(pay):
    ratios = jnp.array([0.2, 0.7, 1.0, 2.5, 6.0])
    r = np.asarray(ratios, np.float64)
    divergences = (
        ("KL(p || p_g)", lambda r: r * jnp.log(r), r * np.log(r), np.log(r) + 1),
        ("KL(p_g || p)", lambda r: -jnp.log(r), -np.log(r), -1 / r),
        ("chi2", lambda r: (r - 1) ** 2, (r - 1) ** 2, 2 * (r - 1)),
        ("f(r) = r^3 - 1", lambda r: r**3 - 1, r**3 - 1, 3 * r**2),
    )
    for name, f, value, slope in divergences:
        right = value - r * slope
        mistakes = [
            (-right, "This is f*(f'(r)), which D subtracts on fakes. A fake pays minus that."),
            (value, "This is f(r) alone. Adding mass at x also lowers the ratio r there, which costs r f'(r)."),
            (slope, "This is D's best output, f'(r)."),
            (value - slope, "The slope is multiplied by r: r = p / p_g changes by -r per unit of p_g."),
            (value + r * slope, "More p_g makes r = p / p_g smaller: the second term has a minus."),
            (-r * slope, "This is the slope's part alone; the mass that you add pays f(r) as well."),
            (-(r**2) * slope, "This is the derivative of f(p/q) alone; the integrand is q f(p/q)."),
        ]
        expect(pay(f, ratios), right, f"the pay for {name}", mistakes,
               otherwise="Differentiate q f(p / q) with respect to q, at q = 1, p = r.", tolerance=1e-3)  # fmt: skip
    return "One line gives the gradient of any f-GAN's generator: what a fake pays is f(r) - r f'(r) at its x."


pay = Exercise(
    name="pay",
    goal="For any f: what does a fake sample at ratio r pay? That is the derivative of p_g f(p / p_g) with respect to "
    "p_g. Use autodiff, so that it works for every f written in jnp.",
    stub='''
def pay(f, r):
    """A function f (of one number, in jnp) and ratios r, shape (n,), come in; the pays, shape (n,), go out."""
    return ...
''',
    hints=(
        "Derivative of a product: q times f(p / q). Where does q stand in it?",
        "d/dq [q f(p/q)] = f(r) - r f'(r), with r = p/q.",
        "    slope = vmap of grad of f, at r\n    return f(r) minus r times slope",
    ),
    solution="""
def pay(f, r):
    return f(r) - r * jax.vmap(jax.grad(f))(r)
""",
    check=check_pay,
    also_right=(
        """
def pay(f, r):
    return jax.vmap(lambda p: jax.grad(lambda q: q * f(p / q))(1.0))(r)
""",
        """
def pay(f, r):
    value, change = jax.jvp(f, (r,), (r,))
    return np.asarray(value - change)
""",
    ),
    tempting=(
        Tempting("def pay(f, r):\n    return r * jax.vmap(jax.grad(f))(r) - f(r)", "which D subtracts"),
        Tempting("def pay(f, r):\n    return f(r)", "f(r) alone"),
        Tempting("def pay(f, r):\n    return jax.vmap(jax.grad(f))(r)", "D's best output"),
        Tempting("def pay(f, r):\n    return f(r) - jax.vmap(jax.grad(f))(r)", "multiplied by r"),
        Tempting("def pay(f, r):\n    return f(r) - r * jax.grad(f)(r)", "one number"),
    ),
    stretch=True,
)


# ---- the quiz ----

QUIZ = (
    Question(
        "frozen",
        "D is at its best and held still. G looks at its own loss, E log(1 - D*). How is it related to 2 JSD?",
        (
            Choice(
                "The loss's value: it is 2 JSD - log 4.",
                "that is V, the sum of both terms. G's own term alone is another number, as step 4 printed.",
            ),
            Choice(
                "The loss's gradient: it is the gradient of 2 JSD.",
                "D* is the top of the hill, so its own move adds nothing to first order: the envelope theorem.",
                right=True,
            ),
            Choice(
                "Both the value and the gradient.",
                "only the gradient. The term E_p log D* is missing from the value, and it changes with G, too.",
            ),
        ),
    ),
    Question(
        "starving",
        "D sees through every fake and is sure of it. Both play the minimax loss. Who suffers from the tiny gradient?",
        (
            Choice(
                "D: it gets no more gradient, so it stops learning.",
                "D's gradient on these fakes is tiny as well, but D is right about them: there is nothing to learn. "
                "Where D is wrong its gradient is near 1.",
            ),
            Choice(
                "G: it is losing everywhere, and its gradient is tiny just there.",
                "at logit -10 G hears 4.5e-5. D's is as small, but D is right there, and wants nothing.",
                right=True,
            ),
            Choice("Nobody: a sure D gives steep gradients.", "the slope is multiplied by sigmoid(a), near 0 here."),
        ),
    ),
    Question(
        "seeking",
        "A one-Gaussian generator follows JSD exactly, on the target of two modes above. Where does it end?",
        (
            Choice(
                "On one mode: GANs are mode-seeking.",
                "from a narrow start on the larger mode, yes. But the exact minimum here covers both.",
            ),
            Choice(
                "Across both modes: JSD is half forward KL.",
                "that is the lowest minimum here; but a narrow start on the larger mode stays there.",
            ),
            Choice(
                "Across both or on the larger mode, depending on where it starts.",
                "JSD has two minima here. Which one is lower depends on the distance of the modes as well.",
                right=True,
            ),
        ),
    ),
    Question(
        "hinge_rest",
        "The hinge game is at rest: p_g = p. What is G's loss, -E D(G(z))?",
        (
            Choice("0.", "only if D's constant happens to be 0. Any constant from -1 to 1 is as good for D."),
            Choice("Any number from -1 to 1.", "D may rest at any constant c in between; its own loss is 2 for each.",
                   right=True),
            Choice("log 2.", "that is the non-saturating loss at D = 1/2; there is no sigmoid in the hinge loss."),
            Choice("-1: every fake is called real.", "D answers any constant c from -1 to 1; c = 1 is one of them."),
        ),
    ),
    Question(
        "pairing",
        "Two fakes sit on one of two real points, and D is sharp. What did the landscape show about pairing?",
        (
            Choice(
                "Relativistic pairing always opens a way down.",
                "with fixed pairs it does. With every real compared to every fake, the wall came back.",
            ),
            Choice(
                "With fixed pairs there is no wall on the way; with all pairs, or without pairs, there is one.",
                "the theorem couples each fake with one real sample. A smooth D had next to no wall in any game.",
                right=True,
            ),
            Choice(
                "Pairing only rescales the loss.",
                "then the three curves would have the same shape; one has no wall.",
            ),
        ),
    ),
)  # fmt: skip

LESSON = Source(
    name="03_loss_derivations",
    given=GIVEN,
    exercises=(
        generator_losses,
        gradient_ratio,
        pull_while_losing,
        hellinger_row,
        chi2_of_game,
        transport_cost,
        spotted,
        pay,
    ),
    quiz=QUIZ,
)
