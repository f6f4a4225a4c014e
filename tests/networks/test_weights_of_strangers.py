"""Weights of other makes: which networks they fit."""

import re

import pytest
import timm
import torch
from strangers import bare

from common.networks import PoorMatchError, load_encoder

SWIN = {"window_size": 4, "embed_dim": 16, "num_heads": [1, 2, 2, 4]}


VIT = {"embed_dim": 24, "num_heads": 1, "depth": 2}


@pytest.mark.parametrize(
    ("family", "deeper", "shallower"),
    [
        ("swin_tiny_patch4_window7_224", SWIN | {"depths": [1, 1, 3, 1]}, SWIN | {"depths": [1, 1, 1, 1]}),
        ("vit_tiny_patch16_224", VIT | {"depth": 4}, VIT),
        ("resnet50", {"layers": [1, 1, 3, 1]}, {"layers": [1, 1, 2, 1]}),
        ("vit_tiny_patch16_224", VIT | {"init_values": 0.1}, VIT),
        ("vit_tiny_patch16_224", VIT | {"qk_norm": True}, VIT),
    ],
)
def test_weights_left_over_in_the_trunk_are_another_networks(tmp_path, family, deeper, shallower):
    big = timm.create_model(family, num_classes=0, **deeper)
    small = timm.create_model(family, num_classes=0, **shallower)
    torch.save(big.state_dict(), tmp_path / "big.pth")
    left_over = [key for key in big.state_dict() if key not in small.state_dict() and "num_batches" not in key]
    left_over = [key for key in left_over if "relative_position_index" not in key]
    with pytest.raises(PoorMatchError, match=rf"{len(left_over)} weights of the same parts.*{left_over[0]}") as refused:
        load_encoder(tmp_path / "big.pth", family, in_channels=3, options=shallower)
    assert set(left_over) == set(refused.value.report.unused)
    drop = {f"^{re.escape(key)}$": "" for key in left_over}  # who wants that says so
    assert load_encoder(tmp_path / "big.pth", family, in_channels=3, options=shallower, key_map=drop)[1].share == 1


def test_heads_decoders_and_buffers_beside_the_trunk_still_load(small, tmp_path):
    vit, swin, resnet = (small(name, in_channels=3) for name in ("vit", "swin", "resnet"))
    beside = {
        "vit": ["head.weight", "mask_token", "decoder_blocks.0.attn.qkv.weight", "pre_logits.fc.weight"],
        "swin": ["head.fc.weight", "norm0.weight", "decoder.layers.0.weight", "layers.0.blocks.0.attn_mask"],
        "resnet": ["fc.0.weight", "predictor.weight", "queue", "center", "teacher.center"],
    }
    for name, encoder in (("vit", vit), ("swin", swin), ("resnet", resnet)):
        extra = {key: torch.rand(2, 3) for key in beside[name]}
        torch.save({**bare(encoder), **extra}, tmp_path / "x.pth")
        described = encoder.description
        known = {"image_size": described.image_size, "options": described.options}
        _, report = load_encoder(tmp_path / "x.pth", described.architecture, in_channels=3, **known)
        derived = ("attn_mask", "relative_position_index")
        assert report.share == 1 and set(report.unused) == {key for key in extra if not key.endswith(derived)}


VITS = ("vit_tiny_patch16_224", {"depth": 12, "embed_dim": 24, "num_heads": 2})


@pytest.fixture
def file_of(tmp_path):
    """Saves weights of a timm model after a change, and loads them as another variant of it."""

    def save_and_load(change, architecture=VITS[0], options=VITS[1], size=64, **theirs):
        size = {} if architecture.startswith("resnet") else {"img_size": size}
        weights = timm.create_model(architecture, num_classes=0, **{**options, **theirs}, **size).state_dict()
        change(weights)
        torch.save(weights, tmp_path / "theirs.pth")
        return load_encoder(tmp_path / "theirs.pth", architecture, in_channels=1, image_size=64, options=options)

    return save_and_load


def drop(*names):
    def change(weights):
        for name in names:
            del weights[name]

    return change


@pytest.mark.parametrize(
    ("architecture", "options", "name"),
    [
        *((*VITS, name) for name in ("patch_embed.proj.weight", "patch_embed.proj.bias", "pos_embed", "cls_token")),
        (VITS[0], {**VITS[1], "reg_tokens": 4}, "reg_token"),
        ("swin_tiny_patch4_window7_224", SWIN, "patch_embed.proj.weight"),
        ("swin_tiny_patch4_window7_224", SWIN, "patch_embed.norm.bias"),
        ("swin_tiny_patch4_window7_224", SWIN, "layers.2.blocks.3.attn.relative_position_bias_table"),
        ("resnet18", {}, "conv1.weight"),
        ("resnet18", {}, "bn1.running_mean"),
    ],
)
def test_what_every_image_passes_first_must_be_there(file_of, architecture, options, name):
    with pytest.raises(PoorMatchError, match=rf"theirs\.pth.*noise.*: {name} is missing: .*key_map") as refused:
        file_of(drop(name), architecture, options)
    assert refused.value.report.missing == (name,) and refused.value.report.share > 0.95


@pytest.mark.parametrize(("theirs", "ours"), [(8, 16), (16, 8), (14, 16)])
def test_patches_of_another_size_are_refused_with_the_option_that_reads_them(file_of, theirs, ours):
    size = 8 * theirs  # as many patches, so that the positions fit
    with pytest.raises(
        PoorMatchError, match=rf"patch_embed\.proj\.weight has shape .*set patch_size of options to {theirs},"
    ):
        file_of(lambda _: None, options={**VITS[1], "patch_size": ours}, size=size, patch_size=theirs)
    assert file_of(lambda _: None, options={**VITS[1], "patch_size": 16}, patch_size=16)[1].share == 1


@pytest.mark.parametrize(
    "other",
    [{"class_token": False, "global_pool": "avg"}, {"no_embed_class": True}, {"reg_tokens": 4}],
)
def test_positions_of_another_layout_are_refused(file_of, other):
    with pytest.raises(PoorMatchError, match=r"pos_embed has shape .*set options \(class_token"):
        file_of(lambda _: None, **other)


@pytest.mark.parametrize("size", [32, 64, 224])
def test_positions_of_another_image_size_are_resampled_still(file_of, size):
    _, report = file_of(lambda _: None, size=size)
    assert report.share == 1 and report.channels == (3, 1)
    assert report.resampled == (() if size == 64 else ("pos_embed",))


def test_tables_of_another_window_are_resampled_still(tmp_path):
    theirs = timm.create_model("swin_tiny_patch4_window7_224", num_classes=0, img_size=256, **SWIN)
    torch.save(theirs.state_dict(), tmp_path / "x.pth")
    options = {**SWIN, "window_size": 8}
    report = load_encoder(tmp_path / "x.pth", "swin_tiny_patch4_window7_224", image_size=256, options=options)[1]
    assert report.share == 1 and len(report.resampled) == 12
