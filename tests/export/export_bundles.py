"""Small networks with random weights, as a run leaves them."""

from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]
BUNDLES = sorted(path.parent.parent.name for path in (ROOT / "bundles").glob("*/configs/train.yaml"))
# Another size than the bundle's metadata says, and than its smoke preset takes.
SHAPES = {
    "ct_diagnosis_classification": {
        "crop_size": [16, 32, 48],
        "architecture": "r3d_18",
        "architecture_options": {"width": 8},
    },
    "image_classification": {"image_size": 32},
    "image_segmentation": {"image_size": 32, "structures": ["lung", "heart"]},
    "landmark_detection": {"image_size": 32, "landmarks": ["carina", "hilum_left"]},
    "lesion_detection": {"image_size": 32, "findings": ["Nodule"]},
}


def smoke_network(bundle, **changes):
    """The recipe's `network_def` at the smoke size, and its resolved config."""
    from common.command import read_recipe

    configs = ROOT / "bundles" / bundle / "configs"
    parser = read_recipe(configs / "train.yaml", configs / "smoke.yaml")
    parser.update(changes)
    return parser.get_parsed_content("network_def"), parser


def write_run(bundle, folder, **changes):
    """What a training leaves behind that an export needs."""
    from common.evaluation import KeepBest
    from common.networks import save_encoder

    torch.manual_seed(0)
    network, parser = smoke_network(bundle, **changes)
    folder.mkdir(parents=True)
    if bundle.startswith("cxr_"):
        save_encoder(network, folder / "encoder.safetensors", bundle, ["phantom"], "abc")
        torch.save(network.state_dict(), folder / "model.pt")
        return folder
    KeepBest(network, str(folder), parser.get_parsed_content("best#settings"))._write({"metric": "m", "value": 0.5})
    return folder
