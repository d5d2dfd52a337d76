"""Densities or samples of one dimension come in; a picture of p, q and D, or of two histograms, goes out."""

import numpy as np

from .parts import Numbers, as_vector, label_ends, last_finite, name_colors, reach_of
from .style import DISCRIMINATOR, FAKE, QUIET, REAL, WIDE, Picture, panels, styled


@styled
def densities(
    x: Numbers,
    p: Numbers,
    q: Numbers,
    *,
    discriminator: Numbers | None = None,
    fake: Numbers | None = None,
    title: str = "",
) -> Picture:
    """Draw the real density p, the generator's density q, and below them the best discriminator, D* = p / (p + q).

    Args:
        x: places, shape (n,), increasing.
        p, q: densities there, shape (n,), not negative.
        discriminator: what a trained D answers there, as a probability, shape (n,).
        fake: samples of q, shape (m,) or (m, 1), drawn as a histogram behind the curves.
        title: above the upper panel.

    >>> x = np.linspace(-4, 5, 10)
    >>> densities(x, np.exp(-x**2 / 2), np.exp(-(x - 1)**2 / 2)).alt
    'Densities p (real, blue) and q (fake, vermilion) for x from -4 to 5; below, D* falls from 0.989 to 0.011.'
    """
    x = as_vector(x, "x")
    p, q = as_vector(p, "p", len(x)), as_vector(q, "q", len(x))
    if np.nanmin(p) < 0 or np.nanmin(q) < 0:
        raise ValueError("p and q are densities and must not be negative; take jnp.exp of a log_prob")
    picture = Picture(figsize=(WIDE[0] + 1.2, 4.4))
    above, below = picture.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    top = float(np.nanmax([p, q]))
    if fake is not None:
        fake = as_vector(fake, "fake")
        bars = above.hist(fake, bins=60, range=(x[0], x[-1]), density=True, color=FAKE, alpha=0.25)[0]
        top = max(top, float(bars.max()))
    above.plot(x, p, color=REAL)
    above.plot(x, q, color=FAKE)
    above.set(ylim=(0, 1.08 * top), ylabel="density", title=title, xlim=(x[0], x[-1]))
    name_colors(above, [("p, real", REAL), ("q, fake", FAKE)])
    if title:
        above.set_title(title, pad=20)
    with np.errstate(invalid="ignore", divide="ignore"):
        best = np.where(p + q > 0, p / (p + q), np.nan)
    below.axhline(0.5, color=QUIET, linewidth=0.8, linestyle=":")
    below.plot(x, best, color=DISCRIMINATOR)
    ends = [("D*", last_finite(best), DISCRIMINATOR)]
    if discriminator is not None:
        learnt = as_vector(discriminator, "discriminator", len(x))
        below.plot(x, learnt, color="black", linestyle="--", linewidth=1.3)
        ends.append(("D", last_finite(learnt), "black"))
    below.set(ylim=(-0.03, 1.03), ylabel="D(x)", xlabel="x", yticks=[0, 0.5, 1])
    label_ends(below, [*ends, ("1/2", 0.5, QUIET)])
    verb = "falls" if best[0] > last_finite(best) else "goes"
    picture.alt = (
        f"{title + ': ' if title else ''}Densities p (real, blue) and q (fake, vermilion) for x from {x[0]:g} "
        f"to {x[-1]:g}; below, D* {verb} from {best[0]:.3f} to {last_finite(best):.3f}."
    )
    return picture


@styled
def histogram(real: Numbers, fake: Numbers, *, bins: int = 60, title: str = "", xlabel: str = "x") -> Picture:
    """Draw two sets of numbers as densities one over the other: 1-D samples, or D's logits on both kinds.

    Args:
        real, fake: shape (n,) or (n, 1); the two n may differ.
        bins: how many, over the common range.
        title: above the panel.
        xlabel: what the numbers are.
    """
    real, fake = as_vector(real, "real"), as_vector(fake, "fake")
    both = np.concatenate([real, fake])
    span = (float(np.nanmin(both)), float(np.nanmax(both)))
    picture, (axes,) = panels(WIDE[0], height=WIDE[1])
    for values, color in ((real, REAL), (fake, FAKE)):
        axes.hist(values, bins=bins, range=span, density=True, color=color, alpha=0.5)
    axes.set(xlabel=xlabel, ylabel="density")
    name_colors(axes, [("real", REAL), ("fake", FAKE)])
    if title:
        axes.set_title(title, pad=20)
    picture.alt = (
        f"{title + ': ' if title else ''}Histograms over {xlabel} of {len(real):,} real values (blue, "
        f"{reach_of(real)}) and {len(fake):,} fake ones (vermilion, {reach_of(fake)})."
    )
    return picture
