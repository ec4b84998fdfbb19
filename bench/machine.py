"""What the figures depend on: the machine, its kernel, and the disk that the databases lie on."""

import os
import platform
import statistics
import time


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def file_system(folder):
    """The type of the file system that `folder` is on, such as ext4."""
    best = ("", "unknown")
    with open("/proc/self/mounts", encoding="utf-8") as lines:
        for line in lines:
            _, mounted_at, kind = line.split(" ")[:3]
            mounted_at = mounted_at.replace("\\040", " ")
            below = os.path.join(mounted_at, "")
            if os.path.join(os.path.realpath(folder), "").startswith(below):
                best = max(best, (mounted_at, kind), key=lambda found: len(found[0]))
    return best[1]


def fdatasync_us(folder, rounds=200):
    """Median time, in microseconds, to make 4 KiB at the end of a file durable."""
    path = os.path.join(folder, "fdatasync")
    taken = []
    with open(path, "wb", buffering=0) as file:
        for _ in range(rounds):
            begin = time.monotonic_ns()
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            taken.append((time.monotonic_ns() - begin) / 1000)
    os.unlink(path)
    return round(statistics.median(taken), 1)


def description(folder):
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "file_system": file_system(folder),
        "fdatasync_us": fdatasync_us(folder),
        "load_average": round(os.getloadavg()[0], 2),
    }
