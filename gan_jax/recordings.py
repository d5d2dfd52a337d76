"""A GAN in training comes in; a `Recording` goes out: frames of the whole run within a stated memory, to scrub through.

A frame is a set of samples, always from the same latents, or a whole training state. Recording changes nothing about
the training: the run with and the run without end in the same numbers, bit for bit.
"""

import functools
import json
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm.auto import tqdm

from . import checkpoints, train
from .data import Target
from .errors import Diverged, Menu, check_count, check_memory
from .train import Gan, History, Hyperparams, State

KEEP: Menu[str] = Menu(
    "kind of frame",
    {
        "samples": "G's samples from fixed latents: some kilobytes a frame",
        "states": "the whole training state, parameters of both players and all: to sample, to ask D, to train on from",
    },
)
"""What a frame may be."""

MEMORY = 50e6
"""Bytes that the frames of a recording take at most, where nothing else is said."""

VERSION = 1
"""Of the file that `save` writes."""


# ---- a frame, and a recording ----


class Frame(NamedTuple):
    """One moment of a run.

    Attributes:
        step: how many steps had been taken.
        arrays: {"samples": shape (n, *sample shape)}, or all arrays of the state by their path.
    """

    step: int
    arrays: dict[str, np.ndarray]

    @property
    def samples(self) -> np.ndarray:
        """G's samples at this step, shape (n, *sample shape)."""
        return _samples(self.arrays)

    def state(self, like: State) -> State:
        """Make the training state of this step, to sample from, to ask D with, or to train on from.

        Args:
            like: a state of the same GAN, such as `train.init` returns; it gives the structure, its numbers do not
                matter.

        Raises:
            ValueError: the frames are samples, or `like` is of another GAN.
        """
        if "samples" in self.arrays:
            raise ValueError('these frames are samples; record with keep="states" to get the players back')
        return checkpoints.restore(self.arrays, like, f"the frame of step {self.step}")


