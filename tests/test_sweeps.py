"""A sweep is many runs: the same steps, however they are cut up, on however many devices, in one go or with breaks."""

import itertools
import os
import signal
import subprocess
import sys
from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import data, losses, metrics, nets, train
from gan_jax.errors import Interrupted
from gan_jax.train import Gan, Hyperparams, blocks

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


@pytest.fixture(scope="module")
def whole():
    return swept()


# ---- what a sweep is ----


def test_a_sweep_is_many_runs(whole):
    assert whole.dims == ("lr_g", "beta1", "seed")
    assert dict(whole.history.loss_d.sizes) == {"lr_g": 2, "beta1": 3, "seed": 3, "step": 60}
    for lr_g, beta1, seed in itertools.product(*GRID.values(), range(3)):
        hyper = Hyperparams(lr_g=lr_g, beta1=beta1)
        alone, history = train.steps(SMALL, hyper, RING, train.init(SMALL, hyper, KEYS[seed]), 60)
        close(whole.pick(lr_g=lr_g, beta1=beta1, seed=seed), alone, rtol=1e-3, atol=1e-4)
        close(whole.curves(lr_g=lr_g, beta1=beta1, seed=seed), history, rtol=1e-3, atol=1e-4)
        there = whole.history.sel(lr_g=lr_g, beta1=beta1, seed=seed)
        np.testing.assert_array_equal(there.loss_g, whole.curves(lr_g=lr_g, beta1=beta1, seed=seed).loss_g)


def test_any_dials_go_side_by_side():
    """All of them at once, each with its own value in each setting; a swapped pair would show."""
    gan = replace(SMALL, penalty=losses.r1)
    values = {"lr_g": 2e-3, "lr_d": 3e-3, "weight_clip": 0.7, "instance_noise": 0.1, "noise_steps": 8.0}
    values |= {"penalty_weight": 3.0, "label_smoothing": 0.1, "beta1": 0.3, "beta2": 0.9, "ema_decay": 0.8}
    assert set(values) == {f.name for f in fields(Hyperparams)}
    settings = [Hyperparams(instance_noise=0.2), Hyperparams(**values)]
    stacked = jax.tree.map(lambda *each: np.array(each), *settings)
    both = swept(10, gan=gan, hypers=stacked)
    assert both.dims == ("setting", "seed")
    np.testing.assert_array_equal(both.history.lr_d, [1e-3, 3e-3])
    for (i, hyper), (j, key) in itertools.product(enumerate(settings), enumerate(KEYS)):
        alone, history = train.steps(gan, hyper, RING, train.init(gan, hyper, key), 10)
        close(both.pick(i, j), alone, rtol=1e-3, atol=1e-4)
        close(both.curves(setting=i, seed=j), history, rtol=1e-3, atol=1e-4)


def test_one_setting_has_seeds_only():
    one = swept(3, hypers=Hyperparams(lr_d=2e-3))
    same = swept(3, hypers={}, hyper=Hyperparams(lr_d=2e-3))
    assert one.dims == same.dims == ("seed",)
    assert equal(one, same)
    states, history = one
    assert states.step.tolist() == [3, 3, 3]
    assert history.step.values.tolist() == [0, 1, 2]


def test_a_thinned_history_holds_each_step_that_the_number_divides(whole):
    thin = swept(every=7)
    assert thin.history.step.values.tolist() == list(range(0, 60, 7))
    for name in train.History._fields:
        np.testing.assert_array_equal(thin.history[name], whole.history[name][..., ::7])
    assert equal(swept(40, every=7, start=swept(20, every=7)), thin)


