"""Run one cell of a study: a child process for each of its steps, then its numbers."""

import hashlib
import json
import os
import platform
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .cell import Cell
from .cells import ROOT, Record, Status, config_file, numbers
from .check import StudyError
from .curves import Curve, read_curve
from .machine import children_cpu, commit, hardware, package_version
from .placeholders import fill

PACKAGES = ("torch", "monai", "timm")
TAIL_LINES = 15
GRACE_S = 60


class CellFailedError(RuntimeError):
    """A cell has no result; the message has the last lines of its log."""


class OutOfTimeError(Exception):
    """The time limit came while a cell ran; the same command goes on with it."""


@dataclass(frozen=True)
class Places:
    """Where things are on this machine; none of it enters a result.

    Attributes:
        output_root: where bundles put their runs, and the logs of the cells.
        data: folder of each data set by the name that the study gives it.
        command: what runs a bundle, before its arguments.
    """

    output_root: Path
    data: Mapping[str, Path]
    command: Sequence[str]

    def run_dir(self, cell: Cell, status: Status) -> Path:
        """Where a cell's bundle leaves its files."""
        return self.output_root / cell.bundle / status.run_name


def encoder_file(cell: Cell, run_dir: Path) -> str:
    """Path of the encoder that a pre-training leaves."""
    return fill(cell.encoder, lambda name, _: str(run_dir) if name == "run_dir" else None)


def commands(cell: Cell, known: Mapping[str, tuple[Cell, Status]], places: Places) -> list[list[str]]:
    """The command of each step.

    Args:
        cell: what to run.
        known: cell and status by id, at least of this cell and of what it needs.
        places: of this machine.

    Raises:
        StudyError: a data set without a folder.
    """
    own = places.run_dir(*known[cell.id])

    def resolve(name: str, key: str | None) -> str | None:
        if name == "data":
            if key is None or key not in places.data:
                raise StudyError(f"where is the data set {key}? Give --data {key}=FOLDER")
            return str(places.data[key])
        if name == "run_dir":
            return str(own)
        if name == "encoder":
            needed = known[f"{cell.method}-pretraining-seed{cell.seed}"]
        else:
            method, _, task = (key or "").partition("/")
            needed = known[f"{method}-{task or 'pretraining'}-seed{cell.seed}"]
        folder = places.run_dir(*needed)
        return str(folder) if name == "runs" else encoder_file(needed[0], folder)

    fixed = {"run_name": known[cell.id][1].run_name, "output_root": str(places.output_root)}
    made = []
    for step in cell.steps:
        files = [config_file(cell.bundle, name) for name in step.configs]
        options = {**fill(step.options, resolve), **fixed}
        command = [*places.command, "--config_file", repr(files), "--bundle_root", f"bundles/{cell.bundle}"]
        for key, value in options.items():
            command += [f"--{key}", value if isinstance(value, str) else repr(value)]
        made.append(command)
    return made


