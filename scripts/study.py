"""Compare methods on tasks over seeds, one bundle run after the other, and print the table.

    python scripts/study.py studies/comparison/study.yaml --data chestxray14=/data/nih --data lung_masks=/data/v7

Finished cells are remembered in `cells/` beside the study file, numbers only, and are not repeated. Killed and started
again, it goes on in the middle of the run where it was; two of them share the work. A cell whose config changed since
it was measured is named and left out of the table, and what reads from it waits, until `--recompute` or `--accept`. A
cell that fails is listed with the end of its log, and the others go on; so is one whose file in `cells/` is torn, of
another study, or of a newer format. A folder of `data` in the study file is also
looked for below the environment variable CXR_DATA; a method whose `only_with` names a file that is not given is left
out, and said to be. Exit status 1: a cell failed, is changed or has a file that cannot be used; 2: a mistake in the
study file or the arguments.
"""

import argparse
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from common.files import locked_if_free
from common.studies.cells import Ledger, Status, accept, statuses, write_atomically
from common.studies.check import StudyError
from common.studies.plan import Cell, Study, read_study, with_needs
from common.studies.run import CellFailedError, OutOfTimeError, Places, commands, encoder_file, run_cell
from common.studies.table import markdown, summarise

BUNDLE = (sys.executable, "-m", "monai.bundle", "run")
WAIT_S = 5.0


