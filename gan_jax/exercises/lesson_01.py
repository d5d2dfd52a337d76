"""The exercises and the quiz of lesson 01, JAX for GANs."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from .exercise import Exercise, Tempting
from .progress import Source
from .question import Choice, Question
from .verdict import AVERAGE, Wrong, expect, explain, to_array

GIVEN = """
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx


def f(x, y):
    return x * y
"""


def _count(several) -> int:
    """How many things a tuple, list or array holds; 0 when it is none of these."""
    return len(several) if isinstance(several, (tuple, list)) or np.ndim(several) else 0


def _two(pair, what: str):
    """Take two things apart, or raise `Wrong` with what there is instead."""
    if (count := _count(pair)) != 2:
        raise Wrong(f"{what} should be two, (for x, for y); you return {count or 'no pair'}.")
    if any(callable(part) and not hasattr(part, "shape") for part in pair):
        raise Wrong("`jax.grad(f)` is a function still: the slope. Call it at (x, y), `jax.grad(f)(x, y)`.")
    if isinstance(pair, tuple) and _count(pair[1]) == 2 and not np.ndim(pair[0]):
        raise Wrong("`value_and_grad` returns (value, gradients): take the gradients. y's own loss is -f.")
    return pair


def _call(advice: dict[str, str], function, *args):
    """Call a learner's function; where it raises with one of the words in its message, say the advice for that."""
    try:
        return function(*args)
    except (TypeError, ValueError) as error:
        for word, words in advice.items():
            if word in str(error):
                told = [line for line in explain(error).splitlines() if line.startswith(("Your code", "It r", "at "))]
                raise Wrong("\n".join([*told, words])) from error
        raise


# ---- each player's own gradient ----


def check_player_gradients(player_gradients):
    def f(x, y):
        return x**2 * y + 3 * y

    x, y = 1.5, -0.5
    of_x, of_y = 2 * x * y, x**2 + 3
    own_y = "y's own loss is -f: turn the sign of its gradient, so that y, too, goes *down* its own loss."
    mistakes = [
        ([of_x, of_y], f"These are the two derivatives of f. {own_y}"),
        ([-of_x, of_y], "These are the directions in which the players move. Return the gradients of their losses."),
        ([of_y, -of_x], "Each is differentiated in the other's number: x owns argument 0 of f, y owns argument 1."),
        ([-of_x, -of_y], "x's loss is f itself: only y's gradient changes its sign."),
        ([-of_y, of_x], "Each loss is differentiated in the other's number: x owns argument 0, y owns argument 1."),
        ([of_x, -of_x], "Both are derivatives in x; y's loss is differentiated in y, `argnums=1`."),
        ([-of_y, -of_y], "Both are derivatives in y; x's loss is differentiated in x, `argnums=0`."),
        ([0.0, 0.0], "You differentiated the sum of the two losses, f + (-f) = 0: each player has its own loss."),
        ([of_x - of_y, of_y - of_x], "You mixed the two derivatives. Each player changes its own number only."),
    ]
    found = _two(player_gradients(f, x, y), "The gradients")
    found = np.stack([to_array(part, f"the gradient for {name}") for part, name in zip(found, "xy", strict=True)])
    expect(found, [of_x, -of_y], "The pair of gradients of f = x^2 y + 3 y at (1.5, -0.5)", mistakes,
           otherwise="It should be (df/dx, -df/dy). See hint 2.")  # fmt: skip
    vectors = jnp.array([1.0, 2.0, -1.0]), jnp.array([0.5, 0.0, 3.0])
    floats = {"Python scalars": "With numbers for players it is right; players may be arrays, too: leave out `float`."}
    found = _two(_call(floats, player_gradients, jnp.dot, *vectors), "The gradients")
    for part, wanted, name in zip(found, (vectors[1], -vectors[0]), "xy", strict=True):
        expect(part, wanted, f"The gradient for {name} where both players are vectors")
    return "Each player looks down its own slope, in its own number; the other's is held still by the argument list."


player_gradients = Exercise(
    name="player_gradients",
    goal="x minimises f and y maximises it, so y's loss is -f. Return the gradient of each player's own loss with "
    "respect to its own parameter.",
    stub='''
def player_gradients(f, x, y):
    """A function f(x, y), players x and y (numbers or arrays) come in; (gradient for x, gradient for y) goes out."""
    return ...
''',
    hints=(
        "`jax.grad` differentiates with respect to the first argument, unless `argnums` names another.",
        "(df/dx, -df/dy).",
        "    for_x = the gradient of f in argument 0, at (x, y)\n"
        "    for_y = minus the gradient of f in argument 1, at (x, y)\n"
        "    return both",
    ),
    solution="""
def player_gradients(f, x, y):
    return jax.grad(f, argnums=0)(x, y), -jax.grad(f, argnums=1)(x, y)
""",
    check=check_player_gradients,
    also_right=(
        """
def player_gradients(f, x, y):
    of_x, of_y = jax.grad(f, argnums=(0, 1))(x, y)
    return [np.asarray(of_x), np.asarray(-of_y)]
""",
        """
@jax.jit
def at(x, y):
    return x

def player_gradients(f, x, y):
    loss_y = lambda y: -f(x, y)
    return jax.jit(jax.grad(lambda x: f(x, y)))(x), jax.jit(jax.value_and_grad(loss_y))(y)[1]
""",
    ),
    tempting=(
        Tempting("def player_gradients(f, x, y):\n    return jax.grad(f, (0, 1))(x, y)", "turn the sign"),
        Tempting(
            "def player_gradients(f, x, y):\n    return jax.grad(f)(x, y), -jax.grad(f)(x, y)", "derivatives in x"
        ),
        Tempting(
            "def player_gradients(f, x, y):\n    return jax.grad(f, 1)(x, y), -jax.grad(f, 0)(x, y)",
            "in the other's number",
        ),
        Tempting(
            "def player_gradients(f, x, y):\n    return -jax.grad(f, 0)(x, y), jax.grad(f, 1)(x, y)",
            "directions in which",
        ),
        Tempting(
            "def player_gradients(f, x, y):\n    return jax.grad(lambda x, y: f(x, y) - f(x, y), (0, 1))(x, y)",
            "sum of the two losses",
        ),
        Tempting("def player_gradients(f, x, y):\n    return f(x, y)", "should be two"),
        Tempting("def player_gradients(f, x, y):\n    return jax.grad(f, 0), jax.grad(f, 1)", "Call it at (x, y)"),
        Tempting("def player_gradients(f, x, y):\n    return jax.value_and_grad(f, (0, 1))(x, y)", "value_and_grad"),
        Tempting(
            "def player_gradients(f, x, y):\n    return jax.grad(lambda x, y: -f(x, y), (0, 1))(x, y)",
            "only y's gradient",
        ),
        Tempting(
            "def player_gradients(f, x, y):\n    return float(jax.grad(f)(x, y)), -float(jax.grad(f, 1)(x, y))",
            "leave out `float`",
        ),
    ),
)


