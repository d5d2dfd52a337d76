"""The exercises and the quiz of lesson 07, DCGAN."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .exercise import Exercise, Tempting
from .progress import Source
from .question import Choice, Question
from .verdict import Wrong, expect, to_array

GIVEN = """
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
"""


def _check_formula(
    function: Callable, name: str, cases: Sequence[tuple[int, ...]], right: Callable, mistakes: Sequence[tuple]
) -> None:
    """Raise unless a formula of whole numbers is right in all cases; name the known formula that it is instead."""
    found = [float(to_array(function(*case), f"{name}{case}")) for case in cases]
    wanted = [right(*case) for case in cases]
    if np.allclose(found, wanted, atol=1e-6):
        return
    case, got, want = next(row for row in zip(cases, found, wanted, strict=True) if abs(row[1] - row[2]) > 1e-6)
    same = (reason for formula, reason in mistakes if np.allclose(found, [formula(*case) for case in cases], atol=1e-3))
    reason = next(same, "Draw the places of the kernel on squared paper, and count.")
    raise Wrong(f"{name}({', '.join(map(str, case))}) is {got:g}; it should be {want}. {reason}")


# ---- the size after a convolution ----

SIZES = [(28, 5, 2, 2), (28, 4, 2, 1), (13, 4, 3, 1), (8, 3, 2, 0), (7, 3, 1, 1), (5, 5, 1, 0), (32, 3, 3, 2)]


def _places(n: int, kernel: int, stride: int, padding: int) -> int:
    """Count where a kernel can stand, one place after the other."""
    return sum(start + kernel <= n + 2 * padding for start in range(0, n + 2 * padding, stride))


def check_convolved_size(size):
    mistakes = [
        (
            lambda n, k, s, p: (n + 2 * p - k) // s,
            "You counted the moves, not the places: a kernel that can move 3 times has stood in 4 places.",
        ),
        (
            lambda n, k, s, p: (n + p - k) // s + 1,
            "Padding goes to *both* ends: the row is 2p longer.",
        ),
        (
            lambda n, k, s, p: (n + 2 * p - k) / s + 1,
            "It is no whole number: the last, incomplete move is not made. Round down.",
        ),
        (
            lambda n, k, s, p: -(-(n + 2 * p - k) // s) + 1,
            "You rounded up: the last move would take the kernel over the edge.",
        ),
        (lambda n, k, s, p: -(-n // s), 'That is the size with "SAME" padding; here kernel and padding are given.'),
        (lambda n, k, s, p: n // s, "A stride of s does divide by s, but kernel and padding count, too."),
        (
            lambda n, k, s, p: (n + 2 * p - k) / s,
            "You counted the moves, not the places, and the last, incomplete move is not made: round down, then add 1.",
        ),
        (
            lambda n, k, s, p: round((n + 2 * p - k) / s) + 1,
            "You rounded to the nearest: the last, incomplete move is not made. Round down.",
        ),
        (
            lambda n, k, s, p: (n + 2 * p - k + 1) // s,
            "The 1 stands inside the division. First divide, which counts the moves; then add the place it began at.",
        ),
        (lambda n, k, s, p: (n - k) // s + 1, "The padding is missing: the row has p more numbers at each end."),
        (
            lambda n, k, s, p: n + 2 * p - k + 1,
            "The stride is missing: these are the places of a kernel that moves by 1.",
        ),
        (
            lambda n, k, s, p: (n - 1) * s - 2 * p + k,
            "This is the *transposed* convolution's size: it grows where a convolution shrinks.",
        ),
    ]
    _check_formula(size, "convolved_size", SIZES, _places, mistakes)
    return "A 5x5 kernel with stride 2 and padding 2 takes 28 to 14, and 14 to 7: DCGAN's discriminator."


convolved_size = Exercise(
    name="convolved_size",
    goal="How long is the result of a convolution: of n numbers, with a kernel of k, a stride and p zeros at each end?",
    stub='''
def convolved_size(n, kernel, stride, padding):
    """Four whole numbers come in, one goes out. convolved_size(28, 5, 2, 2) is 14."""
    return ...
''',
    hints=(
        "How long is the row after padding? At which start does the kernel still fit? How many starts are there?",
        "floor((n + 2 padding - kernel) / stride) + 1",
        "    room = n + 2 * padding - kernel    # how far the kernel can move\n"
        "    return (moves that fit into room, rounded down) + 1",
    ),
    solution="""
def convolved_size(n, kernel, stride, padding):
    return (n + 2 * padding - kernel) // stride + 1
""",
    check=check_convolved_size,
    also_right=(
        """
def convolved_size(n, kernel, stride, padding):
    return len(range(0, n + 2 * padding - kernel + 1, stride))
""",
        """
def convolved_size(n, kernel, stride, padding):
    return float(np.floor((n + 2 * padding - kernel) / stride) + 1)
""",
        """
def convolved_size(n, kernel, stride, padding):
    x, w = jnp.zeros((1, n, 1)), jnp.zeros((kernel, 1, 1))
    sides = ("NHC", "HIO", "NHC")
    return jax.lax.conv_general_dilated(x, w, (stride,), [(padding, padding)], dimension_numbers=sides).shape[1]
