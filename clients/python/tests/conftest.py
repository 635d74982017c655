# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from double import Double

from godwit import Client, Worker


@pytest.fixture
def double() -> Iterator[Double]:
    it = Double()
    yield it
    it.close()


@pytest.fixture
def client(double: Double) -> Iterator[Client]:
    with Client(double.target, timeout=10) as it:
        yield it


def eventually(holds: Callable[[], object], seconds: float = 20) -> None:
    """Waits until something holds; fails when it does not."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.005)


@contextmanager
def running(worker: Worker) -> Iterator[threading.Thread]:
    """Runs a worker in a thread of its own, and stops it at the end."""
    thread = threading.Thread(target=worker.run, daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        worker.stop()
        thread.join(20)
    assert not thread.is_alive(), "the worker did not stop"
