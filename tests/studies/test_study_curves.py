"""Curves of pre-trainings: read from MLflow, kept in a cell, drawn over seeds."""

import pytest

LANDMARKS, LOSS = "validation/landmark_retrieval", "train/loss"


@pytest.fixture
def run_dir(output_root, monkeypatch):
    """A run with two numbers at other steps each."""
    from common.reporting.run_note import RunNote
    from common.reporting.store import RunStore

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    store, note = RunStore(None, output_root, "cxr_ace"), RunNote(output_root / "cxr_ace" / "one")
    note.path.parent.mkdir(parents=True)
    store.open("one", [])
    for step, value in ((0, 0.125), (20, 0.25)):
        store.log({LANDMARKS: value}, step)
    for step in (10, 20):
        store.log({LOSS: step / 10}, step)
    note.write(store.id, store.address, {})
    store.close("FINISHED")
    return note.path.parent


def test_a_curve_has_every_point_and_null_where_nothing_was_measured(run_dir):
    from common.studies.curves import read_curve

    curve = read_curve(run_dir, run_dir.parents[1], [LANDMARKS, LOSS])
    assert curve == {"step": [0, 10, 20], LANDMARKS: [0.125, None, 0.25], LOSS: [None, 1.0, 2.0]}


def test_a_number_that_is_not_there_names_those_that_are(run_dir, tmp_path):
    from common.studies.curves import read_curve

    with pytest.raises(ValueError, match=f"has no validation/dice, only {LOSS}, {LANDMARKS}"):
        read_curve(run_dir, run_dir.parents[1], ["validation/dice"])
    with pytest.raises(ValueError, match="knows no run of MLflow"):
        read_curve(tmp_path, tmp_path, [LOSS])


def test_a_figure_has_the_mean_and_the_range_over_seeds():
    """Seeds of other lengths are drawn where they share steps; null is left out."""
    from common.studies.curves import curves_figure

    seeds = [
        {"curve": {"step": [0, 10, 20], LANDMARKS: [0.1, None, 0.4]}},
        {"curve": {"step": [0, 20, 40], LANDMARKS: [0.3, 0.5, 0.9]}},
    ]
    (panel,) = curves_figure({"ACE": seeds}, {"landmarks found": LANDMARKS}).axes
    (line,) = panel.lines
    assert line.get_xydata().tolist() == [pytest.approx([0, 0.2]), pytest.approx([20, 0.45])]
    assert panel.get_title() == "landmarks found"
    corners = {tuple(point) for point in panel.collections[0].get_paths()[0].vertices.round(6).tolist()}
    assert {(0, 0.1), (0, 0.3), (20, 0.4), (20, 0.5)} <= corners


def test_a_cell_keeps_its_curve_and_the_figure_follows(workplace, monkeypatch):
    """From the folder that holds the encoder, whatever the cell's own is."""
    from study_cells import only_one_seed, record

    asked = []

    def made_up(run_dir, output_root, names):
        bundle, run = run_dir.relative_to(output_root).parts
        asked.append((bundle, run.rsplit("-", 1)[0], names))
        return {"step": [0, 5], LANDMARKS: [0.1, 0.2]}

    monkeypatch.setattr("common.studies.run.read_curve", made_up)
    only_one_seed(workplace)
    workplace.content["pretraining"]["curve"] = {"landmarks found": LANDMARKS}
    assert workplace.run("--only", "adam") == 0
    assert asked == [("cxr_adam", "trial-adam-pretraining-seed1", (LANDMARKS,))]
    assert record(workplace, "adam-pretraining-seed1")["curve"] == {"step": [0, 5], LANDMARKS: [0.1, 0.2]}
    assert "curve" not in record(workplace, "adam-dice-seed1")
    assert (workplace.cells.parent / "curves.png").stat().st_size > 1000


def test_a_cell_without_its_curve_failed(workplace, capsys):
    from study_cells import only_one_seed

    only_one_seed(workplace)
    workplace.content["pretraining"]["curve"] = {"landmarks found": LANDMARKS}
    assert workplace.run("--only", "adam") == 1
    assert "knows no run of MLflow" in capsys.readouterr().out and workplace.finished() == set()


def test_the_course_of_runs_is_drawn_and_drawn_again_without_them(run_dir, tmp_path, monkeypatch, capsys):
    import json
    import shutil

    import matplotlib
    from script_main import script_main

    main = script_main("draw_course")
    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")
    first, again, kept = tmp_path / "first.svg", tmp_path / "again.svg", tmp_path / "course.json"
    assert main([f"ACE={run_dir}", "--out", str(first), "--points", str(kept)]) == 0
    assert json.loads(kept.read_text())["ACE"][LOSS] == [None, 1.0, 2.0]
    text = first.read_text()
    assert "ACE: probes" in text and "landmarks found" in text and "losses, to their largest" in text
    assert "shares of the gradient" not in text and "lung probe" not in text, "the run has none"
    shutil.rmtree(run_dir)
    assert main(["--points", str(kept), "--out", str(again)]) == 0 and "1 runs in" in capsys.readouterr().out
    assert "landmarks found" in again.read_text()
    assert main([f"ACE={tmp_path}"]) == 1 and "knows no run of MLflow" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([str(run_dir)])


def test_a_course_has_smoothed_losses_shares_and_a_title_where_there_are_no_probes():
    from common.studies.course import course_figure

    steps = list(range(1, 8))
    course = {
        "step": steps,
        "train/loss": [9.0] * 7,
        "train/near": [6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0],
        "train/far": [0.0] * 7,
        "gradient_share/near": [0.25, None, None, None, None, None, 0.75],
    }
    probes, embeddings, losses, shares = course_figure({"CT": course}).axes
    assert not probes.axison and not embeddings.axison
    assert losses.get_title() == "CT: losses, to their largest" and shares.get_title() == "shares of the gradient"
    far, near = losses.lines
    assert [near.get_label(), far.get_label()] == ["near", "far"], "a total of several parts is not drawn"
    assert list(near.get_ydata()) == pytest.approx([1, 5.5 / 6, 5 / 6, 4.5 / 6, 4 / 6, 3 / 6, 2 / 6])
    assert not any(far.get_ydata())
    (share,) = shares.lines
    assert (list(share.get_xdata()), list(share.get_ydata())) == ([1, 7], [0.25, 0.75])
