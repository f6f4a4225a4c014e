"""A classification network: encoder and one linear layer."""

from torch import Tensor, nn

from .encoders import Encoder
from .exported import ExportedNetwork


class Classifier(ExportedNetwork):
    """Logits per image: a linear layer on the encoder's embedding.

    The layer starts from N(0, 0.01^2) and bias 0 (methods section 7), so that all classes begin near a logit of 0.

    Args:
        encoder: the pre-trained or random encoder; fine-tuned with the rest.
        num_classes: K, number of classes or findings.

    Example:
        >>> import torch
        >>> from common.networks import build_encoder
        >>> network = Classifier(build_encoder("resnet18", in_channels=1, image_size=64), num_classes=14)
        >>> network(torch.rand(2, 1, 64, 64)).shape
        torch.Size([2, 14])
    """

    def __init__(self, encoder: Encoder, num_classes: int):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.embed_dim, num_classes)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, K) of images (B, C, H, W) in [0, 1]."""
        return self.head(self.encoder.embed(images))

    def input_shape(self) -> tuple[int, ...]:
        """The encoder's."""
        return self.encoder.input_shape()
