"""Two of the paper's backbones: torchvision's video ResNet and Swin with stems for one-channel volumes.

Depth takes the place of time. Both give a grid of one cell per 16 x 16 x 16 voxels, or finer ones on request.

Shapes: B batch, D H W space.

Source: methods, section 5 (table of shapes); [E2, E3, E8].
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from bundles.ct_diagnosis_classification.scripts.backbone_interface import Backbone, last_stage
from common.networks import torchvision_shim  # noqa: F401  before torchvision

from torchvision.models.video.resnet import BasicBlock, Conv3DSimple, VideoResNet  # isort: skip
from torchvision.models.video.swin_transformer import PatchEmbed3d, SwinTransformer3d  # isort: skip

PATCH = (16, 2, 2)  # voxels along D, H, W [P]


class R3D18(Backbone):
    """ResNet-18 of 3D convolutions; the stem halves all three sides.

    Args:
        architecture: `r3d_18`.
        crop_size: (D, H, W) in voxels; it changes nothing here.
        checkpointing: see `Backbone`.
        width: channels of the first stage; each further stage has twice as many. Published weights have 64.
        depths: blocks of the stages, 2, 2, 2 and 2 in published weights; three stages give a grid twice as fine.
    """

    new_parts = ("stem.",)

    def __init__(
        self,
        architecture: str,
        crop_size: Sequence[int],
        checkpointing: bool = False,
        width: int = 64,
        depths: Sequence[int] = (2, 2, 2, 2),
    ):
        super().__init__(architecture, checkpointing)
        self.channels, stride = last_stage(width, depths)
        self.strides = (stride, stride, stride)
        self.body = _VideoResNet18(width, depths)
        self.body.fc = nn.Identity()

    def features(self, x_B1DHW: Tensor) -> Tensor:
        """Output of the last stage (B, C, d, h, w); C = 8 width and d = D/16 with four stages."""
        x = self.body.stem(x_B1DHW)
        for stage in (self.body.layer1, self.body.layer2, self.body.layer3, self.body.layer4):
            for block in stage:
                x = self._run(block, x)
        return x


class Swin3DT(Backbone):
    """Video Swin-T with patches of 16 x 2 x 2 voxels and windows of 8 x 7 x 7.

    Where the grid is smaller than a window the window shrinks to it. torchvision, like the authors of Video Swin, then
    reads the window's table of relative positions as if only its depth had shrunk: exact at the paper's crops, where
    6 or 10 x at least 11 cells remain; with fewer than 7 cells along H or W (crops below 112 voxels) pre-trained
    tables are read at wrong offsets.

    Args:
        architecture: `swin3d_t`.
        crop_size: (D, H, W) in voxels; it changes nothing here.
        checkpointing: see `Backbone`.
        drop_path: stochastic depth rate of the deepest block, in [0, 1); torchvision's 0.1.
        width: channels of the first stage, a multiple of 32; each further stage has twice as many. Published weights
            have 96.
        patch_depth: voxels of a patch along D; thicker slices want fewer.
        depths: blocks of the stages, 2, 2, 6 and 2 in published weights; three stages give a grid twice as fine.

    Raises:
        ValueError: a width that attention heads of 32 channels do not divide.
    """

    new_parts = ("patch_embed.",)

    def __init__(
        self,
        architecture: str,
        crop_size: Sequence[int],
        checkpointing: bool = False,
        drop_path: float = 0.1,
        width: int = 96,
        patch_depth: int = PATCH[0],
        depths: Sequence[int] = (2, 2, 6, 2),
    ):
        super().__init__(architecture, checkpointing)
        if width < 32 or width % 32:
            raise ValueError(f"width is {width}; expected a multiple of 32, the channels of an attention head.")
        self.channels, stride = last_stage(width, depths)
        self.strides = (patch_depth, stride, stride)
        patch = [patch_depth, *PATCH[1:]]
        # torchvision's Swin3D-T (`swin3d_t`, which takes neither another patch nor another rate)
        self.body = SwinTransformer3d(
            patch_size=patch,
            embed_dim=width,
            depths=list(depths),
            num_heads=[width // 32 * 2**stage for stage in range(len(depths))],  # 32 channels each
            window_size=[8, 7, 7],
            stochastic_depth_prob=drop_path,
        )
        norm = partial(nn.LayerNorm, eps=1e-5)
        self.body.patch_embed = PatchEmbed3d(patch, in_channels=1, embed_dim=width, norm_layer=norm)
        self.body.head = nn.Identity()

    def features(self, x_B1DHW: Tensor) -> Tensor:
        """Tokens after the final norm [E8] (B, C, D/patch_depth, h, w); C = 8 width and h = H/16 with four stages."""
        x = self.body.pos_drop(self.body.patch_embed(x_B1DHW))
        for stage in self.body.features:  # blocks of one size, or one merging of patches
            for block in stage if isinstance(stage, nn.Sequential) else [stage]:
                x = self._run(block, x)
        return self.body.norm(x).permute(0, 4, 1, 2, 3)


class _VideoResNet18(VideoResNet):
    """torchvision's R3D-18 (`r3d_18`, which takes no width) with the paper's stem."""

    def __init__(self, width: int, depths: Sequence[int]):
        self.width = width
        super().__init__(BasicBlock, [Conv3DSimple] * 4, [*depths, 0][:4], partial(_stem, width))

    def _make_layer(self, block: Any, conv_builder: Any, planes: int, blocks: int, stride: int = 1) -> nn.Sequential:
        if stride == 1:  # the first stage
            self.inplanes = self.width
        if blocks == 0:
            return nn.Sequential()
        return super()._make_layer(block, conv_builder, planes * self.width // 64, blocks, stride)


def _stem(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(1, width, 2, stride=2, bias=False), nn.BatchNorm3d(width), nn.ReLU(True))  # [E3]
