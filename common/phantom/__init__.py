"""A parametric thorax that stands in for downloaded images; its masks, landmarks and boxes are exactly true."""

from .anatomy import Form, Trunk, build_trunk, sample_form
from .findings import PREVALENCE
from .patient import Patient, make_patient, patients_and_visits
from .radiograph import STRUCTURES, PlacedBox, Radiograph, make_radiograph
from .writer import write_phantom

__all__ = [
    "PREVALENCE",
    "STRUCTURES",
    "Form",
    "Patient",
    "PlacedBox",
    "Radiograph",
    "Trunk",
    "build_trunk",
    "make_patient",
    "make_radiograph",
    "patients_and_visits",
    "sample_form",
    "write_phantom",
]
