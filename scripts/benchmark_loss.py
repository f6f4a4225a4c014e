"""Measure the pruned contrastive loss against unpruned ones and against a loop over anchors, in one run.

python scripts/benchmark_loss.py [--batch 256] [--bank 65536] [--repeats 5]
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from common.losses import MemoryBank

THRESHOLD = 0.8  # the paper's


def measure_loss(batch: int = 256, bank: int = 65536, dim: int = 128, repeats: int = 5) -> dict[str, Any]:
    """Time forward and backward of four ways to a loss, one after the other in each repetition.

    `unpruned` is the same code without a threshold, `concatenated` the usual one: all logits, then cross-entropy.

    Args:
        batch: anchors.
        bank: keys.
        dim: length of a key.
        repeats: rounds after one that warms up.

    Returns:
        Medians in seconds, ratios of them, and the largest difference between the pruned losses.
    """
    torch.manual_seed(0)
    query_BE, key_BE = (F.normalize(torch.randn(batch, dim), dim=1) for _ in range(2))
    pruned, unpruned = (MemoryBank(dim, bank, threshold=value) for value in (THRESHOLD, None))
    look_alikes_EN = F.normalize(query_BE.repeat(8, 1) + 0.05 * torch.randn(8 * batch, dim), dim=1).T[:, :bank]
    pruned.bank[:, : look_alikes_EN.shape[1]] = look_alikes_EN  # so that there is something to prune
    unpruned.bank.copy_(pruned.bank)

    def loop(query: Tensor, key: Tensor) -> Tensor:
        losses = []
        for anchor, own in zip(query, key, strict=True):
            cosine = anchor @ pruned.bank
            kept = cosine[cosine < THRESHOLD]
            logits = torch.cat([(anchor @ own)[None], kept]) / pruned.temperature
            losses.append(F.cross_entropy(logits[None], torch.zeros(1, dtype=torch.long)))
        return torch.stack(losses).mean()

    def concatenated(query: Tensor, key: Tensor) -> Tensor:
        logits = torch.cat([(query * key).sum(1, keepdim=True), query @ unpruned.bank], dim=1) / unpruned.temperature
        return F.cross_entropy(logits, torch.zeros(len(query), dtype=torch.long))

    ways: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "pruned": lambda query, key: pruned(query, key)[0],
        "unpruned": lambda query, key: unpruned(query, key)[0],
        "concatenated": concatenated,
        "loop": loop,
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    values: dict[str, float] = {}
    for _ in range(repeats + 1):
        for name, way in ways.items():
            query = query_BE.clone().requires_grad_()
            begin = time.perf_counter()
            loss = way(query, key_BE)
            loss.backward()
            times[name].append(time.perf_counter() - begin)
            values[name] = loss.item()
    median = {name: statistics.median(seconds[1:]) for name, seconds in times.items()}
    return {
        "batch": batch,
        "bank": bank,
        "device": f"CPU, {torch.get_num_threads()} threads",
        **{f"{name}_s": seconds for name, seconds in median.items()},
        "loop_to_pruned": median["loop"] / median["pruned"],
        "pruned_to_unpruned": median["pruned"] / median["unpruned"],
        "pruned_to_concatenated": median["pruned"] / median["concatenated"],
        "pruned_share": float(pruned(query_BE, key_BE)[1]),
        "difference_from_loop": abs(values["pruned"] - values["loop"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--bank", type=int, default=65536)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    result = measure_loss(arguments.batch, arguments.bank, repeats=arguments.repeats)
    print(json.dumps({key: round(value, 5) if isinstance(value, float) else value for key, value in result.items()}))


if __name__ == "__main__":
    main()
