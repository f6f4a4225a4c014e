"""As MONAI Deploy App SDK 4.0.0 runs a graph (its MonaiBundleInferenceOperator): MODEL_TS IMAGE_NPY ...

Answers go to <n>.npy.
"""

import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Compose, MapTransform

graph, *images = map(Path, sys.argv[1:])
with zipfile.ZipFile(graph) as archive:
    config, metadata = (json.loads(archive.read(f"model/extra/{name}.json")) for name in ("inference", "metadata"))
parser = ConfigParser()
parser.read_config(config)
parser.read_meta(metadata)
parser.parse()


def filtered(name):
    compose = parser.get_parsed_content(name)
    compose.transforms = tuple(
        transform
        for transform in compose.transforms
        if not any(part in type(transform).__name__ for part in ("LoadImage", "SaveImage"))
    )
    return compose


device, inferer = parser.get_parsed_content("device"), parser.get_parsed_content("inferer")
before, after = filtered("preprocessing"), filtered("postprocessing")
network = torch.jit.load(graph, map_location=device).eval()
for number, image in enumerate(images):
    spacing = torch.diag(torch.tensor([0.7, 0.7, 1.0, 1.0], dtype=torch.float64))
    data = before({"image": MetaTensor(np.load(image), affine=spacing)})
    assert isinstance(data["image"], MetaTensor) and data["image"].meta is not None
    with torch.no_grad():
        pred = inferer(inputs=data["image"][None].to(device), network=network)[0]
    if isinstance(after, Compose) and after.transforms and isinstance(after.transforms[0], MapTransform):
        pred = after({"pred": pred, **data})["pred"]
    np.save(f"{number}.npy", np.asarray(pred))
