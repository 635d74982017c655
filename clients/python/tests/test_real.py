# SPDX-License-Identifier: Apache-2.0
"""The client against the real server."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import eventually, running
from served import COMMAND, Served

import godwit
from godwit import (
    Client, Duplicate, Enqueued, Forward, Job, Known, NewMessage, Reject, Release, Retry,
    RetryPolicy, Worker,
)  # fmt: skip

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not COMMAND, reason="GODWIT_COMMAND does not say where godwit is"),
]

NODE = Path(__file__).parents[2] / "node" / "try.mjs"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    it = Served(tmp_path_factory.mktemp("godwit"))
    yield it
    it.close()


@pytest.fixture
def real(server: Served) -> Iterator[Client]:
    with Client(server.target) as it:
        yield it


@pytest.fixture
def queue() -> str:
    return f"q-{uuid.uuid4().hex[:12]}"


def rest(client: Client, queue: str) -> dict[str, int]:
    """The counts that are not 0."""
    return {name: count for name, count in client.counts(queue).items() if count}


def test_every_message_is_worked_once(real: Client, queue: str) -> None:
    outcomes = real.enqueue_many(queue, [NewMessage("k", {"n": n}) for n in range(3000)])
    assert all(isinstance(it, Enqueued) for it in outcomes)
    seen: list[int] = []
    with running(Worker(real, queue, {"k": lambda job: seen.append(job.payload["n"])})):
        eventually(lambda: real.counts(queue)["completed"] == 3000, 60)
    assert sorted(seen) == list(range(3000))
    assert rest(real, queue) == {"enqueued": 3000, "completed": 3000}


def test_what_is_said_of_a_message_arrives(real: Client, queue: str) -> None:
    jobs: list[Job] = []
    first = real.enqueue(
        queue, "k", "Åse", headers={"tenant": "a"}, priority=1, max_attempts=4, unique_key="u"
    )
    assert real.enqueue(queue, "k", 1, id=first.id) == Known(first.id)
    second = real.enqueue(queue, "k", 1, unique_key="u")
    assert isinstance(second, Duplicate) and second.of == first.id
    with running(Worker(real, queue, {"k": jobs.append})):
        eventually(lambda: jobs)
    (job,) = jobs
    assert (job.id, job.kind, job.payload, job.headers) == (first.id, "k", "Åse", {"tenant": "a"})
    assert (job.priority, job.max_attempts, job.attempt, job.count) == (1, 4, 0, 1)


def test_runs_end_as_handlers_say(real: Client, queue: str) -> None:
    other = queue + ".other"

    def handler(job: Job) -> None:
        if job.count == 2:
            assert job.checkpoint == (b"half" if job.payload == "retry" else None)
            return
        if job.payload == "retry":
            job.save(b"half")
        raise {
            "retry": Retry(0.01, "later"), "reject": Reject("never"), "release": Release(),
            "forward": Forward(other), "error": OSError("down"),
        }[job.payload]  # fmt: skip

    for it in ("retry", "reject", "release", "forward", "error"):
        real.enqueue(queue, "k", it)
    policy = RetryPolicy(base=0.001, cap=0.01)
    with running(Worker(real, queue, {"k": handler}, retry=policy)):
        eventually(lambda: real.counts(queue)["completed"] == 3)
    assert rest(real, queue) == {
        "enqueued": 5, "completed": 3, "dead": 1, "rejected": 1, "retried": 2, "released": 1,
        "forwarded": 1,
    }  # fmt: skip
    assert real.counts(other)["ready"] == 1


def test_a_forward_into_its_own_queue_is_a_failure(real: Client, queue: str) -> None:
    def handler(job: Job) -> None:
        if job.count == 1:
            raise Forward(queue)

    real.enqueue(queue, "k")
    with running(Worker(real, queue, {"k": handler}, retry=RetryPolicy(base=0.001, cap=0.01))):
        eventually(lambda: real.counts(queue)["completed"] == 1)
    assert real.counts(queue)["retried"] == 1


def test_a_refused_settlement_ends_no_worker(
    real: Client, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def handler(job: Job) -> None:
        if job.count == 1 and job.payload == 0:
            # Past the checks of this client, to hear the server's.
            ending = Forward("other")
            ending.queue = "no name"
            raise ending

    real.enqueue_many(queue, [NewMessage("k", n) for n in range(20)])
    with running(Worker(real, queue, {"k": handler}, retry=RetryPolicy(base=0.001, cap=0.01))):
        eventually(lambda: real.counts(queue)["completed"] == 20)
    assert rest(real, queue) == {"enqueued": 20, "completed": 20, "retried": 1}


def test_bad_input_is_refused_with_its_reason(real: Client, queue: str) -> None:
    with pytest.raises(godwit.Invalid, match="no name"):
        real.enqueue("no name", "k")
    with pytest.raises(godwit.Invalid) as caught:
        real.enqueue(queue, "k", headers={f"h{n}": "x" for n in range(65)})
    assert "65" in caught.value.cause and caught.value.advice
    with pytest.raises(godwit.Invalid):
        real.enqueue(queue, "k", b"x" * (1 << 20))
    with pytest.raises(godwit.Invalid):
        real.enqueue(queue, "k", id=uuid.uuid4())
    assert rest(real, queue) == {}


def test_a_long_run_keeps_its_lease(real: Client, queue: str) -> None:
    go = threading.Event()
    real.enqueue(queue, "k")
    worker = Worker(real, queue, {"k": lambda job: go.wait(30)}, lease=0.6)
    with running(worker):
        # Three leases long, by the renewals that were answered.
        eventually(lambda: worker._held)
        (run,) = worker._held.values()
        first = run.expires_at
        eventually(lambda: run.expires_at > first + 1.8)
        go.set()
        eventually(lambda: real.counts(queue)["completed"] == 1)
    assert rest(real, queue) == {"enqueued": 1, "completed": 1}


def test_stopping_gives_back_what_has_not_begun(real: Client, queue: str) -> None:
    begun, go = threading.Event(), threading.Event()

    def handler(job: Job) -> None:
        begun.set()
        go.wait(30)

    real.enqueue_many(queue, [NewMessage("k", n) for n in range(30)])
    worker = Worker(real, queue, {"k": handler}, concurrency=1)
    worker._backlog = 20  # As after short jobs: more is on its way than runs.
    worker._measure = lambda now: None  # type: ignore[method-assign]
    with running(worker) as thread:
        assert begun.wait(20)
        eventually(lambda: len(worker._waiting) == 20)
        worker.stop()
        eventually(lambda: real.counts(queue)["ready"] == 29)
        go.set()
        thread.join(20)
    counts = real.counts(queue)
    assert (counts["completed"], counts["ready"], counts["leased"]) == (1, 29, 0)


def test_a_killed_server_costs_time_and_nothing_else(tmp_path: Path) -> None:
    server = Served(tmp_path)
    try:
        with Client(server.target) as client:
            total, seen = 2000, set()
            lock = threading.Lock()
            half = threading.Event()

            def handler(job: Job) -> None:
                with lock:
                    seen.add(job.payload)
                    if len(seen) == total // 2:
                        half.set()

            sent: list[object] = []

            def produce() -> None:
                for start in range(0, total, 50):
                    messages = [NewMessage("k", n) for n in range(start, start + 50)]
                    sent.extend(client.enqueue_many("q", messages))

            producer = threading.Thread(target=produce)
            worker = Worker(client, "q", {"k": handler}, lease=2)
            with running(worker):
                producer.start()
                assert half.wait(60)
                server.kill()
                server.start()
                producer.join(60)
                eventually(lambda: client.counts("q")["completed"] == total, 60)
            assert len(sent) == total and seen == set(range(total))
            counts = client.counts("q")
            assert counts["enqueued"] == total, "no message was made twice"
            assert counts["ready"] == counts["leased"] == counts["dead"] == 0
    finally:
        server.close()


PROGRAM = """
import os, sys
from godwit import Client, Worker
log = os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def handler(job):
    os.write(log, f"{os.getpid()} {job.count} {job.payload}\\n".encode())
