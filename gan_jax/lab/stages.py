"""A session comes in; one step of its game goes out as a walk in slow motion, stage by stage, with words and pictures.

Nothing is kept of a walk that is broken off: the session stands still while its next step is looked at, and only the
end of the walk takes that step, as `session.advance(1)` does.
"""

import copy
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx

from .. import losses, nets, train
from ..train import Hyperparams, Stages, State, Update
from .frames import Frame
from .layers import LAYERS, REACH

POINTS = 512
"""Samples of a batch shown at most, of each kind."""

SEEN = 0.15
"""Share of the picture's width that the long ones among the arrows may reach when they are magnified."""

Arrays = dict[str, np.ndarray]
Phrase = dict[str, Any]
"""`{"key": of a text, "values": what stands in it}`."""

COMPONENTS = (
    "latent", "generator", "fake", "real", "discriminator", "loss_d", "loss_g", "update_d", "update_g",
)  # fmt: skip
"""What the overview lights up."""

LIT = {
    "d_latent": ("latent",),
    "d_fake": ("latent", "generator", "fake"),
    "d_real": ("real",),
    "d_judge": ("real", "fake", "discriminator"),
    "d_loss": ("discriminator", "loss_d"),
    "d_update": ("loss_d", "update_d", "discriminator"),
    "g_latent": ("latent",),
    "g_fake": ("latent", "generator", "fake"),
    "g_judge": ("fake", "discriminator"),
    "g_loss": ("discriminator", "loss_g"),
    "g_gradient": ("loss_g", "update_g", "discriminator", "fake"),
    "g_update": ("update_g", "fake", "generator"),
}
"""The stages of an update of D, then those of an update of G, with what is lit in each."""


class Formulas(NamedTuple):
    """A loss as it is written, E[.] being the mean over the batch, a the logit and D = sigmoid(a).

    Attributes:
        discriminator, generator: what each of them minimises.
        push: `-n dL_G / dx` of a fake sample x, one of n.
    """

    discriminator: str
    generator: str
    push: str


_CROSS_ENTROPY = "−E[log D(x)] − E[log(1 − D(G(z)))]"
FORMULAS = {
    "nonsaturating": Formulas(_CROSS_ENTROPY, "−E[log D(G(z))]", "(1 − D(x)) ∇a(x)"),
    "minimax": Formulas(_CROSS_ENTROPY, "E[log(1 − D(G(z)))]", "D(x) ∇a(x)"),
    "least_squares": Formulas("½ E[(a(x) − 1)²] + ½ E[a(G(z))²]", "½ E[(a(G(z)) − 1)²]", "(1 − a(x)) ∇a(x)"),
    "wasserstein": Formulas("E[a(G(z))] − E[a(x)]", "−E[a(G(z))]", "∇a(x)"),
    "hinge": Formulas("E[max(0, 1 − a(x))] + E[max(0, 1 + a(G(z)))]", "−E[a(G(z))]", "∇a(x)"),
    "relativistic": Formulas(
        "E[softplus(a(G(z)) − a(x))]", "E[softplus(a(x) − a(G(z)))]", "σ(a(real) − a(x)) ∇a(x)"
    ),
    "f_kl": Formulas("−E[a(x)] + E[e^(a(G(z)) − 1)]", "−E[e^(a(G(z)) − 1)]", "e^(a(x) − 1) ∇a(x)"),
    "f_reverse_kl": Formulas("E[e^(−a(x))] + E[a(G(z))] − 1", "1 − E[a(G(z))]", "∇a(x)"),
    "f_jensen_shannon": Formulas(f"{_CROSS_ENTROPY} − 2 log 2", "E[log(1 − D(G(z)))] + log 2", "D(x) ∇a(x)"),
    "f_pearson": Formulas(
        "−E[a(x)] + E[a(G(z))²/4 + a(G(z))]", "−E[a(G(z))²/4 + a(G(z))]", "(a(x)/2 + 1) ∇a(x)"
    ),
}  # fmt: skip
"""Every loss of `losses.LOSSES` as it is written."""


class Stage(NamedTuple):
    """One thing that happens in a step.

    Attributes:
        name: in `LIT`.
        turn: which update it belongs to.
        lit: components of the overview that take part.
        phrases: what it means, in order: the explanation, then what is special under these rules.
        numbers: what is known by now and stands in the overview, by name.
        game: both networks as they stand when it is shown.
        arrays: this batch, for the picture.
    """

    name: str
    turn: Phrase
    lit: tuple[str, ...]
    phrases: tuple[Phrase, ...]
    numbers: dict[str, float]
    game: State
    arrays: Arrays


