"""Measure a pre-training step against the passes of its encoders alone, on the same views, in one run.

python scripts/benchmark_step.py cxr_ace [--overlay small] [--batch 32] [--repeats 5]
"""

import argparse
import json
from collections.abc import Sequence

from common.benchmarks.parts import rounded
from common.benchmarks.step import measure_step


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", help="such as cxr_ace")
    parser.add_argument("--overlay", action="append", default=[], help="of its recipe; none is the paper's size")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args(words)
    result = measure_step(arguments.bundle, arguments.overlay, arguments.batch, arguments.repeats)
    print(json.dumps(rounded(result, 3)))


if __name__ == "__main__":
    main()
