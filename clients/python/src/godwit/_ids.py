# SPDX-License-Identifier: Apache-2.0
"""UUIDs of version 7 that rise within a process (RFC 9562, 5.7 and 6.2 method 1)."""

import os
import threading
import time
import uuid

_lock = threading.Lock()
_last = 0  # milliseconds << 12 | sequence


def new_id() -> uuid.UUID:
    """Makes an id for a message; ids made by one process rise, also when its clock goes back."""
    global _last
    low = int.from_bytes(os.urandom(9), "big")
    base = time.time_ns() // 1_000_000 << 12
    fresh = base | low >> 64  # A start below 256 leaves room to count up within the millisecond.
    with _lock:
        # Why the bound: after a clock that was days ahead was mended, ids must tell the true time again.
        _last = fresh if fresh > _last or base + (1 << 34) < _last else _last + 1
        moment = _last
    high = moment >> 12 << 16 | 0x7000 | moment & 0xFFF
    return uuid.UUID(int=high << 64 | 0x8000_0000_0000_0000 | low & 0x3FFF_FFFF_FFFF_FFFF)