def phrase(key: str, **values: Any) -> Phrase:
    """A text of `words/stages.json`, with what stands in it."""
    return {"key": f"slow.{key}", "values": {name: _written(value) for name, value in values.items()}}


def _written(value: Any) -> Any:
    return value if isinstance(value, (str, dict)) else f"{float(value):.3g}".replace("-", "−")


def _entry(menu: Mapping[str, Any], entry: Any, text: str) -> dict[str, str]:
    """Something on a menu, by the key of its name in `words/controls.json`; one's own by its own name."""
    name = next((name for name, known in menu.items() if known == entry), "")
    return {"key": f"entry_{name}", "text": text}


def _loss_name(loss: losses.Loss) -> str:
    return next((name for name, known in losses.LOSSES.items() if known[:2] == loss[:2]), "custom")


class _Teller:
    """What is said and shown of one update.

    Args:
        session: whose step it is.
        hyper: the dials that the step is taken by.
        update: laid open by `train.stages`.
    """

    def __init__(self, session: Any, hyper: Hyperparams, update: Update):
        self.session, self.gan, self.hyper, self.update = session, session.gan, hyper, update
        self.loss_name = _loss_name(self.gan.loss)
        self.probability = self.gan.loss in losses.CROSS_ENTROPIES
        self.player = update.player[0]

    def answers(self, discriminator: nnx.Module | None = None) -> tuple[np.ndarray, np.ndarray]:
        """What D says of each real and each fake pack: a probability where it is one, else the logit."""
        update = self.update
        logits = [update.real_logits, update.fake_logits]
        if discriminator is not None:
            logits = [discriminator(nets.pack(x, self.gan.packing)).reshape(-1) for x in (update.real, update.fake)]
        real, fake = (np.asarray(each, np.float64) for each in logits)
        return (_sigmoid(real), _sigmoid(fake)) if self.probability else (real, fake)

    def phrases(self, name: str) -> tuple[Phrase, ...]:
        return tuple(each for each in getattr(self, f"_{name}")() if each)

    def _draw(self) -> list[Phrase | None]:
        latent = {"normal": "N(0, I)", "uniform": "U[−1, 1]"}[self.gan.latent]
        return [
            phrase(f"{self.player}_latent", n=str(self.gan.batch_size), dim=str(self.gan.latent_dim), latent=latent)
        ]

    _d_latent = _g_latent = _draw

    def _d_fake(self) -> list[Phrase | None]:
        return [phrase("d_fake")]

    def _g_fake(self) -> list[Phrase | None]:
        return [phrase("g_fake")]

    def _d_real(self) -> list[Phrase | None]:
        return [phrase("d_real", n=str(self.gan.batch_size)), self._noise()]

    def _noise(self) -> Phrase | None:
        return phrase("noise") if self.hyper.instance_noise > 0 else None

    def _packs(self) -> Phrase | None:
        return phrase("packs", packing=str(self.gan.packing)) if self.gan.packing > 1 else None

    def _d_judge(self) -> list[Phrase | None]:
        real, fake = (answer.mean() for answer in self.answers())
        kind = "d_judge" if self.probability else "d_judge_score"
        return [phrase(kind, real=real, fake=fake), self._packs()]

    def _g_judge(self) -> list[Phrase | None]:
        real, fake = (answer.mean() for answer in self.answers())
        kind = "g_judge" if self.probability else "g_judge_score"
        kind = "g_judge_pairs" if self.loss_name == "relativistic" else kind
        steps = self.gan.unrolled_steps
        return [
            phrase(kind, real=real, fake=fake),
            phrase("unrolled", steps=str(steps)) if steps else None,
            phrase("simultaneous") if self.gan.update == "simultaneous" else None,
            self._packs(),
        ]

    def _d_loss(self) -> list[Phrase | None]:
        gan, update, weight = self.gan, self.update, float(self.hyper.penalty_weight)
        smoothing = float(self.hyper.label_smoothing)
        penalty = gan.penalty and _entry(losses.PENALTIES, gan.penalty, gan.penalty.name)
        return [
            self._worth("discriminator"),
            phrase("mean") if self.loss_name != "custom" else None,
            phrase("penalty", penalty=penalty, value=update.penalty, weight=weight) if penalty else None,
            phrase("smoothing", label=1 - smoothing) if smoothing else None,
        ]

    def _g_loss(self) -> list[Phrase | None]:
        return [self._worth("generator")]

    def _worth(self, player: str) -> Phrase:
        formula = getattr(FORMULAS.get(self.loss_name), player, "")
        loss = _entry(losses.LOSSES, self.gan.loss, self.gan.loss.name)
        return phrase(f"{player[0]}_loss.{self.loss_name}", loss=loss, formula=formula, value=self.update.loss)

    def _g_gradient(self) -> list[Phrase | None]:
        length = np.linalg.norm(self.pushes(), axis=1).mean()
        plain = self.loss_name == "custom" or self.gan.judged_together > 1 or self.gan.unrolled_steps
        kind, push = ("g_gradient_plain", {}) if plain else ("g_gradient", {"push": FORMULAS[self.loss_name].push})
        times = self.magnified()
        return [
            phrase(kind, length=length, **push),
            phrase("magnified", times=str(times)) if times > 1 else None,
            phrase("saturates") if self.loss_name in ("minimax", "f_jensen_shannon") else None,
        ]

    def pushes(self) -> np.ndarray:
        """`-n dL_G / dx` of each fake sample x, one of n."""
        return -len(self.update.fake) * np.asarray(self.update.sample_gradient)

    def magnified(self) -> int:
        """How many times too long the arrows are drawn: 1, or where hardly one would be seen, 10 or 100."""
        width = float(self.session.window[1] - self.session.window[0])
        long = np.quantile(np.linalg.norm(self.pushes(), axis=1), 0.9) * REACH * width  # as a share of the width
        return next((times for times in (100, 10) if times * long < SEEN), 1)

    def _move(self) -> list[Phrase | None]:
        rate = float(getattr(self.hyper, f"lr_{self.player}"))
        optimizer = _entry(train.OPTIMIZERS, train.OPTIMIZERS[self.gan.optimizer], self.gan.optimizer)
        norm = self.update.gradient_norm
        moved = phrase(f"{self.player}_update", norm=norm, optimizer=optimizer, rate=f"{rate:g}".replace("-", "−"))
        clip = phrase("clip", clip=self.hyper.weight_clip) if np.isfinite(self.hyper.weight_clip) else None
        return [
            moved if rate else phrase(f"{self.player}_held"),
            clip if self.player == "d" else None,
            self._now() if rate else None,
            phrase(f"{self.player}_ahead") if self.update.ahead else None,
        ]

    _d_update = _g_update = _move

    @property
    def repeats(self) -> bool:
        """Whether D's answers depend on nothing but the batch, so that the moved D can be asked about it again."""
        return not jax.tree.leaves(nnx.state(self.update.discriminator, nnx.Not(nnx.Param)))

    def _now(self) -> Phrase | None:
        """What D's answers to the same batch have become."""
        if self.player == "g" or not self.repeats:
            return None
        real, fake = (answer.mean() for answer in self.answers(self.update.after))
        return phrase("d_now", real=real, fake=fake)

    # ---- what is shown ----

    def numbers(self, name: str) -> dict[str, float]:
        """What the overview may show at a stage: nothing before it is known."""
        found: dict[str, float] = {}
        at = list(LIT).index(name) % 6
        if at >= (3 if self.player == "d" else 2):
            found["real"], found["fake"] = (float(answer.mean()) for answer in self.answers())
        if self.player == "g" and self.loss_name != "relativistic":
            found.pop("real", None)
        if at >= (4 if self.player == "d" else 3):
            found[f"loss_{self.player}"] = float(self.update.loss)
        if name == "d_update" or (self.player == "g" and at >= 4):
            found[f"norm_{self.player}"] = float(self.update.gradient_norm)
        return {key: value for key, value in found.items() if np.isfinite(value)}

    def game(self, name: str) -> State:
        moved = {self.update.player: self.update.after} if name.endswith("_update") else {}
        return replace(self.session.game, **{
            "generator": self.update.generator, "discriminator": self.update.discriminator, **moved,
        })  # fmt: skip

    def arrays(self, name: str) -> Arrays:
        """This batch as far as it has been drawn, what D says of it, and where it is pushed."""
        update, at = self.update, list(LIT).index(name) % 6
        shown: Arrays = {"slow_latent": _rows(update.latents)[:, :2]}
        if at >= 1:
            shown["slow_fake"] = _rows(update.fake)
        if at >= 2 and (self.player == "d" or self.loss_name == "relativistic"):
            shown["slow_real"] = _rows(update.real)
        moved = name == "d_update"
        if at >= (3 if self.player == "d" else 2) and (self.repeats or not moved):
            levels = self.levels(update.after if moved else None)
            shown |= {f"slow_{kind}_answer": level for kind, level in levels.items() if f"slow_{kind}" in shown}
        if name == "g_gradient":
            width = float(self.session.window[1] - self.session.window[0])
            shown["slow_push"] = np.concatenate([_rows(update.fake), _rows(self.pushes())], axis=1)
            shown["slow_push_scale"] = np.array([self.magnified() * REACH * width**2], np.float32)
        if name == "g_update":
            shown["slow_before"] = shown["slow_fake"]
            shown["slow_fake"] = _rows(update.after(update.latents))
            shown.pop("slow_fake_answer", None)
        return shown

    def levels(self, discriminator: nnx.Module | None = None) -> dict[str, np.ndarray]:
        """D's answer to every sample as a colour: 0 fake, 255 real; a score about the middle of both means."""
        real, fake = self.answers(discriminator)
        if not self.probability:
            middle = (real.mean() + fake.mean()) / 2
            reach = max(np.abs(np.concatenate([real, fake]) - middle).max(), 1e-6)
            real, fake = (0.5 + 0.5 * (answer - middle) / reach for answer in (real, fake))
        each = lambda level: np.repeat(level, self.gan.packing)[:POINTS]  # noqa: E731
        return {kind: np.round(255 * np.clip(np.nan_to_num(each(level)), 0, 1)).astype(np.uint8)
                for kind, level in (("real", real), ("fake", fake))}  # fmt: skip


