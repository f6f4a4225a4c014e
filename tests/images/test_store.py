import json
import logging
import os
import pickle
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from common.files import DatasetError, UnreadableImage
from common.images import Store, StoreImages, StoreViews, open_store
from common.images.store.worker import resize
from common.records import Corpus, Record
from common.sampling import SeededSampler


def picture(seed, height=48, width=40, channels=1):
    values = np.random.default_rng(seed).integers(0, 255, (height, width, channels), np.uint8)
    return values[..., 0] if channels == 1 else values


def corpus_of(folder, count=10, channels=1, bad=()):
    records = []
    for number in range(count):
        path = folder / f"{number:03}.png"
        Image.fromarray(picture(number, channels=channels)).save(path)
        if number in bad:
            path.write_bytes(b"")
        split = "train" if number % 2 else "val"
        records.append(Record(str(path), f"p{number}", split, "toy", (float(number), float("nan"))))
    return Corpus("toy", tuple(records), ("A", "B"))


@pytest.fixture
def corpus(tmp_path):
    return corpus_of(tmp_path)


def test_pixels_are_those_of_the_files(corpus, tmp_path):
    store = Store.build(corpus, tmp_path / "stores", 24, workers=2, progress=False)
    assert store.images.shape == (10, 1, 24, 24) and store.images.dtype == np.uint8
    for number in range(10):
        expected = np.asarray(Image.fromarray(picture(number)).resize((24, 24), Image.Resampling.BILINEAR))
        assert np.array_equal(store.images[number, 0], expected)
    assert store.sizes.tolist() == [[48, 40]] * 10
    assert store.directory.name.startswith("toy-24px-1ch-")
    assert not list((tmp_path / "stores").glob("*.building"))


def test_three_channels(tmp_path):
    corpus = corpus_of(tmp_path, 3, channels=3)
    store = Store.build(corpus, tmp_path / "stores", 48, 3, workers=1, progress=False)
    expected = np.asarray(Image.fromarray(picture(2, channels=3)).resize((48, 48), Image.Resampling.BILINEAR))
    assert np.array_equal(store.images[2], np.moveaxis(expected, 2, 0))
    assert open_store(corpus, tmp_path / "stores", 48, 1, workers=1, progress=False).images.shape[1] == 1


