#!/bin/sh
# Runs the bench table of the README: SQLite always, Redis when a URL is given.
set -eu
cd "$(dirname "$0")/.."
godwit=.build/release/godwit
redis=${1:-}

run() { echo "+ godwit bench $*" >&2; "$godwit" bench "$@" -o json; }

run codec
run --jobs 200000 --batch 100 --mode enqueue
run --jobs 200000 --batch 100 --mode drain --concurrency 100
run --jobs 200000 --batch 100 --mode lifecycle --concurrency 100
run --jobs 20000 --mode single
if [ -n "$redis" ]; then
    export GODWIT_BROKER="$redis"
    run --jobs 500000 --batch 100 --mode enqueue
    run --jobs 200000 --callers 64 --mode enqueue
    run --jobs 500000 --batch 100 --mode drain --concurrency 100
    run --jobs 500000 --batch 100 --mode drain --concurrency 100 --tracking off --events off
    run --jobs 500000 --batch 100 --mode lifecycle --concurrency 100
    run --jobs 50000 --mode single
fi
