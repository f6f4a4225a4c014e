import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from canvas import faults
from PIL import Image
from recipe_parts import parsed

from bundles.landmark_detection.scripts.examples import LogPoints
from bundles.landmark_detection.scripts.items import landmark_items
from bundles.landmark_detection.scripts.points_figure import errors_of, points_figure
from bundles.landmark_detection.scripts.save_landmarks import SaveLandmarks
from common.command import read_recipe
from common.evaluation import LandmarkReport, peaks
from common.files import DatasetError
from common.records import Corpus, Record

BUNDLE = "landmark_detection"
CONFIGS = Path(__file__).parents[2] / "bundles" / BUNDLE / "configs"
NAN = float("nan")

# id in the recipe -> value, with its source: methods, section 7, key points and transfer
TRAIN = {
    "image_size": 448,  # P
    "decoder": "upernet",  # P
    "sigma": 8.0,  # C, A34
    "window": 49,  # C, A34
    "loss_function#_target_": "common.losses.HeatMapMSE",  # C
    "architecture": "swin_base_patch4_window7_224",  # P
    "network_def#encoder#drop_path": 0.1,  # P
    "learning_rate": 1e-4,  # P, A38
    "batch_size": 32,  # P: 32 x 4
    "warmup_epochs": 20,  # P
    "schedules#lr#final": 5e-6,  # C
    "schedules#lr#warmup_from": 5e-7,  # C
    "optimizer#weight_decay": 0.05,  # C
    "train#trainer#clip#max_norm": 5.0,  # C
    "train#trainer#clip#mode": "global",  # C
}
PAPER = {**TRAIN, "sigma": 11 / 6, "window": 11}


@pytest.mark.parametrize(("overlays", "numbers"), [((), TRAIN), (("paper",), PAPER)])
def test_numbers_are_the_papers(overlays, numbers):
    parser = parsed(BUNDLE, *overlays)
    assert all(parser.get_parsed_content(key) == approx(value) for key, value in numbers.items())
    loss = parser.get_parsed_content("loss_function")
    assert (loss.sigma, loss.window) == (approx(numbers["sigma"]), numbers["window"])


def approx(value):
    """Of a number that is written with a few digits."""
    return pytest.approx(value, rel=1e-4) if isinstance(value, float) else value


def test_the_papers_seven_of_54_are_named_by_their_ids():
    assert parsed(BUNDLE, "data/ace_keypoints")["landmarks"] == ["2", "10", "18", "34", "42", "50", "21"]


@pytest.mark.parametrize(("overlays", "loss"), [(("cross_entropy",), 8.0), (("small",), 2.3), (("smoke",), 2.0)])
def test_another_loss_takes_the_kernel_that_the_recipe_names(overlays, loss):
    parser = parsed(BUNDLE, *overlays)
    found = parser.get_parsed_content("loss_function")
    assert type(found).__name__ == ("HeatMapMSE" if overlays == ("smoke",) else "HeatMapCrossEntropy")
    assert (found.sigma, found.window) == (loss, 2 * int(3 * loss) + 1)


def test_a_folder_with_a_table_needs_no_names(tmp_path):
    """All landmarks of the table are found, in its order, ids among them, unless some are chosen."""
    lines = ["image,landmark,row,col"]
    for number in range(10):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / f"{number}.png")
        lines += [f"{number}.png,{name},0.25,0.{number}5" for name in ("21", "2", "carina")]
    (tmp_path / "landmarks.csv").write_text("\n".join(lines[:-1]))  # the last image lacks the carina
    for overlay, names in (("folder", ["21", "2", "carina"]), ("ace_keypoints", ["21"])):
        parser = parsed(BUNDLE, f"data/{overlay}", "smoke")
        parser.update({"dataset_dir": str(tmp_path), "dataset_options#images": ".", "label_limit": None})
        if overlay == "ace_keypoints":
            parser.update({"landmarks": names})
        assert parser.get_parsed_content("landmarks") == names
        assert parser.get_parsed_content("network_def").head.out_channels == len(names)
        items = parser.get_parsed_content("train#items") + parser.get_parsed_content("validate#items")
        assert {item["label"].shape for item in items} == {(len(names), 2)} and len(items) == 8


