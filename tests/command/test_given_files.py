import sys
from pathlib import Path

import pytest
import yaml

from common.command import merged_config
from common.command.given import Command, described_as
from common.command.given_files import missing_files, refuse_missing_files
from common.command.run_files import write_run_files

ROOT = Path(__file__).parents[2]
MONAI = "/somewhere/site-packages/monai/bundle/__main__.py"
RECIPE = {
    **dict.fromkeys(["encoder_file", "disease_file", "anatomy_file", "ckpt_path", "output_file", "log_file"]),
    "weight": 1.0,
    "dataset_dir": "data",
    "dataset_options": {},
    "expert": {"_target_": "builtins.dict", "_disabled_": "$not @weight", "path": "@anatomy_file"},
    "built": {"_target_": "builtins.dict", "_disabled_": "$@corpus is None", "path": "@log_file"},
    "corpus": {"_target_": "builtins.dict", "options": "@dataset_options", "root": "@dataset_dir"},
    "run": ["$print(@encoder_file, @disease_file, @ckpt_path, @output_file, @expert, @built, @corpus)"],
}


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Lines about a recipe with overlays of these values, and flags."""
    recipe = tmp_path / "configs" / "train.yaml"
    recipe.parent.mkdir()
    recipe.write_text(yaml.safe_dump(RECIPE))

    def told(*overlays, **flags):
        files = [str(recipe)]
        for number, values in enumerate(overlays):
            files.append(recipe.with_name(f"overlay{number}.yaml"))
            files[-1].write_text(yaml.safe_dump(values))
        return list(
            missing_files(Command(tuple(map(str, files)), flags), merged_config(list(map(str, files)), **flags))
        )

    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.pt").touch()
    return told


VALUES = [
    ("encoder_file", "{}/runs/nowhere/x.safetensors", "exists up to {}"),
    ("disease_file", "{}/none.onnx", "exists up to {}"),
    ("ckpt_path", "none.pt", "there is no none.pt"),
    ("encoder_file", "{}/there.pt", ""),
    ("anatomy_file", "{}", ""),  # an expert may be a folder
    ("encoder_file", "$@run_dir + '/none.pt'", ""),
    ("encoder_file", None, ""),
    ("output_file", "{}/none.csv", ""),
    ("dataset_dir", "{}/none", ""),  # of which its reader tells
]


@pytest.mark.parametrize(("key", "value", "said"), VALUES)
def test_only_files_that_are_read_and_missing_are_told(told, tmp_path, key, value, said):
    value = value and value.format(tmp_path)
    for place, lines in (
        ("--{}", told(**{key: value})),
        (f"{tmp_path}/configs/overlay0.yaml: {{}}", told({key: value})),
    ):
        assert len(lines) == bool(said)
        assert all(line.startswith(f"  {place.format(key)}: ") and said.format(tmp_path) in line for line in lines)


def test_a_value_that_another_one_replaces_is_not_looked_for(told, tmp_path):
    assert told({"encoder_file": "none.pt"}, {"encoder_file": "there.pt"}) == []
    assert told({"encoder_file": "none.pt"}, encoder_file="there.pt") == []
    (line,) = told({"encoder_file": "there.pt"}, {"encoder_file": "none.pt"})
    assert line.startswith(f"  {tmp_path}/configs/overlay1.yaml: encoder_file: there is no none.pt")


@pytest.mark.parametrize(
    "given", [{"dataset_options": {"split_file": "s.json"}}, {"dataset_options#split_file": "s.json"}]
)
def test_a_file_among_options_is_told_with_what_makes_it(told, tmp_path, given):
    for place, lines in ((f"{tmp_path}/configs/overlay0.yaml: ", told(given)), ("--", told(**given))):
        (line,) = lines
        assert line.startswith(f"  {place}dataset_options#split_file: there is no s.json")
        assert line.endswith("python scripts/split_patients.py makes it")


def test_what_no_enabled_part_reads_may_be_missing(told):
    assert len(told({"anatomy_file": "none.pt"})) == 1
    assert told({"anatomy_file": "none.pt", "weight": 0.0}) == []
    assert told({"log_file": "none.txt"}) == []  # to know whether it is disabled would be to build something
    assert told({"corpus": {"_target_": "builtins.dict", "report_file": "none.txt"}}) == []  # it may write it


def test_an_evaluation_does_not_need_what_its_run_began_with(told, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", [MONAI, "run", "--config_file", str(tmp_path / "configs" / "train.yaml")])
    write_run_files(tmp_path / "run", {**RECIPE, "encoder_file": "none.pt"})
    files = (str(tmp_path / "configs" / "train.yaml"), str(tmp_path / "run" / "config.yaml"))
    assert list(missing_files(Command(files), merged_config(list(files)))) == []


def test_a_stage_s_file_is_looked_for_when_the_stage_begins(told, tmp_path, monkeypatch):
    stages = {"two": {"anatomy_file": "none.pt"}}
    assert told({"stages": stages}) == []
    monkeypatch.setattr(sys, "argv", [MONAI, "run", "--config_file", str(tmp_path / "configs" / "train.yaml")])
    with described_as({**RECIPE, **stages["two"]}), pytest.raises(SystemExit, match="  anatomy_file: there is no none"):
        refuse_missing_files()


@pytest.mark.parametrize("by", ["flag", "overlay"])
def test_a_missing_file_ends_the_command_before_the_data_is_read(python, tmp_path, by):
    bundle, overlay = ROOT / "bundles" / "image_segmentation", tmp_path / "mine.yaml"
    overlay.write_text("{}" if by == "flag" else "encoder_file: nowhere/x.safetensors")
    files = f"['{bundle}/configs/train.yaml','{bundle}/configs/smoke.yaml','{overlay}']"
    words = ["--config_file", files, "--bundle_root", bundle, "--output_root", tmp_path, "--dataset_dir", tmp_path]
    words += ["--encoder_file", "nowhere/x.safetensors"] if by == "flag" else []
    answer = python("-m", "monai.bundle", "run", *words, cwd=ROOT)
    assert answer.returncode == 1 and "Traceback" not in answer.stderr
    assert answer.stderr.endswith(
        f"Nothing was run, since a file is not there:\n"
        f"  {'--' if by == 'flag' else f'{overlay}: '}encoder_file: there is no nowhere/x.safetensors; "
        f"the path exists up to {ROOT}\n"
    )
