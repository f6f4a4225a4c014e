"""Findings on phantom CTs: where they are, that their mimics are elsewhere, and that presence moves nothing."""

from functools import cache

import numpy as np
import pytest

from common.phantom.ct import NAMES, abdomen, chest, make_abdomen, make_chest
from common.phantom.ct.abdomen_organs import BOWEL, KIDNEYS
from common.phantom.ct.chest_findings import CHEST_LASTING, CHEST_PREVALENCE
from common.phantom.ct.injuries import SHARES, Injuries, draw_injuries
from common.phantom.ct.lesions import draw_presence
from common.phantom.ct.lobes import LOBES

SEED, PATIENTS = 4, (1, 2, 8)
HEALTHY = dict.fromkeys(("liver", "spleen", "kidney"), "healthy")


def without_noise(hounsfield, protocol, rng):
    return hounsfield


@pytest.fixture
def silent(monkeypatch):
    """No noise, so that two volumes of a patient differ by a finding alone."""
    for module in (chest, abdomen):
        monkeypatch.setattr(module, "expose", without_noise)


def chest_with(monkeypatch, patient, *present, **options):
    monkeypatch.setattr(chest, "draw_presence", lambda *streams: frozenset(present))
    return chest_made_once(patient, present, chest.expose, tuple(options.items()))


@cache
def chest_made_once(patient, present, noise, options):
    """A chest takes most of a second, and the tests compare the same few."""
    return make_chest(SEED, patient, size=64, **dict(options))


def abdomen_with(monkeypatch, patient, grades=None, bowel=False, extravasation=False):
    injuries = Injuries(HEALTHY | (grades or {}), bowel, extravasation)
    monkeypatch.setattr(abdomen, "injuries_of", lambda *keys: injuries)
    return abdomen_made_once(patient, repr(injuries), abdomen.expose)


@cache
def abdomen_made_once(patient, injuries, noise):
    return make_abdomen(SEED, patient, size=96, thickness=4.0)


def mask_of(volume, *names):
    return np.isin(volume.labels, [NAMES.index(name) for name in names])


def test_a_nodule_is_in_a_lobe_and_its_mimic_is_not(monkeypatch, silent):
    for patient in PATIENTS:
        without, with_ = (chest_with(monkeypatch, patient, *names) for names in ((), ("Lung nodule",)))
        change = with_.hounsfield - without.hounsfield
        lungs = mask_of(with_, *LOBES)
        assert change[~lungs].min() < -80 and change[~lungs].max() < 30  # the mimic has gone from fat or muscle
        grown = change > 300
        assert grown.any() and grown[~lungs].sum() == 0
        assert np.array_equal(with_.labels, without.labels)
        size = np.ptp(np.argwhere(grown), axis=0) * with_.spacing
        assert size.max() < 30


@pytest.mark.parametrize("finding", ["Lung nodule", "Coronary artery wall calcification"])
def test_larger_lesions_and_their_mimics_leave_everything_else_alone(monkeypatch, silent, finding):
    for patient in PATIENTS:
        gained, lost = [], []
        for options in ({}, {"lesion_scale": 2.0}):
            without, with_ = (chest_with(monkeypatch, patient, *names, **options) for names in ((), (finding,)))
            assert np.array_equal(with_.labels, chest_with(monkeypatch, patient).labels)
            change = with_.hounsfield - without.hounsfield
            gained.append(change.clip(0).sum())
            lost.append(-change.clip(max=0).sum())
        # Twice the radius is eight times the volume; vessels, the skin and the edge of an organ take some of it, and a
        # mimic of hardly a voxel begins with less than its share.
        assert 4 < gained[1] / gained[0] < 8.5 and 3 < lost[1] / lost[0] < 13


def test_without_mimics_a_volume_without_findings_has_no_lesion(monkeypatch, silent):
    for patient in PATIENTS:
        plain, real = (chest_with(monkeypatch, patient, *names, mimics=False) for names in ((), ("Lung nodule",)))
        both = [chest_with(monkeypatch, patient, *names) for names in ((), ("Lung nodule",))]
        lungs = mask_of(plain, *LOBES)
        assert np.array_equal(plain.labels, both[0].labels)
        assert np.array_equal(plain.hounsfield[~lungs], real.hounsfield[~lungs])  # no mimic that could go from there
        assert (real.hounsfield - plain.hounsfield)[lungs].max() > 300
        others = plain.hounsfield - both[0].hounsfield
        assert others.min() < -300 and others[lungs].max() < 30  # calcified ribs and ligaments are gone


