"""Files in a study's folders that are no records, and what killed writers left."""

import json
import os
import shutil

from study_cells import only_one_seed, record


def torn(text):
    return text[: len(text) // 2]


def newer(text):
    return json.dumps(json.loads(text) | {"format": 2})


def of_another_study(text):
    return text.replace('"run_name": "trial-', '"run_name": "other-')


def of_another_cell(text):
    return text.replace("-seed1", "-seed2")


def without_numbers(text):
    return json.dumps({key: value for key, value in json.loads(text).items() if key != "numbers"})


FAULTS = {
    torn: "it is torn",
    newer: "its format is 2, and this code knows 1",
    of_another_study: "it is of the cell random-dice-seed1, run other-",
}


FAULTS |= {of_another_cell: "it is of the cell random-dice-seed2", without_numbers: "it lacks numbers"}


FAULTS |= {lambda _: "[]": "it is no record"}


def test_a_file_that_is_no_record_of_its_cell_is_named_and_the_rest_goes_on(workplace, capsys):
    only_one_seed(workplace)
    workplace.run("--only", "random")
    file = workplace.cells / "random-dice-seed1.json"
    good = file.read_text()
    for spoil, words in FAULTS.items():
        file.write_text(spoil(good))
        capsys.readouterr()
        assert workplace.run() == 1
        said = capsys.readouterr().out
        assert f"random-dice-seed1.json: {words}" in said
        assert "--recompute measures it again" in said
        assert "Left out, their files cannot be used: random-dice-seed1." in said
    assert len(workplace.finished()) == 5 and workplace.journal().count("random-dice-seed1") == 2  # the others ran
    file.write_text(torn(good))
    assert workplace.run("--recompute") == 0 and workplace.journal().count("random-dice-seed1") == 4
    again, before = record(workplace, "random-dice-seed1"), json.loads(good)
    assert again["numbers"] == before["numbers"] and again["format"] == 1
    file.write_text(json.dumps({key: value for key, value in before.items() if key != "format"}))  # from before
    assert workplace.run() == 0


def test_what_killed_writers_left_is_cleared(workplace):
    only_one_seed(workplace)
    workplace.run("--only", "random")
    old, fresh = (workplace.cells.parent / f".table.md.{number}" for number in (11, 12))
    for file in (old, fresh):
        file.write_text("half")
    os.utime(old, (1, 1))
    workplace.run("--only", "random")
    assert not old.exists() and fresh.exists()  # another runner may be writing it


def test_a_recipe_that_changes_while_a_study_runs_is_noticed(workplace):
    """Digests of recipes are kept, and a file or a base that was written since is read again."""
    from common.studies.cells import Ledger, statuses
    from common.studies.plan import read_study

    made, ledger = read_study(workplace.save()), Ledger(workplace.cells)

    def digests():
        found = statuses(made.name, made.cells, ledger)
        return found["adam-pretraining-seed0"].digest, found["leader-pretraining-seed1"].digest

    before = digests()
    assert digests() == before
    recipe = workplace.root / "bundles" / "cxr_adam" / "configs" / "train.yaml"
    recipe.write_text("name: another\n")
    os.utime(recipe, ns=(0, recipe.stat().st_mtime_ns + 1_000_000_000))  # a clock of files may be coarse
    after = digests()
    assert after[0] != before[0] and after[1] != before[1], "and what reads from it"


def test_numbers_of_other_weights_are_not_mixed_with_those_of_now(workplace, capsys, monkeypatch):
    only_one_seed(workplace)
    workplace.content["methods"].pop("leader")
    assert workplace.run() == 0
    weights = record(workplace, "adam-pretraining-seed1")["weights"]
    assert record(workplace, "adam-dice-seed1")["encoders"] == {"adam-pretraining-seed1": weights}

    shutil.rmtree(workplace.output)  # as on another machine, of which a further task wants the encoder
    workplace.content["tasks"]["more"] = workplace.content["tasks"]["dice"]
    assert workplace.run() == 0 and workplace.journal().count("adam-pretraining-seed1") == 1

    shutil.rmtree(workplace.output)
    workplace.content["tasks"]["third"] = workplace.content["tasks"]["dice"]
    monkeypatch.setenv("ROUNDING", "0.001")  # of another processor
    capsys.readouterr()
    assert workplace.run() == 1
    said = capsys.readouterr().out
    for task in ("dice", "more"):
        assert f"adam-{task}-seed1 was measured with another config (weights of adam-pretraining-seed1)" in said
    assert "random-dice-seed1 was measured" not in said and record(workplace, "adam-third-seed1")
    assert workplace.run("--accept") == 0 and record(workplace, "adam-more-seed1")["accepted"]
    assert "declared immaterial: adam-dice-seed1, adam-more-seed1" in (workplace.cells.parent / "table.md").read_text()
