"""What decides or adds up stays in float32 where a recipe runs its networks in bfloat16."""

import pytest
import torch
import torch.nn.functional as F

from bundles.cxr_ace.scripts.heads import DenseHead
from bundles.cxr_adam.scripts.heads import MoCoProjectionHead
from common.losses import (
    CosineRegression,
    EmbeddingMSE,
    InBatchInfoNCE,
    MatchingLoss,
    MemoryBank,
    MultiCropDistillation,
)
from common.networks import ProjectionHead


def mixed():
    return torch.autocast("cpu", torch.bfloat16)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_adam_prunes_the_same_keys_as_in_full_precision():
    torch.manual_seed(0)
    head, contrast = MoCoProjectionHead(32, out_dim=8), MemoryBank(8, 4096, threshold=0.3)
    x = noise(16, 32)
    full = head(x)
    with mixed():
        vectors = head(x)
        _, pruned = contrast(vectors, vectors)
    assert vectors.dtype == torch.float32
    assert torch.equal(vectors @ contrast.bank < 0.3, full @ contrast.bank < 0.3)
    assert pruned == contrast(full, full)[1] and 0.1 < pruned < 0.4


def test_ace_s_dense_tokens_have_unit_length():
    head = DenseHead(16)
    with mixed():
        lengths = head(noise(2, 16, 6, 6)).double().norm(dim=1)
    torch.testing.assert_close(lengths[lengths > 0.5], torch.ones_like(lengths[lengths > 0.5]), rtol=0, atol=1e-6)


def test_codes_are_cosines_in_single_precision():
    torch.manual_seed(0)
    head = ProjectionHead(8, 64, hidden_dim=16, bottleneck_dim=12)
    x = noise(5, 8)
    with mixed():
        codes, features = head(x), head.mlp(x)
    assert codes.dtype == torch.float32 and features.dtype == torch.bfloat16
    expected = F.normalize(features.double(), dim=1) @ F.normalize(head.last_layer.weight.double(), dim=1).T
    torch.testing.assert_close(codes.double(), expected, rtol=0, atol=1e-6)


A, B, C = noise(3, 4, 8), noise(3, 4, 8, seed=1), noise(3, 4, 8, seed=2)
LOSSES = {
    "contrast": lambda: InBatchInfoNCE(0.2)(A[0], B[0], C[0]),
    "cosine": lambda: CosineRegression()(A[0], B[0]),
    "matching": lambda: MatchingLoss()(A, B, torch.eye(4).repeat(3, 1, 1)),
    "matching, softmax": lambda: MatchingLoss(normalisation="softmax")(A, B, torch.eye(4).repeat(3, 1, 1)),
    "self-distillation": lambda: MultiCropDistillation(8)(A, B[:2], {0: 0, 1: 1}),
    "unit error": lambda: EmbeddingMSE()(A, B),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_the_same_number(name):
    with mixed():
        found = LOSSES[name]()
    assert found.dtype == torch.float32 and torch.equal(found, LOSSES[name]())


def test_the_centre_moves_in_single_precision():
    loss = MultiCropDistillation(8)
    with mixed():
        for step in range(20):
            loss.update_centre(noise(6, 8, seed=step))
    expected = sum(0.1 * 0.9 ** (19 - step) * noise(6, 8, seed=step).double().mean(0) for step in range(20))
    torch.testing.assert_close(loss.centre[0].double(), expected, rtol=0, atol=1e-6)
