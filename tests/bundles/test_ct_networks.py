"""The paper's table of shapes, and the head that only training knows."""

import pytest
import torch

from bundles.ct_diagnosis_classification.scripts.backbones import build_backbone
from bundles.ct_diagnosis_classification.scripts.network import DiagnosisNetwork, WithSegmentation
from common.losses import LabelMapLoss

CHEST, ABDOMEN, SMALL = (96, 192, 192), (160, 176, 192), (32, 32, 32)
PAPER = {"r3d_18": (512, 33.1), "mvit_v2_s": (768, 34.3), "swin3d_t": (768, 27.8)}
MEDICAL = {"swin_unetr": (768, 32), "resnet10": (512, 32), "resnet50": (2048, 32)}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture(params=PAPER)
def architecture(request):
    return request.param


def small(architecture, num_structures=3, **options):
    alone = DiagnosisNetwork(build_backbone(architecture, SMALL, **options), 4)
    return WithSegmentation(alone, num_structures) if num_structures else alone


def volumes(size=SMALL, batch=2):
    return torch.randn(batch, 1, *size)


@pytest.mark.parametrize(("crop", "grid"), [(CHEST, (6, 12, 12)), (ABDOMEN, (10, 11, 12))])
def test_shapes_at_paper_size(architecture, crop, grid):
    """Methods, section 5: computed without memory or arithmetic."""
    channels, millions = PAPER[architecture]
    with torch.device("meta"), torch.no_grad():
        backbone = build_backbone(architecture, crop)
        assert backbone.features(torch.empty(1, 1, *crop)).shape == (1, channels, *grid)
    count = sum(parameter.numel() for parameter in backbone.parameters()) / 1e6
    assert int(count * 10) / 10 == millions or round(count, 1) == millions


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        ("r3d_18", ["48x96x96x64", "48x96x96x64", "24x48x48x128", "12x24x24x256", "6x12x12x512"]),
        ("swin3d_t", ["6x96x96x96", "6x96x96x96", "6x48x48x192", "6x24x24x384", "6x12x12x768"]),
    ],
)
def test_grids_of_the_stages_at_paper_size(architecture, expected):
    with torch.device("meta"), torch.no_grad():
        body = build_backbone(architecture, CHEST).body
        x = (body.stem if architecture == "r3d_18" else body.patch_embed)(torch.empty(1, 1, *CHEST))
        stages = [body.layer1, body.layer2, body.layer3, body.layer4] if architecture == "r3d_18" else body.features
        found = [x]
        for stage in stages:
            merged = not isinstance(stage, torch.nn.Sequential)
            x = stage(x)
            found += [] if merged else [x]
    shapes = [tuple(x.shape[1:]) for x in found]
    if architecture == "r3d_18":
        shapes = [(d, h, w, c) for c, d, h, w in shapes]
    assert ["x".join(map(str, shape)) for shape in shapes] == expected


def test_mvit_begins_with_the_tokens_of_the_paper():
    with torch.device("meta"), torch.no_grad():
        body = build_backbone("mvit_v2_s", CHEST).body
        tokens = body.pos_encoding(body.conv_proj(torch.empty(1, 1, *CHEST)).flatten(2).transpose(1, 2))
    assert tokens.shape == (1, 55297, 96)
    assert (body.pos_encoding.temporal_size, *body.pos_encoding.spatial_size) == (6, 96, 96)


