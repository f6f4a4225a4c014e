"""One phantom patient: the 3D anatomy that all of the patient's images share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .anatomy import Form, Trunk, build_trunk, sample_form
from .findings import Placed
from .landmarks import landmarks
from .skeleton import build_skeleton
from .solids import Tube
from .vessels import airways, lung_vessels


@dataclass(frozen=True)
class Patient:
    """Everything that lasts; positions are patient coordinates (z, y, x) in mm.

    Args:
        number: from 1.
        age: years.
        female: whether there are breasts.
        form: measures.
        trunk: soft organs.
        bones: by name.
        vessels: of both lungs.
        airways: by name.
        landmarks: (z, y, x) by name.
    """

    number: int
    age: int
    female: bool
    form: Form
    trunk: Trunk
    bones: Mapping[str, Tube]
    vessels: tuple[Tube, ...]
    airways: Mapping[str, Tube]
    landmarks: Mapping[str, tuple[float, float, float]]

    def trunk_with(self, enlargement: Placed | None) -> Trunk:
        """The soft organs, with the heart of a placed Cardiomegaly in place of the healthy one."""
        return build_trunk(self.form, heart=enlargement.solid) if enlargement else self.trunk


def stream(seed: int, *keys: int) -> np.random.Generator:
    """A random stream that depends on nothing but its numbers."""
    return np.random.default_rng([seed, *keys])


@lru_cache(maxsize=4)  # a patient's images are made one after the other
def make_patient(seed: int, number: int) -> Patient:
    """Make a patient; the result depends on the arguments only.

    Args:
        seed: of the whole collection.
        number: from 1.
    """
    rng = stream(seed, 1, number)
    female, age = bool(rng.random() < 0.45), int(rng.integers(18, 90))
    form = sample_form(rng, female, int(rng.integers(2**31)))
    trunk, bones = build_trunk(form), build_skeleton(form)
    vessels = tuple(lung_vessels(form, trunk.lungs))
    return Patient(number, age, female, form, trunk, bones, vessels, airways(form), landmarks(form, bones))


def visits(seed: int, patient: int) -> int:
    """How many images a patient has: 1 to 4."""
    return int(stream(seed, 0, patient).choice([1, 2, 3, 4], p=[0.4, 0.3, 0.2, 0.1]))


def patients_and_visits(seed: int, count: int) -> list[tuple[int, int]]:
    """Patient (from 1) and follow-up (from 0) of the first `count` images; a longer list starts with the shorter."""
    pairs: list[tuple[int, int]] = []
    patient = 1
    while len(pairs) < count:
        pairs += [(patient, visit) for visit in range(visits(seed, patient))]
        patient += 1
    return pairs[:count]
