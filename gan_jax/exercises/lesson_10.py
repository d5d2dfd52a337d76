"""The exercises and the quiz of lesson 10, conditional generation and the latent space."""

import jax
import numpy as np

from .exercise import Exercise, Tempting
from .progress import Source
from .question import Choice, Question
from .verdict import Wrong, expect, to_array

GIVEN = """
import jax
import jax.numpy as jnp
import numpy as np
"""


# ---- the best D that is told the label ----

_POINTS = np.random.default_rng(10).normal(size=(5, 3))
LOG_P = -0.5 * (_POINTS - np.array([-1.0, 0.0, 2.0])) ** 2 - 0.9
LOG_Q = -0.5 * (_POINTS - np.array([0.5, 0.2, -1.0])) ** 2 - 0.9
PRIOR_P, PRIOR_Q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.2, 0.6])
LABELS = np.array([0, 2, 1, 2, 0])
ROWS = np.arange(len(LABELS))


def check_best_logit(logit):
    joint_p, joint_q = LOG_P + np.log(PRIOR_P), LOG_Q + np.log(PRIOR_Q)
    table = joint_p - joint_q
    right = table[ROWS, LABELS]
    given_label = (LOG_P - LOG_Q)[ROWS, LABELS]
    marginal = np.logaddexp.reduce(joint_p, axis=1) - np.logaddexp.reduce(joint_q, axis=1)
    mistakes = [
        (given_label, "The priors are missing: where p and p_g use the labels unequally often, that tells them apart."),
        (-right, "The sign is turned: D's logit is large where real pairs are more likely than fake ones."),
        (marginal, "That is log p(x) / p_g(x), of a D that isn't told the label: it can't see a wrong pair."),
        (
            right - marginal,
            "That is log p(y|x) / p_g(y|x), what a classifier adds; the ratio of the x themselves is missing.",
        ),
        (np.exp(right), "That is the ratio; D's logit is its logarithm."),
        (1 / (1 + np.exp(-right)), "That is D's probability; its logit is asked for."),
        (joint_p[ROWS, LABELS], "That is log p(x, y) alone; what p_g has there is to be taken away."),
        ((np.log(PRIOR_P) - np.log(PRIOR_Q))[LABELS], "Those are the priors alone; the ratio of the x is missing."),
        (given_label + (PRIOR_P - PRIOR_Q)[LABELS], "log p(x|y) is a logarithm already, p(y) is not: take its own."),
        (2 * given_label - right, "The priors have the wrong sign: a label that p uses more often speaks for real."),
        (-np.logaddexp(0, -right), "That is log D; D's logit is log D - log(1 - D)."),
    ]
    priors = [jax.numpy.asarray(prior) for prior in (PRIOR_P, PRIOR_Q)]  # so that a `vmap` over samples may index them
    found = logit(LOG_P, LOG_Q, *priors, LABELS)
    if np.shape(found) == (len(LABELS), len(LABELS)):
        raise Wrong("5 logits are wanted, yours are 5 x 5: `table[:, labels]` takes all labels for every row. Row i "
                    "goes with labels[i] alone: `table[np.arange(n), labels]`.")  # fmt: skip
    if np.shape(found) == table.shape:
        raise Wrong(f"One logit a pair is wanted, shape {right.shape}; yours has one for every label, {table.shape}.")
    expect(found, right, "the best logit", mistakes, otherwise="Compare it with the formula of hint 2.")
    again = logit(LOG_P[:2], LOG_Q[:2], *priors[::-1], LABELS[:2])
    swapped = given_label[:2] + np.log(PRIOR_Q / PRIOR_P)[LABELS[:2]]
    expect(again, swapped, "the best logit of 2 pairs, the priors exchanged")
    return "Two terms: is this x a likely one for its label, and is this label as frequent as it should be?"


best_logit = Exercise(
    name="best_logit",
    goal="Write the logit of the best D that is told the label: the log ratio of the two densities of pairs (x, y).",
    stub='''
def best_logit(log_p, log_q, prior_p, prior_q, labels):
    """log p(x|y) and log p_g(x|y) of n samples for each of K labels, both (n, K); p(y) and p_g(y), both (K,); the
    labels told, (n,). Returns n logits."""
    return ...
''',
    hints=(
        "The best logit is log p / p_g of whatever D sees. What does this D see? Then take one column a row.",
        "a*(x, y) = log p(x|y) - log p_g(x|y) + log p(y) - log p_g(y).",
        "    table = log_p - log_q + log(prior_p) - log(prior_q)\n"
        "    return entry [i, labels[i]] of each row i of the table",
    ),
    solution="""
def best_logit(log_p, log_q, prior_p, prior_q, labels):
    table = log_p - log_q + np.log(prior_p) - np.log(prior_q)
    return table[np.arange(len(labels)), labels]
""",
    check=check_best_logit,
    also_right=(
        """
@jax.jit
def best_logit(log_p, log_q, prior_p, prior_q, labels):
    told = jax.nn.one_hot(labels, log_p.shape[1])
    return jnp.sum(told * (log_p - log_q), axis=1) + jnp.log(prior_p / prior_q)[labels]
""",
        """
def best_logit(log_p, log_q, prior_p, prior_q, labels):
    return [float(log_p[i, y] - log_q[i, y] + np.log(prior_p[y] / prior_q[y])) for i, y in enumerate(labels)]
""",
    ),
    tempting=(
        Tempting(
            """
def best_logit(log_p, log_q, prior_p, prior_q, labels):
    return (log_p - log_q)[np.arange(len(labels)), labels]
""",
            "priors are missing",
        ),
        Tempting(
            """
def best_logit(log_p, log_q, prior_p, prior_q, labels):
    return jax.nn.logsumexp(log_p + np.log(prior_p), axis=1) - jax.nn.logsumexp(log_q + np.log(prior_q), axis=1)
""",
            "isn't told the label",
        ),
        Tempting(
            """
def best_logit(log_p, log_q, prior_p, prior_q, labels):
    p, q = jax.nn.log_softmax(log_p + np.log(prior_p)), jax.nn.log_softmax(log_q + np.log(prior_q))
    return (p - q)[np.arange(len(labels)), labels]
""",
            "what a classifier adds",
        ),
        Tempting(
            """
def best_logit(log_p, log_q, prior_p, prior_q, labels):
    return log_p - log_q + np.log(prior_p) - np.log(prior_q)
""",
            "one for every label",
        ),
        Tempting(
            """
def best_logit(log_p, log_q, prior_p, prior_q, labels):
    return (log_q - log_p + np.log(prior_q) - np.log(prior_p))[np.arange(len(labels)), labels]
""",
            "sign is turned",
        ),
    ),
)


