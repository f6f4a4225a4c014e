"""Commands on made-up images at the smoke size, each in a child process."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from toy_bundle.scripts.children import exit_code, in_child

from common.engines import Checkpoints

BUNDLES = Path(__file__).parents[2] / "bundles"
MAIN = "/somewhere/site-packages/monai/bundle/__main__.py"


def write_images(folder, count=17):
    """Square images of noise."""
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 255, (80, 80), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder


def train(bundle, root, images, overlays, kill_at=None, **override):
    """A pre-training on a folder of images, probed on some of them."""
    data = {
        "dataset": "folder",
        "dataset_dir": str(images),
        "dataset_options": {"val_fraction": 0.3, "test_fraction": 0.0},
    }
    probe = {
        "probe_dataset": "folder",
        "probe_dir": str(images),
        "probe_limit": 4,
        "probe_split": "val",
        "probe_structures": [],
    }
    name = {"run_name": f"{bundle.removeprefix('cxr_')}-seed0"}
    flags = {**data, **probe, **name, **override, "checkpoints#every_iterations": 1}
    return command(bundle, root, overlays, kill_at, **flags)


def command(bundle, root, overlays=(), kill_at=None, base=("train", "smoke"), **override):
    """Run MONAI's command in a child; `kill_at` is a part of a run folder's name and the iteration to die after."""
    files = [str(BUNDLES / bundle / "configs" / f"{name}.yaml") for name in (*base, *overlays)]
    flags = {"bundle_root": str(BUNDLES / bundle), **({"output_root": str(root)} if root else {}), **override}

    def action():
        from monai.bundle import run

        save = Checkpoints.save

        def save_and_die(self, engine):
            save(self, engine)
            self.wait()
            if kill_at and kill_at[0] in str(self.directory) and engine.state.iteration == kill_at[1]:
                os.kill(os.getpid(), signal.SIGKILL)

        Checkpoints.save = save_and_die
        words = [word for key, value in flags.items() for word in (f"--{key}", str(value))]
        sys.argv = [MAIN, "run", "--config_file", str(files), *words]
        run(config_file=files, **flags)

    return exit_code(in_child(action))
