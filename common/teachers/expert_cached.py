"""An expert whose embeddings were computed beforehand."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .embedding_table import EmbeddingTable, name_of, read_table, row_key
from .expert import Edges, Expert


class CachedExpert(Expert):
    """Looks embeddings up by file and patch; the images themselves are not looked at.

    The targets are those of the un-augmented images (methods D6), and cost nothing.

    Args:
        tables: one or more; a file's name may be a whole path or the end of one (`images/a.png`, `a.png`).
        name: of the tables, for messages.

    Raises:
        ValueError: a row occurs twice, or the tables' embeddings differ in length.
    """

    def __init__(self, tables: Sequence[EmbeddingTable], name: str):
        super().__init__()
        lengths = [table.embeddings.shape[1] for table in tables]
        if len(set(lengths)) != 1:
            raise ValueError(f"{name}: embeddings differ in length, {lengths}; they come from different experts.")
        self.embed_dim, self.name = lengths[0], name
        self._table = torch.from_numpy(np.concatenate([table.embeddings for table in tables]))
        self._rows: dict[tuple[str, Edges], int] = {}
        for table in tables:
            for key in table.rows():
                if key in self._rows:
                    raise ValueError(
                        f"{name}: {name_of(*key)} occurs twice. Where two data sets share file names, "
                        "compute their embeddings with --absolute."
                    )
                self._rows[key] = len(self._rows)
        self._files = {file for file, _ in self._rows}
        self._known: dict[str, str | None] = {}

    @classmethod
    def read(cls, paths: Iterable[Path]) -> "CachedExpert":
        """Read one or more `.npz` or `.parquet` files."""
        paths = list(paths)
        return cls([read_table(path) for path in paths], ", ".join(map(str, paths)))

    @torch.no_grad()
    def embed(self, images_BCHW: Tensor, batch: Mapping[str, Any]) -> Tensor:
        """Embeddings (B, K) of the files and patches that `batch` names."""
        edges = batch["patch"].tolist()
        rows = [self._row(file, box) for file, box in zip(batch["source"], edges, strict=True)]
        return self._table[rows].to(images_BCHW.device)

    def check(self, items: Iterable[tuple[str, Edges]]) -> None:
        """Raise unless there is an embedding for every item.

        Raises:
            KeyError: names the first image or patch that has none.
            ValueError: two images end alike and would share an embedding.
        """
        items = list(items)
        lacking = [(file, edges) for file, edges in items if self._find(file, edges) is None]
        if lacking:
            raise KeyError(_absent(self.name, *lacking[0], count=len(lacking)))
        owners: dict[str | None, str] = {}
        for file, _ in items:
            owner = owners.setdefault(self._known[file], file)
            if owner != file:
                raise ValueError(
                    f"{self.name}: {owner} and {file} would both take the embeddings of {self._known[file]}. Compute "
                    "them with scripts/cache_embeddings.py --absolute."
                )

    def _row(self, file: str, edges: Any) -> int:
        row = self._find(file, edges)
        if row is None:
            raise KeyError(_absent(self.name, file, edges))
        return row

    def _find(self, file: str, edges: Any) -> int | None:
        if file not in self._known:
            parts = Path(file).parts
            tails = [file, *("/".join(parts[first:]) for first in range(1, len(parts)))]
            self._known[file] = next((tail for tail in tails if tail in self._files), None)
        name = self._known[file]
        return None if name is None else self._rows.get(row_key(name, edges))


def _absent(name: str, file: str, edges: Any, count: int = 1) -> str:
    more = f" and of {count - 1} more" if count > 1 else ""
    return (
        f"{name} has no embedding of {name_of(file, edges)}{more}. Compute what is missing: "
        "scripts/cache_embeddings.py goes on from the file, given the same data sets and patch rule."
    )
