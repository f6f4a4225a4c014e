"""Uncertain and blank labels: every policy against a table worked out by hand."""

import math
from dataclasses import replace

import pytest

from common.files import DatasetError
from common.files.notices import collect_notices
from common.readers.support.label_policy import LabelPolicy
from common.records import Corpus, Record

NAN = math.nan
STATED = (1.0, 0.0, -1.0, NAN)  # positive, negative, uncertain, blank


def corpus_of(labels, findings=("A", "B", "C", "D"), root="/x"):
    records = [
        Record(f"{root}/{n}.png", str(n), "val" if n else "train", "s", labels=row) for n, row in enumerate(labels)
    ]
    return Corpus("s", tuple(records), findings)


def apply(corpus, uncertain="ignore", blank="ignore", seed=0):
    with collect_notices() as notices:
        done = LabelPolicy(uncertain, blank, seed).apply(corpus, lambda record: record.image.rpartition("/")[2])
    return done, notices


@pytest.mark.parametrize(
    ("uncertain", "blank", "expected"),
    [
        ("ignore", "ignore", (1, 0, NAN, NAN)),
        ("zeros", "ignore", (1, 0, 0, NAN)),
        ("ones", "ignore", (1, 0, 1, NAN)),
        ("ones", "zeros", (1, 0, 1, 0)),
        ("ignore", "zeros", (1, 0, NAN, 0)),
        ("class", "ignore", (1, 0, 0, NAN, 0, 0, 1, NAN)),
        ("class", "zeros", (1, 0, 0, 0, 0, 0, 1, 0)),
    ],
)
def test_each_policy(uncertain, blank, expected):
    corpus, notices = apply(corpus_of([STATED, None]), uncertain, blank)
    assert corpus.records[0].labels == pytest.approx(expected, nan_ok=True) and corpus.records[1].labels is None
    more = ("A uncertain", "B uncertain", "C uncertain", "D uncertain") if uncertain == "class" else ()
    assert corpus.findings == ("A", "B", "C", "D", *more)
    assert corpus.choices == {"uncertain": uncertain, "blank": blank}
    assert notices == [
        f"1 labels are uncertain; the option uncertain makes of them: {uncertain}",
        f"1 labels are blank; the option blank makes of them: {blank}",
    ]


def smoothed(count, seed=0, **kinds):
    return [
        record.labels
        for record in apply(corpus_of([(-1.0, 1.0)] * count, ("A", "B"), **kinds), "smoothed", seed=seed)[0].records
    ]


def test_smoothed_labels_are_uniform_in_their_range_and_leave_others_alone():
    drawn = smoothed(2000)
    values = [first for first, second in drawn if second == 1]
    assert len(values) == 2000 and 0.55 <= min(values) < 0.56 and 0.84 < max(values) <= 0.85
    assert sum(values) / 2000 == pytest.approx(0.7, abs=4 * 0.3 / math.sqrt(12 * 2000))
    assert sum(value < 0.6 for value in values) / 2000 == pytest.approx(1 / 6, abs=0.04)


def test_a_draw_is_of_seed_image_and_finding_and_not_of_order_or_place():
    few, many = smoothed(3), smoothed(50, root="/elsewhere")
    assert few == many[:3] and len({first for first, _ in many}) == 50
    assert smoothed(3, seed=1) != few
    whole = corpus_of([(-1.0, 1.0)] * 3, ("A", "B"))
    backwards = apply(replace(whole, records=whole.records[::-1]), "smoothed")[0]
    assert [record.labels for record in backwards.records] == few[::-1]
    both = apply(corpus_of([(-1.0, -1.0)], ("A", "B")), "smoothed")[0].records[0].labels
    swapped = apply(corpus_of([(-1.0, -1.0)], ("B", "A")), "smoothed")[0].records[0].labels
    assert both[0] == few[0][0] and both == swapped[::-1] and both[0] != both[1]


def test_a_corpus_without_labels_stays_as_it_is():
    corpus, notices = apply(corpus_of([None, None]), "class", "zeros")
    assert [record.labels for record in corpus.records] == [None, None] and not notices


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"uncertain": "one"}, "uncertain: the value is 'one'. It must be one of ignore, zeros, ones, smoothed, class"),
        ({"blank": "ones"}, "blank: the value is 'ones'. It must be one of ignore, zeros"),
        ({"uncertain": None}, "uncertain: the value is None"),
    ],
)
def test_an_unknown_policy_is_named_with_its_choices(options, message):
    with pytest.raises(DatasetError, match=message):
        LabelPolicy(**{"uncertain": "ignore", "blank": "ignore"} | options)
