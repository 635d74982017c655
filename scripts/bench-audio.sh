#!/bin/sh
# Takes TRACKS whole tracks in (200), with one worker process, and prints tracks a second, times real time
# and the CPU of each stage. Needs ffmpeg; the music comes from scripts/music.sh.
set -eu
BENCH_ARGS="${BENCH_ARGS:-}"
tracks="${1:-200}"
here="$(cd "$(dirname "$0")/.." && pwd)"
music="$("$here/scripts/music.sh")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir "$work/in"
# As many different files as asked for: a copy is cut a second later, so that its bytes are others.
index=0
while [ "$index" -lt "$tracks" ]; do
    for file in "$music"/*.ogg; do
        [ "$index" -lt "$tracks" ] || break
        round=$((index / $(ls "$music"/*.ogg | wc -l)))
        if [ "$round" -eq 0 ]; then
            cp "$file" "$work/in/track $index.ogg"
        else
            ffmpeg -nostdin -v error -ss "$round" -i "$file" -map 0:a:0 -c copy "$work/in/track $index.ogg"
        fi
        index=$((index + 1))
    done
done
nproc | sed 's/^/cores: /'
"$here/.build/release/audio-ingest" run "$work/in"/*.ogg --out "$work/out" --quiet --stats \
    --set temp.folder="$work/temp" $BENCH_ARGS > "$work/lines"
tail -1 "$work/lines"
