"""Overlays that no table of the papers has run on their data set's layout, at smoke size."""

import json

import pytest
from launched import printed
from miniatures import flags_of

pytestmark = pytest.mark.slow


@pytest.fixture
def run(python, capsys, output_root, tmp_path):
    """Run a bundle on an overlay's miniature; the folder of the run."""
    data = tmp_path / "data"
    data.mkdir()

    def start(bundle, overlay, *more):
        told = [*flags_of(overlay, data), "--dataset_dir", data, "--output_root", output_root, "--run_name", "task"]
        done = python(*printed(capsys, "run", bundle, f"data/{overlay}", "smoke", *told, *more)[1:])
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return output_root / bundle / "task"

    return start


@pytest.mark.parametrize("overlay", ["vindr_cxr", "node21"])
def test_a_detector_trains_and_is_evaluated(overlay, run, python, capsys):
    folder = run("lesion_detection", overlay)
    done = python(*printed(capsys, "evaluate", folder)[1:])
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    said = json.loads((folder / "evaluation.json").read_text())
    assert said["evaluated"] > 0 and "average_precision" in said["metrics"]


def test_the_key_points_of_pairs_are_matched(run):
    folder = run("embedding_analysis", "fire")
    found = json.loads((folder / "numbers.json").read_text())["analyses"]
    assert found["correspondence"] and "symmetry" not in found
    assert (folder / "index.html").is_file() and list(folder.rglob("*.png"))
