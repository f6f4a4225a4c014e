"""Paired differences of two runs: by hand, by another formula, and none where nothing differs."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from common.evaluation import ClassificationReport, DetectionReport, SaveReport, SegmentationReport
from common.launcher.main import main
from common.records import Corpus, Record
from common.scoring import few_patients
from common.scoring.compare import IncomparableError, compare, read_evaluation

ROOT = Path(__file__).parents[2]
SLOW = {"torch", "ignite", "monai", "timm", "mlflow"}


def evaluated(folder, report, sources, records=None, **about):
    """What an evaluation of what the report was given leaves."""
    report.compute()
    for row, source in zip(report.outcome.images, sources, strict=True):
        row["source"] = source
    about = {"corpus": "toy", "split": "test"} | about
    SaveReport(report, str(folder), about=about, corpus=records, resamples=2).write(report.outcome)
    return folder


def classified(folder, scores, labels, records=None):
    report = ClassificationReport(["c0", "c1"])
    report.update((scores, torch.tensor(labels)))
    return evaluated(folder, report, [f"/{n:03d}.png" for n in range(len(scores))], records)


def left(folder, task, classes, table, **said):
    """The files of an evaluation, written by hand."""
    folder.mkdir(parents=True)
    said = {"task": task, "classes": list(classes), "corpus": "toy", "split": "test"} | said
    (folder / "evaluation.json").write_text(json.dumps(said))
    table.to_csv(folder / "evaluation_images.csv", index=False)
    return folder


def written(folder, scores, labels, sources=None, classes=("c0", "c1"), **said):
    """Of a classification."""
    table = pd.DataFrame({"source": sources or [f"/{n:03d}.png" for n in range(len(scores))]})
    table[list(classes)], table[[f"{name} (label)" for name in classes]] = scores, labels
    return left(folder, "classification", classes, table, **said)


def segmented(folder, maps, masks):
    report = SegmentationReport(["lung", "heart"])
    report.update((maps, masks))
    return evaluated(folder, report, [f"/{n}.png" for n in range(len(maps))])


def detected(folder, boxes, true, findings=("x", "y")):
    report = DetectionReport(findings, image_size=64)
    report.update((boxes, true))
    return evaluated(folder, report, [f"/{n}.png" for n in range(len(true))], iou=0.5)


def compared(*folders, **options):
    found = compare(*map(read_evaluation, folders), **options)
    return {(row["metric"], row["class"]): row for row in found.rows}


def boxes_of(seed, images=8):
    generator = np.random.default_rng(seed)
    corner = generator.uniform(0, 40, (images, 1, 2))
    number = generator.integers(0, 2, (images, 1, 1))
    return torch.tensor(np.concatenate([corner, corner + 12, number], -1))


def scores_on(boxes, seed):
    """Detections near the boxes, and as many beside them, the most certain ones anywhere in the list."""
    generator = torch.Generator().manual_seed(seed)
    near = boxes[..., :4] + 3 * torch.randn(*boxes.shape[:2], 4, generator=generator, dtype=torch.float64)
    near = torch.cat([near[..., :2], near[..., :2] + 12], -1)
    placed = torch.cat([near, near + 20], 1)
    score = torch.rand(*placed.shape[:2], 1, generator=generator).double()
    return torch.cat([placed, score, boxes[..., 4:].repeat(1, 2, 1)], -1)


PAIRS = Corpus("toy", tuple(Record(f"/{n:03d}.png", f"00{n // 2}", "test", "toy") for n in range(12)))


def test_a_run_compared_with_itself_differs_by_nothing(tmp_path, capsys):
    generator = torch.Generator().manual_seed(0)
    labels = [[float(n % 2), float(n % 3 == 0)] for n in range(12)]
    true = boxes_of(0)
    folders = [
        classified(tmp_path / "a", torch.rand(12, 2, generator=generator), labels, PAIRS),
        segmented(
            tmp_path / "b", torch.rand(4, 2, 8, 8, generator=generator), (torch.arange(512) % 2).view(4, 2, 8, 8)
        ),
        detected(tmp_path / "c", scores_on(true, 1), true),
    ]
    found = compare(*[read_evaluation(folders[0])] * 2, resamples=2)
    assert (found.about["images"], found.about["patients"], found.notices) == (12, 6, few_patients(6))
    assert read_evaluation(folders[0]).images["patient"].tolist()[:3] == ["000", "000", "001"]  # as text
    for folder in folders:
        for row in compared(folder, folder, resamples=50).values():
            assert [row["difference"], row["low"], row["high"]] == [0, 0, 0]
        said = json.loads((folder / "evaluation.json").read_text())["metrics"]
        for (metric, name), row in compared(folder, folder, resamples=1).items():
            key = metric if name == "mean" else f"{metric}/{name}"
            assert row["first"] == pytest.approx(said[key], abs=1e-12), key  # read again from the file


def test_the_difference_of_two_areas_by_hand(tmp_path):
    """Three negatives and two positives: 4 of the 6 pairs are in order in A, all 6 in B."""
    labels = [[0.0], [0.0], [0.0], [1.0], [1.0]]
    a = written(tmp_path / "a", [[0.1], [0.2], [0.8], [0.7], [0.5]], labels, classes=["c0"])
    b = written(tmp_path / "b", [[0.1], [0.2], [0.3], [0.7], [0.5]], labels, classes=["c0"])
    row = compared(a, b, resamples=10)["auc", "mean"]
    assert (row["first"], row["second"], row["difference"]) == pytest.approx((4 / 6, 1, 2 / 6))
    assert compared(b, a, resamples=10)["auc", "c0"]["difference"] == pytest.approx(-2 / 6)


def test_the_interval_is_of_pairs_and_of_patients(tmp_path):
    """Dice differs by exactly 0.1 or 0.3 of a patient's images: the spread between patients makes the interval, and the
    far larger one between images, which both runs share, does not."""
    count = 80
    named = {"source": [f"/{n}.png" for n in range(count)], "patient": [f"p{n // 2}" for n in range(count)]}
    hard = np.random.default_rng(0).uniform(0, 0.6, count)
    gain = np.where(np.arange(count) // 2 % 2, 0.1, 0.3)
    tables = pd.DataFrame({**named, "lung": hard}), pd.DataFrame({**named, "lung": hard + gain})
    runs = [
        left(tmp_path / str(number), "segmentation", ["lung"], table.sample(frac=1, random_state=number))
        for number, table in enumerate(tables)  # in another order each
    ]
    row = compared(*runs, resamples=1500)["dice", "mean"]
    error = 0.1 / np.sqrt(count // 2)  # the standard deviation of 0.1 and 0.3, over the root of the patients
    assert row["difference"] == pytest.approx(0.2)
    assert (row["high"] - row["low"]) / 2 == pytest.approx(1.96 * error, rel=0.1)


def test_errors_of_landmarks_in_each_unit_but_not_in_pixels_of_different_inputs(tmp_path):
    """One of three images lacks the second landmark; what is far off in one input is not in another's pixels."""
    tables = []
    for scale in (1.0, 2.0):
        table = pd.DataFrame({"source": ["a", "b", "c"], "patient": ["1", "2", "2"]})
        for name, errors in (("carina", [1.0, 2.0, 3.0]), ("apex", [4.0, 8.0, np.nan])):
            for unit, factor in (("px", 1.0), ("image_px", 2.0), ("mm", 0.5)):
                table[f"{name}/error_{unit}"] = np.array(errors) * factor * scale
        tables.append(table)
    landmarks = ["carina", "apex"]
    a, b = (left(tmp_path / str(n), "landmarks", landmarks, it, input_size=448) for n, it in enumerate(tables))
    found = compared(a, b, resamples=5)
    assert found["error_px", "carina"]["difference"] == 2 and found["error_px", "apex"]["difference"] == 6
    assert found["error_px", "mean"]["difference"] == 4 and found["error_mm", "mean"]["difference"] == 2
    other = left(tmp_path / "other", "landmarks", landmarks, tables[1], input_size=224)
    found = compare(read_evaluation(a), read_evaluation(other), resamples=5)
    assert {row["metric"] for row in found.rows} == {"error_image_px", "error_mm"} and found.about["lower_is_better"]
    assert "448 and 224 pixels" in found.notices[-1]