def _samples(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    if "samples" not in arrays:
        raise ValueError("these frames are training states: take recording.at(step).state(like), and sample from that")
    return arrays["samples"]


@dataclass(frozen=True, eq=False, repr=False)
class Recording:
    """Frames of a run from its first step to its last, and everything measured between them.

    `recording[i]` is the i-th `Frame`, `recording.at(step)` the nearest to a step; `len` and iteration go over frames.

    Args:
        steps: at which the frames were taken, shape (k,), rising. All but the last are `every` steps apart.
        arrays: by name, the frames' arrays, each of shape (k, ...): {"samples": (k, n, *sample shape)}, or those of
            whole states.
        history: what was measured in each step after the first frame, fields of shape (steps[-1] - steps[0],).
        every: steps between two frames.
        thinned: how often every second frame was dropped, to stay within the memory.
        stopped: why the run ended before its time: "diverged at step 412"; "" when it did not.
        words: the GAN, the dials and the target, described.

    Raises:
        ValueError: arrays that do not fit each other.

    >>> steps, samples = np.array([0, 10, 20]), {"samples": np.zeros((3, 64, 2), np.float32)}
    >>> recording = Recording(steps, samples, History(*(np.zeros(20) for _ in History._fields)), every=10)
    >>> recording
    Recording: 3 frames of 64 samples, steps 0 to 20, one every 10
    >>> recording.at(14).step
    10
    """

    steps: np.ndarray
    arrays: Mapping[str, np.ndarray]
    history: History
    every: int
    thinned: int = 0
    stopped: str = ""
    words: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self):
        steps = np.asarray(self.steps)
        if steps.ndim != 1 or not len(steps) or steps.dtype.kind not in "iu" or (np.diff(steps) <= 0).any():
            raise ValueError(f"steps must be rising whole numbers of shape (frames,), got {self.steps!r}")
        if not self.arrays:
            raise ValueError('a recording needs the arrays of its frames, such as {"samples": ...}')
        for name, values in self.arrays.items():
            if values.ndim < 1 or len(values) != len(steps) or values.dtype.kind not in "biuf":
                raise ValueError(f"{name} must hold numbers for {len(steps)} frames, got {values.dtype} {values.shape}")
        wanted = (int(steps[-1] - steps[0]),)
        for name, row in zip(History._fields, self.history, strict=True):
            if np.shape(row) != wanted:
                raise ValueError(f"history.{name} must be of shape {wanted}, one number a step, got {np.shape(row)}")
        check_count(self.every, "every")
        object.__setattr__(self, "steps", steps.astype(np.int64))

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Frame]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, i: int) -> Frame:
        return Frame(int(self.steps[i]), {name: values[i] for name, values in self.arrays.items()})

    def at(self, step: float | int) -> Frame:
        """Find the frame nearest to a step; of two equally near the earlier."""
        return self[int(np.argmin(np.abs(self.steps - step)))]

    @property
    def samples(self) -> np.ndarray:
        """All frames' samples, shape (k, n, *sample shape)."""
        return _samples(self.arrays)

    @property
    def nbytes(self) -> int:
        """Bytes that the frames take."""
        return sum(values.nbytes for values in self.arrays.values())

    def only(self, steps: Sequence[int] | np.ndarray) -> "Recording":
        """Leave out all frames but those of some steps.

        Raises:
            ValueError: there is no frame at one of them.
        """
        missing = sorted(set(np.asarray(steps).tolist()) - set(self.steps.tolist()))
        if missing or not len(steps):
            raise ValueError(f"there is no frame at step {missing[0] if missing else '...'}; see recording.steps")
        held = np.flatnonzero(np.isin(self.steps, steps))
        first, last = self.steps[held[[0, -1]]] - self.steps[0]
        return replace(
            self,
            steps=self.steps[held],
            arrays={name: values[held] for name, values in self.arrays.items()},
            history=History(*(row[first:last] for row in self.history)),
            every=int(np.diff(self.steps[held]).max(initial=0)) or self.every,
        )

    def __repr__(self) -> str:
        kind = f"{self.samples.shape[1]} samples" if "samples" in self.arrays else "the whole state"
        told = f"Recording: {len(self)} frame{'s' * (len(self) > 1)} of {kind}, "
        told += f"steps {self.steps[0]:,} to {self.steps[-1]:,}, one every {self.every:,}"
        if self.thinned:
            asked = self.every // 2**self.thinned
            times = "once" if self.thinned == 1 else f"{self.thinned} times"
            told += f" (asked: {asked:,}; every second one was dropped {times} to stay within the memory)"
        return told + (f"; {self.stopped}" if self.stopped else "")


# ---- making one ----


@functools.partial(jax.jit, static_argnums=(0, 2))
def _latents(gan, key, n):
    # the game folds its key with the step, which never comes this far
    return gan.noise(jax.random.fold_in(key, np.uint32(2**32 - 1)), n)


@jax.jit
def _generated(generator, latents):
    return generator(latents)


