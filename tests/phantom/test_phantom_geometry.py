"""Path lengths, silhouettes and projected points against formulas."""

import numpy as np
import pytest

from common.phantom.projection import Projector
from common.phantom.solids import Tube, difference, ellipsoid, intersection, union

PARALLEL = 1e7  # mm from tube to patient: rays without divergence


def pixel_positions(projector):
    size = projector.size
    v = ((np.arange(size) + 0.5) / size - 0.5) * projector.field[0]
    u = ((np.arange(size) + 0.5) / size - 0.5) * projector.field[1]
    return np.meshgrid(v, u, indexing="ij")


def full(patch, projector, part):
    canvas = np.zeros((projector.size, projector.size), getattr(patch, part).dtype)
    canvas[patch.rows, patch.cols] = getattr(patch, part)
    return canvas


def test_ellipsoid_path_is_the_closed_formula():
    projector = Projector(96, field=(200.0, 240.0), distance=PARALLEL)
    centre, radii = np.array([10.0, 15.0, -20.0]), np.array([60.0, 40.0, 50.0])
    v, u = pixel_positions(projector)
    inside = 1 - ((v - centre[0]) / radii[0]) ** 2 - ((u - centre[2]) / radii[2]) ** 2
    exact = 2 * radii[1] * np.sqrt(np.clip(inside, 0, None))
    patch = projector.solid(ellipsoid(centre, radii), step=1.0)
    assert np.abs(full(patch, projector, "depth") - exact).mean() < 0.1
    assert np.array_equal(full(patch, projector, "mask"), inside > 0)


@pytest.mark.parametrize("flip", [False, True])
def test_cone_beam_silhouette_is_where_the_ray_has_a_root(flip):
    projector = Projector(80, turn=(0.1, -0.2, 0.15), shift=(5.0, -8.0), distance=1000.0, flip=flip)
    centre, radii = np.array([20.0, 60.0, -40.0]), np.array([50.0, 30.0, 45.0])
    v, u = pixel_positions(projector)
    tube = np.array([0.0, 1000.0 if flip else -1000.0, 0.0])
    far = np.stack([v, np.zeros_like(v), u], -1)
    shift = np.array([projector.shift[0], 0.0, projector.shift[1]])
    # Into the unit sphere's frame: beam -> patient is the transpose of the rotation.
    start = ((tube - shift) @ projector.rotation - centre) / radii
    way = (far - tube) @ projector.rotation / radii
    a, b, c = (way * way).sum(-1), (way * start).sum(-1), start @ start - 1
    expected = b * b - a * c > 0
    mask = full(projector.solid(ellipsoid(centre, radii), step=0.5), projector, "mask")
    assert (mask != expected).sum() <= 2


def test_points_follow_the_rays():
    # A small ball's shadow lies around its projected centre.
    projector = Projector(200, turn=(0.1, 0.2, -0.1), shift=(12.0, 7.0), distance=1100.0)
    for centre in ([50.0, -80.0, 60.0], [-90.0, 70.0, -30.0]):
        mask = full(projector.solid(ellipsoid(centre, [6.0, 6, 6]), step=1.0), projector, "mask")
        spot = projector.points(np.array(centre))[0][0] * 200 - 0.5
        assert np.abs(np.argwhere(mask).mean(0) - spot).max() < 0.5


def test_tube_path_is_the_cylinder_formula():
    projector = Projector(128, field=(128.0, 128.0), distance=PARALLEL)
    radius = 9.0
    tube = Tube(np.array([[0.0, 0, -40], [0.0, 0, 10], [0.0, 0, 40]]), np.full(3, radius))
    v, u = pixel_positions(projector)
    middle = np.abs(u) < 35
    exact = 2 * np.sqrt(np.clip(radius**2 - v**2, 0, None))
    assert np.abs(projector.tubes([tube]) - exact)[middle].max() < 1e-3
    hollow = exact - 2 * 0.7 * np.sqrt(np.clip((0.5 * radius) ** 2 - v**2, 0, None))
    assert np.abs(projector.tubes([tube], hollow=0.7, inner=0.5) - hollow)[middle].max() < 1e-3


@pytest.mark.parametrize("angle", [0.0, 0.5, 1.0])
def test_tube_keeps_its_volume_when_turned(angle):
    projector = Projector(128, turn=(0.0, angle, 0.2), field=(150.0, 150.0), distance=PARALLEL)
    tube = Tube(np.array([[5.0, 0, -30], [-8.0, 0, 30]]), np.array([6.0, 6.0]))
    length = np.linalg.norm(tube.points[1] - tube.points[0])
    volume = np.pi * 36 * length + 4 / 3 * np.pi * 216
    pixel = (150 / 128) ** 2
    assert projector.tubes([tube]).sum() * pixel == pytest.approx(volume, rel=0.06)


def test_tube_silhouette_agrees_with_its_solid():
    projector = Projector(128, turn=(0.05, 0.1, 0.2), field=(200.0, 200.0), distance=1500.0)
    tube = Tube(np.array([[0.0, 10, -50], [12.0, -10, 0], [-5.0, 0, 60]]), np.array([8.0, 5.0, 9.0]))
    marched = full(projector.solid(tube.solid, step=0.5), projector, "mask")
    drawn = projector.silhouette(tube)
    assert (marched != drawn).sum() < 0.03 * drawn.sum()


def test_combined_solids_agree_on_a_grid_and_on_single_points():
    # On grids only the part near a solid's box is computed; single points are always computed whole.
    rng = np.random.default_rng(0)
    first, second = ellipsoid([0.0, 0, 0], [40.0, 30, 35]), ellipsoid([20.0, 5, 10], [25.0, 30, 20])
    tube = Tube(np.array([[-30.0, 0, -20], [10.0, 10, 30]]), np.array([7.0, 9.0])).solid
    axes = [np.sort(rng.uniform(-60, 60, 24)).astype(np.float32) for _ in range(3)]
    grid = np.meshgrid(*axes, indexing="ij")
    points = [axis.ravel() for axis in grid]
    for solid in (union(first, tube, blend=10.0), difference(first, second, tube), intersection(first, second)):
        assert np.array_equal(solid.value(*grid).ravel() < 0, solid.value(*points) < 0)
        inside = np.stack(points, 1)[solid.value(*points) < 0]
        assert len(inside) and (inside >= solid.low).all() and (inside <= solid.high).all()
