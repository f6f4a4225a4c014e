"""What an exported bundle needs of `common`: modules, and the names that a package then offers.

To ask a package for one name reaches the module that defines it and no other; to ask for the package itself
reaches everything that it offers.
"""

import ast
from pathlib import Path

from .imports import Parts, Target, at_run_time, refuse_computed, targets
from .package import Package
from .rewrite import SHARED, ExportError

REGISTRY = ("readers", "registry")  # imports a data set's module by its name; `vendor` asks for those that are needed


class Reach:
    """Grows with each name that is asked for, by all that this name needs.

    Args:
        root: the folder `common`.
    """

    def __init__(self, root: Path):
        self.root = root
        self._modules: dict[Parts, Path] = {}
        self._packages: dict[Parts, Package] = {}
        self._asked: dict[Parts, set[str]] = {}

    def ask(self, target: Target, where: str) -> None:
        """Reach a name of a module.

        Args:
            target: the module, and its name; without one the module and, of a package, everything that it offers.
            where: who asks, for the error.

        Raises:
            ExportError: there is no such name, or what is reached imports a module by a computed name.
        """
        module, name = target
        package = self._ship(module, where)
        if package is None or name in package.defines:
            return
        if name is None or name in package.offers:
            for offered in package.offers if name is None else (name,):
                self._ask_of(package, offered)
        else:
            self.ask(Target((*module, name), None), where)

    def ask_dotted(self, name: str, where: str) -> None:
        """Reach a dotted name that does not say where its module ends: `losses.LabelLoss`."""
        parts = tuple(name.split("."))
        for depth, part in enumerate(parts):
            package = self._ship(parts[:depth], where)
            if package is None or part in package.defines or part in package.offers:
                return self.ask(Target(parts[:depth], part), where)
        self.ask(Target(parts, None), where)

    def files(self) -> dict[Path, str]:
        """Text of each file that is reached, by its path below `root`."""
        found = {path.relative_to(self.root): path.read_text(encoding="utf-8") for path in self._modules.values()}
        steps = {parts[0] for parts in (*self._modules, *self._packages) if parts}
        for parts, package in self._packages.items():
            found[package.path.relative_to(self.root)] = package.trimmed(self._asked[parts], steps)
        return found

    def _ask_of(self, package: Package, name: str) -> None:
        if name not in self._asked[package.parts]:
            self._asked[package.parts].add(name)
            self.ask(package.offers[name], str(package.path))

    def _ship(self, place: Parts, where: str) -> Package | None:
        """Take a module, or a package's own code, with all that it imports."""
        if place in self._modules or place in self._packages:
            return self._packages.get(place)
        if place:
            self._ship(place[:-1], where)  # Python runs the packages that a module lies in
        path = self.root.joinpath(*place)
        if (path / "__init__.py").is_file():
            return self._take_package(Package(path / "__init__.py", place))
        path = path.with_suffix(".py")
        if not path.is_file():
            raise ExportError(f"{where} asks for {'.'.join((SHARED, *place))}, which is not there. Correct the name.")
        self._modules[place] = path
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if place != REGISTRY:
            refuse_computed(tree, str(path), ())
        for target in [target for node in at_run_time(tree) for _, target in targets(node, place[:-1])]:
            self.ask(target, str(path))
        return None

    def _take_package(self, package: Package) -> Package:
        self._packages[package.parts], self._asked[package.parts] = package, set()
        if package.parts:  # `common` itself imports its steps by their names, of which it keeps those that are shipped
            refuse_computed(package.tree, str(package.path), package.tables)
        for needed in package.needs:
            self.ask(needed, str(package.path))
        return package