# ---- projection ----

FEATURES = np.random.default_rng(11).normal(size=(4, 6))
EMBEDDINGS = np.random.default_rng(12).normal(size=(3, 6))
WEIGHTS = np.random.default_rng(13).normal(size=6)
TOLD = np.array([2, 0, 0, 1])


def check_projection_logit(logit):
    shared = FEATURES @ WEIGHTS
    own = np.sum(FEATURES * EMBEDDINGS[TOLD], axis=1)
    right = shared + own
    mistakes = [
        (own, "The part that all labels share is missing: features times weights, log p(x) / p_g(x)."),
        (shared, "The label plays no part: add the product of each sample's features and its label's embedding."),
        (shared + (FEATURES @ EMBEDDINGS.T).sum(axis=1), "All embeddings are added up: each sample has one label."),
        (shared + (FEATURES @ EMBEDDINGS[TOLD].T).sum(axis=1), "Each sample is multiplied with the labels of all the "
         "others: take the product row by row, not of matrices."),
        (shared + (FEATURES @ EMBEDDINGS.T).max(axis=1), "The best label is taken, not the one that is told."),
        (shared * own, "The two parts are added, not multiplied: they are logarithms."),
        (1 / (1 + np.exp(-right)), "That is D's probability; its logit is asked for."),
        (shared + own / np.sqrt(6), "No scaling: the network learns the size of the embeddings."),
        (shared + own / 6, "A scalar product is a sum; you took the mean."),
        (np.sum(FEATURES * EMBEDDINGS[TOLD] * WEIGHTS, axis=1), "The two vectors are multiplied; they are added: "
         "(e_y + w) times the features."),
        (shared + EMBEDDINGS[TOLD].sum(axis=1), "The label's vector is to be multiplied with the sample's features."),
    ]  # fmt: skip
    learnt = jax.numpy.asarray(EMBEDDINGS), jax.numpy.asarray(WEIGHTS)  # so that a `vmap` over samples may index them
    found = logit(FEATURES, TOLD, *learnt)
    if np.shape(found) == (4, 4):
        raise Wrong("4 logits are wanted, yours are 4 x 4: row i of the features goes with label i, and no other. "
                    "Multiply row by row, then sum along the row.")  # fmt: skip
    expect(found, right, "the logit", mistakes, otherwise="Compare it with the formula of hint 2.")
    other = shared[:3] + np.sum(FEATURES[:3] * EMBEDDINGS[[1, 1, 2]], axis=1)
    expect(logit(FEATURES[:3], np.array([1, 1, 2]), *learnt), other, "the logit of 3 others")
    return "The label enters in one product at the very end; everything before it is shared by all labels."


projection_logit = Exercise(
    name="projection_logit",
    goal="Write the last layer of a projection discriminator.",
    stub='''
def projection_logit(features, labels, embeddings, weights):
    """Features of n samples (n, f), their labels (n,), a vector for each label (K, f), and the weights of the part
    that all labels share (f,) come in; n logits go out."""
    return ...
''',
    hints=(
        "Two terms. One doesn't know the label; the other is the scalar product of a sample's features and the vector "
        "of its own label.",
        "a(x, y) = w . phi(x) + e_y . phi(x).",
        "    own = embeddings at labels, shape (n, f)\n"
        "    return features times weights, plus the sum along each row of features * own",
    ),
    solution="""
def projection_logit(features, labels, embeddings, weights):
    return features @ weights + (features * embeddings[labels]).sum(axis=1)
""",
    check=check_projection_logit,
    also_right=(
        """
@jax.jit
def projection_logit(features, labels, embeddings, weights):
    return jnp.einsum("nf,nf->n", jnp.asarray(features), jnp.asarray(embeddings)[labels] + weights)
""",
        """
def projection_logit(features, labels, embeddings, weights):
    every = features @ embeddings.T  # for each label
    return features @ weights + np.take_along_axis(every, labels[:, None], axis=1)[:, 0]
""",
    ),
    tempting=(
        Tempting(
            """
def projection_logit(features, labels, embeddings, weights):
    return (features * embeddings[labels]).sum(axis=1)
""",
            "all labels share is missing",
        ),
        Tempting(
            """
def projection_logit(features, labels, embeddings, weights):
    return features @ weights + (features @ embeddings.T).sum(axis=1)
""",
            "each sample has one label",
        ),
        Tempting(
            """
def projection_logit(features, labels, embeddings, weights):
    return (features @ weights)[:, None] + features @ embeddings[labels].T
""",
            "row by row",
        ),
        Tempting(
            """
def projection_logit(features, labels, embeddings, weights):
    return features @ weights + (features @ embeddings.T).max(axis=1)
""",
            "not the one that is told",
        ),
    ),
)


# ---- what a classifier's term asks for ----

