"""What a network needs in order to leave the repository."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class ExportedNetwork(nn.Module, ABC):
    """A network that says what it takes, and that `torch.jit.script` can convert.

    The bodies come from timm, torchvision and MONAI, and parts of them (`forward_intermediates`, MONAI's Swin) are no
    TorchScript; others would be compiled for cases that never come. A trace gives the same answers, for any number of
    images: of another size than it was made with a convolutional or Swin network still answers rightly, and a ViT
    raises an error.
    """

    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """Channels and sizes of the image or volume that the network was built for."""

    def __prepare_scriptable__(self) -> nn.Module:
        """Asked for by `torch.jit.script`: a trace in evaluation mode."""
        weight = next(self.parameters())
        example = torch.rand(1, *self.input_shape(), dtype=weight.dtype, device=weight.device)
        training = self.training
        try:
            with torch.no_grad():
                return _Traced(torch.jit.trace(self.eval(), example, check_trace=False))
        finally:
            self.train(training)


class _Traced(nn.Module):
    """What is compiled around a trace, since nothing that is compiled already is taken."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images)
