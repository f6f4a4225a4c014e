"""An export that cannot be finished: nothing half is left, and the message names the cause."""

import errno
import json
import resource
import shutil

import numpy as np
import pytest
import torch
import yaml
from export_bundles import ROOT, SHAPES, smoke_network, write_run

from common.export import ExportError, export_bundle
from common.export.finished import whole_or_nothing

BUNDLE = "image_segmentation"
CONFIGS = ROOT / "bundles" / BUNDLE / "configs"


def export(run, out, *overlays):
    return export_bundle(ROOT / "bundles" / BUNDLE, out, run, [CONFIGS / name for name in overlays])


@pytest.fixture
def run(tmp_path):
    return write_run(BUNDLE, tmp_path / "run", **SHAPES[BUNDLE])


def full_disk(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def full_disk_as_pytorch_says_it(_, path):
    path.write_bytes(b"half")
    raise RuntimeError("[enforce fail at inline_container.cc:860] . PytorchStreamWriter failed writing file data/0")


@pytest.mark.parametrize(
    ("place", "fails", "file"),
    [
        ("torch.save", full_disk_as_pytorch_says_it, "models/model.pt"),
        ("shutil.copyfile", full_disk, "configs/metadata.json"),
        ("common.export.bundle.write_checksums", full_disk, "docs/README.md"),
    ],
)
def test_a_full_disk_leaves_nothing_and_names_the_file(place, fails, file, run, tmp_path, monkeypatch):
    out = tmp_path / "out" / "bundle"
    monkeypatch.setattr(place, fails)
    with pytest.raises(ExportError, match=rf"Cannot write {out}/{file}.*Free space") as caught:
        export(run, out, "smoke.yaml")
    assert "choose another --out" in str(caught.value)
    assert list(out.parent.iterdir()) == []
    monkeypatch.undo()
    assert (export(run, out, "smoke.yaml").folder / "checksums.sha256").is_file()
    assert list(out.parent.iterdir()) == [out]


def test_a_file_that_may_not_grow_is_named_by_what_pytorch_really_says(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))
    try:
        with (
            pytest.raises(ExportError, match=rf"Cannot write {tmp_path}/out/model.pt.*Free space"),
            whole_or_nothing(tmp_path / "out") as unfinished,
        ):
            torch.save({"a": torch.ones(1000), "b": torch.ones(200_000)}, unfinished / "model.pt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "sqlite:///{}/gone.db"])
def test_a_tracking_server_that_is_gone_is_blamed_and_not_the_weights(uri, tmp_path):
    bundle, run = tmp_path / "toy", tmp_path / "run"
    (bundle / "configs").mkdir(parents=True)
    network = {"_target_": "torch.nn.Linear", "in_features": 3, "out_features": 1}
    (bundle / "configs" / "train.yaml").write_text(yaml.safe_dump({"network_def": network}))
    run.mkdir()
    torch.save({"weight": torch.ones(1, 9), "bias": torch.ones(1)}, run / "model.pt")  # as only the run's config says
    (run / "mlflow_run.json").write_text(json.dumps({"uri": uri.format(tmp_path), "run_id": "0" * 32}))
    with pytest.raises(ExportError, match=r"^MLflow.*(does not answer|is not there).*--config\.$") as caught:
        export_bundle(bundle, tmp_path / "out", run)
    assert "Start the server" in str(caught.value)
    assert not (tmp_path / "gone.db").exists() and not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_network_goes_to_the_runs_mlflow_and_works_without_the_project(output_root, tmp_path, client):
    bundle = "image_classification"  # whose graph is small
    run = write_run(bundle, tmp_path / "run", **SHAPES[bundle])
    from mlflow import MlflowClient

    uri = f"sqlite:///{output_root}/mlflow.db"
    tracking = MlflowClient(uri)
    experiment = tracking.create_experiment("x", artifact_location=str(tmp_path / "artifacts"))
    run_id = tracking.create_run(experiment).info.run_id
    tracking.set_terminated(run_id)
    (run / "mlflow_run.json").write_text(json.dumps({"uri": uri, "run_id": run_id}))
    overlay = ROOT / "bundles" / bundle / "configs" / "smoke.yaml"
    found = export_bundle(ROOT / "bundles" / bundle, tmp_path / "bundle", run, [overlay])
    assert found.notices == [] and tracking.get_run(run_id).info.status == "FINISHED"
    images = torch.rand(3, *found.images.shape[1:])
    np.save(tmp_path / "images.npy", images.numpy())
    shutil.rmtree(tmp_path / "bundle")
    answers = client("client_mlflow.py", uri, run_id, tmp_path / "images.npy")
    network, _ = smoke_network(bundle, **SHAPES[bundle])
    network.load_state_dict(torch.load(run / "model.pt", weights_only=True))
    with torch.no_grad():
        expected = network.eval()(images).numpy()
    for name in ("pyfunc", "pytorch"):
        assert np.allclose(np.load(answers / f"{name}.npy"), expected, atol=1e-4)