PAIRS = np.array([[0.20, 0.10, 0.00, 0.05], [0.00, 0.15, 0.25, 0.25]])  # p_g(y, x): labels down, places across


def _xlogx(p):
    return np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0)


def _entropy(p):
    return float(-np.sum(_xlogx(np.asarray(p, np.float64))))


def check_label_entropy(entropy):
    at_x = PAIRS.sum(axis=0)
    each = np.array([_entropy(column / column.sum()) for column in PAIRS.T])
    right = float(at_x @ each)
    mistakes = [
        (_entropy(PAIRS.sum(axis=1)), "That is H(y), of the labels before x is seen."),
        (_entropy(PAIRS), "That is H(x, y), of the pairs; take away what x alone has, H(x)."),
        (_entropy(PAIRS) - _entropy(PAIRS.sum(axis=1)), "That is H(x|y): the table's other direction."),
        (_entropy(PAIRS.sum(axis=1)) - right, "That is the information I(x; y) = H(y) - H(y|x)."),
        (each.mean(), "Every place counts alike there; weigh each with p_g(x), how many samples it has."),
        (each.sum(), "The places are added up; weigh each with p_g(x), how many samples it has."),
        (-right, "The sign is turned: an entropy is not negative."),
        (right / np.log(2), "That is in bits; take the natural logarithm, for nats."),
        (_entropy(at_x), "That is H(x), of the places; what is asked for is how unsure the label is there."),
        (
            right / PAIRS.size,
            "A mean over the table's entries divides by their number. The entries are the weights: add.",
        ),
    ]
    found = entropy(PAIRS)
    if np.shape(found) == at_x.shape:
        raise Wrong("One number for each place; weigh each with p_g(x), how many samples it has, and add them up.")
    if np.size(found) == 1 and np.isnan(np.asarray(found, np.float64)).any():
        raise Wrong("It is NaN: 0 log 0 counts as 0, and a computer says NaN. Take the logarithm of positive entries "
                    "alone, or use `scipy.special.xlogy`.")  # fmt: skip
    expect(found, right, "H(y|x)", mistakes, otherwise="Compare it with the formula of hint 2.")
    sure, unsure = np.eye(3) / 3, np.full((3, 5), 1 / 15)
    expect(entropy(sure), 0.0, "H(y|x) where every x has one label")
    expect(entropy(unsure), np.log(3), "H(y|x) where x says nothing about 3 labels")
    return "0 where every x belongs to one label. G's classifier term pays it: so G keeps away from where labels meet."


label_entropy = Exercise(
    name="label_entropy",
    goal="Write the conditional entropy H(y|x) of a table of pairs: how unsure the best classifier is, on average.",
    stub='''
def label_entropy(joint):
    """A table (K, m) of probabilities comes in: joint[y, x], all together 1, some of them 0. H(y|x) goes out, in
    nats."""
    return ...
''',
    hints=(
        "At a place x the labels have shares p(y|x). Take the entropy of those, then the mean over x. Or: what pairs "
        "have, less what x has.",
        "H(y|x) = - sum over y, x of p(y, x) log p(y|x), with p(y|x) = p(y, x) / p(x); 0 log 0 is 0.",
        "    at_x = sum of joint over the labels, shape (m,)\n"
        "    entropy of a table = - sum of p log p over its positive entries\n"
        "    return entropy of joint - entropy of at_x",
    ),
    solution="""
def label_entropy(joint):
    def entropy(p):
        return -np.sum(p[p > 0] * np.log(p[p > 0]))

    return entropy(joint) - entropy(joint.sum(axis=0))
""",
    check=check_label_entropy,
    also_right=(
        """
from scipy.special import xlogy
def label_entropy(joint):
    return -xlogy(joint, joint / joint.sum(axis=0)).sum()
""",
        """
@jax.jit
def label_entropy(joint):
    safe = jnp.where(joint > 0, joint, 1.0)
    shares = jnp.where(joint > 0, joint, 0.0) / joint.sum(axis=0)
    return -jnp.sum(joint.sum(axis=0) * jnp.sum(shares * jnp.log(safe / joint.sum(axis=0)), axis=0))
""",
    ),
    tempting=(
        Tempting(
            """
def label_entropy(joint):
    shares = joint.sum(axis=1)
    return -np.sum(shares * np.log(shares))
""",
            "That is H(y)",
        ),
        Tempting(
            """
def label_entropy(joint):
    p = joint[joint > 0]
    return -np.sum(p * np.log(p))
""",
            "That is H(x, y)",
        ),
        Tempting(
            """
from scipy.special import xlogy
def label_entropy(joint):
    return -xlogy(joint, joint / joint.sum(axis=1, keepdims=True)).sum()
""",
            "other direction",
        ),
        Tempting(
            """
from scipy.special import entr
def label_entropy(joint):
    return entr(joint / joint.sum(axis=0)).sum(axis=0).mean()
""",
            "Every place counts alike",
        ),
        Tempting(
            """
def label_entropy(joint):
    with np.errstate(all="ignore"):
        return -np.sum(joint * np.log(joint / joint.sum(axis=0)))
""",
            "0 log 0",
        ),
    ),
)


# ---- InfoGAN's bound ----

CODES = np.array([[0.30, 0.05, 0.05], [0.02, 0.28, 0.30]])  # p(c, x)
GUESS = np.array([[0.80, 0.30, 0.20], [0.20, 0.70, 0.80]])  # Q(c|x)


