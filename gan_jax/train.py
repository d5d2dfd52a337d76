"""A `Gan`, its `Hyperparams`, a target and a key come in; a trained `State` and the `History` of the game go out.

`Gan` holds what changes the program and is static; `Hyperparams` holds what may change while it runs and is traced,
so moving a dial never compiles again and sweeping it is a `vmap`. Randomness is a function of `(key, step)`.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float, Int, Key, PyTree
from tqdm.auto import tqdm

from .data import Target
from .errors import Diverged, Menu, check_count, check_key, named_keywords
from .losses import Loss, Penalty, nonsaturating
from .nets import Recipe

Dial = (
    Any  # a number, or an array of them in a sweep; JAX also builds the pytree with tracers and markers in their place
)

RISING = 1e6
"""A loss or mean logit of this size is on its way out of the finite numbers: `run` calls it a divergence."""


@named_keywords
@functools.partial(jax.tree_util.register_dataclass)
@dataclass(frozen=True)
class Hyperparams:
    """The dials: array leaves of a pytree, all traced. Scalars for one GAN, equal leading axes for a sweep.

    Args:
        lr_g: G's learning rate, a step of the optimiser; 0 holds the player still. Not negative.
        lr_d: D's learning rate, likewise.
        beta1: Adam's memory of the gradient (SGD: its momentum), in [0, 1).
        beta2: Adam's and RMSProp's memory of the squared gradient, in [0, 1).
        penalty_weight: multiplies `Gan.penalty`; not negative.
        instance_noise: standard deviation of Gaussian noise added to every sample that D sees; not negative.
        label_smoothing: s in the one-sided real label 1 - s, in [0, 1); for losses with labels.
        weight_clip: after each of D's updates its weights are clipped to [-c, c]; positive, infinity for none.
        ema_decay: memory of the running average of G's weights, in [0, 1].

    Raises:
        ValueError: a value outside its range.
        TypeError: an unknown name, or a value that is no number.

    >>> Hyperparams(lr_g=-0.1)
    Traceback (most recent call last):
    ...
    ValueError: lr_g must be in [0, inf), got -0.1
    """

    lr_g: Dial = 1e-3
    lr_d: Dial = 1e-3
    beta1: Dial = 0.5
    beta2: Dial = 0.999
    penalty_weight: Dial = 1.0
    instance_noise: Dial = 0.0
    label_smoothing: Dial = 0.0
    weight_clip: Dial = np.inf
    ema_decay: Dial = 0.999

    def __post_init__(self):
        for name, (low, high, closed) in RANGES.items():
            value = getattr(self, name)
            if isinstance(value, jax.core.Tracer) or not isinstance(
                value, (int, float, np.ndarray, np.generic, jax.Array)
            ):
                if isinstance(value, (str, bytes, list, tuple, dict, type(None))):
                    raise TypeError(f"{name} must be a number or an array, got {value!r}")
                continue  # a tracer, or a marker that JAX puts in a leaf's place
            array = np.asarray(value)
            inside = (array >= low) & (array <= high if closed else array < high)
            if not inside.all():  # NaN is outside every range
                span = f"[{low:g}, {high:g}{']' if closed else ')'}"
                wrong = array[~inside].ravel()[0].item()
                raise ValueError(f"{name} must be in {span}, got {wrong!r}")


RANGES: dict[str, tuple[float, float, bool]] = {
    "lr_g": (0.0, np.inf, False),
    "lr_d": (0.0, np.inf, False),
    "beta1": (0.0, 1.0, False),
    "beta2": (0.0, 1.0, False),
    "penalty_weight": (0.0, np.inf, False),
    "instance_noise": (0.0, np.inf, False),
    "label_smoothing": (0.0, 1.0, False),
    "weight_clip": (float(np.finfo(np.float32).tiny), np.inf, True),
    "ema_decay": (0.0, 1.0, True),
}
"""Each dial's lowest value, highest value, and whether the highest belongs to it."""

