"""Processes of a study share a card and its time; one that fails is named."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common.benchmarks import side_by_side as module
from common.benchmarks.side_by_side import processes_for, side_by_side


@pytest.fixture
def started(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "STUDY", (sys.executable, str(Path(__file__).with_name("fake_study.py"))))
    monkeypatch.setattr(module, "cores", lambda: 7)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    folder = tmp_path / "started"
    folder.mkdir()
    return folder


def test_they_run_at_once_share_the_limit_and_a_failure_is_told(started, tmp_path, capfd):
    statuses = side_by_side([str(started), "3"], 2.5, 3, tmp_path)
    given = [path.read_text() for path in started.iterdir()]
    assert given == ["--limit-minutes 2.5 2"] * 3, "the same time for each, and a share of the cores"
    assert sorted(statuses) == [0, 0, 1]
    said = capfd.readouterr().out
    assert sorted(line for line in said.splitlines() if line[1:3] == ": ") == [
        f"{number}: 12:34:56 a cell begins" for number in (1, 2, 3)
    ]
    failed = statuses.index(1) + 1
    log = tmp_path / f"study-{failed}.log"
    assert f"process {failed} of the study ended with status 1; the end of {log}:" in said
    assert "    RuntimeError: no such card" in said
    assert said.count("a table") == 1, "only where the failed one's log is shown"
    assert all("| a table |" in (tmp_path / f"study-{number}.log").read_text() for number in (1, 2, 3))


def test_the_environment_may_say_how_many_threads(started, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    side_by_side([str(started), "1"], 1.0, 1, tmp_path)
    assert [path.read_text() for path in started.iterdir()] == ["--limit-minutes 1.0 5"]


def test_an_end_from_outside_ends_all_of_them(started, tmp_path, monkeypatch):
    children, real = [], subprocess.Popen

    def waited(command, **options):
        child = real(command, **options)
        children.append(child)
        if len(children) == 2:
            raise KeyboardInterrupt
        return child

    monkeypatch.setattr(module.subprocess, "Popen", waited)
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        side_by_side([str(started), "9"], 1.0, 2, tmp_path)
    assert time.monotonic() - begin < 10
    assert children[0].wait() == -signal.SIGTERM
    children[1].kill()  # it was never handed over
    children[1].communicate()


@pytest.mark.parametrize(
    ("gib", "processors", "expected"),
    [(139.8, 16, 4), (79.2, 16, 2), (79.2, 6, 1), (23.6, 64, 1), (0, 64, 1)],
    ids=["H200", "A100", "few cores", "24 GiB", "no card"],
)
def test_as_many_as_memory_and_cores_are_enough_for(gib, processors, expected):
    assert processes_for(gib, processors) == expected
