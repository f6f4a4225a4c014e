"""One phantom radiograph with everything that is known about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, zoom

from .anatomy import Trunk
from .detector import expose, sample_exposure
from .findings import Collapse, Placed, draw_presence, place_findings
from .marks import add_marks, sample_collimator, sample_devices
from .patient import Patient, make_patient, stream
from .projection import Patch, Projector
from .solids import Array, Solid, Tube

WATER = 0.0205  # attenuation of soft tissue per mm around 60 keV
BONE = 0.018  # what compact bone attenuates more than soft tissue, per mm
LUNG = 0.28  # density of inflated lung relative to soft tissue
SMALLEST = 3  # pixels on the shorter side of a box
STRUCTURES = ("lung", "heart", "clavicle")


@dataclass(frozen=True)
class PlacedBox:
    """Where a finding is, or would be, as fractions of the image."""

    finding: str
    top: float
    left: float
    bottom: float
    right: float
    present: bool


@dataclass(frozen=True)
class Radiograph:
    """A picture and its truth.

    Args:
        name: file name in ChestX-ray14's pattern.
        image: (S, S) uint8.
        exposed: (S, S) bool, what the collimator leaves open.
        masks: (S, S) bool per structure: exposed pixels whose ray meets it. A lung is the whole lung, also behind the
            heart and the diaphragm, and with whatever fluid or air displaces it.
        landmarks: (row, col) fractions by name; those outside of the exposed picture are left out.
        boxes: one per finding, around its exposed pixels; findings outside of the exposed picture are never present.
        pixel_spacing: millimetres between pixels, (row, col), in the middle of the patient's depth.
    """

    name: str
    image: Array
    exposed: Array
    masks: Mapping[str, Array]
    landmarks: Mapping[str, tuple[float, float]]
    boxes: tuple[PlacedBox, ...]
    pixel_spacing: tuple[float, float]
    patient: int
    follow_up: int
    age: int
    female: bool
    view: str
    findings: tuple[str, ...] = ()


def make_radiograph(seed: int, patient: int, follow_up: int, size: int = 256, matched: bool = False) -> Radiograph:
    """Make one image; the result depends on the arguments only.

    Args:
        seed: of the whole collection.
        patient: from 1; the same anatomy in each of its images.
        follow_up: from 0; another pose, exposure and passing findings.
        size: rows and columns.
        matched: also give the boxes that the absent findings would have, for comparisons; the picture is the same.

    Example:
        >>> radiograph = make_radiograph(seed=0, patient=1, follow_up=0, size=64)
        >>> radiograph.image.shape, sorted(radiograph.masks)
        ((64, 64), ['clavicle', 'heart', 'lung'])
    """
    if size < 32:
        raise ValueError(f"size is {size}, below 32: the phantom's ribs and nodules would vanish; ask for 64 or more")
    person, visit = make_patient(seed, patient), stream(seed, 7, patient, follow_up)
    projector = pose(seed, patient, follow_up, size)
    bedside = not projector.flip
    placed = place_findings(person.trunk, stream(seed, 3, patient), stream(seed, 4, patient, follow_up))
    drawn = draw_presence(stream(seed, 5, patient), stream(seed, 6, patient, follow_up))
    exposed = sample_collimator(size, visit)
    wanted = {name: item for name, item in placed.items() if matched or name in drawn}
    shadows = {name: projector.solid(item.solid, step=item.step) for name, item in wanted.items()}
    found = ((name, _box(patch, exposed)) for name, patch in shadows.items())
    boxes = tuple(PlacedBox(name, *box, present=name in drawn) for name, box in found if box)
    present = {box.finding: placed[box.finding] for box in boxes if box.present}
    path, masks = _path(projector, person, present, shadows, visit)
    path += sample_devices(size, bedside, visit)
    picture = expose(path, exposed, sample_exposure(visit, bedside), visit)
    spots = projector.points(np.array(list(person.landmarks.values())))[0].tolist()
    named = zip(person.landmarks, spots, strict=True)
    return Radiograph(
        name=f"{patient:08d}_{follow_up:03d}.png",
        image=add_marks(picture, exposed, bedside, visit),
        exposed=exposed,
        masks={name: mask & exposed for name, mask in masks.items()},
        landmarks={name: (row, col) for name, (row, col) in named if _inside(row, col, exposed)},
        boxes=boxes,
        pixel_spacing=(projector.field[0] / size, projector.field[1] / size),
        patient=patient,
        follow_up=follow_up,
        age=person.age,
        female=person.female,
        view="AP" if bedside else "PA",
        findings=tuple(sorted(present)),
    )


def pose(seed: int, patient: int, follow_up: int, size: int = 256) -> Projector:
    """How the patient of one image stands in the beam, and what the picture covers; bedside (AP) is less orderly.

    Args:
        seed: of the whole collection.
        patient: from 1.
        follow_up: from 0.
        size: rows and columns.
    """
    rng, form = stream(seed, 2, patient, follow_up), make_patient(seed, patient).form
    bedside = bool(rng.random() < 0.4)
    degree = np.pi / 180
    turn = (rng.normal(0, 6 if bedside else 3), rng.normal(0, 5 if bedside else 3), rng.normal(0, 4 if bedside else 2))
    field_ = max(2.4 * form.half_width, 1.22 * form.lung_height) * float(np.clip(rng.normal(1.10, 0.10), 0.92, 1.4))
    stretch = float(np.exp(rng.normal(0, 0.05)))
    slack = 0.16 * field_
    shift = (float(np.clip(rng.normal(4, 22), -slack, slack)), float(np.clip(rng.normal(0, 20), -slack, slack)))
    pitch, yaw, roll = (float(np.clip(angle, -14, 14)) * degree for angle in turn)
    return Projector(
        size,
        turn=(pitch, yaw, roll),
        shift=shift,
        field=(field_ * stretch, field_ / stretch),
        distance=float(rng.uniform(950, 1250) if bedside else rng.uniform(1600, 1850)),
        flip=not bedside,
    )


def _inside(row: float, col: float, exposed: Array) -> bool:
    size = len(exposed)
    return 0 <= row < 1 and 0 <= col < 1 and bool(exposed[int(row * size), int(col * size)])


def _box(patch: Patch, exposed: Array) -> tuple[float, float, float, float] | None:
    # Top, left, bottom, right as fractions; None when too little of it is in the picture.
    mask = patch.mask & exposed[patch.rows, patch.cols]
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if min(len(rows), len(cols)) < SMALLEST:
        return None
    size = len(exposed)
    top, bottom = (patch.rows.start + int(row) for row in (rows[0], rows[-1] + 1))
    left, right = (patch.cols.start + int(col) for col in (cols[0], cols[-1] + 1))
    return top / size, left / size, bottom / size, right / size


def _path(
    projector: Projector,
    person: Patient,
    present: Mapping[str, Placed],
    shadows: Mapping[str, Patch],
    rng: np.random.Generator,
) -> tuple[Array, dict[str, Array]]:
    size, form = projector.size, person.form
    trunk = person.trunk_with(present.get("Cardiomegaly"))
    path = np.zeros((size, size), np.float32)
    lungs, hearts = np.zeros((size, size), bool), np.zeros((size, size), bool)

    def add(patch: Patch, weight: float | Array) -> None:
        path[patch.rows, patch.cols] += patch.depth * weight

    path += WATER * _coarse(projector, trunk.body)
    texture = _texture(size, rng)
    for lung in trunk.lungs.values():
        patch = projector.solid(lung, step=7.0)
        add(patch, -WATER * (1 - LUNG * (1 + texture[patch.rows, patch.cols])))
        lungs[patch.rows, patch.cols] |= patch.mask
    heart = projector.solid(trunk.heart)
    hearts[heart.rows, heart.cols] |= heart.mask
    add(heart, WATER * 0.03)
    for organ in trunk.organs:
        add(projector.solid(organ.solid, step=8.0), WATER * (organ.hounsfield - 30) / 1000)
    collapses = [item.collapse for item in present.values() if item.collapse]
    clavicles = [person.bones["clavicle_right"], person.bones["clavicle_left"]]
    path += BONE * form.bone * projector.tubes(list(person.bones.values()), hollow=0.6, inner=0.62)
    path += 0.5 * BONE * form.bone * projector.tubes(clavicles)
    path += WATER * (1 - LUNG) * projector.tubes([_moved(tube, collapses) for tube in person.vessels])
    path -= WATER * projector.tubes(list(person.airways.values()))
    for name, item in present.items():
        if name != "Cardiomegaly":
            add(shadows[name], WATER * (item.density - LUNG))
        if item.collapse:
            add(_pleura(projector, item.collapse, trunk), WATER)
    collars = projector.silhouette(clavicles[0]) | projector.silhouette(clavicles[1])
    return path, {"lung": lungs, "heart": hearts, "clavicle": collars}


def _pleura(projector: Projector, collapse: Collapse, trunk: Trunk) -> Patch:
    # The visible line of a pneumothorax: a millimetre of tissue around the collapsed lung.
    lung = collapse.lung(trunk.lungs[collapse.name])
    thick = Solid(lambda z, y, x: lung.value(z, y, x) - 1.2, lung.low, (collapse.floor, lung.high[1], lung.high[2]))
    thin = Solid(lung.value, thick.low, thick.high)
    outer, inner = projector.solid(thick, step=6.0), projector.solid(thin, step=6.0)
    return outer._replace(depth=outer.depth - inner.depth)


def _moved(tube: Tube, collapses: list[Collapse]) -> Tube:
    for collapse in collapses:
        if (tube.points[0, 2] < 0) == (collapse.hilum[2] < 0):
            return Tube(collapse.move(tube.points), tube.radii)
    return tube


def _coarse(projector: Projector, body: Solid) -> Array:
    # The outline of the body is smooth: every second ray is enough.
    patch = projector.solid(body, step=12.0, stride=2)
    grid = np.zeros((projector.size // 2, projector.size // 2), np.float32)
    grid[patch.rows, patch.cols] = patch.depth
    scale = projector.size / grid.shape[0]
    return zoom(grid, scale, order=1, grid_mode=True, mode="nearest")


def _texture(size: int, rng: np.random.Generator) -> Array:
    # Vessels and septa too fine to draw: relative density of the lung, mostly at 2 to 6 mm.
    total = np.zeros((size, size), np.float32)
    for width, weight in ((0.8, 0.03), (1.8, 0.05), (6.0, 0.06)):
        grain = gaussian_filter(rng.standard_normal((size, size)).astype(np.float32), width * size / 256)
        total += weight * grain / max(float(grain.std()), 1e-6)
    return total
