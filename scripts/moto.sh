#!/bin/sh
# Prints the path of moto_server, S3 and SQS for the tests, in the virtual environment of the tests;
# pinned, installed at the first call.
set -eu
cd "$(dirname "$0")/.."

python=$(./scripts/python.sh)
folder=$PWD/.build-python
wanted="moto[server,s3,sqs]==5.2.1"
if [ "$(cat "$folder/moto" 2>/dev/null)" != "$wanted" ]; then
    "$python" -m pip install -q --disable-pip-version-check "$wanted" >&2
    echo "$wanted" >"$folder/moto"
fi
echo "$folder/bin/moto_server"
