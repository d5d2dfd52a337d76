import re

import jax
import numpy as np
import pytest
import xarray
from matplotlib.collections import PathCollection

from gan_jax import data, plots
from gan_jax.metrics import Perfect

rng = np.random.default_rng(0)
REAL, FAKE = rng.normal(size=(30, 2)).astype(np.float32), rng.normal(size=(20, 2)).astype(np.float32)
RATES, WEIGHTS = np.array([1e-4, 1e-3, 1e-2]), np.array([0.0, 10.0])
TABLE = np.array([[1.0, 5.0, np.nan], [2.0, 8.0, 7.0]])


def cloud(axes, name):
    return next(c.get_offsets() for c in axes.collections if c.get_label() == name)


def texts(axes):
    return [text.get_text() for text in axes.texts]


def ticks(axis):
    return dict(zip(axis.get_ticklocs(), [tick.get_text() for tick in axis.get_ticklabels()], strict=True))


def test_seeds_draw_each_run_in_its_panel():
    fakes = np.stack([FAKE + i for i in range(3)])
    panels = plots.seeds(fakes, REAL, titles=["a", "b", "c"]).axes
    for panel, fake, title in zip(panels, fakes, "abc", strict=True):
        np.testing.assert_allclose(cloud(panel, "fake"), fake)
        assert panel.get_xlabel() == title


def test_scores_draw_each_seed_with_the_perfect_generators_band():
    values = {"a": np.array([1.0, 3.0, 3.0, 2.0]), "b": np.array([5.0, np.nan, 6.0])}
    (axes,) = plots.scores(values, perfect=np.array([7.0, 8.0])).axes
    drawn = [c for c in axes.collections if isinstance(c, PathCollection)]
    for dots, row in zip(drawn, values.values(), strict=True):
        np.testing.assert_array_equal(dots.get_offsets()[:, 0], row)
    heights = axes.collections[0].get_offsets()[:, 1]
    assert len({(x, y) for x, y in zip(values["a"], heights, strict=True)}) == 4  # equal scores don't hide each other
    assert [line.get_xdata()[0] for line in axes.lines] == [2.5, 5.5]  # the medians
    band = axes.patches[0]
    assert (band.get_x(), band.get_x() + band.get_width()) == (7.0, 8.0)
    assert "1 without a score" in [text.get_text() for text in axes.texts]


def test_scores_of_several_metrics_stand_side_by_side_with_common_rows():
    values = {"modes": {"GAN": np.arange(4.0), "R1": np.full(4, 8.0)}, "KL": {"GAN": np.ones(4), "R1": np.zeros(4)}}
    picture = plots.scores(values, perfect={"modes": Perfect(8.0, 0.5)}, limits={"KL": (0, 3)}, title="both")
    modes, kl = picture.axes
    for axes, (metric, rows) in zip((modes, kl), values.items(), strict=True):
        assert axes.get_xlabel() == metric
        drawn = [c.get_offsets() for c in axes.collections if isinstance(c, PathCollection)]
        for dots, row, height in zip(drawn, rows.values(), (1, 0), strict=True):
            np.testing.assert_array_equal(dots[:, 0], row)
            assert (np.abs(dots[:, 1] - height) < 0.5).all()
    assert [label.get_text() for label in modes.get_yticklabels()] == ["R1", "GAN"]
    assert modes.get_ylim() == kl.get_ylim()
    assert kl.get_xlim() == (0, 3)
    (band,) = modes.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == (7.0, 9.0)  # mean +- 2 standard deviations
    assert not kl.patches
    assert plots.alt(picture).startswith("both: modes, one dot a seed. GAN: median 1.5 of 4, from 0 to 3, the middle")
    assert "A perfect generator: 8 ± 0.5. KL, one dot a seed. GAN: median 1 of 4" in plots.alt(picture)


def test_the_perfect_generator_of_one_metric_may_be_given_by_mean_and_deviation():
    picture = plots.scores({"a": np.ones(2)}, perfect=Perfect(0.9, 0.05))
    band = picture.axes[0].patches[0]
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((0.8, 1.0))
    assert plots.alt(picture).endswith("A perfect generator: 0.9 ± 0.05.")


