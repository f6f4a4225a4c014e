"""From a bundle of the repository and one of its runs to a folder that stands alone."""

from .bundle import Exported, export_bundle
from .graphs import add_onnx, add_torchscript
from .isolation import isolated_environment
from .parity import largest_difference
from .rewrite import ExportError

__all__ = [
    "ExportError",
    "Exported",
    "add_onnx",
    "add_torchscript",
    "export_bundle",
    "isolated_environment",
    "largest_difference",
]
