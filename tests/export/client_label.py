"""As MONAI Label 0.8.5 serves an exported bundle (its BundleInferTask): FOLDER IMAGE ... Answers to label-<n>.npz."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.inferers import SimpleInferer
from monai.transforms import Compose, LoadImaged

folder, *images = map(Path, sys.argv[1:])


class OwnPath:
    """While the bundle's config is asked: its folder is first on the path, and older `scripts` are forgotten."""

    def __enter__(self):
        sys.path.insert(0, str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == "scripts"]:
            del sys.modules[name]

    def __exit__(self, *_):
        sys.path.remove(str(folder))


def asked(parser, *names):
    with OwnPath():
        found = None
        for name in names:
            if parser.get(name):
                found = parser.get_parsed_content(name, instantiate=True)
        return found


def transforms(parser, *names):
    found = asked(parser, *names) or []
    found = list(found.transforms) if isinstance(found, Compose) else found
    assert isinstance(found, list), f"{names} is one {type(found).__name__}"
    return found


with OwnPath():
    parser = ConfigParser()
    parser.read_config(folder / "configs" / "inference.json")
    parser.config["bundle_root"] = str(folder)
    network = parser.get_parsed_content("network_def", instantiate=True)
network.load_state_dict(torch.load(folder / "models" / "model.pt", weights_only=True))
network.eval()
formats = json.loads((folder / "configs" / "metadata.json").read_text())["network_data_format"]
image_key, pred_key = next(iter(formats["inputs"])), next(iter(formats["outputs"]))
names = formats["outputs"][pred_key]["channel_def"]
labels = {name.lower(): int(number) for number, name in names.items() if name.lower() != "background"}

for number, image in enumerate(images):
    data = {"image": str(image), "image_path": str(image), "model": folder.name}
    before = transforms(parser, "preprocessing", "pre_transforms")
    volumes = len(formats["inputs"][image_key]["spatial_shape"]) == 3
    assert volumes or any(isinstance(transform, LoadImaged) for transform in before)
    for transform in before:
        data = transform(data)
    inferer = asked(parser, "inferer") or SimpleInferer()
    with torch.no_grad():
        data[pred_key] = inferer(data[image_key][None], network)[0]
    for transform in transforms(parser, "postprocessing", "post_transforms"):
        data = transform(data)
    # It resizes the answer to the image's size, and writes it transposed, as its images are (column, row).
    pred, meta = data[pred_key], getattr(data[image_key], "meta", {})
    if formats["outputs"][pred_key]["format"] == "classes":
        written = pred.array  # its writer asks for it
    else:
        sizes = tuple(pred.shape[1:])
        assert tuple(meta.get("spatial_shape", sizes))[-len(sizes) :] == sizes, "the answer would be resized"
        written = np.asarray(pred).transpose()
    np.savez(f"label-{number}.npz", written=written, labels=json.dumps(labels))
