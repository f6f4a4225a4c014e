"""What every bundle must do. A check takes a workshop with the bundle in it and returns what went wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import torch
from contract_configs import leaves, load
from contract_workshop import EQUAL_IN_TWO, HERE, RUN, Workshop, differences
from mlflow import MlflowClient
from mlflow.entities import Run

from common.export import Exported, ExportError, add_onnx, add_torchscript
from common.export.parity import ISOLATED_SCRIPT


def smoke(shop: Workshop) -> list[str]:
    """The smoke preset trains, tracks, and leaves finite weights."""
    problems = list(shop.trained)
    if not problems:
        weights = shop.weights("trained")
        problems += [] if weights else ["the run left no weights"]
        problems += [f"{name} is not finite" for name, value in weights.items() if not value.float().isfinite().all()]
        problems += [] if _runs(shop, "trained") else ["the run was not tracked"]
    return problems


def properties(shop: Workshop) -> list[str]:
    """MONAI finds what its clients ask for, in the training and in the inference workflow."""
    if shop.trained:
        return shop.trained
    script, configs = str(HERE / "job_properties.py"), shop.bundle / "configs"
    data = [f"output_root={shop.folder / 'properties'}", "run_name=properties"]
    data += [f"{key}={path}" for key, path in shop.data.items()]
    train = [script, "train", ",".join(map(str, shop.train_files)), str(shop.bundle), *data]
    infer = [script, "infer", str(configs / "inference.yaml"), str(shop.bundle), f"dataset_dir={shop.images}"]
    return shop.failures(
        shop.job("properties-train", train), shop.job("properties-infer", infer + _inference_weights(shop, "{}={}"))
    )


def resume(shop: Workshop) -> list[str]:
    """Killed with SIGKILL in mid-epoch and started again, a run ends with the same bits and as the same MLflow run."""
    problems = shop.trained or shop.failures(shop.train_job("resumed", kill_after=3, **shop.often), expected=-9)
    problems = problems or shop.failures(shop.train_job("resumed", **shop.often))
    problems = problems or differences(shop.weights("trained"), shop.weights("resumed"))
    return problems or _tracked_once(shop)


def _tracked_once(shop: Workshop) -> list[str]:
    runs = _runs(shop, "resumed")
    if [run.info.status for run in runs] != ["FINISHED"]:
        return [f"MLflow has {[(run.info.run_name, run.info.status) for run in runs]} instead of one finished run"]
    problems = []
    client = _client(shop, "resumed")
    for name in runs[0].data.metrics:
        steps = [point.step for point in client.get_metric_history(runs[0].info.run_id, name)]
        if len(steps) != len(set(steps)):
            problems.append(f"MLflow has a step of {name} twice: {steps}")
    return problems


def _client(shop: Workshop, name: str) -> MlflowClient:
    return MlflowClient(f"sqlite:///{shop.folder / name / 'mlflow.db'}")


def _runs(shop: Workshop, name: str) -> list[Run]:
    client = _client(shop, name)
    return client.search_runs([found.experiment_id for found in client.search_experiments()])


def two_processes(shop: Workshop) -> list[str]:
    """Two processes of half the batch end where one ends, up to the order of sums."""
    overrides = EQUAL_IN_TWO.get(shop.bundle.name, {})
    problems = shop.failures(shop.train_job("alone", **overrides)) or shop.two_processes("together", **overrides)
    return problems or differences(shop.weights("alone"), shop.weights("together"), tolerance=1e-3)


def evaluation(shop: Workshop) -> list[str]:
    """Evaluation runs on the trained weights."""
    overlay = shop.bundle / "configs" / "evaluate.yaml"
    if shop.trained or not overlay.is_file():
        return shop.trained
    run = shop.run_folder("trained")
    files = [*shop.train_files, overlay, *([run / "network.json"] if (run / "network.json").is_file() else [])]
    overrides = {**shop.data, "output_root": shop.folder / "trained", "run_name": RUN}
    by_encoder = "ckpt_path" not in {**shop.config, **load(overlay)}
    weights = {"encoder_file": run / "encoder.safetensors"} if by_encoder else {"ckpt_path": run / "model.pt"}
    return shop.failures(shop.job("evaluate", shop.arguments(files, **overrides, **weights)))


def inference(shop: Workshop) -> list[str]:
    """Inference on a folder of images writes something."""
    if shop.trained:
        return shop.trained
    run, out = shop.run_folder("trained"), shop.folder / "inference"
    files = [shop.bundle / "configs" / "inference.yaml"]
    files += [run / "network.json"] if (run / "network.json").is_file() else []
    arguments = shop.arguments(files, dataset_dir=shop.images, **shop.output(out))
    problems = shop.failures(shop.job("inference", arguments + _inference_weights(shop, "--{} {}")))
    return problems or ([] if any(out.rglob("*.*")) else ["inference wrote nothing"])


def _inference_weights(shop: Workshop, form: str) -> list[str]:
    run = shop.run_folder("trained")
    alone = (run / "encoder.safetensors").is_file() and not (run / "network.json").is_file()
    key, path = ("encoder_file", run / "encoder.safetensors") if alone else ("ckpt_path", run / "model.pt")
    return form.format(key, path).split(" ")


def export(shop: Workshop) -> list[str]:
    """The exported network answers as the repository's, where the repository cannot be seen."""
    if shop.exported[1]:
        return shop.exported[1]
    folder = shop.exported[0]
    probe = torch.load(folder.parent / "probe.pt", weights_only=True)
    torch.save(probe["images"], shop.folder / "images.pt")
    script = shop.folder / "stranger.py"
    script.write_text(ISOLATED_SCRIPT)
    answer = shop.folder / "answer.pt"
    problems = shop.failures(shop.stranger("parity", [str(script), str(shop.folder / "images.pt"), str(answer)]))
    if problems:
        return problems
    largest = (torch.load(answer, weights_only=True) - probe["output"]).abs().max().item()
    return [] if largest == 0 else [f"the exported network's answer differs by {largest:.3g}"]


