"""A `Gan` of MLPs and a choice come in; the `Gan` with that choice goes out: depth, width, activation, counts."""

import itertools
from dataclasses import replace
from typing import Any

from .. import nets, train
from ..errors import Menu
from ..train import Gan

COUNTS = {
    "batch_size": (16, 32, 64, 128, 256, 512),
    "d_steps": (1, 2, 3, 5, 10),
    "g_steps": (1, 2, 3, 5, 10),
    "unrolled_steps": (0, 1, 3, 5, 10),
    "packing": (1, 2, 4),
    "latent_dim": (1, 2, 4, 8, 16),
}
"""Counts in the rules, and what their menus offer."""

PLAYERS = {"g": "generator", "d": "discriminator"}

FIELDS = {
    "layers": (0, 1, 2, 3, 4, 5),
    "width": (4, 8, 16, 32, 64, 128, 256),
    "activation": tuple(nets.ACTIVATIONS),
    "normalisation": tuple(nets.NORMALISATIONS),
    "minibatch_stddev": (0, 2, 4, 8),
}
"""What may be chosen of an MLP, and what its menu offers."""

NETWORKS = [f"{player}_{what}" for player in PLAYERS for what in FIELDS if (player, what) != ("g", "minibatch_stddev")]

MOST_WEIGHTS = 2_000_000
"""More parameters than this in one player would leave the page waiting."""


def _recipe(gan: Gan, name: str) -> Any:
    return getattr(gan, PLAYERS[name[0]])


def current(gan: Gan) -> dict[str, Any]:
    """What is chosen now, by choice; None where the network is no MLP of ours.

    >>> gan = Gan(nets.mlp(2, 64, 64, 2), nets.mlp(2, 32, 16, 1))
    >>> {name: value for name, value in current(gan).items() if name.endswith(("layers", "width"))}
    {'g_layers': 2, 'g_width': 64, 'd_layers': 2, 'd_width': '32, 16'}
    """
    return {
        **{name: getattr(gan, name) for name in COUNTS},
        "latent": gan.latent,
        **{name: _chosen(_recipe(gan, name), name[2:]) for name in NETWORKS},
    }


def _chosen(recipe: Any, what: str) -> Any:
    if not isinstance(recipe, nets.MlpRecipe):
        return None
    if what not in ("layers", "width"):
        return getattr(recipe, what)
    hidden = recipe.widths[1:-1]
    if what == "layers":
        return len(hidden)
    return hidden[0] if len(set(hidden)) == 1 else ", ".join(map(str, hidden)) or "none"


def menus(gan: Gan) -> dict[str, dict[str, Any]]:
    """Each menu's entries by name, the present one among them whatever it is."""
    offered: dict[str, Any] = {**COUNTS, "latent": tuple(train.LATENTS)}
    offered |= {name: FIELDS[name[2:]] for name in NETWORKS}
    now = current(gan)
    found = {}
    for name, entries in offered.items():
        values = entries if now[name] is None or now[name] in entries else (now[name], *entries)
        found[name] = {str(value): value for value in values}
    return found


def chosen(gan: Gan, name: str, value: Any) -> Gan:
    """Make the same GAN with one choice more.

    Args:
        gan: the rules as they are.
        name: a name in `COUNTS`, "latent", or one of the networks': "g_layers", "d_width", ...
        value: an entry of that menu, or its name.

    Returns:
        A `Gan`. Its networks have other shapes where a width changed.

    Raises:
        UnknownName: the menu has no such entry.
        ValueError: the network is no MLP, or the rules do not allow it together with the others.

    >>> gan = Gan(nets.mlp(2, 64, 64, 2), nets.mlp(2, 64, 64, 1))
    >>> chosen(gan, "d_layers", 1).discriminator.widths, chosen(gan, "packing", 2).discriminator.widths
    ((2, 64, 1), (4, 64, 64, 1))
    """
    value = Menu(name, menus(gan)[name])[str(value)]
    if name not in ("packing", "latent_dim") and name not in NETWORKS:
        return replace(gan, **{name: value})
    player = {"packing": "d", "latent_dim": "g"}.get(name, name[0])
    recipe = getattr(gan, PLAYERS[player])
    if not isinstance(recipe, nets.MlpRecipe):
        raise ValueError(f"{name} can be changed for networks made by nets.mlp; the {PLAYERS[player]} here is your own")
    rules: dict[str, Any] = {}
    widths = recipe.widths
    if name == "packing":
        widths, rules = (widths[0] // gan.packing * value, *widths[1:]), {"packing": value}
    elif name == "latent_dim":
        widths, rules = (value, *widths[1:]), {"latent_dim": value}
    elif name[2:] == "layers":
        hidden = widths[1:-1] or (64,)
        widths = (widths[0], *(hidden[min(i, len(hidden) - 1)] for i in range(value)), widths[-1])
    elif name[2:] == "width" and value not in ("none", current(gan)[name]):
        widths = (widths[0], *[value] * (len(widths) - 2), widths[-1])
    else:
        recipe = recipe if name[2:] == "width" else replace(recipe, **{name[2:]: value})
    weights = sum(a * b for a, b in itertools.pairwise(widths))
    if weights > MOST_WEIGHTS:
        raise ValueError(f"that network would have {weights:,} weights; the lab takes up to {MOST_WEIGHTS:,}")
    rules[PLAYERS[player]] = replace(recipe, widths=widths)
    return replace(gan, **rules)
