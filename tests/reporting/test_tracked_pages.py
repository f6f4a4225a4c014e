"""What MLflow's own client, which its pages ask, tells of a run."""

import json
import sys
import types
from pathlib import Path

import pytest
import torch
from ignite.engine import Events
from mlflow import MlflowClient
from monai.engines import SupervisedEvaluator
from torch import nn
from torch.utils.data import DataLoader
from toy_bundle.scripts.toy import MeanOutput, Noise

from common.engines import Trainer, parameter_groups
from common.records import Corpus, Record
from common.reporting import Tracking, run_tags
from common.reporting.addresses import sqlite_address
from common.sampling import SeededSampler

SPLITS = ["train"] * 6 + ["val"] * 2 + ["test"] * 4
CORPUS = Corpus(
    "lungs", tuple(Record(f"/data/{n}.png", f"p{n // 2}", split, "lungs") for n, split in enumerate(SPLITS))
)


def records(dataset, split):
    dataset.data = [{"source": record.image} for record in CORPUS.records if record.split == split]
    return dataset


def evaluator(tracking, split, **metrics):
    loader = DataLoader(records(Noise(4, 1), split), batch_size=4)
    engine = SupervisedEvaluator(
        "cpu", loader, nn.Linear(6, 1), decollate=False, key_val_metric={"mean": MeanOutput()}, val_handlers=[]
    )
    engine.add_event_handler(Events.COMPLETED, lambda: engine.state.metrics.update(metrics))
    tracking.attach(engine)
    return engine


def train(root, name="one", **settings):
    tracking = Tracking("toy", name, root, corpus=CORPUS, **settings)
    network = nn.Sequential(nn.Linear(6, 1), nn.Flatten(0))
    loader = DataLoader(records(Noise(6, 0), "train"), batch_size=3, sampler=SeededSampler(6, 0, 3))
    engine = Trainer(
        "cpu", 1, loader, network, torch.optim.SGD(parameter_groups(network), lr=0.1), nn.MSELoss(),
        accumulation_steps=2, train_handlers=[tracking],
    )  # fmt: skip
    judge = evaluator(tracking, "val")
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: judge.run())
    engine.run()
    return tracking


def evaluate(root, training, split="test", **metrics):
    tracking = Tracking("toy", f"one-{split}", root, corpus=CORPUS, training=training)
    evaluator(tracking, split, **metrics).run()


@pytest.fixture
def client(output_root):
    return MlflowClient(sqlite_address(output_root / "mlflow.db"))


def runs(client):
    experiment = client.get_experiment_by_name("toy")
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


def test_an_experiment_is_one_of_training(output_root, client):
    tracking = train(output_root)
    assert client.get_experiment_by_name("toy").tags["mlflow.experimentKind"] == "custom_model_development"
    page = tracking.where_to_look()[-1]
    assert page.endswith(f"/#/experiments/1/runs/{tracking.store.run_id}?workflowType=machine_learning")
    again = Tracking("toy", "one", output_root)  # of a run that is finished: nothing is opened
    again.load_state_dict({"run_id": tracking.store.run_id})
    assert again.where_to_look()[-1] == page
    again.load_state_dict({"run_id": "f" * 32})
    assert again.where_to_look()[-1].endswith("/#/experiments?workflowType=machine_learning")


def test_a_batch_is_that_of_a_step(output_root, client):
    train(output_root)
    assert runs(client)["one"].data.params["batch"] == "6"  # twice three


def test_the_data_sets_of_a_run_are_listed_with_their_splits(output_root, client):
    train(output_root)
    inputs = client.get_run(runs(client)["one"].info.run_id).inputs.dataset_inputs
    contexts = {each.tags[0].value: each.dataset for each in inputs}
    assert set(contexts) == {"train", "validation"}
    for data in contexts.values():
        assert data.digest == CORPUS.fingerprint() and json.loads(data.source) == {"uri": "/data"}
        assert json.loads(data.profile) == {
            "train": {"images": 6, "patients": 3},
            "val": {"images": 2, "patients": 1},
            "test": {"images": 4, "patients": 2},
        }


def test_a_test_is_called_so_and_the_training_shows_it(output_root, client):
    tracking = train(output_root)
    before = runs(client)["one"].data.metrics
    evaluate(output_root, output_root / "toy" / "one", dice=0.5, undefined_classes=3.0)
    trained, tested = runs(client)["one"], runs(client)["one-test"]
    assert set(tested.data.metrics) == {"test/mean", "test/dice"}
    assert trained.data.metrics == before | tested.data.metrics and "validation/mean" in before
    assert tested.data.tags["mlflow.parentRunId"] == trained.info.run_id == tracking.store.run_id
    told = "lungs, test: 4 images of 2 patients"
    assert trained.data.tags["data.evaluated_on"] == tested.data.tags["data.evaluated_on"] == told
    assert trained.info.status == "FINISHED"
    evaluate(output_root, output_root / "toy" / "one", dice=0.25)  # again: the last one counts
    assert runs(client)["one"].data.metrics["test/dice"] == 0.25


@pytest.mark.parametrize(("split", "role"), [("train", "train"), ("val", "validation"), ("test", "test")])
def test_an_evaluation_is_called_by_its_split(output_root, client, split, role):
    evaluate(output_root, output_root / "nowhere", split)
    run = runs(client)[f"one-{split}"]
    assert set(run.data.metrics) == {f"{role}/mean"} and "mlflow.parentRunId" not in run.data.tags


def test_a_short_command_repeats_the_long_one(monkeypatch):
    configs = Path("bundles/image_segmentation/configs")
    files = [str(configs / "train.yaml"), str(configs / "data/phantom.yaml"), "own.yaml"]
    words = ["run", "--config_file", str(files), "--bundle_root=x", "--epochs", "2", "--output_root", "a b"]
    command = types.SimpleNamespace(files=files)
    monkeypatch.setattr(sys, "argv", ["monai", *words])
    monkeypatch.setattr(run_tags, "current_command", lambda: command)
    expected = "python -m common run image_segmentation data/phantom own.yaml --epochs 2 --output_root 'a b'"
    assert run_tags.description() == {"mlflow.note.content": f"```bash\n{expected}\n```"}
    tags = run_tags.run_tags()
    assert tags["mlflow.source.name"] == files[0] and tags["bundle"] == "image_segmentation"
    assert tags["overlays"] == "data/phantom own.yaml"
    command.files = [*files[:2], str(configs / "multi_gpu.yaml")]
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "data/phantom --epochs 2 --output_root 'a b' --gpus 2\n" in run_tags.description()["mlflow.note.content"]
    command.files = [*files, str(configs / "evaluate.yaml")]  # the short form finds its files by the run
    assert run_tags.description()["mlflow.note.content"].startswith("```bash\npython -m monai.bundle run --config_file")
    command.files = ["elsewhere/train.yaml"]
    assert run_tags.description()["mlflow.note.content"].startswith("```bash\npython -m monai.bundle run --config_file")
