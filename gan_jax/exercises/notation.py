"""Symbols come in; the table of what they mean goes out: one notation for all lessons.

`docs/notation.md` is this table; `python -m gan_jax.exercises.notation > docs/notation.md` writes it anew.
"""

from dataclasses import dataclass
from typing import NamedTuple

from ..errors import Menu


class Symbol(NamedTuple):
    """One line of the table.

    Attributes:
        tex: as a formula shows it; without a bar, which would end the cell of a table.
        meaning: in words, with its unit where it has one.
        code: the name that it has in code; "" where there is none.
    """

    tex: str
    meaning: str
    code: str = ""


SYMBOLS: Menu[Symbol] = Menu(
    "symbol",
    {
        "x": Symbol("x", "a sample, real or fake: a number, a point of the plane, an image", "x, real, fake"),
        "z": Symbol("z", "latent: the noise that G turns into a sample", "z"),
        "G": Symbol(r"G(z)", "generator: a fake sample made from a latent", "generator(z)"),
        "p": Symbol(r"p(x)", "density of the target, the distribution of the real samples", "exp(log_p)"),
        "p_g": Symbol(r"p_g(x)", "density of the generator's samples; other texts write q", "exp(log_q)"),
        "a": Symbol(r"a(x)", "logit: D's output before the sigmoid, any real number", "discriminator(x)"),
        "sigma": Symbol(r"\sigma(a) = \frac{1}{1 + e^{-a}}", "sigmoid: a logit as a probability", "jax.nn.sigmoid(a)"),
        "softplus": Symbol(
            r"\mathrm{softplus}(a) = \log(1 + e^a)",
            "-log(1 - D) on logits, and softplus(-a) is -log D: neither overflows",
            "jax.nn.softplus(a)",
        ),
        "D": Symbol(r"D(x) = \sigma(a(x))", "discriminator: its probability that x is real", "sigmoid(a)"),
        "theta": Symbol(r"\theta", "G's parameters; in a small game, G itself", "theta"),
        "psi": Symbol(r"\psi", "D's parameters; in a small game, D itself", "psi"),
        "E": Symbol(r"\mathbb{E}_p\,h(x)", "mean of h over samples from p: the integral of p times h", "jnp.mean"),
        "V": Symbol(r"V(D, G)", "value of the game in nats: D's gain, E_p log D + E_{p_g} log(1 - D)", "theory.value"),
        "L_D": Symbol(r"L_D", "what D minimises: a mean over real samples plus one over fakes", "loss.discriminator"),
        "L_G": Symbol(r"L_G", "what G minimises", "loss.generator"),
        "D*": Symbol(
            r"D^*(x) = \frac{p}{p + p_g}", "the best D there is against this G", "theory.optimal_discriminator"
        ),
        "u": Symbol(
            r"u(x) = \log p(x) - \log p_g(x)", "log density ratio in nats: the logit of D*", "theory.optimal_logit"
        ),
        "C": Symbol(r"C(G) = V(D^*, G)", "what is left for G when D answers at its best", ""),
        "KL": Symbol(
            r"\mathrm{KL}(p\,\Vert\,p_g) = \mathbb{E}_p\,u(x)",
            "Kullback-Leibler divergence in nats; infinite where p_g misses a part of p",
            "theory.divergence",
        ),
        "JSD": Symbol(
            r"\mathrm{JSD}(p, p_g)",
            "Jensen-Shannon divergence in nats, from 0 to log 2: mean KL of p and p_g from their half-way mixture",
            "theory.divergence",
        ),
        "TV": Symbol(
            r"\mathrm{TV}(p, p_g) = \tfrac12\int \vert p - p_g\vert",
            "total variation, from 0 to 1",
            "theory.divergence",
        ),
        "chi2": Symbol(
            r"\chi^2(p\,\Vert\,p_g) = \int (p - p_g)^2 / p_g",
            "Pearson's chi squared",
            "theory.divergence",
        ),
        "W_1": Symbol(
            r"W_1(p, p_g)",
            "Wasserstein-1, or earth mover's distance: least mean way from one heap to the other, in units of x",
            "theory.wasserstein1_density",
        ),
        "r": Symbol(r"r(x) = p(x) / p_g(x) = e^{u(x)}", "density ratio", ""),
        "f": Symbol(r"f(r)", "convex function with f(1) = 0 that names an f-divergence, the mean of f(r) over p_g", ""),
        "f*": Symbol(r"f^*(t) = \sup_r\,(r t - f(r))", "convex conjugate of f", "Divergence.conjugate"),
        "T": Symbol(r"T(x)", "what the critic of an f-GAN says, in the domain of f*", "t"),
        "lambda": Symbol(r"\gamma,\ \lambda", "weight of a penalty", "penalty_weight"),
        "w": Symbol(r"w = (\theta, \psi)", "both players' parameters in one vector", "w"),
        "v": Symbol(
            r"v(w) = (-\partial L_G / \partial\theta,\ -\partial L_D / \partial\psi)",
            "the field: where both players are pushed",
            "theory.field",
        ),
        "J": Symbol(r"J = \partial v / \partial w", "Jacobian of the field", "theory.jacobian"),
        "eig": Symbol(
            r"\lambda", "eigenvalue of J: real part in or out, imaginary part turns (lesson 05)", "theory.eigenvalues"
        ),
        "h": Symbol(r"h", "step size, one learning rate for both players", "rate"),
        "mu": Symbol(
            r"\mu", "eigenvalue of one step: 1 + h times that of J, when simultaneous", "theory.update_eigenvalues"
        ),
        "rho": Symbol(
            r"\rho = \max\vert\mu\vert",
            "spectral radius: the factor by which a step changes small distances in the long run",
            "theory.spectral_radius",
        ),
        "beta": Symbol(
            r"\beta,\ \beta_1", "momentum, and Adam's: how much of the last move is remembered", "beta, beta1"
        ),
        "K": Symbol(r"K", "number of modes of the target, or of classes", "len(target.means)"),
        "q_k": Symbol(
            r"q_k", "share of the samples that are nearest to mode k, or of class k", "metrics.mode_shares(x, target)"
        ),
        "eta": Symbol(r"\eta_G,\ \eta_D", "learning rates of the two players", "lr_g, lr_d"),
        "y": Symbol(r"y", "label: the class that G is asked for, or that a real sample has", "labels"),
        "phi": Symbol(
            r"\phi(x),\ e_y",
            "features of a sample, and a vector for each label: their product is the label's part of a logit",
            "features, embeddings",
        ),
        "H": Symbol(r"H(y),\ H(y \mid x)", "entropy in nats: how unsure y is, before x is seen and after", ""),
        "I": Symbol(r"I(c; x) = H(c) - H(c \mid x)", "information in nats that a sample has about its code c", ""),
        "d": Symbol(r"d", "numbers in a latent", "latent_dim"),
    },
)
"""Every symbol that the lessons share, by a name that can be typed."""


