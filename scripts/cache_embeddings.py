"""Ask an expert about every image and patch of a data set once; started again after an interruption it goes on.

python scripts/cache_embeddings.py expert.onnx folder /data/xrays out.parquet --image-size 448 --boxes --anywhere 1
python scripts/cache_embeddings.py runs/image_classification/NAME folder /data/xrays out.npz --boxes --anywhere 1
python scripts/cache_embeddings.py theirs.pth folder /data/xrays out.npz --architecture resnet50 --key-map '^trunk[.]='

LeADER takes such a table by --disease_file; --boxes --anywhere 1 are the patches of its recipe, without them the table
has whole images alone. With --list and no expert, OUT (.csv or .parquet) names every image and patch. With one more
column, `embedding`, of what an expert elsewhere says of each, a .parquet of it is a table of embeddings:
python scripts/cache_embeddings.py --list chestxray14 /data/ChestX-ray14 items.csv --boxes --anywhere 1
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from common.files import DatasetError
from common.images import PatchRule
from common.networks.key_map import parse_key_map
from common.readers import reader_modules
from common.readers.support.options import parse_options
from common.teachers.cache_dataset import cache_dataset

TOLD = ("image_size", "channels", "mean", "std", "architecture", "part")  # by the file itself, if it describes itself
RULE = ("boxes", "anywhere", "enlarge", "side")


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("expert", nargs="?", help="encoder file, run folder, TorchScript, ONNX or weights")
    add("dataset", help=f"one of {', '.join(reader_modules())}")
    add("root", help="the downloaded folder")
    add("out", type=Path, help="table to write or to go on with: .npz or .parquet; or list")
    add("--list", action="store_true", help="list images and patches, without an expert")
    add("--image-size", type=int, help="pixels per side of the images that the expert takes")
    add("--channels", type=int, choices=(1, 3), help="likewise (default: what the file says, or 1)")
    add("--mean", type=float, nargs="+", help="per channel, of a graph that does not normalise")
    add("--std", type=float, nargs="+", help="likewise")
    add("--architecture", help="timm name, of weights that do not describe themselves")
    add("--architecture-option", action="append", default=[], metavar="KEY=VALUE", help="likewise")
    add("--part", default="teacher", choices=("teacher", "student"), help="of files that hold both")
    renames = "regular expression in the weights' names and what takes its place to make them timm's; repeatable"
    add("--key-map", action="append", default=[], metavar="OLD=NEW", help=renames)
    add("--stores", default="runs/stores", help="where stores are kept (default: %(default)s)")
    add("--store-size", type=int, default=1024, help="as in the recipe (default: %(default)s)")
    add("--store-channels", type=int, default=1, choices=(1, 3), help="as in the recipe")
    add("--option", action="append", default=[], metavar="KEY=VALUE", help="of the reader; repeatable")
    add("--split", choices=("train", "val", "test"), help="one split (default: all)")
    add("--limit", type=int, help="at most so many images")
    add("--boxes", action="store_true", help="patches around boxes; these six as in the recipe")
    add("--structure", action="append", default=[], help="patches around this structure; repeatable")
    add("--anywhere", type=int, default=0, help="random patches per image (default: %(default)s)")
    add("--enlarge", type=float, default=3.0, help="patch over box (default: %(default)s)")
    add("--side", type=float, nargs=2, default=(0.25, 0.5), help="of random patches without a box")
    add("--patch-seed", type=int, default=0, help="of the random patches (default: %(default)s)")
    add("--absolute", action="store_true", help="name files by whole paths, for several data sets in one table")
    add("--batch-size", type=int, default=64)
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = vars(parser.parse_intermixed_args(words))  # an argument that may be left out needs all of them together
    if given.pop("list") == (given["expert"] is not None):
        parser.error("give either an expert or --list")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    told, rule = ({name: given.pop(name) for name in names} for names in (TOLD, RULE))
    rule |= {"structures": given.pop("structure"), "seed": given.pop("patch_seed")}
    try:
        told["options"] = parse_options(given.pop("architecture_option"), "--architecture-option") or None
        told["key_map"] = parse_key_map(given.pop("key_map")) or None
        given["options"] = parse_options(given.pop("option"))
        patches = PatchRule(**rule) if rule["boxes"] or rule["structures"] or rule["anywhere"] else None
        print(f"{cache_dataset(**given, told=told, patches=patches)}: {given['out']}")
    except (DatasetError, OSError, ValueError, RuntimeError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
