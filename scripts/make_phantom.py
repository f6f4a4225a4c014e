"""Make phantom radiographs in ChestX-ray14's layout: `python scripts/make_phantom.py OUT --count 200`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from common.data.phantom import write_phantom


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder to write into")
    parser.add_argument("--count", type=int, default=200, help="number of images")
    parser.add_argument("--size", type=int, default=256, help="rows and columns of an image")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="processes; the files are the same for any number")
    options = parser.parse_args()
    start = time.perf_counter()
    try:
        write_phantom(options.out, options.count, options.size, options.seed, options.workers)
    except (ValueError, OSError) as error:
        print(f"make_phantom: {error}", file=sys.stderr)
        return 1
    print(f"{options.count} images of {options.size} px in {options.out} ({time.perf_counter() - start:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
