"""Losses and heads against those of lightly, a well-kept library of self-supervised learning, on the same tensors."""

import os

import pytest
import torch
import torch.nn.functional as F

from bundles.cxr_adam.scripts.heads import MoCoProjectionHead as OurMoCoHead
from bundles.cxr_srhrs.scripts.heads import Projector
from common.losses import CosineRegression, MemoryBank, SelfDistillation
from common.networks import ProjectionHead  # makes torchvision importable, which lightly imports

os.environ["LIGHTLY_DID_VERSION_CHECK"] = "True"  # it would ask its server for a newer version
pytest.importorskip("lightly", reason="lightly, of requirements-dev.txt, is not installed")

from lightly.loss import DINOLoss, NegativeCosineSimilarity, NTXentLoss
from lightly.models.modules.heads import BYOLProjectionHead, DINOProjectionHead, MoCoProjectionHead


def draws(*shape, count):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(*shape, generator=generator) for _ in range(count)]


def test_moco_s_loss_and_bank_over_several_steps():
    """Both fill their banks with the same keys, the newest over the oldest."""
    ours, theirs = MemoryBank(dim=8, size=12, temperature=0.2), NTXentLoss(0.2, memory_bank_size=(12, 8))
    for step, (query, key) in enumerate(zip(draws(4, 8, count=6), draws(4, 8, count=12)[6:], strict=True)):
        query, key = F.normalize(query, dim=1).requires_grad_(), F.normalize(key, dim=1)  # lightly's sign of training
        loss, _ = ours(query, key)
        expected = theirs(query, key)
        if step >= 3:  # before that each has random keys of its own
            torch.testing.assert_close(loss, expected)
        ours.enqueue(key)


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_dino_s_loss_and_centre_over_several_steps(momentum):
    ours = SelfDistillation(out_dim=8, centre_momentum=momentum)
    theirs = DINOLoss(8, warmup_teacher_temp_epochs=1, center_momentum=momentum)
    for student_a, student_b, teacher_a, teacher_b in zip(*[iter(draws(4, 8, count=16))] * 4, strict=True):
        loss = ours(student_a, student_b, teacher_a, teacher_b)
        ours.update_centre(torch.cat([teacher_a, teacher_b]))
        expected = theirs([teacher_a, teacher_b], [student_a, student_b], epoch=1)
        torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(ours.centre.flatten(), theirs.center.flatten())


def test_byol_s_loss():
    """Ours is Grill et al.'s mean squared error of unit vectors, 2 - 2 cos; lightly's is -cos."""
    prediction, target = draws(4, 8, count=2)
    torch.testing.assert_close(
        CosineRegression()(prediction, target), 2 + 2 * NegativeCosineSimilarity()(prediction, target)
    )


def copied(ours, theirs, features):
    """What both heads give once the second has the first's weights, tensor by tensor in order."""
    weights, places = list(ours.state_dict().values()), theirs.state_dict()
    wanted = [name for name in places if not name.endswith(("original0", "weight_g"))]
    assert len(weights) == len(wanted), (list(ours.state_dict()), list(places))
    theirs.load_state_dict({**places, **dict(zip(wanted, weights, strict=True))})
    return ours.eval()(features), theirs.eval()(features)


def test_the_heads_of_moco_and_dino():
    (features,) = draws(4, 8, count=1)
    unit, plain = copied(OurMoCoHead(8, 16, 6), MoCoProjectionHead(8, 16, 6), features)
    torch.testing.assert_close(unit, F.normalize(plain, dim=1))
    ours, theirs = copied(ProjectionHead(8, 12, 16, 6), DINOProjectionHead(8, 16, 6, 12), features)
    torch.testing.assert_close(ours, theirs)


def test_the_projector_of_byol():
    """Of the same two layers; SRHRS's and ours has a second norm without scale and shift behind them (methods C14)."""
    ours, theirs = Projector(8, 16, 6), BYOLProjectionHead(8, 16, 6)
    theirs.layers[0].weight.data = ours.mlp[0].weight.data
    theirs.layers[3].weight.data = ours.mlp[3].weight.data
    ours.mlp[0].bias.data.zero_()
    ours.mlp[3].bias.data.zero_()
    if theirs.layers[3].bias is not None:
        theirs.layers[3].bias.data.zero_()
    (maps,) = draws(4, 8, 2, 2, count=1)
    expected = F.batch_norm(theirs.train()(maps.mean((2, 3))), None, None, training=True)
    torch.testing.assert_close(ours.train()(maps), expected)