def check_information_bound(bound):
    of_code = CODES.sum(axis=1)
    reward = float(np.sum(CODES * np.log(GUESS)))
    right = _entropy(of_code) + reward
    exact = _entropy(of_code) + _entropy(CODES.sum(axis=0)) - _entropy(CODES)
    mistakes = [
        (reward, "H(c) is missing: the guess's mean logarithm alone is negative, an information never is."),
        (exact, "That is I(c; x) itself, from the true p(c|x): Q is not used, and G's true posterior is not known."),
        (_entropy(of_code) - reward, "The sign of the second term is turned: a surer right guess raises the bound."),
        (
            _entropy(of_code) + np.log(np.sum(CODES * GUESS)),
            "That is the logarithm of a mean; the mean of logarithms is asked for.",
        ),
        (
            _entropy(of_code) + np.log(GUESS).mean(),
            "All entries count alike; weigh each with p(c, x), how often it comes up.",
        ),
        (
            _entropy(of_code) + float(np.sum(CODES / CODES.sum(axis=1, keepdims=True) * np.log(GUESS))),
            "Weigh with p(c, x), not with p(x|c): rare codes count less.",
        ),
        (right / np.log(2), "That is in bits; take the natural logarithm, for nats."),
        (_entropy(CODES.sum(axis=0)) + reward, "You began with H(x): sum the table over x, axis 1, for p(c)."),
        (_entropy(CODES) + reward, "You began with H(c, x), of the pairs: sum the table over x first, for p(c)."),
        (reward - _entropy(of_code), "The sign of H(c) is turned: an entropy is minus the sum of p log p."),
        (-_entropy(CODES) - reward, "That is a distance between the pairs and Q; the bound is H(c) + E log Q."),
        (
            _entropy(of_code) + float(np.sum(GUESS * np.log(GUESS))),
            "Weigh log Q with p(c, x), not with Q itself: the mean goes over what really comes up.",
        ),
        (np.log(2) + reward, "log 2 is H(c) of two codes of one half each; these two are not equally frequent."),
    ]
    expect(bound(CODES, GUESS), right, "the bound", mistakes, otherwise="Compare it with the formula of hint 2.")
    best = CODES / CODES.sum(axis=0)
    expect(bound(CODES, best), exact, "the bound with the best guess, Q = p(c|x)")
    even = np.full((3, 2), 1 / 6)
    expect(bound(even, np.full((3, 2), 1 / 3)), 0.0, "the bound where x says nothing about c")
    return f"With Q = p(c|x) it is I(c; x) = {exact:.4f} itself; with this Q it is {right:.4f}, below it."


information_bound = Exercise(
    name="information_bound",
    goal="Write InfoGAN's lower bound on the information between code and sample.",
    stub='''
def information_bound(joint, guess):
    """p(c, x), shape (codes, m), all together 1, and the guess Q(c|x), same shape, each column 1, come in; the bound,
    in nats, goes out."""
    return ...
''',
    hints=(
        "Two terms: how much there is to find out about c, and how well Q finds it out from x.",
        "L = H(c) + E log Q(c|x), with H(c) = - sum p(c) log p(c) and the mean over pairs (c, x).",
        "    of_code = sum of joint over x, shape (codes,)\n"
        "    entropy = - sum of of_code * log(of_code)\n"
        "    return entropy + sum of joint * log(guess)",
    ),
    solution="""
def information_bound(joint, guess):
    of_code = joint.sum(axis=1)
    return -np.sum(of_code * np.log(of_code)) + np.sum(joint * np.log(guess))
""",
    check=check_information_bound,
    also_right=(
        """
@jax.jit
def information_bound(joint, guess):
    joint = jnp.asarray(joint)
    return jax.scipy.special.entr(joint.sum(axis=1)).sum() + jnp.sum(joint * jnp.log(guess))
""",
        """
def information_bound(joint, guess):
    total = 0.0
    for c in range(joint.shape[0]):
        for x in range(joint.shape[1]):
            total += joint[c, x] * np.log(guess[c, x] / joint[c].sum())
    return total
""",
    ),
    tempting=(
        Tempting(
            """
def information_bound(joint, guess):
    return np.sum(joint * np.log(guess))
""",
            "H(c) is missing",
        ),
        Tempting(
            """
def information_bound(joint, guess):
    return np.sum(joint * np.log(joint / joint.sum(axis=1, keepdims=True) / joint.sum(axis=0)))
""",
            "Q is not used",
        ),
        Tempting(
            """
def information_bound(joint, guess):
    of_code = joint.sum(axis=1)
    return -np.sum(of_code * np.log(of_code)) + np.log(np.sum(joint * guess))
""",
            "logarithm of a mean",
        ),
        Tempting(
            """
def information_bound(joint, guess):
    return np.log(len(joint)) + np.sum(joint * np.log(guess))
""",
            "not equally frequent",
        ),
    ),
)


# ---- a path on the sphere ----


def _arc(start, end, t):
    cosine = start @ end / (np.linalg.norm(start) * np.linalg.norm(end))
    angle = np.arccos(np.clip(cosine, -1, 1))
    return _turned(start, end, t, angle)


def _turned(start, end, t, angle):
    return (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle)


