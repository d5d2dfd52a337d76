"""Samples of a generator and the target come in; scores go out, each beside the score of a perfect generator.

A metric is a function `metric(samples, target) -> scalar`, with samples of shape (n, *target.shape). A perfect
generator, which draws from the target itself, does not score 0 or 1 on a finite sample: `perfect` says what it scores
at the same n. All but `wasserstein2` are compiled, and go under `vmap` for a sweep of seeds.

Images have metrics of their own, which compare features of a small network (`features`) and run in NumPy, in float64,
block by block: `frechet_distance`, `kernel_distance`, `inception_score`, `precision_recall`, `density_coverage`,
`memorisation`, and all of them beside real images in `image_scorecard`.
"""

from .classes import class_kl, classes_of, classes_reached, confident_share
from .distances import mmd, sliced_wasserstein2, wasserstein2
from .embeddings import Features, features, random_features, real_pictures
from .frechet import Moments, frechet_between, frechet_distance, moments, streamed
from .images import IMAGE_METRICS, divide, image_scorecard, scores_of
from .inception import inception_score
from .kernel import Estimate, kernel_distance
from .modes import high_quality_share, modes_covered, reverse_kl
from .neighbours import (
    DensityCoverage,
    Memorisation,
    Nearest,
    PrecisionRecall,
    density_coverage,
    memorisation,
    nearest,
    precision_recall,
)
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
    "IMAGE_METRICS",
    "METRICS",
    "NEED_CLASSES",
    "NEED_MODES",
    "VERDICTS",
    "DensityCoverage",
    "Estimate",
    "Features",
    "Memorisation",
    "Metric",
    "ModeReport",
    "Moments",
    "Nearest",
    "Perfect",
    "PrecisionRecall",
    "Samples",
    "Scalar",
    "Score",
    "Scorecard",
    "class_kl",
    "classes_of",
    "classes_reached",
    "confident_share",
    "density_coverage",
    "divide",
    "features",
    "frechet_between",
    "frechet_distance",
    "high_quality_share",
    "image_scorecard",
    "inception_score",
    "kernel_distance",
    "memorisation",
    "mmd",
    "mode_report",
    "mode_shares",
    "modes_covered",
    "moments",
    "nearest",
    "perfect",
    "precision_recall",
    "random_features",
    "real_pictures",
    "reverse_kl",
    "scorecard",
    "scores_of",
    "sliced_wasserstein2",
    "streamed",
    "suitable",
    "wasserstein2",
]
