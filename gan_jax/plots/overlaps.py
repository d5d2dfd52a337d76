"""Tables of numbers come in, one for each way to enlarge an image; heat maps beside each other go out."""

from collections.abc import Mapping

import numpy as np

from .diagrams import COLORS
from .parts import Numbers, Real
from .style import Picture, panels, styled

WRITTEN = 9
"""Cells a side up to which each number is written into its cell."""


@styled
def overlaps(
    tables: Mapping[str, Numbers], *, limits: tuple[Real, Real] | None = None, what: str = "kernels a pixel"
) -> Picture:
    """Draw tables of numbers as heat maps with common colours: what is even has one colour, a checkerboard two.

    Args:
        tables: name to numbers, shape (rows, columns): how many kernels write to each pixel, say.
        limits: numbers at the dark and at the light end; the least and the largest of all when left out.
        what: is counted, for the description.

    Raises:
        ValueError: no table, or one that is not of two dimensions.

    >>> overlaps({"5 / 2": np.array([[4, 6], [6, 9]]), "4 / 2": np.full((2, 2), 4)}).alt
    'Kernels a pixel. 5 / 2: 4 to 9 in 3 levels. 4 / 2: 4 everywhere.'
    """
    arrays = {name: np.asarray(table, np.float64) for name, table in tables.items()}
    if not arrays or any(array.ndim != 2 or not array.size for array in arrays.values()):
        shapes = {name: array.shape for name, array in arrays.items()}
        raise ValueError(f"overlaps needs tables of shape (rows, columns), by name; got {shapes}")
    every = np.concatenate([array.ravel() for array in arrays.values()])
    low, high = (float(limit) for limit in (limits or (every.min(), every.max())))
    picture, axes = panels(*[2.1] * len(arrays), height=2.4)
    for panel, (name, array) in zip(axes, arrays.items(), strict=True):
        panel.imshow(array, cmap=COLORS, vmin=low, vmax=high if high > low else low + 1, interpolation="nearest")
        panel.set_title(name, fontsize=9.5)
        panel.set_axis_off()
        if max(array.shape) <= WRITTEN:
            for (row, column), value in np.ndenumerate(array):
                dark = value < (low + high) / 2
                panel.text(column, row, f"{value:.3g}", ha="center", va="center", fontsize=8,
                           color="white" if dark else "black")  # fmt: skip
    told = ". ".join(f"{name}: {_told(array)}" for name, array in arrays.items())
    picture.alt = f"{what[:1].upper()}{what[1:]}. {told}."
    return picture


def _told(array: np.ndarray) -> str:
    levels = len(np.unique(np.round(array, 6)))
    if levels == 1:
        return f"{array.flat[0]:.3g} everywhere"
    return f"{array.min():.3g} to {array.max():.3g}" + (f" in {levels} levels" if levels <= 9 else "")