def test_a_run_is_found_by_place_or_label(whole):
    assert whole.place(1, 2, 0) == whole.place(lr_g=np.float32(3e-3), beta1=0.9, seed=0) == (1, 2, 0)
    assert whole.place(-1, -1, -1) == (1, 2, 2)
    pairs = swept(1, hypers=Hyperparams(lr_g=np.array([1e-3, 2e-3]), lr_d=np.array([1e-3, 1e-3])))
    assert pairs.place(lr_g=2e-3, seed=1) == pairs.place(setting=1, seed=1) == (1, 1)
    for wrong, error, message in [
        ({"lr_d": 1e-3}, KeyError, "no dimension is named 'lr_d'.*Known: lr_g, beta1, seed"),
        ({"lr_g": 2e-3}, ValueError, "no run has lr_g 0.002; there are 0.001, 0.003"),
        ({"lr_g": 1e-3, "beta1": 0.0}, ValueError, "3 runs fit .*; give lr_g, beta1, seed"),
        ({}, ValueError, "18 runs fit no label"),
    ]:
        with pytest.raises(error, match=message):
            whole.pick(**wrong)
    with pytest.raises(ValueError, match="one place for each of lr_g, beta1, seed"):
        whole.pick(0, 1)
    with pytest.raises(IndexError):
        whole.pick(0, 1, 5)


# ---- scores ----


def test_each_run_is_scored_as_it_would_be_alone(whole):
    key = jax.random.key(5)
    samples = whole.sample(key, 200)
    assert samples.shape == (2, 3, 3, 200, 2)
    some = {"modes": metrics.modes_covered, "quality": metrics.high_quality_share, "W2": metrics.sliced_wasserstein2}
    scores = whole.score(some, RING, n=200, key=key)
    averaged = whole.score(metrics.sliced_wasserstein2, RING, n=200, key=key, averaged=True)
    assert averaged.dims == scores.W2.dims == whole.dims
    for place in [(0, 0, 0), (1, 2, 1)]:
        state = whole.pick(*place)
        alone = state.sample(key, 200)
        np.testing.assert_allclose(samples[place], alone, rtol=1e-4, atol=1e-5)
        for name, metric in some.items():
            np.testing.assert_allclose(scores[name].values[place], metric(samples[place], RING), rtol=1e-5)
        other = metrics.sliced_wasserstein2(state.sample(key, 200, averaged=True), RING)
        np.testing.assert_allclose(averaged.values[place], other, rtol=1e-3)


def test_a_run_that_diverges_is_counted_scores_nan_and_leaves_the_others_whole():
    gan = replace(SMALL, loss=losses.wasserstein, optimizer="sgd")
    both = swept(50, gan=gan, hypers={"lr_d": [1e-3, 1e4]}, every=20)
    assert both.diverged.values.tolist() == [[False] * 3, [True] * 3]
    assert "3 diverged" in repr(both)
    hyper = Hyperparams(lr_d=1e4)
    _, history = train.steps(gan, hyper, RING, train.init(gan, hyper, KEYS[1]), 50)
    assert both.history.diverged_at.values[1, 1] == np.argmax(history.bad)
    assert (both.history.diverged_at[0] == -1).all()
    scores = both.score(metrics.modes_covered, RING, n=100)
    assert np.isfinite(scores[0]).all()
    assert np.isnan(scores[1]).all()
    further = swept(5, gan=gan, hypers={"lr_d": [1e-3, 1e4]}, every=20, start=both)
    np.testing.assert_array_equal(further.history.diverged_at, both.history.diverged_at)


# ---- breaks ----


def test_60_steps_are_20_and_40_bit_for_bit(whole):
    first = swept(20)
    assert first.steps == 20
    assert equal(swept(40, start=first), whole)
    assert first.steps == 20  # it is left as it was


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


def test_blocks_that_take_turns_change_no_bit(whole, monkeypatch):
    monkeypatch.setattr(blocks, "cores", lambda: 2)
    monkeypatch.setattr(blocks, "WIDTH", 4)
    two = swept()
    assert (two.plan.blocks, two.plan.width, two.plan.at_once) == (6, 3, 2)
    one = swept(memory=two.plan.working * 0.7)
    assert (one.plan.blocks, one.plan.width, one.plan.at_once) == (6, 3, 1)
    assert equal(one, two)
    narrow = swept(memory=two.plan.working / 3)
    assert (narrow.plan.blocks, narrow.plan.width) == (9, 2)
    close(narrow.states, whole.states, rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match=r"one run takes about .* kB at work, but memory is 1 kB; give more"):
        swept(memory=1000)


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
    assert train.sweep_plan(SMALL, GRID, RING, KEYS, 60, every=60).results == told.results - history + history // 60


