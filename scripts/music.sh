#!/bin/sh
# Fetches real music, that of the free game Hedgewars, out of a Debian package, and prints the folder.
# It goes to .build-music and is fetched once; nothing is installed. Needs apt-get and dpkg-deb.
set -eu
folder="$(cd "$(dirname "$0")/.." && pwd)/.build-music"
music="usr/share/games/hedgewars/Data/Music"
if [ ! -d "$folder/$music" ]; then
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
        echo "music.sh: apt-get and dpkg-deb are needed; without them the tests make tones" >&2
        exit 1
    }
    # Below another name until it is whole: a run that was broken off leaves nothing that looks done.
    rm -rf "$folder/part"
    mkdir -p "$folder/part"
    (cd "$folder/part" && apt-get download -qq \
        -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o APT::Sandbox::User=root \
        hedgewars-data >&2)
    dpkg-deb --fsys-tarfile "$folder"/part/hedgewars-data_*.deb | tar -xf - -C "$folder/part" "./$music"
    mkdir -p "$folder/$(dirname "$music")"
    mv "$folder/part/$music" "$folder/$music"
    rm -rf "$folder/part"
fi
echo "$folder/$music"
