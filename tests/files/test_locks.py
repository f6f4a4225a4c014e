"""Locks against processes that are killed, and against their children."""

import contextlib
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from common.claims import claim, claimed_elsewhere
from common.files import locked, locked_if_free
from common.files.locks import shared

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def holder(tmp_path):
    """Start a process that has a lock, with a forked child that outlives it as data loader workers do."""
    children = FORK.Queue()

    def hold(way, path):
        with locked(path) if way == "locked" else contextlib.closing(claim(path)):
            child = FORK.Process(target=time.sleep, args=(60,))
            child.start()
            children.put(child.pid)
            time.sleep(60)

    def start(way, path):
        process = FORK.Process(target=hold, args=(way, path))
        process.start()
        started.append(children.get(timeout=30))
        return process

    started = []
    yield start
    for child in started:
        os.kill(child, signal.SIGKILL)


def is_free(way, path):
    """Say whether another process would get the lock now."""

    def attempt():
        threading.Timer(1.0, os._exit, (1,)).start()
        if way == "claim":
            os._exit(claim(path) is None)
        with locked(path):
            os._exit(0)

    process = FORK.Process(target=attempt)
    process.start()
    process.join()
    return process.exitcode == 0


@pytest.mark.parametrize("way", ["locked", "claim"])
def test_a_lock_ends_with_its_process_though_forked_children_live(holder, tmp_path, way):
    path = tmp_path / ".lock"
    process = holder(way, path)
    assert not is_free(way, path)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert is_free(way, path) and path.exists()


def test_a_lock_that_a_child_was_given_ends_with_the_child(tmp_path):
    """The parent lets go in order, and a run that it started goes on."""
    path = tmp_path / "locks" / "cell"
    with locked_if_free(path) as mine:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], pass_fds=[mine])
        with locked_if_free(path) as again:
            assert again is None
    with locked_if_free(path) as mine:
        assert mine is None
    child.kill()
    child.wait()
    with locked_if_free(path) as mine:
        assert mine is not None


def test_what_is_read_by_others_is_not_held(tmp_path):
    path = tmp_path / "store.json"
    path.write_text("{}")
    readers = [shared(path), shared(path)]
    for descriptor in readers:
        with locked_if_free(path) as mine:
            assert mine is None
        os.close(descriptor)
    with locked_if_free(path) as mine:
        assert mine is not None
    with pytest.raises(FileNotFoundError):
        shared(tmp_path / "none")


def test_one_process_may_claim_again(tmp_path):
    first = claim(tmp_path / ".lock")
    assert first is not None and claim(tmp_path / ".lock") is not None


def test_who_has_a_claim_can_be_asked(holder, tmp_path):
    path = tmp_path / ".lock"
    assert not claimed_elsewhere(path) and not path.exists()
    process = holder("claim", path)
    path.chmod(0o444)
    assert claimed_elsewhere(path)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not claimed_elsewhere(path)


def test_who_asks_keeps_nobody_from_claiming(tmp_path):
    path, asked = tmp_path / ".lock", FORK.Event()
    path.touch()

    def ask():
        while True:
            claimed_elsewhere(path)
            asked.set()

    asking = FORK.Process(target=ask)
    asking.start()
    try:
        assert asked.wait(30)
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            mine = claim(path)
            assert mine is not None
            mine.close()
    finally:
        asking.kill()


def test_asking_waits_for_no_library():
    code = "import sys, common.launcher.course; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_waiting_is_said(tmp_path, caplog):
    path, entered = tmp_path / ".store.lock", []

    def wait():
        with locked(path):
            entered.append(time.monotonic())

    with caplog.at_level(logging.INFO):
        with locked(path):
            assert not caplog.messages
            waiting = threading.Thread(target=wait)
            waiting.start()
            time.sleep(0.3)
            left = time.monotonic()
        waiting.join(30)
    assert caplog.messages == ["Waiting for another process that has .store.lock"]
    assert entered and entered[0] >= left
