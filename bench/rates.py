"""What leaves, and when, as the simulator's ledger has it: the rate that was set, and how it comes
back after the API has refused requests for a while."""

import collections
import concurrent.futures
import contextlib
import math
import random
import signal
import subprocess
import time

import peers
import processes
import servers
import setting as common
from report import row

MOST_IN_FLIGHT = 1000  # that the program allows
SECOND = 1_000_000_000
UNSETTLED = 4  # exit code of a run after which the fate of a disk is unknown
SIDE_BY_SIDE = 100  # requests per second; faster runs have the machine for themselves


def in_flight_for(rate, latency_ms):
    """Enough for the answers under way and for the commit that comes before each request, though
    the disk be slow now and then."""
    return min(MOST_IN_FLIGHT, math.ceil(rate * (latency_ms + 150) / 1000 * 1.2) + 8)


def windows_of_a_second(arrivals, limit):
    """Of all windows of one second that end with an arrival, their beginning not included: the most
    arrivals in any of them, and how many hold more than `limit`."""
    most = first = above = 0
    for last, at in enumerate(arrivals):
        while at - arrivals[first] >= SECOND:
            first += 1
        held = last - first + 1
        most = max(most, held)
        above += held > limit
    return most, above


@contextlib.contextmanager
def observed(setting, folder, scenario):
    """A simulator whose ledger tells when a request has come rather than when the machine had time
    to write it down: in memory, and served first where that is permitted."""
    # Niceness would not do: each session has its own share of the processor.
    at_once = ["chrt", "--rr", "1"]
    if subprocess.run([*at_once, "true"], capture_output=True, check=False).returncode != 0:
        common.tell("the simulator cannot be served first: arrivals are noted when there is time")
        at_once = []
    with common.scratch(common.SHARED_MEMORY) as memory:
        with servers.simulator(setting.program, folder, scenario, memory, at_once) as server:
            yield server


def run_at_rate(setting, folder, server, count, rate, latency_ms, *more):
    endpoint, ca_file, _ = server
    return [setting.program, "run", common.list_of(setting, count), "--db", f"{folder}/audit.db",
            "--endpoint", endpoint, "--ca-file", ca_file, "--yes", "--max-disks", 1_000_000_000,
            "--rate", rate, "--in-flight", in_flight_for(rate, latency_ms), "-q", "--no-verify",
            *more]


# ---- the rate ------------------------------------------------------------------------------------

Cell = collections.namedtuple("Cell", "achieved most above requests")


def cell_of(arrivals, rate):
    """achieved: n requests span n - 1 intervals."""
    span = (arrivals[-1] - arrivals[0]) / SECOND
    return Cell((len(arrivals) - 1) / span, *windows_of_a_second(arrivals, rate), len(arrivals))


def measure_cell(setting, rate, latency_ms, seconds):
    """A whole run. Counted from the first release on: before it lies the answer to the first look.
    All requests count, reads too."""
    count = rate * seconds
    scenario = {"latency": {"fixed_ms": latency_ms}} if latency_ms else {}
    with common.scratch(setting.folder) as folder:
        with observed(setting, folder, scenario) as server:
            measured = processes.measure(
                run_at_rate(setting, folder, server, count, rate, latency_ms),
                common.environment(folder), folder, seconds * 1.5 + 60)
            requests = servers.requests_in(server[2])
    if peers.released(measured.output) != count:
        raise processes.Broken(f"rate {rate}/s, latency {latency_ms} ms: {measured.output[:400]}")
    first = next(at for at, action in requests if action == "ReleaseDisk")
    return cell_of([at for at, _ in requests if at >= first], rate)


def rows_of(case, rate, cell):
    return [
        row("rate", f"{case}, {cell.requests:,} requests", "requests/s", [cell.achieved], "set",
            [rate]),
        row("rate", case, "in the fullest second", [cell.most], "set", [rate]),
        row("rate", case, "windows of 1 s above it", [cell.above], "allowed", [0]),
    ]


