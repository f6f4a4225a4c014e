"""SRHRS's patches judged from rendered pixels alone: an image whose values are its own coordinates."""

import itertools
from collections import Counter

import pytest
import torch
from torch.utils.data import default_collate

from bundles.cxr_srhrs.scripts.targets import location_targets, quarter_maps
from bundles.cxr_srhrs.scripts.views import Patches
from common.views import QUARTERS, ColourJitter

SIDE = 96
PLAIN = {"size": 32, "rotation": 0.0}


def sampled(view, count=8, size=(SIDE, SIDE), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return default_collate([view.sample(generator, size) for _ in range(count)])


def index_images(count, height=SIDE, width=SIDE):
    """Two channels that hold the row and the column of every pixel centre, as fractions of the image."""
    rows = (torch.arange(height) + 0.5) / height
    cols = (torch.arange(width) + 0.5) / width
    return torch.stack(torch.meshgrid(rows, cols, indexing="ij")).expand(count, 2, height, width)


@pytest.mark.parametrize(("flip", "vertical_flip"), itertools.product((0.0, 1.0), repeat=2))
def test_a_quarter_of_the_map_shows_what_the_quarter_image_of_its_name_shows_under_every_flip(flip, vertical_flip):
    view = Patches(**PLAIN, flip=flip, vertical_flip=vertical_flip)
    params = sampled(view)
    views = view.render(index_images(8), params)
    maps = torch.nn.functional.avg_pool2d(views["teacher"], 4)  # 8 x 8 cells, each the place that it sees
    places = quarter_maps(maps).mean((2, 3)).unflatten(0, (8, 4))
    side = (params["student_box"][:, 2] - params["student_box"][:, 0]) / SIDE
    for number, name in enumerate(QUARTERS):
        distance = (places[:, number] - views[name].mean((2, 3))).abs().amax(1)
        assert (distance < 0.03 * side + 0.005).all(), name  # quarters' centres are half a side apart
    # and they lie where their names say, in the picture that the network sees
    rows, cols = views["teacher"][:, 0].mean(2), views["teacher"][:, 1].mean(1)
    assert ((rows[:, -1] > rows[:, 0]) == (vertical_flip == 0)).all()
    assert ((cols[:, -1] > cols[:, 0]) == (flip == 0)).all()


def test_with_the_largest_rotation_a_quarter_is_still_the_nearest():
    view = Patches(size=32, rotation=10.0, flip=0.0, tolerance=0.0, scales=(0.4,))
    params = sampled(view)
    params["teacher_angle"] = torch.full((8,), 10.0)
    views = view.render(index_images(8), params)
    inner = torch.nn.functional.avg_pool2d(views["teacher"], 2)[:, :, 2:-2, 2:-2]  # without the black corners
    places = quarter_maps(inner).mean((2, 3)).unflatten(0, (8, 4))
    images = torch.stack([views[name].mean((2, 3)) for name in QUARTERS], dim=1)
    assert (torch.cdist(places, images).argmin(2) == torch.arange(4)).all()


def test_odd_maps_are_cut_three_and_four_and_enlarged_bilinearly():
    map_BEhw = torch.randn(2, 3, 7, 7)
    parts = quarter_maps(map_BEhw).unflatten(0, (2, 4))
    cuts = [(slice(0, 3), slice(0, 3)), (slice(0, 3), slice(3, 7)), (slice(3, 7), slice(0, 3)), (slice(3, 7),) * 2]
    for number, (rows, cols) in enumerate(cuts):
        own = torch.nn.functional.interpolate(map_BEhw[:, :, rows, cols], (7, 7), mode="bilinear", align_corners=False)
        torch.testing.assert_close(parts[:, number], own)
    with pytest.raises(ValueError, match="1 x 7 cells"):
        quarter_maps(torch.randn(2, 3, 1, 7))


def seen_box(view_BCHW):
    """Box (B, 4), as fractions, of what an unflipped view of an index image shows, from its pixels alone."""
    rows, cols = view_BCHW[:, 0].mean(2), view_BCHW[:, 1].mean(1)
    step = [(axis[:, -8] - axis[:, 7]) / (axis.shape[1] - 15) for axis in (rows, cols)]
    first = [axis[:, 7] - 7.5 * size for axis, size in zip((rows, cols), step, strict=True)]
    last = [start + 32 * size for start, size in zip(first, step, strict=True)]
    return torch.stack([*first, *last], dim=1)


@pytest.mark.parametrize("size", [(SIDE, SIDE), (SIDE, 150)])
def test_targets_name_the_scale_and_the_centre_that_the_pixels_show(size):
    view = Patches(**PLAIN, flip=0.0)
    params = sampled(view, 40, size)
    box = seen_box(view.render(index_images(40, *size), params)["student"])
    scale, x, y = view.targets(params).unbind(1)
    side = (box[:, 2] - box[:, 0]) * size[0] / min(size)
    assert (side - scale).abs().max() < 0.05 + 0.01
    assert (torch.stack([(box[:, 0] + box[:, 2]) / 2 - y, (box[:, 1] + box[:, 3]) / 2 - x]).abs() < 0.05 + 0.01).all()
    for place in (x, y):
        assert torch.allclose(10 * place, (10 * place).round(), atol=1e-5)
        assert place.min() >= 0.1 - 1e-6 and place.max() <= 0.9 + 1e-6
    assert not torch.allclose(x, y)


def test_a_flipped_patch_is_where_its_mirror_image_is_unless_the_label_is_kept():
    plain, flipped = (sampled(Patches(**PLAIN, flip=flip), 30) for flip in (0.0, 1.0))
    assert torch.equal(plain["student_box"], flipped["student_box"])
    kept = Patches(**PLAIN, flip=1.0, mirror_targets=False)
    before, after = Patches(**PLAIN).targets(plain), Patches(**PLAIN).targets(flipped)
    torch.testing.assert_close(after[:, 1], 1 - before[:, 1])
    torch.testing.assert_close(after[:, [0, 2]], before[:, [0, 2]])
    assert torch.equal(kept.targets(flipped), before)
    # the label of a flipped patch is that of the same picture seen in the mirrored image
    mirrored = flipped["student_box"].clone()
    mirrored[:, [1, 3]] = SIDE - mirrored[:, [3, 1]]
    same = location_targets(mirrored, flipped["scale"], flipped["image_size"], "centre")
    torch.testing.assert_close(after, same)


def test_centres_have_fewer_places_at_larger_scales():
    places = {}
    for scale in (0.2, 0.4, 0.6, 0.8, 1.0):
        view = Patches(**PLAIN, scales=(scale,))
        places[scale] = {round(place, 1) for place in view.targets(sampled(view, 400))[:, 1:].flatten().tolist()}
    tenths = [number / 10 for number in range(1, 10)]
    assert places == {scale: {t for t in tenths if scale / 2 - 1e-6 <= t <= 1 - scale / 2 + 1e-6} for scale in places}
    assert places[0.2] == set(tenths) and places[1.0] == {0.5}


def test_released_targets_are_the_top_left_corner():
    view = Patches(**PLAIN, reference="corner", tolerance=0.0, scales=(0.2, 0.4, 0.6, 0.8), mirror_targets=False)
    params = sampled(view, 60)
    top, left = (params["student_box"][:, :2] / SIDE).unbind(1)
    torch.testing.assert_close(view.targets(params)[:, 1:], torch.stack([left, top], 1).mul(10).round() / 10)
    corners = location_targets(
        torch.tensor([[0.0, 48, 24, 72]]), torch.tensor([0.25]), torch.tensor([[96.0, 96]]), "corner"
    )
    assert corners.tolist() == [[0.25, 0.5, 0.0]]  # x 48 / 96, y 0


def test_scales_and_places_follow_the_stated_distributions():
    params = sampled(Patches(quarters=False), 3000, (1000, 1000))
    box = params["student_box"] / 1000
    assert params["scale"].unique().tolist() == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])  # the nominal ones
    counts = Counter(round(scale, 1) for scale in params["scale"].tolist())
    assert set(counts) == {0.2, 0.4, 0.6, 0.8, 1.0}
    assert all(500 < count < 700 for count in counts.values())
    side = box[:, 2] - box[:, 0]
    torch.testing.assert_close(side, box[:, 3] - box[:, 1])
    assert side.max() <= 1 + 1e-6 and (side - params["scale"]).abs().max() <= 0.05 + 1e-6
    assert (side - params["scale"])[params["scale"] < 0.9].mean().abs() < 0.003
    assert box.min() >= 0 and box.max() <= 1 + 1e-6
    for axis in (0, 1):
        place = (box[:, axis] / (1 - side))[params["scale"] < 0.9]
        assert place.mean().item() == pytest.approx(0.5, abs=0.02)
        assert place.var().item() == pytest.approx(1 / 12, abs=0.005)
    assert params["flip"].float().mean().item() == pytest.approx(0.5, abs=0.03)


