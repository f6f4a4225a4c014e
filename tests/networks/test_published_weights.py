"""Files built as their authors lay them out; the loaded encoder must compute what the original weights compute."""

import os
import re
import warnings
from argparse import Namespace

import pytest
import torch
from safetensors.torch import save_file

from common.networks import PoorMatchError, UnreadableCheckpointError, build_encoder, load_encoder

CHEST = {"mean": (0.5056,) * 3, "std": (0.252,) * 3}


def bare(encoder):
    return {key.removeprefix("body."): value.clone() for key, value in encoder.state_dict().items()}


def original_swin(encoder):
    """Names and buffers of the original Swin: merging at the end of the stage before, masks and indices stored."""
    names = {
        key: re.sub(r"layers\.(\d)\.downsample", lambda m: f"layers.{int(m[1]) - 1}.downsample", key)
        for key in bare(encoder)
    }
    weights = {names[key]: value for key, value in bare(encoder).items()}
    weights["layers.0.blocks.1.attn_mask"] = torch.zeros(4, 16, 16)
    weights["layers.0.blocks.0.attn.relative_position_index"] = torch.zeros(16, 16, dtype=torch.long)
    return {**weights, "head.weight": torch.zeros(5, encoder.embed_dim), "head.bias": torch.zeros(5)}


def prefixed(weights, prefix):
    return {prefix + key: value for key, value in weights.items()}


def heads(prefix="module."):
    return {prefix + "head.last_layer.weight_v": torch.rand(8, 4), prefix + "dense.0.weight": torch.rand(4, 4)}


def args():
    return Namespace(lr=5e-4, arch="swin_base", weights=None, sizes=[448, 448])


def check(path, source, twin=None, **arguments):
    """Load grey, and compare with the three-channel source on the same grey images."""
    description = source.description
    arguments = {"image_size": description.image_size, "options": description.options, "in_channels": 1, **arguments}
    encoder, report = load_encoder(path, description.architecture, **arguments)
    assert report.share == 1
    x = torch.rand(2, 1, description.image_size, description.image_size)
    expected = source.eval().embed(x.expand(-1, 3, -1, -1))
    difference = (encoder.eval().embed(x) - expected).abs().max()
    assert difference < 1e-4 * expected.abs().max()
    if twin is not None:
        assert (encoder.embed(x) - twin.eval().embed(x.expand(-1, 3, -1, -1))).abs().max() > 1e-3
    return encoder, report


@pytest.mark.parametrize("part", ["teacher", "student"])
def test_ace(small, tmp_path, part):
    teacher, student = (small("swin", in_channels=3, **CHEST) for _ in range(2))
    files = {
        name: {**prefixed(original_swin(encoder), "module.backbone."), **heads()}
        for name, encoder in (("teacher", teacher), ("student", student))
    }
    path = tmp_path / "checkpoint.pth"
    losses = {"barlow_loss": {}, "dino_loss": {"center": torch.zeros(1, 8)}}
    torch.save({**files, "optimizer": {"state": {}}, "epoch": 3, "args": args(), **losses}, path)
    wanted, other = (teacher, student) if part == "teacher" else (student, teacher)
    encoder, report = check(path, wanted, twin=other, part=part)
    assert report.layout == f"ACE {part}" and encoder.description.method == f"ACE {part}"
    assert encoder.description.mean == pytest.approx((0.5056,))
    assert set(report.unused) == {"head.weight", "head.bias"}


def test_leader(small, tmp_path):
    student = small("swin", in_channels=3)
    path = tmp_path / "checkpoint.pth"
    weights = {**prefixed(original_swin(student), "module.backbone."), **heads()}
    torch.save({"student": weights, "optimizer": {}, "epoch": 9, "args": args()}, path)
    assert check(path, student)[1].layout == "LeADER"


