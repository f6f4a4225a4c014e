"""Adam v2's crops judged from rendered pixels alone: an image whose values are its own coordinates."""

import itertools
import math

import pytest
import torch
from torch.utils.data import default_collate

from bundles.cxr_adam_v2.scripts.views import LocalisationCrops, PartWholeCrops
from common.sampling import SampleKey
from common.views import QUARTERS, ColourJitter

SIZE = (200, 260)
STAGES = {"L": LocalisationCrops, "LCD": PartWholeCrops}
AREAS = [(0.05, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (0.6, 0.7), (0.7, 0.8)]  # [C]


def only(granularity):
    """Epochs of one granularity alone."""
    return [*[0] * granularity, 1]


def localisation(granularity=0, **options) -> LocalisationCrops:
    plan = {"size": 32, "local_size": 16, "local_crops": 6, "rotation": 0, "granularity_epochs": only(granularity)}
    return LocalisationCrops(**(plan | options))


def parts(granularity=0, **options) -> PartWholeCrops:
    sizes = {"size": 32, "local_size": 16, "part_size": 24, "margin": 20, "rotation": 0}
    return PartWholeCrops(**(sizes | {"granularity_epochs": only(granularity)} | options))


def sampled(view, count, size=SIZE, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return default_collate([view.sample(generator, size) for _ in range(count)])


def index_images(count, size=SIZE):
    """Two channels that hold the row and the column of every pixel centre, as fractions of the image."""
    places = [(torch.arange(length) + 0.5) / length for length in size]
    return torch.stack(torch.meshgrid(*places, indexing="ij")).expand(count, 2, *size)


def boxes(view, params, names):
    return torch.stack([params[f"{name}_box"] for name in names])


def shares(box, side):
    return (box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1]) / side**2


def test_the_released_crops_have_their_names_numbers_and_sizes():
    whole, local = PartWholeCrops(), LocalisationCrops()
    sides = {name: crop.size for name, crop in whole.crops.items()}
    locals8 = {f"local{i}": 96 for i in range(8)}
    assert sides == {"whole": 224, "global": 224, **dict.fromkeys(QUARTERS, 224), **locals8}
    assert len(sides) == 14
    assert (whole.teacher_names, whole.student_names) == (("whole",), ("global", *locals8))
    assert whole.part_names == ("whole", *QUARTERS)
    assert {name: crop.size for name, crop in local.crops.items()} == {"global0": 224, "global1": 224, **locals8}
    assert (local.teacher_names, local.part_names) == (("global0", "global1"), ())
    assert local.student_names == ("global0", "global1", *locals8)  # 2 x 10 pairs, 2 of them of one crop: 18 terms
    assert [whole.crops[name].area for name in locals8] == AREAS
    params = sampled(whole, 3, (512, 512))
    rendered = whole.render(torch.zeros(3, 1, 512, 512), params)
    assert {name: tuple(crop.shape) for name, crop in rendered.items()} == {n: (3, 1, s, s) for n, s in sides.items()}


@pytest.mark.parametrize("granularity", [0, 1, 2])
def test_quarters_tile_the_whole_row_by_row(granularity):
    view = parts(granularity, part_size=32)
    params = sampled(view, 5)
    rendered = view.render(index_images(5), params)
    halves = torch.nn.functional.avg_pool2d(rendered["whole"], 16)  # the four quarters' places, read off the pixels
    top, left, bottom, right = params["whole_box"].unbind(1)
    side = min(SIZE) / 2**granularity
    torch.testing.assert_close(bottom - top, torch.full((5,), side))
    torch.testing.assert_close(right - left, torch.full((5,), side))
    for index, name in enumerate(QUARTERS):
        row, col = divmod(index, 2)
        centre = rendered[name].mean((2, 3))
        torch.testing.assert_close(centre, halves[:, :, row, col], atol=2e-3, rtol=0)
        expected = torch.stack([top + (row + 0.5) * side / 2, left + (col + 0.5) * side / 2], 1) / torch.tensor(SIZE)
        torch.testing.assert_close(centre, expected, atol=2e-3, rtol=0)
        # a quarter spans half the whole, at the same number of pixels
        span = rendered[name][:, 0, -1, 0] - rendered[name][:, 0, 0, 0]
        torch.testing.assert_close(span * SIZE[0], torch.full((5,), side / 2 * 31 / 32), atol=1.2, rtol=0)


def test_the_whole_keeps_its_margin_where_there_is_room_and_fills_the_rest():
    # granularity 1: side 100, 100 rows and 160 columns free, margin 45 possible on both axes
    box = sampled(parts(1, margin=45), 600)["whole_box"]
    assert box[:, 0].min() >= 45 and box[:, 0].max() <= 55
    assert box[:, 1].min() >= 45 and box[:, 1].max() <= 115
    assert box[:, 1].min() < 47 and box[:, 1].max() > 113
    # granularity 0: side 200, no row is free, and 60 columns are too few for two margins
    box = sampled(parts(0, margin=45), 600)["whole_box"]
    assert box[:, 0].eq(0).all()
    assert box[:, 1].min() < 2 and box[:, 1].max() > 58
    assert box[:, 3].max() <= 260
    # just room enough for both margins
    assert sampled(parts(1, margin=50), 20)["whole_box"][:, 0].eq(50).all()
    # a square image is its own whole
    assert sampled(parts(0), 3, (64, 64))["whole_box"].eq(torch.tensor([0.0, 0.0, 64.0, 64.0])).all()


@pytest.mark.parametrize("granularity", [0, 2])
def test_student_crops_of_the_whole_are_concentric_and_have_their_areas_and_aspects(granularity):
    view = parts(granularity)
    params = sampled(view, 300)
    side = min(SIZE) / 2**granularity
    whole = params["whole_box"]
    for number, name in enumerate(view.student_names):
        box = params[f"{name}_box"]
        torch.testing.assert_close(box[:, :2] + box[:, 2:], whole[:, :2] + whole[:, 2:], atol=1e-3, rtol=0)
        assert (box[:, :2] >= whole[:, :2] - 1e-3).all() and (box[:, 2:] <= whole[:, 2:] + 1e-3).all()
        low, high = (0.8, 1.0) if name == "global" else AREAS[number - 1]
        share = shares(box, side)
        assert low - 1e-4 <= share.min() < low + 0.1 * (high - low)
        assert high - 0.2 * (high - low) < share.max() <= high + 1e-4
        if name != "global":
            ratio = (box[:, 3] - box[:, 1]) / (box[:, 2] - box[:, 0])
            low, high = ((3 / 4.5, 1), (1, 4.5 / 3))[(number - 1) % 2]
            assert low - 1e-3 <= ratio.min() and ratio.max() <= high + 1e-3
            assert ratio.max() / ratio.min() > 1.2
    centre = view.render(index_images(300), params)["local3"].mean((2, 3)) * torch.tensor(SIZE)
    torch.testing.assert_close(centre, (whole[:, :2] + whole[:, 2:]) / 2, atol=0.6, rtol=0)


@pytest.mark.parametrize("granularity", [0, 2])
def test_all_crops_of_localisation_lie_in_one_base_crop_of_their_granularity(granularity):
    view = localisation(granularity)
    params = sampled(view, 200)
    both = boxes(view, params, view.student_names)
    extent = both[..., 2:].amax(0) - both[..., :2].amin(0)
    side = min(SIZE) / 2**granularity
    assert extent.max() <= side + 1e-3
    assert extent.max() > 0.97 * side
    assert both[..., 2].max() > SIZE[0] - 5 and both[..., 3].max() > SIZE[1] - 5  # anywhere in the image
    share = shares(both, side)
    assert 0.8 - 1e-3 <= share[:2].min() < 0.82 and 0.98 < share[:2].max() <= 1 + 1e-3
    assert 0.05 - 1e-3 <= share[2:].min() < 0.07 and 0.38 < share[2:].max() <= 0.4 + 1e-3
    assert not torch.equal(both[0], both[1])


@pytest.mark.parametrize(("stage", "degrees"), [("L", 30), ("LCD", 10)])
def test_every_crop_turns_by_an_angle_of_its_own(stage, degrees):
    assert {crop.rotation for crop in STAGES[stage]().crops.values()} == {degrees}  # [C]
    view = {"L": localisation, "LCD": parts}[stage](rotation=degrees)
    params = sampled(view, 200)
    angles = torch.stack([params[f"{name}_angle"] for name in view.crops])
    assert degrees * 0.93 < angles.amax(1).min() and angles.amax() <= degrees
    assert -degrees <= angles.amin() and angles.amin(1).max() < -degrees * 0.93
    assert torch.corrcoef(angles).fill_diagonal_(0).abs().max() < 0.4
    corner = view.render(torch.ones(200, 1, *SIZE), params)[view.teacher_names[0]][:, 0, 0, 0]
    assert (corner == 0).float().mean() > 0.5  # black, unless hardly turned


@pytest.mark.parametrize(("stage", "epochs"), [("L", (200, 200, 100)), ("LCD", (10, 90, 165))])
def test_granularity_grows_with_the_epochs_of_one_run(stage, epochs):
    view = STAGES[stage]()
    assert view.granularity_epochs == epochs  # [C]
    found = [view.at(epoch).granularity for epoch in range(sum(epochs) + 3)]
    assert [(g, len(list(run))) for g, run in itertools.groupby(found)] == list(
        zip(range(3), (*epochs[:2], epochs[2] + 3), strict=True)
    )
    assert view.granularity == 0
    alone = STAGES[stage](granularity_epochs=[0, 0, 5])
    assert [alone.granularity, alone.at(0).granularity, alone.at(9).granularity] == [2, 2, 2]


def test_the_data_set_draws_each_epoch_at_its_granularity(tmp_path):
    from common.images import StoreViews

    class Records:
        size, records, corpus = 64, [type("Record", (), {"image": "a.png"})()], type("Corpus", (), {"findings": ()})

        def batch(self, indices):
            return torch.zeros(len(indices), 1, 64, 64, dtype=torch.uint8)

    data = StoreViews(Records(), parts(granularity_epochs=[1, 2, 1], margin=0), seed=0)
    sides = [float(data[SampleKey(epoch, 0)]["view"]["whole_box"].diff()[1:].sum()) for epoch in (0, 1, 2, 3, 1)]
    boxes = [data[SampleKey(epoch, 0)]["view"]["whole_box"] for epoch in (0, 1, 2, 3, 1)]
    assert [round((box[2] - box[0]).item(), 3) for box in boxes] == [64, 32, 32, 16, 32]
    assert torch.equal(boxes[1], boxes[4]) and sides[1] == sides[4]


def test_a_run_that_never_reaches_a_granularity_says_so(caplog):
    view = parts(granularity_epochs=[1, 2, 1])
    view.warn_unless_reached(4)
    view.warn_unless_reached(9)
    assert not caplog.records
    view.warn_unless_reached(1)
    assert "epochs is 1: granularity 1, 2 is never seen" in caplog.text


def test_views_depend_on_the_generator_alone_and_each_crop_has_its_own_intensities():
    view = parts(photometric=ColourJitter(), local_areas=[(0.2, 0.3)] * 2)
    images = torch.randint(0, 256, (40, 1, *SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    first, params = view.render(images, sampled(view, 40)), sampled(view, 40)
    again = view.render(images, params)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert all(crop.dtype == torch.float32 and crop.min() >= 0 and crop.max() <= 1 for crop in first.values())
    brightness = torch.stack([params[f"{name}_brightness"] for name in first])
    assert torch.corrcoef(brightness)[0, 1:].abs().max() < 0.6
    assert len(brightness.unique()) > 7 * 25


@pytest.mark.parametrize(
    ("make", "bad"),
    [
        (localisation, {"local_crops": -1}),
        (parts, {"margin": -1}),
        (parts, {"granularity_epochs": [0, 0]}),
        (localisation, {"granularity_epochs": [3, -1]}),
    ],
)
def test_bad_settings_are_named(make, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        make(**bad)


def test_images_smaller_than_a_crop_are_refused():
    with pytest.raises(ValueError, match="size"):
        parts().sample(torch.Generator(), (20, 90))


def test_crops_thinner_than_a_pixel_are_refused_by_name_of_the_finest_granularity_before_it_is_reached():
    # squares of 200 / 2^g; the smallest local crop is sqrt(0.05 * 3 / 4) = 0.194 of one wide, a quarter half of one
    localisation(5).sample(torch.Generator(), SIZE)  # 6.25 pixels, 1.21 of a local crop
    plan = {"granularity_epochs": [9, *only(6)[1:]]}
    with pytest.raises(ValueError, match=r"granularity 6 makes squares of 3\.12 pixels.*`local0` crop is 0\.61 pixels"):
        localisation(**plan).sample(torch.Generator(), SIZE)
    without = {"local_areas": [], "global_area": (1.0, 1.0)}  # a global crop is then 0.87 of the square wide
    parts(6, **without).sample(torch.Generator(), SIZE)
    with pytest.raises(ValueError, match=r"granularity 7 .*`top_left` crop is 0\.78 pixels.*granularity_epochs"):
        parts(7, **without).sample(torch.Generator(), SIZE)
    assert math.isclose(parts(7, **without).finest, 7)


def test_two_digits_of_a_local_crop_do_not_mix_with_one():
    view = localisation(local_crops=11)
    params = sampled(view, 2)
    rendered = view.render(index_images(2), params)
    for name in ("local1", "local10"):
        centre = rendered[name].mean((2, 3)) * torch.tensor(SIZE)
        box = params[f"{name}_box"]
        torch.testing.assert_close(centre, (box[:, :2] + box[:, 2:]) / 2, atol=0.5, rtol=0)
