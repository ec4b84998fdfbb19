"""The benchmarks: each a function that is given the Setting and returns its rows (report.row)."""

import contextlib
import functools
import json
import os
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import time

import machine
import make_history
import peers
import processes
import rates
import servers
import setting as common
from report import row, write_curve_csv, write_curve_svg

IN_FLIGHT = 32  # where only one number is measured
UNLIMITED = ["--rate", "unlimited"]


def field(results, name):
    return [getattr(result, name) for result in results]


def known(values):
    """Peaks of memory; what ended before it could be looked at counts as nothing."""
    return [value for value in values if value is not None] or [0]


def run_arguments(setting, path, folder, endpoint, *more):
    return [setting.program, "run", path, "--db", f"{folder}/audit.db", "--endpoint", endpoint,
            "--yes", "--max-disks", 1_000_000_000, *more]


# ---- throughput and storage ----------------------------------------------------------------------


def throughput(setting):
    """Items per second against a server that answers at once."""
    # About as long as wrk runs.
    items = setting.pick({1: 6000, 8: 50_000, 32: 100_000, 64: 100_000},
                         {1: 50, 8: 300, 32: 1000, 64: 1000})
    seconds = setting.pick(5, 1)

    def named(peer, in_flight=IN_FLIGHT):
        return f"{peer}, {in_flight} in flight"

    with servers.nginx(setting.folder) as server:
        own = {named("diskrelease", count): functools.partial(
            peers.diskrelease, setting, server, items[count], count) for count in items}
        wrk = {named("wrk", count): functools.partial(
            peers.wrk, setting, server, count, seconds) for count in items}
        others = {
            "parallel with curl": functools.partial(peers.parallel, setting, server,
                                                    setting.pick(100, 40), IN_FLIGHT),
            "Python, sqlite3": functools.partial(peers.python, setting, server,
                                                 setting.pick(3000, 100), IN_FLIGHT),
            "C++, fdatasync a line": functools.partial(
                peers.fsync_client, setting, server, setting.pick(50_000, 300), IN_FLIGHT,
                "together"),
            "C++, fdatasync a line, one by one": functools.partial(
                peers.fsync_client, setting, server, setting.pick(20_000, 300), IN_FLIGHT,
                "one-by-one"),
        }
        found = common.repeat(setting, "throughput", {
            **own, **wrk, **{named(peer): function for peer, function in others.items()}})

    def beside(peer, unit, name, in_flight=IN_FLIGHT):
        values = [known(field(found[named(each, in_flight)], name))
                  for each in ("diskrelease", peer)]
        return row("throughput", f"{in_flight} in flight", unit, values[0], peer, values[1])

    def tells_sending(peer):
        return None not in field(found[named(peer)], "sending_per_second")

    def while_sending(peer, in_flight=IN_FLIGHT):
        values = [field(found[named(each, in_flight)], "sending_per_second")
                  for each in ("diskrelease", peer)]
        return row("throughput", f"{in_flight} in flight, while sending", "items/s",
                   known(values[0]), peer, known(values[1]))

    every_peer = ["wrk", *others]
    return [
        *(beside("wrk", "items/s", "per_second", count) for count in items),
        *(while_sending("wrk", count) for count in items),
        *(beside(peer, "items/s", "per_second") for peer in others),
        *(while_sending(peer) for peer in others if tells_sending(peer)),
        *(beside(peer, "CPU s per 1,000", "cpu_s_per_1000") for peer in every_peer),
        # Of parallel's memory there is no figure: it is that of many short processes.
        *(beside(peer, "KiB at the peak", "peak_kib") for peer in every_peer
          if peer != "parallel with curl"),
    ]


