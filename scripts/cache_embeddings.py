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
from common.images import PatchRule, RegionSource, StoreRegions, open_store
from common.networks.key_map import parse_key_map
from common.readers import read, reader_modules
from common.readers.support.options import parse_options
from common.teachers import CachedExpert, cached_expert, load_expert
from common.teachers.item_list import write_list
from common.views import AugmentedCrop


def main(words: Sequence[str] | None = None) -> int:
    arguments = _arguments(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    told = ("image_size", "channels", "mean", "std", "architecture", "part")
    foreign = {name: getattr(arguments, name) for name in told}
    try:
        foreign["options"] = parse_options(arguments.architecture_option, "--architecture-option") or None
        foreign["key_map"] = parse_key_map(arguments.key_map) or None
        expert = None if arguments.list else load_expert(arguments.expert, "expert", **foreign)
        if isinstance(expert, CachedExpert):
            raise ValueError(
                f"{arguments.expert} holds embeddings already; give the expert that they are to come from."
            )
        corpus = read(arguments.dataset, arguments.root, **parse_options(arguments.option))
        store = open_store(corpus, arguments.stores, arguments.store_size, arguments.store_channels)
        rule = None
        if arguments.boxes or arguments.structure or arguments.anywhere:
            rule = PatchRule(
                arguments.boxes,
                structures=arguments.structure,
                anywhere=arguments.anywhere,
                enlarge=arguments.enlarge,
                side=tuple(arguments.side),
                seed=arguments.patch_seed,
            )
        regions = RegionSource(store.subset(arguments.split, limit=arguments.limit), patches=rule)
        dataset = StoreRegions([regions], AugmentedCrop(1, area=None), seed=0)
        root = None if arguments.absolute else Path(arguments.root).resolve()
        if expert is None:
            count = write_list(dataset, Path(arguments.out), root)
            print(f"{count:,} images and patches: {arguments.out}")
            return 0
        cached = cached_expert(expert, [dataset], arguments.out, arguments.device, arguments.batch_size, root)
    except (DatasetError, OSError, ValueError, RuntimeError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    print(f"{len(dataset):,} images and patches, {cached.embed_dim} numbers each: {arguments.out}")
    return 0


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("expert", nargs="?", help="encoder file, run folder, TorchScript, ONNX or weights")
    parser.add_argument("dataset", help=f"one of {', '.join(reader_modules())}")
    parser.add_argument("root", help="the downloaded folder")
    parser.add_argument("out", help="table to write or to go on with: .npz or .parquet; or list")
    parser.add_argument("--list", action="store_true", help="list images and patches, without an expert")
    parser.add_argument("--image-size", type=int, help="pixels per side of the images that the expert takes")
    parser.add_argument("--channels", type=int, choices=(1, 3), help="likewise (default: what the file says, or 1)")
    parser.add_argument("--mean", type=float, nargs="+", help="per channel, of a graph that does not normalise")
    parser.add_argument("--std", type=float, nargs="+", help="likewise")
    parser.add_argument("--architecture", help="timm name, of weights that do not describe themselves")
    parser.add_argument("--architecture-option", action="append", default=[], metavar="KEY=VALUE", help="likewise")
    parser.add_argument("--part", default="teacher", choices=("teacher", "student"), help="of files that hold both")
    parser.add_argument(
        "--key-map",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="regular expression in the weights' names and what takes its place to make them timm's; repeatable",
    )
    parser.add_argument("--stores", default="runs/stores", help="where stores are kept (default: %(default)s)")
    parser.add_argument("--store-size", type=int, default=1024, help="as in the recipe (default: %(default)s)")
    parser.add_argument("--store-channels", type=int, default=1, choices=(1, 3), help="as in the recipe")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="of the reader; repeatable")
    parser.add_argument("--split", choices=("train", "val", "test"), help="one split (default: all)")
    parser.add_argument("--limit", type=int, help="at most so many images")
    parser.add_argument("--boxes", action="store_true", help="patches around boxes; these six as in the recipe")
    parser.add_argument("--structure", action="append", default=[], help="patches around this structure; repeatable")
    parser.add_argument("--anywhere", type=int, default=0, help="random patches per image (default: %(default)s)")
    parser.add_argument("--enlarge", type=float, default=3.0, help="patch over box (default: %(default)s)")
    parser.add_argument("--side", type=float, nargs=2, default=(0.25, 0.5), help="of random patches without a box")
    parser.add_argument("--patch-seed", type=int, default=0, help="of the random patches (default: %(default)s)")
    parser.add_argument(
        "--absolute",
        action="store_true",
        help="name files by whole paths, not relative to the folder, for several data sets in one table",
    )
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_intermixed_args(words)  # a first argument that may be left out needs all of them together
    if arguments.list == (arguments.expert is not None):
        parser.error("give either an expert or --list")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
