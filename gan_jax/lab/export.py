"""A laboratory or a recording comes in; a file goes out: a picture, a film, or a page that plays without Python."""

import base64
import contextlib
import hashlib
import html
import io
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Menu
from ..explorer.page import pages
from .film import DOTS_PER_INCH, film
from .replay import Replay, past, snapshot
from .words import LANGUAGES, words

PICTURES_A_SECOND = 15
"""Of a film, and of the page at its normal speed."""

TITLE = "A GAN in training"
THEMES = ("auto", "light", "dark")

GIF_DPI = 80
"""Pixels an inch of a GIF, which grows fast with them."""

REPORT_DPI = 200
"""Pixels an inch of a PNG: 7.2 inches, the width of a page, become 1,440 pixels."""


# ---- the four files ----


def to_png(source: Any, path: str | os.PathLike, *, title: str = "", width: float | int = 7.2) -> Path:
    """Draw what is shown now, at a size for a report.

    Args:
        source: a laboratory, as it stands; or a recording, at its last frame.
        path: of the file; what is there is replaced, once the new one is complete.
        title: above the picture.
        width: of the picture, in inches; 200 pixels each.

    Returns:
        The path.
    """
    replay = _moment(source)
    drawn = film(replay, width=width, title=title, dpi=REPORT_DPI)
    drawn.pixels(len(replay) - 1)
    with _complete(path) as part:
        drawn.picture.savefig(part, format="png", dpi=REPORT_DPI, metadata={"Description": drawn.picture.alt})
    return Path(path)


def to_gif(source: Any, path: str | os.PathLike, *, title: str = "", pace: float | int = PICTURES_A_SECOND) -> Path:
    """Draw a recorded run as a GIF that plays once and again; its last picture stays for two seconds.

    Args:
        source: a recording; or a laboratory, whose run so far is recorded.
        path: of the file; what is there is replaced, once the new one is complete.
        title: above the pictures.
        pace: pictures a second, 1 to 50.

    Returns:
        The path.
    """
    from PIL import Image

    _check_pace(pace)
    replay = _run(source)
    drawn = film(replay, title=title, dpi=GIF_DPI)
    colours = _shared_colours([drawn.pixels(i) for i in np.linspace(0, len(replay) - 1, 6).astype(int).tolist()])
    pictures = (
        Image.fromarray(drawn.pixels(i)).quantize(palette=colours, dither=Image.Dither.NONE) for i in range(len(replay))
    )
    times = [*[round(100 / pace) * 10] * (len(replay) - 1), 2000]  # the format counts in hundredths of a second
    first = next(pictures)
    with _complete(path) as part:
        first.save(part, format="GIF", save_all=True, append_images=pictures, duration=times, loop=0, optimize=False,
                   comment=drawn.picture.alt.encode())  # fmt: skip
    return Path(path)


def to_mp4(source: Any, path: str | os.PathLike, *, title: str = "", pace: float | int = PICTURES_A_SECOND) -> Path:
    """Draw a recorded run as an MP4 (H.264), which every browser and slide programme plays.

    It needs ffmpeg: the package imageio-ffmpeg brings one.

    Args:
        source: a recording; or a laboratory, whose run so far is recorded.
        path: of the file; what is there is replaced, once the new one is complete.
        title: above the pictures.
        pace: pictures a second, 1 to 50.

    Returns:
        The path.

    Raises:
        ModuleNotFoundError: there is no ffmpeg.
        RuntimeError: ffmpeg failed.
    """
    _check_pace(pace)
    program, replay = _ffmpeg(), _run(source)
    drawn = film(replay, title=title)
    columns, rows = drawn.size
    given = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{columns}x{rows}", "-r", str(float(pace)), "-i", "-"]
    made = ["-c:v", "libx264", "-crf", "20", "-pix_fmt", "yuv420p", "-movflags", "+faststart", "-f", "mp4"]
    with _complete(path) as part, tempfile.TemporaryFile() as said:
        command = [program, "-v", "error", "-y", *given, *made, str(part)]
        worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)
        try:
            with contextlib.suppress(BrokenPipeError):  # it ended early, and has said why
                for index in [*range(len(replay)), *[len(replay) - 1] * round(2 * pace)]:
                    worker.stdin.write(drawn.pixels(index).tobytes())  # type: ignore[union-attr]
                worker.stdin.close()  # type: ignore[union-attr]
            worker.wait(60)
        finally:
            worker.kill()
            worker.wait()
        if worker.returncode:
            said.seek(0)
            raise RuntimeError(
                f"ffmpeg could not write {Path(path).name}: {said.read().decode(errors='replace')[-500:]}"
            )
    return Path(path)