def storage(setting):
    """What durability costs: the same run with the database where nothing has to reach a disk."""
    if machine.file_system(common.SHARED_MEMORY) != "tmpfs":
        raise processes.Broken(f"{common.SHARED_MEMORY} is not in memory")
    items = setting.pick(100_000, 1000)
    with servers.nginx(setting.folder) as server:
        found = common.repeat(setting, "storage", {
            "on disk": lambda: peers.diskrelease(setting, server, items, IN_FLIGHT),
            "in memory": lambda: peers.diskrelease(setting, server, items, IN_FLIGHT,
                                                   common.SHARED_MEMORY),
            "writer": lambda: peers.sqlite_writer(setting, items, IN_FLIGHT),
        })
    added = [(disk.wall_s - memory.wall_s) * 1e6 / items
             for disk, memory in zip(found["on disk"], found["in memory"])]
    writer_us = [1e6 / result.per_second for result in found["writer"]]
    on_disk = field(found["on disk"], "per_second")
    return [
        row("storage", "throughput", "items/s", on_disk, "database on a tmpfs",
            field(found["in memory"], "per_second")),
        row("storage", "throughput", "items/s", on_disk, "SQLite alone, groups of 32",
            field(found["writer"], "per_second")),
        row("storage", "added by the disk", "us per item", added, "SQLite alone, groups of 32",
            writer_us),
    ]


# ---- lists and databases -------------------------------------------------------------------------


@contextlib.contextmanager
def nobody():
    """Yields an endpoint that refuses connections, and keeps others from listening there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def enrolled(setting, folder, count):
    """Starts a run over `count` disks and interrupts it as soon as it says that it has begun: the
    list is read and checked, run and items are committed, nothing is sent. Returns the seconds
    until then and the measured process."""
    begun = []

    def has_begun(elapsed):
        with open(f"{folder}/output", "rb") as output:
            if b'"run_started"' in output.read(200):
                begun.append(elapsed)
        return bool(begun)

    with nobody() as endpoint:
        measured = processes.measure(
            run_arguments(setting, common.list_of(setting, count), folder, endpoint, "--json", "-q",
                          "--no-verify"),
            common.environment(folder), folder, 1800, (common.INTERRUPTED,), has_begun)
    events = [json.loads(line) for line in measured.output.splitlines()]
    if not begun or events[0].get("listed") != count:
        raise processes.Broken(f"enrolling {count} disks: {measured.output[:400]}")
    attempts = sum(event["event"] == "attempt" for event in events)
    if attempts:
        raise processes.Broken(f"enrolling {count} disks: {attempts} attempts were made")
    return begun[0], measured


def enrol_once(setting, count):
    with common.scratch(setting.folder) as folder:
        seconds, measured = enrolled(setting, folder, count)
        return {"wall_s": seconds, "peak_kib": measured.peak_kib or 0}


def enrol(setting):
    """From the start of the program until the run has begun, beside sqlite3's own import."""
    rows = []
    sizes = setting.pick([1_000_000], [20_000]) + ([10_000_000] if setting.large else [])
    for size in sizes:
        runs = setting.runs if size <= 1_000_000 else 1
        found = common.repeat(setting, f"enrol {size:,}", {
            "diskrelease": functools.partial(enrol_once, setting, size),
            "sqlite3": functools.partial(peers.sqlite_import, setting, size, False),
            "sqlite3 with an index": functools.partial(peers.sqlite_import, setting, size, True),
        }, runs)
        own = {name: [result[name] for result in found["diskrelease"]]
               for name in ("wall_s", "peak_kib")}
        rows += [
            row("enrol", f"{size:,} disks", "s", own["wall_s"], "sqlite3 .import",
                field(found["sqlite3"], "wall_s")),
            row("enrol", f"{size:,} disks", "s", own["wall_s"], "sqlite3 .import, unique index",
                field(found["sqlite3 with an index"], "wall_s")),
            row("enrol", f"{size:,} disks", "KiB at the peak", own["peak_kib"],
                "sqlite3 .import, unique index",
                known(field(found["sqlite3 with an index"], "peak_kib"))),
        ]
    return rows


def copy_database(source, target):
    shutil.copyfile(source, target)
    with open(target, "rb") as copy:
        os.fsync(copy.fileno())


