"""A line typed in a shell comes in; a folder with a trained GAN, its pictures and its numbers goes out.

    python -m gan_jax presets
    python -m gan_jax train ring --folder runs/ring
    python -m gan_jax sample --folder runs/ring
    python -m gan_jax evaluate --folder runs/ring

`docs/command.md` says more.
"""

from .faults import Failed, WrongCall
from .line import main
from .presets import PRESETS, Preset
from .settings import Settings, choose
from .sources import SOURCES, Source

__all__ = ["PRESETS", "SOURCES", "Failed", "Preset", "Settings", "Source", "WrongCall", "choose", "main"]
