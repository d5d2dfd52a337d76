"""A sweep is many runs: the same steps, however they are cut up, on however many devices, in one go or with breaks."""

import itertools
import os
import signal
import subprocess
import sys
import weakref
from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import checkpoints, data, losses, metrics, nets, train
from gan_jax.errors import Interrupted
from gan_jax.train import Gan, Hyperparams, blocks

pytestmark = pytest.mark.once

KEYS = jax.random.split(jax.random.key(0), 3)
GRID = {"lr_g": [1e-3, 3e-3], "beta1": [0.0, 0.5, 0.9]}
SMALL = Gan(nets.mlp(2, 16, 2), nets.mlp(2, 16, 1), batch_size=32)
RING = data.ring(8)


def swept(n=60, *, gan=SMALL, hypers=GRID, **options):
    return train.sweep(gan, hypers, RING, KEYS, n, progress=False, **options)


def leaves(tree):
    return [np.asarray(jax.random.key_data(x) if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) else x)
            for x in jax.tree.leaves(tree)]  # fmt: skip


def equal(a, b):
    """Bit for bit, states and history."""
    same = [np.array_equal(x, y) for x, y in zip(leaves(a.states), leaves(b.states), strict=True)]
    return all(same) and a.history.equals(b.history)


def close(a, b, **tolerance):
    for x, y in zip(leaves(a), leaves(b), strict=True):
        np.testing.assert_allclose(x, y, **tolerance)


@pytest.fixture(scope="module", autouse=True)
def _on_two_cores():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "cores", lambda: 2)
        yield


@pytest.fixture(scope="module")
def whole():
    return swept()


@pytest.fixture(scope="module")
def side_by_side():
    """Two settings that differ in every dial; a swapped pair would show."""
    gan = replace(SMALL, penalty=losses.r1)
    values = {"lr_g": 2e-3, "lr_d": 3e-3, "weight_clip": 0.7, "instance_noise": 0.1, "noise_steps": 8.0}
    values |= {
        "penalty_weight": 3.0,
        "label_smoothing": 0.1,
        "beta1": 0.3,
        "beta2": 0.9,
        "ema_decay": 0.8,
        "auxiliary_weight": 2.0,
    }
    settings = [Hyperparams(instance_noise=0.2), Hyperparams(**values)]
    return gan, settings, swept(10, gan=gan, hypers=jax.tree.map(lambda *each: np.array(each), *settings))


# ---- what a sweep is ----


def test_a_sweep_is_many_runs(whole):
    assert whole.dims == ("lr_g", "beta1", "seed")
    assert dict(whole.history.loss_d.sizes) == {"lr_g": 2, "beta1": 3, "seed": 3, "step": 60}
    for lr_g, beta1, seed in itertools.product(*GRID.values(), range(3)):
        hyper = Hyperparams(lr_g=lr_g, beta1=beta1)
        alone, history = train.steps(SMALL, hyper, RING, train.init(SMALL, hyper, KEYS[seed]), 60)
        curves = whole.curves(lr_g=lr_g, beta1=beta1, seed=seed)
        close(whole.pick(lr_g=lr_g, beta1=beta1, seed=seed), alone, rtol=1e-3, atol=1e-4)
        close(curves, history, rtol=1e-3, atol=1e-4)
        labelled = whole.history.sel(lr_g=lr_g, beta1=beta1, seed=seed)
        np.testing.assert_array_equal(labelled.loss_g, curves.loss_g)


def test_any_dials_go_side_by_side(side_by_side):
    gan, settings, both = side_by_side
    assert all(getattr(settings[0], f.name) != getattr(settings[1], f.name) for f in fields(Hyperparams))
    assert both.dims == ("setting", "seed")
    np.testing.assert_array_equal(both.history.lr_d, [1e-3, 3e-3])
    for (i, hyper), (j, key) in itertools.product(enumerate(settings), enumerate(KEYS)):
        alone, history = train.steps(gan, hyper, RING, train.init(gan, hyper, key), 10)
        close(both.pick(i, j), alone, rtol=1e-3, atol=1e-4)
        close(both.curves(setting=i, seed=j), history, rtol=1e-3, atol=1e-4)


