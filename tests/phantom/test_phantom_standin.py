"""Whether the phantom can stand in for real images: spread, grey levels, and findings that only pixels give away."""

import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from common.phantom import PREVALENCE, make_patient, make_radiograph, patients_and_visits
from common.phantom.radiograph import pose

SEED = 0


def make(count, size):
    job = partial(_make_one, size)
    with ProcessPoolExecutor(2) as pool:
        return list(pool.map(job, patients_and_visits(SEED, count), chunksize=4))


def _make_one(size, pair):
    return make_radiograph(SEED, *pair, size=size, matched=True)


@pytest.fixture(scope="module")
def sample():
    return make(600, 256)


def out_of_fold(features, target, folds, groups=None, strength=1.0):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=3000, class_weight="balanced"))
    score = cross_val_predict(model, features, target, groups=groups, cv=folds, method="decision_function")
    return roc_auc_score(target, score)


def spread(images):
    names = sorted({name for item in images for name in item.landmarks})
    nowhere = (np.nan, np.nan)
    spots = np.array([[item.landmarks.get(name, nowhere) for name in names] for item in images])
    return np.nanstd(spots, axis=0), np.isnan(spots[..., 0]).mean()


def test_landmarks_move_in_a_small_sample():
    pairs = patients_and_visits(SEED, 30)
    points = [np.array(list(make_patient(SEED, patient).landmarks.values())) for patient, _ in pairs]
    spots = np.array([pose(SEED, *pair).points(at)[0] for pair, at in zip(pairs, points, strict=True)])
    deviation = spots.std(0)
    assert deviation.max(1).min() > 0.05 and deviation.mean() > 0.05
    assert ((spots < 0) | (spots >= 1)).any(2).mean() < 0.12


@pytest.mark.slow
def test_landmarks_move_by_more_than_a_twentieth_of_the_height(sample):
    deviation, missing = spread(sample)
    print("standard deviation (row, col), mean", deviation.mean(0), "least", deviation.max(1).min(), "missing", missing)
    assert deviation.max(1).min() > 0.05 and deviation.mean() > 0.05
    assert missing < 0.10


@pytest.mark.slow
@pytest.mark.real
def test_histograms_do_not_tell_phantom_from_real(sample):
    root = os.environ.get("CXR_DATA")
    folder = Path(root or "", "chestxray14_1000", "images")
    if root is None or not folder.is_dir():
        pytest.skip("CXR_DATA names no folder with chestxray14_1000/images")
    real = [np.asarray(Image.open(path).convert("L")) for path in sorted(folder.iterdir())[: len(sample)]]
    pictures = [item.image for item in sample] + real
    features = np.array([np.histogram(picture, 32, (0, 256))[0] / picture.size for picture in pictures])
    target = np.r_[np.ones(len(sample)), np.zeros(len(real))]
    auc = out_of_fold(features, target, StratifiedKFold(5, shuffle=True, random_state=0))
    print("histogram AUC", auc)
    assert auc < 0.85


def around(item, box, cells=16):
    """Pixels of the box and half its size around it, averaged to a grid, mirrored to one side, standardised."""
    size = len(item.image)
    height, width = box.bottom - box.top, box.right - box.left
    top, left = (box.top - height / 2) * size, (box.left - width / 2) * size
    bottom, right = (box.bottom + height / 2) * size, (box.right + width / 2) * size
    padded = np.pad(item.image, size, mode="edge")
    cut = padded[int(top) + size : int(np.ceil(bottom)) + size, int(left) + size : int(np.ceil(right)) + size]
    small = Image.fromarray(cut).resize((cells, cells), Image.Resampling.BOX)
    grid = np.asarray(small, dtype=float)
    if box.left + box.right > 1:
        grid = grid[:, ::-1]
    return ((grid - grid.mean()) / (grid.std() + 1e-6)).ravel()


@pytest.mark.slow
@pytest.mark.parametrize("finding", sorted(PREVALENCE))
def test_pixels_show_a_finding_and_its_place_does_not(sample, finding):
    pairs = [(item, box) for item in sample for box in item.boxes if box.finding == finding]
    target = np.array([box.present for _, box in pairs])
    patients = np.array([item.patient for item, _ in pairs])
    pixels = np.array([around(item, box) for item, box in pairs])
    edges = np.array([(box.top, box.left, box.bottom, box.right) for _, box in pairs])
    height, width = edges[:, 2] - edges[:, 0], edges[:, 3] - edges[:, 1]
    places = np.column_stack([edges, height, width, height * width])
    folds = GroupKFold(5)
    seen = out_of_fold(pixels, target, folds, patients, strength=0.002)
    guessed = out_of_fold(places, target, folds, patients)
    print(f"{finding}: {target.sum()} of {len(target)}, pixels {seen:.2f}, place {guessed:.2f}")
    assert seen > 0.7
    # Three standard errors of an AUC under chance (up to four images a patient). One-sided: where there is nothing
    # to learn, pooled scores of folds fall below 0.5, since the training folds' mean is the opposite of the test's.
    assert guessed - 0.5 < 3 * np.sqrt(1.5 * len(target) / (12 * target.sum() * (~target).sum()))
