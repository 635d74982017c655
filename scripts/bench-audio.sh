#!/bin/sh
# Takes TRACKS whole tracks in (200), with one worker process, and prints tracks a second, times real time
# and the CPU of each stage; then again with two processes, one of which is killed in the middle, and
# counts what is there. Needs ffmpeg; the music comes from scripts/music.sh. BENCH_ARGS go to both.
set -eu
BENCH_ARGS="${BENCH_ARGS:-}"
tracks="${1:-200}"
here="$(cd "$(dirname "$0")/.." && pwd)"
music="$("$here/scripts/music.sh")"
command="$here/.build/release/audio-ingest"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir "$work/in"
# As many different files as asked for: a copy is cut a second later, so that its bytes are others.
many=$(ls "$music"/*.ogg | wc -l)
index=0
while [ "$index" -lt "$tracks" ]; do
    for file in "$music"/*.ogg; do
        [ "$index" -lt "$tracks" ] || break
        round=$((index / many))
        if [ "$round" -eq 0 ]; then
            cp "$file" "$work/in/track $index.ogg"
        else
            ffmpeg -nostdin -v error -ss "$round" -i "$file" -map 0:a:0 -c copy "$work/in/track $index.ogg"
        fi
        index=$((index + 1))
    done
done
nproc | sed 's/^/cores: /'
# Exit code 1 says that some track failed: the last line says it, too.
# shellcheck disable=SC2086 — a list of arguments
"$command" run "$work/in"/*.ogg --out "$work/out" --quiet --stats \
    --set temp.folder="$work/temp" $BENCH_ARGS >"$work/lines" || true
tail -n 1 "$work/lines"

# Two lines for a track in each of three stages: half of them is the middle.
watch() {
    # shellcheck disable=SC2086
    exec "$command" watch --source "$work/in" --out "$work/killed" --broker "sqlite:$work/queue.db" \
        --once --quiet --events --set lease.seconds=5 --set temp.folder="$work/temp" $BENCH_ARGS
}
(watch) >"$work/first" &
first=$!
(watch) >"$work/second" &
second=$!
while [ "$(cat "$work/first" "$work/second" | wc -l)" -lt $((tracks * 3)) ]; do
    kill -0 "$first" 2>/dev/null || break
    sleep 0.2
done
kill -9 "$first" 2>/dev/null || true
wait "$first" 2>/dev/null || true
wait "$second"
echo "one of two killed: $(find "$work/killed" -name result.json | wc -l) of $tracks tracks complete," \
    "$(find "$work/temp" -type f ! -name .lock | wc -l) temporary files," \
    "$(ps -eo args | grep -F "$work/temp" | grep -vc grep || true) processes left"
# Whoever was not disturbed made the same files.
(cd "$work/out" && find . -type f ! -path './inputs/*' ! -path '*/track.*' | sort) >"$work/names"
(cd "$work/killed" && find . -type f ! -path './inputs/*' ! -path '*/track.*' | sort) |
    diff "$work/names" - >/dev/null && echo "the same files as undisturbed"
