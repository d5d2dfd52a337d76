"""A run's state comes in; the usual view of that moment goes out: what D thinks, what G makes, the losses so far."""

import functools
from collections.abc import Callable

import jax
import numpy as np
from matplotlib.axes import Axes

from ..data import Mixture, Target, bounds
from ..losses import CROSS_ENTROPIES
from ..train import History, State
from .answers import draw_arrows, draw_surface, logits_of, push
from .clouds import draw_samples
from .histories import draw_losses
from .parts import name_colors
from .sheets import as_stack, draw_images
from .style import DISCRIMINATOR, FAKE, REAL, SQUARE, WIDE, Picture, panels, styled

NEUTRAL = {
    "minimax": 0.0,
    "non-saturating": 0.0,
    "f-GAN Jensen-Shannon": 0.0,
    "least squares": 0.5,
    "relativistic pairing": 0.0,
    "f-GAN KL": 1.0,
    "f-GAN reverse KL": 0.0,
    "f-GAN Pearson": 0.0,
}
"""By the loss's name, what D answers everywhere at equilibrium, when real and fake are one distribution. Hinge and
Wasserstein are missing because there any constant will do, and with it any loss of G."""


@styled
def frame(state: State, target: Target, history: History | None = None, *, n: int = 512, seed: int = 0) -> Picture:
    """Draw the usual view of one moment of training: what D thinks, what G makes, and the losses so far.

    In the plane: D's answer with real and fake samples, and G's push on some of the fake ones. In one dimension:
    histograms, and D's answer. Images: a sheet of fake ones. A D that judges several samples together sees each place
    among real ones.

    Args:
        state: where the game stands; one run (`Sweep.pick` takes one out of many).
        target: the distribution that real samples come from.
        history: adds the panel of losses; fields of shape (steps,).
        n: real samples, and fake ones; images: 64 at most.
        seed: of the random key; the same latents every time, so that two frames can be compared.

    Returns:
        The picture; its title is the step.
    """
    if not isinstance(state, State) or np.shape(state.step) != ():
        raise TypeError("frame draws one run's State; take one out of a sweep with its pick(...)")
    real_key, fake_key = jax.random.split(jax.random.key(seed))
    draw = _frame_plane if target.shape == (2,) else _frame_line if target.shape == (1,) else _frame_images
    n = n if draw is not _frame_images else min(n, 64)
    real, fake = target.sample(real_key, n), state.sample(fake_key, n)
    widths = [SQUARE[0], *([WIDE[0] + 1.2] if history is not None else [])]
    picture, axes = panels(*widths, height=SQUARE[1])
    words = draw(axes[0], state, target, np.asarray(real), np.asarray(fake))
    if history is not None:
        words += "; " + draw_losses(axes[1], history, state.gan.loss)
    picture.alt = f"Step {int(state.step):,}: {words}."
    axes[0].set_title(f"step {int(state.step):,}", pad=20)
    return picture


def _judge(state: State, real: np.ndarray) -> Callable:
    """D as a function of single samples."""
    return state.discriminator if state.gan.judged_together == 1 else functools.partial(state.logits, companions=real)


def _frame_plane(axes: Axes, state: State, target: Target, real: np.ndarray, fake: np.ndarray) -> str:
    loss, judge = state.gan.loss, _judge(state, real)
    window = bounds(target)
    level = NEUTRAL.get(loss.name)
    if (
        level is None or loss.name == "relativistic pairing"
    ):  # only differences of logits mean anything: take the middle
        level = float(np.mean([logits_of(judge, points).mean() for points in (real, fake)]))
    words = draw_surface(axes, judge, window, level, loss in CROSS_ENTROPIES)
    words += ", with " + draw_samples(axes, real, fake, window, "")
    few = slice(0, 48)
    pushed = np.asarray(push(loss, judge, real[few], fake[few]))
    return f"{words}; {draw_arrows(axes, fake[few], pushed, None, window)}"


def _frame_line(axes: Axes, state: State, target: Target, real: np.ndarray, fake: np.ndarray) -> str:
    low, high = float(real.min()), float(real.max())
    low, high = low - 0.25 * (high - low), high + 0.25 * (high - low)
    x = np.linspace(low, high, 400, dtype=np.float32)
    axes.hist(fake[:, 0], bins=50, range=(low, high), density=True, color=FAKE, alpha=0.5)
    if isinstance(target, Mixture):
        axes.plot(x, np.exp(np.asarray(target.log_prob(x[:, None]))), color=REAL)
    else:
        axes.hist(real[:, 0], bins=50, range=(low, high), density=True, color=REAL, alpha=0.5)
    axes.set(xlabel="x", ylabel="density", xlim=(low, high))
    other = axes.twinx()
    answers, answer = logits_of(_judge(state, real), x[:, None]), "critic"
    if state.gan.loss in CROSS_ENTROPIES:
        answers, answer = np.asarray(jax.nn.sigmoid(answers)), "D(x)"
        other.set(ylim=(0, 1.03), yticks=[0, 0.5, 1])
    other.plot(x, answers, color=DISCRIMINATOR)
    other.spines["right"].set_visible(True)
    name_colors(axes, [("p, real", REAL), ("fake", FAKE), (f"{answer}, right axis", DISCRIMINATOR)])
    return (
        f"histogram of {len(fake):,} fake samples, the real density, and {answer} over x from {low:.3g} to {high:.3g}"
    )


def _frame_images(axes: Axes, state: State, target: Target, real: np.ndarray, fake: np.ndarray) -> str:
    return draw_images(axes, as_stack(fake), None)[0] + " by the generator"
