"""Every kind of expert against the network it was made of, and what is refused before the first step."""

import json
import shutil

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from common.evaluation.best import network_settings
from common.networks import Classifier, build_encoder, save_encoder
from common.teachers import NetworkExpert, encoder_expert, load_expert, seeded_expert

SIZE = 16
OPTIONS = {"patch_size": 8, "embed_dim": 24, "depth": 1, "num_heads": 2, "class_token": False, "global_pool": "avg"}
IMAGES = torch.rand(3, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
WHOLE = (0.0, 0.0, 1.0, 1.0)


class Features(nn.Module):
    """A foreign network with batch norm and dropout, which tell training mode from evaluation."""

    def __init__(self, channels: int = 1):
        super().__init__()
        torch.manual_seed(3)
        self.conv = nn.Conv2d(channels, 5, 3)
        self.norm = nn.BatchNorm2d(5)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.norm(self.conv(x))).mean((2, 3))


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(1)
    return build_encoder("vit_tiny_patch16_224", 1, SIZE, options=OPTIONS).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, encoder):
    """Files of every kind, by name."""
    folder = tmp_path_factory.mktemp("experts")
    save_encoder(encoder, folder / "pretraining" / "encoder.safetensors")
    classifier = Classifier(encoder, 2)
    (folder / "classification").mkdir()
    torch.save(classifier.state_dict(), folder / "classification" / "model.pt")
    (folder / "classification" / "network.json").write_text(json.dumps(network_settings(classifier)))
    torch.save(classifier.state_dict(), folder / "classifier.pth")
    features = Features().eval()
    torch.jit.trace(features, IMAGES).save(str(folder / "graph.pt"))
    torch.onnx.export(
        features, (IMAGES,), folder / "graph.onnx", dynamic_shapes=({0: torch.export.Dim("B")},), verbose=False
    )
    (folder / "notes.txt").write_text("no network")
    torch.save({"state_dict": encoder.body.state_dict()}, folder / "bare.pth")
    return folder


@pytest.mark.parametrize(
    "name", ["pretraining", "pretraining/encoder.safetensors", "classification", "classification/model.pt"]
)
def test_our_own_files_give_their_encoder(folder, encoder, name):
    expert = load_expert(folder / name)
    assert (expert.embed_dim, expert.image_size, expert.channels) == (24, SIZE, 1)
    torch.testing.assert_close(expert.embed(IMAGES, {}), encoder.embed(IMAGES).detach())


@pytest.mark.parametrize("name", ["classifier.pth", "bare.pth"])
def test_weights_that_do_not_describe_themselves_take_it_from_the_arguments(folder, encoder, name):
    with pytest.raises(ValueError, match="architecture"):
        load_expert(folder / name, image_size=SIZE, channels=1)
    expert = load_expert(
        folder / name, architecture="vit_tiny_patch16_224", options=OPTIONS, image_size=SIZE, channels=1
    )
    torch.testing.assert_close(expert.embed(IMAGES, {}), encoder.embed(IMAGES).detach())


@pytest.mark.parametrize("name", ["graph.pt", "graph.onnx"])
def test_graphs_of_others_are_normalised_by_the_arguments(folder, name):
    expert = load_expert(folder / name, image_size=SIZE, mean=0.4, std=[0.2])
    expected = Features().eval()((IMAGES - 0.4) / 0.2)
    assert expert.embed_dim == 5
    torch.testing.assert_close(expert.embed(IMAGES, {}), expected.detach(), rtol=1e-4, atol=1e-5)
    expert.check([])


def test_an_onnx_graph_tells_its_size_and_a_torchscript_file_cannot(folder):
    assert load_expert(folder / "graph.onnx").image_size == SIZE
    with pytest.raises(ValueError, match=r"graph\.pt.*image_size"):
        load_expert(folder / "graph.pt")


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        (None, ValueError, "disease_file is null"),
        ("notes.txt", ValueError, r"disease_file is .*notes\.txt, of no kind"),
        ("nothing.onnx", FileNotFoundError, "disease_file"),
        (".", FileNotFoundError, r"encoder\.safetensors"),
    ],
)
def test_what_is_no_expert_is_refused_by_its_key(folder, name, error, says):
    with pytest.raises(error, match=says):
        load_expert(None if name is None else folder / name, "disease_file")


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("graph.pt", {"architecture": "resnet18", "image_size": SIZE}),
        ("graph.onnx", {"key_map": {"a": "b"}}),
        ("classification", {"mean": 0.5}),
        ("classification/model.pt", {"options": OPTIONS}),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(folder, name, given):
    with pytest.raises(ValueError, match=f"what {next(iter(given))} would say"):
        load_expert(folder / name, **given)


def test_images_are_brought_to_the_expert_s_size_and_channels():
    network = Features(3).eval()
    expert = NetworkExpert(network, SIZE, channels=3)
    grey = torch.rand(2, 1, 2 * SIZE, 2 * SIZE)
    small = F.interpolate(grey, (SIZE, SIZE), mode="bilinear", antialias=True)
    torch.testing.assert_close(expert.embed(grey, {}), network(small.expand(-1, 3, -1, -1)).detach())
    colour = torch.rand(2, 3, SIZE, SIZE)
    expected = Features(1).eval()(colour.mean(1, keepdim=True)).detach()
    torch.testing.assert_close(NetworkExpert(Features(1), SIZE).embed(colour, {}), expected)


