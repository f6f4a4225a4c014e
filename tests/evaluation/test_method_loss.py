"""MethodLoss: means by hand, evaluation mode, and nothing left changed."""

import pytest
import torch
from monai.engines import SupervisedEvaluator
from torch import nn
from torch.utils.data import DataLoader

from common.evaluation import MethodLoss


class Method(nn.Module):
    """Loss of a batch: the mean of its values, doubled in training."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(1, affine=False)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, batch):
        if self.training:
            self.calls += 1
        value = self.norm(batch["image"]).mean() * (2 if self.training else 1)
        return {"loss": value, "part": value / 2}


def loader(values, batch=2):
    return DataLoader([{"image": torch.tensor([value])} for value in values], batch_size=batch)


def test_means_are_over_images_not_over_batches():
    losses = MethodLoss(Method(), loader([1.0, 2.0, 6.0])).compute()
    assert losses["loss"] == pytest.approx(3.0, rel=1e-4) and losses["part"] == pytest.approx(1.5, rel=1e-4)


def test_no_buffer_moves_and_the_mode_comes_back():
    method = Method().train()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    MethodLoss(method, loader([5.0, 7.0])).compute()
    assert method.training and all(torch.equal(value, before[name]) for name, value in method.state_dict().items())


def test_an_evaluator_gets_the_loss_and_its_parts():
    metric = MethodLoss(Method(), loader([4.0]))
    evaluator = SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader([{"image": torch.zeros(1), "label": torch.zeros(1)}]),
        network=nn.Identity(),
        key_val_metric={"validation_loss": metric},
        decollate=False,
    )
    evaluator.run()
    assert evaluator.state.metrics["validation_loss"] == pytest.approx(4, rel=1e-4)
    assert evaluator.state.metrics["validation_loss_part"] == pytest.approx(2, rel=1e-4)


def test_no_batch_says_what_to_change():
    with pytest.raises(ValueError, match="val_fraction"):
        MethodLoss(Method(), []).compute()