def _sigmoid(a: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0.0, -a))


def _rows(samples: Any) -> np.ndarray:
    """The first samples of a batch, ready for the wire; JAX's own slices would compile."""
    return np.asarray(samples, np.float32)[:POINTS]


def _turn(update: Update, k: int, of: int) -> Phrase:
    kind = "ahead" if update.ahead else ("one" if of == 1 else "several")
    return phrase(f"turn.{update.player[0]}_{kind}", k=str(k), of=str(of))


def tell(session: Any, opened: Stages) -> list[Stage]:
    """Make the walk through one step.

    Args:
        session: whose step it is.
        opened: that step, as `train.stages` lays it open.

    Returns:
        Six stages an update, in order.
    """
    hyper, walk = session.in_force, []
    kinds = [(update.player, update.ahead) for update in opened.updates]
    for i, update in enumerate(opened.updates):
        teller, kind = _Teller(session, hyper, update), (update.player, update.ahead)
        turn = _turn(update, kinds[: i + 1].count(kind), kinds.count(kind))
        for name in (name for name in LIT if name[0] == teller.player):
            walk.append(Stage(name, turn, LIT[name], teller.phrases(name), teller.numbers(name), teller.game(name),
                              teller.arrays(name)))  # fmt: skip
    return walk


def begin(session: Any) -> list[Stage]:
    """Look at the session's next step in slow motion; the session itself stays where it is.

    Args:
        session: a `Session`.

    Returns:
        Six stages for each update of D, and six for each of G, in the order of the game.
    """
    return tell(session, train.stages(session.gan, session.in_force, session.target, session.game))


