"""Which files readers find: every suffix of what is decoded, and names that tell no format by their content."""

import io
import shutil

import nibabel
import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from common.files import DatasetError
from common.readers import read

PIXELS = np.random.default_rng(0).integers(0, 255, (16, 16), np.uint8)


def names(root, reader="folder"):
    return [record.image.rsplit("/", 1)[1] for record in read(reader, root.resolve()).records]


def bare_dicom(implicit):
    data, stream = Dataset(), io.BytesIO()
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = "1.2.840.10008.5.1.4.1.1.1", "1.2.3", "CR"
    data.save_as(stream, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
    return stream.getvalue()


@pytest.mark.parametrize("suffix", ["jxl", "JLS", "j2k", "jp2", "jpe", "jfif"])
def test_every_suffix_of_an_image_is_found_alone_and_among_others(tmp_path, suffix):
    (tmp_path / f"0.{suffix}").write_bytes(b"\xff\xd8\xff")
    assert names(tmp_path) == [f"0.{suffix}"]
    (tmp_path / "masks").mkdir()
    shutil.copy(tmp_path / f"0.{suffix}", tmp_path / "masks")
    assert "lung" in read("folder", tmp_path, masks={"lung": "masks"}).records[0].masks
    Image.fromarray(PIXELS).save(tmp_path / "1.png")
    assert names(tmp_path)[:2] == [f"0.{suffix}", "1.png"]


@pytest.mark.parametrize("implicit", [True, False])
def test_content_decides_where_a_name_tells_no_format(tmp_path, implicit):
    Image.fromarray(PIXELS).save(tmp_path / "a", "PNG")
    Image.fromarray(PIXELS).save(tmp_path / "b.scan", "BMP")
    (tmp_path / "IM0002").write_bytes(bare_dicom(implicit))
    assert names(tmp_path) == ["IM0002", "a", "b.scan"]


@pytest.mark.parametrize("content", [b"BM and no bitmap", b"\x08\0" * 50, b"\x02\0\xff\xff", b"text"])
def test_what_only_begins_alike_is_no_image(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DatasetError, match="no image in it"):
        read("folder", tmp_path)


def test_volumes_without_suffix_are_found(tmp_path):
    nibabel.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4)).to_filename(tmp_path / "b.nii")
    (tmp_path / "b.nii").rename(tmp_path / "b")
    (tmp_path / "c").write_bytes(b"NDims = 3\nDimSize = 4 4 4\nElementType = MET_SHORT\nElementDataFile = LOCAL\n")
    assert names(tmp_path, "ct_folder") == ["b", "c"]
