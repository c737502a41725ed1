"""Sealed identity numbers, the names of the keys they need, and who looked at them."""

from typing import Final

from alembic import op

revision = "0027"
down_revision = "0025"
branch_labels = None
depends_on = None

_WORDS: Final = {
    "postgresql": {"id": "UUID", "big": "BIGINT", "bytes": "BYTEA"},
    "sqlite": {"id": "TEXT", "big": "INTEGER", "bytes": "BLOB"},
}
_TABLES: Final = (
    """CREATE TABLE district_key (
  id TEXT NOT NULL,
  check_value {bytes} NOT NULL,
  seals BOOLEAN NOT NULL,
  noted_ms {big} NOT NULL,
  CONSTRAINT pk_district_key PRIMARY KEY (id)
)""",
    "CREATE UNIQUE INDEX uq_district_key_seals ON district_key (seals) WHERE seals",
    """CREATE TABLE data_key (
  id {id} NOT NULL,
  household_id {id} NOT NULL,
  made_ms {big} NOT NULL,
  doomed_ms {big},
  CONSTRAINT pk_data_key PRIMARY KEY (id)
)""",
    "CREATE UNIQUE INDEX uq_data_key_live ON data_key (household_id) WHERE doomed_ms IS NULL",
    "CREATE INDEX ix_data_key_doomed ON data_key (doomed_ms) WHERE doomed_ms IS NOT NULL",
    """CREATE TABLE resident_identifier (
  resident_id {id} NOT NULL,
  kind TEXT NOT NULL,
  sealed {bytes} NOT NULL,
  blind_index {bytes} NOT NULL,
  index_key TEXT NOT NULL,
  data_key {id} NOT NULL,
  purpose TEXT NOT NULL,
  expires_ms {big} NOT NULL,
  set_ms {big} NOT NULL,
  set_by {id} NOT NULL,
  CONSTRAINT pk_resident_identifier PRIMARY KEY (resident_id, kind),
  CONSTRAINT fk_resident_identifier_data_key FOREIGN KEY (data_key) REFERENCES data_key (id),
  CONSTRAINT ck_resident_identifier_kind CHECK (kind IN ('id_card', 'passport', 'permit')),
  CONSTRAINT ck_resident_identifier_expires CHECK (expires_ms > set_ms)
)""",
    "CREATE INDEX ix_resident_identifier_blind_index ON resident_identifier (blind_index)",
    "CREATE INDEX ix_resident_identifier_data_key ON resident_identifier (data_key)",
    "CREATE INDEX ix_resident_identifier_index_key ON resident_identifier (index_key)",
    "CREATE INDEX ix_resident_identifier_expires_ms ON resident_identifier (expires_ms)",
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
)


def upgrade() -> None:
    db = op.get_bind()
    for statement in _TABLES:
        db.exec_driver_sql(statement.format(**_WORDS[db.dialect.name]))


def downgrade() -> None:
    db = op.get_bind()
    for table in ("identifier_access", "resident_identifier", "data_key", "district_key"):
        db.exec_driver_sql(f"DROP TABLE {table}")
