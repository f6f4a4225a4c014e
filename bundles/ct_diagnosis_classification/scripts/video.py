"""Two of the paper's backbones: torchvision's video ResNet and Swin with stems for one-channel volumes.

Depth takes the place of time. Both give a grid of one cell per 16 x 16 x 16 voxels.

Shapes: B batch, D H W space.

Source: methods, section 5 (table of shapes); [E2, E3, E8].
"""

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn

from bundles.ct_diagnosis_classification.scripts.backbone import Backbone
from common.networks import torchvision_shim  # noqa: F401  before torchvision

from torchvision.models.video import r3d_18  # isort: skip
from torchvision.models.video.swin_transformer import PatchEmbed3d, SwinTransformer3d  # isort: skip

PATCH = (16, 2, 2)  # voxels along D, H, W [P]


class R3D18(Backbone):
    """ResNet-18 of 3D convolutions; the stem halves all three sides.

    Args:
        architecture: `r3d_18`.
        crop_size: (D, H, W) in voxels; it changes nothing here.
        checkpointing: see `Backbone`.
    """

    channels, strides, new_parts = 512, (16, 16, 16), ("stem.",)

    def __init__(self, architecture: str, crop_size: Sequence[int], checkpointing: bool = False):
        super().__init__(architecture, checkpointing)
        self.body = r3d_18(weights=None)
        convolution = nn.Conv3d(1, 64, kernel_size=2, stride=2, bias=False)
        nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")  # as torchvision's others
        self.body.stem = nn.Sequential(convolution, nn.BatchNorm3d(64), nn.ReLU(inplace=True))  # [E3]
        self.body.fc = nn.Identity()

    def features(self, x_B1DHW: Tensor) -> Tensor:
        """Output of the last stage (B, 512, D/16, H/16, W/16)."""
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
    """

    channels, strides, new_parts = 768, (16, 16, 16), ("patch_embed.",)

    def __init__(
        self, architecture: str, crop_size: Sequence[int], checkpointing: bool = False, drop_path: float = 0.1
    ):
        super().__init__(architecture, checkpointing)
        # torchvision's Swin3D-T (`swin3d_t`, which takes neither another patch nor another rate)
        self.body = SwinTransformer3d(
            patch_size=list(PATCH),
            embed_dim=96,
            depths=[2, 2, 6, 2],
            num_heads=[3, 6, 12, 24],
            window_size=[8, 7, 7],
            stochastic_depth_prob=drop_path,
        )
        norm = partial(nn.LayerNorm, eps=1e-5)
        self.body.patch_embed = PatchEmbed3d(list(PATCH), in_channels=1, embed_dim=96, norm_layer=norm)
        self.body.head = nn.Identity()

    def features(self, x_B1DHW: Tensor) -> Tensor:
        """Tokens after the final norm [E8] (B, 768, D/16, H/16, W/16)."""
        x = self.body.pos_drop(self.body.patch_embed(x_B1DHW))
        for stage in self.body.features:  # blocks of one size, or one merging of patches
            for block in stage if isinstance(stage, nn.Sequential) else [stage]:
                x = self._run(block, x)
        return self.body.norm(x).permute(0, 4, 1, 2, 3)
