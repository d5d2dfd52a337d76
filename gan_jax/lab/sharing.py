"""A session comes in; a short string that says how its run came about goes out, and the other way round.

The string is data and nothing else: numbers, and names that stand on the menus. `read` looks at every one of them
before anything is built, and nothing in it is ever evaluated. Text: `gan1.` and base64url of a checksum (4 bytes) and
deflated JSON, `[seed, [n, changes], [n, changes], ...]`: n steps after these changes of dials, rules or target.
"""

import base64
import binascii
import json
import math
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple

from tqdm.auto import tqdm

from .. import data, losses, nets, train
from ..data import Target
from ..errors import Menu
from ..train import Gan, Hyperparams
from .code import decimal, drawn_points, menu_name, states
from .dials import PLAYERS
from .session import Session
from .timeline import Rules, changes

PREFIX = "gan1."
"""What every string begins with; the number is the version."""

TEXT, JSON = 60_000, 400_000
"""Characters of a string, and of what it unpacks to, at most."""

REFUSAL = "this is no shared run: "

STEPS, STRETCHES, PROGRAMS = 1_000_000, 5_000, 40
"""Steps of a run, stretches between changes of anything, and different `Gan`s in it, at most."""

LAYERS, WIDTH = 12, 1024
"""Layers of a network, and neurons in one, at most."""

COUNTS = {
    "latent_dim": 1024,
    "batch_size": 4096,
    "d_steps": 64,
    "g_steps": 64,
    "packing": 32,
    "unrolled_steps": 64,
}
"""The largest value of each count of a `Gan`."""

MENUS: dict[str, Mapping[str, Any]] = {
    "loss": losses.LOSSES,
    "penalty": losses.PENALTIES,
    "latent": train.LATENTS,
    "optimizer": train.OPTIMIZERS,
    "update": train.UPDATES,
}
"""The rules of a `Gan` that go by a name."""

EXTRAS = ("activation", "output", "normalisation", "initialiser", "minibatch_stddev")
"""What a string can say of a network beside its widths: labels and heads not, since the lab of points has none."""

# what such text is made of, so that the packing need not say it; it belongs to the version and never changes
_KNOWN = (
    b'"f_jensen_shannon""f_reverse_kl""f_pearson""f_kl""simultaneous""extragradient""optimistic_adam""rmsprop""sgd"'
    b'"two gaussians""two moons""checkerboard""swiss roll""clusters""gaussian""circle""spiral""line""grid"'
    b'"activation":"leaky_relu""tanh""gelu""silu""normalisation":"spectral""batch""layer""initialiser":"orthogonal"'
    b'"points":[["scale":0.05"players":"generator""discriminator""uniform""latent":"unrolled_steps":"packing":'
    b'"relativistic""least_squares""wasserstein""minimax""hinge""r1_and_r2""wgan_gp""dragan""r1""r2"'
    b'"noise_steps":"inf""instance_noise":0.1,"label_smoothing":0.1,"weight_clip":0.01,"ema_decay":0.99,'
    b'"beta1":0.9,"beta2":0.99,"penalty":"penalty_weight":10.0,"optimizer":"update":"batch_size":"d_steps":"g_steps":'
    b'"target":"loss":"lr_g":0.002],[00,{"lr_d":0.001],[0,[500,{"generator":[2,64,64,2],"discriminator":[2,64,64,1],'
    b'"lr_d":0.002}],[1000,{"lr_g":0.0005}],[0,[100,{'
)


class Shared(NamedTuple):
    """A run as a string tells it.

    Attributes:
        seed: from which its first state follows.
        way: the rules of each stretch, and how many steps it takes; the last may take none.
    """

    seed: int
    way: tuple[tuple[Rules, int], ...]

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return sum(n for _, n in self.way)


# ---- out ----


def share(session: Session) -> str:
    """Write a session's run as a short string, from which `restore` brings it back.

    Args:
        session: a `Session` whose networks are MLPs, and whose loss, penalty and target are on the menus or drawn.

    Returns:
        One word of letters, digits, "-", "_" and one "."; about 100 characters, more for many moves or a drawing.

    Raises:
        ValueError: the run has something of the user's own, which a string cannot carry.
    """
    with session.lock:
        line, at, now = session.timeline.line, session.timeline.at, session.rules
        way = [*line.stretches(line.first, at), (now, 0)]
    if line.seed is None:
        raise ValueError(f"this run began from a state that was put there, which is too long for a string; {_INSTEAD}")
    before, pieces = None, []
    for rules, n in way:
        described = _described(before, rules)
        if described or n:
            pieces.append([n, described] if described else [n])
        before = rules
    text = _pack(json.dumps([line.seed, *pieces], separators=(",", ":"), allow_nan=False))
    try:
        read(text)
    except ValueError as error:
        reason = str(error).removeprefix(REFUSAL)
        raise ValueError(f"this run cannot be shared as a string: {reason}; {_INSTEAD}") from None
    return text


