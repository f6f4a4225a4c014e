"""One call for every data set: by its name, from the folder that it was downloaded to."""

import logging
import os
from collections import Counter
from dataclasses import replace
from typing import Any

from ..files.notices import collect_notices
from ..records import Corpus
from ..records.corpus import SPLITS
from .registry import find_reader, reader_modules
from .support.phantom_mark import name_phantoms
from .support.split_file import apply_split

logger = logging.getLogger(__name__)


def read(
    dataset: str,
    root: str | os.PathLike[str],
    split_file: str | None = None,
    split_part: str | None = None,
    **options: Any,
) -> Corpus:
    """Read a data set from the folder it was downloaded to.

    Args:
        dataset: one of `reader_modules`.
        root: the folder.
        split_file: a file of `scripts/split_patients.py` that replaces the data set's own splits; None keeps them.
        split_part: which part of that file, "pretraining" or "downstream"; the images of the other are left out.
        options: of that data set's reader; see the `read` of its module.

    Returns:
        Records and notices; images are indexed, not decoded. A phantom is named as such, whatever its layout.

    Raises:
        DatasetError: unknown data set or option, or a folder that cannot be read, with the remedy.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for patient in range(10):
        ...         Image.linear_gradient("L").rotate(90 * patient).save(Path(folder) / f"{patient}.png")
        ...     corpus = read("folder", folder, test_fraction=0.2, val_fraction=0.2)
        >>> len(corpus), len(corpus.subset("train")), corpus.records[0].image.rpartition("/")[2]
        (10, 6, '0.png')
    """
    corpus = indexed(dataset, root, split_file, split_part, **options)
    logger.info("Read %s in %s: %s.", corpus.name, root, counted(corpus, dataset))
    return corpus


def indexed(
    dataset: str,
    root: str | os.PathLike[str],
    split_file: str | None = None,
    split_part: str | None = None,
    **options: Any,
) -> Corpus:
    """`read` without a word, for who says what the images are for."""
    chosen = find_reader(dataset)
    chosen.refuse_unknown(options, common=("split_file", "split_part"))
    with collect_notices() as notices:
        corpus = name_phantoms(chosen(root, **options))
        if split_file is not None:
            corpus = apply_split(corpus, root, split_file, split_part)
    return replace(corpus, notices=tuple(dict.fromkeys((*notices, *corpus.notices))))


def counted(corpus: Corpus, dataset: str) -> str:
    """`48 train, 3 val, 9 test`, or `6 images` where nothing is held out and a split would be a mere word.

    Args:
        corpus: with one record or more.
        dataset: its reader, which knows images from volumes.
    """
    splits = Counter(record.split for record in corpus.records)
    if set(splits) <= {"train"}:
        return f"{len(corpus):,} {'volumes' if '.ct.' in reader_modules()[dataset] else 'images'}"
    return ", ".join(f"{splits[name]:,} {name}" for name in SPLITS)
