"""Make deliberate mistakes in the method code, one at a time, and see whether the tests notice.

    python scripts/mutate.py            # every mistake in tests/mutations.yaml
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
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "tests" / "mutations.yaml"
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


def read_table(path: Path = TABLE) -> list[Mutation]:
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="run the mistakes whose description or file contains this text")
    wanted = parser.parse_args().only.lower()
    mutations = [m for m in read_table() if wanted in f"{m.mistake} {m.file}".lower()]
    if not mutations:
        print(f"no mistake in {TABLE} contains {wanted!r}")
        return 1
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # a stale cache could hide a change made within a second
    sys.dont_write_bytecode = True
    for name in PRELOADED:
        importlib.import_module(name)

    started = time.monotonic()
    missed = 0
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        root = Path(folder)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(
                    source, root / name, ignore=shutil.ignore_patterns("__pycache__", "*.pt", "*.safetensors")
                )
            else:
                shutil.copy2(source, root / name)
        tests = tuple(sorted({test for mutation in mutations for test in mutation.tests}))
        status, output = run_tests(root, tests)
        if status != 0:
            print(f"the tests fail without any mistake (status {status}):\n{output[-4000:]}")
            return 1
        for mutation in mutations:
            caught, reason = judge(mutation, root)
            missed += not caught
            print(f"{'caught  ' if caught else 'SURVIVED'}  {mutation.mistake}  [{mutation.file}] {reason}", flush=True)
    print(f"{len(mutations) - missed} of {len(mutations)} mistakes caught in {time.monotonic() - started:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
