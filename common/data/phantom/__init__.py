"""A parametric thorax that stands in for downloaded images: radiographs whose masks, landmarks, findings and boxes are exactly true."""

from .anatomy import Form, Trunk, build_trunk, sample_form
from .findings import PREVALENCE
from .radiograph import STRUCTURES, PlacedBox, Radiograph, make_radiograph, whose
from .writer import write_phantom

__all__ = [
    "PREVALENCE",
    "STRUCTURES",
    "Form",
    "PlacedBox",
    "Radiograph",
    "Trunk",
    "build_trunk",
    "make_radiograph",
    "sample_form",
    "whose",
    "write_phantom",
]