_INSTEAD = "lab.state writes it as Python, which you can complete"


def _described(before: Rules | None, rules: Rules) -> dict[str, Any]:
    """What one stretch differs in from the one before, or from what is usual."""
    if before is None:
        gan = rules.gan
        names = [f.name for f in fields(Gan) if f.name not in ("generator", "discriminator", "latent_dim")]
        usual = {f.name: f.default for f in fields(Gan)}
        differing = {name: getattr(gan, name) for name in names if getattr(gan, name) != usual[name]}
        differing |= {"generator": gan.generator, "discriminator": gan.discriminator}
        differing |= changes(_USUAL._replace(gan=gan), rules)
        if getattr(gan.generator, "inputs", None) != gan.latent_dim:
            differing["latent_dim"] = gan.latent_dim
    else:
        differing = changes(before, rules)
    _check_carried(rules.gan)
    return {name: _plain(name, value, rules) for name, value in differing.items()}


def _check_carried(gan: Gan) -> None:
    """Raise where a `Gan` has labels or heads, and name all of them."""
    beyond = [] if gan.auxiliary is None else [f"auxiliary={gan.auxiliary.name!r}"]
    for name in ("generator", "discriminator"):
        recipe = getattr(gan, name)
        extras = [f for f in fields(recipe) if f.name not in ("widths", *EXTRAS)] if _is_mlp(recipe) else []
        beyond += [
            f"the {name}'s {f.name}={value!r}" for f in extras if (value := getattr(recipe, f.name)) != f.default
        ]
    if beyond:
        raise ValueError(f"a string cannot carry {', '.join(beyond)}; {_INSTEAD}")


def _is_mlp(recipe: Any) -> bool:
    return isinstance(recipe, nets.MlpRecipe)


def _plain(name: str, value: Any, rules: Rules) -> Any:
    """A value as JSON has it."""
    if name in ("loss", "penalty"):
        known = menu_name(MENUS[name], value)
        if known is None:
            raise ValueError(f"the {name} '{value.name}' is your own, so it cannot be shared as a string; {_INSTEAD}")
        return known
    if name in ("generator", "discriminator"):
        if not _is_mlp(value):
            raise ValueError(f"the {name}'s network is your own, so it cannot be shared as a string; {_INSTEAD}")
        plain = nets.mlp(*value.widths)
        extras = {
            f.name: getattr(value, f.name) for f in fields(value) if getattr(value, f.name) != getattr(plain, f.name)
        }
        return [*value.widths, *([extras] if extras else [])]
    if name == "target" and isinstance(rules.target, data.Drawn):
        return {"points": drawn_points(rules.target), "scale": decimal(rules.target.scale)}
    if name == "target" and value not in data.TARGETS:
        raise ValueError(f"the target '{value}' is your own, so it cannot be shared as a string; {_INSTEAD}")
    return "inf" if isinstance(value, float) and math.isinf(value) else value


def _pack(text: str) -> str:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zdict=_KNOWN)
    packed = packer.compress(text.encode()) + packer.flush()
    whole = zlib.crc32(packed).to_bytes(4, "big") + packed
    return PREFIX + base64.urlsafe_b64encode(whole).decode().rstrip("=")


# ---- in ----


def read(text: str) -> Shared:
    """Read a string strictly: nothing is built, trained or evaluated.

    Args:
        text: what `share` wrote; white space in it does not matter.

    Returns:
        The run that it tells of.

    Raises:
        ValueError: it is no such string, was cut off or mistyped, or holds what no menu has; never anything else.
    """
    try:
        return _read(json.loads(_unpack(text), parse_constant=_no_constant, object_pairs_hook=_once))
    except RecursionError:
        raise ValueError(f"{REFUSAL}it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{REFUSAL}{error}") from None
    except (TypeError, KeyError) as error:  # what the core says of rules that do not fit each other
        raise ValueError(f"{REFUSAL}{error}") from None


