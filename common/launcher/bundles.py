"""The bundles of the repository and their overlays, found by name."""

import re
from dataclasses import dataclass
from pathlib import Path

from .data_sets import data_sets
from .errors import UsageError, choose

ROOT = Path(__file__).resolve().parents[2]
FIRST = ("train", "analyse")  # what `run` runs: a training, or an analysis of what was trained elsewhere
RECIPES = (*FIRST, "inference")  # the first of a command's files; every other config is laid over one
SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Bundle:
    """A folder below `bundles/`.

    Args:
        folder: of the bundle.
    """

    folder: Path

    @property
    def name(self) -> str:
        """As commands call it."""
        return self.folder.name

    def config(self, name: str) -> Path:
        """File of a config by its name below `configs/`, without the suffix."""
        return self.folder / "configs" / f"{name}.yaml"

    @property
    def recipe(self) -> str:
        """Name of the config that `run` runs."""
        return next(name for name in FIRST if self.config(name).is_file())

    @property
    def trains(self) -> bool:
        """Whether its runs are trainings, which can be evaluated, inferred with and exported."""
        return self.recipe == "train"

    def overlays(self) -> dict[str, Path]:
        """What can be laid over the recipe: name below `configs/` -> file."""
        configs = self.folder / "configs"
        files = sorted(configs.rglob("*.yaml"), key=lambda path: (len(path.parts), path))
        names = {path.relative_to(configs).with_suffix("").as_posix(): path for path in files}
        return {name: path for name, path in names.items() if name not in RECIPES}

    def overlay(self, word: str) -> Path:
        """The file that a word means: an overlay by its name or, where no other is called so, its last part; or a file.

        Raises:
            UsageError: nothing is called so, or several are.
        """
        known = self.overlays()
        name = word.removesuffix(".yaml")
        if name in known:
            return known[name]
        if Path(word).is_file() and Path(word).suffix in SUFFIXES:
            return Path(word)
        called = [full for full in known if full.rpartition("/")[2] == name]
        if len(called) == 1:
            return known[called[0]]
        if called:
            raise UsageError(f"{self.name} has several overlays called {word}.", f"Name one: {', '.join(called)}.")
        short = [*known, *(full.rpartition("/")[2] for full in known)]
        remedy = choose(name, short)
        if name in [data_set.name for data_set in data_sets()]:
            remedy = f"{name} is the reader of a data set: write --dataset {name} --dataset_dir FOLDER."
        raise UsageError(f"{self.name} has no overlay {word}, and there is no such file.", remedy)


def bundles(root: Path = ROOT) -> dict[str, Bundle]:
    """Every bundle by name.

    Raises:
        UsageError: there are none beside the package `common`.
    """
    files = [path for name in FIRST for path in root.glob(f"bundles/*/configs/{name}.yaml")]
    found = {path.parents[1].name: Bundle(path.parents[1]) for path in files}
    if not found:
        raise UsageError(f"There is no bundle in {root / 'bundles'}.", "Start the command in the repository's root.")
    return dict(sorted(found.items()))


def find_bundle(word: str, root: Path = ROOT) -> Bundle:
    """A bundle by its name, or by its folder as a shell completes it.

    Raises:
        UsageError: no bundle is called so.
    """
    known = bundles(root)
    path = Path(word)
    name = path.name if path.resolve().parent == root / "bundles" else word
    if name not in known:
        raise UsageError(f"There is no bundle {word}.", choose(name, known))
    return known[name]


def purpose(path: Path) -> str:
    """The first sentence of the comment at the top of a config."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#") or line.startswith("#   "):
            break
        lines.append(line.removeprefix("#").strip())
    return first_sentence(" ".join(lines))


def first_sentence(text: str) -> str:
    """Up to the first full stop, or a command."""
    return " ".join(re.split(r"(?<=\.)\s|:?\s(?=torchrun |python )", text, maxsplit=1)[0].split())
