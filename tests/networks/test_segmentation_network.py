import pytest
import torch
from torch import nn

from common.networks import SegmentationNetwork

WIDTH = {"upernet": 16, "unet": 32, "swin_unetr": 8}


@pytest.fixture(params=WIDTH)
def decoder(request):
    return request.param


@pytest.fixture
def network(small, family, decoder):
    return SegmentationNetwork(small(family), decoder, out_channels=2, decoder_channels=WIDTH[decoder])


def test_logits_at_input_size_for_any_size_that_fits(network):
    stride = network.encoder.token_stride
    network.eval()
    for rows, columns in ((8, 8), (5, 7), (3, 2)):
        images = torch.rand(2, 1, rows * stride, columns * stride)
        assert network(images).shape == (2, 2, *images.shape[-2:])
    with pytest.raises(ValueError, match=f"multiples of {stride}, such as"):
        network(torch.rand(1, 1, 4 * stride + 2, 4 * stride))


def test_decoders_reach_their_resolution(network, decoder):
    """UperNet ends at its finest level, the others at full size; the head's resizing hides nothing else."""
    stride = network.encoder.token_stride
    images = torch.rand(1, 1, 3 * stride, 5 * stride)
    features = network.eval().decoder(images, network.pyramid(network.encoder.pyramid(images)))
    shrink = {"upernet": round(network.pyramid.strides[-4])}.get(decoder, 1)
    assert features.shape == (1, network.decoder.out_channels, 3 * stride // shrink, 5 * stride // shrink)


def test_trains_at_batch_one_and_every_parameter_learns(network):
    side = network.encoder.description.image_size
    network.train()(torch.rand(1, 1, side, side)).square().mean().backward()
    idle = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert idle == []  # a parameter without a gradient would stop distributed training
    fixed = [name for name, p in network.named_parameters() if not p.requires_grad]
    assert all(name.startswith("encoder.body.norm.") for name in fixed)


def test_group_norm_makes_samples_independent(small, decoder):
    """What the network says of one image does not depend on the others of the batch, in training mode too."""
    network = SegmentationNetwork(small("swin"), decoder, decoder_channels=WIDTH[decoder], norm="group").train()
    assert not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())
    images = torch.rand(3, 1, 128, 128)
    torch.testing.assert_close(network(images)[:1], network(images[:1]), atol=1e-5, rtol=1e-4)


def test_only_pooled_branches_of_upernet_leave_batch_norm(small):
    network = SegmentationNetwork(small("resnet"), "upernet", decoder_channels=16)
    kinds = {
        name: type(module)
        for name, module in network.decoder.named_modules()
        if isinstance(module, (nn.BatchNorm2d, nn.GroupNorm))
    }
    assert {name for name, kind in kinds.items() if kind is nn.GroupNorm} == {
        f"decoder.psp.blocks.{i}.1.1" for i in range(4)
    }
    assert nn.BatchNorm2d in kinds.values()


def test_logits_stay_where_their_pixels_are(small, decoder):
    """The pixel that moves a logit most lies near it: rows stay rows and columns columns."""
    network = SegmentationNetwork(small("resnet"), decoder, decoder_channels=WIDTH[decoder]).eval()
    images = torch.rand(1, 1, 128, 192, requires_grad=True)
    row, column = 100, 40
    (gradient,) = torch.autograd.grad(network(images)[0, 0, row, column], images)
    weight = gradient[0, 0].square()
    weight = weight / weight.sum()
    centre_row = (weight.sum(1) * torch.arange(128)).sum()
    centre_column = (weight.sum(0) * torch.arange(192)).sum()
    assert abs(centre_row - row) < 20 and abs(centre_column - column) < 20


def test_encoder_keeps_its_weights_and_state_is_strict(small):
    encoder = small("vit")
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    network = SegmentationNetwork(encoder, "unet", decoder_channels=32)
    after = {key.removeprefix("encoder."): value for key, value in network.state_dict().items() if ".body." in key}
    torch.testing.assert_close(after, before, atol=0, rtol=0)
    network.load_state_dict(network.state_dict(), strict=True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"decoder": "fpn"}, "upernet, upernet_released, unet, swin_unetr"),
        ({"decoder": "upernet_released"}, "needs a Swin or ResNet"),
        ({"decoder": "unet", "norm": "instance"}, "batch, group for decoder = 'unet'"),
    ],
)
def test_mistakes_are_named(small, arguments, words):
    with pytest.raises(ValueError, match=words):
        SegmentationNetwork(small("vit"), **arguments)


def test_paper_pyramid_of_a_vit(small):
    """Patches of 16 give strides 4, 8, 16, 32."""
    network = SegmentationNetwork(small("vit", image_size=64, options={"depth": 4, "embed_dim": 24, "num_heads": 1}))
    assert network.pyramid.strides == (4, 8, 16, 32)
    maps = network.pyramid(network.encoder.pyramid(torch.rand(1, 1, 64, 64)))
    assert [tuple(m.shape[1:]) for m in maps] == [(6, 16, 16), (12, 8, 8), (24, 4, 4), (24, 2, 2)]
