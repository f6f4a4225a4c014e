import math

import numpy as np
import pytest
import torch
from analysis_parts import Stub, images_of, mean_grey, noise, pooled

from bundles.embedding_analysis.scripts.landmark_map import MapLandmarks, same_landmark
from bundles.embedding_analysis.scripts.retrieval import Retrieval, crop_retrieval
from bundles.embedding_analysis.scripts.sides import partners
from bundles.embedding_analysis.scripts.symmetry import Symmetry
from common.files import DatasetError

PAIRS = {"a_left": (0.3, 0.75), "a_right": (0.3, 0.25), "b_left": (0.7, 0.8), "b_right": (0.7, 0.2)}


def test_a_mirrored_pair_has_symmetry_one_and_the_plain_one_less():
    half = noise(3, 40)[:, :, :20]
    images = images_of(np.concatenate([half, half[:, :, ::-1]], axis=2), PAIRS)
    numbers, shown = Symmetry(10, 8, side=0.3)(Stub(pooled(10)), images)
    assert numbers["mirrored"] == pytest.approx(1) and numbers["partner_found"] == 1
    assert numbers["plain"] < 0.95 and numbers["others"] < 0.95
    assert shown.pairs == ["a", "b"] and shown.cosines["mirrored"].shape == (3, 2)


def test_numbers_of_symmetry_are_cosines():
    """Image halves of one grey each; (grey, 1) of 0 and 255 have the cosine 1 / sqrt(2)."""
    pixels = np.zeros((2, 40, 40), np.uint8)
    pixels[:, :20, 20:] = 255  # the upper left landmark, on the right of the picture
    numbers, _ = Symmetry(4, 8, side=0.2)(Stub(mean_grey), images_of(pixels, PAIRS))
    assert numbers["mirrored"] == pytest.approx((0.5**0.5 + 1) / 2)  # pair a, pair b
    assert numbers["others"] == pytest.approx((0.5**0.5 + 1) / 2)
    assert numbers["partner_found"] == pytest.approx(0.5)  # a tie goes to the first


def test_an_absent_landmark_counts_nowhere():
    half = noise(1, 40)[:, :, :20]
    image = np.concatenate([half, half[:, :, ::-1]], axis=2)
    images = images_of(np.concatenate([image, noise(1, 40, 1)]), [PAIRS, {"a_left": (0.3, 0.75)}])
    numbers, shown = Symmetry(10, 8, side=0.3)(Stub(pooled(10)), images)
    assert numbers["mirrored"] == pytest.approx(1) and numbers["partner_found"] == 1
    assert shown.cosines["mirrored"][1].isnan().all()


def test_without_partners_it_says_so():
    with pytest.raises(DatasetError, match=r"carina.*`pairs`"):
        Symmetry(8, 8)(Stub(mean_grey), images_of(noise(2, 20), {"carina": (0.5, 0.5)}))
    assert partners(["x_left", "carina"]) == []


def test_the_nearest_patch_of_another_patient_decides():
    vectors = torch.tensor([[1.0, 0.0], [1.0, 0.01], [0.8, 0.6], [0.0, 1.0]])
    landmark = torch.tensor([0, 1, 0, 1])
    assert same_landmark(vectors, landmark, torch.tensor([0, 1, 2, 3])) == 0.0
    # Of one patient, the first two cannot find each other: now 2 is nearest to both, 1 to 2, and 2 to 3.
    assert same_landmark(vectors, landmark, torch.tensor([0, 0, 2, 3])) == 0.25
    assert math.isnan(same_landmark(vectors, landmark, torch.zeros(4)))


def test_landmarks_that_look_different_lie_apart_in_the_map():
    pixels = noise(12, 40) // 4
    pixels[:, :20, :20] += 190  # bright on the left above, on the right below
    pixels[:, 20:, 20:] += 190
    numbers, shown = MapLandmarks(8, 16, sides=(0.3, 0.2), perplexity=5.0)(
        Stub(pooled(2)), images_of(pixels, {"top": (0.25, 0.5), "bottom": (0.75, 0.5)})
    )
    for side in ("0.3", "0.2"):
        assert numbers[f"same_landmark_{side}"] == 1 and numbers[f"silhouette_{side}"] > 0.5
    for places in shown.places.values():
        top, bottom = (places[shown.landmark == number] for number in (0, 1))
        assert places.shape == (24, 2) and places.min() >= 0 and places.max() <= 1
        assert torch.cdist(top, top).median() < torch.cdist(top, bottom).median()


def test_a_crop_finds_its_image_by_its_grey_and_chance_is_one_of_the_group():
    images = images_of([[[60 * number] * 20] * 20 for number in range(5)], patients=list("aabcd"))
    numbers, shown = Retrieval(4, 8, candidates=3, queries=5, neighbours=2)(Stub(mean_grey), images)
    assert numbers == {"crop_finds_image": 1.0, "chance": pytest.approx(2 / 5)}
    assert shown.nearest.tolist() == [[2, 3], [2, 3], [3, 1], [4, 2], [3, 2]]  # never of the same patient
    assert shown.pixels.shape == (5, 3, 1, 20, 20)
    assert math.isnan(crop_retrieval(torch.ones(1, 2), torch.ones(1, 2), 3)["chance"])


def test_findings_are_predicted_from_neighbours_where_there_are_labels():
    greys = [0, 250] * 6
    images = images_of([[[grey] * 8] * 8 for grey in greys], findings=["bright"], labels=[(g > 0,) for g in greys])
    assert Retrieval(4, 8)(Stub(mean_grey), images).numbers["knn_auc"] == 1