@pytest.mark.parametrize("bare_file", [False, True])
def test_adam_and_moco(small, tmp_path, bare_file):
    query, key = (small("resnet", in_channels=3) for _ in range(2))
    path = tmp_path / "checkpoint.pth.tar"
    projector = {"fc.0.weight": torch.rand(4, 4), "fc.0.bias": torch.rand(4), "fc.2.weight": torch.rand(4, 4)}
    encoder_q = {**bare(query), **projector}
    if bare_file:
        torch.save(encoder_q, path)
    else:
        state = {
            **prefixed(encoder_q, "module.encoder_q."),
            **prefixed(bare(key), "module.encoder_k."),
            "module.queue": torch.rand(4, 16),
            "module.queue_ptr": torch.zeros(1, dtype=torch.long),
        }
        torch.save({"epoch": 1, "arch": "resnet18", "state_dict": state, "optimizer": {}, "best_loss": 0.5}, path)
    encoder, report = load_encoder(path, "resnet18", in_channels=3)
    x = torch.rand(2, 3, 64, 64)
    assert torch.equal(encoder.eval().embed(x), query.eval().embed(x))
    assert set(report.unused) == set(projector)
    assert encoder.description.mean == (0.485, 0.456, 0.406)


def test_srhrs(small, tmp_path):
    teacher, student = (small("resnet", in_channels=3) for _ in range(2))
    path = tmp_path / "srhrs.pth"
    state = {
        **prefixed(bare(student), "online_encoder."),
        **prefixed(bare(teacher), "target_encoder."),
        "online_projector.0.weight": torch.rand(4, 4),
    }
    torch.save({"epoch": 1, "model_state_dict": state, "optimizer_state_dict": {}}, path)
    x = torch.rand(2, 3, 64, 64)
    for part, expected in (("teacher", teacher), ("student", student)):
        encoder, report = load_encoder(path, "resnet18", in_channels=3, part=part)
        assert report.layout == f"SRHRS {part}"
        assert torch.equal(encoder.eval().embed(x), expected.eval().embed(x))


@pytest.mark.parametrize("prefix", ["module.", "module.backbone."])
def test_ark(small, tmp_path, prefix):
    teacher, student = (small("swin", in_channels=3) for _ in range(2))
    path = tmp_path / "ark.pth.tar"
    parts = {
        "state_dict": prefixed(original_swin(student), prefix),
        "teacher": prefixed(original_swin(teacher), prefix),
    }
    torch.save({"epoch": 1, "lossMIN": 0.1, **parts, "optimizer": {}, "scheduler": {}}, path)
    assert check(path, teacher, twin=student)[1].layout == "Ark teacher"


@pytest.mark.parametrize("kind", ["timm.safetensors", "timm.pth", "original.pth", "legacy.pth"])
def test_imagenet_swin(small, tmp_path, kind):
    source = small("swin", in_channels=3)
    path = tmp_path / kind
    if kind == "timm.safetensors":
        save_file({**bare(source), "head.fc.weight": torch.zeros(5, 128)}, path, metadata={"format": "pt"})
    elif kind == "timm.pth":
        torch.save(bare(source), path)
    else:
        torch.save({"model": original_swin(source)}, path, _use_new_zipfile_serialization=kind == "original.pth")
    check(path, source)


def test_vit_normalisation_follows_the_tag(small, tmp_path):
    source = small("vit", in_channels=3, mean=0.5, std=0.5)
    path = tmp_path / "vit.safetensors"
    save_file(bare(source), path)
    check(path, source)
    encoder, _ = load_encoder(
        path, "vit_tiny_patch16_224.augreg_in21k", in_channels=3, image_size=64, options=source.description.options
    )
    assert encoder.description.architecture == "vit_tiny_patch16_224" and encoder.description.mean == (0.5,) * 3
    with pytest.raises(ValueError, match="tag"):
        load_encoder(path, "vit_tiny_patch16_224.nonsense")


@pytest.mark.slow
def test_swin_base_of_imagenet_at_448(tmp_path):
    source = build_encoder("swin_base_patch4_window7_224", in_channels=3, image_size=224)
    path = tmp_path / "swin.pth"
    torch.save({"model": original_swin(source)}, path)
    encoder, report = load_encoder(path, "swin_base_patch4_window7_224", in_channels=1, image_size=448)
    assert report.share == 1 and not report.resampled
    assert encoder.eval().tokens(torch.rand(1, 1, 448, 448)).shape == (1, 1024, 14, 14)


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_is_refused_and_not_run(small, tmp_path, zipped):
    trap = tmp_path / "trap"
    path = tmp_path / "bad.pth"
    weights = bare(small("resnet"))
    torch.save({"state_dict": weights, "x": Malicious(str(trap))}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UnreadableCheckpointError, match=r"posix.mkdir.*could run any code.*save only the state_dict"):
        load_encoder(path, "resnet18")
    assert not trap.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (b"GIF89a and so on", "Cannot read weights"), (b"PK\x03\x04 torn zip", "damaged")],
)
def test_what_is_no_weights_file(tmp_path, content, words):
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    with pytest.raises(UnreadableCheckpointError, match=words):
        load_encoder(path, "resnet18")