""",
    ),
    tempting=(
        Tempting(
            """
def convolved_size(n, kernel, stride, padding):
    return (n + 2 * padding - kernel) // stride
""",
            "counted the moves",
        ),
        Tempting(
            """
def convolved_size(n, kernel, stride, padding):
    return (n + padding - kernel) // stride + 1
""",
            "*both* ends",
        ),
        Tempting(
            """
def convolved_size(n, kernel, stride, padding):
    return (n + 2 * padding - kernel) / stride + 1
""",
            "Round down",
        ),
        Tempting(
            """
def convolved_size(n, kernel, stride, padding):
    return int(np.ceil((n + 2 * padding - kernel) / stride)) + 1
""",
            "rounded up",
        ),
        Tempting(
            """
def convolved_size(n, kernel, stride, padding):
    return n // stride
""",
            "kernel and padding count",
        ),
        Tempting(
            """
def convolved_size(n, kernel, stride, padding):
    return 14
""",
            "squared paper",
        ),
    ),
)


# ---- the size after a transposed convolution ----

TRANSPOSED = [(7, 5, 2, 2), (7, 4, 2, 1), (14, 5, 2, 0), (1, 4, 1, 0), (4, 3, 3, 1), (5, 6, 2, 3)]


def _written(n: int, kernel: int, stride: int, padding: int) -> int:
    """Count the places that n kernels are written to, less those cut off at both ends."""
    return len({i * stride + j for i in range(n) for j in range(kernel)}) - 2 * padding


def check_transposed_size(size):
    mistakes = [
        (lambda n, k, s, p: n * s, 'That is the size with "SAME" padding; here kernel and padding are given.'),
        (
            lambda n, k, s, p: n * s - 2 * p + k,
            "Between n kernels there are n - 1 strides, not n.",
        ),
        (
            lambda n, k, s, p: (n - 1) * s + 2 * p + k,
            "Padding of the *forward* convolution: here it is cut off at both ends, so it makes the result shorter.",
        ),
        (
            lambda n, k, s, p: (n - 1) * s - p + k,
            "The padding is cut off at *both* ends.",
        ),
        (
            lambda n, k, s, p: (n + 2 * p - k) // s + 1,
            "This is the convolution's size; its transpose goes the other way, and grows.",
        ),
        (lambda n, k, s, p: (n - 1) * s - 2 * p, "The last kernel is k long as well: its cells are missing."),
        (lambda n, k, s, p: (n - 1) * s + k, "The padding is missing: p cells are cut off at each end."),
        (
            lambda n, k, s, p: n * k - 2 * p,
            "That is n kernels laid end to end. They begin only a stride apart, so they overlap.",
        ),
        (lambda n, k, s, p: (n - 1) * s + k - 2 * p + 1, "One too many: from cell 0 to cell (n - 1) s + k - 1."),
        (
            lambda n, k, s, p: n * s + 2 * p - k,
            "The signs are turned: the kernel adds cells, the padding takes them off.",
        ),
    ]
    _check_formula(size, "transposed_size", TRANSPOSED, _written, mistakes)
    return 'With kernel 5, stride 2 and padding 2 the 7 becomes 13, not 14: hence "output padding", or kernel 4.'


transposed_size = Exercise(
    name="transposed_size",
    goal="How long is the result of a transposed convolution of n numbers: kernel k, stride s, and p cells cut off at "
    "each end (the padding of the convolution that it transposes)?",
    stub='''
def transposed_size(n, kernel, stride, padding):
    """Four whole numbers come in, one goes out. transposed_size(7, 4, 2, 1) is 14."""
    return ...
''',
    hints=(
        "Each of the n numbers writes a whole kernel. Where does the first one begin, and where does the last one end?",
        "(n - 1) stride + kernel - 2 padding",
        "    last_start = stride times (n - 1)\n    written = last_start + kernel\n    return written less both ends",
    ),
    solution="""
def transposed_size(n, kernel, stride, padding):
    return (n - 1) * stride + kernel - 2 * padding
""",
    check=check_transposed_size,
    also_right=(
        """
def transposed_size(n, kernel, stride, padding):
    written = np.zeros((n - 1) * stride + kernel)
    return len(written[padding : len(written) - padding])
""",
        """
def transposed_size(n, kernel, stride, padding):
    return next(m for m in range(1, 10_000) if (m + 2 * padding - kernel) / stride + 1 == n)
""",
    ),
    tempting=(
        Tempting(
            """
def transposed_size(n, kernel, stride, padding):
    return n * stride
""",
            "SAME",
        ),
        Tempting(
            """
def transposed_size(n, kernel, stride, padding):
    return n * stride + kernel - 2 * padding
""",
            "n - 1 strides",
        ),
        Tempting(
            """
def transposed_size(n, kernel, stride, padding):
    return (n - 1) * stride + kernel + 2 * padding
""",
            "shorter",
        ),
        Tempting(
            """
def transposed_size(n, kernel, stride, padding):
    return (n + 2 * padding - kernel) // stride + 1
