"""The program itself and its peers, each run once as a process and measured. All calls go to a
server on loopback that answers every release with success."""

import collections
import contextlib
import os
import re
import shlex
import sqlite3
import sys

import processes
import servers
import setting as common
import signing

HERE = os.path.dirname(os.path.abspath(__file__))

# per_second: items. cpu_s_per_1000: processor time of the client, in seconds for 1,000 items.
# sending_per_second: items between the first request and the last answer, where that is known.
Rate = collections.namedtuple(
    "Rate", "items per_second cpu_s_per_1000 peak_kib wall_s sending_per_second")


def rate_of(measured, items, sending_s=None):
    return Rate(items, items / measured.wall_s, measured.cpu_s * 1000 / items, measured.peak_kib,
                measured.wall_s, items / sending_s if sending_s else None)


def sending_seconds(database_path):
    with contextlib.closing(sqlite3.connect(database_path)) as database:
        first, last = database.execute(
            "SELECT min(sent_utc_ms), max(finished_utc_ms) FROM outcome").fetchone()
    return max(1, last - first) / 1000


def counted(said, expected, what):
    """Checks that a client has counted as many accepted items as it was given."""
    if said.strip() != str(expected):
        raise processes.Broken(f"{what}: {said.strip()!r} of {expected} were accepted")


def released(output):
    found = re.search(r"^ *released +(\d+)$", output, re.MULTILINE)
    return int(found.group(1)) if found else 0


def diskrelease(setting, server, items, in_flight, database_parent=None, limit_s=900):
    """A whole run, from reading the list to the summary. The server knows only one call, so nothing
    is read before or after sending."""
    port, ca_file = server
    with common.scratch(database_parent or setting.folder) as folder:
        measured = processes.measure(
            [setting.program, "run", common.list_of(setting, items), "--db", f"{folder}/audit.db",
             "--endpoint", f"127.0.0.1:{port}", "--ca-file", ca_file, "--rate", "unlimited",
             "--in-flight", in_flight, "--yes", "--max-disks", items, "-q", "--no-preflight",
             "--no-verify"], common.environment(folder), folder, limit_s)
        if released(measured.output) != items:
            raise processes.Broken(f"{released(measured.output)} of {items} disks were released")
        return rate_of(measured, items, sending_seconds(f"{folder}/audit.db"))


def write_signed(path, port, items):
    """A line for each request: body, tab, timestamp, tab, Authorization."""
    with open(path, "w", encoding="utf-8") as file:
        for disk in common.disks_of(items):
            body = signing.body_of(disk)
            headers = signing.headers_of(f"127.0.0.1:{port}", body)
            file.write(f"{body}\t{headers['X-ZC-Timestamp']}\t{headers['Authorization']}\n")