OPTIMIZERS: Menu[Callable] = Menu(
    "optimizer",
    {
        "adam": lambda lr, hyper: optax.adam(lr, b1=hyper.beta1, b2=hyper.beta2),
        "rmsprop": lambda lr, hyper: optax.rmsprop(lr, decay=hyper.beta2),
        "sgd": lambda lr, hyper: optax.sgd(lr, momentum=hyper.beta1),
    },
)
"""How a gradient becomes a step; each maps (learning rate, dials) to an Optax transformation."""

LATENTS: Menu[Callable] = Menu(
    "latent",
    {"normal": jax.random.normal, "uniform": functools.partial(jax.random.uniform, minval=-1.0, maxval=1.0)},
)
"""Where z is drawn from: N(0, I), or uniform on [-1, 1]^d."""

UPDATES = Menu("update", {"alternating": False, "simultaneous": True})
"""Whether G answers the new D, or both players move at once from where they stood."""


@named_keywords
@dataclass(frozen=True)
class Gan:
    """What the program is made of: frozen and hashable, static under `jit`. A change here compiles anew.

    Args:
        generator: recipe of the module that maps z, shape (n, latent_dim), to samples (n, *target.shape).
        discriminator: recipe of the module that maps samples to logits, shape (n, 1) or (n,).
        loss: the objective.
        penalty: added to D's loss, times `Hyperparams.penalty_weight`.
        latent_dim: numbers in z; taken from the generator's recipe when left out.
        latent: name in `LATENTS`.
        batch_size: samples of each kind that a player sees in an update.
        d_steps: updates of D in a step; G has one.
        optimizer: name in `OPTIMIZERS`, for both players.
        update: name in `UPDATES`.

    >>> from gan_jax import nets
    >>> Gan(nets.mlp(2, 64, 2), nets.mlp(2, 64, 1)).latent_dim
    2
    """

    generator: Recipe
    discriminator: Recipe
    loss: Loss = nonsaturating
    penalty: Penalty | None = None
    latent_dim: int | None = None
    latent: str = "normal"
    batch_size: int = 256
    d_steps: int = 1
    optimizer: str = "adam"
    update: str = "alternating"

    def __post_init__(self):
        for name in ("generator", "discriminator"):
            if not callable(getattr(self, name)):
                raise TypeError(f"{name} must be a recipe such as nets.mlp(2, 64, 64, 2), got {getattr(self, name)!r}")
        if not isinstance(self.loss, Loss):
            raise TypeError(f"loss must be a losses.Loss, such as losses.LOSSES['hinge'], got {self.loss!r}")
        if self.penalty is not None and not isinstance(self.penalty, Penalty):
            raise TypeError(f"penalty must be a losses.Penalty, such as losses.r1, or None, got {self.penalty!r}")
        inputs = getattr(self.generator, "inputs", self.latent_dim)
        if self.latent_dim not in (None, inputs):
            raise ValueError(f"the generator takes {inputs} numbers a sample, but the latent has {self.latent_dim}")
        if self.latent_dim is None:
            if inputs is None:
                raise ValueError("this generator's recipe does not say how long its latent is; give latent_dim=...")
            object.__setattr__(self, "latent_dim", inputs)
        for name in ("latent_dim", "batch_size", "d_steps"):
            check_count(getattr(self, name), name)
        LATENTS[self.latent], OPTIMIZERS[self.optimizer], UPDATES[self.update]

    def noise(self, key: Key[Array, ""], n: int) -> Float[Array, "n latent_dim"]:
        """Draw n latents."""
        return LATENTS[self.latent](key, (n, self.latent_dim))


