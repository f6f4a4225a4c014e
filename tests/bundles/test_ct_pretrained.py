"""Files built as their publishers lay them out; the loaded backbone must hold, and compute, what they hold."""

import os

import pytest
import torch
import torch.nn.functional as F

from bundles.ct_diagnosis_classification.scripts.backbones import build_backbone
from bundles.ct_diagnosis_classification.scripts.pretrained import load_published
from common.networks import PoorMatchError, UnreadableCheckpointError

from monai.networks.nets.swin_unetr import SwinUNETR  # isort: skip
from torchvision.models import video  # isort: skip

SMALL = (32, 32, 32)
STEMS = {"r3d_18": "stem.", "swin3d_t": "patch_embed.", "mvit_v2_s": "conv_proj."}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def published(architecture, path):
    """A file as torchvision publishes it: random here, with a 400-class head."""
    model = getattr(video, architecture)(weights=None).eval()
    for value in model.state_dict().values():
        if value.is_floating_point():  # norms too, which otherwise begin alike everywhere
            value.add_(0.02 * torch.rand_like(value))
    torch.save(model.state_dict(), path)
    return model


def load(architecture, path, crop=SMALL, **options):
    backbone = build_backbone(architecture, crop, **options)
    before = {key: value.clone() for key, value in backbone.body.state_dict().items()}
    return backbone.eval(), load_published(backbone, path), before


@pytest.mark.parametrize("architecture", STEMS)
def test_kinetics_weights_go_everywhere_but_into_the_stem(architecture, tmp_path):
    theirs = published(architecture, tmp_path / "kinetics.pth").state_dict()
    backbone, report, before = load(architecture, tmp_path / "kinetics.pth", crop=(128, 112, 112))
    stem = STEMS[architecture]
    for key, value in backbone.body.state_dict().items():
        assert torch.equal(value, before[key] if key.startswith(stem) else theirs[key]), key
    assert report.share == 1 and not report.missing and not report.mismatched and not report.resampled
    assert set(report.unused) == {key for key in theirs if key.startswith(("head.", "fc."))}


def test_mvit_computes_what_torchvision_does(tmp_path):
    """At the published grid, 8 x 56 x 56, tables are copied as they are; block settings are torchvision's."""
    theirs = published("mvit_v2_s", tmp_path / "mvit.pth")
    backbone, _, _ = load("mvit_v2_s", tmp_path / "mvit.pth", crop=(128, 112, 112))
    backbone.body.conv_proj = theirs.conv_proj
    theirs.head = torch.nn.Identity()
    theirs.pos_encoding.temporal_size, theirs.pos_encoding.spatial_size = 4, (16, 16)
    clip = torch.randn(1, 3, 8, 64, 64)
    with torch.no_grad():
        assert torch.allclose(backbone._tokens(clip)[1], theirs(clip), atol=1e-5)


@pytest.mark.parametrize("architecture", ["swin3d_t", "r3d_18"])
def test_the_others_compute_what_torchvision_does(architecture, tmp_path):
    theirs = published(architecture, tmp_path / "kinetics.pth")
    backbone, _, _ = load(architecture, tmp_path / "kinetics.pth")
    stem = STEMS[architecture].rstrip(".")
    setattr(backbone.body, stem, getattr(theirs, stem))
    clip = torch.randn(1, 3, 8, 56, 56)
    head = theirs.fc if architecture == "r3d_18" else theirs.head
    with torch.no_grad():
        pooled = backbone.features(clip).mean((2, 3, 4))
        assert torch.allclose(F.linear(pooled, head.weight, head.bias), theirs(clip), atol=1e-4)


def test_mvit_tables_are_interpolated_to_the_grid(tmp_path):
    theirs = published("mvit_v2_s", tmp_path / "mvit.pth").state_dict()
    backbone, report, _ = load("mvit_v2_s", tmp_path / "mvit.pth", crop=(96, 192, 192))
    assert report.share == 1 and len(report.resampled) == 3 * 16
    for key in ("blocks.0.attn.rel_pos_t", "blocks.3.attn.rel_pos_h", "blocks.15.attn.rel_pos_w"):
        before, after = theirs[key], backbone.body.state_dict()[key]
        # cell centres of the new table in the old one's index, linearly
        position = (torch.arange(len(after)) + 0.5) * len(before) / len(after) - 0.5
        position = position.clamp(0, len(before) - 1)
        low = position.floor().long()
        high = (low + 1).clamp(max=len(before) - 1)
        part = (position - low)[:, None]
        assert torch.allclose(after, before[low] * (1 - part) + before[high] * part, atol=1e-6), key


