"""What there is to see of each run comes in; one message for the page goes out: a header, and one block of bytes."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

KINDS: dict[str, np.dtype[Any]] = {"f4": np.dtype("<f4"), "u1": np.dtype("u1"), "i4": np.dtype("<i4")}
"""Kinds of numbers that travel, little-endian."""


class Frame(NamedTuple):
    """What there is to see of one run at one moment, as host copies.

    Attributes:
        header: plain JSON.
        arrays: by name; floats, bytes or whole numbers.
    """

    header: dict[str, Any]
    arrays: dict[str, np.ndarray]


def _kind(array: np.ndarray) -> str:
    kind = {"f": "f4", "u": "u1", "b": "u1", "i": "i4"}.get(array.dtype.kind)
    if kind is None:
        raise TypeError(f"only numbers travel to the page, got an array of {array.dtype}")
    return kind


def pack(frames: Sequence[Frame]) -> tuple[list[dict[str, Any]], bytes]:
    """Put frames into what a message carries.

    Args:
        frames: one a run.

    Returns:
        The runs' headers, each with "arrays": [[name, kind, shape], ...]; and all their numbers one array after the
        other, each padded to a multiple of 4 bytes.

    >>> header, block = pack([Frame({"step": 3}, {"fake": np.zeros((2, 2)), "surface": np.zeros(5, np.uint8)})])
    >>> header
    [{'step': 3, 'arrays': [['fake', 'f4', [2, 2]], ['surface', 'u1', [5]]]}]
    >>> len(block)
    24
    """
    runs, blocks = [], []
    for frame in frames:
        described = []
        for name, array in frame.arrays.items():
            array = np.asarray(array)
            kind = _kind(array)
            described.append([name, kind, list(array.shape)])
            block = array.astype(KINDS[kind]).tobytes()
            blocks.append(block + bytes(-len(block) % 4))
        runs.append({**frame.header, "arrays": described})
    return runs, b"".join(blocks)


def unpack(runs: Sequence[dict[str, Any]], block: bytes) -> list[Frame]:
    """Take a message apart again; the page's `decode` does the same.

    >>> frame = Frame({"step": 3}, {"fake": np.arange(4.0).reshape(2, 2)})
    >>> unpack(*pack([frame]))[0].arrays["fake"].tolist()
    [[0.0, 1.0], [2.0, 3.0]]
    """
    frames, at = [], 0
    for run in runs:
        arrays = {}
        for name, kind, shape in run["arrays"]:
            count = math.prod(shape)
            arrays[name] = np.frombuffer(block, KINDS[kind], count, at).reshape(shape)
            at += -(-count * KINDS[kind].itemsize // 4) * 4
        frames.append(Frame({name: value for name, value in run.items() if name != "arrays"}, arrays))
    return frames