@dataclass(frozen=True)
class Notation:
    """Some of the symbols, in the order of the table; shown with their formulas by a notebook."""

    names: tuple[str, ...]

    def markdown(self) -> str:
        """The table in Markdown."""
        rows = (SYMBOLS[name] for name in self.names)
        lines = [f"| ${tex}$ | {meaning} | {f'`{code}`' if code else ''} |" for tex, meaning, code in rows]
        return "\n".join(["| symbol | meaning | in code |", "|---|---|---|", *lines])

    def __repr__(self) -> str:
        return "\n".join(f"{name:9} {SYMBOLS[name].meaning}" for name in self.names)

    def _repr_markdown_(self) -> str:
        return self.markdown()


def notation(*names: str) -> Notation:
    """Show what symbols mean, as all lessons use them.

    Args:
        names: in `SYMBOLS`, such as "p_g" or "D*"; every symbol when left out.

    Returns:
        A table that a notebook shows; end a cell with it.

    Raises:
        UnknownName: no such symbol.

    >>> notation("p_g", "u")
    p_g       density of the generator's samples; other texts write q
    u         log density ratio in nats: the logit of D*
    """
    for name in names:
        SYMBOLS[name]
    return Notation(tuple(name for name in SYMBOLS if not names or name in names))


if __name__ == "__main__":
    print("# Notation\n\nOne table for all lessons; `exercises.notation()` shows it in any of them.\n")
    print(notation().markdown())
