"""A laboratory comes in; a recording of its run goes out: the frames that the live page would get, in one small block.

The page plays a recording as it plays the live game, with no kernel behind it. `record` trains and records, `past`
records what was trained already.
"""

import copy
import json
import math
import struct
import sys
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..errors import Diverged, check_count
from .frames import Frame, pack, unpack
from .layers import LAYERS
from .measures import CHARTS
from .session import Curve, Session

VERSION = 1
"""Of the block that `Replay.pack` writes."""

FRAMES = 150
"""Pictures of a recording, where nothing else is said: ten seconds of film."""

FIRST_STEPS = 3000
"""Steps that a laboratory records before it opens, where it is to begin with a recording."""

PATIENCE = 60.0
"""Seconds that a run may take to be trained again for its recording."""

PIECE = 256
"""Steps taken at once, so that an interrupt is heard soon."""


class Shot(NamedTuple):
    """One picture of a recording.

    Attributes:
        header: plain JSON, as the live laboratory sends it.
        block: the numbers of all its arrays.
        scene: which of the recording's scenes it lies on.
    """

    header: dict[str, Any]
    block: bytes
    scene: int = 0


class Ground(NamedTuple):
    """What a run's pictures lie on.

    Attributes:
        window: left, right, bottom, top.
        real: samples of the target, shape (n, 2).
        modes: of the target; 0 where it has none.
    """

    window: tuple[float, float, float, float]
    real: np.ndarray
    modes: int


@dataclass(frozen=True)
class Replay:
    """A run as the page sees it: what the page is built from, and one frame after the other.

    Attributes:
        setup: what the page is built from.
        scenes: what the pictures lie on; a new one where a target was changed.
        shots: the pictures.
        code: the Python that brings the run back.
        ended: why it is shorter than was asked for; empty where it is not.
    """

    setup: Mapping[str, Any] = field(repr=False)
    scenes: Sequence[Mapping[str, Any]] = field(repr=False)
    shots: Sequence[Shot] = field(repr=False)
    code: str = field(default="", repr=False)
    ended: str = ""

    def __len__(self) -> int:
        return len(self.shots)

    def __repr__(self) -> str:
        reach = f", steps {self.steps[0]:,} to {self.steps[-1]:,}" if len(self) else ""
        return f"Replay: {len(self)} frames{reach}{f'. {self.ended}' if self.ended else ''}"

    @property
    def steps(self) -> list[int]:
        """Steps taken at each frame, by the run that was shown."""
        return [shot.header["runs"][shot.header["active"]]["step"] for shot in self.shots]

    def frames(self, index: int) -> list[Frame]:
        """The frames of all runs at one moment, as `Session.frame` gave them."""
        shot = self.shots[index]
        return unpack(shot.header["runs"], shot.block)

    def ground(self, index: int, run: int) -> Ground:
        """What a run's picture lies on at one moment."""
        scene = self.scenes[self.shots[index].scene]["runs"][run]
        real = np.frombuffer(scene["real"], "<f4").reshape(-1, 2)
        return Ground(tuple(scene["window"]), real, scene["modes"])

    def export(self, path: Any, **settings: Any) -> Any:
        """Write it to a file; the suffix says which kind: .html, .png, .gif or .mp4. See `export.export`."""
        from .export import export

        return export(self, path, **settings)

    def pack(self) -> bytes:
        """The whole recording as one block of bytes, compressed; what repeats from frame to frame is kept once.

        >>> header = {"active": 0, "runs": [{"step": 3, "arrays": [["surface", "u1", [2, 2]]]}]}
        >>> replay = Replay({}, [{"runs": []}], [Shot(header, bytes(4))])
        >>> Replay.unpack(replay.pack()) == replay
        True
        """
        store = _Store()
        shots = [{"header": shot.header, "parts": [store.add(part, name) for name, part in _parts(shot)],
                  "scene": shot.scene} for shot in self.shots]  # fmt: skip
        scenes = [_pack(scene, store) for scene in self.scenes]
        index = {"version": VERSION, "setup": dict(self.setup), "scenes": scenes, "shots": shots,
                 "code": str(self.code), "ended": self.ended}  # fmt: skip
        places, block = store.laid_out()
        text = json.dumps({**index, "places": places}, separators=(",", ":"), allow_nan=False).encode()
        text += b" " * (-(4 + len(text)) % 4)  # so that what follows begins at a multiple of 4
        return zlib.compress(struct.pack("<I", len(text)) + text + block, 9)

    @classmethod
    def unpack(cls, packed: bytes) -> "Replay":
        """Read what `pack` wrote.

        Raises:
            ValueError: these bytes are no recording, or one of another version.
        """
        try:
            whole = zlib.decompress(packed)
            start = 4 + struct.unpack_from("<I", whole)[0]
            index = json.loads(whole[4:start])
            version = index["version"]
        except (zlib.error, struct.error, ValueError, KeyError, TypeError) as fault:
            raise ValueError(f"these {len(packed):,} bytes are no recording of the lab ({fault})") from None
        if version != VERSION:
            raise ValueError(f"this recording is of version {version}; this gan_jax reads version {VERSION}")
        parts = [whole[start + at : start + at + size] for at, size in index["places"]]
        shots = [Shot(shot["header"], b"".join(_padded(parts[i]) for i in shot["parts"]), shot["scene"])
                 for shot in index["shots"]]  # fmt: skip
        scenes = [_unpack(scene, parts) for scene in index["scenes"]]
        return cls(index["setup"], scenes, shots, index["code"], index["ended"])


