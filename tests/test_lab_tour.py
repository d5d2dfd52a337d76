"""Once through everything that a learner does in the lab, in the order in which they do it.

The lane with Google Colab's versions leaves the lab's closer tests out (their marker is `once`); this one it runs.
"""

import numpy as np
import pytest
from test_lab import Page, kinds, same, weights

from gan_jax import lab

pytestmark = pytest.mark.tour


def asked(page, **message):
    """What the kernel answers, none of it an error."""
    answer = page.tell({"request": 1, **message})
    assert "error" not in kinds(answer), answer[0]["text"]
    return answer


def test_a_learner_s_hour(small_gan, tmp_path):
    page = Page(lab.open(small_gan, charts=["losses", "divergences"]))
    live = page.widget
    layers = [name for name in lab.LAYERS if not lab.LAYERS[name].reason(live.session)]
    asked(page, type="hello")
    asked(page, type="look", layers=layers, charts=list(lab.CHARTS))
    asked(page, type="once", steps=40)
    (run,) = page.sent[-1][0]["runs"]
    assert {"surface", "fake", "average", "manifold", "push", "optimal", "difference"} <= {
        name for name, *_ in run["arrays"]
    }
    assert all(np.isfinite(told["value"]) for name, told in run["measures"].items() if name != "rightmost")
    asked(page, type="probe", x=0.5, y=0.25)
    asked(page, type="spectrum")
    asked(page, type="reliability")

    # a dial, the past, another way, and back
    asked(page, type="set", name="lr_g", value=0.01)
    asked(page, type="once", steps=20)
    there = weights(live.session.game)
    asked(page, type="travel", step=30, exact=True)
    assert int(live.session.game.step) == 30
    asked(page, type="undo")
    assert same(weights(live.session.game), there)
    asked(page, type="branch", step=50)
    asked(page, type="once", steps=10)
    assert [int(session.game.step) for session in live.sessions] == [70, 60]
    asked(page, type="close", run=1)

    # slow motion ends where a plain step does
    expected = lab.restore(live.share())
    expected.advance(1)
    asked(page, type="slow", stage=0)
    stages = page.sent[-1][0]["runs"][0]["slow"]["of"]
    for stage in range(1, stages + 1):
        asked(page, type="slow", stage=stage)
    asked(page, type="slow", stage=None)
    assert int(live.session.game.step) == int(expected.session.game.step)
    for ours, theirs in zip(weights(live.session.game), weights(expected.session.game), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)

    # what is kept
    for name in ("run.html", "run.png", "run.gif"):
        assert live.export(tmp_path / name).stat().st_size > 10_000
    exec(live.state, {})
    assert live._repr_mimebundle_()[0]["image/png"]


@pytest.mark.parametrize("preset", ["thread", "moons"])
def test_a_preset_trains(preset):
    live = lab.open(preset=preset)
    live.advance(3)
    assert np.isfinite(live.session.frame(live.layers, live.charts).arrays["fake"]).all()


def test_a_wall_trains_and_opens_one_of_its_runs(small_gan):
    live = lab.wall(small_gan, seeds=4)
    live.advance(20)
    assert len(live.summary()) > 20
    one = live.pick(live.session.seeds[2])
    one.advance(1)
    assert int(one.session.game.step) == 21
