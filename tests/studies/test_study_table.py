import json
import math

import pytest
from scipy.special import betainc

DICE = {"random": [0.80, 0.83, 0.79], "adam": [0.88, 0.86, 0.91], "leader": [0.7]}


def paired_t(one, two):
    """95 % half-width and p from their definitions: the incomplete beta function, and bisection for its inverse."""
    differences = [first - second for first, second in zip(one, two, strict=True)]
    middle, freedom = sum(differences) / len(differences), len(differences) - 1
    error = math.sqrt(sum((value - middle) ** 2 for value in differences) / freedom / len(differences))

    def p(t):
        return betainc(freedom / 2, 0.5, freedom / (freedom + t * t))

    low, high = 0.0, 1000.0
    for _ in range(100):
        low, high = ((low + high) / 2, high) if p((low + high) / 2) > 0.05 else (low, (low + high) / 2)
    return low * error, p(middle / error)


@pytest.fixture
def study(workplace):
    """A study whose cells have the values of DICE, without running anything."""
    from common.studies.cells import Ledger, statuses
    from common.studies.plan import read_study

    made = read_study(workplace.save())
    ledger = Ledger(workplace.cells)
    for name, status in statuses(made.name, made.cells, ledger).items():
        method, task, seed = name.split("-")
        values = DICE[method]
        if (number := int(seed.removeprefix("seed"))) < len(values):
            about = {
                "cell": name,
                "method": method,
                "run_name": status.run_name,
                "digest": status.digest,
                "spec": status.spec,
            }
            about |= {"numbers": {"evaluation.json": {"metrics.dice": values[number]}} if task == "dice" else {}}
            about |= {
                "seconds": 7.0,
                "cpu_seconds": 60.0 + 600 * number,
                "resumed": number == 2,
                "date": f"2026-01-0{number + 1}T",
                "commit": "c",
            }
            ledger.write({**about, "hardware": {"processor": "P", "cores": 1, "gpus": []}})
    return made, ledger


def summary(study):
    from common.studies.cells import statuses
    from common.studies.table import summarise

    made, ledger = study
    return summarise(made, statuses(made.name, made.cells, ledger))


def test_means_deviations_and_tests(study):
    methods = summary(study)["methods"]
    adam, random = methods["adam"]["metrics"]["Dice"], methods["random"]["metrics"]["Dice"]
    mean = (0.88 + 0.86 + 0.91) / 3
    assert adam["mean"] == pytest.approx(mean)
    assert adam["sd"] == pytest.approx(math.sqrt(sum((value - mean) ** 2 for value in DICE["adam"]) / 2))
    assert adam["n"] == 3 and adam["values"] == DICE["adam"]
    assert adam["difference"] == pytest.approx(mean - (0.80 + 0.83 + 0.79) / 3)
    reach, p = paired_t(DICE["adam"], DICE["random"])
    assert adam["p"] == pytest.approx(p) and adam["p_holm"] == adam["p"], "the only difference that was tested"
    assert (adam["low"], adam["high"]) == pytest.approx((adam["difference"] - reach, adam["difference"] + reach))
    assert random["p"] is None and random["difference"] is None


def test_the_table_shows_what_is_missing(study):
    from common.studies.table import markdown

    made, _ = study
    text = markdown(made, summary(study))
    assert "| random weights | - | - | 0.8067 ± 0.0208 (3) |" in text
    assert "| adam | 4 | 6.0 | 0.8833 ± 0.0252 (3) |" in text, "1 and 11 minutes; 21 are of a resumed cell"
    assert "| leader | 8 | 1.0 | 0.7000 (1) |" in text, "one value has no deviation"
    assert "| leader | -0.1000 |" in text, "of the one seed that both have, and no test"
    reach, p = paired_t(DICE["adam"], DICE["random"])
    assert f"| adam | +0.0767 [{0.23 / 3 - reach:+.4f}, {0.23 / 3 + reach:+.4f}], p {p:.2g} |" in text
    assert "2026-01-01 to 2026-01-03 on 1 core(s) of P" in text


