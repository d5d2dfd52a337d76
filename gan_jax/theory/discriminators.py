"""Log densities on a grid come in; the best discriminator and what the minimax game pays it go out."""

import numpy as np

from .grids import Scalar, Values, _arrays, _namespace, _softplus, _times


def optimal_logit(log_p: Values, log_q: Values) -> Values:
    """Logit of the best discriminator against a generator with density q: `log p(x) - log q(x)`.

    Args:
        log_p: log density of the real distribution at n points, in nats, shape (n,).
        log_q: that of the generator at the same points, shape (n,).

    Returns:
        The logit, shape (n,); NaN where both densities are 0, since there D may be anything.

    Source: Goodfellow et al. 2014, proposition 1.

    >>> x = np.array([-1.0, 0.5, 2.0])
    >>> optimal_logit(-(x**2) / 2, -((x - 1) ** 2) / 2).tolist()  # N(0, 1) against N(1, 1): 0.5 - x
    [1.5, 0.0, -1.5]
    """
    _, (log_p, log_q) = _arrays(log_p, log_q)
    with np.errstate(invalid="ignore"):
        return log_p - log_q


def optimal_discriminator(log_p: Values, log_q: Values) -> Values:
    """The best discriminator as a probability, `D*(x) = p(x) / (p(x) + q(x))`; arguments as in `optimal_logit`.

    >>> optimal_discriminator(np.zeros(1), np.full(1, -0.5)).round(6).tolist()
    [0.622459]
    """
    logit = optimal_logit(log_p, log_q)
    return _namespace(logit).exp(-_softplus(-logit))


def value(logit: Values, log_p: Values, log_q: Values, weights: Values) -> Scalar:
    """What the game pays D: `V(D) = E_p log D(x) + E_q log(1 - D(x))`, in nats.

    Args:
        logit: D's logits at the n points of a `quadrature`, shape (n,).
        log_p, log_q: log densities of real and generated samples there, shape (n,).
        weights: of the quadrature, shape (n,).

    Returns:
        A scalar, at most `-log 4 + 2 JSD(p, q)`, which it reaches at `optimal_logit`.

    Source: Goodfellow et al. 2014, equation 1 and theorem 1.

    >>> from gan_jax.theory import quadrature
    >>> grid = quadrature((-9.0, 9.0))
    >>> log_p = -grid.points[:, 0] ** 2 / 2 - 0.5 * np.log(2 * np.pi)
    >>> round(float(value(np.zeros(2000), log_p, log_p, grid.weights)), 6)  # -log 4
    -1.386294
    """
    xp, (logit, log_p, log_q, weights) = _arrays(logit, log_p, log_q, weights)
    gain = _times(xp.exp(log_p), -_softplus(-logit)) + _times(xp.exp(log_q), -_softplus(logit))
    return xp.sum(weights * gain)
