"""Whether findings on phantom CTs are hidden from the brightness of a whole volume and plain inside of the organs."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion, binary_opening, gaussian_filter
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from common.phantom import make_patient
from common.phantom.anatomy import build_trunk
from common.phantom.ct import NAMES, make_abdomen, make_chest
from common.phantom.ct.abdomen_organs import BOWEL, KIDNEYS
from common.phantom.ct.lobes import LOBES
from common.phantom.ct.scanner import sample_position
from common.phantom.ct.torso import bone_layers, cavity, raised
from common.phantom.patient import stream

SEED, COUNT, HIDDEN, PLAIN = 3, 300, 0.65, 0.85


def mask_of(volume, *names):
    return np.isin(volume.labels, [NAMES.index(name) for name in names])


def brightness(volume):
    """What needs no anatomy: five moments and a histogram of the whole volume."""
    values = np.clip(volume.hounsfield, -1000, 1000).astype(float)
    histogram = np.histogram(values, 16, (-1000, 1000))[0] / values.size
    return [values.mean(), values.std(), values.min(), values.max(), *histogram]


def held_out_auc(features, target):
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000, class_weight="balanced"))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return roc_auc_score(target, cross_val_predict(model, features, target, cv=folds, method="decision_function"))


def roundness(values, spacing, mask):
    """Largest smallest curvature: high in a ball, zero along a vessel."""
    width, hessian = 4.8, np.zeros((*values.shape, 3, 3), np.float32)
    for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)):
        order = [(i == axis) + (j == axis) for axis in range(3)]
        curvature = gaussian_filter(values, width / spacing, order) * width**2 / (spacing[i] * spacing[j])
        hessian[..., i, j] = hessian[..., j, i] = curvature
    return -np.linalg.eigvalsh(hessian[mask])[:, 2].min()


def chest_oracle(volume, patient):
    spacing = np.array(volume.spacing)
    values = np.clip(volume.hounsfield, -1000, 2000).astype(np.float32)
    lung, heart = mask_of(volume, *LOBES), mask_of(volume, "heart")
    filled = np.where(lung, values, np.float32(-850))
    deep = binary_erosion(lung, np.ones((3, 5, 5)))
    dense = (gaussian_filter(filled, 5 / spacing) > -330) & deep
    fluid = []
    for side in ("left", "right"):
        half = mask_of(volume, *(name for name in LOBES if side in name))
        back = int(np.quantile(np.nonzero(half)[1], 0.999) - 30 / spacing[1])
        half[:, :back] = False
        fluid.append((values[half] > -300).mean())
        dense &= ~half
    width = np.ptp(np.flatnonzero(lung.any((0, 1)))) * spacing[2]
    soft, inner = gaussian_filter(filled, 0.7), binary_erosion(lung, np.ones((3, 3, 3)))
    return {
        "Lung nodule": roundness(filled, spacing, deep),
        "Pleural effusion": max(fluid) - min(fluid),
        "Consolidation": binary_opening(dense).sum() * spacing.prod(),
        "Cardiomegaly": (heart.sum() * spacing.prod()) ** (1 / 3) / width,
        "Coronary artery wall calcification": np.sort(values[heart])[-12:].mean(),
        "Arterial wall calcification": np.sort(values[mask_of(volume, "aorta")])[-8:].mean(),
        "Emphysema": (soft[inner] < np.median(soft[inner]) - 55).mean(),
    }


def dark_share(volume, names):
    soft = gaussian_filter(np.clip(volume.hounsfield, -1000, 1000).astype(np.float32), 0.6)
    shares = [0.0]
    for name in names:
        inside = soft[binary_erosion(mask_of(volume, name), np.ones((3, 3, 3)))]
        inside = inside[inside > -20]  # fat of the kidney's sinus
        if len(inside) > 20:
            shares.append((inside < np.quantile(inside, 0.7) - 30).mean())
    return max(shares)


def inside_belly(volume, patient):
    """The true space around the abdominal organs, without bones."""
    position = sample_position(stream(SEED, 42, patient))
    person = make_patient(SEED, patient)
    form = raised(person.form, position.breath, position.breath)
    steps = [np.arange(n) * s + o for n, s, o in zip(volume.labels.shape, volume.spacing, volume.origin, strict=True)]
    up, back, left = np.meshgrid(*steps, indexing="ij")
    z, y, x = position.shift[0] - up, back - position.shift[1], left - position.shift[2]
    cos, sin = np.cos(position.roll), np.sin(position.roll)
    z, y, x = (part.astype(np.float32) for part in (z, cos * y - sin * x, sin * y + cos * x))
    bones = np.any([layer.solid.value(z, y, x) < 5 for layer in bone_layers(person)], axis=0)
    return (cavity(form, build_trunk(form).abdomen).value(z, y, x) < -4) & ~bones


def abdomen_oracle(volume, patient):
    values, spacing = np.clip(volume.hounsfield, -1000, 1000), np.array(volume.spacing)
    bowel = mask_of(volume, *BOWEL)
    empty = ~binary_dilation(volume.labels > 0, np.ones((3, 3, 3)))
    near = binary_dilation(bowel, np.ones((1, 3, 3)), iterations=4) & empty
    belly = inside_belly(volume, patient) & empty
    return {
        "liver": dark_share(volume, ["liver"]),
        "spleen": dark_share(volume, ["spleen"]),
        "kidney": dark_share(volume, KIDNEYS),
        "bowel": (values[near] < -300).sum() * spacing.prod(),
        "extravasation": np.sort(values[belly])[-4:].mean(),
    }


def _measure(make, oracle, patient):
    volume = make(SEED, patient)
    return brightness(volume), oracle(volume, patient), volume.findings


def measure(make, oracle):
    with ProcessPoolExecutor(2) as pool:
        rows = list(pool.map(partial(_measure, make, oracle), range(1, COUNT + 1), chunksize=4))
    global_, inside, findings = zip(*rows, strict=True)
    columns = {name: np.array([row[name] for row in inside]) for name in inside[0]}
    return np.array(global_), columns, {name: np.array([row[name] for row in findings]) for name in findings[0]}


@pytest.fixture(scope="module")
def chests():
    return measure(make_chest, chest_oracle)


@pytest.fixture(scope="module")
def abdomens():
    return measure(make_abdomen, abdomen_oracle)


@pytest.mark.slow
def test_findings_of_the_chest_need_anatomy(chests):
    everywhere, inside, findings = chests
    for name, present in findings.items():
        hidden, plain = held_out_auc(everywhere, present), roc_auc_score(present, inside[name])
        print(f"{name}: {present.sum()} of {COUNT}, whole volume {hidden:.2f}, inside of the organ {plain:.2f}")
        assert hidden < HIDDEN and plain > PLAIN, name


@pytest.mark.slow
def test_injuries_of_the_abdomen_need_anatomy(abdomens):
    everywhere, inside, findings = abdomens
    for name in ("any_injury", *(name for name in findings if name.endswith(("_low", "_high", "_injury")))):
        hidden = held_out_auc(everywhere, findings[name])
        print(f"{name}: {findings[name].sum()} of {COUNT}, whole volume {hidden:.2f}")
        assert hidden < HIDDEN, name
    for organ, feature in inside.items():
        plain = roc_auc_score(~findings[f"{organ}_healthy"], feature)
        print(f"{organ}: inside of the organ {plain:.2f}")
        assert plain > PLAIN, organ