def test_nothing_measured_is_a_dash(workplace):
    from common.studies.cells import Ledger
    from common.studies.plan import read_study
    from common.studies.table import markdown

    made = read_study(workplace.save())
    text = markdown(made, summary((made, Ledger(workplace.cells))))
    assert "| adam | 4 | - | - |" in text and "0 of 15 cells" in text


def test_a_method_that_has_not_begun_is_named_and_has_no_row(workplace, study):
    from common.studies.plan import read_study
    from common.studies.table import markdown

    workplace.content["methods"]["later"] = {**workplace.content["methods"]["adam"], "title": "LATER"}
    made = read_study(workplace.save())
    text = markdown(made, summary((made, study[1])))
    assert "Not begun: LATER." in text and "| LATER" not in text and "| adam | 4 |" in text


def test_many_names_are_counted(study):
    from common.studies.table import markdown

    made, _ = study
    found = summary(study)
    some, many = [f"cell{number}" for number in range(8)], [f"cell{number}" for number in range(9)]
    assert f"immaterial: {', '.join(some)}." in markdown(made, {**found, "accepted": some})
    assert "immaterial: 9 of them, named in table.json." in markdown(made, {**found, "accepted": many})


def test_a_cell_of_another_config_does_not_count(study):
    _, ledger = study
    record = json.loads((ledger.folder / "adam-dice-seed1.json").read_text())
    ledger.write({**record, "digest": "0" * 64})
    found = summary(study)
    assert found["methods"]["adam"]["metrics"]["Dice"]["values"] == [0.88, 0.91]
    assert list(found["changed"]) == ["adam-dice-seed1"] and found["finished"] == 3 + 6 + 2 - 1


def test_a_method_may_be_compared_with_another_than_the_rest(workplace, study):
    from common.studies.plan import read_study
    from common.studies.table import markdown

    workplace.content["methods"]["leader"]["reference"] = "adam"
    workplace.content["tables"] = [{"title": "Overlap", "metrics": ["Dice"]}]
    made = read_study(workplace.save())
    found = summary((made, study[1]))
    assert found["methods"]["leader"]["metrics"]["Dice"]["difference"] == pytest.approx(0.7 - DICE["adam"][0])
    text = markdown(made, found)
    assert "## Overlap" in text and "| method | from | Dice |" in text
    assert "| adam | random weights | +0.0767" in text and "| leader | adam | -0.1800 |" in text


def test_a_method_that_waits_for_a_file_is_named_and_has_no_row(workplace, study):
    from common.studies.plan import read_study
    from common.studies.table import markdown

    workplace.content["data"]["weights"] = None
    waiting = {"only_with": ["weights"], "bundle": "cxr_adam", "encoder": "encoder.txt"}
    for name in ("first", "later"):
        workplace.content["methods"][name] = {**workplace.content["methods"]["adam"], **waiting, "title": name.upper()}
    workplace.content["methods"]["later"]["reference"] = "first"
    made = read_study(workplace.save())
    found = summary((made, study[1]))
    text = markdown(made, found)
    assert "Not run without their files (weights): FIRST; LATER." in text and "| LATER" not in text
    assert found["cells"] == len(study[0].cells) < len(made.cells) and f"of {found['cells']} cells" in text
    # once the method that is compared has begun, the one it is compared with has its row of blanks
    from common.studies.cells import statuses

    status = statuses(made.name, made.cells, study[1])["later-dice-seed0"]
    about = {"cell": "later-dice-seed0", "run_name": status.run_name, "digest": status.digest, "spec": status.spec}
    about |= {"method": "later", "numbers": {"evaluation.json": {"metrics.dice": 0.5}}, "date": "2026-01-01T"}
    study[1].write({**about, "commit": "c", "hardware": {"processor": "P", "cores": 1, "gpus": []}})
    text = markdown(made, summary((made, study[1])))
    assert "| FIRST | -" in text and "| LATER |" in text and "Not run" not in text
