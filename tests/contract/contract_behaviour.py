"""What every bundle must do. A check takes a runner with the bundle in it and returns what went wrong."""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from contract_configs import leaves, load
from contract_runner import EQUAL_IN_TWO, HERE, RUN, BundleRunner, differences
from mlflow import MlflowClient
from mlflow.entities import Run

from common.export import Exported, ExportError, add_onnx, add_torchscript
from common.export.parity import ISOLATED_SCRIPT


def smoke(runner: BundleRunner) -> list[str]:
    """The smoke preset trains, tracks, and leaves finite weights."""
    problems = list(runner.trained)
    if not problems:
        weights = runner.weights("trained")
        problems += [] if weights else ["the run left no weights"]
        problems += [f"{name} is not finite" for name, value in weights.items() if not value.float().isfinite().all()]
        runs = _runs(runner, "trained")
        problems += [] if runs else ["the run was not tracked"]
        problems += [problem for run in runs for problem in misnamed_losses(run.data.metrics)]
    return problems


def misnamed_losses(tracked: Iterable[str]) -> list[str]:
    """Losses under the name of a score: side by side in MLflow one falls where the other rises, and means no less."""
    trained, validated = (
        {key.removeprefix(prefix) for key in tracked if key.startswith(prefix)} for prefix in ("train/", "validation/")
    )
    return [f"train/{name} is a loss and validation/{name} a score" for name in sorted(trained & validated)]


def properties(runner: BundleRunner) -> list[str]:
    """MONAI finds what its clients ask for, in the training and in the inference workflow."""
    if runner.trained:
        return runner.trained
    script, configs = str(HERE / "job_properties.py"), runner.bundle / "configs"
    data = [f"output_root={runner.folder / 'properties'}", "run_name=properties"]
    data += [f"{key}={path}" for key, path in runner.data.items()]
    train = [script, "train", ",".join(map(str, runner.train_files)), str(runner.bundle), *data]
    infer = [script, "infer", str(configs / "inference.yaml"), str(runner.bundle), f"dataset_dir={runner.images}"]
    return runner.failures(
        runner.job("properties-train", train),
        runner.job("properties-infer", infer + _inference_weights(runner, "{}={}")),
    )


def resume(runner: BundleRunner) -> list[str]:
    """Killed with SIGKILL in mid-epoch and started again, a run ends with the same bits and as the same MLflow run."""
    problems = runner.trained or runner.failures(runner.train_job("resumed", kill_after=3, **runner.often), expected=-9)
    problems = problems or runner.failures(runner.train_job("resumed", **runner.often))
    problems = problems or differences(runner.weights("trained"), runner.weights("resumed"))
    return problems or _tracked_once(runner)


def _tracked_once(runner: BundleRunner) -> list[str]:
    runs = _runs(runner, "resumed")
    if [run.info.status for run in runs] != ["FINISHED"]:
        return [f"MLflow has {[(run.info.run_name, run.info.status) for run in runs]} instead of one finished run"]
    problems = []
    client = _client(runner, "resumed")
    for name in runs[0].data.metrics:
        steps = [point.step for point in client.get_metric_history(runs[0].info.run_id, name)]
        if len(steps) != len(set(steps)):
            problems.append(f"MLflow has a step of {name} twice: {steps}")
    return problems


def _client(runner: BundleRunner, name: str) -> MlflowClient:
    return MlflowClient(f"sqlite:///{runner.folder / name / 'mlflow.db'}")


def _runs(runner: BundleRunner, name: str) -> list[Run]:
    client = _client(runner, name)
    return client.search_runs([found.experiment_id for found in client.search_experiments()])


def two_processes(runner: BundleRunner) -> list[str]:
    """Two processes of half the batch end where one ends, up to the order of sums."""
    overrides = EQUAL_IN_TWO.get(runner.bundle.name, {})
    problems = runner.failures(runner.train_job("alone", **overrides)) or runner.two_processes("together", **overrides)
    return problems or differences(runner.weights("alone"), runner.weights("together"), tolerance=1e-3)


