import html
import re
import subprocess
import sys
import warnings
from dataclasses import replace

import jax
import jax.numpy as jnp
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnchoredOffsetbox
from matplotlib.quiver import Quiver

from gan_jax import data, losses, metrics, nets, plots, theory, train
from gan_jax.train import Gan, History, Hyperparams

rng = np.random.default_rng(0)
REAL, FAKE = rng.normal(size=(30, 2)).astype(np.float32), rng.normal(size=(20, 2)).astype(np.float32)
HISTORY = History(*rng.uniform(0.5, 1.5, size=(5, 200)))
X = np.linspace(-3, 4, 50)
P, Q = np.exp(-(X**2) / 2), np.exp(-((X - 1) ** 2) / 2)


def logits(x):
    return 2 * x[:, 0] - x[:, 1]


def generator(z):
    return jnp.concatenate([z, z**2], axis=1)[:, :2]


XY, START = theory.bilinear, np.array([1.0, 0.0])
PATHS = {rule: theory.play(XY, START, 0.2, 40, update=rule) for rule in ("simultaneous", "alternating")}

PICTURES = {
    "samples": lambda: plots.samples(REAL, FAKE),
    "surface": lambda: plots.surface(logits, REAL, FAKE),
    "surface of a critic": lambda: plots.surface(logits, probability=False, level=0.3),
    "surface, nowhere undecided": lambda: plots.surface(lambda x: jnp.zeros(len(x))),
    "arrows": lambda: plots.arrows(FAKE, 3 * FAKE, real=REAL, discriminator=logits),
    "arrows, saturated": lambda: plots.arrows(FAKE, 0 * FAKE),
    "manifold of 1": lambda: plots.manifold(generator, 1, real=REAL),
    "manifold of 2": lambda: plots.manifold(generator, 2, latent="uniform"),
    "densities": lambda: plots.densities(X, P, Q, discriminator=P / 2, fake=FAKE[:, 0]),
    "histogram": lambda: plots.histogram(REAL[:, 0], FAKE[:, :1]),
    "losses": lambda: plots.losses(HISTORY, loss=losses.nonsaturating),
    "images": lambda: plots.images(rng.uniform(size=(7, 4, 5, 3))),
    "seeds": lambda: plots.seeds(np.stack([FAKE] * 7), REAL),
    "scores": lambda: plots.scores({"a": np.array([1.0, 1, np.nan]), "b": np.full(3, np.nan)}, perfect=np.ones(2)),
    "field of a game": lambda: plots.field(XY, paths=PATHS),
    "field of arrays": lambda: plots.field((REAL, FAKE[[0] * 30]), equilibrium=None),
    "spectrum of a step": lambda: plots.spectrum({"a": np.array([1 + 0.1j, 1 - 0.1j]), "b": np.array([0.5])}),
    "spectrum of a field": lambda: plots.spectrum({"a": np.array([0.0]), "b": np.array([1j, -1j])}, of="field"),
    "distances": lambda: plots.distances({"a": 0.9 ** np.arange(50), "b": np.full(30, 2.0)}, predicted={"a": 0.9}),
    "scores of long names": lambda: plots.scores(
        dict.fromkeys(["gradient penalty, two-sided 10", "b"], np.arange(5.0)), perfect=metrics.Perfect(4.0, 0.1)
    ),
    "scores of several metrics": lambda: plots.scores(
        {"modes": {"a": np.arange(8.0), "b": np.array([1, np.nan])}, "KL": {"a": np.ones(5), "b": np.ones(2)}},
        perfect={"modes": metrics.Perfect(8.0, 0.1)}, limits={"KL": (0, 2)}, title="Two scores"
    ),
    "phase diagram": lambda: plots.phase_diagram(
        rng.uniform(size=(5, 4)), diverged=np.eye(5, 4), perfect=metrics.Perfect(0.9, 0.1), contour=0.5, title="Phases"
    ),
    "modes": lambda: plots.modes(np.array([0.5, 0.2, 0.0])),
    "modes of several runs": lambda: plots.modes({"a": np.ones(8) / 8, "b": np.eye(8)[0]}, title="Two runs"),
    "modes over time": lambda: plots.modes({"a": np.eye(8), "b": np.eye(8)}, steps=np.arange(8), title="Hops"),
    "side by side": lambda: plots.side_by_side(
        {"a": FAKE, "b": 9 * FAKE, "c": FAKE[:3], "d": FAKE}, REAL, captions={"a": "one difference"}, title="Four"
    ),
}  # fmt: skip