def run_cell(
    cell: Cell, known: Mapping[str, tuple[Cell, Status]], places: Places, lock: int, deadline: float | None
) -> Record:
    """Run a cell to its end.

    Args:
        cell: what to run; what it needs is finished.
        known: cell and status by id.
        places: of this machine.
        lock: descriptor of the held lock file, which the children inherit.
        deadline: value of `time.monotonic()` at which to stop; None is never.

    Returns:
        What is remembered of it.

    Raises:
        CellFailedError: a child failed, or a number is missing.
        OutOfTimeError: the deadline came.
    """
    status = known[cell.id][1]
    run_dir, log = places.run_dir(cell, status), places.output_root / "logs" / f"{status.run_name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    resumed, head, begin, cpu = log.exists(), commit(), time.monotonic(), children_cpu()
    for command in commands(cell, known, places):
        code = _run(command, log, lock, deadline)
        if code != 0:
            raise CellFailedError(f"exit status {code}; the end of {log}:\n{tail(log)}")
    files, facts = _results(cell, run_dir)
    curve = {"curve": _curve(cell, run_dir, places.output_root)} if cell.curve else {}
    return {
        "cell": cell.id,
        "method": cell.method,
        "task": cell.task,
        "seed": cell.seed,
        "run_name": status.run_name,
        "numbers": files,
        "facts": facts,
        **curve,
        **_weights(cell, run_dir),
        "encoders": dict(status.encoders),
        "seconds": round(time.monotonic() - begin, 1),
        "cpu_seconds": round(children_cpu() - cpu, 2),
        "resumed": resumed,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": head,
        "hardware": hardware(),
        "versions": {"python": platform.python_version(), **{name: package_version(name) for name in PACKAGES}},
        "digest": status.digest,
        "spec": status.spec,
    }


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log; of a progress bar, its last state."""
    text = log.read_bytes().decode(errors="replace")  # read_text would make new lines of carriage returns
    last = [line.rstrip().split("\r")[-1] for line in text.split("\n")]
    return "\n".join(f"    {line}" for line in [line for line in last if line][-lines:])


def _run(command: Sequence[str], log: Path, lock: int, deadline: float | None) -> int:
    """Run a child in the repository's root; however this ends, the child has ended too, unless this was killed."""
    with log.open("a") as file:
        file.write(f"\n$ {' '.join(command)}\n")
        file.flush()
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=file,
            stderr=file,
            stdin=subprocess.DEVNULL,
            pass_fds=[lock],
            start_new_session=True,
        )
        try:
            return child.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise OutOfTimeError from None
        finally:
            if child.poll() is None:
                _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Let a child save what it has; after a minute, kill it with its own children."""
    child.terminate()
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _results(cell: Cell, run_dir: Path) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """All numbers of the files in which the study looks for metrics, by file, and the facts."""
    contents = {}
    for name in dict.fromkeys(where.file for where in [*cell.metrics.values(), *cell.facts.values()]):
        if not (run_dir / name).is_file():
            raise CellFailedError(f"it ended without {run_dir / name}; correct `metrics` in the study, or its steps")
        contents[name] = json.loads((run_dir / name).read_text(encoding="utf-8"))
    found = {name: numbers(content) for name, content in contents.items()}
    for title, where in cell.metrics.items():
        if where.key not in found[where.file]:
            raise CellFailedError(
                f"{title}: {where.file} has no number {where.key}, only {', '.join(found[where.file])}"
            )
    if cell.encoder and not Path(encoder_file(cell, run_dir)).is_file():
        raise CellFailedError(f"it ended without {encoder_file(cell, run_dir)}; correct `encoder` in the study")
    if cell.images is not None:
        _check_images(cell.images, Path(encoder_file(cell, run_dir)).parent / "data.json")
    return found, {title: _at(contents[where.file], where.key) for title, where in cell.facts.items()}


def _check_images(expected: int, told: Path) -> None:
    """A pre-training on another number of images than the budget was reckoned with has another budget."""
    found = sum(data["images"] for data in json.loads(told.read_text(encoding="utf-8"))["trained_on"])
    if found != expected:
        raise CellFailedError(
            f"it trained on {found} images, and the study says `images: {expected}`; correct it there"
        )


def _curve(cell: Cell, run_dir: Path, output_root: Path) -> Curve:
    """Of the run that made the encoder: a method that trains in stages has several."""
    try:
        return read_curve(Path(encoder_file(cell, run_dir)).parent, output_root, cell.curve)
    except ValueError as error:
        raise CellFailedError(f"{error}; correct `curve` in the study") from None


def _weights(cell: Cell, run_dir: Path) -> dict[str, str]:
    """Digest of the encoder that a pre-training left: cells that were measured with other weights are told by it."""
    if not cell.encoder:
        return {}
    path = Path(encoder_file(cell, run_dir))
    with path.open("rb") as file:
        if path.suffix == ".safetensors":  # whose header names the commit, and changes with it
            file.seek(int.from_bytes(file.read(8), "little"), os.SEEK_CUR)
        return {"weights": hashlib.file_digest(file, "sha256").hexdigest()[:16]}


def _at(content: Any, key: str) -> Any:
    for name in key.split("."):
        if not isinstance(content, Mapping) or name not in content:
            raise CellFailedError(f"no {key} in a result file; correct `facts` in the study")
        content = content[name]
    return content
