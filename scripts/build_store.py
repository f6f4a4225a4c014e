"""Build the memory-mapped image store of a data set; start it again after an interruption and it goes on.

python scripts/build_store.py chestxray14 /data/ChestX-ray14 --size 512
python scripts/build_store.py folder /data/fundus --size 512 --channels 3
"""

import argparse
import logging
import sys
from collections.abc import Sequence

from common.files.errors import DatasetError
from common.images.store.store import Store
from common.readers import read, reader_modules
from common.readers.support.options import parse_options


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", help=f"one of {', '.join(reader_modules())}")
    parser.add_argument("root", help="the downloaded folder")
    parser.add_argument("--directory", default="runs/stores", help="where stores are kept (default: %(default)s)")
    parser.add_argument("--size", type=int, default=256, help="pixels per side (default: %(default)s)")
    parser.add_argument("--channels", type=int, default=1, choices=(1, 3), help="1 grey, 3 colour")
    parser.add_argument("--workers", type=int, help="processes (default: all cores)")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="of the reader; repeatable")
    arguments = parser.parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        corpus = read(arguments.dataset, arguments.root, **parse_options(arguments.option))
        for notice in corpus.notices:
            print(f"Notice: {notice}")
        store = Store.build(corpus, arguments.directory, arguments.size, arguments.channels, arguments.workers)
    except (DatasetError, ValueError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    for bad in store.quarantine:
        print(f"Left out: {bad.path}: {bad.reason}. {bad.remedy}")
    print(f"{len(store):,} images, {len(store.quarantine):,} left out: {store.directory}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
