"""Adam's curriculum at the smoke size: what is handed from stage to stage, and a kill in the middle of it."""

import shutil
import signal
from functools import partial

import pytest
import torch
from commands import train as run
from commands import write_images

LEVELS = (0, 2, 4)
train = partial(run, "cxr_adam")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images"))


def checkpoint(root, name):
    return sorted((root / "cxr_adam" / name / "checkpoints").glob("iteration-*.pt"))[-1]


def network(root, name):
    return torch.load(checkpoint(root, name), weights_only=True)["network"]


def differing(one, other):
    return {name for name in one if not torch.equal(one[name], other[name])} | (one.keys() ^ other.keys())


@pytest.fixture(scope="module")
def whole(images, mlflow_template, tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    shutil.copy(mlflow_template, root / "mlflow.db")
    assert train(root, images, ["curriculum"]) == 0
    return root


def test_every_stage_leaves_its_encoders_and_goes_on_from_the_one_before(whole, images, output_root):
    weights = {level: network(whole, f"adam-seed0-level{level}") for level in LEVELS}
    for level in LEVELS:
        folder = whole / "cxr_adam" / f"adam-seed0-level{level}"
        assert (folder / "encoder.safetensors").is_file() and (folder / "encoder_best.safetensors").is_file()
        assert int(weights[level]["contrast.pointer"]) == (level // 2 + 1) * 6 * 4 % 16  # 6 steps of 4 keys in each
    assert differing(weights[0], weights[2]) and differing(weights[2], weights[4])

    # level 2 alone, from the end of level 0
    start = whole / "cxr_adam" / "adam-seed0-level0"
    assert train(output_root, images, [], level=2, run_name="alone", start_from=start) == 0
    assert not differing(network(output_root, "alone"), weights[2])
    # and with the bank emptied (B7)
    options = {"level": 2, "run_name": "emptied", "start_from": start, "start_anew": ["contrast."]}
    assert train(output_root, images, [], **options) == 0
    assert "contrast.bank" in differing(network(output_root, "emptied"), weights[2])


@pytest.mark.slow  # the toy is killed in its second stage, too
def test_a_kill_in_the_second_stage_resumes_there(whole, images, output_root):
    assert train(output_root, images, ["curriculum"], kill_at=("-level2", 4)) == -signal.SIGKILL
    assert checkpoint(output_root, "adam-seed0-level2").stem == "iteration-000000004"
    assert not (output_root / "cxr_adam" / "adam-seed0-level4").exists()
    first = checkpoint(output_root, "adam-seed0-level0").stat().st_mtime_ns
    assert train(output_root, images, ["curriculum"]) == 0
    assert checkpoint(output_root, "adam-seed0-level0").stat().st_mtime_ns == first  # not trained again
    for level in LEVELS:
        name = f"adam-seed0-level{level}"
        assert not differing(network(output_root, name), network(whole, name))
