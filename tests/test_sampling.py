import itertools

import pytest
import torch

from common.sampling import SampleKey, SeededSampler, generator_for


def epochs(sampler, count):
    return [list(sampler) for _ in range(count)]


def test_each_epoch_is_a_fresh_permutation():
    sampler = SeededSampler(24, seed=3, batch_size=4)
    first, second = epochs(sampler, 2)
    assert sorted(key.index for key in first) == list(range(24))
    assert [key.index for key in first] != [key.index for key in second]
    assert {key.epoch for key in first} == {0} and {key.epoch for key in second} == {1}
    assert first == list(SeededSampler(24, seed=3, batch_size=4))
    assert first != list(SeededSampler(24, seed=4, batch_size=4))


@pytest.mark.parametrize("position", [(0, 0), (0, 5), (1, 2), (2, 6), (1, 7)])
def test_any_position_continues_the_uninterrupted_run(position):
    whole = list(itertools.chain(*epochs(SeededSampler(23, seed=1, batch_size=3), 4)))
    epoch, batches = position
    resumed = SeededSampler(23, seed=1, batch_size=3)
    assert len(resumed) == 21
    resumed.set_position(epoch, batches)
    rest = list(itertools.chain(*epochs(resumed, 4)))
    done = (epoch * 7 + batches) * 3
    assert rest[: len(whole) - done] == whole[done:]


@pytest.mark.parametrize("world", [2, 4])
def test_global_batches_do_not_depend_on_the_number_of_processes(world):
    alone = SeededSampler(50, seed=0, batch_size=8, rank=0, world_size=1)
    ranks = [SeededSampler(50, seed=0, batch_size=8 // world, rank=r, world_size=world) for r in range(world)]
    for sampler in [alone, *ranks]:
        sampler.set_position(2, 3)
    expected = list(alone)
    shares = [list(sampler) for sampler in ranks]
    part = 8 // world
    merged = [
        key for start in range(0, len(shares[0]), part) for share in shares for key in share[start : start + part]
    ]
    assert merged == expected


def test_keeping_the_last_batch():
    alone = SeededSampler(10, seed=0, batch_size=4, shuffle=False, drop_last=False)
    assert [key.index for key in alone] == list(range(10)) and len(alone) == 10
    shares = [
        list(SeededSampler(10, 0, 4, shuffle=False, drop_last=False, rank=rank, world_size=2)) for rank in range(2)
    ]
    assert len(shares[0]) == len(shares[1]) == 8
    assert {key.index for share in shares for key in share} == set(range(10))


def test_processes_are_found_in_torchruns_environment(monkeypatch):
    sampler = SeededSampler(16, seed=0, batch_size=2, shuffle=False)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert [key.index for key in sampler][:4] == [2, 3, 6, 7]


def test_too_few_images_for_a_batch():
    with pytest.raises(ValueError, match="lower batch_size"):
        SeededSampler(7, seed=0, batch_size=8)


def test_generators_differ_in_each_of_the_three_numbers():
    def draw(*key):
        return torch.rand(4, generator=generator_for(*key))

    assert torch.equal(draw(1, 2, 3), draw(1, 2, 3))
    draws = [tuple(draw(*key).tolist()) for key in [(1, 2, 3), (2, 2, 3), (1, 3, 3), (1, 2, 4), (3, 2, 1), (2, 1, 3)]]
    assert len(set(draws)) == len(draws)


def test_a_sample_key_is_a_pair():
    assert SampleKey(2, 5) == (2, 5) and SampleKey(2, 5).index == 5
