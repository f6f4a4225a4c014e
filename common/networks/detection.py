"""A one-stage detector: encoder, feature pyramid, and the two heads of RetinaNet.

Shapes: B batch, K findings, A anchors.
"""

import math

import torch
from torch import Tensor, nn

from .encoders import Encoder
from .exported import ExportedNetwork
from .pyramids import ScaledPyramid

LARGEST_GROWTH = math.log(1000 / 16)  # of a box from its anchor, as in Faster R-CNN's code; exp would overflow


class DetectionNetwork(ExportedNetwork):
    """RetinaNet on any encoder: for each anchor a box, and for each finding a logit of being in it.

    MONAI's feature pyramid and heads, with group norm alone. There is one square anchor at each place, as in ATSS
    (https://arxiv.org/abs/1912.02424), which finds that more of them add nothing once training samples are chosen by
    its rule. Boxes are decoded inside the network, so that whoever has the exported graph alone needs no anchors.

    Args:
        encoder: the pre-trained or random encoder; fine-tuned with the rest.
        num_findings: K, kinds of boxes.
        width: channels of the pyramid and the heads, a multiple of 8.
        finest_stride: pixels per cell of the finest level that boxes are sought on; levels of the encoder below are
            left out. Small findings need a small one, which takes most of the time.
        anchor_scale: side of an anchor in cells of its level; RetinaNet's smallest is 4.

    Attributes:
        anchors: (A, 4) top, left, bottom, right in pixels, level by level from the finest, rows first.
        anchors_per_level: how many of them each level has.

    Raises:
        ValueError: a width that MONAI's group norm cannot divide, or no level at that stride.

    Example:
        >>> from common.networks import build_encoder
        >>> encoder = build_encoder("resnet18", in_channels=1, image_size=64)
        >>> network = DetectionNetwork(encoder, num_findings=3, width=16)
        >>> network(torch.rand(2, 1, 64, 64)).shape, network.anchors_per_level  # 64 / 8 = 8 cells a side, then 4, 2, 1
        (torch.Size([2, 7, 85]), [64, 16, 4, 1])
    """

    anchors: Tensor

    def __init__(
        self,
        encoder: Encoder,
        num_findings: int = 1,
        width: int = 256,
        finest_stride: int = 8,
        anchor_scale: float = 4.0,
    ):
        super().__init__()
        from monai.apps.detection.networks.retinanet_network import (  # MONAI takes seconds to import
            RetinaNetClassificationHead,
            RetinaNetRegressionHead,
        )
        from monai.networks.blocks.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool

        if width % 8 or width < 8:
            raise ValueError(f"detector_width is {width}; it must be a multiple of 8, such as 256.")
        self.encoder = encoder
        self.pyramid = ScaledPyramid(encoder)
        self.first = _first_level(self.pyramid.strides, finest_stride)
        if self.pyramid.scales is not None:
            for level in range(self.first):
                self.pyramid.scales[level] = nn.Identity()  # unused; without a gradient it would stop DDP
        if encoder.family != "resnet":
            encoder.body.norm.requires_grad_(False)  # pyramids are taken before the final norm; likewise
        channels = list(self.pyramid.channels[self.first :])
        self.fpn = FeaturePyramidNetwork(2, channels, width, LastLevelMaxPool(2))
        self.classification = RetinaNetClassificationHead(width, 1, num_findings, spatial_dims=2)
        self.regression = RetinaNetRegressionHead(width, 1, spatial_dims=2)
        strides = [*self.pyramid.strides[self.first :], self.pyramid.strides[-1] * 2]
        levels = square_anchors(encoder.description.image_size, strides, anchor_scale)
        self.anchors_per_level = [len(level) for level in levels]
        self.register_buffer("anchors", torch.cat(levels), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Boxes and logits (B, 4 + K, A) of images (B, C, S, S) in [0, 1].

        The first four rows are top, left, bottom and right in pixels of the images, not clipped to them; the others
        are a logit for each finding.

        Raises:
            ValueError: images of another size than the anchors were laid out for.
        """
        side = self.encoder.description.image_size
        if not torch.jit.is_tracing() and tuple(images.shape[-2:]) != (side, side):
            raise ValueError(
                f"Images of {images.shape[-2]} x {images.shape[-1]} pixels do not fit the detector's anchors, which "
                f"are laid out for {side} x {side}: resize them, or set image_size and train it for that size."
            )
        maps = self.pyramid(self.encoder.pyramid(images))[self.first :]
        levels = list(self.fpn({str(index): level for index, level in enumerate(maps)}).values())
        logits_BKA = torch.cat([level.flatten(2) for level in self.classification(levels)], dim=2)
        shifts_B4A = torch.cat([level.flatten(2) for level in self.regression(levels)], dim=2)
        return torch.cat([decode(shifts_B4A, self.anchors), logits_BKA.float()], dim=1)

    def input_shape(self) -> tuple[int, ...]:
        """The encoder's."""
        return self.encoder.input_shape()


def decode(shifts_B4A: Tensor, anchors_A4: Tensor) -> Tensor:
    """Boxes (B, 4, A) from what the regression head says: how far centres move, in sides, and how sides grow, in logs.

    The code of Faster R-CNN (https://arxiv.org/abs/1506.01497, equation 2), in float32 whatever the network's.
    MONAI's own decoder looks at the numbers, and what does cannot be exported.
    """
    first_2A, last_2A = anchors_A4.T.chunk(2)
    sides_2A = last_2A - first_2A
    move_B2A, growth_B2A = shifts_B4A.float().chunk(2, dim=1)
    centres_B2A = (first_2A + last_2A) / 2 + move_B2A * sides_2A
    half_B2A = sides_2A * growth_B2A.clamp(max=LARGEST_GROWTH).exp() / 2
    return torch.cat([centres_B2A - half_B2A, centres_B2A + half_B2A], dim=1)


def square_anchors(image_size: int, strides: list[float], scale: float) -> list[Tensor]:
    """One square (A, 4) about the centre of each cell, for each level; its side is `scale` cells.

    Args:
        image_size: pixels of a side of the images.
        strides: pixels per cell of each level.
        scale: cells of an anchor's side.
    """
    levels = []
    for stride in strides:
        centres = (torch.arange(math.ceil(image_size / stride)) + 0.5) * stride
        centres_A2 = torch.cartesian_prod(centres, centres)
        levels.append(torch.cat([centres_A2 - scale * stride / 2, centres_A2 + scale * stride / 2], dim=1))
    return levels


def _first_level(strides: tuple[float, ...], finest: int) -> int:
    fitting = [index for index, stride in enumerate(strides) if stride >= finest]
    if not fitting:
        raise ValueError(
            f"finest_stride is {finest}; the encoder's levels have {', '.join(f'{stride:g}' for stride in strides)} "
            "pixels per cell. Choose one of these."
        )
    return fitting[0]
