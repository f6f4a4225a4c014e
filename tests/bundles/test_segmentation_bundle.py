import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from canvas import faults
from PIL import Image

from bundles.image_segmentation.scripts.items import mask_items
from bundles.image_segmentation.scripts.overlay_figure import dice_of, overlay_figure
from bundles.image_segmentation.scripts.overlays import LogOverlays
from bundles.image_segmentation.scripts.save_masks import at_size
from common.command import read_recipe
from common.command.excepthook import last_line
from common.files import DatasetError
from common.networks import build_encoder
from common.networks.encoder_file import save_encoder
from common.readers import read
from common.records import IGNORE

BUNDLE = Path(__file__).parents[2] / "bundles/image_segmentation"
CONFIGS = BUNDLE / "configs"


@pytest.fixture(scope="module")
def discs(tmp_path_factory):
    """Grey images with a bright disc each, its mask (128; 9 is not annotated), and one square mask."""
    root = tmp_path_factory.mktemp("discs")
    generator = np.random.default_rng(0)
    rows, cols = np.mgrid[:72, :96]
    for folder in ("images", "discs", "squares"):
        (root / folder).mkdir()
    for i in range(20):
        row, col = generator.integers(20, 50, 2)
        inside = (rows - row) ** 2 + (cols - col) ** 2 < 14**2
        image = 90 * inside + generator.integers(0, 120, inside.shape)
        mask = np.where(inside, 128, 0)
        mask[:4] = 9
        Image.fromarray(image.astype(np.uint8)).save(root / f"images/{i}.png")
        Image.fromarray(mask.astype(np.uint8)).save(root / f"discs/{i}.png")
    Image.fromarray(np.full((72, 96), 128, np.uint8)).save(root / "squares/0.png")
    return root


def options(discs):
    return {"images": "images", "masks": {"disc": "discs", "square": "squares"}}


def settings(discs, output_root, **more):
    return {
        "bundle_root": str(BUNDLE),
        "output_root": str(output_root),
        "dataset": "folder",
        "dataset_dir": str(discs),
        "dataset_options": options(discs),
        "structures": ["disc"],
        "mask_values": {"foreground": 128, "ignore": 9},
        "tracking#config": {"shortened": True},
        **more,
    }


def workflow(files, kind="train", **overrides):
    from monai.bundle import create_workflow

    return create_workflow(config_file=[str(file) for file in files], workflow_type=kind, **overrides)


def test_train_evaluate_and_infer(discs, output_root, tmp_path, capsys):
    files = [CONFIGS / "train.yaml", CONFIGS / "smoke.yaml"]
    training = workflow(files, **settings(discs, output_root))
    assert training.check_properties() == []
    training.run()
    training.finalize()
    (run,) = (output_root / "image_segmentation").iterdir()
    assert run.name == f"{discs.name}-scratch-limit8-seed0"
    best = json.loads((run / "best.json").read_text())
    assert best["metric"] == "dice" and 0 <= best["value"] <= 1

    files += [CONFIGS / "evaluate.yaml", run / "network.json"]
    evaluation = workflow(files, **settings(discs, output_root, run_name=run.name))
    assert evaluation.check_properties() == []
    evaluation.run()
    content = json.loads((run / "evaluation.json").read_text())
    assert content["split"] == "test" and content["weights"] == str(run / "model.pt")
    images = pd.read_csv(run / "evaluation_images.csv")
    assert len(images) == 4 and images["disc"].mean() == pytest.approx(content["metrics"]["dice"])
    network = evaluation.parser.get_parsed_content("network_def")
    weights = torch.load(run / "model.pt")
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    assert len(list(output_root.glob("artifacts/**/predictions*.png"))) >= 2  # of training and of evaluation

    masks = tmp_path / "masks"
    overrides = {"bundle_root": str(BUNDLE), "dataset_dir": str(discs / "images"), "output_dir": str(masks)}
    files = [CONFIGS / "inference.yaml", run / "network.json"]
    inference = workflow(files, "infer", ckpt_path=str(run / "model.pt"), num_workers=0, **overrides)
    assert inference.check_properties() == []
    inference.run()
    written = sorted((masks / "disc").iterdir())
    assert len(written) == 20
    mask = np.asarray(Image.open(written[0]))
    assert mask.shape == (72, 96) and set(np.unique(mask)) <= {0, 255}

    images = shutil.copytree(discs / "images", tmp_path / "images")
    (images / "0.png").write_bytes((images / "0.png").read_bytes()[:2000])
    overrides |= {"dataset_dir": str(images), "output_dir": str(tmp_path / "rest")}
    again = workflow(files, "infer", ckpt_path=str(run / "model.pt"), num_workers=0, **overrides)
    with pytest.raises(RuntimeError) as caught:  # MONAI's, of an error of ours
        again.run()
    assert re.search(r"1 of 20 images .*0\.png .*other 19", last_line(caught.value))
    assert {path.name for path in (tmp_path / "rest/disc").iterdir()} == {f"{i}.png" for i in range(1, 20)}


