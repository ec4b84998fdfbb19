-- Version 1 of the audit database. docs/audit-database.md explains every table and view.
--
-- All tables but disk_item are evidence: rows are added, never changed or removed. What state an item is in is
-- computed from the rows (view item_state), never stored.

CREATE TABLE run (
  run_id          INTEGER PRIMARY KEY,
  name            TEXT    NOT NULL,
  goal            TEXT    NOT NULL CHECK (goal IN ('release', 'purge')),
  endpoint        TEXT    NOT NULL,
  sandbox         INTEGER NOT NULL CHECK (sandbox IN (0, 1)),
  list_source     TEXT    NOT NULL,
  list_format     TEXT    NOT NULL,
  list_sha256     TEXT    NOT NULL,
  settings_json   TEXT    NOT NULL,
  random_seed     INTEGER NOT NULL,
  -- The items of a run are the item_ids first_item_id .. first_item_id + item_count - 1, in list order.
  first_item_id   INTEGER NOT NULL,
  item_count      INTEGER NOT NULL CHECK (item_count > 0),
  duplicate_count INTEGER NOT NULL CHECK (duplicate_count >= 0),
  created_utc_ms  INTEGER NOT NULL
) STRICT;

CREATE TABLE item (
  item_id     INTEGER PRIMARY KEY,
  run_id      INTEGER NOT NULL REFERENCES run,
  disk_id     TEXT    NOT NULL CHECK (length(disk_id) BETWEEN 1 AND 128),
  source_line INTEGER NOT NULL
) STRICT;

-- A line of the list that names a disk which an earlier line has named.
CREATE TABLE duplicate_line (
  run_id      INTEGER NOT NULL REFERENCES run,
  source_line INTEGER NOT NULL,
  disk_id     TEXT    NOT NULL,
  PRIMARY KEY (run_id, source_line, disk_id)
) STRICT, WITHOUT ROWID;

