# SPDX-License-Identifier: Apache-2.0
"""A worker: handlers in threads, fed and settled over one stream."""

from __future__ import annotations

import logging
import queue as queues
import random
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grpc

from . import _errors
from ._client import Client
from ._errors import GodwitError, LeaseLost, Unauthenticated, Unavailable, Uncertain
from ._job import Ending, Forward, Job, Reject, Release, RetryPolicy
from ._messages import Seconds, milliseconds
from ._session import Run, Session
from .v1 import queue_pb2

_log = logging.getLogger("godwit")

_ACK = queue_pb2.Verdict(ack=queue_pb2.Ack())
_RELEASE = Release()._verdict()
_TICK = 0.25
_ENTRIES_PER_REQUEST = 1000
_LONGEST_PAUSE = 10.0
# A stream's credits count up to 1,000 (docs/wire.md, "Limits").
_LONGEST_BACKLOG = 500


class Worker:
    """Works a queue: each message goes to the handler of its kind, in one of `concurrency` threads.

    A handler that returns acks. One that raises Retry, Reject, Release or Forward decides by itself; any
    other exception is a retry by `retry`, and after the last attempt a dead letter. Messages of other
    kinds are left to others. Leases are renewed from a thread of its own, as long as the handler runs
    (at most `max_run` seconds, where that is given). When the stream breaks, the worker opens another one
    and sends again whatever had no answer.
    """

    def __init__(
        self,
        client: Client,
        queue: str,
        handlers: Mapping[str, Callable[[Job], object]],
        *,
        concurrency: int = 8,
        lease: Seconds = 30.0,
        retry: RetryPolicy = RetryPolicy(),
        max_run: float | None = None,
        grace: float = 30.0,
        number: int | None = None,
    ) -> None:
        if not handlers:
            raise ValueError("a worker needs at least one handler")
        if concurrency < 1:
            raise ValueError(f"a worker needs at least one thread, not {concurrency}")
        self._client = client
        self._name = queue
        self._handlers = dict(handlers)
        self._concurrency = concurrency
        self._lease_ms = milliseconds(lease)
        self._lease = self._lease_ms / 1000
        self._retry = retry
        self._max_run = max_run
        self._grace = grace
        self._number = random.getrandbits(32) if number is None else number

        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)  # a message for a slot
        self._output = threading.Condition(self._lock)  # something to send
        self._waiting: deque[Run] = deque()
        self._held: dict[bytes, Run] = {}  # waiting or running
        self._unsent: list[Run] = []  # settled here, not on the wire
        self._parked: list[tuple[float, Run]] = []  # to be settled again at a moment
        self._session: Session | None = None
        self._idle = 0
        self._is_stopping = False
        self._has_ended = False
        self._backlog = 0
        self._finished = 0
        self._measured_at = 0.0
        # Why a SimpleQueue: a signal handler may put into it whatever its thread is doing.
        self._orders: queues.SimpleQueue[str] = queues.SimpleQueue()
        self._is_over = threading.Event()
        self._error: GodwitError | None = None
        self._was_run = False
        self._was_let_in = False

    def run(self, *, signals: bool = True) -> None:
        """Works until `stop`, or SIGTERM or SIGINT when called in the main thread.

        Stopping: nothing more is taken, what has not begun is given back, what runs is finished, settled
        and the stream closed; after `grace` seconds, or at a second signal, what still runs is left to its
        lease. Raises when the server refuses this worker from the start, or its token later on.
        """
        if self._was_run:
            raise RuntimeError("a worker runs once; make another one")
        self._was_run = True
        restore: list[tuple[signal.Signals, Any]] = []
        if signals and threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                before = signal.signal(number, lambda *_: self._orders.put("stop"))
                restore.append((number, before))
        self._measured_at = time.monotonic()
        stream = threading.Thread(target=self._keep_connected, name="godwit-stream", daemon=True)
        threads = [stream, threading.Thread(target=self._keep_leases, name="godwit-leases", daemon=True)]
        for slot in range(self._concurrency):
            threads.append(
                threading.Thread(target=self._work_slot, name=f"godwit-slot-{slot}", daemon=True)
            )
        try:
            for thread in threads:
                thread.start()
            if self._orders.get() == "stop":
                self._begin_stop()
                try:
                    self._orders.get(timeout=self._grace)
                except queues.Empty:
                    pass
        finally:
            self._end()
            stream.join(timeout=5)
            for number, before in restore:
                signal.signal(number, before)
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Asks `run` to stop; good from any thread, a handler and a signal handler. Returns at once."""
        self._orders.put("stop")

    # Handlers

    def _work_slot(self) -> None:
        run: Run | None = None
        while True:
            with self._lock:
                if run is not None:
                    self._finish(run)
                run = None
                while run is None:
                    if self._waiting:
                        run = self._waiting.popleft()
                        if run.job._is_lost:
                            self._held.pop(run.token, None)
                            run = None
                        continue
                    if self._has_ended:
                        return
                    self._idle += 1
                    self._ready.wait()
                    self._idle -= 1
                run.started_at = time.monotonic()
            run.settlement = queue_pb2.Settlement(token=run.token, verdict=self._verdict(run.job))

    def _verdict(self, job: Job) -> queue_pb2.Verdict:
        try:
            self._handlers[job.kind](job)
            return _ACK
        except Ending as ending:
            if isinstance(ending, Forward) and ending.queue == self._name:
                error = ValueError(f"forward to '{ending.queue}', where the message is already")
                return self._retry.ending(job, error)._verdict()
            return ending._verdict()
        # Why the base: whatever a handler raises, its thread goes on and its message has an end.
        except BaseException as error:
            if not isinstance(error, LeaseLost):
                _log.info("message %s of '%s' failed", job.id, self._name, exc_info=True)
            return self._retry.ending(job, error)._verdict()

    def _finish(self, run: Run) -> None:
        """Settles a run; under the lock."""
        if self._held.pop(run.token, None) is None:
            return  # Its lease was lost, and said to be.
        self._finished += 1
        self._unsent.append(run)
        self._output.notify()

    def _give_back(self, run: Run) -> None:
        """Releases a run that has not begun; under the lock."""
        self._held.pop(run.token, None)
        run.settlement = queue_pb2.Settlement(token=run.token, verdict=_RELEASE)
        self._unsent.append(run)
        self._output.notify()

    def _keep(self, token: bytes, progress: bytes) -> bool:
        request = queue_pb2.CheckpointRequest(
            queue=self._name, checkpoints=[queue_pb2.Progress(token=token, bytes=progress)]
        )
        answer = self._client._call(
            f"checkpoint in '{self._name}'", self._client._queue.Checkpoint, request
        )
        return list(answer.outcomes) == [queue_pb2.OUTCOME_DONE]

    # The stream

    def _keep_connected(self) -> None:
        failures = 0
        try:
            while True:
                session = Session()
                problem = self._serve(session)
                with self._lock:
                    has_worked = session.received > 0 or session.is_open and problem is None
                    is_done = self._has_ended or (self._is_stopping and not self._has_work_left())
                if is_done:
                    return
                if problem is None or has_worked:
                    failures = 0
                if problem is not None:
                    passes = isinstance(problem, (Unavailable, Uncertain))
                    is_refused = not self._was_let_in or isinstance(problem, Unauthenticated)
                    if not passes and is_refused:
                        self._error = problem
                        return
                    _log.warning("the stream of '%s' broke, opening another: %s", self._name, problem)
                bound = min(_LONGEST_PAUSE, 0.1 * 2.0 ** min(10, failures))
                failures += 1
                self._is_over.wait(random.uniform(bound / 2, bound))
        finally:
            self._orders.put("ended")

    def _serve(self, session: Session) -> GodwitError | None:
        """Runs one stream to its end; what had no answer is unsent again."""
        with self._lock:
            if self._has_ended:
                return None
            self._session = session
            session.renewals = list(self._held.values())
        problem: GodwitError | None = None
        try:
            call = self._client._queue.Work(
                self._requests(session), metadata=self._client._metadata
            )
            with self._lock:
                session.call = call
            for response in call:
                self._take(session, response)
                self._was_let_in = True
        except grpc.RpcError as error:
            problem = _errors.from_rpc(f"work '{self._name}'", error, self._client.target)
        with self._lock:
            session.has_ended = True
            self._session = None
            if problem is not None and not isinstance(problem, (Unavailable, Uncertain)):
                self._take_back_forwards(session, problem)
            self._unsent[:0] = session.unanswered
            self._output.notify_all()
        return problem

    def _take_back_forwards(self, session: Session, problem: GodwitError) -> None:
        """Makes retries of forwards that the server refused; else each new stream would end by them."""
        for run in session.unanswered:
            if run.settlement is not None and run.settlement.verdict.HasField("forward"):
                target = run.settlement.verdict.forward.queue
                error = GodwitError(f"forward to '{target}'", cause=problem.cause)
                verdict = self._retry.ending(run.job, error)._verdict()
                run.settlement = queue_pb2.Settlement(token=run.token, verdict=verdict)

    def _requests(self, session: Session) -> Iterator[queue_pb2.WorkRequest]:
        """What goes out, as much at once as there is; ends when the stream is to be closed."""
        lingered = False
        while True:
            request = queue_pb2.WorkRequest()
            with self._lock:
                while not self._has_output(session):
                    if session.has_ended or self._may_close(session):
                        return
                    self._output.wait()
                    lingered = False
                is_busy = bool(self._waiting) and len(self._unsent) < 64 and session.is_open
                if not is_busy or lingered:
                    runs = self._fill(session, request)
                    lingered = False
                else:
                    runs = None
            if runs is None:
                # Why: more settlements come at once, and one request with many costs both sides less.
                time.sleep(0.001)
                lingered = True
                continue
            request.settlements.extend(run.settlement for run in runs)
            yield request

    def _has_output(self, session: Session) -> bool:
        if session.has_ended:
            return False
        return bool(
            not session.is_open
            or self._unsent
            or session.renewals
            or self._credits(session) > 0
            or (self._is_stopping and not session.has_stopped)
        )

    def _may_close(self, session: Session) -> bool:
        """Everything taken is settled and answered, and nothing more is wanted of this stream."""
        is_last = self._is_stopping or session.is_closing
        return is_last and not self._has_work_left() and not session.awaits

    def _has_work_left(self) -> bool:
        session = self._session
        return bool(
            self._held or self._unsent or self._parked or (session and session.unanswered)
        )

    def _credits(self, session: Session) -> int:
        if self._is_stopping or session.is_closing:
            return 0
        wanted = self._concurrency + self._backlog
        return max(0, wanted - len(self._held) - session.credits_out)

    def _fill(self, session: Session, request: queue_pb2.WorkRequest) -> list[Run]:
        """Puts what is to be sent into a request, but for the settlements: those are returned."""
        now = time.monotonic()
        if not session.is_open:
            session.is_open = True
            request.open.queue = self._name
            request.open.kinds.names.extend(sorted(self._handlers))
            request.open.lease_ms = self._lease_ms
            request.open.worker = self._number
        if self._is_stopping and not session.has_stopped:
            session.has_stopped = True
            request.stop = True
        if not session.awaits:
            session.quiet_since = now
        runs = self._unsent[:_ENTRIES_PER_REQUEST]
        del self._unsent[:_ENTRIES_PER_REQUEST]
        session.unanswered.extend(runs)
        for run in session.renewals:
            request.renewals.append(run.token)
            run.renewed_at = now
            session.renewing.append((run, now))
        session.renewals = []
        self._measure(now)
        credits = self._credits(session)
        if credits:
            request.credits = credits
            session.given += credits
        return runs

    def _measure(self, now: float) -> None:
        """Sets how many messages may wait here: those that will have been worked in 50 ms.

        Why by rate: short jobs need many on their way to keep the threads busy, long ones none.
        """
        elapsed = now - self._measured_at
        if elapsed >= 0.02:
            self._backlog = min(_LONGEST_BACKLOG, int(self._finished / elapsed * 0.05))
            self._finished = 0
            self._measured_at = now

    def _take(self, session: Session, response: queue_pb2.WorkResponse) -> None:
        now = time.monotonic()
        lease = (response.deadline_ms - response.now_ms) / 1000
        runs: list[Run] = []
        for delivery in response.deliveries:
            job = Job(self._name, delivery, self._keep)
            runs.append(Run(job, job._token, now, lease))
        with self._lock:
            session.quiet_since = now
            session.received += len(runs)
            taken = 0
            for run in runs:
                if self._is_stopping or self._has_ended:
                    self._give_back(run)
                elif run.job.kind in self._handlers:
                    self._held[run.token] = run
                    self._waiting.append(run)
                    taken += 1
                else:
                    self._refuse(run)
            if taken and self._idle:
                self._ready.notify(min(taken, self._idle))
            for outcome in response.settled:
                if session.unanswered:
                    self._settled(session.unanswered.popleft(), outcome, now)
            for outcome in response.renewed:
                if session.renewing:
                    self._renewed(*session.renewing.popleft(), outcome)
            if response.closing:
                session.is_closing = True
            self._output.notify()
        if response.HasField("failure"):
            failure = response.failure
            _log.warning(
                "%s: %s: %s. %s", failure.what, failure.location, failure.cause, failure.advice
            )

    def _refuse(self, run: Run) -> None:
        """Ends a message without a handler: not asked for, or not in a form that can be read."""
        if run.job.kind:
            return self._give_back(run)
        ending = Reject("the stored form can't be read; its bytes are kept")
        run.settlement = queue_pb2.Settlement(token=run.token, verdict=ending._verdict())
        self._unsent.append(run)

    def _settled(self, run: Run, outcome: int, now: float) -> None:
        if outcome == queue_pb2.OUTCOME_STALE:
            run.job._is_lost = True
            _log.info("message %s of '%s' was not this worker's any more", run.job.id, self._name)
        elif outcome != queue_pb2.OUTCOME_DONE:
            # A busy target, or an answer that is not known: the same again, after a while.
            run.tries += 1
            self._parked.append((now + min(5.0, 0.25 * 2.0 ** min(5, run.tries)), run))

    def _renewed(self, run: Run, asked_at: float, outcome: int) -> None:
        if outcome == queue_pb2.OUTCOME_DONE:
            run.expires_at = max(run.expires_at, asked_at + self._lease)
        elif outcome == queue_pb2.OUTCOME_STALE and run.token in self._held:
            run.job._is_lost = True
            del self._held[run.token]
            if run.started_at is None:
                self._waiting.remove(run)

    # Leases

    def _keep_leases(self) -> None:
        tick = min(_TICK, self._lease / 6)
        while not self._is_over.wait(tick):
            now = time.monotonic()
            cancelled: Any = None
            with self._lock:
                session = self._session
                self._measure(now)
                due = [run for moment, run in self._parked if moment <= now]
                if due:
                    self._parked = [it for it in self._parked if it[0] > now]
                    self._unsent += due
                self._give_back_surplus(now)
                for run in [*self._held.values(), *(run for _, run in self._parked)]:
                    self._keep_lease(run, session, now)
                if session and session.awaits:
                    if now - session.quiet_since > max(5.0, self._lease):
                        cancelled = session.call
                self._output.notify()
            if cancelled is not None:
                _log.warning("the server of '%s' has been silent for too long", self._name)
                cancelled.cancel()

    def _keep_lease(self, run: Run, session: Session | None, now: float) -> None:
        if run.job._is_lost:
            return
        if now >= run.expires_at:
            run.job._is_lost = True
            return
        if self._max_run is not None and run.started_at is not None:
            if now - run.started_at > self._max_run:
                return  # Its lease runs out, and another worker tries.
        if session and session.is_open and now - run.renewed_at >= self._lease / 3:
            run.renewed_at = now
            session.renewals.append(run)

    def _give_back_surplus(self, now: float) -> None:
        """Releases what has waited long behind slow jobs, so that another worker can have it."""
        while len(self._waiting) > self._backlog and now - self._waiting[-1].received_at > 1.0:
            self._give_back(self._waiting.pop())

    # The end

    def _begin_stop(self) -> None:
        with self._lock:
            self._is_stopping = True
            while self._waiting:
                self._give_back(self._waiting.pop())
            self._output.notify_all()

    def _end(self) -> None:
        with self._lock:
            self._has_ended = True
            session = self._session
            left = len(self._held)
            self._ready.notify_all()
            self._output.notify_all()
        self._is_over.set()
        if left:
            _log.warning("%d messages of '%s' are left to their leases", left, self._name)
        if session is not None and session.call is not None:
            session.call.cancel()
