"""One bundle, a small phantom and a scratch folder: runs the bundle's commands as a user would type them."""

import os
import re
import shlex
import shutil
import socket
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from contract_configs import find, load
from fork_server import ForkServer, Job
from safetensors.torch import load_file

from common.command import completed
from common.export import isolated_environment
from common.export.configs import merge

RUN = "contract"
HERE = Path(__file__).parent
# What is left out to compare one process with two: batch norm and soft Dice over a batch, which see half of it in each,
# and layers with random numbers of their own, which each process draws for itself.
# Plain gradient steps take Adam's place: it makes whole steps of the rounding noise of gradients that are 0, such as
# that of the bias of attention's keys.
PLAIN_STEPS: dict[str, Any] = {"optimizer#_target_": "torch.optim.SGD", "learning_rate": 0.05}
EQUAL_IN_TWO: dict[str, dict[str, Any]] = {
    "cxr_ace": {**PLAIN_STEPS, "method#dense_head#_disabled_": True, "network_def#drop_path": 0.0},
    "cxr_adam": PLAIN_STEPS,
    "cxr_adam_v2": PLAIN_STEPS,
    "cxr_leader": {**PLAIN_STEPS, "network_def#drop_path": 0.0},
    # Which epoch is best follows from a loss that contrasts a batch with itself, and half a batch has fewer negatives.
    "cxr_srhrs": {**PLAIN_STEPS, "projector#batch_norm": False, "checkpoints#keep_best": "embedding_rank"},
    "ct_diagnosis_classification": {**PLAIN_STEPS, "architecture_options#drop_path": 0.0},
    "image_classification": {**PLAIN_STEPS, "network_def#encoder#drop_path": 0.0},
    "image_segmentation": {
        **PLAIN_STEPS,
        "decoder": "swin_unetr",
        "loss_function#dice_weight": 0.0,
        "network_def#encoder#drop_path": 0.0,
    },
    # Landmarks that no image lacks: a mean over those that are known is taken in each process.
    "landmark_detection": {
        **PLAIN_STEPS,
        "decoder": "swin_unetr",
        "landmarks": ["carina", "hilum_left"],
        "network_def#encoder#drop_path": 0.0,
    },
    "lesion_detection": {**PLAIN_STEPS, "network_def#encoder#drop_path": 0.0},
    "toy": {"network_def#dropout": 0.0},
}
# Analyses of what another bundle has trained.
ANALYSES_OF_RUNS = {"lesion_localization": "image_classification"}


