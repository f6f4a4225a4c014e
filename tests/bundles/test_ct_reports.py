"""Metrics of studies: the trauma columns, series averaged, and the paper's table."""

import json
import math

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from sklearn.metrics import f1_score, roc_auc_score

from bundles.ct_diagnosis_classification.scripts.paper_table import SavePaperTable, markdown, table_rows
from bundles.ct_diagnosis_classification.scripts.study_report import InjuryReport, StudyReport

BINARY, GRADED = ["bowel", "extravasation"], ["liver", "spleen", "kidney"]


def run(report, logits, labels, sources, *handlers, size=4):
    def step(engine, batch):
        return [{"pred": p, "label": y} for p, y in zip(batch["pred"], batch["label"], strict=True)]

    engine = Engine(step)
    report.attach(engine, "val_auc")
    for handler in handlers:
        handler.attach(engine)
    ends = range(0, len(sources), size)
    engine.run(
        [{"pred": logits[i : i + size], "label": labels[i : i + size], "source": sources[i : i + size]} for i in ends]
    )
    return engine.state.metrics


@pytest.fixture
def trauma():
    """30 series of 20 studies."""
    generator = np.random.default_rng(0)
    series = [f"s{i}" for i in range(30)]
    studies = {name: f"study{i % 20}" for i, name in enumerate(series)}
    rows = []
    for _ in range(20):
        grades = [np.eye(3)[generator.choice(3, p=[0.7, 0.15, 0.15])] for _ in GRADED]
        rows.append(np.concatenate([generator.random(2) < 0.25, *grades]))
    labels = torch.tensor(np.stack([rows[i % 20] for i in range(30)])).float()
    logits = torch.tensor(generator.normal(size=(30, 11))).float() + labels
    return logits, labels, series, studies


def by_hand(logits, labels):
    """Columns of 20 studies in plain numpy: studies 0 to 9 have two series."""
    x, y = logits.double().numpy(), labels.numpy()[:20]
    x = np.stack([(x[i] + x[i + 20]) / 2 if i < 10 else x[i] for i in range(20)])
    p, truth, healthy = {}, {}, np.ones(20)
    for i, name in enumerate(BINARY):
        p[f"{name}_injury"] = 1 / (1 + np.exp(-x[:, i]))
        p[f"{name}_healthy"] = 1 - p[f"{name}_injury"]
        truth[f"{name}_injury"], truth[f"{name}_healthy"] = y[:, i], 1 - y[:, i]
        healthy *= p[f"{name}_healthy"]
    for i, name in enumerate(GRADED):
        part = np.exp(x[:, 2 + 3 * i : 5 + 3 * i])
        for j, grade in enumerate(("healthy", "low", "high")):
            p[f"{name}_{grade}"], truth[f"{name}_{grade}"] = part[:, j] / part.sum(1), y[:, 2 + 3 * i + j]
        healthy *= p[f"{name}_healthy"]
    p["any_injury"] = 1 - healthy
    truth["any_injury"] = np.maximum.reduce([truth[n] for n in truth if n.endswith(("_injury", "_low", "_high"))])
    return p, truth


def test_fourteen_columns_and_eleven(trauma):
    logits, labels, series, studies = trauma
    report = InjuryReport(BINARY, GRADED, studies=studies)
    metrics = run(report, logits, labels, series)
    p, truth = by_hand(logits, labels)
    aucs = {name: roc_auc_score(truth[name], p[name]) for name in p if 0 < truth[name].sum() < 20}
    assert len(report.outcome.images) == 20 and len(report.classes) == 14 and set(report.classes) == set(p)
    for name, value in aucs.items():
        assert metrics[f"auc/{name}"] == pytest.approx(value), name
    own = [name for name in aucs if name != "any_injury" and name not in ("bowel_healthy", "extravasation_healthy")]
    assert metrics["auc"] == metrics["val_auc"] == pytest.approx(np.mean(list(aucs.values())))
    assert metrics["auc_own"] == pytest.approx(np.mean([aucs[name] for name in own]))
    assert aucs["bowel_healthy"] == pytest.approx(aucs["bowel_injury"])  # redundant, as E14 says
    shown = report.outcome.images[3]
    assert shown["source"] == "study3"
    for name in p:  # an AUC cannot tell a column from its complement
        assert shown[name] == pytest.approx(p[name][3]) and shown[f"{name} (label)"] == truth[name][3], name


