import json
import logging
import subprocess
import types
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from ignite.engine import Events
from matplotlib.figure import Figure
from monai.engines import SupervisedEvaluator
from torch import nn
from torch.utils.data import DataLoader
from toy_bundle.scripts.children import exit_code, in_child, query
from toy_bundle.scripts.toy import MeanOutput, Noise

from common.engines import ApplySchedules, Cosine, Trainer, parameter_groups
from common.export.tracked import read_tracked
from common.records import Corpus, Record
from common.reporting import Tracking, flatten, store
from common.reporting.addresses import sqlite_address
from common.sampling import SeededSampler

CORPUS = types.SimpleNamespace(
    name="noise", records=range(24), fingerprint=lambda: "abc", choices={"uncertain": "ones"}
)


def trainer(*handlers, epochs=2, batch=4, loss=None):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 1), nn.Flatten(0))
    optimizer = torch.optim.AdamW(parameter_groups(network), lr=1.0)
    loader = DataLoader(Noise(24, 0), batch_size=batch, sampler=SeededSampler(24, 0, batch))
    schedules = ApplySchedules(optimizer, Cosine(0.1, 0.0), Cosine(0.04, 0.4))
    return Trainer(
        "cpu", epochs, loader, network, optimizer, loss or nn.MSELoss(), train_handlers=[schedules, *handlers]
    )


def evaluator(*handlers):
    network = nn.Linear(6, 1)
    loader = DataLoader(Noise(8, 1), batch_size=4)
    metric = {"mean": MeanOutput()}
    return SupervisedEvaluator(
        "cpu", loader, network, decollate=False, key_val_metric=metric, val_handlers=list(handlers)
    )


def metrics(root, name=None):
    rows = query(root, "select key, step, value from metrics order by key, step")
    return [row[1:] for row in rows if row[0] == name] if name else {row[0] for row in rows}


def test_a_run_holds_what_is_needed_to_judge_and_repeat_it(output_root):
    config = {"train": {"trainer": {"max_epochs": 2}}, "seed": "$1 + 1"}
    params = {"seed": 2, "sizes": [1, {"a#b": []}], "share": None}
    tracking = Tracking("toy", "one", output_root, params=params, corpus=CORPUS, config=config, every=4)
    engine = trainer(tracking)
    judge = evaluator(tracking)
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: judge.run())
    engine.run()

    assert query(output_root, "select name, status from runs") == [("one", "FINISHED")]
    assert metrics(output_root) == {
        *("epoch", "train/loss", "schedule/learning_rate", "schedule/weight_decay"),
        *("speed/images_per_second", "speed/data_wait", "validation/mean"),
    }
    # every fourth iteration, the first, and the last of each epoch
    assert [step for step, _ in metrics(output_root, "train/loss")] == [1, 4, 6, 8, 12]
    assert [step for step, _ in metrics(output_root, "validation/mean")] == [6, 12]
    rate = Cosine(0.1, 0.0)
    assert metrics(output_root, "schedule/learning_rate") == [
        (step, pytest.approx(rate.value(step - 1, 6, 2))) for step in (1, 4, 6, 8, 12)
    ]
    params = dict(query(output_root, "select key, value from params"))
    assert params == {
        **{"seed": "2", "sizes.0": "1", "sizes.1.a_b": "[]"},  # the recipe's own word goes before the trainer's
        **{"data.name": "noise", "data.records": "24", "data.fingerprint": "abc", "data.uncertain": "ones"},
        **{"iterations_per_epoch": "6", "processes": "1", "epochs": "2", "batch": "4", "device": "cpu"},
        **{"optimizer": "AdamW", "learning_rate": "1.0", "loss": "MSELoss", "precision": "float32"},
        "weight_decay": str(torch.optim.AdamW([torch.zeros(1)]).defaults["weight_decay"]),
    }
    tags = dict(query(output_root, "select key, value from tags"))
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True
    ).stdout
    assert tags.get("mlflow.source.git.commit", "").removesuffix("-dirty") == head.strip()  # none outside of a checkout
    (file,) = output_root.glob("artifacts/*/artifacts/config.yaml")
    assert yaml.safe_load(file.read_text()) == config


def test_a_taken_name_is_numbered(output_root):
    for _ in range(3):
        trainer(Tracking("toy", "it's_1%", output_root)).run()
    trainer(Tracking("other", "it's_1%", output_root)).run()
    names = [name for (name,) in query(output_root, "select name from runs order by experiment_id, start_time")]
    assert names == ["it's_1%", "it's_1%-2", "it's_1%-3", "it's_1%"]


