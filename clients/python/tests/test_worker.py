# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import eventually, running
from double import Double

import godwit
from godwit import Client, Forward, Job, NewMessage, Reject, Release, Retry, RetryPolicy, Worker

SOON = RetryPolicy(base=0.001, cap=0.01)


def states(double: Double, queue: str = "mail") -> dict[str, int]:
    return double.memory.states(queue)


def test_every_message_is_worked_once_and_acked(client: Client, double: Double) -> None:
    client.enqueue_many("mail", [NewMessage("k", n) for n in range(500)])
    seen: list[int] = []
    worker = Worker(client, "mail", {"k": lambda job: seen.append(job.payload)}, number=7)
    with running(worker):
        eventually(lambda: states(double) == {"completed": 500})
    assert sorted(seen) == list(range(500))
    assert double.seen.opens[0].worker == 7
    assert (double.seen.stops, double.seen.half_closes) == (1, 1)
    assert double.seen.settlements == 500, "each was settled once"


def test_a_job_says_all_that_is_known_of_its_message(client: Client, double: Double) -> None:
    jobs: list[Job] = []
    outcome = client.enqueue("mail", "k", {"a": 1}, headers={"tenant": "x"}, max_attempts=5)
    with running(Worker(client, "mail", {"k": jobs.append})):
        eventually(lambda: states(double) == {"completed": 1})
    (job,) = jobs
    assert (job.id, job.kind, job.queue, job.payload) == (outcome.id, "k", "mail", {"a": 1})
    assert (job.headers, job.attempt, job.max_attempts, job.count) == ({"tenant": "x"}, 0, 5, 1)
    assert (job.lost_leases, job.priority, job.checkpoint, job.is_lost) == (0, 3, None, False)
    assert abs(job.inserted_at.timestamp() - time.time()) < 60


def test_a_handler_ends_as_it_raises(client: Client, double: Double) -> None:
    def handler(job: Job) -> None:
        if job.count > 1:
            return
        raise {
            "retry": Retry(0.01, "later"), "reject": Reject("no " + "ä" * 2000),
            "release": Release(), "forward": Forward("other"), "error": KeyError("gone"),
        }[job.payload]  # fmt: skip

    kinds = ("retry", "reject", "release", "forward", "error")
    ids = {it: client.enqueue("mail", "k", it).id.bytes for it in kinds}
    with running(Worker(client, "mail", {"k": handler}, retry=SOON)):
        eventually(lambda: states(double) == {"completed": 3, "dead": 1, "forwarded": 1})
    kept = {name: double.memory.queues["mail"][id] for name, id in ids.items()}
    assert (kept["retry"].attempt, kept["retry"].reason) == (1, "later")
    assert (kept["release"].attempt, kept["release"].count) == (0, 2)
    assert (kept["error"].attempt, kept["error"].reason) == (1, "KeyError: 'gone'")
    assert kept["reject"].reason == "no " + "ä" * 1022
    assert states(double, "other") == {"ready": 1}


def test_what_fails_too_often_is_dead(client: Client, double: Double) -> None:
    def handler(job: Job) -> None:
        raise OSError("down")

    client.enqueue("mail", "k", max_attempts=3)
    client.enqueue("mail", "k")
    policy = RetryPolicy(max_attempts=5, base=0.001, cap=0.002)
    with running(Worker(client, "mail", {"k": handler}, retry=policy)):
        eventually(lambda: states(double) == {"dead": 2})
    first, second = double.memory.queues["mail"].values()
    assert (first.count, second.count, second.reason) == (3, 5, "OSError: down")


def test_a_payload_that_cannot_be_read_is_dead_with_its_bytes(
    client: Client, double: Double
) -> None:
    client.enqueue("mail", "k", b"{", content_type="application/json")
    with running(Worker(client, "mail", {"k": lambda job: job.payload})):
        eventually(lambda: states(double) == {"dead": 1})
    (kept,) = double.memory.queues["mail"].values()
    assert kept.reason.startswith("the payload is not application/json")
    assert kept.new.content.payload == b"{"


