"""The short string of a run: what goes out comes back, and nothing that is put in does anything but be refused."""

import base64
import json
import math
import random
import re
import string
import zlib
from dataclasses import replace

import jax
import numpy as np
import pytest

from gan_jax import data, lab, losses, nets, train
from gan_jax.lab import Session, code, sharing
from gan_jax.lab.timeline import same_target
from gan_jax.losses import Loss
from gan_jax.train import Gan, Hyperparams

pytestmark = pytest.mark.once

MOVES = [
    ("lr_g", 0.004),
    ("loss", "hinge"),
    ("penalty_weight", 0.5),
    ("players", "discriminator"),
    ("weight_clip", 0.5),
    ("weight_clip", math.inf),
]


def same(one, other):
    plain = lambda leaf: jax.random.key_data(leaf) if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf  # noqa: E731
    return all(
        np.array_equal(plain(a), plain(b)) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    )


@pytest.fixture
def session(small_gan):
    session = Session(replace(small_gan, d_steps=2), data.TARGETS["grid"](), Hyperparams(lr_g=2e-3), seed=5)
    session.advance(7)
    for name, value in MOVES:
        session.set(name, value)
        session.advance(3)
    return session


def run(text):
    names = {}
    exec(str(text), names)
    return names


def test_a_shared_run_comes_back_bit_for_bit(session):
    session.set("lr_d", 0.003)  # not yet stepped by
    again = sharing.restore(sharing.share(session))
    assert again.game.gan == session.game.gan
    assert same(again.game, session.game)
    assert (again.gan, again.hyper, again.seed) == (session.gan, session.hyper, 5)
    assert again.choices == session.choices
    # and is a run like any other: with its past, and to train on
    assert again.timeline.line.end == session.timeline.line.end
    again.advance(4)
    session.advance(4)
    assert same(again.game, session.game)


def test_a_usual_run_is_shared_in_less_than_300_characters(small_gan):
    session = Session(small_gan)
    session.gan = replace(session.gan, generator=nets.mlp(2, 64, 64, 2), discriminator=nets.mlp(2, 64, 64, 1))
    for name, value in MOVES:
        session.timeline.line.extend(session.rules, 137)
        session.timeline.at += 137
        session.set(name, value)
    text = sharing.share(session)
    assert len(text) < 200, len(text)
    assert set(text) <= set(string.ascii_letters + string.digits + "-_.")


def test_a_drawing_travels_in_the_string_and_in_the_code(session):
    points = np.random.default_rng(0).normal(size=(40, 2))
    session.take_target("drawn", data.drawn(points, scale=0.031))
    session.advance(3)
    assert same(sharing.restore(sharing.share(session)).game, session.game)
    brought = run(session.state)
    assert same(brought["state"], session.game)
    assert same_target(brought["target"], session.target)


def test_networks_of_every_recipe_come_back(ring):
    gan = Gan(
        nets.mlp(3, 8, 2, activation="tanh", initialiser="he"),
        nets.mlp(4, 8, 8, 1, normalisation="spectral", output="identity"),
        latent="uniform", packing=2, batch_size=16, optimizer="optimistic_adam", loss=losses.wasserstein,
    )  # fmt: skip
    session = Session(gan, ring, seed=3)
    assert same(run(session.state)["state"], session.game)
    assert run(session.state)["gan"] == gan
    again = sharing.restore(sharing.share(session))
    assert again.gan == gan
    assert same(again.game, session.game)


def test_what_is_the_users_own_cannot_be_shared_and_the_message_says_what_can(small_gan):
    mine = Loss(losses.hinge.discriminator, losses.hinge.generator, "mine")
    session = Session(replace(small_gan, loss=mine), data.ring(5))
    with pytest.raises(ValueError, match=r"the loss 'mine' is your own.*lab\.state writes it as Python"):
        sharing.share(session)
    session.set("loss", "hinge")
    with pytest.raises(ValueError, match=r"the target 'yours' is your own.*lab\.state"):
        sharing.share(session)

    def network(rngs):
        return nets.mlp(2, 4, 2)(rngs)

    session.gan = Gan(network, nets.mlp(2, 4, 1), latent_dim=2)
    with pytest.raises(ValueError, match="the generator's network is your own"):
        sharing.share(session)


