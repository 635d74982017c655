#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Loudness of real tracks: ours beside libebur128 and ffmpeg's ebur128, as a Markdown table.

    cc -O2 libebur128_meter.c -o /tmp/theirs -lebur128 -lm      (Debian: libebur128-dev)
    loudness_table.py --analyze .build/release/audio-ingest --theirs /tmp/theirs TRACK…
    loudness_table.py --ours PROGRAM --theirs /tmp/theirs TRACK…

With --analyze ours is what `audio-ingest analyze TRACK -o json` says. Otherwise a program is called as
`PROGRAM RATE CHANNELS`, reads f32le from its standard input to the end and prints one
line of JSON with the keys of the result document's `loudness`. Needs ffmpeg and ffprobe. libebur128 takes
the loudness range from one value a second, we from ten; so it stands twice, as the library says
it and as its short-term loudness gives it ten times a second, and the second is compared. Ends with 1 if
a figure of libebur128's differs by more than 0.1 from ours.
"""
import argparse
import json
import os
import re
import subprocess
import sys

KEYS = ["integrated", "range", "true_peak", "momentary_max", "short_term_max"]


def decode(track):
    probe = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "a:0", "-of", "json", "-show_entries",
         "stream=sample_rate,channels", "file:" + track], check=True, capture_output=True)
    stream = json.loads(probe.stdout)["streams"][0]
    samples = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-i", "file:" + track, "-map", "0:a:0", "-f", "f32le", "-"],
        check=True, capture_output=True).stdout
    return str(stream["sample_rate"]), str(stream["channels"]), samples


def measure(program, rate, channels, samples):
    out = subprocess.run([program, rate, channels], input=samples, check=True, capture_output=True)
    return json.loads(out.stdout)


def analyze(program, track):
    out = subprocess.run([program, "analyze", track, "-o", "json"], check=True, capture_output=True)
    return json.loads(out.stdout)["loudness"]


def ffmpeg(rate, channels, samples):
    # framelog=quiet prints a loudness of 0.0 in ffmpeg 5.1.
    text = subprocess.run(
        ["ffmpeg", "-nostdin", "-hide_banner", "-f", "f32le", "-ar", rate, "-ac", channels, "-i", "-",
         "-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-"],
        input=samples, check=True, capture_output=True).stderr.decode(errors="replace")
    summary = text[text.rindex("Summary:"):]
    names = {"integrated": r"I:", "range": r"LRA:", "true_peak": r"Peak:"}
    return {key: float(re.search(name + r"\s+(-?[\d.]+|-?inf)", summary).group(1))
            for key, name in names.items()}


def main():
    words = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    which = words.add_mutually_exclusive_group(required=True)
    which.add_argument("--analyze")
    which.add_argument("--ours")
    words.add_argument("--theirs", required=True)
    words.add_argument("tracks", nargs="+")
    given = words.parse_args()
    print("| track | I ours · libebur128 · ffmpeg | LRA ours · libebur128, 100 ms · libebur128, 1 s · ffmpeg "
          "| TP ours · libebur128 · ffmpeg | M max ours · libebur128 | S max ours · libebur128 |")
    print("|---|---|---|---|---|---|")
    worst = dict.fromkeys(KEYS, 0.0)
    for track in given.tracks:
        sound = decode(track)
        ours = analyze(given.analyze, track) if given.analyze else measure(given.ours, *sound)
        theirs, third = measure(given.theirs, *sound), ffmpeg(*sound)
        cells = []
        for key in KEYS:
            fair = theirs["range_100ms" if key == "range" else key]
            worst[key] = max(worst[key], abs(ours[key] - fair))
            cells.append(f"{ours[key]:.3f} · {fair:.3f}"
                         + (f" · {theirs[key]:.3f}" if key == "range" else "")
                         + (f" · {third[key]:.1f}" if key in third else ""))
        print("| " + " | ".join([os.path.basename(track), *cells]) + " |", flush=True)
    print("| greatest \\|Δ\\| to libebur128 | " + " | ".join(f"{worst[key]:.4f}" for key in KEYS) + " |")
    sys.exit(any(worst[key] > 0.1 for key in KEYS))


if __name__ == "__main__":
    main()
