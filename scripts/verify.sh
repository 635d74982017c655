#!/bin/sh
# Proves that what is copied from one place to another is the same in both.
set -eu
cd "$(dirname "$0")/.."

# The README's first program is Examples/hello, byte for byte.
shown=$(mktemp)
trap 'rm -f "$shown"' EXIT
awk '/^```swift$/ && !found { inside = 1; next } /^```$/ && inside { found = 1; inside = 0 } inside' \
    README.md >"$shown"
if ! diff -u "$shown" Examples/hello/hello.swift; then
    echo "verify: the first program of README.md is not Examples/hello/hello.swift" >&2
    exit 1
fi

# Every source file names its licence, but for the program that the README shows.
unmarked=$(find Sources Tests Examples -name '*.swift' ! -path Examples/hello/hello.swift \
    ! -name '*.pb.swift' ! -name '*.grpc.swift' \
    -exec sh -c 'head -1 "$1" | grep -q SPDX-License-Identifier || echo "$1"' _ {} \;)
if [ -n "$unmarked" ]; then
    echo "verify: without a licence line: $unmarked" >&2
    exit 1
fi

# What is generated is what the protos make.
./scripts/protos.sh --check

# Who wants the core with SQLite resolves none of these.
resolved=$(swift package show-dependencies --format flatlist)
for package in swift-nio hummingbird grpc-swift async-http-client swift-argument-parser swift-crypto; do
    case "$resolved" in
    *"$package"*)
        echo "verify: the default traits pull in $package; give it a condition in Package.swift" >&2
        exit 1
        ;;
    esac
done
echo "verify: all fresh"
