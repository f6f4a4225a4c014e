"""One phantom radiograph with everything that is known about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import gaussian_filter, zoom

from .anatomy import Form, Trunk, build_trunk, landmarks, sample_form
from .detector import expose, sample_exposure
from .findings import LASTING, Collapse, Placed, draw_presence, place_findings
from .marks import add_marks
from .projection import Patch, Projector
from .skeleton import build_skeleton
from .solids import Array, Solid, Tube
from .vessels import airways, lung_vessels

WATER = 0.0205  # attenuation of soft tissue per mm around 60 keV
LUNG = 0.28  # density of inflated lung relative to soft tissue
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
        masks: (S, S) bool per structure: pixels whose ray meets it.
        landmarks: (row, col) fractions by name; those outside of the image are left out.
        boxes: one per finding, present or not (a matched negative); findings mostly out of the picture are left out and never present.
    """

    name: str
    image: Array
    masks: Mapping[str, Array]
    landmarks: Mapping[str, tuple[float, float]]
    boxes: tuple[PlacedBox, ...]
    patient: int
    follow_up: int
    age: int
    female: bool
    view: str
    findings: tuple[str, ...] = field(default=())


def stream(seed: int, *keys: int) -> np.random.Generator:
    """A random stream that depends on nothing but its numbers."""
    return np.random.default_rng([seed, *keys])


def visits(seed: int, patient: int) -> int:
    """How many images a patient has: 1 to 4."""
    return int(stream(seed, 0, patient).choice([1, 2, 3, 4], p=[0.4, 0.3, 0.2, 0.1]))


def whose(seed: int, count: int) -> list[tuple[int, int]]:
    """Patient (from 1) and follow-up number (from 0) of the first `count` images; a longer list starts with the shorter one."""
    pairs: list[tuple[int, int]] = []
    patient = 1
    while len(pairs) < count:
        pairs += [(patient, visit) for visit in range(visits(seed, patient))]
        patient += 1
    return pairs[:count]


def make_radiograph(seed: int, patient: int, follow_up: int, size: int = 256) -> Radiograph:
    """Make one image; the result depends on the arguments only.

    Args:
        seed: of the whole collection.
        patient: from 1; the same anatomy in each of its images.
        follow_up: from 0; another pose, exposure and passing findings.
        size: rows and columns.
    """
    if size < 32:
        raise ValueError(f"size is {size}, below 32: the phantom's ribs and nodules would vanish; ask for 64 or more")
    person, visit = stream(seed, 1, patient), stream(seed, 2, patient, follow_up)
    female = bool(person.random() < 0.45)
    age = int(person.integers(18, 90))
    form = sample_form(person, female, int(person.integers(2**31)))
    bedside = bool(visit.random() < 0.4)
    healthy = build_trunk(form)
    placed = place_findings(healthy, stream(seed, 3, patient), stream(seed, 4, patient, follow_up))
    lasting = draw_presence(stream(seed, 5, patient), LASTING)
    passing = draw_presence(stream(seed, 6, patient, follow_up), tuple(n for n in placed if n not in LASTING))
    projector = sample_pose(visit, form, size, bedside)
    boxes = _boxes(projector, placed, lasting | passing)
    present = {box.finding: placed[box.finding] for box in boxes if box.present}
    trunk = build_trunk(form, heart=placed["Cardiomegaly"].solid) if "Cardiomegaly" in present else healthy
    path, body, masks = _path(projector, trunk, present, visit)
    exposure = sample_exposure(visit, bedside)
    picture = expose(path, body, exposure, visit)
    points = landmarks(form, build_skeleton(form))
    spots = projector.points(np.array(list(points.values())))[0]
    shown = {n: (float(r), float(c)) for n, (r, c) in zip(points, spots, strict=True) if 0 <= r < 1 and 0 <= c < 1}
    return Radiograph(
        name=f"{patient:08d}_{follow_up:03d}.png",
        image=add_marks(picture, projector, bedside, visit),
        masks=masks,
        landmarks=shown,
        boxes=boxes,
        patient=patient,
        follow_up=follow_up,
        age=age,
        female=female,
        view="AP" if bedside else "PA",
        findings=tuple(sorted(present)),
    )


