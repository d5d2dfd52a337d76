"""A GAN of images and a set of real ones come in; a live view goes out: what G draws while it trains, and from where.

`ImageSession` trains and draws; `Images` carries it to the page, which asks for each chunk as the lab's does.
"""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .. import data
from ..errors import Menu
from ..explorer.page import pages
from ..train import Gan, Hyperparams, State
from . import sharing, timeline
from .dials import DIALS
from .export import ANSWERS as OF_FILES
from .export import export
from .film import film
from .image_neighbours import Near
from .image_session import MEMORY, PAIRS, ImageSession, as_bytes
from .live import ANSWERS, PAGE, Live, described
from .replay import FRAMES, Replay, record, snapshot
from .widget import SCRIPTS as OF_POINTS

MENUS = ("loss", "penalty", "optimizer", "update", "players", "samples", "batch_size", "d_steps", "g_steps")
"""Menus that make sense for any network of images."""

PARTS = ("seed", "speed", "time", "neighbours", "walk", "explore", "share", "language")
"""What else a lesson may show or leave out."""

IMAGE_CONTROLS = Menu("control", dict.fromkeys([*MENUS, *PARTS, *DIALS]))
"""What `images(controls=[...])` may show beside the images and the buttons."""


SCRIPTS = (*OF_POINTS, "images_parts", "images")
"""The page's files, in the order in which they stand after each other."""


class Images(Live):
    """The live view of an `ImageSession`. Make one with `images`; show it by ending a cell with it.

    Attributes:
        session: all that it trains and shows.
        sessions, names, active, layers, charts, replay: as of a `Lab`, for recordings.
    """

    _esm = pages(*(PAGE / f"{name}.js" for name in SCRIPTS))
    _called = "lab of images"
    _menus = MENUS

    def __init__(self, session: ImageSession, controls: Sequence[str] | None = None, language: str | None = None):
        self.session, self.sessions, self.names = session, [session], ["images"]
        self.active, self.layers, self.charts, self.replay = 0, (), (), None
        self._drawn = False  # whether the program that draws is compiled
        super().__init__(described(controls, IMAGE_CONTROLS, language, session.idle) | {"images": True}, self._see())

    @property
    def game(self) -> State:
        """The `train.State` now: sample it, score it, or go on with `train.steps`."""
        return self.session.game

    def show(self, request: Any = None) -> None:
        """Send one frame: a header, and the images in one block of bytes."""
        if not self._drawn:
            self.tell("compiling", "Compiling the program that draws: once, some seconds.")
        self.send_frames([self.session.frame()], request)
        self._drawn = True

    def record(self, steps: int, frames: int = FRAMES) -> Replay:
        """Take so many steps, and record them; arguments as for `replay.record`."""
        replay = record(self, steps, frames)
        self.show()
        return replay

    def export(self, path: str | os.PathLike, **settings: Any) -> Path:
        """Write the run so far to a file; the suffix says which kind: .html, .png, .gif or .mp4.

        A film shows the states that are at hand where it would take over a minute to train the run again; `record`
        takes as many pictures as you say.

        Args:
            path: of the file; what is there is replaced.
            settings: of `export.to_html`, `to_png`, `to_gif` or `to_mp4`.
        """
        return export(self, path, **settings)

    def _see(self) -> dict[str, Any]:
        return self.scene_of(self.sessions)

    def scene_of(self, sessions: Sequence[ImageSession]) -> dict[str, Any]:
        """What a page draws besides the frames of a run: the real images, the menus, and how the images lie."""
        return {"runs": [session.scene() for session in sessions]}

    def _compile(self) -> None:
        if self.session.cold:
            self.tell("compiling", "Compiling the training step: once. Convolutions take up to a minute.")
            self.session.warm()

    def _advance(self, k: int | None) -> None:
        self.session.advance(k)

    # ---- what the page may ask ----

    def _nearest(self, message: dict) -> None:
        """The real images nearest to one of G's, and how near real images are to each other."""
        session, sample = self.session, message.get("sample")
        found = session.nearest(sample)
        real = np.stack([as_bytes(session.neighbours.images(near.places)) for near in found])
        labels = np.asarray(session.target.labels)
        told = [_told(near, labels) for near in found]
        self._reply(message, "nearest", {"sample": sample, "spaces": told}, real)

    def _walk(self, message: dict) -> None:
        start, end = message.get("start"), message.get("end")
        walked = self.session.walk(start, end)
        self._reply(message, "walk", {"start": start, "end": end}, as_bytes(walked))

    def _explore(self, message: dict) -> None:
        sample, pair = message.get("sample"), message.get("pair")
        if pair is not None and (isinstance(pair, bool) or not isinstance(pair, int) or not 0 <= pair < PAIRS):
            raise ValueError(f"pair must be a whole number from 0 to {PAIRS - 1}, or null, got {pair!r}")
        s, t = message.get("s", 0.0), message.get("t", 0.0)
        drawn = self.session.explore(sample, s, t, pair)
        self._reply(message, "explore", {"sample": sample, "s": s, "t": t, "pair": pair}, as_bytes(drawn))

    def _reply(self, message: dict, kind: str, told: dict[str, Any], images: np.ndarray) -> None:
        """Answer the view that has asked, with the step at which the images were drawn."""
        more = {"view": message.get("view"), "asked": message.get("asked"), "step": int(self.session.game.step)}
        self.tell(kind, told | more, message.get("request"), images=images)

    answers: ClassVar = {
        **ANSWERS,
        **{name: answer for name, answer in timeline.ANSWERS.items() if name != "branch"},
        **OF_FILES,
        "code": sharing.ANSWERS["code"],
        "nearest": _nearest,
        "walk": _walk,
        "explore": _explore,
    }

    def _still(self) -> tuple[bytes, str]:
        drawn, png = film(snapshot(self)), io.BytesIO()
        drawn.picture.savefig(png, format="png", dpi=80)
        return png.getvalue(), drawn.picture.alt


