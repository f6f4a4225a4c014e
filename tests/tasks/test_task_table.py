"""docs/tasks.md: every row of the papers' tables is there, and its command names overlays and keys that exist."""

import contextlib
import io
import shlex
from collections import Counter

import pytest
from task_table import KEYS, rows

from common.command.given import current_command
from common.command.known_keys import unknown_keys
from common.launcher.main import main
from common.readers import find_reader, reader_modules

ROWS = rows()


def test_no_row_of_the_papers_is_missing():
    assert Counter(row.paper for row in ROWS) == {"LeADER": 10, "Adam": 9, "ACE": 9, "SRHRS": 6}
    assert {row.metric for row in ROWS} == set(KEYS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_command_finds_its_files_and_keys(row, monkeypatch):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        assert main(["run", *row.words, "--dry_run"]) == 0, said.getvalue()
    words = shlex.split(said.getvalue())
    command = current_command(["/somewhere/monai/bundle/__main__.py", *words[3:]])
    assert command is not None and unknown_keys(command) == []
    assert row.tried in ("real", "miniature", "no data")


def test_every_data_set_of_a_task_has_a_reader():
    overlays = {word.removeprefix("data/") for row in ROWS for word in row.words if word.startswith("data/")}
    known = set(reader_modules())
    of_one = {name for name in overlays if any(name == reader or name.startswith(f"{reader}_") for reader in known)}
    assert overlays - of_one == {"ace_keypoints", "sxpco"}  # not public: folders
    assert all(find_reader(name).publication for name in known)
