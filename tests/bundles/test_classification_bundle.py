import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from bundles.image_classification.scripts.items import label_items
from bundles.image_classification.scripts.ten_crop import (
    TenCropInferer,
    evaluation_crop,
    evaluation_inferer,
    ten_crops,
)
from common.files import DatasetError
from common.records import Corpus, Record

BUNDLE = Path(__file__).parents[2] / "bundles/image_classification"
CONFIGS = BUNDLE / "configs"


@pytest.fixture(scope="module")
def shades(tmp_path_factory):
    """A folder for each of two classes, dark and bright images."""
    root = tmp_path_factory.mktemp("shades")
    generator = np.random.default_rng(0)
    for name, low in (("DARK", 0), ("BRIGHT", 90)):
        (root / name).mkdir()
        for i in range(24):
            Image.fromarray(generator.integers(low, low + 120, (72, 80)).astype(np.uint8)).save(
                root / name / f"{i}.png"
            )
    return root


def settings(shades, output_root, **more):
    return {
        "bundle_root": str(BUNDLE),
        "output_root": str(output_root),
        "dataset": "folder",
        "dataset_dir": str(shades),
        "dataset_options": {"classes": ["DARK", "BRIGHT"]},
        "findings": ["DARK", "BRIGHT"],
        "exclusive": True,
        "tracking#config": {"shortened": True},
        **more,
    }


def workflow(files, kind="train", **overrides):
    from monai.bundle import create_workflow

    return create_workflow(config_file=[str(file) for file in files], workflow_type=kind, **overrides)


def test_train_evaluate_and_infer(shades, output_root, tmp_path):
    files = [CONFIGS / "train.yaml", CONFIGS / "smoke.yaml"]
    training = workflow(files, **settings(shades, output_root, epochs=3))
    assert training.check_properties() == []
    training.run()
    training.finalize()
    (run,) = (output_root / "image_classification").iterdir()
    assert json.loads((run / "best.json").read_text())["metric"] == "auc"

    files += [CONFIGS / "evaluate.yaml", run / "network.json"]
    evaluation = workflow(files, **settings(shades, output_root, run_name=run.name))
    assert evaluation.check_properties() == []
    evaluation.run()
    content = json.loads((run / "evaluation.json").read_text())
    assert {"auc", "sensitivity", "specificity", "f1", "precision", "accuracy"} <= set(content["metrics"])
    table = pd.read_csv(run / "evaluation_classes.csv")
    chosen = evaluation.parser.get_parsed_content("choose_report").thresholds
    assert table["threshold"].tolist() == pytest.approx([chosen["DARK"], chosen["BRIGHT"]])
    assert list(output_root.glob("artifacts/**/roc*.png"))
    images = pd.read_csv(run / "evaluation_images.csv").set_index("source")
    assert images[["DARK", "BRIGHT"]].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)

    overrides = {"bundle_root": str(BUNDLE), "dataset_dir": str(shades), "output_file": str(tmp_path / "p.csv")}
    files = [CONFIGS / "inference.yaml", run / "network.json"]
    inference = workflow(files, "infer", ckpt_path=str(run / "model.pt"), ten_crop=True, num_workers=0, **overrides)
    assert inference.check_properties() == []
    inference.run()
    again = pd.read_csv(tmp_path / "p.csv").set_index("source")
    assert len(again) == 48
    both = images.join(again, rsuffix=" again")
    assert both["DARK"].to_numpy() == pytest.approx(both["DARK again"].to_numpy(), abs=2e-6)


def corpus(labels):
    records = tuple(Record(f"/x/{i}.png", str(i), "train", "x", labels=row) for i, row in enumerate(labels))
    return Corpus("x", records, findings=("Mass", "Edema", "Hernia"))


def test_items_choose_and_order_findings():
    items = label_items(corpus([(1.0, 0.0, float("nan"))]), ["Hernia", "Mass"])
    assert np.isnan(items[0]["label"][0]) and items[0]["label"][1] == 1


def test_an_image_of_which_nothing_is_known_is_no_item():
    nan = float("nan")
    labelled = corpus([(1.0, 0.0, 0.0), (nan, nan, 1.0), None, (nan, 1.0, nan)])
    assert [item["source"] for item in label_items(labelled, ["Mass", "Edema"])] == ["/x/0.png", "/x/3.png"]
    with pytest.raises(DatasetError, match="none of its 1 images here it is known whether they have Mass"):
        label_items(corpus([(nan, 1.0, 0.0)]), ["Mass"])


def test_uncertain_classes_that_nobody_learns_are_told(caplog):
    names = ("Mass", "Mass uncertain")
    labelled = Corpus("x", (Record("/x/0.png", "0", "train", "x", labels=(0.0, 1.0)),), findings=names)
    label_items(labelled, names)
    assert not caplog.records
    label_items(labelled, ["Mass"])
    assert "'Mass uncertain', are no output" in caplog.text


def test_items_name_what_does_not_fit():
    with pytest.raises(DatasetError, match=r"Fracture is not among them.*`findings`"):
        label_items(corpus([(1.0, 0.0, 0.0)]), ["Fracture"])
    with pytest.raises(DatasetError, match=r"/x/1\.png has 2 of the findings.*exclusive"):
        label_items(corpus([(1.0, 0.0, 0.0), (1.0, 1.0, 0.0)]), ["Mass", "Edema"], exclusive=True)


def test_ten_crops_are_corners_centre_and_their_mirrors():
    image = torch.arange(36.0).reshape(1, 1, 6, 6)
    crops = ten_crops(image, 4)
    assert [crop[0, 0, 0, 0].item() for crop in crops[:5]] == [0, 2, 12, 14, 7]
    assert [crop[0, 0, 0, 0].item() for crop in crops[5:]] == [5, 3, 17, 15, 10]
    assert all(crop.shape == (1, 1, 4, 4) for crop in crops)
    with pytest.raises(ValueError, match="resize_to"):
        ten_crops(image, 7)


@pytest.mark.parametrize(("ten_crop", "corners"), [(False, "11"), (True, "00 02 20 22 11")])
def test_one_crop_is_the_centre_and_ten_are_seen_by_the_same_network(ten_crop, corners):
    image = torch.rand(1, 6, 6, generator=torch.Generator().manual_seed(0))
    item = evaluation_crop(4, ten_crop)({"image": image})
    logits = evaluation_inferer(4, False, ten_crop)(item["image"][None], lambda crops: crops.mean((2, 3)))
    starts = [(int(row), int(col)) for row, col in corners.split()]
    means = torch.stack([image[0, row : row + 4, col : col + 4].mean() for row, col in starts])  # of mirrors, too
    assert logits.sigmoid().item() == pytest.approx(means.sigmoid().mean().item(), abs=1e-6)


@pytest.mark.parametrize("exclusive", [False, True])
def test_ten_crop_inferer_averages_probabilities(exclusive):
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3))
    images = torch.rand(2, 1, 6, 6)
    logits = TenCropInferer(4, exclusive)(images, network)
    activate = (lambda x: x.softmax(1)) if exclusive else torch.sigmoid
    expected = torch.stack([activate(network(crop)) for crop in ten_crops(images, 4)]).mean(0)
    assert torch.allclose(activate(logits), expected, atol=1e-6)
