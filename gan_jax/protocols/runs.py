"""Settings, a packing and a seed come in; a trained state and its scores go out, wherever an earlier try stopped."""

import contextlib
import datetime
import os
import platform
import shutil
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np

from .. import checkpoints, metrics, train
from ..errors import Diverged
from .records import Cost, Run
from .settings import Settings

CHUNK = 100
"""Steps a compiled call: an interruption waits for the end of one."""

LIBRARIES = ("gan_jax", "jax", "flax", "optax", "numpy")


def reach(
    settings: Settings,
    packing: int,
    seed: int,
    *,
    folder: str | Path | None = None,
    save_every: float | int = 60,
    progress: Callable[[int], None] = lambda steps: None,
) -> tuple[train.State, float]:
    """Train to the last step, from the last save where there is one.

    Args:
        settings: of the protocol.
        packing: samples that D judges together.
        seed: all of the run's randomness follows from it.
        folder: where saves are kept; none when left out.
        save_every: seconds between saves.
        progress: called with the number of steps just taken, and at first with those found in the save.

    Returns:
        The last `State`, and the steps a second: of the median chunk, so that compiling and saving do not count.

    Raises:
        Diverged: the run left the finite numbers.
        KeyboardInterrupt: as it came, after saving; calling again goes on bit for bit.
    """
    gan, target = settings.gan(packing), settings.target()
    state = train.init(gan, settings.hyper, jax.random.key(seed))
    if folder is not None:
        with contextlib.suppress(FileNotFoundError):  # no folder yet, or none of its saves is whole
            state = checkpoints.load(folder, state)
    progress(int(state.step))
    saved_at, rates = time.perf_counter(), []
    try:
        while (left := settings.steps - int(state.step)) > 0:
            begun = time.perf_counter()
            state, history = train.advance(gan, settings.hyper, target, state, min(CHUNK, left))
            steps = len(history.loss_d)
            rates.append(steps / (time.perf_counter() - begun))
            progress(steps)
            if folder is not None and time.perf_counter() - saved_at > save_every:
                checkpoints.save(folder, state)
                saved_at = time.perf_counter()
    except KeyboardInterrupt:
        if folder is not None:
            with contextlib.suppress(ValueError):  # this step is saved already
                checkpoints.save(folder, state)
        raise
    return state, float(np.median(rates)) if rates else 0.0


def score(settings: Settings, state: train.State, seed: int) -> dict[str, float]:
    """Score `settings.samples` samples of a state by `settings.metrics`; their randomness follows from the seed."""
    key = jax.random.fold_in(jax.random.key(seed), 0x5C02E)  # far from the keys that `train.init` splits off
    samples, target = state.sample(key, settings.samples), settings.target()
    return {name: float(metrics.METRICS[name](samples, target)) for name in settings.metrics}


def perfect(settings: Settings) -> dict[str, tuple[float, float]]:
    """Score a generator that draws from the target itself: mean and standard deviation, by metric."""
    target = settings.target()
    found = {name: metrics.perfect(metrics.METRICS[name], target, settings.samples) for name in settings.metrics}
    return {name: (score.mean, score.std) for name, score in found.items()}


def one(settings: Settings, packing: int, seed: int, command: str, *, folder: str | Path, **how) -> Run:
    """Train and score one run, and remove its saves; arguments as `reach`, and the command to note down."""
    scores, diverged_at, rate = {}, None, 0.0
    try:
        state, rate = reach(settings, packing, seed, folder=folder, **how)
        scores = score(settings, state, seed)
    except Diverged as error:
        diverged_at = error.step
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # the folder of all saves, once it is empty
        Path(folder).parent.rmdir()
    versions = {name: version(name) for name in LIBRARIES}
    return Run(packing, seed, scores, diverged_at, round(rate, 2), device(), versions, today(), command)


def cost(settings: Settings, packing: int, command: str, *, seconds: float | int = 30) -> Cost:
    """Measure the steps a second of one packing, of the quickest ten steps in about so many seconds.

    The quickest, because other work on the machine only slows; a run itself shows the time that it really has left.
    """
    gan, target = settings.gan(packing), settings.target()
    state = train.init(gan, settings.hyper, jax.random.key(0))
    rates: list[float] = []
    start = time.perf_counter()
    while len(rates) < 4 or time.perf_counter() - start < seconds:
        begun = time.perf_counter()
        state, _ = train.advance(gan, settings.hyper, target, state, 10)
        rates.append(10 / (time.perf_counter() - begun))
    return Cost(packing, round(max(rates), 2), device(), today(), command)


def device() -> str:
    """Say what the numbers were computed on, such as "CPU, 2 cores, AMD EPYC"."""
    found = jax.devices()[0]
    if found.platform != "cpu":
        return f"{len(jax.devices())} x {found.device_kind}"
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text().splitlines() if listed.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"CPU, {os.cpu_count()} cores, {models[0] if models else platform.machine()}"


def today() -> str:
    """The date, as it is stored."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()
