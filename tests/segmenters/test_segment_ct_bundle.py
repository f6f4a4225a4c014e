"""A small MONAI bundle trained on phantom CTs, and its masks made by the command itself."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from ct_files import index_volume
from monai.losses import DiceCELoss
from monai.networks.nets import UNet
from monai.transforms import Compose, EnsureChannelFirst, LoadImage, Orientation, ScaleIntensityRange, Spacing

from common.phantom.ct import NAMES, make_chest
from common.readers import read
from common.segmenters.bundle import BundleError, BundleSegmenter
from common.volumes import Volume, read_organs, read_volume

ROOT = Path(__file__).parents[2]
CHANNELS = {"0": "background", "1": "lung_left", "2": "lung_right", "3": "liver"}
NETWORK = {"spatial_dims": 3, "in_channels": 1, "out_channels": 4, "channels": [8, 16, 32, 32], "strides": [2, 2, 2]}
ROI = (64, 64, 64)
SPACING = (6.0, 2.0, 2.0)  # of a patient a quarter as large, whose CT is small
STEPS = 70
LEAST = (0.8, 0.8, 0.65)  # Dice; halves of the body exchanged would give 0


def parts_of(labels):
    """The channels' numbers."""
    parts = [("lung_upper_lobe_left", "lung_lower_lobe_left"), ("liver",)]
    parts.insert(1, ("lung_upper_lobe_right", "lung_middle_lobe_right", "lung_lower_lobe_right"))
    return sum(np.isin(labels, [NAMES.index(name) for name in names]) * n for n, names in enumerate(parts, 1))


def patient(folder, number, turn):
    """A CT and its masks, saved with nibabel's axes or with them turned."""
    made = make_chest(5, number, size=48, thickness=8.0)
    affine = np.array([[-SPACING[2], 0, 0, 40], [0, -SPACING[1], 0, 30], [0, 0, SPACING[0], -500], [0, 0, 0, 1]])
    for name, values in (("ct", made.hounsfield), ("truth", parts_of(made.labels).astype(np.uint8))):
        image = nibabel.Nifti1Image(values.transpose(2, 1, 0), affine)
        if turn:
            image = nibabel.as_closest_canonical(image).as_reoriented(np.array([[2, 1], [0, -1], [1, 1]]))
        (folder / name).mkdir(parents=True, exist_ok=True)
        nibabel.save(image, folder / name / f"p{number}.nii.gz")


def prepared(path, mode):
    steps = [LoadImage(), EnsureChannelFirst(), Orientation("RAS", labels=None), Spacing((1.5, 1.5, 3.0), mode=mode)]
    steps += [ScaleIntensityRange(-1000, 1000, 0, 1, clip=True)] if mode == "bilinear" else []
    values = Compose(steps)(path).as_tensor()[:, :64, :64, :64]
    padded = torch.zeros(1, *ROI)
    padded[:, : values.shape[1], : values.shape[2], : values.shape[3]] = values
    return padded


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    for number in range(1, 7):
        patient(folder / "train", number, turn=False)
    images, masks = (
        torch.stack([prepared(path, mode) for path in sorted((folder / "train" / kind).iterdir())])
        for kind, mode in (("ct", "bilinear"), ("truth", "nearest"))
    )
    torch.manual_seed(0)
    network = UNet(**NETWORK)
    loss, optimizer = DiceCELoss(to_onehot_y=True, softmax=True), torch.optim.Adam(network.parameters(), 1e-2)
    for step in range(STEPS):
        batch = [step % 6, (step + 2) % 6]
        optimizer.zero_grad()
        loss(network(images[batch]), masks[batch]).backward()
        optimizer.step()
    (folder / "configs").mkdir()
    (folder / "models").mkdir()
    torch.save(network.state_dict(), folder / "models" / "model.pt")
    config = {
        "imports": ["$import os"],
        "bundle_root": ".",
        "device": "$torch.device('cuda')",
        "dataset_dir": "$os.path.join(@bundle_root, 'nowhere')",
        "network_def": {"_target_": "UNet", **NETWORK},
        "network": "$@network_def.to(@device)",
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": list(ROI), "overlap": 0.25},
    }
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    described = {"num_channels": 1, "value_range": [0, 1]}
    formats = {"inputs": {"image": described}, "outputs": {"pred": {"channel_def": CHANNELS}}}
    (folder / "configs" / "metadata.json").write_text(json.dumps({"network_data_format": formats}))
    return folder