def check_spherical(path):
    ends = np.random.default_rng(14).normal(size=(2, 50))
    for start, end in (ends, ends[::-1] * np.array([[1.0], [1.5]])):
        for t in (0.3, 0.5):
            straight, right = (1 - t) * start + t * end, _arc(start, end, t)
            cosine = start @ end / (np.linalg.norm(start) * np.linalg.norm(end))
            angle = np.arccos(cosine)
            unit = _arc(start / np.linalg.norm(start), end / np.linalg.norm(end), t)
            size = (1 - t) * np.linalg.norm(start) + t * np.linalg.norm(end)
            mistakes = [
                (straight, "That is the straight path: at the middle its norm is about 0.7 of the ends'."),
                (straight / np.linalg.norm(straight), "That is a unit vector: the ends have norm 7 or so."),
                (unit, "That is a unit vector: normalise for the angle alone, and mix the latents as they are."),
                (
                    straight / np.linalg.norm(straight) * size,
                    "The straight path, stretched to the shell: the right place only at t = 1/2, elsewhere it does "
                    "not turn at a constant rate.",
                ),
                (_arc(start, end, 1 - t), "At t = 0 it should stand at z0: exchange the two weights."),
                (
                    np.cos(t * np.pi / 2) * start + np.sin(t * np.pi / 2) * end,
                    "That takes the two for perpendicular. Nearly so in high dimension, but use their angle.",
                ),
                (right * np.sin(angle), "The division by sin w is missing."),
                (
                    np.sin((1 - t) * angle) * start + np.sin(t * angle) * end / np.sin(angle),
                    "Only the second term is divided by sin w: put the sum in parentheses.",
                ),
                (_turned(start, end, t, np.degrees(angle)), "`np.sin` takes radians: leave out the degrees."),
                (_turned(start, end, t, cosine), "w is the angle, the arccos of this; you used its cosine."),
                (
                    np.sqrt(1 - t) * start + np.sqrt(t) * end,
                    "Those weights keep the length, but they don't turn at a constant rate.",
                ),
            ]
            with np.errstate(all="ignore"):
                found = path(start, end, t)
            if np.size(found) == start.size and np.isnan(np.asarray(found, np.float64)).any():
                raise Wrong("It is NaN. The cosine is the scalar product divided by both norms; undivided it lies far "
                            "outside [-1, 1].")  # fmt: skip
            expect(found, right, f"z at t = {t}", mistakes, otherwise="Compare it with the formula of hint 2.")
    for t, end in ((0.0, ends[0]), (1.0, ends[1])):
        expect(path(ends[0], ends[1], t), end, f"z at t = {t:g}", otherwise="It should be the end itself.")
    return "At every t it is about as long as its ends: it stays where G has been trained."


spherical = Exercise(
    name="spherical",
    goal="Write the spherical path between two latents: it turns at a constant rate and keeps the norm.",
    stub='''
def spherical(z0, z1, t):
    """Two latents of shape (d,) and a number t from 0 to 1 come in; the latent at t, shape (d,), goes out."""
    return ...
''',
    hints=(
        "First the angle between the two latents. Then each gets a weight that is a quotient of sines.",
        "cos w = z0 . z1 / (|z0| |z1|); z(t) = (sin((1 - t) w) z0 + sin(t w) z1) / sin w.",
        "    cosine = scalar product of z0 and z1, divided by both norms\n"
        "    angle = arccos(cosine)\n"
        "    return (sin((1 - t) angle) z0 + sin(t angle) z1) / sin(angle)",
    ),
    solution="""
def spherical(z0, z1, t):
    angle = np.arccos(z0 @ z1 / (np.linalg.norm(z0) * np.linalg.norm(z1)))
    return (np.sin((1 - t) * angle) * z0 + np.sin(t * angle) * z1) / np.sin(angle)
""",
    check=check_spherical,
    also_right=(
        """
from gan_jax import latents
def spherical(z0, z1, t):
    return latents.interpolate(z0, z1, t, kind="spherical")
""",
        """
@jax.jit
def spherical(z0, z1, t):
    z0, z1 = jnp.asarray(z0), jnp.asarray(z1)
    u, v = z0 / jnp.linalg.norm(z0), z1 / jnp.linalg.norm(z1)
    angle = 2 * jnp.arctan2(jnp.linalg.norm(u - v), jnp.linalg.norm(u + v))
    weights = jnp.sin(jnp.stack([1 - t, t]) * angle) / jnp.sin(angle)
    return weights @ jnp.stack([z0, z1])
""",
    ),
    tempting=(
        Tempting(
            """
def spherical(z0, z1, t):
    return (1 - t) * z0 + t * z1
""",
            "straight path",
        ),
        Tempting(
            """
def spherical(z0, z1, t):
    z = (1 - t) * z0 + t * z1
    return z / np.linalg.norm(z) * ((1 - t) * np.linalg.norm(z0) + t * np.linalg.norm(z1))
""",
            "stretched to the shell",
        ),
        Tempting(
            """
def spherical(z0, z1, t):
    z0, z1 = z0 / np.linalg.norm(z0), z1 / np.linalg.norm(z1)
    angle = np.arccos(z0 @ z1)
    return (np.sin((1 - t) * angle) * z0 + np.sin(t * angle) * z1) / np.sin(angle)
""",
            "a unit vector",
        ),
        Tempting(
            """
def spherical(z0, z1, t):
    angle = np.arccos(z0 @ z1)
    return (np.sin((1 - t) * angle) * z0 + np.sin(t * angle) * z1) / np.sin(angle)
""",
            "divided by both norms",
        ),
        Tempting(
            """
def spherical(z0, z1, t):
    angle = np.arccos(z0 @ z1 / (np.linalg.norm(z0) * np.linalg.norm(z1)))
    return (np.sin(t * angle) * z0 + np.sin((1 - t) * angle) * z1) / np.sin(angle)
""",
            "exchange the two weights",
        ),
    ),
)


# ---- truncation ----


