"""Make PyPI's torchvision importable on a CPU-only PyTorch.

PyPI's torchvision is a CUDA build. Beside a CPU-only PyTorch its compiled library does not load, its operators
stay undeclared, and `import torchvision` (and with it timm and segmentation_models_pytorch) fails with
"operator torchvision::nms does not exist". Declaring the two operators that the import asks for is enough: nothing
here uses torchvision's operators, and calling one still fails, as it should. Import this module before any of them.
"""

import importlib.util
import sys
from pathlib import Path

import torch
from torch import library as operators

_NMS = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def make_importable() -> operators.Library | None:
    """Declare torchvision's operators if its own library cannot; None where torchvision is sound or absent.

    Returns:
        The library that declares the operators; they vanish when it is collected, so keep it.
    """
    if "torchvision" in sys.modules or hasattr(torch.ops.torchvision, "nms"):
        return None
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return None
    if _library_loads(Path(spec.origin).parent):
        return None
    declared = operators.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        declared.define(operator + _NMS)
    return declared


def _library_loads(folder: Path) -> bool:
    """Whether torchvision's compiled operators load beside this PyTorch (loading them twice is harmless)."""
    for file in folder.glob("_C*.so"):
        try:
            torch.ops.load_library(str(file))
        except OSError:
            return False
    # Without a file to try (another platform's naming) torchvision's own import is the judge.
    return True


LIBRARY = make_importable()
