"""The name of some data comes in; a target goes out, or a clear word on why it cannot be had."""

import contextlib
import functools
import io
from collections.abc import Callable
from typing import NamedTuple

from .. import data
from ..data import Target
from ..errors import Menu
from .faults import Failed

MNIST_SIZE = 60_000


class Source(NamedTuple):
    """Where real samples come from.

    Attributes:
        make: makes the target; of images it takes `flat=`.
        about: what they are, in a few words.
        images: whether they are images.
    """

    make: Callable[..., Target]
    about: str
    images: bool = True


def _whole_mnist(*, flat: bool) -> Target:
    """MNIST whole, or not at all: a run that began on 5,000 images must not go on on 60,000."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        found = data.mnist(flat=flat)
    if len(found) < MNIST_SIZE:
        raise ConnectionError(said.getvalue().partition(", so these")[0].strip() or "MNIST cannot be downloaded")
    return found


SOURCES: Menu[Source] = Menu(
    "data",
    {
        "digits": Source(data.digits, "1,797 digits of 8x8, offline"),
        "mnist_5000": Source(data.mnist_5000, "5,000 digits of 28x28, offline"),
        "mnist": Source(_whole_mnist, "60,000 digits of 28x28, 10 MB to download"),
        "fashion_mnist": Source(data.fashion_mnist, "60,000 clothes of 28x28, 30 MB to download"),
        "cifar10": Source(data.cifar10, "50,000 photographs of 32x32 in colour, 170 MB to download"),
        **{
            name.replace(" ", "_"): Source(make, "points in the plane", images=False)
            for name, make in data.TARGETS.items()
        },
    },
)
"""Every data set and every target in the plane, by the name that `--data` takes."""


@functools.lru_cache(maxsize=2)
def target(name: str, *, flat: bool) -> Target:
    """Make a target.

    Args:
        name: in `SOURCES`.
        flat: images as vectors, as an MLP takes them.

    Raises:
        UnknownName: no data is named so.
        Failed: it cannot be downloaded, or what was downloaded is not what was published.

    >>> target("digits", flat=False).shape
    (8, 8, 1)
    """
    source = SOURCES[name]
    try:
        return source.make(flat=flat) if source.images else source.make()
    except ConnectionError as error:
        instead = "mnist_5000" if name == "mnist" else "digits or mnist_5000"
        raise Failed(f"{name} cannot be had: {error}. Without network take --data {instead}") from error
    except (OSError, ValueError) as error:
        raise Failed(f"{name} cannot be read: {error}") from error