def check_truncated_latents(draw):
    key = jax.random.key(10)
    found = to_array(draw(key, 2000, 10, 0.7), "the latents", (2000, 10))
    if np.ptp(found) == 0:
        raise Wrong("All numbers are the same one: has `truncated_normal` got its lower end first, -threshold?")
    if not np.array_equal(found, to_array(draw(key, 2000, 10, 0.7), "the latents", (2000, 10))):
        raise Wrong("Asked twice with one key, they differ: draw with `jax.random` and the key that is given.")
    if np.array_equal(found, to_array(draw(jax.random.key(11), 2000, 10, 0.7), "the latents", (2000, 10))):
        raise Wrong("Another key gives the same latents: begin with the key that is given.")
    largest = np.abs(found).max()
    if largest > 0.7 + 1e-6:
        raise Wrong(f"A number of size {largest:.3g} is left; none should exceed the threshold, 0.7.")
    at_the_ends = np.mean(np.abs(found) > 0.7 - 1e-6)
    if at_the_ends > 0.01:
        raise Wrong(f"{at_the_ends:.0%} of the numbers sit at the threshold itself: cut off, not drawn anew. G has "
                    "never seen so many of one value.")  # fmt: skip
    if np.mean(found == 0) > 0.01:
        raise Wrong(f"{np.mean(found == 0):.0%} of the numbers are exactly 0: set to 0, not drawn anew.")
    if len(np.unique(found)) < 0.5 * found.size:
        raise Wrong("Many numbers come up twice or more: does each new draw get a key of its own?")
    if abs(found.mean()) > 0.02:
        raise Wrong(f"Their mean is {found.mean():.2f}; it should be 0, both sides are cut alike.")
    variance, wide = 0.15475, float(to_array(draw(key, 4000, 10, 2.0), "the latents", (4000, 10)).var())
    if abs(wide - 4 / 3) < 0.05:
        raise Wrong("They are uniform on [-threshold, threshold]; a normal distribution with cut tails is wanted.")
    if abs(found.var() - variance) > 0.004 or abs(wide - 0.7737) > 0.03:
        raise Wrong(f"At thresholds 0.7 and 2 the variances should be 0.155 and 0.774; yours are {found.var():.3f} and "
                    f"{wide:.3f}: not N(0, 1) with the tails cut, but another shape.")  # fmt: skip
    return "N(0, 1) with its tails cut, in every place: variance 0.155 at 0.7, 0.774 at 2."


truncated_latents = Exercise(
    name="truncated_latents",
    goal="Draw truncated latents: N(0, 1) in each place, given that it lies in [-threshold, threshold].",
    stub='''
def truncated_latents(key, n, dim, threshold):
    """A random key, two counts and a positive threshold come in; latents of shape (n, dim) go out."""
    return ...
''',
    hints=(
        "Not cut off: drawn anew, until it lies inside. There is a function in `jax.random` that draws from exactly "
        "this distribution.",
        "z = F^-1(u), with F the distribution function of N(0, 1) and u uniform on [F(-threshold), F(threshold)]; or "
        "`jax.random.truncated_normal(key, low, high, shape)`.",
        "    return truncated_normal(key, -threshold, threshold, shape (n, dim))",
    ),
    solution="""
def truncated_latents(key, n, dim, threshold):
    return jax.random.truncated_normal(key, -threshold, threshold, (n, dim))
""",
    check=check_truncated_latents,
    also_right=(
        """
from scipy.stats import norm
def truncated_latents(key, n, dim, threshold):
    u = np.asarray(jax.random.uniform(key, (n, dim)), np.float64)
    low, high = norm.cdf(-threshold), norm.cdf(threshold)
    return norm.ppf(low + (high - low) * u)
""",
        """
def truncated_latents(key, n, dim, threshold):
    z = jax.random.normal(key, (n, dim))
    while (jnp.abs(z) > threshold).any():
        key, fresh = jax.random.split(key)
        z = jnp.where(jnp.abs(z) > threshold, jax.random.normal(fresh, (n, dim)), z)
    return z
""",
    ),
    tempting=(
        Tempting(
            """
def truncated_latents(key, n, dim, threshold):
    return jnp.clip(jax.random.normal(key, (n, dim)), -threshold, threshold)
""",
            "cut off, not drawn anew",
        ),
        Tempting(
            """
def truncated_latents(key, n, dim, threshold):
    return threshold * jax.random.normal(key, (n, dim))
""",
            "none should exceed",
        ),
        Tempting(
            """
def truncated_latents(key, n, dim, threshold):
    return jax.random.uniform(key, (n, dim), minval=-threshold, maxval=threshold)
""",
            "uniform",
        ),
        Tempting(
            """
def truncated_latents(key, n, dim, threshold):
    z = jax.random.normal(key, (n, dim))
    return jnp.where(jnp.abs(z) > threshold, 0.0, z)
""",
            "set to 0",
        ),
        Tempting(
            """
def truncated_latents(key, n, dim, threshold):
    z = jax.random.normal(key, (n, dim))
    return threshold * z / jnp.max(jnp.abs(z))
""",
            "another shape",
        ),
    ),
)


# ---- break it: labels as planes of an image ----


def check_label_planes(join):
    images = np.random.default_rng(15).normal(size=(3, 4, 5, 1)).astype(np.float32)
    labels = np.array([2, 0, 3])
    right = np.concatenate([images, np.broadcast_to(np.eye(4)[labels][:, None, None], (3, 4, 5, 4))], axis=3)
    found = join(images, labels, 4)
    shape = np.shape(found)
    if shape == (3, 4, 5, 2):
        raise Wrong("One plane with the label's number in it: label 3 is no three times label 1. One plane a class.")
    if shape == (3, 4, 5, 4):
        raise Wrong("The planes alone, or the planes in place of the image: it has 1 + 4 channels, the image first.")
    array = to_array(found, "image and planes", right.shape)
    if not np.allclose(array[..., :1], images):
        raise Wrong("The first channel is not the image: join the planes behind it, along the last axis.")
    planes = array[..., 1:]
    if np.allclose(planes, images * np.eye(4)[labels][:, None, None], atol=1e-5):
        raise Wrong("The label's plane holds the image again; it should be 1 at every pixel.")
    if not np.allclose(planes, planes[:, :1, :1]):
        raise Wrong("A plane is not of one value: a reshape has scrambled it, ones and zeros in stripes. Each sample's "
                    "one-hot vector is to be repeated at every pixel: insert two axes, then broadcast.")  # fmt: skip
    if np.allclose(planes.sum(axis=3), 4):
        raise Wrong("Every plane is full: of K planes one should be 1, the label's, and the others 0.")
    mistakes = [
        (np.roll(planes, 1, axis=0), "The labels stand at their neighbours' images."),
        (right[..., 1:][..., ::-1], "The planes are in the reverse order."),
        (np.roll(right[..., 1:], -1, axis=3), "One plane too early: labels begin at 0, and so do planes."),
        (np.roll(right[..., 1:], 1, axis=3), "One plane too late: labels begin at 0, and so do planes."),
        (
            np.broadcast_to(labels[:, None, None, None], planes.shape),
            "Every plane holds the label's number. One plane should be 1, the label's, and the others 0.",
        ),
        (2 * right[..., 1:] - 1, "The planes of the other classes are -1; they should be 0."),
    ]
    expect(
        planes, right[..., 1:], "the set of planes", mistakes, otherwise="Plane labels[i] of sample i is 1, the rest 0."
    )
    more = join(images[:2], np.array([1, 1]), 2)
    expect(np.asarray(more)[..., 1:], np.broadcast_to([0.0, 1.0], (2, 4, 5, 2)), "the planes of 2 classes")
    return "At every pixel the same one-hot vector: a convolution sees the label wherever it looks."


