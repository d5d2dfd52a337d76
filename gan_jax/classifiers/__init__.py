"""Images of digits come in; log probabilities of the ten classes go out, by small networks whose weights are shipped.

| name | images | network | trained on | right of the images held out |
|---|---|---|---|---|
| digits | `data.digits`, 8x8 | 64-64-64-10 | 1,442 of the 1,797 | 98.31 % of 355 |
| mnist | `data.mnist`, 28x28 | 196-64-64-10, of means of 2x2 pixels | 4,000 of `data.mnist_5000` | 96.70 % of 1,000 |

They were made by `python -m gan_jax.classifiers digits` and `python -m gan_jax.classifiers mnist`, which print these
numbers, on 21 November 2026 (jax 0.10.2, CPU). Training and held-out images are of the same writers.

No weights of Fashion-MNIST are shipped. Where it can be downloaded, `python -m gan_jax.classifiers fashion --save
fashion.npz` trains and measures a network of it (784-256-64-10), for `load("fashion.npz", name="fashion_mnist")`.
"""

from .classifier import CLASSIFIERS, SHIPPED, Classifier, Shipped, digits, load, mnist
from .training import accuracy, fit, split

__all__ = [
    "CLASSIFIERS",
    "SHIPPED",
    "Classifier",
    "Shipped",
    "accuracy",
    "digits",
    "fit",
    "load",
    "mnist",
    "split",
]
