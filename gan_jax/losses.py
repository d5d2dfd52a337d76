"""Logits of real and fake samples come in; the players' losses, both to be minimised, and what is added to them go out.

A logit is the discriminator's output before any sigmoid: `D(x) = sigmoid(logit)`. Writing every loss on logits
through `softplus(a) = log(1 + e^a)` keeps value and gradient finite where `log(sigmoid(a))` is -inf.

Under each loss stand its two terms, the logit a* that serves D best at the log ratio `u = log p - log p_g`, and what a
step of G against a* descends; `theory.optimal_output` and `theory.driven_by` compute both.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import softplus
from jaxtyping import Array, Float, Int32, Key

from .errors import Menu, check_count

Logits = Float[Array | np.ndarray, " n"]
Scalar = Float[Array, ""]


class Loss(NamedTuple):
    """A GAN objective: a pair of pure functions of `(real_logits, fake_logits)`, both of shape (n,), both minimised.

    Attributes:
        discriminator: what D minimises; a scalar.
        generator: what G minimises; a scalar. Relativistic losses need the real logits here too.
        name: for labels.
        has_labels: D's term pulls real logits towards a label, so one-sided label smoothing has a meaning.
    """

    discriminator: Callable[[Logits, Logits], Scalar]
    generator: Callable[[Logits, Logits], Scalar]
    name: str = "custom"
    has_labels: bool = False


def _cross_entropy(real: Logits, fake: Logits) -> Scalar:
    # -log D(x) = softplus(-a), -log(1 - D(x)) = softplus(a)
    return jnp.mean(softplus(-real)) + jnp.mean(softplus(fake))


def _exp(x: Logits) -> Logits:
    """e^x, continued above x = 30 by its tangent: still convex and increasing, and finite at any float32 logit."""
    return jnp.exp(jnp.minimum(x, 30.0)) * (1 + jnp.maximum(x - 30.0, 0.0))


minimax = Loss(_cross_entropy, lambda real, fake: -jnp.mean(softplus(fake)), "minimax", True)
"""The original game: `D: -E log D(x) - E log(1 - D(G(z)))`, `G: E log(1 - D(G(z)))`, which saturates: the gradient
that reaches G at fake logit a is `-sigmoid(a)`, nothing when D is sure. Best logit `a* = u`; G descends `2 JSD`.
Goodfellow et al. 2014, equation 1, proposition 1 and theorem 1."""

nonsaturating = Loss(_cross_entropy, lambda real, fake: jnp.mean(softplus(-fake)), "non-saturating", True)
"""`G: -E log D(G(z))`, D as in `minimax`; the gradient at fake logit a is `-(1 - sigmoid(a))`. Best logit `a* = u`;
G descends `KL(p_g || p) - 2 JSD`. Goodfellow et al. 2014, section 3; Arjovsky and Bottou 2017, theorem 2.5."""

least_squares = Loss(
    lambda real, fake: 0.5 * jnp.mean((real - 1) ** 2) + 0.5 * jnp.mean(fake**2),
    lambda real, fake: 0.5 * jnp.mean((fake - 1) ** 2),
    "least squares",
    True,
)
"""`D: E (D(x) - 1)^2 / 2 + E D(G(z))^2 / 2`, `G: E (D(G(z)) - 1)^2 / 2`; the logit itself is D's answer, best
`a* = p / (p + p_g)`. G descends `KL(p || (p + p_g) / 2) - Δ / 8`, `Δ = int (p - p_g)^2 / (p + p_g)`, which is Pearson's
chi2 between p + p_g and 2 p_g; `Δ / 2` is what the objective is worth at D* with labels b - c = 1, b - a = 2.
Mao et al. 2017, section 3.2.2 and equation 9; G's descent: `theory.least_squares_descent`."""

wasserstein = Loss(
    lambda real, fake: jnp.mean(fake) - jnp.mean(real), lambda real, fake: -jnp.mean(fake), "Wasserstein"
)
"""`D: E D(G(z)) - E D(x)`, `G: -E D(G(z))`; the critic must be held Lipschitz by clipping or a penalty: without a bound
no answer is best. Held 1-Lipschitz, the best is `theory.kantorovich_potential`, and G descends `W_1(p, p_g)`.
Arjovsky et al. 2017, equations 2 and 3, theorem 3."""

