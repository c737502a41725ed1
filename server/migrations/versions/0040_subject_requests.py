"""Requests of people about their own data, what was done for them, copies that expire."""

from typing import Final

from alembic import op

revision = "0040"
down_revision = "0030"
branch_labels = None
depends_on = None

_WORDS: Final = {
    "postgresql": {"id": "UUID", "big": "BIGINT", "bytes": "BYTEA"},
    "sqlite": {"id": "TEXT", "big": "INTEGER", "bytes": "BLOB"},
}
_TABLES: Final = (
    """CREATE TABLE subject_request (
  id {id} NOT NULL,
  asked TEXT NOT NULL,
  about TEXT NOT NULL,
  record_id {id} NOT NULL,
  verified TEXT NOT NULL,
  state TEXT NOT NULL,
  received_ms {big} NOT NULL,
  received_by {id} NOT NULL,
  due_ms {big} NOT NULL,
  handler {id},
  closed_ms {big},
  refusal TEXT,
  rev {big} NOT NULL,
  CONSTRAINT pk_subject_request PRIMARY KEY (id),
  CONSTRAINT ck_subject_request_asked
    CHECK (asked IN ('access', 'correction', 'erasure', 'restriction')),
  CONSTRAINT ck_subject_request_about CHECK (about IN ('household', 'resident')),
  CONSTRAINT ck_subject_request_verified CHECK (verified IN ('document_seen',
    'known_in_person', 'called_back', 'authorised_person', 'official_letter')),
  CONSTRAINT ck_subject_request_state
    CHECK (state IN ('received', 'in_progress', 'answered', 'refused')),
  CONSTRAINT ck_subject_request_refusal CHECK (refusal IN ('identity_not_certain',
    'nothing_held', 'law_requires_keeping', 'rights_of_others', 'repeated')),
  CONSTRAINT ck_subject_request_refused CHECK ((state = 'refused') = (refusal IS NOT NULL)),
  CONSTRAINT ck_subject_request_closed
    CHECK ((state IN ('answered', 'refused')) = (closed_ms IS NOT NULL)),
  CONSTRAINT ck_subject_request_rev CHECK (rev >= 1),
  CONSTRAINT ck_subject_request_due CHECK (due_ms >= received_ms)
)""",
    "CREATE INDEX ix_subject_request_record_id ON subject_request (record_id)",
    "CREATE INDEX ix_subject_request_due_ms_id ON subject_request (due_ms, id)",
    """CREATE INDEX ix_subject_request_open ON subject_request (due_ms)
  WHERE state IN ('received', 'in_progress')""",
    """CREATE TABLE subject_step (
  request_id {id} NOT NULL,
  rev {big} NOT NULL,
  at_ms {big} NOT NULL,
  account_id {id} NOT NULL,
  act TEXT NOT NULL,
  record_id {id},
  record_rev {big},
  CONSTRAINT pk_subject_step PRIMARY KEY (request_id, rev),
  CONSTRAINT fk_subject_step_request_id
    FOREIGN KEY (request_id) REFERENCES subject_request (id),
  CONSTRAINT ck_subject_step_act CHECK (act IN ('received', 'begun', 'copied',
    'corrected', 'counted', 'erased', 'restricted', 'lifted', 'answered', 'refused'))
)""",
    """CREATE TABLE subject_copy (
  request_id {id} NOT NULL,
  made_ms {big} NOT NULL,
  expires_ms {big} NOT NULL,
  sha256 TEXT NOT NULL,
  body {bytes} NOT NULL,
  CONSTRAINT pk_subject_copy PRIMARY KEY (request_id),
  CONSTRAINT fk_subject_copy_request_id
    FOREIGN KEY (request_id) REFERENCES subject_request (id),
  CONSTRAINT ck_subject_copy_expires CHECK (expires_ms > made_ms)
)""",
    "CREATE INDEX ix_subject_copy_expires_ms ON subject_copy (expires_ms)",
)


def upgrade() -> None:
    db = op.get_bind()
    for statement in _TABLES:
        db.exec_driver_sql(statement.format(**_WORDS[db.dialect.name]))


def downgrade() -> None:
    db = op.get_bind()
    for table in ("subject_copy", "subject_step", "subject_request"):
        db.exec_driver_sql(f"DROP TABLE {table}")
