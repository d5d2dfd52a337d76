"""The words of a command line come in; what they ask for is done, and an exit status goes out.

0: done. 1: something outside failed, or training diverged. 2: the call has no meaning. 130, 143: stopped by Ctrl-C or
by the system; what was done is saved, and the command to go on with is printed.
"""

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from .. import train
from ..errors import UnknownName
from . import pictures, scoring, training
from .faults import Failed, WrongCall
from .folder import Folder
from .presets import PRESETS
from .settings import choose
from .sources import SOURCES

PROGRAM = "python -m gan_jax"


def _whole(text: str, least: int = 1) -> int:
    """A whole number, also written 1e5 or 60_000."""
    try:
        number = float(text)
        if number != int(number) or number < least:
            raise ValueError
    except (OverflowError, ValueError):
        raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text!r}") from None
    return int(number)


def _from_0(text: str) -> int:
    return _whole(text, 0)


def _seed(text: str) -> int:
    if (number := _whole(text, 0)) >= 2**32:
        raise argparse.ArgumentTypeError(f"expected a seed below {2**32:,}, got {text!r}")
    return number


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Train GANs, look at what they make, and score it.",
        epilog=f"{PROGRAM} presets shows the presets, what each costs and reaches.",
    )
    actions = top.add_subparsers(dest="action", required=True, metavar="{presets,train,sample,evaluate}")

    shown = actions.add_parser("presets", help="show the presets, what each costs and reaches")
    shown.add_argument("name", nargs="?", metavar="PRESET", help="show all that can be set in one, with its value")

    begin = actions.add_parser(
        "train",
        help="train a GAN, or go on with one",
        description=(
            "Train a preset and write it down in a folder. The same command goes on from the last save, bit for bit."
        ),
    )
    begin.add_argument("preset", metavar="PRESET", help=f"one of {', '.join(PRESETS)}")
    begin.add_argument("--data", metavar="NAME", help=f"real samples: {', '.join(SOURCES)} (default: the preset's)")
    begin.add_argument("--steps", type=_whole, metavar="N", help="step at which the run ends (default: the preset's)")
    begin.add_argument("--folder", type=Path, metavar="OUT", help="folder of the run (default: runs/PRESET)")
    begin.add_argument(
        "--seed", type=_seed, default=0, metavar="N", help="number all randomness follows from (default: 0)"
    )
    begin.add_argument(
        "--devices", type=_whole, default=1, metavar="N", help="devices that share each batch (default: 1)"
    )
    begin.add_argument(
        "--set",
        action="append",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        dest="changes",
        help="dials (lr_g=2e-4), rules (batch_size=128), networks (width=32); `presets PRESET` lists all",
    )
    begin.add_argument(
        "--every",
        type=_whole,
        metavar="N",
        help="steps between two pictures, scores and saves (default: a twentieth of --steps)",
    )
    begin.add_argument(
        "--log", type=_whole, metavar="N", help="steps between two rows of metrics.csv (default: a tenth of --every)"
    )
    begin.add_argument(
        "--scored",
        type=_from_0,
        metavar="N",
        default=1000,
        help="samples for each score while training, 0 for no scores (default: 1000)",
    )
    begin.add_argument("--quiet", action="store_true", help="do not say how far it is")

    draw = actions.add_parser(
        "sample",
        help="draw samples of a trained GAN",
        description="Draw samples into a picture (.png) or an array (.npy).",
    )
    draw.add_argument("--folder", type=Path, required=True, metavar="OUT", help="folder of the run")
    draw.add_argument("--n", type=_whole, metavar="N", help="samples (default: a sheet of images, or 1000 points)")
    draw.add_argument("--out", type=Path, metavar="FILE", help=".png or .npy to write (default: OUT/samples.png)")
    draw.add_argument("--label", type=int, metavar="N", help="class of all samples, of a generator that is told labels")

    judge = actions.add_parser(
        "evaluate",
        help="score a trained GAN",
        description="Score samples, each score beside what as many real samples get.",
    )
    judge.add_argument("--folder", type=Path, required=True, metavar="OUT", help="folder of the run")
    judge.add_argument(
        "--n",
        type=_whole,
        default=2500,
        metavar="N",
        help="samples; of images, half of the data at most (default: 2500)",
    )

    for action in (draw, judge):
        action.add_argument("--step", type=int, metavar="N", help="step of the save to take (default: the last one)")
        action.add_argument("--seed", type=_seed, default=1, metavar="N", help="seed of the latents (default: 1)")
        action.add_argument("--averaged", action="store_true", help="take the running average of G's weights")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says.

    Args:
        arguments: its words; those of this process when left out.

    Returns:
        The exit status.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    asked = parser().parse_args(words)
    actions = {"presets": _presets, "train": _train, "sample": _sample, "evaluate": _evaluate}
    try:
        return actions[asked.action](asked, f"{PROGRAM} {shlex.join(words)}")
    except (WrongCall, Failed) as fault:
        print(f"error: {fault}", file=sys.stderr)
        return fault.status
    except BrokenPipeError:  # `... | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(f"\nstopped before anything was done; once more: {PROGRAM} {shlex.join(words)}")
        return 128 + signal.SIGINT