def test_a_scale_that_no_lobe_holds_is_refused():
    with pytest.raises(ValueError, match=r"lesion_scale is 3; it must lie in \[1, 2.5\]"):
        make_chest(SEED, 1, size=64, lesion_scale=3)


def test_an_effusion_lies_at_the_back_of_one_lung(monkeypatch, silent):
    for patient in PATIENTS:
        volume = chest_with(monkeypatch, patient, "Pleural effusion")
        fluid = {}
        for side in ("left", "right"):
            lung = mask_of(volume, *(name for name in LOBES if side in name))
            wet = lung & (np.abs(volume.hounsfield - 8) < 1)
            fluid[side] = wet.sum() * np.prod(volume.spacing) / 1000
            if fluid[side] > 20:
                front = np.nonzero(lung)[1].min() * 0.45 + np.nonzero(lung)[1].max() * 0.55
                assert np.nonzero(wet)[1].mean() > front
        assert min(fluid.values()) < 5 and 30 < max(fluid.values()) < 600


def test_cardiomegaly_takes_as_much_lung_as_the_diaphragm_otherwise_does(monkeypatch, silent):
    ratios, lungs = [], []
    for patient in range(1, 5):
        normal, large = (chest_with(monkeypatch, patient, *names) for names in ((), ("Cardiomegaly",)))
        ratios.append(mask_of(large, "heart").mean() / mask_of(normal, "heart").mean())
        per_slice = [mask_of(item, *LOBES).sum() * np.prod(item.spacing) for item in (normal, large)]
        lungs.append(per_slice[1] / per_slice[0])
    assert min(ratios) > 1.2
    assert np.mean(lungs) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("finding", "organ"), [("Coronary artery wall calcification", "heart"), ("Arterial wall calcification", "aorta")]
)
def test_calcium_is_in_its_organ_or_elsewhere(monkeypatch, silent, finding, organ):
    for patient in PATIENTS:
        without, with_ = (chest_with(monkeypatch, patient, *names) for names in ((), (finding,)))
        change = with_.hounsfield - without.hounsfield
        inside = mask_of(with_, organ)
        assert change[inside].max() > 200 and change[~inside].min() < -150
        # As much of it in both: the sums of what is gained and lost agree roughly.
        gained, lost = change[change > 0].sum(), -change[change < 0].sum()
        assert 0.4 < gained / lost < 2.5


def test_consolidation_stays_in_one_lobe(monkeypatch, silent):
    for patient in PATIENTS:
        without, with_ = (chest_with(monkeypatch, patient, *names) for names in ((), ("Consolidation",)))
        dense = (with_.hounsfield - without.hounsfield) > 400
        assert dense.sum() * np.prod(with_.spacing) > 3000
        assert len(np.unique(with_.labels[dense])) == 1 and NAMES[with_.labels[dense][0]] in LOBES


def test_emphysema_is_in_the_upper_lobes(monkeypatch, silent):
    for patient in PATIENTS:
        without, with_ = (chest_with(monkeypatch, patient, *names) for names in ((), ("Emphysema",)))
        holes = (with_.hounsfield - without.hounsfield) < -60
        inside = mask_of(with_, *LOBES)
        upper = mask_of(with_, "lung_upper_lobe_left", "lung_upper_lobe_right")
        assert (holes & inside).sum() > 40 and (holes & upper).sum() > 0.9 * (holes & inside).sum()


@pytest.mark.parametrize(
    ("organ", "grade"),
    [
        ("liver", "high"),
        ("kidney", "low"),
        *(pytest.param(*pair, marks=pytest.mark.slow) for pair in [("liver", "low"), ("kidney", "high")]),
        *(pytest.param("spleen", grade, marks=pytest.mark.slow) for grade in ("low", "high")),
    ],
)
def test_lacerations_take_their_share_of_the_organ(monkeypatch, silent, organ, grade):
    for patient in PATIENTS:
        intact, torn = (abdomen_with(monkeypatch, patient, {organ: value}) for value in ("healthy", grade))
        assert np.array_equal(intact.labels, torn.labels)
        names = KIDNEYS if organ == "kidney" else (organ,)
        change = intact.hounsfield - torn.hounsfield
        dark = change > np.median(change[mask_of(torn, *names) & (change > 8)]) / 2
        shares = [dark[mask_of(torn, name)].mean() for name in names]
        low, high = SHARES[grade]
        assert 0.5 * low < max(shares) < 1.5 * high  # half-dark rims count in full, cysts and fat do not
        assert min(shares) == 0 or len(shares) == 1  # one kidney
        inside = mask_of(torn, *names)
        assert dark[~inside].mean() < 0.02 and torn.findings[f"{organ}_{grade}"] and torn.findings["any_injury"]


