import numpy as np
import pytest
from pictures import by_name, save_grey
from PIL import Image

from common.files import DatasetError
from common.images import read_mask
from common.readers import read
from common.readers.cxr.montgomery import exchanged_lungs
from common.readers.support.tree import Tree

READING = "Patient's Sex: {}\nPatient's Age: {:03}Y\nnormal"
NAMES = [f"MCUCXR_{number:04}_{int(number > 103)}" for number in (1, 2, 3, 4, 104, 113, 117, 120, 121, 122)]


def half(side, size=(12, 10)):
    """A lung in the left or the right half of the image, one bit."""
    mask = np.zeros(size, bool)
    mask[2:9, 1:4] = side == "left"
    mask[2:9, 6:9] = side == "right"
    return Image.fromarray(mask)


def write(root, names=NAMES):
    folder = root / "MontgomerySet"
    for number, name in enumerate(names):
        save_grey(folder / "CXR_png" / f"{name}.png", number, (12, 10))
        for mask_folder, side in (("leftMask", "right"), ("rightMask", "left")):
            (folder / "ManualMask" / mask_folder).mkdir(parents=True, exist_ok=True)
            half(side).save(folder / "ManualMask" / mask_folder / f"{name}.png")
            (folder / "ManualMask" / mask_folder / "Thumbs.db").write_bytes(b"x")
        (folder / "ClinicalReadings").mkdir(exist_ok=True)
        (folder / "ClinicalReadings" / f"{name}.txt").write_text(READING.format("MF"[number % 2], 20 + number))
    return folder


def test_lungs_one_by_one_and_joined(tmp_path):
    folder = write(tmp_path)
    corpus = read("montgomery", tmp_path)
    record = by_name(corpus)["MCUCXR_0002_0.png"]
    assert len(corpus) == len(NAMES) and corpus.structures == ("lung", "lung_left", "lung_right")
    assert record.masks["lung_left"] == f"{folder}/ManualMask/leftMask/MCUCXR_0002_0.png"
    left, right, both = (read_mask(record.masks[name]) for name in ("lung_left", "lung_right", "lung"))
    assert left.sum() == right.sum() == 21 and (both == (left | right)).all()
    assert np.nonzero(left)[1].min() > 5 > np.nonzero(right)[1].max()  # the patient's left
    assert (record.sex, record.age, record.view) == ("F", 21, "PA")
    assert record.pixel_spacing == pytest.approx((0.0875 * 4892 / 12,) * 2)
    again = read("montgomery", tmp_path)  # what was drawn is no image
    assert again.records == corpus.records and again.notices == corpus.notices


def test_labels_splits_and_a_patient_who_is_there_twice(tmp_path):
    write(tmp_path)
    corpus = read("montgomery", tmp_path)
    assert {name: record.labels for name, record in by_name(corpus).items()} == {
        f"{name}.png": (float(name[-1]),) for name in NAMES
    }
    counts = [sum(record.split == split for record in corpus.records) for split in ("train", "val", "test")]
    assert len({record.patient_id for record in corpus.records}) == 9 and counts[1] >= 2 <= counts[2]
    splits = {record.patient_id: record.split for record in corpus.records}
    assert all(splits[record.patient_id] == record.split for record in corpus.records)


def test_structures_of_others(tmp_path):
    folder = write(tmp_path)
    for name, side in (("heart", "left"), ("clavicle_left", "right"), ("clavicle_right", "left")):
        (folder / name).mkdir()
        half(side).save(folder / name / "MCUCXR_0001_0.png")
    corpus = read("montgomery", tmp_path, masks_dir=f"{tmp_path}/masks")
    masks = by_name(corpus)["MCUCXR_0001_0.png"].masks
    assert (
        set(corpus.structures)
        == set(masks)
        == {*("lung", "lung_left", "lung_right", "heart", "clavicle", "clavicle_left", "clavicle_right")}
    )
    assert read_mask(masks["clavicle"]).sum() == 42
    assert masks["clavicle"] == f"{tmp_path}/masks/montgomery/clavicle/MCUCXR_0001_0.png"
    assert len(read("montgomery", tmp_path, masks_dir=f"{tmp_path}/masks")) == len(NAMES)


def test_bad_input_is_named(tmp_path):
    folder = write(tmp_path)
    half("left").save(folder / "ManualMask" / "leftMask" / "MCUCXR_0999_1.png")
    (folder / "ManualMask" / "rightMask" / "MCUCXR_0001_0.png").write_bytes(b"damaged")
    (folder / "CXR_png" / "MCUCXR_0002_0.png").write_bytes(b"damaged")
    (folder / "ClinicalReadings" / "MCUCXR_0003_0.txt").unlink()
    save_grey(folder / "CXR_png" / "figure.png")
    corpus = read("montgomery", tmp_path)
    text = "\n".join(corpus.notices)
    assert "1 masks belong to no image here (MontgomerySet/ManualMask/leftMask/MCUCXR_0999_1.png)" in text
    assert "rightMask/MCUCXR_0001_0.png: not an image" in text and "figure.png" in text
    assert "1 images have no clinical reading with sex and age (MCUCXR_0003_0)" in text
    records = by_name(corpus)
    assert "lung" not in records["MCUCXR_0001_0.png"].masks and "lung" in records["MCUCXR_0003_0.png"].masks
    assert records["MCUCXR_0002_0.png"].pixel_spacing is None  # its store says what is wrong with it


@pytest.mark.parametrize(("size", "known"), [((489, 402), True), ((402, 489), True), ((256, 256), False)])
def test_an_image_of_another_shape_has_no_spacing(tmp_path, size, known):
    folder = write(tmp_path, NAMES[:2])
    save_grey(folder / "CXR_png" / f"{NAMES[0]}.png", 0, size)
    spacing = by_name(read("montgomery", tmp_path, val_fraction=0.0, test_fraction=0.0))[
        f"{NAMES[0]}.png"
    ].pixel_spacing
    assert spacing == (pytest.approx((0.0875 * 4892 / 489,) * 2) if known else None)


def test_exchanged_lungs_are_found(tmp_path):
    folder = write(tmp_path, NAMES[:2])
    assert exchanged_lungs(Tree(tmp_path)) == []
    half("left").save(folder / "ManualMask" / "leftMask" / f"{NAMES[0]}.png")
    assert exchanged_lungs(Tree(tmp_path)) == [folder / "ManualMask" / "leftMask" / f"{NAMES[0]}.png"]


def test_a_folder_without_images(tmp_path):
    folder = write(tmp_path)
    for path in (folder / "CXR_png").glob("*.png"):
        path.unlink()
    with pytest.raises(DatasetError, match=r"no image in it is named like MCUCXR_0001_0\.png, outside of mask folders"):
        read("montgomery", tmp_path)
