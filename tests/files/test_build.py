"""Entries made in parallel: whatever dies, each task has one line, and what was noted is not done again."""

import json
import os
import signal
from functools import partial

import pytest
from tqdm import tqdm

from common.files import build
from common.files.journal import Journal
from common.files.pool import run_tasks


def double(number, fatal=()):
    if number in fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"twice": 2 * number}


def crashed(number):
    return {"reason": f"{number} kills"}


def expected(count, fatal=()):
    return {str(n): crashed(n) if n in fatal else {"twice": 2 * n} for n in range(count)}


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("chunk", [1, 7])
def test_every_task_has_one_result(workers, chunk):
    found = list(run_tasks({str(n): n for n in range(30)}, double, crashed, workers, chunk))
    assert len(found) == 30 and dict(found) == expected(30)


@pytest.mark.parametrize("fatal", [(0,), (9,), (3, 4, 8), range(10)])
@pytest.mark.parametrize("chunk", [1, 7])
def test_who_kills_its_process_is_named_alone(fatal, chunk):
    found = list(run_tasks({str(n): n for n in range(10)}, partial(double, fatal=fatal), crashed, 3, chunk))
    assert len(found) == 10 and dict(found) == expected(10, fatal)


def die_once(number, mark):
    if number == 4 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"twice": 2 * number}


def test_a_death_that_no_task_explains_costs_none(tmp_path, caplog):
    found = list(run_tasks({str(n): n for n in range(30)}, partial(die_once, mark=tmp_path / "m"), crashed, 2, 4))
    assert dict(found) == expected(30) and "memory is short" in caplog.text


def fail(number):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_ends_the_work(workers):
    with pytest.raises(OSError, match="No space left"):
        list(run_tasks({11: 11}, fail, crashed, workers))


def make(tasks, path, work, settle=lambda: None):
    with tqdm(disable=True) as bar:
        return build.build_entries(tasks, work, crashed, Journal(path), bar, workers=1, settle=settle)


def test_what_was_done_before_an_error_is_in_the_journal(tmp_path):
    def stop(number):
        if number == 5:
            raise OSError(28, "No space left on device")
        return double(number)

    with pytest.raises(OSError, match="No space left"):
        make({str(n): n for n in range(9)}, tmp_path / "j", stop)
    assert Journal(tmp_path / "j").read() == expected(5)


def test_entries_are_safe_before_they_are_noted(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "JOURNAL_SECONDS", 0.0)
    journal, seen = Journal(tmp_path / "j"), []
    lines = make({n: n for n in range(4)}, journal.path, double, lambda: seen.append(len(journal.read())))
    assert seen == [0, 1, 2, 3] and journal.read() == lines == {n: {"twice": 2 * n} for n in range(4)}


def test_nothing_to_do_writes_nothing(tmp_path):
    assert make({}, tmp_path / "j", double) == {} and not (tmp_path / "j").exists()


@pytest.mark.parametrize("cut", range(1, 25))
def test_a_cut_line_costs_itself_alone(tmp_path, cut):
    journal = Journal(tmp_path / "j")
    assert journal.read() == {}
    journal.add({"a": {"n": 1}})
    journal.add({"b": {"n": 2, "of": "this"}})
    whole = (tmp_path / "j").read_bytes().rstrip()
    (tmp_path / "j").write_bytes(whole[:-cut])
    assert journal.read() == {"a": {"n": 1}}
    journal.add({"c": {"n": 3}, "a": {"n": 4}})
    assert journal.read() == {"a": {"n": 4}, "c": {"n": 3}}


def test_what_is_no_line_is_passed_over_and_runs_of_earlier_stores_are_read(tmp_path):
    texts = ['["torn', "3", "null", "[1]", '{"a": 1}', '["x", 3]', '["x", [["key", 1]]]', '[[1], {"n": 1}]', '"ab"']
    (tmp_path / "j").write_bytes(b"\xff\xfe\n" + "\n".join([*texts, json.dumps([7, [{"n": 1}, {"n": 2}]])]).encode())
    assert Journal(tmp_path / "j").read() == {7: {"n": 1}, 8: {"n": 2}}
