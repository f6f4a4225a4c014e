"""Make a phantom collection in a publisher's layout: `python scripts/make_phantom.py OUT --count 200`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from common.phantom import write_phantom
from common.phantom.ct import write_ct_rate, write_ratic

CT_WRITERS = {"ct_rate": write_ct_rate, "ratic": write_ratic}
UNITS = {"chestxray14": "images", "ct_rate": "volumes", "ratic": "patients"}


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder to write into")
    parser.add_argument("--layout", choices=UNITS, default="chestxray14", help="whose data set it looks like")
    parser.add_argument(
        "--count", type=int, default=200, help="number of images, of CT volumes, or of RATIC's patients"
    )
    parser.add_argument("--size", type=int, help="rows and columns of an image (256) or of a slice (96)")
    parser.add_argument("--thickness", type=float, help="mm between the slices of a CT (5)")
    parser.add_argument("--lesion-scale", type=float, help="larger nodules and calcifications for coarse voxels (1)")
    parser.add_argument("--no-mimics", action="store_true", help="no meaningless lesions: brightness tells findings")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="processes; the files are the same for any number")
    options = parser.parse_args(words)
    if options.thickness is not None and options.layout not in CT_WRITERS:
        parser.error(f"--thickness is {options.thickness}, but {options.layout} has no slices: leave it out")
    if options.lesion_scale is not None and options.layout != "ct_rate":
        parser.error(f"--lesion-scale is {options.lesion_scale}, but only ct_rate's nodules grow: leave it out")
    if options.no_mimics and options.layout != "ct_rate":
        parser.error(f"--no-mimics is of ct_rate's findings, not of {options.layout}'s: leave it out")
    start = time.perf_counter()
    usual = 96 if options.layout in CT_WRITERS else 256
    size = usual if options.size is None else options.size
    try:
        if options.layout in CT_WRITERS:
            thickness = 5.0 if options.thickness is None else options.thickness
            write = CT_WRITERS[options.layout]
            scale = {} if options.lesion_scale is None else {"lesion_scale": options.lesion_scale}
            looks = scale | ({"mimics": False} if options.no_mimics else {})
            write(options.out, options.count, size, thickness, options.seed, options.workers, **looks)
        else:
            write_phantom(options.out, options.count, size, options.seed, options.workers)
    except (ValueError, OSError) as error:
        print(f"make_phantom: {error}", file=sys.stderr)
        return 1
    taken = time.perf_counter() - start
    print(f"{options.count} {UNITS[options.layout]} of {size} px in {options.out} ({taken:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
