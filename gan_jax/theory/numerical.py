"""A loss and two densities on a grid come in; the discriminator's best output, found without any closed form, goes out.

This is the oracle that `optimal_output` is compared with, and it takes losses of one's own.
"""

import functools
from contextlib import AbstractContextManager

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..losses import LOSSES, Loss
from .grids import Values

_FARTHEST = 45.0
"""Outputs are sought as v = sinh(s), |s| at most this: up to 1e19, finely near 0."""


def double_precision() -> AbstractContextManager:
    """Compute in float64 within a `with`, whatever JAX is set to: closed forms meet to 1e-6 only there.

    >>> with double_precision():
    ...     jnp.zeros(1).dtype
    dtype('float64')
    """
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    return getattr(jax.experimental, "enable_x64")()  # noqa: B009 - its place in older JAX; newer stubs lack it


def numerical_output(loss: Loss | str, log_p: Values, log_q: Values, weights: Values) -> Float[np.ndarray, " n"]:
    """Minimise the discriminator's loss L_D over all its outputs on a grid, knowing only the loss itself.

    A loss that treats real and fake logits apart, `E_p A(v) + E_q B(v)`, is minimised at each point on its own: the
    derivative `p A'(v) + q B'(v)`, by autodiff, changes its sign at the best v, and bisection finds it, kinks
    included. A loss of pairs, `E_p E_q h(v(x), v(y))`, is minimised over all points at once by Newton's method.

    Args:
        loss: an objective or its name in `losses.LOSSES`; L_D falls, then rises in each output (as convex ones do).
        log_p, log_q: log densities at the n points of a `quadrature`, shape (n,).
        weights: of the quadrature, shape (n,).

    Returns:
        The best output at each point, float64, shape (n,); the one nearest 0 where several serve equally well, infinite
        where L_D falls without end (`wasserstein` without a Lipschitz bound), NaN where both densities are 0. If only
        differences of outputs matter (`relativistic`), the free constant makes their mean under (p + q) / 2 zero.

    Raises:
        ValueError: the loss is no mean over pairs of a real and a fake logit (it compares with a mean over the batch,
            say). For losses of pairs also: more than 2,000 points, or no finite best output, as where just one density
            is 0 or h is not convex.

    >>> u = np.array([-1.0, 0.0, 3.0])
    >>> numerical_output("least_squares", u, np.zeros(3), np.ones(3)).round(6).tolist()  # sigmoid(u)
    [0.268941, 0.5, 0.952574]
    """
    part = (LOSSES[loss] if isinstance(loss, str) else loss).discriminator
    log_p, log_q, weights = (np.asarray(values, np.float64) for values in (log_p, log_q, weights))
    with np.errstate(invalid="ignore"):
        total = np.logaddexp(log_p, log_q)
        shares = np.exp(log_p - total), np.exp(log_q - total)  # p / (p + q), q / (p + q), each to full precision
    with double_precision():
        if not _is_mean_of_pairs(part):
            raise ValueError("this loss looks at more than one pair of logits at once, so its optimum depends on the "
                             "batch; expected a mean of terms of one real and one fake logit")  # fmt: skip
        if _is_separable(part):
            return np.asarray(_pointwise(part, *map(jnp.asarray, shares)))
        if len(weights) > 2000:
            raise ValueError(f"a loss of pairs needs n * n numbers; take at most 2000 points, got {len(weights)}")
        return _pairing(part, shares, weights * np.exp(log_p), weights * np.exp(log_q))


_PROBES = np.linspace(-6.1, 6.3, 9)
"""Logits, any will do, at which to learn how a loss is built."""


def _on_pair(part, real, fake):
    return part(jnp.reshape(real, (1,)), jnp.reshape(fake, (1,)))


def _over_pairs(function, v):
    """A function of two numbers at every pair of them, shape (n, n)."""
    return jax.vmap(jax.vmap(function, (None, 0)), (0, None))(v, v)


def _is_mean_of_pairs(part) -> bool:
    alone = [_on_pair(part, real, fake) for real, fake in zip(_PROBES, _PROBES[::-1], strict=True)]
    return bool(np.isclose(part(jnp.asarray(_PROBES), jnp.asarray(_PROBES[::-1])), np.mean(alone), rtol=1e-9))


