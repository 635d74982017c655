# SPDX-License-Identifier: Apache-2.0
"""Measures one Python process against a running server: enqueue, and jobs that do nothing.

    python bench.py HOST:PORT [--jobs 20000] [--concurrency 8] [--size 100]
"""

from __future__ import annotations

import argparse
import threading
import time
import uuid

from godwit import Client, Enqueued, Job, NewMessage, Worker


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--token")
    parser.add_argument("--ca")
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--size", type=int, default=100, help="bytes of a payload")
    given = parser.parse_args()
    queue = f"bench-{uuid.uuid4().hex[:8]}"
    with Client(given.target, given.token, given.ca) as client:
        text = "x" * max(0, given.size - 8)
        began = time.perf_counter()
        for start in range(0, given.jobs, 100):
            messages = [NewMessage("noop", {"t": text}) for _ in range(start, min(start + 100, given.jobs))]
            for outcome in client.enqueue_many(queue, messages):
                assert isinstance(outcome, Enqueued), outcome
        report("enqueue, batches of 100", given.jobs, time.perf_counter() - began)

        began = time.perf_counter()
        for _ in range(min(given.jobs, 2000)):
            client.enqueue(queue, "single", {"t": text})
        report("enqueue, one by one", min(given.jobs, 2000), time.perf_counter() - began)

        done, lock, ended = 0, threading.Lock(), threading.Event()

        def noop(job: Job) -> None:
            nonlocal done
            assert job.payload
            with lock:
                done += 1
                if done == given.jobs:
                    ended.set()

        worker = Worker(client, queue, {"noop": noop}, concurrency=given.concurrency)

        def stop_at_the_end() -> None:
            ended.wait()
            worker.stop()

        threading.Thread(target=stop_at_the_end, daemon=True).start()
        began = time.perf_counter()
        cpu = time.process_time()
        worker.run()  # Until the last settlement was answered.
        elapsed = time.perf_counter() - began
        report("work, no-op jobs", given.jobs, elapsed)
        print(f"{'cpu of this process':<26}{(time.process_time() - cpu) / given.jobs * 1e6:>10.0f} µs a job")

        start_to_start(client, queue)


def start_to_start(client: Client, queue: str) -> None:
    """How long after the enqueue of a message an idle worker's handler begins."""
    waits: list[float] = []
    began = threading.Event()
    sent_at = 0.0

    def handler(job: Job) -> None:
        waits.append(time.perf_counter() - sent_at)
        began.set()

    worker = Worker(client, queue, {"ping": handler}, concurrency=1)
    thread = threading.Thread(target=worker.run)
    thread.start()
    for _ in range(100):
        began.clear()
        sent_at = time.perf_counter()
        client.enqueue(queue, "ping")
        began.wait(10)
        time.sleep(0.05)  # Back to rest.
    worker.stop()
    thread.join()
    waits.sort()
    print(f"{'enqueue to start, idle':<26}{waits[50] * 1000:>10.2f} ms p50, {waits[98] * 1000:.2f} ms p99")


def report(what: str, count: int, elapsed: float) -> None:
    print(f"{what:<26}{count / elapsed:>10,.0f} /s  ({count:,} in {elapsed:.2f} s)", flush=True)


if __name__ == "__main__":
    main()
