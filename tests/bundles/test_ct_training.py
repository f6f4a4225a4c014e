"""Both tasks through the collection's trainer: what learns, what is measured, and what that leaves alone."""

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from bundles.ct_diagnosis_classification.scripts.backbones import build_backbone
from bundles.ct_diagnosis_classification.scripts.network import DiagnosisNetwork, WithSegmentation
from common.engines import ClipGradients, Trainer
from common.evaluation import network_sharpness
from common.losses import LabelLoss, LabelMapLoss, MultitaskLoss
from common.reporting import LogDynamics
from common.reporting.gradient_shares import gradient_shares
from common.sampling import SeededSampler

CROP = (16, 32, 32)


class Volumes(Dataset):
    """Random volumes with two findings and three structures; every other one without a mask."""

    def __len__(self):
        return 4

    def __getitem__(self, key):
        generator = torch.Generator().manual_seed(key.index)
        mask = torch.randint(0, 3, (1, *CROP), generator=generator)
        label = torch.tensor([key.index % 2, 1 - key.index % 2]).float()
        image = torch.randn(1, *CROP, generator=generator)
        return {"image": image, "label": label, "mask": mask if key.index % 2 else torch.full_like(mask, 255)}


def prepare(batch, device, non_blocking, **kwargs):
    return batch["image"], {"label": batch["label"], "mask": batch["mask"]}


def network(architecture="r3d_18", num_structures=3, **options):
    torch.manual_seed(0)
    alone = DiagnosisNetwork(build_backbone(architecture, CROP, **options), 2)
    return WithSegmentation(alone, num_structures) if num_structures else alone


def loss_function(segmentation=True):
    return MultitaskLoss(LabelLoss(), LabelMapLoss() if segmentation else None)


def train(module, handlers=(), segmentation=True):
    loader = DataLoader(Volumes(), batch_size=2, sampler=SeededSampler(4, 0, 2, shuffle=False, drop_last=False))
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-4, weight_decay=1e-4)
    losses = loss_function(segmentation)
    options = {"prepare_batch": prepare, "clip": ClipGradients(5.0), "train_handlers": list(handlers)}
    trainer = Trainer("cpu", 1, loader, module, optimizer, losses, **options)
    trainer.run()
    return trainer


@pytest.mark.slow
def test_following_the_dynamics_changes_no_bit(tmp_path):
    plain, followed = network(), network()
    train(plain)
    handler = LogDynamics(None, tmp_path, sharpness_every=1, dataset=Volumes(), count=2, products=2)
    trainer = train(followed, [handler])
    for key, value in plain.state_dict().items():
        assert torch.equal(value, followed.state_dict()[key]), key
    assert [step for step, _ in handler.curves["sharpness"]] == [1, 2]
    assert trainer.state.losses["with_mask"] == pytest.approx(0.5)


def test_both_tasks_share_the_gradient_and_neither_the_parts_of_a_task_nor_its_counts():
    module = network()
    inputs, targets = prepare(
        next(iter(DataLoader(Volumes(), 2, sampler=SeededSampler(4, 0, 2, shuffle=False)))), "cpu", False
    )
    shares = gradient_shares(loss_function()(module.train()(inputs), targets), list(module.parameters()))
    assert set(shares) == {"diagnosis", "segmentation"} and sum(shares.values()) == pytest.approx(1)
    assert min(shares.values()) > 0


def test_without_segmentation_the_same_command_trains_one_task():
    module = network(num_structures=0)
    before = module.classifier.weight.clone()
    assert set(train(module, segmentation=False).state.losses) == {"loss", "diagnosis"}
    assert not torch.equal(module.classifier.weight, before)


@pytest.mark.parametrize(
    ("architecture", "checkpointing"),
    [
        ("swin3d_t", True),
        ("swin3d_t", False),
        *(
            pytest.param(architecture, checkpointing, marks=pytest.mark.slow)
            for architecture in ("r3d_18", "mvit_v2_s")
            for checkpointing in (False, True)
        ),
    ],
)
def test_every_backbone_has_a_second_derivative(architecture, checkpointing):
    module, losses = network(architecture, checkpointing=checkpointing), loss_function()
    batch = [Volumes()[type("Key", (), {"index": index})] for index in range(2)]
    images, targets = prepare({name: torch.stack([item[name] for item in batch]) for name in batch[0]}, None, False)
    found = network_sharpness(module, lambda: losses(module(images), targets)["loss"], products=3)
    assert found.value > 0 and found.products <= 6, "three in each of at most two rounds"


def test_the_masks_reach_the_backbone_and_not_the_classifier():
    module, losses = network(), loss_function()
    images = torch.randn(2, 1, *CROP)
    targets = {"label": torch.full((2, 2), float("nan")), "mask": torch.randint(0, 3, (2, 1, *CROP))}
    losses(module(images), targets)["loss"].backward()
    assert (
        module.segmenter.weight.grad.abs().sum() > 0
        and module.network.backbone.body.stem[0].weight.grad.abs().sum() > 0
    )
    assert torch.all(module.network.classifier.weight.grad == 0)
    targets = {"label": torch.tensor([[0.0, 1], [1, 0]]), "mask": torch.full((2, 1, *CROP), 255)}
    module.zero_grad()
    losses(module(images), targets)["loss"].backward()
    assert torch.all(module.segmenter.weight.grad == 0) and module.network.classifier.weight.grad.abs().sum() > 0
