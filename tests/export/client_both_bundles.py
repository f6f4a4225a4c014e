"""Load two exported bundles in one process, as MONAI Label does: each has code of its own. FOLDER FOLDER"""

import sys
from pathlib import Path

import torch
from monai.bundle import load

networks = []
for folder in map(Path, sys.argv[1:]):
    sys.path.insert(0, str(folder))
    networks.append(load(folder.name, bundle_dir=folder.parent, workflow_type="inference", device="cpu", source="x"))
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == "scripts"]:
        del sys.modules[name]

one, other = ({type(module) for module in network.modules()} for network in networks)
own = [{kind for kind in kinds if kind.__module__.startswith("scripts.")} for kinds in (one, other)]
if not all(own) or own[0] & own[1]:
    sys.exit(f"the bundles share code: {own[0] & own[1]} of {own}")
for folder, network in zip(map(Path, sys.argv[1:]), networks, strict=True):
    probe = torch.load(folder.parent / "probe.pt", weights_only=True)
    with torch.inference_mode():
        if not torch.equal(network.eval()(probe["images"]), probe["output"]):
            sys.exit(f"{folder.name} answers differently beside the other bundle")