def test_one_setting_has_seeds_only_and_memory_for_one_run_takes_them_one_by_one(whole):
    hyper = Hyperparams(lr_g=1e-3, beta1=0.0)
    told = train.sweep_plan(SMALL, {}, RING, KEYS, 60, hyper=hyper)
    assert told == train.sweep_plan(SMALL, hyper, RING, KEYS, 60)
    one_by_one = swept(hypers={}, hyper=hyper, memory=1.1 * told.working / told.width)
    assert (one_by_one.plan.width, one_by_one.plan.blocks, one_by_one.plan.at_once) == (1, 3, 1)
    assert one_by_one.dims == ("seed",)
    states, history = one_by_one
    close(states, jax.tree.map(lambda leaf: leaf[0, 0], whole.states), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(history.loss_g, whole.history.loss_g[0, 0], rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match=r"one run takes about .* kB at work, but memory is 1 kB; give more"):
        swept(memory=1000)


def test_a_thinned_history_holds_each_step_that_the_number_divides(whole):
    thin = swept(every=7)
    assert thin.history.step.values.tolist() == list(range(0, 60, 7))
    for name in train.History._fields:
        np.testing.assert_array_equal(thin.history[name], whole.history[name][..., ::7])
    assert equal(swept(40, every=7, start=swept(20, every=7)), thin)


def test_a_run_is_found_by_place_or_label(whole, side_by_side):
    assert whole.place(1, 2, 0) == whole.place(lr_g=np.float32(3e-3), beta1=0.9, seed=0) == (1, 2, 0)
    assert whole.place(-1, -1, -1) == (1, 2, 2)
    *_, pairs = side_by_side
    assert pairs.place(lr_d=3e-3, seed=1) == pairs.place(setting=1, seed=1) == (1, 1)
    for wrong, error, message in [
        ({"lr_d": 1e-3}, KeyError, "no dimension is named 'lr_d'.*Known: lr_g, beta1, seed"),
        ({"lr_g": 2e-3}, ValueError, "no run has lr_g 0.002; there are 0.001, 0.003"),
        ({"lr_g": 1e-3, "beta1": 0.0}, ValueError, "3 runs fit .*; give lr_g, beta1, seed"),
        ({}, ValueError, "18 runs fit no label"),
        ({"lr_g": "fast"}, TypeError, "lr_g must be one number, got 'fast'"),
        ({"lr_g": [1e-3, 3e-3]}, TypeError, r"lr_g must be one number, got \[0.001, 0.003\]; several: history.sel"),
    ]:
        with pytest.raises(error, match=message):
            whole.pick(**wrong)
    with pytest.raises(ValueError, match="one place for each of lr_g, beta1, seed"):
        whole.pick(0, 1)
    with pytest.raises(IndexError, match="seed has places 0 to 2, got 5"):
        whole.pick(0, 1, 5)


# ---- scores ----


def test_each_run_is_scored_as_it_would_be_alone(whole):
    key = jax.random.key(5)
    width = lambda x, target: np.std(x)  # noqa: E731
    scores = whole.score({"modes": metrics.modes_covered, "width": width}, RING, n=200, key=key)
    averaged = whole.score(width, RING, n=200, key=key, averaged=True)
    assert averaged.dims == scores.width.dims == whole.dims
    for place in [(0, 0, 0), (1, 2, 1)]:
        state = whole.pick(*place)
        alone = state.sample(key, 200)
        assert scores.modes.values[place] == metrics.modes_covered(alone, RING)
        np.testing.assert_allclose(scores.width.values[place], np.std(alone), rtol=1e-4)
        np.testing.assert_allclose(averaged.values[place], np.std(state.sample(key, 200, averaged=True)), rtol=1e-4)
    assert not np.allclose(averaged, scores.width)


def test_a_metric_is_a_function(whole, as_users_see_it):
    for wrong in ("modes covered", {"modes": "modes covered"}):
        with pytest.raises(TypeError, match=r"must be a function such as metrics.modes_covered, got 'modes covered'"):
            whole.score(wrong, RING)


def test_a_run_that_diverges_is_counted_scores_nan_and_leaves_the_others_whole():
    grid = {"lr_g": [1e-3, 1e20], "beta1": GRID["beta1"]}
    both = swept(50, hypers=grid, every=20)
    assert both.diverged.values.tolist() == [[[False] * 3] * 3, [[True] * 3] * 3]
    assert "9 diverged" in repr(both)
    hyper = Hyperparams(lr_g=1e20, beta1=0.5)
    _, history = train.steps(SMALL, hyper, RING, train.init(SMALL, hyper, KEYS[1]), 50)
    assert both.history.diverged_at.sel(lr_g=1e20, beta1=0.5, seed=1) == np.argmax(history.bad) > 0
    assert (both.history.diverged_at[0] == -1).all()
    scores = both.score(lambda x, target: np.mean(x), RING, n=100)
    assert np.isfinite(scores[0]).all()
    assert np.isnan(scores[1]).all()
    further = swept(5, hypers=grid, every=20, start=both)
    np.testing.assert_array_equal(further.history.diverged_at, both.history.diverged_at)


# ---- breaks ----


def test_60_steps_are_20_and_40_bit_for_bit(whole):
    first = swept(20)
    assert first.steps == 20
    assert equal(swept(40, start=first), whole)
    assert first.steps == 20  # it is left as it was


def test_a_sweep_is_saved_and_goes_on_bit_for_bit(whole, tmp_path):
    first = swept(20)
    checkpoints.save(tmp_path, first)
    loaded = checkpoints.load(tmp_path, swept(1))
    assert equal(loaded, first)
    assert equal(swept(40, start=loaded), whole)
    for other, message in [
        (swept(1, hypers=GRID | {"beta1": [0.0, 0.5, 0.8]}), "another sweep: its beta1 differ"),
        (swept(1, every=2), "its every differ"),
    ]:
        with pytest.raises(ValueError, match=message):
            checkpoints.load(tmp_path, other)
    with pytest.raises(ValueError, match="of another GAN"):
        checkpoints.load(tmp_path, first.pick(0, 0, 0))


def test_an_interrupted_sweep_keeps_what_is_done_and_goes_on_bit_for_bit(whole, monkeypatch):
    walk, calls = blocks._walk, itertools.count()

    def interrupted(*arguments):
        if next(calls) == 6:  # in the third round of two blocks
            signal.raise_signal(signal.SIGINT)
        return walk(*arguments)

    monkeypatch.setattr(blocks, "_walk", interrupted)
    with pytest.raises(KeyboardInterrupt, match=r"after 9 of 60 steps.*start=") as caught:
        swept()
    monkeypatch.undo()
    assert isinstance(caught.value, Interrupted)
    part = caught.value.sweep
    assert part.steps == 9
    assert dict(part.history.sizes)["step"] == 9
    assert equal(swept(51, start=part), whole)


def test_an_interruption_before_the_first_step_is_one_like_any_other(monkeypatch):
    monkeypatch.setattr(blocks, "_walk", lambda *_: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt) as caught:
        swept()
    assert not isinstance(caught.value, Interrupted)


# ---- blocks, memory, devices ----


def test_blocks_that_take_turns_change_no_bit(whole):
    assert (whole.plan.blocks, whole.plan.width, whole.plan.at_once) == (2, 9, 2)
    in_turn = swept(memory=0.7 * whole.plan.working)
    assert (in_turn.plan.blocks, in_turn.plan.width, in_turn.plan.at_once) == (2, 9, 1)
    assert equal(in_turn, whole)


@pytest.mark.parametrize(("runs", "lanes", "width"), [(1, 2, 1), (5, 2, 5), (10, 2, 5), (18, 2, 9), (64, 2, 16),
                                                      (40, 2, 10), (432, 2, 16), (64, 8, 8), (3, 16, 3)])  # fmt: skip
def test_blocks_are_narrow_and_share_the_work(runs, lanes, width):
    assert blocks._width(runs, lanes) == width


def test_what_it_takes_is_told_beforehand(whole):
    told = train.sweep_plan(SMALL, GRID, RING, KEYS, 60)
    assert told == whole.plan
    assert "18 runs x 60 steps" in repr(told)
    history = sum(whole.history[name].nbytes for name in train.History._fields)
    assert told.results == sum(leaf.nbytes for leaf in leaves(whole.states)) + history
    assert train.sweep_plan(SMALL, GRID, RING, KEYS, 60, memory=float("inf")) == told
    assert train.sweep_plan(SMALL, GRID, RING, KEYS, 60, every=60).results == told.results - history + history // 60


def test_a_plan_traces_the_game_once_and_another_loss_of_the_same_name_anew():
    traced = []

    def redefined(copies):
        """A loss as a notebook's cell makes it anew: the same name, another function, which needs more memory."""

        def discriminator(real, fake):
            traced.append(copies)
            return jnp.mean(jnp.sin(jnp.outer(fake, jnp.arange(1.0, copies + 1)))) - jnp.mean(real)

        return losses.Loss(discriminator, losses.nonsaturating.generator, "mine")

    def told(loss, target, runs=4):
        game = blocks.Game(replace(SMALL, loss=loss), train.dials(SMALL, Hyperparams()), target)
        return blocks.plan(game, runs, 1, 1, None)

    mine, target = redefined(1), data.ring(8)
    first, once = told(mine, target), len(traced)
    gone = weakref.ref(target.means)
    assert told(mine, data.ring(8, radius=3.0)) == first
    assert told(mine, target, runs=8).working > first.working
    assert len(traced) == once > 0
    told(mine, data.ring(9))
    assert len(traced) > once, "other shapes are another game"
    del target
    assert gone() is None, "no plan keeps the data"
    assert told(redefined(1000), data.ring(8)).working > 1.5 * first.working
    assert told(mine, data.ring(8)) == first


def test_the_bytes_at_work_are_of_the_size_that_the_compiler_says():
    target = data.digits()
    gan = Gan(nets.mlp(8, 128, 64), nets.mlp(64, 128, 1), penalty=losses.r1, batch_size=64)
    hyper = train.dials(gan, Hyperparams())
    game = blocks.Game(gan, hyper, target)
    told = blocks.plan(game, 4, 1, 1, None)
    (block, *_) = blocks.begin(game, replace(told, width=4, blocks=1, devices=1), {}, jax.random.split(KEYS[0], 4))
    walk = jax.jit(lambda block: blocks._walk_block(gan, None, hyper, target, 0, 1, 1, block))
    memory = walk.lower(block).compile().memory_analysis()
    history = 4 * 4 * 5 * blocks.CAPACITY
    real = memory.temp_size_in_bytes + memory.argument_size_in_bytes + memory.output_size_in_bytes - 2 * history
    assert 0.5 < 4 * told.working / told.width / told.at_once / real < 2.5


def test_moving_values_the_target_or_the_number_of_steps_compiles_nothing(whole):
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda name, seconds, **_: compiled.append(name) if name.endswith("backend_compile_duration") else None
    )
    swept(5)
    target = data.ring(8, radius=2.0)  # made by operations of its own, one by one
    before, entries = len(compiled), blocks._walk._cache_size()
    train.sweep(SMALL, {"lr_g": [1e-2, 1e-4], "beta1": [0.1, 0.2, 0.3]}, target, KEYS, 5,
                progress=False, hyper=Hyperparams(instance_noise=0.3, lr_d=2e-2), every=3)  # fmt: skip
    assert len(compiled) == before
    assert blocks._walk._cache_size() == entries
    jax.jit(lambda x: 3 * x)(1.0)
    assert len(compiled) == before + 1  # so the count does count


