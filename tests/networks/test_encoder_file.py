import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from common.networks import (
    EncoderDescription,
    UnreadableCheckpointError,
    build_encoder,
    describe_encoder,
    load_encoder,
    save_encoder,
)


def test_file_gives_the_same_encoder_back(small, family, tmp_path):
    encoder = small(family, mean=0.3, std=0.4).eval()
    path = save_encoder(encoder, tmp_path / "new" / "e.safetensors", "cxr_ace", ["phantom"], "abc123")
    again, report = load_encoder(path)
    assert again.description == EncoderDescription(
        encoder.description.architecture,
        encoder.description.options,
        1,
        encoder.description.image_size,
        (0.3,),
        (0.4,),
        "cxr_ace",
        ("phantom",),
        "abc123",
    )
    assert report.share == 1 and not report.missing and not report.unused and not report.resampled
    side = encoder.description.image_size
    x = torch.rand(1, 1, side, side)
    assert torch.equal(again.eval().embed(x), encoder.embed(x))
    assert sorted(p.name for p in path.parent.iterdir()) == ["e.safetensors"]


def test_whoever_may_read_a_new_file_may_read_it(small, tmp_path):
    (tmp_path / "other").touch()
    path = save_encoder(small("resnet"), tmp_path / "e.safetensors", "cxr_ace", ["phantom"])
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_file_has_timms_names_and_a_readable_header(small, tmp_path):
    encoder = small("swin")
    path = save_encoder(encoder, tmp_path / "e.safetensors")
    assert load_file(path).keys() == encoder.body.state_dict().keys()
    with safe_open(str(path), framework="pt") as file:
        header = json.loads(file.metadata()["encoder"])
    assert header["architecture"] == "swin_tiny_patch4_window7_224" and header["options"]["window_size"] == 4


def test_scratch_has_the_files_architecture_and_other_weights(small, tmp_path):
    encoder = small("vit")
    path = save_encoder(encoder, tmp_path / "e.safetensors", "cxr_ace")
    scratch = build_encoder(file=path, load_weights=False, drop_path=0.1)
    assert scratch.state_dict().keys() == encoder.state_dict().keys()
    assert not torch.equal(scratch.state_dict()["body.cls_token"], encoder.state_dict()["body.cls_token"])
    assert scratch.description.options == encoder.description.options and scratch.description.method == ""


def test_keeps_its_history_when_saved_again(small, tmp_path):
    first = save_encoder(small("vit"), tmp_path / "a.safetensors", "cxr_ace", ["nih"], "abc")
    second = save_encoder(build_encoder(file=first), tmp_path / "b.safetensors", corpora=["nih", "mine"])
    description = describe_encoder(second)
    assert (description.method, description.corpora, description.commit) == ("cxr_ace", ("nih", "mine"), "abc")


@pytest.mark.parametrize("load_weights", [True, False])
def test_refuses_another_architecture_with_both_names(small, tmp_path, load_weights):
    path = save_encoder(small("vit"), tmp_path / "e.safetensors")
    with pytest.raises(ValueError, match=r"vit_tiny_patch16_224, but architecture is resnet50: remove architecture"):
        build_encoder("resnet50", file=path, load_weights=load_weights)
    with pytest.raises(ValueError, match=r"'depth': 6.*'depth': 3.*remove options"):
        build_encoder("vit_tiny_patch16_224", options={"depth": 3}, file=path, load_weights=load_weights)


def test_vit_at_another_size_resamples_positions(small, tmp_path):
    encoder = small("vit").eval()
    path = save_encoder(encoder, tmp_path / "e.safetensors")
    larger, report = load_encoder(path, image_size=96)
    assert report.resampled == ("pos_embed",)
    x = torch.rand(1, 1, 96, 96)
    # Resampling once at loading is what the encoder built for 64 does on each forward.
    torch.testing.assert_close(larger.eval().embed(x), encoder.embed(x), atol=1e-5, rtol=1e-5)


def test_swin_tables_stay_while_windows_do(small, tmp_path):
    path = save_encoder(small("swin", image_size=256), tmp_path / "e.safetensors")
    _, same = load_encoder(path, image_size=512)
    assert not same.resampled and same.share == 1
    # At 64 pixels the last two stages have fewer cells than a window, so it shrinks and its table with it.
    smaller, report = load_encoder(path, image_size=64)
    assert report.share == 1 and report.resampled
    assert all(key.startswith("layers.3.") for key in report.resampled)
    assert smaller.embed(torch.rand(1, 1, 64, 64)).isfinite().all()


def test_missing_empty_and_torn_files(small, tmp_path):
    with pytest.raises(FileNotFoundError, match="which a recipe has as encoder_file"):
        build_encoder(file=tmp_path / "none.safetensors")
    empty = tmp_path / "empty.safetensors"
    empty.touch()
    with pytest.raises(UnreadableCheckpointError, match="empty"):
        load_encoder(empty, "resnet18")
    whole = save_encoder(small("vit"), tmp_path / "e.safetensors").read_bytes()
    for length in (20, 400, len(whole) - 5):
        torn = tmp_path / f"torn{length}.safetensors"
        torn.write_bytes(whole[:length])
        with pytest.raises(UnreadableCheckpointError, match="damaged"):
            load_encoder(torn)


def test_failed_save_leaves_the_old_file(small, tmp_path, monkeypatch):
    path = save_encoder(small("vit"), tmp_path / "e.safetensors")
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("common.networks.encoder_file.save_file", full)
    with pytest.raises(OSError, match=r"No space left.*Free space"):
        save_encoder(small("vit"), path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1
