"""Names of curves and dots with where these run come in; a place for each name, beside what it names, goes out.

The same rules as in `explorer.js`: of many places the one that covers least, each with a price of its own.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

Points = Float[np.ndarray, "n 2"]
LINE = 14.0
"""Height of a line of text, in points, the unit of all that is here; heights are counted upwards."""


class Box(NamedTuple):
    """A rectangle."""

    left: float
    right: float
    bottom: float
    top: float


class Label(NamedTuple):
    """A name to be placed.

    Attributes:
        width: of the text.
        own: points of what it names, shape (n, 2), n at least 1.
        kind: a heap is named at its summit, a line at its end, a level at an end, dots beside one of them.
        gap: radius of the dots.
    """

    width: float
    own: Points
    kind: Literal["heap", "line", "level", "upright", "dots"]
    gap: float = 0.0


def place(labels: Sequence[Label], dots: Float[np.ndarray, "k 3"], box: Box) -> list[tuple[float, float]]:
    """Find a place for each label.

    Args:
        labels: in the order in which they choose.
        dots: x, y and radius of each, shape (k, 3): nothing is written over them.
        box: within it all of them stay, where it is large enough.

    Returns:
        The left and lower end of each text.

    >>> line = np.stack([np.linspace(0, 100, 21), np.full(21, 30.0)], axis=1)
    >>> place([Label(20.0, line, "line")], np.zeros((0, 3)), Box(0, 100, 0, 60))
    [(78.0, 32.0)]
    """
    placed: list[Box] = []
    for i, label in enumerate(labels):
        others = [other.own for j, other in enumerate(labels) if j != i]
        around = np.concatenate(others) if others else np.zeros((0, 2))
        best, least = None, np.inf
        for x, y, price in _ways(label, box):
            at = (float(np.clip(x, box.left + 3, max(box.right - label.width - 2, box.left + 3))),
                  float(np.clip(y, box.bottom + 1, max(box.top - LINE - 1, box.bottom + 1))))  # fmt: skip
            spot = Box(at[0] - 3, at[0] + label.width + 3, at[1], at[1] + LINE)
            cost = price + 0.4 * (abs(at[0] - x) + abs(at[1] - y)) + _covered(spot, label.own, around, dots, placed)
            if cost < least:
                best, least = spot, cost
        assert best is not None  # there is always a way
        placed.append(best)
    return [(spot.left + 3, spot.bottom) for spot in placed]


def _covered(
    spot: Box, own: Points, others: Float[np.ndarray, "m 2"], dots: Float[np.ndarray, "k 3"], placed: list[Box]
) -> float:
    """The price of what a text would cover."""

    def inside(points: np.ndarray, reach: float | np.ndarray) -> int:
        x, y = points[:, 0], points[:, 1]
        hit = (x > spot.left - reach) & (x < spot.right + reach) & (y > spot.bottom - reach) & (y < spot.top + reach)
        return int(hit.sum())

    cost = 1.5 * inside(own, 0.0) + 1.5 * inside(others, 5.0) + 12.0 * inside(dots, dots[:, 2])
    for other in placed:
        across = min(spot.right, other.right) - max(spot.left, other.left)
        tall = min(spot.top, other.top) - max(spot.bottom, other.bottom)
        cost += 25.0 + tall if across > 0 and tall > 0 else 0.0
    return cost


def _ways(label: Label, box: Box) -> Iterator[tuple[float, float, float]]:
    """Places to try: left and lower end, and a price."""
    own, width = label.own, label.width
    if label.kind == "upright":
        for down in (0.0, 0.2, 0.4, 0.6, 0.85):
            y = box.top - LINE - 2 - down * (box.top - box.bottom - LINE)
            yield own[0, 0] + 5, y, 4 * down
            yield own[0, 0] - width - 5, y, 4 * down + 0.5
    elif label.kind == "level":
        for along in (1.0, 0.0, 0.5, 0.75, 0.25):
            x = box.left + 4 + along * (box.right - box.left - width - 8)
            yield x, own[0, 1] + 2, 2 * (1 - along)
            yield x, own[0, 1] - LINE - 2, 2 * (1 - along) + 1
    elif label.kind == "dots":
        for x, y in own[:: max(len(own) // 24, 1)]:
            gap = label.gap + 3
            yield x + gap, y - LINE / 2, 0.0
            yield x - gap - width, y - LINE / 2, 1.0
            yield x - width / 2, y + gap - 2, 0.5
            yield x - width / 2, y - gap - LINE + 2, 1.5
    else:
        yield from _ways_along(label, box)


def _ways_along(label: Label, box: Box) -> Iterator[tuple[float, float, float]]:
    own, width, heap = label.own, label.width, label.kind == "heap"
    summit, end = int(own[:, 1].argmax()), int(own[:, 0].argmax())
    rise = max(own[summit, 1] - box.bottom, 1.0)
    steps = [(i, 1.0) for i in np.linspace(0, len(own) - 1, 23).round().astype(int)]
    for i, price in [(summit, -3.0 if heap else 0.0), (end, 3.0 if heap else -3.0), *steps]:
        a, b = own[i]
        price += 12 * (own[summit, 1] - b) / rise if heap else 0.0
        x = float(np.clip(a - width * (1.0 if i == end else 0.5), box.left + 3, box.right - width - 2))
        beside = own[(own[:, 0] > x - 3) & (own[:, 0] < x + width + 3), 1]
        over, under = float(max(b, *beside, b)) + 2, float(min(b, *beside, b)) - LINE - 3
        yield x, over, price + 0.3 * max(0.0, abs(over + LINE / 2 - b) - LINE)
        yield x, under, price + 0.3 * max(0.0, abs(under + LINE / 2 - b) - LINE) + (2.0 if heap else 0.5)
        yield a + 7, b - LINE / 2, price + 1.5
        yield a - 7 - width, b - LINE / 2, price + 1.5
