-- Version 2 of the audit database: where an invocation came from, and why.

-- A missing row means that nothing of it is known. login_user is what the kernel keeps from the login on; sudo_user and
-- ssh_client are what the environment said, which anybody can set for a process of their own.
CREATE TABLE invocation_origin (
  invocation_id INTEGER PRIMARY KEY REFERENCES invocation,
  login_user    TEXT,
  sudo_user     TEXT,
  terminal      TEXT,
  ssh_client    TEXT,
  reason        TEXT
) STRICT;

CREATE TRIGGER invocation_origin_no_update BEFORE UPDATE ON invocation_origin BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER invocation_origin_no_delete BEFORE DELETE ON invocation_origin BEGIN SELECT RAISE(ABORT, 'append-only'); END;