def test_left_and_right_are_never_exchanged():
    """Nothing but brightness is changed: a flip, or a crop, would have to move the points, too."""
    assert [step["_target_"] for step in parsed(BUNDLE)["augmentation"]] == ["common.views.RandBrightnessContrastd"]


def corpus(*landmarks):
    records = [Record(f"/x/{n}.png", "p", "train", "x", landmarks=named) for n, named in enumerate(landmarks)]
    return Corpus("x", tuple(records), landmarks=tuple({name for named in landmarks for name in named}))


def test_items_have_points_in_the_order_asked_for():
    items = landmark_items(corpus({"a": (0.1, 0.2), "b": (0.3, 0.4)}, {"c": (0.5, 0.5)}, {"a": (0.6, 0.7)}), ["b", "a"])
    assert [item["source"] for item in items] == ["/x/0.png", "/x/2.png"]  # the second has neither
    assert items[0]["label"].tolist() == pytest.approx(np.array([[0.3, 0.4], [0.1, 0.2]]))
    assert items[1]["label"].isnan().tolist() == [[True, True], [False, False]]


def test_landmarks_that_are_not_learned_are_told_once(caplog):
    caplog.set_level("INFO")
    landmark_items(corpus({"a": (0.1, 0.2), "b": (0.3, 0.4)}), ["a"])
    (said,) = caplog.messages
    assert said == "b are not learned: `landmarks` does not name them."
    landmark_items(corpus({"a": (0.1, 0.2)}), ["a"])
    assert len(caplog.messages) == 1


def test_landmarks_that_nobody_has_are_named():
    with pytest.raises(DatasetError, match=r"its landmarks are a; z is not among them.*`landmarks`"):
        landmark_items(corpus({"a": (0.1, 0.2)}), ["a", "z"])
    bare = Corpus("x", corpus({}).records, landmarks=("a",))
    with pytest.raises(DatasetError, match="none of its 1 images here has one of a"):
        landmark_items(bare, ["a"])


@pytest.fixture
def spots(tmp_path):
    """Pictures that are not square with a bright spot each, and where it is, (row, col) in their own pixels."""
    places = {"tall.png": ((96, 60), (70, 12)), "deep/wide.png": ((48, 120), (9, 100))}
    found = {}
    for name, ((height, width), (row, col)) in places.items():
        rows, cols = np.mgrid[:height, :width]
        spot = 255 * np.exp(-((rows - row) ** 2 + (cols - col) ** 2) / 50)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(spot.round().astype(np.uint8)).save(tmp_path / name)
        found[name] = (row, col)
    return tmp_path, found


def test_inference_writes_places_in_the_images_own_pixels(spots, tmp_path):
    """With a network whose heat map is the image itself, the landmark is the spot."""
    folder, places = spots
    parser = read_recipe(CONFIGS / "inference.yaml")
    path = tmp_path / "out" / "landmarks.json"
    parser.update({"image_size": 64, "batch_size": 1, "num_workers": 0, "landmarks": ["spot"]})
    parser.update({"network_def": {"_target_": "torch.nn.Identity"}, "dataset_dir": str(folder)})
    parser.update({"output_file": str(path), "ckpt_path": "none", "handlers#1#_disabled_": True, "bundle_root": "."})
    parser.get_parsed_content("evaluator").run()
    written = json.loads(path.read_text())
    assert set(written) == set(places)
    for name, place in places.items():
        assert written[name]["spot"] == pytest.approx(place, abs=1.0)  # a pixel of 64 is up to two of 120


