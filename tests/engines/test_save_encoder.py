"""The encoders that a pre-training delivers: the last epoch's, and the best one's where a metric judges."""

import dataclasses
import json
import types

import pytest
import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedEvaluator
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import DataLoader

from common.engines import Checkpoints, SaveEncoder, StartFrom, Trainer, method_losses
from common.evaluation.best import beginning
from common.networks import build_encoder, describe_encoder, save_encoder
from common.records import Record
from common.records.data_used import DataUsed
from common.records.lineage import Lineage
from common.sampling import SeededSampler

OPTIONS = {"patch_size": 8, "embed_dim": 12, "depth": 1, "num_heads": 3, "class_token": False, "global_pool": "avg"}
IMAGES = [torch.full((1, 16, 16), number / 8) for number in range(8)]


class Method(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = build_encoder("vit_tiny_patch16_224", image_size=16, options=OPTIONS | {"fc_norm": False})

    def forward(self, images):
        return {"loss": self.encoder.embed(images).square().mean()}


class Images(torch.utils.data.Dataset):
    def __len__(self):
        return len(IMAGES)

    def __getitem__(self, key):
        return IMAGES[key.index]


def train(directory, values, at_start=None, **options):
    """Train one epoch of two iterations per given validation value; returns the weights after each epoch.

    `at_start` is the value of an evaluation before the first epoch, whose weights then come first.
    """
    torch.manual_seed(0)
    method = Method()
    optimizer = torch.optim.SGD(method.parameters(), lr=0.1)
    loader = DataLoader(Images(), batch_size=4, sampler=SeededSampler(8, 0, 4))
    checkpoints = Checkpoints(directory, method, optimizer, keep_best="validation_loss", best_is="min", **options)
    trainer = Trainer(
        "cpu",
        len(values),
        loader,
        method,
        optimizer,
        method_losses,
        prepare_batch=lambda batch, *_, **__: (batch, None),
        train_handlers=[checkpoints],
    )
    given = iter(values if at_start is None else [at_start, *values])
    evaluator = SupervisedEvaluator("cpu", DataLoader(IMAGES[:1]), nn.Identity(), decollate=False)
    evaluator.prepare_batch = lambda batch, *_, **__: (batch, batch)

    @evaluator.on(Events.EPOCH_COMPLETED)
    def measure():
        evaluator.state.metrics["validation_loss"] = next(given)

    checkpoints.attach(evaluator)
    SaveEncoder(method.encoder, str(directory), "toy", ["images"], checkpoints).attach(trainer)
    weights = []
    for event in [Events.EPOCH_COMPLETED] if at_start is None else [Events.STARTED, Events.EPOCH_COMPLETED]:
        trainer.add_event_handler(event, lambda: evaluator.run())
        trainer.add_event_handler(
            event,
            lambda: weights.append({name: value.clone() for name, value in method.encoder.body.state_dict().items()}),
        )
    trainer.run()
    return weights


def equal(file, weights):
    found = load_file(file)
    return found.keys() == weights.keys() and all(torch.equal(found[name], weights[name]) for name in found)


@pytest.mark.parametrize(
    ("best_after", "epoch"),
    [(0, 0), (1, 0), (2, 0), (3, 2), (6, 2), (7, 3)],  # epochs end at iterations 2, 4, 6, 8
)
def test_the_best_epoch_s_encoder_is_kept_beside_the_last(tmp_path, best_after, epoch):
    weights = train(tmp_path, [0.1, 0.5, 0.3, 0.4], best_after=best_after)
    assert not equal(tmp_path / "encoder.safetensors", weights[epoch]) or epoch == 3
    assert equal(tmp_path / "encoder.safetensors", weights[3])
    assert equal(tmp_path / "encoder_best.safetensors", weights[epoch])
    best = torch.load(tmp_path / "best.pt", weights_only=True)
    assert best["best"] == {"value": [0.1, 0.5, 0.3, 0.4][epoch], "iteration": 2 * (epoch + 1)}


@pytest.mark.parametrize(("at_start", "best"), [(0.1, 0), (0.4, 2)])
def test_a_start_that_no_epoch_beats_is_the_best_encoder(tmp_path, at_start, best):
    weights = train(tmp_path, [0.5, 0.3, 0.4], at_start=at_start)
    assert equal(tmp_path / "encoder_best.safetensors", weights[best])
    assert not equal(tmp_path / "encoder_best.safetensors", weights[3])
    assert torch.load(tmp_path / "best.pt", weights_only=True)["best"]["iteration"] == 2 * best


class Stored(torch.utils.data.Dataset):
    """As `StoreViews`: it has a store, which has records."""

    def __init__(self, *sources):
        records = [Record(f"/{name}.png", name, "train", name) for name in sources]
        self.store = types.SimpleNamespace(records=records)

    def __len__(self):
        return len(self.store.records)


def test_the_file_names_the_data_that_is_read_and_what_the_weights_saw_before(tmp_path):
    method = Method()
    before = DataUsed("before", "train", 758, 250)
    method.encoder.description = dataclasses.replace(
        method.encoder.description, corpora=("before",), trained_on=(before,)
    )
    saver = SaveEncoder(method.encoder, str(tmp_path), "toy", ["reader"])
    engine = Engine(lambda *_: None)
    engine.data_loader = DataLoader(Stored("phantom_reader"))
    saver.attach(engine)
    engine.run([0])
    written = describe_encoder(tmp_path / "encoder.safetensors")
    assert written.corpora == ("before", "phantom_reader")
    assert written.trained_on == (before, DataUsed("phantom_reader", "train", 1, 1))
    other = SaveEncoder(Method().encoder, str(tmp_path), "toy", ["reader"])
    engine = Engine(lambda *_: None)
    other.attach(engine)  # without a loader that tells, the given name stands
    engine.run([0])
    assert describe_encoder(tmp_path / "encoder.safetensors").corpora == ("reader",)


def test_the_file_tells_what_its_experts_were_trained_on_beside_its_own_data(tmp_path):
    data = {name: Lineage((), (DataUsed(name, "train", 758, 250),)) for name in ("disease", "anatomy", "before")}
    method = Method()
    method.encoder.description = dataclasses.replace(method.encoder.description, experts=data["before"])
    experts = [types.SimpleNamespace(lineage=data[name]) for name in ("disease", "anatomy")]
    saver = SaveEncoder(method.encoder, str(tmp_path), "toy", ["own"], experts=experts)
    engine = Engine(lambda *_: None)
    saver.attach(engine)
    engine.run([0])
    written = describe_encoder(tmp_path / "encoder.safetensors")
    assert written.corpora == ("own",) and not written.trained_on
    assert written.experts == data["before"] + data["disease"] + data["anatomy"]
    assert written.lineage.corpora == ("own", "before", "disease", "anatomy")
    assert "experts" not in json.loads(written.without_origin().to_json())  # which a cache of embeddings is named after


class Transferring(Method):
    transferred_encoder = property(lambda self: self.encoder)


def test_a_stage_tells_the_data_of_the_stage_before_also_after_a_resume(tmp_path):
    used = DataUsed("nih", "train", 758, 250)
    earlier = Method().encoder
    taught = Lineage(("padchest",))
    save_encoder(earlier, tmp_path / "one" / "encoder.safetensors", "toy", ["nih"], trained_on=[used], experts=taught)
    for path in (tmp_path / "one", tmp_path / "one" / "checkpoints" / "iteration-4.pt"):
        if path.suffix:
            path.parent.mkdir()
            path.touch()
        method = Transferring()
        engine = Engine(lambda *_: None)
        StartFrom(path, method).attach(engine)  # nothing is loaded yet, and nothing is where a run goes on
        began = beginning(method)["began_with"]
        assert began["trained_on"] == [used.as_dict()] and began["experts"] == taught.as_dict()


def test_without_a_best_epoch_there_is_no_best_encoder(tmp_path):
    train(tmp_path, [0.1, 0.2], best_after=5)
    assert (tmp_path / "encoder.safetensors").is_file() and not (tmp_path / "encoder_best.safetensors").exists()
