"""What the command of a study does: show its table, say what would run, or run it."""

import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .cells import Ledger, accept, statuses
from .check import StudyError
from .plan import Study, read_study, with_needs
from .run import Places, commands
from .runner import Runner, report, say, write_table
from .table import markdown, summarise

BUNDLE: Sequence[str] = (sys.executable, "-m", "monai.bundle", "run")


def conduct(
    file: Path,
    data: Sequence[str] = (),
    output_root: Path = Path("runs"),
    results: Path | None = None,
    only: Sequence[str] | None = None,
    task: Sequence[str] = (),
    limit_minutes: float | None = None,
    recompute: bool = False,
    accept_changes: bool = False,
    dry_run: bool = False,
    table: bool = False,
) -> int:
    """Run a study, or show it.

    Args:
        file: of the study.
        data: NAME=PLACE of its data sets and files; those below CXR_DATA are found without.
        output_root: of runs, stores, logs and the MLflow file.
        results: folder of cells/ and the tables; None takes the study file's.
        only: methods to run, at every budget or `method_budget`, and what they need; None takes all.
        task: tasks to run, and what they need; none takes all.
        limit_minutes: stop after so long.
        recompute: measure cells again whose config changed, or whose file cannot be used.
        accept_changes: keep cells whose config changed: it makes no difference.
        dry_run: print what would run.
        table: print the table and do nothing else.

    Returns:
        Exit status: 1 where a cell failed, is changed or has a file that cannot be used.

    Raises:
        StudyError: a mistake in the study file or in what was asked.
        FileNotFoundError: no such study file.
    """
    study = read_study(file)
    ledger = Ledger((results or file.parent) / "cells")
    if table:
        print(markdown(study, summarise(study, statuses(study.name, study.cells, ledger))), end="")
        return 0
    if unknown := set(task) - set(study.content["tasks"]):
        raise StudyError(f"--task {', '.join(sorted(unknown))}: known are {', '.join(study.content['tasks'])}")
    folders = data_folders(study, data)
    wanted = study.methods(only) if only else list(study.content["methods"])
    lacking = {name: lacks for name in wanted if (lacks := study.lacks(name, folders))}
    for name, lacks in lacking.items():
        say(f"{name} is left out: give {' '.join(f'--data {data}=PLACE' for data in lacks)} to run it")
    cells = with_needs(study.cells, [name for name in wanted if name not in lacking], task)
    if accept_changes:
        for name, status in statuses(study.name, cells, ledger).items():
            if status.changed:
                say(f"{name} accepted with {', '.join(status.changed)} changed")
                accept(ledger, status)
    places = Places(output_root.resolve(), folders, BUNDLE)
    deadline = None if limit_minutes is None else time.monotonic() + 60 * limit_minutes
    runner = Runner(study, ledger, places, recompute, deadline)
    if dry_run:
        known_now = runner.known()
        for cell in runner.open(cells, known_now):
            say(cell.id)
            print("\n".join(f"  {shlex.join(line)}" for line in commands(cell, known_now, places)))
        return 0
    runner.work(cells)
    print(write_table(study, ledger), end="")
    return report(runner, cells)


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
