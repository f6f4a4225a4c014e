"""One process, two exported bundles: each must run its own code."""

from collections.abc import Iterator
from pathlib import Path

from .callers import current_workflow

PACKAGE = Path(__file__).resolve().parents[2]  # `scripts` of the bundle whose code this is


def refuse_foreign_code() -> None:
    """Refuse to work for an exported bundle whose package `scripts` is not the one that this process has loaded.

    Every exported bundle calls its code `scripts`, and Python loads the first one only: the second bundle would build
    its network, and read its images, by the code of the first. Two exports of the same code may share it.

    Raises:
        ImportError: names both folders, and what to do.
    """
    workflow = current_workflow()
    if workflow is None:
        return
    own = (workflow.config_root_path.parent / "scripts").resolve()
    if not own.is_dir() or own == PACKAGE or dict(_sources(own)) == dict(_sources(PACKAGE)):
        return
    raise ImportError(
        f"{own} is the code of this bundle, but the process has loaded the package `scripts` from {PACKAGE}, another "
        "bundle's. Use a process for each bundle, or remove `scripts` and its submodules from sys.modules and put "
        f"{own.parent} first on sys.path before the bundle is loaded."
    )


def _sources(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*.py"):
        yield str(path.relative_to(folder)), path.read_bytes()
