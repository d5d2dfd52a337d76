"""A GAN and a target in the plane come in; a live laboratory goes out: a widget whose dials answer while it trains.

`open` shows one run, `compare` up to four in lock step, `wall` many seeds of one GAN, `images` a GAN of images. What
they show and do, `Session` can without a page.
"""

from collections.abc import Mapping, Sequence

from .. import data
from ..train import Gan, Hyperparams
from . import sharing
from .code import Code
from .densities import SIDE
from .dials import CHOICES, CONTROLS, DIALS, PLAYERS, SAMPLES, Choice, Dial
from .frames import Frame, pack, unpack
from .images import IMAGE_CONTROLS, Images, ImageSession, images
from .layers import LAYERS, probe
from .measures import CHARTS, MEASURES
from .presets import PRESETS
from .replay import Replay, begin, record
from .session import BUDGET, POINTS, SHOWN, Curve, Session
from .still import still
from .wall import WALL_CONTROLS, Wall, WallSession, wall
from .widget import MOST_RUNS, Lab

__all__ = [
    "BUDGET",
    "CHARTS",
    "CHOICES",
    "CONTROLS",
    "DIALS",
    "IMAGE_CONTROLS",
    "LAYERS",
    "MEASURES",
    "MOST_RUNS",
    "PLAYERS",
    "POINTS",
    "PRESETS",
    "SAMPLES",
    "SHOWN",
    "SIDE",
    "WALL_CONTROLS",
    "Choice",
    "Code",
    "Curve",
    "Dial",
    "Frame",
    "ImageSession",
    "Images",
    "Lab",
    "Replay",
    "Session",
    "Wall",
    "WallSession",
    "compare",
    "images",
    "open",
    "pack",
    "probe",
    "record",
    "restore",
    "still",
    "unpack",
    "wall",
]


def open(
    gan: Gan | None = None,
    target: data.Target | None = None,
    hyper: Hyperparams | None = None,
    seed: int = 0,
    *,
    preset: str | None = None,
    controls: Sequence[str] | None = None,
    layers: Sequence[str] = SHOWN,
    charts: Sequence[str] = ("losses",),
    language: str | None = None,
    replay: Replay | bool | None = None,
) -> Lab:
    """Open a live laboratory on a GAN in the plane.

    Args:
        gan: the rules; two MLPs with two hidden layers of 64 when left out.
        target: a target of shape (2,); `data.ring(8)` when left out.
        hyper: the dials as they stand at first. With no gan and no hyper, D learns twice as fast as G.
        seed: from which all weights and noise follow.
        preset: name in `PRESETS` of a beginning, in the place of `gan`, `target`, `hyper`, `layers` and `charts`.
        controls: names in `CONTROLS` to show beside the buttons; all that can do something when left out.
        layers: what the picture shows at first.
        charts: what is drawn over time at first.
        language: "en" or "zh"; the page's own when left out.
        replay: a recording to begin with, or True to record 3,000 steps of this GAN first; the page trains live at the
            press of a button. False begins live. Left out, it is True on Google Colab, which may delay the messages
            of widgets, and False elsewhere.

    Returns:
        The widget: end a cell with it, and press Play. `lab.state` is the Python that brings its run back.

    Raises:
        ValueError: the target is not in the plane, a network does not fit it, a dial is no single number, or a preset
            is given together with what it replaces.
        UnknownName: a control that is not in `CONTROLS`, or a preset that is not in `PRESETS`.

    >>> from gan_jax import nets
    >>> lab = open(Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16), controls=["lr_g", "lr_d"])
    >>> lab.advance(5)
    >>> int(lab.session.game.step)
    5
    """
    session = Session(gan, target, hyper, seed)
    if preset is not None:
        if (gan, target, hyper) != (None, None, None):
            raise ValueError(f"the preset {preset!r} brings its own gan, target and hyper; give one or the other")
        begins = PRESETS[preset]
        session.take(begins)
        session.timeline.forget()
        layers, charts = begins.layers, (begins.chart,)
    live = Lab({"A": session}, controls, layers=layers, charts=charts, language=language, preset=preset)
    return begin(live, replay)


def compare(
    runs: Mapping[str, Gan | tuple[Gan, Hyperparams]],
    target: data.Target | None = None,
    seed: int = 0,
    *,
    controls: Sequence[str] | None = None,
    layers: Sequence[str] = SHOWN,
    charts: Sequence[str] = ("losses",),
    language: str | None = None,
    replay: Replay | bool | None = None,
) -> Lab:
    """Open a live laboratory on up to four GANs that train in lock step, from the same seed on the same target.

    One run of each says little: to tell two settings apart, count over seeds with `wall` or `train.sweep`.

    Args:
        runs: name to rules, or to rules and dials.
        target, seed, controls, layers, charts, language, replay: as for `open`.

    Returns:
        The widget; the dials move the run that is chosen on it, or all.

    Raises:
        ValueError: no run, or more than `MOST_RUNS`.

    >>> from gan_jax import nets
    >>> gan = Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16)
    >>> lab = compare({"slow D": (gan, Hyperparams(lr_d=1e-4)), "fast D": (gan, Hyperparams(lr_d=1e-2))})
    >>> lab.advance(5)
    >>> [int(session.game.step) for session in lab.sessions]
    [5, 5]
    """
    if not isinstance(runs, Mapping) or not 1 <= len(runs) <= MOST_RUNS:
        raise ValueError(f"runs must map 1 to {MOST_RUNS} names to GANs, got {runs!r}")
    sessions = {}
    for name, rules in runs.items():
        gan, hyper = rules if isinstance(rules, tuple) else (rules, None)
        sessions[str(name)] = Session(gan, target, hyper, seed)
    return begin(Lab(sessions, controls, layers=layers, charts=charts, language=language), replay)


def restore(
    text: str,
    *,
    controls: Sequence[str] | None = None,
    layers: Sequence[str] = SHOWN,
    charts: Sequence[str] = ("losses",),
    language: str | None = None,
) -> Lab:
    """Open a live laboratory on a run that was shared, trained to the step that it had then.

    Args:
        text: what `lab.share()`, or "Copy string" on the page, has given. It is read as data, and never evaluated.
        controls, layers, charts, language: as for `open`.

    Returns:
        The widget, with the whole run on its time bar.

    Raises:
        ValueError: it is no such string, was cut off, or holds what no menu has.

    >>> from gan_jax import nets
    >>> lab = open(Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16))
    >>> lab.advance(5)
    >>> int(restore(lab.share()).session.game.step)
    5
    """
    return Lab({"A": sharing.restore(text)}, controls, layers=layers, charts=charts, language=language)
