"""The way to an MLflow server, or to the SQLite file that stands for one."""

import contextlib
import logging
import os
import shutil
import sqlite3
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..command import merged_config
from ..command.credentials import without_credentials
from ..engines import rank
from ..files import PARTIAL, locked, replacing, sweep
from .addresses import SCHEME, sqlite_address
from .errors import TrackingError
from .moved import relocate

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from requests import PreparedRequest

DATABASE = "mlflow.db"
KNOCK_SECONDS = (3.0, 6.0)
"""How long each address of a server may take to accept a connection, and the server then to say anything at all."""
HTTP = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "30", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4"}
"""About a minute of patience with a server that has gone; MLflow's own settings are a quarter of an hour."""
RESERVE_BYTES = 1 << 20


def connect(uri: str, directory: Path | None) -> "MlflowClient":
    """MLflow's client; importing it and making a new database take seconds.

    Args:
        uri: of the tracking server.
        directory: where the SQLite file lies that the URI names; None for a server elsewhere.

    Raises:
        TrackingError: the server cannot be reached.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    for name, value in HTTP.items():
        os.environ.setdefault(name, value)
    if uri != without_credentials(uri):  # MLflow prints the address of each run that ends
        os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    reach(uri)
    from mlflow import MlflowClient

    for name in ("alembic", "mlflow.store.db.utils"):  # they report each table of a new database
        logging.getLogger(name).setLevel(logging.WARNING)
    if directory is None:
        return MlflowClient(uri)
    directory.mkdir(parents=True, exist_ok=True)
    with locked(directory / ".mlflow.lock"):  # two processes must not make the tables at once
        sweep(directory)
        if not (directory / DATABASE).exists():
            _make_database(directory / DATABASE)
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)  # brings an older database up to date
        relocate(directory / DATABASE, directory)
        _remove_strays(Path(uri.removeprefix(SCHEME)).parent, directory)
    return client


def _remove_strays(written: Path, directory: Path) -> None:
    """Take away the empty folders that MLflow makes by the letters of an address, where `%3F` stands for another."""
    for folder in (written, *written.parents):
        if directory.is_relative_to(folder):
            return
        with contextlib.suppress(OSError):  # it is not empty, and thus somebody's
            folder.rmdir()


class Reserve:
    """Space beside a database that is given back before its last entry, for the case that the disk is full by then.

    Args:
        directory: of the database; None keeps nothing.
    """

    def __init__(self, directory: Path | None):
        self._file = None if directory is None else directory / f".reserve-{id(self)}.{os.getpid()}{PARTIAL}"

    def take(self) -> None:
        """Fill the space; where that cannot be done there is none to keep."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.write_bytes(os.urandom(RESERVE_BYTES))  # a file system may not store zeros

    def release(self) -> None:
        """Give it back."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.unlink()


def reach_server() -> None:
    """Knock at the tracking server of this command before its data are prepared for hours; a file needs none.

    Raises:
        TrackingError: the server cannot be reached.
    """
    config = merged_config() or {}
    uri = os.environ.get("MLFLOW_TRACKING_URI") or config.get("tracking", {}).get("uri")
    if uri and rank() == 0:
        reach(str(uri))


def reach(uri: str) -> None:
    """Knock at a server's door: MLflow itself would go on trying for minutes. Any answer will do, a refusal too."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        return
    import requests
    import urllib3

    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    with requests.Session() as session, warnings.catch_warnings():
        session.auth = _no_password  # nor that of ~/.netrc: the certificate is MLflow's to check
        warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
        try:
            session.get(place, timeout=KNOCK_SECONDS, verify=False, allow_redirects=False, stream=True)
        except (requests.RequestException, ValueError) as error:
            raise TrackingError(uri, _in_short(error)) from error


def _no_password(request: "PreparedRequest") -> "PreparedRequest":
    return request


def _in_short(error: Exception) -> str:
    """What lies beneath the layers of an HTTP client."""
    import requests

    if isinstance(error, requests.Timeout):
        return f"no answer within {KNOCK_SECONDS[isinstance(error, requests.ReadTimeout)]:.0f} seconds"
    beneath: BaseException = error
    while (cause := beneath.__cause__ or beneath.__context__) is not None:
        beneath = cause
    return f"no connection ({beneath})"


def _make_database(path: Path) -> None:
    """Let MLflow make its tables in memory where the system has a place for that, then move the file.

    It does so in hundreds of transactions, each of which waits for the disk: a minute on a busy one.
    """
    from mlflow import MlflowClient

    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        draft = Path(folder) / path.name
        MlflowClient(sqlite_address(draft)).search_experiments(max_results=1)
        with contextlib.closing(sqlite3.connect(draft)) as connection, connection:
            # MLflow's own experiment keeps its artifacts beside the file
            connection.execute("update experiments set artifact_location = ?", [str(path.parent / "mlruns" / "0")])
        with replacing(path, durable=False) as [partial]:
            shutil.copyfile(draft, partial)