""",
            "goes the other way",
        ),
        Tempting(
            """
def transposed_size(n, kernel, stride, padding):
    return (n - 1) * stride - 2 * padding
""",
            "k long as well",
        ),
    ),
)


# ---- the sides of a generator's layers ----

IMAGES = {
    28: [7, 14, 28],
    32: [4, 8, 16, 32],
    64: [4, 8, 16, 32, 64],
    24: [3, 6, 12, 24],
    20: [5, 10, 20],
    16: [4, 8, 16],
    9: [9],
}


def check_generator_sides(sides):
    found = {}
    for image in IMAGES:
        found[image] = to_array(sides(image), f"generator_sides({image})", None).tolist()
        if not isinstance(found[image], list):
            raise Wrong(f"generator_sides({image}) should be a list of sides; yours is {found[image]:g}.")
    for image, right in IMAGES.items():
        if found[image] != right:
            raise Wrong(
                f"generator_sides({image}) is {[int(side) for side in found[image]]}; it should be {right}. "
                f"{_why_sides(found[image], right, image)}"
            )
    return "28 begins at 7 and doubles twice, 32 at 4 and three times: a generator is built backwards from the image."


def _why_sides(found: list[float], right: list[int], image: int) -> str:
    if found == right[::-1]:
        return "In the generator's order: from the smallest to the image."
    if not found:
        return "The image's own side is missing."
    if found[-1] != image:
        if found == right[:-1]:
            return "The image's own side is missing: the last layer's result is the image."
        return (
            f"Its last side is {found[-1]:g}, and a discriminator for {image} takes no other image than {image}: begin "
            "at the image and halve."
        )
    if any(side != int(side) for side in found):
        return "A side must be a whole number: halve only while it is even."
    if 4 in found[1:]:
        return "It halves a side of 4: stop there."
    if found == right[-len(found) :]:
        return f"It stops too early: {found[0]:g} is even and more than 4, so halve once more."
    odd = [whole for half, whole in itertools.pairwise(found) if whole == 2 * half + 1]
    if odd:
        return f"{odd[-1]:g} is odd, and the double of {odd[-1] // 2:g} is {odd[-1] - 1:g}: halve even sides only."
    return "Halve while the side is even and more than 4."


generator_sides = Exercise(
    name="generator_sides",
    goal="Plan a generator: the sides of its feature maps, from the smallest to the image, each the double of the one "
    "before. Begin as small as halving allows; a side of 4 is not halved.",
    stub='''
def generator_sides(image):
    """The image's side comes in; the list of sides goes out. generator_sides(28) is [7, 14, 28]."""
    return ...