def resume_once(setting, history, left):
    """Resumes a copy of `history` to its end. Returns the seconds to the first release at the
    server, and to the end."""
    with common.scratch(setting.folder) as folder:
        copy_database(history, f"{folder}/audit.db")
        with servers.simulator(setting.program, folder, {}) as (endpoint, ca_file, ledger):
            measured = processes.measure(
                [setting.program, "resume", "--db", f"{folder}/audit.db", "--endpoint", endpoint,
                 "--ca-file", ca_file, *UNLIMITED, "--in-flight", IN_FLIGHT, "--max-disks",
                 1_000_000_000, "-q", "--no-verify", "--accept-credential"],
                common.environment(folder), folder, 900)
            arrivals = [at for at, action in servers.requests_in(ledger) if action == "ReleaseDisk"]
    if len(arrivals) != left:
        raise processes.Broken(f"resume has released {len(arrivals)} disks, not {left}")
    return {"first": (arrivals[0] - measured.began_ns) / 1e9, "all": measured.wall_s}


def status_once(setting, history, count, left):
    with common.scratch(setting.folder) as folder:
        measured = processes.measure([setting.program, "status", "--db", history],
                                     common.environment(folder), folder, 600)
    if peers.released(measured.output) != count - left:
        raise processes.Broken(f"status: {measured.output[:400]}")
    return measured.wall_s


def view_once(setting, history):
    """The same counts from the public view, by sqlite3."""
    query = "SELECT state, count(*) FROM item_state WHERE run_id = 1 GROUP BY state"
    with common.scratch(setting.folder) as folder:
        return processes.measure([servers.program_path("sqlite3"), "-readonly", history, query],
                                 common.environment(folder), folder, 600).wall_s


def parallel_resume_once(setting, count):
    """GNU parallel --resume with a job log of all but the last item: until that has been done."""
    with common.scratch(setting.folder) as folder:
        with open(f"{folder}/joblog", "w", encoding="utf-8") as file:
            file.write("Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal"
                       "\tCommand\n")
            for number, disk in enumerate(common.disks_of(count - 1), start=1):
                file.write(f"{number}\t:\t1795486150.000\t     0.010\t0\t0\t0\t0\techo {disk}\n")
        measured = processes.measure(
            [peers.prepare_parallel(folder), "--will-cite", "-j1", "--resume", "--joblog",
             f"{folder}/joblog", "-a", common.list_of(setting, count), "echo"],
            common.environment(folder), folder, 600)
    if measured.output.split() != [common.disk_at(count - 1)]:
        raise processes.Broken(f"parallel --resume: {measured.output[:400]!r}")
    return measured.wall_s


def history_of(setting, folder, count, left):
    """The path of a database of `count` disks of which `left` are not done."""
    common.tell(f"resume: making a database of {count:,} disks, {left:,} of them not done")
    enrolled(setting, folder, count)
    make_history.make_history(f"{folder}/audit.db", left)
    # The index of request ids, which the program makes as it goes, it makes up for when it opens the
    # database for writing. Nothing is archived.
    subprocess.run([setting.program, "audit", "archive", "--db", f"{folder}/audit.db", "--before",
                    "1970-01-01", "-o", f"{folder}/none.db"], check=True, timeout=900,
                   stdout=subprocess.DEVNULL)
    return f"{folder}/audit.db"


def resume_of_size(setting, size, left):
    runs = setting.runs if size <= 1_000_000 else 1
    short = 2 * left
    with common.scratch(setting.folder) as one, common.scratch(setting.folder) as other:
        long_history = history_of(setting, one, size, left)
        short_history = history_of(setting, other, short, left)
        participants = {
            "long list": functools.partial(resume_once, setting, long_history, left),
            "short list": functools.partial(resume_once, setting, short_history, left),
            "status": functools.partial(status_once, setting, long_history, size, left),
            "view": functools.partial(view_once, setting, long_history),
        }
        found = common.repeat(setting, f"resume {size:,}", participants, runs)
    if size <= 1_000_000:  # once: it takes most of a minute
        found |= common.repeat(setting, f"resume {size:,}", {"parallel": functools.partial(
            parallel_resume_once, setting, size)}, 1)

    def seconds(name, until):
        return [result[until] for result in found[name]]

    case = f"{left:,} of {size:,} left"
    itself = f"itself, {left:,} of {short:,} left"
    rows = [
        row("resume", f"{case}: first release", "s", seconds("long list", "first"), itself,
            seconds("short list", "first")),
        row("resume", f"{case}: to the end", "s", seconds("long list", "all"), itself,
            seconds("short list", "all")),
        row("resume", f"{case}: status", "s", found["status"], "sqlite3, view item_state",
            found["view"]),
    ]
    if "parallel" in found:
        rows.insert(1, row("resume", f"{case}: first release", "s", seconds("long list", "first"),
                           "parallel --resume, one left", found["parallel"]))
    return rows


