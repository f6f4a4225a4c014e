import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from fork_server import ForkServer, Job
from scheduling import pytest_collection_modifyitems, pytest_xdist_make_scheduler  # noqa: F401
from warm import share_components


@pytest.fixture(scope="session", autouse=True)
def shared_components():
    if "monai" in sys.modules:  # not where only tests are chosen that do without
        share_components()


@pytest.fixture(scope="session")
def cxr_data() -> Path:
    """Root of the real images."""
    root = os.environ.get("CXR_DATA")
    if root is None:
        pytest.skip("CXR_DATA is not set: it names the folder of real images (see README)")
    if not Path(root).is_dir():
        pytest.skip(f"CXR_DATA is {root}, which is no folder")
    return Path(root)


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A folder that the first of all test processes that asks fills, for every one of them: `shared(name, fill)`."""
    base = tmp_path_factory.getbasetemp()
    root = base.parent if base.name.startswith("popen-") else base  # a process of several has a folder in the run's

    def get(name: str, fill: Callable[[Path], object]) -> Path:
        folder, unfinished = root / f"shared-{name}", root / f"unfinished-{name}"
        with FileLock(root / f"shared-{name}.lock"):
            if not folder.exists():
                unfinished.mkdir()
                fill(unfinished)
                unfinished.rename(folder)
        return folder

    return get


@pytest.fixture(scope="session")
def mlflow_template(shared) -> Path:
    """An empty MLflow database; copying it saves the seconds that making one takes."""

    def fill(folder: Path) -> None:
        from common.reporting.store import RunStore

        store = RunStore(None, folder, "none")
        store.uri = store.local_uri  # whatever the environment says
        store.client.search_experiments(max_results=1)
        store.client._tracking_client.store.engine.dispose()

    return shared("mlflow", fill) / "mlflow.db"


@pytest.fixture
def new_root(tmp_path, mlflow_template, monkeypatch):
    """Makes empty output roots whose MLflow database is ready: `new_root(name)`."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def make(name: str) -> Path:
        root = tmp_path / name
        root.mkdir()
        shutil.copy(mlflow_template, root / "mlflow.db")
        return root

    return make


@pytest.fixture
def output_root(new_root) -> Path:
    """An empty output root whose MLflow database is ready."""
    return new_root("runs")


@pytest.fixture(scope="session")
def fork_server(mlflow_template):
    server = ForkServer(mlflow_template)
    yield server
    server.close()


@pytest.fixture(scope="session")
def python(fork_server, tmp_path_factory):
    """Run `python ARGUMENTS`, where the first is `-m` or a script, in a process that has imported MONAI already."""

    def run(*arguments, cwd=Path(__file__).parents[1], hidden=None, **environment):
        said = tmp_path_factory.mktemp("said")
        words, out, errors = [str(word) for word in arguments], str(said / "out"), str(said / "errors")
        job = Job(words, str(cwd), out, errors, environment, hidden)
        (code,) = fork_server.run(job)
        return subprocess.CompletedProcess(words, code, Path(out).read_text(), Path(errors).read_text())

    return run
