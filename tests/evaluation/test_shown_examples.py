from types import SimpleNamespace

import numpy as np
import pytest

from common.evaluation import LogExamples


class Kept(LogExamples):
    measure = "score"

    def score(self, item):
        return item["score"]

    def draw(self, items, title):
        return {kind: [item["score"] for item in chosen] for kind, chosen in items.items()}, title


class KeptLow(Kept):
    high_is_good = False


def evaluated(handler, scores, epoch=1, best_epoch=1):
    """What a run of an evaluator over these scores sends to the tracking."""
    state = SimpleNamespace(epoch=epoch, best_metric_epoch=best_epoch)
    engine = SimpleNamespace(state=state)
    handler._start(engine)
    for score in scores:
        state.output, state.batch = [{"score": score}], [{"source": "x.png"}]
        handler._collect(engine)
    handler._log(engine)


class Tracking(list):
    def offer_figure(self, name, draw):
        self.append((name, *draw()))


@pytest.mark.parametrize(("kind", "ends"), [(Kept, (0, 9)), (KeptLow, (9, 0))])
def test_worst_and_best_follow_from_what_is_good(kind, ends):
    sent = Tracking()
    evaluated(kind(sent, count=1, split="test"), [4.0, 9.0, 0.0, float("nan"), 5.0, 3.0])
    chosen = {"worst": [ends[0]], "nearest to the median 4.00": [4], "best": [ends[1]]}
    assert sent == [("predictions", chosen, "test split: 5 images by their score")]


@pytest.mark.parametrize("kind", [Kept, KeptLow])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("scores", [list(range(9)), [1.0] * 9, [1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0]], ids=str)
def test_every_image_is_shown_once_at_most(kind, count, scores):
    for images in range(1, len(scores) + 1):
        handler = kind(Tracking(), count)
        evaluated(handler, scores[:images])
        chosen = handler.chosen()
        shown = [id(item) for items in chosen.values() for item in items]
        assert len(shown) == len(set(shown)) == min(images, 3 * count)
        ends = [len(chosen.get(name, ())) for name in ("worst", "best")]
        assert ends[0] == ends[1] == min(count, round(images / 3))


def test_only_the_best_epoch_is_drawn():
    sent = Tracking()
    evaluated(Kept(sent), [1.0, 2.0], epoch=3, best_epoch=2)
    evaluated(Kept(sent), [float("nan")])
    assert sent == []


def test_of_thousands_some_that_lie_evenly_are_kept_for_the_middle():
    handler, scores = Kept(Tracking()), np.random.default_rng(0).permutation(3000) / 3000
    evaluated(handler, scores.tolist())
    middle = next(chosen for kind, chosen in handler.chosen().items() if kind.startswith("nearest"))
    assert len(handler.pool) <= 32 and all(abs(item["score"] - 0.5) < 0.1 for item in middle)
