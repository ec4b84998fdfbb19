-- Version 1 of the audit database. docs/audit-database.md explains every table and view.
--
-- All tables but disk_item are evidence: rows are added, never changed, and leave only with their whole run, into an
-- archive that the chain has on record. What state an item is in is computed from the rows (view item_state). What
-- derived.sql keeps of it besides can be dropped at any time.

CREATE TABLE run (
  run_id          INTEGER PRIMARY KEY,
  name            TEXT    NOT NULL,
  goal            TEXT    NOT NULL,
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
  stage          INTEGER NOT NULL CHECK (stage >= 1),
  intent_utc_ms  INTEGER NOT NULL,
  -- The latest observation of the item at that moment: what was known of the disk before. NULL = nothing.
  -- Observations of the item with a higher id were made after the request.
  observation_id INTEGER REFERENCES observation,
  UNIQUE (item_id, attempt_number)
) STRICT;

CREATE TABLE outcome (
  attempt_id      INTEGER PRIMARY KEY REFERENCES attempt,
  -- Written out here and below, for a longer list in IN would be built anew for every row.
  outcome         TEXT    NOT NULL CHECK (outcome = 'accepted' OR outcome = 'already_gone' OR outcome = 'rejected' OR
                                          outcome = 'throttled' OR outcome = 'not_sent' OR outcome = 'unknown'),
  -- 'disk': the answer concerns this disk; 'run': every call would have ended so, the item stays pending.
  -- 'moment': refused for the status that the disk has at present, the item is looked at again.
  scope           TEXT    NOT NULL CHECK (scope = 'disk' OR scope = 'run' OR scope = 'moment'),
  http_status     INTEGER,
  api_code        TEXT,
  request_id      TEXT,
  message         TEXT,
  retry_after_ms  INTEGER,
  sent_utc_ms     INTEGER,
  finished_utc_ms INTEGER NOT NULL,
  latency_us      INTEGER
) STRICT;

-- For error_totals: accepted outcomes, by far the most, cost it nothing.
CREATE INDEX outcome_not_accepted ON outcome (finished_utc_ms, outcome, api_code, http_status)
WHERE outcome <> 'accepted';

-- One DescribeDisks request, and how it ended. Only a complete one observes anything.
CREATE TABLE disk_read (
  read_id         INTEGER PRIMARY KEY,
  invocation_id   INTEGER NOT NULL REFERENCES invocation,
  purpose         TEXT    NOT NULL,
  disk_count      INTEGER NOT NULL CHECK (disk_count BETWEEN 1 AND 100),
  result          TEXT    NOT NULL CHECK (result IN ('complete', 'throttled', 'failed', 'stop')),
  http_status     INTEGER,
  api_code        TEXT,
  request_id      TEXT,
  message         TEXT,
  sent_utc_ms     INTEGER NOT NULL,
  finished_utc_ms INTEGER NOT NULL
) STRICT;

-- What a complete answer showed of one disk. A disk that the answer left out is ABSENT.
CREATE TABLE observation (
  observation_id INTEGER PRIMARY KEY,
  read_id        INTEGER NOT NULL REFERENCES disk_read,
  item_id        INTEGER NOT NULL REFERENCES item,
  status         TEXT    NOT NULL CHECK (status = 'AVAILABLE' OR status = 'RECYCLED' OR status = 'RECYCLING' OR
                                         status = 'ABSENT' OR status = 'DELETING' OR status = 'IN_USE' OR
                                         status = 'CREATING' OR status = 'ATTACHING' OR status = 'DETACHING' OR
                                         status = 'CHANGING' OR status = 'SNAPSHOT_CREATING' OR
                                         status = 'ROLLING_BACK' OR status = 'FAILED' OR status = 'OTHER'),
  -- As received, where the status is OTHER.
  status_text    TEXT,
  disk_type      TEXT,
  portable       INTEGER CHECK (portable IN (0, 1)),
  disk_name      TEXT,
  zone_id        TEXT,
  category       TEXT,
  instance_id    TEXT,
  size_gb        INTEGER
) STRICT;

CREATE INDEX observation_by_item ON observation (item_id, observation_id);

