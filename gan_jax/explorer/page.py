"""A widget's own files come in; its page goes out, and a still picture with words where no widget can be shown."""

import base64
from pathlib import Path
from typing import Any

import anywidget


def pages(*own: Path) -> str:
    """Read a widget's JavaScript files, or its style sheets, one after the other behind what every page needs.

    >>> "function isDark" in pages(Path(__file__).with_name("explorer.js"))
    True
    """
    shared = Path(__file__).with_name(f"page{own[0].suffix}")
    return "\n".join(file.read_text(encoding="utf-8") for file in (shared, *own))


class StillWidget(anywidget.AnyWidget):
    """An anywidget with a still picture for pages that can show no widget, such as a notebook on a code host.

    A subclass says what the picture is in `_still`, and in `_invitation` what the widget itself would offer.
    """

    _invitation = "Run this cell where widgets are shown to move the controls."

    # ipywidgets 7 has its own way to show itself, which knows no still picture
    _ipython_display_ = None

    def _still(self) -> tuple[bytes, str]:
        """Draw what is shown now: a PNG, and its description in words."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **keywords: Any) -> Any:
        bundle = super()._repr_mimebundle_(**keywords)
        if bundle is None:
            return None
        contents, metadata = bundle
        try:
            png, words = self._still()
        except Exception:  # the picture is a courtesy; without it the widget still works
            return bundle
        return (
            {**contents, "image/png": base64.b64encode(png).decode(), "text/plain": f"{words} {self._invitation}"},
            {**metadata, "image/png": {"alt": words}},
        )
