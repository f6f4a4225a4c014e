"""Headers that a stranger wrote: what is no description of an encoder is refused before anything is built."""

import json

import pytest
import torch
from safetensors.torch import save_file

from common.networks import UnreadableCheckpointError, build_encoder, describe_encoder, load_encoder
from common.networks.options import KINDS

CODE = "$open('trap', 'w').close()"


@pytest.fixture
def header(small, tmp_path, monkeypatch):
    """Writes the file of a small ViT whose header has other entries; nothing may create `trap`."""
    monkeypatch.chdir(tmp_path)
    encoder = small("vit")
    weights = {key: value.contiguous() for key, value in encoder.body.state_dict().items()}

    def write(text=None, **entries):
        content = json.loads(encoder.description.to_json()) | entries
        path = tmp_path / "stranger.safetensors"
        save_file(weights, path, metadata={"encoder": json.dumps(content) if text is None else text})
        return path

    yield write
    assert not (tmp_path / "trap").exists()


VIT = {"patch_size": 8, "depth": 6, "embed_dim": 48, "num_heads": 3}


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"options": VIT | {"qkv_bias": CODE}}, "qkv_bias.*true or false"),
        ({"options": VIT | {"fix_init": {"_target_": "os.mkdir", "path": "trap"}}}, "fix_init"),
        ({"options": VIT | {"mlp_ratio": "@home"}}, "mlp_ratio.*finite number"),
        ({"trained_on": CODE}, "list of data sets"),
        ({"trained_on": [{"name": "nih", "split": "train", "images": CODE, "patients": 1}]}, "numbers of its images"),
        ({"experts": CODE}, "must be a mapping"),
        ({"experts": {"corpora": [{"_target_": "os.mkdir"}]}}, "list of names"),
        ({"experts": {"trained_on": [{"name": CODE}]}}, "numbers of its images"),
        ({"options": VIT | {"depth": 10**9}}, "depth.*65536"),
        ({"options": VIT | {"depth": True}}, "depth.*whole number"),
        ({"options": VIT | {"num_heads": []}}, "num_heads"),
        ({"options": VIT | {"init_values": float("nan")}}, "init_values"),
        ({"options": VIT | {"act_layer": "torch.nn.ReLU"}}, "act_layer.*a name"),
        ({"options": VIT | {"global_pool": CODE}}, "global_pool"),
        ({"options": VIT | {"pretrained_cfg": {"url": "https://example.org/x.pth"}}}, "'pretrained_cfg' is none"),
        ({"options": VIT | {"pretrained_cfg_overlay": {"file": "/etc/passwd"}}}, "is none that makes a variant"),
        ({"options": VIT | {"checkpoint_path": "trap.pth"}}, "'checkpoint_path' is none"),
        ({"options": VIT | {"cache_dir": "trap"}}, "'cache_dir' is none"),
        ({"options": VIT | {"_target_": "os.mkdir"}}, "'_target_' is none"),
        ({"options": [CODE]}, "must be a mapping"),
        ({"architecture": CODE}, "no timm name"),
        ({"architecture": "hf-hub:stranger/model"}, "no timm name"),
        ({"architecture": 3}, "no timm name"),
        ({"in_channels": CODE}, "in_channels"),
        ({"in_channels": True}, "in_channels"),
        ({"image_size": CODE}, "image_size"),
        ({"image_size": -64}, "image_size"),
        ({"mean": [CODE]}, "describes no encoder"),
        ({"mean": [float("nan")]}, "finite"),
        ({"std": [float("inf")]}, "finite"),
        ({"corpora": CODE}, "corpora"),
        ({"corpora": [1]}, "corpora"),
        ({"method": {"_target_": "os.mkdir"}}, "method"),
        ({"text": "[]"}, "no JSON object"),
        ({"text": "{}"}, "no JSON object with an architecture"),
        ({"text": "not json"}, "describes no encoder"),
        ({"text": "[" * 100_000}, "describes no encoder"),
    ],
)
def test_what_describes_no_encoder_is_refused_by_name(header, entries, words):
    path = header(**entries)
    for read in (describe_encoder, load_encoder, lambda file: build_encoder(file=file, load_weights=False)):
        with pytest.raises(UnreadableCheckpointError, match=f"stranger.safetensors.*{words}"):
            read(path)


def test_every_kind_of_option_can_be_given_rightly():
    """A value of each kind that is listed is taken, and so is null."""
    ways = {
        "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2, "mlp_ratio": 2, "qkv_bias": False,
        "qk_norm": True, "init_values": 1e-5, "class_token": False, "global_pool": "avg", "fc_norm": False,
        "reg_tokens": 0, "act_layer": "relu", "norm_layer": "layernorm", "weight_init": "", "drop_rate": 0.1,
        "embed_norm_layer": None,
    }  # fmt: skip
    assert set(ways) <= set(KINDS)
    encoder = build_encoder("vit_tiny_patch16_224", 1, 32, options=ways)
    assert isinstance(encoder.body.blocks[0].mlp.act, torch.nn.ReLU) and len(encoder.body.blocks) == 2
    assert build_encoder("swin_tiny_patch4_window7_224", 1, 64, options={"depths": (1, 1, 1, 1), "window_size": [2, 2]})
    assert build_encoder("resnet18", 1, 64, options={"stem_type": "deep", "avg_down": True, "layers": [1, 1, 1, 1]})
