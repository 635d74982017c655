# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, by what the caller does next."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

import grpc


class GodwitError(Exception):
    """The server or its store did not do what it was asked to.

    `what` was tried, `location` is which store, `cause` what it said, `advice` what to do next. `ids` are
    the messages that it was about, for an enqueue.
    """

    def __init__(
        self, what: str, location: str = "", cause: str = "", advice: str = "", status: str = ""
    ) -> None:
        self.what = what
        self.location = location
        self.cause = cause
        self.advice = advice
        self.status = status
        self.ids: Sequence[uuid.UUID] = ()
        place = f"{location}: " if location else ""
        super().__init__(f"{what}: {place}{cause}" + (f". {advice}" if advice else ""))


class Unavailable(GodwitError):
    """Nothing happened; try again later."""


class Uncertain(GodwitError):
    """It may or may not have happened. Send it again with the same id, or look."""


class StorageFull(GodwitError):
    """Nothing was accepted; the store is full."""


class Misconfigured(GodwitError):
    """The store is not fit for a queue."""


class Invalid(GodwitError):
    """What was sent can never be accepted."""


class Corrupt(GodwitError):
    """What the store holds can't be read; the bytes are kept."""


class Unauthenticated(GodwitError):
    """There is no token, or it is not a good one."""


class Forbidden(GodwitError):
    """There is no such thing here for this token: it does not exist, or the token may not do this."""


class QueueFull(GodwitError):
    """The queue holds its maximum; nothing was added. Slow down."""


class RecordGone(GodwitError):
    """The id may have been here and its record is gone; nothing was added. Ask the history."""


class LeaseLost(GodwitError):
    """The message is not this worker's any more: another one may run it. Stop, and change nothing."""


_BY_REASON: dict[str, type[GodwitError]] = {
    "unavailable": Unavailable,
    "unknown": Uncertain,
    "storage-full": StorageFull,
    "misconfigured": Misconfigured,
    "invalid": Invalid,
    "corrupt": Corrupt,
}

_BY_STATUS: dict[str, type[GodwitError]] = {
    "UNAVAILABLE": Uncertain,
    "ABORTED": Uncertain,
    "CANCELLED": Uncertain,
    "DEADLINE_EXCEEDED": Uncertain,
    "UNKNOWN": Uncertain,
    "INTERNAL": Uncertain,
    # Without a reason it is the server's door that is full, not the store.
    "RESOURCE_EXHAUSTED": Unavailable,
    "FAILED_PRECONDITION": Misconfigured,
    "UNIMPLEMENTED": Misconfigured,
    "INVALID_ARGUMENT": Invalid,
    "OUT_OF_RANGE": Invalid,
    "DATA_LOSS": Corrupt,
    "UNAUTHENTICATED": Unauthenticated,
    "PERMISSION_DENIED": Forbidden,
    "NOT_FOUND": Forbidden,
}


def from_status(
    what: str,
    status: str,
    details: str,
    trailers: Iterable[tuple[str, str | bytes]],
    target: str,
) -> GodwitError:
    """Makes the error that a call's status and trailers tell of.

    Why UNAVAILABLE without `godwit-reason` is uncertain: it is the transport's word for a connection
    that broke, and by then the server may have done it.
    """
    facts = {
        name: unquote(value) for name, value in trailers if isinstance(value, str)
    }
    known = _BY_REASON.get(facts.get("godwit-reason", ""))
    kind = _BY_STATUS.get(status, Uncertain) if known is None else known
    if status in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        kind = _BY_STATUS[status]
    elif known is None and status == "UNAVAILABLE" and "failed to connect" in details.lower():
        kind = Unavailable
    return kind(
        facts.get("godwit-what") or what,
        facts.get("godwit-location") or target,
        facts.get("godwit-cause") or details or status,
        facts.get("godwit-advice", ""),
        status,
    )


def from_rpc(what: str, error: grpc.RpcError, target: str) -> GodwitError:
    """The same for an error as grpcio raises it."""
    return from_status(
        what, error.code().name, error.details() or "", error.trailing_metadata() or (), target
    )