@functools.partial(jax.tree_util.register_dataclass)
@dataclass(frozen=True)
class State:
    """Everything a run needs to go on, as one pytree.

    Attributes:
        generator: the module, in evaluation mode: `state.generator(z)` is what G has learnt.
        discriminator: the module: `state.discriminator(x)` are logits.
        ema: running average of G's parameters.
        opt_g, opt_d: the optimisers' memories.
        key: random key of the whole run; never used up, only folded with the step.
        step: steps taken.
        gan: the rules it was made by (static).
    """

    generator: nnx.Module
    discriminator: nnx.Module
    ema: PyTree
    opt_g: PyTree
    opt_d: PyTree
    key: Any
    step: Any
    gan: Gan = field(metadata={"static": True})

    @property
    def averaged_generator(self) -> nnx.Module:
        """The generator with the running average of its weights in place of the last ones."""
        definition, _, rest = nnx.split(self.generator, nnx.Param, ...)
        return nnx.merge(definition, self.ema, rest)

    def sample(self, key: Key[Array, ""], n: int, *, averaged: bool = False) -> Float[Array, "n ..."]:
        """Draw n samples from the generator, or from the one with averaged weights.

        Args:
            key: random key.
            n: how many.
            averaged: use the running average of the weights.

        Returns:
            Samples, shape (n, *target.shape).
        """
        check_key(key)
        check_count(n, "n")
        return _sample(self.gan, self.averaged_generator if averaged else self.generator, key, n)


@functools.partial(jax.jit, static_argnums=(0, 3))
def _sample(gan: Gan, generator: nnx.Module, key: Key[Array, ""], n: int) -> Float[Array, "n ..."]:
    return generator(gan.noise(key, n))


class History(NamedTuple):
    """What is measured at each step, by the last of D's updates and by G's; every field of shape (..., n).

    Attributes:
        loss_d: D's loss, penalty not included.
        loss_g: G's loss.
        real_logit: mean logit of the real samples.
        fake_logit: mean logit of the fake samples, as D sees them.
        penalty: the penalty, not yet weighted; 0 without one.
    """

    loss_d: Array | np.ndarray
    loss_g: Array | np.ndarray
    real_logit: Array | np.ndarray
    fake_logit: Array | np.ndarray
    penalty: Array | np.ndarray

    @property
    def bad(self) -> np.ndarray:
        """Whether each step's numbers are not finite or beyond `RISING`, shape (..., n)."""
        return np.any([~(np.abs(np.asarray(values)) < RISING) for values in self], axis=0)


def join(histories: list[History]) -> History:
    """Put the histories that `run` has yielded one after the other."""
    return History(*(np.concatenate(values, axis=-1) for values in zip(*histories, strict=True)))


def init(gan: Gan, hyper: Hyperparams, key: Key[Array, ""]) -> State:
    """Make both players' first weights and the optimisers' empty memories.

    Args:
        gan: the rules.
        hyper: the dials.
        key: random key, from which both the weights and all of the run's randomness follow.

    Returns:
        The `State` at step 0.

    Raises:
        TypeError: `key` is no random key.
        ValueError: a dial has no meaning for this loss, or a network's output is of the wrong shape.
    """
    check_key(key)
    return _init_compiled(gan, dials(gan, hyper), key)


def _init(gan: Gan, hyper: Hyperparams, key: Key[Array, ""]) -> State:
    g_key, d_key, run_key = jax.random.split(key, 3)
    generator = gan.generator(nnx.Rngs(g_key))
    discriminator = gan.discriminator(nnx.Rngs(d_key))
    generator.eval()
    discriminator.eval()
    g, d = nnx.state(generator, nnx.Param), nnx.state(discriminator, nnx.Param)
    optimizer = OPTIMIZERS[gan.optimizer]
    return State(
        generator=generator,
        discriminator=discriminator,
        ema=g,
        opt_g=optimizer(hyper.lr_g, hyper).init(g),
        opt_d=optimizer(hyper.lr_d, hyper).init(d),
        key=run_key,
        step=jnp.zeros((), jnp.int32),
        gan=gan,
    )


_init_compiled = jax.jit(_init, static_argnums=0)


