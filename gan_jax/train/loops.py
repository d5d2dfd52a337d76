"""A game and a number of steps come in; the state after them goes out: compiled loops, and a Python loop outside."""

from collections.abc import Iterator
from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int
from tqdm.auto import tqdm

from ..data import Target
from ..errors import Diverged, check_count
from .game import _step
from .hyperparams import Hyperparams, dials
from .rules import Gan
from .states import History, State


def _check_game(gan: Gan, target: Target, state: State | None) -> None:
    """Raise unless the three belong together, before anything is compiled."""
    if not isinstance(target, Target):
        raise TypeError(f"expected a target such as data.ring(8), got {target!r}")
    if state is not None and state.gan != gan:
        changed = [f.name for f in fields(gan) if getattr(gan, f.name) != getattr(state.gan, f.name)]
        shape_changing = {"generator", "discriminator", "latent_dim", "optimizer"} & set(changed)
        if shape_changing:
            raise ValueError(
                f"this state was made for another GAN: they differ in {', '.join(sorted(shape_changing))}; "
                "make a new one with train.init"
            )


def check(gan: Gan, hyper: Hyperparams, target: Target, state: State) -> Hyperparams:
    """Raise unless one run can be made of these four, before anything is compiled; return the dials ready for it.

    Args:
        gan, hyper, target, state: as in `steps`.

    Returns:
        The dials, as `dials` makes them.

    Raises:
        TypeError: one of them is something else.
        ValueError: the state is of another GAN, a dial has no meaning for this loss, or holds several values.
    """
    if not isinstance(gan, Gan):
        raise TypeError(f"expected a Gan(...), got {gan!r}")
    ready = dials(gan, hyper)
    several = [f"{name} is of shape {value.shape}" for name, value in vars(ready).items() if value.ndim]
    if several:
        raise ValueError(f"one run takes one number a dial, but {', '.join(several)}; train.sweep tries several values")
    if not isinstance(state, State):
        raise TypeError(f"expected a State from train.init, got {type(state).__name__}")
    _check_game(gan, target, state)
    return ready


def _loop(gan: Gan, capacity: int, hyper: Hyperparams, target: Target, state: State, n: Int[Array, ""]):
    """n steps in one compiled loop; n is traced, so any n up to `capacity` runs the same program."""

    def body(i, carry):
        state, history = carry
        state, measured = _step(gan, hyper, target, state)
        return state, jax.tree.map(lambda row, value: row.at[i].set(value), history, measured)

    empty = History(*(jnp.zeros(capacity) for _ in History._fields))
    return jax.lax.fori_loop(0, n, body, (state, empty))


_loop_compiled = jax.jit(_loop, static_argnums=(0, 1))


def _capacity(n: int) -> int:
    return max(1024, 1 << (n - 1).bit_length())


def steps(gan: Gan, hyper: Hyperparams, target: Target, state: State, n: int) -> tuple[State, History]:
    """Take n steps in one compiled call.

    One program serves every n up to 1,024 (then up to each power of two), so changing n does not compile again.

    Args:
        gan: the rules.
        hyper: the dials, scalars.
        target: the distribution that real samples come from.
        state: where the game stands; it is left as it is.
        n: how many steps.

    Returns:
        The `State` after them, and a `History` of NumPy arrays of shape (n,).

    Raises:
        TypeError, ValueError: the four do not belong together, as `check` says.

    >>> import jax
    >>> from gan_jax import data, nets
    >>> from gan_jax.train import init
    >>> gan = Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16)
    >>> state = init(gan, Hyperparams(), jax.random.key(0))
    >>> state, history = steps(gan, Hyperparams(), data.ring(8), state, 10)
    >>> int(state.step), history.loss_d.shape
    (10, (10,))
    """
    check_count(n, "n")
    ready = check(gan, hyper, target, state)
    state, history = _loop_compiled(gan, _capacity(n), ready, target, replace(state, gan=gan), n)
    return state, History(*(np.asarray(row)[:n] for row in history))


def run(
    gan: Gan,
    hyper: Hyperparams,
    target: Target,
    state: State,
    n: int,
    *,
    chunk: int | None = None,
    progress: bool = True,
) -> Iterator[tuple[State, History]]:
    """Train in chunks: a Python loop outside, for pictures and for stopping, a compiled loop inside.

    Interrupting the loop that consumes it is safe: the state it yielded last is whole, and goes on bit for bit.

    Args:
        gan, hyper, target, state: as in `steps`.
        n: how many steps in all.
        chunk: steps between two yields; a fiftieth of n, at most 1,000, when left out.
        progress: show a bar when it takes longer than a second.

    Yields:
        The `State` after each chunk, and the chunk's `History`.

    Raises:
        Diverged: a loss or logit is not finite or beyond `RISING`. The error names the step at which it
            began, and carries the last good state and the chunk's history up to there.
    """
    check_count(n, "n")
    chunk = min(max(n // 50, 1), 1000) if chunk is None else chunk
    check_count(chunk, "chunk")
    check(gan, hyper, target, state)
    return _run(gan, hyper, target, state, n, chunk, progress)


def _run(gan, hyper, target, state, n, chunk, progress):
    with tqdm(total=n, unit="step", delay=1.0, disable=not progress) as bar:
        for start in range(0, n, chunk):
            state, history = advance(gan, hyper, target, state, min(chunk, n - start))
            bar.update(len(history.loss_d))
            yield state, history


def advance(gan: Gan, hyper: Hyperparams, target: Target, state: State, n: int) -> tuple[State, History]:
    """Take n steps as `steps` does, and raise `Diverged` if they leave the finite numbers."""
    after, history = steps(gan, hyper, target, state, n)
    if not history.bad.any():
        return after, history
    good = int(np.argmax(history.bad))
    first = int(state.step) + good
    # a run is a pure function of its state: walking again up to the fault gives the last good state exactly
    state = steps(gan, hyper, target, state, good)[0] if good else state
    measured = ", ".join(f"{name} {row[good]:.4g}" for name, row in zip(History._fields, history, strict=True))
    raise Diverged(
        f"training diverged at step {first} ({measured}). The state before it is kept in this error's .state; "
        "go on from there with smaller learning rates, a gradient penalty, or weight_clip",
        step=first,
        state=state,
        history=History(*(row[:good] for row in history)),
    )
