import io
import logging
import sys
from pathlib import Path

import pytest
import torch
import yaml
from monai.engines import SupervisedEvaluator
from monai.inferers import SimpleInferer
from torch.utils.data import DataLoader

from common.evaluation import TellProgress
from common.files import bar

ROOT = Path(__file__).parents[2]


class Thrice(SimpleInferer):
    def __call__(self, inputs, network, *arguments, **named):
        return sum(network(inputs) for _ in range(3))


@pytest.fixture
def evaluate(monkeypatch, caplog):
    """Evaluate five images in batches of two with a line for every step; the log, and the lines."""

    def run(**options) -> tuple[list[str], list[str]]:
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        monkeypatch.setattr(bar, "EVERY", 0.0)
        caplog.set_level(logging.INFO, logger="common")
        caplog.clear()
        loader = DataLoader([{"image": torch.ones(2), "label": torch.zeros(1)}] * 5, batch_size=2)
        inferer = Thrice() if options.get("passes") else SimpleInferer()
        network = torch.nn.Linear(2, 1)
        told = TellProgress("test", **options)
        engine = SupervisedEvaluator("cpu", loader, network, inferer=inferer, val_handlers=[told])
        for _ in range(2):  # as often as it is asked
            sys.stderr.truncate(0)
            engine.run()
        assert not network._forward_hooks
        shown = [line.strip("\x00 \n") for line in sys.stderr.getvalue().splitlines()]
        shown = [line for line in shown if line.startswith("test: ")]  # other tests' log handlers may write there too
        return [record.getMessage() for record in caplog.records if record.name.startswith("common")], shown

    return run


def test_batches_are_counted(evaluate):
    said, lines = evaluate()
    assert said == [] and lines[-1].split()[2] == "3/3"


def test_passes_are_said_before_and_counted(evaluate):
    said, lines = evaluate(passes=3, faster="--once True")
    told = "test: 5 images, each 3 times through the network, 15 passes in all. Once each is faster: --once True"
    assert said == [told, told]
    assert "9/9" in lines[-1] and any("4/9" in line for line in lines)  # within a batch


def test_an_evaluation_that_fails_leaves_no_hook_behind():
    network = torch.nn.Linear(2, 1)
    loader = DataLoader([{"image": torch.ones(3), "label": torch.zeros(1)}])  # three numbers do not fit
    engine = SupervisedEvaluator("cpu", loader, network, val_handlers=[TellProgress(passes=2)])
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        engine.run()
    assert not network._forward_hooks


@pytest.mark.parametrize(
    "path", [*sorted(ROOT.glob("bundles/*/configs/inference.yaml")), ROOT / "common/recipes/encoder_inference.yaml"]
)
def test_every_inference_tells_its_progress_before_handlers_that_print(path):
    config = yaml.safe_load(path.read_text())
    if config.get("handlers"):
        assert config["handlers"][0]["_target_"] == "common.evaluation.TellProgress"
    else:
        assert config["base"] == "encoder_inference"


@pytest.mark.parametrize("path", sorted(ROOT.glob("bundles/*/configs/evaluate.yaml")), ids=lambda p: p.parts[-3])
def test_every_evaluation_tells_its_progress(path):
    config = yaml.safe_load(path.read_text())
    handlers = [config["validate#handlers"]]
    handlers += [config["choose_evaluator"]["val_handlers"]] if "choose_evaluator" in config else []
    for listed in handlers:
        assert any(isinstance(item, dict) and item["_target_"].endswith("TellProgress") for item in listed)