def test_without_studies_every_volume_counts(trauma):
    logits, labels, series, _ = trauma
    report = InjuryReport(BINARY, GRADED)
    run(report, logits, labels, series)
    assert len(report.outcome.images) == 30


def test_logits_and_not_probabilities_are_averaged():
    report = StudyReport(["nodule"], studies={"a": "s", "b": "s", "c": "t"})
    run(report, torch.tensor([[4.0], [-2.0], [0.0]]), torch.tensor([[1.0], [1.0], [0.0]]), ["a", "b", "c"])
    assert report.outcome.images[0]["nodule"] == pytest.approx(1 / (1 + math.exp(-1)))


def test_studies_must_be_known_and_agree(trauma):
    logits, labels, series, studies = trauma
    with pytest.raises(ValueError, match="no study of s29"):
        run(InjuryReport(BINARY, GRADED, studies={k: studies[k] for k in series[:29]}), logits, labels, series)
    labels = labels.clone()
    labels[25, 0] = 1 - labels[25, 0]
    with pytest.raises(ValueError, match="study5 have different labels"):
        run(InjuryReport(BINARY, GRADED, studies=studies), logits, labels, series)
    labels[:, 0] = float("nan")
    run(InjuryReport(BINARY, GRADED, studies=studies), logits, labels, series)  # unknown agrees with unknown


def test_an_undefined_class_is_said_and_not_counted(trauma):
    logits, labels, series, studies = trauma
    labels = labels.clone()
    labels[:, 0] = 0
    report = InjuryReport(BINARY, GRADED, studies=studies)
    metrics = run(report, logits, labels, series)
    assert math.isnan(metrics["auc/bowel_injury"]) and not math.isnan(metrics["auc"])
    assert metrics["undefined_classes"] >= 2 and any("bowel_injury: AUC undefined" in n for n in report.outcome.notices)
    rows = table_rows(report.outcome, report.averages)
    assert "| bowel_injury | undefined |" in markdown(rows)
    defined = [rows[name]["auc"] for name in report.outputs.names if not math.isnan(rows[name]["auc"])]
    assert rows["mean of 11"]["auc"] == pytest.approx(np.mean(defined))


def test_the_papers_table(trauma, tmp_path):
    logits, labels, series, studies = trauma
    report = InjuryReport(BINARY, GRADED, studies=studies)
    validation = report.chooser()
    run(validation, logits.flip(1), labels, series)
    metrics = run(report, logits, labels, series, SavePaperTable(report, tmp_path, about={"split": "test"}))
    p, truth = by_hand(logits, labels)
    rows = json.loads((tmp_path / "paper_table.json").read_text())["rows"]
    threshold = validation.thresholds["liver_high"]
    called = p["liver_high"] >= threshold
    assert rows["liver_high"]["f1_weighted"] == pytest.approx(f1_score(truth["liver_high"], called, average="weighted"))
    assert rows["liver_high"]["f1"] == pytest.approx(f1_score(truth["liver_high"], called))
    assert rows["mean of 14"]["sensitivity"] == pytest.approx(metrics["sensitivity"])
    assert rows["mean of 11"]["specificity"] == pytest.approx(metrics["specificity_own"])
    text = (tmp_path / "paper_table.md").read_text().splitlines()
    assert text[0].startswith(
        "| Class | AUC | Sensitivity | Specificity | F1 (weighted) | F1 (positives) | Precision |"
    )
    assert text[2 + 13].startswith(f"| any_injury | {100 * rows['any_injury']['auc']:.2f} |") and len(text) >= 18


def test_chest_has_one_mean():
    torch.manual_seed(0)
    report = StudyReport(["a", "b"])
    metrics = run(
        report, torch.randn(12, 2), torch.tensor([[1.0, 0], [0, 1]]).repeat(6, 1), [f"{i}" for i in range(12)]
    )
    rows = table_rows(report.outcome, report.averages)
    assert list(rows) == ["a", "b", "mean"] and rows["mean"]["auc"] == pytest.approx(metrics["auc"])
    assert "Sensitivity" not in markdown(rows)  # no threshold was chosen on another split