-- How an unknown outcome was settled: at most once. 'executed': the call took effect. 'gone': the disk is in the
-- recycle bin or beyond, by whom is not known. 'refused': the disk is attached, the call had no effect.
-- 'not_executed': the call had no effect, the item may be sent again.
CREATE TABLE verdict (
  attempt_id     INTEGER PRIMARY KEY REFERENCES attempt,
  invocation_id  INTEGER NOT NULL REFERENCES invocation,
  settled        TEXT    NOT NULL CHECK (settled IN ('executed', 'gone', 'refused', 'not_executed')),
  reason         TEXT    NOT NULL,
  -- What it rests on. NULL exactly where a person has decided (reason 'marked', their words in detail).
  observation_id INTEGER REFERENCES observation,
  detail         TEXT,
  decided_utc_ms INTEGER NOT NULL,
  CHECK ((observation_id IS NULL) = (reason = 'marked'))
) STRICT;

CREATE TABLE decision (
  decision_id    INTEGER PRIMARY KEY,
  run_id         INTEGER NOT NULL REFERENCES run,
  invocation_id  INTEGER NOT NULL REFERENCES invocation,
  item_id        INTEGER REFERENCES item,
  kind           TEXT    NOT NULL,
  reason         TEXT    NOT NULL,
  detail         TEXT,
  observation_id INTEGER REFERENCES observation,
  decided_utc_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX decision_by_item ON decision (item_id) WHERE item_id IS NOT NULL;

-- Runs that were moved, as a whole, into a database of their own.
CREATE TABLE archive (
  archive_id     INTEGER PRIMARY KEY,
  file           TEXT    NOT NULL,
  before_utc_ms  INTEGER NOT NULL,
  run_count      INTEGER NOT NULL CHECK (run_count > 0),
  item_count     INTEGER NOT NULL CHECK (item_count > 0),
  -- The block of the chain that this row was first entered in: the last one that the archive has.
  block_id       INTEGER NOT NULL,
  -- The entries of the blocks up to this one are about rows in archives, this one or earlier ones. They are kept in the
  -- archive; of the blocks here only the hashes are left.
  emptied_blocks INTEGER NOT NULL CHECK (emptied_blocks >= 0),
  -- SHA-256, in hex, over the hashes of these blocks: nothing else binds them, but for the last one's.
  emptied_sha256 TEXT    NOT NULL,
  user           TEXT    NOT NULL,
  host           TEXT    NOT NULL,
  tool_version   TEXT    NOT NULL,
  created_utc_ms INTEGER NOT NULL
) STRICT;

-- Which rows they were, by the keys of their tables: of a run also its duplicate lines, of an invocation also its end,
-- of an attempt also its outcome and its verdict.
CREATE TABLE archived_rows (
  archive_id INTEGER NOT NULL REFERENCES archive,
  kind       TEXT    NOT NULL,
  first_id   INTEGER NOT NULL,
  last_id    INTEGER NOT NULL CHECK (last_id >= first_id),
  PRIMARY KEY (archive_id, kind, first_id)
) STRICT, WITHOUT ROWID;

-- What "never twice" has to know of them: the disks and stages for which a call was accepted, or may have taken effect.
CREATE TABLE archived_release (
  disk_id    TEXT    NOT NULL,
  stage      INTEGER NOT NULL CHECK (stage >= 1),
  archive_id INTEGER NOT NULL REFERENCES archive,
  run_id     INTEGER NOT NULL,
  PRIMARY KEY (disk_id, stage, archive_id)
) STRICT, WITHOUT ROWID;

-- The last line of defence of "never twice": whatever the program believes, an intent is refused while an earlier
-- attempt for the same disk and stage, in any run, was accepted, may have been executed or is open; or while the item
-- has its final answer; or where an archive remembers such an attempt. One trigger, for each takes its time.
CREATE TRIGGER attempt_never_twice BEFORE INSERT ON attempt
BEGIN
  SELECT CASE
    WHEN EXISTS (
      SELECT 1
      FROM disk_item
      JOIN attempt AS earlier ON earlier.item_id = disk_item.item_id AND earlier.stage = NEW.stage
      LEFT JOIN outcome AS ended ON ended.attempt_id = earlier.attempt_id
      LEFT JOIN verdict ON verdict.attempt_id = earlier.attempt_id
      WHERE disk_item.disk_id = wanted.disk_id
        AND (ended.outcome IS NULL
             OR ended.outcome = 'accepted'
             OR (ended.outcome = 'unknown' AND coalesce(verdict.settled, 'unknown') NOT IN ('refused', 'not_executed'))
             OR (earlier.item_id = NEW.item_id
                 AND (ended.outcome = 'already_gone'
                      OR verdict.settled = 'refused'
                      OR (ended.outcome = 'rejected' AND ended.scope = 'disk')))))
      THEN RAISE(ABORT, 'never twice: an earlier attempt for this disk was accepted, is unknown or is open')
    WHEN EXISTS (SELECT 1 FROM archived_release
                 WHERE archived_release.disk_id = wanted.disk_id AND archived_release.stage = NEW.stage)
      THEN RAISE(ABORT, 'never twice: an archived attempt for this disk was accepted or may have been')
  END
  FROM item AS wanted WHERE wanted.item_id = NEW.item_id;
END;

-- Lists that a later version may lengthen. A trigger can be replaced; a table of evidence never changes.
CREATE TRIGGER run_has_known_goal BEFORE INSERT ON run WHEN NEW.goal NOT IN ('release', 'purge')
BEGIN
  SELECT RAISE(ABORT, 'run.goal is none of release, purge');
END;
CREATE TRIGGER disk_read_has_known_purpose BEFORE INSERT ON disk_read
WHEN NEW.purpose NOT IN ('preflight', 'settle', 'verify')
BEGIN
  SELECT RAISE(ABORT, 'disk_read.purpose is none of preflight, settle, verify');
END;
CREATE TRIGGER decision_has_known_kind BEFORE INSERT ON decision
WHEN NEW.kind NOT IN ('approve', 'skip', 'give_up', 'reject', 'already_gone', 'stop')
BEGIN
  SELECT RAISE(ABORT, 'decision.kind is none of approve, skip, give_up, reject, already_gone, stop');
END;

-- The second stage destroys for good, and there is no third: only for goal purge, and only for a disk that this item's latest observation,
-- made after its first stage, has shown in the recycle bin.
CREATE TRIGGER attempt_destroys_only_recycled BEFORE INSERT ON attempt
WHEN NEW.stage <> 1
  AND NOT (NEW.stage = 2 AND EXISTS (
    SELECT 1
    FROM item
    JOIN run ON run.run_id = item.run_id AND run.goal = 'purge'
    JOIN observation ON observation.observation_id =
           (SELECT max(observation_id) FROM observation WHERE observation.item_id = item.item_id)
    WHERE item.item_id = NEW.item_id
      AND observation.status = 'RECYCLED'
      AND observation.observation_id >
            (SELECT coalesce(max(observation_id), 0) FROM attempt WHERE attempt.item_id = item.item_id AND stage = 1)))
BEGIN
  SELECT RAISE(ABORT, 'never by accident: the disk was not seen in the recycle bin after its first release');
END;

-- Only what is unknown can be settled.
CREATE TRIGGER verdict_settles_unknown BEFORE INSERT ON verdict
WHEN NOT EXISTS (SELECT 1 FROM outcome WHERE outcome.attempt_id = NEW.attempt_id AND outcome.outcome = 'unknown')
BEGIN
  SELECT RAISE(ABORT, 'a verdict needs an unknown outcome');
END;

-- The hash chain over all rows of evidence: docs/audit-database.md, "Hash chain". A block is written by the transaction
-- whose rows it holds.
CREATE TABLE chain (
  block_id INTEGER PRIMARY KEY CHECK (block_id >= 1),
  -- Empty where the rows are archived (archive.emptied_blocks).
  entries  BLOB    NOT NULL CHECK (length(entries) % 41 = 0),
  hash     BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

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
CREATE TRIGGER disk_read_no_update BEFORE UPDATE ON disk_read BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER disk_read_no_delete BEFORE DELETE ON disk_read BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER observation_no_update BEFORE UPDATE ON observation BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER observation_no_delete BEFORE DELETE ON observation BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER verdict_no_update BEFORE UPDATE ON verdict BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER verdict_no_delete BEFORE DELETE ON verdict BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER decision_no_update BEFORE UPDATE ON decision BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER decision_no_delete BEFORE DELETE ON decision BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER archive_no_update BEFORE UPDATE ON archive BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER archive_no_delete BEFORE DELETE ON archive BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER archived_rows_no_update BEFORE UPDATE ON archived_rows BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER archived_rows_no_delete BEFORE DELETE ON archived_rows BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER archived_release_no_update BEFORE UPDATE ON archived_release BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER archived_release_no_delete BEFORE DELETE ON archived_release BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER chain_no_update BEFORE UPDATE ON chain BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER chain_no_delete BEFORE DELETE ON chain BEGIN SELECT RAISE(ABORT, 'append-only'); END;

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
       attempt.invocation_id,
       verdict.settled,
       verdict.reason AS settled_reason,
       verdict.decided_utc_ms AS settled_utc_ms,
       run.name AS run_name,
       run.goal,
       invocation.command,
       invocation.user,
       invocation.host,
       invocation.credential_id,
       invocation.endpoint
FROM attempt
JOIN item ON item.item_id = attempt.item_id
LEFT JOIN outcome ON outcome.attempt_id = attempt.attempt_id
LEFT JOIN verdict ON verdict.attempt_id = attempt.attempt_id
-- Outer joins, for SQLite leaves those out that a query takes no column of.
LEFT JOIN run ON run.run_id = item.run_id
LEFT JOIN invocation ON invocation.invocation_id = attempt.invocation_id;

-- Public, stable interface: every item with its state. An open attempt counts as unknown: nothing else is proved.
--
-- ending: how the latest attempt ended, verdicts included. seen: the latest observation made after that attempt,
-- seen_earlier: the one before it, after that attempt as well. One answer without a disk proves nothing: ABSENT counts when
-- it was seen twice in a row, or after DELETING.
CREATE VIEW item_state AS
SELECT run_id,
       item_id,
       disk_id,
       source_line,
       CASE
         WHEN ending IN ('open', 'unknown') THEN 'unknown'
         WHEN ending IN ('accepted', 'executed')
              AND (goal = 'release' OR stage = 2 OR seen = 'DELETING'
                   OR (seen = 'ABSENT' AND seen_earlier IN ('ABSENT', 'DELETING'))) THEN 'released'
         WHEN ending IN ('already_gone', 'gone') THEN 'already_gone'
         WHEN ending = 'refused' OR (ending = 'rejected' AND scope = 'disk') THEN 'rejected'
         ELSE coalesce(decided, 'pending')
       END AS state,
       attempts,
       last_outcome,
       last_http_status,
       last_api_code,
       last_request_id,
       last_message,
       last_finished_utc_ms,
       decision_reason,
       -- What reading has shown of a release that was accepted; NULL for every other item.
       CASE
         WHEN ending IN ('accepted', 'executed') THEN
           CASE
             WHEN seen IS NULL THEN 'not_read'
             WHEN seen = 'ABSENT' AND seen_earlier IN ('ABSENT', 'DELETING') THEN
               CASE
                 -- It was seen on its way there. Else nobody has seen more than that it is not there any more.
                 WHEN EXISTS (SELECT 1 FROM observation WHERE observation.item_id = facts.item_id
                              AND observation.status IN ('RECYCLING', 'RECYCLED', 'DELETING')) THEN 'destroyed'
                 ELSE 'gone'
               END
             WHEN seen = 'RECYCLED' AND stage = 1 THEN 'recycled'
             WHEN seen IN ('RECYCLING', 'RECYCLED', 'DELETING', 'ABSENT') THEN 'leaving'
             ELSE 'still_there'
           END
       END AS verified,
       settled,
       (SELECT status FROM observation WHERE observation.item_id = facts.item_id
        ORDER BY observation_id DESC LIMIT 1) AS last_status,
       stage AS last_stage,
       -- What the next attempt would be, were the item pending; NULL = nothing can be sent now.
       CASE WHEN ending IN ('accepted', 'executed') THEN CASE WHEN seen = 'RECYCLED' THEN 2 END
            ELSE coalesce(stage, 1) END AS next_stage
FROM (
  SELECT item.run_id,
         item.item_id,
         item.disk_id,
         item.source_line,
         run.goal,
         CASE
           WHEN latest.attempt_id IS NULL THEN 'none'
           WHEN outcome.outcome IS NULL THEN 'open'
           WHEN outcome.outcome = 'unknown' THEN coalesce(verdict.settled, 'unknown')
           ELSE outcome.outcome
         END AS ending,
         outcome.scope,
         latest.stage,
         coalesce(latest.attempt_number, 0) AS attempts,
         outcome.outcome AS last_outcome,
         outcome.http_status AS last_http_status,
         outcome.api_code AS last_api_code,
         outcome.request_id AS last_request_id,
         outcome.message AS last_message,
         outcome.finished_utc_ms AS last_finished_utc_ms,
         verdict.settled,
         (SELECT status FROM observation
          WHERE observation.item_id = item.item_id AND observation_id > coalesce(latest.observation_id, 0)
          ORDER BY observation_id DESC LIMIT 1) AS seen,
         (SELECT status FROM observation
          WHERE observation.item_id = item.item_id AND observation_id > coalesce(latest.observation_id, 0)
          ORDER BY observation_id DESC LIMIT 1 OFFSET 1) AS seen_earlier,
         (SELECT CASE decision.kind WHEN 'skip' THEN 'skipped' WHEN 'give_up' THEN 'failed'
                                    WHEN 'reject' THEN 'rejected'
                                    WHEN 'already_gone' THEN 'already_gone' END
          FROM decision
          WHERE decision.item_id = item.item_id AND decision.kind <> 'approve' AND decision.kind <> 'stop'
          ORDER BY decision.decision_id DESC LIMIT 1) AS decided,
         (SELECT decision.reason FROM decision
          WHERE decision.item_id = item.item_id AND decision.kind <> 'approve' AND decision.kind <> 'stop'
          ORDER BY decision.decision_id DESC LIMIT 1) AS decision_reason
  FROM item
  JOIN run ON run.run_id = item.run_id
  LEFT JOIN attempt AS latest
         ON latest.item_id = item.item_id
        AND latest.attempt_number = (SELECT max(attempt_number) FROM attempt WHERE attempt.item_id = item.item_id)
  LEFT JOIN outcome ON outcome.attempt_id = latest.attempt_id
  LEFT JOIN verdict ON verdict.attempt_id = latest.attempt_id
) AS facts;

-- Public, stable interface: every run with what has become of its items.
CREATE VIEW run_summary AS
SELECT run.run_id,
       run.name,
       run.goal,
       run.endpoint,
       run.sandbox,
       run.list_source,
       run.list_sha256,
       run.created_utc_ms,
       run.item_count AS listed,
       run.duplicate_count AS duplicates,
       count(*) FILTER (WHERE state = 'released') AS released,
       count(*) FILTER (WHERE state = 'already_gone') AS already_gone,
       count(*) FILTER (WHERE state = 'rejected') AS rejected,
       count(*) FILTER (WHERE state = 'failed') AS failed,
       count(*) FILTER (WHERE state = 'skipped') AS skipped,
       count(*) FILTER (WHERE state = 'unknown') AS unknown,
       count(*) FILTER (WHERE state = 'pending') AS pending,
       sum(attempts) AS attempts,
       max(last_finished_utc_ms) AS last_finished_utc_ms,
       (SELECT count(*) FROM invocation WHERE invocation.run_id = run.run_id) AS invocations,
       (SELECT exit_code FROM invocation LEFT JOIN invocation_end USING (invocation_id)
        WHERE invocation.run_id = run.run_id ORDER BY invocation_id DESC LIMIT 1) AS last_exit_code
FROM run
JOIN item_state ON item_state.item_id BETWEEN run.first_item_id AND run.first_item_id + run.item_count - 1
GROUP BY run.run_id;

-- Public, stable interface: the attempts of each day (UTC) by how they ended.
CREATE VIEW daily_totals AS
SELECT strftime('%Y-%m-%d', finished_utc_ms / 1000, 'unixepoch') AS day,
       count(*) AS attempts,
       count(*) FILTER (WHERE outcome = 'accepted') AS accepted,
       count(*) FILTER (WHERE outcome = 'already_gone') AS already_gone,
       count(*) FILTER (WHERE outcome = 'rejected') AS rejected,
       count(*) FILTER (WHERE outcome = 'throttled') AS throttled,
       count(*) FILTER (WHERE outcome = 'not_sent') AS not_sent,
       count(*) FILTER (WHERE outcome = 'unknown') AS unknown
FROM outcome
GROUP BY day;

-- Public, stable interface: what was not accepted, by day (UTC) and code.
CREATE VIEW error_totals AS
SELECT strftime('%Y-%m-%d', finished_utc_ms / 1000, 'unixepoch') AS day,
       outcome,
       api_code,
       http_status,
       count(*) AS attempts,
       max(finished_utc_ms) AS last_finished_utc_ms
FROM outcome
WHERE outcome <> 'accepted'
GROUP BY day, outcome, api_code, http_status;

-- Public, stable interface: all that is on record about a disk, in all runs. To be read with a disk_id, ordered by
-- utc_ms, entry. what: by kind the list; the status; the stage; the outcome; how it was settled; the decision. Of a run
-- that is in an archive: what was accepted or may have been, and in detail the archive's file.
CREATE VIEW disk_history AS
SELECT disk_item.disk_id, item.run_id, item.item_id, run.created_utc_ms AS utc_ms, 1 AS entry, 'listed' AS kind,
       run.list_source AS what, NULL AS code, NULL AS request_id, 'line ' || item.source_line AS detail,
       NULL AS attempt_number, NULL AS invocation_id
FROM disk_item JOIN item USING (item_id) JOIN run USING (run_id)
UNION ALL
SELECT disk_item.disk_id, item.run_id, item.item_id, run.created_utc_ms, 2, 'listed_again',
       run.list_source, NULL, NULL, 'line ' || duplicate_line.source_line, NULL, NULL
FROM disk_item JOIN item USING (item_id) JOIN run USING (run_id)
JOIN duplicate_line ON duplicate_line.run_id = item.run_id AND duplicate_line.disk_id = item.disk_id
UNION ALL
SELECT disk_item.disk_id, item.run_id, item.item_id, disk_read.finished_utc_ms, 3, 'observed',
       observation.status, NULL, disk_read.request_id,
       disk_read.purpose || coalesce(', ' || observation.status_text, '') || coalesce(', ' || observation.disk_name, '')
         || coalesce(', ' || observation.size_gb || ' GB', '') || coalesce(', ' || observation.disk_type, '')
         || coalesce(', ' || observation.zone_id, '') || coalesce(', attached to ' || observation.instance_id, ''),
       NULL, disk_read.invocation_id
FROM disk_item JOIN item USING (item_id) JOIN observation USING (item_id) JOIN disk_read USING (read_id)
UNION ALL
SELECT disk_item.disk_id, item.run_id, item.item_id, decision.decided_utc_ms, 4, 'decided',
       decision.kind, decision.reason, NULL, decision.detail, NULL, decision.invocation_id
FROM disk_item JOIN item USING (item_id) JOIN decision USING (item_id)
UNION ALL
SELECT disk_item.disk_id, item.run_id, item.item_id, attempt.intent_utc_ms, 5, 'attempted',
       CASE attempt.stage WHEN 2 THEN 'destroy' ELSE 'release' END, NULL, NULL, NULL,
       attempt.attempt_number, attempt.invocation_id
FROM disk_item JOIN item USING (item_id) JOIN attempt USING (item_id)
UNION ALL
SELECT disk_item.disk_id, item.run_id, item.item_id, outcome.finished_utc_ms, 6, 'answered',
       outcome.outcome, coalesce(outcome.api_code, 'HTTP ' || outcome.http_status), outcome.request_id, outcome.message,
       attempt.attempt_number, attempt.invocation_id
FROM disk_item JOIN item USING (item_id) JOIN attempt USING (item_id) JOIN outcome USING (attempt_id)
UNION ALL
SELECT disk_item.disk_id, item.run_id, item.item_id, verdict.decided_utc_ms, 7, 'settled',
       verdict.settled, verdict.reason, NULL, verdict.detail, attempt.attempt_number, verdict.invocation_id
FROM disk_item JOIN item USING (item_id) JOIN attempt USING (item_id) JOIN verdict USING (attempt_id)
UNION ALL
SELECT archived_release.disk_id, archived_release.run_id, NULL, archive.created_utc_ms, 8, 'archived',
       CASE archived_release.stage WHEN 2 THEN 'destroy' ELSE 'release' END, NULL, NULL, archive.file, NULL, NULL
FROM archived_release JOIN archive USING (archive_id)
-- In the archive itself there is nothing to be told.
WHERE archived_release.run_id NOT IN (SELECT run_id FROM run);
