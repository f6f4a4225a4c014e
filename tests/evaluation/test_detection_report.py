import itertools
import json

import numpy as np
import pytest
import torch

from common.evaluation import DetectionReport
from common.evaluation.box_matching import match


def scene(seed, images=12, findings=2):
    """Random boxes, detections near some of them, and others anywhere."""
    generator = np.random.default_rng(seed)
    predictions, labels = [], []
    for _ in range(images):
        count = generator.integers(0, 4)
        corner = generator.uniform(0, 60, (count, 2))
        boxes = np.hstack([corner, corner + generator.uniform(8, 30, (count, 2))])
        number = generator.integers(0, findings, (count, 1))
        labels.append(np.hstack([boxes, number]))
        near = np.hstack([boxes + generator.normal(0, 2.5, boxes.shape), generator.uniform(0, 1, (count, 1)), number])
        away = generator.uniform(0, 60, (3, 2))
        away = np.hstack([away, away + 15, generator.uniform(0, 0.8, (3, 1)), generator.integers(0, findings, (3, 1))])
        predictions.append(np.vstack([near, away]))
    return predictions, labels


def monai_average_precision(predictions, labels, findings=2, iou=0.5):
    """MONAI's own metric, finding by finding."""
    from monai.apps.detection.metrics.coco import COCOMetric
    from monai.apps.detection.metrics.matching import matching_batch
    from monai.data.box_utils import box_iou

    names = [str(number) for number in range(findings)]
    metric = COCOMetric(names, iou_list=[iou], iou_range=[iou, iou, 0.1], max_detection=[100], verbose=False)
    found = matching_batch(
        box_iou,
        metric.iou_thresholds,
        *([rows[:, :4] for rows in predictions], [rows[:, 5] for rows in predictions], [r[:, 4] for r in predictions]),
        *([rows[:, :4] for rows in labels], [rows[:, 4] for rows in labels]),
    )
    values = metric(found)[0]
    return [values[f"{name}_AP_IoU_{iou:.2f}_MaxDet_100"] for name in names]


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_is_that_of_monai_also_where_images_count_several_times(seed):
    predictions, labels = scene(seed)
    matched = match(predictions, labels, 2, 0.5)
    expected = monai_average_precision(predictions, labels)
    # MONAI counts recall in float32, whose rounding moves single levels of the 101
    assert [found.average_precision() for found in matched] == pytest.approx(expected, abs=0.011)
    weights = np.random.default_rng(seed).integers(0, 3, len(labels))
    repeated = [
        list(itertools.chain.from_iterable([it] * n for it, n in zip(part, weights, strict=True)))
        for part in (predictions, labels)
    ]
    expected = monai_average_precision(*repeated)
    found = [one.average_precision(weights.astype(float)) for one in matched]
    assert found == pytest.approx(expected, abs=0.011)


@pytest.mark.parametrize(
    ("detections", "hits"),
    [
        ([[0, 0, 10, 10, 0.9, 0]], [True]),
        ([[0, 0, 10, 10, 0.9, 1]], [False]),  # of the other finding
        ([[0, 0, 10, 10, 0.9, 0], [0, 0, 10, 10, 0.5, 0]], [True, False]),  # a box is found once
        ([[0, 0, 10, 5, 0.9, 0]], [True]),  # an IoU of exactly a half
        ([[0, 0, 10, 4.9, 0.9, 0]], [False]),
        ([[10, 0, 20, 10, 0.9, 0]], [False]),  # edges touch
    ],
)
def test_what_hits_a_box(detections, hits):
    found = match([np.array(detections)], [np.array([[0.0, 0, 10, 10, 0]])], 2, 0.5)
    both = np.concatenate([found[0].hits, found[1].hits])
    assert both.tolist() == hits


def reported(predictions, labels, **settings):
    return collected(DetectionReport(["Mass", "Nodule"], image_size=100, **settings), predictions, labels)


def collected(report, predictions, labels):
    most = max(map(len, labels))
    padded = [np.vstack([rows, np.full((most - len(rows), 5), -1.0)]) for rows in labels]
    for images in (slice(0, 5), slice(5, None)):
        report._sources = [f"/x/{n}.png" for n in range(len(labels))[images]]
        report.update(([torch.tensor(it) for it in predictions[images]], [torch.tensor(it) for it in padded[images]]))
    report.compute()
    return report.outcome


