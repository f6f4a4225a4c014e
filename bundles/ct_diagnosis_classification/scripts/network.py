"""The diagnosis network: a backbone and a linear layer; and the second task, which only training knows.

Paper: https://proceedings.mlr.press/v301/li26d.html.

Shapes: B batch, K logits of the diagnosis, S structures with background, D H W space, d h w grid.
"""

from torch import Tensor, nn

from bundles.ct_diagnosis_classification.scripts.backbone_interface import Backbone
from common.networks.exported import ExportedNetwork


class DiagnosisNetwork(ExportedNetwork):
    """Logits per volume: one linear layer on the backbone's vector.

    Args:
        backbone: gives features and a vector.
        num_logits: K, 1 or more.

    Raises:
        ValueError: no logits.
    """

    def __init__(self, backbone: Backbone, num_logits: int):
        super().__init__()
        if num_logits < 1:
            raise ValueError(f"num_logits is {num_logits}; expected 1 or more, one for each of `findings`.")
        self.backbone = backbone
        self.classifier = nn.Linear(backbone.channels, num_logits)
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, x_B1DHW: Tensor) -> Tensor:
        """Logits (B, K) of volumes (B, 1, D, H, W) in [-1, 1].

        Raises:
            ValueError: sizes that the backbone's grid does not divide; names the nearest that it does.
        """
        return self.classifier(self.backbone.encode(x_B1DHW)[1])

    def input_shape(self) -> tuple[int, ...]:
        """(1, D, H, W) of the crops that it mostly sees."""
        return 1, *self.backbone.crop_size


class WithSegmentation(nn.Module):
    """A diagnosis network that in training also says, from the same features, which structure each voxel belongs to.

    The segmentation head is one 1 x 1 x 1 convolution on the features (methods, section 5; [E19]); the loss enlarges
    its logits trilinearly to the volume, a few slices at a time. It lies around the diagnosis network and not in it, so
    that what is kept, evaluated and exported has no trace of it; and it is made after it, so that runs with and without
    it begin with the same weights.

    Args:
        network: the diagnosis network, whose weights stay its own.
        num_structures: S, background included, 2 or more.

    Raises:
        ValueError: fewer than two structures.
    """

    def __init__(self, network: DiagnosisNetwork, num_structures: int):
        super().__init__()
        if num_structures < 2:
            raise ValueError(
                f"num_structures is {num_structures}; expected 2 or more, background included: name `structures`, or "
                "set `segment` to False to train the diagnosis alone."
            )
        self.network = network
        self.segmenter = nn.Conv3d(network.backbone.channels, num_structures, kernel_size=1)

    def forward(self, x_B1DHW: Tensor) -> Tensor | dict[str, Tensor]:
        """In training `logits` (B, K) and `segmentation` (B, S, d, h, w); in evaluation the logits alone."""
        if not self.training:
            return self.network(x_B1DHW)
        features, vector_BC = self.network.backbone.encode(x_B1DHW)
        return {"logits": self.network.classifier(vector_BC), "segmentation": self.segmenter(features)}