class _Walk:
    """A walk under way: where it stands, and what it was made of."""

    def __init__(self, session: Any, taken: int | None = None):
        self.stages, self.at, self.taken = begin(session), 0, taken
        self.game, self.target = session.game, session.target
        self.rules, self.dials = session.gan, session.in_force

    def goes_on(self, session: Any) -> bool:
        """Whether the session still is where the walk began, under the same rules."""
        return self.game is session.game and self.target is session.target and self.rules == session.gan

    @property
    def stage(self) -> Stage:
        return self.stages[self.at]


_WALKS: weakref.WeakKeyDictionary[Any, _Walk] = weakref.WeakKeyDictionary()


def walk_of(session: Any) -> Stage | None:
    """The stage at which slow motion stands; None outside it. A step, a reset or another menu ends it.

    Moving a dial does not: the walk is made anew with it, and stays at the same stage.
    """
    walk = _WALKS.get(session)
    if walk is None:
        return None
    if not walk.goes_on(session):
        del _WALKS[session]
        return None
    if walk.dials != session.in_force:
        at, walk = walk.at, _Walk(session)
        walk.at, _WALKS[session] = at, walk
    return walk.stage


def go(session: Any, stage: Any, step: Callable[[], Any] | None = None) -> None:
    """Go to a stage of the session's next step.

    Args:
        session: a `Session`.
        stage: from 0; the number of stages takes the step, exactly as `session.advance(1)` does, and begins the walk
            through the next one; None leaves, with nothing changed.
        step: takes the step in place of `session.advance(1)`, for runs in lock step.

    Raises:
        ValueError: no such stage; the message names those there are.
        Diverged: the step left the finite numbers; slow motion ends.
    """
    if stage is None:
        _WALKS.pop(session, None)
        return
    if isinstance(stage, bool) or not isinstance(stage, int) or stage < 0:
        raise ValueError(f"stage must be a whole number from 0, or null to leave, got {str(stage)[:80]!r}")
    if walk_of(session) is None:
        _WALKS[session], stage = _Walk(session), 0
    walk = _WALKS[session]
    if stage > len(walk.stages):
        raise ValueError(f"stage must be at most {len(walk.stages)}, the stages of this step, got {stage}")
    if stage < len(walk.stages):
        walk.at = stage
        return
    del _WALKS[session]
    session.advance(1) if step is None else step()
    _WALKS[session] = _Walk(session, taken=int(session.game.step))


