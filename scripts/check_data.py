r"""Say what a data set's folder holds, what is missing and where to get it, and what is wrong with it.

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
from common.readers.support.options import parse_options


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", help=f"one of {', '.join(reader_modules())}")
    parser.add_argument("root", help="the downloaded folder")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="of the reader; repeatable")
    parser.add_argument("--workers", type=int, help="processes (default: all cores)")
    parser.add_argument("--quick", action="store_true", help="do not open the images")
    given = vars(parser.parse_args(words))
    try:
        options = parse_options(given.pop("option"))
        problems = check_folder(**given, options=options, progress=sys.stderr.isatty())
    except DatasetError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    print(f"\n{'No problems found.' if not problems else f'Problems found: {problems}.'}")
    return int(problems > 0)


if __name__ == "__main__":
    sys.exit(main())
