"""The layouts of docs/own_data.md, built as they are drawn there and read by the options beside them."""

import math
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import yaml
from pictures import by_name, save_grey
from PIL import Image

from common.files import DatasetError
from common.readers import read

PAGE = (Path(__file__).parents[2] / "docs" / "own_data.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Layout(NamedTuple):
    """A section: its tree, tables by name, and the overlay."""

    tree: str
    tables: dict[str, str]
    overlay: dict


def layouts():
    """Title of a section -> what it shows."""
    found = {}
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        blocks = BLOCK.findall(section)
        (tree,) = (text for kind, text in blocks if kind == "text")
        (overlay,) = (yaml.safe_load(text) for kind, text in blocks if kind == "yaml")
        tables = dict(re.match(r"# (\S+)\n(.*)", text, re.DOTALL).groups() for kind, text in blocks if kind == "csv")
        found[section.partition("\n")[0]] = Layout(tree, tables, overlay)
    return found


LAYOUTS = layouts()


def build(layout, root):
    """Write the tree: folders end with a slash, and two blanks lead into one."""
    above = [root]
    for number, line in enumerate(layout.tree.splitlines()):
        depth, name = (len(line) - len(line.lstrip())) // 2, line.strip()
        path = above[depth] / name
        if name.endswith("/"):
            path.mkdir()
            above[depth + 1 :] = [path]
        elif name in layout.tables:
            path.write_text(layout.tables[name])
        elif "masks" in path.parts:
            Image.fromarray(np.eye(32, dtype=np.uint8) * 255).save(path)
        elif path.suffix == ".dcm":
            save_grey(path.with_suffix(".png"), number, (32, 32)).rename(path)  # the content tells the format
        else:
            save_grey(path, number, (32, 32))
    assert not [name for name in layout.tables if not list(root.rglob(name))], "a table that the tree does not show"
    return root / "mine"


def read_layout(title, tmp_path, **more):
    overlay = LAYOUTS[title].overlay
    corpus = read(overlay["dataset"], build(LAYOUTS[title], tmp_path), **overlay["dataset_options"], **more)
    boxed = tuple(sorted({box.finding for record in corpus.records for box in record.boxes}, reverse=True))
    for key, has in (
        ("findings", corpus.findings or boxed),
        ("structures", corpus.structures),
        ("landmarks", corpus.landmarks),
    ):
        assert tuple(overlay.get(key, ())) == has  # a recipe learns what its key names, and no more
    assert not [notice for notice in corpus.notices if "not here" in notice or "left out" in notice]
    return by_name(corpus)


def test_every_layout_has_a_test_here():
    assert set(LAYOUTS) == {"Classes in folders", "Findings in a table", "Masks", "Boxes", "Landmarks"}


def test_classes_in_folders(tmp_path):
    records = read_layout("Classes in folders", tmp_path, val_fraction=0.0)
    assert {name: (record.patient_id, record.split, record.labels) for name, record in records.items()} == {
        "anna_1.png": ("anna", "train", (1, 0)),
        "anna_2.png": ("anna", "train", (1, 0)),
        "ben_1.jpg": ("ben", "train", (1, 0)),
        "cleo_1.png": ("cleo", "train", (0, 1)),
        "dora_1.png": ("dora", "test", (1, 0)),
        "emil_1.dcm": ("emil", "test", (0, 1)),
    }


def test_findings_in_a_table(tmp_path):
    records = read_layout("Findings in a table", tmp_path)
    told = {
        name: (r.patient_id, r.split, r.view, r.sex, r.age, *(None if math.isnan(v) else v for v in r.labels))
        for name, r in records.items()
    }
    assert told == {
        "a.png": ("1", "train", "PA", "F", 64, 1, 0),
        "b.png": ("1", "train", "AP", "F", 64, 0, None),
        "c.png": ("2", "val", "PA", "M", 51, None, 1),
        "d.png": ("3", "test", "PA", None, None, 1, 1),
    }


def test_masks(tmp_path):
    records = read_layout("Masks", tmp_path)
    there = {name: sorted(record.masks) for name, record in records.items()}
    assert there == {"anna_1.png": ["heart", "lung"], "ben_1.png": ["lung"], "cleo_1.png": ["heart", "lung"]}
    assert records["cleo_1.png"].masks["heart"].endswith("masks/heart/cleo_1.gif")


def test_boxes(tmp_path):
    records = read_layout("Boxes", tmp_path)
    nodule, mass = records["anna_1.png"].boxes
    assert (nodule.finding, nodule.top, nodule.left, nodule.bottom, nodule.right) == ("Nodule", 0.5, 0.25, 0.625, 0.375)
    assert (mass.top, mass.left, mass.bottom, mass.right) == (0, 0, 0.5, 1)
    assert len(records["ben_1.png"].boxes) == 1 and records["cleo_1.png"].boxes == () and len(records) == 3


def test_landmarks(tmp_path):
    records = read_layout("Landmarks", tmp_path)
    assert records["anna_1.png"].landmarks == {"carina": (0.375, 0.5), "apex_right": (0.125, 0.25)}
    assert records["ben_1.png"].landmarks == {"carina": (0.40625, 0.53125)}
    assert {name: r.pixel_spacing for name, r in records.items()} == {
        "anna_1.png": (0.175, 0.175), "ben_1.png": (0.2, 0.15)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ben_1.png,0,0.2", "line 3: row_mm, col_mm are '0' and '0.2'"),
        ("ben_1.png,0.2,", "line 3: row_mm, col_mm are '0.2' and ''"),
        ("ben_1.png,wide,0.2", "line 3: row_mm, col_mm are 'wide' and '0.2'"),
    ],
)
def test_a_spacing_is_above_0_or_unknown(tmp_path, line, message):
    build(LAYOUTS["Landmarks"], tmp_path)
    (tmp_path / "mine" / "images.csv").write_text(f"image,row_mm,col_mm\nanna_1.png,,\n{line}\n")
    options = LAYOUTS["Landmarks"].overlay["dataset_options"]
    with pytest.raises(DatasetError, match=message):
        read("folder", tmp_path / "mine", **options)
    with pytest.raises(DatasetError, match="spacing_columns: it names 1 columns"):
        read("folder", tmp_path / "mine", **options | {"spacing_columns": ["row_mm"]})
    (tmp_path / "mine" / "images.csv").write_text("image,row_mm,col_mm\nanna_1.png,,\nben_1.png,0.2,0.1\n")
    assert by_name(read("folder", tmp_path / "mine", **options))["anna_1.png"].pixel_spacing is None


def test_ages_and_sexes_that_say_nothing_are_blank_and_said(tmp_path):
    root = build(LAYOUTS["Findings in a table"], tmp_path)
    (root / "labels.csv").write_text("image,sex,age,exam\na.png,X,412,e1\nb.png,F,18M,e1\nc.png,,,\n")
    options = {"labels_csv": "labels.csv", "sex_column": "sex", "age_column": "age", "study_column": "exam"}
    corpus = read("folder", root, **options)
    told = {name: (record.sex, record.age, record.study_id) for name, record in by_name(corpus).items()}
    assert told["a.png"] == (None, None, "e1") and told["b.png"] == ("F", 1.5, "e1") and told["c.png"] == (None,) * 3
    text = "\n".join(corpus.notices)
    assert "the column 'sex' has 1 values that say nothing, which count as blank (X)" in text and "(412)" in text
