"""Measure what CT diagnosis adds: the second task to a step, preparing to reading, the cache to an epoch.

python scripts/benchmark_ct.py [--architecture r3d_18] [--crop 96 192 192] [--batch 1] [--repeats 3]
"""

import argparse
import json
from collections.abc import Sequence

from common.benchmarks.ct import PAPER_CROP, measure_head
from common.benchmarks.parts import rounded


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="r3d_18")
    parser.add_argument("--crop", type=int, nargs=3, default=list(PAPER_CROP), metavar=("D", "H", "W"))
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args(words)
    result = measure_head(arguments.architecture, tuple(arguments.crop), arguments.batch, arguments.repeats)
    print(json.dumps(rounded(result, 3)))


if __name__ == "__main__":
    main()
