"""A function from controls to a picture comes in; a live picture that answers sliders and dragging goes out.

`minimax`, `best_response`, `objectives`, `portrait`, `side_by_side`, `scores`, `throughput`, `compilations` and
`convolutions` are those of the lessons. One of your own, a slider and a curve in ten lines; end a cell with `live`
to see it:

>>> import numpy as np
>>> from gan_jax import explorer
>>> from gan_jax.explorer import Curve, Number, Panel, Scene, Slider
>>> x = np.linspace(-4, 4, 200)
>>> def answer(values):
...     density = np.exp(-((x - values["mean"]) ** 2) / 2) / np.sqrt(2 * np.pi)
...     panel = Panel([Curve(x, density, "p_g", "fake", fill=True)], x=(-4, 4), y=(0, 0.5), x_label="x")
...     return Scene([panel], [Number("mean", values["mean"])], words=f"p_g lies at {values['mean']:.2f}.")
>>> live = explorer.open(answer, [Slider("mean", "mean of p_g", -3, 3, 1.0)])

Python moves it as a hand does, and reads what it shows:

>>> live.set("mean", -0.5)
>>> live.scene.words
'p_g lies at -0.50.'
"""

from .compilations import compilations
from .convolutions import convolutions
from .latent_space import latent_space
from .minimax import best_response, minimax
from .objectives import objectives
from .portrait import portrait
from .scaling import throughput
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
    Surface,
)
from .scores import scores
from .side_by_side import side_by_side
from .still import still
from .transport import transport
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
    "Surface",
    "best_response",
    "compilations",
    "convolutions",
    "latent_space",
    "minimax",
    "objectives",
    "open",
    "portrait",
    "scores",
    "side_by_side",
    "still",
    "throughput",
    "transport",
]
