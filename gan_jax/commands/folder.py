"""A path comes in; the files of a run go in and out of it: what it is, its numbers, its pictures, its saves.

run.json       what is run: preset, data, settings, seed, versions, and which dials were moved at which step
metrics.csv    one row for every so many steps: losses, logits, penalty, and now and then scores
samples/       pictures from the same latents, by step; real.png shows real samples
checkpoints/   the last two saves, by step
"""

import contextlib
import csv
import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .. import checkpoints
from ..train import History, State
from .faults import Failed, WrongCall
from .settings import Settings

FORMAT = "gan_jax run"

MARGIN = 100_000
"""Bytes that a save takes beside its arrays, at most."""


class Folder:
    """The folder of one run.

    Args:
        path: where it is, or is to be.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.checkpoints, self.samples = self.path / "checkpoints", self.path / "samples"
        self._about, self._metrics = self.path / "run.json", self.path / "metrics.csv"

    # ---- what it is ----

    @property
    def exists(self) -> bool:
        """Whether there is a run in it."""
        return os.path.exists(self._about)  # False, too, where looking is not allowed

    def settings(self) -> Settings:
        """What is run in it.

        Raises:
            WrongCall: there is no run in it, or a later version of gan_jax has written it.
        """
        return Settings.from_json(self._read()["settings"])

    def _read(self) -> dict[str, Any]:
        if not self.exists:
            raise WrongCall(f"there is no run in {self.path}; begin one with "
                            f"python -m gan_jax train PRESET --folder {self.path}")  # fmt: skip
        try:
            held = json.loads(self._about.read_text(encoding="utf-8"))
            if held["format"] != FORMAT:
                raise ValueError(held["format"])
            Settings.from_json(held["settings"])
        except OSError as error:
            raise Failed(f"{self._about} cannot be read: {error.strerror}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise WrongCall(
                f"{self._about} does not describe a run of gan_jax {version('gan_jax')} ({error!r})"
            ) from None
        return held

    def begin(self, settings: Settings, devices: int = 1) -> None:
        """Make the folder, and write down what is run.

        Raises:
            WrongCall: it holds other files, or is one.
            Failed: it cannot be written.
        """
        there = next(path for path in (self.path, *self.path.absolute().parents) if os.path.exists(path))
        if not there.is_dir():
            raise WrongCall(f"{there} is a file, and a run needs a folder; choose another --folder")
        with self.writing():
            if there == self.path and any(self.path.iterdir()):
                raise WrongCall(f"{self.path} holds other files, and no run; choose another --folder")
            self.samples.mkdir(parents=True, exist_ok=True)
        versions = {name: version(name) for name in ("gan_jax", "jax", "flax")}
        self._write({"format": FORMAT, "settings": settings.as_json(), "versions": versions, "devices": devices,
                     "moved": []})  # fmt: skip

    @property
    def devices(self) -> int:
        """How many devices shared each batch when it was trained last."""
        return int(self._read().get("devices", 1))

    def move(self, settings: Settings, step: int, devices: int = 1) -> None:
        """Write down that dials were moved at a step, or that other devices go on."""
        held = self._read()
        moved: dict[str, Any] = {"step": step}
        if dials := Settings.from_json(held["settings"]).moved_dials(settings):
            moved["dials"] = {name: here for name, (_, here) in dials.items()}
        if devices != held.get("devices", 1):
            moved["devices"] = devices
        self._write(held | {"settings": settings.as_json(), "devices": devices, "moved": [*held["moved"], moved]})

    def _write(self, held: Mapping[str, Any]) -> None:
        with self.writing(), _whole(self._about) as part:
            part.write_text(json.dumps(held, indent=2) + "\n", encoding="utf-8")

    def writing(self) -> "_Writing":
        """What to write under: an error of the disk becomes a `Failed` that says what to do."""
        return _Writing(self)

    # ---- numbers ----

    def columns(self, scores: Sequence[str]) -> list[str]:
        """The columns of `metrics.csv`."""
        return ["step", *History._fields, *scores]

    def keep_rows(self, columns: Sequence[str], step: int) -> None:
        """Begin `metrics.csv`, or take away the rows past a step: those steps are about to be taken again."""
        rows = []
        if self._metrics.exists():
            with self._metrics.open(newline="", encoding="utf-8") as file:
                held = [
                    row for row in csv.DictReader(file) if (row["step"] or "").isdigit() and None not in row.values()
                ]
            rows = [row for row in held if int(row["step"]) <= step]
        with self.writing(), _whole(self._metrics) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    def add_rows(self, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows to `metrics.csv`."""
        with self.writing(), self._metrics.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, columns, restval="", lineterminator="\n").writerows(rows)

    # ---- saves ----

    @property
    def step(self) -> int:
        """The step of the last save; 0 where there is none."""
        return max(checkpoints.saved_steps(self.checkpoints), default=0)

    def save(self, state: State, settings: Settings) -> None:
        """Save a state, unless its step is saved already.

        Raises:
            Failed: it cannot be written.
        """
        if int(state.step) in checkpoints.saved_steps(self.checkpoints):
            return
        self.check_room(state)
        with self.writing():
            checkpoints.save(self.checkpoints, state, hyper=settings.hyper(), target=settings.data)

    def check_room(self, state: State) -> None:
        """Raise unless there is room for a save of this state.

        Raises:
            Failed: there is not.
        """
        needed = sum(array.nbytes for array in checkpoints.named_arrays(state).values()) + MARGIN
        with self.writing():
            if (free := shutil.disk_usage(self.path).free) < needed:
                raise OSError(errno.ENOSPC, f"a save takes {needed / 1e6:.3g} MB, and {free / 1e6:.3g} MB are free")

    def load(self, like: State, settings: Settings, step: int | None = None) -> State:
        """Read a state back.

        Raises:
            WrongCall: there is no such save, or it is of another run.
        """
        try:
            return checkpoints.load(self.checkpoints, like, step=step, target=settings.data)
        except (FileNotFoundError, ValueError) as error:
            raise WrongCall(str(error)) from error


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A file to write that takes the place of another one when all of it is written, and else leaves nothing."""
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class _Writing:
    """A context in which an error of the disk says what is kept, and what to do."""

    def __init__(self, folder: Folder):
        self.folder = folder

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, _: Any) -> None:
        if not isinstance(error, OSError):
            return
        kept = f"saved up to step {self.folder.step:,}" if self.folder.step else "nothing is saved"
        full = error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)
        remedy = "make room" if full else "make it writable, or choose another --folder"
        why = error.strerror or "No space left on device" if full else error
        raise Failed(
            f"{self.folder.path} cannot be written: {why}. {kept[0].upper()}{kept[1:]}; {remedy}, then give the same "
            "command again"
        ) from error
