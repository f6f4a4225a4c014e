"""Contrast with a memory bank of past keys, and the purposive pruner of look-alike negatives.

Shapes: B queries, N keys of all processes, E channels of an embedding, K keys in the bank, C keys of a piece of it.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

COSINES = {"cpu": 2**18, "cuda": 2**24}
"""Made at a time, at most: on a CPU what the cache of one core holds, 256 anchors with 1,024 keys; on a GPU 64 MiB, in
which 256 anchors meet a whole bank of 65,536 keys by one launch of each kernel."""
LOWEST_TEMPERATURE = 0.02  # float32 holds sums of exp(1 / 0.02) over any bank
LOWEST_TOTAL = 1e-30  # below exp(-1 / 0.02), the least that one kept key adds


class MemoryBank(nn.Module):
    """MoCo's loss: a query must pick its own key among the keys of past batches.

    Anchors of small parts have look-alikes among the negatives: the same anatomy of other patients. The purposive
    pruner (Adam) hides from each anchor the keys of the bank whose cosine with it is not below a threshold. It prunes
    the anchor's own view of the bank alone; the bank keeps them for the others (methods B2-B6). An anchor that loses
    every negative has loss 0.

    The bank starts as random unit columns. `enqueue` writes over the oldest ones, from the pointer on and around the
    end; call it after the loss. Both buffers travel with checkpoints, also to a run with another batch.

    Args:
        dim: E.
        size: K, a multiple of the keys written at a time.
        temperature: divides cosines; at least 0.02, so that exponentials stay finite.
        threshold: negatives at or above this cosine are pruned, in [-1, 1]; None prunes none.
        global_batch: keys written at a time by all processes together; given here, a batch that does not fit is an
            error before training and not in its first step.

    Raises:
        ValueError: an argument outside its range, or a batch that does not divide the bank.

    Source: MoCo v2, https://arxiv.org/abs/2003.04297; Adam, purposive pruner, https://arxiv.org/abs/2309.15358;
    methods section 2.

    Example:
        >>> loss = MemoryBank(dim=2, size=4, temperature=1.0, threshold=0.8)
        >>> query = torch.tensor([[1.0, 0.0]])
        >>> _ = loss.bank.copy_(torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 1.0]]))  # the first is a look-alike
        >>> value, pruned = loss(query, query)
        >>> round(value.item(), 4), pruned.item()  # log(1 + 3 / e)
        (0.7437, 0.25)
    """

    bank: Tensor
    pointer: Tensor

    def __init__(
        self,
        dim: int = 128,
        size: int = 65536,
        temperature: float = 0.2,
        threshold: float | None = None,
        global_batch: int | None = None,
    ):
        super().__init__()
        if temperature < LOWEST_TEMPERATURE:
            raise ValueError(f"temperature is {temperature}; expected {LOWEST_TEMPERATURE} or more, such as 0.2.")
        if threshold is not None and not -1 <= threshold <= 1:
            raise ValueError(f"threshold is {threshold}; expected a cosine in [-1, 1], such as 0.8, or null.")
        self.temperature, self.threshold = temperature, threshold
        own = torch.Generator().manual_seed(torch.initial_seed())  # networks built later start as without a bank
        self.register_buffer("bank", F.normalize(torch.randn(dim, size, generator=own), dim=0))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.long))
        if global_batch is not None:
            self._check(global_batch)

    def forward(self, query_BE: Tensor, key_BE: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of a batch.

        Args:
            query_BE: unit vectors.
            key_BE: unit vectors of the same images; no gradient flows into them.

        Returns:
            loss: scalar, -log softmax of the own key among itself and the kept keys of the bank, mean over anchors.
            pruned: scalar without gradient, share of the pairs of anchor and bank key that were pruned.
        """
        with torch.autocast(query_BE.device.type, enabled=False):  # half precision would blur the threshold
            query_BE, key_BE = query_BE.float(), key_BE.detach().float()
            positive_B = (query_BE * key_BE).sum(1) / self.temperature
            negative_B, pruned = _Negatives.apply(query_BE, self.bank, self.temperature, self.threshold)
            return F.softplus(negative_B - positive_B).mean(), pruned

    @torch.no_grad()
    def enqueue(self, key_BE: Tensor, gather: Callable[[Tensor], Tensor] | None = None) -> None:
        """Write keys over the oldest ones, in the order of the processes.

        Args:
            key_BE: unit vectors of this process.
            gather: concatenates keys over processes; None in a single process.

        Raises:
            ValueError: the number of keys does not divide the bank.
        """
        key_NE = key_BE.detach().float()
        if gather is not None:
            key_NE = gather(key_NE)
        self._check(len(key_NE))
        # a run that goes on with another batch finds the pointer where no batch of its own would end
        places_N = (self.pointer + torch.arange(len(key_NE), device=self.pointer.device)) % self.bank.shape[1]
        self.bank.index_copy_(1, places_N, key_NE.T)
        self.pointer.add_(len(key_NE)).remainder_(self.bank.shape[1])

    def _check(self, keys: int) -> None:
        size = self.bank.shape[1]
        if keys > size or size % keys:
            problem = "more than it holds" if keys > size else "which does not divide it"
            raise ValueError(
                f"The memory bank holds {size} keys and each step writes {keys}, {problem}: set bank_size to a "
                f"multiple of batch_size x processes, such as {max(1, round(size / keys)) * keys}."
            )


