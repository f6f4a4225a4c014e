"""Measure the pruned contrastive loss against unpruned ones and against a loop over anchors, in one run."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..losses import MemoryBank

THRESHOLD = 0.8  # the paper's


def measure_loss(
    batch: int = 256, bank: int = 65536, dim: int = 128, repeats: int = 5, device: str | None = None
) -> dict[str, Any]:
    """Time forward and backward of four ways to a loss, one after the other in each repetition.

    `unpruned` is the same code without a threshold, `concatenated` the usual one: all logits, then cross-entropy.

    Args:
        batch: anchors.
        bank: keys.
        dim: length of a key.
        repeats: rounds after one that warms up.
        device: None takes a GPU where there is one.

    Returns:
        Medians in seconds, ratios of them by wall and by CPU time, in which other programs do not count, and the
        difference between the pruned losses.
    """
    torch.manual_seed(0)
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    query_BE, key_BE = (F.normalize(torch.randn(batch, dim), dim=1) for _ in range(2))
    pruned, unpruned = (MemoryBank(dim, bank, threshold=value) for value in (THRESHOLD, None))
    look_alikes_EN = F.normalize(query_BE.repeat(8, 1) + 0.05 * torch.randn(8 * batch, dim), dim=1).T[:, :bank]
    pruned.bank[:, : look_alikes_EN.shape[1]] = look_alikes_EN  # so that there is something to prune
    unpruned.bank.copy_(pruned.bank)
    pruned, unpruned = pruned.to(place), unpruned.to(place)
    query_BE, key_BE = query_BE.to(place), key_BE.to(place)

    def loop(query: Tensor, key: Tensor) -> Tensor:
        losses = []
        for anchor, own in zip(query, key, strict=True):
            cosine = anchor @ pruned.bank
            kept = cosine[cosine < THRESHOLD]
            logits = torch.cat([(anchor @ own)[None], kept]) / pruned.temperature
            losses.append(F.cross_entropy(logits[None], torch.zeros(1, dtype=torch.long, device=place)))
        return torch.stack(losses).mean()

    def concatenated(query: Tensor, key: Tensor) -> Tensor:
        logits = torch.cat([(query * key).sum(1, keepdim=True), query @ unpruned.bank], dim=1) / unpruned.temperature
        return F.cross_entropy(logits, torch.zeros(len(query), dtype=torch.long, device=place))

    ways: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "pruned": lambda query, key: pruned(query, key)[0],
        "unpruned": lambda query, key: unpruned(query, key)[0],
        "concatenated": concatenated,
        "loop": loop,
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    values: dict[str, float] = {}
    for _ in range(repeats + 1):
        for name, way in ways.items():
            query = query_BE.clone().requires_grad_()
            wall, cpu = time.perf_counter(), time.process_time()
            loss = way(query, key_BE)
            loss.backward()
            values[name] = loss.item()
            times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    wall_s, cpu_s = (
        {name: statistics.median(t[i] for t in pairs[1:]) for name, pairs in times.items()} for i in (0, 1)
    )
    return {
        "batch": batch,
        "bank": bank,
        "device": torch.cuda.get_device_name() if place.type == "cuda" else f"CPU, {torch.get_num_threads()} threads",
        **{f"{name}_s": seconds for name, seconds in wall_s.items()},
        **{f"{name}_cpu_s": seconds for name, seconds in cpu_s.items()},
        **{
            f"{upper}_to_{lower}{ending}": of[upper] / of[lower]
            for ending, of in (("", wall_s), ("_by_cpu_time", cpu_s))
            for upper, lower in (("loop", "pruned"), ("pruned", "unpruned"), ("pruned", "concatenated"))
        },
        "pruned_share": float(pruned(query_BE, key_BE)[1]),
        "difference_from_loop": abs(values["pruned"] - values["loop"]),
    }
