#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes drum loops of known tempo out of recorded drums.

Needs: numpy, soundfile, and folders of one-shot samples as the Debian packages hydrogen-data and
hydrogen-drumkits hold them (/usr/share/hydrogen/data/drumkits). The loops are for measuring only:
the samples have licences of their own.

    tempo_loops.py OUT SEED COUNT KIT…      writes OUT/*.wav and appends to OUT/truth.tsv
"""
import os, random, re, sys
import numpy as np
import soundfile

RATE = 44100
# What a drummer plays in a bar of sixteenths (or twelfths of a 3/4 bar): k kick, s snare, h hat, o open.
STYLES = {
    "rock": (16, (92, 148), dict(k=[0, 8, 10], s=[4, 12], h=range(0, 16, 2))),
    "rock2": (16, (92, 170), dict(k=[0, 6, 8], s=[4, 12], h=range(0, 16, 2))),
    "punk": (16, (150, 200), dict(k=[0, 8], s=[4, 12], h=range(0, 16, 4))),
    "disco": (16, (108, 132), dict(k=[0, 4, 8, 12], s=[4, 12], h=range(16), o=[2, 6, 10, 14])),
    "house": (16, (116, 132), dict(k=[0, 4, 8, 12], s=[4, 12], o=[2, 6, 10, 14])),
    "techno": (16, (125, 145), dict(k=[0, 4, 8, 12], h=range(0, 16, 2), o=[2, 6, 10, 14])),
    "funk": (16, (88, 118), dict(k=[0, 2, 7, 10], s=[4, 12, 15], h=range(16))),
    "boombap": (16, (80, 98), dict(k=[0, 7, 10], s=[4, 12], h=range(0, 16, 2))),
    "break": (16, (160, 178), dict(k=[0, 10], s=[4, 12], h=range(0, 16, 2))),
    "ballad": (16, (60, 82), dict(k=[0, 8, 11], s=[4, 12], h=range(0, 16, 2))),
    "soul": (16, (70, 110), dict(k=[0, 3, 8, 11], s=[4, 12], h=range(0, 16, 2))),
    "reggaeton": (16, (85, 100), dict(k=[0, 4, 8, 12], s=[3, 6, 11, 14], h=range(0, 16, 2))),
    "waltz": (12, (84, 180), dict(k=[0], s=[4, 8], h=range(0, 12, 4))),
    "waltz8": (12, (80, 160), dict(k=[0, 10], s=[4, 8], h=range(0, 12, 2))),
}
WORDS = {
    "k": r"^(.*kick.*|bd.*|.*_k_.*|.*bd_.*|kick.*)$",
    "s": r"^(.*snare.*|sn.*|.*_sn_.*|.*clap.*)$",
    "h": r"^(.*(hat|hh)[^/]*(cl|close|_0|_1|low).*|closehihat.*|.*chh.*|.*pedal.*hat.*)$",
    "o": r"^(.*(hat|hh)[^/]*(op|open).*|openhat.*|.*ohh.*|.*hat.*op.*|ride.*)$",
}


def kit(folder):
    drums = {}
    names = sorted(n for n in os.listdir(folder) if n.lower().endswith((".flac", ".wav", ".aiff")))
    for letter, words in WORDS.items():
        drums[letter] = [n for n in names if re.match(words, n.lower())]
    drums["o"] = drums["o"] or drums["h"]
    missing = [letter for letter, found in drums.items() if not found]
    if missing:
        raise SystemExit(f"{folder}: no sample found for {missing} among {names[:20]}")
    return drums


def sample(path):
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    sound = sound.mean(axis=1)
    if rate != RATE:
        places = np.arange(0, len(sound) - 1, rate / RATE)
        sound = np.interp(places, np.arange(len(sound)), sound).astype("float32")
    peak = np.abs(sound).max() or 1
    return (sound / peak)[: 2 * RATE]


def main():
    out, seed, count, folders = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "truth.tsv"), "a") as truth:
        for number in range(count):
            dice = random.Random(f"{seed}/{number}")
            folder = folders[number % len(folders)]
            drums = kit(folder)
            style = list(STYLES)[number % len(STYLES)]
            steps, (low, high), rows = STYLES[style]
            bpm = round(dice.uniform(low, high), 2)
            chosen = {letter: sample(os.path.join(folder, dice.choice(drums[letter]))) for letter in rows}
            level = dict(k=1.0, s=0.9, h=dice.uniform(0.15, 0.45), o=dice.uniform(0.2, 0.5))
            swing = dice.choice([0, 0, 0, dice.uniform(0, 0.33)])
            length = dice.uniform(10, 18)
            sound = np.zeros(int(length * RATE) + 3 * RATE, "float32")
            step = 60 / bpm / 4
            bar = 0
            while bar * steps * step < length:
                for letter, row in rows.items():
                    for place in row:
                        if place and dice.random() < 0.03:
                            continue
                        late = swing * step if place % 2 else 0
                        at = (bar * steps + place) * step + late + dice.gauss(0, 0.002)
                        begin = max(0, int(at * RATE))
                        hit = chosen[letter] * level[letter] * dice.uniform(0.75, 1)
                        end = min(len(sound), begin + len(hit))
                        sound[begin:end] += hit[: end - begin]
                bar += 1
            sound = sound[: int(length * RATE)]
            sound *= 0.8 / (np.abs(sound).max() or 1)
            name = f"{os.path.basename(folder).replace(' ', '_')}-{style}-{number:03d}.wav"
            path = os.path.abspath(os.path.join(out, name))
            soundfile.write(path, sound, RATE, subtype="PCM_16")
            truth.write(f"{path}\t{bpm}\n")


if __name__ == "__main__":
    main()