# ---- a dial that is data ----


def check_make_step(make_step):
    traced = 0

    def loss(params):
        nonlocal traced
        traced += 1
        return jnp.sum((params["w"] - 3.0) ** 2) + params["b"] ** 2

    advice = {
        "unsupported operand": "params is a dict here: `-` and `*` do not reach its leaves, `jax.tree.map` does.",
        "string indexing": "step is called as step(params, lr), the parameters first; here they are a dict.",
        "as an abstract array": "Compiled code takes arrays, not the function `loss`: compile step, not make_step.",
        "not a valid JAX type": "Compiled code takes arrays, not the function `loss`. Return step, uncalled.",
    }
    start = {"w": np.array([1.0, 5.0]), "b": 2.0}
    slope = lambda at: {"w": 2 * (at["w"] - 3), "b": 2 * at["b"]}  # noqa: E731
    step = _call(advice, make_step, loss)
    if not callable(step):
        raise Wrong(f"make_step should return a function, step(params, lr); yours returns {type(step).__name__}.")

    def take(lr, mistakes=(), at=start):
        params = {"w": jnp.asarray(at["w"], jnp.float32), "b": jnp.float32(at["b"])}  # new: a step may donate its own
        after = _call(advice, step, params, lr)
        if after is ... or after is None:
            raise Wrong("The step that make_step returns gives back nothing yet: `return` the new parameters.")
        if not isinstance(after, dict) or set(after) != {"w", "b"}:
            raise Wrong(
                "step should return the new parameters, and no more, as a pytree of the same form as `params`: here a "
                f"dict. Yours is of type {type(after).__name__}."
            )

        def moved(by, start=1, gradient=None):
            gradient = gradient or slope(at)
            return np.array([*(start * at["w"] - by * gradient["w"]), start * at["b"] - by * gradient["b"]])

        found = np.array([*to_array(after["w"], "the new w", (2,)), to_array(after["b"], "the new b")])
        known = [(moved(-lr), "It goes up the slope: subtract the gradient."), (moved(0), "Nothing has moved.")]
        known += [(moved(1), "The rate has no effect; multiply the gradient by it.")]
        known += [(moved(-1, start=0), "This is the gradient. Return params - lr * gradient.")]
        known += [(moved(lr, start=0), "This is the change, -lr * gradient. Add it to the parameters.")]
        known += [(moved(lr, gradient=slope(start)), "The gradient is still that of the first params: take it anew.")]
        known += [(moved(other), reason) for other, reason in mistakes]
        expect(found, moved(lr), f"The step at lr = {lr}", known, otherwise="It should be params - lr * gradient.")

    take(0.1)
    first = traced
    take(0.1)
    if traced > first:
        raise Wrong(
            "The second call, with the same rate, traced the loss again. Either nothing is compiled, or a new "
            "`jax.jit` is made in every call: call `jax.jit` once, in make_step."
        )
    frozen = (
        "It still steps with the first rate: lr was frozen into the program. Make it an argument of the jitted step."
    )
    for lr in (0.25, 0.05, 0.4):
        take(lr, [(0.1, frozen)])
    if traced > first:
        raise Wrong(
            f"It compiled again for {traced - first} of 3 new rates: lr is static, or a constant of the program. "
            "Let it be an ordinary argument of the jitted function."
        )
    take(0.1, at={"w": np.array([-2.0, 0.5]), "b": 1.0})
    return "Four rates, one program. A slider may move it, a schedule too, and `vmap` over it is a sweep."


make_step = Exercise(
    name="make_step",
    goal="Return a compiled step of gradient descent, whose learning rate may change without compiling again.",
    stub='''
def make_step(loss):
    """loss(params) -> number comes in; a compiled step(params, lr) -> new params goes out. params is a pytree."""
    return ...
''',
    hints=(
        "Only what is *not* an argument, or is marked static, becomes part of the program. Where should lr stand?",
        "new params = params - lr * gradient, leaf by leaf: `jax.tree.map(lambda p, g: ..., params, gradient)`.",
        "    define step(params, lr):\n"
        "        gradient = gradient of loss at params\n"
        "        return tree.map of p - lr * g over params and gradient\n"
        "    return jax.jit(step)",
    ),
    solution="""
def make_step(loss):
    @jax.jit
    def step(params, lr):
        return jax.tree.map(lambda p, g: p - lr * g, params, jax.grad(loss)(params))

    return step
""",
    check=check_make_step,
    also_right=(
        """
def make_step(loss):
    def step(params, lr):
        sgd = optax.sgd(lr)
        change, _ = sgd.update(jax.grad(loss)(params), sgd.init(params))
        return optax.apply_updates(params, change)
    return jax.jit(step)
""",
        """
def make_step(loss):
    slope = jax.jit(jax.grad(loss))
    def step(params, lr):
        gradient = slope(params)
        return {name: np.asarray(params[name]) - lr * np.asarray(gradient[name]) for name in params}
    return step
""",
        """
import functools

def make_step(loss):
    @functools.partial(jax.jit, donate_argnums=0)
    def step(params, lr):
        return jax.tree.map(lambda p, g: p - lr * g, params, jax.grad(loss)(params))
    return step
""",
    ),
    tempting=(
        Tempting(
            """
def make_step(loss):
    def step(params, lr):
        return jax.tree.map(lambda p, g: p - lr * g, params, jax.grad(loss)(params))
    return jax.jit(step, static_argnames="lr")
""",
            "lr is static",
        ),
        Tempting(
            """
def make_step(loss):
    def step(params, lr):
        update = jax.jit(lambda params: jax.tree.map(lambda p, g: p - lr * g, params, jax.grad(loss)(params)))
        return update(params)
    return step
""",
            "in every call",
        ),
        Tempting(
            """
def make_step(loss):
    def step(params, lr):
        return jax.tree.map(lambda p, g: p - lr * g, params, jax.grad(loss)(params))
    return step
""",
            "nothing is compiled",
        ),
        Tempting(
            """
def make_step(loss):
    rate = []
    @jax.jit
    def update(params):
        return jax.tree.map(lambda p, g: p - rate[0] * g, params, jax.grad(loss)(params))
    def step(params, lr):
        rate[:] = [lr]
        return update(params)
    return step
""",
            "frozen into the program",
        ),
        Tempting(
            """
def make_step(loss):
    return jax.jit(lambda params, lr: jax.tree.map(lambda p, g: p + lr * g, params, jax.grad(loss)(params)))
""",
            "up the slope",
        ),
        Tempting(
            "def make_step(loss):\n    return jax.jit(lambda params, lr: params - lr * jax.grad(loss)(params))",
            "`jax.tree.map` does",
        ),
        Tempting(
            "def make_step(loss):\n    return jax.jit(lambda params, lr: jax.grad(loss)(params))", "the gradient."
        ),
        Tempting(
            """
def make_step(loss):
    gradient = None
    def step(params, lr):
        nonlocal gradient
        if gradient is None:
            gradient = jax.grad(loss)(params)
        return jax.tree.map(lambda p, g: p - lr * g, params, gradient)
    return step
""",
            "that of the first params",
        ),
        Tempting(
            """
@jax.jit
def make_step(loss):
    return lambda params, lr: jax.tree.map(lambda p, g: p - lr * g, params, jax.grad(loss)(params))
""",
            "not make_step",
        ),
    ),
)


