from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
STUDIES = sorted((ROOT / "studies").glob("*/study.yaml"))


def read(workplace):
    from common.studies.plan import read_study

    return read_study(workplace.save())


def options(study, name):
    return next(cell for cell in study.cells if cell.id == name).steps[0].options


def test_every_method_comes_with_a_seed_before_the_next_seed(workplace):
    names = [cell.id for cell in read(workplace).cells]
    one_seed = [
        "random-dice-seed{}",
        "adam-pretraining-seed{}",
        "adam-dice-seed{}",
        "leader-pretraining-seed{}",
        "leader-dice-seed{}",
    ]
    assert names == [name.format(seed) for seed in (0, 1, 2) for name in one_seed]


def test_a_needed_cell_comes_first_wherever_its_method_stands(workplace):
    methods = workplace.content["methods"]
    methods["adam"] = methods.pop("adam")  # now after leader
    names = [cell.id for cell in read(workplace).cells]
    assert names.index("adam-pretraining-seed1") < names.index("leader-pretraining-seed1")
    assert names.index("leader-dice-seed1") < names.index("adam-dice-seed1")


def test_epochs_share_the_budget_of_views(workplace):
    methods = workplace.content["methods"]
    methods["adam"] |= {"parts": {"late": 0.75}, "options": {"late": "{epochs[late]}"}}
    methods["leader"]["views_per_image"] = 3
    study = read(workplace)
    # 800 views of 100 images: 4 epochs of 2 views, 3 (2.67) of 3 views
    assert options(study, "adam-pretraining-seed0")["epochs"] == 4
    assert options(study, "adam-pretraining-seed0")["late"] == 3
    assert options(study, "leader-pretraining-seed0")["epochs"] == study.epochs("leader") == 3
    assert study.epochs("random") is None


def test_a_method_without_pretraining_gives_no_encoder(workplace):
    study = read(workplace)
    assert "encoder_file" not in options(study, "random-dice-seed0")
    assert options(study, "adam-dice-seed2") == {"seed": 2, "encoder_file": "{encoder}"}


def test_a_step_may_have_options_of_its_own(workplace):
    workplace.content["tasks"]["dice"]["steps"][1]["options"] = {"crops": "{seed}"}
    first, second = next(cell.steps for cell in read(workplace).cells if cell.id == "random-dice-seed2")
    assert first.options == {"seed": 2} and second.options == {"seed": 2, "crops": 2}


def test_a_task_waits_for_its_own_methods_encoder(workplace):
    needs = {cell.id: cell.needs for cell in read(workplace).cells}
    assert needs["adam-dice-seed2"] == ("adam-pretraining-seed2",)
    assert needs["leader-pretraining-seed2"] == ("adam-pretraining-seed2",) and needs["random-dice-seed2"] == ()


def test_a_method_may_read_from_another_ones_task(workplace):
    workplace.content["methods"]["leader"]["options"]["disease"] = "{runs[random/dice]}"
    needs = next(cell.needs for cell in read(workplace).cells if cell.id == "leader-pretraining-seed1")
    assert set(needs) == {"adam-pretraining-seed1", "random-dice-seed1"}


def test_a_study_needs_no_pretraining_and_a_method_may_change_the_tasks(workplace):
    workplace.content["methods"] = {"plain": {}, "masked": {"task_options": {"segment": True, "seed": 9}}}
    workplace.content["reference"] = "plain"
    for key in ("images", "views_budget", "pretraining"):
        workplace.content.pop(key)
    plain, masked = [cell for cell in read(workplace).cells if cell.seed == 1]
    assert dict(plain.steps[0].options) == {"seed": 1}, "no encoder"
    assert dict(masked.steps[1].options) == {"seed": 9, "segment": True}
    assert plain.needs == masked.needs == ()


def test_without_a_budget_the_recipes_say_how_long(workplace):
    for key in ("images", "views_budget"):
        workplace.content.pop(key)
    workplace.content["pretraining"]["options"].pop("epochs")
    made = read(workplace)
    assert made.epochs("adam") is None and "epochs" not in made.cells[1].steps[0].options


def test_only_a_method_takes_what_it_needs_along(workplace):
    from common.studies.plan import with_needs

    names = [cell.id for cell in with_needs(read(workplace).cells, ["leader"]) if cell.seed == 0]
    assert names == ["adam-pretraining-seed0", "leader-pretraining-seed0", "leader-dice-seed0"]


