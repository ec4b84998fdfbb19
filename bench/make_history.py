"""Makes a run that is finished but for its last items, out of one that was only enrolled.

    make_history.py DATABASE LEFT

Adds an accepted attempt for each but the last LEFT items of run 1, through the schema's own
triggers, as the program would have recorded it. The database must not be in use.
"""

import sqlite3
import sys

BATCH = 100_000

ATTEMPTS = """
INSERT INTO attempt (item_id, invocation_id, attempt_number, stage, intent_utc_ms)
SELECT item_id, 1, 1, 1, run.created_utc_ms + item_id
FROM item JOIN run USING (run_id)
WHERE item_id BETWEEN :first AND :last
"""

OUTCOMES = """
INSERT INTO outcome (attempt_id, outcome, scope, http_status, request_id, sent_utc_ms,
                     finished_utc_ms, latency_us)
SELECT attempt_id, 'accepted', 'disk', 200, printf('T%08X-7E8B-4047-B0C0-780F2CD549D3', item_id),
       intent_utc_ms + 100, intent_utc_ms + 102, 2437
FROM attempt
WHERE item_id BETWEEN :first AND :last
"""

# The derived tables, as audit/run_tally would have left them.
TALLY = """
INSERT INTO run_tally (run_id, state, code, verified, items, example_item_id)
VALUES (1, 'released', '', 'not_read', :last - :first + 1, :first)
"""

ROWS = """
INSERT INTO item_now (item_id, tally_id, open)
SELECT item_id, :tally, 2 FROM item WHERE item_id BETWEEN :first AND :last
"""

PROGRESS = """
INSERT OR REPLACE INTO run_progress (run_id, first_gap_item_id, last_touched_item_id)
VALUES (1, :last + 1, :last)
"""

UNTIL = "UPDATE derived_until SET settled_attempts = (SELECT max(attempt_id) FROM attempt)"


def make_history(path, left):
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA foreign_keys = ON")
    database.execute("PRAGMA synchronous = OFF")  # nothing is lost: a broken one is made again
    database.execute("PRAGMA cache_size = -262144")
    first, count = database.execute(
        "SELECT first_item_id, item_count FROM run WHERE run_id = 1").fetchone()
    end = first + count - left
    whole = {"first": first, "last": end - 1}
    tally = database.execute(TALLY, whole).lastrowid
    for start in range(first, end, BATCH):
        batch = {"first": start, "last": min(start + BATCH, end) - 1}
        database.execute("BEGIN IMMEDIATE")
        database.execute(ATTEMPTS, batch)
        database.execute(OUTCOMES, batch)
        database.execute(ROWS, batch | {"tally": tally})
        database.execute("COMMIT")
    database.execute(PROGRESS, whole)
    database.execute(UNTIL)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


if __name__ == "__main__":
    make_history(sys.argv[1], int(sys.argv[2]))
