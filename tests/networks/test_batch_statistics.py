import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from common.networks.batch_statistics import UnrecordedStatistics


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
