"""The exercises and the quiz of lesson 05, training dynamics."""

import functools
from collections.abc import Callable
from typing import Any

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


def _two(answer: Any, first: str, second: str) -> tuple[Any, Any]:
    """The two parts of an answer."""
    if isinstance(answer, (str, dict, set)) or not hasattr(answer, "__len__") or getattr(answer, "ndim", 1) == 0:
        raise Wrong(f"Return two things in this order: {first}, {second}; yours is {str(answer)[:40]!r}.")
    if len(answer) != 2:
        raise Wrong(f"Return two things in this order: {first}, {second}; yours has {len(answer)}.")
    return answer[0], answer[1]


# ---- the two matrices of f = xy ----


def _matrices(h: float) -> tuple[np.ndarray, np.ndarray]:
    return np.array([[1, -h], [h, 1]]), np.array([[1 - h**2, -h], [h, 1]])


def check_update_matrices(matrices):
    for h in (0.3, 0.7):
        at_once, in_turn = _matrices(h)
        simultaneous, alternating = _two(matrices(h), "the simultaneous matrix", "the alternating one")
        simultaneous = to_array(simultaneous, "the simultaneous matrix", (2, 2))
        alternating = to_array(alternating, "the alternating matrix", (2, 2))
        field, eye = np.array([[0, -1], [1, 0]]), np.eye(2)
        mistakes = [
            (in_turn, "This is the alternating one. The order is: simultaneous, then alternating."),
            (h * field, "This is the change of a step; the step itself keeps where it was: add the identity."),
            (field, "This is the Jacobian J of the field. A step of size h goes from w to w + h J w."),
            (
                eye + h * field.T,
                "Both signs are turned, or rows and columns are swapped. x goes down in xy: "
                "x - h y. y goes up: y + h x.",
            ),
            (eye - h * np.abs(field), "Here both descend xy. y maximises: it adds h x."),
            (eye + h * np.abs(field), "Here both climb xy. x minimises: it subtracts h y."),
            (eye + field, "The step size h is missing."),
        ]
        expect(simultaneous, at_once, "the simultaneous matrix", mistakes,
               otherwise="Its first row is what x becomes, written in the old x and y.")  # fmt: skip
        mistakes = [
            (at_once, "This is the simultaneous one: here x must answer the new y, not the old."),
            (np.array([[1, -h], [h, 1 - h**2]]), "Here x moves first. y, the discriminator, moves first."),
            (at_once @ at_once, "This is two simultaneous steps."),
            (np.array([[1 + h**2, -h], [h, 1]]), "Put y + h x in for y in x - h y: the h^2 has a minus."),
            (np.array([[1 - h, -h], [h, 1]]), "Put y + h x in for y in x - h y: that gives h times h."),
            (in_turn.T, "Rows and columns are swapped: row 0 is what x becomes."),
            (in_turn - eye, "This is the change of a step; the step itself keeps where it was: add the identity."),
            (np.diag(np.diag(in_turn)) + np.diag([h], -1), "The y in x - h y' is itself y + h x: -h y is missing."),
        ]
        expect(alternating, in_turn, "the alternating matrix", mistakes,
               otherwise="First y becomes y + h x; then x becomes x - h times that new y. Write both in the old x "
               "and y.")  # fmt: skip
    return (
        "The determinants tell the story: 1 + h^2 for simultaneous steps, which blow areas up, and 1 for alternating."
    )


update_matrices = Exercise(
    name="update_matrices",
    goal="Write one step of f = xy as a matrix that multiplies (x, y), for both orders of play.",
    stub='''
def update_matrices(h):
    """A step size comes in; two 2x2 matrices on (x, y) go out: simultaneous, and alternating (y moves first)."""
    return ...
''',
    hints=(
        "Write what x and y become, in terms of the old x and y only. The factors are the rows of the matrix.",
        "simultaneous: x - h y and y + h x.  alternating: y' = y + h x first, then x - h y'.",
        "    simultaneous = [[1, -h], [h, 1]]\n    alternating: x - h (y + h x) = (1 - h^2) x - h y, and h x + y\n"
        "    return both as arrays",
    ),
    solution="""
def update_matrices(h):
    simultaneous = jnp.array([[1.0, -h], [h, 1.0]])
    alternating = jnp.array([[1.0 - h**2, -h], [h, 1.0]])
    return simultaneous, alternating
""",
    check=check_update_matrices,
    also_right=(
        """
def update_matrices(h):
    y_moves, x_moves = np.array([[1, 0], [h, 1]]), np.array([[1, -h], [0, 1]])
    return x_moves + y_moves - np.eye(2), x_moves @ y_moves
""",
        """
def update_matrices(h):
    def at_once(w):
        return jnp.stack([w[0] - h * w[1], w[1] + h * w[0]])
    def in_turn(w):
        y = w[1] + h * w[0]
        return jnp.stack([w[0] - h * y, y])
    return jax.jacobian(at_once)(jnp.zeros(2)), jax.jacobian(in_turn)(jnp.zeros(2))
""",
        "def update_matrices(h):\n    return [[1, -h], [h, 1]], [[1 - h * h, -h], [h, 1]]",
    ),
    tempting=(
        Tempting(
            "def update_matrices(h):\n    return np.array([[1, -h], [h, 1]]), np.array([[1, -h], [h, 1 - h**2]])",
            "y, the discriminator, moves first",
        ),
        Tempting(
            "def update_matrices(h):\n    return np.array([[1, -h], [-h, 1]]), np.array([[1 + h**2, -h], [-h, 1]])",
            "both descend",
        ),
        Tempting(
            "def update_matrices(h):\n    return np.array([[1, -h], [h, 1]]), np.array([[1, -h], [h, 1]])",
            "must answer the new y",
        ),
        Tempting(
            "def update_matrices(h):\n    return h * np.array([[0, -1], [1, 0]]), np.array([[1 - h**2, -h], [h, 1]])",
            "add the identity",
        ),
        Tempting(
            "def update_matrices(h):\n    return np.array([[1, h], [-h, 1]]), np.array([[1 - h**2, h], [-h, 1]])",
            "Both signs are turned",
        ),
    ),
)


# ---- eigenvalues of any game of two numbers ----


