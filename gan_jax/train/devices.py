"""Devices come in, a mesh goes out; a step is laid over it: every device holds the state, each takes part of a batch.

A step on a mesh is the step on one device, cut up by XLA: the batch is drawn as one, with the same random numbers, and
each device works on its rows. Where the rows meet (a mean in a loss, a batch statistic, a gradient) XLA adds a sum over
the devices. So loss, batch norm and minibatch statistics are those of the whole batch; only the order of sums differs.

Several processes, each with devices of its own, are one mesh as well. Every process runs the same program; before
anything else of JAX it says who it is, `jax.distributed.initialize("10.0.0.1:1234", num_processes=2, process_id=0)`
(on Cloud TPU, Slurm and Open MPI without arguments), and from then on `mesh()` takes the devices of all of them.
"""

from collections.abc import Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ..errors import check_count
from .rules import Gan

AXIS = "batch"
Tree = TypeVar("Tree")


def mesh(devices: int | Sequence | None = None) -> Mesh:
    """Put devices in a row, to share each batch.

    Args:
        devices: how many of those there are, or which ones; all of them when left out, those of other processes too.

    Returns:
        A JAX mesh with the one axis "batch", for `steps` and `run`.

    Raises:
        ValueError: more devices than there are.

    >>> mesh(1).shape["batch"]
    1
    >>> mesh(4096)
    Traceback (most recent call last):
    ...
    ValueError: a mesh of 4096 devices was asked for, and JAX sees ...
    """
    if isinstance(devices, Sequence):
        check_count(len(devices), "the number of devices")
        return Mesh(np.array(devices), (AXIS,))
    there = jax.devices()
    if devices is None:
        return Mesh(np.array(there), (AXIS,))
    check_count(devices, "devices")
    if devices > len(there):
        raise ValueError(
            f"a mesh of {devices} devices was asked for, and JAX sees {len(there)} ({there[0].platform}); to try one "
            f"on a CPU, set XLA_FLAGS=--xla_force_host_platform_device_count={devices} before JAX starts"
        )
    return Mesh(np.array(there[: int(devices)]), (AXIS,))


def check_mesh(gan: Gan, mesh: Mesh | None) -> None:
    """Raise unless a batch of this GAN can be shared evenly by the mesh.

    Raises:
        TypeError: no mesh.
        ValueError: another axis than "batch", or a batch size that the devices do not divide.
    """
    if mesh is None:
        return
    if not isinstance(mesh, Mesh):
        raise TypeError(f"expected a mesh such as train.mesh(), got {mesh!r}")
    if mesh.axis_names != (AXIS,):
        raise ValueError(f"the mesh must have the one axis {AXIS!r}, as train.mesh() makes it; got {mesh.axis_names}")
    if gan.batch_size % mesh.size:
        nearest = -(-gan.batch_size // mesh.size) * mesh.size
        raise ValueError(
            f"a batch of {gan.batch_size} cannot be shared evenly by {mesh.size} devices; "
            f"take a batch_size that is a multiple of {mesh.size}, such as {nearest}, or another number of devices"
        )


def whole(tree: Tree, mesh: Mesh | None) -> Tree:
    """Say, inside `jit`, that every device holds all of these arrays; without a mesh change nothing."""
    return tree if mesh is None else jax.lax.with_sharding_constraint(tree, NamedSharding(mesh, PartitionSpec()))


def place(tree: Tree, mesh: Mesh | None) -> Tree:
    """Copy arrays to every device of the mesh; what is there already stays where it is.

    Args:
        tree: a state, dials, a target: any pytree. Where there are several processes, each has the same numbers.
        mesh: see `mesh`; None changes nothing.

    Returns:
        The same tree, with arrays that the whole mesh holds.

    >>> place({"weights": jnp.ones(3)}, mesh(1))["weights"].sharding.is_fully_replicated
    True
    """
    if mesh is None:
        return tree
    there = NamedSharding(mesh, PartitionSpec())

    def put(leaf):
        if isinstance(leaf, jax.Array) and leaf.sharding == there:
            return leaf
        # of one device, this only gives the sharding the mesh's name: under another, `jit` would compile once more
        if there.is_fully_addressable:
            return jax.device_put(leaf, there)
        if isinstance(leaf, jax.Array) and leaf.sharding.is_equivalent_to(there, leaf.ndim):
            return leaf
        if _is_key(leaf):
            return jax.random.wrap_key_data(put(jax.random.key_data(leaf)), impl=jax.random.key_impl(leaf))
        return jax.make_array_from_process_local_data(there, np.asarray(leaf))

    return jax.tree.map(put, tree)


def kept(tree: Tree) -> Tree:
    """Copy arrays to the host, out of the reach of a donation: NumPy arrays, and random keys as keys."""

    def copy(leaf):
        if _is_key(leaf):
            return jax.random.wrap_key_data(
                jnp.asarray(np.array(jax.random.key_data(leaf))), impl=jax.random.key_impl(leaf)
            )
        return np.array(leaf)

    return jax.tree.map(copy, tree)


def _is_key(leaf: object) -> bool:
    return isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
