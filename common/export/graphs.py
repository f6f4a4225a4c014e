"""TorchScript and ONNX forms of an exported bundle, made by MONAI's own commands inside its folder."""

import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from .bundle import Exported, write_checksums
from .isolation import isolated_environment
from .rewrite import ExportError

_AXES = "'dynamic_axes':{'image':{0:'batch'},'pred':{0:'batch'}}"
_NAMED = "{'input_names':['image'],'output_names':['pred']," + _AXES + "}"


def add_torchscript(exported: Exported) -> float:
    """Trace `models/model.ts`, metadata and inference config inside; the largest difference to the network's answer."""
    path = _convert(exported, "ckpt_export", "model.ts")
    with torch.inference_mode():
        answer = torch.jit.load(path)(exported.images)
    return (answer - exported.output).abs().max().item()


def add_onnx(exported: Exported) -> float:
    """Write `models/model.onnx`, input `image`, output `pred`; the largest difference to the network's answer."""
    import onnxruntime

    path = _convert(exported, "onnx_export", "model.onnx", "--converter_kwargs", _NAMED)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (answer,) = session.run(["pred"], {"image": exported.images.numpy()})
    return (torch.from_numpy(answer) - exported.output).abs().max().item()


def _convert(exported: Exported, command: str, name: str, *arguments: str) -> Path:
    """Tracing needs no typed code, which is why Swin transformers can be traced but not scripted."""
    shape = str(list(exported.images.shape)).replace(" ", "")
    path = exported.folder / "models" / name
    with tempfile.TemporaryDirectory() as scratch:
        line = ["-m", "monai.bundle", command, "network_def", "--filepath", f"models/{name}"]
        line += ["--ckpt_file", "models/model.pt", "--config_file", "configs/inference.json"]
        line += ["--meta_file", "configs/metadata.json", "--use_trace", "True", "--input_shape", shape, *arguments]
        done = subprocess.run(
            [sys.executable, *line],
            cwd=exported.folder,
            env=isolated_environment(Path(scratch)),
            capture_output=True,
            text=True,
        )
    if done.returncode or not path.is_file():
        raise ExportError(f"monai.bundle {command} failed in {exported.folder}:\n{done.stderr[-3000:]}")
    write_checksums(exported.folder)
    return path
