"""Every command of docs/tasks.md trains and evaluates on its data set's layout, at smoke size."""

import itertools
import json

import pytest
from launched import printed
from miniatures import flags_of
from task_table import KEYS, rows

QUICK = {"ACE: tuberculosis", "SRHRS: ASS: lungs", "ACE: 7 key points"}
"""One of each task; those of the long matrix are marked."""
ROWS = [pytest.param(row, id=row.name, marks=[] if row.name in QUICK else [pytest.mark.slow]) for row in rows()]


@pytest.mark.parametrize("row", ROWS)
def test_a_task_trains_and_evaluates(row, python, capsys, output_root, tmp_path):
    (overlay,) = (word.removeprefix("data/") for word in row.words if word.startswith("data/"))
    data = tmp_path / "data"
    data.mkdir()
    told = [*flags_of(overlay, data), "--dataset_dir", data, "--output_root", output_root, "--run_name", "task"]
    names = list(itertools.takewhile(lambda word: not word.startswith("--"), row.words))
    done = python(*printed(capsys, "run", *names, "smoke", *row.words[len(names) :], *told)[1:])
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    run = output_root / names[0] / "task"
    done = python(*printed(capsys, "evaluate", run)[1:])
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    said = json.loads((run / "evaluation.json").read_text())
    assert said["split"] == "test" and said["evaluated"] > 0
    for key in KEYS[row.metric]:
        assert key in said["metrics"] and key in said["intervals"]["metrics"], key
