"""The data sets that can be read, as a table for people."""

from .registry import find_reader, reader_modules
from .support.publication import Publication

HEADER = ("name", "images", "what comes with them", "official split", "licence")


def list_datasets() -> str:
    """Return a line for each data set with a publisher, in columns: name, images, what it gives, split, licence."""
    publications = [find_reader(dataset).publication for dataset in reader_modules()]
    rows = [HEADER, *(_row(publication) for publication in publications if publication.images is not None)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    own = ", ".join(publication.name for publication in publications if publication.images is None)
    return "\n".join([*lines, "", f"For files of your own: {own} (docs/own_data.md)."])


def _row(publication: Publication) -> tuple[str, ...]:
    splits = ", ".join(f"{name} {count:,}" for name, count in publication.splits.items())
    count = f"{publication.images:,}" + (" volumes" if publication.volumes else "")
    return (
        publication.name,
        count,
        ", ".join(publication.gives) or "-",
        splits or "none: drawn by patient",
        publication.licence,
    )
