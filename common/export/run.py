"""What a training run left behind that an export needs."""

import filecmp
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from ..command.credentials import without_credentials
from ..command.run_files import read_run_files
from ..engines.checksums import mismatch
from ..files import damage
from ..inert import literal
from ..records.data_used import DataUsed, as_data_used
from ..records.lineage import BEGAN_WITH, EXPERTS, TRAINED, Lineage, as_lineage
from ..reporting.data_note import VALIDATED, DataNote
from ..run_folder import BEST, ENCODER, EVALUATION, MODEL, NETWORK
from .configs import merge_files
from .measured import measured_on, metrics_of
from .renamed import present_names
from .rewrite import ExportError
from .tracked import read_tracked

CLASSES = ("findings", "structures", "landmarks")  # keys of the names of the network's outputs


@dataclass(frozen=True)
class RunFacts:
    """A run as the export sees it.

    Args:
        config: merged config of the run, repository names and all.
        network: overlay that fixes the network, empty where the run wrote none.
        weights: state dict of `network_def`.
        encoder: description of the encoder that the run wrote; None without one.
        encoder_file: that encoder's file.
        metrics: measured values by name.
        provenance: run name, commit, data fingerprint and the like.
        notices: what had to be assumed.
        start: what the training began with, in words; empty where nothing tells.
        trained_on: what the run counted in the data that it read; empty where it did not.
        measured_on: `data`, `split` and `count` of the metrics, as far as the folder tells; of a report also
            `intervals` and `by_class`.
        pretrained_on: what the trainings before it counted, where the weights it began with tell.
        seen_before: names of data sets that the weights it began with were made from.
        experts: data of the teachers that its encoder, or the weights it began with, learned from.
        unreachable: why MLflow, which knows the run's config, does not answer.
        recipe_alone: nothing told its config, and the recipe was taken as it is.
    """

    config: dict[str, Any]
    network: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    encoder: Any
    encoder_file: Path | None
    metrics: Mapping[str, float]
    provenance: Mapping[str, Any]
    notices: list[str]
    trained_on: Sequence[DataUsed] = ()
    measured_on: Mapping[str, Any] = field(default_factory=dict)
    start: str = ""
    pretrained_on: list[DataUsed] = field(default_factory=list)
    seen_before: list[str] = field(default_factory=list)
    experts: list[Lineage] = field(default_factory=list)
    unreachable: str | None = None
    recipe_alone: bool = False

    @property
    def data_names(self) -> list[str]:
        """Names of the data sets, where nothing was counted."""
        corpora = [] if self.encoder is None else list(self.encoder.corpora)
        return corpora or [name for name in [self.provenance.get("data")] if name]

    @property
    def built_from(self) -> dict[str, Any]:
        """Config keys that the network was built from, in plain values; of an encoder alone its description's."""
        if self.network:
            return dict(literal(self.network, NETWORK))
        if self.encoder is None:
            return {}
        return {"architecture": self.encoder.architecture, "encoder_options": self.encoder.options}

    @property
    def classes(self) -> list[str] | None:
        """Names of the network's outputs, where the run told them."""
        plain = literal(self.network, NETWORK)
        return next((plain[key] for key in CLASSES if plain.get(key)), None)


def read_run(run: Path, bundle: Path, overlays: Sequence[Path] = (), weights: Path | None = None) -> RunFacts:
    """Collect what the export needs from a run's folder.

    Args:
        run: output folder of a run.
        bundle: the bundle it ran.
        overlays: config files after `train.yaml`, where the run kept no config.
        weights: file to use instead of the run's `model.pt`.

    Raises:
        FileNotFoundError: no such folder, or no weights in it.
        ExportError: the weights file is damaged or holds no state dict, another file of the run is damaged, or its
            `network.json` holds more than plain values; `model.pt` and `network.json` were not written together.
    """
    if not run.is_dir():
        raise FileNotFoundError(f"There is no run folder {run}. Give --run the one that holds model.pt.")
    tracked = read_tracked(run)
    notices = [notice for notice in (tracked.notice, tracked.unreachable) if notice]
    config = _noted(run) or dict(tracked.config)
    recipe_alone = not overlays and not config
    if overlays or recipe_alone:
        config = merge_files([bundle / "configs" / "train.yaml", *overlays])
    if recipe_alone:
        notices.append("The run's config is not tracked: taken is train.yaml alone. Name its overlays by --config.")
    encoder_file = run / ENCODER if (run / ENCODER).is_file() else None
    encoder = _description(encoder_file)
    note, beginning = DataNote(run).read(), DataNote(run).beginning()
    foreign = weights is not None and weights.resolve() != (run / MODEL).resolve()
    evaluation, doubt = _evaluation(run, weights or run / MODEL, foreign)
    notices.extend([doubt] if doubt else [])
    network, best = _json(run / NETWORK), _json(run / BEST)
    began = beginning or best.get(BEGAN_WITH, {})  # the former of versions whose encoder files counted images
    try:
        literal(network, str(run / NETWORK))
    except ValueError as error:
        raise ExportError(str(error)) from error
    state = _state_dict(weights or run / MODEL)
    # after each file's own damage is named; without a network.json the config alone builds the network
    problem = mismatch(run / BEST) if best and network and not foreign else None
    if problem:
        raise ExportError(
            f"{problem}: {NETWORK} and {MODEL} would be of different evaluations. Copy the run's folder anew, or go "
            "on with the run: the next evaluation writes all of them."
        )
    return RunFacts(
        # by names alone: a word that happens to be a secret of this machine must not change what is exported
        config=without_credentials({key: value for key, value in config.items() if key != "_meta_"}, environment={}),
        network=network,
        weights=state,
        encoder=encoder,
        encoder_file=encoder_file,
        metrics={} if foreign else metrics_of(best, evaluation) or tracked.metrics,
        provenance={
            "run": run.name,
            "weights": str(weights.name) if foreign and weights else "",
            "began with": began.get("method", ""),
            **_of_encoder(encoder),
            **tracked.provenance,
        },
        notices=notices,
        trained_on=note[TRAINED],
        measured_on={} if foreign else measured_on(run, evaluation, note[VALIDATED]),
        start="" if foreign or recipe_alone else _start(config, began),
        pretrained_on=list(as_data_used(began.get("trained_on", ()))),
        seen_before=[*([] if encoder is None else encoder.corpora), *began.get("corpora", ())],
        experts=[*([] if encoder is None else [encoder.experts]), as_lineage(began.get(EXPERTS, {}))],
        unreachable=tracked.unreachable,
        recipe_alone=recipe_alone,
    )