''',
    hints=(
        "Plan it backwards: from the image's side downwards, then turn the list round.",
        "image, image/2, image/4, ... while the side is even and more than 4; reversed.",
        "    sides = [image]\n    while the first side is even and > 4:\n        put the half in front\n"
        "    return sides",
    ),
    solution="""
def generator_sides(image):
    sides = [image]
    while sides[0] % 2 == 0 and sides[0] > 4:
        sides = [sides[0] // 2, *sides]
    return sides
""",
    check=check_generator_sides,
    also_right=(
        """
def generator_sides(image):
    return [*generator_sides(image // 2), image] if image > 4 and image % 2 == 0 else [image]
""",
        """
def generator_sides(image):
    halvings = 0
    while image % 2 ** (halvings + 1) == 0 and image > 4 * 2**halvings:
        halvings += 1
    return image // 2 ** np.arange(halvings, -1, -1)
""",
    ),
    tempting=(
        Tempting(
            """
def generator_sides(image):
    return [7 * 2**i for i in range(4)]
""",
            "takes no other image than 28",
        ),
        Tempting(
            """
def generator_sides(image):
    return [image // 4, image // 2, image]
""",
            "more than 4",
        ),
        Tempting(
            """
def generator_sides(image):
    sides = [image]
    while sides[-1] % 2 == 0 and sides[-1] > 4:
        sides.append(sides[-1] // 2)
    return sides
""",
            "generator's order",
        ),
        Tempting(
            """
def generator_sides(image):
    sides = []
    while image % 2 == 0 and image > 4:
        image = image // 2
        sides = [image, *sides]
    return sides
""",
            "own side is missing",
        ),
        Tempting(
            """
def generator_sides(image):
    sides = [image]
    while sides[0] % 2 == 0:
        sides = [sides[0] // 2, *sides]
    return sides
""",
            "stop there",
        ),
    ),
)


# ---- how often each cell is written to ----

OVERLAPS = [(4, 3, 2), (5, 5, 2), (5, 4, 2), (3, 6, 3), (4, 2, 3), (6, 3, 1)]


def _overlaps(n: int, kernel: int, stride: int) -> np.ndarray:
    counts = np.zeros((n - 1) * stride + kernel)
    for i in range(n):
        counts[i * stride : i * stride + kernel] += 1
    return counts


def _reached(n: int, kernel: int, stride: int, reach: range) -> list[int]:
    """Count the kernels that reach each cell, by another rule of how far a cell may lie from a kernel's first."""
    return [sum(j - i * stride in reach for i in range(n)) for j in range((n - 1) * stride + kernel)]


def _read_counts(n: int, kernel: int, stride: int) -> np.ndarray:
    """How many windows of a convolution read each cell: cells the right way, sizes the wrong one."""
    counts = np.zeros(n)
    for start in range(0, n - kernel + 1, stride):
        counts[start : start + kernel] += 1
    return counts


def check_overlap_counts(counts):
    for case in OVERLAPS:
        n, kernel, stride = case
        what = f"overlap_counts{case}"
        found, right = to_array(counts(*case), what, None), _overlaps(*case)
        if found.shape == (n * stride,) and len(right) != n * stride:
            raise Wrong(
                f'{what} has {n * stride} cells: that is "SAME" padding. Keep all {len(right)} that are written.'
            )
        mistakes: list[tuple[Any, str]] = [
            (np.convolve(np.ones(n), np.ones(kernel)), "The stride is missing: your kernels begin at every cell."),
            (_read_counts(*case), "You counted how often a *convolution* reads each input; count what is written."),
            (right > 0, "Count how many kernels reach a cell, not whether one does."),
            *(
                (np.full(len(right), even), "kernel / stride is the mean; count cell by cell, also at the ends.")
                for even in (-(-kernel // stride), kernel // stride, kernel / stride)
            ),
            (
                _reached(*case, range(kernel + 1)),
                "Each kernel reaches one cell too far: its last cell is its first plus kernel - 1.",
            ),
            (_reached(*case, range(1, kernel)), "The cell in which each kernel begins is missing."),
            (
                [kernel // stride + (j % stride < kernel % stride) for j in range(len(right))],
                "Right in the middle; near the two ends fewer kernels reach.",
            ),
            (_overlaps(kernel, n, stride), "n and kernel are exchanged: n kernels, each `kernel` cells long."),
        ]
        if found.shape != right.shape:
            reasons = [why for value, why in mistakes if np.shape(value) == found.shape and np.allclose(found, value)]
            why = reasons[0] if reasons else f"The first kernel begins at 0, the last at {(n - 1) * stride}."
            raise Wrong(f"{what} should have {len(right)} cells; yours has shape {found.shape}. {why}")
        mistakes = [(value, why) for value, why in mistakes if np.shape(value) == right.shape]
        shown, wanted = (" ".join(f"{count:g}" for count in counts) for counts in (found.ravel(), right))
        rows = f"It is {shown}, and should be {wanted}: n rows of ones, each shifted by the stride."
        expect(found, right, what, mistakes, otherwise=rows)
    return "Where the stride divides the kernel, all inner cells are equal; 5 / 2 makes them 3, 2, 3, 2, ..."


overlap_counts = Exercise(
    name="overlap_counts",
    goal="How many of n kernels, each `kernel` long and beginning `stride` after the one before, are written to each "
    "cell of the result?",
    stub='''
def overlap_counts(n, kernel, stride):
    """Counts of all (n - 1) stride + kernel cells go out. overlap_counts(3, 3, 2) is [1, 1, 2, 1, 2, 1, 1]."""
    return ...
