"""What a stranger would call has an example in its docstring, and the examples run."""

import doctest
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Beside every loss.
NAMES = {
    "common.records": ("Corpus",),
    "common.sampling": ("generator_for", "seeded_loader"),
    "common.images": ("as_items", "open_store", "read_image"),
    "common.readers": ("read",),
    "common.phantom": ("make_radiograph", "write_phantom"),
    "common.views": (
        "AugmentedCrop",
        "ColourJitter",
        "Photometric",
        "RandBrightnessContrastd",
        "RandCLAHEd",
        "RandOpticalDistortiond",
        "RandResizedCropd",
        "TwoCrops",
        "crop_resize",
        "quarter_boxes",
        "random_resized_box",
        "rotate",
    ),
    "common.networks": (
        "Classifier",
        "Encoder",
        "ProjectionHead",
        "SegmentationNetwork",
        "build_encoder",
        "load_encoder",
        "save_encoder",
    ),
    "common.teachers": ("MomentumTeacher", "NetworkExpert", "StudentTeacher", "load_expert"),
    "common.engines": ("Checkpoints", "ClipGradients", "Cosine", "Trainer", "parameter_groups"),
    "common.scoring": ("patient_intervals",),
    "common.evaluation": ("ClassificationReport", "SegmentationReport", "network_sharpness", "probe_metric"),
}
LOSSES = import_module("common.losses").__all__
EXAMPLES = [("common.losses", name) for name in LOSSES] + [(room, name) for room in NAMES for name in NAMES[room]]
METHODS = [
    f"bundles.{path.parent.parent.name}.scripts.{path.stem}"
    for name in ("method", "network")
    for path in sorted(ROOT.glob(f"bundles/*/scripts/{name}.py"))
]
LINK = re.compile(
    r"https://(arxiv\.org/abs/\d{4}\.\d{5}|doi\.org/10\.\S+|openreview\.net/forum\?id=\w+"
    r"|papers\.miccai\.org/\S+\.html|proceedings\.mlr\.press/\S+\.html)"
)
# What a docstring calls its source, where this has an address.
PAPERS = re.compile(r"\b(MoCo v2|DINO|BYOL|ACE|Adam|Adam v2|LeADER|SRHRS|the CT method)\b")


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


@pytest.mark.parametrize("module", METHODS)
def test_a_method_links_to_its_paper(module):
    assert LINK.search(import_module(module).__doc__ or "")
