"""Widths, shapes and names come in; a recipe goes out: given random streams, it builds a generator or a discriminator.

A recipe is any hashable callable `recipe(nnx.Rngs) -> nnx.Module`. The module maps a batch to a batch. What it holds
besides parameters (batch statistics, say) is updated only by `train`, which carries it in `State`; called by
you, a trained module is in evaluation mode, and each sample is independent of its batch mates.
"""

from .convolutions import conv, conv_transposed
from .dcgan import (
    DcganDiscriminatorRecipe,
    DcganGeneratorRecipe,
    dcgan_discriminator,
    dcgan_generator,
    tutorial_discriminator,
    tutorial_generator,
)
from .dropout import Dropout
from .groups import minibatch_stddev, pack
from .images import IMAGE_ACTIVATIONS, UPSAMPLINGS, enlarged, halvings, shuffled
from .labels import ConditionalBatchNorm, one_hot
from .menus import ACTIVATIONS, INITIALISERS, NORMALISATIONS, PIECES, Recipe
from .perceptrons import Layer, Mlp, MlpRecipe, mlp
from .recipes import ImageRecipe, check_pair
from .resnet import ResnetDiscriminatorRecipe, ResnetGeneratorRecipe, resnet_discriminator, resnet_generator
from .spectral import SpectralConv, SpectralLinear

__all__ = [
    "ACTIVATIONS",
    "IMAGE_ACTIVATIONS",
    "INITIALISERS",
    "NORMALISATIONS",
    "PIECES",
    "UPSAMPLINGS",
    "ConditionalBatchNorm",
    "DcganDiscriminatorRecipe",
    "DcganGeneratorRecipe",
    "Dropout",
    "ImageRecipe",
    "Layer",
    "Mlp",
    "MlpRecipe",
    "Recipe",
    "ResnetDiscriminatorRecipe",
    "ResnetGeneratorRecipe",
    "SpectralConv",
    "SpectralLinear",
    "check_pair",
    "conv",
    "conv_transposed",
    "dcgan_discriminator",
    "dcgan_generator",
    "enlarged",
    "halvings",
    "minibatch_stddev",
    "mlp",
    "one_hot",
    "pack",
    "resnet_discriminator",
    "resnet_generator",
    "shuffled",
    "tutorial_discriminator",
    "tutorial_generator",
]
