#!/bin/bash
# Builds the wheel and the sdist, installs the wheel where nothing else is, and asks it its version.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$PYTHON" -m build --no-isolation --outdir "$scratch/dist" . >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
"$PYTHON" -m venv --without-pip "$scratch/venv"
pip=("$PYTHON" -m pip --quiet --disable-pip-version-check --python "$scratch/venv/bin/python")
"${pip[@]}" install --require-hashes --only-binary=:all: -r requirements/runtime.txt
"${pip[@]}" install --no-deps "$scratch"/dist/*.whl
"${pip[@]}" check
cd "$scratch" # so that the installed package answers, not the sources
venv/bin/paywright --version
venv/bin/python -m paywright_sandbox --help >/dev/null
