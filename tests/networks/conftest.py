import pytest
import torch
from strangers import bare

from common.networks import build_encoder, load_encoder

SWIN = {"window_size": 4, "depths": [2, 2, 1, 1], "embed_dim": 16, "num_heads": [1, 2, 2, 4]}
VIT = {"patch_size": 8, "depth": 6, "embed_dim": 48, "num_heads": 3}
SMALL = {
    "swin": ("swin_tiny_patch4_window7_224", 128, SWIN),
    "vit": ("vit_tiny_patch16_224", 64, VIT),
    "resnet": ("resnet18", 64, {}),
}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def small():
    """Builds a small encoder of one family: `small("vit", in_channels=3)`."""

    def build(family, **arguments):
        architecture, image_size, options = SMALL[family]
        return build_encoder(
            **{"architecture": architecture, "image_size": image_size, "options": options, **arguments}
        )

    return build


@pytest.fixture(params=SMALL)
def family(request):
    return request.param


@pytest.fixture
def resnets(small):
    """Two sets of weights of one architecture."""
    return bare(small("resnet", in_channels=3)), bare(small("resnet", in_channels=3))


@pytest.fixture
def load(tmp_path):
    """Saves a content and loads it as a ResNet-18 of three channels; gives its first convolution and the report."""

    def save_and_load(content, **arguments):
        torch.save(content, tmp_path / "theirs.pth")
        encoder, report = load_encoder(tmp_path / "theirs.pth", "resnet18", in_channels=3, **arguments)
        return encoder.body.conv1.weight.detach(), report

    return save_and_load