-- Derived from item and rebuildable: which items name a disk. It is a table of its own because rows go in sorted,
-- run by run; an index on item.disk_id would be filled in list order, which is many times slower.
CREATE TABLE disk_item (
  disk_id TEXT    NOT NULL,
  item_id INTEGER NOT NULL,
  PRIMARY KEY (disk_id, item_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE invocation (
  invocation_id     INTEGER PRIMARY KEY,
  run_id            INTEGER NOT NULL REFERENCES run,
  command           TEXT    NOT NULL,
  user              TEXT    NOT NULL,
  host              TEXT    NOT NULL,
  pid               INTEGER NOT NULL,
  tool_version      TEXT    NOT NULL,
  endpoint          TEXT    NOT NULL,
  credential_id     TEXT    NOT NULL,
  credential_source TEXT    NOT NULL,
  settings_json     TEXT    NOT NULL,
  settings_sha256   TEXT    NOT NULL,
  started_utc_ms    INTEGER NOT NULL
) STRICT;

-- A missing row means that the process still works or has died; recovery adds one with reason 'died'.
CREATE TABLE invocation_end (
  invocation_id INTEGER PRIMARY KEY REFERENCES invocation,
  reason        TEXT    NOT NULL,
  detail        TEXT,
  exit_code     INTEGER,
  ended_utc_ms  INTEGER NOT NULL
) STRICT;

CREATE TABLE attempt (
  attempt_id     INTEGER PRIMARY KEY,
  item_id        INTEGER NOT NULL REFERENCES item,
  invocation_id  INTEGER NOT NULL REFERENCES invocation,
  attempt_number INTEGER NOT NULL CHECK (attempt_number >= 1),
  stage          INTEGER NOT NULL CHECK (stage IN (1, 2)),
  intent_utc_ms  INTEGER NOT NULL,
  UNIQUE (item_id, attempt_number)
) STRICT;

CREATE TABLE outcome (
  attempt_id      INTEGER PRIMARY KEY REFERENCES attempt,
  outcome         TEXT    NOT NULL CHECK (outcome IN ('accepted', 'already_gone', 'rejected', 'throttled',
                                                      'not_sent', 'unknown')),
  -- 'disk': the answer concerns this disk; 'run': every call would have ended so, the item stays pending.
  scope           TEXT    NOT NULL CHECK (scope IN ('disk', 'run')),
  http_status     INTEGER,
  api_code        TEXT,
  request_id      TEXT,
  message         TEXT,
  retry_after_ms  INTEGER,
  sent_utc_ms     INTEGER,
  finished_utc_ms INTEGER NOT NULL,
  latency_us      INTEGER
) STRICT;

CREATE TABLE decision (
  decision_id    INTEGER PRIMARY KEY,
  run_id         INTEGER NOT NULL REFERENCES run,
  invocation_id  INTEGER NOT NULL REFERENCES invocation,
  item_id        INTEGER REFERENCES item,
  kind           TEXT    NOT NULL CHECK (kind IN ('approve', 'skip', 'give_up', 'stop')),
  reason         TEXT    NOT NULL,
  detail         TEXT,
  decided_utc_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX decision_by_item ON decision (item_id) WHERE item_id IS NOT NULL;

-- The last line of defence of "never twice": whatever the program believes, an intent is refused while an earlier
-- attempt for the same disk and stage, in any run, was accepted, is unknown or is open; or while the item has its
-- final answer.
CREATE TRIGGER attempt_never_twice BEFORE INSERT ON attempt
WHEN EXISTS (
  SELECT 1
  FROM item AS wanted
  JOIN disk_item ON disk_item.disk_id = wanted.disk_id
  JOIN attempt AS earlier ON earlier.item_id = disk_item.item_id AND earlier.stage = NEW.stage
  LEFT JOIN outcome AS ended ON ended.attempt_id = earlier.attempt_id
  WHERE wanted.item_id = NEW.item_id
    AND (ended.outcome IS NULL OR ended.outcome IN ('accepted', 'unknown')
         OR (earlier.item_id = NEW.item_id
             AND (ended.outcome = 'already_gone'
                  OR (ended.outcome = 'rejected' AND ended.scope = 'disk')))))
BEGIN
  SELECT RAISE(ABORT, 'never twice: an earlier attempt for this disk was accepted, is unknown or is open');
END;

CREATE TRIGGER run_no_update BEFORE UPDATE ON run BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER run_no_delete BEFORE DELETE ON run BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER item_no_update BEFORE UPDATE ON item BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER item_no_delete BEFORE DELETE ON item BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER duplicate_line_no_update BEFORE UPDATE ON duplicate_line BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER duplicate_line_no_delete BEFORE DELETE ON duplicate_line BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER disk_item_no_update BEFORE UPDATE ON disk_item BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER disk_item_no_delete BEFORE DELETE ON disk_item BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER invocation_no_update BEFORE UPDATE ON invocation BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER invocation_no_delete BEFORE DELETE ON invocation BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER invocation_end_no_update BEFORE UPDATE ON invocation_end BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER invocation_end_no_delete BEFORE DELETE ON invocation_end BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER attempt_no_update BEFORE UPDATE ON attempt BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER attempt_no_delete BEFORE DELETE ON attempt BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER outcome_no_update BEFORE UPDATE ON outcome BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER outcome_no_delete BEFORE DELETE ON outcome BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER decision_no_update BEFORE UPDATE ON decision BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER decision_no_delete BEFORE DELETE ON decision BEGIN SELECT RAISE(ABORT, 'append-only'); END;

-- Public, stable interface: every attempt with its outcome. outcome is NULL while the attempt is open.
CREATE VIEW attempt_log AS
SELECT item.run_id,
       attempt.item_id,
       item.disk_id,
       attempt.attempt_number,
       outcome.outcome,
       outcome.http_status,
       outcome.api_code,
       outcome.request_id,
       outcome.message,
       attempt.intent_utc_ms,
       outcome.sent_utc_ms,
       outcome.finished_utc_ms,
       outcome.latency_us,
       outcome.retry_after_ms,
       outcome.scope,
       attempt.stage,
       item.source_line,
       attempt.attempt_id,
       attempt.invocation_id
FROM attempt
JOIN item ON item.item_id = attempt.item_id
LEFT JOIN outcome ON outcome.attempt_id = attempt.attempt_id;

-- Public, stable interface: every item with its state. An open attempt counts as unknown: nothing else is proved.
CREATE VIEW item_state AS
SELECT item.run_id,
       item.item_id,
       item.disk_id,
       item.source_line,
       CASE
         WHEN latest.attempt_id IS NOT NULL AND outcome.outcome IS NULL THEN 'unknown'
         WHEN outcome.outcome = 'accepted' THEN 'released'
         WHEN outcome.outcome IN ('already_gone', 'unknown') THEN outcome.outcome
         WHEN outcome.outcome = 'rejected' AND outcome.scope = 'disk' THEN 'rejected'
         ELSE coalesce((SELECT CASE decision.kind WHEN 'skip' THEN 'skipped' ELSE 'failed' END
                        FROM decision
                        WHERE decision.item_id = item.item_id AND decision.kind IN ('skip', 'give_up')
                        ORDER BY decision.decision_id DESC LIMIT 1),
                       'pending')
       END AS state,
       coalesce(latest.attempt_number, 0) AS attempts,
       outcome.outcome AS last_outcome,
       outcome.http_status AS last_http_status,
       outcome.api_code AS last_api_code,
       outcome.request_id AS last_request_id,
       outcome.message AS last_message,
       outcome.finished_utc_ms AS last_finished_utc_ms,
       (SELECT decision.reason FROM decision
        WHERE decision.item_id = item.item_id AND decision.kind IN ('skip', 'give_up')
        ORDER BY decision.decision_id DESC LIMIT 1) AS decision_reason
FROM item
LEFT JOIN attempt AS latest
       ON latest.item_id = item.item_id
      AND latest.attempt_number = (SELECT max(attempt_number) FROM attempt WHERE attempt.item_id = item.item_id)
LEFT JOIN outcome ON outcome.attempt_id = latest.attempt_id;