def test_an_expert_stays_frozen_in_evaluation_mode_and_out_of_the_student():
    network = Features().train()
    holder = nn.ModuleDict({"expert": NetworkExpert(network, SIZE)})
    holder.train()
    assert not any(module.training for module in network.modules())
    assert not list(holder.parameters()) and not holder.state_dict()
    images = IMAGES.clone().requires_grad_()
    before = network.norm.running_mean.clone()
    assert not holder["expert"].embed(images, {}).requires_grad
    assert torch.equal(network.norm.running_mean, before)
    holder.to(torch.float64)
    assert network.conv.weight.dtype == torch.float64
    holder["expert"].check([])


def test_a_trainable_expert_is_an_error():
    expert = NetworkExpert(Features(), SIZE)
    expert.network.conv.bias.requires_grad_()
    with pytest.raises(RuntimeError, match=r"conv\.bias and 0 more parameters are trainable"):
        expert.check([])
    expert = NetworkExpert(Features(), SIZE)
    expert.network.norm.train()
    with pytest.raises(RuntimeError, match=r"training mode \(norm\)"):
        expert.check([])


def test_a_network_that_gives_maps_is_refused():
    with pytest.raises(ValueError, match=r"\(2, 5, 14, 14\).*one vector"):
        NetworkExpert(nn.Conv2d(1, 5, 3), SIZE)


def test_a_seeded_expert_is_the_same_every_time_and_leaves_the_global_generator():
    torch.manual_seed(5)
    first = seeded_expert("vit_tiny_patch16_224", 1, OPTIONS, SIZE)
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))
    again, other = (seeded_expert("vit_tiny_patch16_224", seed, OPTIONS, SIZE) for seed in (1, 2))
    assert torch.equal(first.embed(IMAGES, {}), again.embed(IMAGES, {}))
    assert not torch.allclose(first.embed(IMAGES, {}), other.embed(IMAGES, {}))
    assert first.fingerprint == again.fingerprint != other.fingerprint


def test_fingerprints_follow_the_weights(folder, encoder, tmp_path):
    path = shutil.copyfile(folder / "pretraining" / "encoder.safetensors", tmp_path / "copy.safetensors")
    assert load_expert(path).fingerprint == load_expert(folder / "pretraining").fingerprint
    assert encoder_expert(encoder).fingerprint == load_expert(path).fingerprint
    other = build_encoder("vit_tiny_patch16_224", 1, SIZE, options=OPTIONS)
    assert encoder_expert(other).fingerprint != load_expert(path).fingerprint


class AnySize(nn.Module):
    """Takes every size and number of channels."""

    def forward(self, x):
        return torch.stack([x.mean((1, 2, 3)), x.amax((1, 2, 3))], dim=1)


@pytest.mark.parametrize("suffix", [".pt", ".onnx"])
def test_one_graph_prepared_in_two_ways_has_two_fingerprints(tmp_path, suffix):
    path = tmp_path / f"graph{suffix}"
    if suffix == ".pt":
        torch.jit.trace(AnySize(), IMAGES).save(str(path))
    else:
        free = {name: torch.export.Dim(name) for name in "BCHW"}
        shapes = ({axis: free[name] for axis, name in enumerate("BCHW")},)
        torch.onnx.export(
            AnySize().eval(), (torch.rand(2, 3, SIZE, SIZE + 2),), path, dynamic_shapes=shapes, verbose=False
        )
    ways = [{}, {"image_size": 2 * SIZE}, {"channels": 3}, {"mean": 0.4}, {"std": 0.4}, {"mean": 0.4, "std": 0.4}]
    prints = [load_expert(path, **{"image_size": SIZE, **way}).fingerprint for way in ways]
    assert len(set(prints)) == len(ways)
    same = {"image_size": SIZE, "channels": 3}
    one, three = (load_expert(path, mean=mean, **same).fingerprint for mean in (0.4, [0.4] * 3))
    assert one == three


def test_one_file_s_parts_options_and_normalisation_have_fingerprints_of_their_own(folder, encoder, tmp_path):
    other = build_encoder("vit_tiny_patch16_224", 1, SIZE, options=OPTIONS).body.state_dict()
    torch.save({"student": other, "teacher": encoder.body.state_dict()}, tmp_path / "both.pth")
    known = {"architecture": "vit_tiny_patch16_224", "image_size": SIZE, "channels": 1}
    four_heads = {"options": OPTIONS | {"num_heads": 4}}
    ways = [{}, {"part": "student"}, {"mean": 0.4}, {"std": 0.4}, four_heads]
    prints = [load_expert(tmp_path / "both.pth", **{"options": OPTIONS, **known, **way}).fingerprint for way in ways]
    assert len(set(prints)) == len(ways)
    run = shutil.copytree(folder / "classification", tmp_path / "run")
    said = json.loads((run / "network.json").read_text())
    (run / "network.json").write_text(json.dumps(said | {"mean": [0.1]}))
    assert load_expert(run).fingerprint != load_expert(folder / "classification").fingerprint
