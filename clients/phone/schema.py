"""The tables of a phone's file, version by version; a step is never changed once released."""

_FIRST = """
CREATE TABLE setting (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per bucket the phone may hold. `complete` says that the last page reached the end;
-- `digest` is what the server said of the whole bucket then.
CREATE TABLE bucket (
  id TEXT NOT NULL PRIMARY KEY,
  epoch INTEGER NOT NULL DEFAULT 0,
  seq INTEGER NOT NULL DEFAULT 0,
  digest TEXT NOT NULL,
  complete INTEGER NOT NULL DEFAULT 0 CHECK (complete IN (0, 1))
) STRICT, WITHOUT ROWID;

-- `body` is canonical JSON as received, `seen` is 0 while a restarted bucket has not named it.
CREATE TABLE record (
  id TEXT NOT NULL PRIMARY KEY,
  bucket TEXT NOT NULL,
  kind TEXT NOT NULL,
  rev INTEGER NOT NULL CHECK (rev >= 1),
  hash TEXT NOT NULL,
  body BLOB NOT NULL,
  seen INTEGER NOT NULL DEFAULT 1 CHECK (seen IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX record_bucket ON record (bucket, id);
CREATE INDEX record_kind ON record (kind, id);

-- The outbox. `body` is what is sent, byte for byte, each time. `overlay` is 1 until the effect
-- has arrived; `outcome` is null until it is final.
CREATE TABLE mutation (
  n INTEGER NOT NULL PRIMARY KEY CHECK (n >= 1),
  record TEXT NOT NULL,
  kind TEXT NOT NULL,
  body BLOB NOT NULL,
  creates INTEGER NOT NULL CHECK (creates IN (0, 1)),
  sent INTEGER NOT NULL DEFAULT 0 CHECK (sent IN (0, 1)),
  overlay INTEGER NOT NULL DEFAULT 1 CHECK (overlay IN (0, 1)),
  outcome TEXT,
  code TEXT,
  detail TEXT,
  rev INTEGER,
  settled_ms INTEGER,
  CHECK ((outcome IS NULL) = (settled_ms IS NULL))
) STRICT;
CREATE INDEX mutation_record ON mutation (record, n) WHERE overlay = 1;
"""
_SECOND = """
-- A snapshot that has not arrived as a whole: its bytes from `at` on, packed as they came.
CREATE TABLE piece (
  bucket TEXT NOT NULL,
  at INTEGER NOT NULL CHECK (at >= 0),
  path TEXT NOT NULL,
  etag TEXT NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (bucket, at)
) STRICT;
"""
_THIRD = """
-- Photos that the server does not have yet. `address` is where an upload goes on.
CREATE TABLE photo (
  hash TEXT NOT NULL PRIMARY KEY,
  media_type TEXT NOT NULL,
  content BLOB NOT NULL,
  address TEXT
) STRICT;
"""
_FOURTH = """
-- What earlier identities had settled, in order: a restored server may have lost it.
CREATE TABLE former (
  id INTEGER NOT NULL PRIMARY KEY,
  record TEXT NOT NULL,
  kind TEXT NOT NULL,
  body BLOB NOT NULL,
  creates INTEGER NOT NULL CHECK (creates IN (0, 1)),
  settled_ms INTEGER NOT NULL
) STRICT;
"""
STEPS = (_FIRST, _SECOND, _THIRD, _FOURTH)