def rate(setting):
    """The rate at the server beside the one that was set, once for each cell."""
    cells = setting.pick([(each, latency) for each in (1, 5, 20, 100, 1000)
                          for latency in (0, 50, 500)], [(5, 0), (100, 50)])
    for each, _ in cells:  # lists are made before anything is measured
        common.list_of(setting, each * seconds_of(setting, each))

    def measured(cell):
        each, latency = cell
        common.tell(f"rate: {each}/s, latency {latency} ms, {seconds_of(setting, each)} s")
        return measure_cell(setting, each, latency, seconds_of(setting, each))

    slow = [cell for cell in cells if cell[0] <= SIDE_BY_SIDE]
    with concurrent.futures.ThreadPoolExecutor(len(slow)) as pool:
        found = dict(zip(slow, pool.map(measured, slow)))
    found |= {cell: measured(cell) for cell in cells if cell not in found}
    rows = [each for (per_second, latency), cell in found.items()
            for each in rows_of(f"{per_second}/s set, {latency} ms latency", per_second, cell)]
    if setting.large or setting.smoke:
        rows += interrupted(setting)
    return rows


def seconds_of(setting, rate):
    """Long enough for a statement about one per cent."""
    return setting.pick(300 if rate <= SIDE_BY_SIDE else 60, 2)


# ---- interrupted runs of two processes -----------------------------------------------------------


def live(arguments, env, folder, seconds, sent):
    """A process to its end, or until it is sent a signal after `seconds`. Returns its exit code."""
    with open(f"{folder}/output", "wb") as output, open(f"{folder}/errors", "wb") as errors:
        process = processes.start(arguments, env, output, errors)
        deadline = time.monotonic() + seconds
        try:
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            if process.poll() is None:
                process.send_signal(sent)
                process.wait(processes.GRACE_S)
        finally:
            processes.end(process)
    return process.returncode


def live_through(setting, home, server, disks, rate, latency_ms, lives_s, seed):
    """Releases the disks of a list in a database of its own, in one process after the other: each
    is interrupted or killed and the next one goes on. Returns how often."""
    draw = random.Random(seed)
    endpoint, ca_file, _ = server
    often = {signal.SIGINT: 0, signal.SIGKILL: 0}
    with common.scratch(setting.folder) as folder:
        with open(f"{folder}/list.txt", "w", encoding="utf-8") as file:
            file.writelines(disk + "\n" for disk in disks)
        calling = ["--db", f"{folder}/audit.db", "--endpoint", endpoint, "--ca-file", ca_file,
                   "--rate", rate, "--in-flight", in_flight_for(rate, latency_ms), "-q",
                   "--no-verify", "--max-disks", 1_000_000_000,
                   # What was announced and not sent when a process was killed is sent at the end.
                   "--resend-unsettled", "--settle-window", setting.pick("4s", "400ms"),
                   "--settle-poll", setting.pick("1s", "100ms")]
        verb = ["run", f"{folder}/list.txt", "--yes"]
        while True:
            sent = draw.choice([signal.SIGINT, signal.SIGKILL])
            code = live([setting.program, *verb, *calling], common.environment(home), folder,
                        draw.uniform(*lives_s), sent)
            if code == 0:
                return often
            # UNSETTLED: the window was over before all was proved; the next one reads again.
            if code not in (common.INTERRUPTED, UNSETTLED, -signal.SIGKILL):
                said = ""
                for name in ("output", "errors"):
                    with open(f"{folder}/{name}", encoding="utf-8", errors="replace") as file:
                        said += file.read()[-600:]
                raise processes.Broken(f"rate: a process has ended with {code}: {said}")
            often[sent] += code != UNSETTLED
            verb = ["resume"]


