"""A game and a resting point come in; the eigenvalues that decide whether flow or steps come to rest there go out."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Complex

from ..errors import Menu, check_count
from .games import Dial, Game, Pair, Players, _field, _jacobian, _pair
from .numerical import double_precision
from .paths import _rates, _settled
from .updates import Dials, Rule


@jax.jit
def _changes(game: Game, pair: Pair, moves: Any) -> Any:
    """How the field changes under each of the moves, shape (moves, m)."""
    flat, unravel = ravel_pytree(pair)
    here = lambda flat: ravel_pytree(_field(game, unravel(flat)))[0]  # noqa: E731
    return jax.vmap(lambda move: here(flat + move) - here(flat))(moves)


@jax.jit
def _field_product(game: Game, pair: Pair, vector: Any) -> Any:
    unravel = ravel_pytree(pair)[1]
    return ravel_pytree(jax.jvp(functools.partial(_field, game), (pair,), (unravel(vector),))[1])[0]


def _stepped(rule, game, rates, dials):
    return lambda state: rule.step(game, *state, rates, dials)


def _at_rest(rule: Rule, game: Game, pair: Pair, dials: Dials) -> Any:
    """The players and the rule's memory, after both have rested long."""
    return pair, (rule.rest or rule.init)(game, pair, dials)


@functools.partial(jax.jit, static_argnums=0)
def _step_matrix(rule, game, pair, rates, dials):
    flat, unravel = ravel_pytree(_at_rest(rule, game, pair, dials))
    step = _stepped(rule, game, rates, dials)
    return jax.jacfwd(lambda flat: ravel_pytree(step(unravel(flat)))[0])(flat)


@functools.partial(jax.jit, static_argnums=0)
def _step_product(rule, game, pair, rates, dials, vector):
    state = _at_rest(rule, game, pair, dials)
    tangent = ravel_pytree(state)[1](vector)
    return ravel_pytree(jax.jvp(_stepped(rule, game, rates, dials), (state,), (tangent,))[1])[0]


def _doubled(game: Game) -> Game:
    """The game with its data in float64, within `double_precision`."""
    wide = lambda leaf: leaf.astype(jnp.float64) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf  # noqa: E731
    return jax.tree.map(lambda leaf: wide(leaf) if hasattr(leaf, "dtype") else leaf, game)


def eigenvalues(game: Game, params: Players) -> Complex[np.ndarray, " m"]:
    """Eigenvalues of the field's Jacobian at a resting point, which decide whether the flow comes to rest there.

    Negative real parts: it converges. Zero: it circles, and steps of finite size spiral outwards. In double precision;
    the whole matrix is formed: for m in the thousands see `leading_eigenvalues`.

    Args:
        game: the two losses.
        params: the point: shape (2,) or (2, d), or a pair of pytrees `(theta, psi)`; m numbers in all.

    Returns:
        Complex eigenvalues, shape (m,), sorted by real, then imaginary part.

    Raises:
        ValueError: the field jumps or has a kink at the point, so that there is no Jacobian (WGAN-GP at psi = 0).

    Source: Mescheder et al. 2018, section 2.

    >>> from gan_jax.theory import dirac_gan
    >>> eigenvalues(dirac_gan(), np.zeros(2)).imag.round(6).tolist()
    [-0.5, 0.5]
    """
    with double_precision():
        game, pair = _doubled(game), _pair(params)[0]
        point = np.asarray(ravel_pytree(pair)[0])
        matrix = np.asarray(_jacobian(game, pair))
        # automatic differentiation answers even where there is no derivative: small moves both ways must agree with it
        length = 1e-3 * (1 + np.abs(point).max())
        moves = length * np.concatenate([np.eye(point.size), -np.eye(point.size)])
        found = np.asarray(_changes(game, pair, moves))
    if not np.allclose(found, moves @ matrix.T, atol=0.1 * length * (1 + np.abs(matrix).max())):
        where = np.array2string(point, threshold=6, precision=4)
        raise ValueError(f"the field of '{game.name}' is not smooth at {where}: no Jacobian there")
    return np.sort_complex(np.linalg.eigvals(matrix))


def update_eigenvalues(
    game: Game,
    params: Players,
    rate: Dial | Sequence[float],
    *,
    update: str | Rule = "alternating",
    dials: Dials | None = None,
) -> Complex[np.ndarray, " m"]:
    """Eigenvalues of the Jacobian of one step at a resting point, the rule's memory included, in double precision.

    Inside the unit circle: the steps converge. The rule's memory brings eigenvalues of its own, so m is the number of
    both players' parameters and of what the rule remembers. Adam's are those of momentum with a
    rate of `h / epsilon`: they say what happens where gradients are smaller than epsilon, and nothing farther out.

    Args, errors: as in `play`, with the resting point for `start`.

    Returns:
        Complex eigenvalues, shape (m,), sorted by real, then imaginary part.

    >>> from gan_jax.theory import bilinear
    >>> update_eigenvalues(bilinear, np.zeros(2), 0.5, update="simultaneous").round(6).tolist()  # 1 +- ih
    [(1-0.5j), (1+0.5j)]
    """
    rule = _settled(update, dials)[0]
    with double_precision():
        numbers = _settled(update, dials)[1]
        matrix = np.asarray(_step_matrix(rule, _doubled(game), _pair(params)[0], _rates(rate), numbers))
    return np.sort_complex(np.linalg.eigvals(matrix))


