"""The loss of a pre-training method on images that it does not train on."""

from collections.abc import Iterable
from typing import Any

import torch
from ignite.engine import Engine, Events
from ignite.metrics import Metric

from ..engines.batches import batch_size, whole_batch
from ..engines.method import Method


class MethodLoss(Metric):
    """Run a method in evaluation mode over validation views when an evaluation ends.

    It writes the mean of the method's `loss` under its own name (`validation_loss` in the recipes) and of every part
    under that name and the part's (`validation_loss_contrast`). The views are the same at each evaluation when the
    data set is given plain indices. The method is run in evaluation mode, which is set back afterwards.

    Args:
        method: the training module, not its distributed wrapper.
        dataloader: batches of validation views; means are weighted by batch size.
    """

    def __init__(self, method: Method, dataloader: Iterable[Any]):
        self.method, self.dataloader = method, dataloader
        super().__init__()

    def reset(self) -> None:
        """Nothing is collected while the evaluator runs."""

    def update(self, output: Any) -> None:
        """Nothing is collected while the evaluator runs."""

    def attach(self, engine: Engine, name: str) -> None:  # type: ignore[override]
        """Compute at the end of each of this evaluator's runs."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.completed, name)  # as metrics do: MONAI reads them then

    def completed(self, engine: Engine, name: str) -> None:  # type: ignore[override]
        """Write the means into the evaluator's metrics."""
        losses = self.compute(engine.state.device)  # type: ignore[attr-defined]
        engine.state.metrics[name] = losses.pop("loss")
        engine.state.metrics.update({f"{name}_{part}": value for part, value in losses.items()})

    @torch.no_grad()
    def compute(self, device: torch.device | str = "cpu") -> dict[str, float]:
        """Means of the losses by name.

        Args:
            device: where the method is.

        Raises:
            ValueError: the loader has no batch.
        """
        total: dict[str, float] = {}
        seen = 0
        training = self.method.training
        self.method.eval()
        try:
            for batch in self.dataloader:
                inputs, _ = whole_batch(batch, device)
                count = batch_size(inputs)
                seen += count
                for part, value in self.method(inputs).items():
                    total[part] = total.get(part, 0.0) + count * float(value)
        finally:
            self.method.train(training)
        if not seen:
            raise ValueError(
                "validation_loss has no batch to look at: the split `val` is smaller than one batch. Lower batch_size, "
                "give the reader a larger val_fraction, or leave validation_loss out of additional_metrics."
            )
        return {part: value / seen for part, value in total.items()}
