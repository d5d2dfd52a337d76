"""A game and a number of steps come in; the state after them goes out: compiled loops, and a Python loop outside."""

import functools
from collections.abc import Iterator
from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Int
from tqdm.auto import tqdm

from ..data import Stream, Target
from ..errors import Diverged, check_count
from .devices import check_mesh, kept, place, whole
from .game import _step
from .hyperparams import Hyperparams, dials
from .rules import Gan
from .states import History, State, join


def _check_game(gan: Gan, target: Target, state: State | None, *, streams: bool = False) -> None:
    """Raise unless the three belong together, before anything is compiled."""
    if isinstance(target, Stream) and not streams:
        raise TypeError(
            f"{target.name} is streamed from the host, which train.run and train.steps do; anything else takes a piece "
            "of it that lies on the device: stream.piece(key, 0)"
        )
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


def check(gan: Gan, hyper: Hyperparams, target: Target, state: State, *, streams: bool = False) -> Hyperparams:
    """Raise unless one run can be made of these four, before anything is compiled; return the dials ready for it.

    Args:
        gan, hyper, target, state: as in `steps`.
        streams: whether the target may be a `data.Stream`.

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
    _check_game(gan, target, state, streams=streams)
    return ready


def _loop(
    gan: Gan, capacity: int, mesh: Mesh | None, hyper: Hyperparams, target: Target, state: State, n: Int[Array, ""]
):
    """n steps in one compiled loop; n is traced, so any n up to `capacity` runs the same program."""

    def body(i, carry):
        state, history = carry
        state, measured = whole(_step(gan, hyper, target, state, mesh), mesh)
        return state, jax.tree.map(lambda row, value: row.at[i].set(value), history, measured)

    empty = History(*(jnp.zeros(capacity) for _ in History._fields))
    return jax.lax.fori_loop(0, n, body, (state, empty))


_loop_compiled = jax.jit(_loop, static_argnums=(0, 1, 2))
_loop_donating = jax.jit(_loop, static_argnums=(0, 1, 2), donate_argnums=5)


def _capacity(n: int) -> int:
    return max(1024, 1 << (n - 1).bit_length())


def steps(
    gan: Gan,
    hyper: Hyperparams,
    target: Target,
    state: State,
    n: int,
    *,
    mesh: Mesh | None = None,
    donate: bool = False,
) -> tuple[State, History]:
    """Take n steps in one compiled call.

    One program serves every n up to 1,024 (then up to each power of two), so changing n does not compile again. Of a
    `data.Stream` there is one call a piece, and the next piece is put on the device while it computes.

    Args:
        gan: the rules.
        hyper: the dials, scalars.
        target: the distribution that real samples come from.
        state: where the game stands; it is left as it is, unless donated.
        n: how many steps.
        mesh: devices that share each batch, `train.mesh()`; the state they return is held by all of them. Losses and
            weights are those of one device up to rounding.
        donate: give the state's memory to the next one, so that there is room for one instead of two. The state that
            was handed in is gone afterwards: reading it raises.

    Returns:
        The `State` after them, and a `History` of NumPy arrays of shape (n,).

    Raises:
        TypeError, ValueError: they do not belong together, as `check` says, or the mesh does not divide a batch.

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
    ready = check(gan, hyper, target, state, streams=True)
    check_mesh(gan, mesh)
    ready = place(ready, mesh)
    walk = functools.partial(_loop_donating if donate else _loop_compiled, gan)
    state = place(replace(state, gan=gan), mesh)
    if isinstance(target, Stream):
        return _streamed(walk, ready, target, state, int(n), mesh)
    state, history = walk(_capacity(n), mesh, ready, place(target, mesh), state, n)
    return state, _taken(history, n)


def _taken(history: History, n: int) -> History:
    return History(*(np.asarray(row)[:n] for row in history))


