# SPDX-License-Identifier: Apache-2.0
"""Payloads: JSON by default, bytes as they are, MessagePack where `msgpack` is installed."""

from __future__ import annotations

import json
from typing import Any

JSON = "application/json"
MESSAGEPACK = "application/vnd.msgpack"
BYTES = "application/octet-stream"

_MESSAGEPACK = {MESSAGEPACK, "application/msgpack", "application/x-msgpack"}


def _base(content_type: str) -> str:
    return content_type.split(";", 1)[0].strip().lower()


def _is_json(base: str) -> bool:
    return base == JSON or base.endswith("+json")


def encode(payload: object, content_type: str | None) -> tuple[str, bytes]:
    """The content type and the bytes of a payload; bytes go as they are, under any content type.

    Raises TypeError or ValueError for a value that can't be written.
    """
    if isinstance(payload, (bytes, bytearray, memoryview)):
        return content_type or BYTES, bytes(payload)
    content_type = content_type or JSON
    base = _base(content_type)
    if _is_json(base):
        text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return content_type, text.encode()
    if base in _MESSAGEPACK:
        packed: bytes = _msgpack().packb(payload)
        return content_type, packed
    raise TypeError(
        f"a {type(payload).__name__} can't be written as {content_type}. Give bytes, or leave the "
        "content type out for JSON."
    )


def decode(payload: bytes, content_type: str) -> Any:
    """Reads a payload by its content type; bytes for one that is not known.

    Raises ValueError for bytes that are not what the content type says.
    """
    base = _base(content_type or JSON)
    if _is_json(base):
        return json.loads(payload)
    if base in _MESSAGEPACK:
        msgpack = _msgpack()
        try:
            return msgpack.unpackb(payload)
        except Exception as error:  # Its own errors have no base but this.
            raise ValueError(f"not MessagePack: {error!r}") from error
    return payload


def _msgpack() -> Any:
    try:
        import msgpack
    except ImportError as error:
        raise RuntimeError(
            "MessagePack needs the package msgpack: pip install 'godwit[msgpack]'"
        ) from error
    return msgpack
