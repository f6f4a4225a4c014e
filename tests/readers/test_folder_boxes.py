"""Boxes and polygons beside a plain folder, against hand-computed fractions and the publishers' own files."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.files import DatasetError
from common.readers import read
from common.records import Box

SIZE = (40, 80)  # rows, columns
WHOLE = {"val_fraction": 0.0, "test_fraction": 0.0}


@pytest.fixture
def folder(tmp_path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 255, SIZE, np.uint8)
    for name in ("a.png", "b.png", "sub/c.png"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "images" / name)
    return tmp_path


def boxes_in(folder, text=None, **options):
    if text is not None:
        (folder / "boxes.csv").write_text(text)
        options["boxes"] = "boxes.csv"
    corpus = read("folder", folder, images="images", **WHOLE, **options)
    return {Path(record.image).name: record.boxes for record in corpus.records}, corpus


# rows 10 to 30 of 40, columns 20 to 60 of 80
BOX = (0.25, 0.25, 0.75, 0.75)


@pytest.mark.parametrize(
    "text",
    [
        "image,finding,top,left,bottom,right\na.png,Mass,10,20,30,60\nb.png,,,,,\n",
        # VinDr-CXR's
        "image_id,rad_id,class_name,x_min,y_min,x_max,y_max\na,R1,Mass,20,10,60,30\nb,R1,No finding,,,,\n",
        # NODE21's columns, with a finding
        "height,label,img_name,width,x,y,finding\n20,1,a.png,40,20,10,Mass\n0,0,b.png,0,0,0,none\n",
    ],
)
def test_every_form_of_a_table_gives_the_same_box(folder, text):
    boxes, corpus = boxes_in(folder, text)
    assert boxes == {"a.png": (Box("Mass", *BOX),), "b.png": (), "c.png": ()}
    assert corpus.notices == ("1 images are not in boxes.csv (c.png)",)


def test_all_boxes_may_have_one_finding_and_several_lie_in_an_image(folder):
    lines = ["20,1,a.png,40,20,10", "", "8,1,a.png,8,0,0", "0,0,b.png,0,0,0", "4,1,sub/c.png,8,0,0", ""]
    text = "\n".join(["height,label,img_name,width,x,y", *lines])
    boxes, corpus = boxes_in(folder, text, box_finding="nodule")
    assert boxes["a.png"] == (Box("nodule", *BOX), Box("nodule", 0.0, 0.0, 0.2, 0.1))
    assert boxes["b.png"] == () and boxes["c.png"] == (Box("nodule", 0.0, 0.0, 0.1, 0.1),)
    assert corpus.notices == ()
    with pytest.raises(DatasetError, match=r"no column for the finding .*finding or class_name.*box_finding"):
        boxes_in(folder, text)


def test_boxes_end_at_the_image_s_border(folder):
    boxes, _ = boxes_in(folder, "image,finding,top,left,bottom,right\na.png,Mass,-4,20,90,85.5\n")
    assert boxes["a.png"] == (Box("Mass", 0.0, 0.25, 1.0, 1.0),)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.png,Mass,10,20,x,60", r"boxes.csv: line 4, a.png: top '10', left '20', bottom 'x', right '60' is no box"),
        ("a.png,Mass,10,,30,60", r"line 4, a.png: top '10', left ''"),
        ("a.png,Mass,30,20,30,60", r"line 4.*is no box.*leave all four blank"),
        ("a.png,Mass,10,20,inf,60", r"line 4.*is no box"),
        ("a.png,Mass,10,80,30,90", r"line 4, a.png: the box .*no part inside the image of 40 x 80 pixels"),
    ],
)
def test_a_wrong_line_is_named_by_file_and_line(folder, line, message):
    with pytest.raises(DatasetError, match=message):
        boxes_in(folder, f"image,finding,top,left,bottom,right\n\nb.png,Mass,1,1,2,2\n{line}\n")


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("image,finding,x,y\na.png,Mass,1,1\n", {}, r"hold no form of a box. Known are top,left,bottom,right or"),
        ("name,finding,x,y,width,height\na,M,1,1,1,1\n", {}, r"no column for the image .*image or image_id"),
        ("image,finding,x,y,width,height\nz,M,1,1,1,1\n", {}, r"none of its images \(z\) is in .*images"),
        ("image,finding,x,y,width,height\nz,M,1,1,1,1\n", {"listed_only": True}, r"none of its images \(z\)"),
        (None, {"listed_only": True}, "neither boxes nor polygons"),
        (None, {"boxes": "no.csv"}, "no such file"),
        (None, {"polygons": "no.json"}, "no such file"),
    ],
)
def test_what_does_not_fit_is_named(folder, text, options, message):
    with pytest.raises(DatasetError, match=message):
        boxes_in(folder, text, **options)


def write(path, content):
    path.write_text(json.dumps(content))


def test_a_polygon_becomes_the_box_around_it(folder):
    polygon = [[60, 12], [20, 10], [33, 30]]
    entries = [
        {"file_name": "a.png", "syms": ["Mass", "Nodule"], "boxes": [[0, 0, 1, 1]] * 2, "polygons": [polygon] * 2},
        {"file_name": "b.png", "syms": [], "boxes": [], "polygons": []},
    ]
    write(folder / "polygons.json", entries)
    boxes, _ = boxes_in(folder, polygons="polygons.json")
    assert boxes == {"a.png": (Box("Mass", *BOX), Box("Nodule", *BOX)), "b.png": (), "c.png": ()}
    both, _ = boxes_in(folder, "image,finding,x,y,width,height\nb,Mass,20,10,40,20\n", polygons="polygons.json")
    assert both == boxes | {"b.png": (Box("Mass", *BOX),)}


@pytest.mark.parametrize(
    "change", [{"syms": []}, {"polygons": [[[1, 2], [3, 4]]]}, {"polygons": [[1, 2, 3]]}, {"file_name": None}]
)
def test_a_wrong_polygon_is_named_by_its_entry(folder, change):
    right = {"file_name": "a.png", "syms": ["Mass"], "polygons": [[[60, 12], [20, 10], [33, 30]]]}
    wrong = {key: value for key, value in (right | change).items() if value is not None}
    write(folder / "polygons.json", [right | {"file_name": "b.png"}, wrong])
    with pytest.raises(DatasetError, match=r"entry 1 is no \{file_name, syms, polygons\}"):
        boxes_in(folder, polygons="polygons.json")


def test_coco_boxes_are_in_the_frame_that_the_file_states(folder):
    coco = {
        "categories": [{"id": 3, "name": "Mass"}],
        "images": [{"id": 7, "file_name": "sub/c.png", "width": 800, "height": 400}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [200.0, 100.0, 400.0, 200.0]}],
    }
    write(folder / "coco.json", coco)
    boxes, _ = boxes_in(folder, boxes="coco.json")
    assert boxes == {"a.png": (), "b.png": (), "c.png": (Box("Mass", *BOX),)}
    assert list(boxes_in(folder, boxes="coco.json", listed_only=True)[0]) == ["c.png"]
    coco["annotations"][0]["bbox"][0] = 900.0
    write(folder / "coco.json", coco)
    with pytest.raises(DatasetError, match=r"annotation 1, sub/c.png: the box .* no part inside .* 400 x 800"):
        boxes_in(folder, boxes="coco.json")
    write(folder / "coco.json", [coco])
    with pytest.raises(DatasetError, match="not COCO"):
        boxes_in(folder, boxes="coco.json")


def test_an_unreadable_image_loses_its_boxes_and_nothing_else_fails(folder):
    (folder / "images" / "a.png").write_bytes(b"no picture")
    boxes, corpus = boxes_in(folder, "image,finding,x,y,width,height\na,M,1,1,1,1\nb,M,20,10,40,20\n")
    assert boxes["a.png"] == () and boxes["b.png"] == (Box("M", *BOX),)
    assert "1 images cannot be read and lose their boxes of boxes.csv (a.png)" in corpus.notices


def test_tbx11k_as_published(cxr_data):
    root = cxr_data / "label_files" / "tbx11k_test_data"
    options = {"images": "imgs", "boxes": "annotations/json/TBX11K_train.json", "listed_only": True}
    records = {Path(record.image).name: record for record in read("folder", root, **options, **WHOLE).records}
    assert {name: len(record.boxes) for name, record in records.items()} == {
        "tb0005.png": 1,
        "tb0007.png": 2,
        "h0001.png": 0,
    }
    (box,) = records["tb0005.png"].boxes
    assert box.finding == "ActiveTuberculosis"
    assert (box.top, box.right) == pytest.approx((126.8733901977539 / 512, (381.8337097 + 40.2369079) / 512))


def test_chestx_det_as_published(cxr_data, tmp_path):
    path = cxr_data / "label_files" / "ChestX_Det_test.json"
    entries = {entry["file_name"]: entry for entry in json.loads(path.read_text())}
    frame = Image.new("L", (1024, 1024))
    for name in entries:
        frame.save(tmp_path / name)
    records = read("folder", tmp_path, polygons=str(path), **WHOLE).records
    assert len(records) == 553 and sum(len(record.boxes) for record in records) == 1734
    assert sum(not record.boxes for record in records) == 64
    other = 0
    for record in records:
        entry = entries[Path(record.image).name]
        assert [box.finding for box in record.boxes] == entry["syms"]
        found = [[box.left, box.top, box.right, box.bottom] for box in record.boxes]
        other += sum(
            [round(1024 * edge) for edge in box] != stated for box, stated in zip(found, entry["boxes"], strict=True)
        )
    assert other == 44  # boxes that are not their polygon's bounds


def test_an_image_that_its_camera_turned_is_named(folder):
    """Stored with 40 rows, shown with 80: the box is of the image as it is shown."""
    turned = Image.Exif()
    turned[0x0112] = 6  # by 90 degrees
    for name, exif in (("d.jpg", turned), ("e.jpg", Image.Exif())):
        Image.fromarray(np.random.default_rng(0).integers(0, 255, SIZE, np.uint8)).save(
            folder / "images" / name, exif=exif
        )
    lines = ["image,finding,top,left,bottom,right", "d.jpg,Mass,20,10,60,30", "e.jpg,Mass,10,20,30,60"]
    boxes, corpus = boxes_in(folder, "\n".join(lines))
    assert boxes["d.jpg"] == boxes["e.jpg"] == (Box("Mass", *BOX),)
    (said,) = [notice for notice in corpus.notices if "turned" in notice]
    assert said == "1 images are turned upright, as their camera says; so must be their boxes in boxes.csv (d.jpg)"
