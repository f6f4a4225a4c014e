"""Draw how trainings went: what probes say, rank and spread of embeddings, losses, and their shares of the gradient.

python scripts/draw_course.py ACE=runs/cxr_ace/NAME SRHRS=runs/cxr_srhrs/NAME --out course.png --points course.json
python scripts/draw_course.py --points course.json --out course.png     # again, without the runs

Runs of `--gradient_share_interval 23` have the last panel.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from common.studies.course import course_figure, read_course


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", metavar="TITLE=RUN", help="folders of trainings; none: draw --points")
    parser.add_argument("--out", type=Path, default=Path("course.png"), help="PNG, PDF or SVG")
    parser.add_argument("--points", type=Path, help="JSON of what is drawn: written of RUNS, or read without")
    options = parser.parse_args(words)
    if not options.runs and options.points is None:
        parser.error("give runs, or --points")
    if strange := [word for word in options.runs if "=" not in word]:
        parser.error(f"{strange[0]} has no title: write TITLE={strange[0]}")
    if not options.runs:
        courses = json.loads(options.points.read_text())
    else:
        try:
            courses = {
                title: read_course(Path(run)) for title, _, run in (word.partition("=") for word in options.runs)
            }
        except ValueError as error:
            print(error, file=sys.stderr)
            return 1
        if options.points is not None:
            options.points.write_text(json.dumps(courses) + "\n")
    course_figure(courses).savefig(options.out, dpi=110)
    print(f"{len(courses)} runs in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
