"""Confidence intervals: of a proportion (Wilson), a mean over seeds (Student's t), class accuracies and their differences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np

from microtome.errors import InputError

Interval = tuple[float, float]
_RESAMPLES = 10_000


def wilson(correct: int, total: int, confidence: float = 0.95) -> Interval:
    """The score interval of a proportion, within 0 … 1; (0, 1) where nothing was counted.

    Wilson, J. Am. Stat. Assoc. 22 (1927) 209: (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n).
    """
    if total < 0 or not 0 <= correct <= total:
        raise InputError(f"{correct} of {total} is no proportion.")
    if total == 0:
        return (0.0, 1.0)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    p = correct / total
    middle = p + z * z / (2 * total)
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    # At 0 and at n the bound is the edge itself; rounding must not move it.
    low = 0.0 if correct == 0 else (middle - half) / scale
    high = 1.0 if correct == total else (middle + half) / scale
    return (max(0.0, low), min(1.0, high))


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, Interval]:
    """(mean, interval) over independent repeats, such as training seeds, by Student's t; infinite for a single value."""
    if not values:
        raise InputError("There are no values to average.")
    n, mean = len(values), math.fsum(values) / len(values)
    if n == 1:
        return mean, (-math.inf, math.inf)
    # scipy.stats takes long to import, and only this needs it.
    from scipy.stats import t

    deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))
    half = float(t.ppf(0.5 + confidence / 2, n - 1)) * deviation / math.sqrt(n)
    return mean, (mean - half, mean + half)


def class_mean_interval(
    per_class: Mapping[str, tuple[int, int]], confidence: float = 0.95, seed: int = 0
) -> tuple[float, Interval]:
    """(mean class accuracy, interval) of counts {class: (correct, total)}; classes without images are left out.

    Parametric bootstrap with each class's images as the sample: its number correct is redrawn from the posterior predictive
    of a Jeffreys prior, Beta(c + ½, n − c + ½), so that a class without errors keeps some width. Percentiles of
    10 000 draws; the same seed gives the same interval. It holds for new images, not for new training seeds or specimens.
    """
    counts = np.array([pair for pair in per_class.values() if pair[1] > 0], dtype=np.float64).reshape(-1, 2)
    if not len(counts):
        raise InputError("There are no images to measure an accuracy on.")
    correct, total = counts.T
    if (correct < 0).any() or (correct > total).any():
        raise InputError("More images are correct than there are.")
    mean = float((correct / total).mean())
    draws = np.random.default_rng(seed).beta(correct + 0.5, total - correct + 0.5, (_RESAMPLES, len(counts))).mean(axis=1)
    low, high = np.quantile(draws, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return mean, (min(mean, float(low)), max(mean, float(high)))


def paired_difference(
    per_class: Mapping[str, tuple[int, int, int]], confidence: float = 0.95, seed: int = 0
) -> tuple[float, Interval]:
    """(difference, interval) of two methods' mean class accuracies on the same images; above 0: the first one is better.

    `per_class`: class → (images that the first alone tells rightly, the second alone, all images); classes without images are
    left out. What both tell alike says nothing, as in McNemar's test (Psychometrika 12 (1947) 153). Parametric bootstrap with
    each class's images as the sample: the shares are redrawn from the posterior of a Jeffreys prior, Dirichlet(gained + ½,
    lost + ½, alike + ½); percentiles of 10 000 draws; the same seed gives the same interval.
    """
    counts = np.array([triple for triple in per_class.values() if triple[2] > 0], dtype=np.float64).reshape(-1, 3)
    if not len(counts):
        raise InputError("There are no images to compare methods on.")
    gained, lost, total = counts.T
    if (counts < 0).any() or (gained + lost > total).any():
        raise InputError("More images are told differently than there are.")
    mean = float(((gained - lost) / total).mean())
    rng = np.random.default_rng(seed)
    # Gamma variates in proportion are Dirichlet's.
    shares = rng.standard_gamma(np.stack((gained, lost, total - gained - lost)) + 0.5, (_RESAMPLES, *counts.T.shape))
    draws = ((shares[:, 0] - shares[:, 1]) / shares.sum(axis=1)).mean(axis=1)
    low, high = np.quantile(draws, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return mean, (min(mean, float(low)), max(mean, float(high)))
