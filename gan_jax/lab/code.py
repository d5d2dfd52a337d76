"""A session comes in; the Python that brings its run back, step by step and bit for bit, goes out."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from .. import data, losses, nets
from ..errors import Menu
from ..train import Gan, Hyperparams
from .dials import PLAYERS
from .timeline import Rules, changes

IMAGES: Menu[Callable[..., data.Dataset]] = Menu(
    "loader of images", {name: getattr(data, name) for name in ("digits", "mnist_5000")}
)
"""Loaders of real images that need no network, so that a data set can be told to be theirs."""


class Code(str):
    """Python text that shows itself as it is written."""

    __slots__ = ()
    __repr__ = str.__str__


IMPORTS = """from dataclasses import replace
import jax
from gan_jax import data, losses, nets, train
"""


def state(session: Any) -> Code:
    """Write the Python that brings a session's run back outside the lab.

    Args:
        session: a `Session`; on a branch, the past that it shares is in it.

    Returns:
        Text that leaves `gan`, `hyper`, `target` and `state` as the session has them. What only the user has goes by
        the names `your_loss`, `your_penalty`, `your_network` and `your_target`.
    """
    return Code("\n".join([IMPORTS, *_run(session)]))


def states(sessions: Mapping[str, Any]) -> Code:
    """Write the Python that brings several sessions back, one after the other.

    Args:
        sessions: by the name of the run.

    Returns:
        Text that leaves the final states in a dictionary `runs`, by these names; of one session the same as `state`.
    """
    if len(sessions) == 1:
        return state(*sessions.values())
    lines = [IMPORTS, "runs = {}"]
    for name, session in sessions.items():
        lines += ["", f"# {' '.join(name.split())}", *_run(session), f"runs[{name!r}] = state"]
    return Code("\n".join(lines))


def _run(session: Any) -> list[str]:
    with session.lock:
        line, at, now = session.timeline.line, session.timeline.at, session.rules
        way = [*line.stretches(line.first, at), (now, 0)]
    before = way[0][0]
    lines = [f"gan = {gan_code(before.gan)}", f"hyper = {hyper_code(before.hyper)}", _target_line(before)]
    made = "your_state  # as it was put there" if line.seed is None else None
    lines += [f"state = {made or f'train.init(gan, hyper, jax.random.key({line.seed}))'}"]
    for rules, n in way:
        lines += _changes_code(before, rules)
        before = rules
        if n:
            lines += [_steps_code(rules, n)]
    return lines


def _changes_code(before: Rules, rules: Rules) -> list[str]:
    differing = changes(before, rules)
    of_gan = {name: value for name, value in differing.items() if name in _names(Gan)}
    of_hyper = {name: _number(value) for name, value in differing.items() if name in _names(Hyperparams)}
    lines = [f"gan = {_call('replace', ['gan'], **_rules_code(of_gan))}"] if of_gan else []
    lines += [_target_line(rules)] if "target" in differing else []
    return lines + ([f"hyper = {_call('replace', ['hyper'], **of_hyper)}"] if of_hyper else [])


def _steps_code(rules: Rules, n: int) -> str:
    held = {name: _number(value) for name, value in PLAYERS[rules.players].items()}
    hyper = _call("replace", ["hyper"], **held) if held else "hyper"
    return f"state, history = train.steps(gan, {hyper}, target, state, {n})"


def _names(kind: Any) -> list[str]:
    return [f.name for f in fields(kind)]


def _target_line(rules: Rules) -> str:
    return f"target = {target_code(rules.target_name, rules.target)}"


def target_code(name: str, target: Any) -> str:
    """A target as Python: from the menu, drawn by hand, images by the name of their loader, or yours."""
    if isinstance(target, data.Dataset) and name in IMAGES:
        return f"data.{name}({'' if target.flat else 'flat=False'})"
    if isinstance(target, data.Drawn):
        return _call("data.drawn", [str(drawn_points(target))], scale=decimal(target.scale))
    return f'data.TARGETS["{name}"]()' if name in data.TARGETS else "your_target  # as it was given to the lab"


def drawn_points(target: data.Drawn) -> list[list[float]]:
    """The points of a drawing in the fewest digits that give the same float32 again, shape (count, 2)."""
    return [[decimal(x), decimal(y)] for x, y in np.asarray(target.points)[: int(target.count)]]


def decimal(value: Any) -> float:
    """A float32 as the shortest decimal number that rounds to it.

    >>> decimal(np.float32(0.1)), float(np.float32(0.1))
    (0.1, 0.10000000149011612)
    """
    return float(str(np.float32(value)))


def gan_code(gan: Gan) -> str:
    """A `Gan` as Python; fields that stand at their defaults are left out."""
    rules = {f.name: getattr(gan, f.name) for f in fields(gan) if getattr(gan, f.name) != f.default}
    rules = {name: value for name, value in rules.items() if name not in ("generator", "discriminator", "latent_dim")}
    if getattr(gan.generator, "inputs", None) != gan.latent_dim:
        rules["latent_dim"] = gan.latent_dim
    return _call("train.Gan", [recipe_code(r) for r in (gan.generator, gan.discriminator)], **_rules_code(rules))


def _rules_code(rules: Mapping[str, Any]) -> dict[str, str]:
    """Fields of a `Gan` as Python; what no menu names is called yours."""
    code = {name: repr(value) for name, value in rules.items()}
    for kind, menu, place in (("loss", losses.LOSSES, "LOSSES"), ("penalty", losses.PENALTIES, "PENALTIES")):
        if kind in rules:
            name = menu_name(menu, rules[kind])
            code[kind] = f"your_{kind}" if name is None else f'losses.{place}["{name}"]'
    if "auxiliary" in rules:
        code["auxiliary"] = _auxiliary_code(rules["auxiliary"])
    return code


def _auxiliary_code(auxiliary: losses.Auxiliary) -> str:
    if auxiliary == losses.auxiliary_classifier:
        return "losses.auxiliary_classifier"
    counts = auxiliary.categories, auxiliary.continuous
    if auxiliary.name != losses.information(*counts).name:
        return "your_auxiliary"
    return _call("losses.information", [], categories=str(counts[0]), continuous=str(counts[1]))


def menu_name(menu: Mapping[str, Any], entry: Any) -> str | None:
    """The name under which an entry stands on a menu; None if it does not."""
    return next((name for name, known in menu.items() if known == entry), None)


def recipe_code(recipe: Any) -> str:
    """A network's recipe as Python."""
    if not isinstance(recipe, nets.MlpRecipe):
        ours = type(recipe).__module__.startswith(f"{nets.__name__}.") and repr(recipe).startswith("nets.")
        return repr(recipe) if ours else "your_network"
    extras = _differing(recipe, nets.mlp(*recipe.widths))
    return _call("nets.mlp", [str(width) for width in recipe.widths], **{k: repr(v) for k, v in extras.items()})


def hyper_code(hyper: Hyperparams) -> str:
    """The dials as Python; those that stand at their defaults are left out."""
    differing = _differing(hyper, Hyperparams())
    return _call("train.Hyperparams", [], **{name: _number(value) for name, value in differing.items()})


def _differing(new: Any, old: Any) -> dict[str, Any]:
    return {name: getattr(new, name) for name in _names(new) if getattr(new, name) != getattr(old, name)}


def _call(name: str, arguments: Sequence[str], **keywords: Any) -> str:
    return f"{name}({', '.join([*arguments, *(f'{key}={value}' for key, value in keywords.items())])})"


def _number(value: float) -> str:
    return 'float("inf")' if math.isinf(value) else f"{value!r}"
