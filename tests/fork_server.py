"""Processes that start warm: one server imports MONAI once, and forks a child for every command.

A fresh `python -m monai.bundle` spends most of its time importing. A child forked here is a process of its own, with
its own command line, environment and modules of the project, and can be killed like any other; only third-party
packages are imported already.
"""

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from warm import warm_commands

SERVER = Path(__file__)


@dataclass
class Job:
    """A command `python ARGUMENTS`, as the server is to run it.

    Args:
        arguments: the command line, without the interpreter: `-m MODULE ...`, `-c CODE ...` or a script and its words.
        cwd: folder to run in; it comes first in `sys.path`, as with `python -m`.
        log: file for standard output, and for errors where `errors` names none.
        errors: file for standard error.
        environment: added to the server's.
        hidden: whether the repository's packages must be out of sight.
        kill_after: the process kills itself with SIGKILL when so many training iterations are done.
    """

    arguments: list[str]
    cwd: str
    log: str
    errors: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    hidden: str | None = None
    kill_after: int | None = None

    def output(self) -> str:
        return Path(self.log).read_text(errors="replace")


class ForkServer:
    """The test's end of the server.

    Args:
        tables: an MLflow store without runs, by which the server learns to ask one.
    """

    def __init__(self, tables: Path) -> None:
        self.tables = tables
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
        environment.pop("MLFLOW_TRACKING_URI", None)
        self.process = subprocess.Popen(
            [sys.executable, str(SERVER), str(tables)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

        self._ready = False

    def _wait(self) -> None:
        """The server says when it has imported everything; meanwhile the tests can prepare their data."""
        assert self.process.stdout is not None
        self._ready = self._ready or self.process.stdout.readline() == "ready\n"
        assert self._ready, "the server did not start"

    def run(self, *jobs: Job) -> list[int]:
        """Run jobs at the same time; their exit codes, negative for a signal."""
        self._wait()
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps([asdict(job) for job in jobs]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)


def serve() -> None:
    answers = os.fdopen(os.dup(1), "w")  # children write to descriptor 1
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        children = [_fork(Job(**job)) for job in json.loads(line)]
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        answers.write(json.dumps(codes) + "\n")
        answers.flush()


def _fork(job: Job) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        log = os.open(job.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log if job.errors is None else os.open(job.errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        _become(job)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        import atexit

        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _become(job: Job) -> None:
    """Turn the forked child into the process that the command line would have started."""
    os.environ.update(job.environment)
    os.chdir(job.cwd)
    if job.hidden is not None:
        exec(compile(Path(job.hidden).read_text(), job.hidden, "exec"), {})
        os.environ["PYTHONPATH"] = str(Path(job.hidden).parent)
    if job.kill_after is not None:
        _kill_after(job.kill_after)
    sys.path[0] = job.cwd  # was this file's folder; scripts too see the project they are run for
    start, *rest = job.arguments
    if start == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif start == "-c":
        sys.argv = [start, *rest[1:]]
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = job.arguments
        runpy.run_path(start, run_name="__main__")


def _kill_after(iterations: int) -> None:
    from ignite.engine import Engine, Events
    from monai.engines import Trainer

    fire = Engine._fire_event

    def deadly(engine, event, *args, **kwargs):
        fire(engine, event, *args, **kwargs)
        if event == Events.ITERATION_COMPLETED and isinstance(engine, Trainer) and engine.state.iteration >= iterations:
            time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGKILL)

    Engine._fire_event = deadly


def _preload() -> None:
    """Everything a bundle imports from outside the project. torchvision needs the project's declarations first."""
    shim = Path(__file__).parents[1] / "common" / "networks" / "torchvision_shim.py"
    globals()["SHIM"] = runpy.run_path(str(shim))
    for name in ("monai.bundle", "monai.engines", "monai.handlers", "ignite.handlers", "mlflow", "timm", "kornia"):
        __import__(name)
    for name in ("matplotlib.figure", "pandas", "pyarrow.parquet", "safetensors.torch", "segmentation_models_pytorch"):
        __import__(name)
    for name in ("fire", "matplotlib.backends.backend_agg", "pyarrow.dataset"):
        __import__(name)
    from mlflow import MlflowClient
    from PIL import Image

    MlflowClient(f"sqlite:///{sys.argv[1]}").search_experiments(max_results=1)
    Image.init()
    warm_commands()


if __name__ == "__main__":
    _preload()
    serve()
    os._exit(0)  # taking everything down takes seconds