def test_fixed_locations_are_the_cells_of_a_grid():
    view = Patches(quarters=False, scales=(0.25, 0.5, 1.0), locations="grid", tolerance=0.0)
    params = sampled(view, 400, (100, 100))
    corners = {
        (round(s, 2), *box) for s, box in zip(params["scale"].tolist(), params["student_box"].tolist(), strict=True)
    }
    expected = {
        (1 / n, r * 100 / n, c * 100 / n, (r + 1) * 100 / n, (c + 1) * 100 / n)
        for n in (1, 2, 4) for r in range(n) for c in range(n)
    }  # fmt: skip
    assert corners == expected


def test_flip_is_shared_and_everything_else_is_drawn_for_each_view():
    view = Patches(photometric=ColourJitter(jitter=1.0))
    params = sampled(view, 50)
    names = ("teacher", "student", *QUARTERS)
    for name in names:
        assert torch.equal(params[f"{name}_flip"], params["flip"])
    brightness = torch.stack([params[f"{name}_brightness"] for name in names])
    assert torch.corrcoef(brightness).fill_diagonal_(0).abs().max() < 0.5
    assert (params["teacher_angle"] != params["student_angle"]).all()
    assert params["teacher_angle"].abs().max() <= 10
    assert all((params[f"{name}_angle"] == 0).all() for name in QUARTERS)


