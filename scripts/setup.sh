#!/bin/sh
# Installs the system packages that building and testing need and that are missing.
# Does nothing when all are there. Without root it prints the one command and ends with 1.
set -eu

missing=""
has() { command -v "$1" >/dev/null 2>&1; }
need() { missing="$missing $1"; }

if ! has swift; then
    echo "setup: no Swift toolchain in PATH; install Swift 6.2 or later: https://www.swift.org/install" >&2
    exit 1
fi

# Only Linux distributions with apt are set up; elsewhere the compiler says what it lacks.
if ! has apt-get; then
    has redis-server || echo "setup: the tests need redis-server in PATH" >&2
    has clickhouse-server || echo "setup: the tests need clickhouse-server in PATH" >&2
    exit 0
fi

[ -e /usr/include/sqlite3.h ] || need libsqlite3-dev
[ -e /usr/include/zlib.h ] || need zlib1g-dev
python3 -c 'import venv, ensurepip' >/dev/null 2>&1 || need python3-venv
has redis-server || need redis-server
has clickhouse-server || need clickhouse-server
has sha256sum || need coreutils
has openssl || need openssl
has prometheus || need prometheus
# Sound: the decoder, and the programs that shut it in; fpcalc is the fingerprint's oracle.
if ! has ffmpeg || ! has ffprobe; then need ffmpeg; fi
if ! has setpriv || ! has prlimit || ! has unshare; then need util-linux; fi
has fpcalc || need libchromaprint-tools

[ -z "$missing" ] && exit 0

if [ "$(id -u)" != 0 ]; then
    echo "setup: these packages are missing:$missing" >&2
    echo "run this, then the same make again:" >&2
    install="apt-get update && apt-get install -y --no-install-recommends$missing"
    if has sudo; then
        echo "    sudo sh -c '$install'" >&2
    else
        echo "    su -c '$install'" >&2
    fi
    exit 1
fi

echo "setup: installing$missing" >&2
# Why the policy file: a package may start a server of its own; the tests start theirs.
policy=/usr/sbin/policy-rc.d
made=""
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    made=1
fi
trap '[ -z "$made" ] || rm -f "$policy"' EXIT
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >&2
# shellcheck disable=SC2086 — a list of package names
apt-get install -q -y --no-install-recommends $missing >&2
