"""What every bundle's files must be like. A check takes a bundle's folder and returns what is wrong with it."""

import json
import re
import shlex
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import jsonschema
from contract_configs import (
    every_config,
    expression_problems,
    find,
    leaves,
    load,
    main_recipe,
    missing_keys,
    overlays,
    stands_alone,
)

from common.command import completed
from common.export.rewrite import ExportError, rewrite_config, rewrite_source

ROOT = Path(__file__).parents[2]
SCHEMA = Path(__file__).parent / "metadata_schema.json"
REQUIRED = [
    "LICENSE",
    "configs/smoke.yaml",
    "configs/metadata.json",
    "configs/logging.conf",
    "docs/README.md",
    "models/.gitkeep",
]
WORKFLOWS = {"train.yaml": ["inference.yaml"], "analyse.yaml": []}
"""What a bundle is for, by the recipe that it has, and the configs that go with it: an analysis has no network."""
# A reader sees a recipe at a glance, and an overlay's purpose at once.
LINES = {"recipe": 150, "overlay": 40, "script": 150}
MACHINE_PATH = re.compile(r"(?<![\w.])(/(home|root|work|tmp|mnt|media|Users|scratch)/|[A-Z]:\\)")
TABLE = re.compile(r"^\|.*\|\n\|[ :|-]+\|\n\|.*\w.*\|$", re.MULTILINE)  # header, rule, first row
MISREAD_NUMBER = re.compile(r"^[+-]?\d+(\.\d*)?[eE][+-]?\d+$")


def files(bundle: Path) -> list[str]:
    has = [name for name in WORKFLOWS if (bundle / "configs" / name).is_file()]
    wanted = REQUIRED + [f"configs/{name}" for recipe in has for name in WORKFLOWS[recipe]]
    problems = [] if has else [f"configs/{' or configs/'.join(WORKFLOWS)} is missing"]
    return problems + [f"{name} is missing" for name in wanted if not (bundle / name).is_file()]


def sizes(bundle: Path) -> list[str]:
    problems = []
    for path in sorted([*(bundle / "configs").rglob("*.yaml"), *(bundle / "scripts").rglob("*.py")]):
        kind = "script" if path.suffix == ".py" else "recipe" if stands_alone(path) else "overlay"
        count = len(path.read_text().splitlines())
        if count > LINES[kind]:
            problems.append(f"{path.relative_to(bundle)} has {count} lines; a {kind} has at most {LINES[kind]}")
    return problems


def overlay_keys(bundle: Path) -> list[str]:
    recipe = load(main_recipe(bundle))
    return [
        f"{path.relative_to(bundle)}: {key} is in no recipe and changes nothing"
        for path in overlays(bundle)
        for key in missing_keys(recipe, load(path))
    ]


def expressions(bundle: Path) -> list[str]:
    return [f"{name}: {problem}" for name, config in every_config(bundle) for problem in expression_problems(config)]


def numbers(bundle: Path) -> list[str]:
    return [
        f"{path.relative_to(bundle)}: {where} is the text {value!r}; YAML wants a point and a sign, as in 5.0e-4"
        for path in sorted((bundle / "configs").rglob("*.yaml"))
        for where, value in leaves(load(path))
        if isinstance(value, str) and MISREAD_NUMBER.match(value)
    ]


def portable(bundle: Path) -> list[str]:
    """Everything can be renamed for an export, and nothing is taken from another bundle."""
    problems = []
    for name, config in every_config(bundle):
        try:
            rewrite_config(config, bundle.name, name)
        except ExportError as error:
            problems.append(str(error))
    for path in sorted((bundle / "scripts").rglob("*.py")):
        try:
            rewrite_source(path.read_text(), bundle.name, str(path.relative_to(bundle)))
        except ExportError as error:
            problems.append(str(error))
    return problems


def machine_paths(bundle: Path) -> list[str]:
    problems = []
    for path in sorted(bundle.rglob("*")):
        if path.suffix in {".yaml", ".py", ".md", ".json", ".conf"}:
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if MACHINE_PATH.search(line):
                    problems.append(f"{path.relative_to(bundle)}:{number} names a path of one machine: {line.strip()}")
    return problems


def metadata(bundle: Path) -> list[str]:
    content = json.loads((bundle / "configs" / "metadata.json").read_text())
    validator = jsonschema.Draft201909Validator(json.loads(SCHEMA.read_text()))
    problems = [f"metadata.json: {error.json_path}: {error.message}" for error in validator.iter_errors(content)]
    if problems:
        return problems
    if content["version"] not in content["changelog"]:
        problems.append(f"metadata.json: version {content['version']} is not in the changelog")
    wanted = {"monai": content["monai_version"], "torch": content["pytorch_version"], "numpy": content["numpy_version"]}
    pins = dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    for name, version in {**wanted, **content["required_packages_version"]}.items():
        if pins.get(name) != version:
            problems.append(f"metadata.json: {name} {version}, but requirements.txt pins {pins.get(name)}")
    return problems


def readme_commands(bundle: Path) -> list[str]:
    readme = bundle / "docs" / "README.md"
    return command_problems(readme, bundle.parent.parent) if readme.is_file() else []


def results(bundle: Path) -> list[str]:
    """The README says what the recipe measured: a table with at least one row below its header."""
    readme = bundle / "docs" / "README.md"
    text = readme.read_text() if readme.is_file() else ""
    section = re.search(r"^## Results\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if section is None:
        return ["docs/README.md has no section '## Results'"]
    return [] if TABLE.search(section[1]) else ["docs/README.md: '## Results' has no table with a row"]


def command_problems(readme: Path, root: Path) -> list[str]:
    """Files and keys that the commands of a README name and that do not exist."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", readme.read_text(), re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    problems = []
    for line in lines:
        words = _words(line)
        for name in re.findall(r"(?<![\w/.])(?:bundles|scripts|common|tests)/[\w./-]*\w", line):
            if not (root / name).exists() and not (ROOT / name).exists():
                problems.append(f"{readme.name}: there is no {name} ({line.strip()})")
        if "monai.bundle" in words and "run" in words:
            problems += [f"{readme.name}: {problem}" for problem in _unknown_keys(words, root)]
    return problems


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        return []


def _unknown_keys(words: list[str], root: Path) -> list[str]:
    options = dict(pairwise(words))
    paths = [root / name for name in re.findall(r"bundles/[\w./-]+\.yaml", options.get("--config_file", ""))]
    if not paths or not all(path.is_file() for path in paths):
        return []
    known: dict = {}
    for path in paths:
        known |= completed(load(path))
    keys = [word[2:].partition("=")[0] for word in words if word.startswith("--")]
    return [
        f"no config has the key {key} ({' '.join(words)})"
        for key in keys
        if key not in {"config_file", "bundle_root", "nproc_per_node", "standalone", "nnodes"} and not _has(known, key)
    ]


def _has(config: dict, key: str) -> bool:
    try:
        find(config, key)
    except KeyError:
        return False
    return True


CHECKS: dict[str, Callable[[Path], list[str]]] = {
    check.__name__: check
    for check in (
        files,
        sizes,
        overlay_keys,
        expressions,
        numbers,
        portable,
        machine_paths,
        metadata,
        readme_commands,
        results,
    )
}
