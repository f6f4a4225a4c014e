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
python -m pytest -m "$selection" "$@"