def sample_pose(rng: np.random.Generator, form: Form, size: int, bedside: bool) -> Projector:
    """Draw how the patient stands in the beam and what the picture covers."""
    degree = np.pi / 180
    turn = (rng.normal(0, 6 if bedside else 3), rng.normal(0, 5 if bedside else 3), rng.normal(0, 4 if bedside else 2))
    field_ = max(2.55 * form.half_width, 1.28 * form.lung_height) * float(np.clip(rng.normal(1.06, 0.11), 0.86, 1.4))
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


def _boxes(projector: Projector, placed: dict[str, Placed], present: frozenset[str]) -> tuple[PlacedBox, ...]:
    boxes = []
    for name, item in placed.items():
        wide = Projector(projector.size, projector.turn, projector.shift, projector.field, projector.distance, projector.flip)
        mask = wide.solid(item.solid, step=3.0)
        rows, cols = np.flatnonzero(mask.mask.any(1)), np.flatnonzero(mask.mask.any(0))
        if len(rows) < 3 or len(cols) < 3:
            continue
        top, bottom = mask.rows.start + rows[0], mask.rows.start + rows[-1] + 1
        left, right = mask.cols.start + cols[0], mask.cols.start + cols[-1] + 1
        size = projector.size
        boxes.append(PlacedBox(name, top / size, left / size, bottom / size, right / size, name in present))
    return tuple(boxes)


def _path(
    projector: Projector, trunk: Trunk, present: Mapping[str, Placed], rng: np.random.Generator
) -> tuple[Array, Array, dict[str, Array]]:
    size, form = projector.size, trunk.form
    path = np.zeros((size, size), np.float32)
    masks = {name: np.zeros((size, size), bool) for name in STRUCTURES}

    def add(patch: Patch, weight: float | Array) -> None:
        path[patch.rows, patch.cols] += patch.depth * weight

    body = _coarse(projector, trunk.body)
    path += WATER * body
    texture = _texture(size, rng)
    for lung in trunk.lungs.values():
        patch = projector.solid(lung, step=6.0)
        add(patch, -WATER * (1 - LUNG * (1 + texture[patch.rows, patch.cols])))
        masks["lung"][patch.rows, patch.cols] |= patch.mask
    heart = projector.solid(trunk.heart)
    masks["heart"][heart.rows, heart.cols] |= heart.mask
    add(heart, WATER * 0.03)
    for organ in trunk.organs:
        add(projector.solid(organ.solid), WATER * (organ.hounsfield - 30) / 1000)
    for name, tube in build_skeleton(form).items():
        bone = projector.tube(tube, hollow=0.6, inner=0.62)
        add(bone, 0.021 * form.bone)
        if name.startswith("clavicle"):
            masks["clavicle"][bone.rows, bone.cols] |= bone.mask
    collapses = [item.collapse for item in present.values() if item.collapse]
    for tube in lung_vessels(form, trunk.lungs):
        add(projector.tube(_moved(tube, collapses)), WATER * (1 - LUNG))
    for tube in airways(form).values():
        add(projector.tube(tube), -WATER)
    for item in present.values():
        if item.name != "Cardiomegaly":
            add(projector.solid(item.solid, step=2.5), WATER * (item.density - LUNG))
        if item.collapse:
            add(_pleura(projector, item.collapse, trunk), WATER)
    return path, body > 25, masks


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
    for width, weight in ((1.0, 0.05), (2.2, 0.07), (6.0, 0.05)):
        grain = gaussian_filter(rng.standard_normal((size, size)).astype(np.float32), width * size / 256)
        total += weight * grain / max(float(grain.std()), 1e-6)
    return total