def _largest_modulus(matrices: Any) -> np.ndarray:
    moduli = np.abs(np.linalg.eigvals(np.asarray(matrices, np.float64)))
    return moduli.max(axis=-1).astype(matrices.dtype)


def spectral_radius(
    game: Game,
    params: Players,
    rate: Dial | Sequence[float],
    *,
    update: str | Rule = "alternating",
    dials: Dials | None = None,
) -> Any:
    """By what factor one step stretches a small distance from a resting point in the long run.

    The largest modulus of `update_eigenvalues`: below 1 the steps converge, above 1 they diverge. Under `jax.vmap` or
    `jax.jit`, over rate, dials, point or the game's data, it is an array in the precision that JAX is set to.

    >>> from gan_jax.theory import bilinear
    >>> round(spectral_radius(bilinear, np.zeros(2), 0.5, update="simultaneous"), 5)  # sqrt(1 + h^2)
    1.11803
    """
    if not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((game, params, rate, dials))):
        return float(np.abs(update_eigenvalues(game, params, rate, update=update, dials=dials)).max())
    rule, numbers = _settled(update, dials)
    matrix = _step_matrix(rule, game, _pair(params)[0], _rates(rate), numbers)
    answer = jax.ShapeDtypeStruct((), matrix.dtype)
    return jax.pure_callback(_largest_modulus, answer, matrix, vmap_method="expand_dims")


ORDERS: Menu[str] = Menu("order", {"real": "LR", "modulus": "LM", "imaginary": "LI"})
"""Which eigenvalues lead: those of largest real part, modulus or imaginary part; with ARPACK's name."""


def leading_eigenvalues(
    game: Game,
    params: Players,
    count: int = 6,
    *,
    rate: Dial | Sequence[float] | None = None,
    update: str | Rule = "alternating",
    dials: Dials | None = None,
    order: str | None = None,
    rounds: int = 300,
) -> Complex[np.ndarray, " count"]:
    """The eigenvalues that decide, of a game too large for a matrix: only products `J u` are taken, by `jax.jvp`.

    Without a rate those of the field (`eigenvalues`), with one those of the step (`update_eigenvalues`). Arnoldi's
    method in double precision; smoothness at the point is not checked.

    Args:
        game: the two losses.
        params: the point, as in `eigenvalues`, m numbers in all (for a step, with what the rule remembers).
        count: how many, at most m - 2.
        rate, update, dials: as in `play`.
        order: name in `ORDERS`; if left out "real" for the field, "modulus" for a step.
        rounds: restarts to allow.

    Returns:
        Complex eigenvalues, shape (count,), the leading one first; the last may lack its conjugate.

    Raises:
        RuntimeError: they did not all settle within these rounds, as where many lie close together.

    Source: Lehoucq, Sorensen and Yang 1998, "ARPACK Users' Guide".

    >>> from gan_jax.theory import quadratic
    >>> game = quadratic(np.diag([1.0, 2.0, 3.0]), 0.0, 4.0)
    >>> leading_eigenvalues(game, np.zeros((2, 3)), 2).real.round(6).tolist()
    [-1.0, -2.0]
    """
    order = order or ("real" if rate is None else "modulus")
    rule = _settled(update, dials)[0]
    with double_precision():
        game, pair = _doubled(game), _pair(params)[0]
        if rate is None:
            size, product = ravel_pytree(pair)[0].size, functools.partial(_field_product, game, pair)
        else:
            numbers = _settled(update, dials)[1]
            size = ravel_pytree(_at_rest(rule, game, pair, numbers))[0].size
            product = functools.partial(_step_product, rule, game, pair, _rates(rate), numbers)
        return _arnoldi(product, size, count, order, rounds)


def _arnoldi(product: Callable, size: int, count: int, order: str, rounds: int) -> np.ndarray:
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

    check_count(count, "count")
    if count > size - 2:
        raise ValueError(f"count must be at most {size - 2}, for a matrix of {size} rows, got {count}; all of them: "
                         "`eigenvalues`, `update_eigenvalues`")  # fmt: skip
    operator = LinearOperator((size, size), lambda vector: np.asarray(product(np.ravel(vector))), dtype=np.float64)
    start = np.random.default_rng(0).normal(size=size)
    try:
        found = eigs(operator, count, which=ORDERS[order], v0=start, ncv=min(size, max(40, 4 * count)),
                     maxiter=rounds, return_eigenvectors=False)  # fmt: skip
    except ArpackNoConvergence as stopped:
        raise RuntimeError(
            f"Arnoldi's method settled {len(stopped.eigenvalues)} of {count} eigenvalues in {rounds} rounds; give it "
            f"more `rounds`, another `count` or `order`, or take the whole matrix of {size} rows: `eigenvalues`, "
            "`update_eigenvalues`"
        ) from None
    leads = {"real": found.real, "modulus": np.abs(found), "imaginary": np.abs(found.imag)}[order]
    return found[np.lexsort((-found.imag, -leads.round(10)))]
