"""What each bundle's export carries: names and imports that are whole, and not many more lines than it needs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from export_bundles import BUNDLES, ROOT

from common.command.recipe import completed, read_recipe
from common.export.imports import at_run_time
from common.export.vendor import vendor
from common.readers import find_reader

# Lines of Python below `scripts/`, with a little room to grow. None can lose much more without losing something that
# it does. Of the lung segmenter's in `common`, 2,600 decode pictures and masks, 2,400 read their folders, 2,100 are
# encoders and what reads their files, 1,900 train, 1,600 are the command, 1,200 track, 1,100 evaluate.
LINES = {
    "ct_diagnosis_classification": 18_400,
    "cxr_ace": 19_500,
    "cxr_adam": 19_150,
    "cxr_adam_v2": 19_500,
    "cxr_leader": 20_150,
    "cxr_srhrs": 19_450,
    "image_classification": 16_750,
    "image_segmentation": 17_050,
    "landmark_detection": 17_000,
    "lesion_detection": 17_150,
}
OVERLAYS = {"image_segmentation": ["data/lung_masks"]}  # the others' recipes name a data set that stands for any


@pytest.fixture(scope="module")
def vendored(tmp_path_factory):
    made = {}

    def make(bundle):
        if bundle not in made:
            folder = ROOT / "bundles" / bundle
            configs = {
                name: completed(yaml.safe_load((folder / "configs" / f"{name}.yaml").read_text()))
                for name in ("evaluate", "inference")
            }
            files = ("train", *OVERLAYS.get(bundle, ()))
            configs["train"] = read_recipe(*(folder / "configs" / f"{file}.yaml" for file in files)).get()
            made[bundle] = tmp_path_factory.mktemp(bundle) / "out"
            vendor(folder, made[bundle], configs)
        return made[bundle] / "scripts" / "common"

    return make


@pytest.mark.parametrize("bundle", BUNDLES)
def test_an_export_is_no_larger_than_it_needs_to_be(bundle, vendored):
    files = sorted(vendored(bundle).rglob("*.py"))
    lines = sum(len(path.read_text().splitlines()) for path in vendored(bundle).parent.rglob("*.py"))
    assert lines <= LINES[bundle], lines
    rooms = {path.relative_to(vendored(bundle)).parts[0] for path in files}
    assert not rooms & {"phantom", "export", "data", "studies", "benchmarks"}
    dataset = read_recipe(ROOT / "bundles" / bundle / "configs" / "train.yaml").get("dataset")
    assert ("volumes" in rooms) == find_reader(dataset).publication.volumes


@pytest.mark.parametrize("bundle", BUNDLES)
def test_every_name_in_an_export_is_defined(bundle, vendored):
    command = ["ruff", "check", "--isolated", "--select", "F821,F822", str(vendored(bundle).parent)]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("bundle", BUNDLES)
def test_every_import_of_an_export_finds_its_module_and_name(bundle, vendored):
    root = vendored(bundle)
    for path in sorted(root.rglob("*.py")):
        package = path.parent
        for node in at_run_time(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                folder = [package, *package.parents][node.level - 1].joinpath(*(node.module or "").split("."))
                for alias in node.names:
                    assert finds(folder, alias.name, path), f"{path.relative_to(root)}: {ast.unparse(node)}"


def finds(module: Path, name: str, asking: Path) -> bool:
    """Whether a module has a name at its top, or a package a module of that name."""
    if (module / f"{name}.py").is_file() or (module / name / "__init__.py").is_file():
        return True
    file = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
    if not file.is_file() or file == asking:  # an import does not define what it imports
        return False
    words = {node.value for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant)}
    bound = {
        getattr(node, "id", None) or getattr(node, "name", None) or getattr(node, "asname", None)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Name | ast.FunctionDef | ast.ClassDef | ast.alias)
    }
    return name in bound or (file.name == "__init__.py" and name in words)
