import math

import pytest
import torch

from common.losses.injuries import InjuryLoss, InjuryOutputs

NAN = float("nan")
PAPER = {
    "binary": {"bowel": 2, "extravasation": 6},
    "graded": {"liver": [1, 2, 4], "spleen": [1, 2, 4], "kidney": [1, 2, 4]},
}
OUTPUTS = InjuryOutputs(("bowel", "extravasation"), ("liver", "spleen", "kidney"))


def label(bowel=0, extravasation=0, liver=0, spleen=0, kidney=0):
    """Grades as 0, 1, 2, or None for unknown."""
    row = [NAN if value is None else float(value) for value in (bowel, extravasation)]
    for grade in (liver, spleen, kidney):
        row += [NAN] * 3 if grade is None else [float(grade == index) for index in range(3)]
    return row


@pytest.fixture
def case():
    labels = [label(), label(bowel=1, spleen=2), label(extravasation=1, liver=1), label(kidney=2, bowel=None)]
    logits = torch.randn(4, 11, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2
    return logits, torch.tensor(labels, dtype=torch.float64)


def by_hand(logits, labels, any_share=0.1):
    """The paper's sum with probabilities in plain Python, one label at a time."""
    binary, graded, any_injury = [], [], []
    for x, y in zip(logits.tolist(), labels.tolist(), strict=True):
        healthy, known, injured = 1.0, True, False
        for i, weight in ((0, 2), (1, 6)):
            p = 1 / (1 + math.exp(-x[i]))
            healthy *= 1 - p
            if math.isnan(y[i]):
                known = False
                continue
            injured |= y[i] == 1
            binary.append(-weight * math.log(p) if y[i] == 1 else -math.log(1 - p))
        for start in (2, 5, 8):
            exps = [math.exp(v) for v in x[start : start + 3]]
            p3 = [e / sum(exps) for e in exps]
            healthy *= p3[0]
            if math.isnan(y[start]):
                known = False
                continue
            grade = y[start : start + 3].index(1.0)
            injured |= grade > 0
            graded.append(-(1, 2, 4)[grade] * math.log(p3[grade]))
        if injured:
            any_injury.append(-6 * math.log(1 - healthy))
        elif known:
            any_injury.append(-math.log(healthy))
    parts = [sum(part) / len(part) for part in (binary, graded, any_injury)]
    return {
        "binary": parts[0],
        "graded": parts[1],
        "any_injury": parts[2],
        "loss": parts[0] + parts[1] + any_share * parts[2],
    }


def test_equals_the_paper_by_hand(case):
    losses, expected = InjuryLoss(**PAPER)(*case), by_hand(*case)
    assert {name: value.item() for name, value in losses.items()} == pytest.approx(expected, rel=1e-9)


def test_names_are_in_the_order_of_the_outputs():
    assert OUTPUTS.names[:5] == ("bowel_injury", "extravasation_injury", "liver_healthy", "liver_low", "liver_high")
    assert len(OUTPUTS.names) == 11 and OUTPUTS.names[-1] == "kidney_high"


def test_any_injury_at_logits_of_zero():
    """Two coins and three dice of three: p(all healthy) = (1/2)^2 (1/3)^3 = 1/108."""
    zeros = torch.zeros(2, 11, dtype=torch.float64)
    assert torch.allclose(OUTPUTS.log_healthy(zeros).exp(), torch.tensor(1 / 108, dtype=torch.float64))
    labels = torch.tensor([label(), label(liver=2)])
    loss = InjuryLoss(**PAPER)(zeros, labels)["any_injury"].item()
    assert loss == pytest.approx((math.log(108) - 6 * math.log(107 / 108)) / 2)


def test_one_certain_injury_is_an_injury_whatever_the_others():
    logits = torch.zeros(1, 11, dtype=torch.float64)
    logits[0, 3] = 30.0  # liver, low
    assert OUTPUTS.log_healthy(logits).item() == pytest.approx(-30 - math.log(36) - math.log(1 + 2e-13), abs=1e-6)


def test_any_injury_of_labels():
    rows = [label(), label(kidney=1), label(bowel=None), label(bowel=None, spleen=2), label(liver=None), label(bowel=1)]
    found = OUTPUTS.any_injury(torch.tensor(rows)).tolist()
    assert found[:2] == [0, 1] and math.isnan(found[2]) and found[3] == 1 and math.isnan(found[4]) and found[5] == 1


def test_gradients_in_double_precision(case):
    logits, labels = case
    assert torch.autograd.gradcheck(lambda x: InjuryLoss(**PAPER)(x, labels)["loss"], logits.requires_grad_())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [80.0, -80.0])
