"""Organs of the phantom's CT: where they lie, what they divide, and how they are painted."""

import numpy as np
import pytest

from common.phantom import make_patient
from common.phantom.ct import NAMES, make_abdomen, make_chest
from common.phantom.ct.abdomen_organs import BOWEL, KIDNEYS, build_belly
from common.phantom.ct.layers import BACKGROUND, Grid, Layer, paint
from common.phantom.ct.lobes import LOBES, build_lobes, lobe_layers
from common.phantom.solids import ellipsoid

SEED = 4


def grid_of(low, high, spacing):
    axes = [np.arange(a, b, s) for a, b, s in zip(low, high, spacing, strict=True)]
    z, y, x = (part.astype(np.float32) for part in np.meshgrid(*axes, indexing="ij"))
    return Grid(z, y, x, spacing)


def centres(volume, names):
    """(z, y, x) mm in the scanner, and the volume in ml, by name."""
    found = {}
    for name in names:
        where = np.argwhere(volume.labels == NAMES.index(name))
        found[name] = volume.origin + where.mean(0) * volume.spacing, len(where) * np.prod(volume.spacing) / 1000
    return found


def test_lobes_divide_the_lungs_without_gap_or_overlap():
    trunk = make_patient(SEED, 3).trunk
    rng = np.random.default_rng(0)
    for side, lung in (("right", trunk.lungs["lung_right"]), ("left", trunk.lungs["lung_left"])):
        spots = rng.uniform(lung.low, lung.high, (20000, 3)).T
        inside = lung.value(*spots) < 0
        lobes = [solid.value(*spots) < 0 for name, solid in build_lobes(trunk).items() if name.endswith(side)]
        assert len(lobes) == (3 if side == "right" else 2)
        # A point exactly on a fissure may belong to none.
        assert (np.sum(lobes, axis=0) == inside).mean() > 0.999


def test_painted_lobes_are_the_solids():
    person = make_patient(SEED, 3)
    lobes, form = build_lobes(person.trunk), person.form
    spacing = (8.0, 6.0, 6.0)
    grid = grid_of((form.apex, -120, -170), (form.level(1.0), 120, 170), spacing)
    _, labels = paint(lobe_layers(person.trunk, -850.0, 0.0), grid, (BACKGROUND, *LOBES))
    for number, name in enumerate(LOBES, start=1):
        wanted = lobes[name].value(grid.z, grid.y, grid.x) < 0
        assert ((labels == number) != wanted).sum() <= 0.002 * wanted.sum()


@pytest.mark.parametrize("patient", [1, 2, 3, 9])
def test_lobes_and_heart_lie_as_in_a_chest(patient):
    found = centres(make_chest(SEED, patient, size=64), (*LOBES, "heart", "aorta", "liver", "spleen"))
    place = {name: centre for name, (centre, _) in found.items()}
    for side in ("left", "right"):
        assert place[f"lung_upper_lobe_{side}"][0] > place[f"lung_lower_lobe_{side}"][0] + 15  # towards the head
        assert place[f"lung_upper_lobe_{side}"][1] < place[f"lung_lower_lobe_{side}"][1] - 15  # towards the front
    middle = place["lung_middle_lobe_right"]
    assert middle[1] < place["lung_lower_lobe_right"][1] - 30 and middle[0] < place["lung_upper_lobe_right"][0] - 20
    rights = [place[name][2] for name in (*LOBES[2:], "liver")]
    assert max(rights) < place["heart"][2] < min(place[LOBES[0]][2], place[LOBES[1]][2])
    assert place["spleen"][2] > place["heart"][2]
    assert 1200 < sum(found[name][1] for name in LOBES) < 9000 and 250 < found["heart"][1] < 2200


@pytest.mark.parametrize("patient", [1, 2, 3, 9])
def test_abdominal_organs_lie_as_in_a_belly(patient):
    found = centres(make_abdomen(SEED, patient, size=96), ("liver", "spleen", *KIDNEYS, *BOWEL, "aorta"))
    place = {name: centre for name, (centre, _) in found.items()}
    middle = place["aorta"][2]
    assert place["liver"][2] < middle - 30 < middle + 40 < place["spleen"][2]
    assert place["kidney_right"][2] < middle - 30 < middle + 30 < place["kidney_left"][2]
    for kidney in KIDNEYS:
        assert place[kidney][1] > place["small_bowel"][1] + 20 and place[kidney][0] < place["spleen"][0]
    assert place["kidney_right"][0] < place["kidney_left"][0]  # the liver pushes it down
    assert place["small_bowel"][0] < place["duodenum"][0] < place["stomach"][0]
    ranges = {"liver": (500, 2800), "spleen": (50, 350), "kidney_left": (50, 280), "kidney_right": (50, 280)}
    for name, (low, high) in ranges.items():
        assert low < found[name][1] < high, name
    assert all(found[name][1] > 5 for name in BOWEL)


def test_every_organ_lies_inside_of_the_belly():
    trunk = make_patient(SEED, 2).trunk
    belly = build_belly(trunk)
    rng = np.random.default_rng(1)
    for name in ("liver", "spleen", "stomach", "duodenum", "small_bowel", "colon"):
        solid = belly.organs[name]
        spots = rng.uniform(solid.low, solid.high, (4000, 3)).T
        inside = solid.value(*spots) < 0
        assert inside.sum() > 200 and (belly.cavity.value(*spots)[inside] < 0).all(), name


def test_a_small_ball_keeps_its_mass():
    # Partial volume: what a coarse grid smears is still there.
    radius, spacing = 6.0, (4.0, 3.0, 3.0)
    rng = np.random.default_rng(2)
    totals = []
    for _ in range(12):
        ball = ellipsoid(rng.uniform(-2, 2, 3), [radius] * 3)
        hounsfield, labels = paint(
            [Layer(ball, 1000.0, "ball")], grid_of((-20,) * 3, (20,) * 3, spacing), (BACKGROUND, "ball")
        )
        totals.append(((hounsfield + 1000).sum() / 2000 * 36, (labels > 0).sum() * 36))
    exact = 4 / 3 * np.pi * radius**3
    assert np.mean(totals, axis=0) == pytest.approx(exact, rel=0.08)


def test_layers_stay_within_and_keep_names():
    outer, inner = ellipsoid([0, 0, 0], [20] * 3), ellipsoid([0, 0, 15], [12] * 3)
    grid = grid_of((-30,) * 3, (30,) * 3, (2.0, 2.0, 2.0))
    names = (BACKGROUND, "organ", "part")
    _, alone = paint([Layer(outer, 50.0, "organ")], grid, names)
    layers = [Layer(outer, 50.0, "organ"), Layer(inner, 500.0, None, within=("organ",))]
    hounsfield, labels = paint(layers, grid, names)
    assert np.array_equal(labels, alone)  # a lesion keeps the organ's name
    assert (hounsfield[alone == 0] <= 50).all() and hounsfield.max() == 500
    renamed = paint([Layer(outer, 50.0, "organ"), Layer(inner, None, "part", within=("organ",))], grid, names)
    assert renamed[0].max() == 50  # a name without brightness
    assert ((renamed[1] > 0) == (alone > 0)).all() and (renamed[1] == 2).any()


def test_coarse_volumes_are_refused():
    with pytest.raises(ValueError, match="size is 20, below 48"):
        make_chest(0, 1, size=20)
    with pytest.raises(ValueError, match="thickness is 12"):
        make_abdomen(0, 1, thickness=12)
