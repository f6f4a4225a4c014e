"""Any MONAI segmentation bundle as a segmenter of `segment_ct.py`.

What is asked of the bundle: `configs/inference.{json,yaml,yml}` with `network_def` (and `inferer`, a sliding window for
instance; without one the whole volume goes in at once), `models/model.pt` with its weights or `models/model.ts`, and
`configs/metadata.json` that names the channels of its output (`channel_def`, channel 0 the background, one class per
voxel) and the `value_range` of its one-channel input.

Where its configuration has `preprocessing`, as in MONAI's zoo, that is run on a NIfTI file of the volume (1.5 x 1.5 x
3.0 mm, -1000 ... 1000 HU) under the key `image`, and the labels are brought back to the volume by MONAI's `Invertd`.
Without one the network is given (1, 1, X, Y, Z) with axes towards the patient's right, front and head as after MONAI's
`Orientationd(axcodes="RAS")`, 1.5 x 1.5 x 3.0 mm, -1000 ... 1000 HU scaled to `value_range`.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from ..images.formats.nifti_writer import write_nifti
from ..networks.checkpoint_reading import UnreadableCheckpointError, read_checkpoint
from ..volumes import Volume
from ..volumes.file_grid import FileGrid
from ..volumes.geometry import FLIP_RAS, canonical

LOW, HIGH = -1000.0, 1000.0
CONFIGS = ("inference.json", "inference.yaml", "inference.yml")
WRAPPED = ("model", "network", "state_dict")  # keys under which checkpoints keep the network


class BundleError(ValueError):
    """A bundle that cannot serve."""


class BundleSegmenter:
    """A bundle's network with its inferer.

    Args:
        folder: of the bundle.
        device: where it runs.

    Raises:
        BundleError: something that is asked of the bundle is not there.
    """

    def __init__(self, folder: Path, device: str):
        self._device, self._folder = torch.device(device), folder.resolve()
        self.names, self._range = _described(self._folder / "configs" / "metadata.json")
        self._network, self._inferer, weights = self._load()
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
        self.identity = {"backend": "bundle", "bundle": self._folder.name, "weights": digest}

    def _load(self) -> tuple[torch.nn.Module, Any, Path]:
        from monai.bundle import ConfigParser
        from monai.inferers import SimpleInferer

        config = next((path for name in CONFIGS if (path := self._folder / "configs" / name).is_file()), None)
        if config is None:
            raise BundleError(f"{self._folder / 'configs'} has none of {', '.join(CONFIGS)}: it is no MONAI bundle")
        parser = ConfigParser()
        parser.read_config(str(config))
        # MONAI's own command finds a bundle's code so.
        sys.path.insert(0, str(self._folder))
        parser["bundle_root"], parser["device"] = str(self._folder), self._device
        inferer = parser.get_parsed_content("inferer") if "inferer" in parser else SimpleInferer()
        self._preprocessing = parser.get_parsed_content("preprocessing") if "preprocessing" in parser else None
        weights, graph = (self._folder / "models" / name for name in ("model.pt", "model.ts"))
        if weights.is_file() and "network_def" in parser:
            network = parser.get_parsed_content("network_def")
            try:
                state = read_checkpoint(weights)
            except UnreadableCheckpointError as error:
                raise BundleError(str(error)) from None
            state = next((state[key] for key in WRAPPED if isinstance(state.get(key), Mapping)), state)
            try:
                network.load_state_dict(state)
            except RuntimeError as error:
                raise BundleError(f"{weights} does not fit network_def of {config.name}: {error}") from None
        elif graph.is_file():
            try:
                weights, network = graph, torch.jit.load(graph, map_location="cpu")
            except RuntimeError as error:
                raise BundleError(f"{graph} is no TorchScript, or damaged ({error}): download it again") from None
        else:
            problem = (
                f"{self._folder} has neither models/model.pt with network_def in {config.name} nor models/model.ts"
            )
            raise BundleError(f"{problem}: train it, or download its weights")
        return network.to(self._device).eval(), inferer, weights

    @torch.inference_mode()
    def __call__(self, volume: Volume) -> np.ndarray:
        """Label a volume.

        Args:
            volume: Hounsfield units in [-1000, 1000].

        Returns:
            uint8 (D, H, W) as in `names`.
        """
        if self._preprocessing is not None:
            return self._by(self._preprocessing, volume)
        low, high = self._range
        values = (volume.hounsfield.astype(np.float32) - LOW) * ((high - low) / (HIGH - LOW)) + low
        image = np.ascontiguousarray(values.transpose(2, 1, 0)[::-1, ::-1])
        labels = self._labels(torch.from_numpy(image)[None])[0].numpy()
        return np.ascontiguousarray(labels[::-1, ::-1].transpose(2, 1, 0))

    def _by(self, preprocessing: Any, volume: Volume) -> np.ndarray:
        from monai.transforms import Invertd

        with TemporaryDirectory() as folder:
            file = Path(folder) / "volume.nii.gz"
            write_nifti(file, volume.hounsfield.transpose(2, 1, 0), FileGrid.like(volume.grid).affine)
            item = preprocessing({"image": str(file)})
            item["pred"] = self._labels(torch.as_tensor(item["image"]))
            back = Invertd("pred", preprocessing, orig_keys="image", nearest_interp=True)(item)["pred"]
        affine = FLIP_RAS @ back.affine.numpy()
        values, grid = canonical(back[0].to(torch.uint8).numpy(), affine, order=0, outside=0)
        if not grid.matches(volume.grid):
            raise RuntimeError(f"its preprocessing was given {volume.grid} and is inverted to {grid}")
        return values

    def _labels(self, image_1XYZ: torch.Tensor) -> torch.Tensor:
        logits = self._inferer(image_1XYZ[None].to(self._device), self._network)
        if logits.shape[1] <= max(self.names.values()):
            raise RuntimeError(f"its network gives {logits.shape[1]} channels, its metadata names {self.names}")
        return logits[0].argmax(0, keepdim=True).to(torch.uint8).cpu()


def _described(metadata: Path) -> tuple[dict[str, int], tuple[float, float]]:
    """Return the names of the output's channels but the background's, and the range of the input's values."""
    try:
        formats = json.loads(metadata.read_text())["network_data_format"]
        (given,) = formats["inputs"].values()
        if int(given["num_channels"]) != 1:
            raise ValueError(f"the input has {given['num_channels']} channels, and a CT has one")
        low, high = map(float, given["value_range"])
        channels = {str(name): int(number) for number, name in formats["outputs"]["pred"]["channel_def"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"{metadata} does not describe what is needed ({type(error).__name__}: {error})"
        remedy = "Give one input with num_channels 1 and value_range, and an output pred with channel_def"
        raise BundleError(f"{problem}. {remedy}") from None
    background = next((name for name, number in channels.items() if number == 0), "")
    if background.lower() != "background" or len(channels) < 2:
        problem = f"{metadata} names the channels {channels}"
        raise BundleError(f"{problem}: channel 0 must be the background and others structures, one per voxel")
    return {name: number for name, number in channels.items() if number}, (low, high)
