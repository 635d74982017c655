#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the tempo table: ours, aubio and librosa on the same clips.

Needs the programs `aubio` and `aubiotrack` (Debian: aubio-tools) and the package librosa (which brings
numpy and soundfile), and a clips.jsonl that the suite `Tempo export` wrote:

    TEMPO_OUT=test TEMPO_CLIPS=20261122:400 swift test -c release --filter 'Tempo export'
    tempo_table.py test/clips.jsonl

Acc1: the tempo itself; Acc2: or its half, double, third or triple; each at 4 %, 1 % and 0.1 %. The
tempo of aubiotrack is the median distance of its beats; that of librosa.beat.beat_track is what it
returns (it takes its frames, so it is coarse), `regular` a straight line through the beats it returns.
"""
import json, re, subprocess, sys
from concurrent.futures import ProcessPoolExecutor

MULTIPLES = (1, 2, 0.5, 3, 1 / 3)


def aubio(path):
    run = subprocess.run(["aubio", "tempo", path], capture_output=True, text=True)
    found = re.search(r"([\d.]+) bpm", run.stdout + run.stderr)
    return float(found.group(1)) if found else 0.0


def aubiotrack(path):
    import numpy as np

    run = subprocess.run(["aubiotrack", "-i", path], capture_output=True, text=True)
    beats = np.array([float(x) for x in run.stdout.split()])
    return 60 / float(np.median(np.diff(beats))) if len(beats) > 2 else 0.0


def librosas(path):
    import librosa, numpy as np

    sound, rate = librosa.load(path, sr=22050)
    tempo, beats = librosa.beat.beat_track(y=sound, sr=rate, units="time")
    feature = librosa.feature.tempo(y=sound, sr=rate)
    regular = 60 / np.polyfit(np.arange(len(beats)), beats, 1)[0] if len(beats) > 3 else 0.0
    return float(np.atleast_1d(tempo)[0]), float(np.atleast_1d(feature)[0]), float(regular)


def hear(path):
    return (aubio(path), aubiotrack(path), *librosas(path))


def accuracy(truths, found, tolerance, multiples):
    right = sum(
        any(abs(bpm / (truth * m) - 1) <= tolerance for m in multiples) for truth, bpm in zip(truths, found)
    )
    return f"{100 * right / len(truths):.1f}"


def main():
    clips = [json.loads(line) for line in open(sys.argv[1])]
    truths = [clip["truth"] for clip in clips]
    with ProcessPoolExecutor(2) as pool:
        heard = list(pool.map(hear, [clip["path"] for clip in clips], chunksize=8))
    names = ["aubio tempo", "aubiotrack, median beat", "librosa beat_track", "librosa feature.tempo"]
    names.append("librosa beats, regular")
    rows = [("Godwit", [clip.get("bpm") or 0 for clip in clips])]
    rows += [(name, [one[index] for one in heard]) for index, name in enumerate(names)]
    print(f"{len(clips)} clips, Acc1 / Acc2 in %\n")
    print("| | 4 % | 1 % | 0.1 % |\n|---|---|---|---|")
    for name, found in rows:
        cells = [
            accuracy(truths, found, t, (1,)) + " / " + accuracy(truths, found, t, MULTIPLES)
            for t in (0.04, 0.01, 0.001)
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")
    speeds = sorted(clip["speed"] for clip in clips)
    print(f"\nGodwit: {speeds[len(speeds) // 2]:.0f} × real time (median clip, processor time)")


if __name__ == "__main__":
    main()
