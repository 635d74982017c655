#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fuzzes one parser: Fuzz/run.sh TARGET [SECONDS [EXECUTIONS]]
#   TARGET      a row of the table below; its harness is Fuzz/<Name>Fuzz.swift
#   SECONDS     how long a round takes (default 60); one worker for each core
#   EXECUTIONS  goes on for up to 9 more rounds until there were so many (default 10000000)
# Ends with one line: target, executions, crashes. Exits 1 on a crash or with too few executions, 64
# on wrong use, 70 when the harness does not build. Everything it makes is under .build-fuzz, with
# the workers' logs in .build-fuzz/TARGET/logs; what is found is kept there and not committed.
set -eu
cd "$(dirname "$0")/.."

target=${1:-}
seconds=${2:-60}
least=${3:-10000000}
# Why a limit of bytes: the features of a format need few, and short inputs run often.
case $target in
messagepack) harness=Fuzz/MessagePackFuzz.swift sources=$(ls Sources/MessagePack/*.swift) bytes=512 ;;
resp) harness=Fuzz/RESPFuzz.swift sources=$(ls Sources/RedisClient/RESP*.swift) bytes=160 ;;
# What queries stand on, without the parts that run jobs.
query)
    harness=Fuzz/QueryFuzz.swift bytes=256 module=MessagePack
    core=Sources/Godwit
    sources="$(ls Sources/MessagePack/*.swift $core/Query/*.swift $core/Message/*.swift $core/Settle/*.swift)
        $core/Broker/Inspector.swift $core/Broker/BrokerError.swift $core/Broker/EventLog.swift
        $core/Broker/Seam.swift $core/Enqueue/Codec.swift"
    ;;
*)
    echo "usage: Fuzz/run.sh messagepack|resp|query [SECONDS [EXECUTIONS]]" >&2
    exit 64
    ;;
esac

out=.build-fuzz/$target
mkdir -p "$out/corpus" "$out/crashes" "$out/logs"
rm -f "$out"/crashes/* "$out"/logs/*

# Why a module of that name: `import MessagePack` in the module MessagePack is nothing.
# Why -O without debug assertions off: overflow and bounds checks of Swift stay in, and those are
# what hostile bytes would trip over.
# shellcheck disable=SC2086  # the sources are a list
if ! swiftc -O -wmo -swift-version 6 -parse-as-library -sanitize=fuzzer -package-name godwit \
    -enable-upcoming-feature ExistentialAny -enable-upcoming-feature MemberImportVisibility \
    -enable-upcoming-feature InternalImportsByDefault \
    -module-name "${module:-fuzz_$target}" -o "$out/fuzz" $sources "$harness" >"$out/logs/build" 2>&1; then
    cat "$out/logs/build" >&2
    exit 70
fi

cores=$(getconf _NPROCESSORS_ONLN)
began=$(date +%s)
executions=0
round=0
failed=0
while [ "$round" -eq 0 ] || { [ "$executions" -lt "$least" ] && [ "$round" -lt 10 ]; }; do
    round=$((round + 1))
    workers=""
    for core in $(seq "$cores"); do
        SWIFT_BACKTRACE=enable=no "$out/fuzz" -max_total_time="$seconds" -max_len="$bytes" \
            -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="$out/crashes/" \
            "$out/corpus" "Fuzz/corpus/$target" >"$out/logs/$round-$core" 2>&1 &
        workers="$workers $!"
    done
    for worker in $workers; do wait "$worker" || failed=1; done
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$out"/logs/*-* |
        awk '{ sum += $1 } END { printf "%d", sum }')
    [ "$failed" -eq 0 ] || break
done

crashes=$(find "$out/crashes" -type f | wc -l)
line="$target: $executions executions in $(($(date +%s) - began)) s on $cores core(s), $crashes crashes"
if [ "$failed" -ne 0 ] || [ "$crashes" -ne 0 ]; then
    tail -n 30 "$out/logs/$round-"* >&2
    echo "$line (inputs in $out/crashes)"
    exit 1
fi
echo "$line"
if [ "$executions" -lt "$least" ]; then
    echo "$target: fewer than $least; give it more seconds" >&2
    exit 1
fi
