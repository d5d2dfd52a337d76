"""Print what each layer, measure and answer of the lab costs: `python benchmarks/layers.py`, on a quiet machine."""

import statistics
import sys
import time

from gan_jax import lab
from gan_jax.lab import densities, layers, measures, stability

PICTURE = ("heat", "fake", "manifold", "gradients")


def milliseconds(function, repeats):
    """Median and least of the wall clock over repeated calls, after one that compiles."""
    began = time.perf_counter()
    function()
    first, taken = time.perf_counter() - began, []
    for _ in range(repeats):
        began = time.perf_counter()
        function()
        taken.append(1e3 * (time.perf_counter() - began))
    return statistics.median(taken), min(taken), first


def anew(session, function):
    """The function on a state that nothing is known of yet, as each picture finds it."""

    def call():
        densities._MOMENTS.pop(session, None)
        return function(session)

    return call


def main(steps):
    session = lab.Session()
    session.advance(min(steps, 1024))
    rows = {f"layer {name}": (layer.compute, 50) for name, layer in lab.LAYERS.items()}
    rows["picture: " + ", ".join(PICTURE)] = (lambda s: [lab.LAYERS[name].compute(s) for name in PICTURE], 50)
    rows |= {
        f"measure {name}": (m.compute, 3 if name in ("rightmost", "w2") else 30) for name, m in lab.MEASURES.items()
    }
    rows["answer probe"] = (lambda s: layers.probe(s, 0.5, 0.2), 10)
    rows["answer reliability"] = (measures.reliability, 10)
    rows["answer spectrum"] = (stability.spectrum, 3)
    print(f"{'milliseconds':48s} {'median':>8s} {'least':>8s} {'first':>8s}")
    for name, (function, repeats) in rows.items():
        median, least, first = milliseconds(anew(session, function), repeats)
        print(f"{name:48s} {median:8.2f} {least:8.2f} {1e3 * first:8.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