class Recorder:
    """A run in the making: `advance` trains, and keeps a frame whenever one is due.

    `record` is this in one call; take a recorder itself to train in pieces of your own, as a live picture does.

    Args:
        gan, hyper, target, state: as in `train.steps`.
        every: steps between two frames.
        keep: name in `KEEP`.
        samples: how many samples a frame holds.
        memory: bytes that the frames may take. When the next one would not fit, every second one is dropped and
            `every` doubles. Beside it the history takes 4 bytes a step and field, and while a `recording` is put
            together, its frames are there twice.

    Attributes:
        state: the `State` now.
        every, thinned, stopped: as in `Recording`.

    Raises:
        ValueError: three frames do not fit into the memory; what `train.check` finds wrong.

    >>> from gan_jax import data, nets
    >>> gan = Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16)
    >>> state = train.init(gan, Hyperparams(), jax.random.key(0))
    >>> recorder = Recorder(gan, Hyperparams(), data.ring(8), state, every=10, samples=64)
    >>> recorder.advance(25)
    >>> recorder.recording.steps.tolist()
    [0, 10, 20, 25]
    """

    def __init__(
        self,
        gan: Gan,
        hyper: Hyperparams,
        target: Target,
        state: State,
        *,
        every: int,
        keep: str = "samples",
        samples: int = 512,
        memory: float | int = MEMORY,
    ):
        check_count(every, "every")
        check_count(samples, "samples")
        check_memory(memory)
        train.check(gan, hyper, target, state)
        self.gan, self.hyper, self.target, self.state = gan, hyper, target, state
        self.every, self.thinned, self.stopped = int(every), 0, ""
        self._latents = {"samples": _latents(gan, state.key, int(samples)), "states": None}[KEEP[keep] and keep]
        self._memory, self._first = float(memory), int(state.step)
        self._words = checkpoints.configuration(gan, hyper, target).lines()
        self._histories = [History(*(np.zeros(0, np.float32) for _ in History._fields))]
        self._steps: list[int] = []
        self._frames: list[dict[str, np.ndarray]] = []
        self._keep_frame()

    def follow(self, recording: Recording) -> None:
        """Put what was recorded before in front, so that this recorder goes on with it.

        Raises:
            ValueError: the recording ends at another step than the state stands at, or is of another GAN.
        """
        step, (own,) = int(self.state.step), self._frames
        if step != recording.steps[-1]:
            raise ValueError(
                f"the recording ends at step {recording.steps[-1]} and the state stands at {step}; "
                "go on from the state that came with the recording"
            )
        if {name: values.shape for name, values in own.items()} != {
            name: values.shape[1:] for name, values in recording.arrays.items()
        }:
            raise ValueError("the recording is of another GAN: its frames have other shapes than this one's")
        self.every, self.thinned, self._first = recording.every, recording.thinned, int(recording.steps[0])
        due = [frame for frame in recording if (frame.step - self._first) % self.every == 0]
        self._steps, self._frames = [frame.step for frame in due], [frame.arrays for frame in due]
        self._histories = [recording.history]
        for name, before in recording.words.items():
            now = self._words.get(name, before)
            self._words[name] = before if before.endswith(now) else f"{before}; from step {step:,}: {now}"

    def _take(self) -> dict[str, np.ndarray]:
        """A frame of the state as it is now, on the host."""
        if self._latents is None:
            return checkpoints.named_arrays(self.state)
        return {"samples": np.asarray(_generated(self.state.generator, self._latents))}

    def _keep_frame(self) -> None:
        frame = self._take()
        size = sum(values.nbytes for values in frame.values())
        if 3 * size > self._memory:
            raise ValueError(
                f"memory must hold at least three frames of {size:,} bytes, got {self._memory:,.0f}; "
                f"give memory={3 * size} or more" + (", or fewer samples" if self._latents is not None else "")
            )
        while (len(self._frames) + 2) * size > self._memory:  # one place stays free for the last step's frame
            self._steps, self._frames = self._steps[::2], self._frames[::2]
            self.every, self.thinned = 2 * self.every, self.thinned + 1
        if (int(self.state.step) - self._first) % self.every == 0:
            self._steps.append(int(self.state.step))
            self._frames.append(frame)

    def advance(self, n: int) -> None:
        """Take n steps.

        Raises:
            Diverged: as `train.advance`; the recorder stands at the last good state, `stopped` says so, and the
                error's `recording` holds all up to there.
        """
        check_count(n, "n")
        end = int(self.state.step) + n
        while (step := int(self.state.step)) < end:
            due = self.every - (step - self._first) % self.every
            try:
                state, history = train.advance(
                    self.gan, self.hyper, self.target, self.state, min(due, end - step, 1000)
                )
            except Diverged as fault:
                self.state, self.stopped = fault.state, f"diverged at step {fault.step:,}"
                self._histories.append(fault.history)
                fault.recording = self.recording
                raise
            self.state = state
            self._histories.append(history)
            if int(state.step) == step + due:
                self._keep_frame()

    @property
    def recording(self) -> Recording:
        """What has been recorded so far; the state as it is now is its last frame."""
        steps, frames = list(self._steps), list(self._frames)
        if steps[-1] != int(self.state.step):
            steps.append(int(self.state.step))
            frames.append(self._take())
        arrays = {name: np.stack([frame[name] for frame in frames]) for name in frames[0]}
        self._histories = [train.join(self._histories)]
        return Recording(
            np.array(steps), arrays, self._histories[0], self.every, self.thinned, self.stopped, dict(self._words)
        )

    def at(self, step: float | int) -> Frame:
        """Find the kept frame nearest to a step, or the state as it is now where that is nearer."""
        i = int(np.argmin(np.abs(np.array(self._steps) - step)))
        if abs(int(self.state.step) - step) < abs(self._steps[i] - step):
            return Frame(int(self.state.step), self._take())
        return Frame(self._steps[i], self._frames[i])


