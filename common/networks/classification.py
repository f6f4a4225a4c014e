"""A classification network: encoder and one linear layer."""

from torch import Tensor, nn

from .encoders import Encoder
from .exported import ExportedNetwork


class Classifier(ExportedNetwork):
    """Logits per image: a linear layer on the encoder's embedding, or a perceptron of two layers.

    The last layer starts from N(0, 0.01^2) and bias 0 (methods section 7), so that all classes begin near a logit of 0.

    Args:
        encoder: the pre-trained or random encoder; fine-tuned with the rest.
        num_classes: K, number of classes or findings.
        hidden: width of a layer with ReLU before the last one; None has none.

    Raises:
        ValueError: a width below 1.

    Example:
        >>> import torch
        >>> from common.networks import build_encoder
        >>> network = Classifier(build_encoder("resnet18", in_channels=1, image_size=64), num_classes=14)
        >>> network(torch.rand(2, 1, 64, 64)).shape
        torch.Size([2, 14])
    """

    def __init__(self, encoder: Encoder, num_classes: int, hidden: int | None = None):
        super().__init__()
        if hidden is not None and hidden < 1:
            raise ValueError(f"hidden is {hidden}; give the width of a layer, 1 or more, or null for none")
        self.encoder = encoder
        last = nn.Linear(hidden or encoder.embed_dim, num_classes)
        nn.init.normal_(last.weight, std=0.01)
        nn.init.zeros_(last.bias)
        self.head = last if hidden is None else nn.Sequential(nn.Linear(encoder.embed_dim, hidden), nn.ReLU(), last)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, K) of images (B, C, H, W) in [0, 1]."""
        return self.head(self.encoder.embed(images))

    def input_shape(self) -> tuple[int, ...]:
        """The encoder's."""
        return self.encoder.input_shape()