def test_finite_at_extreme_logits(dtype, size):
    rows = torch.tensor([label(), label(1, 1, 2, 1, 2)])
    for signs in (
        torch.ones(11),
        torch.tensor([1.0, -1] * 6)[:11],
        torch.tensor([-1.0, -1, 1, 0, 0, 1, 0, 0, 1, 0, 0]),
    ):
        logits = (size * signs).expand(2, 11).to(dtype).clone().requires_grad_()
        losses = InjuryLoss(**PAPER)(logits, rows)
        losses["loss"].backward()
        assert all(value.isfinite() for value in losses.values()) and logits.grad.isfinite().all()


def test_surely_healthy_is_clamped():
    """Nothing injured with certainty, and yet an injury: log(1 - e^S) would be -inf; the clamp makes it log(1e-6)."""
    logits = torch.tensor([[-80.0, -80] + [80.0, 0, 0] * 3])
    loss = InjuryLoss(**PAPER)(logits, torch.tensor([label(bowel=1)]))["any_injury"].item()
    assert loss == pytest.approx(-6 * math.log(-math.expm1(-1e-6)), rel=1e-5)


def test_unknown_labels_have_no_gradient():
    logits = torch.randn(1, 11).requires_grad_()
    loss = InjuryLoss(**PAPER)
    losses = loss(logits, torch.tensor([label(bowel=None, extravasation=0, liver=None)]))
    losses["loss"].backward()
    # whether anything is injured is unknown too
    assert losses["any_injury"] == 0 and torch.all(logits.grad[0, [0, 2, 3, 4]] == 0) and logits.grad[0, 1] != 0
    nothing = loss(logits, torch.full((1, 11), NAN))
    assert nothing["loss"] == 0


def test_binary_weights_are_of_positives_only():
    zeros, loss = torch.zeros(1, 11), InjuryLoss(**PAPER)
    negative, bowel = (loss(zeros, torch.tensor([label(bowel=b)]))["binary"].item() for b in (0, 1))
    assert negative == pytest.approx(math.log(2)) and bowel == pytest.approx((2 + 1) / 2 * math.log(2))


def test_grades_are_pytorchs_weighted_sum_over_their_number():
    logits = torch.randn(5, 11, generator=torch.Generator().manual_seed(1))
    grades = torch.tensor([0, 1, 2, 0, 2])
    rows = torch.tensor([label(liver=g, spleen=g, kidney=g) for g in grades.tolist()])
    loss = InjuryLoss(**PAPER)(logits, rows)["graded"]
    truth, weight = grades.repeat_interleave(3), torch.tensor([1.0, 2, 4])
    summed = torch.nn.functional.cross_entropy(logits[:, 2:].reshape(15, 3), truth, weight, reduction="sum")
    assert torch.allclose(loss, summed / 15)


def test_bad_settings_and_shapes_name_what_to_change():
    with pytest.raises(ValueError, match="graded#liver"):
        InjuryLoss({"bowel": 2}, {"liver": [1, 2]})
    with pytest.raises(ValueError, match="0 or more"):
        InjuryLoss({"bowel": -2}, {"liver": [1, 2, 4]})
    with pytest.raises(ValueError, match="num_logits"):
        InjuryLoss(**PAPER)(torch.zeros(2, 12), torch.zeros(2, 12))