def seen(session: Any) -> Any:
    """The session as slow motion shows it: the same, with both networks as they stand at its stage."""
    stage = walk_of(session)
    if stage is None:
        return session
    shown = copy.copy(session)
    shown.game = stage.game
    return shown


def picture(session: Any, layers: Sequence[str], charts: Sequence[str]) -> Frame:
    """Take a picture of a session: as `session.frame` does, or in slow motion of its stage.

    Args:
        session: a `Session`.
        layers, charts: as for `session.frame`.

    Returns:
        Its `Frame`. The header's "slow" is None outside slow motion. In it, "slow" says where the walk stands and what
        is to be said, and there are more arrays: "slow_latent", "slow_fake" and "slow_real", this batch as far as it
        has been drawn, "slow_fake_answer" and "slow_real_answer", what D says of each, "slow_push" and
        "slow_push_scale", as the layer "gradients", "slow_before", the fakes before G's update.
    """
    frame, stage = session.frame(tuple(layers), tuple(charts)), walk_of(session)
    if stage is None:
        return Frame({**frame.header, "slow": None}, frame.arrays)
    shown = seen(session)
    arrays = {**frame.arrays, **LAYERS["heat"].compute(shown), **stage.arrays}
    return Frame({**frame.header, "ends": arrays.pop("surface_ends").tolist(), "slow": _describe(session)}, arrays)


def _describe(session: Any) -> dict[str, Any]:
    """Where the walk stands, and the words."""
    walk = _WALKS[session]
    stage, taken = walk.stage, walk.at == 0 and walk.taken is not None
    phrases = [phrase("taken", step=str(walk.taken)), *stage.phrases] if taken else list(stage.phrases)
    return {
        "stage": walk.at,
        "of": len(walk.stages),
        "name": stage.name,
        "step": int(session.game.step),
        "lit": list(stage.lit),
        "turn": stage.turn,
        "phrases": phrases,
        "numbers": stage.numbers,
        "latent": min(session.gan.latent_dim, 2),
    }


_COMPILED: set[Any] = set()


def answer(lab: Any, message: dict[str, Any]) -> None:
    """Serve {"type": "slow", "stage": k}: go to a stage of the active run's next step; null leaves."""
    session, stage = lab.session, message.get("stage")
    program = session.gan, jax.tree.structure(session.target)
    if stage is not None and program not in _COMPILED:
        lab.tell("compiling", "Laying one step of these rules open: compiling once, a few seconds.")
    go(session, stage, lambda: lab._advance(1))
    _COMPILED.add(program)
    lab.show(message.get("request"))


ANSWERS = {"slow": answer}