def exported_runs(shop: Workshop) -> list[str]:
    """Inside the exported folder the commands of its model card run, and its configs say nothing of the run's place."""
    if shop.exported[1]:
        return shop.exported[1]
    jobs = shop.card_jobs()
    configs = sorted((shop.exported[0] / "configs").glob("*.json"))
    missing = {path.stem for path in configs} - {"metadata"} - jobs.keys()
    problems = [f"the card has no command for {name}" for name in sorted(missing)] + _traces(shop, configs)
    # First what reads the weights that were exported: evaluation prefers those of a run, and training makes one.
    problems += shop.failures(*(job for name, job in jobs.items() if name != "train"))
    return problems + shop.failures(*(job for name, job in jobs.items() if name == "train"))


def _traces(shop: Workshop, configs: list[Path]) -> list[str]:
    """Where a config still says what the training's command line said."""
    given = [shop.relative(path) for path in (shop.bundle, shop.phantom, shop.folder / "trained")] + [RUN]
    return [
        f"{path.name}: {where} is {value}, of the run that was exported"
        for path in configs
        if path.stem != "metadata"
        for where, value in leaves(json.loads(path.read_text()))
        if isinstance(value, str) and value in given
    ]


def acceptance(shop: Workshop) -> list[str]:
    """MONAI's own judges and clients take the exported folder."""
    if shop.exported[1]:
        return shop.exported[1]
    script, schema = str(HERE / "job_acceptance.py"), str(HERE / "metadata_schema.json")
    data, out = json.dumps(shop.data, default=str), str(shop.fresh_output("acceptance"))
    return shop.failures(shop.stranger("acceptance", [script, schema, data, out]))


def graphs(shop: Workshop) -> list[str]:
    """TorchScript and ONNX forms answer as the network does; ONNX takes batches of any size."""
    if shop.exported[1]:
        return shop.exported[1]
    folder = shop.exported[0]
    probe = torch.load(folder.parent / "probe.pt", weights_only=True)
    exported = Exported(folder, probe["images"], probe["output"])
    try:
        found = {"model.ts": add_torchscript(exported), "model.onnx": add_onnx(exported)}
    except ExportError as error:
        return [str(error)]
    return [f"{name} differs by {value:.3g}" for name, value in found.items() if not value < 1e-4]


SLOW = {"graphs"}
# Half a minute each; what is special to processes is in methods, and in the toy.
SLOW_OF = {
    "ct_diagnosis_classification": {"two_processes"},
    "image_classification": {"two_processes"},
    "image_segmentation": {"two_processes"},
}
CHECKS: dict[str, Callable[[Workshop], list[str]]] = {
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
    )
}
