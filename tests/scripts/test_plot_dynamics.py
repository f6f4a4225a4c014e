"""The figure of several runs."""

import json

import matplotlib
import pytest
from script_main import script_main


def test_several_runs_come_into_one_figure(tmp_path, monkeypatch, capsys):
    main = script_main("plot_dynamics")

    for name in ("labels", "organs"):
        (tmp_path / name).mkdir()
        curves = {"loss": [[1, 2.0], [2, 1.0]], "gradient_norm": [[1, 5.0], [2, 4.0]], "sharpness": []}
        (tmp_path / name / "dynamics.json").write_text(json.dumps(curves))
    runs, out = [str(tmp_path / name) for name in ("labels", "organs")], tmp_path / "figure.svg"
    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")
    assert main([*runs, "--out", str(out), "--smooth", "2"]) == 0
    text = out.read_text()
    assert all(word in text for word in ("labels", "organs", "gradient norm")) and "sharpness" not in text
    # runs of one name, from scratch and from a file for instance, are two curves
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "labels").symlink_to(tmp_path / "labels")
    alike = [runs[0], str(tmp_path / "other" / ".." / "other" / "labels")]
    assert main([*alike, "--out", str(out)]) == 0 and "2 runs" in capsys.readouterr().out
    assert main([runs[0], str(tmp_path / "none")]) == 1 and "no dynamics.json in" in capsys.readouterr().err


def test_means_of_some_points_stand_at_the_last_of_them():
    from common.reporting.dynamics import smoothed

    assert smoothed([[1, 2.0], [2, 4.0], [3, 1.0]], 2) == [(2, pytest.approx(3.0))]
    assert smoothed([[1, 2.0]], 1) == [(1, 2.0)]
