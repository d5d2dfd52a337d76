"""Samples come in; one picture of them goes out, as a PNG file that is there whole or not at all."""

import os
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
from jaxtyping import Float, UInt8

from .. import plots
from ..data import to_images

SIDE = 640
"""Pixels of a sheet's longer side, at least."""


def sheet(images: Float[np.ndarray, "n h w c"], columns: int) -> UInt8[np.ndarray, "height width c"]:
    """Lay images from 0 to 1 side by side, with a white line between neighbours, each pixel a square of whole pixels.

    >>> sheet(np.zeros((4, 8, 8, 1)), 2).shape
    (642, 642, 1)
    """
    n, height, width, channels = images.shape
    columns = min(columns, n)
    rows = -(-n // columns)
    scale = max(1, -(-SIDE // max(rows * height, columns * width)))
    tiles = np.ones((rows * columns, height * scale + 2, width * scale + 2, channels))
    tiles[:n, :-2, :-2] = images.repeat(scale, axis=1).repeat(scale, axis=2)
    laid = tiles.reshape(rows, columns, *tiles.shape[1:]).swapaxes(1, 2)
    laid = laid.reshape(rows * tiles.shape[1], columns * tiles.shape[2], channels)[:-2, :-2]
    return np.round(255 * laid).astype(np.uint8)


def write(path: Path, samples: Any, shape: tuple[int, ...], *, columns: int, real: Any = None, title: str = "") -> None:
    """Write samples as a PNG: images as a sheet, points in the plane beside real ones.

    Args:
        path: of the file.
        samples: shape (n, ...).
        shape: of one sample.
        columns: images a row.
        real: real samples, for points in the plane.
        title: of the picture of points.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if len(shape) == 3:
            pixels = sheet(to_images(samples, shape).reshape(len(samples), *shape), columns)
            pixels = pixels if shape[-1] == 3 else np.repeat(pixels, 3, axis=-1)
            matplotlib.image.imsave(part, pixels, format="png")
        else:
            picture = plots.samples(real, samples, title=title)
            with matplotlib.rc_context(plots.STYLE):
                picture.savefig(part, format="png", metadata={"Description": picture.alt})
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
