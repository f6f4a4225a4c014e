import json

import numpy as np
import pandas as pd
import pytest
import torch

from common.evaluation import ClassificationReport, DetectionReport, SaveReport, SegmentationReport
from common.records import Corpus, Record
from common.scoring.bootstrap import few_patients
from common.scoring.breakdown import breakdown
from common.scoring.scorers import MeanScorer

GENERATOR = np.random.default_rng(0)


def corpus_of(count, **facts):
    """Two images of each patient; every fact is a function of the image's number."""
    records = [
        Record(f"/{n}.png", f"p{n // 2}", "test", "toy", **{name: fact(n) for name, fact in facts.items()})
        for n in range(count)
    ]
    return Corpus("toy", tuple(records))


def classified(labels):
    report = ClassificationReport(["often", "rare"])
    report.update((torch.tensor(GENERATOR.random(labels.shape)), torch.tensor(labels)))
    return report


def segmented(labels):
    """An image without a label is one in which nobody annotated the structure."""
    masks = torch.tensor(np.where(labels == 1, 1, 255))[:, :, None, None].expand(-1, -1, 4, 4)
    report = SegmentationReport(["often", "rare"])
    report.update((torch.tensor(GENERATOR.random(masks.shape)), masks))
    return report


def detected(labels):
    report = DetectionReport(["often", "rare"], 100)
    rows = [[[8.0, 8.0, 40.0, 40.0, float(k)] if row[k] else [-1.0] * 5 for k in range(2)] for row in labels]
    found = [[[8.0, 8.0, 41.0, 41.0, score, float(k)] for k, score in enumerate(GENERATOR.random(2))] for _ in labels]
    report.update(([torch.tensor(it) for it in found], [torch.tensor(it) for it in rows]))
    return report


@pytest.mark.parametrize("kind", [classified, segmented, detected])
def test_a_mean_over_classes_is_of_all_of_them_or_none(kind):
    """A draw or a group without the rare class has no mean: that of the other class is another quantity."""
    labels = np.stack([np.arange(24) % 2, np.arange(24) == 3], axis=1).astype(float)
    report = kind(labels)
    report.compute()
    scorer = report.scorer(report.outcome)
    means = [place for place, name in enumerate(scorer.names) if "/" not in name and name != "merged_iou"]
    means = [place for place in means if scorer.names[place] != "mean_iou"]  # of one mask, whatever it is made of
    without, within = np.array([n for n in range(24) if n != 3]), np.arange(24)
    assert np.isnan(scorer(without)[means]).all() and np.isfinite(scorer(within)[means]).all()
    corpus = Corpus("toy", tuple(Record(f"{n}", f"p{n}", "test", "toy", sex="FM"[n % 2]) for n in range(24)))
    found = breakdown(scorer, [f"{n}" for n in range(24)], corpus, resamples=400)
    generator = np.random.default_rng(0)
    draws = [scorer(rows)[0] for rows in generator.integers(24, size=(400, 24)) if 3 in rows]
    headline = scorer.names[0]
    assert found.intervals[headline] == pytest.approx(np.quantile(draws, [0.025, 0.975]))
    assert found.draws[headline] == len(draws) == found.as_dict()["draws"][headline]
    assert f"the {len(draws)} of 400 draws" in "\n".join(found.notices())
    lacks = {row["group"]: (row["lacks"], np.isnan(row[headline])) for row in found.groups}
    assert lacks["F"][1] and "rare" in lacks["F"][0]  # image 3 is of a man
    whole = breakdown(MeanScorer("dice", ["x"], np.ones((24, 1))), [f"{n}" for n in range(24)], corpus, 50)
    assert not whole.draws and not whole.notices() and {row["lacks"] for row in whole.groups} == {""}


