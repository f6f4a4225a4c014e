"""Write what an encoder says of a folder of images to files that other tools read."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ignite.engine import Engine, Events

from ..files import outputs


class SaveEncodings:
    """Handler of an evaluator: global embeddings to one table, token maps to one file per image.

    `embeddings.parquet` has a row per image: `source` and the columns `e0 ... e{E-1}`. `tokens/<name>.npz` holds
    `tokens`, float16 (E, H, W), and `source`; it is left out unless asked for, since it is H * W times larger.

    Args:
        directory: where the files go; made when absent.
        dense: write the token maps too.
    """

    def __init__(self, directory: str, dense: bool = False):
        self.directory = Path(directory)
        self.dense = dense

    def attach(self, engine: Engine) -> None:
        """Collect after every batch and write the table at the end."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._collect)
        engine.add_event_handler(Events.COMPLETED, self._write)

    def _start(self, engine: Engine) -> None:
        (self.directory / "tokens" if self.dense else self.directory).mkdir(parents=True, exist_ok=True)
        self.sources: list[str] = []
        self.embeddings: list[np.ndarray] = []

    def _collect(self, engine: Engine) -> None:
        output: Any = engine.state.output
        sources, encoding = output["label"]["source"], output["pred"]
        self.embeddings.append(encoding["embedding"].cpu().numpy())
        if self.dense:
            for offset, (source, tokens) in enumerate(zip(sources, encoding["tokens"].cpu().numpy(), strict=True)):
                # The running number keeps apart images of the same name in different folders.
                name = f"{len(self.sources) + offset:06d}_{Path(source).stem}.npz"
                with outputs(self.directory / "tokens" / name) as [partial], partial.open("wb") as file:
                    np.savez(file, tokens=tokens.astype(np.float16), source=source)
        self.sources.extend(sources)

    def _write(self, engine: Engine) -> None:
        values = np.concatenate(self.embeddings)
        table = pd.DataFrame(values, columns=[f"e{i}" for i in range(values.shape[1])])
        table.insert(0, "source", self.sources)
        path = self.directory / "embeddings.parquet"
        with outputs(path) as [partial]:
            table.to_parquet(partial, index=False)
        print(f"Wrote {len(table)} embeddings of {values.shape[1]} numbers to {path.resolve()}")
