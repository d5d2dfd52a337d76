"""A preset and seeds come in; what a whole run of it costs and reaches goes out, and what was measured so is kept.

python -m gan_jax.commands.measured dcgan-digits --seeds 3        # measure, and add to measured.json
python -m gan_jax.commands.measured --table                       # the table of docs/command.md
"""

import argparse
import json
import math
import resource
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import jax
import numpy as np
from tqdm import tqdm

from .. import data, train
from ..protocols.protocol import duration, per_second
from ..protocols.runs import device, today
from ..protocols.tables import with_spread
from ..train import Hyperparams
from . import scoring
from .networks import NETWORKS
from .presets import PRESETS, Preset
from .settings import Settings, choose, usual_rules

NOT_REACHED = "not measured"

KEPT = Path(__file__).with_name("measured.json")

SHOWN = ("Fréchet distance", "precision", "recall", "modes covered", "high-quality share")
"""Scores that are told of a preset, those of them that its data have; all are kept."""

SHAPES = {"mnist_5000": (28, 28, 1), "mnist": (28, 28, 1), "fashion_mnist": (28, 28, 1), "cifar10": (32, 32, 3)}
"""Images in whose shape noise can take their place."""

SCORED = 2500
"""Samples that a score is taken of; of images, half of the data set at most."""


@dataclass(frozen=True)
class Measured:
    """What whole runs of a preset cost and reached.

    Attributes:
        preset, data, steps: what was run.
        settings: every setting of the preset as it was then.
        processor: seconds of processor time a step, which other work on the machine hardly changes.
        compiling: seconds of processor time until the first step was done.
        memory: bytes of the process at its peak.
        n: samples a score.
        scores: of each seed, by name; a seed that diverged has none.
        real: mean and standard deviation of as many real samples' score, by name.
        seeds: how many were run.
        device, jax, date, command: on what, with what, when and how.
    """

    preset: str
    data: str
    steps: int
    settings: dict[str, str]
    processor: float
    compiling: float
    memory: int
    n: int
    scores: dict[str, list[float]]
    real: dict[str, tuple[float, float]]
    seeds: int
    device: str
    jax: str
    date: str
    command: str

    def cost(self) -> str:
        """What a run takes of one processor core, and its memory."""
        run, rate = duration(self.processor * self.steps), per_second(1 / self.processor)
        memory = f"{self.memory / 1e9:.1f} GB"
        return f"{run} of a core ({rate}), {self.compiling:.2g} s to compile, {memory}"

    def reached(self) -> list[tuple[str, str, str]]:
        """The name of each score in `SHOWN`, its mean and spread over seeds, and what real samples get."""
        return [
            (name, _spread(values), with_spread(*self.real[name]))
            for name, values in self.scores.items()
            if values and name.startswith(SHOWN)
        ]


def _spread(values: Sequence[float]) -> str:
    return with_spread(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None)


def kept() -> dict[str, Measured]:
    """What was measured, by preset."""
    held = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    for each in held.values():
        each["real"] = {name: (mean, spread) for name, (mean, spread) in each["real"].items()}
    return {name: Measured(**each) for name, each in held.items()}


def _costed(preset: Preset, spent: list[float], compiling: float, command: str, **reached) -> Measured:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Measured(
        preset=preset.name,
        data=preset.data,
        settings=settings_text(preset),
        processor=float(f"{np.median(spent):.3g}"),
        compiling=round(compiling, 2),
        memory=peak,
        device=device(),
        jax=jax.__version__,
        date=today(),
        command=command,
        **reached,
    )


def cost(preset: Preset, command: str, *, steps: int = 4) -> Measured:
    """Measure what a step of a preset takes, on noise in the shape of its images: for one that cannot be run here."""
    shape, flat = SHAPES[preset.data], NETWORKS[preset.networks].flat
    settings = Settings(preset.name, preset.data, shape, 10, 0, preset.options, preset.rules, preset.dials)
    noise = np.random.default_rng(0).integers(0, 256, (1000, *shape), np.uint8)
    target = data.dataset(noise, np.arange(1000) % 10, name="noise", flat=flat)
    began = time.process_time()
    gan, hyper = settings.gan(), settings.hyper()
    state, _ = train.steps(gan, hyper, target, train.init(gan, hyper, jax.random.key(0)), 1)
    compiling, spent = time.process_time() - began, []
    for _ in range(steps):
        busy = time.process_time()
        state, _ = train.steps(gan, hyper, target, state, 1)
        spent.append(time.process_time() - busy)
    return _costed(preset, spent, compiling, command, steps=preset.steps, n=0, scores={}, real={}, seeds=0)


