import itertools

import pytest
from canvas import faults
from matplotlib.figure import Figure

from common.figures import as_written, rare_style, series, styles
from common.figures.style import FAMILIES, PALETTE

FINDINGS = ["Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax"]
FINDINGS += ["Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia"]


def test_a_known_name_has_one_style_whatever_stands_beside_it():
    alone = {name: styles([name])[name] for name in [*FINDINGS, "lung", "heart", "clavicle"]}
    for names in (FINDINGS, FINDINGS[::-1], FINDINGS[3:7], [*FINDINGS, "Zebra", "Aardvark"], ["clavicle", "x", "lung"]):
        assert {name: styles(names)[name] for name in names if name in alone} == {
            name: alone[name] for name in names if name in alone
        }
    assert styles(["Pleural Thickening"])["Pleural Thickening"] == alone["Pleural_Thickening"]


def test_no_two_names_of_a_figure_look_alike():
    many = [f"abnormality {number}" for number in range(100)]
    for names in (FINDINGS, many, [*many, *FINDINGS], *FAMILIES, ["lung", "atelectasis", "whole", "teacher", "view"]):
        assert len(set(styles(names).values())) == len(names)
        assert styles(names) == styles(names[::-1])
    assert len(set(series(100))) == 100 and len({rare_style(place) for place in range(100)}) == 100


def test_other_names_keep_their_colour_unless_another_has_it():
    for name, other in itertools.combinations([f"organ {number}" for number in range(12)], 2):
        alone, together = (styles([name])[name], styles([other])[other]), styles([name, other])
        if alone[0].color != alone[1].color:
            assert tuple(together[n] for n in (name, other)) == alone
        assert together[name].color != together[other].color
    assert {styles([f"organ {number}"])[f"organ {number}"].linestyle for number in range(30)} == {"-"}


def test_colours_are_far_apart_for_the_colour_blind_too():
    """Deuteranopia after Viénot, Brettel and Mollon (1999): red and green are one number, in linear light."""
    linear = [[(int(code[i : i + 2], 16) / 255) ** 2.2 for i in (1, 3, 5)] for code in PALETTE]
    seen = [(0.29275 * r + 0.70725 * g, -0.02234 * r + 0.02234 * g + b) for r, g, b in linear]
    distances = [
        sum((a - b) ** 2 for a, b in zip(*pair, strict=True)) ** 0.5 for pair in itertools.combinations(seen, 2)
    ]
    assert min(distances) > 0.1


def test_names_are_texts_and_never_formulas_and_fit():
    assert as_written(r"$\x$") == r"\$\x\$"
    assert as_written("a" * 99 + "b", 10) == "aaaa…aaaab" and as_written("a" * 10, 10) == "a" * 10


def test_the_check_of_figures_sees_each_fault():
    figure = Figure(figsize=(3, 3))
    axes = figure.subplots()
    axes.plot([0, 1], label="a")
    axes.tick_params(labelsize=8)
    assert faults(figure) == []
    axes.legend(fontsize=8)
    axes.text(0.5, 0.5, "small", fontsize=7)
    axes.text(0.9, 0.5, "far too long for what is left", fontsize=8)
    assert [word in fault for word, fault in zip(["leaves", "small", "legend"], faults(figure), strict=True)] == [
        True
    ] * 3


@pytest.mark.parametrize("name", ["lung", "organ 1"])
def test_the_first_six_are_solid(name):
    assert styles([name])[name].linestyle == "-"
