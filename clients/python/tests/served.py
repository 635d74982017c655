# SPDX-License-Identifier: Apache-2.0
"""A `godwit serve --grpc` of its own, on a SQLite file in a temporary folder."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from pathlib import Path

COMMAND = os.environ.get("GODWIT_COMMAND", "")


class Served:
    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder
        self.broker = f"sqlite:{folder / 'jobs.db'}"
        self.environment = {**os.environ, "HOME": str(folder)}
        for name in ("GODWIT_BROKER", "GODWIT_CONTEXT", "GODWIT_TOKEN", "GODWIT_HISTORY"):
            self.environment.pop(name, None)
        self.port = port
        self.start()

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it, or again after `kill`, on the same port; returns when it listens."""
        self.process = subprocess.Popen(
            [COMMAND, "serve", "--broker", self.broker, "--http", "127.0.0.1:0",
             "--grpc", f"127.0.0.1:{self.port}", "--insecure-no-auth", "--no-archive", "--no-alerts"],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=self.environment, text=True,
        )  # fmt: skip
        assert self.process.stderr is not None
        said: list[str] = []
        for line in self.process.stderr:
            said.append(line)
            found = re.search(r"gRPC on .*127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found[1])
                break
        else:
            raise AssertionError(f"the server did not start: {''.join(said)}")
        # Why: a pipe that nobody reads would hold it up.
        errors = self.process.stderr
        threading.Thread(target=lambda: list(errors), daemon=True).start()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs the godwit command on the same store, past the server."""
        return subprocess.run(
            [COMMAND, *arguments, "--broker", self.broker],
            env=self.environment, text=True, capture_output=True, timeout=60,
        )  # fmt: skip
