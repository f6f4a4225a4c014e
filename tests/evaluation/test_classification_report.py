import math

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from sklearn.metrics import f1_score, precision_recall_fscore_support

from common.evaluation.classification import ClassificationReport, at_threshold, auc, youden_threshold
from common.evaluation.report import better_than


def pair_auc(scores, labels):
    """Share of (positive, negative) pairs in the right order, ties half: the definition, in O(n^2)."""
    pairs = [(p > n) + 0.5 * (p == n) for p in scores[labels == 1] for n in scores[labels == 0]]
    return sum(pairs) / len(pairs)


@pytest.fixture
def noisy():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 60).astype(float)
    return np.round(labels * 0.3 + generator.random(60), 1), labels  # rounding makes ties


def run(report, batches, name="val_auc"):
    def step(engine, batch):
        return [{"pred": p, "label": y} for p, y in zip(batch["pred"], batch["label"], strict=True)]

    engine = Engine(step)
    report.attach(engine, name)
    engine.run(batches)
    return engine.state


def batches_of(scores, labels, size=7):
    scores, labels = torch.as_tensor(scores).float(), torch.as_tensor(labels).float()
    return [
        {
            "pred": scores[i : i + size],
            "label": labels[i : i + size],
            "source": [f"{j}.png" for j in range(i, min(i + size, len(scores)))],
        }
        for i in range(0, len(scores), size)
    ]


def test_auc_is_the_share_of_ordered_pairs(noisy):
    assert auc(*noisy) == pytest.approx(pair_auc(*noisy))


def test_youden_threshold_is_the_best_of_all_scores(noisy):
    scores, labels = noisy

    def youden(threshold):
        result = at_threshold(scores, labels, threshold)
        return result["sensitivity"] + result["specificity"]

    assert youden(youden_threshold(scores, labels)) == max(youden(score) for score in np.unique(scores))


def test_threshold_metrics_agree_with_an_independent_implementation(noisy):
    scores, labels = noisy
    precision, recall, f1, _ = precision_recall_fscore_support(labels, scores >= 0.6)
    weighted = f1_score(labels, scores >= 0.6, average="weighted")
    result = at_threshold(scores, labels, 0.6)
    expected = {"sensitivity": recall[1], "specificity": recall[0], "precision": precision[1]}
    assert result == pytest.approx({**expected, "f1": f1[1], "f1_weighted": weighted})


def test_weighted_f1_of_a_rare_finding_can_exceed_sensitivity_and_precision():
    """The published F1 that no F1 of the positives can be (methods E12)."""
    labels = np.repeat([1.0, 0.0], [10, 90])
    scores = np.concatenate([np.repeat([1.0, 0.0], [7, 3]), np.repeat([1.0, 0.0], [15, 75])])
    result = at_threshold(scores, labels, 0.5)
    assert result["f1"] < result["sensitivity"] and result["f1_weighted"] > max(
        result["sensitivity"], result["precision"]
    )


def test_ratios_without_cases_are_nan():
    result = at_threshold(np.array([0.1, 0.2]), np.array([0.0, 0.0]), 0.5)
    assert math.isnan(result["sensitivity"]) and math.isnan(result["precision"]) and math.isnan(result["f1"])
    assert result["specificity"] == 1 and result["f1_weighted"] == 1
    assert at_threshold(np.array([0.1, 0.2]), np.array([0.0, 1.0]), 0.5)["f1"] == 0


def test_a_class_with_one_value_is_reported_and_not_counted(noisy):
    scores, labels = noisy
    unknown = labels.copy()
    unknown[:20] = np.nan
    report = ClassificationReport(["seen", "absent", "partly"])
    state = run(report, batches_of(np.stack([scores] * 3, 1), np.stack([labels, 0 * labels, unknown], 1)))
    first, absent, partly = state.metrics["auc/seen"], state.metrics["auc/absent"], state.metrics["auc/partly"]
    assert math.isnan(absent) and state.metrics["undefined_classes"] == 1
    assert partly == pytest.approx(pair_auc(scores[20:], labels[20:]), abs=1e-6)
    assert state.metrics["val_auc"] == pytest.approx((first + partly) / 2)
    assert len(report.outcome.notices) == 1 and "absent" in report.outcome.notices[0]
    assert [row["source"] for row in report.outcome.images] == [f"{i}.png" for i in range(60)]
    assert state.metric_details["val_auc"] is report.outcome


