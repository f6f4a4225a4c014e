import numpy as np
import pytest
import torch
from monai.transforms import Compose, RandFlipd, RandGaussianNoised, RandRotated, RandZoomd
from PIL import Image
from torch.utils.data import DataLoader

from common.files import DatasetError, UnreadableImage
from common.images import DecodeImaged, DecodeMasksd, SeededDataset, as_items
from common.records import Corpus, Record
from common.sampling import SampleKey, SeededSampler


@pytest.fixture
def corpus(tmp_path):
    records = []
    for number in range(8):
        values = np.random.default_rng(number).integers(0, 255, (20, 16), np.uint8)
        Image.fromarray(values).save(tmp_path / f"{number}.png")
        Image.fromarray((values > 127).astype(np.uint8) * 255).save(tmp_path / f"{number}_lung.png")
        masks = {"lung": str(tmp_path / f"{number}_lung.png")}
        records.append(Record(str(tmp_path / f"{number}.png"), str(number), "train", "toy", (1.0, float("nan")), masks))
    return Corpus("toy", tuple(records), ("A", "B"), ("lung", "heart"))


def transform():
    keys = ["image", "masks"]
    return Compose(
        [
            DecodeImaged("image"),
            DecodeMasksd("masks", structures=["lung", "heart"]),
            RandFlipd(keys, prob=0.5, spatial_axis=1),
            RandRotated(keys, range_x=0.5, prob=0.7, mode=["bilinear", "nearest"]),
            RandZoomd(keys, prob=0.5, mode=["bilinear", "nearest"]),
            RandGaussianNoised("image", prob=0.8),
        ]
    )


def samples(corpus, workers, cache_rate=0.0, epoch=0, offset=0, epochs=1):
    sampler = SeededSampler(len(corpus), seed=2, batch_size=2)
    sampler.set_position(epoch, offset)
    dataset = SeededDataset(as_items(corpus, ("label", "masks")), transform(), seed=2, cache_rate=cache_rate)
    loader = DataLoader(dataset, 2, sampler=sampler, num_workers=workers)
    return [batch for _ in range(epochs) for batch in loader]


def same(first, second):
    assert len(first) == len(second) > 0
    for one, two in zip(first, second, strict=True):
        assert one["source"] == two["source"]
        assert all(torch.equal(torch.as_tensor(one[key]), torch.as_tensor(two[key])) for key in ("image", "masks"))


def test_samples_depend_on_neither_workers_nor_cache_nor_start(corpus):
    whole = samples(corpus, 0, epochs=2)
    same(whole, samples(corpus, 2, epochs=2))
    same(whole, samples(corpus, 0, cache_rate=1.0, epochs=2))
    for workers in (0, 2):
        same(whole[5:], samples(corpus, workers, epoch=1, offset=1))


def test_epochs_differ_and_a_plain_index_is_epoch_0(corpus):
    noise = Compose([DecodeImaged("image"), RandGaussianNoised("image", prob=1)])
    dataset = SeededDataset(as_items(corpus, ()), noise, seed=0)
    again = dataset[SampleKey(0, 3)]["image"]
    assert torch.equal(dataset[3]["image"], again)
    assert not torch.equal(dataset[SampleKey(1, 3)]["image"], again)
    assert len(dataset[2:5]) == 3


def test_decoding(corpus):
    item = DecodeMasksd("masks", ["heart", "lung"])(DecodeImaged("image", 3)(as_items(corpus, ("masks",))[0]))
    assert item["image"].shape == (3, 20, 16) and item["image"].dtype == torch.float32
    expected = np.asarray(Image.open(corpus.records[0].image))
    assert np.array_equal((item["image"][1] * 255).round().numpy(), expected)
    assert item["masks"].dtype == torch.uint8 and (item["masks"][0] == 255).all()
    assert np.array_equal(item["masks"][1].numpy(), expected > 127)
    assert item["source"] == corpus.records[0].image


def test_a_mask_of_another_size_is_named(corpus, tmp_path):
    Image.fromarray(np.zeros((19, 16), np.uint8)).save(tmp_path / "3_lung.png")
    item = DecodeImaged("image")(as_items(corpus, ("masks",))[3])
    with pytest.raises(UnreadableImage, match=r"3_lung.png: the lung mask has 19 x 16 pixels and its image 20 x 16"):
        DecodeMasksd("masks", ["lung"])(item)
    with pytest.raises(UnreadableImage, match="no mask of aorta"):
        DecodeMasksd("masks", ["aorta"])(item)


def test_a_mask_of_a_smaller_copy_is_brought_to_its_image(corpus, tmp_path):
    small = np.random.default_rng(0).integers(0, 2, (10, 8), np.uint8)
    Image.fromarray(small * 255).save(tmp_path / "3_lung.png")
    item = DecodeMasksd("masks", ["lung"])(DecodeImaged("image")(as_items(corpus, ("masks",))[3]))
    assert np.array_equal(item["masks"][0], np.repeat(np.repeat(small, 2, 0), 2, 1))


def test_items_keep_what_a_task_needs(corpus):
    bare = Record("x.png", "p", "train", "toy")
    mixed = Corpus("toy", (bare, *corpus.records), ("A", "B"))
    assert len(as_items(mixed, ())) == 9 and len(as_items(mixed)) == 8
    assert as_items(mixed)[0]["label"].tolist()[0] == 1 and np.isnan(as_items(mixed)[0]["label"][1])
    with pytest.raises(DatasetError, match="none of 1 images has label"):
        as_items(Corpus("toy", (bare,)), ("label",))
    with pytest.raises(ValueError, match="labels"):
        as_items(mixed, ("labels",))
