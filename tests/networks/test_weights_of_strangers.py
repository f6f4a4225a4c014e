"""Weights of other makes: which copy is taken, what is refused, and what a file that holds none is said to be."""

import gzip
import re
import warnings
import zipfile

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from common.networks import PoorMatchError, UnreadableCheckpointError, load_encoder, save_encoder

SWIN = {"window_size": 4, "embed_dim": 16, "num_heads": [1, 2, 2, 4]}


def bare(encoder):
    return {key.removeprefix("body."): value.clone() for key, value in encoder.state_dict().items()}


def prefixed(weights, prefix):
    return {prefix + key: value for key, value in weights.items()}


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


# ---------------------------------------------------------------- another network's weights


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


# ---------------------------------------------------------------- what every image passes first


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


# ---------------------------------------------------------------- values


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(load, resnets, value):
    weights, _ = resnets
    weights["layer2.0.conv1.weight"][3, 2, 1, 0] = value
    with pytest.raises(
        UnreadableCheckpointError, match=r"theirs.pth: 1 of \d+ values of layer2.0.conv1.weight are NaN"
    ):
        load({"state_dict": weights})
    weights["layer2.0.conv1.weight"][3, 2, 1, 0] = 0.0
    assert load({**weights, "fc.weight": torch.full((2, 512), value)})[1].share == 1  # a head that is not taken


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_other_precisions_load_as_32_bit(tmp_path, resnets, dtype, channels):
    weights, _ = resnets
    theirs = {key: value.to(dtype) if value.is_floating_point() else value for key, value in weights.items()}
    torch.save(theirs, tmp_path / "x.pth")
    encoder, report = load_encoder(tmp_path / "x.pth", "resnet18", in_channels=channels)
    assert report.share == 1 and {p.dtype for p in encoder.parameters()} == {torch.float32}
    rounded = {key: value.to(dtype).float() if value.is_floating_point() else value for key, value in weights.items()}
    torch.save(rounded, tmp_path / "y.pth")
    twin, _ = load_encoder(tmp_path / "y.pth", "resnet18", in_channels=channels)
    assert all(torch.equal(value, twin.state_dict()[key]) for key, value in encoder.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool, torch.complex64, torch.float8_e4m3fn])
@pytest.mark.parametrize("name", ["conv1.weight", "layer2.0.conv1.weight"])
def test_weights_that_are_no_floats_are_refused_by_name(load, resnets, dtype, name):
    weights, _ = resnets
    weights[name] = weights[name].to(dtype)
    with pytest.raises(
        UnreadableCheckpointError, match=rf"{name} is {str(dtype).removeprefix('torch.')}, not a weight"
    ):
        load(weights)


# ---------------------------------------------------------------- copies and paths


@pytest.mark.parametrize(
    ("trained", "averaged"),
    [
        ("model", "model_ema"),
        ("state_dict", "state_dict_ema"),
        ("model", "ema"),
        ("net", "averaged"),
        ("student", "teacher"),
        ("network", "ema_model"),
    ],
)
def test_the_averaged_copy_is_taken_unless_the_student_is_asked_for(load, resnets, trained, averaged):
    one, other = resnets
    content = {trained: prefixed(one, "module."), averaged: other, "epoch": 3, "optimizer": {"state": {0: one}}}
    weight, report = load(content)
    assert torch.equal(weight, other["conv1.weight"]) and report.share == 1
    weight, report = load(content, part="student")
    assert torch.equal(weight, one["conv1.weight"]) and report.share == 1


def test_an_averaged_copy_inside_one_state_dict(load, resnets):
    one, other = resnets
    content = {"state_dict": {**prefixed(one, "model.backbone."), **prefixed(other, "ema_model.backbone.")}}
    assert torch.equal(load(content)[0], other["conv1.weight"])
    assert torch.equal(load(content, part="student")[0], one["conv1.weight"])


@pytest.mark.parametrize(
    "averaged",
    [
        {"shadow_params": [torch.rand(64, 3, 7, 7)]},
        {"conv1weight": torch.rand(64, 3, 7, 7)},
        {"conv1.weight": torch.rand(64, 3, 7, 7)},
    ],
)
def test_an_averaged_copy_that_cannot_be_taken_is_said(load, resnets, averaged):
    one, _ = resnets
    with pytest.warns(UserWarning, match=r"averaged weights \(ema\).*the trained ones \(model\) are taken"):
        weight, _ = load({"model": one, "ema": averaged})
    assert torch.equal(weight, one["conv1.weight"])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        load({"model": one, "ema_decay": 0.99, "ema_steps": torch.tensor(3)})
        load({"model": one, "ema": averaged}, part="student")


def test_only_an_averaged_copy(load, resnets):
    one, _ = resnets
    assert torch.equal(load({"teacher": one})[0], one["conv1.weight"])
    with pytest.raises(ValueError, match=r"only averaged weights \(teacher"):
        load({"teacher": one}, part="student")