def test_means_are_over_the_classes_that_are_tested(noisy):
    scores, labels = noisy
    batches = batches_of(np.stack([scores, -scores, scores], 1), np.stack([labels] * 3, 1))
    state = run(ClassificationReport(["a", "b", "c"], mean_of=["c"]), batches)
    assert state.metrics["val_auc"] == state.metrics["auc/c"] != state.metrics["auc/b"]
    with pytest.raises(ValueError, match="mean_of names d, which is none of a, b"):
        ClassificationReport(["a", "b"], mean_of=["d"])


def test_a_smoothed_label_is_not_scored(noisy):
    scores, labels = noisy
    smoothed = labels.copy()
    smoothed[:20] = 0.7
    state = run(ClassificationReport(["seen"]), batches_of(scores[:, None], smoothed[:, None]))
    assert state.metrics["auc/seen"] == pytest.approx(pair_auc(scores[20:], labels[20:]), abs=1e-6)


def test_nothing_defined_is_nan_not_a_crash():
    state = run(ClassificationReport(["a"]), batches_of([[0.1], [0.2]], [[0.0], [0.0]]))
    assert math.isnan(state.metrics["val_auc"])
    assert better_than(0.5, float("nan")) and not better_than(float("nan"), 0.5) and better_than(0.6, 0.5)


@pytest.mark.parametrize("is_given", [True, False])
def test_thresholds_come_from_the_other_split(noisy, is_given):
    scores, labels = noisy[0][:, None], noisy[1][:, None]
    chosen = ClassificationReport(["a"])
    applied = ClassificationReport(["a"], thresholds_from=chosen)
    if not is_given:
        chosen = applied.chooser()
    assert "sensitivity" not in run(applied, batches_of(scores[:30], labels[:30])).metrics
    assert "No threshold" in applied.outcome.notices[0]
    with pytest.raises(ValueError, match="validation split"):
        _ = chosen.thresholds
    run(chosen, batches_of(scores[30:], labels[30:]))
    assert "sensitivity" not in chosen.outcome.metrics
    state = run(applied, batches_of(scores[:30], labels[:30]))
    threshold = youden_threshold(scores[30:, 0].astype(np.float32), labels[30:, 0])
    expected = at_threshold(scores[:30, 0].astype(np.float32), labels[:30, 0], threshold)
    assert {key: state.metrics[key] for key in expected} == pytest.approx(expected)


def test_a_class_whose_threshold_cannot_be_chosen_is_named_and_not_counted():
    chosen = ClassificationReport(["a", "b"])
    applied = ClassificationReport(["a", "b"], thresholds_from=chosen)
    scores = [[0.1, 0.3], [0.9, 0.4]]
    run(chosen, batches_of(scores, [[0.0, 0.0], [1.0, 0.0]]))
    state = run(applied, batches_of(scores, [[0.0, 0.0], [1.0, 1.0]]))
    (notice,) = applied.outcome.notices
    assert notice.startswith("b: no threshold") and "one value only" in notice
    assert state.metrics["sensitivity"] == 1 and math.isnan(applied.outcome.table[1]["sensitivity"])


def test_exclusive_classes_add_accuracy():
    scores = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.4, 0.3], [0.1, 0.2, 0.7]]
    labels = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]
    state = run(ClassificationReport(["a", "b", "c"], exclusive=True), batches_of(scores, labels))
    assert state.metrics["accuracy"] == 0.75


def test_wrong_outputs_are_named():
    with pytest.raises(ValueError, match="`findings`"):
        run(ClassificationReport(["a", "b"]), batches_of([[0.1]], [[0.0]]))
    with pytest.raises(ValueError, match=r"1\.png is not finite"):
        run(ClassificationReport(["a"]), batches_of([[0.1], [float("nan")]], [[0.0], [1.0]]))
