"""What runs scored comes in; small JSON files go out, and from them tables beside what was published."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .tables import Table, with_spread

SHIPPED = Path(__file__).with_name("results")


class Published(NamedTuple):
    """A row of a paper's table.

    Attributes:
        method: what was trained.
        source: whose numbers they are.
        scores: metric to mean and standard deviation; None where no spread was noted.
        packing: of the row that a run with this packing repeats; None for other methods and other papers.
    """

    method: str
    source: str
    scores: Mapping[str, tuple[float | int, float | int | None]]
    packing: int | None = None


@dataclass(frozen=True)
class Run:
    """One training from one seed.

    Attributes:
        packing, seed: which.
        scores: metric to score; empty when it diverged.
        diverged_at: step at which it left the finite numbers, None when it did not.
        steps_a_second: without the first chunk, which compiles.
        device, versions, date, command: on what, with what, when and how.
    """

    packing: int
    seed: int
    scores: dict[str, float]
    diverged_at: int | None
    steps_a_second: float
    device: str
    versions: dict[str, str]
    date: str
    command: str


@dataclass(frozen=True)
class Cost:
    """How quick a protocol is on a machine: the quickest of a few of its steps."""

    packing: int
    steps_a_second: float
    device: str
    date: str
    command: str


@dataclass(frozen=True)
class Results:
    """All runs of one protocol with the same settings; shows itself as a table.

    Attributes:
        protocol: its name.
        form: "reduced" or "full".
        settings: `Settings.lines()` of the runs.
        perfect: metric to mean and standard deviation of a generator that draws from the target itself.
        runs: what was trained.
        costs: measured without training to the end.
        published: rows of papers, shown beside the runs; not stored.
    """

    protocol: str
    form: str
    settings: dict[str, str]
    perfect: dict[str, tuple[float, float]] = field(default_factory=dict)
    runs: tuple[Run, ...] = ()
    costs: tuple[Cost, ...] = ()
    published: tuple[Published, ...] = ()

    def packings(self) -> list[int]:
        """Packings of which there are runs."""
        return sorted({run.packing for run in self.runs})

    def scores(self, packing: int) -> dict[str, np.ndarray]:
        """Every metric's scores over the seeds of one packing, each of shape (seeds,), those that diverged left out."""
        whole = sorted((run for run in self.runs if run.packing == packing and run.scores), key=lambda run: run.seed)
        return {name: np.array([run.scores[name] for run in whole]) for name in (whole[0].scores if whole else ())}

    def diverged(self, packing: int) -> int:
        """How many seeds of one packing left the finite numbers."""
        return sum(run.packing == packing and run.diverged_at is not None for run in self.runs)

    def table(self) -> Table:
        """Runs of every packing, published rows and the perfect generator's score, one under the other."""
        metrics = list(self.perfect) or list(dict.fromkeys(name for row in self.published for name in row.scores))
        rows = [("perfect generator", "", *(with_spread(*self.perfect[name]) for name in metrics))] if self.runs else []
        rows += [self._row(packing, metrics) for packing in self.packings()]
        for row in self.published:
            cells = [with_spread(*row.scores[name]) if name in row.scores else "" for name in metrics]
            rows.append((row.method, row.source, *cells))
        return Table((self.protocol, "measured by", *metrics), tuple(rows), self._caption())

    def _row(self, packing: int, metrics: list[str]) -> tuple[str, ...]:
        scores, diverged = self.scores(packing), self.diverged(packing)
        seeds = max((len(values) for values in scores.values()), default=0)
        name = "GAN" if packing == 1 else f"PacGAN{packing}"
        lost = f", {diverged} more diverged" if diverged else ""
        spread = {m: (v.mean(), v.std(ddof=1) if seeds > 1 else None) for m, v in scores.items()}
        cells = [with_spread(*spread[m]) if m in spread else "" for m in metrics]
        return (name, f"this package, {self.form}, {seeds} seed{'s' * (seeds != 1)}{lost}", *cells)

    def _caption(self) -> tuple[str, ...]:
        made = {(run.command, run.date, run.device, run.versions.get("jax")) for run in self.runs}
        lines = [f"{command}  ({date}, {device}, jax {jax})" for command, date, device, jax in sorted(made)]
        seeds = "± is the standard deviation over seeds, in the rows measured here." if self.runs else ""
        return tuple(filter(None, [seeds, *lines]))

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def read(path: str | Path) -> Results:
    """Read what `write` has written.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something else.
    """
    try:
        held = json.loads(Path(path).read_text(encoding="utf-8"))
        held["perfect"] = {name: (mean, spread) for name, (mean, spread) in held["perfect"].items()}
        held["runs"] = tuple(Run(**run) for run in held["runs"])
        held["costs"] = tuple(Cost(**cost) for cost in held["costs"])
        return Results(**held)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} does not hold results of a protocol ({error}); choose another file") from None


def write(path: str | Path, results: Results) -> None:
    """Write results as JSON, the whole file or none of it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    held: dict[str, Any] = asdict(results)
    del held["published"]  # facts of the protocol, not of these runs
    part = path.with_name(f".{path.name}.{os.getpid()}.part")  # two commands may add to one file
    try:
        part.write_text(json.dumps(held, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def like(path: str | Path, header: Results) -> Results:
    """Read the results in a file, to add to them; the header alone where there is no file yet.

    Raises:
        ValueError: the file is of another protocol or form, or of other settings; the message names the differences.
    """
    if not Path(path).exists():
        return header
    found = read(path)
    theirs = {"protocol": found.protocol, "form": found.form, **found.settings}
    ours = {"protocol": header.protocol, "form": header.form, **header.settings}
    names = list(dict.fromkeys([*ours, *theirs]))
    differing = [
        f"{name}: {theirs.get(name, 'nothing')!r} there, {ours.get(name, 'nothing')!r} here"
        for name in names
        if theirs.get(name) != ours.get(name)
    ]
    if differing:
        raise ValueError(
            f"{path} holds results of other settings, which do not mix ({'; '.join(differing)}); "
            "choose another file with --out, or move that one away"
        )
    return replace(found, published=header.published)


def add(path: str | Path, header: Results, *, run: Run | None = None, cost: Cost | None = None) -> Results:
    """Put one run or one cost into a file, in the place of one with the same packing and seed."""
    # read again just before: two commands may share out the seeds of one file
    found = like(path, header)
    if run is not None:
        others = [old for old in found.runs if (old.packing, old.seed) != (run.packing, run.seed)]
        found = replace(found, runs=tuple(sorted([*others, run], key=lambda run: (run.packing, run.seed))))
    if cost is not None:
        costs = [old for old in found.costs if (old.packing, old.device) != (cost.packing, cost.device)]
        found = replace(found, costs=tuple(sorted([*costs, cost], key=lambda cost: cost.packing)))
    found = replace(found, perfect=found.perfect or header.perfect)
    write(path, found)
    return found
