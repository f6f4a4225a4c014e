"""Crops read from the cache."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_volumes import opened, values_of, write

from common.sampling import SampleKey
from common.volumes import VolumeCrops


def crops(found, **options):
    return VolumeCrops(found, **{"crop": (4, 6, 8), "window": (-1000, 1000), "seed": 3, **options})


def test_a_crop_is_a_piece_of_the_volume_and_its_organs(tmp_path):
    corpus = write(tmp_path / "data")
    data = crops(opened(corpus, tmp_path / "cache"))
    starts = set()
    for epoch in range(12):
        for number in range(4):
            item = data[SampleKey(epoch, number)]
            assert item["image"].shape == (1, 4, 6, 8) and item["image"].dtype == torch.float32
            assert item["organs"].shape == (4, 6, 8) and item["organs"].dtype == torch.uint8
            values = torch.round(item["image"][0] * 1000).int().numpy()
            whole = values_of(number)
            d, h, w = np.argwhere(whole == values[0, 0, 0])[0]
            assert np.array_equal(values, whole[d : d + 4, h : h + 6, w : w + 8])
            starts.add((int(d), int(h), int(w)))
            if number % 2:
                assert (item["organs"] == 255).all()
            else:
                expected = whole[d : d + 4, h : h + 6, w : w + 8] % 3 == 0
                assert np.array_equal(item["organs"].numpy(), expected)
            assert item["label"].tolist() == [number, 1] and item["source"] == corpus.records[number].image
    for axis, room in enumerate((6, 6, 6)):
        drawn = {start[axis] for start in starts}
        assert min(drawn) == 0 and max(drawn) == room


def test_crops_depend_on_seed_epoch_and_index_alone(tmp_path):
    found = opened(write(tmp_path / "data"), tmp_path / "cache")
    keys = [SampleKey(epoch, index) for epoch in range(2) for index in range(4)]
    once = [crops(found)[key]["image"] for key in keys]
    loader = torch.utils.data.DataLoader(crops(found), batch_size=1, sampler=keys[::-1], num_workers=2)
    again = [batch["image"][0] for batch in loader][::-1]
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))
    other = [crops(found, seed=4)[key]["image"] for key in keys]
    assert not all(torch.equal(a, b) for a, b in zip(once, other, strict=True))
    assert not torch.equal(once[0], once[4])


def test_the_frame_is_about_the_centre_and_padding_is_air(tmp_path):
    found = opened(write(tmp_path / "data"), tmp_path / "cache")
    whole = crops(found, crop=(14, 8, 14), frame=(14, 8, 14), random=False)
    item = whole[0]
    inside = (item["image"][0] * 1000).round().numpy()
    assert np.array_equal(inside[2:12], values_of(0)[:, 2:10])  # 10 in 14: 2 before, 2 after; 8 of 12: from 2
    assert (item["image"][0, :2] == -1).all() and (item["image"][0, 12:] == -1).all()
    assert (item["organs"][:2] == 0).all() and (item["organs"][2:12] == 1).any()
    for epoch in range(20):  # crops stay inside the frame
        piece = crops(found, crop=(4, 4, 4), frame=(6, 6, 6))[SampleKey(epoch, 1)]["image"][0]
        values = (piece * 1000).round().numpy().astype(int)
        d, h, w = np.argwhere(values_of(1) == values[0, 0, 0])[0]
        assert 2 <= d <= 4 and 3 <= h <= 5 and 4 <= w <= 6
    centre = crops(found, random=False)[1]["image"][0]
    assert np.array_equal((centre * 1000).round().numpy(), values_of(1)[3:7, 3:9, 3:11])


def test_a_volume_smaller_than_the_crop_is_padded_and_named(tmp_path, caplog):
    found = opened(write(tmp_path / "data"), tmp_path / "cache")
    with caplog.at_level(logging.INFO):
        item = crops(found, crop=(16, 6, 8))[0]
    assert "4 of 4 volumes are smaller than 16 x 6 x 8 voxels and are filled with air; the first, v0" in caplog.text
    assert (item["image"][0, :3] == -1).all() and (item["image"][0, 3:13] > -1).all()
    for wrong in ({"crop": (4, 4)}, {"window": (200, -1000)}, {"frame": (4, 6, 7)}):
        with pytest.raises(ValueError, match="crop"):
            crops(found, **wrong)


def test_without_labels_every_finding_is_unknown(tmp_path):
    corpus = write(tmp_path / "data", 1)
    bare = replace(corpus, records=(replace(corpus.records[0], labels=None),))
    item = crops(opened(bare, tmp_path / "cache"))[0]
    assert item["label"].isnan().tolist() == [True, True]
