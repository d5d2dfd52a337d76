"""Arrays come in, and a `Picture` goes out: a Matplotlib figure in one style, with its description in words.

Nothing here touches pyplot: no figure stays open, no setting leaks, and a cell shows the picture that it ends with.
Colours are the same throughout: real samples blue, fake samples and the generator vermilion, the discriminator green.
"""

from matplotlib.figure import Figure

from .answers import arrows, push, surface
from .clouds import samples, seeds, side_by_side
from .curves import densities, histogram
from .diagrams import phase_diagram
from .fields import field
from .histories import distances, losses
from .labelled import labelled
from .latents import COARSE, FINE, manifold
from .moments import NEUTRAL, frame
from .overlaps import overlaps
from .parts import Numbers, Real, Window
from .shares import modes
from .sheets import images
from .spectra import spectrum
from .style import (
    BELIEF,
    DISCRIMINATOR,
    FAKE,
    GENERATOR,
    MARKS,
    QUIET,
    REAL,
    SERIES,
    SQUARE,
    STYLE,
    THUMB,
    WIDE,
    Picture,
    alt,
)
from .tallies import scores
from .transport import rows, transport

__all__ = [
    "BELIEF",
    "COARSE",
    "DISCRIMINATOR",
    "FAKE",
    "FINE",
    "GENERATOR",
    "MARKS",
    "NEUTRAL",
    "QUIET",
    "REAL",
    "SERIES",
    "SQUARE",
    "STYLE",
    "THUMB",
    "WIDE",
    "Figure",
    "Numbers",
    "Picture",
    "Real",
    "Window",
    "alt",
    "arrows",
    "densities",
    "distances",
    "field",
    "frame",
    "histogram",
    "images",
    "labelled",
    "losses",
    "manifold",
    "modes",
    "overlaps",
    "phase_diagram",
    "push",
    "rows",
    "samples",
    "scores",
    "seeds",
    "side_by_side",
    "spectrum",
    "surface",
    "transport",
]
