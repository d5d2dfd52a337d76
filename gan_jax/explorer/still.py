"""A scene comes in; the same picture drawn by Matplotlib goes out, for where there is no page."""

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes

from ..plots import DISCRIMINATOR, FAKE, REAL, STYLE, Picture
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
    Panel,
    Scene,
    Slider,
    Value,
    arrays,
    check_scene,
    shown,
)

COLOURS = {"real": REAL, "fake": FAKE, "discriminator": DISCRIMINATOR, "ink": "#333333", "quiet": "#767676",
           "accent": "#AA3377"}  # fmt: skip
"""A role's colour; `explorer.js` has the same, and lighter ones for dark pages."""


def still(scene: Scene, controls: Sequence[Control] = (), values: Mapping[str, Value] | None = None) -> Picture:
    """Draw a scene without any page.

    Args:
        scene: what an `Explorer` shows: `live.scene`.
        controls: the sliders and menus beside it, whose settings are written above.
        values: where they stand, by name; at their first places when left out.

    Returns:
        The picture; `plots.alt` reads its description, which is the scene's words and numbers.

    >>> picture = still(Scene([Panel([Level(0.5, "log 2")], (0, 1))], words="A line."))
    >>> picture
    Picture: A line.
    """
    check_scene(scene, controls)
    columns = max(min(len(scene.panels), 3), 1)
    rows = -(-len(scene.panels) // columns)
    width = 4.4 * columns
    with matplotlib.rc_context(STYLE):
        picture = Picture(figsize=(width, 3.1 * rows))
        axes = picture.subplots(rows, columns, squeeze=False).ravel()
        for axis, panel in zip(axes, scene.panels, strict=False):
            _draw_panel(axis, panel)
        for axis in axes[len(scene.panels) :]:
            axis.set_axis_off()
        picture.canvas.draw()
    picture.alt = scene.words
    return picture


def _draw_panel(axes: Axes, panel: Panel) -> None:
    axes.set(xlim=panel.x, ylim=panel.y, xlabel=panel.x_label)
    axes.set_title(panel.title)
    for mark in panel.marks:
        found = arrays(mark)
        if isinstance(mark, Curve):
            axes.plot(found["x"], found["y"], color=COLOURS[mark.colour])
