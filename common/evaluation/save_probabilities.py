"""Write what a classifier says of a folder of images or volumes to a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.io.common import infer_compression

from ..files import outputs
from .save_items import SaveItems


class SaveProbabilities(SaveItems):
    """Handler of an evaluator: one CSV row per image or volume, `source` and a probability per finding.

    Args:
        path: of the CSV file; its folder is made when absent.
        findings: names of the network's outputs.
    """

    def __init__(self, path: str, findings: Sequence[str]):
        self.path = Path(path)
        self.findings = list(findings)

    def kept(self, item: dict[str, Any], batch: dict[str, Any]) -> list[Any]:
        """A row of the table."""
        return [batch["source"], *item["pred"].tolist()]

    def write(self) -> None:
        """Write the table."""
        packed: Any = infer_compression(self.path, "infer")
        with outputs(self.path) as [partial]:
            # Columns by position: a finding may be called `source`, or like another one.
            table = pd.DataFrame(self.items, columns=["source", *self.findings])
            table.to_csv(partial, index=False, float_format="%.6f", compression=packed)
        print(
            f"Wrote probabilities of {', '.join(self.findings)} for {len(self.items)} of them to {self.path.resolve()}"
        )
