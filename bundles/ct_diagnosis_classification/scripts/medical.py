"""Backbones beyond the paper: MONAI's 3D networks, whose published weights come from medical volumes.

Shapes: B batch, D H W space.
"""

from collections.abc import Mapping, Sequence

from monai.networks.nets.resnet import ResNet, resnet_params
from monai.networks.nets.swin_unetr import SwinTransformer
from torch import Tensor

from bundles.ct_diagnosis_classification.scripts.backbone_interface import Backbone

RESNETS: tuple[str, ...] = tuple(resnet_params)
_WIDTHS = [64, 128, 256, 512]


class SwinUNETREncoder(Backbone):
    """The Swin transformer of SwinUNETR, feature size 48, as self-supervised and fine-tuned weights have it.

    Args:
        architecture: `swin_unetr`.
        crop_size: (D, H, W) in voxels; it changes nothing here.
        checkpointing: see `Backbone`; here a block is a whole stage.
        drop_path: stochastic depth rate of the deepest block, in [0, 1).
    """

    channels, strides = 768, (32, 32, 32)

    def __init__(
        self, architecture: str, crop_size: Sequence[int], checkpointing: bool = False, drop_path: float = 0.0
    ):
        super().__init__(architecture, checkpointing)
        self.body = SwinTransformer(
            in_chans=1,
            embed_dim=48,
            window_size=(7, 7, 7),
            patch_size=(2, 2, 2),
            depths=(2, 2, 2, 2),
            num_heads=(3, 6, 12, 24),
            drop_path_rate=drop_path,
        )

    def features(self, x_B1DHW: Tensor) -> Tensor:
        """The deepest hidden state, normalised over channels as SwinUNETR does (B, 768, D/32, H/32, W/32)."""
        x = self.body.pos_drop(self.body.patch_embed(x_B1DHW))
        for stage in (self.body.layers1, self.body.layers2, self.body.layers3, self.body.layers4):
            x = self._run(stage[0], x.contiguous())
        return self.body.proj_out(x, normalize=True)

    def from_published(self, weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
        """The encoder of a whole SwinUNETR, or of the self-supervised file with its older names of the MLP."""
        inside = {key.removeprefix("swinViT."): value for key, value in weights.items() if key.startswith("swinViT.")}
        renamed = {
            key.replace(".mlp.fc1.", ".mlp.linear1.").replace(".mlp.fc2.", ".mlp.linear2."): value
            for key, value in (inside or weights).items()
        }
        return renamed, []


class MedicalResNet(Backbone):
    """MONAI's 3D ResNet as MedicalNet's weights have it: a stem of one channel, stride 2, and a max pooling.

    In `resnet18` and `resnet34` the shortcuts of MedicalNet (type A) pool and pad, and MONAI lets no gradient through
    them; the others have learned shortcuts.

    Args:
        architecture: `resnet10` ... `resnet200`.
        crop_size: (D, H, W) in voxels; it changes nothing here.
        checkpointing: see `Backbone`.
        max_pool: False leaves the pooling, which has no weights, out: a grid of 16 instead of 32 voxels per cell.
    """

    def __init__(self, architecture: str, crop_size: Sequence[int], checkpointing: bool = False, max_pool: bool = True):
        super().__init__(architecture, checkpointing)
        block, layers, shortcut, bias, _ = resnet_params[architecture]
        self.body = ResNet(
            block,
            layers,
            _WIDTHS,
            n_input_channels=1,
            conv1_t_stride=2,
            no_max_pool=not max_pool,
            shortcut_type=shortcut,
            feed_forward=False,
            bias_downsample=bias,
        )
        self.channels = 512 if block == "basic" else 2048
        self.strides = (32, 32, 32) if max_pool else (16, 16, 16)

    def features(self, x_B1DHW: Tensor) -> Tensor:
        """Output of the last stage (B, 512 or 2048, d, h, w)."""
        x = self.body.act(self.body.bn1(self.body.conv1(x_B1DHW)))
        if not self.body.no_max_pool:
            x = self.body.maxpool(x)
        for stage in (self.body.layer1, self.body.layer2, self.body.layer3, self.body.layer4):
            for block in stage:
                x = self._run(block, x)
        return x
