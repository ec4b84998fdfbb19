-- The derived tables: what the views say of every item, kept ready, so that no command has to look at every item.
--
-- They are no evidence. Whoever writes evidence brings them up to date in the same transaction (audit/run_tally), and a
-- program that finds them missing or behind drops them and makes them again from the evidence with this file. They are
-- not a stable interface.

DROP TABLE IF EXISTS main.item_now;
DROP TABLE IF EXISTS main.run_tally;
DROP TABLE IF EXISTS main.run_progress;
DROP TABLE IF EXISTS main.derived_until;
DROP TABLE IF EXISTS main.request_index;

-- Every item that is not plainly pending; an item that is may have a row or none. While an attempt of the item is open
-- its row says what was so before, and the item is unknown.
CREATE TABLE main.item_now (
  item_id  INTEGER PRIMARY KEY,
  tally_id INTEGER NOT NULL,
  -- What may still be done with it: 0 nothing; 1 it has to be read; 2 its release was accepted and it was not read
  -- since; 3 it can be sent; 4 its release was accepted and has not been seen to come true, it may be read again.
  open     INTEGER NOT NULL CHECK (open BETWEEN 0 AND 4)
) STRICT;

-- Without 2: nearly every item is that for a while, and each would change the index twice.
CREATE INDEX main.item_now_open ON item_now (open, item_id) WHERE open IN (1, 3, 4);

-- How many items of a run have a row with this state, code and sighting. verified is empty unless the item's latest
-- attempt was accepted or executed. Pending items without a row are the rest.
CREATE TABLE main.run_tally (
  tally_id        INTEGER PRIMARY KEY,
  run_id          INTEGER NOT NULL,
  state           TEXT    NOT NULL,
  code            TEXT    NOT NULL,
  verified        TEXT    NOT NULL,
  items           INTEGER NOT NULL CHECK (items >= 0),
  example_item_id INTEGER,
  UNIQUE (run_id, state, code, verified)
) STRICT;

-- Written now and then, so both may be behind what is true; what they say holds all the same.
CREATE TABLE main.run_progress (
  run_id               INTEGER PRIMARY KEY,
  -- Every item of the run below it has a row in item_now.
  first_gap_item_id    INTEGER NOT NULL,
  -- No item of the run above it has an attempt, a decision or an observation.
  last_touched_item_id INTEGER NOT NULL
) STRICT;

-- Attempts by what stands for their request id (audit/request_index), in segments of attempts by their ids, which are
-- written when every attempt of a segment has its outcome. entries: a part of the segment, sorted.
CREATE TABLE main.request_index (
  segment INTEGER NOT NULL,
  entries BLOB    NOT NULL,
  PRIMARY KEY (segment, entries)
) STRICT, WITHOUT ROWID;

-- One row: up to where the evidence is accounted for at least. Who opens the database for writing looks at the items of
-- all evidence beyond. It looks the same in every layout, for the verification reads from it which one it is.
CREATE TABLE main.derived_until (
  layout           INTEGER PRIMARY KEY,
  -- Every attempt with an id up to it has its outcome.
  settled_attempts INTEGER NOT NULL,
  observation_id   INTEGER NOT NULL,
  decision_id      INTEGER NOT NULL
) STRICT;