def _is_separable(part) -> bool:
    """Whether `h(a, b) = A(a) + B(b)`: then its second differences vanish."""
    h = np.asarray(_over_pairs(functools.partial(_on_pair, part), jnp.asarray(_PROBES)))
    return bool(np.max(abs(h - h[:1] - h[:, :1] + h[0, 0])) < 1e-9 * (1 + np.max(abs(h))))


def _sees_only_differences(part) -> bool:
    h, moved = (_over_pairs(functools.partial(_on_pair, part), jnp.asarray(_PROBES + by)) for by in (0.0, 1.0))
    return np.allclose(h, moved, rtol=1e-9)


@functools.partial(jax.jit, static_argnums=0)
def _pointwise(part, share_p: Array, share_q: Array) -> Array:
    def slope(s, of_p, of_q):
        v = jnp.sinh(s)
        by_real, by_fake = jax.grad(functools.partial(_on_pair, part), argnums=(0, 1))(v, v)
        return of_p * by_real + of_q * by_fake

    def edge(go_right):
        """Where `go_right(slope)` stops being true."""

        def halve(_, bounds):
            low, high = bounds
            middle = (low + high) / 2
            right = go_right(jax.vmap(slope)(middle, share_p, share_q))
            return jnp.where(right, middle, low), jnp.where(right, high, middle)

        ends = jnp.full_like(share_p, -_FARTHEST), jnp.full_like(share_p, _FARTHEST)
        return jax.lax.fori_loop(0, 64, halve, ends)[0]

    # the minimisers are all from the end of falling to the start of rising: take the one nearest 0
    s = jnp.clip(0.0, edge(lambda slope: slope < 0), edge(lambda slope: slope <= 0))
    v = jnp.where(abs(s) > _FARTHEST - 1e-6, jnp.sign(s) * jnp.inf, jnp.sinh(s))
    return jnp.where(jnp.isnan(share_p), jnp.nan, v)


@functools.partial(jax.jit, static_argnums=0)
def _pair_terms(part, v, share_p, share_q, mass_p, mass_q):
    """L_D over all pairs, its gradient and its Hessian, rows of both scaled so that a tail's point counts as any."""
    h = functools.partial(_on_pair, part)
    h_a, h_b = _over_pairs(jax.grad(h, argnums=(0, 1)), v)
    (h_aa, h_ab), (_, h_bb) = _over_pairs(jax.hessian(h, argnums=(0, 1)), v)
    gradient = share_p * (h_a @ mass_q) + share_q * (mass_p @ h_b)
    bend = share_p * (h_aa @ mass_q) + share_q * (mass_p @ h_bb)
    cross = share_p[:, None] * mass_q[None, :] * h_ab + share_q[:, None] * mass_p[None, :] * h_ab.T
    return mass_p @ _over_pairs(h, v) @ mass_q, gradient / bend, jnp.eye(len(v)) + cross / bend[:, None]


def _pairing(part, shares, mass_p: np.ndarray, mass_q: np.ndarray) -> np.ndarray:
    there = ~np.isnan(shares[0])  # where neither density has mass, nothing is asked
    share_p, share_q, mass_p, mass_q = (values[there] for values in (*shares, mass_p, mass_q))
    mean = (mass_p + mass_q) / np.sum(mass_p + mass_q)
    at = lambda v: tuple(map(np.asarray, _pair_terms(part, *map(jnp.asarray, (v, share_p, share_q, mass_p, mass_q)))))  # noqa: E731
    only_differences = _sees_only_differences(part)
    v = np.zeros(len(mean))
    loss, gradient, hessian = at(v)
    for _ in range(300):
        # a constant costs nothing: without the gauge the Hessian would be singular
        move = np.linalg.solve(hessian + np.outer(np.ones(len(mean)), mean) * only_differences, -gradient)
        while np.max(abs(move)) > 1e-11 and at(v + move)[0] > loss + 1e-13 * abs(loss):
            move = move / 2
        v = v + move
        loss, gradient, hessian = at(v)
        if not np.isfinite(move).all():
            break
        if np.max(abs(move)) < 1e-9:
            found = np.full(len(there), np.nan)
            found[there] = v - mean @ v if only_differences else v
            return found
    raise ValueError("Newton's method did not settle: L_D must be smooth and convex in the outputs of a pair, and both "
                     "densities above 0 (or both 0) at each point")  # fmt: skip
