"""The same GANs come in twice, in gan_jax and in PyTorch; a table of how fast each trains goes out.

    make bench                                      # the table on the screen
    .venv/bin/python benchmarks/run.py --write      # and into benchmarks/README.md

Both sides run in one process and take turns, so that a busy machine slows both; the table holds medians.
"""

import argparse
import importlib.metadata
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import jax
import kernel
import numpy as np

from gan_jax import data, nets, train
from gan_jax.train import Gan, Hyperparams

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"
CHUNK = 500  # steps in one compiled call
TURN = 1.0  # seconds at the least in which one side plays before it is the other's turn

Play = Callable[[int], object]


class Row(NamedTuple):
    """One line of the table, as text; `met` is None where there is no bar."""

    what: str
    ours: str
    torch: str
    ratio: str
    bar: str
    met: bool | None


def spread(values: Sequence[float], unit: str, digits: int) -> str:
    """Write a median and, in brackets, the lowest and the highest."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:,.{digits}f} {unit} [{low:,.{digits}f}, {high:,.{digits}f}]"


def rate(play: Play, chunk: int, seconds: float) -> float:
    """Measure steps a second over at least `seconds`."""
    taken, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        play(chunk)
        taken += chunk
    return taken / elapsed


def ours(gan: Gan, target: data.Target, hyper: Hyperparams, chunk: int = CHUNK) -> Play:
    """Return `play(n)` on gan_jax, compiled: each call goes on from the last."""
    state = train.init(gan, hyper, jax.random.key(0))

    def play(n: int) -> None:
        nonlocal state
        state, _ = train.steps(gan, hyper, target, state, n)  # the history is a NumPy array: the steps are done

    play(chunk)
    return play


def quickest(make: Callable[..., Play], device: str, fused: bool, chunk: int = 5) -> tuple[Play, int]:
    """Try PyTorch on one thread and on two; return what plays, and the better number of threads."""
    import torch

    play, speeds = make(device, fused=fused), {}
    for threads in (1, 2) if device == "cpu" else (torch.get_num_threads(),):
        torch.set_num_threads(threads)
        play(chunk)
        speeds[threads] = rate(play, chunk, TURN)
    return play, max(speeds, key=lambda threads: speeds[threads])


def duel(
    what: str,
    mine: Play,
    make: Callable[..., Play],
    device: str,
    bar: float,
    repeats: int,
    chunks: tuple[int, int, int] = (CHUNK, 20, 5),
    digits: int = 0,
) -> list[Row]:
    """Let gan_jax, PyTorch with Adam as it comes, and PyTorch with fused Adam play in turn; one row for each of two.

    `chunks` are the steps between two looks at the clock: gan_jax's, PyTorch's, and PyTorch's in the trial of threads.
    """
    import torch

    rivals = {"Adam": quickest(make, device, False, chunks[2]), "fused Adam": quickest(make, device, True, chunks[2])}
    speeds: dict[str, list[float]] = {name: [] for name in ("gan_jax", *rivals)}
    for _ in range(repeats):
        speeds["gan_jax"].append(rate(mine, chunks[0], TURN))
        for name, (play, threads) in rivals.items():
            torch.set_num_threads(threads)
            speeds[name].append(rate(play, chunks[1], TURN))
    rows = []
    for name, (_, threads) in rivals.items():
        ratios = [one / other for one, other in zip(speeds["gan_jax"], speeds[name], strict=True)]
        rows.append(
            Row(
                f"{what}; PyTorch with {name}",
                spread(speeds["gan_jax"], "steps/s", digits),
                f"{spread(speeds[name], 'steps/s', digits)}, {threads} thread{'s'[: threads - 1]}",
                spread(ratios, "times", 2),
                f"at least {bar} times",
                statistics.median(ratios) >= bar,
            )
        )
    return rows


def ring(device: str, repeats: int) -> list[Row]:
    """Ring GAN: 64-64 MLPs, batch 256."""
    import pytorch

    mine = ours(Gan(nets.mlp(2, 64, 64, 2), nets.mlp(2, 64, 64, 1)), data.ring(8), Hyperparams())
    return duel("Ring GAN, batch 256", mine, pytorch.ring, device, 3.5, repeats)


def digits(device: str, repeats: int) -> list[Row]:
    """MLP GAN of the MNIST tutorials; the speed does not depend on what the pixels show."""
    import pytorch

    pixels = np.random.default_rng(0).integers(0, 256, (60_000, 28, 28), np.uint8)
    gan = Gan(
        nets.mlp(100, 256, 784, activation="leaky_relu", output="tanh"),
        nets.mlp(784, 512, 256, 1, activation="leaky_relu"),
        batch_size=64,
    )
    mine = ours(gan, data.dataset(pixels), Hyperparams(lr_g=2e-4, lr_d=2e-4))
    make = lambda device, fused: pytorch.digits(pixels.reshape(-1, 784), device, fused=fused)  # noqa: E731
    return duel("MLP GAN of 28x28 digits, batch 64", mine, make, device, 1.4, repeats)


def dcgan(device: str, repeats: int) -> list[Row]:
    """DCGAN of TensorFlow's tutorial; and its first step, from a state just made, compilation included."""
    import pytorch

    pixels = np.random.default_rng(0).integers(0, 256, (60_000, 28, 28), np.uint8)
    gan, hyper = (
        Gan(nets.tutorial_generator(), nets.tutorial_discriminator(), batch_size=64),
        Hyperparams(lr_g=1e-4, lr_d=1e-4),
    )
    target = data.dataset(pixels, flat=False)
    mine, first = ours(gan, target, hyper, 1), []
    for _ in range(min(repeats, 3)):
        state = jax.block_until_ready(train.init(gan, hyper, jax.random.key(0)))
        jax.clear_caches()
        start = time.perf_counter()
        train.steps(gan, hyper, target, state, 1)
        first.append(time.perf_counter() - start)
    what = "DCGAN of the TensorFlow tutorial, batch 64"
    make = lambda device, fused: pytorch.dcgan(pixels, device, fused=fused)  # noqa: E731
    rows = duel(what, mine, make, device, 0.67, repeats, (5, 5, 2), 1)
    bar, met = "under 8 s", statistics.median(first) < 8
    return [*rows, Row(f"{what}, first step with its compilation", spread(first, "s", 1), "", "", bar, met)]


