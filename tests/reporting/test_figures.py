import pytest
import torch
from canvas import faults
from matplotlib.patches import ConnectionPatch, Polygon
from torch.utils.data import Dataset

from common.figures import styles
from common.reporting import LogViews, matches_figure, views_figure
from common.sampling import SampleKey

BOXES = {"fine": torch.tensor([[1.0, 2.0, 11.0, 32.0]] * 2), "coarse": torch.tensor([[0.0, 0.0, 20.0, 40.0]] * 2)}


def lines(figure):
    return [artist for artist in figure.artists if isinstance(artist, ConnectionPatch)]


def test_points_are_row_and_column_in_their_own_view():
    views = {"fine": torch.zeros(2, 1, 20, 40), "coarse": torch.zeros(2, 3, 30, 30)}
    points = [torch.tensor([[5.0, 30.0], [15.0, 2.0]])] * 2
    others = [torch.tensor([[1.0, 2.0], [3.0, 4.0]])] * 2
    figure = matches_figure(torch.zeros(2, 1, 20, 40), BOXES, views, (points, others))
    assert [(line.xy1, line.xy2) for line in lines(figure)] == [((30, 5), (2, 1)), ((2, 15), (4, 3))] * 2
    assert lines(figure)[0].axesA is figure.axes[1] and lines(figure)[0].axesB is figure.axes[2]
    assert [axes.get_title().strip() for axes in figure.axes[:3]] == ["image", "fine", "coarse"]
    for axes, size in zip(figure.axes, [(20, 40), (20, 40), (30, 30)] * 2, strict=True):
        (image,) = axes.images
        assert image.get_array().shape[:2] == size and image.get_extent() == [0, size[1], size[0], 0]
    assert faults(figure) == []


def one(points, **options):
    views = {"fine": torch.rand(1, 1, 9, 9), "coarse": torch.rand(1, 1, 9, 9)}
    boxes = {name: box[:1] for name, box in BOXES.items()}
    return matches_figure(torch.rand(1, 1, 20, 40), boxes, views, points, **options)


def test_few_lines_are_spread_over_many_points():
    points = [torch.arange(200.0).reshape(100, 2)]
    assert [line.xy1[1] for line in lines(one((points, points), lines=3))] == [0, 100, 198]


def test_what_does_not_agree_is_refused():
    points = [torch.zeros(3, 2)]
    with pytest.raises(ValueError, match="there are 1 images"):
        one((points, []))
    with pytest.raises(ValueError, match=r"points are \(3, 2\) and \(2, 2\)"):
        one((points, [torch.zeros(2, 2)]))


def parts(count, names):
    return {name: [torch.tensor([[1.0, 2.0], [1.0, 32.0], [11.0, 32.0]])] * count for name in names}


def test_parts_are_drawn_where_they_are_and_frame_their_view():
    images = torch.zeros(2, 1, 20, 40, dtype=torch.uint8)
    views = {"query": torch.rand(2, 3, 8, 8), "other": torch.rand(2, 1, 4, 4)}
    figure = views_figure(images, parts(2, ["part", "query"]), views, {"query": ["", "mirrored"]})
    assert len(figure.axes) == 6
    drawn = [patch for patch in figure.axes[0].patches if isinstance(patch, Polygon)]
    assert [patch.get_xy()[:3].tolist() for patch in drawn] == [[[2, 1], [32, 1], [32, 11]]] * 2  # (x, y) pairs
    colour = styles(["part", "query", "other"])["query"].color
    spines = [axes.spines["left"] for axes in figure.axes[:3]]
    assert [spine.get_visible() for spine in spines] == [False, True, False] and spines[1].get_edgecolor() == drawn[
        1
    ].get_edgecolor()
    assert colour not in (styles(["part", "query", "other"])[name].color for name in ("part", "other"))
    assert [axes.get_title().split("\n")[-1] for axes in figure.axes[1::3]] == ["", "mirrored"]
    assert faults(figure) == []


def test_many_views_go_into_rows_with_the_parts_of_their_own_alone():
    names = [
        "whole",
        "top_left",
        "top_right",
        "bottom_left",
        "bottom_right",
        "global",
        *(f"local{n}" for n in range(8)),
    ]
    names.remove("local7")  # 13, as small presets have
    notes = dict.fromkeys(names, ["mirrored, turned -12°"] * 2)
    figure = views_figure(
        torch.rand(2, 1, 64, 64), parts(2, names), dict.fromkeys(names, torch.rand(2, 1, 8, 8)), notes
    )
    sources = figure.axes[::6]
    assert [len(axes.patches) for axes in sources] == [5, 5, 3] * 2
    for axes in sources:  # neighbours differ in colour, not in their dashes alone
        assert len({patch.get_edgecolor() for patch in axes.patches}) == len(axes.patches)
    assert faults(figure) == [] and figure.get_figwidth() <= 9


def test_views_of_another_number_than_images_are_refused():
    with pytest.raises(ValueError, match="2 images"):
        views_figure(torch.zeros(2, 1, 4, 4), {}, {"a": torch.zeros(3, 1, 4, 4)})


class Kept:
    def log_figure(self, name, figure):
        self.name, self.figure = name, figure


class Halves:
    """The upper half of each image."""

    def boxes(self, params):
        return {"upper": params["box"]}

    def render(self, images, params):
        return {"upper": images[:, :, : images.shape[2] // 2].float() / 255}


class Two(Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, key):
        assert isinstance(key, SampleKey) and key.epoch == 0
        return {"image": torch.zeros(1, 8, 8, dtype=torch.uint8), "view": {"box": torch.tensor([0.0, 0.0, 4.0, 8.0])}}


def test_what_the_network_is_shown_is_kept_once():
    class Engine:
        state = type("State", (), {"iteration": 0})()

    kept = Kept()
    LogViews(Two(), Halves(), kept, count=3)(Engine())
    assert kept.name == "views" and len(kept.figure.axes) == 4  # two images, one view each
    Engine.state.iteration, resumed = 7, Kept()
    LogViews(Two(), Halves(), resumed)(Engine())
    assert not vars(resumed)
