"""What a hand can move in the lab: dials, which slide, and choices, which are menus; how each looks."""

from typing import Any, NamedTuple

from ..errors import Menu


class Dial(NamedTuple):
    """How a field of `Hyperparams` looks as a slider. Its label and help are in `words/dials.json`.

    Attributes:
        scale: "linear"; "log"; "log or 0" and "log or none", logarithmic with 0 at the left, infinity at the right
            end; "near 1", logarithmic in 1 - value.
        low, high: values at the ends of the scale.
    """

    scale: str
    low: float
    high: float


DIALS: Menu[Dial] = Menu(
    "dial",
    {
        "lr_g": Dial("log or 0", 1e-5, 1e-1),
        "lr_d": Dial("log or 0", 1e-5, 1e-1),
        "beta1": Dial("linear", 0.0, 0.99),
        "beta2": Dial("near 1", 0.0, 0.9999),
        "penalty_weight": Dial("log or 0", 1e-3, 1e2),
        "instance_noise": Dial("linear", 0.0, 0.5),
        "noise_steps": Dial("log or none", 1e2, 1e5),
        "label_smoothing": Dial("linear", 0.0, 0.5),
        "weight_clip": Dial("log or none", 1e-3, 1e1),
        "ema_decay": Dial("near 1", 0.0, 0.9999),
        "auxiliary_weight": Dial("log or 0", 1e-3, 1e2),
    },
)
"""Every dial of `Hyperparams`, in the order in which they are shown."""

SAMPLES = Menu("kind of samples", {"generator": False, "average": True})
"""Whose samples are shown and scored: the generator's, or those of the running average of its weights."""

PLAYERS = Menu("player", {"both": {}, "discriminator": {"lr_g": 0.0}, "generator": {"lr_d": 0.0}})
"""Who learns, and the dials that hold the other still."""


class Choice(NamedTuple):
    """How a choice from a menu looks.

    Attributes:
        section: where it stands on the page: "game", "rules" or "networks".
        afresh: whether choosing begins again at step 0, because weights or an optimiser's memory take another shape.
    """

    section: str
    afresh: bool = False


CHOICES: Menu[Choice] = Menu(
    "choice",
    {
        "target": Choice("game"),
        "loss": Choice("game"),
        "penalty": Choice("game"),
        "optimizer": Choice("game", afresh=True),
        "update": Choice("game"),
        "players": Choice("game"),
        "samples": Choice("game"),
        "batch_size": Choice("rules"),
        "d_steps": Choice("rules"),
        "g_steps": Choice("rules"),
        "unrolled_steps": Choice("rules"),
        "packing": Choice("rules", afresh=True),
        "latent": Choice("networks"),
        "latent_dim": Choice("networks", afresh=True),
        **{
            f"{player}_{what}": Choice("networks", afresh=True)
            for player in "gd"
            for what in ("layers", "width", "activation", "normalisation")
        },
        "d_minibatch_stddev": Choice("networks", afresh=True),
    },
)
"""Every menu, in the order in which they are shown."""

PARTS = (
    "presets",
    "seed",
    "speed",
    "runs",
    "overview",
    "layers",
    "charts",
    "probe",
    "time",
    "draw",
    "share",
    "language",
)
"""What else a lesson may show or leave out."""

CONTROLS = Menu("control", dict.fromkeys([*CHOICES, *PARTS, *DIALS]))
"""All that `open(controls=[...])` may show beside the picture and the buttons."""


def as_json(dials: dict[str, float]) -> dict[str, Any]:
    """Dials for the page: JSON has no infinity, so none is null.

    >>> as_json({"lr_g": 0.5, "weight_clip": float("inf")})
    {'lr_g': 0.5, 'weight_clip': None}
    """
    return {name: None if value == float("inf") else value for name, value in dials.items()}
