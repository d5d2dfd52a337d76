"""A loss comes in; the discriminator's best answer to it, and what the generator descends against that, go out.

Throughout, u = log p - log q is the log ratio of the real and the generated density, and D's output is what `losses`
calls the logit. The closed forms are one row a loss; `numerical_output` finds the first of them without knowing them.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from ..losses import LOSSES, Loss
from .divergences import divergence
from .grids import Number, Ratios, Scalar, Values, _arrays, _exp, _expm1, _namespace, _sigmoid, _softplus, _times


class Term(NamedTuple):
    """One divergence in what a generator descends.

    Attributes:
        weight: its factor.
        kind: name in `DIVERGENCES`.
        pairs: between the pairs p(x) q(y) and q(x) p(y) instead of between p and q.
    """

    weight: float
    kind: str
    pairs: bool = False


class Descent(NamedTuple):
    """What the generator descends while the discriminator is held at its optimum.

    Attributes:
        terms: weighted divergences; the gradient of their sum along q is the gradient of `E_q per_sample(u)` with u
            held fixed, as it is while G takes its step (`E_p E_q per_sample(u, real)` for pairs).
        name: the sum in words; p_g stands for q.
        output: D's best output as a function of u.
        per_sample: what G pays at D* for one sample with log ratio u: `per_sample(u, real)`, where `real` is the log
            ratio of the real sample it is paired with. Only relativistic losses look at `real`.
    """

    terms: tuple[Term, ...]
    name: str
    output: Callable[[Ratios], Ratios]
    per_sample: Callable[..., Ratios]

    def divergence(self, log_p: Values, log_q: Values, weights: Values) -> Scalar:
        """The sum of the terms; arguments as in `theory.divergence`. Pairs take n * n numbers."""
        return sum(term.weight * _term(term, log_p, log_q, weights) for term in self.terms)


def _term(term: Term, log_p: Values, log_q: Values, weights: Values) -> Scalar:
    if not term.pairs:
        return divergence(term.kind, log_p, log_q, weights)
    xp, (log_p, log_q, weights) = _arrays(log_p, log_q, weights)
    first = log_p[:, None] + log_q[None, :]
    return divergence(term.kind, first.ravel(), first.T.ravel(), xp.outer(weights, weights).ravel())


def _ratio_itself(u):
    return u


_TWO_JSD = (Term(2.0, "jensen_shannon"),)

_ROWS: Mapping[str, Descent] = {
    "minimax": Descent(_TWO_JSD, "2 JSD", _ratio_itself, lambda u, real=0.0: -_softplus(u)),
    "nonsaturating": Descent(
        (Term(1.0, "reverse_kl"), Term(-2.0, "jensen_shannon")),
        "KL(p_g || p) - 2 JSD",
        _ratio_itself,
        lambda u, real=0.0: _softplus(-u),
    ),
    "least_squares": Descent(
        (Term(1.0, "kl_to_mixture"), Term(-0.125, "triangular")),
        "KL(p || (p + p_g) / 2) - Δ / 8",
        _sigmoid,
        lambda u, real=0.0: 0.5 * _sigmoid(-u) ** 2,
    ),
    "hinge": Descent(
        (Term(2.0, "total_variation"),),
        "2 TV",
        lambda u: _namespace(u).sign(u),
        lambda u, real=0.0: -_namespace(u).sign(u),
    ),
    "relativistic": Descent(
        (Term(1.0, "reverse_kl"), Term(-1.0, "jensen_shannon", pairs=True)),
        "KL(p_g || p) - JSD(p x p_g, p_g x p)",
        _ratio_itself,
        lambda u, real=0.0: _softplus(real - u),
    ),
    "f_kl": Descent((Term(1.0, "kl"),), "KL(p || p_g)", lambda u: 1 + u, lambda u, real=0.0: -_exp(u)),
    "f_reverse_kl": Descent((Term(1.0, "reverse_kl"),), "KL(p_g || p)", _ratio_itself, lambda u, real=0.0: 1 - u),
    "f_jensen_shannon": Descent(_TWO_JSD, "2 JSD", _ratio_itself, lambda u, real=0.0: math.log(2) - _softplus(u)),
    "f_pearson": Descent(
        (Term(1.0, "pearson"),),
        "Pearson chi2",
        lambda u: 2 * _expm1(u),
        lambda u, real=0.0: -_expm1(2 * u),
    ),
}


def _row(loss: Loss | str) -> Descent:
    """The closed forms of a loss, given as itself or by its name in `LOSSES`."""
    found = LOSSES[loss] if isinstance(loss, str) else loss
    name = next((name for name, known in LOSSES.items() if known[:2] == found[:2]), None)
    if name == "wasserstein":
        raise ValueError(
            "the Wasserstein loss has no optimal output: any critic is beaten by twice that critic, until a Lipschitz "
            "bound holds it, and then it is no function of the ratio p / q; see kantorovich_potential"
        )
    if name is None:
        raise ValueError(
            f"no closed form is known for the loss {found.name!r}, only for {', '.join(_ROWS)}; "
            "numerical_output finds the best output of any loss"
        )
    return _ROWS[name]


def optimal_output(loss: Loss | str, log_ratio: Ratios) -> Ratios:
    """The discriminator's output (the logit of `losses`) that minimises its loss L_D at each point on its own.

    | loss | output at log ratio u |
    |---|---|
    | minimax, nonsaturating, f_jensen_shannon, f_reverse_kl | u |
    | least_squares | `sigmoid(u) = p / (p + q)` |
    | hinge | `sign(u)`; at u = 0 any answer from -1 to 1 is as good, and 0 is given |
    | relativistic | u, and equally u plus any constant: only `D(x) - D(y) = u(x) - u(y)` matters |
    | f_kl | `1 + u` |
    | f_pearson | `2 (e^u - 1)` |

    Args:
        loss: one of `losses.LOSSES`, or its name there.
        log_ratio: u = log p - log q, an array of any shape or a number.

    Returns:
        The output, shape of `log_ratio`; float64 from NumPy, JAX from JAX. For f_kl above u = 30 and f_reverse_kl
        below u = -30 it is the divergence's optimum; the loss itself, whose exponential goes on as its tangent there,
        pulls D's output further.

    Raises:
        ValueError: the loss is Wasserstein's, which has none, or not one of `LOSSES`.

    Source: Goodfellow et al. 2014, proposition 1; Mao et al. 2017, section 3.2.2; Lim and Ye 2017;
    Nowozin et al. 2016, table 1; the others by setting the derivative of `p A(v) + q B(v)` in v to 0.

    >>> import numpy as np
    >>> optimal_output("f_kl", np.array([-1.0, 0.0])).tolist()
    [0.0, 1.0]
    """
    _, (u,) = _arrays(log_ratio)
    return _row(loss).output(u)


def driven_by(loss: Loss | str) -> Descent:
    """What G's loss descends when D is held at its optimum: a sum of divergences, up to a constant.

    G's step at a frozen D* moves q along the gradient of `E_q per_sample(u)` with u held. A functional J has that
    same gradient when its first variation `dJ / dq(x)` is `per_sample(u(x))` plus a constant.

    Args:
        loss: one of `losses.LOSSES`, or its name there.

    Returns:
        A `Descent`.

    Raises:
        ValueError: as in `optimal_output`. Under a critic held 1-Lipschitz the Wasserstein loss descends W_1.

    Notes:
        minimax, the f-GANs and hinge: G's term is D's own with its sign turned, so the sum is also `-min L_D` up to a
        constant. For nonsaturating, least_squares and relativistic only the gradients agree: G's loss at D* is
        another number than the sum, and where it is least is another question.
        least_squares here has the labels of `losses` (0, 1 and 1 for G); `Δ = int (p - q)^2 / (p + q)`.
        relativistic: L_D at D* is `log 2 - JSD(p x q, q x p)`.

    Source: Goodfellow et al. 2014, theorem 1; Arjovsky and Bottou 2017, theorem 2.5 (nonsaturating); Nowozin et al.
    2016, section 2; Lim and Ye 2017 (hinge); least_squares and relativistic from the condition above.

    >>> driven_by("nonsaturating").name
    'KL(p_g || p) - 2 JSD'
    >>> [tuple(term) for term in driven_by("hinge").terms]
    [(2.0, 'total_variation', False)]
    """
    return _row(loss)


def least_squares_descent(a: Number, b: Number, c: Number) -> Descent:
    """`driven_by` for least squares with labels: D pulls real outputs to b and fake ones to a, G pulls fake ones to c.

    The sum is `(b - a)(c - a) KL(p || (p + q) / 2) - (b - a)^2 Δ / 8` with `Δ = int (p - q)^2 / (p + q)`. With
    c = b it is an f-divergence, least at p = q. With b - c = 1 and b - a = 2, the labels for which the objective at
    D* is Pearson's chi2 (`least_squares_criterion`), it is not: there G draws its samples to where p = q, off the
    places where p is the larger.

    Source: the optimum is Mao et al. 2017, section 3.2.2; the sum from `dJ / dq = (D* - c)^2 / 2`.

    >>> [term.weight for term in least_squares_descent(-1.0, 1.0, 0.0).terms]
    [2.0, -0.5]
    """
    kl, triangular = (b - a) * (c - a), -((b - a) ** 2) / 8
    return Descent(
        (Term(float(kl), "kl_to_mixture"), Term(float(triangular), "triangular")),
        f"{kl:g} KL(p || (p + p_g) / 2) - {-triangular:g} Δ",
        lambda u: a + (b - a) * _sigmoid(u),
        lambda u, real=0.0: 0.5 * (a + (b - a) * _sigmoid(u) - c) ** 2,
    )


def least_squares_criterion(
    log_p: Values, log_q: Values, weights: Values, a: Number = -1, b: Number = 1, c: Number = 0
) -> Scalar:
    """The least-squares objective of G at D*: `E_p (D* - c)^2 / 2 + E_q (D* - c)^2 / 2`.

    For b - c = 1 and b - a = 2 it is `chi2 / 2`, where `chi2 = int (p - q)^2 / (p + q)` is Pearson's chi2 between
    p + q and 2 q. The first term has no gradient in G at a frozen D*, so this is what G's loss is worth, not what its
    step descends (`least_squares_descent`).

    Args:
        log_p, log_q, weights: as in `divergence`.
        a, b: the labels of fake and real for D.
        c: the label that G wants for its samples.

    Returns:
        A scalar.

    Source: Mao et al. 2017, section 3.2.2.

    >>> import numpy as np
    >>> log_p, log_q = np.log([0.5, 0.5]), np.log([0.25, 0.75])
    >>> round(float(least_squares_criterion(log_p, log_q, np.ones(2))), 6)  # (1/16 / 0.75 + 1/16 / 1.25) / 2
    0.066667
    """
    xp, (log_p, log_q, weights) = _arrays(log_p, log_q, weights)
    gap = a + (b - a) * _sigmoid(log_p - log_q) - c
    return 0.5 * xp.sum(weights * _times(xp.exp(log_p) + xp.exp(log_q), gap**2))
