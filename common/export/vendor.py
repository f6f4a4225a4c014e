"""Copy the code that an exported bundle needs into its single package."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from .rewrite import SHARED, VENDORED, ExportError, rewrite_source

COMMON = Path(__file__).resolve().parent.parent
LEFT_BEHIND = "export"  # the last step of the ladder: nothing else imports it, and an exported bundle is not exported


def vendor(bundle: Path, out: Path) -> None:
    """Write `out/scripts`: the bundle's own files with their imports renamed, and `common` as it is.

    Args:
        bundle: folder of the bundle in the repository.
        out: folder of the exported bundle.

    Raises:
        ExportError: a file's imports have no portable form.
    """
    scripts = out / VENDORED
    scripts.mkdir(parents=True)
    package = (
        f'"""Code of the exported bundle {bundle.name}; `{SHARED}` below is what it shares with other bundles."""\n'
    )
    (scripts / "__init__.py").write_text(package)
    for path in source_files(bundle / VENDORED):
        target = scripts / path.relative_to(bundle / VENDORED)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".py":
            source = rewrite_source(path.read_text(), bundle.name, str(path.relative_to(bundle)))
            if path.name != "__init__.py" or source.strip():
                target.write_text(source)
        else:
            shutil.copyfile(path, target)
    if (scripts / SHARED).exists():
        raise ExportError(f"{bundle.name}/{VENDORED}/{SHARED} takes the name of the package that the export adds.")
    for path in source_files(COMMON):
        part = path.relative_to(COMMON)
        if part.parts[0] == LEFT_BEHIND:
            continue
        target = scripts / SHARED / part
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def source_files(folder: Path) -> Iterator[Path]:
    """Files below a folder that belong to its source, in a fixed order; caches and hidden files do not."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part == "__pycache__" or part.startswith(".") for part in parts):
            yield path
