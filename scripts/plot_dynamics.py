"""Draw loss, gradient norm and sharpness of several runs into one figure: the CT paper's Figure 3.

python scripts/plot_dynamics.py runs/ct_diagnosis_classification/{phantom-labels,phantom-organs} --out dynamics.png

Each run folder must hold the `dynamics.json` that a finished training leaves. `--smooth N` shows means of N points.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from common.reporting.dynamics import dynamics_figure, smoothed


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="run folders; their names are the legend")
    parser.add_argument("--out", type=Path, default=Path("dynamics.png"), help="PNG, PDF or SVG")
    parser.add_argument("--smooth", type=int, default=1, metavar="N", help="points per mean (not of the sharpness)")
    options = parser.parse_args(words)
    if options.smooth < 1:
        parser.error(f"--smooth is {options.smooth}; it must be 1 or more")
    if absent := [run for run in options.runs if not (run / "dynamics.json").is_file()]:
        print(f"no dynamics.json in {', '.join(map(str, absent))}: give folders of finished trainings", file=sys.stderr)
        return 1
    names = [run.resolve().name for run in options.runs]
    if len(set(names)) < len(names):  # of several output folders
        names = list(map(str, options.runs))
    curves = {
        name: json.loads((run / "dynamics.json").read_text()) for name, run in zip(names, options.runs, strict=True)
    }
    for run in curves.values():
        for name in ("loss", "gradient_norm"):
            run[name] = smoothed(run[name], min(options.smooth, len(run[name]) or 1))
    dynamics_figure(curves).savefig(options.out, dpi=150)
    print(f"{len(curves)} runs in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