@pytest.fixture(params=PICTURES)
def picture(request):
    return PICTURES[request.param]()


def test_a_picture_is_a_figure_that_describes_itself(picture):
    assert isinstance(picture, Figure)
    text = plots.alt(picture)
    assert text[0].isupper() or text[0].isdigit() or text.startswith(("D(x)", "the critic", "score"))
    assert text.endswith(".")
    assert "nan" not in text.lower()
    shown = picture._repr_html_()
    assert f'<img alt="{text}"' in html.unescape(shown)
    assert 'src="data:image/png;base64,iVBOR' in shown  # how every PNG begins
    assert len(shown) < 1_000_000
    assert repr(picture) == f"Picture: {text}"


def test_pyplot_and_the_settings_are_left_alone(picture):
    assert plt.get_fignums() == []
    assert matplotlib.rcParams["axes.spines.top"]  # Matplotlib's default, which the style turns off


def overlaps(boxes):
    return [(a, b) for i, (a, box) in enumerate(boxes) for b, other in boxes[:i] if box.overlaps(other)]


def test_no_text_is_clipped_or_written_over_another(picture):
    with matplotlib.rc_context(plots.STYLE):
        picture.draw_without_rendering()
        for axes in picture.axes:
            inside = [t for t in axes.texts if t.get_text()]
            assert not overlaps([(t.get_text(), t.get_window_extent().padded(-1)) for t in inside])
            for text in [*inside, axes.title, axes.xaxis.label, axes.yaxis.label]:
                box = text.get_window_extent()
                if text.get_text() and axes.axison:
                    overhang = [-box.x0, -box.y0, box.x1 - picture.bbox.x1, box.y1 - picture.bbox.y1]
                    assert max(overhang) <= 1, text.get_text()
            for row in (artist for artist in axes.artists if isinstance(artist, AnchoredOffsetbox)):
                assert row.get_window_extent().x1 <= picture.bbox.x1 + 1, "the names of the colours"


def test_a_description_is_safe_inside_html():
    picture = plots.samples(REAL, FAKE, title='p < q & "r"')
    assert '<img alt="p &lt; q &amp; &quot;r&quot;: 30 real' in picture._repr_html_()


def cloud(axes, name):
    return next(c.get_offsets() for c in axes.collections if c.get_label() == name)


def test_samples_are_drawn_where_they_are():
    (axes,) = plots.samples(REAL, FAKE).axes
    np.testing.assert_allclose(cloud(axes, "real"), REAL)
    np.testing.assert_allclose(cloud(axes, "fake"), FAKE)


def test_samples_outside_the_window_are_counted():
    fake = np.array([[0.0, 0.0], [9.0, 0.0], [np.nan, 0.0]], np.float32)
    picture = plots.samples(REAL, fake, window=(-1, 1, -1, 1))
    assert "2 fake of 3 outside" in plots.alt(picture)
    assert any("2 fake of 3 outside" in text.get_text() for text in picture.axes[0].texts)


def test_the_surface_is_the_sigmoid_of_the_logits_and_its_line_is_at_a_half():
    window = (-2.0, 2.0, -1.0, 1.0)
    (axes,) = plots.surface(logits, window=window).axes
    values = axes.images[0].get_array()
    n = len(values)
    x, y = np.meshgrid(np.linspace(-2, 2, n), np.linspace(-1, 1, n))
    np.testing.assert_allclose(values, 1 / (1 + np.exp(-(2 * x - y))), atol=1e-6)
    line = np.concatenate([path.vertices for path in axes.collections[0].get_paths()])
    np.testing.assert_allclose(2 * line[:, 0] - line[:, 1], 0, atol=1e-3)


