"""The names of a label map's values in a JSON file beside it."""

import json

import nibabel
import numpy as np
import pytest

from common.files.errors import Unusable
from common.volumes.label_names import label_names


@pytest.fixture
def organs(tmp_path):
    nibabel.Nifti1Image(np.ones((4, 4, 4), np.uint8), np.eye(4)).to_filename(tmp_path / "x.nii")
    return tmp_path / "x.nii"


@pytest.mark.parametrize("number", [1.7, True, "1.7", None])
def test_what_is_no_whole_number_is_refused(organs, number):
    organs.with_name("labels.json").write_text(json.dumps({"liver": number}))
    with pytest.raises(Unusable, match=r"labels\.json"):
        label_names(organs)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("number", [5, 5.0, "5"])
def test_a_whole_number_in_any_encoding(organs, number, encoding):
    organs.with_name("labels.json").write_bytes(json.dumps({"liver": number}).encode(encoding))
    assert label_names(organs) == {"liver": 5}
