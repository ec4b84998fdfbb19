#!/usr/bin/env python3
"""Benchmarks of the release build, each beside a peer on the same machine in the same run.
docs/performance.md says what is measured. Only ratios can be compared between machines."""

import argparse
import contextlib
import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True  # the source tree stays as it is

import benchmarks  # noqa: E402
import machine  # noqa: E402
import processes  # noqa: E402
import report  # noqa: E402
from setting import Setting, tell  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def options():
    parser = argparse.ArgumentParser(
        prog="./dev bench", description=__doc__,
        epilog="benchmarks: " + ", ".join(
            f"{name} ({function.__doc__.splitlines()[0].rstrip('.')})"
            for name, function in benchmarks.ALL.items()))
    parser.add_argument("names", metavar="NAME", nargs="*", help="which benchmarks (all)")
    parser.add_argument("--runs", type=int, metavar="N",
                        help="how often each is run; the median counts (5; with --smoke 1)")
    parser.add_argument("--smoke", action="store_true",
                        help="tiny sizes, about a minute: shows that all parts work, no figures")
    parser.add_argument("--large", action="store_true",
                        help="lists of 10,000,000 disks, and 1,000,000 interrupted requests, too")
    parser.add_argument("--folder", metavar="DIR",
                        help="the disk to measure: databases are made below DIR (build/bench)",
                        type=os.path.abspath)
    parser.add_argument("--keep", action="store_true",
                        help="keep the results of the benchmarks that are not run now")
    parser.add_argument("--markdown", action="store_true",
                        help="print the latest results as in docs/performance.md; measures nothing")
    chosen = parser.parse_args()
    for name in chosen.names:
        if name not in benchmarks.ALL:
            parser.error(f"no such benchmark: {name}")
    if chosen.runs is not None and chosen.runs < 1:
        parser.error("--runs must be at least 1")
    return chosen


def run_all(setting, names):
    """Returns the rows, and the reasons by name for the benchmarks that do not work."""
    rows, broken = [], {}
    for name in names:
        began = time.monotonic()
        try:
            rows += benchmarks.ALL[name](setting)
        except processes.Broken as error:
            broken[name] = str(error)
        except Exception:  # the others are measured all the same
            broken[name] = traceback.format_exc()
        tell(f"{name}: {broken.get(name, 'done')} ({time.monotonic() - began:.0f} s)")
    return rows, broken


def kept_rows(path, results, names):
    """The rows of an earlier run for the other benchmarks, if program and machine are the same."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        earlier = json.load(file)
    if earlier["program"] != results["program"] or any(
            earlier["machine"][fact] != results["machine"][fact]
            for fact in ("cpu", "cores", "kernel", "file_system")):
        raise SystemExit("bench: --keep: the earlier results are of another program or machine")
    return [entry for entry in earlier["rows"] if entry["benchmark"] not in names]


def main():
    chosen = options()
    results_folder = os.path.join(ROOT, "build", "bench", *(["smoke"] if chosen.smoke else []))
    results_path = os.path.join(results_folder, "results.json")
    if chosen.markdown:
        if not os.path.exists(results_path):
            tell(f"bench: there are no results yet: {results_path}")
            return 1
        with open(results_path, encoding="utf-8") as file:
            print(report.markdown(json.load(file)))
        return 0

    os.makedirs(results_folder, exist_ok=True)
    # Being asked to end is an end like any other: servers are stopped, folders removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    program = os.path.join(ROOT, "build", "release", "diskrelease")
    with contextlib.ExitStack() as stack:
        folder = tempfile.mkdtemp(prefix="work-", dir=chosen.folder or results_folder)
        stack.callback(shutil.rmtree, folder)
        setting = Setting(
            program=program, peers=os.path.join(ROOT, "build", "release", "bench"),
            results=results_folder, folder=folder,
            runs=chosen.runs or (1 if chosen.smoke else 5), smoke=chosen.smoke, large=chosen.large)
        results = {
            "date": datetime.date.today().isoformat(),
            "program": subprocess.run([program, "--version"], capture_output=True, text=True,
                                      timeout=30, check=True).stdout.strip(),
            "smoke": chosen.smoke,
            "machine": machine.description(folder),
        }
        tell(report.machine_line(results["machine"]))
        names = chosen.names or list(benchmarks.ALL)
        kept = kept_rows(results_path, results, names) if chosen.keep else []
        rows, broken = run_all(setting, names)
        order = list(benchmarks.ALL)
        results["rows"] = sorted(kept + rows, key=lambda entry: order.index(entry["benchmark"]))
        results["broken"] = broken
        results["stalls_s"] = processes.stalls

    report.write_json(results_path, results)
    print(report.machine_line(results["machine"]))
    print(report.table(results["rows"]))
    print(report.LEGEND)
    if chosen.smoke:
        print("A smoke run: it shows what works; the figures mean nothing.")
    if processes.stalls:
        print(f"Held up {len(processes.stalls)} time(s), for up to {max(processes.stalls):.1f} s: "
              "the figures are doubtful.")
    for name, reason in broken.items():
        tell(f"bench: {name} does not work: {reason}")
    return 1 if broken else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