# ---- fresh keys ----


def _key_numbers(keys, what: str) -> list[tuple[int, ...]]:
    """The numbers behind each of three keys, or `Wrong`."""
    keys = _without_names(keys)
    if (count := _count(keys)) != 3:
        raise Wrong(f"{what} should be three keys; you return {count or 'no tuple or array of keys'}.")
    for key in keys:
        if not (isinstance(key, jax.Array) and jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key)):
            kind = f"numbers ({key.dtype})" if isinstance(key, jax.Array) else type(key).__name__
            raise Wrong(f"{what} should be keys, as `jax.random.split` makes them from `key`; yours holds {kind}.")
        if key.shape != ():
            raise Wrong(f"{what} should be single keys; yours holds an array of them, of shape {key.shape}.")
    return [tuple(np.asarray(jax.random.key_data(key)).ravel().tolist()) for key in keys]


def _without_names(keys):
    return list(keys.values()) if isinstance(keys, dict) else keys


def check_step_keys(step_keys):
    key = jax.random.key(11)
    table = [_key_numbers(step_keys(key, step), f"step_keys(key, {step})") for step in range(8)]
    if any(len(set(row)) < 3 for row in table):
        raise Wrong("Two of a step's three keys are the same: z and the mixing weight would be the same numbers.")
    if table[2] == table[3]:
        raise Wrong("Steps 2 and 3 get the same keys: G would see one batch for ever. Use the step, too: `fold_in`.")
    if any(tuple(np.asarray(jax.random.key_data(key)).tolist()) in row for row in table):
        raise Wrong("The run's own key is among them: it comes back at every step. Only make keys from it.")
    if len({numbers for row in table for numbers in row}) < 24:
        raise Wrong(
            "A key of one step comes back in another step. Adding 1 to the step gives the neighbour's key: "
            "fold the step in first, then split."
        )
    if table != [_key_numbers(step_keys(key, step), "the keys, asked for again,") for step in range(8)]:
        raise Wrong("The same key and step give other keys the second time: a run could not be resumed.")
    if table[2] == _key_numbers(step_keys(jax.random.key(12), 2), "the keys"):
        raise Wrong("Another run's key gives the same keys: every seed would be the same run. Start from `key`.")
    _check_no_parent(step_keys(key, 3))
    compiled = jax.jit(step_keys)
    traced = _key_numbers(compiled(key, 3), "Under jit, step_keys(key, 3)")
    if sorted(traced) != sorted(table[3]):  # jit sorts a dict by its names
        raise Wrong("Under `jit` the keys are others than without it.")
    far = [_key_numbers(compiled(key, step), f"step_keys(key, {step})") for step in (*range(8), *FAR)]
    if len({numbers for row in far for numbers in row}) < 3 * len(far):
        raise Wrong(
            "Far into the run keys come back: of two steps up to 100,000 some share one. An index past the end of an "
            "array of keys stays at its last; step + 1000 is a later step's number. Fold the step in, then split."
        )
    return "Three draws, three keys, new at each step, and the same again when you come back to a step."


FAR = (10, 20, 100, 200, 1000, 2000, 10_000, 20_000, 100_000)
"""Steps late in a run: whoever adds 10, 100 or 1000 to the step meets one of the first again."""


def _check_no_parent(keys) -> None:
    """Raise `Wrong` if one of the keys has been made from another of them."""
    keys = _without_names(keys)
    rows = _key_numbers(keys, "the keys")
    for i, parent in enumerate(keys):
        children = [child for n in (2, 3, 4) for child in jax.random.split(parent, n)]
        children += [jax.random.fold_in(parent, data) for data in range(4)]
        made = {tuple(np.asarray(jax.random.key_data(child)).ravel().tolist()) for child in children}
        if made & set(rows[:i] + rows[i + 1 :]):
            raise Wrong("One of the keys is the parent of another: a key that has been split must not be drawn from.")


step_keys = Exercise(
    name="step_keys",
    goal="Make the three keys of one training step: for the real batch, for z, for the mixing weight.",
    stub='''
def step_keys(key, step):
    """The run's key and the step's number (under jit it is traced) come in; three keys go out."""
    return ...
''',
    hints=(
        "One function makes a key from a key and a number, another makes several keys from one.",
        "split(fold_in(key, step), 3).",
        "    of_this_step = fold the step's number into the key\n    return of_this_step, split into 3",
    ),
    solution="""
def step_keys(key, step):
    return jax.random.split(jax.random.fold_in(key, step), 3)
""",
    check=check_step_keys,
    also_right=(
        """
def step_keys(key, step):
    return tuple(jax.random.fold_in(key, 3 * step + i) for i in range(3))
""",
        """
@jax.jit
def step_keys(key, step):
    real_key, z_key, mixing_key = jax.random.split(key, 3)
    return [jax.random.fold_in(one, step) for one in (real_key, z_key, mixing_key)]
""",
        """
def step_keys(key, step):
    real_key, z_key, mixing_key = jax.random.split(jax.random.fold_in(key, step), 3)
    return {"real": real_key, "z": z_key, "mixing": mixing_key}
""",
    ),
    tempting=(
        Tempting("def step_keys(key, step):\n    return jax.random.split(key, 3)", "one batch for ever"),
        Tempting(
            "def step_keys(key, step):\n    key = jax.random.fold_in(key, step)\n    return key, key, key",
            "the same numbers",
        ),
        Tempting(
            "def step_keys(key, step):\n    return [jax.random.fold_in(key, step + i) for i in range(3)]",
            "neighbour's key",
        ),
        Tempting(
            "def step_keys(key, step):\n    return jax.random.split(jax.random.key(step), 3)",
            "every seed would be the same run",
        ),
        Tempting(
            "def step_keys(key, step):\n"
            "    key = jax.random.fold_in(key, step)\n"
            "    return key, *jax.random.split(key)",
            "the parent of another",
        ),
        Tempting(
            "def step_keys(key, step):\n    return jax.random.split(jax.random.key(np.random.randint(1 << 30)), 3)",
            "the second time",
        ),
        Tempting(
            "def step_keys(key, step):\n    return jax.random.split(jax.random.fold_in(key, step))", "you return 2"
        ),
        Tempting("def step_keys(key, step):\n    return jax.random.fold_in(key, step)", "three keys"),
        Tempting(
            "def step_keys(key, step):\n    return jax.random.normal(jax.random.fold_in(key, step), (3,))",
            "should be keys",
        ),
        Tempting(
            "def step_keys(key, step):\n    return jax.random.split(jax.random.split(key, 1000)[step], 3)",
            "Far into the run",
        ),
        Tempting(
            "def step_keys(key, step):\n    return [jax.random.fold_in(key, step + 1000 * i) for i in range(3)]",
            "Far into the run",
        ),
        Tempting(
            "def step_keys(key, step):\n    return key, *jax.random.split(jax.random.fold_in(key, step))",
            "run's own key",
        ),
    ),
)


