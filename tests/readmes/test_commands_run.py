"""The commands of the READMEs, run one after the other as they are written, on small data and at smoke size."""

import re
import shlex

import pytest
from readmes import PAGES, ROOT, commands, smaller

from common.command import read_recipe
from common.launcher.main import main
from common.readers import read

QUICK = "bundles/image_segmentation/docs/README.md"
LONG = [page for page in PAGES if page != QUICK and (page == "README.md" or page.startswith("bundles/"))]
ELSEWHERE = "runs/cxr_ace/ace-chestxray14-seed0/encoder.safetensors"
"""What one page's commands take from those of another."""


@pytest.fixture
def follow(sandbox, python, capsys):
    """Run a command of a page; a training takes the smoke overlay as its last file."""

    def printed(words):
        capsys.readouterr()
        assert main([*words, "--dry_run"]) == 0
        return shlex.split(capsys.readouterr().out)

    def run(words):
        words = [sandbox.place(word) for word in smaller(words)]
        if words[:3] == ["python", "-m", "common"]:
            is_training = words[3] == "run"
            line = printed(words[3:]) if words[3] not in ("list", "help") else words
            if is_training:
                files = line.index("--config_file") + 1
                found = re.findall(r"[^\[\]',]+", line[files])
                line[files] = str([*found, str(sandbox.smoke(words[4].rstrip("/")))])
            words = line
        elif words[1] == "scripts/make_phantom.py":
            words = [*words, "--size", "48" if "ct_rate" in words else "96", "--workers", "1"]
            words += ["--thickness", "10"] if "ct_rate" in words else []
            if words[2] == "data/phantom":  # is there already
                return
        if ELSEWHERE in words and not (sandbox.folder / ELSEWHERE).exists():
            run(["python", "-m", "common", "run", "cxr_ace", "--dataset_dir", "/data/ChestX-ray14"])
        done = python(*words[1:], cwd=sandbox.folder)
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"

    return run


def test_what_stands_in_for_a_data_set_bears_its_name_and_boxes(sandbox):
    """Runs that later commands of a page name are called by the one, and looked at by the other."""
    corpus = read("chestxray14", sandbox.place("/data/ChestX-ray14"))
    recipe = read_recipe(ROOT / "bundles" / "lesion_localization" / "configs" / "analyse.yaml")
    boxed = {box.finding for record in corpus.subset("test").records for box in record.boxes or ()}
    assert corpus.name == "chestxray14" and boxed and boxed <= set(recipe["findings"])


OF_OTHERS = ("scripts/segment_ct.py", "scripts/study.py")
"""They call a model that others publish, or take days."""


def runnable(page):
    """Commands of a page that need nothing but data; MONAI's are those of short forms, as another test sees."""
    ours = [words for words in commands(page) if words[0] == "python" and words[1] not in OF_OTHERS]
    return [words for words in ours if words[1:3] not in (["-m", "monai.bundle"], ["-m", "pytest"])]


@pytest.mark.parametrize("page", [QUICK, *(pytest.param(page, marks=pytest.mark.slow) for page in LONG)])
def test_a_page_can_be_followed(page, follow):
    for words in runnable(page):
        follow(words)