def test_payloads_of_messagepack_are_read_and_written(client: Client, double: Double) -> None:
    pytest.importorskip("msgpack")
    seen: list[object] = []
    client.enqueue("mail", "k", {"a": [1, b"x"]}, content_type="application/vnd.msgpack")
    with running(Worker(client, "mail", {"k": lambda job: seen.append(job.payload)})):
        eventually(lambda: states(double) == {"completed": 1})
    assert seen == [{"a": [1, b"x"]}]


def test_other_kinds_are_not_asked_for(client: Client, double: Double) -> None:
    client.enqueue("mail", "other")
    client.enqueue("mail", "k")
    with running(Worker(client, "mail", {"k": lambda job: None, "l": lambda job: None})):
        eventually(lambda: states(double) == {"completed": 1, "ready": 1})
    assert list(double.seen.opens[0].kinds.names) == ["k", "l"]
    assert double.seen.settlements == 1


def test_a_long_run_keeps_its_lease(client: Client, double: Double) -> None:
    def handler(job: Job) -> None:
        eventually(lambda: double.seen.renewals >= 6)
        assert not job.is_lost

    client.enqueue("mail", "k")
    with running(Worker(client, "mail", {"k": handler}, lease=0.6)):
        eventually(lambda: states(double) == {"completed": 1})
    (kept,) = double.memory.queues["mail"].values()
    assert (kept.count, kept.lost) == (1, 0)


def test_a_run_that_is_too_long_loses_its_lease_and_is_told(
    client: Client, double: Double
) -> None:
    ended, again = threading.Event(), threading.Event()

    def handler(job: Job) -> None:
        if job.count > 1:
            return again.set()
        eventually(lambda: job.is_lost and again.is_set())
        with pytest.raises(godwit.LeaseLost):
            job.check()
        with pytest.raises(godwit.LeaseLost):
            job.save(b"too late")
        ended.set()

    client.enqueue("mail", "k")
    with running(Worker(client, "mail", {"k": handler}, lease=0.3, max_run=0.2)):
        eventually(lambda: states(double) == {"completed": 1} and ended.is_set())
    (kept,) = double.memory.queues["mail"].values()
    assert (kept.count, kept.lost) == (2, 1)


def test_a_stale_renewal_flags_the_job_and_settles_nothing(
    client: Client, double: Double
) -> None:
    double.faults.drop_renewals = True
    flagged = threading.Event()

    def handler(job: Job) -> None:
        eventually(lambda: job.is_lost)
        flagged.set()

    client.enqueue("mail", "k")
    with running(Worker(client, "mail", {"k": handler}, lease=6)):
        assert flagged.wait(20)
    assert double.seen.settlements == 0


def test_progress_is_there_for_the_next_run(client: Client, double: Double) -> None:
    seen: list[bytes | None] = []

    def handler(job: Job) -> None:
        seen.append(job.checkpoint)
        if job.count == 1:
            job.save(b"half")
            assert job.checkpoint == b"half"
            raise Retry()
        with pytest.raises(ValueError):
            job.save(b"x" * 4097)

    client.enqueue("mail", "k")
    with running(Worker(client, "mail", {"k": handler})):
        eventually(lambda: states(double) == {"completed": 1})
    assert seen == [None, b"half"]


@pytest.mark.parametrize("fault", ["cut_after_settlements", "drop_settlements"])
def test_settlements_without_an_answer_are_sent_again_on_the_next_stream(
    client: Client, double: Double, fault: str
) -> None:
    client.enqueue_many("mail", [NewMessage("k", n) for n in range(200)])
    setattr(double.faults, fault, 3)
    seen: list[int] = []
    with running(Worker(client, "mail", {"k": lambda job: seen.append(job.payload)})):
        eventually(lambda: states(double) == {"completed": 200})
    assert len(double.seen.opens) == 4
    assert sorted(seen) == list(range(200)), "a break costs no second run"


def test_an_unknown_settlement_is_sent_again(client: Client, double: Double) -> None:
    double.faults.unknown_settlements = 3
    client.enqueue_many("mail", [NewMessage("k", n) for n in range(3)])
    with running(Worker(client, "mail", {"k": lambda job: None})):
        eventually(lambda: double.seen.settlements == 6)
    assert states(double) == {"completed": 3}


