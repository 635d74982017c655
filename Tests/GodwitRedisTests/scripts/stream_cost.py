#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What keyed streams cost: server CPU per point of append + reserve + commit, and memory per key.

    python3 stream_cost.py [--rounds 5] [--lanes 32] [--against DIR]

Points of 16 bytes, a state of 16 bytes that each commit writes, windows of N points that are full
before the clock runs; a worker that is warm, so windows are not read. Measured as in cost.py:
INFO cpu, least (median) of the rounds.
"""
import argparse, os, statistics, struct, time
from cost import SCRIPTS, Queue, assemble

WORDS = ("append", "reserve", "commit")
BODY = os.urandom(16)


def record(number):
    return struct.pack(">IQ", 2 * (12 + len(BODY)), number) + BODY


SIZE = len(record(0))


class Stream(Queue):
    def __init__(self, label, folder):
        super().__init__(label, folder, {})
        self.tag = "{godwit:s:cost:0}:"
        for word in WORDS:
            self.sha[word] = self.redis("SCRIPT", "LOAD", assemble(folder, "stream_" + word))
        self.clear()

    def clear(self):
        self.redis("FLUSHALL")
        self.number, self.nonce = int(time.time() * 1000) << 16, 0

    def append(self, keys, points):
        arguments = [100_000, 1]
        for key in keys:
            ids = [self.number + i for i in range(points)]
            arguments += [key, struct.pack(">HB", points, 1) + (ids[-1] >> 16).to_bytes(6, "big")]
            arguments += [record(id) for id in ids]
        self.number += points
        return self.call("append", [], arguments)

    def reserve(self, lanes, points):
        self.nonce += 1
        return self.call("reserve", [], [lanes, points, 1 << 20, 30000, self.nonce.to_bytes(7, "big"), 0])

    def commit(self, reply, nonce, window):
        lanes, arguments = reply[4:], []
        for place in range(0, len(lanes), 2):
            key, packed = lanes[place], lanes[place + 1]
            count, newest = (len(packed) - 26) // SIZE, packed[-SIZE + 4:-SIZE + 12]
            token = nonce + bytes([place // 2 + 1]) + key
            facts = struct.pack(">H", count) + newest + struct.pack(">IBB", window * SIZE, 110, 1) + bytes(6)
            arguments += [facts + token, BODY, b""]
        return self.call("commit", [], [len(lanes) // 2] + arguments)

    def round(self, keys, lanes, points, window):
        """µs per point of each word."""
        groups = [keys[i:i + lanes] for i in range(0, len(keys), lanes)]
        replies, append = self.redis.pipeline([self.append(g, points) for g in groups])
        assert all(r == [] for r in replies), replies[0]
        first = self.nonce + 1
        replies, reserve = self.redis.pipeline([self.reserve(lanes, points) for _ in groups])
        commits = [self.commit(r, (first + i).to_bytes(7, "big"), window) for i, r in enumerate(replies)]
        stale, commit = self.redis.pipeline(commits)
        assert all(s == [] for s in stale), stale[0]
        return [us / len(keys) / points for us in (append, reserve, commit)]

    def used(self):
        return int(self.redis.info("memory", "used_memory"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lanes", type=int, default=32)
    parser.add_argument("--points", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--windows", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--against", help="another folder of scripts")
    given = parser.parse_args()
    streams = [Stream("scripts", SCRIPTS)]
    if given.against:
        streams.append(Stream(given.against, given.against))
    try:
        print(f"{given.lanes} lanes per call, µs of Redis CPU per point, min (median)")
        print("    N points  append        reserve       commit        sum            B per key")
        for points in given.points:
            for window in given.windows:
                count = {10: 8192, 100: 2048, 1000: 1024}[window]
                keys = [b"printer-%06d" % i for i in range(count)]
                rows = [[] for _ in streams]
                for place, stream in enumerate(streams):
                    stream.clear()
                    before = stream.used()
                    for _ in range(-(-window // 16) + 1):
                        stream.round(keys, given.lanes, 16, window)
                    stream.bytes = (stream.used() - before) / count
                for _ in range(given.rounds):
                    for place, stream in enumerate(streams):
                        parts = [stream.round(keys, given.lanes, points, window)
                                 for _ in range(16 // points if count < 8192 else 2)]
                        rows[place].append([statistics.mean(c) for c in zip(*parts)])
                for stream, row in zip(streams, rows):
                    columns = list(zip(*row)) + [[sum(r) for r in row]]
                    cells = "  ".join(f"{min(c):5.2f} ({statistics.median(c):5.2f})" for c in columns)
                    print(f"{window:5} {points:6}  {cells}  {stream.bytes:6.0f}  {stream.label}", flush=True)
    finally:
        for stream in streams:
            stream.server.terminate()
            stream.server.wait()


if __name__ == "__main__":
    main()
