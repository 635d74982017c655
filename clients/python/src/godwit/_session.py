# SPDX-License-Identifier: Apache-2.0
"""One `Work` stream: what was sent on it and waits for its answer."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from ._job import Job
from .v1 import queue_pb2


class Run:
    """A message in this worker's hands, from its delivery to the answer to its settlement."""

    __slots__ = ("job", "token", "received_at", "started_at", "renewed_at", "expires_at",
                 "settlement", "tries")  # fmt: skip

    def __init__(self, job: Job, token: bytes, now: float, lease: float) -> None:
        self.job = job
        self.token = token
        self.received_at = now
        self.started_at: float | None = None
        self.renewed_at = now
        # By this process's monotonic clock: a guess for the handler's eyes; the store decides.
        self.expires_at = now + lease
        self.settlement: queue_pb2.Settlement | None = None
        self.tries = 0


class Session:
    """The state of one stream. All of it is under the worker's lock."""

    def __init__(self) -> None:
        self.call: Any = None
        self.is_open = False
        self.has_stopped = False
        self.is_closing = False
        self.has_ended = False
        self.given = 0
        self.received = 0
        self.renewals: list[Run] = []
        self.unanswered: deque[Run] = deque()
        self.renewing: deque[tuple[Run, float]] = deque()
        self.quiet_since = time.monotonic()

    @property
    def credits_out(self) -> int:
        """Messages that the server may still send."""
        return self.given - self.received

    @property
    def awaits(self) -> bool:
        return bool(self.unanswered or self.renewing)