def _presets(asked: argparse.Namespace, _: str) -> int:
    from .measured import described, overview

    try:
        print(overview() if asked.name is None else described(asked.name))
    except UnknownName as error:
        raise WrongCall(str(error)) from error
    return 0


def _train(asked: argparse.Namespace, command: str) -> int:
    changes = [change for group in asked.changes for change in group]
    settings = choose(asked.preset, data=asked.data, seed=asked.seed, changes=changes)
    steps = asked.steps or PRESETS[asked.preset].steps
    every = asked.every or max(steps // 20, 1)
    pace = training.Pace(steps, every, asked.log or max(every // 10, 1), asked.scored)
    mesh = training.across(settings, asked.devices)
    scoring.check_scored(settings.target(), asked.scored)
    folder = Folder(asked.folder or Path("runs") / asked.preset)
    state = training.start(folder, settings, print, asked.devices)
    if int(state.step) >= steps:
        print(f"{folder.path} stands at step {int(state.step):,} already; ask for more with --steps")
        return 0
    try:
        stopped = training.run(folder, settings, state, pace, quiet=asked.quiet, mesh=mesh)
    except KeyboardInterrupt:
        print(f"\nstopped at once; saved up to step {folder.step:,}. To go on: {command}")
        return 128 + signal.SIGINT
    if stopped:
        print(f"\nstopped and saved at step {folder.step:,}. To go on: {command}")
        return 128 + stopped
    print(f"step {steps:,} reached; pictures, numbers and saves are in {folder.path}\n"
          f"next: {PROGRAM} evaluate --folder {shlex.quote(str(folder.path))}")  # fmt: skip
    return 0


def _opened(asked: argparse.Namespace):
    folder = Folder(asked.folder)
    settings = folder.settings()
    like = train.init(settings.gan(), settings.hyper(), jax.random.key(0))
    return folder, settings, folder.load(like, settings, asked.step)


def _sample(asked: argparse.Namespace, _: str) -> int:
    out = asked.out or asked.folder / "samples.png"
    if out.suffix not in (".png", ".npy"):
        raise WrongCall(f"--out must end in .png, for a picture, or .npy, for an array; got {out}")
    _, settings, state = _opened(asked)
    plane = len(settings.shape) == 1
    samples, columns = scoring.draw(state, plane, asked.seed, n=asked.n, averaged=asked.averaged, label=asked.label)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.suffix == ".npy":
            np.save(out, samples, allow_pickle=False)
        else:
            real = settings.target().sample(jax.random.key(1), 1000) if plane else None
            pictures.write(out, samples, settings.shape, columns=columns, real=real, title=f"Step {int(state.step):,}")
    except OSError as error:
        raise Failed(f"{out} cannot be written: {error}") from error
    print(f"{len(samples):,} samples of step {int(state.step):,} are in {out}")
    return 0


def _evaluate(asked: argparse.Namespace, _: str) -> int:
    folder, settings, state = _opened(asked)
    card = scoring.scorecard(state, settings.target(), asked.n, seed=asked.seed, averaged=asked.averaged)
    print(f"{folder.path}: {settings.preset} on {settings.data}, step {int(state.step):,}\n{card}")
    return 0
