"""`list`: what there is: bundles and their overlays, data sets, runs."""

import json
import shutil
import sys
from collections.abc import Iterator, Sequence

from . import words
from .bundles import Bundle, bundles, purpose
from .data_sets import data_sets
from .errors import UsageError, choose
from .line import near
from .results import results

USAGE = "list [bundles] [overlays] [datasets] [runs]"
HELP = """Show bundles, their overlays, data sets, and runs below ./runs; all four, or those that are named."""

WIDE = 10_000


def list_(arguments: Sequence[str]) -> int:
    """Print what there is.

    Raises:
        UsageError: there is no such part.
    """
    given = words.parse(arguments)
    words.refuse_overrides("list", given, [])
    for name in given.names:
        if name not in PARTS:
            raise UsageError(f"`list` knows no {name}.", choose(name, PARTS))
    for name in given.names or PARTS:
        print("\n".join([f"{name}:", *(cut(line) for line in PARTS[name]()), ""]))
    return 0


def task(bundle: Bundle) -> str:
    """What a bundle is for, as its metadata says."""
    said = json.loads((bundle.folder / "configs" / "metadata.json").read_text(encoding="utf-8"))
    return str(said.get("task") or said.get("name", ""))


def overlay_lines(bundle: Bundle) -> Iterator[str]:
    """A line for each overlay of a bundle."""
    known = bundle.overlays()
    width = max(map(len, known), default=0)
    for name, path in known.items():
        yield f"    {name:<{width}}  {purpose(path)}"


def _bundles() -> Iterator[str]:
    known = bundles()
    width = max(map(len, known))
    for name, bundle in known.items():
        yield f"  {name:<{width}}  {task(bundle)}"


def _overlays() -> Iterator[str]:
    for name, bundle in bundles().items():
        yield f"  {name}"
        yield from overlay_lines(bundle)


def _data_sets() -> Iterator[str]:
    known = data_sets()
    width = max(len(data_set.name) for data_set in known)
    for data_set in known:
        about = f"{data_set.title}; {data_set.licence}" if data_set.licence else data_set.title
        yield f"  {data_set.name:<{width}}  {data_set.kind:<6}  {about}"


def _runs() -> Iterator[str]:
    known = results()
    width = max((len(near(result.folder)) for result in known), default=0)
    for result in known:
        yield f"  {near(result.folder):<{width}}  {result.when:%Y-%m-%d %H:%M}  {result.said}"
    if not known:
        yield "  none below ./runs"


def cut(line: str) -> str:
    """A line no wider than the terminal; what is written to a file or a pipe stays whole."""
    if not sys.stdout.isatty():
        return line
    columns = shutil.get_terminal_size((WIDE, 0)).columns
    return line if len(line) <= columns else f"{line[: columns - 4].rstrip()} ..."


PARTS = {"bundles": _bundles, "overlays": _overlays, "datasets": _data_sets, "runs": _runs}
