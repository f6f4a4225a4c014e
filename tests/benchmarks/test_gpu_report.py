"""A report that is cut off goes on, on the same kind of card; what fails is said and tried again."""

import json

import pytest
from script_main import script_main

from common.benchmarks import gpu_report
from common.benchmarks.gpu_parts import TINY, Part, Sizes, parts
from common.benchmarks.gpu_report import report, table


@pytest.fixture(autouse=True)
def named(monkeypatch):
    about = {"date": "2026-11-28", "versions": {}}
    monkeypatch.setattr(gpu_report, "machine", lambda: about)
    monkeypatch.setattr(gpu_report, "card", lambda: "a card")


def test_what_is_done_is_not_repeated_and_what_failed_is(tmp_path):
    made = []

    def works():
        made.append("works")
        return {"images_per_second": 123.4}

    def fails():
        made.append("fails")
        raise RuntimeError("out of\nmemory")

    wanted = [Part("fails", 1, fails), Part("works", 1, works)]
    page = report(wanted, tmp_path, minutes=1)
    assert page == (tmp_path / "gpu_report.md").read_text()
    rows = [line.split(" | ")[2:] for line in page.splitlines()[2:]]
    assert rows == [["fails", "failed: RuntimeError: out of memory |"], ["works", "123 images/s |"]]
    report(wanted, tmp_path, minutes=1)
    assert made == ["fails", "works", "fails"]


def test_another_kind_of_card_shows_everything_itself(tmp_path, monkeypatch):
    wanted = [Part("loop", 1, lambda: {"data_wait": 0.0123})]
    report(wanted, tmp_path, minutes=1)
    monkeypatch.setattr(gpu_report, "card", lambda: "another card")
    assert [line.split(" | ")[0] for line in report(wanted, tmp_path, minutes=1).splitlines()[2:]] == [
        "| a card",
        "| another card",
    ]


def test_what_takes_longer_than_is_left_is_not_begun(tmp_path, capsys):
    wanted = [Part("long", 600, lambda: pytest.fail("begun")), Part("short", 1, dict)]
    assert "long" not in report(wanted, tmp_path, minutes=1)
    assert "long: not begun" in capsys.readouterr().out


def test_the_time_that_is_left_goes_into_the_study(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(gpu_report, "side_by_side", lambda *given: calls.append(given))
    report([], tmp_path, minutes=5, study=["study.yaml", "--data", "a=b"], processes=3)
    report([], tmp_path, minutes=1, study=["study.yaml"])  # half a minute is spared
    ((study, minutes, processes, logs),) = calls
    assert study == ["study.yaml", "--data", "a=b"] and processes == 3 and logs == tmp_path
    assert 4.4 <= minutes <= 4.5


@pytest.fixture
def asked(monkeypatch):
    """What the command asks for, on a machine with that card: words of the study, and processes."""
    main, found = script_main("gpu_report"), []
    monkeypatch.setitem(main.__globals__, "report", lambda parts, out, minutes, *rest: found.append(rest) or "")
    monkeypatch.setitem(main.__globals__, "processes_here", lambda: 4)
    monkeypatch.setattr("signal.signal", lambda number, handler: None)

    def ask(*words, card="a card"):
        monkeypatch.setitem(main.__globals__, "card", lambda: card)
        main(words)
        return found.pop()

    return ask


def test_on_a_card_the_study_is_the_one_at_224_pixels_when_its_data_is_given(asked):
    assert asked() == ([], 4)
    assert asked("--data", "phantom=p", "--data", "chestxray14=c") == (
        ["studies/comparison_224/study.yaml", "--data", "phantom=p", "--data", "chestxray14=c"],
        4,
    )
    assert asked("--study", "mine.yaml", "--data", "a=b", "--processes", "2") == (["mine.yaml", "--data", "a=b"], 2)


def test_on_a_cpu_a_study_is_named(asked, capsys):
    assert asked("--study", "mine.yaml", card="CPU") == (["mine.yaml"], 4)
    with pytest.raises(SystemExit):
        asked("--data", "a=b", card="CPU")
    assert "name a study" in capsys.readouterr().err


def test_no_process_at_all_is_refused(asked, capsys):
    with pytest.raises(SystemExit):
        asked("--processes", "0")
    assert "--processes is 0; it must be 1 or more" in capsys.readouterr().err


def test_the_papers_sizes_come_first_then_compiled_then_the_rest():
    names = [part.name for part in parts(Sizes())]
    assert len(set(names)) == len(names) == 22
    assert names[0] == "step cxr_ace" and names[5] == "compiled cxr_ace" and names[-1] == "small step cxr_adam_v2"
    assert names[13:17] == ["second task r3d_18", "second task mvit_v2_s", "second task swin3d_t", "views"]
    assert [part.name for part in parts(TINY)] == ["step cxr_ace", "loop cxr_ace", "precision cxr_ace", "kill cxr_ace"]


def test_a_result_is_put_into_words():
    facts = {"date": "2026-11-28", "step_s": 0.5, "step_to_passes": 1.234, "peak_gib": 12.34, "batch": 64}
    assert "step 0.5000 s, 1.23 of the encoders' passes, 12.3 GiB, batch 64" in table({"a card: step": facts})
    facts = {"date": "2026-11-28", "step_s": 0.5, "step_with_masks_to_without": 1.234, "peak_gib_organs": 24.0}
    assert "step 0.5000 s, 1.23 of it with masks, 24.0 GiB with masks" in table({"a card: second task": facts})


@pytest.mark.slow  # five minutes on a busy machine
def test_it_runs_to_its_end_on_a_cpu(tmp_path):
    report(parts(TINY), tmp_path, minutes=30)
    found = [json.loads(line)[1] for line in (tmp_path / "gpu_report.jsonl").read_text().split("\n") if line]
    assert len(found) == 4 and not any("failed" in result for result in found)
    assert found[2]["largest_relative_difference"] < 0.05
    assert found[3]["killed_after_iteration"] >= 1 and found[3]["largest_difference_of_weights"] == 0
