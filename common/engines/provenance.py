"""Which version of the code is running."""

import subprocess
from functools import cache
from pathlib import Path


@cache
def commit() -> str | None:
    """Hash of the checked-out commit, with `-dirty` when files differ from it; None outside a checkout."""
    folder = Path(__file__).parent
    try:
        head = _git("rev-parse", "HEAD", folder=folder)
        # a folder that merely lies inside someone else's repository is no checkout of this code
        tracked = _git("ls-files", Path(__file__).name, folder=folder)
        changed = _git("status", "--porcelain", "--untracked-files=no", folder=folder)
    except (OSError, subprocess.SubprocessError):
        return None
    if not tracked:
        return None
    return f"{head}-dirty" if changed else head


def _git(*arguments: str, folder: Path) -> str:
    answer = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=20, check=True)
    return answer.stdout.strip()
