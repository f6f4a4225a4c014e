"""Configs of runs that were tracked before a module moved are exported by its present name."""

import importlib

import pytest

import common  # noqa: F401
from common.export.renamed import RENAMED, present_names


@pytest.mark.parametrize("name", RENAMED.values())
def test_present_names_exist(name):
    module, _, attribute = name.rpartition(".")
    assert hasattr(importlib.import_module(module), attribute)


def test_components_and_expressions_are_renamed_and_texts_are_not():
    earlier = {
        "a": {"_target_": "common.data.SeededSampler", "note": "common.data.read"},
        "b": ["$common.data.read('common.data') + common.data.volumes.open_volumes(1)", 3],
        "c": "$common.data.reads + xcommon.data.read",
        "d": "$common.engines.refuse_unknown_keys()",
    }
    assert present_names(earlier) == {
        "a": {"_target_": "common.sampling.SeededSampler", "note": "common.data.read"},
        "b": ["$common.readers.read('common.data') + common.volumes.open_volumes(1)", 3],
        "c": "$common.data.reads + xcommon.data.read",
        "d": "$common.command.refuse_unknown_keys()",
    }
