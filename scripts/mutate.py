"""Make deliberate mistakes in the method code, one at a time, and see whether the tests notice.

    python scripts/mutate.py            # every mistake in tests/**/mutations*.yaml
    python scripts/mutate.py --only parity

Every mistake is made in a temporary copy of the tree and only the tests named beside it are run. Exit
status 1: a mistake survived, a fragment no longer matches its file, or the tests fail without a mistake.
"""

import argparse
import importlib
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
TABLES = ROOT / "tests"
COPIED = ("common", "bundles", "scripts", "studies", "tests", "pyproject.toml")
# Imported once, before the test processes are forked: each then starts in milliseconds instead of seconds.
PRELOADED = (
    "pytest",
    "torch",
    "torch._dynamo",
    "kornia.augmentation",
    "scipy.ndimage",
    "ignite.engine",
    "monai.engines",
)
TIME_LIMIT_S = 300  # of each test file


@dataclass(frozen=True)
class Mutation:
    """One deliberate mistake.

    Attributes:
        mistake: what is wrong, in words.
        file: file that is changed, relative to the root.
        fragment: text that occurs exactly once in the file.
        replacement: text put in its place.
        tests: test files of which at least one test must fail.
    """

    mistake: str
    file: str
    fragment: str
    replacement: str
    tests: tuple[str, ...]

    def apply(self, root: Path) -> str:
        """Make the mistake below `root`; returns the file's text before.

        Raises:
            ValueError: the fragment does not occur exactly once.
        """
        path = root / self.file
        before = path.read_text(encoding="utf-8")
        found = before.count(self.fragment)
        if found != 1:
            raise ValueError(f"the fragment occurs {found} times in {self.file}; expected once: {self.fragment!r}")
        path.write_text(before.replace(self.fragment, self.replacement), encoding="utf-8")
        return before


def read_tables(folder: Path = TABLES) -> list[Mutation]:
    """Every mistake in the `mutations*.yaml` below a folder; each table lies beside the tests that it names."""
    tables = [path.read_text(encoding="utf-8") for path in sorted(folder.rglob("mutations*.yaml"))]
    entries = [entry for table in tables for entry in yaml.safe_load(table)]
    return [Mutation(**(entry | {"tests": tuple(entry["tests"])})) for entry in entries]


def run_tests(root: Path, tests: tuple[str, ...]) -> tuple[int | None, str]:
    """Run test files of the copy in a forked process; returns pytest's status (None: too slow) and its output."""
    log = root / "pytest.log"
    process = multiprocessing.get_context("fork").Process(target=_test_process, args=(root, tests, log))
    process.start()
    process.join(TIME_LIMIT_S * len(tests))
    if process.is_alive():
        process.terminate()
        process.join()
        return None, log.read_text(encoding="utf-8")
    return process.exitcode, log.read_text(encoding="utf-8")


def _test_process(root: Path, tests: tuple[str, ...], log: Path) -> None:
    import pytest

    with log.open("wb") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    os.chdir(root)
    # Ahead of the editable install, so that the copy is what is imported.
    sys.path.insert(0, str(root))
    common = importlib.import_module("common")
    if not str(common.__file__).startswith(str(root)):
        raise RuntimeError(f"tests would import {common.__file__}, not the copy in {root}")
    sys.exit(pytest.main(["-x", "-q", "--tb=no", "-p", "no:cacheprovider", *tests]))


def judge(mutation: Mutation, root: Path) -> tuple[bool, str]:
    """Whether the mistake was caught, and by which test or why not."""
    try:
        before = mutation.apply(root)
    except ValueError as error:
        return False, str(error)
    try:
        status, output = run_tests(root, mutation.tests)
    finally:
        (root / mutation.file).write_text(before, encoding="utf-8")
    if status == 0:
        return False, "survived: " + ", ".join(mutation.tests)
    if status != 1:  # a mistake that stops the tests from being collected proves nothing about them
        return False, f"the tests did not run (status {status}):\n{output[-2000:]}"
    failed = re.search(r"^FAILED (\S+)", output, re.MULTILINE)
    return True, f"caught by {failed.group(1) if failed else 'an error in a fixture'}"


def groups(mutations: list[Mutation]) -> list[list[Mutation]]:
    """Mistakes of the same test files together, those of the most mistakes first."""
    found: dict[tuple[str, ...], list[Mutation]] = {}
    for mutation in mutations:
        found.setdefault(mutation.tests, []).append(mutation)
    return sorted(found.values(), key=len, reverse=True)


def copy_tree(root: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.pt", "*.safetensors")
            shutil.copytree(source, root / name, ignore=ignored)
        else:
            shutil.copy2(source, root / name)


def judge_group(group: list[Mutation]) -> list[tuple[bool, str]]:
    """Verdicts on mistakes of the same test files, in a copy of the tree of their own."""
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        root = Path(folder)
        copy_tree(root)
        status, output = run_tests(root, group[0].tests)
        if status != 0:
            return [(False, f"the tests fail without any mistake (status {status}):\n{output[-2000:]}")] * len(group)
        return [judge(mutation, root) for mutation in group]


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="run the mistakes whose description or file contains this text")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes to share the work")
    options = parser.parse_args(words)
    mutations = [m for m in read_tables() if options.only.lower() in f"{m.mistake} {m.file}".lower()]
    if not mutations:
        print(f"no mistake below {TABLES} contains {options.only!r}")
        return 1
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # a stale cache could hide a change made within a second
    sys.dont_write_bytecode = True
    for name in PRELOADED:
        importlib.import_module(name)

    started = time.monotonic()
    missed = 0
    with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("fork")) as pool:
        judged = {pool.submit(judge_group, group): group for group in groups(mutations)}
        for future in as_completed(judged):
            for mutation, (caught, reason) in zip(judged[future], future.result(), strict=True):
                missed += not caught
                word = "caught  " if caught else "SURVIVED"
                print(f"{word}  {mutation.mistake}  [{mutation.file}] {reason}", flush=True)
    print(f"{len(mutations) - missed} of {len(mutations)} mistakes caught in {time.monotonic() - started:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