@pytest.mark.parametrize(
    ("gan", "beyond"),
    [
        (Gan(nets.mlp(2, 4, 2, classes=8), nets.mlp(2, 4, 1, classes=8, conditioning="projection")),
         "the generator's classes=8, the discriminator's classes=8, the discriminator's conditioning='projection'; "),
        (Gan(nets.mlp(6, 4, 2), nets.mlp(2, 4, 1, heads=4), auxiliary=losses.information(3, 1)),
         "auxiliary='information', the discriminator's heads=4; "),
    ],
)  # fmt: skip
def test_labels_and_heads_cannot_be_shared_and_the_message_names_them(small_gan, gan, beyond):
    rules = Session(small_gan).rules._replace(gan=gan)
    with pytest.raises(ValueError, match=re.escape(f"a string cannot carry {beyond}lab.state")):
        sharing._described(None, rules)


def test_a_run_beyond_the_limits_is_not_shared(small_gan):
    session = Session(small_gan)
    session.timeline.line.extend(session.rules, sharing.STEPS + 1)
    session.timeline.at = sharing.STEPS + 1
    with pytest.raises(ValueError, match=r"cannot be shared as a string: steps must be .*lab\.state"):
        sharing.share(session)


# ---- what comes in ----


def packed(told):
    return sharing._pack(told if isinstance(told, str) else json.dumps(told))


NETWORKS = {"generator": [2, 8, 2], "discriminator": [2, 8, 1]}

