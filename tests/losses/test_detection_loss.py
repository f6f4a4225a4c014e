import math

import pytest
import torch

from common.losses import DetectionLoss
from common.networks.detection import square_anchors

LEVELS = square_anchors(64, [8, 16, 32], 4)
ANCHORS = torch.cat(LEVELS)
COUNTS = [len(level) for level in LEVELS]
BOX = [4.0, 30.0, 24.0, 60.0]


def loss(**settings):
    return DetectionLoss(ANCHORS, COUNTS, **settings)


def prediction(logit, findings=2):
    """Every anchor gives itself, with one logit for all."""
    return torch.cat([ANCHORS.T, torch.full((findings, len(ANCHORS)), float(logit))])[None]


def label(*rows):
    return torch.tensor([list(rows)])


NONE = [0.0, 0.0, 64.0, 64.0, -1.0]


def test_anchors_near_the_box_are_chosen_by_rows_and_columns():
    chosen = loss().chosen(torch.tensor([BOX]))
    assert 1 <= (chosen == 0).sum() <= 27 and set(chosen.tolist()) == {-1, 0}
    centres = (ANCHORS[chosen == 0][:, :2] + ANCHORS[chosen == 0][:, 2:]) / 2
    torch.testing.assert_close(centres.mean(0), torch.tensor([14.0, 45.0]), atol=6.0, rtol=0)


def test_an_image_without_boxes_trains_its_logits_alone():
    pred = prediction(0.0).requires_grad_()
    losses = loss()(pred, label(NONE))
    # focal loss of a negative with p = 1/2: (1 - alpha) * (1/2)^2 * log 2, summed over anchors and findings
    assert losses["classification"].item() == pytest.approx(2 * len(ANCHORS) * 0.75 * 0.25 * math.log(2), rel=1e-5)
    assert losses["boxes"].item() == 0
    losses["loss"].backward()
    assert pred.grad[:, :4].abs().sum() == 0 and (pred.grad[:, 4:] > 0).all()


def test_the_logit_of_the_box_s_finding_rises_at_chosen_anchors_alone():
    pred = prediction(0.0).requires_grad_()
    criterion = loss(box_weight=0.0)
    criterion(pred, label([*BOX, 1.0], NONE))["loss"].backward()
    rising = pred.grad[0, 4:] < 0
    assert torch.equal(rising[1], criterion.chosen(torch.tensor([BOX])) == 0) and not rising[0].any()


def test_focal_and_overlap_are_divided_by_the_chosen_anchors():
    criterion = loss(gamma=0.0, alpha=0.5)
    chosen = criterion.chosen(torch.tensor([BOX])) == 0
    losses = criterion(prediction(0.0, findings=1), label([*BOX, 0.0]))
    assert losses["classification"].item() == pytest.approx(len(ANCHORS) / 2 * math.log(2) / chosen.sum().item())
    expected = [1 - generalised_iou(anchor.tolist(), BOX) for anchor in ANCHORS[chosen]]
    assert losses["boxes"].item() == pytest.approx(sum(expected) / len(expected), rel=1e-4)
    assert losses["loss"].item() == pytest.approx(losses["classification"].item() + 2 * losses["boxes"].item())


def generalised_iou(one, other):
    def area(top, left, bottom, right):
        return max(0, bottom - top) * max(0, right - left)

    both = area(*map(max, one[:2], other[:2]), *map(min, one[2:], other[2:]))
    union = area(*one) + area(*other) - both
    hull = area(*map(min, one[:2], other[:2]), *map(max, one[2:], other[2:]))
    return both / union - (hull - union) / hull


def test_an_image_counts_the_same_in_any_batch():
    torch.manual_seed(0)
    pred = prediction(0.0).repeat(2, 1, 1) + torch.randn(2, 6, len(ANCHORS))
    labels = torch.cat([label([*BOX, 1.0], [2.0, 2.0, 12.0, 12.0, 0.0]), label(NONE, NONE)])
    together = loss()(pred, labels)
    apart = [loss()(pred[n : n + 1], labels[n : n + 1]) for n in range(2)]
    for name, value in together.items():
        torch.testing.assert_close(value, (apart[0][name] + apart[1][name]) / 2)


def test_training_on_one_box_finds_it():
    shift = torch.zeros(1, 4, len(ANCHORS), requires_grad=True)
    logits = torch.full((1, 2, len(ANCHORS)), -4.0, requires_grad=True)
    optimizer = torch.optim.Adam([shift, logits], lr=0.5)
    for _ in range(150):
        pred = torch.cat([ANCHORS.T[None] + shift, logits], dim=1)
        optimizer.zero_grad()
        loss()(pred, label([*BOX, 1.0]))["loss"].backward()
        optimizer.step()
    best = pred[0, 5].argmax()
    torch.testing.assert_close(pred[0, :4, best].detach(), torch.tensor(BOX), atol=0.8, rtol=0)
    assert pred[0, 5, best] > 2 and pred[0, 4].max() < -2
