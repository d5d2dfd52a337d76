"""Runs a published protocol, or its reduced form, over seeds and packings, and writes the scores where it is told.

    python -m gan_jax.protocols pacgan_ring --show                        # the settings and the stored results
    python -m gan_jax.protocols pacgan_ring --packing 1 2 --seeds 5       # the reduced form
    python -m gan_jax.protocols pacgan_ring --packing 1 2 --full          # the original; can be left running
    python -m gan_jax.protocols pacgan_ring --full --cost                 # how long that would take here

Ctrl-C saves; the same command goes on from there, bit for bit. Seeds that the file holds already are not run again.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tqdm.auto import tqdm

from ..errors import check_count
from . import records, runs
from .menu import PROTOCOLS
from .protocol import duration, per_second
from .settings import Settings


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m gan_jax.protocols",
        description=(__doc__ or "").strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=PROTOCOLS)
    parser.add_argument("--packing", type=int, nargs="+", default=[1, 2], help="samples that D judges together")
    parser.add_argument("--seeds", type=int, help="seeds 0, 1, ... so many; the form's own number when left out")
    parser.add_argument("--full", action="store_true", help="the original's settings, not the reduced ones")
    parser.add_argument("--steps", type=int, help="fewer or more steps than the form has")
    parser.add_argument("--out", type=Path, help="the file to add to; results/NAME_FORM.json when left out")
    parser.add_argument("--cost", action="store_true", help="measure the steps a second, and train nothing")
    parser.add_argument("--show", action="store_true", help="print settings and stored results, and do nothing")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0, or 130 after Ctrl-C."""
    chosen = parse(arguments)
    command = "python -m gan_jax.protocols " + shlex.join(sys.argv[1:] if arguments is None else arguments)
    protocol, form = PROTOCOLS[chosen.name], "full" if chosen.full else "reduced"
    if chosen.show:
        print(protocol.comparison(), protocol.results(form), sep="\n\n")
        return 0
    settings = protocol.settings(form)
    settings = settings if chosen.steps is None else replace(settings, steps=chosen.steps)
    for packing in chosen.packing:
        check_count(packing, "packing")
    path = chosen.out or Path("results") / f"{protocol.name}_{form}.json"
    header = replace(protocol.header(form), settings=settings.lines())
    records.like(path, header)  # refuses other settings before anything is computed
    seeds = settings.seeds if chosen.seeds is None else chosen.seeds
    check_count(seeds, "seeds")
    try:
        if chosen.cost:
            return _measure(settings, chosen.packing, path, header, command)
        return _run(settings, [(p, s) for s in range(seeds) for p in chosen.packing], path, header, command)
    except KeyboardInterrupt:
        print(f"\nstopped and saved; the same command goes on from there: {command}")
        return 130


def _measure(settings: Settings, packings: list[int], path: Path, header: records.Results, command: str) -> int:
    for packing in packings:
        cost = runs.cost(settings, packing, command)
        records.add(path, header, cost=cost)
        takes = duration(settings.steps / cost.steps_a_second)
        print(f"packing {packing}: {per_second(cost.steps_a_second)}, {takes} a seed ({cost.device})")
    return 0


def _run(settings: Settings, wanted: list, path: Path, header: records.Results, command: str) -> int:
    held = {(run.packing, run.seed) for run in records.like(path, header).runs}
    missing = [pair for pair in wanted if pair not in held]
    header = replace(header, perfect=runs.perfect(settings)) if missing else header
    records.write(path, records.like(path, header))  # from now on saves of other settings are refused too
    with tqdm(total=settings.steps * len(missing), unit="step", smoothing=0.05) as bar:
        for packing, seed in missing:
            bar.set_description(f"packing {packing}, seed {seed}")
            folder = path.with_suffix("") / f"packing_{packing}_seed_{seed}"
            run = runs.one(settings, packing, seed, command, folder=folder, progress=bar.update)
            records.add(path, header, run=run)
    print(records.like(path, header), f"\nwritten to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
