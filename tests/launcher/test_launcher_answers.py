"""What lists and explains: complete, correct, and at once."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from common.command import completed
from common.launcher.main import main
from common.launcher.recipe_keys import recipe_keys
from common.launcher.results import results
from common.readers import find_reader, reader_modules

ROOT = Path(__file__).parents[2]
BUNDLES = sorted(path.parents[1] for path in ROOT.glob("bundles/*/configs/train.yaml"))


def said(capsys, *words) -> str:
    assert main(words) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("words", [["list"], ["help", "cxr_ace"], ["run", "cxr_ace", "--dry_run"], []], ids=str)
def test_it_answers_at_once(words):
    check = "import sys, common.__main__ as m; m.main(sys.argv[1:]); assert not {'torch', 'monai'} & set(sys.modules)"
    before = os.times()
    subprocess.run([sys.executable, "-c", check, *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    assert used < 1.0  # seconds of a core; whoever waits on a busy machine waits longer


def test_every_bundle_and_overlay_is_listed(capsys):
    bundles, overlays = said(capsys, "list", "bundles"), said(capsys, "list", "overlays")
    for bundle in BUNDLES:
        assert f"  {bundle.name} " in bundles and f"  {bundle.name}\n" in overlays
    purpose = "UperNet as the released code builds it, instead of segmentation_models_pytorch's"
    assert re.search(rf"^    released +{re.escape(purpose)}", overlays, re.MULTILINE)
    assert overlays.count("\n    multi_gpu ") == len(BUNDLES)


def test_a_bundle_that_trains_nothing_is_listed_run_and_explained(capsys):
    assert "  embedding_analysis " in said(capsys, "list", "bundles")
    assert "'bundles/embedding_analysis/configs/analyse.yaml'" in said(
        capsys, "run", "embedding_analysis", "smoke", "--dry_run"
    )
    told = said(capsys, "help", "embedding_analysis")
    assert "configs/analyse.yaml:" in told and "\n    analyse " not in told
    assert "common evaluate" not in told and "common evaluate" in said(capsys, "help", "image_classification")


def test_data_sets_are_those_that_have_a_reader(capsys):
    lines = {line.split()[0]: line for line in said(capsys, "list", "datasets").splitlines() if line.startswith("  ")}
    assert set(lines) == set(reader_modules())
    for name, line in lines.items():
        publication = find_reader(name).publication
        assert f"{publication.title}; {publication.licence}" in line
        assert line.split()[1] == reader_modules()[name].split(".")[2]


def test_runs_with_their_best_and_their_evaluation(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "none below ./runs" in said(capsys, "list", "runs")
    tested = {"split": "test", "metrics": {"iou": 0.5, "dice": 0.7}}
    undefined = {"split": "val", "metrics": {"iou": 0.5, "dice": None}}
    for name, day, files in (
        ("a", 3, {"best.json": {"metric": "dice", "value": 0.91234, "epoch": 7}, "evaluation.json": undefined}),
        ("b", 2, {"best.json": {"metric": "dice", "value": 0.8, "epoch": 1}, "evaluation.json": tested}),
        ("c", 1, {"probe.json": {"embedding_rank": 5.0, "patch_auc": 0.75, "knn_auc": None}}),
    ):  # fmt: skip
        folder = tmp_path / "runs" / "image_segmentation" / name
        folder.mkdir(parents=True)
        for file, content in files.items():
            (folder / file).write_text(json.dumps(content))
            os.utime(folder / file, (86_400.0 * day + 43_200,) * 2)
    unfinished = tmp_path / "runs" / "cxr_ace" / "d" / "checkpoints"
    unfinished.mkdir(parents=True)
    for number in (9, 120):
        (unfinished / f"iteration-{number:09d}.pt").touch()
    (tmp_path / "runs" / "stores" / "some").mkdir(parents=True)
    lines = [line.split(maxsplit=3) for line in said(capsys, "list", "runs").splitlines()[1:] if line]
    assert [(Path(place).name, text) for place, _, _, text in lines] == [
        ("c", "patch_auc 0.7500"),
        ("b", "dice 0.8000 in epoch 1, test: dice 0.7000"),
        ("a", "dice 0.9123 in epoch 7, val: dice undefined"),
        ("d", "not evaluated, 120 iterations"),
    ]
    assert [day for _, day, _, _ in lines[:3]] == ["1970-01-02", "1970-01-03", "1970-01-04"]


LOGGED = "2026-11-29 00:01:05,026 - common.reporting.progress - INFO - epoch {}  loss 1.2  dice 0.4  9.9 img/s  0:02\n"
GOES_ON = "2026-11-29 00:02:00,000 - common.engines.checkpoints - INFO - Going on from a.pt: iteration 9, epoch {}.\n"
END = "2026-11-29 00:01:06,276 - common.reporting.progress - INFO - {}\nfinished    {}: {} epochs in 0:11\n"


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (["Tracked as a\n"], "interrupted at epoch 1 of 30"),
        ([LOGGED.format("0/30"), LOGGED.format("1/30")], "interrupted at epoch 2 of 30"),
        ([LOGGED.format("30/30")], ""),  # a stage before the last ends without a word
        ([LOGGED.format("7/30"), END.format("-" * 72, "a", "7 of 30")], ""),  # by its patience
        (
            [LOGGED.format("7/9"), END.format("-" * 72, "a", "9 of 9"), GOES_ON.format(9)],
            "interrupted at epoch 10 of 30",
        ),
        ([LOGGED.format("7/30"), "Traceback\n" * 9_000, GOES_ON.format(7)], "interrupted at epoch 8 of 30"),
        ([], ""),  # of a version that kept no log
    ],
)
def test_an_interrupted_run_says_where(tmp_path, log, said):
    folder = tmp_path / "runs" / "cxr_ace" / "a"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "iteration-000000003.pt").touch()
    (folder / "config.yaml").write_text("seed: 0\nepochs: 30\nwarmup_epochs: 10\n")
    if log:
        (folder / "train.log").write_text("".join(log))
    (result,) = results(tmp_path / "runs")
    assert result.said == ", ".join(filter(None, ["not evaluated, 3 iterations", said]))


def test_a_run_that_is_being_trained_is_not_called_interrupted(tmp_path):
    lock = tmp_path / "runs" / "cxr_ace" / "a" / "checkpoints" / ".lock"
    lock.parent.mkdir(parents=True)
    (lock.parents[1] / "train.log").write_text(LOGGED.format("4/30"))
    hold = f"import fcntl; f = open({str(lock)!r}, 'a'); fcntl.lockf(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"1\n"
        assert results(tmp_path / "runs")[0].said.endswith("in training, epoch 5 of 30")
        other.communicate(b"\n")
    assert results(tmp_path / "runs")[0].said.endswith("interrupted at epoch 5 of 30")


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda bundle: bundle.name)
def test_help_has_every_key_of_a_bundle(bundle, capsys):
    lines = [line.split() for line in said(capsys, "help", bundle.name).splitlines() if line.startswith("  ")]
    shown = [words[0] for words in lines]
    for key in completed(yaml.safe_load((bundle / "configs" / "train.yaml").read_text())):
        assert shown.count(key) == 1, key


def test_a_key_has_its_value_comment_and_section(tmp_path):
    recipe = tmp_path / "train.yaml"
    recipe.write_text(
        "# about the file\nseed: 0\n# --- data ------\nname: 'a # b'   # a note, it's one\n# above\n"
        "options: {a: 1,\n  b: '#'}   # [P]\nnetwork:   # beside\n  _target_: x.Y\n  b: 2\n"
        "train:\n  c: {d: 1}   # within\n"
    )
    ((file, keys),) = recipe_keys(recipe)
    assert file == recipe
    assert [(key.name, key.value, key.comment, key.section) for key in keys] == [
        ("seed", "0", "", ""),
        ("name", "'a # b'", "a note, it's one", "data"),
        ("options", "{a: 1, b: '#'}", "above [P]", "data"),
        ("network", "x.Y", "beside", "data"),
        ("train", "{c}", "", "data"),
    ]


def test_help_has_the_comment_of_a_base_where_a_recipe_says_nothing():
    (_, own), (base, keys) = recipe_keys(ROOT / "bundles/cxr_ace/configs/train.yaml")
    assert base.name == "pretraining.yaml" and "probe_mask_values" not in {key.name for key in own}
    assert "ignore" in next(key.comment for key in keys if key.name == "probe_mask_values")
