"""The data sets of LeADER's second stage in their publishers' layouts, and the patches that are cut of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recipe_parts import parsed

from bundles.cxr_leader.scripts.sources import open_sources
from common.images import PatchRule
from common.images.patches import WHOLE

PUBLISHED = {  # in the publisher's layout: images, and the file that annotates them
    "VinDr-CXR": (
        ["train/0a.png", "train/0b.png", "test/0c.png"],
        "annotations/annotations_train.csv",
        "image_id,rad_id,class_name,x_min,y_min,x_max,y_max\n"
        "0a,R1,Nodule/Mass,16,8,48,40\n0a,R2,Nodule/Mass,20,8,48,40\n0b,R1,No finding,,,,\n",
    ),
    "ChestX-Det": (
        ["train_data/1.png", "train_data/2.png", "test_data/3.png"],
        "ChestX_Det_train.json",
        '[{"file_name": "1.png", "syms": ["Mass"], "boxes": [[16, 8, 48, 40]], '
        '"polygons": [[[16, 8], [48, 9], [20, 40]]]},'
        '{"file_name": "2.png", "syms": [], "boxes": [], "polygons": []}]',
    ),
    "NODE21/cxr_images/proccessed_data": (
        ["images/n0001.png", "images/c0001.png"],
        "metadata.csv",
        "height,label,img_name,width,x,y\n32,1,n0001.mha,32,16,8\n0,0,c0001.mha,0,0,0\n",
    ),
    "TBX11K": (
        ["imgs/tb/tb0005.png", "imgs/health/h0001.png", "imgs/test/t.png", "imgs/extra/da/x.png"],
        "annotations/json/TBX11K_train.json",
        '{"categories": [{"id": 1, "name": "ActiveTuberculosis"}], "images": [{"id": 1, "file_name": "tb/tb0005.png", '
        '"width": 80, "height": 80}, {"id": 2, "file_name": "health/h0001.png", "width": 80, "height": 80}], '
        '"annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [16.0, 8.0, 32.0, 32.0]}]}',
    ),
}


@pytest.mark.parametrize("number", range(4))
def test_patches_lie_around_the_publishers_annotations_of_training_images(number, tmp_path):
    (entry,) = parsed("cxr_leader", "mixed")["stages#both#datasets"][number : number + 1]
    folder, (images, path, text) = list(PUBLISHED.items())[number]
    assert entry["dataset_dir"] == f"data/{folder}"
    for index, name in enumerate([*images, path]):
        (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
        if name == path:
            (tmp_path / folder / name).write_text(text)
        else:
            pixels = np.random.default_rng(index).integers(0, 255, (80, 80), np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / name)
    entry = {**entry, "dataset_dir": str(tmp_path / folder)}
    (source,) = open_sources([entry], str(tmp_path / "stores"), 80, 1, 64, patches=PatchRule(enlarge=1.0))
    assert [Path(record.image).name for record in source.store.records] == sorted(
        Path(name).name for name in images[:2]
    )
    patches = [edges for _, edges in source.items if edges != WHOLE]
    assert pytest.approx((0.1, 0.2, 0.5, 0.6)) in patches
    assert len(patches) == (2 if folder == "VinDr-CXR" else 1)  # two radiologists
