"""Turn a bundle of the repository and one of its runs into a folder that stands alone."""

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..command.excepthook import cause
from ..inert import inert
from ..networks.exported import ExportedNetwork
from ..run_folder import ENCODER, MODEL
from .card import model_card
from .configs import describe_encoders, merge, merge_files, pin_encoders, read_config, without_machine_paths
from .data_section import training_data
from .finished import whole_or_nothing
from .metadata import complete_metadata, probe_network
from .network_sentence import described
from .places import anchored, with_own_code
from .rewrite import ExportError, rewrite_config
from .run import CLASSES, RunFacts, read_run
from .tracked_model import log_model
from .vendor import source_files, vendor

CHECKSUMS = "checksums.sha256"
logger = logging.getLogger(__name__)


@dataclass
class Exported:
    """What an export wrote, and a probe of the network by which a copy can be told to be the same.

    Args:
        folder: the exported bundle.
        images: an input (1, C, S, S) of the network.
        output: what the repository's network answers, with the exported weights.
        notices: what the reader should know, such as defaults taken for want of a run's config.
    """

    folder: Path
    images: Tensor
    output: Tensor
    notices: list[str] = field(default_factory=list)


def export_bundle(
    bundle: Path,
    out: Path,
    run: Path,
    overlays: Sequence[Path] = (),
    weights: Path | None = None,
) -> Exported:
    """Write a bundle that needs nothing of the repository.

    Overlays are merged, configs become JSON, the code that they reach is copied below one package, and encoders are
    described in the configs, so that the network is built without an encoder file.

    Args:
        bundle: folder of a bundle in the repository.
        out: folder to write; must not exist, or be empty.
        run: output folder of a training run, with its config and weights.
        overlays: config files after `train.yaml`, for a run that kept no config.
        weights: state dict of `network_def`; None takes the run's.

    Raises:
        ExportError: something has no portable form, or the weights do not fit; the message says what to do.
        FileNotFoundError: a folder or file is missing.

    Example:
        >>> run = Path("runs/cxr_ace/ace-chestxray14-seed0")
        >>> export_bundle(Path("bundles/cxr_ace"), Path("exported/cxr_ace"), run).notices  # doctest: +SKIP
        []
    """
    if not (bundle / "configs" / "train.yaml").is_file():
        raise FileNotFoundError(f"{bundle} is no bundle: it has no configs/train.yaml. Give a folder below bundles/.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExportError(f"{out} is not empty. Choose another --out, or remove it.")
    logger.info("Reading the run %s.", run)
    facts = read_run(run, bundle, overlays, weights)
    logger.info("Building its network.")
    try:
        configs = _configs(bundle, facts)
        network = _network(configs.get("inference", configs["train"]), facts.weights)
    except Exception as error:
        if facts.unreachable is None or not facts.recipe_alone:
            raise
        raise ExportError(
            f"{facts.unreachable} Without the run's config the recipe alone was taken, and that does not do: "
            f"{str(cause(error)).splitlines()[0]} Start the server, or name the run's overlays by --config."
        ) from error
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    metadata["description"] = described(metadata["description"], facts.built_from, facts.start)
    images, output = probe_network(network, _input_shape(network, metadata))
    data = training_data(facts.trained_on, facts.data_names, facts.seen_before, facts.pretrained_on, facts.experts)
    metadata = complete_metadata(
        metadata, images, output, facts.metrics, facts.provenance, facts.classes, data, facts.measured_on
    )

    logger.info("Writing configs, code and weights.")
    with whole_or_nothing(out) as unfinished:
        portable = {name: with_own_code(anchored(config)) for name, config in configs.items()}
        vendor(bundle, unfinished, portable)
        _write(bundle, unfinished, portable, metadata)
        (unfinished / "models").mkdir()
        torch.save(network.state_dict(), unfinished / "models" / MODEL)
        if facts.encoder_file is not None:
            shutil.copyfile(facts.encoder_file, unfinished / "models" / ENCODER)
        (unfinished / "docs").mkdir()
        card = model_card(metadata, configs, facts.encoder_file is not None)
        (unfinished / "docs" / "README.md").write_text(card)
        write_checksums(unfinished)
    logger.info("Keeping the network with the run in MLflow.")
    unlogged = log_model(run, network, images, metadata) if weights is None and facts.unreachable is None else None
    facts.notices.extend([unlogged] if unlogged else [])
    return Exported(out, images, output, facts.notices)


def write_checksums(folder: Path) -> None:
    """List every file's SHA-256 in the form that `sha256sum --check` reads."""
    paths = [path for path in source_files(folder) if path.name != CHECKSUMS]
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in paths]
    (folder / CHECKSUMS).write_text("".join(lines))


def _configs(bundle: Path, facts: RunFacts) -> dict[str, dict[str, Any]]:
    """Training, evaluation and inference as whole configs of the repository's names, fit for any machine."""
    base = merge_files([bundle / "configs" / "train.yaml"])
    trained = merge(facts.config, facts.network)
    encoders = describe_encoders(trained, facts.encoder)
    facts.seen_before.extend(name for description in encoders.values() for name in description.corpora)
    facts.experts.extend(description.experts for description in encoders.values())
    notices, data = facts.notices, {*facts.network, *CLASSES}
    configs = {"train": without_machine_paths(pin_encoders(trained, encoders), base, notices, data)}
    for name in ("evaluate", "inference"):
        path = bundle / "configs" / f"{name}.yaml"
        if not path.is_file():
            continue
        config = read_config(path)
        if "bundle_root" in config:  # stands alone
            own = {key: value for key, value in facts.network.items() if key in config}
            pinned = pin_encoders(merge(config, own), encoders)
            configs[name] = without_machine_paths(pinned, config, notices, data)
        else:
            configs[name] = pin_encoders(merge(configs["train"], config), encoders)
    return configs


def _input_shape(network: nn.Module, metadata: Mapping[str, Any]) -> tuple[int, ...]:
    """Channels and sizes of the network's images or volumes: it says itself, or else takes any, as in the metadata."""
    if isinstance(network, ExportedNetwork):
        return network.input_shape()
    image = metadata["network_data_format"]["inputs"]["image"]
    return image["num_channels"], *image["spatial_shape"]


def _network(config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> nn.Module:
    from monai.bundle import ConfigParser

    network = ConfigParser(deepcopy(dict(config))).get_parsed_content("network_def")
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ExportError(f"The weights are not those of network_def: {error}") from error
    return network


def _write(bundle: Path, out: Path, configs: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
    (out / "configs").mkdir()
    for name, config in configs.items():
        renamed = rewrite_config(config, bundle.name, f"{name}.yaml")
        (out / "configs" / f"{name}.json").write_text(json.dumps(renamed, indent=4) + "\n")
    (out / "configs" / "metadata.json").write_text(json.dumps(inert(metadata, "metadata.json"), indent=4) + "\n")
    shutil.copyfile(bundle / "configs" / "logging.conf", out / "configs" / "logging.conf")
    shutil.copyfile(bundle / "LICENSE", out / "LICENSE")
