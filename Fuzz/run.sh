#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fuzzes one parser: Fuzz/run.sh TARGET SECONDS
#   TARGET   a name of the table below; its harness is Fuzz/<Target>Fuzz.swift
#   SECONDS  how long to run (default 60)
# Ends with one line: target, executions, crashes. Exits 1 on a crash, 64 on wrong use, 70 when the
# harness does not build. Everything it makes is under .build-fuzz; the log is .build-fuzz/TARGET.log.
set -eu
cd "$(dirname "$0")/.."

target=${1:-}
seconds=${2:-60}
case $target in
messagepack) harness=Fuzz/MessagePackFuzz.swift sources=$(ls Sources/MessagePack/*.swift) ;;
*)
    echo "usage: Fuzz/run.sh messagepack [SECONDS]" >&2
    exit 64
    ;;
esac

out=.build-fuzz/$target
log=.build-fuzz/$target.log
mkdir -p "$out/corpus" "$out/crashes"
rm -f "$out"/crashes/*

# Why -O without debug assertions off: overflow and bounds checks of Swift stay in, and those are
# what hostile bytes would trip over.
# shellcheck disable=SC2086  # the sources are a list
if ! swiftc -O -wmo -swift-version 6 -parse-as-library -sanitize=fuzzer \
    -enable-upcoming-feature ExistentialAny -enable-upcoming-feature MemberImportVisibility \
    -enable-upcoming-feature InternalImportsByDefault \
    -module-name "fuzz_$target" -o "$out/fuzz" $sources "$harness" >"$log" 2>&1; then
    cat "$log" >&2
    exit 70
fi

status=0
SWIFT_BACKTRACE=enable=no "$out/fuzz" -max_total_time="$seconds" -max_len=512 -timeout=10 \
    -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="$out/crashes/" \
    "$out/corpus" "Fuzz/corpus/$target" >"$log" 2>&1 || status=$?

executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -1)
crashes=$(find "$out/crashes" -type f | wc -l)
if [ "$status" -ne 0 ] || [ "$crashes" -ne 0 ]; then
    tail -30 "$log" >&2
    echo "$target: ${executions:-unknown number of} executions, $crashes crashes (inputs in $out/crashes)"
    exit 1
fi
echo "$target: $executions executions in $seconds s, 0 crashes"
