"""The classifiers that are compared, by name."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from common.engines import CheckpointError
from common.files import DatasetError
from common.inert import literal
from common.networks import Classifier, build_encoder

PLACES = (("network.json", "model.pt"), ("configs/inference.json", "models/model.pt"))  # of a run; of an export
SETTINGS = ("architecture", "encoder_options", "channels", "image_size", "mean", "std", "findings")


class Trained(NamedTuple):
    """A classifier in evaluation mode, and the names of its outputs."""

    network: Classifier
    findings: list[str]

    @property
    def image_size(self) -> int:
        """Side of the images that it was trained on, pixels."""
        return self.network.encoder.description.image_size


def load_classifiers(classifiers: Mapping[str, str], device: torch.device | str = "cpu") -> dict[str, Trained]:
    """Build each classifier with its weights.

    Args:
        classifiers: name -> folder of a run of `image_classification`, or of its exported bundle.
        device: where they are.

    Raises:
        ValueError: none are given.
        FileNotFoundError: a folder that is neither.
        CheckpointError: weights of another network.
    """
    if not classifiers or not isinstance(classifiers, Mapping):
        raise ValueError(
            f"classifiers is {classifiers!r}; name one or more, as in --classifiers "
            '"{ACE: runs/image_classification/RUN, scratch: runs/image_classification/OTHER}".'
        )
    return {str(name): _load(Path(folder), device) for name, folder in classifiers.items()}


def finding_numbers(classifiers: Mapping[str, Trained], findings: list[str]) -> dict[str, dict[str, int]]:
    """Number of the output of each finding, by classifier.

    Raises:
        DatasetError: a classifier that does not know one of them.
    """
    for name, trained in classifiers.items():
        if missing := [finding for finding in findings if finding not in trained.findings]:
            raise DatasetError(
                name,
                f"it was trained on {', '.join(trained.findings)}, and {', '.join(missing)} is not among them",
                "Correct `findings`, of which all classifiers must know each",
            )
    return {
        name: {finding: trained.findings.index(finding) for finding in findings}
        for name, trained in classifiers.items()
    }


def _load(folder: Path, device: torch.device | str) -> Trained:
    for config, weights in PLACES:
        if (folder / config).is_file() and (folder / weights).is_file():
            return _built(folder / config, folder / weights, device)
    wanted = ", or ".join(" with ".join(names) for names in PLACES)
    raise FileNotFoundError(f"{folder} is neither a run of image_classification nor its export: there is no {wanted}.")


def _built(config: Path, weights: Path, device: torch.device | str) -> Trained:
    written = json.loads(config.read_text())
    told: dict[str, Any] = {key: literal(written.get(key), f"{config}#{key}") for key in SETTINGS}
    if not told["findings"] or not told["architecture"]:
        raise CheckpointError(
            f"{config} names no findings or no architecture: it is of no run of image_classification."
        )
    encoder = build_encoder(
        architecture=told["architecture"],
        options=told["encoder_options"],
        in_channels=told["channels"],
        image_size=told["image_size"],
        mean=told["mean"],
        std=told["std"],
    )
    network = Classifier(encoder, len(told["findings"]))
    try:
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"{weights} does not fit the classifier that {config} describes: {reason}") from error
    return Trained(network.to(device).eval(), list(told["findings"]))
