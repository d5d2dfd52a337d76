"""Scores of several methods over seeds come in; a small JSON file goes out, and from it a table."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from ...errors import Menu, UnknownName, suggestion
from ..tables import Table, with_spread

EXPERIMENTS: Menu[str] = Menu("experiment", {name: f"lipschitz_{name}.json" for name in ("digits", "clouds")})
"""What is stored, and in which file of this folder."""


@dataclass(frozen=True)
class Comparison:
    """Methods compared under one protocol; shows itself as a table.

    Attributes:
        name: in `EXPERIMENTS`.
        settings: what all methods share, line by line.
        perfect: metric to mean and standard deviation of real samples, or of the exact answer.
        rows: method to metric to the score of each seed; NaN where a run diverged.
        made: command, date, device and versions.
    """

    name: str
    settings: Mapping[str, str]
    perfect: Mapping[str, tuple[float, float]]
    rows: Mapping[str, Mapping[str, list[float]]] = field(repr=False)
    made: Mapping[str, str] = field(default_factory=dict)

    @property
    def metrics(self) -> list[str]:
        """Names of the scores."""
        return list(next(iter(self.rows.values()), {}))

    def scores(self, metric: str) -> dict[str, np.ndarray]:
        """One metric's scores of every method, shape (seeds,) each.

        Raises:
            UnknownName: no such metric.
        """
        if metric not in self.metrics:
            raise UnknownName(f"no metric is named {metric!r}; {suggestion(metric, self.metrics)}")
        return {method: np.array(row[metric], np.float64) for method, row in self.rows.items()}

    def table(self) -> Table:
        """All methods, mean and standard deviation over seeds, under what a perfect one scores."""
        ideal = ["" if name not in self.perfect else with_spread(*_told(self.perfect[name])) for name in self.metrics]
        rows = [("perfect", *ideal)] if any(ideal) else []
        for method, row in self.rows.items():
            rows.append((method, *(_cell(np.array(row[metric], np.float64)) for metric in self.metrics)))
        made = f"{self.made.get('command', '')}  ({self.made.get('date', '')}, {self.made.get('device', '')})"
        settings = "; ".join(f"{name}: {text}" for name, text in self.settings.items())
        return Table((self.name, *self.metrics), tuple(rows), ("± is the standard deviation.", settings, made))

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def _told(pair: tuple[float, float]) -> tuple[float, float | None]:
    return pair[0], pair[1] or None


def _cell(values: np.ndarray) -> str:
    whole = values[np.isfinite(values)]
    lost = f" ({len(values) - len(whole)} diverged)" if len(whole) < len(values) else ""
    if not len(whole):
        return lost.strip()
    spread = float(whole.std(ddof=1)) if np.ptp(whole) > 0 else None
    return with_spread(float(whole.mean()), spread) + lost


def stored(name: str) -> Comparison:
    """Load what the package ships of an experiment, with the command that made it.

    Raises:
        UnknownName: no such experiment.
    """
    return read(Path(__file__).parents[1] / "studies" / EXPERIMENTS[name])


def read(path: str | Path) -> Comparison:
    """Read what `write` has written.

    Raises:
        ValueError: the file holds something else.
    """
    try:
        held = json.loads(Path(path).read_text(encoding="utf-8"))
        held["perfect"] = {name: (mean, spread) for name, (mean, spread) in held["perfect"].items()}
        held["rows"] = {
            method: {name: [float("nan") if v is None else v for v in values] for name, values in row.items()}
            for method, row in held["rows"].items()
        }
        return Comparison(**held)
    except (AttributeError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} does not hold a comparison ({error}); choose another file") from None


def write(path: str | Path, comparison: Comparison) -> None:
    """Write a comparison as JSON, numbers to six figures."""
    held = asdict(comparison)
    held["rows"] = {
        method: {name: [_short(value) for value in values] for name, values in row.items()}
        for method, row in held["rows"].items()
    }
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(held, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _short(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None
