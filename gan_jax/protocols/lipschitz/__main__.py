"""Runs a comparison of ways to hold a critic's slope, over seeds, and writes the scores where it is told.

python -m gan_jax.protocols.lipschitz digits                # all methods, 5 seeds
python -m gan_jax.protocols.lipschitz clouds --seeds 10
python -m gan_jax.protocols.lipschitz digits --show         # what is stored
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from ..runs import LIBRARIES, device, today
from . import clouds, digits
from .comparison import EXPERIMENTS, stored, write


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m gan_jax.protocols.lipschitz",
        description=(__doc__ or "").strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=EXPERIMENTS)
    parser.add_argument("--seeds", type=int, default=digits.SEEDS, help="seeds 0, 1, ... so many")
    parser.add_argument("--updates", type=int, default=digits.UPDATES, help="of a network; only for the digits")
    parser.add_argument("--methods", nargs="+", choices=digits.METHODS, help="all when left out; only for the digits")
    parser.add_argument("--out", type=Path, help="the file to write; results/lipschitz_NAME.json when left out")
    parser.add_argument("--show", action="store_true", help="print what is stored, and do nothing")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says."""
    asked = parse(arguments)
    if asked.show:
        print(stored(asked.name))
        return 0
    words = [asked.name, "--seeds", f"{asked.seeds}"]  # what decides the numbers
    if asked.name == "digits":
        words += ["--updates", f"{asked.updates}", *(["--methods", *asked.methods] if asked.methods else [])]
    made = {
        "command": f"python -m gan_jax.protocols.lipschitz {' '.join(words)}",
        "date": today(),
        "device": device(),
        **{name: version(name) for name in LIBRARIES},
    }
    if asked.name == "digits":
        found = digits.compare(asked.seeds, made, updates=asked.updates, names=asked.methods, tell=_tell)
    else:
        found = clouds.compare(asked.seeds, made)
    path = asked.out or Path("results") / f"lipschitz_{asked.name}.json"
    write(path, found)
    print(found, f"\nwritten to {path}")
    return 0


def _tell(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
