import math

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.data import MetaTensor
from PIL import Image

from common.evaluation import LandmarkReport, peaks
from common.records import Record

NAN = float("nan")
SIZE = 100  # of the network's input


@pytest.fixture
def files(tmp_path):
    """Two images of one patient, 200 x 50 pixels of 0.5 x 2 mm, and one of another, 100 x 100, without a spacing."""
    shapes = {"a": (200, 50), "b": (200, 50), "c": (100, 100)}
    records = []
    for name, shape in shapes.items():
        path = tmp_path / f"{name}.png"
        Image.fromarray(np.zeros(shape, np.uint8)).save(path)
        spacing = None if name == "c" else (0.5, 2.0)
        records.append(Record(str(path), "one" if name in "ab" else "two", "test", "x", pixel_spacing=spacing))
    return records


TRUE = torch.tensor([[[0.5, 0.5], [0.2, 0.3]], [[0.5, 0.5], [NAN, NAN]], [[0.1, 0.9], [0.4, 0.4]]], dtype=torch.float64)
OFF = torch.tensor(
    [[[3.0, 4.0], [0.0, 0.0]], [[-6.0, 8.0], [9.0, 9.0]], [[0.0, -2.0], [5.0, 12.0]]], dtype=torch.float64
)


def run(records, off=OFF, true=TRUE, **options):
    """The report of predictions that are so many input pixels off, as MONAI's evaluator makes it of batches of two."""
    predicted = torch.where(true.isnan(), 0.5, true) * SIZE - 0.5 + off
    items = [
        {"source": record.image, "p": point[None], "y": label}
        for record, point, label in zip(records, predicted, true, strict=True)
    ]
    batches = [items[start : start + 2] for start in range(0, len(items), 2)]
    engine = Engine(lambda _, batch: [{"pred": MetaTensor(item["p"]), "label": item["y"]} for item in batch])
    report = LandmarkReport(["carina", "apex"], SIZE, records, **options)
    report.attach(engine, "error")
    engine.run(batches)
    return engine.state.metrics, engine.state.metric_details["error"]


def test_peaks_are_row_and_column_whatever_the_height():
    maps = torch.full((3, 6, 9), -5.0)
    maps[0, 4, 7], maps[1, 0, 8] = 1.0, -4.0  # a map that is below 0 everywhere has a peak too
    maps[2, 2, 3] = maps[2, 5, 1] = 2.0  # the first of two
    assert peaks(maps).tolist() == [[[4, 7], [0, 8], [2, 3]]]
    with pytest.raises(ValueError, match="not finite"):
        peaks(torch.full((1, 2, 2), NAN))


def test_errors_in_three_units_by_hand(files):
    """200 rows of 0.5 mm and 50 columns of 2 mm on an input of 100: a row is 2 pixels or 1 mm, a column half, 1 mm."""
    metrics, outcome = run(files)
    assert [metrics[f"error_{unit}/carina"] for unit in ("px", "image_px", "mm")] == pytest.approx(
        [
            (5 + 10 + 2) / 3,
            (math.hypot(6, 2) + math.hypot(12, 4) + 2) / 3,
            (math.hypot(3, 4) + math.hypot(6, 8)) / 2,  # the third image has no spacing
        ]
    )
    assert metrics["error_px/apex"] == pytest.approx((0 + 13) / 2)  # the second image lacks it
    assert metrics["error_px"] == pytest.approx(((5 + 10 + 2) / 3 + 13 / 2) / 2) == metrics["error"]
    assert outcome.table[0]["median_px"] == pytest.approx(5)
    assert [row["images"] for row in outcome.table] == [3, 2]


def test_millimetres_of_rows_and_columns_are_not_swapped(files):
    """Input pixels are square in millimetres by chance above; here a row is 1 mm and a column 4."""
    record = Record(files[0].image, "one", "test", "x", pixel_spacing=(0.5, 8.0))
    for off, expected in (((3.0, 0.0), 3.0), ((0.0, 3.0), 12.0)):
        metrics, _ = run([record], torch.tensor([[off, off]]), TRUE[:1])
        assert metrics["error_mm"] == pytest.approx(expected)


def test_shares_within_millimetres(files):
    metrics, outcome = run(files, within=[4.0, 6.0, 20.0])
    row = outcome.table[0]  # 5 and 10 mm
    assert [row[f"within_{bound}mm"] for bound in (4, 6, 20)] == pytest.approx([0, 0.5, 1])
    assert metrics["within_6mm"] == pytest.approx((0.5 + 1) / 2)


def test_what_was_left_out_is_said(files):
    notices = run(files)[1].notices
    assert notices == [
        "apex: 1 of 3 images lack it; not counted.",
        "1 of 3 images have no known pixel spacing; not counted in millimetres.",
    ]


def test_predictions_are_kept_in_pixels_of_the_file(files):
    images = run(files)[1].images
    first = images[0]
    assert first["source"] == files[0].image
    # 3 of 100 input rows are 6 of 200; the middle of 200 pixels is 99.5
    assert (first["carina/row"], first["carina/col"]) == pytest.approx((99.5 + 6, 24.5 + 2))
    assert first["carina/error_px"] == pytest.approx(5) and first["error_px"] == pytest.approx(2.5)
    assert math.isnan(images[1]["apex/error_px"]) and images[1]["error_px"] == pytest.approx(10)


def test_any_of_the_images_can_be_scored_again_in_each_unit(files):
    """As the whole report of them alone, so that patients can be resampled and groups be told."""
    metrics, outcome = run(files)
    scorer = LandmarkReport(["carina", "apex"], SIZE).scorer(outcome)
    assert {name: pytest.approx(metrics[name]) for name in scorer.names} == dict(
        zip(scorer.names, scorer(np.arange(3)).tolist(), strict=True)
    )
    last = dict(zip(scorer.names, scorer(np.array([2, 2])).tolist(), strict=True))
    assert last["error_px"] == pytest.approx((2 + 13) / 2) and math.isnan(last["error_mm"])


def test_without_any_spacing_there_are_no_millimetres(files):
    bare = [Record(record.image, record.patient_id, "test", "x") for record in files]
    metrics, _ = run(bare)
    assert all(math.isnan(metrics[name]) for name in ("error_mm", "within_5mm"))
    assert metrics["error_px"] > 0


def test_shapes_that_do_not_fit_are_refused():
    report = LandmarkReport(["carina"], SIZE)
    with pytest.raises(ValueError, match="1 of `landmarks`"):
        report.update(([torch.zeros(1, 2, 2)], [torch.zeros(1, 2)]))
