"""Compare methods on tasks over seeds, one bundle run after the other, and print the table.

    python scripts/study.py studies/comparison/study.yaml --data chestxray14=/data/nih --data lung_masks=/data/v7

Finished cells are remembered in `cells/` beside the study file, numbers only, and are not repeated. Killed and started
again, it goes on in the middle of the run where it was; two of them share the work. A cell whose config, or the
weights that it reads, changed since it was measured is named and left out of the table, and what reads from it waits,
until `--recompute` or `--accept`. A cell that fails is listed with the end of its log, and the others go on; so is one
whose file in `cells/` is torn, of another study, or of a newer format. A folder of `data` in the study file is also
looked for below the environment variable CXR_DATA; a method whose `only_with` names a file that is not given is left
out, and said to be. Exit status 1: a cell failed, is changed or has a file that cannot be used; 2: a mistake in the
study file or the arguments.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from common.studies import StudyError, conduct


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("study", type=Path, help="study file")
    add("--data", action="append", default=[], metavar="NAME=PLACE", help="where a data set is")
    add("--output-root", type=Path, default=Path("runs"), help="runs, stores, logs and the MLflow file")
    add("--results", type=Path, help="folder of cells/ and the tables (default: that of the study file)")
    add("--only", action="append", metavar="METHOD", help="this method and what it needs; may be repeated")
    add("--task", action="append", default=[], help="this task and what it needs; may be repeated")
    add("--limit-minutes", type=float, help="stop after so long; the run at hand is saved and goes on later")
    add(
        "--recompute", action="store_true", help="measure cells again whose config changed or whose file cannot be used"
    )
    add("--accept", action="store_true", help="keep cells whose config changed: it makes no difference")
    add("--dry-run", action="store_true", help="print what would run")
    add("--table", action="store_true", help="print the table and do nothing else")
    given = vars(parser.parse_args(words))
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        return conduct(given.pop("study"), accept_changes=given.pop("accept"), **given)
    except (StudyError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
