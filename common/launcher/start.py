"""Starts MONAI's command for a short form, without what it tells of itself before a recipe is read.

`python -m common.launcher.start run ...` is `python -m monai.bundle run ...`.
"""

import logging
import runpy
import warnings

TRUST = "parsing config_file"
"""A warning that configs are programs; README says it."""
NEEDLESS = ("Not all config files are in", "Setting logging properties based on config")
"""Told of every command whose overlay lies in another folder, and of every command."""


def start() -> None:
    """Become `python -m monai.bundle`, with this process's arguments."""
    warnings.filterwarnings("ignore", TRUST, UserWarning)
    logging.getLogger("monai.bundle.workflows").addFilter(is_needed)  # which MONAI finds by this name
    runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)


def is_needed(record: logging.LogRecord) -> bool:
    """Whether a person has to read this line of MONAI's."""
    return not record.getMessage().startswith(NEEDLESS)


if __name__ == "__main__":
    start()