def test_validation_measures_what_inference_writes(spots):
    folder, places = spots
    shapes = {"tall.png": (96, 60), "deep/wide.png": (48, 120)}
    points = {
        name: ((row + 0.5) / shapes[name][0], (col + 0.5) / shapes[name][1]) for name, (row, col) in places.items()
    }
    records = [Record(str(folder / name), name, "val", "x", landmarks={"spot": points[name]}) for name in places]
    parser = read_recipe(CONFIGS / "train.yaml", CONFIGS / "smoke.yaml")
    parser.update(
        {"landmarks": ["spot"], "corpus": Corpus("x", tuple(records), landmarks=("spot",)), "cache_rate": 0.0}
    )
    report = LandmarkReport(["spot"], 64, records)
    for item in parser.get_parsed_content("validate#dataset"):
        assert item["image"].shape == (1, 64, 64)
        report._sources = [item["source"]]
        report.update(([peaks(item["image"])], [item["label"]]))
    metrics = report.compute()
    assert metrics["error_px"] <= 0.75 and metrics["error_image_px"] <= 1.0
    for row in report.outcome.images:
        name = Path(row["source"]).relative_to(folder).as_posix()
        assert (row["spot/row"], row["spot/col"]) == pytest.approx(places[name], abs=1.0)


def test_what_was_found_before_a_run_ended_is_written(tmp_path):
    handler = SaveLandmarks(str(tmp_path / "out.json"), str(tmp_path), ["a", "b"])
    handler._start(None)
    output = [{"pred": torch.tensor([[[1.234, 2.0], [3.0, 4.5]]])}]
    batch = [{"source": str(tmp_path / "in" / "x.png")}]
    handler._collect(SimpleNamespace(state=SimpleNamespace(output=output, batch=batch)))
    with pytest.raises(OSError, match="torn"):
        handler._write_and_raise(None, OSError("torn"))
    assert json.loads((tmp_path / "out.json").read_text()) == {"in/x.png": {"a": [1.23, 2.0], "b": [3.0, 4.5]}}


def picture(*off, source="/x/a.png"):
    """An item of 20 x 30 pixels with points so many pixels off to the right; None where the landmark is absent."""
    true = torch.tensor([[0.5, 0.1 + 0.05 * k] if right is not None else [NAN, NAN] for k, right in enumerate(off)])
    found = torch.tensor([[9.5, 2.5 + 1.5 * k + (right or 0)] for k, right in enumerate(off)])
    return {"image": torch.rand(1, 20, 30), "label": true, "pred": found[None], "source": source}


def test_errors_are_in_pixels_of_the_input():
    assert errors_of(picture(2.0, None, 0.0))[[0, 2]].tolist() == pytest.approx([2.0, 0.0], abs=1e-5)
    assert errors_of(picture(2.0, None))[1].isnan()


def test_points_stand_where_they_are_and_all_is_on_the_page():
    names = ["carina", "hilum"]
    item = picture(4.0, None, source="/x/" + "b" * 60 + ".png")
    figure = points_figure({"worst": [item, picture(3.0, 1.0)], "best": [picture(0.0, 1.0)]}, names, "test split")
    axes = figure.axes[0]
    truth, predicted = axes.lines[-2:]
    assert (truth.get_xdata()[0], truth.get_ydata()[0]) == pytest.approx((2.5, 9.5))  # x, y
    assert (predicted.get_xdata()[0], predicted.get_ydata()[0]) == pytest.approx((6.5, 9.5))
    assert "mean 4.0, carina 4.0" in axes.get_xlabel()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["truth", "predicted"]
    assert faults(figure) == []


def test_the_largest_error_is_the_worst():
    kept = LogPoints(["a"], None, count=1)
    kept._start(None)
    for number, off in enumerate((3.0, 9.0, 1.0, None, 5.0)):
        kept.add(picture(off, source=f"{number}.png"))
    chosen = kept.chosen()
    assert {kind: item["source"] for kind, (item,) in chosen.items()} == {
        "worst": "1.png",
        "nearest to the median 4.0": "0.png",
        "best": "2.png",
    }