def _apply(definition: Any, params: PyTree, rest: PyTree, x: Float[Array, "n ..."]) -> tuple[Array, PyTree]:
    """Call a module as it is while it trains; what it changes in itself comes back instead of staying in it."""
    # a copy belongs to the trace it is made in, so that the module may write into it
    module = nnx.merge(definition, params, jax.tree.map(lambda leaf: leaf, rest))
    module.train()
    output = module(x)
    return output, nnx.state(module, nnx.Not(nnx.Param))


def _step(gan: Gan, hyper: Hyperparams, target: Target, state: State) -> tuple[State, History]:
    """One turn of the game: `gan.d_steps` updates of D, then one of G. The only place where the game is written."""
    n, optimizer = gan.batch_size, OPTIMIZERS[gan.optimizer]
    g_def, g, g_rest = nnx.split(state.generator, nnx.Param, ...)
    d_def, d, d_rest = nnx.split(state.discriminator, nnx.Param, ...)
    key = jax.random.fold_in(state.key, state.step)

    def logits(d, d_rest, x):
        _check_inputs(gan.discriminator, x)
        output, d_rest = _apply(d_def, d, d_rest, x)
        _check_shape(output, n, "the discriminator must return one logit a sample, shape", (n, 1))
        return output.reshape(n), d_rest

    def blur(key, x):  # the noise costs its random numbers only when it is switched on
        noisy = lambda: x + hyper.instance_noise * jax.random.normal(key, x.shape)  # noqa: E731
        return jax.lax.cond(hyper.instance_noise > 0, noisy, lambda: x)

    def draw(key):
        real_key, latent_key, real_noise_key, fake_noise_key, penalty_key = jax.random.split(key, 5)
        real = blur(real_noise_key, target.sample(real_key, n))
        return real, gan.noise(latent_key, n), fake_noise_key, penalty_key

    def update_discriminator(carry, key):
        d, d_rest, opt_d = carry
        real, z, fake_noise_key, penalty_key = draw(key)
        fake = generate(g, g_rest, z, real.shape)[0]
        fake = blur(fake_noise_key, fake)

        def objective(d):
            real_logits, rest = logits(d, d_rest, real)
            fake_logits, rest = logits(d, rest, fake)
            loss = _scalar(gan.loss.discriminator(real_logits, fake_logits), gan.loss, "discriminator")
            critic = lambda x: logits(d, d_rest, x)[0]  # noqa: E731
            penalty = gan.penalty.function(critic, real, fake, penalty_key) if gan.penalty else jnp.zeros(())
            # moving the real label from 1 to 1 - s adds s times the real logit, for cross-entropy and, up to a
            # constant, for least squares: so the smoothing is a dial, not another loss
            total = loss + hyper.penalty_weight * penalty + hyper.label_smoothing * jnp.mean(real_logits)
            return total, (rest, loss, penalty, jnp.mean(real_logits), jnp.mean(fake_logits))

        gradient, (d_rest, *seen) = jax.grad(objective, has_aux=True)(d)
        change, opt_d = optimizer(hyper.lr_d, hyper).update(gradient, opt_d, d)
        d = jax.tree.map(lambda p: jnp.clip(p, -hyper.weight_clip, hyper.weight_clip), optax.apply_updates(d, change))
        return (d, d_rest, opt_d), seen

    def generate(g, g_rest, z, shape):
        fake, g_rest = _apply(g_def, g, g_rest, z)
        _check_shape(fake, n, "the generator must return samples shaped like the target's,", shape)
        return fake, g_rest

    def generator_objective(g, d, d_rest, key):
        real, z, fake_noise_key, _ = draw(key)
        fake, rest = generate(g, g_rest, z, real.shape)
        real_logits = logits(d, d_rest, real)[0]
        fake_logits = logits(d, d_rest, blur(fake_noise_key, fake))[0]
        return _scalar(gan.loss.generator(real_logits, fake_logits), gan.loss, "generator"), rest

    before = d, d_rest
    keys = jax.random.split(key, 1 + gan.d_steps)
    g_key, d_keys = keys[0], keys[1:]
    (d, d_rest, opt_d), seen = jax.lax.scan(update_discriminator, (d, d_rest, state.opt_d), d_keys)
    loss_d, penalty, real_logit, fake_logit = (values[-1] for values in seen)

    seen_by_g = before if UPDATES[gan.update] else (d, d_rest)
    (loss_g, g_rest), gradient = jax.value_and_grad(generator_objective, has_aux=True)(g, *seen_by_g, g_key)
    change, opt_g = optimizer(hyper.lr_g, hyper).update(gradient, state.opt_g, g)
    g = optax.apply_updates(g, change)
    ema = jax.tree.map(lambda old, new: new + hyper.ema_decay * (old - new), state.ema, g)
    state = replace(
        state,
        generator=nnx.merge(g_def, g, g_rest),
        discriminator=nnx.merge(d_def, d, d_rest),
        ema=ema,
        opt_g=opt_g,
        opt_d=opt_d,
        step=state.step + 1,
    )
    return state, History(loss_d, loss_g, real_logit, fake_logit, penalty)