def test_a_switch_that_all_runs_share_stays_a_switch():
    def program(own):
        shared = train.dials(SMALL, Hyperparams())
        states = jax.eval_shape(lambda own, keys: blocks._begin_block(SMALL, shared, own, keys), own, KEYS)
        block = blocks.Block(own, states, jnp.full(3, -1))
        return str(jax.make_jaxpr(lambda block: blocks._walk_block(SMALL, None, shared, RING, 0, 1, 1, block))(block))

    assert "cond[" in program({"lr_g": jnp.full(3, 1e-3)})
    assert "cond[" not in program({"instance_noise": jnp.full(3, 0.1)})


ON_DEVICES = """
import sys, jax, numpy as np
from gan_jax import data, nets, train
gan = train.Gan(nets.mlp(2, 16, 2), nets.mlp(2, 16, 1), batch_size=32)
assert len(jax.devices()) == 8
game = gan, {"lr_g": [1e-3, 3e-3], "beta1": [0.0, 0.5, 0.9]}, data.ring(8), jax.random.split(jax.random.key(0), 3)
done = train.sweep(*game, 60, progress=False)
assert (done.plan.devices, done.plan.width, done.plan.blocks) == (8, 3, 1), done.plan
assert len(done.states.step.sharding.device_set) == 8
assert done.history.equals(train.sweep(*game, 40, progress=False, start=train.sweep(*game, 20, progress=False)).history)
assert not any(leaf.committed for leaf in jax.tree.leaves(done.pick(1, 2, 1)))
np.savez(sys.argv[1], loss_g=done.history.loss_g, samples=done.sample(jax.random.key(1), 10))
"""


