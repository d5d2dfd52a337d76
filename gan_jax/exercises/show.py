"""A heading and a few lines of text come in; a card goes out that a notebook shows as HTML and plain Python as text."""

import html
import re
from dataclasses import dataclass

MARKS = {"right": "✓", "wrong": "✗", "not attempted": "○", "note": "•"}
"""A sign beside each colour, so that nothing is told by colour alone."""

COLOURS = {"right": "#009e73", "wrong": "#d55e00", "not attempted": "#8c8c8c", "note": "#0072b2"}
"""Okabe and Ito's colours, read on white and on black."""


def to_html(text: str) -> str:
    """Turn text into HTML: `code` between backticks, paragraphs between blank lines, indented ones as they stand.

    >>> to_html("Use `vmap` & go.")
    '<p style="margin:.3em 0">Use <code>vmap</code> &amp; go.</p>'
    """
    parts = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        safe = html.escape(block, quote=False)
        if all(line.startswith("    ") for line in block.splitlines()):
            parts.append(f'<pre style="margin:.3em 0;white-space:pre-wrap">{safe}</pre>')
        else:
            safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe).replace("\n", "<br>")
            parts.append(f'<p style="margin:.3em 0">{safe}</p>')
    return "".join(parts)


def frame_html(kind: str, heading: str, body: str) -> str:
    """Put HTML behind a coloured edge; it takes the page's own text colour and background, light or dark."""
    return (
        f'<div role="status" style="border-left:4px solid {COLOURS[kind]};padding:.2em .8em;margin:.4em 0;'
        f'color:inherit;background:transparent;max-width:60em">'
        f"<strong>{MARKS[kind]} {html.escape(heading)}</strong>{body}</div>"
    )


@dataclass(frozen=True)
class Card:
    """A heading with text under it.

    Args:
        kind: name in `MARKS`.
        heading: a few words.
        text: see `to_html` for what it may hold.

    >>> Card("note", "Hint 1", "Think of `softplus`.")
    • Hint 1
    Think of `softplus`.
    """

    kind: str
    heading: str
    text: str

    def __repr__(self) -> str:
        return f"{MARKS[self.kind]} {self.heading}\n{self.text}".rstrip()

    def _repr_html_(self) -> str:
        return frame_html(self.kind, self.heading, to_html(self.text))


class Code(Card):
    """A card whose text is source code."""

    def _repr_html_(self) -> str:
        code = html.escape(self.text, quote=False)
        return frame_html(self.kind, self.heading, f'<pre style="margin:.3em 0"><code>{code}</code></pre>')
