import json

import pytest
import torch
from canvas import faults
from torch import nn
from torch.utils.data import DataLoader
from toy_bundle.scripts.toy import Noise

from common.engines import ClipGradients, Trainer
from common.reporting import LogDynamics, dynamics_figure
from common.sampling import SeededSampler


class Tracked:
    """Stands in for the tracking."""

    def __init__(self):
        self.points, self.figures, self.files = {}, [], []

    def log_metrics(self, metrics, step):
        for name, value in metrics.items():
            self.points.setdefault(name, {})[step] = value

    def log_figure(self, name, figure):
        self.figures.append(name)

    def log_artifact(self, path):
        self.files.append(path.name)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Dropout(0.3), nn.Linear(5, 1), nn.Flatten(0))


def train(module, handlers=(), epochs=2, **options):
    data = Noise(24, 0)
    loader = DataLoader(data, batch_size=4, sampler=SeededSampler(24, 0, 4, shuffle=False, drop_last=False))
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.05)
    Trainer("cpu", epochs, loader, module, optimizer, nn.MSELoss(), train_handlers=list(handlers), **options).run()


def follow(tmp_path, **options):
    tracked = Tracked()
    options = {"sharpness_every": 5, "dataset": Noise(24, 0), "count": 4, **options}
    return LogDynamics(tracked, tmp_path, **options), tracked


def test_following_changes_no_bit_of_the_weights(tmp_path):
    plain, followed = network(), network()
    train(plain, clip=ClipGradients(0.1))
    train(followed, [follow(tmp_path, sharpness_every=1)[0]], clip=ClipGradients(0.1))
    for key, value in plain.state_dict().items():
        assert torch.equal(value, followed.state_dict()[key]), key


def test_the_curves(tmp_path):
    module = network()
    handler, tracked = follow(tmp_path)
    norms = []

    class Watch:
        def attach(self, engine):
            from monai.engines.utils import IterationEvents

            engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self.note)

        def note(self, engine):
            flat = torch.cat([p.grad.flatten() for p in module.parameters()])
            norms.append((engine.state.iteration, flat.norm().item(), engine.state.losses["loss"].item()))

    train(module, [Watch(), handler], clip=ClipGradients(1e-3))  # before clipping, which would make every norm 1e-3
    assert tracked.points["dynamics/gradient_norm"] == pytest.approx({i: norm for i, norm, _ in norms})
    assert tracked.points["dynamics/loss"] == pytest.approx({i: loss for i, _, loss in norms})
    assert list(tracked.points["dynamics/sharpness"]) == [1, 6, 11]
    assert tracked.figures == ["dynamics"] and tracked.files == ["dynamics.json"]
    curves = json.loads((tmp_path / "dynamics.json").read_text())
    assert curves["sharpness"] == [[step, value] for step, value in tracked.points["dynamics/sharpness"].items()]


def test_accumulation_counts_steps_and_takes_the_whole_gradient(tmp_path):
    module = network()
    handler, tracked = follow(tmp_path, sharpness_every=None)
    train(module, [handler], epochs=1, accumulation_steps=4)  # 6 batches: windows of 4 and 2
    assert list(tracked.points["dynamics/gradient_norm"]) == [4, 6]


def test_intervals_and_no_sharpness(tmp_path):
    handler, tracked = follow(tmp_path, every=5, sharpness_every=None, dataset=None)
    train(network(), [handler])
    assert list(tracked.points["dynamics/loss"]) == [1, 6, 11] and "dynamics/sharpness" not in tracked.points


def test_a_resumed_run_keeps_its_curves(tmp_path):
    handler, _ = follow(tmp_path)
    train(network(), [handler], epochs=1)
    torch.save(handler.state_dict(), tmp_path / "state.pt")
    again, _ = follow(tmp_path)
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert again.curves == handler.curves and again.steps == 6


def test_the_figure_draws_what_there_is():
    curves = {"loss": [(1, 2.0), (2, 1.0)], "gradient_norm": [(1, 3.0)], "sharpness": []}
    figure = dynamics_figure({"with masks": {**curves, "sharpness": [(1, 9.0)]}, "without": curves})
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "gradient norm", "sharpness"]
    assert [len(axes.lines) for axes in figure.axes] == [2, 2, 1]
    assert len(dynamics_figure({"without": curves}).axes) == 2
    many = {f"a run of a rather long name {number}": curves for number in range(9)}
    assert [faults(drawn) for drawn in (figure, dynamics_figure(many), dynamics_figure({}))] == [[], [], []]
    drawn = dynamics_figure(many).axes[0].lines
    assert len({(line.get_color(), str(line._dash_pattern)) for line in drawn}) == 9


def test_bad_settings_are_named(tmp_path):
    with pytest.raises(ValueError, match="sharpness_every 0"):
        LogDynamics(sharpness_every=0)
    with pytest.raises(ValueError, match="fixed batch"):
        LogDynamics(sharpness_every=5)
