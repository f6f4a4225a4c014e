"""Which weights an evaluation reads where the command names none."""

from pathlib import Path

from ..run_folder import MODEL


def run_weights(run_dir: str, bundle_root: str) -> str:
    """The run's `model.pt` or, where there is none as in an exported bundle, the bundle's own `models/model.pt`."""
    own = Path(run_dir) / MODEL
    return str(own) if own.is_file() else str(Path(bundle_root) / "models" / MODEL)
