"""Contrast and agreement against sums written out, and the gradients that must not flow."""

import math

import pytest
import torch

from common.losses import CosineRegression, InBatchInfoNCE


def unit(vector):
    return vector / vector.square().sum().sqrt()


def expected(query, keys, own, temperature):
    """Mean over queries of -log(e^own / sum e^key), one number at a time."""
    total = 0.0
    for i in range(len(query)):
        cosines = [float(unit(query[i]) @ unit(key)) / temperature for key in keys]
        total -= cosines[own[i]] - math.log(sum(math.exp(cosine) for cosine in cosines))
    return total / len(query)


@pytest.mark.parametrize("temperature", [0.2, 1.0])
def test_a_batch_is_contrasted_with_all_keys_and_its_own_is_the_answer(temperature):
    torch.manual_seed(0)
    query, keys = torch.randn(3, 5), torch.randn(7, 5)
    own = [2, 3, 4]  # the second process of several
    loss = InBatchInfoNCE(temperature)(query, keys[own], keys)
    assert loss.item() == pytest.approx(expected(query, keys, own, temperature), rel=1e-5)


def test_parts_are_contrasted_within_their_image_only():
    torch.manual_seed(0)
    query, keys = torch.randn(3, 4, 5), torch.randn(3, 4, 5)
    loss = InBatchInfoNCE(0.2)
    by_image = [expected(query[i], keys[i], range(4), 0.2) for i in range(3)]
    assert loss(query, keys, keys).item() == pytest.approx(sum(by_image) / 3, rel=1e-5)
    swapped = keys.clone()
    swapped[1] = torch.randn(4, 5)
    changed = loss(query, swapped, swapped).item() - loss(query, keys, keys).item()
    assert changed == pytest.approx((expected(query[1], swapped[1], range(4), 0.2) - by_image[1]) / 3, abs=1e-5)


def test_gathered_keys_make_two_halves_equal_to_the_whole():
    torch.manual_seed(0)
    query, keys = torch.randn(6, 5), torch.randn(6, 5)
    loss = InBatchInfoNCE()
    halves = [loss(query[part], keys[part], keys) for part in (slice(0, 3), slice(3, 6))]
    torch.testing.assert_close(sum(halves) / 2, loss(query, keys, keys))


def test_floor_at_temperature_one_is_the_stated_one():
    keys = torch.cat([torch.eye(1, 2), -torch.eye(1, 2).expand(31, 2)])
    floor = InBatchInfoNCE()(keys[:1], keys[:1], keys)
    assert floor.item() == pytest.approx(math.log(1 + 31 * math.exp(-2)), rel=1e-5)
    assert floor.item() == pytest.approx(1.65, abs=0.01)


def test_gradient_flows_into_queries_and_predictions_only():
    for loss, count in ((InBatchInfoNCE(), 2), (CosineRegression(), 1)):
        inputs = [torch.randn(4, 5, requires_grad=True) for _ in range(count + 1)]
        loss(*inputs).backward()
        assert inputs[0].grad.abs().sum() > 0
        assert all(target.grad is None for target in inputs[1:])


def test_regression_is_the_squared_distance_of_unit_vectors():
    torch.manual_seed(0)
    a, b = torch.randn(4, 5), torch.randn(4, 5)
    by_hand = sum(float((unit(x) - unit(y)).square().sum()) for x, y in zip(a, b, strict=True)) / 4
    assert CosineRegression()(a, b).item() == pytest.approx(by_hand, rel=1e-5)
    assert CosineRegression()(a, 3 * a).item() == pytest.approx(0, abs=1e-6)
    assert CosineRegression()(a, -a).item() == pytest.approx(4, rel=1e-6)


def test_mixed_precision_does_not_round_cosines():
    torch.manual_seed(0)
    query, keys = torch.randn(4, 64), torch.randn(4, 64)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = InBatchInfoNCE(0.2)(query, keys, keys)
    torch.testing.assert_close(mixed, InBatchInfoNCE(0.2)(query, keys, keys))


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(ValueError, match="temperature is 0"):
        InBatchInfoNCE(0)
