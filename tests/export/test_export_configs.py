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


PLACES = {
    "bundle_root": ".",
    "output_root": "runs",
    "dataset_dir": "data/x",
    "probe_dir": "data/phantom",
    "run_name": "$'seed{}'.format(@seed)",
    "run_dir": "$@output_root + @run_name",
    "encoder_file": None,
}


@pytest.mark.parametrize("value", ["bundles/b", "../b", "/elsewhere/b"])
def test_places_and_the_runs_name_are_always_the_bundles_own(value):
    run = dict.fromkeys(PLACES, value) | {"seed": 3}
    notices = []
    assert without_machine_paths(run, PLACES | {"seed": 0}, notices) == PLACES | {"seed": 3}
    assert set(run.values()) == {value, 3}
    assert notices == []


def test_an_absolute_path_takes_the_bundles_value_of_its_place():
    notices = []
    run = {"n": 2, "list": ["/elsewhere/a", "c"], "tracking": {"name": "t", "uri": "sqlite:////elsewhere/m.db"}}
    base = {"n": 1, "list": ["a", "b"], "tracking": {"name": "t", "uri": None}}
    expected = {"n": 2, "list": ["a", "c"], "tracking": {"name": "t", "uri": None}}
    assert without_machine_paths(run, base, notices) == expected
    assert [notice.split()[0] for notice in notices] == ["list#0", "tracking#uri"]


def test_an_absolute_path_among_options_resets_the_whole_key_and_says_so():
    notices = []
    run = {"probe_options": {"masks": "/elsewhere/m", "more": "/elsewhere/n", "structure": "lung"}}
    assert without_machine_paths(run, {"probe_options": {}}, notices) == {"probe_options": {}}
    assert len(notices) == 1
    assert "probe_options#masks was /elsewhere/m" in notices[0]


@pytest.mark.parametrize("base", [{}, {"a": {"b": "/other"}}])
def test_a_path_without_portable_default_is_refused_by_name_and_with_a_remedy(base):
    with pytest.raises(ExportError, match=r"a#b is /elsewhere.* --config, without the one that names this path\.$"):
        without_machine_paths({"a": {"b": "/elsewhere"}}, base)


def test_names_that_look_like_paths_are_names():
    names = ["Mass", "/data/normal", "~tilde", "C:\\x", "file:///y"]
    run, notices = {"findings": names, "uri": "/elsewhere/m"}, []
    base = {"findings": ["a", "b", "c", "d", "e"], "uri": None}
    assert without_machine_paths(run, base, notices, {"findings"}) == {"findings": names, "uri": None}
    assert [notice.split()[0] for notice in notices] == ["uri"]


def test_a_run_that_started_from_a_file_is_pinned_and_then_reset(encoder_file):
    base = recipe()
    config = merge(base, {"encoder_file": encoder_file})
    done = without_machine_paths(pin_encoders(config, describe_encoders(config)), base)
    assert done["encoder_file"] is None
    assert describe_encoders(done)["network_def"].options == TINY


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
