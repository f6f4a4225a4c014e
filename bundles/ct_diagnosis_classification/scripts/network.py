"""The diagnosis network: a backbone, a linear layer, and a segmentation head that only training knows.

Shapes: B batch, K logits of the diagnosis, S structures with background, D H W space, d h w grid.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from bundles.ct_diagnosis_classification.scripts.backbone import Backbone


class DiagnosisNetwork(nn.Module):
    """Logits per volume and, in training only, logits per voxel from the same features.

    The classifier is one linear layer on the backbone's vector; the segmentation head is one 1 x 1 x 1 convolution on
    the features, enlarged trilinearly to the volume (methods, section 5; [E19]). The head is made last: networks with
    and without it begin with the same weights from the same seed.

    Args:
        backbone: gives features and a vector.
        num_logits: K, 1 or more.
        num_structures: S, background included, for the second task; 0 trains the diagnosis alone.

    Raises:
        ValueError: a number of outputs that makes no sense.
    """

    def __init__(self, backbone: Backbone, num_logits: int, num_structures: int = 0):
        super().__init__()
        if num_logits < 1 or num_structures < 0 or num_structures == 1:
            raise ValueError(
                f"num_logits is {num_logits} and num_structures is {num_structures}; expected 1 or more logits, and no "
                "structures (0) or 2 and more, background included."
            )
        self.backbone = backbone
        self.classifier = nn.Linear(backbone.channels, num_logits)
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)
        self.segmenter = nn.Conv3d(backbone.channels, num_structures, kernel_size=1) if num_structures else None

    def forward(self, x_B1DHW: Tensor) -> Tensor | dict[str, Tensor]:
        """Logits of volumes (B, 1, D, H, W) in [-1, 1].

        Returns:
            (B, K); in training with a segmentation head a mapping: `logits` (B, K), `segmentation` (B, S, D, H, W).

        Raises:
            ValueError: sizes that the backbone's grid does not divide; names the nearest that it does.
        """
        features, vector_BC = self.backbone.encode(x_B1DHW)
        logits_BK = self.classifier(vector_BC)
        if self.segmenter is None or not self.training:
            return logits_BK
        grid_logits = self.segmenter(features)
        size = x_B1DHW.shape[2:]
        segmentation = F.interpolate(grid_logits, size=size, mode="trilinear", align_corners=False)
        return {"logits": logits_BK, "segmentation": segmentation}

    def without_segmentation(self) -> "DiagnosisNetwork":
        """The network to keep and to export: the same backbone and classifier objects, no segmentation head.

        It follows further training, since the parameters are shared; so are the training and evaluation modes of the
        shared parts.
        """
        bare = DiagnosisNetwork.__new__(DiagnosisNetwork)
        nn.Module.__init__(bare)
        bare.backbone, bare.classifier, bare.segmenter = self.backbone, self.classifier, None
        bare.train(self.training)
        return bare
