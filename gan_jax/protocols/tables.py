"""Rows of text come in; a table that shows itself in a terminal and in a notebook goes out."""

import html
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table of text.

    Args:
        head: what stands over each column.
        rows: as many cells each.
        caption: lines of text under it.

    >>> Table(("what", "how much"), (("steps", "400"),), ("Two cores.",))
    what   how much
    steps  400
    Two cores.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: tuple[str, ...] = ()

    def __repr__(self) -> str:
        lines = [self.head, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        padded = ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)) for line in lines]
        return "\n".join([*(line.rstrip() for line in padded), *self.caption])

    def _repr_html_(self) -> str:
        def row(cells: tuple[str, ...], tag: str) -> str:
            left = ' style="text-align: left; padding: 0.15em 0.8em 0.15em 0"'
            return "<tr>" + "".join(f"<{tag}{left}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        body = "".join(row(cells, "td") for cells in self.rows)
        under = "".join(f"<p>{html.escape(line)}</p>" for line in self.caption)
        return f"<table><thead>{row(self.head, 'th')}</thead><tbody>{body}</tbody></table>{under}"


def with_spread(mean: float | int, spread: float | int | None) -> str:
    """Write a mean and its standard deviation.

    >>> with_spread(6.3, 0.5), with_spread(0.98889, 0.0021), with_spread(1000, None)
    ('6.3 ± 0.5', '0.989 ± 0.0021', '1000')
    """
    shown = f"{mean:.4g}" if abs(mean) >= 100 else f"{mean:.3g}"
    return shown if spread is None else f"{shown} ± {spread:.2g}"