def test_copies_between_which_nothing_decides_are_refused(load, resnets):
    one, other = resnets
    with pytest.raises(ValueError, match=r"theirs\.pth: .*several copies of the network: left, right"):
        load({"left": one, "right": other})
    content = {"state_dict": {**prefixed(one, "left."), **prefixed(other, "right.")}}
    assert torch.equal(load(content, key_map={"^right[.].*": ""})[0], one["conv1.weight"])


@pytest.mark.parametrize(
    "place",
    [
        lambda w: {"net": w},
        lambda w: {"network_weights": w},
        lambda w: {"teacher": w},
        lambda w: prefixed(w, "_orig_mod."),
        lambda w: prefixed(w, "module._orig_mod."),
        lambda w: prefixed(w, "_orig_mod.module."),
        lambda w: {"state_dict": prefixed(w, "model._orig_mod.encoder.module.backbone.")},
        lambda w: {"a": {"b": {"weights": prefixed(w, "trunk.")}}, "epoch": 3},
        lambda w: {"model": {**prefixed(w, "encoder."), "decoder.conv1.weight": torch.rand(2, 2)}},
        lambda w: {"encoder": w, "head": {"weight": torch.rand(2, 512)}},
    ],
)
def test_the_state_dict_is_found_wherever_it_lies(load, resnets, place):
    one, _ = resnets
    weight, report = load(place(one))
    assert torch.equal(weight, one["conv1.weight"]) and report.share == 1


@pytest.mark.parametrize("key", ["net", "network_weights", "teacher", "model", "state_dict"])
def test_a_key_map_is_used_before_any_layout_is_looked_for(load, resnets, key):
    one, _ = resnets
    theirs = {f"trunk/{name}".replace(".weight", ".gamma"): value for name, value in one.items()}
    weight, report = load({key: theirs}, key_map={"^trunk/": "", r"\.gamma$": ".weight"})
    assert torch.equal(weight, one["conv1.weight"]) and report.share == 1


# ---------------------------------------------------------------- files that hold no weights


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\nsize 102502400\n"


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (POINTER, "Git LFS pointer.*git lfs pull"),
        (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "web page.*download the weights"),
        (b"<html>404</html>", "web page"),
        (b'{"error": "Not found"}', "JSON text"),
        (b"", "empty"),
        (gzip.compress(b"x" * 3000), "packed with gzip.*gunzip w"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(100), "packed with 7z"),
        (b"PK\x03\x04" + bytes(500), "cut off after 504 bytes"),
        (b"\x89HDF\r\n\x1a\n" + bytes(500), "HDF5"),
        (b"just some words that are no weights at all", "no weights file"),
    ],
    ids=["pointer", "sign-in page", "html", "json", "empty", "gzip", "7z", "cut zip", "hdf5", "words"],
)
def test_what_is_no_weights_file_is_said_to_be_what_it_is(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableCheckpointError, match=f"(?s){name}.*{words}"):
        load_encoder(tmp_path / name, "resnet18")


def test_archives_of_something_else(tmp_path, small):
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("folder/weights.pth", b"x")
    with pytest.raises(UnreadableCheckpointError, match=r"inside: folder/weights.pth.*Unpack it"):
        load_encoder(tmp_path / "w.pth", "resnet18")
    torch.jit.trace(torch.nn.ReLU(), torch.rand(1)).save(str(tmp_path / "w.pth"))
    with pytest.raises(UnreadableCheckpointError, match=r"TorchScript.*state_dict"):
        load_encoder(tmp_path / "w.pth", "resnet18")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        load_encoder(tmp_path, "resnet18")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("kind", ["zip", "pickle", "safetensors"])
def test_a_file_that_was_cut_off_is_named(tmp_path, resnets, kind, share):
    path = tmp_path / "cut.bin"
    if kind == "safetensors":
        save_file(resnets[0], path)
    else:
        torch.save(resnets[0], path, _use_new_zipfile_serialization=kind == "zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UnreadableCheckpointError, match=r"cut.bin: .*(cut off|damaged).*again"):
        load_encoder(path, "resnet18", in_channels=3)


# ---------------------------------------------------------------- checksum


def test_a_flipped_byte_in_an_encoder_file_is_noticed(small, tmp_path):
    path = save_encoder(small("vit"), tmp_path / "e.safetensors", "cxr_ace")
    whole = path.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    digit = whole.index(b"0.5056")
    for place, bit in ((start + 3, 1), (len(whole) // 2, 16), (len(whole) - 1, 128), (digit + 2, 1)):
        flipped = bytearray(whole)
        flipped[place] ^= bit
        path.write_bytes(flipped)
        with pytest.raises(UnreadableCheckpointError, match=r"e.safetensors: its checksum.*again"):
            load_encoder(path)
    path.write_bytes(whole)
    assert load_encoder(path)[1].share == 1


def test_an_encoder_file_without_a_checksum_loads(small, tmp_path):
    encoder = small("vit")
    path = save_encoder(encoder, tmp_path / "e.safetensors")
    save_file(load_file(path), tmp_path / "old.safetensors", metadata={"encoder": encoder.description.to_json()})
    assert load_encoder(tmp_path / "old.safetensors")[1].share == 1
