"""Print the collection's performance figures and keep them with date, machine and versions.

python scripts/benchmark.py [store reading step launches loss wait views ct smoke]   (without names: all)

Figures are ratios measured in one run, since a single time says more about the machine than about the code. The
paper's size needs about two minutes of CPU. Results are appended to scripts/benchmark_results.jsonl.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from common.benchmarks.parts import PARTS, machine, rounded

RESULTS = Path(__file__).with_name("benchmark_results.jsonl")


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}")
    chosen = parser.parse_args(words).parts or list(PARTS)
    unknown = set(chosen) - set(PARTS)
    if unknown:
        parser.error(f"unknown parts {sorted(unknown)}; known are {', '.join(PARTS)}")
    about = machine()
    print(json.dumps(about, indent=2))
    for part in chosen:
        for result in PARTS[part]():
            kept = rounded(result, 4)
            print(f"\n{part}")
            print("\n".join(f"  {key:<28} {value}" for key, value in kept.items()))
            with RESULTS.open("a") as file:
                file.write(json.dumps({"part": part, **kept, **about}) + "\n")


if __name__ == "__main__":
    main()