def sweep(device: str, repeats: int) -> list[Row]:
    """64 ring GANs x 2,000 steps in one call, compiled anew each time; and again, compiled."""
    gan = Gan(nets.mlp(2, 16, 16, 2), nets.mlp(2, 16, 16, 1), batch_size=64)
    hypers = {"lr_g": np.geomspace(1e-4, 1e-2, 8)}
    keys = jax.random.split(jax.random.key(0), 8)

    def seconds() -> float:
        start = time.perf_counter()
        train.sweep(gan, hypers, data.ring(8), keys, 2000, progress=False)
        return time.perf_counter() - start

    first, again = [], []
    for _ in range(min(repeats, 3)):
        jax.clear_caches()
        first.append(seconds())
        again.append(seconds())
    what = "Sweep of 64 ring GANs x 2,000 steps, "
    return [
        Row(what + "compilation included", spread(first, "s", 1), "", "", "under 15 s", statistics.median(first) < 15),
        Row(what + "compiled before", spread(again, "s", 1), "", "", "", None),
    ]


def first_picture(device: str, repeats: int) -> list[Row]:
    """From the start of a Jupyter kernel to the first picture."""
    cold, warm = [], []
    with tempfile.TemporaryDirectory() as folder:
        kernel.seconds_to_picture(Path(folder))  # fills the cache
        for _ in range(min(repeats, 3)):
            cold.append(kernel.seconds_to_picture(None))
            warm.append(kernel.seconds_to_picture(Path(folder)))
    what = "Kernel start to first picture, "
    return [
        Row(what + "cold", spread(cold, "s", 1), "", "", "under 12 s", statistics.median(cold) < 12),
        Row(what + "warm compilation cache", spread(warm, "s", 1), "", "", "under 6 s", statistics.median(warm) < 6),
    ]


