"""A study at several budgets: a method becomes one for each, and a figure tells what each gains."""

import pytest
from study_cells import record

BUDGETS = {"tenfold": 8000, "today": 800}  # of 100 images


@pytest.fixture
def several(workplace):
    del workplace.content["views_budget"]
    workplace.content |= {"budgets": dict(BUDGETS), "seeds": [1, 2]}
    return workplace


def read(workplace):
    from common.studies.plan import read_study

    return read_study(workplace.save())


def test_methods_come_once_for_each_budget_the_smallest_first(several):
    study = read(several)
    assert list(study.content["methods"]) == ["random", "adam_today", "leader_today", "adam_tenfold", "leader_tenfold"]
    assert [study.epochs(name) for name in study.content["methods"]] == [None, 4, 8, 40, 80]
    assert study.content["methods"]["adam_tenfold"]["title"] == "adam, 8,000 views"


def test_a_method_reads_from_another_at_its_own_budget(several):
    several.content["methods"]["leader"] |= {"reference": "adam"}
    several.content["methods"]["leader"]["options"]["disease"] = "{runs[random/dice]}"
    study = read(several)
    needs = {cell.id: cell.needs for cell in study.cells}
    assert set(needs["leader_today-pretraining-seed2"]) == {"adam_today-pretraining-seed2", "random-dice-seed2"}
    assert "adam_tenfold-pretraining-seed1" in needs["leader_tenfold-pretraining-seed1"]
    assert study.reference("leader_tenfold") == "adam_tenfold" and study.reference("adam_today") == "random"


def test_a_task_of_some_methods_is_theirs_at_every_budget(several):
    several.content["tasks"]["dice"]["methods"] = ["random", "adam"]
    tasks = {cell.method for cell in read(several).cells if cell.task == "dice"}
    assert tasks == {"random", "adam_today", "adam_tenfold"}


def test_a_method_is_asked_for_at_all_budgets_or_at_one(several):
    from common.studies.check import StudyError

    study = read(several)
    assert study.methods(["adam"]) == ["adam_today", "adam_tenfold"]
    assert study.methods(["leader_today", "random"]) == ["random", "leader_today"]
    with pytest.raises(StudyError, match="did you mean 'adam_today'"):
        study.methods(["adam_todey"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(views_budget=800), "has views_budget and budgets; write one of them"),
        (lambda c: c.pop("images"), "the study lacks images"),
        (lambda c: c["budgets"].update({"ten-fold": 1}), "budgets.ten-fold: a name has small letters"),
        (lambda c: c.update(reference="adam"), "reference: adam is pre-trained and has a budget"),
        (lambda c: c["tasks"]["dice"]["metrics"]["Dice"].update(better="lowest"), "did you mean 'lower'"),
    ],
)
def test_mistakes_in_budgets_are_named(several, change, message):
    from common.studies.check import StudyError

    change(several.content)
    with pytest.raises(StudyError, match=message):
        read(several)


def test_an_encoder_inside_an_option_is_null_where_there_is_none(several):
    several.content["tasks"]["dice"]["options"] = {"encoders": {"own": "{encoder}"}, "encoder_file": "{encoder}"}
    options = {cell.id: cell.steps[0].options for cell in read(several).cells}
    assert options["random-dice-seed1"] == {"encoders": {"own": None}}
    assert options["adam_today-dice-seed1"] == {"encoders": {"own": "{encoder}"}, "encoder_file": "{encoder}"}


def test_it_runs_and_draws_what_each_budget_gains(several):
    several.content["methods"]["leader"]["reference"] = "random"
    assert several.run("--only", "random", "--only", "leader_today", "--only", "adam") == 0
    assert record(several, "adam_tenfold-pretraining-seed1")["spec"]["steps"][0]["options"]["epochs"] == 40
    assert (several.cells.parent / "gains.png").stat().st_size > 1000
    assert "| adam, 800 views | 4 |" in (several.cells.parent / "table.md").read_text()
    assert not (several.finished() & {"leader_tenfold-pretraining-seed1"})


def values(*found):
    """What the summary of a table has of a method: a value of each seed."""
    return {"metrics": {"Dice": {"seeds": [1, 2][: len(found)], "values": list(found)}}}


