"""The data behind weights that a network learned from: its own of before, or those of its teachers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .data_used import DataUsed, as_data_used

TRAINED, BEGAN_WITH, EXPERTS = "trained_on", "began_with", "experts"
"""Keys of a run's `data.json`, and the last of an encoder's description besides."""


@dataclass(frozen=True)
class Lineage:
    """Data sets by name and, of trainings that counted them, splits and numbers of images.

    Args:
        corpora: names; those of `trained_on` are added.
        trained_on: in the order of the trainings.

    Raises:
        ValueError: values of another kind, which a file may hold.
    """

    corpora: tuple[str, ...] = ()
    trained_on: tuple[DataUsed, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.corpora, tuple | list) or not all(isinstance(name, str) for name in self.corpora):
            raise ValueError(f"{str(self.corpora)[:80]!r} must be a list of names of data sets")
        counted = as_data_used(self.trained_on)
        object.__setattr__(self, "trained_on", tuple(dict.fromkeys(counted)))
        names = dict.fromkeys([*self.corpora, *(used.name for used in counted)])
        object.__setattr__(self, "corpora", tuple(names))

    def __bool__(self) -> bool:
        """Whether anything is known."""
        return bool(self.corpora)

    def __add__(self, other: "Lineage") -> "Lineage":
        """Both, each data set once."""
        return Lineage((*self.corpora, *other.corpora), (*self.trained_on, *other.trained_on))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; `as_lineage` reads them."""
        return {"corpora": list(self.corpora), TRAINED: [used.as_dict() for used in self.trained_on]}


def as_lineage(values: Any) -> Lineage:
    """What `Lineage.as_dict` wrote, from a file that may hold anything; other keys are left alone.

    Raises:
        ValueError: no mapping of this kind.
    """
    if isinstance(values, Lineage):
        return values
    if not isinstance(values, Mapping):
        raise ValueError(f"{str(values)[:80]!r} must be a mapping of `corpora` and `{TRAINED}`")
    return Lineage(values.get("corpora", ()), values.get(TRAINED, ()))
