"""Write what a classifier says of a folder of images or volumes to a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from ignite.engine import Engine, Events
from pandas.io.common import infer_compression

from ..files import outputs


class SaveProbabilities:
    """Handler of an evaluator: one CSV row per image or volume, `source` and a probability per finding.

    Args:
        path: of the CSV file; its folder is made when absent.
        findings: names of the network's outputs.
    """

    def __init__(self, path: str, findings: Sequence[str]):
        self.path = Path(path)
        self.findings = list(findings)

    def attach(self, engine: Engine) -> None:
        """Collect after every batch and write at the end, also where an unreadable file ends the run."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._collect)
        engine.add_event_handler(Events.COMPLETED, self._write)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._write_and_raise)

    def _start(self, engine: Engine) -> None:
        self.rows: list[list[Any]] = []

    def _collect(self, engine: Engine) -> None:
        state: Any = engine.state
        for item, batch in zip(state.output, state.batch, strict=True):
            self.rows.append([batch["source"], *item["pred"].tolist()])

    def _write_and_raise(self, engine: Engine, error: BaseException) -> None:
        self._write(engine)
        raise error

    def _write(self, engine: Engine) -> None:
        packed: Any = infer_compression(self.path, "infer")
        with outputs(self.path) as [partial]:
            # Columns by position: a finding may be called `source`, or like another one.
            table = pd.DataFrame(self.rows, columns=["source", *self.findings])
            table.to_csv(partial, index=False, float_format="%.6f", compression=packed)
        print(
            f"Wrote probabilities of {', '.join(self.findings)} for {len(self.rows)} of them to {self.path.resolve()}"
        )
