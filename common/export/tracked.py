"""What MLflow knows of the run whose folder is exported."""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ..command.credentials import without_credentials
from ..reporting.addresses import sqlite_file
from ..reporting.server import reach
from .renamed import present_names

if TYPE_CHECKING:
    from mlflow import MlflowClient

NOTE = "mlflow_run.json"
# A small file needs no progress bar, and a server that is gone is not waited for for minutes.
PATIENCE = {
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
_PROVENANCE = {"data.name": "data", "data.records": "records", "data.fingerprint": "data fingerprint", "seed": "seed"}


@dataclass(frozen=True)
class TrackedRun:
    """A run's merged config, last validation metrics by name, and where it comes from; all empty when untracked.

    `notice` says what is to be known of it, `unreachable` why nothing is.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    notice: str | None = None
    unreachable: str | None = None


def read_tracked(run: Path) -> TrackedRun:
    """Look up the MLflow run that a run folder's note names.

    A server that cannot be reached leaves out what it knows, with a notice; the export itself does not need it.

    Args:
        run: output folder of a training run.
    """
    if not (run / NOTE).is_file():
        return TrackedRun()
    try:
        note = json.loads((run / NOTE).read_text())
        run_id, uri = str(note["run_id"]), str(note["uri"])
    except (ValueError, TypeError, KeyError) as error:
        return TrackedRun(unreachable=f"{run / NOTE}, which names the MLflow run, is damaged ({error}).")
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    file = sqlite_file(uri)
    if file is not None and not file.is_file():  # which MLflow would make anew
        return TrackedRun(unreachable=f"MLflow's file {file}, which knows the config of this run, is not there.")
    try:
        reach(address(uri))
        from mlflow import MlflowClient

        client = MlflowClient(address(uri))
        found = client.get_run(run_id)
        config = _config(client, run_id)
    except Exception as error:  # MLflow's, or whatever its store's library raises
        reason = without_credentials(str(error)).splitlines()[0][:300]
        return TrackedRun(unreachable=f"MLflow at {uri} does not answer for this run: {reason}.")
    names = {
        key.removeprefix("validation/"): value for key, value in found.data.metrics.items() if "validation/" in key
    }
    facts = {label: found.data.params[key] for key, label in _PROVENANCE.items() if key in found.data.params}
    facts["commit"] = found.data.tags.get("mlflow.source.git.commit", "")
    facts["MLflow run"] = run_id
    status = found.info.status
    notice = None if status == "FINISHED" else f"The run is {status}, not FINISHED: its files may still change."
    return TrackedRun(config, {name: value for name, value in names.items() if "/" not in name}, facts, notice)


def address(uri: str) -> str:
    """Where to reach a server that a note names: as the environment does, which alone knows its password."""
    given = os.environ.get("MLFLOW_TRACKING_URI", "")
    return given if without_credentials(given) == uri else uri


def _config(client: "MlflowClient", run_id: str) -> dict[str, Any]:
    """The config that was used last: `config.yaml`, or `config-<iteration>.yaml` of a run that went on with another."""
    paths = sorted(entry.path for entry in client.list_artifacts(run_id) if entry.path.startswith("config"))
    if not paths:
        return {}
    last = paths[-2] if len(paths) > 1 else paths[-1]  # "config.yaml" sorts after "config-000000123.yaml"
    with tempfile.TemporaryDirectory() as folder:
        return present_names(yaml.safe_load(Path(client.download_artifacts(run_id, last, folder)).read_text()))