''',
    hints=(
        "Begin with zeros. Input i writes to `kernel` cells after each other; where do they begin?",
        "counts[j] = number of i with i stride <= j < i stride + kernel",
        "    counts = zeros of length (n - 1) * stride + kernel\n    for each i: add 1 to the cells from i * stride to "
        "i * stride + kernel\n    return counts",
    ),
    solution="""
def overlap_counts(n, kernel, stride):
    counts = np.zeros((n - 1) * stride + kernel)
    for i in range(n):
        counts[i * stride : i * stride + kernel] += 1
    return counts
""",
    check=check_overlap_counts,
    also_right=(
        """
def overlap_counts(n, kernel, stride):
    spread = np.zeros((n - 1) * stride + 1)
    spread[::stride] = 1
    return np.convolve(spread, np.ones(kernel))
""",
        """
def overlap_counts(n, kernel, stride):
    starts, cells = jnp.arange(n) * stride, jnp.arange((n - 1) * stride + kernel)
    return ((cells[:, None] >= starts) & (cells[:, None] < starts + kernel)).sum(axis=1)
""",
    ),
    tempting=(
        Tempting(
            """
def overlap_counts(n, kernel, stride):
    return np.convolve(np.ones(n), np.ones(kernel))
""",
            "stride is missing",
        ),
        Tempting(
            """
def overlap_counts(n, kernel, stride):
    return np.full((n - 1) * stride + kernel, -(-kernel // stride))
""",
            "is the mean",
        ),
        Tempting(
            """
def overlap_counts(n, kernel, stride):
    spread = np.zeros(n * stride)
    spread[::stride] = 1
    return np.convolve(spread, np.ones(kernel), mode="same")
""",
            "SAME",
        ),
        Tempting(
            """
def overlap_counts(n, kernel, stride):
    counts = np.zeros((n - 1) * stride + kernel)
    for i in range(n):
        counts[i * stride : i * stride + kernel] = 1
    return counts
""",
            "not whether",
        ),
    ),
)


# ---- real images in the generator's range ----


OVERFLOW = "Bytes overflow: in uint8, 2 * 200 is 144, and 0 - 1 is 255. Turn them into floats before you calculate."


def check_to_tanh_range(convert):
    bytes_16 = np.array([[0, 4, 8], [12, 15, 16]], np.uint8)
    bytes_255 = np.array([0, 51, 127, 128, 200, 255], np.uint8)
    for images, peak in ((bytes_255, 255), (bytes_16, 16)):
        exact = images.astype(np.float64)
        right, half = 2 * exact / peak - 1, exact / peak
        with np.errstate(over="ignore"):
            wrapped = ((2 * images) - np.uint8(peak)) / peak, (2 * images) / peak - 1, (images - np.uint8(peak)) / peak
        known = [
            (half, "It lies in [0, 1], and tanh in [-1, 1]: the paper's background is -1 for G, and would be 0 here."),
            (exact / 127.5 - 1, "127.5 is right for a peak of 255 only; the peak is an argument."),
            (exact / 255, "It lies in [0, 1], and 255 is not every set's peak."),
            ((exact - exact.mean()) / exact.std(), "Standardised pixels leave [-1, 1]: no tanh can draw them."),
            (exact / exact.max() - 0.5, "It is [-0.5, 0.5]: tanh reaches twice as far."),
            (-right, "Black and white are exchanged."),
            (right / 2 - 0.5, "It runs from -1 to 0: [0, peak] is to be stretched to a length of 2."),
            (2 * half - 0.5, "It runs from -0.5 to 1.5: shift by 1, so that 0 becomes -1."),
            *(
                (value, "tanh, or a cut at 1, makes nearly every grey white. Stretch the range evenly.")
                for value in (np.tanh(exact), np.clip(exact, -1, 1))
            ),
            (np.tanh(half), "tanh is G's own last layer. Stretch the data to its range; don't send them through it."),
            (
                2 * (exact // peak) - 1,
                "`//` throws away what is behind the point: of all greys black and white are left.",
            ),
            *((value, OVERFLOW) for value in wrapped),
        ]
        result = convert(images, peak)
        found = to_array(result, "the result", images.shape)
        if np.asarray(result).dtype == np.uint8:
            raise Wrong(f"The result is still bytes, which know no -1. {OVERFLOW}")
        few = [f"{value:.3g}" for value in found.ravel()[[0, -1]]]
        dark = exact < 128
        if (
            not dark.all()
            and np.allclose(found[dark], right[dark], atol=1e-3)
            and not np.allclose(found, right, atol=1e-3)
        ):
            raise Wrong(f"Dark pixels are right, bright ones not: {OVERFLOW}")
        ends = f"0 should become -1 and the peak 1; yours become {few[0]} and {few[1]}, or go wrong between."
        expect(found, right, f"the result for a peak of {peak}", known, otherwise=ends)
    # every batch by the same rule: a scale taken from the batch itself would change from batch to batch
    dark = np.array([0, 100], np.uint8)
    expect(
        convert(dark, 255),
        2 * dark.astype(float) / 255 - 1,
        "a dark batch",
        otherwise="Scale by the peak, not by the largest pixel at hand: batches would differ.",
    )
    return "0 becomes -1 and the peak +1: just what tanh can reach."


to_tanh_range = Exercise(
    name="to_tanh_range",
    goal="Bring real images to the range of G's tanh: bytes from 0 to `peak` become floats from -1 to 1.",
    stub='''
def to_tanh_range(images, peak):
    """Bytes (uint8) of any shape come in; floats of the same shape go out. A peak of 16: 0, 8, 16 give -1, 0, 1."""
    return ...