with Client(sys.argv[1]) as client:
    Worker(client, sys.argv[2], {"k": handler}, lease=1.0, concurrency=4).run()
"""


def test_what_the_command_enqueues_python_works_though_one_worker_is_killed(
    server: Served, real: Client, queue: str, tmp_path: Path
) -> None:
    total = 2000
    lines = tmp_path / "lines"
    lines.write_text("".join(f"{n}\n" for n in range(total)))
    log = tmp_path / "log"
    log.touch()
    workers = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, server.target, queue, str(log)])
        for _ in range(2)
    ]
    try:
        done = server.command("enqueue", queue, "k", "--lines", str(lines), "-o", "jsonl")
        assert done.returncode == 0, done.stderr
        victim = workers[0]
        eventually(
            lambda: log.read_text().count("\n") > total // 4
            and f"{victim.pid} " in log.read_text()
            or real.counts(queue)["completed"] == total,
            60,
        )
        victim.send_signal(signal.SIGKILL)
        eventually(lambda: real.counts(queue)["completed"] == total, 60)
    finally:
        for it in workers[1:]:
            it.send_signal(signal.SIGTERM)
        codes = [it.wait(30) for it in workers]
    assert codes == [-signal.SIGKILL, 0]
    runs: dict[int, int] = {}
    for line in log.read_text().splitlines():
        _, _, n = line.split()
        runs[int(n)] = runs.get(int(n), 0) + 1
    assert set(runs) == set(range(total)), "every message was worked"
    counts = real.counts(queue)
    again = sum(runs.values()) - total
    assert again <= counts["lost"], "a second run has a lost lease to explain it"
    assert counts["ready"] == counts["leased"] == counts["dead"] == 0


def test_what_python_enqueues_the_command_works(
    server: Served, real: Client, queue: str, tmp_path: Path
) -> None:
    total = 40
    ids = [
        str(real.enqueue(queue, "k", {"n": n}, headers={"tenant": f"t{n}"}).id) for n in range(total)
    ]
    out = tmp_path / "out"
    out.mkdir()
    script = f'cat > "{out}/$GODWIT_ID"; test "$GODWIT_CONTENT_TYPE" = application/json'
    done = server.command("work", queue, "--exec", script, "--kind", "k", "--drain")
    assert done.returncode == 0, done.stderr
    worked = {it.name: json.loads(it.read_text())["n"] for it in out.iterdir()}
    assert worked == {id: n for n, id in enumerate(ids)}
    assert rest(real, queue) == {"enqueued": total, "completed": total}


@pytest.mark.skipif(not shutil.which("node"), reason="there is no Node.js here")
def test_a_third_language_follows_the_page(server: Served, real: Client, queue: str) -> None:
    done = subprocess.run(
        ["node", str(NODE), f"http://{server.target}", queue, "50"],
        text=True, capture_output=True, timeout=60, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = re.fullmatch(r"enqueued 50, worked (\d+), left (\d+)\n", done.stdout)
    assert told and int(told[1]) + int(told[2]) == 50 and int(told[1]) >= 37
    seen: list[int] = []
    with running(Worker(real, queue, {"node.square": lambda job: seen.append(job.payload["n"])})):
        eventually(lambda: real.counts(queue)["completed"] == 50)
    assert len(seen) == int(told[2])
