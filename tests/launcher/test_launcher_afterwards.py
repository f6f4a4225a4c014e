"""What is done with a run needs its folder alone."""

import re
import shutil
from pathlib import Path

import pytest
from launched import ROOT, printed, read_by_monai, write_run

from common.command.known_keys import unknown_keys
from common.launcher.bundles import bundles
from common.launcher.main import main

OVERLAYS = [
    pytest.param(bundle.name, name, id=f"{bundle.name}-{name}")
    for bundle in bundles().values()
    if bundle.trains
    for name, path in [(None, None), *bundle.overlays().items()]
    # the others change no more than values
    if path is None or (name != "evaluate" and re.search("_target_|^stages:", path.read_text(), re.MULTILINE))
]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """A segmentation run in `runs`, started where the working directory is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "a #1").mkdir(parents=True)
    words = ["image_segmentation", "lung_masks", "smoke", "--dataset_dir", "data/a #1", "--epochs", "3"]
    return write_run(Path("runs/image_segmentation/first"), monkeypatch, capsys, *words)


def test_an_evaluation_lays_the_runs_config_over_its_recipe(run, capsys):
    command = read_by_monai(printed(capsys, "evaluate", run))
    configs = f"{ROOT}/bundles/image_segmentation/configs"
    expected = (f"{configs}/train.yaml", f"{run}/config.yaml", f"{configs}/evaluate.yaml", f"{run}/network.json")
    assert command.files == expected
    assert command.flags == {
        "bundle_root": f"{ROOT}/bundles/image_segmentation",
        "run_dir": str(run),
        "run_name": "first",
        "output_root": "runs",
        "ckpt_path": f"{run}/model.pt",
        "dataset_dir": "data/a #1",  # MONAI would change it in a config
    }


def test_a_key_that_an_override_left_without_use_is_the_runs_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = Path("runs/ct_diagnosis_classification/narrow")
    words = ["ct_diagnosis_classification", "data/phantom", "small", "--architecture_options", "{'width': 16}"]
    run = write_run(folder, monkeypatch, capsys, *words)
    assert "small_options" in (run / "config.yaml").read_text()
    assert unknown_keys(read_by_monai(printed(capsys, "evaluate", run))) == []
    mistyped = unknown_keys(read_by_monai([*printed(capsys, "evaluate", run), "--small_option", "{}"]))
    assert len(mistyped) == 1 and "small_options" in mistyped[0]
    assert main(["evaluate", str(run), "--small_option", "{}"]) == 2 and "small_options" in capsys.readouterr().err


def test_a_folder_of_the_same_name_here_is_not_the_runs(run, capsys, monkeypatch, tmp_path):
    absolute = run.absolute()
    (tmp_path / "elsewhere" / "data" / "a #1").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    told = read_by_monai(printed(capsys, "evaluate", absolute)).flags["dataset_dir"]
    assert told == str(tmp_path / "data" / "a #1")


def test_a_run_is_called_by_its_folder_or_by_its_name(run, capsys, monkeypatch):
    whole = printed(capsys, "evaluate", run)
    for name in (f"{run}/", "image_segmentation/first", "first", f"./{run}"):
        assert printed(capsys, "evaluate", name) == whole
    monkeypatch.chdir(run)
    assert read_by_monai(printed(capsys, "evaluate", ".")).flags["run_name"] == "first"


def test_split_overlays_and_overrides_go_last(run, capsys):
    words = ["--split", "val", "--num_workers", "0", "--dataset_dir", "/new", "small"]
    command = read_by_monai(printed(capsys, "evaluate", run, *words))
    assert command.files[-1].endswith("small.yaml")
    assert command.flags["validate#split"] == "val" and command.flags["num_workers"] == 0
    assert command.flags["dataset_dir"] == "/new"


def test_a_run_that_was_moved_and_a_command_from_elsewhere(run, capsys, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = elsewhere / "2024"
    shutil.copytree(run, moved)
    monkeypatch.chdir(elsewhere)
    command = read_by_monai(printed(capsys, "evaluate", moved))
    assert command.files[1] == "2024/config.yaml" and command.flags["run_dir"] == "2024"
    assert command.flags["run_name"] == "2024"  # no number
    assert command.flags["dataset_dir"] == str(tmp_path / "data" / "a #1")
    assert command.flags["output_root"] == str(tmp_path / "runs")  # where it was tracked


def test_a_pre_training_is_probed_by_its_encoder(tmp_path, monkeypatch, capsys):
    files = ["model.pt", "encoder.safetensors"]
    run = write_run(tmp_path / "runs/cxr_ace/ace-seed0", monkeypatch, capsys, "cxr_ace", "small", files=files)
    command = read_by_monai(printed(capsys, "evaluate", run, "--split", "val"))
    assert command.flags["encoder_file"] == f"{run}/encoder.safetensors" and "ckpt_path" not in command.flags
    assert command.flags["probe_split"] == "val" and len(command.files) == 3
    command = read_by_monai(printed(capsys, "infer", run, tmp_path, "--out", "here", "--dense"))
    assert [Path(file).name for file in command.files] == ["inference.yaml"]
    assert command.flags["output_dir"] == "here" and command.flags["dense"] is True
    assert command.flags["dataset_dir"] == str(tmp_path)


def test_inference_and_export(run, capsys, tmp_path):
    command = read_by_monai(printed(capsys, "infer", run, "data"))
    assert [Path(file).name for file in command.files] == ["inference.yaml", "network.json"]
    assert (command.flags["ckpt_path"], command.flags["dataset_dir"]) == (f"{run}/model.pt", "data")
    script = f"{ROOT}/scripts/export_bundle.py"
    told = ["image_segmentation", "--run", str(run), "--out"]
    assert printed(capsys, "export", run)[1:] == [script, *told, "exported/first"]
    assert printed(capsys, "export", run, "--out", "a b", "--ts")[1:] == [script, *told, "a b", "--ts"]


@pytest.mark.parametrize(("bundle", "overlay"), OVERLAYS)
def test_every_recipe_takes_a_config_of_its_own_runs(bundle, overlay, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    folder = tmp_path / "runs" / bundle / "run"
    files = ["encoder.safetensors"] if bundle.startswith("cxr_") else ["model.pt", "network.json"]
    run = write_run(folder, monkeypatch, capsys, bundle, *([overlay] if overlay else []), files=files)
    assert unknown_keys(read_by_monai(printed(capsys, "evaluate", run))) == []


@pytest.mark.parametrize(
    ("words", "problem", "remedy"),
    [
        (["evaluate"], "needs a run", "list runs"),
        (["evaluate", "frist"], "no run frist", "mean runs/image_segmentation/first?"),
        (["evaluate", "runs/lesion_detection/first"], "no run runs/les", "mean runs/image_segmentation/first?"),
        (["evaluate", "data"], "data is no run", "first"),
        (["infer", "first"], "needs a folder", "RUN IMAGES"),
        (["infer", "first", "x.png"], "no folder x.png", "not one of them"),
        (["export", "first", "--config", "x"], "no option --config", "There are"),
        (["export", "first", "second"], "not second", "--out"),
    ],
    ids=str,
)
def test_mistakes(run, capsys, words, problem, remedy):
    capsys.readouterr()
    assert main(words) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert problem in first and remedy in second


def test_what_a_folder_lacks(run, capsys):
    (run / "model.pt").unlink()
    (run / "checkpoints").mkdir()
    assert main(["evaluate", str(run)]) == 2 and "has no weights" in capsys.readouterr().err
    (run / "config.yaml").write_text("[1]")
    assert main(["evaluate", str(run)]) == 2 and "config.yaml cannot be read" in capsys.readouterr().err
    (run / "config.yaml").unlink()
    assert main(["evaluate", str(run)]) == 2 and "holds no config.yaml" in capsys.readouterr().err
