"""A GPU comes in; how fast it trains a DCGAN goes out: steps and images a second, the share of its peak, and memory.

    make bench-gpu                                                          # needs JAX with CUDA
    .venv/bin/python benchmarks/gpu.py --batches 256 --width 128            # another size
    .venv/bin/python benchmarks/gpu.py --cpu --width 8 --batches 64 --seconds 1   # try the command without a GPU

The step's products and sums are those that XLA counts in the compiled program. The peak is measured: the best of a few
large matrix products, in the same precision, on the same device; where the vendor's number is known it stands beside.
"""

import argparse
import importlib.metadata
import sys
import time

import jax
import jax.numpy as jnp

from gan_jax import data, nets, train
from gan_jax.train import Gan, Hyperparams

VENDORS_PEAK = {"A100": 312e12, "H100": 989e12, "H200": 989e12, "L4": 121e12}
"""FLOP/s in bfloat16 without sparsity, by a part of the device's name (NVIDIA's data sheets; SXM where it exists)."""

PRECISIONS = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


def measured_peak(dtype: jnp.dtype, n: int) -> float:
    """FLOP/s of the best of ten n x n matrix products."""
    product = jax.jit(lambda a: a @ a)
    a = jnp.ones((n, n), dtype)
    product(a).block_until_ready()
    best = float("inf")
    for _ in range(10):
        start = time.perf_counter()
        product(a).block_until_ready()
        best = min(best, time.perf_counter() - start)
    return 2 * n**3 / best


def flops_a_step(gan: Gan, hyper: Hyperparams, target: data.Target, state: train.State) -> float:
    """Products and sums of one step, as XLA counts them in its program."""
    compiled = jax.jit(lambda state: train.step(gan, hyper, target, state)).lower(state).compile()
    costs = compiled.cost_analysis()
    return float((costs[0] if isinstance(costs, list) else costs)["flops"])


def measure(precision: str, batch: int, width: int, seconds: float) -> tuple[float, float]:
    """Train for a while; return steps a second and FLOPs a step."""
    pixels = jax.random.randint(jax.random.key(0), (10_000, 28, 28), 0, 256).astype(jnp.uint8)
    target = data.dataset(pixels, flat=False)  # the speed does not depend on what they show
    gan = Gan(
        nets.dcgan_generator(100, (28, 28, 1), width),
        nets.dcgan_discriminator((28, 28, 1), width),
        batch_size=batch,
        precision=precision,
    )
    hyper = Hyperparams(lr_g=2e-4, lr_d=2e-4)
    state = train.init(gan, hyper, jax.random.key(0))
    flops = flops_a_step(gan, hyper, target, state)
    chunk = 1
    while True:  # chunks long enough that Python's part is small, and the first ones warm up
        start = time.perf_counter()
        state, _ = train.steps(gan, hyper, target, state, chunk)
        if time.perf_counter() - start > seconds / 5 or chunk >= 512:
            break
        chunk *= 2
    taken, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        state, _ = train.steps(gan, hyper, target, state, chunk)
        taken += chunk
    return taken / elapsed, flops


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure a DCGAN's training on a GPU.")
    parser.add_argument("--cpu", action="store_true", help="run on the CPU, to try the command")
    parser.add_argument("--width", type=int, default=64, help="channels of the layer nearest to the image (64)")
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 256, 1024], help="batch sizes")
    parser.add_argument("--seconds", type=float, default=10.0, help="to train for, in each row (10)")
    chosen = parser.parse_args()
    device = jax.devices()[0]
    if device.platform != "gpu" and not chosen.cpu:
        print(f"No GPU: JAX {jax.__version__} sees {device.device_kind} ({device.platform}), nothing to measure.")
        print("On a machine with a GPU, install jax[cuda12]; here --cpu tries the command.")
        return 1

    known = next((peak for name, peak in VENDORS_PEAK.items() if name in device.device_kind), None)
    peaks = {
        name: measured_peak(dtype, 8192 if device.platform == "gpu" else 1024) for name, dtype in PRECISIONS.items()
    }
    print(f"{device.device_kind}, jax {jax.__version__}, flax {importlib.metadata.version('flax')}")
    for name, peak in peaks.items():
        beside = f", by the vendor {known / 1e12:,.0f}" if known and name == "bfloat16" else ""
        print(f"peak in {name}: {peak / 1e12:,.2f} TFLOP/s measured{beside}")
    print("\n| DCGAN 28x28 | batch | steps/s | images/s | GFLOP a step | TFLOP/s | share of peak |")
    print("|---|---|---|---|---|---|---|")
    for batch in chosen.batches:
        for name in PRECISIONS:
            speed, flops = measure(name, batch, chosen.width, chosen.seconds)
            cells = [f"width {chosen.width}, {name}", f"{batch}", f"{speed:,.1f}", f"{speed * batch:,.0f}"]
            cells += [f"{flops / 1e9:,.2f}", f"{speed * flops / 1e12:,.3f}", f"{speed * flops / peaks[name]:.1%}"]
            print(f"| {' | '.join(cells)} |", flush=True)
    if statistics := device.memory_stats():
        print(f"\nmemory at the most: {statistics['peak_bytes_in_use'] / 1e9:.2f} GB")
    print(f"\nCommand: .venv/bin/python benchmarks/gpu.py {' '.join(sys.argv[1:])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
