"""The folder of a run: which bundle it ran, and what of it later commands need."""

import difflib
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..command.literal import PATH_KEY, SYNTAX
from ..command.run_files import RunFiles, read_run_files
from ..run_folder import CONFIG, ENCODER, MODEL, NETWORK
from .bundles import Bundle, bundles
from .errors import UsageError, choose
from .line import near
from .results import is_run

OUTPUT = Path("runs")


@dataclass(frozen=True)
class Run:
    """What a training left.

    Args:
        folder: of the run, absolute.
        bundle: that was trained.
        noted: its config and command; None in runs of versions that kept neither.
    """

    folder: Path
    bundle: Bundle
    noted: RunFiles | None

    @property
    def network(self) -> list[Path]:
        """The overlay that builds its network; none of a pre-training, whose encoder file describes itself."""
        return [path for path in [self.folder / NETWORK] if path.is_file()]

    @property
    def config(self) -> Path:
        """Its merged config."""
        return self.folder / CONFIG

    def weights(self, key: str) -> dict[str, str]:
        """The override that names its weights: a pre-training's encoder, or a network under a key.

        Raises:
            UsageError: it has none yet.
        """
        for name, wanted in ((ENCODER, "encoder_file"), (MODEL, key)):
            if (self.folder / name).is_file():
                return {wanted: near(self.folder / name)}
        raise UsageError(
            f"{near(self.folder)} has no weights: neither {MODEL} nor {ENCODER}.",
            "Train on until the first validation.",
        )

    def paths(self, without: Collection[str]) -> dict[str, str]:
        """Paths of its config that a command started here must be told.

        Those are relative ones that start from the folder that the training was started in, and what was typed and
        would be syntax in a config.

        Args:
            without: keys that are told in another way.
        """
        if self.noted is None:
            return {}
        told = {}
        for key, value in self.noted.config.items():
            if key in without or not PATH_KEY.search(key) or not isinstance(value, str) or not value:
                continue
            is_syntax, there = value[0] in SYNTAX or "#" in value, Path(self.noted.cwd) / value
            if is_syntax and key not in self.noted.overrides:
                continue
            if there.exists() and there.resolve() != Path(value).resolve():  # also where one of that name is here
                told[key] = str(there)
            elif is_syntax:
                told[key] = value
        return told


def find_run(word: str, output: Path = OUTPUT) -> Run:
    """A run by its folder, or by its name below `runs` where no other is called so.

    Raises:
        UsageError: there is no such run, several have the name, or nothing says which bundle it ran.
    """
    folder = Path(os.path.abspath(find_folder(word, output)))  # noqa: PTH100  as it was named, links and all
    try:
        noted = read_run_files(folder)
    except ValueError as error:
        raise UsageError(*str(error).split(". ", 1)) from error
    named = noted.bundle if noted is not None and noted.bundle else folder.parent.name
    known = bundles()
    if named not in known:
        raise UsageError(
            f"Nothing in {near(folder)} says which bundle was trained.",
            f"Move it below runs/BUNDLE/: {', '.join(known)}.",
        )
    return Run(folder, known[named], noted)


def merged(run: Run) -> dict[str, Any]:
    """The run's merged config.

    Raises:
        UsageError: its folder holds none.
    """
    if run.noted is None:
        raise UsageError(
            f"{near(run.folder)} holds no {CONFIG}: an earlier version trained it.",
            "Give MONAI's command with the files and options of the training; the bundle's README has it.",
        )
    return dict(run.noted.config)


def find_folder(word: str, output: Path = OUTPUT) -> Path:
    """The folder of a run, by its path or its name; raises as `find_run` where there is none or several."""
    known = [folder for folder in sorted(output.glob("*/*/")) if is_run(folder)]
    for folder in (Path(word), output / word):
        if is_run(folder):
            return folder
    if Path(word).is_dir():
        raise UsageError(f"{word} is no run: it holds no weights and no checkpoints.", _nearest(word, known))
    called = [folder for folder in sorted(output.glob(f"*/{word}/")) if is_run(folder)] if "/" not in word else []
    if len(called) == 1:
        return called[0]
    if called:
        raise UsageError(f"Several runs are called {word}.", f"Name one: {', '.join(map(str, called))}.")
    raise UsageError(f"There is no run {word}.", _nearest(word, known))


def _nearest(word: str, known: Collection[Path]) -> str:
    """A remedy that can be typed: the run whose folder is most like the word, or whose name is where that is a name."""
    places = {near(folder) if "/" in word else folder.name: near(folder) for folder in known}
    found = difflib.get_close_matches(word, places, n=1, cutoff=0.5)
    return choose(places[found[0]] if found else word, list(places.values()))