def test_views_depend_on_the_generator_alone_and_boxes_are_those_rendered():
    view = Patches(size=32, photometric=ColourJitter(), vertical_flip=0.5)
    images = torch.randint(0, 256, (3, 1, SIDE, SIDE), dtype=torch.uint8)
    torch.manual_seed(1)
    params = sampled(view, 3)
    first = view.render(images, params)
    torch.manual_seed(2)
    again = view.render(images, sampled(view, 3))
    assert set(first) == set(view.boxes(params)) == {"teacher", "student", *QUARTERS}
    for name, pixels in first.items():
        assert torch.equal(pixels, again[name])
        assert pixels.shape == (3, 1, 32, 32) and pixels.dtype == torch.float32
        assert pixels.min() >= 0 and pixels.max() <= 1
    without = Patches(size=32, quarters=False)
    assert set(without.render(images, sampled(without, 3))) == {"teacher", "student"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scales": ()}, "view#scales"),
        ({"scales": (0.0, 0.5)}, r"view#scales.*\(0, 1\]"),
        ({"scales": (0.5, 1.2)}, r"view#scales.*\(0, 1\]"),
        ({"tolerance": 0.2}, "view#tolerance is 0.2"),
        ({"locations": "fixed"}, "view#locations"),
        ({"reference": "middle"}, "view#reference"),
        ({"locations": "grid"}, "a grid needs"),
        ({"locations": "grid", "scales": (0.5, 1.0)}, "the cells of a grid"),
        ({"flip": 1.5}, "view#flip"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Patches(**options)


def test_quarters_of_less_than_a_pixel_are_refused_before_anything_is_rendered():
    view = Patches(size=32, scales=(0.05, 1.0), tolerance=0.04)
    with pytest.raises(ValueError, match=r"image of 96 x 96 pixels is 0\.48 pixels thin.*`view#scales`"):
        view.sample(torch.Generator(), (SIDE, SIDE))
    view.sample(torch.Generator(), (256, 256))