def test_the_critics_surface_shows_what_it_answers():
    (axes,) = plots.surface(logits, window=(-1, 1, -1, 1), probability=False, level=0.5).axes
    assert axes.images[0].get_array().max() == pytest.approx(3.0)
    assert np.mean(axes.images[0].get_clim()) == pytest.approx(0.5)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_push_is_minus_the_gradient_of_gs_loss(name):
    loss, real, fake = losses.LOSSES[name], REAL[:6], FAKE[:6]
    pushed = plots.push(loss, logits, real, fake)
    weights, a = np.array([2.0, -1.0]), logits(fake)
    for i in range(6):  # the chain rule by hand: central differences in the logit, D's own gradient in x
        up, down = (loss.generator(logits(real), a + h * (jnp.arange(6) == i)) for h in (1e-2, -1e-2))
        np.testing.assert_allclose(pushed[i], -6 * (up - down) / 2e-2 * weights, rtol=2e-2, atol=1e-3)


def test_push_shows_saturation():
    """At logit -10 the original loss pushes e^-10 of what the non-saturating one does."""
    fake = np.full((1, 2), -10.0)
    surely_fake = lambda x: x[:, 0]  # noqa: E731
    starved, fed = (plots.push(loss, surely_fake, fake, fake)[0, 0] for loss in (losses.minimax, losses.nonsaturating))
    np.testing.assert_allclose(starved / fed, np.exp(-10), rtol=1e-3)


def test_arrows_carry_the_push_at_the_length_asked_for():
    (axes,) = plots.arrows(FAKE, 2 * REAL[:20], length=0.5).axes
    arrows = next(c for c in axes.collections if isinstance(c, Quiver))
    np.testing.assert_allclose(arrows.XY, FAKE)
    np.testing.assert_allclose(np.stack([arrows.U, arrows.V], axis=1), REAL[:20], rtol=1e-6)


def test_the_manifold_is_the_generators_image_of_the_grid():
    (axes,) = plots.manifold(lambda z: 3 * z, 2, latent="uniform").axes
    corners = np.concatenate([line.get_xydata()[[0, -1]] for line in axes.lines])
    assert len(axes.lines) == 2 * plots.COARSE
    assert np.abs(corners).max() == pytest.approx(3 * 0.98)
    np.testing.assert_allclose(sorted({round(float(x), 3) for x in np.abs(corners).max(axis=1)}), [2.94])


def test_a_normal_latents_grid_has_equal_probability_between_its_lines():
    (axes,) = plots.manifold(lambda z: jnp.concatenate([z, z], axis=1), 1).axes
    dots = axes.lines[-1].get_xdata()
    share = jax.scipy.stats.norm.cdf(dots)
    np.testing.assert_allclose(np.diff(share), 0.98 / 20, rtol=1e-4)


def test_densities_draw_p_q_and_their_best_discriminator():
    above, below = plots.densities(X, P, Q).axes
    np.testing.assert_allclose(above.lines[0].get_ydata(), P)
    np.testing.assert_allclose(above.lines[1].get_ydata(), Q)
    # for equal scales the logit of D* is 0.5 - x (closed form)
    np.testing.assert_allclose(below.lines[1].get_ydata(), 1 / (1 + np.exp(-(0.5 - X))), rtol=1e-6)


def test_histogram_has_area_one_for_each():
    (axes,) = plots.histogram(REAL[:, 0], FAKE[:, 0], bins=10).axes
    areas = np.array([bar.get_width() * bar.get_height() for bar in axes.patches]).reshape(2, 10).sum(axis=1)
    np.testing.assert_allclose(areas, 1)


def test_losses_draw_each_step_and_its_running_mean():
    (axes,) = plots.losses(HISTORY).axes
    raw_d, mean_d, raw_g, _ = axes.lines
    np.testing.assert_array_equal(raw_d.get_ydata(), HISTORY.loss_d)
    np.testing.assert_array_equal(raw_g.get_ydata(), HISTORY.loss_g)
    np.testing.assert_array_equal(raw_d.get_xdata(), np.arange(1, 201))
    np.testing.assert_allclose(mean_d.get_ydata()[10], HISTORY.loss_d[7:11].mean())


