"""The counter of compilations counts what JAX really compiles."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax import explorer, losses
from gan_jax.explorer.compilations import CONTROLS, NAMES, Counted, Players, train_step


def counts(live):
    return [int(live.scene.number(words)) for words in NAMES.values()]


@pytest.fixture
def live():
    return explorer.compilations()


def test_a_new_learning_rate_compiles_all_but_the_argument(live):
    assert counts(live) == [1, 1, 1]
    for moves, lr in enumerate((0.02, 0.05, 0.2), start=2):
        live.set("lr", lr)
        assert counts(live) == [moves, moves, 1]


def test_a_rate_seen_before_compiles_the_constant_only(live):
    for lr in (0.2, 0.1, 0.2):
        live.set("lr", lr)
    assert counts(live) == [4, 2, 1]
    assert "A rate seen before" in live.scene.remark


def test_a_new_batch_size_compiles_every_version(live):
    for moves, size in enumerate((32, 128), start=2):
        live.set("batch_size", size)
        assert counts(live) == [moves] * 3
        assert "new shape" in live.scene.remark
    live.set("batch_size", 32)
    assert counts(live) == [3] * 3
    assert "Nothing new" in live.scene.remark


def test_nothing_new_compiles_nothing(live):
    live.set("lr", 0.1)
    live.reset()
    assert counts(live) == [1, 1, 1]


def test_each_widget_counts_its_own_programs(live):
    live.set("lr", 0.2)
    assert counts(explorer.compilations()) == [1, 1, 1]
    assert counts(live) == [2, 2, 1]


def test_the_counts_are_those_of_jax():
    """The same as the number of programs that JAX says it has compiled while the step was called."""
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda name, seconds, **_: compiled.append(name) if name.endswith("backend_compile_duration") else None
    )
    steps = Counted()
    steps.call(0.03, 16)  # draws the batch, which has programs of its own
    steps.call(0.04, 16)
    before, counted = len(compiled), steps.compiled.total()
    for lr in (0.05, 0.04, 0.05):
        steps.call(lr, 16)
    assert len(compiled) - before == steps.compiled.total() - counted == 4


def test_the_three_versions_take_the_same_step():
    """And it is that of the losses, with Optax."""
    rng = np.random.default_rng(0)
    real, z = (jnp.asarray(rng.normal(size=32), jnp.float32) for _ in range(2))
    players = Players(*(jnp.float32(value) for value in (0.5, -1.0, 0.25)))
    logit = lambda p, x: p.slope * x + p.offset  # noqa: E731
    gradient = Players(
        jax.grad(lambda p: losses.nonsaturating.generator(logit(p, real), logit(p, p.theta + z)))(players).theta,
        *jax.grad(lambda p: losses.nonsaturating.discriminator(logit(p, real), logit(p, p.theta + z)))(players)[1:],
    )
    sgd = optax.sgd(0.1)
    change, _ = sgd.update(gradient, sgd.init(players))
    expected = np.array(optax.apply_updates(players, change))
    np.testing.assert_allclose(np.array(train_step(players, real, z, 0.1)), expected, rtol=1e-5)
    np.testing.assert_allclose(np.array(jax.jit(train_step)(players, real, z, jnp.float32(0.1))), expected, rtol=1e-5)


def test_the_picture_says_what_it_shows(live):
    live.set("lr", CONTROLS[0].high)
    assert "2 settings" in live.scene.words
    assert "2 as a constant in the code, 2 as a static argument, 1 as an array argument" in live.scene.words
    assert live.scene.remark
