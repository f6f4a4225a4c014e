"""Make organ label maps for every CT volume of a data set; started again after an interruption it goes on.

python scripts/segment_ct.py /data/RATIC /data/RATIC/masks --dataset ratic --structures abdomen
python scripts/segment_ct.py /data/volumes /data/masks --backend bundle --bundle /data/bundles/lung_lobes

OUT holds one NIfTI file per volume, with the voxels of the volume's own file and names for its values; the readers find
them by their option `masks=OUT`. To use several GPUs start one process for each (--device cuda:0, --device cuda:1 ...)
with the same OUT: they share the work. TotalSegmentator gets its weights at first use, and sends anonymous statistics
unless `send_usage_stats` is false in ~/.totalsegmentator/config.json.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from common.files import DatasetError, Unusable
from common.readers import find_reader, reader_modules
from common.readers.support.options import parse_options
from common.segmenters import FAILURES, segment_dataset


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", help="folder of the data set")
    parser.add_argument("out", type=Path, help="folder of the label maps; may lie in the data set's")
    volumes = [name for name in reader_modules() if find_reader(name).publication.volumes]
    parser.add_argument("--dataset", choices=volumes, default="ct_folder", help="its layout (default: %(default)s)")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="of the reader; repeatable")
    parser.add_argument("--backend", choices=("totalsegmentator", "bundle"), default="totalsegmentator")
    parser.add_argument("--bundle", type=Path, help="folder of a MONAI bundle; common/segmenters/bundle.py says which")
    parser.add_argument("--structures", help="chest, abdomen, or names with commas (default: all that there are)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--limit", type=int, help="only the first so many volumes")
    given = vars(parser.parse_args(words))
    try:
        options, backend = parse_options(given.pop("option")), given.pop("backend")
        if (backend == "bundle") != (given["bundle"] is not None):
            raise ValueError("--backend bundle and --bundle DIR belong together: give both or none")
        outcome = segment_dataset(**given, options=options)
    except Unusable as error:
        print(f"Error: --structures: {error}. {error.remedy}", file=sys.stderr)
        return 2
    except (DatasetError, ValueError, OSError, ModuleNotFoundError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted. The same command goes on from here.", file=sys.stderr)
        return 130
    out, made, failed = given["out"].resolve(), f"{outcome.made:,} made", f"{len(outcome.failures):,} failed"
    for image in outcome.empty:
        print(f"Notice: no structure was found in {image}")
    for reason in outcome.failures.values():
        print(f"Failed: {reason}")
    listed = f", listed in {out / FAILURES}" if outcome.failures else ""
    print(f"{made}, {outcome.skipped:,} there or in other hands, {failed}{listed}")
    print(f"Readers take them by the option masks={out}")
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main())
