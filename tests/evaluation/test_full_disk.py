"""A disk that fills up while results are written: the error names the file, and the earlier results are whole."""

import contextlib
import resource
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from bundles.ct_diagnosis_classification.scripts.paper_table import SavePaperTable
from common.evaluation.encoding import save_metrics
from common.evaluation.report import Outcome
from common.evaluation.save_encodings import SaveEncodings
from common.evaluation.save_probabilities import SaveProbabilities
from common.evaluation.save_report import SaveReport
from common.records.data_used import DataUsed
from common.reporting.data_note import DataNote
from common.reporting.dynamics import LogDynamics
from common.reporting.run_note import RunNote


@contextlib.contextmanager
def room_for(size):
    """Let no file of this process grow beyond so many bytes: the system's own error, in the midst of a write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def report(folder, rows, curves):
    rows = [{"source": f"{index}.png", "Mass": 0.5} for index in range(rows)]
    line = np.linspace(0, 1, 5)
    outcome = Outcome(
        metrics={"auc": 0.5, "auc/Mass": 0.5},
        table=[{"class": "Mass", "images": 2, "positives": 1, "auc": 0.5}],
        images=rows,
        notices=[],
        curves={"Mass": (line, line)} if curves else {},
    )
    SaveReport(SimpleNamespace(outcome=outcome, told=dict), str(folder)).write(outcome)


def paper_table(folder, rows):
    outcome = Outcome({"auc": 0.5}, [{"class": "Mass", "auc": 0.5}], [], notices=["a notice"] * rows)
    SavePaperTable(SimpleNamespace(averages={"mean": ("Mass",)}, outcome=outcome), str(folder)).write(outcome)


def encodings(folder, rows, dense):
    saver, one = (
        SaveEncodings(str(folder), dense),
        {"embedding": torch.rand(1, rows), "tokens": torch.rand(1, rows, 8, 8)},
    )
    engine = SimpleNamespace(state=SimpleNamespace(output={"label": {"source": ["a.png"]}, "pred": one}))
    saver._start(engine)
    saver._collect(engine)
    saver._write(engine)


def probabilities(folder, rows):
    saver = SaveProbabilities(str(folder / "p.csv"), ["Mass"])
    saver.items = [{"source": f"{index}.png", "Mass": 0.25} for index in range(rows)]
    saver.write()


def dynamics(folder, rows):
    handler = LogDynamics(None, str(folder), sharpness_every=None)
    handler.curves["loss"] = [(index, 0.5) for index in range(rows)]
    handler._finish(None)


SAVERS = {
    "evaluation.json": lambda folder, rows: report(folder, rows, curves=False),
    "roc.png": lambda folder, rows: report(folder, 1 if rows == 3 else 2, curves=True),
    "paper_table.json": paper_table,
    "embeddings.parquet": lambda folder, rows: encodings(folder, rows, dense=False),
    "000000_a.npz": lambda folder, rows: encodings(folder, rows, dense=True),
    "p.csv": probabilities,
    "metrics.json": lambda folder, rows: save_metrics(
        {f"m{i}": 0.5 for i in range(rows)}, str(folder / "metrics.json")
    ),
    "data.json": lambda folder, rows: DataNote(folder).write(
        [DataUsed(f"set {index}", "train", 1, 1) for index in range(rows)], [], goes_on=False
    ),
    "dynamics.json": dynamics,
    "mlflow_run.json": lambda folder, rows: RunNote(folder).write("a" * rows * 9, "sqlite:///x", {}),
}


@pytest.mark.parametrize("name", SAVERS)
def test_a_full_disk_is_said_by_file_and_leaves_the_earlier_results(tmp_path, name):
    SAVERS[name](tmp_path, 3)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert any(path.name == name for path in before)
    with room_for(2000), pytest.raises(OSError, match=f"{tmp_path}.*{name}.*Free space or choose another") as caught:
        SAVERS[name](tmp_path, 2000)
    assert "could not write" in str(caught.value)
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before


def test_a_packed_table_stays_packed(tmp_path):
    saver = SaveProbabilities(str(tmp_path / "p.csv.gz"), ["Mass"])
    saver.items = [{"source": "a.png", "Mass": 0.25}]
    saver.write()
    assert (tmp_path / "p.csv.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert pd.read_csv(tmp_path / "p.csv.gz")["Mass"].tolist() == [0.25]
