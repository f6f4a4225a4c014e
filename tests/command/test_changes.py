import sys
from pathlib import Path

import monai.bundle
import pytest

from common.command import changes_name

MONAI = str(Path(monai.bundle.__file__).with_name("__main__.py"))
RECIPE = """
seed: 0
run_name: "$'{}-{}{}'.format(@start, @changes, @seed)"
changes: "$common.command.changes_name()"
start: "$@encoder_file or 'scratch'"
encoder_file: null
decoder: upernet
learning_rate: 1.0e-4
optimizer: {lr: "@learning_rate", weight_decay: 0.1}
epochs: 3
num_workers: 2
dataset_dir: data
"""


@pytest.fixture
def name_of(tmp_path, monkeypatch):
    """What the name of a command says of its overlays and flags."""
    configs = tmp_path / "cxr_toy" / "configs"
    for file in ("train", "small", "data/lungs", "multi_gpu", "evaluate", "own.small"):
        (configs / file).parent.mkdir(parents=True, exist_ok=True)
        (configs / f"{file}.yaml").write_text(RECIPE if file == "train" else "{}")

    def name(*words, overlays=()):
        files = [str(configs / f"{file}.yaml") for file in ("train", *overlays)]
        monkeypatch.setattr(sys, "argv", [MONAI, "run", "--config_file", str(files), *words])
        return changes_name()

    return name


def test_the_recipe_as_it_is(name_of):
    assert name_of() == ""


def test_overlays_and_overrides(name_of):
    assert name_of("--decoder", "unet", overlays=["small"]) == "-small-decoder_unet"
    assert name_of("--optimizer#weight_decay", "0.05") == "-weight_decay_0.05"
    assert name_of("--optimizer::weight_decay", "0.05") == "-weight_decay_0.05"


def test_what_is_told_elsewhere_or_does_not_train_is_left_out(name_of):
    words = ("--encoder_file", "a/b.pt", "--seed", "3", "--num_workers", "0", "--dataset_dir", "/x", "--epochs", "9")
    assert name_of(*words, overlays=["data/lungs", "multi_gpu", "evaluate"]) == ""


def test_values_become_letters_of_file_names(name_of):
    assert name_of("--decoder", "/some where/my net.pt") == "-decoder_my_net"
    assert "/" not in name_of("--optimizer", "{'lr': 1, 'path': 'a/b'}")


def test_long_names_stay_different_and_short(name_of):
    one, other = (name_of("--decoder", "x" * 200 + end) for end in "ab")
    assert one != other and len(one) == len(other) == 80


def test_no_command(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["pytest"])
    assert changes_name() == ""