def record(
    gan: Gan,
    hyper: Hyperparams,
    target: Target,
    state: State,
    n: int,
    *,
    every: int | None = None,
    keep: str = "samples",
    samples: int = 512,
    memory: float | int = MEMORY,
    progress: bool = True,
) -> tuple[State, Recording]:
    """Train for n steps and keep frames on the way.

    An interruption (Ctrl-C, the notebook's stop button) ends the run early: what was recorded until then is returned,
    and the recording says so. A divergence raises, and the error carries the recording up to there.

    Args:
        gan, hyper, target, state: as in `train.steps`.
        n: how many steps.
        every: steps between two frames; a hundredth of n when left out.
        keep: "samples" or "states", see `KEEP`.
        samples: how many samples a frame holds, always from the same latents; without effect on states.
        memory: bytes that the frames may take. When the next one would not fit, every second one is dropped and
            `every` doubles, so that the frames always span the whole run.
        progress: show a bar when it takes longer than a second.

    Returns:
        The `State` after the steps, the same as without recording, and the `Recording`.

    Raises:
        Diverged: as `train.run`; `error.recording` holds what was recorded, its last frame of the last good state.
        ValueError: three frames do not fit into the memory.

    >>> from gan_jax import data, nets
    >>> gan = Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16)
    >>> state = train.init(gan, Hyperparams(), jax.random.key(0))
    >>> state, recording = record(gan, Hyperparams(), data.ring(8), state, 40, every=10, samples=64)
    >>> recording.samples.shape, recording.history.loss_d.shape
    ((5, 64, 2), (40,))
    """
    check_count(n, "n")
    every = max(n // 100, 1) if every is None else every
    recorder = Recorder(gan, hyper, target, state, every=every, keep=keep, samples=samples, memory=memory)
    return _record(recorder, n, progress)


def extend(
    recording: Recording,
    gan: Gan,
    hyper: Hyperparams,
    target: Target,
    state: State,
    n: int,
    *,
    memory: float | int = MEMORY,
    progress: bool = True,
) -> tuple[State, Recording]:
    """Go on with a recording for n more steps, with frames of the same kind at the same distance.

    Args:
        recording: what `record` or `load` has returned; it is left as it is.
        gan, hyper, target: as in `record`; other dials than before are noted in the recording's words.
        state: the state at which the recording ended.
        n, memory, progress: as in `record`.

    Returns:
        The `State` after the steps, and the longer `Recording`.

    Raises:
        ValueError: the state stands at another step than the recording ends with, or is of another GAN.
        Diverged: as in `record`.
    """
    check_count(n, "n")
    keep, samples = ("samples", recording.samples.shape[1]) if "samples" in recording.arrays else ("states", 1)
    recorder = Recorder(gan, hyper, target, state, every=recording.every, keep=keep, samples=samples, memory=memory)
    recorder.follow(recording)
    return _record(recorder, n, progress)


def _record(recorder: Recorder, n: int, progress: bool) -> tuple[State, Recording]:
    start = int(recorder.state.step)
    try:
        with tqdm(total=n, unit="step", delay=1.0, disable=not progress) as bar:
            while (left := start + n - int(recorder.state.step)) > 0:
                chunk = min(recorder.every, left)
                recorder.advance(chunk)
                bar.update(chunk)
    except KeyboardInterrupt:
        recorder.stopped = f"interrupted at step {int(recorder.state.step):,}"
        tqdm.write(f"Training was {recorder.stopped}; what was recorded until then is kept.")
    return recorder.state, recorder.recording


# ---- several, side by side ----


def align(recordings: Mapping[str, Recording]) -> dict[str, Recording]:
    """Leave of several recordings the frames of the steps that all of them have.

    Args:
        recordings: by name; they may have been thinned differently, or have ended at different steps.

    Returns:
        By the same names, recordings with equal `steps`: the i-th frames of all were taken at one step.

    Raises:
        ValueError: there is no such step.

    >>> histories = [History(*(np.zeros(n) for _ in History._fields)) for n in (40, 60)]
    >>> one = Recording(np.arange(0, 41, 10), {"samples": np.zeros((5, 9, 2))}, histories[0], 10)
    >>> two = Recording(np.arange(0, 61, 20), {"samples": np.zeros((4, 9, 2))}, histories[1], 20)
    >>> [recording.steps.tolist() for recording in align({"one": one, "two": two}).values()]
    [[0, 20, 40], [0, 20, 40]]
    """
    if not recordings:
        raise ValueError("align needs at least one recording")
    common = functools.reduce(np.intersect1d, [recording.steps for recording in recordings.values()])
    if not len(common):
        spans = ", ".join(f"{name}: {r.steps[0]} to {r.steps[-1]} by {r.every}" for name, r in recordings.items())
        raise ValueError(f"no step has a frame in every recording ({spans}); record them with one `every`")
    return {name: recording.only(common) for name, recording in recordings.items()}


# ---- on disk ----


def save(path: str | Path, recording: Recording) -> Path:
    """Write a recording into one file: NumPy arrays and a header in JSON, no pickle.

    Args:
        path: ".npz" is added where it lacks; folders are made; a file that is there already is replaced, whole or not
            at all.
        recording: what `record` has returned.

    Returns:
        The path of the file.
    """
    path = Path(path)
    path = path if path.suffix == ".npz" else path.with_name(f"{path.name}.npz")
    header = {
        "format": "gan_jax recording",
        "version": VERSION,
        "every": recording.every,
        "thinned": recording.thinned,
        "stopped": recording.stopped,
        "words": dict(recording.words),
        "arrays": list(recording.arrays),
    }
    contents = {"header": np.array(json.dumps(header)), "steps": recording.steps}
    contents |= {f"array_{i}": values for i, values in enumerate(recording.arrays.values())}
    contents |= {f"history_{name}": np.asarray(row) for name, row in recording.history._asdict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            np.savez_compressed(file, **contents)  # type: ignore[arg-type]
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def load(path: str | Path) -> Recording:
    """Read a recording back.

    Args:
        path: what `save` was given.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no recording, it is damaged, or a later version of gan_jax has written it.

    >>> import tempfile
    >>> history = History(*(np.zeros(10) for _ in History._fields))
    >>> recording = Recording(np.array([0, 10]), {"samples": np.zeros((2, 64, 2))}, history, every=10)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load(save(f"{folder}/run", recording))
    Recording: 2 frames of 64 samples, steps 0 to 10, one every 10
    """
    path = Path(path)
    if not path.exists() and path.suffix != ".npz":
        path = path.with_name(f"{path.name}.npz")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; recordings.save writes one")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is no recording, or was cut off; recordings.save writes one that load reads")
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return _read(file)
    except _NotARecording as error:
        raise ValueError(f"{path}: {error}") from None
    except Exception as error:  # a damaged archive makes zipfile, zlib, json and NumPy raise a dozen kinds
        raise ValueError(f"{path} is damaged: {error}") from error


class _NotARecording(Exception):
    """The file is whole, and something else."""


def _read(file: Any) -> Recording:
    header = json.loads(str(file["header"])) if "header" in file.files else {}
    if header.get("format") != "gan_jax recording":
        raise _NotARecording(f"this is no recording; its arrays are {', '.join(file.files[:5]) or 'none'}")
    if header["version"] > VERSION:
        raise _NotARecording(
            f"a later gan_jax has written it, in version {header['version']}; this one reads up to {VERSION}"
        )
    return Recording(
        steps=file["steps"],
        arrays={name: file[f"array_{i}"] for i, name in enumerate(header["arrays"])},
        history=History(*(file[f"history_{name}"] for name in History._fields)),
        every=header["every"],
        thinned=header["thinned"],
        stopped=header["stopped"],
        words=header["words"],
    )
