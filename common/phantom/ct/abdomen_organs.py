"""Organs of the abdomen as simple solids at their anatomical places, in proportion to the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy import Form, Trunk, great_vessels
from ..patient import stream
from ..solids import Array, Solid, Tube, difference, ellipsoid, intersection, union
from .torso import cavity

BOWEL = ("esophagus", "stomach", "duodenum", "small_bowel", "colon")
KIDNEYS = ("kidney_left", "kidney_right")


@dataclass(frozen=True)
class Belly:
    """The abdominal organs of one patient.

    Args:
        cavity: fat, organs and everything else in front of the spine and below the diaphragm.
        organs: by TotalSegmentator's names, in painting order: a later one lies on top.
        vessels: aorta and inferior vena cava.
        loops: course of each hollow organ, (N, 3) positions in mm.
        sinuses: the fat inside of the kidneys.
    """

    cavity: Solid
    organs: dict[str, Solid]
    vessels: dict[str, Tube]
    loops: dict[str, Tube]
    sinuses: tuple[Solid, ...]

    def open_vertices(self, name: str) -> list[int]:
        """Which inner points of a hollow organ's course no other organ covers; all of them if every one is covered."""
        points = self.loops[name].points
        covering = list(self.organs)[list(self.organs).index(name) + 1 :]
        room = np.min([-self.cavity.value(*points.T), *(self.organs[other].value(*points.T) for other in covering)], 0)
        inner = range(1, len(points) - 1)
        return [number for number in inner if room[number] > 6] or list(inner)


def build_belly(trunk: Trunk) -> Belly:
    """Make the abdominal organs; the same form always gives the same organs."""
    form, space = trunk.form, cavity(trunk.form, trunk.abdomen)
    loops = _loops(form)
    vessels = _vessels(form)
    given = {organ.name: organ.solid for organ in trunk.organs}
    # Stomach and left kidney keep the liver to the front on the left; the great vessels keep it off the spine.
    notch = union(
        ellipsoid(_at(form, 70, 45, 62), _size(form, 125, 75, 66)),
        ellipsoid(_at(form, 100, 48, 8), _size(form, 200, 44, 34)),
        ellipsoid(_at(form, 150, -60, 55), _size(form, 75, 60, 85)),
        blend=10.0,
    )
    organs = {name: intersection(loops[name].solid, space) for name in ("small_bowel", "colon", "duodenum", "stomach")}
    organs["esophagus"] = loops["esophagus"].solid
    organs["liver"] = difference(intersection(given["liver"], space), notch)
    organs["gallbladder"] = ellipsoid(_at(form, 118, -48, -46), _size(form, 24, 13, 13))
    organs["spleen"] = intersection(given["spleen"], space)
    sinuses = []
    for name, (z, x) in {"kidney_right": (158, -60), "kidney_left": (142, 60)}.items():
        inward = -np.sign(x)
        organs[name] = ellipsoid(_at(form, z, 36, x), _size(form, 52, 25, 25))
        sinuses.append(ellipsoid(_at(form, z, 30, x + inward * 14), _size(form, 22, 10, 13)))
    organs["urinary_bladder"] = ellipsoid(_at(form, 322, -38, 0), _size(form, 22, 26, 34))
    return Belly(space, organs, vessels, loops, tuple(sinuses))


def _at(form: Form, z: float, y: float, x: float) -> Array:
    # Millimetres below the right dome, to the back and to the left in a mean patient.
    length = (form.level(2.12) - form.dome_top) / 345
    return np.array([form.dome_top + z * length, y * form.half_depth / 94, x * form.half_width / 134])


def _size(form: Form, z: float, y: float, x: float) -> Array:
    return np.array([z, y, x]) * (_at(form, 1, 1, 1) - _at(form, 0, 0, 0))


def _tube(form: Form, points: object, radii: object) -> Tube:
    places = np.array([_at(form, *point) for point in np.asarray(points, float)])
    return Tube(places, np.broadcast_to(np.asarray(radii, float) * form.half_depth / 94, len(places)).copy())


def _loops(form: Form) -> dict[str, Tube]:
    gullet = [(form.level(0.0), 24, 3), (form.level(0.5), 26, 4), (form.level(0.85), 18, 10)]
    stomach = [(22, 0, 66), (60, -22, 70), (98, -46, 52), (118, -54, 18), (116, -46, -8)]
    duodenum = [(116, -40, -16), (122, -22, -34), (152, -10, -40), (182, -8, -30), (186, -6, 4), (166, -20, 28)]
    colon = [(288, -28, -82), (250, -22, -90), (190, -14, -96), (150, -34, -84), (168, -64, -50), (176, -68, 0),
             (150, -58, 50), (96, -2, 98), (130, 22, 102), (210, 26, 98), (270, 10, 88), (306, -8, 60),
             (300, 8, 20), (318, 26, 0), (345, 46, 0)]  # fmt: skip
    gullet.append((float(_at(form, 24, 0, 0)[0]), 2, 42))
    esophagus = [(z, y * form.half_depth / 94, x * form.half_width / 134) for z, y, x in gullet]
    return {
        "esophagus": Tube(np.array(esophagus), np.array([8.0, 8.0, 9.0, 10.0])),
        "stomach": _tube(form, stomach, [27, 33, 29, 22, 14]),
        "duodenum": _tube(form, duodenum, 12),
        "colon": _tube(form, colon, [22, 22, 21, 19, 18, 18, 18, 17, 16, 15, 15, 15, 15, 15, 15]),
        "small_bowel": _small_bowel(form),
    }


def _small_bowel(form: Form) -> Tube:
    # Back and forth across the middle of the belly, in two sheets.
    rng = stream(form.seed, 21)
    points = []
    for row in range(10):
        z, y = 196 + 21 * (row // 2), (-14, -44)[row % 2]
        across = np.linspace(-62, 62, 6)[:: 1 if row % 2 else -1]
        points += [(z + rng.normal(0, 5), y + rng.normal(0, 5), x + rng.normal(0, 3)) for x in across]
    return _tube(form, points, 12.5)


def _vessels(form: Form) -> dict[str, Tube]:
    chest = great_vessels(form)["aorta"].points[-1]
    heights = np.linspace(0, 270, 8)
    courses = {}
    for name, x in (("aorta", 9.0), ("vena_cava_inferior", -17.0)):
        points = []
        for height in heights:
            z = float(_at(form, height, 0, 0)[0])
            back, bend = (float(v) for v in form.spine(np.array(z)))
            points.append((z, back - 34, bend + x))
        if name == "aorta":
            points = [tuple(chest), *(point for point in points if point[0] > chest[0] + 15)]
        courses[name] = Tube(np.array(points), np.full(len(points), 0.8 * form.aorta_radius))
    return courses


def fluid_level(solid: Solid, height: float) -> Solid:
    """The gas in a hollow organ of a patient who lies on the back: all of it in front of y = `height` mm."""
    return intersection(solid, Solid(lambda z, y, x: y - height, solid.low, solid.high))