def test_the_option_pool_and_the_builder_take_the_file(tmp_path):
    published("mvit_v2_s", tmp_path / "mvit.pth")
    backbone = build_backbone("mvit_v2_s", SMALL, file=tmp_path / "mvit.pth", pool="cls")
    weights = torch.load(tmp_path / "mvit.pth", weights_only=True)
    assert torch.equal(backbone.body.norm.weight, weights["norm.weight"])
    assert torch.equal(backbone.body.pos_encoding.class_token, weights["pos_encoding.class_token"])


@pytest.fixture(scope="module")
def unetr():
    torch.manual_seed(3)
    return SwinUNETR(in_channels=1, out_channels=2, feature_size=48).eval()


def self_supervised(unetr):
    """`model_swinvit.pt`: the encoder under `module.` with timm's names of the MLP, and the heads of three tasks."""
    names = {key: key.replace("linear1", "fc1").replace("linear2", "fc2") for key in unetr.swinViT.state_dict()}
    weights = {f"module.{names[key]}": value for key, value in unetr.swinViT.state_dict().items()}
    heads = {"module.rotation_head.weight": torch.zeros(4, 768), "module.norm.weight": torch.ones(768)}
    return {"state_dict": {**weights, **heads}, "epoch": 7}


@pytest.mark.parametrize("layout", ["self-supervised", "whole network"])
def test_swin_unetr(layout, unetr, tmp_path):
    content = self_supervised(unetr) if layout == "self-supervised" else unetr.state_dict()
    torch.save(content, tmp_path / "model.pt")
    backbone, report, _ = load("swin_unetr", tmp_path / "model.pt")
    x = torch.randn(1, 1, *SMALL)
    with torch.no_grad():
        assert torch.allclose(backbone.features(x), unetr.swinViT(x, normalize=True)[-1], atol=1e-5)
    assert report.share == 1
    if layout == "self-supervised":
        theirs = SwinUNETR(in_channels=1, out_channels=2, feature_size=48)
        theirs.load_from(content)  # MONAI's own reading of the file
        for key, value in theirs.swinViT.state_dict().items():
            assert torch.equal(backbone.body.state_dict()[key], value), key
        assert set(report.unused) == {"rotation_head.weight", "norm.weight"}


@pytest.mark.parametrize("architecture", ["resnet10", "resnet18"])
def test_medical_net(architecture, tmp_path):
    from monai.networks.nets import ResNetFeatures

    theirs = ResNetFeatures(architecture, pretrained=False, spatial_dims=3, in_channels=1).eval()
    weights = {f"module.{key}": value for key, value in theirs.state_dict().items()}
    extra = {"module.conv_seg.0.weight": torch.zeros(2, 512)}
    torch.save({"state_dict": {**weights, **extra}}, tmp_path / "resnet.pth")
    backbone, report, _ = load(architecture, tmp_path / "resnet.pth")
    x = torch.randn(1, 1, 32, 64, 64)
    with torch.no_grad():
        assert torch.allclose(backbone.features(x), theirs(x)[-1], atol=1e-5)
    assert report.share == 1 and report.unused == ("conv_seg.0.weight",)


def test_another_network_is_refused_and_named(tmp_path):
    published("r3d_18", tmp_path / "kinetics.pth")
    backbone = build_backbone("swin3d_t", SMALL)
    before = backbone.body.norm.weight.clone()
    with pytest.raises(PoorMatchError, match=r"is no swin3d_t.*torchvision's video ResNet"):
        load_published(backbone, tmp_path / "kinetics.pth")
    assert torch.equal(backbone.body.norm.weight, before)
    with pytest.raises(PoorMatchError, match="is no resnet10"):
        build_backbone("resnet10", SMALL, file=tmp_path / "kinetics.pth")


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_nothing_in_a_file_is_run(tmp_path):
    torch.save({"stem.0.weight": torch.zeros(1), "x": Payload(tmp_path / "run")}, tmp_path / "evil.pth")
    with pytest.raises(UnreadableCheckpointError, match="could run any code"):
        build_backbone("r3d_18", SMALL, file=tmp_path / "evil.pth")
    assert not (tmp_path / "run").exists()
    with pytest.raises(FileNotFoundError):
        build_backbone("r3d_18", SMALL, file=tmp_path / "none.pth")
