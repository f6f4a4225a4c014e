"""Where the corners of an outline lie, by images whose pixels tell their own row and column."""

import pytest
import torch
from torch.utils.data import default_collate

from bundles.cxr_ace.scripts.views import AlignedCrops
from bundles.cxr_adam.scripts.views import PartCrops
from bundles.cxr_adam_v2.scripts.views import LocalisationCrops, PartWholeCrops
from bundles.cxr_leader.scripts.views import RegionView
from bundles.cxr_srhrs.scripts.views import Patches
from common.figures import outline
from common.reporting.log_views import LogViews
from common.views import AugmentedCrop, TwoCrops

SIDE = 128
ROTATED = {"flip": 0.5, "rotation": 30.0}
VIEWS = {
    "ace": AlignedCrops(cells=8, tokens=4, cell=16, area=(0.9, 1.0)),
    "two crops of fundus": TwoCrops(AugmentedCrop(64, (0.3, 0.9), **ROTATED)),
    "adam": PartCrops(2, AugmentedCrop(64, (0.3, 0.9), **ROTATED)),
    "adam v2, L": LocalisationCrops(64, 48, local_crops=3, local_area=(0.2, 0.4)),
    "adam v2, LCD": PartWholeCrops(64, 48, 64, local_areas=((0.2, 0.3), (0.5, 0.6)), margin=4),
    "srhrs": Patches(64, scales=(0.4, 0.7), vertical_flip=0.5),
    "leader": RegionView(AugmentedCrop(64, (0.5, 0.9), rotate_first=True, **ROTATED)),
}


def test_the_plain_box_is_its_own_outline():
    assert outline(torch.tensor([1.0, 2.0, 3.0, 5.0])).tolist() == [[1, 2], [1, 5], [3, 5], [3, 2]]


def test_mirrored_and_turned_by_a_right_angle_the_same_part_is_shown():
    box = torch.tensor([0.0, 10.0, 20.0, 50.0])
    for flip in (False, True):
        for angle in (0.0, 90.0, 180.0):
            corners = {tuple(corner) for corner in outline(box, flip, angle).round(decimals=6).abs().tolist()}
            assert corners == {(0.0, 10.0), (0.0, 50.0), (20.0, 10.0), (20.0, 50.0)}


@pytest.mark.parametrize("name", VIEWS)
def test_what_a_view_shows_lies_in_its_outline_and_reaches_every_corner_of_it(name):
    view = VIEWS[name]
    size = torch.tensor([0.0, 0.0, SIDE, SIDE]) if name == "leader" else (SIDE, SIDE)
    params = default_collate([view.sample(torch.Generator().manual_seed(seed), size) for seed in range(6)])
    axis = (torch.arange(SIDE) + 0.5) / SIDE
    row_col_and_one = [axis[:, None].expand(SIDE, SIDE), axis.expand(SIDE, SIDE), torch.ones(SIDE, SIDE)]
    images = torch.stack(row_col_and_one).expand(6, -1, -1, -1)
    outlines, views, notes = LogViews(None, view, None).shown({"image": images, "view": params})
    assert set(views) <= set(outlines)
    for crop, pixels in views.items():
        for corners, (rows, cols, inside), note in zip(outlines[crop], pixels, notes[crop], strict=True):
            whole = inside > 0.999  # no part of the black around a rotated crop
            shown = torch.stack([rows[whole], cols[whole]], 1) * SIDE
            side = (corners.amax(0) - corners.amin(0)).max().item()
            pixel = 1.5 * side / pixels.shape[-1] + 1.0  # two resamplings, and the image's last pixel is half one
            assert (_beyond(shown, corners) < pixel).all()
            for corner in corners:  # the view ends where the outline does
                assert (shown - corner).norm(dim=1).min() < 2 * pixel
            step = shown[1] - shown[0]  # along the first row that is seen
            assert ("mirrored" in note) == bool(step[1] < 0)


def _beyond(points_P2, corners_Q2):
    """How far points lie outside a convex polygon, 0 for those within; corners in either order."""
    edge_Q2 = corners_Q2.roll(-1, 0) - corners_Q2
    normal_Q2 = torch.stack([edge_Q2[:, 1], -edge_Q2[:, 0]], 1) / edge_Q2.norm(dim=1, keepdim=True)
    distance_PQ = ((points_P2[:, None] - corners_Q2) * normal_Q2).sum(2)
    middle_Q = ((corners_Q2.mean(0) - corners_Q2) * normal_Q2).sum(1)
    return (-distance_PQ * middle_Q.sign()).amax(1).clamp(min=0)
