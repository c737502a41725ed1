"""Notices as they were published, and who was shown one or agreed to something."""

from typing import Final

from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

_WORDS: Final = {
    "postgresql": {"id": "UUID", "big": "BIGINT"},
    "sqlite": {"id": "TEXT", "big": "INTEGER"},
}
_TABLES: Final = (
    """CREATE TABLE notice (
  version TEXT NOT NULL,
  title TEXT NOT NULL,
  text TEXT NOT NULL,
  published_ms {big} NOT NULL,
  published_by {id} NOT NULL,
  CONSTRAINT pk_notice PRIMARY KEY (version)
)""",
    """CREATE TABLE consent_entry (
  id {id} NOT NULL,
  record_id {id} NOT NULL,
  about TEXT NOT NULL,
  act TEXT NOT NULL,
  purpose TEXT NOT NULL,
  field TEXT,
  notice TEXT,
  how TEXT NOT NULL,
  at_ms {big} NOT NULL,
  account_id {id} NOT NULL,
  CONSTRAINT pk_consent_entry PRIMARY KEY (id),
  CONSTRAINT fk_consent_entry_notice FOREIGN KEY (notice) REFERENCES notice (version),
  CONSTRAINT ck_consent_entry_about CHECK (about IN ('household', 'resident')),
  CONSTRAINT ck_consent_entry_act CHECK (act IN ('shown', 'given', 'withdrawn')),
  CONSTRAINT ck_consent_entry_purpose CHECK (purpose IN ('registry', 'visits', 'service')),
  CONSTRAINT ck_consent_entry_how
    CHECK (how IN ('in_person', 'on_paper', 'by_phone', 'online')),
  CONSTRAINT ck_consent_entry_notice CHECK (act = 'withdrawn' OR notice IS NOT NULL),
  CONSTRAINT ck_consent_entry_shown CHECK (act <> 'shown' OR field IS NULL)
)""",
    "CREATE INDEX ix_consent_entry_record_id_id ON consent_entry (record_id, id)",
    "CREATE INDEX ix_consent_entry_act_at_ms ON consent_entry (act, at_ms)",
)


def upgrade() -> None:
    db = op.get_bind()
    for statement in _TABLES:
        db.exec_driver_sql(statement.format(**_WORDS[db.dialect.name]))


def downgrade() -> None:
    db = op.get_bind()
    for table in ("consent_entry", "notice"):
        db.exec_driver_sql(f"DROP TABLE {table}")
