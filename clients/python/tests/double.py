# SPDX-License-Identifier: Apache-2.0
"""A server in this process that keeps its queues in memory: the words of Queue with tokens and leases.

It is what the unit tests talk to. It can lose answers, cut streams and be asked what it saw.
"""

from __future__ import annotations

import collections
import itertools
import os
import threading
import time
from concurrent import futures
from dataclasses import dataclass, field
from urllib.parse import quote

import grpc

from godwit.v1 import inspect_pb2, inspect_pb2_grpc, queue_pb2, queue_pb2_grpc

Result = queue_pb2.EnqueueOutcome


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Kept:
    """One message in the store."""

    new: queue_pb2.NewMessage
    state: str
    order: int
    inserted_at: int
    due: int = 0
    attempt: int = 0
    lost: int = 0
    count: int = 0
    token: bytes = b""
    deadline: int = 0
    last_settled: tuple[bytes, bytes] = (b"", b"")
    reason: str = ""
    checkpoint: bytes | None = None


class Memory:
    """The store: every method moves what it says in one step."""

    def __init__(self) -> None:
        self.lock = threading.Condition()
        self.queues: dict[str, dict[bytes, Kept]] = collections.defaultdict(dict)
        self.full: set[str] = set()
        self.orders = itertools.count()
        self.heads = itertools.count(-1, -1)

    def enqueue(self, queue: str, new: queue_pb2.NewMessage) -> queue_pb2.EnqueueOutcome:
        made = b""
        if not new.id:
            made = new.id = os.urandom(16)
        messages = self.queues[queue]
        if new.id in messages:
            return Result(result=Result.RESULT_KNOWN, id=made)
        if queue in self.full:
            return Result(result=Result.RESULT_FULL, id=made)
        if new.HasField("unique_key"):
            for it in messages.values():
                live = it.state in ("ready", "scheduled", "leased")
                if live and it.new.unique_key == new.unique_key:
                    return Result(result=Result.RESULT_DUPLICATE, id=made, duplicate_of=it.new.id)
        now = now_ms()
        due = now + new.delay_ms if new.HasField("delay_ms") else new.at_ms
        state = "scheduled" if due > now else "ready"
        copy = queue_pb2.NewMessage()
        copy.CopyFrom(new)
        messages[new.id] = Kept(copy, state, next(self.orders), now, due)
        self.lock.notify_all()
        return Result(result=Result.RESULT_ENQUEUED, id=made)

    def upkeep(self, queue: str) -> None:
        now = now_ms()
        for it in self.queues[queue].values():
            if it.state == "scheduled" and it.due <= now:
                it.state, it.order = "ready", next(self.orders)
            elif it.state == "leased" and it.deadline <= now:
                it.lost += 1
                it.state, it.order, it.token = "ready", next(self.heads), b""

    def reserve(
        self, queue: str, count: int, lease: int, kinds: set[str] | None, raw_kinds: bool = False
    ) -> list[queue_pb2.Delivery]:
        self.upkeep(queue)
        ready = [
            it
            for it in self.queues[queue].values()
            if it.state == "ready" and (kinds is None or it.new.kind in kinds)
        ]
        ready.sort(key=lambda it: (it.new.priority if it.new.HasField("priority") else 3, it.order))
        deliveries = []
        for it in ready[:count]:
            it.state, it.token, it.deadline = "leased", os.urandom(56), now_ms() + lease
            it.count += 1
            deliveries.append(
                queue_pb2.Delivery(
                    token=it.token,
                    checkpoint=it.checkpoint,
                    message=queue_pb2.Message(
                        id=it.new.id, kind=it.new.kind, content=it.new.content, attempt=it.attempt,
                        max_attempts=it.new.max_attempts or 255, count=it.count, lost=it.lost,
                        priority=3, inserted_at_ms=it.inserted_at,
                    ),
                )
            )  # fmt: skip
        return deliveries

    def of(self, queue: str, token: bytes) -> Kept | None:
        for it in self.queues[queue].values():
            if it.token == token and it.state == "leased":
                return it
        return None

    def settle(self, queue: str, settlement: queue_pb2.Settlement) -> int:
        it = self.of(queue, settlement.token)
        written = settlement.verdict.SerializeToString()
        if it is None:
            for ended in self.queues[queue].values():
                if ended.last_settled == (settlement.token, written):
                    return int(queue_pb2.OUTCOME_DONE)
            return int(queue_pb2.OUTCOME_STALE)
        move = settlement.verdict.WhichOneof("move")
        if move == "forward" and settlement.verdict.forward.queue in self.full:
            return int(queue_pb2.OUTCOME_TARGET_BUSY)
        it.last_settled, it.token = (settlement.token, written), b""
        if move == "retry":
            it.attempt += 1
            it.reason = settlement.verdict.retry.reason
            if it.attempt >= (it.new.max_attempts or 255):
                it.state = "dead"
            else:
                it.state, it.due = "scheduled", now_ms() + settlement.verdict.retry.after_ms
        elif move == "reject":
            it.attempt += 1
            it.state, it.reason = "dead", settlement.verdict.reject.reason
        elif move == "release":
            it.state, it.order = "ready", next(self.heads)
        elif move == "forward":
            it.state = "forwarded"
            self.enqueue(settlement.verdict.forward.queue, it.new)
        else:
            it.state = "completed"
        self.lock.notify_all()
        return int(queue_pb2.OUTCOME_DONE)

    def renew(self, queue: str, token: bytes, lease: int) -> int:
        it = self.of(queue, token)
        if it is None:
            return int(queue_pb2.OUTCOME_STALE)
        it.deadline = max(it.deadline, now_ms() + lease)
        return int(queue_pb2.OUTCOME_DONE)

    def keep(self, queue: str, progress: queue_pb2.Progress) -> int:
        it = self.of(queue, progress.token)
        if it is None:
            return int(queue_pb2.OUTCOME_STALE)
        it.checkpoint = progress.bytes
        return int(queue_pb2.OUTCOME_DONE)

    def states(self, queue: str) -> dict[str, int]:
        with self.lock:
            return dict(collections.Counter(it.state for it in self.queues[queue].values()))


