#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Finds the weights of Sources/AudioSignal/Tempo/MetricalLevel.swift.

Needs numpy and scipy, and files that the suite `Tempo export` wrote:

    for seed in 1 2 3 4; do
        TEMPO_OUT=dev-$seed TEMPO_CLIPS=$seed:400 swift test -c release --filter 'Tempo export'
    done
    tempo_loops.py loops-dev dev 140 KITS/GMRockKit KITS/HardElectro1 KITS/VariBreaks
    TEMPO_OUT=loops-dev TEMPO_LIST=loops-dev/truth.tsv swift test -c release --filter 'Tempo export'
    tempo_levels.py dev-[1-4]/clips.jsonl -- loops-dev/clips.jsonl

Multinomial logistic regression: of the levels found in each clip, the one nearest the truth should get
the highest score. Clips after `--` count three times, since there are fewer. Prints the Swift table.
"""
import json, sys
import numpy as np
from scipy.optimize import minimize

SHRINK = 3e-3  # of squared weights: more, and the drummers of the set are learnt less by heart


def load(paths):
    for path in paths:
        for line in open(path):
            clip = json.loads(line)
            if not clip["levels"]:
                continue
            bpm = np.array([level["bpm"] for level in clip["levels"]])
            distance = np.abs(np.log(bpm / clip["truth"]))
            if distance.min() < 0.03:
                yield np.array([level["features"] for level in clip["levels"]]), distance.argmin()


def main():
    arguments = sys.argv[1:]
    split = arguments.index("--") if "--" in arguments else len(arguments)
    clips = list(load(arguments[:split]))
    weights = [1.0] * len(clips)
    clips += list(load(arguments[split + 1 :]))
    weights = np.array(weights + [3.0] * (len(clips) - len(weights)))
    weights /= weights.sum()
    deviation = np.concatenate([features for features, _ in clips]).std(0) + 1e-9
    most, width = max(len(f) for f, _ in clips), clips[0][0].shape[1]
    inputs = np.zeros((len(clips), most, width))
    absent = np.full((len(clips), most), -1e9)
    for index, (features, _) in enumerate(clips):
        inputs[index, : len(features)] = features / deviation
        absent[index, : len(features)] = 0
    chosen = np.array([right for _, right in clips])
    rows = np.arange(len(clips))

    def loss(w):
        scores = inputs @ w + absent
        odds = np.exp(scores - scores.max(1, keepdims=True))
        odds /= odds.sum(1, keepdims=True)
        value = -(weights * np.log(odds[rows, chosen] + 1e-12)).sum() + SHRINK * (w @ w)
        odds[rows, chosen] -= 1
        return value, np.einsum("n,nm,nmf->f", weights, odds, inputs) + 2 * SHRINK * w

    found = minimize(loss, np.zeros(width), jac=True, method="L-BFGS-B", options=dict(maxiter=3000))
    right = ((inputs @ found.x + absent).argmax(1) == chosen).mean()
    print(f"{len(clips)} clips, {100 * right:.1f} % right on what was learnt from", file=sys.stderr)
    w = found.x / deviation
    names = ["all registers", "low, below 180 Hz", "middle, to 2.5 kHz", "high"]
    for register, name in enumerate(names):
        cells = ", ".join(f"{x:.2f}" for x in w[9 * register : 9 * register + 9])
        print(f"        {cells},  // {name}")
    print(f"        {w[36]:.2f}, {w[37]:.2f},  // octaves from 120 BPM, squared")


if __name__ == "__main__":
    main()