def test_from_scratch_or_from_an_encoder_file_is_one_override(tmp_path):
    encoder = build_encoder(
        "vit_tiny_patch16_224", 1, 64, options={"patch_size": 8, "embed_dim": 48, "depth": 2, "num_heads": 3}
    )
    file = save_encoder(encoder, tmp_path / "ace-seed7" / "encoder.safetensors", method="cxr_ace", corpora=["x"])

    def build(**overrides):
        parser = read_recipe(CONFIGS / "train.yaml", CONFIGS / "smoke.yaml")
        parser.update(overrides)
        return parser.get_parsed_content("network_def").encoder, parser.get_parsed_content("start")

    given, start = build(encoder_file=str(file))
    assert start == "ace-seed7-encoder"
    assert all(torch.equal(value, given.state_dict()[name]) for name, value in encoder.state_dict().items())
    for overrides in ({}, {"encoder_file": str(file), "load_weights": False}):
        random, start = build(**overrides)
        assert start == "scratch" and random.description.options == encoder.description.options
        assert not torch.equal(
            random.state_dict()["body.patch_embed.proj.weight"], encoder.state_dict()["body.patch_embed.proj.weight"]
        )


def test_items_leave_out_what_has_no_mask_and_name_what_is_missing(discs):
    corpus = read("folder", discs, **options(discs))
    assert len(mask_items(corpus, ["disc"])) == 20 and len(mask_items(corpus, ["square"])) == 1
    assert set(mask_items(corpus, ["disc"])[0]) == {"image", "label", "source"}
    with pytest.raises(DatasetError, match=r"not of lung.*structures"):
        mask_items(corpus, ["lung"])


def test_masks_are_cut_after_resizing():
    probabilities = torch.tensor([[[0.0, 1.0]]])
    mask = at_size(probabilities, (2, 8), threshold=0.5)
    assert mask.tolist() == [[[0, 0, 0, 0, 255, 255, 255, 255]] * 2]


def picture(dice, source="/x/a.png", structures=1):
    """An item whose prediction covers so much of the truth, and nothing else; of a truth of 100 pixels each."""
    label = torch.zeros(structures, 20, 20)
    label[:, :10, :10] = 1
    pred = torch.zeros_like(label)
    pred.view(structures, -1)[:, label[0].flatten().nonzero()[: round(100 * dice / (2 - dice))]] = 1.0
    return {"image": torch.rand(1, 20, 20), "label": label, "pred": pred, "source": source}


def test_overlays_show_the_dice_of_each_image_and_all_is_on_the_page():
    structures = ["lung", "heart", "clavicle", *(f"bone {number}" for number in range(10))]
    item = picture(2 / 3, "/x/" + "b" * 60 + ".png", 13)
    item["label"][:, 15:] = IGNORE
    figure = overlay_figure({"worst": [picture(0.0, structures=13), item], "best": [item]}, structures, "test split")
    assert figure.axes[0].get_xlabel().startswith("a.png\nDice: lung 0.00  heart 0.00")
    assert "clavicle 0.67" in figure.axes[1].get_xlabel()
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[:2] == ["truth", "lung, predicted"] and legend[-1] == "not annotated" and len(legend) == 15
    assert faults(figure) == []


def test_truth_and_prediction_are_outlined_where_they_are():
    item = picture(1.0)
    item["pred"] = item["label"].roll(5, 2)
    axes = overlay_figure({"best": [item]}, ["lung"], "").axes[0]
    truth, predicted = (contour.get_paths()[0].get_extents().extents.tolist() for contour in axes.collections)
    assert truth == [0, 0, 9.5, 9.5] and predicted == [4.5, 0, 14.5, 9.5]  # x, y


@pytest.mark.parametrize("number", [7, 1000])
def test_worst_middle_and_best_are_told_apart(number):
    kept = LogOverlays(["lung"], None, count=2)
    kept._start(None)
    scores = np.random.default_rng(0).permutation(number) / number
    items = [picture(score, f"{index}.png") for index, score in enumerate(scores)]
    for item in [*items, {**picture(0.5), "label": torch.full((1, 20, 20), IGNORE)}]:
        kept.add(item)
    (_, worst), (middle, median), (_, best) = kept.chosen().items()
    exact = sorted(dice_of(item).item() for item in items)
    assert [dice_of(item).item() for item in worst] == exact[:2]
    assert [dice_of(item).item() for item in best] == exact[:-3:-1]
    assert middle == f"nearest to the median {np.median(exact):.2f}" and len(kept.pool) <= 32
    assert all(abs(dice_of(item).item() - np.median(exact)) < 0.15 for item in median)