def keys_at_a_time(query_BE: Tensor, bank_EK: Tensor) -> int:
    """Keys of the bank whose cosines with all queries are made at a time."""
    return min(bank_EK.shape[1], max(1, COSINES.get(query_BE.device.type, COSINES["cpu"]) // max(1, len(query_BE))))


class _Negatives(torch.autograd.Function):
    """Log of the sum of exp(cosine / temperature) over the keys that an anchor keeps, and the share it does not.

    The bank is read once, in pieces of `keys_at_a_time`; the weighted sum of the bank, which is the gradient, is made
    on the way. However large the bank, no more than a piece of the (B, K) matrix is made, and the backward pass does
    not need the bank, which may be written in between. Cosines are at most 1, so that no running maximum is needed for
    the exponentials to stay finite.
    """

    @staticmethod
    def forward(
        ctx: Any, query_BE: Tensor, bank_EK: Tensor, temperature: float, threshold: float | None
    ) -> tuple[Tensor, Tensor]:
        total_B, weighted_BE = query_BE.new_zeros(len(query_BE)), torch.zeros_like(query_BE)
        kept = query_BE.new_zeros(())
        piece = keys_at_a_time(query_BE, bank_EK)
        # memory of one piece for all: asking for it anew each time costs as much as pruning
        cosines = query_BE.new_empty(len(query_BE) * piece)
        keeps = query_BE.new_empty(len(cosines) if threshold is not None else 0)
        for bank_EC in bank_EK.split(piece, dim=1):
            shape = len(query_BE), bank_EC.shape[1]
            cosine_BC = torch.mm(query_BE, bank_EC, out=cosines[: math.prod(shape)].view(shape))
            if threshold is not None:
                kept_BC = torch.lt(cosine_BC, threshold, out=keeps[: math.prod(shape)].view(shape))
                kept += kept_BC.sum()
            weight_BC = cosine_BC.div_(temperature).exp_()
            if threshold is not None:
                weight_BC.mul_(kept_BC)
            total_B += weight_BC.sum(1)
            weighted_BE.addmm_(weight_BC, bank_EC.T)
        total_B1 = total_B.clamp_min(LOWEST_TOTAL)[:, None]  # an anchor may keep none, and 0 / 0 is no gradient
        ctx.save_for_backward(weighted_BE / (total_B1 * temperature))
        share = 1 - kept / (len(query_BE) * bank_EK.shape[1]) if threshold is not None else kept
        ctx.mark_non_differentiable(share)
        return total_B.log(), share

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_B: Tensor, _share: Tensor) -> tuple[Tensor | None, ...]:
        (slope_BE,) = ctx.saved_tensors
        return grad_B[:, None] * slope_BE, None, None, None
