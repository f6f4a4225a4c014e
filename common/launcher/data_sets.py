"""What can be read, told by the syntax tree of the readers: importing them imports PyTorch, which takes seconds."""

import ast
from dataclasses import dataclass
from pathlib import Path

READERS = Path(__file__).parents[1] / "readers"
SHARED = "support"  # the one room without data sets


@dataclass(frozen=True)
class DataSet:
    """One that has a reader.

    Args:
        name: for `dataset`.
        kind: the room of its reader: cxr, fundus, ct, or plain for folders of one's own.
        title: its full name.
        licence: terms of use.
    """

    name: str
    kind: str
    title: str
    licence: str


def data_sets(readers: Path = READERS) -> list[DataSet]:
    """Every data set, by kind and name."""
    files = [path for path in sorted(readers.glob("*/[!_]*.py")) if path.parent.name != SHARED]
    found = [(path, _publication(ast.parse(path.read_text(encoding="utf-8")))) for path in files]
    return [DataSet(path.stem, path.parent.name, said["title"], said["licence"]) for path, said in found]


def _publication(tree: ast.Module) -> dict[str, str]:
    """The arguments of `Publication(...)` that are written out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Publication":
            values = {word.arg: word.value for word in node.keywords if word.arg in ("title", "licence")}
            return {str(key): ast.literal_eval(value) for key, value in values.items()}
    return {"title": "", "licence": ""}
