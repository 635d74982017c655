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
mkdir "$made/python"

options=Visibility=Package,UseAccessLevelOnImports=true,FileNaming=DropPath

# The Swift of all protos below a folder: `make_swift FROM INTO`.
make_swift() {
    mkdir -p "$2"
    # shellcheck disable=SC2046 — a list of files
    "$python" -m grpc_tools.protoc -I"$1" \
        --plugin=protoc-gen-swift="$tools/protoc-gen-swift" \
        --swift_opt=$options --swift_out="$2" \
        --plugin=protoc-gen-grpc-swift-2="$tools/protoc-gen-grpc-swift-2" \
        --grpc-swift-2_opt=$options --grpc-swift-2_out="$2" \
        $(find "$1" -name '*.proto' | sort)
}
# Why no paths are rewritten: the package `godwit` of clients/python has a folder v1, and so the modules
# are there by the name under which protoc imports them, godwit.v1.
"$python" -m grpc_tools.protoc -IProtos --python_out="$made/python" --pyi_out="$made/python" \
    --grpc_python_out="$made/python" Protos/godwit/v1/queue.proto Protos/godwit/v1/inspect.proto \
    Protos/godwit/v1/handler.proto

# Where protos lie, and where their Swift goes; the folder holds nothing else.
while read -r from into; do
    make_swift "$from" "$made/$into"
    if [ "${1:-}" = --check ]; then
        diff -r "$made/$into" "$into" >/dev/null || {
            echo "protos: $into is not what $from makes; run \`make protos\`" >&2
            exit 1
        }
    else
        rm -rf "$into"
        mv "$made/$into" "$into"
    fi
done <<END
Protos Sources/GodwitProtos
Examples/fibonacci/Protos Examples/fibonacci/FibonacciNumbers/Generated
END

stubs=clients/python/src/godwit/v1
# Written by hand, and in both places so that the folders can be compared.
cp "$stubs/__init__.py" "$made/python/godwit/v1/"
if [ "${1:-}" = --check ]; then
    diff -r -x __pycache__ "$made/python/godwit/v1" "$stubs" >/dev/null || {
        echo "protos: $stubs is not what Protos makes; run \`make protos\`" >&2
        exit 1
    }
else
    rm -rf "$stubs"
    mv "$made/python/godwit/v1" "$stubs"
fi
