import math

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.data import MetaTensor

from common.evaluation.segmentation import SegmentationReport, dice_iou, overlap_counts


def loop_dice(probabilities, labels):
    """Dice of one image and structure, pixel by pixel."""
    both = predicted = true = seen = 0
    for p, y in zip(probabilities.flatten().tolist(), labels.flatten().tolist(), strict=True):
        if y == 255:
            continue
        seen += 1
        both += p > 0.5 and y == 1
        predicted += p > 0.5
        true += y == 1
    if not seen:
        return math.nan, (0, 0, 0, 0)
    return (2 * both / (predicted + true) if predicted + true else 1.0), (both, predicted, true, seen)


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.rand(5, 2, 9, 7, generator=generator)
    labels = torch.randint(0, 2, (5, 2, 9, 7), generator=generator).to(torch.uint8)
    labels[:, :, :3, :2] = 255
    labels[0, 0] = 255  # nobody annotated this structure here
    labels[1, 1], probabilities[1, 1] = 0, 0.1  # empty and predicted empty
    labels[2, 1] = 0  # empty, but predicted
    return probabilities, labels


def run(report, probabilities, labels, size=2):
    batches = [
        {
            "source": [f"{j}.png" for j in range(i, min(i + size, len(labels)))],
            "p": probabilities[i : i + size],
            "y": labels[i : i + size],
        }
        for i in range(0, len(labels), size)
    ]
    # as MONAI's evaluator leaves them: a list of items, predictions with meta data
    engine = Engine(lambda _, b: [{"pred": MetaTensor(p), "label": y} for p, y in zip(b["p"], b["y"], strict=True)])
    report.attach(engine, "dice")
    engine.run(batches)
    return engine.state


def test_mean_over_images_then_structures(case):
    state = run(SegmentationReport(["lung", "heart"]), *case)
    values = np.array([[loop_dice(case[0][n, k], case[1][n, k])[0] for k in range(2)] for n in range(5)])
    assert np.isnan(values[0, 0]) and values[1, 1] == 1 and values[2, 1] == 0
    assert state.metrics["dice/lung"] == pytest.approx(np.nanmean(values[:, 0]))
    assert state.metrics["dice"] == pytest.approx(np.nanmean(values, axis=0).mean())
    images = state.metric_details["dice"].images
    assert images[3]["source"] == "3.png" and images[3]["heart"] == pytest.approx(values[3, 1])
    assert "1 of 5 images" in state.metric_details["dice"].notices[0]


def test_pooled_counts_all_pixels_once(case):
    state = run(SegmentationReport(["lung", "heart"]), *case)
    for k, row in enumerate(state.metric_details["dice"].table):
        both, predicted, true, _ = np.sum([loop_dice(case[0][n, k], case[1][n, k])[1] for n in range(5)], axis=0)
        assert row["pooled_dice"] == pytest.approx(2 * both / (predicted + true))
        assert row["pooled_iou"] == pytest.approx(both / (predicted + true - both))


def test_mean_iou_of_one_mask_by_hand():
    """Four pixels; the predicted ones fall from three to one to none as the threshold rises."""
    probabilities = torch.tensor([[[[0.97, 0.72], [0.52, 0.1]]]])
    labels = torch.tensor([[[[1, 1], [0, 0]]]], dtype=torch.uint8)
    # 0.5: 2 of 3 and 1 of 2; 0.55 to 0.7: 2 of 2 and 2 of 2; 0.75 to 0.95: 1 of 2 and 2 of 3
    expected = ((2 / 3 + 1 / 2) / 2 + 4 * 1.0 + 5 * (1 / 2 + 2 / 3) / 2) / 10
    metrics = run(SegmentationReport(["lung"]), probabilities, labels).metrics
    assert metrics["mean_iou"] == pytest.approx(expected)
    assert metrics["merged_iou"] == pytest.approx(2 / 3) == metrics["pooled_iou"]


def test_structures_are_merged_to_one_mask():
    """Both structures lie in the first row; each alone is half right, together they are wholly right."""
    labels = torch.tensor([[[[1, 0], [0, 0]], [[0, 1], [0, 0]]]], dtype=torch.uint8)
    probabilities = labels.float().flip(1) * 0.99
    metrics = run(SegmentationReport(["a", "b"]), probabilities, labels).metrics
    assert (metrics["mean_iou"], metrics["merged_iou"], metrics["iou"]) == (1, 1, 0)


def test_background_counts_in_mean_iou_alone_and_pixels_of_all_images_are_pooled():
    """A missed structure of one pixel in 100: plain IoU 0, mean IoU half of the background's 99 of 100."""
    labels, probabilities = torch.zeros(4, 1, 5, 5, dtype=torch.uint8), torch.zeros(4, 1, 5, 5)
    labels[0, 0, 2, 2] = 1
    metrics = run(SegmentationReport(["nodule"]), probabilities, labels).metrics
    assert metrics["merged_iou"] == 0
    assert metrics["mean_iou"] == pytest.approx(0.99 / 2)


def test_a_merged_pixel_is_unknown_where_a_structure_was_not_annotated_and_none_holds_it():
    labels = torch.tensor([[[[1, 0, 0, 255]], [[255, 255, 0, 255]]]], dtype=torch.uint8)
    probabilities = torch.tensor([[[[0.99, 0.99, 0.0, 0.99]], [[0.0, 0.0, 0.0, 0.0]]]])
    metrics = run(SegmentationReport(["a", "b"]), probabilities, labels).metrics
    assert (metrics["mean_iou"], metrics["merged_iou"]) == (1, 1)
    nothing = run(SegmentationReport(["a", "b"]), probabilities, torch.full_like(labels, 255)).metrics
    assert math.isnan(nothing["mean_iou"]) and math.isnan(nothing["merged_iou"])


def test_iou_follows_from_dice(case):
    dice, iou = dice_iou(overlap_counts(*case))
    expected = dice / (2 - dice)
    assert torch.allclose(iou, expected, equal_nan=True)


def test_exactly_half_is_not_predicted():
    counts = overlap_counts(torch.full((1, 1, 2, 2), 0.5), torch.ones(1, 1, 2, 2))
    assert counts.flatten().tolist() == [0, 0, 4, 4]


def test_what_lies_under_ignored_pixels_does_not_matter(case):
    probabilities, labels = case
    changed = torch.where(labels == 255, 1 - probabilities, probabilities)
    assert torch.equal(overlap_counts(probabilities, labels), overlap_counts(changed, labels))


def test_shapes_and_numbers_are_checked(case):
    with pytest.raises(ValueError, match="structures"):
        run(SegmentationReport(["lung"]), *case)
    broken = case[0].clone()
    broken[3, 0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"3\.png.* is not finite"):
        run(SegmentationReport(["lung", "heart"]), broken, case[1])


def test_a_structure_that_no_image_was_found_in_is_said():
    report = SegmentationReport(["lung", "clavicle", "stent"])
    truth = torch.zeros(2, 3, 4, 4)
    truth[:, :2, 0] = 1  # no stent is there, and none is predicted
    predictions = torch.zeros(2, 3, 4, 4)
    predictions[0, 0, 0] = predictions[:, 1, 3] = 1.0  # what is called clavicle is none
    report.update((predictions, truth))
    report.compute()
    (said,) = [notice for notice in report.outcome.notices if "never found" in notice]
    assert said.startswith("clavicle: never found")
