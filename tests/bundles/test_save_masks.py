"""Masks of a folder of images: a file for each image and structure, in the folder that was given and nowhere else."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from bundles.image_segmentation.scripts.file_names import mask_names, one_part
from bundles.image_segmentation.scripts.save_masks import SaveMasks

IMAGES = ["a.jpg", "a.png", "1.2.840.1", "1.2.840.2", "1.2.840.3.dcm", "b/a.png", "c.v1.png", "c.v2.png", "d.PNG"]


def saved(folder, structures, images, monkeypatch):
    """What is below the folder after masks of these images, the n-th of which is inside in n pixels."""
    save_masks = "bundles.image_segmentation.scripts.save_masks"
    monkeypatch.setattr(f"{save_masks}.image_size", lambda path: (6, 6))
    for name in images:
        (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "in" / name).write_bytes(b"")
    handler = SaveMasks(str(folder / "out"), str(folder / "in"), structures)
    for number, name in enumerate(images):
        inside = (torch.arange(36) < number + 1).float().reshape(1, 6, 6).expand(len(structures), 6, 6)
        output, batch = [{"probabilities": inside}], [{"source": str(folder / "in" / name)}]
        handler._write(SimpleNamespace(state=SimpleNamespace(output=output, batch=batch)))
    return {
        str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file() if "in" not in path.parts
    }


def test_every_image_has_a_file_of_its_own_masks(tmp_path, monkeypatch):
    files = saved(tmp_path, ["lung"], IMAGES, monkeypatch)
    insides = {name: int((np.asarray(Image.open(path)) > 0).sum()) for name, path in files.items()}
    expected = ["a.jpg", "a.png", "1.2.840.1", "1.2.840.2", "1.2.840.3", "b/a", "c.v1", "c.v2", "d"]
    assert insides == {f"out/lung/{name}.png": number for number, name in enumerate(expected, 1)}


def test_names_never_clash_whatever_lies_in_a_folder():
    names = [".".join(parts) for n in (1, 2, 3) for parts in itertools.product(["a", "jpg", "png", "dcm"], repeat=n)]
    for few in itertools.combinations(names[:40:2], 3):
        assert len(set(mask_names(few).values())) == 3
    assert len(set(mask_names(names).values())) == len(names)


def test_structures_stay_in_the_folder(tmp_path, monkeypatch):
    structures = ["lung", "../../ESCAPED", str(tmp_path / "ABS"), "..", ".", "", "a/b", "a%2Fb", "50%"]
    files = saved(tmp_path, structures, ["x.png"], monkeypatch)
    assert len(files) == len(structures) and all(name.startswith("out/") for name in files)
    assert all(len(path.relative_to(tmp_path / "out").parts) == 2 for path in files.values())
    assert {"out/lung/x.png", "out/50%/x.png"} < set(files)
    assert one_part("a/b") == "a%2Fb" != one_part("a%2Fb")


def test_two_structures_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="names one twice"):
        SaveMasks(str(tmp_path), str(tmp_path), ["lung", "lung"])
