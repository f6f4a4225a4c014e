"""Run Python where the repository cannot be seen, as a stranger who received only the exported folder would."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_BLOCKER = '''\
"""Hides an editable install and refuses the repository's packages; Python runs this file when it starts."""
import sys

HIDDEN = ("common", "bundles")


class Refuse:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}: the repository is hidden", name=name)
        return None


others = [finder for finder in sys.meta_path if "editable" not in getattr(finder, "__module__", "")]
sys.meta_path[:] = [Refuse, *others]
sys.path[:] = [entry for entry in sys.path if "__editable__" not in entry]
'''


def isolated_environment(folder: Path) -> dict[str, str]:
    """Environment variables for a Python process that can import neither `common` nor `bundles`.

    An editable install makes both importable everywhere, so leaving the repository is not enough.

    Args:
        folder: an existing scratch folder; it receives the start-up file that does the hiding.
    """
    (folder / "sitecustomize.py").write_text(_BLOCKER)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return {**environment, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}


def run_isolated(arguments: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `python ARGUMENTS` inside a folder, where it can import neither `common` nor `bundles`."""
    with tempfile.TemporaryDirectory() as scratch:
        environment = isolated_environment(Path(scratch))
        return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