''',
    hints=(
        "Floats first: the type uint8 ends at 255. Then stretch [0, peak] to a length of 2, and shift it.",
        "x -> 2 x / peak - 1",
        "    floats = images as float32\n    return 2 * floats / peak - 1",
    ),
    solution="""
def to_tanh_range(images, peak):
    return 2 * np.asarray(images, np.float32) / peak - 1
""",
    check=check_to_tanh_range,
    also_right=(
        """
def to_tanh_range(images, peak):
    return (jnp.asarray(images, jnp.float32) - peak / 2) / (peak / 2)
""",
        """
def to_tanh_range(images, peak):
    return images / peak * 2 - 1
""",
        """
def to_tanh_range(images, peak):
    return np.interp(images, [0, peak], [-1, 1])
""",
    ),
    tempting=(
        Tempting(
            """
def to_tanh_range(images, peak):
    return images / peak
""",
            "lies in [0, 1]",
        ),
        Tempting(
            """
def to_tanh_range(images, peak):
    return images / 127.5 - 1
""",
            "peak is an argument",
        ),
        Tempting(
            """
def to_tanh_range(images, peak):
    return (2 * images - peak) / peak
""",
            "overflow",
        ),
        Tempting(
            """
def to_tanh_range(images, peak):
    return (images - images.mean()) / images.std()
""",
            "leave [-1, 1]",
        ),
        Tempting(
            """
def to_tanh_range(images, peak):
    return 2 * images.astype(np.float32) / images.max() - 1
""",
            "largest pixel at hand",
        ),
    ),
)


# ---- batch norm ----

_RNG = np.random.default_rng(7)
_FEATURES = (_RNG.normal(size=(6, 4, 4, 2)) * np.array([0.5, 3.0]) + np.array([1.0, -2.0])).astype(np.float32)
_RUNNING = np.array([0.5, -1.0], np.float32), np.array([1.0, 4.0], np.float32)


def _running() -> tuple[np.ndarray, np.ndarray]:
    """Running averages that a learner's code may change in place."""
    mean, variance = _RUNNING
    return mean.copy(), variance.copy()


def _normalised(x: np.ndarray, mean: Any, variance: Any, epsilon: float = 1e-5) -> np.ndarray:
    return (x - mean) / np.sqrt(variance + epsilon)


def _pair_of(result: Any) -> tuple[Any, Any, Any]:
    try:
        y, (mean, variance) = result
    except (TypeError, ValueError):
        raise Wrong("Return a pair: the normalised features, and (running mean, running variance).") from None
    return y, mean, variance


def check_batch_norm(norm):
    x, (mean, variance) = _FEATURES.astype(np.float64), (np.float64(row) for row in _RUNNING)
    of = lambda axes: (x.mean(axes, keepdims=True), x.var(axes, keepdims=True))  # noqa: E731
    batch_mean, batch_variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    kept = mean, variance

    y, new_mean, new_variance = _pair_of(norm(_FEATURES.copy(), _running(), True))
    close: dict[str, Any] = {
        "tolerance": 2e-2
    }  # whoever divides by n - 1, or adds another small epsilon, is right as well
    mistakes = [
        (
            _normalised(x, *of(0)),
            "You took the mean over the batch alone: a channel's mean is over all positions, too.",
        ),
        (_normalised(x, *of((1, 2))), "You normalised each image by itself: that is instance norm."),
        (_normalised(x, *of((1, 2, 3))), "You normalised each image by itself: that is layer norm."),
        (_normalised(x, *of((0, 1, 2, 3))), "One mean for all channels: each channel has its own."),
        *(
            (
                _normalised(x, *running),
                "While it trains, it takes the batch's own mean and variance, not the running ones.",
            )
            for running in (kept, (0.9 * mean + 0.1 * batch_mean, 0.9 * variance + 0.1 * batch_variance))
        ),
        (_normalised(x, batch_mean, batch_variance, 0.8), "0.8 as epsilon is meant as a momentum: epsilon is tiny."),
        (x - batch_mean, "The deviation is missing: divide by it."),
        ((x - batch_mean) / (batch_variance + 1e-5), "Divide by the deviation, the *root* of the variance."),
    ]
    expect(y, _normalised(x, batch_mean, batch_variance), "the normalised x while it trains", mistakes, **close)

    swapped = "The weights are exchanged: the running mean keeps 0.9 of itself and takes 0.1 of the batch's."
    unchanged = "It has not moved: while it trains, 0.1 of the batch's goes in."
    expect(
        new_mean,
        0.9 * mean + 0.1 * batch_mean,
        "the running mean",
        [(0.1 * mean + 0.9 * batch_mean, swapped), (mean, unchanged), (batch_mean, "It forgot all before this batch.")],
        **close,
    )
    deviation = 0.9 * variance + 0.1 * np.sqrt(batch_variance)
    expect(
        new_variance,
        0.9 * variance + 0.1 * batch_variance,
        "the running variance",
        [
            (0.1 * variance + 0.9 * batch_variance, swapped),
            (variance, unchanged),
            (deviation, "That holds deviations, the roots; average the variance."),
        ],
        **close,
    )

    y, new_mean, new_variance = _pair_of(norm(_FEATURES.copy(), _running(), False))
    own = "In evaluation mode it used the batch's own numbers: a sample would depend on its batch mates."
    expect(
        y,
        _normalised(x, *kept),
        "the normalised x in evaluation mode",
        [(_normalised(x, batch_mean, batch_variance), own)],
        otherwise="In evaluation mode: (x - running mean) / sqrt(running variance).",
        **close,
    )
    moved = "In evaluation mode the running numbers stay as they are."
    for value, right, what in ((new_mean, mean, "mean"), (new_variance, variance, "variance")):
        expect(value, right, f"the running {what} in evaluation mode", otherwise=moved)
    return "In evaluation mode each sample is treated by itself. While it trains, none is."


batch_norm = Exercise(
    name="batch_norm",
    goal="Normalise each channel: while it trains by the batch's mean and variance, in evaluation mode by running "
    "averages; and keep these averages.",
    stub='''
def batch_norm(x, running, training):
    """Features (n, height, width, channels), running (mean, variance), each (channels,), and True or False come in.

    The normalised features and the new (mean, variance) go out. The running averages keep 0.9 of themselves.
    """
    return ...