@pytest.mark.parametrize("factor", [2, 3, 5, 8])
def test_shrinking_is_antialiased_and_keeps_the_mean(factor):
    board = np.indices((240, 240)).sum(0) % 2 * 255
    small = resize(board.astype(np.uint8)[None], 240 // factor)
    assert np.abs(small.astype(int) - 127).max() <= (4 if factor % 2 == 0 else 40)
    # A ramp shows a shift of half a pixel, if there were one.
    ramp = np.tile(np.arange(240), (240, 1)).astype(np.uint8)
    small = resize(ramp[None], 240 // factor)[0]
    centres = (np.arange(240 // factor) + 0.5) * factor - 0.5
    assert np.abs(small[:, 1:-1] - centres[1:-1]).max() <= 1


@pytest.mark.parametrize("workers", [1, 2])
def test_unreadable_files_are_named_and_the_rest_stays_aligned(tmp_path, workers, caplog):
    corpus = corpus_of(tmp_path, 20, bad=(0, 7, 19))
    with caplog.at_level(logging.WARNING):
        store = open_store(corpus, tmp_path / "stores", 16, workers=workers, progress=False)
    assert "3 of 20 images" in caplog.text and "000.png" in caplog.text
    assert [bad.path for bad in store.quarantine] == [corpus.records[number].image for number in (0, 7, 19)]
    assert all("0 bytes" in bad.reason and bad.remedy for bad in store.quarantine)
    assert len(store) == len(store.images) == len(store.sizes) == 17
    for number, record in enumerate(store.records):
        source = int(record.patient_id[1:])
        expected = resize(picture(source)[None], 16)
        assert np.array_equal(store.images[number], expected)
        assert np.array_equal(store.batch([number])[0], expected)
    assert not np.any([image.max() == 0 for image in store.images])


def test_every_opening_says_what_is_left_out_and_where_it_is_listed(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    corpus = corpus_of(tmp_path, 20, bad=(0, 7, 9, 19))
    directory = open_store(corpus, tmp_path / "stores", 16, workers=1, progress=False).directory
    for _ in range(2):
        caplog.clear()
        open_store(corpus, tmp_path / "stores", 16)
        (line,) = caplog.messages
        assert "4 of 20 images of toy cannot be read" in line and "000.png (the file is empty" in line
        assert line.endswith(f"... Listed in {directory / 'quarantine.json'}")
    (tmp_path / "whole").mkdir()
    whole = corpus_of(tmp_path / "whole", 5)
    caplog.clear()
    open_store(whole, tmp_path / "stores", 16, workers=1, progress=False)
    assert not caplog.messages


def test_small_originals_are_left_out_by_name(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    corpus = corpus_of(tmp_path, 6)
    for number, (height, width) in {1: (8, 8), 4: (31, 400), 5: (32, 400)}.items():
        Image.fromarray(picture(number, height, width)).save(corpus.records[number].image)
    everything = open_store(corpus, tmp_path / "stores", 64, workers=1, progress=False)
    assert len(everything) == 6 and not everything.quarantine and not caplog.messages
    store = open_store(corpus, tmp_path / "stores", 64, min_size=32)
    assert store.directory == everything.directory  # one file serves every min_size
    assert [record.patient_id for record in store.records] == ["p0", "p2", "p3", "p5"]
    assert [bad.path for bad in store.quarantine] == [corpus.records[number].image for number in (1, 4)]
    assert "8 x 8 pixels, its short side is below min_size 32" in store.quarantine[0].reason
    assert "31 x 400" in store.quarantine[1].reason and "min_size" in store.quarantine[1].remedy
    assert torch.equal(store.batch([1, 3]), everything.batch([2, 5])) and store.sizes[3].tolist() == [32, 400]
    assert "2 of 6 images of toy are smaller than min_size 32" in caplog.text and "table.parquet" in caplog.text
    assert [record.patient_id for record in store.subset("train").records] == ["p3", "p5"]
    assert [record.patient_id for record in pickle.loads(pickle.dumps(store)).records] == ["p0", "p2", "p3", "p5"]
    with pytest.raises(DatasetError, match=r"all 5 images are left out.*48 x 40 pixels.*lower min_size"):
        open_store(Corpus("toy", corpus.records[:5]), tmp_path / "stores", 64, min_size=41)
    with pytest.raises(ValueError, match="min_size is 0"):
        open_store(corpus, tmp_path / "stores", 64, min_size=0)


def test_a_folder_without_one_readable_image(tmp_path):
    corpus = corpus_of(tmp_path, 3, bad=(0, 1, 2))
    with pytest.raises(DatasetError, match="none of 3 images"):
        Store.build(corpus, tmp_path / "stores", 16, workers=1, progress=False)


def test_opening_does_not_need_the_files(corpus, tmp_path):
    store = Store.build(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    for record in corpus.records:
        Path(record.image).unlink()
    again = open_store(corpus, tmp_path / "stores", 16)
    assert again.directory == store.directory and again.records == corpus.records
    with pytest.raises(DatasetError, match="build_store"):
        Store(tmp_path, corpus)


def test_labels_may_change_without_a_new_store(corpus, tmp_path):
    first = open_store(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    stamp = (first.directory / "images.npy").stat().st_mtime_ns
    relabelled = Corpus("toy", tuple(Record(r.image, r.patient_id, "test", "toy") for r in corpus.records))
    second = open_store(relabelled, tmp_path / "stores", 16, workers=1, progress=False)
    assert (second.directory / "images.npy").stat().st_mtime_ns == stamp
    assert second.records[0].split == "test"


def test_a_store_follows_its_files(corpus, tmp_path, caplog):
    store = open_store(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    before = np.array(store.images)
    images = store.directory / "images.npy"
    os.utime(corpus.records[0].image)  # touched, same content: kept
    stamp = images.stat().st_mtime_ns
    assert (open_store(corpus, tmp_path / "stores", 16).directory / "images.npy").stat().st_mtime_ns == stamp
    del store  # one that is open is never rebuilt
    time.sleep(0.01)
    Image.fromarray(picture(77)).save(corpus.records[0].image)
    with caplog.at_level(logging.WARNING):
        again = open_store(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    assert "changed" in caplog.text
    assert not np.array_equal(again.images[0], before[0]) and np.array_equal(again.images[1], before[1])


def test_a_repaired_file_leaves_the_quarantine(tmp_path):
    corpus = corpus_of(tmp_path, 6, bad=(2,))
    assert len(open_store(corpus, tmp_path / "stores", 16, workers=1, progress=False).quarantine) == 1
    Image.fromarray(picture(2)).save(corpus.records[2].image)
    assert len(open_store(corpus, tmp_path / "stores", 16, workers=1, progress=False)) == 6


def test_subsets_share_the_file(corpus, tmp_path):
    store = Store.build(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    odd = store.subset("train")
    assert [record.patient_id for record in odd.records] == ["p1", "p3", "p5", "p7", "p9"]
    assert torch.equal(odd.batch([0, 4]), torch.from_numpy(np.array(store.images[[1, 9]])))
    with pytest.raises(ValueError, match="batch"):
        _ = odd.images
    assert odd.directory == store.directory
    with pytest.raises(IndexError):
        odd.batch([5])
    copy = pickle.loads(pickle.dumps(odd))
    assert torch.equal(copy.batch([2]), odd.batch([2]))
    assert len(pickle.dumps(store)) < 100_000


def test_a_corpus_that_the_store_does_not_hold(corpus, tmp_path):
    store = Store.build(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    stranger = Corpus("toy", (Record("/elsewhere.png", "p", "train", "toy"),))
    with pytest.raises(DatasetError, match="elsewhere"):
        Store(store.directory, stranger)


def test_sizes_out_of_range(corpus, tmp_path):
    with pytest.raises(ValueError, match="size is 0"):
        open_store(corpus, tmp_path, 0)
    with pytest.raises(ValueError, match="channels 2"):
        open_store(corpus, tmp_path, 16, 2)
    with pytest.raises(ValueError, match="dataset_dir"):
        open_store(Corpus("toy", ()), tmp_path, 16)


class DrawBox:
    def sample(self, generator, size):
        return {"box": torch.rand(4, generator=generator) * size[0], "flip": torch.rand((), generator=generator) < 0.5}


def drawn(store, workers, epoch=0, offset=0, epochs=1):
    sampler = SeededSampler(len(store), seed=5, batch_size=3)
    sampler.set_position(epoch, offset)
    loader = DataLoader(StoreViews(store, DrawBox(), seed=5), 3, sampler=sampler, num_workers=workers, drop_last=True)
    return [batch for _ in range(epochs) for batch in loader]


def same(first, second):
    assert len(first) == len(second) > 0
    for one, two in zip(first, second, strict=True):
        assert one["source"] == two["source"]
        assert torch.equal(one["image"], two["image"]) and torch.equal(one["index"], two["index"])
        assert torch.equal(one["labels"].nan_to_num(-1), two["labels"].nan_to_num(-1))
        assert all(torch.equal(one["view"][key], two["view"][key]) for key in ("box", "flip"))


def test_views_do_not_depend_on_workers_or_on_where_a_run_starts(corpus, tmp_path):
    store = Store.build(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    whole = drawn(store, 0, epochs=2)
    assert whole[0]["image"].shape == (3, 1, 16, 16) and whole[0]["view"]["box"].shape == (3, 4)
    same(whole, drawn(store, 2, epochs=2))
    for workers in (0, 2):
        same(whole[4:], drawn(store, workers, epoch=1, offset=1))
    assert not torch.equal(whole[0]["view"]["box"], whole[3]["view"]["box"])


def test_items_own_their_pixels(corpus, tmp_path):
    store = Store.build(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    views = StoreViews(store, DrawBox(), seed=0)
    before = views[3]["image"].clone()
    views[3]["image"].zero_()
    assert torch.equal(views[3]["image"], before)


def test_images_for_probes_carry_all_annotations(corpus, tmp_path):
    mask = np.zeros((48, 40), np.uint8)
    mask[:24] = 255
    mask[:, :4] = 127
    Image.fromarray(mask).save(tmp_path / "mask.png")
    first = Record(
        corpus.records[0].image,
        "p",
        "train",
        "toy",
        None,
        {"lung": str(tmp_path / "mask.png")},
        (),
        {"apex": (0.25, 0.75)},
    )
    annotated = Corpus("toy", (first, *corpus.records[1:]), ("A", "B"), ("lung", "heart"), ("carina", "apex"))
    store = Store.build(annotated, tmp_path / "stores", 24, workers=1, progress=False)
    item, other = StoreImages(store, foreground=255, ignore=127)[0], StoreImages(store)[1]
    assert item["image"].dtype == torch.float32 and item["image"].shape == (1, 24, 24) and item["image"].max() <= 1
    assert torch.equal((item["image"] * 255).round().to(torch.uint8), store.batch([0])[0])
    assert item["landmarks"][0].isnan().all() and item["landmarks"][1].tolist() == [0.25, 0.75]
    assert item["labels"].isnan().all() and other["labels"][0] == 1
    assert item["mask"].shape == (2, 24, 24)
    assert (item["mask"][0, :12, 3:] == 1).all() and (item["mask"][0, 12:, 3:] == 0).all()
    assert (item["mask"][0, :, :2] == 255).all() and (item["mask"][1] == 255).all()
    torch.utils.data.default_collate([item, other])
    Image.fromarray(mask[1:]).save(tmp_path / "mask.png")
    with pytest.raises(UnreadableImage, match="47 x 40 pixels and its image 48 x 40"):
        StoreImages(store, ["lung"], 255, 127)[0]


def test_the_summary_names_the_data(corpus, tmp_path):
    store = Store.build(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    summary = json.loads((store.directory / "store.json").read_text())
    assert summary["fingerprint"] == corpus.fingerprint() and summary["images"] == 10
    shutil.rmtree(store.directory)
