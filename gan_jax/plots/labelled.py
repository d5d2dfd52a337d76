"""Points with the label that each was asked to have come in; a picture in which each is its label's digit goes out."""

from collections.abc import Mapping, Sequence

import numpy as np

from .parts import Numbers, as_vector
from .style import SERIES, Picture, styled

SHADES = (*SERIES, "#5B5BD6", "#6B8E23", "#C71585")
"""A colour a label, for at most ten; the digit tells them apart without it."""


@styled
def labelled(
    points: Mapping[str, tuple[Numbers, Numbers]], *, names: Sequence[str] | None = None, most: int = 240
) -> Picture:
    """Draw points of the plane as the digits of their labels, a panel for each set, in equal windows.

    Args:
        points: name of each panel to its points, shape (n, 2), and their labels, whole numbers from 0 to 9, shape (n,).
        names: a line under each panel; "" for none.
        most: points drawn a panel, the first ones.

    Returns:
        The picture.

    Raises:
        ValueError: shapes that do not fit, labels above 9, or not a line a panel.

    >>> labelled({"G": (np.zeros((3, 2)), np.array([0, 1, 1]))}).alt
    'Points drawn as the digits of their labels. G: 3 points with 2 labels around (0, 0).'
    """
    names = [""] * len(points) if names is None else list(names)
    if not points or len(names) != len(points):
        raise ValueError(f"labelled needs at least one panel, and a line for each, got {len(points)} and {len(names)}")
    picture = Picture(figsize=(3.3 * len(points), 3.5))
    axes, told = picture.subplots(1, len(points), squeeze=False, sharex=True, sharey=True)[0], []
    for one, (title, (x, y)), line in zip(axes, points.items(), names, strict=True):
        x, y = np.asarray(x, np.float64), as_vector(y, f"the labels of {title!r}").astype(int)
        if x.shape != (len(y), 2) or not len(y) or y.min() < 0 or y.max() > 9:
            raise ValueError(
                f"{title!r} needs points (n, 2) and a label from 0 to 9 for each, got {x.shape} and {y.shape}"
            )
        for label in np.unique(y[:most]):
            here = x[:most][y[:most] == label]
            one.scatter(*here.T, s=40, marker=f"${label}$", color=SHADES[label], linewidths=0.3)
        one.set_title(title)
        one.set_xlabel(line)
        one.set(aspect="equal")
        middle = ", ".join(f"{value:.2g}" for value in np.round(x.mean(axis=0), 2) + 0.0)
        told.append(f"{title}: {len(y)} points with {len(np.unique(y))} labels around ({middle})")
    picture.alt = f"Points drawn as the digits of their labels. {'. '.join(told)}."
    return picture
