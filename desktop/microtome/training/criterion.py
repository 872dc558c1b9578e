"""What a training makes smaller: the cross-entropy of a batch, of which it can also take a share at a time."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its customary name

from microtome.training.data import class_weights
from microtome.training.importance import Drawn, loss_of
from microtome.training.spec import TrainingSpec


class CrossEntropy:
    """The mean cross-entropy of a batch, as torch has it with class weights and label smoothing."""

    def __init__(self, settings: TrainingSpec, labels: Tensor, classes: int) -> None:
        """`labels` of all training images: where the settings weigh classes, by their number of images."""
        self._weights = class_weights(labels, classes) if settings.balance == "weights" else None
        self._smoothing = settings.label_smoothing

    def mean(self, logits: Tensor, drawn: Drawn) -> Tensor:
        """Of a batch's logits (n, k)."""
        return loss_of(logits, drawn, weight=self._weights, label_smoothing=self._smoothing)

    def total(self, drawn: Drawn) -> Tensor | int:
        """What a batch's sum of losses is divided by for its mean: the weights of its labels, or the number of images."""
        if self._weights is None or drawn.targets.ndim > 1:
            return len(drawn.targets)
        return self._weights[drawn.targets].sum()

    def share(self, logits: Tensor, drawn: Drawn, total: Tensor | int) -> Tensor:
        """What some images add to the mean of their batch, whose total is `total`."""
        losses = F.cross_entropy(logits, drawn.targets, weight=self._weights, label_smoothing=self._smoothing, reduction="none")
        return (losses if drawn.weights is None else losses * drawn.weights).sum() / total
