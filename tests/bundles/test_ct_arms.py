"""The two arms of the paper's comparison stay apart, and neither is what it is not called."""

from dataclasses import dataclass

import pytest
from recipe_parts import parsed

from bundles.ct_diagnosis_classification.scripts.volumes import choose_findings, require_organs
from common.files import DatasetError
from common.losses import InjuryOutputs
from common.records import Corpus, Record

BUNDLE = "ct_diagnosis_classification"


@dataclass
class Cache:
    """What is asked of a cache."""

    volumes: int
    without_organs: int
    corpus = Corpus("toy", ())

    def __len__(self):
        return self.volumes


@pytest.mark.parametrize("segment", [True, False])
def test_evaluation_looks_for_the_run_that_was_trained(segment):
    """The labels arm's network must not be scored where the masks arm was trained."""
    names = []
    for overlays in (("data/phantom",), ("data/phantom", "evaluate")):
        parser = parsed(BUNDLE, *overlays)
        parser.update({"segment": segment, "corpus": None})
        names.append([parser.get_parsed_content(key) for key in ("run_name", "run_dir", "task")])
    assert names[0] == names[1] and names[0][2] == ("organs" if segment else "labels")


def test_a_masks_arm_without_any_mask_is_refused():
    with pytest.raises(DatasetError, match=r"of its 3 training volumes not one has an organ mask.*segment to False"):
        require_organs(Cache(3, 3), True)
    for cache, segment in ((Cache(3, 2), True), (Cache(3, 3), False)):
        assert require_organs(cache, segment) is cache


def test_grades_out_of_their_injuries_order_are_refused():
    parser = parsed(BUNDLE, "data/ratic")
    findings, injuries = parser["findings"], parser.get_parsed_content("injuries")
    assert tuple(findings) == InjuryOutputs(tuple(injuries["binary"]), tuple(injuries["graded"])).names
    corpus = Corpus("toy", (Record("v", "p", "train", "toy", labels=tuple(map(float, range(11)))),), tuple(findings))
    assert choose_findings(corpus, findings, injuries).records[0].labels == tuple(range(11))
    turned = {**injuries, "graded": ["spleen", "liver", "kidney"]}
    with pytest.raises(DatasetError, match="want bowel_injury, extravasation_injury, spleen_healthy"):
        choose_findings(corpus, findings, turned)


@pytest.mark.parametrize(("file", "options"), [(None, {"width": 16}), ("r3d_18.pth", {})])
def test_small_networks_make_way_for_weights(file, options):
    parser = parsed(BUNDLE, "data/phantom", "small")
    parser["backbone_file"] = file
    assert parser.get_parsed_content("architecture_options") == options
