import numpy as np
import pytest
import torch
from torch import nn

from common.evaluation.sharpness import hessian_product, largest_eigenvalue, network_sharpness


def matrix(eigenvalues, seed=0):
    """Symmetric with these eigenvalues and random directions."""
    basis = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(eigenvalues),) * 2))[0]
    return torch.tensor(basis @ np.diag(eigenvalues) @ basis.T)


def quadratic(eigenvalues):
    """A network whose loss is half w'Aw, in two tensors, at a random point."""
    size, a = len(eigenvalues), matrix(eigenvalues)
    parts = [nn.Parameter(torch.randn(n, dtype=torch.float64)) for n in (2, size - 2)]
    network = nn.Module()
    network.parts = nn.ParameterList(parts)

    def loss():
        w = torch.cat(list(parts))
        return w @ a @ w / 2

    return network, loss, a


@pytest.mark.parametrize(
    ("eigenvalues", "largest"),
    [([7.0, 3, 1, 0.5, 0], 7), ([3.0, 2, -1, -5, 0.1], 3), ([-1.0, -2, -3, -8, -4], -1), ([2.0] * 5, 2)],
)
def test_the_largest_eigenvalue_of_a_quadratic(eigenvalues, largest):
    network, loss, _ = quadratic(eigenvalues)
    found = network_sharpness(network, loss, products=500, tolerance=1e-12)
    assert found.value == pytest.approx(largest, rel=1e-5) and found.converged


@pytest.mark.parametrize("smallest", [-1.0, -0.99])
@pytest.mark.parametrize("seed", range(5))
def test_opposite_eigenvalues_are_not_taken_for_one_between_them(smallest, seed):
    a = matrix([1.0, smallest, 0.1], seed)
    found = largest_eigenvalue(lambda v: [a @ v[0]], [torch.zeros(3, dtype=torch.float64)], 200, 0.01, seed)
    assert found.converged and found.value == pytest.approx(1.0, rel=0.02)


def test_products_are_the_hessians_own():
    network, loss, a = quadratic([7.0, 3, 1, -2])
    vector = [torch.randn(2, dtype=torch.float64), torch.randn(2, dtype=torch.float64)]
    image = hessian_product(loss(), list(network.parameters()))(vector)
    assert torch.allclose(torch.cat(image), a @ torch.cat(vector))


def test_a_network_against_its_whole_hessian():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    x, y = torch.randn(8, 3, dtype=torch.float64), torch.randn(8, 1, dtype=torch.float64)
    names, values = zip(*network.named_parameters(), strict=True)
    sizes = [value.numel() for value in values]

    def flat_loss(flat):
        parts = {n: p.view_as(v) for n, p, v in zip(names, flat.split(sizes), values, strict=True)}
        return nn.functional.mse_loss(torch.func.functional_call(network, parts, x), y)

    hessian = torch.autograd.functional.hessian(flat_loss, torch.cat([v.detach().flatten() for v in values]))
    found = network_sharpness(network, lambda: nn.functional.mse_loss(network(x), y), products=200, tolerance=1e-9)
    assert found.value == pytest.approx(torch.linalg.eigvalsh(hessian)[-1].item(), rel=1e-4)


def test_too_few_products_are_told():
    network, loss, _ = quadratic([7.0, 6.9, 6.8, 0])
    found = network_sharpness(network, loss, products=2, tolerance=1e-9)
    assert not found.converged and found.products == 4, "two in each of two rounds"


def test_parameters_without_curvature_are_zero():
    network = nn.ParameterList([nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))])
    assert network_sharpness(network, lambda: network[0].sum()).value == 0
    only = network_sharpness(network, lambda: 2 * network[1].square().sum(), tolerance=1e-9)
    assert only.value == pytest.approx(4)


def test_frozen_parameters_are_left_out():
    network = nn.ParameterList([nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3), requires_grad=False)])
    loss = network_sharpness(network, lambda: network[0].square().sum() + 50 * network[1].square().sum())
    assert loss.value == pytest.approx(2)


class Stateful(nn.Module):
    """Batch norm and dropout: what a careless measurement would disturb."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 1))

    def forward(self, x):
        return self.layers(x)


def test_no_trace_is_left():
    torch.manual_seed(0)
    network, x = Stateful(), torch.randn(6, 4)
    network(x).sum().backward()
    state = {key: value.clone() for key, value in network.state_dict().items()}
    gradients = [p.grad.clone() for p in network.parameters()]
    generator = torch.get_rng_state()
    first = network_sharpness(network, lambda: network(x).square().mean())
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert all(torch.equal(p.grad, g) for p, g in zip(network.parameters(), gradients, strict=True))
    assert network.training and network.layers[1].momentum == 0.1
    torch.rand(3)
    assert network_sharpness(network, lambda: network(x).square().mean()).value == first.value  # same dropout


def test_attention_uses_a_kernel_with_second_derivatives():
    network = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.randn(1, 5, 8)
    assert network_sharpness(network, lambda: network(x, x, x, need_weights=False)[0].square().mean()).value > 0


class Fused(torch.autograd.Function):
    """A kernel with one derivative only."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, gradient):
        return FusedBackward.apply(gradient, *ctx.saved_tensors)


class FusedBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, gradient, x):
        return gradient * 3 * x**2

    @staticmethod
    def backward(ctx, gradient):
        raise NotImplementedError("derivative for fused_backward is not implemented")


def test_a_missing_second_derivative_says_what_to_do():
    network = nn.ParameterList([nn.Parameter(torch.ones(2))])
    with pytest.raises(RuntimeError, match="scaled_dot_product_attention"):
        network_sharpness(network, lambda: Fused.apply(network[0]).sum())


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="products is 0"):
        largest_eigenvalue(lambda v: v, [torch.ones(1)], products=0)
