"""Divide a data set by patient into images to pre-train on and images to evaluate on, and write the split as JSON.

python scripts/split_patients.py chestxray14 /data/ChestX-ray14 splits/chestxray14.json --count 67000 --seed 0

Every reader then takes it, by the options split_file and split_part, which is pretraining or downstream. Patients of
the test list are never pre-trained on; what is left out of pre-training is divided 6:2:2 by patient.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from common.files.errors import DatasetError
from common.readers import read, reader_modules
from common.readers.support.options import parse_options
from common.readers.support.split_file import draw_split


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", help=f"one of {', '.join(reader_modules())}")
    parser.add_argument("root", help="the downloaded folder")
    parser.add_argument("out", help="file to write")
    parser.add_argument("--count", type=int, required=True, help="images to pre-train on, at most; 67000 in SRHRS")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default: %(default)s)")
    parser.add_argument("--val-share", type=float, default=0.2, help="of these patients (default: %(default)s)")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="of the reader; repeatable")
    arguments = parser.parse_args(words)
    try:
        corpus = read(arguments.dataset, arguments.root, **parse_options(arguments.option))
        split = draw_split(corpus, arguments.root, arguments.count, arguments.seed, arguments.val_share)
    except DatasetError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    for part, splits in split["parts"].items():
        for name, images in splits.items():
            print(f"{part:12} {name:5} {len(images):8,} images")
    path = Path(arguments.out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(split, indent=1) + "\n")
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
