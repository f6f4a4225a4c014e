"""Files that hold no weights, or spoilt ones: each is said to be what it is."""

import gzip
import zipfile

import pytest
import torch
from safetensors.torch import load_file, save_file

from common.networks import UnreadableCheckpointError, load_encoder, save_encoder


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
