"""The default lab: how fast it trains without a page, and how smooth it is in JupyterLab in a real browser.

    python benchmarks/lab.py                 # needs chromium, as the browser tests do
    python benchmarks/lab.py --write         # and puts the table into benchmarks/README.md
    python benchmarks/lab.py --only speed    # or latency, memory, session

Pictures and steps are counted in the same seconds. A slider's latency is the time from the hand's move to the picture
of steps that were taken with the new value. The page's own clock tells how long its event loop was held up. `measure()`
returns the numbers, for other scripts.
"""

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # JupyterLab and chromium are started as the browser tests start them

PARTS = ("session", "speed", "latency", "memory")

PROBE = """
() => {
  window.seen = { steps: [], bytes: [], late: [], long: 0 };
  window.moves = [];
  document.addEventListener("gan-lab-painted", ({ detail }) => {
    const now = performance.now();
    seen.steps.push([now, detail.step]);
    const arrays = detail.all.flatMap((run) => Object.values(run.arrays));
    seen.bytes.push(arrays.reduce((sum, array) => sum + array.byteLength, 0));
    const move = moves.at(-1);
    // the answer to a step that was taken with the new value, not the mere acknowledgement of it
    if (move && !move.latency && detail.request && detail.dials.lr_g === move.value) move.latency = now - move.at;
  });
  window.move = (notch) => {
    const slider = document.querySelector(".gan-lab-dial[data-name=lr_g] input[type=range]");
    slider.value = notch;
    const at = performance.now();
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    moves.push({ at, value: Number(slider.getAttribute("aria-valuetext").replace("−", "-")) });
  };
  new PerformanceObserver((list) => (seen.long += list.getEntries().length)).observe({ entryTypes: ["longtask"] });
  let before = performance.now();
  setInterval(() => {
    const now = performance.now();
    seen.late.push(Math.max(0, now - before - 10)); // how much later than asked
    before = now;
  }, 10);
}
"""

Rows = dict[str, Any]


def without_a_page(seconds: float = 5.0) -> Rows:
    """Steps and pictures a second of the session alone, and what one picture costs."""
    from gan_jax.lab import Session

    start = time.perf_counter()
    session = Session()
    session.frame()
    first_picture = time.perf_counter() - start
    session.warm()
    first_step = time.perf_counter() - start
    steps, pictures, training = 0, 0, 0.0
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        before = time.perf_counter()
        steps += session.advance()
        training += time.perf_counter() - before
        session.frame()
        pictures += 1
    spent = time.perf_counter() - start
    return {
        "session: first picture": f"{first_picture:.1f} s",
        "session: step compiled": f"{first_step:.1f} s",
        "session: steps": f"{steps / spent:,.0f} /s",
        "session: pictures": f"{pictures / spent:.0f} /s",
        "session: a chunk of steps": f"{1e3 * training / pictures:.1f} ms",
        "session: a picture of it": f"{1e3 * (spent - training) / pictures:.1f} ms",
    }


def spread(values: list[float], unit: str) -> str:
    """Median, 90th percentile and maximum of some numbers."""
    ninety = statistics.quantiles(values, n=10)[-1]
    middle = f"median {statistics.median(values):.0f}, 90 % within {ninety:.0f}"
    return f"{middle}, slowest {max(values):.0f} {unit} (n = {len(values)})"


def turns(values: list[float], form: str) -> str:
    """Median, lowest and highest of a few turns."""
    middle, low, high = (format(value, form) for value in (statistics.median(values), min(values), max(values)))
    return f"{middle} /s [{low}, {high}]"


class Page:
    """The default lab in JupyterLab, with a probe in its page."""

    def __init__(self, page: Any, book: Any, folder: Path):
        self.page, self.book, self.folder = page, book, folder

    def seen(self, seconds: float) -> dict[str, Any]:
        """What the probe has noted in so many seconds."""
        self.page.evaluate("() => { seen.steps = []; seen.bytes = []; seen.late = []; seen.long = 0; }")
        self.page.wait_for_timeout(1000 * seconds)
        return self.page.evaluate("seen")

    def memory(self) -> tuple[float, float]:
        """Resident memory of the kernel and the page's heap after a collection, both in MB."""
        resident = "int(open('/proc/self/statm').read().split()[1]) * os.sysconf('SC_PAGE_SIZE')"
        client = self.page.context.new_cdp_session(self.page)
        client.send("HeapProfiler.collectGarbage")
        heap = client.send("Runtime.getHeapUsage")["usedSize"]
        client.detach()
        return self.book.ask(self.folder, resident, "import os") / 1e6, heap / 1e6


@contextmanager
def opened() -> Iterator[tuple[Page, float]]:
    """The lab in JupyterLab, and the seconds from running its cell to its first picture."""
    from browsing import Notebook, chromium, jupyter_lab, write_notebook

    folder = Path(tempfile.mkdtemp())
    write_notebook(folder / "lab.ipynb", "from gan_jax import lab\nlive = lab.open()\nlive")
    with jupyter_lab(folder) as address, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        book = Notebook(page, address("lab.ipynb"))
        start = time.perf_counter()
        book.run_all()
        page.locator(".gan-lab[data-step]").wait_for(timeout=120_000)
        first = time.perf_counter() - start
        page.evaluate(PROBE)
        book.lab().press("Play")
        book.lab().advances(120)
        page.wait_for_timeout(3000)
        yield Page(page, book, folder), first
        page.close()


