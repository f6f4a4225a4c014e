"""A study's cells: run once, resumed, shared, and refused."""

import os
import signal
import time
from pathlib import Path

from study_cells import lines, only_one_seed, record


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_a_study_runs_once_and_is_remembered(workplace, capsys):
    assert workplace.run() == 0
    assert len(workplace.finished()) == 15
    started = workplace.journal()
    assert len(started) == 6 + 9 * 2  # pre-trainings of one step, tasks of two
    assert started.index("leader-pretraining-seed0") < started.index("random-dice-seed1")
    assert workplace.run() == 0
    assert workplace.journal() == started
    table = (workplace.cells.parent / "table.md").read_text()
    assert table in capsys.readouterr().out
    assert workplace.run("--table") == 0 and capsys.readouterr().out == table


def test_what_a_cell_keeps(workplace):
    only_one_seed(workplace)
    workplace.run()
    kept = record(workplace, "leader-dice-seed1")
    # seed 1: adam's encoder says 1, leader's 10 more, the task adds its seed
    assert kept["numbers"] == {"evaluation.json": {"metrics.dice": 12.0}}
    assert kept["facts"] == {"corpus": "c0ffee"} and kept["seed"] == 1
    assert kept["date"] and kept["commit"] and kept["hardware"]["cores"] >= 1 and kept["seconds"] >= 0.1
    assert 0.1 <= kept["cpu_seconds"] < 100
    assert kept["resumed"] is False
    assert str(workplace.root) not in (workplace.cells / "leader-dice-seed1.json").read_text()


def test_a_failed_cell_is_listed_with_its_log_and_the_others_go_on(workplace, capsys):
    workplace.content["methods"]["adam"]["options"] = {"failing_seed": 1}
    assert workplace.run() == 1
    missing = {f"{name}-seed1" for name in ("adam-pretraining", "adam-dice", "leader-pretraining", "leader-dice")}
    assert len(workplace.finished()) == 11 and not workplace.finished() & missing
    said = capsys.readouterr().out
    assert "ValueError: the wrong seed" in said and "    Epoch 2/2" in said and "Epoch 1/2" not in said
    assert "leader-pretraining-seed1 not run: it needs adam-pretraining-seed1" in said
    assert workplace.journal().count("adam-pretraining-seed1") == 1
    # started again, only what is missing is tried
    before = workplace.journal()
    assert workplace.run() == 1
    assert workplace.journal()[len(before) :] == ["adam-pretraining-seed1"]


def test_a_metric_that_is_not_there_fails_the_cell(workplace, capsys):
    only_one_seed(workplace)
    workplace.content["tasks"]["dice"]["metrics"]["Dice"]["key"] = "metrics.dice/lung"  # null: undefined
    assert workplace.run("--only", "random") == 1
    assert "no number metrics.dice/lung, only metrics.dice" in capsys.readouterr().out
    assert not workplace.finished()


def test_a_changed_config_is_not_mixed(workplace, capsys):
    only_one_seed(workplace)
    workplace.run()
    before = workplace.journal()
    config = workplace.root / "bundles/cxr_adam/configs/train.yaml"
    config.write_text("# a comment\nname: train\n")
    assert workplace.run() == 0, "a comment changes nothing"
    config.write_text("name: other\n")
    capsys.readouterr()
    assert workplace.run() == 1
    said = capsys.readouterr().out
    assert "adam-pretraining-seed1 was measured with another config (files.bundles/cxr_adam/configs/train.yaml)" in said
    assert "Left out, measured with another config than the study's: adam-pretraining-seed1" in said
    assert workplace.journal() == before

    assert workplace.run("--recompute") == 0
    # the pre-training and everything that reads from it
    assert set(workplace.journal()[len(before) :]) == {
        f"{name}-seed1" for name in ("adam-pretraining", "adam-dice", "leader-pretraining", "leader-dice")
    }
    assert workplace.run() == 0


def test_nothing_new_reads_from_a_changed_cell(workplace, capsys):
    only_one_seed(workplace)
    workplace.run("--only", "adam")
    before = workplace.journal()
    workplace.content["views_budget"] = 1600
    workplace.content["methods"]["leader"]["views_per_image"] = 2
    assert workplace.run("--only", "leader") == 1
    assert "leader-pretraining-seed1 not run: it needs adam-pretraining-seed1" in capsys.readouterr().out
    assert workplace.journal() == before


def test_a_change_can_be_accepted_and_the_record_says_so(workplace):
    only_one_seed(workplace)
    workplace.run()
    before, name = workplace.journal(), record(workplace, "adam-pretraining-seed1")["run_name"]
    workplace.content["methods"]["adam"]["options"] = {"device": "cpu"}
    assert workplace.run("--accept") == 0
    assert workplace.journal() == before
    kept = record(workplace, "adam-pretraining-seed1")
    assert kept["run_name"] == name and kept["accepted"][0]["changed"] == ["steps.0.options.device"]
    assert "declared immaterial: adam-pretraining-seed1" in (workplace.cells.parent / "table.md").read_text()


def test_another_config_never_resumes_a_run(workplace):
    only_one_seed(workplace)
    workplace.run("--only", "adam")
    first = record(workplace, "adam-pretraining-seed1")["run_name"]
    workplace.content["views_budget"] = 1600
    workplace.run("--only", "adam", "--recompute")
    assert record(workplace, "adam-pretraining-seed1")["run_name"] != first


def test_moving_the_data_changes_nothing(workplace):
    only_one_seed(workplace)
    workplace.run()
    before = workplace.journal()
    workplace.data = workplace.data.rename(workplace.root / "elsewhere")
    assert workplace.run() == 0 and workplace.journal() == before


