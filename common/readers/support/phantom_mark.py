"""Tells a phantom from the data set in whose layout it is written.

A phantom looks like a download to its reader, and a network trained on it would be said to know ChestX-ray14. Its
writer therefore leaves a mark, and `read` names the corpus, and each record's source, after it.
"""

import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

from ...files import write_atomically
from ...files.notices import add_notice
from ...records import Corpus

MARK = "phantom.json"
VERSION = 1
KEY = "phantom_in_layout_of"


def write_mark(folder: Path, layout: str, seed: int) -> None:
    """Mark a folder, before anything else is in it.

    Args:
        folder: of the phantom; made if missing.
        layout: name of the data set in whose layout it is written.
        seed: of the collection.
    """
    write_atomically(json.dumps({KEY: layout, "seed": seed, "version": VERSION}) + "\n", folder / MARK)


def name_phantoms(corpus: Corpus) -> Corpus:
    """Return the corpus with every record below a mark named `phantom_<layout>`, letters, digits and `_` alone.

    The mark counts wherever it lies above an image: a phantom may be read by its root, by a folder in it, by one that
    holds it, or by a reader of plain folders. A corpus that holds others besides has both names, joined by `+`.

    Args:
        corpus: of a reader.
    """
    marks: dict[Path, str | None] = {}
    folders = [os.path.dirname(record.image) for record in corpus.records]  # noqa: PTH120  (of 100,000 in no time)
    of_folder = {folder: _mark(Path(folder), marks) for folder in set(folders)}
    names = [of_folder[folder] for folder in folders]
    if all(name is None for name in names):
        return corpus
    sources = [
        record.source if name is None else f"phantom_{name or record.source}"
        for name, record in zip(names, corpus.records, strict=True)
    ]
    records = tuple(replace(record, source=source) for record, source in zip(corpus.records, sources, strict=True))
    name = "+".join(
        dict.fromkeys(corpus.name if name is None else source for name, source in zip(names, sources, strict=True))
    )
    counts = Counter(source for name, source in zip(names, sources, strict=True) if name is not None)
    for source, count in counts.items():
        add_notice(f"{count:,} images are of a phantom ({MARK}), named {source}")
    return replace(corpus, name=name, records=records)


def _mark(folder: Path, marks: dict[Path, str | None]) -> str | None:
    found = _mark_above(folder, marks)
    return _mark_above(folder.resolve(), marks) if found is None else found  # reached through a link


def _mark_above(folder: Path, marks: dict[Path, str | None]) -> str | None:
    """The layout that the nearest mark names, "" where it cannot be read; None without a mark."""
    if folder not in marks:
        found = _layout(folder / MARK)
        marks[folder] = _mark_above(folder.parent, marks) if found is None and folder != folder.parent else found
    return marks[folder]


def _layout(path: Path) -> str | None:
    try:
        content = json.loads(path.read_text())
    except OSError:
        return None
    except ValueError:
        return ""
    layout = content.get(KEY) if isinstance(content, dict) else None
    return layout if isinstance(layout, str) else None  # somebody else's file of that name is no mark