def test_reports_score_their_images_as_they_report_them():
    """Every number that is a report's headline, or any of a class's row, is the scorer's, of all images."""
    generator = torch.Generator().manual_seed(1)
    classes = ClassificationReport(["a", "b"])
    labels = torch.tensor([[0.0, 1.0], [1.0, torch.nan], [1.0, 0.0], [0.0, 1.0]])
    classes.update((torch.rand(4, 2, generator=generator), labels))
    grades = ClassificationReport(list("abc"), exclusive=True, ordered=True, mean_of=["b", "c"])
    grades.update((torch.rand(9, 3, generator=generator), torch.eye(3)[torch.arange(9) % 3]))
    organs = SegmentationReport(["lung", "heart"])
    masks = torch.randint(0, 2, (3, 2, 8, 8), generator=generator)
    masks[1, 1], masks[2, 0] = 255, 0  # not annotated; not there
    organs.update((torch.rand(3, 2, 8, 8, generator=generator), masks))
    known = {"undefined_classes"}
    for report, count in ((classes, 4), (grades, 9), (organs, 3)):
        metrics = report.compute()
        scorer = report.scorer(report.outcome)
        found = dict(zip(scorer.names, scorer(np.arange(count)), strict=True))
        assert {name for name in metrics if "/" not in name} - known <= set(found)
        rows = {f"{key}/{next(iter(row.values()))}": row[key] for row in report.outcome.table for key in row}
        for name, value in found.items():
            assert value == pytest.approx((metrics | rows)[name], nan_ok=True), name


def test_pooled_numbers_of_chosen_images_are_those_of_a_report_of_them_alone():
    generator = torch.Generator().manual_seed(2)
    maps = torch.rand(5, 2, 8, 8, generator=generator)
    masks = torch.randint(0, 2, (5, 2, 8, 8), generator=generator)
    report, chosen = SegmentationReport(["lung", "heart"]), SegmentationReport(["lung", "heart"])
    rows = [4, 0, 4, 2]
    report.update((maps, masks))
    chosen.update((maps[rows], masks[rows]))
    report.compute()
    scorer = report.scorer(report.outcome)
    found = dict(zip(scorer.names, scorer(np.array(rows)), strict=True))
    for name, value in chosen.compute().items():
        assert found[name] == pytest.approx(value), name


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


@pytest.mark.parametrize(("images", "told"), [(38, True), (40, False), (2, False)])
def test_intervals_of_few_patients_are_told(tmp_path, capsys, images, told):
    """Of two images each: 19, 20, and one patient, of whom there is no interval."""
    corpus = corpus_of(images)
    report = ClassificationReport(["a"])
    labels = torch.tensor([[float(n % 2)] for n in range(images)])
    report.update((torch.rand(images, 1), labels))
    report.compute()
    for row, record in zip(report.outcome.images, corpus.records, strict=True):
        row["source"] = record.image
    SaveReport(report, str(tmp_path), corpus=corpus, resamples=50).write(report.outcome)
    notices = json.loads((tmp_path / "evaluation.json").read_text())["notices"]
    assert [notice for notice in notices if "too narrow" in notice] == few_patients(images // 2)
    assert bool(few_patients(images // 2)) == told == ("of fewer than 20" in capsys.readouterr().out)


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


def test_kappa_and_accuracy_of_chosen_images_are_those_of_a_report_of_them_alone():
    true, called = GENERATOR.integers(0, 4, (2, 30))
    report, chosen = (ClassificationReport(list("abcd"), exclusive=True, ordered=True) for _ in range(2))
    rows = GENERATOR.integers(0, 30, 20)
    report.update((torch.eye(4)[called], torch.eye(4)[true]))
    chosen.update((torch.eye(4)[called[rows]], torch.eye(4)[true[rows]]))
    report.compute()
    scorer = report.scorer(report.outcome)
    found, metrics = dict(zip(scorer.names, scorer(rows), strict=True)), chosen.compute()
    for name in ("accuracy", "quadratic_kappa"):
        assert found[name] == pytest.approx(metrics[name])
    assert np.isnan(scorer(np.flatnonzero((true == 1) & (called == 1)))[-1])  # one grade is no agreement beyond chance
