"""Measure the store: building it from PNG files, and reading batches from it.

python scripts/benchmark_store.py [FOLDER]      (without a folder: synthetic 1024-pixel radiograph-like PNGs)
"""

import argparse
import json
from collections.abc import Sequence

import torch

from common.benchmarks.parts import rounded
from common.benchmarks.store import measure_store


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="of PNG files")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--count", type=int, default=192)
    parser.add_argument("--workers", type=int)
    arguments = parser.parse_args(words)
    torch.set_num_threads(1)
    result = measure_store(arguments.folder, arguments.size, arguments.count, arguments.workers)
    print(json.dumps(rounded(result, 3)))


if __name__ == "__main__":
    main()