@pytest.mark.parametrize(
    ("name", "d", "g"),
    [
        ("nonsaturating", 2 * np.log(2), np.log(2)),
        ("minimax", 2 * np.log(2), -np.log(2)),
        ("least_squares", 0.25, 0.125),
        ("hinge", 2, None),
        ("wasserstein", 0, None),
        ("relativistic", np.log(2), np.log(2)),
        ("f_kl", 0, -1),
        ("f_reverse_kl", 0, 1),
        ("f_jensen_shannon", 0, 0),
        ("f_pearson", 0, 0),
    ],
)
def test_equilibrium_lines_are_the_closed_forms(name, d, g):
    (axes,) = plots.losses(HISTORY, loss=losses.LOSSES[name]).axes
    dashed = [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == "--"]
    assert dashed == pytest.approx([value for value in (d, g) if value is not None], abs=1e-3)
    for value in dashed:
        assert axes.get_ylim()[0] < value < axes.get_ylim()[1]


@pytest.mark.parametrize("name", plots.NEUTRAL)
def test_at_equilibrium_no_constant_answer_serves_d_better(name):
    loss = next(loss for loss in losses.LOSSES.values() if loss.name == name)
    at = lambda a: float(loss.discriminator(jnp.full(3, a), jnp.full(3, a)))  # noqa: E731
    best = at(plots.NEUTRAL[name])
    assert all(at(plots.NEUTRAL[name] + change) >= best - 1e-6 for change in (-1.0, -0.1, 0.1, 1.0))


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_images_keep_their_pixels(kind):
    pixels = rng.integers(0, 256, size=(7, 4, 5)).astype(np.uint8)
    (axes,) = plots.images(pixels if kind is np.uint8 else pixels / np.float32(127.5) - 1, columns=3).axes
    sheet = axes.images[0].get_array()
    assert sheet.shape == (3 * 5 - 1, 3 * 6 - 1)
    np.testing.assert_allclose(sheet[5:9, 6:11], pixels[4] / 255, atol=1e-6)  # second row, second column
    np.testing.assert_array_equal(sheet[10:, 6:], 1.0)  # the places that stay empty


@pytest.mark.parametrize("name", data.TARGETS)
def test_frame_shows_every_target(name, small_gan):
    target = data.TARGETS[name]()
    state = train.init(small_gan, Hyperparams(), jax.random.key(0))
    picture = plots.frame(state, target, HISTORY, n=40)
    view, losses_view = picture.axes
    assert view.get_title(loc="left") == "step 0"
    assert view.get_xlim() + view.get_ylim() == pytest.approx(data.bounds(target))
    assert len(cloud(view, "real")) == len(cloud(view, "fake")) == 40
    np.testing.assert_array_equal(losses_view.lines[0].get_ydata(), HISTORY.loss_d)
    assert plots.alt(picture).startswith("Step 0: ")
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", losses.LOSSES)
def test_frame_shows_every_loss(name, small_gan, ring):
    state = train.init(replace(small_gan, loss=losses.LOSSES[name]), Hyperparams(), jax.random.key(0))
    assert len(plots.frame(state, ring, HISTORY, n=40).axes) == 2


@pytest.mark.parametrize(
    "change",
    [{"discriminator": nets.mlp(4, 8, 1), "packing": 2}, {"discriminator": nets.mlp(2, 8, 8, 1, minibatch_stddev=4)}],
    ids=["packing", "minibatch stddev"],
)
def test_frame_shows_a_place_among_real_samples_to_a_d_that_judges_several_together(change, small_gan, ring):
    state = train.init(replace(small_gan, **change), Hyperparams(), jax.random.key(0))
    picture = plots.frame(state, ring, n=8)
    real = cloud(picture.axes[0], "real")
    (surface,) = picture.axes[0].images
    left, right, bottom, top = data.bounds(ring)
    for (row, column), place in {
        (0, 0): (left, bottom),
        (100, 0): (left, top),
        (50, 100): (right, (bottom + top) / 2),
    }.items():
        expected = jax.nn.sigmoid(state.logits(np.array([place], np.float32), np.asarray(real, np.float32)))[0]
        assert surface.get_array()[row, column] == pytest.approx(float(expected), abs=1e-5)