def test_average_precision_from_the_file_is_that_of_the_report(tmp_path):
    true = boxes_of(3, images=30)
    runs = [detected(tmp_path / name, scores_on(true, seed), true) for name, seed in (("a", 1), ("b", 2))]
    said = [json.loads((run / "evaluation.json").read_text())["metrics"] for run in runs]
    for (metric, name), row in compared(*runs, resamples=2).items():
        key = metric if name == "mean" else f"{metric}/{name}"
        assert row["difference"] == pytest.approx(said[1][key] - said[0][key], abs=1e-12)
    assert said[0]["average_precision"] != said[1]["average_precision"]


LABELS = [[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]
SCORES = [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]


@pytest.mark.parametrize(
    ("other", "problem", "remedy"),
    [
        ({"split": "val"}, "split test", "--split"),
        ({"corpus": "other"}, "corpus toy", "Evaluate both alike"),
        ({"classes": ["c0", "z"]}, "c1, z", "same classes"),
        ({"sources": ["/000.png", "/001.png", "/x.png"]}, "2 are of one run alone, such as /002.png", "--dataset_dir"),
        ({"labels": [[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]}, "labels of 1 images differ", "dataset_options"),
        ({"labels": [[0.0, 1.0], [1.0, 0.0], [0.0, float("nan")]]}, "such as those of /002.png", "dataset_options"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_compared_is_told_in_two_lines(tmp_path, capsys, other, problem, remedy):
    a = written(tmp_path / "a", SCORES, LABELS)
    b = written(tmp_path / "b", **{"scores": SCORES, "labels": LABELS} | other)
    capsys.readouterr()
    assert main(["compare", str(a), str(b)]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert problem in first and remedy in second


def test_evaluations_that_are_missing_or_of_another_time(tmp_path):
    (tmp_path / "evaluation.json").write_text('{"metrics": {}}')
    with pytest.raises(IncomparableError, match=r"evaluation_images\.csv: it was not evaluated"):
        read_evaluation(tmp_path)
    (tmp_path / "evaluation_images.csv").write_text("source,a\nx.png,1\n")
    with pytest.raises(IncomparableError, match="does not say what"):
        read_evaluation(tmp_path)
    (tmp_path / "evaluation.json").write_text('{"task": "segmentation", "classes": ["a"]}')
    (tmp_path / "evaluation_images.csv").write_text("source,a\nx.png,1\nx.png,1\n")
    with pytest.raises(IncomparableError, match=r"x\.png twice"):
        read_evaluation(tmp_path)


def test_the_command_prints_a_table_and_writes_the_numbers(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, scores in (("a", SCORES), ("b", [[0.1, 0.9], *SCORES[1:]])):
        written(tmp_path / "runs" / "image_classification" / name, scores, LABELS)
    capsys.readouterr()
    assert main(["compare", "a", "b"]) == 0
    said = capsys.readouterr().out
    file = tmp_path / "runs" / "image_classification" / "b" / "compared_with_a.json"
    kept = json.loads(file.read_text())
    assert (kept["split"], kept["images"], kept["lower_is_better"]) == ("test", 3, False)
    (row,) = [row for row in kept["differences"] if (row["metric"], row["class"]) == ("auc", "c1")]
    assert (row["first"], row["second"], row["difference"]) == (0, 1, 1)
    lines = [line.split() for line in said.splitlines()]
    assert next(it[:5] for it in lines if it[:2] == ["auc", "c1"]) == ["auc", "c1", "0.0000", "1.0000", "1.0000"]
    assert few_patients(3)[0] in said and few_patients(3)[0] in kept["notices"]
    assert "counts as one of its own" in said and "3 images of 3 patients; higher is better" in said
    assert main(["compare", "a", "b", "--out", "c.json"]) == 0 and (tmp_path / "c.json").is_file()
    for words in (["a"], ["a", "b", "c"], ["a", "b", "--ou", "x"]):
        assert main(["compare", *words]) == 2


def test_the_command_and_its_room_wait_for_no_library_of_a_training(tmp_path):
    a, b = (written(tmp_path / name, SCORES, LABELS) for name in "ab")
    rooms = [f"common.scoring.{path.stem}" for path in sorted((ROOT / "common/scoring").glob("[!_]*.py"))]
    check = (
        "import sys, common.__main__ as m; from importlib import import_module; assert m.main(sys.argv[1:]) == 0; "
        f"[import_module(name) for name in {rooms}]; assert not {SLOW} & set(sys.modules), {SLOW} & set(sys.modules)"
    )
    command = [sys.executable, "-c", check, "compare", str(a), str(b)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    assert json.loads((b / "compared_with_a.json").read_text())["images"] == len(SCORES)