@pytest.mark.parametrize("kind", ["arrays", "xarray"])
def test_the_phase_diagram_draws_each_score_over_its_dials(kind):
    labelled = xarray.DataArray(TABLE, dims=("R1", "rate"), coords={"R1": WEIGHTS, "rate": RATES})
    plain = {"x": RATES, "y": WEIGHTS, "x_label": "rate", "y_label": "R1"} if kind == "arrays" else {}
    picture = plots.phase_diagram(TABLE if plain else labelled, **plain, score="modes", perfect=9, contour=6)
    axes, bar = picture.axes
    image = axes.images[0].get_array()
    np.testing.assert_array_equal(np.ma.getmaskarray(image), np.isnan(TABLE))
    np.testing.assert_array_equal(image.filled(np.nan), TABLE)
    assert image.shape == (2, 3)
    assert axes.images[0].origin == "lower"
    assert ticks(axes.xaxis) == {0: "1e-4", 1: "1e-3", 2: "0.01"}
    assert ticks(axes.yaxis) == {0: "0", 1: "10"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("rate", "R1")
    assert axes.images[0].get_clim() == (1, 9)
    assert "9, perfect" in ticks(bar.yaxis).values()
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), [[2, 0]])  # the cell that diverged
    words = plots.alt(picture)
    assert "lowest, 1, at rate 1e-4, R1 0; highest, 8, at rate 1e-3, R1 10. 1 of 6 cells diverged." in words
    assert "2 of 5 cells with a score reach 6. A perfect generator: 9." in words


def test_the_contour_runs_where_the_score_is_crossed():
    x, y = np.meshgrid(np.arange(6.0), np.arange(4.0))
    axes = plots.phase_diagram(x + y, contour=3.5).axes[0]
    line = np.concatenate([path.vertices for path in axes.collections[0].get_paths()])
    np.testing.assert_allclose(line.sum(axis=1), 3.5)


def test_a_cell_of_which_some_seeds_diverged_is_marked_over_its_score():
    picture = plots.phase_diagram(np.ones((2, 2)), diverged=np.array([[0, 1], [0, 0]]))
    np.testing.assert_array_equal(picture.axes[0].collections[0].get_offsets(), [[1, 0]])
    assert "1 of 4 cells diverged" in plots.alt(picture)


def test_a_sweep_that_diverged_throughout_can_still_be_drawn():
    picture = plots.phase_diagram(np.full((2, 3), np.nan), contour=1, perfect=8)
    assert "nothing finite. 6 of 6 cells diverged" in plots.alt(picture)
    picture._repr_html_()


def test_modes_are_bars_of_the_shares_with_the_targets_share_as_a_line():
    shares = {"GAN": np.array([0.6, 0.3, 0.0]), "R1": np.array([0.4, 0.3, 0.3])}
    picture = plots.modes(shares, expected=np.array([0.5, 0.25, 0.25]))
    for axes, (name, row) in zip(picture.axes, shares.items(), strict=True):
        np.testing.assert_allclose([bar.get_height() for bar in axes.patches], row)
        levels = [segment[0, 1] for segment in axes.collections[0].get_segments()]
        np.testing.assert_allclose(levels, [0.5, 0.25, 0.25])
        assert axes.get_title("left") == name
    assert "GAN: 2 of 3 modes above 0, the largest share 0.6, all together 0.9." in plots.alt(picture)
    assert "expected 0.25 to 0.5" in plots.alt(picture)


def test_modes_over_time_are_an_image_of_the_shares():
    shares = np.eye(4)[[0, 0, 2, 3, 1]]
    picture = plots.modes(shares, steps=np.array([0, 100, 200, 300, 500]))
    axes, _ = picture.axes
    np.testing.assert_array_equal(np.asarray(axes.collections[0].get_array()).reshape(4, 5), shares.T)
    edges = axes.collections[0].get_coordinates()
    np.testing.assert_array_equal(edges[0, :, 0], [-50, 50, 150, 250, 400, 600])
    np.testing.assert_array_equal(edges[:, 0, 1], [-0.5, 0.5, 1.5, 2.5, 3.5])
    # of 4 times all samples move in 3
    assert "holds 1 of the samples on average, and 0.75 of them change modes" in plots.alt(picture)


