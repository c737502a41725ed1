"""Who read which personal data: entries, the way to them, the end of the chain."""

from typing import Final

from alembic import op

revision = "0025"
down_revision = "0023"
branch_labels = None
depends_on = None

_WORDS: Final = {
    "postgresql": {"id": "UUID", "big": "BIGINT"},
    "sqlite": {"id": "TEXT", "big": "INTEGER"},
}
_ENTRY: Final = """CREATE TABLE access_entry (
  id {id} NOT NULL,
  at_ms {big} NOT NULL,
  account_id {id} NOT NULL,
  act TEXT NOT NULL,
  kind TEXT NOT NULL,
  records TEXT NOT NULL,
  purpose TEXT,
  seq {big},
  hash TEXT,
  CONSTRAINT pk_access_entry PRIMARY KEY (id),
  CONSTRAINT uq_access_entry_seq UNIQUE (seq),
  CONSTRAINT ck_access_entry_act CHECK (act IN ('list', 'read', 'history')),
  CONSTRAINT ck_access_entry_sealed CHECK ((seq IS NULL) = (hash IS NULL))
)"""
_RECORD: Final = """CREATE TABLE access_record (
  record_id {id} NOT NULL,
  entry_id {id} NOT NULL,
  CONSTRAINT pk_access_record PRIMARY KEY (record_id, entry_id)
)"""
_HEAD: Final = """CREATE TABLE access_head (
  name TEXT NOT NULL,
  seq {big} NOT NULL,
  hash TEXT NOT NULL,
  base_seq {big} NOT NULL,
  base_hash TEXT NOT NULL,
  CONSTRAINT pk_access_head PRIMARY KEY (name),
  CONSTRAINT ck_access_head_order CHECK (0 <= base_seq AND base_seq <= seq)
)"""
_LATER: Final = (
    "CREATE INDEX ix_access_entry_account_id ON access_entry (account_id)",
    "CREATE INDEX ix_access_entry_unsealed ON access_entry (id) WHERE seq IS NULL",
    "CREATE INDEX ix_access_record_entry_id ON access_record (entry_id)",
    "INSERT INTO access_head VALUES ('reads', 0, '', 0, '')",
)


def upgrade() -> None:
    db = op.get_bind()
    for table in (_ENTRY, _RECORD, _HEAD):
        db.exec_driver_sql(table.format(**_WORDS[db.dialect.name]))
    for statement in _LATER:
        db.exec_driver_sql(statement)


def downgrade() -> None:
    db = op.get_bind()
    for table in ("access_head", "access_record", "access_entry"):
        db.exec_driver_sql(f"DROP TABLE {table}")