def measure(preset: Preset, seeds: int, command: str, *, steps: int | None = None, scored: int = SCORED) -> Measured:
    """Run a preset from several seeds, and score the last state of each.

    Args:
        preset: what to run.
        seeds: how many: 0, 1, ...
        command: to be noted down.
        steps: of each run; the preset's when left out.
        scored: samples a score.
    """
    steps = preset.steps if steps is None else steps
    spent: list[float] = []
    scores: dict[str, list[float]] = {}
    real: dict[str, tuple[float, float]] = {}
    n_scored = 0
    began, first = time.process_time(), 0.0
    with tqdm(total=steps * seeds, unit="step") as bar:
        for seed in range(seeds):
            settings = choose(preset.name, seed=seed)
            gan, hyper, target = settings.gan(), settings.hyper(), settings.target()
            state, n, good = train.init(gan, hyper, jax.random.key(seed)), 1, True
            while good and (left := steps - int(state.step)) > 0:
                start, busy = time.perf_counter(), time.process_time()
                state, history = train.steps(
                    gan, hyper, target, state, min(n, left), donate=True
                )  # as the command does
                good, taken, seconds = not history.bad.any(), len(history.loss_d), time.perf_counter() - start
                first = first or time.process_time() - began
                spent += [(time.process_time() - busy) / taken] * taken if int(state.step) > taken or seed else []
                n = math.ceil(min(max(taken * 0.5 / seconds, 1), 8 * taken, 1000))
                bar.update(taken)
            if not good:
                tqdm.write(f"seed {seed} diverged by step {int(state.step):,}")
                continue
            card = scoring.scorecard(state, target, scored)
            n_scored = card.n
            real = {row.metric: (row.perfect.mean, row.perfect.std) for row in card}
            for row in card:
                scores.setdefault(row.metric, []).append(row.score)
            tqdm.write(f"{preset.name}, seed {seed}\n{card}")
    return _costed(preset, spent, first, command, steps=steps, n=n_scored, scores=scores, real=real, seeds=seeds)


def overview() -> str:
    """All presets, with what each costs and reaches."""
    held, lines = kept(), []
    for preset in PRESETS.values():
        lines += [f"{preset.name}: {preset.about}", f"    {preset.data}, {preset.steps:,} steps"]
        lines += [f"    {line}" for line in _told(preset, held.get(preset.name))]
    return "\n".join([*lines, "", "python -m gan_jax presets PRESET shows all settings of one."])


def _told(preset: Preset, found: Measured | None) -> list[str]:
    if found is None:
        return ["not measured"]
    if not found.seeds:
        return [f"{found.cost()} ({found.device})", f"reaches: {NOT_REACHED}"]
    seeds = f"{found.seeds} seed{'s' * (found.seeds != 1)}"
    scores = [f"{name} {score} (real samples: {real})" for name, score, real in found.reached()]
    return [f"{found.cost()} ({found.device})", f"reaches, over {seeds}: {'; '.join(scores) or 'nothing finite'}"]


def settings_text(preset: Preset) -> dict[str, str]:
    """Every setting of a preset, defaults included, by name."""
    usual = {f.name: float(np.asarray(f.default)) for f in fields(Hyperparams)}
    options = NETWORKS[preset.networks].options | dict(preset.options)
    lines = {"networks": preset.networks}
    lines |= {f"{key} (network)": _short(value) for key, value in options.items()}
    lines |= {f"{key} (rule)": _short(value) for key, value in preset.rules.items()}
    return lines | {key: f"{value:g}" for key, value in (usual | dict(preset.dials)).items()}


def described(name: str) -> str:
    """One preset with all its settings."""
    preset = PRESETS[name]
    named, rules = settings_text(preset), {f"{key} (rule)": _short(value) for key, value in usual_rules().items()}
    dials = {key: value for key, value in named.items() if key in vars(Hyperparams())}
    fixed = {"data": preset.data, "steps": f"{preset.steps:,}", "follows": preset.source}
    lines = fixed | {key: value for key, value in named.items() if key not in dials} | (rules | named)
    width = max(map(len, lines))
    head = [f"{name}: {preset.about}", *_told(preset, kept().get(name)), ""]
    return "\n".join([*head, *(f"{key:<{width}}  {value}".rstrip() for key, value in lines.items())])


def _short(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def table() -> str:
    """The table of docs/command.md."""
    held = kept()
    lines = [
        "| preset | what it is | data | steps | cost here | reaches | real samples |",
        "|---|---|---|---|---|---|---|",
    ]
    for preset in PRESETS.values():
        found = held.get(preset.name)
        first = f"| `{preset.name}` | {preset.about} | {preset.data} | {preset.steps:,} |"
        if found is None:
            lines.append(f"{first} not measured | not measured | |")
            continue
        scores = found.reached() or [(NOT_REACHED, "", "")]
        lines.append(
            f"{first} {found.cost()} | {'<br>'.join(f'{name} {score}'.strip() for name, score, _ in scores)} | "
            f"{'<br>'.join(real for _, _, real in scores)} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure a preset and keep what was found, or print the table."""
    parser = argparse.ArgumentParser(prog="python -m gan_jax.commands.measured", description=(__doc__ or "").strip(),
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("preset", nargs="?", choices=PRESETS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="fewer than a whole run, to try it; then nothing is kept")
    parser.add_argument("--cost", action="store_true", help="what a step takes on noise; trains nothing")
    parser.add_argument("--table", action="store_true", help="print the table of docs/command.md")
    words = list(sys.argv[1:] if arguments is None else arguments)
    asked = parser.parse_args(words)
    if asked.table or asked.preset is None:
        print(table())
        return 0
    command = f"python -m gan_jax.commands.measured {shlex.join(words)}"
    preset = PRESETS[asked.preset]
    found = cost(preset, command) if asked.cost else measure(preset, asked.seeds, command, steps=asked.steps)
    print(found.cost())
    if asked.steps is None:
        held = kept() | {found.preset: found}
        lines = {name: asdict(held[name]) for name in PRESETS if name in held}
        KEPT.write_text(json.dumps(lines, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
