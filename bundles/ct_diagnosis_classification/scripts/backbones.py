"""Build a backbone of CT volumes from its name."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bundles.ct_diagnosis_classification.scripts.backbone_interface import Backbone
from bundles.ct_diagnosis_classification.scripts.medical import RESNETS, MedicalResNet, SwinUNETREncoder
from bundles.ct_diagnosis_classification.scripts.mvit import MViTv2S
from bundles.ct_diagnosis_classification.scripts.pretrained import load_published
from bundles.ct_diagnosis_classification.scripts.video import R3D18, Swin3DT

BACKBONES: dict[str, Callable[..., Backbone]] = {
    "r3d_18": R3D18,
    "mvit_v2_s": MViTv2S,
    "swin3d_t": Swin3DT,
    "swin_unetr": SwinUNETREncoder,
    **dict.fromkeys(RESNETS, MedicalResNet),
}


def build_backbone(
    architecture: str,
    crop_size: Sequence[int],
    file: str | Path | None = None,
    checkpointing: bool = False,
    **options: Any,
) -> Backbone:
    """Build a backbone for one-channel volumes, from random weights or a published file.

    Args:
        architecture: `r3d_18`, `mvit_v2_s` or `swin3d_t` (torchvision; the paper's three), `swin_unetr` or `resnet10`
            ... `resnet200` (MONAI).
        crop_size: (D, H, W) in voxels of the volumes that it will mostly see.
        file: published weights to begin with (`load_published`); None keeps random ones.
        checkpointing: trade time for memory in training, see `Backbone`.
        options: further arguments of the backbone's class: `width` and `depths` (the paper's three),
            `patch_depth` and `drop_path` (their transformers), `pool` (MViT), `max_pool` (MONAI's ResNets).

    Raises:
        ValueError: an unknown name, or a crop that does not fit (names the nearest that does).
        PoorMatchError: the file holds another network.
    """
    if architecture not in BACKBONES:
        raise ValueError(f"architecture is '{architecture}'; expected one of {', '.join(BACKBONES)}.")
    backbone = BACKBONES[architecture](architecture, crop_size, checkpointing=checkpointing, **options)
    backbone.check_size(crop_size)
    backbone.crop_size = tuple(crop_size)
    if file is not None:
        load_published(backbone, file)
    return backbone
