"""Critics beside exact optimal transport, their results over seeds, and what is drawn of both."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gan_jax import explorer, plots, theory
from gan_jax.errors import UnknownName
from gan_jax.explorer.transport import place
from gan_jax.protocols import lipschitz
from gan_jax.protocols.lipschitz.__main__ import main
from gan_jax.train import critics
from gan_jax.train.critics import CLOUDS

pytestmark = pytest.mark.once

SHIFTED, SPLIT = (CLOUDS[name].draw(jax.random.key(0), 64) for name in ("shifted", "split"))


HELD = ("gradient_penalty", "spectral", "clipping")  # each is a program of its own


def exact(clouds):
    return theory.wasserstein(*clouds, order=1)


def settled(constraint, clouds=SHIFTED, **how):
    return critics.settle(critics.begin(constraint, jax.random.key(1)), *clouds, **how)[0]


@pytest.fixture(scope="module")
def trained():
    """A critic under each of three constraints, on the shifted heaps."""
    return {name: settled(name) for name in HELD}


def test_a_penalised_critic_overshoots_as_derived(trained):
    d = exact(SHIFTED)
    told = float(critics.estimate(trained["gradient_penalty"], *SHIFTED))
    assert told == pytest.approx(d * (1 + d / 20), rel=0.02)


@pytest.mark.once
def test_a_heavier_penalty_overshoots_less():
    d = exact(SHIFTED)
    for weight in (1.0, 100.0):
        told = float(critics.estimate(settled("gradient_penalty", strength=weight), *SHIFTED))
        assert told == pytest.approx(d * (1 + d / (2 * weight)), rel=0.04)


@pytest.mark.once
def test_spectral_norm_reaches_all_where_lines_run_one_way_and_less_where_they_do_not(trained):
    assert critics.estimate(trained["spectral"], *SHIFTED) / exact(SHIFTED) == pytest.approx(1.0, abs=0.03)
    assert critics.estimate(settled("spectral", SPLIT), *SPLIT) / exact(SPLIT) < 0.8


def test_clipped_weights_stay_within_c_and_pile_up(trained):
    values = np.abs(critics.weights(trained["clipping"]))
    assert values.max() <= np.float32(0.1)
    assert np.mean(values > 0.0999) > 0.5


def test_a_one_sided_penalty_lets_flat_slopes_be():
    np.testing.assert_allclose(critics.one_sided(jnp.array([0.0, 0.5, 1.0, 3.0])), [0, 0, 0, 4])
    np.testing.assert_allclose(critics.two_sided(jnp.array([0.0, 0.5, 1.0, 3.0])), [1, 0.25, 0, 4])


@pytest.mark.once
def test_a_critic_that_nothing_holds_says_too_much():
    assert critics.estimate(settled("nothing"), *SHIFTED) > 20 * exact(SHIFTED)


@pytest.mark.parametrize("name", HELD)
def test_what_a_critic_guarantees_is_never_more_than_the_distance(trained, name):
    for clouds in (SHIFTED, SPLIT):
        told, steepness = (float(part(trained[name], *clouds)) for part in (critics.estimate, critics.steepness))
        assert told / abs(steepness) <= exact(clouds) * (1 + 1e-5)


def test_the_potential_of_the_dual_guarantees_the_whole_distance():
    real, fake = (np.asarray(part, np.float64)[:20] for part in SPLIT)
    away = np.linalg.norm(real[:, None] - fake, axis=2)
    solved = theory.kantorovich(away, np.full(20, 0.05), np.full(20, 0.05))
    table = {tuple(point): value for point, value in zip(real, solved.potential_a, strict=True)}
    table |= {tuple(point): -value for point, value in zip(fake, solved.potential_b, strict=True)}
    potential = lambda x: jnp.array([table[tuple(point)] for point in np.asarray(x, np.float64)])  # noqa: E731
    with theory.double_precision():
        steepness = float(critics.steepness(potential, real, fake))
        assert steepness == pytest.approx(1.0, abs=1e-6)
        assert float(critics.estimate(potential, real, fake)) == pytest.approx(theory.wasserstein(real, fake, order=1))


def test_slopes_and_steepness_of_a_plane():
    plane = lambda x: x @ jnp.array([3.0, 4.0])  # noqa: E731
    np.testing.assert_allclose(critics.slopes(plane, SHIFTED[0]), 5.0, rtol=1e-6)
    along = (jnp.zeros((1, 2)), jnp.array([[-3.0, -4.0]]))
    assert float(critics.steepness(plane, *along)) == pytest.approx(5.0)
    assert np.isneginf(float(critics.steepness(plane, jnp.ones((2, 2)), jnp.ones((2, 2)))))  # no pair has a slope


@pytest.mark.once
def test_training_goes_on_where_it_stopped():
    begun = critics.begin("gradient_penalty", jax.random.key(2))
    at_once, all_of_it = critics.teach(begun, *SHIFTED, 500)
    half, first = critics.teach(begun, *SHIFTED, 500)
    assert jax.tree.all(jax.tree.map(lambda a, b: bool(jnp.array_equal(a, b)),
                                     nnx.state(at_once.module), nnx.state(half.module)))  # fmt: skip
    assert int(critics.teach(half, *SHIFTED, 500)[0].step) == 1000
    np.testing.assert_array_equal(first, all_of_it)


def test_errors_say_what_was_expected(as_users_see_it):
    begun = critics.begin("clipping", jax.random.key(0))
    with pytest.raises(UnknownName, match="did you mean 'clipping'"):
        critics.begin("cliping", jax.random.key(0))
    with pytest.raises(ValueError, match="both clouds need one shape"):
        critics.teach(begun, SHIFTED[0], SHIFTED[1][:5], 4)
    with pytest.raises(ValueError, match="the c of clipped weights must be above 0, got -1"):
        critics.teach(begun, *SHIFTED, 4, strength=-1)
    with pytest.raises(ValueError, match="multiple of 4, got 10"):
        critics.settle(begun, *SHIFTED, steps=10)


# ---- results over seeds ----


@pytest.mark.parametrize("name", lipschitz.EXPERIMENTS)
def test_what_is_stored_can_be_read_and_tells_how_it_was_made(name, tmp_path):
    found = lipschitz.stored(name)
    assert found.made["command"].startswith(f"python -m gan_jax.protocols.lipschitz {name} --seeds")
    seeds = int(found.settings["seeds"])
    assert seeds >= 5
    for metric in found.metrics:
        assert {len(values) for values in found.scores(metric).values()} == {seeds}
        assert metric in found._repr_html_()
    lipschitz.write(tmp_path / "again.json", found)
    assert lipschitz.read(tmp_path / "again.json") == found
    (tmp_path / "other.json").write_text(json.dumps({"rows": 3}))
    with pytest.raises(ValueError, match="does not hold a comparison"):
        lipschitz.read(tmp_path / "other.json")
    with pytest.raises(UnknownName, match="no metric is named"):
        found.scores("Frechet")


def test_stored_guarantees_keep_the_bound_and_penalties_overshoot_as_derived():
    clouds = lipschitz.stored("clouds")
    assert max(values.max() for values in clouds.scores("guaranteed / exact").values()) <= 1 + 1e-5
    ratio = clouds.scores("estimate / exact")
    for weight in (1, 10, 100):
        found = ratio[f"{CLOUDS['shifted'].words}: gradient penalty, λ = {weight}"].mean()
        assert found == pytest.approx(1 + 2 / (2 * weight), rel=0.03)


def test_every_method_has_the_same_budget_and_networks():
    for method in lipschitz.METHODS.values():
        updates = method.steps() * (method.gan.d_steps + method.gan.g_steps)
        assert updates == lipschitz.UPDATES
        assert method.gan.generator == lipschitz.METHODS["nonsaturating"].gan.generator
        assert method.gan.discriminator.widths == (64, 256, 128, 1)
    assert list(lipschitz.stored("digits").rows) == [method.words for method in lipschitz.METHODS.values()]


@pytest.mark.once
def test_a_measurement_from_the_same_seeds_is_the_same():
    way = lipschitz.Holding("clipping", 0.1)
    first, again = (lipschitz.measure(way, "shifted", 2, points=64, steps=2000) for _ in range(2))
    for name, values in first.items():
        np.testing.assert_array_equal(values, again[name])
    assert str(way) == "clipped weights, c = 0.1"


def test_the_command_shows_what_is_stored(capsys):
    assert main(["clouds", "--show"]) == 0
    assert "spectral norm" in capsys.readouterr().out


# ---- pictures and the live view ----


@pytest.mark.once
def test_pictures_say_what_they_show(trained):
    plan = theory.transport_plan(*SHIFTED, order=1)
    drawn = plots.transport(*SHIFTED, plan, critic=trained["spectral"], title="T")
    assert f"64 lines of mean length {exact(SHIFTED):.4g}" in plots.alt(drawn)
    with pytest.raises(ValueError, match=r"theory\.transport_plan"):
        plots.transport(*SHIFTED, plan[:3])
    assert "two: median 2" in plots.alt(plots.rows({"one": np.ones(3), "two": np.full(3, 2.0)}, marks=(1.5,)))
    with pytest.raises(ValueError, match="at least one row"):
        plots.rows({})


def test_the_live_view_agrees_with_a_critic_that_is_trained_by_hand():
    live = explorer.transport("shifted", "spectral")
    found = place("shifted", 0, 0.0, 0.0, 1.0)
    by_hand, _ = critics.settle(critics.begin("spectral", jax.random.key(100)), found.real, found.fake)
    scene = live.scene
    assert scene.number("estimate") == pytest.approx(float(critics.estimate(by_hand, found.real, found.fake)), rel=1e-4)
    assert scene.number("exact W₁") == pytest.approx(theory.wasserstein(found.real, found.fake, order=1), rel=1e-5)
    assert scene.hidden == ["weight", "clip"]
    live.set("right", 1.0)
    assert live.scene.number("exact W₁") == pytest.approx(scene.number("exact W₁") + 1, abs=0.02)
    assert not live.scene.again
    live.set("right", 0.0)
    assert live.scene.number("estimate") == pytest.approx(scene.number("estimate"), rel=1e-6)  # no memory of the way


@pytest.mark.once
def test_the_live_view_answers_in_parts():
    live = explorer.transport("shifted", "spectral")
    live._move({"up": 0.5}, whole=False)
    assert live.scene.again
    assert live.scene.remark == "It trains."
