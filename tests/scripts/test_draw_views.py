"""The figure of a bundle's views, without a run."""

import numpy as np
import pytest
from PIL import Image
from script_main import script_main


def test_views_of_a_recipe_with_overlays_and_keys_set_anew(tmp_path, capsys):
    for name in ("a", "b"):
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (70, 70), np.uint8)).save(tmp_path / f"{name}.png")
    draw, out = script_main("draw_views"), tmp_path / "out" / "views.png"
    out.parent.mkdir()
    given = ["dataset=folder", f"dataset_dir={tmp_path}", "dataset_options={test_fraction: 0.0, val_fraction: 0.0}"]
    options = [word for pair in [*given, "store_size=64", "level=1"] for word in ("--set", pair)]
    assert draw(["cxr_adam", "small", *options, "--images", "2", "--out", str(out)]) == 0
    with Image.open(out) as drawn:
        assert drawn.width > drawn.height / 2 > 200  # two rows
    assert f"2 images in {out}" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "b.png", "out"}
    assert draw(["cxr_adam", "small", "--set", f"dataset_dir={tmp_path}/none", "--out", str(out)]) == 1
    assert "draw_views: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["cxr_adam", "smal"], "smal.yaml is absent"),
        (["cxr_adam", "--set", "level"], "KEY=VALUE"),
        (["image_segmentation"], "no handler that draws views"),
    ],
)
def test_what_cannot_be_drawn_is_said(words, says, capsys):
    with pytest.raises(SystemExit):
        script_main("draw_views")(words)
    assert says in capsys.readouterr().err