def test_only_a_task_takes_the_encoder_it_needs_along(workplace):
    from common.studies.plan import with_needs

    workplace.content["tasks"]["other"] = workplace.content["tasks"]["dice"]
    names = [cell.id for cell in with_needs(read(workplace).cells, ["random", "adam"], ["other"]) if cell.seed == 0]
    assert names == ["random-other-seed0", "adam-pretraining-seed0", "adam-other-seed0"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["methods"]["adam"].update(viewsperimage=1), "did you mean 'views_per_image'"),
        (lambda c: c["methods"]["leader"]["options"].update(expert="{encoders[adm]}"), "did you mean 'adam'"),
        (lambda c: c["methods"]["leader"]["options"].update(expert="{runs[adam/dise]}"), "did you mean 'dice'"),
        (lambda c: c["methods"]["leader"]["options"].update(expert="{runs[random]}"), "random has no pre-training"),
        (lambda c: c["methods"]["adam"].update(options={"x": "{encoders[leader]}"}), "need each other"),
        (lambda c: c["methods"]["adam"].pop("views_per_image"), "adam has no views_per_image"),
        (lambda c: c["methods"]["adam"].update(options={"x": "{epochs[end]}"}), "known are none"),
        (lambda c: c["tasks"]["dice"]["steps"][0].update(config=["train"]), "did you mean 'configs'"),
        (lambda c: c["methods"]["adam"].update(options={"head": None}), "adam: head is null.*`head#_disabled_: true`"),
        (lambda c: c["tasks"]["dice"]["steps"][0].update(options={"head": None}), "head is null"),
        (lambda c: c.pop("reference"), "the study lacks reference"),
        (lambda c: c.update(reference="rand"), "did you mean 'random'"),
        (
            lambda c: c["tasks"]["dice"]["options"].update(epochs="{epochs}"),
            "has no pre-training.*write a number",
        ),
        (lambda c: (c.pop("views_budget"), c.pop("images")), "or the study no views_budget or budgets; write a number"),
        (lambda c: c.pop("views_budget"), "the study lacks views_budget and budgets"),
        (lambda c: c["methods"]["adam"].update(reference="leadr"), "did you mean 'leader'"),
        (lambda c: c["methods"]["adam"].update(only_with=["weights"]), "known are chests"),
        (lambda c: c.update(tables=[{"metrics": ["Dise"]}]), "did you mean 'Dice'"),
        (lambda c: c.update(figures={"parts": ["adem"]}), "did you mean 'adam'"),
        (
            lambda c: (
                c["tasks"]["dice"].update(methods=["adam"]),
                c["methods"]["leader"]["options"].update(x="{runs[random/dice]}"),
            ),
            "random-dice-seed0, which is no cell",
        ),
    ],
)
def test_mistakes_in_the_file_are_named(workplace, change, message):
    from common.studies.check import StudyError

    change(workplace.content)
    with pytest.raises(StudyError, match=message):
        read(workplace)


@pytest.fixture
def recipes_read_once(monkeypatch):
    """A study names the same few recipes in every command, and reading one takes a tenth of a second."""
    from monai.bundle import ConfigParser

    read = cache(ConfigParser.load_config_file)
    monkeypatch.setattr(ConfigParser, "load_config_file", lambda file: deepcopy(read(file)))
    monkeypatch.setattr(yaml, "SafeLoader", yaml.CSafeLoader)


@pytest.mark.parametrize("file", STUDIES, ids=[file.parent.name for file in STUDIES])
def test_studies_of_the_repository_name_configs_and_keys_that_exist(file, recipes_read_once):
    from common.command.given import Command
    from common.command.known_keys import unknown_keys
    from common.studies.cells import config_file
    from common.studies.plan import read_study

    study = read_study(file)
    commands = {
        (tuple(config_file(cell.bundle, name) for name in step.configs), *sorted(step.options)): (cell.id, step.options)
        for cell in study.cells
        for step in cell.steps
    }  # of several seeds and budgets one is enough
    for (files, *_), (name, options) in commands.items():
        assert not (found := unknown_keys(Command(files, options))), f"{name}: {found}"
    assert {cell.method for cell in study.cells} == set(study.content["methods"])


def test_the_comparison_at_224_pixels_has_the_methods_of_the_other_and_one_network():
    from common.studies.plan import read_study

    study, other = (read_study(ROOT / "studies" / name / "study.yaml") for name in ("comparison_224", "comparison"))
    assert {study.written(name) for name in study.budgets} == {other.written(name) for name in other.budgets}
    assert study.content["budgets"]["tenfold"] == 10 * other.content["budgets"]["today"]
    networks = {str((step.options["architecture"], step.options["encoder_options"])) for step in steps(study)}
    assert networks == {"('resnet50', {'output_stride': 16})"}
    first = [cell for cell in study.cells if cell.seed == study.content["seeds"][0]]
    assert first == list(study.cells[: len(first)]), "every method's first seed comes before a second one"
    views = {
        study.epochs(name) * study.content["images"] * study.content["methods"][name]["views_per_image"]
        for name in study.budgets
    }
    assert views == {36384, 363840}


def steps(study):
    return [step for cell in study.cells for step in cell.steps]


@pytest.mark.parametrize("file", STUDIES, ids=[file.parent.name for file in STUDIES])
def test_results_hold_no_path_of_a_machine(file):
    for result in file.parent.glob("cells/*.json"):
        assert '"/' not in result.read_text(), result