def _ffmpeg() -> str:
    """Where there is an ffmpeg: the one that imageio-ffmpeg brings, else the machine's own."""
    try:
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ModuleNotFoundError, RuntimeError):
        if own := shutil.which("ffmpeg"):
            return own
    raise ModuleNotFoundError(
        "an MP4 needs ffmpeg: pip install imageio-ffmpeg (68 MB, ffmpeg included), or export a .gif instead"
    )


def to_html(
    source: Any,
    path: str | os.PathLike,
    *,
    title: str = TITLE,
    language: str = "en",
    theme: str = "auto",
) -> Path:
    """Write one page that plays a recorded run in any browser, without Python and without a network.

    The page is a single file: code, style and frames are in it, and it forbids itself every connection.

    Args:
        source: a recording; or a laboratory, whose run so far is recorded.
        path: of the file; what is there is replaced, once the new one is complete.
        title: of the page.
        language: "en" or "zh", in which it opens.
        theme: "light", "dark", or "auto", as the reader's system has it.

    Returns:
        The path.

    Raises:
        ValueError: an unknown language or theme.
    """
    text = html_page(_run(source), title=title, language=language, theme=theme)
    with _complete(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
    return Path(path)


EXPORTS: Menu[Callable[..., Path]] = Menu(
    "kind of file", {".html": to_html, ".png": to_png, ".gif": to_gif, ".mp4": to_mp4}
)
"""What a laboratory can be exported as, by the file's suffix."""


def export(source: Any, path: str | os.PathLike, **settings: Any) -> Path:
    """Write a laboratory or a recording to a file; its suffix says of which kind: .html, .png, .gif or .mp4.

    Args:
        source: a recording, or a laboratory.
        path: of the file; what is there is replaced, once the new one is complete.
        settings: of `to_html`, `to_png`, `to_gif` or `to_mp4`.

    Returns:
        The path.

    Raises:
        ValueError: another suffix.

    >>> export(Replay({}, [], []), "run.jpeg")
    Traceback (most recent call last):
    ...
    ValueError: the suffix of 'run.jpeg' says no kind of file that the lab writes: .html, .png, .gif, .mp4
    """
    suffix = Path(path).suffix.lower()
    if suffix not in EXPORTS:
        raise ValueError(
            f"the suffix of {Path(path).name!r} says no kind of file that the lab writes: {', '.join(EXPORTS)}"
        )
    return EXPORTS[suffix](source, path, **settings)


# ---- the page ----


def html_page(replay: Replay, *, title: str, language: str, theme: str) -> str:
    """The text of the page that `to_html` writes."""
    for name, value, known in (("language", language, LANGUAGES), ("theme", theme, THEMES)):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, got {value!r}")
    from .images import SCRIPTS as OF_IMAGES
    from .widget import PAGE, SCRIPTS

    scripts = OF_IMAGES if replay.setup.get("images") else SCRIPTS
    script = f"{pages(*(PAGE / f'{name}.js' for name in scripts))}\nopenPage();\n"
    style = f"{pages(*sorted(PAGE.glob('*.css')))}\n{PAGE_STYLE}"
    policy = (
        f"default-src 'none'; script-src '{_fingerprint(script)}'; style-src '{_fingerprint(style)}'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    spoken = {tongue: {key: text for key, text in texts.items() if key.startswith("replay.")}
              for tongue, texts in words().items()}  # fmt: skip
    said = spoken[language]
    picture = _poster(replay, title)
    return f"""<!doctype html>
<html lang="{language}" data-theme="{theme}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{style}</style>
</head>
<body>
<main>
<header>
<h1>{html.escape(title)}</h1>
<button type="button" id="theme">{html.escape(said["replay.theme"])}</button>
</header>
<div id="lab"></div>
<noscript>{picture}</noscript>
<details>
<summary id="code">{html.escape(said["replay.code"])}</summary>
<pre><code>{html.escape(replay.code)}</code></pre>
</details>
</main>
<script type="application/json" id="words">{_as_data(spoken)}</script>
<script type="text/plain" id="recording">{base64.b64encode(replay.pack()).decode()}</script>
<script type="module">{script}</script>
</body>
</html>
"""


PAGE_STYLE = """
:root { color-scheme: light; --ground: #ffffff; --text: #212121; }
:root[data-theme="dark"] { color-scheme: dark; --ground: #111318; --text: #e6e6e6; }
@media (prefers-color-scheme: dark) {
  :root[data-theme="auto"] { color-scheme: dark; --ground: #111318; --text: #e6e6e6; }
}
body { margin: 0; background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 16px 12px; }
header { display: flex; align-items: baseline; justify-content: space-between; gap: 12px; margin-bottom: 10px; }
h1 { margin: 0; font-size: 20px; overflow-wrap: anywhere; }
header button { flex: none; border: 1px solid currentColor; border-radius: 6px; background: none; color: inherit;
                font: inherit; font-size: 13px; cursor: pointer; }
details { margin-top: 14px; }
pre { overflow-x: auto; font-size: 13px; }
noscript img { max-width: 100%; }
"""


def _as_data(value: Any) -> str:
    """JSON that no text in it can end the script element that holds it."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _poster(replay: Replay, title: str) -> str:
    """The last picture, for readers who run no script."""
    drawn, png = film(replay, title=title), io.BytesIO()
    drawn.pixels(len(replay) - 1)
    drawn.picture.savefig(png, format="png", dpi=DOTS_PER_INCH)
    data = base64.b64encode(png.getvalue()).decode()
    return f'<img alt="{html.escape(drawn.picture.alt)}" src="data:image/png;base64,{data}">'


def _fingerprint(text: str) -> str:
    """By which the page knows its own script or style, and runs no other."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


# ---- what the page may ask ----


def _send_page(lab: Any, message: dict) -> None:
    """Answer with the page that `to_html` writes, for the browser to keep."""
    language, theme = str(message.get("language", "en")), str(message.get("theme", "auto"))
    replay = _run(lab)
    text = html_page(replay, title=TITLE, language=language, theme=theme)
    lab.send({"type": "exported", "name": f"gan-run-{replay.steps[-1]}.html", "request": None}, [text.encode()])


ANSWERS = {"export": _send_page}


# ---- what a source is recorded as, and how a file is written ----


def _run(source: Any) -> Replay:
    """A recording of the run so far; of a laboratory that has trained nothing yet, the one that it carries."""
    if isinstance(source, Replay):
        return source
    if source.replay and not any(int(session.game.step) for session in source.sessions):
        return source.replay
    return past(source)


def _moment(source: Any) -> Replay:
    return source if isinstance(source, Replay) else snapshot(source)


@contextlib.contextmanager
def _complete(path: str | os.PathLike) -> Iterator[Path]:
    """A file beside the one to write; it takes that one's place when it is complete, and is gone when it is not."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _shared_colours(pictures: list[np.ndarray]) -> Any:
    """One palette for a whole film, so that what does not move does not flicker."""
    from PIL import Image

    return Image.fromarray(np.concatenate(pictures)).quantize(192, method=Image.Quantize.MEDIANCUT)


def _check_pace(pace: Any) -> None:
    if isinstance(pace, bool) or not isinstance(pace, (int, float, np.number)) or not 1 <= pace <= 50:
        raise ValueError(f"pace must be a number of pictures a second from 1 to 50, got {pace!r}")
