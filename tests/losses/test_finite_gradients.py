"""Every loss at the edges of its inputs: it is finite and so is its gradient, also where denormals are flushed."""

import math

import pytest
import torch

from bundles.cxr_ace.scripts.targets import overlap_mean
from common import losses
from common.losses import (
    CosineRegression,
    DetectionLoss,
    DiceBCE,
    EmbeddingMSE,
    HeatMapCrossEntropy,
    HeatMapMSE,
    InBatchInfoNCE,
    InjuryLoss,
    LabelLoss,
    LabelMapLoss,
    LocationScale,
    MatchingLoss,
    MemoryBank,
    MultiCropDistillation,
    MultitaskLoss,
    SelfDistillation,
)

UNKNOWN = math.nan


def edges(*shape):
    """Nothing, next to nothing, one and the same vector, and so much that exponentials overflow."""
    noise = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    flat = torch.ones(shape)
    hot = torch.zeros(shape)
    hot[..., 0] = 1
    return [0 * noise, 1e-41 * noise, 1e-30 * noise, flat, 1e4 * noise, 1e12 * noise, hot, -hot, -1e6 * flat]


def distilled(x):
    return MultiCropDistillation(4)(x.view(2, 3, 4), x.detach().view(2, 3, 4), {0: 0, 1: 1})


def matched(normalisation, filled):
    def call(x):
        targets = torch.zeros(2, 3, 3)
        targets[:filled, 0, 0] = 1
        return MatchingLoss(normalisation=normalisation)(x.detach()[..., :3].view(2, 3, 3), x[..., :3], targets)

    return call


def pruned(threshold, temperature=0.2):
    def call(x):
        query = torch.nn.functional.normalize(x.view(6, 4), dim=1)
        contrast = MemoryBank(4, 32, temperature, threshold)
        contrast.bank.copy_(torch.eye(4).repeat(1, 8))
        return contrast(query, query.detach())[0]

    return call


def injuries(x):
    labels = torch.tensor([[1, 0, 0, 1.0], [0, 1, 0, 0], [UNKNOWN, 0, UNKNOWN, 0]])
    return InjuryLoss({"bowel": 2.0}, {"liver": [1.0, 2.0, 4.0]})(x.view(6, 4)[:3], labels)["loss"]


def no_label(x):
    return LabelLoss()(x.view(6, 4), torch.full((6, 4), UNKNOWN))


def label_of(value):
    def call(x):
        labels = torch.full((6, 4), UNKNOWN)
        labels[0] = 0
        labels[0, 0] = value
        labels[1] = value
        return LabelLoss(exclusive=True)(x.view(6, 4), labels) + LabelLoss()(x.view(6, 4), labels)

    return call


def map_loss(label):
    def call(x):
        masks = torch.full((2, 1, 1, 1, 3), label, dtype=torch.uint8)
        both = LabelMapLoss(1.0, 1.0)
        segmentation = lambda logits, masks: both(logits, masks)["loss"]  # noqa: E731
        labels = torch.zeros(2, 3)
        outputs = {"logits": x[:, :, 0], "segmentation": x.transpose(1, 2)[:, :, None, None]}
        return MultitaskLoss(LabelLoss(), segmentation)(outputs, {"label": labels, "mask": masks})["loss"]

    return call


def detected(boxes):
    """Logits at the edges, on four anchors; what the network decodes are boxes of some size."""

    def call(x):
        anchors_A4 = torch.tensor([[0.0, 0, 8, 8], [0, 8, 8, 16], [8, 0, 16, 8], [8, 8, 16, 16]])
        label_BN5 = torch.tensor([[[1.0, 1, 7, 8, 0 if boxes else -1]]])
        logits_BKA = x.view(1, 6, 4)
        pred_BCA = torch.cat([anchors_A4.T[None], logits_BKA], dim=1)
        return DetectionLoss(anchors_A4, [4], candidates=2)(pred_BCA, label_BN5)["loss"]

    return call


def heat(loss, row):
    return lambda x: loss(1.0, 3)(x[None], torch.tensor([[[row, 0.5], [0.2, 0.9]]]))["loss"]


