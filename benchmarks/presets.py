"""Names of presets come in; a table goes out: what is claimed of each, and what each seed scored.

python benchmarks/presets.py                        # all, from 24 seeds: about four minutes of computing
python benchmarks/presets.py ring thread --seeds 8
"""

import argparse

from gan_jax.lab.presets import PRESETS, SEEDS, table


def main() -> None:
    """Print the table of the presets that are named, of all when none is."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(PRESETS))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    given = parser.parse_args()
    for name in given.names or PRESETS:
        print(table([PRESETS[name]], given.seeds), flush=True)


if __name__ == "__main__":
    main()
