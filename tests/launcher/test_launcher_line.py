"""The printed command is, by MONAI's own parsing, what was asked for; and it is the command that is run."""

import logging
import os
import sys
import warnings

import pytest
from launched import printed, read_by_monai

from common.command.given import Command
from common.launcher import start
from common.launcher.main import main

CONFIGS = "bundles/image_segmentation/configs"


def test_overlays_stand_in_their_order_and_by_their_names(capsys):
    words = printed(capsys, "run", "image_segmentation", "lung_masks", "small")
    assert words[0] == "python"
    files = [f"{CONFIGS}/train.yaml", f"{CONFIGS}/data/lung_masks.yaml", f"{CONFIGS}/small.yaml"]
    assert read_by_monai(words) == Command(tuple(files), {"bundle_root": "bundles/image_segmentation"}, paths={
        "bundle_root": "bundles/image_segmentation"
    })  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        (["--epochs", "3"], {"epochs": 3}),
        (["--epochs=3"], {"epochs": 3}),
        (["--train#trainer#clip#max_norm", "1.5"], {"train#trainer#clip#max_norm": 1.5}),
        (["--learning_rate", "$2 * 1e-4"], {"learning_rate": "$2 * 1e-4"}),
        (["--dataset_dir", "/data/study #3"], {"dataset_dir": "/data/study #3"}),
        (["--dataset_dir", "/data/it's \"here\" `x` !"], {"dataset_dir": "/data/it's \"here\" `x` !"}),
        (["--dataset_dir", "$HOME/x"], {"dataset_dir": "$HOME/x"}),
        (["--structures", "['lung', 'heart']"], {"structures": ["lung", "heart"]}),
        (["--dataset_options", "{'a b': [None], 'c': \"it's\"}"], {"dataset_options": {"a b": [None], "c": "it's"}}),
        (["--load_weights"], {"load_weights": True}),
        (["--load_weights", "false"], {"load_weights": False}),  # as a recipe has it
        (["--load_weights=true"], {"load_weights": True}),
        (["--label_limit", "null"], {"label_limit": "$None"}),
        (["--run_name", "true_story"], {"run_name": "true_story"}),
        (["--label_fraction", "-1"], {"label_fraction": -1}),
    ],
    ids=str,
)  # fmt: skip
def test_values_arrive_as_they_were_typed(capsys, typed, value):
    flags = read_by_monai(printed(capsys, "run", "image_segmentation", *typed, "--seed", "7", "small")).flags
    assert flags == {"bundle_root": "bundles/image_segmentation", "seed": 7, **value}


def test_a_file_of_ones_own_and_from_another_folder(capsys, tmp_path, monkeypatch):
    own = tmp_path / "it's mine, #2.yaml"
    own.write_text("epochs: 1\n")
    monkeypatch.chdir(tmp_path)
    files = read_by_monai(printed(capsys, "run", "image_segmentation", own.name)).files
    assert files[1] == own.name and os.path.isabs(files[0]) and os.path.isfile(files[0])  # noqa: PTH113, PTH117


def test_a_bundle_and_an_overlay_as_a_shell_completes_them(capsys):
    words = printed(capsys, "run", "bundles/image_segmentation/", f"{CONFIGS}/small.yaml")
    assert words == printed(capsys, "run", "image_segmentation", "small")


def test_inference_takes_the_place_of_the_training(capsys):
    words = printed(capsys, "run", "cxr_ace", "inference", "--encoder_file", "a.pth")
    assert read_by_monai(words).files == ("bundles/cxr_ace/configs/inference.yaml",)


def test_several_gpus_are_processes_of_torchrun_with_the_overlay(capsys, monkeypatch):
    words = printed(capsys, "run", "cxr_ace", "small", "--gpus", "4")
    assert words[:4] == ["torchrun", "--standalone", "--nproc_per_node=4", "-m"]
    configs = "bundles/cxr_ace/configs"
    assert read_by_monai(words).files[1:] == (f"{configs}/small.yaml", f"{configs}/multi_gpu.yaml")
    assert printed(capsys, "run", "cxr_ace", "--gpus", "all")[2] == "--nproc_per_node=gpu"
    assert printed(capsys, "run", "cxr_ace", "--gpus=1") == printed(capsys, "run", "cxr_ace")
    monkeypatch.setenv("WORLD_SIZE", "2")
    inside = printed(capsys, "run", "cxr_ace")
    assert inside[0] == "python" and read_by_monai(inside).files[1:] == ("bundles/cxr_ace/configs/multi_gpu.yaml",)


def test_it_becomes_what_it_printed(capsys, monkeypatch):
    became = []
    monkeypatch.setattr(os, "execv", lambda *call: became.append(call))
    expected = printed(capsys, "run", "cxr_ace", "small", "--dataset_dir", "a b")
    assert main(["run", "cxr_ace", "small", "--dataset_dir", "a b"]) == 0
    assert expected[1:3] == ["-m", "monai.bundle"]
    quietly = [sys.executable, "-m", "common.launcher.start", *expected[3:]]
    assert became == [(sys.executable, quietly)]
    expected = printed(capsys, "run", "cxr_ace", "--verbose", "True")
    assert main(["run", "cxr_ace", "--verbose", "True"]) == 0
    assert became[1:] == [(sys.executable, [sys.executable, *expected[1:]])]


def test_a_start_passes_on_its_words_and_keeps_quiet_of_itself(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["start.py", "run", "--config_file", "none.yaml"])
    began = []

    def monai(module, run_name, alter_sys):
        warnings.warn("parsing config_file none.yaml: any `_target_` ...", UserWarning, stacklevel=1)
        warnings.warn("the loss is odd", UserWarning, stacklevel=1)
        began.append((module, run_name, alter_sys, sys.argv[1:]))

    monkeypatch.setattr(start.runpy, "run_module", monai)
    logger = logging.getLogger("monai.bundle.workflows")
    with warnings.catch_warnings(record=True) as told:
        start.start()
    try:
        assert [str(warning.message) for warning in told] == ["the loss is odd"]
        assert began == [("monai.bundle", "__main__", True, ["run", "--config_file", "none.yaml"])]
        lines = ["Not all config files are in a.", "Setting logging properties based on config: b.", "Loaded bundle"]
        records = [logging.LogRecord(logger.name, logging.WARNING, "", 0, line, None, None) for line in lines]
        assert [record.getMessage() for record in records if logger.filter(record)] == ["Loaded bundle"]
    finally:
        logger.removeFilter(start.is_needed)
