"""A cache folder, or none, comes in; the seconds from a kernel's start to its first picture of a GAN go out."""

import os
import subprocess
import time
from pathlib import Path

from jupyter_client.manager import KernelManager

CELL = """
import jax
from gan_jax import data, nets, plots, train
from gan_jax.train import Gan, Hyperparams

target = data.ring(8)
gan = Gan(nets.mlp(2, 64, 64, 2), nets.mlp(2, 64, 64, 1))
state = train.init(gan, Hyperparams(), jax.random.key(0))
state, history = train.steps(gan, Hyperparams(), target, state, 100)
plots.frame(state, target, history)
"""


def seconds_to_picture(cache: Path | None) -> float:
    """Start a Jupyter kernel, train for 100 steps in it, and wait for the picture.

    Args:
        cache: folder of JAX's compilation cache; None switches the cache off.

    Raises:
        RuntimeError: the cell failed, or ended without a picture; the message holds its traceback.
    """
    environment = {**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "false"}
    if cache is not None:
        environment |= {
            "JAX_ENABLE_COMPILATION_CACHE": "true",
            "JAX_COMPILATION_CACHE_DIR": str(cache),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
    start = time.perf_counter()
    manager = KernelManager()
    manager.start_kernel(env=environment, stderr=subprocess.DEVNULL)
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=120)
        request = client.execute(CELL)
        while True:
            message = client.get_iopub_msg(timeout=300)
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if "data:image/png" in content.get("data", {}).get("text/html", ""):
                return time.perf_counter() - start
            if kind == "error":
                raise RuntimeError("\n".join(content["traceback"]))
            if kind == "status" and content["execution_state"] == "idle":
                raise RuntimeError("the cell ended without a picture")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
