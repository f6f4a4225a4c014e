"""The model card of an exported bundle: what it is, what it measured, where it comes from, how to run it."""

from collections.abc import Mapping
from typing import Any

from .configs import read_keys
from .data_section import data_section, performance
from .front_matter import front_matter
from .markdown import plain_text
from .rewrite import SHARED, TARGET

_TITLES = {"inference": "Inference", "evaluate": "Evaluation", "train": "Training"}
_PLACEHOLDERS = {
    "dataset_dir": ("DATA", "the data set"),
    "probe_dir": ("PROBE_DATA", "the data set that the probe looks at"),
    "encoder_file": ("models/encoder.safetensors", ""),
}
_IMAGES = ("IMAGES", "a folder of images")


def model_card(metadata: Mapping[str, Any], configs: Mapping[str, Mapping[str, Any]], has_encoder: bool) -> str:
    """Markdown text with the headings of MONAI's model zoo, below the block that Hugging Face's hub reads.

    Args:
        metadata: the exported bundle's completed metadata.
        configs: of the folder, by names such as `train` and `inference`; the commands give what each one reads.
        has_encoder: whether `models/encoder.safetensors` is there.
    """
    parts = [
        front_matter(metadata),
        f"# {metadata.get('name', metadata['task'])}",
        metadata["description"],
        _section("Authors", metadata["authors"]),
        _section("Intended use", metadata.get("intended_use")),
        _section("Data", data_section(metadata.get("training_data", {}))),
        _section("Input and output", _input_output(metadata)),
        _section("Performance", performance(metadata.get("eval_metrics", {}), metadata.get("evaluated_on", {}))),
        _section("Provenance", _table(metadata.get("provenance", {}), "", "")),
        _section("Commands", _commands(configs, has_encoder)),
        _section("System configuration", _versions(metadata)),
        _section("References", "\n".join(f"- {text}" for text in metadata.get("references", []))),
        _section("License", "See `LICENSE`. Weights may carry the terms of the data they were trained on."),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, text: str | None) -> str | None:
    return f"## {title}\n\n{text}" if text else None


def _input_output(metadata: Mapping[str, Any]) -> str:
    formats = metadata["network_data_format"]
    image, pred = formats["inputs"]["image"], formats["outputs"]["pred"]
    size = " x ".join(map(str, image["spatial_shape"]))
    shape = " x ".join(map(str, [pred["num_channels"], *pred["spatial_shape"]]))
    names = ", ".join(map(plain_text, pred.get("channel_def", {}).values()))
    lines = [
        f"- `image`: {image['num_channels']} channel(s) of {size} pixels, values in {image['value_range']}; "
        "the network normalises them itself.",
        f"- `pred`: {pred['format']}, {shape} ({names}).",
        f"- Axes are {metadata['axes']}.",
    ]
    if "post_processed_outputs" in formats:
        numbers = formats["post_processed_outputs"]["pred"]["channel_def"]
        meaning = ", ".join(f"{number} {plain_text(name)}" for number, name in numbers.items())
        lines.append(
            f"- Inference makes of it a label map at the image's own size: {meaning}. Where structures overlap it "
            "shows the most probable; `--label_map False` gives their probabilities instead."
        )
    return "\n".join(lines)


def _table(values: Mapping[str, Any], left: str, right: str) -> str | None:
    if not values:
        return None
    rows = [
        f"| {plain_text(name)} | {f'{value:.4g}' if isinstance(value, float) else plain_text(value)} |"
        for name, value in values.items()
    ]
    return "\n".join([f"| {left} | {right} |", "| --- | --- |", *rows])


def _commands(configs: Mapping[str, Mapping[str, Any]], has_encoder: bool) -> str:
    commands: list[str] = []
    meanings: dict[str, str] = {}
    for name, title in _TITLES.items():
        if name not in configs:
            continue
        line = f"python -m monai.bundle run --config_file configs/{name}.json"
        for key in _given(configs[name], name, has_encoder):
            value, meaning = _IMAGES if (name, key) == ("inference", "dataset_dir") else _PLACEHOLDERS[key]
            line += f" --{key} {value}"
            meanings |= {value: meaning} if meaning else {}
        commands.append(f"{title}:\n\n```\n{line}\n```")
    where = "; ".join(f"`{value}` is {meaning}" for value, meaning in meanings.items())
    lines = [f"Run from this folder; {where}." if where else "Run from this folder.", *commands]
    if has_encoder:
        lines.append("`models/encoder.safetensors` holds the encoder alone; give it to `--encoder_file`.")
    lines.append(
        "From elsewhere, put this folder on PYTHONPATH and add `--bundle_root`. The code is the package `scripts`: to "
        "load another bundle in the same process, remove `scripts` and its submodules from `sys.modules` first."
    )
    lines.append(_of_clients(configs.get("inference", {})))
    lines.append(
        "Configs run code (`$` expressions, `_target_`); weights and data never do. Use a bundle that you trust."
    )
    lines.append("`sha256sum --check checksums.sha256` tells whether the files are those that were exported.")
    return "\n\n".join(lines)


def _of_clients(inference: Mapping[str, Any]) -> str:
    """What a program needs to know that holds the images, or `models/model.ts`, by itself."""
    transforms = inference.get("preprocessing", {}).get("transforms", [])
    if any(str(transform.get(TARGET)).partition(".")[0] in (SHARED, "bundles") for transform in transforms):
        return "What is done to an image is this folder's own code, which a client of `models/model.ts` alone lacks."
    return (
        "A client that loads images itself, such as MONAI Deploy with the config inside `models/model.ts`, gives them "
        "as (row, column) or (channel, row, column), with values in [0, 1] or unsigned integers of 8 to 16 bits."
    )


def _given(config: Mapping[str, Any], name: str, has_encoder: bool) -> list[str]:
    """Keys that a command must give, since running the config reads them and their defaults fit no other machine.

    An evaluation that loads no weights of the whole network probes the encoder, whose file is then to be given.
    """
    read = read_keys(config)
    keys = [key for key in ("dataset_dir", "probe_dir") if key in read]
    probes = name == "evaluate" and has_encoder and "encoder_file" in read and "ckpt_path" not in read
    return keys + (["encoder_file"] if probes else [])


def _versions(metadata: Mapping[str, Any]) -> str:
    versions = {"monai": metadata["monai_version"], "torch": metadata["pytorch_version"]}
    versions |= {"numpy": metadata["numpy_version"], **metadata["required_packages_version"]}
    return "Measured with " + ", ".join(f"{name} {version}" for name, version in versions.items()) + "."