def resume(setting):
    """A list that is done but for its last disks: time to the first release, and of `status`."""
    sizes = setting.pick([1_000_000], [20_000]) + ([10_000_000] if setting.large else [])
    return [each for size in sizes
            for each in resume_of_size(setting, size, setting.pick(1000, 100))]


def curve(setting):
    """Items per second, from start to end, against the length of the list."""
    sizes = setting.pick([1000, 10_000, 100_000, 1_000_000], [100, 1000])
    if setting.large:
        sizes.append(10_000_000)
    found = {}
    with servers.nginx(setting.folder) as server:
        limit = common.repeat(setting, "curve", {"wrk": lambda: peers.wrk(
            setting, server, IN_FLIGHT, setting.pick(5, 1))})["wrk"]
        for size in sizes:
            runs = setting.runs if size <= 10_000 else 1
            found[size] = common.repeat(setting, f"curve {size:,}", {
                "diskrelease": functools.partial(peers.diskrelease, setting, server, size,
                                                 IN_FLIGHT, None, 60 + size // 100)},
                runs)["diskrelease"]
    limits = field(limit, "per_second")
    points = [(size, statistics.median(field(results, "per_second")),
               statistics.median(field(results, "sending_per_second")))
              for size, results in found.items()]
    write_curve_csv(f"{setting.results}/curve.csv", points)
    write_curve_svg(f"{setting.results}/curve.svg", points, statistics.median(limits),
                    f"wrk, {IN_FLIGHT} connections")
    return [row("curve", f"{size:,} disks{case}", "items/s", field(results, name), "wrk", limits)
            for case, name in (("", "per_second"), (", while sending", "sending_per_second"))
            for size, results in found.items()]


# ---- rest ----------------------------------------------------------------------------------------


def idle(setting):
    """Share of one core at 2 a second, beside a shell loop with curl: over a whole run, and without
    what a run of two disks takes, its start and its end."""
    seconds = setting.pick(120, 5)
    count = 2 * seconds

    def run(disks, folder, endpoint, ca_file):
        common.tell(f"idle: diskrelease, {disks} disks")
        measured = processes.measure(
            run_arguments(setting, common.list_of(setting, disks), folder, endpoint, "--ca-file",
                          ca_file, "--rate", 2, "-q", "--no-verify"),
            common.environment(folder), folder, seconds * 2 + 30)
        if peers.released(measured.output) != disks:
            raise processes.Broken(
                f"idle: {peers.released(measured.output)} of {disks} disks released")
        return measured

    with common.scratch(setting.folder) as folder, servers.simulator(
            setting.program, folder, {}) as (endpoint, ca_file, ledger):
        short = run(2, folder, endpoint, ca_file)
    with common.scratch(setting.folder) as folder, servers.simulator(
            setting.program, folder, {}) as (endpoint, ca_file, ledger):
        own = run(count, folder, endpoint, ca_file)
        common.tell(f"idle: curl, {seconds} s")
        port = int(endpoint.split(":")[1])
        # The same disks, which are in the recycle bin by now: a second call destroys them, which is
        # a success. Signatures are good for five minutes.
        peers.write_signed(f"{folder}/signed", port, count)
        command = peers.curl_command(port, ca_file, lambda number: ('"$body"', '"$time"',
                                                                    '"$signature"')[number - 1])
        loop = ("while IFS=$(printf '\\t') read -r body time signature; do "
                f"{command} || exit 1; sleep 0.5; done <{folder}/signed")
        other = processes.measure(["/bin/sh", "-c", loop], common.environment(folder), folder,
                                  seconds * 2 + 60)
        releases = [action for _, action in servers.requests_in(ledger) if action == "ReleaseDisk"]
    if len(releases) != 2 * count:
        raise processes.Broken(f"idle: {len(releases)} releases have arrived, not {2 * count}")
    shares = {"": own.cpu_s / own.wall_s,
              ", while sending": (own.cpu_s - short.cpu_s) / (own.wall_s - short.wall_s)}
    return [row("idle", f"2/s{case}", "% of one core", [100 * share], "a shell loop with curl",
                [100 * other.cpu_s / other.wall_s]) for case, share in shares.items()]


# ---- memory and start ----------------------------------------------------------------------------


def some_time_after_first(ledger, seconds):
    """A condition for measure(): true `seconds` after the first request has come."""
    came = []

    def is_over(elapsed):
        if not came and os.path.exists(ledger) and os.path.getsize(ledger):
            came.append(elapsed)
        return bool(came) and elapsed > came[0] + seconds

    return is_over


def memory_once(setting, count, seconds):
    with common.scratch(setting.folder) as folder, servers.simulator(
            setting.program, folder, {}) as (endpoint, ca_file, ledger):
        measured = processes.measure(
            run_arguments(setting, common.list_of(setting, count), folder, endpoint, "--ca-file",
                          ca_file, *UNLIMITED, "-q", "--no-verify"),
            common.environment(folder), folder, seconds + 300, (0, common.INTERRUPTED),
            some_time_after_first(ledger, seconds))
    if not peers.released(measured.output):
        raise processes.Broken("memory: nothing was released")
    return measured.peak_kib or 0


def memory_of_python(setting, count, seconds):
    with common.scratch(setting.folder) as folder, servers.simulator(
            setting.program, folder, {}) as (endpoint, ca_file, ledger):
        port = endpoint.split(":")[1]
        measured = processes.measure(
            peers.python_arguments(setting, port, ca_file, count, IN_FLIGHT, folder),
            common.environment(folder), folder, seconds + 300,
            (0, -signal.SIGTERM), some_time_after_first(ledger, seconds))
        database = sqlite3.connect(f"{folder}/python.db")
        done, = database.execute("SELECT count(*) FROM outcome WHERE http_status = 200").fetchone()
        database.close()
    if not done:
        raise processes.Broken("memory: the Python client has released nothing")
    return measured.peak_kib or 0


def memory(setting):
    """Peak while a long list is read, enrolled, and released for some seconds."""
    count = setting.pick(1_000_000, 20_000)
    short = setting.pick(10_000, 500)
    seconds = setting.pick(10, 2)
    found = common.repeat(setting, "memory", {
        "long": lambda: memory_once(setting, count, seconds),
        "short": lambda: memory_once(setting, short, seconds),
        "python": lambda: memory_of_python(setting, count, seconds),
    })
    case = f"{count:,} disks"
    rows = [row("memory", case, "KiB at the peak", found["long"], f"itself, {short:,} disks",
                found["short"]),
            row("memory", case, "KiB at the peak", found["long"], "Python, sqlite3",
                found["python"])]
    if setting.large:
        longest = 10_000_000
        rows.append(row("memory", f"{longest:,} disks", "KiB at the peak",
                        [memory_once(setting, longest, seconds)], f"itself, {short:,} disks",
                        found["short"]))
    return rows


def start_once(setting, arguments, times=20):
    """Mean time of a start, in milliseconds."""
    with common.scratch(setting.folder) as folder:
        begin = time.monotonic()
        for _ in range(times):
            processes.measure(arguments, common.environment(folder), folder, 30)
        return (time.monotonic() - begin) * 1000 / times


def start(setting):
    """Loading the program and nothing else."""
    curl = servers.program_path("curl")
    found = common.repeat(setting, "start", {
        "diskrelease": lambda: start_once(setting, [setting.program, "--version"]),
        "curl": lambda: start_once(setting, [curl, "--version"]),
    })
    return [row("start", "--version", "ms", found["diskrelease"], "curl --version", found["curl"])]


# ---- audit ---------------------------------------------------------------------------------------


def questions_of(path, attempts, runs):
    """What an auditor asks, by the program and by sqlite3 without its indexes: case, unit, own
    arguments, peer, the peer's query."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        disk, request = database.execute(
            "SELECT disk_id, request_id FROM attempt_log WHERE request_id IS NOT NULL"
            " AND attempt_id >= ? LIMIT 1", (attempts // 2,)).fetchone()
    run = runs // 2
    totals = ("SELECT outcome, api_code, sum(attempts) FROM error_totals"
              " WHERE day >= date('now', '-30 days') GROUP BY 1, 2")
    return [
        ("a disk's history", ["audit", "explain", disk], "sqlite3, disks not indexed",
         f"SELECT * FROM item NOT INDEXED WHERE disk_id = '{disk}'"),
        ("a request id", ["audit", "log", "--request-id", request], "sqlite3, outcomes one by one",
         f"SELECT * FROM outcome WHERE request_id = '{request}'"),
        (f"summary of a run of {attempts // runs:,}", ["status", run], "sqlite3, view run_summary",
         f"SELECT * FROM run_summary WHERE run_id = {run}"),
        ("errors of 30 days", ["audit", "sql", totals], "sqlite3, outcomes one by one",
         "SELECT outcome, api_code, count(*) FROM outcome NOT INDEXED WHERE outcome <> 'accepted'"
         " AND finished_utc_ms >= 1000 * strftime('%s', 'now', '-30 days') GROUP BY 1, 2"),
    ]


def audit_of_size(setting, attempts):
    runs = setting.pick(20, 2)
    sqlite = servers.program_path("sqlite3")
    rows = []
    with common.scratch(setting.folder) as folder:
        path = f"{folder}/audit.db"
        common.tell(f"audit: making a database of {attempts:,} disks, {runs} runs in three years")
        processes.measure([f"{setting.peers}/bench_audit_generator", path, attempts, runs, 1095],
                          common.environment(folder), folder, 3600)

        def measured(arguments):
            with common.scratch(setting.folder) as place:
                return processes.measure(arguments, common.environment(place), place, 600)

        found = common.repeat(setting, f"audit {attempts:,}: verify", {
            "own": lambda: measured([setting.program, "audit", "verify", "--db", path]),
            "peer": lambda: measured([sqlite, "-readonly", path, "PRAGMA integrity_check"]),
        })
        case = f"{attempts:,} attempts: verify"
        rows.append(row("audit", case, "s", field(found["own"], "wall_s"),
                        "sqlite3, integrity_check", field(found["peer"], "wall_s")))
        rows.append(row("audit", case, "KiB at the peak", known(field(found["own"], "peak_kib")),
                        "sqlite3, integrity_check", known(field(found["peer"], "peak_kib"))))
        for name, arguments, peer, query in questions_of(path, attempts, runs):
            found = common.repeat(setting, f"audit {attempts:,}: {name}", {
                "own": lambda: measured([setting.program, *arguments, "--db", path]),
                "peer": lambda: measured([sqlite, "-readonly", path, query]),
            })
            rows.append(row("audit", f"{attempts:,} attempts: {name}", "ms",
                            [each * 1000 for each in field(found["own"], "wall_s")], peer,
                            [each * 1000 for each in field(found["peer"], "wall_s")]))
    return rows


def audit(setting):
    """An auditor's questions: verification, a disk, a request id, a run, the errors of a month."""
    sizes = setting.pick([1_000_000], [20_000]) + ([10_000_000] if setting.large else [])
    return [each for size in sizes for each in audit_of_size(setting, size)]


ALL = {function.__name__: function for function in (
    throughput, storage, enrol, resume, rates.rate, rates.storm, idle, curve, memory, start, audit)}
