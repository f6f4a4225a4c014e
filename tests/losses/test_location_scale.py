"""The loss of scale and place against its formula."""

import math

import pytest
import torch

from common.losses import LocationScale

TARGETS = torch.tensor([[0.2, 0.1, 0.9], [1.0, 0.5, 0.5]])


def test_bce_is_the_mean_over_patches_and_numbers():
    logits = torch.tensor([[0.3, -1.0, 2.0], [0.0, 0.7, -0.2]])
    total = 0.0
    for row in range(2):
        for col in range(3):
            p, t = 1 / (1 + math.exp(-logits[row, col])), TARGETS[row, col].item()
            total -= t * math.log(p) + (1 - t) * math.log(1 - p)
    assert LocationScale()(logits, TARGETS).item() == pytest.approx(total / 6, rel=1e-5)


def test_bce_is_least_at_the_targets_where_it_is_their_entropy():
    fractions = torch.tensor([[0.2, 0.1, 0.9]])
    entropy = sum(-t * math.log(t) - (1 - t) * math.log(1 - t) for t in (0.2, 0.1, 0.9)) / 3
    best = torch.logit(fractions)
    assert LocationScale()(best, fractions).item() == pytest.approx(entropy, rel=1e-5)
    for step in (-0.1, 0.1):
        assert LocationScale()(best + step, fractions) > entropy


def test_bins_are_numbered_from_their_upper_edges():
    loss = LocationScale(form="bins")
    assert loss.outputs == 25
    logits = torch.zeros(2, 25)
    # scale 0.2 and 1.0 are the first and the last of 5; x 0.1, 0.5 the first and fifth of 10; y 0.9, 0.5 ninth, fifth
    for row, places in enumerate([(0, 5 + 0, 15 + 8), (4, 5 + 4, 15 + 4)]):
        logits[row, list(places)] = 50.0
    assert loss(logits, TARGETS).item() == pytest.approx(0, abs=1e-5)
    assert loss(torch.zeros(2, 25), TARGETS).item() == pytest.approx((math.log(5) + 2 * math.log(10)) / 3, rel=1e-5)


def test_bins_keep_three_scales_apart_and_take_zero_into_the_first():
    loss = LocationScale(form="bins")
    winners = []
    for scale in (0.25, 0.5, 1.0):
        target = torch.tensor([[scale, 0.0, 0.0]])
        values = []
        for index in range(5):
            logits = torch.zeros(1, 25)
            logits[0, [index, 5, 15]] = 50.0
            values.append(loss(logits, target).item())
        assert min(values) == pytest.approx(0, abs=1e-4)
        winners.append(values.index(min(values)))
    assert len(set(winners)) == 3


@pytest.mark.parametrize("options", [{"form": "mse"}, {"form": "bins", "bins": (5, 10)}, {"bins": (5, 1, 10)}])
def test_unknown_forms_are_refused(options):
    with pytest.raises(ValueError, match="location_scale#"):
        LocationScale(**options)
