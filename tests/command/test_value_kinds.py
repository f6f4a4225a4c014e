"""Text where a number or truth value belongs is refused by key, also where the value that it replaces is no number."""

import pytest
import yaml
from toy_bundle.scripts.children import CONFIG

from common.command.given import Command
from common.command.known_keys import unknown_keys
from common.command.number_expressions import is_number

RECIPE = {
    "scale": 256,
    "names": ["a", "b"],
    "rate": "$5.0e-4 * @scale / 256",
    "chosen": "${'a': 10, 'b': 6}.get(@mode, 4)",
    "mode": "a",
    "fused": None,
    "quick": False,
    "first_rate": "@rate",
    "base_rate": None,
    "seed": None,
    "padding": None,
    "optimizer": {"_target_": "torch.optim.SGD", "params": "@names", "lr": "@base_rate", "fused": "@fused"},
    "layer": {"_target_": "torch.nn.Conv2d", "padding": "@padding", "padding_mode": "zeros"},
    "loader": {"_target_": "torch.utils.data.DataLoader", "dataset": [1], "num_workers": "@seed", "shuffle": False},
}


def recipe(tmp_path, name="train.yaml", **changes):
    path = tmp_path / name
    path.write_text(yaml.safe_dump(RECIPE | changes if name == "train.yaml" else changes))
    return str(path)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("rate", "four", "a number belongs, in place of $5.0e-4 * @scale / 256"),
        ("rate", [0.1, 0.2], "a number belongs, in place of $5.0e-4"),
        ("rate", True, "a number belongs, in place of $5.0e-4"),
        ("chosen", "four", "a number belongs, in place of ${'a': 10"),
        ("first_rate", "four", "a number belongs, in place of @rate"),
        ("base_rate", "four", "a number belongs, which torch.optim.SGD takes as lr"),
        ("optimizer#lr", "four", "a number belongs, which torch.optim.SGD takes as lr"),
        ("seed", "four", "a number belongs, which torch.utils.data.DataLoader takes as num_workers"),
        ("fused", "no", "True or False belongs, which torch.optim.SGD takes as fused"),
        ("quick", "no", "True or False belongs, such as False"),
    ],
)
def test_a_value_of_another_kind_is_refused_by_key(tmp_path, key, value, problem):
    (line,) = unknown_keys(Command((recipe(tmp_path),), {key: value}))
    assert line.startswith(f"  --{key}: {value!r} is given where {problem}")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rate", "$@scale * 2"),
        ("rate", "@scale"),
        ("rate", 3),
        ("base_rate", 0.1),
        ("mode", "four"),
        ("names", "four"),
        ("fused", True),
        ("padding", "same"),
        ("layer#padding_mode", "circular"),
        ("quick", True),
        ("seed", None),
        ("loader#dataset", "four"),
    ],
)
def test_a_value_that_may_be_meant_passes(tmp_path, key, value):
    assert unknown_keys(Command((recipe(tmp_path),), {key: value})) == []


@pytest.mark.parametrize("text", ["1e-3", "1E5", "-2e+4", ".5e3", "2.5e3", "3.e7"])
@pytest.mark.parametrize("key", ["rate", "base_rate", "scale"])
def test_a_number_that_yaml_reads_as_text_is_named_with_its_remedy(tmp_path, text, key):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(f"{key}: {text}\n")
    assert isinstance(yaml.safe_load(overlay.read_text())[key], str)
    (line,) = unknown_keys(Command((recipe(tmp_path), str(overlay))))
    assert line.startswith(f"  {overlay}: {key}: {text!r} is given where a number belongs")
    remedy = yaml.safe_load(line.rpartition("write ")[2])
    assert isinstance(remedy, float) and remedy == float(text)


def test_a_recipe_by_itself_is_looked_at_too(tmp_path):
    file = recipe(tmp_path, base_rate="1e-3")
    (line,) = unknown_keys(Command((file,)))
    assert line.startswith(f"  {file}: base_rate: '1e-3' is given where a number belongs") and "write 1.0e-3" in line


def test_values_inside_of_components_and_merged_ones_are_looked_at(tmp_path):
    whole = {"_target_": "torch.optim.Adam", "params": [], "lr": "1e-3"}
    for overlay in ({"optimizer": whole}, {"+optimizer": {"lr": "1e-3"}}, {"+loader": {"num_workers": "two"}}):
        (line,) = unknown_keys(Command((recipe(tmp_path), recipe(tmp_path, "overlay.yaml", **overlay))))
        ((key, content),) = overlay.items()
        argument = "lr" if "lr" in content else "num_workers"
        assert f"{key}: {argument} = {content[argument]!r} is given where a number belongs" in line


def test_a_recipe_whose_mistake_an_overlay_mends_passes(tmp_path):
    wrong = recipe(tmp_path, base_rate="1e-3")
    assert len(unknown_keys(Command((wrong,)))) == 1
    assert unknown_keys(Command((wrong, recipe(tmp_path, "overlay.yaml", base_rate=0.001)))) == []
    assert unknown_keys(Command((str(CONFIG),))) == []


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("$1 / @x", True),
        ("$@scale * 2", True),
        ("$-@scale", True),
        ("$sum(@names)", True),
        ("$1 if @mode else 2.5", True),
        ("@rate", True),
        ("$@names * 2", False),
        ("$'%d' % 3", False),
        ("$'a' + 'b'", False),
        ("$1 if @mode else None", False),
        ("$@itself", False),
        ("$True", False),
        ("$'4'", False),
        ("$f(3)", False),
        ("$(", False),
    ],
)
def test_only_what_can_be_nothing_else_is_a_number(expression, expected):
    assert is_number(expression, RECIPE | {"itself": "$@itself"}) is expected


def test_what_the_class_before_was_given_is_left_over(tmp_path):
    loss = {"_target_": "torch.nn.CrossEntropyLoss", "label_smoothing": 0.1, "reduction": "mean"}
    file = recipe(tmp_path, loss=loss)
    target = {"loss#_target_": "torch.nn.BCEWithLogitsLoss"}
    (line,) = unknown_keys(Command((file,), target))
    assert line.startswith("  --loss#_target_: torch.nn.BCEWithLogitsLoss takes no 'label_smoothing'")
    assert line.endswith("""replace it whole: --loss "{'_target_': 'torch.nn.BCEWithLogitsLoss'}\"""")
    # what the message proposes, and a class that takes all of it
    assert unknown_keys(Command((file,), {"loss": {"_target_": "torch.nn.BCEWithLogitsLoss"}})) == []
    assert unknown_keys(Command((file,), {"loss#_target_": "torch.nn.CrossEntropyLoss"})) == []
