"""Each change of intensities is measured alone, on all images, and beside the others as they are drawn."""

import pytest

from common.benchmarks import views


@pytest.mark.parametrize("dear", ["equalise", "sharpen"])
def test_the_dear_one_stands_out(monkeypatch, dear):
    """An operation that costs more than everything else shows in its own figure and in no other one alone."""
    plain = getattr(views, dear)

    def slow(images, *params, **options):
        for _ in range(400):
            result = plain(images, *params, **options)
        return result

    monkeypatch.setattr(views, dear, slow)
    found = views.measure_views(batch=2, size=32, repeats=1, device="cpu")
    shares = {name: value for name, value in found.items() if name.endswith("_to_pass")}
    name = {"equalise": "clahe", "sharpen": "sharpen"}[dear]
    assert max(shares, key=shares.__getitem__) in (f"{name}_to_pass", f"{name}_drawn_to_pass")
    assert {"brightness_contrast_to_pass", "blur_to_pass", "drawn_to_pass", "clahe_drawn_to_pass"} <= shares.keys()
    assert found["pass_s"] > 0 and found["device"].startswith("CPU")