@dataclass
class Faults:
    """What goes wrong, each counted down."""

    lose_enqueue_answers: int = 0
    refuse_enqueues: int = 0
    cut_after_settlements: int = 0  # applies them, answers nothing and cuts the stream
    drop_settlements: int = 0  # cuts the stream before they are applied
    unknown_settlements: int = 0  # applies them and answers UNKNOWN
    drop_renewals: bool = False
    refuse_opens: int = 0
    closing_after: int = 0
    forbids_forwards: bool = False  # ends the stream with PERMISSION_DENIED


@dataclass
class Seen:
    enqueues: list[queue_pb2.EnqueueRequest] = field(default_factory=list)
    opens: list[queue_pb2.WorkOpen] = field(default_factory=list)
    requests: int = 0
    settlements: int = 0
    renewals: int = 0
    stops: int = 0
    half_closes: int = 0


class Double(queue_pb2_grpc.QueueServicer, inspect_pb2_grpc.InspectorServicer):
    def __init__(
        self, token: str | None = None, credentials: grpc.ServerCredentials | None = None
    ) -> None:
        self.memory = Memory()
        self.faults = Faults()
        self.seen = Seen()
        self.token = token
        self.server = grpc.server(futures.ThreadPoolExecutor(max_workers=64))
        queue_pb2_grpc.add_QueueServicer_to_server(self, self.server)
        inspect_pb2_grpc.add_InspectorServicer_to_server(self, self.server)
        place = "127.0.0.1:0"
        self.port = (
            self.server.add_secure_port(place, credentials)
            if credentials
            else self.server.add_insecure_port(place)
        )
        self.target = f"127.0.0.1:{self.port}"
        self.server.start()

    def close(self) -> None:
        self.server.stop(0).wait()

    def fail(self, context, status, reason: str, cause: str) -> None:  # type: ignore[no-untyped-def]
        facts = {"reason": reason, "what": "enqueue to ‘mail’", "location": "memory",
                 "cause": cause, "advice": "Try 100% again."}  # fmt: skip
        context.set_trailing_metadata(
            tuple((f"godwit-{name}", quote(value, safe=" ")) for name, value in facts.items())
        )
        context.abort(status, cause)

    def check(self, context) -> None:  # type: ignore[no-untyped-def]
        if self.token is None:
            return
        if dict(context.invocation_metadata()).get("authorization") != f"Bearer {self.token}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token, or not a good one")

    def Enqueue(self, request, context):  # type: ignore[no-untyped-def]
        self.check(context)
        seen = queue_pb2.EnqueueRequest()
        seen.CopyFrom(request)
        self.seen.enqueues.append(seen)
        if any(c not in "abcdefghijklmnopqrstuvwxyz.-_:0123456789" for c in request.queue):
            self.fail(context, grpc.StatusCode.INVALID_ARGUMENT, "invalid", "not a name: ä")
        if self.faults.refuse_enqueues:
            self.faults.refuse_enqueues -= 1
            self.fail(context, grpc.StatusCode.UNAVAILABLE, "unavailable", "it restarts")
        with self.memory.lock:
            outcomes = [self.memory.enqueue(request.queue, it) for it in request.messages]
        if self.faults.lose_enqueue_answers:
            self.faults.lose_enqueue_answers -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        return queue_pb2.EnqueueResponse(outcomes=outcomes)

    def Settle(self, request, context):  # type: ignore[no-untyped-def]
        with self.memory.lock:
            outcomes = [self.memory.settle(request.queue, it) for it in request.settlements]
        return queue_pb2.OutcomesResponse(outcomes=outcomes)

    def Reserve(self, request, context):  # type: ignore[no-untyped-def]
        with self.memory.lock:
            kinds = set(request.kinds.names) if request.HasField("kinds") else None
            lease = request.lease_ms or 30_000
            deliveries = self.memory.reserve(request.queue, request.count, lease, kinds)
            now = now_ms()
        return queue_pb2.ReserveResponse(
            deliveries=deliveries, now_ms=now, deadline_ms=now + lease
        )

    def Renew(self, request, context):  # type: ignore[no-untyped-def]
        with self.memory.lock:
            lease = request.lease_ms or 30_000
            outcomes = [self.memory.renew(request.queue, it, lease) for it in request.tokens]
        return queue_pb2.OutcomesResponse(outcomes=outcomes)

    def Checkpoint(self, request, context):  # type: ignore[no-untyped-def]
        with self.memory.lock:
            outcomes = [self.memory.keep(request.queue, it) for it in request.checkpoints]
        return queue_pb2.OutcomesResponse(outcomes=outcomes)

    def Counts(self, request, context):  # type: ignore[no-untyped-def]
        states = self.memory.states(request.queue)
        return inspect_pb2.CountsResponse(
            ready=states.get("ready", 0), scheduled=states.get("scheduled", 0),
            leased=states.get("leased", 0), dead=states.get("dead", 0),
            completed=states.get("completed", 0),
        )  # fmt: skip

    def Work(self, requests, context):  # type: ignore[no-untyped-def]
        self.check(context)
        if self.faults.refuse_opens:
            self.faults.refuse_opens -= 1
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "there is no such thing here")
        first = next(requests)
        self.seen.opens.append(first.open)
        stream = _Stream(self, first)
        threading.Thread(target=stream.read, args=(requests,), daemon=True).start()
        yield from stream.answers(context)


