"""Show what only a GPU can: steps of all recipes, compiled and plain, memory, the full loop, bf16, kill and resume.

    python scripts/gpu_report.py --minutes 8
    python scripts/gpu_report.py --minutes 60 --data phantom=data/phantom500_256 --data chestxray14=FOLDER \
      --data lung_masks=FOLDER

It needs no network. The most telling comes first; what is left of the time goes into a study, whose data is then given:
the nine methods at 224 pixels, or another one (--study), its runs side by side on the card. Results are kept one by
one in OUT/gpu_report.jsonl, with card, date and versions; what a kind of card has shown is not repeated, and a study
goes on with the run where it was. The table is in OUT/gpu_report.md, the study's beside its file, what its processes
said in OUT/study-NUMBER.log.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from common.benchmarks.gpu_parts import TINY, Sizes, parts
from common.benchmarks.gpu_report import card, report
from common.benchmarks.side_by_side import processes_here

STUDY = "studies/comparison_224/study.yaml"


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8, help="for everything")
    parser.add_argument("--out", type=Path, default=Path("runs/gpu_report"))
    parser.add_argument("--tiny", action="store_true", help="one method at a size for a CPU, to see that it runs")
    parser.add_argument("--study", help=f"study file to go on with in the time that is left (on a card: {STUDY})")
    parser.add_argument("--data", action="append", default=[], metavar="NAME=PLACE", help="of the study")
    parser.add_argument("--processes", type=int, help="of the study at once (as many as fit the card; 1 on a CPU)")
    given = parser.parse_args(words)
    file = given.study or (STUDY if given.data else None)
    if given.data and not given.study and card() == "CPU":
        parser.error(f"--data without --study, and no card for {STUDY}: name a study for a CPU")
    if given.processes is not None and given.processes < 1:
        parser.error(f"--processes is {given.processes}; it must be 1 or more")
    study = [file, *(word for pair in given.data for word in ("--data", pair))] if file else []
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # lets the study's runs be saved
    measured = parts(TINY if given.tiny else Sizes())
    print(report(measured, given.out, given.minutes, study, given.processes or processes_here()))


if __name__ == "__main__":
    main()
