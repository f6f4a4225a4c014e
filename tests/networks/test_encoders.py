import copy

import pytest
import timm
import torch

from common.networks import build_encoder


def test_small_shapes(small, family):
    encoder = small(family, drop_path=0.1)
    side = encoder.description.image_size
    embedding, tokens = encoder.encode(torch.rand(2, 1, side, side))
    grid = side // encoder.token_stride
    assert embedding.shape == (2, encoder.embed_dim)
    assert tokens.shape == (2, encoder.embed_dim, grid, grid)
    maps = encoder.pyramid(torch.rand(2, 1, side, side))
    assert [m.shape[1] for m in maps] == list(encoder.pyramid_channels)
    assert [side // m.shape[2] for m in maps] == list(encoder.pyramid_strides)


@pytest.mark.parametrize(
    ("architecture", "size", "parameters", "tokens", "pyramid"),
    [
        # Parameters without a classifier, as published (88 M, 86 M and 25.6 M with 1000 classes).
        ("swin_base_patch4_window7_224", 448, 87_768_224 - 1_025_000, (1024, 14, 14), (128, 256, 512, 1024)),
        pytest.param(
            "vit_base_patch16_224", 224, 86_567_656 - 769_000, (768, 14, 14), (768,) * 4, marks=pytest.mark.slow
        ),
        pytest.param(
            "resnet50", 224, 25_557_032 - 2_049_000, (2048, 7, 7), (64, 256, 512, 1024, 2048), marks=pytest.mark.slow
        ),
        pytest.param(
            "swin_tiny_patch4_window7_224",
            224,
            28_288_354 - 769_000,
            (768, 7, 7),
            (96, 192, 384, 768),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_paper_shapes(architecture, size, parameters, tokens, pyramid):
    encoder = build_encoder(architecture, in_channels=3, image_size=size).eval()
    assert sum(p.numel() for p in encoder.parameters()) == parameters
    assert encoder.pyramid_channels == pyramid
    with torch.no_grad():
        encoding = encoder.encode(torch.rand(1, 3, size, size))
    assert encoding.tokens.shape == (1, *tokens)
    assert encoding.embedding.shape == (1, tokens[0])


def test_embedding_is_timms_own(small, family):
    encoder = small(family).eval()
    description = encoder.description
    sizes = {} if family == "resnet" else {"img_size": description.image_size}
    plain = timm.create_model(
        description.architecture, num_classes=0, in_chans=1, **sizes, **description.options
    ).eval()
    plain.load_state_dict({key.removeprefix("body."): value for key, value in encoder.state_dict().items()})
    x = torch.rand(2, 1, description.image_size, description.image_size)
    normalised = (x - 0.5056) / 0.252
    torch.testing.assert_close(encoder.embed(x), plain(normalised))
    last = plain.forward_features(normalised)
    expected = {"swin": lambda t: t.permute(0, 3, 1, 2), "resnet": lambda t: t}.get(
        family, lambda t: t[:, 1:].permute(0, 2, 1).reshape(2, -1, 8, 8)
    )(last)
    torch.testing.assert_close(encoder.tokens(x), expected)


def test_encode_is_one_pass(small, family):
    encoder = small(family)
    calls = []
    stem = encoder.body.conv1 if family == "resnet" else encoder.body.patch_embed
    stem.register_forward_hook(lambda *_: calls.append(1))
    encoder.encode(torch.rand(2, 1, encoder.description.image_size, encoder.description.image_size))
    assert len(calls) == 1


def test_tokens_are_row_then_column(small, family):
    """A spot low on the left changes the token low on the left most."""
    encoder = small(family).eval()
    stride = encoder.token_stride
    dark = torch.zeros(1, 1, 8 * stride, 4 * stride)
    spot = dark.clone()
    spot[..., 6 * stride : 7 * stride, stride : 2 * stride] = 1
    change = (encoder.tokens(spot) - encoder.tokens(dark)).norm(dim=1)[0]
    assert change.shape == (8, 4)
    assert divmod(int(change.argmax()), 4) == (6, 1)


def test_vit_pyramid_takes_the_meant_blocks(small):
    encoder = small("vit", options={"depth": 12, "embed_dim": 24, "num_heads": 1, "patch_size": 8}).eval()
    seen = []
    for i, block in enumerate(encoder.body.blocks, start=1):
        block.register_forward_hook(lambda module, given, out, i=i: seen.append((i, out)))
    maps = encoder.pyramid(torch.rand(1, 1, 64, 64))
    outputs = dict(seen)
    for number, features in zip((3, 6, 9, 12), maps, strict=True):
        torch.testing.assert_close(features.flatten(2).transpose(1, 2), outputs[number][:, 1:])


def test_vit_without_class_token_averages(small):
    options = {"patch_size": 8, "depth": 4, "embed_dim": 24, "num_heads": 1, "class_token": False, "global_pool": "avg"}
    encoding = small("vit", options=options).eval().encode(torch.rand(2, 1, 64, 64))
    torch.testing.assert_close(encoding.embedding, encoding.tokens.mean((2, 3)))


def test_other_sizes_and_sizes_that_do_not_fit(small, family):
    encoder = small(family)
    stride = encoder.token_stride
    assert encoder.tokens(torch.rand(2, 1, 3 * stride, 5 * stride)).shape[-2:] == (3, 5)
    with pytest.raises(ValueError, match=rf"multiples of {stride}, such as {2 * stride} or {3 * stride}"):
        encoder.embed(torch.rand(1, 1, 2 * stride + 4, 4 * stride))
    with pytest.raises(ValueError, match="multiples of"):
        small(family, image_size=2 * stride + 4)


def test_refuses_images_it_was_not_built_for(small):
    encoder = small("vit")
    with pytest.raises(ValueError, match="in_channels"):
        encoder.embed(torch.rand(1, 3, 64, 64))
    with pytest.raises(TypeError, match="divide by 255"):
        encoder.embed(torch.zeros(1, 1, 64, 64, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"architecture": "swin_bse_patch4_window7_224"}, "swin_base_patch4_window7_224"),
        ({"architecture": "efficientnet_b0"}, "no ViT, Swin or ResNet"),
        ({"options": {"dept": 3}}, "options.*dept"),
        ({"options": {"img_size": 32}}, "image_size instead"),
        ({"in_channels": 2}, "give mean and std"),
        ({"mean": [0.1, 0.2]}, "one per channel"),
        ({"std": 0.0}, "positive"),
        ({"architecture": None}, "Set architecture"),
    ],
)
def test_mistakes_are_named(small, arguments, words):
    with pytest.raises(ValueError, match=words):
        small("vit", **arguments)


def test_trains_in_bf16_and_copies(small, family):
    encoder = small(family, drop_path=0.2)
    side = encoder.description.image_size
    with torch.autocast("cpu", torch.bfloat16):
        encoder.embed(torch.rand(2, 1, side, side)).float().square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())
    twin = copy.deepcopy(encoder).eval()
    x = torch.rand(1, 1, side, side)
    torch.testing.assert_close(twin.embed(x), encoder.eval().embed(x))
    assert all(key.startswith("body.") for key in encoder.state_dict())
