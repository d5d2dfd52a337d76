"""The same step on one device, on a mesh of eight, and in two processes: same losses, same weights, within rounding."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import data, nets, train
from gan_jax.errors import Diverged
from gan_jax.train import Gan, Hyperparams, loops

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent

# batch statistics, groups of a minibatch that lie across devices, and a penalty with random numbers of its own
GAME = """
import json, sys
import jax, jax.numpy as jnp, numpy as np
from gan_jax import data, losses, nets, train
from gan_jax.train import Gan, Hyperparams

gan = Gan(
    nets.mlp(2, 8, 64, output="tanh", normalisation="batch"),
    nets.mlp(64, 8, 8, 1, minibatch_stddev=8),
    penalty=losses.wgan_gp,
    batch_size=32,
)
hyper = Hyperparams(lr_g=1e-3, lr_d=1e-3, penalty_weight=1.0)
digits = data.digits()
start = lambda: train.init(gan, hyper, jax.random.key(0))

def apart(one, other):
    return max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in zip(one, other, strict=True))

def weights(state):
    return [np.asarray(leaf) for leaf in jax.tree.leaves((state.generator, state.discriminator, state.opt_d))]
"""

ON_EIGHT = """
from gan_jax.train import loops

one, lone = train.steps(gan, hyper, digits, start(), 10)
mesh = train.mesh()
placed = train.place(start(), mesh)
many, shared = train.steps(gan, hyper, digits, placed, 10, mesh=mesh)
chunks = list(train.run(gan, hyper, digits, placed, 10, chunk=4, mesh=mesh, progress=False))
ready = train.place(train.dials(gan, hyper), mesh)
program = loops._loop_compiled.lower(gan, 1024, mesh, ready, train.place(digits, mesh), placed, 20).compile().as_text()
try:
    train.steps(gan, hyper, digits, start(), 1, mesh=train.mesh(5))
except ValueError as error:
    refused = str(error)
