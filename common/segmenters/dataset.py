"""Label maps of a whole data set: which volumes, which back end, which structures."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..readers import find_reader, read
from ..readers.support.tree import Tree, require_root
from ..records import Record
from ..volumes import ABDOMEN, CHEST
from ..volumes.structures import ids_of
from .bundle import BundleSegmenter
from .output import Output
from .run import CLIP, SPACING, Outcome, Segmenter, segment_all
from .totalsegmentator import TotalSegmentator

SETS = {"chest": CHEST, "abdomen": ABDOMEN}
MOST = 254  # uint8, of which 255 says that nothing is known


def segment_dataset(
    root: str | Path,
    out: Path,
    dataset: str = "ct_folder",
    options: Mapping[str, Any] | None = None,
    bundle: Path | None = None,
    structures: str | None = None,
    device: str = "cpu",
    limit: int | None = None,
) -> Outcome:
    """Make the label maps of a data set's volumes; finished ones, and those in other hands, are left alone.

    Args:
        root: of the data set.
        out: folder of the label maps; may lie in the data set's.
        dataset: its reader.
        options: of the reader.
        bundle: folder of a MONAI segmentation bundle; None takes TotalSegmentator.
        structures: chest, abdomen, or names with commas; None takes all that there are.
        device: of the network, such as cuda:1.
        limit: only the first so many volumes, 1 or more.

    Raises:
        DatasetError: the folder cannot be read.
        Unusable: the back end does not name a structure.
        ValueError: no such device, no bundle that can serve, or label maps that were made otherwise.
        ModuleNotFoundError: TotalSegmentator is not installed.
        OSError: the disk is full.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"--limit is {limit}; it must be 1 or more")
    out, folder = out.resolve(), require_root(root, "It holds the volumes.")
    records = _records(dataset, folder, out, dict(options or {}))[:limit]
    output = Output(out, find_reader(dataset).layout_root(folder))
    shared = [path for path, count in Counter(output.path(r.image) for r in records).items() if count > 1]
    if shared:
        raise ValueError(f"{len(shared)} label maps belong to several volumes, such as {shared[0]}: rename these")
    segmenter = _segmenter(bundle, device)
    chosen = _structures(structures, segmenter)
    output.agree({**segmenter.identity, "structures": list(chosen), "spacing": list(SPACING), "clip": list(CLIP)})
    return segment_all(records, output, segmenter, chosen)


def _records(dataset: str, root: Path, out: Path, options: dict[str, Any]) -> list[Record]:
    if Tree(out).volumes():
        options.setdefault("masks", str(out))  # so that what is finished there is not taken for volumes
    corpus = read(dataset, root, **options)
    # Another process may have finished its first one a moment ago.
    return [record for record in corpus.records if out not in Path(record.image).parents]


def _segmenter(bundle: Path | None, device: str) -> Segmenter:
    try:
        torch.empty(1, device=device)  # TotalSegmentator would go on with the CPU
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"--device is {device}: {str(error).splitlines()[0]}") from None
    return TotalSegmentator(device) if bundle is None else BundleSegmenter(bundle, device)


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