CALLS = {
    "DetectionLoss": detected(True),
    "DetectionLoss of no box": detected(False),
    "HeatMapMSE": heat(HeatMapMSE, 0.5),
    "HeatMapMSE of an absent landmark": heat(HeatMapMSE, UNKNOWN),
    "HeatMapCrossEntropy": heat(HeatMapCrossEntropy, 0.5),
    "HeatMapCrossEntropy of an absent landmark": heat(HeatMapCrossEntropy, UNKNOWN),
    "InBatchInfoNCE": lambda x: InBatchInfoNCE(0.2)(x.view(6, 4), x.view(6, 4), x.view(6, 4)),
    "InBatchInfoNCE of parts": lambda x: InBatchInfoNCE(1.0)(x, x.flip(1), x),
    "InBatchInfoNCE of one": lambda x: InBatchInfoNCE(0.2)(x[0, :1], x[0, :1], x[0, :1]),
    "CosineRegression": lambda x: CosineRegression()(x.view(6, 4), x.view(6, 4).flip(0)),
    "DiceBCE": lambda x: DiceBCE()(x[None], torch.zeros(1, 2, 3, 4, dtype=torch.uint8))["loss"],
    "DiceBCE of nothing": lambda x: DiceBCE()(x[None], torch.full((1, 2, 3, 4), 255, dtype=torch.uint8))["loss"],
    "EmbeddingMSE of weight 0": lambda x: EmbeddingMSE(False)(x.view(6, 4), 0 * x.view(6, 4), torch.zeros(6)),
    "InjuryLoss": injuries,
    "LabelLoss of nothing": no_label,
    "LabelLoss": label_of(1.0),
    "LabelLoss of inf": label_of(math.inf),
    "LabelMapLoss, MultitaskLoss": map_loss(1),
    "LabelMapLoss of nothing": map_loss(255),
    "LocationScale": lambda x: LocationScale()(x.view(6, 4)[:, :3], torch.rand(6, 3)),
    "LocationScale in bins": lambda x: LocationScale("bins", (2, 2, 4))(x.view(3, 8), torch.zeros(3, 3)),
    "MatchingLoss": matched("sigmoid", 0),
    "MatchingLoss, softmax": matched("softmax", 1),
    "MatchingLoss, softmax without a match": matched("softmax", 0),
    "MemoryBank": pruned(None),
    "MemoryBank, all pruned": pruned(-1.0),
    "MemoryBank, all pruned, cold": pruned(-1.0, 0.02),
    "MemoryBank, some pruned": pruned(0.5, 0.02),
    "MultiCropDistillation": distilled,
    "SelfDistillation": lambda x: SelfDistillation(4)(*x.view(6, 1, 4)[:4]),
    "EmbeddingMSE": lambda x: EmbeddingMSE()(x, x.flip(1)),
    "EmbeddingMSE, joint": lambda x: EmbeddingMSE(joint=True)(x, x.flip(1)),
    "mean over the overlap, none": lambda x: overlap_mean(x.view(2, 3, 2, 2), torch.zeros(2, 2, 2)).sum(),
}


@pytest.fixture(params=[False, True], ids=["denormals", "flushed"])
def flushed(request):
    if not torch.set_flush_denormal(request.param):
        pytest.skip("this processor cannot flush denormals")
    yield
    torch.set_flush_denormal(False)


@pytest.mark.parametrize("name", CALLS)
def test_loss_and_gradient_are_finite_at_the_edges(name, flushed):
    for number, x in enumerate(edges(2, 3, 4)):
        x.requires_grad_()
        loss = CALLS[name](x)
        (gradient,) = torch.autograd.grad(loss, x)
        assert loss.isfinite(), (number, loss)
        assert gradient.isfinite().all(), (number, gradient)


def test_no_loss_is_forgotten():
    tried = " ".join(CALLS)
    assert {name for name in losses.__all__ if name not in tried} == {"InjuryOutputs"}  # no loss, but its columns


@pytest.mark.parametrize(
    "name", ["MatchingLoss, softmax without a match", "LabelLoss of nothing", "DiceBCE of nothing"]
)
def test_without_anything_to_compare_loss_and_gradient_are_zero(name):
    x = torch.randn(2, 3, 4, requires_grad=True)
    loss = CALLS[name](x)
    (gradient,) = torch.autograd.grad(loss, x)
    assert loss.item() == 0 and not gradient.any()