# ---- recording ----


def record(
    source: Any,
    steps: int,
    frames: int = FRAMES,
    *,
    layers: Sequence[str] | None = None,
    charts: Sequence[str] | None = None,
) -> Replay:
    """Train on, and record it: one picture as the run stands, then `frames` more, evenly over the steps.

    Ctrl-C and a divergence end it early, with what was recorded until then; `ended` says so.

    Args:
        source: a `Session`, or a laboratory, whose runs train in lock step. It has taken the steps afterwards.
        steps: to take.
        frames: pictures to take on the way.
        layers: names in `LAYERS` that the recording can show; what the laboratory shows now when left out.
        charts: names in `CHARTS`, likewise.

    Returns:
        The recording: `lab.open(replay=...)` shows it, its `export("run.html")` writes it to a file.

    >>> from gan_jax import nets
    >>> from gan_jax.train import Gan
    >>> session = Session(Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16))
    >>> record(session, 20, frames=4)
    Replay: 5 frames, steps 0 to 20
    """
    check_count(steps, "steps")
    check_count(frames, "frames")
    lab = _as_lab(source)
    camera = _Camera(lab, lab.names, lab.sessions, layers, charts)
    ended = ""
    try:
        camera.take()
        done = 0
        for goal in np.linspace(0, steps, min(int(frames), int(steps)) + 1)[1:].round().astype(int).tolist():
            while done < goal:
                n = min(PIECE, goal - done)
                lab._advance(n)
                done += n
            camera.take()
    except Diverged as fault:
        camera.take()
        ended = str(fault)
    except KeyboardInterrupt:
        ended = f"Interrupted after {done:,} of {steps:,} steps."
    return camera.develop(ended)


def past(lab: Any, frames: int = FRAMES) -> Replay:
    """Record what a laboratory's runs have gone through already, up to where they stand, from their key states.

    Where it would take longer than `PATIENCE` to train the run again, only states that are at hand are shown. The
    losses and measures of a stretch that was trained under another loss or target are those that the laboratory still
    knows: it forgets them when they are changed.

    Raises:
        ValueError: nothing has been trained yet.
    """
    check_count(frames, "frames")
    sessions = list(lab.sessions)
    first = min(session.timeline.line.first for session in sessions)
    last = max(session.timeline.at for session in sessions)
    if last == first:
        raise ValueError("nothing has been trained yet: press Play first, or record a run with lab.record(3000)")
    shadows = [_shadow(session) for session in sessions]
    camera = _Camera(lab, lab.names, shadows, None, None)
    reach = (last - first) / frames / 2
    if sum(session._pace.get(session._program, 0.0) for session in sessions) * (last - first) > PATIENCE:
        reach = math.inf
    seen: tuple[int, ...] = ()
    for goal in np.unique(np.linspace(first, last, min(frames, last - first) + 1).round().astype(int)).tolist():
        places = tuple(_near(session, goal, reach) for session in sessions)
        if places == seen:
            continue
        seen = places
        for session, shadow, place in zip(sessions, shadows, places, strict=True):
            _stand_at(session, shadow, place)
        camera.take()
    return camera.develop("")


def begin(lab: Any, replay: Replay | bool | None) -> Any:
    """Let a laboratory begin with a recording, or live.

    Args:
        lab: as it was opened.
        replay: a recording; True to make one of other sessions like the laboratory's; False for none. None is True on
            Google Colab and False elsewhere.

    Returns:
        The laboratory.

    Raises:
        TypeError: anything else.
    """
    if replay is None:
        replay = "google.colab" in sys.modules
    if replay is True:
        replay = _rehearse(lab)
    if isinstance(replay, Replay):
        lab.carry(replay)
    elif replay is not False:
        raise TypeError(f"replay must be a recording from lab.record, True, False or None, got {replay!r}")
    return lab


def _rehearse(lab: Any) -> Replay:
    """Record the first steps of a laboratory's runs, which stay where they are."""
    own = lab.sessions
    lab.sessions = [Session(session.gan, session.target, session.hyper, session.seed) for session in own]
    try:
        return record(lab, FIRST_STEPS)
    finally:
        lab.sessions = own


