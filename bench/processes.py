"""Child processes: each is waited for until a deadline, measured, and ended by its id."""

import collections
import os
import select
import signal
import subprocess
import time

# began_ns: on the monotonic clock. wall_s: from the start to the end. cpu_s: user and system time,
# children that it waited for included. peak_kib: greatest resident memory, looked at every 20 ms;
# None for what ends sooner.
Measured = collections.namedtuple("Measured", "began_ns wall_s cpu_s peak_kib exit_code output")

GRACE_S = 20  # for a program that was asked to end
STALL_S = 1  # without a look at the child: this program was stopped, or the machine is overloaded

stalls = []  # seconds that each one has lasted, in the whole run


class Broken(Exception):
    """Something that is to be measured does not work."""


def start(arguments, env, output, errors=subprocess.DEVNULL):
    return subprocess.Popen(
        [str(argument) for argument in arguments],
        env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True)


def end(process):
    """Ends a process that start() has started, and what is left of its session."""
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until(condition, limit_s, what):
    """Returns the first true result of `condition`, asked every 2 ms for at most `limit_s`."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        time.sleep(0.002)
    raise Broken(f"{what}: not within {limit_s} s")


def peak_kib(process_id):
    """The high-water mark of a process's memory. The kernel's figure at its end is of no use: it
    counts what this program had when it forked."""
    try:
        with open(f"/proc/{process_id}/status", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return None


def finish(process, began_ns, limit_s, interrupt_when=None):
    """Waits for the end of a process; one that is not over `limit_s` after `began_ns` is broken.
    It is interrupted once, as soon as `interrupt_when(seconds since its start)` is true."""
    highest = None
    looked = began_ns
    with open(os.pidfd_open(process.pid), "rb", buffering=0) as descriptor:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while not poll.poll(20 if interrupt_when is None else 2):
            highest = peak_kib(process.pid) or highest
            now = time.monotonic_ns()
            if now - looked > STALL_S * 1e9:
                stalls.append((now - looked) / 1e9)
            looked = now
            elapsed = (now - began_ns) / 1e9
            if interrupt_when is not None and interrupt_when(elapsed):
                process.send_signal(signal.SIGTERM)
                interrupt_when = None
            if elapsed > limit_s:
                end(process)
                raise Broken(f"{process.args[0]} has not ended within {limit_s} s")
    wall = (time.monotonic_ns() - began_ns) / 1e9
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return wall, used.ru_utime + used.ru_stime, highest


def measure(arguments, env, folder, limit_s, expected=(0,), interrupt_when=None):
    """Runs a program to its end. What it says goes to the files `output` and `errors` in `folder`:
    nothing here reads while it works."""
    output_path = os.path.join(folder, "output")
    errors_path = os.path.join(folder, "errors")
    with open(output_path, "wb") as output, open(errors_path, "wb") as errors:
        began_ns = time.monotonic_ns()
        process = start(arguments, env, output, errors)
        try:
            wall, cpu, highest = finish(process, began_ns, limit_s, interrupt_when)
        finally:
            end(process)
    with open(output_path, encoding="utf-8", errors="replace") as file:
        said = file.read()
    if process.returncode not in expected:
        with open(errors_path, encoding="utf-8", errors="replace") as file:
            said = file.read() or said
        raise Broken(f"{os.path.basename(str(arguments[0]))} has ended with {process.returncode}: "
                     f"{said[-800:].strip()}")
    return Measured(began_ns, wall, cpu, highest, process.returncode, said)
