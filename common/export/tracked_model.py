"""Leave the exported network with its MLflow run, in a form that runs without the project's code."""

import json
import os
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..command.credentials import without_credentials
from .tracked import NOTE, PATIENCE, address

ARTIFACT = "model"


def log_model(run: Path, network: nn.Module, images: Tensor, metadata: Mapping[str, Any]) -> str | None:
    """Add the artifact `model` to the run, for `mlflow.pytorch.load_model` and `mlflow models serve`.

    It is a `torch.export` program with the run's signature and an example, and needs PyTorch alone.

    Args:
        run: folder of a run, with the note of its MLflow run; without one nothing is done.
        network: with the run's weights, in evaluation mode.
        images: an input (1, C, ...).
        metadata: of the exported bundle; tells the versions.

    Returns:
        Why it was not logged; None where it was, or where the run is not tracked.
    """
    if not (run / NOTE).is_file():
        return None
    note = json.loads((run / NOTE).read_text())
    os.environ.update({name: value for name, value in PATIENCE.items() if name not in os.environ})
    from mlflow import MlflowClient

    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _save(Path(folder) / ARTIFACT, network, images, metadata, note["run_id"])
            MlflowClient(address(note["uri"])).log_artifacts(note["run_id"], str(Path(folder) / ARTIFACT), ARTIFACT)
    except Exception as error:  # MLflow's, its store's or torch.export's: the export itself is complete
        reason = without_credentials(str(error)).splitlines()[0][:300]
        return f"The network was not added to MLflow's run: {type(error).__name__}: {reason}"
    return None


def _save(path: Path, network: nn.Module, images: Tensor, metadata: Mapping[str, Any], run_id: str) -> None:
    import mlflow.pytorch
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    # Two images, since a program made with one takes one only; eighths, since the example is kept as text.
    example = (torch.cat([images, images.flip(-1)]) * 8).round().div(8)
    with torch.no_grad():
        answer = network.eval()(example)
    numbers = example.numpy().dtype
    inputs, outputs = (Schema([TensorSpec(numbers, (-1, *tensor.shape[1:]))]) for tensor in (example, answer))
    versions = {"mlflow": mlflow.__version__, "torch": metadata["pytorch_version"], "numpy": metadata["numpy_version"]}
    mlflow.pytorch.save_model(
        network,
        path,
        mlflow_model=Model(artifact_path=ARTIFACT, run_id=run_id),
        signature=ModelSignature(inputs, outputs),
        input_example=example.numpy(),
        pip_requirements=[f"{name}=={version}" for name, version in versions.items()],
        serialization_format="pt2",
    )
