import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from common.command import completed, one_run
from common.command.fixed_keys import LENGTH, NETWORK
from common.command.one_run import differences, open_run
from common.command.run_files import RunFiles, write_run_files

ROOT = Path(__file__).parents[2]
CONFIG = {
    "batch_size": 4,
    "dataset_dir": "data/phantom",
    "decoder": "upernet",
    "epochs": 30,
    "num_workers": 2,
    "optimizer": {"_target_": "torch.optim.AdamW", "lr": "@learning_rate"},
    "learning_rate": 1e-4,
    "structures": ["lung"],
    "run": ["$@train#trainer.run()"],
}


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """Begin a command with changes of CONFIG in the folder of a run that CONFIG made."""
    folder = tmp_path / "runs" / "lungs"
    write_run_files(folder, CONFIG)
    (folder / "model.pt").touch()
    monkeypatch.setattr("common.command.terminal._log", None)
    before, level = list(logging.getLogger().handlers), logging.getLogger().level

    def begin(resume=False, **changes):
        monkeypatch.setattr(one_run, "merged_config", lambda: {**CONFIG, **changes})
        open_run(folder, resume)
        return folder

    yield begin
    logging.getLogger().setLevel(level)
    logging.captureWarnings(False)
    for handler in set(logging.getLogger().handlers) - set(before):
        logging.getLogger().removeHandler(handler)
        handler.close()


def test_the_same_command_goes_on(begin):
    assert (begin() / "train.log").is_file()


def test_a_run_that_another_process_trains_keeps_its_log(begin, tmp_path):
    lock = tmp_path / "runs" / "lungs" / "checkpoints" / ".lock"
    lock.parent.mkdir()
    hold = f"import fcntl; f = open({str(lock)!r}, 'a'); fcntl.lockf(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"1\n"
        with pytest.raises(SystemExit, match=r"another process is training in .*lungs.*\nWait for it, or .*--run_name"):
            begin()
        assert not (tmp_path / "runs" / "lungs" / "train.log").exists()
        other.communicate(b"\n")
    assert (begin() / "train.log").is_file()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"decoder": "unet"}, "decoder: upernet -> unet"),
        ({"epochs": 60}, "epochs: 30 -> 60"),
        ({"structures": ["lung", "heart"]}, "structures#1: (absent) -> heart"),
        (
            {"optimizer": {"_target_": "torch.optim.SGD", "lr": "@learning_rate"}},
            "torch.optim.AdamW -> torch.optim.SGD",
        ),
        ({"dataset_dir": "data/others"}, "dataset_dir: data/phantom -> data/others"),
        ({"new": {}}, "new: (absent) -> {}"),
    ],
)
def test_another_recipe_is_refused_and_nothing_touched(begin, tmp_path, changes, line):
    folder = tmp_path / "runs" / "lungs"
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    with pytest.raises(SystemExit) as refusal:
        begin(**changes)
    lines = str(refusal.value).splitlines()
    assert len(lines) == 3 and str(folder) in lines[0] and line in lines[1]
    assert "--run_name lungs-2" in lines[2]
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"epochs": 60}, "as with more epochs: --resume True"),
        ({"dataset_dir": "data/others"}, "if dataset_dir still gives the same images: --resume True"),
        ({"batch_size": 6}, "the iterations of an epoch (batch_size): with the old value it goes on as it was"),
        ({"method": {"head": {"hidden_dim": 9}}}, "the shapes of weights (method#head#hidden_dim): with the old value"),
        ({"decoder": "unet"}, "the shapes of weights (decoder): with the old value it goes on as it was"),
        (
            {"batch_size": 6, "dataset_options": {"val_fraction": 0.5}, "structures": ["heart"], "epochs": 60},
            "epoch (batch_size, dataset_options#val_fraction) and the shapes of weights (structures#0): "
            "with the old values --resume True goes on with the rest",
        ),
    ],
)
def test_only_what_a_checkpoint_can_follow_is_advised(begin, changes, advice):
    with pytest.raises(SystemExit) as refusal:
        begin(**changes)
    said = str(refusal.value).splitlines()[-1]
    assert advice in said
    assert ("--resume True" in said) == ("--resume True" in advice)


def test_the_keys_that_checkpoints_are_fixed_to_are_those_of_recipes():
    recipes = [yaml.safe_load(path.read_text()) for path in ROOT.glob("bundles/*/configs/train.yaml")]
    known = {name for recipe in recipes for name in completed(recipe)}
    named = {name for kind in (LENGTH, NETWORK) for name in re.findall(r"[a-z_]+", kind.pattern)}
    inner = {"w", "_fraction", "split_", "items", "dataloader", "drop_last", "trainer", "epoch_length"}
    assert named - inner <= known


def test_a_free_name_is_proposed(begin, tmp_path):
    (tmp_path / "runs" / "lungs-2").mkdir()
    with pytest.raises(SystemExit, match="--run_name lungs-3"):
        begin(decoder="unet")


def test_many_changes_are_counted(begin):
    with pytest.raises(SystemExit) as refusal:
        begin(options={f"k{i}": i for i in range(50)})
    assert len(str(refusal.value).splitlines()) == 13 and "and 40 more" in str(refusal.value)


def test_resume_lets_a_changed_recipe_go_on_and_says_so(begin, caplog):
    caplog.set_level(logging.INFO)
    folder = begin(resume=True, epochs=60)
    assert "epochs: 30 -> 60" in caplog.text
    assert "epochs: 30 -> 60" in (folder / "train.log").read_text()


def test_places_and_processes_may_change(begin, tmp_path, monkeypatch):
    absolute = str((tmp_path / "data" / "phantom").resolve())
    monkeypatch.chdir(tmp_path)
    write_run_files(tmp_path / "runs" / "lungs", CONFIG)
    changed = {**CONFIG, "dataset_dir": absolute, "num_workers": 0, "run": []}
    noted = RunFiles(CONFIG, cwd=str(tmp_path))
    assert list(differences(noted, changed)) == []


def test_nothing_trained_yet_is_no_run(begin, tmp_path):
    (tmp_path / "runs" / "lungs" / "model.pt").unlink()
    begin(decoder="unet")


def test_tuples_and_whole_floats_are_no_change():
    config = {"sizes": (1, 2), "rate": 1.0}
    assert list(differences(RunFiles(yaml.safe_load("{sizes: [1, 2], rate: 1}")), config)) == []