# ---- one gradient for each sample ----


def check_example_gradients(example_gradients):
    def logit(d, x):
        return jnp.tanh(jnp.dot(d["w"], x) + d["b"])

    w, b = np.array([0.5, -1.0]), 0.25
    d = {"w": jnp.asarray(w, jnp.float32), "b": jnp.float32(b)}
    x = np.array([[1.0, 2.0], [0.0, -1.0], [0.3, 0.1], [-2.0, 0.5]])
    slope = 1 - np.tanh(x @ w + b) ** 2  # by hand: the derivative of tanh
    right = {"w": slope[:, None] * x, "b": slope}
    advice = {
        "scalar-output": "For n samples there are n logits, and `jax.grad` wants one: write the gradient for *one* "
        "sample, and `vmap` that. (A mean over the batch would lose each sample's own.)",
        "dot_general": "`logit` takes d and *one* sample, of shape (2,): `vmap` hands it one row of x after the other.",
        "requested to map": "d has no axis of samples, x has: `in_axes=(None, 0)`.",
    }
    found = _call(advice, example_gradients, logit, d, jnp.asarray(x, jnp.float32))
    if isinstance(found, jax.Array | np.ndarray) and found.shape == x.shape:
        raise Wrong("This is shaped like x: the gradient in the samples. Differentiate in d, `logit`'s first argument.")
    if not isinstance(found, dict) or set(found) != {"w", "b"}:
        raise Wrong(
            "The answer should be a pytree of d's form, {'w': ..., 'b': ...}, whose leaves have one row a sample; "
            f"yours is of type {type(found).__name__}. {_instead(found, len(x))}".rstrip()
        )
    if np.shape(found["w"]) == w.shape:
        of_mean = np.allclose(np.asarray(found["w"], float), right["w"].mean(0), atol=1e-4)
        one = "the gradient of the batch's mean" if of_mean else "one gradient for the whole batch"
        raise Wrong(f"This is {one}: a sample's own is lost in it. `vmap` the gradient instead of averaging first.")
    for name in "wb":
        mean = np.broadcast_to(right[name].mean(0), right[name].shape)
        mistakes = [
            (right[name] / len(x), "Each is divided by n: the mean over the batch has been differentiated."),
            (mean, "All rows are the batch's mean; each sample has a gradient of its own."),
        ]
        expect(found[name], right[name], f"The gradient in {name}", mistakes, otherwise="Compare a row with jax.grad.")
    module = nnx.Linear(2, 1, rngs=nnx.Rngs(0))
    found = example_gradients(lambda d, x: d(x[None])[0, 0], module, jnp.asarray(x, jnp.float32))
    leaves = {np.shape(leaf): leaf for leaf in jax.tree.leaves(found)}
    if (4, 2, 1) not in leaves:
        raise Wrong(f"With an NNX module for d the leaves have shapes {list(leaves)}; (4, 1) and (4, 2, 1) were due.")
    expect(leaves[4, 2, 1][..., 0], x, "The gradient in the kernel of an nnx.Linear")
    return "The same line serves a dict and an NNX module: both are pytrees."


def _instead(found, n: int) -> str:
    """What to do about something that is not a pytree of d's form."""
    if callable(found) and not hasattr(found, "shape"):
        return "`jax.vmap(...)` is a function still: call it, `(d, x)`."
    if isinstance(found, tuple) and len(found) == 2:
        return "`value_and_grad` returns (value, gradient): take the gradient."
    if isinstance(found, list) and len(found) == n:
        return "Stack the samples leaf by leaf: `jax.tree.map(lambda *rows: jnp.stack(rows), *found)`, or `vmap`."
    return ""


example_gradients = Exercise(
    name="example_gradients",
    goal="Each sample's own gradient of D's logit, with respect to D's parameters.",
    stub='''
def example_gradients(logit, d, x):
    """logit(d, one sample) -> number, D's parameters d (a pytree), samples x of shape (n, k) come in.

    A pytree of d's form goes out, each leaf with a leading axis of n.
    """
    return ...
''',
    hints=(
        "First write the gradient for one sample. Then `vmap` it; which of its arguments has a leading axis of n?",
        "`in_axes` has one entry an argument: 0 where it walks along the first axis, None where all share one value.",
        "    of_one = gradient of logit (in its first argument)\n"
        "    of_all = vmap of of_one, with in_axes=(None, 0)\n"
        "    return of_all(d, x)",
    ),
    solution="""
def example_gradients(logit, d, x):
    return jax.vmap(jax.grad(logit), in_axes=(None, 0))(d, x)
""",
    check=check_example_gradients,
    also_right=(
        """
def example_gradients(logit, d, x):
    rows = [jax.grad(logit)(d, one) for one in x]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)
""",
        """
def example_gradients(logit, d, x):
    return jax.jit(jax.jacrev(lambda d: jax.vmap(lambda one: logit(d, one))(x)))(d)
""",
        """
def example_gradients(logit, d, x):
    return jax.tree.map(np.asarray, jax.lax.map(lambda one: jax.grad(logit)(d, one), x))
""",
    ),
    tempting=(
        Tempting(
            """
def example_gradients(logit, d, x):
    return jax.grad(lambda d: jnp.mean(jax.vmap(lambda one: logit(d, one))(x)))(d)
""",
            "the gradient of the batch's mean",
        ),
        Tempting(
            """
def example_gradients(logit, d, x):
    return jax.grad(lambda d: jnp.sum(jax.vmap(lambda one: logit(d, one))(x)))(d)
""",
            "one gradient for the whole batch",
        ),
        Tempting("def example_gradients(logit, d, x):\n    return jax.vmap(jax.grad(logit))(d, x)", "vmap"),
        Tempting(
            "def example_gradients(logit, d, x):\n    return jax.vmap(jax.grad(logit, 1), in_axes=(None, 0))(d, x)",
            "shaped like x",
        ),
        Tempting(
            """
def example_gradients(logit, d, x):
    mean = lambda d: jnp.mean(jax.vmap(lambda one: logit(d, one))(x))
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (len(x), *leaf.shape)), jax.grad(mean)(d))
""",
            "All rows are the batch's mean",
        ),
        Tempting(
            "def example_gradients(logit, d, x):\n"
            "    return jax.vmap(jax.value_and_grad(logit), in_axes=(None, 0))(d, x)",
            "take the gradient",
        ),
        Tempting(
            "def example_gradients(logit, d, x):\n    return jax.grad(jax.vmap(logit, (None, 0)))(d, x)",
            "`vmap` that",
        ),
        Tempting("def example_gradients(logit, d, x):\n    return jax.grad(logit)(d, x)", "*one* sample"),
        Tempting("def example_gradients(logit, d, x):\n    return [jax.grad(logit)(d, one) for one in x]", "Stack"),
        Tempting("def example_gradients(logit, d, x):\n    return jax.vmap(jax.grad(logit), (None, 0))", "call it"),
    ),
)