def test_frame_shows_one_dimension(small_gan):
    gan = Gan(nets.mlp(1, 8, 1), nets.mlp(1, 8, 1), batch_size=16)
    target = data.mixture([-2.0, 2.0], 0.5)
    picture = plots.frame(train.init(gan, Hyperparams(), jax.random.key(0)), target)
    density = picture.axes[0].lines[0]
    x = density.get_xdata()
    expected = (np.exp(-2 * (x - 2) ** 2) + np.exp(-2 * (x + 2) ** 2)) / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(density.get_ydata(), expected, atol=1e-5)


class Pictures:
    """A target of 4 x 4 pictures."""

    shape = (16,)

    def sample(self, key, n):
        return jax.random.uniform(key, (n, 16))


def test_frame_shows_images():
    gan = Gan(nets.mlp(2, 8, 16, output="tanh"), nets.mlp(16, 8, 1), batch_size=16)
    picture = plots.frame(train.init(gan, Hyperparams(), jax.random.key(0)), Pictures())
    assert "64 images of 4 x 4 in 8 rows" in plots.alt(picture)


def test_frame_repeats_itself(small_gan, ring):
    state = train.init(small_gan, Hyperparams(), jax.random.key(0))
    first, second = (cloud(plots.frame(state, ring).axes[0], "fake") for _ in range(2))
    np.testing.assert_array_equal(first, second)


WRONG = {
    "flat points": (lambda: plots.samples(REAL[0], FAKE), "real must be points of the plane, shape (n, 2)"),
    "three dimensions": (lambda: plots.samples(REAL, rng.normal(size=(5, 3))), "fake must be points of the plane"),
    "no points": (lambda: plots.samples(REAL, FAKE[:0]), "n at least 1, got shape (0, 2)"),
    "window": (lambda: plots.samples(REAL, FAKE, window=(1, -1, 0, 1)), "window must be (left, right, bottom, top)"),
    "logits": (lambda: plots.surface(lambda x: x), "to one logit each, (n,) or (n, 1)"),
    "push": (lambda: plots.arrows(FAKE, REAL), "one row a fake sample: shape (20, 2), got (30, 2)"),
    "pairs": (lambda: plots.push(losses.hinge, logits, REAL, FAKE), "must have one shape"),
    "latent": (lambda: plots.manifold(generator, 3), "latent_dim 3"),
    "latent's name": (lambda: plots.manifold(generator, 2, latent="gauss"), "no latent is named 'gauss'"),
    "images": (lambda: plots.images(np.zeros((3, 7))), "images must have shape"),
    "densities": (lambda: plots.densities(X, P, Q[:-1]), "q must have shape (50,), got shape (49,)"),
    "log densities": (lambda: plots.densities(X, np.log(P), Q), "jnp.exp of a log_prob"),
    "sweep's history": (lambda: plots.losses(History(*np.ones((5, 2, 3)))), "history.loss_d must have shape (n,)"),
    "state": (lambda: plots.frame(None, data.ring(8)), "its pick"),
}


@pytest.mark.usefixtures("as_users_see_it")
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_shape_is_named_with_what_was_expected(name):
    call, message = WRONG[name]
    with pytest.raises((ValueError, TypeError, KeyError), match=re.escape(message)):
        call()


def test_a_diverged_run_can_still_be_drawn():
    broken = np.full((5, 2), np.nan, np.float32)
    history = History(*np.full((5, 10), np.nan))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "5 fake of 5 outside" in plots.alt(plots.samples(REAL, broken))
        plots.losses(history, loss=losses.nonsaturating)._repr_html_()


def test_pyplot_stays_unimported():
    code = "import sys, gan_jax.plots; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
