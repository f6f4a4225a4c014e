"""Contrast with a memory bank of past keys, and the purposive pruner of look-alike negatives.

Shapes: B queries, N keys of all processes, E channels of an embedding, K keys in the bank, C keys of a piece of it.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

PIECE = 4096  # keys compared at a time


class MemoryBank(nn.Module):
    """MoCo's loss: a query must pick its own key among the keys of past batches.

    Anchors of small parts have look-alikes among the negatives: the same anatomy of other patients. The purposive
    pruner (Adam) hides from each anchor the keys of the bank whose cosine with it is not below a threshold. It prunes
    the anchor's own view of the bank alone; the bank keeps them for the others (methods B2-B6). An anchor that loses
    every negative has loss 0.

    The bank starts as random unit columns. `enqueue` writes over the oldest ones; call it after the loss. Both
    buffers travel with checkpoints.

    Args:
        dim: E.
        size: K, a multiple of the keys written at a time.
        temperature: divides cosines; > 0.
        threshold: negatives at or above this cosine are pruned, in [-1, 1]; None prunes none.
        global_batch: keys written at a time by all processes together; given here, a batch that does not fit is an
            error before training and not in its first step.

    Raises:
        ValueError: an argument outside its range, or a batch that does not divide the bank.

    Source: MoCo v2; Adam, purposive pruner; methods section 2.
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
        if temperature <= 0:
            raise ValueError(f"temperature is {temperature}; expected a number above 0, such as 0.2.")
        if threshold is not None and not -1 <= threshold <= 1:
            raise ValueError(f"threshold is {threshold}; expected a cosine in [-1, 1], such as 0.8, or null.")
        self.temperature, self.threshold = temperature, threshold
        self.register_buffer("bank", F.normalize(torch.randn(dim, size), dim=0))
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
        place = int(self.pointer)
        self.bank[:, place : place + len(key_NE)] = key_NE.T
        self.pointer.fill_((place + len(key_NE)) % self.bank.shape[1])

    def _check(self, keys: int) -> None:
        size = self.bank.shape[1]
        if keys > size or size % keys:
            problem = "more than it holds" if keys > size else "which does not divide it"
            raise ValueError(
                f"The memory bank holds {size} keys and each step writes {keys}, {problem}: set bank_size to a "
                f"multiple of batch_size x processes, such as {max(1, round(size / keys)) * keys}."
            )


class _Negatives(torch.autograd.Function):
    """Log of the sum of exp(cosine / temperature) over the keys that an anchor keeps, and the share it does not.

    The bank is read once, in pieces that fit a processor's cache, with a running maximum; the weighted mean of the
    bank, which is the gradient, is summed on the way. No (B, K) matrix is ever made, and the backward pass does not
    need the bank, which may be written in between.
    """

    @staticmethod
    def forward(
        ctx: Any, query_BE: Tensor, bank_EK: Tensor, temperature: float, threshold: float | None
    ) -> tuple[Tensor, Tensor]:
        opposite_BE = -query_BE
        top_B = query_BE.new_full((len(query_BE),), -1 / temperature)  # no cosine is lower
        total_B, mean_BE = torch.zeros_like(top_B), torch.zeros_like(query_BE)
        pruned = torch.zeros_like(top_B[0])
        for bank_EC in bank_EK.split(PIECE, dim=1):
            logit_BC = opposite_BE @ bank_EC
            kept_BC = None
            if threshold is not None:
                # Cosines below the threshold are opposites above its own: `threshold` keeps those, strictly. The others
                # become the lowest cosine until their weight is 0; infinities are slow.
                kept_BC = torch.gt(logit_BC, -threshold, out=torch.empty_like(logit_BC))
                F.threshold(logit_BC, -threshold, 1.0, inplace=True)
                pruned += kept_BC.numel() - kept_BC.sum()
            logit_BC.div_(-temperature)
            higher_B = torch.maximum(top_B, logit_BC.amax(1))
            weight_BC = logit_BC.sub_(higher_B[:, None]).exp_()
            if kept_BC is not None:
                weight_BC.mul_(kept_BC)
            shrink_B = (top_B - higher_B).exp_()
            total_B = total_B * shrink_B + weight_BC.sum(1)
            mean_BE = torch.addmm(mean_BE * shrink_B[:, None], weight_BC, bank_EC.T)
            top_B = higher_B
        kept_B1 = total_B[:, None].clamp(min=torch.finfo(total_B.dtype).tiny)  # an anchor may keep none
        ctx.save_for_backward(mean_BE / (kept_B1 * temperature))
        share = pruned / (len(query_BE) * bank_EK.shape[1])
        ctx.mark_non_differentiable(share)
        return top_B + total_B.log(), share

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_B: Tensor, _share: Tensor) -> tuple[Tensor | None, ...]:
        (slope_BE,) = ctx.saved_tensors
        return grad_B[:, None] * slope_BE, None, None, None