def _unpack(text: Any) -> str:
    if not isinstance(text, str):
        raise ValueError(f"a string was expected, got {type(text).__name__}")
    if len(text) > TEXT:
        raise ValueError(f"it has {len(text):,} characters, more than {TEXT:,}")
    text = "".join(text.split())
    if not text.startswith(PREFIX):
        version = re.match(r"gan(\d{1,6})\.", text)
        later = f"it is of version {version[1]}, and this gan_jax reads version 1" if version else None
        raise ValueError(later or f"it begins with {text[:8]!r}, not with {PREFIX!r}")
    body = text.removeprefix(PREFIX)
    if not re.fullmatch("[A-Za-z0-9_-]*", body):
        raise ValueError("it has characters that do not belong there; copy all of it, and nothing else")
    try:
        whole = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    except binascii.Error:
        raise ValueError("it was cut off; copy all of it") from None
    checksum, packed = whole[:4], whole[4:]
    if zlib.crc32(packed).to_bytes(4, "big") != checksum:
        raise ValueError("it was cut off or mistyped, its checksum does not fit; copy all of it")
    unpacker = zlib.decompressobj(-15, zdict=_KNOWN)
    try:
        unpacked = unpacker.decompress(packed, JSON + 1)  # stops there, whatever the packed text would grow to
    except zlib.error as error:
        raise ValueError(f"it is damaged ({error})") from None
    if len(unpacked) > JSON:
        raise ValueError(f"it unpacks to more than {JSON:,} characters")
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("it is damaged: it ends in the wrong place")
    return unpacked.decode()


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name stands there twice")
    return dict(pairs)


def _read(told: Any) -> Shared:
    if not isinstance(told, list) or not 2 <= len(told) <= 1 + STRETCHES:
        raise ValueError(f"a list of a seed and 1 to {STRETCHES:,} stretches was expected")
    seed = _count("seed", told[0], 0, 2**32 - 1)
    way: list[tuple[Rules, int]] = []
    steps, gans = 0, set()
    for piece in told[1:]:
        if not isinstance(piece, list) or len(piece) not in (1, 2):
            raise ValueError(f"a stretch is [steps, changes], got {_short(piece)}")
        n = _count("steps", piece[0], 0, STEPS)
        differing = piece[1] if len(piece) == 2 else {}
        if not isinstance(differing, dict):
            raise ValueError(f"changes are names and values, got {_short(differing)}")
        rules = _changed(way[-1][0] if way else None, differing)
        way.append((rules, n))
        gans.add(rules.gan)
        steps += n
        if steps > STEPS or len(gans) > PROGRAMS:
            raise ValueError(f"a run has at most {STEPS:,} steps and {PROGRAMS} different rules")
    return Shared(seed, tuple(way))


def _changed(before: Rules | None, differing: dict[str, Any]) -> Rules:
    """The rules after some changes, each looked at."""
    of_gan: dict[str, Any] = {}
    of_hyper: dict[str, float] = {}
    rest: dict[str, Any] = {}
    for name, value in differing.items():
        if name in ("generator", "discriminator"):
            if before is not None:
                raise ValueError(f"the {name} cannot change within a run")
            of_gan[name] = _network(name, value)
        elif name in COUNTS:
            of_gan[name] = _count(name, value, 0, COUNTS[name])
        elif name in MENUS:
            entry = Menu(name, MENUS[name])[_name(name, value)]
            of_gan[name] = entry if name in ("loss", "penalty") else value
        elif name in train.RANGES:
            of_hyper[name] = _number(name, value)
        elif name == "target":
            rest["target_name"], rest["target"] = _target(value)
        elif name == "players":
            PLAYERS[_name(name, value)]
            rest["players"] = value
        else:
            raise ValueError(f"nothing is called {name[:40]!r}")
    if before is None:
        if not {"generator", "discriminator"} <= of_gan.keys():
            raise ValueError("it does not say what the networks are")
        before = _USUAL._replace(gan=Gan(**of_gan), target=data.TARGETS["ring"]())
    elif "optimizer" in of_gan or "latent_dim" in of_gan or "latent" in of_gan:
        raise ValueError("optimizer and latent cannot change within a run")
    else:
        before = before._replace(gan=replace(before.gan, **of_gan))
    rules = before._replace(hyper=replace(before.hyper, **of_hyper), **rest)
    train.dials(rules.gan, rules.hyper)
    return rules


_USUAL = Rules(None, "ring", None, Hyperparams(), "both")  # type: ignore[arg-type]