# ---- two optimisers in one scan ----


def _walk(start, n, change, first=""):
    """Play f = xy in NumPy; `change` maps (player, its gradient) to what is added; `first` moves before the other."""
    (x, y), path = start, []
    for _ in range(n):
        if first == "y":
            dy = change(1, -x)
            dx = change(0, y + dy)
        else:
            dx = change(0, y)
            dy = change(1, -(x + dx if first == "x" else x))
        x, y = x + dx, y + dy
        path.append((x, y))
    return np.array(path)


def _momentum(rates, decay):
    """Gradient descent with momentum, written by hand."""
    memory = [0.0, 0.0]

    def change(player, gradient):
        memory[player] = gradient + decay[player] * memory[player]
        return -rates[player] * memory[player]

    return change


def check_play_xy(play_xy):
    start, n = (1.0, 0.5), 12
    rates, decay = (0.1, 0.3), (0.9, 0.5)
    calls = 0

    def counting(rate, decay):
        plain = optax.sgd(rate, momentum=decay)

        def update(gradient, memory, params=None):
            nonlocal calls
            calls += 1
            return plain.update(gradient, memory, params)

        return optax.GradientTransformation(plain.init, update)

    optimizers = [counting(rate, memory) for rate, memory in zip(rates, decay, strict=True)]
    advice = {
        "same pytree structure": "What step returns first must have the form of the carry that came in: the two "
        "numbers and the two memories. The place comes second.",
        "must be a pair": "step returns two things: the next carry, and what is stacked, here the place.",
        "no leading axis": "`scan` walks over arrays. To repeat n times: `jax.lax.scan(step, carry, length=n)`.",
    }
    found = _call(advice, play_xy, *optimizers, tuple(map(jnp.float32, start)), n)
    if isinstance(found, tuple) and any(isinstance(part, tuple) for part in found):
        raise Wrong("`scan` returns two things: the last carry, and what has been stacked. Return the second, `[1]`.")
    found = to_array(found, "the path", None)
    if found.shape == (n + 1, 2):
        raise Wrong("There is one row too many: leave the start out, and return the places after each of the n steps.")
    if found.shape == (2, n):
        raise Wrong("The path lies on its side: one row a step, (n, 2).")
    if found.shape == (2,):
        raise Wrong("This is one place, (2,); return all of them, (n, 2): `scan` stacks what the step hands out.")
    walk = lambda rule, first="": _walk(start, n, rule, first)  # noqa: E731
    right = walk(_momentum(rates, decay))
    signed = lambda x, y: lambda by_hand: lambda player, gradient: (x, y)[player] * by_hand(player, gradient)  # noqa: E731
    upwards, both_upwards = (signed(*signs)(_momentum(rates, decay)) for signs in ((1, -1), (-1, -1)))
    turned = "y's new value answers x's new one: that is the alternating game. Both gradients come before both updates."
    mistakes = [
        (walk(_momentum(rates, decay), "x"), turned),
        (walk(_momentum(rates, decay), "y"), turned.replace("y's new value answers x's", "x's new value answers y's")),
        (walk(_momentum(rates, (0.0, 0.0))),
         "The optimisers' memories are not carried: each step starts with an empty one. They belong to the carry."),
        (walk(_momentum(rates, (0.0, decay[1]))), "x's memory is not carried: take what `update` returns second."),
        (walk(_momentum(rates, (decay[0], 0.0))), "y's memory is not carried: take what `update` returns second."),
        (walk(_momentum((0.1, 0.1), (0.0, 0.0))), "A step of 0.1 is built in: let the optimisers make the changes."),
        (walk(_momentum(rates[::-1], decay[::-1])), "The optimisers are swapped."),
        (walk(_momentum(rates[:1] * 2, decay[:1] * 2)), "Both players use the first optimiser."),
        (walk(upwards), "y descends f as well: its loss is -f, its gradient -x."),
        (walk(both_upwards),
         "Both go *up* their losses: `update` takes the gradient of the loss; its change has its sign: add it."),
        (np.vstack([start, right[:-1]]), "The path is one step late: it begins with the start."),
        (right[:, ::-1], "The columns are swapped: x first, then y."),
        (np.broadcast_to(start, right.shape), "Nothing moves: add the changes to x and y."),
    ]  # fmt: skip
    expect(found, right, "The path of 12 steps with momentum", mistakes, otherwise="Compare the first row by hand.")
    if calls > 8:
        raise Wrong(
            f"It is right, but Python walked: the optimisers were called {calls} times from Python in 12 steps. "
            "Let `jax.lax.scan` compile the loop."
        )
    if _grows(lambda start, n: play_xy(*optimizers, start, n)):
        raise Wrong("It is right, but Python walked, and called a compiled step n times. Let `scan` compile the loop.")
    return "Two optimisers, two memories, one compiled loop: the shape of every GAN's training that follows."


def _grows(walk) -> bool:
    """Whether twice the steps are a longer program; False when the answer (as NumPy's arrays) can't be traced."""
    try:
        short, long = (jax.make_jaxpr(lambda start, n=n: walk(start, n))((1.0, 0.5)) for n in (4, 8))
    except (jax.errors.JAXTypeError, jax.errors.JAXIndexError, TypeError, ValueError):
        return False
    return len(long.eqns) > len(short.eqns)


