#!/usr/bin/env bash
# Pack the code as committed, the wheels that it needs and, if wanted, a folder of data for a machine without internet:
#   bash scripts/pack_offline.sh OUT.tar [--data FOLDER] [--requirements FILE]
# The other machine needs the same system and the same version of Python. WHEELS names a folder of wheels that are at hand already.
set -euo pipefail
here="$PWD"
cd "$(dirname "$0")/.."

from_here() { case "$1" in /*) echo "$1" ;; *) echo "$here/$1" ;; esac; }

usage() {
  echo "usage: bash scripts/pack_offline.sh OUT.tar [--data FOLDER] [--requirements FILE]" >&2
  exit 2
}

out="" data="" requirements=requirements.txt
while [ $# -gt 0 ]; do
  case "$1" in
    --data) data="$(from_here "${2:?--data needs a folder}")"; shift 2 ;;
    --requirements) requirements="$(from_here "${2:?--requirements needs a file}")"; shift 2 ;;
    -*) usage ;;
    *) [ -z "$out" ] || usage; out="$(from_here "$1")"; shift ;;
  esac
done
[ -n "$out" ] || usage
[ -z "$data" ] || [ -d "$data" ] || { echo "pack_offline: there is no folder $data" >&2; exit 1; }
[ -f "$requirements" ] || { echo "pack_offline: there is no file $requirements" >&2; exit 1; }
python="${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
packed="$work/anatomy-bundles"
mkdir -p "$packed/wheels"
git archive HEAD | tar -x -C "$packed"
cp "$requirements" "$packed/wheels/requirements.txt"

found=()
[ -z "${WHEELS:-}" ] || found=(--find-links "$WHEELS")
"$python" -m pip download --quiet --only-binary=:all: "${found[@]}" -d "$packed/wheels" -r "$requirements"
"$python" -c 'import sys; print("{}.{}".format(*sys.version_info))' > "$packed/wheels/python"

if [ -n "$data" ]; then
  mkdir -p "$packed/data"
  cp -r "$data" "$packed/data/"
fi

cat > "$packed/install.sh" <<'INSTALL'
#!/usr/bin/env bash
# Makes .venv beside this file from the wheels in `wheels` alone; reaches no network.
set -euo pipefail
cd "$(dirname "$0")"
wanted="$(cat wheels/python)"
python="${PYTHON:-python$wanted}"
command -v "$python" > /dev/null || { echo "install: Python $wanted is needed, for which the wheels are; PYTHON names another place of it" >&2; exit 1; }
"$python" -m venv .venv
.venv/bin/python -m pip install --quiet --no-index --find-links wheels -r wheels/requirements.txt
pwd > "$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/anatomy-bundles.pth" # as an editable install
echo "Done. Start with: source .venv/bin/activate && python -m common list"
INSTALL
tar -cf "$out" -C "$work" anatomy-bundles
echo "$out: $(ls "$packed/wheels"/*.whl | wc -l) wheels for Python $(cat "$packed/wheels/python"), $(du -h "$out" | cut -f1)"
