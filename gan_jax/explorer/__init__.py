"""A function from controls to a picture comes in; a live picture that answers sliders and dragging goes out.

explorer.open(answer, [Slider("mean", "mean of p_g", -4, 4, 1.0)])    # your own
explorer.minimax()                                                     # and those of the lessons
"""

from .compilations import compilations
from .minimax import best_response, minimax
from .objectives import objectives
from .scene import (
    Arrows,
    Bars,
    Choice,
    Control,
    Curve,
    Dots,
    Handle,
    Level,
    Mark,
    Motion,
    Number,
    Panel,
    Scene,
    Slider,
)
from .still import still
from .widget import Explorer, open

__all__ = [
    "Arrows",
    "Bars",
    "Choice",
    "Control",
    "Curve",
    "Dots",
    "Explorer",
    "Handle",
    "Level",
    "Mark",
    "Motion",
    "Number",
    "Panel",
    "Scene",
    "Slider",
    "best_response",
    "compilations",
    "minimax",
    "objectives",
    "open",
    "still",
]