def test_a_full_target_is_tried_again(client: Client, double: Double) -> None:
    def handler(job: Job) -> None:
        raise Forward("other")

    double.memory.full.add("other")
    client.enqueue("mail", "k")
    with running(Worker(client, "mail", {"k": handler})):
        eventually(lambda: double.seen.settlements == 2)
        assert states(double) == {"leased": 1}
        double.memory.full.clear()
        eventually(lambda: states(double, "other") == {"ready": 1})


def test_a_forward_that_is_refused_becomes_a_retry_and_holds_nobody_up(
    client: Client, double: Double
) -> None:
    targets = iter(["forbidden", "mail", "no name"])

    def handler(job: Job) -> None:
        if job.payload == "forward" and job.count <= 3:
            raise Forward(next(targets))

    double.faults.forbids_forwards = True
    moved = client.enqueue("mail", "k", "forward").id.bytes
    client.enqueue_many("mail", [NewMessage("k", n) for n in range(50)])
    with running(Worker(client, "mail", {"k": handler}, retry=SOON)):
        eventually(lambda: states(double) == {"completed": 51})
    kept = double.memory.queues["mail"][moved]
    assert (kept.attempt, kept.count) == (3, 4)
    assert "'no name' is no queue's name" in kept.reason


def test_a_server_that_closes_is_left_for_another_stream(client: Client, double: Double) -> None:
    double.faults.closing_after = 20
    client.enqueue_many("mail", [NewMessage("k", n) for n in range(100)])
    with running(Worker(client, "mail", {"k": lambda job: None})):
        eventually(lambda: states(double) == {"completed": 100})
    assert len(double.seen.opens) == 2
    assert double.seen.half_closes == 2, "the first stream was closed, not broken off"
    assert double.seen.settlements == 100


def test_a_refusal_at_the_start_is_raised(client: Client, double: Double) -> None:
    double.faults.refuse_opens = 1000
    with pytest.raises(godwit.Forbidden):
        Worker(client, "mail", {"k": lambda job: None}).run()


def test_stopping_finishes_what_runs_and_gives_the_rest_back(
    client: Client, double: Double
) -> None:
    begun, go = threading.Semaphore(0), threading.Event()

    def handler(job: Job) -> None:
        begun.release()
        go.wait(20)

    worker = Worker(client, "mail", {"k": handler}, concurrency=2)
    worker._backlog = 50  # As after short jobs: more is on its way than runs.
    worker._measure = lambda now: None  # type: ignore[method-assign]
    client.enqueue_many("mail", [NewMessage("k", n) for n in range(20)])
    with running(worker) as thread:
        begun.acquire()
        begun.acquire()
        eventually(lambda: len(worker._waiting) == 18)
        worker.stop()
        eventually(lambda: states(double) == {"leased": 2, "ready": 18})
        assert thread.is_alive()
        go.set()
        thread.join(20)
    assert states(double) == {"completed": 2, "ready": 18}
    assert all(it.attempt == 0 for it in double.memory.queues["mail"].values())


def test_what_waits_behind_slow_jobs_is_given_to_others(client: Client, double: Double) -> None:
    go = threading.Event()
    worker = Worker(client, "mail", {"k": lambda job: go.wait(20)}, concurrency=1)
    worker._backlog = 50
    client.enqueue_many("mail", [NewMessage("k", n) for n in range(20)])
    with running(worker):
        eventually(lambda: states(double) == {"leased": 1, "ready": 19})
        go.set()
        eventually(lambda: states(double) == {"completed": 20})


def test_handlers_that_never_end_do_not_keep_the_worker(client: Client, double: Double) -> None:
    begun, never = threading.Event(), threading.Event()

    def handler(job: Job) -> None:
        begun.set()
        never.wait(30)

    client.enqueue("mail", "k")
    with running(Worker(client, "mail", {"k": handler}, grace=0.1)):
        assert begun.wait(20)
    assert states(double) == {"leased": 1}
    never.set()


def test_sigterm_stops_a_program(double: Double, client: Client) -> None:
    client.enqueue("mail", "k")
    program = f"""
import time
from godwit import Client, Worker
def handler(job):
    print("begun", flush=True)
    time.sleep(0.3)
with Client("{double.target}") as client:
    Worker(client, "mail", {{"k": handler}}).run()
print("ended", flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.read() == "ended\n"
    assert process.wait(20) == 0
    assert states(double) == {"completed": 1}