class BundleRunner:
    """Runs one bundle's commands in children of the fork server; a training that several checks need happens once."""

    def __init__(self, bundle: Path, phantom: Path, server: ForkServer, folder: Path):
        self.bundle, self.phantom, self.server, self.folder = bundle, phantom, server, folder
        self.root = bundle.parent.parent
        configs = bundle / "configs"
        names = ["train.yaml", "data/phantom.yaml", "smoke.yaml"] if (configs / "train.yaml").is_file() else []
        self.train_files = [configs / name for name in names if (configs / name).is_file()]
        self.config: dict[str, Any] = {}
        for path in self.train_files:
            self.config = merge(self.config, load(path))
        self.config = completed(self.config)

    @property
    def analysis_files(self) -> list[Path]:
        """Configs of the analysis; where there is a training, overlays are laid over that."""
        names = ["analyse.yaml", *([] if self.train_files else ["data/phantom.yaml", "smoke.yaml"])]
        return [path for name in names if (path := self.bundle / "configs" / name).is_file()]

    @property
    def images(self) -> Path:
        """What inference gets: the phantom's images, or all of its volumes."""
        return self.phantom / "images" if (self.phantom / "images").is_dir() else self.phantom

    @property
    def data(self) -> dict[str, Path]:
        """The phantom as everything that a training of this bundle reads."""
        return {key: self.phantom for key in ("dataset_dir", "probe_dir") if key in self.config}

    def arguments(self, files: list[Path], **overrides: Any) -> list[str]:
        """`-m monai.bundle run` with config files and overrides, every path relative to where the README's begin."""
        line = ["-m", "monai.bundle", "run", "--config_file", str([self.relative(path) for path in files])]
        line += ["--bundle_root", self.relative(self.bundle)]
        for key, value in overrides.items():
            line += [f"--{key}", self.relative(value) if isinstance(value, Path) else str(value)]
        return line

    def relative(self, path: Path) -> str:
        """A path as seen from the repository's root, which leads nowhere from an exported folder."""
        return os.path.relpath(path, self.root)

    def job(self, name: str, arguments: list[str], **settings: Any) -> Job:
        settings = {"cwd": str(self.root), **settings}
        return Job(arguments, log=str(self.folder / f"{name}.log"), **settings)

    def train_job(
        self, name: str, kill_after: int | None = None, rank: dict[str, str] | None = None, **more: Any
    ) -> Job:
        overrides = {**self.data, "output_root": self.fresh_output(name), "run_name": RUN}
        log = f"{name}-{rank['RANK']}" if rank else name
        arguments = self.arguments(self.train_files, **{**overrides, **more})
        return self.job(log, arguments, kill_after=kill_after, environment=rank or {})

    def analysis_job(self, name: str) -> Job:
        overrides = {"dataset_dir": self.phantom, "output_root": self.fresh_output(name), "run_name": RUN}
        if self.judged is not None:
            overrides["classifiers"] = {"smoke": str(self.judged.run_folder("trained"))}
        return self.job(name, self.arguments(self.analysis_files, **overrides))

    @cached_property
    def judged(self) -> "BundleRunner | None":
        """The bundle whose smoke run this one's analysis looks at; None where it looks at none."""
        bundle = ANALYSES_OF_RUNS.get(self.bundle.name)
        folder = self.folder / "judged"
        folder.mkdir(exist_ok=True)
        return None if bundle is None else BundleRunner(self.bundle.parent / bundle, self.phantom, self.server, folder)

    def fresh_output(self, name: str) -> Path:
        """An output folder; its MLflow tables are copied, since making them takes seconds."""
        out = self.folder / name
        if not out.exists():
            out.mkdir()
            shutil.copyfile(self.server.tables, out / "mlflow.db")
        return out

    def run_folder(self, name: str) -> Path:
        return self.folder / name / self.bundle.name / RUN

    @cached_property
    def trained(self) -> list[str]:
        """Train once with the smoke preset; what went wrong."""
        return self.failures(self.train_job("trained", **self.often))

    @cached_property
    def often(self) -> dict[str, Any]:
        """A checkpoint every other iteration, so that a killed run goes on in the middle of an epoch."""
        return {"checkpoints#every_iterations": 2} if "checkpoints" in self.config else {}

    def failures(self, *jobs: Job, expected: int = 0) -> list[str]:
        """Run jobs at the same time; the end of the output of those that did not end as expected."""
        codes = self.server.run(*jobs)
        return [
            f"{' '.join(job.arguments)}\nended with {code}:\n{job.output()[-4000:]}"
            for job, code in zip(jobs, codes, strict=True)
            if code != expected
        ]

    def two_processes(self, name: str, **overrides: Any) -> list[str]:
        """The same training in two processes of half the batch each."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        batch = find(self.config, "batch_size")
        common = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        ranks = [{**common, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(2)]
        jobs = [self.train_job(name, rank=rank, batch_size=batch // 2, **overrides) for rank in ranks]
        return self.failures(*jobs)

    def weights(self, name: str) -> dict[str, torch.Tensor]:
        """Every tensor that a finished run left behind: its weights and its last checkpoint's network."""
        folder = self.run_folder(name)
        found = {}
        for path in [*sorted(folder.glob("*.pt")), *sorted(folder.glob("checkpoints/iteration-*.pt"))[-1:]]:
            content = torch.load(path, map_location="cpu", weights_only=True)
            found |= {f"{path.name}: {key}": value for key, value in content.get("network", content).items()}
        for path in folder.glob("*.safetensors"):
            found |= {f"{path.name}: {key}": value for key, value in load_file(path).items()}
        return found

    @cached_property
    def hidden(self) -> str:
        """Start-up file of a process that cannot see the repository."""
        folder = self.folder / "isolation"
        folder.mkdir(exist_ok=True)
        isolated_environment(folder)
        return str(folder / "sitecustomize.py")

    @cached_property
    def exported(self) -> tuple[Path, list[str]]:
        """Export the smoke run; the folder, and what went wrong."""
        return self.export("exported")

    def export(self, name: str, *words: str) -> tuple[Path, list[str]]:
        out = self.folder / name / self.bundle.name
        arguments = [str(HERE / "job_export.py"), str(self.bundle), str(self.run_folder("trained")), str(out), *words]
        return out, self.trained or self.failures(self.job(name, arguments))

    def output(self, folder: Path) -> dict[str, Path]:
        """Override that sends what inference writes, a folder or a single file, to a folder."""
        config = load(self.bundle / "configs" / "inference.yaml")
        if "output_file" in config:
            return {"output_file": folder / Path(config["output_file"]).name}
        return {"output_dir": folder}

    def isolated(self, name: str, arguments: list[str], folder: Path | None = None) -> Job:
        """A process inside the exported folder, or a copy of it, that cannot see the repository."""
        return self.job(f"isolated-{name}", arguments, cwd=str(folder or self.exported[0]), hidden=self.hidden)

    def card_jobs(self) -> dict[str, Job]:
        """The commands of the exported card in a copy of the folder, letter by letter but for the placeholders."""
        folder = self.folder / "received" / self.bundle.name
        shutil.copytree(self.exported[0], folder)
        (folder / "runs").mkdir()
        shutil.copyfile(self.server.tables, folder / "runs" / "mlflow.db")
        data = {"DATA": self.phantom, "PROBE_DATA": self.phantom, "IMAGES": self.images}
        card = (folder / "docs" / "README.md").read_text()
        jobs = {}
        for line in re.findall(r"^python (-m monai\.bundle run .*)$", card, re.MULTILINE):
            words = [str(data.get(word, word)) for word in shlex.split(line)]
            name = Path(words[words.index("--config_file") + 1]).stem
            jobs[name] = self.isolated(f"card-{name}", words, folder)
        return jobs


def differences(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], tolerance: float = 0.0) -> list[str]:
    """Names whose tensors differ by more than the tolerance, relative to the largest entry; the worst first."""
    if not one or one.keys() != other.keys():
        return [f"one run left {sorted(one)}, the other {sorted(other)}"]
    worst = {name: _distance(one[name], other[name]) for name in one}
    apart = [name for name in sorted(worst, key=worst.__getitem__, reverse=True) if not worst[name] <= tolerance]
    return [f"{name} differs by {worst[name]:.3g}" for name in apart[:5]]


def _distance(one: torch.Tensor, other: torch.Tensor) -> float:
    if one.shape != other.shape:
        return float("inf")
    if one.numel() == 0 or torch.equal(one, other):
        return 0.0
    return ((one.double() - other.double()).abs().max() / one.double().abs().max().clamp(min=1e-6)).item()
