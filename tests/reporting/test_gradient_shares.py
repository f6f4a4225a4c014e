"""Shares of losses in the gradient, by hand, and that looking changes nothing."""

import pytest
import torch
from ignite.engine import Events
from torch import nn
from torch.utils.data import DataLoader
from toy_bundle.scripts.children import exit_code, in_child
from toy_bundle.scripts.toy import Noise

from common.engines import Trainer, distributed
from common.reporting import LogGradientShares
from common.reporting.gradient_shares import gradient_shares
from common.sampling import SeededSampler


class TwoHeads(nn.Module):
    """An encoder with dropout and batch norm, two heads, and a total of their losses in which one weighs a tenth."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Dropout(0.3))
        self.near, self.far = nn.Linear(5, 1), nn.Linear(5, 3)

    def forward(self, batch):
        features = self.encoder(batch["image"])
        parts = {"near": self.near(features).square().mean(), "far": self.far(features).square().mean()}
        return {"loss": parts["near"] + 0.1 * parts["far"], **parts, "told_apart": features.detach().mean()}


class Tracked:
    """Stands in for the tracking, and looks whether the graphs of the losses are gone after each iteration."""

    def __init__(self):
        self.points, self.left = {}, []

    def attach(self, engine):
        self.engine = engine
        engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: self.left.extend(engine.state.terms))

    def log_metrics(self, metrics):
        self.points[self.engine.state.iteration] = metrics


def train(handlers=(), accumulation_steps=1):
    torch.manual_seed(0)
    network = TwoHeads()
    loader = DataLoader(Noise(24, 0), batch_size=4, sampler=SeededSampler(24, 0, 4, shuffle=False))
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.05)
    options = {"train_handlers": list(handlers), "accumulation_steps": accumulation_steps, "seed": 0}
    Trainer("cpu", 2, loader, network, optimizer, **options).run()
    return network.state_dict()


@pytest.mark.parametrize("accumulation_steps", [1, 2])
def test_looking_changes_no_bit_and_comes_at_the_first_and_every_fifth(accumulation_steps):
    tracked = Tracked()
    plain = train(accumulation_steps=accumulation_steps)
    followed = train([tracked, LogGradientShares(tracked, every=5)], accumulation_steps)
    assert all(torch.equal(value, followed[name]) for name, value in plain.items())
    assert list(tracked.points) == [1, 6, 11] and not tracked.left
    for point in tracked.points.values():
        assert set(point) == {"gradient_share/near", "gradient_share/far"}
        assert sum(point.values()) == pytest.approx(1)


def test_looking_changes_no_bit_of_two_processes(tmp_path):
    """The gradients of one process are taken apart without those of the other, and are averaged afterwards as ever."""

    def act():
        distributed.setup()
        tracked, plain = Tracked(), train()
        followed = train([tracked, LogGradientShares(tracked, every=5)])
        assert torch.distributed.is_initialized() and list(tracked.points) == [1, 6]
        assert all(torch.equal(value, followed[name]) for name, value in plain.items())
        (tmp_path / str(distributed.rank())).touch()

    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29519"}
    children = [in_child(act, RANK=str(rank), LOCAL_RANK=str(rank), **shared) for rank in range(2)]
    assert [exit_code(child) for child in children] == [0, 0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]


def test_only_what_several_losses_move_counts_and_with_its_weight():
    shared, own = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    near, far = (3 * shared).sum() + (100 * own).sum(), (4 * shared).sum()
    weighted = {"loss": near + 0.5 * far, "near": near, "far": far}
    assert gradient_shares(weighted, [shared, own]) == pytest.approx({"near": 3 / 5, "far": 2 / 5})


def test_a_loss_inside_another_one_is_not_counted_twice():
    weight = torch.ones(1, requires_grad=True)
    dice, entropy, diagnosis = weight.sum(), 2 * weight.sum(), 6 * weight.sum()
    segmentation = dice + entropy
    losses = {"loss": diagnosis + segmentation, "diagnosis": diagnosis, "segmentation": segmentation}
    losses |= {"dice_loss": dice, "entropy": entropy}
    assert gradient_shares(losses, [weight]) == pytest.approx({"diagnosis": 2 / 3, "segmentation": 1 / 3})


def test_a_loss_of_two_names_counts_once_and_a_mean_that_is_only_watched_does_not():
    weight = torch.ones(1, requires_grad=True)
    first, second = weight.sum(), 3 * weight.sum()
    losses = {"loss": first + second, "first": first, "again": first, "second": second, "mean": (first + second) / 2}
    assert gradient_shares(losses, [weight]) == pytest.approx({"first": 1 / 4, "second": 3 / 4})


def test_what_is_in_no_total_or_has_no_gradient_or_is_alone_says_nothing():
    weight = torch.ones(1, requires_grad=True)
    first, second = weight.sum(), 3 * weight.sum()
    alone = {"loss": first + 0, "first": first, "aside": second, "share": torch.tensor(0.5)}
    assert gradient_shares(alone, [weight]) == {}
    assert gradient_shares({"loss": first, "share": torch.tensor(0.5)}, [weight]) == {}
    assert gradient_shares({"loss": 0 * (first + second), "first": first, "second": second}, [weight]) == {}


def test_an_interval_below_one_is_refused_and_none_attaches_nothing():
    with pytest.raises(ValueError, match="every is 0"):
        LogGradientShares(Tracked(), every=0)
    tracked = Tracked()
    train([tracked, LogGradientShares(tracked)])
    assert not tracked.points
