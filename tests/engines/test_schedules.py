import math

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from torch import nn

from common.engines import ApplySchedules, Cosine, FreezeLastLayer, RunEvents, UpdateTeacher, parameter_groups


def engine_of(handlers):
    engine = Engine(lambda engine, batch: None)
    engine.register_events(*RunEvents, *IterationEvents)
    for handler in handlers:
        handler.attach(engine)
    return engine


@pytest.mark.parametrize("warmup", [0, 2, 2.5])
def test_cosine_is_the_closed_form(warmup):
    schedule, length, epochs = Cosine(0.5, 0.1, warmup_epochs=warmup, warmup_from=0.05), 4, 6
    start = int(warmup * length)
    i = np.arange(epochs * length - start)
    expected = np.concatenate([np.linspace(0.05, 0.5, start), 0.1 + (0.5 - 0.1) * (1 + np.cos(np.pi * i / len(i))) / 2])
    assert np.allclose([schedule.value(k, length, epochs) for k in range(epochs * length)], expected, rtol=1e-12)


def test_momentum_of_the_paper():
    values = [Cosine(0.996, 1.0).value(i, 10, 10) for i in range(100)]
    assert values[0] == 0.996 and values[50] == pytest.approx(0.998) and values[-1] < 1.0
    assert values == sorted(values)


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_warmup_takes_at_most_half_of_the_run(epochs):
    asked, half = Cosine(1.0, 0.0, warmup_epochs=10), Cosine(1.0, 0.0, warmup_epochs=epochs / 2)
    values = [asked.value(i, 4, epochs) for i in range(4 * epochs)]
    assert values == [half.value(i, 4, epochs) for i in range(4 * epochs)]
    assert values.index(max(values)) == 2 * epochs - 1  # the last iteration of the warm-up


def test_groups_keep_biases_and_the_untrained_apart():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 2))
    network[2].requires_grad_(False)
    decaying, others = parameter_groups(network)
    assert [p is network[0].weight for p in decaying["params"]] == [True] and decaying["decay"]
    assert len(others["params"]) == 3 and not others["decay"] and others["weight_decay"] == 0


def test_schedules_depend_on_the_iteration_alone():
    network = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(parameter_groups(network), lr=9.0, weight_decay=9.0)
    heard = []
    handler = ApplySchedules(
        optimizer, Cosine(1.0, 0.0), Cosine(0.04, 0.4), {"temperature": (Cosine(2.0, 1.0), heard.append)}
    )
    engine = engine_of([handler])
    seen = []
    engine.add_event_handler(
        Events.ITERATION_COMPLETED, lambda: seen.append([(g["lr"], g["weight_decay"]) for g in optimizer.param_groups])
    )
    engine.run(range(4), max_epochs=2)
    for i, (decaying, others) in enumerate(seen):
        half = (1 + math.cos(math.pi * i / 8)) / 2
        assert decaying == pytest.approx((half, 0.4 - 0.36 * half)) and others == (pytest.approx(half), 0.0)
    assert heard[0] == 2.0 and len(heard) == 8
    assert set(engine.state.schedules) == {"learning_rate", "weight_decay", "temperature"}


def test_weight_decay_that_reaches_nothing_is_refused():
    optimizer = torch.optim.AdamW(nn.Linear(2, 2).parameters())
    with pytest.raises(ValueError, match="no parameter group of the optimiser has `decay: True`"):
        ApplySchedules(optimizer, weight_decay=Cosine(0.04, 0.4))


def test_teacher_follows_steps_with_the_momentum_of_the_iteration():
    class Method:
        momenta: list = []  # noqa: RUF012

        def update_teacher(self, momentum):
            self.momenta.append(momentum)

    engine = engine_of([UpdateTeacher(Method(), Cosine(0.5, 1.0))])
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: engine.fire_event(RunEvents.STEPPED))
    engine.run(range(2), max_epochs=2)
    assert Method.momenta == pytest.approx([0.5 + 0.25 * (1 - math.cos(math.pi * i / 4)) for i in range(4)])


def test_frozen_layer_keeps_its_values_against_decay_too():
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=0.5)
    engine = engine_of([FreezeLastLayer(layer.parameters(), epochs=1)])
    kept = []

    def step():
        optimizer.zero_grad()
        layer(torch.ones(1, 2)).sum().backward()
        engine.fire_event(IterationEvents.BACKWARD_COMPLETED)
        optimizer.step()
        kept.append(layer.weight.clone())

    before = layer.weight.clone()
    engine.add_event_handler(Events.ITERATION_COMPLETED, step)
    engine.run(range(2), max_epochs=2)
    assert torch.equal(kept[0], before) and torch.equal(kept[1], before) and not torch.equal(kept[2], before)