def laboratory(device: str, repeats: int) -> list[Row]:
    """The lab's session without its page: train for a chunk, take a picture, and again."""
    from gan_jax import lab

    session = lab.Session()
    session.advance()
    session.frame()
    pictures, steps = [], []
    for _ in range(repeats):
        drawn = taken = 0
        start = time.perf_counter()
        while (elapsed := time.perf_counter() - start) < TURN:
            taken += session.advance()
            session.frame()
            drawn += 1
        pictures.append(drawn / elapsed)
        steps.append(taken / elapsed)
    what = "Lab without its page, default ring, "
    met = statistics.median(pictures) >= 20, statistics.median(steps) >= 500
    return [
        Row(what + "pictures", spread(pictures, "/s", 0), "", "", "at least 20 /s", met[0]),
        Row(what + "steps", spread(steps, "/s", 0), "", "", "at least 500 /s", met[1]),
    ]


PARTS = {"ring": ring, "digits": digits, "dcgan": dcgan, "sweep": sweep, "kernel": first_picture, "lab": laboratory}


def machine() -> str:
    """Name the processor, the device that JAX computes on, and the versions."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    versions = []
    for package in ("jax", "flax", "optax", "numpy", "torch"):
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {package}")
    device = jax.devices()[0]
    return (
        f"{cpu}, {os.cpu_count()} cores, {platform.system()}; JAX on {device.platform} ({device.device_kind}); "
        f"Python {platform.python_version()}, {', '.join(versions)}; {date.today():%Y-%m-%d}"
    )


def load() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def table(rows: list[Row]) -> str:
    """Write the rows as Markdown."""
    lines = ["| what | gan_jax | PyTorch eager | ratio | bar | met |", "|---|---|---|---|---|---|"]
    marks = {True: "yes", False: "**no**", None: ""}
    lines += [f"| {' | '.join(row[:-1])} | {marks[row.met]} |" for row in rows]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure gan_jax, beside PyTorch where there is a counterpart.")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each side (5)")
    parser.add_argument("--device", choices=("cpu", "gpu"), help="where both sides compute; JAX's first when left out")
    parser.add_argument("--write", action="store_true", help=f"put the table into {README.name}")
    chosen = parser.parse_args()
    if chosen.device:
        os.environ["JAX_PLATFORMS"] = {"cpu": "cpu", "gpu": "cuda"}[chosen.device]  # for the kernels, too
        jax.config.update("jax_platforms", os.environ["JAX_PLATFORMS"])
    jax.config.update("jax_enable_compilation_cache", False)  # what is called compilation is compilation
    device = "cpu" if jax.default_backend() == "cpu" else "cuda"

    before, rows = load(), []
    for name in chosen.only:
        try:
            rows += PARTS[name](device, chosen.repeats)
        except ModuleNotFoundError as missing:
            if missing.name != "torch":
                raise
            print(f"{name}: left out, PyTorch is not installed: pip install -e '.[bench]'", file=sys.stderr)
            continue
        print(f"{name}: done", flush=True)
    text = "\n\n".join(
        [
            f"Machine: {machine()}. Load average before {before}, after {load()} (the benchmark's own work included).",
            table(rows),
            f"Command: `.venv/bin/python {' '.join(['benchmarks/run.py', *sys.argv[1:]])}`. "
            f"Medians of {chosen.repeats} turns (3 of sweep and kernel), in brackets the lowest and the highest.",
        ]
    )
    print(f"\n{text}")
    if chosen.write:
        head, rest = README.read_text().split(BEGIN)
        README.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