label_planes = Exercise(
    name="label_planes",
    goal="Repair it: join an image with one plane for each class, full of ones for its own label and of zeros for "
    "the others.",
    stub='''
def label_planes(images, labels, classes):
    """Images (n, height, width, channels) and labels (n,) come in; (n, height, width, channels + classes) goes out."""
    return ...
''',
    hints=(
        "A one-hot vector for each sample has shape (n, classes). It wants to be the same at every pixel: which axes "
        "are missing, and where?",
        "planes[i, r, c, k] = 1 if labels[i] = k else 0; [images, planes] along the last axis.",
        "    told = one_hot(labels, classes), shape (n, classes)\n"
        "    planes = told with two axes inserted, broadcast to (n, height, width, classes)\n"
        "    return images and planes, concatenated along the last axis",
    ),
    solution="""
def label_planes(images, labels, classes):
    told = jax.nn.one_hot(labels, classes)
    planes = jnp.broadcast_to(told[:, None, None, :], (*images.shape[:3], classes))
    return jnp.concatenate([images, planes], axis=3)
""",
    check=check_label_planes,
    also_right=(
        """
def label_planes(images, labels, classes):
    n, height, width, _ = images.shape
    planes = np.zeros((n, height, width, classes), np.float32)
    planes[np.arange(n), :, :, labels] = 1.0
    return np.concatenate([images, planes], axis=-1)
""",
        """
def label_planes(images, labels, classes):
    def one(image, label):
        plane = jnp.ones((*image.shape[:2], 1)) * (jnp.arange(classes) == label)
        return jnp.concatenate([image, plane], axis=2)
    return jax.vmap(one)(jnp.asarray(images), jnp.asarray(labels))
""",
    ),
    tempting=(
        Tempting(
            """
def label_planes(images, labels, classes):
    n, height, width, _ = images.shape
    told = jnp.repeat(jax.nn.one_hot(labels, classes), height * width, axis=1)
    return jnp.concatenate([images, told.reshape(n, height, width, classes)], axis=3)
""",
            "scrambled",
        ),
        Tempting(
            """
def label_planes(images, labels, classes):
    plane = jnp.broadcast_to(jnp.asarray(labels)[:, None, None, None] / classes, (*images.shape[:3], 1))
    return jnp.concatenate([images, plane], axis=3)
""",
            "One plane a class",
        ),
        Tempting(
            """
def label_planes(images, labels, classes):
    told = jax.nn.one_hot(labels, classes)
    return images + told[:, None, None, :]
""",
            "in place of the image",
        ),
        Tempting(
            """
def label_planes(images, labels, classes):
    planes = jnp.ones((*images.shape[:3], classes))
    return jnp.concatenate([images, planes], axis=3)
""",
            "Every plane is full",
        ),
    ),
)


# ---- stretch: a direction ----


def check_latent_direction(find):
    rng = np.random.default_rng(16)
    z = rng.normal(size=(4000, 3)) + np.array([0.0, 0.5, 0.0])
    score = z @ np.array([1.0, 0.0, 2.0]) + 3.0 + 0.1 * rng.normal(size=4000)
    covariance = (score - score.mean()) @ (z - z.mean(axis=0))
    right = covariance / np.linalg.norm(covariance)
    unit = lambda v: v / np.linalg.norm(v)  # noqa: E731
    high = score > np.median(score)
    mistakes = [
        (-right, "It points to where the score falls."),
        (covariance, "Divide by its norm: a unit vector is asked for."),
        (covariance / len(z), "Divide by its norm: a unit vector is asked for."),
        (covariance / (len(z) - 1), "Divide by its norm: a unit vector is asked for."),
        (unit(score @ z), "Take the means away first: without that a mean of z other than 0 adds a part of its own."),
        (unit(z[high].mean(axis=0)), "That is the mean of the high ones; take the mean of the low ones away."),
        (unit(z[score.argmax()]), "One latent alone is mostly chance; use them all."),
        (unit(z[score.argmax()] - z[score.argmin()]), "Two latents alone are mostly chance; use them all."),
    ]
    found = to_array(find(z, score), "the direction", (3,))
    halves = (high, score > score.mean())
    if any(np.allclose(found, unit(z[up].mean(axis=0) - z[~up].mean(axis=0)), atol=1e-3) for up in halves):
        raise Wrong("The difference of two means throws away how high a score is; take the covariance.")
    slope = np.linalg.lstsq(z - z.mean(axis=0), score - score.mean(), rcond=None)[0]
    mistakes += [
        (
            slope,
            "That is the slope of a regression: near the covariance for z from N(0, I). Take that, as a unit vector.",
        ),
        (unit(slope), "That is the slope of a regression: near the covariance for z from N(0, I), and not quite it."),
    ]
    expect(found, right, "the direction", mistakes, otherwise="Compare it with hint 2.", tolerance=2e-3)
    told = rng.normal(size=(500, 4))
    has = (told[:, 1] > 0.3).astype(float)
    means = unit(told[has == 1].mean(axis=0) - told[has == 0].mean(axis=0))
    expect(find(told, has), means, "the direction of a yes or no", tolerance=2e-3)
    return "For a yes or no it is the difference of the two means, the `man with glasses - man` of the DCGAN paper."