NONSENSE = {
    "nothing": ("", "begins with ''"),
    "another kind of text": ("hello world", "begins with 'hellowor'"),
    "a later version": ("gan2.AAAA", "of version 2, and this gan_jax reads version 1"),
    "markup": ("gan1.<script>", "characters that do not belong"),
    "an empty body": ("gan1.", "cut off"),
    "a body cut off": (packed([0, [1, NETWORKS]])[:-6], "cut off"),
    "no JSON": (packed("nonsense"), "no shared run"),
    "a number": (packed(3), "a list of a seed"),
    "no stretch": (packed([0]), "a list of a seed"),
    "a seed with a sign": (packed([-1, [1, NETWORKS]]), "seed must be a whole number from 0"),
    "a seed that is too large": (packed([2**32, [1, NETWORKS]]), "seed must be a whole number"),
    "a seed that is true": (packed([True, [1, NETWORKS]]), "seed must be a whole number"),
    "a stretch of another form": (packed([0, {"n": 1}]), "a stretch is"),
    "half a step": (packed([0, [1.5, NETWORKS]]), "steps must be a whole number"),
    "steps without end": (packed([0, [10**9, NETWORKS]]), "steps must be a whole number from 0 to 1,000,000"),
    "steps without end in pieces": (packed([0, [600_000, NETWORKS], [600_000]]), "at most 1,000,000 steps"),
    "stretches without end": (packed([0, *[[1]] * 6000]), "1 to 5,000 stretches"),
    "no networks": (packed([0, [1, {"lr_g": 0.1}]]), "what the networks are"),
    "an unknown name": (packed([0, [1, NETWORKS | {"__class__": 1}]]), "nothing is called '__class__'"),
    "an unknown loss": (packed([0, [1, NETWORKS | {"loss": "hindge"}]]), "did you mean 'hinge'"),
    "a loss that is a list": (packed([0, [1, NETWORKS | {"loss": ["hinge"]}]]), "loss goes by a name"),
    "an unknown target": (packed([0, [1, NETWORKS | {"target": "ringg"}]]), "did you mean 'ring'"),
    "an unknown activation": (packed([0, [1, NETWORKS | {"generator": [2, 2, {"activation": "os"}]}]]), "activation"),
    "an unknown word on a network": (packed([0, [1, NETWORKS | {"generator": [2, 2, {"import": "os"}]}]]), "import"),
    "labels": (packed([0, [1, NETWORKS | {"generator": [2, 2, {"classes": 3}]}]]), "a network in a string has no 'cla"),
    "a wide network": (packed([0, [1, NETWORKS | {"generator": [2, 10**6, 2]}]]), "width of the generator"),
    "a deep network": (packed([0, [1, NETWORKS | {"generator": [2] * 50}]]), "at most 12 layers"),
    "a great batch": (packed([0, [1, NETWORKS | {"batch_size": 10**6}]]), "batch_size must be"),
    "NaN": (packed('[0,[1,{"generator":[2,2],"discriminator":[2,1],"lr_g":NaN}]]'), "NaN is no number"),
    "infinity": (packed('[0,[1,{"generator":[2,2],"discriminator":[2,1],"lr_g":1e999}]]'), "lr_g must be a number"),
    "an infinite rate": (packed([0, [1, NETWORKS | {"lr_g": "inf"}]]), "lr_g must be in"),
    "a negative rate": (packed([0, [1, NETWORKS | {"lr_g": -1}]]), "lr_g must be in"),
    "a rate that is true": (packed([0, [1, NETWORKS | {"lr_g": True}]]), "lr_g must be a number"),
    "a name twice": (packed('[0,[1,{"generator":[2,2],"generator":[2,1]}]]'), "twice"),
    "smoothing of a loss without labels": (
        packed([0, [1, NETWORKS | {"loss": "hinge", "label_smoothing": 0.1}]]), "no labels to smooth"),
    "another network on the way": (packed([0, [1, NETWORKS], [1, {"generator": [2, 4, 2]}]]), "cannot change"),
    "another optimizer on the way": (packed([0, [1, NETWORKS], [1, {"optimizer": "sgd"}]]), "cannot change"),
    "rules without end": (packed([0, [1, NETWORKS], *[[1, {"batch_size": n}] for n in range(1, 60)]]), "40 different"),
    "no point": (packed([0, [1, NETWORKS | {"target": {"points": [], "scale": 1}}]]), "1 to 256 points"),
    "too many points": (packed([0, [1, NETWORKS | {"target": {"points": [[0, 0]] * 257, "scale": 1}}]]), "256 points"),
    "a point in space": (packed([0, [1, NETWORKS | {"target": {"points": [[0, 0, 0]], "scale": 1}}]]), "two finite"),
    "a point of text": (packed([0, [1, NETWORKS | {"target": {"points": ["ab"], "scale": 1}}]]), "two finite"),
    "noise below 0": (packed([0, [1, NETWORKS | {"target": {"points": [[0, 0]], "scale": -1}}]]), "must be positive"),
    "unknown players": (packed([0, [1, NETWORKS | {"players": "nobody"}]]), "no player is named"),
    "lists without end": (packed("[" * 100_000), "no shared run"),
    "digits without end": (packed("[" + "9" * 20_000 + "]"), "no shared run"),
    "a bomb": (packed("[" + " " * 30_000_000 + "]"), "unpacks to more than 400,000"),
    "a long text": ("gan1." + "A" * 100_000, "more than 60,000"),
}  # fmt: skip


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_refused_by_name(name):
    text, expected = NONSENSE[name]
    with pytest.raises(ValueError, match="this is no shared run: ") as refusal:
        sharing.read(text)
    assert expected in str(refusal.value)
    assert len(str(refusal.value)) < 600


@pytest.mark.parametrize("value", [None, 3, b"gan1.", ["gan1."]])
def test_what_is_no_text_is_refused(value, as_users_see_it):
    with pytest.raises(ValueError, match="a string was expected"):
        sharing.read(value)


def test_a_bomb_is_not_unpacked(monkeypatch):
    """Thirty million characters in 40 kB: what is unpacked stays below the limit."""
    grown = []

    class Watching:
        def __init__(self, *arguments, **keywords):
            self.inner = zlib_decompressobj(*arguments, **keywords)

        def decompress(self, packed, most):
            grown.append(len(unpacked := self.inner.decompress(packed, most)))
            return unpacked

    zlib_decompressobj = zlib.decompressobj
    monkeypatch.setattr(sharing.zlib, "decompressobj", Watching)
    with pytest.raises(ValueError, match="unpacks to more"):
        sharing.read(NONSENSE["a bomb"][0])
    assert grown == [sharing.JSON + 1]


