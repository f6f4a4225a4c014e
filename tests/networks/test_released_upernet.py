"""The released UperNet against its description (methods sections 7 and 8.6), written down once more in functions."""

import pytest
import torch
import torch.nn.functional as F

from common.command import read_recipe
from common.networks import SegmentationNetwork
from common.networks.released_upernet import ReleasedUperNet


@pytest.fixture
def network(small):
    network = SegmentationNetwork(small("swin"), "upernet_released", out_channels=3).eval()
    for module in network.modules():  # batch norms that do something
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    return network


def swin_maps(body, x):
    """Each stage's blocks, then the merging that timm keeps in the next stage, by hand."""
    x, maps = body.patch_embed(x), []
    for number, stage in enumerate(body.layers):
        x = stage.blocks(x)
        if number < 3:
            merge = body.layers[number + 1].downsample
            four = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
            norm = merge.norm
            x = merge.reduction(F.layer_norm(torch.cat(four, -1), norm.weight.shape, norm.weight, norm.bias))
        maps.append(x.permute(0, 3, 1, 2))
    return maps


def up(x, like):
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=True)


def reference(network, images):
    """Logits, from the weights alone."""
    w = {name.removeprefix("decoder."): value for name, value in network.state_dict().items()}

    def conv_norm_relu(name, x, padding, at=0):
        x = F.conv2d(x, w[f"{name}.{at}.weight"], padding=padding)
        norm = f"{name}.{at + 1}."
        moments = (w[norm + "running_mean"], w[norm + "running_var"], w[norm + "weight"], w[norm + "bias"])
        return F.batch_norm(x, *moments).relu()

    body = network.encoder.body
    fine, second, third, last = swin_maps(body, (images - network.encoder.mean) / network.encoder.std)
    context = [last]
    for i, bins in enumerate((1, 2, 4, 6)):
        context.append(up(conv_norm_relu(f"context.branches.{i}", F.adaptive_avg_pool2d(last, bins), 0, at=1), last))
    last = conv_norm_relu("context.fuse", torch.cat(context, 1), 1)
    second, third, last = (
        F.conv2d(x, w[f"laterals.{i}.weight"], w[f"laterals.{i}.bias"]) for i, x in enumerate((second, third, last))
    )
    sums = [fine + up(second, fine), second + up(third, second), third + up(last, third)]
    smooth = [F.conv2d(x, w["smooth.weight"], w["smooth.bias"], padding=1) for x in sums]
    fused = conv_norm_relu("fuse", torch.cat([up(x, fine) for x in (*smooth, last)], 1), 1)
    logits = F.conv2d(fused, w["head.weight"], w["head.bias"], padding=1)
    return F.interpolate(logits, images.shape[-2:], mode="bilinear", align_corners=False)


@pytest.mark.parametrize("size", [(128, 128), (128, 192)])
def test_it_computes_what_the_description_says(network, size):
    images = torch.rand(2, 1, *size)
    with torch.no_grad():
        expected = reference(network, images)
        torch.testing.assert_close(network(images), expected, atol=1e-5, rtol=1e-5)
    assert expected.std() > 1e-3


def test_a_swin_b_has_the_released_shapes():
    levels = [256, 512, 1024, 1024]
    shapes = {
        name: tuple(value.shape) for name, value in ReleasedUperNet(1, levels, (8, 16, 32, 32)).named_parameters()
    }
    assert shapes["context.branches.3.1.weight"] == (256, 1024, 1, 1)
    assert shapes["context.fuse.0.weight"] == (1024, 2048, 3, 3)
    assert [shapes[f"laterals.{i}.weight"] for i in range(3)] == [
        (256, 512, 1, 1),
        (256, 1024, 1, 1),
        (256, 1024, 1, 1),
    ]
    assert shapes["smooth.weight"] == (256, 256, 3, 3) and shapes["fuse.0.weight"] == (256, 1024, 3, 3)
    assert len(shapes) == 4 * 3 + 3 + 3 * 2 + 2 + 3


def test_maps_come_after_the_merging(network):
    maps = network.encoder.merged_pyramid(torch.rand(1, 1, 128, 128))
    assert [tuple(m.shape[1:]) for m in maps] == [(32, 16, 16), (64, 8, 8), (128, 4, 4), (128, 4, 4)]


@pytest.mark.parametrize("family", ["swin", "resnet"])
def test_every_parameter_learns(small, family):
    network = SegmentationNetwork(small(family), "upernet_released").train()
    side = network.encoder.description.image_size
    network(torch.rand(2, 1, side, side)).square().mean().backward()
    assert [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None] == []


def test_dropout_leaves_out_whole_channels_of_the_context(network):
    context = network.decoder.context.train()
    context.dropout.p = 0.5
    answer = context(torch.rand(2, 128, 4, 4) + 1)
    empty = (answer == 0).flatten(2).all(-1)
    assert 0.2 < empty.float().mean() < 0.9


def test_another_width_is_refused(small):
    with pytest.raises(ValueError, match="leave decoder_channels null"):
        SegmentationNetwork(small("swin"), "upernet_released", decoder_channels=16)


def test_an_overlay_of_the_bundle_selects_it():
    configs = "bundles/image_segmentation/configs"
    parser = read_recipe(f"{configs}/train.yaml", f"{configs}/released.yaml")
    parser.update({"image_size": 64, "architecture": "resnet18", "encoder_options": None})
    network = parser.get_parsed_content("network_def")
    assert isinstance(network.decoder, ReleasedUperNet) and network.head.out_channels == 1
