"""Which data sets can be read. A data set is one file; nothing lists them, they are found by the file's name.

Every public module of a room of this package (`cxr`, `fundus`, `ct`, `plain`, and whatever is added) reads the data set
that it is named after: it applies `reader` to its function `read`. What begins with an underscore helps such a module,
and what several share is in `support`.
"""

import difflib
import inspect
import os
import pkgutil
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ..files.errors import DatasetError
from ..overlay_readers import told_by_overlays
from ..records import Corpus
from .support.publication import Publication

SHARED = "support"  # the one room without data sets


@dataclass(frozen=True)
class Reader:
    """Turns the downloaded folder of one data set into a corpus; `reader` makes it.

    Args:
        publication: what its publisher says.
        function: takes the root and the data set's options.
        layout_root: gives, for the root, the folder below which files made for the images, such as label maps, repeat
            the images' paths.
    """

    publication: Publication
    function: Callable[..., Corpus]
    layout_root: Callable[[Path], Path]

    def __call__(self, root: str | os.PathLike[str], **options: Any) -> Corpus:
        """Read a folder; `common.readers.read` is the way for everyone, since it collects the notices."""
        return self.function(root, **options)

    @property
    def name(self) -> str:
        """Of the data set, and of the file."""
        return self.publication.name

    @property
    def options(self) -> tuple[str, ...]:
        """Names of its options, in the order of its signature."""
        return tuple(name for name in inspect.signature(self.function).parameters if name != "root")

    def refuse_unknown(self, options: Collection[str], common: Collection[str] = ()) -> None:
        """Refuse options that it does not have.

        Args:
            options: given.
            common: options that every reader has.

        Raises:
            DatasetError: naming the nearest.
        """
        known = [*self.options, *common]
        for option in options:
            if option not in known:
                problem = f"the reader '{self.name}' has no option '{option}'"
                raise DatasetError(option, problem, _remedy(option, known))


def reader(
    publication: Publication, layout_root: Callable[[Path], Path] = lambda root: root
) -> Callable[[Callable[..., Corpus]], Reader]:
    """Make a module's function `read` the reader of its data set; arguments as of `Reader`.

    Example:
        >>> @reader(Publication("jsrt", "JSRT", where, licence, citation, images=247))
        ... def read(root, val_fraction=0.1, seed=0):
        ...     return finish(read.publication, records, val_fraction=val_fraction, seed=seed)

    Raises:
        ValueError: the publication is named otherwise than the module, by which it is found.
    """

    def decorate(function: Callable[..., Corpus]) -> Reader:
        file = function.__module__.rpartition(".")[2]
        if file != publication.name:
            raise ValueError(f"the publication in {file}.py is named {publication.name!r}: give both one name")
        return Reader(publication, function, layout_root)

    return decorate


def reader_modules() -> dict[str, str]:
    """Return data set -> module that reads it, sorted; nothing is imported.

    `find_reader` imports such a module by a name that a recipe gives, here and nowhere else: whoever follows imports,
    as an export does, sees none of them and finds them by this function.
    """
    package = sys.modules[__package__]
    modules = {}
    for room in pkgutil.iter_modules(package.__path__):
        if room.ispkg and room.name != SHARED:
            for module in pkgutil.iter_modules([f"{place}/{room.name}" for place in package.__path__]):
                if not module.ispkg and not module.name.startswith("_"):
                    modules[module.name] = f"{package.__name__}.{room.name}.{module.name}"
    return dict(sorted(modules.items()))


def find_reader(dataset: str) -> Reader:
    """Return the reader of a data set.

    Raises:
        DatasetError: unknown data set, naming the nearest, or the reader of the overlay that is called so.
    """
    modules = reader_modules()
    if dataset not in modules:
        remedy = told_by_overlays(dataset) or _remedy(dataset, list(modules))
        raise DatasetError("dataset", f"no reader '{dataset}'", remedy)
    found: Reader = import_module(modules[dataset]).read
    return found


def _remedy(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    return f"{hint}Known are: {', '.join(known)}"