play_xy = Exercise(
    name="play_xy",
    goal="Play f(x, y) = xy for n simultaneous steps, each player with an Optax optimiser of its own, in one scan.",
    stub='''
def play_xy(optimizer_x, optimizer_y, start, n):
    """Two Optax optimisers, start = (x, y), a count come in; places after each step, shape (n, 2), go out."""
    return ...
''',
    hints=(
        "What must survive from step to step? Two numbers and two memories: that is the carry of the scan.",
        "Both gradients at the old place: y for x, and -x for y, because y's loss is -xy. Then both updates.",
        "    step(carry, _): x, y, memory_x, memory_y = carry\n"
        "        change_x, memory_x = optimizer_x.update(y, memory_x)\n"
        "        change_y, memory_y = optimizer_y.update(-x, memory_y)\n"
        "        apply both changes; return the new carry, and [x, y] as an array\n"
        "    carry = start and both optimisers' .init; return the second result of jax.lax.scan(..., length=n)",
    ),
    solution="""
def play_xy(optimizer_x, optimizer_y, start, n):
    def step(carry, _):
        x, y, memory_x, memory_y = carry
        change_x, memory_x = optimizer_x.update(jax.grad(f, 0)(x, y), memory_x)
        change_y, memory_y = optimizer_y.update(-jax.grad(f, 1)(x, y), memory_y)
        x, y = optax.apply_updates(x, change_x), optax.apply_updates(y, change_y)
        return (x, y, memory_x, memory_y), jnp.stack([x, y])

    x, y = start
    return jax.lax.scan(step, (x, y, optimizer_x.init(x), optimizer_y.init(y)), None, length=n)[1]
""",
    check=check_play_xy,
    also_right=(
        """
def play_xy(optimizer_x, optimizer_y, start, n):
    optimizers = optimizer_x, optimizer_y
    def step(carry, _):
        players, memories = carry
        gradients = players[1], -players[0]
        moved = [o.update(g, m) for o, g, m in zip(optimizers, gradients, memories)]
        players = tuple(p + change for p, (change, _) in zip(players, moved))
        return (players, tuple(memory for _, memory in moved)), players
    carry = tuple(start), tuple(o.init(p) for o, p in zip(optimizers, start))
    xs, ys = jax.jit(lambda carry: jax.lax.scan(step, carry, length=n))(carry)[1]
    return np.stack([xs, ys], axis=1)
""",
        """
def play_xy(optimizer_x, optimizer_y, start, n):
    both = optax.multi_transform({"x": optimizer_x, "y": optimizer_y}, {"x": "x", "y": "y"})
    players = dict(zip("xy", start))
    def step(carry, _):
        players, memory = carry
        change, memory = both.update({"x": players["y"], "y": -players["x"]}, memory, players)
        players = optax.apply_updates(players, change)
        return (players, memory), jnp.array([players["x"], players["y"]])
    return jax.lax.scan(step, (players, both.init(players)), jnp.arange(n))[1]
""",
    ),
    tempting=(
        Tempting(
            """
def play_xy(optimizer_x, optimizer_y, start, n):
    def step(carry, _):
        x, y, memory_x, memory_y = carry
        change, memory_x = optimizer_x.update(y, memory_x)
        x = x + change
        change, memory_y = optimizer_y.update(-x, memory_y)
        y = y + change
        return (x, y, memory_x, memory_y), jnp.stack([x, y])
    x, y = start
    return jax.lax.scan(step, (x, y, optimizer_x.init(x), optimizer_y.init(y)), None, length=n)[1]
""",
            "alternating game",
        ),
        Tempting(
            """
def play_xy(optimizer_x, optimizer_y, start, n):
    def step(carry, _):
        x, y = carry
        change_x, _ = optimizer_x.update(y, optimizer_x.init(x))
        change_y, _ = optimizer_y.update(-x, optimizer_y.init(y))
        return (x + change_x, y + change_y), jnp.stack([x + change_x, y + change_y])
    return jax.lax.scan(step, start, None, length=n)[1]
""",
            "memories are not carried",
        ),
        Tempting(
            """
def play_xy(optimizer_x, optimizer_y, start, n):
    def step(carry, _):
        x, y, memory_x, memory_y = carry
        change_x, memory_x = optimizer_x.update(y, memory_x)
        change_y, memory_y = optimizer_y.update(x, memory_y)
        x, y = x + change_x, y + change_y
        return (x, y, memory_x, memory_y), jnp.stack([x, y])
    x, y = start
    return jax.lax.scan(step, (x, y, optimizer_x.init(x), optimizer_y.init(y)), None, length=n)[1]
""",
            "y descends f as well",
        ),
        Tempting(
            """
def play_xy(optimizer_x, optimizer_y, start, n):
    def step(carry, _):
        x, y, memory_x, memory_y = carry
        change_x, memory_x = optimizer_x.update(y, memory_x)
        change_y, memory_y = optimizer_y.update(-x, memory_y)
        return (x + change_x, y + change_y, memory_x, memory_y), jnp.stack([x, y])
    x, y = start
    return jax.lax.scan(step, (x, y, optimizer_x.init(x), optimizer_y.init(y)), None, length=n)[1]
""",
            "one step late",
        ),
        Tempting(
            """
def play_xy(optimizer_x, optimizer_y, start, n):
    (x, y), path = start, []
    memory_x, memory_y = optimizer_x.init(x), optimizer_y.init(y)
    for _ in range(n):
        change_x, memory_x = optimizer_x.update(y, memory_x)
        change_y, memory_y = optimizer_y.update(-x, memory_y)
        x, y = x + change_x, y + change_y
        path.append([x, y])
    return jnp.array(path)
""",
            "Python walked",
        ),
        Tempting(
            """
def play_xy(optimizer_x, optimizer_y, start, n):
    def step(carry, _):
        x, y, memory_x, memory_y = carry
        change_x, memory_x = optimizer_x.update(y, memory_x)
        change_y, memory_y = optimizer_x.update(-x, memory_y)
        x, y = x + change_x, y + change_y
        return (x, y, memory_x, memory_y), jnp.stack([x, y])
    x, y = start
    return jax.lax.scan(step, (x, y, optimizer_x.init(x), optimizer_x.init(y)), None, length=n)[1]
""",
            "first optimiser",
        ),
        Tempting(
            """
def play_xy(optimizer_x, optimizer_y, start, n):
    @jax.jit
    def step(x, y, memory_x, memory_y):
        change_x, memory_x = optimizer_x.update(y, memory_x)
        change_y, memory_y = optimizer_y.update(-x, memory_y)
        return x + change_x, y + change_y, memory_x, memory_y
    (x, y), path = start, []
    memory_x, memory_y = optimizer_x.init(x), optimizer_y.init(y)
    for _ in range(n):
        x, y, memory_x, memory_y = step(x, y, memory_x, memory_y)
        path.append(jnp.stack([x, y]))
    return jnp.stack(path)
""",
            "called a compiled step",
        ),
        Tempting(
            """
def play_xy(optimizer_x, optimizer_y, start, n):
    def step(carry, _):
        x, y, memory_x, memory_y = carry
        change_x, memory_x = optimizer_x.update(y, memory_x)
        change_y, memory_y = optimizer_y.update(-x, memory_y)
        x, y = x - change_x, y - change_y
        return (x, y, memory_x, memory_y), jnp.stack([x, y])
    x, y = start
    return jax.lax.scan(step, (x, y, optimizer_x.init(x), optimizer_y.init(y)), None, length=n)[1]
""",
            "has its sign",
        ),
        Tempting(
            """
def play_xy(optimizer_x, optimizer_y, start, n):
    def step(carry, _):
        x, y, memory_x, memory_y = carry
        change_x, memory_x = optimizer_x.update(y, memory_x)
        change_y, memory_y = optimizer_y.update(-x, memory_y)
        x, y = x + change_x, y + change_y
        return (x, y), jnp.stack([x, y])
    x, y = start
    return jax.lax.scan(step, (x, y, optimizer_x.init(x), optimizer_y.init(y)), None, length=n)[1]
""",
            "the form of the carry",
        ),
        Tempting(
            """
def play_xy(optimizer_x, optimizer_y, start, n):
    def step(carry, _):
        x, y, memory_x, memory_y = carry
        change_x, memory_x = optimizer_x.update(y, memory_x)
        change_y, memory_y = optimizer_y.update(-x, memory_y)
        x, y = x + change_x, y + change_y
        return (x, y, memory_x, memory_y), jnp.stack([x, y])
    x, y = start
    return jax.lax.scan(step, (x, y, optimizer_x.init(x), optimizer_y.init(y)), None, length=n)
""",
            "Return the second",
        ),
    ),
)


