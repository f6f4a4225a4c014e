"""Export a tracked run and keep the network's answer to a probe: BUNDLE RUN OUT."""

import sys
from pathlib import Path

import torch

from common.export import export_bundle

bundle, run, out = map(Path, sys.argv[1:])
exported = export_bundle(bundle, out, run)
if exported.notices:
    sys.exit(" ".join(exported.notices))
torch.save({"images": exported.images, "output": exported.output}, out.parent / "probe.pt")
