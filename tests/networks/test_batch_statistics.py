import copy

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from common.networks.batch_statistics import UnrecordedStatistics, each_apart, without_counters


def network(momentum=0.1):
    return nn.Sequential(nn.Conv3d(1, 2, 1), nn.BatchNorm3d(2, momentum=momentum), nn.ReLU())


def state(module):
    return {key: value.clone() for key, value in module.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


def test_outputs_are_those_of_training_and_nothing_is_noted():
    for momentum in (0.1, None):
        plain, quiet = network(momentum), network(momentum)
        quiet.load_state_dict(plain.state_dict())
        x, before = torch.randn(3, 1, 2, 2, 2), state(quiet)
        with UnrecordedStatistics(quiet):
            output = quiet(x)
        assert torch.equal(output, plain(x)) and same(state(quiet), before) and not same(state(plain), before)
        assert torch.equal(quiet(x), output) and same(state(quiet), state(plain))  # and it notes again afterwards


def test_evaluation_mode_still_reads_the_statistics():
    module = network().eval()
    module[1].running_mean.fill_(3.0)
    x = torch.randn(2, 1, 2, 2, 2)
    with UnrecordedStatistics(module):
        assert torch.equal(module(x), network_with(module)(x))


def network_with(module):
    twin = network().eval()
    twin.load_state_dict(module.state_dict())
    return twin


def test_one_context_serves_several_recomputations():
    module, x = network(), torch.randn(3, 1, 2, 2, 2, requires_grad=True)
    expected = network()
    expected.load_state_dict(module.state_dict())
    expected(x)
    quiet = UnrecordedStatistics(module)
    output = checkpoint(module, x, use_reentrant=False, context_fn=lambda: (torch.enable_grad(), quiet))
    (gradient,) = torch.autograd.grad(output.pow(2).sum(), x, create_graph=True)
    torch.autograd.grad(gradient.pow(2).sum(), x)
    assert same(state(module), state(expected))


def trained(module, x, steps=3):
    """Outputs of some steps and the state after them."""
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    outputs = []
    for _ in range(steps):
        optimizer.zero_grad()
        outputs.append(module(x))
        outputs[-1].pow(3).sum().backward()
        optimizer.step()
    return [output.detach() for output in outputs], state(module)


@pytest.mark.parametrize(
    ("norm", "shape"),
    [
        (nn.BatchNorm1d(2), (4, 2)),
        (nn.BatchNorm2d(2, affine=False), (4, 2, 3, 3)),
        (nn.BatchNorm3d(2), (4, 2, 1, 1, 2)),
    ],
)
def test_without_its_counter_a_norm_trains_to_the_bit_alike(norm, shape):
    x = torch.randn(shape)
    plain = nn.Sequential(norm, nn.Flatten(), nn.LazyLinear(2))
    plain(x)
    other = copy.deepcopy(plain)
    without_counters(other)
    (expected, noted), (found, after) = trained(plain, x), trained(other, x)
    assert all(map(torch.equal, expected, found))
    assert noted.pop("0.num_batches_tracked") == 4 and after.pop("0.num_batches_tracked") == 1
    assert noted.keys() == after.keys() and same(noted, after)
    assert torch.equal(plain.eval()(x), other.eval()(x))
    assert isinstance(other[0], type(norm))  # so that processes share its statistics, and group norms replace it


def test_a_norm_that_averages_by_its_counter_keeps_it():
    module, x = network(momentum=None), torch.randn(3, 1, 2, 2, 2)
    plain = copy.deepcopy(module)
    without_counters(module)
    assert torch.equal(module(x), plain(x)) and same(state(module), state(plain))
    assert module[1].num_batches_tracked == 1


def test_a_norm_without_statistics_still_has_none():
    module = nn.Sequential(nn.BatchNorm1d(2, track_running_stats=False))
    without_counters(module)
    x = torch.randn(4, 2)
    assert torch.equal(module.eval()(x), nn.functional.batch_norm(x, None, None, *module[0].parameters(), True))


def test_processes_share_the_statistics_of_a_norm_without_counter():
    module = network()
    without_counters(module)
    assert isinstance(nn.SyncBatchNorm.convert_sync_batchnorm(module)[1], nn.SyncBatchNorm)


def convolutions():
    layers = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.BatchNorm2d(2, affine=False)
    return nn.Sequential(*layers)


class Calls:
    """Counts the passes of a network."""

    def __init__(self, network):
        self.network, self.count = network, 0

    def __call__(self, x):
        self.count += 1
        return self.network(x)


@pytest.mark.parametrize("training", [True, False])
def test_one_pass_of_views_gives_what_a_pass_for_each_gives(training):
    """Outputs, gradients and running statistics, of views whose means are far apart."""
    torch.manual_seed(0)
    views = [torch.randn(3, 1, 7, 7) * scale + shift for scale, shift in ((1, 0), (5, 9), (0.1, -4))]
    plain = convolutions().train(training)
    joined = copy.deepcopy(plain)
    without_counters(joined)
    apart, together = Calls(plain), Calls(joined)
    expected, found = each_apart(plain, apart, views), each_apart(joined, together, views)
    assert (apart.count, together.count) == (3, 1)
    for network_, outputs in ((plain, expected), (joined, found)):
        sum(output.pow(3).mean() for output in outputs).backward()
        assert all(parameter.grad is not None for parameter in network_.parameters())
    assert all(torch.allclose(*pair, atol=1e-5) for pair in zip(expected, found, strict=True))
    gradients = zip(plain.parameters(), joined.parameters(), strict=True)
    assert all(torch.allclose(one.grad, other.grad, rtol=1e-4, atol=1e-5) for one, other in gradients)
    for name in ("running_mean", "running_var"):
        assert torch.allclose(getattr(plain[1], name), getattr(joined[1], name), rtol=1e-5)
    assert torch.allclose(joined(views[1]), plain(views[1]), atol=1e-5), "a pass after it knows of no views"


def test_norms_that_share_statistics_over_processes_take_a_pass_for_each_view():
    calls = Calls(nn.SyncBatchNorm.convert_sync_batchnorm(convolutions()).eval())
    assert len(each_apart(calls.network, calls, [torch.ones(2, 1, 7, 7)] * 2)) == 2 and calls.count == 2


def test_views_of_unequal_size_are_refused():
    with pytest.raises(ValueError, match=r"views have \[2, 4\] images"):
        each_apart(nn.Identity(), nn.Identity(), [torch.ones(4, 2), torch.ones(2, 2)])


def test_a_network_without_batch_norm_takes_one_pass():
    calls = Calls(nn.Linear(2, 3))
    views = each_apart(calls.network, calls, [torch.zeros(4, 2), torch.ones(4, 2)])
    assert calls.count == 1 and [view.shape for view in views] == [(4, 3)] * 2