# ---- the planted fault ----


def check_label_loss(label_loss):
    logits, labels = np.array([1.5, 0.25, -0.5]), np.array([1.0, 0.0, 1.0])
    apart = logits - labels
    pairs = logits[:, None] - labels[None, :]
    mistakes = [
        ((pairs**2).mean(), "Every logit was compared with every label: (n, 1) - (n,) is (n, n). Give both one shape."),
        ((apart**2).sum(), "You summed over the samples; take the mean."),
        ((apart**2).mean() / 2, "You halved it; here the mean of the squares is asked for, without the half."),
        (apart.mean() ** 2, "This squares the mean difference: errors of opposite sign cancel. Square first."),
        (np.abs(apart).mean(), "This is the mean of the absolute errors; square them."),
        (np.sqrt((apart**2).mean()), "This is the root of the mean square; leave the root out."),
        (np.sqrt((apart**2).sum()), "This is the norm of the differences; take the mean of their squares."),
        (apart.mean(), "This is the mean difference: errors of opposite sign cancel. Square first."),
        (apart.var(), "This is the variance, which takes the mean difference away. Take the mean of the squares."),
        (
            (np.logaddexp(0, logits) - labels * logits).mean(),
            "This is the cross-entropy. Here the loss is least squares: the mean of (logit - label)^2.",
        ),
        (
            ((1 / (1 + np.exp(-logits)) - labels) ** 2).mean(),
            "There is no sigmoid in least squares: a logit is D's answer.",
        ),
    ]
    for shapes in (((3,), (3,)), ((3, 1), (3,)), ((3,), (3, 1)), ((3, 1), (3, 1))):
        given = [jnp.asarray(values, jnp.float32).reshape(shape)
                 for values, shape in zip((logits, labels), shapes, strict=True)]  # fmt: skip
        what = f"The loss of logits of shape {shapes[0]} and labels of shape {shapes[1]}"
        expect(
            label_loss(*given),
            (apart**2).mean(),
            what,
            mistakes,
            otherwise="It should be mean((a_i - label_i)^2).",
            several=AVERAGE,
        )
    return "One logit, one label. In a network, do it once, where the logits come out: `d(x).reshape(n)`."


label_loss = Exercise(
    name="label_loss",
    goal="The mean of (logit - label)^2, each logit with its own label, whether they come as (n,) or as (n, 1).",
    stub='''
def label_loss(logits, labels):
    """Logits and labels, of shape (n,) or (n, 1) each, come in; one number goes out."""
    return ...
''',
    hints=(
        "Print the shapes of logits, of labels and of their difference.",
        "Bring both to shape (n,), then mean((a_i - label_i)^2).",
        "    flatten the logits, flatten the labels\n    return mean of the square of their difference",
    ),
    solution="""
def label_loss(logits, labels):
    return jnp.mean((logits.reshape(-1) - labels.reshape(-1)) ** 2)
""",
    check=check_label_loss,
    also_right=(
        """
def label_loss(logits, labels):
    return optax.squared_error(jnp.ravel(logits), jnp.ravel(labels)).mean()
""",
        """
def label_loss(logits, labels):
    apart = np.asarray(logits).squeeze() - np.asarray(labels).squeeze()
    return float(np.dot(apart, apart)) / len(apart)
""",
        """
@jax.jit
def label_loss(logits, labels):
    return jnp.mean(jnp.square(logits - labels.reshape(logits.shape)))
""",
    ),
    tempting=(
        Tempting("def label_loss(logits, labels):\n    return jnp.mean((logits - labels) ** 2)", "every label"),
        Tempting(
            "def label_loss(logits, labels):\n    return jnp.mean((logits[:, 0] - labels) ** 2)",
            "IndexError",
        ),
        Tempting(
            "def label_loss(logits, labels):\n    return jnp.sum((logits.ravel() - labels.ravel()) ** 2)", "summed"
        ),
        Tempting("def label_loss(logits, labels):\n    return (logits.ravel() - labels.ravel()).mean() ** 2", "cancel"),
        Tempting(
            "def label_loss(logits, labels):\n"
            "    return jnp.mean((1 / (1 + jnp.exp(-logits.ravel())) - labels.ravel()) ** 2)",
            "no sigmoid",
        ),
        Tempting(
            "def label_loss(logits, labels):\n    return jnp.mean((logits - labels[:, None]) ** 2)", "every label"
        ),
        Tempting(
            "def label_loss(logits, labels):\n"
            "    return jnp.mean((jnp.sort(logits.ravel()) - jnp.sort(labels.ravel())) ** 2)",
            "mean((a_i - label_i)^2)",
        ),
        Tempting(
            "def label_loss(logits, labels):\n"
            "    return optax.sigmoid_binary_cross_entropy(logits.ravel(), labels.ravel()).mean()",
            "cross-entropy",
        ),
    ),
)


# ---- stretch: a norm with a gradient everywhere ----


def check_safe_norm(safe_norm):
    v = np.array([[3.0, 4.0], [0.0, 0.0], [-1e-3, 2e-3], [0.5, 0.0]])
    right = np.linalg.norm(v, axis=1)
    mistakes = [
        (np.broadcast_to(np.linalg.norm(v), right.shape), "This is one norm of the whole batch; each row has its own."),
        ((v**2).sum(1), "This is the square of the norm."),
        (np.abs(v).sum(1), "This is the sum of the absolute values; take the square root of the sum of squares."),
        (np.sqrt((v**2).mean(1)), "This is the root of the *mean* square; take the sum of squares."),
        (np.abs(v).max(1), "This is the largest entry of each row; take the root of the sum of squares."),
        (
            np.where(right > 0, right, 1),
            "At v = 0 it is 1: the root is safe, but a second `where` must put the 0 back.",
        ),
    ]
    rows = jnp.asarray(v, jnp.float32)
    found = to_array(safe_norm(rows), "The norm of each row", right.shape)
    shifted = "Short vectors are shifted, by what is added, or by a limit: (-0.001, 0.002) should have length 0.002236."
    otherwise = shifted if np.allclose(found, right, atol=0.05) else "It should be the root of the sum of squares."
    expect(found, right, "The norm of each row", mistakes, otherwise=otherwise, tolerance=2e-5)
    gradient = jax.grad(lambda v: jnp.sum(safe_norm(v)))(rows)
    if np.isnan(np.asarray(gradient)).any():
        raise Wrong(
            "The values are right, but the gradient at (0, 0) is NaN. A `where` around the root comes too late: the "
            "root's infinite slope times 0 is NaN. Change what goes *into* the root."
        )
    if not np.isfinite(np.asarray(gradient)).all():
        raise Wrong("The values are right, but the gradient at (0, 0) is infinite.")
    wanted = np.divide(v, right[:, None], out=np.zeros_like(v), where=right[:, None] > 0)
    expect(gradient, wanted, "The gradient of the norms", [(np.zeros_like(v), "Nothing passes through it.")],
           otherwise="It should be v / |v|, and 0 where v is 0.", tolerance=2e-3)  # fmt: skip
    expect(jax.jit(safe_norm)(rows), right, "The norm of each row, under jit,", tolerance=2e-5)
    return "Both branches of a `where` are differentiated; now both are finite. Gradient penalties need this norm."


