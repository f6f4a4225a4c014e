"""What a run's folder says of how it was made: its merged config, and the command that gave it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..run_folder import COMMAND, CONFIG
from .credentials import without_credentials
from .given import current_command


@dataclass(frozen=True)
class RunFiles:
    """Both files of a run; without passwords and tokens.

    Args:
        config: the recipe with its base, overlays and overrides.
        bundle: folder name of the bundle; None where no command line began the run.
        config_files: of the command, the recipe first.
        overrides: of the command, by key.
        cwd: folder that relative paths of both start from.
    """

    config: Mapping[str, Any]
    bundle: str | None = None
    config_files: tuple[str, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)
    cwd: str = "."


def write_run_files(run_dir: str | Path, config: Mapping[str, Any]) -> None:
    """Write `config.yaml` and, where a command line began the run, `command.json`; what is there already is kept.

    Args:
        run_dir: made when absent.
        config: merged, as `merged_config` gives it.
    """
    folder = Path(run_dir)
    _write(yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True), folder / CONFIG)
    command = current_command()
    if command is None:
        return
    content = {
        "bundle": Path(command.files[0]).resolve().parent.parent.name,
        "config_files": list(command.files),
        "overrides": plain({**command.defaults, **command.flags}),
        "cwd": str(Path.cwd()),
    }
    _write(json.dumps(content, indent=2) + "\n", folder / COMMAND)


def is_run_config(file: str | Path) -> bool:
    """Whether a file is the merged config in a run's folder."""
    return Path(file).name == CONFIG and Path(file).with_name(COMMAND).is_file()


def read_run_files(run_dir: str | Path) -> RunFiles | None:
    """What is noted in a run's folder; None where there is no config, as in runs of earlier versions.

    Raises:
        ValueError: a file is damaged.
    """
    path = Path(run_dir) / CONFIG
    if not path.is_file():
        return None
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("it holds no mapping")
        path = Path(run_dir) / COMMAND
        command = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return RunFiles(config, **{**command, "config_files": tuple(command.get("config_files", ()))})
    except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise ValueError(f"{path} cannot be read ({error}). Restore it, or choose another run_name.") from error


def plain(value: Any) -> Any:
    """Values as they come back from a file: tuples are lists, what YAML lacks is text, secrets are gone."""
    return json.loads(json.dumps(without_credentials(value), default=str))


def _write(text: str, path: Path) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        from ..files import write_atomically  # with filelock, for which what only reads must not wait

        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(text, path)
