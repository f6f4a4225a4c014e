"""A network small enough to train in a blink."""

import torch
from torch import Tensor, nn


class Brightness(nn.Module):
    """Guesses an image's mean brightness: (B, 1, H, W) in [0, 1] to (B, 1)."""

    def __init__(self, channels: int, dropout: float):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, channels, 3, stride=4), nn.GELU(), nn.AdaptiveAvgPool2d(1))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.dropout(torch.flatten(self.body(images), 1)))
