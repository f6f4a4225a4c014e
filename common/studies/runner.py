"""Goes through the cells of a study; several of it, on one machine or more, share the work."""

import io
import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from matplotlib.figure import Figure

from ..files import locked_if_free, write_durably
from .cell import Cell
from .cells import Ledger, Record, Status, statuses, write_whole
from .curves import curves_figure
from .gains import gains_figure
from .plan import Study
from .run import CellFailedError, OutOfTimeError, Places, encoder_file, run_cell
from .table import markdown, summarise

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
    found = statuses(study.name, study.cells, ledger)
    summary = summarise(study, found)
    text = markdown(study, summary)
    write_whole(ledger.folder.parent / "table.json", json.dumps(summary, indent=1) + "\n")
    write_whole(ledger.folder.parent / "table.md", text)
    write_curves(study, found, ledger.folder.parent)
    if (figure := gains_figure(study, summary)) is not None:
        write_figure(figure, ledger.folder.parent / "gains.png")
    return text


def write_curves(study: Study, found: Mapping[str, Status], folder: Path) -> None:
    """Write the figures of the pre-trainings whose curves were kept, each method's longest; none where there is none.

    Args:
        study: its `figures` are names of files and the methods in them; without, `curves` has all.
        found: status by cell.
        folder: of the pictures.
    """
    names = study.curves
    kept: dict[str, list[Record]] = {}
    for cell in study.cells:
        record = found[cell.id].record
        if (
            record is not None
            and found[cell.id].finished
            and names
            and {*names.values()} <= record.get("curve", {}).keys()
        ):
            kept.setdefault(cell.method, []).append(record)
    staged = {cell.method for cell in study.cells if cell.encoder and not cell.encoder.startswith("{run_dir}/")}
    longest = {study.written(key): key for key in study.content["methods"] if key in kept}
    for name, methods in study.content.get("figures", {"curves": list(longest)}).items():
        shown = [longest[method] for method in methods if method in longest]
        if shown:
            titles = {study.title(key) + ", last stage" * (key in staged): kept[key] for key in shown}
            write_figure(curves_figure(titles, names), folder / f"{name}.png")


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure whole or not at all."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    write_durably(picture.getvalue(), path)


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
    """Print a line with the time."""
    print(f"{datetime.now():%H:%M:%S} {text}", flush=True)
