"""The oracle: a grey image gives the same output before and after the channels and constants change."""

import pytest
import torch

from common.networks import load_encoder, save_encoder
from common.networks.stem import convert_stem

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CHEST = ((0.5056,), (0.252,))


def grey(side, channels=1):
    return torch.rand(2, 1, side, side).expand(-1, channels, -1, -1)


@pytest.mark.parametrize("family", ["swin", "vit"])
@pytest.mark.parametrize("constants", [CHEST, ((None,), (None,)), ((0.1,), (0.9,))])
def test_three_to_one_is_exact(small, tmp_path, family, constants):
    source = small(family, in_channels=3).eval()
    path = save_encoder(source, tmp_path / "e.safetensors")
    (mean,), (std,) = constants
    folded, report = load_encoder(path, in_channels=1, mean=mean, std=std)
    assert report.channels == (3, 1)
    assert folded.description.mean == pytest.approx((mean or 0.449,))
    x = grey(source.description.image_size)
    expected = source.encode(x.expand(-1, 3, -1, -1))
    got = folded.eval().encode(x)
    torch.testing.assert_close(got.embedding, expected.embedding, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(got.tokens, expected.tokens, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", ["swin", "vit"])
def test_one_to_three_and_back_is_exact(small, tmp_path, family):
    source = small(family).eval()
    x = grey(source.description.image_size)
    first = save_encoder(source, tmp_path / "one.safetensors")
    spread, _ = load_encoder(first, in_channels=3, mean=IMAGENET[0], std=IMAGENET[1])
    torch.testing.assert_close(spread.eval().embed(x.expand(-1, 3, -1, -1)), source.embed(x), atol=1e-5, rtol=1e-5)
    second = save_encoder(spread, tmp_path / "three.safetensors")
    back, _ = load_encoder(second, in_channels=1, mean=0.5056, std=0.252)
    torch.testing.assert_close(back.state_dict(), source.state_dict(), atol=1e-6, rtol=1e-5)


def test_resnet_is_exact_where_the_constants_agree(small, tmp_path):
    source = small("resnet", in_channels=3, mean=0.5056, std=0.252).eval()
    path = save_encoder(source, tmp_path / "e.safetensors")
    folded, _ = load_encoder(path, in_channels=1, std=0.5)
    assert folded.description.mean == (0.5056,)
    x = grey(64)
    torch.testing.assert_close(folded.eval().embed(x), source.embed(x.expand(-1, 3, -1, -1)), atol=1e-5, rtol=1e-5)


def test_resnet_differs_at_the_border_only(small, tmp_path):
    source = small("resnet", in_channels=3).eval()
    path = save_encoder(source, tmp_path / "e.safetensors")
    folded, _ = load_encoder(path, in_channels=1, mean=0.5056, std=0.252)
    x = grey(64)
    before = source.pyramid(x.expand(-1, 3, -1, -1))[0]
    after = folded.eval().pyramid(x)[0]
    inside = slice(2, -2)  # a 7 x 7 convolution with stride 2 reaches over the border from its outermost two cells
    torch.testing.assert_close(after[..., inside, inside], before[..., inside, inside], atol=1e-5, rtol=1e-5)


def test_equal_constants_leave_weights_bit_equal(small):
    weights = dict(small("resnet", in_channels=3).body.state_dict())
    new = convert_stem(weights, *IMAGENET, *IMAGENET)
    assert all(new[key] is weights[key] for key in weights)


def test_refuses_other_channel_counts(small):
    weights = dict(small("vit", in_channels=3).body.state_dict())
    with pytest.raises(ValueError, match="one of them must be 1"):
        convert_stem(weights, *IMAGENET, (0.5,) * 2, (0.5,) * 2)
