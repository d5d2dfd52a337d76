"""A preset's name and what is to differ from it come in; all that decides a run's numbers goes out, as plain data."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from .. import losses
from ..data import Target
from ..errors import UnknownName, suggestion
from ..train import Gan, Hyperparams
from . import sources
from .faults import WrongCall
from .networks import LABELS, NETWORKS, Subject
from .presets import PRESETS, Preset

NOT_SET = ("generator", "discriminator", "latent_dim", "auxiliary")
"""Fields of `Gan` that the networks' options decide."""


@dataclass(frozen=True)
class Settings:
    """All that decides a run's numbers; plain data, so that it can be written down as JSON and read back.

    Attributes:
        preset: its name.
        data: name in `SOURCES`.
        shape: of a sample, images as (height, width, channels).
        classes: of the data; 0 where they have no labels.
        seed: all of the run's randomness follows from it.
        options, rules, dials: what is not at its default, of the networks, of the `Gan`, of the `Hyperparams`.
    """

    preset: str
    data: str
    shape: tuple[int, ...]
    classes: int
    seed: int
    options: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, Any] = field(default_factory=dict)
    dials: Mapping[str, float] = field(default_factory=dict)

    @property
    def family(self):
        """The family of networks."""
        return NETWORKS[PRESETS[self.preset].networks]

    def gan(self) -> Gan:
        """The rules, with the networks that fit the data."""
        rules = dict(self.rules)
        subject = Subject(self.shape, self.classes, rules.get("packing", 1))
        if "loss" in rules:
            rules["loss"] = losses.LOSSES[rules["loss"]]
        if "penalty" in rules:
            rules["penalty"] = losses.PENALTIES[rules["penalty"]]
        generator, discriminator = self.family.make(subject, **self.options)
        auxiliary = LABELS[self.options.get("labels", "none")].auxiliary
        return Gan(generator, discriminator, auxiliary=auxiliary, **rules)

    def hyper(self) -> Hyperparams:
        """The dials."""
        return Hyperparams(**self.dials)

    def target(self) -> Target:
        """The data, loaded."""
        return sources.target(self.data, flat=self.family.flat)

    def as_json(self) -> dict[str, Any]:
        """The same as what JSON can hold; infinity as a word."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, held: Mapping[str, Any]) -> "Settings":
        """What `as_json` gave."""
        held = dict(held)
        for name in ("options", "rules"):
            held[name] = {n: tuple(v) if isinstance(v, list) else v for n, v in held[name].items()}
        held["dials"] = {name: float(value) for name, value in held["dials"].items()}
        return cls(**held | {"shape": tuple(held["shape"])})

    def differences(self, other: "Settings") -> dict[str, tuple[Any, Any]]:
        """What makes the other one another run: name to (here, there). Dials may move while a run goes on."""
        mine, theirs = self.in_full(), other.in_full()
        return {n: (mine.get(n), theirs.get(n)) for n in {**mine, **theirs} if mine.get(n) != theirs.get(n)}

    def moved_dials(self, other: "Settings") -> dict[str, tuple[float, float]]:
        """The dials that the other one holds elsewhere: name to (here, there)."""
        mine, theirs = (vars(settings.hyper()) for settings in (self, other))
        return {n: (float(mine[n]), float(theirs[n])) for n in mine if float(mine[n]) != float(theirs[n])}

    def in_full(self) -> dict[str, Any]:
        """Every setting but the dials, defaults included."""
        named = {name: getattr(self, name) for name in ("preset", "data", "shape", "classes", "seed")}
        return {**named, **self.family.options, **self.options, **usual_rules(), **self.rules}


def usual_rules() -> dict[str, Any]:
    """The fields of `Gan` that can be set, with their defaults; loss and penalty by their names."""
    rules = {f.name: f.default for f in fields(Gan) if f.name not in NOT_SET}
    return rules | {"loss": "nonsaturating", "penalty": "none"}


def choose(preset: str, *, data: str | None = None, seed: int = 0, changes: Iterable[str] = ()) -> Settings:
    """Make the settings of a run; loads the data, whose shape the networks take.

    Args:
        preset: name in `PRESETS`.
        data: name in `SOURCES`; the preset's own when left out.
        seed: of everything random.
        changes: "name=value" each, of the networks' options, the `Gan`'s fields, or the dials.

    Raises:
        WrongCall: a name that is not known, a value of another kind, or a combination that has no meaning.
        Failed: the data cannot be had.

    >>> choose("ring", changes=["lr_g=2e-4", "hidden=32,32"]).hyper().lr_g
    0.0002
    """
    try:
        chosen = PRESETS[preset]
        name = chosen.data if data is None else data
        source, family = sources.SOURCES[name], NETWORKS[chosen.networks]
        if not source.images and not family.plane:
            images = [n for n, s in sources.SOURCES.items() if s.images]
            raise WrongCall(f"{preset} makes images, and {name} are points in the plane; choose --data of "
                            f"{', '.join(images)}, or the preset ring")  # fmt: skip
        options, rules, dials = _changed(chosen, changes)
        target = sources.target(name, flat=family.flat)
        shape = tuple(getattr(target, "image_shape", target.shape))
        classes = int(getattr(target, "classes", 0) or 0)
        settings = Settings(preset, name, shape, classes, int(seed), options, rules, dials)
        settings.gan(), settings.hyper()
    except (UnknownName, ValueError, TypeError) as error:
        raise WrongCall(str(error)) from error
    return settings


def _changed(preset: Preset, changes: Iterable[str]) -> tuple[dict, dict, dict]:
    """The preset's options, rules and dials, with the changes among them."""
    options, rules, dials = dict(preset.options), dict(preset.rules), dict(preset.dials)
    usual_options = NETWORKS[preset.networks].options
    rules_known = usual_rules()
    known = [*(f.name for f in fields(Hyperparams)), *rules_known, *usual_options]
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise WrongCall(f"--set takes name=value, got {change!r}; for example --set lr_g=2e-4")
        if name in usual_options:
            options[name] = _value(name, text, usual_options[name])
        elif name in rules_known:
            rules[name] = _value(name, text, rules_known[name])
        elif name in known:
            dials[name] = _value(name, text, 0.0)
        else:
            raise WrongCall(f"nothing of {preset.name} is named {name!r}; {suggestion(name, known)}")
    return options, rules, dials


def _value(name: str, text: str, usual: Any) -> Any:
    """A text as a value of the same kind as the usual one."""
    kinds = {bool: "yes or no", int: "a whole number", float: "a number", tuple: "whole numbers such as 64,64"}
    try:
        if isinstance(usual, bool):
            return {"yes": True, "true": True, "no": False, "false": False}[text.lower()]
        if isinstance(usual, tuple):
            return tuple(int(part) for part in text.split(","))
        return type(usual)(text)
    except (KeyError, ValueError):
        raise WrongCall(f"{name} must be {kinds[type(usual)]}, got {text!r}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value