class Runner:
    """Goes through the cells of a study.

    Args:
        study: what to run.
        ledger: what is finished.
        places: of this machine.
        recompute: measure cells again whose config changed.
        deadline: value of `time.monotonic()` at which to stop; None is never.
    """

    def __init__(self, study: Study, ledger: Ledger, places: Places, recompute: bool, deadline: float | None):
        self.study, self.ledger, self.places = study, ledger, places
        self.recompute, self.deadline = recompute, deadline
        self.failed: dict[str, str] = {}

    def known(self) -> dict[str, tuple[Cell, Status]]:
        """Every cell with its status now; another runner may have finished some."""
        found = statuses(self.study.name, self.study.cells, self.ledger, self.recompute)
        return {cell.id: (cell, found[cell.id]) for cell in self.study.cells}

    def work(self, cells: Sequence[Cell]) -> None:
        """Run what can be run, in order, until nothing is left or the time is over."""
        while not self._late():
            known = self.known()
            ready = [cell for cell in self.open(cells, known) if all(self._usable(known[n]) for n in cell.needs)]
            if not ready:
                return
            if not any(self._run(cell) for cell in ready):
                time.sleep(WAIT_S)  # all that is left is run by somebody else

    def open(self, cells: Sequence[Cell], known: dict[str, tuple[Cell, Status]]) -> list[Cell]:
        """The cells that still have to run: not finished, or what they left is needed and not here."""
        todo: list[Cell] = []
        for cell in reversed(cells):
            status = known[cell.id][1]
            needed = any(cell.id in other.needs for other in todo)
            missing = not status.finished or (needed and not self._usable(known[cell.id]))
            if missing and not status.changed and not status.fault and cell.id not in self.failed:
                todo.insert(0, cell)
        return todo

    def _usable(self, entry: tuple[Cell, Status]) -> bool:
        """Whether a cell is finished and what it left is on this machine."""
        cell, status = entry
        left = self.places.run_dir(cell, status)
        return status.finished and (Path(encoder_file(cell, left)) if cell.encoder else left).exists()

    def _late(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline

    def _run(self, cell: Cell) -> bool:
        """Run a cell unless somebody else does; whether its status may be another now."""
        with locked_if_free(self.places.output_root / "locks" / f"{cell.id}.lock") as descriptor:
            if descriptor is None:
                return False
            known = self.known()
            if known[cell.id][1].finished and self._usable(known[cell.id]):
                return True
            say(f"{cell.id} begins as {known[cell.id][1].run_name}")
            try:
                record = run_cell(cell, known, self.places, descriptor, self.deadline)
            except CellFailedError as error:
                self.failed[cell.id] = str(error)
                say(f"{cell.id} FAILED: {error}")
                return True
            except OutOfTimeError:
                say(f"{cell.id} stopped: out of time; the same command goes on with it")
                return True
            self.ledger.write(record)
            say(f"{cell.id} finished in {record['seconds'] / 60:.1f} min")
            write_table(self.study, self.ledger)
            return True


def write_table(study: Study, ledger: Ledger) -> str:
    """Write table.md and table.json beside the cells; returns the Markdown."""
    summary = summarise(study, statuses(study.name, study.cells, ledger))
    text = markdown(study, summary)
    write_atomically(ledger.folder.parent / "table.json", json.dumps(summary, indent=1) + "\n")
    write_atomically(ledger.folder.parent / "table.md", text)
    return text


def report(runner: Runner, cells: Sequence[Cell]) -> int:
    """Say what is not finished and why; returns the exit status."""
    known = runner.known()
    changed = {cell.id: known[cell.id][1].changed for cell in cells if known[cell.id][1].changed}
    for name, keys in changed.items():
        say(f"{name} was measured with another config ({', '.join(keys)}): --recompute repeats it, --accept keeps it")
    faults = {cell.id: fault for cell in cells if (fault := known[cell.id][1].fault)}
    for name, fault in faults.items():
        place = runner.ledger.folder / f"{name}.json"
        say(f"{place}: {fault}. Put the study's own file there, or --recompute measures it again")
    for name, error in runner.failed.items():
        say(f"{name} FAILED: {error}")
    blocked = {*changed, *faults, *runner.failed}
    for cell in cells:
        if cell.id not in blocked and not known[cell.id][1].finished and (cause := blocked.intersection(cell.needs)):
            say(f"{cell.id} not run: it needs {', '.join(sorted(cause))}")
            blocked.add(cell.id)
    return 1 if runner.failed or changed or faults else 0


def say(text: str) -> None:
    print(f"{datetime.now():%H:%M:%S} {text}", flush=True)


def data_folders(study: Study, given: Sequence[str]) -> dict[str, Path]:
    """Folder or file of each data set, from the command line or below CXR_DATA."""
    names: dict[str, Any] = study.content.get("data", {})
    root = os.environ.get("CXR_DATA")
    folders = {name: Path(root, folder) for name, folder in names.items() if folder} if root else {}
    for text in given:
        name, _, folder = text.partition("=")
        if name not in names or not folder:
            raise StudyError(f"--data {text}: expected NAME=PLACE with NAME one of {', '.join(names)}")
        folders[name] = Path(folder)
    if absent := [f"{name} ({folder})" for name, folder in folders.items() if not folder.exists()]:
        raise StudyError(f"no such data: {', '.join(absent)}. Give --data NAME=PLACE")
    return {name: folder.resolve() for name, folder in folders.items()}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="study file")
    parser.add_argument("--data", action="append", default=[], metavar="NAME=PLACE", help="where a data set is")
    parser.add_argument("--output-root", type=Path, default=Path("runs"), help="runs, stores, logs and the MLflow file")
    parser.add_argument(
        "--results", type=Path, help="folder of cells/ and the tables (default: that of the study file)"
    )
    parser.add_argument(
        "--only", action="append", metavar="METHOD", help="this method and what it needs; may be repeated"
    )
    parser.add_argument("--task", action="append", default=[], help="this task and what it needs; may be repeated")
    parser.add_argument(
        "--limit-minutes", type=float, help="stop after so long; the run at hand is saved and goes on later"
    )
    parser.add_argument(
        "--recompute", action="store_true", help="measure cells again whose config changed or whose file cannot be used"
    )
    parser.add_argument("--accept", action="store_true", help="keep cells whose config changed: it makes no difference")
    parser.add_argument("--dry-run", action="store_true", help="print what would run")
    parser.add_argument("--table", action="store_true", help="print the table and do nothing else")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None, command: Sequence[str] = BUNDLE) -> int:
    """Run or show a study.

    Args:
        argv: arguments; None takes those of the process.
        command: what runs a bundle, before its arguments.
    """
    arguments = parse(argv)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        return act(arguments, command)
    except (StudyError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2


def act(arguments: argparse.Namespace, command: Sequence[str]) -> int:
    study = read_study(arguments.study)
    ledger = Ledger((arguments.results or arguments.study.parent) / "cells")
    if arguments.table:
        print(markdown(study, summarise(study, statuses(study.name, study.cells, ledger))), end="")
        return 0
    if unknown := set(arguments.only or ()) - set(study.content["methods"]):
        raise StudyError(f"--only {', '.join(sorted(unknown))}: known are {', '.join(study.content['methods'])}")
    if unknown := set(arguments.task) - set(study.content["tasks"]):
        raise StudyError(f"--task {', '.join(sorted(unknown))}: known are {', '.join(study.content['tasks'])}")
    folders = data_folders(study, arguments.data)
    lacking = {
        name: lacks for name in arguments.only or study.content["methods"] if (lacks := study.lacks(name, folders))
    }
    for name, lacks in lacking.items():
        say(f"{name} is left out: give {' '.join(f'--data {data}=PLACE' for data in lacks)} to run it")
    methods = [name for name in arguments.only or study.content["methods"] if name not in lacking]
    cells = with_needs(study.cells, methods, arguments.task)
    if arguments.accept:
        for name, status in statuses(study.name, cells, ledger).items():
            if status.changed:
                say(f"{name} accepted with {', '.join(status.changed)} changed")
                accept(ledger, status)
    places = Places(arguments.output_root.resolve(), folders, command)
    deadline = None if arguments.limit_minutes is None else time.monotonic() + 60 * arguments.limit_minutes
    runner = Runner(study, ledger, places, arguments.recompute, deadline)
    if arguments.dry_run:
        known = runner.known()
        for cell in runner.open(cells, known):
            say(cell.id)
            print("\n".join(f"  {shlex.join(line)}" for line in commands(cell, known, places)))
        return 0
    runner.work(cells)
    print(write_table(study, ledger), end="")
    return report(runner, cells)


if __name__ == "__main__":
    sys.exit(main())
