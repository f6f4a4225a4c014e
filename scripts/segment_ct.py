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
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from common.files.errors import DatasetError, Unusable
from common.readers import find_reader, read, reader_modules
from common.readers.support.options import parse_options
from common.readers.support.tree import Tree, require_root
from common.records import Record
from common.segmenters.output import FAILURES, Output
from common.segmenters.run import CLIP, SPACING, Outcome, Segmenter, segment_all
from common.volumes import ABDOMEN, CHEST
from common.volumes.structures import ids_of

SETS = {"chest": CHEST, "abdomen": ABDOMEN}
MOST = 254  # uint8, of which 255 says that nothing is known


def main(words: Sequence[str] | None = None) -> int:
    arguments = _arguments(words)
    try:
        if arguments.limit is not None and arguments.limit < 1:
            raise ValueError(f"--limit is {arguments.limit}; it must be 1 or more")
        out = arguments.out.resolve()
        root = require_root(arguments.root, "It holds the volumes.")
        records = _records(arguments, root, out)[: arguments.limit]
        output = Output(out, find_reader(arguments.dataset).layout_root(root))
        shared = [path for path, count in Counter(output.path(r.image) for r in records).items() if count > 1]
        if shared:
            raise ValueError(f"{len(shared)} label maps belong to several volumes, such as {shared[0]}: rename these")
        segmenter = _segmenter(arguments)
        structures = _structures(arguments.structures, segmenter)
        settings = {**segmenter.identity, "structures": list(structures), "spacing": list(SPACING), "clip": list(CLIP)}
        output.agree(settings)
        outcome = segment_all(records, output, segmenter, structures)
    except Unusable as error:
        print(f"Error: --structures: {error}. {error.remedy}", file=sys.stderr)
        return 2
    except (DatasetError, ValueError, OSError, ModuleNotFoundError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted. The same command goes on from here.", file=sys.stderr)
        return 130
    _tell(outcome, out)
    return 1 if outcome.failures else 0


def _records(arguments: argparse.Namespace, root: Path, out: Path) -> list[Record]:
    options = parse_options(arguments.option)
    if Tree(out).volumes():
        options.setdefault("masks", str(out))  # so that what is finished there is not taken for volumes
    corpus = read(arguments.dataset, root, **options)
    # Another process may have finished its first one a moment ago.
    return [record for record in corpus.records if out not in Path(record.image).parents]


def _segmenter(arguments: argparse.Namespace) -> Segmenter:
    try:
        torch.empty(1, device=arguments.device)  # TotalSegmentator would go on with the CPU
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"--device is {arguments.device}: {str(error).splitlines()[0]}") from None
    if (arguments.backend == "bundle") != (arguments.bundle is not None):
        raise ValueError("--backend bundle and --bundle DIR belong together: give both or none")
    if arguments.bundle is not None:
        from common.segmenters.bundle import BundleSegmenter

        return BundleSegmenter(arguments.bundle, arguments.device)
    from common.segmenters.totalsegmentator import TotalSegmentator

    return TotalSegmentator(arguments.device)


def _structures(words: str | None, segmenter: Segmenter) -> tuple[str, ...]:
    """Return the structures wanted, each of which the back end must name; all without a choice."""
    if words is None:
        structures = tuple(sorted(segmenter.names, key=segmenter.names.__getitem__))
    else:
        structures = tuple(SETS.get(words) or (word.strip() for word in words.split(",")))
    for structure in structures:
        ids_of(structure, segmenter.names)
    if len(set(structures)) != len(structures) or len(structures) > MOST:
        raise ValueError(f"{len(structures)} structures: --structures takes up to {MOST} names, none of them twice")
    return structures


def _tell(outcome: Outcome, out: Path) -> None:
    for image in outcome.empty:
        print(f"Notice: no structure was found in {image}")
    for reason in outcome.failures.values():
        print(f"Failed: {reason}")
    listed = f", listed in {out / FAILURES}" if outcome.failures else ""
    print(
        f"{outcome.made:,} made, {outcome.skipped:,} there or in other hands, {len(outcome.failures):,} failed{listed}"
    )
    print(f"Readers take them by the option masks={out}")


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", help="folder of the data set")
    parser.add_argument("out", type=Path, help="folder of the label maps; may lie in the data set's")
    volumes = [name for name in reader_modules() if find_reader(name).publication.volumes]
    parser.add_argument("--dataset", choices=volumes, default="ct_folder", help="its layout (default: %(default)s)")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="of the reader; repeatable")
    parser.add_argument("--backend", choices=("totalsegmentator", "bundle"), default="totalsegmentator")
    parser.add_argument("--bundle", type=Path, help="folder of a MONAI segmentation bundle, see segment_ct_bundle.py")
    parser.add_argument("--structures", help="chest, abdomen, or names with commas (default: all that there are)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--limit", type=int, help="only the first so many volumes")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
