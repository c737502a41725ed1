"""Photos and recordings: declarations, uploads, stored blobs and who has the bytes."""

from typing import Final

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_WORDS: Final = {
    "postgresql": {"id": "UUID", "big": "BIGINT"},
    "sqlite": {"id": "TEXT", "big": "INTEGER"},
}
_TABLES: Final = ("media_upload", "media_declaration", "media_copy", "media")
_STATEMENTS: Final = (
    """CREATE TABLE media (
  hash TEXT NOT NULL,
  state TEXT NOT NULL,
  code TEXT,
  media_type TEXT,
  size {big} NOT NULL,
  served_hash TEXT,
  served_size {big},
  blob {id},
  attached BOOLEAN NOT NULL,
  stored_ms {big} NOT NULL,
  drop_ms {big},
  CONSTRAINT pk_media PRIMARY KEY (hash),
  CONSTRAINT ck_media_state CHECK (state IN ('stored', 'dropping', 'refused', 'erased')),
  CONSTRAINT ck_media_served CHECK (
    state <> 'stored' OR (blob IS NOT NULL AND served_hash IS NOT NULL)
  )
)""",
    "CREATE INDEX ix_media_unattached ON media (stored_ms) WHERE NOT attached",
    "CREATE INDEX ix_media_to_drop ON media (drop_ms) WHERE drop_ms IS NOT NULL",
    """CREATE TABLE media_copy (
  hash TEXT NOT NULL,
  account_id {id} NOT NULL,
  uploaded_ms {big} NOT NULL,
  CONSTRAINT pk_media_copy PRIMARY KEY (hash, account_id),
  CONSTRAINT fk_media_copy_account_id FOREIGN KEY(account_id) REFERENCES account (id)
)""",
    """CREATE TABLE media_declaration (
  hash TEXT NOT NULL,
  record_id {id} NOT NULL,
  device_id {id} NOT NULL,
  account_id {id} NOT NULL,
  declared_ms {big} NOT NULL,
  waiting BOOLEAN NOT NULL,
  CONSTRAINT pk_media_declaration PRIMARY KEY (hash, record_id, device_id),
  CONSTRAINT fk_media_declaration_device_id FOREIGN KEY(device_id) REFERENCES device (id)
)""",
    "CREATE INDEX ix_media_declaration_record_id ON media_declaration (record_id)",
    """CREATE INDEX ix_media_declaration_waiting
  ON media_declaration (device_id, declared_ms) WHERE waiting""",
    """CREATE TABLE media_upload (
  id {id} NOT NULL,
  hash TEXT NOT NULL,
  account_id {id} NOT NULL,
  device_id {id},
  size {big} NOT NULL,
  media_type TEXT NOT NULL,
  created_ms {big} NOT NULL,
  finished_ms {big},
  CONSTRAINT pk_media_upload PRIMARY KEY (id),
  CONSTRAINT fk_media_upload_account_id FOREIGN KEY(account_id) REFERENCES account (id),
  CONSTRAINT fk_media_upload_device_id FOREIGN KEY(device_id) REFERENCES device (id),
  CONSTRAINT ck_media_upload_size CHECK (size >= 1)
)""",
    """CREATE INDEX ix_media_upload_account_id_created_ms
  ON media_upload (account_id, created_ms)""",
    "CREATE INDEX ix_media_upload_created_ms ON media_upload (created_ms)",
    "CREATE INDEX ix_media_upload_hash ON media_upload (hash)",
)


def upgrade() -> None:
    db = op.get_bind()
    for statement in _STATEMENTS:
        db.exec_driver_sql(statement.format(**_WORDS[db.dialect.name]))


def downgrade() -> None:
    db = op.get_bind()
    for table in _TABLES:
        db.exec_driver_sql(f"DROP TABLE {table}")
