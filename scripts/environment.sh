# Sourced by the other shell scripts: makes or reuses .venv and leaves `python` pointing at it.
cd "$(dirname "${BASH_SOURCE[0]}")/.."

supported_python() {
  local candidate
  for candidate in python3.11 python3.12 python3.13 python3 python; do
    if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "No Python 3.11, 3.12 or 3.13 found. Install one (for example 'apt-get install python3.12 python3.12-venv') and start again." >&2
  return 1
}

prepare_environment() {
  local wanted stamp=.venv/requirements.sha256
  wanted="$(cat requirements.txt requirements-dev.txt pyproject.toml | sha256sum)"
  if [ ! -x .venv/bin/python ]; then
    local interpreter
    interpreter="$(supported_python)"
    echo "Making .venv"
    "$interpreter" -m venv .venv
  fi
  if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
    echo "Installing requirements.txt and requirements-dev.txt into .venv (a few minutes the first time)"
    .venv/bin/python -m pip install --quiet --upgrade "pip>=25"
    # The CPU build of PyTorch serves where the package index offers it; the CUDA build works as well.
    .venv/bin/python -m pip install --quiet -r requirements.txt -r requirements-dev.txt
    .venv/bin/python -m pip install -qq --no-deps -e .
    echo "$wanted" > "$stamp"
  fi
  export PATH="$PWD/.venv/bin:$PATH"
  export PYTHONWARNINGS="${PYTHONWARNINGS:-ignore::FutureWarning,ignore::DeprecationWarning}"
}