@pytest.mark.parametrize(
    "gan",
    [
        SMALL,
        Gan(nets.mlp(2, 64, 64, 2), nets.mlp(2, 64, 64, 1), penalty=losses.r1),
        Gan(nets.mlp(8, 128, 64), nets.mlp(64, 128, 1), batch_size=64),
    ],
)
def test_the_bytes_at_work_are_of_the_size_that_the_compiler_says(gan):
    target = RING if gan.generator.widths[-1] == 2 else data.digits()
    hyper = train.dials(gan, Hyperparams())
    game = blocks.Game(gan, hyper, target)
    told = blocks.plan(game, 4, 1, 1, None)
    (block, *_) = blocks.begin(game, replace(told, width=4, blocks=1, devices=1), {}, jax.random.split(KEYS[0], 4))
    walk = jax.jit(lambda block: blocks._walk(gan, None, hyper, target, 0, 1, 1, block))
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
    before, entries = len(compiled), blocks._walk._cache_size()
    train.sweep(SMALL, {"lr_g": [1e-2, 1e-4], "beta1": [0.1, 0.2, 0.3]}, data.ring(8, radius=2.0), KEYS, 5,
                progress=False, hyper=Hyperparams(instance_noise=0.3, lr_d=2e-2), every=3)  # fmt: skip
    assert len(compiled) == before
    assert blocks._walk._cache_size() == entries
    swept(5, gan=replace(SMALL, batch_size=16))
    assert len(compiled) > before  # so the count does count


def test_a_switch_that_all_runs_share_stays_a_switch():
    def program(own):
        shared = train.dials(SMALL, Hyperparams())
        game = blocks.Game(SMALL, shared, RING)
        (block, *_) = blocks.begin(game, blocks.plan(game, 4, 1, 1, None), own, jax.random.split(KEYS[0], 4))
        return str(jax.make_jaxpr(lambda block: blocks._walk(SMALL, None, shared, RING, 0, 1, 1, block))(block))

    assert "cond[" in program({"lr_g": jnp.full(4, 1e-3)})
    assert "cond[" not in program({"instance_noise": jnp.full(4, 0.1)})


ON_DEVICES = """
import sys, jax, numpy as np
from gan_jax import data, nets, train
gan = train.Gan(nets.mlp(2, 16, 2), nets.mlp(2, 16, 1), batch_size=32)
keys = jax.random.split(jax.random.key(0), 3)
assert len(jax.devices()) == 8
for grid in ({"lr_g": [1e-3, 3e-3], "beta1": [0.0, 0.5, 0.9]}, {"lr_g": [1e-3]}):
    done = train.sweep(gan, grid, data.ring(8), keys, 60, progress=False)
    assert done.plan.devices == (8 if len(grid) == 2 else 3), done.plan
    first = train.sweep(gan, grid, data.ring(8), keys, 20, progress=False)
    second = train.sweep(gan, grid, data.ring(8), keys, 40, progress=False, start=first)
    assert done.history.equals(second.history)
    alone = done.pick(*[0] * len(done.dims))
    train.steps(gan, train.Hyperparams(), data.ring(8), alone, 1)
    np.save(f"{sys.argv[1]}/{len(grid)}.npy", done.history.loss_g.values)
    np.save(f"{sys.argv[1]}/samples{len(grid)}.npy", done.sample(jax.random.key(1), 10))
"""


def test_several_devices_give_the_results_of_one(whole, tmp_path):
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, "-c", ON_DEVICES, str(tmp_path)], env=environment, check=True, timeout=300)
    np.testing.assert_allclose(np.load(tmp_path / "2.npy"), whole.history.loss_g, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(np.load(tmp_path / "1.npy")[0], whole.history.loss_g[0, 1], rtol=1e-3, atol=1e-4)
    samples = whole.sample(jax.random.key(1), 10)
    np.testing.assert_allclose(np.load(tmp_path / "samples2.npy"), samples, rtol=1e-3, atol=1e-3)


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
