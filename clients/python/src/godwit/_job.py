# SPDX-License-Identifier: Apache-2.0
"""What a handler gets, and how it may end."""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from . import _payload
from ._errors import LeaseLost
from ._messages import Seconds, milliseconds
from .v1 import queue_pb2

REASON_BYTES = 2048
CHECKPOINT_BYTES = 4096
_NAME = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def cut(reason: str) -> str:
    """The reason as far as the wire takes it, without half a character at its end."""
    data = reason.encode("utf-8", "replace")
    return data[:REASON_BYTES].decode("utf-8", "ignore")


class Ending(Exception):
    """Raised by a handler to say how its run ended."""

    def _verdict(self) -> queue_pb2.Verdict:
        raise NotImplementedError


class Retry(Ending):
    """Run it again `after` seconds; counts as a failed attempt, and after the last one it is dead."""

    def __init__(self, after: Seconds = 0.0, reason: str = "") -> None:
        super().__init__(reason or f"retry after {after}")
        self.after = after
        self.reason = reason

    def _verdict(self) -> queue_pb2.Verdict:
        after = max(0, milliseconds(self.after))
        return queue_pb2.Verdict(retry=queue_pb2.Retry(after_ms=after, reason=cut(self.reason)))


class Reject(Ending):
    """Put it into the dead letters: no other run can help."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def _verdict(self) -> queue_pb2.Verdict:
        return queue_pb2.Verdict(reject=queue_pb2.Reject(reason=cut(self.reason)))


class Undecodable(Reject):
    """The payload is not what its content type says. Its bytes are kept with the dead letter."""


class Release(Ending):
    """Give it back unworked, to the head of the queue; no attempt is used."""

    def _verdict(self) -> queue_pb2.Verdict:
        return queue_pb2.Verdict(release=queue_pb2.Release())


class Forward(Ending):
    """Move it to another queue, under its id. Needs the right to produce there."""

    def __init__(self, queue: str) -> None:
        if not _NAME.fullmatch(queue):
            raise ValueError(f"{queue!r} is no queue's name: 1 to 128 out of A-Z a-z 0-9 . _ : -")
        super().__init__(queue)
        self.queue = queue

    def _verdict(self) -> queue_pb2.Verdict:
        return queue_pb2.Verdict(forward=queue_pb2.Forward(queue=self.queue))


@dataclass(frozen=True)
class RetryPolicy:
    """Decides when a run that raised anything else comes again.

    The bound of the pause doubles from `base` seconds to `cap`, and the pause is drawn below it, so that
    what failed together does not come back together. After `max_attempts` failures (None: never), or the
    message's own maximum if that is smaller, it is dead.
    """

    max_attempts: int | None = 20
    base: float = 1.0
    cap: float = 3600.0

    def ending(self, job: Job, error: BaseException) -> Ending:
        """What becomes of a run that raised `error`."""
        text = str(error)
        reason = f"{type(error).__name__}: {text}" if text else type(error).__name__
        failures = job.attempt + 1
        if self.max_attempts is not None and failures >= self.max_attempts:
            return Reject(reason)
        bound = min(self.cap, self.base * 2.0 ** min(30, failures - 1))
        return Retry(random.uniform(0.0, bound), reason)


class Job:
    """A message in the hands of its handler, while the lease lasts.

    A handler may see the same message twice: make it harmless by `id`.
    """

    __slots__ = ("queue", "checkpoint", "_message", "_token", "_keep", "_is_lost")

    def __init__(
        self,
        queue: str,
        delivery: queue_pb2.Delivery,
        keep: Callable[[bytes, bytes], bool],
    ) -> None:
        self.queue = queue
        self.checkpoint: bytes | None = (
            delivery.checkpoint if delivery.HasField("checkpoint") else None
        )
        """What an earlier run, or this one, left with `save`."""
        self._message = delivery.message
        self._token: bytes = delivery.token
        self._keep = keep
        self._is_lost = False

    @property
    def id(self) -> uuid.UUID:
        return uuid.UUID(bytes=self._message.id)

    @property
    def kind(self) -> str:
        return str(self._message.kind)

    @property
    def payload(self) -> Any:
        """The payload, read by its content type. Raises Undecodable, which makes the message dead."""
        content = self._message.content
        try:
            return _payload.decode(content.payload, content.content_type)
        except ValueError as error:
            raise Undecodable(f"the payload is not {content.content_type}: {error}") from error

    @property
    def data(self) -> bytes:
        """The payload's bytes as they are."""
        return bytes(self._message.content.payload)

    @property
    def content_type(self) -> str:
        return str(self._message.content.content_type)

    @property
    def headers(self) -> Mapping[str, str]:
        return dict(self._message.content.headers)

    @property
    def attempt(self) -> int:
        """Failures reported before this run."""
        return int(self._message.attempt)

    @property
    def max_attempts(self) -> int | None:
        """Failures until it is dead; None is without end."""
        most = int(self._message.max_attempts)
        return None if most in (0, 255) else most

    @property
    def count(self) -> int:
        """The number of this run, from 1 on; released and lost runs count."""
        return int(self._message.count)

    @property
    def lost_leases(self) -> int:
        return int(self._message.lost)

    @property
    def priority(self) -> int:
        return int(self._message.priority)

    @property
    def inserted_at(self) -> datetime:
        return datetime.fromtimestamp(self._message.inserted_at_ms / 1000, timezone.utc)

    @property
    def is_lost(self) -> bool:
        """The lease is over: another worker may run the message. A long handler looks at this."""
        return self._is_lost

    def check(self) -> None:
        """Raises LeaseLost when the lease is over; for the end of a step of a long handler."""
        if self._is_lost:
            raise LeaseLost(
                f"work {self.id} of '{self.queue}'", "", "its lease is over",
                "Another worker may run it now.",
            )  # fmt: skip

    def save(self, progress: bytes) -> None:
        """Keeps up to 4 KiB for the next run, should this one fail; the last write wins.

        Returns when the store has it. Raises LeaseLost when the lease is over.
        """
        if len(progress) > CHECKPOINT_BYTES:
            raise ValueError(f"{len(progress)} bytes; a checkpoint takes {CHECKPOINT_BYTES}")
        self.check()
        if not self._keep(self._token, progress):
            self._is_lost = True
            self.check()
        self.checkpoint = progress

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.kind} of {self.queue}, run {self.count}>"