def test_numbers_of_a_whole_evaluation():
    predictions, labels = scene(0)
    outcome = reported(predictions, labels)
    expected = monai_average_precision(predictions, labels)
    assert [row["average_precision"] for row in outcome.table] == pytest.approx(expected, abs=0.011)
    assert outcome.metrics["average_precision"] == np.mean([row["average_precision"] for row in outcome.table])
    assert outcome.metrics["average_precision/Nodule"] == outcome.table[1]["average_precision"]
    for number, row in enumerate(outcome.table):
        top = [max([it[4] for it in rows if it[5] == number], default=0) for rows in predictions]
        has = [bool((rows[:, 4] == number).any()) for rows in labels]
        with_it, without = (
            [score for score, it in zip(top, has, strict=True) if it is wanted] for wanted in (True, False)
        )
        pairs = [(a > b) + (a == b) / 2 for a in with_it for b in without]
        assert row["image_auc"] == pytest.approx(np.mean(pairs))
        assert row["boxes"] == sum((rows[:, 4] == number).sum() for rows in labels)
    assert "precision" not in outcome.metrics  # nothing chose a threshold
    first = json.loads(outcome.images[0]["detections"])
    assert len(first) == len(predictions[0]) and outcome.images[0]["source"] == "/x/0.png"
    assert first[0]["box"] == pytest.approx((predictions[0][0, :4] / 100).tolist(), abs=1e-4)


def test_thresholds_come_from_another_split():
    predictions, labels = scene(1)
    chooser = DetectionReport(["Mass", "Nodule"], 100)
    outcome = reported(predictions, labels, thresholds_from=chooser)
    assert any("No threshold was chosen" in notice for notice in outcome.notices) and "precision" not in outcome.metrics
    chooser.outcome = reported(*scene(2))
    outcome = reported(predictions, labels, thresholds_from=chooser)
    matched = match(predictions, labels, 2, 0.5)
    for row, found in zip(outcome.table, matched, strict=True):
        assert row["threshold"] == chooser.thresholds[row["finding"]]
        taken = found.scores >= row["threshold"]
        assert row["precision"] == pytest.approx(found.hits[taken].mean())
        assert row["recall"] == pytest.approx(found.hits[taken].sum() / found.boxes.sum())


@pytest.mark.parametrize("chosen", [False, True])
def test_any_choice_of_images_is_scored_as_a_report_of_them_alone(chosen):
    predictions, labels = scene(3, images=20)
    chooser = DetectionReport(["Mass", "Nodule"], 100)
    chooser.outcome = reported(*scene(2)) if chosen else None
    whole = DetectionReport(["Mass", "Nodule"], 100, thresholds_from=chooser)
    scorer = whole.scorer(collected(whole, predictions, labels))
    rows = np.array([0, 3, 3, 5, 7, 7, 7, 12, 15, 19])
    alone = reported([predictions[row] for row in rows], [labels[row] for row in rows], thresholds_from=chooser)
    found = dict(zip(scorer.names, scorer(rows), strict=True))
    measured = ["average_precision", "image_auc", *(["precision", "recall", "f1"] if chosen else [])]
    assert set(found) == {name for it in measured for name in (it, f"{it}/Mass", f"{it}/Nodule")}
    for name in measured:
        assert found[name] == pytest.approx(alone.metrics[name], nan_ok=True)
        assert found[f"{name}/Nodule"] == pytest.approx(alone.table[1][name], nan_ok=True)


def test_a_finding_without_boxes_is_named_and_not_counted():
    predictions, labels = scene(0)
    labels = [rows[rows[:, 4] == 0] for rows in labels]
    outcome = reported(predictions, labels)
    assert outcome.metrics["average_precision"] == outcome.table[0]["average_precision"]
    assert any(notice.startswith("Nodule: no box") for notice in outcome.notices)


@pytest.mark.parametrize(
    ("change", "says"),
    [({"findings": ["Mass", "Mass"]}, "distinct"), ({"iou": 0.0}, "iou is 0.0"), ({"findings": []}, "distinct")],
)
def test_settings_that_cannot_be_meant_are_refused(change, says):
    with pytest.raises(ValueError, match=says):
        DetectionReport(**{"findings": ["Mass"], "image_size": 64, **change})


def test_output_that_is_not_finite_names_its_file():
    report = DetectionReport(["Mass"], 64)
    report._sources = ["/x/odd.png"]
    with pytest.raises(ValueError, match=r"odd\.png.*not finite"):
        report.update(([torch.full((1, 6), float("nan"))], [torch.zeros(1, 5)]))
