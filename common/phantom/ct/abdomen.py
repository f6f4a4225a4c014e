"""One CT series of an injured or healthy abdomen, with its organs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..anatomy import Trunk, build_trunk
from ..patient import Patient, make_patient, stream
from ..solids import Array, Solid, Tube, ellipsoid, intersection, union
from .abdomen_organs import KIDNEYS, Belly, build_belly, fluid_level
from .injuries import Injuries, draw_injuries, place_injuries
from .layers import AIR, BACKGROUND, Grid, Layer, paint
from .lesions import Candidate, points_inside, spot_inside
from .lobes import lobe_layers
from .scanner import expose, make_grid, sample_position, sample_protocol
from .torso import bone_layers, raised, torso_layers, vessel_layers
from .volume import NAMES, PhantomCT, check_sampling

COMPLETE = ("liver", "spleen", *KIDNEYS)  # organs that a series should hold whole


class Phase(NamedTuple):
    """Hounsfield units at one time after the injection of contrast."""

    aorta: float
    vein: float
    liver: float
    spleen: float
    kidney: float


def injuries_of(seed: int, patient: int) -> Injuries:
    """What is injured in a patient: the same in all series."""
    return draw_injuries(stream(seed, 41, patient))


def make_abdomen(seed: int, patient: int, series: int = 0, size: int = 96, thickness: float = 5.0) -> PhantomCT:
    """Make one series; the result depends on the arguments only.

    Args:
        seed: of the whole collection.
        patient: from 1; keeps the anatomy and the injuries.
        series: from 0; another phase, kernel, thickness and noise of the same patient.
        size: rows and columns, at least 48.
        thickness: mm between slices, in (0, 10]; a series has 0.8, 1 or 1.25 times as much.

    Raises:
        ValueError: a size or thickness at which the injuries would vanish.
    """
    check_sampling(size, thickness)
    person, injuries = make_patient(seed, patient), injuries_of(seed, patient)
    position, settings = sample_position(stream(seed, 42, patient)), stream(seed, 43, patient, series)
    form = raised(person.form, position.breath, position.breath)
    trunk, phase = build_trunk(form), sample_phase(settings)
    belly = build_belly(trunk)
    # The second call moves the mimics only: meaningless lesions lie about beside real ones, too.
    rng, blush = stream(seed, 44, patient), max(phase.aorta + 20.0, 170.0)
    placed = place_injuries(trunk, belly, blush, injuries.grades, rng)
    bystanders = place_injuries(trunk, belly, blush, dict.fromkeys(injuries.grades, "healthy"), rng)
    present = {name for name, grade in injuries.grades.items() if grade != "healthy"}
    present |= {name for name in ("bowel", "extravasation") if getattr(injuries, name)}
    lesions = [layer for name, item in placed.items() for layer in (item.real if name in present else item.mimic)]
    lesions += [layer for item in bystanders.values() if rng.random() < 0.5 for layer in item.mimic]
    protocol = sample_protocol(settings, form, size, thickness)
    top = form.dome_top + min(form.dome_step, 0) - 18
    if settings.random() < 0.08:  # a series that starts too low
        top += 60
    grid, origin = make_grid(protocol, position, form.level(2.16) + float(settings.uniform(-10, 10)), top)
    hounsfield, labels = paint(_layers(person, trunk, belly, phase, lesions, rng), grid, NAMES)
    columns = injuries.columns()
    columns["any_injury"] = injuries.any
    shown: dict[str, Array] = {
        name: _slices(placed[name], grid) for name in ("bowel", "extravasation") if name in present
    }
    return PhantomCT(expose(hounsfield, protocol, settings), labels, grid.spacing, origin, columns, shown, protocol)


def sample_phase(rng: np.random.Generator) -> Phase:
    """Draw a portal venous phase, or an arterial one in every fourth series."""
    means = (290, 90, 78, 125, 170) if rng.random() < 0.25 else (155, 160, 108, 120, 185)
    return Phase(*(float(rng.normal(mean, 0.08 * mean)) for mean in means))


def is_incomplete(volume: PhantomCT) -> bool:
    """Whether the liver, the spleen or a kidney runs out of the volume."""
    numbers = [NAMES.index(name) for name in COMPLETE]
    return bool(np.isin(volume.labels[[0, -1]], numbers).any())


def _slices(injury: Candidate, grid: Grid) -> Array:
    solids = [layer.solid for layer in injury.real]
    labels = paint([Layer(union(*solids), None, "injury")], grid, (BACKGROUND, "injury"))[1]
    return np.asarray(labels.any((1, 2)))


def _layers(
    person: Patient, trunk: Trunk, belly: Belly, phase: Phase, lesions: list[Layer], rng: np.random.Generator
) -> list[Layer]:
    brightness = {
        "liver": phase.liver,
        "spleen": phase.spleen,
        "gallbladder": 8.0,
        "urinary_bladder": 10.0,
        "esophagus": 55.0,
    } | dict.fromkeys(KIDNEYS, phase.kidney)
    return [
        *torso_layers(trunk),
        *lobe_layers(trunk, float(rng.normal(-845, 18)), 0.45),
        Layer(trunk.heart, phase.vein, "heart"),
        *vessel_layers({"aorta": belly.vessels["aorta"]}, phase.aorta),
        *vessel_layers({"vena_cava_inferior": belly.vessels["vena_cava_inferior"]}, phase.vein),
        *(Layer(solid, brightness.get(name, 80.0), name) for name, solid in belly.organs.items()),
        *_lumen(belly, rng),
        *(Layer(solid, -70.0) for solid in belly.sinuses),
        *_harmless(belly, phase, rng),
        *lesions,
        *bone_layers(person),
    ]


def _lumen(belly: Belly, rng: np.random.Generator) -> list[Layer]:
    # Content inside of the walls, gas on top of it, and some bubbles.
    layers = []
    for name in ("small_bowel", "colon", "duodenum", "stomach"):
        loop = belly.loops[name]
        content = intersection(Tube(loop.points, loop.radii - 3.0).solid, belly.cavity)
        layers.append(Layer(content, float(rng.uniform(5, 45)), within=(name,)))
        spots = points_inside(content, rng)
        if name in ("colon", "stomach"):
            level = float(np.quantile(spots[:, 1], rng.uniform(0.05, 0.35)))
            layers.append(Layer(fluid_level(content, level), AIR, within=(name,)))
        bubbles = [ellipsoid(spot, rng.uniform(4, 8, 3)) for spot in spots[: int(rng.integers(2, 7))]]
        layers.append(Layer(union(*bubbles), AIR, within=(name,)))
    return layers


def _harmless(belly: Belly, phase: Phase, rng: np.random.Generator) -> list[Layer]:
    # Veins of the liver, and cysts: dark or bright, but no injury.
    trunk = belly.vessels["vena_cava_inferior"].points[1]
    veins = []
    for _ in range(3):
        stop = spot_inside(belly.organs["liver"], rng, 18)
        veins.append(Tube(np.array([trunk, (trunk + stop) / 2 + rng.normal(0, 6, 3), stop]), np.array([6.0, 5.0, 3.0])))
    layers = [Layer(union(*(tube.solid for tube in veins)), max(phase.vein, 60.0), within=("liver",))]
    for name in ("liver", *KIDNEYS):
        if rng.random() < 0.3:
            radius = float(rng.uniform(4, 8))
            cyst: Solid = ellipsoid(spot_inside(belly.organs[name], rng, radius * 0.6), np.full(3, radius))
            layers.append(Layer(cyst, 6.0, within=(name,)))
    return layers