def test_an_encoder_that_is_gone_is_made_again_only_where_it_is_needed(workplace):
    only_one_seed(workplace)
    workplace.run("--only", "adam")
    for file in workplace.output.glob("cxr_adam/*/encoder.txt"):
        file.unlink()
    before = workplace.journal()
    assert workplace.run("--only", "adam") == 0 and workplace.journal() == before
    assert workplace.run("--only", "leader") == 0
    assert workplace.journal()[len(before) :][:2] == ["adam-pretraining-seed1", "leader-pretraining-seed1"]


def test_a_killed_study_goes_on_in_the_middle_of_a_run(workplace):
    only_one_seed(workplace)
    workplace.content["methods"]["adam"] |= {"views_per_image": 0.2, "options": {"epoch_s": 0.05}}  # 40 epochs
    process = workplace.start("--only", "adam")
    wait_for(lambda: len(lines(workplace, "cxr_adam/*/progress")) >= 3)
    child = int((workplace.output / "journal").read_text().split()[-1])
    process.kill()
    os.kill(child, signal.SIGKILL)
    process.join()
    done = len(lines(workplace, "cxr_adam/*/progress"))
    assert 3 <= done < 40 and not workplace.finished()
    assert workplace.run("--only", "adam") == 0
    assert lines(workplace, "cxr_adam/*/progress") == [str(epoch) for epoch in range(40)]
    assert record(workplace, "adam-pretraining-seed1")["resumed"] is True


def test_a_run_that_outlives_its_killed_study_is_waited_for(workplace):
    only_one_seed(workplace)
    workplace.content["methods"]["adam"] |= {"views_per_image": 0.2, "options": {"epoch_s": 0.05}}
    process = workplace.start("--only", "adam")
    wait_for(lambda: lines(workplace, "cxr_adam/*/progress"))
    process.kill()
    process.join()
    assert workplace.run("--only", "adam") == 0
    # nobody else wrote while it ran: every epoch is there once
    assert lines(workplace, "cxr_adam/*/progress") == [str(epoch) for epoch in range(40)]


def test_two_studies_at_once_share_the_cells(workplace):
    workplace.content["methods"]["adam"]["options"] = {"epoch_s": 0.05}
    both = [workplace.start(), workplace.start()]
    for process in both:
        process.join()
        assert process.exitcode == 0
    assert len(workplace.finished()) == 15
    assert len(workplace.journal()) == 6 + 9 * 2, "no step ran twice"


def test_terminating_ends_the_run_too(workplace):
    only_one_seed(workplace)
    workplace.content["methods"]["adam"] |= {"views_per_image": 0.2, "options": {"epoch_s": 0.2}}
    process = workplace.start("--only", "adam")
    wait_for(lambda: lines(workplace, "cxr_adam/*/progress"))
    process.terminate()
    process.join()
    child = int((workplace.output / "journal").read_text().split()[-1])
    assert process.exitcode == 128 + signal.SIGTERM and not Path("/proc", str(child)).exists()


def test_the_time_limit_stops_a_run_that_goes_on_later(workplace, capsys):
    only_one_seed(workplace)
    workplace.content["methods"]["adam"] |= {"views_per_image": 0.2, "options": {"epoch_s": 0.05}}
    assert workplace.run("--only", "adam", "--limit-minutes", str(0.5 / 60)) == 0
    assert len(lines(workplace, "cxr_adam/*/progress")) < 40
    assert "out of time" in capsys.readouterr().out and not workplace.finished()
    assert workplace.run("--only", "adam") == 0
    assert lines(workplace, "cxr_adam/*/progress") == [str(epoch) for epoch in range(40)]


def test_a_dry_run_prints_commands_and_starts_nothing(workplace, capsys):
    assert workplace.run("--dry-run", "--only", "leader") == 0
    said = capsys.readouterr().out
    assert "--expert" in said and f"--dataset_dir {workplace.data}" in said and "random-dice" not in said
    assert not workplace.output.exists() and not workplace.cells.exists()


def test_data_folders_come_from_the_environment_too(workplace, monkeypatch, capsys):
    arguments = [str(workplace.save()), "--dry-run", "--output-root", str(workplace.output)]
    assert workplace.main(arguments) == 2
    assert "where is the data set chests? Give --data chests=FOLDER" in capsys.readouterr().err
    monkeypatch.setenv("CXR_DATA", str(workplace.root))
    assert workplace.main(arguments) == 0
    assert f"--dataset_dir {workplace.data}" in capsys.readouterr().out
    assert workplace.main([*arguments, "--data", "heads=x"]) == 2
    assert workplace.main([*arguments, "--only", "byol"]) == 2
    assert "known are random, adam, leader" in capsys.readouterr().err


def test_a_method_whose_file_is_not_given_is_left_out_and_named(workplace, capsys, tmp_path):
    workplace.content["data"]["weights"] = None
    workplace.content["methods"]["leader"] |= {"only_with": ["weights"], "options": {"file": "{data[weights]}"}}
    assert workplace.run("--dry-run") == 0
    printed = capsys.readouterr().out
    assert "leader is left out: give --data weights=PLACE" in printed and "leader-pretraining" not in printed
    (tmp_path / "weights.pth").touch()
    assert workplace.run("--dry-run", "--data", f"weights={tmp_path / 'weights.pth'}") == 0
    assert f"--file {tmp_path / 'weights.pth'}" in capsys.readouterr().out


def test_what_the_command_line_cannot_carry_is_refused(workplace, capsys):
    workplace.content["methods"]["adam"]["options"] = {"start_from": None}
    assert workplace.run("--only", "adam") == 2
    assert "start_from is null" in capsys.readouterr().err
