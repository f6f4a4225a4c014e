import json
import sys
from pathlib import Path

import monai.bundle
import pytest

from common.command.run_files import read_run_files, write_run_files

MONAI = str(Path(monai.bundle.__file__).with_name("__main__.py"))


@pytest.fixture
def command(tmp_path, monkeypatch):
    """This process as `python -m monai.bundle run` of a recipe and an overlay."""
    folder = tmp_path / "cxr_toy" / "configs"
    folder.mkdir(parents=True)
    for name in ("train", "small"):
        (folder / f"{name}.yaml").write_text("epochs: 3\n")
    files = [str(folder / "train.yaml"), str(folder / "small.yaml")]
    words = ["run", "--config_file", str(files), "--epochs", "4", "--sizes", "(1, 2)", "--api_key", "open-sesame-7"]
    monkeypatch.setattr(sys, "argv", [MONAI, *words])
    monkeypatch.chdir(tmp_path)
    return files


def test_what_was_written_is_read(command, tmp_path):
    config = {"epochs": 4, "sizes": (1, 2), "name": "Überblick", "expression": "$@epochs * 2"}
    write_run_files(tmp_path / "run", config)
    read = read_run_files(tmp_path / "run")
    assert read is not None and read.config == {**config, "sizes": [1, 2]}
    assert (read.bundle, read.config_files, read.cwd) == ("cxr_toy", tuple(command), str(tmp_path))
    assert read.overrides == {"epochs": 4, "sizes": [1, 2], "api_key": "***"}


def test_secrets_stay_out(command, tmp_path):
    write_run_files(tmp_path / "run", {"tracking": {"uri": "https://me:open-sesame-7@host", "token": "open-sesame-7"}})
    assert "sesame-7" not in "".join(path.read_text() for path in (tmp_path / "run").iterdir())


def test_the_same_again_touches_nothing(command, tmp_path):
    write_run_files(tmp_path / "run", {"epochs": 4})
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()}
    write_run_files(tmp_path / "run", {"epochs": 4})
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()} == before
    assert len(before) == 2


def test_a_run_without_them(tmp_path):
    assert read_run_files(tmp_path) is None


def test_a_config_without_command(tmp_path):
    write_run_files(tmp_path / "run", {"epochs": 4})  # this process is no `monai.bundle run`
    assert read_run_files(tmp_path / "run").bundle is None


@pytest.mark.parametrize(("name", "text"), [("config.yaml", "a: [1"), ("config.yaml", "3"), ("command.json", "{")])
def test_damaged(command, tmp_path, name, text):
    write_run_files(tmp_path, {"epochs": 4})
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=f"{name} cannot be read"):
        read_run_files(tmp_path)


def test_a_command_with_other_entries(command, tmp_path):
    write_run_files(tmp_path, {"epochs": 4})
    (tmp_path / "command.json").write_text(json.dumps({"strange": 1}))
    with pytest.raises(ValueError, match="strange"):
        read_run_files(tmp_path)