def test_an_evaluation_by_itself_is_a_run(output_root):
    tracking = Tracking("toy", "judged", output_root)
    engine = evaluator(tracking)
    engine.run()
    tracking.log_figure("late", Figure())  # after the end, as a handler further down the list may do
    assert query(output_root, "select name, status from runs") == [("judged", "FINISHED")]
    assert len(metrics(output_root, "validation/mean")) == 1
    assert len(list(output_root.glob("artifacts/*/artifacts/figures/late-000000000.png"))) == 1


def test_a_failing_evaluation_is_marked(output_root):
    engine = evaluator(Tracking("toy", "judged", output_root))
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        engine.run()
    assert query(output_root, "select status from runs") == [("FAILED",)]


def test_another_config_begins_another_run(output_root):
    failing = trainer(Tracking("toy", "a", output_root, config={"lr": 1}), loss=lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        failing.run()
    trainer(Tracking("toy", "a", output_root, config={"lr": 2})).run()
    assert query(output_root, "select name, status from runs order by name") == [("a", "FAILED"), ("a-2", "FINISHED")]


def test_a_continued_run_stays_one_run(output_root):
    first = Tracking("toy", "a", output_root, config={"lr": 1, "workers": 0})
    trainer(first).run()
    second = Tracking("toy", "a", output_root, config={"lr": 2, "workers": 0})
    second.load_state_dict(first.state_dict())
    trainer(second, epochs=3).run()
    assert query(output_root, "select count(*) from runs") == [(1,)]
    # the steps of the first two epochs are there once
    steps = [step for step, _ in metrics(output_root, "train/loss")]
    assert steps == [1, 6, 10, 12, 18]


def test_a_run_that_is_gone_is_replaced(output_root, caplog):
    tracking = Tracking("toy", "a", output_root)
    tracking.load_state_dict({"run_id": "0" * 32})
    trainer(tracking).run()
    assert "is not in sqlite" in caplog.text and query(output_root, "select name from runs") == [("a",)]


def test_the_environment_names_the_server(tmp_path, mlflow_template, monkeypatch):
    (tmp_path / "server.db").write_bytes(mlflow_template.read_bytes())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'server.db'}")
    monkeypatch.chdir(tmp_path)
    trainer(Tracking("toy", "a", tmp_path / "runs", uri="http://ignored")).run()
    assert not (tmp_path / "runs/mlflow.db").exists()
    (tmp_path / "server.db").rename(tmp_path / "mlflow.db")
    assert query(tmp_path, "select name from runs") == [("a",)]


