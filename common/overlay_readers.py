"""Overlays whose name was given where that of a data set belongs: which reader they use, and how.

Nothing is imported for it. An exported bundle has no overlays, and this then knows none.
"""

from pathlib import Path

import yaml

BUNDLES = Path(__file__).parents[1] / "bundles"


def told_by_overlays(name: str, bundles: Path = BUNDLES) -> str | None:
    """What to do where the name of an overlay was given for a data set's; None where no overlay is called so.

    Args:
        name: that was given.
        bundles: folder of all bundles.
    """
    for folder, prefix in (("data", ""), ("probe", "probe_")):
        for path in sorted(bundles.glob(f"*/configs/{folder}/*.yaml")):
            content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.stem == name else {}
            if reader := content.get(f"{prefix}dataset"):
                options = content.get(f"{prefix}options" if prefix else "dataset_options")
                return _remedy(name, path.parents[2].name, reader, options or {})
    return None


def _remedy(name: str, bundle: str, reader: str, options: dict) -> str:
    written = yaml.safe_dump(options, default_flow_style=True, width=float("inf"), sort_keys=False).strip()
    used = f"{reader} with the options {written}" if options else reader
    return (
        f"'{name}' is an overlay of {bundle}, whose reader is {used}. Name the reader"
        f"{' and give these options' if options else ''}, or run {bundle} with this overlay"
    )
