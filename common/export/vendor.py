"""Copy the code that an exported bundle needs into its single package."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..readers import reader_modules
from .asked import data_sets, of_config, of_source
from .imports import Target
from .reach import Reach
from .rewrite import SHARED, VENDORED, ExportError, rewrite_source

COMMON = Path(__file__).resolve().parent.parent


def vendor(bundle: Path, out: Path, configs: Mapping[str, Any]) -> None:
    """Write `out/scripts`: the bundle's own files with their imports renamed, and what they and the configs need.

    Args:
        bundle: folder of the bundle in the repository.
        out: folder of the exported bundle.
        configs: what is exported, in the repository's names, by file name.

    Raises:
        ExportError: a file's imports have no portable form, or something asks `common` for what it has not.
    """
    scripts = out / VENDORED
    scripts.mkdir(parents=True)
    about = f"Code of the exported bundle {bundle.name}; `{SHARED}` below is what it needs of what bundles share."
    (scripts / "__init__.py").write_text(f'"""{about}"""\n')
    reach = Reach(COMMON)
    readers = reader_modules()
    for dataset in sorted(data_sets(bundle, configs, readers)):
        reach.ask(Target(tuple(readers[dataset].split(".")[1:]), None), "the data sets")
    for name, config in configs.items():
        for asked in of_config(config):
            reach.ask_dotted(asked, f"{name}.yaml")
    for path in source_files(bundle / VENDORED):
        target = scripts / path.relative_to(bundle / VENDORED)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".py":
            where = str(path.relative_to(bundle))
            source = rewrite_source(path.read_text(), bundle.name, where)
            for needed in of_source(path.read_text(), where):
                reach.ask(needed, where)
            if path.name != "__init__.py" or source.strip():
                target.write_text(source)
        else:
            shutil.copyfile(path, target)
    if (scripts / SHARED).exists():
        raise ExportError(f"{bundle.name}/{VENDORED}/{SHARED} takes the name of the package that the export adds.")
    for part, text in reach.files().items():
        target = scripts / SHARED / part
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def source_files(folder: Path) -> Iterator[Path]:
    """Files below a folder that belong to its source, in a fixed order; caches and hidden files do not."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part == "__pycache__" or part.startswith(".") for part in parts):
            yield path
