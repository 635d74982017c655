# SPDX-License-Identifier: Apache-2.0
"""Messages on their way in, and what became of them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias, Union

from . import _payload
from ._ids import new_id
from .v1 import queue_pb2

Seconds: TypeAlias = Union[float, timedelta]


def milliseconds(length: Seconds) -> int:
    """A length of time as the wire has it."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    return round(seconds * 1000)


@dataclass
class NewMessage:
    """A message for `Client.enqueue_many`.

    It has its id from the start. The same object sent again, after an error that left open whether it
    arrived, never makes a second message.
    """

    kind: str
    payload: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = None
    priority: int | None = None
    delay: Seconds | None = None
    at: datetime | None = None
    unique_key: str | None = None
    max_attempts: int | None = None
    id: uuid.UUID | None = None
    """A UUID of version 7; made where it is left out. One of your own is looked for before it is added."""

    def __post_init__(self) -> None:
        self._may_be_there = self.id is not None
        if self.id is None:
            self.id = new_id()

    def _on_the_wire(self) -> queue_pb2.NewMessage:
        """The message as a call carries it; from the second call on as one that may be there."""
        assert self.id is not None
        if self.delay is not None and self.at is not None:
            raise ValueError("a message is due after `delay` or `at` a moment, not both")
        content_type, payload = _payload.encode(self.payload, self.content_type)
        message = queue_pb2.NewMessage(
            id=self.id.bytes,
            kind=self.kind,
            content=queue_pb2.Content(
                content_type=content_type, headers=self.headers, payload=payload
            ),
            priority=self.priority,
            max_attempts=self.max_attempts,
            unique_key=self.unique_key,
            is_resend=self._may_be_there,
        )
        if self.delay is not None:
            message.delay_ms = milliseconds(self.delay)
        elif self.at is not None:
            if self.at.tzinfo is None:
                raise ValueError("`at` needs a time zone, for example datetime.now(timezone.utc)")
            message.at_ms = int(self.at.timestamp() * 1000)
        self._may_be_there = True
        return message


@dataclass(frozen=True)
class Enqueued:
    """Accepted: it will be worked, or be in the dead letters with its reason."""

    id: uuid.UUID


@dataclass(frozen=True)
class Known:
    """The id was here already, live or ended; nothing was added."""

    id: uuid.UUID


@dataclass(frozen=True)
class Duplicate:
    """The unique key is held by the live message `of`; nothing was added."""

    id: uuid.UUID
    of: uuid.UUID


@dataclass(frozen=True)
class Gone:
    """The id may have been here and its record is gone; nothing was added."""

    id: uuid.UUID


@dataclass(frozen=True)
class Full:
    """The queue holds its maximum; nothing was added. Slow down."""

    id: uuid.UUID


Outcome: TypeAlias = Union[Enqueued, Known, Duplicate, Gone, Full]


def outcome(id: uuid.UUID, answer: queue_pb2.EnqueueOutcome) -> Outcome:
    """Reads one outcome; raises ValueError for one that this client does not know."""
    Result = queue_pb2.EnqueueOutcome
    if answer.result == Result.RESULT_ENQUEUED:
        return Enqueued(id)
    if answer.result == Result.RESULT_KNOWN:
        return Known(id)
    if answer.result == Result.RESULT_DUPLICATE:
        return Duplicate(id, uuid.UUID(bytes=answer.duplicate_of))
    if answer.result == Result.RESULT_UNKNOWN:
        return Gone(id)
    if answer.result == Result.RESULT_FULL:
        return Full(id)
    raise ValueError(f"the server answered {answer.result}, which this client does not know")