hinge = Loss(
    lambda real, fake: jnp.mean(jax.nn.relu(1 - real)) + jnp.mean(jax.nn.relu(1 + fake)),
    lambda real, fake: -jnp.mean(fake),
    "hinge",
)
"""`D: E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))`, `G: -E D(G(z))`. Best answer `a* = sign(u)`, any from -1 to 1
where u = 0; G descends `2 TV`, `TV = int |p - p_g| / 2`. Lim and Ye 2017; Miyato et al. 2018, equations 16 and 17."""

relativistic = Loss(
    lambda real, fake: jnp.mean(softplus(fake - real)),
    lambda real, fake: jnp.mean(softplus(real - fake)),
    "relativistic pairing",
)
"""RpGAN: each real logit is paired with one fake logit, `D: E log(1 + e^(fake - real))`, G the reverse. Best logit
`a* = u`, up to a constant; G descends `KL(p_g || p) - JSD(p x p_g, p_g x p)`, the second between pairs.
Jolicoeur-Martineau 2019; Huang et al. 2024 (R3GAN), equation 2; both from the pair's posterior, `theory.driven_by`."""

f_kl = Loss(
    lambda real, fake: -jnp.mean(real) + jnp.mean(_exp(fake - 1)),
    lambda real, fake: -jnp.mean(_exp(fake - 1)),
    "f-GAN KL",
)
"""`KL(p || p_g)`: output activation `T = v`, conjugate `f*(t) = e^(t - 1)` (above v = 31 continued by its tangent, to
stay finite). D minimises `-E T(x) + E f*(T(G(z)))`, G minimises `-E f*(T(G(z)))`. Best output `a* = 1 + u`; G descends
`KL(p || p_g)`. Nowozin et al. 2016, equation 4 and tables 1, 2."""

f_reverse_kl = Loss(
    lambda real, fake: jnp.mean(_exp(-real)) + jnp.mean(fake) - 1,
    lambda real, fake: -jnp.mean(fake) + 1,
    "f-GAN reverse KL",
)
"""`KL(p_g || p)`: `T = -e^-v`, so that a larger v means more real, `f*(T) = v - 1` (below v = -30 the exponential is
continued by its tangent). Best output `a* = u`; G descends `KL(p_g || p)`.
Nowozin et al. 2016, equation 4 and tables 1, 2."""

f_jensen_shannon = Loss(
    lambda real, fake: _cross_entropy(real, fake) - 2 * jnp.log(2.0),
    lambda real, fake: -jnp.mean(softplus(fake)) + jnp.log(2.0),
    "f-GAN Jensen-Shannon",
    True,
)
"""`2 JSD(p, p_g)`: `T = log 2 - log(1 + e^-v)`, `f*(T) = log(1 + e^v) - log 2`: `minimax` up to a constant.
Best output `a* = u`; G descends `2 JSD`. Nowozin et al. 2016, equation 4 and tables 1, 2."""

f_pearson = Loss(
    lambda real, fake: -jnp.mean(real) + jnp.mean(0.25 * fake**2 + fake),
    lambda real, fake: -jnp.mean(0.25 * fake**2 + fake),
    "f-GAN Pearson",
)
"""`chi2(p || p_g) = int (p - p_g)^2 / p_g`: `T = v`, `f*(t) = t^2 / 4 + t`.
Best output `a* = 2 (e^u - 1)`; G descends `Pearson chi2`. Nowozin et al. 2016, equation 4 and tables 1, 2."""

LOSSES: Menu[Loss] = Menu(
    "loss",
    {
        "nonsaturating": nonsaturating,
        "minimax": minimax,
        "least_squares": least_squares,
        "wasserstein": wasserstein,
        "hinge": hinge,
        "relativistic": relativistic,
        "f_kl": f_kl,
        "f_reverse_kl": f_reverse_kl,
        "f_jensen_shannon": f_jensen_shannon,
        "f_pearson": f_pearson,
    },
)
"""Every loss, by the name under which it stands in this module."""

