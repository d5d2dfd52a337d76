"""Means and spreads of two Gaussians come in; their divergence and distances, in closed form, go out."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Array

Number = float | int
Numbers = Number | Sequence | Array | np.ndarray


def _moments(mean: Numbers, covariance: Numbers) -> tuple[np.ndarray, np.ndarray]:
    m, c = np.atleast_1d(np.asarray(mean, np.float64)), np.asarray(covariance, np.float64)
    c = c.reshape(1, 1) if c.ndim == 0 else c
    if m.ndim != 1 or c.shape != (len(m), len(m)):
        raise ValueError(
            f"a Gaussian in d dimensions needs a mean of shape (d,) and a covariance of shape (d, d), "
            f"got {np.shape(mean)} and {np.shape(covariance)}"
        )
    if not (np.isfinite(m).all() and np.isfinite(c).all() and np.allclose(c, c.T, rtol=1e-6, atol=1e-12)):
        raise ValueError("mean and covariance must be finite, and the covariance symmetric")
    return m, c


def gaussian_kl(mean_p: Numbers, covariance_p: Numbers, mean_q: Numbers, covariance_q: Numbers) -> float:
    """KL divergence of Gaussians: `(tr(Cq^-1 Cp) + |mq - mp|^2_{Cq^-1} - d + log det Cq - log det Cp) / 2`.

    Args:
        mean_p, mean_q: shape (d,), or a number for d = 1.
        covariance_p, covariance_q: shape (d, d), or a variance for d = 1; positive definite.

    Returns:
        KL(p || q) in nats.

    Raises:
        ValueError: shapes that do not fit, or a covariance that is not positive definite.

    >>> gaussian_kl(0.0, 1.0, 4.0, 1.0)
    8.0
    """
    (mp, cp), (mq, cq) = _moments(mean_p, covariance_p), _moments(mean_q, covariance_q)
    (sign_p, log_p), (sign_q, log_q) = np.linalg.slogdet(cp), np.linalg.slogdet(cq)
    if min(sign_p, sign_q, *np.linalg.eigvalsh(cp), *np.linalg.eigvalsh(cq)) <= 0:
        raise ValueError("a covariance is not positive definite: that Gaussian has no density, and no finite KL")
    inverse, shift = np.linalg.inv(cq), mq - mp
    return float(0.5 * (np.trace(inverse @ cp) + shift @ inverse @ shift - len(mp) + log_q - log_p))


def frechet_distance(mean_p: Numbers, covariance_p: Numbers, mean_q: Numbers, covariance_q: Numbers) -> float:
    """Squared Wasserstein-2 distance of Gaussians: `|mp - mq|^2 + tr(Cp + Cq - 2 (Cp^1/2 Cq Cp^1/2)^1/2)`.

    In float64, by eigenvalues of symmetric matrices: no complex square root, and singular covariances are welcome.

    Args:
        mean_p, mean_q: shape (d,), or a number for d = 1.
        covariance_p, covariance_q: shape (d, d), or a variance for d = 1.

    Returns:
        The squared distance, in squared units of x.

    Source: Dowson and Landau 1982; Heusel et al. 2017 (FID), equation 6.

    >>> frechet_distance(0.0, 1.0, 1.0, 4.0)
    2.0
    """
    (mp, cp), (mq, cq) = _moments(mean_p, covariance_p), _moments(mean_q, covariance_q)
    if mp.shape != mq.shape:
        raise ValueError(f"both Gaussians must live in one space, got {len(mp)} and {len(mq)} dimensions")
    values, vectors = np.linalg.eigh(cp)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    overlap = np.sum(np.sqrt(np.maximum(np.linalg.eigvalsh(root @ cq @ root), 0)))
    return float(np.sum((mp - mq) ** 2) + np.trace(cp) + np.trace(cq) - 2 * overlap)


def gaussian_w1(mean_p: Number, scale_p: Number, mean_q: Number, scale_q: Number) -> float:
    """Wasserstein-1 distance of Gaussians on the line: `E |m + s Z|`, `m = mq - mp`, `s = sq - sp`, `Z ~ N(0, 1)`.

    The cheapest transport on the line keeps the order, so it moves quantile to quantile. For equal scales it is |m|.

    >>> gaussian_w1(0.0, 1.0, 8.0, 1.0)
    8.0
    """
    m, s = abs(mean_q - mean_p), abs(scale_q - scale_p)
    if s == 0:
        return float(m)
    return float(s * math.sqrt(2 / math.pi) * math.exp(-((m / s) ** 2) / 2) + m * math.erf(m / s / math.sqrt(2)))


def gaussian_mmd(mean_p: Numbers, scale_p: Number, mean_q: Numbers, scale_q: Number, bandwidth: Number) -> float:
    """Squared MMD of round Gaussians under the kernel `k(x, y) = exp(-|x - y|^2 / (2 b^2))`.

    With `v = b^2 + s^2 + s'^2`: `E k(x, y) = (b^2 / v)^(d/2) exp(-|m - m'|^2 / (2 v))`, and
    `MMD^2 = E k(x, x') - 2 E k(x, y) + E k(y, y')`.

    Args:
        mean_p, mean_q: shape (d,), or a number for d = 1.
        scale_p, scale_q: standard deviations.
        bandwidth: b, in the units of x.

    Source: Gretton et al. 2012, lemma 6; the Gaussian integral is elementary.

    >>> gaussian_mmd(0.0, 1.0, 0.0, 1.0, 1.0)
    0.0
    """
    mp, mq = (np.atleast_1d(np.asarray(mean, np.float64)) for mean in (mean_p, mean_q))

    def similarity(shift, first, second):
        v = bandwidth**2 + first**2 + second**2
        return (bandwidth**2 / v) ** (len(mp) / 2) * np.exp(-np.sum(shift**2) / (2 * v))

    alike = similarity(0 * mp, scale_p, scale_p) + similarity(0 * mq, scale_q, scale_q)
    return float(alike - 2 * similarity(mp - mq, scale_p, scale_q))
