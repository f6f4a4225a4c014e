import math

import pytest
import torch
from monai.transforms import GenerateHeatmap

from common.losses import HeatMapCrossEntropy, HeatMapMSE
from common.losses.heat_maps import heat_maps

SIZE, SIGMA, WINDOW = (11, 17), 2.0, 9
NAN = float("nan")


def value(row, col, point):
    """Of a pixel, by hand: a Gaussian of the distance, 0 outside of the window around the point."""
    down, right = row + 0.5 - point[0] * SIZE[0], col + 0.5 - point[1] * SIZE[1]
    if max(abs(down), abs(right)) >= WINDOW / 2:
        return 0.0
    return math.exp(-(down**2 + right**2) / (2 * SIGMA**2))


def test_maps_are_gaussians_around_points_between_pixels():
    points = torch.tensor([[[0.31, 0.72], [0.99, 0.04]], [[0.5, 0.5], [0.0, 1.0]]])
    maps = heat_maps(points, SIZE, SIGMA, WINDOW)
    for b in range(2):
        for k in range(2):
            point = points[b, k].tolist()
            expected = [[value(row, col, point) for col in range(SIZE[1])] for row in range(SIZE[0])]
            assert torch.allclose(maps[b, k], torch.tensor(expected), atol=1e-5)


def test_on_whole_pixels_it_is_monais_map():
    """Its filter integrates over pixels, so that the values are a little wider: its axes and centre are meant."""
    row, col = 7, 12
    ours = heat_maps(torch.tensor([[[7.5 / 11, 12.5 / 17]]]), SIZE, SIGMA, 13)[0]
    theirs = GenerateHeatmap(sigma=SIGMA, spatial_shape=SIZE, truncated=3.0)(torch.tensor([[row, col]]).float())
    assert ours[0, row, col] == theirs[0, row, col] == 1
    assert torch.allclose(ours, theirs, atol=0.03) and not torch.allclose(ours, theirs.flip(1), atol=0.5)


def test_the_papers_kernel_has_eleven_pixels_and_the_released_one_forty_nine():
    centre = torch.tensor([[[0.5, 0.5]]])
    for sigma, window in ((11 / 6, 11), (8.0, 49)):
        inside = heat_maps(centre, (101, 101), sigma, window)[0, 0] > 0
        assert inside.sum() == window**2 and inside.any(0).sum() == inside.any(1).sum() == window


def test_absent_landmarks_neither_count_nor_get_a_gradient():
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(2, 3, *SIZE, generator=generator, requires_grad=True)
    points = torch.rand(2, 3, 2, generator=generator)
    points[0, 1] = points[1, 0, 1] = NAN  # the second lacks one coordinate alone
    loss = HeatMapMSE(SIGMA, WINDOW)(maps, points)["loss"]
    target = heat_maps(points, SIZE, SIGMA, WINDOW)
    known = [(0, 0), (0, 2), (1, 1), (1, 2)]
    expected = sum((maps[pair] - target[pair]).square().mean() for pair in known) / 4
    assert loss.item() == pytest.approx(expected.item())
    loss.backward()
    moved = maps.grad.abs().amax((2, 3)) > 0
    assert moved.tolist() == [[True, False, True], [False, True, True]]


def test_cross_entropy_is_that_of_two_distributions_over_pixels():
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(1, 2, *SIZE, generator=generator, requires_grad=True)
    points = torch.tensor([[[0.4, 0.7], [NAN, 0.3]]])
    loss = HeatMapCrossEntropy(SIGMA, WINDOW)(maps, points)["loss"]
    weights = [value(row, col, (0.4, 0.7)) for row in range(SIZE[0]) for col in range(SIZE[1])]
    scores = maps[0, 0].flatten().tolist()
    whole = math.log(sum(map(math.exp, scores)))
    expected = -sum(w / sum(weights) * (score - whole) for w, score in zip(weights, scores, strict=True))
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    loss.backward()
    assert maps.grad[0, 1].abs().sum() == 0 and maps.grad[0, 0].sum().abs() < 1e-6  # a shift of a map says nothing


def test_cross_entropy_of_a_point_on_the_edge_is_finite():
    points = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])
    assert HeatMapCrossEntropy(SIGMA, 1)(torch.randn(1, 2, *SIZE), points)["loss"].isfinite()


def test_a_batch_without_any_landmark_is_worth_nothing():
    maps = torch.rand(1, 1, *SIZE, requires_grad=True)
    loss = HeatMapMSE(SIGMA, WINDOW)(maps, torch.full((1, 1, 2), NAN))["loss"]
    loss.backward()
    assert loss.item() == 0 and maps.grad.abs().sum() == 0


@pytest.mark.parametrize(
    ("sigma", "window", "named"), [(0.0, 9, "sigma is 0.0"), (1.0, 8, "window is 8"), (1.0, -1, "window")]
)
def test_arguments_out_of_range_are_refused(sigma, window, named):
    with pytest.raises(ValueError, match=named):
        HeatMapMSE(sigma, window)


def test_another_number_of_maps_is_refused():
    with pytest.raises(ValueError, match="one output channel for each of `landmarks`"):
        HeatMapMSE(SIGMA, WINDOW)(torch.rand(1, 2, *SIZE), torch.rand(1, 3, 2))
