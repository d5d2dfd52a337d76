"""Latents come in; paths between them, truncated ones and directions that change one thing go out."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, Shaped

from .errors import Menu, check_count, check_key

Latents = Float[Array | np.ndarray, "*batch dim"]


def _straight(start: Array, end: Array, t: Array) -> Array:
    return (1 - t) * start + t * end


def _spherical(start: Array, end: Array, t: Array) -> Array:
    cosine = jnp.sum(_unit(start) * _unit(end), axis=-1, keepdims=True)
    # at an angle of 0 both paths are one; at pi there is no shortest arc, and the straight path is taken as well
    bent = 1 - cosine**2 > 1e-6
    angle = jnp.arccos(jnp.where(bent, cosine, 0.0))  # the gradient of an arc cosine at 1 is infinite
    arc = (jnp.sin((1 - t) * angle) * start + jnp.sin(t * angle) * end) / jnp.sin(angle)
    return jnp.where(bent, arc, _straight(start, end, t))


def _unit(x: Array) -> Array:
    return x / jnp.maximum(jnp.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


PATHS: Menu[Callable] = Menu("path", {"straight": _straight, "spherical": _spherical})
"""How `interpolate` goes from one latent to another."""


def interpolate(
    start: Latents, end: Latents, t: float | int | Float[Array | np.ndarray, "*times"], *, kind: str = "spherical"
) -> Float[Array, "..."]:
    """Go from one latent to another.

    straight: `(1 - t) z0 + t z1`. spherical: `(sin((1 - t) w) z0 + sin(t w) z1) / sin w`, with w the angle between
    the two: it turns at a constant rate, and keeps the norm where both ends have one norm. Latents of opposite
    directions have no shortest arc between them; they, and parallel ones, are joined by the straight path.

    Args:
        start, end: z0 and z1, both of shape (..., d).
        t: from 0, at `start`, to 1, at `end`: a number, or several, shape (k,).
        kind: name in `PATHS`.

    Returns:
        Shape (..., d) for a number t, (k, ..., d) for k of them.

    Raises:
        UnknownName: there is no such path.
        ValueError: the ends have different shapes, or t more than one axis.

    Source: Shoemake 1985 (the formula, for rotations); White 2016, "Sampling Generative Networks", section 2.

    >>> print(interpolate(jnp.array([3.0, 0.0]), jnp.array([0.0, 3.0]), 0.5).round(3))
    [2.121 2.121]
    >>> interpolate(jnp.array([3.0, 0.0]), jnp.array([0.0, 3.0]), 0.5, kind="straight").tolist()
    [1.5, 1.5]
    """
    path, start, end, t = PATHS[kind], jnp.asarray(start), jnp.asarray(end), jnp.asarray(t)
    if start.shape != end.shape or not start.ndim or t.ndim > 1:
        raise ValueError(
            f"both ends must have one shape (..., d), and t be a number or a row of them; got {start.shape}, "
            f"{end.shape} and t of shape {t.shape}"
        )
    t = t.reshape(t.shape + (1,) * start.ndim)
    shape = t.shape[: t.ndim - start.ndim] + start.shape
    return jnp.broadcast_to(path(_whole(start, t), _whole(end, t), t), shape)


def _whole(latents: Array, t: Array) -> Array:
    """Latents with as many axes as t, so that no rank is promoted in silence."""
    return latents.reshape((1,) * (t.ndim - latents.ndim) + latents.shape)


def expected_norm(dim: int) -> float:
    """Mean norm of a latent from N(0, I_d): `sqrt(2) Gamma((d + 1) / 2) / Gamma(d / 2)`, a little below sqrt(d).

    The norm's standard deviation is below 0.71 whatever d is: in high dimension nearly all latents lie in a thin
    shell.

    Args:
        dim: d, numbers in z.

    Raises:
        ValueError: `dim` is no count.

    >>> round(expected_norm(100), 4), round(expected_norm(1), 4)
    (9.975, 0.7979)
    """
    from scipy.special import gammaln

    check_count(dim, "dim")
    return float(np.sqrt(2) * np.exp(gammaln((dim + 1) / 2) - gammaln(dim / 2)))


def straight_norm(dim: int, t: float | int | Float[Array | np.ndarray, "*times"]) -> Float[np.ndarray, "*times"]:
    """Mean norm at t of the straight path between two independent latents: `sqrt((1 - t)^2 + t^2)` of `expected_norm`.

    The point at t is N(0, ((1 - t)^2 + t^2) I_d): at the middle N(0, I_d / 2), whose norm is about sqrt(d / 2).

    Args:
        dim: d, numbers in z.
        t: places on the path, from 0 to 1.

    >>> straight_norm(100, np.array([0.0, 0.5])).round(3).tolist()
    [9.975, 7.053]
    """
    t = np.asarray(t, np.float64)
    return np.asarray(np.sqrt((1 - t) ** 2 + t**2) * expected_norm(dim))


def truncated(key: Key[Array, ""], n: int, dim: int, threshold: float | int) -> Float[Array, "n dim"]:
    """Draw latents from N(0, I_d) given that every number lies in [-threshold, threshold].

    It is what drawing a number anew until it lies inside gives: the truncation trick, fewer kinds of samples and
    better ones.

    Args:
        key: random key.
        n: how many.
        dim: d, numbers in z.
        threshold: positive; 2 cuts off 4.6 % of a normal distribution, infinity nothing.

    Returns:
        Latents, shape (n, dim).

    Raises:
        ValueError: `threshold` is not positive, or a count is none.

    Source: Brock et al. 2019, "Large Scale GAN Training for High Fidelity Natural Image Synthesis", section 3.1.

    >>> float(abs(truncated(jax.random.key(0), 1000, 8, 0.5)).max()) <= 0.5
    True
    """
    check_key(key)
    check_count(n, "n")
    check_count(dim, "dim")
    bound = _positive(threshold)
    if np.isinf(bound):
        return jax.random.normal(key, (n, dim))
    return jnp.clip(jax.random.truncated_normal(key, -bound, bound, (n, dim)), -bound, bound)


def truncated_variance(threshold: float | int) -> float:
    """Variance of one number of a truncated latent: `1 - 2 c f(c) / (2 F(c) - 1)`, f and F those of N(0, 1), c the cut.

    Args:
        threshold: c, positive.

    >>> round(truncated_variance(1.0), 4), round(truncated_variance(2.0), 4)
    (0.2911, 0.7737)
    """
    from scipy.special import erf

    c = _positive(threshold)
    if c < 1e-2:
        return c**2 / 3  # the uniform distribution's: the quotient below loses its digits
    if np.isinf(c):
        return 1.0
    return float(1 - np.sqrt(2 / np.pi) * c * np.exp(-(c**2) / 2) / erf(c / np.sqrt(2)))


def _positive(threshold: float | int) -> float:
    if isinstance(threshold, bool) or not float(threshold) > 0:  # NaN neither
        raise ValueError(f"threshold must be a positive number, such as 1.0, got {threshold!r}")
    return float(threshold)


def direction(
    latents: Float[Array | np.ndarray, "n dim"], score: Shaped[Array | np.ndarray, " n"]
) -> Float[Array, " dim"]:
    """Find the direction in which a score of the samples rises: the covariance of score and latent, at unit length.

    For latents from N(0, I) it is the direction of the score's mean gradient, because `E[s(z) z] = E[grad s(z)]`
    (Stein's lemma). For a score of 0 and 1 it is the mean of the latents with 1 less that of those with 0.

    Args:
        latents: of n samples, shape (n, d).
        score: one number a sample, such as its ink, or 1 where it shows an 8.

    Returns:
        A unit vector, shape (d,): `G(z + amount * direction)` has more of it.

    Raises:
        ValueError: shapes that do not fit, or a score that is the same for all samples.

    Source: Radford et al. 2016 (DCGAN), section 6.3.2, for differences of means; Stein 1981 for the lemma.

    >>> z = jax.random.normal(jax.random.key(0), (5000, 2))
    >>> direction(z, z[:, 0] > 0.5).round(1).tolist()
    [1.0, 0.0]
    """
    latents, values = jnp.asarray(latents), jnp.asarray(score, jnp.float32)
    if latents.ndim != 2 or values.shape != latents.shape[:1]:
        raise ValueError(
            f"latents must have shape (n, d) and the score (n,), one number a sample; got {latents.shape} and "
            f"{values.shape}"
        )
    if not isinstance(values, jax.core.Tracer) and not float(jnp.ptp(values)) > 0:
        raise ValueError("the score is the same for all samples, so no direction changes it; take more samples")
    return _unit((values - jnp.mean(values)) @ (latents - jnp.mean(latents, axis=0, keepdims=True)))
