"""Measure the pruned contrastive loss against unpruned ones and against a loop over anchors, in one run.

python scripts/benchmark_loss.py [--batch 256] [--bank 65536] [--repeats 5] [--device cuda]
"""

import argparse
import json
from collections.abc import Sequence

from common.benchmarks.loss import measure_loss
from common.benchmarks.parts import rounded


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--bank", type=int, default=65536)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", help="such as cuda or cpu")
    arguments = parser.parse_args(words)
    result = measure_loss(arguments.batch, arguments.bank, repeats=arguments.repeats, device=arguments.device)
    print(json.dumps(rounded(result, 5)))


if __name__ == "__main__":
    main()
