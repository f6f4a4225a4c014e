"""Runs of the toy bundle in processes that may be killed.

A forked child shares what this process has imported, so that it starts in no time; MONAI takes seconds.
"""

import contextlib
import os
import runpy
import signal
import socket
import sqlite3
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import torch
from warm import warm_commands

CONFIG = Path(__file__).parents[1] / "configs" / "train.yaml"


def in_child(action: Callable[[], None], **environment: str) -> int:
    """Fork and call; returns the process id."""
    warm_commands()
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.environ.update(environment)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and nohup this
        torch.set_num_threads(1)
        action()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(status)


def exit_code(child: int) -> int:
    """Wait for a child; a signal gives its negative number."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def train(output_root: Path, **override) -> None:
    """Train in this process."""
    from monai.bundle import create_workflow

    workflow = create_workflow(
        config_file=str(CONFIG),
        workflow_type="train",
        bundle_root=str(CONFIG.parents[1]),
        output_root=str(output_root),
        **override,
    )
    workflow.run()
    workflow.finalize()


def train_in_child(output_root: Path, **override) -> int:
    """Train in a child; returns its exit code."""
    return exit_code(in_child(lambda: train(output_root, **override)))


def command_in_child(
    log: Path, *words: str, files: object = CONFIG, before: Callable[[], object] = lambda: None
) -> int:
    """Start `python -m monai.bundle run` in a child of its own process group; what it prints goes to a file."""

    def action() -> None:
        os.setpgid(0, 0)
        handle = log.open("w", buffering=1)
        os.dup2(handle.fileno(), 1)
        os.dup2(handle.fileno(), 2)
        sys.stdout = sys.stderr = handle
        sys.argv = ["monai", "run", "--config_file", str(files), "--bundle_root", str(CONFIG.parents[1]), *words]
        before()
        try:
            runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
        except SystemExit:
            raise
        except BaseException:  # as the interpreter does at the end of a process
            sys.excepthook(*sys.exc_info())
            raise SystemExit(1) from None
        finally:
            handle.flush()

    return in_child(action)


def train_in_children(output_root: Path, processes: int, **override) -> list[int]:
    """Train in several children as torchrun starts them; returns their exit codes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    children = [
        in_child(lambda: train(output_root, **override), RANK=str(rank), LOCAL_RANK=str(rank), **shared)
        for rank in range(processes)
    ]
    return [exit_code(child) for child in children]


def newest(output_root: Path) -> dict:
    """The newest checkpoint of the run with seed 0."""
    return torch.load(max((output_root / "toy/toy-seed0/checkpoints").glob("iteration-*.pt")), weights_only=True)


def query(output_root: Path, sql: str) -> list[tuple]:
    """Ask the MLflow database without MLflow."""
    with contextlib.closing(sqlite3.connect(output_root / "mlflow.db")) as connection:
        return connection.execute(sql).fetchall()


def points(output_root: Path) -> list[tuple]:
    """Logged points that do not depend on the machine, as (run, name, step, value)."""
    rows = query(output_root, "select run_uuid, key, step, value from metrics order by run_uuid, key, step")
    return [row for row in rows if not row[1].startswith("speed/")]
