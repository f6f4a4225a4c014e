"""Sampling, blur and noise of the phantom's scanner against formulas."""

import numpy as np
import pytest

from common.phantom import make_patient
from common.phantom.ct.scanner import PADDING, Position, Protocol, expose, make_grid, sample_position, sample_protocol

PROTOCOL = Protocol(size=64, field=320.0, thickness=5.0, sharp=0.5, noise=12.0, padded=False)


def test_grid_is_the_scanners_frame_turned_and_shifted_into_the_patient():
    position = Position(shift=(40.0, 6.0, -9.0), roll=0.08, breath=0.0)
    grid, origin = make_grid(PROTOCOL, position, low=120.0, high=-80.0)
    assert grid.spacing == (5.0, 5.0, 5.0) and grid.z.shape == (41, 64, 64)
    rng = np.random.default_rng(0)
    for d, h, w in rng.integers(0, 41, (20, 3)):
        up, back, left = np.array(origin) + np.array([d, h, w]) * grid.spacing  # in the scanner
        y, x = back - 6.0, left + 9.0
        assert grid.z[d, h, w] == pytest.approx(40.0 - up, abs=1e-3)  # the patient's z runs to the feet
        turned = np.array([[np.cos(0.08), -np.sin(0.08)], [np.sin(0.08), np.cos(0.08)]]) @ [y, x]
        assert [grid.y[d, h, w], grid.x[d, h, w]] == pytest.approx(turned, abs=1e-3)
    assert grid.z[0].max() == 120 and np.all(np.diff(grid.z[:, 0, 0]) == -5)


def test_noise_has_its_strength_and_neighbours_agree():
    flat = np.full((24, 64, 64), 40.0, np.float32)
    grain = {}
    for sharp in (0.0, 1.0):
        protocol = PROTOCOL._replace(sharp=sharp)
        noise = expose(flat, protocol, np.random.default_rng(1)).astype(float) - 40
        assert noise.std() == pytest.approx(12, rel=0.05) and abs(noise.mean()) < 0.5
        grain[sharp] = np.corrcoef(noise[:, :, 1:].ravel(), noise[:, :, :-1].ravel())[0, 1]
    assert grain[0.0] > grain[1.0] + 0.1 and grain[0.0] > 0.3  # a soft kernel's noise is coarser


def test_blur_keeps_the_mean_and_softens_more_with_a_soft_kernel():
    edge = np.zeros((8, 64, 64), np.float32)
    edge[:, :, 32:] = 1000
    slopes = []
    for sharp in (0.0, 1.0):
        picture = expose(edge, PROTOCOL._replace(sharp=sharp, noise=0.0), np.random.default_rng(0))
        assert picture.mean() == pytest.approx(500, abs=2)
        slopes.append(int(picture[4, 32, 32]) - int(picture[4, 32, 31]))
    assert 200 < slopes[0] < slopes[1] <= 1000


def test_padding_is_outside_of_the_circle():
    stored = expose(np.zeros((4, 64, 64), np.float32), PROTOCOL._replace(padded=True), np.random.default_rng(0))
    share = (stored == PADDING).mean()
    assert share == pytest.approx(1 - np.pi / 4, abs=0.02) and (stored[:, 32, :] != PADDING).all()
    assert stored.dtype == np.int16


def test_settings_vary_within_bounds():
    form = make_patient(0, 1).form
    rng = np.random.default_rng(0)
    protocols = [sample_protocol(rng, form, 96, 5.0) for _ in range(200)]
    assert {protocol.thickness for protocol in protocols} == {4.0, 5.0, 6.25}
    assert all(protocol.field > 2 * (form.half_width + form.wall) for protocol in protocols)
    assert 0.15 < np.mean([protocol.padded for protocol in protocols]) < 0.45
    positions = [sample_position(rng) for _ in range(200)]
    assert np.std([position.roll for position in positions]) > 0.02
    assert max(abs(position.roll) for position in positions) <= 0.09
