import json

import pandas as pd
import pytest
import torch
from ignite.engine import Engine

from common.evaluation.classification import ClassificationReport
from common.evaluation.save_report import SaveReport, about_thresholds


class Figures:
    def __init__(self):
        self.names = []

    def log_figure(self, name, figure):
        self.names.append(name)

    def log_artifact(self, path):
        self.names.append(path.name)

    def where_to_look(self):
        return ["mlflow ui"]


@pytest.mark.parametrize("own", ["youden_threshold", "best_threshold"])
def test_each_threshold_is_told_apart_below_the_table(own):
    (both,) = about_thresholds(["class", "auc", own, "threshold", "sensitivity"])
    assert both.startswith("threshold was chosen on the validation images") and f"; {own} is the best of these" in both
    (alone,) = about_thresholds(["class", "auc", own])
    assert alone.startswith(own) and "No threshold is applied" in alone
    assert about_thresholds(["structure", "dice"]) == []


def test_writes_numbers_tables_and_curves(tmp_path, capsys):
    figures = Figures()
    report = ClassificationReport(["Mass", "Hernia"])
    engine = Engine(lambda e, b: {"pred": b["pred"], "label": b["label"]})
    report.attach(engine, "auc")
    SaveReport(report, str(tmp_path / "out"), figures, about={"split": "test"}).attach(engine)
    pred, label = torch.tensor([[0.1, 0.2], [0.9, 0.3]]), torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    engine.run([{"pred": pred, "label": label, "source": ["a.png", "b.png"]}])
    content = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert content["split"] == "test" and content["metrics"]["auc"] == 1 and content["metrics"]["auc/Hernia"] is None
    said = capsys.readouterr().out
    assert "Hernia" in content["notices"][0] and "Hernia" in said
    assert said.splitlines()[3].startswith("youden_threshold is the best of these very images")  # below two rows
    assert pd.read_csv(tmp_path / "out/evaluation_classes.csv")["positives"].tolist() == [1, 0]
    images = pd.read_csv(tmp_path / "out/evaluation_images.csv")
    assert images["source"].tolist() == ["a.png", "b.png"] and images["Mass (label)"].tolist() == [0, 1]
    files = ["evaluation.json", "evaluation_classes.csv", "evaluation_images.csv"]
    assert figures.names == ["roc", *files] and (tmp_path / "out/roc.png").stat().st_size > 1000
