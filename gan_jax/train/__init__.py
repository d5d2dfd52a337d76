"""A `Gan`, its `Hyperparams`, a target and a key come in; a trained `State` and the `History` of the game go out.

`Gan` holds what changes the program and is static; `Hyperparams` holds what may change while it runs and is traced,
so moving a dial never compiles again and sweeping it is a `vmap`. Randomness is a function of `(key, step)`.
"""

from .devices import mesh, place
from .game import init, step
from .hyperparams import RANGES, Hyperparams, dials
from .loops import advance, check, run, steps
from .memory import let_go
from .rules import LATENTS, OPTIMIZERS, PRECISIONS, UPDATES, Gan
from .stages import Stages, Update, stages
from .states import RISING, History, State, join, judge
from .sweeps import Sweep, sweep, sweep_plan

__all__ = [
    "LATENTS",
    "OPTIMIZERS",
    "PRECISIONS",
    "RANGES",
    "RISING",
    "UPDATES",
    "Gan",
    "History",
    "Hyperparams",
    "Stages",
    "State",
    "Sweep",
    "Update",
    "advance",
    "check",
    "dials",
    "init",
    "join",
    "judge",
    "let_go",
    "mesh",
    "place",
    "run",
    "stages",
    "step",
    "steps",
    "sweep",
    "sweep_plan",
]
