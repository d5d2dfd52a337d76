"""A drawing's points come in from the page; the target that the lab trains on from then on goes out."""

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from .. import data

FEWEST, MOST = 4, 5000
"""Points of a drawing."""

AROUND = 10
"""How many windows wide the square is, about the window shown, in which points may lie."""

SCALES = (0.002, 0.2)
"""Smallest and largest noise, as shares of the window's width."""


def target_of(message: Mapping[str, Any], window: Float[np.ndarray, "4"]) -> data.Drawn:
    """Read a drawing as the page sends it.

    Points are rounded to a twentieth of the noise or less, which nobody sees, so that the Python that brings the
    target back stays short.

    Args:
        message: "points", little-endian float32 numbers x, y, x, y, ... in base64; "scale", the noise's standard
            deviation.
        window: left, right, bottom and top of what the page shows.

    Returns:
        The target.

    Raises:
        ValueError: what the page sent is no drawing in this window.

    >>> points = np.array([(0.12345, 0.5), (1, 0), (0, 1), (1, 1)], "<f4")
    >>> message = {"points": base64.b64encode(points.tobytes()).decode(), "scale": 0.05}
    >>> target_of(message, np.array([-1.0, 1.0, -1.0, 1.0])).points[0].tolist()
    [0.12300..., 0.5]
    """
    left, right, bottom, top = (float(end) for end in window)
    width = right - left
    scale = _scale(message.get("scale"), width)
    points = _points(message.get("points"))
    centre = np.array([left + right, bottom + top]) / 2
    far = np.abs(points - centre).max()
    if far > AROUND * width / 2:
        raise ValueError(
            f"a drawing must lie within {AROUND * width / 2:.3g} either side of the middle of what is shown, "
            f"{AROUND} windows in all; a point lies {far:.3g} away"
        )
    return data.drawn(np.round(points, math.ceil(-math.log10(scale / 20))), scale=scale)


def _points(text: Any) -> Float[np.ndarray, "n 2"]:
    if not isinstance(text, str):
        raise ValueError(f"a drawing's points must be float32 numbers in base64, got {str(text)[:40]!r}")
    if len(text) > 4 * math.ceil(8 * MOST / 3):  # before any of it is unpacked
        raise ValueError(f"a drawing has at most {MOST:,} points; this one is {len(text):,} characters of base64")
    try:
        packed = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"a drawing's points must be base64, got {text[:40]!r}") from None
    if len(packed) % 8 or not 8 * FEWEST <= len(packed) <= 8 * MOST:
        raise ValueError(
            f"a drawing has {FEWEST} to {MOST:,} points of 8 bytes each, got {len(packed):,} bytes; draw a stroke"
        )
    points = np.frombuffer(packed, "<f4").astype(np.float64).reshape(-1, 2)
    if not np.isfinite(points).all():
        raise ValueError("a drawing's points must be finite numbers, got NaN or infinity among them")
    return points


def _scale(value: Any, width: float) -> float:
    low, high = (share * width for share in SCALES)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not low <= value <= high:  # NaN neither
        raise ValueError(f"a drawing's scale must be a number from {low:.3g} to {high:.3g}, got {str(value)[:40]!r}")
    return float(f"{value:.3g}")


def answer(lab: Any, message: Mapping[str, Any]) -> None:
    """Train on what was drawn, from the same weights; answers the page's message of type "draw".

    Args:
        lab: a `Lab`; its active run takes the target, or every run if "everywhere" is true.
        message: as `target_of` takes it.
    """
    target = target_of(message, lab.session.window)
    for session in lab.sessions if message.get("everywhere") is True else [lab.session]:
        session.take_target("drawn", target)
    lab.look_again()
    lab.show()


ANSWERS: dict[str, Callable] = {"draw": answer}
