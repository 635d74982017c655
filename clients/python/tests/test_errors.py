# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

import godwit
from godwit._errors import GodwitError, from_status


@pytest.mark.parametrize(
    ("status", "trailers", "details", "kind"),
    [
        ("UNAVAILABLE", {"godwit-reason": "unavailable"}, "", godwit.Unavailable),
        ("ABORTED", {"godwit-reason": "unknown"}, "", godwit.Uncertain),
        ("RESOURCE_EXHAUSTED", {"godwit-reason": "storage-full"}, "", godwit.StorageFull),
        ("FAILED_PRECONDITION", {"godwit-reason": "misconfigured"}, "", godwit.Misconfigured),
        ("INVALID_ARGUMENT", {"godwit-reason": "invalid"}, "", godwit.Invalid),
        ("DATA_LOSS", {"godwit-reason": "corrupt"}, "", godwit.Corrupt),
        ("UNAUTHENTICATED", {}, "", godwit.Unauthenticated),
        ("PERMISSION_DENIED", {}, "", godwit.Forbidden),
        # Of the transport, a proxy or a newer server:
        ("UNAVAILABLE", {}, "Socket closed", godwit.Uncertain),
        ("UNAVAILABLE", {}, "failed to connect to all addresses", godwit.Unavailable),
        ("UNAVAILABLE", {"godwit-reason": "something-new"}, "", godwit.Uncertain),
        ("DEADLINE_EXCEEDED", {}, "", godwit.Uncertain),
        ("CANCELLED", {}, "", godwit.Uncertain),
        ("INTERNAL", {}, "", godwit.Uncertain),
        ("RESOURCE_EXHAUSTED", {}, "", godwit.Unavailable),
        ("UNIMPLEMENTED", {}, "", godwit.Misconfigured),
    ],
)
def test_a_status_and_its_reason_say_what_to_do_next(
    status: str, trailers: dict[str, str], details: str, kind: type[GodwitError]
) -> None:
    error = from_status("enqueue", status, details, trailers.items(), "host:1")
    assert type(error) is kind
    assert error.status == status and error.location == "host:1"


def test_facts_are_decoded() -> None:
    trailers = [("godwit-reason", "invalid"), ("godwit-cause", "caf%C3%A9 is 100%25"), ("x-bin", b"")]
    error = from_status("enqueue", "INVALID_ARGUMENT", "", trailers, "host:1")
    assert error.cause == "café is 100%"
    assert str(error) == "enqueue: host:1: café is 100%"