def test_no_weights_inside(tmp_path):
    path = tmp_path / "x.pth"
    torch.save([torch.zeros(1)], path)
    with pytest.raises(UnreadableCheckpointError, match="holds a list"):
        load_encoder(path, "resnet18")
    torch.save({"epoch": 1, "args": args()}, path)
    with pytest.raises(ValueError, match="top-level keys are epoch, args"):
        load_encoder(path, "resnet18")


def test_architecture_is_needed_for_foreign_files(small, tmp_path):
    path = tmp_path / "x.pth"
    torch.save(bare(small("resnet")), path)
    with pytest.raises(ValueError, match="set architecture"):
        build_encoder(file=path)


def test_poor_match_names_nearest_keys(small, tmp_path):
    path = tmp_path / "x.pth"
    torch.save({key.replace(".", "/"): value for key, value in bare(small("resnet")).items()}, path)
    with pytest.raises(PoorMatchError, match=r"0% .*conv1.weight is missing \(nearest in the file: conv1/") as refused:
        load_encoder(path, "resnet18")
    assert "no resnet18" in str(refused.value) and refused.value.report.share == 0
    torch.save(bare(small("resnet", in_channels=3)), path)
    with pytest.raises(PoorMatchError, match=r"looks like a ResNet without bottlenecks.*Set architecture"):
        load_encoder(path, "vit_tiny_patch16_224")
    with pytest.raises(PoorMatchError, match=r"has shape"):
        load_encoder(path, "resnet50")


def test_a_few_missing_weights_are_told(small, tmp_path):
    source = small("swin", in_channels=3)
    weights = bare(source)
    del weights["norm.bias"]
    weights["norm.weight"] = torch.zeros(3)
    path = tmp_path / "x.pth"
    torch.save(weights, path)
    description = source.description
    with pytest.warns(UserWarning, match="missing, left random: norm.bias"):
        _, report = load_encoder(path, description.architecture, image_size=128, options=description.options)
    assert report.missing == ("norm.bias",) and report.mismatched == {"norm.weight": ((3,), (128,))}
    assert 0.95 < report.share < 1


def test_old_files_without_batch_counters_are_whole(small, tmp_path):
    weights = {key: value for key, value in bare(small("resnet")).items() if "num_batches" not in key}
    path = tmp_path / "x.pth"
    torch.save(weights, path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert load_encoder(path, "resnet18")[1].share == 1


@pytest.mark.parametrize("architecture", ["resnet", "swin", "vit"])
def test_any_other_naming_comes_in_by_a_key_map(small, tmp_path, architecture):
    source = small(architecture, in_channels=3)
    theirs = {f"net.trunk.{key}".replace(".weight", ".gamma"): value for key, value in bare(source).items()}
    torch.save({"model": {**theirs, "net.queue": torch.rand(4, 9)}, "step": 3}, tmp_path / "theirs.pth")
    key_map = {r"^net\.trunk\.": "", r"\.gamma$": ".weight", "^net.queue$": ""}
    described = source.description
    wanted = {"in_channels": 3, "image_size": described.image_size, "options": described.options}
    encoder, report = load_encoder(tmp_path / "theirs.pth", described.architecture, **wanted, key_map=key_map)
    assert report.share == 1 and not report.unused
    assert all(torch.equal(value, source.state_dict()[key]) for key, value in encoder.state_dict().items())
    with pytest.raises(PoorMatchError):
        load_encoder(tmp_path / "theirs.pth", described.architecture, **wanted)


@pytest.mark.parametrize(("key_map", "words"), [({".*weight": "w"}, "two names"), ({"(": ""}, "no regular expression")])
def test_a_key_map_that_cannot_work_is_refused(small, tmp_path, key_map, words):
    source = small("resnet", in_channels=3)
    torch.save(bare(source), tmp_path / "theirs.pth")
    with pytest.raises(ValueError, match=words):
        check(tmp_path / "theirs.pth", source, key_map=key_map)