print(json.dumps({
    "refused": refused,
    "devices": mesh.size,
    "losses": apart(lone, shared),
    "weights": apart(weights(one), weights(many)),
    "moved": apart(weights(one), weights(start())),
    "in chunks": apart(shared, train.join([history for _, history in chunks])),
    "chunks' weights": apart(weights(many), weights(chunks[-1][0])),
    "held by": len(jax.tree.leaves(many.generator)[0].sharding.device_set),
    "rows": [rows for rows in ("f32[4,8]", "f32[32,8]") if f"{rows}{{1,0}} dot(" in program],
    "sums over devices": program.count(" all-reduce("),
    "copies of a batch": program.count(" all-gather("),
}))
"""

STREAMED = """
stream = data.stream(np.asarray(digits.images), piece=256, peak=digits.peak)
mesh = train.mesh() if jax.process_count() > 1 else None
((state, history),) = train.run(gan, hyper, stream, start(), 12, chunk=12, mesh=mesh, donate=True, progress=False)
print(json.dumps({
    "devices": len(jax.tree.leaves(state.generator)[0].sharding.device_set),
    "losses": np.asarray(history).tolist(),
    "weights": [float(leaf.sum()) for leaf in weights(state)],
    "sample": float(state.sample(jax.random.key(1), 4).sum()),
}))
"""


def python(*programs, devices, cache):
    """Run Python on each program at the same time, with so many devices each; return what each printed last."""
    environment = os.environ | {
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(cache),  # a program whose text is read is not compiled for it once more
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "PYTHONPATH": str(ROOT),
    }
    with contextlib.ExitStack() as stack:
        running = []
        for program in programs:
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            process = subprocess.Popen([sys.executable, "-c", program], env=environment, cwd=ROOT, **pipes)
            running.append(stack.enter_context(process))
            stack.callback(process.kill)
        printed = [process.communicate(timeout=500) for process in running]
    for process, (out, err) in zip(running, printed, strict=True):
        assert process.returncode == 0, out + err
    return [json.loads(out.splitlines()[-1]) for out, _ in printed]


def test_a_step_on_eight_devices_is_the_step_on_one(tmp_path):
    (found,) = python(GAME + ON_EIGHT, devices=8, cache=tmp_path)
    assert found["devices"] == found["held by"] == 8
    assert found["moved"] > 0.01
    assert found["losses"] < 1e-5
    assert found["weights"] < 1e-5
    assert found["refused"].startswith("a batch of 32 cannot be shared evenly by 5 devices; ")
    assert "such as 35" in found["refused"]
    # chunks change no number
    assert found["in chunks"] == found["chunks' weights"] == 0
    # each device multiplies its own 4 of the 32 rows, and no device is sent the others' rows
    assert found["rows"] == ["f32[4,8]"]
    assert found["copies of a batch"] == 0 < found["sums over devices"]


@pytest.mark.once
def test_two_processes_train_as_one_device(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    join = f'import jax\njax.distributed.initialize("127.0.0.1:{port}", 2, {{}})\n'
    one, other = python(*(join.format(number) + GAME + STREAMED for number in (0, 1)), devices=2, cache=tmp_path)
    (alone,) = python(GAME + STREAMED, devices=1, cache=tmp_path)
    assert (one["devices"], alone["devices"]) == (4, 1)
    assert one == other
    np.testing.assert_allclose(one["losses"], alone["losses"], atol=1e-4)
    np.testing.assert_allclose(one["weights"], alone["weights"], atol=1e-3)


@pytest.fixture(scope="module")
def game():
    """A game whose programs are compiled once for this file."""
    return Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=8), Hyperparams(), data.ring(8)


def test_a_mesh_compiles_no_second_program_for_what_it_returned_itself(game):
    gan, hyper, ring = game
    mesh = train.mesh(1)
    state, _ = train.steps(gan, hyper, ring, train.init(gan, hyper, jax.random.key(0)), 5, mesh=mesh)
    programs = loops._loop_compiled._cache_size()
    train.steps(gan, hyper, ring, state, 5, mesh=mesh)
    assert loops._loop_compiled._cache_size() == programs


def gone(tree):
    return [leaf.is_deleted() for leaf in jax.tree.leaves(tree)]


def test_donated_memory_changes_no_number_and_is_gone_afterwards(game):
    gan, hyper, ring = game
    start, given = (train.init(gan, hyper, jax.random.key(0)) for _ in range(2))
    kept, first = train.steps(gan, hyper, ring, start, 20)
    after, history = train.steps(gan, hyper, ring, given, 20, donate=True)
    np.testing.assert_array_equal(history.loss_d, first.loss_d)
    assert all(gone(given))
    assert not any(gone(start))
    assert not any(gone(after))
    assert all(
        np.array_equal(a, b) for a, b in zip(*(jax.tree.leaves(s.generator) for s in (kept, after)), strict=True)
    )


def test_a_donating_loop_needs_less_memory(game, as_users_see_it):
    gan, hyper, ring = game
    state = train.init(gan, hyper, jax.random.key(0))
    arguments = gan, 1024, None, train.dials(gan, hyper), ring, state, 5
    plain, donating = (
        f.lower(*arguments).compile().memory_analysis() for f in (loops._loop_compiled, loops._loop_donating)
    )
    assert plain.alias_size_in_bytes == 0
    # all of the state's arrays are overwritten in place
    held = sum(leaf.nbytes for leaf in numbers(state))
    assert donating.alias_size_in_bytes >= held


def numbers(state):
    return [leaf for leaf in jax.tree.leaves(state) if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)]


@pytest.mark.parametrize("mesh", [None, train.mesh(1)])
def test_a_donating_run_that_diverges_still_has_its_last_good_state(game, mesh):
    gan, _, ring = game
    hyper = Hyperparams(lr_g=30.0, lr_d=30.0)
    errors = []
    for donate in (False, True):
        state = train.init(gan, hyper, jax.random.key(0))
        with pytest.raises(Diverged) as caught:
            list(train.run(gan, hyper, ring, state, 400, chunk=50, progress=False, mesh=mesh, donate=donate))
        errors.append(caught.value)
    plain, donating = errors
    assert plain.step == donating.step == int(donating.state.step) > 0
    assert all(np.array_equal(a, b) for a, b in zip(*(jax.tree.leaves(e.state.generator) for e in errors), strict=True))


def test_a_mesh_that_does_not_fit_is_refused(game, as_users_see_it):
    gan, hyper, ring = game
    state = train.init(gan, hyper, jax.random.key(0))
    with pytest.raises(ValueError, match=r"JAX sees \d+ .*xla_force_host_platform_device_count=64"):
        train.mesh(64)
    with pytest.raises(ValueError, match="devices must be a whole number of at least 1"):
        train.mesh(0)
    with pytest.raises(TypeError, match=r"expected a mesh such as train.mesh\(\)"):
        train.steps(gan, hyper, ring, state, 1, mesh=3)
    with pytest.raises(ValueError, match="the one axis 'batch'"):
        train.run(gan, hyper, ring, state, 1, mesh=jax.sharding.Mesh(np.array(jax.devices()[:1]), ("rows",)))
