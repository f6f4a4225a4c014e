"""What an expert was trained on, which a student learns from without ever seeing it."""

import json
from pathlib import Path
from typing import Any

from ..records.lineage import BEGAN_WITH, EXPERTS, TRAINED, Lineage, as_lineage
from ..run_folder import DATA


def told_by_run(folder: Path) -> Lineage:
    """Data of a run and of what it began with, as its `data.json` tells; empty where it does not.

    Args:
        folder: of the run.
    """
    try:
        content: Any = json.loads((folder / DATA).read_text(encoding="utf-8"))
        began = content.get(BEGAN_WITH, {})
        return as_lineage(began) + as_lineage(began.get(EXPERTS, {})) + Lineage((), content[TRAINED])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Lineage()
