"""What is typed wrong is told in two lines: what, and what to do."""

import re
from inspect import signature

import pytest
from monai.bundle import ConfigWorkflow, run, run_workflow
from monai.bundle.properties import InferProperties, TrainProperties

from common.launcher.bundles import Bundle, bundles
from common.launcher.errors import UsageError
from common.launcher.main import main
from common.launcher.mistyped import OF_MONAI
from common.launcher.words import values


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
        (["run", "image_segmentation", "folder"], "no overlay folder", "write --dataset folder"),
        (["run", "cxr_ace", "--dataset", "lung_masks"], "no reader lung_masks", "whose reader is folder"),
        (["run", "cxr_ace", "--probe_dataset=chestxray41"], "no reader chestxray41", "mean chestxray14"),
        (["run", "cxr_ace", "small", "--learing_rate", "3"], "not fit", "--learing_rate: .* mean learning_rate?"),
        (["run", "cxr_ace", "--train#trainr#max_epochs", "3"], "not fit its config", "mean train#trainer?"),
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
    assert problem in first and re.search(remedy.replace("?", r"\?"), second) and not said.out


@pytest.mark.parametrize(
    "words",
    [
        ["--method#global_weight", "3", "--train#trainer#clip#mode", "global"],  # arguments of components
        ["--method#whatever", "3"],  # which only the component itself can refuse
        ["--dataset_options#name", "x", "--probe_options#name", "x"],
        ["--encoder_options#embed_dim", "48"],
        ["--mine", "3", "--epochs", "$@mine * 2"],
        ["--init_id", "begin", "--key_metric", "x"],
        ["--args_file", "x.yaml", "--of_the_file", "3"],
        ["--dataset", "$'chestxray14'"],
        ["small", "--warmup_epochs", "1"],
    ],
    ids=str,
)  # fmt: skip
def test_what_may_be_meant_is_left_to_the_command_itself(capsys, words):
    assert main(["run", "cxr_ace", *words, "--dry_run"]) == 0


def test_what_monai_knows_by_itself():
    own = {*signature(run).parameters, *signature(run_workflow).parameters, *signature(ConfigWorkflow).parameters}
    ids = {item["id"] for item in [*TrainProperties.values(), *InferProperties.values()]}
    assert (own | {"workflow_name"} | {id_ for id_ in ids if "::" not in id_}) - {"kwargs", "override"} == OF_MONAI


def test_values_of_overrides_as_typed():
    assert values(["--a", "1", "--b=2=3", "--c", "--d-e", "x y"]) == {"a": "1", "b": "2=3", "c": "", "d_e": "x y"}


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
