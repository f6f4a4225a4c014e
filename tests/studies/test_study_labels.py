"""A study over numbers of labelled items: a method that is told the number becomes one for each."""

import pytest

LABELS = {"all": 300, "few": 30}


@pytest.fixture
def labelled(workplace):
    del workplace.content["views_budget"], workplace.content["images"], workplace.content["pretraining"]
    limited = {"label_limit": "{labels}", "segment": False}
    workplace.content |= {
        "seeds": [1, 2],
        "reference": "plain",
        "label_budgets": dict(LABELS),
        "methods": {
            "plain": {"title": "plain", "task_options": limited},
            "masks": {"title": "masks", "task_options": {**limited, "segment": True}},
            "own": {"title": "own", "reference": "own", "task_options": {**limited, "width": 8}},
            "published": {"task_options": {"backbone_file": "x"}},
        },
    }
    return workplace


def read(workplace):
    from common.studies.plan import read_study

    return read_study(workplace.save())


def test_methods_come_once_for_each_number_and_are_compared_at_the_same(labelled):
    study = read(labelled)
    few, all_ = (["plain", "masks", "own"], ["plain", "masks", "own"])
    expected = ["published", *(f"{name}_few" for name in few), *(f"{name}_all" for name in all_)]
    assert list(study.content["methods"]) == expected
    references = {name: study.reference(name) for name in expected}
    assert references["masks_few"] == "plain_few" and references["own_few"] == "own_few"
    assert references["masks_all"] == "plain_all" and references["published"] == "plain_all"
    assert study.title("masks_few") == "masks, 30 labels"
    assert study.methods(["masks"]) == ["masks_few", "masks_all"]


def test_the_number_stands_in_the_options(labelled):
    options = {cell.id: cell.steps[0].options for cell in read(labelled).cells}
    assert options["masks_few-dice-seed1"] == {"seed": 1, "label_limit": 30, "segment": True}
    assert options["plain_all-dice-seed2"]["label_limit"] == 300
    assert "label_limit" not in options["published-dice-seed1"]


def test_the_figure_is_of_labels(labelled):
    from common.studies.gains import gains_figure

    def values(*found):
        return {"metrics": {"Dice": {"seeds": [1, 2], "values": list(found)}}}

    study = read(labelled)
    summary = {"methods": dict.fromkeys(study.content["methods"], values(0.5, 0.75))}
    summary["methods"]["masks_few"] = values(0.75, 0.75)
    figure = gains_figure(study, summary)
    assert figure.get_supxlabel() == "labelled items"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["masks"]
    assert figure.axes[0].lines[1].get_xydata().tolist() == [[30, 0.125], [300, 0.0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["label_budgets"].update({"a-b": 1}), "label_budgets.a-b: a name has small letters"),
        (lambda c: c.update(budgets={"today": 8}, images=1), "has budgets and label_budgets; write one of them"),
    ],
)
def test_mistakes_are_named(labelled, change, message):
    from common.studies.check import StudyError

    change(labelled.content)
    with pytest.raises(StudyError, match=message):
        read(labelled)


def test_labels_that_nothing_fills_in_are_refused(labelled):
    from common.studies.check import StudyError

    task = labelled.content["tasks"]["dice"]
    labelled.content["tasks"]["dice"] = {**task, "options": {**task.get("options", {}), "limit": "{labels}"}}
    with pytest.raises(StudyError, match=r"\{labels\}: .* has no number of them"):
        read(labelled)
    labelled.content["tasks"]["dice"] = task
    labelled.content["methods"] = {"plain": {"task_options": {"width": 8}}}
    with pytest.raises(StudyError, match=r"no method names \{labels\} in its options"):
        read(labelled)
