"""A table of payoffs comes in; both players' best mixed strategies and the value of the game go out."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float


class Saddle(NamedTuple):
    """How a zero-sum game on a table is best played.

    Attributes:
        value: what the row player pays on average when both play their mixed strategies.
        row: probabilities with which the row player, who minimises, takes each row, shape (rows,).
        column: probabilities with which the column player, who maximises, takes each column, shape (columns,).
        min_max: least that the row player can be sure to pay at most by one fixed row: `min_i max_j payoff[i, j]`.
        max_min: most that the column player can be sure of by one fixed column: `max_j min_i payoff[i, j]`.
    """

    value: float
    row: Float[np.ndarray, " rows"]
    column: Float[np.ndarray, " columns"]
    min_max: float
    max_min: float


def saddle(payoff: Float[Array | np.ndarray, "rows columns"]) -> Saddle:
    """Solve `min_x max_y x . payoff y` over mixed strategies x (rows) and y (columns), by linear programming.

    The row player minimises, as the generator does, the column player maximises, as the discriminator does. Over mixed
    strategies `min max = max min = value` (the minimax theorem); over fixed rows and columns only
    `max_min <= value <= min_max`, and a pure saddle point exists where they are equal.

    Args:
        payoff: what the row player pays the column player, shape (rows, columns).

    Returns:
        A `Saddle`. Where several strategies are equally good, one of them.

    Raises:
        ValueError: the table is empty, or holds NaN or an infinite number.

    Source: von Neumann 1928; the linear program is Dantzig's: least v with `payoff^T x <= v`, `sum x = 1`, `x >= 0`.

    >>> pennies = saddle(np.array([[1.0, -1.0], [-1.0, 1.0]]))
    >>> pennies.row.tolist(), pennies.column.tolist(), (pennies.max_min, pennies.min_max)
    ([0.5, 0.5], [0.5, 0.5], (-1.0, 1.0))
    """
    from scipy.optimize import linprog

    table = np.asarray(payoff, np.float64)
    if not table.size or not np.isfinite(table).all():
        raise ValueError(f"payoff must be a table of finite numbers, got shape {table.shape} with "
                         f"{np.sum(~np.isfinite(table))} NaN or infinite")  # fmt: skip
    rows = len(table)
    found = linprog(
        np.append(np.zeros(rows), 1.0),  # the variables are x, and the value v, which is to be least
        A_ub=np.column_stack([table.T, -np.ones(table.shape[1])]),
        b_ub=np.zeros(table.shape[1]),
        A_eq=np.append(np.ones(rows), 0.0)[None],
        b_eq=[1.0],
        bounds=[(0, None)] * rows + [(None, None)],
    )
    column = np.maximum(-found.ineqlin.marginals, 0)  # the dual variables are the other player's strategy
    return Saddle(
        float(found.fun),
        np.maximum(found.x[:-1], 0),
        column / column.sum(),
        float(table.max(axis=1).min()),
        float(table.min(axis=0).max()),
    )
