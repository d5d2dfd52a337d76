"""A session comes in; a picture of it goes out, for places that can show no widget: a PNG, and its words."""

import io

from .session import POINTS, Session


def still(session: Session) -> tuple[bytes, str]:
    """Draw a session as it stands without any page: a PNG, and its description in words."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from .. import plots

    frame, figure = session.frame(), plots.Figure(figsize=(4.2, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes, step = figure.add_subplot(), frame.header["step"]
    # only D's side of the game is coloured by what it says; the samples keep their own colours
    extent = tuple(session.window)
    axes.imshow(frame.arrays["surface"], cmap=plots.BELIEF, vmin=0, vmax=255, extent=extent, interpolation="bilinear")
    axes.scatter(*session.real.T, s=6, color=plots.REAL)
    axes.scatter(*frame.arrays["fake"].T, s=6, color=plots.FAKE)
    axes.set(xlim=session.window[:2], ylim=session.window[2:], xticks=[], yticks=[])
    axes.set_title(f"step {step:,}: real blue, fake vermilion", fontsize=10, loc="left")
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=80)
    modes = frame.header["modes"]
    score = "" if modes is None else f" They reach {modes} of {len(session.target.means)} modes."
    return png.getvalue(), (
        f"Laboratory at step {step:,}, target {session.target_name}: {POINTS} real and {POINTS} fake samples "
        f"on the heat map of the discriminator's answer.{score}"
    )
