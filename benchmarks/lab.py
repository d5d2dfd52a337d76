"""The default lab: how fast it trains without a page, and how fast in JupyterLab in a real browser.

    python benchmarks/lab.py            # needs chromium, as the browser tests do
    python benchmarks/lab.py --seconds 10 --repeats 3

Prints one table. `measure()` returns the same numbers, for other scripts.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # JupyterLab and chromium are started as the browser tests start them

PROBE = """
() => {
  window.seen = { pictures: 0, steps: [] };
  window.moves = [];
  document.addEventListener("gan-lab-painted", ({ detail }) => {
    const now = performance.now();
    seen.pictures += 1;
    seen.steps.push([now, detail.step]);
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
}
"""


def without_a_page(seconds: float = 5.0) -> dict[str, float]:
    """Steps and pictures a second of the session alone, and what one picture costs."""
    from gan_jax.lab import Session

    start = time.perf_counter()
    session = Session()
    session.frame()
    first_picture = time.perf_counter() - start
    session.warm()
    first_step = time.perf_counter() - start
    steps = pictures = 0
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        steps += session.advance()
        session.frame()
        pictures += 1
    spent = time.perf_counter() - start
    costs = []
    for _ in range(200):
        start = time.perf_counter()
        session.frame()
        costs.append(time.perf_counter() - start)
    return {
        "session: first picture, s": first_picture,
        "session: step compiled, s": first_step,
        "session: steps/s": steps / spent,
        "session: pictures/s": pictures / spent,
        "session: one picture, ms": 1e3 * statistics.median(costs),
    }


def in_the_browser(seconds: float = 10.0, repeats: int = 3, moves: int = 20) -> dict[str, float]:
    """Pictures and steps a second and the slider's latency in JupyterLab; medians over repeats."""
    from browsing import Notebook, chromium, jupyter_lab, write_notebook

    folder = Path(tempfile.mkdtemp())
    write_notebook(folder / "lab.ipynb", "from gan_jax import lab\nlab.open()")
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
        pictures, steps = [], []
        for _ in range(repeats):
            page.evaluate("() => { seen.pictures = 0; seen.steps = []; }")
            page.wait_for_timeout(1000 * seconds)
            seen = page.evaluate("seen")
            (t0, s0), (t1, s1) = seen["steps"][0], seen["steps"][-1]
            pictures.append(1e3 * (len(seen["steps"]) - 1) / (t1 - t0))
            steps.append(1e3 * (s1 - s0) / (t1 - t0))
        for i in range(moves):
            page.evaluate("notch => move(notch)", 110 + i)
            page.wait_for_function("moves.at(-1).latency", timeout=10_000)
            page.wait_for_timeout(100 + 17 * (i % 7))  # at no fixed place within a chunk
        latencies = page.evaluate("moves.map((m) => m.latency)")
        page.close()
    return {
        "browser: cell run to first picture, s": first,
        "browser: steps/s": statistics.median(steps),
        "browser: pictures/s": statistics.median(pictures),
        "browser: slider to picture, median ms": statistics.median(latencies),
        "browser: slider to picture, slowest ms": max(latencies),
    }


def measure(seconds: float = 10.0, repeats: int = 3) -> dict[str, float]:
    """Both, as one dictionary of name to number."""
    return without_a_page(seconds) | in_the_browser(seconds, repeats)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f} at the start, {os.getloadavg()[0]:.1f} now")
    for name, value in measure(options.seconds, options.repeats).items():
        print(f"| {name:40} | {value:10,.1f} |")
    print(f"load {os.getloadavg()[0]:.1f} at the end")
