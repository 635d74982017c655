# SPDX-License-Identifier: Apache-2.0
"""Godwit for Python: enqueue messages, and work them.

    from godwit import Client, Worker

    with Client("127.0.0.1:50051") as client:
        client.enqueue("mail", "mail.welcome", {"user": 42})
        Worker(client, "mail", {"mail.welcome": lambda job: print(job.payload)}).run()
"""

from ._client import Client
from ._errors import (
    Corrupt,
    Forbidden,
    GodwitError,
    Invalid,
    LeaseLost,
    Misconfigured,
    QueueFull,
    RecordGone,
    StorageFull,
    Unauthenticated,
    Unavailable,
    Uncertain,
)
from ._ids import new_id
from ._job import Forward, Job, Reject, Release, Retry, RetryPolicy, Undecodable
from ._messages import Duplicate, Enqueued, Full, Gone, Known, NewMessage, Outcome
from ._worker import Worker

__all__ = [
    "Client", "Corrupt", "Duplicate", "Enqueued", "Forbidden", "Forward", "Full", "GodwitError",
    "Gone", "Invalid", "Job", "Known", "LeaseLost", "Misconfigured", "NewMessage", "Outcome",
    "QueueFull", "RecordGone", "Reject", "Release", "Retry", "RetryPolicy", "StorageFull",
    "Unauthenticated", "Unavailable", "Uncertain", "Undecodable", "Worker", "new_id",
]  # fmt: skip