latent_direction = Exercise(
    name="latent_direction",
    goal="Find the direction in which a score of the samples rises.",
    stub='''
def latent_direction(z, score):
    """Latents (n, d) and one number for each sample (n,) come in; a unit vector (d,) goes out."""
    return ...
''',
    hints=(
        "Stein's lemma: for z from N(0, I) the mean of s(z) z is the mean gradient of s.",
        "d is proportional to the sum of (s_i - mean s)(z_i - mean z).",
        "    centre the score and the latents\n"
        "    total = sum over samples of score times latent\n"
        "    return total divided by its norm",
    ),
    solution="""
def latent_direction(z, score):
    total = (score - score.mean()) @ (z - z.mean(axis=0))
    return total / np.linalg.norm(total)
""",
    check=check_latent_direction,
    also_right=(
        """
from gan_jax import latents
def latent_direction(z, score):
    return latents.direction(z, score)
""",
        """
def latent_direction(z, score):
    total = np.array([np.cov(column, score)[0, 1] for column in np.asarray(z).T])
    return jnp.asarray(total / np.sqrt(np.sum(total**2)))
""",
    ),
    tempting=(
        Tempting(
            """
def latent_direction(z, score):
    total = score @ z
    return total / np.linalg.norm(total)
""",
            "Take the means away",
        ),
        Tempting(
            """
def latent_direction(z, score):
    return (score - score.mean()) @ (z - z.mean(axis=0)) / len(z)
""",
            "Divide by its norm",
        ),
        Tempting(
            """
def latent_direction(z, score):
    high = score > np.median(score)
    total = z[high].mean(axis=0)
    return total / np.linalg.norm(total)
""",
            "mean of the high ones",
        ),
        Tempting(
            """
def latent_direction(z, score):
    total = z[score.argmax()] - z[score.argmin()]
    return total / np.linalg.norm(total)
""",
            "mostly chance",
        ),
    ),
    stretch=True,
)


QUIZ = (
    Question(
        "who_is_told",
        "G is told the label, D is not. What will G do with it?",
        (
            Choice(
                "Draw the right class: it has been told.", "nobody rewards that; a 3 for the label 7 costs G nothing."
            ),
            Choice(
                "Whatever it likes: D can't tell a right pair from a wrong one.",
                "D sees x alone, so V depends on the mixture of all labels and not on who made what.",
                right=True,
            ),
            Choice("Fail to train.", "it trains as a plain GAN does, with a few more numbers in its noise."),
        ),
    ),
    Question(
        "why_projection",
        "Why may the label enter a projection discriminator as one scalar product at the end?",
        (
            Choice("It is cheaper; nothing else speaks for it.", "it is cheap, but there is a reason for its form."),
            Choice(
                "Because log p(y|x) - log p_g(y|x) has that form when both are softmaxes of one set of features.",
                "the normalisers depend on x alone and join the shared part; what is left is linear in a vector of y.",
                right=True,
            ),
            Choice(
                "Because every log ratio is linear in a one-hot label.",
                "so it is, but with a different function of x for each label; the features are shared here.",
            ),
        ),
    ),
    Question(
        "acgan_border",
        "Two classes overlap. With a heavy classifier term G's samples keep away from where they meet. Why?",
        (
            Choice("D rejects samples there.", "real samples lie there as well: D, by itself, wants them back."),
            Choice(
                "A sample there costs G the classifier's doubt, though real ones are just as doubtful.",
                "the term adds H(y|x) of G's samples to what G minimises; its least value is not at p.",
                right=True,
            ),
            Choice("The classifier is badly trained.", "the better it is, the better it says who keeps away."),
        ),
    ),
    Question(
        "infogan_names",
        "An InfoGAN with a code of 10 categories has learnt digits. Code 3 draws...",
        (
            Choice("...threes.", "it never saw a label: which code goes with what is chance, and differs by seed."),
            Choice(
                "...whatever code 3 came to mean: perhaps mostly one digit, perhaps a way of writing.",
                "the bound asks that c can be read off x, not that it means what we would have named.",
                right=True,
            ),
            Choice(
                "...anything: a code without labels has no effect.", "then Q could not read it, and the bound were 0."
            ),
        ),
    ),
    Question(
        "shell",
        "d = 100. What is odd about a latent of norm 7?",
        (
            Choice("Nothing: 0 is the most likely latent.", "its density is highest, but hardly any volume is there."),
            Choice(
                "It is rare: nearly all latents have norms from 8.5 to 11.5.",
                "the norm is 9.97 on average with a deviation of 0.71; 7 lies four deviations below.",
                right=True,
            ),
            Choice("G can't be asked there.", "G answers anywhere; only it has not been trained there."),
        ),
    ),
)

LESSON = Source(
    name="10_conditional_and_latent",
    given=GIVEN,
    exercises=(
        best_logit,
        projection_logit,
        label_entropy,
        information_bound,
        spherical,
        truncated_latents,
        label_planes,
        latent_direction,
    ),
    quiz=QUIZ,
)
