"""Export a run and keep the network's answer to a probe: BUNDLE RUN OUT [OVERLAY ...]."""

import sys
from pathlib import Path

import torch

from common.export import export_bundle

bundle, run, out, *overlays = map(Path, sys.argv[1:])
exported = export_bundle(bundle, out, run, overlays)
torch.save({"images": exported.images, "output": exported.output}, out.parent / "probe.pt")
