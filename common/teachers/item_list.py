"""A list of what an expert that runs elsewhere is to say something about."""

import os
from pathlib import Path

import pandas as pd

from ..images import StoreRegions
from .embedding_table import EDGES, row_key


def write_list(dataset: StoreRegions, out: Path, root: Path | None = None) -> int:
    """Write the file and the edges of every image and patch, each once; returns their number.

    With one more column, `embedding`, a .parquet of it is a table of embeddings.

    Args:
        dataset: whose items are listed.
        out: `.csv` or `.parquet` file; its folder is made.
        root: folder from which files are named; None names them by their whole paths.

    Raises:
        ValueError: another kind of file.
    """
    if out.suffix not in (".csv", ".parquet"):
        raise ValueError(f"{out} is no kind of list; its name must end in .csv or .parquet.")
    rows = {}
    for file, edges in dict.fromkeys(dataset.keys()):  # what recurs is listed once
        name = file if root is None else os.path.relpath(file, root)
        rows[row_key(name, edges)] = name, *edges
    table = pd.DataFrame(list(rows.values()), columns=["source", *EDGES])
    out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(out, index=False) if out.suffix == ".csv" else table.to_parquet(out, index=False)
    return len(table)
