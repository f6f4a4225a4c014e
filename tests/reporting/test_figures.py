import pytest
import torch
from matplotlib.patches import ConnectionPatch

from common.reporting import matches_figure


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
