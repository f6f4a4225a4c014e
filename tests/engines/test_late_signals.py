"""Signals where an exception would be printed as ignored, and nothing else come of it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BEGIN = """
import atexit, os, signal, sys, time, weakref
from common.engines import interruptions
interruptions.install()
def ctrl_c(*_): os.kill(os.getpid(), signal.SIGINT); time.sleep(0.01)
class Held: pass
class Dying:
    def __del__(self): ctrl_c()
"""


MOMENTS = """
atexit.register(ctrl_c)
held = Dying()
watched = Held()
sys.watch = weakref.ref(watched, ctrl_c)
"""
SLOW = """
interruptions.GRACE = 0.05
atexit.register(lambda: [(ctrl_c(), time.sleep(0.2)) for _ in range(50)])
"""


@pytest.mark.parametrize(("program", "status"), [(MOMENTS, 0), (SLOW, 130)], ids=["soon over", "hangs"])
def test_ctrl_c_after_the_end_of_a_program_says_nothing(program, status):
    """In an interpreter of its own, which ends as a user's does."""
    answer = subprocess.run([sys.executable, "-c", BEGIN + program], cwd=ROOT, capture_output=True, text=True)
    assert (answer.returncode, answer.stderr) == (status, "")


@pytest.mark.parametrize("removed", ["Dying()", "weakref.WeakKeyDictionary({Held(): Dying()})"])
def test_ctrl_c_while_an_object_is_removed_is_not_lost(python, removed):
    answer = python("-c", f"{BEGIN}\ntry:\n    {removed}; time.sleep(20)\nexcept KeyboardInterrupt: print('ended')")
    assert (answer.returncode, answer.stderr, answer.stdout) == (0, "", "ended\n")
