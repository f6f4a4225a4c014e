"""Pictures and tables of an output root that has been moved or copied.

MLflow notes whole paths, though they lie beside its database. `python -m common.reporting.moved runs` puts them right
for `mlflow ui`; a run that begins in the folder does so by itself.
"""

import contextlib
import sqlite3
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

ARTIFACTS = "artifacts"
PLACES = {"experiments": "artifact_location", "runs": "artifact_uri"}


def relocate(database: Path, directory: Path) -> int:
    """Let experiments and runs of a database point to the artifacts beside it.

    Those that point elsewhere are changed where nothing is left there, or where their runs' folders are here.

    Args:
        database: SQLite file; may be that of another process too.
        directory: where it lies; its `artifacts/` holds a folder for each run.

    Returns:
        How many experiments were changed.
    """
    here = (directory.absolute() / ARTIFACTS).as_uri()
    with contextlib.closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        found = connection.execute(
            "select experiment_id, artifact_location from experiments where artifact_location like ? and not "
            "artifact_location = ?",
            [f"file://%/{ARTIFACTS}", here],
        ).fetchall()
        artifacts = directory / ARTIFACTS
        moved = [(number, there) for number, there in found if _is_here(connection, number, there, artifacts)]
        for experiment, there in moved:
            for table, column in PLACES.items():
                connection.execute(
                    f"update {table} set {column} = ? || substr({column}, ?) where experiment_id = ? and "
                    f"substr({column}, 1, ?) = ?",
                    [here, len(there) + 1, experiment, len(there), there],
                )
    return len(moved)


def _is_here(connection: sqlite3.Connection, experiment: int, there: str, artifacts: Path) -> bool:
    if not Path(unquote(urlsplit(there).path)).is_dir():
        return True
    runs = connection.execute("select run_uuid from runs where experiment_id = ?", [experiment])
    return any((artifacts / run_id).is_dir() for (run_id,) in runs)


def main(arguments: list[str]) -> int:
    """Put right the output root that is named, `runs` by default."""
    directory = Path(arguments[0] if arguments else "runs")
    database = directory / "mlflow.db"
    if not database.is_file():
        print(f"There is no {database}. Name the output root that was moved.", file=sys.stderr)
        return 2
    print(f"{relocate(database, directory)} experiments of {database} point to {directory / ARTIFACTS} now.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
