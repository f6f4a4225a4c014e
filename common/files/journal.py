"""What is finished of a long work, one line each, so that a killed process costs only the line it was writing."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Line = dict[str, Any]


class Journal:
    """Lines of JSON `[name, facts]` that are only ever added; of two with one name the later holds.

    Args:
        path: of the file, which need not exist.
    """

    def __init__(self, path: Path):
        self.path = path

    def read(self) -> dict[Any, Line]:
        """Return name -> facts; what is torn or damaged is passed over, since its work can be done again."""
        found: dict[Any, Line] = {}
        for text in self.path.read_text(errors="replace").splitlines() if self.path.exists() else ():
            try:
                name, facts = json.loads(text)
                # Earlier stores wrote runs of neighbours, [number of the first, [facts, ...]].
                found |= {name: facts} if isinstance(facts, dict) else dict(enumerate(facts, name))
            except (ValueError, TypeError):
                continue
        return {name: facts for name, facts in found.items() if isinstance(facts, dict)}

    def add(self, lines: Mapping[Any, Line]) -> None:
        """Write lines safely to the disk."""
        with self.path.open("a") as file:
            # A leading line break closes a line that a kill left torn.
            file.write("".join(f"\n{json.dumps(entry)}" for entry in lines.items()) + "\n")
            file.flush()
            os.fsync(file.fileno())
