#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a waveform file must hold, computed a second time: slowly, with Python's integers, from the
description of the format and not from the Swift code. Needs python3 alone.

    waveform_oracle.py JOBS.json     each job is a dictionary, see `run`; writes the file job["out"]
    waveform_oracle.py --vectors     checks this program itself against published SHA-256 sums
    waveform_oracle.py --compare A B counts the bytes by which two .dat files differ, and by how much
"""
import hashlib
import json
import math
import struct
import sys


def int16s(floats, kind, bits):
    """32-bit floats to the integers that the reference sees. Every product is exact in a double."""
    out = []
    for f in floats:
        if f != f:
            out.append(0)
            continue
        f = max(-2.0, min(2.0, f))
        if kind == "integer":
            value = math.floor(f * 32768)
        elif kind == "float":
            value = math.trunc(max(-1.0, min(1.0, f)) * 32767)
        else:
            value = round(f * 32768)
        out.append(max(-32768, min(32767, value)))
    return out


def toward_zero(a, b):
    return a // b if a >= 0 else -(-a // b)


def waveform(samples, channels, zoom, split):
    """Rows of pixels, each a list of (min, max) for each output channel."""
    frames = [samples[i:i + channels] for i in range(0, len(samples), channels)]
    if not split:
        frames = [[toward_zero(sum(frame), channels)] for frame in frames]
    pixels = []
    for start in range(0, len(frames), zoom):
        block = frames[start:start + zoom]
        pixels.append([(min(column), max(column)) for column in zip(*block)])
    return pixels


def scaled(pixels, amplitude):
    if amplitude == 1:
        return pixels
    if amplitude == "auto":
        lowest = min((pair[0] for row in pixels for pair in row), default=32767)
        highest = max((pair[1] for row in pixels for pair in row), default=-32768)
        upper = 1.0 if highest == 0 else 32767 / highest
        lower = 1.0 if lowest == 0 else 32767 / lowest
        amplitude = abs(min(upper, lower))

    def scale(value):
        return math.trunc(max(-32768, min(32767, value * amplitude)))

    return [[(scale(low), scale(high)) for low, high in row] for row in pixels]


def coarser(pixels, old, new):
    out = []
    x = 0
    while x * new // old < len(pixels):
        part = pixels[x * new // old:(x + 1) * new // old]
        out.append([(min(p[0] for p in column), max(p[1] for p in column)) for column in zip(*part)])
        x += 1
    return out


def encoded(pixels, channels, rate, zoom, bits, form):
    values = [v for row in pixels for pair in row for v in pair]
    if bits == 8:
        values = [toward_zero(v, 256) for v in values]
    if form == "json":
        return json.dumps(
            {"version": 2, "channels": channels, "sample_rate": rate, "samples_per_pixel": zoom,
             "bits": bits, "length": len(pixels), "data": values},
            separators=(",", ":")).encode() + b"\n"
    head = struct.pack("<iIiiI", 1 if channels == 1 else 2, 1 if bits == 8 else 0, rate, zoom,
                       len(pixels))
    if channels > 1:
        head += struct.pack("<i", channels)
    return head + struct.pack("<%d%s" % (len(values), "b" if bits == 8 else "h"), *values)


def run(job):
    raw = open(job["samples"], "rb").read()
    floats = struct.unpack("<%df" % (len(raw) // 4), raw)
    channels = job["channels"]
    floats = floats[job.get("skip", 0) * channels:]
    if job.get("form") == "peaks":
        out = peaks(floats, channels, job["rate"], job["bins"], job["fine"])
    else:
        pixels = waveform(int16s(floats, job["kind"], 16), channels, job["zoom"], job["split"])
        pixels = scaled(pixels, job["amplitude"])
        zoom = job["zoom"]
        if "coarser" in job:
            pixels, zoom = coarser(pixels, zoom, job["coarser"]), job["coarser"]
        out = encoded(pixels, channels if job["split"] else 1, job["rate"], zoom, job["bits"],
                      job["form"])
    with open(job["out"], "wb") as file:
        file.write(out)


def peaks(floats, channels, rate, bins, fine):
    """The signed sample of greatest magnitude per bin, the positive one of two equals; bins whose edges
    lie on a grid of the smallest power of two of frames that needs at most `fine` cells."""
    count = len(floats) // channels
    rows = []
    for channel in range(channels if channels <= 2 else 1):
        if channels <= 2:
            row = floats[channel::channels]
        else:
            row = [single(sum(single_all(floats[i:i + channels])) / channels)
                   for i in range(0, len(floats), channels)]
        rows.append([0.0 if f != f else max(-1.0, min(1.0, f)) for f in row])
    grid = 1
    while -(-count // grid) > fine:
        grid *= 2
    cells = -(-count // grid)
    bins = min(bins, cells)
    out = []
    for row in rows:
        values = []
        for b in range(bins):
            part = row[cells * b // bins * grid:cells * (b + 1) // bins * grid]
            best = max(part, key=lambda f: (abs(f), f))
            values.append(number(round_away(best * 10000), 4))
        out.append("[" + ",".join(values) + "]")
    duration = number((2 * count * 1000000 + rate) // (2 * rate), 6)
    return ('{"duration":%s,"peaks":[%s]}\n' % (duration, ",".join(out))).encode()


def single(f):
    return struct.unpack("<f", struct.pack("<f", f))[0]


def single_all(frame):
    return [0.0 if f != f else max(-1.0, min(1.0, f)) for f in frame]


def round_away(x):
    return int(math.copysign(math.floor(abs(x) + 0.5), x))


def number(value, decimals):
    text = "%s%d.%0*d" % ("-" if value < 0 else "", abs(value) // 10 ** decimals, decimals,
                          abs(value) % 10 ** decimals)
    return text.rstrip("0").rstrip(".")


def vectors():
    x, samples = 0, []
    for _ in range(2000):
        x = (1103515245 * x + 12345) % 2 ** 31
        samples.append((x >> 15) % 65536 - 32768)
    third = [s // 3 for s in samples]
    for what, data, split, bits, amplitude, expect in [
        ("mono mix 16-bit", samples, False, 16, 1, "0a32a95e5fa5274d"),
        ("mono mix 8-bit", samples, False, 8, 1, "f03099d47e045173"),
        ("split 8-bit", samples, True, 8, 1, "fa476a5f399c972d"),
        ("a third, mono mix 16-bit auto", third, False, 16, "auto", "d13fc600d0ccbe71"),
    ]:
        pixels = scaled(waveform(data, 2, 256, split), amplitude)
        out = encoded(pixels, 2 if split else 1, 44100, 256, bits, "dat")
        got = hashlib.sha256(out).hexdigest()[:16]
        print("%-30s %s %s" % (what, got, "ok" if got == expect else "EXPECTED " + expect))
        if got != expect:
            sys.exit(1)


def compare(a, b):
    a, b = open(a, "rb").read(), open(b, "rb").read()
    head = 20 if a[0] == 1 else 24
    kind = ("b", 1) if a[4] & 1 else ("h", 2)
    rows = [struct.unpack("<%d%s" % ((len(f) - head) // kind[1], kind[0]), f[head:]) for f in (a, b)]
    by = {}
    for p, q in zip(*rows):
        by[abs(p - q)] = by.get(abs(p - q), 0) + 1
    print("head", "equal" if a[:head] == b[:head] else "DIFFERS", a[:head].hex(), b[:head].hex())
    print("values", len(rows[0]), len(rows[1]), "by difference", dict(sorted(by.items())))


if __name__ == "__main__":
    if sys.argv[1] == "--vectors":
        vectors()
    elif sys.argv[1] == "--compare":
        compare(sys.argv[2], sys.argv[3])
    else:
        for each in json.load(open(sys.argv[1])):
            run(each)
