"""What an exported bundle needs of `common`: files, and the definitions in them.

To ask a file for one name reaches what this name needs and nothing else; to ask for the file reaches all that it
offers. What a file does when it is imported, beside defining names, always comes along.
"""

from pathlib import Path

from .imports import Parts, Target, refuse_computed
from .rewrite import SHARED, ExportError
from .source import Source

REGISTRY = ("readers", "registry")  # imports a data set's module by its name; `vendor` asks for those that are needed


class Reach:
    """Grows with each name that is asked for, by all that this name needs.

    Args:
        root: the folder `common`.
    """

    def __init__(self, root: Path):
        self.root = root
        self._sources: dict[Parts, Source] = {}
        self._asked: dict[Parts, set[str]] = {}
        self._waiting: list[tuple[Target, str]] = []

    def ask(self, target: Target, where: str) -> None:
        """Reach a name of a module.

        Args:
            target: the module, and its name; without one the module and everything that it offers.
            where: who asks, for the error.

        Raises:
            ExportError: there is no such name, or what is reached imports a module by a computed name.
        """
        self._waiting.append((target, where))
        while self._waiting:
            self._answer(*self._waiting.pop())

    def ask_dotted(self, name: str, where: str) -> None:
        """Reach a dotted name that does not say where its module ends: `losses.LabelLoss`."""
        parts = tuple(name.split("."))
        for depth, part in enumerate(parts):
            source = self._take(parts[:depth], where)
            if part in source.offers or part in source.defines or not source.is_package:
                return self.ask(Target(parts[:depth], part), where)
        self.ask(Target(parts, None), where)

    def files(self) -> dict[Path, str]:
        """Text of each file that is reached, by its path below `root`."""
        steps = {place[0] for place in self._sources if place}
        return {
            source.path.relative_to(self.root): source.trimmed(self._asked[place], steps)
            for place, source in self._sources.items()
        }

    def _answer(self, target: Target, where: str) -> None:
        place, name = target
        source = self._take(place, where)
        known = {*source.offers, *source.defines}
        if name is not None and name not in known:
            if not source.is_package:
                raise _absent((*place, name), where)
            self._take((*place, name), where)
            return self._waiting.append((Target((*place, name), None), where))
        for wanted in (known if name is None else {name}) - self._asked[place]:
            self._asked[place].add(wanted)
            self._waiting.extend((needed, str(source.path)) for needed in source.needs(wanted))

    def _take(self, place: Parts, where: str) -> Source:
        """A module's file, or a package's, with all that it needs in any case."""
        if place in self._sources:
            return self._sources[place]
        if place:
            self._take(place[:-1], where)  # Python runs the packages that a module lies in
        path = self.root.joinpath(*place)
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if not path.is_file():
            raise _absent(place, where)
        source = self._sources[place] = Source(path, place)
        self._asked[place] = set()
        if place and place != REGISTRY:  # `common` itself imports its steps by their names, and keeps the shipped ones
            refuse_computed(source.tree, str(path), source.tables)
        self._waiting.extend((needed, str(path)) for needed in source.standing)
        return source


def _absent(place: Parts, where: str) -> ExportError:
    return ExportError(f"{where} asks for {'.'.join((SHARED, *place))}, which is not there. Correct the name.")
