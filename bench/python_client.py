"""A peer: the client that one would write in Python, with an audit database.

    python_client.py PORT CA-FILE LIST DATABASE CONNECTIONS

A pool of threads with a kept connection each; every request is signed; every intent and every
outcome is a commit of its own (WAL, synchronous=FULL), under a lock. Prints how many were accepted.
An interrupt ends it at once.
"""

import http.client
import json
import multiprocessing.pool
import signal
import sqlite3
import ssl
import sys
import threading
import time

import signing


def main(port, ca_file, list_path, database_path, connections):
    host = f"127.0.0.1:{port}"
    trust = ssl.create_default_context(cafile=ca_file)
    database = sqlite3.connect(database_path, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE attempt (attempt_id INTEGER PRIMARY KEY, disk_id TEXT UNIQUE,"
                     " intent_utc_ms INTEGER)")
    database.execute("CREATE TABLE outcome (attempt_id INTEGER PRIMARY KEY, http_status INTEGER,"
                     " request_id TEXT, finished_utc_ms INTEGER)")
    lock = threading.Lock()
    mine = threading.local()

    def now():
        return int(time.time() * 1000)

    def release(disk):
        with lock:  # outside of a transaction each statement commits
            attempt = database.execute("INSERT INTO attempt (disk_id, intent_utc_ms) VALUES (?, ?)",
                                       (disk, now())).lastrowid
        if not hasattr(mine, "connection"):
            mine.connection = http.client.HTTPSConnection("127.0.0.1", port, context=trust,
                                                          timeout=30)
        body = signing.body_of(disk)
        mine.connection.request("POST", "/api/v2/zec", body, signing.headers_of(host, body))
        answer = mine.connection.getresponse()
        request_id = json.loads(answer.read())["requestId"]
        with lock:
            database.execute("INSERT INTO outcome VALUES (?, ?, ?, ?)",
                             (attempt, answer.status, request_id, now()))
        return answer.status == 200

    with open(list_path, encoding="utf-8") as lines:
        disks = lines.read().split()
    with multiprocessing.pool.ThreadPool(connections) as pool:
        print(sum(pool.imap_unordered(release, disks)))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's way waits for the pool
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
