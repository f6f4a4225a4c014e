"""The paper's three backbones: torchvision's video networks with stems for one-channel volumes.

Depth takes the place of time. All three give a grid of one cell per 16 x 16 x 16 voxels.

Shapes: B batch, C channels, D H W space, d h w grid, T tokens.

Source: methods, section 5 (table of shapes); [E2] to [E8].
"""

from collections.abc import Mapping, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bundles.ct_diagnosis_classification.scripts.backbone import Backbone
from common.networks import torchvision_shim  # noqa: F401  before torchvision

from torchvision.models.video import MViT, r3d_18  # isort: skip
from torchvision.models.video.mvit import MSBlockConfig  # isort: skip
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


class MViTv2S(Backbone):
    """MViT-v2-S with patches of 16 x 2 x 2 voxels, relative positions only [E6].

    Args:
        architecture: `mvit_v2_s`.
        crop_size: (D, H, W) in voxels, for which its tables of relative positions are made; at another size they are
            interpolated on the fly.
        checkpointing: see `Backbone`.
        drop_path: stochastic depth rate of the deepest block, in [0, 1); torchvision's 0.2.
        pool: `mean` of the patch tokens, as the paper's equation 1, or `cls`, torchvision's class token [E7].

    Raises:
        ValueError: another `pool`.
    """

    channels, strides, new_parts = 768, (16, 16, 16), ("conv_proj.",)

    def __init__(
        self,
        architecture: str,
        crop_size: Sequence[int],
        checkpointing: bool = False,
        drop_path: float = 0.2,
        pool: str = "mean",
    ):
        super().__init__(architecture, checkpointing)
        if pool not in ("mean", "cls"):
            raise ValueError(f"pool is '{pool}'; expected 'mean' or 'cls'.")
        self.check_size(crop_size)
        self.pool = pool
        depth, height, width = crop_size
        self.body = MViT(
            spatial_size=(height, width),
            temporal_size=depth,
            block_setting=_mvit_v2_s_blocks(),
            residual_pool=True,
            residual_with_cls_embed=False,
            rel_pos_embed=True,
            proj_after_attn=True,
            stochastic_depth_prob=drop_path,
            patch_embed_kernel=PATCH,
            patch_embed_stride=PATCH,
            patch_embed_padding=(0, 0, 0),
        )
        self.body.conv_proj = nn.Conv3d(1, 96, kernel_size=PATCH, stride=PATCH)
        self.body.head = nn.Identity()

    def features(self, x_B1DHW: Tensor) -> Tensor:
        """Patch tokens after the final norm [E8] (B, 768, D/16, H/16, W/16)."""
        return self._tokens(x_B1DHW)[0]

    def encode(self, x_B1DHW: Tensor) -> tuple[Tensor, Tensor]:
        """Features, and their mean or the class token."""
        if self.pool == "mean":
            return super().encode(x_B1DHW)
        if not torch.jit.is_tracing():
            self.check_size(x_B1DHW.shape[2:])
        return self._tokens(x_B1DHW)

    def from_published(self, weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
        """Published weights with the tables of relative positions at this grid's lengths."""
        new, changed, ours = dict(weights), [], self.body.state_dict()
        for key, table_RC in weights.items():
            if ".rel_pos_" in key and key in ours and len(table_RC) != len(ours[key]):
                # what torchvision does in its forward pass for a grid that the table was not made for
                resized_1CR = F.interpolate(table_RC.float().T[None], size=len(ours[key]), mode="linear")
                new[key] = resized_1CR[0].T
                changed.append(key)
        return new, changed

    def _tokens(self, x_B1DHW: Tensor) -> tuple[Tensor, Tensor]:
        x_BCdhw = self.body.conv_proj(x_B1DHW)
        grid = tuple(x_BCdhw.shape[2:])
        x_BTC = self.body.pos_encoding(x_BCdhw.flatten(2).transpose(1, 2))
        for block in self.body.blocks:
            x_BTC, grid = self._run(block, x_BTC, grid)
        x_BTC = self.body.norm(x_BTC)
        return x_BTC[:, 1:].transpose(1, 2).unflatten(2, grid), x_BTC[:, 0]


def _mvit_v2_s_blocks() -> list[MSBlockConfig]:
    """The sixteen blocks of MViT-v2-S: from one stage to the next, width and heads double and H and W halve.

    torchvision writes them out inside `mvit_v2_s`, which takes no other grid than that of its weights.
    """
    blocks = []
    for stage, depth in enumerate((1, 2, 11, 2)):
        for block in range(depth):
            first = stage > 0 and block == 0
            width, pooled = 96 * 2**stage, 8 // 2**stage
            blocks.append(
                MSBlockConfig(
                    num_heads=2**stage,
                    input_channels=width // 2 if first else width,
                    output_channels=width,
                    kernel_q=[3, 3, 3],
                    kernel_kv=[3, 3, 3],
                    stride_q=[1, 2, 2] if first else [1, 1, 1],
                    stride_kv=[1, pooled, pooled],
                )
            )
    return blocks