def test_white_space_of_a_mail_does_not_matter(session):
    text = sharing.share(session)
    one, other = sharing.read(f"  {text[:20]}\r\n  {text[20:]}\n"), sharing.read(text)
    assert one.steps == other.steps
    assert all(a.same(b) for (a, _), (b, _) in zip(one.way, other.way, strict=True))


def mutated(value, random):
    """The value with one thing in it changed."""
    odd = [None, True, -1, 0, 2**70, 1e308, -0.5, "", "inf", "ring", [], {}, [[]], "__import__('os').system('true')"]
    if isinstance(value, list) and value and random.random() < 0.8:
        i = random.randrange(len(value))
        some = [
            value[:i] + value[i + 1 :],
            [*value, value[i]],
            [*value[:i], mutated(value[i], random), *value[i + 1 :]],
        ]
        return random.choices(some, [1, 1, 5])[0]
    if isinstance(value, dict) and value and random.random() < 0.8:
        name = random.choice(list(value))
        rest = {key: entry for key, entry in value.items() if key != name}
        return random.choices(
            [rest, rest | {random.choice([*sharing.COUNTS, *sharing.MENUS, *train.RANGES, "x"]): value[name]},
             value | {name: mutated(value[name], random)}], [1, 1, 5],
        )[0]  # fmt: skip
    return random.choice(odd)


def test_whatever_is_put_in_is_read_or_refused(session):
    """1,500 changes of the text, of what is packed in it, and of the data: a run within all limits, or a ValueError."""
    session.take_target("drawn", data.drawn(np.random.default_rng(0).normal(size=(5, 2)).round(3), scale=0.1))
    session.advance(1)
    text, source = sharing.share(session), random.Random(0)
    told, letters = json.loads(sharing._unpack(text)), string.printable + "é\0"
    read = refused = 0
    for i in range(1500):
        if i % 3 == 0:  # letters
            place, n = source.randrange(len(text)), source.randrange(3)
            changed = text[:place] + "".join(source.choices(letters, k=n)) + text[place + source.randrange(3) :]
        elif i % 3 == 1:  # bytes, under a checksum that fits
            whole = bytearray(base64.urlsafe_b64decode(text.removeprefix("gan1.") + "=="))[4:]
            whole[source.randrange(len(whole))] ^= 1 << source.randrange(8)
            summed = zlib.crc32(whole).to_bytes(4, "big") + whole
            changed = "gan1." + base64.urlsafe_b64encode(summed).decode().rstrip("=")
        else:  # what it says
            changed = packed(mutated(mutated(told, source), source))
        try:
            shared = sharing.read(changed)
        except ValueError as refusal:
            assert str(refusal).startswith("this is no shared run: ")  # noqa: PT017
            refused += 1
        else:
            read += 1
            assert 0 <= shared.steps <= sharing.STEPS
            assert all(max(rules.gan.generator.widths) <= sharing.WIDTH for rules, _ in shared.way)
    assert read > 20
    assert refused > 500


def test_a_restored_run_may_wait_for_the_page_to_train_it(session):
    again = sharing.take_up(sharing.share(session))
    assert again.timeline.goal == again.timeline.line.end
    assert (again.timeline.at, again.timeline.line.end) == (0, int(session.game.step))
    again.travel(int(session.game.step))
    assert same(again.game, session.game)


def test_several_runs_are_written_one_after_the_other(session):
    other = Session(session.gan, session.target, seed=2)
    other.advance(3)
    brought = run(code.states({"one": session, "two\n1/0": other}))
    assert same(brought["runs"]["one"], session.game)
    assert same(brought["runs"]["two\n1/0"], other.game)


def test_the_lab_shows_its_code_as_it_is_written(session):
    assert repr(session.state) == str(session.state)
    assert isinstance(session.state, lab.Code)
