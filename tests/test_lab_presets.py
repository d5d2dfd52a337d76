"""Each preset of the lab opens, shows what there is to show, can be shared, and does what its text says of it."""

from dataclasses import replace

import numpy as np
import pytest

from gan_jax import data, lab
from gan_jax.lab.presets import MEASURES, PRESETS, Claim, measure, table
from gan_jax.lab.timeline import same_target
from gan_jax.lab.words import LANGUAGES, words

pytestmark = pytest.mark.once

each_preset = pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))


def test_some_work_and_some_fail():
    assert {"ring", "thread", "moons", "grid", "calmed"} <= {name for name, preset in PRESETS.items() if preset.works}
    fails = {"circling", "collapse", "held", "vanishing", "clipping", "too_fast"}
    assert fails <= {name for name, preset in PRESETS.items() if not preset.works}


@each_preset
def test_it_shows_what_there_is_to_show(preset):
    session = lab.Session(preset.gan, preset.target, preset.hyper)
    for name in preset.layers:
        assert not lab.LAYERS[name].reason(session), name
    lab.CHARTS[preset.chart]
    assert set(preset.target.shape) == {2}
    for name, value in vars(session.hyper).items():
        dial = lab.DIALS[name]
        inside = dial.low <= value <= dial.high
        assert inside or (value == 0 and dial.scale in ("log or 0", "near 1")) or np.isinf(value), f"{name} {value}"


@each_preset
def test_its_target_is_the_one_that_it_names(preset):
    ours, known = preset.target, data.TARGETS.get(preset.target_name)
    assert isinstance(ours, data.Drawn) if known is None else same_target(ours, known())
    assert (preset.target_name == "drawn") is (known is None)


@each_preset
@pytest.mark.parametrize("language", LANGUAGES)
def test_its_text_is_short_and_says_what_to_watch(preset, language):
    title, watch = (words()[language][key] for key in (preset.title_key, preset.watch_key))
    assert len(title) <= 40
    assert 1 <= sum(watch.count(mark) for mark in (".", "?", "。", "？")) - watch.count("0.") <= 4
    assert len(watch) <= 260


# compiling is what takes time, so the others are left to `python benchmarks/presets.py`
@pytest.mark.parametrize("name", ["calmed", "clipping", "collapse", "vanishing"])
def test_it_does_what_is_said_of_it(name):
    claim = PRESETS[name].claims[0]
    [values] = measure(PRESETS[name], 2, [claim]).values()
    assert claim._replace(share=0.5).holds(values), f"{claim}: {values}"


def test_a_claim_is_about_seeds():
    claim = Claim("modes", 1000, 7, 8, share=0.75)
    assert claim.holds(np.array([7.0, 8.0, 8.0, 2.0]))
    assert not claim.holds(np.array([7.0, 8.0, 6.0, np.nan]))
    assert all(c.measure in MEASURES for preset in PRESETS.values() for c in preset.claims)


def test_the_table_says_which_claim_holds_and_which_fails():
    fast = PRESETS["too_fast"]
    wrong = Claim("diverged at", 100, 99, 100)
    holds, fails = table([replace(fast, claims=(*fast.claims, wrong))], 2).splitlines()
    assert "holds" in holds
    assert "FAILS" in fails
