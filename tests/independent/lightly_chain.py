"""MoCo v2, DINO and BYOL twice on the same images: by this project, and by lightly's losses and heads in a plain loop.

    python tests/independent/lightly_chain.py data/phantom curves.json --methods moco byol dino --seeds 0 1 --steps 250

The two share the images, the crops, the architecture and the probes. Encoder, normalisation, heads, losses, bank,
moving average, optimiser and schedule of the other side are timm's, lightly's, PyTorch's and this file's.
"""

import argparse
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch import Tensor, nn

from common.command import read_recipe
from common.evaluation.probes import landmark_retrieval, patch_probe, spread
from common.images import StoreImages, open_store
from common.networks import torchvision_shim  # noqa: F401  timm and lightly import torchvision
from common.readers import read

import timm  # isort: skip

os.environ["LIGHTLY_DID_VERSION_CHECK"] = "True"  # it would ask its server for a newer version
WIDTHS, STRIDE = [16, 32, 64, 128], 16
BATCH, RATE, MOMENTUM, BANK, CODES, WARMUP = 32, 1.0e-3, 0.99, 64, 256, 2
RECIPES: dict[str, tuple[str, list[str], dict[str, Any], tuple[str, str]]] = {
    "moco": ("cxr_adam", ["small"], {"bank_size": BANK}, ("query", "key")),
    "byol": ("cxr_srhrs", ["small", "byol"], {}, ("first", "second")),
    "dino": ("cxr_ace", ["small", "ablations/dino"], {"codes": CODES}, ("fine", "coarse")),
}
"""Bundle, overlays, overrides and the names of the two crops."""
Point = dict[str, float]


@dataclass(frozen=True)
class Setting:
    """What both sides are given: a recipe, its loader, and how long they train."""

    parser: ConfigParser
    crops: tuple[str, str]
    steps: int

    def batches(self) -> Iterator[dict[str, Any]]:
        """As many batches as steps; the sampler goes on to its next epoch by itself."""
        loader, done = self.parser.get_parsed_content("train#dataloader"), 0
        while True:
            for batch in loader:
                yield batch
                done += 1
                if done == self.steps:
                    return


def setting(method: str, data: str, seed: int, steps: int, scratch: Path) -> Setting:
    """A method's small recipe with the network, rate and moving average that both sides have."""
    bundle, overlays, overrides, crops = RECIPES[method]
    configs = Path("bundles") / bundle / "configs"
    parser = read_recipe(*(configs / f"{name}.yaml" for name in ("train", *overlays)))
    parser.update({"dataset_dir": data, "output_root": str(scratch), "num_workers": 0, "seed": seed, "run_name": "x"})
    parser.update({"architecture": "resnet18", "encoder_options": {"channels": WIDTHS, "output_stride": STRIDE}})
    parser.update({"batch_size": BATCH, "momentum#base": MOMENTUM, "momentum#final": MOMENTUM, **overrides})
    parser.update({"network_def#mean": 0.5056, "network_def#std": 0.252, "store_size": 160})
    parser.get_parsed_content("initialize", instantiate=False)
    torch.manual_seed(seed)
    return Setting(parser, crops, steps)


def rate_at(step: int, steps: int, steps_of_epoch: int) -> float:
    """Linear warm-up over two epochs, then a half cosine to nothing."""
    warm = WARMUP * steps_of_epoch
    if step < warm:
        return RATE * step / warm
    return RATE / 2 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


class Theirs(nn.Module):
    """timm's network with lightly's head."""

    def __init__(self, head: nn.Module):
        super().__init__()
        options: dict[str, Any] = {"channels": WIDTHS, "output_stride": STRIDE}
        self.body = timm.create_model("resnet18", pretrained=False, in_chans=1, num_classes=0, **options)
        self.head = head

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.body.forward_features((images - 0.5056) / 0.252)
        return tokens.mean((2, 3)), tokens

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.encode(images)[0])


def lightly_loss(method: str) -> tuple[Theirs, nn.Module | None, Callable[..., Tensor]]:
    """Network, predictor, and the loss of two student's and two teacher's outputs, all of lightly."""
    from lightly.loss import DINOLoss, NegativeCosineSimilarity, NTXentLoss
    from lightly.models.modules.heads import (
        BYOLPredictionHead,
        BYOLProjectionHead,
        DINOProjectionHead,
        MoCoProjectionHead,
    )

    if method == "moco":
        contrast = NTXentLoss(temperature=0.2, memory_bank_size=(BANK, 128))
        return Theirs(MoCoProjectionHead(WIDTHS[-1], 512, 128)), None, lambda s, _s, _t, t: contrast(s, t)
    if method == "byol":
        regression = NegativeCosineSimilarity()
        # the second norm is SRHRS's, whose projector our BYOL shares (methods C14)
        head = nn.Sequential(BYOLProjectionHead(WIDTHS[-1], 512, 256), nn.BatchNorm1d(256, affine=False))
        network = Theirs(head)
        return network, BYOLPredictionHead(256, 512, 256), lambda a, b, x, y: regression(a, y) + regression(b, x)
    distil = DINOLoss(CODES, warmup_teacher_temp_epochs=1)
    head = DINOProjectionHead(WIDTHS[-1], 512, 256, CODES)
    return Theirs(head), None, lambda a, b, x, y: distil([x, y], [a, b], epoch=1)