''',
    hints=(
        "Which axes does a channel's mean go over? And what may it depend on in evaluation mode?",
        "y = (x - m) / sqrt(v + 1e-5); m, v over the axes 0, 1, 2 while it trains, else the running ones. "
        "new = 0.9 old + 0.1 batch's",
        "    if training:\n        mean, variance = those of x over axes (0, 1, 2)\n        running = 0.9 of the old "
        "and 0.1 of these, for both\n    else:\n        mean, variance = running\n    return normalised x, running",
    ),
    solution="""
def batch_norm(x, running, training):
    mean, variance = running
    if training:
        mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        running = 0.9 * running[0] + 0.1 * mean, 0.9 * running[1] + 0.1 * variance
    return (x - mean) / np.sqrt(variance + 1e-5), running
""",
    check=check_batch_norm,
    also_right=(
        """
def batch_norm(x, running, training):
    flat = jnp.reshape(x, (-1, x.shape[-1]))
    batch = jnp.mean(flat, axis=0), jnp.var(flat, axis=0, ddof=1)
    mean, variance = batch if training else running
    kept = tuple(0.9 * old + 0.1 * new for old, new in zip(running, batch)) if training else running
    return (x - mean) * jax.lax.rsqrt(variance + 1e-3), kept
""",
        """
def batch_norm(x, running, training):
    norm = nnx.BatchNorm(x.shape[-1], momentum=0.9, use_bias=False, use_scale=False, rngs=nnx.Rngs(0))
    norm.mean[...], norm.var[...] = jnp.asarray(running[0]), jnp.asarray(running[1])
    y = norm(jnp.asarray(x), use_running_average=not training)
    return y, [norm.mean[...], norm.var[...]]
""",
    ),
    tempting=(
        Tempting(
            """
def batch_norm(x, running, training):
    mean, variance = running
    if training:
        mean, variance = x.mean(0), x.var(0)
        running = 0.9 * running[0] + 0.1 * mean.mean((0, 1)), 0.9 * running[1] + 0.1 * variance.mean((0, 1))
    return (x - mean) / np.sqrt(variance + 1e-5), running
""",
            "over all positions",
        ),
        Tempting(
            """
def batch_norm(x, running, training):
    mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5), running
""",
            "instance norm",
        ),
        Tempting(
            """
def batch_norm(x, running, training):
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    if training:
        running = 0.9 * running[0] + 0.1 * mean, 0.9 * running[1] + 0.1 * variance
    return (x - mean) / np.sqrt(variance + 1e-5), running
""",
            "batch mates",
        ),
        Tempting(
            """
def batch_norm(x, running, training):
    mean, variance = running
    if training:
        mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        running = 0.1 * running[0] + 0.9 * mean, 0.1 * running[1] + 0.9 * variance
    return (x - mean) / np.sqrt(variance + 1e-5), running
""",
            "weights are exchanged",
        ),
        Tempting(
            """
def batch_norm(x, running, training):
    mean, variance = running
    if training:
        mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        running = 0.9 * running[0] + 0.1 * mean, 0.9 * running[1] + 0.1 * variance
    return (x - mean) / np.sqrt(variance + 0.8), running
""",
            "meant as a momentum",
        ),
        Tempting(
            """
def batch_norm(x, running, training):
    batch = x.mean((0, 1, 2)), x.var((0, 1, 2))
    mean, variance = batch if training else running
    running = 0.9 * running[0] + 0.1 * batch[0], 0.9 * running[1] + 0.1 * batch[1]
    return (x - mean) / np.sqrt(variance + 1e-5), running
""",
            "stay as they are",
        ),
    ),
)


# ---- a transposed convolution without overlaps: two convolutions, interleaved ----


def _transposed(x: Any, kernel: Any, stride: int = 2) -> np.ndarray:
    full = np.zeros((len(x) - 1) * stride + len(kernel))
    for i, value in enumerate(x):
        full[i * stride : i * stride + len(kernel)] += value * kernel
    return full


def check_subpixel(function):
    rng = np.random.default_rng(3)
    for n in (5, 8):
        x, w = rng.normal(size=n).astype(np.float32), rng.normal(size=4).astype(np.float32)
        full = _transposed(np.float64(x), np.float64(w))
        even, odd = np.convolve(x, w[0::2]), np.convolve(x, w[1::2])
        known = [
            (np.stack([odd, even], 1).ravel(), "The two rows are interleaved the wrong way round."),
            (np.concatenate([even, odd]), "The two rows stand after each other; they belong in turn: even, odd, even."),
            (
                np.stack([np.convolve(x, w[:2]), np.convolve(x, w[2:])], 1).ravel(),
                "You cut the kernel into halves; the even cells are written by its taps 0 and 2, the odd by 1 and 3.",
            ),
            (
                np.stack([np.convolve(x, w[0::2][::-1]), np.convolve(x, w[1::2][::-1])], 1).ravel(),
                "The taps are turned round: `np.convolve` already writes kernels, as a transposed convolution does.",
            ),
        ]
        expect(function(x, w), full, f"the result of {n} numbers", known, otherwise="Compare it for x = [1, 0, 0].")
    return "This is the sub-pixel form: each cell is written once, by the one convolution that it belongs to."


subpixel = Exercise(
    name="subpixel",
    goal="Write the transposed convolution of stride 2 with a kernel of 4 as two plain convolutions whose results are "
    "interleaved.",
    stub='''
