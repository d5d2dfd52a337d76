"""One GAN comes in, trained on 1, 2, 4 and 8 devices; how fast each mesh steps goes out, and what an all-reduce takes.

    .venv/bin/python benchmarks/devices.py             # a table on the screen
    .venv/bin/python benchmarks/devices.py --write     # and into gan_jax/explorer/scaling.json, which lesson 13 shows

Where JAX sees fewer devices than asked for, as on a laptop, they are virtual: XLA cuts the CPU into so many. They share
its cores, so they show that a program is right, and what sharing a batch costs; they cannot make it faster.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from datetime import date
from pathlib import Path

COUNTS = (1, 2, 4, 8)
RESULTS = Path(__file__).parents[1] / "gan_jax" / "explorer" / "scaling.json"


def measure(repeats: int, steps: int) -> dict:
    """Time the same global batch, and the same batch a device, on each mesh; and all-reduces of growing size."""
    import jax
    import jax.numpy as jnp
    from jax.sharding import NamedSharding, PartitionSpec

    from gan_jax import data, nets, train
    from gan_jax.train import Gan, Hyperparams

    digits = data.digits()
    hyper = Hyperparams(lr_g=2e-4, lr_d=2e-4)

    def rates(count: int, batch: int) -> list[float]:
        gan = Gan(
            nets.mlp(64, 256, 256, 64, activation="leaky_relu", output="tanh"),
            nets.mlp(64, 256, 256, 1, activation="leaky_relu"),
            batch_size=batch,
        )
        mesh = train.mesh(count)
        state = train.place(train.init(gan, hyper, jax.random.key(0)), mesh)
        target = train.place(digits, mesh)
        state, _ = train.steps(gan, hyper, target, state, 5, mesh=mesh)  # compiles
        found = []
        for _ in range(repeats):
            start = time.perf_counter()
            state, _ = train.steps(gan, hyper, target, state, steps, mesh=mesh)
            found.append(steps * batch / (time.perf_counter() - start))
        return found

    def all_reduce(count: int, numbers: int) -> list[float]:
        mesh = train.mesh(count)
        rows = jax.device_put(jnp.ones((count, numbers)), NamedSharding(mesh, PartitionSpec("batch")))
        whole = NamedSharding(mesh, PartitionSpec())
        total = jax.jit(lambda x: jnp.sum(x, axis=0), out_shardings=whole)
        total(rows).block_until_ready()
        found = []
        for _ in range(max(repeats, 5)):
            start = time.perf_counter()
            for _ in range(5):
                total(rows).block_until_ready()
            found.append((time.perf_counter() - start) / 5)
        return found

    mid = lambda values: [statistics.median(values), min(values), max(values)]  # noqa: E731
    counts = [count for count in COUNTS if count <= len(jax.devices())]
    kinds = {device.device_kind for device in jax.devices()}
    return {
        "machine": f"{os.cpu_count()} cores, {platform.system()}; {len(jax.devices())} devices ({', '.join(kinds)}"
        f"{', virtual' if kinds == {'cpu'} else ''}); jax {jax.__version__}; {date.today():%Y-%m-%d}",
        "load": os.getloadavg()[0],
        "command": " ".join([".venv/bin/python", "benchmarks/devices.py", *sys.argv[1:]]),
        "unit": "images a second: median, lowest, highest",
        "devices": counts,
        "global batch": 256,
        "one batch for all": [mid(rates(count, 256)) for count in counts],
        "batch a device": 64,
        "as much for each": [mid(rates(count, 64 * count)) for count in counts],
        "all-reduce of 4-byte numbers": {
            str(numbers): [mid(all_reduce(count, numbers)) for count in counts if count > 1]
            for numbers in (10**3, 10**5, 10**6, 3 * 10**6)
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure one GAN on meshes of 1 to 8 devices.")
    parser.add_argument("--repeats", type=int, default=7, help="timings of each (7)")
    parser.add_argument("--steps", type=int, default=50, help="in a timing (50)")
    parser.add_argument("--write", action="store_true", help=f"keep the results in {RESULTS.name}")
    chosen = parser.parse_args()
    # for the CPU alone: where there are real devices, those are taken
    os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count={COUNTS[-1]}")
    found = measure(chosen.repeats, chosen.steps)
    print(f"{found['machine']}; load average {found['load']:.1f}\n")
    print("| devices | batch of 256 shared, images/s | 64 each, images/s |\n|---|---|---|")
    for count, shared, each in zip(
        found["devices"], found["one batch for all"], found["as much for each"], strict=True
    ):
        texts = [f"{middle:,.0f} [{low:,.0f}, {high:,.0f}]" for middle, low, high in (shared, each)]
        print(f"| {count} | {texts[0]} | {texts[1]} |")
    for numbers, times in found["all-reduce of 4-byte numbers"].items():
        print(f"all-reduce of {int(numbers):,} numbers: " + ", ".join(f"{1e3 * row[0]:.2f} ms" for row in times))
    if chosen.write:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
