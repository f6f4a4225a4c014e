"""Images of several files: a store follows each of them."""

import logging
import os
import time

import nibabel
import numpy as np
import pandas as pd
import pytest

from common.images import open_store, read_image
from common.records import Corpus, Record


def pixels(seed):
    return np.random.default_rng(seed).integers(0, 255, (16, 16), np.uint8)


def metaimage(folder, values, header="x.mhd"):
    """A 2D MetaImage with its pixels in x.raw, and the file that is changed."""
    text = "ObjectType = Image\nNDims = 2\nBinaryData = True\nBinaryDataByteOrderMSB = False\nDimSize = 16 16\n"
    (folder / header).write_text(text + "ElementSpacing = 1 1\nElementType = MET_UCHAR\nElementDataFile = x.raw\n")
    (folder / "x.raw").write_bytes(values.tobytes())
    return folder / header, folder / "x.raw"


def analyze(folder, values):
    nibabel.Spm2AnalyzeImage(values.T, np.eye(4)).to_filename(folder / "x.img")
    (folder / "x.mat").unlink(missing_ok=True)
    return folder / "x.img", folder / "x.hdr"


def opened(image, folder):
    corpus = Corpus("toy", (Record(str(image), "a", "train", "toy"),), ())
    return open_store(corpus, folder / "stores", 16, workers=1, progress=False)


@pytest.mark.parametrize("header", ["x.mhd", "x.png"])
def test_the_pixels_of_a_header_are_those_of_its_second_file(tmp_path, header, caplog):
    image, second = metaimage(tmp_path, pixels(0), header)
    assert np.array_equal(opened(image, tmp_path).images[0, 0], pixels(0))
    second.write_bytes(pixels(1).tobytes())
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(opened(image, tmp_path).images[0, 0], pixels(1))
    assert "1 of 1 files have changed" in caplog.text


def test_voxels_whose_header_changes_are_read_anew(tmp_path):
    image, header = analyze(tmp_path, pixels(0))
    before = np.array(opened(image, tmp_path).images[0])
    content = bytearray(header.read_bytes())
    rows, cols = content[42:44], content[44:46]
    assert rows == cols == b"\x10\0"
    content[42:46] = b"\x20\0\x08\0"  # 32 x 8 in place of 16 x 16
    header.write_bytes(content)
    after = opened(image, tmp_path)
    assert after.sizes.tolist() == [list(read_image(image).shape[1:])] != [[16, 16]]
    assert not np.array_equal(after.images[0], before)


def test_a_second_file_that_is_touched_is_kept_and_one_that_is_gone_is_not_needed(tmp_path, caplog):
    image, second = metaimage(tmp_path, pixels(0))
    store = opened(image, tmp_path)
    table, images = store.directory / "table.parquet", store.directory / "images.npy"
    made = images.stat().st_mtime_ns
    time.sleep(0.01)
    os.utime(second)
    assert opened(image, tmp_path).directory and images.stat().st_mtime_ns == made
    noted = table.stat().st_mtime_ns
    opened(image, tmp_path)
    assert table.stat().st_mtime_ns == noted  # its new time was written down
    second.unlink()
    assert np.array_equal(opened(image, tmp_path).images[0, 0], pixels(0))
    assert "changed" not in caplog.text


def test_a_second_file_that_is_brought_ends_the_quarantine(tmp_path):
    image, _ = metaimage(tmp_path, pixels(0))
    other = tmp_path / "y.mhd"
    other.write_text(image.read_text().replace("x.raw", "y.raw"))
    corpus = Corpus("toy", tuple(Record(str(path), path.name, "train", "toy") for path in (image, other)), ())
    store = open_store(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    assert [bad.path for bad in store.quarantine] == [str(other)]
    del store
    (tmp_path / "y.raw").write_bytes(pixels(3).tobytes())
    store = open_store(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    assert np.array_equal(store.images[1, 0], pixels(3))


def test_a_store_from_before_second_files_were_told_is_not_believed_about_pairs(tmp_path):
    image, second = metaimage(tmp_path, pixels(0))
    store = opened(image, tmp_path)
    place = store.directory / "table.parquet"
    del store
    table = pd.read_parquet(place).drop(columns="beside")
    table["sha256"] = "of the header alone"
    table.to_parquet(place, index=False)
    second.write_bytes(pixels(1).tobytes())
    assert np.array_equal(opened(image, tmp_path).images[0, 0], pixels(1))