def snapshot(lab: Any) -> Replay:
    """A recording of one picture: a laboratory as it stands."""
    camera = _Camera(lab, lab.names, lab.sessions, None, None)
    camera.take()
    return camera.develop("")


def _as_lab(source: Any) -> Any:
    if not isinstance(source, Session):
        return source
    from .images import Images, ImageSession
    from .widget import Lab

    return Images(source) if isinstance(source, ImageSession) else Lab({"A": source})


class _Camera:
    """Takes the pictures that a laboratory would send of some sessions."""

    def __init__(self, lab: Any, names: Sequence[str], sessions: Sequence[Session], layers: Any, charts: Any):
        self.lab, self.names, self.sessions = lab, list(names), list(sessions)
        self.layers = lab.layers if layers is None else tuple(name for name in layers if name == "real" or LAYERS[name])
        self.charts = lab.charts if charts is None else tuple(name for name in charts if CHARTS[name])
        self.scenes: list[dict[str, Any]] = []
        self.shots: list[Shot] = []

    def take(self) -> None:
        scene = self.lab.scene_of(self.sessions)
        if not self.scenes or scene != self.scenes[-1]:
            self.scenes.append(scene)
        runs, block = pack([session.frame(self.layers, self.charts) for session in self.sessions])
        header = {"type": "frame", "active": self.lab.active,
                  "runs": [{"name": name, **run} for name, run in zip(self.names, runs, strict=True)]}  # fmt: skip
        self.shots.append(Shot(header, block, len(self.scenes) - 1))

    def develop(self, ended: str) -> Replay:
        setup = {**self.lab.setup, "layers": list(self.layers), "charts": list(self.charts)}
        return Replay(setup, self.scenes, self.shots, str(self.lab.session.state), ended)


def _shadow(session: Session) -> Session:
    """A session that can be moved through the past of another one, which stays where it is."""
    shadow = copy.copy(session)
    shadow.lock, shadow.timeline = threading.RLock(), session.timeline.fork(session.timeline.at)
    shadow.tracks = copy.deepcopy(session.tracks)
    return shadow


def _near(session: Session, step: int, reach: float) -> int:
    """A step of a session's run near to one that is asked for, with its state at hand where there is one."""
    line, at = session.timeline.line, session.timeline.at
    step = min(max(step, line.first), at)
    if step == at:  # where the session stands
        return step
    near = line.nearest(step) if line.nearest(step) <= at else line.before(step)
    return near if abs(near - step) <= reach else step


def _stand_at(session: Session, shadow: Session, step: int) -> None:
    if step == int(session.game.step):
        shadow.stand(session.game, session.rules, session.samples, session.seed)
    else:
        shadow.timeline.travel(shadow, step)
        shadow.timeline.forget()
    known = step >= session._curve.first and shadow.gan.loss == session.gan.loss
    shadow._curve, shadow.tracks = (
        copy.copy(session._curve) if known else Curve(first=step),
        copy.deepcopy(session.tracks),
    )
    shadow._curve.cut(step)
    shadow.tracks.cut(step)


# ---- bytes: kept once, and like beside like, where they compress best ----


class _Store:
    """Blocks of bytes under a number each; equal ones under the same."""

    def __init__(self) -> None:
        self.numbers: dict[bytes, int] = {}
        self.kinds: list[str] = []

    def add(self, part: bytes, kind: str) -> int:
        number = self.numbers.setdefault(part, len(self.numbers))
        if number == len(self.kinds):
            self.kinds.append(kind)
        return number

    def laid_out(self) -> tuple[list[list[int]], bytes]:
        """Each part's [start, size], and all of them as one block."""
        parts = list(self.numbers)
        order = sorted(range(len(parts)), key=lambda i: (self.kinds[i], i))
        places, at = [[0, 0]] * len(parts), 0
        for i in order:
            places[i] = [at, len(parts[i])]
            at += len(_padded(parts[i]))
        return places, b"".join(_padded(parts[i]) for i in order)


def _padded(part: bytes) -> bytes:
    return part + bytes(-len(part) % 4)


def _pack(value: Any, store: _Store) -> Any:
    """A value as JSON has it; bytes become their number."""
    if isinstance(value, bytes):
        return {"bytes": store.add(value, "")}
    if isinstance(value, Mapping):
        return {str(name): _pack(inner, store) for name, inner in value.items()}
    return [_pack(inner, store) for inner in value] if isinstance(value, (list, tuple)) else value


def _unpack(value: Any, parts: Sequence[bytes]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"bytes"}:
            return parts[value["bytes"]]
        return {name: _unpack(inner, parts) for name, inner in value.items()}
    return [_unpack(inner, parts) for inner in value] if isinstance(value, list) else value


def _parts(shot: Shot) -> Iterator[tuple[str, bytes]]:
    """The arrays of a picture as they lie in its block: (name, bytes)."""
    for frame in unpack(shot.header["runs"], shot.block):
        for name, array in frame.arrays.items():
            yield name, array.tobytes()
