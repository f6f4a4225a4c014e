"""One module per data set: each turns a downloaded folder into a corpus."""

import difflib
import inspect
import os
from dataclasses import replace
from importlib import import_module
from types import ModuleType
from typing import Any

from ..files.errors import DatasetError
from ..files.notices import collect_notices
from ..records import Corpus
from .support.phantom_mark import name_phantoms
from .support.publication import Publication
from .support.split_file import apply_split

READERS = {
    "folder": "folder",
    "chestxray14": "cxr.chestxray14",
    "eyepacs": "fundus.eyepacs",
    "ct_folder": "ct.ct_folder",
    "ct_rate": "ct.ct_rate",
    "rad_chestct": "ct.rad_chestct",
    "ratic": "ct.ratic",
}

__all__ = ["READERS", "Publication", "publication", "read"]


def read(
    dataset: str,
    root: str | os.PathLike[str],
    split_file: str | None = None,
    split_part: str | None = None,
    **options: Any,
) -> Corpus:
    """Read a data set from the folder it was downloaded to.

    Args:
        dataset: one of READERS.
        root: the folder.
        split_file: a file of `scripts/split_patients.py` that replaces the data set's own splits; None keeps them.
        split_part: which part of that file, "pretraining" or "downstream"; the images of the other are left out.
        options: of that data set's reader; see the `read` of its module.

    Returns:
        Records and notices; images are indexed, not decoded. A phantom is named as such, whatever its layout.

    Raises:
        DatasetError: unknown data set or option, or a folder that cannot be read, with the remedy.
    """
    reader = _module(dataset).read
    known = [name for name in inspect.signature(reader).parameters if name != "root"] + ["split_file", "split_part"]
    for option in options:
        if option not in known:
            near = difflib.get_close_matches(option, known, n=1)
            hint = f"Did you mean '{near[0]}'? " if near else ""
            problem = f"the reader '{dataset}' has no option '{option}'"
            raise DatasetError(option, problem, f"{hint}Known are: {', '.join(known)}")
    with collect_notices() as said:
        corpus: Corpus = name_phantoms(reader(root, **options))
        if split_file is not None:
            corpus = apply_split(corpus, root, split_file, split_part)
    return replace(corpus, notices=tuple(dict.fromkeys((*said, *corpus.notices))))


def publication(dataset: str) -> Publication:
    """Return what the publisher says about a data set.

    Raises:
        DatasetError: unknown data set.
    """
    facts: Publication = _module(dataset).PUBLICATION
    return facts


def _module(dataset: str) -> ModuleType:
    if dataset not in READERS:
        near = difflib.get_close_matches(dataset, READERS, n=1)
        hint = f"Did you mean '{near[0]}'? " if near else ""
        raise DatasetError("dataset", f"no reader '{dataset}'", f"{hint}Known are: {', '.join(READERS)}")
    return import_module(f".{READERS[dataset]}", __name__)