def test_a_leak_is_outside_of_all_organs_and_drunk_contrast_inside(monkeypatch, silent):
    for patient in PATIENTS:
        intact, torn = (abdomen_with(monkeypatch, patient, extravasation=value) for value in (False, True))
        change = torn.hounsfield - intact.hounsfield
        bright = (change > 80) & (torn.hounsfield > 150)
        assert bright.any() and (torn.labels[bright] == 0).all()
        drunk = (change < -80) & (intact.hounsfield > 150)
        assert mask_of(intact, *BOWEL)[drunk].mean() > 0.9
        slices = np.flatnonzero(torn.slices["extravasation"])
        assert set(np.nonzero(bright)[0]) <= set(slices) and np.ptp(slices) == len(slices) - 1
        assert not intact.slices


def test_free_gas_is_outside_of_the_bowel(monkeypatch, silent):
    for patient in PATIENTS:
        intact, torn = (abdomen_with(monkeypatch, patient, bowel=value) for value in (False, True))
        freed = (torn.hounsfield - intact.hounsfield < -250) & (torn.hounsfield < -700)
        assert freed.any() and not mask_of(torn, *BOWEL)[freed].any()
        assert mask_of(torn, *BOWEL).sum() > mask_of(intact, *BOWEL).sum()  # the wall is thicker
        assert set(np.nonzero(freed)[0]) <= set(np.flatnonzero(torn.slices["bowel"]))


def test_presence_and_place_have_their_own_streams(monkeypatch, silent):
    # All other findings stay where they are, whichever is present.
    first = chest_with(monkeypatch, 5, "Lung nodule")
    second = chest_with(monkeypatch, 5, "Lung nodule", "Arterial wall calcification")
    changed = np.abs(first.hounsfield - second.hounsfield) > 1e-3
    assert changed.mean() < 0.01 and np.array_equal(first.labels, second.labels)


def test_lasting_findings_last_and_prevalences_are_met():
    streams = [(np.random.default_rng([1, n]), np.random.default_rng([2, n])) for n in range(3000)]
    drawn = [draw_presence(CHEST_PREVALENCE, CHEST_LASTING, *pair) for pair in streams]
    for name, share in CHEST_PREVALENCE.items():
        assert np.mean([name in item for item in drawn]) == pytest.approx(share, abs=0.03)
    again = draw_presence(CHEST_PREVALENCE, CHEST_LASTING, np.random.default_rng([1, 7]), np.random.default_rng(99))
    assert again & set(CHEST_LASTING) == drawn[7] & set(CHEST_LASTING)


def test_columns_of_injuries_are_one_hot_and_any_is_their_or():
    for number in range(300):
        injuries = draw_injuries(np.random.default_rng(number))
        columns = injuries.columns()
        for organ in ("bowel", "extravasation", "kidney", "liver", "spleen"):
            assert sum(value for name, value in columns.items() if name.startswith(organ)) == 1
        healthy = all(value for name, value in columns.items() if name.endswith("_healthy"))
        assert injuries.any is not healthy


def test_scans_and_reconstructions_of_a_patient():
    base, sharper = make_chest(SEED, 6, 0, 0, size=64), make_chest(SEED, 6, 0, 1, size=64)
    assert base.findings == sharper.findings and base.protocol != sharper.protocol
    later = make_chest(SEED, 6, 1, 0, size=64)
    assert all(base.findings[name] == later.findings[name] for name in CHEST_LASTING)
    again = make_chest(SEED, 6, 0, 0, size=64)
    assert np.array_equal(base.hounsfield, again.hounsfield) and np.array_equal(base.labels, again.labels)
    assert make_abdomen(SEED, 6, 0).findings == make_abdomen(SEED, 6, 1).findings