def interrupted(setting):
    """A million requests of two databases, whose processes share one limiter file and are
    interrupted, killed and resumed all the time. Every window of their arrivals together counts."""
    per_second, latency_ms = setting.pick(1000, 100), 50
    half = setting.pick(500_000, 150)
    lives_s = setting.pick((10, 40), (1, 1.5))
    disks = list(common.disks_of(2 * half))
    common.tell(f"rate: {2 * half:,} disks of two databases, processes interrupted and killed")
    with common.scratch(setting.folder) as home:
        with observed(setting, home, {"latency": {"fixed_ms": latency_ms}}) as server:
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                lives = list(pool.map(
                    lambda number: live_through(
                        setting, home, server, disks[number * half:(number + 1) * half],
                        per_second, latency_ms, lives_s, number), (0, 1)))
            arrivals = []
            carried_out = collections.Counter()
            for entry in servers.entries_in(server[2]):
                arrivals.append(entry["arrived_steady_ns"])
                if entry["action"] == "ReleaseDisk" and entry["executed"]:
                    carried_out.update(entry["disk_ids"])
    arrivals.sort()
    if len(carried_out) != 2 * half or max(carried_out.values()) != 1:
        raise processes.Broken(f"rate: of {2 * half} disks {len(carried_out)} were released, one "
                               f"of them {max(carried_out.values())} times")
    killed = sum(each[signal.SIGKILL] for each in lives)
    stopped = sum(each[signal.SIGINT] for each in lives)
    case = (f"{per_second}/s set, {latency_ms} ms latency, two databases, interrupted {stopped} "
            f"and killed {killed} times")
    return rows_of(case, per_second, cell_of(arrivals, per_second))


# ---- a storm of refusals -------------------------------------------------------------------------


def storm_once(setting, per_second, latency_ms, times_s):
    """Returns the seconds from the end of the storm to the beginning of the first second in which
    97 % of the rate arrive, and the requests of a thousand that were refused."""
    before, lasts, after = times_s
    # A tenth of the rate stays: a service that is overloaded, not one that is off.
    scenario = {"latency": {"fixed_ms": latency_ms},
                "rate_limit": {"per_second": per_second / 10, "burst": max(1, per_second // 10),
                               "begins_ms": 1000 * before, "lasts_ms": 1000 * lasts}}
    count = per_second * (before + after)
    with common.scratch(setting.folder) as folder:
        with observed(setting, folder, scenario) as server:
            processes.measure(
                run_at_rate(setting, folder, server, count, per_second, latency_ms),
                common.environment(folder), folder, 3 * (before + lasts + after) + 120)
            entries = sorted((entry["arrived_steady_ns"], entry["status"])
                             for entry in servers.entries_in(server[2]))
    arrivals = [at for at, _ in entries]
    ends = arrivals[0] + (before + lasts) * SECOND
    refused = sum(status == 429 for _, status in entries)
    if not refused:
        raise processes.Broken("storm: nothing was refused")
    held = collections.deque()
    for at in arrivals:
        if at < ends:
            continue
        held.append(at)
        while at - held[0] >= SECOND:
            held.popleft()
        if len(held) >= math.floor(setting.pick(0.97, 0.3) * per_second):
            return (held[0] - ends) / SECOND, 1000 * refused / len(arrivals)
    raise processes.Broken("storm: the rate has not come back")


def storm(setting):
    """A server that refuses nine tenths for a while, and the way back to the full rate."""
    cases = setting.pick([(100, 50), (100, 500), (1000, 50)], [(50, 0)])
    times_s = setting.pick((60, 20, 220), (1, 1, 12))
    found = {case: [] for case in cases}

    def measured(case):
        common.tell(f"storm: {case[0]}/s, latency {case[1]} ms")
        found[case].append(storm_once(setting, *case, times_s))

    for per_second, _ in cases:
        common.list_of(setting, per_second * (times_s[0] + times_s[2]))
    # The jitter of the pauses decides: several times, side by side where that is cheap.
    slow = [case for case in cases if case[0] <= SIDE_BY_SIDE for _ in range(setting.runs)]
    with concurrent.futures.ThreadPoolExecutor(len(slow)) as pool:
        list(pool.map(measured, slow))
    for case in cases:
        if case not in slow:
            measured(case)
    rows = []
    for (per_second, latency_ms), results in found.items():
        case = f"{per_second}/s set, {latency_ms} ms latency, refusals for {times_s[1]} s"
        rows += [row("storm", f"{case}: back at the rate", "s", [back for back, _ in results],
                     "at most", [30]),
                 row("storm", f"{case}: refused", "of 1,000 requests",
                     [wasted for _, wasted in results], "at most", [5])]
    return rows
