"""Adam v2's curriculum at the smoke size: granularities within one run, a kill at their border, and the hand-over."""

import signal

import pytest
import torch
from commands import train, write_images


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images"))


def checkpoint(root, stage):
    (folder,) = (root / "cxr_adam_v2").glob(f"*-{stage}")
    return torch.load(sorted(folder.glob("checkpoints/iteration-*.pt"))[-1], weights_only=True)


def differing(one, other):
    return {name for name in one if not torch.equal(one[name], other[name])} | (one.keys() ^ other.keys())


@pytest.mark.slow
def test_a_stage_is_one_run_through_its_granularities_and_resumes_exactly_at_their_border(
    images, output_root, tmp_path
):
    assert train("cxr_adam_v2", tmp_path, images, ["curriculum"]) == 0
    whole = {stage: checkpoint(tmp_path, stage) for stage in ("l", "lcd")}
    length = whole["lcd"]["trainer"]["epoch_length"]
    assert all(saved["trainer"]["iteration"] == 2 * length for saved in whole.values())  # granularity 0, then 1
    # killed after the last iteration of granularity 0 and gone on with: the same bits, and one optimiser throughout
    assert train("cxr_adam_v2", output_root, images, ["curriculum"], kill_at=("-lcd", length)) == -signal.SIGKILL
    assert checkpoint(output_root, "lcd")["trainer"]["iteration"] == length
    assert train("cxr_adam_v2", output_root, images, ["curriculum"]) == 0
    assert not differing(checkpoint(output_root, "lcd")["network"], whole["lcd"]["network"])
    steps = {float(state["step"]) for state in whole["lcd"]["optimizer"]["state"].values()}
    assert max(steps) == 2 * length


def test_the_second_stage_begins_with_student_and_teacher_of_the_first(images, output_root):
    stages = {
        "l": {"composition#_disabled_": True, "decomposition#_disabled_": True},
        "lcd": {"start_anew": ["composer.", "decomposer."], "seed": 1},  # what is not handed over begins otherwise
    }
    still = {"learning_rate": 0.0, "schedules#lr#final": 0.0, "granularity_epochs": [1], "stages": stages}
    assert train("cxr_adam_v2", output_root, images, ["curriculum"], **still) == 0
    before, after = (checkpoint(output_root, stage) for stage in ("l", "lcd"))
    changed = differing(before["network"], after["network"])
    assert {name.split(".")[0] for name in changed} == {"composer", "decomposer", "localisation"}
