"""Export a tracked run and keep the network's answer to a probe: BUNDLE RUN OUT [LOGGED].

The network goes to the run's MLflow where the fourth word is there: `torch.export` takes most of an export's time.
"""

import sys
from pathlib import Path

import torch

from common.export import bundle as exporting
from common.export import export_bundle

bundle, run, out = map(Path, sys.argv[1:4])
if not sys.argv[4:]:
    exporting.log_model = lambda *_: None
exported = export_bundle(bundle, out, run)
if exported.notices:
    sys.exit(" ".join(exported.notices))
torch.save({"images": exported.images, "output": exported.output}, out.parent / "probe.pt")
