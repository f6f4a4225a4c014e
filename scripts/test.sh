#!/usr/bin/env bash
# Lint, types and tests. `--all` adds the long matrix and, where CXR_DATA names them, the real images.
set -euo pipefail
source "$(dirname "$0")/environment.sh"
prepare_environment

selection="not slow"
if [ "${1:-}" = "--all" ]; then
  selection=""
  shift
fi
ruff check .
ruff format --check .
mypy
# Each process takes whole test files, so that what the tests of a file share is made once.
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
python -m pytest -m "$selection" --numprocesses logical --maxprocesses 8 --dist loadfile "$@"
