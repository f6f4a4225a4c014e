"""The commands of the READMEs, and a folder in which they run as they are written, at smoke size.

Folders that a README leaves to its reader, such as /data/images, are made by the table `PLACES`, where new ones belong.
"""

import csv
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from common.phantom import write_phantom
from common.phantom.ct import write_ct_rate
from common.readers.support.phantom_mark import MARK

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "bundles/*/docs/README.md", "studies/*/README.md")
    for path in ROOT.glob(pattern)
)
SMALLER = {"--epochs": "3", "--count": "12"}
"""Values of options that only say how much is done."""
UNCOUNTED = "multi_gpu.yaml"
"""A name of an overlay that says nothing in the name of a run, by which the runs are called as the README says."""


def commands(page: str) -> list[list[str]]:
    """Words of every command in the bash blocks of a page, in their order; lines of one command are one."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^[ ]*```bash\n(.*?)^[ ]*```", text, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    found = (_words(line) for line in lines)
    return [part for words in found if words for part in words]


def _words(line: str) -> Iterator[list[str]]:
    """Commands of a line, which `&&` separates."""
    words: list[str] = []
    for word in shlex.split(line, comments=True):
        if word == "&&":
            yield words
            words = []
        else:
            words.append(word)
    if words:
        yield words


def chestxray14(folder: Path, phantom: Path) -> None:
    """ChestX-ray14: the phantom without its mark, so that runs are called as a reader's are.

    NIH boxed other findings than the phantom: where that has a consolidation, a pneumonia is boxed.
    """
    shutil.copytree(phantom, folder, ignore=shutil.ignore_patterns(MARK))
    boxes = folder / "BBox_List_2017.csv"
    boxes.write_text(boxes.read_text().replace(",Consolidation,", ",Pneumonia,"))


def lung_masks(folder: Path, phantom: Path) -> None:
    """V7's lung masks: images, masks of the same names, and a table of patients."""
    for kind, source in (("images", phantom / "images"), ("masks", phantom / "masks" / "lung")):
        shutil.copytree(source, folder / kind)
    rows = [{"id": path.stem, "patientid": number} for number, path in enumerate(sorted((folder / "images").iterdir()))]
    with (folder / "metadata_with_licence_and_url.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["id", "patientid"])
        table.writeheader()
        table.writerows(rows)


def kermany(folder: Path, phantom: Path) -> None:
    """Kermany's pneumonia: a folder for each class, in train and test."""
    for number, path in enumerate(sorted((phantom / "images").iterdir())):
        split = "test" if number % 3 == 0 else "train"
        kind, name = (("NORMAL", f"IM-{number:04}-0001"), ("PNEUMONIA", f"person{number}_virus_1"))[number % 2]
        target = folder / split / kind / f"{name}{path.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


@dataclass
class Sandbox:
    """A folder that looks like the repository's root, with small data where READMEs expect a reader's.

    Args:
        folder: empty, to be filled.
        tables: an MLflow database without runs.
    """

    folder: Path
    tables: Path
    made: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for name in ("bundles", "common", "scripts", "studies", "tests", "pyproject.toml"):
            (self.folder / name).symlink_to(ROOT / name)
        (self.folder / "runs").mkdir()
        shutil.copy(self.tables, self.folder / "runs" / "mlflow.db")
        self.phantom = self.folder / "there" / "phantom"
        write_phantom(self.phantom, count=24, size=96, seed=0, workers=1)
        (self.folder / "data").mkdir()
        (self.folder / "data" / "phantom").symlink_to(self.phantom)

    def place(self, word: str) -> str:
        """A word of a command, with a reader's folder replaced by one that is made when it is first asked for."""
        for name, fill in PLACES.items():
            if word == name or word.startswith(f"{name}/"):
                there = self.folder / "there" / Path(name).name
                if name not in self.made:
                    self.made.add(name)
                    fill(there, self.phantom)
                return str(there) + word[len(name) :]
        return word

    def smoke(self, bundle: str) -> Path:
        """The bundle's smoke overlay, but for the share of labels, which the name of a run tells."""
        file = self.folder / "there" / bundle / UNCOUNTED
        if not file.exists():
            file.parent.mkdir(parents=True)
            content = yaml.safe_load((ROOT / "bundles" / bundle / "configs" / "smoke.yaml").read_text())
            file.write_text(yaml.safe_dump({key: value for key, value in content.items() if key != "label_limit"}))
        return file


def smaller(words: list[str]) -> list[str]:
    """The same command doing less."""
    return [SMALLER.get(before, word) for before, word in zip(["", *words], words, strict=False)]


def landmarks(folder: Path, phantom: Path) -> None:
    """Images, and a table of their landmarks."""
    shutil.copytree(phantom / "images", folder / "images")
    shutil.copy(phantom / "landmarks.csv", folder)


def lesions(folder: Path, phantom: Path) -> None:
    """Images, and a table of the boxes on them."""
    shutil.copytree(phantom / "images", folder / "images")
    rows = [["image", "finding", "x", "y", "width", "height"]]
    rows += [[path.name, "nodule", "10", "12", "20", "16"] for path in sorted((folder / "images").iterdir())]
    with (folder / "boxes.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)


PLACES: dict[str, Callable[[Path, Path], object]] = {
    "/data/ChestX-ray14": chestxray14,
    "/data/images": lambda folder, phantom: shutil.copytree(phantom / "images", folder),
    "/data/lung_masks": lung_masks,
    "/data/landmarks": landmarks,
    "/data/lesions": lesions,
    "/data/kermany_pneumonia": kermany,
    "/data/volumes": lambda folder, _: write_ct_rate(folder, 3, size=48, thickness=10.0, seed=0, workers=1),
}
