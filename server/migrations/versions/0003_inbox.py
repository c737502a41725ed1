"""What waits for a person, workers who share a phone, and who looks after a conflict."""

from typing import Final

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_WORDS: Final = {
    "postgresql": {"id": "UUID", "big": "BIGINT"},
    "sqlite": {"id": "TEXT", "big": "INTEGER"},
}
_HELD: Final = """
CREATE TABLE held (
  device_id {id} NOT NULL,
  n {big} NOT NULL,
  record_id {id},
  kind TEXT,
  account_id {id} NOT NULL,
  actor {id},
  area_no {big} NOT NULL,
  outcome TEXT NOT NULL,
  code TEXT NOT NULL,
  field TEXT,
  base {big} NOT NULL,
  rev {big} NOT NULL,
  awaits {id},
  at_ms {big} NOT NULL,
  held_ms {big} NOT NULL,
  status TEXT NOT NULL,
  version {big} NOT NULL,
  decided_ms {big},
  decided_by {id},
  why TEXT,
  note TEXT,
  became TEXT,
  became_code TEXT,
  CONSTRAINT pk_held PRIMARY KEY (device_id, n),
  CONSTRAINT fk_held_device_id FOREIGN KEY(device_id) REFERENCES device (id),
  CONSTRAINT ck_held_status CHECK (status IN ('open', 'released', 'refused')),
  CONSTRAINT ck_held_outcome CHECK (outcome IN ('held', 'quarantined')),
  CONSTRAINT ck_held_version CHECK (version >= 1),
  CONSTRAINT ck_held_decided CHECK ((status = 'open') = (decided_ms IS NULL))
)
"""
_ACTOR: Final = """
CREATE TABLE device_actor (
  device_id {id} NOT NULL,
  account_id {id} NOT NULL,
  accepted_ms {big} NOT NULL,
  accepted_by {id} NOT NULL,
  ended_ms {big},
  CONSTRAINT pk_device_actor PRIMARY KEY (device_id, account_id),
  CONSTRAINT fk_device_actor_device_id FOREIGN KEY(device_id) REFERENCES device (id),
  CONSTRAINT fk_device_actor_account_id FOREIGN KEY(account_id) REFERENCES account (id),
  CONSTRAINT ck_device_actor_ended CHECK (ended_ms IS NULL OR ended_ms >= accepted_ms)
)
"""
_INDEXES: Final = (
    "CREATE INDEX ix_held_status_area_no ON held (status, area_no)",
    "CREATE INDEX ix_held_record_id ON held (record_id)",
    "CREATE INDEX ix_held_awaits ON held (awaits) WHERE status = 'open' AND awaits IS NOT NULL",
    "CREATE INDEX ix_device_actor_account_id ON device_actor (account_id)",
)
_BACKLOG: Final = """
INSERT INTO held (
  device_id, n, record_id, kind, account_id, actor, area_no, outcome, code, field, base, rev,
  awaits, at_ms, held_ms, status, version
)
SELECT
  m.device_id, m.n, m.record_id, m.kind, d.account_id, m.actor,
  COALESCE(r.area_no, a.lo, 0), m.outcome, COALESCE(m.code, 'server-fault'), m.field,
  CASE WHEN m.code = 'base-from-future' THEN m.rev ELSE m.base END, m.rev,
  CASE WHEN m.code = 'unknown-record' AND r.id IS NULL THEN m.record_id END,
  m.at_ms, m.received_ms, 'open', 1
FROM mutation m
JOIN device d ON d.id = m.device_id
JOIN account c ON c.id = d.account_id
LEFT JOIN area a ON a.id = c.area_id
LEFT JOIN record r ON r.id = m.record_id
WHERE m.outcome IN ('held', 'quarantined')
"""
_ADDED: Final = (
    ("device", "lost_at_ms", "{big}"),
    ("conflict", "owner", "{id}"),
    ("conflict", "note", "TEXT"),
)


def upgrade() -> None:
    db = op.get_bind()
    words = _WORDS[db.dialect.name]
    for statement in (_HELD, _ACTOR, *_INDEXES, _BACKLOG):
        db.exec_driver_sql(statement.format(**words))
    for table, column, kind in _ADDED:
        kind_here = kind.format(**words)
        db.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {column} {kind_here}")


def downgrade() -> None:
    db = op.get_bind()
    for table, column, _ in _ADDED:
        db.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {column}")
    for table in ("device_actor", "held"):
        db.exec_driver_sql(f"DROP TABLE {table}")
