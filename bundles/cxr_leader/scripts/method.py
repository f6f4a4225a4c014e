"""LeADER: one student learns from a disease expert and an anatomy expert.

The student's embedding passes one head per expert, which predicts that expert's embedding of the same image or patch.
Nothing else is learned from, so the embedding must carry what both experts know.

Paper: https://openreview.net/forum?id=3KsEpxv0gT.

Shapes: B images and patches, C channels, E length of the student's embedding, K of an expert's.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from common.networks import Encoder
from common.teachers import Expert
from common.views import View


class LeADER(nn.Module):
    """The training module: student, heads, experts and loss; one call is one step's losses.

    Total loss: w_D L_D + w_A L_A; the paper's stages are (1, 0) and (1, 1) (methods D4). An expert of weight 0 is not
    run, and has neither to be there nor to have a head.

    Args:
        encoder: the student.
        view: renders what it sees.
        loss: distance of predictions from embeddings.
        disease_expert: knows findings; run on the student's images, or cached (methods D6).
        disease_head: maps embeddings (B, E) to predictions (B, K).
        anatomy_expert: knows anatomy; run on the student's images, without gradient, in evaluation mode (methods D5).
        anatomy_head: as `disease_head`.
        disease_weight: w_D, 0 or more.
        anatomy_weight: w_A, 0 or more.

    Raises:
        ValueError: no expert has a weight, one is missing, or a head does not fit its expert.
    """

    def __init__(
        self,
        encoder: Encoder,
        view: View,
        loss: nn.Module,
        disease_expert: Expert | None = None,
        disease_head: nn.Module | None = None,
        anatomy_expert: Expert | None = None,
        anatomy_head: nn.Module | None = None,
        disease_weight: float = 1.0,
        anatomy_weight: float = 1.0,
    ):
        super().__init__()
        self.encoder, self.view, self.loss = encoder, view, loss
        self.weights = {"disease": disease_weight, "anatomy": anatomy_weight}
        self.experts, self.heads = nn.ModuleDict(), nn.ModuleDict()
        given = {"disease": (disease_expert, disease_head), "anatomy": (anatomy_expert, anatomy_head)}
        for name, (expert, head) in given.items():
            if self.weights[name] < 0:
                raise ValueError(f"{name}_weight is {self.weights[name]}; it must be 0 or more.")
            if self.weights[name]:
                if expert is None or head is None:
                    raise ValueError(
                        f"{name}_weight is {self.weights[name]}, but {name}_expert or {name}_head is missing: give "
                        f"both, or set {name}_weight to 0."
                    )
                self.experts[name], self.heads[name] = expert, head
                self._check_head(name)
        if not self.experts:
            raise ValueError("disease_weight and anatomy_weight are both 0: there is nothing to learn from.")

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Losses by name for a batch of `common.images.StoreRegions`; `loss` is the total to differentiate."""
        views_BCHW = self.view.render(batch["image"], batch["view"])["view"]
        embedding_BE = self.encoder.embed(views_BCHW)
        parts = {}
        for name, expert in self.experts.items():
            target_BK = expert.embed(views_BCHW, batch)  # type: ignore[operator]  # a ModuleDict forgets its types
            parts[name] = self.loss(self.heads[name](embedding_BE), target_BK, batch["weight"])
        total = torch.stack([self.weights[name] * part for name, part in parts.items()]).sum()
        return {"loss": total, **parts}

    def check(self, items: Iterable[tuple[str, tuple[float, float, float, float]]]) -> None:
        """Raise before the first step what an expert would raise at some later one.

        Args:
            items: file and edges of everything that training will ask for.
        """
        items = list(items)
        for expert in self.experts.values():
            expert.check(items)  # type: ignore[operator]

    @property
    def transferred_encoder(self) -> Encoder:
        """The student."""
        return self.encoder

    @property
    def last_layers(self) -> list[nn.Parameter]:
        """Weights of the heads' weight-normalised last layers, which the first epoch leaves alone (methods D12)."""
        layers = (getattr(head, "last_layer", None) for head in self.heads.values())
        return [parameter for layer in layers if isinstance(layer, nn.Module) for parameter in layer.parameters()]

    @torch.no_grad()
    def _check_head(self, name: str) -> None:
        given = self.heads[name](torch.zeros(1, self.encoder.embed_dim)).shape[1]
        wanted = self.experts[name].embed_dim
        if given != wanted:
            raise ValueError(
                f"{name}_head predicts {given} numbers, but the {name} expert gives {wanted}: set "
                f"{name}_head#out_dim to {wanted}, or leave it to follow the expert."
            )
