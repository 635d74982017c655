#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scores key estimates of the same files side by side: ours, librosa's, Essentia's.

Needs: Python 3.10+, `pip install librosa essentia numpy` (both only as oracles; Essentia is AGPL).
Each may be absent; its rows are then left out, and the table says so.

    key_table.py CLIPS.json --analyze 'audio-ingest analyze {} -o json' [--answers CACHE.json]

CLIPS.json: [{"wav": path, "key": "C# minor", "set": name, "split": "dev" | "test"}, …].
--ours FILE.tsv takes lines of `path<TAB>key scale` in place of --analyze. Answers are cached, so a
run that was stopped goes on where it was.
MIREX weights: the key 1, a fifth off 0.5, the relative 0.3, the parallel 0.2.
"""
import argparse
import collections
import json
import pathlib
import shlex
import subprocess

NAMES = "C C# D D# E F F# G G# A A# B".split()
FLATS = {"Db": "C#", "Eb": "D#", "Gb": "F#", "Ab": "G#", "Bb": "A#"}
# Krumhansl and Kessler 1982.
MAJOR = [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88]
MINOR = [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17]


def mirex(answer, truth):
    if answer is None:
        return 0.0
    (a, a_scale), (t, t_scale) = answer.split(), truth.split()
    away = (NAMES.index(a) - NAMES.index(t)) % 12
    if a_scale == t_scale:
        return {0: 1.0, 5: 0.5, 7: 0.5}.get(away, 0.0)
    if away == 0:
        return 0.2
    return 0.3 if away == (9 if t_scale == "major" else 3) else 0.0


def ours(command):
    def answer(path):
        words = [word.replace("{}", path) for word in shlex.split(command)]
        done = subprocess.run(words, capture_output=True, check=True, timeout=600)
        key = json.loads(done.stdout).get("key")
        return {"godwit": f"{key['key']} {key['scale']}" if key else None}

    return answer


def librosa_answer():
    import librosa
    import numpy

    def answer(path):
        samples, rate = librosa.load(path, sr=22050)
        chroma = librosa.feature.chroma_cqt(y=samples, sr=rate).mean(axis=1)
        fits = [
            numpy.corrcoef(chroma, numpy.roll(profile, tonic))[0, 1]
            for profile in (MAJOR, MINOR)
            for tonic in range(12)
        ]
        best = int(numpy.nanargmax(fits))
        return {"librosa cqt + Krumhansl": f"{NAMES[best % 12]} {['major', 'minor'][best // 12]}"}

    return answer


def essentia_answer():
    import essentia

    essentia.log.infoActive = essentia.log.warningActive = False
    from essentia import standard

    def answer(path):
        samples = standard.MonoLoader(filename=path, sampleRate=44100)()
        found = {}
        for profile in ("edma", "bgate", "temperley", "krumhansl"):
            key, scale, _ = standard.KeyExtractor(profileType=profile)(samples)
            found[f"Essentia {profile}"] = f"{FLATS.get(key, key)} {scale}"
        return found

    return answer


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("clips", type=pathlib.Path)
    options.add_argument("--analyze")
    options.add_argument("--ours", type=pathlib.Path)
    options.add_argument("--answers", type=pathlib.Path, default=pathlib.Path("key_answers.json"))
    given = options.parse_args()
    clips = json.loads(given.clips.read_text())
    answers = json.loads(given.answers.read_text()) if given.answers.exists() else {}
    if given.ours:
        for line in given.ours.read_text().splitlines():
            path, key = line.split("\t")[:2]
            answers.setdefault("godwit", {})[path] = None if key == "-" else key
    tools = []
    if given.analyze:
        tools.append(("godwit", lambda: ours(given.analyze)))
    tools += [("librosa cqt + Krumhansl", librosa_answer), ("Essentia edma", essentia_answer)]
    for first, make in tools:
        missing = [clip["wav"] for clip in clips if clip["wav"] not in answers.get(first, {})]
        if not missing:
            continue
        try:
            answer = make()
        except ImportError as absent:
            print(f"{first}: left out, {absent}")
            continue
        for path in missing:
            for name, key in answer(path).items():
                answers.setdefault(name, {})[path] = key
            given.answers.write_text(json.dumps(answers))
    table(clips, answers)


def table(clips, answers):
    groups = collections.OrderedDict()
    for clip in clips:
        for group in (f"all ({clip['split']})", f"{clip['set']} ({clip['split']})"):
            groups.setdefault(group, []).append(clip)
    names = sorted(answers, key=lambda name: (name != "godwit", name))
    print("| clips | " + " | ".join(f"{name}" for name in names) + " |")
    print("|---|" + "---|" * len(names))
    for group, members in sorted(groups.items()):
        cells = []
        for name in names:
            scores = [mirex(answers[name].get(clip["wav"]), clip["key"]) for clip in members]
            exact = 100 * sum(score == 1 for score in scores) / len(scores)
            cells.append(f"{exact:.1f} / {100 * sum(scores) / len(scores):.1f}")
        print(f"| {group}: {len(members)} | " + " | ".join(cells) + " |")
    print("\nExact / MIREX-weighted, per cent. `dev`: settings were chosen on these; `test`: not.")


if __name__ == "__main__":
    main()
