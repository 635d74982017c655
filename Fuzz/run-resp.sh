#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fuzzes the RESP parser: Fuzz/run-resp.sh [SECONDS] (default 60). A finding is left in .build/fuzz.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
mkdir -p .build/fuzz/resp
swiftc -O -wmo -parse-as-library -sanitize=fuzzer -package-name godwit -module-name RESPFuzz \
    Sources/RedisClient/RESP*.swift Fuzz/RESPFuzz.swift -o .build/fuzz/resp-fuzz
# New inputs go to the first folder; the corpus in the repository is read and stays small.
exec .build/fuzz/resp-fuzz .build/fuzz/resp Fuzz/corpus/resp \
    -max_total_time="$seconds" -max_len=160 -print_final_stats=1 -verbosity="${VERBOSITY:-0}" \
    -artifact_prefix=.build/fuzz/
