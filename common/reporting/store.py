"""The MLflow run that a training writes to."""

import atexit
import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..command.credentials import without_credentials
from .addresses import sqlite_address, sqlite_file
from .errors import TrackingError
from .server import Reserve, connect

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, RunData

logger = logging.getLogger(__name__)
T = TypeVar("T")
KIND = {"mlflow.experimentKind": "custom_model_development"}
"""MLflow's word for training, by which its pages choose what they show of an experiment."""
PATIENCE = 60.0
"""Seconds to go on trying while other processes write to the same database."""


class RunStore:
    """One MLflow run: found again or made, written to, and closed.

    A run that is still open when the process ends, whatever ended it, is closed as `KILLED`. Where the run's database
    is a file, some space is kept free beside it until then, so that a full disk does not leave the run as running.
    Errors of MLflow come as `TrackingError`.

    Args:
        uri: of the tracking server; None takes `MLFLOW_TRACKING_URI`, or else `mlflow.db` in the directory.
        directory: of the SQLite file and the artifacts, where there is no server.
        experiment: name; made when it does not exist.
    """

    def __init__(self, uri: str | None, directory: Path, experiment: str):
        self.directory, self.experiment = directory.absolute(), experiment
        self.local_uri = sqlite_address(self.directory / "mlflow.db")
        self.uri = os.environ.get("MLFLOW_TRACKING_URI") or uri or self.local_uri
        self.run_id: str | None = None
        self._client: MlflowClient | None = None
        self._reserve = Reserve(self.directory if self.uri == self.local_uri else None)
        self._process = os.getpid()
        self.experiment_id = ""
        self._continued = False
        self._last_steps: dict[str, int] = {}

    @property
    def address(self) -> str:
        """The server, without what it must not be shown with."""
        return without_credentials(self.uri)

    @property
    def shown_uri(self) -> str:
        """The address as one types it: relative where the database is a file below the working directory."""
        file = sqlite_file(self.uri)
        if file is None or not file.is_relative_to(Path.cwd()):
            return self.address
        return sqlite_address(file.relative_to(Path.cwd()))

    @property
    def client(self) -> "MlflowClient":
        """MLflow's client; importing it and making a new database take seconds, so that happens here."""
        if self._client is None:
            local = self.directory if self.uri == self.local_uri else None
            self._client = self._ask(connect, self.uri, local)
        return self._client

    def open(self, run_name: str, run_ids: Iterable[str | None], parent: str | None = None) -> bool:
        """Go on with the first of these runs that exists, or make one with a name nobody has.

        Args:
            run_name: of a new run; `-2`, `-3`, ... is added when the experiment has one of that name.
            run_ids: runs to go on with; None is passed over.
            parent: run below which a new run is nested.

        Returns:
            Whether a run goes on.
        """
        self.experiment_id = self._ask(self._find_experiment)
        for run_id in run_ids:
            if run_id is not None and self._ask(self._is_alive, run_id):
                self.run_id, self._continued = run_id, True
                self.reopen()
                return True
        name = self._ask(self._free_name, run_name)
        tags = {} if parent is None else {"mlflow.parentRunId": parent}
        made = self._ask(self.client.create_run, self.experiment_id, run_name=name, tags=tags)
        self.run_id = made.info.run_id
        self._continued = False
        self._opened()
        return False

    def status(self, run_id: str) -> str | None:
        """Status of a run; None when there is no such run."""
        from mlflow.exceptions import MlflowException

        try:
            return with_retries(self.client.get_run, run_id).info.status
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise TrackingError(self.uri, error) from error
            return None

    def experiment_of(self, run_id: str | None) -> str:
        """Id of the experiment that a run is in; "" where there is no such run, or no answer."""
        from mlflow.exceptions import MlflowException

        try:
            known = self.known(run_id)
            return "" if known is None else str(self.client.get_run(known).info.experiment_id)
        except (TrackingError, MlflowException):
            return ""

    def known(self, run_id: str | None) -> str | None:
        """The run id itself where there is such a run, which nobody has deleted."""
        if run_id is None or self.status(run_id) is None:
            return None
        return run_id if self._ask(self.client.get_run, run_id).info.lifecycle_stage == "active" else None

    def data(self) -> "RunData":
        """Parameters and tags that the run has."""
        return self._ask(self.client.get_run, self.id).data

    def log(
        self,
        metrics: Mapping[str, float] = {},
        step: int = 0,
        params: Mapping[str, str] = {},
        tags: Mapping[str, str] = {},
    ) -> None:
        """Write in one transaction per thousand entries; a step that the run already has is left as it is.

        Args:
            metrics: numbers by name.
            step: of the metrics.
            params: values by name, none of which the run has yet.
            tags: values by name.
        """
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        points = [Metric(name, value, now, step) for name, value in (metrics or {}).items() if self._is_new(name, step)]
        pairs = [Param(name, value) for name, value in (params or {}).items()]
        labels = [RunTag(name, value) for name, value in (tags or {}).items()]
        # MLflow takes 1000 metrics, 100 parameters and 100 tags at a time
        for start in range(0, max(len(points), 10 * len(pairs), 10 * len(labels)), 1000):
            few = slice(start // 10, start // 10 + 100)
            self._ask(self.client.log_batch, self.id, points[start : start + 1000], pairs[few], labels[few])

    def add(self, run_id: str, metrics: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """Write single numbers and tags to another run, in place of those it has."""
        from mlflow.entities import Metric, RunTag

        now = int(time.time() * 1000)
        points = [Metric(name, value, now, 0) for name, value in metrics.items()]
        for start in range(0, len(points), 1000):
            self._ask(self.client.log_batch, run_id, points[start : start + 1000])
        self._ask(self.client.log_batch, run_id, tags=[RunTag(name, value) for name, value in tags.items()])

    def inputs(self, data: "Sequence[DatasetInput]") -> None:
        """List data sets beside the run."""
        if data:
            self._ask(self.client.log_inputs, self.id, data)

    def reopen(self) -> None:
        """Mark the run as running."""
        self._ask(self.client.update_run, self.id, status="RUNNING")
        self._opened()

    def close(self, status: str) -> None:
        """Mark the run `FINISHED`, `FAILED` or `KILLED`."""
        self._reserve.release()
        self._ask(self.client.set_terminated, self.id, status)
        atexit.unregister(self._close_at_exit)

    @property
    def id(self) -> str:
        """The open run."""
        if self.run_id is None:
            raise RuntimeError("no MLflow run is open")
        return self.run_id

    def keep(self, method: str, *arguments: Any) -> None:
        """Keep an artifact of the run, by a method of MLflow's client."""
        self._ask(getattr(self.client, method), self.id, *arguments)

    def _opened(self) -> None:
        self._reserve.take()
        atexit.unregister(self._close_at_exit)
        atexit.register(self._close_at_exit)

    def _close_at_exit(self) -> None:
        """The process ends, in order or not, and nobody has closed the run."""
        if os.getpid() != self._process:
            return
        try:
            self.close("KILLED")
        except Exception as error:
            logger.warning("The MLflow run %s stays marked as running: %s", self.run_id, error)

    def _ask(self, action: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call MLflow, and make its errors ours."""
        try:
            return with_retries(action, *arguments, **named)
        except (TrackingError, ValueError):
            raise
        except Exception as error:  # of MLflow, its database's driver, its HTTP client, or the system
            raise TrackingError(self.uri, error) from error

    def _is_new(self, name: str, step: int) -> bool:
        """Whether the run lacks this step; what a killed process logged after its last checkpoint stays."""
        if name not in self._last_steps:
            known = self._ask(self.client.get_metric_history, self.id, name) if self._continued else []
            self._last_steps[name] = max((point.step for point in known), default=-1)
        new = step > self._last_steps[name]
        self._last_steps[name] = max(step, self._last_steps[name])
        return new

    def _find_experiment(self) -> str:
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(self.experiment)
        if found is None:
            place = (self.directory / "artifacts").as_uri() if self.uri == self.local_uri else None
            try:
                return self.client.create_experiment(self.experiment, artifact_location=place, tags=KIND)
            except MlflowException:
                found = self.client.get_experiment_by_name(self.experiment)  # another process was faster
                if found is None:
                    raise
        if found.lifecycle_stage != "active":
            raise ValueError(
                f"the MLflow experiment {self.experiment!r} is deleted; restore it (mlflow experiments restore "
                f"--experiment-id {found.experiment_id}) or give tracking#experiment another name"
            )
        return found.experiment_id

    def _is_alive(self, run_id: str) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            info = self.client.get_run(run_id).info
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            logger.warning("The MLflow run %s of the checkpoint is not in %s; a new one begins.", run_id, self.address)
            return False
        return info.lifecycle_stage == "active"

    def _free_name(self, wanted: str) -> str:
        plain = re.match(r"[\w.\- ]*", wanted)  # what a filter takes without quoting; a prefix finds more than enough
        prefix = plain.group() if plain else ""
        runs = self.client.search_runs(
            [self.experiment_id], f"attributes.run_name LIKE '{prefix}%'", max_results=10_000
        )
        taken, name, number = {run.info.run_name for run in runs}, wanted, 1
        while name in taken:
            number += 1
            name = f"{wanted}-{number}"
        return name


def with_retries(action: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Call, and again while another process holds the database."""
    end, pause = time.monotonic() + PATIENCE, 0.1
    while True:
        try:
            return action(*arguments, **named)
        except Exception as error:
            if "database is locked" not in str(error) or time.monotonic() > end:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 5.0)
