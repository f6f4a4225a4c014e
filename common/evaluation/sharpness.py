"""Sharpness of the loss around a network's weights: the largest eigenvalue of the Hessian.

A Hessian-vector product is one more backward pass through a gradient that was computed with its own graph; power
iteration needs nothing else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..networks.batch_statistics import UnrecordedStatistics

Vector = list[Tensor]


@dataclass(frozen=True)
class Sharpness:
    """A largest eigenvalue, and how far it can be trusted.

    Args:
        value: the estimate; negative only where the loss curves down in every direction.
        products: Hessian-vector products used.
        converged: whether the last two estimates agreed.
    """

    value: float
    products: int
    converged: bool


def network_sharpness(
    network: nn.Module, loss: Callable[[], Tensor], products: int = 20, tolerance: float = 0.01, seed: int = 0
) -> Sharpness:
    """Sharpness of a loss in a network's trained parameters, without leaving a trace in the run.

    Random generators, `.grad`, running statistics of batch norms, weights and modes are afterwards what they were.
    Dropout and stochastic depth draw the same numbers in every measurement, so that values of a run can be compared.

    Args:
        network: in the mode in which `loss` is to see it, training for the loss that is trained on.
        loss: runs the network on a fixed batch, without autocast, and returns a scalar; called once.
        products: see `largest_eigenvalue`.
        tolerance: see `largest_eigenvalue`.
        seed: of dropout and of the start vector.

    Raises:
        RuntimeError: an operation has no second derivative.

    Example:
        >>> line = nn.Linear(1, 1, bias=False)
        >>> round(network_sharpness(line, lambda: 3 * line(torch.ones(1, 1)).square().sum()).value, 3)
        6.0
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    devices = sorted({p.device.index for p in parameters if p.device.type == "cuda" and p.device.index is not None})
    with torch.random.fork_rng(devices), UnrecordedStatistics(network), torch.enable_grad():
        torch.manual_seed(seed)
        with sdpa_kernel(SDPBackend.MATH):  # the fused kernels of attention have no second derivative
            product = hessian_product(loss(), parameters)
        return largest_eigenvalue(product, parameters, products, tolerance, seed)


def hessian_product(loss: Tensor, parameters: Sequence[Tensor]) -> Callable[[Vector], Vector]:
    """The function v -> H v for the Hessian H of a scalar loss; keeps the loss's graph.

    Args:
        loss: scalar with its graph.
        parameters: leaves that the Hessian is of; ones the loss does not depend on give 0.

    Raises:
        RuntimeError: an operation has no second derivative; says what to do.
    """
    gradients = torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True)
    curved = [(index, gradient) for index, gradient in enumerate(gradients) if gradient is not None]
    curved = [(index, gradient) for index, gradient in curved if gradient.requires_grad]

    def product(vector: Vector) -> Vector:
        if not curved:
            return [torch.zeros_like(part) for part in parameters]
        outputs, weights = [gradient for _, gradient in curved], [vector[index] for index, _ in curved]
        try:
            found = torch.autograd.grad(outputs, parameters, weights, retain_graph=True, allow_unused=True)
        except (RuntimeError, NotImplementedError) as error:
            if "not implemented" not in str(error):
                raise
            raise RuntimeError(
                f"Sharpness needs second derivatives, and the network has an operation without ({error}). Fused "
                "kernels lack them: call attention through torch's scaled_dot_product_attention, of which the math "
                "kernel is chosen here, have the backbone fuse nothing, or leave sharpness out (sharpness_every: null)."
            ) from error
        return [torch.zeros_like(p) if part is None else part for p, part in zip(parameters, found, strict=True)]

    return product


def largest_eigenvalue(
    product: Callable[[Vector], Vector],
    like: Sequence[Tensor],
    products: int = 20,
    tolerance: float = 0.01,
    seed: int = 0,
) -> Sharpness:
    """Largest eigenvalue of a symmetric matrix that is known only by its products.

    Power iteration finds the eigenvalue of the largest size. Where that is negative, or where two of opposite sign and
    similar size keep it from settling, a second round with the matrix shifted up by that size, whose eigenvalues are
    none below 0, finds the largest.

    Args:
        product: v -> H v.
        like: tensors of the shapes, device and type of v.
        products: at most so many per round, 1 or more.
        tolerance: relative change between two estimates that ends a round, above 0.
        seed: of the start vector.

    Raises:
        ValueError: settings that cannot work.
    """
    if products < 1 or not tolerance > 0:
        raise ValueError(f"products is {products} and tolerance {tolerance}; expected 1 or more, and above 0.")
    generator = torch.Generator().manual_seed(seed)
    start = [torch.randn(part.shape, generator=generator).to(part) for part in like]
    start = _unit(start, _dot(start, start).sqrt())
    first, image = _power_iteration(product, start, products, tolerance)
    if first.value >= 0 and first.converged:
        return first
    lift = _dot(image, image).sqrt().item()
    # What the first round has found is a good beginning, and the random start has part in every direction.
    begin = [a + b / lift for a, b in zip(start, image, strict=True)] if lift else start

    def lifted(vector: Vector) -> Vector:
        return [part + lift * old for part, old in zip(product(vector), vector, strict=True)]

    second, _ = _power_iteration(lifted, _unit(begin, _dot(begin, begin).sqrt()), products, tolerance)
    return Sharpness(second.value - lift, first.products + second.products, second.converged)


def _power_iteration(
    product: Callable[[Vector], Vector], vector: Vector, products: int, tolerance: float
) -> tuple[Sharpness, Vector]:
    """The estimate from a vector of length 1, and the last product, as long as an eigenvalue is large.

    Two estimates that agree are not enough: between eigenvalues of opposite sign they stand still far from either. The
    product must also be about as long as the estimate says, which it is for an eigenvector alone.
    """
    value = float("nan")
    for count in range(1, products + 1):
        image = product(vector)
        before, value = value, _dot(vector, image).item()
        length = _dot(image, image).sqrt()
        if length == 0:
            return Sharpness(0.0, count, True), image
        if abs(value - before) <= tolerance * abs(value) and length - abs(value) <= tolerance * length:
            return Sharpness(value, count, True), image
        vector = _unit(image, length)
    return Sharpness(value, products, False), image


def _dot(one: Vector, other: Vector) -> Tensor:
    return torch.stack([(a * b).sum().double() for a, b in zip(one, other, strict=True)]).sum()


def _unit(vector: Vector, norm: Tensor) -> Vector:
    return [(part / norm).to(part) for part in vector]
