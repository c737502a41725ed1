"""The access log takes in looks at masked fields, and what is done with identity numbers.

The entries of the latter move into it, unsealed, and get their places with the next sealing.
Going back leaves out what the earlier schema has no word for: the chain does not fit then.
"""

from typing import Final

from alembic import op

revision = "0036"
down_revision = "0031"
branch_labels = None
depends_on = None

_WORDS: Final = {
    "postgresql": {"id": "UUID", "big": "BIGINT"},
    "sqlite": {"id": "TEXT", "big": "INTEGER"},
}
_BEFORE: Final = "'list', 'read', 'history'"
_NOW: Final = f"{_BEFORE}, 'reveal', 'search', 'set', 'remove'"
_NAMES: Final = "id, at_ms, account_id, act, kind, records, purpose, seq, hash"
# SQLite changes no CHECK: the table is made again.
_SQLITE_TABLE: Final = """CREATE TABLE access_entry_again (
  id TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  account_id TEXT NOT NULL,
  act TEXT NOT NULL,
  kind TEXT NOT NULL,
  records TEXT NOT NULL,
  purpose TEXT,
  {more}seq INTEGER,
  hash TEXT,
  CONSTRAINT pk_access_entry PRIMARY KEY (id),
  CONSTRAINT uq_access_entry_seq UNIQUE (seq),
  CONSTRAINT ck_access_entry_act CHECK (act IN ({acts})),
  CONSTRAINT ck_access_entry_sealed CHECK ((seq IS NULL) = (hash IS NULL))
)"""
_INDEXES: Final = (
    "CREATE INDEX ix_access_entry_account_id ON access_entry (account_id)",
    "CREATE INDEX ix_access_entry_unsealed ON access_entry (id) WHERE seq IS NULL",
)
_LOOKS: Final = """CREATE INDEX ix_access_entry_looks ON access_entry (account_id, at_ms)
  WHERE act IN ('reveal', 'search')"""
_MOVED: Final = (
    """INSERT INTO access_entry (id, at_ms, account_id, act, kind, records, purpose, fields)
  SELECT id, at_ms, account_id, act, 'identifier',
    CASE WHEN resident_id IS NULL THEN '[]'
      ELSE '["' || CAST(resident_id AS TEXT) || '"]' END,
    purpose, '["' || kind || '"]'
  FROM identifier_access""",
    """INSERT INTO access_record (record_id, entry_id)
  SELECT resident_id, id FROM identifier_access WHERE resident_id IS NOT NULL""",
    "DROP TABLE identifier_access",
)
_NUMBERS: Final = (
    """CREATE TABLE identifier_access (
  id {id} NOT NULL,
  account_id {id} NOT NULL,
  resident_id {id},
  kind TEXT NOT NULL,
  act TEXT NOT NULL,
  purpose TEXT,
  at_ms {big} NOT NULL,
  CONSTRAINT pk_identifier_access PRIMARY KEY (id),
  CONSTRAINT ck_identifier_access_act CHECK (act IN ('set', 'reveal', 'search', 'remove'))
)""",
    """CREATE INDEX ix_identifier_access_account_id_at_ms
  ON identifier_access (account_id, at_ms)""",
    "CREATE INDEX ix_identifier_access_resident_id ON identifier_access (resident_id)",
    """INSERT INTO identifier_access (id, account_id, resident_id, kind, act, purpose, at_ms)
  SELECT id, account_id,
    (SELECT record_id FROM access_record WHERE entry_id = access_entry.id),
    substr(fields, 3, length(fields) - 4), act, purpose, at_ms
  FROM access_entry WHERE kind = 'identifier'""",
    """DELETE FROM access_record WHERE entry_id IN
  (SELECT id FROM access_entry WHERE act NOT IN ('list', 'read', 'history'))""",
    "DELETE FROM access_entry WHERE act NOT IN ('list', 'read', 'history')",
    "DROP INDEX ix_access_entry_looks",
)
_POSTGRES: Final = (
    "ALTER TABLE access_entry DROP CONSTRAINT ck_access_entry_act",
    "ALTER TABLE access_entry ADD CONSTRAINT ck_access_entry_act CHECK (act IN ({acts}))",
)
_COLUMNS: Final = ("fields", "reason")


def upgrade() -> None:
    db = op.get_bind()
    if db.dialect.name == "sqlite":
        _again(_NOW, "fields TEXT,\n  reason TEXT,\n  ")
    else:
        for column in _COLUMNS:
            db.exec_driver_sql(f"ALTER TABLE access_entry ADD COLUMN {column} TEXT")
        for statement in _POSTGRES:
            db.exec_driver_sql(statement.format(acts=_NOW))
    for statement in (_LOOKS, *_MOVED):
        db.exec_driver_sql(statement)


def downgrade() -> None:
    db = op.get_bind()
    for statement in _NUMBERS:
        db.exec_driver_sql(statement.format(**_WORDS[db.dialect.name]))
    if db.dialect.name == "sqlite":
        _again(_BEFORE, "")
        return
    for statement in _POSTGRES:
        db.exec_driver_sql(statement.format(acts=_BEFORE))
    for column in _COLUMNS:
        db.exec_driver_sql(f"ALTER TABLE access_entry DROP COLUMN {column}")


def _again(acts: str, more: str) -> None:
    db = op.get_bind()
    db.exec_driver_sql(_SQLITE_TABLE.format(acts=acts, more=more))
    db.exec_driver_sql(
        f"INSERT INTO access_entry_again ({_NAMES}) SELECT {_NAMES} FROM access_entry"  # noqa: S608 - names of ours
    )
    db.exec_driver_sql("DROP TABLE access_entry")
    db.exec_driver_sql("ALTER TABLE access_entry_again RENAME TO access_entry")
    for statement in _INDEXES:
        db.exec_driver_sql(statement)
