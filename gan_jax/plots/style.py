"""A function that draws comes in, and one that draws in the house style goes out; with its colours and `Picture`."""

import base64
import functools
import html
import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

REAL, FAKE, GENERATOR, DISCRIMINATOR, QUIET = "#0072B2", "#D55E00", "#D55E00", "#00795A", "#777777"

SERIES = ("#0072B2", "#D55E00", "#00795A", "#A8457F", "#000000", "#9A6A00", "#2E8BC0")
"""Colours of things that are neither real nor fake, in turn: Okabe and Ito's, dark enough to be read as text."""


class Mark(NamedTuple):
    """A marker that tells a series from its neighbours without colour.

    Attributes:
        shape: Matplotlib's letter for it.
        letter: the same shape in a text.
    """

    shape: str
    letter: str


MARKS = tuple(Mark(*pair) for pair in ("o●", "s■", "^▲", "D◆", "v▼", "P✚", "X✖"))

BELIEF = LinearSegmentedColormap.from_list("belief", ["#F2A36B", "#FFFFFF", "#6FB3DC"])
"""D's answer as a colour: vermilion for fake, white for undecided, blue for real."""

SQUARE, WIDE, THUMB = (3.6, 3.8), (4.8, 3.8), (2.0, 2.2)
"""The family of panel sizes, in inches: width and height with the title. Figures are rows of these."""

STYLE = matplotlib.rc_params_from_file(Path(__file__).with_name("style.mplstyle"), use_default_template=False)


class Picture(Figure):
    """A figure that says in words what it shows, to a screen reader and wherever a picture can't be shown.

    Attributes:
        alt: the description; `alt(picture)` reads it, and assigning to it replaces it.
    """

    alt: str = ""

    def __repr__(self) -> str:
        return f"Picture: {self.alt}"

    def _repr_html_(self) -> str:
        png, (width, _) = io.BytesIO(), self.get_size_inches()
        with matplotlib.rc_context(STYLE):
            self.savefig(png, format="png")
        data = base64.b64encode(png.getvalue()).decode()
        size = f'width="{90 * width:.0f}" style="max-width:100%;height:auto"'
        return f'<img alt="{html.escape(self.alt)}" {size} src="data:image/png;base64,{data}">'


def alt(figure: Figure) -> str:
    """Read a figure's description in words.

    >>> import numpy as np
    >>> from gan_jax import plots
    >>> alt(plots.images(np.zeros((4, 8, 8))))
    '4 images of 8 x 8 in 1 row.'
    """
    return getattr(figure, "alt", "")


def styled(draw: Callable[..., Picture]) -> Callable[..., Picture]:
    """Draw in the house style, and put the caller's settings back."""

    @functools.wraps(draw)
    def drawn(*args, **keywords):
        with matplotlib.rc_context(STYLE):
            return draw(*args, **keywords)

    return drawn


def panels(*widths: float, height: float) -> tuple[Picture, list[Axes]]:
    """A row of panels of these widths, in inches."""
    picture = Picture(figsize=(sum(widths), height))
    axes = picture.subplots(1, len(widths), width_ratios=widths, squeeze=False)
    return picture, list(axes[0])
