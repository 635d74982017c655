#!/bin/sh
# Fetches real music, that of the free game Hedgewars, out of a Debian package, and prints the folder.
# It goes to .build-music and is fetched once; nothing is installed. Needs apt-get and dpkg-deb.
set -eu
folder="$(cd "$(dirname "$0")/.." && pwd)/.build-music"
if [ ! -d "$folder/usr" ]; then
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
        echo "music.sh: apt-get and dpkg-deb are needed; without them the tests make tones" >&2
        exit 1
    }
    mkdir -p "$folder/package"
    (cd "$folder/package" && apt-get download -q hedgewars-data >&2)
    dpkg-deb -x "$folder"/package/hedgewars-data_*.deb "$folder"
    rm -rf "$folder/package"
fi
echo "$folder/usr/share/games/hedgewars/Data/Music"