def _check_shape(array: Array, n: int, what: str, expected: tuple[int, ...]) -> None:
    if array.shape not in (expected, (n,) if expected == (n, 1) else expected):
        raise ValueError(f"{what} {expected}; it returned {array.shape}. Change its last width to fit.")


def _check_inputs(discriminator: Recipe, x: Array) -> None:
    inputs, given = getattr(discriminator, "inputs", None), int(np.prod(x.shape[1:]))
    if inputs not in (None, given):
        raise ValueError(
            f"the discriminator takes {inputs} numbers a sample, but a sample of the target has {given}; "
            f"make its first width {given}"
        )


def _scalar(value: Array, loss: Loss, player: str) -> Array:
    if jnp.shape(value) != ():
        raise ValueError(
            f"the {player}'s loss of '{loss.name}' must be a scalar, it has shape {jnp.shape(value)}; "
            "take the mean over the samples"
        )
    return value


def dials(gan: Gan, hyper: Hyperparams) -> Hyperparams:
    """Make dials ready for the compiled step: float32 arrays, because a Python float and an int would each compile.

    Args:
        gan: the rules that they must fit.
        hyper: the dials, one number or an array each.

    Returns:
        The same `Hyperparams` with arrays for leaves.

    Raises:
        TypeError: `hyper` is something else.
        ValueError: label smoothing with a loss that has no labels.

    >>> from gan_jax import nets
    >>> gan = Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1))
    >>> dials(gan, Hyperparams(lr_g=1)).lr_g.dtype
    dtype('float32')
    """
    if not isinstance(hyper, Hyperparams):
        raise TypeError(f"expected Hyperparams(...), got {hyper!r}")
    traced = isinstance(hyper.label_smoothing, jax.core.Tracer)
    if not gan.loss.has_labels and not traced and np.any(np.asarray(hyper.label_smoothing) > 0):
        raise ValueError(f"the loss '{gan.loss.name}' has no labels to smooth; set label_smoothing to 0")
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), hyper)


_step_compiled = jax.jit(_step, static_argnums=0)


def step(gan: Gan, hyper: Hyperparams, target: Target, state: State) -> tuple[State, History]:
    """Take one step of the game, compiled on its own; it can be used inside `jit`, `vmap` and `scan`.

    Args:
        gan: the rules (static).
        hyper: the dials.
        target: the distribution that real samples come from.
        state: where the game stands.

    Returns:
        The next `State`, and the step's `History` with scalar fields.
    """
    return _step_compiled(gan, dials(gan, hyper), target, replace(state, gan=gan))


