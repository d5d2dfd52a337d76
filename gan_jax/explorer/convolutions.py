"""A kernel, a stride and a padding come in; who reads or writes which cell, and the sizes, go out, live.

A convolution and its transpose are one picture, read in two ways: the convolution reads the fine row through its
kernel and writes the coarse one, the transposed convolution reads the coarse row and writes kernels to the fine one.
"""

import functools
from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from .scene import Choice, Control, Curve, Dots, Mark, Number, Panel, Scene, Slider
from .widget import Explorer
from .widget import open as open_explorer

WAYS = {"convolution": "convolution (D): fine to coarse", "transposed": "transposed convolution (G): coarse to fine"}
LARGEST = 16
"""Numbers that can come in."""


class Taps(NamedTuple):
    """Which cell of the coarse row meets which of the fine one.

    Attributes:
        coarse: cells of the coarse row.
        fine: cells of the fine row, padding not included.
        kernel, stride, padding: as they stand.
    """

    coarse: int
    fine: int
    kernel: int
    stride: int
    padding: int

    @classmethod
    def of(cls, way: str, n: int, kernel: int, stride: int, padding: int) -> "Taps":
        """Work out the size of what goes out from that of what comes in; 0 where nothing is left.

        >>> Taps.of("convolution", 28, 5, 2, 2).coarse, Taps.of("transposed", 7, 4, 2, 1).fine
        (14, 14)
        """
        if way == "convolution":
            return cls(max((n + 2 * padding - kernel) // stride + 1, 0), n, kernel, stride, padding)
        return cls(n, max((n - 1) * stride + kernel - 2 * padding, 0), kernel, stride, padding)

    def reach(self, i: int) -> range:
        """The fine cells under the kernel at coarse cell i; those below 0 or from `fine` on are padding."""
        start = i * self.stride - self.padding
        return range(start, start + self.kernel)

    def centre(self, i: int) -> float:
        """Where the coarse cell i stands, in fine cells: over the middle of its kernel."""
        return i * self.stride - self.padding + (self.kernel - 1) / 2

    @property
    def counts(self) -> np.ndarray:
        """How many kernels reach each fine cell, shape (fine,).

        >>> Taps.of("transposed", 4, 3, 2, 0).counts.tolist()
        [1, 1, 2, 1, 2, 1, 2, 1, 1]
        """
        met = Counter(j for i in range(self.coarse) for j in self.reach(i))
        return np.array([met[j] for j in range(self.fine)], int)

    @property
    def inner(self) -> np.ndarray:
        """The counts without those near the ends, where kernels are missing; all where nothing else is left."""
        edge = self.kernel - 1
        first, last = max(edge - self.padding, 0), self.fine - max(edge - self.padding, 0)
        return self.counts[first:last] if last - first >= self.stride else self.counts


def convolution_scene(values: dict[str, Any]) -> Scene:
    """Show one convolution, or its transpose, in one dimension.

    Args:
        values: of the controls, by name: "way", "n", "kernel", "stride", "padding", "place".

    Returns:
        A `Scene` with the numbers "size", of what goes out, and "least" and "most" kernels that reach an inner cell.
    """
    n, kernel, stride, padding = (int(values[name]) for name in ("n", "kernel", "stride", "padding"))
    taps = Taps.of(values["way"], n, kernel, stride, padding)
    forward = values["way"] == "convolution"
    size = taps.coarse if forward else taps.fine
    sum_ = f"({n} + 2·{padding} − {kernel}) / {stride}, rounded down, + 1" if forward else (
        f"({n} − 1)·{stride} + {kernel} − 2·{padding}"
    )  # fmt: skip
    numbers = [Number("size", size, sum_)]
    name = "a convolution" if forward else "a transposed convolution"
    words = f"{name.capitalize()} of {n} numbers, kernel {kernel}, stride {stride}, padding {padding}: {size} go out."
    if not size:
        remark = (
            "The kernel is longer than the padded row." if forward else "Both ends are cut off, and nothing is left."
        )
        return Scene([Panel([], (0, 1), title="nothing goes out")], numbers, words, remark)
    place = min(int(values["place"]), taps.coarse) - 1
    if taps.fine:
        least, most = int(taps.inner.min()), int(taps.inner.max())
        numbers += [Number("least", least, "kernels that reach an inner cell"), Number("most", most)]
        words += f" Inner cells are reached by {least} to {most} kernels."
    return Scene([_lines(taps, forward, place), _tally(taps, forward)], numbers, words, _what_to_notice(taps, forward))


def _window(taps: Taps) -> tuple[float, float]:
    ends = [*taps.reach(0), *taps.reach(taps.coarse - 1), 0, taps.fine - 1]
    return min(ends) - 0.8, max(ends) + 0.8


def _lines(taps: Taps, forward: bool, place: int) -> Panel:
    """Both rows, a line for each tap of each kernel, and one kernel by itself."""

    def drawn(cells: range) -> tuple[np.ndarray, np.ndarray]:
        ends = [(taps.centre(i), j) for i in cells for j in taps.reach(i)]
        x = np.array([[above, below, np.nan] for above, below in ends]).ravel()
        return x, np.tile([1.0, 0.0, np.nan], len(ends))

    fine = np.arange(taps.fine, dtype=float)
    outside = np.array(sorted({j for i in range(taps.coarse) for j in taps.reach(i)} - set(range(taps.fine))), float)
    coarse = np.array([taps.centre(i) for i in range(taps.coarse)])
    marks: list[Mark] = [
        Curve(*drawn(range(taps.coarse)), "", "quiet"),
        Curve(*drawn(range(place, place + 1)), "", "accent"),
        Dots(outside, np.zeros(len(outside)), "", "quiet", 3.0),
        Dots(fine, np.zeros(len(fine)), "", "real" if forward else "fake", 5.0),
        Dots(coarse, np.ones(len(coarse)), "", "fake" if forward else "real", 5.0),
    ]
    up, down = ("out", "in") if forward else ("in", "out")
    title = f"above: {taps.coarse} numbers {up}; below: {taps.fine} {down}"
    return Panel(marks, _window(taps), (-0.25, 1.25), title, "cell of the lower row (small grey dots: padding)")


def _tally(taps: Taps, forward: bool) -> Panel:
    """How many kernels reach each fine cell, as a skyline."""
    counts = taps.counts
    edges = np.repeat(np.arange(taps.fine + 1) - 0.5, 2)
    heights = np.concatenate([[0], np.repeat(counts, 2), [0]])
    skyline = Curve(edges, heights.astype(float), "", "real" if forward else "fake", fill=True)
    title = "how often each number is read" if forward else "how often each number is written to"
    return Panel(
        [skyline], _window(taps), (0.0, 1.15 * max(counts.max(), 1)), title, "cell of the lower row", "kernels"
    )


def _what_to_notice(taps: Taps, forward: bool) -> str:
    if taps.kernel < taps.stride:
        verb = "are never read" if forward else "are never written to"
        return f"The kernel is shorter than the stride: some cells {verb}."
    if taps.kernel % taps.stride:
        mean = taps.kernel / taps.stride
        pattern = (
            "D looks at some pixels more often than at others" if forward else "a checkerboard, before any training"
        )
        return f"{taps.kernel} / {taps.stride} = {mean:.3g} is no whole number, so the counts alternate: {pattern}."
    return f"{taps.stride} divides {taps.kernel}: every inner cell is reached by {taps.kernel // taps.stride}."


def _controls(way: str, n: int, kernel: int, stride: int, padding: int) -> list[Control]:
    def whole(name: str, label: str, low: int, high: int, value: int) -> Slider:
        return Slider(name, label, low, high, value, notches=high - low + 1, whole=True)

    return [
        Choice("way", "which", WAYS, way),
        whole("n", "numbers that come in", 2, LARGEST, n),
        whole("kernel", "kernel", 1, 7, kernel),
        whole("stride", "stride", 1, 4, stride),
        whole("padding", "padding at each end", 0, 3, padding),
        whole("place", "the kernel that is shown by itself", 1, LARGEST, 2),
    ]


def convolutions(
    way: str = "transposed", *, n: int = 6, kernel: int = 5, stride: int = 2, padding: int = 0
) -> Explorer:
    """Open a convolution, live: which cell meets which, what size goes out, and where a checkerboard comes from.

    Args:
        way: "convolution" or "transposed".
        n: numbers that come in, from 2 to 16.
        kernel: from 1 to 7.
        stride: from 1 to 4.
        padding: zeros at each end of the fine row, from 0 to 3; a transposed convolution cuts as many off.

    Returns:
        An explorer; end a cell with it.

    Raises:
        UnknownName: no such way.
        ValueError: a number outside its range.

    Source: Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning".

    >>> live = convolutions(n=6, kernel=5, stride=2)
    >>> live.scene.number("size"), live.scene.number("least"), live.scene.number("most")
    (15.0, 2.0, 3.0)
    """
    return open_explorer(functools.partial(convolution_scene), _controls(way, n, kernel, stride, padding))
