"""Renaming for an export: what changes, what stays, what is refused."""

import ast

import pytest

from common.export.rewrite import ExportError, rewrite_config, rewrite_name, rewrite_source
from common.inert import inert

DATA = inert("bundles.a#b", "")


def config(value):
    return rewrite_config({"a": value}, "mine", "train.yaml")["a"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bundles.mine.scripts.method.M", "scripts.method.M"),
        ("bundles.mine.scripts", "scripts"),
        ("common.readers.read", "scripts.common.readers.read"),
        ("commonplace.x", "commonplace.x"),
        ("torch.nn.Linear", "torch.nn.Linear"),
        ("DecodeImaged", "DecodeImaged"),
    ],
)
def test_names(name, expected):
    assert rewrite_name(name, "mine", "here") == expected
    assert config({"_target_": name}) == {"_target_": expected}


@pytest.mark.parametrize(
    "name", ["bundles.other.scripts.x", "bundles.mine_too.scripts.x", "bundles.mine.configs", "bundles"]
)
def test_names_outside_the_bundle_are_refused(name):
    with pytest.raises(ExportError, match="lies outside"):
        rewrite_name(name, "mine", "here")


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("$import common", "$import scripts.common as common"),
        ("$import common.images as data", "$import scripts.common.images as data"),
        ("$import bundles.mine.scripts.items as items", "$import scripts.items as items"),
        ("$from common.images import read", "$from scripts.common.images import read"),
        ("$from bundles.mine.scripts import items as it", "$from scripts import items as it"),
        ("$import os", "$import os"),
        ("$import os.path as path", "$import os.path as path"),
    ],
)
def test_import_statements_bind_the_same_name(statement, expected):
    assert config(statement) == expected

    def bound(text):
        alias = ast.parse(text[1:]).body[0].names[0]
        return alias.asname or alias.name

    assert bound(statement) == bound(expected)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("$import common.images", "binds the name 'common.images'"),
        ("$import common, os", "several names"),
        ("$bundles.mine.scripts.items.f(@x)", "inside an expression"),
        ("$'bundles.mine.scripts.items'", "inside an expression"),
        ("%configs/other.yaml::x", "another file"),
        ({"_target_": "bundles.other.scripts.C"}, "outside"),
    ],
)
def test_what_has_no_portable_form_is_refused_with_its_place(value, says):
    with pytest.raises(ExportError, match=says) as caught:
        config(value)
    assert "train.yaml#a" in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        "$common.readers.read('bundles/x')",
        "$@a.common + 1",
        "plain common.images",
        3,
        None,
        "%a#b",
        inert("bundles.a#b", ""),
    ],
)
def test_everything_else_stays(value):
    assert config(value) == value
    assert config([value, {"b": value}]) == [value, {"b": value}]


SOURCE = '''"""common.images in a docstring stays."""
import os, bundles.mine.scripts.items as items
import common.images as data  # common.images
from bundles.mine.scripts.heads import (
    Composer,  # bundles.mine.scripts
)
from common import losses
from .near import x


def late():
    from common.networks import build_encoder

    return "common.networks", build_encoder
'''


def test_source_changes_in_its_imports_alone():
    expected = (
        SOURCE.replace("os, bundles.mine.scripts.items", "os, scripts.items")
        .replace("import common.images as", "import scripts.common.images as")
        .replace("from bundles.mine.scripts.heads", "from scripts.heads")
        .replace("from common import", "from scripts.common import")
        .replace("from common.networks import", "from scripts.common.networks import")
    )
    assert rewrite_source(SOURCE, "mine", "x.py") == expected


@pytest.mark.parametrize(
    "line", ["import common.images", "import bundles.mine.scripts.x", "from bundles.other.scripts import y"]
)
def test_source_that_cannot_be_renamed_is_refused_with_its_line(line):
    with pytest.raises(ExportError, match=r"x\.py:2"):
        rewrite_source(f"import os\n{line}\n", "mine", "x.py")