def _check_game(gan: Gan, target: Target, state: State | None) -> None:
    """Raise unless the three belong together, before anything is compiled."""
    if not isinstance(target, Target):
        raise TypeError(f"expected a target such as data.ring(8), got {target!r}")
    if state is not None and not isinstance(state, State):
        raise TypeError(f"expected a State from train.init, got {type(state).__name__}")
    if state is not None and state.gan != gan:
        changed = [f.name for f in fields(gan) if getattr(gan, f.name) != getattr(state.gan, f.name)]
        shape_changing = {"generator", "discriminator", "latent_dim", "optimizer"} & set(changed)
        if shape_changing:
            raise ValueError(
                f"this state was made for another GAN: they differ in {', '.join(sorted(shape_changing))}; "
                "make a new one with train.init"
            )


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

    >>> import jax
    >>> from gan_jax import data, nets
    >>> gan = Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16)
    >>> state = init(gan, Hyperparams(), jax.random.key(0))
    >>> state, history = steps(gan, Hyperparams(), data.ring(8), state, 10)
    >>> int(state.step), history.loss_d.shape
    (10, (10,))
    """
    check_count(n, "n")
    _check_game(gan, target, state)
    state, history = _loop_compiled(gan, _capacity(n), dials(gan, hyper), target, replace(state, gan=gan), n)
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
    _check_game(gan, target, state)
    dials(gan, hyper)
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


def sweep(gan: Gan, hypers: Hyperparams, target: Target, keys: Key[Array, " seeds"], n: int) -> tuple[State, History]:
    """Train every setting from every seed at once, in one call.

    Args:
        gan: the rules.
        hypers: the dials; each leaf a scalar or of shape (settings,).
        target: the distribution that real samples come from.
        keys: random keys, shape (seeds,), from `jax.random.split`.
        n: how many steps.

    Returns:
        A `State` whose leaves have leading axes (settings, seeds), and a `History` of shape (settings, seeds, n).
        A run that diverges keeps its NaN, and does not stop the others: see `History.bad`. `pick` takes one out.

    >>> import jax, numpy as np
    >>> from gan_jax import data, nets
    >>> gan = Gan(nets.mlp(2, 8, 2), nets.mlp(2, 8, 1), batch_size=16)
    >>> hypers = Hyperparams(lr_g=np.array([1e-3, 1e-2]))
    >>> states, history = sweep(gan, hypers, data.ring(8), jax.random.split(jax.random.key(0), 3), 10)
    >>> history.loss_g.shape
    (2, 3, 10)
    """
    check_count(n, "n")
    check_key(keys)
    if keys.ndim != 1:
        raise ValueError(
            f"keys must be of shape (seeds,), got {keys.shape}; make them with jax.random.split(key, seeds)"
        )
    hypers = dials(gan, hypers)
    shapes = {f.name: getattr(hypers, f.name).shape for f in fields(hypers)}
    swept = {name: shape for name, shape in shapes.items() if shape != ()}
    if len(set(swept.values())) > 1 or any(len(shape) != 1 for shape in swept.values()):
        raise ValueError(f"each dial must be a scalar or of one common shape (settings,), got {swept}")
    settings = next(iter(swept.values()), (1,))
    _check_game(gan, target, None)
    each = {name: jnp.repeat(getattr(hypers, name), len(keys)) for name in swept}
    shared = replace(hypers, **dict.fromkeys(swept, jnp.float32(0.5)))  # a place-holder within every dial's range
    states, history = _sweep_compiled(gan, _capacity(n), shared, each, target, jnp.tile(keys, settings), n)
    shaped = lambda leaf: leaf.reshape(*settings, len(keys), *leaf.shape[1:])  # noqa: E731
    return jax.tree.map(shaped, states), History(*(shaped(np.asarray(row)[:, :n]) for row in history))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _sweep_compiled(gan, capacity, shared, each, target, keys, n):
    # a dial that all runs share stays one number, so that a switch on it (instance noise) stays a switch under vmap
    def one(own, key):
        hyper = replace(shared, **own)
        return _loop(gan, capacity, hyper, target, _init(gan, hyper, key), n)

    return jax.vmap(one)(each, keys)


def pick(states: State, *index: int) -> State:
    """Take one run out of a sweep: `pick(states, setting, seed)`."""
    return jax.tree.map(lambda leaf: leaf[index], states)
