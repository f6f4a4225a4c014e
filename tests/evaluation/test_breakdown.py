import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from common.evaluation import ClassificationReport, SaveReport, SegmentationReport
from common.evaluation.breakdown import breakdown
from common.evaluation.scorers import AucScorer, MeanScorer
from common.records import Corpus, Record

GENERATOR = np.random.default_rng(0)


def corpus_of(count, **facts):
    """Two images of each patient; every fact is a function of the image's number."""
    records = [
        Record(f"/{n}.png", f"p{n // 2}", "test", "toy", **{name: fact(n) for name, fact in facts.items()})
        for n in range(count)
    ]
    return Corpus("toy", tuple(records))


def test_areas_of_chosen_images_are_sklearn_s_with_ties_and_repeats():
    scores = GENERATOR.integers(0, 5, (40, 2)) / 4.0
    labels = GENERATOR.integers(0, 2, (40, 2)).astype(float)
    labels[::7, 1] = np.nan
    scorer = AucScorer(["a", "b"], scores, labels)
    for _ in range(5):
        rows = GENERATOR.integers(0, 40, 30)
        expected = []
        for k in range(2):
            known = rows[~np.isnan(labels[rows, k])]
            expected.append(roc_auc_score(labels[known, k], scores[known, k]))
        assert scorer(rows) == pytest.approx([np.mean(expected), *expected])
        tested = AucScorer(["a", "b"], scores, labels, mean_of=["b"])
        assert tested(rows) == pytest.approx([expected[1], *expected])
    assert np.isnan(scorer(np.flatnonzero(labels[:, 0] == 1)))[1]  # one value only


def test_means_leave_out_what_is_unknown():
    scorer = MeanScorer("dice", ["a", "b"], np.array([[0.2, np.nan], [0.6, 1.0], [0.6, np.nan]]))
    assert scorer(np.array([0, 1])).tolist() == pytest.approx([0.7, 0.4, 1.0])
    assert scorer(np.array([0, 2])).tolist() == pytest.approx([0.4, 0.4, np.nan], nan_ok=True)


def test_interval_of_a_mean_is_as_wide_as_its_standard_error_says():
    """Over patients: two equal images of a patient do not make it narrower."""
    values = np.repeat(GENERATOR.normal(size=200), 2)[:, None]
    corpus = corpus_of(400)
    sources = [record.image for record in corpus.records]
    found = breakdown(MeanScorer("error", ["x"], values), sources, corpus, resamples=2000)
    low, high = found.intervals["error"]
    deviation = values[::2].std(ddof=1) / np.sqrt(200)
    assert (high - low) / 2 == pytest.approx(1.96 * deviation, rel=0.1)
    assert found.patients == 200 and low < values.mean() < high


def test_groups_are_told_apart_by_what_the_labels_say():
    ages = [17, 18, 39, 40, 64, 65, None, 90]
    corpus = corpus_of(8, sex=lambda n: "FM"[n % 2], age=ages.__getitem__, view=lambda n: "PA")
    values = np.arange(8.0)[:, None]
    rows = breakdown(MeanScorer("dice", ["x"], values), [r.image for r in corpus.records], corpus, 10).groups
    told = {(row["by"], row["group"]): (row["images"], row["dice"]) for row in rows}
    assert told == {
        ("sex", "F"): (4, 3.0),
        ("sex", "M"): (4, 4.0),
        ("age", "0-17"): (1, 0.0),
        ("age", "18-39"): (2, 1.5),
        ("age", "40-64"): (2, 3.5),
        ("age", "65+"): (2, 6.0),
    }  # one view tells nothing apart


def test_reports_score_their_images_as_they_report_them():
    classes = ClassificationReport(["a", "b"])
    labels = torch.tensor([[0.0, 1.0], [1.0, torch.nan], [1.0, 0.0], [0.0, 1.0]])
    classes.update((torch.rand(4, 2), labels))
    organs = SegmentationReport(["lung", "heart"])
    organs.update((torch.rand(3, 2, 8, 8), torch.randint(0, 2, (3, 2, 8, 8))))
    for report, count in ((classes, 4), (organs, 3)):
        metrics = report.compute()
        scorer = report.scorer(report.outcome)
        for name, value in zip(scorer.names, scorer(np.arange(count)), strict=True):
            assert value == pytest.approx(metrics[name], nan_ok=True), name


def test_an_evaluation_leaves_intervals_and_groups(tmp_path, capsys):
    corpus = corpus_of(40, sex=lambda n: "FM"[n // 2 % 2])
    report = ClassificationReport(["a"])
    labels = torch.tensor([[float(n % 3 == 0)] for n in range(40)])
    report.update((labels * 0.2 + torch.rand(40, 1, generator=torch.Generator().manual_seed(0)), labels))
    report.compute()
    for row, record in zip(report.outcome.images, corpus.records, strict=True):
        row["source"] = record.image
    SaveReport(report, str(tmp_path), corpus=corpus, resamples=50).write(report.outcome)
    said = json.loads((tmp_path / "evaluation.json").read_text())["intervals"]
    low, high = said["metrics"]["auc"]
    table = pd.read_csv(tmp_path / "evaluation_classes.csv").iloc[0]
    assert (said["patients"], said["resamples"], said["level"]) == (20, 50, 0.95)
    assert low < table["auc"] < high and (table["auc_low"], table["auc_high"]) == pytest.approx((low, high))
    groups = pd.read_csv(tmp_path / "evaluation_groups.csv")
    assert groups[["by", "group", "images", "patients"]].values.tolist() == [["sex", "F", 20, 10], ["sex", "M", 20, 10]]
    shown = capsys.readouterr().out
    assert f"(95% interval {low:.4f} to {high:.4f})" in shown and "evaluation_groups.csv" in shown
    SaveReport(report, str(tmp_path)).write(report.outcome)  # without a corpus: no table of another evaluation stays
    assert not (tmp_path / "evaluation_groups.csv").exists()


def test_kappa_weighs_by_the_square_of_the_distance():
    """Cohen's definition: 1 less the observed over the expected disagreement."""
    true, called = np.array([0, 1, 2, 2, 4]), np.array([0, 1, 2, 4, 1])
    report = ClassificationReport(list("abcde"), exclusive=True, ordered=True)
    report.update((torch.eye(5)[called], torch.eye(5)[true]))
    observed = ((true - called) ** 2).mean()
    expected = ((true[:, None] - called) ** 2).mean()
    assert report.compute()["quadratic_kappa"] == pytest.approx(1 - observed / expected)
    with pytest.raises(ValueError, match="`exclusive` is false"):
        ClassificationReport(["a", "b"], ordered=True)
