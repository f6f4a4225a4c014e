"""What a data set's folder holds, what is missing and where to get it, and what is wrong: printed for people."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..files.errors import SharedPatients
from ..files.notices import collect_notices, printable
from ..records import SPLITS, Corpus
from . import Publication, find_reader, read
from .guesses import guesses
from .inspection import Inspection, inspect_all, repeats, unread_images
from .support.copies import first_few_below
from .support.tree import Tree

SHOWN = 10


def check_folder(
    dataset: str,
    root: str,
    options: Mapping[str, Any],
    quick: bool = False,
    workers: int | None = None,
    progress: bool = False,
) -> int:
    """Read a data set, look into its files, and print what was found; returns the number of problems.

    Args:
        dataset: its reader.
        root: the downloaded folder.
        options: of the reader.
        quick: do not open the images.
        workers: processes that open them; None takes all cores.
        progress: show a progress bar.

    Raises:
        DatasetError: the folder cannot be read.
    """
    source = find_reader(dataset).publication
    corpus, overlap = _read_anyway(dataset, root, dict(options))
    _print_contents(corpus)
    _print_missing(corpus, source)
    unread = unread_images(corpus.records, Path(root).expanduser().resolve(), source.volumes)
    problems = _list("Images in the folder that are not read", [str(path) for path in unread])
    problems += _list("Patients in two splits", overlap)
    _print_defects(source, Path(root).expanduser().resolve(), quick)
    if dataset == "folder":
        _list("The names suggest", guesses(corpus.records, Path(root).expanduser().resolve(), options))
    if not quick:
        problems += _print_files(inspect_all(corpus.records, workers, progress, source.volumes))
    return problems


def _read_anyway(dataset: str, root: str, options: dict[str, Any]) -> tuple[Corpus, list[str]]:
    """Read, and where patients are shared between splits say so and go on."""
    try:
        return read(dataset, root, **options), []
    except SharedPatients as error:
        return read(dataset, root, **options | {"shared_patients": "separate"}), [str(error)]


def _print_contents(corpus: Corpus) -> None:
    records = corpus.records
    print(f"{corpus.name}: {len(records):,} images of {len({r.patient_id for r in records}):,} patients")
    for split in SPLITS:
        chosen = [record for record in records if record.split == split]
        print(f"  {split:5} {len(chosen):8,} images of {len({r.patient_id for r in chosen}):,} patients")
    labelled = [record.labels for record in records if record.labels is not None]
    for number, finding in enumerate(corpus.findings):
        values = [labels[number] for labels in labelled]
        unknown = sum(value != value for value in values)
        print(f"  {finding:20} {sum(value > 0 for value in values):8,} of {len(values) - unknown:,} known")
    for structure in corpus.structures:
        print(f"  mask {structure:15} {sum(structure in record.masks for record in records):8,}")
    for what, count in (
        ("label maps", sum(record.label_map is not None for record in records)),
        ("boxes", sum(len(record.boxes) for record in records)),
        ("images with landmarks", sum(bool(record.landmarks) for record in records)),
    ):
        if count:
            print(f"  {what:20} {count:8,}")
    views = Counter(record.view for record in records if record.view)
    if views:
        print("  views " + ", ".join(f"{view} {count:,}" for view, count in views.most_common()))


def _print_missing(corpus: Corpus, source: Publication) -> None:
    print("\nMissing or different" + ("" if corpus.notices else ": nothing"))
    for notice in corpus.notices:
        print(f"  {notice}")
    print(f"  {source.title} is obtained from {source.where}")
    print(f"  it holds {', '.join(source.files)}")
    counts = ", ".join(f"{count:,} images to {name}" for name, count in source.splits.items())
    print(f"  official split: {counts or 'none'}")
    print(f"  licence: {source.licence}; cite: {source.citation}")


def _print_defects(source: Publication, root: Path, quick: bool) -> None:
    """Look for what is known of the release by name; readers deal with it, so it is no problem to solve."""
    tree = Tree(root)
    with collect_notices():  # the reader has said it
        found = {known: known.find(tree) for known in source.defects if not (quick and known.opens)}
    if found:
        print("\nKnown defects of the release")
    for known, paths in found.items():
        told = f"{len(paths):,} ({first_few_below(root, paths)}). {known.remedy}" if paths else "none"
        print(f"  {known.name}: {told}")


def _print_files(inspections: Sequence[Inspection]) -> int:
    sizes = Counter(inspection.size for inspection in inspections if inspection.size)
    named = ", ".join(f"{' x '.join(map(str, size))} ({count:,})" for size, count in sizes.most_common(3))
    print(f"\nSizes: {named}" + (f" and {len(sizes) - 3} others" if len(sizes) > 3 else ""))
    problems = _list("Files with problems", [line for found in inspections for line in found.problems])
    same = [" = ".join(f"{record.image} ({record.split})" for record in group) for group in repeats(inspections)]
    return problems + _list("The same picture twice", same)


def _list(title: str, lines: Sequence[str]) -> int:
    print(f"\n{title}: {len(lines) or 'none'}")
    for line in lines[:SHOWN]:
        print(f"  {printable(line)}")
    if len(lines) > SHOWN:
        print(f"  ... and {len(lines) - SHOWN} more")
    return len(lines)
