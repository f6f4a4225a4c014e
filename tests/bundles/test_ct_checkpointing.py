"""Activation checkpointing keeps less and changes nothing."""

import pytest
import torch

from bundles.ct_diagnosis_classification.scripts.backbones import build_backbone
from bundles.ct_diagnosis_classification.scripts.network import DiagnosisNetwork, WithSegmentation

PAPER = ("r3d_18", "mvit_v2_s", "swin3d_t")
SMALL = (32, 32, 32)


def small(architecture, **options):
    return WithSegmentation(DiagnosisNetwork(build_backbone(architecture, SMALL, **options), 4), 3)


def gradients(network, x):
    network.zero_grad()
    torch.manual_seed(2)  # of stochastic depth
    outputs = network(x)
    (outputs["logits"].pow(2).mean() + outputs["segmentation"].pow(2).mean()).backward()
    return [parameter.grad.clone() for parameter in network.parameters()]


@pytest.mark.parametrize(
    "architecture",
    [
        "swin3d_t",
        "resnet10",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("r3d_18", "mvit_v2_s", "swin_unetr")),
    ],
)
def test_checkpointing_changes_nothing(architecture):
    plain, spared = small(architecture), small(architecture, checkpointing=True)
    spared.load_state_dict(plain.state_dict())
    x = torch.randn(2, 1, *SMALL)
    for one, other in zip(gradients(plain, x), gradients(spared, x), strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-7)
    # running statistics too: the second pass over the same batch is not noted
    for key, value in plain.state_dict().items():
        assert torch.equal(value, spared.state_dict()[key]), key


def test_checkpointing_keeps_less():
    kept = {}
    for checkpointing in (False, True):
        network, sizes = small("r3d_18", checkpointing=checkpointing), []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, s=sizes: s.append(t.numel()) or t, lambda t: t):
            network(torch.randn(2, 1, *SMALL))
        kept[checkpointing] = sum(sizes)
    assert kept[True] < kept[False] / 3
