import numpy as np
import pytest
from canvas import faults
from matplotlib.colors import to_hex

from common.evaluation.report import Outcome
from common.evaluation.roc import roc_figure
from common.figures import styles


def outcome(classes):
    """Classes by name as (AUC, positives) of 400 images."""
    table = [{"class": name, "auc": auc, "positives": n, "images": 400} for name, (auc, n) in classes.items()]
    curves = {name: ([0, 1 - auc, 1], [0, auc, 1]) for name, (auc, _) in classes.items()}
    return Outcome({}, table, [{}] * 400, curves)


def curves(figure):
    return {line.get_label(): line for line in figure.axes[0].lines if not line.get_label().startswith("_")}


def test_the_best_comes_first_and_the_rare_ones_last_in_grey():
    classes = {"Mass": (0.7, 300), "Hernia": (0.99, 3), "Effusion": (0.9, 10), "Edema": (0.6, 395)}
    figure = roc_figure(outcome(classes), {"corpus": "phantom", "split": "test"})
    legend = figure.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [
        "0.900  Effusion (10 of 400)",
        "0.700  Mass (300 of 400)",
        "0.990  Hernia (3 of 400)",
        "0.600  Edema (395 of 400)",  # five negatives
    ]
    drawn = curves(figure)
    assert to_hex(drawn["0.900  Effusion (10 of 400)"].get_color()) == styles(["Effusion"])["Effusion"].color.lower()
    rare = [drawn["0.990  Hernia (3 of 400)"], drawn["0.600  Edema (395 of 400)"]]
    assert all(len(set(to_hex(line.get_color())[i : i + 2] for i in (1, 3, 5))) == 1 for line in rare)
    assert all(line.is_dashed() for line in rare) and "under 10" in legend.get_title().get_text()
    assert figure.axes[0].get_title() == "ROC: phantom, test split, n = 400"


@pytest.mark.parametrize("number", [1, 14, 31, 83])
def test_no_curve_looks_like_another_and_all_is_on_the_page(number):
    drawn = np.random.default_rng(0).uniform(0.5, 1, number)
    names = [f"an abnormality with quite a long name, {index}" for index in range(number)]
    some = {name: (auc, 5 if index % 3 else 50) for index, (name, auc) in enumerate(zip(names, drawn, strict=True))}
    figure = roc_figure(outcome(some))
    assert len({(line.get_color(), str(line._dash_pattern)) for line in curves(figure).values()}) == number
    assert faults(figure) == []


def test_what_has_no_curve_has_no_line():
    some = outcome({"Mass": (0.7, 300), "Hernia": (0.9, 30)})
    del some.curves["Hernia"]
    assert list(curves(roc_figure(some))) == ["0.700  Mass (300 of 400)"]
