"""What is typed wrong is told in two lines: what, and what to do."""

import pytest

from common.launcher.bundles import Bundle, bundles
from common.launcher.errors import UsageError
from common.launcher.main import main


@pytest.mark.parametrize(
    ("words", "problem", "remedy"),
    [
        (["trian"], "no command trian", "mean run"),
        (["run"], "needs a bundle", "list bundles"),
        (["run", "cxr_ac"], "no bundle cxr_ac", "mean cxr_ace"),
        (["run", "toys"], "no bundle toys", "There are: ct_diagnosis_classification, cxr_ace"),
        (["run", "cxr_ace", "smal"], "no overlay smal", "mean small"),
        (["run", "image_segmentation", "data/lung_mask"], "no overlay data/lung_mask", "mean data/lung_masks"),
        (["run", "cxr_ace", "./none.yaml"], "no overlay ./none.yaml", ""),
        (["run", "cxr_ace", "--config_file", "x"], "--config_file is written", "overlays"),
        (["run", "cxr_ace", "--gpus"], "--gpus has no value", "--gpus VALUE"),
        (["run", "cxr_ace", "--gpus", "0"], "--gpus is 0", "1 or more"),
        (["list", "run"], "knows no run", "mean runs"),
        (["list", "--all"], "no option --all", ""),
        (["help", "cxr_adm"], "no bundle or command cxr_adm", "mean cxr_adam"),
    ],
    ids=str,
)  # fmt: skip
def test_two_lines_and_status_2(capsys, words, problem, remedy):
    assert main(words) == 2
    said = capsys.readouterr()
    first, second = said.err.splitlines()
    assert problem in first and remedy in second and not said.out


def test_an_overlay_name_that_two_have(tmp_path):
    for folder in ("data", "probe"):
        (tmp_path / "configs" / folder).mkdir(parents=True)
        (tmp_path / "configs" / folder / "masks.yaml").write_text("seed: 1\n")
    bundle = Bundle(tmp_path)
    assert bundle.overlay("probe/masks") == tmp_path / "configs" / "probe" / "masks.yaml"
    with pytest.raises(UsageError, match=r"several overlays called masks\.\nName one: data/masks, probe/masks\."):
        bundle.overlay("masks")


def test_a_package_without_bundles_beside_it(tmp_path):
    with pytest.raises(UsageError, match=r"(?s)There is no bundle in .*repository's root"):
        bundles(tmp_path)