CROSS_ENTROPIES = (minimax, nonsaturating, f_jensen_shannon)
"""The losses under which sigmoid(logit) is D's probability that a sample is real; elsewhere a logit is itself."""

Critic = Callable[[Float[Array, "n ..."]], Logits]
Samples = Float[Array, "n ..."]


class Penalty(NamedTuple):
    """A term added to D's loss, multiplied by `Hyperparams.penalty_weight`.

    Attributes:
        function: `(critic, real, fake, key) -> scalar`, where `critic` maps a batch of samples to their logits (n,).
        name: for labels.
    """

    function: Callable[[Critic, Samples, Samples, Key[Array, ""]], Scalar]
    name: str = "custom"


def squared_gradient_norm(critic: Critic, x: Samples) -> Logits:
    """Square of the norm of the logit's gradient at each sample: `|grad_x D(x_i)|^2`, shape (n,).

    Each sample has its own norm, over all its coordinates: not a pixel's, a channel's or the batch's.

    >>> squared_gradient_norm(lambda x: x @ jnp.array([3.0, 4.0]), jnp.zeros((2, 2))).tolist()
    [25.0, 25.0]
    """
    # the gradient of the sum is each sample's own gradient, as long as D treats samples one by one
    gradient = jax.grad(lambda x: jnp.sum(critic(x)))(x)
    return jnp.sum(gradient.reshape(len(x), -1) ** 2, axis=1)


def safe_sqrt(squared: Float[Array | np.ndarray, "*n"]) -> Float[Array, "*n"]:
    """Square root whose gradient at 0 is 0, not NaN: the norm of a gradient that vanishes is a place penalties visit.

    >>> float(jax.grad(safe_sqrt)(0.0))
    0.0
    """
    positive = squared > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1.0)), 0.0)


def _unit_norm(critic: Critic, x: Samples) -> Scalar:
    return jnp.mean((safe_sqrt(squared_gradient_norm(critic, x)) - 1) ** 2)


def _mixing_weight(key: Key[Array, ""], x: Samples) -> Samples:
    return jax.random.uniform(key, (len(x),) + (1,) * (x.ndim - 1))  # one a sample, not one a pixel


def _wgan_gp(critic: Critic, real: Samples, fake: Samples, key: Key[Array, ""]) -> Scalar:
    weight = _mixing_weight(key, real)
    return _unit_norm(critic, weight * real + (1 - weight) * fake)


def _dragan(critic: Critic, real: Samples, fake: Samples, key: Key[Array, ""]) -> Scalar:
    return _unit_norm(critic, real + 0.5 * jnp.std(real) * jax.random.normal(key, real.shape))


def _r1(critic: Critic, real: Samples, fake: Samples, key: Key[Array, ""]) -> Scalar:
    return 0.5 * jnp.mean(squared_gradient_norm(critic, real))


def _r2(critic: Critic, real: Samples, fake: Samples, key: Key[Array, ""]) -> Scalar:
    return 0.5 * jnp.mean(squared_gradient_norm(critic, fake))


def _r1_and_r2(critic: Critic, real: Samples, fake: Samples, key: Key[Array, ""]) -> Scalar:
    return _r1(critic, real, fake, key) + _r2(critic, real, fake, key)


wgan_gp = Penalty(_wgan_gp, "WGAN-GP")
"""`E (|grad D(x)| - 1)^2` on segments between real and fake samples, `x = u x_r + (1 - u) x_f`, `u ~ U(0, 1)` a sample.
Usual weight 10. Gulrajani et al. 2017, equation 3."""

dragan = Penalty(_dragan, "DRAGAN")
"""`E (|grad D(x)| - 1)^2` around real samples, `x = x_r + 0.5 s e`, `e ~ N(0, I)`, s the batch's standard deviation.
Usual weight 10. Kodali et al. 2017, section 2.3."""

r1 = Penalty(_r1, "R1")
"""`E |grad D(x_r)|^2 / 2` at real samples; the weight is the paper's gamma. Mescheder et al. 2018, equation 9."""

r2 = Penalty(_r2, "R2")
"""`E |grad D(x_f)|^2 / 2` at fake samples. Mescheder et al. 2018, equation 10."""

