"""The settings of SGD."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Training:
    """SGD with momentum.

    Attributes:
        learning_rate: the step size of the first epochs.
        momentum: share of the last step that is taken again.
        batch: images of a mini-batch.
        epochs: passes over the training images.
        drop_after: epochs after which the learning rate is divided by 10; None for never.
    """

    learning_rate: float
    momentum: float
    batch: int
    epochs: int
    drop_after: int | None = None

    @property
    def rates(self) -> list[float]:
        """The learning rate of every epoch."""
        drop = self.epochs if self.drop_after is None else self.drop_after
        return [
            self.learning_rate if epoch < drop else self.learning_rate / 10
            for epoch in range(self.epochs)
        ]
