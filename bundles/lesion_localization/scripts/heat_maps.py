"""Grad-CAM of a classifier on this collection's encoders.

Shapes: B batch, E channels of a token, h w token grid, T tokens with those that stand for no place, H W pixels.
"""

from typing import Any

import torch
from monai.visualize import GradCAM
from monai.visualize.class_activation_maps import ModelWithHooks
from torch import Tensor

from common.networks import Classifier, Encoder

# Of the last block, as in the papers' code: after attention in a Swin, before it in a ViT.
LAYERS = {"swin": "encoder.body.layers.{last_stage}.blocks.{last}.norm2", "vit": "encoder.body.blocks.{last}.norm1"}
RESNET = "encoder.body.layer4.{last}"


def target_layer(encoder: Encoder) -> str:
    """Name, in a `Classifier`, of the layer whose activations and gradients make the map."""
    body = encoder.body
    if encoder.family == "resnet":
        return RESNET.format(last=len(body.layer4) - 1)
    blocks = body.blocks if encoder.family == "vit" else body.layers[-1].blocks
    stages = 0 if encoder.family == "vit" else len(body.layers)
    return LAYERS[encoder.family].format(last=len(blocks) - 1, last_stage=stages - 1)


class OnGrid(ModelWithHooks):
    """MONAI's hooks, whose activations and gradients lie on the grid of places (B, E, h, w), whatever the encoder.

    A transformer's come as tokens (B, T, E); those of a ViT that stand for no place come first, and are left out.

    Args:
        network: whose last block is looked at.
    """

    def __init__(self, network: Classifier):
        super().__init__(network, target_layer(network.encoder), register_forward=True, register_backward=True)
        self.encoder = network.encoder

    def __call__(self, x: Tensor, class_idx: int | None = None, retain_graph: bool = False, **kwargs: Any) -> Any:
        """Logits, and of the layer activations and gradients."""
        logits, *parts = super().__call__(x, class_idx, retain_graph, **kwargs)
        grid = x.shape[-2] // self.encoder.token_stride, x.shape[-1] // self.encoder.token_stride
        activations, gradients = (tuple(_on_grid(value.detach(), grid) for value in part) for part in parts)
        return logits.detach(), activations, gradients


class HeatMaps:
    """MONAI's Grad-CAM (https://arxiv.org/abs/1610.02391), brought to the image's size; each map from 0 to 1.

    MONAI's own scaling makes the highest value 0 and the lowest 1, so that another takes its place. A map that is the
    same everywhere, which shows no place, is 0.

    Args:
        network: in evaluation mode.
    """

    def __init__(self, network: Classifier):
        hooks: Any = OnGrid(network)  # MONAI takes them in place of a module
        self.cam = GradCAM(hooks, target_layers="", postprocessing=min_max)

    def __call__(self, images_BCHW: Tensor, output: int) -> Tensor:
        """Maps (B, H, W) of where an output of the network comes from."""
        with torch.enable_grad():
            return self.cam(images_BCHW, class_idx=output)[:, 0]


def min_max(maps: Tensor) -> Tensor:
    """Each map of a batch scaled to 0 to 1; 0 where it is constant."""
    low, high = maps.amin((-2, -1), keepdim=True), maps.amax((-2, -1), keepdim=True)
    return (maps - low) / torch.where(high > low, high - low, 1.0)


def _on_grid(value: Tensor, grid: tuple[int, int]) -> Tensor:
    if value.ndim == 4:
        return value.contiguous()
    places_BET = value[:, -grid[0] * grid[1] :].transpose(1, 2)
    return places_BET.unflatten(2, grid).contiguous()
