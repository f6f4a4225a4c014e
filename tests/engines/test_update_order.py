"""One optimiser step by hand beside the trainer's: schedules, clipping, decay, step, teacher, in this order."""

import math

import pytest
import torch
from torch import nn

from common.engines import (
    ApplySchedules,
    ClipGradients,
    Cosine,
    FreezeLastLayer,
    Trainer,
    UpdateTeacher,
    method_losses,
    parameter_groups,
    whole_batch,
)
from common.teachers import MomentumTeacher

EPOCHS, BATCHES = 3, 4


class Method(nn.Module):
    """Two linear layers whose teacher follows them; the loss leaves gradients of very different size."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.student = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 2))
        self.teacher = MomentumTeacher(self.student)

    def forward(self, batch):
        return {"loss": 50 * self.student(batch["x"]).square().mean()}

    def update_teacher(self, momentum):
        self.teacher.update(self.student, momentum)


def cosine(base, final, iteration, total):
    return final + (base - final) * (1 + math.cos(math.pi * iteration / total)) / 2


def clipped(gradient, largest):
    return gradient * min(1.0, largest / (gradient.norm().item() + 1e-6))


def by_hand(method, inputs):
    """SGD with weight decay, w <- w - lr (clip(g) + wd w), written out for every parameter."""
    names = [name for name, _ in method.student.named_parameters()]
    weights = {name: p.detach().clone() for name, p in method.student.named_parameters()}
    teacher = {name: value.clone() for name, value in weights.items()}
    total = EPOCHS * BATCHES
    for iteration in range(total):
        x = inputs[iteration % BATCHES]["x"]
        leaves = {name: weights[name].clone().requires_grad_() for name in names}
        hidden = x @ leaves["0.weight"].T + leaves["0.bias"]
        out = hidden @ leaves["1.weight"].T + leaves["1.bias"]
        gradients = torch.autograd.grad(50 * out.square().mean(), list(leaves.values()))
        warmup = BATCHES  # one epoch
        after = total - warmup
        lr = 0.05 * iteration / (warmup - 1) if iteration < warmup else cosine(0.05, 0.01, iteration - warmup, after)
        for name, gradient in zip(names, gradients, strict=True):
            if name.startswith("1.") and iteration < BATCHES:  # frozen in the first epoch
                continue
            decay = cosine(0.04, 0.4, iteration, total) if "weight" in name else 0.0
            weights[name] = weights[name] - lr * (clipped(gradient, 0.8) + decay * weights[name])
        momentum = cosine(0.9, 1.0, iteration, total)
        teacher = {name: momentum * teacher[name] + (1 - momentum) * weights[name] for name in names}
    return weights, teacher


def test_twelve_steps_equal_those_written_out_by_hand():
    method = Method()
    generator = torch.Generator().manual_seed(1)
    inputs = [{"x": torch.randn(6, 3, generator=generator)} for _ in range(BATCHES)]
    weights, teacher = by_hand(method, inputs)
    optimizer = torch.optim.SGD(parameter_groups(method), lr=1.0)
    schedules = ApplySchedules(
        optimizer, lr=Cosine(0.05, 0.01, warmup_epochs=1, warmup_from=0.0), weight_decay=Cosine(0.04, 0.4)
    )
    trainer = Trainer(
        device="cpu",
        max_epochs=EPOCHS,
        train_data_loader=inputs,
        network=method,
        optimizer=optimizer,
        loss_function=method_losses,
        prepare_batch=whole_batch,
        clip=ClipGradients(0.8, mode="per_tensor"),
        train_handlers=[
            schedules,
            UpdateTeacher(method, Cosine(0.9, 1.0)),
            FreezeLastLayer(method.student[1].parameters(), epochs=1),
        ],
    )
    trainer.run()
    for name, parameter in method.student.named_parameters():
        torch.testing.assert_close(parameter.detach(), weights[name], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(method.teacher.network.get_parameter(name), teacher[name], atol=1e-5, rtol=1e-4)


def test_global_clipping_keeps_the_direction_of_all_gradients_together():
    parameters = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(3))]
    gradients = [torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0, 0.0])]
    for mode, factors in (("global", (0.2, 0.2)), ("per_tensor", (1 / 3, 1 / 4))):
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient.clone()
        ClipGradients(1.0, mode=mode)(parameters)
        for parameter, gradient, factor in zip(parameters, gradients, factors, strict=True):
            torch.testing.assert_close(parameter.grad, factor * gradient, rtol=1e-5, atol=0)


def test_cosine_reaches_its_base_at_the_end_of_the_warmup_and_starts_there():
    schedule = Cosine(0.5, 0.1, warmup_epochs=1)
    found = [schedule.value(iteration, iterations_per_epoch=5, epochs=3) for iteration in range(15)]
    assert found[:5] == pytest.approx([0, 0.125, 0.25, 0.375, 0.5])
    assert found[5:] == pytest.approx([cosine(0.5, 0.1, iteration, 10) for iteration in range(10)])
