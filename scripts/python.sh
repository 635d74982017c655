#!/bin/sh
# Prints the Python of a virtual environment that has what the tests and the generators need, made at the
# first call. Pinned, so that generated code is the same everywhere.
set -eu
cd "$(dirname "$0")/.."

folder=$PWD/.build-python
wanted="grpcio==1.85.1 grpcio-tools==1.85.1 protobuf==7.36.2 pytest==9.0.3 mypy==1.18.2"
if [ "$(cat "$folder/wanted" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$folder"
    python3 -m venv "$folder" >&2
    # shellcheck disable=SC2086 — a list of packages
    "$folder/bin/pip" install -q --disable-pip-version-check $wanted >&2
    echo "$wanted" >"$folder/wanted"
fi
echo "$folder/bin/python"
