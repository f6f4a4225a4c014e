"""Where patches lie, against hand-drawn boxes and an image whose pixels say where they are."""

import logging

import numpy as np
import pytest
import torch
from PIL import Image

from common.files import DatasetError
from common.images import PatchRule, RegionSource, Store, StoreRegions
from common.images.patches import WHOLE, bounding_boxes, enlarged
from common.records import Box, Corpus, Record
from common.sampling import SampleKey
from common.views import crop_resize

SIZE = (200, 100)  # rows, columns of the original


class WholeRegion:
    """A view that hands on the box it was given."""

    def sample(self, generator, region):
        return {"box": region, "draw": torch.rand(1, generator=generator)}


def record(name: str, folder, boxes=(), split="train", **more) -> Record:
    return Record(str(folder / name), name, split, "test", boxes=tuple(boxes), **more)


@pytest.fixture
def index_store(tmp_path):
    """Two images, each pixel of which tells its row and column: 2 x row on the first, 2 x column on the second."""
    rows = np.broadcast_to(np.arange(SIZE[0])[:, None], SIZE).astype(np.uint8)
    cols = np.broadcast_to(2 * np.arange(SIZE[1]), SIZE).astype(np.uint8)
    boxes = [Box("Nodule", 0.45, 0.4, 0.55, 0.5), Box("Mass", 0.0, 0.0, 0.1, 0.1)]
    for name, pixels in (("rows.png", rows), ("cols.png", cols)):
        Image.fromarray(pixels).save(tmp_path / name)
    corpus = Corpus("index", (record("rows.png", tmp_path, boxes), record("cols.png", tmp_path)))
    return Store.build(corpus, tmp_path / "stores", size=100, workers=1, progress=False)


def test_a_box_becomes_a_square_of_pixels_about_its_centre():
    top, left, bottom, right = enlarged((0.45, 0.4, 0.55, 0.5), SIZE, 3.0)  # 20 rows, 10 columns, centre (100, 45)
    assert (top * 200, bottom * 200) == pytest.approx((70, 130))
    assert (left * 100, right * 100) == pytest.approx((15, 75))


def test_a_square_ends_at_the_border():
    assert enlarged((0.0, 0.0, 0.1, 0.1), SIZE, 3.0) == pytest.approx((0.0, 0.0, 0.2, 0.35))
    assert enlarged((0.4, 0.4, 0.9, 0.9), SIZE, 3.0)[2:] == (1.0, 1.0)


def test_masks_give_a_box_for_each_connected_part():
    mask = np.zeros((10, 20), dtype=np.uint8)
    mask[1:3, 2:6] = 1
    mask[3, 6] = 1  # touches by a corner
    mask[7:9, 10:12] = 1
    mask[0, 19] = 255  # not annotated
    assert bounding_boxes(mask) == [(0.1, 0.1, 0.4, 0.35), (0.7, 0.5, 0.9, 0.6)]
    assert bounding_boxes(np.zeros((4, 4), dtype=np.uint8)) == []


def test_masks_of_a_record_are_cut(tmp_path):
    mask = np.zeros(SIZE, dtype=np.uint8)
    mask[20:40, 30:50] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    rule = PatchRule(boxes=False, structures=["lung", "heart"], enlarge=1.0)
    found = rule.patches(record("a.png", tmp_path, masks={"lung": str(tmp_path / "mask.png")}), SIZE)
    assert found == [pytest.approx((0.1, 0.3, 0.2, 0.5))]


def test_only_wanted_findings_are_cut_and_equal_boxes_once(tmp_path):
    boxes = [Box("Nodule", 0.4, 0.4, 0.5, 0.5), Box("Mass", 0.4, 0.4, 0.5, 0.5), Box("Mass", 0.1, 0.1, 0.2, 0.2)]
    item = record("a.png", tmp_path, boxes)
    assert len(PatchRule().patches(item, SIZE)) == 2
    assert len(PatchRule(findings=["Nodule"]).patches(item, SIZE)) == 1


def test_random_patches_have_a_box_s_size_stay_inside_and_never_move(tmp_path):
    item = record("a.png", tmp_path, [Box("Nodule", 0.45, 0.4, 0.55, 0.5)])
    rule = PatchRule(boxes=True, anywhere=20)
    found = rule.patches(item, SIZE)
    assert len(found) == 21 and found == PatchRule(anywhere=20).patches(item, SIZE)
    for top, left, bottom, right in found[1:]:
        assert ((bottom - top) * 200, (right - left) * 100) == pytest.approx((60, 60))
        assert top >= 0 and left >= 0 and bottom <= 1 and right <= 1
    assert len({edges[0] for edges in found[1:]}) == 20
    assert found != PatchRule(anywhere=20, seed=1).patches(item, SIZE)
    elsewhere = rule.patches(record("b.png", tmp_path, item.boxes), SIZE)
    assert elsewhere[0] == found[0] and elsewhere[1] != found[1]


def test_without_a_box_the_side_is_a_share_of_the_shorter_one(tmp_path):
    found = PatchRule(anywhere=50, side=(0.2, 0.4)).patches(record("a.png", tmp_path), SIZE)
    sides = [(bottom - top) * 200 for top, _, bottom, _ in found]
    assert [(right - left) * 100 for _, left, _, right in found] == pytest.approx(sides)
    assert 20 <= min(sides) < 24 and 36 < max(sides) <= 40


