"""From training to masks and an export by short forms; each is run as it was printed."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from launched import ROOT, printed

from common.phantom import write_phantom

CONFIGS = "bundles/image_segmentation/configs"


@pytest.fixture
def run_printed(python, capsys):
    """Run what a short form prints, in a folder."""

    def run(*words, cwd=ROOT):
        done = python(*printed(capsys, *words)[1:], cwd=cwd)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
        return done

    return run


@pytest.mark.slow  # a README's commands are run by short forms always
def test_a_run_needs_its_folder_alone(run_printed, python, output_root, tmp_path):
    phantom = tmp_path / "phantom #1"  # which a config would read otherwise
    write_phantom(phantom, count=24, size=96, seed=0, workers=1)
    told = ["--dataset_dir", str(phantom), "--output_root", str(output_root), "--run_name", "first"]
    run_printed("run", "image_segmentation", "data/phantom", "smoke", *told)
    run = output_root / "image_segmentation" / "first"

    run_printed("evaluate", run)
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert evaluation["split"] == "test" and evaluation["weights"] == str(run / "model.pt")
    (run / "evaluation.json").unlink()
    names = ["train.yaml", "data/phantom.yaml", "smoke.yaml", "evaluate.yaml"]
    files = [*(f"{CONFIGS}/{name}" for name in names), str(run / "network.json")]
    words = ["--config_file", str(files), "--bundle_root", "bundles/image_segmentation", *told]
    assert python("-m", "monai.bundle", "run", *words).returncode == 0
    assert json.loads((run / "evaluation.json").read_text()) == evaluation  # as by MONAI's own command

    moved, data = tmp_path / "moved", tmp_path / "data"
    shutil.move(run, moved)
    shutil.move(phantom, data)
    run_printed("evaluate", moved, "--dataset_dir", data, "--split", "val")
    assert json.loads((moved / "evaluation.json").read_text())["split"] == "val"

    run_printed("infer", moved, data / "images", "--out", tmp_path / "masks")
    images = {path.stem for path in (data / "images").iterdir()}
    assert {path.stem for path in (tmp_path / "masks" / "heart").iterdir()} == images

    shutil.rmtree(output_root)  # the tracking is gone, too
    run_printed("export", moved, "--out", tmp_path / "exported")
    weights = torch.load(tmp_path / "exported" / "models" / "model.pt", weights_only=True)
    trained = torch.load(moved / "model.pt", weights_only=True)
    assert all(torch.equal(weights[name], trained[name]) for name in {*weights, *trained})
    config = json.loads((tmp_path / "exported" / "configs" / "train.json").read_text())
    assert (config["epochs"], config["structures"]) == (2, ["lung", "heart", "clavicle"])  # by its overlays


def test_a_pre_training_is_probed(run_printed, output_root, tmp_path):
    phantom = tmp_path / "phantom"
    write_phantom(phantom, count=24, size=96, seed=0, workers=1)
    folders = ["--dataset_dir", phantom, "--probe_dir", phantom, "--output_root", output_root]
    run_printed("run", "cxr_ace", "smoke", *folders, "--run_name", "first")
    run = output_root / "cxr_ace" / "first"
    run_printed("evaluate", run)
    probed = json.loads((run / "probe.json").read_text())
    assert Path(run / "encoder.safetensors").is_file() and probed["landmark_retrieval"] is not None
