#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the Redis scripts cost: server CPU per message of enqueue + reserve + ack, and memory.

    python3 cost.py [--batch 100] [--rounds 9] [--untracked] [--against DIR]

Starts its own redis-server on a unix socket in a temporary directory. CPU is the difference of
INFO cpu (socket and parser included), minimum (median) of the rounds; requests are built before
the clock runs, so the client's speed does not matter. `--against` compares with another folder of
scripts, round by round in turn, which is the only comparison to trust on a busy machine. Needs
Python only; the tests proper are in Swift.
"""
import argparse, os, re, socket, statistics, subprocess, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = os.path.join(HERE, "../../../Sources/GodwitRedis/Scripts")
BODY = b"\x82\xa1h\xd9" + b"h" * 32 + b"p" * 106  # a header and a payload of about 100 bytes
KIND = bytes.fromhex("0000abcd")


def assemble(folder, word):
    """Flag line, clock, head of the prelude, the pieces used in the order of the file, the word."""
    def load(name):
        with open(os.path.join(folder, name + ".lua"), encoding="utf-8") as file:
            return file.read()
    head, *rest = re.split(r"(?m)^-- piece: ", load("prelude"))
    pieces, uses, wanted = {}, {}, set()
    for piece in rest:
        title, text = piece.split("\n", 1)
        name, _, needs = title.partition(", uses: ")
        pieces[name], uses[name] = text, needs.split()

    def want(name):
        for need in uses[name]:
            want(need)
        wanted.add(name)
    text, flag = load(word), ""
    if text.startswith("#!"):
        flag, text = text.split("\n", 1)
        flag += "\n"
    line = re.search(r"(?m)^-- uses: (.*)$", text)
    for name in line.group(1).split() if line else []:
        want(name)
    chosen = "".join(text for name, text in pieces.items() if name in wanted)
    return flag + load("clock") + head + chosen + text


class Connection:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb", 1 << 20)

    @staticmethod
    def encode(arguments):
        parts = [b"*%d\r\n" % len(arguments)]
        for argument in arguments:
            if not isinstance(argument, bytes):
                argument = str(argument).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(argument), argument))
        return b"".join(parts)

    def read(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        size = int(rest)
        if size < 0:
            return None
        if kind == b"$":
            return self.file.read(size + 2)[:-2]
        return [self.read() for _ in range(size)]

    def __call__(self, *arguments):
        self.socket.sendall(self.encode(arguments))
        return self.read()

    def pipeline(self, calls, depth=8):
        """The replies, and the server's CPU in µs."""
        requests, replies, before = [self.encode(c) for c in calls], [], self.cpu()
        for i in range(0, len(requests), depth):
            self.socket.sendall(b"".join(requests[i:i + depth]))
            replies += [self.read() for _ in requests[i:i + depth]]
        return replies, (self.cpu() - before) * 1e6

    def info(self, section, field):
        return re.search(field + r":([\d.]+)", self("INFO", section).decode()).group(1)

    def cpu(self):
        return float(self.info("cpu", "used_cpu_user")) + float(self.info("cpu", "used_cpu_sys"))


class Queue:
    def __init__(self, label, folder, options):
        self.label, self.folder = label, tempfile.mkdtemp()
        path = os.path.join(self.folder, "s")
        self.server = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--appendonly",
             "no", "--dir", self.folder], stdout=subprocess.DEVNULL)
        while True:
            try:
                self.redis = Connection(path)
                break
            except OSError:
                time.sleep(0.02)
        self.tag = "{godwit:q:cost:0}:"
        self.list = self.tag + "w:3:" + KIND.hex()
        self.sha = {w: self.redis("SCRIPT", "LOAD", assemble(folder, w))
                    for w in ("enqueue", "reserve", "ack")}
        for name, value in options.items():
            self.redis("HSET", self.tag + "cfg", name, value)
        self.rows = []

    def call(self, word, keys, arguments):
        return ["EVALSHA", self.sha[word], 2 + len(keys), self.tag, self.tag + "mk:",
                *keys, *arguments]

    def enqueue(self, n):
        ms = int(time.time() * 1000).to_bytes(6, "big")
        ids = b"".join(ms + b"\x70" + os.urandom(9) for _ in range(n))
        value = bytes([3 | 2 << 3]) + KIND + b"\x05" + BODY
        return self.call("enqueue", [self.list], ["0", ids] + [value] * n)

    def reserve(self, n):
        return self.call("reserve", [self.list], [n, 30000, os.urandom(7), 0, 262144, n])

    def round(self, batch, total):
        calls = total // batch
        _, enqueue = self.redis.pipeline([self.enqueue(batch) for _ in range(calls)])
        reserve, ack, group = 0, 0, max(1, 2000 // batch)
        for first in range(0, calls, group):
            some = min(group, calls - first)
            replies, used = self.redis.pipeline([self.reserve(batch) for _ in range(some)])
            reserve += used
            assert sum(len(r[2]) for r in replies) == some * batch
            acks = [self.call("ack", [], [b"", b"".join(r[2])]) for r in replies]
            stale, used = self.redis.pipeline(acks)
            ack += used
            assert all(s == [] for s in stale)
        row = [us / total for us in (enqueue, reserve, ack)]
        return row + [sum(row)]

    def bytes_per_message(self, batch, total):
        before = int(self.redis.info("memory", "used_memory"))
        self.redis.pipeline([self.enqueue(batch) for _ in range(total // batch)])
        return (int(self.redis.info("memory", "used_memory")) - before) / total


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--untracked", action="store_true", help="tracking and events off")
    parser.add_argument("--against", help="another folder of scripts")
    given = parser.parse_args()
    total = 10_000 if given.batch >= 10 else 2_000
    options = {"records": 2 * total}  # at its bound after two rounds, as in the long run
    if given.untracked:
        options.update(track=0, events=0)
    queues = [Queue("scripts", SCRIPTS, options)]
    if given.against:
        queues.append(Queue(given.against, given.against, options))
    try:
        for round in range(given.rounds + 3):
            for queue in queues:
                row = queue.round(given.batch, total)
                if round >= 3:
                    queue.rows.append(row)
        for queue in queues:
            print(f"{queue.label}: batch {given.batch}, µs of Redis CPU per message, min (median)")
            for name, column in zip(("enqueue", "reserve", "ack", "sum"), zip(*queue.rows)):
                print(f"  {name:8}{min(column):6.2f} ({statistics.median(column):.2f})")
            waiting = queue.bytes_per_message(given.batch, 5 * total)
            print(f"  memory per waiting message {waiting:.0f} B")
    finally:
        for queue in queues:
            queue.server.terminate()
            queue.server.wait()


if __name__ == "__main__":
    main()
