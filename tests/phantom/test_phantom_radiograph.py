"""Masks, boxes and landmarks of a radiograph against the 3D patient it was made from."""

import numpy as np
import pytest

from common.phantom import PREVALENCE, STRUCTURES, make_patient, make_radiograph, patients_and_visits
from common.phantom.findings import place_findings
from common.phantom.patient import stream
from common.phantom.projection import Projector
from common.phantom.radiograph import pose

SEED, SIZE = 4, 96
PAIRS = ("lung_apex", "dome", "costophrenic", "hilum", "clavicle_medial", "rib6_lateral")


@pytest.fixture(scope="module")
def made():
    return [make_radiograph(SEED, *pair, size=SIZE, matched=True) for pair in patients_and_visits(SEED, 12)]


def points_inside(solid, count=4000, depth=0.0):
    spots = np.random.default_rng(0).uniform(solid.low, solid.high, (count, 3))
    return spots[solid.value(*spots.T) < -depth]


def test_same_arguments_same_picture(made):
    again = make_radiograph(SEED, made[3].patient, made[3].follow_up, size=SIZE)
    assert np.array_equal(made[3].image, again.image)
    assert again.findings == made[3].findings  # matched boxes change nothing else
    assert all(box.present for box in again.boxes)


def test_points_of_the_organs_fall_into_their_masks(made):
    for item in made[:4]:
        person = make_patient(SEED, item.patient)
        projector = pose(SEED, item.patient, item.follow_up, SIZE)
        solids = [("lung", s) for s in person.trunk.lungs.values()]
        if "Cardiomegaly" in item.findings:
            solids = []
        solids += [("clavicle", person.bones[f"clavicle_{side}"].solid) for side in ("left", "right")]
        for name, solid in solids:
            spots = projector.points(points_inside(solid, depth=0.5))[0]
            pixels = np.floor(spots[((spots >= 0) & (spots < 1)).all(1)] * SIZE).astype(int)
            shown = item.exposed[pixels[:, 0], pixels[:, 1]]
            hit = item.masks[name][pixels[:, 0], pixels[:, 1]]
            # A pixel belongs to the mask when the ray through its centre meets the organ, so rims may miss.
            assert hit[shown].mean() > (0.97 if name == "lung" else 0.85)
            assert not item.masks[name][~item.exposed].any()


def test_boxes_enclose_the_projected_findings(made):
    checked = 0
    for item in made:
        person = make_patient(SEED, item.patient)
        streams = stream(SEED, 3, item.patient), stream(SEED, 4, item.patient, item.follow_up)
        placed = place_findings(person.trunk, *streams)
        projector = pose(SEED, item.patient, item.follow_up, SIZE)
        for box in item.boxes:
            spots = projector.points(points_inside(placed[box.finding].solid, 30000))[0]
            low, high = spots.min(0), spots.max(0)
            if low.min() < 0.08 or high.max() > 0.92 or len(spots) < 500:
                continue  # cut by the picture's edge or the collimator, or too thin to sample
            edges = np.array([box.top, box.left, box.bottom, box.right])
            assert np.abs(edges - np.concatenate([low, high])).max() < 3.5 / SIZE, (item.name, box)
            checked += 1
    assert checked > 20


def test_presence_is_drawn_apart_from_the_place(made):
    assert {box.finding for item in made for box in item.boxes} == set(PREVALENCE)
    for item in made:
        assert item.findings == tuple(sorted(box.finding for box in item.boxes if box.present))


def test_landmarks_are_pairs_and_lie_on_the_anatomy(made):
    for item in made:
        marks = item.landmarks
        for pair in PAIRS:
            if f"{pair}_left" in marks and f"{pair}_right" in marks:
                assert marks[f"{pair}_left"][1] > marks[f"{pair}_right"][1]  # the patient's left is on the right
        if "lung_apex_left" in marks and "dome_left" in marks:
            assert marks["lung_apex_left"][0] < marks["carina"][0] < marks["dome_left"][0]
        for name in ("lung_apex_left", "costophrenic_right"):
            if name in marks:
                spot = np.array(marks[name]) * SIZE
                assert np.abs(np.argwhere(item.masks["lung"]) + 0.5 - spot).sum(1).min() < 4
    names = {name for item in made for name in item.landmarks}
    assert len(names) >= 16 and sum(name.endswith("_left") for name in names) == 6


def test_a_patient_keeps_the_anatomy_but_not_the_pose(made):
    patients = [item.patient for item in made]
    twin = next(k for k in range(len(made) - 1) if patients[k] == patients[k + 1])
    first, second = made[twin], made[twin + 1]
    assert first.age == second.age and first.female == second.female
    assert first.landmarks["carina"] != second.landmarks["carina"]
    assert not np.array_equal(first.image, second.image)
    lasting = {"Cardiomegaly", "Mass", "Nodule"}
    visible = {box.finding for box in first.boxes} & {box.finding for box in second.boxes} & lasting
    assert visible & set(first.findings) == visible & set(second.findings)


def test_structures_are_where_they_belong(made):
    for item in made:
        assert set(item.masks) == set(STRUCTURES)
        assert item.image.shape == (SIZE, SIZE) and item.image.dtype == np.uint8
        lung, heart = item.masks["lung"], item.masks["heart"]
        assert 0.12 < lung.mean() < 0.7 and 0.03 < heart.mean() < 0.4
        assert item.image[lung & ~heart].mean() < item.image[heart].mean()


def test_projected_lungs_hold_as_much_as_the_solids():
    lungs = make_patient(SEED, 2).trunk.lungs.values()
    parallel = Projector(160, field=(480.0, 480.0), distance=1e7)
    projected = sum(float(parallel.solid(lung, step=2.0).depth.sum()) for lung in lungs) * 9.0
    z, y, x = np.meshgrid(*(np.arange(-240, 240, s) for s in (6.0, 4.0, 4.0)), indexing="ij")
    inside = sum(int((lung.value(z, y, x) < 0).sum()) for lung in lungs) * 96.0
    assert projected == pytest.approx(inside, rel=0.02)


def test_tiny_pictures_are_refused():
    with pytest.raises(ValueError, match="size is 16, below 32"):
        make_radiograph(0, 1, 0, size=16)
