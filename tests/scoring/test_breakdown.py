import numpy as np
import pytest

from common.records import Corpus, Record
from common.scoring.breakdown import breakdown
from common.scoring.scorers import MeanScorer


def corpus_of(count, **facts):
    """Two images of each patient; every fact is a function of the image's number."""
    records = [
        Record(f"/{n}.png", f"p{n // 2}", "test", "toy", **{name: fact(n) for name, fact in facts.items()})
        for n in range(count)
    ]
    return Corpus("toy", tuple(records))


def test_interval_of_a_mean_is_as_wide_as_its_standard_error_says():
    """Over patients: two equal images of a patient do not make it narrower."""
    values = np.repeat(np.random.default_rng(0).normal(size=200), 2)[:, None]
    corpus = corpus_of(400)
    sources = [record.image for record in corpus.records]
    found = breakdown(MeanScorer("error", ["x"], values), sources, corpus, resamples=2000)
    low, high = found.intervals["error"]
    deviation = values[::2].std(ddof=1) / np.sqrt(200)
    assert (high - low) / 2 == pytest.approx(1.96 * deviation, rel=0.1)
    assert found.patients == 200 and low < values.mean() < high


def test_groups_are_told_apart_by_what_the_labels_say():
    ages = [17, 18, 39, 40, 64, 65, None, 90]
    corpus = corpus_of(8, sex=lambda n: "FM"[n % 2], age=ages.__getitem__, view=lambda n: "PA")
    values = np.arange(8.0)[:, None]
    rows = breakdown(MeanScorer("dice", ["x"], values), [r.image for r in corpus.records], corpus, 10).groups
    told = {(row["by"], row["group"]): (row["images"], row["dice"]) for row in rows}
    assert told == {
        ("sex", "F"): (4, 3.0),
        ("sex", "M"): (4, 4.0),
        ("age", "0-17"): (1, 0.0),
        ("age", "18-39"): (2, 1.5),
        ("age", "40-64"): (2, 3.5),
        ("age", "65+"): (2, 6.0),
    }  # one view tells nothing apart
