"""A published experiment and its reduced form come in; the two side by side, line by line, go out."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import Menu
from .records import SHIPPED, Cost, Published, Results, read
from .settings import Settings
from .tables import Table, with_spread

FORMS = Menu("form", {"reduced": "reduced", "full": "full"})


@dataclass(frozen=True)
class Protocol:
    """A published experiment, as a form that runs here in minutes and as the original.

    Args:
        name: on the menu, and in the names of files.
        source: paper, section, and where its code can be read.
        reduced: the settings that are small enough for two cores.
        full: the original's settings; None where this package cannot run them yet.
        original: lines of the original that `full` does not say; all of them where there is no `full`.
        published: rows of papers.
        packings: worth comparing.
        notes: what else differs, one sentence each.
    """

    name: str
    source: str
    reduced: Settings
    full: Settings | None = None
    original: Mapping[str, str] = field(default_factory=dict)
    published: tuple[Published, ...] = ()
    packings: tuple[int, ...] = (1, 2)
    notes: tuple[str, ...] = ()

    def settings(self, form: str) -> Settings:
        """The settings of one form.

        Raises:
            UnknownName: a form that is neither "reduced" nor "full".
            ValueError: the full form cannot be run.
        """
        chosen = self.reduced if FORMS[form] == "reduced" else self.full
        if chosen is None:
            raise ValueError(f"the full form of {self.name} cannot be run yet: {self.notes[0]} Run the reduced form")
        return chosen

    def header(self, form: str) -> Results:
        """Results of one form without any run."""
        return Results(self.name, form, self.settings(form).lines(), published=self.published)

    def results(self, form: str = "reduced") -> Results:
        """What is stored in the package, with the command and the date that it was made by."""
        path = SHIPPED / f"{self.name}_{FORMS[form]}.json"
        if not path.exists():
            return self.header(form)
        found = read(path)
        return Results(**{**vars(found), "published": self.published})

    def comparison(self) -> Table:
        """Both forms, line by line, and what each takes and gives."""
        full = {**(self.full.lines() | {"seeds": f"{self.full.seeds}"} if self.full else {}), **self.original}
        reduced = self.reduced.lines() | {"seeds": f"{self.reduced.seeds}"}
        names = dict.fromkeys([*full, *reduced])
        rows = [(name, full.get(name, ""), _beside(reduced.get(name, ""), full.get(name))) for name in names]
        rows += [(f"a seed takes, packing {p}", self._time("full", p), self._time("reduced", p)) for p in self.packings]
        rows += [(f"gives, packing {p}", self._published(p), self._stored(p)) for p in self.packings]
        costs = [f"{cost.command}  ({cost.date}, {cost.device})" for cost in self._costs()]
        made = [f"The original's steps a second, at best: {line}" for line in dict.fromkeys(costs)]
        return Table((self.name, "original", "reduced"), tuple(rows), (self.source, *self.notes, *made))

    def _costs(self) -> tuple[Cost, ...]:
        return self.results("full").costs if self.full else ()

    def _time(self, form: str, packing: int) -> str:
        if form == "full" and not self.full:
            return "not measured"
        results = self.results(form)
        rates = [run.steps_a_second for run in results.runs if run.packing == packing]
        rates += [cost.steps_a_second for cost in results.costs if cost.packing == packing]
        if not rates:
            return "not measured"
        rate = statistics.median(rates)
        return f"{duration(self.settings(form).steps / rate)} at {per_second(rate)}"

    def _published(self, packing: int) -> str:
        rows = [row for row in self.published if row.packing == packing]
        return _told({name: score for row in rows for name, score in row.scores.items()})

    def _stored(self, packing: int) -> str:
        scores = self.results().scores(packing)
        return _told({name: (v.mean(), v.std(ddof=1) if len(v) > 1 else None) for name, v in scores.items()})

    def __repr__(self) -> str:
        return repr(self.comparison())

    def _repr_html_(self) -> str:
        return self.comparison()._repr_html_()


def _beside(reduced: str, original: str | None) -> str:
    return "the same" if reduced == original else reduced


def _told(scores: Mapping[str, tuple[float | int, float | int | None]]) -> str:
    return "; ".join(f"{name} {with_spread(*score)}" for name, score in scores.items()) or "not measured"


def per_second(rate: float | int) -> str:
    """Write a rate.

    >>> per_second(1100.4), per_second(2.81)
    ('1,100 steps a second', '2.8 steps a second')
    """
    return f"{rate:,.0f} steps a second" if rate >= 10 else f"{rate:.2g} steps a second"


def duration(seconds: float | int) -> str:
    """Write a time to about two digits.

    >>> duration(34), duration(400), duration(14_400), duration(400_000)
    ('34 s', '6.7 min', '4 h', '4.6 days')
    """
    for unit, size in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size or (unit != "days" and seconds >= size * 1.5):
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds:.2g} s"
