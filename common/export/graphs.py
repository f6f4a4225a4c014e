"""TorchScript and ONNX forms of an exported bundle, made by MONAI's own commands inside its folder."""

import json
import shutil
import tempfile
from pathlib import Path

import torch

from . import isolation
from .bundle import Exported, write_checksums
from .graph_config import graph_config
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
    """A trace is what `network_def` is scripted to as well, and takes the example's size from here."""
    shape = str(list(exported.images.shape)).replace(" ", "")
    models = exported.folder / "models"
    unfinished = models / ".unfinished"  # TorchScript keeps the file's name inside, so it has its own from the start
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "inference.json"
        config.write_text(json.dumps(graph_config(json.loads((exported.folder / "configs" / config.name).read_text()))))
        unfinished.mkdir(exist_ok=True)
        line = ["-m", "monai.bundle", command, "network_def", "--filepath", f"models/{unfinished.name}/{name}"]
        line += ["--ckpt_file", "models/model.pt", "--config_file", str(config)]
        line += ["--meta_file", "configs/metadata.json", "--use_trace", "True", "--input_shape", shape, *arguments]
        try:
            done = isolation.run_isolated(line, exported.folder)
            if done.returncode or not (unfinished / name).is_file():
                raise ExportError(
                    f"{models / name} was not written; the rest of the folder is complete. Check the space on its "
                    f"disk; monai.bundle {command} said:\n{done.stderr[-3000:]}"
                )
            for path in unfinished.iterdir():  # ONNX keeps large weights in a file of their own
                path.replace(models / path.name)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    write_checksums(exported.folder)
    return models / name
