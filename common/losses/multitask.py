"""Diagnosis and segmentation from the same features."""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

Losses = Tensor | Mapping[str, Tensor]


class MultitaskLoss(nn.Module):
    """Loss of the diagnosis, plus that of a segmentation which may be left out.

    Args:
        diagnosis: of logits and labels; returns a tensor, or losses by name of which `loss` counts.
        segmentation: of voxel logits and masks, likewise; None trains the diagnosis alone.
        weight: factor of the segmentation, above 0; 1 in the paper.

    Raises:
        ValueError: a weight that is not positive.

    Source: the CT method, https://proceedings.mlr.press/v301/li26d.html; methods, section 5.

    Example:
        >>> import torch
        >>> loss = MultitaskLoss(nn.MSELoss(), nn.MSELoss(), weight=0.5)
        >>> outputs = {"logits": torch.zeros(1, 2), "segmentation": torch.zeros(1, 1, 4)}
        >>> loss(outputs, {"label": torch.ones(1, 2), "mask": torch.full((1, 1, 4), 2.0)})["loss"].item()  # 1 + 4 / 2
        3.0
    """

    def __init__(
        self,
        diagnosis: Callable[[Tensor, Tensor], Losses],
        segmentation: Callable[[Tensor, Tensor], Losses] | None = None,
        weight: float = 1.0,
    ):
        super().__init__()
        if not weight > 0:
            raise ValueError(f"weight is {weight}; it must be above 0 (segmentation: null trains the diagnosis alone).")
        self.diagnosis, self.segmentation, self.weight = diagnosis, segmentation, weight

    def forward(self, outputs: Tensor | Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Losses by name: `loss`, `diagnosis` and its parts, `segmentation` and its parts.

        Args:
            outputs: logits (B, K), or a mapping with these as `logits` and structures' (B, S, ...) as `segmentation`.
            targets: `label` (B, K) and, for a segmentation, `mask` (B, 1, ...).

        Raises:
            ValueError: the network segments and this loss does not, or the other way round.
        """
        both = isinstance(outputs, Mapping)
        if both != (self.segmentation is not None):
            raise ValueError(
                "The network gives a segmentation and the loss has none: take the network without it too (segment: "
                "false), or give loss_function#segmentation."
                if both
                else "The loss has a segmentation and the network gives none: give it the second task (segment: true) "
                "and train mode, or set loss_function#segmentation to null."
            )
        logits = outputs["logits"] if isinstance(outputs, Mapping) else outputs
        diagnosis, parts = _parted(self.diagnosis(logits, targets["label"]))
        losses = {"loss": diagnosis, "diagnosis": diagnosis, **parts}
        if self.segmentation is not None:
            segmentation, parts = _parted(self.segmentation(outputs["segmentation"], targets["mask"]))  # type: ignore[index]
            losses |= {"loss": diagnosis + self.weight * segmentation, "segmentation": segmentation, **parts}
        return losses


def _parted(losses: Losses) -> tuple[Tensor, dict[str, Tensor]]:
    """What counts, and the rest by name."""
    if isinstance(losses, Tensor):
        return losses, {}
    return losses["loss"], {name: part for name, part in losses.items() if name != "loss"}
