"""Configs that stand alone: machine paths out, encoders described."""

import pytest

from common.export.configs import describe_encoders, merge, pin_encoders, without_machine_paths
from common.export.rewrite import ExportError
from common.networks import build_encoder, save_encoder

TINY = {"patch_size": 8, "embed_dim": 48, "depth": 1, "num_heads": 3}


@pytest.fixture
def encoder_file(tmp_path):
    encoder = build_encoder("vit_tiny_patch16_224", 1, 64, mean=0.25, options=TINY)
    return str(save_encoder(encoder, tmp_path / "encoder.safetensors", "test", ["phantom"], "abc"))


def recipe(**changes):
    network = {"_target_": "common.networks.build_encoder", "architecture": "@architecture", "file": "@encoder_file"}
    return {"architecture": None, "encoder_file": None, "network_def": {**network, **changes}}


def test_paths_of_the_machine_become_the_bundles_defaults():
    base = {"dataset_dir": "data/x", "n": 1, "list": ["a", "b"]}
    run = {"dataset_dir": "/elsewhere/x", "n": 2, "list": ["/elsewhere/a", "c"]}
    assert without_machine_paths(run, base) == {"dataset_dir": "data/x", "n": 2, "list": ["a", "c"]}
    assert run["dataset_dir"] == "/elsewhere/x"


def test_a_path_without_default_is_refused_by_name():
    with pytest.raises(ExportError, match="a#b is /elsewhere"):
        without_machine_paths({"a": {"b": "/elsewhere"}}, {"a": {}})


def test_the_files_description_replaces_the_file(encoder_file):
    config = merge(recipe(), {"encoder_file": encoder_file})
    pinned = pin_encoders(config, describe_encoders(config))
    assert pinned["encoder_file"] is None
    assert pinned["architecture"] == "vit_tiny_patch16_224"
    assert pinned["network_def"]["options"] == TINY
    assert pinned["network_def"]["mean"] == [0.25]
    assert describe_encoders(pinned)["network_def"].image_size == 64


def test_what_the_config_says_itself_stays_an_expression():
    config = recipe(architecture="vit_tiny_patch16_224", options=TINY, image_size="$2 * @half") | {"half": 32}
    assert pin_encoders(config, describe_encoders(config))["network_def"]["image_size"] == "$2 * @half"


def test_inference_is_told_by_training(encoder_file):
    trained = merge(recipe(), {"encoder_file": encoder_file})
    pinned = pin_encoders(recipe(in_channels=None), describe_encoders(trained))
    assert pinned["network_def"]["in_channels"] == 1
    assert pinned["architecture"] == "vit_tiny_patch16_224"


def test_a_vanished_encoder_file_is_told_by_the_runs_own(encoder_file):
    from common.networks import describe_encoder

    config = merge(recipe(), {"encoder_file": "gone.safetensors"})
    with pytest.raises(ExportError, match="gone"):
        describe_encoders(config)
    assert describe_encoders(config, describe_encoder(encoder_file))["network_def"].options == TINY
