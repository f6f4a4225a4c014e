"""Embeddings computed beforehand, in a file: one row per image or patch.

`.npz`: arrays `source` (N names of files), `patch` (N, 4) and `embedding` (N, K), and `about`, a JSON text. `.parquet`:
columns `source`, `top`, `left`, `bottom`, `right` and `embedding`, and `about` in the metadata of the schema. Edges are
fractions of height and width. Tables of others may leave out the edges, when every row is a whole image, and `about`.
"""

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..files import replacing, sweep
from ..networks.file_kinds import stand_in
from .expert import Edges

EDGES = ("top", "left", "bottom", "right")
WHOLE = (0.0, 0.0, 1.0, 1.0)
SUFFIXES = (".npz", ".parquet")
PLACES = 5  # decimals of an edge that tell patches apart: a hundredth of a pixel at 1024


@dataclass(frozen=True)
class EmbeddingTable:
    """Rows of a cache.

    Args:
        files: N names: a whole path, or the end of one that tells the images apart.
        edges: (N, 4) float64, fractions of height and width.
        embeddings: (N, K) float32.
        about: which expert and images they come from.
    """

    files: np.ndarray
    edges: np.ndarray
    embeddings: np.ndarray
    about: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.files)

    def rows(self) -> Iterator[tuple[str, Edges]]:
        """What tells each row from the others."""
        return (row_key(str(file), edges) for file, edges in zip(self.files, self.edges.tolist(), strict=True))


class _NoTableError(ValueError):
    """A sound file that holds something else."""


def row_key(file: str, edges: Any) -> tuple[str, Edges]:
    """What tells an image or patch from the others: its name and its rounded edges."""
    top, left, bottom, right = (round(float(edge), PLACES) for edge in edges)
    return file, (top, left, bottom, right)


def name_of(file: str, edges: Any) -> str:
    """An image or patch in words, for messages."""
    shown = tuple(round(float(edge), 4) for edge in edges)
    return file if shown == WHOLE else f"{file}, patch {shown}"


def read_table(path: Path) -> EmbeddingTable:
    """Read a table and refuse what no student could learn from.

    Raises:
        ValueError: the file is damaged, columns are missing or differ in length, or an embedding is not finite (names
            it).
    """
    found = stand_in(path)
    if found is not None:
        raise ValueError(f"Cannot read embeddings from {path}: {found[0]}. {found[1]}")
    try:
        files, edges, embeddings, about = _read_npz(path) if path.suffix == ".npz" else _read_parquet(path)
    except _NoTableError:
        raise
    except (ValueError, TypeError, KeyError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"Cannot read embeddings from {path}: damaged, or no table of them ({error}). Copy or compute it again."
        ) from error
    if embeddings.ndim != 2 or len(files) != len(embeddings) or edges.shape != (len(files), 4):
        raise ValueError(
            f"{path} has {len(files)} files, edges {edges.shape} and embeddings {embeddings.shape}; expected N, (N, 4) "
            "and (N, K). Compute it with scripts/cache_embeddings.py."
        )
    bad = np.flatnonzero(~np.isfinite(embeddings).all(1))
    if len(bad):
        raise ValueError(
            f"{path}: the embedding of {name_of(files[bad[0]], edges[bad[0]])} is not finite, as are {len(bad) - 1} "
            "others. Take these rows out and compute them again."
        )
    return EmbeddingTable(files, edges, embeddings, about)


def write_table(table: EmbeddingTable, path: Path) -> None:
    """Write a table; a file is complete or not there at all, and what killed processes left of others goes."""
    sweep(path.parent)
    with replacing(path) as [partial], partial.open("wb") as file:
        _write_npz(table, file) if path.suffix == ".npz" else _write_parquet(table, file)


def _write_npz(table: EmbeddingTable, file: Any) -> None:
    about = np.array(json.dumps(dict(table.about)))
    np.savez(file, source=table.files.astype(str), patch=table.edges, embedding=table.embeddings, about=about)


def _write_parquet(table: EmbeddingTable, file: Any) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    flat = pa.array(np.ascontiguousarray(table.embeddings).reshape(-1))
    columns: dict[str, Any] = {"source": pa.array(table.files.astype(str).tolist())}
    columns |= {name: pa.array(table.edges[:, column]) for column, name in enumerate(EDGES)}
    columns["embedding"] = pa.FixedSizeListArray.from_arrays(flat, table.embeddings.shape[1])
    parquet.write_table(pa.table(columns).replace_schema_metadata({"about": json.dumps(dict(table.about))}), file)


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
    with np.load(path, allow_pickle=False) as content:
        _expect(path, {"source", "embedding"} - set(content.files), content.files)
        files, embeddings = content["source"].astype(object), content["embedding"].astype(np.float32)
        edges = content["patch"].astype(np.float64) if "patch" in content.files else _whole(len(files))
        return files, edges, embeddings, json.loads(str(content["about"])) if "about" in content.files else {}


def _read_parquet(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
    from pyarrow import parquet

    table = parquet.read_table(path)
    _expect(path, {"source", "embedding"} - set(table.column_names), table.column_names)
    count = table.num_rows
    # Lists of one length lie one after another, whatever kind of list column another tool wrote.
    flat = table["embedding"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    if count == 0 or len(flat) % count:
        raise _NoTableError(f"{path}: {len(flat)} numbers make no equal embeddings of {count} rows.")
    embeddings = flat.astype(np.float32).reshape(count, -1)
    told = set(EDGES) <= set(table.column_names)
    edges = np.stack([table[name].to_numpy() for name in EDGES], axis=1) if told else _whole(count)
    about = (table.schema.metadata or {}).get(b"about", b"{}")
    return np.array(table["source"].to_pylist(), dtype=object), edges.astype(np.float64), embeddings, json.loads(about)


def _expect(path: Path, missing: set[str], present: Any) -> None:
    if missing:
        lacks, has = ", ".join(sorted(missing)), ", ".join(present)
        raise _NoTableError(f"{path} has no {lacks}, only {has}: these are no cached embeddings.")


def _whole(count: int) -> np.ndarray:
    return np.tile(np.array(WHOLE), (count, 1))
