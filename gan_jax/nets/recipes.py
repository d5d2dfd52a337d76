"""Fields of a recipe come in; the recipe goes out: hashable, and shown as the call that makes it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Array, Float


@dataclass(frozen=True, repr=False)
class ImageRecipe:
    """A recipe of an image network. `repr` is Python: the call of its maker, with what differs from the defaults.

    Attributes:
        image_shape: (height, width, channels) of the images that it makes or judges.
        width: channels of the layer nearest to the image.
        classes: labels that it is told; 0 for none.
    """

    image_shape: tuple[int, int, int]
    width: int
    classes: int

    @staticmethod
    def maker() -> Callable[..., Any]:
        """The function that makes such recipes; its parameters are fields."""
        raise NotImplementedError

    @property
    def group(self) -> int:
        """Samples whose outputs depend on each other."""
        return 1

    @property
    def pixels(self) -> int:
        """Numbers an image."""
        return int(np.prod(self.image_shape))

    def as_images(self, x: Float[Array, "n ..."]) -> Float[Array, "n h w c"]:
        """Samples as images, flat or not, or an error that names both shapes."""
        if x.ndim < 2 or int(np.prod(x.shape[1:])) != self.pixels:
            raise ValueError(
                f"this network takes images of shape {self.image_shape}, or flat ones of {self.pixels} numbers; "
                f"a sample here has shape {x.shape[1:]}. Change its image_shape to fit the target's."
            )
        return x.reshape(len(x), *self.image_shape)

    def __repr__(self) -> str:
        maker, shown = self.maker(), []
        if getattr(self, "tutorial", False):
            return f"nets.{maker.__name__.replace('dcgan', 'tutorial')}()"
        for name, parameter in inspect.signature(maker).parameters.items():
            value = getattr(self, name)
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
                shown.append(repr(value))
            elif value != parameter.default:
                shown.append(f"{name}={value!r}")
        return f"nets.{maker.__name__}({', '.join(shown)})"