def test_several_devices_give_the_results_of_one(whole, tmp_path):
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    there = tmp_path / "there.npz"
    subprocess.run([sys.executable, "-c", ON_DEVICES, str(there)], env=environment, check=True, timeout=300)
    on_eight = np.load(there)
    np.testing.assert_allclose(on_eight["loss_g"], whole.history.loss_g, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(on_eight["samples"], whole.sample(jax.random.key(1), 10), rtol=1e-3, atol=1e-3)


# ---- bad input ----


@pytest.mark.parametrize(
    ("hypers", "options", "message"),
    [
        ({"lrg": [1e-3]}, {}, "no field 'lrg'; did you mean 'lr_g'"),
        ({"lr_g": []}, {}, r"lr_g must be a list of at least one number, got \[\]"),
        ({"lr_g": 1e-3}, {}, "lr_g must be a list of at least one number, got 0.001"),
        ({"lr_g": ["fast"]}, {}, r"lr_g must be a list of numbers, got \['fast'\]"),
        ({"lr_g": [1e-3, -1.0]}, {}, r"lr_g must be in \[0, inf\), got -1.0"),
        ({"lr_g": [1e-3]}, {"hyper": Hyperparams(lr_d=np.ones(2))}, "hyper must hold one number for lr_d"),
        ({"lr_g": [1e-3]}, {"hyper": 3}, "hyper must be Hyperparams"),
        (Hyperparams(lr_g=np.ones(2), lr_d=np.ones(3)), {}, r"'lr_g': \(2,\), 'lr_d': \(3,\)"),
        (Hyperparams(lr_g=np.ones((2, 2))), {}, r"one common shape \(settings,\)"),
        (Hyperparams(lr_g=np.ones(0)), {}, "lr_g must hold at least one number"),
        (Hyperparams(), {"hyper": Hyperparams()}, "hyper= completes values by dial"),
        ([1e-3], {}, "expected Hyperparams"),
        ({}, {"every": 0}, "every must be a whole number of at least 1, got 0"),
        ({}, {"n": 1.5}, "n must be a whole number"),
        ({}, {"keys": jax.random.key(0)}, r"keys must be of shape \(seeds,\).*jax\.random\.split"),
        ({}, {"keys": KEYS[:0]}, r"keys must be of shape \(seeds,\), got \(0,\)"),
        ({}, {"keys": 0}, r"make one with jax\.random\.key\(0\)"),
        ({}, {"target": "ring"}, r"expected a target such as data\.ring"),
        ({}, {"memory": np.nan}, "memory must be a positive number of bytes, such as 1e9, got nan"),
        ({}, {"memory": "1 GB"}, "memory must be a positive number of bytes, such as 1e9, got '1 GB'"),
        ({}, {"start": 3}, "start must be a Sweep from train.sweep, got int"),
    ],
)
def test_bad_input_is_answered_before_anything_is_compiled(hypers, options, message, as_users_see_it):
    target, keys, n = options.pop("target", RING), options.pop("keys", KEYS), options.pop("n", 3)
    with pytest.raises((TypeError, ValueError), match=message):
        train.sweep(SMALL, hypers, target, keys, n, **options)


def test_a_start_of_another_sweep(whole):
    other = GRID | {"beta1": [0.0, 0.5, 0.8]}
    for keywords, message in [
        ({"hypers": other}, r"made with other values of beta1: \[0.  0.5 0.9\]"),
        ({"hypers": {"lr_g": [1e-3]}}, "but this sweep is over {'lr_g': 1, 'seed': 3}"),
        ({"every": 2}, "give every=1"),
        ({"gan": replace(SMALL, optimizer="sgd")}, "they differ in optimizer"),
    ]:
        with pytest.raises(ValueError, match=message):
            swept(3, start=whole, **keywords)
    with pytest.raises(ValueError, match="made from other keys"):
        train.sweep(SMALL, GRID, RING, jax.random.split(jax.random.key(1), 3), 3, start=whole)