class _Stream:
    """One Work stream: a thread reads, the caller's answers."""

    def __init__(self, double: Double, first: queue_pb2.WorkRequest) -> None:
        self.double = double
        self.memory = double.memory
        self.open = first.open
        self.kinds = set(first.open.kinds.names) if first.open.HasField("kinds") else None
        self.credits = 0
        self.delivered = 0
        self.answers_due: list[queue_pb2.WorkResponse] = []
        self.has_stopped = False
        self.has_closed = False
        self.is_cut = False
        self.is_forbidden = False
        self.take(first)

    def read(self, requests) -> None:  # type: ignore[no-untyped-def]
        try:
            for request in requests:
                self.take(request)
            with self.memory.lock:
                self.double.seen.half_closes += 1
                self.has_closed = True
                self.memory.lock.notify_all()
        except Exception:  # The client is gone.
            with self.memory.lock:
                self.is_cut = True
                self.memory.lock.notify_all()

    def take(self, request: queue_pb2.WorkRequest) -> None:
        faults, seen, name = self.double.faults, self.double.seen, self.open.queue
        with self.memory.lock:
            seen.requests += 1
            seen.settlements += len(request.settlements)
            seen.renewals += len(request.renewals)
            self.credits += request.credits
            if request.stop:
                seen.stops += 1
                self.has_stopped = True
            if request.settlements and faults.drop_settlements:
                faults.drop_settlements -= 1
                self.is_cut = True
            elif faults.forbids_forwards and any(
                it.verdict.HasField("forward") for it in request.settlements
            ):
                self.is_forbidden = self.is_cut = True
            elif not self.is_cut:
                answer = queue_pb2.WorkResponse()
                for it in request.settlements:
                    outcome = self.memory.settle(name, it)
                    if faults.unknown_settlements:
                        faults.unknown_settlements -= 1
                        outcome = int(queue_pb2.OUTCOME_UNKNOWN)
                    answer.settled.append(outcome)
                if request.settlements and faults.cut_after_settlements:
                    faults.cut_after_settlements -= 1
                    self.is_cut = True
                for token in request.renewals:
                    stale = faults.drop_renewals
                    lease = self.open.lease_ms or 30_000
                    answer.renewed.append(
                        queue_pb2.OUTCOME_STALE if stale else self.memory.renew(name, token, lease)
                    )
                if answer.ByteSize():
                    self.answers_due.append(answer)
            self.memory.lock.notify_all()

    def answers(self, context):  # type: ignore[no-untyped-def]
        lease = self.open.lease_ms or 30_000
        while True:
            with self.memory.lock:
                answers, self.answers_due = self.answers_due, []
                deliveries = []
                if self.credits and not self.has_stopped and not self.is_cut:
                    count = min(self.credits, 200)
                    deliveries = self.memory.reserve(self.open.queue, count, lease, self.kinds)
                    self.credits -= len(deliveries)
                    self.delivered += len(deliveries)
                if not answers and not deliveries:
                    if self.is_forbidden:
                        context.abort(grpc.StatusCode.PERMISSION_DENIED, "no such thing here")
                    if self.is_cut:
                        context.abort(grpc.StatusCode.UNAVAILABLE, "the connection was cut")
                    if self.has_closed or not context.is_active():
                        return
                    self.memory.lock.wait(0.02)
                    continue
                if self.is_cut:
                    context.abort(grpc.StatusCode.UNAVAILABLE, "the connection was cut")
                closing = 0 < self.double.faults.closing_after <= self.delivered
                if closing:
                    self.double.faults.closing_after = 0
            yield from answers
            if deliveries:
                now = now_ms()
                yield queue_pb2.WorkResponse(
                    deliveries=deliveries, now_ms=now, deadline_ms=now + lease, closing=closing
                )