r1_and_r2 = Penalty(_r1_and_r2, "R1 + R2")
"""Both, with one weight, as R3GAN takes them. Huang et al. 2024, section 3."""

PENALTIES: Menu[Penalty | None] = Menu(
    "penalty",
    {"none": None, "r1": r1, "r2": r2, "r1_and_r2": r1_and_r2, "wgan_gp": wgan_gp, "dragan": dragan},
)
"""Every penalty, by the name under which it stands in this module."""

Heads = Float[Array, "n k"]
Labels = Int32[Array, " n"] | None
Code = Float[Array, "n c"] | None


class Auxiliary(NamedTuple):
    """What both players minimise besides the game, times `Hyperparams.auxiliary_weight`: losses of D's further outputs.

    D has k outputs a sample beside its logit, its heads. They guess what the sample was made from, and both players
    are paid for a right guess: D learns to guess, and G to make samples from which it can be guessed.

    Attributes:
        discriminator: `(real_heads, fake_heads, labels, code) -> scalar`; heads of shape (n, k), the labels that the
            real and the fake samples share, shape (n,), None without them; the code in the latents of the fake ones,
            shape (n, categories + continuous).
        generator: `(fake_heads, labels, code) -> scalar`.
        name: for labels.
        categories: values of the code's category; 0 for none. Its one-hot is followed by
        continuous: numbers of the code, uniform on [-1, 1]. The code stands at the end of each latent.
    """

    discriminator: Callable[[Heads, Heads, Labels, Code], Scalar]
    generator: Callable[[Heads, Labels, Code], Scalar]
    name: str = "custom"
    categories: int = 0
    continuous: int = 0


def _right_class(heads: Heads, labels: Any) -> Scalar:
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(heads), labels[:, None], axis=1))


auxiliary_classifier = Auxiliary(
    lambda real, fake, labels, code: _right_class(real, labels) + _right_class(fake, labels),
    lambda fake, labels, code: _right_class(fake, labels),
    "auxiliary classifier",
)
"""AC-GAN: the heads are logits of the classes. `D: -E log P(y | x) - E log P(y | G(z, y))`, `G: -E log P(y | G(z, y))`.
D is not told the labels, G is. Odena, Olah and Shlens 2017, equations 2 and 3."""


@functools.cache
def information(categories: int = 10, continuous: int = 2) -> Auxiliary:
    """InfoGAN: D's heads guess the code c at the end of each latent, `D, G: -E log Q(c | G(z))`.

    This is an upper bound of H(c) - I(c; G(z)), so minimising it raises the mutual information between the code and
    the samples. Q is a softmax over the category and a Gaussian of standard deviation 1 around a mean for each
    further number, so that D needs `categories + continuous` heads.

    Args:
        categories: values of the category, drawn uniformly; 0 for none.
        continuous: further numbers, drawn uniformly from [-1, 1].

    Returns:
        An `Auxiliary`; the same one for the same counts.

    Raises:
        ValueError: there is no code.

    Source: Chen et al. 2016, "InfoGAN", equations 5 and 6.

    >>> guess = jnp.array([[20.0, 0.0, 0.5]])  # sure of the first category; 0.5 for the number
    >>> float(information(2, 1).generator(guess, None, jnp.array([[1.0, 0.0, 0.5]])).round(4))
    0.0
    """
    check_count(categories, "categories", least=0)
    check_count(continuous, "continuous", least=0)
    if categories + continuous == 0 or categories == 1:
        raise ValueError(
            f"a code needs at least 2 categories or 1 continuous number, got {categories} and {continuous}"
        )

    def unlikely(fake: Heads, labels: Any, code: Any) -> Scalar:
        category = -jnp.sum(code[:, :categories] * jax.nn.log_softmax(fake[:, :categories]), axis=1)
        numbers = 0.5 * jnp.sum((fake[:, categories:] - code[:, categories:]) ** 2, axis=1)
        return jnp.mean(category + numbers if categories else numbers)

    return Auxiliary(
        lambda real, fake, labels, code: unlikely(fake, labels, code), unlikely, "information", categories, continuous
    )