safe_norm = Exercise(
    name="safe_norm",
    goal="The norm of each row, with a gradient that is v / |v|, and 0 (not NaN) where v = 0.",
    stub='''
def safe_norm(v):
    """Vectors v, shape (n, k), come in; their norms, shape (n,), go out."""
    return ...
''',
    hints=(
        "`jnp.where` computes both branches, and differentiates both. Which of the two is NaN, and where?",
        "s = sum of v^2; inside = where(s > 0, s, 1); norm = where(s > 0, sqrt(inside), 0).",
        "    s = sum of v^2 along axis 1\n"
        "    inside = s where s > 0, else 1\n"
        "    return sqrt(inside) where s > 0, else 0",
    ),
    solution="""
def safe_norm(v):
    squared = jnp.sum(v**2, axis=1)
    inside = jnp.where(squared > 0, squared, 1.0)
    return jnp.where(squared > 0, jnp.sqrt(inside), 0.0)
""",
    check=check_safe_norm,
    also_right=(
        """
from gan_jax.losses import safe_sqrt

@jax.jit
def safe_norm(v):
    return safe_sqrt((v * v).sum(-1))
""",
        """
def safe_norm(v):
    zero = jnp.all(v == 0, axis=1)
    norms = jnp.linalg.norm(jnp.where(zero[:, None], 1.0, v), axis=1)
    return jnp.where(zero, 0.0, norms)
""",
        """
def safe_norm(v):
    return jnp.sqrt(jnp.sum(v**2, axis=1) + 1e-20)
""",
        """
def safe_norm(v):
    return optax.safe_norm(v, 1e-9, axis=1)
""",
    ),
    tempting=(
        Tempting("def safe_norm(v):\n    return jnp.linalg.norm(v, axis=1)", "is NaN"),
        Tempting(
            "def safe_norm(v):\n    s = jnp.sum(v**2, axis=1)\n    return jnp.where(s > 0, jnp.sqrt(s), 0.0)",
            "comes too late",
        ),
        Tempting("def safe_norm(v):\n    return jnp.sqrt(jnp.sum(v**2, axis=1) + 1e-6)", "Short vectors are shifted"),
        Tempting("def safe_norm(v):\n    return jnp.nan_to_num(jnp.linalg.norm(v, axis=1))", "is NaN"),
        Tempting("def safe_norm(v):\n    return jnp.sum(v**2, axis=1)", "square of the norm"),
        Tempting(
            "def safe_norm(v):\n    s = jnp.sum(v**2, axis=1)\n    return jnp.sqrt(jnp.where(s > 0, s, 1.0))",
            "put the 0 back",
        ),
        Tempting("def safe_norm(v):\n    return jnp.full(len(v), jnp.sqrt(jnp.sum(v**2)))", "whole batch"),
    ),
    stretch=True,
)


# ---- quiz ----

QUIZ = (
    Question(
        "frozen_noise",
        "A jitted step draws its latents with `np.random.normal(size=(64, 2))`. What does G see in 1,000 steps?",
        (
            Choice(
                "Fresh latents at every step, as in plain NumPy.",
                "Python runs only while JAX traces the step, at the first call. What NumPy drew then is a constant.",
            ),
            Choice(
                "An error: NumPy is not allowed in a jitted function.",
                "NumPy on constants is allowed, and nothing warns.",
            ),
            Choice(
                "The same 64 latents at every step.",
                "They were drawn once, at tracing, and stand in the program as constants. Draw with a key.",
                True,
            ),
        ),
    ),
    Question(
        "stop_gradient",
        "G's update is `jax.grad(loss_g, argnums=0)(g, d, z)`, with the logits `d(g(z))` inside. Where does "
        "`stop_gradient` belong?",
        (
            Choice(
                "Around g(z), so that D does not change.",
                "That cuts G off from its own loss: its gradient would be 0.",
            ),
            Choice(
                "Around d's parameters, or D learns to help G.",
                "It does no harm, but it is not needed: d is another argument, and no gradient in it is asked for.",
            ),
            Choice(
                "Nowhere.",
                "The gradient is taken in argument 0 alone; d is held constant. The signal still passes *through* D.",
                True,
            ),
        ),
    ),
    Question(
        "recompile",
        "A step is `jax.jit(step)`, called with (state, batch, lr), where lr is a float array. What compiles it again?",
        (
            Choice("A new learning rate.", "lr is an argument: a new value runs the same program."),
            Choice("Another 64 samples of the same shape.", "Values are data. Only shape, dtype and structure count."),
            Choice(
                "A last batch of 40 samples instead of 64.",
                "A new shape is a new program. Drop the remainder, or draw batches of one size.",
                True,
            ),
            Choice("A hundred calls in a row.", "Programs are kept and looked up by shape, dtype, structure, statics."),
        ),
    ),
    Question(
        "lost_update",
        "A jitted step takes a module g. Inside stands `g = optax.apply_updates(g, change)`, and only the loss is "
        "returned. What has happened to the module g outside?",
        (
            Choice(
                "It has been updated: a module is an object.",
                "Inside, g is a copy made of traced arrays; giving the name g to another changes nothing outside.",
            ),
            Choice("Nothing: G never learns.", "A pure function changes nothing outside. Return g, and take it.", True),
            Choice(
                "It holds tracers now.",
                "Tracers stay inside: what is returned is numbers. To write one into a module outside is an error.",
            ),
        ),
    ),
    Question(
        "where_nan",
        "`jnp.where(s > 0, jnp.sqrt(s), 0.0)` is 0 at s = 0. What is its gradient there, and why?",
        (
            Choice(
                "0, the gradient of the branch that was taken.",
                "Both branches are differentiated: the root's gets the factor 0, and 0 times infinity is NaN.",
            ),
            Choice("Infinite, the slope of the root.", "The infinite slope is there, but it is multiplied by 0."),
            Choice(
                "NaN, since 0 times infinity is NaN.",
                "The branch not taken has slope infinity and weight 0. A second `where`, inside the root, cures it.",
                True,
            ),
        ),
    ),
)

LESSON = Source(
    "01_jax_for_gans",
    GIVEN,
    (player_gradients, make_step, step_keys, example_gradients, play_xy, label_loss, safe_norm),
    QUIZ,
)
