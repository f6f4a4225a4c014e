from pathlib import Path

import pytest

from common.command.given_files import missing_files

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("encoder_file", "{}/runs/nowhere/x.safetensors", "exists up to {}"),
        ("disease_file", "{}/none.onnx", "exists up to {}"),
        ("ckpt_path", "none.pt", "there is no none.pt"),
        ("encoder_file", "{}/there.pt", ""),
        ("anatomy_file", "{}", ""),  # an expert may be a folder
        ("encoder_file", "$@run_dir + '/none.pt'", ""),
        ("encoder_file", None, ""),
        ("output_file", "{}/none.csv", ""),
        ("dataset_dir", "{}/none", ""),  # of which its reader tells
    ],
)
def test_only_files_that_are_read_and_missing_are_told(tmp_path, key, value, told):
    (tmp_path / "there.pt").touch()
    value = value and value.format(tmp_path)
    lines = list(missing_files({"epochs": 3, key: value}))
    assert len(lines) == bool(told)
    assert all(line.startswith(f"  --{key}: ") and told.format(tmp_path) in line for line in lines)


def test_a_missing_file_ends_the_command_before_the_data_is_read(python, tmp_path):
    bundle = ROOT / "bundles" / "image_segmentation"
    files = f"['{bundle}/configs/train.yaml','{bundle}/configs/smoke.yaml']"
    words = ("--config_file", files, "--bundle_root", bundle, "--output_root", tmp_path, "--dataset_dir", tmp_path)
    answer = python("-m", "monai.bundle", "run", *words, "--encoder_file", "nowhere/x.safetensors", cwd=ROOT)
    assert answer.returncode == 1 and "Traceback" not in answer.stderr
    assert answer.stderr.endswith(
        f"Nothing was run, since a file is not there:\n"
        f"  --encoder_file: there is no nowhere/x.safetensors; the path exists up to {ROOT}\n"
    )