def evaluation(runner: BundleRunner) -> list[str]:
    """Evaluation runs on the trained weights."""
    overlay = runner.bundle / "configs" / "evaluate.yaml"
    if runner.trained or not overlay.is_file():
        return runner.trained
    run = runner.run_folder("trained")
    files = [*runner.train_files, overlay, *([run / "network.json"] if (run / "network.json").is_file() else [])]
    overrides = {**runner.data, "output_root": runner.folder / "trained", "run_name": RUN}
    by_encoder = "ckpt_path" not in {**runner.config, **load(overlay)}
    weights = {"encoder_file": run / "encoder.safetensors"} if by_encoder else {"ckpt_path": run / "model.pt"}
    return runner.failures(runner.job("evaluate", runner.arguments(files, **overrides, **weights)))


def inference(runner: BundleRunner) -> list[str]:
    """Inference on a folder of images writes something."""
    if runner.trained:
        return runner.trained
    run, out = runner.run_folder("trained"), runner.folder / "inference"
    files = [runner.bundle / "configs" / "inference.yaml"]
    files += [run / "network.json"] if (run / "network.json").is_file() else []
    arguments = runner.arguments(files, dataset_dir=runner.images, **runner.output(out))
    problems = runner.failures(runner.job("inference", arguments + _inference_weights(runner, "--{} {}")))
    return problems or ([] if any(out.rglob("*.*")) else ["inference wrote nothing"])


def _inference_weights(runner: BundleRunner, form: str) -> list[str]:
    run = runner.run_folder("trained")
    alone = (run / "encoder.safetensors").is_file() and not (run / "network.json").is_file()
    key, path = ("encoder_file", run / "encoder.safetensors") if alone else ("ckpt_path", run / "model.pt")
    return form.format(key, path).split(" ")


def export(runner: BundleRunner) -> list[str]:
    """The exported network answers as the repository's, where the repository cannot be seen."""
    if runner.exported[1]:
        return runner.exported[1]
    folder = runner.exported[0]
    probe = torch.load(folder.parent / "probe.pt", weights_only=True)
    torch.save(probe["images"], runner.folder / "images.pt")
    script = runner.folder / "isolated.py"
    script.write_text(ISOLATED_SCRIPT)
    answer = runner.folder / "answer.pt"
    problems = runner.failures(runner.isolated("parity", [str(script), str(runner.folder / "images.pt"), str(answer)]))
    if problems:
        return problems
    largest = (torch.load(answer, weights_only=True) - probe["output"]).abs().max().item()
    return [] if largest == 0 else [f"the exported network's answer differs by {largest:.3g}"]


def exported_runs(runner: BundleRunner) -> list[str]:
    """Inside the exported folder the commands of its model card run, and its configs say nothing of the run's place."""
    if runner.exported[1]:
        return runner.exported[1]
    jobs = runner.card_jobs()
    configs = sorted((runner.exported[0] / "configs").glob("*.json"))
    missing = {path.stem for path in configs} - {"metadata"} - jobs.keys()
    problems = [f"the card has no command for {name}" for name in sorted(missing)] + _traces(runner, configs)
    # First what reads the weights that were exported: evaluation prefers those of a run, and training makes one.
    problems += runner.failures(*(job for name, job in jobs.items() if name != "train"))
    return problems + runner.failures(*(job for name, job in jobs.items() if name == "train"))


def _traces(runner: BundleRunner, configs: list[Path]) -> list[str]:
    """Where a config still says what the training's command line said."""
    given = [runner.relative(path) for path in (runner.bundle, runner.phantom, runner.folder / "trained")] + [RUN]
    return [
        f"{path.name}: {where} is {value}, of the run that was exported"
        for path in configs
        if path.stem != "metadata"
        for where, value in leaves(json.loads(path.read_text()))
        if isinstance(value, str) and value in given
    ]


