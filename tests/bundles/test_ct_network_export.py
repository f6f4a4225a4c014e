"""What is exported has no trace of the segmentation head."""

import pytest
import torch

from bundles.ct_diagnosis_classification.scripts.backbones import build_backbone
from bundles.ct_diagnosis_classification.scripts.network import DiagnosisNetwork

PAPER = ("r3d_18", "mvit_v2_s", "swin3d_t")
SMALL = (32, 32, 32)


def small(architecture, **options):
    return DiagnosisNetwork(build_backbone(architecture, SMALL, **options), 4, 3)


def kinds(traced):
    return sorted(node.kind() for node in traced.inlined_graph.nodes())


@pytest.mark.parametrize("architecture", PAPER)
def test_the_traced_network_has_no_trace_of_the_head(architecture):
    network, x = small(architecture).eval(), torch.randn(1, 1, *SMALL)
    alone = DiagnosisNetwork(network.backbone, 4).eval()  # built without a head
    alone.classifier = network.classifier
    bare = network.without_segmentation()
    assert bare.state_dict().keys() == alone.state_dict().keys()
    with torch.no_grad():
        expected = network(x)
        assert torch.equal(bare(x), expected)
        traced, reference = (torch.jit.trace(module, x, check_trace=False) for module in (bare, alone))
        assert kinds(traced) == kinds(reference) and len(kinds(traced)) > 50
        assert torch.allclose(traced(x), expected, atol=1e-5)


def test_the_onnx_graph_has_no_trace_of_the_head(tmp_path):
    import onnx

    network, x = small("r3d_18").eval(), torch.randn(1, 1, *SMALL)
    alone = DiagnosisNetwork(network.backbone, 4).eval()
    counts = []
    for name, module in (("bare", network.without_segmentation()), ("alone", alone)):
        torch.onnx.export(module, (x,), tmp_path / f"{name}.onnx", dynamo=True, verbose=False)
        graph = onnx.load(tmp_path / f"{name}.onnx", load_external_data=False).graph
        counts.append((len(graph.node), len(graph.initializer), [list(map(str, o.name)) for o in graph.output]))
        assert not [i.name for i in graph.initializer if "segmenter" in i.name]
    assert counts[0] == counts[1] and counts[0][0] > 30 and len(counts[0][2]) == 1