def _streamed(walk, ready: Hyperparams, stream: Stream, state: State, n: int, mesh: Mesh | None):
    """Take n steps, piece by piece; while the device computes on one, the host reads the next and sends it."""
    put = functools.partial(place, mesh=mesh) if mesh else jnp.asarray
    key, at, histories = kept(state.key), int(state.step), []
    every = stream.every(state.gan.batch_size)
    while n:
        number, now = at // every, min(every - at % every, n)
        piece = place(stream.piece(key, number, put), mesh)
        state, history = walk(_capacity(now), mesh, ready, piece, state, now)  # returns while the device still works
        stream.piece(key, number + 1, put)
        histories.append(_taken(history, now))
        at, n = at + now, n - now
    return state, join(histories)


def run(
    gan: Gan,
    hyper: Hyperparams,
    target: Target,
    state: State,
    n: int,
    *,
    chunk: int | None = None,
    progress: bool = True,
    mesh: Mesh | None = None,
    donate: bool = False,
) -> Iterator[tuple[State, History]]:
    """Train in chunks: a Python loop outside, for pictures and for stopping, a compiled loop inside.

    Interrupting the loop that consumes it is safe: the state it yielded last is whole, and goes on bit for bit.

    Args:
        gan, hyper, target, state: as in `steps`.
        n: how many steps in all.
        chunk: steps between two yields; a fiftieth of n, at most 1,000, when left out.
        progress: show a bar when it takes longer than a second.
        mesh, donate: as in `steps`. When donated, each state that it yields is gone as soon as the next chunk begins:
            save or copy what you want to keep. A copy on the host of the state before each chunk stands in for it.

    Yields:
        The `State` after each chunk, and the chunk's `History`.

    Raises:
        Diverged: a loss or logit is not finite or beyond `RISING`. The error names the step at which it
            began, and carries the last good state and the chunk's history up to there.
    """
    check_count(n, "n")
    chunk = min(max(n // 50, 1), 1000) if chunk is None else chunk
    check_count(chunk, "chunk")
    check(gan, hyper, target, state, streams=True)
    check_mesh(gan, mesh)
    return _run(gan, hyper, target, state, n, chunk, progress, mesh, donate)


def _run(gan, hyper, target, state, n, chunk, progress, mesh, donate):
    target = target if isinstance(target, Stream) else place(target, mesh)  # once, not in each chunk
    with tqdm(total=n, unit="step", delay=1.0, disable=not progress) as bar:
        for start in range(0, n, chunk):
            now = min(chunk, n - start)
            state, history = advance(gan, hyper, target, state, now, mesh=mesh, donate=donate)
            bar.update(len(history.loss_d))
            yield state, history


def advance(
    gan: Gan,
    hyper: Hyperparams,
    target: Target,
    state: State,
    n: int,
    *,
    mesh: Mesh | None = None,
    donate: bool = False,
) -> tuple[State, History]:
    """Take n steps as `steps` does, and raise `Diverged` if they leave the finite numbers."""
    first = int(state.step)
    before = kept(state) if donate else state  # what is donated is gone, and a divergence needs it
    after, history = steps(gan, hyper, target, state, n, mesh=mesh, donate=donate)
    if not history.bad.any():
        return after, history
    good = int(np.argmax(history.bad))
    first += good
    # a run is a pure function of its state: walking again up to the fault gives the last good state exactly
    before = place(before, mesh) if mesh else jax.tree.map(jnp.asarray, before)
    state = steps(gan, hyper, target, before, good, mesh=mesh)[0] if good else before
    measured = ", ".join(f"{name} {row[good]:.4g}" for name, row in zip(History._fields, history, strict=True))
    raise Diverged(
        f"training diverged at step {first} ({measured}). The state before it is kept in this error's .state; "
        "go on from there with smaller learning rates, a gradient penalty, or weight_clip",
        step=first,
        state=state,
        history=History(*(row[:good] for row in history)),
    )
