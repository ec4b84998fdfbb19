"""What all benchmarks share: where things are, how large they are to be, and the lists of disks."""

import contextlib
import dataclasses
import os
import shutil
import sys
import tempfile

import signing


SHARED_MEMORY = "/dev/shm"
INTERRUPTED = 6  # exit code of a run that a signal has ended


@dataclasses.dataclass
class Setting:
    program: str  # the release binary
    peers: str  # folder of the C++ peers
    results: str  # folder that stays
    folder: str  # temporary, on the disk that is measured
    runs: int
    smoke: bool
    large: bool

    def pick(self, full, smoke):
        """The size of something: `full`, or `smoke` when it only has to be shown to work."""
        return smoke if self.smoke else full


def environment(folder):
    """Nothing of the user's own credentials, settings, proxies or files reaches the measured."""
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": folder,
        "LC_ALL": "C",
        "ZENLAYER_ACCESS_KEY_ID": signing.KEY_ID,
        "ZENLAYER_ACCESS_KEY_SECRET": signing.KEY_SECRET,
    }


def disk_at(place):
    return f"99{place * 7919:017d}"


def disks_of(count):
    return map(disk_at, range(count))


def list_of(setting, count):
    """The path of a text list of `count` different disks, made once."""
    path = os.path.join(setting.folder, f"list-{count}.txt")
    if not os.path.exists(path):
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(disk + "\n" for disk in disks_of(count))
    return path


@contextlib.contextmanager
def scratch(parent):
    """An empty folder, removed afterwards with all that is in it."""
    path = tempfile.mkdtemp(prefix="run-", dir=parent)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def tell(text):
    print(text, file=sys.stderr, flush=True)


def repeat(setting, title, participants, runs=None):
    """Runs every participant in turn, `runs` times, so that whatever else the machine does meets
    all of them. `participants`: functions by name. Returns a list of results for each name."""
    runs = runs or setting.runs
    results = {name: [] for name in participants}
    for run in range(1, runs + 1):
        for name, function in participants.items():
            tell(f"{title}: {name}, run {run} of {runs}")
            os.sync()  # what an earlier one has written is not to be paid for by this one
            results[name].append(function())
    return results