def speed(lab: Page, seconds: float, repeats: int) -> Rows:
    """Pictures and steps in the same seconds, and how much the page's event loop is held up meanwhile."""
    pictures, steps, late, longs, sizes = [], [], [], 0, []
    for _ in range(repeats):
        seen = lab.seen(seconds)
        (t0, s0), (t1, s1) = seen["steps"][0], seen["steps"][-1]
        pictures.append(1e3 * (len(seen["steps"]) - 1) / (t1 - t0))
        steps.append(1e3 * (s1 - s0) / (t1 - t0))
        late += seen["late"]
        longs += seen["long"]
        sizes += seen["bytes"]
    return {
        "pictures": turns(pictures, ".1f"),
        "steps, in the same seconds": turns(steps, ",.0f"),
        "a frame's arrays": f"{statistics.median(sizes) / 1e3:.1f} kB",
        "the page's event loop is late by": spread(late, "ms"),
        "tasks of over 50 ms on the page": f"{60 * longs / (seconds * repeats):.0f} a minute",
        "numbers": {"pictures": statistics.median(pictures), "steps": statistics.median(steps)},
    }


def latency(lab: Page, moves: int) -> Rows:
    """From a slider's move to the picture that shows it, moved at no fixed place within a chunk."""
    for i in range(moves):
        lab.page.evaluate("notch => move(notch)", 110 + i % 60)
        lab.page.wait_for_function("moves.at(-1).latency", timeout=10_000)
        lab.page.wait_for_timeout(100 + 17 * (i % 7))
    latencies = lab.page.evaluate("moves.map((m) => m.latency)")
    return {
        "from a slider's move to the picture of it": spread(latencies, "ms"),
        "numbers": {"latency": statistics.median(latencies)},
    }


def memory(lab: Page, marks: tuple[int, ...] = (5_000, 20_000, 50_000)) -> Rows:
    """Memory of the kernel and of the page as the run grows."""
    kernels, heaps = [], []
    for mark in marks:
        while lab.book.lab().step < mark:
            lab.page.wait_for_timeout(200)
        kernel, heap = lab.memory()
        kernels.append(kernel)
        heaps.append(heap)
    at = ", ".join(f"{mark // 1000}" for mark in marks)
    return {
        f"memory of the kernel after {at} thousand steps": ", ".join(f"{value:.0f}" for value in kernels) + " MB",
        f"heap of the page after {at} thousand steps": ", ".join(f"{value:.0f}" for value in heaps) + " MB",
        "numbers": {"kernel growth": kernels[-1] - kernels[0], "page growth": heaps[-1] - heaps[0]},
    }


BARS = {
    "pictures": ("pictures", lambda value: value >= 25, "at least 25 /s"),
    "steps, in the same seconds": ("steps", lambda value: value >= 600, "at least 600 /s"),
    "from a slider's move to the picture of it": ("latency", lambda value: value <= 100, "median within 100 ms"),
}


def measure(seconds: float = 10.0, repeats: int = 3, moves: int = 50, only: tuple[str, ...] = PARTS) -> Rows:
    """All that is asked for: text by name, and under "numbers" those that a bar is set for."""
    rows: Rows = {"numbers": {}}

    def add(part: Rows) -> None:
        rows["numbers"] |= part.pop("numbers", {})
        rows.update(part)

    if "session" in only:
        add(without_a_page(seconds))
    if set(only) - {"session"}:
        with opened() as (lab, first):
            rows["from running the cell to the first picture"] = f"{first:.1f} s"
            if "speed" in only:
                add(speed(lab, seconds, repeats))
            if "latency" in only:
                add(latency(lab, moves))
            if "memory" in only:
                add(memory(lab))
    return rows


def table(rows: Rows) -> str:
    """The rows in Markdown, with the bars and whether they are met."""
    lines = ["| what | measured | bar | met |", "|---|---|---|---|"]
    for name, text in rows.items():
        if name == "numbers":
            continue
        number, met, bar = BARS.get(name, ("", None, ""))
        verdict = "" if met is None else "yes" if met(rows["numbers"][number]) else "no"
        lines.append(f"| {name} | {text} | {bar} | {verdict} |")
    return "\n".join(lines)


def write(text: str) -> None:
    """Put the table between its marks in benchmarks/README.md."""
    path = ROOT / "benchmarks/README.md"
    begin, end = "<!-- the lab, measured -->", "<!-- end of the lab, measured -->"
    page = path.read_text(encoding="utf-8")
    path.write_text(
        re.sub(f"{begin}.*{end}", lambda _: f"{begin}\n{text}\n{end}", page, flags=re.DOTALL), encoding="utf-8"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--moves", type=int, default=50)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--json", action="store_true", help="the numbers alone, for scripts")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    found = measure(options.seconds, options.repeats, options.moves, tuple(options.only))
    machine = f"{os.cpu_count()} cores, load average {load:.1f} before, {os.getloadavg()[0]:.1f} after; {date.today()}."
    command = f"Command: `.venv/bin/python {' '.join(['benchmarks/lab.py', *sys.argv[1:]])}`."
    text = f"{machine} {command}\n\n{table(found)}"
    print(json.dumps(found["numbers"]) if options.json else text)
    if options.write:
        write(text)
