"""Stands in for `scripts/study.py`: says its limit, waits for the others, and the one that comes last fails.

The first word is a folder, the second how many processes there must be at once.
"""

import os
import sys
import time
from pathlib import Path

folder, count = Path(sys.argv[1]), int(sys.argv[2])
(folder / str(os.getpid())).write_text(" ".join([*sys.argv[3:], os.environ["OMP_NUM_THREADS"]]))
print("12:34:56 a cell begins", flush=True)
end = time.monotonic() + 10
while len(found := [path for path in folder.iterdir() if path.name.isdigit()]) < count:
    assert time.monotonic() < end, "the others did not start"
    time.sleep(0.01)
print("| a table |")
if os.getpid() == max(int(path.name) for path in found):
    sys.exit("RuntimeError: no such card")
