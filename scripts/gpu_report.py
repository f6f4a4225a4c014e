"""Show what only a GPU can: steps of all recipes, compiled and plain, memory, the full loop, bf16, kill and resume.

    python scripts/gpu_report.py --minutes 8
    python scripts/gpu_report.py --minutes 60 --study studies/comparison/study.yaml --data phantom=data/phantom

It needs no network. The most telling comes first; what is left of the time goes into the study. Results are kept one
by one in OUT/gpu_report.jsonl, with card, date and versions; what a kind of card has shown is not repeated. The table
is in OUT/gpu_report.md.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from common.benchmarks.gpu_parts import TINY, Sizes, parts
from common.benchmarks.gpu_report import report


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8, help="for everything")
    parser.add_argument("--out", type=Path, default=Path("runs/gpu_report"))
    parser.add_argument("--tiny", action="store_true", help="one method at a size for a CPU, to see that it runs")
    parser.add_argument("--study", help="study file to go on with in the time that is left")
    parser.add_argument("--data", action="append", default=[], metavar="NAME=PLACE", help="of the study")
    given = parser.parse_args(words)
    study = [given.study, *(word for pair in given.data for word in ("--data", pair))] if given.study else []
    print(report(parts(TINY if given.tiny else Sizes()), given.out, given.minutes, study))


if __name__ == "__main__":
    main()