def _matched(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Whether two pairs of complex numbers are the same, in any order."""
    return any(np.allclose(found, order, rtol=2e-3, atol=2e-3) for order in (wanted, wanted[::-1]))


def _complex_pair(value: Any) -> np.ndarray:
    what = "the eigenvalues"
    if value is None or isinstance(value, (str, bytes, dict, set)) or (callable(value) and not hasattr(value, "shape")):
        raise Wrong(f"{what} should be two complex numbers; yours is {str(value)[:40]!r}.")
    if isinstance(value, tuple) and len(value) == 2 and np.shape(value[1]) == (2, 2):
        raise Wrong("This is what `eig` returns: eigenvalues and eigenvectors. Take the first, or use `eigvals`.")
    try:
        pair = np.asarray(value)
        pair = (
            pair.astype(np.complex128) if pair.dtype.kind in "iufc" else np.array([complex(one + 0) for one in value])
        )
    except (TypeError, ValueError):
        raise Wrong(f"{what} should be two complex numbers; yours is {str(value)[:40]!r}.") from None
    if pair.shape == (2, 2):
        raise Wrong("This is a matrix; return its two eigenvalues: `jnp.linalg.eigvals`.")
    if pair.shape != (2,):
        raise Wrong(f"{what} should be two complex numbers, shape (2,); yours has shape {pair.shape}.")
    if not np.isfinite(pair).all():
        raise Wrong(f"{what} are not finite.")
    return pair


@functools.cache
def _jacobian(loss_g: Callable, loss_d: Callable, theta: float, psi: float, rows: str) -> np.ndarray:
    """The Jacobian of a field; each row says whose loss moves which player, and which way: "-gt" is down G's, theta."""
    losses = {"g": loss_g, "d": loss_d}
    second = {name: np.asarray(jax.hessian(lambda w, loss=loss: loss(w[0], w[1]))(jnp.array([theta, psi])), np.float64)
              for name, loss in losses.items()}  # fmt: skip
    return np.stack([float(row[0] + "1") * second[row[1]]["tp".index(row[2])] for row in rows.split()])


TURNED: dict[str, str] = {
    "+gt +dp": "The signs are turned: this is the Jacobian of the gradients; the field, downhill, is minus them.",
    "-gt -gp": "Both rows are of G's loss. Row 1 is how D moves: down its own loss, in psi.",
    "-dt -dp": "Both rows are of D's loss. Row 0 is how G moves: down its own loss, in theta.",
    "-gt +gp": "Here D climbs G's loss. D has a loss of its own; the two are opposite in a zero-sum game only.",
    "+dt -dp": "Here G climbs D's loss. G has a loss of its own; the two are opposite in a zero-sum game only.",
    "-gt +dp": "G's velocity has a minus, D's has not. Both players go down their own loss.",
    "+gt -dp": "D's velocity has a minus, G's has not. Both players go down their own loss.",
    "+gt +gp": "Both rows are of G's loss, and uphill. Row 1 is how D moves: down its own loss, in psi.",
    "+dt +dp": "Both rows are of D's loss, and uphill. Row 0 is how G moves: down its own loss, in theta.",
    "-gp -dt": "Each player is differentiated with respect to the other one's parameter: theta is G's, psi is D's.",
}
"""Fields that people write in place of "-gt -dp", and what is wrong with them."""

SPOILED: tuple[tuple[Callable, str], ...] = (
    (np.abs, "These are moduli: keep the complex numbers as they are."),
    (np.real, "The imaginary parts are lost: it is they that make the players turn."),
    (np.imag, "Only the imaginary parts are left: the real parts say whether the players come home."),
    (lambda values: 1 + values, "1 has been added: these are of a step with h = 1. The field's own are wanted."),
)
"""What people do with the right eigenvalues, and what is wrong with it."""

UNLIKE: tuple[tuple[Callable, str], ...] = (
    (np.linalg.eigvalsh, "`eigvalsh` is for symmetric matrices, and a game's Jacobian is none: use `eigvals`."),
    (np.diag, "This is the diagonal of the Jacobian; its eigenvalues are wanted: `eigvals`."),
    (lambda matrix: np.linalg.eigvals((matrix + matrix.T) / 2), "These are of J + J^T, halved: J itself turns."),
    (lambda matrix: np.linalg.svd(matrix, compute_uv=False), "These are singular values: use `eigvals`."),
)
"""Other numbers that people take from the right matrix."""


def _plain(t, p):
    return jax.nn.softplus(-p * t)


GAMES: tuple[tuple[str, Callable, Callable, float, float], ...] = (
    ("f = xy", lambda x, y: x * y, lambda x, y: -x * y, 0.0, 0.0),
    ("a Dirac-GAN with R1 of weight 0.6", _plain, lambda t, p: jax.nn.softplus(p * t) + 0.3 * p**2, 0.0, 0.0),
    (
        "a quadratic game",
        lambda t, p: 0.2 * t**2 + 1.5 * t * p + 0.3 * p**2,
        lambda t, p: 0.7 * p**2 - 0.8 * t * p - 0.9 * t**2,
        0.0,
        0.0,
    ),
    (
        "a Dirac-GAN away from its equilibrium",
        lambda t, p: _plain(t, p) + 0.1 * t**2,
        lambda t, p: jax.nn.softplus(p * t) + 0.3 * p**2,
        0.8,
        -1.3,
    ),
)


def check_game_eigenvalues(game_eigenvalues):
    found = [_complex_pair(game_eigenvalues(loss_g, loss_d, jnp.float32(theta), jnp.float32(psi)))
             for _, loss_g, loss_d, theta, psi in GAMES]  # fmt: skip
    jacobians = lambda rows: [_jacobian(*game[1:], rows) for game in GAMES]  # noqa: E731
    right = jacobians("-gt -dp")
    wanted = [np.linalg.eigvals(matrix) for matrix in right]
    fits = lambda values: all(map(_matched, found, values))  # noqa: E731
    if fits(wanted):
        return "Right for four games, one of them away from rest. These few lines are what `theory.eigenvalues` does."
    at_zero = [np.linalg.eigvals(_jacobian(loss_g, loss_d, 0.0, 0.0, "-gt -dp")) for _, loss_g, loss_d, *_ in GAMES]
    worst = next(i for i in range(len(GAMES)) if not _matched(found[i], wanted[i]))
    name, _, _, theta, psi = GAMES[worst]
    reasons = [
        *(["The same for every game: compute them from the losses."] if fits([found[0]] * len(GAMES)) else []),
        *(says for spoil, says in SPOILED if fits(map(spoil, wanted))),
        *(says for take, says in UNLIKE if fits(map(take, right))),
        *(["These are of the point (0, 0). Compute at (theta, psi)."] if all(map(_matched, found, at_zero)) else []),
        *(says for rows, says in TURNED.items() if fits(map(np.linalg.eigvals, jacobians(rows)))),
        "Print the Jacobian of the field (-dL_G/dtheta, -dL_D/dpsi): four second derivatives.",
    ]
    raise Wrong(
        f"The eigenvalues of {name} at ({theta:g}, {psi:g}) are {_listed(found[worst])}; they should be "
        f"{_listed(wanted[worst])}. {reasons[0]}"
    )


def _listed(values: np.ndarray) -> str:
    return " and ".join(f"{value.real:.3g}{value.imag:+.3g}i" for value in values + 0j)


game_eigenvalues = Exercise(
    name="game_eigenvalues",
    goal="Compute the eigenvalues of the field's Jacobian, for any game of two numbers, by automatic differentiation.",
    stub='''
def game_eigenvalues(loss_g, loss_d, theta, psi):
    """Two losses (theta, psi) -> number and a point come in; the field's two eigenvalues there go out, complex."""
    return ...
''',
    hints=(
        "Write the field as a function of one array w = (theta, psi). Then `jax.jacobian` of it, then `eigvals`.",
        "v(w) = (-dL_G/dtheta, -dL_D/dpsi), by `jax.grad` with `argnums` 0 and 1; J = dv/dw; eigenvalues of J.",
        "    def velocity(w): return stack of minus grad(loss_g, 0)(w[0], w[1]) and minus grad(loss_d, 1)(w[0], w[1])\n"
        "    J = jax.jacobian(velocity)(jnp.stack([theta, psi]))\n    return jnp.linalg.eigvals(J)",
    ),
    solution="""
def game_eigenvalues(loss_g, loss_d, theta, psi):
    def velocity(w):
        return -jnp.stack([jax.grad(loss_g, 0)(w[0], w[1]), jax.grad(loss_d, 1)(w[0], w[1])])

    return np.linalg.eigvals(jax.jacobian(velocity)(jnp.stack([theta, psi])))
""",
    check=check_game_eigenvalues,
    also_right=(
        """
def game_eigenvalues(loss_g, loss_d, theta, psi):
    grad = jax.grad
    row_g = grad(grad(loss_g, 0), 0)(theta, psi), grad(grad(loss_g, 0), 1)(theta, psi)
    row_d = grad(grad(loss_d, 1), 0)(theta, psi), grad(grad(loss_d, 1), 1)(theta, psi)
    return jnp.linalg.eigvals(-jnp.array([row_g, row_d]))
""",
        """
def game_eigenvalues(loss_g, loss_d, theta, psi):
    (a, b), _ = jax.hessian(loss_g, (0, 1))(theta, psi)
    _, (c, d) = jax.hessian(loss_d, (0, 1))(theta, psi)
    a, b, c, d = (-float(value) for value in (a, b, c, d))
    root = np.sqrt(complex((a - d) ** 2 / 4 + b * c))
    return [(a + d) / 2 + root, (a + d) / 2 - root]
""",
        """
from gan_jax import theory
def game_eigenvalues(loss_g, loss_d, theta, psi):
    return theory.eigenvalues(theory.Game(loss_g, loss_d), (theta, psi))
""",
    ),
    tempting=(
        Tempting(
            """
def game_eigenvalues(loss_g, loss_d, theta, psi):
    def gradients(w):
        return jnp.stack([jax.grad(loss_g, 0)(w[0], w[1]), jax.grad(loss_d, 1)(w[0], w[1])])
    return np.linalg.eigvals(jax.jacobian(gradients)(jnp.stack([theta, psi])))
""",
            "The signs are turned",
        ),
        Tempting(
            """
def game_eigenvalues(loss_g, loss_d, theta, psi):
    loss = lambda w: loss_g(w[0], w[1])
    return np.linalg.eigvals(-jax.hessian(loss)(jnp.stack([theta, psi])))
""",
            "Both rows are of G's loss",
        ),
        Tempting(
            """
def game_eigenvalues(loss_g, loss_d, theta, psi):
    def velocity(w):
        return jnp.stack([-jax.grad(loss_g, 0)(w[0], w[1]), jax.grad(loss_g, 1)(w[0], w[1])])
    return np.linalg.eigvals(jax.jacobian(velocity)(jnp.stack([theta, psi])))
""",
            "D climbs G's loss",
        ),
        Tempting(
            """
def game_eigenvalues(loss_g, loss_d, theta, psi):
    def velocity(w):
        return jnp.stack([-jax.grad(loss_g, 0)(w[0], w[1]), jax.grad(loss_d, 1)(w[0], w[1])])
    return np.linalg.eigvals(jax.jacobian(velocity)(jnp.stack([theta, psi])))
""",
            "G's velocity has a minus, D's has not",
        ),
        Tempting(
            """
def game_eigenvalues(loss_g, loss_d, theta, psi):
    def velocity(w):
        return -jnp.stack([jax.grad(loss_g, 0)(w[0], w[1]), jax.grad(loss_d, 1)(w[0], w[1])])
    return np.linalg.eigvals(jax.jacobian(velocity)(jnp.stack([theta, psi]))).real
""",
            "The imaginary parts are lost",
        ),
        Tempting(
            """
def game_eigenvalues(loss_g, loss_d, theta, psi):
    def velocity(w):
        return -jnp.stack([jax.grad(loss_g, 0)(w[0], w[1]), jax.grad(loss_d, 1)(w[0], w[1])])
    return np.linalg.eigvalsh(jax.jacobian(velocity)(jnp.stack([theta, psi])))
""",
            "`eigvalsh` is for symmetric matrices",
        ),
        Tempting(
            """
def game_eigenvalues(loss_g, loss_d, theta, psi):
    def velocity(w):
        return -jnp.stack([jax.grad(loss_g, 0)(w[0], w[1]), jax.grad(loss_d, 1)(w[0], w[1])])
    return jax.jacobian(velocity)(jnp.stack([theta, psi]))
""",
            "return its two eigenvalues",
        ),
        Tempting(
            """
def game_eigenvalues(loss_g, loss_d, theta, psi):
    def velocity(w):
        return -jnp.stack([jax.grad(loss_g, 0)(w[0], w[1]), jax.grad(loss_d, 1)(w[0], w[1])])
    return np.linalg.eigvals(jax.jacobian(velocity)(jnp.zeros(2)))
""",
            "These are of the point (0, 0)",
        ),
        Tempting(
            """
def game_eigenvalues(loss_g, loss_d, theta, psi):
    def velocity(w):
        return -jnp.stack([jax.grad(loss_g, 0)(w[0], w[1]), jax.grad(loss_d, 1)(w[0], w[1])])
    return np.linalg.eigvals(jax.jacobian(velocity)(jnp.stack([theta, psi]))).imag
""",
            "Only the imaginary parts",
        ),
        Tempting("def game_eigenvalues(loss_g, loss_d, theta, psi):\n    return 1j, -1j", "The same for every game"),
    ),
)


# ---- the largest stable rate ----

SETS = (
    np.array([-1 + 1j, -1 - 1j]),
    np.array([-0.25 + 0.5j, -0.25 - 0.5j]),
    np.array([-2 + 0j, -0.5 + 0j]),
    np.array([-1 + 2j, -1 - 2j, -3 + 0j]),
    np.array([-0.1 + 0.2j, -0.1 - 0.2j, -0.4 + 3j, -0.4 - 3j]),
    np.array([0.5j, -0.5j]),
    np.array([-1 + 0j, 0.2 + 1j, 0.2 - 1j]),
)


def _of_the_decaying(real: np.ndarray, size: np.ndarray) -> float:
    return float(min((-2 * real / size**2)[real < 0], default=0.0))


def check_largest_rate(largest_rate):
    def of(rule: Callable) -> np.ndarray:
        return np.array([rule(values.real, np.abs(values)) for values in SETS])

    bounds = of(lambda real, size: max(0.0, float(np.min(-2 * real / size**2))))
    rising = np.array([(values.real >= 0).any() for values in SETS])
    mistakes = [
        (of(lambda real, size: np.min(-2 * real / size**2)), "It is right where the flow is stable. Where a real part "
         "is 0 or more, no rate is stable: return 0."),
        (of(lambda real, size: np.max(-2 * real / size**2)), "Every eigenvalue must stay inside: take the least of "
         "their bounds, not the largest."),
        (of(lambda real, size: -2 * real[0] / size[0] ** 2), "This looks at the first eigenvalue only."),
        (of(lambda real, size: np.min(-2 * real / size)), "Square the modulus: |1 + h λ|^2 has h^2 |λ|^2 in it."),
        (of(lambda real, size: np.min(2 / size)), "2 / |λ| is right for real eigenvalues. One that turns needs "
         "smaller steps."),
        (of(lambda real, size: np.min(2 / np.abs(np.where(real == 0, np.inf, real)))), "The imaginary part counts, "
         "too: |λ|^2 stands below, not (Re λ)^2."),
        (of(lambda real, size: np.min(-real / size**2)), "Half of it: 2 Re λ comes from multiplying out |1 + h λ|^2. "
         "Here the steps shrink fastest, for a pair; they are stable up to twice that."),
        (of(lambda real, size: np.min(2 * np.abs(real) / size**2)), "With |Re λ| a growing flow looks like a "
         "decaying one. Where a real part is 0 or more, return 0."),
        (of(lambda real, size: np.min(2 * real / size**2)), "The sign is turned: a decaying mode has Re λ below 0, and "
         "its bound -2 Re λ / |λ|^2 is above 0."),
        (of(lambda real, size: np.min(1 / size)), "1 / |λ| has no Re λ in it. Solve |1 + h λ| = 1 for h."),
        (of(lambda real, size: np.mean(-2 * real / size**2)), "Every eigenvalue must stay inside: take the least of "
         "their bounds, not the mean."),
        (of(lambda real, size: -2 * real[-1] / size[-1] ** 2), "This looks at the last eigenvalue only."),
        (of(lambda real, size: -2 * real[real.argmax()] / size[real.argmax()] ** 2), "This is the bound of the slowest "
         "mode. One that decays faster may turn faster: take the least of all bounds."),
        (of(lambda real, size: -2 * real[size.argmax()] / size[size.argmax()] ** 2), "This is the bound of the "
         "largest eigenvalue. A small one that hardly decays may need smaller steps: take the least of all bounds."),
        (of(_of_the_decaying), "The growing modes were left out. Where a real part is 0 or more, no rate is stable: "
         "return 0."),
        (0 * bounds, "0 says that no rate is stable. Where every Re λ is below 0 one is: is the sign turned?"),
    ]  # fmt: skip
    mistakes += [(np.where(rising, 0.0, values), reason) for values, reason in mistakes[1:]]
    answers = [largest_rate(jnp.asarray(values, jnp.complex64)) for values in SETS]
    if all(np.shape(answer) == values.shape for answer, values in zip(answers, SETS, strict=True)):
        raise Wrong("This is a bound for each eigenvalue. All must come home: one number, the least of them.")
    if any(np.shape(answer) == () and isinstance(answer, float) and np.isinf(answer) for answer in answers):
        raise Wrong(
            "An infinite bound says that every rate is stable. Where a real part is 0 or more none is: return 0."
        )
    found = np.array([to_array(answer, "the rate") for answer in answers])
    if np.ptp(found) < 1e-6 and found[0] > 0:
        raise Wrong("The same rate for every set of eigenvalues: compute it from them.")
    expect(found, bounds, "the largest rate for seven sets of eigenvalues", mistakes, tolerance=5e-3,
           otherwise="For -1 +- i it is 1; for -2 and -0.5 it is 1, by the eigenvalue farther out.")  # fmt: skip
    return "An eigenvalue λ allows h below -2 Re λ / |λ|^2: the faster a mode turns, the smaller the steps must be."


largest_rate = Exercise(
    name="largest_rate",
    goal="Find the bound h* below which simultaneous steps converge, from the field's eigenvalues; 0 where no step "
    "size does.",
    stub='''
def largest_rate(eigenvalues):
    """Complex eigenvalues of the field, shape (m,), come in; the largest stable step size, a number, goes out."""
    return ...
''',
    hints=(
        "Solve |1 + h λ| = 1 for h, for one eigenvalue λ. Then: which of the bounds counts? And when is there none?",
        "h = -2 Re(λ) / |λ|^2 for each λ; the least of them; 0 if any Re(λ) >= 0.",
        "    bounds = -2 * real part / absolute value squared\n    return the minimum of the bounds, but at least 0",
    ),
    solution="""
def largest_rate(eigenvalues):
    return jnp.maximum(jnp.min(-2 * eigenvalues.real / jnp.abs(eigenvalues) ** 2), 0.0)
""",
    check=check_largest_rate,
    also_right=(
        """
def largest_rate(eigenvalues):
    values = [complex(value) for value in np.asarray(eigenvalues)]
    if max(value.real for value in values) >= 0:
        return 0.0
    return min(-2 * value.real / abs(value) ** 2 for value in values)
""",
        """
def largest_rate(eigenvalues):
    stable = lambda h: np.abs(1 + h * np.asarray(eigenvalues, complex)).max() < 1
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if stable(middle) else (low, middle)
    return low
""",
        """
@jax.jit
def largest_rate(eigenvalues):
    bounds = -2 * (1 / eigenvalues).real
    return jnp.where((eigenvalues.real < 0).all(), bounds.min(), 0)
""",
    ),
    tempting=(
        Tempting(
            "def largest_rate(eigenvalues):\n    return jnp.min(-2 * eigenvalues.real / jnp.abs(eigenvalues)**2)",
            "return 0",
        ),
        Tempting("def largest_rate(eigenvalues):\n    return jnp.min(2 / jnp.abs(eigenvalues))", "2 / |λ|"),
        Tempting(
            "def largest_rate(eigenvalues):\n    return -2 * eigenvalues.real / jnp.abs(eigenvalues)**2",
            "a bound for each eigenvalue",
        ),
        Tempting(
            "def largest_rate(eigenvalues):\n"
            "    return jnp.maximum(jnp.min(-2 * eigenvalues.real / jnp.abs(eigenvalues)), 0)",
            "Square the modulus",
        ),
        Tempting(
            "def largest_rate(eigenvalues):\n"
            "    return max(0, jnp.max(-2 * eigenvalues.real / jnp.abs(eigenvalues)**2))",
            "take the least",
        ),
        Tempting(
            "def largest_rate(eigenvalues):\n"
            "    worst = eigenvalues.real.max()\n    return jnp.where(worst < 0, 2 / abs(eigenvalues.real).max(), 0.0)",
            "imaginary part counts",
        ),
        Tempting(
            "def largest_rate(eigenvalues):\n"
            "    return jnp.maximum(jnp.min(-eigenvalues.real / jnp.abs(eigenvalues)**2), 0.0)",
            "Half of it",
        ),
        Tempting(
            "def largest_rate(eigenvalues):\n"
            "    return jnp.maximum(jnp.mean(-2 * eigenvalues.real / jnp.abs(eigenvalues)**2), 0.0)",
            "not the mean",
        ),
        Tempting(
            "def largest_rate(eigenvalues):\n    return jnp.maximum(jnp.min(2 * eigenvalues.real), 0.0)",
            "is the sign turned",
        ),
        Tempting(
            "def largest_rate(eigenvalues):\n"
            "    z = np.asarray(eigenvalues)[eigenvalues.real < 0]\n"
            "    return min(-2 * z.real / abs(z) ** 2, default=0.0)",
            "growing modes were left out",
        ),
        Tempting(
            "def largest_rate(eigenvalues):\n    return np.inf if eigenvalues.real.max() >= 0 else 1.0",
            "An infinite bound",
        ),
        Tempting("def largest_rate(eigenvalues):\n    return 1.0", "The same rate for every set"),
    ),
)


# ---- the best penalty ----


def check_best_gamma(best_gamma):
    couplings = np.array([0.5, 1.0, 3.0, 0.2])
    found = np.array([to_array(best_gamma(float(s)), "the weight") for s in couplings])
    if np.all(np.abs(found - 2 * couplings) <= 0.02 * (2 * couplings) + 0.01):
        return "gamma = 2 s: there the pair meets on the real axis, at -s. Less and it turns, more and one lags behind."
    mistakes = [
        (couplings, "Half of it. The root of gamma^2 / 4 - s^2 vanishes where gamma / 2 = s."),
        (4 * couplings**2, "gamma^2 / 4 = s^2 gives gamma = 2 s, without a square."),
        (4 * couplings, "Twice too much: one eigenvalue has come back towards 0, and it is the slow one."),
        (couplings**2, "gamma^2 / 4 = s^2: take the root, and don't lose the 4."),
        (-couplings, "This is the real part at the best weight, how fast it comes home. The weight itself is wanted."),
        (0 * couplings + 1, "1 is right for s = 1/2 alone, the Dirac-GAN of the text. Put s in."),
        (0 * couplings, "Without a penalty the pair lies on the imaginary axis, and nothing comes home."),
        (2 * np.sqrt(couplings), "gamma^2 / 4 = s^2, not s."),
        (0.5 / couplings, "Turned round: a stronger coupling needs a heavier penalty."),
        (1 / couplings, "Turned round: a stronger coupling needs a heavier penalty."),
        (-2 * couplings, "The sign is turned: a weight below 0 pushes outwards."),
        (2 * couplings**2, "gamma^2 / 4 = s^2 gives gamma = 2 s, without a square."),
        (np.sqrt(couplings), "gamma^2 / 4 = s^2: take the root of both sides, 4 included."),
    ]
    if np.all(found >= 4.5 * couplings):
        raise Wrong("This is too heavy: the eigenvalue -gamma/2 + sqrt(gamma^2/4 - s^2) creeps back to 0 as gamma "
                    "grows. More is not better.")  # fmt: skip
    if np.ptp(found) < 1e-6 and found[0] not in (0.0, 1.0):
        raise Wrong("The same weight for every coupling: the best one depends on s. Put s in.")
    expect(found, 2 * couplings, "the best weight for four couplings", mistakes, tolerance=5e-3,
           otherwise="Compute max Re over a fine grid of gammas, and look where it is least.")  # fmt: skip
    return None


best_gamma = Exercise(
    name="best_gamma",
    goal="For the field's Jacobian [[0, -s], [s, -gamma]], find the weight gamma with which the flow comes to rest "
    "fastest: whose largest real part is the most negative.",
    stub='''
def best_gamma(s):
    """The coupling s > 0 of the two players comes in; the best weight of the penalty on D, a number, goes out."""
    return ...
''',
    hints=(
        "By formula, or by trying 10,000 weights. Where does the pair stop turning? What happens to it after that?",
        "λ = -gamma/2 +- sqrt(gamma^2/4 - s^2). While the root is imaginary, Re λ = -gamma/2; after that one of the "
        "two comes back.",
        "    gammas = many numbers between 0 and 10 s\n"
        "    slowest = the larger real part of -gamma/2 +- sqrt(gamma^2/4 - s^2 + 0j)\n"
        "    return the gamma with the least",
    ),
    solution="""
def best_gamma(s):
    return 2 * s
""",
    check=check_best_gamma,
    also_right=(
        """
def best_gamma(s):
    gammas = np.linspace(0, 10 * s, 10001)
    matrices = np.stack([[[0, -s], [s, -gamma]] for gamma in gammas])
    return gammas[np.linalg.eigvals(matrices).real.max(axis=1).argmin()]
""",
        """
from scipy.optimize import minimize_scalar
def best_gamma(s):
    slowest = lambda gamma: (-gamma / 2 + np.sqrt(complex(gamma**2 / 4 - s**2))).real
    return minimize_scalar(slowest, bounds=(0, 20 * s), method="bounded", options={"xatol": 1e-6}).x
""",
        "def best_gamma(s):\n    return jnp.sqrt(4.0 * jnp.float32(s) ** 2)",
    ),
    tempting=(
        Tempting("def best_gamma(s):\n    return s", "Half of it"),
        Tempting("def best_gamma(s):\n    return 1.0", "1 is right for s = 1/2 alone"),
        Tempting("def best_gamma(s):\n    return 10.0 * s", "More is not better"),
        Tempting("def best_gamma(s):\n    return 4 * s**2", "without a square"),
        Tempting("def best_gamma(s):\n    return -s", "The weight itself is wanted"),
        Tempting("def best_gamma(s):\n    return 4 * s", "Twice too much"),
        Tempting("def best_gamma(s):\n    return 2.0", "The same weight for every coupling"),
    ),
)


# ---- extragradient ----


def _turning(w):
    return jnp.stack([-w[1], w[0]])


def _curved(w):
    return jnp.stack([jax.nn.sigmoid(-w[0] * w[1]) * w[1], -jax.nn.sigmoid(w[0] * w[1]) * w[0] - 0.4 * w[1] ** 3])


def check_extragradient_step(extragradient_step):
    for name, velocity, w, h in (
        ("a game with a bent field", _curved, jnp.array([1.2, -0.7]), 0.4),
        ("f = xy", _turning, jnp.array([1.0, 0.5]), 0.3),
    ):
        now = np.asarray(velocity(w), np.float64)
        ahead = np.asarray(w + h * velocity(w))
        then = np.asarray(velocity(jnp.asarray(ahead)), np.float64)
        middle = np.asarray(velocity(w + h / 2 * velocity(w)), np.float64)
        mixed = [np.array([then[0], now[1]]), np.array([now[0], then[1]])]
        in_turn = np.asarray(velocity(jnp.stack([w[0], w[1] + h * velocity(w)[1]])), np.float64)
        here = np.asarray(w, np.float64)
        mistakes = [
            (ahead + h * then, "The step starts from w, not from the point ahead: this is two plain steps."),
            (ahead, "This is the look ahead itself, a plain step. Go back to w, and use the field found there."),
            (here + h * (now + then) / 2, "This takes the mean of both fields (Heun's method). Extragradient uses "
             "the one ahead alone."),
            (here + h * middle, "This looks half a step ahead. Look ahead by a whole h."),
            (here + h * (2 * then - now), "This goes beyond the field ahead: use v(ahead) as it is."),
            (here + h * (2 * now - then), "Optimistic steps extrapolate like this, from a field of the past. Here use "
             "v(ahead) alone."),
            (here - h * then, "The sign is turned: `velocity` is the direction in which the players go."),
            (then, "This is the velocity ahead. The step is w + h times it."),
            (here + then, "The step size h is missing in the second half."),
            (np.asarray(w + h * velocity(w + velocity(w))), "The look ahead has a step size, too: w + h v(w)."),
            (here, "Nothing has moved."),
            (here + h * np.array([in_turn[0], now[1]]), "These are alternating steps. Here both look ahead, and both "
             "then move from w."),
            (np.asarray(w + h * velocity(w - h * velocity(w))), "This looks back, w - h v(w): look ahead, w + h v(w)."),
            (here - h * np.asarray(velocity(w - h * velocity(w))), "The sign is turned: `velocity` is the direction in "
             "which the players go."),
            (np.asarray(w + velocity(w + velocity(w))), "The step size h is missing, in both halves."),
            (h * then, "This is the move. Add it to w."),
            (np.asarray(w + h * velocity(velocity(w))), "v(v(w)) is the field at the wrong place: the place ahead is "
             "w + h v(w)."),
            (np.asarray(w + h * velocity(h * velocity(w))), "The place ahead is w + h v(w): the w is missing."),
            (np.asarray(w + h * velocity(w + h * velocity(ahead))), "This looks ahead twice. Once is enough."),
            (here + h * now + h**2 * np.asarray(velocity(velocity(w))), "This is right where the field is linear. "
             "Evaluate v at the place ahead instead of multiplying it out."),
            *((here + h * both, "One player uses the field ahead, the other the old one. Both use v(ahead).")
              for both in mixed),
        ]  # fmt: skip
        found = extragradient_step(velocity, w, h)
        if isinstance(found, (tuple, list)) and len(found) == 2 and np.shape(found[1]) == (2,):
            raise Wrong("Return the new w alone, shape (2,).")
        expect(to_array(found, "the new w", (2,)), here + h * then, f"the new w for {name}", mistakes,
               otherwise="ahead = w + h v(w); then w + h v(ahead).")  # fmt: skip
    return "Right on a bent field, too. It costs two evaluations of the field a step."


extragradient_step = Exercise(
    name="extragradient_step",
    goal="Take one extragradient step: look one plain step ahead, then move from where you are, along the field there.",
    stub='''
def extragradient_step(velocity, w, h):
    """velocity: the field, (2,) -> (2,); w: both players, shape (2,); h: step size. The new w goes out."""
    return ...
''',
    hints=(
        "Two evaluations of the field, but only one step.",
        "w' = w + h v(w + h v(w)).",
        "    ahead = w + h * velocity(w)\n    return w + h * velocity(ahead)",
    ),
    solution="""
def extragradient_step(velocity, w, h):
    ahead = w + h * velocity(w)
    return w + h * velocity(ahead)
""",
    check=check_extragradient_step,
    also_right=(
        """
def extragradient_step(velocity, w, h):
    plain = lambda start, at: np.asarray(start) + h * np.asarray(velocity(at))
    return plain(w, plain(w, w))
""",
        """
def extragradient_step(velocity, w, h):
    (a, b), (x, y) = velocity(w), w
    a, b = velocity(jnp.array([x + h * a, y + h * b]))
    return float(x + h * a), float(y + h * b)
""",
        """
from gan_jax import theory
def extragradient_step(velocity, w, h):
    rest = jax.lax.stop_gradient
    loss = lambda i: lambda x, y: -rest(velocity(jnp.stack([x, y])))[i] * (x, y)[i]
    return theory.play(theory.Game(loss(0), loss(1)), w, h, 1, update="extragradient")[-1]
""",
    ),
    tempting=(
        Tempting(
            """
def extragradient_step(velocity, w, h):
    ahead = w + h * velocity(w)
    return ahead + h * velocity(ahead)
""",
            "starts from w",
        ),
        Tempting(
            """
def extragradient_step(velocity, w, h):
    now = velocity(w)
    return w + h * (now + velocity(w + h * now)) / 2
""",
            "Heun",
        ),
        Tempting(
            "def extragradient_step(velocity, w, h):\n    return w + h * velocity(w + h / 2 * velocity(w))",
            "half a step ahead",
        ),
        Tempting(
            "def extragradient_step(velocity, w, h):\n    return w - h * velocity(w + h * velocity(w))",
            "sign is turned",
        ),
        Tempting("def extragradient_step(velocity, w, h):\n    return w + h * velocity(w)", "look ahead itself"),
        Tempting(
            "def extragradient_step(velocity, w, h):\n    return w + h * velocity(w + velocity(w))",
            "The look ahead has a step size",
        ),
        Tempting(
            "def extragradient_step(velocity, w, h):\n    return w + h * velocity(w - h * velocity(w))",
            "This looks back",
        ),
        Tempting(
            """
def extragradient_step(velocity, w, h):
    ahead = w + h * velocity(w)
    return w + h * velocity(w + h * velocity(ahead))
""",
            "looks ahead twice",
        ),
    ),
)


# ---- the planted fault: an optimistic step that remembers too early ----


def check_optimistic_step(optimistic_step):
    for name, velocity, w, before, h in (
        ("f = xy", _turning, jnp.array([1.0, 0.5]), jnp.array([-0.9, 0.8]), 0.3),
        ("a game with a bent field", _curved, jnp.array([1.2, -0.7]), jnp.array([0.3, 0.6]), 0.5),
    ):
        now, here, old = (np.asarray(array, np.float64) for array in (velocity(w), w, before))
        answer = optimistic_step(velocity, w, before, h)
        if not isinstance(answer, (tuple, list)) and np.shape(answer) == (2,):
            raise Wrong("Return two arrays: the new w, and the field to remember for the next step.")
        moved, kept = _two(answer, "the new w", "the field to remember")
        mistakes = [
            (here + h * now, "This is a plain step: what was remembered is gone before it is used. On f = xy it "
             "spirals out."),
            (here + h * (2 * old - now), "Turned round: twice the field now, minus the field before."),
            (here + h * (now - old), "This moves by the change alone. Add it to the field: now + (now - before)."),
            (here + h * (2 * now + old), "The field before is subtracted."),
            (here + h * (now + old) / 2, "The mean of the two looks back. Optimism looks ahead: 2 now - before."),
            (here + h * (1.5 * now - 0.5 * old), "Adams and Bashforth's rule, for following the flow exactly. "
             "Optimistic steps go farther: 2 now - before."),
            (here - h * (2 * now - old), "The sign is turned: `velocity` is the direction in which the players go."),
            (here + h * old, "This moves along the field of the step before only."),
            (here + h * (now + old), "Adding the field before is momentum. It is subtracted: 2 now - before."),
            (here + h * (now - 2 * old), "The 2 belongs to the field now: 2 now - before."),
            (here + 2 * h * now, "The field before is missing: 2 now - before."),
            (here + 2 * h * now - old, "h multiplies both fields: h (2 now - before)."),
            (here + 2 * now - old, "The step size h is missing."),
            (h * (2 * now - old), "This is the move. Add it to w."),
            (here, "Nothing has moved."),
            (now, "This is the field. The order is: the new w, then what to remember."),
            (here + h * np.asarray(velocity(w + h * velocity(w))), "This is extragradient, with two evaluations of the "
             "field. Optimistic steps use `before` instead of the second."),
            (here + h * np.asarray(velocity(w + h * before)), "This looks ahead along the field before, and evaluates "
             "there. Here evaluate at w: 2 v(w) - before."),
        ]  # fmt: skip
        right = here + h * (2 * now - old)
        expect(to_array(moved, "the new w", (2,)), right, f"the new w for {name}", mistakes,
               otherwise="w + h (2 v(w) - before).")  # fmt: skip
        mistakes = [
            (old, "It remembers the old field for ever: hand on what you computed now."),
            (np.asarray(velocity(jnp.asarray(right, jnp.float32))), "This is the field at the new place: the next step "
             "would then subtract what it finds itself, and be plain again."),
            (here, "It remembers the place; the field there is wanted."),
            (right, "It remembers the new place; the field v(w) is wanted."),
            (2 * now - old, "Remember the field itself, v(w), not the extrapolated one."),
            (h * now, "Remember the field, without the step size."),
            (-now, "The sign is turned: remember v(w) itself."),
            (0 * now, "It remembers nothing: the next step would be twice a plain one."),
        ]  # fmt: skip
        expect(to_array(kept, "what it remembers", (2,)), now, f"what it remembers for {name}", mistakes,
               otherwise="It should be v(w), for the next step to subtract.")  # fmt: skip
    return "Repaired. On f = xy with h = 0.3 each step now shrinks the distance to 0.949 of it, instead of 1.044."


optimistic_step = Exercise(
    name="optimistic_step",
    goal="Repair the optimistic step: w + h (2 v(w) - the field before), and remember the field for the next step.",
    stub='''
def optimistic_step(velocity, w, before, h):
    """velocity: the field; w: both players; before: v at the last w; h: step size. (new w, what to remember)"""
    return ...
''',
    hints=(
        "In the broken code, follow the name `before`. What is in it when the step is computed?",
        "new w = w + h (2 v(w) - before); remember v(w).",
        "    now = velocity(w)\n    return w + h * (2 * now - before), now",
    ),
    solution="""
def optimistic_step(velocity, w, before, h):
    now = velocity(w)
    return w + h * (2 * now - before), now
""",
    check=check_optimistic_step,
    also_right=(
        """
def optimistic_step(velocity, w, before, h):
    now = velocity(w)
    w = jax.tree.map(lambda w, now, before: w + h * (now + (now - before)), w, now, before)
    return [w, now]
""",
        """
def optimistic_step(velocity, w, before, h):
    now = np.asarray(velocity(w))
    w = np.asarray(w) - h * np.asarray(before)
    return tuple(w + 2 * h * now), tuple(now)
""",
    ),
    tempting=(
        Tempting(
            """
def optimistic_step(velocity, w, before, h):
    now = velocity(w)
    before = now
    return w + h * (2 * now - before), before
""",
            "This is a plain step",
        ),
        Tempting(
            """
def optimistic_step(velocity, w, before, h):
    return w + h * (2 * velocity(w) - before), before
""",
            "for ever",
        ),
        Tempting(
            """
def optimistic_step(velocity, w, before, h):
    now = velocity(w)
    return w + h * (2 * before - now), now
""",
            "Turned round",
        ),
        Tempting(
            """
def optimistic_step(velocity, w, before, h):
    w = w + h * (2 * velocity(w) - before)
    return w, velocity(w)
""",
            "be plain again",
        ),
        Tempting(
            """
def optimistic_step(velocity, w, before, h):
    now = velocity(w)
    return w + h * (now - before), now
""",
            "change alone",
        ),
        Tempting(
            "def optimistic_step(velocity, w, before, h):\n    return w + h * (2 * velocity(w) - before)",
            "the field to remember",
        ),
        Tempting(
            "def optimistic_step(velocity, w, before, h):\n    return w + h * (2 * velocity(w) - before), None",
            "what it remembers should be",
        ),
        Tempting(
            "def optimistic_step(velocity, w, before, h):\n    return w + h * (velocity(w) + before), velocity(w)",
            "is momentum",
        ),
        Tempting(
            "def optimistic_step(velocity, w, before, h):\n    return w + 2 * h * velocity(w) - before, velocity(w)",
            "h multiplies both",
        ),
    ),
)


# ---- stretch: when a faster D stops the turning ----


def check_critical_ratio(critical_ratio):
    weights = np.array([0.2, 0.5, 0.8, 1.0])
    right = 1 / weights**2
    mistakes = [
        (weights**2, "Turned round: the ratio is D's rate over G's, and a light penalty needs a faster D."),
        (1 / weights, "At ratio r the pair is -r gamma/2 +- sqrt(r^2 gamma^2/4 - r/4): divide by r before you solve."),
        (4 / weights**2, "The coupling is s = 1/2, so r gamma^2 = 4 s^2 = 1."),
        (1 / (4 * weights**2), "r^2 gamma^2 / 4 = r / 4: the two 4 cancel."),
        (2 / weights, "At ratio r the pair is -r gamma/2 +- sqrt(r^2 gamma^2/4 - r/4): divide by r before you solve."),
        (0 * weights + 1, "With equal rates the pair turns for every weight below 1."),
        (weights, "Turned round: the ratio is D's rate over G's, and a light penalty needs a faster D."),
        (-1 / weights**2, "A ratio of rates is above 0."),
        (1 / np.sqrt(weights), "Solve r^2 gamma^2 / 4 = r / 4 for r."),
    ]
    found = np.array([to_array(critical_ratio(float(gamma)), "the ratio") for gamma in weights])
    if np.ptp(found) < 1e-6 and not np.allclose(found, 1):
        raise Wrong("The same ratio for every weight: a lighter penalty needs a faster D. Put gamma in.")
    expect(found, right, "the ratio for four weights", mistakes, tolerance=2e-2,
           otherwise="The eigenvalues of [[0, 1/2], [-r/2, -r gamma]] turn real where r = 1 / gamma^2.")  # fmt: skip
    return "1 / gamma^2: a D that is r times as fast acts as a penalty sqrt(r) times as heavy."


critical_ratio = Exercise(
    name="critical_ratio",
    goal="For the Dirac-GAN with an R1 penalty of weight gamma: D's rate is r times G's. Find the least r at which the "
    "flow stops turning.",
    stub='''
def critical_ratio(gamma):
    """The weight of the penalty, in (0, 1], comes in; the ratio of D's rate to G's, a number, goes out."""
    return ...
''',
    hints=(
        "Multiply D's row of the Jacobian by r. When are both eigenvalues real?",
        "J = [[0, 1/2], [-r/2, -r gamma]]: λ^2 + r gamma λ + r/4 = 0, real from r^2 gamma^2 = r on.",
        "    the discriminant r^2 gamma^2 - r is 0 at r = ...",
    ),
    solution="""
def critical_ratio(gamma):
    return 1 / gamma**2
""",
    check=check_critical_ratio,
    also_right=(
        """
def critical_ratio(gamma):
    low, high = 1e-6, 1e6
    for _ in range(200):
        r = np.sqrt(low * high)
        turning = np.iscomplex(np.linalg.eigvals(np.array([[0, 0.5], [-r / 2, -r * gamma]]))).any()
        low, high = (r, high) if turning else (low, r)
    return high
""",
        "def critical_ratio(gamma):\n    return jnp.float32(gamma) ** -2.0",
    ),
    tempting=(
        Tempting("def critical_ratio(gamma):\n    return gamma**2", "Turned round"),
        Tempting("def critical_ratio(gamma):\n    return 1 / gamma", "divide by r"),
        Tempting("def critical_ratio(gamma):\n    return 1.0", "With equal rates"),
        Tempting("def critical_ratio(gamma):\n    return 4 / gamma**2", "coupling is s = 1/2"),
        Tempting("def critical_ratio(gamma):\n    return 10.0", "The same ratio for every weight"),
    ),
    stretch=True,
)


# ---- stretch: the best momentum ----


def _momentum_radius(h: float, beta: float) -> float:
    """Alternating steps with momentum on f = xy: (m - 1)^2 (m - beta)^2 + h^2 m^3, after Gidel et al. 2019."""
    return float(np.abs(np.roots(np.polyadd(np.poly([1, 1, beta, beta]), [0, h**2, 0, 0, 0]))).max())


def check_best_beta(best_beta):
    tries = np.linspace(-0.999, 0.999, 1999)
    for h in (0.2, 1.0, 1.4):
        beta = float(to_array(best_beta(h), f"the momentum for h = {h}"))
        if not -1 < beta < 1:
            raise Wrong(f"{beta:g} is outside (-1, 1): the memory itself would grow.")
        best = min(_momentum_radius(h, float(b)) for b in tries)
        found = _momentum_radius(h, beta)
        if 1 - found >= 0.95 * (1 - best):
            continue
        shown = f"At h = {h} your beta of {beta:.3g} has a spectral radius of {found:.4f}; {best:.4f} can be had."
        if beta > 0:
            raise Wrong(f"{shown} A momentum above 0 pushes on in an old direction, and the circle opens: go below 0.")
        if beta == 0:
            raise Wrong(f"{shown} Without momentum the alternating steps circle for ever.")
        if abs(beta + 0.5) < 0.02:
            raise Wrong(f"{shown} -1/2 is best for small steps; larger ones want less of it.")
        raise Wrong(f"{shown} Try 1,000 values of beta, with `theory.spectral_radius` or the polynomial of hint 2.")
    return "Small steps want -1/2, larger ones less: a memory that takes back half of the last move."


best_beta = Exercise(
    name="best_beta",
    goal="For f = xy, alternating steps of size h and the momentum rule m = beta m + v, w + h m: find the beta with "
    "the smallest spectral radius, for h between 0.2 and 1.4.",
    stub='''
def best_beta(h):
    """A step size comes in; the momentum beta, in (-1, 1), goes out."""
    return ...
''',
    hints=(
        "Try many: `theory.spectral_radius` takes `update='alternating_momentum'`, `dials={'beta': ...}`, and goes "
        "under `jax.vmap`.",
        "Its eigenvalues m solve (m - 1)^2 (m - beta)^2 + h^2 m^3 = 0 (Gidel et al. 2019).",
        "    betas = linspace(-0.9, 0.9, 181)\n    radius = for each beta, the largest modulus of the four roots\n"
        "    return the beta with the least",
    ),
    solution="""
def best_beta(h):
    betas = np.linspace(-0.9, 0.9, 361)
    radius = [abs(np.roots(np.polyadd(np.poly([1, 1, b, b]), [0, h**2, 0, 0, 0]))).max() for b in betas]
    return betas[np.argmin(radius)]
""",
    check=check_best_beta,
    also_right=(
        """
from gan_jax import theory
def best_beta(h):
    def radius(beta):
        settings = {"update": "alternating_momentum", "dials": {"beta": beta}}
        return theory.spectral_radius(theory.bilinear, np.zeros(2), h, **settings)
    betas = jnp.linspace(-0.7, 0.2, 451)
    return float(betas[jnp.argmin(jax.vmap(radius)(betas))])
""",
        """
from scipy.optimize import minimize_scalar
def best_beta(h):
    def radius(b):
        step = np.array([[0, -h, b, 0], [h, 0, 0, b]])
        y, m_y = np.array([h, 1, 0, h * b]), np.array([1, 0, 0, b])
        m_x = -y + np.array([0, 0, b, 0])
        x = np.array([1, 0, 0, 0]) + h * m_x
        return abs(np.linalg.eigvals(np.stack([x, y, m_x, m_y]))).max()
    starts = np.linspace(-0.9, 0.5, 60)
    around = min(starts, key=radius)
    return minimize_scalar(radius, bounds=(around - 0.03, around + 0.03), method="bounded").x
""",
    ),
    tempting=(
        Tempting("def best_beta(h):\n    return 0.9", "A momentum above 0"),
        Tempting("def best_beta(h):\n    return -0.5", "larger ones want less"),
        Tempting("def best_beta(h):\n    return 0.0", "circle for ever"),
        Tempting("def best_beta(h):\n    return -1.5", "outside (-1, 1)"),
        Tempting("def best_beta(h):\n    return -0.9", "Try 1,000 values"),
    ),
    stretch=True,
)


# ---- the quiz ----

QUIZ = (
    Question(
        "small_steps",
        "The flow's eigenvalues are 0.5i and -0.5i. You take simultaneous steps of h = 0.01, a long time. You see:",
        (
            Choice("They come to rest, slowly: the steps are small enough.",
                   "no rate is small enough. |1 + 0.005i| is above 1 for every h above 0."),
            Choice("They circle for ever.", "that is what the flow does. A step of finite size goes along the tangent, "
                   "and ends a little outside."),
            Choice("They spiral out, slowly.", "each step multiplies the distance by sqrt(1 + h^2/4) = 1.0000125: half "
                   "as far again after 32,000 steps.", right=True),
        ),
    ),
    Question(
        "which_run",
        "Three runs of 200 steps from distance 1. Run A ends at 0.00003 without one turn. Run B ends at 0.00003 after "
        "16 turns. Run C ends at 1.6 after 16 turns. Which pair of eigenvalues of one step goes with B?",
        (
            Choice("0.95 and 0.95", "real and positive: it comes home without turning. That is run A."),
            Choice("0.83 + 0.46i and its conjugate", "modulus 0.949, and 0.949^200 = 0.00003; the angle is 29 degrees, "
                   "so a turn takes 12.4 steps.", right=True),
            Choice("0.88 + 0.48i and its conjugate", "modulus 1.002: this one grows. That is run C."),
            Choice("0.83 and -0.46", "real ones do not turn; a negative one jumps from side to side."),
        ),
    ),
    Question(
        "faster_d",
        "A game that only turns: f = xy, or a Dirac-GAN without penalty. You make D ten times as fast as G. The flow",
        (
            Choice("comes to rest: that is what two time scales are for.",
                   "the eigenvalues become +- i sqrt(10) s: still no real part. Two rates help where something already "
                   "pulls inwards."),
            Choice("turns faster, on an ellipse.", "the real part stays 0, the imaginary part grows by sqrt(10).",
                   right=True),
            Choice("spirals out.", "the trace of the Jacobian is 0 with any rates; only finite steps spiral out."),
        ),
    ),
    Question(
        "adam_at_rest",
        "Alternating Adam on f = xy with h = 0.3: the spectral radius at rest is 9e12. In the run, a step lengthens "
        "the distance by about a per cent. Why?",
        (
            Choice("The eigenvalues are wrong.", "they are right for where they were computed: where gradients are "
                   "smaller than epsilon = 1e-8."),
            Choice("They speak of gradients below epsilon, and the run never is there.",
                   "farther out a step has about the length h, whatever the gradient: no eigenvalue tells that.",
                   right=True),
            Choice("Adam is stable; the growth is rounding.", "it spirals out in float64, too."),
        ),
    ),
    Question(
        "calm_losses",
        "With R1 both losses of the ring GAN lie still, near 1.386 and 0.693. What follows for its samples?",
        (
            Choice("They are good: the game is at its equilibrium.", "a D that is held flat says 1/2 to anything. With "
                   "a weight of 30 the losses were calmest, and the samples the worst of their table."),
            Choice("They have stopped swinging. How good they are, a score has to tell.",
                   "stability and quality are two things; a heavy penalty buys one with the other.", right=True),
            Choice("G has collapsed: a calm loss means that nothing is learnt.",
                   "it may or may not have. The loss does not say."),
        ),
    ),
)  # fmt: skip

LESSON = Source(
    name="05_training_dynamics",
    given=GIVEN,
    exercises=(
        update_matrices,
        game_eigenvalues,
        largest_rate,
        best_gamma,
        extragradient_step,
        optimistic_step,
        critical_ratio,
        best_beta,
    ),
    quiz=QUIZ,
)
