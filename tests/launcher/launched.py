"""The command that a short form stands for, and runs to evaluate."""

import shlex
import sys
from pathlib import Path

import monai.bundle

from common.command import merged_config
from common.command.given import Command, current_command
from common.command.run_files import write_run_files
from common.launcher.main import main

ROOT = Path(__file__).parents[2]
MONAI = str(Path(monai.bundle.__file__).with_name("__main__.py"))


def printed(capsys, *words) -> list[str]:
    """Arguments of Python that a short form prints."""
    capsys.readouterr()
    assert main([*map(str, words), "--dry_run"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    return shlex.split(line)


def read_by_monai(words: list[str]) -> Command:
    """As the process `python -m monai.bundle ...` reads its arguments."""
    start = words.index("-m")
    assert words[start + 1] == "monai.bundle"
    command = current_command([MONAI, *words[start + 2 :]])
    assert command is not None
    return command


def write_run(folder: Path, monkeypatch, capsys, *words, files=("model.pt", "network.json")) -> Path:
    """What a training by `run WORDS` leaves in its folder, but for the content of its weights."""
    arguments = printed(capsys, "run", *words)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", [MONAI, *arguments[arguments.index("-m") + 2 :]])
        write_run_files(folder, merged_config() or {})
    for name in files:
        (folder / name).write_text("{}")
    return folder