def acceptance(runner: BundleRunner) -> list[str]:
    """MONAI's own judges and clients take the exported folder."""
    if runner.exported[1]:
        return runner.exported[1]
    script, schema = str(HERE / "job_acceptance.py"), str(HERE / "metadata_schema.json")
    data, out = json.dumps(runner.data, default=str), str(runner.fresh_output("acceptance"))
    return runner.failures(runner.isolated("acceptance", [script, schema, data, out]))


def graphs(runner: BundleRunner) -> list[str]:
    """TorchScript and ONNX forms answer as the network does; ONNX takes batches of any size."""
    if runner.exported[1]:
        return runner.exported[1]
    folder = runner.exported[0]
    probe = torch.load(folder.parent / "probe.pt", weights_only=True)
    exported = Exported(folder, probe["images"], probe["output"])
    try:
        found = {"model.ts": add_torchscript(exported), "model.onnx": add_onnx(exported)}
    except ExportError as error:
        return [str(error)]
    return [f"{name} differs by {value:.3g}" for name, value in found.items() if not value < 1e-4]


def tracked_model(runner: BundleRunner) -> list[str]:
    """An export adds the network to the run's MLflow, in a form that PyTorch alone runs."""
    _, problems = runner.export("logged", "LOGGED")
    if problems:
        return problems
    note = json.loads((runner.run_folder("trained") / "mlflow_run.json").read_text())
    found = _client(runner, "trained").list_artifacts(note["run_id"], "model")
    return [] if any(entry.path == "model/MLmodel" for entry in found) else ["MLflow's run has no model"]


def analysis(runner: BundleRunner) -> list[str]:
    """Two runs find the same numbers and draw something; a page's pictures are beside it; MLflow has a finished run."""
    names = ("analysed", "analysed-again")
    if runner.judged is not None and runner.judged.trained:
        return runner.judged.trained
    problems = runner.failures(*(runner.analysis_job(name) for name in names))
    if problems:
        return problems
    folder = runner.run_folder("analysed")
    one, other = ({path.name: path.read_text() for path in runner.run_folder(name).glob("*.json")} for name in names)
    problems += [] if one == other and one else [f"two runs found different numbers, in {[*one]} and {[*other]}"]
    problems += [] if any(folder.rglob("*.png")) else ["there is no picture"]
    shown = [name for page in folder.glob("*.html") for name in re.findall(r'src="([^"]*)"', page.read_text())]
    problems += [f"the page shows {name}, which is not beside it" for name in shown if not (folder / name).is_file()]
    status = [run.info.status for run in _runs(runner, "analysed")]
    return problems + ([] if status == ["FINISHED"] else [f"MLflow has {status} instead of one finished run"])


# Seconds to a minute each, for every bundle; tests/export does both with one.
SLOW = {"graphs", "tracked_model"}
# A quarter to half a minute each. Of two processes the toy and ACE stand for the others, whose centre all processes
# share; of what runs inside an export ACE and SRHRS stand for the pre-trainings.
ELSEWHERE = {
    "ct_diagnosis_classification": {"two_processes"},
    "cxr_adam": {"two_processes", "exported_runs"},
    "cxr_adam_v2": {"two_processes", "exported_runs"},
    "cxr_leader": {"two_processes", "exported_runs"},
    "cxr_srhrs": {"two_processes"},
    "image_classification": {"two_processes"},
    "image_segmentation": {"two_processes"},
    "landmark_detection": {"two_processes"},
    "lesion_detection": {"two_processes"},
}
CHECKS: dict[str, Callable[[BundleRunner], list[str]]] = {
    check.__name__: check
    for check in (
        smoke,
        properties,
        resume,
        two_processes,
        evaluation,
        inference,
        export,
        exported_runs,
        acceptance,
        graphs,
        tracked_model,
        analysis,
    )
}


def checks_of(bundle: Path) -> list[str]:
    """Names of the checks that are for a bundle: those of a training, of an analysis, or both."""
    has = {name: (bundle / "configs" / f"{name}.yaml").is_file() for name in ("train", "analyse")}
    return [name for name in CHECKS if has["analyse" if name == "analysis" else "train"]]
