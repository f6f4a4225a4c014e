"""Trace, torch.export and ONNX give what the network gives."""

import pytest
import torch

from common.networks import Classifier, SegmentationNetwork

WIDTH = {"upernet": 16, "upernet_released": None, "unet": 32, "swin_unetr": 8}


def build(small, family, kind):
    encoder = small(family)
    if kind == "classifier":
        return Classifier(encoder, 3).eval()
    return SegmentationNetwork(encoder, kind, 2, decoder_channels=WIDTH[kind]).eval()


def slow_unless(quick, families, kinds):
    for family in families:
        for kind in kinds:
            yield pytest.param(family, kind, marks=() if (family, kind) in quick else pytest.mark.slow)


PAIRS = (("swin", "vit", "resnet"), ("classifier", "upernet", "unet", "swin_unetr"))
RELEASED = "swin", "upernet_released"
QUICK = {("resnet", "unet"), ("vit", "classifier")}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("family", "kind"), [*slow_unless(QUICK, *PAIRS), pytest.param(*RELEASED, marks=pytest.mark.slow)]
)
def test_trace_and_export(small, family, kind):
    network = build(small, family, kind)
    side = network.encoder.description.image_size
    example, x = torch.rand(1, 1, side, side), torch.rand(3, 1, side, side)
    with torch.no_grad():
        expected = network(x)
        traced = torch.jit.trace(network, example)
        torch.testing.assert_close(traced(x), expected, atol=1e-5, rtol=1e-4)
        exported = torch.export.export(network, (x,))
        torch.testing.assert_close(exported.module()(x), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("family", "kind"),
    [
        *slow_unless({("resnet", "unet")}, *PAIRS),
        pytest.param(*RELEASED, marks=pytest.mark.slow),
    ],
)
def test_onnx(small, family, kind, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    network = build(small, family, kind)
    side = network.encoder.description.image_size
    x = torch.rand(2, 1, side, side)
    path = str(tmp_path / "network.onnx")
    with torch.no_grad():
        torch.onnx.export(network, (x,), path, dynamo=True, input_names=["image"], verbose=False)
        expected = network(x)
    (got,) = onnxruntime.InferenceSession(path).run(None, {"image": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(got), expected, atol=1e-4, rtol=1e-3)