def test_the_figure_has_a_line_for_each_method_and_a_dot_for_each_seed(several):
    from common.studies.gains import gains_figure

    summary = {
        "methods": {
            "random": values(0.5, 0.75),
            "adam_today": values(0.75, 0.75),
            "adam_tenfold": values(1.0),  # the second seed is not there yet
            "leader_today": values(),
            "leader_tenfold": values(),
        }
    }
    several.content["methods"]["random"]["title"] = "random weights, of one network"
    figure = gains_figure(read(several), summary)
    (panel,) = figure.axes
    level, line, *dots = panel.lines
    assert set(level.get_ydata()) == {0}
    assert line.get_xydata().tolist() == [[800, 0.125], [8000, 0.5]]
    assert [dot.get_xydata().tolist() for dot in dots] == [[[800, 0.25], [800, 0.0]], [[8000, 0.5]]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["adam"]
    assert panel.get_title() == "Dice" and figure.get_supylabel() == "gain over random weights"
    assert [tick.get_text() for tick in panel.get_xticklabels()] == ["800", "8,000"]
    several.content["tasks"]["dice"]["metrics"]["Dice"]["better"] = "lower"
    (panel,) = gains_figure(read(several), summary).axes
    assert panel.lines[1].get_xydata().tolist() == [[800, -0.125], [8000, -0.5]], "an error that grows is no gain"


@pytest.mark.parametrize(("budgets", "reach"), [(1, 1.8), (2, 1.12)])
def test_methods_of_the_figure_stand_side_by_side_and_their_seeds_below_them(several, budgets, reach):
    from common.studies.gains import gains_figure

    methods = {"random": values(0.5, 0.5)}
    for method in ("adam", "leader"):
        methods |= {f"{method}_today": values(0.7, 0.8), f"{method}_tenfold": values(*[0.9] * (budgets - 1))}
    (panel,) = gains_figure(read(several), {"methods": methods}).axes
    amounts = [800, 8000][:budgets]
    marks = {}
    for line in panel.lines[1:]:
        marks.setdefault(line.get_marker(), set()).update(line.get_xdata())
    for found, factor in zip(marks.values(), (1 / reach, reach), strict=True):
        assert sorted(found) == pytest.approx([amount * factor for amount in amounts])


def test_eight_methods_have_eight_marks_and_more_have_one():
    from common.studies.gains import markers

    assert len(set(markers(f"method {number}" for number in range(8)).values())) == 8
    assert len(markers(f"method {number}" for number in range(14))) == 14


def test_without_a_gain_there_is_no_figure(several):
    from common.studies.gains import gains_figure

    empty = {"metrics": {"Dice": {"seeds": [], "values": []}}}
    study = read(several)
    assert gains_figure(study, {"methods": dict.fromkeys(study.content["methods"], empty)}) is None


def test_the_figure_of_curves_has_the_longest_of_each_method(several, monkeypatch):
    drawn = []
    monkeypatch.setattr("common.studies.run.read_curve", lambda *_: {"step": [0, 5], "train/loss": [1.0, 0.5]})
    monkeypatch.setattr("common.studies.runner.curves_figure", lambda records, names: [*records])
    monkeypatch.setattr("common.studies.runner.write_figure", lambda figure, path: drawn.append((path.name, figure)))
    several.content["pretraining"]["curve"] = {"loss": "train/loss"}
    assert several.run("--only", "leader_today", "--only", "adam_tenfold") == 0
    assert ("curves.png", ["adam, 8,000 views", "leader, 800 views"]) in drawn
    several.content["figures"] = {"parts": ["leader"], "others": ["adam", "random"], "none": ["random"]}
    drawn.clear()
    assert several.run("--only", "random") == 0
    curves = [(name, titles) for name, titles in drawn if name != "gains.png"]
    assert curves[-2:] == [("parts.png", ["leader, 800 views"]), ("others.png", ["adam, 8,000 views"])]


def test_a_pretraining_on_other_images_than_the_budget_counts_fails(several, capsys):
    several.content["methods"]["adam"]["options"] = {"images": 99}
    assert several.run("--only", "adam_today") == 1
    assert "it trained on 99 images, and the study says `images: 100`" in capsys.readouterr().out
    assert not several.finished()


def test_a_curve_of_a_last_stage_says_so(several, monkeypatch):
    from types import SimpleNamespace

    from common.studies import runner

    drawn = []
    monkeypatch.setattr(runner, "curves_figure", lambda records, names: drawn.append([*records]))
    monkeypatch.setattr(runner, "write_figure", lambda figure, path: None)
    several.content["pretraining"]["curve"] = {"loss": "train/loss"}
    several.content["methods"]["adam"]["encoder"] = "{run_dir}-late/encoder.txt"
    study = read(several)
    measured = SimpleNamespace(finished=True, record={"curve": {"step": [0], "train/loss": [1.0]}})
    nothing = SimpleNamespace(finished=False, record=None)
    found = {cell.id: nothing if cell.task else measured for cell in study.cells}
    runner.write_curves(study, found, several.root)
    assert drawn == [["adam, 8,000 views, last stage", "leader, 8,000 views"]]
