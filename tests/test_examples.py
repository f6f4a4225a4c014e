"""What a stranger would call has an example in its docstring, and the examples run."""

import doctest
import inspect
import re
from importlib import import_module

import pytest

# Beside every loss.
NAMES = {
    "common.teachers": ("MomentumTeacher", "NetworkExpert", "StudentTeacher"),
    "common.views": ("AugmentedCrop", "ColourJitter", "Photometric", "TwoCrops", "crop_resize"),
    "common.networks": ("build_encoder", "load_encoder"),
    "common.images": ("open_store",),
    "common.engines": ("Checkpoints", "Trainer"),
}
LOSSES = import_module("common.losses").__all__
EXAMPLES = [("common.losses", name) for name in LOSSES] + [(room, name) for room in NAMES for name in NAMES[room]]
LINK = re.compile(r"https://(arxiv\.org/abs/\d{4}\.\d{5}|doi\.org/10\.\S+)")
# What a docstring calls its source, where this has an address.
PAPERS = re.compile(r"\b(MoCo v2|DINO|BYOL|ACE|Adam|Adam v2)\b")


@pytest.mark.parametrize(("room", "name"), EXAMPLES)
def test_the_example_runs(room, name):
    thing = getattr(import_module(room), name)
    module = import_module(thing.__module__)
    (test,) = (
        found
        for found in doctest.DocTestFinder(recurse=False).find(thing, name, module=module, globs=vars(module).copy())
    )
    assert test.examples, "it has no example"
    said: list[str] = []
    results = doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert results.failed == 0, "".join(said)


@pytest.mark.parametrize(("room", "name"), EXAMPLES)
def test_a_source_has_an_address(room, name):
    text = inspect.getdoc(getattr(import_module(room), name)) or ""
    source = text.partition("Source:")[2].partition("\n\n")[0]
    if PAPERS.search(source):
        assert LINK.search(source)
