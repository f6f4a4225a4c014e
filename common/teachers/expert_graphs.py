"""Experts that are graphs of other makes: TorchScript and ONNX files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..networks.checkpoint_reading import UnreadableCheckpointError
from ..networks.file_kinds import AGAIN
from .expert import NetworkExpert

Values = float | Sequence[float]


def torchscript_expert(
    path: Path, weights: str, image_size: int | None, channels: int | None, mean: Values | None, std: Values | None
) -> NetworkExpert:
    """Read a TorchScript file; its input is what the arguments say, since the file does not tell.

    Raises:
        ValueError: no image_size, or a damaged file.
    """
    try:
        network = torch.jit.load(str(path), map_location="cpu")
    except RuntimeError as error:
        raise UnreadableCheckpointError(path, f"damaged TorchScript ({_first_line(error)})", AGAIN) from error
    return NetworkExpert(network, _known(path, image_size), channels or 1, mean, std, weights)


def onnx_expert(
    path: Path, weights: str, image_size: int | None, channels: int | None, mean: Values | None, std: Values | None
) -> NetworkExpert:
    """Read an ONNX file; size and channels are the graph's own where it fixes them.

    Raises:
        ValueError: no image_size where the graph has none, more than one input, or a damaged file.
    """
    graph = OnnxGraph(path)
    return NetworkExpert(
        graph, _known(path, image_size or graph.image_size), channels or graph.channels or 1, mean, std, weights
    )


class OnnxGraph(nn.Module):
    """An ONNX file as a module, run by onnxruntime on its CPU or CUDA provider.

    Args:
        path: of the file; one input (B, C, H, W), whose first output is taken.
    """

    def __init__(self, path: Path):
        import onnxruntime

        super().__init__()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        usable = {"CUDAExecutionProvider", "CPUExecutionProvider"}
        providers = [name for name in onnxruntime.get_available_providers() if name in usable]
        try:
            self.session: Any = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # onnxruntime has a class of its own for each cause
            reason = f"no graph that onnxruntime can read ({_first_line(error)})"
            raise UnreadableCheckpointError(path, reason, AGAIN) from error
        inputs = self.session.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4:
            shapes = {value.name: value.shape for value in inputs}
            raise ValueError(f"{path} takes {shapes}; an expert takes one batch of images (B, C, H, W).")
        _, channels, height, _ = inputs[0].shape
        self.input_name: str = inputs[0].name
        self.channels = channels if isinstance(channels, int) else None
        self.image_size = height if isinstance(height, int) else None

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """First output of the graph, on the images' device."""
        given = np.ascontiguousarray(images_BCHW.float().cpu().numpy())
        found = self.session.run(None, {self.input_name: given})[0]
        return torch.from_numpy(np.asarray(found)).to(images_BCHW.device)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _known(path: Path, image_size: int | None) -> int:
    if image_size is None:
        raise ValueError(f"{path} does not say which images it takes: give image_size in the expert's options.")
    return image_size
