r"""Say what a data set's folder holds, what is missing and where to get it, and what is wrong with it.

python scripts/check_data.py list                             # all data sets that can be read
python scripts/check_data.py /data/download                   # which of them it is, and what is in it
python scripts/check_data.py chestxray14 /data/ChestX-ray14
python scripts/check_data.py folder /data/chest_xray --option 'classes=[NORMAL, PNEUMONIA]' \
    --option 'patient_pattern=(person\d+)_'

Ends with status 0 when all is well, 1 when it found problems or images that are not read, 2 when the folder cannot be
read.
"""

import argparse
import sys
from collections.abc import Sequence

from common.files import DatasetError
from common.readers import reader_modules
from common.readers.check import check_folder
from common.readers.listing import list_datasets
from common.readers.recognition import the_one
from common.readers.support.options import parse_options


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = ", ".join(reader_modules())
    parser.add_argument("dataset", help=f"one of {known}; `list`; or nothing, if the folder's files tell it")
    parser.add_argument("root", nargs="?", help="the downloaded folder")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="of the reader; repeatable")
    parser.add_argument("--workers", type=int, help="processes (default: all cores)")
    parser.add_argument("--quick", action="store_true", help="do not open the images")
    given = parser.parse_args(words)
    if given.root is None and given.dataset == "list":
        print(list_datasets())
        return 0
    try:
        dataset, root = (given.dataset, given.root) if given.root else (the_one(given.dataset), given.dataset)
        options = parse_options(given.option)
        problems = check_folder(dataset, root, options, given.quick, given.workers, progress=True)
    except DatasetError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    print(f"\n{'No problems found.' if not problems else f'Problems found: {problems}.'}")
    return int(problems > 0)


if __name__ == "__main__":
    sys.exit(main())