@pytest.mark.parametrize(
    ("narrow", "first", "options", "stride"),
    [
        ("r3d_18", "layer1.0.conv1.0.weight", {"width": 16}, 16),
        ("mvit_v2_s", "conv_proj.weight", {"width": 24}, 16),
        ("mvit_v2_s", "conv_proj.weight", {"width": 24, "patch_depth": 4}, 4),
        ("swin3d_t", "patch_embed.proj.weight", {"width": 32}, 16),
        ("swin3d_t", "patch_embed.proj.weight", {"width": 32, "patch_depth": 8}, 8),
    ],
)
def test_narrow_networks_have_fewer_channels_and_thin_patches_more_cells(narrow, first, options, stride):
    backbone = build_backbone(narrow, SMALL, **options).eval()
    assert backbone.body.state_dict()[first].shape[0] == options["width"]
    with torch.no_grad():
        assert backbone.features(volumes()).shape == (2, 8 * options["width"], 32 // stride, 2, 2)
    with pytest.raises(ValueError, match=f"D = 30 is no multiple of {stride}"):
        backbone.encode(volumes((30, 32, 32)))


@pytest.mark.parametrize(
    ("shallow", "options", "grid"),
    [
        ("r3d_18", {"width": 16, "depths": (1, 1, 1)}, (4, 4, 4)),
        ("mvit_v2_s", {"width": 24, "depths": (1, 1, 2)}, (2, 4, 4)),
        ("swin3d_t", {"width": 32, "depths": (1, 1, 2)}, (2, 4, 4)),
        ("swin3d_t", {"width": 32, "depths": (1, 1, 2, 1)}, (2, 2, 2)),
    ],
)
def test_shallow_networks_have_fewer_blocks_and_three_stages_a_finer_grid(shallow, options, grid):
    backbone = build_backbone(shallow, SMALL, **options)
    channels = options["width"] * 2 ** (len(options["depths"]) - 1)
    assert backbone.channels == channels and backbone.eval()(volumes()).shape == (2, channels, *grid)
    whole = build_backbone(shallow, SMALL, width=options["width"])
    assert len(backbone.state_dict()) < len(whole.state_dict())


@pytest.mark.parametrize("depths", [(1, 1), (1, 1, 0), (1, 1, 1, 1, 1)])
def test_other_numbers_of_stages_are_refused(depths, architecture):
    with pytest.raises(ValueError, match="expected the blocks of four stages, or of three"):
        build_backbone(architecture, SMALL, depths=depths)


def test_a_width_without_whole_heads_is_refused():
    with pytest.raises(ValueError, match="width is 24; expected a multiple of 32"):
        build_backbone("swin3d_t", SMALL, width=24)


@pytest.mark.parametrize("architecture", MEDICAL)
def test_shapes_of_medical_backbones(architecture):
    channels, stride = MEDICAL[architecture]
    backbone = build_backbone(architecture, (64, 32, 96)).eval()
    with torch.no_grad():
        features = backbone.features(volumes((64, 32, 96), 1))
    assert features.shape == (1, channels, 64 // stride, 32 // stride, 96 // stride)


def test_without_pooling_a_resnet_fits_the_abdomen():
    with torch.device("meta"), torch.no_grad():
        backbone = build_backbone("resnet50", ABDOMEN, max_pool=False)
        assert backbone.features(torch.empty(1, 1, *ABDOMEN)).shape == (1, 2048, 10, 11, 12)


def test_a_crop_that_does_not_fit_names_the_nearest(architecture):
    for crop, words in (
        ((96, 200, 192), r"H = 200 is no multiple of 16. Set crop_size#1 to 192 or 208"),
        ((8, 192, 192), r"D = 8 is no multiple of 16. Set crop_size#0 to 16"),
        ((96, 192), "three numbers"),
    ):
        with pytest.raises(ValueError, match=words), torch.device("meta"):
            build_backbone(architecture, crop)
    with pytest.raises(ValueError, match="W = 40"):
        small("r3d_18")(volumes((32, 32, 40)))
    with pytest.raises(ValueError, match=r"H = 176 is no multiple of 32.* 160 or 192"):
        build_backbone("resnet10", ABDOMEN)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="expected one of r3d_18"):
        build_backbone("r3d_19", SMALL)
    with pytest.raises(ValueError, match="pool is 'max'"):
        build_backbone("mvit_v2_s", SMALL, pool="max")
    with pytest.raises(ValueError, match="background included"):
        small("resnet10", num_structures=1)


def test_other_sizes_than_the_one_built_for(architecture):
    network = small(architecture).eval()
    with torch.no_grad():
        assert network(volumes((48, 32, 64), 1)).shape == (1, 4)


def test_heads_are_what_the_paper_says(architecture):
    network, x = small(architecture), volumes()
    torch.manual_seed(1)
    outputs = network(x)
    torch.manual_seed(1)
    features = network.network.backbone.features(x)
    weight, bias = network.network.classifier.weight, network.network.classifier.bias
    assert torch.allclose(outputs["logits"], features.flatten(2).mean(2) @ weight.T + bias, atol=1e-6)
    grid = torch.einsum("bcdhw,sc->bsdhw", features, network.segmenter.weight[:, :, 0, 0, 0])
    grid = grid + network.segmenter.bias.view(1, -1, 1, 1, 1)
    assert torch.allclose(outputs["segmentation"], grid, atol=1e-5)
    # trilinear: of two cells of 16 voxels, whose centres lie at 8 and 24, each voxel centre takes its share
    second = ((torch.arange(32) + 0.5 - 8) / 16).clamp(0, 1)
    share = torch.stack([1 - second, second], dim=1)
    enlarged = torch.einsum("bsdhw,Dd,Hh,Ww->bsDHW", grid, share, share, share)
    masks = torch.randint(0, 3, (2, 1, *SMALL))
    expected = -enlarged.log_softmax(1).gather(1, masks).mean()
    assert torch.allclose(LabelMapLoss()(outputs["segmentation"], masks)["loss"], expected, atol=1e-5)


def test_mvit_pools_patches_and_on_request_the_class_token():
    mean, token = (build_backbone("mvit_v2_s", SMALL, pool=pool).eval() for pool in ("mean", "cls"))
    token.load_state_dict(mean.state_dict())
    x = volumes()
    with torch.no_grad():
        features, vector = mean.encode(x)
        same_features, class_token = token.encode(x)
        mean.body.head = torch.nn.Identity()
        grid = (2, 16, 16)
        mean.body.pos_encoding.temporal_size, mean.body.pos_encoding.spatial_size = grid[0], grid[1:]
        normed = []
        mean.body.norm.register_forward_hook(lambda module, inputs, output: normed.append(output))
        assert torch.allclose(class_token, mean.body(x), atol=1e-5)  # torchvision's own forward pass
    assert torch.allclose(features.flatten(2), normed[0][:, 1:].transpose(1, 2), atol=1e-5)  # its patches, in order
    assert torch.allclose(vector, features.mean((2, 3, 4))) and torch.equal(features, same_features)
    assert not torch.allclose(vector, class_token, atol=1e-2)


def test_training_alone_knows_the_second_task(architecture):
    network, x = small(architecture), volumes(batch=1)
    assert set(network.train()(x)) == {"logits", "segmentation"}
    assert isinstance(network.network.train()(x), torch.Tensor)
    with torch.no_grad():
        assert torch.equal(network.eval()(x), network.network(x)) and network(x).shape == (1, 4)


def test_both_arms_begin_with_the_same_weights():
    torch.manual_seed(5)
    with_head = small("resnet10").network.state_dict()
    torch.manual_seed(5)
    without = small("resnet10", num_structures=0).state_dict()
    assert with_head.keys() == without.keys() and not [key for key in without if "segmenter" in key]
    assert all(torch.equal(with_head[key], value) for key, value in without.items())


def test_channels_last_gives_the_same(architecture):
    network, x = small(architecture).eval(), volumes()
    with torch.no_grad():
        expected = network(x)
        fast = network.to(memory_format=torch.channels_last_3d)
        assert torch.allclose(fast(x.to(memory_format=torch.channels_last_3d)), expected, atol=1e-4)
