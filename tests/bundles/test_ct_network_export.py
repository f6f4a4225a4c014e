"""What is exported has no trace of the segmentation head."""

import pytest
import torch

from bundles.ct_diagnosis_classification.scripts.backbones import build_backbone
from bundles.ct_diagnosis_classification.scripts.network import DiagnosisNetwork, WithSegmentation

PAPER = ("r3d_18", "mvit_v2_s", "swin3d_t")
SMALL = (32, 32, 32)


def small(architecture):
    return DiagnosisNetwork(build_backbone(architecture, SMALL), 4)


def kinds(traced):
    return sorted(node.kind() for node in traced.inlined_graph.nodes())


@pytest.mark.parametrize(
    "architecture", ["r3d_18", *(pytest.param(name, marks=pytest.mark.slow) for name in PAPER[1:])]
)
def test_the_traced_network_has_no_trace_of_the_head(architecture):
    """What training with the second task keeps, and evaluates, is the graph of a network that never had it."""
    trained, x = WithSegmentation(small(architecture), 3).eval(), torch.randn(1, 1, *SMALL)
    alone = small(architecture).eval()
    alone.load_state_dict(trained.network.state_dict())
    with torch.no_grad():
        expected = alone(x)
        assert torch.equal(trained(x), expected)
        kept, reference = (torch.jit.trace(module, x, check_trace=False) for module in (trained.network, alone))
        assert kinds(kept) == kinds(reference) and len(kinds(kept)) > 50
        assert torch.allclose(kept(x), expected, atol=1e-5)


@pytest.mark.slow
def test_the_onnx_graph_has_no_trace_of_the_head(tmp_path):
    import onnx

    x, counts = torch.randn(1, 1, *SMALL), []
    for name, module in (("trained", WithSegmentation(small("r3d_18"), 3).network), ("alone", small("r3d_18"))):
        torch.onnx.export(module.eval(), (x,), tmp_path / f"{name}.onnx", dynamo=True, verbose=False)
        graph = onnx.load(tmp_path / f"{name}.onnx", load_external_data=False).graph
        counts.append((len(graph.node), len(graph.initializer), [list(map(str, o.name)) for o in graph.output]))
        assert not [i.name for i in graph.initializer if "segmenter" in i.name]
    assert counts[0] == counts[1] and counts[0][0] > 30 and len(counts[0][2]) == 1
