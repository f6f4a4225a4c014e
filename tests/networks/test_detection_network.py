import pytest
import torch

from common.networks import DetectionNetwork
from common.networks.detection import decode, square_anchors


@pytest.mark.parametrize("family", ["swin", "vit", "resnet"])
def test_boxes_and_logits_for_each_anchor_and_a_gradient_for_each_weight(small, family):
    encoder = small(family)
    side = encoder.description.image_size
    network = DetectionNetwork(encoder, num_findings=3, width=16)
    out = network(torch.rand(2, 1, side, side))
    assert out.shape == (2, 7, len(network.anchors)) and sum(network.anchors_per_level) == len(network.anchors)
    out.square().mean().backward()
    without = [name for name, weight in network.named_parameters() if weight.requires_grad and weight.grad is None]
    assert not without  # DDP waits for a gradient of each


def test_a_new_network_gives_its_anchors_and_hardly_any_score(small):
    encoder = small("resnet")
    side = encoder.description.image_size
    network = DetectionNetwork(encoder, num_findings=2, width=16)
    torch.nn.init.zeros_(network.regression.bbox_reg.weight)
    torch.nn.init.zeros_(network.classification.cls_logits.weight)
    out = network(torch.rand(1, 1, side, side))
    torch.testing.assert_close(out[0, :4].T, network.anchors)
    torch.testing.assert_close(out[0, 4:].sigmoid(), torch.full_like(out[0, 4:], 0.01))  # RetinaNet's prior


def test_a_cell_of_the_map_is_the_anchor_at_its_place(small):
    """The classification of one cell, by row and column, is the logit of the anchor around that cell's pixels."""
    encoder = small("resnet")
    side = encoder.description.image_size
    network = DetectionNetwork(encoder, num_findings=1, width=16, anchor_scale=1.0).eval()
    cells = side // 8
    row, col = cells - 1, 1
    network.classification.register_forward_hook(
        lambda module, inputs, maps: [marked(level, cells, row, col) for level in maps]
    )
    out = network(torch.rand(1, 1, side, side))
    marks = out[0, 4] > 0
    assert network.anchors[marks].tolist() == [[row * 8.0, col * 8.0, row * 8.0 + 8, col * 8.0 + 8]]


def marked(level, cells, row, col):
    marks = torch.full_like(level, -1.0)
    if level.shape[-1] == cells:
        marks[..., row, col] = 1.0
    return marks


def test_decoding_is_that_of_monai():
    from monai.apps.detection.utils.box_coder import BoxCoder

    torch.manual_seed(0)
    (anchors,) = square_anchors(32, [8], 4)
    shifts = torch.randn(1, 4, len(anchors))
    expected = BoxCoder(weights=(1.0,) * 4).decode_single(shifts[0].T, anchors)
    torch.testing.assert_close(decode(shifts, anchors)[0].T, expected)
    assert decode(torch.full_like(shifts, 1e4), anchors).isfinite().all()


def test_anchors_are_those_of_monai():
    from monai.apps.detection.utils.anchor_utils import AnchorGenerator

    generator = AnchorGenerator(sizes=((32,), (64,)), aspect_ratios=((1.0,), (1.0,)))
    maps = [torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 4, 4)]
    (expected,) = generator(torch.zeros(1, 1, 64, 64), maps)
    torch.testing.assert_close(torch.cat(square_anchors(64, [8, 16], 4)), expected)


def test_what_cannot_be_built_or_fed_is_refused(small):
    encoder = small("resnet")
    with pytest.raises(ValueError, match=r"finest_stride is 64.*2, 4, 8, 16, 32"):
        DetectionNetwork(encoder, finest_stride=64)
    with pytest.raises(ValueError, match="multiple of 8"):
        DetectionNetwork(encoder, width=20)
    with pytest.raises(ValueError, match="anchors"):
        DetectionNetwork(encoder, width=16)(torch.rand(1, 1, 96, 96))
