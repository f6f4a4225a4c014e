r"""Say what a data set's folder holds, what is missing and where to get it, and what is wrong with it.

python scripts/check_data.py chestxray14 /data/ChestX-ray14
python scripts/check_data.py folder /data/chest_xray --option 'classes=[NORMAL, PNEUMONIA]' \
    --option 'patient_pattern=(person\d+)_'

Ends with status 0 when all is well, 1 when it found problems or images that are not read, 2 when the folder cannot be
read.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.files.errors import DatasetError, SharedPatients
from common.files.notices import printable
from common.readers import Publication, find_reader, read, reader_modules
from common.readers.inspection import Inspection, inspect_all, repeats, unread_images
from common.readers.support.options import parse_options
from common.records import SPLITS, Corpus

SHOWN = 10


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", help=f"one of {', '.join(reader_modules())}")
    parser.add_argument("root", help="the downloaded folder")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="of the reader; repeatable")
    parser.add_argument("--workers", type=int, help="processes (default: all cores)")
    parser.add_argument("--quick", action="store_true", help="do not open the images")
    arguments = parser.parse_args(words)
    try:
        source = find_reader(arguments.dataset).publication
        corpus, overlap = read_anyway(arguments.dataset, arguments.root, parse_options(arguments.option))
    except DatasetError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    print_contents(corpus)
    print_missing(corpus, source)
    unread = unread_images(corpus.records, Path(arguments.root).expanduser().resolve(), source.volumes)
    problems = list_lines("Images in the folder that are not read", [str(path) for path in unread])
    problems += list_lines("Patients in two splits", overlap)
    if not arguments.quick:
        problems += print_files(inspect_all(corpus.records, arguments.workers, sys.stderr.isatty(), source.volumes))
    print(f"\n{'No problems found.' if not problems else f'Problems found: {problems}.'}")
    return int(problems > 0)


def read_anyway(dataset: str, root: str, options: dict[str, Any]) -> tuple[Corpus, list[str]]:
    """Read, and where patients are shared between splits say so and go on."""
    try:
        return read(dataset, root, **options), []
    except SharedPatients as error:
        return read(dataset, root, **options | {"shared_patients": "separate"}), [str(error)]


def print_contents(corpus: Corpus) -> None:
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
        ("boxes", sum(len(record.boxes) for record in records)),
        ("images with landmarks", sum(bool(record.landmarks) for record in records)),
    ):
        if count:
            print(f"  {what:20} {count:8,}")
    views = Counter(record.view for record in records if record.view)
    if views:
        print("  views " + ", ".join(f"{view} {count:,}" for view, count in views.most_common()))


def print_missing(corpus: Corpus, source: Publication) -> None:
    print("\nMissing or different" + ("" if corpus.notices else ": nothing"))
    for notice in corpus.notices:
        print(f"  {notice}")
    print(f"  {source.title} is obtained from {source.where}")
    print(f"  it holds {', '.join(source.files)}")
    counts = ", ".join(f"{count:,} images to {name}" for name, count in source.splits.items())
    print(f"  official split: {counts or 'none'}")
    print(f"  licence: {source.licence}; cite: {source.citation}")


def print_files(inspections: Sequence[Inspection]) -> int:
    sizes = Counter(inspection.size for inspection in inspections if inspection.size)
    named = ", ".join(f"{' x '.join(map(str, size))} ({count:,})" for size, count in sizes.most_common(3))
    print(f"\nSizes: {named}" + (f" and {len(sizes) - 3} others" if len(sizes) > 3 else ""))
    problems = list_lines("Files with problems", [line for found in inspections for line in found.problems])
    same = [" = ".join(f"{record.image} ({record.split})" for record in group) for group in repeats(inspections)]
    return problems + list_lines("The same picture twice", same)


def list_lines(title: str, lines: Sequence[str]) -> int:
    print(f"\n{title}: {len(lines) or 'none'}")
    for line in lines[:SHOWN]:
        print(f"  {printable(line)}")
    if len(lines) > SHOWN:
        print(f"  ... and {len(lines) - SHOWN} more")
    return len(lines)


if __name__ == "__main__":
    sys.exit(main())