def test_any_letter_may_be_in_the_path_of_the_database(tmp_path, mlflow_template, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    root = tmp_path / "why?x=1 #2 50%41 a@b"
    root.mkdir()
    (root / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    trainer(Tracking("toy", "a", root, config={"epochs": 2})).run()
    assert query(root, "select name, status from runs") == [("a", "FINISHED")]
    assert [path.name for path in tmp_path.iterdir()] == [root.name]
    (note,) = query(root, "select run_uuid from runs")
    address = sqlite_address(root / "mlflow.db")
    (tmp_path / "mlflow_run.json").write_text(json.dumps({"run_id": note[0], "uri": address, "config": ""}))
    tracked = read_tracked(tmp_path)
    assert tracked.unreachable is None and tracked.config == {"epochs": 2}


def test_other_processes_log_nothing(output_root, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    tracking = Tracking("toy", "a", output_root)
    engine = trainer(tracking)
    engine.run()
    tracking.log_metrics({"a": 1.0})
    assert query(output_root, "select count(*) from runs") == [(0,)]


def test_concurrent_writers_wait_for_each_other(output_root):
    def write(name):
        trainer(Tracking("toy", name, output_root, every=1), epochs=2).run()

    # of one name, one that starts late would go on with another's run
    children = [in_child(lambda name=name: write(name)) for name in "abc"]
    assert [exit_code(child) for child in children] == [0, 0, 0]
    assert query(output_root, "select status, count(*) from runs group by status") == [("FINISHED", 3)]
    assert query(output_root, "select count(*) from metrics where key = 'train/loss'") == [(36,)]


def test_a_locked_database_is_tried_again(monkeypatch):
    monkeypatch.setattr(store.time, "sleep", lambda _: None)
    answers = iter([RuntimeError("database is locked"), RuntimeError("database is locked"), 7])

    def act():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert store.with_retries(act) == 7
    with pytest.raises(KeyError):
        store.with_retries({}.__getitem__, "x")


def test_metrics_of_any_shape_become_numbers():
    value = {"per class": torch.tensor([0.5, 1.0]), "n": np.float32(2), "text": "no", "deep": {"#": [True, 3]}}
    flat = dict(flatten.scalars(value, "m"))
    assert flat == {"m/per class/0": 0.5, "m/per class/1": 1.0, "m/n": 2.0, "m/deep/_/0": 1.0, "m/deep/_/1": 3.0}


HARD = ["/x", "x/", "a//b", ".", "..", "../x", "", "/data/normal", "T>1", "T<1", "T_1", "x\n", "y" * 300, "y" * 301]
"""Names of classes that MLflow refuses, or would take for one another."""


def test_every_class_is_tracked_by_a_name_that_mlflow_takes_and_no_other_class_has(output_root):
    tracking = Tracking("toy", "a", output_root, params={"deep": dict.fromkeys(HARD, 1), "..z": 2, "z//": 3})
    values = {f"auc/{name}": float(number) for number, name in enumerate(HARD)}
    tracking.log_metrics({f"validation/{name}": value for name, value in values.items()})
    tracking.store.close("FINISHED")
    assert sorted(value for (value,) in query(output_root, "select value from metrics")) == list(range(len(HARD)))
    assert len(dict(query(output_root, "select key, value from params"))) == len(HARD) + 2
    assert metrics(output_root, "validation/auc/T_1") == [(0, float(HARD.index("T_1")))]


def test_a_class_keeps_its_name_where_another_one_is_undefined():
    both = flatten.metrics({"T>1": 0.1, "T<1": 0.2})
    assert flatten.metrics({"T>1": 0.1, "T<1": float("nan")}) == {next(iter(both)): 0.1}
    assert len(both) == 2


def test_a_run_notes_what_it_was_trained_on_and_judged_by(output_root):
    corpus = Corpus(
        "all", tuple(Record(f"/{n}", f"p{n % 3}", "val" if n > 6 else "train", "phantom_toy") for n in range(9))
    )
    tracking = Tracking("toy", "counted", output_root, corpus=corpus)
    engine, judge = trainer(tracking, epochs=1), evaluator(tracking)
    engine.data_loader.dataset.data = [{"source": f"/{n}"} for n in range(4)]
    judge.data_loader.dataset.data = [{"source": f"/{n}"} for n in (7, 8)]
    engine.run()
    note = json.loads((output_root / "toy" / "counted" / "data.json").read_text())
    (trained,), (validated,) = note["trained_on"], note["validated_on"]
    assert (trained["name"], trained["split"], trained["images"], trained["patients"]) == ("phantom_toy", "train", 4, 3)
    assert (validated["split"], validated["images"], validated["patients"]) == ("val", 2, 2)
    tags = dict(query(output_root, "select key, value from tags where key like 'data.%'"))
    assert tags["data.trained_on"] == "phantom_toy, train: 4 images of 3 patients"
    trainer(Tracking("toy", "untold", output_root, corpus=corpus), epochs=1).run()
    assert not (output_root / "toy" / "untold" / "data.json").exists()


def test_an_error_of_the_tracking_hides_no_other(output_root, monkeypatch, caplog):
    tracking = Tracking("toy", "a", output_root)
    engine = trainer(tracking, loss=lambda *_: 1 / 0)
    monkeypatch.setattr(store.RunStore, "close", lambda *_: int("the database is gone"))
    with caplog.at_level(logging.WARNING), pytest.raises(ZeroDivisionError):
        engine.run()
    assert "the database is gone" in caplog.text
    judge = evaluator(Tracking("toy", "b", output_root))
    judge.add_event_handler(Events.ITERATION_COMPLETED, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        judge.run()


@pytest.mark.parametrize("kind", ["trainer", "evaluator"])
def test_a_run_whose_last_handler_fails_has_failed(output_root, kind):
    tracking = Tracking("toy", "a", output_root)
    engine = trainer(tracking) if kind == "trainer" else evaluator(tracking)
    engine.add_event_handler(Events.COMPLETED, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        engine.run()
    assert query(output_root, "select status from runs") == [("FAILED",)]


def test_a_run_without_an_engine_is_finished_or_failed(output_root):
    good, bad = (Tracking("toy", name, output_root) for name in ("good", "bad"))
    with good.whole_run():
        good.log_metrics({"analysis": {"number": 1.0}})
    with pytest.raises(ZeroDivisionError), bad.whole_run():
        bad.log_metrics({"number": 1 / 0})
    assert query(output_root, "select name, status from runs order by name") == [
        ("bad", "FAILED"),
        ("good", "FINISHED"),
    ]
    assert query(output_root, "select key, value from metrics") == [("analysis/number", 1.0)]


def test_space_is_kept_for_the_last_entry(output_root):
    kept = []
    engine = trainer(Tracking("toy", "a", output_root))
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: kept.extend(output_root.glob(".reserve*.partial")))
    engine.run()
    assert kept and not list(output_root.glob(".reserve*"))