def _noted(run: Path) -> dict[str, Any]:
    """The config in the run's folder; empty in runs of versions that wrote none."""
    try:
        noted = read_run_files(run)
    except ValueError as error:
        raise ExportError(str(error)) from error
    return {} if noted is None else present_names(dict(noted.config))


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise ExportError(f"{path} is damaged ({error}). Evaluate the run again, or copy the file anew.") from error
    if not isinstance(content, dict):
        raise ExportError(f"{path} holds a {type(content).__name__}, not an object. Copy the run's own file.")
    return content


def _state_dict(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise FileNotFoundError(f"There are no weights {path}. Give the state dict of network_def by --weights.")
    from ..networks.checkpoint_reading import UnreadableCheckpointError, read_checkpoint

    try:
        content = read_checkpoint(path)
    except UnreadableCheckpointError as error:
        raise ExportError(str(error)) from error
    problem = damage(path) if zipfile.is_zipfile(path) else None  # torch.load compares no checksums
    if problem is not None:
        raise ExportError(f"{path} is damaged: {problem}. Copy it again, or train and evaluate again.")
    if not all(isinstance(value, Tensor) for value in content.values()):
        held = ", ".join(map(str, content))
        raise ExportError(f"{path} holds {held}, not the state dict of a network. Choose the run's {MODEL}.")
    return content


def _description(path: Path | None) -> Any:
    """Of the run's encoder, whose file is read to its end: the export copies it."""
    if path is None:
        return None
    from ..networks import UnreadableCheckpointError, describe_encoder
    from ..networks.encoder_file import read_encoder

    try:
        read_encoder(path)
        return describe_encoder(path)
    except UnreadableCheckpointError as error:
        raise ExportError(str(error)) from error


def _evaluation(run: Path, weights: Path, foreign: bool) -> tuple[dict[str, Any], str | None]:
    """The report in the folder where it is of these weights; otherwise nothing, and why."""
    said = _json(run / EVALUATION)
    if foreign:
        return {}, f"{weights} is not the run's {MODEL}: numbers of the run are left out. Evaluate these weights."
    if not said:
        return {}, None
    named = Path(str(said.get("weights") or weights))
    if named.exists():
        same = named.samefile(weights) or filecmp.cmp(named, weights, shallow=False)
    else:  # the run was moved, or made elsewhere
        same = (named.parent.name, named.name) == (run.resolve().name, weights.name)
    if not same:
        problem = f"measured {named}, not {weights}"
    elif (run / EVALUATION).stat().st_mtime < weights.stat().st_mtime:
        problem = f"is older than {weights}"
    else:
        return said, None
    return {}, f"{run / EVALUATION} {problem}: its numbers are left out. Evaluate the run again."


def _start(config: Mapping[str, Any], began: Mapping[str, Any]) -> str:
    """What a training began with: another's weights, a file that tells nothing of itself, or none; "" if not known."""
    if began.get("method"):
        return f"the weights of {began['method']}"
    for key in ("start_from", "encoder_file", "backbone_file"):
        file = config.get(key) if config.get("load_weights", True) else None
        if isinstance(file, str) and file and file != "$None":
            return f"the weights in {Path(file).name}" if file[0] not in "$@%" else ""
    return "random weights"


def _of_encoder(description: Any) -> dict[str, str]:
    if description is None:
        return {}
    return {"method": description.method, "data": ", ".join(description.corpora), "commit": description.commit}