@dataclass(frozen=True)
class Side:
    """What one side trains.

    Args:
        trained: parameters.
        judged: the encoder that the probes look at.
        loss: of a batch of the loader.
        follow: moves the teacher, after a step.
    """

    trained: Sequence[nn.Parameter]
    judged: Any
    loss: Callable[[dict[str, Any]], Tensor]
    follow: Callable[[], None]


def theirs(method: str, given: Setting) -> Side:
    """Everything but the crops is lightly's."""
    from lightly.models.utils import deactivate_requires_grad, update_momentum

    network, predictor, loss_of = lightly_loss(method)
    teacher = lightly_loss(method)[0]
    teacher.load_state_dict(network.state_dict())
    deactivate_requires_grad(teacher)
    view = given.parser.get_parsed_content("view")

    def loss(batch: dict[str, Any]) -> Tensor:
        crops = view.render(batch["image"], batch["view"])
        a, b = (crops[name] for name in given.crops)
        if method == "moco":
            return loss_of(network(a), None, None, teacher(b))
        both, aim = network(torch.cat([a, b])), teacher(torch.cat([a, b])).detach()
        return loss_of(*(both if predictor is None else predictor(both)).chunk(2), *aim.chunk(2))

    trained = [*network.parameters(), *(predictor.parameters() if predictor is not None else ())]
    judged = network if method == "moco" else teacher
    return Side(trained, judged, loss, lambda: update_momentum(network, teacher, MOMENTUM))


def ours(given: Setting) -> Side:
    """The recipe's method: views, losses, heads, bank and average."""
    method = given.parser.get_parsed_content("method").train()
    trained = [parameter for parameter in method.parameters() if parameter.requires_grad]
    return Side(
        trained,
        method.transferred_encoder,
        lambda batch: method(batch)["loss"],
        lambda: method.update_teacher(MOMENTUM),
    )


def train(side: Side, given: Setting, probe: Callable[[Any], Point], every: int) -> list[Point]:
    """A plain loop with PyTorch's AdamW; the losses of a point are those of the steps since the last one."""
    optimizer = torch.optim.AdamW(side.trained, lr=RATE, weight_decay=0.04)
    points, losses = [{"step": 0, **probe(side.judged)}], list[float]()
    per_epoch = len(given.parser.get_parsed_content("train#dataloader"))
    for step, batch in enumerate(given.batches()):
        optimizer.param_groups[0]["lr"] = rate_at(step, given.steps, per_epoch)
        loss = side.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        side.follow()
        losses.append(loss.item())
        if (step + 1) % every == 0:
            points.append({"step": step + 1, "loss": sum(losses) / len(losses), **probe(side.judged)})
            losses.clear()
    return points


def prober(data: str, scratch: Path, limit: int = 100, size: int = 128) -> Callable[[Any], Point]:
    """The probes on test images."""
    store = open_store(read("chestxray14", data).subset("test", limit=limit), scratch / "stores", size, 1)
    images = StoreImages(store, ["lung"])
    items = [images[index] for index in range(len(images))]
    pixels = torch.stack([item["image"] for item in items]).float()
    pixels = pixels / 255 if pixels.max() > 1 else pixels
    landmarks, masks = (torch.stack([torch.as_tensor(item[key]) for item in items]) for key in ("landmarks", "mask"))
    patients = [item["patient_id"] for item in items]

    def probe(encoder: Any) -> Point:
        modes = {module: module.training for module in encoder.modules()}  # a teacher's norms alone are in training
        encoder.eval()
        with torch.no_grad():
            embedding, tokens = (torch.cat(parts) for parts in zip(*map(encoder.encode, pixels.split(25)), strict=True))
        for module, mode in modes.items():
            module.training = mode
        found = landmark_retrieval(tokens, landmarks.float(), patients)
        found |= patch_probe(tokens, masks.squeeze(1), patients) | spread(embedding)
        return {name: round(value, 5) for name, value in found.items()}

    return probe


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="phantoms of scripts/make_phantom.py")
    parser.add_argument("out", type=Path, help="JSON with all curves; what is there is not trained again")
    parser.add_argument("--methods", nargs="+", choices=sorted(RECIPES), default=sorted(RECIPES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--scratch", type=Path, default=Path("runs"), help="for stores")
    given = parser.parse_args(words)
    curves = json.loads(given.out.read_text()) if given.out.exists() else {}
    probe = prober(given.data, given.scratch)
    for seed in given.seeds:
        for method in given.methods:
            for side in ("ours", "lightly"):
                name = f"{method}-{side}-seed{seed}"
                if name in curves:
                    continue
                task = setting(method, given.data, seed, given.steps, given.scratch)
                made = ours(task) if side == "ours" else theirs(method, task)
                curves[name] = train(made, task, probe, given.every)
                print(name, curves[name][-1], flush=True)
                given.out.write_text(json.dumps(curves, indent=1) + "\n")


if __name__ == "__main__":
    main()