def wrk(setting, server, connections, seconds):
    """As many requests as the machine can make, signed beforehand, nothing recorded."""
    port, _ = server
    with common.scratch(setting.folder) as folder:
        write_signed(f"{folder}/requests", port, 1000)
        measured = processes.measure(
            [servers.program_path("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s",
             "-s", f"{HERE}/presigned.lua", f"https://127.0.0.1:{port}/api/v2/zec", "--",
             f"{folder}/requests"], common.environment(folder), folder, seconds + 60)
    answered = re.search(r"^ *(\d+) requests in ", measured.output, re.MULTILINE)
    if not answered or int(answered.group(1)) == 0 or "Non-2xx" in measured.output:
        raise processes.Broken(f"wrk: {measured.output.strip()}")
    # It does nothing but send.
    return rate_of(measured, int(answered.group(1)), measured.wall_s)


def curl_command(port, ca_file, column):
    """A shell command that sends a request. column(1), (2), (3) stand for the columns of
    write_signed()."""
    fixed = ["Content-Type: application/json", "X-ZC-Action: ReleaseDisk",
             "X-ZC-Version: 2025-09-01", "X-ZC-Service: zec",
             "X-ZC-Signature-Method: ZC2-HMAC-SHA256"]
    return " ".join(
        ["curl -sS -f -o /dev/null --cacert", shlex.quote(ca_file),
         *(f"-H {shlex.quote(header)}" for header in fixed),
         f'-H "X-ZC-Timestamp: "{column(2)} -H "Authorization: "{column(3)} -d {column(1)}',
         f"https://127.0.0.1:{port}/api/v2/zec"])


def prepare_parallel(folder):
    """The first start in a home folder finds out how long a command may be, and keeps the answer;
    that is not to be measured. Returns the program's path."""
    program = servers.program_path("parallel")
    processes.measure([program, "--will-cite", "true", ":::", "1"], common.environment(folder),
                      folder, 120)
    return program


def parallel(setting, server, items, jobs):
    """GNU parallel with a curl for each item. Signing is done beforehand and not counted."""
    port, ca_file = server
    with common.scratch(setting.folder) as folder:
        write_signed(f"{folder}/signed", port, items)
        command = curl_command(port, ca_file, lambda number: "{%d}" % number)
        measured = processes.measure(
            [prepare_parallel(folder), "--will-cite", f"-j{jobs}", "--joblog",
             f"{folder}/joblog", "--colsep", "\\t", "-a", f"{folder}/signed", command],
            common.environment(folder), folder, 300)
        with open(f"{folder}/joblog", encoding="utf-8") as lines:
            good = sum(line.split("\t")[6] == "0" for line in list(lines)[1:])
    if good != items:
        raise processes.Broken(f"parallel: {good} of {items} items have succeeded")
    return rate_of(measured, items)


def python_arguments(setting, port, ca_file, items, connections, folder):
    return [sys.executable, "-B", f"{HERE}/python_client.py", port, ca_file,
            common.list_of(setting, items), f"{folder}/python.db", connections]


def python(setting, server, items, connections):
    with common.scratch(setting.folder) as folder:
        measured = processes.measure(
            python_arguments(setting, *server, items, connections, folder),
            common.environment(folder), folder, 600)
    counted(measured.output, items, "the Python client")
    return rate_of(measured, items)


def fsync_client(setting, server, items, threads, syncs):
    """syncs: "together" or "one-by-one"."""
    port, ca_file = server
    with common.scratch(setting.folder) as folder:
        measured = processes.measure(
            [f"{setting.peers}/bench_fsync_client", port, ca_file, common.list_of(setting, items),
             f"{folder}/log", threads, syncs], common.environment(folder), folder, 600)
    accepted, _, sending_s = measured.output.partition("\n")
    counted(accepted, items, "the client that logs")
    return rate_of(measured, items, float(sending_s))


def sqlite_writer(setting, items, group):
    with common.scratch(setting.folder) as folder:
        measured = processes.measure(
            [f"{setting.peers}/bench_sqlite_writer", f"{folder}/writer.db", items, group],
            common.environment(folder), folder, 600)
    return rate_of(measured, items)


def sqlite_import(setting, items, index):
    """sqlite3's own .import of the same list, with or without an index of the ids."""
    with common.scratch(setting.folder) as folder:
        commands = ["PRAGMA journal_mode = WAL;", "PRAGMA synchronous = FULL;",
                    "CREATE TABLE item (disk_id TEXT NOT NULL);",
                    f".import {common.list_of(setting, items)} item"]
        if index:
            commands.append("CREATE UNIQUE INDEX item_by_disk ON item (disk_id);")
        commands.append("SELECT 'rows ' || count(*) FROM item;")
        measured = processes.measure(
            [servers.program_path("sqlite3"), "-bail", f"{folder}/import.db", *commands],
            common.environment(folder), folder, 1800)
    if f"rows {items}\n" not in measured.output:
        raise processes.Broken(f"sqlite3 .import: {measured.output.strip()}")
    return rate_of(measured, items)
