"""The paper's third backbone: torchvision's MViT-v2-S with a stem for one-channel volumes.

Shapes: B batch, C channels, D H W space, d h w grid, T tokens, R relative positions.

Source: methods, section 5 (table of shapes); [E2, E6, E7, E8].
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bundles.ct_diagnosis_classification.scripts.backbone_interface import Backbone, last_stage
from bundles.ct_diagnosis_classification.scripts.video import PATCH
from common.networks import torchvision_shim  # noqa: F401  before torchvision

from torchvision.models.video import MViT  # isort: skip
from torchvision.models.video.mvit import MSBlockConfig  # isort: skip


class MViTv2S(Backbone):
    """MViT-v2-S with patches of 16 x 2 x 2 voxels, relative positions only [E6].

    Args:
        architecture: `mvit_v2_s`.
        crop_size: (D, H, W) in voxels, for which its tables of relative positions are made; at another size they are
            interpolated on the fly.
        checkpointing: see `Backbone`.
        drop_path: stochastic depth rate of the deepest block, in [0, 1); torchvision's 0.2.
        pool: `mean` of the patch tokens, as the paper's equation 1, or `cls`, torchvision's class token [E7].
        width: channels of the first stage; each further stage has twice as many. Published weights have 96.
        patch_depth: voxels of a patch along D; thicker slices want fewer.
        depths: blocks of the stages, 1, 2, 11 and 2 in published weights; three stages give a grid twice as fine.

    Raises:
        ValueError: another `pool`.
    """

    new_parts = ("conv_proj.",)

    def __init__(
        self,
        architecture: str,
        crop_size: Sequence[int],
        checkpointing: bool = False,
        drop_path: float = 0.2,
        pool: str = "mean",
        width: int = 96,
        patch_depth: int = PATCH[0],
        depths: Sequence[int] = (1, 2, 11, 2),
    ):
        super().__init__(architecture, checkpointing)
        self.channels, stride = last_stage(width, depths)
        self.strides = (patch_depth, stride, stride)
        if pool not in ("mean", "cls"):
            raise ValueError(f"pool is '{pool}'; expected 'mean' or 'cls'.")
        self.check_size(crop_size)
        self.pool = pool
        patch = (patch_depth, *PATCH[1:])
        self.body = MViT(
            spatial_size=(crop_size[1], crop_size[2]),
            temporal_size=crop_size[0],
            block_setting=_mvit_v2_s_blocks(width, depths),
            residual_pool=True,
            residual_with_cls_embed=False,
            rel_pos_embed=True,
            proj_after_attn=True,
            stochastic_depth_prob=drop_path,
            patch_embed_kernel=patch,
            patch_embed_stride=patch,
            patch_embed_padding=(0, 0, 0),
        )
        self.body.conv_proj = nn.Conv3d(1, width, kernel_size=patch, stride=patch)
        self.body.head = nn.Identity()

    def features(self, x_B1DHW: Tensor) -> Tensor:
        """Patch tokens after the final norm [E8] (B, C, D/patch_depth, h, w), as those of Swin3D-T."""
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


def _mvit_v2_s_blocks(first_width: int, depths: Sequence[int]) -> list[MSBlockConfig]:
    """The blocks of MViT-v2-S, sixteen as published: from one stage to the next, width and heads double, H and W halve.

    torchvision writes them out inside `mvit_v2_s`, which takes no other grid than that of its weights.
    """
    blocks = []
    for stage, depth in enumerate(depths):
        for block in range(depth):
            first = stage > 0 and block == 0
            width, pooled = first_width * 2**stage, 8 // 2**stage
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