def subpixel(x, kernel):
    """n numbers and a kernel of 4 come in; 2 n + 2 numbers go out, equal to the transposed convolution, stride 2."""
    return ...
''',
    hints=(
        "Which taps of the kernel ever reach an even cell? Which an odd one?",
        "even cells: x * (w0, w2), odd cells: x * (w1, w3), each a full `np.convolve`",
        "    even = convolve x with kernel taps 0 and 2\n    odd = convolve x with taps 1 and 3\n"
        "    return even[0], odd[0], even[1], odd[1], ...",
    ),
    solution="""
def subpixel(x, kernel):
    even, odd = np.convolve(x, kernel[0::2]), np.convolve(x, kernel[1::2])
    return np.stack([even, odd], axis=1).reshape(-1)
""",
    check=check_subpixel,
    also_right=(
        """
def subpixel(x, kernel):
    result = np.zeros(2 * len(x) + 2)
    for phase in (0, 1):
        result[phase::2] = np.convolve(x, kernel[phase::2])
    return result
""",
        """
def subpixel(x, kernel):
    rows = [jnp.convolve(x, kernel[phase::2]) for phase in range(2)]
    return jnp.asarray(rows).T.ravel()
""",
    ),
    tempting=(
        Tempting(
            """
def subpixel(x, kernel):
    return np.concatenate([np.convolve(x, kernel[0::2]), np.convolve(x, kernel[1::2])])
""",
            "after each other",
        ),
        Tempting(
            """
def subpixel(x, kernel):
    return np.stack([np.convolve(x, kernel[:2]), np.convolve(x, kernel[2:])], axis=1).reshape(-1)
""",
            "into halves",
        ),
        Tempting(
            """
def subpixel(x, kernel):
    return np.stack([np.convolve(x, kernel[1::2]), np.convolve(x, kernel[0::2])], axis=1).reshape(-1)
""",
            "wrong way round",
        ),
    ),
    stretch=True,
)


QUIZ = (
    Question(
        "not_an_inverse",
        "A strided convolution takes 28 numbers to 14, its transposed convolution 14 to 28. Is the second the inverse "
        "of the first?",
        (
            Choice(
                "Yes: it is also called deconvolution.",
                "the name is a mistake: 14 numbers can't hold what 28 did. Sizes go back, values don't.",
            ),
            Choice(
                "No: it multiplies by the transposed matrix, not by the inverse.",
                "it writes where the convolution reads; it is the gradient of the convolution with respect to its "
                "input.",
                right=True,
            ),
            Choice(
                "Yes, if the kernel is learnt.",
                "learnt or not, 14 numbers can't hold 28: no kernel makes it an inverse.",
            ),
        ),
    ),
    Question(
        "which_kernel",
        "Upsampling with stride 3. Which kernel writes to all inner cells equally often?",
        (
            Choice("5, as in DCGAN.", "5 is no multiple of 3: some cells are written twice, others once."),
            Choice("4: even numbers are safe.", "even has nothing to do with it; 4 cells at stride 3 overlap by 1."),
            Choice("6.", "6 is a multiple of 3: every inner cell is written twice.", right=True),
        ),
    ),
    Question(
        "one_batch",
        "D has batch norm, and gets real and fake images mixed in one batch while it trains. What goes wrong?",
        (
            Choice(
                "Nothing: more images make better statistics.",
                "the statistics are those of the mixture; when G moves, D sees fakes alone, and they change.",
            ),
            Choice(
                "A real image's logit depends on the fakes beside it, and G meets another D than the one that was "
                "trained.",
                "with separate batches both players see fakes under the same statistics: the library does that.",
                right=True,
            ),
            Choice(
                "The gradient to G vanishes.", "it doesn't vanish; it is that of a D under statistics it never had."
            ),
        ),
    ),
    Question(
        "batch_mates",
        "You draw the same z twice with a trained G, once among 63 others, once among 3, and get two images. Why?",
        (
            Choice("The key was used twice.", "z is the same in both cases: no key is involved."),
            Choice(
                "G was left in training mode: batch norm used the batch's own mean and variance.",
                "in evaluation mode it uses the running averages, and a sample depends on its z alone.",
                right=True,
            ),
            Choice("Rounding in float32.", "rounding is some 1e-7; batch mates change pixels by percents."),
        ),
    ),
    Question(
        "rule_or_habit",
        "A rule of the DCGAN paper is switched off, and over five seeds the score gets better. What follows?",
        (
            Choice("The rule is wrong.", "it was found on other images, with deeper networks, other sizes and rates."),
            Choice(
                "At this size, with these images and steps, it doesn't help; for yours, measure it.",
                "a rule is a finding under a protocol: it travels only as far as it has been tested.",
                right=True,
            ),
            Choice("The five seeds were lucky.", "one might be; five beside each other, with their spread, count."),
        ),
    ),
)

LESSON = Source(
    name="07_dcgan",
    given=GIVEN,
    exercises=(
        convolved_size,
        transposed_size,
        generator_sides,
        overlap_counts,
        batch_norm,
        to_tanh_range,
        subpixel,
    ),
    quiz=QUIZ,
)
