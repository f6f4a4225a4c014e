import numpy as np
import pytest
from pictures import by_name, save_grey
from PIL import Image

from common.files import DatasetError
from common.images import image_size, read_mask
from common.images.masks import resample_nearest
from common.readers import read
from common.readers.inspection import inspect
from common.readers.recognition import the_one

CLASSES = ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")


def write_mask(path, seed):
    """RGB of 256 x 256 pixels, as published."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.repeat(np.repeat(np.random.default_rng(seed).integers(0, 2, (8, 8), np.uint8) * 255, 32, 0), 32, 1)
    Image.fromarray(np.repeat(grey[..., None], 3, 2)).save(path)
    return grey[::32, ::32] > 0


@pytest.fixture
def root(tmp_path):
    base = tmp_path / "COVID-19_Radiography_Dataset"
    for kind, name in enumerate(CLASSES):
        for number in range(1, 6):
            seed = 10 * kind + number
            save_grey(base / name / "images" / f"{name}-{number}.png", seed, (299, 299), colours=3 if seed == 31 else 1)
            write_mask(base / name / "masks" / f"{name}-{number}.png", seed)
        (base / f"{name}.metadata.xlsx").write_bytes(b"PK")
    return tmp_path


def test_classes_are_folders_and_masks_lie_beside(root):
    corpus = read("covid_radiography", root)
    assert corpus.findings == CLASSES and corpus.structures == ("lung",) and len(corpus) == 20
    for name, record in by_name(corpus).items():
        kind = name.rpartition("-")[0]
        assert record.labels == tuple(float(kind == known) for known in CLASSES)
        assert record.masks["lung"] == record.image.replace("/images/", "/masks/")
    assert the_one(root) == "covid_radiography"


def test_masks_of_256_pixels_fit_images_of_299(root):
    record = by_name(read("covid_radiography", root))["Viral Pneumonia-2.png"]
    assert inspect(record).problems == ()
    mask = resample_nearest(read_mask(record.masks["lung"], foreground=255), image_size(record.image))
    cells = np.random.default_rng(32).integers(0, 2, (8, 8), np.uint8)
    centres = (np.arange(8) * 299 // 8) + 18
    assert mask.shape == (299, 299) and np.array_equal(mask[np.ix_(centres, centres)], cells)


def test_splits_are_drawn(root):
    corpus = read("covid_radiography", root, test_fraction=0.2, val_fraction=0.25)
    assert [sum(record.split == name for record in corpus.records) for name in ("train", "val", "test")] == [12, 4, 4]
    assert read("covid_radiography", root).fingerprint() == read("covid_radiography", root).fingerprint()


def test_older_versions_lie_flat_and_have_no_masks(tmp_path):
    for number, name in enumerate(("COVID/COVID (1).png", "NORMAL/NORMAL (1).png", "Viral Pneumonia/x (2).png")):
        save_grey(tmp_path / "COVID-19 Radiography Database" / name, number)
    corpus = read("covid_radiography", tmp_path)
    assert by_name(corpus)["COVID (1).png"].labels == (1, 0, 0, 0)
    assert by_name(corpus)["NORMAL (1).png"].labels == (0, 0, 1, 0)
    assert corpus.structures == () and any("3 images have no mask" in notice for notice in corpus.notices)
    assert the_one(tmp_path) == "covid_radiography"


def test_what_does_not_belong_is_named(root, tmp_path):
    base = root / "COVID-19_Radiography_Dataset"
    write_mask(base / "COVID" / "masks" / "COVID-99.png", 1)
    save_grey(base / "Influenza" / "images" / "Influenza-1.png", 3)
    (base / "Normal" / "masks" / "Normal-1.png").unlink()
    (base / "Normal" / "images" / "Normal-2.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    corpus = read("covid_radiography", root)
    text = "\n".join(corpus.notices)
    assert "1 masks belong to no image here (COVID-99.png)" in text and "Influenza/images/Influenza-1.png" in text
    assert "1 images have no mask" in text and "Normal-1.png" in text
    assert "Normal-2.png" in inspect(by_name(corpus)["Normal-2.png"]).problems[0]
    save_grey(tmp_path / "none" / "x.png")
    with pytest.raises(DatasetError, match="no image lies in a folder called COVID, Lung_Opacity, Normal"):
        read("covid_radiography", tmp_path / "none")