def test_clouds_stand_side_by_side_over_the_same_real_points_in_the_same_window():
    ring = data.ring(8)
    clouds = {"GAN": FAKE, "R1": jax.numpy.asarray(FAKE) / 2}
    picture = plots.side_by_side(clouds, ring, captions={"R1": "8 of 8 modes"}, n=100)
    for axes, (name, points) in zip(picture.axes, clouds.items(), strict=True):
        np.testing.assert_allclose(cloud(axes, "fake"), points)
        np.testing.assert_allclose(cloud(axes, "real"), ring.sample(jax.random.key(0), 100))
        assert axes.get_xlim() + axes.get_ylim() == data.bounds(ring)
        assert axes.get_title("left") == name
    assert [axes.get_xlabel() for axes in picture.axes] == ["", "8 of 8 modes"]
    lost = int((np.abs(FAKE) > data.bounds(ring)[1]).any(axis=1).sum())
    assert f"GAN, 20 fake samples (vermilion): {lost} fake of 20 outside. R1, 20 " in plots.alt(picture)
    assert plots.alt(picture).endswith("8 of 8 modes.")


WRONG = {
    "one seed": (lambda: plots.seeds(FAKE, REAL), "np.stack one cloud a seed"),
    "titles": (lambda: plots.seeds(FAKE[None], REAL, titles=["a", "b"]), "1 runs need 1 titles, got 2"),
    "no scores": (lambda: plots.scores({}), "at least one setting"),
    "rows": (lambda: plots.scores({"m": {"a": REAL[0]}, "n": {"b": REAL[0]}}), "'n' has ['b']"),
    "perfect": (lambda: plots.scores({"m": {"a": REAL[0]}}, perfect=REAL[0]), "such as {'m': …}"),
    "metric": (lambda: plots.scores({"m": {"a": REAL[0]}}, limits={"k": (0, 1)}), "limits is given for ['k']"),
    "seeds left": (lambda: plots.phase_diagram(np.zeros((2, 3, 4))), 'scores.median("seed")'),
    "columns": (lambda: plots.phase_diagram(TABLE, x=WEIGHTS), "x must have shape (3,), got shape (2,)"),
    "mask": (lambda: plots.phase_diagram(TABLE, diverged=np.zeros(3)), "the shape of values, (2, 3), got (3,)"),
    "limits": (lambda: plots.phase_diagram(TABLE, limits=(1, 1)), "low < high, got (1, 1)"),
    "shares over time": (lambda: plots.modes(np.eye(3)), "got (3, 3); give the steps of a run over time"),
    "times": (lambda: plots.modes(np.eye(3), steps=np.arange(4)), "must have shape (4, K), got (3, 3)"),
    "back in time": (lambda: plots.modes(np.eye(2), steps=np.array([1, 0])), "steps must increase"),
    "counts": (lambda: plots.modes(np.array([300.0, 200.0])), "divide counts by the number of samples"),
    "other modes": (lambda: plots.modes({"a": np.ones(1), "b": np.zeros(2)}), "the same modes, got [1, 2]"),
    "five": (lambda: plots.side_by_side({str(i): FAKE for i in range(5)}, REAL), "got 5; plots.seeds draws more"),
    "caption": (lambda: plots.side_by_side({"a": FAKE}, REAL, captions={"b": ""}), "no GAN is named 'b'"),
}


@pytest.mark.usefixtures("as_users_see_it")
@pytest.mark.parametrize("name", WRONG)
def test_what_can_not_be_drawn_is_named_with_what_was_expected(name):
    call, message = WRONG[name]
    with pytest.raises((ValueError, TypeError, KeyError), match=re.escape(message)):
        call()
