"""Ways to break the toy bundle, each with the check that must notice."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Broken:
    """One mistake that somebody could make in a bundle.

    Args:
        name: of the mistake.
        check: the contract's check that fails on it.
        break_it: makes the mistake in a copy of the toy bundle.
        says: part of what the check answers.
    """

    name: str
    check: str
    break_it: Callable[[Path], None]
    says: str


def replaced(file: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(bundle: Path) -> None:
        text = (bundle / file).read_text()
        assert old in text, f"{file} of the toy bundle no longer says {old!r}"
        (bundle / file).write_text(text.replace(old, new))

    return edit


def both(*edits: Callable[[Path], None]) -> Callable[[Path], None]:
    def edit(bundle: Path) -> None:
        for one in edits:
            one(bundle)

    return edit


def added(file: str, text: str) -> Callable[[Path], None]:
    def edit(bundle: Path) -> None:
        (bundle / file).write_text((bundle / file).read_text() + text)

    return edit


def removed(file: str) -> Callable[[Path], None]:
    return lambda bundle: (bundle / file).unlink()


TRAIN, SMOKE, INFER = "configs/train.yaml", "configs/smoke.yaml", "configs/inference.yaml"
EVALUATE, META, README = "configs/evaluate.yaml", "configs/metadata.json", "docs/README.md"
ANALYSE = "scripts/analyse.py"
METHOD, NETWORK, SAVE = "scripts/method.py", "scripts/network.py", "scripts/save.py"
IMPORT = '"$import common"'

STRUCTURE = [
    Broken("no licence", "files", removed("LICENSE"), "LICENSE is missing"),
    Broken(
        "no workflow",
        "files",
        both(removed("configs/train.yaml"), removed("configs/analyse.yaml")),
        "or configs/analyse",
    ),
    Broken("no inference for a training", "files", removed("configs/inference.yaml"), "inference.yaml is missing"),
    Broken("no smoke preset", "files", removed(SMOKE), "smoke.yaml is missing"),
    Broken("endless recipe", "sizes", added(TRAIN, "# more\n" * 150), "lines"),
    Broken("endless overlay", "sizes", added(SMOKE, "# more\n" * 40), "lines"),
    Broken("mistyped overlay key", "overlay_keys", added(SMOKE, "epoch: 3\n"), "epoch "),
    Broken("mistyped argument", "overlay_keys", added(SMOKE, '"optimizer#momentun": 0.5\n'), "momentun"),
    Broken("mistyped parent", "overlay_keys", added(SMOKE, '"optimiser#lr": 0.5\n'), "optimiser"),
    Broken("two imports in one", "expressions", replaced(TRAIN, IMPORT, '"$import common, os"'), "several names"),
    Broken("import without alias", "expressions", replaced(TRAIN, IMPORT, '"$import common.images"'), "no expression"),
    Broken(
        "missing import", "expressions", added(SMOKE, 'device: "$torch.device(os.environ[0])"\n'), "nothing binds os"
    ),
    Broken("reference to nothing", "expressions", replaced(TRAIN, '"@learning_rate"', '"@rate"'), "@rate"),
    Broken("number without point", "numbers", replaced(TRAIN, "1.0e-2", "1e-2"), "'1e-2'"),
    Broken(
        "other bundle's class",
        "portable",
        replaced(TRAIN, "bundles.toy.scripts.save", "bundles.other.scripts.save"),
        "other",
    ),
    Broken("other bundle's code", "portable", added(SAVE, "from bundles.other.scripts.save import x\n"), "other"),
    Broken("code inside an expression", "portable", added(SMOKE, 'seed: "$bundles.toy.scripts.x.y"\n'), "inside an"),
    Broken("macro of a file", "portable", added(SMOKE, 'width: "%configs/other.yaml::width"\n'), "another file"),
    Broken("machine path", "machine_paths", added(SMOKE, "dataset_dir: /home/someone/data\n"), "/home/someone"),
    Broken("metadata without task", "metadata", replaced(META, '"task"', '"tasks"'), "'task' is a required"),
    Broken(
        "old name of the pins", "metadata", replaced(META, '"required_packages_', '"optional_packages_'), "required"
    ),
    Broken("unknown version", "metadata", replaced(META, '"version": "0.1.0"', '"version": "0.2.0"'), "changelog"),
    Broken(
        "stale pin", "metadata", replaced(META, '"monai_version": "1.6.1"', '"monai_version": "1.5.0"'), "pins 1.6.1"
    ),
    Broken(
        "wild-card size", "metadata", replaced(META, '"spatial_shape": []', '"spatial_shape": ["*"]'), "spatial_shape"
    ),
    Broken("README names no file", "readme_commands", replaced(README, "smoke.yaml", "quick.yaml"), "quick.yaml"),
    Broken("README names no key", "readme_commands", replaced(README, "--epochs", "--epoch"), "key epoch"),
    Broken("README without results", "results", replaced(README, "## Results", "## Outlook"), "no section"),
    Broken("results to come", "results", replaced(README, "| 20 epochs | 0.0073 |\n", ""), "no table with a row"),
]

BRANCH = replaced(
    NETWORK,
    "        return self.head",
    "        if images.mean() > 0.5:\n            images = -images\n        return self.head",
)
BEHAVIOUR = [
    Broken("loss not finite", "smoke", replaced(METHOD, '"loss": error', '"loss": error / 0'), "inf"),
    Broken("trains on no key", "smoke", replaced(METHOD, 'batch["image"]', 'batch["picture"]'), "picture"),
    Broken(
        "property under another id",
        "properties",
        both(replaced(TRAIN, "  inferer: {_t", "  caller: {_t"), replaced(TRAIN, "#inferer", "#caller")),
        "inferer",
    ),
    Broken(
        "state outside the state dict",
        "resume",
        both(
            replaced(METHOD, "self.network = network\n", "self.network, self.steps = network, 0\n"),
            replaced(
                METHOD,
                '        images = batch["image"]\n',
                '        images, self.steps = batch["image"], self.steps + 1\n',
            ),
            replaced(METHOD, '"loss": error', '"loss": error * (1 + self.steps)'),
        ),
        "differs by",
    ),
    Broken("sum for mean", "two_processes", replaced(METHOD, ".square().mean()", ".square().sum()"), "differs by"),
    Broken(
        "weights of another module", "evaluation", replaced(EVALUATE, '"@network_def"}', '"@method"}'), "ended with"
    ),
    Broken("another width", "inference", replaced(INFER, "width: 16", "width: 8"), "ended with"),
    Broken("writes nothing", "inference", replaced(SAVE, "self.path.write_text", "str"), "wrote nothing"),
    Broken(
        "depends on where it is",
        "export",
        replaced(NETWORK, "torch.flatten(self", "(1 + ('bundles' in __name__)) * torch.flatten(self"),
        "differs by",
    ),
    Broken(
        "imports by name at run time",
        "exported_runs",
        replaced(
            SAVE,
            "        if rank() == 0:\n",
            "        __import__('bundles.toy.scripts.network')\n        if rank() == 0:\n",
        ),
        "the repository is hidden",
    ),
    Broken(
        "looks beside itself", "exported_runs", replaced(TRAIN, 'bundle_root: "."', "bundle_root: beside"), "beside"
    ),
    Broken(
        "reads weights when it is loaded",
        "acceptance",
        replaced(INFER, f"- {IMPORT}\n", f'- {IMPORT}\n- "$torch.load(@ckpt_path)"\n'),
        "model.pt",
    ),
    Broken("branches on pixels", "graphs", BRANCH, "model.onnx was not written"),
    Broken(
        "numbers of chance",
        "analysis",
        replaced(ANALYSE, "float(greys.mean())", "__import__('time').time_ns()"),
        "different numbers",
    ),
    Broken("page without its picture", "analysis", replaced(ANALYSE, '"greys.png")', '"grey.png")'), "not beside it"),
    Broken("branches on pixels for MLflow", "tracked_model", BRANCH, "not added to MLflow's run"),
]
