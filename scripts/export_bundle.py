"""Turn a bundle and one of its runs into a folder that stands alone.

Example:
    python scripts/export_bundle.py cxr_ace --run runs/cxr_ace/ace-chestxray14-seed0 --out exported/cxr_ace
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from common.command.excepthook import cause
from common.export import ExportError, add_onnx, add_torchscript, export_bundle, largest_difference

ROOT = Path(__file__).resolve().parent.parent
logger = logging.getLogger("common.export")


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", help="name below bundles/, or a bundle's folder")
    parser.add_argument("--run", type=Path, required=True, help="output folder of a training run")
    parser.add_argument("--out", type=Path, required=True, help="folder to write, which must not exist yet")
    parser.add_argument("--weights", type=Path, help="state dict of network_def, instead of the run's model.pt")
    parser.add_argument(
        "--config", type=Path, nargs="+", default=[], help="overlays, for a run whose config is not tracked"
    )
    parser.add_argument("--ts", action="store_true", help="add models/model.ts (TorchScript)")
    parser.add_argument("--onnx", action="store_true", help="add models/model.onnx")
    options = parser.parse_args(words)
    bundle = ROOT / "bundles" / options.bundle
    if not bundle.is_dir():
        bundle = Path(options.bundle).resolve()
    try:
        exported = export_bundle(bundle, options.out, options.run, options.config, options.weights)
        for notice in exported.notices:
            print(f"note: {notice}")
        print(f"exported {bundle.name} to {options.out.resolve()}")
        logger.info("Asking the exported network, in a process that sees nothing of the repository.")
        print(f"largest difference of the exported network: {largest_difference(exported):.3g}")
        if options.ts:
            logger.info("Tracing models/model.ts.")
            print(f"largest difference of models/model.ts: {add_torchscript(exported):.3g}")
        if options.onnx:
            logger.info("Writing models/model.onnx.")
            print(f"largest difference of models/model.onnx: {add_onnx(exported):.3g}")
    except (ExportError, OSError) as error:
        print(f"export_bundle: {error}", file=sys.stderr)
        return 1
    except Exception as error:  # whatever building the network raises, below several layers of MONAI's
        first = cause(error)
        told = f"{type(first).__name__}: {first}".splitlines()[0]
        print(f"export_bundle: cannot export {bundle.name} from {options.run}: {told}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(logging.StreamHandler())  # what others log is not for a person
    sys.exit(main())
