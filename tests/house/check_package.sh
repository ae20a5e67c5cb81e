#!/bin/bash
# Builds the wheel and the sdist, installs the wheel where nothing else is, and asks it its version.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$PYTHON" -m build --no-isolation --outdir "$scratch/dist" . >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
"$PYTHON" -m venv "$scratch/venv"
quiet=(--quiet --disable-pip-version-check)
"$scratch/venv/bin/pip" install "${quiet[@]}" --require-hashes --only-binary=:all: -r requirements/runtime.txt
"$scratch/venv/bin/pip" install "${quiet[@]}" --no-deps "$scratch"/dist/*.whl
"$scratch/venv/bin/pip" check "${quiet[@]}"
cd "$scratch" # so that the installed package answers, not the sources
"$scratch/venv/bin/paywright" --version
"$scratch/venv/bin/python" -m paywright_sandbox --help >/dev/null
