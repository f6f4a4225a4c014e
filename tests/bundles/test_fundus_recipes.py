"""Every fundus recipe on a download of EyePACS's training images alone, which has no test image."""

import numpy as np
import pytest
from PIL import Image
from recipe_parts import BUNDLES, parsed

WITH_FUNDUS = sorted(path.parents[1].name for path in BUNDLES.glob("*/configs/fundus.yaml"))


@pytest.fixture(scope="module")
def eyepacs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("eyepacs")
    (folder / "train").mkdir()
    noise = np.random.default_rng(0)
    for patient in range(20):
        for eye in ("left", "right"):
            pixels = noise.integers(0, 255, (8, 12, 3), np.uint8)
            Image.fromarray(pixels).save(folder / "train" / f"{patient}_{eye}.jpeg")
    return folder


def test_the_recipes_are_found():
    assert {"cxr_adam", "cxr_adam_v2", "cxr_ace"} <= set(WITH_FUNDUS)


@pytest.mark.parametrize("bundle", WITH_FUNDUS)
def test_patients_kept_out_of_training_are_probed(bundle, eyepacs):
    parser = parsed(bundle, "fundus")
    parser["dataset_dir"] = parser["probe_dir"] = str(eyepacs)
    probed = parser.get_parsed_content("probe_corpus").subset(parser["probe_split"])
    trained = parser.get_parsed_content("corpus").subset("train")
    assert len(probed) == 4 and len(trained) == 36  # two of twenty patients
    assert not {r.patient_id for r in probed.records} & {r.patient_id for r in trained.records}
