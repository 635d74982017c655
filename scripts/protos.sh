#!/bin/sh
# Makes Swift and Python out of Protos; with --check, says whether what is committed is what it would make.
set -eu
cd "$(dirname "$0")/.."

python=$(./scripts/python.sh)
# Why two products by name: `swift build` would also link the program that does nothing.
for product in protoc-gen-swift protoc-gen-grpc-swift-2; do
    swift build -q --package-path scripts/protos --scratch-path .build-protos --product "$product" >&2
done
tools=$(swift build -q --package-path scripts/protos --scratch-path .build-protos --show-bin-path)
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
mkdir "$made/swift" "$made/python"

options=Visibility=Package,UseAccessLevelOnImports=true,FileNaming=DropPath
# shellcheck disable=SC2046 — a list of files
"$python" -m grpc_tools.protoc -IProtos \
    --plugin=protoc-gen-swift="$tools/protoc-gen-swift" \
    --swift_opt=$options --swift_out="$made/swift" \
    --plugin=protoc-gen-grpc-swift-2="$tools/protoc-gen-grpc-swift-2" \
    --grpc-swift-2_opt=$options --grpc-swift-2_out="$made/swift" \
    $(find Protos -name '*.proto' | sort)
# Why no paths are rewritten: the package `godwit` of clients/python has a folder v1, and so the modules
# are there by the name under which protoc imports them, godwit.v1.
"$python" -m grpc_tools.protoc -IProtos --python_out="$made/python" --pyi_out="$made/python" \
    --grpc_python_out="$made/python" Protos/godwit/v1/queue.proto Protos/godwit/v1/inspect.proto \
    Protos/godwit/v1/handler.proto

swift=Sources/GodwitProtos
stubs=clients/python/src/godwit/v1
# Written by hand, and in both places so that the folders can be compared.
cp "$stubs/__init__.py" "$made/python/godwit/v1/"
if [ "${1:-}" = --check ]; then
    diff -r "$made/swift" "$swift" >/dev/null || {
        echo "protos: $swift is not what Protos makes; run \`make protos\`" >&2
        exit 1
    }
    diff -r -x __pycache__ "$made/python/godwit/v1" "$stubs" >/dev/null || {
        echo "protos: $stubs is not what Protos makes; run \`make protos\`" >&2
        exit 1
    }
    exit 0
fi
rm -rf "$swift" "$stubs"
mv "$made/swift" "$swift"
mv "$made/python/godwit/v1" "$stubs"
