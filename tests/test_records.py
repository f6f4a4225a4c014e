import dataclasses
import hashlib
import json
import pickle
import random

import pytest

from common.records import Box, Calibration, Corpus, Record


def corpus_of(count):
    splits = ["train", "train", "val", "test"]
    records = [Record(f"/a/{i}.png", f"p{i}", splits[i % 4], "toy", (float(i % 2),)) for i in range(count)]
    return Corpus("toy", tuple(records), ("F",))


def test_a_share_is_the_papers_draw():
    corpus = corpus_of(40)
    indices = list(range(40))
    random.Random(99).shuffle(indices)
    expected = {corpus.records[index].image for index in indices[: int(40 * 0.3)]}
    assert {record.image for record in corpus.subset(fraction=0.3).records} == expected


def test_shares_are_nested_ordered_and_never_empty():
    corpus = corpus_of(40)
    small, large = corpus.subset("train", 0.2), corpus.subset("train", 0.6)
    assert set(r.image for r in small.records) < set(r.image for r in large.records)
    assert [corpus.records.index(r) for r in large.records] == sorted(corpus.records.index(r) for r in large.records)
    assert len(corpus.subset(fraction=0.001)) == 1
    assert len(corpus.subset("train", limit=3)) == 3


def test_without_a_seed_the_limit_takes_the_first_of_the_list():
    corpus = corpus_of(12)
    assert corpus.subset("train", limit=2, seed=None).records == (corpus.records[0], corpus.records[1])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [({"split": "valid"}, "valid"), ({"fraction": 0.0}, "0.0"), ({"fraction": 1.5}, "1.5"), ({"limit": 0}, "0")],
)
def test_a_subset_out_of_range_names_the_value(arguments, named):
    with pytest.raises(ValueError, match=named):
        corpus_of(8).subset(**arguments)


def test_an_empty_split_says_what_there_is():
    corpus = Corpus("toy", (Record("/a/1.png", "p", "train", "toy"),))
    with pytest.raises(ValueError, match="'train': 1"):
        corpus.subset("test")


def test_the_fingerprint_ignores_folders_and_sees_everything_else():
    corpus = corpus_of(4)
    moved = dataclasses.replace(
        corpus, records=tuple(dataclasses.replace(r, image=r.image.replace("/a/", "/b/")) for r in corpus.records)
    )
    assert moved.fingerprint() == corpus.fingerprint()
    first = corpus.records[0]
    changes = [
        {"labels": (0.5,)},
        {"labels": None},
        {"labels": (float("nan"),)},
        {"split": "test"},
        {"patient_id": "other"},
        {"image": "/a/other.png"},
        {"boxes": (Box("F", 0, 0, 1, 1),)},
        {"landmarks": {"apex": (0.1, 0.2)}},
        {"masks": {"lung": "/a/m.png"}},
        {"label_map": "/a/m.nii.gz"},
    ]
    prints = {corpus.fingerprint()}
    for change in changes:
        records = (dataclasses.replace(first, **change), *corpus.records[1:])
        prints.add(dataclasses.replace(corpus, records=records).fingerprint())
    assert len(prints) == len(changes) + 1


def test_records_travel_to_workers():
    record = Record("/a/1.png", "p", "train", "toy", (1.0,), {"lung": "m"}, (Box("F", 0, 0, 1, 1),), {"a": (0.1, 0.2)})
    assert pickle.loads(pickle.dumps(record)) == record


def test_study_and_calibration_change_the_fingerprint_only_where_they_are():
    corpus = corpus_of(2)
    study, calibrated = (
        dataclasses.replace(corpus, records=(dataclasses.replace(corpus.records[0], **facts), corpus.records[1]))
        for facts in ({"study_id": "s"}, {"calibration": Calibration(1.0, -1024.0, (3.0, 1.5, 1.5))})
    )
    # What was recorded before records had studies and calibrations: [findings, structures, landmarks], then each image.
    facts = (
        [["F"], [], []],
        ["0.png", "p0", "train", [0.0], [], [], [], None],
        ["1.png", "p1", "train", [1.0], [], [], [], None],
    )
    expected = hashlib.sha256("".join(map(json.dumps, facts)).encode()).hexdigest()[:12]
    assert corpus.fingerprint() == expected
    assert len({corpus.fingerprint(), study.fingerprint(), calibrated.fingerprint()}) == 3


def test_a_limited_corpus_has_what_the_subsets_of_that_limit_have_and_no_more():
    corpus = corpus_of(40)
    few = corpus.limited(4)
    for split in ("train", "val", "test"):
        assert few.subset(split, limit=4).records == corpus.subset(split, limit=4).records
    assert len(few) == 12 and list(few.records) == [record for record in corpus.records if record in few.records]
    assert corpus.limited(None) is corpus and len(corpus.limited(15)) == 15 + 10 + 10


def test_shares_are_of_what_a_task_can_use():
    """Every third record has a landmark: 12 are 12 of those, drawn as from a corpus of nothing else."""
    records = tuple(
        Record(f"/x/{n}.png", f"p{n}", "train", "x", landmarks={} if n % 3 else {"carina": (0.5, 0.5)})
        for n in range(90)
    )
    corpus, alone = Corpus("x", records), Corpus("x", records[::3])
    for share in ({"limit": 12}, {"fraction": 0.3}, {}):
        assert corpus.subset("train", **share, usable=lambda it: bool(it.landmarks)) == alone.subset("train", **share)
