"""Images come in; one sheet of them goes out."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from .parts import Numbers
from .style import WIDE, Picture, panels, styled


@styled
def images(images: Numbers, *, columns: int | None = None, title: str = "") -> Picture:
    """Draw images as one sheet.

    Args:
        images: shape (n, h, w), (n, h, w, 1), (n, h, w, 3), or (n, h * w) with h = w; uint8 from 0 to 255, or floats
            from -1 to 1 if any is negative, otherwise from 0 to 1. Values outside are clipped.
        columns: images a row; as many as make the sheet nearly square, and at most 10, when left out.
        title: above the sheet.

    >>> images(np.zeros((20, 64))).alt
    '20 images of 8 x 8 in 4 rows.'
    """
    stack = as_stack(images)
    picture, (axes,) = panels(WIDE[0], height=WIDE[1])
    words, sheet = draw_images(axes, stack, columns)
    height = WIDE[0] * sheet.shape[0] / sheet.shape[1] + (0.3 if title else 0.0)
    picture.set_size_inches(WIDE[0], min(height, 9.0))
    if title:
        axes.set_title(title)
    picture.alt = f"{title + ': ' if title else ''}{words}."
    return picture


def as_stack(images: Any) -> np.ndarray:
    """The images with values from 0 to 1, shape (n, h, w, 1 or 3)."""
    array = np.asarray(images)
    side = round(np.sqrt(array.shape[1])) if array.ndim == 2 else 0
    if array.ndim == 2 and side * side == array.shape[1]:
        array = array.reshape(-1, side, side, 1)
    array = array[..., None] if array.ndim == 3 else array
    if array.ndim != 4 or array.shape[-1] not in (1, 3) or not array.size:
        raise ValueError(
            f"images must have shape (n, h, w), (n, h, w, 1 or 3), or (n, h * w) with h = w; got {np.shape(images)}"
        )
    if array.dtype == np.uint8:
        return array / 255.0
    array = array.astype(np.float64)
    return np.clip((array + 1) / 2 if np.nanmin(array) < 0 else array, 0.0, 1.0)


def draw_images(axes: Axes, stack: np.ndarray, columns: int | None) -> tuple[str, np.ndarray]:
    """Draw images, shape (n, h, w, 1 or 3), as one sheet; what it shows in words, and the sheet."""
    n, height, width, channels = stack.shape
    columns = min(n, columns or min(10, int(np.ceil(np.sqrt(n))))) if n > 5 or columns else n
    rows = -(-n // columns)
    sheet = np.ones((rows, columns, height + 1, width + 1, channels))  # a white line between neighbours
    sheet.reshape(-1, height + 1, width + 1, channels)[:n, :height, :width] = stack
    sheet = sheet.swapaxes(1, 2).reshape(rows * (height + 1), columns * (width + 1), channels)[:-1, :-1]
    axes.imshow(sheet[..., 0] if channels == 1 else sheet, vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()
    return f"{n} images of {height} x {width} in {rows} row{'s' if rows > 1 else ''}", sheet
