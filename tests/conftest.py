"""Every test runs JAX strictly: a silent broadcast raises, and so does every warning (pyproject.toml)."""

import itertools
import signal

import jax
import jaxtyping
import pytest

from gan_jax import data, nets, theory
from gan_jax.train import Gan

# a process that a script starts in the background ignores Ctrl-C, which tests of interruptions send
signal.signal(signal.SIGINT, signal.default_int_handler)
jax.config.update("jax_numpy_rank_promotion", "raise")  # catches (n,) - (n, 1), the classic GAN bug


_tests = itertools.count(1)


@pytest.fixture(autouse=True)
def _forget_programs():
    """Lets go of compiled programs now and then: thousands of them fill the memory, and a process's table of maps."""
    yield
    if next(_tests) % 200 == 0:
        jax.clear_caches()


@pytest.fixture
def ring():
    return data.ring(8)


@pytest.fixture
def small_gan():
    """A GAN that compiles in a second."""
    return Gan(nets.mlp(2, 16, 2), nets.mlp(2, 16, 1), batch_size=32)


@pytest.fixture
def as_users_see_it():
    """Switches the signatures' checks off, so that a test of a bad argument sees the message that a user sees."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="module")
def optimised():
    """XLA's optimisations, which `make test` switches off: for programs whose rounding is compared over many steps."""
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture
def float64():
    """Double precision in JAX, for comparisons to 1e-6 and better."""
    with theory.double_precision():
        yield
