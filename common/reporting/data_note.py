"""A file beside a run's weights that says what they were trained on and judged by."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..files import write_atomically
from ..records.data_used import DataUsed
from ..records.lineage import BEGAN_WITH, EXPERTS, TRAINED, as_lineage
from ..run_folder import DATA

VALIDATED = "validated_on"


class DataNote:
    """`data.json` of a run: lists of data sets with split, images (or volumes) and patients.

    `began_with` stands there where the weights that the training began with tell what they were made from: `method`,
    `corpora` (names of data sets) and, of encoder files that know it, `trained_on`, a list like the run's own;
    `experts` has the two of the teachers that those weights learned from.

    Args:
        directory: of the run; made when something is written.
    """

    def __init__(self, directory: Path):
        self.path = directory / DATA

    def write(
        self,
        trained: Sequence[DataUsed],
        validated: Sequence[DataUsed],
        goes_on: bool,
        began: Mapping[str, Any] | None = None,
    ) -> None:
        """Note what a training reads; nothing where its dataset does not tell.

        Args:
            trained: of the trainer's data loader.
            validated: of the evaluator's.
            goes_on: the weights come from the run's own checkpoint: what they saw before is kept.
            began: `beginning` of the network that is trained; kept as it was noted where there is none.
        """
        if not trained:
            return
        before = self.read()[TRAINED] if goes_on else []
        content = {
            TRAINED: [used.as_dict() for used in dict.fromkeys([*before, *trained])],
            VALIDATED: [used.as_dict() for used in validated],
        }
        began = dict(began or ({BEGAN_WITH: self.beginning()} if goes_on and self.beginning() else {}))
        write_atomically(json.dumps({**content, **began}, indent=2) + "\n", self.path)

    def read(self) -> dict[str, list[DataUsed]]:
        """What is noted under `trained_on` and `validated_on`; empty lists where it is not, or cannot be read."""
        try:
            content: Any = json.loads(self.path.read_text())
            return {key: [DataUsed(**entry) for entry in content[key]] for key in (TRAINED, VALIDATED)}
        except (OSError, ValueError, KeyError, TypeError):
            return {TRAINED: [], VALIDATED: []}

    def beginning(self) -> dict[str, Any]:
        """What is noted of the weights that the run began with; empty where they were random, or nothing is said."""
        try:
            found = json.loads(self.path.read_text())[BEGAN_WITH]
            as_lineage(found), as_lineage(found.get(EXPERTS, {}))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}
        return dict(found)


def tags(
    trained: Sequence[DataUsed] = (), validated: Sequence[DataUsed] = (), evaluated: Sequence[DataUsed] = ()
) -> dict[str, str]:
    """MLflow tags of what is known."""
    named = {TRAINED: trained, VALIDATED: validated, "evaluated_on": evaluated}
    return {f"data.{name}": "; ".join(map(str, used)) for name, used in named.items() if used}
