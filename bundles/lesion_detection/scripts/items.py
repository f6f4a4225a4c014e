"""From a corpus to what the transforms take: images with their boxes, and images without any."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from common.files import DatasetError
from common.files.notices import first_few
from common.images import as_items
from common.records import Corpus, Record

from .merging import merged

logger = logging.getLogger(__name__)


def box_items(
    corpus: Corpus, findings: Sequence[str], image_size: int, merge_overlap: float | None = None
) -> list[dict[str, Any]]:
    """Items with `image` and `source` (paths), `box` (M, 4) and `finding` (M,), alike in M so that they make batches.

    `box` has top, left, bottom, right in pixels of an image of `image_size`, and `finding` the number of its name; -1
    fills up. An image without boxes is a negative one, and counts. One whose label says that it has a finding of which
    nobody drew a box is neither, and is left out: of ChestX-ray14's images, few of those with a finding have boxes.

    Args:
        corpus: a split of what a reader returned.
        findings: the ones to detect, in the order of the network's outputs.
        image_size: side of the square that images are resized to, pixels.
        merge_overlap: IoU from which on boxes of one finding are taken for one, where several people drew; None keeps
            all as they are.

    Raises:
        DatasetError: a finding that the corpus does not know, or images for training without any box.
    """
    _check(corpus, findings)
    used = [not _lacks_a_box(record, corpus.findings, findings) for record in corpus.records]
    if left_out := used.count(False):
        logger.info("%d of %d images are left out: labelled with a finding, but without its box.", left_out, len(used))
    number = {name: index for index, name in enumerate(findings)}
    boxes = [[box for box in record.boxes if box.finding in number] for record in corpus.records]
    if merge_overlap is not None:
        boxes = [merged(own, merge_overlap) for own in boxes]
    most = max(1, *map(len, boxes))
    items = []
    for item, own in ((item, own) for item, own, use in zip(as_items(corpus, []), boxes, used, strict=True) if use):
        edges = [(box.top, box.left, box.bottom, box.right) for box in own] + [(0, 0, 1, 1)] * (most - len(own))
        numbers = [number[box.finding] for box in own] + [-1] * (most - len(own))
        box_M4 = np.asarray(edges, np.float32) * image_size
        items.append({**item, "box": box_M4, "finding": np.asarray(numbers, np.int64)})
    return items


def _check(corpus: Corpus, findings: Sequence[str]) -> None:
    boxed = {box.finding for record in corpus.records for box in record.boxes}
    unknown = [name for name in findings if name not in boxed and name not in corpus.findings]
    if missing := unknown if corpus.findings or not boxed.intersection(findings) else []:
        known = ", ".join(sorted(boxed)) or "nothing"
        raise DatasetError(
            corpus.name,
            f"there are boxes of {known} in these {len(corpus)} images, not of {', '.join(missing)}",
            "Correct `findings`",
        )
    unlearnt = sorted(boxed - set(findings))
    if unlearnt and corpus.records[0].split == "train":
        logger.info("Boxes of %s are not learned: `findings` does not name them.", first_few(unlearnt, 20))
    rare = [name for name in findings if name not in boxed]
    if len(rare) == len(findings) and all(record.split == "train" for record in corpus.records):
        raise DatasetError(
            corpus.name,
            f"none of the {len(corpus)} images to train on has a box of {', '.join(findings)}",
            "Take more images, or a `split_file` that trains on those with boxes",
        )
    if rare:
        logger.warning("%s: no box in these %d images of %s.", ", ".join(rare), len(corpus), corpus.name)


def _lacks_a_box(record: Record, names: Sequence[str], findings: Sequence[str]) -> bool:
    """Whether its label says that it has one of the findings, and no box says where."""
    if record.labels is None:
        return False
    present = {name for name, label in zip(names, record.labels, strict=True) if label == 1}
    return bool(present.intersection(findings) - {box.finding for box in record.boxes})
