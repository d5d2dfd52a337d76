"""Samples of a generator and the target come in; scores go out, each beside the score of a perfect generator.

A metric is a function `metric(samples, target) -> scalar`, with samples of shape (n, *target.shape). A perfect
generator, which draws from the target itself, does not score 0 or 1 on a finite sample: `perfect` says what it scores
at the same n. All but `wasserstein2` are compiled, and go under `vmap` for a sweep of seeds.
"""

from .classes import class_kl, classes_of, classes_reached, confident_share
from .distances import mmd, sliced_wasserstein2, wasserstein2
from .modes import high_quality_share, modes_covered, reverse_kl
from .report import VERDICTS, ModeReport, mode_report
from .samples import Samples, Scalar
from .scores import (
    METRICS,
    NEED_CLASSES,
    NEED_MODES,
    Metric,
    Perfect,
    Score,
    Scorecard,
    perfect,
    scorecard,
    suitable,
)
from .shares import mode_shares

__all__ = [
    "METRICS",
    "NEED_CLASSES",
    "NEED_MODES",
    "VERDICTS",
    "Metric",
    "ModeReport",
    "Perfect",
    "Samples",
    "Scalar",
    "Score",
    "Scorecard",
    "class_kl",
    "classes_of",
    "classes_reached",
    "confident_share",
    "high_quality_share",
    "mmd",
    "mode_report",
    "mode_shares",
    "modes_covered",
    "perfect",
    "reverse_kl",
    "scorecard",
    "sliced_wasserstein2",
    "suitable",
    "wasserstein2",
]