def _told(near: Near, labels: np.ndarray) -> dict[str, Any]:
    """One space's neighbours in plain JSON; classes only where there are several."""
    low, middle, high = (float(x) for x in np.quantile(near.held, [0.05, 0.5, 0.95])) if len(near.held) else (0, 0, 0)
    return {
        "space": near.space,
        "index": near.places.tolist(),
        "labels": labels[near.places].tolist() if labels.any() else None,
        "distances": near.distance.tolist(),
        "held": {"low": low, "middle": middle, "high": high, "count": len(near.held)},
        "share": near.share if len(near.held) else None,
    }


def images(
    gan: Gan | None = None,
    target: data.Dataset | None = None,
    hyper: Hyperparams | None = None,
    seed: int = 0,
    *,
    controls: Sequence[str] | None = None,
    language: str | None = None,
    memory: float | int = MEMORY,
) -> Images:
    """Open a live view of a GAN of images: what it draws while it trains, and from where.

    Pick an image, and see the real ones nearest to it, walk through the latent space to another, or leave it along two
    directions. A step of a convolutional GAN takes long on a CPU: at 28x28 and full width up to half a second. The page
    then shows each step.

    Args:
        gan: the rules, of networks of any kind (`nets.mlp`, `nets.dcgan_generator`, your own); told classes or not,
            in which case each row of images is one class. Two MLPs for the target's images when left out.
        target: the real images, flat or not; `data.digits()` when left out.
        hyper: the dials as they stand at first.
        seed: from which all weights and noise follow.
        controls: names in `IMAGE_CONTROLS` to show beside the images and the buttons; when left out, all that can do
            something for this GAN.
        language: "en" or "zh"; the page's own when left out.
        memory: bytes that the way back may take: the states of the run that are kept. Of a network so large that few
            fit, the others are trained again when a hand goes there.

    Returns:
        The widget: end a cell with it, and press Play. `.state` is the Python that brings its run back, `.game` the
        `train.State`.

    Raises:
        TypeError: the target is no data set.
        ValueError: a network does not fit the images, or a dial is no single number.
        UnknownName: a control that is not in `IMAGE_CONTROLS`.

    >>> from gan_jax import nets
    >>> live = images(Gan(nets.mlp(4, 16, 64), nets.mlp(64, 16, 1), batch_size=16), controls=["lr_g", "lr_d", "walk"])
    >>> live.advance(5)
    >>> int(live.game.step)
    5
    """
    return Images(ImageSession(gan, target, hyper, seed, memory), controls, language)
