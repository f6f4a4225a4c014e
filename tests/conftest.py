import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fork_server import ForkServer, Job
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
def mlflow_template(tmp_path_factory) -> Path:
    """An empty MLflow database; copying it saves the seconds that making one takes."""
    from common.reporting.store import RunStore

    store = RunStore(None, tmp_path_factory.mktemp("mlflow"), "none")
    store.uri = store.local_uri  # whatever the environment says
    store.client.search_experiments(max_results=1)
    return store.directory / "mlflow.db"


@pytest.fixture
def output_root(tmp_path, mlflow_template, monkeypatch) -> Path:
    """An empty output root whose MLflow database is ready."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    root = tmp_path / "runs"
    root.mkdir()
    shutil.copy(mlflow_template, root / "mlflow.db")
    return root


@pytest.fixture(scope="session")
def fork_server(tmp_path_factory):
    server = ForkServer(tmp_path_factory.mktemp("fork_server"))
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
