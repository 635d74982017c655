# SPDX-License-Identifier: Apache-2.0
"""The connection to a server, and what a producer does with it."""

from __future__ import annotations

import os
import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

import grpc

from . import _errors, _messages
from ._errors import GodwitError, Invalid, QueueFull, RecordGone, Unavailable, Uncertain
from ._messages import Duplicate, Enqueued, Full, Gone, Known, NewMessage, Outcome, Seconds
from .v1 import inspect_pb2, inspect_pb2_grpc, queue_pb2, queue_pb2_grpc

Answer = TypeVar("Answer")

# What one call may carry (docs/wire.md, "Limits") is 10,000 messages and 4 MiB. Why less: smaller calls
# let the server answer, and others in between.
_MESSAGES_PER_CALL = 1000
_BYTES_PER_CALL = 1 << 20
_MESSAGE_BYTES = 1 << 20

_OPTIONS = [
    ("grpc.max_receive_message_length", 4 << 20),
    # Finds a connection that is dead without a word; less often than servers take for a flood.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 5_000),
]


class Client:
    """A connection to a Godwit server; good for many threads, and for workers.

    `target` is `host:port`, `grpc://host:port` or, with TLS, `grpcs://host:port`. There is TLS also with
    `ca` (PEM: a path or bytes; left out: the system's roots), and always to other machines unless
    `tls=False`. `certificate` and `key` are the client's own. `timeout` is how many seconds a call is
    tried again, with growing pauses, before its error is raised.
    """

    def __init__(
        self,
        target: str,
        token: str | None = None,
        ca: str | os.PathLike[str] | bytes | None = None,
        *,
        certificate: str | os.PathLike[str] | bytes | None = None,
        key: str | os.PathLike[str] | bytes | None = None,
        tls: bool | None = None,
        timeout: float = 30.0,
    ) -> None:
        scheme, separator, rest = target.partition("://")
        if separator and scheme not in ("grpc", "grpcs"):
            raise ValueError(f"{target!r} is not host:port, grpc://host:port or grpcs://host:port")
        place = rest.rstrip("/") if separator else target
        if "?" in place or "@" in place or "/" in place.removeprefix("unix:"):
            raise ValueError("the target is a host and a port; token, ca, certificate and key go beside it")
        has_port = ":" in place.rpartition("]")[2] or place.startswith("unix:")
        self.target = place if has_port else f"{place}:50051"
        if tls is None:
            given = scheme == "grpcs" or any(it is not None for it in (ca, certificate, key))
            tls = given or not _is_loopback(self.target)
        self.timeout = timeout
        self._metadata = [("authorization", f"Bearer {token}")] if token else []
        self._channel: Any
        if tls:
            credentials = grpc.ssl_channel_credentials(_pem(ca), _pem(key), _pem(certificate))
            self._channel = grpc.secure_channel(self.target, credentials, options=_OPTIONS)
        else:
            self._channel = grpc.insecure_channel(self.target, options=_OPTIONS)
        self._queue: Any = queue_pb2_grpc.QueueStub(self._channel)  # type: ignore[no-untyped-call]
        self._inspector: Any = inspect_pb2_grpc.InspectorStub(self._channel)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Ends the connection. Workers on it must have ended before."""
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def enqueue(
        self,
        queue: str,
        kind: str,
        payload: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = None,
        priority: int | None = None,
        delay: Seconds | None = None,
        at: datetime | None = None,
        unique_key: str | None = None,
        max_attempts: int | None = None,
        id: uuid.UUID | None = None,
    ) -> Enqueued | Known | Duplicate:
        """Accepts one message; returns when the store has it.

        The payload is written as JSON, bytes go as they are. `delay` is in seconds. A lost answer is asked
        for again under the same id, so that there is never a second message. After an `Uncertain` error,
        `ids` of it is what to repeat with. Raises QueueFull and RecordGone when nothing was added.
        """
        message = NewMessage(
            kind, payload, headers or {}, content_type, priority, delay, at, unique_key,
            max_attempts, id,
        )  # fmt: skip
        outcome = self.enqueue_many(queue, [message])[0]
        if isinstance(outcome, (Full, Gone)):
            what = f"enqueue {outcome.id} to '{queue}'"
            error: GodwitError
            if isinstance(outcome, Full):
                error = QueueFull(what, self.target, "the queue holds its maximum", "Slow down.")
            else:
                error = RecordGone(
                    what, self.target, "it may have been here and its record is gone",
                    "Ask the history what became of it.",
                )  # fmt: skip
            error.ids = (outcome.id,)
            raise error
        return outcome

    def enqueue_many(self, queue: str, messages: Iterable[NewMessage]) -> list[Outcome]:
        """Accepts many messages in few calls; says for each what became of it, in their order.

        Look at the outcomes: a message that is `Full` or `Gone` was not added. When this raises, some may
        have been accepted; `ids` of the error are those it is not known of. The same objects can be given
        again.
        """
        given = list(messages)
        written = [message._on_the_wire() for message in given]
        for message in written:
            if len(message.content.payload) > _MESSAGE_BYTES:
                raise Invalid(
                    f"enqueue {uuid.UUID(bytes=message.id)} to '{queue}'", self.target,
                    f"the payload has {len(message.content.payload)} bytes, {_MESSAGE_BYTES} are allowed",
                    "Store the data elsewhere and enqueue where it is.",
                )  # fmt: skip
        outcomes: list[Outcome] = []
        while len(outcomes) < len(given):
            start = len(outcomes)
            end, size = start, 0
            while end < len(given) and end - start < _MESSAGES_PER_CALL:
                size += written[end].ByteSize()
                if end > start and size > _BYTES_PER_CALL:
                    break
                end += 1
            try:
                answers = self._enqueue(queue, written[start:end])
                outcomes += [
                    _messages.outcome(uuid.UUID(bytes=message.id), answer)
                    for message, answer in zip(written[start:end], answers, strict=True)
                ]
            except GodwitError as error:
                error.ids = tuple(uuid.UUID(bytes=message.id) for message in written[start:])
                raise
        return outcomes

    def counts(self, queue: str) -> dict[str, int]:
        """How many messages of a queue are in each state, and were moved since it was first used."""
        answer = self._call(
            f"count '{queue}'", self._inspector.Counts, inspect_pb2.CountsRequest(queue=queue)
        )
        return {field.name: int(getattr(answer, field.name)) for field in answer.DESCRIPTOR.fields}

    def _enqueue(
        self, queue: str, messages: list[queue_pb2.NewMessage]
    ) -> Sequence[queue_pb2.EnqueueOutcome]:
        request = queue_pb2.EnqueueRequest(queue=queue, messages=messages)

        def mark_as_resend() -> None:
            for message in request.messages:
                message.is_resend = True

        answer = self._call(
            f"enqueue {len(messages)} to '{queue}'", self._queue.Enqueue, request, mark_as_resend
        )
        outcomes: Sequence[queue_pb2.EnqueueOutcome] = answer.outcomes
        if len(outcomes) != len(messages):
            raise Uncertain(
                f"enqueue {len(messages)} to '{queue}'", self.target,
                f"the server answered {len(outcomes)} outcomes",
                "The server is not one of Godwit, or of another version.",
            )  # fmt: skip
        return outcomes

    def _call(
        self,
        what: str,
        method: Callable[..., Any],
        request: Any,
        before_repeat: Callable[[], None] | None = None,
    ) -> Any:
        """Calls until there is an answer, an error that stays, or the time is over.

        Every word of the queue is harmless when it is repeated, but for an enqueue without its resend
        mark: `before_repeat` sets it.
        """
        deadline = time.monotonic() + self.timeout
        pause = 0.05
        may_have_happened = False
        while True:
            remaining = max(0.001, deadline - time.monotonic())
            try:
                # Why a third: one answer that never comes leaves time to ask again.
                return method(
                    request, timeout=min(remaining, max(1.0, self.timeout / 3)),
                    metadata=self._metadata,
                )  # fmt: skip
            except grpc.RpcError as error:
                problem = _errors.from_rpc(what, error, self.target)
            if not isinstance(problem, (Unavailable, Uncertain)):
                if may_have_happened:
                    raise Uncertain(
                        what, problem.location,
                        f"an earlier try had no answer, and then: {problem.cause}",
                        problem.advice, problem.status,
                    ) from problem  # fmt: skip
                raise problem
            may_have_happened = may_have_happened or isinstance(problem, Uncertain)
            wait = random.uniform(pause / 2, pause)
            if time.monotonic() + wait >= deadline:
                if may_have_happened and not isinstance(problem, Uncertain):
                    raise Uncertain(
                        what, problem.location, problem.cause, problem.advice, problem.status
                    ) from problem
                raise problem
            time.sleep(wait)
            pause = min(2.0, pause * 2)
            if before_repeat is not None:
                before_repeat()


def _pem(it: str | os.PathLike[str] | bytes | None) -> bytes | None:
    if it is None or isinstance(it, bytes):
        return it
    with open(it, "rb") as file:
        return file.read()


def _is_loopback(target: str) -> bool:
    host = target.rpartition(":")[0].strip("[]")
    return host in ("localhost", "::1") or host.startswith("127.") or target.startswith("unix:")
