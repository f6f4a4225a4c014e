import pytest
import torch
from matplotlib.patches import ConnectionPatch, Rectangle
from torch.utils.data import Dataset

from common.reporting import LogViews, matches_figure, views_figure
from common.sampling import SampleKey


def lines(figure):
    return [artist for artist in figure.artists if isinstance(artist, ConnectionPatch)]


def test_points_are_row_and_column_in_their_own_view():
    left, right = torch.zeros(2, 1, 20, 40), torch.zeros(2, 3, 30, 30)
    points = [torch.tensor([[5.0, 30.0], [15.0, 2.0]])] * 2
    others = [torch.tensor([[1.0, 2.0], [3.0, 4.0]])] * 2
    figure = matches_figure(left, right, points, others, titles=("fine", "coarse"))
    assert [(line.xy1, line.xy2) for line in lines(figure)] == [((30, 5), (2, 1)), ((2, 15), (4, 3))] * 2
    assert lines(figure)[0].axesA is figure.axes[0] and lines(figure)[0].axesB is figure.axes[1]
    assert [axes.get_title() for axes in figure.axes[:2]] == ["fine", "coarse"]
    for axes, size in zip(figure.axes, [(20, 40), (30, 30)] * 2, strict=True):
        (image,) = axes.images
        assert image.get_array().shape[:2] == size and image.get_extent() == [0, size[1], size[0], 0]


def test_few_lines_are_spread_over_many_points():
    points = [torch.arange(200.0).reshape(100, 2)]
    figure = matches_figure(torch.rand(1, 1, 9, 9), torch.rand(1, 1, 9, 9), points, points, lines=3)
    assert [line.xy1[1] for line in lines(figure)] == [0, 100, 198]


def test_what_does_not_agree_is_refused():
    view, points = torch.rand(1, 1, 9, 9), [torch.zeros(3, 2)]
    with pytest.raises(ValueError, match="as many views"):
        matches_figure(view, view, points, [])
    with pytest.raises(ValueError, match=r"points are \(3, 2\) and \(2, 2\)"):
        matches_figure(view, view, points, [torch.zeros(2, 2)])


def test_boxes_are_drawn_where_they_are_and_colour_the_title_of_their_view():
    images = torch.zeros(2, 1, 20, 40, dtype=torch.uint8)
    boxes = {"query": torch.tensor([[1.0, 2.0, 11.0, 32.0]] * 2), "key": torch.tensor([[0.0, 0.0, 5.0, 6.0]] * 2)}
    figure = views_figure(images, boxes, {"query": torch.rand(2, 1, 8, 8), "other": torch.rand(2, 1, 4, 4)})
    assert len(figure.axes) == 6
    drawn = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    assert [patch.get_bbox().extents.tolist() for patch in drawn] == [[2, 1, 32, 11], [0, 0, 6, 5]]  # (x, y) pairs
    colours = [axes.title.get_color() for axes in figure.axes[:3]]
    assert colours[1] == "C0" and colours[2] == "black" and drawn[0].get_edgecolor() != drawn[1].get_edgecolor()


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