def _network(name: str, value: Any) -> nets.MlpRecipe:
    if not isinstance(value, list) or len(value) < 2:
        raise ValueError(f"the {name} is a list of widths, got {_short(value)}")
    extras = value[-1] if isinstance(value[-1], dict) else {}
    widths = value[:-1] if extras else value
    if not 2 <= len(widths) <= LAYERS + 1:
        raise ValueError(f"the {name} has at most {LAYERS} layers, got {len(widths) - 1}")
    for width in widths:
        _count(f"a width of the {name}", width, 1, WIDTH)
    for key, entry in extras.items():
        if key not in EXTRAS:
            raise ValueError(f"a network in a string has no {key[:40]!r}; it has {', '.join(EXTRAS)}")
        if key == "minibatch_stddev":
            _count(key, entry, 0, COUNTS["batch_size"])
        else:
            _name(key, entry)
    return nets.mlp(*widths, **extras)


def _target(value: Any) -> tuple[str, Target]:
    if isinstance(value, str):
        return value, Menu("target", data.TARGETS)[value]()
    if not isinstance(value, dict) or value.keys() != {"points", "scale"} or not isinstance(value["points"], list):
        raise ValueError(f"a target is a name, or points and their scale; got {_short(value)}")
    points, scale = value["points"], value["scale"]
    if not 1 <= len(points) <= 256:
        raise ValueError(f"a drawing has 1 to 256 points, got {len(points):,}")
    for point in points:
        if not isinstance(point, list) or len(point) != 2 or not all(map(_finite, point)):
            raise ValueError(f"a point is two finite numbers, got {_short(point)}")
    if not _finite(scale):
        raise ValueError(f"the scale of a drawing is a positive number, got {_short(scale)}")
    return "drawn", data.drawn(points, scale=scale)


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e30


def _number(name: str, value: Any) -> float:
    if value == "inf":
        return math.inf
    if not _finite(value):
        raise ValueError(f"{name} must be a number, got {_short(value)}")
    return float(value)


def _count(name: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most:,}, got {_short(value)}")
    return value


def _name(kind: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{kind} goes by a name, got {_short(value)}")
    return value


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 40 else f"{text[:40]} ..."


# ---- back ----


def restore(text: str, session: Session | None = None, *, progress: bool = True) -> Session:
    """Bring a shared run back, and train it to the step that was shared.

    Args:
        text: what `share` wrote.
        session: takes the run up, as an action that can be undone; a new one when left out.
        progress: show a bar when it takes longer than a second.

    Returns:
        The `Session`. On the same machine, and with the same versions, it is the same run bit for bit.

    Raises:
        ValueError: as `read`, or networks that do not fit the target.
        Diverged: the run left the finite numbers here, as it did not where it was shared.

    >>> session = Session(Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16), seed=4)
    >>> _ = session.advance(5)
    >>> again = restore(share(session))
    >>> again.seed, int(again.game.step)
    (4, 5)
    """
    session = take_up(text, session)
    end = session.timeline.line.end
    with tqdm(total=end, unit="step", desc="training", delay=1.0, disable=not progress) as bar:
        while (at := session.timeline.at) < end:
            session.travel(end, seconds=0.5)
            bar.update(session.timeline.at - at)
    return session


def take_up(text: str, session: Session | None = None) -> Session:
    """Put a session at the first step of a shared run, with the whole run ahead of it for `travel` to reach.

    Args:
        text, session: as for `restore`.

    Returns:
        The `Session`; its timeline's `goal` is the run's last step.
    """
    shared = read(text)
    first = shared.way[0][0]
    if session is None:
        session = Session(first.gan, first.target, first.hyper, shared.seed)
        session.stand(session.game, first, "generator", shared.seed)
    else:
        session.begin(first, shared.seed)
    with session.lock:
        timeline = session.timeline
        for rules, n in shared.way:
            if n:
                timeline.line.extend(rules, n)
        last = shared.way[-1][0]
        timeline.line.tip, timeline.goal = last, timeline.line.end or None
    return session


# ---- what the page may ask: each answer takes the lab and the message ----


def _code(lab: Any, message: Mapping[str, Any]) -> None:
    text = states(dict(zip(lab.names, lab.sessions, strict=True)))
    lab.tell("code", {"text": str(text)}, message.get("request"))


def _string(lab: Any, message: Mapping[str, Any]) -> None:
    lab.tell("string", {"text": share(lab.session)}, message.get("request"))


def _restore(lab: Any, message: Mapping[str, Any]) -> None:
    """Take up a shared run in place of the active one; the page then asks to travel to its end, piece by piece."""
    text = message.get("text")
    if not isinstance(text, str):
        raise ValueError(f"a shared run is a string, got {str(text)[:40]!r}")
    take_up(text, lab.session)
    lab.look_again()
    lab.show(message.get("request"))


ANSWERS: dict[str, Callable[[Any, Any], None]] = {"code": _code, "string": _string, "restore": _restore}
