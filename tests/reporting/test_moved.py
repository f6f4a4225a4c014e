"""Artifacts are found where an output root has been moved to, by MLflow's own client."""

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from common.reporting.addresses import sqlite_address
from common.reporting.moved import main
from common.reporting.store import RunStore


def made(root):
    store = RunStore(None, root, "toy")
    store.open("a", [])
    store.keep("log_text", "seen", "figures/x.txt")
    store.close("FINISHED")
    return store.run_id


def read(root, run_id, folder):
    client = MlflowClient(sqlite_address(root / "mlflow.db"))
    folder.mkdir()
    return Path(client.download_artifacts(run_id, "figures/x.txt", str(folder))).read_text()


@pytest.mark.parametrize("how", ["moved", "copied"])
def test_pictures_are_found_after_a_move(output_root, tmp_path, how, capsys):
    run_id, there = made(output_root), tmp_path / "else where#1" / "runs"
    there.parent.mkdir()
    if how == "moved":
        output_root.rename(there)
    else:
        shutil.copytree(output_root, there)
    assert main([str(there)]) == 0 and capsys.readouterr().out.startswith("1 experiments")
    assert main([str(there)]) == 0 and capsys.readouterr().out.startswith("0 experiments")
    if how == "copied":
        shutil.rmtree(output_root)  # so that nothing is read from there
    assert read(there, run_id, tmp_path / "got") == "seen"


def test_the_next_run_there_puts_the_older_ones_right(output_root, tmp_path):
    run_id, there = made(output_root), tmp_path / "elsewhere"
    output_root.rename(there)
    second = made(there)
    assert not output_root.exists()
    assert [read(there, each, tmp_path / each) for each in (run_id, second)] == ["seen", "seen"]


def test_an_experiment_of_somebody_elses_place_is_left(output_root, tmp_path):
    client = MlflowClient(sqlite_address(output_root / "mlflow.db"))
    place = tmp_path / "theirs" / "artifacts"
    place.mkdir(parents=True)
    client.create_experiment("theirs", artifact_location=place.as_uri())
    made(output_root)
    assert client.get_experiment_by_name("theirs").artifact_location == place.as_uri()


def test_a_folder_without_a_database_is_said(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2 and "There is no" in capsys.readouterr().err