def test_masks_lie_where_the_phantom_has_them(bundle, tmp_path, python):
    for number in (21, 22):
        patient(tmp_path, number, turn=number == 22)
    options = ["--backend", "bundle", "--bundle", bundle, "--device", "cpu"]
    script = ROOT / "scripts" / "segment_ct.py"
    done = python(script, tmp_path / "ct", tmp_path / "masks", *options, cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert done.returncode == 0 and "2 made" in done.stdout, done.stderr
    for record in read("ct_folder", tmp_path / "ct", masks=str(tmp_path / "masks")).records:
        made, truth = nibabel.load(record.label_map), nibabel.load(record.image.replace("/ct/", "/truth/"))
        assert made.shape == truth.shape and np.allclose(made.affine, truth.affine, atol=1e-5)
        found = read_organs(record.label_map, list(CHANNELS.values())[1:], read_volume(record.image))
        wanted = np.asarray(nibabel.as_closest_canonical(truth).dataobj)[::-1, ::-1].transpose(2, 1, 0)
        for part, least in enumerate(LEAST, 1):
            dice = 2 * ((found == part) & (wanted == part)).sum() / ((found == part).sum() + (wanted == part).sum())
            assert dice > least, CHANNELS[str(part)]


def test_a_graph_serves_like_the_weights(bundle, tmp_path):
    volume = Volume(np.clip(index_volume((20, 24, 28)) - 900, -1000, 1000).astype(np.int16), (3.0, 1.5, 1.5), (0, 0, 0))
    plain = BundleSegmenter(bundle, "cpu")
    copy = tmp_path / "copy"
    (copy / "models").mkdir(parents=True)
    (copy / "configs").symlink_to(bundle / "configs")
    network = UNet(**NETWORK).eval()
    network.load_state_dict(torch.load(bundle / "models" / "model.pt", weights_only=True))
    torch.jit.trace(network, torch.zeros(1, 1, *ROI)).save(copy / "models" / "model.ts")
    graph = BundleSegmenter(copy, "cpu")
    assert np.array_equal(plain(volume), graph(volume)) and plain.names == graph.names
    assert plain.identity["weights"] != graph.identity["weights"]


def test_its_own_preprocessing_is_run_and_undone(tmp_path):
    """A network that marks what is above 50 HU, if its own window, axes and spacing come before it."""
    for folder in ("configs", "models"):
        (tmp_path / folder).mkdir()
    transforms = [
        {"_target_": "LoadImaged", "keys": "image"},
        {"_target_": "EnsureChannelFirstd", "keys": "image"},
        {"_target_": "Orientationd", "keys": "image", "axcodes": "SPL", "labels": None},
        {"_target_": "Spacingd", "keys": "image", "pixdim": [3.0, 3.0, 2.0]},
        {"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": 0, "a_max": 100, "b_min": 0, "b_max": 1},
    ]
    network = {"_target_": "torch.nn.Conv3d", "in_channels": 1, "out_channels": 2, "kernel_size": 1}
    config = {"network_def": network, "preprocessing": {"_target_": "Compose", "transforms": transforms}}
    (tmp_path / "configs" / "inference.json").write_text(json.dumps(config))
    weights = {"weight": torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1, 1), "bias": torch.tensor([0.5, 0.0])}
    torch.save(weights, tmp_path / "models" / "model.pt")
    outputs = {"pred": {"channel_def": {"0": "background", "1": "organ"}}}
    formats = {"inputs": {"image": {"num_channels": 1, "value_range": [0, 1]}}, "outputs": outputs}
    (tmp_path / "configs" / "metadata.json").write_text(json.dumps({"network_data_format": formats}))
    values = np.full((20, 40, 30), 40, np.int16)
    values[4:14, 6:30, 16:28] = 60  # nearer to one end of every axis
    found = BundleSegmenter(tmp_path, "cpu")(Volume(values, (3.0, 1.5, 1.5), (-7.0, 5.0, 3.0)))
    wanted = values == 60
    assert found.shape == values.shape and set(np.unique(found)) == {0, 1}
    assert 2 * (found * wanted).sum() / (found.sum() + wanted.sum()) > 0.9


def test_a_bundle_that_cannot_serve_is_refused(bundle, tmp_path):
    def refused(message):
        with pytest.raises(BundleError, match=message):
            BundleSegmenter(tmp_path, "cpu")

    refused("metadata.json does not describe")
    (tmp_path / "configs").mkdir()
    stated = json.loads((bundle / "configs" / "metadata.json").read_text())
    file, formats = tmp_path / "configs" / "metadata.json", stated["network_data_format"]
    formats["outputs"]["pred"]["channel_def"] = {"0": "lung"}
    file.write_text(json.dumps(stated))
    refused("channel 0 must be the background")
    formats["outputs"]["pred"]["channel_def"] = CHANNELS
    formats["inputs"]["image"]["num_channels"] = 4
    file.write_text(json.dumps(stated))
    refused("4 channels, and a CT has one")
    formats["inputs"]["image"]["num_channels"] = 1
    file.write_text(json.dumps(stated))
    refused("it is no MONAI bundle")
    config = json.loads((bundle / "configs" / "inference.json").read_text())
    (tmp_path / "configs" / "inference.json").write_text(json.dumps(config))
    refused("neither models/model.pt")
    (tmp_path / "models").mkdir()
    torch.save({"model": {"strange": torch.zeros(1)}}, tmp_path / "models" / "model.pt")
    refused("does not fit network_def")


def test_a_network_without_preprocessing_is_given_right_anterior_superior():
    """Voxels that hold their own place (D, H, W) come in NIfTI's order: x to the right, y to the front, z up."""
    grid = np.stack(np.meshgrid(*(np.arange(side) for side in (3, 4, 5)), indexing="ij"))
    values = (grid * np.array([50, 10, 1])[:, None, None, None]).sum(0).astype(np.int16)
    seen = []
    segmenter = object.__new__(BundleSegmenter)
    segmenter._preprocessing, segmenter._range = None, (-1000.0, 1000.0)
    segmenter._labels = lambda image: seen.append(image[0]) or image.to(torch.uint8)
    labels = segmenter(Volume(values, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)))
    depth, height, width = values.shape
    for x, y, z in np.ndindex(width, height, depth):
        assert seen[0][x, y, z] == values[z, height - 1 - y, width - 1 - x]
    assert np.array_equal(labels, values.astype(np.uint8))  # back at their places