@pytest.mark.parametrize("wrong", [{"boxes": False}, {"enlarge": 0.5}, {"side": (0.5, 0.2)}, {"anywhere": -1}])
def test_a_rule_that_cannot_work_is_refused(wrong):
    with pytest.raises(ValueError, match="patch_rule"):
        PatchRule(**wrong)


def test_items_are_cut_where_their_edges_say(index_store):
    data = StoreRegions([RegionSource(index_store, patches=PatchRule(anywhere=2))], WholeRegion(), seed=0)
    assert [region.edges == WHOLE for region in data.regions] == [True, *[False] * 4, True, *[False] * 2]
    for index in range(len(data)):
        item = data[SampleKey(0, index)]
        top, left, bottom, right = (float(edge) for edge in item["patch"])
        cut = crop_resize(item["image"][None], item["view"]["box"][None], 8)[0, 0] * 255
        middle = cut[3:5, 3:5].mean().item()
        of_rows = item["source"].endswith("rows.png")
        expected = 200 * (top + bottom) / 2 if of_rows else 200 * (left + right) / 2
        assert middle == pytest.approx(expected, abs=2.5)
        steps = (cut[4:] - cut[:-4]) if of_rows else (cut[:, 4:] - cut[:, :-4])
        assert steps[1:-1, 1:-1].mean().item() == pytest.approx(
            100 * (bottom - top if of_rows else right - left), abs=3
        )


def test_randomness_comes_from_seed_epoch_and_item_alone(index_store):
    source = RegionSource(index_store, patches=PatchRule(anywhere=1))
    data, twin = (StoreRegions([source], WholeRegion(), seed=seed) for seed in (0, 1))
    draw = {key: data[key]["view"]["draw"].item() for key in (SampleKey(0, 1), SampleKey(1, 1), SampleKey(0, 2))}
    assert len(set(draw.values())) == 3
    batch = data.__getitems__([SampleKey(0, 2), SampleKey(0, 1)])
    assert [item["view"]["draw"].item() for item in batch] == [draw[SampleKey(0, 2)], draw[SampleKey(0, 1)]]
    assert twin[SampleKey(0, 1)]["view"]["draw"].item() != draw[SampleKey(0, 1)]


def test_every_item_of_every_source_is_there_once_with_its_own_weight(index_store, tmp_path):
    other = RegionSource(index_store.subset(limit=1, seed=None), images="none", patches=PatchRule(), weight=0.25)
    data = StoreRegions([RegionSource(index_store), other], WholeRegion(), seed=0)
    items = [data[index] for index in range(len(data))]
    assert [item["weight"].item() for item in items] == [1.0, 1.0, 0.25, 0.25]
    assert [item["index"] for item in items] == [0, 1, 2, 3]
    assert list(data.keys()) == [(item["source"], tuple(item["patch"].tolist())) for item in items]
    batch = data.images([3, 0, 1])
    assert torch.equal(batch[0], batch[1]) and not torch.equal(batch[1], batch[2])
    assert data.corpus.name == "index+index" and len(data.corpus) == 3


def test_images_recur_per_patch_only_when_asked(index_store):
    rule = PatchRule()
    count = {kind: len(RegionSource(index_store, kind, rule).items) for kind in ("once", "per_patch", "none")}
    assert count == {"once": 4, "per_patch": 5, "none": 2}


def test_a_patch_as_large_as_the_image_is_no_second_item(index_store):
    assert len(RegionSource(index_store, patches=PatchRule(enlarge=1000.0)).items) == 2


def test_mixtures_that_cannot_be_batched_are_refused(index_store, tmp_path):
    smaller = Store.build(index_store.corpus, tmp_path / "smaller", size=50, workers=1, progress=False)
    with pytest.raises(ValueError, match="one size"):
        StoreRegions([RegionSource(index_store), RegionSource(smaller)], WholeRegion(), seed=0)
    with pytest.raises(ValueError, match="datasets"):
        StoreRegions([], WholeRegion(), seed=0)
    with pytest.raises(ValueError, match="weight"):
        RegionSource(index_store, weight=0.0)
    with pytest.raises(ValueError, match="images is 'twice'"):
        RegionSource(index_store, "twice")
    with pytest.raises(DatasetError, match="no patch"):
        RegionSource(index_store.subset(limit=1, seed=1), "none", PatchRule(findings=["Hernia"]))


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (PatchRule(anywhere=1), None),
        (PatchRule(anywhere=1, findings=["Mass"]), None),
        (PatchRule(anywhere=1, findings=["Hernia"]), "has a box of Hernia: no patch is cut"),
        (PatchRule(boxes=False, anywhere=1), None),
        (None, None),
    ],
)
def test_a_data_set_without_the_boxes_asked_for_is_named_once(index_store, caplog, rule, message):
    RegionSource(index_store, patches=rule)
    assert len(caplog.messages) == (message is not None)
    assert all("index: patch_rule#boxes is true" in line and message in line for line in caplog.messages)


def test_a_data_set_without_any_box_is_named_once(index_store, caplog):
    caplog.set_level(logging.WARNING)
    without = Corpus("plain", index_store.corpus.records[1:])
    RegionSource(
        Store.build(without, index_store.directory.parent, size=100, workers=1, progress=False), patches=PatchRule()
    )
    assert len(caplog.messages) == 1 and "plain: patch_rule#boxes is true, but none of the 1 images" in caplog.text
